"""Google asks for patience: the session waits in its row, and nobody waits for it (R20)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.utils import timezone

from accounts.models import ExternalAccount
from activities import services
from activities.models import Activity, FieldChange
from sync import sessions, tasks
from sync.google.gateway import CalendarGateway
from sync.models import ActivityMark, EventLink, SyncedCalendar, SyncSession
from tests.google import synchronize
from tests.sync.helpers import TEN, assert_quiet, change, counts, fresh, tagged
from tests.worker import Worker, empty_broker, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.embedded, pytest.mark.rule("R20")]

ANNA, BORIS = "anna@northfold.example", "boris@northfold.example"
UNAVAILABLE: dict[str, Any] = {"status": 503, "reason": "backendError"}


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long each pause of a session in this process would have been, in seconds; chance adds 0.9 to each."""
    waited: list[float] = []
    monkeypatch.setattr(sessions, "random", SimpleNamespace(random=lambda: 0.9))
    monkeypatch.setattr(tasks, "sleep", waited.append)
    return waited


def ask(calendar: SyncedCalendar) -> SyncSession:
    """Ask for a session without sending a message about it."""
    session, _is_new = sessions.open_session(calendar=calendar, trigger=SyncSession.Trigger.MANUAL, now=timezone.now())
    return session


def one_pass(calendar: SyncedCalendar) -> SyncSession:
    """Do what a worker does with the message about the calendar's session."""
    session = ask(calendar)
    SyncSession.objects.filter(resume_at__isnull=False).update(resume_at=timezone.now())  # Its time has come.
    tasks.run_session(session_id=session.pk)
    return SyncSession.objects.get(pk=session.pk)


def titles(google: Any, address: str = ANNA) -> list[str]:
    return sorted(event["summary"] for event in google.person(address).events())


# --- How long, how often -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trouble", "is_done"),
    [
        ({"status": 429, "reason": "rateLimitExceeded"}, False),
        ({"status": 403, "reason": "userRateLimitExceeded"}, False),
        ({"status": 500, "reason": "backendError"}, False),
        ({"kind": "html", "status": 503}, False),
        ({"kind": "html", "status": 502, "when": "after"}, True),
        ({"kind": "reset", "times": 4}, False),  # httplib2 repeats each once by itself.
        ({"kind": "truncate"}, True),
        ({"kind": "cut"}, True),
    ],
    ids=["429", "403", "500", "HTML 503", "HTML 502 after it was done", "reset", "half a body", "cut off"],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_passing_trouble_is_waited_out(google, anna, annas, pauses, trouble, is_done, method):
    tagged(anna)
    google.fail(**{"times": 2, "method": method, "path": "/events"} | trouble)

    session = synchronize(annas)

    assert (session.status, session.error, counts(session)) == ("succeeded", "", {"added_in_google": 1})
    # An insert that was carried out without our knowing is listed in the next pass.
    assert [int(pause) for pause in pauses] == ([1] if is_done and method == "POST" else [1, 2])
    assert titles(google) == ["Renewal call"]
    google.faults.clear()
    assert_quiet(google, annas)


@pytest.mark.parametrize(("method", "status"), [("GET", "failed"), ("POST", "with_problems")])
def test_pauses_grow_and_end(google, anna, annas, pauses, method, status):
    tagged(anna)
    google.fail(**UNAVAILABLE, method=method, path=r"/events$", times=100)

    session = synchronize(annas)

    assert [int(pause) for pause in pauses] == [1, 2, 4, 8, 16, 32]
    assert (session.status, session.is_postponed) == (status, False)
    if method == "GET":
        assert (session.rule, "waits for the next session" in session.error) == ("R20", True)
    else:  # The calendar was listed: this one is put aside, and holds nothing back (R19).
        assert [outcome.rule for outcome in session.outcomes.filter(action="parked")] == ["R19"]
        google.clock.advance(minutes=5)
        ActivityMark.objects.update(retry_at=timezone.now())
        EventLink.objects.update(retry_at=timezone.now())
    assert session.requests_made == len(google.requests.all(path="/calendar/"))
    google.faults.clear()
    assert counts(synchronize(annas)) == {"added_in_google": 1}


