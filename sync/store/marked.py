"""What needs a look in this session: links and activities that are marked (R18)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, Q, QuerySet
from django.db.models.functions import Coalesce

from activities.models import Activity, Tag
from sync.models import ActivityMark, EventLink, SyncedCalendar, SyncSettings
from sync.run import Run


def has_anything_to_look_at(run: Run) -> bool:
    """Whether anything is marked, or due for another look, or everything is (R18, R19). One statement."""
    if run.calendar.compare_all or run.calendar.confirmed_removals or _is_comparison_due(run):
        return True
    links = EventLink.objects.filter(calendar=run.calendar)
    waiting = links.filter(is_marked=True) | links.filter(retry_at__lte=run.now)
    calendar = SyncedCalendar.objects.filter(pk=run.calendar.pk)
    return calendar.filter(Exists(waiting) | Exists(_due_activities(run))).exists()


def _is_comparison_due(run: Run) -> bool:
    compared_at = run.calendar.compared_at
    return compared_at is None or compared_at <= run.now - timedelta(days=1)


def _due_activities(run: Run) -> QuerySet[ActivityMark]:
    return run.calendar.activity_marks.filter(Q(retry_at=None) | Q(retry_at__lte=run.now))


def mark_what_is_due(run: Run) -> bool:
    """
    Mark parked links whose time has come, and everything when a full comparison is due (R18, R19).

    What this session itself has decided about, with the settings as they are, is left out. Returns whether it was due.
    """
    calendar = run.calendar
    links = EventLink.objects.filter(calendar=calendar)
    links.filter(retry_at__lte=run.now).update(is_marked=True, mark=F("mark") + 1, retry_at=None)
    is_due = _is_comparison_due(run)
    if not (is_due or calendar.compare_all):  # What is wanted since this run took the calendar, the next one does.
        return False
    with transaction.atomic():
        # Taken off first: a change of the settings in this very moment puts it on again, for the next session.
        is_wanted = SyncedCalendar.objects.filter(pk=calendar.pk, compare_all=True).update(
            compare_all=_are_other_settings_saved(run)
        )
        if not (is_wanted or is_due):
            return False
        ignored = Q(state=EventLink.State.SEEN) & (Q(rule="R2") | Q(series__isnull=False))  # They may come in now.
        known = links.filter(ignored | Q(activity__isnull=False)).exclude(
            settled_at__gt=run.session.started_at or run.now
        )
        known.update(is_marked=True, mark=F("mark") + 1)
        ids = selectable_activities(run).values_list("pk", flat=True)
        rows = [ActivityMark(calendar=calendar, activity_id=pk) for pk in ids]
        ActivityMark.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1000)
        calendar.compare_all, calendar.compared_at = False, run.now
        calendar.save(update_fields=["compared_at"])
        return True


def _are_other_settings_saved(run: Run) -> bool:
    """Whether the set-up page was saved since this run began, by whose settings it decides to its end."""
    return not SyncSettings.objects.filter(
        pk=run.settings.pk,
        tag=run.settings.tag_id,
        sync_from=run.settings.sync_from,
        calendar_id=run.settings.calendar_id,
    ).exists()


def selectable_activities(run: Run) -> Any:
    """Return the activities without a link that may qualify for this user; `reasons_to_send` has the last word (R1)."""
    me = run.me
    mine = Q(organizer=me) | Q(owner=me) | Q(participants__profile=me)
    return (
        Activity.every.present()
        .filter(mine, show_in_calendar=True, tags__kind=Tag.Kind.PRIVATE, tags__owner=me, original_start=None)
        .filter(Q(due__gt=run.window.start - timedelta(days=1)) | Q(is_series=True))
        .exclude(links__calendar=run.calendar)
        .distinct()
    )


@dataclass(frozen=True, slots=True)
class Marked:
    """A link to look at, and the lane in which it waits its turn."""

    pk: int
    lane: str
    place: int  # New series come first, then what is linked, then single occurrences (R15).


@dataclass(frozen=True, slots=True)
class MarkedActivity:
    """An activity to look at, and the lane in which it waits its turn."""

    row: ActivityMark
    lane: str
    place: int  # As of a link.
    is_new_series: bool


def marked_links(run: Run) -> list[Marked]:
    """Return the links to look at, in the order in which they have to be."""
    return _in_lanes(run, EventLink.objects.filter(calendar=run.calendar, is_marked=True))


def links_to_look_at(run: Run, ids: Iterable[int]) -> list[Marked]:
    """Return these links, in the order in which they have to be looked at."""
    return _in_lanes(run, EventLink.objects.filter(pk__in=list(ids)))


def _in_lanes(run: Run, links: QuerySet[EventLink]) -> list[Marked]:
    rows = links.values("pk", "event_id", "series_id", "activity_id", "state", "event__recurringEventId",
                        "event__recurrence").order_by("id")  # fmt: skip
    found = list(rows)
    wholes = {row["event__recurringEventId"] for row in found if not row["series_id"]} - {None}
    known = EventLink.objects.filter(calendar=run.calendar, event_id__in=wholes, series__isnull=False)
    series = dict(known.values_list("event_id", "series_id"))
    return sorted((_in_lane(row, series) for row in found), key=lambda marked: marked.place)


def _in_lane(row: Mapping[str, Any], series: Mapping[str, int]) -> Marked:
    whole = row["event__recurringEventId"]
    series_id = row["series_id"] or series.get(whole or "")
    if series_id:
        lane = f"series {series_id}"
    elif whole or row["event__recurrence"]:
        lane = f"event {whole or row['event_id']}"
    else:
        lane = f"activity {row['activity_id']}" if row["activity_id"] else f"link {row['pk']}"
    is_new_series = row["event__recurrence"] and row["state"] == EventLink.State.SEEN
    return Marked(row["pk"], lane, 0 if is_new_series else 2 if whole else 1)


def marked_activities(run: Run) -> list[MarkedActivity]:
    """Return the activities to look at, in the order in which they have to be."""
    return in_lanes(run, _due_activities(run).select_related("activity").order_by("id"))


def in_lanes(run: Run, marks: Iterable[ActivityMark]) -> list[MarkedActivity]:
    """Return marked activities in the order for looking at them: a series before its occurrences (R15)."""
    found = list(marks)
    wholes = [mark.activity_id for mark in found if mark.activity.is_series]
    linked = set(EventLink.objects.filter(calendar=run.calendar, activity__in=wholes)
                 .values_list("activity_id", flat=True))  # fmt: skip
    rows = [_marked_activity(mark, is_linked=mark.activity_id in linked) for mark in found]
    return sorted(rows, key=lambda row: row.row.activity.original_start is not None)


def _marked_activity(row: ActivityMark, *, is_linked: bool) -> MarkedActivity:
    activity = row.activity
    lane = f"series {activity.series_id}" if activity.series_id else f"activity {activity.pk}"
    place = 2 if activity.original_start else 1
    return MarkedActivity(row, lane, place, is_new_series=activity.is_series and not is_linked)


def count_of(links: QuerySet[EventLink]) -> int:
    """Return how many items links are; a series with its exceptions counts as one (R14)."""
    return links.annotate(item=Coalesce("series_id", -F("id"))).values("item").distinct().count()
