"""events.list: pages, windows, filters, sync tokens."""

from __future__ import annotations

import json
import time

import pytest
from googleapiclient.errors import HttpError
from werkzeug.datastructures import Headers

from google_emulator import Emulator
from google_emulator.messages import call_from_target

from .conftest import ANNA, BORIS, SCOPES
from .helpers import Delta, all_day, delete, everything, get, insert, page, patch, refused, timed

FORBIDDEN_WITH_A_TOKEN = [
    {"iCalUID": "x"},
    {"orderBy": "updated"},
    {"privateExtendedProperty": "a=b"},
    {"q": "x"},
    {"sharedExtendedProperty": "a=b"},
    {"timeMin": "2026-01-01T00:00:00Z"},
    {"timeMax": "2026-01-01T00:00:00Z"},
    {"updatedMin": "2026-01-01T00:00:00Z"},
    {"showDeleted": False},
]


def test_an_empty_calendar_gives_an_envelope_and_a_sync_token(google, anna):
    answer = page(anna)

    assert answer["kind"] == "calendar#events"
    assert answer["summary"] == ANNA
    assert answer["timeZone"] == "Europe/Berlin"
    assert answer["accessRole"] == "owner"
    assert answer["items"] == []
    assert answer["nextSyncToken"]
    assert "nextPageToken" not in answer


@pytest.mark.checklist(1)
def test_a_page_holds_a_page_token_or_a_sync_token_never_both(google, anna):
    google.fill(ANNA, [timed(f"Event {number}") for number in range(5)])

    first = page(anna, maxResults=2)
    second = page(anna, maxResults=2, pageToken=first["nextPageToken"])
    third = page(anna, maxResults=2, pageToken=second["nextPageToken"])

    assert [len(each["items"]) for each in (first, second, third)] == [2, 2, 1]
    assert "nextSyncToken" not in first
    assert "nextSyncToken" not in second
    assert third["nextSyncToken"]
    assert "nextPageToken" not in third


@pytest.mark.checklist(1)
def test_a_page_that_is_just_full_is_the_last(google, anna):
    google.fill(ANNA, [timed("One"), timed("Two")])
    assert "nextPageToken" not in page(anna, maxResults=2)


@pytest.mark.checklist(1)
def test_a_page_may_be_empty_and_not_the_last(google, anna):
    google.fill(ANNA, [timed(f"Event {number}") for number in range(4)])
    rows, _ = everything(anna)
    for row in rows[:3]:
        delete(anna, row["id"])

    first = page(anna, maxResults=2)

    assert first["items"] == []
    assert [row["id"] for row in page(anna, maxResults=2, pageToken=first["nextPageToken"])["items"]] == [rows[3]["id"]]


def test_the_default_page_has_250_rows_and_the_largest_2500(google, anna):
    google.fill(ANNA, [timed(f"Event {number}") for number in range(2501)])
    assert len(page(anna)["items"]) == 250
    assert len(page(anna, maxResults=9999)["items"]) == 2500


@pytest.mark.checklist(3)
def test_what_changes_between_two_pages_is_in_the_delta_afterwards(google, anna):
    google.fill(ANNA, [timed(f"Event {number}") for number in range(4)])
    first = page(anna, maxResults=2)
    patch(anna, first["items"][0]["id"], {"summary": "Changed meanwhile"})
    last = page(anna, maxResults=2, pageToken=first["nextPageToken"])

    delta = page(anna, syncToken=last["nextSyncToken"])

    assert [row["summary"] for row in delta["items"]] == ["Changed meanwhile"]


@pytest.mark.checklist(3)
def test_a_delta_has_each_changed_event_once_in_its_last_state(google, anna):
    event, other = insert(anna, timed("Old")), insert(anna, timed("Untouched"))
    delta = Delta(anna)
    token = delta.token
    for number in range(3):
        patch(anna, event["id"], {"summary": f"New {number}"})

    assert [(row["id"], row["summary"]) for row in delta.rows()] == [(event["id"], "New 2")]
    assert delta.rows() == []
    assert [row["id"] for row in page(anna, syncToken=token)["items"]] == [event["id"]], "a token can be replayed"
    assert get(anna, other["id"])["etag"] == other["etag"]


