"""The pages of the synchronization: set-up, Synchronize now, sessions, conflicts, and who may see them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import ExternalAccount, Profile
from activities import series
from activities.models import Activity, Tag
from sync import sessions
from sync.models import EventLink, SyncedCalendar, SyncOutcome, SyncSession, SyncSettings
from tests.factories import make_activity, make_tag, make_user
from tests.sync.pages import make_calendar, make_outcome, make_session

pytestmark = pytest.mark.django_db

SET_UP = "/activities/synchronization/"
NOW = "/activities/synchronize-now/"
SESSIONS = "/activities/synchronization/sessions/"
HTMX = {"HX-Request": "true"}
FORM = {"automatic": "on", "period_minutes": "15", "sync_from": "2026-03-01", "calendar_id": "primary", "tag": ""}


@pytest.fixture(autouse=True)
def queued(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sessions for which a worker was woken up."""
    woken: list[int] = []
    monkeypatch.setattr(sessions, "wake_worker", lambda session: woken.append(session.pk))
    return woken


@pytest.fixture(autouse=True)
def _registered(settings: Any) -> None:
    settings.GOOGLE_CLIENT_ID, settings.GOOGLE_CLIENT_SECRET = "id", "secret"


@pytest.fixture
def anna() -> Profile:
    return make_user("anna", time_zone="Europe/Berlin").profile


@pytest.fixture
def page(anna: Profile) -> Client:
    client = Client()
    client.force_login(anna.user)
    return client


def text(response: Any) -> str:
    return response.content.decode()


# --- Set-up ------------------------------------------------------------------------------------------------------


def test_without_an_account_the_page_offers_to_add_one(page):
    shown = text(page.get(SET_UP))

    assert "No Google account yet" in shown
    assert 'href="/profile/external-accounts/"' in shown
    assert "<select" not in shown


def test_without_a_registration_at_google_the_page_says_whose_turn_it_is(page, settings):
    settings.GOOGLE_CLIENT_ID = ""

    assert "not registered at Google yet" in text(page.get(SET_UP))


def test_saving_keeps_the_settings_and_starts_automatic_sessions(page, anna):
    calendar = make_calendar(anna, is_set_up=False)
    tag = make_tag("Key account", owner=anna)

    response = page.post(SET_UP, FORM | {"tag": tag.pk})

    assert response.status_code == 302
    kept = SyncSettings.objects.get(profile=anna)
    assert (kept.automatic, kept.period_minutes, kept.sync_from, kept.tag) == (True, 15, date(2026, 3, 1), tag)
    assert kept.tell_guests is False
    calendar.refresh_from_db()
    assert calendar.due_at is not None
    assert calendar.due_at <= timezone.now()
    assert "The settings have been saved." in text(page.get(SET_UP))


def test_switching_automatic_sessions_off_leaves_nothing_due(page, anna):
    calendar = make_calendar(anna)
    page.post(SET_UP, FORM)
    page.post(SET_UP, {name: value for name, value in FORM.items() if name != "automatic"})

    calendar.refresh_from_db()
    assert calendar.due_at is None


def test_a_shorter_period_brings_the_next_session_forward_and_a_longer_one_does_not_delay_it(page, anna):
    calendar = make_calendar(anna)
    page.post(SET_UP, FORM | {"period_minutes": "60"})
    due = timezone.now() + timedelta(minutes=50)
    SyncedCalendar.objects.filter(pk=calendar.pk).update(due_at=due)

    page.post(SET_UP, FORM | {"period_minutes": "5"})
    calendar.refresh_from_db()
    assert calendar.due_at <= timezone.now() + timedelta(minutes=5)

    soon = calendar.due_at
    page.post(SET_UP, FORM | {"period_minutes": "60"})
    calendar.refresh_from_db()
    assert calendar.due_at == soon


