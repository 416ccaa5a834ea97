"""Dividing and moving series: the parts are the whole, and what was moved happens as often."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from activities import recurrence
from activities.recurrence import Pattern
from tests.activities.recurrence_patterns import ENDS, YEARS, all_day, begin_of, move, patterns, timed


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


@pytest.mark.rule("R15", "R16")
def test_a_series_divided_on_the_night_the_clocks_go_forward_keeps_its_time() -> None:
    pattern = timed("2026-03-28 02:30", "Europe/Zurich", "RRULE:FREQ=DAILY;COUNT=3")
    whole = [*recurrence.starts(pattern)]

    rest = Pattern(whole[1], pattern.time_zone, recurrence.from_cut(pattern, at=whole[1]))

    assert [*recurrence.starts(rest)] == whole[1:]


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


@pytest.mark.rule("R15")
@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(
            timed("2026-03-23 09:00", "Europe/Zurich", "RRULE:FREQ=WEEKLY"),
            timed("2026-03-24 15:00", "Europe/Zurich", "RRULE:FREQ=WEEKLY"),
            ["03-24 15:00", "03-31 15:00", "04-07 15:00", "04-14 15:00"],
            id="as much later",
        ),
        pytest.param(
            timed("2026-03-02 09:00", "Europe/Zurich", "RRULE:FREQ=WEEKLY"),
            timed("2026-05-05 09:00", "Europe/Zurich", "RRULE:FREQ=WEEKLY"),
            ["05-05 09:00", "05-12 09:00", "05-19 09:00", "05-26 09:00"],
            id="much later",
        ),
        pytest.param(
            timed("2026-03-02 09:00", "Europe/Zurich", "RRULE:FREQ=DAILY"),
            timed("2026-03-03 15:00", "Europe/Zurich", "RRULE:FREQ=WEEKLY;BYDAY=TU,TH"),
            ["03-03 15:00", None, "03-05 15:00", None],
            id="each place once",
        ),
        pytest.param(
            timed("2026-03-02 09:00", "Europe/Zurich", "RRULE:FREQ=WEEKLY"),
            timed("2026-03-02 09:00", "Europe/Zurich", "RRULE:FREQ=WEEKLY;INTERVAL=2"),
            [None, None, None, None],
            id="what stays is nobody else's place",
        ),
    ],
)
def test_where_an_occurrence_is_once_its_series_was_moved(old: Pattern, new: Pattern, expected: list[str | None]):
    found = [recurrence.start_once_moved(start, old=old, new=new) for start in islice(recurrence.starts(old), 4)]
    local = [f"{start.astimezone(ZoneInfo(new.time_zone)):%m-%d %H:%M}" if start else None for start in found]
    assert local == expected
