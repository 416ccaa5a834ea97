"""Repeating events: occurrences, exceptions, deltas, splits."""

from __future__ import annotations

import pytest

from google_emulator import recurrence

from .conftest import ANNA, BORIS, CLARA
from .helpers import Delta, all_day, delete, everything, get, guests, insert, page, patch, put, refused, timed

WEEKLY = ["RRULE:FREQ=WEEKLY;COUNT=4"]


@pytest.fixture
def series(google, anna):
    """Mondays at ten in Berlin, from 4 to 25 May."""
    return insert(anna, timed("Weekly", recurrence=WEEKLY))


def instances(events, series, **arguments):
    return events.instances(calendarId="primary", eventId=series["id"], **arguments).execute()["items"]


def starts(rows):
    return [row["start"].get("dateTime") or row["start"]["date"] for row in rows]


def instance_id(series, day):
    return f"{series['id']}_202605{day:02d}T080000Z"


# Expansion


def test_a_series_is_listed_as_one_or_expanded(google, anna, series):
    [master] = page(anna)["items"]
    assert master["recurrence"] == WEEKLY

    rows = page(anna, singleEvents=True)["items"]

    assert [row["id"] for row in rows] == [instance_id(series, day) for day in (4, 11, 18, 25)]
    assert all(row["recurringEventId"] == series["id"] and "recurrence" not in row for row in rows)
    assert rows[1]["originalStartTime"] == rows[1]["start"]
    assert [row["id"] for row in instances(anna, series)] == [row["id"] for row in rows]


@pytest.mark.checklist(21)
def test_the_clock_on_the_wall_stays_over_daylight_saving_time(google, anna):
    series = insert(
        anna, timed(start="2026-10-19T10:00:00", end="2026-10-19T11:00:00", recurrence=["RRULE:FREQ=WEEKLY;COUNT=2"])
    )
    rows = instances(anna, series)
    assert starts(rows) == ["2026-10-19T10:00:00+02:00", "2026-10-26T10:00:00+01:00"]
    assert [row["id"].rpartition("_")[2] for row in rows] == ["20261019T080000Z", "20261026T090000Z"]
    assert rows[1]["end"]["dateTime"] == "2026-10-26T11:00:00+01:00"


@pytest.mark.checklist(21)
def test_an_all_day_series_has_days_in_its_ids(google, anna):
    series = insert(anna, all_day(first="2026-05-04", after="2026-05-06", recurrence=["RRULE:FREQ=MONTHLY;COUNT=2"]))
    rows = instances(anna, series)
    assert [row["id"] for row in rows] == [f"{series['id']}_20260504", f"{series['id']}_20260604"]
    assert rows[1]["end"] == {"date": "2026-06-06"}


@pytest.mark.checklist(21)
@pytest.mark.parametrize(
    ("lines", "days"),
    [
        (["RRULE:FREQ=DAILY;UNTIL=20260506T080000Z"], [4, 5, 6]),
        (["RRULE:FREQ=DAILY;UNTIL=20260506T075959Z"], [4, 5]),
        (["RRULE:FREQ=DAILY;UNTIL=20260506"], [4, 5, 6]),
        (["RRULE:FREQ=DAILY;COUNT=4", "EXDATE;TZID=Europe/Berlin:20260505T100000"], [4, 6, 7]),
        (["EXDATE:20260505T080000Z,20260506T080000Z", "RRULE:FREQ=DAILY;COUNT=4"], [4, 7]),
        (["RRULE:FREQ=DAILY;COUNT=4", "EXDATE;VALUE=DATE:20260505"], [4, 6, 7]),
        (["RDATE;TZID=Europe/Berlin:20260507T100000", "RRULE:FREQ=DAILY;COUNT=2"], [4, 5, 7]),
        (["RDATE:20260507T080000Z"], [4, 7]),
        (["RRULE:FREQ=WEEKLY;BYDAY=TU,TH;COUNT=3"], [4, 5, 7, 12]),
        (["RRULE:FREQ=DAILY;COUNT=5", "EXRULE:FREQ=DAILY;INTERVAL=2;COUNT=3"], [5, 7]),
    ],
    ids=str,
)
def test_rules(google, anna, lines, days):
    series = insert(anna, timed(recurrence=lines))
    assert [row["id"] for row in instances(anna, series)] == [instance_id(series, day) for day in days]


