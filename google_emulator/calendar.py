"""Events, their copies on other people's calendars, and every write to them. In memory, under one lock; no HTTP."""

from __future__ import annotations

import base64
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from google_emulator import errors, events, recurrence, times
from google_emulator.accounts import Calendar, Directory
from google_emulator.behavior import Behavior
from google_emulator.clock import Clock
from google_emulator.copies import Copy, Table
from google_emulator.events import Body
from google_emulator.mail import Mail, Mailbox

_SHARED = (*events.MAIN_FIELDS, "attendees", *events.GUEST_RIGHTS, "sequence", "status")


@dataclass(frozen=True, slots=True)
class Write:
    """Who writes, and how."""

    # Address of the person.
    by: str
    # "all", "externalOnly" or "none".
    send_updates: str = "none"
    if_match: str | None = None
    # Whether conference data and attachments of the body count.
    conference: bool = False
    attachments: bool = False
    # Made on Google's own page, which keeps what people know about each other's answers.
    from_page: bool = False


class Change:
    """One act: all its rows in one calendar carry the same version."""

    def __init__(self, *, next_version: Callable[[], int], tables: dict[str, Table]) -> None:
        self._next_version = next_version
        self._tables = tables
        self._versions: dict[str, int] = {}

    @property
    def calendar_ids(self) -> list[str]:
        return list(self._versions)

    def touch(self, copy: Copy, *, content: bool = True) -> None:
        """Give a row a new version. `content` is false for what concerns only its reader, such as reminders."""
        if copy.calendar_id not in self._versions:
            self._versions[copy.calendar_id] = self._next_version()
        copy.version = self._versions[copy.calendar_id]
        if content:
            copy.updated = copy.version
        copy.rendered = None
        self._tables[copy.calendar_id].mark_changed(copy)

    def set_body(self, copy: Copy, body: Body) -> None:
        """Replace a row's content, if it differs."""
        different = events.changed_fields(copy.body, body)
        if not different:
            return
        old_span = copy.span if different & {"start", "end", "recurrence"} else None
        copy.body, copy.cached_span = body, None
        self.touch(copy, content=bool(different - {"reminders"}))
        if old_span is not None:
            copy.past_spans = [*copy.past_spans[-19:], (copy.change, *old_span)]


