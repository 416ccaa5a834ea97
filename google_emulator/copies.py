"""The rows of a calendar: each is this calendar's copy of an event, with versions of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from google_emulator import recurrence, times
from google_emulator.events import Body

# Seconds since 1970: start, and end or None where a series never ends.
Span = tuple[int, int | None]


@dataclass(slots=True)
class Copy:
    """One calendar's copy of an event, a series, or a changed occurrence."""

    calendar_id: str
    calendar_zone: str
    id: str
    # The same for all copies of a meeting in all calendars.
    meeting: str
    body: Body
    # Microseconds since 1970. `version` changes with everything, `updated` with what concerns the event itself.
    created: int
    updated: int = 0
    version: int = 0
    # The number in the etag: as a rule twice the version.
    tag: int = 0
    # Serial number of the last change in this calendar, and place in its list.
    change: int = 0
    order: int = -1
    # A cancelled row that does not even say which series it belonged to.
    bare: bool = False
    # Where the event was earlier: (serial number of the change that moved it, start, end).
    past_spans: list[tuple[int, int, int | None]] = field(default_factory=list)
    rendered: bytes | None = field(default=None, repr=False, compare=False)
    cached_span: Span | None = field(default=None, repr=False, compare=False)

    @property
    def etag(self) -> str:
        return f'"{self.tag}"'

    @property
    def cancelled(self) -> bool:
        return bool(self.body["status"] == "cancelled")

    @property
    def organized_here(self) -> bool:
        return bool(self.body["organizer"]["email"].lower() == self.calendar_id)

    @property
    def master_id(self) -> str | None:
        return self.body.get("recurringEventId")

    @property
    def repeats(self) -> bool:
        return bool(self.body.get("recurrence"))

    @property
    def span(self) -> Span:
        if self.cached_span is None:
            self.cached_span = self._span()
        return self.cached_span

    def _span(self) -> Span:
        zone = self.calendar_zone
        start = times.seconds(self.body["start"], calendar_zone=zone)
        end = times.seconds(self.body["end"], calendar_zone=zone)
        if not self.repeats:
            return start, end
        if recurrence.is_endless(self.body["recurrence"]):
            return start, None
        last = start
        for when in recurrence.occurrences(self.body["start"], self.body["recurrence"]):
            last = times.seconds(when, calendar_zone=zone)
        return start, last + end - start

    def span_at(self, change: int) -> Span:
        """Return where the event was when the calendar's last change had this serial number."""
        earlier = next(((start, end) for until, start, end in self.past_spans if until > change), None)
        return earlier or self.span

    def dump(self) -> dict[str, Any]:
        names = ("id", "meeting", "body", "created", "updated", "version", "tag", "change", "bare", "past_spans")
        return {name: getattr(self, name) for name in names}


