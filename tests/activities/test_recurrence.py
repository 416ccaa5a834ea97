"""When repeating activities happen: by hand, and compared with the emulator's own reading of the same rules."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from activities import recurrence
from activities.recurrence import Pattern
from google_emulator import recurrence as emulated

ZONES = ["Pacific/Auckland", "America/Winnipeg", "Asia/Kolkata", "Europe/Zurich", "America/New_York"]
WEEKDAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
YEARS = timedelta(days=4 * 365)


def timed(first: str, zone: str, *lines: str) -> Pattern:
    """A series that begins at a local time of its zone."""
    return Pattern(datetime.fromisoformat(first).replace(tzinfo=ZoneInfo(zone)), zone, lines)


def all_day(first: str, *lines: str) -> Pattern:
    return Pattern(date.fromisoformat(first), "UTC", lines)


def local_starts(pattern: Pattern, count: int) -> list[str]:
    zone = ZoneInfo(pattern.time_zone)
    return [f"{start.astimezone(zone):%Y-%m-%d %H:%M}" for start in islice(recurrence.starts(pattern), count)]


# What rules are made of


def _signed(least: int, most: int) -> st.SearchStrategy[int]:
    return st.integers(least, most) | st.integers(-most, -least)


def _list(values: st.SearchStrategy[object], most: int = 3) -> st.SearchStrategy[str]:
    return st.lists(values, min_size=1, max_size=most, unique=True).map(lambda found: ",".join(map(str, found)))


_days = _list(st.sampled_from(WEEKDAYS), most=5)
_nth_days = _list(st.builds(lambda n, day: f"{n}{day}", _signed(1, 5), st.sampled_from(WEEKDAYS)))
_month_days = st.sampled_from(["-1", "31", "29", "30", "1,15", "13"]) | _list(_signed(1, 31))
_months = _list(st.integers(1, 12), most=4)
_positions = st.sampled_from(["1", "-1", "2", "1,-1"])


def _with_some(draw: st.DrawFn, options: dict[str, st.SearchStrategy[str]]) -> dict[str, str]:
    return {name: draw(values) for name, values in options.items() if draw(st.booleans())}


@st.composite
def rules(draw: st.DrawFn, *, is_all_day: bool, first: datetime) -> str:
    """A rule without its name, of all kinds Google's clients make and some more."""
    frequency = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    parts = {"FREQ": frequency} | _with_some(draw, {"INTERVAL": st.sampled_from(["1", "2", "2", "3", "5"])})
    match frequency:
        case "DAILY":
            parts |= _with_some(draw, {"BYDAY": _days, "BYMONTH": _months})
        case "WEEKLY":
            parts |= _with_some(draw, {"BYDAY": _days, "WKST": st.sampled_from(WEEKDAYS)})
        case "MONTHLY":
            by_day = draw(st.sampled_from(["", "BYMONTHDAY", "nth", "BYDAY", "BYSETPOS", "friday the 13th"]))
            if by_day in ("BYMONTHDAY", "friday the 13th"):
                parts["BYMONTHDAY"] = draw(_month_days)
            if by_day in ("BYDAY", "BYSETPOS", "friday the 13th"):
                parts["BYDAY"] = draw(_days)
            if by_day == "nth":
                parts["BYDAY"] = draw(_nth_days)
            if by_day == "BYSETPOS":
                parts["BYSETPOS"] = draw(_positions)
        case "YEARLY":
            kind = draw(st.sampled_from(["", "month", "nth", "nth of month", "weeks", "year days", "BYSETPOS"]))
            if kind in ("month", "nth of month"):
                parts["BYMONTH"] = draw(_months)
            if kind in ("nth", "nth of month"):
                parts["BYDAY"] = draw(_nth_days)
            if kind == "month":
                parts |= _with_some(draw, {"BYMONTHDAY": _month_days})
            if kind == "weeks":
                parts["BYWEEKNO"] = draw(_list(st.integers(1, 53) | st.just(-1)))
                parts |= _with_some(draw, {"BYDAY": _days, "WKST": st.sampled_from(WEEKDAYS)})
            if kind == "year days":
                parts["BYYEARDAY"] = draw(_list(_signed(1, 366)))
            if kind == "BYSETPOS":
                parts |= {"BYMONTH": draw(_months), "BYDAY": draw(_days), "BYSETPOS": draw(_positions)}
    end = draw(st.sampled_from(["", "COUNT", "UNTIL", "UNTIL day"]))
    if end == "COUNT":
        parts["COUNT"] = str(draw(st.integers(1, 40)))
    elif end:
        until = first + timedelta(days=draw(st.integers(0, 900)))
        if is_all_day or end == "UNTIL day":
            parts["UNTIL"] = f"{until:%Y%m%d}"
        else:
            parts["UNTIL"] = f"{until.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    return ";".join(f"{name}={value}" for name, value in parts.items())