@pytest.mark.checklist(21)
def test_an_all_day_rule_with_dates(google, anna):
    lines = ["RRULE:FREQ=DAILY;UNTIL=20260507", "EXDATE;VALUE=DATE:20260505"]
    series = insert(anna, all_day(recurrence=lines))
    assert starts(instances(anna, series)) == ["2026-05-04", "2026-05-06", "2026-05-07"]


def test_an_endless_series_is_expanded_so_far_and_no_farther(google, anna):
    insert(anna, timed(recurrence=["RRULE:FREQ=DAILY"]))
    assert len(page(anna, singleEvents=True, maxResults=2500)["items"]) == recurrence.ENDLESS_LIMIT
    [row] = page(anna, timeMin="2029-05-05T12:00:00Z", timeMax="2029-05-06T12:00:00Z", singleEvents=True)["items"]
    assert row["start"]["dateTime"] == "2029-05-06T10:00:00+02:00"


@pytest.mark.parametrize(
    ("window", "found"),
    [
        ({"timeMin": "2026-05-25T08:30:00Z"}, 1),
        ({"timeMin": "2026-05-25T09:00:00Z"}, 0),
        ({"timeMax": "2026-05-04T08:00:00Z"}, 0),
    ],
    ids=str,
)
def test_a_series_is_listed_while_it_lasts(google, anna, series, window, found):
    assert len(page(anna, **window)["items"]) == found


def test_a_series_without_an_occurrence_in_the_window_is_not_listed(google, anna, series):
    between = {"timeMin": "2026-05-12T00:00:00Z", "timeMax": "2026-05-15T00:00:00Z"}
    assert page(anna, **between)["items"] == []
    moved = patch(anna, instance_id(series, 18), timed(start="2026-05-13T10:00:00", end="2026-05-13T11:00:00"))
    assert {row["id"] for row in page(anna, **between)["items"]} == {series["id"], moved["id"]}
    delete(anna, instance_id(series, 11))
    around = {"timeMin": "2026-05-10T00:00:00Z", "timeMax": "2026-05-12T00:00:00Z"}
    assert [row["status"] for row in page(anna, **around)["items"]] == ["cancelled"]


def test_deleted_occurrences_are_listed_on_demand_deleted_series_never_as_occurrences(google, anna, series):
    delete(anna, instance_id(series, 11))
    expanded = {"singleEvents": True, "showDeleted": True}
    assert [row["status"] for row in page(anna, **expanded)["items"]].count("cancelled") == 1
    delete(anna, series["id"])
    assert page(anna, **expanded)["items"] == []


def test_instances_come_in_pages_and_windows(google, anna, series):
    first = anna.instances(calendarId="primary", eventId=series["id"], maxResults=3).execute()
    assert len(first["items"]) == 3
    assert "nextSyncToken" not in first
    rest = instances(anna, series, maxResults=3, pageToken=first["nextPageToken"])
    assert [row["id"] for row in rest] == [instance_id(series, 25)]
    window = {"timeMin": "2026-05-10T00:00:00Z", "timeMax": "2026-05-20T00:00:00Z"}
    assert len(instances(anna, series, **window)) == 2
    assert len(instances(anna, series, originalStart="2026-05-11T10:00:00+02:00")) == 1
    only = {"id": instance_id(series, 11)}
    assert [row["id"] for row in instances(anna, only)] == [only["id"]]


# Single occurrences


@pytest.mark.checklist(8)
def test_an_occurrence_can_be_read_before_anybody_touched_it(google, anna, series):
    row = get(anna, instance_id(series, 11))
    assert (row["summary"], row["recurringEventId"]) == ("Weekly", series["id"])
    assert row["etag"] == series["etag"]
    for wrong in ("20260512T080000Z", "20260511", "20260601T080000Z"):
        with refused(404, "notFound"):
            get(anna, f"{series['id']}_{wrong}")


@pytest.mark.checklist(8)
def test_a_changed_title_makes_an_exception_and_shows_the_master_again(google, anna, series):
    delta = Delta(anna)
    changed = patch(anna, instance_id(series, 11), {"summary": "Special"})

    rows = delta.rows()

    assert {row["id"] for row in rows} == {series["id"], changed["id"]}
    assert {row["etag"] for row in rows} == {changed["etag"]} != {series["etag"]}
    assert {row["updated"] for row in rows} == {changed["updated"]}
    assert changed["recurringEventId"] == series["id"]
    assert changed["originalStartTime"] == {"dateTime": "2026-05-11T10:00:00+02:00", "timeZone": "Europe/Berlin"}
    assert changed["sequence"] == 0
    assert get(anna, series["id"])["recurrence"] == WEEKLY
    assert [row.get("summary") for row in everything(anna)[0]] == ["Weekly", "Special"]
    assert [row["summary"] for row in instances(anna, series)] == ["Weekly", "Special", "Weekly", "Weekly"]


