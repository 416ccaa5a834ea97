"""How long things are kept: what was deleted is erased after 30 days (R14)."""

from __future__ import annotations

from datetime import datetime

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
    held = EventLink.objects.filter(state__in=EventLink.HOLDING, activity__isnull=False).values("activity")
    gone = Activity.every.to_be_erased(now=now).exclude(pk__in=held).order_by("is_series", "pk")
    return series.erase(gone.values_list("pk", flat=True)[:AT_ONCE])
