"""
The rules of repeating activities, RFC 5545 lines as Google keeps them: when they happen, how they divide (R15, R16).

Pure: no database, no clock. Moments go in and come out aware, in UTC; an all-day series happens at midnight UTC of its
days. The clock on the wall of the series' zone holds across DST: a time that a day lacks is later by what was left
out, one that a day has twice is the first of the two. Nothing repeats beyond `LAST_YEAR`.

python-dateutil expands rules as well, but begins at the first start each time and cannot be stopped while it looks for
a day that never comes; whoever may send us an invitation could keep a worker busy with it. Tests compare with it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from heapq import merge
from itertools import islice, product, zip_longest
from typing import Literal
from zoneinfo import ZoneInfo

LAST_YEAR = 2200
_FIRST_YEAR = 1600  # Birthdays without a year are kept in 1604 by some.
_FAR_YEAR = 8000  # Years after it, above all 9999 for “for ever”, are taken for it: there are years to move on to.
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")

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


class UnreadableRule(Exception):
    """The lines make no sense, or ask for more than we follow; the message is for the user."""


class UnableToMove(Exception):
    """The rule is too particular to be moved or divided there; the message is for the user."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """When a series happens."""

    first: datetime | date  # Aware for a timed series, of whatever zone; a date for an all-day one.
    time_zone: str  # IANA; means nothing for an all-day series.
    lines: tuple[str, ...]  # RRULE, RDATE, EXDATE and EXRULE, in any order.


def check(pattern: Pattern) -> None:
    """:raises UnreadableRule: if the lines or the zone cannot be used."""
    _read(pattern)


def starts(pattern: Pattern, *, after: datetime | None = None, before: datetime | None = None) -> Iterator[datetime]:
    """
    Return the original starts from `after` on and before `before`, in order, each once.

    The first start is one of them even where it does not fit the rule.

    :raises UnreadableRule: at once, not with the first start asked for.
    """
    return _starts(_read(pattern), after=after, before=before)


def is_endless(pattern: Pattern) -> bool:
    """Return whether some rule has neither COUNT nor UNTIL. :raises UnreadableRule:"""
    return any(rule.is_endless for rule in _read(pattern).rules)


def last_start(pattern: Pattern) -> datetime | None:
    """Return the last original start; None: it is endless, or every start is excepted. :raises UnreadableRule:"""
    if is_endless(pattern):
        return None
    series = _read(pattern)
    ends = [rule.until for rule in series.rules if rule.until]
    if ends:  # The last one is rarely far from the end, and the begin may be: look there before anywhere else.
        near = min(max(ends), datetime(LAST_YEAR, 12, 31, tzinfo=UTC)) - timedelta(days=400)
        if found := _last(_starts(series, after=near)):
            return found
    return _last(_starts(series))


def _last(moments: Iterator[datetime]) -> datetime | None:
    last = deque(moments, maxlen=1)
    return last[0] if last else None


def happens_at(pattern: Pattern, original: datetime) -> bool:
    """Return whether this moment is an original start of the series. :raises UnreadableRule:"""
    return next(starts(pattern, after=original, before=original + timedelta(seconds=1)), None) == original


def instance_suffix(original: datetime, *, all_day: bool) -> str:
    """Return what Google puts behind `<master>_` to name an occurrence: its original start in UTC, or its day."""
    return original.astimezone(UTC).strftime("%Y%m%d" if all_day else "%Y%m%dT%H%M%SZ")


# Dividing


def before_cut(pattern: Pattern, *, at: datetime) -> tuple[str, ...]:
    """
    Return the lines of the part of a series before one of its occurrences; its first start stays.

    A rule that would go on ends as Google ends it, with the day before; a COUNT gives way to that.

    :raises UnreadableRule:
    :raises ValueError: if nothing happens before `at`.
    """
    series = _read(pattern)
    if next(_starts(series, before=at), None) is None:
        raise ValueError(at)
    lines = []
    for line in series.lines:
        if isinstance(line, _DatesLine):
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
    series = _read(pattern)
    first = series.clock.local(at)
    lines: list[str] = []
    for line in series.lines:
        if isinstance(line, _DatesLine):
            is_extra = line.name == "RDATE"
            has_same_time = first.time() == series.clock.first.time()
            kept = line.only(lambda moment: moment > at if is_extra else moment >= at, spell_out=not has_same_time)  # noqa: B023
            lines += kept
        elif line.rule.goes_on(series.clock, at):
            lines.append(_rule_from(line, series.clock, at))
    return tuple(lines)


def _rule_from(line: _RuleLine, clock: _Clock, at: datetime) -> str:
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
            parts |= {"COUNT": None, "UNTIL": f"{_last(rule.hits(clock)):%Y%m%dT%H%M%SZ}"}
    return line.with_parts(**parts)


def _implied_day(rule: _Rule, first: datetime) -> dict[str, str]:
    """Return the parts a rule without any has from the first start."""
    match rule.frequency:
        case "WEEKLY":
            return {"BYDAY": _WEEKDAYS[first.weekday()]}
        case "MONTHLY":
            return {"BYMONTHDAY": str(first.day)}
        case "YEARLY":
            month = {} if rule.months else {"BYMONTH": str(first.month)}
            return month | {"BYMONTHDAY": str(first.day)}
    return {}


def _until_before(series: _Series, at: datetime) -> str:
    """Return the UNTIL of a rule that ends before an occurrence: with the day before, if that leaves nothing out."""
    clock = series.clock
    day = clock.local(at).date()
    if clock.is_all_day:
        return f"{day - timedelta(days=1):%Y%m%d}"
    midnight = clock.at_midnight(day)
    ends_too_early = midnight <= clock.first_moment or any(True for _ in _starts(series, after=midnight, before=at))
    return f"{(at if ends_too_early else midnight) - timedelta(seconds=1):%Y%m%dT%H%M%SZ}"


def counterpart(original: datetime, *, old: Pattern, new: Pattern, candidates: Set[datetime]) -> datetime | None:
    """
    Return which occurrence of the new pattern an occurrence of the old one becomes, or None.

    Where the series was moved as a whole (`moved`), the one that is as much later as the series now begins, by the
    clock on the wall, or the one of the same month or year of the series. Else itself, if it is still there; else the
    one as much later; else the one on the same day. What stays itself is nobody else's counterpart.

    :param candidates: the original starts of the new pattern.
    :raises UnreadableRule:
    """
    was, now = _read(old), _read(new)
    local = was.clock.local(original)
    shifted = now.clock.moment(local + (now.clock.first - was.clock.first))
    if _is_moved(old, new):
        return shifted if shifted in candidates else _of_the_same_period(local, was, now, candidates)
    if original in candidates:
        return original
    if shifted in candidates and not happens_at(old, shifted):
        return shifted
    begin = now.clock.at_midnight(local.date())
    end = now.clock.at_midnight(local.date() + timedelta(days=1))
    on_that_day = sorted(moment for moment in candidates if begin <= moment < end)
    return next((moment for moment in on_that_day if not happens_at(old, moment)), None)


@lru_cache(maxsize=64)
def _is_moved(old: Pattern, new: Pattern) -> bool:
    """Return whether the new lines are what a move to another day makes of the old ones, and not the same as before."""
    was, now = _read(old), _read(new)
    if was.meaning == now.meaning:
        return False
    try:
        lines = moved(old, first=new.first, time_zone=new.time_zone)
    except UnableToMove:
        return False
    return _read(replace(new, lines=lines)).meaning == now.meaning


def _of_the_same_period(local: datetime, was: _Series, now: _Series, candidates: Set[datetime]) -> datetime | None:
    """Return the only occurrence in the month or year that is as far from the first as that of an old occurrence."""
    if len(was.rules) != 1 or was.rules[0].frequency not in ("MONTHLY", "YEARLY"):
        return None
    index = was.rules[0].index
    past = index(local.date()) - index(was.clock.first.date())
    wanted = index(now.clock.first.date()) + past
    found = [moment for moment in candidates if index(now.clock.local(moment).date()) == wanted]
    return found[0] if len(found) == 1 else None


# Moving


def moved(pattern: Pattern, *, first: datetime | date, time_zone: str) -> tuple[str, ...]:
    """
    Return the lines of a series once all of it is moved so that it begins at `first`; it happens as often as before.

    Weekdays and days of the month move along, and so do the end, the exceptions and the extra dates.

    :raises UnreadableRule:
    :raises UnableToMove: if a rule is too particular to say what it would be on other days or at other times.
    """
    series = _read(pattern)
    old, new = series.clock, _clock(first, time_zone)
    if old == new:
        return tuple(pattern.lines)
    moves = {
        line.text: _RuleMove(line, _moved_rule(line, old, new)) for line in series.lines if isinstance(line, _RuleLine)
    }
    exceptions = _moved_exceptions(series.dates("EXDATE"), old, new, moves.values())
    lines = []
    for line in series.lines:
        if isinstance(line, _RuleLine):
            lines.append(moves[line.text].text(old, new))
        else:
            places = exceptions if line.name == "EXDATE" else {}
            moments = [places.get(moment) or _shifted(moment, old, new) for _, moment in line.values]
            lines.append(_dates_text(line.name, moments, new))
    return tuple(lines)


def cut_and_moved(whole: Pattern, *, cut: Pattern, moved_whole: Pattern) -> tuple[str, ...] | None:
    """
    Return the lines of a series of which somebody cut off the later part while somebody else moved all of it.

    It begins where the moved one does. None: that is not what the two have done to the whole.

    :raises UnreadableRule:
    """
    if not is_cut(whole, part=cut):
        return None
    try:
        if _was_moved(whole, moved_whole):
            return moved(cut, first=moved_whole.first, time_zone=moved_whole.time_zone)
    except UnableToMove:
        pass
    return tuple(cut.lines) if tuple(whole.lines) == tuple(moved_whole.lines) else None


def part_moved_along(whole: Pattern, *, moved_whole: Pattern, part: Pattern) -> Pattern | None:
    """
    Return a later part of a series as it is once it is moved as all of the series was.

    None: the part does not begin with an occurrence of the series, or something else was done to the whole.

    :raises UnreadableRule:
    """
    original, near = _read(part).clock.first_moment, timedelta(days=40)
    try:
        if not happens_at(whole, original) or not _was_moved(whole, moved_whole):
            return None
        candidates = set(starts(moved_whole, after=original - near, before=original + near))
        shifted = _shifted(original, _read(whole).clock, _read(moved_whole).clock)
        begins: datetime | None = (
            shifted  # Of a daily series its day may be another one's now: it goes on all the same.
        )
        if shifted not in candidates:
            begins = counterpart(original, old=whole, new=moved_whole, candidates=candidates)
        if begins is None:
            return None
        first = begins if isinstance(moved_whole.first, datetime) else begins.date()
        lines = moved(part, first=first, time_zone=moved_whole.time_zone)
    except UnableToMove:
        return None
    return Pattern(first, moved_whole.time_zone, lines)


def goes_on(whole: Pattern, *, at: datetime, part: Pattern, is_cut_too: bool) -> bool:
    """
    Return whether a series repeats as another one would from one of its occurrences on, wherever it was moved.

    :param is_cut_too: it ends earlier itself.
    :raises UnreadableRule:
    """
    try:
        rest = _as_divided(whole, at=at)
        if not is_cut_too:
            return tuple(rest.lines) == tuple(part.lines) or _was_moved(rest, part)
        lines = moved(rest, first=part.first, time_zone=part.time_zone)
        return is_cut(replace(part, lines=lines), part=part)
    except UnableToMove:
        return False


def part_from(whole: Pattern, *, at: datetime, like: Pattern) -> Pattern | None:
    """
    Return a later part of a series as if nobody had divided it again: it begins when `like`, that part by now, does.

    None if that repeats otherwise by now.

    :raises UnreadableRule:
    """
    try:
        lines = moved(_as_divided(whole, at=at), first=like.first, time_zone=like.time_zone)
    except UnableToMove:
        return None
    unmoved = replace(like, lines=lines)
    is_same = _read(unmoved).meaning == _read(like).meaning or is_cut(unmoved, part=like)
    return unmoved if is_same else None


def _as_divided(whole: Pattern, *, at: datetime) -> Pattern:
    """:raises UnableToMove:"""
    first = at if isinstance(whole.first, datetime) else at.date()
    return replace(whole, first=first, lines=from_cut(whole, at=at))


def start_in_part(part: Pattern, *, whole: Pattern, begins: int, number: int) -> datetime | None:
    """
    Return which start of a later part is, or follows, an occurrence of the series from which it was divided.

    Occurrences are counted from 0: `begins` is the one of the whole with which the part began, wherever it was moved
    since, and `number` the one asked for. None: the part ends before.

    :raises UnreadableRule:
    """
    originals = list(islice(starts(whole), number + 1))
    past = number - begins
    found = list(islice(starts(part), past + 1))
    if number >= len(originals) or _is_part_as_divided(part, whole=whole, at=originals[begins], most=past + 1):
        return found[past] if past < len(found) else None
    day = _read(part).clock  # It repeats otherwise by now: what happens on that day or later comes after the cut.
    return next(starts(part, after=day.at_midnight(day.local(originals[number]).date())), None)


def _is_part_as_divided(part: Pattern, *, whole: Pattern, at: datetime, most: int) -> bool:
    """Whether a part still repeats as when it was divided there, at whatever time; it may end earlier."""
    try:
        lines = moved(_as_divided(whole, at=at), first=part.first, time_zone=part.time_zone)
        expected = islice(starts(replace(part, lines=lines)), most)
    except UnableToMove:
        return False
    return all(one == other for one, other in zip(starts(part), expected, strict=False))


def _was_moved(whole: Pattern, moved_whole: Pattern) -> bool:
    """:raises UnableToMove:"""
    lines = moved(whole, first=moved_whole.first, time_zone=moved_whole.time_zone)
    return _read(replace(moved_whole, lines=lines)).meaning == _read(moved_whole).meaning


def is_cut(whole: Pattern, *, part: Pattern) -> bool:
    """Return whether a series is the begin of another one, without its end. :raises UnreadableRule:"""
    if _read(whole).clock != _read(part).clock:
        return False
    last = last_start(part)
    goes_on = last and next(starts(whole, after=last + timedelta(seconds=1)), None)
    if not goes_on:
        return False
    both = zip_longest(starts(part), starts(whole, before=goes_on))
    return all(one == other for one, other in islice(both, _MOST_COMPARED))


_MOST_COMPARED = 5_000  # Occurrences; two series alike up to there are taken to be alike.


@dataclass(frozen=True, slots=True)
class _RuleMove:
    """A rule and what becomes of it; its UNTIL is not moved yet."""

    line: _RuleLine
    changes: Mapping[str, str | None]

    def new_rule(self, clock: _Clock) -> _Rule:
        """Return the rule as moved, without UNTIL."""
        parts = {
            name: value for name, value in (dict(self.line.parts) | dict(self.changes)).items() if value is not None
        }
        return _rule({name: value for name, value in parts.items() if name != "UNTIL"}, clock)

    def text(self, old: _Clock, new: _Clock) -> str:
        changes = dict(self.changes)
        if self.line.rule.until is not None:
            changes["UNTIL"] = new.written(self._until(old, new))
        return self.line.with_parts(**changes)

    def _until(self, old: _Clock, new: _Clock) -> datetime:
        """Return the end that leaves the rule as many hits as it had: a day's if possible, as people say it."""
        until = self.line.rule.until
        assert until is not None
        exact = _shifted(until, old, new)
        if until.year > LAST_YEAR:
            return exact
        count = sum(1 for _ in self.line.rule.hits(old))
        hits = list(islice(self.new_rule(new).hits(new), count + 1))
        last_day = _last_day(self.line.rule, old)
        end_of_day = new.at_end(last_day + (new.first.date() - old.first.date()))
        for candidate in (end_of_day, exact):
            if sum(1 for hit in hits if hit <= candidate) == count:
                return candidate
        return hits[min(count, len(hits)) - 1] if count and hits else exact


