"""Dividing a series at one of its occurrences: the lines of both parts (R15)."""

from __future__ import annotations

from datetime import datetime, timedelta

from activities.recurrence.clock import Clock
from activities.recurrence.days import WEEKDAYS
from activities.recurrence.expansion import starts_of
from activities.recurrence.lines import DatesLine, RuleLine, Series, read
from activities.recurrence.pattern import Pattern, UnableToMove
from activities.recurrence.rules import Rule


def before_cut(pattern: Pattern, *, at: datetime) -> tuple[str, ...]:
    """
    Return the lines of the part of a series before one of its occurrences; its first start stays.

    A rule that would go on ends as Google ends it, with the day before; a COUNT gives way to that.

    :raises UnreadableRule:
    :raises ValueError: if nothing happens before `at`.
    """
    series = read(pattern)
    if next(starts_of(series, before=at), None) is None:
        raise ValueError(at)
    lines = []
    for line in series.lines:
        if isinstance(line, DatesLine):
            lines += line.only(lambda moment: moment < at)
        elif line.name == "EXRULE" or not line.rule.goes_on(series.clock, at):
            lines.append(line.text)
        else:
            lines.append(line.with_parts(COUNT=None, UNTIL=_until_before(series, at)))
    return tuple(lines)


def from_cut(pattern: Pattern, *, at: datetime) -> tuple[str, ...]:
    """
    Return the lines of the part of a series that begins with the occurrence `at`, which is its first start.

    What the old first start said implicitly (weekday, day, time) is written down where `at` would say something else:
    `at` can be an extra date, or be later on the day on which the clocks go forward.

    :raises UnreadableRule:
    :raises UnableToMove: if a rule pauses (every second week) when `at`, an extra date, happens.
    """
    series = read(pattern)
    first = series.clock.local(at)
    lines: list[str] = []
    for line in series.lines:
        if isinstance(line, DatesLine):
            is_extra = line.name == "RDATE"
            has_same_time = first.time() == series.clock.first.time()
            kept = line.only(lambda moment: moment > at if is_extra else moment >= at, spell_out=not has_same_time)  # noqa: B023
            lines += kept
        elif line.rule.goes_on(series.clock, at):
            lines.append(_rule_from(line, series.clock, at))
    return tuple(lines)


def _rule_from(line: RuleLine, clock: Clock, at: datetime) -> str:
    rule, old, new = line.rule, clock.first, clock.local(at)
    if (rule.index(new.date()) - rule.index(old.date())) % rule.interval:
        raise UnableToMove("The series cannot be divided at this occurrence, which is an extra date of it.")
    parts: dict[str, str | None] = {}
    if rule.count is not None:
        past = sum(1 for _ in rule.hits(clock, before=at))
        parts["COUNT"] = str(rule.count - past)
    if rule.names_no_day and _implied_day(rule, old) != _implied_day(rule, new):
        parts |= _implied_day(rule, old)
    if not clock.is_all_day and old.time() != new.time():
        for name, value, other in (
            ("BYHOUR", old.hour, new.hour),
            ("BYMINUTE", old.minute, new.minute),
            ("BYSECOND", old.second, new.second),
        ):
            if value != other and name not in line.parts:
                parts[name] = str(value)
        if rule.count is not None:  # Not everybody counts a first start that is not at the time of the rule.
            parts |= {"COUNT": None, "UNTIL": clock.written(max(rule.hits(clock)))}
    return line.with_parts(**parts)


def _implied_day(rule: Rule, first: datetime) -> dict[str, str]:
    """Return the parts a rule without any has from the first start."""
    match rule.frequency:
        case "WEEKLY":
            return {"BYDAY": WEEKDAYS[first.weekday()]}
        case "MONTHLY":
            return {"BYMONTHDAY": str(first.day)}
        case "YEARLY":
            month = {} if rule.months else {"BYMONTH": str(first.month)}
            return month | {"BYMONTHDAY": str(first.day)}
    return {}


def _until_before(series: Series, at: datetime) -> str:
    """Return the UNTIL of a rule that ends before an occurrence: with the day before, if that leaves nothing out."""
    clock, local = series.clock, series.clock.local(at)
    if clock.is_all_day:
        return clock.written(local - timedelta(days=1))
    midnight = clock.at_midnight(local.date())
    ends_too_early = midnight <= clock.first_moment or any(True for _ in starts_of(series, after=midnight, before=at))
    return clock.written((at if ends_too_early else midnight) - timedelta(seconds=1))
