"""Batches, partial answers, packing, long queries, the log of requests."""

from __future__ import annotations

import pytest
import requests

from .conftest import ANNA, BORIS, SCOPES
from .helpers import all_day, get, guests, insert, page, patch, refused, timed


def ask(google, path, **headers):
    token = google.grant(ANNA, SCOPES)["access_token"]
    return requests.get(f"{google.url}{path}", headers={"Authorization": f"Bearer {token}", **headers}, timeout=5)


# Batches


@pytest.mark.checklist(27)
def test_a_batch_of_writes(google, client):
    service = client(ANNA)
    answers = {}
    batch = service.new_batch_http_request(callback=lambda name, answer, error: answers.update({name: (answer, error)}))
    for number in range(50):
        batch.add(
            service.events().insert(calendarId="primary", body=all_day(f"Fête № {number}", id=f"aaaaa{number:05d}")),
            request_id=f"call {number}",
        )
    batch.execute()

    assert {name: error for name, (_, error) in answers.items() if error} == {}
    assert answers["call 7"][0]["summary"] == "Fête № 7"
    assert len(page(service.events())["items"]) == 50
    assert len(google.requests.all(path="^/batch")) == 1
    assert google.requests.count(method="POST", path="/events$") == 50


@pytest.mark.checklist(27)
def test_each_part_has_its_own_outcome(google, client):
    service = client(ANNA)
    event = insert(service.events(), timed())
    stale = service.events().patch(calendarId="primary", eventId=event["id"], body={"summary": "New"})
    stale.headers["If-Match"] = '"1"'
    outcomes = {}
    batch = service.new_batch_http_request(
        callback=lambda name, answer, error: outcomes.update({name: error or answer})
    )
    batch.add(stale, request_id="stale")
    batch.add(service.events().get(calendarId="primary", eventId="nothere"), request_id="missing")
    batch.add(service.events().get(calendarId=ANNA, eventId=event["id"]), request_id="fine")
    batch.add(service.events().delete(calendarId="primary", eventId=event["id"]), request_id="gone")
    batch.execute()

    assert outcomes["stale"].status_code == 412
    assert outcomes["missing"].status_code == 404
    assert outcomes["fine"]["id"] == event["id"]
    assert outcomes["gone"] == ""


@pytest.mark.checklist(27)
def test_parts_speak_for_different_people(google, client):
    anna, boris = client(ANNA), client(BORIS)
    seen = {}
    batch = anna.new_batch_http_request(callback=lambda name, answer, error: seen.update({name: error or answer}))
    batch.add(anna.events().list(calendarId="primary"), request_id="anna")
    request = boris.events().list(calendarId="primary")
    batch.add(request, request_id="boris")
    batch.execute()
    assert (seen["anna"]["summary"], seen["boris"]["summary"]) == (ANNA, BORIS)


def raw_batch(google, parts, **headers):
    body = "".join(f"--b\r\nContent-Type: application/http\r\nContent-ID: <{n}>\r\n\r\n{part}\r\n" for n, part in parts)
    return requests.post(
        f"{google.url}/batch/calendar/v3",
        data=(body + "--b--\r\n").encode(),
        headers={"Content-Type": "multipart/mixed; boundary=b", **headers},
        timeout=5,
    )


@pytest.mark.checklist(27)
def test_the_outer_token_counts_for_parts_without_one(google):
    token = google.grant(ANNA, SCOPES)["access_token"]
    part = "GET /calendar/v3/calendars/anna%40northfold.example/events?alt=json HTTP/1.1\r\n\r\n"
    answer = raw_batch(google, [("x1", part)], Authorization=f"Bearer {token}")
    assert answer.status_code == 200
    assert "Content-ID: <response-x1>" in answer.text
    assert "HTTP/1.1 200 OK" in answer.text
    assert "HTTP/1.1 401 Unauthorized" in raw_batch(google, [("x1", part)]).text


@pytest.mark.checklist(27)
def test_bad_batches_are_refused(google):
    part = "GET /calendar/v3/calendars/primary/events HTTP/1.1\r\n\r\n"
    assert raw_batch(google, [(str(number), part) for number in range(1001)]).status_code == 400
    answer = requests.post(f"{google.url}/batch/calendar/v3", data="nothing", timeout=5)
    assert answer.status_code == 400
    assert "HTTP/1.1 404" in raw_batch(google, [("x1", "GET /token HTTP/1.1\r\n\r\n")]).text


# Answers


