"""What the bell shows."""

from __future__ import annotations

from datetime import datetime

from accounts.models import Profile
from notices.models import Notice, NoticeQuerySet

MOST = 99  # That a bell counts.


def count_unseen(profile: Profile, *, now: datetime) -> int:
    """Return how many notices of this person are new; 99 also stands for more."""
    return Notice.objects.shown_to(profile, now=now).unseen().order_by()[:MOST].count()


def shown_to(profile: Profile, *, now: datetime) -> NoticeQuerySet:
    """Return this person's notices, the newest first, with what they are about."""
    return Notice.objects.shown_to(profile, now=now).select_related("activity", "account")