class CalendarStore:
    """Every calendar's events, and what people do with them."""

    def __init__(self, *, directory: Directory, clock: Clock, behavior: Behavior, mailbox: Mailbox) -> None:
        self.lock = threading.RLock()
        self.directory = directory
        self.behavior = behavior
        self.listeners: list[Callable[[list[str]], None]] = []
        self._clock = clock
        self._mailbox = mailbox
        self._tables: dict[str, Table] = {}
        self._meetings: dict[str, set[str]] = {}
        self._last_version = 0
        # Names this life of the store, so that sync tokens of an earlier one are refused.
        self.epoch = secrets.token_hex(4)

    # Reading

    def table(self, calendar_id: str) -> Table:
        if calendar_id not in self._tables:
            zone = self.directory.calendars[calendar_id].time_zone
            self._tables[calendar_id] = Table(calendar_id=calendar_id, calendar_zone=zone)
        return self._tables[calendar_id]

    def get(self, *, calendar_id: str, event_id: str) -> Copy:
        """
        Return an event, a deleted one too.

        :raises ApiError: 404 if this calendar never had it.
        """
        with self.lock:
            copy = self.table(calendar_id).find(event_id)
            if copy is None:
                raise errors.ApiError("notFound")
            return copy

    # Writing

    def insert(self, *, calendar: Calendar, raw: Mapping[str, Any], write: Write) -> Copy:
        """:raises ApiError: for what Google refuses."""
        with self.change() as change:
            table = self.table(calendar.id)
            event_id = raw.get("id") or self._new_id()
            if raw.get("id"):
                events.check_client_id(event_id)
            kind = events.check_type(raw, primary=calendar.primary)
            if event_id in table.rows:
                raise errors.ApiError("duplicate")
            body = self._checked(raw, calendar)
            self._take_extras(body, raw=raw, old={}, write=write, event_id=event_id)
            body |= self._identity(raw, calendar=calendar, event_id=event_id, kind=kind, write=write)
            self._settle_attendees(body, old=[], sent=raw.get("attendees") or [], me=calendar.id, write=write)
            copy = self._add(calendar.id, event_id=event_id, body=body, meeting=secrets.token_hex(8), change=change)
            if not body.get("privateCopy"):
                self._share(copy, set(_SHARED), change)
                self._send("invitation", copy, self._guests(copy), write)
            return copy

    def change_event(
        self, *, calendar: Calendar, event_id: str, sent: Mapping[str, Any], write: Write, replace: bool
    ) -> Copy:
        """
        Change an event as PATCH (`replace` false) or PUT (`replace` true) would.

        :raises ApiError: for what Google refuses.
        """
        with self.change() as change:
            copy = self.get(calendar_id=calendar.id, event_id=event_id)
            _check_match(copy, write)
            body = self._new_body(copy, sent=sent, calendar=calendar, write=write, replace=replace)
            if body["status"] == "cancelled" and not copy.cancelled:
                self._delete(copy, write=write, change=change)
                return copy
            if copy.cancelled and body["status"] != "cancelled":
                self._check_revival(copy)
                if not copy.organized_here:
                    self._invite_again(copy, change)
                    body = self._new_body(copy, sent=sent, calendar=calendar, write=write, replace=replace)
            if copy.organized_here:
                return self._change_as_organizer(copy, body, sent=sent, write=write, change=change)
            return self._change_as_guest(copy, body, sent=sent, write=write, replace=replace, change=change)

    def delete(self, *, calendar: Calendar, event_id: str, write: Write) -> None:
        """:raises ApiError: 410 if it is deleted already, 404 if it never was here."""
        with self.change() as change:
            copy = self.get(calendar_id=calendar.id, event_id=event_id)
            if copy.cancelled:
                raise errors.ApiError("deleted")
            _check_match(copy, write)
            self._delete(copy, write=write, change=change)

    def import_event(self, *, calendar: Calendar, raw: Mapping[str, Any], write: Write) -> Copy:
        """
        Add a private copy of an event that lives elsewhere.

        :raises ApiError: 400 without iCalUID; 409 for one that is here, where the switch says so.
        """
        if not raw.get("iCalUID"):
            raise errors.required("Missing iCalUID.")
        if (raw.get("eventType") or "default") != "default":
            raise errors.invalid("Invalid event type.", location="eventType")
        with self.change() as change:
            table = self.table(calendar.id)
            known = next((row for row in table.ordered if row.body["iCalUID"] == raw["iCalUID"]), None)
            if known is not None and self.behavior.repeated_import == "duplicate":
                raise errors.ApiError("duplicate")
            body = self._checked(raw, calendar)
            if known is not None:
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
            return self._add(calendar.id, event_id=event_id, body=body, meeting=secrets.token_hex(8), change=change)

    def move(self, *, calendar: Calendar, event_id: str, destination: Calendar, write: Write) -> Copy:
        """
        Move an event to another calendar, which then is its organizer.

        :raises ApiError: 400 for what cannot be moved, 403 for a foreign event.
        """
        with self.change() as change:
            copy = self.get(calendar_id=calendar.id, event_id=event_id)
            _check_match(copy, write)
            if copy.master_id or copy.body["eventType"] != "default":
                raise errors.ApiError("badRequest", "This event cannot be moved.")
            if not copy.organized_here:
                raise errors.ApiError("forbiddenForNonOrganizer")
            if copy.id in self.table(destination.id).rows:
                raise errors.ApiError("duplicate")
            body = dict(copy.body) | {"organizer": _organizer(destination)}
            change.set_body(copy, copy.body | {"status": "cancelled", "organizer": _organizer(destination)})
            moved = self._add(destination.id, event_id=copy.id, body=body, meeting=copy.meeting, change=change)
            self._meetings[copy.meeting].discard(calendar.id)
            self._share(moved, set(_SHARED), change)
            self._send("update", moved, self._guests(moved), write)
            return moved

    def clear_calendar(self, *, calendar: Calendar, write: Write) -> None:
        with self.change() as change:
            for copy in list(self.table(calendar.id).ordered):
                if not copy.cancelled:
                    self._delete(copy, write=write, change=change)

    def split_series(
        self, *, calendar: Calendar, event_id: str, at: times.When, changes: Mapping[str, Any], write: Write
    ) -> Copy:
        """
        Change an occurrence and all that follow, as Google's page does: a trimmed master and a new one.

        With the start unchanged the new id is `<old>_R<start>`; with another start it is unrelated.
        """
        with self.change() as change:
            master = self.get(calendar_id=calendar.id, event_id=event_id)
            suffix = recurrence.instance_suffix(at).rstrip("Z")
            rest = self.table(calendar.id).find(f"{event_id}_{recurrence.instance_suffix(at)}")
            if rest is None or not master.organized_here:
                raise errors.ApiError("notFound")
            lines = master.body["recurrence"]
            moved = "start" in changes
            new_id = self._new_id() if moved else f"{event_id}_R{suffix}"
            body = dict(master.body) | {"start": rest.body["start"], "end": rest.body["end"]}
            body |= self._checked(events.merged(body, changes), calendar)
            body |= {"iCalUID": f"{new_id}@google.com", "recurrence": _without_past(lines, master, at)}
            trimmed = [_trimmed(line, at) for line in lines]
            self._write_shared(master, master.body | {"recurrence": trimmed}, write=write, change=change, bump=False)
            new = self._add(calendar.id, event_id=new_id, body=body, meeting=secrets.token_hex(8), change=change)
            self._share(new, set(_SHARED), change)
            return new

    def touch(self, *, calendar_id: str, event_id: str) -> None:
        """Give an event a new version without a change of content, as Google sometimes does."""
        with self.change() as change:
            change.touch(self.get(calendar_id=calendar_id, event_id=event_id))

    def lock_copy(self, *, calendar_id: str, event_id: str) -> None:
        """Mark a copy as one whose main fields cannot be changed."""
        with self.change() as change:
            copy = self.get(calendar_id=calendar_id, event_id=event_id)
            change.set_body(copy, copy.body | {"locked": True})

    def add_gmail_event(self, *, calendar: Calendar, raw: Mapping[str, Any]) -> Copy:
        """Add an event that Google made from a mail; clients cannot."""
        with self.change() as change:
            event_id = "_" + self._new_id()
            write = Write(by=calendar.owner)
            body = self._checked(raw, calendar)
            body |= self._identity(raw, calendar=calendar, event_id=event_id, kind="fromGmail", write=write)
            return self._add(calendar.id, event_id=event_id, body=body, meeting=secrets.token_hex(8), change=change)

    # The life of the store

    @contextmanager
    def change(self) -> Iterator[Change]:
        with self.lock:
            change = Change(next_version=self._next_version, tables=self._tables)
            yield change
            changed = change.calendar_ids
        if changed:
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
            self._tables.clear()
            self._meetings.clear()
            self.epoch = secrets.token_hex(4)

    @property
    def is_empty(self) -> bool:
        return not any(table.ordered for table in self._tables.values())

    def dump(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "last_version": self._last_version,
            "tables": {calendar_id: table.dump() for calendar_id, table in self._tables.items()},
        }

    def load(self, state: dict[str, Any]) -> None:
        self.epoch, self._last_version = state["epoch"], state["last_version"]
        self._tables.clear()
        self._meetings.clear()
        for calendar_id, rows in state["tables"].items():
            table = self.table(calendar_id)
            table.load(rows)
            for copy in table.ordered:
                self._meetings.setdefault(copy.meeting, set()).add(calendar_id)

    # An organizer's write

    def _change_as_organizer(
        self, copy: Copy, body: Body, *, sent: Mapping[str, Any], write: Write, change: Change
    ) -> Copy:
        self._settle_attendees(
            body,
            old=copy.body.get("attendees", []),
            sent=sent.get("attendees") or [],
            me=copy.calendar_id,
            write=write,
        )
        return self._write_shared(copy, body, write=write, change=change)

    def _write_shared(self, copy: Copy, body: Body, *, write: Write, change: Change, bump: bool = True) -> Copy:
        """Write the organizer's copy and carry what is common to the guests."""
        old, old_guests = copy.body, self._guests(copy)
        different = events.changed_fields(old, body)
        if not different:
            return copy
        if bump and different & set(events.TIME_FIELDS) and body["sequence"] == old["sequence"]:
            body["sequence"] = old["sequence"] + 1
            different.add("sequence")
        copy = self._stored(copy, change)
        change.set_body(copy, body)
        exceptions = self._after_write_in_series(copy, old=old, different=different, change=change)
        shared = different & set(_SHARED)
        if _shared_properties(old) != _shared_properties(body):
            shared.add("extendedProperties")
        if shared and not body.get("privateCopy"):
            for row in (copy, *exceptions):
                self._share(row, shared, change)
            self._tell_guests(copy, old_guests, write, only_responses=different <= {"attendees"})
        return copy

    def _tell_guests(self, copy: Copy, old_guests: set[str], write: Write, *, only_responses: bool) -> None:
        guests = self._guests(copy)
        self._send("invitation", copy, guests - old_guests, write)
        self._send("cancellation", copy, old_guests - guests, write)
        if not only_responses:
            self._send("update", copy, guests & old_guests, write)

    def _settle_attendees(
        self, body: Body, *, old: list[Body], sent: list[Mapping[str, Any]], me: str, write: Write
    ) -> None:
        """Decide what an organizer may say about other people's answers."""
        said = {str(entry.get("email", "")).lower(): entry for entry in sent if isinstance(entry, Mapping)}
        settled = []
        for entry in body.get("attendees", []):
            email = entry["email"].lower()
            before, words = events.attendee(old, email), said.get(email)
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

    # A guest's write

    def _change_as_guest(
        self, copy: Copy, body: Body, *, sent: Mapping[str, Any], write: Write, replace: bool, change: Change
    ) -> Copy:
        self._check_guest_rights(copy, sent, replace=replace)
        different = events.changed_fields(copy.body, body)
        self._check_guest_properties(copy, body)
        organizers = self._organizers_copy(copy)
        may_modify = bool(organizers and organizers.body.get("guestsCanModify")) and organizers is not None
        main = different & set(events.MAIN_FIELDS)
        if main and not may_modify and (copy.body.get("locked") or self.behavior.guest_edits == "forbidden"):
            raise errors.ApiError("forbiddenForNonOrganizer" if not copy.body.get("locked") else "forbidden")
        attendees = self._attendees_as_guest(copy, organizers, sent=sent, may_modify=may_modify)
        self._write_own_copy(copy, body, attendees=attendees, change=change)
        if organizers is not None and not organizers.cancelled:
            self._carry_to_organizer(
                organizers, body, attendees=attendees, main=main if may_modify else set(), write=write, change=change
            )
        return self.table(copy.calendar_id).rows.get(copy.id, copy)

    def _check_guest_rights(self, copy: Copy, sent: Mapping[str, Any], *, replace: bool) -> None:
        """A guest's PUT that leaves the rights out sets them to their defaults: refused like any change of them."""
        defaults = {"guestsCanInviteOthers": True, "guestsCanModify": False, "guestsCanSeeOtherGuests": True}
        if replace:
            refused = any(sent.get(name) != copy.body.get(name, default) for name, default in defaults.items())
        else:
            refused = any(name in sent for name in events.GUEST_RIGHTS)
        if refused:
            raise errors.ApiError("forbiddenForNonOrganizer")

    def _check_guest_properties(self, copy: Copy, body: Body) -> None:
        private = [each.get("extendedProperties", {}).get("private") for each in (copy.body, body)]
        if private[0] != private[1] and self.behavior.guest_private_properties == "forbidden":
            raise errors.ApiError("forbiddenForNonOrganizer")

    def _attendees_as_guest(
        self, copy: Copy, organizers: Copy | None, *, sent: Mapping[str, Any], may_modify: bool
    ) -> list[Body]:
        """Return the list of guests after a guest wrote: always the own answer, more where the organizer lets them."""
        known = (organizers or copy).body.get("attendees", [])
        if "attendees" not in sent:
            return list(known)
        wanted = events.checked_attendees(sent["attendees"])
        mine = events.attendee(wanted, copy.calendar_id)
        result = [_answered(entry, mine) if _is(entry, copy.calendar_id) else entry for entry in known]
        if sent.get("attendeesOmitted"):
            return result
        if may_modify:
            result = [
                entry for entry in result if _is(entry, copy.calendar_id) or events.attendee(wanted, entry["email"])
            ]
        if may_modify or copy.body.get("guestsCanInviteOthers") is not False:
            added = [entry for entry in wanted if events.attendee(known, entry["email"]) is None]
            result += [_own(entry) if _is(entry, copy.calendar_id) else _unanswered(entry) for entry in added]
        if events.attendee(result, copy.calendar_id) is None:
            result.append({"email": copy.calendar_id, "responseStatus": "accepted"})
        return result

    def _write_own_copy(self, copy: Copy, body: Body, *, attendees: list[Body], change: Change) -> None:
        new = dict(body)
        new.pop("attendees", None)
        if attendees:
            new["attendees"] = attendees
        new["sequence"] = copy.body["sequence"]
        if not events.changed_fields(copy.body, new):
            return
        old = copy.body
        copy = self._stored(copy, change)
        change.set_body(copy, new)
        self._after_write_in_series(copy, old=old, different=events.changed_fields(old, new), change=change)

    def _carry_to_organizer(
        self, organizers: Copy, body: Body, *, attendees: list[Body], main: set[str], write: Write, change: Change
    ) -> None:
        """Bring a guest's answer, shared properties and permitted edits to the organizer and from there to all."""
        new = dict(organizers.body)
        if attendees:
            new["attendees"] = attendees
        for name in main:
            new.pop(name, None)
            if name in body:
                new[name] = body[name]
        if _shared_properties(body) != _shared_properties(new):
            new["extendedProperties"] = _with_shared(new.get("extendedProperties"), _shared_properties(body))
        answered = new.get("attendees") != organizers.body.get("attendees")
        self._write_shared(organizers, new, write=Write(by=write.by, send_updates=write.send_updates), change=change)
        if answered:
            self._send("response", organizers, {organizers.calendar_id}, write)

    # Deleting

    def _delete(self, copy: Copy, *, write: Write, change: Change) -> None:
        guests = self._guests(copy)
        copy = self._stored(copy, change)
        self._cancel(copy, change)
        if copy.organized_here:
            silent = write.send_updates == "none" and self.behavior.silent_delete_keeps_copies
            if not silent:
                self._cancel_elsewhere(copy, change)
            self._send("cancellation", copy, guests, write)
            return
        organizers = self._organizers_copy(copy)
        if organizers is None or organizers.cancelled:
            return
        declined = {"responseStatus": "declined"}
        attendees = [
            entry | declined if _is(entry, copy.calendar_id) else entry
            for entry in organizers.body.get("attendees", [])
        ]
        if attendees and attendees != organizers.body.get("attendees"):
            self._write_shared(organizers, organizers.body | {"attendees": attendees}, write=write, change=change)
            self._send("response", organizers, {organizers.calendar_id}, write)

    def _cancel(self, copy: Copy, change: Change) -> None:
        if copy.cancelled:
            return
        body = copy.body | {"status": "cancelled"}
        if copy.master_id is None:
            body.pop("locked", None)
        change.set_body(copy, body)
        self._touch_master(copy, change)

    def _cancel_elsewhere(self, copy: Copy, change: Change) -> None:
        for calendar_id in self._meetings.get(copy.meeting, set()) - {copy.calendar_id}:
            self._cancel_in(calendar_id, copy, change)
        for exception in self.table(copy.calendar_id).exceptions_of(copy.id):
            self._cancel_strays(exception, change)

    def _cancel_in(self, calendar_id: str, copy: Copy, change: Change) -> None:
        found = self.table(calendar_id).find(copy.id)
        if found is not None and not found.cancelled and found.meeting == copy.meeting:
            self._cancel(self._stored(found, change), change)

    def _cancel_strays(self, exception: Copy, change: Change) -> None:
        """Cancel an occurrence for those who were invited to it alone: no series of theirs drops it."""
        for calendar_id in self._meetings.get(exception.meeting, set()) - {exception.calendar_id}:
            if exception.master_id not in self.table(calendar_id).rows:
                self._cancel_in(calendar_id, exception, change)

    def _check_revival(self, copy: Copy) -> None:
        if self.behavior.revival == "forbidden":
            raise errors.ApiError("forbidden")
        if copy.organized_here:
            return
        organizers = self._organizers_copy(copy)
        if organizers is None:
            return
        invited = events.attendee(organizers.body.get("attendees", []), copy.calendar_id)
        if organizers.cancelled or invited is None:
            raise errors.ApiError("forbidden")

    def _invite_again(self, copy: Copy, change: Change) -> None:
        """A guest takes an invitation back from the bin: it is as the organizer has it now, and not answered."""
        organizers = self._organizers_copy(copy)
        if organizers is None:
            return
        unanswered = {"responseStatus": "needsAction"}
        attendees = [
            entry | unanswered if _is(entry, copy.calendar_id) else entry
            for entry in organizers.body.get("attendees", [])
        ]
        self._write_shared(
            organizers, organizers.body | {"attendees": attendees}, write=Write(by=copy.calendar_id), change=change
        )
        self._give(copy.calendar_id, organizers, set(_SHARED), change)

    # Copies on other calendars

    def _share(self, copy: Copy, fields: set[str], change: Change) -> None:
        """Carry what is common from the organizer's copy to the guests' primary calendars."""
        guests = {email for email in self._guests(copy) if self.directory.find(email)}
        for email in sorted(guests):
            self._give(email, copy, fields, change)
        for calendar_id in sorted(self._meetings.get(copy.meeting, set()) - guests - {copy.calendar_id}):
            self._cancel_in(calendar_id, copy, change)

    def _give(self, email: str, copy: Copy, fields: set[str], change: Change) -> None:
        table = self.table(email)
        row = table.rows.get(copy.id)
        entry = events.attendee(copy.body["attendees"], email) or {}
        if row is None:
            body = _shared_part(copy.body) | {"reminders": {"useDefault": True}}
            row = self._add(email, event_id=copy.id, body=body, meeting=copy.meeting, change=change)
            self._touch_master(row, change)
            self._give_exceptions(email, copy, change)
            return
        if row.meeting != copy.meeting:
            return  # An unrelated event has this id there.
        if row.cancelled and entry.get("responseStatus") == "declined":
            return  # Thrown away by its owner; only a new invitation brings it back.
        row.bare = False
        if row.cancelled or fields & {*events.MAIN_FIELDS, *events.GUEST_RIGHTS, "status", "sequence"}:
            body = _shared_part(copy.body) | {name: row.body[name] for name in events.OWN_FIELDS if name in row.body}
        else:
            body = dict(row.body) | {"attendees": copy.body["attendees"]}
        body["extendedProperties"] = _with_shared(row.body.get("extendedProperties"), _shared_properties(copy.body))
        if not body["extendedProperties"]:
            del body["extendedProperties"]
        if "locked" in row.body:
            body["locked"] = True
        old = row.body
        different = events.changed_fields(old, body)
        change.set_body(row, body)
        if different:
            self._after_write_in_series(row, old=old, different=different, change=change)
        if old["status"] == "cancelled":
            self._give_exceptions(email, copy, change)

    def _give_exceptions(self, email: str, master: Copy, change: Change) -> None:
        """Bring what became of single occurrences to somebody who has just got the series."""
        for exception in self.table(master.calendar_id).exceptions_of(master.id):
            if exception.bare:
                continue
            if not exception.cancelled and events.attendee(exception.body.get("attendees", []), email):
                self._give(email, exception, set(_SHARED), change)
            else:
                self._cancel_in(email, exception, change)

    def _organizers_copy(self, copy: Copy) -> Copy | None:
        """Return the organizer's copy if the organizer's calendar is here; of an occurrence, made up if need be."""
        email = copy.body["organizer"]["email"].lower()
        if email not in self.directory.calendars:
            return None
        row = self.table(email).find(copy.id)
        return row if row is not None and row.meeting == copy.meeting else None

    def _guests(self, copy: Copy) -> set[str]:
        """Return the addresses of all guests but the organizer."""
        emails = {entry["email"].lower() for entry in copy.body.get("attendees", [])}
        return emails - {copy.body["organizer"]["email"].lower()}

    # Series

    def _after_write_in_series(self, copy: Copy, *, old: Body, different: set[str], change: Change) -> list[Copy]:
        """
        A changed exception shows its master as changed, a changed master its exceptions.

        Return the exceptions that are still there.
        """
        self._touch_master(copy, change)
        content = different - set(events.OWN_FIELDS)
        if not content:
            return []
        comes_back = old["status"] == "cancelled"
        living = []
        for row in self.table(copy.calendar_id).exceptions_of(copy.id):
            if row.bare:
                continue
            if not self._still_occurs(copy, row):
                row.bare = True
                change.set_body(row, row.body | {"status": "cancelled"})
                change.touch(row)
                if copy.organized_here:
                    self._cancel_strays(row, change)
            elif not row.cancelled:
                change.set_body(row, _inherited(row.body, old=old, new=copy.body, names=content))
                change.touch(row)
                living.append(row)
            elif comes_back:
                change.touch(row)
        return living

    def _still_occurs(self, master: Copy, row: Copy) -> bool:
        if not master.repeats:
            return False
        original = row.body["originalStartTime"]
        if ("date" in original) != ("date" in master.body["start"]):
            return False
        return recurrence.occurs_at(master.body["start"], master.body["recurrence"], original)

    def _touch_master(self, copy: Copy, change: Change) -> None:
        master = self.table(copy.calendar_id).master_of(copy)
        if master is not None and not master.cancelled:
            change.touch(master)

    # Small parts

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
        self._take_extras(body, raw=sent, old=copy.body, write=write, event_id=copy.id, replace=replace)
        if "source" in sent and sent["source"] != copy.body.get("source") and write.by != copy.body["creator"]["email"]:
            raise errors.ApiError("forbiddenForNonCreator")
        body |= kept
        body["sequence"] = _checked_sequence(sent.get("sequence"), copy.body["sequence"])
        return body

    def _with_own_answer(self, copy: Copy, sent: Mapping[str, Any]) -> list[Body]:
        known = copy.body.get("attendees", [])
        mine = events.attendee(events.checked_attendees(sent.get("attendees") or []), copy.calendar_id)
        return [_answered(entry, mine) if _is(entry, copy.calendar_id) else entry for entry in known]

    def _checked(self, raw: Mapping[str, Any], calendar: Calendar) -> Body:
        return events.checked(raw, calendar_zone=calendar.time_zone, trim=self.behavior.texts == "trimmed")

    def _take_extras(
        self, body: Body, *, raw: Mapping[str, Any], old: Body, write: Write, event_id: str, replace: bool = False
    ) -> None:
        """Conference data and attachments count only with their version parameter; else what is there stays."""
        for name in ("conferenceData", "hangoutLink", "attachments"):
            body.pop(name, None)
            if name in old:
                body[name] = old[name]
        if write.attachments and ("attachments" in raw or replace):
            body.pop("attachments", None)
            if raw.get("attachments"):
                body["attachments"] = list(raw["attachments"])[:25]
        if not write.conference or not ("conferenceData" in raw or replace):
            return
        data = raw.get("conferenceData")
        body.pop("conferenceData", None)
        body.pop("hangoutLink", None)
        if not data:
            return
        known = old.get("conferenceData", {}).get("createRequest", {}).get("requestId")
        request = data.get("createRequest")
        if request and request.get("requestId") != known:
            data = events.conference(request, seed=event_id)
        elif request:
            data = old["conferenceData"]
        body["conferenceData"] = dict(data)
        links = [point["uri"] for point in data.get("entryPoints", []) if point.get("entryPointType") == "video"]
        if links:
            body["hangoutLink"] = links[0]

    def _identity(self, raw: Mapping[str, Any], *, calendar: Calendar, event_id: str, kind: str, write: Write) -> Body:
        identity: Body = {
            "iCalUID": str(raw.get("iCalUID") or f"{event_id}@google.com"),
            "organizer": _organizer(calendar),
            "creator": {"email": write.by},
            "eventType": kind,
            "sequence": _checked_sequence(raw.get("sequence"), 0),
        }
        return identity | ({"privateCopy": True} if raw.get("privateCopy") else {})

    def _add(self, calendar_id: str, *, event_id: str, body: Body, meeting: str, change: Change) -> Copy:
        table = self.table(calendar_id)
        copy = Copy(
            calendar_id=calendar_id,
            calendar_zone=table.calendar_zone,
            id=event_id,
            meeting=meeting,
            body=body,
            created=self._clock.micros(),
        )
        table.add(copy)
        self._meetings.setdefault(meeting, set()).add(calendar_id)
        change.touch(copy)
        return copy

    def _stored(self, copy: Copy, change: Change) -> Copy:
        """Return the row itself; an occurrence that had none gets one."""
        row = self.table(copy.calendar_id).rows.get(copy.id)
        if row is copy:
            return copy
        if row is not None:  # It was dropped by an earlier rule and is there again.
            row.bare = False
            change.set_body(row, copy.body)
            return row
        return self._add(copy.calendar_id, event_id=copy.id, body=copy.body, meeting=copy.meeting, change=change)

    def _send(self, kind: str, copy: Copy, to: set[str], write: Write) -> None:
        if write.send_updates == "none":
            return
        for email in sorted(to - {write.by}):
            if write.send_updates == "externalOnly" and self.directory.find(email):
                continue
            self._mailbox.add(
                Mail(
                    to=email,
                    kind=kind,
                    event_id=copy.id,
                    summary=copy.body.get("summary", ""),
                    by=write.by,
                    at=times.in_utc(self._clock.now()),
                )
            )

    def _new_id(self) -> str:
        return base64.b32hexencode(secrets.token_bytes(16)).decode().lower().rstrip("=")

    def _next_version(self) -> int:
        """Return a version later than all before: the time in microseconds where it can be."""
        self._last_version = max(self._last_version + 1, self._clock.micros())
        return self._last_version


