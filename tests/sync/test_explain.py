"""“Why is this (not) in Google?”: what the panel says at each stage of an activity's life (R21)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.utils import timezone

from accounts.models import Profile
from activities import services
from activities.models import Activity
from google_emulator import Emulator
from sync.explain import Explanation, explain
from sync.models import EventLink, SyncedCalendar
from tests.factories import make_activity, make_user
from tests.google import connect, sync_tag, synchronize

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
    assert (found.state, found.title, unmet(found)) == ("pending", "Leaving Google", ["It is Canceled."])
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


def test_never_sent_because_it_is_canceled(annas, activity, anna):
    set_status(activity, anna, "canceled")
    found = said(activity, anna)
    assert (found.state, unmet(found)) == ("not_in_google", ["It is Canceled."])