def test_a_moved_occurrence_keeps_its_original_start(google, anna, series):
    moved = patch(anna, instance_id(series, 11), timed(start="2026-05-13T12:00:00", end="2026-05-13T13:00:00"))
    assert moved["start"]["dateTime"] == "2026-05-13T12:00:00+02:00"
    assert moved["originalStartTime"]["dateTime"] == "2026-05-11T10:00:00+02:00"
    assert moved["sequence"] == 1
    assert get(anna, series["id"])["sequence"] == 0
    assert len(instances(anna, series)) == 4


def test_an_exception_cannot_repeat(google, anna, series):
    body = timed("Special", start="2026-05-11T10:00:00", end="2026-05-11T11:00:00", recurrence=WEEKLY)
    assert "recurrence" not in put(anna, instance_id(series, 11), body)


@pytest.mark.checklist(7)
def test_a_deleted_occurrence_is_a_stub_that_says_which_one(google, anna, series):
    delta = Delta(anna)
    delete(anna, instance_id(series, 11))

    rows = {row["id"]: row for row in delta.rows()}

    stub = rows.pop(instance_id(series, 11))
    assert stub == {
        "kind": "calendar#event",
        "etag": stub["etag"],
        "id": instance_id(series, 11),
        "status": "cancelled",
        "recurringEventId": series["id"],
        "originalStartTime": {"dateTime": "2026-05-11T10:00:00+02:00", "timeZone": "Europe/Berlin"},
    }
    assert rows[series["id"]]["etag"] == stub["etag"]
    assert rows[series["id"]]["recurrence"] == WEEKLY, "no EXDATE"
    assert stub in everything(anna)[0], "listed also without showDeleted"
    assert len(instances(anna, series)) == 3
    assert len(instances(anna, series, showDeleted=True)) == 4
    assert len(page(anna, singleEvents=True)["items"]) == 3
    assert len(page(anna, singleEvents=True, showDeleted=True)["items"]) == 4
    with refused(410, "deleted"):
        delete(anna, instance_id(series, 11))


@pytest.mark.checklist(12)
def test_an_old_etag_of_the_master_is_stale_after_a_change_of_a_child(google, anna, series):
    patch(anna, instance_id(series, 11), {"summary": "Special"})
    with refused(412, "conditionNotMet"):
        patch(anna, series["id"], {"summary": "All"}, if_match=series["etag"])


def test_an_occurrence_that_the_rule_no_longer_has_does_not_come_back(google, anna, series):
    patch(anna, instance_id(series, 25), {"summary": "Last"})
    patch(anna, series["id"], {"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=2"]})
    with refused(403, "forbidden"):
        patch(anna, instance_id(series, 25), {"status": "confirmed"})


def test_a_deleted_occurrence_can_come_back(google, anna, boris, common):
    delete(anna, instance_id(common, 11))
    delta = Delta(boris)
    patch(anna, instance_id(common, 11), {"status": "confirmed"})
    assert {row["id"]: row["status"] for row in delta.rows()}[instance_id(common, 11)] == "confirmed"
    assert len(instances(boris, common)) == 4


# The whole series


def test_a_change_of_all_shows_the_exceptions_again(google, anna, series):
    special = patch(anna, instance_id(series, 11), {"summary": "Special"})
    moved = patch(anna, instance_id(series, 18), timed("Weekly", "2026-05-19T10:00:00", "2026-05-19T11:00:00"))
    delta = Delta(anna)
    changed = patch(anna, series["id"], {"summary": "All", "location": "Room"})

    rows = {row["id"]: row for row in delta.rows()}

    assert rows.keys() == {series["id"], special["id"], moved["id"]}
    assert {row["etag"] for row in rows.values()} == {changed["etag"]}
    assert rows[special["id"]]["summary"] == "Special", "what it changed itself stays"
    assert rows[special["id"]]["location"] == "Room"
    assert rows[moved["id"]]["summary"] == "All"
    assert rows[moved["id"]]["start"] == moved["start"]


