"""Several addresses, accounts and calendars of one person, and who is told about it (R3, R5, R10, R14, R17, R21)."""

from __future__ import annotations

from datetime import date, timedelta

import httplib2
import pytest
from django.utils import timezone

from accounts.models import CommunicationOption, ExternalAccount
from activities import services
from activities.models import Activity, FieldChange, Tag
from sync import connections, explain, marks, removal
from sync.models import EventLink, SyncSettings
from tests.factories import make_user
from tests.google import connect, sync_tag, synchronize
from tests.sync.helpers import TEN, assert_quiet, change, invite_both, only_activity, tagged
from tests.sync.test_coming_back import reconnect_as

pytestmark = pytest.mark.django_db(transaction=True)
ANNA, BORIS, MARIA = "anna@northfold.example", "boris@northfold.example", "maria@partner.example"
ALIAS = "boris@private.example"


def answer_in_google(google, event_id, address=BORIS, of=ANNA):
    guests = google.person(of).event(event_id)["attendees"]
    return next(guest["responseStatus"] for guest in guests if guest["email"] == address)


def respond(activity, profile, response):
    services.respond(activity=activity, profile=profile, response=response, now=timezone.now())


@pytest.mark.rule("R10")
def test_the_answer_of_who_is_invited_by_two_addresses_is_that_of_their_own_copy(google, anna, annas, boris, boriss):
    """R10: a participant's own answer <-> own responseStatus, both, in that person's session."""
    CommunicationOption.objects.create(profile=boris, value=ALIAS)
    google.add_account(ALIAS)
    event = google.person(ANNA).create_event(
        {"summary": "Review", "attendees": [{"email": BORIS}, {"email": ALIAS}], **TEN}
    )
    google.person(ALIAS).respond(event["id"], "declined")
    google.person(BORIS).respond(event["id"], "accepted")
    synchronize(annas)
    synchronize(boriss)
    respond(only_activity(), boris, "declined")
    synchronize(boriss)
    assert answer_in_google(google, event["id"]) == "declined"
    assert only_activity().participants.get(profile=boris).response == "declined"


@pytest.mark.rule("R3")
@pytest.mark.parametrize("kind", ["corporate", "public"])
def test_a_synchronization_tag_that_is_public_by_now_is_put_on_nothing(google, anna, annas, kind):
    """R3: tagged with your synchronization tag, so that later changes can travel back; R1c: a private tag of yours."""
    tag = sync_tag(anna)
    SyncSettings.objects.filter(profile=anna).update(tag=tag)
    Tag.objects.filter(pk=tag.pk).update(kind=kind, owner=None)  # As an administrator's page does.
    google.person(ANNA).create_event({"summary": "Dentist", **TEN})
    synchronize(annas)
    assert not Activity.objects.filter(tags__kind=kind).exists()


@pytest.mark.rule("R5")
def test_what_a_colleague_organizes_with_an_account_they_have_not_connected_runs_by_who_has_it(
    google, anna, annas, boris, boriss
):
    """R5: synchronization runs by the Organizer; of an account that is not connected nobody's session ever runs."""
    CommunicationOption.objects.create(profile=anna, value="anna@private.example")
    google.add_account("anna@private.example")
    event = google.person("anna@private.example").create_event(
        {"summary": "Picnic", "attendees": [{"email": BORIS}], **TEN}
    )
    synchronize(boriss)
    synchronize(annas)
    google.person("anna@private.example").edit(event["id"], {"summary": "Picnic at the lake"})
    synchronize(annas)
    synchronize(boriss)
    assert only_activity().subject == "Picnic at the lake"


@pytest.mark.rule("R21")
def test_what_is_in_ones_own_former_account_is_not_said_to_be_a_colleagues(google, anna, annas):
    """R21: every activity answers "Why is this (not) in Google?" with the rule and the next step."""
    activity = tagged(anna)
    synchronize(annas)
    connections.disconnect(account=ExternalAccount.objects.get(profile=anna))
    synchronize(reconnect_as(google, anna.user, "anna@elsewhere.example", connections.OldLinks.KEEP))
    found = explain.explain(activity=activity, profile=anna, now=timezone.now())
    assert found.state == "not_in_google"
    assert "colleague" not in " ".join(reason.text for reason in found.reasons)


