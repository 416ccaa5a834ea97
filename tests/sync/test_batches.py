"""Several calls in one request: each has an outcome of its own, whatever becomes of the others (R12, R19)."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import ExternalAccount
from google_emulator import Emulator
from sync.google.gateway import BATCH_SIZE, CalendarGateway, Call
from tests.factories import make_user
from tests.google import connect, timed

pytestmark = [pytest.mark.django_db, pytest.mark.rule("R12")]

TEN = timed("2027-03-08T10:00:00", "2027-03-08T11:00:00")
ANNA = "anna@northfold.example"
TIMEOUT = 2.0  # Seconds for one answer.


@pytest.fixture
def account(google: Emulator) -> ExternalAccount:
    return connect(google, make_user("anna")).account


@pytest.fixture
def gateway(account: ExternalAccount) -> CalendarGateway:
    return CalendarGateway(account=account, timeout=TIMEOUT)


@pytest.fixture
def events(google: Emulator, account: ExternalAccount) -> list[dict[str, Any]]:
    google.fill(ANNA, [{"summary": f"Visit {number}", **TEN} for number in range(6)])
    return sorted(google.person(ANNA).events(), key=lambda event: str(event["summary"]))


def insert(number: int) -> Call:
    return Call("insert", body={"id": f"visit{number:04}", "summary": f"Visit {number}", **TEN})


def rename(event: dict[str, Any], *, etag: str = "") -> Call:
    return Call("patch", event["id"], body={"summary": event["summary"] + "!"}, etag=etag or event["etag"])


def subjects(google: Emulator) -> list[str]:
    return sorted(event["summary"] for event in google.person(ANNA).events())


def kinds(outcomes: list[Any]) -> list[str]:
    return ["answer" if isinstance(outcome, dict) else type(outcome).__name__ for outcome in outcomes]


@pytest.mark.rule("R18")
@pytest.mark.parametrize(
    ("calls", "requests"), [(0, 0), (1, 1), (2, 1), (BATCH_SIZE, 1), (BATCH_SIZE + 1, 2), (2 * BATCH_SIZE + 1, 3)]
)
def test_fifty_calls_are_one_request(google, gateway, calls, requests):
    outcomes = gateway.send([insert(number) for number in range(calls)])

    assert [outcome["summary"] for outcome in outcomes] == [f"Visit {number}" for number in range(calls)]
    assert (gateway.requests_made, len(google.requests.all(method="POST"))) == (requests, requests)
    assert google.requests.count(path=r"/events$") == calls
    assert len(google.person(ANNA).events()) == calls


@pytest.mark.rule("R19")
def test_each_part_has_its_own_outcome(google, gateway, events):
    person = google.person(ANNA)
    person.delete(events[4]["id"])
    google.fail(status=403, reason="forbidden", method="PATCH", path=events[1]["id"])
    google.fail(status=503, reason="backendError", method="PATCH", path=events[5]["id"])
    calls = [
        rename(events[0]),
        rename(events[1]),
        rename(events[2], etag='"1"'),
        Call("delete", events[3]["id"], etag=events[3]["etag"]),
        Call("delete", events[4]["id"], etag=events[4]["etag"]),
        rename(events[5]),
        Call("get", "unknown0000"),
        Call("get", events[0]["id"]),
        Call("insert", body={"id": events[0]["id"], "summary": "Another", **TEN}),
        Call("insert", body={"summary": "Without an end", "start": TEN["start"]}),
    ]

    outcomes = gateway.send(calls)

    assert kinds(outcomes) == [
        "answer",
        "EventRefused",
        "EventChangedMeanwhile",
        "answer",
        "answer",
        "GoogleUnavailable",
        "EventGone",
        "answer",
        "EventIdTaken",
        "RequestInvalid",
    ]
    assert outcomes[0]["summary"] == "Visit 0!"
    assert (outcomes[3], outcomes[4]) == ({}, {})
    assert "Google refuses the change" in str(outcomes[1])
    assert subjects(google) == ["Visit 0!", "Visit 1", "Visit 2", "Visit 5"]
    assert gateway.requests_made == 1
