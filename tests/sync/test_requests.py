"""How many requests a session makes, however much there is to do (R12, R18)."""

from __future__ import annotations

import math
from urllib.parse import parse_qs

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from activities import services
from activities.models import Activity
from sync import sessions, tasks
from sync.google.gateway import CalendarGateway
from sync.models import EventLink
from tests.factories import make_activity
from tests.google import sync_tag, synchronize
from tests.sync.helpers import DUE, START, TEN, assert_quiet, counts, tagged
from tests.sync.wire import sent

pytestmark = pytest.mark.django_db(transaction=True)

ANNA = "anna@northfold.example"
MANY = 120


@pytest.mark.rule("R12", "R18")
@pytest.mark.timeout(180)
def test_many_changes_go_out_in_batches_of_fifty(google, anna, annas):
    tag = sync_tag(anna)
    for number in range(MANY):
        make_activity(by=anna, subject=f"Visit {number}", start=START, due=DUE, tags=[tag], show_in_calendar=True,
                      now=timezone.now())  # fmt: skip

    first = synchronize(annas)

    assert (first.status, counts(first)) == ("succeeded", {"added_in_google": MANY})
    assert first.requests_made == 1 + math.ceil(MANY / 50)
    assert_quiet(google, annas)
    changed = list(Activity.objects.order_by("id")[:60])
    for activity in changed:
        services.edit(activity=activity, by=anna, now=timezone.now(), location="Lund")
    google.requests.clear()

    second = synchronize(annas)

    assert (second.status, counts(second), second.requests_made) == ("succeeded", {"updated_in_google": 60}, 1 + 2)
    assert all(write.if_match for write in sent(google, method="PATCH"))
    assert_quiet(google, annas)


@pytest.mark.rule("R12")
@pytest.mark.parametrize(
    ("changes", "collisions", "requests"),
    [
        # The list, the batches of at most fifty; then what collided is read afresh in one batch and written in another.
        (10, 0, 1 + 1),
        (1, 1, 1 + 1 + 2),
        (10, 1, 1 + 1 + 2),
        (10, 4, 1 + 1 + 2),
        (10, 10, 1 + 1 + 2),
        (60, 3, 1 + 2 + 1),  # The second batch of changes carries the reading as well.
    ],
)
def test_a_conflict_costs_its_own_reading_and_writing_and_no_others(google, anna, annas, changes, collisions, requests):
    activities = [tagged(anna, f"Visit {number}") for number in range(changes)]
    synchronize(annas)
    for activity in activities:
        services.edit(activity=activity, by=anna, now=timezone.now(), location="Lund")
    colliding = {f"Visit {number}" for number in range(collisions)}
    ids = [event["id"] for event in google.person(ANNA).events() if event["summary"] in colliding]

    def change_in_google() -> None:
        for event_id in ids:
            google.person(ANNA).edit(event_id, {"description": "Bring cake"})

    google.interject(change_in_google, method="PATCH")

    session = synchronize(annas)

    assert (session.status, session.requests_made) == ("succeeded", requests)
    with_cake = Activity.objects.filter(notes="Bring cake")
    assert {(activity.subject, activity.location) for activity in with_cake} == {(name, "Lund") for name in colliding}
    assert {event["location"] for event in google.person(ANNA).events()} == {"Lund"}
    assert_quiet(google, annas)


@pytest.mark.rule("R18")
def test_as_many_events_are_asked_for_at_once_as_google_lists(google, anna, annas):
    google.requests.clear()

    synchronize(annas)

    [listing] = google.requests
    assert parse_qs(listing.query)["maxResults"] == ["2500"]


@pytest.mark.rule("R18")
@pytest.mark.timeout(300)
def test_the_first_reading_takes_a_request_for_each_page(google, anna, annas, monkeypatch):
    # Fewer than the 2,500 of the test before.
    monkeypatch.setitem(CalendarGateway.list_events.__kwdefaults__, "page_size", 25)
    google.fill(ANNA, [{"summary": f"Talk {number}", **TEN} for number in range(110)])

    session = synchronize(annas)

    assert (session.status, counts(session)) == ("succeeded", {"added_here": 110})
    assert session.requests_made == math.ceil(110 / 25)
    assert_quiet(google, annas)


@pytest.mark.rule("R19", "R20")
def test_an_event_that_always_fails_does_not_stop_the_others(google, anna, annas):
    synchronize(annas)
    bad, good = tagged(anna, "Visit 1"), tagged(anna, "Visit 2")
    synchronize(annas)
    event = next(event for event in google.person(ANNA).events() if event["summary"] == "Visit 1")
    google.fail(status=500, reason="backendError", method="PATCH", path=event["id"], times=100)

    for place in ("Lund", "Malmö"):  # It is tried in every pass of the first session, and then later and later.
        for activity in (bad, good):
            services.edit(activity=activity, by=anna, now=timezone.now(), location=place)
        assert synchronize(annas).status == "with_problems"
        assert sorted(event.get("location", "") for event in google.person(ANNA).events()) == ["", place]
    assert EventLink.objects.get(activity=bad).retry_at  # It costs no further session its time.

    google.faults.clear()
    EventLink.objects.filter(retry_at__isnull=False).update(retry_at=timezone.now())
    synchronize(annas)
    assert {event.get("location") for event in google.person(ANNA).events()} == {"Malmö"}
    assert_quiet(google, annas)


@pytest.mark.rule("R18")
@pytest.mark.parametrize("trigger", ["automatic", "manual"])
def test_a_quiet_session_takes_eight_statements_however_much_is_linked(google, anna, annas, trigger):
    google.fill(ANNA, ({"summary": f"Visit {number}", **TEN} for number in range(MANY)))
    synchronize(annas)
    synchronize(annas)
    session, _is_new = sessions.open_session(calendar=annas, trigger=trigger, now=timezone.now())
    google.requests.clear()

    with CaptureQueriesContext(connection) as captured:
        tasks.run_session(session_id=session.pk)

    session.refresh_from_db()
    assert (session.status, session.requests_made, counts(session)) == ("succeeded", 1, {})
    statements = [query["sql"] for query in captured if query["sql"] not in ("BEGIN", "COMMIT")]
    assert len(statements) <= 8, "\n".join(statements)
