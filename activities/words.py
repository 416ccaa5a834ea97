"""Days and times as people write them."""

from __future__ import annotations

import zoneinfo
from datetime import date, datetime, timedelta

from django.utils import dateformat, formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext


def moment(at: datetime | None, *, now: datetime, in_sentence: bool = False) -> str:
    """Return a time as people say it, in the current zone: “Today, 10:35”, “Thu 12 Mar, 09:30”. Empty for None."""
    if at is None:
        return ""
    local = timezone.localtime(at)
    words_of_day = day(local.date(), today=timezone.localdate(now), in_sentence=in_sentence)
    return f"{words_of_day}, {dateformat.format(local, 'H:i')}"


def day(on: date, *, today: date, in_sentence: bool = False) -> str:
    """
    Return a day as people say it: “Today”, “Yesterday”, “Tomorrow”, “Thu 12 Mar”, with the year if it is another.

    `in_sentence`: as it reads after other words, “yesterday”.
    """
    distance = (on - today).days
    if in_sentence:
        near = {
            0: pgettext("after other words", "today"),
            -1: pgettext("after other words", "yesterday"),
            1: pgettext("after other words", "tomorrow"),
        }
    else:
        near = {0: _("Today"), -1: _("Yesterday"), 1: _("Tomorrow")}
    return near.get(distance) or dateformat.format(on, _("D j M") if on.year == today.year else _("D j M Y"))


def span_of_days(first: date, last: date) -> str:
    """Return days in words, such as “Tue 10 Mar” or “Tue 10 Mar – Thu 12 Mar”."""
    words = [formats.date_format(day, _("D j M Y")) for day in (first, last)]
    return words[0] if first == last else " – ".join(words)


def span_of_time(start: datetime, due: datetime) -> str:
    """Return two times in words, in the zone they have; the second without its day when it is the same."""
    same_day = start.date() == due.date() or due - start < timedelta(hours=12)
    second = formats.date_format(due, "H:i" if same_day else _("D j M Y, H:i"))
    return f"{formats.date_format(start, _('D j M Y, H:i'))} – {second}"


def hours(start: datetime, due: datetime) -> str:
    """Return the two times of a day, such as “13:30 – 14:30”, in the zone they have."""
    return f"{formats.date_format(start, 'H:i')} – {formats.date_format(due, 'H:i')}"


def reads_differently(*moments: datetime, zone: zoneinfo.ZoneInfo, other: zoneinfo.ZoneInfo) -> bool:
    """Whether the clocks of two zones show different times at one of these moments."""
    return any(at.astimezone(zone).utcoffset() != at.astimezone(other).utcoffset() for at in moments)


def range_of_days(first: date, last: date) -> str:
    """Return a range as a heading, with nothing said twice: “9 – 15 March 2026”."""
    if first.year != last.year:
        pattern = _("j F Y")
    elif first.month != last.month:
        pattern = _("j F")
    else:
        pattern = _("j")
    return f"{formats.date_format(first, pattern)} – {formats.date_format(last, _('j F Y'))}"
