"""Planted failures, as Google's client meets them."""

from __future__ import annotations

import time
from http.client import IncompleteRead

import httplib2
import pytest
from google.auth.exceptions import RefreshError
from google_auth_httplib2 import AuthorizedHttp
from googleapiclient.errors import HttpError

from .conftest import ANNA
from .helpers import everything, get, insert, page, patch, refused, timed


@pytest.mark.checklist(25)
@pytest.mark.parametrize(
    ("fault", "status", "reason", "domain"),
    [
        ({"status": 403, "reason": "userRateLimitExceeded"}, 403, "userRateLimitExceeded", "usageLimits"),
        ({"status": 403, "reason": "quotaExceeded"}, 403, "quotaExceeded", "usageLimits"),
        ({"status": 403, "reason": "accessNotConfigured"}, 403, "accessNotConfigured", "usageLimits"),
        ({"status": 403, "reason": "notACalendarUser"}, 403, "notACalendarUser", "calendar"),
        ({"status": 429}, 429, "rateLimitExceeded", "usageLimits"),
        ({"status": 500}, 500, "backendError", "global"),
        ({}, 503, "backendError", "global"),
    ],
    ids=str,
)
def test_an_error_answer_comes_once_and_does_nothing(google, anna, fault, status, reason, domain):
    google.fail(method="POST", **fault)
    with refused(status, reason) as refusal:
        insert(anna, timed())
    assert refusal.error["domain"] == domain
    assert page(anna)["items"] == []
    assert insert(anna, timed())["id"]


def test_faults_choose_their_requests(google, anna):
    google.fail(method="GET", path="/events$", times=2, skip=1)
    assert insert(anna, timed())
    assert page(anna)
    for _ in range(2):
        with refused(503, "backendError"):
            page(anna)
    assert page(anna)
    assert google.faults.waiting == []


def test_retry_after_is_sent(google, anna):
    google.fail(status=429, retry_after=17)
    with pytest.raises(HttpError) as caught:
        page(anna)
    assert caught.value.resp["retry-after"] == "17"


@pytest.mark.checklist(25)
def test_an_error_after_the_write_leaves_the_write(google, anna):
    google.fail(status=500, when="after", method="POST")
    with refused(500, "backendError"):
        insert(anna, timed(id="aaaaa00001"))
    with refused(409, "duplicate"):
        insert(anna, timed(id="aaaaa00001"))


@pytest.mark.checklist(25)
def test_an_edge_page_is_not_json(google, anna):
    google.fail("html", status=502)
    with pytest.raises(HttpError) as caught:
        page(anna)
    assert caught.value.status_code == 502
    assert caught.value.content.startswith(b"<!DOCTYPE html>")


@pytest.mark.checklist(25)
@pytest.mark.parametrize(("when", "stored"), [("before", 0), ("after", 1)])
def test_no_answer_in_time(google, client, when, stored):
    events = client(ANNA).events()
    google.fail("timeout", when=when, method="POST", times=2, seconds=2)
    request = events.insert(calendarId="primary", body=timed(id="aaaaa00001"))
    impatient = AuthorizedHttp(request.http.credentials, http=httplib2.Http(timeout=0.2))
    with pytest.raises(TimeoutError):
        request.execute(http=impatient)
    google.faults.clear()
    assert len(everything(events)[0]) == stored


@pytest.mark.checklist(25)
@pytest.mark.parametrize(("when", "stored"), [("before", 0), ("after", 1)])
def test_a_connection_reset(google, anna, when, stored):
    google.fail("reset", when=when, method="POST", times=5)
    with pytest.raises(ConnectionError):
        insert(anna, timed(id="aaaaa00001"))
    google.faults.clear()
    assert len(everything(anna)[0]) == stored


def test_httplib2_repeats_a_reset_request_by_itself(google, anna):
    """Whoever wants the caller to see a reset has to plant it more than once."""
    google.fail("reset", when="after", method="POST", times=1)
    with refused(409, "duplicate"):
        insert(anna, timed(id="aaaaa00001"))
    assert google.requests.count(method="POST", path="/events$") == 2


@pytest.mark.checklist(25)
def test_half_a_body_arrives_as_text(google, anna):
    google.fail("truncate")
    assert isinstance(page(anna), str)


def test_a_connection_cut_in_the_middle(google, anna):
    google.fill(ANNA, [timed(f"Event {number}") for number in range(50)])
    google.fail("cut", times=5)
    with pytest.raises((ConnectionError, IncompleteRead)):
        page(anna)
    google.faults.clear()
    assert len(page(anna)["items"]) == 50


def test_a_slow_answer(google, anna):
    google.fail("slow", seconds=0.2)
    before = time.monotonic()
    assert page(anna)["items"] == []
    assert time.monotonic() - before >= 0.2


def test_something_can_happen_in_between(google, anna):
    event = insert(anna, timed("First"))
    google.interject(lambda: google.person(ANNA).edit(event["id"], {"summary": "Meanwhile"}), method="PATCH")
    with refused(412, "conditionNotMet"):
        patch(anna, event["id"], {"summary": "Second"}, if_match=event["etag"])
    assert get(anna, event["id"])["summary"] == "Meanwhile"


def test_parts_of_a_batch_fail_alone(google, client):
    service = client(ANNA)
    google.fail(status=403, reason="rateLimitExceeded", method="POST", path="/events$", skip=1)
    outcomes = []
    batch = service.new_batch_http_request(callback=lambda _id, _answer, error: outcomes.append(error))
    for number in range(3):
        batch.add(service.events().insert(calendarId="primary", body=timed(f"Event {number}")))
    batch.execute()
    assert [error and error.status_code for error in outcomes] == [None, 403, None]
    assert len(page(service.events())["items"]) == 2


def test_the_token_endpoint_fails_too(google, client, monkeypatch):
    monkeypatch.setattr("google.auth._exponential_backoff.time.sleep", lambda _seconds: None)
    google.fail(path="/token$", status=503, times=10)
    google.expire_access_tokens()
    events = client(tokens=google.grant(ANNA, ["openid"])).events()
    google.expire_access_tokens()
    with pytest.raises(RefreshError) as caught:
        page(events)
    assert caught.value.retryable


def test_a_wrong_fault_is_refused(google):
    for wrong in ({"kind": "flood"}, {"when": "during"}, {"status": 500, "color": "red"}):
        with pytest.raises((ValueError, TypeError)):
            google.fail(**wrong)
