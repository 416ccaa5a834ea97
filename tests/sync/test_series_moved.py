"""Occurrences that somebody changes or deletes in Google while their series is moved here (R11, R14, R15)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Profile
from activities import series
from activities.models import Activity
from google_emulator import Emulator
from sync import items, mailing
from sync.models import EventLink, SyncedCalendar, SyncOutcome
from tests.factories import make_user
from tests.google import synchronize, timed
from tests.sync.helpers import assert_quiet, change
from tests.sync.test_repeating import (
    ANNA,
    BORIS,
    MONDAY,
    ZONE,
    assert_same,
    at,
    begins,
    instance,
    make_here,
    make_there,
    occurrence,
    there,
)
from tests.sync.test_series_details import killed_in, replaced

pytestmark = pytest.mark.django_db(transaction=True)

DAY = "2027-03-22"
MARIA = "maria@partner.example"  # Nobody here knows her.


@pytest.fixture
def anna() -> Profile:
    return make_user("anna", time_zone=ZONE).profile


@pytest.fixture
def boris() -> Profile:
    return make_user("boris", time_zone=ZONE).profile


MOVES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "to another hour": ("all", "2027-03-08", {"start": at("2027-03-08", "10:15")}),
    "to another day": ("all", "2027-03-08", {"start": at("2027-03-09", "10:15")}),
    "divided": ("following", "2027-03-15", {"location": "Hall"}),
}


def move(by: Profile, how: str = "to another hour") -> None:
    scope, day, values = MOVES[how]
    series.edit(activity=occurrence(day), scope=scope, by=by, now=timezone.now(), **values)


def delete_one(google: Emulator, day: str = DAY) -> None:
    google.person(ANNA).delete(instance(google, day)["id"])


def make_exception(google: Emulator, calendar: SyncedCalendar) -> None:
    google.person(ANNA).edit(instance(google, DAY)["id"], {"location": "Garden"})
    synchronize(calendar)


def assert_one_is_left_out(google: Emulator, *calendars: SyncedCalendar) -> None:
    for calendar in calendars * 3:
        assert synchronize(calendar).status == "succeeded"
    assert Activity.objects.exclude(status="canceled").count() == len(there(google)) == 4
    for calendar in calendars:
        assert_same(google, calendar.account.profile)
        assert_quiet(google, calendar)


# --- Deleted in Google before ------------------------------------------------------------------------------------


@pytest.mark.rule("R14", "R6", "R15")
@pytest.mark.parametrize("how", list(MOVES))
@pytest.mark.parametrize("guest", [BORIS, MARIA])
@pytest.mark.parametrize("is_known_before", [True, False])
def test_what_was_canceled_in_google_is_no_strangers_change_when_a_meeting_is_moved(
    google, anna, annas, boris, boriss, how, guest, is_known_before
):
    google.add_account(MARIA, name="Maria")
    make_there(google, attendees=[{"email": guest}])
    if is_known_before:
        synchronize(annas)
    delete_one(google)
    synchronize(annas)
    synchronize(boriss)
    move(anna, how)
    assert_one_is_left_out(google, annas, boriss)
    assert not replaced()


@pytest.mark.rule("R6")
def test_what_an_import_cancels_of_a_meeting_that_google_had_canceled_and_returned_comes_back(google, anna, annas):
    """Google's former word is none about what nobody of this meeting has canceled since."""
    google.add_account(MARIA, name="Maria")
    event = google.person(ANNA).create_event({"summary": "Review", "attendees": [{"email": MARIA}], **MONDAY})
    synchronize(annas)
    google.person(ANNA).delete(event["id"])
    synchronize(annas)
    google.person(ANNA).edit(event["id"], {"status": "confirmed"})
    synchronize(annas)
    assert Activity.objects.get().status == "not_started"
    Activity.objects.update(status="canceled")
    EventLink.objects.update(is_marked=True)
    synchronize(annas)
    assert Activity.objects.get().status == "not_started"
    assert len(google.person(ANNA).events()) == 1


@pytest.mark.rule("R15", "R18")
def test_what_google_leaves_out_stays_so_though_the_session_dies_before_the_series_is_moved(
    google, anna, annas, monkeypatch
):
    make_there(google)
    delete_one(google)
    synchronize(annas)
    move(anna)
    killed_in(monkeypatch, annas, "send_updates", of=mailing)
    assert Activity.objects.filter(status="canceled").count() == 1
    assert_one_is_left_out(google, annas)


