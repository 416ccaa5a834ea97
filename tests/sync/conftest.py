"""Two people and their connected calendars."""

from __future__ import annotations

import pytest

from accounts.models import Profile
from google_emulator import Emulator
from sync import tasks
from sync.models import SyncedCalendar
from tests.factories import make_user
from tests.google import connect


@pytest.fixture(autouse=True)
def _nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session in this process goes on at once where Google asks to wait (R20)."""
    monkeypatch.setattr(tasks, "sleep", lambda _seconds: None)


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
