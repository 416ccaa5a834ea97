"""Google's refusals: status, reason and words, and the body they travel in."""

from __future__ import annotations

from typing import Any

# reason -> (status, domain, message), as published for Calendar v3.
KNOWN_REASONS: dict[str, tuple[int, str, str]] = {
    "invalid": (400, "global", "Invalid Value"),
    "required": (400, "global", "Required"),
    "badRequest": (400, "global", "Bad Request"),
    "parseError": (400, "global", "Parse Error"),
    "invalidParameter": (400, "global", "Invalid parameter"),
    "timeRangeEmpty": (400, "calendar", "The specified time range is empty."),
    "authError": (401, "global", "Invalid Credentials"),
    "userRateLimitExceeded": (403, "usageLimits", "User Rate Limit Exceeded"),
    "rateLimitExceeded": (403, "usageLimits", "Rate Limit Exceeded"),
    "quotaExceeded": (403, "usageLimits", "Calendar usage limits exceeded."),
    "dailyLimitExceeded": (403, "usageLimits", "Daily Limit Exceeded"),
    "accessNotConfigured": (
        403,
        "usageLimits",
        "Access Not Configured. Calendar API has not been used in this project.",
    ),
    "notACalendarUser": (403, "calendar", "The user must be signed up for Google Calendar."),
    "forbidden": (403, "global", "Forbidden"),
    "forbiddenForNonOrganizer": (
        403,
        "calendar",
        "Shared properties can only be changed by the organizer of the event.",
    ),
    "forbiddenForNonCreator": (403, "calendar", "This property can only be changed by the creator of the event."),
    "requiredAccessLevel": (403, "calendar", "You need to have writer access to this calendar."),
    "insufficientPermissions": (403, "global", "Insufficient Permission"),
    "notFound": (404, "global", "Not Found"),
    "duplicate": (409, "global", "The requested identifier already exists."),
    "conflict": (409, "global", "Conflict"),
    "fullSyncRequired": (410, "calendar", "Sync token is no longer valid, a full sync is required."),
    "updatedMinTooLongAgo": (
        410,
        "calendar",
        "The requested minimum modification time lies too far in the past.",
    ),
    "deleted": (410, "global", "Resource has been deleted"),
    "conditionNotMet": (412, "global", "Precondition Failed"),
    "backendError": (503, "global", "Backend Error"),
    "internalError": (500, "global", "Internal Error"),
}
_REASON_OF_STATUS = {
    400: "badRequest",
    401: "authError",
    403: "forbidden",
    404: "notFound",
    409: "conflict",
    410: "deleted",
    412: "conditionNotMet",
    429: "rateLimitExceeded",
}


class ApiError(Exception):
    """A call that Google refuses."""

    def __init__(
        self,
        reason: str,
        message: str | None = None,
        *,
        status: int | None = None,
        location: str | None = None,
        location_type: str = "parameter",
        headers: dict[str, str] | None = None,
    ) -> None:
        known_status, domain, words = KNOWN_REASONS.get(reason, (400, "global", reason))
        self.status = status or known_status
        self.reason = reason
        self.message = message or words
        self.headers = headers or {}
        self._error: dict[str, str] = {"domain": domain, "reason": reason, "message": self.message}
        if location:
            self._error |= {"locationType": location_type, "location": location}
        super().__init__(f"{self.status} {reason}: {self.message}")

    @property
    def body(self) -> dict[str, Any]:
        return {"error": {"errors": [self._error], "code": self.status, "message": self.message}}


class ScopeMissing(ApiError):
    """The token does not cover the method: told in the newer form with `details`."""

    def __init__(self) -> None:
        super().__init__("insufficientPermissions")
        self.headers = {"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/", error="insufficient_scope"'}

    @property
    def body(self) -> dict[str, Any]:
        body = super().body
        body["error"] |= {
            "message": "Request had insufficient authentication scopes.",
            "status": "PERMISSION_DENIED",
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
                    "domain": "googleapis.com",
                }
            ],
        }
        return body


def invalid(message: str | None = None, *, location: str | None = None) -> ApiError:
    return ApiError("invalid", message, location=location)


def required(message: str) -> ApiError:
    return ApiError("required", message)


def not_authorized() -> ApiError:
    headers = {"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/", error="invalid_token"'}
    return ApiError("authError", location="Authorization", location_type="header", headers=headers)


def precondition_failed() -> ApiError:
    return ApiError("conditionNotMet", location="If-Match", location_type="header")


def planted(*, status: int, reason: str | None, message: str | None) -> ApiError:
    """Return the error for a planted failure; the reason follows from the status when it is not named."""
    reason = reason or ("backendError" if status >= 500 else _REASON_OF_STATUS.get(status, "badRequest"))
    return ApiError(reason, message, status=status)