def test_what_was_done_before_google_fell_silent_for_good_is_not_called_a_failure(google, anna, annas, pauses):
    tagged(anna)
    tagged(anna, "Site visit")
    google.fail(**UNAVAILABLE, method="POST", path=r"/events$", skip=1)
    google.fail(**UNAVAILABLE, method="GET", path=r"/events$", skip=1, times=100)

    session = synchronize(annas)

    assert (session.status, session.passes, counts(session)) == ("with_problems", 7, {"added_in_google": 1})
    google.faults.clear()
    assert counts(synchronize(annas)) == {"added_in_google": 1}


@pytest.mark.parametrize(("asked", "pause"), [(1, 1), (20, 20), (60, 60), (61, None), (3600, None)])
def test_a_wish_of_googles_is_granted_up_to_a_limit(google, anna, annas, pauses, asked, pause):
    google.fail(status=429, reason="rateLimitExceeded", path=r"/events$", retry_after=asked)

    session = synchronize(annas)

    assert session.status == ("succeeded" if pause else "failed")
    assert [pause - 1 < waited < pause + 2 for waited in pauses] == ([True] if pause else [])


@pytest.mark.rule("R19")
def test_one_item_that_google_cannot_take_now_keeps_no_other_waiting(google, anna, annas, pauses):
    visits = [tagged(anna, f"Visit {number}") for number in range(4)]
    synchronize(annas)
    for visit in visits:
        change(visit, anna, location="Lund")
    link = EventLink.objects.get(activity=visits[1])
    google.fail(**UNAVAILABLE, method="PATCH", path=link.event_id, times=2)

    session = synchronize(annas)

    assert (session.status, counts(session)) == ("succeeded", {"updated_in_google": 4})
    assert [int(pause) for pause in pauses] == [1, 2]
    assert {event["location"] for event in google.person(ANNA).events()} == {"Lund"}
    assert google.requests.count(method="PATCH", path=EventLink.objects.get(activity=visits[3]).event_id) == 1
    assert_quiet(google, annas)


# --- What waits ----------------------------------------------------------------------------------------------------


@pytest.mark.rule("R18")
def test_a_session_that_waits_is_a_row_and_nothing_else(google, anna, annas):
    for number in range(3):
        tagged(anna, f"Visit {number}")
    google.fail(status=429, reason="rateLimitExceeded", method="POST", path="/events", skip=1, times=1, retry_after=30)

    waiting = one_pass(annas)

    assert (waiting.status, waiting.passes, waiting.finished_at) == ("queued", 1, None)
    assert 29 < (waiting.resume_at - timezone.now()).total_seconds() <= 31
    calendar = SyncedCalendar.objects.get()
    assert (calendar.lease_by, calendar.lease_until, calendar.synchronized_at) == ("", None, None)
    assert waiting.added_in_google >= 1
    assert waiting.requests_made == len(google.requests.all(path="/calendar/"))

    tasks.run_session(session_id=waiting.pk)  # A message that comes too early.
    waiting.refresh_from_db()
    assert (waiting.status, waiting.passes) == ("queued", 1)
    assert sessions.open_session(calendar=annas, trigger="manual", now=timezone.now()) == (waiting, False)

    session = one_pass(annas)

    assert (session.pk, session.status, session.passes) == (waiting.pk, "succeeded", 2)
    assert counts(session) == {"added_in_google": 3}
    assert session.outcomes.count() == 3
    assert session.requests_made == len(google.requests.all(path="/calendar/"))
    assert session.started_at == waiting.started_at
    assert len(titles(google)) == 3


