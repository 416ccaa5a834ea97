"""Anna and Boris, signed in or not, and a way to close an activity to somebody as the synchronization does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client

from accounts.models import Profile
from activities.models import Activity
from activities.signals import asks_why_read_only
from tests.factories import make_user

CLOSED = "This meeting runs by the Google Calendar of Boris."


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


@pytest.fixture
def closed_to_anna(anna: Profile) -> Iterator[str]:
    """While this lasts, Anna may change no synchronized field of any activity (R6). Returns the reason."""

    def say_why(*, activity: Activity, profile: Profile, **_: object) -> str | None:
        return CLOSED if profile.pk == anna.pk else None

    asks_why_read_only.connect(say_why)
    yield CLOSED
    asks_why_read_only.disconnect(say_why)
