"""Doors from the other apps: what they announce becomes marks, so that the next session looks there."""

from __future__ import annotations

from typing import Any

from django.db.models.signals import post_save
from django.dispatch import receiver

from accounts.models import ExternalAccount
from accounts.signals import emails_changed
from activities.models import Activity
from activities.signals import activity_changed, asks_why_read_only
from sync import marks, rights


@receiver(activity_changed)
def mark_for_everybody_concerned(*, activity: Activity, people: set[int], **_: Any) -> None:
    marks.mark_activity(activity=activity, people=people)


@receiver(emails_changed)
def mark_events_with_these_guests(*, addresses: set[str], **_: Any) -> None:
    marks.mark_guests(addresses=addresses)


@receiver(post_save, sender=ExternalAccount)
def let_others_take_over(*, instance: ExternalAccount, **_: Any) -> None:
    """Without their access, what somebody organizes runs by another participant's calendar (R5)."""
    if instance.status != ExternalAccount.Status.CONNECTED:
        marks.mark_what_is_organized_by(profile_id=instance.profile_id)


@receiver(asks_why_read_only)
def say_why_it_is_read_only(*, activity: Activity, profile: Any, **_: Any) -> str | None:
    return rights.why_read_only(activity=activity, profile=profile)