def _moved_rule(line: _RuleLine, old: _Clock, new: _Clock) -> dict[str, str | None]:
    changes = _moved_times(line, old, new)
    if old.first.date() != new.first.date():
        changes |= _moved_days(line, old, new)
    return changes


def _moved_times(line: _RuleLine, old: _Clock, new: _Clock) -> dict[str, str | None]:
    """Return what becomes of the times of day a rule names: one goes along, several only move by nothing."""
    names = [name for name in ("BYHOUR", "BYMINUTE", "BYSECOND") if name in line.parts]
    is_same = old.is_all_day == new.is_all_day and old.first.time() == new.first.time()
    if not names or is_same:
        return {}
    gone: dict[str, str | None] = dict.fromkeys(names)
    if old.is_all_day:
        return gone
    times = line.rule.times(old)
    shifted = datetime.combine(new.first.date(), times[0]) + (new.first - _on_day_of(new.first, old.first))
    if len(times) > 1 or (shifted.date() != new.first.date() and not new.is_all_day):
        raise _unable_to_move()
    if new.is_all_day or shifted.time() == new.first.time():
        return gone
    return gone | {"BYHOUR": str(shifted.hour), "BYMINUTE": str(shifted.minute), "BYSECOND": str(shifted.second)}


def _on_day_of(day: datetime, local: datetime) -> datetime:
    return datetime.combine(day.date(), local.time())


