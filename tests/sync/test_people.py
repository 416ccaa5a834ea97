"""Who organizes, who takes part, who sees and who may change, end to end (R5 to R9)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import CommunicationOption
from activities import series, services
from activities.models import Activity, FieldChange
from sync import conflicts, explain, preview, words
from sync.models import EventLink, SyncedCalendar
from tests.activities.test_form import opened
from tests.factories import make_activity, make_user
from tests.google import connect, sync_tag, synchronize
from tests.sync.helpers import (
    DUE,
    START,
    TEN,
    assert_quiet,
    change,
    counts,
    fresh,
    invite_both,
    only_activity,
    tagged,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.embedded]


@pytest.mark.rule("R3", "R5", "R7", "R8")
def test_a_meeting_gets_exactly_the_guests_who_are_users(google, anna, annas, boris):
    google.add_account("boris@northfold.example")
    invite_both(google)

    synchronize(annas)

    activity = only_activity()
    assert activity.category == "meeting"
    assert {person.profile for person in activity.participants.all()} == {anna, boris}
    assert [guest["email"] for guest in activity.other_guests] == ["maria@partner.example"]
    assert not activity.participants.get(profile=boris).displayed
    assert not Activity.objects.visible_to(boris).exists()
    assert Activity.objects.visible_to(anna).exists()


@pytest.mark.rule("R8", "R9", "R3")
def test_a_participant_sees_it_after_their_own_session_and_nothing_is_doubled(google, anna, annas, boris, boriss):
    invite_both(google)
    synchronize(annas)

    session = synchronize(boriss)

    activity = only_activity()
    assert Activity.objects.visible_to(boris).get() == activity
    assert [outcome.action for outcome in session.outcomes.all()] == ["joined"]
    assert activity.organizer == anna
    assert {tag.owner for tag in activity.tags.all()} == {anna, boris}
    assert EventLink.objects.filter(activity=activity).count() == 2
    assert_quiet(google, boriss)
    assert_quiet(google, annas)


@pytest.mark.rule("R5", "R9")
def test_whoever_synchronizes_first_makes_the_activity_and_the_true_organizer_takes_over(
    google, anna, annas, boris, boriss
):
    invite_both(google)
    synchronize(boriss)
    assert only_activity().organizer == anna  # Anna has synchronization set up.

    synchronize(annas)

    assert only_activity().organizer == anna
    assert Activity.objects.visible_to(anna).exists()


@pytest.mark.rule("R5")
def test_without_an_organizer_who_synchronizes_the_participant_becomes_organizer(google, anna, boris, boriss):
    google.add_account("anna@northfold.example")
    invite_both(google)

    synchronize(boriss)

    activity = only_activity()
    assert (activity.organizer, activity.google_organizer) == (boris, "anna@northfold.example")

    annas = connect(google, anna.user)
    session = synchronize(annas)

    assert only_activity().organizer == anna
    assert "taken_over" in [outcome.action for outcome in session.outcomes.all()]


@pytest.mark.rule("R5", "R7", "R10")
def test_the_organizers_changes_travel_back_and_other_guests_stay_untouched(google, anna, annas, boris, boriss):
    event = invite_both(google)
    synchronize(annas)
    synchronize(boriss)
    google.person("maria@partner.example").respond(event["id"], "tentative", comment="Perhaps later")
    activity = only_activity()

    change(activity, anna, subject="Quarterly review, room 5", location="Room 5")
    clara = make_user("clara").profile
    services.add_participant(activity=activity, profile=clara, by=anna, now=timezone.now())
    services.remove_participant(activity=activity, profile=boris, by=anna, now=timezone.now())
    synchronize(annas)

    shown = google.person("anna@northfold.example").event(event["id"])
    guests = {guest["email"]: guest for guest in shown["attendees"]}
    assert shown["summary"] == "Quarterly review, room 5"
    assert "boris@northfold.example" not in guests
    assert guests["clara@northfold.example"]["responseStatus"] == "needsAction"
    assert (guests["maria@partner.example"]["responseStatus"], guests["maria@partner.example"]["comment"]) == (
        "tentative",
        "Perhaps later",
    )
    synchronize(boriss)
    assert_quiet(google, annas)


@pytest.mark.rule("R5", "R6")
def test_in_a_participants_session_only_the_answer_flows(google, anna, annas, boris, boriss):
    event = invite_both(google)
    synchronize(annas)
    synchronize(boriss)
    activity = only_activity()
    google.person("anna@northfold.example").edit(event["id"], {"summary": "Renamed by Anna"})
    services.respond(activity=activity, profile=boris, response="accepted", now=timezone.now())

    session = synchronize(boriss)

    assert counts(session) == {"updated_in_google": 1}
    [outcome] = session.outcomes.all()
    assert words.changes(outcome) == [("Response", "No answer", "Accepted")]
    assert fresh(activity).subject == "Quarterly review"
    shown = google.person("anna@northfold.example").event(event["id"])
    assert {guest["email"]: guest["responseStatus"] for guest in shown["attendees"]}[
        "boris@northfold.example"
    ] == "accepted"

    google.person("boris@northfold.example").respond(event["id"], "tentative")
    assert counts(synchronize(boriss)) == {"updated_here": 1}
    assert activity.participants.get(profile=boris).response == "tentative"
    assert_quiet(google, boriss)


@pytest.mark.rule("R6")
def test_a_participants_pages_are_read_only_and_a_foreign_change_is_taken_back(google, anna, annas, boris, boriss):
    invite_both(google)
    synchronize(annas)
    synchronize(boriss)
    activity = only_activity()
    with pytest.raises(services.UnableToChange, match="Only the Organizer"):
        change(activity, boris, subject="Taken over")

    Activity.objects.filter(pk=activity.pk).update(subject="By an import")
    services.announce(activity, by=None)
    session = synchronize(annas)

    assert fresh(activity).subject == "Quarterly review"
    kept = session.outcomes.get(action="replaced")
    assert (kept.rule, kept.here, kept.google, kept.kept) == ("R6", "By an import", "Quarterly review", "google")


@pytest.mark.rule("R6", "R2")
def test_what_google_lets_nobody_here_change_comes_back(google, anna, annas):
    google.add_account("maria@partner.example")
    google.person("maria@partner.example").create_event(
        {"summary": "Fair", "attendees": [{"email": "anna@northfold.example"}], **TEN}
    )
    synchronize(annas)
    activity = only_activity()
    assert activity.organizer == anna
    with pytest.raises(services.UnableToChange, match="not allowed guests"):
        change(activity, anna, subject="Mine now")


NOT_OURS = "Only its organizer in Google cancels or deletes it. Decline it instead."


def invited_by_maria(google, **values):
    """Somebody outside invites Anna and Boris, who may change the event."""
    google.add_account("maria@partner.example", name="Maria")
    guests = [{"email": "anna@northfold.example"}, {"email": "boris@northfold.example"}]
    return google.person("maria@partner.example").create_event(
        {"summary": "Fair", "guestsCanModify": True, "attendees": guests, **TEN, **values}
    )


@pytest.mark.rule("R6", "R14", "R21")
def test_who_organizes_here_what_somebody_else_organizes_in_google_does_not_cancel_it(
    google, anna, annas, boris, boriss, client
):
    invited_by_maria(google)
    for calendar in (annas, boriss):
        synchronize(calendar)
    activity = only_activity()
    change(activity, anna, location="Hall 4")  # That, Google lets them.
    client.force_login(anna.user)

    with pytest.raises(services.UnableToChange, match=NOT_OURS):
        services.set_status(activity=activity, by=anna, status="canceled", now=timezone.now())
    with pytest.raises(services.UnableToChange, match=NOT_OURS):
        services.delete(activity=activity, by=anna, now=timezone.now())
    asked = client.get(f"/activities/{activity.pk}/").content.decode()
    refused = client.post(f"/activities/{activity.pk}/delete/", follow=True).content.decode()
    saved = client.post(f"/activities/{activity.pk}/", opened(activity) | {"status": "canceled"})

    assert "You cannot delete this activity" in asked
    assert all(NOT_OURS in shown for shown in (asked, refused))
    assert saved.context["form"].non_field_errors() == [NOT_OURS]
    for calendar in (annas, boriss):
        synchronize(calendar)
    [event] = google.person("maria@partner.example").events()
    assert (event["location"], fresh(activity).status) == ("Hall 4", "not_started")
    services.respond(activity=activity, profile=anna, response="declined", now=timezone.now())  # The next step.
    synchronize(annas)
    [event] = google.person("maria@partner.example").events()
    answers = {guest["email"]: guest["responseStatus"] for guest in event["attendees"]}
    assert answers["anna@northfold.example"] == "declined"


@pytest.mark.rule("R6", "R14", "R21")
@pytest.mark.parametrize("gone", [{"status": "canceled"}, {"deleted_at": timezone.now()}])
def test_what_an_import_cancels_of_somebody_elses_event_comes_back(google, anna, annas, boris, boriss, gone):
    invited_by_maria(google)
    for calendar in (annas, boriss):
        synchronize(calendar)
    activity = only_activity()
    Activity.objects.filter(pk=activity.pk).update(**gone)
    field = "status" if "status" in gone else "deleted"
    FieldChange.objects.create(activity=activity, field=field, after="canceled", by=anna, at=timezone.now())
    services.announce(activity, by=anna)

    told = explain.explain(activity=Activity.every.get(), profile=anna, now=timezone.now())
    planned = preview.preview(calendar=annas, now=timezone.now())
    session = synchronize(annas)

    assert (told.state, told.next_step) == ("in_google", "The next session sets it back here.")
    assert NOT_OURS in [reason.text for reason in told.reasons]
    assert NOT_OURS in [action.reason for action in planned.actions]
    assert (fresh(activity).status, counts(session)) == ("not_started", {"updated_here": 1})
    kept = session.outcomes.get(action="replaced")
    assert (kept.rule, kept.reason, conflicts.why_not(kept, profile=anna)) == ("R6", NOT_OURS, NOT_OURS)
    for person in ("anna", "boris"):
        assert [event["status"] for event in google.person(f"{person}@northfold.example").events()] == ["confirmed"]
    for calendar in (boriss, annas):
        assert_quiet(google, calendar)


@pytest.mark.rule("R6", "R14", "R15")
def test_nor_one_occurrence_or_all_of_a_series(google, anna, annas, boris, boriss):
    invited_by_maria(google, recurrence=["RRULE:FREQ=WEEKLY;COUNT=3"])
    for calendar in (annas, boriss):
        synchronize(calendar)
    occurrence = Activity.objects.filter(series__isnull=False).earliest("start")
    for scope in (series.THIS, series.ALL):
        with pytest.raises(services.UnableToChange, match=NOT_OURS):
            series.delete(activity=occurrence, scope=scope, by=anna, now=timezone.now())
        with pytest.raises(services.UnableToChange, match=NOT_OURS):
            series.set_status(activity=occurrence, scope=scope, by=anna, status="canceled", now=timezone.now())

    Activity.objects.filter(pk=occurrence.pk).update(status="canceled")
    FieldChange.objects.create(activity=occurrence, field="status", after="canceled", by=anna, at=timezone.now())
    services.announce(fresh(occurrence), by=anna)
    synchronize(annas)

    assert fresh(occurrence).status == "not_started"
    assert not EventLink.objects.filter(event__status="cancelled").exists()
    assert_quiet(google, annas)


@pytest.mark.rule("R7")
def test_an_activity_with_participants_invites_them(google, anna, annas, boris):
    google.add_account("boris@northfold.example")
    nobody = make_user("nobody", email="").profile
    tagged(anna, participants=[boris, nobody])

    synchronize(annas)

    [event] = google.person("anna@northfold.example").events()
    assert {guest["email"]: guest["responseStatus"] for guest in event["attendees"]} == {
        "anna@northfold.example": "accepted",
        "boris@northfold.example": "needsAction",
    }
    assert [event["summary"] for event in google.person("boris@northfold.example").events()] == ["Renewal call"]
    assert_quiet(google, annas)


@pytest.mark.rule("R7")
def test_an_address_put_on_communication_options_later_makes_a_participant(google, anna, annas):
    from accounts.signals import emails_changed

    invite_both(google)
    synchronize(annas)
    maria = make_user("maria", email="").profile
    CommunicationOption.objects.create(profile=maria, value="Maria@partner.example")
    emails_changed.send(sender=None, addresses={"Maria@partner.example"})

    synchronize(annas)

    activity = only_activity()
    assert maria in {person.profile for person in activity.participants.all()}
    assert [guest["email"] for guest in activity.other_guests] == ["boris@northfold.example"]


@pytest.mark.rule("R9")
def test_a_forged_invitation_does_not_get_into_somebody_elses_meeting(google, anna, annas, boris, boriss):
    real = google.person("anna@northfold.example").create_event({"summary": "Board", **TEN})
    synchronize(annas)
    google.fill(
        "boris@northfold.example",
        [
            {
                "id": "forged12345",
                "iCalUID": real["iCalUID"],
                "summary": "Forged",
                "organizer": {"email": "anna@northfold.example"},
                **TEN,
            }
        ],
    )

    synchronize(boriss)

    assert Activity.objects.count() == 2
    assert not Activity.objects.get(subject="Board").participants.filter(profile=boris).exists()


@pytest.mark.rule("R9")
def test_two_sessions_at_the_same_instant_make_one_activity(google, anna, annas, boris, boriss, monkeypatch):
    from sync import store

    invite_both(google)
    synchronize(annas)
    look, first = store.links_of_meeting, [[]]  # At Boris's first look, Anna's link is not there yet.
    monkeypatch.setattr(store, "links_of_meeting", lambda run, facts: first.pop() if first else look(run, facts))

    session = synchronize(boriss)

    assert session.status == "succeeded"
    assert Activity.objects.count() == 1
    assert EventLink.objects.filter(activity=only_activity()).count() == 2


@pytest.mark.rule("R5")
def test_when_the_organizer_loses_access_a_participant_takes_over_and_unsent_work_is_kept(
    google, anna, annas, boris, boriss
):
    event = invite_both(google)
    synchronize(annas)
    synchronize(boriss)
    activity = only_activity()
    change(activity, anna, subject="Not sent yet")
    google.revoke_grants("anna@northfold.example")
    synchronize(annas)
    google.person("anna@northfold.example").edit(event["id"], {"location": "Room 7"})

    session = synchronize(boriss)

    assert only_activity().organizer == boris
    assert (fresh(activity).subject, fresh(activity).location) == ("Quarterly review", "Room 7")
    kept = session.outcomes.get(action="replaced")
    assert (kept.here, kept.google) == ("Not sent yet", "Quarterly review")
    assert len(google.person("anna@northfold.example").events()) == 1
    assert_quiet(google, boriss)


@pytest.mark.rule("R5")
def test_when_the_organizer_cannot_sign_in_any_more_a_participant_takes_over(google, anna, annas, boris, boriss):
    invite_both(google)
    synchronize(annas)
    synchronize(boriss)
    anna.user.is_active = False
    anna.user.save()

    SyncedCalendar.objects.update(compared_at=timezone.now() - timedelta(days=2))  # The daily comparison is due.
    synchronize(SyncedCalendar.objects.get(pk=boriss.pk))

    assert only_activity().organizer == boris


@pytest.mark.rule("R5")
def test_an_activity_without_organizer_goes_to_its_owner_who_synchronizes(google, anna, annas, boris, boriss):
    activity = tagged(anna, participants=[boris])
    Activity.objects.filter(pk=activity.pk).update(organizer=None, owner=boris)
    services.add_tag(activity=activity, tag=sync_tag(boris), by=boris)

    synchronize(annas)
    assert only_activity().organizer == boris
    assert google.person("anna@northfold.example").events() == []

    synchronize(boriss)
    assert len(google.person("boris@northfold.example").events()) == 1


@pytest.mark.rule("R7")
def test_a_participant_who_gets_an_address_is_invited(google, anna, annas):
    from accounts.signals import emails_changed

    clara = make_user("clara", email="").profile
    tagged(anna, participants=[clara])
    synchronize(annas)
    CommunicationOption.objects.create(profile=clara, value="clara@northfold.example")
    emails_changed.send(sender=None, addresses={"clara@northfold.example"})

    synchronize(annas)

    [event] = google.person("anna@northfold.example").events()
    assert "clara@northfold.example" in [guest["email"] for guest in event["attendees"]]


@pytest.mark.rule("R5", "R1")
def test_a_participant_sends_what_an_organizer_without_synchronization_made(google, anna, annas):
    clara = make_user("clara").profile
    activity = make_activity(
        by=clara, subject="Site visit", start=START, due=DUE, show_in_calendar=True, participants=[anna]
    )
    synchronize(annas)
    assert google.person("anna@northfold.example").events() == []  # It carries no tag of Anna's.

    services.add_tag(activity=activity, tag=sync_tag(anna), by=anna)
    session = synchronize(annas)

    [event] = google.person("anna@northfold.example").events()
    assert {guest["email"] for guest in event["attendees"]} == {"anna@northfold.example", "clara@northfold.example"}
    assert fresh(activity).organizer == anna
    taken = session.outcomes.get(action="taken_over")
    assert (taken.rule, taken.here, taken.google) == ("R5", clara.pk, anna.pk)
    assert_quiet(google, annas)


@pytest.mark.rule("R6")
def test_what_is_not_collective_may_be_changed_by_whoever_may_open_it(google, anna, annas, boris):
    activity = tagged(anna)
    synchronize(annas)

    change(activity, boris, subject="Renamed by a colleague")

    assert counts(synchronize(annas)) == {"updated_in_google": 1}
    [event] = google.person("anna@northfold.example").events()
    assert event["summary"] == "Renamed by a colleague"


@pytest.mark.rule("R5", "R10")
def test_who_takes_over_what_goes_out_takes_part_in_it(google, anna, boris, boriss):
    dora = make_user("dora").profile
    activity = tagged(boris, organizer=dora, participants=[boris, anna])
    assert activity.participants.get(profile=boris).response == "needs_action"

    synchronize(boriss)

    assert activity.participants.get(profile=boris).response == "accepted"
    [event] = google.person("boris@northfold.example").events()
    answers = {guest["email"]: guest["responseStatus"] for guest in event["attendees"]}
    assert answers["boris@northfold.example"] == "accepted"
    assert_quiet(google, boriss)


@pytest.mark.rule("R7", "R14", "R17")
def test_other_guests_come_along_when_a_meeting_returns(google, anna, annas):
    invite_both(google)
    synchronize(annas)
    activity = only_activity()
    services.set_status(activity=activity, by=anna, status="canceled", now=timezone.now())
    synchronize(annas)

    services.set_status(activity=activity, by=anna, status="not_started", now=timezone.now())
    synchronize(annas)

    [event] = google.person("anna@northfold.example").events()
    guests = {guest["email"] for guest in event["attendees"]}
    assert guests == {"anna@northfold.example", "boris@northfold.example", "maria@partner.example"}
    assert_quiet(google, annas)


@pytest.mark.rule("R5", "R14")
def test_a_meeting_its_substitute_organizer_threw_away_runs_by_who_still_has_it(google, anna, annas, boris, boriss):
    google.add_account("maria@partner.example", name="Maria")
    event = google.person("maria@partner.example").create_event(
        {
            "summary": "Review",
            "attendees": [{"email": f"{name}@northfold.example"} for name in ("anna", "boris")],
            **TEN,
        }
    )
    for calendar in (annas, boriss):
        synchronize(calendar)
    assert only_activity().organizer == anna
    google.person("anna@northfold.example").delete(event["id"])
    synchronize(annas)

    synchronize(boriss)

    assert only_activity().organizer == boris
    google.person("maria@partner.example").edit(event["id"], {"location": "Room 5"})
    synchronize(boriss)
    assert only_activity().location == "Room 5"
    for calendar in (annas, boriss):
        assert_quiet(google, calendar)


@pytest.mark.rule("R7", "R9", "R17")
@pytest.mark.parametrize("repeats", [False, True], ids=["one", "series"])
def test_whom_the_organizer_takes_off_in_google_again_before_their_own_session_stays_off(
    google, anna, annas, boris, boriss, repeats
):
    """Boris's own session has met the invitation meanwhile, which nobody here has made."""
    rule = {"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"]} if repeats else {}
    event = google.person("anna@northfold.example").create_event({"summary": "Review", **TEN, **rule})
    synchronize(annas)
    google.person("anna@northfold.example").edit(event["id"], {"attendees": [{"email": "boris@northfold.example"}]})
    synchronize(boriss)
    assert Activity.objects.filter(participants__profile=boris).count() == (3 if repeats else 1)
    google.person("anna@northfold.example").edit(event["id"], {"attendees": []})
    google.mail.clear()
    google.requests.clear()

    synchronize(boriss)
    synchronize(annas)

    assert not Activity.objects.filter(participants__profile=boris).exists()
    assert "attendees" not in google.person("anna@northfold.example").event(event["id"])
    assert not google.mail
    assert_quiet(google, annas)
