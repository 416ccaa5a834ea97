"""The bell, its panel and its page; what a person does there."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from activities.models import Participant
from notices import reminders, services, words
from notices.models import Notice
from tests.browser import text
from tests.factories import make_activity, make_user
from tests.notices.conftest import remind

pytestmark = pytest.mark.django_db

PAGE, PANEL, COUNT = "/notices/", "/notices/panel/", "/notices/count/"
BY_HTMX = {"HX-Request": "true"}


def soon(profile, subject="Call Lumen", **values):
    """Make an activity that begins in a few minutes, of which somebody is reminded by now."""
    start = timezone.now().replace(microsecond=0) + timedelta(minutes=5)
    activity = remind(make_activity(by=profile, subject=subject, start=start, **values), profile)
    reminders.make(now=timezone.now())
    return Notice.objects.get(activity=activity, profile=profile)


def badge(answer):
    return re.search(r"data-bell-badge( hidden)?>(\d+)<", answer.content.decode()).groups()


def test_every_page_has_the_bell_with_what_is_new(anna, client_of_anna):
    assert badge(client_of_anna.get("/profile/")) == (" hidden", "0")

    soon(anna)
    soon(anna, "Call Havelland")

    answer = client_of_anna.get("/profile/")
    assert badge(answer) == (None, "2")
    assert "Notifications: 2 new" in text(answer)


def test_the_count_takes_three_statements(anna, client_of_anna):
    for number in range(3):
        soon(anna, f"Call {number}")

    with CaptureQueriesContext(connection) as statements:
        answer = client_of_anna.get(COUNT)

    assert answer.json() == {"unseen": 3, "words": "Notifications: 3 new"}
    assert len(statements) == 3, [one["sql"] for one in statements]  # Session, user with profile, count.
    assert "no-store" in answer["Cache-Control"]


def test_the_page_takes_the_same_few_statements_however_many_there_are(anna, client_of_anna):
    def statements():
        with CaptureQueriesContext(connection) as captured:
            assert client_of_anna.get(PAGE).status_code == 200
        return len(captured)

    soon(anna, "Call 0")
    few = statements()
    for number in range(1, 12):
        soon(anna, f"Call {number}")

    assert statements() == few <= 9


def test_opening_the_panel_makes_what_it_shows_seen(anna, client_of_anna):
    soon(anna)

    panel = client_of_anna.post(PANEL, headers=BY_HTMX)
    again = client_of_anna.post(PANEL, headers=BY_HTMX)

    assert "Call Lumen" in text(panel)
    assert (panel.content.decode().count(">New<"), again.content.decode().count(">New<")) == (1, 0)
    assert client_of_anna.get(COUNT).json()["unseen"] == 0


def test_what_the_panel_has_no_room_for_stays_new(anna, client_of_anna):
    for number in range(12):
        soon(anna, f"Call {number}")

    panel = client_of_anna.post(PANEL, headers=BY_HTMX)

    assert panel.content.decode().count("<li") == 10
    assert 'data-unseen="2"' in panel.content.decode()
    assert "Show the older ones, too" in text(panel)
    page = client_of_anna.get(PAGE)
    assert page.content.decode().count("/postpone/") == 12
    assert badge(page) == (" hidden", "0")


def test_a_page_for_those_who_have_more_than_fifty(anna, client_of_anna):
    for number in range(51):
        soon(anna, f"Call {number}")

    assert client_of_anna.get(PAGE).content.decode().count("/postpone/") == 50
    assert client_of_anna.get(PAGE, {"page": "2"}).content.decode().count("/postpone/") == 1
    assert client_of_anna.get(PAGE, {"page": "none"}).status_code == 200


def test_an_empty_bell_says_what_will_be_there(client_of_anna):
    for answer in (client_of_anna.get(PAGE), client_of_anna.post(PANEL, headers=BY_HTMX)):
        assert "Nothing new. A reminder that you choose on an activity appears here" in text(answer)
        assert "Dismiss all" not in text(answer)


@pytest.mark.parametrize("minutes", [5, 10, 30, 60, 120, 1440])
def test_a_postponed_reminder_is_gone_until_then_and_new_again(anna, client_of_anna, minutes):
    notice = soon(anna)
    client_of_anna.get(PAGE)

    answer = client_of_anna.post(f"/notices/{notice.pk}/postpone/", {"minutes": minutes}, follow=True)

    assert answer.redirect_chain == [(PAGE, 302)]
    assert "Postponed until t" in text(answer)  # Today or tomorrow.
    then = timezone.now() + timedelta(minutes=minutes)
    assert not Notice.objects.shown_to(anna, now=then - timedelta(minutes=1)).exists()
    assert Notice.objects.shown_to(anna, now=then).unseen().get() == notice


@pytest.mark.parametrize("minutes", ["", "7", "-5", "ten", "99999999999"])
def test_postponing_by_anything_else_is_refused_with_words(anna, client_of_anna, minutes):
    notice = soon(anna)

    page = client_of_anna.post(f"/notices/{notice.pk}/postpone/", {"minutes": minutes}, follow=True)
    panel = client_of_anna.post(f"/notices/{notice.pk}/postpone/", {"minutes": minutes}, headers=BY_HTMX)

    for answer in (page, panel):
        assert re.search(r"Choose one of the times offered|required", text(answer))
        assert "Call Lumen" in text(answer)


def test_only_reminders_can_be_postponed(anna):
    notice = Notice(kind=Notice.Kind.RECONNECT, profile=anna)

    with pytest.raises(services.UnableToPostpone, match="Only a reminder"):
        services.postpone(notice=notice, minutes=10, now=timezone.now())


def test_a_dismissed_one_is_gone(anna, client_of_anna):
    first, second = soon(anna), soon(anna, "Call Havelland")

    answer = client_of_anna.post(f"/notices/{first.pk}/dismiss/", follow=True)

    assert "Call Lumen" not in text(answer)
    assert "Call Havelland" in text(answer)
    assert list(Notice.objects.shown_to(anna, now=timezone.now())) == [second]


def test_in_the_panel_the_same_is_done_in_place(anna, client_of_anna):
    first, second = soon(anna), soon(anna, "Call Havelland")

    panel = client_of_anna.post(f"/notices/{first.pk}/dismiss/", headers=BY_HTMX)
    assert "<html" not in panel.content.decode()
    assert "Call Lumen" not in text(panel)

    panel = client_of_anna.post(f"/notices/{second.pk}/postpone/", {"minutes": 10}, headers=BY_HTMX)
    assert "Postponed until" in text(panel)
    assert "Nothing new" in text(panel)


def test_dismiss_all_leaves_what_came_since(anna, client_of_anna):
    soon(anna)
    page = client_of_anna.get(PAGE).content.decode()
    shown_at = re.search(r'name="shown_at" value="([^"]+)"', page)[1]
    later = soon(anna, "Call Havelland")
    Notice.objects.filter(pk=later.pk).update(shown_from=timezone.now())

    client_of_anna.post("/notices/dismiss/", {"shown_at": shown_at})

    assert Notice.objects.shown_to(anna, now=timezone.now()).get() == later


@pytest.mark.parametrize("shown_at", ["", "yesterday", "2026-13-40"])
def test_dismiss_all_without_its_moment_dismisses_nothing_and_says_so(anna, client_of_anna, shown_at):
    soon(anna)

    answer = client_of_anna.post("/notices/dismiss/", {"shown_at": shown_at}, follow=True)

    assert "Nothing was dismissed" in text(answer)
    assert "Call Lumen" in text(answer)


def test_dismiss_all_cannot_reach_into_the_future(anna, client_of_anna):
    notice = soon(anna)
    client_of_anna.post(f"/notices/{notice.pk}/postpone/", {"minutes": 10})

    client_of_anna.post("/notices/dismiss/", {"shown_at": "2099-01-01T00:00:00+00:00"})

    assert Notice.objects.get().dismissed_at is None


def test_a_notice_is_its_persons_own(anna, boris, client_of_anna):
    notice = soon(boris, "Salary talk", is_private=True)

    assert "Salary talk" not in text(client_of_anna.get(PAGE))
    assert "Salary talk" not in text(client_of_anna.post(PANEL, headers=BY_HTMX))
    assert client_of_anna.post(f"/notices/{notice.pk}/dismiss/").status_code == 404
    assert client_of_anna.post(f"/notices/{notice.pk}/postpone/", {"minutes": 10}).status_code == 404
    client_of_anna.post("/notices/dismiss/", {"shown_at": timezone.now().isoformat()})
    assert Notice.objects.get() == notice
    assert (Notice.objects.get().dismissed_at, Notice.objects.get().seen_at) == (None, None)


def test_strangers_are_asked_to_sign_in():
    for method, path in [("get", PAGE), ("get", COUNT), ("post", PANEL), ("post", "/notices/1/dismiss/")]:
        answer = getattr(Client(), method)(path)
        assert (answer.status_code, answer.url.partition("?")[0]) == (302, "/login/")


def test_nothing_is_changed_by_a_link(anna, client_of_anna):
    notice = soon(anna)

    for path in (PANEL, "/notices/dismiss/", f"/notices/{notice.pk}/dismiss/", f"/notices/{notice.pk}/postpone/"):
        assert client_of_anna.get(path).status_code == 405


def test_without_a_script_every_form_stands_by_itself(anna, client_of_anna):
    soon(anna)
    page = client_of_anna.get(PAGE).content.decode()

    forms = re.findall(r'<form[^>]* action="(/notices/[^"]+)"', page)
    assert len(forms) == 3  # All, postpone, dismiss.
    assert "hx-post" not in page.partition("<main")[2]
    assert page.count("csrfmiddlewaretoken") >= 3


NOON = datetime(2026, 3, 9, 12, 0, tzinfo=timezone.get_fixed_timezone(0))


@pytest.mark.parametrize(
    ("start", "hours", "expected"),
    [
        (NOON + timedelta(minutes=15), 1, "Today, 13:15 – 14:15"),
        (NOON + timedelta(days=1), 1, "Tomorrow, 13:00 – 14:00"),
        (NOON + timedelta(hours=10, minutes=30), 1, "Today, 23:30 – tomorrow, 00:30"),
        (NOON - timedelta(minutes=15), 1, "Began today, 12:45"),
        (NOON - timedelta(days=1), 1, "Due yesterday, 14:00"),
        (NOON - timedelta(days=20), 1, "Due Tue 17 Feb, 14:00"),
    ],
)
def test_the_time_is_said_as_people_say_it_in_their_zone(start, hours, expected):
    berlin = make_user("clara", time_zone="Europe/Berlin").profile
    activity = make_activity(by=berlin, start=start, due=start + timedelta(hours=hours))

    with timezone.override(berlin.zone):
        assert words.takes_place(activity, now=NOON) == expected


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (date(2026, 3, 10), date(2026, 3, 10), "Tomorrow, all day"),
        (date(2026, 3, 9), date(2026, 3, 11), "Today – Wed 11 Mar"),
        (date(2026, 3, 7), date(2026, 3, 8), "Due yesterday"),
    ],
)
def test_days_are_said_without_times(anna, first, last, expected):
    activity = make_activity(by=anna, days=(first, last))

    assert words.takes_place(activity, now=NOON) == expected


def test_a_subject_is_shown_as_text(anna, client_of_anna):
    soon(anna, '<img src=x onerror="alert(1)">')

    for answer in (client_of_anna.get(PAGE), client_of_anna.post(PANEL, headers=BY_HTMX)):
        assert "<img src=x" not in answer.content.decode()
        assert "&lt;img src=x" in answer.content.decode()


def test_what_has_not_been_shown_for_a_month_is_cleared_away(anna):
    month, now = timedelta(days=31), timezone.now()
    kept, dismissed, fresh, over = [soon(anna, subject) for subject in ("Kept", "Dismissed", "Fresh", "Over")]
    Notice.objects.update(shown_from=now - month)
    Notice.objects.filter(pk=dismissed.pk).update(dismissed_at=now - month)
    Notice.objects.filter(pk=fresh.pk).update(shown_from=now, dismissed_at=now)
    Participant.objects.filter(activity=over.activity).update(response="declined")

    assert services.clear_away(now=now) == 2

    assert set(Notice.objects.all()) == {kept, fresh}


def test_a_reminder_leads_to_an_activity_that_opens(anna, client_of_anna):
    notice = soon(anna)
    page = client_of_anna.get(PAGE).content.decode()

    assert f'href="/activities/{notice.activity_id}/"' in page
    assert client_of_anna.get(f"/activities/{notice.activity_id}/").status_code == 200
