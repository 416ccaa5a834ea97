"""What the random journeys found about series, each made as small as it goes (R15)."""

from __future__ import annotations

import pytest

from accounts.models import Profile
from google_emulator import Emulator
from sync.models import SyncedCalendar
from tests.factories import make_user
from tests.google import connect, synchronize
from tests.sync.helpers import assert_quiet, change
from tests.sync.test_repeating import (
    ANNA,
    ZONE,
    assert_same,
    instance,
    make_there,
    occurrence,
)

pytestmark = pytest.mark.django_db(transaction=True)
POPUP = {"useDefault": False, "overrides": [{"method": "popup", "minutes": 5}]}


@pytest.fixture
def anna() -> Profile:
    return make_user("anna", time_zone=ZONE).profile


@pytest.fixture
def annas(google: Emulator, anna: Profile) -> SyncedCalendar:
    return connect(google, anna.user)


@pytest.mark.rule("R15", "R10")
def test_a_reminder_of_all_set_in_google_is_none_of_its_exceptions(google, anna, annas):
    """Google's exceptions keep what each copy has of its own, whatever becomes of their series."""
    master = make_there(google)
    synchronize(annas)
    change(occurrence("2027-03-22"), anna, location="Garden")
    synchronize(annas)

    google.person(ANNA).edit(master["id"], {"reminders": POPUP})
    synchronize(annas)

    assert instance(google, "2027-03-22")["reminders"] != POPUP
    assert occurrence("2027-03-22").participants.get(profile=anna).reminder_minutes is None
    assert occurrence("2027-03-15").participants.get(profile=anna).reminder_minutes == 5
    assert_same(google, anna)
    assert_quiet(google, annas)
