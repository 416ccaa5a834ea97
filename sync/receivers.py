"""Doors from the other apps: what they announce becomes marks, so that the next session looks there."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.signals import post_save
from django.dispatch import receiver

from accounts.models import ExternalAccount
from accounts.signals import emails_changed
from activities.models import Activity
from activities.signals import (
    Standing,
    activity_changed,
    asks_how_many_stand,
    asks_why_not_answerable,
    asks_why_not_cancelable,
    asks_why_not_divisible,
    asks_why_read_only,
    occurrences_left,
    series_ended,
    series_made,
    series_split,
)
from sync import marks, repeating, rights
from sync.models import EventLink, Meeting


@receiver(activity_changed)
def mark_for_everybody_concerned(*, activity: Activity, people: set[int], **_: Any) -> None:
    marks.mark_activity(activity=activity, people=people)
    if activity.is_series:  # Its exceptions follow it in what is not their own (R15).
        marks.mark_links(EventLink.objects.filter(series=activity.series_id, activity__is_series=False))


@receiver(emails_changed)
def mark_events_with_these_guests(*, addresses: set[str], **_: Any) -> None:
    marks.mark_guests(addresses=addresses)
    # Events that come in at this very moment are seen now, or their session sees these addresses (`writing.look_back`).
    transaction.on_commit(lambda: marks.mark_guests(addresses=addresses))


@receiver(post_save, sender=ExternalAccount)
def let_others_take_over(*, instance: ExternalAccount, **_: Any) -> None:
    """Without their access, what somebody organizes runs by another participant's calendar (R5)."""
    if instance.status != ExternalAccount.Status.CONNECTED:
        marks.mark_what_is_organized_by(profile_id=instance.profile_id)


@receiver(asks_why_read_only)
def say_why_it_is_read_only(*, activity: Activity, profile: Any, **_: Any) -> str | None:
    return rights.why_read_only(activity=activity, profile=profile)


@receiver(asks_how_many_stand)
def say_how_they_stand(*, activities: list[Activity], profile: Any, **_: Any) -> dict[int, Standing]:
    return rights.standings(activities=activities, profile=profile)


@receiver(asks_why_not_answerable)
def say_why_it_is_not_answerable(*, activity: Activity, profile: Any, **_: Any) -> str | None:
    return rights.why_not_answerable(activity=activity, profile=profile)


@receiver(asks_why_not_cancelable)
def say_why_it_is_not_cancelable(*, activity: Activity, **_: Any) -> str | None:
    return rights.why_not_cancelable(activity=activity)


@receiver(asks_why_not_divisible)
def say_why_it_is_not_divisible(*, head: Activity, **_: Any) -> str | None:
    return rights.why_not_divisible(head=head)


@receiver(series_made)
def link_the_series(*, head: Activity, occurrence: Activity, **_: Any) -> None:
    """A single activity repeats from now on: its event becomes that of the whole series (R15)."""
    links = EventLink.objects.filter(activity=occurrence, event__recurringEventId__isnull=True)
    links.update(activity=head, series=head.series)
    Meeting.objects.filter(activity=occurrence).update(activity=head)
    for whole in EventLink.objects.filter(
        activity=head
    ):  # It repeated before: what its occurrences were is out of date.
        former = EventLink.objects.filter(calendar=whole.calendar, event__recurringEventId=whole.event_id)
        former = former.filter(activity__isnull=False)
        former.update(series=head.series)
        marks.mark_links(former)


@receiver(series_ended)
def link_what_is_left(*, head: Activity, activity: Activity, **_: Any) -> None:
    """A series does not repeat any more: its event becomes that of the one activity that is left (R15)."""
    EventLink.objects.filter(activity=activity).delete()
    EventLink.objects.filter(activity=head).update(activity=activity, series=None)
    Meeting.objects.filter(activity=activity).delete()
    Meeting.objects.filter(activity=head).update(activity=activity)


@receiver(occurrences_left)
def let_them_stay_by_themselves(*, head: Activity, activities: list[Activity], **_: Any) -> None:
    """What a shorter rule drops, with local work, is nobody's new event (R15)."""
    repeating.leave(head, activities)


@receiver(series_split)
def forget_exceptions_of_the_old_part(*, moved: list[int], **_: Any) -> None:
    """
    Occurrences that begin a series of their own are no exceptions of the old one any more (R15).

    What is particular about them is found once the new part is in Google. What the Organizer's calendar agreed on about
    them is kept until then: Google may change the old ones meanwhile.
    """
    links = EventLink.objects.filter(activity__in=moved, event__recurringEventId__isnull=False)
    kept = links.filter(
        calendar__account__profile=F("activity__organizer"), base_here__isnull=False, base_google__isnull=False
    )
    kept.update(activity=None, series=None, state=EventLink.State.SEEN, reason="", rule="", attempts=0, retry_at=None)
    links.delete()