class Table:
    """All copies of one calendar, in the order they came and in the order they last changed."""

    def __init__(self, *, calendar_id: str, calendar_zone: str) -> None:
        self.calendar_id = calendar_id
        self.calendar_zone = calendar_zone
        self.rows: dict[str, Copy] = {}
        self.ordered: list[Copy] = []
        self.serial = 0
        # Raised when all sync tokens given out so far shall be refused.
        self.generation = 0
        self._changed: dict[str, Copy] = {}
        self._exceptions: dict[str, dict[str, Copy]] = {}

    def add(self, copy: Copy) -> None:
        copy.order = len(self.ordered)
        self.rows[copy.id] = copy
        self.ordered.append(copy)
        if copy.master_id:
            self._exceptions.setdefault(copy.master_id, {})[copy.id] = copy

    def mark_changed(self, copy: Copy) -> None:
        self.serial += 1
        copy.change = self.serial
        self._changed.pop(copy.id, None)
        self._changed[copy.id] = copy

    def exceptions_of(self, master_id: str) -> list[Copy]:
        return list(self._exceptions.get(master_id, {}).values())

    def changed_since(self, change: int) -> list[Copy]:
        """Return what changed after a serial number, in the order of the calendar."""
        found = []
        for copy in reversed(self._changed.values()):
            if copy.change <= change:
                break
            found.append(copy)
        return sorted(found, key=lambda copy: copy.order)

    def master_of(self, copy: Copy) -> Copy | None:
        return self.rows.get(copy.master_id) if copy.master_id else None

    def find(self, event_id: str) -> Copy | None:
        """Return a row, or an occurrence of a series that has none of its own yet."""
        copy = self.rows.get(event_id)
        if copy is not None and not copy.bare:
            return None if self._went_with_its_series(copy) else copy
        return self.computed(event_id) or copy

    def computed(self, event_id: str) -> Copy | None:
        """Return an occurrence that a series has by its rule."""
        master_id, _, suffix = event_id.rpartition("_")
        master = self.rows.get(master_id)
        if master is None or master.cancelled or not master.repeats:
            return None
        original = recurrence.start_of_suffix(suffix, master.body["start"])
        if original is None or not recurrence.occurs_at(master.body["start"], master.body["recurrence"], original):
            return None
        return occurrence(master, original)

    def _went_with_its_series(self, copy: Copy) -> bool:
        master = self.master_of(copy)
        return master is not None and master.cancelled

    def is_living_series(self, master_id: str | None) -> bool:
        """Return whether a series is there; one that only its exceptions show here counts too."""
        master = self.rows.get(master_id or "")
        return bool(master_id) and (master is None or not master.cancelled)

    def instances(self, master: Copy, *, before: datetime | None) -> Iterator[Copy]:
        """Yield the occurrences that no row of their own replaces, in order."""
        own_rows = {copy.id for copy in self.exceptions_of(master.id) if not copy.bare}
        lines = master.body["recurrence"]
        starts = recurrence.first_occurrences(
            master.body["start"], lines, before=before, zone_name=master.calendar_zone
        )
        for start in starts:
            if instance_id(master.id, start) not in own_rows:
                yield occurrence(master, start)

    def dump(self) -> dict[str, Any]:
        return {
            "serial": self.serial,
            "generation": self.generation,
            "rows": [copy.dump() for copy in self.ordered],
        }

    def load(self, state: dict[str, Any]) -> None:
        for row in state["rows"]:
            row["past_spans"] = [tuple(span) for span in row["past_spans"]]
            row.setdefault("tag", 2 * row["version"])  # Files of before there were other etags.
            copy = Copy(calendar_id=self.calendar_id, calendar_zone=self.calendar_zone, **row)
            self.add(copy)
        for copy in sorted(self.ordered, key=lambda copy: copy.change):
            self._changed[copy.id] = copy
        self.serial, self.generation = state["serial"], state["generation"]


def instance_id(master_id: str, original_start: times.When) -> str:
    return f"{master_id}_{recurrence.instance_suffix(original_start)}"


def occurrence(master: Copy, start: times.When) -> Copy:
    """Return an occurrence as Google computes it: not stored, the master's content at another time."""
    body = {name: value for name, value in master.body.items() if name != "recurrence"}
    body |= {
        "start": start,
        "end": _end_of(master.body, start),
        "recurringEventId": master.id,
        "originalStartTime": start,
    }
    return Copy(
        calendar_id=master.calendar_id,
        calendar_zone=master.calendar_zone,
        id=instance_id(master.id, start),
        meeting=master.meeting,
        body=body,
        created=master.created,
        updated=master.updated,
        version=master.version,
        tag=master.tag,
        change=master.change,
        order=master.order,
    )


def _end_of(master: Body, start: times.When) -> times.When:
    """Return the end that keeps the length on the clock, also over a change of daylight saving time."""
    if "date" in start:
        days = _day(master["end"]) - _day(master["start"])
        return times.shifted(start, by=days)
    home = times.zone(master["start"]["timeZone"])
    length = _on_the_clock(master["end"], home) - _on_the_clock(master["start"], home)
    end = (_on_the_clock(start, home) + length).replace(tzinfo=home)
    return {"dateTime": times.in_utc(end), "timeZone": master["end"]["timeZone"]}


def _day(when: times.When) -> timedelta:
    return date.fromisoformat(when["date"]) - date(1970, 1, 1)


def _on_the_clock(when: times.When, home: Any) -> datetime:
    return datetime.fromisoformat(when["dateTime"]).astimezone(home).replace(tzinfo=None)