@pytest.mark.rule("R1", "R2")
@pytest.mark.parametrize(
    ("changed", "is_compared"),
    [
        pytest.param({"sync_from": "2026-02-01"}, True, id="first-day"),
        pytest.param({"tag": "own"}, True, id="tag"),
        pytest.param({"period_minutes": "5"}, False, id="period"),
        pytest.param({"tell_guests": "on"}, False, id="tell-guests"),
    ],
)
def test_only_what_decides_about_the_selection_makes_the_next_session_look_at_everything(
    page, anna, changed, is_compared
):
    calendar = make_calendar(anna)
    page.post(SET_UP, FORM)
    SyncedCalendar.objects.filter(pk=calendar.pk).update(compare_all=False)

    own = make_tag("Key account", owner=anna)
    page.post(SET_UP, FORM | {name: own.pk if value == "own" else value for name, value in changed.items()})

    calendar.refresh_from_db()
    assert calendar.compare_all is is_compared


def test_a_refused_form_keeps_what_was_typed_and_saves_nothing(page, anna):
    make_calendar(anna, is_set_up=False)

    response = page.post(SET_UP, FORM | {"sync_from": "soon", "period_minutes": "5"})

    assert response.status_code == 422
    assert 'value="soon"' in text(response)
    assert '<option value="5" selected>' in text(response)
    assert "Enter a valid date." in text(response)
    assert not SyncSettings.objects.exists()


@pytest.mark.rule("R1")
@pytest.mark.parametrize("day", ["0001-01-01", "1899-12-31", "2101-01-01", "9999-12-31"])
def test_a_day_on_which_nobody_plans_anything_is_refused(page, anna, day):
    make_calendar(anna, is_set_up=False)

    response = page.post(SET_UP, FORM | {"sync_from": day})

    assert response.status_code == 422
    assert "Choose dates between the years 1900 and 2100." in text(response)
    assert not SyncSettings.objects.exists()


@pytest.mark.rule("R1")
def test_only_private_tags_of_ones_own_can_be_chosen(page, anna):
    make_calendar(anna, is_set_up=False)
    others = make_tag("Secret plan", owner=make_user("boris").profile)
    corporate = make_tag("Q4 renewals", kind=Tag.Kind.CORPORATE)
    make_tag("Key account", owner=anna)

    shown = text(page.get(SET_UP))
    assert "Key account (private)" in shown
    assert "Secret plan" not in shown
    assert "Q4 renewals" not in shown
    for tag in (others, corporate):
        assert page.post(SET_UP, FORM | {"tag": tag.pk}).status_code == 422


@pytest.mark.rule("R20")
def test_an_account_to_be_reconnected_says_so_with_the_next_step(page, anna):
    reason = "Access was withdrawn at Google."
    make_calendar(anna, status=ExternalAccount.Status.RECONNECT_NEEDED, status_reason=reason)

    shown = text(page.get(SET_UP))

    assert "Google needs reconnecting." in shown
    assert reason in shown
    assert "Reconnect</a>" in shown
    assert "Next automatic session" not in shown


def test_the_page_shows_the_latest_session_its_counts_and_the_next_one(page, anna):
    calendar = make_calendar(anna)
    SyncedCalendar.objects.filter(pk=calendar.pk).update(due_at=datetime.fromisoformat("2030-05-06T08:50:00Z"))
    make_session(calendar, added_here=17, requests_made=4)

    shown = text(page.get(SET_UP))

    assert "<td>17</td>" in shown
    assert "in 2 seconds, 4 requests to Google" in shown
    assert "Mon 6 May 2030, 10:50" in shown  # Her own zone.


# --- The list of calendars, from Google --------------------------------------------------------------------------


def test_the_calendars_come_from_google(google, anna, page):
    from tests.google import connect

    connect(google, anna.user)

    shown = text(page.get("/activities/synchronization/calendars/"))

    assert '<option value="primary" selected>anna@northfold.example (main calendar)</option>' in shown
    assert google.requests.calls(path="/calendar/v3/users/me/calendarList")


