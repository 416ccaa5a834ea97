"""Saving the set-up page: what a changed setting means for the sessions to come."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.encryption import UnableToDecrypt
from accounts.models import ExternalAccount
from sync import marks
from sync.google import errors, oauth
from sync.google.gateway import CalendarGateway
from sync.models import SyncedCalendar, SyncSettings

logger = logging.getLogger(__name__)

MAIN_CALENDAR = "primary"
PATIENCE = 8.0  # Seconds that a person waits for the list of calendars.
CHANGES_THE_SELECTION = {"sync_from", "tag", "calendar_id"}


def main_calendar(account: ExternalAccount) -> list[tuple[str, str]]:
    """Return the one calendar that every account has, as a choice of the form."""
    return [(MAIN_CALENDAR, _("%s (main calendar)") % account.login)]


def calendars(account: ExternalAccount) -> list[tuple[str, str]]:
    """Return the calendars that Google lists for an account, as choices; the main one alone when it does not answer."""
    choices = main_calendar(account)
    if not oauth.may_list_calendars(account) or account.status != ExternalAccount.Status.CONNECTED:
        return choices
    try:
        listed = CalendarGateway(account=account, timeout=PATIENCE).list_calendars()
    except (errors.GoogleError, UnableToDecrypt) as error:
        logger.info("The calendars of account %s could not be listed: %s", account.pk, type(error).__name__)
        return choices
    others = [entry for entry in listed if not entry.get("primary")]
    names = [entry.get("summaryOverride") or entry.get("summary") or entry["id"] for entry in others]
    return choices + [(entry["id"], name) for entry, name in zip(others, names, strict=True)]


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
