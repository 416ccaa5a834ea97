"""Repeating activities in whole sessions (R15): what people see in both calendars, occurrence by occurrence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from accounts.models import Profile
from activities import series, services
from activities.models import Activity, Series
from google_emulator import Emulator
from sync import repeating
from sync.models import ActivityMark, EventLink, SyncedCalendar, SyncOutcome
from tests.factories import make_user
from tests.google import connect, sync_tag, synchronize, timed
from tests.sync.helpers import assert_quiet, change, counts, tagged
from tests.sync.wire import sent

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.embedded]

ANNA, BORIS = "anna@northfold.example", "boris@northfold.example"
ZONE = "Europe/Berlin"
DATES = ["EXDATE;TZID=Europe/Berlin:20270315T100000", "RDATE;TZID=Europe/Berlin:20270310T080000"]
WEEKLY = ["RRULE:FREQ=WEEKLY;COUNT=5"]
MONDAY = timed("2027-03-08T10:00:00", "2027-03-08T11:00:00", ZONE)  # The clocks go forward on 28 March.


@pytest.fixture
def anna() -> Profile:
    return make_user("anna", time_zone=ZONE).profile


@pytest.fixture
def boris() -> Profile:
    return make_user("boris", time_zone=ZONE).profile


def at(day: str, clock: str = "10:00", zone: str = ZONE) -> datetime:
    """Return a moment as the clock on the wall shows it, in UTC."""
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def make_there(google: Emulator, rule: list[str] = WEEKLY, *, person: str = ANNA, **values: Any) -> dict[str, Any]:
    body = {"summary": "Stand-up", "recurrence": rule, **MONDAY} | values
    return google.person(person).create_event(body)


def make_here(by: Profile, rule: list[str] = WEEKLY, **values: Any) -> Activity:
    """Return the head of a series that takes part."""
    values = {
        "subject": "Stand-up", "start": at("2027-03-08"), "due": at("2027-03-08", "11:00"), "time_zone": ZONE,
        "show_in_calendar": True,
    } | values  # fmt: skip
    head = series.create(by=by, lines=rule, now=timezone.now(), **values)
    services.add_tag(activity=head, tag=sync_tag(by), by=by)
    return head


def occurrence(day: str, clock: str = "10:00") -> Activity:
    return Activity.objects.get(original_start=at(day, clock))


def instance(google: Emulator, day: str, clock: str = "10:00", person: str = ANNA) -> dict[str, Any]:
    """Return Google's version of the occurrence that begins then."""
    found = [event for event in there(google, person) if begins(event) == at(day, clock)]
    assert len(found) == 1, [event["start"] for event in there(google, person)]
    return found[0]


def there(google: Emulator, person: str = ANNA) -> list[dict[str, Any]]:
    return google.person(person).events(expand=True)


def begins(event: dict[str, Any], side: str = "start") -> datetime:
    return datetime.fromisoformat(event[side]["dateTime"]).astimezone(UTC)


def rows_here(person: Profile) -> list[tuple[Any, ...]]:
    rows = Activity.objects.visible_to(person).exclude(status="canceled").filter(show_in_calendar=True)
    return sorted((row.subject, row.start, row.due, row.location, row.notes) for row in rows)


def rows_there(google: Emulator, person: str = ANNA) -> list[tuple[Any, ...]]:
    return sorted(
        (
            event.get("summary", ""),
            *(begins(event, side) for side in ("start", "end")),
            event.get("location", ""),
            event.get("description", ""),
        )
        for event in there(google, person)
    )


def assert_same(google: Emulator, person: Profile) -> None:
    """Both calendars show the same occurrences, field by field."""
    assert rows_here(person) == rows_there(google, person.user.email)


def in_step(google: Emulator, calendar: SyncedCalendar) -> None:
    """A session brings both calendars to the same, and the next one does nothing."""
    session = synchronize(calendar)
    assert session.status == "succeeded", list(session.outcomes.values("item", "reason", "error"))
    assert_same(google, calendar.account.profile)
    assert_quiet(google, calendar)


# --- Coming in ---------------------------------------------------------------------------------------------------


@pytest.mark.rule("R15", "R3", "R16", "R18")
def test_a_series_becomes_an_activity_for_each_occurrence(google, anna, annas):
    make_there(google, location="Room 4")

    session = synchronize(annas)

    assert counts(session) == {"added_here": 1}
    rows = list(Activity.objects.order_by("start"))
    days = ["2027-03-08", "2027-03-15", "2027-03-22", "2027-03-29", "2027-04-05"]
    assert [(row.start, row.due) for row in rows] == [(at(day), at(day, "11:00")) for day in days]
    assert {(row.subject, row.location, row.time_zone, row.made_in_google) for row in rows} == {
        ("Stand-up", "Room 4", ZONE, True)
    }
    assert {row.organizer for row in rows} == {anna}
    assert all([tag.owner for tag in row.tags.all()] == [anna] for row in rows)
    assert Series.objects.get().recurrence == WEEKLY
    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R15")