@pytest.mark.checklist(3)
def test_a_delta_comes_in_pages_too(google, anna):
    delta = Delta(anna)
    google.fill(ANNA, [timed(f"Event {number}") for number in range(5)])

    first = page(anna, syncToken=delta.token, maxResults=3)
    second = page(anna, syncToken=delta.token, maxResults=3, pageToken=first["nextPageToken"])

    assert len(first["items"] + second["items"]) == 5
    assert "nextSyncToken" not in first
    assert page(anna, syncToken=second["nextSyncToken"])["items"] == []


@pytest.mark.checklist(6)
def test_a_created_and_deleted_event_comes_as_a_stub(google, anna):
    delta = Delta(anna)
    event = insert(anna, timed())
    delete(anna, event["id"])

    [row] = delta.rows()

    assert row == {"kind": "calendar#event", "etag": row["etag"], "id": event["id"], "status": "cancelled"}


@pytest.mark.checklist(6)
def test_deleted_events_are_listed_only_on_demand(google, anna):
    event = insert(anna, timed("Gone"))
    delete(anna, event["id"])

    assert page(anna)["items"] == []
    [row] = page(anna, showDeleted=True)["items"]
    assert (row["status"], row["summary"]) == ("cancelled", "Gone"), "the organizer's calendar keeps the details"


@pytest.mark.checklist(2)
@pytest.mark.parametrize("parameter", FORBIDDEN_WITH_A_TOKEN, ids=lambda each: next(iter(each)))
def test_a_sync_token_refuses_a_search_beside_it(google, anna, parameter):
    token = page(anna)["nextSyncToken"]
    with refused(400, "badRequest"):
        page(anna, syncToken=token, **parameter)


@pytest.mark.checklist(4)
@pytest.mark.parametrize("token", ["nonsense", "CPDAlvWDx70CEPDAlvWDx70CGAU=", "ä"])
def test_a_malformed_sync_token_is_invalid(google, anna, token):
    with refused(400, "invalid") as refusal:
        page(anna, syncToken=token)
    assert refusal.message == "Invalid Value"


def test_a_sync_token_of_another_calendar_is_invalid(google, anna, boris):
    with refused(400, "invalid"):
        page(anna, syncToken=page(boris)["nextSyncToken"])


@pytest.mark.checklist(4)
def test_an_expired_sync_token_asks_for_a_full_sync(google, anna):
    token = page(anna)["nextSyncToken"]
    google.expire_sync_tokens(ANNA)

    with refused(410, "fullSyncRequired") as refusal:
        page(anna, syncToken=token)

    assert refusal.error["domain"] == "calendar"
    assert page(anna, syncToken=page(anna)["nextSyncToken"])["items"] == []


def test_expiring_one_calendars_tokens_leaves_the_others(google, anna, boris):
    token = page(boris)["nextSyncToken"]
    google.expire_sync_tokens(ANNA)
    assert page(boris, syncToken=token)["items"] == []


@pytest.mark.checklist(5)
@pytest.mark.parametrize(
    "search",
    [
        {"orderBy": "updated"},
        {"q": "x"},
        {"iCalUID": "x"},
        {"privateExtendedProperty": "a=b"},
        {"updatedMin": "2020-01-01T00:00:00Z"},
    ],
    ids=lambda each: next(iter(each)),
)
def test_a_search_gives_no_sync_token(google, anna, search):
    answer = page(anna, **search)
    assert "nextSyncToken" not in answer
    assert "nextPageToken" not in answer


@pytest.mark.checklist(5)
def test_a_sync_token_remembers_the_window(google, anna):
    inside = insert(anna, timed("Inside", "2026-05-04T10:00:00", "2026-05-04T11:00:00"))
    outside = insert(anna, timed("Outside", "2026-01-04T10:00:00", "2026-01-04T11:00:00"))
    delta = Delta(anna, timeMin="2026-05-01T00:00:00Z", timeMax="2026-06-01T00:00:00Z")

    patch(anna, outside["id"], {"summary": "Still outside"})
    assert delta.rows() == []
    patch(anna, inside["id"], {"summary": "Still inside"})
    assert [row["summary"] for row in delta.rows()] == ["Still inside"]
    patch(anna, outside["id"], timed("Came in", "2026-05-05T10:00:00", "2026-05-05T11:00:00"))
    assert [row["summary"] for row in delta.rows()] == ["Came in"]


