"""What a change of a repeating activity is of: one occurrence, it and all that follow, or all; locked, and allowed."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Profile
from activities import recurrence, services
from activities.models import Activity, Series
from activities.series.heads import copy_changes, head_like, log_when, save_head
from activities.series.occurrences import (
    lay_out_locked,
    length_of,
    locked,
    locked_head,
    occurrences_of,
    original_start_of,
    pattern_of,
    put,
    series_of,
    skipped_in,
    when_columns,
)
from activities.services import UnableToChange
from activities.signals import asks_why_not_divisible, series_split

THIS, FOLLOWING, ALL = SCOPES = ("this", "following", "all")


def is_of_more(activity: Activity, scope: str) -> bool:
    """Whether the change is of more than this one activity."""
    if scope not in SCOPES:
        raise ValueError(f"“{scope}” is no part of a series.")
    return scope != THIS and activity.series_id is not None


def locked_pair(activity: Activity) -> tuple[Activity, Activity]:
    """
    Lock the head of an occurrence's series, then the occurrence, and return both as they are now.

    :raises UnableToChange: if it has left its series meanwhile.
    """
    seen = Activity.every.filter(pk=activity.pk, is_series=False).select_related("series").first()
    if seen is None or seen.series is None:
        raise UnableToChange(_("This activity does not repeat any more. Load the page again."))
    head = locked_head(seen.series)
    locked(occurrences_of(seen.series))
    occurrence = Activity.every.locked().filter(pk=activity.pk, series=seen.series).first()
    if occurrence is None:
        raise UnableToChange(_("Somebody has changed this series in this very moment. Load the page again."))
    return head, occurrence


def head_to_change(activity: Activity, *, scope: str, by: Profile, now: datetime) -> Activity:
    """
    Return the head of what to change: of the series, or of the part that begins with this occurrence.

    :raises UnableToChange: if it is somebody else's to change (R6).
    """
    head, occurrence = locked_pair(activity)
    refuse_foreign(head, by=by)
    return split(head, at=original_start_of(occurrence), by=by, now=now) if scope == FOLLOWING else head


def refuse_foreign(activity: Activity, *, by: Profile) -> None:
    """:raises UnableToChange: if it is somebody else's to change (R6)."""
    if reason := services.why_read_only(activity=activity, profile=by):
        raise UnableToChange(reason)


def split(head: Activity, *, at: datetime, by: Profile, now: datetime) -> Activity:
    """
    Let the occurrences from an original start on be a series of their own, with their local work. Returns its head.

    Where nothing happens before, that is the series itself. It is locked, and its rights were asked for.

    :raises UnableToChange: if its rule cannot be divided there, or it is kept elsewhere by somebody else (R6).
    """
    series, pattern, before = series_of(head), pattern_of(head), services.field_values(head)
    try:
        earlier = sum(1 for _ in recurrence.starts(pattern, before=at))
        if not earlier:
            return head
        if reason := _why_not_divisible(head, by=by):
            raise UnableToChange(reason)
        old_lines, new_lines = recurrence.before_cut(pattern, at=at), recurrence.from_cut(pattern, at=at)
    except (recurrence.UnreadableRule, recurrence.UnableToMove) as error:
        raise UnableToChange(f"{error} {_('Choose this occurrence or all.')}") from error
    part = Series.objects.create(
        recurrence=list(new_lines),
        time_zone=series.time_zone,
        first_start=at,
        laid_out_from=series.laid_out_from,
        laid_out_until=series.laid_out_until,
        split_from=series,
        split_after=earlier,
        skipped=[original.isoformat() for original in skipped_in(series) if original >= at],
    )
    new_head = head_like(head, series=part)
    put(new_head, at, all_day=head.all_day, length=length_of(when_columns(head)))
    save_head(new_head, like=head)
    copy_changes(head, to=new_head)
    rows = occurrences_of(series).filter(original_start__gte=at)
    moved = list(rows.order_by("pk").values_list("pk", flat=True))
    rows.update(series=part, modified_at=timezone.now())
    series.recurrence = list(old_lines)
    series.skipped = [original.isoformat() for original in skipped_in(series) if original < at]
    lay_out_locked(head, now=now)
    log_when(head, before=before, by=by, now=now)
    series_split.send(sender=Activity, head=head, new_head=new_head, moved=moved)
    services.announce(head, by=by)
    services.announce(new_head, by=by)
    return new_head


def _why_not_divisible(head: Activity, *, by: Profile) -> str | None:
    answers = asks_why_not_divisible.send(sender=Activity, head=head, profile=by)
    return next((str(answer) for _receiver, answer in answers if answer), None)