def test_exceptions_come_along_with_their_series(google, anna, annas):
    make_there(google)
    person = google.person(ANNA)
    person.edit(instance(google, "2027-03-15")["id"], timed("2027-03-16T09:00:00", "2027-03-16T09:30:00", ZONE))
    person.edit(instance(google, "2027-03-22")["id"], {"summary": "Stand-up with the board"})
    person.delete(instance(google, "2027-03-29")["id"])

    in_step(google, annas)

    assert Activity.objects.count() == 4
    assert occurrence("2027-03-15").start == at("2027-03-16", "09:00")
    assert occurrence("2027-03-22").subject == "Stand-up with the board"


@pytest.mark.rule("R15", "R10", "R14")
def test_an_occurrence_changed_in_google_is_changed_here(google, anna, annas):
    make_there(google)
    synchronize(annas)
    person = google.person(ANNA)
    person.edit(instance(google, "2027-03-15")["id"], timed("2027-03-16T09:00:00", "2027-03-16T09:30:00", ZONE))
    person.edit(instance(google, "2027-03-22")["id"], {"summary": "Stand-up with the board"})
    person.delete(instance(google, "2027-03-29")["id"])

    in_step(google, annas)

    assert occurrence("2027-03-29").status == "canceled"


@pytest.mark.rule("R15", "R11")
def test_all_of_a_series_changed_in_google(google, anna, annas):
    master = make_there(google)
    synchronize(annas)
    done = occurrence("2027-03-08")
    services.set_status(activity=done, by=anna, status="completed", result="Fine", now=timezone.now())
    person = google.person(ANNA)

    person.edit(master["id"], {"summary": "Daily", "location": "Room 5"})
    in_step(google, annas)
    person.edit(master["id"], timed("2027-03-08T14:00:00", "2027-03-08T14:45:00", ZONE))
    in_step(google, annas)
    person.edit(master["id"], {"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=7"]})
    in_step(google, annas)

    assert Activity.objects.count() == 7
    done.refresh_from_db()
    assert (done.status, done.result, done.start) == ("completed", "Fine", at("2027-03-08", "14:00"))


@pytest.mark.rule("R15")
def test_a_series_cut_short_leaves_what_somebody_worked_on(google, anna, annas):
    master = make_there(google)
    synchronize(annas)
    kept = occurrence("2027-04-05")
    services.set_status(activity=kept, by=anna, status="completed", result="Held early", now=timezone.now())

    google.person(ANNA).edit(master["id"], {"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"]})
    session = synchronize(annas)

    assert session.status == "succeeded"
    kept.refresh_from_db()
    assert (kept.series, kept.status, kept.result) == (None, "completed", "Held early")
    assert Activity.objects.count() == 4
    assert len(there(google)) == 3
    assert_quiet(google, annas)
    change(kept, anna, notes="Nothing of it goes to Google")
    assert_quiet_there(google, annas, events=3)


def assert_quiet_there(google: Emulator, calendar: SyncedCalendar, *, events: int) -> None:
    assert synchronize(calendar).status == "succeeded"
    assert len(there(google, calendar.account.login)) == events


@pytest.mark.rule("R15")
def test_a_series_that_google_splits_keeps_its_occurrences(google, anna, annas):
    make_there(google)
    synchronize(annas)
    before = {row.original_start: row.pk for row in Activity.objects.all()}
    third = occurrence("2027-03-22")
    services.edit(activity=third, by=anna, priority="high", now=timezone.now())

    google.person(ANNA).edit(instance(google, "2027-03-22")["id"], {"summary": "Retro"}, scope="following")
    in_step(google, annas)

    assert {row.original_start: row.pk for row in Activity.objects.all()} == before
    third.refresh_from_db()
    assert (third.subject, third.priority) == ("Retro", "high")
    assert Series.objects.count() == 2


@pytest.mark.rule("R15", "R14")
def test_a_series_deleted_in_google_is_canceled_and_comes_back(google, anna, annas):
    master = make_there(google)
    synchronize(annas)
    done = occurrence("2027-03-08")
    services.set_status(activity=done, by=anna, status="completed", now=timezone.now())

    google.person(ANNA).delete(master["id"])
    assert counts(synchronize(annas)) == {"removed_here": 1}

    assert sorted(Activity.objects.values_list("status", flat=True)) == ["canceled"] * 4 + ["completed"]
    assert_quiet(google, annas)
    google.person(ANNA).restore(master["id"])
    in_step(google, annas)
    assert set(Activity.objects.exclude(pk=done.pk).values_list("status", flat=True)) == {"not_started"}


@pytest.mark.rule("R15", "R16")
@pytest.mark.parametrize(
    ("rule", "first"),
    [
        ("RRULE:FREQ=DAILY;COUNT=30", "2027-03-20"),
        ("RRULE:FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=SU,MO;UNTIL=20270630T220000Z", "2027-03-07"),
        ("RRULE:FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=8", "2027-01-31"),
        ("RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=8", "2027-01-29"),
        ("RRULE:FREQ=YEARLY;COUNT=3", "2025-02-28"),
    ],
)
def test_rules_of_all_kinds_give_the_days_google_gives(google, anna, annas, rule, first):
    make_there(google, [rule], **timed(f"{first}T02:30:00", f"{first}T03:30:00", ZONE))

    in_step(google, annas)