def _check_match(copy: Copy, write: Write) -> None:
    if write.if_match is not None and write.if_match.strip() not in ("*", copy.etag):
        raise errors.precondition_failed()


def _checked_sequence(sent: Any, stored: int) -> int:
    if sent is None:
        return stored
    if not isinstance(sent, int) or sent < stored:
        raise errors.invalid(
            "Invalid sequence value. The specified sequence number is below the current sequence number of the "
            "resource. Re-fetch the resource and use its sequence number on the following request."
        )
    return sent


def _organizer(calendar: Calendar) -> Body:
    return {"email": calendar.id} | ({} if calendar.primary else {"displayName": calendar.summary})


def _is(entry: Body, email: str) -> bool:
    return bool(entry["email"].lower() == email.lower())


def _own(entry: Body) -> Body:
    return dict(entry)


def _unanswered(entry: Body) -> Body:
    return entry | {"responseStatus": "needsAction"}


def _answered(entry: Body, answer: Body | None) -> Body:
    """Return an attendee's entry with the own answer, comment and number of companions taken over."""
    if answer is None:
        return entry
    kept = {name: value for name, value in entry.items() if name not in ("comment", "additionalGuests")}
    return kept | {name: answer[name] for name in ("responseStatus", "comment", "additionalGuests") if name in answer}


