"""The form of an activity: defaults, the wall clock of the zone, what counts as changed, and closed fields."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.http import QueryDict

from activities import forms, services
from activities.models import Activity
from tests.factories import MONDAY_NINE, make_activity, make_user

pytestmark = pytest.mark.django_db

STOCKHOLM = "Europe/Stockholm"


def shown(form: forms.ActivityForm) -> dict[str, str | list[str]]:
    """Return what a browser would send of a form nobody has touched: the controls and the hidden copies."""
    sent: dict[str, str | list[str]] = {}
    for bound in form:
        if bound.field.disabled:
            continue
        for name, value in ((bound.html_name, bound.value()), (bound.html_initial_name, bound.value())):
            is_copy = name.startswith("initial-")
            if is_copy and not bound.field.show_hidden_initial:
                continue
            if isinstance(value, list):
                sent |= {name: [str(one) for one in value]} if value else {}
            elif isinstance(value, bool) and not is_copy:
                sent |= {name: "on"} if value else {}
            elif isinstance(value, datetime):
                sent[name] = value.strftime("%Y-%m-%dT%H:%M")
            else:
                sent[name] = "" if value is None else str(value)
    return sent


def opened(activity: Activity, **kwargs: object) -> dict[str, str | list[str]]:
    """Return what the page of an activity sends for its Organizer when nobody touched it."""
    return shown(forms.ActivityForm(initial=initial_of(activity), activity=activity, **kwargs))


def sent(activity: Activity, values: dict[str, str | list[str]], **kwargs: object) -> forms.ActivityForm:
    return forms.ActivityForm(values, initial=initial_of(activity), activity=activity, **kwargs)


def initial_of(activity: Activity) -> dict[str, object]:
    return forms.initial_of(activity, own=activity.participants.filter(profile=activity.organizer).first())


def new_form(profile, values: dict[str, str | list[str]] | None = None, *, asked: str = "") -> forms.ActivityForm:
    initial = forms.initial_of_new(profile=profile, asked=QueryDict(asked), now=MONDAY_NINE + timedelta(minutes=10))
    untouched = shown(forms.ActivityForm(initial=initial))
    return forms.ActivityForm({**untouched, "subject": "New", **(values or {})}, initial=initial)


# --- A new one ------------------------------------------------------------------------------------------------------


def test_a_new_activity_starts_at_the_next_half_hour_of_ones_own_clock():
    anna = make_user("anna", time_zone=STOCKHOLM).profile
    form = new_form(anna)

    assert form.is_valid(), form.errors
    values = form.values()
    assert (values["start"], values["due"]) == (
        datetime(2026, 3, 9, 9, 30, tzinfo=UTC),
        datetime(2026, 3, 9, 10, 0, tzinfo=UTC),
    )
    assert (values["time_zone"], values["owner"], values["reporter"]) == (STOCKHOLM, anna, anna)


@pytest.mark.parametrize(
    ("asked", "name", "expected"),
    [
        ("kind=call", "category", "call"),
        ("category=meeting", "show_in_calendar", True),
        ("calendar=1", "show_in_calendar", True),
        ("kind=task", "show_in_calendar", False),
        ("category=nonsense&start=nonsense", "category", "to_do"),
        ("start=2026-03-11T13:30", "start", "2026-03-11T13:30"),
        ("start=2026-03-11T13:30", "due", "2026-03-11T14:00"),
        ("start=2026-03-11T13:30&due=2026-03-11T16:00", "due", "2026-03-11T16:00"),
        ("start=2026-03-11T13:30&due=2026-03-11T12:00", "due", "2026-03-11T14:00"),
        ("start=2026-03-11", "start", "2026-03-11T09:00"),
    ],
)
def test_the_address_says_what_a_new_activity_is_like(anna, asked, name, expected):
    initial = forms.initial_of_new(profile=anna, asked=QueryDict(asked), now=MONDAY_NINE)
    value = initial[name]
    assert (value.isoformat(timespec="minutes") if isinstance(value, datetime) else value) == expected


def test_due_defaults_to_thirty_minutes_after_start(anna):
    form = new_form(anna, {"start": "2026-03-11T13:30", "due": ""})
    assert form.is_valid()
    assert form.values()["due"] == datetime(2026, 3, 11, 14, 0, tzinfo=UTC)


def test_due_before_start_is_refused_and_nothing_is_lost(anna):
    form = new_form(anna, {"start": "2026-03-11T13:30", "due": "2026-03-11T13:00", "location": "Room 4"})

    assert not form.is_valid()
    assert form.errors == {"due": [forms.DUE_BEFORE_START]}
    assert form["location"].value() == "Room 4"
    assert form["due"].value() == "2026-03-11T13:00"


def test_last_day_before_first_is_refused(anna):
    form = new_form(anna, {"all_day": "on", "start_date": "2026-03-11", "due_date": "2026-03-10"})
    assert not form.is_valid()
    assert list(form.errors) == ["due_date"]


def test_all_day_takes_the_days_and_not_the_times(anna):
    form = new_form(anna, {"all_day": "on", "start_date": "2026-03-11", "due_date": "", "start": "", "due": ""})
    assert form.is_valid(), form.errors
    assert form.values()["days"] == (date(2026, 3, 11), date(2026, 3, 11))
    assert "start" not in form.values()


def test_a_new_activity_needs_a_subject_and_a_start(anna):
    form = new_form(anna, {"subject": " ", "start": "", "due": "soon"})
    assert not form.is_valid()
    assert set(form.errors) == {"subject", "start", "due"}
    assert form.errors["subject"] == ["Enter a subject."]


@pytest.mark.parametrize(
    ("asked", "values", "expected"),
    [
        pytest.param("", {"category": "meeting"}, True, id="without-a-script-it-is-ticked-by-the-server"),
        pytest.param("", {"category": "meeting", "has_script": "1"}, False, id="with-a-script-unticked-means-unticked"),
        pytest.param(
            "category=meeting", {"show_in_calendar": ""}, False, id="unticked-on-a-page-that-showed-it-ticked"
        ),
        pytest.param("", {}, False, id="a-task-is-not-shown"),
    ],
)
def test_a_meeting_ticks_show_in_calendar(anna, asked, values, expected):
    form = new_form(anna, values, asked=asked)
    assert form.is_valid(), form.errors
    assert services.create(by=anna, now=MONDAY_NINE, **form.values()).show_in_calendar is expected


# --- An existing one ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({}, id="timed"),
        pytest.param({"days": (date(2026, 3, 9), date(2026, 3, 11))}, id="all-day"),
        pytest.param({"time_zone": "America/New_York"}, id="elsewhere"),
        pytest.param({"start": MONDAY_NINE + timedelta(seconds=17)}, id="with-seconds"),
        pytest.param({"notes": "<p>Agenda</p><ul><li>One</li></ul>"}, id="html-notes"),
        pytest.param({"notes": "Two\nlines"}, id="two-lines"),
        pytest.param({"subject": ""}, id="no-subject"),
        pytest.param({"owner": None}, id="nobodys"),
        pytest.param({"time_zone": "Etc/GMT+3"}, id="a-zone-that-is-not-offered"),
        pytest.param({"status": "completed", "result": "Done", "show_in_calendar": True}, id="done"),
    ],
)
def test_a_form_nobody_touched_changes_nothing(anna, values):
    activity = make_activity(by=anna, **values)
    form = sent(activity, opened(activity))
    assert form.is_valid(), form.errors
    assert form.changes() == {}


def test_only_what_the_person_changed_is_sent_on(anna):
    activity = make_activity(by=anna, location="Room 4")
    on_screen = opened(activity)
    services.edit(activity=activity, by=anna, now=MONDAY_NINE, location="Room 5")  # Meanwhile, from elsewhere.
    activity.refresh_from_db()

    form = sent(activity, {**on_screen, "subject": "Redlines"})

    assert form.is_valid()
    assert form.changes() == {"subject": "Redlines"}


def test_times_are_the_wall_clock_of_the_chosen_zone(anna):
    activity = make_activity(by=anna, time_zone="America/New_York")  # 09:00 UTC is 05:00 there in March.
    on_screen = opened(activity)
    assert on_screen["start"] == "2026-03-09T05:00"

    form = sent(activity, {**on_screen, "time_zone": STOCKHOLM})
    assert form.is_valid()
    assert form.changes()["start"] == datetime(2026, 3, 9, 4, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("more", "due"),
    [
        pytest.param({}, datetime(2026, 3, 9, 16, 0, tzinfo=UTC), id="without-a-script-the-server-moves-it"),
        pytest.param({"has_script": "1"}, None, id="with-a-script-the-page-has-moved-it"),
    ],
)
def test_moving_start_keeps_the_duration(anna, more, due):
    activity = make_activity(by=anna)
    form = sent(activity, {**opened(activity), "start": "2026-03-09T15:00", **more})

    assert form.is_valid() is (due is not None)
    if due:
        assert form.changes()["due"] == due


def test_html_notes_are_edited_as_text_and_kept_while_nobody_does(anna):
    activity = make_activity(by=anna, notes="<p>Agenda</p><ul><li>One</li></ul>")
    on_screen = opened(activity)
    assert on_screen["notes"] == "Agenda\n• One"

    form = sent(activity, {**on_screen, "notes": "Agenda\r\n• One\r\n• Two"})
    assert form.is_valid()
    assert form.changes() == {"notes": "Agenda\n• One\n• Two"}


def test_line_ends_of_browsers_are_no_change(anna):
    activity = make_activity(by=anna, notes="Two\nlines")
    on_screen = opened(activity)
    browser = {**on_screen, "notes": "Two\r\nlines", "initial-notes": "Two\r\nlines"}

    form = sent(activity, browser)
    assert form.is_valid()
    assert form.changes() == {}


@pytest.mark.rule("R6")
def test_closed_fields_are_disabled_and_ignored(anna):
    activity = make_activity(by=anna)
    on_screen = opened(activity, read_only_reason="Because.")
    assert {"subject", "start", "location", "notes", "repeat"}.isdisjoint(on_screen)
    assert "priority" in on_screen

    form = sent(activity, {**on_screen, "subject": "Mine", "priority": "high"}, read_only_reason="Because.")
    assert form.is_valid(), form.errors
    assert form.changes() == {"priority": "high"}


@pytest.mark.rule("R6")
def test_what_was_open_when_the_page_was_made_is_left_to_the_service(anna):
    activity = make_activity(by=anna)
    on_screen = opened(activity)

    form = sent(activity, {**on_screen, "subject": "Typed before"}, read_only_reason="Because.")
    assert form.is_valid()
    assert form.changes() == {"subject": "Typed before"}


@pytest.mark.rule("R6", "R14")
@pytest.mark.parametrize(("status", "is_open"), [("not_started", True), ("canceled", False)])
def test_canceling_a_closed_meeting_is_not_offered(anna, status, is_open):
    activity = make_activity(by=anna, status=status)
    form = forms.ActivityForm(initial=initial_of(activity), activity=activity, read_only_reason="Because.")
    assert form.fields["status"].disabled is not is_open
    if is_open:
        assert "canceled" not in dict(form.fields["status"].choices)


# --- Reminder -------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R10")
@pytest.mark.parametrize(
    ("minutes", "value", "words"),
    [
        (None, "", "None"),
        (0, "0", "At the start"),
        (30, "30", "30 minutes before"),
        (1440, "1440", "1 day before"),
        (45, "45", "45 minutes before"),
        (120, "120", "2 hours before"),
        (20160, "20160", "14 days before"),
    ],
)
def test_a_reminder_is_offered_as_it_is_and_kept_while_nobody_chooses_another(anna, minutes, value, words):
    activity = make_activity(by=anna)
    activity.participants.update(reminder_minutes=minutes)
    on_screen = opened(activity)
    form = sent(activity, on_screen)

    assert on_screen["reminder"] == value
    assert dict(form.fields["reminder"].choices)[value] == words
    assert form.is_valid(), form.errors
    assert not form.changes_reminder
    assert form.changes() == {}


@pytest.mark.rule("R10")
def test_what_a_page_showed_as_a_reminder_can_still_be_sent_when_google_has_another_one(anna):
    activity = make_activity(by=anna)
    activity.participants.update(reminder_minutes=45)
    on_screen = opened(activity)
    activity.participants.update(reminder_minutes=50)

    form = sent(activity, on_screen)
    assert form.is_valid(), form.errors
    assert not form.changes_reminder


def test_who_takes_no_part_has_no_reminder(anna):
    form = forms.ActivityForm(initial=forms.initial_of(make_activity(by=anna)))
    assert "reminder" not in form.fields
