"""When a rule hits: a RRULE or EXRULE of RFC 5545, from any moment on, with the clock of its series."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import product

from activities.recurrence.clock import Clock
from activities.recurrence.days import days_of_month, in_sevens, positions_in_month, positions_in_year, week_numbers
from activities.recurrence.pattern import LAST_YEAR


@dataclass(frozen=True, slots=True)
class Rule:
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

    def goes_on(self, clock: Clock, at: datetime) -> bool:
        """Return whether it hits a moment from `at` on."""
        return next(self.hits(clock, after=at), None) is not None

    def hits_at(self, moment: datetime, clock: Clock) -> bool:
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
        self, clock: Clock, *, after: datetime | None = None, before: datetime | None = None
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

    def all_hits(self, clock: Clock, *, since: date | None = None, until: date | None = None) -> Iterator[datetime]:
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

    def filled_in(self, first: datetime) -> Rule:
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

    def times(self, clock: Clock) -> list[time]:
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

    def last_day(self, clock: Clock) -> date:
        """Return the last day on which its UNTIL still allows a start at the time of the first."""
        assert self.until is not None
        local = clock.local(self.until)
        return local.date() - timedelta(days=local.time() < clock.first.time())

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
                return [date.fromordinal(begin + past) for past in range(days_of_month(date.fromordinal(begin)))]
        months = sorted(self.months) or range(1, 13)
        return [
            date(index, month, 1 + past) for month in months for past in range(days_of_month(date(index, month, 1)))
        ]

    def filter(self) -> Callable[[date], bool]:
        """Return what tells whether a day fits all that the rule says about days."""
        tests: list[Callable[[date], bool]] = []
        if self.months:
            tests.append(lambda day: day.month in self.months)
        if self.month_days:
            tests.append(lambda day: day.day in self.month_days or day.day - days_of_month(day) - 1 in self.month_days)
        if self.weekdays:
            tests.append(self._fits_weekday)
        if self.year_days:
            tests.append(lambda day: not self.year_days.isdisjoint(positions_in_year(day)))
        if self.weeks:
            tests.append(lambda day: not self.weeks.isdisjoint(week_numbers(day, week_start=self.week_start)))
        return lambda day: all(test(day) for test in tests)

    def _fits_weekday(self, day: date) -> bool:
        for which, weekday in self.weekdays:
            if weekday != day.weekday():
                continue
            if which == 0 or self.frequency in ("DAILY", "WEEKLY"):
                return True
            of_month = self.frequency == "MONTHLY" or self.months
            if which in in_sevens(positions_in_month(day) if of_month else positions_in_year(day)):
                return True
        return False


@lru_cache(maxsize=16)
def _counted_hits(rule: Rule, clock: Clock) -> tuple[datetime, ...]:
    """Return all hits of a rule with a COUNT, which can only be found from the first on."""
    return tuple(sorted(set(rule.all_hits(clock))))


def _at_positions(locals_: list[datetime], positions: Iterable[int]) -> list[datetime]:
    count = len(locals_)
    wanted = {position - 1 if position > 0 else count + position for position in positions}
    return [local for index, local in enumerate(locals_) if index in wanted]
