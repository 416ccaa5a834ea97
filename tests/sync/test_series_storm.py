"""What the random journeys found about series, each made as small as it goes (R15)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import Profile
from activities import series, services
from activities.models import Activity, Series
from google_emulator import Emulator
from sync.models import EventLink, SyncedCalendar, SyncOutcome
from tests.factories import make_user
from tests.google import connect, sync_tag, synchronize, timed
from tests.sync.helpers import assert_quiet, change
from tests.sync.test_repeating import (
    ANNA,
    BORIS,
    ZONE,
    assert_same,
    at,
    begins,
    instance,
    make_there,
    occurrence,
    there,
)

pytestmark = pytest.mark.django_db(transaction=True)
MOVED = timed("2027-03-08T12:30:00", "2027-03-08T13:30:00", ZONE)
DAYS = {side: {"date": day, "dateTime": None, "timeZone": None}
        for side, day in (("start", "2027-03-08"), ("end", "2027-03-09"))}  # fmt: skip
INSTANCE = r"/events/[^/]+_\d{8}T"
POPUP = {"useDefault": False, "overrides": [{"method": "popup", "minutes": 5}]}


@pytest.fixture
def anna() -> Profile:
    return make_user("anna", time_zone=ZONE).profile


@pytest.fixture
def boris() -> Profile:
    return make_user("boris", time_zone=ZONE).profile


@pytest.fixture
def boriss(google: Emulator, boris: Profile) -> SyncedCalendar:
    return connect(google, boris.user)


@pytest.fixture
def annas(google: Emulator, anna: Profile) -> SyncedCalendar:
    return connect(google, anna.user)


def starts_here() -> list[str]:
    """Return when everything begins, days or moments in UTC, by their text."""
    return sorted(str(row.start_date or row.start) for row in Activity.objects.present().exclude(status="canceled"))


def starts_there(google: Emulator) -> list[str]:
    return sorted(event["start"].get("date") or str(begins(event)) for event in there(google))


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


@pytest.mark.rule("R15", "R13", "R12")
@pytest.mark.parametrize("is_known", [False, True], ids=["a new exception", "an exception"])
@pytest.mark.parametrize("moved", [MOVED, DAYS], ids=["to another time", "to whole days"])
def test_an_occurrence_whose_series_moves_under_our_write_is_no_event_of_its_own(google, anna, annas, is_known, moved):
    """Google knows it by no name any more, although nobody deleted it: its series is looked at first."""
    master = make_there(google)
    synchronize(annas)
    if is_known:
        change(occurrence("2027-03-22"), anna, location="Garden")
        synchronize(annas)
    change(occurrence("2027-03-22"), anna, start=at("2027-03-23", "15:00"), due=at("2027-03-23", "16:00"))
    google.interject(lambda: google.person(ANNA).edit(master["id"], moved), method="PATCH")

    for _round in range(3):
        synchronize(annas)

    assert len(google.person(ANNA).events(expand=True)) == 5
    assert [event for event in google.person(ANNA).events() if "recurringEventId" not in event] == [
        google.person(ANNA).event(master["id"])
    ]
    assert starts_here() == starts_there(google)
    assert [row["summary"] for row in there(google) if row["start"].get("dateTime") == "2027-03-23T15:00:00+01:00"]
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R11", "R5")
def test_a_guest_who_brings_the_later_part_first_makes_no_change_of_what_the_organizer_had_taken_over(
    google, anna, annas, boriss
):
    """What a guest's copy last agreed on is older than what the Organizer's sessions have brought here since."""
    master = make_there(google, attendees=[{"email": BORIS}])
    for calendar in (annas, boriss):
        synchronize(calendar)
    person = google.person(ANNA)
    person.edit(master["id"], {"summary": "Second"})
    synchronize(annas)
    person.edit(instance(google, "2027-03-22")["id"], {"summary": "Third"}, scope="following")

    for calendar in (boriss, annas, boriss):
        synchronize(calendar)

    assert not SyncOutcome.objects.filter(action="replaced")
    assert [row["summary"] for row in there(google)] == ["Second"] * 2 + ["Third"] * 3
    assert_same(google, anna)
    assert_quiet(google, annas)
    assert_quiet(google, boriss)


@pytest.mark.rule("R15", "R18")
def test_an_occurrence_about_which_nothing_was_sent_follows_its_series_again(google, anna, annas):
    """It was changed here, and back while the session read it: Google has no exception, and tells nothing about it."""
    master = make_there(google)
    synchronize(annas)
    day = occurrence("2027-03-22")
    change(day, anna, location="Garden")
    google.interject(lambda: from_another_thread(lambda: change(day, anna, location="")), method="GET", path=INSTANCE)
    synchronize(annas)
    assert not EventLink.objects.filter(activity=day)

    google.person(ANNA).edit(master["id"], {"location": "Hall", "summary": "Later"})
    synchronize(annas)

    assert occurrence("2027-03-22").location == "Hall"
    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R11")
def test_what_google_changed_about_an_occurrence_that_a_rule_from_here_drops_is_in_the_journal(google, anna, annas):
    make_there(google)
    synchronize(annas)
    google.person(ANNA).edit(instance(google, "2027-03-29")["id"], {"summary": "Party", "location": "Garden"})
    series.edit(activity=occurrence("2027-03-08"), scope="all", by=anna, now=timezone.now(),
                lines=["RRULE:FREQ=WEEKLY;COUNT=2"])  # fmt: skip

    synchronize(annas)

    assert len(there(google)) == 2
    kept = SyncOutcome.objects.filter(action="replaced", rule="R15").order_by("field")
    assert [(one.field, one.google) for one in kept] == [("location", "Garden"), ("subject", "Party")]
    assert_same(google, anna)
    synchronize(annas)
    assert_quiet(google, annas)


@pytest.mark.rule("R15")
def test_what_an_import_changed_about_an_occurrence_that_a_rule_from_google_drops_is_in_the_journal(
    google, anna, annas
):
    event = make_there(google)
    synchronize(annas)
    activity = occurrence("2027-03-29")
    activity.location = "Imported room"
    activity.save()
    services.announce(activity, by=None)
    google.person(ANNA).edit(event["id"], {"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=2"]}, scope="all")

    synchronize(annas)

    assert not Activity.every.filter(pk=activity.pk).exists()
    kept = SyncOutcome.objects.get(action="replaced", rule="R15")
    assert (kept.field, kept.here, kept.kept) == ("location", "Imported room", "google")
    assert_same(google, anna)
    synchronize(annas)
    assert_quiet(google, annas)


@pytest.mark.rule("R15")
def test_what_an_import_changed_about_an_occurrence_of_what_repeats_no_more_is_in_the_journal(google, anna, annas):
    event = make_there(google)
    synchronize(annas)
    activity = occurrence("2027-03-29")
    activity.location = "Imported room"
    activity.save()
    services.announce(activity, by=None)
    google.person(ANNA).edit(event["id"], {"recurrence": None})

    synchronize(annas)

    [left] = Activity.objects.present()
    assert left.start == at("2027-03-08")
    kept = SyncOutcome.objects.get(action="replaced", rule="R15")
    assert (kept.field, kept.here, kept.kept) == ("location", "Imported room", "google")
    assert_quiet(google, annas)


@pytest.mark.rule("R6", "R15")
def test_the_organizers_change_of_one_occurrence_is_theirs_though_google_ends_the_series_after_it(
    google, anna, annas, boris, boriss
):
    make_there(google, attendees=[{"email": BORIS}])
    synchronize(annas)
    synchronize(boriss)
    noon = at("2027-03-08", "12:00")
    series.edit(activity=occurrence("2027-03-08"), scope="this", by=anna, now=timezone.now(), start=noon)
    google.person(ANNA).delete(instance(google, "2027-03-22")["id"], scope="following")

    synchronize(annas)

    assert not SyncOutcome.objects.filter(action="replaced").exists()
    assert [datetime.fromisoformat(event["start"]["dateTime"]) for event in there(google)][:1] == [noon]
    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R9", "R11")
def test_a_series_split_on_both_sides_at_the_same_occurrence_has_one_later_part(google, anna, annas):
    make_there(google)
    synchronize(annas)
    google.person(ANNA).edit(instance(google, "2027-03-22")["id"], {"location": "Garden"}, scope="following")
    series.edit(activity=occurrence("2027-03-22"), scope="following", by=anna, now=timezone.now(), notes="Bring boots")

    for _round in range(2):
        synchronize(annas)

    assert [(row["location"], row["description"]) for row in there(google)[2:]] == [("Garden", "Bring boots")] * 3
    assert_same(google, anna)
    assert Series.objects.count() == 2
    assert_quiet(google, annas)


def from_another_thread(work: Callable[[], None]) -> None:
    """The emulator answers in a thread of its own, whose database connection has to be closed again."""
    try:
        work()
    finally:
        connection.close()


@pytest.mark.rule("R4", "R15")
def test_what_google_did_to_an_occurrence_while_its_series_was_frozen_comes_with_the_thaw(google, anna, annas):
    event = make_there(google)
    synchronize(annas)
    services.remove_tag(activity=occurrence("2027-03-08"), tag=sync_tag(anna), by=anna)
    google.person(ANNA).edit(event["id"], MOVED, scope="all")
    moved = google.person(ANNA).events(expand=True)[2]
    google.person(ANNA).edit(moved["id"], {"location": "Garden"})
    synchronize(annas)

    services.add_tag(activity=occurrence("2027-03-08"), tag=sync_tag(anna), by=anna)
    for _round in range(2):
        synchronize(annas)

    assert not SyncOutcome.objects.filter(action="replaced").exists()
    assert [row.location for row in Activity.objects.order_by("start")] == ["", "", "Garden", "", ""]
    assert_same(google, anna)
    assert_quiet(google, annas)
