"""When a series takes place from now on: moved with one of its occurrences, or by a new rule. Nothing is saved here."""

from __future__ import annotations

import copy
import re
import zoneinfo
from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from typing import Any

from django.utils.translation import gettext as _

from activities import recurrence, services
from activities.models import Activity
from activities.recurrence import Pattern
from activities.series.occurrences import length_of, original_of, pattern_of, put, when_columns
from activities.services import UnableToChange


def wanted_when(occurrence: Activity, **when: Any) -> Activity | None:
    """Return the occurrence as a person wants it to take place, not saved; None if that is when it does."""
    if not any(when.values()):
        return None
    wanted = copy.copy(occurrence)
    services.change_when(wanted, **when)
    return wanted if when_columns(wanted) != when_columns(occurrence) else None


def moved_head(
    head: Activity, occurrence: Activity, wanted: Activity | None, *, lines: Iterable[str] | None
) -> tuple[Activity | None, list[str] | None]:
    """
    Return the head at its new time, not saved, and the new rule; both None if the series takes place as before.

    :raises UnableToChange: if the rule cannot be read, or is too particular to be moved.
    """
    if wanted is None and lines is None:
        return None, None
    moved = copy.copy(head)
    if wanted is not None:
        _move_along(moved, occurrence, wanted)
    old = pattern_of(head)
    if lines is None:
        try:
            return moved, list(recurrence.moved(old, first=_first_of(moved), time_zone=moved.time_zone))
        except (recurrence.UnableToMove, recurrence.UnreadableRule) as error:
            advice = _("Move this occurrence alone, or say how it repeats from now on.")
            raise UnableToChange(f"{error} {advice}") from error
    lines = [*lines, *(line for line in old.lines if line.upper().startswith("EXDATE"))]
    return moved, list(fitting(moved, lines=lines).lines)


def _move_along(head: Activity, occurrence: Activity, wanted: Activity) -> None:
    """Move the head by what an occurrence moves, by the clock on the wall; it is not saved."""
    was, will = _local(occurrence), _local(wanted)
    begins = _local(head)
    head.time_zone = wanted.time_zone if wanted.time_zone != occurrence.time_zone else head.time_zone
    are_alike = occurrence.all_day == wanted.all_day
    lengths = length_of(when_columns(occurrence)), length_of(when_columns(wanted))
    keeps_length = are_alike and head.all_day == wanted.all_day and lengths[0] == lengths[1]
    length = length_of(when_columns(head)) if keeps_length else lengths[1]
    if wanted.all_day:
        first = begins.date() + (will.date() - was.date())
        head.set_days(first=first, last=first + length)
        return
    if are_alike and not head.all_day:
        begins += will - was
    else:
        begins = datetime.combine(begins.date() + (will.date() - was.date()), will.time())
    start = begins.replace(tzinfo=zoneinfo.ZoneInfo(head.time_zone)).astimezone(UTC)
    head.set_times(start=start, due=start + length)


def _local(activity: Activity) -> datetime:
    """Return when it begins by the clock on the wall of its zone, without the zone."""
    if activity.all_day and activity.start_date:
        return datetime.combine(activity.start_date, time.min)
    return activity.start.astimezone(zoneinfo.ZoneInfo(activity.time_zone)).replace(tzinfo=None)


def _first_of(activity: Activity) -> date | datetime:
    return activity.start_date if activity.all_day and activity.start_date else activity.start


def when_arguments(activity: Activity | None, *, of: Activity | None = None) -> dict[str, Any]:
    """Return what `services.edit` takes for this "when"; nothing if it is the one of `of`."""
    if activity is None or (of is not None and when_columns(activity) == when_columns(of)):
        return {}
    if activity.all_day:
        return {"days": (activity.start_date, activity.due_date), "time_zone": activity.time_zone}
    return {"start": activity.start, "due": activity.due, "time_zone": activity.time_zone}


def fitting(activity: Activity, *, lines: Iterable[str]) -> Pattern:
    """
    Return when a series with this rule takes place, and move the activity, not saved, to its first occurrence.

    Where it stands that may not fit: for Tuesdays from a Monday on, the first occurrence is the Tuesday.

    :raises UnableToChange: if the rule cannot be read.
    """
    pattern = Pattern(first=_first_of(activity), time_zone=activity.time_zone, lines=tuple(lines))
    try:
        recurrence.check(pattern)
        first = _first_that_fits(pattern)
    except recurrence.UnreadableRule as error:
        raise UnableToChange(str(error)) from error
    if original_of(first) == original_of(pattern.first):
        return pattern
    length = length_of(when_columns(activity))
    put(activity, original_of(first), all_day=activity.all_day, length=length)
    return Pattern(first=first, time_zone=pattern.time_zone, lines=pattern.lines)


def _first_that_fits(pattern: Pattern) -> date | datetime:
    """Return the first start that a rule itself asks for; a series of several rules or of dates begins as it says."""
    rules = [line for line in pattern.lines if not line.upper().startswith("EXDATE")]
    if len(rules) != 1 or not rules[0].upper().startswith("RRULE"):
        return pattern.first
    once = re.sub(r";?(COUNT|UNTIL)=[^;]*", "", rules[0], flags=re.IGNORECASE) + ";COUNT=1"
    # The first start is an occurrence in any case; where it does not fit, the one that does is a second.
    hits = list(recurrence.starts(Pattern(pattern.first, pattern.time_zone, (once,))))
    if not recurrence.happens_at(pattern, hits[-1]):  # It ends before.
        return pattern.first
    return hits[-1] if isinstance(pattern.first, datetime) else hits[-1].date()
