"""CalendarGateway over google-api-python-client: one method per API call, batches, retries, and nothing else."""

from __future__ import annotations

import functools
import http.client
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypedDict

import httplib2
from django.conf import settings

from accounts.models import ExternalAccount
from sync.core.mapping import READABLE_TYPES, facts_of
from sync.core.reasons import _
from sync.google import errors, oauth

TIMEOUT = 30  # Seconds for one answer of Google's.
PAGE_SIZE = 2500  # The most that Google lists at once.
SHORT_PATIENCE = 5.0  # Seconds between repeated calls while a person waits for a page.
ATTEMPTS = 4
BATCH_SIZE = 50  # Calls that go in one request.
CALENDAR_GONE = _(
    "Google does not show this calendar any more. Choose another calendar on the set-up page; nothing was deleted."
)


class Reading(TypedDict):
    """What decides which page of `events.list` comes next."""

    sync_token: str
    page_token: str
    time_min: str


@dataclass(frozen=True, slots=True)
class Call:
    """One call about one event. A patch or a delete is done on the version of `etag` only (R12)."""

    kind: Literal["get", "insert", "patch", "delete"]
    event_id: str = ""  # An insert has it in its body.
    body: dict[str, Any] | None = None
    etag: str = ""
    send_updates: str = "none"