@pytest.mark.rule("R15")
def test_dates_left_out_and_added_count(google, anna, annas):
    make_there(
        google,
        ["RRULE:FREQ=WEEKLY;COUNT=4", *DATES],
    )

    in_step(google, annas)

    assert Activity.objects.count() == 4


@pytest.mark.rule("R15", "R16")
def test_an_all_day_series_keeps_its_days(google, anna, annas):
    days = {"start": {"date": "2027-03-08"}, "end": {"date": "2027-03-10"}}
    make_there(google, ["RRULE:FREQ=MONTHLY;COUNT=3"], **days)

    synchronize(annas)

    rows = Activity.objects.order_by("start")
    assert [(row.start_date.isoformat(), row.due_date.isoformat()) for row in rows] == [
        ("2027-03-08", "2027-03-09"), ("2027-04-08", "2027-04-09"), ("2027-05-08", "2027-05-09"),
    ]  # fmt: skip
    assert_quiet(google, annas)


@pytest.mark.rule("R15")
def test_an_endless_series_is_laid_out_to_the_horizon_and_goes_on_without_google(google, anna, annas):
    make_there(google, ["RRULE:FREQ=WEEKLY"])
    synchronize(annas)
    now = timezone.now()
    laid_out = Activity.objects.count()
    assert Activity.objects.latest("start").start > now + timedelta(days=380)

    google.requests.clear()
    made = repeating.extend_horizon(now=now + timedelta(days=70))

    assert made == 10
    assert Activity.objects.count() == laid_out + 10
    assert not google.requests.calls(path="/calendar/")
    assert_quiet(google, annas)


@pytest.mark.rule("R15")
def test_what_google_changed_beyond_the_horizon_waits_for_it(google, anna, annas):
    make_there(google, ["RRULE:FREQ=WEEKLY"])
    day = (timezone.now() + timedelta(days=450)).date()
    far = next(event for event in there(google) if begins(event).date() > day)
    google.person(ANNA).edit(far["id"], {"summary": "Far away"})
    synchronize(annas)
    assert not Activity.objects.filter(subject="Far away").exists()

    repeating.extend_horizon(now=timezone.now() + timedelta(days=100))
    assert synchronize(annas).requests_made == 1

    assert Activity.objects.get(subject="Far away").start == begins(far)
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R19")
def test_a_rule_that_cannot_be_read_is_put_aside_with_its_reason(google, anna, annas):
    make_there(google, ["RRULE:FREQ=HOURLY;COUNT=3"])
    google.person(ANNA).create_event({"summary": "Dentist", **MONDAY})

    session = synchronize(annas)

    assert session.status == "with_problems"
    assert [row.subject for row in Activity.objects.all()] == ["Dentist"]
    assert session.outcomes.get(action="parked").reason


# --- Going out ---------------------------------------------------------------------------------------------------


@pytest.mark.rule("R15", "R1", "R13")
def test_a_series_made_here_becomes_one_event_that_repeats(google, anna, annas):
    make_here(anna, notes="Cameras on")

    assert counts(synchronize(annas)) == {"added_in_google": 1}

    [master] = google.person(ANNA).events()
    assert master["recurrence"] == WEEKLY
    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R12")
def test_an_occurrence_changed_here_becomes_an_exception(google, anna, annas):
    make_here(anna)
    synchronize(annas)

    change(occurrence("2027-03-15"), anna, start=at("2027-03-16", "09:00"))
    change(occurrence("2027-03-22"), anna, subject="Stand-up with the board")
    in_step(google, annas)

    change(occurrence("2027-03-22"), anna, subject="Stand-up with everybody")
    in_step(google, annas)
    assert all(write.if_match for write in sent(google, method="PATCH"))


@pytest.mark.rule("R15")
def test_what_differs_only_here_makes_no_exception(google, anna, annas):
    make_here(anna)
    synchronize(annas)

    services.set_status(activity=occurrence("2027-03-15"), by=anna, status="completed", now=timezone.now())
    change(occurrence("2027-03-22"), anna, priority="high")

    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R14")
def test_an_occurrence_canceled_or_deleted_here_leaves_google_and_may_return(google, anna, annas):
    make_here(anna)
    synchronize(annas)

    services.set_status(activity=occurrence("2027-03-15"), by=anna, status="canceled", now=timezone.now())
    services.delete(activity=occurrence("2027-03-22"), by=anna, now=timezone.now())
    assert counts(synchronize(annas)) == {"removed_in_google": 2}
    assert_same(google, anna)
    assert_quiet(google, annas)

    services.set_status(activity=occurrence("2027-03-15"), by=anna, status="not_started", now=timezone.now())
    services.restore(activity=Activity.objects.get(original_start=at("2027-03-22")), by=anna, now=timezone.now())
    in_step(google, annas)
    assert len(there(google)) == 5