@pytest.mark.rule("R18", "R19")
def test_what_an_earlier_pass_parked_is_still_a_problem_at_the_end(google, anna, annas, pauses):
    google.person(ANNA).create_event({"summary": "Odd", "start": TEN["start"], "end": TEN["end"]})
    [event] = google.person(ANNA).events()
    synchronize(annas)
    change(Activity.objects.get(), anna, location="Lund")
    tagged(anna)
    google.fail(status=403, reason="forbidden", method="PATCH", path=event["id"])
    google.fail(**UNAVAILABLE, method="POST", path="/events")

    session = synchronize(annas)

    assert (session.status, session.passes) == ("with_problems", 2)
    assert session.outcomes.get(action="parked").item == "Odd"
    assert counts(session) == {"added_in_google": 1}


@pytest.mark.rule("R17")
def test_the_first_session_tells_nobody_in_whichever_pass(google, anna, annas, boris, pauses):
    tagged(anna, participants=[boris])
    google.fail(**UNAVAILABLE, method="POST", path="/events", times=2)

    assert synchronize(annas).passes == 3

    assert google.requests.writes()[-1].query.count("sendUpdates=none") == 1
    assert not google.mail.all()


@pytest.mark.rule("R14")
def test_what_a_person_confirmed_waits_along(google, anna, annas, pauses):
    activities = [tagged(anna, f"Visit {number}") for number in range(6)]
    synchronize(annas)
    for activity in activities:
        services.set_status(activity=activity, by=anna, status="canceled", now=timezone.now())
    FieldChange.objects.update(at=timezone.now() - timedelta(days=2))
    stopped = synchronize(annas)
    assert stopped.status == "needs_confirmation"
    google.fail(**UNAVAILABLE, method="DELETE", times=100)

    session = sessions.confirm_removals(session=stopped, now=timezone.now())
    tasks.run_session(session_id=session.pk)
    session.refresh_from_db()
    assert session.is_postponed
    google.faults.clear()
    tasks.run_here(session)

    assert (session.status, session.passes, counts(session)) == ("succeeded", 2, {"removed_in_google": 6})
    assert google.person(ANNA).events() == []
    assert SyncedCalendar.objects.get().confirmed_removals == []


@pytest.mark.rule("R14")
def test_the_guard_asks_after_the_last_pass_only(google, anna, annas, pauses):
    activities = [tagged(anna, f"Visit {number}") for number in range(22)]
    synchronize(annas)
    for event in google.person(ANNA).events():
        google.person(ANNA).delete(event["id"])
    tagged(anna, "A new one")
    google.fail(**UNAVAILABLE, method="POST", path="/events")

    session = synchronize(annas)

    assert (session.status, session.passes, len(session.stopped_before)) == ("needs_confirmation", 2, 22)
    assert counts(session) == {"added_in_google": 1}
    assert {fresh(activity).status for activity in activities} == {"not_started"}


# --- What happens meanwhile ----------------------------------------------------------------------------------------


@pytest.mark.rule("R18")
def test_a_lost_message_costs_a_minute_and_a_half(google, anna, annas):
    google.fail(**UNAVAILABLE, path=r"/events$")
    session = one_pass(annas)
    assert session.is_postponed

    for seconds, found in ((0, []), (89, []), (91, [session])):
        assert sessions.recover(now=session.resume_at + timedelta(seconds=seconds)) == found
    SyncSession.objects.update(queued_at=timezone.now() - timedelta(hours=1))
    assert sessions.recover(now=session.resume_at) == []


@pytest.mark.rule("R22")
def test_an_account_disconnected_meanwhile_ends_it_with_words(google, anna, annas):
    from sync import connections

    google.fail(**UNAVAILABLE, path=r"/events$")
    assert one_pass(annas).is_postponed
    connections.disconnect(account=ExternalAccount.objects.get())

    session = one_pass(annas)

    assert (session.status, session.is_postponed) == ("failed", False)
    assert "not connected" in session.error


@pytest.mark.rule("R18")
def test_who_was_taken_for_dead_does_not_come_back(google, anna, annas, monkeypatch):
    later: list[SyncSession] = []

    def give_it_up() -> None:
        SyncedCalendar.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        later.append(ask(annas))

    monkeypatch.setitem(CalendarGateway.list_events.__kwdefaults__, "page_size", 2)
    google.fill(ANNA, [{"summary": f"Visit {number}", **TEN} for number in range(3)])
    google.interject(give_it_up, path=r"/events$")
    google.fail(**UNAVAILABLE, path=r"/events$")  # For the second page.
    session = ask(annas)

    tasks.run_session(session_id=session.pk)

    session.refresh_from_db()
    assert (session.status, session.is_postponed) == ("failed", False)
    assert [later[0].status, later[0] != session] == ["queued", True]


