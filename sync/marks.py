"""Marks: which links and activities a calendar's next session has to look at (R18)."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from django.db import transaction
from django.db.models import F, Q, QuerySet

from accounts.models import profiles_by_email
from activities.models import Activity, Participant
from sync.models import ActivityMark, EventLink, SyncedCalendar


def mark_activity(*, activity: Activity, people: Iterable[int]) -> None:
    """Mark an activity for the calendars of these profiles, and of everybody who holds a link to it."""
    concerned = SyncedCalendar.objects.filter(
        Q(account__profile__in=list(people)) | Q(links__activity=activity)
    ).distinct()
    ids = list(concerned.order_by("id").values_list("id", flat=True))
    _put(activities=[activity.pk], calendars=ids)


def mark_activities(*, calendar: SyncedCalendar, activities: Iterable[int]) -> None:
    """
    Mark activities for one calendar, also those that are being looked at: their mark must not be taken off for it.

    `activities` are their ids.
    """
    _put(activities=activities, calendars=[calendar.pk])


def _put(*, activities: Iterable[int], calendars: Iterable[int]) -> None:
    mark, calendars = 1 + secrets.randbelow(2**31 - 1), list(calendars)
    # One statement: between two, a session could take off the mark it saw, without having seen this change.
    ActivityMark.objects.bulk_create(
        [ActivityMark(calendar_id=one, activity_id=pk, mark=mark) for pk in activities for one in calendars],
        update_conflicts=True,
        unique_fields=["calendar", "activity"],
        update_fields=["mark", "attempts", "retry_at"],  # Whatever it waited for: it has changed.
        batch_size=1000,
    )


def mark_guests(*, addresses: Iterable[str]) -> None:
    """Mark every link whose event has a guest of one of these addresses, or could invite one from now on (R7)."""
    wanted = {address.strip().lower() for address in addresses}
    reachable = Participant.objects.filter(profile__in=profiles_by_email(wanted).values(), address="")
    concerned = Q(activity__in=reachable.values("activity"))
    for address in wanted:
        concerned |= Q(guest_addresses__contains=f"\n{address}\n")
    mark_links(EventLink.objects.filter(concerned))


def mark_links(links: QuerySet[EventLink]) -> None:
    """Mark these links, locked in the order in which a session locks those it has read."""
    with transaction.atomic():
        ids = list(links.order_by("id").select_for_update(of=("self",), no_key=True).values_list("id", flat=True))
        EventLink.objects.filter(pk__in=ids).update(is_marked=True, mark=F("mark") + 1)


def mark_what_is_organized_by(*, profile_id: int) -> None:
    """Let the next sessions of all who take part in what this person organizes look at everything (R5)."""
    others = SyncedCalendar.objects.filter(account__profile__participations__activity__organizer=profile_id)
    ids = others.exclude(account__profile=profile_id).values_list("id", flat=True)
    SyncedCalendar.objects.filter(pk__in=list(ids)).update(compare_all=True)


def mark_everything(*, calendar: SyncedCalendar) -> None:
    """Let the next session look at every link and every activity, as after a change of the settings."""
    SyncedCalendar.objects.filter(pk=calendar.pk).update(compare_all=True)
