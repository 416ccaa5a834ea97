"""The clock on the wall that a series goes by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from activities.recurrence.pattern import FIRST_YEAR, LAST_YEAR, UnreadableRule, shortened


@dataclass(frozen=True, slots=True)
class Clock:
    """The wall clock a series goes by: `first` and all local times are naive, all moments are in UTC."""

    zone: ZoneInfo
    first: datetime
    first_moment: datetime
    is_all_day: bool

    def moment(self, local: datetime) -> datetime:
        """Return a local time in UTC. Of two equal times it is the first, unless the series begins with the second."""
        return self.first_moment if local == self.first else local.replace(tzinfo=self.zone).astimezone(UTC)

    def local(self, moment: datetime) -> datetime:
        """Return what the clock shows at an aware moment, of whatever zone."""
        return moment.astimezone(UTC).astimezone(self.zone).replace(tzinfo=None)

    def at_midnight(self, day: date) -> datetime:
        """Return the begin of a day in UTC."""
        return datetime.combine(day, time.min, tzinfo=self.zone).astimezone(UTC)

    def at_end(self, day: date) -> datetime:
        """Return the last second of a day, in UTC."""
        return self.at_midnight(day + timedelta(days=1)) - timedelta(seconds=1)

    def written(self, moment: datetime) -> str:
        """Return a moment as the lines of the series have it, in UNTIL and among dates."""
        return written(moment, all_day=self.is_all_day)


def written(moment: datetime, *, all_day: bool) -> str:
    """Return a moment, given in UTC, as RFC 5545 writes it: as a day, or with its time in UTC."""
    return f"{moment:%Y%m%d}" if all_day else f"{moment:%Y%m%dT%H%M%SZ}"


@lru_cache(maxsize=1024)
def zone_named(name: str) -> ZoneInfo:
    """Return a zone by its IANA name. :raises UnreadableRule: if nobody knows it."""
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:
        raise UnreadableRule(f"The time zone “{shortened(name)}” is unknown.") from error


def clock_of(first: datetime | date, time_zone: str) -> Clock:
    """
    Return the clock of a series by its first start: a date for an all-day series, else aware, of whatever zone.

    :raises UnreadableRule: if the zone is unknown, or the year out of reach.
    """
    if not FIRST_YEAR <= first.year <= LAST_YEAR:
        raise UnreadableRule(f"A series that begins in the year {first.year} cannot be followed.")
    if not isinstance(first, datetime):
        midnight = datetime.combine(first, time.min, tzinfo=UTC)
        return Clock(zone_named("UTC"), midnight.replace(tzinfo=None), midnight, is_all_day=True)
    moment = first.astimezone(UTC).replace(microsecond=0)
    zone = zone_named(time_zone)
    return Clock(zone, moment.astimezone(zone).replace(tzinfo=None), moment, is_all_day=False)


def as_much_later(moment: datetime, old: Clock, new: Clock) -> datetime:
    """Return a moment, in UTC, as much later as the series begins now, by the clock on the wall."""
    return new.moment(old.local(moment) + (new.first - old.first))
