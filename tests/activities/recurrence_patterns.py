"""Series of all kinds to test with, by hand and by Hypothesis, and the emulator's own reading of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from activities import recurrence
from activities.recurrence import Pattern
from google_emulator import recurrence as emulated

ZONES = ["Pacific/Auckland", "America/Winnipeg", "Asia/Kolkata", "Europe/Zurich", "America/New_York"]
WEEKDAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
FREQUENCIES = ["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]
ENDS = ["", "COUNT", "UNTIL", "UNTIL day"]
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
def rules(draw: st.DrawFn, *, is_all_day: bool, first: datetime, frequencies: list[str], ends: list[str]) -> str:
    """A rule without its name, of all kinds Google's clients make and some more."""
    frequency = draw(st.sampled_from(frequencies))
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
    end = draw(st.sampled_from(ends))
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
def patterns(
    draw: st.DrawFn,
    *,
    frequencies: list[str] = FREQUENCIES,
    ends: list[str] = ENDS,
    with_dates: bool = True,
) -> Pattern:
    """A series of any kind. Times exist once: what holds on the nights the clocks change is tested by hand."""
    zone = draw(st.sampled_from(ZONES))
    day = draw(st.dates(date(2019, 1, 1), date(2027, 12, 31)))
    first = datetime.combine(
        day, time(draw(st.sampled_from([0, 2, 3, 9, 15, 23])), draw(st.sampled_from([0, 30]))), tzinfo=ZoneInfo(zone)
    )
    first = first.astimezone(UTC).astimezone(ZoneInfo(zone))
    is_all_day = draw(st.booleans())
    lines = [f"RRULE:{draw(rules(is_all_day=is_all_day, first=first, frequencies=frequencies, ends=ends))}"]
    for name in draw(st.lists(st.sampled_from(["EXDATE", "RDATE"]), max_size=2)) if with_dates else []:
        moments = [first + timedelta(days=past) for past in draw(st.lists(st.integers(1, 400), min_size=1, max_size=8))]
        if is_all_day:
            lines.append(f"{name};VALUE=DATE:" + ",".join(f"{moment:%Y%m%d}" for moment in moments))
        else:
            lines.append(f"{name};TZID={zone}:" + ",".join(f"{moment:%Y%m%dT%H%M%S}" for moment in moments))
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


def move(pattern: Pattern, *, days: int = 0, hours: int = 0, zone: str = "") -> Pattern:
    """The pattern moved by the clock on the wall."""
    first, zone = pattern.first, zone or pattern.time_zone
    if isinstance(first, datetime):
        local = first.astimezone(UTC).astimezone(ZoneInfo(pattern.time_zone)).replace(tzinfo=None)
        first = (local + timedelta(days=days, hours=hours)).replace(tzinfo=ZoneInfo(zone))
    else:
        first += timedelta(days=days)
    return Pattern(first, zone, recurrence.moved(pattern, first=first, time_zone=zone))
