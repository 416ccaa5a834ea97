"""A rule in words, of the language that is active."""

from __future__ import annotations

from django.utils.dates import MONTHS, WEEKDAYS
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from activities.recurrence.clock import Clock
from activities.recurrence.lines import read
from activities.recurrence.pattern import Pattern, UnreadableRule
from activities.recurrence.rules import Rule

_WHICH = {
    1: gettext_noop("first"),
    2: gettext_noop("second"),
    3: gettext_noop("third"),
    4: gettext_noop("fourth"),
    5: gettext_noop("fifth"),
    -1: gettext_noop("last"),
}
_EVERY_DAY, _WORKING_DAYS, _WEEKEND = tuple(range(7)), tuple(range(5)), (5, 6)


def own_rule() -> str:
    """Return what is said of a rule that cannot be read, or is too particular for a phrase."""
    return _("Repeats by its own rule")


def in_words(pattern: Pattern) -> str:
    """
    Return the rule as a phrase: “Every 2 weeks on Monday and Thursday, until 3 June 2027”.

    A rule that cannot be read, or is too particular for a phrase, is said to be its own.
    """
    try:
        series = read(pattern)
    except UnreadableRule:
        return own_rule()
    extra = len(series.dates("RDATE") - {series.clock.first_moment})
    if series.rules_of_exceptions or len(series.rules) > 1:
        return own_rule()
    if not series.rules:
        return _("On %(number)d dates") % {"number": extra + 1} if extra else _("Does not repeat")
    rule = series.rules[0].filled_in(series.clock.first)
    days = _days_in_words(rule)
    if days is None or len(rule.times(series.clock)) > 1:
        return own_rule()
    also = ngettext(" and on %(number)d other date", " and on %(number)d other dates", extra) % {"number": extra}
    return days + _end_in_words(rule, series.clock) + (also if extra else "")


def _days_in_words(rule: Rule) -> str | None:
    if rule.year_days or rule.weeks or (rule.positions and rule.frequency in ("DAILY", "WEEKLY")):
        return None
    every = _every(rule)
    match rule.frequency:
        case "DAILY":
            return None if rule.months or rule.month_days or rule.weekdays else every
        case "WEEKLY":
            return None if rule.months or rule.month_days else _weekdays_in_words(rule, every)
        case "MONTHLY":
            days = _of_month_in_words(rule)
            return _on(every, days) if days and not rule.months else None
    return _year_in_words(rule, every)


def _every(rule: Rule) -> str:
    number = rule.interval
    match rule.frequency:
        case "DAILY":
            words = ngettext("Every day", "Every %(number)d days", number)
        case "WEEKLY":
            words = ngettext("Every week", "Every %(number)d weeks", number)
        case "MONTHLY":
            words = ngettext("Every month", "Every %(number)d months", number)
        case _:
            words = ngettext("Every year", "Every %(number)d years", number)
    return words % {"number": number} if number > 1 else words


def _on(every: str, days: str) -> str:
    return _("%(every)s on %(days)s") % {"every": every, "days": days}


def _weekdays_in_words(rule: Rule, every: str) -> str:
    days = [day for _which, day in rule.weekdays]
    if rule.interval == 1 and days == [0, 1, 2, 3, 4]:
        return _("Every weekday")
    return _on(every, _listed([str(WEEKDAYS[day]) for day in sorted(days)]))


def _year_in_words(rule: Rule, every: str) -> str | None:
    if len(rule.months) != 1:
        return None
    (month,) = rule.months
    if len(rule.month_days) == 1 and not rule.weekdays and not rule.positions and min(rule.month_days) > 0:
        words = {"every": every, "day": min(rule.month_days), "month": MONTHS[month]}
        return _("%(every)s on %(day)d %(month)s") % words
    days = _of_month_in_words(rule)
    words = {"every": every, "days": days, "month": MONTHS[month]}
    return _("%(every)s on %(days)s of %(month)s") % words if days else None


def _of_month_in_words(rule: Rule) -> str | None:
    """Return “day 14”, “days 1 and 15”, “the last day”, “the second Tuesday”, “the last weekday”; None if none fits."""
    if rule.month_days:
        if rule.weekdays or rule.positions:
            return None
        if rule.month_days == {-1}:
            return _("the last day")
        if min(rule.month_days) < 0:
            return None
        listed = _listed([str(day) for day in sorted(rule.month_days)])
        return ngettext("day %(days)s", "days %(days)s", len(rule.month_days)) % {"days": listed}
    days = [(which, str(WEEKDAYS[day])) for which, day in rule.weekdays]
    if rule.positions:
        if len(rule.positions) > 1 or any(which for which, _name in days):
            return None
        (position,) = rule.positions
        kinds = {_EVERY_DAY: _("day"), _WORKING_DAYS: _("weekday"), _WEEKEND: _("weekend day")}
        kind = days[0][1] if len(days) == 1 else kinds.get(tuple(day for _which, day in rule.weekdays))
        days = [(position, kind)] if kind else []
    if not days or any(which not in _WHICH for which, _name in days):
        return None
    return _listed([_("the %(which)s %(day)s") % {"which": _(_WHICH[which]), "day": name} for which, name in days])


def _end_in_words(rule: Rule, clock: Clock) -> str:
    if rule.count is not None:
        return ngettext(", %(number)d time", ", %(number)d times", rule.count) % {"number": rule.count}
    if rule.until is not None:
        day = rule.last_day(clock)
        words = {"day": day.day, "month": MONTHS[day.month], "year": day.year}
        return _(", until %(day)d %(month)s %(year)d") % words
    return ""


def _listed(words: list[str]) -> str:
    if len(words) == 1:
        return words[0]
    return _("%(first)s and %(last)s") % {"first": ", ".join(words[:-1]), "last": words[-1]}
