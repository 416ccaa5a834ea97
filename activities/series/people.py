"""Who takes part in a repeating activity, and what participants set for themselves: answers, reminders (R15)."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import Profile
from activities import services
from activities.models import Activity, Participant
from activities.series.occurrences import (
    follow_participant,
    follow_people,
    follow_response,
    occurrences_of,
    original_start_of,
    series_of,
)
from activities.series.scopes import FOLLOWING, head_to_change, is_of_more, locked_pair, split
from activities.services import UnableToChange


@transaction.atomic
def respond(*, activity: Activity, scope: str, profile: Profile, response: str, now: datetime) -> None:
    """
    Give a participant's own answer to an occurrence, to it and all that follow, or to all not answered otherwise.

    :raises UnableToChange: if they take no part, or the series is not theirs to split.
    """
    if not is_of_more(activity, scope):
        services.respond(activity=activity, profile=profile, response=response, now=now)
        return
    head, occurrence = locked_pair(activity)
    if scope == FOLLOWING:
        if services.why_read_only(activity=head, profile=profile):
            raise UnableToChange(_("Answer for this occurrence or for all: only the Organizer can split the series."))
        head = split(head, at=original_start_of(occurrence), by=profile, now=now)
    person = Participant.objects.filter(activity=head, profile=profile).first()
    if person is not None:
        services.respond(activity=head, profile=profile, response=response, now=now)
        follow_response(head, profile_id=profile.pk, before=person.response)
    here = Participant.objects.filter(activity=occurrence, profile=profile).first()
    if here is None or here.response != response:  # It was answered otherwise, or they take part in this one alone.
        services.respond(activity=occurrence, profile=profile, response=response, now=now)


@transaction.atomic
def set_reminder(*, activity: Activity, scope: str, profile: Profile, minutes: int | None, now: datetime) -> None:
    """
    Set a participant's own reminder for an occurrence, for it and all that follow, or for all.

    The Organizer's goes to Google (R10): from here on alone, it takes a series of its own.

    :raises UnableToChange: if they take no part.
    """
    if not is_of_more(activity, scope):
        services.set_reminder(activity=activity, profile=profile, minutes=minutes, now=now)
        return
    head, occurrence = locked_pair(activity)
    if scope == FOLLOWING and head.organizer_id != profile.pk:
        following = occurrences_of(series_of(head)).filter(original_start__gte=original_start_of(occurrence))
        theirs = Participant.objects.filter(activity__in=following.values("pk"), profile=profile)
        theirs.update(reminder_minutes=minutes)
        return
    if scope == FOLLOWING:
        head = split(head, at=original_start_of(occurrence), by=profile, now=now)
    person = Participant.objects.filter(activity=head, profile=profile).first()
    if person is not None:
        services.set_reminder(activity=head, profile=profile, minutes=minutes, now=now)
        follow_participant(head, profile_id=profile.pk, before={"reminder_minutes": person.reminder_minutes})
    services.set_reminder(activity=occurrence, profile=profile, minutes=minutes, now=now)


@transaction.atomic
def add_participant(*, activity: Activity, scope: str, profile: Profile, by: Profile, now: datetime) -> None:
    """
    Let somebody take part in an occurrence, in it and all that follow, or in all. They see them at once (R8).

    :raises UnableToChange: if the participants are somebody else's to change (R6).
    """
    if not is_of_more(activity, scope):
        services.add_participant(activity=activity, profile=profile, by=by, now=now)
        return
    head = head_to_change(activity, scope=scope, by=by, now=now)
    services.add_participant(activity=head, profile=profile, by=by, now=now)
    follow_people(head, added=Participant.objects.filter(activity=head, profile=profile))


@transaction.atomic
def remove_participant(*, activity: Activity, scope: str, profile: Profile, by: Profile, now: datetime) -> None:
    """
    Take somebody off an occurrence, it and all that follow, or all; who owns one of them stays in that one.

    :raises UnableToChange: if it is the Organizer or the Owner, or the participants are somebody else's to change (R6).
    """
    if not is_of_more(activity, scope):
        services.remove_participant(activity=activity, profile=profile, by=by, now=now)
        return
    head = head_to_change(activity, scope=scope, by=by, now=now)
    services.remove_participant(activity=head, profile=profile, by=by, now=now)
    follow_people(head, removed=[profile.pk])
    left = Participant.objects.filter(activity=activity, profile=profile)
    if left and not services.why_not_removable(activity=Activity.every.get(pk=activity.pk), profile=profile):
        services.remove_participant(activity=activity, profile=profile, by=by, now=now)