@pytest.mark.rule("R21")
def test_in_a_shared_calendar_the_page_names_who_stays_its_organizer(google, anna, boris):
    google.add_account(ANNA)
    google.add_account(BORIS)
    team = google.add_calendar(ANNA, summary="Team")
    google.share_calendar(team.id, with_email=BORIS, role="writer")
    annas = connect(google, anna.user, calendar_id=team.id)
    boriss = connect(google, boris.user, calendar_id=team.id)
    google.person(ANNA, calendar_id=team.id).create_event({"summary": "Sprint", **TEN})
    synchronize(annas)
    synchronize(boriss)
    activity = only_activity()
    assert activity.organizer == anna
    found = explain.explain(activity=activity, profile=boris, now=timezone.now())
    assert not [reason.text for reason in found.reasons if "You will be its Organizer" in reason.text]


@pytest.mark.rule("R17")
@pytest.mark.parametrize("what", ["reminder", "answer", "priority"])
def test_what_is_made_anew_for_an_old_change_is_no_news_for_what_never_leaves(google, anna, annas, boris, boriss, what):
    """R17: sendUpdates=all only for a fresh change (24 hours) a person made in Creatio to the event."""
    event = invite_both(google)
    synchronize(annas)
    synchronize(boriss)
    activity = only_activity()
    change(activity, anna, subject="Renamed")
    three_days_ago = timezone.now() - timedelta(days=3)
    FieldChange.objects.update(at=three_days_ago)
    EventLink.objects.update(settled_at=three_days_ago - timedelta(days=1))
    google.person(ANNA).delete(event["id"], notify=False)
    google.mail.clear()
    if what == "reminder":
        services.set_reminder(activity=activity, profile=anna, minutes=5, now=timezone.now())
    elif what == "answer":
        respond(activity, boris, "tentative")
    else:
        change(activity, anna, priority="high")
    synchronize(annas)
    assert [one["summary"] for one in google.person(ANNA).events()] == ["Renamed"]
    assert [mail.to for mail in google.mail] == []


@pytest.mark.rule("R5")
@pytest.mark.parametrize("first", ["anna", "boris"])
def test_what_its_organizer_keeps_in_a_calendar_they_do_not_synchronize_runs_by_a_guest(
    google, anna, boris, boriss, first
):
    """R5: content flows in the Organizer's session. Anna's never meets the event, so nothing comes from Google."""
    google.add_account(ANNA)
    team = google.add_calendar(ANNA, summary="Team")
    annas = connect(google, anna.user, calendar_id=team.id)
    event = invite_both(google)
    for calendar in [annas, boriss] if first == "anna" else [boriss, annas]:
        synchronize(calendar)
    google.person(ANNA).edit(event["id"], {"summary": "Renamed"})
    synchronize(annas)
    synchronize(boriss)
    assert only_activity().subject == "Renamed"


@pytest.mark.rule("R5")
def test_what_ends_before_the_organizers_window_runs_by_a_guest(google, anna, annas, boris, boriss):
    """R5, R1f: it is outside of Anna's Synchronize from, so her session never takes it in."""
    SyncSettings.objects.filter(profile=anna).update(sync_from=date(2027, 6, 1))
    event = invite_both(google)
    synchronize(boriss)
    synchronize(annas)
    google.person(ANNA).edit(event["id"], {"summary": "Renamed"})
    synchronize(annas)
    synchronize(boriss)
    assert only_activity().subject == "Renamed"


@pytest.mark.rule("R21")
def test_who_declined_in_google_is_told_so(google, anna, annas, boris, boriss):
    """R21: with the rule and the next step; "once Google has invited you" is neither."""
    activity = tagged(anna, participants=[boris])
    synchronize(annas)
    [event] = google.person(ANNA).events()
    google.person(BORIS).respond(event["id"], "declined")
    synchronize(boriss)
    found = explain.explain(activity=activity, profile=boris, now=timezone.now())
    assert "once Google has invited you" not in " ".join(reason.text for reason in found.reasons)


@pytest.mark.rule("R14", "R5")
@pytest.mark.parametrize("first", ["anna", "boris"])
def test_a_meeting_moved_to_a_calendar_that_nobody_synchronizes_goes_on_for_its_guests(
    google, anna, annas, boris, boriss, first
):
    """R14: Canceled when it is on the organizer's own copy, or on every copy."""
    event = invite_both(google)
    synchronize(annas)
    synchronize(boriss)
    team = google.add_calendar(ANNA, summary="Team")
    google.person(ANNA).move(event["id"], to=team.id)
    assert google.person(BORIS).event(event["id"])["status"] == "confirmed"
    for calendar in [annas, boriss, annas, boriss] if first == "anna" else [boriss, annas, boriss, annas]:
        synchronize(calendar)
    assert [activity.status for activity in Activity.objects.visible_to(boris)] == ["not_started"]


