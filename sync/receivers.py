"""Doors from the other apps: what they announce becomes marks, so that the next session looks there."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

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


@receiver(asks_why_read_only)
def say_why_it_is_read_only(*, activity: Activity, profile: Any, **_: Any) -> str | None:
    return rights.why_read_only(activity=activity, profile=profile)
