"""Rows of all calendars, and what a write to one does to others: a meeting's copies, a series' exceptions. No HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from google_emulator import bodies, events, recurrence, times
from google_emulator.accounts import Calendar, Directory
from google_emulator.behavior import Behavior
from google_emulator.clock import Clock
from google_emulator.copies import Copy, Table
from google_emulator.events import Body
from google_emulator.mail import Mail, Mailbox
from google_emulator.writes import Change, Write


class Meetings:
    """Everybody's rows under one lock, and how a change spreads from one to the others."""

    def __init__(self, *, directory: Directory, clock: Clock, behavior: Behavior, mailbox: Mailbox) -> None:
        self.lock = threading.RLock()
        self._directory = directory
        self._behavior = behavior
        self._clock = clock
        self._mailbox = mailbox
        self._tables: dict[str, Table] = {}
        # Name of a meeting -> the calendars that have a copy of it.
        self._calendars: dict[str, set[str]] = {}
        self._last_version = 0

    def table(self, calendar_id: str) -> Table:
        if calendar_id not in self._tables:
            zone = self._directory.calendars[calendar_id].time_zone
            self._tables[calendar_id] = Table(calendar_id=calendar_id, calendar_zone=zone)
        return self._tables[calendar_id]

    @contextmanager
    def change(self) -> Iterator[Change]:
        with self.lock:
            opaque = self._behavior.etags == "opaque"
            yield Change(next_version=self._next_version, tables=self._tables, opaque_etags=opaque)

    # Rows

    def add(self, calendar_id: str, *, event_id: str, body: Body, meeting: str, change: Change) -> Copy:
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
        self._calendars.setdefault(meeting, set()).add(calendar_id)
        change.touch(copy)
        return copy

    def stored(self, copy: Copy, change: Change) -> Copy:
        """Return the row itself; an occurrence that had none gets one."""
        row = self.table(copy.calendar_id).rows.get(copy.id)
        if row is copy:
            return copy
        if row is not None:  # It was dropped by an earlier rule and is there again.
            row.bare = False
            change.set_body(row, copy.body)
            return row
        return self.add(copy.calendar_id, event_id=copy.id, body=copy.body, meeting=copy.meeting, change=change)

    def _next_version(self) -> int:
        """Return a version later than all before: the time in microseconds where it can be."""
        self._last_version = max(self._last_version + 1, self._clock.micros())
        return self._last_version

    def organizers_copy(self, copy: Copy) -> Copy | None:
        """Return the organizer's copy if the organizer's calendar is here; of an occurrence, made up if need be."""
        if not self.is_organizer_here(copy):
            return None
        row = self.table(copy.body["organizer"]["email"].lower()).find(copy.id)
        return row if row is not None and row.meeting == copy.meeting else None

    def is_organizer_here(self, copy: Copy) -> bool:
        return copy.body["organizer"]["email"].lower() in self._directory.calendars

    def guests_of(self, copy: Copy) -> set[str]:
        """Return the addresses of all guests but the organizer, those of groups as they are."""
        emails = {entry["email"].lower() for entry in copy.body.get("attendees", [])}
        return emails - {copy.body["organizer"]["email"].lower()}

    def invites(self, copy: Copy, email: str) -> bool:
        """Return whether somebody is a guest, in person or as a member of a group."""
        return email in self._directory.with_calendars(self.guests_of(copy))

    # A meeting's copies

    def write_shared(self, copy: Copy, body: Body, *, write: Write, change: Change, bump: bool = True) -> Copy:
        """Write the organizer's copy and carry what is common to the guests."""
        old, old_guests = copy.body, self.guests_of(copy)
        different = events.changed_fields(old, body)
        if not different:
            return copy
        if bump and different & set(events.TIME_FIELDS) and body["sequence"] == old["sequence"]:
            body["sequence"] = old["sequence"] + 1
            different.add("sequence")
        copy = self.stored(copy, change)
        change.set_body(copy, body)
        exceptions = self.after_write_in_series(copy, old=old, different=different, change=change)
        shared = different & set(bodies.SHARED)
        if bodies.shared_properties(old) != bodies.shared_properties(body):
            shared.add("extendedProperties")
        if shared and not body.get("privateCopy"):
            for row in (copy, *exceptions):
                self.share(row, shared, change)
            self._tell_guests(copy, old_guests, write, only_responses=different <= {"attendees"})
        return copy

    def _tell_guests(self, copy: Copy, old_guests: set[str], write: Write, *, only_responses: bool) -> None:
        guests = self.guests_of(copy)
        self.send("invitation", copy, guests - old_guests, write)
        self.send("cancellation", copy, old_guests - guests, write)
        if not only_responses:
            self.send("update", copy, guests & old_guests, write)

    def send(self, kind: str, copy: Copy, to: set[str], write: Write) -> None:
        if write.send_updates == "none":
            return
        for email in sorted(to - {write.by}):
            if write.send_updates == "externalOnly" and self._directory.find(email):
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

    def share(self, copy: Copy, fields: set[str], change: Change) -> None:
        """Carry what is common from the organizer's copy to the guests' primary calendars."""
        guests = self._directory.with_calendars(self.guests_of(copy)) - {copy.calendar_id}
        for email in sorted(guests):
            self.give(email, copy, fields, change)
        for calendar_id in sorted(self._calendars.get(copy.meeting, set()) - guests - {copy.calendar_id}):
            self.cancel_in(calendar_id, copy, change)

    def give(self, email: str, copy: Copy, fields: set[str], change: Change) -> None:
        """Bring the organizer's copy, or these fields of it, to somebody's primary calendar."""
        table = self.table(email)
        row = table.rows.get(copy.id)
        entry = events.attendee(copy.body.get("attendees", []), email) or {}
        if row is None:
            body = bodies.shared_part(copy.body) | {"reminders": {"useDefault": True}}
            row = self.add(email, event_id=copy.id, body=body, meeting=copy.meeting, change=change)
            self._touch_master(row, change)
            self._give_exceptions(email, copy, change)
            return
        if row.meeting != copy.meeting:
            return  # An unrelated event has this id there.
        if row.cancelled and entry.get("responseStatus") == "declined":
            return  # Thrown away by its owner; only a new invitation brings it back.
        row.bare = False
        if row.cancelled or fields & {*events.MAIN_FIELDS, *events.GUEST_RIGHTS, "status", "sequence"}:
            body = bodies.shared_part(copy.body) | {
                name: row.body[name] for name in events.OWN_FIELDS if name in row.body
            }
        else:
            body = dict(row.body) | {"attendees": copy.body["attendees"]}
        body["extendedProperties"] = bodies.with_shared(
            row.body.get("extendedProperties"), bodies.shared_properties(copy.body)
        )
        if not body["extendedProperties"]:
            del body["extendedProperties"]
        if "locked" in row.body:
            body["locked"] = True
        old = row.body
        different = events.changed_fields(old, body)
        change.set_body(row, body)
        if different:
            self.after_write_in_series(row, old=old, different=different, change=change)
        if old["status"] == "cancelled":
            self._give_exceptions(email, copy, change)

    def _give_exceptions(self, email: str, master: Copy, change: Change) -> None:
        """Bring what became of single occurrences to somebody who has just got the series."""
        for exception in self.table(master.calendar_id).exceptions_of(master.id):
            if exception.bare:
                continue
            if not exception.cancelled and self.invites(exception, email):
                self.give(email, exception, set(bodies.SHARED), change)
            else:
                self.cancel_in(email, exception, change)

    def move(self, copy: Copy, *, destination: Calendar, write: Write, change: Change) -> Copy:
        """Let another calendar have a meeting, a series with its exceptions; cancelled rows are left behind."""
        source = self.table(copy.calendar_id)
        organizer = {"organizer": bodies.organizer(destination)}
        moved = self._arrive(copy, copy.body | organizer, destination=destination, change=change)
        rows = [moved]
        for row in source.exceptions_of(copy.id):
            arrived = self._arrive(row, row.body | organizer, destination=destination, change=change)
            arrived.bare, row.bare = row.bare, True
            rows.append(arrived)
            change.set_body(row, row.body | organizer | {"status": "cancelled"})
        change.set_body(copy, copy.body | organizer | {"status": "cancelled"})
        self._calendars[copy.meeting].discard(copy.calendar_id)
        for row in rows:
            if not row.cancelled:
                self.share(row, set(bodies.SHARED), change)
        self.send("update", moved, self.guests_of(moved), write)
        return moved

    def _arrive(self, copy: Copy, body: Body, *, destination: Calendar, change: Change) -> Copy:
        """Add a moved row, or take the one that an earlier move left behind."""
        row = self.table(destination.id).rows.get(copy.id)
        if row is None:
            return self.add(destination.id, event_id=copy.id, body=body, meeting=copy.meeting, change=change)
        self._calendars[copy.meeting].add(destination.id)
        change.set_body(row, body)
        change.touch(row)
        return row

    def room_answer(self, email: str, body: Body, *, meeting: str) -> str:
        """Return what a room says to a meeting: no, if another one is there at the time of its first occurrence."""
        zone = self.table(email).calendar_zone
        start, end = (times.seconds(body[side], calendar_zone=zone) for side in ("start", "end"))
        for row in self.table(email).ordered:
            mine = events.attendee(row.body.get("attendees", []), email) or {}
            if row.cancelled or row.meeting == meeting or mine.get("responseStatus") == "declined":
                continue
            first, last = (times.seconds(row.body[side], calendar_zone=zone) for side in ("start", "end"))
            if first < end and start < last:
                return "declined"
        return "accepted"

    # Deleting

    def remove(self, copy: Copy, *, write: Write, change: Change) -> None:
        """Delete an event: the organizer for everybody, a guest the own copy, which declines."""
        guests = self.guests_of(copy)
        copy = self.stored(copy, change)
        self.cancel(copy, change)
        if copy.organized_here:
            silent = write.send_updates == "none" and self._behavior.silent_delete_keeps_copies
            if not silent:
                self._cancel_elsewhere(copy, change)
            self.send("cancellation", copy, guests, write)
            return
        organizers = self.organizers_copy(copy)
        if organizers is None or organizers.cancelled:
            return
        if self._behavior.guest_deletion == "unnoticed":
            return
        attendees = bodies.declined_by(organizers.body.get("attendees", []), copy.calendar_id)
        if attendees and attendees != organizers.body.get("attendees"):
            self.write_shared(organizers, organizers.body | {"attendees": attendees}, write=write, change=change)
            self.send("response", organizers, {organizers.calendar_id}, write)

    def cancel(self, copy: Copy, change: Change) -> None:
        if copy.cancelled:
            return
        body = copy.body | {"status": "cancelled"}
        if copy.master_id is None:
            body.pop("locked", None)
        change.set_body(copy, body)
        self._touch_master(copy, change)

    def _cancel_elsewhere(self, copy: Copy, change: Change) -> None:
        for calendar_id in self._calendars.get(copy.meeting, set()) - {copy.calendar_id}:
            self.cancel_in(calendar_id, copy, change)
        for exception in self.table(copy.calendar_id).exceptions_of(copy.id):
            self._cancel_strays(exception, change)

    def cancel_in(self, calendar_id: str, copy: Copy, change: Change) -> None:
        found = self.table(calendar_id).find(copy.id)
        if found is not None and not found.cancelled and found.meeting == copy.meeting:
            self.cancel(self.stored(found, change), change)

    def _cancel_strays(self, exception: Copy, change: Change) -> None:
        """Cancel an occurrence for those who were invited to it alone: no series of theirs drops it."""
        for calendar_id in self._calendars.get(exception.meeting, set()) - {exception.calendar_id}:
            if exception.master_id not in self.table(calendar_id).rows:
                self.cancel_in(calendar_id, exception, change)

    # Series

    def after_write_in_series(self, copy: Copy, *, old: Body, different: set[str], change: Change) -> list[Copy]:
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
                change.set_body(row, bodies.inherited(row.body, old=old, new=copy.body, names=content))
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

    # The life of all this

    @property
    def is_empty(self) -> bool:
        return not any(table.ordered for table in self._tables.values())

    def clear(self) -> None:
        self._tables.clear()
        self._calendars.clear()
        self._last_version = 0

    def dump(self) -> dict[str, Any]:
        return {
            "last_version": self._last_version,
            "tables": {calendar_id: table.dump() for calendar_id, table in self._tables.items()},
        }

    def load(self, state: dict[str, Any]) -> None:
        self.clear()
        self._last_version = state["last_version"]
        for calendar_id, rows in state["tables"].items():
            table = self.table(calendar_id)
            table.load(rows)
            for copy in table.ordered:
                self._calendars.setdefault(copy.meeting, set()).add(calendar_id)
