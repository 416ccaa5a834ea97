"""Rules in the form and in words."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from activities import recurrence
from activities.recurrence import Pattern
from tests.activities.recurrence_patterns import YEARS, all_day, begin_of, patterns, timed


@st.composite
def repetitions(draw: st.DrawFn) -> recurrence.Repetition:
    frequency = draw(st.sampled_from(["daily", "weekly", "monthly", "yearly"]))
    end = draw(st.sampled_from(["", "until", "count"]))
    return recurrence.Repetition(
        frequency,
        interval=draw(st.integers(1, 9)),
        weekdays=tuple(sorted(draw(st.sets(st.integers(0, 6), min_size=1)))) if frequency == "weekly" else (),
        monthly_by=draw(st.sampled_from(["day", "last_day", "weekday"])) if frequency == "monthly" else "day",
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