@pytest.mark.checklist(28)
def test_fields_cut_the_answer(google, anna):
    event = insert(anna, timed("Review", attendees=guests(BORIS)))
    answer = page(anna, fields="items(id,start/timeZone,attendees(email)),nextSyncToken")
    assert answer["items"] == [
        {"id": event["id"], "start": {"timeZone": "Europe/Berlin"}, "attendees": [{"email": BORIS}]}
    ]
    assert answer.keys() == {"items", "nextSyncToken"}
    assert page(anna, fields="items(id)").keys() == {"items"}, "tokens come only when named"
    assert page(anna, fields="items, kind").keys() == {"items", "kind"}
    assert page(anna, fields="items/id") == {"items": [{"id": event["id"]}]}
    assert page(anna, fields="*").keys() == page(anna).keys()
    assert get(anna, event["id"], fields="summary") == {"summary": "Review"}


@pytest.mark.parametrize("selection", ["items(", "items(id", "(id)", "items,", "a//b", "items(id))"])
def test_an_unreadable_selection_is_refused(google, anna, selection):
    with refused(400, "invalidParameter"):
        page(anna, fields=selection)


@pytest.mark.checklist(28)
def test_answers_are_packed_only_for_who_says_so_twice(google):
    google.fill(ANNA, [timed(f"Event {number}") for number in range(20)])
    path = "/calendar/v3/calendars/primary/events"
    packed = ask(google, path, **{"Accept-Encoding": "gzip", "User-Agent": "test (gzip)"})
    plain = ask(google, path, **{"Accept-Encoding": "gzip", "User-Agent": "test"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert packed.json() == plain.json()
    assert int(packed.headers["Content-Length"]) < len(plain.content) / 2


def test_answers_look_like_googles(google):
    headers = ask(google, "/calendar/v3/calendars/primary/events").headers
    assert headers["Content-Type"] == "application/json; charset=UTF-8"
    assert headers["Cache-Control"] == "no-cache, no-store, max-age=0, must-revalidate"
    assert headers["ETag"]


@pytest.mark.checklist(28)
def test_a_query_too_long_for_an_address_arrives_in_a_post(google, anna):
    insert(anna, timed("Review"))
    long = "x" * 3000
    assert page(anna, q=long)["items"] == []
    last = google.requests.all()[-1]
    assert last.method == "POST"
    assert long not in last.query
    assert page(anna, q="review")["items"]


@pytest.mark.checklist(28)
def test_another_method_may_travel_in_a_post(google, anna):
    event = insert(anna, timed("Old"))
    token = google.grant(ANNA, SCOPES)["access_token"]
    url = f"{google.url}/calendar/v3/calendars/anna%40northfold.example/events/{event['id']}"
    for method, body in (("PATCH", {"summary": "New"}), ("DELETE", None)):
        headers = {"Authorization": f"Bearer {token}", "X-HTTP-Method-Override": method}
        assert requests.post(url, json=body, headers=headers, timeout=5).ok
    assert [(row["summary"], row["status"]) for row in page(anna, showDeleted=True)["items"]] == [("New", "cancelled")]
    assert requests.get(url, headers={"X-HTTP-Method-Override": "DELETE"}, timeout=5).status_code == 401


def test_a_body_that_is_no_object_is_refused(google):
    token = google.grant(ANNA, SCOPES)["access_token"]
    for body in ("{", "[]"):
        answer = requests.post(
            f"{google.url}/calendar/v3/calendars/primary/events",
            data=body,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            timeout=5,
        )
        assert answer.status_code == 400
        assert answer.json()["error"]["errors"][0]["reason"] == "parseError"


def test_an_unknown_address_is_not_found(google):
    assert ask(google, "/calendar/v3/nothing/here").status_code == 404


def test_addresses_are_compared_without_case(google, client):
    anna = client("Anna@Northfold.example").events()
    event = insert(anna, timed(attendees=guests("Boris@Northfold.Example")))
    assert client(BORIS).events().get(calendarId="BORIS@northfold.example", eventId=event["id"]).execute()


# The log


def test_the_log_tells_what_was_asked(google, anna, client):
    google.requests.clear()
    event = insert(anna, timed("Review"))
    page(anna)
    with refused(404, "notFound"):
        get(anna, "nothere")
    patch(anna, event["id"], {"summary": "New"})

    assert google.requests.count() == len(google.requests) == 4
    assert [call.method for call in google.requests.writes()] == ["POST", "PATCH"]
    assert google.requests.count(status=404) == 1
    assert google.requests.count(method="get", path="/events$") == 1
    [written] = google.requests.all(method="PATCH")
    assert written.body == '{"summary": "New"}'
    assert written.email == ANNA
