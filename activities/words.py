"""Days and times as people write them."""

from __future__ import annotations

import zoneinfo
from datetime import date, datetime, timedelta

from django.utils import formats


def span_of_days(first: date, last: date) -> str:
    """Return days in words, such as “Tue 10 Mar” or “Tue 10 Mar – Thu 12 Mar”."""
    words = [formats.date_format(day, "D j M Y") for day in (first, last)]
    return words[0] if first == last else " – ".join(words)


def span_of_time(start: datetime, due: datetime) -> str:
    """Return two times in words, in the zone they have; the second without its day when it is the same."""
    same_day = start.date() == due.date() or due - start < timedelta(hours=12)
    second = formats.date_format(due, "H:i" if same_day else "D j M Y, H:i")
    return f"{formats.date_format(start, 'D j M Y, H:i')} – {second}"


def hours(start: datetime, due: datetime) -> str:
    """Return the two times of a day, such as “13:30 – 14:30”, in the zone they have."""
    return f"{formats.date_format(start, 'H:i')} – {formats.date_format(due, 'H:i')}"


def reads_differently(*moments: datetime, zone: zoneinfo.ZoneInfo, other: zoneinfo.ZoneInfo) -> bool:
    """Whether the clocks of two zones show different times at one of these moments."""
    return any(at.astimezone(zone).utcoffset() != at.astimezone(other).utcoffset() for at in moments)


def range_of_days(first: date, last: date) -> str:
    """Return a range as a heading, with nothing said twice: “9 – 15 March 2026”."""
    if first.year != last.year:
        pattern = "j F Y"
    elif first.month != last.month:
        pattern = "j F"
    else:
        pattern = "j"
    return f"{formats.date_format(first, pattern)} – {formats.date_format(last, 'j F Y')}"