def test_a_silent_google_leaves_the_calendar_as_it_was(anna, page, settings):
    settings.GOOGLE_CALENDAR_API_ROOT = "http://127.0.0.1:9/"  # Nobody listens there.
    make_calendar(anna, is_set_up=False)
    SyncSettings.objects.create(profile=anna, calendar_id="fairs@group.calendar.google.com")

    shown = text(page.get("/activities/synchronization/calendars/"))

    assert '<option value="fairs@group.calendar.google.com" selected>' in shown
    assert "(main calendar)" in shown


def test_a_calendar_that_google_does_not_list_is_refused(google, anna, page):
    from tests.google import connect

    connect(google, anna.user)

    response = page.post(SET_UP, FORM | {"calendar_id": "somebody-elses@group.calendar.google.com"})

    assert response.status_code == 422
    assert SyncSettings.objects.get(profile=anna).calendar_id == "primary"


def test_a_colleagues_main_calendar_is_theirs_to_synchronize(google, anna, boris, page):
    from tests.google import connect

    connect(google, anna.user)
    connect(google, boris.user)
    google.share_calendar("boris@northfold.example", with_email="anna@northfold.example", role="owner")

    response = page.post(SET_UP, FORM | {"calendar_id": "boris@northfold.example"})

    assert response.status_code == 422
    assert "This is the main calendar of Boris." in text(response)
    assert SyncSettings.objects.get(profile=anna).calendar_id == "primary"


# --- Synchronize now ---------------------------------------------------------------------------------------------


def test_synchronize_now_queues_a_session_and_shows_it(page, anna, queued):
    make_calendar(anna)

    response = page.post(NOW)

    session = SyncSession.objects.get()
    assert response.url == f"{SESSIONS}{session.pk}/"
    assert queued == [session.pk]
    assert "Synchronizing now" in text(page.get(response.url))


@pytest.mark.rule("R18")
def test_pressing_twice_joins_the_running_session(page, anna, queued):
    running = make_session(make_calendar(anna), status=SyncSession.Status.RUNNING)

    response = page.post(NOW)

    assert response.url == f"{SESSIONS}{running.pk}/"
    assert SyncSession.objects.count() == 1
    assert queued == []


def test_on_the_set_up_page_the_progress_appears_in_place(page, anna):
    make_calendar(anna)

    shown = text(page.post(NOW, headers=HTMX))

    session = SyncSession.objects.get()
    assert f'hx-get="{SESSIONS}{session.pk}/progress/?brief"' in shown
    assert "<html" not in shown


def test_settings_are_to_be_saved_before_the_first_session(page, anna, queued):
    make_calendar(anna, is_set_up=False)

    response = page.post(NOW, follow=True)

    assert response.redirect_chain[-1][0] == SET_UP
    assert "Check the settings and save them once; then synchronize." in text(response)
    assert queued == []
    assert page.post(NOW, headers=HTMX).headers["HX-Redirect"] == SET_UP


@pytest.mark.parametrize(
    ("account", "words"),
    [
        ({"status": ExternalAccount.Status.RECONNECT_NEEDED}, "Google needs reconnecting before you can synchronize."),
        ({"paused": True}, "An administrator has paused"),
    ],
)
def test_an_account_that_cannot_synchronize_says_why(page, anna, queued, account, words):
    make_calendar(anna, **account)

    assert words in text(page.post(NOW, follow=True))
    assert queued == []


def test_without_an_account_synchronize_now_leads_to_the_offer(page):
    assert "No Google account yet" in text(page.post(NOW, follow=True))


# --- Progress and sessions ---------------------------------------------------------------------------------------


