"""Reminders: each participant is reminded once of what they want to be reminded of, at the moment they chose."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import DateTimeField, DurationField, Exists, ExpressionWrapper, F, IntegerField, OuterRef, Value
from django.db.models.functions import Least

from activities.models import Activity, Participant
from notices.models import OPEN_STATUSES, Notice

AHEAD = timedelta(minutes=2)  # Made that early, so that the bell has them on the minute, however late the beat comes.
MISSED = timedelta(hours=24)  # What should have come longer ago, while nothing ran, is passed over.
LONGEST = 4 * 7 * 24 * 60  # Minutes, as in Google.
AT_ONCE = 1000  # Reminders that one statement makes …
ROUNDS = 10  # … and how many times, in one round of the beat.


def make(*, now: datetime) -> int:
    """
    Make the reminders that are due by now, or within the next two minutes. Returns how many.

    None for what is deleted or final, for those who have declined, and for what was already over when it came to them,
    as much of what a first session brings. Of a repeating activity the occurrences are reminded of, not the head.
    """
    made = 0
    for _round in range(ROUNDS):
        due = _due(now=now)
        Notice.objects.bulk_create(due, ignore_conflicts=True)  # Somebody else may be making them.
        made += len(due)
        if len(due) < AT_ONCE:
            break
    return made


def _due(*, now: datetime) -> list[Notice]:
    made = Notice.objects.filter(
        activity=OuterRef("activity"),
        profile=OuterRef("profile"),
        start=OuterRef("activity__start"),
        minutes=OuterRef("reminder_minutes"),
    )
    # No date is that early: a database may compute this for rows that the other conditions leave out.
    minutes = Least(F("reminder_minutes"), Value(LONGEST), output_field=IntegerField())
    before = ExpressionWrapper(minutes * Value(timedelta(minutes=1)), output_field=DurationField())
    wishes = (
        Participant.objects.filter(
            activity__start__gt=now - MISSED,
            activity__start__lte=now + AHEAD + timedelta(minutes=LONGEST),
            activity__is_series=False,
            activity__deleted_at=None,
            activity__status__in=OPEN_STATUSES,
            activity__due__gt=F("added_at"),
            reminder_minutes__lte=LONGEST,
            displayed=True,
            profile__user__is_active=True,
        )
        .exclude(response=Participant.Response.DECLINED)
        .exclude(activity__kind=Activity.Kind.EMAIL)
        .alias(at=ExpressionWrapper(F("activity__start") - before, output_field=DateTimeField()))
        .filter(~Exists(made), at__gt=now - MISSED, at__lte=now + AHEAD)
        .order_by("at", "pk")
        .values_list("profile_id", "activity_id", "activity__start", "reminder_minutes")
    )
    return [_reminder(*wish) for wish in wishes[:AT_ONCE]]


def _reminder(profile_id: int, activity_id: int, start: datetime, minutes: int | None) -> Notice:
    at = start - timedelta(minutes=minutes or 0)
    return Notice(
        kind=Notice.Kind.REMINDER,
        profile_id=profile_id,
        activity_id=activity_id,
        start=start,
        minutes=minutes,
        at=at,
        shown_from=at,
    )