# --- Deleted in Google meanwhile ---------------------------------------------------------------------------------


@pytest.mark.rule("R14", "R15")
@pytest.mark.parametrize("how", list(MOVES))
@pytest.mark.parametrize("guests", [[], [BORIS, MARIA]])
@pytest.mark.parametrize("is_exception", [True, False])
def test_one_that_is_deleted_in_google_while_all_are_moved_here_is_canceled_where_it_moved(
    google, anna, annas, boris, boriss, how, guests, is_exception
):
    google.add_account(MARIA, name="Maria")
    make_there(google, attendees=[{"email": guest} for guest in guests])
    synchronize(annas)
    synchronize(boriss)
    if is_exception:
        make_exception(google, annas)
    move(anna, how)
    delete_one(google)
    assert_one_is_left_out(google, *([annas, boriss] if guests else [annas]))


@pytest.mark.rule("R14", "R15", "R18")
@pytest.mark.parametrize("is_exception", [True, False])
def test_the_deletion_survives_a_session_that_dies_over_the_answer(google, anna, annas, monkeypatch, is_exception):
    """What Google shows of it afterwards says that it went with its day, no more."""
    make_there(google)
    synchronize(annas)
    if is_exception:
        make_exception(google, annas)
    move(anna)
    delete_one(google)
    killed_in(monkeypatch, annas, "settle_pair")
    assert begins(there(google)[0]) == at("2027-03-08", "10:15")
    assert_one_is_left_out(google, annas)


@pytest.mark.rule("R14", "R15")
def test_the_deletion_waits_while_google_refuses_to_move_the_series(google, anna, annas):
    make_there(google)
    synchronize(annas)
    move(anna)
    delete_one(google)
    google.fail(method="PATCH", status=403, reason="forbidden", times=1)
    assert synchronize(annas).status == "with_problems"
    assert len(there(google)) == 4
    EventLink.objects.update(is_marked=True)
    assert_one_is_left_out(google, annas)


@pytest.mark.rule("R14", "R15", "R12")
@pytest.mark.parametrize("is_exception", [True, False])
def test_one_that_is_deleted_in_google_in_the_moment_in_which_all_are_moved_stays_deleted(
    google, anna, annas, is_exception
):
    make_there(google)
    synchronize(annas)
    if is_exception:
        make_exception(google, annas)
    move(anna)
    google.interject(lambda: delete_one(google), method="PATCH", times=1)
    assert_one_is_left_out(google, annas)


@pytest.mark.rule("R14", "R15")
def test_a_deletion_in_google_does_not_outlive_what_was_changed_here_about_this_one(google, anna, annas):
    make_there(google)
    synchronize(annas)
    change(occurrence(DAY), anna, location="Roof")
    move(anna)
    delete_one(google)
    for _session in range(3):
        synchronize(annas)
    assert instance(google, DAY, "10:15")["location"] == "Roof"
    assert replaced() == [("R14", "status", "confirmed", "cancelled")]
    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R15")
def test_what_is_moved_here_and_back_has_all_its_occurrences_again(google, anna, annas):
    """What Google drops of an exception that was never one here says nothing about the day it was on."""
    make_there(google)
    synchronize(annas)
    move(anna)
    google.person(ANNA).edit(instance(google, DAY)["id"], {"location": "Garden"})
    for _session in range(3):
        synchronize(annas)
    back = {"start": at("2027-03-08"), "due": at("2027-03-08", "11:00")}
    series.edit(activity=occurrence("2027-03-08", "10:15"), scope="all", by=anna, now=timezone.now(), **back)
    for _session in range(3):
        synchronize(annas)
    assert Activity.objects.exclude(status="canceled").count() == len(there(google)) == 5
    assert instance(google, DAY)["location"] == "Garden"
    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R14", "R15")
def test_one_deleted_by_a_person_after_it_went_with_its_day_was_deleted(google, anna, annas, monkeypatch):
    """A session that died knew only that it went with its day; since then the day returned, and somebody deleted it."""
    master = make_there(google)
    make_exception(google, annas)
    google.person(ANNA).edit(master["id"], timed("2027-03-09T10:00:00", "2027-03-09T11:00:00", ZONE))
    killed_in(monkeypatch, annas, "bring_all_together", of=items)
    google.person(ANNA).edit(master["id"], MONDAY)
    delete_one(google)
    assert_one_is_left_out(google, annas)


