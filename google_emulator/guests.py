"""What somebody may do with the own copy of another person's event, and what of it reaches the organizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google_emulator import bodies, errors, events
from google_emulator.behavior import Behavior
from google_emulator.copies import Copy
from google_emulator.events import Body
from google_emulator.meetings import Meetings
from google_emulator.writes import Change, Write


class GuestWrites:
    """A guest's writes: the own answer for all, the rest for the own copy, more where the organizer lets them."""

    def __init__(self, *, meetings: Meetings, behavior: Behavior) -> None:
        self._meetings = meetings
        self._behavior = behavior

    def change_as_guest(
        self, copy: Copy, body: Body, *, sent: Mapping[str, Any], write: Write, replace: bool, change: Change
    ) -> Copy:
        """
        Write a guest's copy and carry to the organizer what is for everybody.

        :raises ApiError: 403 for what only the organizer changes.
        """
        self._check_guest_rights(copy, sent, replace=replace)
        different = events.changed_fields(copy.body, body)
        self._check_guest_properties(copy, body)
        organizers = self._meetings.organizers_copy(copy)
        may_modify = bool(organizers and organizers.body.get("guestsCanModify")) and organizers is not None
        main = different & set(events.MAIN_FIELDS)
        if main and not may_modify and (copy.body.get("locked") or self._behavior.guest_edits == "forbidden"):
            raise errors.ApiError("forbiddenForNonOrganizer" if not copy.body.get("locked") else "forbidden")
        attendees = self._attendees_as_guest(copy, organizers, sent=sent, may_modify=may_modify)
        self._write_own_copy(copy, body, attendees=attendees, change=change)
        if organizers is not None and not organizers.cancelled:
            self._carry_to_organizer(
                organizers, body, attendees=attendees, main=main if may_modify else set(), write=write, change=change
            )
        return self._meetings.table(copy.calendar_id).rows.get(copy.id, copy)

    def check_import(self, known: Copy, raw: Mapping[str, Any]) -> None:
        """:raises ApiError: 403 for an import over an invitation that does not repeat the guests' rights."""
        if not known.organized_here and self._meetings.organizers_copy(known) is not None:
            self._check_guest_rights(known, raw, replace=True)

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
        if private[0] != private[1] and self._behavior.guest_private_properties == "forbidden":
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
        result = [bodies.answered(entry, mine) if bodies.is_of(entry, copy.calendar_id) else entry for entry in known]
        if sent.get("attendeesOmitted"):
            # Who was invited as a member of a group is not on the list until the first answer.
            return result if mine is None or events.attendee(known, copy.calendar_id) else [*result, mine]
        if may_modify:
            result = [
                entry
                for entry in result
                if bodies.is_of(entry, copy.calendar_id) or events.attendee(wanted, entry["email"])
            ]
        if may_modify or copy.body.get("guestsCanInviteOthers") is not False:
            added = [entry for entry in wanted if events.attendee(known, entry["email"]) is None]
            result += [
                dict(entry) if bodies.is_of(entry, copy.calendar_id) else bodies.unanswered(entry) for entry in added
            ]
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
        copy = self._meetings.stored(copy, change)
        change.set_body(copy, new)
        self._meetings.after_write_in_series(copy, old=old, different=events.changed_fields(old, new), change=change)

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
        if bodies.shared_properties(body) != bodies.shared_properties(new):
            new["extendedProperties"] = bodies.with_shared(
                new.get("extendedProperties"), bodies.shared_properties(body)
            )
        answered = new.get("attendees") != organizers.body.get("attendees")
        self._meetings.write_shared(
            organizers, new, write=Write(by=write.by, send_updates=write.send_updates), change=change
        )
        if answered:
            self._meetings.send("response", organizers, {organizers.calendar_id}, write)

    def check_revival(self, copy: Copy) -> None:
        """:raises ApiError: 403 if a deleted event cannot come back, or not for this person."""
        if self._behavior.revival == "forbidden" or copy.bare:  # A bare row is of no occurrence of its series.
            raise errors.ApiError("forbidden")
        if copy.organized_here:
            return
        organizers = self._meetings.organizers_copy(copy)
        if organizers is None and not self._meetings.is_organizer_here(copy):
            return
        if organizers is None or organizers.cancelled or not self._meetings.invites(organizers, copy.calendar_id):
            raise errors.ApiError("forbidden")

    def invite_again(self, copy: Copy, change: Change) -> None:
        """A guest takes an invitation back from the bin: it is as the organizer has it now, and not answered."""
        organizers = self._meetings.organizers_copy(copy)
        if organizers is None:
            return
        unanswered = {"responseStatus": "needsAction"}
        attendees = [
            entry | unanswered if bodies.is_of(entry, copy.calendar_id) else entry
            for entry in organizers.body.get("attendees", [])
        ]
        self._meetings.write_shared(
            organizers, organizers.body | {"attendees": attendees}, write=Write(by=copy.calendar_id), change=change
        )
        self._meetings.give(copy.calendar_id, organizers, set(bodies.SHARED), change)