@pytest.mark.rule("R15", "R12")
def test_all_of_a_series_changed_here(google, anna, annas):
    make_here(anna)
    synchronize(annas)
    now = timezone.now()

    series.edit(activity=occurrence("2027-03-15"), scope="all", by=anna, now=now, subject="Daily", location="Room 5")
    in_step(google, annas)
    google.requests.clear()
    series.edit(activity=occurrence("2027-03-15"), scope="all", by=anna, now=now, start=at("2027-03-15", "14:00"))
    synchronize(annas)

    [patch] = sent(google, method="PATCH")
    assert "recurrence" not in patch.body
    in_step(google, annas)
    series.edit(activity=occurrence("2027-03-15", "14:00"), scope="all", by=anna, now=now,
                lines=["RRULE:FREQ=WEEKLY;COUNT=3"])  # fmt: skip
    in_step(google, annas)
    assert len(there(google)) == 3


@pytest.mark.rule("R15", "R12")
def test_exceptions_live_on_when_all_of_the_series_moves(google, anna, annas):
    make_here(anna)
    synchronize(annas)
    change(occurrence("2027-03-22"), anna, subject="Stand-up with the board")
    services.set_status(activity=occurrence("2027-03-29"), by=anna, status="canceled", now=timezone.now())
    synchronize(annas)

    series.edit(activity=occurrence("2027-03-15"), scope="all", by=anna, now=timezone.now(),
                start=at("2027-03-15", "14:00"))  # fmt: skip
    for _round in range(2):
        synchronize(annas)

    in_step(google, annas)
    assert len(there(google)) == 4
    assert {row[0] for row in rows_there(google)} == {"Stand-up", "Stand-up with the board"}


@pytest.mark.rule("R15")
@pytest.mark.parametrize("how", ["moved in Google", "all day in Google", "moved here", "on other days", "divided here"])
def test_what_a_series_left_out_when_it_came_in_is_on_both_sides_or_on_none_when_that_changes(google, anna, annas, how):
    """Google forgets what a series leaves out once that takes place at other times, or is made anew."""
    master = make_there(google)
    google.person(ANNA).delete(instance(google, "2027-03-22")["id"])
    synchronize(annas)
    days = {"start": {"date": "2027-03-10", "dateTime": None}, "end": {"date": "2027-03-11", "dateTime": None}}
    others = {
        "moved here": {"start": at("2027-03-08", "10:15")},
        "on other days": {"start": at("2027-03-09", "10:15")},
        "divided here": {"location": "Hall"},
    }
    if how == "moved in Google":
        google.person(ANNA).edit(master["id"], timed("2027-03-08T10:15:00", "2027-03-08T11:15:00", ZONE))
    elif how == "all day in Google":
        google.person(ANNA).edit(master["id"], days)
    else:
        scope, day = ("following", "2027-03-15") if how == "divided here" else ("all", "2027-03-08")
        series.edit(activity=occurrence(day), scope=scope, by=anna, now=timezone.now(), **others[how])
    for _session in range(2):
        synchronize(annas)

    count = 5 if "Google" in how else 4
    assert Activity.objects.exclude(status="canceled").count() == len(there(google)) == count
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R11")
def test_what_google_changed_about_an_exception_stays_when_all_of_the_series_moves_here(google, anna, annas):
    make_there(google)
    google.person(ANNA).edit(instance(google, "2027-03-22")["id"], {"location": "Garden"})
    synchronize(annas)
    google.person(ANNA).edit(instance(google, "2027-03-22")["id"], {"summary": "With the board"})
    later = at("2027-03-08", "10:15")
    series.edit(activity=occurrence("2027-03-08"), scope="all", by=anna, now=timezone.now(), start=later)
    for _session in range(2):
        synchronize(annas)

    row = occurrence("2027-03-22", "10:15")
    assert (row.subject, row.location) == ("With the board", "Garden")
    assert row.start == at("2027-03-22", "10:15")
    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R15")
def test_this_and_following_divides_the_series_on_both_sides(google, anna, annas):
    make_here(anna)
    synchronize(annas)
    change(occurrence("2027-03-29"), anna, location="Garden")
    synchronize(annas)
    before = {row.original_start: row.pk for row in Activity.objects.all()}

    series.edit(activity=occurrence("2027-03-22"), scope="following", by=anna, now=timezone.now(), subject="Retro")
    google.requests.clear()
    synchronize(annas)
    writes = [write.method for write in sent(google)]
    assert writes[:2] == ["POST", "PATCH"]  # First the new part, then the old one is cut.

    synchronize(annas)
    in_step(google, annas)
    assert {row.original_start: row.pk for row in Activity.objects.all()} == before
    assert [row[0] for row in rows_there(google)] == ["Retro"] * 3 + ["Stand-up"] * 2
    assert [row[3] for row in rows_there(google)].count("Garden") == 1


@pytest.mark.rule("R15", "R14")
def test_a_series_deleted_here_leaves_google_and_may_be_restored(google, anna, annas):
    head = make_here(anna)
    synchronize(annas)

    series.delete(activity=occurrence("2027-03-15"), scope="all", by=anna, now=timezone.now())
    assert counts(synchronize(annas)) == {"removed_in_google": 1}
    assert not there(google)
    assert_quiet(google, annas)

    series.restore(head=Activity.every.get(pk=head.pk), by=anna, now=timezone.now())
    in_step(google, annas)
    assert len(there(google)) == 5


@pytest.mark.rule("R15", "R14")
def test_following_occurrences_deleted_here_leave_google(google, anna, annas):
    make_here(anna)
    synchronize(annas)

    series.delete(activity=occurrence("2027-03-22"), scope="following", by=anna, now=timezone.now())
    in_step(google, annas)

    assert len(there(google)) == 2