def _moved_days(line: _RuleLine, old: _Clock, new: _Clock) -> dict[str, str | None]:
    """Return what becomes of the days a rule names when the first start moves to another day."""
    rule = line.rule
    if rule.year_days or rule.weeks:
        raise _unable_to_move()
    if rule.frequency in ("DAILY", "WEEKLY"):
        return _rotated(rule, old, new)
    if rule.names_no_day and not rule.months and not rule.positions:
        return {}
    if next(rule.hits(old), None) != old.first_moment:
        raise _unable_to_move()
    return _moved_day_of_month(rule, old.first.date(), new.first.date()) | _moved_month(rule, new.first.date())


def _rotated(rule: _Rule, old: _Clock, new: _Clock) -> dict[str, str | None]:
    """Return the weekdays of a daily or weekly rule, as many days later."""
    if rule.months or rule.month_days or rule.positions:
        raise _unable_to_move()
    past = (new.first.date() - old.first.date()).days % 7
    if not past or not rule.weekdays:
        return {}
    days = sorted((weekday + past) % 7 for _, weekday in rule.weekdays)
    changes: dict[str, str | None] = {"BYDAY": ",".join(_WEEKDAYS[day] for day in days)}
    if rule.frequency == "WEEKLY" and rule.interval > 1 and days != [new.first.weekday()]:
        changes["WKST"] = _WEEKDAYS[(rule.week_start + past) % 7]  # What was one week stays one.
    return changes


