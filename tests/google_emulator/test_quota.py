"""Quotas, which count only when a test says so."""

from __future__ import annotations

import pytest

from .conftest import ANNA
from .helpers import insert, page, patch, refused, timed


@pytest.fixture(autouse=True)
def _still(google):
    google.clock.set(google.clock.now())


def test_nothing_is_counted_unless_asked_for(google, anna):
    for _ in range(20):
        page(anna)


@pytest.mark.parametrize(("status", "reason"), [(403, "userRateLimitExceeded"), (429, "rateLimitExceeded")])
def test_a_person_has_so_many_calls_a_minute(google, anna, boris, status, reason):
    google.behavior.change(user_quota=3, user_quota_status=status)
    for _ in range(3):
        page(anna)
    with refused(status, reason) as refusal:
        insert(anna, timed())
    assert refusal.error["domain"] == "usageLimits"
    assert page(boris)["items"] == [], "others have their own"
    google.clock.advance(seconds=59)
    with refused(status, reason):
        page(anna)
    google.clock.advance(seconds=1)
    assert page(anna)["items"] == [], "refused calls did not count"


@pytest.mark.parametrize(("status", "reason"), [(403, "rateLimitExceeded"), (429, "rateLimitExceeded")])
def test_a_project_has_so_many_calls_a_minute(google, anna, boris, status, reason):
    google.behavior.change(project_quota=2, project_quota_status=status)
    page(anna)
    page(boris)
    with refused(status, reason):
        page(boris)


def test_the_minute_slides(google, anna):
    google.behavior.user_quota = 2
    page(anna)
    google.clock.advance(seconds=40)
    page(anna)
    google.clock.advance(seconds=30)
    page(anna)
    with refused(403, "userRateLimitExceeded"):
        page(anna)


def test_a_patch_costs_more(google, anna):
    event = insert(anna, timed())
    google.behavior.user_quota = 5
    patch(anna, event["id"], {"summary": "One"})
    with refused(403, "userRateLimitExceeded"):
        patch(anna, event["id"], {"summary": "Two"})
    page(anna)
    page(anna)


def test_the_parts_of_a_batch_count(google, client):
    google.behavior.user_quota = 3
    service = client(ANNA)
    seen = {}
    batch = service.new_batch_http_request(callback=lambda name, answer, error: seen.update({name: error or answer}))
    for number in range(5):
        batch.add(service.events().list(calendarId="primary"), request_id=str(number))
    batch.execute()
    refusals = [name for name, outcome in seen.items() if getattr(outcome, "status_code", 200) == 403]
    assert refusals == ["3", "4"]


def test_a_call_can_name_whose_quota_it_uses(google, client):
    google.behavior.user_quota = 1
    events = client(ANNA).events()
    for user in ("one", "two"):
        request = events.list(calendarId="primary")
        request.uri += f"&quotaUser={user}"
        request.execute()
    request = events.list(calendarId="primary")
    request.uri += "&quotaUser=one"
    with refused(403, "userRateLimitExceeded"):
        request.execute()
