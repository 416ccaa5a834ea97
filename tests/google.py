"""Google for tests: the emulator over HTTP, accounts connected to it, and sessions run against it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import httplib2
import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import Profile, User
from activities.models import Tag
from google_emulator import Emulator
from sync import connections, sessions, tasks
from sync.google import oauth
from sync.models import SyncedCalendar, SyncSession, SyncSettings
from tests.factories import make_tag

MONDAY = date(2026, 3, 9)
LONG_AGO = date(2020, 1, 1)


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    """One local Google for the whole run, on the port that the settings of every process of the run name."""
    running = Emulator().start(int(os.environ["TEST_GOOGLE_PORT"]))
    yield running
    running.stop()


@pytest.fixture
def google(emulator: Emulator, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """An empty local Google that the product's settings point at, and that nobody asks within a transaction (R18)."""
    emulator.reset()
    point_at(emulator.url, settings)
    monkeypatch.setattr(httplib2.Http, "request", outside_of_transactions(httplib2.Http.request))
    return emulator


def outside_of_transactions(really: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that does the same, but fails while this thread holds a transaction of the product's open."""

    def request(*args: Any, **kwargs: Any) -> Any:
        # Django's own mark for the transaction around a whole test.
        held = [block for block in connection.atomic_blocks if not block._from_testcase]
        assert not held, "Google is asked within a transaction."
        return really(*args, **kwargs)

    return request


def point_at(root: str, settings: Any) -> None:
    """Let the product's settings name a server at this address as Google."""
    settings.GOOGLE_CLIENT_ID, settings.GOOGLE_CLIENT_SECRET = "local-client", "local-secret"
    settings.GOOGLE_AUTH_URI = f"{root}/o/oauth2/v2/auth"
    settings.GOOGLE_TOKEN_URI = f"{root}/token"
    settings.GOOGLE_REVOKE_URI = f"{root}/revoke"
    settings.GOOGLE_USERINFO_URI = f"{root}/v1/userinfo"
    settings.GOOGLE_CALENDAR_API_ROOT = f"{root}/"


def connect(google: Emulator, user: User, *, address: str = "", **settings: Any) -> SyncedCalendar:
    """Connect a user's Google account, made when missing, and save the set-up page with these settings."""
    address = address or user.email
    google.add_account(address, name=user.profile.full_name, time_zone=user.profile.time_zone)
    tokens = google.grant(address, scopes=oauth.SCOPES)
    grant = oauth.Grant(
        subject=tokens["sub"],
        login=address,
        is_login_verified=True,
        credentials={
            "refresh_token": tokens["refresh_token"],
            "access_token": tokens["access_token"],
            "expires_at": datetime(2099, 1, 1, tzinfo=UTC).isoformat(),
        },
        scopes=oauth.SCOPES,
    )
    account = connections.connect(profile=user.profile, grant=grant, now=timezone.now())
    SyncSettings.objects.update_or_create(profile=user.profile, defaults={"sync_from": LONG_AGO, **settings})
    return account.synced_calendar


def synchronize(calendar: SyncedCalendar) -> SyncSession:
    """Run one session of a calendar in this process, as `manage.py synchronize` does."""
    session, _is_new = sessions.open_session(calendar=calendar, trigger=SyncSession.Trigger.MANUAL, now=timezone.now())
    assert tasks.run_here(session)
    return SyncSession.objects.get(pk=session.pk)


def sync_tag(profile: Profile) -> Tag:
    """Return a private tag of this person's."""
    return Tag.objects.filter(owner=profile).first() or make_tag("Google synchronization", owner=profile)


def timed(start: str, end: str, zone: str = "UTC") -> dict[str, Any]:
    """Return `start` and `end` of an event, as in timed("2026-03-09T10:00:00", "2026-03-09T11:00:00")."""
    return {"start": {"dateTime": start, "timeZone": zone}, "end": {"dateTime": end, "timeZone": zone}}
