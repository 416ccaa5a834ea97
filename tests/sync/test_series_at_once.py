"""What both sides do to one series between two sessions, and what Google refuses of it (R15)."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from activities.models import Activity
from sync.models import SyncOutcome
from tests.google import synchronize, timed
from tests.sync.helpers import assert_quiet
from tests.sync.test_repeating import (  # noqa: F401 # Fixtures among them.
    ANNA,
    ZONE,
    anna,
    assert_same,
    at,
    boris,
    instance,
    make_here,
    make_there,
    occurrence,
    there,
)
from tests.sync.test_split_series import of_all, settle, split_here, split_there

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.embedded]


def in_turn(here, google, *, later):
    for step in (google, here) if later == "here" else (here, google):
        step()


# --- Divided on one side, moved on the other -----------------------------------------------------------------------


@pytest.mark.rule("R15", "R11")
@pytest.mark.parametrize("later", ["here", "google"])
@pytest.mark.parametrize("rule", ["RRULE:FREQ=WEEKLY;COUNT=5", "RRULE:FREQ=WEEKLY;UNTIL=20270405T215959Z;BYDAY=MO"])
def test_a_series_divided_here_and_moved_in_google_is_both(google, anna, annas, later, rule):  # noqa: F811
    master = make_there(google, [rule])
    synchronize(annas)

    afternoon = timed("2027-03-08T14:00:00", "2027-03-08T14:45:00", ZONE)
    in_turn(lambda: split_here(anna), lambda: google.person(ANNA).edit(master["id"], afternoon), later=later)
    settle(annas)

    assert [row.subject for row in Activity.objects.order_by("start")] == ["Stand-up"] * 2 + ["Retro"] * 3
    assert {row.start.astimezone(ZoneInfo(ZONE)).hour for row in Activity.objects.all()} == {14}
    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R11")
@pytest.mark.parametrize("later", ["here", "google"])
def test_a_series_divided_in_google_and_moved_here_is_both(google, anna, annas, later):  # noqa: F811
    make_there(google)
    synchronize(annas)

    noon = {"start": at("2027-03-08", "12:00"), "due": at("2027-03-08", "13:00")}
    in_turn(lambda: of_all(anna, **noon), lambda: split_there(google), later=later)
    settle(annas)

    assert [row.subject for row in Activity.objects.order_by("start")] == ["Stand-up"] * 2 + ["Retro"] * 3
    assert {row.start.astimezone(ZoneInfo(ZONE)).hour for row in Activity.objects.all()} == {12}
    assert not SyncOutcome.objects.filter(action="replaced").exists()
    assert_same(google, anna)
    assert_quiet(google, annas)
