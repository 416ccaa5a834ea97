"""A rule in words."""

from __future__ import annotations

from activities.recurrence.clock import Clock
from activities.recurrence.lines import read
from activities.recurrence.pattern import Pattern, UnreadableRule
from activities.recurrence.rules import Rule

_WEEKDAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTH_NAMES = (
    "", "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_WHICH = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", -1: "last"}
_UNITS = {"DAILY": "day", "WEEKLY": "week", "MONTHLY": "month", "YEARLY": "year"}
_OWN_RULE = "Repeats by its own rule"


def in_words(pattern: Pattern) -> str:
    """
    Return the rule as an English phrase: “Every 2 weeks on Monday and Thursday, until 3 June 2027”.

    A rule that cannot be read, or is too particular for a phrase, is said to be its own.
    """
    try:
        series = read(pattern)
    except UnreadableRule:
        return _OWN_RULE
    extra = len(series.dates("RDATE") - {series.clock.first_moment})
    if series.rules_of_exceptions or len(series.rules) > 1:
        return _OWN_RULE
    if not series.rules:
        return f"On {extra + 1} dates" if extra else "Does not repeat"
    rule = series.rules[0].filled_in(series.clock.first)
    days = _days_in_words(rule)
    if days is None or len(rule.times(series.clock)) > 1:
        return _OWN_RULE
    also = f" and on {_counted(extra, 'other date')}" if extra else ""
    return days + _end_in_words(rule, series.clock) + also


def _days_in_words(rule: Rule) -> str | None:
    if rule.year_days or rule.weeks or (rule.positions and rule.frequency in ("DAILY", "WEEKLY")):
        return None
    every = f"Every {_counted(rule.interval, _UNITS[rule.frequency]) if rule.interval > 1 else _UNITS[rule.frequency]}"
    match rule.frequency:
        case "DAILY":
            return None if rule.months or rule.month_days or rule.weekdays else every
        case "WEEKLY":
            return None if rule.months or rule.month_days else _weekdays_in_words(rule, every)
        case "MONTHLY":
            days = _of_month_in_words(rule)
            return f"{every} on {days}" if days and not rule.months else None
    return _year_in_words(rule, every)


def _weekdays_in_words(rule: Rule, every: str) -> str:
    days = [day for _, day in rule.weekdays]
    if rule.interval == 1 and days == [0, 1, 2, 3, 4]:
        return "Every weekday"
    return f"{every} on {_listed([_WEEKDAY_NAMES[day] for day in sorted(days)])}"


def _year_in_words(rule: Rule, every: str) -> str | None:
    if len(rule.months) != 1:
        return None
    (month,) = rule.months
    if len(rule.month_days) == 1 and not rule.weekdays and not rule.positions and min(rule.month_days) > 0:
        return f"{every} on {min(rule.month_days)} {_MONTH_NAMES[month]}"
    days = _of_month_in_words(rule)
    return f"{every} on {days} of {_MONTH_NAMES[month]}" if days else None


def _of_month_in_words(rule: Rule) -> str | None:
    """Return “day 14”, “days 1 and 15”, “the last day”, “the second Tuesday”, “the last weekday”; None if none fits."""
    if rule.month_days:
        if rule.weekdays or rule.positions:
            return None
        if rule.month_days == {-1}:
            return "the last day"
        if min(rule.month_days) < 0:
            return None
        return f"day{'s' if len(rule.month_days) > 1 else ''} {_listed([str(day) for day in sorted(rule.month_days)])}"
    days = [(which, _WEEKDAY_NAMES[day]) for which, day in rule.weekdays]
    if rule.positions:
        if len(rule.positions) > 1 or any(which for which, _ in days):
            return None
        (position,) = rule.positions
        kinds = {
            tuple(_WEEKDAY_NAMES): "day",
            tuple(_WEEKDAY_NAMES[:5]): "weekday",
            tuple(_WEEKDAY_NAMES[5:]): "weekend day",
        }
        names = tuple(name for _, name in days)
        kind = names[0] if len(names) == 1 else kinds.get(names)
        days = [(position, kind)] if kind else []
    if not days or any(which not in _WHICH for which, _ in days):
        return None
    return _listed([f"the {_WHICH[which]} {name}" for which, name in days])


def _end_in_words(rule: Rule, clock: Clock) -> str:
    if rule.count is not None:
        return f", {_counted(rule.count, 'time')}"
    if rule.until is not None:
        day = rule.last_day(clock)
        return f", until {day.day} {_MONTH_NAMES[day.month]} {day.year}"
    return ""


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
