"""Repeating activities on the pages: the form, for how much of a series a change is meant, what the pages say (R15)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import Profile
from activities import forms, selectors, series, services
from activities.models import Activity, FieldChange, Participant
from tests.factories import MONDAY_NINE, make_activity, make_tag, make_user

from .test_activity_page import address, html_of
from .test_form import new_form, opened, sent

pytestmark = [pytest.mark.django_db, pytest.mark.rule("R15")]

WEEKLY = "RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=4"
CONTROLS = ("repeat", "every", "weekdays", "ends", "until", "count", "scope", "reminder")
OWN = "RRULE:FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-1;COUNT=4"


def make_series(by: Profile, *lines: str, **values: Any) -> list[Activity]:
    """Make a series of an hour from MONDAY_NINE, four Mondays unless lines are given. Returns its occurrences."""
    if not values.get("days"):
        values.setdefault("start", MONDAY_NINE)
        values.setdefault("due", values["start"] + timedelta(hours=1))
    head = series.create(by=by, lines=lines or (WEEKLY,), now=MONDAY_NINE, subject="Stand-up", **values)
    return list(Activity.objects.filter(series=head.series).order_by("start"))


def rule_of(activity: Activity) -> list[str]:
    activity.refresh_from_db()
    assert activity.series
    return activity.series.recurrence


def days_of(activity: Activity) -> list[date]:
    """Return the days of the series that an activity belongs to."""
    activity.refresh_from_db()
    rows = Activity.objects.present().filter(series=activity.series).order_by("start")
    return [row.start.date() for row in rows]


def mondays(count: int, *, since: int = 0) -> list[date]:
    return [(MONDAY_NINE + timedelta(weeks=number)).date() for number in range(since, count)]


# --- The form -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"repeat": "daily"}, "RRULE:FREQ=DAILY"),
        ({"repeat": "daily", "every": "3"}, "RRULE:FREQ=DAILY;INTERVAL=3"),
        ({"repeat": "weekly"}, "RRULE:FREQ=WEEKLY;BYDAY=WE"),
        ({"repeat": "weekly", "weekdays": ["0", "3"], "every": "2"}, "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH"),
        ({"repeat": "monthly_day"}, "RRULE:FREQ=MONTHLY"),
        ({"repeat": "monthly_last_day"}, "RRULE:FREQ=MONTHLY;BYMONTHDAY=-1"),
        ({"repeat": "monthly_weekday"}, "RRULE:FREQ=MONTHLY;BYDAY=2WE"),
        ({"repeat": "yearly"}, "RRULE:FREQ=YEARLY"),
        ({"repeat": "daily", "ends": "after", "count": "5"}, "RRULE:FREQ=DAILY;COUNT=5"),
        ({"repeat": "daily", "ends": "on", "until": "2026-04-01"}, "RRULE:FREQ=DAILY;UNTIL=20260401T215959Z"),
    ],
)
def test_each_repetition_becomes_its_rule(values, rule):
    anna = make_user("anna", time_zone="Europe/Stockholm").profile
    form = new_form(anna, {"start": "2026-03-11T13:30", "due": "2026-03-11T14:30", **values})
    assert form.is_valid(), form.errors
    assert form.lines == (rule,)


def test_what_belongs_to_another_repetition_is_ignored(anna):
    nonsense = {"every": "often", "until": "soon", "count": "-4", "weekdays": ["9"], "ends": "on"}
    form = new_form(anna, nonsense)
    assert form.is_valid(), form.errors
    assert form.lines is None

    form = new_form(anna, {**nonsense, "repeat": "daily", "every": "2", "ends": "never"})
    assert form.is_valid(), form.errors
    assert form.lines == ("RRULE:FREQ=DAILY;INTERVAL=2",)


NUMBER = "Enter a whole number from 1 to 9999."


@pytest.mark.parametrize(
    ("values", "errors"),
    [
        ({"every": ""}, {"every": [NUMBER]}),
        ({"every": "0"}, {"every": [NUMBER]}),
        ({"every": "10000"}, {"every": [NUMBER]}),
        ({"every": "some"}, {"every": [NUMBER]}),
        ({"ends": "after"}, {"count": [NUMBER]}),
        ({"ends": "after", "count": "1.5"}, {"count": [NUMBER]}),
        ({"ends": "on"}, {"until": ["Enter the last day."]}),
        ({"ends": "on", "until": "2026-03-10"}, {"until": ["It cannot end before it starts."]}),
        ({"ends": "on", "until": "9999-12-31"}, {"until": ["Choose dates between the years 1900 and 2100."]}),
    ],
)
def test_what_is_wrong_is_said_beside_the_field_and_nothing_is_lost(anna, values, errors):
    form = new_form(anna, {"repeat": "daily", "start": "2026-03-11T13:30", "location": "Room 4", **values})
    assert not form.is_valid()
    assert form.errors == errors
    assert form["location"].value() == "Room 4"
    for name, value in values.items():
        assert form[name].value() == value


def test_a_wrong_start_is_what_is_complained_about(anna):
    form = new_form(anna, {"repeat": "weekly", "start": "soon", "time_zone": "Mars/Olympus"})
    assert set(form.errors) == {"start", "time_zone"}


@pytest.mark.parametrize(
    "line",
    [
        "RRULE:FREQ=DAILY",
        "RRULE:FREQ=WEEKLY;WKST=SU",
        "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH;COUNT=8",
        "RRULE:FREQ=MONTHLY;BYDAY=2MO;UNTIL=20261231T225959Z",
        "RRULE:FREQ=MONTHLY;BYMONTHDAY=9",
        "RRULE:FREQ=YEARLY;UNTIL=20280309",
        OWN,
    ],
)
def test_a_rule_nobody_touched_stays_as_google_wrote_it(anna, line):
    occurrence = make_series(anna, line, "EXDATE:20260316T090000Z")[0]
    form = sent(occurrence, opened(occurrence))
    assert form.is_valid(), form.errors
    assert form.changes() == {}
    assert form.lines is None
    assert not form.stops_repeating
    assert (form.initial["repeat"] == "own") is (line == OWN)


def test_a_rule_that_changed_meanwhile_is_not_put_back(anna):
    occurrence = make_series(anna)[0]
    on_screen = opened(occurrence)
    services.edit(activity=occurrence.series.head, by=anna, now=MONDAY_NINE, lines=["RRULE:FREQ=WEEKLY;BYDAY=MO,WE"])
    occurrence = Activity.objects.get(pk=occurrence.pk)

    form = sent(occurrence, {**on_screen, "subject": "Redlines"})
    assert form.is_valid(), form.errors
    assert form.changes() == {"subject": "Redlines"}
    assert form.lines is None


def test_who_sends_no_rule_and_no_reminder_changes_neither(anna):
    occurrence = make_series(anna)[0]
    occurrence.participants.update(reminder_minutes=30)
    rest = {name: value for name, value in opened(occurrence).items() if name.rpartition("-")[2] not in CONTROLS}
    form = sent(occurrence, {**rest, "subject": "Redlines"})
    assert form.is_valid(), form.errors
    assert form.changes() == {"subject": "Redlines"}
    assert form.lines is None
    assert not form.stops_repeating
    assert not form.changes_reminder


def test_another_rule_is_nothing_of_one_occurrence(anna):
    occurrence = make_series(anna)[0]
    form = sent(occurrence, {**opened(occurrence), "every": "2"})
    assert not form.is_valid()
    assert list(form.errors) == ["scope"]
    assert form["every"].value() == "2"


@pytest.mark.parametrize(
    ("values", "count"),
    [({"every": "2"}, 3), ({"every": "2", "count": "9"}, 9), ({"every": "2", "scope": "all"}, 4)],
    ids=["what-is-left", "as-typed", "of-all"],
)
def test_from_here_on_there_are_no_more_of_them_than_before(anna, values, count):
    occurrence = make_series(anna)[1]
    form = sent(occurrence, {**opened(occurrence), "scope": "following", **values})
    assert form.is_valid(), form.errors
    assert form.lines == (f"RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;COUNT={count}",)


def test_the_only_weekday_moves_along_with_the_start(anna):
    occurrence = make_series(anna)[0]
    moved = {"start": "2026-03-11T09:00", "every": "2", "scope": "all"}
    for values, days in ((moved, "WE"), ({**moved, "weekdays": ["0", "2"]}, "MO,WE")):
        form = sent(occurrence, {**opened(occurrence), **values})
        assert form.is_valid(), form.errors
        assert form.lines == (f"RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY={days};COUNT=4",)


@pytest.mark.rule("R6")
def test_how_a_closed_activity_repeats_is_closed_as_well(anna, boris):
    occurrence = make_series(boris)[0]
    form = sent(occurrence, {"repeat": "", "every": "5", "priority": "high"}, read_only_reason="Because.")
    form.is_valid()
    assert form.lines is None
    assert not form.stops_repeating
    assert form.fields["repeat"].disabled
    assert form.fields["weekdays"].disabled
    assert not form.fields["scope"].disabled


# --- Making and saving ----------------------------------------------------------------------------------------------


def posted(activity: Activity, **values: Any) -> dict[str, Any]:
    return {**opened(Activity.objects.get(pk=activity.pk)), **values}


def save(client: Client, activity: Activity, **values: Any) -> Any:
    return client.post(address(activity), posted(activity, **values))


def test_a_new_one_that_repeats(anna, client_of_anna):
    values = {
        "subject": "Stand-up", "start": "2026-03-09T09:00", "due": "2026-03-09T09:15", "time_zone": "UTC",
        "category": "meeting", "status": "completed", "result": "Agreed", "priority": "medium", "owner": anna.pk,
        "reporter": anna.pk, "repeat": "weekly", "every": "1", "weekdays": ["0"], "ends": "after", "count": "3",
        "reminder": "10", "show_in_calendar": "on",
    }  # fmt: skip
    response = client_of_anna.post("/activities/new/?category=meeting", values)

    rows = list(Activity.objects.order_by("start"))
    assert response["Location"] == address(rows[0])
    assert [row.start.date() for row in rows] == mondays(3)
    assert [(row.status, row.result) for row in rows] == [
        ("completed", "Agreed"), ("not_started", ""), ("not_started", ""),
    ]  # fmt: skip
    assert {person.reminder_minutes for person in Participant.objects.all()} == {10}
    assert all(row.show_in_calendar for row in rows)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (
            {"repeat": "weekly", "weekdays": ["2"]},
            "The day you chose is none of its days: this one is on Wednesday, 11",
        ),
        ({"repeat": "weekly", "weekdays": ["0"]}, None),
        (
            {"repeat": "monthly_last_day"},
            "The day you chose is none of its days: this one is on Tuesday, 31 March 2026.",
        ),
    ],
)
def test_who_chooses_a_day_that_the_rule_does_not_have_is_told_where_it_begins(anna, client_of_anna, rule, said):
    values = {
        "subject": "Stand-up", "start": "2026-03-09T09:00", "due": "2026-03-09T09:15", "time_zone": "UTC",
        "category": "to_do", "status": "not_started", "priority": "medium", "owner": anna.pk, "reporter": anna.pk,
        "every": "1", "ends": "after", "count": "3", **rule,
    }  # fmt: skip
    html = client_of_anna.post("/activities/new/", values, follow=True).content.decode()
    assert "Created “Stand-up”." in html
    assert said in html if said else "The day you chose" not in html
    assert Activity.objects.count() == 3


@pytest.mark.parametrize("repeats_already", [True, False])
def test_who_lets_it_repeat_on_other_days_is_told_where_it_is_now(anna, client_of_anna, repeats_already):
    activity = make_series(anna)[0] if repeats_already else make_activity(by=anna, start=MONDAY_NINE)
    values = {"repeat": "weekly", "weekdays": ["2"], "ends": "never"}
    if repeats_already:
        values["scope"] = "all"
    response = client_of_anna.post(address(activity), posted(activity, **values), follow=True)
    assert Activity.objects.order_by("start").first().start.date() == date(2026, 3, 11)
    html = response.content.decode()
    assert "none of its days" in html


def test_a_new_one_that_repeats_without_sense_is_refused_with_words(anna, client_of_anna):
    values = {
        "subject": "Stand-up", "start": "2026-03-09T09:00", "time_zone": "UTC", "category": "to_do",
        "status": "not_started", "priority": "medium", "repeat": "weekly", "every": "x", "weekdays": ["2"],
    }  # fmt: skip
    response = client_of_anna.post("/activities/new/", values)
    html = response.content.decode()
    assert response.status_code == 422
    assert NUMBER in html
    assert 'value="x"' in html
    assert re.search(r'value="2"[^>]*checked', html)
    assert not Activity.every.exists()


def test_a_single_activity_begins_to_repeat(anna, client_of_anna):
    activity = make_activity(by=anna, status="in_progress")
    response = save(client_of_anna, activity, repeat="weekly", ends="after", count="3", subject="Retro", reminder="5")
    assert response["Location"] == address(activity)
    assert days_of(activity) == mondays(3)
    assert {row.subject for row in Activity.objects.all()} == {"Retro"}
    assert [row.status for row in Activity.objects.order_by("start")] == ["in_progress", "not_started", "not_started"]
    assert {person.reminder_minutes for person in Participant.objects.all()} == {5}


def test_an_occurrence_stops_repeating(anna, client_of_anna):
    rows = make_series(anna)
    page = client_of_anna.post(address(rows[1]), posted(rows[1], repeat="", location="Room 4"), follow=True)
    assert "It repeats no more" in page.content.decode()
    assert [(row.pk, row.series, row.location) for row in Activity.objects.present()] == [(rows[1].pk, None, "Room 4")]

    deleted = client_of_anna.get("/activities/deleted/").content.decode()
    assert deleted.count(">Restore<") == 1


@pytest.mark.parametrize(
    ("scope", "subjects"),
    [
        ("this", ["Stand-up", "Retro", "Stand-up", "Stand-up"]),
        ("following", ["Stand-up", "Retro", "Retro", "Retro"]),
        ("all", ["Retro"] * 4),
    ],
)
def test_saving_is_for_this_one_this_and_following_or_all(anna, client_of_anna, scope, subjects):
    rows = make_series(anna)
    save(client_of_anna, rows[1], subject="Retro", scope=scope)
    assert [row.subject for row in Activity.objects.order_by("start")] == subjects


@pytest.mark.parametrize("scope", ["this", "following", "all"])
def test_completing_is_of_one(anna, client_of_anna, scope):
    rows = make_series(anna)
    save(client_of_anna, rows[1], status="completed", result="Agreed", scope=scope)
    assert [row.status for row in Activity.objects.order_by("start")] == [
        "not_started", "completed", "not_started", "not_started",
    ]  # fmt: skip


@pytest.mark.parametrize(("scope", "canceled"), [("this", 1), ("following", 3), ("all", 4)])
def test_canceling_is_for_as_many_as_one_says(anna, client_of_anna, scope, canceled):
    rows = make_series(anna)
    save(client_of_anna, rows[1], status="canceled", scope=scope)
    assert Activity.objects.filter(status="canceled").count() == canceled


def test_another_rule_for_this_and_following(anna, client_of_anna):
    rows = make_series(anna)
    save(client_of_anna, rows[2], every="2", scope="following")
    assert days_of(rows[0]) == mondays(2)
    assert days_of(rows[2]) == [mondays(3, since=2)[0], mondays(5, since=4)[0]]


def test_another_rule_for_all_that_lacks_this_day_goes_to_the_nearest(anna, client_of_anna):
    rows = make_series(anna)
    response = client_of_anna.post(address(rows[1]), posted(rows[1], repeat="monthly_day", scope="all"), follow=True)
    assert response.status_code == 200
    assert Activity.objects.present().filter(series=rows[0].series).count() == 4
    assert rule_of(rows[0]) == ["RRULE:FREQ=MONTHLY;COUNT=4"]


@pytest.mark.parametrize(
    ("scope", "reminders"),
    [("this", [None, 15, None, None]), ("following", [None, 15, 15, 15]), ("all", [15, 15, 15, 15])],
)
@pytest.mark.parametrize("is_organizer", [True, False])
@pytest.mark.rule("R10")
def test_a_reminder_is_ones_own(anna, boris, client_of_anna, scope, reminders, is_organizer):
    rows = make_series(anna if is_organizer else boris, participants=[anna, boris])
    values = {**opened(rows[1]), "initial-reminder": "", "reminder": "15", "scope": scope}
    client_of_anna.post(address(rows[1]), values)
    people = Participant.objects.filter(activity__is_series=False).order_by("activity__start")
    assert [person.reminder_minutes for person in people.filter(profile=anna)] == reminders
    assert {person.reminder_minutes for person in people.filter(profile=boris)} == {None}
    is_split = is_organizer and scope == "following"  # What goes to Google for some alone is a series of its own.
    assert Activity.every.filter(is_series=True).count() == (2 if is_split else 1)


@pytest.mark.rule("R10")
def test_a_reminder_is_logged_and_kept_out_of_the_feed(anna, client_of_anna):
    activity = make_activity(by=anna)
    save(client_of_anna, activity, reminder="1440")
    change = FieldChange.objects.get(activity=activity, field="reminder")
    assert (change.before, change.after, change.by) == (None, 1440, anna)
    assert "reminder" not in html_of(client_of_anna, activity).split('id="feed"')[1].casefold()


@pytest.mark.rule("R6")
def test_the_rule_of_somebody_elses_meeting_stays(anna, boris, client_of_anna, closed_to_anna):
    rows = make_series(boris, participants=[anna])
    for values in ({"repeat": ""}, {"every": "2", "scope": "all"}, {"subject": "Mine", "scope": "following"}):
        response = save(client_of_anna, rows[1], **values)
        assert response.status_code == 422
        assert closed_to_anna in response.content.decode()
    assert days_of(rows[0]) == mondays(4)


# --- Deleting and answering -----------------------------------------------------------------------------------------


@pytest.mark.rule("R14")
@pytest.mark.parametrize(
    ("scope", "left", "words"),
    [
        ({}, [0, 2, 3], "“Stand-up”. "),
        ({"scope": "nonsense"}, [0, 2, 3], "“Stand-up”. "),
        ({"scope": "following"}, [0], "“Stand-up” and all that follow. "),
        ({"scope": "all"}, [], "“Stand-up”, all of them. "),
    ],
)
def test_deleting_is_for_as_many_as_one_says(anna, client_of_anna, scope, left, words):
    rows = make_series(anna)
    page = client_of_anna.post(address(rows[1], "delete/"), scope, follow=True)
    assert f"Deleted {words}" in page.content.decode()
    assert [row.pk for row in Activity.objects.present().order_by("start")] == [rows[number].pk for number in left]


@pytest.mark.rule("R14")
def test_deleting_asks_for_how_many(anna, client_of_anna):
    row = make_series(anna)[0]
    for html in (client_of_anna.get(address(row, "delete/")).content.decode(), html_of(client_of_anna, row)):
        assert re.findall(r'name="scope" value="(\w+)" id="delete-scope-\w+" form="delete-form"( checked)?', html) == [
            ("this", " checked"), ("following", ""), ("all", ""),
        ]  # fmt: skip
        assert "repeats: Every week on Monday, 4 times" in html
    single = make_activity(by=anna)
    assert 'name="scope"' not in html_of(client_of_anna, single)


@pytest.mark.parametrize(
    ("sent_scope", "answers"),
    [({}, ["needs_action", "accepted", "needs_action", "needs_action"]), ({"answer_scope": "all"}, ["accepted"] * 4)],
)
def test_an_answer_is_for_this_one_or_all(anna, boris, client_of_anna, sent_scope, answers):
    rows = make_series(boris, participants=[anna])
    client_of_anna.post(address(rows[1], "answer/"), {"response": "accepted", **sent_scope})
    people = Participant.objects.filter(profile=anna, activity__is_series=False).order_by("activity__start")
    assert [person.response for person in people] == answers


@pytest.mark.parametrize(("scope", "count"), [("this", 1), ("following", 3), ("all", 4)])
def test_participants_come_and_go_for_as_many_as_one_says(anna, boris, client_of_anna, scope, count):
    rows = make_series(anna)
    theirs = Participant.objects.filter(profile=boris, activity__is_series=False)
    client_of_anna.post(address(rows[1], "participants/add/"), {"profile": boris.pk, "scope": scope})
    assert theirs.count() == count
    client_of_anna.post(address(rows[1], f"participants/{boris.pk}/remove/"), {"scope": scope})
    assert theirs.count() == 0


# --- What the pages say ---------------------------------------------------------------------------------------------


def test_the_page_says_how_it_repeats_and_which_one_it_is(anna, client_of_anna):
    rows = make_series(anna)
    html = html_of(client_of_anna, rows[2])
    assert "<strong>Every week on Monday, 4 times</strong>" in html
    assert "Occurrence 3 of 4" in html
    endless = html_of(client_of_anna, make_series(anna, "RRULE:FREQ=DAILY")[0])
    assert "Occurrence 1<" in endless


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("RRULE:FREQ=MONTHLY;BYMONTHDAY=9,20", "Repeats by its own rule: Every month on days 9 and 20. It is kept"),
        (OWN, "Repeats by its own rule, which is kept as it is in Google."),
    ],
)
def test_a_rule_the_form_cannot_show_is_kept_and_said_in_words(anna, client_of_anna, rule, words):
    rows = make_series(anna, rule)
    html = html_of(client_of_anna, rows[0])
    assert '<option value="own" selected>By its own rule</option>' in html
    assert words in html

    assert save(client_of_anna, rows[0], subject="Retro", scope="all").status_code == 302
    assert rule_of(rows[0]) == [rule]
    assert save(client_of_anna, rows[0], repeat="daily", ends="after", count="2", scope="all").status_code == 302
    assert rule_of(rows[0]) == ["RRULE:FREQ=DAILY;COUNT=2"]


def test_what_repeats_says_so_in_list_and_calendar(anna, client_of_anna):
    make_series(anna, show_in_calendar=True)
    listed = client_of_anna.get("/activities/?view=list&date=2026-03-09").content.decode()
    assert '<span class="unseen">, repeats</span>' in listed
    week = client_of_anna.get("/activities/?view=calendar&date=2026-03-09").content.decode()
    assert '<span class="unseen">Repeats. </span>' in week


def test_all_occurrences_are_a_list(anna, boris, client_of_anna):
    rows = make_series(boris)
    make_activity(by=boris, subject="Something else")
    html = html_of(client_of_anna, rows[0])
    (link,) = re.findall(r'href="([^"]+)">All occurrences<', html)
    page = client_of_anna.get(link.replace("&amp;", "&"))
    assert [row.pk for row in page.context["activities"]] == [row.pk for row in rows]
    assert "Show other activities as well" in page.content.decode()
    assert all(f"series={rows[0].series_id}" in each["address"] for each in page.context["views"])


@pytest.mark.rule("R8")
def test_the_list_of_a_series_shows_nobody_elses_private_ones(anna, boris, client_of_anna):
    rows = make_series(boris, is_private=True)
    page = client_of_anna.get(f"/activities/?view=list&period=any&employee=all&series={rows[0].series_id}")
    assert page.context["activities"] == []
    assert "Stand-up" not in page.content.decode()


def test_the_place_of_an_occurrence_whose_rule_cannot_be_read_is_unknown(anna):
    row = make_series(anna)[0]
    row.series.recurrence = ["RRULE:FREQ=NEVER"]
    row.series.save()
    assert selectors.place_in_series(row) == selectors.PlaceInSeries("Repeats by its own rule", None, None)
    assert forms.initial_of(row)["repeat"] == "own"


def test_who_counts_far_is_not_told_a_number(anna):
    head = series.create(
        by=anna, subject="Stand-up", lines=["RRULE:FREQ=DAILY"], now=MONDAY_NINE,
        start=datetime(2000, 1, 1, 9, tzinfo=UTC), due=datetime(2000, 1, 1, 10, tzinfo=UTC),
    )  # fmt: skip
    place = selectors.place_in_series(Activity.objects.filter(series=head.series).latest("start"))
    assert place == selectors.PlaceInSeries("Every day", None, None)


def test_the_feed_says_how_it_repeats_and_what_was_for_all(anna, client_of_anna):
    activity = make_activity(by=anna)
    save(client_of_anna, activity, repeat="weekly")
    save(client_of_anna, activity, every="2", scope="all")
    save(client_of_anna, activity, location="Room 4", scope="all")
    save(client_of_anna, activity, repeat="")
    html = html_of(client_of_anna, activity)
    for words in (
        "let it repeat: Every week on Monday",
        "changed how it repeats from “Every week on Monday” to “Every 2 weeks on Monday”",
        "set Location to “Room 4”",
        "let it repeat no more",
    ):
        assert words in html


def test_the_feed_marks_what_was_for_all(anna, client_of_anna):
    rows = make_series(anna)
    save(client_of_anna, rows[0], location="Room 4", scope="all")
    assert "set Location to “Room 4”, for all" in html_of(client_of_anna, rows[2])


# --- The page of a series -------------------------------------------------------------------------------------------


def test_the_id_of_a_head_leads_to_the_occurrence_to_show(anna, client_of_anna):
    rows = make_series(anna)
    response = client_of_anna.get(f"/activities/{rows[0].series.head.pk}/")
    assert response["Location"] == address(rows[-1])  # All are over: the latest.


@pytest.mark.rule("R8")
def test_the_id_of_a_head_leads_nowhere_for_who_may_not_see_it(boris, client_of_anna):
    head = make_series(boris, is_private=True)[0].series.head
    for part in ("", "delete/"):
        assert client_of_anna.get(f"/activities/{head.pk}/{part}").status_code == 404
    assert client_of_anna.post(f"/activities/{head.pk}/", {"subject": "x"}).status_code == 404


def test_the_id_of_a_head_without_an_occurrence_leads_nowhere(anna, client_of_anna):
    rows = make_series(anna)
    head = rows[0].series.head
    for row in rows:
        services.delete(activity=row, by=anna, now=MONDAY_NINE)
    assert client_of_anna.get(f"/activities/{head.pk}/").status_code == 404


def test_a_page_of_an_occurrence_needs_few_queries(anna, boris, client_of_anna, django_assert_max_num_queries):
    rows = make_series(anna, participants=[boris])
    services.add_tag(activity=rows[0], tag=make_tag(owner=anna), by=anna)
    with django_assert_max_num_queries(32):
        html_of(client_of_anna, rows[0])
