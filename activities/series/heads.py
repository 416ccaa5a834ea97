"""Heads of series: what a new one has, what is logged about it, and how it leaves."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone

from accounts.models import Profile
from activities import services
from activities.models import Activity, FieldChange, Participant, Series
from activities.series.occurrences import TEMPLATE, occurrences_of, put_tags_on, same_person, series_of, when_columns


def head_like(activity: Activity, *, series: Series) -> Activity:
    """Return a head, not saved, that has what this activity has."""
    head = Activity(series=series, is_series=True, **{name: getattr(activity, name) for name in TEMPLATE})
    for name, value in when_columns(activity).items():
        setattr(head, name, value)
    return head


def save_head(head: Activity, *, like: Activity) -> None:
    """Save a new head, with the people and tags of another activity."""
    head.save()
    people = Participant.objects.filter(activity=like)
    Participant.objects.bulk_create(same_person(person, head.pk) for person in people)
    put_tags_on([head.pk], tags=like.tags.values_list("pk", flat=True))


def copy_changes(activity: Activity, *, to: Activity) -> None:
    """Let the log of one activity be that of another as well."""
    changes = list(FieldChange.objects.filter(activity=activity).order_by("at", "pk"))
    for change in changes:
        change.pk, change.activity = None, to
    FieldChange.objects.bulk_create(changes)


def log_when(head: Activity, *, before: Mapping[str, Any], by: Profile, now: datetime) -> None:
    after = services.field_values(head)["when"]
    services.log(head, before={"when": before["when"]}, after={"when": after}, by=by, now=now)


def put_out_of_sight(head: Activity, *, by: Profile | None, now: datetime) -> None:
    """Delete a series: what goes with it comes back with it."""
    rows = occurrences_of(series_of(head)).filter(deleted_at=None)
    rows.update(deleted_at=now, modified_at=timezone.now())
    head.deleted_at = now
    head.save(update_fields=["deleted_at", "modified_at"])
    FieldChange.objects.create(activity=head, field="deleted", by=by, at=now)