def test_progress_goes_on_until_the_session_is_finished(page, anna):
    calendar = make_calendar(anna)
    session = make_session(calendar, status=SyncSession.Status.QUEUED)
    path = f"{SESSIONS}{session.pk}/progress/?brief&stage="

    waiting = page.get(path + "waiting", headers=HTMX)
    assert waiting.status_code == 200
    assert "Waiting for a free worker" in text(waiting)
    assert "progress-status" not in text(waiting)  # Said already.

    SyncSession.objects.filter(pk=session.pk).update(
        status=SyncSession.Status.RUNNING, started_at=timezone.now(), events_listed=148, items_done=31, items_total=46
    )
    make_outcome(session, action=SyncOutcome.Action.ADDED, direction=SyncOutcome.Direction.GOOGLE)
    comparing = text(page.get(path + "waiting", headers=HTMX))
    assert "148 events" in comparing
    assert "31 of 46" in comparing
    assert "1 change<" in comparing
    assert "Comparing both sides." in comparing

    SyncSession.objects.filter(pk=session.pk).update(
        status=SyncSession.Status.SUCCEEDED, finished_at=timezone.now(), added_in_google=1
    )
    finished = page.get(path + "comparing", headers=HTMX)
    assert finished.status_code == 286  # htmx stops asking.
    assert "Here nothing. In Google 1 added." in text(finished)
    assert "Latest session" in text(finished)


def test_a_session_shows_six_counts_problems_and_what_it_did(page, anna):
    session = make_session(make_calendar(anna), status=SyncSession.Status.WITH_PROBLEMS, updated_here=12)
    make_outcome(session, item="Train to Malmö", reason="The guests may not be edited.", rule="R6")
    make_outcome(
        session,
        item="Site visit",
        action=SyncOutcome.Action.UPDATED,
        reason="Location changed in Google.",
        rule="R11",
        field="location",
        here={"location": "Room Vättern"},
        google={"location": "Room Mälaren"},
    )

    shown = text(page.get(f"{SESSIONS}{session.pk}/"))

    assert "<td>12</td>" in shown
    assert "Train to Malmö" in shown
    assert "The guests may not be edited." in shown
    assert "Location: Room Vättern → Room Mälaren" in shown
    assert "Updated here" in shown


def test_an_item_links_to_its_activity_only_for_those_who_may_open_it(page, anna):
    session = make_session(make_calendar(anna))
    own = make_activity(by=anna, subject="Mine")
    closed = make_activity(subject="Closed", is_private=True)
    for activity in (own, closed):
        make_outcome(session, action=SyncOutcome.Action.UPDATED, activity=activity, item=activity.subject)

    shown = text(page.get(f"{SESSIONS}{session.pk}/"))

    assert f"/activities/{own.pk}/" in shown
    assert f"/activities/{closed.pk}/" not in shown


@pytest.mark.rule("R15", "R19")
def test_a_problem_names_the_day_of_its_occurrence_and_nothing_else_was_to_do(page, anna):
    start = datetime(2099, 3, 9, tzinfo=UTC)
    head = series.create(
        by=anna, subject="Fair", lines=["RRULE:FREQ=YEARLY;COUNT=2"], now=start, start=start,
        due=start + timedelta(minutes=30), time_zone="Europe/Berlin",
    )  # fmt: skip
    session = make_session(make_calendar(anna), status=SyncSession.Status.WITH_PROBLEMS)
    make_outcome(
        session, item="Fair", activity=head.series.occurrences.first(), reason="Google refuses it.", rule="R19"
    )

    shown = text(page.get(f"{SESSIONS}{session.pk}/"))

    assert "<strong>Fair, Mon 9 Mar 2099, 01:00.</strong> Google refuses it." in shown
    assert "Nothing else was to do." in shown


