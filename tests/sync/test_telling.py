"""Which sessions the bell tells of, and for how long."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from notices.models import Notice
from sync import sessions, tasks, telling
from sync.models import SyncedCalendar, SyncSession
from tests.browser import text
from tests.google import synchronize
from tests.sync.helpers import TEN, tagged
from tests.sync.pages import make_calendar, make_outcome, make_session

pytestmark = pytest.mark.django_db

Status, Trigger = SyncSession.Status, SyncSession.Trigger
AUTOMATIC = {"trigger": Trigger.AUTOMATIC}


@pytest.fixture
def calendar(anna):
    """Anna's calendar, of an account that Google is not asked about."""
    return make_calendar(anna)


@pytest.fixture
def client_of_anna(anna):
    client = Client()
    client.force_login(anna.user)
    return client


def shown(profile, *, later=timedelta(seconds=10)):
    """Return the sessions that the bell tells of; a manual one after those who watch have seen its end."""
    return [notice.reference for notice in Notice.objects.shown_to(profile, now=timezone.now() + later)]


def finished(calendar, *, problems=(), **values):
    """Make an automatic session that has just ended, as the engine does."""
    session = make_session(calendar, **(AUTOMATIC | values))
    for reason in problems:
        make_outcome(session, reason=reason)
    telling.of_finished(session, now=timezone.now())
    return session


@pytest.mark.parametrize(
    ("values", "is_told"),
    [
        pytest.param({}, False, id="quiet"),
        pytest.param({"added_here": 3, "updated_in_google": 2}, False, id="all-went-well"),
        pytest.param({"removed_in_google": 1}, False, id="their-own-removal-reached-google"),
        pytest.param({"removed_here": 1}, True, id="removals"),
        pytest.param({"status": Status.WITH_PROBLEMS}, True, id="problems"),
        pytest.param({"status": Status.FAILED, "error": "Google refuses."}, True, id="failed"),
        pytest.param({"status": Status.NEEDS_CONFIRMATION}, True, id="a-question"),
        pytest.param({"trigger": Trigger.PUSH}, False, id="quiet-push"),
        pytest.param({"trigger": Trigger.MANUAL}, True, id="asked-for"),
    ],
)
def test_only_what_a_person_wants_to_hear_of_is_told(anna, calendar, values, is_told):
    session = finished(calendar, **values)

    assert shown(anna) == ([session.pk] if is_told else [])


def test_a_newer_session_takes_the_place_of_the_older_one(anna, calendar):
    finished(calendar, removed_here=1)
    newer = finished(calendar, status=Status.FAILED, error="Google refuses.")

    assert shown(anna) == [newer.pk]


def test_a_quiet_session_leaves_what_one_before_it_had_to_say(anna, calendar):
    told = finished(calendar, removed_here=1)
    finished(calendar)
    assert shown(anna) == [told.pk]

    told = finished(calendar, status=Status.WITH_PROBLEMS, problems=["Ask its organizer."])
    finished(calendar)
    assert shown(anna) == [told.pk]


@pytest.mark.parametrize("status", [Status.FAILED, Status.NEEDS_CONFIRMATION, Status.WITH_PROBLEMS])
def test_trouble_that_is_over_is_told_no_more(anna, calendar, status):
    finished(calendar, status=status, error="Google did not answer.")

    finished(calendar)

    assert shown(anna) == []


def test_the_same_trouble_again_is_no_news_another_one_is(anna, calendar):
    def fails(**values):
        return finished(calendar, **({"status": Status.WITH_PROBLEMS, "problems": ["Ask its organizer."]} | values))

    fails()
    Notice.objects.update(seen_at=timezone.now())
    again = fails()
    notice = Notice.objects.shown_to(anna, now=timezone.now()).get()
    assert (notice.reference, notice.is_new) == (again.pk, False)

    Notice.objects.update(dismissed_at=timezone.now())
    fails()
    assert shown(anna) == []

    other = fails(problems=["Ask its organizer.", "There is no such day."])
    assert shown(anna) == [other.pk]
    asked_for = fails(problems=["Ask its organizer.", "There is no such day."], trigger=Trigger.MANUAL)
    assert shown(anna) == [asked_for.pk]


