"""Moving all of a series to another day, time or zone (R15)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice

from activities.recurrence.clock import Clock, as_much_later, clock_of
from activities.recurrence.days import WEEKDAYS, positions_in_month, which_of_month
from activities.recurrence.lines import RuleLine, read, rule_of
from activities.recurrence.pattern import LAST_YEAR, Pattern, UnableToMove
from activities.recurrence.rules import Rule


def moved(pattern: Pattern, *, first: datetime | date, time_zone: str) -> tuple[str, ...]:
    """
    Return the lines of a series once all of it is moved so that it begins at `first`; it happens as often as before.

    Weekdays and days of the month move along, and so do the end, the exceptions and the extra dates.

    :raises UnreadableRule:
    :raises UnableToMove: if a rule is too particular to say what it would be on other days or at other times.
    """
    series = read(pattern)
    old, new = series.clock, clock_of(first, time_zone)
    if old == new:
        return tuple(pattern.lines)
    moves = {
        line.text: _RuleMove(line, _moved_rule(line, old, new)) for line in series.lines if isinstance(line, RuleLine)
    }
    exceptions = _moved_exceptions(series.dates("EXDATE"), old, new, moves.values())
    lines = []
    for line in series.lines:
        if isinstance(line, RuleLine):
            lines.append(moves[line.text].text(old, new))
        else:
            places = exceptions if line.name == "EXDATE" else {}
            moments = [places.get(moment) or as_much_later(moment, old, new) for _, moment in line.values]
            lines.append(_dates_text(line.name, moments, new))
    return tuple(lines)


@dataclass(frozen=True, slots=True)
class _RuleMove:
    """A rule and what becomes of it; its UNTIL is not moved yet."""

    line: RuleLine
    changes: Mapping[str, str | None]

    def new_rule(self, clock: Clock) -> Rule:
        """Return the rule as moved, without UNTIL."""
        return rule_of(self.line.changed({**self.changes, "UNTIL": None}), clock)

    def text(self, old: Clock, new: Clock) -> str:
        changes = dict(self.changes)
        if self.line.rule.until is not None:
            changes["UNTIL"] = new.written(self._until(old, new))
        return self.line.with_parts(**changes)

    def _until(self, old: Clock, new: Clock) -> datetime:
        """Return the end that leaves the rule as many hits as it had: a day's if possible, as people say it."""
        until = self.line.rule.until
        assert until is not None
        exact = as_much_later(until, old, new)
        if until.year > LAST_YEAR:
            return exact
        count = sum(1 for _ in self.line.rule.hits(old))
        hits = list(islice(self.new_rule(new).hits(new), count + 1))
        last_day = self.line.rule.last_day(old)
        end_of_day = new.at_end(last_day + (new.first.date() - old.first.date()))
        for candidate in (end_of_day, exact):
            if sum(1 for hit in hits if hit <= candidate) == count:
                return candidate
        return hits[min(count, len(hits)) - 1] if count and hits else exact


def _moved_rule(line: RuleLine, old: Clock, new: Clock) -> dict[str, str | None]:
    changes = _moved_times(line, old, new)
    if old.first.date() != new.first.date():
        changes |= _moved_days(line, old, new)
    return changes


def _moved_times(line: RuleLine, old: Clock, new: Clock) -> dict[str, str | None]:
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


def _moved_days(line: RuleLine, old: Clock, new: Clock) -> dict[str, str | None]:
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


def _rotated(rule: Rule, old: Clock, new: Clock) -> dict[str, str | None]:
    """Return the weekdays of a daily or weekly rule, as many days later."""
    if rule.months or rule.month_days or rule.positions:
        raise _unable_to_move()
    past = (new.first.date() - old.first.date()).days % 7
    if not past or not rule.weekdays:
        return {}
    days = sorted((weekday + past) % 7 for _, weekday in rule.weekdays)
    changes: dict[str, str | None] = {"BYDAY": ",".join(WEEKDAYS[day] for day in days)}
    if rule.frequency == "WEEKLY" and rule.interval > 1 and days != [new.first.weekday()]:
        changes["WKST"] = WEEKDAYS[(rule.week_start + past) % 7]  # What was one week stays one.
    return changes


def _moved_month(rule: Rule, new: date) -> dict[str, str | None]:
    if not rule.months:
        return {}
    if rule.frequency != "YEARLY" or len(rule.months) > 1:
        raise _unable_to_move()
    return {"BYMONTH": str(new.month)}


def _moved_day_of_month(rule: Rule, old: date, new: date) -> dict[str, str | None]:
    """Return which days of the month a rule names once its first start, which fits it, is another day."""
    if rule.frequency == "YEARLY" and not rule.months:
        raise _unable_to_move()
    if rule.month_days and not rule.weekdays and not rule.positions:
        return {"BYMONTHDAY": _moved_month_days(rule.month_days, old, new)}
    if len(rule.weekdays) == 1 and not rule.month_days:
        ((which, _),) = rule.weekdays
        if which and not rule.positions:
            return {"BYDAY": f"{which_of_month(new, like=which)}{WEEKDAYS[new.weekday()]}"}
        if not which and len(rule.positions) == 1:
            (position,) = rule.positions
            return {"BYDAY": WEEKDAYS[new.weekday()], "BYSETPOS": str(which_of_month(new, like=position))}
    if rule.names_no_day and not rule.positions:
        return {}
    raise _unable_to_move()


def _moved_month_days(days: Set[int], old: date, new: date) -> str:
    from_end = positions_in_month(new)[1]
    if len(days) == 1:
        (day,) = days
        counts_from_end = day < 0 and (from_end == -1 or (new.year, new.month) == (old.year, old.month))
        return str(from_end if counts_from_end else new.day)
    shifted = [day + new.day - old.day for day in sorted(days)]
    if not all(1 <= day <= 28 for day in (*days, *shifted)):
        raise _unable_to_move()
    return ",".join(map(str, shifted))


def _moved_exceptions(
    moments: Set[datetime], old: Clock, new: Clock, rules: Iterable[_RuleMove]
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
            if was.hits_at(moment, old) and not now.hits_at(as_much_later(moment, old, new), new)
        }
        if lost:
            both = zip(was.hits(old, before=max(lost) + timedelta(seconds=1)), now.hits(new), strict=False)
            places |= {moment: place for moment, place in both if moment in lost}
    return places


def _dates_text(name: str, moments: Iterable[datetime], clock: Clock) -> str:
    kind = ";VALUE=DATE" if clock.is_all_day else ""
    return f"{name}{kind}:" + ",".join(map(clock.written, moments))


def _unable_to_move() -> UnableToMove:
    return UnableToMove("The rule of this series is too particular to be moved with it. Change the rule instead.")
