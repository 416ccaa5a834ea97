"""When repeating activities happen: by hand, and compared with the emulator's own reading of the same rules."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, takewhile
from time import process_time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from activities import recurrence
from activities.recurrence import Pattern
from tests.activities.recurrence_patterns import (
    YEARS,
    all_day,
    as_google,
    begin_of,
    local_starts,
    move,
    patterns,
    timed,
)


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
