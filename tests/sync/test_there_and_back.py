"""What flows, end to end, both ways (R10, R16)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from activities import services
from activities.models import Participant
from tests.google import synchronize, timed
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


@pytest.mark.rule("R3", "R18", "R2")
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


@pytest.mark.rule("R16", "R10")
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