def test_exceptions_that_a_new_rule_does_not_have_become_bare_stubs(google, anna, series):
    inside = patch(anna, instance_id(series, 4), {"summary": "First"})
    outside = patch(anna, instance_id(series, 25), {"summary": "Last"})
    delta = Delta(anna)
    patch(anna, series["id"], {"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=2"]})

    rows = {row["id"]: row for row in delta.rows()}

    assert rows[inside["id"]]["status"] == "confirmed"
    stub = rows[outside["id"]]
    assert stub == {"kind": "calendar#event", "etag": stub["etag"], "id": outside["id"], "status": "cancelled"}
    assert rows[series["id"]]["sequence"] == 1


@pytest.mark.checklist(9)
def test_deleting_a_series_gives_one_stub_and_nothing_for_its_occurrences(google, anna, series):
    special = patch(anna, instance_id(series, 11), {"summary": "Special"})
    delete(anna, instance_id(series, 18))
    delta = Delta(anna)
    delete(anna, series["id"])

    assert [(row["id"], row["status"]) for row in delta.rows()] == [(series["id"], "cancelled")]
    assert everything(anna)[0] == []
    assert page(anna, singleEvents=True)["items"] == []
    for gone in (special["id"], instance_id(series, 18), instance_id(series, 25)):
        with refused(404, "notFound"):
            get(anna, gone)


def test_a_series_comes_back_with_its_exceptions(google, anna, series):
    special = patch(anna, instance_id(series, 11), {"summary": "Special"})
    delete(anna, instance_id(series, 18))
    delete(anna, series["id"])
    assert instances(anna, series) == []
    delta = Delta(anna)

    patch(anna, series["id"], {"status": "confirmed"})

    assert {row["id"] for row in delta.rows()} == {series["id"], special["id"], instance_id(series, 18)}
    assert [row["summary"] for row in instances(anna, series)] == ["Weekly", "Special", "Weekly"]


@pytest.mark.checklist(10)
def test_a_split_with_the_same_start_has_a_telling_id(google, anna, series):
    behind = patch(anna, instance_id(series, 25), {"summary": "Last"})
    delta = Delta(anna)

    rest = google.person(ANNA).split_series(
        series["id"], at=get(anna, instance_id(series, 18))["start"], changes={"summary": "Renamed"}
    )

    assert rest["id"] == f"{series['id']}_R20260518T080000"
    assert rest["iCalUID"] == f"{rest['id']}@google.com"
    rows = {row["id"]: row for row in delta.rows()}
    assert rows.keys() == {series["id"], rest["id"], behind["id"]}
    assert rows[series["id"]]["recurrence"] == ["RRULE:FREQ=WEEKLY;UNTIL=20260517T215959Z"]
    assert "recurringEventId" not in rows[behind["id"]]
    assert rows[behind["id"]]["status"] == "cancelled"
    assert starts(instances(anna, series)) == ["2026-05-04T10:00:00+02:00", "2026-05-11T10:00:00+02:00"]
    assert starts(instances(anna, rest)) == ["2026-05-18T10:00:00+02:00", "2026-05-25T10:00:00+02:00"]
    assert {row["summary"] for row in instances(anna, rest)} == {"Renamed"}


@pytest.mark.checklist(10)
def test_a_split_with_another_start_is_unrelated(google, anna, series):
    later = timed("Weekly", "2026-05-18T12:00:00", "2026-05-18T13:00:00")
    at = {"dateTime": "2026-05-18T10:00:00+02:00"}
    rest = google.person(ANNA).split_series(series["id"], at=at, changes=later)
    assert not rest["id"].startswith(series["id"])
    assert starts(instances(anna, rest)) == ["2026-05-18T12:00:00+02:00", "2026-05-25T12:00:00+02:00"]


def test_a_split_divides_dates_and_counts_too(google, anna):
    lines = ["RRULE:FREQ=DAILY;COUNT=4", "EXDATE:20260505T080000Z", "RDATE:20260509T080000Z,20260503T080000Z"]
    series = insert(anna, timed(recurrence=lines))
    assert [start[8:10] for start in starts(instances(anna, series))] == ["03", "04", "06", "07", "09"]

    rest = google.person(ANNA).edit(instance_id(series, 6), {"summary": "New"}, scope="following")
    last = google.person(ANNA).edit(f"{rest['id']}_20260509T080000Z", {"summary": "Newer"}, scope="following")

    assert get(anna, series["id"])["recurrence"][2] == "RDATE:20260503T080000Z"
    assert get(anna, rest["id"])["recurrence"] == ["RRULE:FREQ=DAILY;COUNT=2", "EXDATE:20260505T080000Z"]
    assert get(anna, last["id"])["recurrence"] == ["EXDATE:20260505T080000Z"]
    rows = page(anna, singleEvents=True, orderBy="startTime")["items"]
    assert [(row["start"]["dateTime"][8:10], row["summary"]) for row in rows] == [
        ("03", "Review"),
        ("04", "Review"),
        ("06", "New"),
        ("07", "New"),
        ("09", "Newer"),
    ]


