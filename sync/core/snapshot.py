"""What both sides can hold: Snapshot, and the three kinds of "when"."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Timed:
    """From one moment to another (aware, UTC), kept in an IANA zone (R16)."""

    start: datetime
    due: datetime
    time_zone: str


@dataclass(frozen=True, slots=True)
class Days:
    """Whole days, the last one included (R16)."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Repeating:
    """A series: when its first occurrence takes place, and its rule as RFC 5545 lines, letter by letter (R15)."""

    first: Timed | Days  # Of the first occurrence.
    lines: tuple[str, ...]


OneTime = Timed | Days
When = OneTime | Repeating


@dataclass(frozen=True, slots=True)
class Snapshot:
    """
    The content of an activity or an event, as far as both sides can hold it (R10).

    The names are those of the activity's fields. `people` are the profile ids of everybody who takes part, the
    organizer included; other guests are Google's alone and are no part of it (R7). `reminder` is in minutes before the
    start; None means that no reminder of one's own is set.
    """

    subject: str
    when: When
    location: str = ""
    notes: str = ""
    is_private: bool = False
    show_as_free: bool = False
    reminder: int | None = None
    people: frozenset[int] = frozenset()


FIELDS = tuple(field.name for field in fields(Snapshot))
# Google keeps these for each person's copy: a change says nothing about the copies of others (R5, R10).
PER_COPY_FIELDS = frozenset({"is_private", "show_as_free", "reminder"})


def at_occurrence(series: Snapshot, original_start: datetime) -> Snapshot:
    """
    Return what a series says about one of its occurrences (R15).

    `original_start` is aware; of all-day series midnight UTC of the day. An occurrence lasts as long as the first.
    """
    when = series.when.first if isinstance(series.when, Repeating) else series.when
    if isinstance(when, Days):
        first = original_start.astimezone(UTC).date()
        return replace(series, when=Days(first, first + (when.last - when.first)))
    start = original_start.astimezone(UTC)
    return replace(series, when=Timed(start, start + (when.due - when.start), when.time_zone))


def dump_when(when: When) -> dict[str, Any]:
    """Return a "when" as JSON can hold it."""
    if isinstance(when, Repeating):
        return {"begins": dump_when(when.first), "lines": list(when.lines)}
    if isinstance(when, Days):
        return {"first": when.first.isoformat(), "last": when.last.isoformat()}
    return {"start": _utc_text(when.start), "due": _utc_text(when.due), "time_zone": when.time_zone}


def load_when(data: dict[str, Any]) -> When:
    """Return the "when" that `dump_when` wrote."""
    if "lines" in data:
        first = load_when(data["begins"])
        assert not isinstance(first, Repeating)
        return Repeating(first, tuple(data["lines"]))
    if "first" in data:
        return Days(date.fromisoformat(data["first"]), date.fromisoformat(data["last"]))
    return Timed(datetime.fromisoformat(data["start"]), datetime.fromisoformat(data["due"]), data["time_zone"])


def dump_value(value: Any) -> Any:
    """Return the value of a snapshot's field as JSON can hold it."""
    if isinstance(value, (Timed, Days, Repeating)):
        return dump_when(value)
    if isinstance(value, frozenset):
        return sorted(value)
    return value


def load_value(name: str, value: Any) -> Any:
    """Return the value of a snapshot's field that `dump_value` wrote."""
    if name == "when":
        return load_when(value)
    if name == "people":
        return frozenset(value)
    return value


def dump(snapshot: Snapshot) -> dict[str, Any]:
    """Return a snapshot as JSON can hold it."""
    return {name: dump_value(getattr(snapshot, name)) for name in FIELDS}


def load(data: dict[str, Any]) -> Snapshot:
    """Return the snapshot that `dump` wrote; a field added since gets its default."""
    return Snapshot(**{name: load_value(name, data[name]) for name in FIELDS if name in data})


def _utc_text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