def _moved_month(rule: _Rule, new: date) -> dict[str, str | None]:
    if not rule.months:
        return {}
    if rule.frequency != "YEARLY" or len(rule.months) > 1:
        raise _unable_to_move()
    return {"BYMONTH": str(new.month)}


def _moved_day_of_month(rule: _Rule, old: date, new: date) -> dict[str, str | None]:
    """Return which days of the month a rule names once its first start, which fits it, is another day."""
    if rule.frequency == "YEARLY" and not rule.months:
        raise _unable_to_move()
    if rule.month_days and not rule.weekdays and not rule.positions:
        return {"BYMONTHDAY": _moved_month_days(rule.month_days, old, new)}
    if len(rule.weekdays) == 1 and not rule.month_days:
        ((which, _),) = rule.weekdays
        if which and not rule.positions:
            return {"BYDAY": f"{_which_of_month(new, like=which)}{_WEEKDAYS[new.weekday()]}"}
        if not which and len(rule.positions) == 1:
            (position,) = rule.positions
            return {"BYDAY": _WEEKDAYS[new.weekday()], "BYSETPOS": str(_which_of_month(new, like=position))}
    if rule.names_no_day and not rule.positions:
        return {}
    raise _unable_to_move()


def _moved_month_days(days: Set[int], old: date, new: date) -> str:
    from_end = _positions_in_month(new)[1]
    if len(days) == 1:
        (day,) = days
        counts_from_end = day < 0 and (from_end == -1 or (new.year, new.month) == (old.year, old.month))
        return str(from_end if counts_from_end else new.day)
    shifted = [day + new.day - old.day for day in sorted(days)]
    if not all(1 <= day <= 28 for day in (*days, *shifted)):
        raise _unable_to_move()
    return ",".join(map(str, shifted))


def _which_of_month(day: date, *, like: int) -> int:
    """Return which of its weekday a day is in its month, from the end if `like` is; a fifth is the last."""
    from_begin, from_end = _positions_in_month(day)
    number, number_from_end = (from_begin - 1) // 7 + 1, -((-from_end - 1) // 7 + 1)
    if like < 0:
        return number_from_end if number_from_end > -5 else 1
    return number if number < 5 else -1


def _shifted(moment: datetime, old: _Clock, new: _Clock) -> datetime:
    """Return a moment as much later as the series, by the clock on the wall."""
    return new.moment(old.local(moment) + (new.first - old.first))


def _moved_exceptions(
    moments: Set[datetime], old: _Clock, new: _Clock, rules: Iterable[_RuleMove]
) -> dict[datetime, datetime]:
    """Return where exceptions go that are not hits of the moved rule when as much later: to the hit of their number."""
    places: dict[datetime, datetime] = {}
    for move in rules:
        if move.line.name != "RRULE":
            continue
        was, now = move.line.rule, move.new_rule(new)
        lost = {
            moment
            for moment in moments
            if was.hits_at(moment, old) and not now.hits_at(_shifted(moment, old, new), new)
        }
        if lost:
            both = zip(was.hits(old, before=max(lost) + timedelta(seconds=1)), now.hits(new), strict=False)
            places |= {moment: place for moment, place in both if moment in lost}
    return places


def _dates_text(name: str, moments: Iterable[datetime], clock: _Clock) -> str:
    if clock.is_all_day:
        return f"{name};VALUE=DATE:" + ",".join(f"{moment:%Y%m%d}" for moment in moments)
    return f"{name}:" + ",".join(f"{moment:%Y%m%dT%H%M%SZ}" for moment in moments)


def _unable_to_move() -> UnableToMove:
    return UnableToMove("The rule of this series is too particular to be moved with it. Change the rule instead.")


# What the form can show