@pytest.mark.parametrize(("switch", "reported"), [("shown", 1), ("omitted", 0)])
def test_what_leaves_the_remembered_window_is_shown_or_omitted(google, anna, switch, reported):
    google.behavior.window_leavers = switch
    event = insert(anna, timed())
    delta = Delta(anna, timeMin="2026-05-01T00:00:00Z")
    patch(anna, event["id"], timed("Moved away", "2026-01-04T10:00:00", "2026-01-04T11:00:00"))

    assert len(delta.rows()) == reported
    assert delta.rows() == []


def test_a_deletion_outside_the_window_is_not_reported(google, anna):
    event = insert(anna, timed("Long ago", "2020-01-04T10:00:00", "2020-01-04T11:00:00"))
    delta = Delta(anna, timeMin="2026-05-01T00:00:00Z")
    delete(anna, event["id"])
    assert delta.rows() == []


@pytest.mark.checklist(22)
@pytest.mark.parametrize(
    ("window", "found"),
    [
        pytest.param({"timeMin": "2026-05-04T09:00:00Z"}, False, id="ends-at-the-lower-bound"),
        pytest.param({"timeMin": "2026-05-04T08:59:59Z"}, True, id="ends-after-the-lower-bound"),
        pytest.param({"timeMax": "2026-05-04T08:00:00Z"}, False, id="starts-at-the-upper-bound"),
        pytest.param({"timeMax": "2026-05-04T08:00:01Z"}, True, id="starts-before-the-upper-bound"),
    ],
)
def test_the_bounds_of_the_window_are_exclusive(google, anna, window, found):
    insert(anna, timed())  # 8:00 to 9:00 UTC.
    assert bool(page(anna, **window)["items"]) is found


def test_an_all_day_event_lies_in_the_calendars_zone(google, anna):
    insert(anna, all_day("Fair", "2026-05-04", "2026-05-05"))  # Ends at 22:00 UTC in Berlin.
    assert page(anna, timeMin="2026-05-04T21:59:59Z")["items"]
    assert not page(anna, timeMin="2026-05-04T22:00:00Z")["items"]


def test_an_empty_window_is_refused(google, anna):
    with refused(400, "timeRangeEmpty"):
        page(anna, timeMin="2026-05-04T00:00:00Z", timeMax="2026-05-04T00:00:00Z")


@pytest.mark.parametrize("moment", ["2026-05-04", "2026-05-04T00:00:00", "yesterday"])
def test_a_moment_needs_an_offset(google, anna, moment):
    with refused(400, "badRequest"):
        page(anna, timeMin=moment)


@pytest.mark.checklist(22)
def test_order_by_start_needs_single_events(google, anna):
    with refused(400, "badRequest") as refusal:
        page(anna, orderBy="startTime")
    assert refusal.message == "The requested ordering is not available for the particular query."


def test_orders(google, anna):
    late = insert(anna, timed("Late", "2026-05-09T10:00:00", "2026-05-09T11:00:00"))
    insert(anna, timed("Early", "2026-05-02T10:00:00", "2026-05-02T11:00:00"))
    assert [row["summary"] for row in page(anna, orderBy="startTime", singleEvents=True)["items"]] == ["Early", "Late"]
    patch(anna, late["id"], {"location": "Here"})
    assert [row["summary"] for row in page(anna, orderBy="updated")["items"]] == ["Early", "Late"]


def test_filters(google, anna):
    tagged = insert(anna, timed("Tagged", extendedProperties={"private": {"key": "1"}, "shared": {"key": "2"}}))
    plain = insert(anna, timed("Plain", location="Leipzig", iCalUID="plain@elsewhere.example"))

    def ids(**search):
        return [row["id"] for row in everything(anna, **search)[0]]

    assert ids(privateExtendedProperty="key=1") == [tagged["id"]]
    assert ids(privateExtendedProperty="key=2") == []
    assert ids(privateExtendedProperty=["key=1", "other=1"]) == []
    assert ids(sharedExtendedProperty="key=2") == [tagged["id"]]
    assert ids(iCalUID="plain@elsewhere.example") == [plain["id"]]
    assert ids(q="leipzig") == [plain["id"]]


