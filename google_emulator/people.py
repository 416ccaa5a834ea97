"""What a person does in Google's own calendar page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google_emulator import listing, series, times
from google_emulator.accounts import Account, Calendar
from google_emulator.calendar import CalendarStore
from google_emulator.events import Body, attendee
from google_emulator.events_api import EventsApi
from google_emulator.writes import Write

SCOPES = ("this", "following", "all")
RESPONSES = ("needsAction", "declined", "tentative", "accepted")


class Person:
    """An account's owner at work on a calendar of theirs. Guests are told by mail, as the page does."""

    def __init__(self, *, account: Account, calendar: Calendar, store: CalendarStore, api: EventsApi) -> None:
        self.account = account
        self.calendar = calendar
        self._store = store
        self._api = api

    @property
    def email(self) -> str:
        return self.account.email

    def create_event(self, body: Mapping[str, Any], *, notify: bool = True) -> Body:
        """Make an event; who invites others takes part too. :raises ApiError: for what Google refuses."""
        raw = dict(body)
        guests = list(raw.get("attendees") or [])
        if guests and attendee([dict(guest) for guest in guests], self.calendar.id) is None:
            raw["attendees"] = [{"email": self.calendar.id, "responseStatus": "accepted"}, *guests]
        write = Write(
            by=self.email, send_updates="all" if notify else "none", conference=True, attachments=True, from_page=True
        )
        copy = self._store.insert(calendar=self.calendar, raw=raw, write=write)
        return self.event(copy.id)

    def edit(self, event_id: str, patch: Mapping[str, Any], *, notify: bool = True, scope: str = "this") -> Body:
        """
        Change an event; guests named in `attendees` keep the answers they gave.

        :param scope: of an occurrence, whether to change "this", this and "following", or "all" of the series.
        """
        master_id, at = self._place(event_id, scope)
        if master_id == event_id:
            self._change(event_id, patch, notify=notify)
            return self.event(event_id)
        if at is not None:
            return self.split_series(master_id, at=at, changes=patch, notify=notify)
        shifted = series.for_all(patch, occurrence=self.event(event_id), master=self.event(master_id))
        self._change(master_id, shifted, notify=notify)
        return self.event(master_id)

    def delete(self, event_id: str, *, notify: bool = True, scope: str = "this") -> None:
        """
        Delete an event, or remove an invitation from the own calendar.

        :param scope: as for `edit`.
        """
        master_id, at = self._place(event_id, scope)
        write = self._write(notify=notify)
        if at is not None:
            self._store.end_series(calendar=self.calendar, event_id=master_id, at=self._start(at), write=write)
        else:
            self._store.delete(calendar=self.calendar, event_id=master_id, write=write)

    def restore(self, event_id: str) -> Body:
        """Take an event back from the bin."""
        self._change(event_id, {"status": "confirmed"}, notify=True)
        return self.event(event_id)

    def respond(
        self, event_id: str, response: str, *, comment: str | None = None, notify: bool = True, scope: str = "this"
    ) -> Body:
        """
        Answer an invitation: "accepted", "tentative", "declined" or "needsAction".

        :param scope: of an occurrence, whether the answer is for "this" or for "all" of the series.
        """
        if response not in RESPONSES:
            raise ValueError(f"{response!r} is not an answer; known: {', '.join(RESPONSES)}.")
        event_id, _ = self._place(event_id, "all" if scope == "all" else "this")
        mine = {"email": self.calendar.id, "responseStatus": response} | ({"comment": comment} if comment else {})
        self._change(event_id, {"attendees": [mine], "attendeesOmitted": True}, notify=notify)
        return self.event(event_id)

    def split_series(
        self, event_id: str, *, at: Mapping[str, str], changes: Mapping[str, Any], notify: bool = True
    ) -> Body:
        """
        Change an occurrence and all that follow.

        :param at: the occurrence's original start, as a body's `start` has it.
        """
        write = self._write(notify=notify)
        copy = self._store.split_series(
            calendar=self.calendar, event_id=event_id, at=self._start(at), changes=changes, write=write
        )
        return self.event(copy.id)

    def move(self, event_id: str, *, to: str) -> None:
        """Put an event or a series on another of the own calendars. :raises ApiError: for what cannot be moved."""
        destination, _ = self._store.directory.calendar_for(calendar_id=to, email=self.email)
        self._store.move(
            calendar=self.calendar, event_id=event_id, destination=destination, write=self._write(notify=True)
        )

    def event(self, event_id: str) -> Body:
        """Return an event as this calendar shows it, a deleted one too. :raises ApiError: 404."""
        with self._store.lock:
            return self._api.shown(self._store.get(calendar_id=self.calendar.id, event_id=event_id))

    def events(self, *, expand: bool = False, after: int | None = None, before: int | None = None) -> list[Body]:
        """
        Return the live events, by start: series and changed occurrences, or with `expand` every occurrence.

        :param after: seconds since 1970, and `before`: only what overlaps this window.
        """
        with self._store.lock:
            table = self._store.table(self.calendar.id)
            query = listing.Query(max_results=10**9, single_events=expand, time_min=after, time_max=before)
            rows = listing.page_of(query, store=self._store, table=table).rows
            live = sorted((row for row in rows if not row.cancelled), key=lambda row: (row.span[0], row.id))
            return [self._api.shown(row) for row in live]

    def _place(self, event_id: str, scope: str) -> tuple[str, Mapping[str, str] | None]:
        """
        Return which event to act on, and from which original start on; None for all of it.

        :raises ValueError: for an unknown scope.
        """
        if scope not in SCOPES:
            raise ValueError(f"{scope!r} is not a scope; known: {', '.join(SCOPES)}.")
        row = {} if scope == "this" else self.event(event_id)
        if "recurringEventId" not in row:
            return event_id, None
        master = self.event(row["recurringEventId"])
        divides = scope == "following" and not series.is_first(row, master)
        return master["id"], row["originalStartTime"] if divides else None

    def _start(self, at: Mapping[str, str]) -> times.When:
        return times.checked(at, side="start", calendar_zone=self.calendar.time_zone, repeats=False)

    def _change(self, event_id: str, sent: Mapping[str, Any], *, notify: bool) -> None:
        self._store.change_event(
            calendar=self.calendar,
            event_id=event_id,
            sent=sent,
            write=self._write(notify=notify),
            replace=False,
        )

    def _write(self, *, notify: bool) -> Write:
        return Write(
            by=self.email, send_updates="all" if notify else "none", conference=True, attachments=True, from_page=True
        )