@st.composite
def patterns(draw: st.DrawFn, *, may_be_endless: bool = True) -> Pattern:
    """A series of any kind. Times exist once: what holds on the nights the clocks change is tested by hand."""
    zone = draw(st.sampled_from(ZONES))
    day = draw(st.dates(date(2019, 1, 1), date(2027, 12, 31)))
    first = datetime.combine(
        day, time(draw(st.sampled_from([0, 2, 3, 9, 15, 23])), draw(st.sampled_from([0, 30]))), tzinfo=ZoneInfo(zone)
    )
    first = first.astimezone(UTC).astimezone(ZoneInfo(zone))
    is_all_day = draw(st.booleans())
    lines = [f"RRULE:{draw(rules(is_all_day=is_all_day, first=first))}"]
    for name in draw(st.lists(st.sampled_from(["EXDATE", "RDATE"]), max_size=2)):
        moments = [first + timedelta(days=past) for past in draw(st.lists(st.integers(1, 400), min_size=1, max_size=8))]
        if is_all_day:
            lines.append(f"{name};VALUE=DATE:" + ",".join(f"{moment:%Y%m%d}" for moment in moments))
        else:
            lines.append(f"{name};TZID={zone}:" + ",".join(f"{moment:%Y%m%dT%H%M%S}" for moment in moments))
    if not may_be_endless:
        assume("COUNT=" in lines[0] or "UNTIL=" in lines[0])
    return Pattern(day if is_all_day else first, zone, tuple(lines))


def as_google(pattern: Pattern) -> Iterator[datetime]:
    """The starts as the emulator finds them."""
    first = pattern.first
    if isinstance(first, datetime):
        start = {"dateTime": f"{first.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", "timeZone": pattern.time_zone}
    else:
        start = {"date": first.isoformat()}
    for when in emulated.occurrences(start, pattern.lines):
        if "date" in when:
            yield datetime.combine(date.fromisoformat(when["date"]), time.min, tzinfo=UTC)
        else:
            yield datetime.fromisoformat(when["dateTime"])


def begin_of(pattern: Pattern) -> datetime:
    first = pattern.first
    return first if isinstance(first, datetime) else datetime.combine(first, time.min, tzinfo=UTC)


@pytest.mark.rule("R15", "R16")
@given(patterns())
def test_series_happen_when_google_says(pattern: Pattern) -> None:
    end = begin_of(pattern) + YEARS

    theirs = list(takewhile(lambda start: start < end, as_google(pattern)))

    assert list(recurrence.starts(pattern, before=end)) == theirs


@pytest.mark.rule("R15")
@given(patterns(), st.integers(0, 1000), st.integers(0, 500))
def test_a_part_of_the_starts_is_found_from_anywhere(pattern: Pattern, past: int, length: int) -> None:
    after = begin_of(pattern) + timedelta(days=past)
    before = after + timedelta(days=length)

    part = list(recurrence.starts(pattern, after=after, before=before))

    assert part == [start for start in recurrence.starts(pattern, before=before) if start >= after]


@pytest.mark.rule("R15")
@given(patterns(), st.data())
def test_both_parts_of_a_divided_series_are_the_whole(pattern: Pattern, data: st.DataObject) -> None:
    end = begin_of(pattern) + YEARS
    whole = list(islice(recurrence.starts(pattern, before=end), 200))
    assume(len(whole) > 1)
    end = whole[-1] + timedelta(seconds=1)
    at = data.draw(st.sampled_from(whole[1:]))

    before = Pattern(pattern.first, pattern.time_zone, recurrence.before_cut(pattern, at=at))
    try:
        lines = recurrence.from_cut(pattern, at=at)
    except recurrence.UnableToMove:
        assume(False)
    rest = Pattern(at if isinstance(pattern.first, datetime) else at.date(), pattern.time_zone, lines)

    assert [*recurrence.starts(before)] == [start for start in whole if start < at]
    assert [*recurrence.starts(rest, before=end)] == [start for start in whole if start >= at]