# What concerns every call of an account, whichever it happened to.
_FOR_ALL_CALLS = (errors.AccessRevoked, errors.AccessInsufficient, errors.CalendarGone)


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
        patience: float = 0.0,
    ) -> None:
        """
        `timeout` is in seconds, for one answer; `patience` too, for all the waiting between repeated calls.

        A session has no patience: it is postponed instead, so that no worker waits for Google (R20).

        :raises UnableToDecrypt: if the tokens cannot be read.
        """
        self.requests_made = 0  # HTTP requests; a batch is one.
        self._account = account
        self._calendar_id = calendar_id
        self._sleep = sleep
        self._patience = patience
        self._timeout = timeout
        self._credentials = oauth.credentials_for(account)
        self._token = self._credentials.token
        self._http = _authorized(self._credentials, timeout=timeout)

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
        request = self._make(
            "events.list",
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
            raise errors.CalendarGone(CALENDAR_GONE) from error
        except errors.RequestInvalid as error:
            if sync_token or page_token:  # "invalid": a malformed token is an old one as well (R20).
                raise errors.SyncTokenRefused(str(error)) from error
            raise
        except errors.EventRefused as error:
            raise errors.AccessInsufficient(f"Google does not let us list this calendar: {error}") from error

    def send(self, calls: Sequence[Call]) -> list[dict[str, Any] | errors.GoogleError]:
        """
        Send calls, several of them as batches, and return what became of each, in their order (R12, R19).

        A dictionary is Google's answer; `{}` that of a delete, also of one that found nothing to delete. What concerns
        one call alone is returned: `EventGone`, `EventChangedMeanwhile`, `EventIdTaken`, `EventRefused`, and
        `GoogleUnavailable`, after which nobody knows whether the call was carried out.

        The calls of a batch are carried out in any order: none may rely on another.

        :raises AccessRevoked, AccessInsufficient, CalendarGone: whatever became of the other calls.
        :raises GoogleUnavailable: if Google answered nothing at all. Calls may have been carried out all the same.
        """
        if len(calls) == 1:
            return [self._alone(calls[0])]
        found: list[dict[str, Any] | errors.GoogleError] = []
        for begin in range(0, len(calls), BATCH_SIZE):
            some = calls[begin : begin + BATCH_SIZE]
            try:
                found += self._together(some)
            except errors.GoogleUnavailable as error:
                if not found:
                    raise
                found += [error] * len(some)  # The answers to the batches before must not be lost.
        return found

    def get_event(self, *, event_id: str) -> dict[str, Any]:
        """:raises EventGone: if Google does not know the event."""
        return self._execute(self._request(Call("get", event_id)))

    def insert_event(self, *, body: dict[str, Any], send_updates: str) -> dict[str, Any]:
        """:raises EventIdTaken: if the id was used before, for whatever event."""
        return self._execute(self._request(Call("insert", body=body, send_updates=send_updates)))

    def patch_event(self, *, event_id: str, body: dict[str, Any], etag: str, send_updates: str) -> dict[str, Any]:
        """:raises EventChangedMeanwhile: if the event is not the version of this etag any more."""
        return self._execute(self._request(Call("patch", event_id, body=body, etag=etag, send_updates=send_updates)))

    def delete_event(self, *, event_id: str, etag: str, send_updates: str) -> None:
        """
        Delete an event; one that is gone already is what we wanted.

        :raises EventChangedMeanwhile: if the event is not the version of this etag any more.
        """
        try:
            self._execute(self._request(Call("delete", event_id, etag=etag, send_updates=send_updates)))
        except errors.EventGone:
            pass  # Somebody was faster.

    def find_occurrence(self, *, series_event_id: str, original_start: datetime) -> dict[str, Any]:
        """
        Return the occurrence of a series that has this original start, by whatever id Google knows it.

        `original_start` is aware; of an all-day series midnight UTC of the day.

        :raises EventGone: if the series has none there.
        """
        request = self._make(
            "events.instances",
            calendarId=self._calendar_id,
            eventId=series_event_id,
            showDeleted=True,
            # One that was moved lies elsewhere, but then Google has shown it by itself.
            timeMin=(original_start - timedelta(days=1)).isoformat(),
            timeMax=(original_start + timedelta(days=2)).isoformat(),
        )
        for event in self._execute(request).get("items", []):
            if facts_of(event).original_start == original_start:
                return event
        raise errors.EventGone(_("Google does not know this occurrence."))

    def list_calendars(self) -> list[dict[str, Any]]:
        """Return the calendars that the account may write to, the main one first; needs a scope of its own."""
        request = self._make("calendarList.list", minAccessRole="writer", maxResults=250)
        calendars = self._execute(request).get("items", [])
        return sorted(calendars, key=lambda entry: (not entry.get("primary"), entry.get("summary", "")))

    def _request(self, call: Call) -> Any:
        common = {"calendarId": self._calendar_id}
        if call.kind == "get":
            return self._make("events.get", eventId=call.event_id, **common)
        common["sendUpdates"] = call.send_updates
        if call.kind == "insert":
            # Only with its version is a conference copied.
            version = {"conferenceDataVersion": 1} if call.body and "conferenceData" in call.body else {}
            return self._make("events.insert", body=call.body, **common, **version)
        if call.kind == "patch":
            request = self._make("events.patch", eventId=call.event_id, body=call.body, **common)
        else:
            request = self._make("events.delete", eventId=call.event_id, **common)
        request.headers["If-Match"] = call.etag
        return request

    def _make(self, method: str, **arguments: Any) -> Any:
        """Return a request as the client library makes it, for this gateway's connection."""
        request = _method(_root(), method)(**arguments)
        request.http = self._http
        return request

    def _alone(self, call: Call) -> dict[str, Any] | errors.GoogleError:
        try:
            return _outcome(call, answer=self._send(self._request(call)))
        except errors.NoAnswer:
            raise
        except errors.GoogleError as error:
            return _outcome(call, error=error)

    def _together(self, calls: Sequence[Call]) -> list[dict[str, Any] | errors.GoogleError]:
        """Send one batch. :raises GoogleUnavailable: if there is no answer to any of its calls."""
        from sync.google.batch import Batch

        self.requests_made += 1
        found: dict[int, dict[str, Any] | errors.GoogleError] = {}

        def note(name: str, answer: Any, error: Any) -> None:
            call = calls[int(name)]
            found[int(name)] = _outcome(call, answer=answer, error=_http_failure(error) if error else None)

        batch = Batch(uri=f"{_root()}batch/calendar/v3", renew=self._renew)
        for number, call in enumerate(calls):
            batch.add(self._request(call), callback=note, request_id=str(number))
        with self._failures():
            if not self._credentials.valid:
                self._renew()
            batch.execute(http=self._http)
        return [found[number] for number in range(len(calls))]

    def _renew(self) -> None:
        from google_auth_httplib2 import Request

        self._credentials.refresh(Request(httplib2.Http(timeout=self._timeout)))

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
        self.requests_made += 1
        with self._failures():
            return _readable(request.execute())

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Turn what the client library raises into our own failures, and keep a token that it has renewed."""
        from google.auth.exceptions import RefreshError
        from googleapiclient.errors import HttpError

        from sync.google.batch import NO_ANSWER

        try:
            yield
        except HttpError as error:
            raise _http_failure(error) from error
        except RefreshError as error:
            raise _refresh_failure(error) from error
        except http.client.IncompleteRead as error:
            raise errors.AnswerUnreadable(_("Google's answer was cut off.")) from error
        except NO_ANSWER as error:
            raise errors.NoAnswer(_("Google did not answer in time.")) from error
        except ValueError as error:  # A body that was cut off is no JSON.
            raise errors.AnswerUnreadable(_("Google's answer was cut off.")) from error
        finally:
            self._keep_refreshed_token()

    def _keep_refreshed_token(self) -> None:
        if self._credentials.token != self._token:
            self._token = self._credentials.token
            oauth.save_refreshed(self._account, self._credentials)


def _readable(answer: Any) -> Any:
    """:raises AnswerUnreadable: if it is none: the client hands a body that it cannot read through as text."""
    if not isinstance(answer, dict) and answer != "":
        raise errors.AnswerUnreadable(_("Google's answer was cut off."))
    return answer


def _outcome(
    call: Call, *, answer: Any = None, error: errors.GoogleError | None = None
) -> dict[str, Any] | errors.GoogleError:
    """
    Return what became of one call.

    :raises AccessRevoked, AccessInsufficient, CalendarGone: if it concerns all others as well.
    """
    if error is None:
        try:
            return _readable(answer) or {}
        except errors.AnswerUnreadable as unreadable:
            return unreadable
    if isinstance(error, _FOR_ALL_CALLS):
        raise error
    if isinstance(error, errors.SyncTokenRefused):  # 410 is about the event here, whatever the reason says.
        error = errors.EventGone(str(error))
    if isinstance(error, errors.EventGone):
        if call.kind == "insert":
            raise errors.CalendarGone(CALENDAR_GONE)
        if call.kind == "delete":
            return {}  # Somebody was faster; it is what we wanted.
    return error


def _http_failure(error: Any) -> errors.GoogleError:
    return errors.error_for(
        status=int(error.resp.status), content=error.content, retry_after=error.resp.get("retry-after")
    )


def _refresh_failure(error: Any) -> errors.GoogleError:
    """Only `invalid_grant` means that the user's grant is gone; a wrong client secret is ours to mend (R20)."""
    if error.retryable:
        return errors.GoogleUnavailable(_("Google's sign-in service does not answer."))
    if "invalid_grant" in str(error):
        return errors.AccessRevoked(_("Google does not accept our access any more. Connect your Google account again."))
    if "invalid_client" in str(error) or "unauthorized_client" in str(error):
        return errors.AccessRefused(
            _(
                "Google does not know this application, or its secret is wrong. "
                "An administrator has to check the client id and the client secret; nothing is lost."
            )
        )
    return errors.AccessRefused(
        _("Google did not renew our access. If the next sessions say the same, connect your Google account again.")
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


def _authorized(credentials: Any, *, timeout: float) -> Any:
    """Return a connection of one's own: nothing in it may be shared between threads."""
    from google_auth_httplib2 import AuthorizedHttp

    return AuthorizedHttp(credentials, http=httplib2.Http(timeout=timeout))


@functools.cache
def _method(root: str, path: str) -> Callable[..., Any]:
    """
    Return a method of Google's, as in "events.list"; its requests have no connection yet.

    The library builds it from the discovery document, which takes longer than the requests of a quiet session.
    """
    resource, method = path.split(".")
    return getattr(_resource(root, resource), method)


@functools.cache
def _resource(root: str, name: str) -> Any:
    from googleapiclient.discovery import build_from_document

    return getattr(build_from_document(_document(root), http=httplib2.Http()), name)()


def _root() -> str:
    return str(settings.GOOGLE_CALENDAR_API_ROOT).rstrip("/") + "/"