# --- Changed in Google meanwhile ---------------------------------------------------------------------------------


@pytest.mark.rule("R11", "R15")
@pytest.mark.parametrize("how", ["to another hour", "to another day"])
def test_one_that_is_first_changed_in_google_while_all_are_moved_here_is_changed_where_it_moved(
    google, anna, annas, how
):
    make_there(google)
    synchronize(annas)
    move(anna, how)
    google.person(ANNA).edit(instance(google, DAY)["id"], {"location": "Garden"})
    for _session in range(2):
        synchronize(annas)
    day = DAY if how == "to another hour" else "2027-03-23"
    assert (occurrence(day, "10:15").location, instance(google, day, "10:15")["location"]) == ("Garden", "Garden")
    assert not replaced()
    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R11", "R15")
def test_one_that_is_moved_by_itself_in_google_while_all_are_moved_here_is_where_google_moved_it(google, anna, annas):
    make_there(google)
    synchronize(annas)
    move(anna)
    elsewhere = timed("2027-03-23T15:00:00", "2027-03-23T16:00:00", ZONE)
    google.person(ANNA).edit(instance(google, DAY)["id"], elsewhere)
    for _session in range(2):
        synchronize(annas)
    assert occurrence(DAY, "10:15").start == at("2027-03-23", "15:00")
    assert len(there(google)) == 5
    assert_same(google, anna)
    assert_quiet(google, annas)


# --- The journal -------------------------------------------------------------------------------------------------


@pytest.mark.rule("R14", "R11", "R18")
def test_a_kill_after_an_occurrence_was_confirmed_again_leaves_its_deletion_in_the_journal(
    google, anna, annas, monkeypatch
):
    make_here(anna)
    synchronize(annas)
    change(occurrence(DAY), anna, location="Garden")
    synchronize(annas)
    delete_one(google)
    change(occurrence(DAY), anna, location="Roof")
    killed_in(monkeypatch, annas, "relink")
    synchronize(annas)
    assert instance(google, DAY)["location"] == "Roof"
    assert replaced() == [("R14", "status", "confirmed", "cancelled")]
    assert_quiet(google, annas)


@pytest.mark.rule("R14", "R11")
def test_each_deletion_that_a_change_here_outlives_is_in_the_journal(google, anna, annas):
    make_here(anna)
    synchronize(annas)
    for place in ("Garden", "Roof"):
        change(occurrence(DAY), anna, location=place)
        synchronize(annas)
        delete_one(google)
        change(occurrence(DAY), anna, location=f"{place}, left")
        synchronize(annas)
    assert [entry[1] for entry in replaced()] == ["status", "status"]


@pytest.mark.rule("R14", "R12")
def test_a_deletion_that_google_does_not_let_us_take_back_is_not_in_the_journal(google, anna, annas):
    make_here(anna)
    synchronize(annas)
    change(occurrence(DAY), anna, location="Garden")
    synchronize(annas)
    delete_one(google)
    change(occurrence(DAY), anna, location="Roof")
    google.fail(method="PATCH", status=403, reason="forbidden", times=10)
    synchronize(annas)
    assert not SyncOutcome.objects.filter(action="replaced").exists()


# --- Deleted in Google, and made anew by a change here ------------------------------------------------------------

ONE_CHANGED: dict[str, dict[str, Any] | None] = {
    "moved": timed("2027-03-23T14:00:00", "2027-03-23T15:00:00", ZONE),
    "renamed": {"summary": "Stand-up with the board"},
    "deleted": None,
}


@pytest.mark.rule("R13", "R14", "R15", "R18")
@pytest.mark.parametrize("what", list(ONE_CHANGED))
@pytest.mark.parametrize("is_exception", [False, True], ids=["for the first time", "once more"])
@pytest.mark.parametrize("here", [{"location": "Hall"}, {"start": at("2027-03-08", "10:15")}], ids=["place", "time"])
def test_what_a_killed_session_had_read_of_one_is_so_in_the_series_that_is_made_anew(
    google, anna, annas, monkeypatch, what, is_exception, here
):
    make_here(anna)
    synchronize(annas)
    if is_exception:
        make_exception(google, annas)
    one = instance(google, DAY)["id"]
    if (values := ONE_CHANGED[what]) is None:
        google.person(ANNA).delete(one)
    else:
        google.person(ANNA).edit(one, values)
    killed_in(monkeypatch, annas, "bring_all_together", of=items)
    google.person(ANNA).delete(one.partition("_")[0])
    series.edit(activity=occurrence("2027-03-08"), scope="all", by=anna, now=timezone.now(), **here)

    for _session in range(3):
        assert synchronize(annas).status == "succeeded"

    assert_same(google, anna)
    assert len(there(google)) == (4 if what == "deleted" else 5)
    shown = {(begins(event), event["summary"]) for event in there(google)}
    assert ((at("2027-03-23", "14:00"), "Stand-up") in shown) == (what == "moved")
    assert any(summary == "Stand-up with the board" for _start, summary in shown) == (what == "renamed")
    assert not EventLink.objects.filter(event_id__startswith=one.partition("_")[0]).exists()
    assert_quiet(google, annas)