@pytest.mark.rule("R15")
def test_a_single_activity_begins_to_repeat_and_stops_again(google, anna, annas):

    activity = tagged(anna, start=at("2027-03-08"), due=at("2027-03-08", "11:00"), time_zone=ZONE)
    synchronize(annas)
    [event] = google.person(ANNA).events()

    series.repeat(activity=activity, lines=WEEKLY, by=anna, now=timezone.now())
    in_step(google, annas)
    assert [master["id"] for master in google.person(ANNA).events()] == [event["id"]]
    assert len(there(google)) == 5
    assert occurrence("2027-03-08").pk == activity.pk

    series.stop_repeating(activity=occurrence("2027-03-08"), by=anna, now=timezone.now())
    in_step(google, annas)
    assert [single["id"] for single in there(google)] == [event["id"]]
    assert [row.pk for row in Activity.objects.present()] == [activity.pk]


@pytest.mark.rule("R4", "R15")
def test_what_begins_to_repeat_while_it_is_frozen_comes_with_what_was_changed_about_one_of_them(google, anna, annas):
    activity = tagged(anna, "Stand-up", start=at("2027-03-08"), due=at("2027-03-08", "11:00"), time_zone=ZONE)
    synchronize(annas)
    series.repeat(activity=activity, lines=WEEKLY, by=anna, now=timezone.now())
    change(occurrence("2027-03-08"), anna, show_in_calendar=False)
    change(occurrence("2027-03-22"), anna, notes="Bring coffee")
    assert synchronize(annas).outcomes.get().action == "frozen"

    change(occurrence("2027-03-08"), anna, show_in_calendar=True)
    synchronize(annas)

    assert_same(google, anna)
    assert [one.get("description", "") for one in there(google)] == ["", "", "Bring coffee", "", ""]
    assert_quiet(google, annas)


@pytest.mark.rule("R15")
def test_an_event_begins_to_repeat_in_google_and_stops_again(google, anna, annas):
    event = google.person(ANNA).create_event({"summary": "Stand-up", **MONDAY})
    synchronize(annas)
    activity = Activity.objects.get()
    services.edit(activity=activity, by=anna, priority="high", now=timezone.now())

    google.person(ANNA).edit(event["id"], {"recurrence": WEEKLY})
    in_step(google, annas)
    assert Activity.objects.count() == 5
    assert occurrence("2027-03-08").pk == activity.pk

    google.person(ANNA).edit(event["id"], {"recurrence": None})
    in_step(google, annas)
    [left] = Activity.objects.present()
    assert (left.subject, left.priority, left.series) == ("Stand-up", "high", None)


@pytest.mark.rule("R15", "R11")
def test_what_repeats_here_and_was_moved_later_in_google_is_single_again_and_in_the_journal(google, anna, annas):
    activity = tagged(anna, start=at("2027-03-08"), due=at("2027-03-08", "11:00"), time_zone=ZONE)
    synchronize(annas)
    [event] = google.person(ANNA).events()

    services.edit(activity=activity, by=anna, start=at("2027-03-08", "12:00"), now=timezone.now())
    series.repeat(activity=activity, lines=WEEKLY, by=anna, now=timezone.now())
    google.person(ANNA).edit(event["id"], timed("2027-03-09T10:00:00", "2027-03-09T11:00:00", ZONE))
    in_step(google, annas)

    [left] = Activity.objects.present()
    assert (left.pk, left.start, left.series) == (activity.pk, at("2027-03-09"), None)
    [replaced] = SyncOutcome.objects.filter(action="replaced")
    assert (replaced.field, replaced.here["lines"], replaced.kept) == ("when", WEEKLY, "google")


@pytest.mark.rule("R15", "R11")
def test_the_time_of_the_occurrence_that_goes_on_is_in_the_journal(google, anna, annas):
    activity = tagged(anna, start=at("2027-03-08"), due=at("2027-03-08", "11:00"), time_zone=ZONE)
    synchronize(annas)
    [event] = google.person(ANNA).events()
    series.repeat(activity=activity, lines=WEEKLY, by=anna, now=timezone.now())
    services.edit(
        activity=activity, by=anna, start=at("2027-03-10", "12:00"), due=at("2027-03-10", "13:00"), now=timezone.now()
    )
    google.person(ANNA).edit(event["id"], timed("2027-03-09T10:00:00", "2027-03-09T11:00:00", ZONE))
    in_step(google, annas)

    assert [row.start for row in Activity.objects.present()] == [at("2027-03-09")]
    kept = SyncOutcome.objects.filter(action="replaced", field="when").values_list("here", flat=True)
    assert [value["start"] for value in kept if "start" in value] == [at("2027-03-10", "12:00").isoformat()]