@pytest.mark.rule("R18")
def test_the_command_waits_in_the_foreground(google, anna, annas, pauses):
    tagged(anna)
    google.fail(**UNAVAILABLE, path="/events", times=2)
    out = StringIO()

    call_command("synchronize", "anna", "--json", stdout=out)

    report = json.loads(out.getvalue())
    assert (report["status"], report["added"], len(pauses)) == ("succeeded", {"creatio": 0, "google": 1}, 2)
    assert report["google_requests"] == len(google.requests.all(path="/calendar/"))


def test_the_page_says_that_google_asks_to_wait(google, anna, annas, client):
    google.fail(**UNAVAILABLE, path=r"/events$", retry_after=30)
    session = one_pass(annas)
    client.force_login(anna.user)

    path = f"/activities/synchronization/sessions/{session.pk}/"
    page = client.get(path).content.decode()
    progress = client.get(f"{path}progress/?stage=listing")

    local = timezone.localtime(session.resume_at, ZoneInfo(anna.time_zone))
    assert f"Google asks us to wait. It goes on at {local:%H:%M:%S}." in page
    assert progress.status_code == 200
    assert "The session goes on by itself." in progress.content.decode()


# --- With real workers ---------------------------------------------------------------------------------------------


@pytest.fixture
def single_worker(transactional_db: None, tmp_path: Path) -> Iterator[Worker]:
    """A worker that does one thing at a time."""
    empty_broker()
    worker = Worker(log=tmp_path / "worker.log", threads=1)
    worker.start()
    yield worker
    worker.stop()


def request(calendar: SyncedCalendar) -> SyncSession:
    return sessions.request(calendar=calendar, trigger=SyncSession.Trigger.MANUAL, now=timezone.now())


def wait_for(session: SyncSession, holds: Callable[[SyncSession], bool], *, what: str) -> SyncSession:
    def look() -> bool:
        session.refresh_from_db()
        return holds(session)

    wait_until(look, what=what, seconds=30)
    return session


@pytest.mark.rule("R18")
def test_while_one_session_waits_the_only_worker_runs_another(google, anna, annas, boris, boriss, single_worker):
    tagged(anna)
    google.person(BORIS).create_event({"summary": "Dentist", **TEN})
    google.fail(status=429, reason="rateLimitExceeded", path=r"/events$", retry_after=5)
    annas_session = wait_for(request(annas), lambda session: session.is_postponed, what="the pause")

    boriss_session = wait_for(request(boriss), lambda session: session.is_finished, what="the other session")

    annas_session.refresh_from_db()
    assert annas_session.is_postponed
    assert (boriss_session.status, boriss_session.added_here) == ("succeeded", 1)
    assert boriss_session.finished_at < annas_session.resume_at

    wait_for(annas_session, lambda session: session.is_finished, what="the end of the session that waited")
    assert (annas_session.status, annas_session.passes) == ("succeeded", 2)
    assert titles(google) == ["Renewal call"]


@pytest.mark.rule("R18")
def test_a_session_that_waits_outlives_its_worker(google, anna, annas, single_worker):
    tagged(anna)
    google.fail(status=429, reason="rateLimitExceeded", path=r"/events$", retry_after=50)
    session = wait_for(request(annas), lambda session: session.is_postponed, what="the pause")
    single_worker.kill()
    empty_broker()
    long_ago = timezone.now() - sessions.QUEUED_TOO_LONG
    SyncSession.objects.update(resume_at=long_ago)

    single_worker.start()
    tasks.dispatch()

    wait_for(session, lambda session: session.is_finished, what="the end of the session")
    assert (session.status, session.passes) == ("succeeded", 2)
    assert titles(google) == ["Renewal call"]
