"""A single activity that repeats from now on, and a series that ends as a single activity (R9, R15)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Profile
from activities import recurrence, services
from activities.models import Activity, FieldChange, Series
from activities.recurrence import Pattern
from activities.series.heads import copy_changes, head_like, log_when, put_out_of_sight, save_head
from activities.series.occurrences import (
    FROM_THE_FIRST,
    has_local_work,
    lay_out_locked,
    locked,
    occurrences_of,
    original_of,
    original_start_of,
    series_of,
    skip,
)
from activities.series.scopes import locked_pair, refuse_foreign
from activities.series.when import fitting
from activities.services import UnableToChange
from activities.signals import occurrences_left, series_ended, series_made


@transaction.atomic
def repeat(*, activity: Activity, lines: Iterable[str], by: Profile, now: datetime) -> Activity:
    """
    Let a single activity repeat: it becomes the first occurrence. Returns the head of the series.

    Status and result stay the occurrence's. Where it does not fit the rule, it moves to the first day that does.

    :raises UnableToChange: if it repeats already, the rule cannot be read, or it is somebody else's to change (R6).
    """
    activity = Activity.every.locked().get(pk=activity.pk)
    if activity.series_id:
        raise UnableToChange(_("This activity repeats already."))
    refuse_foreign(activity, by=by)
    before = services.field_values(activity)
    head = turn_into_series(activity, pattern=fitting(activity, lines=lines), now=now)
    log_when(head, before=before, by=by, now=now)
    services.announce(head, by=by)
    return head


@transaction.atomic
def turn_into_series(activity: Activity, *, pattern: Pattern, now: datetime) -> Activity:
    """
    Let a single activity, locked, be the first occurrence of a series. Returns the head; nothing of it is announced.

    :raises UnreadableRule: if the rule cannot be read.
    """
    recurrence.check(pattern)
    series = Series.objects.create(
        recurrence=list(pattern.lines),
        time_zone=activity.time_zone,
        first_start=original_of(pattern.first),
        laid_out_from=FROM_THE_FIRST,
    )
    head = head_like(activity, series=series)
    head.status = Activity.Status.NOT_STARTED
    head.uid, activity.uid = activity.uid, head.uid  # What is known elsewhere is the whole from now on (R9).
    activity.series, activity.original_start = series, original_of(pattern.first)
    activity.save()
    save_head(head, like=activity)
    own = ("status", "result", "result_details", "response", "attachments")
    FieldChange.objects.filter(activity=activity).exclude(field__in=own).update(activity=head)
    lay_out_locked(head, now=now)
    series_made.send(sender=Activity, head=head, occurrence=activity)
    return head


@transaction.atomic
def stop_repeating(*, activity: Activity, by: Profile, now: datetime) -> Activity:
    """
    Let one occurrence stay as a single activity; all others leave. Returns it.

    The others can be restored for 30 days, as a series (R14). Those with local work stay by themselves.

    :raises UnableToChange: if it is somebody else's to change (R6).
    """
    head, occurrence = locked_pair(activity)
    refuse_foreign(head, by=by)
    before = services.field_values(head)
    occurrence, left = turn_into_single(head, keeping=occurrence, by=by, now=now)
    after = services.field_values(occurrence)
    services.log(occurrence, before={"when": before["when"]}, after={"when": after["when"]}, by=by, now=now)
    for row in (head, occurrence, *left):
        services.announce(row, by=by)
    return occurrence


@transaction.atomic
def turn_into_single(
    head: Activity, *, keeping: Activity, by: Profile | None, now: datetime
) -> tuple[Activity, list[Activity]]:
    """
    Let an occurrence stay as a single activity, and put the rest of its series out of sight. Both are locked.

    Returns it, and those others that stay by themselves because of local work. Nothing of it is announced.
    """
    series, occurrence = series_of(head), keeping
    others = locked(occurrences_of(series).exclude(pk=occurrence.pk).filter(deleted_at=None))
    staying = has_local_work(others)
    alone = [row for row in others if row.pk in staying]
    skip(series, originals=[original_start_of(row) for row in (occurrence, *alone)])
    Activity.every.filter(pk__in=[row.pk for row in (occurrence, *alone)]).update(
        series=None, original_start=None, modified_at=timezone.now()
    )
    known = head.uid
    Activity.every.filter(pk=head.pk).update(uid=uuid.uuid4())
    Activity.every.filter(pk=occurrence.pk).update(uid=known)
    occurrence = Activity.every.get(pk=occurrence.pk)
    copy_changes(head, to=occurrence)
    put_out_of_sight(head, by=by, now=now)
    head.refresh_from_db()
    left = list(Activity.every.filter(pk__in=staying))
    if left:
        occurrences_left.send(sender=Activity, head=head, activities=left)
    series_ended.send(sender=Activity, head=head, activity=occurrence)
    return occurrence, left
