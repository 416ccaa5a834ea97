"""The controls over HTTP."""

from __future__ import annotations

import pytest
import requests

from .conftest import ANNA, BORIS, CLARA, SCOPES
from .helpers import guests, page, refused, timed


@pytest.fixture
def control(google):
    def ask(method, path, /, expected=200, **content):
        body = {"json": content} if method in ("POST", "PATCH") else {"params": content}
        answer = requests.request(method, f"{google.url}/_control/{path}", timeout=5, **body)
        assert answer.status_code == expected, answer.text
        return answer.json()

    return ask


def test_people_and_their_events(google, control):
    control("POST", "accounts", email="dora@x.example", name="Dora", time_zone="UTC")
    assert "dora@x.example" in [account["email"] for account in control("GET", "accounts")["accounts"]]
    mine = f"people/{ANNA}/events"

    event = control("POST", mine, **timed("Review", attendees=guests(BORIS)))
    control("POST", f"people/{BORIS}/events/{event['id']}/respond", response="accepted")
    control("PATCH", f"{mine}/{event['id']}", summary="Renamed")

    seen = control("GET", f"{mine}/{event['id']}")
    assert (seen["summary"], seen["attendees"][1]["responseStatus"]) == ("Renamed", "accepted")
    assert len(control("GET", f"people/{BORIS}/events")["events"]) == 1
    control("DELETE", f"{mine}/{event['id']}")
    assert control("GET", f"people/{BORIS}/events")["events"] == []
    assert control("POST", f"{mine}/{event['id']}/restore")["status"] == "confirmed"
    assert control("DELETE", f"{mine}/nothere", expected=404)["error"]["code"] == 404
    assert {mail["kind"] for mail in control("GET", "mail")["mail"]} >= {"invitation", "update", "cancellation"}
    control("DELETE", "mail")
    assert control("GET", "mail") == {"mail": []}


@pytest.mark.checklist(10)
def test_a_series_and_its_split(google, control):
    mine = f"people/{ANNA}/events"
    series = control("POST", mine, **timed(recurrence=["RRULE:FREQ=WEEKLY;COUNT=4"]))
    at = {"dateTime": "2026-05-18T10:00:00+02:00"}
    rest = control("POST", f"{mine}/{series['id']}/split", at=at, changes={"summary": "New"})
    assert rest["id"].startswith(series["id"] + "_R")
    assert len(control("GET", mine, expand="true")["events"]) == 4
    assert len(control("GET", mine)["events"]) == 2


def test_filling_a_calendar(google, control, anna):
    control("POST", f"people/{ANNA}/fill", events=[timed(f"Event {number}") for number in range(20)])
    assert len(page(anna)["items"]) == 20


def test_faults(google, control, anna):
    assert control("POST", "faults", status=403, reason="quotaExceeded", times=2)["faults"][0]["times"] == 2
    with refused(403, "quotaExceeded"):
        page(anna)
    assert len(control("GET", "faults")["faults"]) == 1
    control("DELETE", "faults")
    assert page(anna)["items"] == []
    assert "flood" in control("POST", "faults", expected=400, kind="flood")["error"]
    control("POST", "faults", expected=400, kind="call")


def test_access(google, control, anna):
    tokens = control("POST", "grants", email=CLARA, scopes=list(SCOPES))
    assert tokens["refresh_token"]
    assert CLARA in [grant["email"] for grant in control("GET", "grants")["grants"]]
    control("POST", "access-tokens/expire", email=CLARA)
    assert google.oauth.live_token(tokens["access_token"]) is None
    control("POST", "grants/revoke", email=CLARA)
    assert CLARA not in [grant["email"] for grant in control("GET", "grants")["grants"]]
    token = page(anna)["nextSyncToken"]
    control("POST", "sync-tokens/expire", calendar_id=ANNA)
    with refused(410, "fullSyncRequired"):
        page(anna, syncToken=token)


def test_calendars_and_sharing(google, control, boris):
    made = control("POST", "calendars", email=ANNA, summary="Projects")
    control("POST", f"calendars/{made['id']}/share", with_email=BORIS, role="reader")
    assert boris.list(calendarId=made["id"]).execute()["accessRole"] == "reader"


def test_the_clock_and_the_switches(google, control):
    assert control("POST", "clock", set="2026-05-04T10:00:00+00:00")["now"] == "2026-05-04T10:00:00+00:00"
    assert control("POST", "clock", advance_seconds=90)["now"] == "2026-05-04T10:01:30+00:00"
    assert control("POST", "clock", reset=True)["now"] != "2026-05-04T10:01:30+00:00"
    control("POST", "clock", expected=400, set="soon")
    assert control("POST", "behavior", guest_edits="forbidden")["guest_edits"] == "forbidden"
    assert google.behavior.guest_edits == "forbidden"
    control("POST", "behavior", expected=400, color="red")


def test_the_log_counts_the_parts_of_a_batch(google, control, client):
    service = client(ANNA)
    batch = service.new_batch_http_request()
    for number in range(3):
        batch.add(service.events().insert(calendarId="primary", body=timed(f"Event {number}")))
    batch.execute()
    page(service.events())

    log = control("GET", "requests")
    assert (log["http_requests"], log["calls"], log["writes"]) == (2, 4, 3)
    assert control("GET", "requests", method="GET")["calls"] == 1
    assert control("GET", "requests", path="/events$", status=200)["calls"] == 4
    control("DELETE", "requests")
    assert control("GET", "requests")["http_requests"] == 0


def test_reset_with_example_people(google, control):
    control("POST", "reset", seed="demo")
    assert len(control("GET", "accounts")["accounts"]) == 4
    control("POST", "reset")
    assert control("GET", "accounts")["accounts"] == []