def test_updated_min_shows_deleted_events_too(google, anna):
    google.clock.set(google.clock.now())
    insert(anna, timed("Old"))
    google.clock.advance(hours=1)
    since = google.clock.now().isoformat()
    delete(anna, insert(anna, timed("New"))["id"])

    assert [row["status"] for row in page(anna, updatedMin=since)["items"]] == ["cancelled"]


@pytest.mark.checklist(29)
def test_event_types_are_filtered(google, anna):
    insert(anna, timed("Plain"))
    insert(anna, timed("Away", eventType="outOfOffice"))

    assert len(page(anna)["items"]) == 2
    assert [row["summary"] for row in page(anna, eventTypes=["default", "fromGmail"])["items"]] == ["Plain"]


@pytest.mark.checklist(29)
def test_the_filter_of_types_belongs_to_the_sync_token(google, anna):
    delta = Delta(anna, eventTypes=["default"])
    insert(anna, timed("Away", eventType="outOfOffice"))
    assert delta.rows() == []


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"maxResults": 0}, "invalidParameter"),
        ({"pageToken": "nonsense"}, "invalid"),
        ({"timeZone": "Mars/Olympus"}, "invalid"),
    ],
    ids=str,
)
def test_bad_parameters_are_invalid(google, anna, parameters, reason):
    with refused(400, reason):
        page(anna, **parameters)


def test_times_are_shown_in_the_zone_asked_for(google, anna):
    insert(anna, timed())
    [row] = page(anna, timeZone="America/New_York")["items"]
    assert row["start"] == {"dateTime": "2026-05-04T04:00:00-04:00", "timeZone": "Europe/Berlin"}


def test_max_attendees_cuts_the_list_but_keeps_oneself(google, anna, boris):
    event = insert(anna, timed(attendees=[{"email": f"g{n}@x.example"} for n in range(5)] + [{"email": BORIS}]))

    [row] = page(boris, maxAttendees=1)["items"]

    assert row["attendeesOmitted"] is True
    assert [guest["email"] for guest in row["attendees"]] == [BORIS]
    assert "attendeesOmitted" not in get(boris, event["id"])


@pytest.mark.checklist(12)
def test_an_unchanged_list_is_not_sent_again(google, anna):
    insert(anna, timed())
    request = anna.list(calendarId="primary")
    request.headers["If-None-Match"] = page(anna)["etag"]
    with pytest.raises(HttpError) as caught:
        request.execute()
    assert caught.value.status_code == 304


def fastest(work, *, of=5) -> float:
    """Return the seconds of work of the fastest of some runs; what else the machine does is not counted."""
    seconds = []
    for _ in range(of):
        before = time.thread_time()
        work()
        seconds.append(time.thread_time() - before)
    return min(seconds)


def test_a_page_of_2500_events_takes_less_than_a_tenth_of_a_second(google: Emulator, anna, capsys):
    """The emulator's own work for a page, in its process and without the client's reading of it."""
    guest_list = [{"email": f"guest{number}@x.example"} for number in range(3)]
    body = {"description": "x" * 300, "attendees": guest_list}
    google.fill(ANNA, [timed(f"Event {number}", **body) for number in range(2500)])
    token = google.grant(ANNA, SCOPES)["access_token"]
    headers = Headers({"Authorization": f"Bearer {token}"})
    target = "/calendar/v3/calendars/primary/events?maxResults=2500"
    call = call_from_target(method="GET", target=target, headers=headers, body=b"")

    seconds = fastest(lambda: google.api.answer(call))

    answer = json.loads(google.api.answer(call).body)
    assert len(answer["items"]) == 2500
    with capsys.disabled():
        print(f" {seconds * 1000:.0f} ms for a page of 2,500 events", end="")
    assert seconds < 0.1


def test_a_delta_of_one_among_10000_is_quicker_than_the_list(google: Emulator, anna):
    google.fill(ANNA, [timed(f"Event {number}") for number in range(10_000)])
    delta = Delta(anna, maxResults=2500)
    event = insert(anna, timed("New"))

    of_one = fastest(lambda: page(anna, syncToken=delta.token))
    of_many = fastest(lambda: page(anna, maxResults=2500), of=1)

    assert [row["id"] for row in delta.rows()] == [event["id"]]
    assert of_one < of_many / 5