@dataclass(frozen=True, slots=True)
class Repetition:
    """A rule as the form has it; what it leaves out comes from the first start."""

    frequency: Literal["daily", "weekly", "monthly", "yearly"]
    interval: int = 1
    weekdays: tuple[int, ...] = ()  # Of a weekly one; Monday is 0. None of them: that of the first start.
    monthly_by: Literal["day", "weekday"] = "day"  # The 14th, or the second Tuesday.
    until: date | None = None  # The last day, in the zone of the series.
    count: int | None = None


def lines_of(repetition: Repetition, *, first: datetime | date, time_zone: str) -> tuple[str, ...]:
    """
    Return the lines for a series that begins at `first`.

    A month without the 29th, 30th or 31st is left out, as everywhere. The fifth of a weekday means the last.

    :raises UnreadableRule: if a number is out of reach, or there are both an end and a count.
    """
    clock = _clock(first, time_zone)
    parts = {"FREQ": repetition.frequency.upper()}
    if repetition.interval != 1:
        parts["INTERVAL"] = str(repetition.interval)
    if repetition.frequency == "weekly":
        weekdays = sorted(set(repetition.weekdays)) or [clock.first.weekday()]
        parts["BYDAY"] = ",".join(_WEEKDAYS[day] for day in weekdays)
    if repetition.frequency == "monthly" and repetition.monthly_by == "weekday":
        parts["BYDAY"] = f"{_which_of_month(clock.first.date(), like=1)}{_WEEKDAYS[clock.first.weekday()]}"
    if repetition.count is not None:
        parts["COUNT"] = str(repetition.count)
    if repetition.until is not None:
        parts["UNTIL"] = clock.written(clock.at_end(repetition.until))
    lines = ("RRULE:" + ";".join(f"{name}={value}" for name, value in parts.items()),)
    check(Pattern(first, time_zone, lines))
    return lines


def repetition_of(pattern: Pattern) -> Repetition | None:
    """Return the rule as the form has it; None if it is more than the form can show. :raises UnreadableRule:"""
    series = _read(pattern)
    if len(series.lines) != 1 or len(series.rules) != 1:
        return None
    rule, clock = series.rules[0].filled_in(series.clock.first), series.clock
    is_weekly = rule.frequency == "WEEKLY"
    repetition = Repetition(
        _FORM_NAMES[rule.frequency],
        interval=rule.interval,
        weekdays=tuple(sorted({day for _, day in rule.weekdays})) if is_weekly else (),
        monthly_by="weekday" if rule.frequency == "MONTHLY" and rule.weekdays else "day",
        until=_last_day(rule, clock) if rule.until else None,
        count=rule.count,
    )
    (shown,) = _read(
        replace(pattern, lines=lines_of(repetition, first=pattern.first, time_zone=pattern.time_zone))
    ).rules
    has_same_weeks = not is_weekly or rule.interval == 1 or _weeks_begin_alike(rule, clock.first.date())
    is_all = replace(rule, until=None, week_start=0) == replace(shown.filled_in(clock.first), until=None, week_start=0)
    return repetition if is_all and has_same_weeks else None


_FORM_NAMES: dict[str, Literal["daily", "weekly", "monthly", "yearly"]] = {
    "DAILY": "daily",
    "WEEKLY": "weekly",
    "MONTHLY": "monthly",
    "YEARLY": "yearly",
}


def _weeks_begin_alike(rule: _Rule, first: date) -> bool:
    """Return whether the weekdays fall into the same weeks of the series as if weeks began on Monday."""
    here = first.weekday()
    begin = (here - rule.week_start) % 7
    return all((day - rule.week_start) % 7 - begin == day - here for _, day in rule.weekdays)


def _last_day(rule: _Rule, clock: _Clock) -> date:
    """Return the last day on which an UNTIL still allows a start at the time of the first."""
    assert rule.until is not None
    local = clock.local(rule.until)
    return local.date() - timedelta(days=local.time() < clock.first.time())


# In words

_WEEKDAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTH_NAMES = (
    "", "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_WHICH = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", -1: "last"}
_UNITS = {"DAILY": "day", "WEEKLY": "week", "MONTHLY": "month", "YEARLY": "year"}
_OWN_RULE = "Repeats by its own rule"


def in_words(pattern: Pattern) -> str:
    """Return the rule as an English phrase: “Every 2 weeks on Monday and Thursday, until 3 June 2027”."""
    try:
        series = _read(pattern)
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


def _days_in_words(rule: _Rule) -> str | None:
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


def _weekdays_in_words(rule: _Rule, every: str) -> str:
    days = [day for _, day in rule.weekdays]
    if rule.interval == 1 and days == [0, 1, 2, 3, 4]:
        return "Every weekday"
    return f"{every} on {_listed([_WEEKDAY_NAMES[day] for day in sorted(days)])}"


def _year_in_words(rule: _Rule, every: str) -> str | None:
    if len(rule.months) != 1:
        return None
    (month,) = rule.months
    if len(rule.month_days) == 1 and not rule.weekdays and not rule.positions and min(rule.month_days) > 0:
        return f"{every} on {min(rule.month_days)} {_MONTH_NAMES[month]}"
    days = _of_month_in_words(rule)
    return f"{every} on {days} of {_MONTH_NAMES[month]}" if days else None


def _of_month_in_words(rule: _Rule) -> str | None:
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


def _end_in_words(rule: _Rule, clock: _Clock) -> str:
    if rule.count is not None:
        return f", {_counted(rule.count, 'time')}"
    if rule.until is not None:
        day = _last_day(rule, clock)
        return f", until {day.day} {_MONTH_NAMES[day.month]} {day.year}"
    return ""


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


# The clock on the wall


