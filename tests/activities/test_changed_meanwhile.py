"""Two windows on one activity: what was changed meanwhile is never overwritten unasked, and nothing typed is lost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.http import QueryDict
from django.utils import timezone

from activities import forms, series, services
from activities.models import Activity, FieldChange
from tests.factories import MONDAY_NINE, make_activity

from .test_form import opened

pytestmark = [pytest.mark.django_db, pytest.mark.rule("R11")]


def save(client, activity: Activity, values: dict[str, object]):
    return client.post(f"/activities/{activity.pk}/", values)


def edit(activity: Activity, by, **values: object) -> None:
    services.edit(activity=activity, by=by, now=timezone.now(), **values)


@pytest.fixture
def activity(anna, boris) -> Activity:
    return make_activity(by=anna, participants=[boris], location="Room 1")


def test_a_field_somebody_else_changed_meanwhile_is_shown_with_both_values(anna, boris, client_of_anna, activity):
    page = opened(activity)
    edit(activity, boris, subject="Theirs")

    response = save(client_of_anna, activity, {**page, "subject": "Mine", "location": "Room 2"})

    html = response.content.decode()
    assert response.status_code == 422
    assert "Subject was changed by Boris since you opened this page." in html
    assert "Use mine: Mine" in html
    assert "Keep what is there now: Theirs" in html
    assert 'value="Mine"' in html
    activity.refresh_from_db()
    assert (activity.subject, activity.location) == ("Theirs", "Room 1")


@pytest.mark.parametrize(("choice", "subject"), [("mine", "Mine"), ("theirs", "Theirs")])
def test_the_person_decides_and_what_else_they_typed_is_saved(anna, boris, client_of_anna, activity, choice, subject):
    page = opened(activity)
    edit(activity, boris, subject="Theirs")
    sent = {**page, "subject": "Mine", "location": "Room 2"}

    response = save(client_of_anna, activity, {**answered(client_of_anna, activity, sent), "settle-subject": choice})

    assert response.status_code == 302
    activity.refresh_from_db()
    assert (activity.subject, activity.location) == (subject, "Room 2")


def test_without_a_decision_the_question_stays(boris, client_of_anna, activity):
    page = opened(activity)
    edit(activity, boris, subject="Theirs")

    response = save(client_of_anna, activity, answered(client_of_anna, activity, {**page, "subject": "Mine"}))

    assert response.status_code == 422
    assert "Use mine: Mine" in response.content.decode()
    activity.refresh_from_db()
    assert activity.subject == "Theirs"


def test_a_third_change_is_asked_about_again(boris, client_of_anna, activity):
    page = opened(activity)
    edit(activity, boris, subject="Theirs")
    second = answered(client_of_anna, activity, {**page, "subject": "Mine"})
    edit(activity, boris, subject="Third")

    response = save(client_of_anna, activity, {**second, "settle-subject": "mine"})

    assert response.status_code == 422
    assert "Keep what is there now: Third" in response.content.decode()


def test_fields_left_alone_never_overwrite(boris, client_of_anna, activity):
    page = opened(activity)
    edit(activity, boris, subject="Theirs", notes="By Boris")

    response = save(client_of_anna, activity, {**page, "location": "Room 2"})

    assert response.status_code == 302
    activity.refresh_from_db()
    assert (activity.subject, activity.notes, activity.location) == ("Theirs", "By Boris", "Room 2")


def test_while_it_asks_the_page_shows_what_else_has_changed(boris, client_of_anna, activity):
    page = opened(activity)
    edit(activity, boris, subject="Theirs", location="Room 9")

    html = save(client_of_anna, activity, {**page, "subject": "Mine"}).content.decode()

    assert 'value="Room 9"' in html
    assert "Location was changed" not in html


def test_the_same_change_on_both_sides_is_no_question(boris, client_of_anna, activity):
    page = opened(activity)
    edit(activity, boris, subject="Same")

    assert save(client_of_anna, activity, {**page, "subject": "Same"}).status_code == 302


@pytest.mark.parametrize("changed", [{"time_zone": "Asia/Kolkata"}, {"due": MONDAY_NINE + timedelta(hours=3)}])
def test_a_time_is_one_field(anna, boris, client_of_anna, activity, changed):
    page = opened(activity)
    edit(activity, boris, start=activity.start, **({"due": activity.due} | changed))
    now_there = Activity.objects.get()

    response = save(client_of_anna, activity, {**page, "start": "2026-03-09T08:00"})

    html = response.content.decode()
    assert response.status_code == 422
    assert "The time was changed by Boris since you opened this page." in html
    fresh = Activity.objects.get()
    assert (fresh.start, fresh.due, fresh.time_zone) == (now_there.start, now_there.due, now_there.time_zone)


@pytest.mark.parametrize("choice", ["mine", "theirs"])
def test_deciding_about_a_time(boris, client_of_anna, activity, choice):
    page = opened(activity)
    edit(activity, boris, days=(MONDAY_NINE.date(), MONDAY_NINE.date()))
    sent = {**page, "start": "2026-03-09T07:00", "due": "2026-03-09T08:00"}

    response = save(client_of_anna, activity, {**answered(client_of_anna, activity, sent), "settle-when": choice})

    assert response.status_code == 302
    fresh = Activity.objects.get()
    assert fresh.all_day == (choice == "theirs")
    assert choice == "theirs" or fresh.start.hour == 7


def test_who_changed_it_may_have_been_google_or_oneself(anna, client_of_anna, activity):
    page = opened(activity)
    edit(activity, anna, subject="Theirs")

    assert "by you, in another window" in save(client_of_anna, activity, {**page, "subject": "M"}).content.decode()

    FieldChange.objects.filter(field="subject").update(origin=FieldChange.Origin.GOOGLE, by=None)
    assert "in Google Calendar" in save(client_of_anna, activity, {**page, "subject": "M"}).content.decode()


def test_what_was_changed_for_a_whole_series_is_not_overwritten_by_an_occurrence(anna, boris, client_of_anna):
    head = series.create(
        by=anna, subject="Standup", start=MONDAY_NINE, due=MONDAY_NINE + timedelta(hours=1), now=timezone.now(),
        lines=("RRULE:FREQ=WEEKLY;COUNT=3",), participants=[boris],
    )  # fmt: skip
    first = Activity.objects.filter(series=head.series).earliest("start")
    page = opened(first)
    series.edit(activity=first, scope=series.ALL, by=boris, now=timezone.now(), subject="Theirs")

    response = save(client_of_anna, first, {**page, "subject": "Mine", "scope": "this"})

    assert "Subject was changed by Boris" in response.content.decode()
    assert Activity.objects.get(pk=first.pk).subject == "Theirs"


def answered(client, activity: Activity, values: dict[str, object]) -> dict[str, object]:
    """Send a form that clashes, and return what the browser would send of the page that asks, nothing chosen yet."""
    form = save(client, activity, values).context["form"]
    assert form.clashes
    asks: dict[str, object] = {"asked": [clash.name for clash in form.clashes]}
    data = {name: form.data.getlist(name) for name in form.data} if isinstance(form.data, QueryDict) else form.data
    assert isinstance(form, forms.ActivityForm)
    return {**data, **asks}
