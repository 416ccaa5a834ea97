"""Who may change what, asked by the pages (R6)."""

from __future__ import annotations

from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.models import Profile
from activities.models import Activity
from sync import splitting, store
from sync.core.decide import why_not_to_cancel
from sync.models import EventLink
from sync.run import facts_in


def why_read_only(*, activity: Activity, profile: Profile) -> str | None:
    """
    Return why this person may not change what also lives in Google, or None (R6).

    An activity that is in no Google calendar, or that nobody else takes part in, is anybody's who may open it.
    """
    states = [*EventLink.HOLDING]
    if activity.status == Activity.Status.CANCELED:
        states.append(EventLink.State.DETACHED)  # To set it back is to bring the event back (R14).
    if not EventLink.objects.filter(_linked(activity), state__in=states).exists():
        return None
    if activity.google_read_only_reason:
        return activity.google_read_only_reason
    if activity.is_collective and activity.organizer and activity.organizer != profile:
        return _("This meeting runs by the Google Calendar of %(name)s. Only the Organizer changes it.") % {
            "name": activity.organizer.full_name
        }
    return None


def why_not_answerable(*, activity: Activity, profile: Profile) -> str | None:
    """
    Return why somebody's answer would reach nobody, or None (R10, R14).

    Who has deleted an invitation in Google has declined it there, and has no copy any more in which to answer.
    """
    own = EventLink.objects.filter(activity=activity, calendar__account__profile=profile).first()
    if own is None or own.state != EventLink.State.DETACHED or own.event.get("status") != "cancelled":
        return None
    if activity.organizer_id == profile.pk or not store.other_copies_live(own):
        return None
    return _(
        "You have deleted this event in your Google Calendar, which declined it. To answer anew, bring it back there "
        "(Settings → Trash), or ask the organizer to invite you again."
    )


def why_not_cancelable(*, activity: Activity) -> str | None:
    """
    Return why an activity cannot be canceled or deleted for everybody, or None (R6, R14).

    Its Organizer's calendar would have to say so to Google: what others hold of a meeting is theirs to decline only.
    """
    found = EventLink.objects.filter(_linked(activity), state__in=EventLink.HOLDING)
    links = list(found.select_related("calendar__account"))
    links = [link for link in links if link.calendar.account.profile_id == activity.organizer_id] or links
    held = [facts_in(link) for link in links if link.event]  # What Google has not shown yet, we are adding ourselves.
    if not held or any(facts.is_own for facts in held):
        return None
    return why_not_to_cancel(why_read_only=held[0].why_read_only, is_own_copy=False)


def _linked(activity: Activity) -> Q:
    linked = Q(activity=activity)
    if activity.series_id:
        linked |= Q(activity__series=activity.series_id, activity__is_series=True)  # It goes with its series (R15).
    return linked


def why_not_divisible(*, head: Activity) -> str | None:
    """
    Return why "this and following" is not possible with a series, or None (R6, R15).

    Its later part would be an event of one's own, without the organizer and the guests that Google has for the whole.
    """
    links = EventLink.objects.filter(activity=head, state__in=EventLink.HOLDING)
    if splitting.belongs_to_somebody_else(links):
        return _("The organizer keeps this series in another calendar, so it cannot be divided here. %(advice)s") % {
            "advice": _("Choose this occurrence or all.")
        }
    return None