@pytest.mark.rule("R10", "R14")
def test_an_answer_here_after_declining_in_google_before_the_own_session_reaches_google(
    google, anna, annas, boris, boriss
):
    """R10: the own answer flows in that person's session, both ways."""
    activity = tagged(anna, participants=[boris])
    synchronize(annas)
    [event] = google.person(ANNA).events()
    google.person(BORIS).respond(event["id"], "declined")
    synchronize(boriss)
    synchronize(annas)
    assert activity.participants.get(profile=boris).response == "declined"
    respond(activity, boris, "accepted")
    synchronize(boriss)
    synchronize(annas)
    assert answer_in_google(google, event["id"]) == "accepted"


@pytest.mark.rule("R7", "R8", "R9")
@pytest.mark.parametrize("first", ["anna", "boris"])
def test_who_is_invited_by_a_group_stays_after_the_organizers_next_session(google, anna, annas, boris, boriss, first):
    """R8: sees it once a session of their own has met the event; R3: whoever joins gets their own tag on it."""
    google.add_group("team@northfold.example", [BORIS, MARIA])
    event = google.person(ANNA).create_event(
        {"summary": "Review", "attendees": [{"email": "team@northfold.example"}], **TEN}
    )
    for calendar in [annas, boriss] if first == "anna" else [boriss, annas]:
        synchronize(calendar)
    assert Activity.objects.visible_to(boris).exists()
    google.person(ANNA).edit(event["id"], {"summary": "Renamed"})
    for calendar in (annas, boriss, annas, boriss):
        synchronize(calendar)
    assert only_activity().subject == "Renamed"
    assert Activity.objects.visible_to(boris).exists()
    change(only_activity(), anna, subject="Ours")
    services.add_participant(activity=only_activity(), profile=make_user("clara").profile, by=anna, now=timezone.now())
    synchronize(annas)
    shown = google.person(ANNA).event(event["id"])
    assert BORIS not in {guest["email"] for guest in shown["attendees"]}
    assert Activity.objects.visible_to(boris).exists()
    for calendar in (annas, boriss):
        synchronize(calendar)
        assert_quiet(google, calendar)


@pytest.mark.rule("R9", "R22")
def test_an_invitation_from_the_organizers_new_account_is_joined(google, anna, annas, boris, boriss):
    """R9: one activity per meeting; R19: a bad item is parked with its reason, shown. Here it is neither, for ever."""
    activity = tagged(anna, participants=[boris])
    synchronize(annas)
    connections.disconnect(account=ExternalAccount.objects.get(profile=anna))
    other = reconnect_as(google, anna.user, "anna@elsewhere.example", connections.OldLinks.FORGET)
    synchronize(other)
    for calendar in (boriss, other, boriss):
        synchronize(calendar)
    link = EventLink.objects.get(calendar=boriss, activity=activity)
    assert link.event_id == EventLink.objects.get(calendar=other, activity=activity).event_id
    assert not EventLink.objects.filter(calendar=boriss, is_marked=True).exists()


@pytest.mark.rule("R4", "R21")
def test_what_was_removed_from_a_deleted_calendar_is_added_to_the_one_chosen_since(google, anna):
    """R4: offers Remove from Google Calendar; R21: the page says that the next session adds it."""
    google.add_account(ANNA)
    team = google.add_calendar(ANNA, summary="Team")
    annas = connect(google, anna.user, calendar_id=team.id)
    activity = tagged(anna)
    synchronize(annas)
    token = google.grant(ANNA, scopes=["https://www.googleapis.com/auth/calendar"])["access_token"]
    address = f"{google.url}/calendar/v3/calendars/{team.id}"
    httplib2.Http().request(address, "DELETE", headers={"Authorization": f"Bearer {token}"})
    synchronize(annas)
    SyncSettings.objects.update(calendar_id="primary")
    marks.mark_everything(calendar=annas)
    synchronize(annas)
    removal.remove_from_google(activity=activity, profile=anna, now=timezone.now())
    found = explain.explain(activity=activity, profile=anna, now=timezone.now())
    assert found.next_step == "The next session adds it."
    synchronize(annas)
    assert [event["summary"] for event in google.person(ANNA).events()] == ["Renewal call"]
