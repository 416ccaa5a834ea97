"""
The engine's part of the main job, without a browser: the page asks, a Celery worker of its own does the work.

Runs on PostgreSQL with Redis, and on SQLite with the file broker.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Profile
from activities.models import Activity
from google_emulator import Emulator
from sync import tasks
from sync.models import EventLink, SyncedCalendar, SyncSession
from sync.views import STOP_POLLING
from tests.factories import make_activity, make_user
from tests.google import connect, sync_tag, timed
from tests.worker import Worker, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.embedded]

ANNA, BORIS, MARIA = "anna@northfold.example", "boris@northfold.example", "maria@partner.example"
START = datetime(2027, 3, 8, 10, tzinfo=UTC)
ELEVEN = timed("2027-03-08T11:00:00", "2027-03-08T12:00:00")


@pytest.fixture
def anna(google: Emulator) -> Profile:
    user = make_user("anna")
    connect(google, user)
    return user.profile


@pytest.fixture
def boris(google: Emulator) -> Profile:
    user = make_user("boris")
    connect(google, user)
    return user.profile


@pytest.fixture
def renewal_call(anna: Profile) -> Activity:
    values = {"start": START, "now": timezone.now(), "show_in_calendar": True, "tags": [sync_tag(anna)]}
    return make_activity(by=anna, subject="Renewal call", **values)


def press_synchronize_now(profile: Profile) -> SyncSession:
    """Press the button; returns the session to whose page it leads."""
    client = Client()
    client.force_login(profile.user)
    answer = client.post("/activities/synchronize-now/")
    assert answer.status_code == 302
    return SyncSession.objects.get(pk=urlsplit(answer.url).path.rstrip("/").rpartition("/")[2])


def follow(session: SyncSession) -> SyncSession:
    """Look at the progress as the page does, until it says that there is no more to come."""
    client = Client()
    client.force_login(session.calendar.account.profile.user)
    address = f"/activities/synchronization/sessions/{session.pk}/progress/"
    wait_until(lambda: client.get(address).status_code == STOP_POLLING, what="the end of the session", seconds=30)
    session.refresh_from_db()
    return session


def synchronize_now(profile: Profile) -> SyncSession:
    return follow(press_synchronize_now(profile))


def what_it_did(session: SyncSession) -> tuple[str, dict[str, dict[str, int]]]:
    """Return the status, and those of the six counts that are not zero."""
    counts = {verb: {side: n for side, n in sides.items() if n} for verb, sides in session.counts().items()}
    return session.status, {verb: sides for verb, sides in counts.items() if sides}


def titles(google: Emulator, address: str) -> list[str]:
    return sorted(event["summary"] for event in google.person(address).events())


def let_the_lease_run_out() -> None:
    """Spare the test the minutes after which a run without a sign of life counts as dead (R18)."""
    SyncedCalendar.objects.update(lease_until=timezone.now() - timedelta(seconds=1))


@pytest.mark.rule("R1", "R3", "R7", "R8", "R12")
def test_both_ways_between_two_people_and_their_calendars(
    google: Emulator, anna: Profile, boris: Profile, renewal_call: Activity, celery_worker: Worker
):
    google.person(ANNA).create_event(
        {"summary": "Kick-off", "attendees": [{"email": BORIS}, {"email": MARIA}], **ELEVEN}
    )

    assert what_it_did(synchronize_now(anna)) == ("succeeded", {"added": {"creatio": 1, "google": 1}})
    assert titles(google, ANNA) == ["Kick-off", "Renewal call"]
    meeting = Activity.objects.get(subject="Kick-off")
    assert {one.profile for one in meeting.participants.all()} == {anna, boris}
    assert [guest["email"] for guest in meeting.other_guests] == [MARIA]
    assert meeting not in Activity.objects.visible_to(boris)

    assert what_it_did(synchronize_now(boris)) == ("succeeded", {"added": {"creatio": 1}})
    assert meeting in Activity.objects.visible_to(boris)

    [event] = [event for event in google.person(ANNA).events() if event["summary"] == "Kick-off"]
    google.person(ANNA).edit(event["id"], {"location": "Room 2"})
    assert what_it_did(synchronize_now(anna)) == ("succeeded", {"updated": {"creatio": 1}})
    assert synchronize_now(boris).status == "succeeded"
    meeting.refresh_from_db()
    assert meeting.location == "Room 2"
    guests = {guest["email"] for guest in google.person(ANNA).event(event["id"])["attendees"]}
    assert guests == {ANNA, BORIS, MARIA}
    assert Activity.objects.count() == 2


@pytest.mark.rule("R18")
def test_a_second_press_joins_the_session_that_waits(
    google: Emulator, anna: Profile, renewal_call: Activity, celery_worker: Worker
):
    celery_worker.kill()
    first, second = press_synchronize_now(anna), press_synchronize_now(anna)
    assert first == second

    celery_worker.start()

    assert what_it_did(follow(first)) == ("succeeded", {"added": {"google": 1}})
    assert what_it_did(synchronize_now(anna)) == ("succeeded", {})
    assert titles(google, ANNA) == ["Renewal call"]


@pytest.mark.rule("R13", "R18")
@pytest.mark.parametrize("recovered_by", ["the next press", "the dispatcher"])
def test_a_worker_killed_between_googles_answer_and_our_commit(
    google: Emulator, anna: Profile, renewal_call: Activity, celery_worker: Worker, recovered_by: str
):
    google.interject(celery_worker.kill, when="after", method="POST", path=r"/events$")
    dead = press_synchronize_now(anna)
    wait_until(lambda: not celery_worker.is_running, what="the death of the worker")
    assert titles(google, ANNA) == ["Renewal call"]
    assert EventLink.objects.get().state == EventLink.State.INSERTING

    celery_worker.start()
    let_the_lease_run_out()
    if recovered_by == "the dispatcher":
        tasks.dispatch.delay()
        assert follow(dead).status == SyncSession.Status.FAILED
    session = synchronize_now(anna)

    assert session != dead
    assert session.status == SyncSession.Status.SUCCEEDED
    assert titles(google, ANNA) == ["Renewal call"]
    link = EventLink.objects.get()
    assert (link.activity, link.state) == (renewal_call, EventLink.State.LINKED)
    assert link.event_id == google.person(ANNA).events()[0]["id"]
    dead.refresh_from_db()
    assert (dead.status, dead.rule) == (SyncSession.Status.FAILED, "R18")
    assert what_it_did(synchronize_now(anna)) == ("succeeded", {})


@pytest.mark.rule("R9", "R13", "R18")
def test_of_two_workers_one_is_killed_and_the_other_completes_what_it_left(
    google: Emulator, anna: Profile, boris: Profile, celery_worker: Worker, tmp_path: Path
):
    shared = {"start": START, "now": timezone.now(), "show_in_calendar": True, "participants": [boris]}
    make_activity(by=anna, subject="Renewal call", tags=[sync_tag(anna)], **shared)
    make_activity(by=boris, subject="Stocktaking", tags=[sync_tag(boris)], **shared | {"participants": [anna]})
    google.interject(celery_worker.kill, when="after", method="POST", path=r"/events$")
    other = Worker(log=tmp_path / "other.log")
    other.start()
    try:
        asked = [press_synchronize_now(anna), press_synchronize_now(boris)]
        for session in asked:  # Each message once more, for whichever of the two workers comes by.
            tasks.run_session.delay(session_id=session.pk)
        wait_until(lambda: not celery_worker.is_running, what="the death of one worker")
        wait_until(lambda: len(google.person(ANNA).events()) > 0, what="an event in Google")

        let_the_lease_run_out()
        tasks.dispatch.delay()
        for session in asked:
            follow(session)
        for person in (anna, boris, anna):
            assert synchronize_now(person).status == SyncSession.Status.SUCCEEDED
    finally:
        other.kill()
        celery_worker.start()

    for address in (ANNA, BORIS):
        assert titles(google, address) == ["Renewal call", "Stocktaking"]
    assert Activity.objects.count() == 2
    assert not EventLink.objects.exclude(state=EventLink.State.LINKED).exists()
    assert EventLink.objects.count() == 4
    for person in (boris, anna):
        assert what_it_did(synchronize_now(person)) == ("succeeded", {})


@pytest.mark.rule("R13", "R18")
def test_an_edit_of_an_event_whose_insert_nobody_confirmed_is_not_lost(
    google: Emulator, anna: Profile, renewal_call: Activity, celery_worker: Worker
):
    google.interject(celery_worker.kill, when="after", method="POST", path=r"/events$")
    press_synchronize_now(anna)
    wait_until(lambda: not celery_worker.is_running, what="the death of the worker")
    [event] = google.person(ANNA).events()
    google.clock.advance(minutes=1)  # Somebody at Google needs a moment to find the event and to change it.
    google.person(ANNA).edit(event["id"], {"location": "Lund"})

    celery_worker.start()
    let_the_lease_run_out()
    synchronize_now(anna)

    assert [event["id"] for event in google.person(ANNA).events()] == [event["id"]]
    renewal_call.refresh_from_db()
    assert renewal_call.location == "Lund"


@pytest.mark.rule("R18")
def test_who_is_due_is_synchronized_without_a_click(
    google: Emulator, anna: Profile, boris: Profile, renewal_call: Activity, celery_worker: Worker
):
    save_set_up(anna, automatic=True)
    save_set_up(boris, automatic=False)
    google.person(BORIS).create_event({"summary": "Dentist", **ELEVEN})

    tasks.dispatch.delay()

    def sessions() -> list[SyncSession]:
        return list(SyncSession.objects.filter(finished_at__isnull=False))

    wait_until(sessions, what="an automatic session")
    [session] = sessions()
    assert (session.calendar.account.profile, session.trigger) == (anna, SyncSession.Trigger.AUTOMATIC)
    assert what_it_did(session) == ("succeeded", {"added": {"google": 1}})
    assert titles(google, ANNA) == ["Renewal call"]

    tasks.dispatch.delay()  # At once again: nobody is due before the period has passed.
    tasks.dispatch.delay()
    SyncedCalendar.objects.filter(account__profile=anna).update(due_at=timezone.now())
    tasks.dispatch.delay()
    wait_until(lambda: len(sessions()) == 2, what="the next automatic session")
    assert SyncSession.objects.count() == 2


def save_set_up(profile: Profile, *, automatic: bool) -> None:
    """Save the set-up page as a person does."""
    client = Client()
    client.force_login(profile.user)
    form = {"period_minutes": "5", "sync_from": "2027-01-01", "calendar_id": "primary", "tag": "", "tell_guests": "on"}
    answer = client.post("/activities/synchronization/", form | ({"automatic": "on"} if automatic else {}))
    assert answer.status_code == 302, answer.content.decode()
