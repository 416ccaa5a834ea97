"""Parts of one series in Google: told by their ids, or by what was cut off (R15)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Q

from activities import recurrence, series
from activities.models import Activity
from sync import store
from sync.core import mapping
from sync.core.snapshot import Days, Repeating
from sync.models import EventLink
from sync.run import Run, facts_in

_PART = re.compile(r"^(?P<root>.+?)(_R\d{8}(T\d{6})?)+$")  # How Google names the later part of a series that was split.


def split_from(run: Run, link: EventLink) -> list[EventLink]:
    """
    Return the links to the series of which an event is a later part, told by its id (Google's `_R`), the latest first.

    Of a series that was split twice before anybody looked, the last part's occurrences are still with the first. A part
    that begins at another time has an id of its own: it is told by the series that Google cut in the same moment.
    """
    part = _PART.match(link.event_id)
    if part is None:
        return cut_in_the_same_moment(run, link)
    root = part["root"]
    same = Q(event_id=root) | Q(event_id__startswith=f"{root}_R")
    wholes = EventLink.objects.filter(same, calendar=run.calendar, activity__is_series=True).exclude(pk=link.pk)
    before = [whole for whole in wholes.select_related("activity__series") if _begins(whole) < begins_event(run, link)]
    return sorted(before, key=_begins, reverse=True)


def begin_in(run: Run, link: EventLink, whole: EventLink) -> datetime:
    """Return with which occurrence of a series its later part begins in Google, wherever that was moved to."""
    if at := cut_of(link):
        return at
    begins, cut = begins_event(run, link), cut_in_google(run, whole)
    return cut.at if cut and cut.at < begins <= cut.next else begins


@dataclass(frozen=True)
class _Cut:
    """Where Google has cut off the later part of a series: the first occurrence that left, and the one after it."""

    last: datetime  # The start of the last occurrence that is left.
    at: datetime
    next: datetime


def cut_in_the_same_moment(run: Run, link: EventLink) -> list[EventLink]:
    """Return the link to the series that goes on as this event, which has an id of its own; at most one."""
    facts = facts_in(link)
    if not link.event.get("recurrence") or facts.is_cancelled:
        return []
    try:
        begins = begins_event(run, link)
    except mapping.UnreadableEvent:
        return []
    wholes = EventLink.objects.filter(
        calendar=run.calendar,
        google_calendar_id=link.google_calendar_id,
        activity__is_series=True,
        state=EventLink.State.LINKED,
        is_marked=True,
        changed_in_google__has_key="when",
    )
    found = []
    for whole in wholes.exclude(pk=link.pk).select_related("activity__series"):
        cut = cut_in_google(run, whole)
        if cut and cut.last < begins and has_same_organizer(whole, link) and _goes_on_as(whole, link):
            found.append((cut.at, whole))
    found.sort(key=lambda pair: pair[0])
    return [whole for _at, whole in found[-1:]]


def has_same_organizer(whole: EventLink, part: EventLink) -> bool:
    """Whether one person organizes both events in Google: what somebody else organizes is no part of a series."""
    former, later = facts_in(whole), facts_in(part)
    return (former.organizer, former.is_own) == (later.organizer, later.is_own)


def _goes_on_as(whole: EventLink, part: EventLink) -> bool:
    """Whether both have the same name, or are of one change: all rows of one have the same `updated` in Google."""
    former, later = facts_in(whole), facts_in(part)
    return whole.event.get("summary") == part.event.get("summary") or former.updated == later.updated


def cut_in_google(run: Run, whole: EventLink) -> _Cut | None:
    """Return where Google has cut a series since both sides last agreed, None if it has not."""
    base = store.base_of(whole.base_google)
    try:
        now = mapping.when_of(whole.event, default_zone=run.default_zone)
        if base is None or not isinstance(base.when, Repeating) or not isinstance(now, Repeating):
            return None
        before, after = store.pattern_of(base.when), store.pattern_of(now)
        last = recurrence.last_start(after)
        if last is None or now.first != base.when.first or not recurrence.is_cut(before, part=after):
            return None
        starts = recurrence.starts(before, after=last + timedelta(seconds=1))
        at = next(starts, None)
        return _Cut(last, at, next(starts, at)) if at else None
    except (mapping.UnreadableEvent, recurrence.UnreadableRule):
        return None


def let_times_follow(head: Activity, moved: Iterable[int]) -> None:
    """
    Let occurrences take place when their new series says, which Google gave another time from here on.

    Google keeps no times of their own for them then. What somebody here worked on keeps its own.
    """
    rows = list(Activity.every.filter(pk__in=list(moved)))
    worked_on = series.has_local_work(rows)
    for row in rows:
        if row.pk not in worked_on:
            series.put_back(row, head=head, names=["when"])


def root_of(whole: EventLink) -> str:
    """Return the id from which the ids of a series' later parts in Google are made."""
    part = _PART.match(whole.event_id)
    return part["root"] if part else whole.event_id


def parts_in_google(run: Run, whole: EventLink) -> list[EventLink]:
    """Return the links to the later parts of a series, told by their ids, in their order; cancelled ones are none."""
    found = EventLink.objects.filter(
        calendar=run.calendar,
        google_calendar_id=whole.google_calendar_id,
        event_id__startswith=f"{root_of(whole)}_R",
        event__recurringEventId__isnull=True,
    ).exclude(event__status="cancelled")
    parts = [(cut, link) for link in found if (cut := cut_of(link))]
    return [link for _cut, link in sorted(parts, key=lambda part: part[0])]


def cut_of(link: EventLink) -> datetime | None:
    """Return the original start at which Google split off a later part, told by its id; None if it is none."""
    part = _PART.match(link.event_id)
    if part is None:
        return None
    text = part[2].removeprefix("_R")
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%S" if "T" in text else "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return None


def _begins(whole: EventLink) -> datetime:
    assert whole.activity is not None
    assert whole.activity.series is not None
    return whole.activity.series.first_start


def begins_event(run: Run, link: EventLink) -> datetime:
    when = mapping.when_of(link.event, default_zone=run.default_zone)
    first = when.first if isinstance(when, Repeating) else when
    return series.original_of(first.first if isinstance(first, Days) else first.start)
