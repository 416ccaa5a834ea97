"""Lost answers, killed sessions, accounts that come back: still one of each (R13, R22)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import ExternalAccount
from activities import services
from activities.models import Activity, FieldChange
from sync.models import EventLink, SyncedCalendar
from tests.google import connect, sync_tag, synchronize
from tests.sync.helpers import (
    TEN,
    assert_quiet,
    change,
    counts,
    only_activity,
    tagged,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.embedded]


@pytest.mark.rule("R13")
def test_a_lost_answer_to_an_insert_makes_one_event(google, anna, annas):
    tagged(anna)
    google.fail("reset", when="after", method="POST", path="/events")

    synchronize(annas)
    synchronize(annas)

    assert len(google.person("anna@northfold.example").events()) == 1
    assert EventLink.objects.get().state == "linked"
    assert_quiet(google, annas)


@pytest.mark.rule("R13", "R18")
def test_a_session_killed_after_the_insert_leaves_one_event_and_the_next_links_it(google, anna, annas, monkeypatch):
    from sync import writing

    class Killed(BaseException):
        """The process ends here."""

    def die(*_args: Any, **_values: Any) -> None:
        raise Killed

    activity = tagged(anna)
    with monkeypatch.context() as patch:
        patch.setattr(writing, "adopt", die)
        with pytest.raises(Killed):
            synchronize(annas)
    assert EventLink.objects.get().state == "inserting"

    synchronize(annas)

    assert len(google.person("anna@northfold.example").events()) == 1
    link = EventLink.objects.get()
    assert (link.state, link.activity) == ("linked", activity)
    change(activity, anna, subject="Still linked")
    synchronize(annas)
    assert [event["summary"] for event in google.person("anna@northfold.example").events()] == ["Still linked"]
    assert_quiet(google, annas)


@pytest.mark.rule("R13", "R6")
def test_what_the_organizer_changed_after_an_insert_that_was_cut_off_goes_out_hours_later(
    google, anna, annas, boris, monkeypatch
):
    from sync import writing

    def die(*_args: Any, **_values: Any) -> None:
        raise KeyboardInterrupt

    google.add_account("boris@northfold.example")
    activity = tagged(anna, participants=[boris])
    with monkeypatch.context() as patch:
        patch.setattr(writing, "adopt", die)
        with pytest.raises(KeyboardInterrupt):
            synchronize(annas)
    SyncedCalendar.objects.update(lease_by="", lease_until=None)
    change(activity, anna, subject="Moved to Lund")
    FieldChange.objects.update(at=timezone.now() - timedelta(hours=2))

    synchronize(annas)

    assert [event["summary"] for event in google.person("anna@northfold.example").events()] == ["Moved to Lund"]
    assert only_activity().subject == "Moved to Lund"


@pytest.mark.rule("R22", "R13")
def test_disconnecting_and_reconnecting_doubles_nothing(google, anna, annas):
    from sync import connections

    activity = tagged(anna)
    google.person("anna@northfold.example").create_event({"summary": "Dentist", **TEN})
    synchronize(annas)

    connections.disconnect(account=ExternalAccount.objects.get())
    change(activity, anna, subject="Changed while disconnected")
    calendar = connect(google, anna.user)
    session = synchronize(calendar)

    assert counts(session) == {"updated_in_google": 1}
    assert Activity.objects.count() == 2
    assert {event["summary"] for event in google.person("anna@northfold.example").events()} == {
        "Changed while disconnected",
        "Dentist",
    }


@pytest.mark.rule("R9", "R22")
def test_forgotten_links_resume_when_that_account_comes_back(google, anna, annas):
    from sync import connections

    google.person("anna@northfold.example").create_event({"summary": "Dentist", **TEN})
    synchronize(annas)
    connections.disconnect(account=annas.account)
    google.add_account("anna@private.example")
    tokens = google.grant("anna@private.example", scopes=["openid"])
    from sync.google import oauth

    grant = oauth.Grant(tokens["sub"], "anna@private.example", True, {"refresh_token": "x"}, oauth.SCOPES)
    other = connections.connect(profile=anna, grant=grant, now=timezone.now(), old_links=connections.OldLinks.FORGET)
    connections.disconnect(account=other)

    calendar = connect(google, anna.user)
    synchronize(calendar)

    assert Activity.objects.count() == 1
    assert len(google.person("anna@northfold.example").events()) == 1
    assert_quiet(google, calendar)


@pytest.mark.rule("R13", "R4")
def test_what_was_added_and_does_not_qualify_any_more_is_linked_and_frozen(google, anna, annas, monkeypatch):
    from sync import writing

    class Killed(BaseException):
        """The process ends here."""

    def die(*_args: Any, **_values: Any) -> None:
        raise Killed

    activity = tagged(anna)
    with monkeypatch.context() as patch:
        patch.setattr(writing, "adopt", die)
        with pytest.raises(Killed):
            synchronize(annas)
    services.remove_tag(activity=activity, tag=sync_tag(anna), by=anna)

    synchronize(annas)

    assert len(google.person("anna@northfold.example").events()) == 1
    assert EventLink.objects.get().state == "frozen"
    assert_quiet(google, annas)


@pytest.mark.rule("R13")
def test_what_was_not_added_and_does_not_qualify_any_more_is_asked_about_once_and_forgotten(google, anna, annas):
    activity = tagged(anna)
    google.fail(status=403, reason="forbidden", method="POST", path="/events")
    synchronize(annas)
    link = EventLink.objects.get()
    services.remove_tag(activity=activity, tag=sync_tag(anna), by=anna)
    EventLink.objects.update(retry_at=timezone.now() - timedelta(seconds=1))
    google.requests.clear()

    synchronize(annas)

    assert google.requests.count(method="GET", path=f"/events/{link.event_id}") == 1
    assert google.requests.writes() == []
    assert not EventLink.objects.exists()
    assert google.person("anna@northfold.example").events() == []


@pytest.mark.rule("R9", "R14")
def test_an_event_taken_out_of_the_bin_beside_its_successor_is_met_as_well(google, anna, annas, boris, boriss):
    boris_there = google.person("boris@northfold.example")
    event = boris_there.create_event({"summary": "Review", "attendees": [{"email": "anna@northfold.example"}], **TEN})
    for calendar in (boriss, annas):
        synchronize(calendar)
    boris_there.delete(event["id"])
    synchronize(annas)
    change(only_activity(), boris, location="Room 4")
    synchronize(boriss)  # Changed here since: the event returns under another id.
    boris_there.restore(event["id"])

    for calendar in (annas, boriss, annas):
        assert synchronize(calendar).status == "succeeded"

    live = {shown["id"] for shown in google.person("anna@northfold.example").events()}
    assert len(live) == 2
    linked = EventLink.objects.filter(calendar=annas, activity__isnull=False, state="linked")
    assert set(linked.values_list("event_id", flat=True)) == live
    for calendar in (annas, boriss):
        assert_quiet(google, calendar)