@dataclass(frozen=True, slots=True)
class _Clock:
    """The wall clock a series goes by: `first` and all local times are naive."""

    zone: ZoneInfo
    first: datetime
    first_moment: datetime
    is_all_day: bool

    def moment(self, local: datetime) -> datetime:
        """Return a local time in UTC. Of two equal times it is the first, unless the series begins with the second."""
        return self.first_moment if local == self.first else local.replace(tzinfo=self.zone).astimezone(UTC)

    def local(self, moment: datetime) -> datetime:
        return moment.astimezone(UTC).astimezone(self.zone).replace(tzinfo=None)

    def at_midnight(self, day: date) -> datetime:
        return datetime.combine(day, time.min, tzinfo=self.zone).astimezone(UTC)

    def at_end(self, day: date) -> datetime:
        """Return the last second of a day."""
        return self.at_midnight(day + timedelta(days=1)) - timedelta(seconds=1)

    def written(self, until: datetime) -> str:
        """Return an end as UNTIL has it."""
        return f"{until:%Y%m%d}" if self.is_all_day else f"{until:%Y%m%dT%H%M%SZ}"


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:
        raise UnreadableRule(f"The time zone “{_shortened(name)}” is unknown.") from error


def _clock(first: datetime | date, time_zone: str) -> _Clock:
    if not _FIRST_YEAR <= first.year <= LAST_YEAR:
        raise UnreadableRule(f"A series that begins in the year {first.year} cannot be followed.")
    if not isinstance(first, datetime):
        midnight = datetime.combine(first, time.min, tzinfo=UTC)
        return _Clock(_zone("UTC"), midnight.replace(tzinfo=None), midnight, is_all_day=True)
    moment = first.astimezone(UTC).replace(microsecond=0)
    zone = _zone(time_zone)
    return _Clock(zone, moment.astimezone(zone).replace(tzinfo=None), moment, is_all_day=False)


# Rules


