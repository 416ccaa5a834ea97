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


def test_making_a_series(google):
    form = FORM | {"repeat": "DAILY", "times": "3", "guests": BORIS}
    page = send(google, "/events/new", account=ANNA, **form)
    assert column(page, BORIS).count("Lunch</a>") == 3
    assert column(page, BORIS).count('aria-label="Answer for"') == 3
    [event] = google.person(ANNA).events()
    assert event["recurrence"] == ["RRULE:FREQ=DAILY;COUNT=3"]


@pytest.fixture
def weekly(google):
    """A series of Anna's with Boris: the 4th, 11th, 18th and 25th of May."""
    body = timed("Weekly", recurrence=["RRULE:FREQ=WEEKLY;COUNT=4"], attendees=guests(BORIS))
    return google.person(ANNA).create_event(body)


def listed(google, email=ANNA):
    return [(row["summary"], row["start"]["dateTime"][5:16]) for row in google.person(email).events(expand=True)]


@pytest.mark.parametrize(
    ("scope", "renamed"), [("this", ["11"]), ("following", ["11", "18", "25"]), ("all", ["04", "11", "18", "25"])]
)
def test_editing_this_the_following_or_all(google, weekly, scope, renamed):
    path = f"/calendars/{ANNA}/events/{weekly['id']}_20260511T080000Z"
    page = show(google, path)
    assert page.count('value="following"') == 2, "to change and to delete"

    send(google, path, **filled(page) | {"summary": "New", "start_time": "10:30", "scope": scope})

    for email in (ANNA, BORIS):
        assert listed(google, email) == [
            ("New", f"05-{day}T10:30") if day in renamed else ("Weekly", f"05-{day}T10:00")
            for day in ("04", "11", "18", "25")
        ]


def test_moving_all_moves_the_whole_series_by_as_many_days(google, weekly):
    path = f"/calendars/{ANNA}/events/{weekly['id']}_20260511T080000Z"
    moved = {"start_date": "2026-05-12", "end_date": "2026-05-12", "scope": "all"}
    send(google, path, **filled(show(google, path)) | moved)
    assert [start for _, start in listed(google)] == [f"05-{day}T10:00" for day in ("05", "12", "19", "26")]
    days = {"start_date": "2026-05-12", "end_date": "2026-05-12", "all_day": "on", "scope": "all"}
    path = f"/calendars/{ANNA}/events/{weekly['id']}_20260512T080000Z"
    send(google, path, **filled(show(google, path)) | days)
    assert [row["start"] for row in google.person(ANNA).events(expand=True)][1] == {"date": "2026-05-12"}


def test_the_following_of_the_first_are_all(google, weekly):
    path = f"/calendars/{ANNA}/events/{weekly['id']}_20260504T080000Z"
    send(google, path, **filled(show(google, path)) | {"summary": "New", "scope": "following"})
    [event] = google.person(ANNA).events()
    assert (event["id"], event["summary"]) == (weekly["id"], "New")


@pytest.mark.parametrize(
    ("day", "scope", "left"),
    [
        ("11", "this", ["04", "18", "25"]),
        ("11", "following", ["04"]),
        ("04", "following", []),
        ("11", "all", []),
    ],
)
def test_deleting_this_the_following_or_all(google, weekly, day, scope, left):
    send(google, f"/calendars/{ANNA}/events/{weekly['id']}_202605{day}T080000Z/delete", scope=scope)
    for email in (ANNA, BORIS):
        assert [start[3:5] for _, start in listed(google, email)] == left


@pytest.mark.parametrize(("scope", "answered"), [("this", ["11"]), ("all", ["04", "11", "18", "25"])])
def test_answering_this_or_all(google, weekly, scope, answered):
    occurrence = f"/calendars/{BORIS}/events/{weekly['id']}_20260511T080000Z"
    assert 'value="following"' not in show(google, occurrence), "guests do not divide a series"
    send(google, f"{occurrence}/respond", response="accepted", scope=scope)
    rows = google.person(ANNA).events(expand=True)
    assert [
        row["start"]["dateTime"][8:10] for row in rows if row["attendees"][1]["responseStatus"] == "accepted"
    ] == answered


def test_an_unknown_scope_is_refused(google, weekly):
    path = f"/calendars/{ANNA}/events/{weekly['id']}_20260511T080000Z"
    send(google, f"{path}/delete", expected=404, scope="some")
    assert len(listed(google)) == 4


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