@pytest.mark.rule("R15")
def test_a_session_tells_a_series_from_its_occurrences_and_says_how_it_repeats(page, anna):
    start = datetime(2026, 3, 9, 8, tzinfo=UTC)
    head = series.create(
        by=anna, subject="Team", lines=["RRULE:FREQ=WEEKLY;COUNT=3"], now=start, start=start,
        due=start + timedelta(minutes=30), time_zone="Europe/Berlin",
    )  # fmt: skip
    second = head.series.occurrences.order_by("start")[1]
    session = make_session(make_calendar(anna))
    begins = {"start": "2026-03-09T08:00:00Z", "due": "2026-03-09T08:30:00Z", "time_zone": "Europe/Berlin"}
    days = {"first": "2026-03-09", "last": "2026-03-10"}
    make_outcome(
        session,
        item="Team",
        action=SyncOutcome.Action.UPDATED,
        activity=head,
        field="when",
        here={"when": {"begins": days, "lines": ["RRULE:FREQ=DAILY;INTERVAL=2;COUNT=3"]}},
        google={"when": {"begins": begins, "lines": ["RRULE:FREQ=WEEKLY;UNTIL=20260322T225959Z"]}},
    )
    make_outcome(session, item="Team", action=SyncOutcome.Action.UPDATED, activity=second)

    shown = text(page.get(f"{SESSIONS}{session.pk}/"))

    assert f"/activities/{head.pk}/" in shown  # Which leads to an occurrence.
    assert "All occurrences" in shown
    assert "Mon 16 Mar, 09:00" in shown
    assert "Mon 9 Mar 2026 – Tue 10 Mar 2026. Every 2 days, 3 times" in shown
    assert "Mon 9 Mar 2026, 09:00 – 09:30. Every week on Monday, until 22 March 2026" in shown


def test_the_list_of_sessions_has_pages_and_asks_the_database_the_same_whatever_their_number(
    page, anna, django_assert_max_num_queries
):
    calendar = make_calendar(anna)
    start = timezone.now() - timedelta(days=1)
    for number in range(25):
        session = make_session(
            calendar,
            status=SyncSession.Status.WITH_PROBLEMS,
            at=start + timedelta(minutes=number),
            requests_made=number,
        )
        for _problem in range(5):
            make_outcome(session, item=f"Problem of {number}")

    with django_assert_max_num_queries(16):
        first = text(page.get(SESSIONS))
    assert "Problem of 24" in first
    assert "Problem of 4" not in first
    assert first.count("Problem of 24.") == 3
    assert "All problems of this session" in first
    assert "Problem of 4." in text(page.get(SESSIONS + "?page=2"))


@pytest.mark.rule("R19")
def test_retry_marks_the_item_and_asks_for_a_session(page, anna, queued):
    calendar = make_calendar(anna)
    session = make_session(calendar, status=SyncSession.Status.WITH_PROBLEMS)
    link = EventLink.objects.create(
        calendar=calendar, event_id="e1", attempts=3, retry_at=timezone.now() + timedelta(hours=1)
    )
    outcome = make_outcome(session, link=link)

    page.post(f"/activities/synchronization/problems/{outcome.pk}/retry/")

    link.refresh_from_db()
    assert (link.is_marked, link.retry_at, link.attempts) == (True, None, 0)
    assert len(queued) == 1


# --- Removals before which a session stopped ---------------------------------------------------------------------


@pytest.fixture
def stopped(anna: Profile) -> SyncSession:
    """A session that stopped before one removal; its event is gone in Google."""
    calendar = make_calendar(anna)
    link = EventLink.objects.create(
        calendar=calendar,
        event_id="gone",
        activity=make_activity(by=anna, subject="Board dinner"),
        state=EventLink.State.LINKED,
        event={"status": "cancelled"},
        is_marked=True,
    )
    return make_session(
        calendar,
        status=SyncSession.Status.NEEDS_CONFIRMATION,
        stopped_before=[link.pk],
        error="This session would remove 26 items.",
        rule="R14",
    )


@pytest.mark.rule("R14")
def test_removals_wait_for_a_word_and_are_shown_meanwhile(page, stopped):
    shown = text(page.get(f"{SESSIONS}{stopped.pk}/"))

    assert "Board dinner" in shown
    assert "Remove them" in shown
    assert "Keep them" in text(page.get(SESSIONS))
    assert "Keep them" in text(page.get(SET_UP))