@dataclass(frozen=True, slots=True)
class _Rule:
    """One RRULE or EXRULE as it was written; what it leaves to the first start is empty."""

    frequency: str
    interval: int = 1
    count: int | None = None
    until: datetime | None = None  # UTC, inclusive.
    week_start: int = 0
    months: frozenset[int] = frozenset()
    month_days: frozenset[int] = frozenset()
    year_days: frozenset[int] = frozenset()
    weeks: frozenset[int] = frozenset()
    weekdays: tuple[tuple[int, int], ...] = ()  # (which of them, weekday); which is 0 for each.
    positions: frozenset[int] = frozenset()
    hours: frozenset[int] = frozenset()
    minutes: frozenset[int] = frozenset()
    seconds: frozenset[int] = frozenset()

    @property
    def is_endless(self) -> bool:
        return self.count is None and self.until is None

    @property
    def names_no_day(self) -> bool:
        return not (self.month_days or self.year_days or self.weeks or self.weekdays)

    def goes_on(self, clock: _Clock, at: datetime) -> bool:
        """Return whether it hits a moment from `at` on."""
        return next(self.hits(clock, after=at), None) is not None

    def hits_at(self, moment: datetime, clock: _Clock) -> bool:
        return any(True for _ in self.hits(clock, after=moment, before=moment + timedelta(seconds=1)))

    def index(self, day: date) -> int:
        """Return the number of the day, week, month or year that holds a day."""
        match self.frequency:
            case "DAILY":
                return day.toordinal()
            case "WEEKLY":
                return (day.toordinal() - 1 - self.week_start) // 7
            case "MONTHLY":
                return day.year * 12 + day.month - 1
        return day.year

    def hits(
        self, clock: _Clock, *, after: datetime | None = None, before: datetime | None = None
    ) -> Iterator[datetime]:
        """Yield the moments the rule asks for, in order; its COUNT runs from the first start, wherever we look from."""
        if self.count is not None:
            counted = _counted_hits(self, clock)
            begin = bisect_left(counted, after) if after else 0
            end = bisect_left(counted, before) if before else len(counted)
            yield from counted[begin:end]
            return
        latest = datetime.min.replace(tzinfo=UTC)
        since = after.astimezone(UTC).date() if after else None
        ends = [end.astimezone(UTC).date() for end in (before, self.until) if end]
        for moment in self.all_hits(clock, since=since, until=min(ends, default=None)):
            if (self.until and moment > self.until) or (before and moment >= before):
                return
            if moment > latest and (after is None or moment >= after):
                yield moment
            latest = max(moment, latest)

    def all_hits(self, clock: _Clock, *, since: date | None = None, until: date | None = None) -> Iterator[datetime]:
        """Yield hits regardless of UNTIL; those of periods before and after some days can be left out."""
        rule = self.filled_in(clock.first)
        fits, times = rule.filter(), rule.times(clock)
        left = rule.count if rule.count is not None else -1
        for days in rule.periods(clock.first.date(), since=since, until=until):
            locals_ = [datetime.combine(day, clock_time) for day in days if fits(day) for clock_time in times]
            if rule.positions:
                locals_ = _at_positions(locals_, rule.positions)
            locals_ = [local for local in locals_ if local >= clock.first]
            if left >= 0:
                locals_ = locals_[:left]
                left -= len(locals_)
            yield from sorted(clock.moment(local) for local in locals_)
            if left == 0:
                return

    def filled_in(self, first: datetime) -> _Rule:
        """Return the rule with what it leaves to the first start."""
        if not self.names_no_day:
            return self
        match self.frequency:
            case "WEEKLY":
                return replace(self, weekdays=((0, first.weekday()),))
            case "MONTHLY":
                return replace(self, month_days=frozenset({first.day}))
            case "YEARLY":
                return replace(self, months=self.months or frozenset({first.month}), month_days=frozenset({first.day}))
        return self

    def times(self, clock: _Clock) -> list[time]:
        """Return the times of the days it hits."""
        if clock.is_all_day:
            return [time.min]
        return [
            time(*parts)
            for parts in product(
                sorted(self.hours) or [clock.first.hour],
                sorted(self.minutes) or [clock.first.minute],
                sorted(self.seconds) or [clock.first.second],
            )
        ]

    def periods(self, first: date, *, since: date | None, until: date | None) -> Iterator[list[date]]:
        """Yield the days of each period (day, week, month, year) that the rule looks at, up to the last year."""
        begin, end = self.index(first), self.index(date(LAST_YEAR, 12, 31))
        margin = timedelta(days=2)  # For what lies between UTC and the zone.
        if since is not None and since - margin > first:
            begin += (self.index(since - margin) - begin) // self.interval * self.interval
        if until is not None:
            end = min(end, self.index(until + margin))
        for index in range(begin, end + 1, self.interval):
            yield self._days(index)

    def _days(self, index: int) -> list[date]:
        match self.frequency:
            case "DAILY":
                return [date.fromordinal(index)]
            case "WEEKLY":
                begin = index * 7 + 1 + self.week_start
                return [date.fromordinal(ordinal) for ordinal in range(max(begin, 1), begin + 7)]
            case "MONTHLY":
                begin = date(index // 12, index % 12 + 1, 1).toordinal()
                return [date.fromordinal(begin + past) for past in range(_days_of_month(date.fromordinal(begin)))]
        months = sorted(self.months) or range(1, 13)
        return [
            date(index, month, 1 + past) for month in months for past in range(_days_of_month(date(index, month, 1)))
        ]

    def filter(self) -> Callable[[date], bool]:
        """Return what tells whether a day fits all that the rule says about days."""
        tests: list[Callable[[date], bool]] = []
        if self.months:
            tests.append(lambda day: day.month in self.months)
        if self.month_days:
            tests.append(lambda day: day.day in self.month_days or day.day - _days_of_month(day) - 1 in self.month_days)
        if self.weekdays:
            tests.append(self._fits_weekday)
        if self.year_days:
            tests.append(lambda day: not self.year_days.isdisjoint(_positions_in_year(day)))
        if self.weeks:
            tests.append(lambda day: not self.weeks.isdisjoint(_week_numbers(day, week_start=self.week_start)))
        return lambda day: all(test(day) for test in tests)

    def _fits_weekday(self, day: date) -> bool:
        for which, weekday in self.weekdays:
            if weekday != day.weekday():
                continue
            if which == 0 or self.frequency in ("DAILY", "WEEKLY"):
                return True
            of_month = self.frequency == "MONTHLY" or self.months
            from_begin, from_end = _positions_in_month(day) if of_month else _positions_in_year(day)
            if which in ((from_begin - 1) // 7 + 1, -((-from_end - 1) // 7 + 1)):
                return True
        return False


@lru_cache(maxsize=16)
def _counted_hits(rule: _Rule, clock: _Clock) -> tuple[datetime, ...]:
    """Return all hits of a rule with a COUNT, which can only be found from the first on."""
    return tuple(sorted(set(rule.all_hits(clock))))


def _at_positions(locals_: list[datetime], positions: Iterable[int]) -> list[datetime]:
    count = len(locals_)
    wanted = {position - 1 if position > 0 else count + position for position in positions}
    return [local for index, local in enumerate(locals_) if index in wanted]


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _days_of_month(day: date) -> int:
    return 28 + _is_leap(day.year) if day.month == 2 else 30 + (day.month + day.month // 8) % 2


def _positions_in_month(day: date) -> tuple[int, int]:
    """Return the number of a day in its month, from the begin (1 …) and from the end (-1 …)."""
    return day.day, day.day - _days_of_month(day) - 1


def _positions_in_year(day: date) -> tuple[int, int]:
    number = day.toordinal() - date(day.year, 1, 1).toordinal() + 1
    return number, number - (365 + _is_leap(day.year)) - 1


def _week_numbers(day: date, *, week_start: int) -> tuple[int, int]:
    """Return the number of a day's week, from the begin and from the end of the year that holds four days of it."""
    fourth = date.fromordinal(day.toordinal() - (day.weekday() - week_start) % 7 + 3)
    from_begin, from_end = _positions_in_year(fourth)
    return (from_begin - 1) // 7 + 1, -((-from_end - 1) // 7 + 1)


# Reading


@dataclass(frozen=True, slots=True)
class _RuleLine:
    name: str  # RRULE or EXRULE
    parts: Mapping[str, str]
    rule: _Rule
    text: str

    def with_parts(self, **changes: str | None) -> str:
        """Return the line with other parts; None takes one out. Without changes, it is the text as it was."""
        if not changes:
            return self.text
        parts = {name: value for name, value in (dict(self.parts) | changes).items() if value is not None}
        return f"{self.name}:" + ";".join(f"{name}={value}" for name, value in parts.items())


@dataclass(frozen=True, slots=True)
class _DatesLine:
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
            return [f"{self.name}:" + ",".join(f"{moment:%Y%m%dT%H%M%SZ}" for _, moment in kept)]
        if len(kept) == len(self.values):
            return [self.text]
        return [f"{self.name}{self.parameters}:" + ",".join(value for value, _ in kept)]


@dataclass(frozen=True, slots=True)
class _Series:
    clock: _Clock
    lines: tuple[_RuleLine | _DatesLine, ...]

    @property
    def rules(self) -> list[_Rule]:
        return self._rules("RRULE")

    @property
    def rules_of_exceptions(self) -> list[_Rule]:
        return self._rules("EXRULE")

    @property
    def meaning(self) -> tuple[object, ...]:
        """What the lines say, however they are written."""
        first = self.clock.first
        rules = frozenset(rule.filled_in(first) for rule in self.rules)
        exceptions = frozenset(rule.filled_in(first) for rule in self.rules_of_exceptions)
        return rules, exceptions, self.dates("RDATE"), self.dates("EXDATE")

    def _rules(self, name: str) -> list[_Rule]:
        return [line.rule for line in self.lines if isinstance(line, _RuleLine) and line.name == name]

    def dates(self, name: str) -> set[datetime]:
        lines = [line for line in self.lines if isinstance(line, _DatesLine) and line.name == name]
        return {moment for line in lines for _, moment in line.values}


def _starts(series: _Series, *, after: datetime | None = None, before: datetime | None = None) -> Iterator[datetime]:
    clock, dates = series.clock, sorted(series.dates("RDATE"))
    wanted = merge(
        [clock.first_moment], dates, *(rule.hits(clock, after=after, before=before) for rule in series.rules)
    )
    excepted_dates = series.dates("EXDATE")
    excepted = merge(*(rule.hits(clock, after=after, before=before) for rule in series.rules_of_exceptions))
    latest = next_excepted = None
    for moment in wanted:
        if before and moment >= before:
            return
        if moment == latest or (after and moment < after):
            continue
        latest = moment
        while next_excepted is None or next_excepted < moment:
            next_excepted = next(excepted, _FAR)
        if moment != next_excepted and moment not in excepted_dates:
            yield moment


_FAR = datetime.max.replace(tzinfo=UTC)


def _read(pattern: Pattern) -> _Series:
    first = pattern.first
    # Two equal times of one zone (before and after the clocks go back) must not be taken for each other.
    key = first.astimezone(UTC) if isinstance(first, datetime) else first
    return _read_lines(key, pattern.time_zone, tuple(pattern.lines))


@lru_cache(maxsize=256)
def _read_lines(first: datetime | date, time_zone: str, lines: tuple[str, ...]) -> _Series:
    clock = _clock(first, time_zone)
    if sum(len(line) for line in lines) > _MOST_TEXT:
        raise UnreadableRule("The rule of the series is too long.")
    read = tuple(_read_line(line, clock) for line in lines)
    if sum(isinstance(line, _RuleLine) for line in read) > _MOST_RULES:
        raise UnreadableRule(f"The series has more than {_MOST_RULES} rules.")
    return _Series(clock, read)


def _read_line(line: str, clock: _Clock) -> _RuleLine | _DatesLine:
    match = _LINE.fullmatch(line)
    if match is None:
        raise UnreadableRule(f"The rule “{_shortened(line)}” cannot be read.")
    name, parameters, value = match[1].upper(), match[2], match[3]
    try:
        if name in ("RRULE", "EXRULE"):
            parts = _parts(value)
            return _RuleLine(name, parts, _rule(parts, clock), line)
        return _dates(line, name, parameters, value, clock)
    except (ValueError, OverflowError) as error:
        raise UnreadableRule(f"The rule “{_shortened(line)}” cannot be read.") from error


def _shortened(text: str) -> str:
    shown = "".join(character if character.isprintable() else "�" for character in text[:80])
    return shown + ("…" if len(text) > 80 else "")


def _parts(value: str) -> dict[str, str]:
    """:raises ValueError:"""
    pairs = [part.partition("=") for part in value.upper().rstrip(";").split(";")]
    parts = {name: text for name, _, text in pairs}
    if len(parts) < len(pairs):
        raise ValueError(value)
    return parts


def _rule(parts: Mapping[str, str], clock: _Clock) -> _Rule:
    """:raises ValueError:"""
    if unknown := set(parts) - _PARTS:
        raise ValueError(unknown)
    frequency = parts.get("FREQ", "")
    if frequency in ("HOURLY", "MINUTELY", "SECONDLY"):
        raise UnreadableRule("A series that repeats more often than daily cannot be followed.")
    if frequency not in _FREQUENCIES or ("UNTIL" in parts and "COUNT" in parts):
        raise ValueError(frequency)
    rule = _Rule(
        frequency=frequency,
        interval=_positive(parts["INTERVAL"]) if "INTERVAL" in parts else 1,
        count=_positive(parts["COUNT"]) if "COUNT" in parts else None,
        until=_until(parts["UNTIL"], clock) if "UNTIL" in parts else None,
        week_start=_WEEKDAYS.index(parts.get("WKST", "MO")),
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


_PARTS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYDAY"} | {
    "BYSETPOS", "BYHOUR", "BYMINUTE", "BYSECOND",
}  # fmt: skip


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
        found.append((int(match[1] or 0), _WEEKDAYS.index(match[2])))
    return tuple(sorted(set(found)))


def _until(text: str, clock: _Clock) -> datetime:
    """Return the last moment an UNTIL allows; a bare day means all of it."""
    return _moment(text, clock, zone=None, time_of_days=time(23, 59, 59))


def _dates(line: str, name: str, parameters: str, value: str, clock: _Clock) -> _DatesLine:
    """:raises ValueError:"""
    kind, zone_name = _KIND.search(parameters), _ZONE.search(parameters)
    if kind and kind[1].upper() not in ("DATE", "DATE-TIME", "PERIOD"):
        raise ValueError(parameters)
    zone = _zone(zone_name[1]) if zone_name else None
    texts = value.upper().split(",")
    moments = [_moment(text.split("/")[0], clock, zone=zone, time_of_days=clock.first.time()) for text in texts]
    is_of_days = not clock.is_all_day and all(len(text) == 8 for text in texts)
    return _DatesLine(name, parameters, tuple(zip(texts, moments, strict=True)), line, is_of_days)


def _moment(text: str, clock: _Clock, *, zone: ZoneInfo | None, time_of_days: time) -> datetime:
    """Return a date or time of a line in UTC. :raises ValueError:"""
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise ValueError(text)
    year = int(match[1])
    if year < _FIRST_YEAR:
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