def _shared_part(body: Body) -> Body:
    """Return what another person's copy gets of the organizer's."""
    names = (*_SHARED, *events.IDENTITY)
    result = {name: body[name] for name in names if name in body and name not in ("locked", "source")}
    shared = _shared_properties(body)
    return result | ({"extendedProperties": {"shared": shared}} if shared else {})


def _shared_properties(body: Body) -> Body:
    return dict(body.get("extendedProperties", {}).get("shared", {}))


def _with_shared(properties: Body | None, shared: Body | None) -> Body:
    result = {name: value for name, value in (properties or {}).items() if name != "shared"}
    return result | ({"shared": shared} if shared else {})


def _inherited(body: Body, *, old: Body, new: Body, names: set[str]) -> Body:
    """Return an exception's content after its master changed: what it had not changed itself follows."""
    result = dict(body)
    for name in names - {*events.TIME_FIELDS, *events.IDENTITY, "status"}:
        if body.get(name) == old.get(name):
            result.pop(name, None)
            if name in new:
                result[name] = new[name]
    return result


def _trimmed(line: str, at: times.When) -> str:
    """Return a rule line that ends before an occurrence."""
    if not line.upper().startswith("RRULE:"):
        return line
    parts = [part for part in line[6:].split(";") if not part.upper().startswith(("UNTIL=", "COUNT="))]
    return "RRULE:" + ";".join([*parts, f"UNTIL={recurrence.until_before(at)}"])


def _without_past(lines: list[str], master: Copy, at: times.When) -> list[str]:
    """Return the lines of the second part of a split series: a count is less by what the first part has had."""
    past = 0
    for when in recurrence.occurrences(master.body["start"], lines):
        if (when.get("date") or when["dateTime"]) >= (at.get("date") or at["dateTime"]):
            break
        past += 1
    result = []
    for line in lines:
        parts = line.split(";")
        counted = [f"COUNT={int(part[6:]) - past}" if part.upper().startswith("COUNT=") else part for part in parts]
        result.append(";".join(counted))
    return result
