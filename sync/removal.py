"""Remove from Google Calendar: the deliberate act that a frozen activity offers (R4)."""

from __future__ import annotations

import logging
from datetime import datetime

from django.utils.translation import gettext as _

from accounts.encryption import UnableToDecrypt
from accounts.models import Profile
from activities.models import Activity
from sync import explain
from sync.google import errors
from sync.google.gateway import SHORT_PATIENCE, CalendarGateway
from sync.models import EventLink, SyncedCalendar, SyncSettings
from sync.run import facts_in

logger = logging.getLogger(__name__)


class UnableToRemove(Exception):
    """The event stays in Google. The message is written for the user."""


def why_not(link: EventLink | None) -> str | None:
    """Return why the event of a frozen activity cannot be removed from here, or None if it can."""
    if link is None or link.activity_id is None:
        return _("This activity has no event in your Google Calendar.")
    if not facts_in(link).is_own:
        return _("The event belongs to somebody else's calendar. Decline it instead.")
    if EventLink.objects.filter(activity=link.activity_id).exclude(pk=link.pk).exists():
        return _("Colleagues have this meeting in their calendars too. Cancel the activity instead.")
    return None


def remove_from_google(*, activity: Activity, profile: Profile, now: datetime) -> None:
    """
    Delete the event of a frozen activity. The activity stays as it is, and is sent anew should it qualify again.

    The link goes with the event, so that no session takes the deletion for one that somebody made in Google (R14).

    :raises UnableToRemove: if the activity is not frozen, the event is not ours to delete, or Google does not do it.
    """
    found = explain.explain(activity=activity, profile=profile, now=now)
    if found.state != "frozen" or found.link is None:
        raise UnableToRemove(_("Only an activity that is frozen can be removed from Google alone."))
    if reason := why_not(found.link):
        raise UnableToRemove(reason)
    calendar = found.link.calendar
    key = SyncedCalendar.objects.claim(calendar_id=calendar.pk, now=now)
    if key is None:
        raise UnableToRemove(_("A session is running. Try again when it has finished."))
    try:
        _delete(EventLink.objects.get(pk=found.link.pk), activity=activity, profile=profile, now=now)
    except (errors.GoogleError, EventLink.DoesNotExist, UnableToDecrypt) as error:
        logger.info("Link %s could not be removed from Google: %s", found.link.pk, type(error).__name__)
        step = _("Synchronize, and try again.")
        raise UnableToRemove(f"{error} {step}" if isinstance(error, errors.GoogleError) else step) from error
    finally:
        SyncedCalendar.objects.release(calendar_id=calendar.pk, key=key)


def _delete(link: EventLink, *, activity: Activity, profile: Profile, now: datetime) -> None:
    settings = SyncSettings.objects.get(profile=profile)
    tells = settings.tell_guests and facts_in(link).has_other_guests and activity.due > now  # R17
    account, calendar_id = link.calendar.account, link.google_calendar_id
    gateway = CalendarGateway(account=account, calendar_id=calendar_id, patience=SHORT_PATIENCE)
    # Let go of it first: should this end half-way, the next session takes the deletion for nobody's, or finds the event
    # by its hidden id again.
    EventLink.objects.filter(pk=link.pk).update(activity=None, state=EventLink.State.SEEN, is_marked=False)
    gateway.delete_event(event_id=link.event_id, etag=link.etag, send_updates="all" if tells else "none")
    link.delete()
