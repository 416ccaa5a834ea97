"""How long things are kept: what was deleted is erased after 30 days (R14)."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Exists, OuterRef, Q

from activities import series
from activities.models import Activity
from sync.models import EventLink

AT_ONCE = 200  # Activities that one round of the dispatcher erases.


def erase_deleted(*, now: datetime) -> int:
    """
    Erase activities that were deleted more than 30 days ago and are out of Google. Returns how many.

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
    gone = Activity.every.to_be_erased(now=now).exclude(held).order_by("is_series", "pk")
    return series.erase(gone.values_list("pk", flat=True)[:AT_ONCE])
