"""Anna, signed in, and Boris; reminders as their beat makes them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import Profile
from activities import services
from activities.models import Activity, Participant
from notices import reminders
from notices.models import Notice
from tests.factories import MONDAY_NINE, make_activity, make_user

LONG_BEFORE = MONDAY_NINE - timedelta(days=60)


@pytest.fixture
def anna(db: None) -> Profile:
    return make_user("anna").profile


@pytest.fixture
def boris(db: None) -> Profile:
    return make_user("boris").profile


@pytest.fixture
def client_of_anna(anna: Profile) -> Client:
    client = Client()
    client.force_login(anna.user)
    return client


def remind(activity: Activity, profile: Profile, minutes: int | None = 15) -> Activity:
    """Let somebody be reminded of an activity they have long known of."""
    services.set_reminder(activity=activity, profile=profile, minutes=minutes, now=LONG_BEFORE)
    Participant.objects.filter(activity=activity).update(added_at=LONG_BEFORE)
    return activity


@pytest.fixture
def review(anna: Profile) -> Activity:
    """Anna's review on Monday from nine to ten, of which she is reminded a quarter of an hour before."""
    return remind(make_activity(by=anna, subject="Quarterly review"), anna)


def bell_of(profile: Profile, now: datetime) -> list[str]:
    """Let the beat make what is due, and return what the bell shows, the newest first."""
    reminders.make(now=now)
    return [str(notice.activity or notice.kind) for notice in Notice.objects.shown_to(profile, now=now)]


def only(**values: Any) -> Notice:
    return Notice.objects.get(**values)
