"""Who comes back: added again, with another account, by a calendar that others synchronize as well (R5, R7 to R10)."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from accounts.models import ExternalAccount
from activities import services
from activities.models import Activity
from google_emulator import Emulator
from sync import connections, explain, removal
from sync.google import oauth
from sync.models import EventLink, SyncedCalendar
from tests.factories import make_user
from tests.google import connect, synchronize
from tests.sync.helpers import TEN, assert_quiet, change, invite_both, only_activity

pytestmark = pytest.mark.django_db(transaction=True)
ANNA, BORIS, MARIA = "anna@northfold.example", "boris@northfold.example", "maria@partner.example"


def answer_of_boris(google: Emulator, event_id: str) -> str:
    guests = google.person(ANNA).event(event_id)["attendees"]
    return str(next(guest["responseStatus"] for guest in guests if guest["email"] == BORIS))


@pytest.mark.rule("R10")
@pytest.mark.parametrize("before", ["needsAction", "accepted"])
@pytest.mark.parametrize("repeats", [False, True], ids=["one", "series"])
def test_who_joins_brings_the_answer_they_gave_in_google(google, anna, annas, boris, boriss, repeats, before):
    """What the Organizer's session had seen of it is nothing that Boris's own two sides ever agreed on."""
    google.add_account(MARIA, name="Maria")
    rule = {"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"]} if repeats else {}
    guests = {"attendees": [{"email": BORIS}, {"email": MARIA}]}
    event = google.person(ANNA).create_event({"summary": "Review", **guests, **TEN, **rule})
    google.person(BORIS).respond(event["id"], before)
    synchronize(annas)
    google.person(BORIS).respond(event["id"], "tentative")

    synchronize(boriss)

    assert answer_of_boris(google, event["id"]) == "tentative"
    assert {one.participants.get(profile=boris).response for one in Activity.every.all()} == {"tentative"}
    synchronize(annas)
    assert {one.participants.get(profile=boris).response for one in Activity.every.all()} == {"tentative"}
    assert_quiet(google, boriss)
    assert_quiet(google, annas)


@pytest.mark.rule("R7", "R8", "R10")
@pytest.mark.parametrize("where", ["here", "google"])
@pytest.mark.parametrize("first", ["anna", "boris"])
def test_who_is_taken_off_and_added_again_takes_part_with_the_answer_in_google(
    google, anna, annas, boris, boriss, where, first
):
    event = invite_both(google)
    synchronize(annas)
    synchronize(boriss)
    google.person(BORIS).respond(event["id"], "accepted")
    synchronize(boriss)
    synchronize(annas)
    activity = only_activity()
    if where == "here":
        services.remove_participant(activity=activity, profile=boris, by=anna, now=timezone.now())
        synchronize(annas)
        synchronize(boriss)
        services.add_participant(activity=activity, profile=boris, by=anna, now=timezone.now())
        synchronize(annas)
    else:
        google.person(ANNA).edit(event["id"], {"attendees": [{"email": MARIA}]})
        synchronize(annas)
        synchronize(boriss)
        assert not Activity.objects.visible_to(boris).exists()
        google.person(ANNA).edit(event["id"], {"attendees": [{"email": MARIA}, {"email": BORIS}]})
        synchronize(annas if first == "anna" else boriss)
        if first == "boris":
            assert Activity.objects.visible_to(boris).exists()
    google.person(BORIS).respond(event["id"], "accepted")

    for calendar in [annas, boriss] if first == "anna" else [boriss, annas]:
        synchronize(calendar)
        synchronize(calendar)

    assert answer_of_boris(google, event["id"]) == "accepted"
    person = only_activity().participants.get(profile=boris)
    assert (person.response, person.displayed) == ("accepted", True)
    assert_quiet(google, boriss)
    assert_quiet(google, annas)


@pytest.mark.rule("R7", "R11")
def test_who_is_taken_off_here_before_their_own_session_stays_off(google, anna, annas, boris, boriss):
    event = invite_both(google)
    synchronize(annas)
    services.remove_participant(activity=only_activity(), profile=boris, by=anna, now=timezone.now())

    synchronize(boriss)
    synchronize(annas)

    assert not only_activity().participants.filter(profile=boris).exists()
    guests = {guest["email"] for guest in google.person(ANNA).event(event["id"])["attendees"]}
    assert BORIS not in guests
    synchronize(boriss)
    assert_quiet(google, boriss)
    assert_quiet(google, annas)


@pytest.mark.rule("R5", "R22")
@pytest.mark.parametrize("old", ["keep", "forget"])
def test_the_meeting_of_an_account_that_was_replaced_runs_by_who_still_has_it(google, anna, annas, boris, boriss, old):
    """Anna synchronizes, but another account, which has none of her former meetings."""
    event = invite_both(google)
    synchronize(annas)
    synchronize(boriss)
    connections.disconnect(account=ExternalAccount.objects.get(profile=anna))
    other = reconnect_as(google, anna.user, "anna@elsewhere.example", connections.OldLinks(old))
    synchronize(other)
    google.person(ANNA).edit(event["id"], {"summary": "Renamed"})

    synchronize(boriss)

    assert (only_activity().subject, only_activity().organizer) == ("Renamed", boris)
    assert_quiet(google, other)
    assert_quiet(google, boriss)


def reconnect_as(google: Emulator, user: User, address: str, old_links: connections.OldLinks) -> SyncedCalendar:
    google.add_account(address, name=user.profile.full_name)
    tokens = google.grant(address, scopes=oauth.SCOPES)
    credentials = {
        "refresh_token": tokens["refresh_token"],
        "access_token": tokens["access_token"],
        "expires_at": "2099-01-01T00:00:00+00:00",
    }
    grant = oauth.Grant(
        subject=tokens["sub"], login=address, is_login_verified=True, credentials=credentials, scopes=oauth.SCOPES
    )
    account = connections.connect(profile=user.profile, grant=grant, now=timezone.now(), old_links=old_links)
    return account.synced_calendar


@pytest.mark.rule("R9", "R13")
def test_an_event_whose_activity_was_deleted_after_its_removal_comes_in_anew(google, anna, annas):
    """The activity out of sight is nobody's meeting any more, and holds nothing up."""
    event = google.person(ANNA).create_event({"summary": "Alone", **TEN})
    synchronize(annas)
    activity = only_activity()
    services.remove_tag(activity=activity, tag=activity.tags.get(), by=anna)
    synchronize(annas)
    removal.remove_from_google(activity=activity, profile=anna, now=timezone.now())
    services.delete(activity=activity, by=anna, now=timezone.now())
    synchronize(annas)
    google.person(ANNA).restore(event["id"])

    synchronize(annas)

    assert [one.subject for one in Activity.objects.filter(deleted_at=None)] == ["Alone"]
    assert_quiet(google, annas)