@pytest.mark.rule("R15", "R6")
def test_what_another_person_lets_repeat_here_while_the_organizer_invites_in_google_stays_single(
    google, anna, annas, boris
):
    google.add_account(BORIS)
    activity = tagged(anna, start=at("2027-03-08"), due=at("2027-03-08", "11:00"), time_zone=ZONE)
    synchronize(annas)
    [event] = google.person(ANNA).events()

    change(activity, boris, start=at("2027-03-08", "12:00"), due=at("2027-03-08", "13:00"))
    series.repeat(activity=activity, lines=WEEKLY, by=boris, now=timezone.now())
    google.person(ANNA).edit(event["id"], {"attendees": [{"email": ANNA}, {"email": BORIS}]})
    in_step(google, annas)

    [left] = Activity.objects.present()
    assert (left.pk, left.start, left.series) == (activity.pk, at("2027-03-08"), None)
    [replaced] = SyncOutcome.objects.filter(action="replaced")
    assert (replaced.field, replaced.rule, replaced.here["lines"]) == ("when", "R6", WEEKLY)


@pytest.mark.rule("R15", "R19")
def test_an_occurrence_that_google_will_not_show_is_tried_again_each_time_later(google, anna, annas):
    make_there(google)
    synchronize(annas)
    change(occurrence("2027-03-15"), anna, location="Garden")
    google.fail("status", status=400, reason="invalid", method="GET", path=r"_2027", times=2)

    for minutes in (5, 10):
        session = synchronize(annas)
        assert session.outcomes.filter(action="parked").count() == 1
        assert_quiet(google, annas)
        waits = ActivityMark.objects.get().retry_at - timezone.now()
        assert timedelta(minutes=minutes - 1) < waits <= timedelta(minutes=minutes)
        ActivityMark.objects.update(retry_at=timezone.now())

    in_step(google, annas)
    assert {row[3] for row in rows_there(google)} == {"", "Garden"}
    assert not ActivityMark.objects.exists()


@pytest.mark.rule("R15", "R19")
def test_a_parked_occurrence_is_tried_at_once_when_it_changes(google, anna, annas):
    make_there(google)
    synchronize(annas)
    change(occurrence("2027-03-15"), anna, location="Garden")
    google.fail("status", status=400, reason="invalid", method="GET", path=r"_2027", times=1)
    assert synchronize(annas).outcomes.filter(action="parked").count() == 1

    change(occurrence("2027-03-15"), anna, notes="Bring boots")
    in_step(google, annas)


@pytest.mark.rule("R15", "R11")
def test_both_sides_change_different_things_about_a_series(google, anna, annas):
    master = make_there(google)
    synchronize(annas)

    google.person(ANNA).edit(master["id"], {"location": "Room 5"})
    google.person(ANNA).edit(instance(google, "2027-03-15")["id"], {"summary": "Pairing"})
    series.edit(activity=occurrence("2027-03-22"), scope="all", by=anna, now=timezone.now(), notes="Cameras on")
    change(occurrence("2027-03-15"), anna, start=at("2027-03-16"))
    synchronize(annas)

    in_step(google, annas)
    pairing = next(row for row in rows_there(google) if row[0] == "Pairing")
    assert pairing[1] == at("2027-03-16")
    assert {row[4] for row in rows_there(google)} >= {"Cameras on"}


# --- Several people ----------------------------------------------------------------------------------------------


@pytest.mark.rule("R15", "R7", "R8", "R9")
def test_a_series_with_guests_is_one_series_for_all_of_them(google, anna, annas, boris, boriss):
    make_there(google, attendees=[{"email": BORIS}])
    synchronize(annas)
    assert not Activity.objects.visible_to(boris).exists()
    assert {row.category for row in Activity.objects.all()} == {"meeting"}

    session = synchronize(boriss)

    assert counts(session) == {"added_here": 1}
    assert Activity.objects.count() == 5
    assert Series.objects.count() == 1
    assert_same(google, boris)
    assert all(row.tags.filter(owner=boris).exists() for row in Activity.objects.all())
    for calendar in (annas, boriss):
        assert_quiet(google, calendar)


@pytest.mark.rule("R15", "R10")
def test_answers_to_a_series_and_to_one_occurrence_travel(google, anna, annas, boris, boriss):
    make_there(google, attendees=[{"email": BORIS}])
    synchronize(annas)
    synchronize(boriss)

    series.respond(activity=occurrence("2027-03-15"), scope="all", profile=boris, response="accepted",
                   now=timezone.now())  # fmt: skip
    services.respond(activity=occurrence("2027-03-22"), profile=boris, response="tentative", now=timezone.now())
    for calendar in (boriss, annas, boriss, annas):
        assert synchronize(calendar).status == "succeeded"

    assert answers(google, ANNA) == ["accepted", "accepted", "tentative", "accepted", "accepted"]
    google.person(BORIS).respond(instance(google, "2027-03-29", person=BORIS)["id"], "declined")
    for calendar in (boriss, annas):
        assert synchronize(calendar).status == "succeeded"
    rows = Activity.objects.order_by("start")
    assert [row.participants.get(profile=boris).response for row in rows] == [
        "accepted", "accepted", "tentative", "declined", "accepted",
    ]  # fmt: skip
    for calendar in (annas, boriss):
        assert_quiet(google, calendar)


def answers(google: Emulator, person: str, guest: str = BORIS) -> list[str]:
    return [
        entry["responseStatus"]
        for event in there(google, person)
        for entry in event["attendees"]
        if entry["email"] == guest
    ]


