"""Two people and their connected calendars."""

from __future__ import annotations

import pytest

from accounts.models import Profile
from google_emulator import Emulator
from sync.models import SyncedCalendar
from tests.factories import make_user
from tests.google import connect


@pytest.fixture
def anna() -> Profile:
    return make_user("anna").profile


@pytest.fixture
def boris() -> Profile:
    return make_user("boris").profile


@pytest.fixture
def annas(google: Emulator, anna: Profile) -> SyncedCalendar:
    return connect(google, anna.user)


@pytest.fixture
def boriss(google: Emulator, boris: Profile) -> SyncedCalendar:
    return connect(google, boris.user)
