"""
What people do with a repeating activity: with one occurrence, with it and all that follow, or with all (R15).

Each service asks for its scope. "This" is what `activities.services` does with any activity. "All" changes the head of
the series, and the occurrences follow. "This and following" makes a series of its own of that part first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Profile
from activities import services
from activities.models import Activity, FieldChange, Participant, Series
from activities.series.heads import put_out_of_sight
from activities.series.occurrences import (
    FOLLOWED,
    column,
    follow,
    follow_people,
    lay_out,
    lay_out_locked,
    locked_head,
    occurrences_of,
    original_of,
    original_start_of,
    pattern_of,
    re_place,
    series_of,
    when_columns,
)
from activities.series.scopes import FOLLOWING, is_of_more, locked_pair, refuse_foreign, split
from activities.series.when import fitting, moved_head, wanted_when, when_arguments
from activities.services import UnableToChange
from activities.signals import occurrences_left


@transaction.atomic
def create(
    *,
    by: Profile,
    subject: str,
    lines: Iterable[str],
    now: datetime,
    laid_out_from: datetime | None = None,
    time_zone: str | None = None,
    **values: Any,
) -> Activity:
    """
    Make a series as `services.create` makes an activity, and lay it out. Returns its head.

    `lines` are those of RFC 5545. The first occurrence is the one of `start`, or the first of `days`, or where that
    does not fit the rule (Tuesdays, from a Monday on) the next one that does.

    :raises UnableToChange: if the rule cannot be read, or due is before start.
    """
    time_zone = time_zone or by.time_zone
    scratch = Activity(time_zone=time_zone)
    when = {name: values.pop(name, None) for name in ("start", "due", "days")}
    services.change_when(scratch, time_zone=None, **when)
    pattern = fitting(scratch, lines=lines)
    values |= when_arguments(scratch)
    first = pattern.first
    series = Series.objects.create(
        recurrence=list(pattern.lines), time_zone=time_zone, first_start=original_of(first), laid_out_from=laid_out_from
    )
    head = services.create(by=by, subject=subject, now=now, series=series, is_series=True, **values)
    lay_out(series, now=now)
    return head


@transaction.atomic
def edit(
    *,
    activity: Activity,
    scope: str,
    by: Profile,
    now: datetime,
    lines: Iterable[str] | None = None,
    start: datetime | None = None,
    due: datetime | None = None,
    days: tuple[date, date] | None = None,
    time_zone: str | None = None,
    **values: Any,
) -> Activity | None:
    """
    Change an occurrence, it and all that follow, or all, as `services.edit` changes an activity.

    The times are those of this occurrence: the others move by as much, by the clock on the wall. `lines` say how it
    repeats from now on; without them the rule moves along with the days. What somebody gave another occurrence by
    itself stays there. Results, and that it is completed or in progress, are of this occurrence alone. Returns the
    occurrence, or what stands in for it if the new rule has no such day any more.

    :raises UnableToChange: if due is before start, the rule cannot be read or moved like this, or what is synchronized
        is somebody else's to change (R6).
    """
    when: dict[str, Any] = {"start": start, "due": due, "days": days, "time_zone": time_zone}
    if not is_of_more(activity, scope):
        if lines is not None:
            raise UnableToChange(_("How it repeats is nothing of one occurrence. Choose this and following, or all."))
        return services.edit(activity=activity, by=by, now=now, **when, **values)
    head, occurrence = locked_pair(activity)
    own = {name: values.pop(name) for name in _own_names(values)}
    wanted = wanted_when(occurrence, **when)
    rows = occurrences_of(series_of(head))
    if scope == FOLLOWING:
        at = original_start_of(occurrence)
        if wanted or lines is not None or _concerns_google(head, values, by=by):
            refuse_foreign(head, by=by)
            head = split(head, at=at, by=by, now=now)
            rows = occurrences_of(series_of(head))
        else:
            rows = rows.filter(original_start__gte=at)
    _edit_series(head, occurrence, wanted, rows=rows, lines=lines, values=values, by=by, now=now)
    return _edit_occurrence(occurrence, wanted, values=values, own=own, series=series_of(head), by=by, now=now)


def set_status(
    *,
    activity: Activity,
    scope: str,
    by: Profile,
    status: str,
    now: datetime,
    result: str = "",
    result_details: str = "",
) -> Activity | None:
    """
    Complete, cancel or reopen; only what is canceled or reopened can be more than this one occurrence.

    :raises UnableToChange: if canceling, or taking it back, is the Organizer's alone (R6).
    """
    return edit(
        activity=activity, scope=scope, by=by, now=now, status=status, result=result, result_details=result_details
    )


@transaction.atomic
def delete(*, activity: Activity, scope: str, by: Profile, now: datetime) -> None:
    """
    Put an occurrence, it and all that follow, or all out of sight; restored within 30 days they are back (R14).

    What is more than one occurrence is restored as one, by its head.

    :raises UnableToChange: if it is somebody else's to delete.
    """
    if not is_of_more(activity, scope):
        services.delete(activity=activity, by=by, now=now)
        return
    head, occurrence = locked_pair(activity)
    if reason := services.why_not_deletable(activity=head, profile=by):
        raise UnableToChange(reason)
    if scope == FOLLOWING:
        head = split(head, at=original_start_of(occurrence), by=by, now=now)
    put_out_of_sight(head, by=by, now=now)
    services.announce(head, by=by)


@transaction.atomic
def restore(*, head: Activity, by: Profile, now: datetime) -> None:
    """
    Bring a deleted series back, with the occurrences that went with it.

    :raises UnableToChange: if it is somebody else's to delete, and so to restore.
    """
    head = locked_head(series_of(head))
    if reason := services.why_not_restorable(activity=head, profile=by):
        raise UnableToChange(reason)
    if head.deleted_at is None:
        return
    rows = occurrences_of(series_of(head)).filter(deleted_at=head.deleted_at)
    rows.update(deleted_at=None, modified_at=timezone.now())
    head.deleted_at = None
    head.save(update_fields=["deleted_at", "modified_at"])
    lay_out_locked(head, now=now)
    FieldChange.objects.create(activity=head, field="restored", by=by, at=now)
    services.announce(head, by=by)


def _own_names(values: Mapping[str, Any]) -> list[str]:
    """Return which of these are of one occurrence alone: how it went."""
    in_hand = (Activity.Status.COMPLETED, Activity.Status.IN_PROGRESS)
    names = {"result", "result_details"} | ({"status"} if values.get("status") in in_hand else set())
    return [name for name in values if name in names]


def _concerns_google(head: Activity, values: Mapping[str, Any], *, by: Profile) -> bool:
    """Whether some occurrences of a series cannot have these values in Google unless they are a series of their own."""
    changed = {name for name, value in values.items() if getattr(head, name) != value}
    if changed & {*services.SYNCHRONIZED_FIELDS, "status"}:
        return True
    new = {values[role] for role in ("owner", "reporter") if role in changed} - {None}
    new -= {person.profile for person in head.participants.select_related("profile")}
    return bool(new) and services.why_read_only(activity=head, profile=by) is None  # They become participants.


def _edit_series(
    head: Activity,
    occurrence: Activity,
    wanted: Activity | None,
    *,
    rows: QuerySet[Activity],
    lines: Iterable[str] | None,
    values: Mapping[str, Any],
    by: Profile,
    now: datetime,
) -> None:
    """Change the head, and let these occurrences follow."""
    series = series_of(head)
    old, columns = pattern_of(head), when_columns(head)
    before = {name: getattr(head, column(name)) for name in FOLLOWED}
    status, people = head.status, set(head.participants.values_list("profile_id", flat=True))
    moved, new_lines = moved_head(head, occurrence, wanted, lines=lines)
    head = services.edit(activity=head, by=by, now=now, lines=new_lines, **when_arguments(moved, of=head), **values)
    head.series = series
    of_all = [name for name in FOLLOWED if name in services.OF_THE_SERIES]
    follow(head, before=before, names=of_all)
    follow(head, before=before, names=set(FOLLOWED) - set(of_all), rows=rows)
    added = Participant.objects.filter(activity=head).exclude(profile__in=people)
    follow_people(head, added=added, rows=rows)
    if head.status != status:
        _follow_status(head, before=status, now=now)
    if moved is not None:
        _tell_who_left(head, re_place(series, old=old, old_columns=columns, now=now), by=by)


def _edit_occurrence(
    occurrence: Activity,
    wanted: Activity | None,
    *,
    values: Mapping[str, Any],
    own: Mapping[str, Any],
    series: Series,
    by: Profile,
    now: datetime,
) -> Activity | None:
    """
    Give the occurrence on which somebody changed all what it does not have from its series.

    What it had of its own before counts no more in what was changed.
    """
    here = Activity.every.filter(pk=occurrence.pk).first()
    if here is None:
        return _nearest(series, occurrence)
    left = {name: value for name, value in values.items() if getattr(here, name) != value} | dict(own)
    if wanted is not None and here.original_start and not _is_where_its_rule_says(here, wanted):
        left |= when_arguments(wanted)
    return services.edit(activity=here, by=by, now=now, **left) if left else here


def _is_where_its_rule_says(here: Activity, wanted: Activity) -> bool:
    """Whether an occurrence was moved along with its series, or is where it is wanted anyway."""
    original = original_start_of(here)
    follows = here.start_date == original.date() if here.all_day else here.start == original
    return follows or when_columns(here) == when_columns(wanted)


def _nearest(series: Series, gone: Activity) -> Activity | None:
    present = Activity.objects.present().filter(series=series)
    later = present.filter(start__gte=gone.start).order_by("start").first()
    return later or present.order_by("-start").first()


def _follow_status(head: Activity, *, before: str, now: datetime) -> None:
    """
    Let occurrences be canceled with their series, but those completed; and come back with it.

    One that somebody canceled by itself stays canceled.
    """
    rows, canceled = occurrences_of(series_of(head)), Activity.Status.CANCELED
    if head.status == canceled:
        rows.exclude(status=Activity.Status.COMPLETED).update(status=canceled, modified_at=timezone.now())
    elif before == canceled:
        by_itself = FieldChange.objects.filter(activity=OuterRef("pk"), field="status", after=canceled)
        rows = rows.filter(status=canceled).exclude(Exists(by_itself))
        rows.update(status=head.status, result="", result_details="", modified_at=timezone.now())
        lay_out_locked(locked_head(series_of(head)), now=now)


def _tell_who_left(head: Activity, left: list[Activity], *, by: Profile) -> None:
    if left:
        occurrences_left.send(sender=Activity, head=head, activities=left)
    for row in left:
        services.announce(row, by=by)
