"""Failures of Google, told apart by what has to happen next: by reason, never by status alone (R20)."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from sync.core.reasons import _


class GoogleError(Exception):
    """Something went wrong at Google or on the way there. The message is written for the user."""


class GoogleUnavailable(GoogleError):
    """No answer, too many requests or a 5xx: the same call may work later."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after  # Seconds, when Google named them.


class AccessRevoked(GoogleError):
    """The grant is dead: the account needs reconnecting."""


class AccessInsufficient(GoogleError):
    """The account lacks what every call needs: a scope, the API, a calendar."""


class AccessRefused(AccessInsufficient):
    """Google does not accept our access, though nobody says that it was withdrawn: the tokens are kept."""


class CalendarGone(GoogleError):
    """The calendar is not there, or not shown to this account: another one has to be chosen."""


class SyncTokenRefused(GoogleError):
    """The calendar has to be read completely again."""


class EventChangedMeanwhile(GoogleError):
    """Our etag is old: look at the event again before writing."""


class EventIdTaken(GoogleError):
    """An event of this id exists already, or existed (R13)."""


class EventGone(GoogleError):
    """There is no such event any more."""


class EventRefused(GoogleError):
    """Google does not accept this one change; all other items can go on (R19)."""


class RequestInvalid(EventRefused):
    """Google can make nothing of this request (400)."""


class NoAnswer(GoogleUnavailable):
    """Nothing came back; whether a write was done is not known."""


class AnswerUnreadable(GoogleUnavailable):
    """Google's answer was cut off or is no JSON; whether a write was done is not known."""


_RATE = {"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "calendarUsageLimitsExceeded"} | {
    "dailyLimitExceeded", "RATE_LIMIT_EXCEEDED",
}  # fmt: skip
_SCOPE = {"insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}
_NOT_ENABLED = {"accessNotConfigured", "SERVICE_DISABLED"}
_NO_CALENDAR = {"notACalendarUser"}


def reason_in(content: bytes) -> tuple[str, str]:
    """Return reason and message of Google's error body; empty texts if it is none (HTML from the edge, say)."""
    try:
        error = json.loads(content)["error"]
        inner: list[dict[str, Any]] = error.get("errors") or error.get("details") or [{}]
        return str(inner[0].get("reason", "")), str(error.get("message", ""))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return "", ""


def error_for(*, status: int, content: bytes, retry_after: str | None = None) -> GoogleError:
    """Return the failure that an HTTP answer of Google's means."""
    reason, message = reason_in(content)
    if status == 429 or status >= 500 or (status == 403 and reason in _RATE) or reason == "conflict":
        return GoogleUnavailable(_unavailable(status, reason), retry_after=_seconds(retry_after))
    if status == 401:
        return AccessRefused(
            _(
                "Google does not accept our access at the moment. "
                "If the next sessions say the same, connect your Google account again."
            )
        )
    if status == 403:
        return _forbidden(reason, message)
    if status == 404:
        return EventGone(_("Google does not know this event."))
    if status == 409:
        return EventIdTaken(_("Google has an event of this id already."))
    if status == 410:
        return EventGone(_("The event was deleted in Google.")) if reason == "deleted" else _token(message)
    if status == 412:
        return EventChangedMeanwhile(_("The event was changed in Google meanwhile."))
    return RequestInvalid(_refused(message or f"error {status}", _("Change the activity, or its event in Google.")))


def _forbidden(reason: str, message: str) -> GoogleError:
    if reason in _SCOPE:
        return AccessInsufficient(
            _(
                "The access you granted does not include your events. Connect your Google account again and tick "
                "everything Google asks for."
            )
        )
    if reason in _NOT_ENABLED:
        return AccessInsufficient(
            _(
                "The Google Calendar API is not enabled for this application. An administrator has to enable it in the "
                "Google Cloud console."
            )
        )
    if reason in _NO_CALENDAR:
        return AccessInsufficient(_("This Google account has no Google Calendar. Sign in to Google Calendar once."))
    step = _("Look in Google Calendar whether your account may change this event.")
    return EventRefused(_refused(message or "your account may not edit this event", step))


def _refused(message: str, step: str) -> str:
    words = {"message": message.strip().rstrip("."), "step": step}
    return _("Google refuses the change: %(message)s. %(step)s") % words


def _token(message: str) -> GoogleError:
    return SyncTokenRefused(message or _("A complete read is needed."))


def _unavailable(status: int, reason: str) -> str:
    if status in (403, 429):
        return _("Google asks us to slow down. The rest waits for the next session.")
    words = _("Google Calendar has a temporary problem (%(reason)s). The rest waits for the next session.")
    return words % {"reason": reason or status}


def _seconds(text: str | None) -> float | None:
    try:
        seconds = float(text or "")
    except ValueError:
        return _seconds_until(text or "")
    return seconds if 0 <= seconds < math.inf else None


def _seconds_until(date: str) -> float | None:
    """Return how long it is until an HTTP date, 0 if it has passed; None if it is no date."""
    try:
        at = parsedate_to_datetime(date)
    except (ValueError, TypeError, OverflowError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())
