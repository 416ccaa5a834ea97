"""The calendar's feed, and moving by dragging: ranges, zones and nights of the clocks, rights, series, statements."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Profile
from activities import series
from activities.models import Activity, FieldChange, Participant, Tag
from tests.factories import MONDAY_NINE, make_activity, make_tag, make_user

pytestmark = pytest.mark.django_db

WEDNESDAY = datetime.fromisoformat("2026-03-11T10:40:00+00:00")
WEEK = "start=2026-03-09&end=2026-03-16"
SHOWN = {"show_in_calendar": True}


@pytest.fixture(autouse=True)
def _it_is_wednesday():
    with time_machine.travel(WEDNESDAY, tick=False):
        yield


@pytest.fixture
def maja() -> Profile:
    """Somebody in Stockholm: clocks go forward on 29 March and back on 25 October 2026."""
    return make_user("maja", time_zone="Europe/Stockholm").profile


def signed_in(profile: Profile) -> Client:
    client = Client()
    client.force_login(profile.user)
    return client


def feed(client: Client, query: str = WEEK) -> list[dict[str, Any]]:
    response = client.get(f"/activities/calendar/entries/?view=calendar&{query}")
    assert response.status_code == 200, response.content
    return response.json()["entries"]


def titles(client: Client, query: str = WEEK) -> list[str]:
    return [entry["title"] for entry in feed(client, query)]


def move(client: Client, activity: Activity, **values: str) -> Any:
    """Drag what the feed shows; returns the response."""
    when = "/".join(at.isoformat() for at in (activity.start, activity.due))
    if activity.all_day:
        when = f"{activity.start_date}/{activity.due_date}"
    return client.post(f"/activities/{activity.pk}/move/", {"seen": when, **values})


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# --- The feed: which range -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "no day"),
        ("start=2026-03-09", "no day"),
        ("start=2026-03-09&end=nonsense", "no day"),
        ("start=2026-03-09&end=0001-01-01", "no day"),
        ("start=2026-03-09&end=9999-12-31", "no day"),
        ("start=2026-03-09&end=2026-03-09", "after its start"),
        ("start=2026-03-16&end=2026-03-09", "after its start"),
        ("start=2026-03-09&end=2026-05-11", "At most 62 days"),
        ("start=%00&end=2026-03-16", "no day"),
    ],
)
def test_a_range_that_makes_no_sense_is_refused_with_words(client_of_anna, query, words):
    response = client_of_anna.get(f"/activities/calendar/entries/?view=calendar&{query}")
    assert response.status_code == 400
    assert words in response.json()["error"]


def test_only_the_range_is_answered(anna, client_of_anna):
    for subject, day in {"before": 8, "first": 9, "last": 15, "after": 16}.items():
        make_activity(by=anna, subject=subject, start=utc(f"2026-03-{day:02}T12:00"), **SHOWN)
    assert titles(client_of_anna) == ["first", "last"]
    assert titles(client_of_anna, "start=2026-03-08&end=2026-03-09") == ["before"]
    assert len(titles(client_of_anna, "start=2026-02-01&end=2026-04-04")) == 4


def test_who_is_not_signed_in_gets_nothing(client):
    assert client.get(f"/activities/calendar/entries/?{WEEK}").status_code == 302


def test_the_filters_of_the_section_count(anna, boris, client_of_anna):
    tag = make_tag(kind=Tag.Kind.PUBLIC)
    make_activity(by=anna, subject="Mine", tags=[tag], location="Lund", **SHOWN)
    make_activity(by=boris, subject="Of Boris", **SHOWN)
    make_activity(by=anna, subject="Off", status="canceled", **SHOWN)
    make_activity(by=anna, subject="Not in the calendar")
    make_activity(by=anna, subject="Mail", kind=Activity.Kind.EMAIL, **SHOWN)

    assert titles(client_of_anna) == ["Mine"]
    assert titles(client_of_anna, f"{WEEK}&employee=all") == ["Mine", "Of Boris"]
    assert titles(client_of_anna, f"{WEEK}&employee={boris.pk}") == ["Of Boris"]
    assert titles(client_of_anna, f"{WEEK}&employee=all&tag={tag.pk}") == ["Mine"]
    assert titles(client_of_anna, f"{WEEK}&employee=all&search=lund") == ["Mine"]
    assert titles(client_of_anna, f"{WEEK}&show_canceled=1") == ["Mine", "Off"]


# --- The feed: what it says ------------------------------------------------------------------------------------------


def test_times_are_those_of_ones_own_clock_and_so_is_now(maja):
    make_activity(by=maja, start=utc("2026-03-10T23:30"), **SHOWN)
    client = signed_in(maja)
    response = client.get(f"/activities/calendar/entries/?view=calendar&{WEEK}").json()
    (entry,) = response["entries"]

    assert response["now"] == "2026-03-11T11:40:00"
    assert (entry["start"], entry["end"]) == ("2026-03-11T00:30:00", "2026-03-11T01:30:00")
    assert entry["times"] == "00:30 – 01:30"
    assert entry["elsewhere"] == ""
    assert titles(client, "start=2026-03-11&end=2026-03-12") == ["Quarterly review"]
    assert titles(client, "start=2026-03-10&end=2026-03-11") == []


def test_another_zone_says_its_own_times(maja):
    make_activity(by=maja, time_zone="America/New_York", start=utc("2026-03-11T13:00"), **SHOWN)
    (entry,) = feed(signed_in(maja))
    assert entry["start"] == "2026-03-11T14:00:00"
    assert entry["elsewhere"] == "09:00 – 10:00 in New York."
    assert entry["elsewhere"] in entry["label"]


@pytest.mark.rule("R16")
def test_what_takes_days_stands_on_the_strip(maja):
    make_activity(by=maja, subject="Fair", days=(date(2026, 3, 10), date(2026, 3, 12)), **SHOWN)
    night = {"start": utc("2026-03-10T22:30"), "due": utc("2026-03-12T06:00")}
    make_activity(by=maja, subject="Night train", **night, **SHOWN)
    train, fair = sorted(feed(signed_in(maja)), key=lambda entry: entry["title"], reverse=True)

    assert [fair[name] for name in ("start", "end", "allDay")] == ["2026-03-10", "2026-03-13", True]
    assert "is_timed" not in fair
    assert [train[name] for name in ("start", "end", "allDay")] == ["2026-03-10", "2026-03-13", True]
    assert (train["is_timed"], train["starts"], train["length"]) == (True, "2026-03-10T23:30:00", 31 * 60 + 30)


def test_in_the_night_with_two_hours_too_many_nothing_ends_before_it_starts(maja):
    make_activity(by=maja, start=utc("2026-10-25T00:45"), due=utc("2026-10-25T01:15"), **SHOWN)
    (entry,) = feed(signed_in(maja), "start=2026-10-25&end=2026-10-26")
    assert (entry["start"], entry["end"]) == ("2026-10-25T02:45:00", "2026-10-25T03:15:00")
    assert entry["times"] == "02:45 – 02:15"


def test_an_entry_says_what_it_is(anna, boris, client_of_anna):
    guests = [{"name": "Ida", "email": "ida@x.example", "response": "accepted"}]
    head = series.create(
        by=boris, subject="Stand-up", lines=["RRULE:FREQ=DAILY;COUNT=2"], start=MONDAY_NINE, participants=[anna],
        due=MONDAY_NINE + timedelta(hours=1), now=WEDNESDAY, other_guests=guests, location="Room 4", **SHOWN,
    )  # fmt: skip
    Activity.objects.filter(series=head.series).update(other_guests=guests)
    Participant.objects.filter(activity__series=head.series, profile=anna).update(response="tentative")
    make_activity(by=anna, subject="Done", status="completed", start=MONDAY_NINE + timedelta(days=3), **SHOWN)
    make_activity(by=anna, subject="Free", start=MONDAY_NINE + timedelta(days=4), show_as_free=True, **SHOWN)
    standup, _second, done, free = feed(client_of_anna)

    assert (standup["tone"], standup["answer"], standup["place"]) == ("late", "tentative", "Room 4")
    assert standup["marks"] == {"google": False, "repeats": True, "guests": True}
    for words in ("Stand-up, Mon 9 Mar", "Overdue.", "You answered maybe.", "Repeats.", "Has other guests."):
        assert words in standup["label"]
    assert (done["tone"], free["tone"], free["is_free"]) == ("final", "open", True)


@pytest.mark.rule("R8")
def test_a_colleagues_secrets_are_busy_and_nothing_else(anna, boris, client_of_anna):
    secret = {"location": "Notary", "notes": "Hush", **SHOWN}
    private = make_activity(by=boris, subject="Merger", is_private=True, **secret)
    make_activity(by=boris, subject="Merger", made_in_google=True, start=MONDAY_NINE + timedelta(hours=5), **secret)
    days = (date(2026, 3, 12), date(2026, 3, 13))
    make_activity(by=boris, subject="Merger", is_private=True, days=days, **secret)
    make_activity(by=boris, subject="Merger", is_private=True, **{**secret, "show_as_free": True})

    assert feed(client_of_anna) == []
    query = f"{WEEK}&employee={anna.pk}&employee={boris.pk}"
    found = feed(client_of_anna, query)
    assert [(one["title"], one["place"], one["editable"], one["allDay"]) for one in found] == [
        ("Busy", "Boris", False, False),
        ("Busy", "Boris", False, False),
        ("Busy", "Boris", False, True),
    ]
    assert all(set(one) <= BUSY_TELLS for one in found)
    text = client_of_anna.get(f"/activities/calendar/entries/?view=calendar&{query}").content.decode()
    for word in ("Merger", "Notary", "Hush", f'"{private.pk}"'):
        assert word not in text
    assert feed(client_of_anna, f"{query}&search=merger") == []


BUSY_TELLS = {
    "id", "title", "start", "end", "allDay", "length", "editable", "is_busy", "tone", "times", "place",
}  # fmt: skip


def test_many_entries_need_no_more_statements(anna, boris, client_of_anna):
    tag = make_tag(owner=anna)

    def statements() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            feed(client_of_anna, f"{WEEK}&employee={anna.pk}&employee={boris.pk}")
        return len(queries)

    for number in range(30):
        by, other = (anna, boris) if number % 2 else (boris, anna)
        start = MONDAY_NINE + timedelta(hours=number)
        make_activity(by=by, participants=[other], tags=[tag], start=start, **SHOWN)
        make_activity(by=boris, is_private=True, start=start, **SHOWN)
        if number == 1:
            few = statements()
    assert len(feed(client_of_anna, f"{WEEK}&employee={anna.pk}&employee={boris.pk}")) == 60
    assert statements() == few <= 10


# --- Dragging --------------------------------------------------------------------------------------------------------


def test_moving_and_taking_it_back(maja):
    activity = make_activity(by=maja, start=utc("2026-03-10T09:00"), **SHOWN)
    client = signed_in(maja)

    answer = move(client, activity, start="2026-03-12T15:30:00", due="2026-03-12T16:30:00").json()
    activity.refresh_from_db()
    assert (activity.start, activity.due) == (utc("2026-03-12T14:30"), utc("2026-03-12T15:30"))
    assert answer["said"] == "“Quarterly review” now takes place Thu 12 Mar 2026, 15:30 – 16:30."
    assert FieldChange.objects.filter(activity=activity, field="when", by=maja).count() == 1

    client.post(f"/activities/{activity.pk}/move/", answer["undo"])
    activity.refresh_from_db()
    assert (activity.start, activity.due) == (utc("2026-03-10T09:00"), utc("2026-03-10T10:00"))


def test_resizing_leaves_the_start(anna, client_of_anna):
    activity = make_activity(by=anna, start=MONDAY_NINE.replace(second=20), **SHOWN)
    move(client_of_anna, activity, start="2026-03-09T09:00:20", due="2026-03-09T11:30:00")
    activity.refresh_from_db()
    assert (activity.start, activity.due) == (MONDAY_NINE.replace(second=20), utc("2026-03-09T11:30"))


@pytest.mark.rule("R16")
def test_onto_the_strip_and_back(anna, client_of_anna):
    activity = make_activity(by=anna, **SHOWN)
    answer = move(client_of_anna, activity, first="2026-03-11", last="2026-03-12").json()
    activity.refresh_from_db()
    assert (activity.all_day, activity.start_date, activity.due_date) == (True, date(2026, 3, 11), date(2026, 3, 12))
    assert "Wed 11 Mar 2026 – Thu 12 Mar 2026" in answer["said"]

    client_of_anna.post(f"/activities/{activity.pk}/move/", answer["undo"])
    activity.refresh_from_db()
    assert (activity.all_day, activity.start) == (False, MONDAY_NINE)


def test_the_zone_an_activity_is_kept_in_stays(maja):
    activity = make_activity(by=maja, time_zone="America/New_York", start=utc("2026-03-11T13:00"), **SHOWN)
    move(signed_in(maja), activity, start="2026-03-11T16:00:00", due="2026-03-11T17:00:00")
    activity.refresh_from_db()
    assert (activity.start, activity.time_zone) == (utc("2026-03-11T15:00"), "America/New_York")


def test_an_hour_that_a_night_does_not_have_is_refused(maja):
    activity = make_activity(by=maja, start=utc("2026-03-28T09:00"), **SHOWN)
    response = move(signed_in(maja), activity, start="2026-03-29T02:30:00", due="2026-03-29T03:30:00")
    assert response.status_code == 422
    assert "there is no 02:30" in response.json()["error"]
    activity.refresh_from_db()
    assert activity.start == utc("2026-03-28T09:00")


def test_in_the_night_with_an_hour_twice_a_start_that_stays_stays_in_its_own(maja):
    activity = make_activity(by=maja, start=utc("2026-10-25T01:30"), due=utc("2026-10-25T02:30"), **SHOWN)
    answer = move(signed_in(maja), activity, start="2026-10-25T02:30:00", due="2026-10-25T02:45:00")
    assert answer.status_code == 200
    activity.refresh_from_db()
    assert (activity.start, activity.due) == (utc("2026-10-25T01:30"), utc("2026-10-25T01:45"))


@pytest.mark.parametrize(
    ("values", "status", "words"),
    [
        pytest.param({}, 400, "no time", id="nothing"),
        pytest.param({"start": "2026-03-09", "due": "2026-03-10"}, 400, "clock on the wall", id="days-as-times"),
        pytest.param({"start": "2026-03-09T10:00Z", "due": "2026-03-09T11:00Z"}, 400, "clock on", id="a-zone"),
        pytest.param({"start": "2026-03-09T11:00", "due": "2026-03-09T10:00"}, 422, "earlier", id="backwards"),
        pytest.param({"first": "2026-03-11", "last": "2026-03-10"}, 422, "earlier", id="days-backwards"),
        pytest.param({"first": "soon"}, 400, "no day", id="no-day"),
        pytest.param({"back_to": "yesterday"}, 400, "no time", id="no-token"),
        pytest.param({"back_to": "2026-03-09T09:00/2026-03-09T10:00"}, 400, "no time", id="token-without-zone"),
        pytest.param({"start": "1026-03-09T10:00", "due": "1026-03-09T11:00"}, 422, "years", id="year-1026"),
        pytest.param({"first": "2026-03-10", "scope": "some"}, 400, "all", id="scope"),
    ],
)
def test_what_cannot_be_is_refused_with_words(anna, client_of_anna, values, status, words):
    activity = make_activity(by=anna, **SHOWN)
    response = move(client_of_anna, activity, **values)
    assert response.status_code == status
    assert words in response.json()["error"]
    activity.refresh_from_db()
    assert activity.start == MONDAY_NINE


@pytest.mark.rule("R6")
def test_what_is_the_organizers_stays_and_the_answer_says_why(boris, client_of_anna, closed_to_anna):
    activity = make_activity(by=boris, **SHOWN)
    response = move(client_of_anna, activity, start="2026-03-10T09:00:00", due="2026-03-10T10:00:00")
    assert (response.status_code, response.json()["error"]) == (422, closed_to_anna)
    activity.refresh_from_db()
    assert activity.start == MONDAY_NINE


@pytest.mark.rule("R8")
def test_what_one_may_not_see_cannot_be_moved_or_looked_at(boris, client_of_anna):
    activity = make_activity(by=boris, is_private=True, **SHOWN)
    assert move(client_of_anna, activity, first="2026-03-11").status_code == 404
    for part in ("mini", "mini/edit"):
        assert client_of_anna.get(f"/activities/{activity.pk}/{part}/").status_code == 404
    assert client_of_anna.post(f"/activities/{activity.pk}/status/", {"status": "completed"}).status_code == 404


def test_what_somebody_has_moved_meanwhile_is_not_moved_again(anna, client_of_anna):
    activity = make_activity(by=anna, **SHOWN)
    Activity.objects.filter(pk=activity.pk).update(start=activity.start - timedelta(hours=1))
    response = move(client_of_anna, activity, start="2026-03-10T09:00:00", due="2026-03-10T10:00:00")
    assert response.status_code == 409
    assert "meanwhile" in response.json()["error"]


@pytest.fixture
def standups(anna) -> list[Activity]:
    """Every day of the week from Monday, at nine."""
    head = series.create(
        by=anna, subject="Stand-up", lines=["RRULE:FREQ=DAILY;COUNT=5"], now=WEDNESDAY, start=MONDAY_NINE,
        due=MONDAY_NINE + timedelta(minutes=30), **SHOWN,
    )  # fmt: skip
    return list(Activity.objects.filter(series=head.series).order_by("start"))


@pytest.mark.rule("R15")
@pytest.mark.parametrize(
    ("scope", "hours"),
    [("this", [9, 9, 11, 9, 9]), ("following", [9, 9, 11, 11, 11]), ("all", [11, 11, 11, 11, 11])],
)
def test_a_repeating_one_is_moved_alone_with_the_following_or_all(client_of_anna, standups, scope, hours):
    def shown() -> list[int]:
        return [start.hour for start in Activity.objects.order_by("start").values_list("start", flat=True)]

    third = standups[2]
    answer = move(client_of_anna, third, scope=scope, start="2026-03-11T11:00:00", due="2026-03-11T11:30:00").json()
    assert shown() == hours

    back = client_of_anna.post(f"/activities/{third.pk}/move/", answer["undo"])
    assert back.status_code == 200, back.content
    assert shown() == [9, 9, 9, 9, 9]


# --- The mini page ---------------------------------------------------------------------------------------------------


def test_the_mini_page_says_what_it_is(anna, boris, client_of_anna):
    tag = make_tag("Key account", owner=anna)
    activity = make_activity(
        by=boris, participants=[anna], tags=[tag], category="meeting", location="Room 4", time_zone="Asia/Tokyo",
        other_guests=[{"name": "Ida", "email": "ida@x.example"}],
    )  # fmt: skip
    html = client_of_anna.get(f"/activities/{activity.pk}/mini/").content.decode()
    for words in ("Quarterly review", "Mon 9 Mar, 09:00", "Meeting", "Boris", "Room 4", "Key account", "18:00 – 19:00"):
        assert words in html
    assert "Complete activity" in html
    assert "Cancel activity" in html


@pytest.mark.parametrize(("status", "label"), [("completed", "Completed"), ("canceled", "Canceled")])
def test_completing_and_canceling_take_a_result(anna, client_of_anna, status, label):
    activity = make_activity(by=anna)
    said = client_of_anna.post(
        f"/activities/{activity.pk}/status/", {"status": status, "result": "Sold", "result_details": "Twice"}
    ).json()["said"]
    activity.refresh_from_db()
    assert (activity.status, activity.result, activity.result_details) == (status, "Sold", "Twice")
    assert label in said

    client_of_anna.post(f"/activities/{activity.pk}/status/", {"status": "not_started"})
    activity.refresh_from_db()
    assert (activity.status, activity.result) == ("not_started", "")


@pytest.mark.parametrize(
    ("values", "status", "words"),
    [({"status": "lost"}, 400, "Choose"), ({"status": "completed", "result": "x" * 201}, 422, "too long")],
)
def test_a_status_that_cannot_be_is_refused_and_nothing_typed_is_lost(anna, client_of_anna, values, status, words):
    activity = make_activity(by=anna)
    response = client_of_anna.post(f"/activities/{activity.pk}/status/", {**values, "result_details": "Typed"})
    assert response.status_code == status
    assert words in response.content.decode()
    assert status == 400 or "Typed" in response.content.decode()
    activity.refresh_from_db()
    assert activity.status == "not_started"


FORM = {
    "subject": "Lunch", "category": "to_do", "status": "not_started", "start": "2026-03-12T12:00",
    "due": "2026-03-12T13:00", "start_date": "2026-03-12", "due_date": "2026-03-12",
}  # fmt: skip


def test_a_new_one_from_a_range_shows_in_the_calendar(maja):
    client = signed_in(maja)
    html = client.get("/activities/calendar/new/?start=2026-03-12T12:00:00&due=2026-03-12T13:00:00").content.decode()
    assert 'value="2026-03-12T12:00"' in html

    answer = client.post("/activities/calendar/new/", {**FORM, "owner": maja.pk}).json()
    activity = Activity.objects.get()
    assert (activity.subject, activity.start, activity.show_in_calendar) == ("Lunch", utc("2026-03-12T11:00"), True)
    assert (activity.owner, activity.time_zone) == (maja, "Europe/Stockholm")
    assert answer["address"] == f"/activities/{activity.pk}/"
    assert titles(client) == ["Lunch"]


def test_a_new_one_of_days(anna, client_of_anna):
    html = client_of_anna.get("/activities/calendar/new/?first=2026-03-12&last=2026-03-13").content.decode()
    assert 'value="2026-03-13"' in html
    values = {**FORM, "owner": anna.pk, "all_day": "on", "due_date": "2026-03-13"}
    assert client_of_anna.post("/activities/calendar/new/", values).status_code == 200
    assert Activity.objects.get().due_date == date(2026, 3, 13)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"subject": ""}, "Enter a subject."),
        ({"start": ""}, "Enter when it starts."),
        ({"due": "2026-03-12T11:00"}, "cannot be earlier"),
        ({"start": "2026-03-29T02:30", "due": "2026-03-29T04:00"}, "there is no 02:30"),
        ({"all_day": "on", "start_date": ""}, "Enter the first day."),
        ({"all_day": "on", "due_date": "2026-03-01"}, "cannot be earlier"),
    ],
)
def test_bad_input_is_shown_again_with_what_is_wrong(maja, values, words):
    response = signed_in(maja).post("/activities/calendar/new/", {**FORM, "owner": maja.pk, **values})
    assert response.status_code == 422
    assert words in response.content.decode()
    assert not Activity.objects.exists()


@pytest.mark.parametrize("query", ["start=nonsense", "start=2026-03-12T12:00&due=2026-03-01T12:00", "first=x", ""])
def test_a_new_one_from_nonsense_begins_anyway(client_of_anna, query):
    assert client_of_anna.get(f"/activities/calendar/new/?{query}").status_code == 200


def test_editing_changes_what_was_changed_and_asks_about_what_somebody_else_did(anna, boris, client_of_anna):
    activity = make_activity(by=anna, participants=[boris])
    form = client_of_anna.get(f"/activities/{activity.pk}/mini/edit/").context["form"]
    opened = {f"initial-{name}": form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    opened |= {"initial-start": "2026-03-09T09:00", "initial-due": "2026-03-09T10:00", "initial-all_day": "False"}
    values = {
        **opened, "subject": "Review", "category": "to_do", "status": "not_started", "owner": anna.pk,
        "start": "2026-03-09T09:00", "due": "2026-03-09T10:00", "start_date": "2026-03-09", "due_date": "2026-03-09",
    }  # fmt: skip
    Activity.objects.filter(pk=activity.pk).update(location="Room 4")
    assert client_of_anna.post(f"/activities/{activity.pk}/mini/edit/", values).json()["said"] == "Saved."
    activity.refresh_from_db()
    assert (activity.subject, activity.location) == ("Review", "Room 4")

    values["subject"] = "Mine"
    response = client_of_anna.post(f"/activities/{activity.pk}/mini/edit/", values)
    assert response.status_code == 422
    assert "Changed meanwhile" in response.content.decode()
    values |= {"initial-subject": "Review", "asked": "subject", "settle-subject": "mine"}  # As the page has it now.
    assert client_of_anna.post(f"/activities/{activity.pk}/mini/edit/", values).status_code == 200
    activity.refresh_from_db()
    assert activity.subject == "Mine"


@pytest.mark.rule("R6")
def test_what_one_may_not_change_is_closed_with_the_reason(boris, client_of_anna, closed_to_anna):
    activity = make_activity(by=boris)
    html = client_of_anna.get(f"/activities/{activity.pk}/mini/edit/").content.decode()
    assert closed_to_anna in html
    assert html.count("disabled") >= 6
    assert 'value="canceled"' not in html


# --- The time scale --------------------------------------------------------------------------------------------------


def test_the_time_scale_is_kept(anna, client_of_anna):
    response = client_of_anna.post("/activities/calendar/time-scale/", {"time_scale": "15", "next": "/activities/?x=1"})
    assert response["Location"] == "/activities/?x=1"
    anna.refresh_from_db()
    assert anna.time_scale == 15

    response = client_of_anna.post("/activities/calendar/time-scale/", {"time_scale": "7", "next": "//x.example/"})
    assert response["Location"] == "/activities/"
    anna.refresh_from_db()
    assert anna.time_scale == 15
    assert "Choose 5, 10" in client_of_anna.get("/activities/").content.decode()

    client_of_anna.post("/profile/settings/", {"theme": "dark", "time_scale": "60"})
    anna.refresh_from_db()
    assert anna.time_scale == 60
