"""What the tests of the synchronization's pages start from."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from accounts.models import ExternalAccount, Profile
from sync.google.oauth import SCOPES
from sync.models import LEASE, SyncedCalendar, SyncOutcome, SyncSession, SyncSettings


def make_calendar(profile: Profile, *, is_set_up: bool = True, **account: Any) -> SyncedCalendar:
    """Give somebody a Google account, its calendar and, unless told otherwise, saved settings. Google is not asked."""
    values = {"login": f"{profile.user.username}@gmail.example", "granted_scopes": SCOPES} | account
    connected = ExternalAccount.objects.create(profile=profile, subject=f"subject-{profile.pk}", **values)
    if is_set_up:
        SyncSettings.objects.create(profile=profile)
    return SyncedCalendar.objects.create(account=connected)


def make_session(
    calendar: SyncedCalendar, *, status: str = SyncSession.Status.SUCCEEDED, at: datetime | None = None, **values: Any
) -> SyncSession:
    """Make a session that took two seconds, or one that goes on."""
    at = at or timezone.now()
    is_finished = status not in SyncSession.UNFINISHED
    if status == SyncSession.Status.RUNNING:  # Else it counts as dead, and the next request does not join it.
        SyncedCalendar.objects.filter(pk=calendar.pk).update(lease_by="its worker", lease_until=at + LEASE)
    return SyncSession.objects.create(
        calendar=calendar,
        status=status,
        queued_at=at,
        started_at=None if status == SyncSession.Status.QUEUED else at,
        finished_at=at + timedelta(seconds=2) if is_finished else None,
        **values,
    )


def make_outcome(session: SyncSession, *, action: str = SyncOutcome.Action.PARKED, **values: Any) -> SyncOutcome:
    values = {"item": "Contract workshop", "rule": "R6", "reason": "Ask its organizer."} | values
    return SyncOutcome.objects.create(session=session, action=action, at=timezone.now(), **values)