@pytest.mark.rule("R15", "R9")
def test_an_invitation_to_a_single_occurrence_stays_single(google, anna, boris, boriss):
    google.add_account(ANNA, name="Anna")
    make_there(google)
    google.person(ANNA).edit(instance(google, "2027-03-15")["id"], {"attendees": [{"email": BORIS}]})

    session = synchronize(boriss)

    assert session.status == "succeeded"
    [activity] = Activity.objects.all()
    assert (activity.start, activity.series) == (at("2027-03-15"), None)
    assert_quiet(google, boriss)


@pytest.mark.rule("R15", "R9")
def test_an_invitation_to_a_single_occurrence_joins_the_series_of_a_colleague(google, anna, annas, boris, boriss):
    make_there(google)
    google.person(ANNA).edit(instance(google, "2027-03-15")["id"], {"attendees": [{"email": BORIS}]})
    synchronize(annas)

    synchronize(boriss)

    assert [row.original_start for row in Activity.objects.visible_to(boris)] == [at("2027-03-15")]
    assert Activity.objects.count() == 5
    assert EventLink.objects.filter(calendar=boriss).count() == 1
    for calendar in (annas, boriss):
        synchronize(calendar)
        assert_quiet(google, calendar)


@pytest.mark.rule("R15", "R5", "R8")
def test_a_series_runs_by_a_guest_until_its_organizer_comes(google, anna, boris, boriss):
    google.add_account(ANNA, name="Anna", time_zone=ZONE)
    make_there(google, attendees=[{"email": BORIS}])
    synchronize(boriss)
    assert {row.organizer for row in Activity.objects.all()} == {boris}
    change(occurrence("2027-03-15"), boris, priority="high")

    annas = connect(google, anna.user)
    synchronize(annas)

    assert {row.organizer for row in Activity.objects.all()} == {anna}
    assert Series.objects.count() == 1
    assert_same(google, anna)
    series.edit(activity=occurrence("2027-03-22"), scope="all", by=anna, now=timezone.now(), location="Room 5")
    for calendar in (annas, boriss):
        synchronize(calendar)
    assert {row.location for row in Activity.objects.all()} == {"Room 5"}
    for calendar in (annas, boriss):
        assert_quiet(google, calendar)


@pytest.mark.rule("R15", "R4")
def test_a_series_is_frozen_and_thaws_as_a_whole(google, anna, annas):
    make_here(anna)
    synchronize(annas)
    services.remove_tag(activity=occurrence("2027-03-22"), tag=sync_tag(anna), by=anna)
    series.edit(activity=occurrence("2027-03-15"), scope="all", by=anna, now=timezone.now(), subject="Retro")
    change(occurrence("2027-03-22"), anna, location="Garden")
    [master] = google.person(ANNA).events()
    google.person(ANNA).edit(master["id"], {"description": "Cameras on"})

    synchronize(annas)
    assert {row[0] for row in rows_there(google)} == {"Stand-up"}
    assert {row.notes for row in Activity.objects.all()} == {""}

    services.add_tag(activity=occurrence("2027-03-29"), tag=sync_tag(anna), by=anna)
    in_step(google, annas)
    assert {(row[0], row[4]) for row in rows_there(google)} == {("Retro", "Cameras on")}
    assert [row[3] for row in rows_there(google)].count("Garden") == 1


@pytest.mark.rule("R15", "R7")
def test_people_join_and_leave_a_series_and_one_occurrence(google, anna, annas, boris, boriss):
    clara = make_user("clara").profile
    google.add_account("clara@northfold.example", name="Clara")
    make_here(anna, participants=[boris])
    synchronize(annas)
    now = timezone.now()

    series.add_participant(activity=occurrence("2027-03-15"), scope="all", profile=clara, by=anna, now=now)
    services.remove_participant(activity=occurrence("2027-03-22"), profile=boris, by=anna, now=now)
    synchronize(annas)

    guests = [{guest["email"] for guest in event["attendees"]} for event in there(google)]
    everybody = {ANNA, BORIS, "clara@northfold.example"}
    assert guests == [everybody, everybody, everybody - {BORIS}, everybody, everybody]
    assert_quiet(google, annas)
    series.remove_participant(activity=occurrence("2027-03-15"), scope="all", profile=clara, by=anna, now=now)
    synchronize(annas)
    synchronize(boriss)
    assert not any(row.participants.filter(profile=clara).exists() for row in Activity.objects.all())
    assert all({guest["email"] for guest in event["attendees"]} <= {ANNA, BORIS} for event in there(google))
    for calendar in (annas, boriss):
        assert_quiet(google, calendar)


@pytest.mark.rule("R15", "R14")
def test_a_guest_who_throws_a_series_away_has_declined_it(google, anna, annas, boris, boriss):
    make_there(google, attendees=[{"email": BORIS}])
    synchronize(annas)
    synchronize(boriss)
    [master] = google.person(BORIS).events()

    google.person(BORIS).delete(master["id"])
    for calendar in (boriss, annas):
        assert synchronize(calendar).status == "succeeded"

    rows = Activity.objects.all()
    assert {row.participants.get(profile=boris).response for row in rows} == {"declined"}
    assert {row.status for row in rows} == {"not_started"}
    for calendar in (annas, boriss):
        assert_quiet(google, calendar)


