"""What people and sessions do to the same rows in the same moment: nobody waits for ever, no change goes unseen."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from accounts import services as people
from accounts.models import Profile
from activities import services
from activities.models import Activity
from sync import marks, preview, writing
from sync.models import ActivityMark, SyncedCalendar
from sync.store import observing
from sync.writing import arriving, content, settling
from tests.factories import make_user
from tests.google import connect, synchronize, timed
from tests.sync.helpers import tagged

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

TEN = timed("2027-03-08T10:00:00", "2027-03-08T11:00:00")
LATER = 0.3  # Seconds in which whoever came second is sure to wait for a row of the first.


@pytest.fixture
def anna() -> Profile:
    return make_user("anna").profile


@pytest.fixture
def annas(google, anna) -> SyncedCalendar:
    return connect(google, anna.user)


@pytest.fixture
def boris() -> Profile:
    return make_user("boris").profile


class Meeting:
    """Two threads that meet once each holds what it takes first."""

    def __init__(self) -> None:
        self._barrier = threading.Barrier(2, timeout=1)

    def wait(self) -> None:
        with suppress(threading.BrokenBarrierError):  # The other one waits for a row, or is through already.
            self._barrier.wait()


def at_once(**works: Callable[[], Any]) -> dict[str, Any]:
    """Do things in threads of these names; return what each returned or raised."""
    results: dict[str, Any] = {}

    def do(name: str, work: Callable[[], Any]) -> None:
        try:
            results[name] = work()
        except Exception as error:
            results[name] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=do, args=item, name=item[0]) for item in works.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


def is_in(name: str) -> bool:
    return threading.current_thread().name == name


def pause_the_answer_before_its_commit(monkeypatch: pytest.MonkeyPatch, meeting: Meeting) -> None:
    """Whoever answers holds their row and the marks; whoever is in "other" comes to the marks only then."""
    really = marks.mark_activity

    def mark(*, activity: Activity, people: Any) -> None:
        if is_in("other"):
            meeting.wait()
        really(activity=activity, people=people)
        if is_in("answer"):
            meeting.wait()
            time.sleep(LATER)

    monkeypatch.setattr(marks, "mark_activity", mark)


def answer(activity: Activity, by: Profile) -> Callable[[], None]:
    return lambda: services.respond(activity=activity, profile=by, response="accepted", now=timezone.now())


def test_an_answer_and_an_edit_do_not_wait_for_each_other(google, anna, annas, boris, monkeypatch):
    activity = tagged(anna, participants=[boris])
    pause_the_answer_before_its_commit(monkeypatch, Meeting())

    results = at_once(
        answer=answer(activity, boris),
        other=lambda: services.edit(activity=activity, by=anna, now=timezone.now(), subject="Another subject"),
    )

    assert not [result for result in results.values() if isinstance(result, Exception)], results
    assert Activity.objects.get().subject == "Another subject"
    assert activity.participants.get(profile=boris).response == "accepted"


def test_an_answer_and_a_session_do_not_wait_for_each_other(google, anna, annas, boris, monkeypatch):
    activity = tagged(anna, participants=[boris])
    synchronize(annas)
    person = google.person("anna@northfold.example")
    [event] = person.events()
    person.edit(event["id"], {"summary": "Another subject"})
    activity.participants.update(displayed=False)
    meeting = Meeting()
    pause_the_answer_before_its_commit(monkeypatch, meeting)
    really = settling.meet

    def meet(*args: Any, **kwargs: Any) -> None:  # The session holds the activity, and wants its participants.
        meeting.wait()
        activity.participants.update(displayed=True)
        really(*args, **kwargs)

    monkeypatch.setattr(settling, "meet", meet)

    results = at_once(answer=answer(activity, boris), session=lambda: synchronize(annas).status)

    assert results == {"answer": None, "session": "succeeded"}
    assert Activity.objects.get().subject == "Another subject"


def test_a_preview_and_a_session_do_not_wait_for_each_other(google, anna, annas, monkeypatch):
    person = google.person("anna@northfold.example")
    events = [person.create_event({"summary": f"Talk {number}", **TEN}) for number in range(3)]
    synchronize(annas)
    for event in events:
        person.edit(event["id"], {"summary": "Another subject"})
    meeting = Meeting()
    really = observing._observe_events

    def observe(run: Any, items: Any, **options: Any) -> int:
        if is_in("session"):
            meeting.wait()
            return really(run, items, **options)
        changed = really(run, items, **options)
        meeting.wait()
        time.sleep(LATER)
        return changed

    monkeypatch.setattr(observing, "_observe_events", observe)

    results = at_once(
        session=lambda: synchronize(annas).status,
        preview=lambda: len(
            preview.preview(calendar=SyncedCalendar.objects.get(pk=annas.pk), now=timezone.now()).actions
        ),
    )

    assert results["session"] == "succeeded"
    assert results["preview"] <= 3  # What the session has done meanwhile is not planned any more.


@pytest.mark.rule("R18")
def test_a_mark_is_not_taken_off_by_a_session_that_did_not_see_the_change(google, anna, annas, monkeypatch):
    activity = tagged(anna)
    seen = ActivityMark.objects.get(calendar=annas, activity=activity)
    really = marks.ActivityMark.objects.bulk_create.__func__

    def take_off_at_once(queryset: Any, rows: Any, **kwargs: Any) -> Any:
        made = really(queryset, rows, **kwargs)
        thread = threading.Thread(target=lambda: (writing.unmark_activity(seen), connections.close_all()))
        thread.start()
        thread.join(LATER)  # It waits for the row that this change has marked, if it was marked.
        return made

    with monkeypatch.context() as patch:
        patch.setattr(marks.ActivityMark.objects, "bulk_create", take_off_at_once.__get__(ActivityMark.objects))
        services.edit(activity=activity, by=anna, now=timezone.now(), subject="Another subject")
    time.sleep(LATER)

    assert ActivityMark.objects.filter(calendar=annas, activity=activity).exists()


@pytest.mark.rule("R3", "R7", "R18")
@pytest.mark.parametrize("where", [arriving, content], ids=["with others", "alone"])
def test_an_address_given_while_its_event_is_imported_is_not_overlooked(google, anna, annas, boris, monkeypatch, where):
    google.add_account("boris.second@northfold.example")
    guests = [{"email": "anna@northfold.example"}, {"email": "boris.second@northfold.example"}]
    google.person("anna@northfold.example").create_event({"summary": "Talk", **TEN, "attendees": guests})
    really, threads = content.new_participant, []

    def give_boris_the_address() -> None:
        people.add_option(profile=boris, kind="email", value="boris.second@northfold.example")
        connections.close_all()

    def add(*args: Any) -> Any:  # Who the guests are has been looked up by now.
        if not threads:
            threads.append(threading.Thread(target=give_boris_the_address))
            threads[0].start()
            threads[0].join(LATER)
        return really(*args)

    monkeypatch.setattr(where, "new_participant", add)
    if where is content:  # As one that waits for its turn.
        monkeypatch.setattr(writing, "take_in", lambda _run, links: links)
    synchronize(annas)
    threads[0].join(30)

    synchronize(annas)

    assert Activity.objects.get().participants.filter(profile=boris).exists()
