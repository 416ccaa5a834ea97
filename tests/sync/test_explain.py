"""“Why is this (not) in Google?”: what the panel says at each stage of an activity's life (R21)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import Profile
from activities import series, services
from activities.models import Activity
from google_emulator import Emulator
from sync.explain import Explanation, explain
from sync.models import EventLink, SyncedCalendar
from sync.pretending import PretendGoogle
from tests.factories import make_activity, make_tag, make_user
from tests.google import connect, sync_tag, synchronize, timed
from tests.sync.pages import make_calendar

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.rule("R21")]


@pytest.fixture
def anna() -> Profile:
    return make_user("anna").profile


@pytest.fixture
def annas(google: Emulator, anna: Profile) -> SyncedCalendar:
    return connect(google, anna.user)


@pytest.fixture
def activity(anna: Profile) -> Activity:
    start = datetime(2027, 3, 8, 10, tzinfo=UTC)
    return make_activity(by=anna, start=start, show_in_calendar=True, tags=[sync_tag(anna)], now=timezone.now())


def said(activity: Activity, profile: Profile) -> Explanation:
    return explain(activity=Activity.objects.get(pk=activity.pk), profile=profile, now=timezone.now())


def unmet(explanation: Explanation) -> list[str]:
    return [reason.text for reason in explanation.reasons if not reason.met]


def set_status(activity: Activity, profile: Profile, status: str) -> None:
    services.set_status(activity=activity, by=profile, status=status, now=timezone.now())


def test_without_an_account(activity, anna):
    assert said(activity, anna).state == "not_connected"


def test_from_pending_over_frozen_to_gone_and_back(google, annas, activity, anna):
    assert (said(activity, anna).state, said(activity, anna).next_step) == ("pending", "The next session adds it.")
    synchronize(annas)
    found = said(activity, anna)
    assert (found.state, unmet(found), found.runs_by) == ("in_google", [], "your calendar")
    assert found.html_link

    services.remove_tag(activity=activity, tag=sync_tag(anna), by=anna)
    found = said(activity, anna)
    assert (found.state, unmet(found)) == ("frozen", ["It carries no private tag of yours."])
    assert "Put one of your private tags on it." in found.next_step
    services.add_tag(activity=activity, tag=sync_tag(anna), by=anna)

    set_status(activity, anna, "canceled")
    found = said(activity, anna)
    assert (found.state, found.title, unmet(found)) == ("leaving", "Leaving Google", ["It is Canceled."])
    assert found.next_step == "The next session removes the event."
    synchronize(annas)
    found = said(activity, anna)
    assert (found.state, unmet(found), found.html_link) == ("gone", ["It is Canceled."], "")

    set_status(activity, anna, "not_started")
    found = said(activity, anna)
    assert (found.state, found.next_step) == ("pending", "The next session adds it again.")
    synchronize(annas)
    assert said(activity, anna).state == "in_google"


def test_what_was_completed_before_its_event_was_deleted(google, annas, activity, anna):
    synchronize(annas)
    set_status(activity, anna, "completed")
    [event] = google.person("anna@northfold.example").events()
    google.person("anna@northfold.example").delete(event["id"])
    synchronize(annas)

    found = said(activity, anna)

    assert (found.state, unmet(found)) == ("gone", ["Its event is not in your Google Calendar any more."])


def test_what_could_not_be_synchronized_says_so_with_the_next_step(google, annas, activity, anna):
    google.fail(status=403, reason="forbidden", method="POST", path="/events")
    synchronize(annas)

    found = said(activity, anna)

    assert EventLink.objects.get().retry_at
    assert (found.state, found.title) == ("parked", "Could not be synchronized")
    assert "Retry tries at once" in found.next_step


@pytest.mark.rule("R5")
@pytest.mark.rule("R7")
@pytest.mark.parametrize("where", ["here", "in Google"])
def test_who_was_taken_off_is_told_who_did_and_who_can_add_them_again(google, annas, activity, anna, where):
    boris = make_user("boris").profile
    boriss = connect(google, boris.user)
    services.add_participant(activity=activity, profile=boris, by=anna, now=timezone.now())
    synchronize(annas)
    synchronize(boriss)
    if where == "here":
        services.remove_participant(activity=activity, profile=boris, by=anna, now=timezone.now())
    else:
        [event] = google.person("anna@northfold.example").events()
        google.person("anna@northfold.example").edit(event["id"], {"attendees": []})
    synchronize(annas)
    synchronize(boriss)

    found = said(activity, boris)

    assert found.title == "Removed from Google"
    assert "Anna has taken you off this meeting, so Google took it out of your calendar." in unmet(found)
    assert found.next_step == "Ask Anna to add you again. The invitation then comes with your next synchronization."


@pytest.mark.rule("R20")
def test_a_paused_account_says_that_nothing_flows_and_whom_to_ask(google, annas, activity, anna):
    synchronize(annas)
    annas.account.paused = True
    annas.account.save()
    services.edit(activity=activity, by=anna, now=timezone.now(), subject="Changed")

    found = said(activity, Profile.objects.get(pk=anna.pk))

    assert found.state == "in_google"
    assert "An administrator has paused the synchronization of your account." in unmet(found)
    assert found.next_step == "Ask an administrator to resume it; until then nothing flows, and nothing is lost."


def test_of_what_a_colleague_organizes_the_next_step_is_theirs(annas, activity):
    boris = make_user("boris").profile
    make_calendar(boris)

    found = said(activity, boris)

    assert unmet(found) == ["It carries no private tag of yours.", "Its Organizer is Anna."]
    assert found.next_step == "It is sent by the synchronization of Anna."


def test_never_sent_because_it_is_canceled(annas, activity, anna):
    set_status(activity, anna, "canceled")
    found = said(activity, anna)
    assert (found.state, unmet(found)) == ("not_in_google", ["It is Canceled."])


# --- The command -------------------------------------------------------------------------------------------------


def explained(item: Any, username: str = "anna") -> dict[str, Any]:
    """Return what `explain_sync --json` prints."""
    out = StringIO()
    call_command("explain_sync", username, str(item), "--json", stdout=out)
    return json.loads(out.getvalue())


def told(item: Any) -> str:
    out = StringIO()
    call_command("explain_sync", "anna", str(item), stdout=out)
    return out.getvalue()


def unmet_rules(found: dict[str, Any]) -> list[str]:
    return [condition["rule"] for condition in found["conditions"] if not condition["met"]]


def planned(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(action["action"], action["direction"], action["rule"]) for action in found["next_session"]["actions"]]


@pytest.mark.rule("R1", "R5")
def test_the_command_names_every_condition_who_organizes_and_what_comes_next(google, annas, activity, anna):
    google.requests.clear()

    found = explained(activity.pk)

    rules = [condition["rule"] for condition in found["conditions"]]
    assert rules == ["R1a", "R1b", "R1c", "R1d", "R1f", "R5"]
    assert (unmet_rules(found), found["state"], found["link"]) == ([], "pending", None)
    assert found["activity"]["organizer"] == "anna"
    assert planned(found) == [("added", "google", "R1")]
    assert found["next_session"]["looks_at_it"]
    assert google.requests.all() == []  # From the database alone.
    assert not EventLink.objects.exists()


def test_the_command_shows_what_both_sides_hold_and_agreed_on(google, annas, activity, anna):
    synchronize(annas)
    services.edit(activity=activity, by=anna, now=timezone.now(), subject="Renamed here")
    google.requests.clear()

    found = explained(activity.pk)

    subject = next(field for field in found["fields"] if field["field"] == "subject")
    assert subject == {
        "field": "subject",
        "here": "Renamed here",
        "google": "Quarterly review",
        "base_here": "Quarterly review",
        "base_google": "Quarterly review",
    }
    assert planned(found) == [("updated", "google", "R12")]
    assert found["link"]["state"] == "linked"
    assert [outcome["action"] for outcome in found["recent_outcomes"]] == ["added"]
    assert explained(found["event"]["id"])["activity"]["id"] == activity.pk
    assert google.requests.all() == []


@pytest.mark.rule("R1", "R4")
@pytest.mark.parametrize("lack", ["R1a", "R1b", "R1c", "R1d", "R1f"])
def test_the_command_names_the_condition_that_is_not_met(google, annas, activity, anna, lack):
    synchronize(annas)
    if lack == "R1a":
        services.edit(activity=activity, by=anna, now=timezone.now(), show_in_calendar=False)
    if lack == "R1b":
        services.edit(activity=activity, by=anna, now=timezone.now(), kind="email")
    if lack == "R1c":
        services.remove_tag(activity=activity, tag=sync_tag(anna), by=anna)
    if lack == "R1d":
        services.add_tag(activity=activity, tag=make_tag("Website", kind="public"), by=anna)
    if lack == "R1f":
        services.edit(activity=activity, by=anna, now=timezone.now(), start=datetime(2019, 1, 1, tzinfo=UTC))

    found = explained(activity.pk)

    assert (unmet_rules(found), found["state"]) == ([lack], "frozen")
    assert planned(found) == [("frozen", "here", lack)]


@pytest.mark.rule("R4")
def test_the_command_says_that_a_thaw_asks_google_first(google, annas, activity, anna):
    synchronize(annas)
    services.remove_tag(activity=activity, tag=sync_tag(anna), by=anna)
    synchronize(annas)
    services.add_tag(activity=activity, tag=sync_tag(anna), by=anna)

    found = explained(activity.pk)

    assert (found["next_session"]["asks_google"], planned(found)) == (True, [])
    assert "It asks Google for the event first" in told(activity.pk)


@pytest.mark.rule("R5")
def test_the_command_says_whose_session_sends_it(google, annas, anna):
    boris = make_user("boris").profile
    connect(google, boris.user)
    start = datetime(2027, 3, 8, 10, tzinfo=UTC)
    his = make_activity(by=boris, start=start, show_in_calendar=True, participants=[anna], tags=[sync_tag(anna)])

    found = explained(his.pk)

    assert unmet_rules(found) == ["R5"]
    assert (found["activity"]["organizer"], found["next_step"]) == (
        "boris", "It is sent by the synchronization of Boris.",
    )  # fmt: skip


@pytest.mark.rule("R19")
def test_the_command_says_until_when_a_parked_item_waits(google, annas, activity, anna):
    google.fail(status=403, reason="forbidden", method="POST", path="/events")
    synchronize(annas)

    found = explained(activity.pk)

    assert (found["state"], found["link"]["attempts"]) == ("parked", 1)
    assert not found["next_session"]["looks_at_it"]
    assert "It waits until" in found["next_session"]["because"]
    assert [outcome["action"] for outcome in found["recent_outcomes"]] == ["parked"]
    assert "Could not be synchronized." in told(activity.pk)


@pytest.mark.rule("R2")
def test_the_command_says_why_an_event_stays_in_google(google, annas, anna):
    google.add_account("maria@partner.example")
    invited = google.person("maria@partner.example").create_event(
        {
            "summary": "Declined",
            "attendees": [{"email": "anna@northfold.example"}],
            **timed("2027-03-08T10:00:00", "2027-03-08T11:00:00"),
        }
    )
    google.person("anna@northfold.example").respond(invited["id"], "declined")
    synchronize(annas)

    found = explained(invited["id"])

    assert (found["activity"], found["event"]["summary"], unmet_rules(found)) == (None, "Declined", ["R2"])
    assert "You have declined it in Google." in told(invited["id"])


@pytest.mark.rule("R20")
def test_the_command_answers_for_an_account_that_needs_reconnecting(google, annas, activity, anna):
    annas.account.needs_reconnecting(reason="Google does not accept our access any more.")

    found = explained(activity.pk)

    assert found["account"]["status"] == "reconnect_needed"
    assert unmet_rules(found) == ["R20"]
    assert "is not connected" in found["next_session"]["because"]


@pytest.mark.parametrize(("username", "item"), [("nobody", "1"), ("anna", "987654"), ("anna", "neverheardof")])
def test_the_command_refuses_what_it_does_not_know(annas, username, item):
    with pytest.raises(CommandError, match="There is no") as refused:
        call_command("explain_sync", username, item)

    assert refused.value.returncode == 1


def test_a_pretended_google_asks_for_what_it_has_not_read(annas):
    with pytest.raises(BaseException, match="e1") as missing:
        PretendGoogle(annas, read={}, now=timezone.now()).get_event(event_id="e1")

    assert not isinstance(missing.value, Exception)


@pytest.mark.rule("R14", "R15")
def test_the_command_says_when_a_canceled_occurrence_was_synchronized(google, annas, anna):
    start = datetime(2027, 3, 8, 10, tzinfo=UTC)
    head = series.create(
        by=anna, subject="Stand-up", lines=["RRULE:FREQ=WEEKLY;COUNT=3"], start=start, due=start + timedelta(hours=1),
        show_in_calendar=True, now=timezone.now(),
    )  # fmt: skip
    services.add_tag(activity=head, tag=sync_tag(anna), by=anna)
    synchronize(annas)
    second = Activity.objects.filter(series=head.series).order_by("start")[1]
    set_status(second, anna, "canceled")
    synchronize(annas)
    out = StringIO()

    call_command("explain_sync", "anna", str(second.pk), stdout=out)

    assert f"last synchronized {timezone.now():%Y-%m-%d}" in out.getvalue()
    assert said(second, anna).synchronized_at is not None