# Guests


@pytest.fixture
def common(google, anna):
    return insert(anna, timed("Weekly", recurrence=WEEKLY, attendees=guests(BORIS, CLARA)))


def test_a_series_and_its_exceptions_reach_the_guests(google, anna, boris, common):
    delta = Delta(boris)
    patch(anna, instance_id(common, 11), {"summary": "Special"})
    rows = {row["id"]: row for row in delta.rows()}
    assert rows.keys() == {common["id"], instance_id(common, 11)}
    assert rows[instance_id(common, 11)]["summary"] == "Special"
    assert len({row["etag"] for row in rows.values()}) == 1
    assert [row["summary"] for row in instances(boris, common)] == ["Weekly", "Special", "Weekly", "Weekly"]

    delete(anna, instance_id(common, 18))
    assert len(instances(boris, common)) == 3
    delete(anna, common["id"])
    assert everything(boris)[0] == []


def test_a_guest_answers_one_occurrence(google, anna, boris, common):
    google.person(BORIS).respond(instance_id(common, 11), "declined")
    row = get(anna, instance_id(common, 11))
    assert {guest["email"]: guest["responseStatus"] for guest in row["attendees"]}[BORIS] == "declined"
    assert {guest["responseStatus"] for guest in get(anna, common["id"])["attendees"]} == {"needsAction"}


def test_a_guest_deletes_one_occurrence(google, anna, boris, common):
    delete(boris, instance_id(common, 11))
    assert len(instances(boris, common)) == 3
    row = get(anna, instance_id(common, 11))
    assert {guest["email"]: guest["responseStatus"] for guest in row["attendees"]}[BORIS] == "declined"
    assert len(instances(anna, common)) == 4


def test_a_guest_can_be_taken_from_one_occurrence(google, anna, boris, clara, common):
    patch(anna, instance_id(common, 11), {"attendees": guests(CLARA)})
    assert len(instances(boris, common)) == 3
    assert len(instances(clara, common)) == 4


def test_a_guest_can_be_invited_to_one_occurrence(google, anna, boris, series):
    patch(anna, instance_id(series, 11), {"attendees": guests(BORIS)})
    [row] = everything(boris)[0]
    assert (row["id"], row["recurringEventId"]) == (instance_id(series, 11), series["id"])


def test_a_late_guest_gets_the_exceptions_too(google, anna, boris, series):
    patch(anna, instance_id(series, 11), {"summary": "Special"})
    patch(anna, series["id"], {"attendees": guests(BORIS)})
    assert [row["summary"] for row in instances(boris, series)] == ["Weekly", "Special", "Weekly", "Weekly"]


def test_who_is_invited_to_one_occurrence_loses_it_with_the_series(google, anna, boris, series):
    patch(anna, instance_id(series, 11), {"attendees": guests(BORIS)})
    patch(anna, instance_id(series, 18), {"attendees": guests(BORIS)})
    patch(anna, series["id"], {"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=2"]})
    assert [row["id"] for row in google.person(BORIS).events()] == [instance_id(series, 11)]
    delete(anna, series["id"])
    assert google.person(BORIS).events() == []


def test_an_occurrence_that_a_rule_brings_back_is_an_ordinary_one(google, anna, boris, common):
    patch(anna, instance_id(common, 25), {"summary": "Last"})
    patch(anna, common["id"], {"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=2"]})
    assert get(anna, instance_id(common, 25))["status"] == "cancelled"
    patch(anna, common["id"], {"recurrence": WEEKLY})

    assert [row["summary"] for row in instances(boris, common)] == ["Weekly"] * 4
    delta = Delta(boris)
    patch(anna, instance_id(common, 25), {"summary": "Last again"})
    assert {row["summary"] for row in delta.rows()} == {"Weekly", "Last again"}