@pytest.mark.rule("R15", "R20")
def test_a_complete_read_doubles_no_occurrence(google, anna, annas):
    make_there(google)
    person = google.person(ANNA)
    person.edit(instance(google, "2027-03-15")["id"], {"summary": "Pairing"})
    person.delete(instance(google, "2027-03-29")["id"])
    synchronize(annas)
    google.expire_sync_tokens()

    session = synchronize(annas)

    assert (session.status, counts(session), Activity.objects.count()) == ("succeeded", {}, 4)
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R13")
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_answer_makes_no_second_series(google, anna, annas, when, monkeypatch):
    monkeypatch.setattr("sync.tasks.sleep", lambda _seconds: None)
    make_here(anna)
    change(occurrence("2027-03-15"), anna, subject="Pairing")
    google.fail("reset", when=when, method="POST", path="/events", times=5)

    synchronize(annas)
    google.faults.clear()
    synchronize(annas)

    in_step(google, annas)
    assert len(google.person(ANNA).events()) == 2  # The series and its one exception.


@pytest.mark.rule("R15")
def test_a_series_split_twice_by_google_keeps_its_activities(google, anna, annas):
    make_there(google, ["RRULE:FREQ=WEEKLY;COUNT=8"])
    synchronize(annas)
    before = set(Activity.objects.values_list("pk", flat=True))
    google.person(ANNA).edit(instance(google, "2027-04-05")["id"], {"summary": "Second"}, scope="following")
    in_step(google, annas)
    google.person(ANNA).edit(instance(google, "2027-04-19")["id"], {"summary": "Third"}, scope="following")
    in_step(google, annas)

    assert set(Activity.objects.values_list("pk", flat=True)) == before
    assert [row[0] for row in rows_there(google)] == ["Second"] * 2 + ["Stand-up"] * 4 + ["Third"] * 2


@pytest.mark.rule("R15")
def test_all_of_a_series_moves_to_another_day_in_google(google, anna, annas):
    master = make_there(google, ["RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=4"])
    synchronize(annas)
    third = occurrence("2027-03-22")
    services.set_status(activity=third, by=anna, status="in_progress", now=timezone.now())

    google.person(ANNA).edit(
        master["id"],
        {
            "recurrence": ["RRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=4"],
            **timed("2027-03-09T10:00:00", "2027-03-09T11:00:00", ZONE),
        },
    )
    in_step(google, annas)

    third.refresh_from_db()
    assert (third.status, third.start) == ("in_progress", at("2027-03-23"))
    assert Activity.objects.count() == 4


@pytest.mark.rule("R15", "R14")
def test_the_guard_counts_a_series_as_one(google, anna, annas):
    masters = [make_there(google, summary=f"Series {number}") for number in range(6)]
    synchronize(annas)
    for master in masters[:4]:
        google.person(ANNA).delete(master["id"])

    assert synchronize(annas).status == "succeeded"

    for master in masters[4:]:
        google.person(ANNA).delete(master["id"])
    assert synchronize(annas).status == "succeeded"


@pytest.mark.rule("R15")
def test_an_occurrence_that_google_knows_by_another_id_is_found_by_its_original_start(google, anna, annas):
    make_here(anna)
    synchronize(annas)
    change(occurrence("2027-03-22"), anna, subject="Retro")
    [master] = google.person(ANNA).events()
    google.fail(status=404, reason="notFound", method="GET", path=rf"/events/{master['id']}_", times=1)

    in_step(google, annas)

    assert {row[0] for row in rows_there(google)} == {"Stand-up", "Retro"}


@pytest.mark.rule("R15", "R12")
def test_an_occurrence_changed_here_while_its_series_moves_in_google_follows_in_the_next_session(google, anna, annas):
    make_here(anna)
    synchronize(annas)
    change(occurrence("2027-03-22"), anna, subject="Retro")
    [master] = google.person(ANNA).events()
    later = timed("2027-03-08T15:00:00", "2027-03-08T16:00:00", ZONE)
    google.interject(
        lambda: google.person(ANNA).edit(master["id"], later), method="GET", path=rf"/events/{master['id']}_"
    )

    assert synchronize(annas).status == "succeeded"

    in_step(google, annas)
    assert [row[0] for row in rows_there(google)].count("Retro") == 1
    assert occurrence("2027-03-22", "15:00").subject == "Retro"


@pytest.mark.rule("R15", "R14")
def test_what_went_with_its_day_was_canceled_by_nobody_when_the_day_returns(google, anna, annas):
    """Google says of what it drops nothing but its id, of what a person deletes the series as well."""
    master = make_there(google)
    google.person(ANNA).edit(instance(google, "2027-03-22")["id"], {"location": "Garden"})
    synchronize(annas)
    google.person(ANNA).edit(master["id"], timed("2027-03-09T10:00:00", "2027-03-09T11:00:00", ZONE))
    google.person(ANNA).edit(master["id"], MONDAY)

    for _session in range(2):
        synchronize(annas)

    assert set(Activity.objects.values_list("status", flat=True)) == {"not_started"}
    assert_same(google, anna)
    assert_quiet(google, annas)
