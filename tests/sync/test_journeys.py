"""What a session does, end to end: the real client over HTTP, rows in the database, one rule after the other."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import CommunicationOption, ExternalAccount, Profile
from activities import services
from activities.models import Activity, FieldChange, Participant
from google_emulator import Emulator
from sync import words
from sync.models import EventLink, SyncedCalendar, SyncOutcome, SyncSession
from tests.factories import make_activity, make_tag, make_user
from tests.google import connect, sync_tag, synchronize, timed

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.embedded]

TEN = timed("2027-03-08T10:00:00", "2027-03-08T11:00:00")
ELEVEN = timed("2027-03-08T11:00:00", "2027-03-08T12:00:00")
START, DUE = datetime(2027, 3, 8, 10, tzinfo=UTC), datetime(2027, 3, 8, 11, tzinfo=UTC)


@pytest.fixture
def anna() -> Profile:
    return make_user("anna").profile


@pytest.fixture
def boris() -> Profile:
    return make_user("boris").profile


@pytest.fixture
def annas(google: Emulator, anna: Profile) -> SyncedCalendar:
    return connect(google, anna.user)


@pytest.fixture
def boriss(google: Emulator, boris: Profile) -> SyncedCalendar:
    return connect(google, boris.user)


def tagged(by: Profile, subject: str = "Renewal call", **values: Any) -> Activity:
    """Make an activity that takes part: in the calendar, with a private tag."""
    values = {"start": START, "due": DUE, "now": timezone.now()} | values
    return make_activity(by=by, subject=subject, show_in_calendar=True, tags=[sync_tag(by)], **values)


def change(activity: Activity, by: Profile, **values: Any) -> None:
    services.edit(activity=activity, by=by, now=timezone.now(), **values)


def fresh(activity: Activity) -> Activity:
    return Activity.objects.get(pk=activity.pk)


def only_activity() -> Activity:
    return Activity.objects.get()


def counts(session: SyncSession) -> dict[str, int]:
    """Return the counts that are not zero."""
    names = [f"{verb}_{side}" for verb in ("added", "updated", "removed") for side in ("here", "in_google")]
    return {name: getattr(session, name) for name in names if getattr(session, name)}


def assert_quiet(google: Emulator, calendar: SyncedCalendar) -> None:
    """R18: the next session makes exactly one request and writes nothing on either side."""
    google.requests.clear()
    session = synchronize(calendar)
    assert (session.status, counts(session), session.requests_made) == (SyncSession.Status.SUCCEEDED, {}, 1)
    assert [request.method for request in google.requests.calls(path="/calendar/")] == ["GET"]


# --- There and back ----------------------------------------------------------------------------------------------


@pytest.mark.rule("R1", "R10", "R13", "R18")
def test_a_tagged_activity_becomes_an_event(google, anna, annas):
    tagged(anna, location="Room 4", notes="Bring the offer")

    session = synchronize(annas)

    assert (session.status, counts(session)) == ("succeeded", {"added_in_google": 1})
    [event] = google.person("anna@northfold.example").events()
    assert (event["summary"], event["location"], event["description"]) == ("Renewal call", "Room 4", "Bring the offer")
    assert event["start"]["dateTime"] == "2027-03-08T10:00:00Z"
    assert "attendees" not in event
    assert_quiet(google, annas)


@pytest.mark.rule("R3", "R18")
def test_an_event_becomes_a_tagged_activity(google, anna, annas):
    google.person("anna@northfold.example").create_event({"summary": "Dentist", "location": "Lund", **TEN})

    session = synchronize(annas)

    assert counts(session) == {"added_here": 1}
    activity = only_activity()
    assert (activity.subject, activity.location, activity.start, activity.due) == ("Dentist", "Lund", START, DUE)
    assert (activity.category, activity.status, activity.kind) == ("to_do", "not_started", "task")
    assert (activity.owner, activity.organizer, activity.reporter) == (anna, anna, anna)
    assert (activity.show_in_calendar, activity.made_in_google) == (True, True)
    assert [tag.owner for tag in activity.tags.all()] == [anna]
    assert activity.changes.get().origin == "google"
    assert_quiet(google, annas)


@pytest.mark.rule("R10", "R11", "R12")
def test_changes_travel_both_ways(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    [event] = google.person("anna@northfold.example").events()

    change(activity, anna, subject="Renewal call, moved", start=START + timedelta(hours=2))
    google.requests.clear()
    assert counts(synchronize(annas)) == {"updated_in_google": 1}
    assert len(google.requests.writes()) == 1
    shown = google.person("anna@northfold.example").event(event["id"])
    assert shown["summary"] == "Renewal call, moved"
    assert shown["end"]["dateTime"] == "2027-03-08T13:00:00Z"
    assert_quiet(google, annas)

    google.person("anna@northfold.example").edit(event["id"], {"location": "Room Vättern", **TEN})
    assert counts(synchronize(annas)) == {"updated_here": 1}
    assert (fresh(activity).location, fresh(activity).start) == ("Room Vättern", START)
    assert_quiet(google, annas)


@pytest.mark.rule("R16")
def test_all_day_activities_keep_their_days_both_ways(google, anna, annas):
    activity = tagged(anna, start=None, due=None, days=(date(2027, 3, 8), date(2027, 3, 10)))
    synchronize(annas)
    [event] = google.person("anna@northfold.example").events()
    assert (event["start"], event["end"]) == ({"date": "2027-03-08"}, {"date": "2027-03-11"})

    google.person("anna@northfold.example").edit(
        event["id"], {"start": {"date": "2027-03-09"}, "end": {"date": "2027-03-10"}}
    )
    synchronize(annas)
    assert (fresh(activity).start_date, fresh(activity).due_date) == (date(2027, 3, 9), date(2027, 3, 9))

    change(activity, anna, start=START, due=DUE)
    synchronize(annas)
    shown = google.person("anna@northfold.example").event(event["id"])
    assert "date" not in shown["start"]
    assert shown["start"]["dateTime"] == "2027-03-08T10:00:00Z"
    assert_quiet(google, annas)


@pytest.mark.rule("R16")
def test_a_new_title_leaves_the_zone_alone(google, anna, annas):
    google.person("anna@northfold.example").create_event(
        {"summary": "Kick-off", **timed("2027-03-08T10:00:00", "2027-03-08T11:00:00", "Pacific/Auckland")}
    )
    synchronize(annas)
    activity = only_activity()
    assert activity.time_zone == "Pacific/Auckland"

    change(activity, anna, subject="Kick-off!")
    synchronize(annas)

    [event] = google.person("anna@northfold.example").events()
    assert event["start"] == {"dateTime": "2027-03-07T21:00:00Z", "timeZone": "Pacific/Auckland"}


@pytest.mark.rule("R10")
def test_private_free_and_reminder_travel_both_ways(google, anna, annas):
    activity = tagged(anna, is_private=True, show_as_free=True)
    Participant.objects.filter(activity=activity, profile=anna).update(reminder_minutes=15)
    synchronize(annas)
    [event] = google.person("anna@northfold.example").events()
    assert (event["visibility"], event["transparency"]) == ("private", "transparent")
    assert event["reminders"] == {"useDefault": False, "overrides": [{"method": "popup", "minutes": 15}]}

    google.person("anna@northfold.example").edit(
        event["id"],
        {
            "visibility": "default",
            "reminders": {
                "useDefault": False,
                "overrides": [{"method": "email", "minutes": 60}, {"method": "popup", "minutes": 5}],
            },
        },
    )
    synchronize(annas)
    assert not fresh(activity).is_private
    assert Participant.objects.get(activity=activity).reminder_minutes == 5
    assert_quiet(google, annas)


# --- Selection ---------------------------------------------------------------------------------------------------


@pytest.mark.rule("R1")
@pytest.mark.parametrize("lack", ["calendar", "tag", "public-tag", "corporate-tag", "email", "ended", "foreign-tag"])
def test_what_does_not_qualify_stays_here(google, anna, annas, boris, lack):
    activity = tagged(anna)
    if lack == "calendar":
        change(activity, anna, show_in_calendar=False)
    if lack == "tag":
        activity.tags.clear()
    if lack == "public-tag":
        activity.tags.add(make_tag("Website", kind="public"))
    if lack == "corporate-tag":
        activity.tags.add(make_tag("Q1", kind="corporate"))
    if lack == "email":
        change(activity, anna, kind="email")
    if lack == "ended":
        change(activity, anna, start=datetime(2019, 1, 1, tzinfo=UTC))
    if lack == "foreign-tag":
        activity.tags.set([sync_tag(boris)])

    assert counts(synchronize(annas)) == {}
    assert google.person("anna@northfold.example").events() == []


@pytest.mark.rule("R1")
def test_only_the_tag_named_on_the_set_up_page_counts(google, anna, annas):
    other = make_tag("Key account", owner=anna)
    annas.account.profile.sync_settings.tag = other
    annas.account.profile.sync_settings.save()
    make_activity(by=anna, show_in_calendar=True, tags=[make_tag("Another", owner=anna)], start=START)
    make_activity(by=anna, subject="With the tag", show_in_calendar=True, tags=[other], start=START)

    synchronize(annas)

    assert [event["summary"] for event in google.person("anna@northfold.example").events()] == ["With the tag"]


@pytest.mark.rule("R2")
def test_declined_and_old_events_stay_in_google(google, anna, annas):
    google.add_account("maria@partner.example")
    google.person("maria@partner.example").create_event(
        {"summary": "Declined", "attendees": [{"email": "anna@northfold.example"}], **TEN}
    )
    [event] = google.person("anna@northfold.example").events()
    google.person("anna@northfold.example").respond(event["id"], "declined")
    google.person("anna@northfold.example").create_event(
        {"summary": "Old", **timed("2019-03-08T10:00:00", "2019-03-08T11:00:00")}
    )

    assert counts(synchronize(annas)) == {}
    assert not Activity.objects.exists()


@pytest.mark.rule("R15")
def test_repeating_events_are_parked_with_a_reason(google, anna, annas):
    google.person("anna@northfold.example").create_event(
        {"summary": "Stand-up", "recurrence": ["RRULE:FREQ=DAILY;COUNT=5"], **TEN}
    )

    session = synchronize(annas)

    assert session.status == "with_problems"
    [outcome] = session.outcomes.all()
    assert (outcome.action, outcome.rule, outcome.item) == ("parked", "R15", "Stand-up")
    assert not Activity.objects.exists()
    assert_quiet(google, annas)


@pytest.mark.rule("R4")
def test_what_leaves_the_selection_is_frozen_and_thaws_with_both_sides_edits(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    [event] = google.person("anna@northfold.example").events()
    services.remove_tag(activity=activity, tag=sync_tag(anna), by=anna)
    change(activity, anna, subject="Changed here")
    google.person("anna@northfold.example").edit(event["id"], {"location": "Changed there"})

    session = synchronize(annas)

    assert counts(session) == {}
    assert EventLink.objects.get().state == "frozen"
    assert fresh(activity).location == ""
    assert google.person("anna@northfold.example").event(event["id"])["summary"] == "Renewal call"
    assert [outcome.action for outcome in session.outcomes.all()] == ["frozen"]

    services.add_tag(activity=activity, tag=sync_tag(anna), by=anna)
    synchronize(annas)

    assert (fresh(activity).subject, fresh(activity).location) == ("Changed here", "Changed there")
    assert google.person("anna@northfold.example").event(event["id"])["summary"] == "Changed here"
    assert_quiet(google, annas)


# --- People ------------------------------------------------------------------------------------------------------


def invite_both(google: Emulator, summary: str = "Quarterly review") -> dict[str, Any]:
    """Anna invites Boris and somebody nobody knows."""
    google.add_account("maria@partner.example", name="Maria")
    return google.person("anna@northfold.example").create_event(
        {
            "summary": summary,
            "attendees": [{"email": "boris@northfold.example"}, {"email": "maria@partner.example"}],
            **TEN,
        }
    )


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


@pytest.mark.rule("R8", "R9")
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


@pytest.mark.rule("R5", "R7")
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


@pytest.mark.rule("R6")
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


# --- Merging -----------------------------------------------------------------------------------------------------


@pytest.mark.rule("R11")
def test_of_two_different_changes_the_later_wins_and_the_other_is_kept(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    [event] = google.person("anna@northfold.example").events()
    change(activity, anna, location="Here, earlier", subject="Same")
    FieldChange.objects.filter(field="location").update(at=timezone.now() - timedelta(hours=2))
    google.person("anna@northfold.example").edit(event["id"], {"location": "There, later", "summary": "Same"})

    session = synchronize(annas)

    assert fresh(activity).location == "There, later"
    [kept] = session.outcomes.filter(action="replaced")
    assert (kept.rule, kept.field, kept.here, kept.google, kept.kept) == (
        "R11", "location", "Here, earlier", "There, later", "google",
    )  # fmt: skip

    google.person("anna@northfold.example").edit(event["id"], {"location": "There, earlier"})
    change(activity, anna, location="Here, later")
    FieldChange.objects.filter(field="location", origin="person").update(at=timezone.now() + timedelta(hours=2))
    synchronize(annas)
    assert fresh(activity).location == "Here, later"
    assert google.person("anna@northfold.example").event(event["id"])["location"] == "Here, later"
    assert_quiet(google, annas)


@pytest.mark.rule("R12")
def test_an_edit_between_our_look_and_our_write_is_not_overwritten(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    [event] = google.person("anna@northfold.example").events()
    change(activity, anna, subject="From here")
    person = google.person("anna@northfold.example")
    google.interject(lambda: person.edit(event["id"], {"location": "Meanwhile"}), method="PATCH")

    session = synchronize(annas)

    assert session.status == "succeeded"
    assert (fresh(activity).subject, fresh(activity).location) == ("From here", "Meanwhile")
    shown = person.event(event["id"])
    assert (shown["summary"], shown["location"]) == ("From here", "Meanwhile")
    assert_quiet(google, annas)


@pytest.mark.rule("R12")
def test_an_edit_here_while_google_answers_is_not_lost(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    [event] = google.person("anna@northfold.example").events()
    google.person("anna@northfold.example").edit(event["id"], {"location": "From there"})
    change(activity, anna, subject="First")
    google.interject(lambda: _from_another_thread(lambda: change(activity, anna, subject="Second")), method="PATCH")

    synchronize(annas)
    synchronize(annas)

    assert (fresh(activity).subject, fresh(activity).location) == ("Second", "From there")
    assert google.person("anna@northfold.example").event(event["id"])["summary"] == "Second"


def _from_another_thread(work: Any) -> None:
    """The emulator answers in a thread of its own, whose database connection has to be closed again."""
    from django.db import connection

    try:
        work()
    finally:
        connection.close()


# --- Never twice -------------------------------------------------------------------------------------------------


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


# --- Deleting and canceling --------------------------------------------------------------------------------------


@pytest.mark.rule("R14")
def test_an_event_deleted_in_google_cancels_the_activity_and_a_return_brings_it_back(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    [event] = google.person("anna@northfold.example").events()
    google.person("anna@northfold.example").delete(event["id"])

    session = synchronize(annas)

    assert counts(session) == {"removed_here": 1}
    assert fresh(activity).status == "canceled"
    assert EventLink.objects.get().state == "detached"
    assert_quiet(google, annas)

    google.person("anna@northfold.example").restore(event["id"])
    synchronize(annas)
    assert fresh(activity).status == "not_started"
    assert EventLink.objects.get().state == "linked"
    assert_quiet(google, annas)


@pytest.mark.rule("R14")
def test_a_completed_activity_stays_completed(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    services.set_status(activity=activity, by=anna, status="completed", now=timezone.now(), result="Signed")
    [event] = google.person("anna@northfold.example").events()
    google.person("anna@northfold.example").delete(event["id"])

    assert counts(synchronize(annas)) == {}
    assert (fresh(activity).status, fresh(activity).result) == ("completed", "Signed")
    assert_quiet(google, annas)


@pytest.mark.rule("R13", "R14")
def test_canceling_here_deletes_the_event_and_setting_it_back_returns_it_once(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    services.set_status(activity=activity, by=anna, status="canceled", now=timezone.now())
    assert counts(synchronize(annas)) == {"removed_in_google": 1}
    assert google.person("anna@northfold.example").events() == []
    assert_quiet(google, annas)

    services.set_status(activity=activity, by=anna, status="not_started", now=timezone.now())
    assert counts(synchronize(annas)) == {"added_in_google": 1}
    assert len(google.person("anna@northfold.example").events()) == 1
    assert fresh(activity).status == "not_started"
    assert_quiet(google, annas)


@pytest.mark.rule("R14")
def test_deleting_here_deletes_the_event(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    services.delete(activity=activity, by=anna, now=timezone.now())

    assert counts(synchronize(annas)) == {"removed_in_google": 1}
    assert google.person("anna@northfold.example").events() == []
    assert not Activity.objects.present().exists()
    assert_quiet(google, annas)


@pytest.mark.rule("R14")
@pytest.mark.parametrize("deleted", ["here", "in Google"])
def test_a_change_outlives_a_deletion_on_the_other_side(google, anna, annas, deleted):
    activity = tagged(anna)
    synchronize(annas)
    [event] = google.person("anna@northfold.example").events()
    if deleted == "here":
        services.delete(activity=activity, by=anna, now=timezone.now())
        google.person("anna@northfold.example").edit(event["id"], {"summary": "Changed"})
    else:
        change(activity, anna, subject="Changed")
        google.person("anna@northfold.example").delete(event["id"])

    session = synchronize(annas)

    assert fresh(activity).deleted_at is None
    assert (fresh(activity).subject, fresh(activity).status) == ("Changed", "not_started")
    assert [event["summary"] for event in google.person("anna@northfold.example").events()] == ["Changed"]
    assert session.outcomes.filter(action="replaced", rule="R14").count() == 1
    assert_quiet(google, annas)


@pytest.mark.rule("R14")
def test_a_guest_who_removes_their_copy_has_declined_and_nothing_else(google, anna, annas, boris, boriss):
    event = invite_both(google)
    synchronize(annas)
    synchronize(boriss)
    google.person("boris@northfold.example").delete(event["id"])

    synchronize(boriss)
    synchronize(annas)

    activity = only_activity()
    assert activity.status == "not_started"
    assert activity.participants.get(profile=boris).response == "declined"
    assert_quiet(google, boriss)


@pytest.mark.rule("R14", "R20")
def test_absence_from_a_complete_read_is_confirmed_before_anything_is_removed(google, anna, annas):
    kept, gone = tagged(anna, "Kept"), tagged(anna, "Gone")
    synchronize(annas)
    events = {event["summary"]: event["id"] for event in google.person("anna@northfold.example").events()}
    google.person("anna@northfold.example").delete(events["Gone"])
    google.expire_sync_tokens()

    session = synchronize(annas)

    assert session.status == "succeeded"
    assert (fresh(kept).status, fresh(gone).status) == ("not_started", "canceled")


@pytest.mark.rule("R14")
def test_the_guard_stops_a_session_that_would_remove_everything(google, anna, annas):
    activities = [tagged(anna, f"Visit {number}") for number in range(6)]
    synchronize(annas)
    for event in google.person("anna@northfold.example").events():
        google.person("anna@northfold.example").delete(event["id"])

    session = synchronize(annas)

    assert session.status == "needs_confirmation"
    assert {fresh(activity).status for activity in activities} == {"not_started"}

    from sync import sessions

    confirmed = sessions.confirm_removals(session=session, now=timezone.now())
    from sync import tasks

    tasks.run_session(session_id=confirmed.pk)
    confirmed.refresh_from_db()
    assert confirmed.status == "succeeded"
    assert {fresh(activity).status for activity in activities} == {"canceled"}


# --- Mail --------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R17")
def test_guests_are_told_about_fresh_changes_only(google, anna, annas, boris):
    google.add_account("boris@northfold.example")
    synchronize(annas)  # The first session of an account tells nobody.
    activity = tagged(anna, participants=[boris])
    synchronize(annas)
    assert google.mail.all(to="boris@northfold.example")
    google.mail.clear()

    change(activity, anna, location="Room 9")
    FieldChange.objects.update(at=timezone.now() - timedelta(days=2))
    synchronize(annas)
    assert not google.mail.all()


@pytest.mark.rule("R17")
def test_a_first_synchronization_tells_nobody(google, anna, annas, boris):
    google.add_account("boris@northfold.example")
    tagged(anna, participants=[boris])

    synchronize(annas)

    assert google.person("boris@northfold.example").events()
    assert not google.mail.all()


# --- Failures ----------------------------------------------------------------------------------------------------


@pytest.mark.rule("R19")
def test_one_bad_item_is_parked_and_the_others_go_on(google, anna, annas):
    activities = [tagged(anna, f"Visit {number}") for number in range(3)]
    google.fail(status=403, reason="forbidden", method="POST", path="/events", times=1)

    session = synchronize(annas)

    assert session.status == "with_problems"
    assert len(google.person("anna@northfold.example").events()) == 2
    assert session.outcomes.filter(action="parked").count() == 1
    assert_quiet(google, annas)
    EventLink.objects.update(retry_at=timezone.now() - timedelta(seconds=1))
    EventLink.objects.filter(state="linked").update(retry_at=None)
    synchronize(annas)
    assert len(google.person("anna@northfold.example").events()) == len(activities)


@pytest.mark.rule("R20")
def test_a_revoked_grant_stops_the_account_and_loses_nothing(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    google.revoke_grants("anna@northfold.example")
    change(activity, anna, subject="Meanwhile")

    session = synchronize(annas)

    account = ExternalAccount.objects.get()
    assert (session.status, account.status) == ("failed", "reconnect_needed")
    assert "Connect your Google account again" in session.error
    calendar = connect(google, anna.user)
    synchronize(calendar)
    assert [event["summary"] for event in google.person("anna@northfold.example").events()] == ["Meanwhile"]


@pytest.mark.rule("R20")
def test_expired_access_tokens_are_refreshed_and_kept(google, anna, annas):
    google.expire_access_tokens()

    assert synchronize(annas).status == "succeeded"
    google.requests.clear()
    synchronize(SyncedCalendar.objects.get())
    assert google.requests.count(path="/token") == 0


@pytest.mark.rule("R20")
@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_trouble_is_waited_out(google, anna, annas, status, monkeypatch):
    from sync.google.gateway import CalendarGateway

    monkeypatch.setitem(CalendarGateway.__init__.__kwdefaults__, "sleep", lambda _seconds: None)
    tagged(anna)
    google.fail(status=status, reason="backendError", path="/events", times=2)

    session = synchronize(annas)

    assert session.status == "succeeded"
    assert len(google.person("anna@northfold.example").events()) == 1


@pytest.mark.rule("R20")
def test_a_calendar_that_is_gone_deletes_nothing(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    google.fail(status=404, reason="notFound", path=r"/events$", times=1)

    session = synchronize(annas)

    assert session.status == "failed"
    assert "Choose another calendar" in session.error
    assert fresh(activity).status == "not_started"


@pytest.mark.rule("R18")
def test_two_requests_share_one_session(google, anna, annas):
    from sync import sessions

    first = sessions.request(calendar=annas, trigger="manual", now=timezone.now())
    second = sessions.request(calendar=annas, trigger="automatic", now=timezone.now())
    assert first == second
    assert SyncSession.objects.count() == 1


@pytest.mark.rule("R18")
def test_only_one_run_holds_a_calendar_and_a_dead_one_loses_it(annas):
    now = timezone.now()
    key = SyncedCalendar.objects.claim(calendar_id=annas.pk, now=now)
    assert key
    assert SyncedCalendar.objects.claim(calendar_id=annas.pk, now=now) is None
    assert SyncedCalendar.objects.claim(calendar_id=annas.pk, now=now + timedelta(hours=1))


@pytest.mark.rule("R18")
def test_whoever_sees_that_a_session_has_ended_can_start_the_next(google, anna, annas, monkeypatch):
    from sync import engine

    finish, keys = engine._finish, []

    def finish_and_claim(*args, **kwargs):
        finish(*args, **kwargs)
        keys.append(SyncedCalendar.objects.claim(calendar_id=annas.pk, now=timezone.now()))

    monkeypatch.setattr(engine, "_finish", finish_and_claim)

    synchronize(annas)

    assert keys[0] is not None
    assert SyncedCalendar.objects.get().lease_by == keys[0]


@pytest.mark.rule("R21")
def test_a_preview_says_what_would_happen_and_changes_nothing(google, anna, annas):
    from sync.preview import preview

    tagged(anna)
    google.person("anna@northfold.example").create_event({"summary": "Dentist", **TEN})
    before = list(EventLink.objects.values()), list(SyncedCalendar.objects.values())

    planned = preview(calendar=annas, now=timezone.now()).actions

    assert {(plan.action, plan.direction, plan.item) for plan in planned} == {
        ("added", "google", "Renewal call"),
        ("added", "here", "Dentist"),
    }
    assert (list(EventLink.objects.values()), list(SyncedCalendar.objects.values())) == before
    assert google.requests.writes() == []
    assert SyncOutcome.objects.count() == 0


# --- More than one at a time -------------------------------------------------------------------------------------


def test_a_calendar_that_google_never_lists_to_the_end_ends_the_session(google, anna, annas, monkeypatch):
    from sync.google import errors
    from sync.google.gateway import CalendarGateway

    really, asked = CalendarGateway.list_events, []

    def refuse_every_second_page(gateway, **arguments):
        asked.append(arguments["page_token"])
        if arguments["page_token"]:
            raise errors.SyncTokenRefused("Invalid page token.")
        return {**really(gateway, **arguments), "nextPageToken": "second"}

    monkeypatch.setattr(CalendarGateway, "list_events", refuse_every_second_page)

    session = synchronize(annas)

    assert (session.status, asked) == ("failed", ["", "second", "", "second"])
    assert "The next session tries again." in session.error


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


@pytest.mark.rule("R2", "R4")
def test_a_later_synchronize_from_freezes_and_an_earlier_one_resumes(google, anna, annas):
    from sync import set_up

    activity = tagged(anna)
    synchronize(annas)
    settings = anna.sync_settings
    settings.sync_from = date(2027, 6, 1)
    set_up.save(settings=settings, account=annas.account, changed=["sync_from"], now=timezone.now())

    session = synchronize(SyncedCalendar.objects.get())

    assert counts(session) == {}
    assert EventLink.objects.get().state == "frozen"
    assert fresh(activity).status == "not_started"
    settings.sync_from = date(2027, 1, 1)
    set_up.save(settings=settings, account=annas.account, changed=["sync_from"], now=timezone.now())
    synchronize(SyncedCalendar.objects.get())
    assert EventLink.objects.get().state == "linked"
    assert_quiet(google, SyncedCalendar.objects.get())


@pytest.mark.rule("R18")
def test_a_reading_that_was_cut_off_goes_on_where_it_stopped(google, anna, annas, monkeypatch):
    from sync.google import gateway

    monkeypatch.setitem(gateway.CalendarGateway.list_events.__kwdefaults__, "page_size", 2)
    monkeypatch.setattr(gateway, "ATTEMPTS", 1)
    for number in range(5):
        google.person("anna@northfold.example").create_event({"summary": f"Visit {number}", **TEN})
    google.fail(status=503, reason="backendError", path=r"/events$", skip=1, times=1)

    cut = synchronize(annas)
    assert (cut.status, SyncedCalendar.objects.get().page_token != "") == ("failed", True)
    session = synchronize(SyncedCalendar.objects.get())

    assert counts(session) == {"added_here": 5}
    assert_quiet(google, SyncedCalendar.objects.get())


@pytest.mark.rule("R18")
def test_the_dispatcher_finishes_dead_sessions_and_queues_what_is_due(google, anna, annas):
    from sync import tasks

    now = timezone.now()
    dead = SyncSession.objects.create(calendar=annas, status="running", queued_at=now, started_at=now)
    SyncedCalendar.objects.update(lease_by="gone", lease_until=now - timedelta(seconds=1), due_at=now)

    tasks.dispatch()

    dead.refresh_from_db()
    assert dead.status == "failed"
    assert SyncSession.objects.get(status="queued").trigger == "automatic"


# --- What reviewers found ----------------------------------------------------------------------------------------


@pytest.mark.rule("R20")
def test_a_wrong_client_secret_costs_nobody_their_access(google, anna, annas, settings):
    settings.GOOGLE_CLIENT_SECRET = "mistyped"
    google.expire_access_tokens()

    session = synchronize(annas)

    account = ExternalAccount.objects.get()
    assert (session.status, account.status) == ("failed", "connected")
    assert "administrator" in session.error
    assert account.credentials["refresh_token"]


@pytest.mark.rule("R20")
def test_a_lost_key_asks_for_reconnecting(google, anna, annas, settings):
    from cryptography.fernet import Fernet

    settings.TOKEN_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]

    session = synchronize(SyncedCalendar.objects.get())

    assert session.status == "failed"
    assert ExternalAccount.objects.get().status == "reconnect_needed"


@pytest.mark.rule("R22")
def test_an_account_deleted_during_a_session_stays_deleted(google, anna, annas):
    from sync import connections

    synchronize(annas)
    google.revoke_grants("anna@northfold.example")
    stale = ExternalAccount.objects.get()
    connections.disconnect(account=ExternalAccount.objects.get())

    assert not stale.needs_reconnecting(reason="Too late.")
    assert ExternalAccount.objects.get().status == "disconnected"


@pytest.mark.rule("R4", "R14")
def test_a_frozen_activity_whose_event_is_deleted_thaws_into_canceled(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    services.remove_tag(activity=activity, tag=sync_tag(anna), by=anna)
    synchronize(annas)
    [event] = google.person("anna@northfold.example").events()
    google.person("anna@northfold.example").delete(event["id"])
    assert counts(synchronize(annas)) == {}
    assert fresh(activity).status == "not_started"

    services.add_tag(activity=activity, tag=sync_tag(anna), by=anna)
    synchronize(annas)

    assert fresh(activity).status == "canceled"


@pytest.mark.rule("R9", "R14")
def test_guests_join_a_meeting_that_was_canceled_and_set_back(google, anna, annas, boris, boriss):
    activity = tagged(anna, participants=[boris])
    synchronize(annas)
    synchronize(boriss)
    services.set_status(activity=activity, by=anna, status="canceled", now=timezone.now())
    synchronize(annas)
    synchronize(boriss)
    services.set_status(activity=activity, by=anna, status="not_started", now=timezone.now())
    synchronize(annas)
    synchronize(boriss)

    assert Activity.objects.count() == 1
    assert {link.state for link in EventLink.objects.all()} == {"linked"}
    assert EventLink.objects.values("event_id").distinct().count() == 1
    assert activity.participants.get(profile=boris).response == "needs_action"
    assert_quiet(google, boriss)


@pytest.mark.rule("R14")
def test_a_meeting_its_organizer_cancels_leaves_the_guests_answers_alone(google, anna, annas, boris, boriss):
    event = invite_both(google)
    synchronize(annas)
    synchronize(boriss)
    activity = only_activity()
    services.respond(activity=activity, profile=boris, response="accepted", now=timezone.now())
    synchronize(boriss)
    google.person("anna@northfold.example").delete(event["id"])

    synchronize(boriss)  # Before Anna's session: her copy is not known to be gone.
    synchronize(annas)

    assert fresh(activity).status == "canceled"
    assert activity.participants.get(profile=boris).response == "accepted"
    google.person("anna@northfold.example").restore(event["id"])
    synchronize(annas)
    synchronize(boriss)
    shown = google.person("anna@northfold.example").event(event["id"])
    assert "declined" not in [guest["responseStatus"] for guest in shown["attendees"]]


@pytest.mark.rule("R5", "R14")
def test_a_copy_of_a_disconnected_account_proves_nothing(google, anna, annas, boris, boriss):
    from sync import connections

    event = invite_both(google)
    synchronize(annas)
    synchronize(boriss)
    connections.disconnect(account=annas.account)
    google.person("anna@northfold.example").delete(event["id"])

    synchronize(boriss)

    assert only_activity().status == "canceled"


@pytest.mark.rule("R6", "R4")
def test_the_organizers_own_edit_of_a_frozen_meeting_is_sent_at_the_thaw_however_late(google, anna, annas, boris):
    google.add_account("boris@northfold.example")
    activity = tagged(anna, participants=[boris])
    synchronize(annas)
    services.remove_tag(activity=activity, tag=sync_tag(anna), by=anna)
    synchronize(annas)
    change(activity, anna, subject="Changed while frozen")
    FieldChange.objects.filter(field="subject").update(at=timezone.now() - timedelta(hours=3))
    EventLink.objects.update(settled_at=timezone.now() - timedelta(hours=4))
    synchronize(annas)

    services.add_tag(activity=activity, tag=sync_tag(anna), by=anna)
    synchronize(annas)

    [event] = google.person("anna@northfold.example").events()
    assert event["summary"] == "Changed while frozen"


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


@pytest.mark.rule("R14")
def test_only_what_was_confirmed_is_removed(google, anna, annas):
    from sync import sessions, tasks

    for number in range(12):
        tagged(anna, f"Visit {number}")
    synchronize(annas)
    person = google.person("anna@northfold.example")
    ids = [event["id"] for event in person.events()]
    for event_id in ids:
        person.delete(event_id)
    stopped = synchronize(annas)
    assert len(stopped.stopped_before) == 12
    more = [tagged(anna, f"Later {number}") for number in range(6)]
    EventLink.objects.filter(pk__in=stopped.stopped_before[6:]).update(is_marked=False)

    session = sessions.confirm_removals(session=stopped, now=timezone.now())
    tasks.run_session(session_id=session.pk)

    assert Activity.objects.filter(status="canceled").count() == 6
    assert {fresh(activity).status for activity in more} == {"not_started"}
    assert SyncedCalendar.objects.get().confirmed_removals == []


@pytest.mark.rule("R14")
def test_keeping_what_was_canceled_here_asks_no_more(google, anna, annas):
    from sync import sessions

    activities = [tagged(anna, f"Visit {number}") for number in range(6)]
    synchronize(annas)
    for activity in activities:
        services.set_status(activity=activity, by=anna, status="canceled", now=timezone.now())
    FieldChange.objects.update(at=timezone.now() - timedelta(days=2))
    stopped = synchronize(annas)
    assert stopped.status == "needs_confirmation"

    assert sessions.keep(session=stopped, now=timezone.now()) == 6
    session = synchronize(annas)

    assert (session.status, counts(session)) == ("succeeded", {})
    assert len(google.person("anna@northfold.example").events()) == 6


@pytest.mark.rule("R10")
def test_taking_the_last_pop_up_off_returns_to_the_default(google, anna, annas):
    activity = tagged(anna)
    Participant.objects.filter(activity=activity, profile=anna).update(reminder_minutes=15)
    synchronize(annas)
    Participant.objects.filter(activity=activity, profile=anna).update(reminder_minutes=None)
    services.announce(activity, by=anna)

    session = synchronize(annas)

    assert session.status == "succeeded"
    [event] = google.person("anna@northfold.example").events()
    assert event["reminders"] == {"useDefault": True}


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


@pytest.mark.rule("R18")
def test_the_daily_comparison_touches_nothing_that_did_not_change(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    before = fresh(activity).modified_at
    SyncedCalendar.objects.update(compare_all=True)

    session = synchronize(SyncedCalendar.objects.get())

    assert (counts(session), session.requests_made) == ({}, 1)
    assert fresh(activity).modified_at == before


@pytest.mark.rule("R19")
def test_an_item_that_fails_here_is_parked_by_its_link_with_back_off(google, anna, annas, monkeypatch):
    from sync import store

    activity = tagged(anna)
    synchronize(annas)
    change(activity, anna, subject="Changed")

    def fail(*_args: Any, **_values: Any) -> None:
        raise RuntimeError("unforeseen")

    with monkeypatch.context() as patch:
        patch.setattr(store, "snapshot_here", fail)
        session = synchronize(annas)

    [outcome] = session.outcomes.all()
    assert (outcome.action, outcome.item, outcome.link.retry_at is not None) == ("parked", "Changed", True)
    assert_quiet(google, annas)
    EventLink.objects.update(retry_at=timezone.now() - timedelta(seconds=1))
    synchronize(annas)
    assert [event["summary"] for event in google.person("anna@northfold.example").events()] == ["Changed"]


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


@pytest.mark.rule("R10")
def test_a_colleagues_answer_in_google_is_shown_counted_and_told(google, anna, annas, boris):
    google.add_account("boris@northfold.example")
    event = invite_both(google)
    synchronize(annas)
    google.person("boris@northfold.example").respond(event["id"], "declined")

    session = synchronize(annas)

    activity = only_activity()
    assert activity.participants.get(profile=boris).response == "declined"
    assert counts(session) == {"updated_here": 1}
    assert session.outcomes.get().reason == "Boris answered in Google."
    assert activity.changes.filter(field="response").get().by == boris
    assert_quiet(google, annas)


@pytest.mark.rule("R14", "R20")
@pytest.mark.parametrize("is_calendar_there", [True, False])
def test_an_event_unknown_at_the_write_is_gone_only_while_its_calendar_is_there(google, anna, annas, is_calendar_there):
    activity = tagged(anna)
    synchronize(annas)
    change(activity, anna, location="Room 9")
    google.fail(status=404, reason="notFound", method="PATCH", path="/events/")
    google.fail(status=404, reason="notFound", method="GET", path=r"/events/\w", times=2)
    if not is_calendar_there:
        google.fail(status=404, reason="notFound", method="GET", path=r"/events$", skip=1)

    session = synchronize(annas)

    if is_calendar_there:  # The change outlives the deletion: the event returns as its next incarnation.
        assert (session.status, fresh(activity).status) == ("succeeded", "not_started")
        assert EventLink.objects.get().incarnation == 1
    else:
        assert (session.status, fresh(activity).status) == ("failed", "not_started")
        assert "Choose another calendar" in session.error
        assert EventLink.objects.get().event["status"] == "confirmed"


@pytest.mark.rule("R14")
def test_a_restored_activity_returns_to_google_once(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    services.delete(activity=activity, by=anna, now=timezone.now())
    synchronize(annas)
    services.restore(activity=fresh(activity), by=anna, now=timezone.now())

    assert counts(synchronize(annas)) == {"added_in_google": 1}
    assert [event["summary"] for event in google.person("anna@northfold.example").events()] == ["Renewal call"]
    assert_quiet(google, annas)


@pytest.mark.rule("R14")
def test_what_was_deleted_long_ago_is_erased_once_it_is_out_of_google(google, anna, annas):
    from sync import retention

    activity = tagged(anna)
    synchronize(annas)
    services.delete(activity=activity, by=anna, now=timezone.now())
    later = timezone.now() + timedelta(days=31)

    assert retention.erase_deleted(now=later) == 0  # Google still has its event.
    synchronize(annas)
    assert retention.erase_deleted(now=timezone.now() + timedelta(days=29)) == 0
    assert retention.erase_deleted(now=later) == 1
    assert not Activity.objects.exists()
    assert_quiet(google, annas)


@pytest.mark.rule("R4", "R14")
def test_canceled_a_second_time_after_a_return_that_froze(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    [event] = google.person("anna@northfold.example").events()
    services.set_status(activity=activity, by=anna, status="canceled", now=timezone.now())
    synchronize(annas)
    google.person("anna@northfold.example").restore(event["id"])
    services.set_status(activity=activity, by=anna, status="not_started", now=timezone.now())
    services.remove_tag(activity=activity, tag=sync_tag(anna), by=anna)
    synchronize(annas)  # Back on both sides, and frozen.
    assert EventLink.objects.get().state == "frozen"

    services.set_status(activity=activity, by=anna, status="canceled", now=timezone.now())
    services.add_tag(activity=activity, tag=sync_tag(anna), by=anna)

    assert counts(synchronize(annas)) == {"removed_in_google": 1}
    assert google.person("anna@northfold.example").events() == []
