"""Every call that writes or reads single events. In memory, under one lock; no HTTP."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from google_emulator import bodies, errors, events, recurrence, times
from google_emulator.accounts import Calendar, Directory
from google_emulator.behavior import Behavior
from google_emulator.clock import Clock
from google_emulator.copies import Copy, Table
from google_emulator.events import Body
from google_emulator.guests import GuestWrites
from google_emulator.mail import Mailbox
from google_emulator.meetings import Meetings
from google_emulator.writes import Change, Write


class CalendarStore:
    """Every calendar's events, and what people do with them."""

    def __init__(self, *, directory: Directory, clock: Clock, behavior: Behavior, mailbox: Mailbox) -> None:
        self.directory = directory
        self.behavior = behavior
        self._meetings = Meetings(directory=directory, clock=clock, behavior=behavior, mailbox=mailbox)
        self._clock = clock
        self._guests = GuestWrites(meetings=self._meetings, behavior=behavior)
        self.lock = self._meetings.lock
        # Called with the calendars that have changed, outside the lock.
        self.listeners: list[Callable[[list[str]], None]] = []
        # Names this life of the store, so that sync tokens of an earlier one are refused.
        self.epoch = secrets.token_hex(4)

    # Reading

    def table(self, calendar_id: str) -> Table:
        return self._meetings.table(calendar_id)

    def get(self, *, calendar_id: str, event_id: str) -> Copy:
        """
        Return an event, a deleted one too.

        :raises ApiError: 404 if this calendar never had it, or it was deleted long ago.
        """
        with self.lock:
            copy = self.table(calendar_id).find(event_id)
            if copy is None or self.is_forgotten(copy):
                raise errors.ApiError("notFound")
            return copy

    def is_forgotten(self, copy: Copy) -> bool:
        """Return whether so much time has passed since a deletion that nothing is left of the event."""
        days = self.behavior.tombstone_days
        return bool(days) and copy.cancelled and not copy.master_id and self.days_since(copy.version / 1e6) > days

    @property
    def now(self) -> int:
        """The emulator's time in seconds since 1970."""
        return int(self._clock.now().timestamp())

    def days_since(self, seconds: float) -> float:
        """Return how many days ago a moment was, given in seconds since 1970."""
        return (self._clock.now().timestamp() - seconds) / 86400

    # Writing

    def insert(self, *, calendar: Calendar, raw: Mapping[str, Any], write: Write) -> Copy:
        """:raises ApiError: for what Google refuses."""
        with self._change() as change:
            table = self.table(calendar.id)
            event_id = raw.get("id") or self._new_id()
            if raw.get("id"):
                events.check_client_id(event_id)
            kind = events.check_type(raw, primary=calendar.primary)
            if event_id in table.rows:
                raise errors.ApiError("duplicate")
            body = self._checked(raw, calendar)
            bodies.take_extras(body, raw=raw, old={}, write=write, event_id=event_id)
            body |= self._identity(raw, calendar=calendar, event_id=event_id, kind=kind, write=write)
            meeting, sent = secrets.token_hex(8), raw.get("attendees") or []
            self._settle_attendees(body, old=[], sent=sent, me=calendar.id, meeting=meeting, write=write)
            copy = self._meetings.add(calendar.id, event_id=event_id, body=body, meeting=meeting, change=change)
            if not body.get("privateCopy"):
                self._meetings.share(copy, set(bodies.SHARED), change)
                self._meetings.send("invitation", copy, self._meetings.guests_of(copy), write)
            return copy

    def change_event(
        self, *, calendar: Calendar, event_id: str, sent: Mapping[str, Any], write: Write, replace: bool
    ) -> Copy:
        """
        Change an event as PATCH (`replace` false) or PUT (`replace` true) would.

        :raises ApiError: for what Google refuses.
        """
        with self._change() as change:
            copy = self.get(calendar_id=calendar.id, event_id=event_id)
            _check_match(copy, write)
            body = self._new_body(copy, sent=sent, calendar=calendar, write=write, replace=replace)
            if body["status"] == "cancelled" and not copy.cancelled:
                self._meetings.remove(copy, write=write, change=change)
                return self.table(calendar.id).rows[copy.id]
            if copy.cancelled and body["status"] != "cancelled":
                self._guests.check_revival(copy)
                if not copy.organized_here:
                    self._guests.invite_again(copy, change)
                    body = self._new_body(copy, sent=sent, calendar=calendar, write=write, replace=replace)
            if copy.organized_here:
                return self._change_as_organizer(copy, body, sent=sent, write=write, change=change)
            return self._guests.change_as_guest(copy, body, sent=sent, write=write, replace=replace, change=change)

    def delete(self, *, calendar: Calendar, event_id: str, write: Write) -> None:
        """:raises ApiError: 410 if it is deleted already, 404 if it never was here."""
        with self._change() as change:
            copy = self.get(calendar_id=calendar.id, event_id=event_id)
            if copy.cancelled:
                raise errors.ApiError("deleted")
            _check_match(copy, write)
            self._meetings.remove(copy, write=write, change=change)

    def import_event(self, *, calendar: Calendar, raw: Mapping[str, Any], write: Write) -> Copy:
        """
        Add a private copy of an event that lives elsewhere.

        :raises ApiError: 400 without iCalUID; 409 for one that is here, where the switch says so.
        """
        if not raw.get("iCalUID"):
            raise errors.required("Missing iCalUID.")
        if (raw.get("eventType") or "default") != "default":
            raise errors.invalid("Invalid event type.", location="eventType")
        with self._change() as change:
            table = self.table(calendar.id)
            known = next((row for row in table.ordered if row.body["iCalUID"] == raw["iCalUID"]), None)
            if known is not None and self.behavior.repeated_import == "duplicate":
                raise errors.ApiError("duplicate")
            body = self._checked(raw, calendar)
            if known is not None:
                self._guests.check_import(known, raw)
                change.set_body(
                    known, {name: known.body[name] for name in events.IDENTITY if name in known.body} | body
                )
                return known
            event_id = "_" + self._new_id()
            body |= self._identity(raw, calendar=calendar, event_id=event_id, kind="default", write=write)
            body["iCalUID"] = str(raw["iCalUID"])
            if (raw.get("organizer") or {}).get("email"):
                kept = {"email", "displayName"}
                body["organizer"] = {name: text for name, text in raw["organizer"].items() if name in kept}
            return self._meetings.add(
                calendar.id, event_id=event_id, body=body, meeting=secrets.token_hex(8), change=change
            )

    def move(self, *, calendar: Calendar, event_id: str, destination: Calendar, write: Write) -> Copy:
        """
        Move an event to another calendar, which then is its organizer.

        :raises ApiError: 400 for what cannot be moved, 403 for a foreign event.
        """
        with self._change() as change:
            copy = self.get(calendar_id=calendar.id, event_id=event_id)
            _check_match(copy, write)
            if copy.master_id or copy.body["eventType"] != "default":
                raise errors.ApiError("badRequest", "This event cannot be moved.")
            if not copy.organized_here:
                raise errors.ApiError("forbiddenForNonOrganizer")
            there = self.table(destination.id).rows.get(copy.id)
            if copy.cancelled or (there is not None and not (there.cancelled and there.meeting == copy.meeting)):
                raise errors.ApiError("deleted" if copy.cancelled else "duplicate")
            return self._meetings.move(copy, destination=destination, write=write, change=change)

    def clear_calendar(self, *, calendar: Calendar, write: Write) -> None:
        with self._change() as change:
            for copy in list(self.table(calendar.id).ordered):
                if not copy.cancelled:
                    self._meetings.remove(copy, write=write, change=change)

    def split_series(
        self, *, calendar: Calendar, event_id: str, at: times.When, changes: Mapping[str, Any], write: Write
    ) -> Copy:
        """
        Change an occurrence and all that follow, as Google's page does: a trimmed master and a new one.

        With the start unchanged the new id is `<old>_R<start>`; with another start it is unrelated.

        :raises ApiError: 404 for somebody else's series, or if it has no occurrence then.
        """
        with self._change() as change:
            master, rest = self._series_from(at, calendar=calendar, event_id=event_id)
            old = master.body
            suffix = recurrence.instance_suffix(at).rstrip("Z")
            new_id = self._new_id() if "start" in changes else f"{event_id}_R{suffix}"
            body = dict(old) | {"start": rest.body["start"], "end": rest.body["end"]}
            merged = events.merged(body, changes)
            body = {name: old[name] for name in events.IDENTITY if name in old} | self._checked(merged, calendar)
            body["iCalUID"] = f"{new_id}@google.com"
            if "recurrence" not in changes:
                body["recurrence"] = recurrence.divided(old["start"], old["recurrence"], at)[1]
            meeting, said = secrets.token_hex(8), changes.get("attendees") or []
            known = old.get("attendees", [])
            self._settle_attendees(body, old=known, sent=said, me=calendar.id, meeting=meeting, write=write)
            self._trim(master, at, write=write, change=change)
            new = self._meetings.add(calendar.id, event_id=new_id, body=body, meeting=meeting, change=change)
            self._meetings.share(new, set(bodies.SHARED), change)
            self._meetings.send("invitation", new, self._meetings.guests_of(new), write)
            return new

    def end_series(self, *, calendar: Calendar, event_id: str, at: times.When, write: Write) -> None:
        """
        Delete an occurrence and all that follow.

        :raises ApiError: 404 for somebody else's series, or if it has no occurrence then.
        """
        with self._change() as change:
            master, _ = self._series_from(at, calendar=calendar, event_id=event_id)
            self._trim(master, at, write=write, change=change)

    def _series_from(self, at: times.When, *, calendar: Calendar, event_id: str) -> tuple[Copy, Copy]:
        """Return a series that is organized here, and its occurrence at this original start as the rule has it."""
        master = self.get(calendar_id=calendar.id, event_id=event_id)
        found = self.table(calendar.id).computed(f"{event_id}_{recurrence.instance_suffix(at)}")
        if found is None or not master.organized_here:
            raise errors.ApiError("notFound")
        return master, found

    def _trim(self, master: Copy, at: times.When, *, write: Write, change: Change) -> None:
        lines, _ = recurrence.divided(master.body["start"], master.body["recurrence"], at)
        body = master.body | {"recurrence": lines}
        self._meetings.write_shared(master, body, write=write, change=change, bump=False)

    def touch(self, *, calendar_id: str, event_id: str) -> None:
        """Give an event a new version without a change of content, as Google sometimes does."""
        with self._change() as change:
            change.touch(self.get(calendar_id=calendar_id, event_id=event_id))

    def lock_copy(self, *, calendar_id: str, event_id: str) -> None:
        """Mark a copy as one whose main fields cannot be changed."""
        with self._change() as change:
            copy = self.get(calendar_id=calendar_id, event_id=event_id)
            change.set_body(copy, copy.body | {"locked": True})

    def add_gmail_event(self, *, calendar: Calendar, raw: Mapping[str, Any]) -> Copy:
        """Add an event that Google made from a mail; clients cannot."""
        with self._change() as change:
            event_id = "_" + self._new_id()
            write = Write(by=calendar.owner)
            body = self._checked(raw, calendar)
            body |= self._identity(raw, calendar=calendar, event_id=event_id, kind="fromGmail", write=write)
            return self._meetings.add(
                calendar.id, event_id=event_id, body=body, meeting=secrets.token_hex(8), change=change
            )

    # The life of the store

    @contextmanager
    def _change(self) -> Iterator[Change]:
        with self._meetings.change() as change:
            yield change
        if changed := change.calendar_ids:
            for listener in list(self.listeners):
                listener(changed)

    def expire_sync_tokens(self, calendar_id: str | None = None) -> None:
        """Have all sync tokens given out so far refused with 410, of one calendar or of all."""
        with self.lock:
            wanted = [calendar_id] if calendar_id else list(self.directory.calendars)
            for each in wanted:
                self.table(each).generation += 1

    def clear(self) -> None:
        with self.lock:
            self._meetings.clear()
            self.epoch = secrets.token_hex(4)

    @property
    def is_empty(self) -> bool:
        return self._meetings.is_empty

    def dump(self) -> dict[str, Any]:
        return {"epoch": self.epoch} | self._meetings.dump()

    def load(self, state: dict[str, Any]) -> None:
        self.epoch = state["epoch"]
        self._meetings.load(state)

    # An organizer's write

    def _change_as_organizer(
        self, copy: Copy, body: Body, *, sent: Mapping[str, Any], write: Write, change: Change
    ) -> Copy:
        self._settle_attendees(
            body,
            old=copy.body.get("attendees", []),
            sent=sent.get("attendees") or [],
            me=copy.calendar_id,
            meeting=copy.meeting,
            write=write,
        )
        return self._meetings.write_shared(copy, body, write=write, change=change)

    def _settle_attendees(
        self, body: Body, *, old: list[Body], sent: list[Mapping[str, Any]], me: str, meeting: str, write: Write
    ) -> None:
        """Decide what an organizer may say about other people's answers."""
        said = {str(entry.get("email", "")).lower(): entry for entry in sent if isinstance(entry, Mapping)}
        settled = []
        for entry in body.get("attendees", []):
            email = entry["email"].lower()
            before, words = events.attendee(old, email), said.get(email)
            if self.directory.is_room(email):
                answer = self._meetings.room_answer(email, body, meeting=meeting)
                settled.append(entry | {"resource": True, "responseStatus": answer})
                continue
            settled.append(self._settled(entry, before=before, words=words, me=me, write=write))
        if settled:
            body["attendees"] = settled

    def _settled(
        self, entry: Body, *, before: Body | None, words: Mapping[str, Any] | None, me: str, write: Write
    ) -> Body:
        email = entry["email"].lower()
        if words is None or (email == me and "responseStatus" in words):
            return entry
        if write.from_page and before is not None:
            return before | {name: entry[name] for name in ("displayName", "optional") if name in entry}
        if email == me or entry["responseStatus"] == "needsAction" or self.directory.find(email) is None:
            return entry
        # Nobody answers for a person who has a calendar of their own.
        return entry | {"responseStatus": before["responseStatus"] if before else "needsAction"}

    # Bodies

    def _new_body(
        self, copy: Copy, *, sent: Mapping[str, Any], calendar: Calendar, write: Write, replace: bool
    ) -> Body:
        """Return what a row would hold after a write, checked; nothing is stored yet."""
        if replace:
            raw = {name: value for name, value in sent.items() if value is not None}
            raw.setdefault("status", "confirmed")
        else:
            raw = events.merged(copy.body, sent)
        if sent.get("attendeesOmitted"):
            raw["attendees"] = self._with_own_answer(copy, sent)
        if copy.master_id:
            raw.pop("recurrence", None)
        raw.pop("conferenceData", None)
        raw.pop("attachments", None)
        body = self._checked(raw, calendar)
        kept = {name: copy.body[name] for name in events.IDENTITY if name in copy.body}
        bodies.take_extras(body, raw=sent, old=copy.body, write=write, event_id=copy.id, replace=replace)
        if "source" in sent and sent["source"] != copy.body.get("source") and write.by != copy.body["creator"]["email"]:
            raise errors.ApiError("forbiddenForNonCreator")
        body |= kept
        body["sequence"] = bodies.checked_sequence(sent.get("sequence"), copy.body["sequence"])
        return body

    def _with_own_answer(self, copy: Copy, sent: Mapping[str, Any]) -> list[Body]:
        known = copy.body.get("attendees", [])
        mine = events.attendee(events.checked_attendees(sent.get("attendees") or []), copy.calendar_id)
        return [bodies.answered(entry, mine) if bodies.is_of(entry, copy.calendar_id) else entry for entry in known]

    def _checked(self, raw: Mapping[str, Any], calendar: Calendar) -> Body:
        return events.checked(raw, calendar_zone=calendar.time_zone, trim=self.behavior.texts == "trimmed")

    def _identity(self, raw: Mapping[str, Any], *, calendar: Calendar, event_id: str, kind: str, write: Write) -> Body:
        identity: Body = {
            "iCalUID": str(raw.get("iCalUID") or f"{event_id}@google.com"),
            "organizer": bodies.organizer(calendar),
            "creator": {"email": write.by},
            "eventType": kind,
            "sequence": bodies.checked_sequence(raw.get("sequence"), 0),
        }
        return identity | ({"privateCopy": True} if raw.get("privateCopy") else {})

    def _new_id(self) -> str:
        return base64.b32hexencode(secrets.token_bytes(16)).decode().lower().rstrip("=")


def _check_match(copy: Copy, write: Write) -> None:
    if write.if_match is not None and write.if_match.strip() not in ("*", copy.etag):
        raise errors.precondition_failed()
