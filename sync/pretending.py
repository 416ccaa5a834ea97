"""PretendGoogle: answers a preview's session as Google would, from what was read before; nothing leaves (R21)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from activities import recurrence
from sync import store
from sync.core import mapping
from sync.core.snapshot import Repeating, Snapshot, at_occurrence
from sync.google import errors
from sync.google.gateway import CalendarGateway
from sync.models import EventLink, SyncedCalendar

if TYPE_CHECKING:
    from sync.google.gateway import Call

FOLLOWED = {"summary", "description", "location", "visibility", "transparency", "reminders", "attendees"}


class NotReadYet(BaseException):
    """
    A session would ask Google for these events now: read them outside the transaction, then plan again.

    No `Exception`: it is nobody's failure, and whoever takes an item's failure for a problem must not catch it.
    """

    def __init__(self, *event_ids: str) -> None:
        super().__init__(*event_ids)
        self.event_ids = event_ids


class PretendGoogle(CalendarGateway):
    """
    A calendar as it would be, were everything written that a session writes.

    `read` holds what Google answered when asked for single events: the event, or its refusal. It makes no request.
    """

    def __init__(self, calendar: SyncedCalendar, *, read: Mapping[str, Any], now: datetime) -> None:
        self.requests_made = 0
        self._calendar = calendar
        self._login = calendar.account.login.lower()
        self._read = read
        self._now = now
        self._written: dict[str, dict[str, Any]] = {}
        self._added: set[str] = set()  # Of what was written, what only this pretense has.
        # Whether the insert of a session that was cut off has reached Google, only Google knows (R13).
        self._perhaps_there = set(
            self._links().filter(state=EventLink.State.INSERTING).values_list("event_id", flat=True)
        )

    def list_events(self, **_: Any) -> dict[str, Any]:
        """Return an empty page: the calendar can be read, and what it lists was read before."""
        return {"items": []}

    def find_occurrence(self, *, series_event_id: str, original_start: datetime) -> dict[str, Any]:  # noqa: ARG002
        raise errors.EventGone("A preview does not ask for occurrences under other names.")

    def list_calendars(self) -> list[dict[str, Any]]:
        raise errors.GoogleUnavailable("A preview does not ask for calendars.")

    def send(self, calls: Sequence[Call]) -> list[dict[str, Any] | errors.GoogleError]:
        """
        Return what would become of each call: Google's answer, or its refusal.

        :raises NotReadYet: if only Google can tell, about all of them at once.
        """
        unknown = [call.event_id for call in calls if call.kind == "get" and not self._knows(call.event_id)]
        if unknown:
            raise NotReadYet(*unknown)
        return [self._answer(call) for call in calls]

    def _answer(self, call: Call) -> dict[str, Any] | errors.GoogleError:
        values: dict[str, Any] = {"body": call.body or {}, "send_updates": call.send_updates}
        try:
            match call.kind:
                case "get":
                    return self.get_event(event_id=call.event_id)
                case "insert":
                    return self.insert_event(**values)
                case "patch":
                    return self.patch_event(event_id=call.event_id, etag=call.etag, **values)
                case "delete":
                    self.delete_event(event_id=call.event_id, etag=call.etag, send_updates=call.send_updates)
                    return {}
        except errors.GoogleError as error:
            return error

    def get_event(self, *, event_id: str) -> dict[str, Any]:
        """:raises NotReadYet: if only Google can tell."""
        if event_id in self._written:
            return self._written[event_id]
        if (whole := self._series_of(event_id)) is not None:
            return self._occurrence(whole, event_id)
        if event_id not in self._read:
            raise NotReadYet(event_id)
        answer = self._read[event_id]
        if isinstance(answer, errors.GoogleError):
            raise answer
        return answer

    def insert_event(self, *, body: dict[str, Any], send_updates: str) -> dict[str, Any]:  # noqa: ARG002 - as Google
        event_id = body["id"]
        if event_id in self._perhaps_there:
            try:
                self.get_event(event_id=event_id)
            except errors.EventGone:
                pass
            else:
                raise errors.EventIdTaken("Google has this event already.")
        self._added.add(event_id)
        me = {"email": self._login, "self": True}
        made = {"status": "confirmed", "iCalUID": f"{event_id}@google.com", "creator": me, "organizer": me}
        return self._write(event_id, made | body)

    def patch_event(
        self,
        *,
        event_id: str,
        body: dict[str, Any],
        etag: str,  # noqa: ARG002 - as Google's
        send_updates: str,  # noqa: ARG002
    ) -> dict[str, Any]:
        current = self._current(event_id)
        patch = dict(body)
        if patch.pop("attendeesOmitted", False):
            answers = {entry["email"]: entry for entry in patch.pop("attendees", [])}
            guests = [guest | answers.get(guest.get("email"), {}) for guest in current.get("attendees", [])]
            patch["attendees"] = guests
        self._follow(event_id, current, patch)
        return self._write(event_id, _merged(current, patch))

    def _follow(self, event_id: str, current: Mapping[str, Any], patch: Mapping[str, Any]) -> None:
        """Let the exceptions of a series have what they have not changed themselves, as Google does."""
        for exception_id in self._links().filter(event__recurringEventId=event_id).values_list("event_id", flat=True):
            exception = self._current(exception_id)
            followed = {
                name: patch[name] for name in FOLLOWED & patch.keys() if exception.get(name) == current.get(name)
            }
            if followed and exception.get("status") != "cancelled":
                self._write(exception_id, _merged(exception, followed))

    def delete_event(self, *, event_id: str, etag: str, send_updates: str) -> None:  # noqa: ARG002 - as Google
        self._write(event_id, {**self._current(event_id), "status": "cancelled"})

    def _knows(self, event_id: str) -> bool:
        is_known = event_id in self._written or event_id in self._read
        return is_known or self._series_of(event_id) is not None

    def _series_of(self, event_id: str) -> dict[str, Any] | None:
        """Return the series, as it was pretended to be written, of which an event is an occurrence like any other."""
        series_id = event_id.rpartition("_")[0]
        whole = self._written.get(series_id)
        if whole is None or not whole.get("recurrence"):
            return None
        is_exception = series_id not in self._added and self._links().filter(event_id=event_id).exists()
        return None if is_exception else whole

    def _occurrence(self, whole: Mapping[str, Any], event_id: str) -> dict[str, Any]:
        """
        Return an occurrence of a series as Google shows one that was never changed.

        :raises EventGone: if the series has none there.
        """
        original = _original_start(event_id.rpartition("_")[2])
        when = mapping.when_of(whole, default_zone=self._calendar.time_zone or "UTC")
        if (
            original is None
            or whole["status"] == "cancelled"
            or not isinstance(when, Repeating)
            or not recurrence.happens_at(store.pattern_of(when), original)
        ):
            raise errors.EventGone("This series has no such occurrence.")
        times = mapping.when_body(at_occurrence(Snapshot("", when), original).when, replacing={})
        of_series = {name: value for name, value in whole.items() if name != "recurrence"}
        own = {"id": event_id, "recurringEventId": whole["id"], "originalStartTime": times["start"], **times}
        return self._write(event_id, of_series | own)

    def _current(self, event_id: str) -> dict[str, Any]:
        """Return the version that a write would change: what was pretended or read, else what was listed last."""
        known = self._written.get(event_id) or self._read.get(event_id)
        if isinstance(known, dict):
            return known
        return dict(self._links().values_list("event", flat=True).get(event_id=event_id))

    def _write(self, event_id: str, event: dict[str, Any]) -> dict[str, Any]:
        """Keep and return a version as Google would: with an etag of its own, and one's own entry known as such."""
        guests = [
            guest | ({"self": True} if str(guest.get("email", "")).lower() == self._login else {})
            for guest in event.get("attendees", [])
        ]
        stamps = {"etag": f'"{uuid.uuid4().hex}"', "updated": self._now.isoformat()}
        self._written[event_id] = event | stamps | ({"attendees": guests} if guests else {})
        return self._written[event_id]

    def _links(self) -> Any:
        return EventLink.objects.filter(calendar=self._calendar, google_calendar_id=self._calendar.calendar_id)


def _original_start(suffix: str) -> datetime | None:
    """Return the original start that the id of an occurrence ends with; UTC, of all-day ones midnight."""
    for form in ("%Y%m%dT%H%M%SZ", "%Y%m%d"):
        try:
            return datetime.strptime(suffix, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


def _merged(event: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event after a patch: objects field by field, lists as a whole, None takes a field away."""
    merged = dict(event)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping) and isinstance(merged.get(name), Mapping):
            merged[name] = _merged(merged[name], value)
        else:
            merged[name] = value
    return merged
