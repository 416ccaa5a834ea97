"""Sessions that die between Google's answer and the transaction that keeps it, and what people do next (R13, R18)."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from activities import services
from sync import writing
from sync.models import SyncedCalendar, SyncOutcome
from tests.google import synchronize
from tests.sync.helpers import assert_quiet, change, fresh, tagged

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.embedded]

ANNA, BORIS = "anna@northfold.example", "boris@northfold.example"


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
    synchronize(annas)

    assert (fresh(activity).subject, fresh(activity).location) == ("Malmö", "Room 9")
    assert not SyncOutcome.objects.filter(action="replaced").exists()
    assert_quiet(google, annas)


@pytest.mark.rule("R7", "R13", "R18")
def test_who_is_taken_off_after_an_invitation_that_was_cut_off_stays_off(google, anna, annas, boris, boriss):
    activity = tagged(anna)
    synchronize(annas)
    services.add_participant(activity=activity, profile=boris, by=anna, now=timezone.now())
    cut_off(annas)
    assert google.person(BORIS).events()

    services.remove_participant(activity=activity, profile=boris, by=anna, now=timezone.now())
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
