"""Known traps of repeating activities, each with a test named after it (R15)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from accounts.models import Profile
from activities import series, services
from activities.models import Activity, Series
from google_emulator import Emulator
from sync import connections
from sync.google.gateway import CalendarGateway
from sync.models import EventLink, SyncedCalendar, SyncSession
from tests.factories import make_user
from tests.google import connect, synchronize, timed
from tests.sync.helpers import assert_quiet, counts
from tests.sync.test_repeating import (
    ANNA,
    BORIS,
    MONDAY,
    WEEKLY,
    ZONE,
    assert_same,
    at,
    begins,
    in_step,
    instance,
    make_here,
    make_there,
    occurrence,
    there,
)
from tests.sync.wire import sent

pytestmark = [pytest.mark.django_db(transaction=True)]

WEEKS = ("2027-03-08", "2027-03-15", "2027-03-22", "2027-03-29", "2027-04-05")
MARIA = "maria@partner.example"


@pytest.fixture
def anna() -> Profile:
    return make_user("anna", time_zone=ZONE).profile


@pytest.fixture
def boris() -> Profile:
    return make_user("boris", time_zone=ZONE).profile


def complete(activity: Activity, by: Profile, result: str = "Held") -> None:
    services.set_status(activity=activity, by=by, status="completed", result=result, now=timezone.now())


def with_exceptions(google: Emulator, *, person: str = ANNA) -> dict[str, Any]:
    """Make a series of five in Google, of which one is moved, one renamed and one deleted. Returns the master."""
    master = make_there(google, person=person)
    page = google.person(person)
    moved = timed("2027-03-16T09:00:00", "2027-03-16T09:30:00", ZONE)
    page.edit(instance(google, WEEKS[1], person=person)["id"], moved)
    page.edit(instance(google, WEEKS[2], person=person)["id"], {"summary": "Stand-up with the board"})
    page.delete(instance(google, WEEKS[3], person=person)["id"])
    return master


def pages_of(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setitem(CalendarGateway.list_events.__kwdefaults__, "page_size", size)


def assert_the_four(google: Emulator, calendar: SyncedCalendar) -> None:
    """The series of `with_exceptions` is here once, and no occurrence is doubled or lost."""
    assert_same(google, calendar.account.profile)
    present = Activity.objects.present().exclude(status="canceled")
    assert {row.original_start for row in present} == {at(day) for day in WEEKS if day != WEEKS[3]}
    assert (present.count(), Series.objects.count()) == (4, 1)
    assert occurrence(WEEKS[1]).start == at("2027-03-16", "09:00")
    assert occurrence(WEEKS[2]).subject == "Stand-up with the board"
    assert_quiet(google, calendar)


# --- The order of rows -------------------------------------------------------------------------------------------


@pytest.mark.rule("R15", "R18")
@pytest.mark.parametrize(
    ("reading", "order"), [("complete", "calendar"), ("of changes", "calendar"), ("of changes", "reversed")]
)
def test_exceptions_arriving_in_the_same_page_as_their_master(google, anna, annas, reading, order):
    google.behavior.delta_order = order
    if reading == "of changes":
        synchronize(annas)
    with_exceptions(google)

    session = synchronize(annas)

    assert session.status == "succeeded"
    assert not session.outcomes.filter(action="parked").exists()
    assert_the_four(google, annas)


@pytest.mark.rule("R15", "R18")
@pytest.mark.parametrize("size", [1, 2])
def test_exceptions_before_their_master_on_an_earlier_page(google, anna, annas, monkeypatch, size):
    google.behavior.delta_order = "reversed"
    pages_of(monkeypatch, size)
    synchronize(annas)
    with_exceptions(google)

    session = synchronize(annas)

    assert session.status == "succeeded"
    assert not session.outcomes.filter(action="parked").exists()
    assert_the_four(google, annas)


@pytest.mark.rule("R15", "R18")
def test_a_reading_cut_off_between_exceptions_and_their_master(google, anna, annas, monkeypatch):
    google.behavior.delta_order = "reversed"
    pages_of(monkeypatch, 1)
    synchronize(annas)
    with_exceptions(google)
    google.fail(status=503, reason="backendError", method="GET", path=r"/events$", skip=2, times=40)
    cut = synchronize(annas)
    assert cut.status == "failed"
    assert not Activity.objects.exists()
    google.faults.clear()

    assert synchronize(SyncedCalendar.objects.get()).status == "succeeded"

    assert_the_four(google, SyncedCalendar.objects.get())


@pytest.mark.rule("R15", "R20")
def test_series_doubled_by_a_second_complete_read(google, anna, annas, monkeypatch):
    master = with_exceptions(google)
    synchronize(annas)
    ids = set(Activity.objects.values_list("pk", flat=True))
    complete(occurrence(WEEKS[0]), anna)

    google.expire_sync_tokens()
    assert counts(synchronize(annas)) == {}
    pages_of(monkeypatch, 1)
    google.expire_sync_tokens()
    assert counts(synchronize(annas)) == {}
    connections.disconnect(account=annas.account)
    calendar = connect(google, anna.user)
    assert counts(synchronize(calendar)) == {}

    assert set(Activity.objects.values_list("pk", flat=True)) == ids
    assert EventLink.objects.filter(event_id=master["id"]).count() == 1
    assert occurrence(WEEKS[0]).status == "completed"
    assert sent(google) == []
    assert_the_four(google, calendar)


@pytest.mark.rule("R15", "R9")
@pytest.mark.parametrize("first", ["the organizer", "the guest"])
@pytest.mark.parametrize("order", ["calendar", "reversed"])
def test_series_doubled_by_a_second_attendee(google, anna, annas, boris, boriss, first, order):
    google.behavior.delta_order = order
    both = [annas, boriss] if first == "the organizer" else [boriss, annas]
    for calendar in both:
        synchronize(calendar)
    master = make_there(google, attendees=[{"email": BORIS}])
    google.person(ANNA).edit(instance(google, WEEKS[1])["id"], {"summary": "Stand-up with the board"})
    google.person(ANNA).delete(instance(google, WEEKS[3])["id"])
    google.person(ANNA).edit(master["id"], {"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=6"]})

    for calendar in (*both, *both):
        assert synchronize(calendar).status == "succeeded"

    present = Activity.objects.present().exclude(status="canceled")
    assert (present.count(), Series.objects.count()) == (5, 1)
    assert {row.organizer for row in present} == {anna}
    for calendar in both:
        assert_same(google, calendar.account.profile)
        assert_quiet(google, calendar)


# --- Masters that come again -------------------------------------------------------------------------------------


@pytest.mark.rule("R15", "R12")
def test_re_sent_masters(google, anna, annas):
    master = make_there(google)
    synchronize(annas)
    done, noted, later = (occurrence(day) for day in (WEEKS[0], WEEKS[1], WEEKS[2]))
    complete(done, anna)
    services.edit(activity=noted, by=anna, priority="high", now=timezone.now())
    synchronize(annas)
    before = {row.pk: row.modified_at for row in Activity.every.all()}
    google.requests.clear()

    google.person(ANNA).edit(instance(google, WEEKS[4])["id"], {"summary": "Last one"})  # Re-sends the master.
    edited = synchronize(annas)
    google.store.touch(calendar_id=ANNA, event_id=master["id"])
    touched = synchronize(annas)

    assert (edited.events_listed, counts(edited)) == (2, {"updated_here": 1})
    assert (touched.status, counts(touched), sent(google)) == ("succeeded", {}, [])
    changed = {row.pk for row in Activity.every.all() if row.modified_at != before.get(row.pk)}
    assert changed == {occurrence(WEEKS[4]).pk}
    assert (occurrence(WEEKS[0]).status, occurrence(WEEKS[1]).priority) == ("completed", "high")
    assert later.links.count() == 0  # Only what is an exception has a link of its own.
    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R12")
def test_a_masters_etag_that_changed_with_an_occurrence(google, anna, annas):
    """Two occurrences and the title of all, changed here at once: each write finds the etag the one before left."""
    head = make_here(anna)
    synchronize(annas)
    google.requests.clear()
    services.edit(activity=occurrence(WEEKS[1]), by=anna, location="Room 5", now=timezone.now())
    services.edit(activity=occurrence(WEEKS[2]), by=anna, location="Room 6", now=timezone.now())
    series.edit(activity=occurrence(WEEKS[0]), scope="all", by=anna, subject="Daily", now=timezone.now())

    in_step(google, annas)

    assert {write.method for write in sent(google)} <= {"PATCH"}
    assert not [write for write in sent(google) if "recurrence" in write.body]  # Nobody changed the rule.
    assert [event.get("location", "") for event in there(google)] == ["", "Room 5", "Room 6", "", ""]
    assert {event["summary"] for event in there(google)} == {"Daily"}
    assert Series.objects.get() == head.series


# --- Splits ------------------------------------------------------------------------------------------------------


def prepare_a_split(google: Emulator, anna: Profile, annas: SyncedCalendar, *, order: str) -> dict[datetime, int]:
    """A series with local work before and behind the third occurrence. Returns who is who by original start."""
    google.behavior.delta_order = order
    make_there(google)
    synchronize(annas)
    complete(occurrence(WEEKS[0]), anna)
    complete(occurrence(WEEKS[3]), anna, result="Held early")
    services.edit(activity=occurrence(WEEKS[4]), by=anna, priority="high", now=timezone.now())
    synchronize(annas)
    return {row.original_start: row.pk for row in Activity.objects.all()}


@pytest.mark.rule("R15")
@pytest.mark.parametrize("order", ["calendar", "reversed"])
@pytest.mark.parametrize("size", [2500, 1])
def test_r_ids_after_a_split(google, anna, annas, monkeypatch, order, size):
    before = prepare_a_split(google, anna, annas, order=order)
    pages_of(monkeypatch, size)
    google.person(ANNA).edit(instance(google, WEEKS[2])["id"], {"location": "Room 5"}, scope="following")
    assert any("_R" in event["recurringEventId"] for event in there(google))

    in_step(google, annas)

    assert {row.original_start: row.pk for row in Activity.objects.all()} == before
    assert Series.objects.count() == 2
    assert (occurrence(WEEKS[0]).status, occurrence(WEEKS[3]).result) == ("completed", "Held early")
    assert occurrence(WEEKS[4]).priority == "high"
    assert occurrence(WEEKS[1]).series != occurrence(WEEKS[2]).series == occurrence(WEEKS[4]).series

    pages_of(monkeypatch, 2500)
    services.edit(activity=occurrence(WEEKS[4]), by=anna, subject="Last one", now=timezone.now())
    series.edit(activity=occurrence(WEEKS[2]), scope="all", by=anna, location="Room 6", now=timezone.now())
    in_step(google, annas)
    assert [event.get("location", "") for event in there(google)] == ["", "", "Room 6", "Room 6", "Room 6"]
    google.expire_sync_tokens()
    assert counts(synchronize(annas)) == {}
    assert {row.original_start: row.pk for row in Activity.objects.all()} == before


@pytest.mark.rule("R15")
def test_r_ids_after_a_split_of_a_split(google, anna, annas):
    before = prepare_a_split(google, anna, annas, order="calendar")
    person = google.person(ANNA)
    person.edit(instance(google, WEEKS[2])["id"], {"location": "Room 5"}, scope="following")
    person.edit(instance(google, WEEKS[4])["id"], {"location": "Room 6"}, scope="following")  # Before we looked.

    in_step(google, annas)

    assert {row.original_start: row.pk for row in Activity.objects.all()} == before
    assert (Series.objects.count(), occurrence(WEEKS[4]).priority) == (3, "high")


@pytest.mark.rule("R15", "R9")
@pytest.mark.parametrize("first", ["the organizer", "the guest"])
def test_r_ids_after_a_split_in_a_guests_calendar(google, anna, annas, boris, boriss, first):
    make_there(google, attendees=[{"email": BORIS}])
    for calendar in (annas, boriss):
        synchronize(calendar)
    before = {row.original_start: row.pk for row in Activity.objects.all()}
    complete(occurrence(WEEKS[3]), anna)
    services.respond(activity=occurrence(WEEKS[4]), profile=boris, response="tentative", now=timezone.now())
    for calendar in (boriss, annas):
        synchronize(calendar)
    google.person(ANNA).edit(instance(google, WEEKS[2])["id"], {"location": "Room 5"}, scope="following")

    both = [annas, boriss] if first == "the organizer" else [boriss, annas]
    for calendar in (*both, *both):
        assert synchronize(calendar).status == "succeeded"

    assert {row.original_start: row.pk for row in Activity.objects.all()} == before
    assert (Series.objects.count(), occurrence(WEEKS[3]).status) == (2, "completed")
    assert {row.organizer for row in Activity.objects.all()} == {anna}
    assert Activity.objects.visible_to(boris).count() == 5
    for calendar in both:
        assert_same(google, calendar.account.profile)
        assert_quiet(google, calendar)


@pytest.mark.rule("R15")
@pytest.mark.parametrize("order", ["calendar", "reversed"])
@pytest.mark.parametrize("day", ["2027-03-22", "2027-03-23", "2027-03-19"])
def test_a_split_with_another_start_has_unrelated_ids(google, anna, annas, order, day):
    before = prepare_a_split(google, anna, annas, order=order)
    later = timed(f"{day}T15:00:00", f"{day}T16:00:00", ZONE)
    google.person(ANNA).edit(instance(google, WEEKS[2])["id"], {"summary": "Retro", **later}, scope="following")
    assert not any("_R" in event["id"] for event in there(google))

    session = synchronize(annas)

    assert session.status == "succeeded"
    shown = sorted(begins(event) for event in there(google))
    linked = Activity.objects.present().exclude(series=None).exclude(status="canceled")
    assert sorted(row.start for row in linked) == shown
    assert len(shown) == 5
    # Each is the one that it was: whoever has its page open, or keeps its address, finds it where it is now.
    assert [row.pk for row in linked.order_by("start")] == [pk for _start, pk in sorted(before.items())]
    held = Activity.objects.get(result="Held early")
    assert (held.pk, held.status) == (before[at(WEEKS[3])], "completed")
    assert Activity.objects.get(priority="high").pk == before[at(WEEKS[4])]
    assert_quiet(google, annas)
    assert len(there(google)) == 5


@pytest.mark.rule("R15", "R9")
@pytest.mark.parametrize("first", ["the organizer", "the guest"])
def test_a_split_with_another_start_in_a_guests_calendar(google, anna, annas, boris, boriss, first):
    make_there(google, attendees=[{"email": BORIS}])
    for calendar in (annas, boriss):
        synchronize(calendar)
    before = [row.pk for row in Activity.objects.order_by("start")]
    complete(occurrence(WEEKS[3]), anna)
    services.respond(activity=occurrence(WEEKS[4]), profile=boris, response="tentative", now=timezone.now())
    for calendar in (boriss, annas):
        synchronize(calendar)
    later = timed("2027-03-22T15:00:00", "2027-03-22T16:00:00", ZONE)
    google.person(ANNA).edit(instance(google, WEEKS[2])["id"], later, scope="following")

    both = [annas, boriss] if first == "the organizer" else [boriss, annas]
    for calendar in (*both, *both):
        assert synchronize(calendar).status == "succeeded"

    assert [row.pk for row in Activity.objects.order_by("start")] == before
    assert Activity.objects.get(pk=before[3]).status == "completed"
    assert Activity.objects.visible_to(boris).count() == 5
    for calendar in both:
        assert_same(google, calendar.account.profile)
        assert_quiet(google, calendar)


@pytest.mark.rule("R15")
def test_what_only_begins_when_a_series_ends_is_no_part_of_it(google, anna, annas):
    make_there(google)
    synchronize(annas)
    before = [row.pk for row in Activity.objects.order_by("start")]
    complete(occurrence(WEEKS[4]), anna)
    person = google.person(ANNA)
    person.edit(person.events()[0]["id"], {"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"]})
    values = {"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=2"], **timed("2027-03-29T15:00:00", "2027-03-29T16:00:00", ZONE)}
    google.clock.advance(minutes=1)
    person.create_event({"summary": "Something else", **values})

    assert synchronize(annas).status == "succeeded"

    other = Activity.objects.filter(subject="Something else")
    assert not {row.pk for row in other} & set(before)
    assert Activity.objects.get(pk=before[4]).series is None  # With its local work, by itself.


@pytest.mark.rule("R15", "R14")
@pytest.mark.parametrize("order", ["calendar", "reversed"])
@pytest.mark.parametrize("size", [2500, 1])
def test_bare_cancelled_stubs(google, anna, annas, monkeypatch, order, size):
    """Exceptions behind the cut come without a word about which occurrence, or which series, they were."""
    google.behavior.delta_order = order
    make_there(google)
    person = google.person(ANNA)
    person.edit(instance(google, WEEKS[3])["id"], {"summary": "Renamed"})
    person.edit(instance(google, WEEKS[4])["id"], timed("2027-04-06T09:00:00", "2027-04-06T10:00:00", ZONE))
    synchronize(annas)
    complete(occurrence(WEEKS[4]), anna)
    synchronize(annas)
    pages_of(monkeypatch, size)
    person.delete(instance(google, WEEKS[2])["id"], scope="following")

    session = synchronize(annas)

    assert session.status == "succeeded"
    assert [begins(event) for event in there(google)] == [at(day) for day in WEEKS[:2]]
    alive = Activity.objects.present().exclude(status="canceled").order_by("start")
    assert [row.start for row in alive] == [at(WEEKS[0]), at(WEEKS[1]), at("2027-04-06", "09:00")]
    assert [(row.series is None, row.status) for row in alive][2] == (True, "completed")  # With its local work.
    assert sent(google) == []
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R14")
def test_bare_cancelled_stubs_of_what_never_came_here(google, anna, annas):
    synchronize(annas)
    make_there(google)
    person = google.person(ANNA)
    person.edit(instance(google, WEEKS[3])["id"], {"summary": "Renamed"})
    person.delete(instance(google, WEEKS[2])["id"], scope="following")

    in_step(google, annas)

    assert Activity.objects.count() == 2
    assert not SyncSession.objects.filter(outcomes__action="parked").exists()


@pytest.mark.rule("R15", "R14", "R18")
def test_what_was_read_of_a_series_by_a_killed_session_goes_with_it(google, anna, annas, monkeypatch):
    synchronize(annas)
    master = make_there(google)
    person = google.person(ANNA)
    person.edit(instance(google, WEEKS[3])["id"], {"summary": "Renamed"})
    with monkeypatch.context() as patch:
        patch.setattr("sync.items.bring_all_together", lambda _run: "succeeded")  # It dies after it has read.
        synchronize(annas)

    person.delete(master["id"])
    in_step(google, annas)

    assert not Activity.objects.exists()


# --- Occurrences that are somebody's alone -----------------------------------------------------------------------


@pytest.mark.rule("R15", "R9", "R10", "R14")
def test_an_invited_single_occurrence_of_a_series_we_do_not_have(google, anna, annas):
    google.add_account(MARIA, name="Maria")
    master = make_there(google, person=MARIA)
    marias = google.person(MARIA)
    invited = instance(google, WEEKS[1], person=MARIA)["id"]
    marias.edit(invited, {"attendees": [{"email": ANNA}]})

    session = synchronize(annas)

    assert (session.status, counts(session)) == ("succeeded", {"added_here": 1})
    [activity] = Activity.objects.all()
    assert (activity.start, activity.series, activity.category) == (at(WEEKS[1]), None, "meeting")
    assert_quiet(google, annas)

    services.respond(activity=activity, profile=anna, response="accepted", now=timezone.now())
    synchronize(annas)
    answer = {guest["email"]: guest["responseStatus"] for guest in marias.event(invited)["attendees"]}
    assert answer[ANNA] == "accepted"
    marias.edit(invited, timed("2027-03-15T15:00:00", "2027-03-15T16:00:00", ZONE))
    marias.edit(master["id"], {"summary": "Stand-up of Maria's"})
    synchronize(annas)
    [activity] = Activity.objects.all()
    assert (activity.start, activity.subject) == (at(WEEKS[1], "15:00"), "Stand-up of Maria's")
    assert_quiet(google, annas)

    marias.delete(invited)
    synchronize(annas)
    [activity] = Activity.objects.all()
    assert activity.status == "canceled"
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R9")
def test_an_invited_single_occurrence_whose_series_comes_later(google, anna, annas):
    google.add_account(MARIA, name="Maria")
    master = make_there(google, person=MARIA)
    marias = google.person(MARIA)
    marias.edit(instance(google, WEEKS[1], person=MARIA)["id"], {"attendees": [{"email": ANNA}]})
    synchronize(annas)
    [alone] = Activity.objects.all()
    services.edit(activity=alone, by=anna, priority="high", now=timezone.now())

    marias.edit(master["id"], {"attendees": [{"email": ANNA}]})
    session = synchronize(annas)

    assert session.status == "succeeded"
    present = Activity.objects.present().exclude(status="canceled")
    assert sorted(row.start for row in present) == [at(day) for day in WEEKS]  # One of each, the invited one too.
    assert present.get(start=at(WEEKS[1])).priority == "high"
    assert_same(google, anna)
    assert_quiet(google, annas)


# --- What users of such systems tell -----------------------------------------------------------------------------


@pytest.mark.rule("R15", "R11")
@pytest.mark.parametrize("changed", ["here", "in Google"])
def test_series_that_lose_moved_occurrences(google, anna, annas, changed):
    make_there(google)
    synchronize(annas)
    person = google.person(ANNA)
    person.edit(instance(google, WEEKS[1])["id"], timed("2027-03-17T16:00:00", "2027-03-17T17:00:00", ZONE))
    services.edit(activity=occurrence(WEEKS[3]), by=anna, start=at("2027-03-30", "08:00"), now=timezone.now())
    in_step(google, annas)

    if changed == "here":
        series.edit(activity=occurrence(WEEKS[0]), scope="all", by=anna, subject="Daily", now=timezone.now())
        in_step(google, annas)
        series.edit(activity=occurrence(WEEKS[0]), scope="all", by=anna, location="Room 5", now=timezone.now())
    else:
        master = occurrence(WEEKS[0]).series.head.links.get().event_id
        person.edit(master, {"summary": "Daily"})
        in_step(google, annas)
        person.edit(master, {"location": "Room 5"})
    in_step(google, annas)

    starts = [at(WEEKS[0]), at("2027-03-17", "16:00"), at(WEEKS[2]), at("2027-03-30", "08:00"), at(WEEKS[4])]
    assert sorted(begins(event) for event in there(google)) == starts
    assert sorted(row.start for row in Activity.objects.all()) == starts
    assert {(row.subject, row.location) for row in Activity.objects.all()} == {("Daily", "Room 5")}


@pytest.mark.rule("R15", "R16")
@pytest.mark.parametrize("made", ["here", "in Google"])
@pytest.mark.parametrize(
    ("zone", "first"),
    [
        ("Pacific/Auckland", "2027-03-29"),
        ("Pacific/Auckland", "2027-09-20"),
        ("America/Winnipeg", "2027-03-08"),
        ("America/Winnipeg", "2027-11-01"),
        ("Asia/Kolkata", "2027-03-08"),
        ("Europe/Zurich", "2027-03-22"),
        ("Europe/Zurich", "2027-10-25"),
    ],
)
def test_series_that_shift_by_an_hour(google, boris, boriss, made, zone, first):
    """Kept in its own zone, whoever looks: Boris and his calendar are in Berlin."""
    if made == "here":
        day = {"start": at(first, zone=zone), "due": at(first, "11:00", zone), "time_zone": zone}
        make_here(boris, ["RRULE:FREQ=WEEKLY;COUNT=4"], **day)
    else:
        span = timed(f"{first}T10:00:00", f"{first}T11:00:00", zone)
        make_there(google, ["RRULE:FREQ=WEEKLY;COUNT=4"], person=BORIS, **span)
    in_step(google, boriss)

    def clocks() -> set[tuple[str, str]]:
        here = [row.start for row in Activity.objects.all()]
        both = [*here, *(begins(event) for event in there(google, BORIS))]
        return {(moment.astimezone(ZoneInfo(zone)).strftime("%a"), f"{_local(moment, zone)}") for moment in both}

    weekday = datetime.fromisoformat(first).strftime("%a")
    assert clocks() == {(weekday, "10:00")}
    assert {(row.due - row.start, row.time_zone) for row in Activity.objects.all()} == {(timedelta(hours=1), zone)}
    last = Activity.objects.order_by("start").last()
    assert last is not None
    series.edit(activity=last, scope="all", by=boris, subject="Renamed behind the change", now=timezone.now())
    in_step(google, boriss)
    assert clocks() == {(weekday, "10:00")}
    [master] = {event["recurringEventId"] for event in there(google, BORIS)}
    assert google.person(BORIS).event(master)["start"]["timeZone"] == zone


def _local(moment: datetime, zone: str) -> str:
    return f"{moment.astimezone(ZoneInfo(zone)):%H:%M}"


@pytest.mark.rule("R15", "R17")
def test_an_invitation_storm_for_each_occurrence(google, anna, annas, boris, boriss):
    synchronize(annas)
    make_here(anna, participants=[boris])
    google.mail.clear()
    google.requests.clear()

    synchronize(annas)
    synchronize(boriss)

    [insert] = sent(google)
    assert (insert.method, insert.body["recurrence"]) == ("POST", WEEKLY)
    assert [(mail.to, mail.kind) for mail in google.mail.all()] == [(BORIS, "invitation")]
    assert len(there(google, BORIS)) == 5
    assert MONDAY["start"]["timeZone"] == insert.body["start"]["timeZone"]
