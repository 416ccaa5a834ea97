"""The page on which one sees and edits everybody's calendar, used as a browser without scripts would."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
import requests

from .conftest import ANNA, BORIS
from .helpers import all_day, guests, timed

MONDAY = datetime(2026, 5, 4, 6, tzinfo=UTC)
FORM = {
    "summary": "Lunch",
    "start_date": "2026-05-05",
    "start_time": "12:00",
    "end_date": "2026-05-05",
    "end_time": "13:00",
    "location": "Canteen",
    "description": "One\r\nTwo",
    "guests": f"{BORIS}, peter@elsewhere.example",
}


@pytest.fixture(autouse=True)
def _monday(google):
    google.clock.set(MONDAY)


def show(google, path="/", expected=200, **query):
    answer = requests.get(google.url + path, params=query, timeout=5)
    assert answer.status_code == expected
    return answer.text


def send(google, path, expected=200, **form):
    answer = requests.post(google.url + path, data=form, timeout=5)
    assert answer.status_code == expected, answer.text
    return answer.text


def column(page, email):
    return re.search(rf'<section class="column" data-account="{email}".*?</section>', page, re.DOTALL)[0]


def test_every_calendar_is_shown(google):
    google.person(ANNA).create_event(timed("Review <b>", location="Room", attendees=guests(BORIS)))
    google.person(ANNA).create_event(all_day("Fair", "2026-05-06", "2026-05-08"))
    google.person(ANNA).create_event(timed("Daily", recurrence=["RRULE:FREQ=DAILY;COUNT=3"]))
    google.person(BORIS).create_event(timed("Far away", "2027-05-04T10:00:00", "2027-05-04T11:00:00"))

    page = show(google)

    annas, boriss = column(page, ANNA), column(page, BORIS)
    assert "Monday, 4 May · today" in annas
    assert "10:00 – 11:00" in annas
    assert "Review &lt;b&gt;" in annas
    assert "All day until Thu 7 May" in annas
    assert annas.count("Daily</a>") == 3
    assert "Going?" not in annas
    assert "Review" in boriss
    assert "Organizer: Anna Berg" in boriss
    assert "Going?" in boriss
    assert "Far away" not in page
    assert column(show(google, account=ANNA), ANNA)
    assert f'<section class="column" data-account="{BORIS}"' not in show(google, account=ANNA)


def test_making_an_event(google):
    assert 'value="2026-05-04"' in show(google, "/events/new", account=ANNA)
    page = send(google, "/events/new", account=ANNA, **FORM)
    assert "Lunch" in column(page, BORIS)

    [event] = google.person(ANNA).events()

    assert event["start"] == {"dateTime": "2026-05-05T12:00:00+02:00", "timeZone": "Europe/Berlin"}
    assert (event["location"], event["description"]) == ("Canteen", "One\nTwo")
    assert [guest["email"] for guest in event["attendees"]] == [ANNA, BORIS, "peter@elsewhere.example"]
    assert event["attendees"][0]["responseStatus"] == "accepted"


def test_making_an_all_day_event(google):
    send(google, "/events/new", account=ANNA, **FORM | {"all_day": "on", "end_date": "2026-05-06", "guests": ""})
    [event] = google.person(ANNA).events()
    assert (event["start"], event["end"]) == ({"date": "2026-05-05"}, {"date": "2026-05-07"})
    assert "attendees" not in event


def test_what_google_refuses_is_told_on_the_form(google):
    page = send(google, "/events/new", account=ANNA, expected=422, **FORM | {"end_time": "11:00"})
    assert "The specified time range is empty." in page
    assert 'value="Lunch"' in page
    assert "A date or a time is missing." in send(
        google, "/events/new", account=ANNA, expected=422, **FORM | {"end_time": ""}
    )
    assert google.person(ANNA).events() == []


def test_editing_changes_only_what_the_form_changed(google):
    event = google.person(ANNA).create_event(
        timed(
            "Review",
            attendees=guests(BORIS),
            start="2026-05-04T10:00:00",
            colorId="4",
            description="Kept",
        )
    )
    google.person(BORIS).respond(event["id"], "accepted")
    path = f"/calendars/{ANNA}/events/{event['id']}"
    form = filled(show(google, path))
    assert form["guests"] == BORIS

    send(google, path, **form | {"summary": "Renamed"})
    renamed = google.person(ANNA).event(event["id"])
    send(google, path, **form | {"summary": "Renamed", "start_time": "10:30", "guests": f"{BORIS}, new@x.example"})
    moved = google.person(ANNA).event(event["id"])

    assert (renamed["summary"], renamed["sequence"], renamed["colorId"]) == ("Renamed", 0, "4")
    assert moved["start"]["dateTime"] == "2026-05-04T10:30:00+02:00"
    assert {guest["email"]: guest["responseStatus"] for guest in moved["attendees"]} == {
        ANNA: "accepted",
        BORIS: "accepted",
        "new@x.example": "needsAction",
    }
    send(google, path, **filled(show(google, path)) | {"all_day": "on"})
    assert google.person(BORIS).event(event["id"])["start"] == {"date": "2026-05-04"}
    send(google, path, **filled(show(google, path)) | {"guests": ""})
    assert google.person(BORIS).events() == []


def filled(page):
    form = dict(re.findall(r'<input (?:type="\w+" )?name="(\w+)" value="([^"]*)"', page))
    form["description"] = re.search(r"<textarea[^>]*>([^<]*)<", page)[1]
    return form


def test_answering_and_deleting(google):
    event = google.person(ANNA).create_event(timed("Review", attendees=guests(BORIS)))
    path = f"/calendars/{BORIS}/events/{event['id']}"
    page = send(google, f"{path}/respond", response="tentative")
    assert re.search(rf'data-guest="{BORIS}" data-response="tentative"', column(page, ANNA))
    send(google, f"{path}/delete")
    assert google.person(ANNA).event(event["id"])["attendees"][1]["responseStatus"] == "declined"
    send(google, f"/calendars/{ANNA}/events/{event['id']}/delete")
    assert google.person(ANNA).events() == []
    assert "is deleted" in show(google, path)


def test_an_events_link_leads_to_its_page(google):
    event = google.person(ANNA).create_event(timed("Review"))
    assert event["htmlLink"].startswith(f"{google.url}/event?eid=")
    assert 'value="Review"' in requests.get(event["htmlLink"], timeout=5).text


def test_what_is_not_there_is_said(google):
    for path in (f"/calendars/{ANNA}/events/nothere", "/calendars/nobody@x.example/events/x", "/event?eid=nonsense"):
        assert "Not possible" in show(google, path, expected=404)
    send(google, f"/calendars/{ANNA}/events/nothere/delete", expected=404)


def test_without_accounts_there_is_still_a_page(google):
    google.reset()
    assert "no accounts yet" in show(google)
    show(google, "/events/new", expected=404)
