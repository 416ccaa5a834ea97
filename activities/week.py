"""
The layout of a calendar week: which block stands where. Pure: no database, no clock.

The axis is the wall clock of the person who looks, so on the days the clocks change a block is as long as it reads.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

DAYS_OF_A_WEEK = 7
SHORTEST = 30  # Minutes: what a block needs to hold a line of text and to be hit. Shorter ones are drawn this long.
MIDNIGHT = 24 * 60
USUAL_HOURS = (8, 19)  # Shown even when nothing happens; whatever lies outside widens the grid.


@dataclass(frozen=True, slots=True)
class Entry:
    """
    What the layout needs to know of an activity: its times, or for an all-day one its days (first, last included).

    `payload` is whatever the page shows of it; the layout does not look inside.
    """

    start: datetime
    due: datetime
    days: tuple[date, date] | None = None
    payload: Any = None


@dataclass(frozen=True, slots=True)
class Block:
    """
    A piece of an entry in one day. `start` and `length` are minutes.

    When others overlap it, it stands in `lane` of `lanes` and is `wide` lanes wide.
    """

    entry: Entry
    start: int
    length: int
    lane: int = 0
    lanes: int = 1
    wide: int = 1

    def overlaps(self, other: Block) -> bool:
        return self.start < other.start + other.length and other.start < self.start + self.length


@dataclass(frozen=True, slots=True)
class Bar:
    """An all-day or multi-day entry. `first` is the column (1 for the first day), `row` the line of the strip."""

    entry: Entry
    first: int
    span: int
    row: int

    @property
    def columns(self) -> range:
        return range(self.first, self.first + self.span)


@dataclass(frozen=True, slots=True)
class Day:
    date: date
    blocks: list[Block] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Week:
    """`first_hour` and `hours` are the part of the day the grid shows."""

    days: list[Day]
    bars: list[Bar]
    first_hour: int
    hours: int

    @property
    def first_minute(self) -> int:
        return self.first_hour * 60

    @property
    def last_hour(self) -> int:
        """When the grid ends."""
        return self.first_hour + self.hours


def first_day_of_week(day: date) -> date:
    """Return the Monday on or before a day."""
    return day - timedelta(days=day.weekday())


def days_from(first: date, *, count: int = DAYS_OF_A_WEEK) -> list[date]:
    return [first + timedelta(days=number) for number in range(count)]


def lay_out(entries: Iterable[Entry], *, days: Sequence[date], zone: zoneinfo.ZoneInfo) -> Week:
    """Place the entries on these consecutive days, as they are in this zone. What lies outside is left out."""
    long: list[Entry] = []
    short: list[Entry] = []
    for entry in entries:
        (long if _belongs_on_the_strip(entry) else short).append(entry)
    laid_out = [Day(day, spread_over_lanes(_pieces_of(short, day=day, zone=zone))) for day in days]
    first_hour, hours = _hours_to_show(laid_out)
    return Week(days=laid_out, bars=_bars(long, days=days, zone=zone), first_hour=first_hour, hours=hours)


def spread_over_lanes(blocks: Iterable[Block]) -> list[Block]:
    """
    Give blocks of one day lanes, so that none covers another.

    Blocks that overlap each other, even through others, form a group; a group has as many lanes as stand side by side.
    A block takes the lanes to its right that are free all the while.
    """
    placed: list[Block] = []
    group: list[Block] = []
    ends: list[int] = []  # When each lane of the group is free again.
    for block in sorted(blocks, key=lambda block: (block.start, -block.length)):
        if ends and block.start >= max(ends):
            placed += _with_lanes(group, lanes=len(ends))
            group, ends = [], []
        free = [lane for lane, end in enumerate(ends) if end <= block.start]
        lane = free[0] if free else len(ends)
        ends[lane : lane + 1] = [block.start + block.length]
        group.append(Block(block.entry, block.start, block.length, lane))
    return placed + _with_lanes(group, lanes=len(ends))


def _with_lanes(group: list[Block], *, lanes: int) -> list[Block]:
    def next_taken(block: Block) -> int:
        return min((other.lane for other in group if other.lane > block.lane and other.overlaps(block)), default=lanes)

    return [replace(block, lanes=lanes, wide=next_taken(block) - block.lane) for block in group]


def _belongs_on_the_strip(entry: Entry) -> bool:
    return entry.days is not None or entry.due - entry.start >= timedelta(days=1)


def _pieces_of(entries: Iterable[Entry], *, day: date, zone: zoneinfo.ZoneInfo) -> list[Block]:
    """Return the parts of the entries that lie in this day: one over midnight has a part in two days."""
    return [block for entry in entries if (block := _piece_of(entry, day=day, zone=zone))]


def _piece_of(entry: Entry, *, day: date, zone: zoneinfo.ZoneInfo) -> Block | None:
    start, due = entry.start.astimezone(zone), entry.due.astimezone(zone)
    ends_at_midnight = due.date() > start.date() and due.hour == due.minute == 0
    last_day = due.date() - timedelta(days=1) if ends_at_midnight else due.date()
    if not start.date() <= day <= last_day:
        return None
    first = _minute(start) if start.date() == day else 0
    last = MIDNIGHT if due.date() > day else _minute(due)
    length = max(last - first, SHORTEST)  # When the clocks go back, an activity may seem to end before it starts.
    return Block(entry, min(first, MIDNIGHT - length), length)


def _minute(moment: datetime) -> int:
    return moment.hour * 60 + moment.minute


def _bars(entries: Iterable[Entry], *, days: Sequence[date], zone: zoneinfo.ZoneInfo) -> list[Bar]:
    placed: list[Bar] = []
    spans = [(*_days_of(entry, zone=zone), entry) for entry in entries]
    for first, last, entry in sorted(spans, key=lambda span: (span[0], span[0] - span[1])):
        first, last = max(first, days[0]), min(last, days[-1])
        if first > last:
            continue
        column, span = (first - days[0]).days + 1, (last - first).days + 1
        taken = {bar.row for bar in placed if set(bar.columns) & set(range(column, column + span))}
        row = next(row for row in range(1, len(placed) + 2) if row not in taken)
        placed.append(Bar(entry, column, span, row))
    return placed


def _days_of(entry: Entry, *, zone: zoneinfo.ZoneInfo) -> tuple[date, date]:
    """Return the first and the last day. All-day dates are the same everywhere (R16)."""
    if entry.days:
        return entry.days
    last_moment = entry.due - timedelta(microseconds=1)
    return entry.start.astimezone(zone).date(), last_moment.astimezone(zone).date()


def _hours_to_show(days: Iterable[Day]) -> tuple[int, int]:
    """Return the first hour and how many: the usual ones, and more where a block needs them."""
    blocks = [block for day in days for block in day.blocks]
    first = min([USUAL_HOURS[0], *(block.start // 60 for block in blocks)])
    last = max([USUAL_HOURS[1], *(-(-(block.start + block.length) // 60) for block in blocks)])
    return first, last - first