@pytest.mark.rule("R4", "R21")
def test_a_guest_without_the_tag_is_told_by_whose_calendar_it_runs(google, anna, annas, boris, boriss):
    invite_both(google)
    synchronize(annas)
    synchronize(boriss)
    activity = only_activity()
    services.remove_tag(activity=activity, tag=activity.tags.get(owner=boris), by=boris)

    synchronize(boriss)

    assert EventLink.objects.get(calendar=boriss).state == EventLink.State.LINKED
    explained = explain.explain(activity=activity, profile=boris, now=timezone.now())
    assert (explained.state, explained.runs_by) == ("in_google", "the calendar of Anna")


@pytest.mark.rule("R5", "R7", "R9", "R17")
def test_a_calendar_that_two_synchronize_has_one_activity_for_both(google, anna, boris):
    """Google calls the calendar the organizer, in either account; neither is a guest."""
    for email in (ANNA, BORIS, MARIA):
        google.add_account(email)
    team = google.add_calendar(ANNA, summary="Team")
    google.share_calendar(team.id, with_email=BORIS, role="writer")
    annas = connect(google, anna.user, calendar_id=team.id)
    boriss = connect(google, boris.user, calendar_id=team.id)
    event = google.person(ANNA, calendar_id=team.id).create_event(
        {"summary": "Sprint", "attendees": [{"email": MARIA}], **TEN}
    )

    for calendar in (annas, boriss, annas, boriss):
        synchronize(calendar)

    activity = only_activity()
    assert {person.profile for person in activity.participants.all()} == {anna, boris}
    assert activity.organizer == anna
    for person in (anna, boris):
        assert Activity.objects.visible_to(person).get() == activity

    google.mail.clear()
    change(activity, anna, subject="Sprint review")
    services.add_participant(activity=activity, profile=make_user("clara").profile, by=anna, now=timezone.now())
    google.person(BORIS, calendar_id=team.id).edit(event["id"], {"location": "Room 5"})
    for calendar in (boriss, annas):
        synchronize(calendar)

    shown = google.person(ANNA, calendar_id=team.id).event(event["id"])
    assert (shown["summary"], shown["location"]) == ("Sprint review", "Room 5")
    assert only_activity().location == "Room 5"
    assert BORIS not in {guest["email"] for guest in shown["attendees"]}
    assert not [mail for mail in google.mail if mail.to == BORIS]
    for calendar in (boriss, annas):
        synchronize(calendar)
        assert_quiet(google, calendar)

    connections.disconnect(account=ExternalAccount.objects.get(profile=anna))
    google.person(BORIS, calendar_id=team.id).edit(event["id"], {"location": "Room 6"})
    synchronize(boriss)

    activity = only_activity()
    assert (activity.location, activity.organizer) == ("Room 6", boris)
    assert {person.profile for person in activity.participants.all()} >= {anna, boris}
    assert_quiet(google, boriss)
