"""Reading: the lines of a series, and writing them again with changes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import lru_cache
from zoneinfo import ZoneInfo

from activities.recurrence.clock import Clock, clock_of, written, zone_named
from activities.recurrence.days import WEEKDAYS
from activities.recurrence.pattern import FIRST_YEAR, Pattern, UnreadableRule, shortened
from activities.recurrence.rules import Rule

_FAR_YEAR = 8000  # Years after it, above all 9999 for “for ever”, are taken for it: there are years to move on to.
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_PARTS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYDAY"} | {
    "BYSETPOS", "BYHOUR", "BYMINUTE", "BYSECOND",
}  # fmt: skip

# What a rule may ask of us. Google's own page makes none that come near.
_MOST_TEXT = 100_000  # Characters of all lines.
_MOST_RULES = 4
_MOST_TIMES_A_DAY = 6
_LARGEST_NUMBER = 9_999  # INTERVAL, COUNT.

_LINE = re.compile(r"(RRULE|EXRULE|RDATE|EXDATE)((?:;[^:;]+)*):([!-~]+)", re.IGNORECASE)
_ZONE = re.compile(r";TZID=\"?([^;\"]+)\"?", re.IGNORECASE)
_KIND = re.compile(r";VALUE=([^;]+)", re.IGNORECASE)
_MOMENT = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,6}", re.ASCII)
_BY_DAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)


@dataclass(frozen=True, slots=True)
class RuleLine:
    """A line that is a rule, as read and as written."""

    name: str  # RRULE or EXRULE
    parts: Mapping[str, str]
    rule: Rule
    text: str

    def with_parts(self, **changes: str | None) -> str:
        """Return the line with other parts; None takes one out. Without changes, it is the text as it was."""
        return f"{self.name}:{joined(self.changed(changes))}" if changes else self.text

    def changed(self, changes: Mapping[str, str | None]) -> dict[str, str]:
        """Return its parts with others among them; None takes one out."""
        return {name: value for name, value in {**self.parts, **changes}.items() if value is not None}


@dataclass(frozen=True, slots=True)
class DatesLine:
    """A line that lists dates, as read and as written."""

    name: str  # RDATE or EXDATE
    parameters: str
    values: tuple[tuple[str, datetime], ...]  # As written, and in UTC.
    text: str
    is_of_days: bool  # Values are days that get the time of the first start.

    def only(self, is_wanted: Callable[[datetime], bool], *, spell_out: bool = False) -> list[str]:
        """Return the line with some of its dates, as a list that is empty when none is left."""
        kept = [(value, moment) for value, moment in self.values if is_wanted(moment)]
        if not kept:
            return []
        if spell_out and self.is_of_days:
            return [f"{self.name}:" + ",".join(written(moment, all_day=False) for _, moment in kept)]
        if len(kept) == len(self.values):
            return [self.text]
        return [f"{self.name}{self.parameters}:" + ",".join(value for value, _ in kept)]


@dataclass(frozen=True, slots=True)
class Series:
    """A pattern as read."""

    clock: Clock
    lines: tuple[RuleLine | DatesLine, ...]

    @property
    def rules(self) -> list[Rule]:
        return self._rules("RRULE")

    @property
    def rules_of_exceptions(self) -> list[Rule]:
        return self._rules("EXRULE")

    @property
    def meaning(self) -> tuple[object, ...]:
        """What the lines say, however they are written."""
        first = self.clock.first
        rules = frozenset(rule.filled_in(first) for rule in self.rules)
        exceptions = frozenset(rule.filled_in(first) for rule in self.rules_of_exceptions)
        return rules, exceptions, self.dates("RDATE"), self.dates("EXDATE")

    def _rules(self, name: str) -> list[Rule]:
        return [line.rule for line in self.lines if isinstance(line, RuleLine) and line.name == name]

    def dates(self, name: str) -> set[datetime]:
        """Return what its lines RDATE or EXDATE list, in UTC."""
        lines = [line for line in self.lines if isinstance(line, DatesLine) and line.name == name]
        return {moment for line in lines for _, moment in line.values}


def read(pattern: Pattern) -> Series:
    """Return what the lines of a pattern say. :raises UnreadableRule:"""
    first = pattern.first
    # Two equal times of one zone (before and after the clocks go back) must not be taken for each other.
    key = first.astimezone(UTC) if isinstance(first, datetime) else first
    return _read_lines(key, pattern.time_zone, tuple(pattern.lines))


@lru_cache(maxsize=256)
def _read_lines(first: datetime | date, time_zone: str, lines: tuple[str, ...]) -> Series:
    clock = clock_of(first, time_zone)
    if sum(len(line) for line in lines) > _MOST_TEXT:
        raise UnreadableRule("The rule of the series is too long.")
    found = tuple(_read_line(line, clock) for line in lines)
    if sum(isinstance(line, RuleLine) for line in found) > _MOST_RULES:
        raise UnreadableRule(f"The series has more than {_MOST_RULES} rules.")
    return Series(clock, found)


def _read_line(line: str, clock: Clock) -> RuleLine | DatesLine:
    match = _LINE.fullmatch(line)
    if match is None:
        raise UnreadableRule(f"The rule “{shortened(line)}” cannot be read.")
    name, parameters, value = match[1].upper(), match[2], match[3]
    try:
        if name in ("RRULE", "EXRULE"):
            parts = _parts(value)
            return RuleLine(name, parts, rule_of(parts, clock), line)
        return _dates(line, name, parameters, value, clock)
    except (ValueError, OverflowError) as error:
        raise UnreadableRule(f"The rule “{shortened(line)}” cannot be read.") from error


def _parts(value: str) -> dict[str, str]:
    """:raises ValueError:"""
    pairs = [part.partition("=") for part in value.upper().rstrip(";").split(";")]
    parts = {name: text for name, _, text in pairs}
    if len(parts) < len(pairs):
        raise ValueError(value)
    return parts


def joined(parts: Mapping[str, str]) -> str:
    """Return the parts of a rule as its line has them."""
    return ";".join(f"{name}={value}" for name, value in parts.items())


def rule_of(parts: Mapping[str, str], clock: Clock) -> Rule:
    """
    Return the rule of these parts.

    :raises ValueError: if they make no sense.
    :raises UnreadableRule: if they ask for more than we follow.
    """
    if unknown := set(parts) - _PARTS:
        raise ValueError(unknown)
    frequency = parts.get("FREQ", "")
    if frequency in ("HOURLY", "MINUTELY", "SECONDLY"):
        raise UnreadableRule("A series that repeats more often than daily cannot be followed.")
    if frequency not in _FREQUENCIES or ("UNTIL" in parts and "COUNT" in parts):
        raise ValueError(frequency)
    rule = Rule(
        frequency=frequency,
        interval=_positive(parts["INTERVAL"]) if "INTERVAL" in parts else 1,
        count=_positive(parts["COUNT"]) if "COUNT" in parts else None,
        until=_until(parts["UNTIL"], clock) if "UNTIL" in parts else None,
        week_start=WEEKDAYS.index(parts.get("WKST", "MO")),
        months=_numbers(parts, "BYMONTH", 1, 12),
        month_days=_numbers(parts, "BYMONTHDAY", -31, 31) - {0},
        year_days=_numbers(parts, "BYYEARDAY", -366, 366) - {0},
        weeks=_numbers(parts, "BYWEEKNO", -53, 53) - {0},
        weekdays=_weekdays(parts),
        positions=_numbers(parts, "BYSETPOS", -366, 366),
        hours=_numbers(parts, "BYHOUR", 0, 23),
        minutes=_numbers(parts, "BYMINUTE", 0, 59),
        seconds=_numbers(parts, "BYSECOND", 0, 59),
    )
    if len(rule.times(clock)) > _MOST_TIMES_A_DAY:
        raise UnreadableRule(f"A series that repeats more than {_MOST_TIMES_A_DAY} times a day cannot be followed.")
    return rule


def _positive(text: str) -> int:
    number = _number(text)
    if number < 1:
        raise ValueError(text)
    if number > _LARGEST_NUMBER:
        raise UnreadableRule(f"A rule with the number {text} cannot be followed.")
    return number


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    return int(text)


def _numbers(parts: Mapping[str, str], name: str, least: int, most: int) -> frozenset[int]:
    if name not in parts:
        return frozenset()
    numbers = frozenset(_number(text) for text in parts[name].split(","))
    if min(numbers) < least or max(numbers) > most or (least < 0 and 0 in numbers):
        raise ValueError(parts[name])
    return numbers


def _weekdays(parts: Mapping[str, str]) -> tuple[tuple[int, int], ...]:
    if "BYDAY" not in parts:
        return ()
    found = []
    for text in parts["BYDAY"].split(","):
        match = _BY_DAY.fullmatch(text)
        if match is None or (match[1] and not 1 <= abs(int(match[1])) <= 53):
            raise ValueError(text)
        found.append((int(match[1] or 0), WEEKDAYS.index(match[2])))
    return tuple(sorted(set(found)))


def _until(text: str, clock: Clock) -> datetime:
    """Return the last moment an UNTIL allows; a bare day means all of it."""
    return _moment(text, clock, zone=None, time_of_days=time(23, 59, 59))


def _dates(line: str, name: str, parameters: str, value: str, clock: Clock) -> DatesLine:
    """:raises ValueError:"""
    kind, zone_name = _KIND.search(parameters), _ZONE.search(parameters)
    if kind and kind[1].upper() not in ("DATE", "DATE-TIME", "PERIOD"):
        raise ValueError(parameters)
    zone = zone_named(zone_name[1]) if zone_name else None
    texts = value.upper().split(",")
    moments = [_moment(text.split("/")[0], clock, zone=zone, time_of_days=clock.first.time()) for text in texts]
    is_of_days = not clock.is_all_day and all(len(text) == 8 for text in texts)
    return DatesLine(name, parameters, tuple(zip(texts, moments, strict=True)), line, is_of_days)


def _moment(text: str, clock: Clock, *, zone: ZoneInfo | None, time_of_days: time) -> datetime:
    """Return a date or time of a line in UTC. :raises ValueError:"""
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise ValueError(text)
    year = int(match[1])
    if year < FIRST_YEAR:
        raise ValueError(text)
    day = date(min(year, _FAR_YEAR), int(match[2]), int(match[3]))
    if clock.is_all_day:
        return datetime.combine(day, time.min, tzinfo=UTC)
    if match[4] is None:
        return clock.moment(datetime.combine(day, time_of_days))
    local = datetime.combine(day, time(int(match[4]), int(match[5]), int(match[6])))
    if match[7]:
        return local.replace(tzinfo=UTC)
    return local.replace(tzinfo=zone).astimezone(UTC) if zone else clock.moment(local)
