"""Who may change what, asked by the pages (R6)."""

from __future__ import annotations

from django.utils.translation import gettext as _

from accounts.models import Profile
from activities.models import Activity
from sync.models import EventLink


def why_read_only(*, activity: Activity, profile: Profile) -> str | None:
    """
    Return why this person may not change what also lives in Google, or None (R6).

    An activity that is in no Google calendar, or that nobody else takes part in, is anybody's who may open it.
    """
    if not activity.links.filter(state__in=EventLink.HOLDING).exists():
        return None
    if activity.google_read_only_reason:
        return activity.google_read_only_reason
    if activity.is_collective and activity.organizer and activity.organizer != profile:
        return _("This meeting runs by the Google Calendar of %(name)s. Only the Organizer changes it.") % {
            "name": activity.organizer.full_name
        }
    return None
