"""When a series happens: the starts its lines make together."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from heapq import merge

from activities.recurrence.clock import written
from activities.recurrence.lines import Series, read
from activities.recurrence.pattern import LAST_YEAR, Pattern

_FAR = datetime.max.replace(tzinfo=UTC)


def check(pattern: Pattern) -> None:
    """Make sure that we follow a series. :raises UnreadableRule: if its lines, zone or first start cannot be used."""
    read(pattern)


def starts(pattern: Pattern, *, after: datetime | None = None, before: datetime | None = None) -> Iterator[datetime]:
    """
    Return the original starts from `after` on and before `before`, in UTC, in order, each once.

    The first start is one of them even where it does not fit the rule.

    :raises UnreadableRule: at once, not with the first start asked for.
    """
    return starts_of(read(pattern), after=after, before=before)


def is_endless(pattern: Pattern) -> bool:
    """Return whether some rule has neither COUNT nor UNTIL. :raises UnreadableRule:"""
    return any(rule.is_endless for rule in read(pattern).rules)


def last_start(pattern: Pattern) -> datetime | None:
    """Return the last original start, in UTC; None: it is endless, or all are excepted. :raises UnreadableRule:"""
    if is_endless(pattern):
        return None
    series = read(pattern)
    ends = [rule.until for rule in series.rules if rule.until]
    if ends:  # The last one is rarely far from the end, and the begin may be: look there before anywhere else.
        near = min(max(ends), datetime(LAST_YEAR, 12, 31, tzinfo=UTC)) - timedelta(days=400)
        if found := last_of(starts_of(series, after=near)):
            return found
    return last_of(starts_of(series))


def last_of(moments: Iterator[datetime]) -> datetime | None:
    """Return the last of moments that come to an end, or None."""
    last = deque(moments, maxlen=1)
    return last[0] if last else None


def happens_at(pattern: Pattern, original: datetime) -> bool:
    """Return whether this moment is an original start of the series. :raises UnreadableRule:"""
    return next(starts(pattern, after=original, before=original + timedelta(seconds=1)), None) == original


def instance_suffix(original: datetime, *, all_day: bool) -> str:
    """Return what Google puts behind `<master>_` to name an occurrence: its original start in UTC, or its day."""
    return written(original.astimezone(UTC), all_day=all_day)


def starts_of(series: Series, *, after: datetime | None = None, before: datetime | None = None) -> Iterator[datetime]:
    """Yield the `starts` of a series that is read already."""
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
