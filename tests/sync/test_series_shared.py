"""Series that several people share, and exceptions of them, where one thing follows from another (R6, R14, R15)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Profile
from activities import series, services
from activities.models import Activity
from google_emulator import Emulator
from sync import repeating
from sync.models import EventLink, SyncedCalendar, SyncOutcome, SyncSettings
from tests.factories import make_user
from tests.google import connect, synchronize, timed
from tests.sync.helpers import assert_quiet
from tests.sync.test_repeating import (
    ANNA,
    BORIS,
    MONDAY,
    ZONE,
    answers,
    assert_same,
    at,
    begins,
    instance,
    make_there,
    occurrence,
    there,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def anna() -> Profile:
    return make_user("anna", time_zone=ZONE).profile


@pytest.fixture
def boris() -> Profile:
    return make_user("boris", time_zone=ZONE).profile


@pytest.fixture
def shared(google: Emulator, annas: SyncedCalendar, boriss: SyncedCalendar) -> dict[str, Any]:
    """A series of Anna's with Boris, in both calendars, one occurrence of which takes place in the garden."""
    master = make_there(google, attendees=[{"email": BORIS}])
    everybody(annas, boriss)
    google.person(ANNA).edit(instance(google, "2027-03-22")["id"], {"location": "Garden"})
    everybody(annas, boriss)
    return master


def everybody(*calendars: SyncedCalendar, rounds: int = 1) -> None:
    for _round in range(rounds):
        for calendar in calendars:
            session = synchronize(calendar)
            assert session.status == "succeeded", list(session.outcomes.values("item", "reason", "error"))


@pytest.mark.rule("R15", "R14", "R6")
@pytest.mark.parametrize("what", ["cancel", "delete"])
@pytest.mark.parametrize("trouble", ["none", "before", "after"])
def test_all_that_is_canceled_takes_its_exceptions_along(google, anna, annas, boriss, shared, what, trouble):
    day, now = occurrence("2027-03-08"), timezone.now()
    if what == "delete":
        series.delete(activity=day, scope="all", by=anna, now=now)
    else:
        series.set_status(activity=day, scope="all", by=anna, now=now, status="canceled")
    if trouble == "before":
        google.fail("status", status=503, method="DELETE", times=1)
    elif trouble == "after":
        google.fail("timeout", when="after", method="DELETE", times=1, seconds=0)

    everybody(annas, boriss, rounds=3)

    assert there(google) == []
    assert not Activity.objects.present().exclude(status="canceled").exists()


@pytest.mark.rule("R15", "R6", "R11")
def test_what_an_exception_has_from_its_series_is_nobodys_edit(google, anna, annas, boriss, shared):
    series.edit(activity=occurrence("2027-03-08"), scope="all", by=anna, now=timezone.now(), subject="Retro")

    everybody(annas, boriss)

    assert {row.subject for row in Activity.objects.all()} == {"Retro"}
    assert {event["summary"] for event in there(google)} == {"Retro"}
    assert not SyncOutcome.objects.filter(action="replaced").exists()


@pytest.mark.rule("R15", "R6")
def test_exceptions_made_in_google_are_carried_over_when_the_series_is_divided_here(
    google, anna, annas, boriss, shared
):
    later = timed("2027-04-06T15:00:00", "2027-04-06T16:00:00", ZONE)
    google.person(ANNA).edit(instance(google, "2027-04-05")["id"], later)
    everybody(annas, boriss)

    series.edit(activity=occurrence("2027-03-15"), scope="following", by=anna, now=timezone.now(), subject="Retro")
    everybody(annas, boriss, rounds=2)

    assert occurrence("2027-04-05").start == at("2027-04-06", "15:00")
    assert occurrence("2027-03-22").location == "Garden"
    assert_same(google, anna)


@pytest.mark.rule("R15", "R10")
@pytest.mark.parametrize("first", ["organizer", "guest"])
def test_an_answer_to_one_occurrence_comes_along_when_the_series_is_divided_here(
    google, anna, annas, boris, boriss, shared, first
):
    google.person(BORIS).respond(instance(google, "2027-03-29", person=BORIS)["id"], "declined")
    series.edit(activity=occurrence("2027-03-15"), scope="following", by=anna, now=timezone.now(), subject="Retro")

    everybody(*((annas, boriss) if first == "organizer" else (boriss, annas)), rounds=3)

    rows = Activity.objects.order_by("start")
    here = [row.participants.get(profile=boris).response for row in rows]
    assert here == ["needs_action", "needs_action", "needs_action", "declined", "needs_action"]
    expected = ["needsAction", "needsAction", "needsAction", "declined", "needsAction"]
    assert (answers(google, ANNA), answers(google, BORIS)) == (expected, expected)
    assert_same(google, anna)
    for calendar in (annas, boriss):
        assert_quiet(google, calendar)


