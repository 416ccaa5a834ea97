"""Who may change what, asked by the pages (R6)."""

from __future__ import annotations

from collections import defaultdict

from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.models import Profile
from activities.models import Activity
from activities.signals import Standing
from sync import splitting, store
from sync.core.decide import why_not_to_cancel
from sync.models import EventLink
from sync.run import facts_in


def why_read_only(*, activity: Activity, profile: Profile) -> str | None:
    """
    Return why this person may not change what also lives in Google, or None (R6).

    An activity that is in no Google calendar, or that nobody else takes part in, is anybody's who may open it.
    """
    states = _states_that_bind(activity)
    if not EventLink.objects.filter(_linked(activity), state__in=states).exists():
        return None
    return _why_bound(activity, profile=profile)


def standings(*, activities: list[Activity], profile: Profile) -> dict[int, Standing]:
    """Return by id how many activities stand in Google, in two statements; of an occurrence, with its series (R15)."""
    series = {activity.series_id for activity in activities if activity.series_id}
    of_heads = Q(activity__is_series=True, activity__series__in=series)
    links = EventLink.objects.filter(
        Q(activity__in=activities) | of_heads, state__in=[*EventLink.HOLDING, EventLink.State.DETACHED]
    )
    links = links.select_related("activity__organizer").prefetch_related("activity__participants")
    own: dict[int, set[str]] = defaultdict(set)
    heads: dict[int, Activity] = {}
    for link in links.defer("event", "base_here", "base_google", "activity__notes"):
        if link.activity is None:
            continue
        own[link.activity.pk].add(link.state)
        if link.activity.is_series and link.activity.series_id:
            heads[link.activity.series_id] = link.activity
    found = {}
    for activity in activities:
        head = heads.get(activity.series_id or 0)
        states = own[activity.pk] | (own[head.pk] if head else set())
        asked = [activity] if head is None or activity.original_start is None else [activity, head]
        bound = [one for one in asked if (states if one is activity else own[one.pk]) & {*_states_that_bind(one)}]
        why = next(filter(None, (_why_bound(one, profile=profile) for one in bound)), None)
        if states:
            found[activity.pk] = Standing(bool(states & {*EventLink.SHOWN_AS_HELD}), why)
    return found


def _states_that_bind(activity: Activity) -> list[str]:
    states: list[str] = [*EventLink.HOLDING]
    if activity.status == Activity.Status.CANCELED:
        states.append(EventLink.State.DETACHED)  # To set it back is to bring the event back (R14).
    return states


def _why_bound(activity: Activity, *, profile: Profile) -> str | None:
    """Return why this person may not change an activity that Google holds, or None."""
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