def test_the_same_trouble_after_it_was_over_is_news(anna, calendar):
    for _time in range(2):
        finished(calendar, status=Status.FAILED, error="Google did not answer.")
        Notice.objects.update(dismissed_at=timezone.now())
    finished(calendar)

    back = finished(calendar, status=Status.FAILED, error="Google did not answer.")

    assert shown(anna) == [back.pk]


def test_that_it_needs_reconnecting_is_not_said_twice(anna, calendar):
    calendar.account.needs_reconnecting(reason="Access was withdrawn.")
    session = make_session(calendar, status=Status.FAILED, error="Access was withdrawn.", **AUTOMATIC)
    telling.of_finished(session, now=timezone.now())

    kinds = [notice.kind for notice in Notice.objects.shown_to(anna, now=timezone.now())]
    assert kinds == ["reconnect"]


def test_who_watches_a_session_is_not_told_of_its_end(anna, calendar, client_of_anna):
    session = finished(calendar, trigger=Trigger.MANUAL)
    assert shown(anna, later=timedelta(0)) == []  # Their page asks each second.

    client_of_anna.get(f"/activities/synchronization/sessions/{session.pk}/progress/?brief")

    assert shown(anna) == []


def test_who_has_left_is_told_and_reads_it_on_its_page(anna, calendar, client_of_anna):
    session = finished(calendar, trigger=Trigger.MANUAL, updated_here=1, added_in_google=2)
    Notice.objects.update(shown_from=timezone.now())

    page = client_of_anna.get("/notices/")
    assert "Session finished: Today, " in text(page)
    assert "Here 1 updated; in Google 2 added." in text(page)
    address = f"/activities/synchronization/sessions/{session.pk}/"
    assert f'href="{address}"' in page.content.decode()

    client_of_anna.get(address)
    assert shown(anna) == []


def test_problems_are_counted_and_told_with_their_words(anna, calendar, client_of_anna):
    finished(calendar, status=Status.WITH_PROBLEMS, problems=["One.", "Two."], error="Google was slow.")

    page = text(client_of_anna.get("/notices/"))

    assert "Session with problems: Today, " in page
    assert "Google was slow." in page
    assert "2 items could not be synchronized." in page


def test_a_session_that_died_is_told(anna, calendar):
    session = make_session(calendar, status=Status.RUNNING, **AUTOMATIC)
    SyncedCalendar.objects.update(lease_until=timezone.now() - timedelta(minutes=1))

    sessions.recover(now=timezone.now())

    assert shown(anna) == [session.pk]


def test_others_hear_nothing_of_it(boris, calendar):
    finished(calendar, removed_here=1)

    assert shown(boris) == []


@pytest.mark.parametrize("answer", ["remove", "keep"])
def test_a_question_waits_until_it_is_answered(google, anna, annas, client_of_anna, answer):
    for number in range(6):
        google.person(anna.user.email).create_event({"summary": f"Event {number}"} | TEN)
    synchronize(annas)
    for event in google.person(anna.user.email).events():
        google.person(anna.user.email).delete(event["id"])
    session = synchronize(annas)
    assert session.status == Status.NEEDS_CONFIRMATION

    address = f"/activities/synchronization/sessions/{session.pk}/"
    client_of_anna.get(address)
    assert shown(anna) == [session.pk]  # Reading it answers nothing.
    Notice.objects.update(shown_from=timezone.now())
    assert "Synchronization waits for your answer" in text(client_of_anna.get("/notices/"))
    client_of_anna.post(f"{address}{answer}/")

    assert shown(anna) == []


def test_a_quiet_automatic_session_takes_one_statement_more(google, anna, annas, django_assert_max_num_queries):
    tagged(anna)
    synchronize(annas)
    told = Notice.objects.count()
    session, _is_new = sessions.open_session(calendar=annas, trigger=Trigger.AUTOMATIC, now=timezone.now())

    assert tasks.run_here(session)

    assert Notice.objects.count() == told
    ended = SyncSession.objects.select_related("calendar__account").get(pk=session.pk)
    assert ended.status == Status.SUCCEEDED
    with django_assert_max_num_queries(2):
        telling.of_finished(ended, now=timezone.now())
