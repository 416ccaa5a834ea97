"""What the form can show of a rule."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Literal

from activities.recurrence.clock import clock_of
from activities.recurrence.days import WEEKDAYS, which_of_month
from activities.recurrence.expansion import check
from activities.recurrence.lines import joined, read
from activities.recurrence.pattern import Pattern
from activities.recurrence.rules import Rule

_FORM_NAMES: dict[str, Literal["daily", "weekly", "monthly", "yearly"]] = {
    "DAILY": "daily",
    "WEEKLY": "weekly",
    "MONTHLY": "monthly",
    "YEARLY": "yearly",
}


@dataclass(frozen=True, slots=True)
class Repetition:
    """A rule as the form has it; what it leaves out comes from the first start."""

    frequency: Literal["daily", "weekly", "monthly", "yearly"]
    interval: int = 1
    weekdays: tuple[int, ...] = ()  # Of a weekly one; Monday is 0. None of them: that of the first start.
    monthly_by: Literal["day", "last_day", "weekday"] = "day"  # The 14th, the last one, or the second Tuesday.
    until: date | None = None  # The last day, in the zone of the series.
    count: int | None = None


def lines_of(repetition: Repetition, *, first: datetime | date, time_zone: str) -> tuple[str, ...]:
    """
    Return the lines for a series that begins at `first`.

    A month without the 29th, 30th or 31st is left out, as everywhere. The fifth of a weekday means the last.

    :raises UnreadableRule: if a number, the year or the zone is out of reach, or there are both an end and a count.
    """
    clock = clock_of(first, time_zone)
    parts = {"FREQ": repetition.frequency.upper()}
    if repetition.interval != 1:
        parts["INTERVAL"] = str(repetition.interval)
    if repetition.frequency == "weekly":
        weekdays = sorted(set(repetition.weekdays)) or [clock.first.weekday()]
        parts["BYDAY"] = ",".join(WEEKDAYS[day] for day in weekdays)
    if repetition.frequency == "monthly" and repetition.monthly_by == "weekday":
        parts["BYDAY"] = f"{which_of_month(clock.first.date(), like=1)}{WEEKDAYS[clock.first.weekday()]}"
    if repetition.frequency == "monthly" and repetition.monthly_by == "last_day":
        parts["BYMONTHDAY"] = "-1"
    if repetition.count is not None:
        parts["COUNT"] = str(repetition.count)
    if repetition.until is not None:
        parts["UNTIL"] = clock.written(clock.at_end(repetition.until))
    lines = (f"RRULE:{joined(parts)}",)
    check(Pattern(first, time_zone, lines))
    return lines


def repetition_of(pattern: Pattern) -> Repetition | None:
    """Return the rule as the form has it; None if it is more than the form can show. :raises UnreadableRule:"""
    series = read(pattern)
    if len(series.lines) != 1 or len(series.rules) != 1:
        return None
    rule, clock = series.rules[0].filled_in(series.clock.first), series.clock
    is_weekly = rule.frequency == "WEEKLY"
    repetition = Repetition(
        _FORM_NAMES[rule.frequency],
        interval=rule.interval,
        weekdays=tuple(sorted({day for _, day in rule.weekdays})) if is_weekly else (),
        monthly_by=_monthly_by(rule),
        until=rule.last_day(clock) if rule.until else None,
        count=rule.count,
    )
    (shown,) = read(
        replace(pattern, lines=lines_of(repetition, first=pattern.first, time_zone=pattern.time_zone))
    ).rules
    has_same_weeks = not is_weekly or rule.interval == 1 or _weeks_begin_alike(rule, clock.first.date())
    is_all = replace(rule, until=None, week_start=0) == replace(shown.filled_in(clock.first), until=None, week_start=0)
    return repetition if is_all and has_same_weeks else None


def _monthly_by(rule: Rule) -> Literal["day", "last_day", "weekday"]:
    if rule.frequency != "MONTHLY":
        return "day"
    if rule.weekdays:
        return "weekday"
    return "last_day" if rule.month_days == {-1} else "day"


def _weeks_begin_alike(rule: Rule, first: date) -> bool:
    """Return whether the weekdays fall into the same weeks of the series as if weeks began on Monday."""
    here = first.weekday()
    begin = (here - rule.week_start) % 7
    return all((day - rule.week_start) % 7 - begin == day - here for _, day in rule.weekdays)
