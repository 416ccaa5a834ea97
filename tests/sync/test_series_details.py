"""Details of series, and of single events, where one step follows another (R9, R13, R15, R17)."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from activities import services
from activities.models import Activity
from sync.models import EventLink, SyncSettings
from tests.google import synchronize
from tests.sync.helpers import assert_quiet
from tests.sync.test_repeating import (  # noqa: F401 - fixtures
    ANNA,
    BORIS,
    MONDAY,
    anna,
    assert_same,
    boris,
    instance,
    make_there,
    occurrence,
    there,
)  # fmt: skip
from tests.sync.wire import google_sets

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.embedded]


def moved_to_another_calendar(google: Any, event_id: str) -> str:
    """Move an event of Anna's to another calendar of hers, as a person does in Google. Returns that calendar's id."""
    other: str = google.add_calendar(ANNA, summary="Other").id
    google.person(ANNA).move(event_id, to=other)
    return other


def choose(profile: Any, calendar_id: str) -> None:
    SyncSettings.objects.filter(profile=profile).update(calendar_id=calendar_id)


# --- Moved to another calendar -----------------------------------------------------------------------------------


@pytest.mark.rule("R9")
def test_an_event_moved_to_the_calendar_that_is_chosen_next_keeps_its_activity(google, anna, annas):
    event = google.person(ANNA).create_event({"summary": "Review", **MONDAY})
    synchronize(annas)
    activity = Activity.objects.get()
    services.edit(activity=activity, by=anna, now=timezone.now(), location="Garden")
    other = moved_to_another_calendar(google, event["id"])
    choose(anna, other)
    synchronize(annas)
    assert (Activity.objects.get().pk, EventLink.objects.get().state) == (activity.pk, EventLink.State.LINKED)
    assert google.person(ANNA, calendar_id=other).event(event["id"])["location"] == "Garden"
    assert_quiet(google, annas)


@pytest.mark.rule("R9", "R14")
def test_an_event_whose_move_looked_like_a_deletion_returns_with_its_activity(google, anna, annas):
    event = google.person(ANNA).create_event({"summary": "Review", **MONDAY})
    synchronize(annas)
    other = moved_to_another_calendar(google, event["id"])
    synchronize(annas)
    assert Activity.objects.get().status == "canceled"
    choose(anna, other)
    synchronize(annas)
    assert (Activity.objects.get().status, EventLink.objects.get().state) == ("not_started", EventLink.State.LINKED)
    assert_quiet(google, annas)


@pytest.mark.rule("R9", "R15")
@pytest.mark.parametrize("is_seen_between", [False, True])
def test_a_series_moved_to_the_calendar_that_is_chosen_next_keeps_its_occurrences(
    google, anna, annas, boris, boriss, is_seen_between
):
    master = make_there(google, attendees=[{"email": BORIS}])
    google.person(ANNA).edit(instance(google, "2027-03-22")["id"], {"location": "Garden"})
    google.person(ANNA).delete(instance(google, "2027-03-29")["id"])
    for calendar in (annas, boriss):
        synchronize(calendar)
    before = sorted(Activity.objects.values_list("pk", "start", "location"))
    other = moved_to_another_calendar(google, master["id"])
    if is_seen_between:
        synchronize(annas)
    choose(anna, other)
    for calendar in (annas, boriss, annas):
        synchronize(calendar)
    assert sorted(Activity.objects.values_list("pk", "start", "location")) == before
    assert set(Activity.objects.values_list("status", flat=True)) == {"not_started"}
    assert {link.google_calendar_id for link in EventLink.objects.filter(calendar=annas)} == {other}
    assert_quiet(google, annas)


@pytest.mark.rule("R9")
def test_an_invitation_under_the_id_of_an_event_of_ours_is_not_ours(google, anna, annas):
    event = google.person(ANNA).create_event({"summary": "Review", **MONDAY})
    synchronize(annas)
    other = google.add_calendar(ANNA, summary="Other").id
    google.person(ANNA, calendar_id=other).create_event({"summary": "Forged", "id": event["id"], **MONDAY})
    google_sets(google, ANNA, event["id"], calendar_id=other, organizer={"email": "mallory@elsewhere.example"})
    choose(anna, other)
    synchronize(annas)
    assert Activity.objects.get(subject="Forged").links.get().google_calendar_id == other
    assert Activity.objects.get(subject="Review").links.get().google_calendar_id != other
