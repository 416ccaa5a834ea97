"""Remove from Google Calendar: the deliberate act that a frozen activity offers (R4)."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts.encryption import UnableToDecrypt
from accounts.models import Profile
from activities.models import Activity
from sync import explain, marks, store
from sync.google import errors
from sync.google.gateway import SHORT_PATIENCE, CalendarGateway
from sync.models import EventLink, SyncedCalendar, SyncSettings
from sync.run import facts_in

logger = logging.getLogger(__name__)

NAMES_LISTED = 10  # Of guests; of more the number is told.


class UnableToRemove(Exception):
    """The event stays in Google. The message is written for the user."""


def why_not(link: EventLink | None) -> str | None:
    """
    Return why the event of a frozen activity cannot be removed from here, or None if it can.

    Of an occurrence with a link of its own it is about the whole series, which is selected as one (R1, R15).
    """
    if link is None or link.activity is None:
        return _("This activity has no event in your Google Calendar.")
    whole = explain.link_of(explain.whole_of(link.activity), calendar=link.calendar)
    if whole is None or whole.activity is None or not facts_in(whole).is_own:
        return _("The event belongs to somebody else's calendar. Decline it instead.")
    if _links_of(whole.activity).exclude(calendar=whole.calendar_id).exists():
        return _("Colleagues have this meeting in their calendars too. Cancel the activity instead.")
    return None


def consequences(*, activity: Activity, profile: Profile, now: datetime) -> list[str]:
    """
    Return what removing the event would do there and to guests, as sentences for whoever is asked (R4, R17).

    :raises UnableToRemove: if it cannot be removed from here.
    """
    activity = explain.whole_of(activity)
    link = _frozen_link(activity, profile=profile, now=now)
    login = link.calendar.account.login
    if activity.is_series:
        said = [_("All occurrences are deleted from the Google Calendar of %(login)s.") % {"login": login}]
    else:
        said = [_("The event is deleted from the Google Calendar of %(login)s.") % {"login": login}]
    guests = [guest.name for guest in facts_in(link).guests if not guest.is_self]
    if guests:
        said.append(_("It also disappears from the calendars of its guests: %s.") % _listed(guests))
        if _tells_guests(link, activity=activity, profile=profile, now=now):
            said.append(_("Google tells them by mail that it is canceled."))
        else:
            said.append(_("Google sends them no mail."))
    said.append(_("The activity stays here as it is. Should it qualify again, it is sent as a new event."))
    return said


def _listed(names: list[str]) -> str:
    more = len(names) - NAMES_LISTED
    return ", ".join(names[:NAMES_LISTED]) + (_(" and %d more") % more if more > 0 else "")


def remove_from_google(*, activity: Activity, profile: Profile, now: datetime) -> None:
    """
    Delete the event of a frozen activity. The activity stays as it is, and is sent anew should it qualify again.

    A repeating activity goes as a whole: an occurrence removed alone would have been canceled in Google (R14, R15).

    The link goes with the event, so that no session takes the deletion for one that somebody made in Google (R14).

    :raises UnableToRemove: if the activity is not frozen, the event is not ours to delete, or Google does not do it.
    """
    activity = explain.whole_of(activity)
    frozen = _frozen_link(activity, profile=profile, now=now)
    calendar = frozen.calendar
    key = SyncedCalendar.objects.claim(calendar_id=calendar.pk, now=now)
    if key is None:
        raise UnableToRemove(_("A session is running. Try again when it has finished."))
    try:
        _delete(EventLink.objects.get(pk=frozen.pk), activity=activity, profile=profile, now=now)
    except (errors.GoogleError, EventLink.DoesNotExist, UnableToDecrypt) as error:
        logger.info("Link %s could not be removed from Google: %s", frozen.pk, type(error).__name__)
        step = _("Synchronize, and try again.")
        raise UnableToRemove(f"{error} {step}" if isinstance(error, errors.GoogleError) else step) from error
    finally:
        SyncedCalendar.objects.release(calendar_id=calendar.pk, key=key)


def _frozen_link(activity: Activity, *, profile: Profile, now: datetime) -> EventLink:
    """:raises UnableToRemove: if the activity is not frozen, or the event is not ours to delete."""
    found = explain.explain(activity=activity, profile=profile, now=now)
    if found.state != "frozen" or found.link is None:
        raise UnableToRemove(_("Only an activity that is frozen can be removed from Google alone."))
    if reason := why_not(found.link):
        raise UnableToRemove(reason)
    return found.link


def _tells_guests(link: EventLink, *, activity: Activity, profile: Profile, now: datetime) -> bool:
    settings = SyncSettings.objects.get(profile=profile)
    return settings.tell_guests and facts_in(link).has_other_guests and store.ends(activity) > now  # R17


def _delete(link: EventLink, *, activity: Activity, profile: Profile, now: datetime) -> None:
    tells = _tells_guests(link, activity=activity, profile=profile, now=now)
    calendar = link.calendar
    gateway = CalendarGateway(account=calendar.account, calendar_id=link.google_calendar_id, patience=SHORT_PATIENCE)
    # Let go of it first: should this end half-way, the next session takes the deletion for nobody's, or finds the
    # activity by what the link remembers. Changed occurrences go with their series, and come back with it.
    released = list(_links_of(activity).filter(calendar=calendar))
    links = EventLink.objects.filter(pk__in=[one.pk for one in released])
    links.update(activity=None, state=EventLink.State.SEEN, is_marked=False)
    links.filter(pk=link.pk).update(is_marked=True, base_here={EventLink.RELEASED: str(activity.uid)})
    try:
        gateway.delete_event(event_id=link.event_id, etag=link.etag, send_updates="all" if tells else "none")
    except (errors.NoAnswer, errors.AnswerUnreadable):
        raise  # Whether it was done is not known.
    except errors.GoogleError:
        EventLink.objects.bulk_update(released, ["activity", "state", "is_marked", "base_here"])
        raise
    links.delete()
    marks.mark_activity(activity=activity, people=[profile.pk])  # It may qualify, for another calendar (R4).


def _links_of(activity: Activity) -> QuerySet[EventLink]:
    """Return everybody's links to an activity; of a series also those to single occurrences."""
    if activity.is_series:
        return EventLink.objects.filter(activity__series=activity.series_id)
    return EventLink.objects.filter(activity=activity)
