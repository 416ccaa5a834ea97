"""Several calls in one request: each has an outcome of its own, whatever becomes of the others (R12, R19)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from accounts.models import ExternalAccount
from google_emulator import Emulator, batch
from sync.google import errors
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


@pytest.mark.rule("R12")
def test_each_part_goes_out_on_the_version_that_was_seen(google, gateway, events):
    calls = [rename(event) for event in events[:2]] + [Call("delete", events[2]["id"], etag=events[2]["etag"])]

    gateway.send([*calls, Call("get", events[3]["id"])])

    asked = {call.path.rpartition("/")[2]: call.if_match for call in google.requests.calls(path="/calendar/")}
    assert asked == {event["id"]: event["etag"] for event in events[:3]} | {events[3]["id"]: ""}


@pytest.mark.rule("R17")
def test_each_part_says_whether_guests_get_mail(google, gateway, events):
    google.add_account("boris@northfold.example")
    guests = {"attendees": [{"email": "boris@northfold.example"}]}
    calls = [
        Call("patch", event["id"], body=guests, etag=event["etag"], send_updates=tells)
        for event, tells in zip(events, ["all", "none"], strict=False)
    ]

    gateway.send(calls)

    [mail] = google.mail.all(to="boris@northfold.example")
    assert "Visit 0" in str(mail)


# --- One call alone ------------------------------------------------------------------------------------------------


@pytest.mark.rule("R19")
@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ({"status": 403, "reason": "forbidden"}, "EventRefused"),
        ({"status": 412, "reason": "conditionNotMet"}, "EventChangedMeanwhile"),
        ({"status": 404, "reason": "notFound"}, "EventGone"),
        ({"status": 410, "reason": "deleted"}, "EventGone"),
        ({"status": 410, "reason": "unheardOf"}, "EventGone"),
        ({"status": 400, "reason": "invalid"}, "RequestInvalid"),
        ({"status": 409, "reason": "conflict"}, "GoogleUnavailable"),
        ({"status": 429, "reason": "rateLimitExceeded"}, "GoogleUnavailable"),
        ({"status": 500, "reason": "backendError"}, "GoogleUnavailable"),
        ({"kind": "html", "status": 502}, "GoogleUnavailable"),
        ({"kind": "truncate"}, "AnswerUnreadable"),
        ({"kind": "cut"}, "AnswerUnreadable"),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_a_call_alone_has_the_outcome_of_a_part(google, gateway, events, fault, outcome):
    google.fail(**fault, method="PATCH")

    assert kinds(gateway.send([rename(events[0])])) == [outcome]
    assert google.requests.all(method="POST") == []


# --- What concerns all ---------------------------------------------------------------------------------------------


@pytest.mark.rule("R20")
@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        ({"status": 403, "reason": "insufficientPermissions"}, errors.AccessInsufficient),
        ({"status": 403, "reason": "accessNotConfigured"}, errors.AccessInsufficient),
        ({"status": 401, "reason": "authError", "times": 4}, errors.AccessRefused),
        ({"status": 404, "reason": "notFound"}, errors.CalendarGone),  # What cannot be added has no other reason.
    ],
    ids=["scope", "API not enabled", "401 that stays", "no calendar"],
)
def test_what_concerns_every_call_is_raised(google, gateway, fault, failure, size):
    google.fail(**fault, method="POST", path=r"/events$")

    with pytest.raises(failure):
        gateway.send([insert(number) for number in range(size)])


@pytest.mark.rule("R20")
@pytest.mark.parametrize("size", [1, 3])
def test_a_withdrawn_access_is_raised(google, gateway, size):
    google.revoke_grants(ANNA)

    with pytest.raises(errors.AccessRevoked):
        gateway.send([insert(number) for number in range(size)])


@pytest.mark.rule("R20")
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "timeout", "seconds": 5},
        {"kind": "reset", "times": 4},
        {"kind": "html", "status": 503},
        {"status": 429},
    ],
    ids=["no answer", "reset", "HTML 503", "429"],
)
def test_a_batch_without_an_answer_may_have_been_carried_out(google, gateway, events, fault, when):
    google.fail(**fault, when=when, method="POST", path="/batch/")

    with pytest.raises(errors.GoogleUnavailable):
        gateway.send([*[rename(event) for event in events[:2]], insert(0)])

    google.faults.clear()
    is_done = when == "after"
    expected = ["EventChangedMeanwhile", "EventChangedMeanwhile", "EventIdTaken"] if is_done else ["answer"] * 3
    assert kinds(gateway.send([*[rename(event) for event in events[:2]], insert(0)])) == expected
    assert subjects(google) == ["Visit 0", "Visit 0!", "Visit 1!", "Visit 2", "Visit 3", "Visit 4", "Visit 5"]


@pytest.mark.rule("R20")
def test_a_batch_refused_for_a_while_says_for_how_long(google, gateway, events):
    google.fail(status=503, reason="backendError", retry_after=17, method="POST", path="/batch/")

    with pytest.raises(errors.GoogleUnavailable) as raised:
        gateway.send([rename(event) for event in events])

    assert raised.value.retry_after == 17


@pytest.mark.rule("R20")
def test_a_part_refused_for_a_while_says_for_how_long(google, gateway, events):
    google.fail(status=429, reason="rateLimitExceeded", retry_after=17, method="PATCH", path=events[1]["id"])

    outcomes = gateway.send([rename(event) for event in events])

    assert [getattr(outcome, "retry_after", None) for outcome in outcomes] == [None, 17, None, None, None, None]


@pytest.mark.rule("R20")
def test_the_answers_to_a_batch_survive_the_failure_of_the_next(google, gateway):
    google.fail(status=503, reason="backendError", method="POST", path="/batch/", skip=1)

    outcomes = gateway.send([insert(number) for number in range(BATCH_SIZE + 5)])

    assert kinds(outcomes) == ["answer"] * BATCH_SIZE + ["GoogleUnavailable"] * 5
    assert len(google.person(ANNA).events()) == BATCH_SIZE


# --- Damaged answers -----------------------------------------------------------------------------------------------


@pytest.mark.rule("R13", "R20")
@pytest.mark.parametrize("kind", ["truncate", "cut"])
def test_of_an_answer_that_breaks_off_the_parts_that_came_count(google, gateway, kind):
    google.fail(kind, method="POST", path="/batch/")

    outcomes = gateway.send([insert(number) for number in range(6)])

    told = 2 if kind == "truncate" else 0
    assert kinds(outcomes[:told]) == ["answer"] * told
    assert all(isinstance(outcome, errors.GoogleUnavailable) for outcome in outcomes[told:])
    assert len(google.person(ANNA).events()) == 6
    assert kinds(gateway.send([insert(number) for number in range(6)])) == ["EventIdTaken"] * 6


@pytest.mark.rule("R20")
@pytest.mark.parametrize("damage", ["part missing", "part empty", "part without a name", "no parts", "not text"])
def test_what_cannot_be_read_is_unknown_and_the_rest_counts(google, gateway, events, damage):
    with serving(google, lambda answer: damaged(answer, damage)):
        outcomes = gateway.send([rename(event) for event in events[:3]])

    expected = ["answer", "GoogleUnavailable", "answer"]
    if damage in ("part empty", "part without a name"):  # The library reads no further.
        expected = ["answer", "GoogleUnavailable", "GoogleUnavailable"]
    if damage in ("no parts", "not text"):
        expected = ["GoogleUnavailable"] * 3
    assert kinds(outcomes) == expected
    assert subjects(google)[:3] == ["Visit 0!", "Visit 1!", "Visit 2!"]


# --- Access --------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R20")
def test_an_access_that_expires_is_renewed_within_a_batch_and_kept(google, account, gateway, events):
    google.expire_access_tokens()

    outcomes = gateway.send([rename(event) for event in events])

    assert kinds(outcomes) == ["answer"] * 6
    assert google.requests.count(path="/token") == 1
    kept = ExternalAccount.objects.get(pk=account.pk)
    google.requests.clear()
    assert kinds(CalendarGateway(account=kept).send([Call("get", event["id"]) for event in events])) == ["answer"] * 6
    assert google.requests.count(path="/token") == 0


@pytest.mark.rule("R20")
def test_an_access_known_to_be_old_is_renewed_before_the_batch(google, account, events):
    account.credentials = {**account.credentials, "expires_at": datetime(2020, 1, 1, tzinfo=UTC).isoformat()}
    account.save()

    outcomes = CalendarGateway(account=account).send([rename(event) for event in events])

    assert kinds(outcomes) == ["answer"] * 6
    assert [request.path for request in google.requests] == ["/token", "/batch/calendar/v3"]


@pytest.mark.rule("R20")
def test_only_the_parts_that_got_401_are_sent_again(google, gateway, events):
    google.fail(status=401, reason="authError", method="PATCH", path=events[1]["id"])
    google.fail(status=401, reason="authError", method="PATCH", path=events[4]["id"])

    outcomes = gateway.send([rename(event) for event in events])

    assert kinds(outcomes) == ["answer"] * 6
    assert [len(request.parts) for request in google.requests.all(path="/batch/")] == [6, 2]
    assert google.requests.count(path="/token") == 1


@pytest.mark.rule("R20")
@pytest.mark.parametrize("fault", [{"kind": "html", "status": 503}, {"kind": "cut"}, {"kind": "reset", "times": 4}])
def test_when_the_parts_that_got_401_get_no_second_answer_the_others_count(google, gateway, events, fault):
    google.fail(status=401, reason="authError", method="PATCH", path=events[1]["id"])
    google.fail(**fault, method="POST", path="/batch/", skip=1)

    outcomes = gateway.send([rename(event) for event in events[:3]])

    assert kinds(outcomes) == ["answer", "GoogleUnavailable", "answer"]


@pytest.mark.rule("R20")
def test_a_sign_in_service_that_hangs_holds_a_batch_no_longer_than_a_call(google, gateway, events):
    google.expire_access_tokens()
    google.fail("timeout", path="/token", seconds=60, times=20)
    began = time.monotonic()

    with pytest.raises(errors.GoogleUnavailable):
        gateway.send([rename(event) for event in events])

    assert time.monotonic() - began < 30


# --- An answer that was damaged on the way -------------------------------------------------------------------------


@contextmanager
def serving(google: Emulator, change: Callable[[bytes], bytes]) -> Iterator[None]:
    """Let the local Google's answers to batches pass through a function."""
    really = batch.answer

    def answer(*args: Any, **values: Any) -> Any:
        reply = really(*args, **values)
        reply.body = change(reply.body)
        return reply

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch, "answer", answer)
        yield


def damaged(body: bytes, damage: str) -> bytes:
    """Damage the second of three parts, or everything."""
    boundary = body.partition(b"\r\n")[0]
    first, second, third = body.split(boundary)[1:4]
    if damage == "no parts":
        return b"<html>Try again later.</html>"
    if damage == "not text":
        return body.replace(b"Visit 1", b"\xff\xfe")
    parts = {
        "part missing": [first, third],
        "part empty": [first, second.partition(b"\r\n\r\n")[0] + b"\r\n\r\n\r\n", third],
        "part without a name": [first, b"\r\n" + second.partition(b"\r\n")[2].partition(b"\r\n")[0] + b"\r\n\r\n"
                                + second.partition(b"\r\n\r\n")[2], third],
    }[damage]  # fmt: skip
    return b"".join(boundary + part for part in parts) + boundary + b"--\r\n"
