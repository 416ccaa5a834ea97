"""How long things are kept: what was deleted is erased after 30 days (R14)."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from activities import series
from activities.models import Activity
from sync.core.reasons import _
from sync.models import EventLink

AT_ONCE = 200  # Activities that one round of the dispatcher erases.


@transaction.atomic
def erase_deleted(*, now: datetime) -> int:
    """
    Erase activities that were deleted more than 30 days ago and are out of Google, or stay there. Returns how many.

    Of a series, its head goes when no occurrence is left (R15).
    """
    # Google may still hold the event: without its link it would come back as a new activity.
    of_row = EventLink.objects.filter(activity=OuterRef("pk"))
    going_on = Activity.every.filter(is_series=True, deleted_at=None)
    of_series = EventLink.objects.filter(
        activity__in=going_on, activity__series=OuterRef("series"), state__in=EventLink.HOLDING
    )
    # An occurrence is in Google with its series until a link of its own says that it is gone: erased before that, its
    # deletion would never be sent. That of a whole series is the head's to send.
    held_with_series = Q(is_series=False) & Exists(of_series) & ~Exists(of_row.filter(state=EventLink.State.DETACHED))
    held = Q(Exists(of_row.filter(state__in=EventLink.HOLDING))) | held_with_series
    gone = Activity.every.to_be_erased(now=now).exclude(held & ~_stays_there()).order_by("is_series", "pk")
    ids = list(gone.values_list("pk", flat=True)[:AT_ONCE])
    links = list(EventLink.objects.filter(activity__in=ids, state__in=EventLink.HOLDING))
    count = series.erase(ids)
    _keep_in_sight(links)
    return count


def _stays_there() -> Q:
    """
    What was deleted while its Organizer's link was frozen (R4), or whose event the Organizer kept (R14).

    Nobody can thaw the one or remove the other any more. A frozen occurrence is its series', which thaws as long as it
    goes on.
    """
    organizers = EventLink.objects.filter(calendar__account__profile=OuterRef("organizer"))
    kept = organizers.filter(state=EventLink.State.LINKED, is_marked=False, base_here__presence="deleted")
    frozen = organizers.filter(state=EventLink.State.FROZEN)
    heads = Activity.every.filter(is_series=True, deleted_at__isnull=False)
    of_single = Q(series=None) & Exists((frozen | kept).filter(activity=OuterRef("pk")))
    of_series = (frozen | kept).filter(activity__in=heads, activity__series=OuterRef("series"))
    return of_single | Q(Exists(of_series))


def _keep_in_sight(links: list[EventLink]) -> None:
    """Keep what became events without an activity as seen: they come in only once changed in Google (R2)."""
    there = set(Activity.every.filter(pk__in=[link.activity_id for link in links]).values_list("pk", flat=True))
    EventLink.objects.bulk_create(
        EventLink(
            calendar_id=link.calendar_id,
            google_calendar_id=link.google_calendar_id,
            event_id=link.event_id,
            ical_uid=link.ical_uid,
            event=link.event,
            etag=link.etag,
            guest_addresses=link.guest_addresses,
            seen_in_read=link.seen_in_read,
            rule="R4",
            reason=_("Its activity was deleted here, and it was to stay."),
        )
        for link in links
        if link.activity_id not in there
    )