@pytest.mark.rule("R13", "R15")
def test_what_was_changed_beyond_the_horizon_is_so_in_the_series_that_is_made_anew(google, anna, annas):
    make_here(anna, ["RRULE:FREQ=WEEKLY"])
    synchronize(annas)
    [master] = google.person(ANNA).events()
    far = f"{master['id']}_20300304T090000Z"
    google.person(ANNA).edit(far, {"summary": "Years from now"})
    synchronize(annas)
    assert not Activity.objects.filter(subject="Years from now").exists()
    google.person(ANNA).delete(master["id"])
    series.edit(activity=occurrence("2027-03-08"), scope="all", by=anna, now=timezone.now(), location="Hall")

    for _session in range(3):
        assert synchronize(annas).status == "succeeded"

    assert Activity.objects.get(subject="Years from now").original_start == at("2030-03-04")
    anew = [event["id"] for event in google.person(ANNA).events() if "recurrence" in event]
    assert google.person(ANNA).event(f"{anew[0]}_20300304T090000Z")["summary"] == "Years from now"
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R12", "R13")
@pytest.mark.parametrize("to", ["2027-03-08T17:00:00", "2027-03-09T04:00:00"], ids=["another hour", "another day"])
@pytest.mark.parametrize("is_exception", [False, True], ids=["plain", "an exception"])
@pytest.mark.parametrize("is_marked", [False, True], ids=["series as it was", "series changed too"])
def test_one_that_was_changed_here_is_never_an_event_of_its_own_when_google_moves_its_series_in_this_moment(
    google, anna, annas, to, is_exception, is_marked
):
    """Whose turn in the session is over already, the series, is looked at first in the next one."""
    event = make_there(google)
    synchronize(annas)
    if is_exception:
        make_exception(google, annas)
    change(occurrence(DAY), anna, subject="Ours")
    change(occurrence("2027-03-08"), anna, location="Hall")
    if is_marked:
        google.person(ANNA).edit(event["id"], {"description": "Bring coffee"})
    moved = timed(to, f"{to[:11]}{int(to[11:13]) + 1:02}:00:00", ZONE)
    google.interject(lambda: google.person(ANNA).edit(event["id"], moved), method="PATCH", times=1)

    statuses = [synchronize(annas).status for _session in range(3)]

    assert statuses == ["succeeded"] * 3
    shown = [(one["summary"], one.get("location", "")) for one in there(google)]
    assert sorted(shown) == sorted(
        [("Ours", "Garden" if is_exception else ""), ("Stand-up", "Hall"), *[("Stand-up", "")] * 3]
    )
    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R11", "R12")
@pytest.mark.parametrize("later", ["here", "google"])
def test_one_that_gives_way_to_what_google_says_about_all_in_this_moment_follows_its_series_again(
    google, anna, annas, later
):
    """Nothing is sent about it then, so Google tells nothing about it either: by itself it would be forgotten."""
    event = make_there(google)
    synchronize(annas)
    google.clock.advance(timedelta(minutes=-10 if later == "here" else 10))
    change(occurrence(DAY), anna, notes="Ours")
    google.interject(lambda: google.person(ANNA).edit(event["id"], {"description": "Theirs"}), method="PATCH", times=1)
    assert synchronize(annas).status == "succeeded"

    google.person(ANNA).edit(event["id"], {"description": "Theirs, again"})
    for _session in range(2):
        assert synchronize(annas).status == "succeeded"

    assert_same(google, anna)
    assert occurrence(DAY).notes == ("Ours" if later == "here" else "Theirs, again")
    assert_quiet(google, annas)