@pytest.mark.rule("R14")
def test_removing_them_asks_for_a_session_that_may(page, stopped, queued):
    page.post(f"{SESSIONS}{stopped.pk}/remove/")

    assert SyncedCalendar.objects.get().confirmed_removals
    assert len(queued) == 1


@pytest.mark.rule("R14")
def test_keeping_them_detaches_and_asks_no_more(page, stopped):
    page.post(f"{SESSIONS}{stopped.pk}/keep/")

    assert EventLink.objects.get().state == EventLink.State.DETACHED
    shown = text(page.get(f"{SESSIONS}{stopped.pk}/"))
    assert "Keep them" not in shown
    assert "Needs confirmation" not in shown
    assert "This session would have removed 1 item. It stopped before it, and you kept it." in shown


@pytest.mark.rule("R14", "R16")
def test_removals_that_wait_are_shown_with_their_day_or_time(page, stopped):
    activity = Activity.objects.get()
    activity.set_days(first=date(2027, 3, 8), last=date(2027, 3, 8))
    activity.save()

    shown = text(page.get(f"{SESSIONS}{stopped.pk}/"))

    assert "Mon 8 Mar 2027, all day" in shown
    assert "00:00" not in shown.split("What it would remove")[1].split("</ul>")[0]


@pytest.mark.rule("R14")
def test_a_word_that_comes_too_late_does_nothing(page, stopped, queued):
    make_session(stopped.calendar, at=timezone.now() + timedelta(minutes=1))

    shown = text(page.post(f"{SESSIONS}{stopped.pk}/remove/", follow=True))

    assert "A later session has dealt with these items already." in shown
    assert not SyncedCalendar.objects.get().confirmed_removals
    assert queued == []


# --- Who may ------------------------------------------------------------------------------------------------------

GET_PATHS = [SET_UP, SESSIONS, SESSIONS + "1/", SESSIONS + "1/progress/", SET_UP + "preview/", SET_UP + "calendars/"]
POST_PATHS = [
    NOW,
    SESSIONS + "1/remove/",
    SESSIONS + "1/keep/",
    SET_UP + "conflicts/1/use-other/",
    SET_UP + "conflicts/1/dismiss/",
    SET_UP + "problems/1/retry/",
]


@pytest.mark.parametrize("path", GET_PATHS + POST_PATHS)
def test_strangers_are_sent_to_log_in(client, path):
    response = client.get(path) if path in GET_PATHS else client.post(path)

    assert response.status_code == 302
    assert response.url.startswith("/login/")


@pytest.mark.parametrize("path", POST_PATHS)
def test_what_changes_something_takes_no_get(page, path):
    assert page.get(path).status_code == 405


def test_a_post_needs_the_token_of_the_page(anna):
    make_calendar(anna)
    client = Client(enforce_csrf_checks=True)
    client.force_login(anna.user)

    assert client.post(NOW).status_code == 403


def test_other_peoples_sessions_are_not_there(page, anna):
    make_calendar(anna)
    session = make_session(make_calendar(make_user("boris").profile))
    conflict = make_outcome(session, action=SyncOutcome.Action.REPLACED, field="location", kept="here")
    problem = make_outcome(session)

    assert page.get(f"{SESSIONS}{session.pk}/").status_code == 404
    assert page.get(f"{SESSIONS}{session.pk}/progress/").status_code == 404
    for path in (
        f"{SESSIONS}{session.pk}/remove/",
        f"{SESSIONS}{session.pk}/keep/",
        f"{SET_UP}conflicts/{conflict.pk}/use-other/",
        f"{SET_UP}conflicts/{conflict.pk}/dismiss/",
        f"{SET_UP}problems/{problem.pk}/retry/",
    ):
        assert page.post(path).status_code == 404
    assert "There has been no session yet." in text(page.get(SESSIONS))
