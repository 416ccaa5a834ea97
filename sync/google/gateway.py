"""CalendarGateway over google-api-python-client: one method per API call, retries, and nothing else."""

from __future__ import annotations

import functools
import json
import random
import time
from collections.abc import Callable
from typing import Any, TypedDict

import httplib2
from django.conf import settings

from accounts.models import ExternalAccount
from sync.core.mapping import READABLE_TYPES
from sync.google import errors, oauth

TIMEOUT = 30  # Seconds for one answer of Google's.
PAGE_SIZE = 2500  # The most that Google lists at once.
PATIENCE = 20.0  # Seconds that one session spends waiting between repeated calls (R20).
ATTEMPTS = 4


class Reading(TypedDict):
    """What decides which page of `events.list` comes next."""

    sync_token: str
    page_token: str
    time_min: str


class CalendarGateway:
    """
    One calendar of one account at Google.

    Not for sharing between threads: httplib2 is not made for it. Every method raises the failures of
    `sync.google.errors`.
    """

    def __init__(
        self,
        *,
        account: ExternalAccount,
        calendar_id: str = "primary",
        sleep: Callable[[float], None] = time.sleep,
        timeout: float = TIMEOUT,
    ) -> None:
        """`timeout` is in seconds, for one answer. :raises UnableToDecrypt: if the tokens cannot be read."""
        self.requests_made = 0
        self._account = account
        self._calendar_id = calendar_id
        self._sleep = sleep
        self._patience = PATIENCE
        self._credentials = oauth.credentials_for(account)
        self._token = self._credentials.token
        self._service = _service(self._credentials, timeout=timeout)

    def list_events(
        self, *, sync_token: str = "", page_token: str = "", time_min: str = "", page_size: int = PAGE_SIZE
    ) -> dict[str, Any]:
        """
        Return one page of `events.list`, deleted ones included: of the changes since a sync token, or of everything.

        `time_min` (RFC 3339) bounds a complete read; Google's token keeps it (R2).

        :raises SyncTokenRefused: if the calendar has to be read completely again.
        :raises CalendarGone: if the calendar itself is not there.
        """
        arguments = {"syncToken": sync_token, "pageToken": page_token}
        if not sync_token:
            arguments["timeMin"] = time_min
        request = self._service.events().list(
            calendarId=self._calendar_id,
            maxResults=page_size,
            singleEvents=False,
            showDeleted=True,
            eventTypes=list(READABLE_TYPES),
            **{name: value for name, value in arguments.items() if value},
        )
        try:
            return self._execute(request)
        except errors.EventGone as error:
            raise errors.CalendarGone(
                "Google does not show this calendar any more. Choose another calendar on the set-up page; nothing was "
                "deleted."
            ) from error
        except errors.RequestInvalid as error:
            if sync_token or page_token:  # "invalid": a malformed token is an old one as well (R20).
                raise errors.SyncTokenRefused(str(error)) from error
            raise
        except errors.EventRefused as error:
            raise errors.AccessInsufficient(f"Google does not let us list this calendar: {error}") from error

    def get_event(self, *, event_id: str) -> dict[str, Any]:
        """:raises EventGone: if Google does not know the event."""
        return self._execute(self._service.events().get(calendarId=self._calendar_id, eventId=event_id))

    def insert_event(self, *, body: dict[str, Any], send_updates: str) -> dict[str, Any]:
        """:raises EventIdTaken: if the id was used before, for whatever event."""
        return self._execute(
            self._service.events().insert(calendarId=self._calendar_id, body=body, sendUpdates=send_updates)
        )

    def patch_event(self, *, event_id: str, body: dict[str, Any], etag: str, send_updates: str) -> dict[str, Any]:
        """:raises EventChangedMeanwhile: if the event is not the version of this etag any more."""
        request = self._service.events().patch(
            calendarId=self._calendar_id, eventId=event_id, body=body, sendUpdates=send_updates
        )
        request.headers["If-Match"] = etag
        return self._execute(request)

    def delete_event(self, *, event_id: str, etag: str, send_updates: str) -> None:
        """
        Delete an event; one that is gone already is what we wanted.

        :raises EventChangedMeanwhile: if the event is not the version of this etag any more.
        """
        request = self._service.events().delete(
            calendarId=self._calendar_id, eventId=event_id, sendUpdates=send_updates
        )
        request.headers["If-Match"] = etag
        try:
            self._execute(request)
        except errors.EventGone:
            pass  # Somebody was faster.

    def list_calendars(self) -> list[dict[str, Any]]:
        """Return the calendars that the account may write to, the main one first; needs a scope of its own."""
        request = self._service.calendarList().list(minAccessRole="writer", maxResults=250)
        calendars = self._execute(request).get("items", [])
        return sorted(calendars, key=lambda entry: (not entry.get("primary"), entry.get("summary", "")))

    def _execute(self, request: Any) -> Any:
        """Send a request, repeating it while Google is unavailable and patience lasts (R20)."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._send(request)
            except errors.GoogleUnavailable as error:
                pause = error.retry_after or 2 ** (attempt - 1) + random.random()  # noqa: S311 - jitter, no secret
                if attempt == ATTEMPTS or pause > self._patience:
                    raise
                self._patience -= pause
                self._sleep(pause)
        raise AssertionError("unreachable")

    def _send(self, request: Any) -> Any:
        from google.auth.exceptions import RefreshError, TransportError
        from googleapiclient.errors import HttpError

        self.requests_made += 1
        try:
            answer = request.execute()
        except HttpError as error:
            raise errors.error_for(
                status=int(error.resp.status), content=error.content, retry_after=error.resp.get("retry-after")
            ) from error
        except RefreshError as error:
            raise _refresh_failure(error) from error
        except (TimeoutError, TransportError, httplib2.HttpLib2Error, OSError) as error:
            raise errors.GoogleUnavailable("Google did not answer in time.") from error
        except ValueError as error:  # A body that was cut off is no JSON.
            raise errors.AnswerUnreadable("Google's answer was cut off.") from error
        finally:
            self._keep_refreshed_token()
        if not isinstance(answer, dict) and answer != "":  # The client hands a body it cannot read through as text.
            raise errors.AnswerUnreadable("Google's answer was cut off.")
        return answer

    def _keep_refreshed_token(self) -> None:
        if self._credentials.token != self._token:
            self._token = self._credentials.token
            oauth.save_refreshed(self._account, self._credentials)


def _refresh_failure(error: Any) -> errors.GoogleError:
    """Only `invalid_grant` means that the user's grant is gone; a wrong client secret is ours to mend (R20)."""
    if error.retryable:
        return errors.GoogleUnavailable("Google's sign-in service does not answer.")
    if "invalid_grant" in str(error):
        return errors.AccessRevoked("Google does not accept our access any more. Connect your Google account again.")
    if "invalid_client" in str(error) or "unauthorized_client" in str(error):
        return errors.AccessRefused(
            "Google does not know this application, or its secret is wrong. An administrator has to check the client "
            "id and the client secret; nothing is lost."
        )
    return errors.AccessRefused(
        "Google did not renew our access. If the next sessions say the same, connect your Google account again."
    )


@functools.cache
def _document(root: str) -> str:
    """Return Google's discovery document with another root, which calls and batches both follow."""
    from googleapiclient.discovery_cache import get_static_doc

    document = json.loads(get_static_doc("calendar", "v3"))
    document["rootUrl"] = root
    document["baseUrl"] = root + document["servicePath"]
    document.pop("mtlsRootUrl", None)
    return json.dumps(document)


def _service(credentials: Any, *, timeout: float) -> Any:
    """Return a client of one's own: nothing in it may be shared between threads."""
    from google_auth_httplib2 import AuthorizedHttp
    from googleapiclient.discovery import build_from_document

    root = settings.GOOGLE_CALENDAR_API_ROOT.rstrip("/") + "/"
    http = AuthorizedHttp(credentials, http=httplib2.Http(timeout=timeout))
    return build_from_document(_document(root), http=http)
