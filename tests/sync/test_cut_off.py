"""Sessions that die between Google's answer and the transaction that keeps it, and what people do next (R13, R18)."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from activities import services
from sync import writing
from sync.models import SyncedCalendar, SyncOutcome
from tests.factories import make_user
from tests.google import synchronize
from tests.sync.helpers import assert_quiet, change, fresh, tagged

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.embedded]

ANNA, BORIS, CLARA = "anna@northfold.example", "boris@northfold.example", "clara@northfold.example"


def cut_off(calendar: SyncedCalendar) -> None:
    """Let a session die after Google has carried out its write."""

    def die(*_args: Any, **_values: Any) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writing, "settle_pair", die)
        with pytest.raises(KeyboardInterrupt):
            synchronize(calendar)
    SyncedCalendar.objects.update(lease_by="", lease_until=None)


def only_event(google: Any, person: str = ANNA) -> dict[str, Any]:
    [event] = google.person(person).events()
    return event


@pytest.mark.rule("R11", "R13", "R18")
@pytest.mark.parametrize(
    ("first", "then", "shown"),
    [
        ({"subject": "Lund"}, {"subject": "Renewal call"}, "Renewal call"),  # As it was before.
        ({"subject": "Lund"}, {"subject": "Malmö"}, "Malmö"),
        ({"is_private": True}, {"is_private": False}, "Renewal call"),
    ],
)
def test_what_is_changed_after_an_update_that_was_cut_off_is_no_conflict(google, anna, annas, first, then, shown):
    activity = tagged(anna)
    synchronize(annas)
    change(activity, anna, **first)
    cut_off(annas)

    change(activity, anna, **then)
    synchronize(annas)

    event = only_event(google)
    assert (fresh(activity).subject, event["summary"]) == (shown, shown)
    assert event.get("visibility", "default") == "default"
    assert not SyncOutcome.objects.filter(action="replaced").exists()
    assert_quiet(google, annas)


@pytest.mark.rule("R11", "R13", "R18")
def test_what_google_changed_after_an_update_that_was_cut_off_comes_in(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    change(activity, anna, subject="Lund", location="Room 9")
    cut_off(annas)

    google.person(ANNA).edit(only_event(google)["id"], {"summary": "Malmö"})
    change(activity, anna, location="Room 10")
    synchronize(annas)

    assert (fresh(activity).subject, fresh(activity).location) == ("Malmö", "Room 10")
    [replaced] = SyncOutcome.objects.filter(action="replaced")
    assert (replaced.field, replaced.here, replaced.google) == ("subject", "Lund", "Malmö")
    assert_quiet(google, annas)


@pytest.mark.rule("R7", "R11", "R13", "R18")
@pytest.mark.parametrize("trouble", ["killed", "changed meanwhile"])
def test_whom_google_invited_is_not_taken_off_after_an_update_that_was_cut_off(
    google, anna, annas, boris, boriss, trouble
):
    clara = make_user("clara").profile
    google.add_account(CLARA)
    activity = tagged(anna)
    synchronize(annas)
    services.add_participant(activity=activity, profile=boris, by=anna, now=timezone.now())
    google.person(ANNA).edit(only_event(google)["id"], {"attendees": [{"email": ANNA}, {"email": CLARA}]})
    if trouble == "killed":
        cut_off(annas)
    else:

        def note() -> None:
            try:
                services.remove_participant(activity=activity, profile=boris, by=anna, now=timezone.now())
                services.add_participant(activity=activity, profile=boris, by=anna, now=timezone.now())
                change(activity, anna, subject="Meanwhile")
            finally:
                connection.close()  # It runs in a thread of the server.

        google.interject(note, method="PATCH", times=1)

    synchronize(annas)
    synchronize(annas)

    assert {one.profile for one in activity.participants.all()} == {anna, boris, clara}
    assert {entry["email"] for entry in only_event(google)["attendees"]} == {ANNA, BORIS, CLARA}
    assert_quiet(google, annas)


@pytest.mark.rule("R11", "R12", "R13", "R18")
@pytest.mark.parametrize("fault", [{"status": 412, "reason": "conditionNotMet"}, {"status": 503}])
def test_a_refused_update_is_no_agreement_about_anything(google, anna, annas, fault):
    activity = tagged(anna)
    synchronize(annas)
    change(activity, anna, location="Room 9", notes="Bring boots")
    event_id = only_event(google)["id"]
    google.interject(lambda: google.person(ANNA).edit(event_id, {"location": "Room 9"}), method="PATCH", times=1)
    google.fail("status", method="PATCH", times=1, **fault)

    synchronize(annas)
    synchronize(annas)

    assert fresh(activity).notes == "Bring boots"
    assert (only_event(google)["description"], only_event(google)["location"]) == ("Bring boots", "Room 9")
    assert_quiet(google, annas)


@pytest.mark.rule("R7", "R13", "R18")
@pytest.mark.parametrize("refusals", [0, 1])
def test_who_is_taken_off_after_an_invitation_that_was_cut_off_stays_off(google, anna, annas, boris, boriss, refusals):
    activity = tagged(anna)
    synchronize(annas)
    services.add_participant(activity=activity, profile=boris, by=anna, now=timezone.now())
    cut_off(annas)
    assert google.person(BORIS).events()

    services.remove_participant(activity=activity, profile=boris, by=anna, now=timezone.now())
    google.fail("status", status=503, method="PATCH", times=refusals)
    synchronize(annas)
    synchronize(annas)

    assert [one.profile for one in activity.participants.all()] == [anna]
    assert not google.person(BORIS).events()
    assert_quiet(google, annas)


@pytest.mark.rule("R13", "R14", "R18")
def test_what_is_set_back_after_a_deletion_that_was_cut_off_returns(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    services.set_status(activity=activity, by=anna, now=timezone.now(), status="canceled")
    cut_off(annas)
    assert google.person(ANNA).events() == []

    services.set_status(activity=activity, by=anna, now=timezone.now(), status="not_started")
    synchronize(annas)

    assert fresh(activity).status == "not_started"
    assert only_event(google)["summary"] == "Renewal call"
    assert_quiet(google, annas)


@pytest.mark.rule("R10", "R13", "R18")
def test_an_answer_changed_after_one_that_was_cut_off_is_sent(google, anna, annas, boris, boriss):
    activity = tagged(anna, participants=[boris])
    synchronize(annas)
    synchronize(boriss)
    services.respond(activity=activity, profile=boris, response="accepted", now=timezone.now())
    cut_off(boriss)

    services.respond(activity=activity, profile=boris, response="needs_action", now=timezone.now())
    services.respond(activity=activity, profile=boris, response="declined", now=timezone.now())
    synchronize(boriss)

    assert activity.participants.get(profile=boris).response == "declined"
    assert not SyncOutcome.objects.filter(action="replaced").exists()
    own = [entry for entry in only_event(google)["attendees"] if entry["email"] == BORIS]
    assert own[0]["responseStatus"] == "declined"
