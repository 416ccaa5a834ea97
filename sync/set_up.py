"""Saving the set-up page: what a changed setting means for the sessions to come."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import transaction

from accounts.models import ExternalAccount
from sync import marks
from sync.models import SyncedCalendar, SyncSettings

CHANGES_THE_SELECTION = {"sync_from", "tag", "calendar_id"}


@transaction.atomic
def save(
    *, settings: SyncSettings, account: ExternalAccount, changed: Collection[str], now: datetime
) -> SyncedCalendar:
    """
    Keep the settings and let the next session follow them.

    `changed` are the names of the fields that differ from before. What decides about the selection makes the next
    session look at everything (R1, R2); switched on, automatic sessions begin at once.
    """
    is_first = settings.pk is None
    settings.save()
    calendar, _made = SyncedCalendar.objects.get_or_create(account=account)
    calendar.due_at = _due_at(settings=settings, calendar=calendar, changed=changed, now=now)
    calendar.save(update_fields=["due_at"])
    if is_first or CHANGES_THE_SELECTION & set(changed):
        marks.mark_everything(calendar=calendar)
    return calendar


def _due_at(
    *, settings: SyncSettings, calendar: SyncedCalendar, changed: Collection[str], now: datetime
) -> datetime | None:
    if not settings.automatic:
        return None
    if calendar.due_at is None or "automatic" in changed:
        return now
    return min(calendar.due_at, now + timedelta(minutes=settings.period_minutes))