@pytest.mark.rule("R15", "R14")
def test_the_organizer_who_deletes_one_occurrence_in_google_has_not_declined_it(
    google, anna, annas, boris, boriss, shared
):
    google.person(ANNA).delete(instance(google, "2027-03-29")["id"])

    everybody(annas, boriss)

    row = occurrence("2027-03-29")
    assert (row.status, row.participants.get(profile=anna).response) == ("canceled", "accepted")
    assert row.participants.get(profile=boris).response == "needs_action"


@pytest.mark.rule("R15", "R14", "R10")
def test_nobody_has_declined_an_exception_that_went_with_its_day(google, annas, boris, boriss, shared):
    google.person(ANNA).edit(shared["id"], timed("2027-03-08T14:00:00", "2027-03-08T14:45:00", ZONE))

    everybody(boriss, annas, rounds=2)

    rows = Activity.objects.filter(series__isnull=False)
    assert {row.participants.get(profile=boris).response for row in rows} == {"needs_action"}
    answers = {
        entry["responseStatus"] for event in there(google) for entry in event["attendees"] if entry["email"] == BORIS
    }
    assert answers == {"needsAction"}


@pytest.mark.rule("R15", "R2")
def test_an_earlier_synchronize_from_brings_earlier_occurrences(google, anna):
    calendar = connect(google, anna.user, sync_from=date(2027, 3, 20))
    make_there(google)
    synchronize(calendar)
    assert Activity.objects.count() == 3

    SyncSettings.objects.update(sync_from=date(2027, 1, 1))
    synchronize(calendar)

    assert Activity.objects.count() == 5
    assert_quiet(google, calendar)


@pytest.mark.rule("R2", "R14")
def test_an_answer_for_a_calendar_that_is_not_synchronized_any_more_is_not_sent(google, annas, boris, boriss):
    google.person(ANNA).create_event({"summary": "Review", "attendees": [{"email": BORIS}], **MONDAY})
    everybody(annas, boriss)
    other = google.add_calendar(BORIS, summary="Other")
    SyncSettings.objects.filter(profile=boris).update(calendar_id=other.id)
    everybody(boriss)
    row = Activity.objects.get()

    services.respond(activity=row, profile=boris, response="accepted", now=timezone.now())
    everybody(boriss)

    assert row.participants.get(profile=boris).response == "accepted"


@pytest.mark.rule("R15", "R18")
def test_what_waits_beyond_the_horizon_is_found_though_the_beat_died_over_it(google, annas):
    make_there(google, ["RRULE:FREQ=MONTHLY;COUNT=30"])
    synchronize(annas)
    last = Activity.objects.latest("start")
    far = next(event for event in there(google) if begins(event) > last.start)
    google.person(ANNA).edit(far["id"], {"summary": "Moved far away"})
    synchronize(annas)
    later = timezone.now() + timedelta(days=200)

    series.extend_horizon(now=later)  # The process dies here, and the next minute the beat comes again.
    repeating.extend_horizon(now=later)
    SyncedCalendar.objects.update(compare_all=True)
    synchronize(SyncedCalendar.objects.get(pk=annas.pk))

    assert Activity.objects.filter(subject="Moved far away").exists()


@pytest.mark.rule("R15", "R9")
def test_single_invitations_of_a_colleague_belong_to_the_series_once_it_comes(google, anna, boris, boriss):
    google.add_account(ANNA, name="Anna", time_zone=ZONE)
    make_there(google)
    google.person(ANNA).edit(instance(google, "2027-03-15")["id"], {"attendees": [{"email": BORIS}]})
    synchronize(boriss)

    annas = connect(google, anna.user)
    everybody(annas, boriss, annas)

    assert Activity.objects.count() == 5
    assert [row.original_start for row in Activity.objects.visible_to(boris)] == [at("2027-03-15")]
    assert EventLink.objects.filter(calendar=boriss).count() == 1
