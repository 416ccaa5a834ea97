"""Sessions run by a real Celery worker: a process of its own, on the database and the broker of the run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from google_emulator import Emulator
from sync import sessions, tasks
from sync.models import EventLink, SyncedCalendar, SyncSession
from tests.factories import make_activity, make_user
from tests.google import connect, sync_tag, timed
from tests.worker import Worker, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.embedded]

ADDRESS = "anna@northfold.example"
START = datetime(2027, 3, 8, 10, tzinfo=UTC)


@pytest.fixture
def annas(google: Emulator) -> SyncedCalendar:
    return connect(google, make_user("anna"))


@pytest.fixture
def activity(annas: SyncedCalendar):
    anna = annas.account.profile
    values = {"start": START, "now": timezone.now(), "show_in_calendar": True}
    return make_activity(by=anna, subject="Renewal call", tags=[sync_tag(anna)], **values)


def request(calendar: SyncedCalendar) -> SyncSession:
    return sessions.request(calendar=calendar, trigger=SyncSession.Trigger.MANUAL, now=timezone.now())


def wait_for(session: SyncSession) -> SyncSession:
    def is_finished() -> bool:
        session.refresh_from_db()
        return session.is_finished

    wait_until(is_finished, what="the end of the session", seconds=30)
    return session


@pytest.mark.rule("R18")
def test_a_worker_runs_a_requested_session_both_ways(google, annas, activity, celery_worker: Worker):
    google.person(ADDRESS).create_event(
        {"summary": "Made in Google"} | timed("2027-03-09T10:00:00", "2027-03-09T11:00:00")
    )

    session = wait_for(request(annas))

    assert session.status == SyncSession.Status.SUCCEEDED
    assert (session.added_in_google, session.added_here) == (1, 1)
    assert {event["summary"] for event in google.person(ADDRESS).events()} == {"Renewal call", "Made in Google"}


@pytest.mark.rule("R18")
def test_what_was_asked_while_no_worker_ran_is_done_when_one_starts(google, annas, activity, celery_worker: Worker):
    celery_worker.kill()
    session = request(annas)

    celery_worker.start()

    assert wait_for(session).added_in_google == 1


@pytest.mark.rule("R13", "R18")
def test_a_worker_killed_between_googles_answer_and_our_commit_leaves_one_event(
    google, annas, activity, celery_worker: Worker
):
    google.fail("slow", when="after", method="POST", path="/events", seconds=30)
    dead = request(annas)
    wait_until(lambda: google.person(ADDRESS).events(), what="the event in Google")

    celery_worker.kill()
    assert EventLink.objects.get().state == EventLink.State.INSERTING
    google.faults.clear()
    SyncedCalendar.objects.update(lease_until=F("lease_until") - timedelta(days=1))  # As after the time of the lease.
    tasks.dispatch()
    assert wait_for(dead).status == SyncSession.Status.FAILED
    celery_worker.start()
    session = wait_for(request(annas))

    assert session.status == SyncSession.Status.SUCCEEDED
    assert [event["summary"] for event in google.person(ADDRESS).events()] == ["Renewal call"]
    link = EventLink.objects.get()
    assert (link.state, link.activity) == (EventLink.State.LINKED, activity)
