"""One session at a time, repeatable, one outcome an item (R18, R19)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from sync.models import EventLink, SyncedCalendar, SyncSession
from tests.google import synchronize
from tests.sync.helpers import (
    TEN,
    assert_quiet,
    change,
    counts,
    fresh,
    tagged,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.embedded]


@pytest.mark.rule("R19", "R20")
def test_one_bad_item_is_parked_and_the_others_go_on(google, anna, annas):
    activities = [tagged(anna, f"Visit {number}") for number in range(3)]
    google.fail(status=403, reason="forbidden", method="POST", path="/events", times=1)

    session = synchronize(annas)

    assert session.status == "with_problems"
    assert len(google.person("anna@northfold.example").events()) == 2
    assert session.outcomes.filter(action="parked").count() == 1
    assert_quiet(google, annas)
    EventLink.objects.update(retry_at=timezone.now() - timedelta(seconds=1))
    EventLink.objects.filter(state="linked").update(retry_at=None)
    synchronize(annas)
    assert len(google.person("anna@northfold.example").events()) == len(activities)


@pytest.mark.rule("R19")
def test_an_item_that_fails_here_is_parked_by_its_link_with_back_off(google, anna, annas, monkeypatch):
    from sync.store import pairs

    activity = tagged(anna)
    synchronize(annas)
    change(activity, anna, subject="Changed")

    def fail(*_args: Any, **_values: Any) -> None:
        raise RuntimeError("unforeseen")

    with monkeypatch.context() as patch:
        patch.setattr(pairs, "snapshot_here", fail)
        session = synchronize(annas)

    [outcome] = session.outcomes.all()
    assert (outcome.action, outcome.item, outcome.link.retry_at is not None) == ("parked", "Changed", True)
    assert_quiet(google, annas)
    EventLink.objects.update(retry_at=timezone.now() - timedelta(seconds=1))
    synchronize(annas)
    assert [event["summary"] for event in google.person("anna@northfold.example").events()] == ["Changed"]


@pytest.mark.rule("R18")
def test_two_requests_share_one_session(google, anna, annas):
    from sync import sessions

    first = sessions.request(calendar=annas, trigger="manual", now=timezone.now())
    second = sessions.request(calendar=annas, trigger="automatic", now=timezone.now())
    assert first == second
    assert SyncSession.objects.count() == 1


@pytest.mark.rule("R18")
def test_only_one_run_holds_a_calendar_and_a_dead_one_loses_it(annas):
    now = timezone.now()
    key = SyncedCalendar.objects.claim(calendar_id=annas.pk, now=now)
    assert key
    assert SyncedCalendar.objects.claim(calendar_id=annas.pk, now=now) is None
    assert SyncedCalendar.objects.claim(calendar_id=annas.pk, now=now + timedelta(hours=1))


@pytest.mark.rule("R18")
def test_whoever_sees_that_a_session_has_ended_can_start_the_next(google, anna, annas, monkeypatch):
    from sync import engine

    finish, keys = engine._finish, []

    def finish_and_claim(*args, **kwargs):
        finish(*args, **kwargs)
        keys.append(SyncedCalendar.objects.claim(calendar_id=annas.pk, now=timezone.now()))

    monkeypatch.setattr(engine, "_finish", finish_and_claim)

    synchronize(annas)

    assert keys[0] is not None
    assert SyncedCalendar.objects.get().lease_by == keys[0]


@pytest.mark.rule("R18")
def test_a_reading_that_was_cut_off_goes_on_where_it_stopped(google, anna, annas, monkeypatch):
    from sync import sessions
    from sync.google import gateway

    monkeypatch.setitem(gateway.CalendarGateway.list_events.__kwdefaults__, "page_size", 2)
    monkeypatch.setattr(sessions, "PAUSES", ())
    for number in range(5):
        google.person("anna@northfold.example").create_event({"summary": f"Visit {number}", **TEN})
    google.fail(status=503, reason="backendError", path=r"/events$", skip=1, times=1)

    cut = synchronize(annas)
    assert (cut.status, SyncedCalendar.objects.get().page_token != "") == ("failed", True)
    assert counts(cut) == {"added_here": 2}  # What came in with the first page is here already.
    session = synchronize(SyncedCalendar.objects.get())

    assert counts(session) == {"added_here": 3}
    assert_quiet(google, SyncedCalendar.objects.get())


@pytest.mark.rule("R18")
def test_the_dispatcher_finishes_dead_sessions_and_queues_what_is_due(google, anna, annas):
    from sync import tasks

    now = timezone.now()
    dead = SyncSession.objects.create(calendar=annas, status="running", queued_at=now, started_at=now)
    SyncedCalendar.objects.update(lease_by="gone", lease_until=now - timedelta(seconds=1), due_at=now)

    tasks.dispatch()

    dead.refresh_from_db()
    assert dead.status == "failed"
    assert SyncSession.objects.get(status="queued").trigger == "automatic"


@pytest.mark.rule("R18")
def test_the_daily_comparison_touches_nothing_that_did_not_change(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    before = fresh(activity).modified_at
    SyncedCalendar.objects.update(compare_all=True)

    session = synchronize(SyncedCalendar.objects.get())

    assert (counts(session), session.requests_made) == ({}, 1)
    assert fresh(activity).modified_at == before
