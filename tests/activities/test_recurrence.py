"""When repeating activities happen: by hand, and compared with the emulator's own reading of the same rules."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, takewhile
from time import process_time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
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


# The nights the clocks change


@pytest.mark.rule("R15", "R16")
@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        pytest.param(
            timed("2026-03-28 02:30", "Europe/Zurich", "RRULE:FREQ=DAILY;COUNT=3"),
            ["2026-03-28 02:30", "2026-03-29 03:30", "2026-03-30 02:30"],
            id="a-time-that-is-left-out-comes-later",
        ),
        pytest.param(
            timed("2026-10-24 02:30", "Europe/Zurich", "RRULE:FREQ=DAILY;COUNT=3"),
            ["2026-10-24 02:30+0200", "2026-10-25 02:30+0200", "2026-10-26 02:30+0100"],
            id="a-time-that-comes-twice-is-the-first",
        ),
        pytest.param(
            Pattern(datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "Europe/Zurich", ("RRULE:FREQ=DAILY;COUNT=2",)),
            ["2026-10-25 02:30+0100", "2026-10-26 02:30+0100"],
            id="unless-it-begins-with-the-second",
        ),
        pytest.param(
            timed("2026-04-04 09:00", "Pacific/Auckland", "RRULE:FREQ=DAILY;COUNT=2"),
            ["2026-04-04 09:00+1300", "2026-04-05 09:00+1200"],
            id="south-of-the-equator",
        ),
        pytest.param(
            timed("2026-03-27 02:30", "Europe/Zurich", "RRULE:FREQ=DAILY;COUNT=4", "EXDATE:20260329T013000Z"),
            ["2026-03-27 02:30", "2026-03-28 02:30", "2026-03-30 02:30"],
            id="the-later-one-can-be-excepted",
        ),
        pytest.param(
            timed("2026-03-29 01:30", "Europe/Zurich", "RRULE:FREQ=DAILY;BYHOUR=1,2,3;COUNT=4"),
            ["2026-03-29 01:30", "2026-03-29 03:30", "2026-03-30 01:30"],
            id="two-that-fall-together-are-one",
        ),
    ],
)
def test_wall_clock_time_holds(pattern: Pattern, expected: list[str]) -> None:
    zone = ZoneInfo(pattern.time_zone)
    found = [start.astimezone(zone) for start in recurrence.starts(pattern)]

    assert [f"{start:{'%Y-%m-%d %H:%M%z' if '+' in expected[0] else '%Y-%m-%d %H:%M'}}" for start in found] == expected


@pytest.mark.rule("R15", "R16")
def test_a_series_divided_on_the_night_the_clocks_go_forward_keeps_its_time() -> None:
    pattern = timed("2026-03-28 02:30", "Europe/Zurich", "RRULE:FREQ=DAILY;COUNT=3")
    whole = [*recurrence.starts(pattern)]

    rest = Pattern(whole[1], pattern.time_zone, recurrence.from_cut(pattern, at=whole[1]))

    assert [*recurrence.starts(rest)] == whole[1:]


# By hand


@pytest.mark.rule("R15")
@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        pytest.param(
            timed("2026-01-31 09:00", "Europe/Zurich", "RRULE:FREQ=MONTHLY;BYMONTHDAY=-1"),
            ["2026-01-31 09:00", "2026-02-28 09:00", "2026-03-31 09:00"],
            id="last-day",
        ),
        pytest.param(
            timed("2026-01-31 09:00", "Europe/Zurich", "RRULE:FREQ=MONTHLY"),
            ["2026-01-31 09:00", "2026-03-31 09:00", "2026-05-31 09:00"],
            id="the-31st-is-left-out",
        ),
        pytest.param(
            timed("2024-02-29 09:00", "Europe/Zurich", "RRULE:FREQ=YEARLY"),
            ["2024-02-29 09:00", "2028-02-29 09:00", "2032-02-29 09:00"],
            id="leap-day",
        ),
        pytest.param(
            timed("1997-08-05 09:00", "America/New_York", "RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO"),
            ["1997-08-05 09:00", "1997-08-10 09:00", "1997-08-19 09:00", "1997-08-24 09:00"],
            id="rfc-weeks-begin-on-monday",
        ),
        pytest.param(
            timed("1997-08-05 09:00", "America/New_York", "RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU"),
            ["1997-08-05 09:00", "1997-08-17 09:00", "1997-08-19 09:00", "1997-08-31 09:00"],
            id="rfc-weeks-begin-on-sunday",
        ),
        pytest.param(
            timed("2026-03-04 09:00", "Europe/Zurich", "RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=2"),
            ["2026-03-04 09:00", "2026-03-09 09:00", "2026-03-16 09:00"],
            id="a-first-start-that-does-not-fit",
        ),
        pytest.param(
            timed("2026-03-02 09:00", "Europe/Zurich", "RRULE:FREQ=DAILY", "EXRULE:FREQ=WEEKLY;BYDAY=TU,WE"),
            ["2026-03-02 09:00", "2026-03-05 09:00", "2026-03-06 09:00"],
            id="rule-of-exceptions",
        ),
        pytest.param(
            timed("2026-03-02 09:00", "Europe/Zurich", "RDATE;TZID=Europe/London:20260303T080000,20260304T093000"),
            ["2026-03-02 09:00", "2026-03-03 09:00", "2026-03-04 10:30"],
            id="dates-only",
        ),
    ],
)
def test_series_happen(pattern: Pattern, expected: list[str]) -> None:
    assert local_starts(pattern, len(expected)) == expected


@pytest.mark.rule("R15")
def test_last_starts_and_ends() -> None:
    endless = timed("2026-03-02 09:00", "Europe/Zurich", "RRULE:FREQ=DAILY")
    ten = timed("2026-03-02 09:00", "Europe/Zurich", "RRULE:FREQ=DAILY;COUNT=10")
    in_march = all_day("2026-03-30", "RRULE:FREQ=DAILY;UNTIL=20260331")

    assert recurrence.is_endless(endless)
    assert recurrence.last_start(endless) is None
    assert recurrence.last_start(ten) == datetime(2026, 3, 11, 8, tzinfo=UTC)
    assert recurrence.last_start(in_march) == datetime(2026, 3, 31, tzinfo=UTC)
    assert recurrence.happens_at(ten, datetime(2026, 3, 11, 8, tzinfo=UTC))
    assert not recurrence.happens_at(ten, datetime(2026, 3, 11, 9, tzinfo=UTC))
    assert not recurrence.happens_at(ten, datetime(2026, 3, 12, 8, tzinfo=UTC))


@pytest.mark.rule("R15")
def test_occurrences_are_named_as_google_names_them() -> None:
    start = datetime(2025, 3, 26, 7, 30, tzinfo=ZoneInfo("America/Chicago"))

    assert recurrence.instance_suffix(start, all_day=False) == "20250326T123000Z"
    assert recurrence.instance_suffix(datetime(2025, 3, 26, tzinfo=UTC), all_day=True) == "20250326"


@pytest.mark.rule("R15")
def test_a_series_is_divided_as_google_divides_it() -> None:
    chicago = timed(
        "2025-03-24 07:30",
        "America/Chicago",
        "EXDATE;TZID=America/Chicago:20250325T073000,20250327T073000",
        "RRULE:FREQ=DAILY;COUNT=10",
    )
    at = datetime(2025, 3, 26, 12, 30, tzinfo=UTC)

    assert recurrence.before_cut(chicago, at=at) == (
        "EXDATE;TZID=America/Chicago:20250325T073000",
        "RRULE:FREQ=DAILY;UNTIL=20250326T045959Z",
    )
    assert recurrence.from_cut(chicago, at=at) == (
        "EXDATE;TZID=America/Chicago:20250327T073000",
        "RRULE:FREQ=DAILY;COUNT=8",
    )
    days = all_day("2025-03-24", "RRULE:FREQ=DAILY")
    assert recurrence.before_cut(days, at=datetime(2025, 3, 26, tzinfo=UTC)) == ("RRULE:FREQ=DAILY;UNTIL=20250325",)


@pytest.mark.rule("R15")
def test_there_is_nothing_before_the_first_occurrence() -> None:
    pattern = timed("2026-03-02 09:00", "Europe/Zurich", "RRULE:FREQ=DAILY")

    with pytest.raises(ValueError):
        recurrence.before_cut(pattern, at=begin_of(pattern))


@pytest.mark.rule("R15")
def test_a_series_is_not_divided_at_an_extra_date_in_a_week_it_pauses() -> None:
    pattern = timed("2026-03-02 09:00", "Europe/Zurich", "RRULE:FREQ=WEEKLY;INTERVAL=2", "RDATE:20260310T080000Z")

    with pytest.raises(recurrence.UnableToMove):
        recurrence.from_cut(pattern, at=datetime(2026, 3, 10, 8, tzinfo=UTC))


# Moving


def move(pattern: Pattern, *, days: int = 0, hours: int = 0, zone: str = "") -> Pattern:
    """The pattern moved by the clock on the wall."""
    first, zone = pattern.first, zone or pattern.time_zone
    if isinstance(first, datetime):
        local = first.astimezone(UTC).astimezone(ZoneInfo(pattern.time_zone)).replace(tzinfo=None)
        first = (local + timedelta(days=days, hours=hours)).replace(tzinfo=ZoneInfo(zone))
    else:
        first += timedelta(days=days)
    return Pattern(first, zone, recurrence.moved(pattern, first=first, time_zone=zone))


@pytest.mark.rule("R15")
@given(
    patterns(ends=ENDS[1:], with_dates=False),
    st.integers(-10, 40),
    st.integers(-5, 5),
    st.sampled_from(["", "Europe/Zurich", "Asia/Kolkata"]),
)
def test_a_moved_series_happens_as_often(pattern: Pattern, days: int, hours: int, zone: str) -> None:
    try:
        moved = move(pattern, days=days, hours=hours, zone=zone)
    except recurrence.UnableToMove:
        return

    assert len([*recurrence.starts(moved)]) == len([*recurrence.starts(pattern)])


@pytest.mark.rule("R15")
@given(
    patterns(frequencies=["DAILY", "WEEKLY"], ends=ENDS[1:]),
    st.integers(-10, 40),
    st.sampled_from(["", "Europe/Zurich", "Asia/Kolkata"]),
)
def test_days_and_weeks_move_alike(pattern: Pattern, days: int, zone: str) -> None:
    """Every occurrence is as much later by the clock on the wall, exceptions and extra dates included."""
    zone = zone if isinstance(pattern.first, datetime) else ""
    try:
        moved = move(pattern, days=days, zone=zone)
    except recurrence.UnableToMove:
        return
    was, now = (ZoneInfo(p.time_zone if isinstance(p.first, datetime) else "UTC") for p in (pattern, moved))

    expected = [
        (start.astimezone(was).replace(tzinfo=None) + timedelta(days=days)).replace(tzinfo=now).astimezone(UTC)
        for start in recurrence.starts(pattern)
    ]

    assume(not any(_is_in_a_gap(start, was) for start in recurrence.starts(pattern)))
    assert [*recurrence.starts(moved)] == expected


@pytest.mark.rule("R15", "R11")
@given(
    patterns(frequencies=["DAILY", "WEEKLY"], ends=ENDS[1:], with_dates=False),
    st.integers(-10, 20),
    st.integers(-5, 5),
    st.data(),
)
def test_divided_and_moved_at_once_both_parts_are_the_whole_moved(
    pattern: Pattern, days: int, hours: int, data: st.DataObject
) -> None:
    starts = [*recurrence.starts(pattern)]
    assume(len(starts) > 1)
    at = data.draw(st.sampled_from(starts[1:]))
    first = at.astimezone(ZoneInfo(pattern.time_zone)) if isinstance(pattern.first, datetime) else at.date()
    try:
        cut = Pattern(pattern.first, pattern.time_zone, recurrence.before_cut(pattern, at=at))
        part = Pattern(first, pattern.time_zone, recurrence.from_cut(pattern, at=at))
        moved = move(pattern, days=days, hours=hours)
    except recurrence.UnableToMove:
        return

    before = recurrence.cut_and_moved(pattern, cut=cut, moved_whole=moved)
    after = recurrence.part_moved_along(pattern, moved_whole=moved, part=part)

    assert recurrence.is_cut(pattern, part=cut)
    assert before is not None
    assume(after is not None)  # A part that another clock cannot follow keeps its time.
    both = [*recurrence.starts(Pattern(moved.first, moved.time_zone, before)), *recurrence.starts(after)]
    assert both == [*recurrence.starts(moved)]


@pytest.mark.rule("R15", "R11")
@pytest.mark.parametrize(
    "other",
    [
        pytest.param(timed("2027-03-08T10:00", "Europe/Berlin", "RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=5"), id="rule"),
        pytest.param(timed("2027-03-08T14:00", "Europe/Berlin", "RRULE:FREQ=DAILY;COUNT=5"), id="rule-and-time"),
        pytest.param(timed("2027-03-09T10:00", "Europe/Berlin", "RRULE:FREQ=WEEKLY;COUNT=9"), id="longer"),
    ],
)
def test_another_rule_is_no_move(other: Pattern) -> None:
    whole = timed("2027-03-08T10:00", "Europe/Berlin", "RRULE:FREQ=WEEKLY;COUNT=5")
    cut = timed("2027-03-08T10:00", "Europe/Berlin", "RRULE:FREQ=WEEKLY;COUNT=2")
    part = timed("2027-03-22T10:00", "Europe/Berlin", "RRULE:FREQ=WEEKLY;COUNT=3")
    assert recurrence.cut_and_moved(whole, cut=cut, moved_whole=other) is None
    assert recurrence.part_moved_along(whole, moved_whole=other, part=part) is None


def _is_in_a_gap(start: datetime, zone: ZoneInfo) -> bool:
    """Whether the clocks went forward within the hour before, so that the time may have been put off."""
    return (start - timedelta(hours=1)).astimezone(zone).utcoffset() != start.astimezone(zone).utcoffset()


@pytest.mark.rule("R15")
@pytest.mark.parametrize(
    ("pattern", "days", "expected"),
    [
        pytest.param(
            timed("2026-03-02 09:00", "Europe/Zurich", "RRULE:FREQ=WEEKLY;BYDAY=MO,WE;UNTIL=20260331T215959Z"),
            1,
            ("RRULE:FREQ=WEEKLY;BYDAY=TU,TH;UNTIL=20260401T215959Z",),
            id="weekdays-and-end",
        ),
        pytest.param(
            timed("2026-03-02 09:00", "Europe/Zurich", "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU"),
            1,
            ("RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TU;WKST=TU",),
            id="a-week-stays-a-week",
        ),
        pytest.param(
            timed("2026-03-10 09:00", "Europe/Zurich", "RRULE:FREQ=MONTHLY;BYMONTHDAY=10"),
            3,
            ("RRULE:FREQ=MONTHLY;BYMONTHDAY=13",),
            id="day-of-month",
        ),
        pytest.param(
            timed("2026-03-10 09:00", "Europe/Zurich", "RRULE:FREQ=MONTHLY;BYMONTHDAY=10,20"),
            3,
            ("RRULE:FREQ=MONTHLY;BYMONTHDAY=13,23",),
            id="days-of-month",
        ),
        pytest.param(
            timed("2026-03-31 09:00", "Europe/Zurich", "RRULE:FREQ=MONTHLY;BYMONTHDAY=-1"),
            -1,
            ("RRULE:FREQ=MONTHLY;BYMONTHDAY=-2",),
            id="the-day-before-the-last",
        ),
        pytest.param(
            timed("2026-03-31 09:00", "Europe/Zurich", "RRULE:FREQ=MONTHLY;BYMONTHDAY=-1"),
            30,
            ("RRULE:FREQ=MONTHLY;BYMONTHDAY=-1",),
            id="the-last-day-of-the-next-month",
        ),
        pytest.param(
            timed("2026-03-10 09:00", "Europe/Zurich", "RRULE:FREQ=MONTHLY;BYDAY=2TU"),
            8,
            ("RRULE:FREQ=MONTHLY;BYDAY=3WE",),
            id="second-tuesday-to-third-wednesday",
        ),
        pytest.param(
            timed("2026-03-31 09:00", "Europe/Zurich", "RRULE:FREQ=MONTHLY;BYDAY=TU;BYSETPOS=-1"),
            -7,
            ("RRULE:FREQ=MONTHLY;BYDAY=TU;BYSETPOS=-2",),
            id="last-tuesday-to-the-one-before",
        ),
        pytest.param(
            all_day("2026-03-31", "RRULE:FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=31"),
            1,
            ("RRULE:FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=1",),
            id="day-of-year",
        ),
        pytest.param(
            all_day("2026-03-02", "RRULE:FREQ=DAILY;UNTIL=20260310", "EXDATE;VALUE=DATE:20260304"),
            5,
            ("RRULE:FREQ=DAILY;UNTIL=20260315", "EXDATE;VALUE=DATE:20260309"),
            id="all-day",
        ),
        pytest.param(
            timed(
                "2026-03-10 09:00", "Europe/Zurich", "RRULE:FREQ=MONTHLY;BYDAY=2TU;COUNT=3", "EXDATE:20260414T070000Z"
            ),
            1,
            ("RRULE:FREQ=MONTHLY;BYDAY=2WE;COUNT=3", "EXDATE:20260408T070000Z"),
            id="an-exception-stays-that-of-its-month",
        ),
    ],
)
def test_what_moves_with_a_series(pattern: Pattern, days: int, expected: tuple[str, ...]) -> None:
    assert move(pattern, days=days).lines == expected


@pytest.mark.rule("R15")
def test_another_time_leaves_the_days_alone() -> None:
    pattern = timed("2026-03-02 09:00", "Europe/Zurich", "RRULE:FREQ=WEEKLY;BYDAY=MO,WE;UNTIL=20260331T215959Z")

    assert move(pattern, hours=3).lines == pattern.lines
    assert move(pattern).lines == pattern.lines


@pytest.mark.rule("R15")
def test_a_timed_series_becomes_all_day_and_back() -> None:
    pattern = timed(
        "2026-03-02 00:30", "Europe/Zurich", "RRULE:FREQ=DAILY;UNTIL=20260331T215959Z", "EXDATE:20260303T233000Z"
    )

    lines = recurrence.moved(pattern, first=date(2026, 3, 2), time_zone="UTC")
    back = recurrence.moved(all_day("2026-03-02", *lines), first=pattern.first, time_zone="Europe/Zurich")

    assert lines == ("RRULE:FREQ=DAILY;UNTIL=20260331", "EXDATE;VALUE=DATE:20260304")
    assert back == pattern.lines


@pytest.mark.rule("R15")
@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1",
        "FREQ=MONTHLY;BYDAY=MO",
        "FREQ=MONTHLY;BYMONTHDAY=2,28",
        "FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR",
        "FREQ=MONTHLY;BYMONTH=3,6",
        "FREQ=WEEKLY;BYMONTH=3",
        "FREQ=YEARLY;BYWEEKNO=10",
        "FREQ=YEARLY;BYYEARDAY=61",
        "FREQ=YEARLY;BYDAY=9MO",
        "FREQ=MONTHLY;BYMONTHDAY=5",
    ],
)
def test_rules_too_particular_to_move(rule: str) -> None:
    pattern = timed("2026-03-02 09:00", "Europe/Zurich", f"RRULE:{rule}")

    with pytest.raises(recurrence.UnableToMove):
        move(pattern, days=1)


@pytest.mark.rule("R15")
def test_times_of_day_move_if_there_is_only_one() -> None:
    pattern = timed("2026-03-02 09:00", "Europe/Zurich", "RRULE:FREQ=DAILY;BYHOUR=9;BYMINUTE=0;COUNT=2")

    assert move(pattern, hours=2).lines == ("RRULE:FREQ=DAILY;COUNT=2",)
    with pytest.raises(recurrence.UnableToMove):
        move(timed("2026-03-02 09:00", "Europe/Zurich", "RRULE:FREQ=DAILY;BYHOUR=9,15"), hours=2)


def counterparts(old: Pattern, new: Pattern) -> list[str | None]:
    """The local times of what the first four occurrences become."""
    candidates = {*islice(recurrence.starts(new), 20)}
    found = [
        recurrence.counterpart(start, old=old, new=new, candidates=candidates)
        for start in islice(recurrence.starts(old), 4)
    ]
    return [f"{start.astimezone(ZoneInfo(new.time_zone)):%m-%d %H:%M}" if start else None for start in found]


@pytest.mark.rule("R15")
@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(
            timed("2026-03-23 09:00", "Europe/Zurich", "RRULE:FREQ=WEEKLY"),
            timed("2026-03-23 15:00", "Europe/Zurich", "RRULE:FREQ=WEEKLY"),
            ["03-23 15:00", "03-30 15:00", "04-06 15:00", "04-13 15:00"],
            id="another-time",
        ),
        pytest.param(
            timed("2026-03-02 09:00", "Europe/Zurich", "RRULE:FREQ=WEEKLY;BYDAY=MO,WE"),
            timed("2026-03-04 09:00", "Europe/Zurich", "RRULE:FREQ=WEEKLY;BYDAY=WE,FR"),
            ["03-04 09:00", "03-06 09:00", "03-11 09:00", "03-13 09:00"],
            id="all-of-it-moved-onto-its-own-days",
        ),
        pytest.param(
            timed("2026-03-10 09:00", "Europe/Zurich", "RRULE:FREQ=MONTHLY;BYDAY=2TU"),
            timed("2026-03-11 09:00", "Europe/Zurich", "RRULE:FREQ=MONTHLY;BYDAY=2WE"),
            ["03-11 09:00", "04-08 09:00", "05-13 09:00", "06-10 09:00"],
            id="another-weekday-of-the-month",
        ),
        pytest.param(
            timed("2026-03-02 09:00", "Europe/Zurich", "RRULE:FREQ=WEEKLY"),
            timed("2026-03-09 09:00", "Europe/Zurich", "RRULE:FREQ=WEEKLY"),
            [None, "03-09 09:00", "03-16 09:00", "03-23 09:00"],
            id="a-later-begin",
        ),
        pytest.param(
            timed("2026-03-02 09:00", "Europe/Zurich", "RRULE:FREQ=DAILY"),
            timed("2026-03-02 09:00", "Europe/Zurich", "RRULE:FREQ=DAILY;INTERVAL=2"),
            ["03-02 09:00", None, "03-04 09:00", None],
            id="fewer",
        ),
        pytest.param(
            timed("2026-03-02 09:00", "Europe/Zurich", "RRULE:FREQ=DAILY"),
            timed("2026-03-03 15:00", "Europe/Zurich", "RRULE:FREQ=WEEKLY;BYDAY=TU,TH"),
            ["03-03 15:00", "03-03 15:00", "03-05 15:00", "03-05 15:00"],
            id="same-day-at-another-time",
        ),
    ],
)
def test_what_occurrences_become(old: Pattern, new: Pattern, expected: list[str | None]) -> None:
    assert counterparts(old, new) == expected


# The form


@st.composite
def repetitions(draw: st.DrawFn) -> recurrence.Repetition:
    frequency = draw(st.sampled_from(["daily", "weekly", "monthly", "yearly"]))
    end = draw(st.sampled_from(["", "until", "count"]))
    return recurrence.Repetition(
        frequency,
        interval=draw(st.integers(1, 9)),
        weekdays=tuple(sorted(draw(st.sets(st.integers(0, 6), min_size=1)))) if frequency == "weekly" else (),
        monthly_by=draw(st.sampled_from(["day", "weekday"])) if frequency == "monthly" else "day",
        until=draw(st.dates(date(2028, 1, 1), date(2030, 1, 1))) if end == "until" else None,
        count=draw(st.integers(1, 500)) if end == "count" else None,
    )


@pytest.mark.rule("R15")
@given(repetitions(), patterns())
def test_what_the_form_makes_it_can_show(repetition: recurrence.Repetition, begin: Pattern) -> None:
    lines = recurrence.lines_of(repetition, first=begin.first, time_zone=begin.time_zone)

    assert recurrence.repetition_of(Pattern(begin.first, begin.time_zone, lines)) == repetition


@pytest.mark.rule("R15")
@given(patterns(with_dates=False))
def test_what_the_form_shows_is_the_whole_rule(pattern: Pattern) -> None:
    repetition = recurrence.repetition_of(pattern)
    assume(repetition is not None)
    assert repetition is not None

    lines = recurrence.lines_of(repetition, first=pattern.first, time_zone=pattern.time_zone)

    end = begin_of(pattern) + YEARS
    shown = Pattern(pattern.first, pattern.time_zone, lines)
    assert [*recurrence.starts(shown, before=end)] == [*recurrence.starts(pattern, before=end)]


@pytest.mark.rule("R15")
@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("FREQ=DAILY", "Every day"),
        ("FREQ=DAILY;INTERVAL=3;COUNT=10", "Every 3 days, 10 times"),
        ("FREQ=WEEKLY", "Every week on Tuesday"),
        ("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "Every weekday"),
        (
            "FREQ=WEEKLY;WKST=SU;INTERVAL=2;BYDAY=TH,MO;UNTIL=20270603T215959Z",
            "Every 2 weeks on Monday and Thursday, until 3 June 2027",
        ),
        ("FREQ=WEEKLY;BYDAY=TU,WE,SU", "Every week on Tuesday, Wednesday and Sunday"),
        ("FREQ=WEEKLY;UNTIL=20270603T060000Z", "Every week on Tuesday, until 2 June 2027"),
        ("FREQ=MONTHLY", "Every month on day 10"),
        ("FREQ=MONTHLY;BYMONTHDAY=1,15", "Every month on days 1 and 15"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "Every month on the last day"),
        ("FREQ=MONTHLY;BYDAY=2TU", "Every month on the second Tuesday"),
        ("FREQ=MONTHLY;BYDAY=TU;BYSETPOS=-1", "Every month on the last Tuesday"),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "Every month on the last weekday"),
        ("FREQ=YEARLY;COUNT=1", "Every year on 10 March, 1 time"),
        ("FREQ=YEARLY;BYMONTH=3;BYDAY=2TU", "Every year on the second Tuesday of March"),
        ("FREQ=MONTHLY;BYMONTHDAY=-3", "Repeats by its own rule"),
        ("FREQ=YEARLY;BYWEEKNO=20", "Repeats by its own rule"),
        ("FREQ=DAILY;BYHOUR=9,15", "Repeats by its own rule"),
        ("FREQ=NEVER", "Repeats by its own rule"),
    ],
)
def test_rules_in_words(rule: str, expected: str) -> None:
    assert recurrence.in_words(timed("2026-03-10 09:00", "Europe/Zurich", f"RRULE:{rule}")) == expected


@pytest.mark.rule("R15")
def test_dates_in_words() -> None:
    assert recurrence.in_words(all_day("2026-03-10", "RDATE;VALUE=DATE:20260312,20260314")) == "On 3 dates"
    with_more = all_day("2026-03-10", "RRULE:FREQ=DAILY;COUNT=2", "RDATE;VALUE=DATE:20260314")
    assert recurrence.in_words(with_more) == "Every day, 2 times and on 1 other date"


# What must not be believed


@pytest.mark.rule("R15")
@pytest.mark.parametrize(
    "line",
    [
        "",
        "RRULE",
        "RRULE:",
        "RRULE:COUNT=3",
        "RRULE:FREQ=SOMETIMES",
        "RRULE:FREQ=SECONDLY",
        "RRULE:FREQ=HOURLY;INTERVAL=24",
        "RRULE:FREQ=DAILY;COUNT=3;UNTIL=20270101",
        "RRULE:FREQ=DAILY;FREQ=WEEKLY",
        "RRULE:FREQ=DAILY;INTERVAL=0",
        "RRULE:FREQ=DAILY;INTERVAL=-1",
        "RRULE:FREQ=DAILY;INTERVAL=1000000000000",
        "RRULE:FREQ=DAILY;COUNT=" + "9" * 50_000,
        "RRULE:FREQ=DAILY;COUNT=１",
        "RRULE:FREQ=DAILY;UNTIL=20260231",
        "RRULE:FREQ=DAILY;UNTIL=00010101T000000Z",
        "RRULE:FREQ=DAILY;UNTIL=tomorrow",
        "RRULE:FREQ=DAILY;WKST=XX",
        "RRULE:FREQ=WEEKLY;BYDAY=",
        "RRULE:FREQ=WEEKLY;BYDAY=XX",
        "RRULE:FREQ=MONTHLY;BYDAY=0MO",
        "RRULE:FREQ=MONTHLY;BYDAY=99MO",
        "RRULE:FREQ=MONTHLY;BYMONTHDAY=0",
        "RRULE:FREQ=MONTHLY;BYMONTHDAY=32",
        "RRULE:FREQ=YEARLY;BYEASTER=0",
        "RRULE:FREQ=DAILY;BYHOUR=24",
        "RRULE:FREQ=DAILY;BYMINUTE=" + ",".join(map(str, range(60))),
        "RRULE:FREQ=DAILY\nRRULE:FREQ=DAILY",
        "RRULE:FREQ=DAILY\x00",
        "RRULE:FREQ=DAILY ",
        "DTSTART:20260302T080000Z",
        "EXDATE:yesterday",
        "EXDATE:20260302T250000Z",
        "EXDATE;TZID=Mars/Olympus:20260302T080000",
        "EXDATE;TZID=../../etc/passwd:20260302T080000",
        "RDATE;VALUE=TEXT:20260302",
        "RDATE:" + "20260302T080000Z," * 20_000 + "20260302T080000Z",
    ],
)
def test_lines_that_make_no_sense_are_refused_with_words(line: str) -> None:
    with pytest.raises(recurrence.UnreadableRule) as refusal:
        recurrence.check(timed("2026-03-02 09:00", "Europe/Zurich", line))

    assert str(refusal.value).endswith(".")
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 200


@pytest.mark.rule("R15", "R16")
@pytest.mark.parametrize(
    "zone", ["", "Mars/Olympus", "../../etc/passwd", "/etc/passwd", "Europe", "\x00", "x" * 10_000]
)
def test_an_unknown_zone_is_refused(zone: str) -> None:
    pattern = Pattern(datetime(2026, 3, 2, 8, tzinfo=UTC), zone, ("RRULE:FREQ=DAILY",))

    with pytest.raises(recurrence.UnreadableRule, match="time zone"):
        recurrence.check(pattern)


@pytest.mark.rule("R15")
@given(st.lists(st.text(max_size=60) | st.builds("RRULE:{}".format, st.text(max_size=60)), max_size=3))
def test_any_text_is_read_or_refused(lines: list[str]) -> None:
    try:
        recurrence.check(Pattern(datetime(2026, 3, 2, 8, tzinfo=UTC), "Europe/Zurich", tuple(lines)))
    except recurrence.UnreadableRule:
        pass


_pieces = st.sampled_from([
    "FREQ=DAILY", "FREQ=WEEKLY", "FREQ=MONTHLY", "FREQ=YEARLY", "INTERVAL=9999", "INTERVAL=2", "COUNT=9999", "COUNT=1",
    "UNTIL=99991231T235959Z", "UNTIL=20260101", "BYMONTH=2", "BYMONTHDAY=30", "BYMONTHDAY=-31", "BYDAY=5MO,-5FR",
    "BYDAY=53SU", "BYSETPOS=366", "BYSETPOS=-366", "BYYEARDAY=366", "BYWEEKNO=53", "BYWEEKNO=-53", "WKST=SU",
    "BYHOUR=0,23", "BYSECOND=59",
])  # fmt: skip


@pytest.mark.rule("R15")
@settings(max_examples=30)
@given(
    st.lists(_pieces, min_size=1, max_size=6, unique_by=lambda piece: piece.partition("=")[0]),
    st.dates(date(1600, 1, 1), date(2200, 12, 31)),
    st.booleans(),
)
def test_whatever_is_read_can_be_used(pieces: list[str], day: date, is_all_day: bool) -> None:
    first = day if is_all_day else datetime.combine(day, time(0, 30), tzinfo=ZoneInfo("Pacific/Auckland"))
    pattern = Pattern(first, "Pacific/Auckland", ("RRULE:" + ";".join(pieces), "EXDATE:99991231T235959Z"))
    try:
        recurrence.check(pattern)
    except recurrence.UnreadableRule:
        assume(False)

    found = [*islice(recurrence.starts(pattern, after=datetime(2026, 1, 1, tzinfo=UTC)), 5)]
    recurrence.in_words(pattern)
    recurrence.repetition_of(pattern)
    for start in found[1:3]:
        assert recurrence.happens_at(pattern, start)
        recurrence.from_cut(pattern, at=start)
        recurrence.before_cut(pattern, at=start)
    try:
        move(pattern, days=1)
    except recurrence.UnableToMove:
        pass


@pytest.mark.rule("R15")
@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYMONTHDAY=31;BYMONTH=4",
        "FREQ=YEARLY;BYWEEKNO=1;BYMONTH=6",
        "FREQ=WEEKLY;BYDAY=MO;BYSETPOS=300",
        "FREQ=DAILY;COUNT=5;BYMONTH=2;BYMONTHDAY=30",
    ],
)
def test_rules_that_never_match_are_done_soon(rule: str) -> None:
    pattern = timed("2000-01-01 09:00", "Europe/Zurich", f"RRULE:{rule}")

    begin = process_time()
    found = [*recurrence.starts(pattern)]

    assert found == [begin_of(pattern)]
    assert process_time() - begin < 2


@pytest.mark.rule("R15")
def test_the_starts_of_an_old_endless_series_come_at_once() -> None:
    patterns_of_all_kinds = [
        timed("1970-01-01 09:00", "Europe/Zurich", f"RRULE:FREQ={frequency}", "EXRULE:FREQ=WEEKLY;BYDAY=SU")
        for frequency in ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
    ]
    after = datetime(2180, 1, 1, tzinfo=UTC)

    begin = process_time()
    for _ in range(20):
        for pattern in patterns_of_all_kinds:
            assert next(recurrence.starts(pattern, after=after)) >= after

    assert process_time() - begin < 1
