"""insert, patch, update, delete, import and move on a calendar of one's own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from googleapiclient.errors import HttpError

from .conftest import ANNA, BORIS, PETER
from .helpers import Delta, all_day, delete, everything, get, guests, insert, page, patch, put, refused, timed

OWN_ID = "aaaaa00001"


def test_a_new_event_has_what_google_adds_and_no_defaults(google, anna):
    event = insert(anna, timed("Review"))

    assert event["iCalUID"] == f"{event['id']}@google.com"
    assert event["status"] == "confirmed"
    assert event["sequence"] == 0
    assert event["eventType"] == "default"
    assert event["creator"] == event["organizer"] == {"email": ANNA, "self": True}
    assert event["start"] == {"dateTime": "2026-05-04T10:00:00+02:00", "timeZone": "Europe/Berlin"}
    assert event["reminders"] == {"useDefault": True}
    assert event["etag"].strip('"').isdecimal()
    absent = {"description", "location", "attendees", "visibility", "transparency", "guestsCanModify", "recurrence"}
    assert not absent & event.keys()
    assert get(anna, event["id"]) == event


def test_defaults_that_are_sent_are_left_out_of_answers(google, anna):
    event = insert(
        anna,
        timed(
            description="",
            visibility="default",
            transparency="opaque",
            guestsCanInviteOthers=True,
            guestsCanModify=False,
            attendees=[],
        ),
    )
    absent = {"description", "visibility", "transparency", "guestsCanInviteOthers", "guestsCanModify", "attendees"}
    assert not absent & event.keys()


# Identity


@pytest.mark.checklist(11)
@pytest.mark.parametrize("bad", ["abcd", "ABCDE", "abcdw", "abc_d", "abc-d", "a" * 1025])
def test_a_bad_client_id_is_refused(google, anna, bad):
    with refused(400, "invalid") as refusal:
        insert(anna, timed(id=bad))
    assert refusal.message == "Invalid resource id value."


@pytest.mark.checklist(11)
@pytest.mark.parametrize("good", ["abcde", "0123456789abcdefghijklmnopqrstuv", "a" * 1024])
def test_a_client_id_is_kept(google, anna, good):
    assert insert(anna, timed(id=good))["id"] == good


@pytest.mark.checklist(11)
def test_an_id_is_used_once_even_after_deletion(google, anna):
    insert(anna, timed(id=OWN_ID))
    with refused(409, "duplicate") as refusal:
        insert(anna, timed(id=OWN_ID))
    assert refusal.message == "The requested identifier already exists."
    delete(anna, OWN_ID)
    with refused(409, "duplicate"):
        insert(anna, timed(id=OWN_ID))


def test_another_calendar_may_use_the_same_id(google, anna, boris):
    insert(anna, timed("Anna's", id=OWN_ID))
    insert(boris, timed("Boris's", id=OWN_ID))
    assert get(anna, OWN_ID)["summary"] == "Anna's"


@pytest.mark.checklist(11)
def test_of_two_inserts_at_once_one_wins(google, client):
    clients = [client(ANNA).events() for _ in range(6)]

    def try_to(events):
        try:
            return insert(events, timed(id=OWN_ID))["status"]
        except HttpError as error:
            return error.status_code

    with ThreadPoolExecutor(6) as threads:
        outcomes = sorted(map(str, threads.map(try_to, clients)))

    assert outcomes == ["409"] * 5 + ["confirmed"]


# What is refused


@pytest.mark.checklist(20)
@pytest.mark.parametrize(
    ("change", "reason", "message"),
    [
        ({"end": None}, "required", "Missing end time."),
        ({"start": None}, "required", "Missing start time."),
        ({"end": {"date": "2026-05-05"}}, "invalid", None),
        ({"start": {"date": "2026-05-04", "dateTime": "2026-05-04T10:00:00Z"}}, "invalid", "Invalid start time."),
        ({"end": {"dateTime": "2026-05-04T09:59:59+02:00"}}, "timeRangeEmpty", "The specified time range is empty."),
        ({"start": {"dateTime": "2026-05-04T10:00:00"}}, "required", "Missing time zone definition for start time."),
        ({"start": {"dateTime": "May the 4th"}}, "required", None),
        ({"start": {"dateTime": "2026-05-04T10:00:00", "timeZone": "Mars/Olympus"}}, "invalid", None),
        (
            {"start": {"dateTime": "2026-05-04T10:00:00+02:00"}, "recurrence": ["RRULE:FREQ=DAILY"]},
            "required",
            "Missing time zone definition for start time.",
        ),
        ({"recurrence": ["RRULE:FREQ=SOMETIMES"]}, "invalid", "Invalid recurrence rule."),
        ({"recurrence": ["DTSTART:20260504T100000Z"]}, "invalid", "Invalid recurrence rule."),
        ({"recurrence": ["RRULE:FREQ=DAILY;COUNT=2;UNTIL=20260601T000000Z"]}, "invalid", "Invalid recurrence rule."),
        ({"attendees": [{"displayName": "Nobody"}]}, "required", "Missing attendee email."),
        ({"attendees": [{"email": "not an address"}]}, "invalid", "Invalid attendee email."),
        ({"attendees": [{"email": PETER, "responseStatus": "perhaps"}]}, "invalid", None),
        ({"visibility": "secret"}, "invalid", "Invalid Value"),
        ({"transparency": "glass"}, "invalid", "Invalid Value"),
        ({"status": "done"}, "invalid", "Invalid Value"),
        ({"summary": 5}, "invalid", "Invalid Value"),
        ({"reminders": {"useDefault": False, "overrides": [{"method": "popup", "minutes": 40321}]}}, "invalid", None),
        ({"reminders": {"useDefault": False, "overrides": [{"method": "popup", "minutes": 1}] * 6}}, "invalid", None),
        (
            {"reminders": {"useDefault": True, "overrides": [{"method": "popup", "minutes": 1}]}},
            "cannotUseDefaultRemindersAndSpecifyOverride",
            None,
        ),
    ],
    ids=str,
)
def test_a_bad_body_is_refused_with_googles_words(google, anna, change, reason, message):
    body = {name: value for name, value in (timed() | change).items() if value is not None}
    with refused(400, reason) as refusal:
        insert(anna, body)
    assert message is None or refusal.message == message
    assert page(anna)["items"] == []


@pytest.mark.checklist(29)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"eventType": "fromGmail"}, "Invalid event type."),
        ({"eventType": "party"}, "Invalid event type."),
        (
            {"eventType": "outOfOffice", "description": "x"},
            "An out of office event must not have a description.",
        ),
        ({"eventType": "birthday"}, "A birthday event must be an all-day event."),
        ({"eventType": "focusTime"} | all_day(), "This event type must be a timed event."),
    ],
    ids=str,
)
def test_a_type_that_cannot_be_made_is_refused(google, anna, change, message):
    with refused(400, "invalid") as refusal:
        insert(anna, timed() | change)
    assert refusal.message == message
    other = google.add_calendar(ANNA, summary="Projects")
    with refused(400, "invalid"):
        anna.insert(calendarId=other.id, body=timed(eventType="outOfOffice")).execute()


def test_an_all_day_event_lasts_a_day_at_least(google, anna):
    with refused(400, "timeRangeEmpty"):
        insert(anna, all_day(first="2026-05-04", after="2026-05-04"))


def test_a_timed_event_may_have_no_length(google, anna):
    event = insert(anna, timed(start="2026-05-04T10:00:00", end="2026-05-04T10:00:00"))
    assert event["start"] == event["end"]


def test_the_instant_comes_from_the_offset_and_the_zone_is_kept(google, anna):
    moment = {"dateTime": "2026-05-04T10:00:00-04:00", "timeZone": "Asia/Tokyo"}
    event = insert(anna, {"start": moment, "end": moment})
    assert event["start"] == {"dateTime": "2026-05-04T16:00:00+02:00", "timeZone": "Asia/Tokyo"}


# Changing


@pytest.mark.checklist(13)
def test_a_patch_merges_objects_replaces_arrays_and_removes_null(google, anna):
    event = insert(
        anna,
        timed(
            description="Keep me",
            location="Room",
            extendedProperties={"private": {"a": "1", "b": "2"}},
            reminders={"useDefault": False, "overrides": [{"method": "popup", "minutes": 5}]},
        ),
    )
    changed = patch(
        anna,
        event["id"],
        {
            "location": None,
            "extendedProperties": {"private": {"b": None, "c": "3"}},
            "reminders": {"overrides": [{"method": "email", "minutes": 9}]},
        },
    )

    assert changed["description"] == "Keep me"
    assert "location" not in changed
    assert changed["extendedProperties"] == {"private": {"a": "1", "c": "3"}}
    assert changed["reminders"] == {"useDefault": False, "overrides": [{"method": "email", "minutes": 9}]}


@pytest.mark.checklist(13)
def test_an_update_clears_what_it_does_not_name(google, anna):
    event = insert(
        anna,
        timed(
            description="Goes",
            location="Goes",
            attendees=guests(PETER),
            extendedProperties={"private": {"a": "1"}},
            visibility="private",
            recurrence=["RRULE:FREQ=DAILY;COUNT=3"],
        ),
    )
    changed = put(anna, event["id"], timed("Stays"))

    gone = {"description", "location", "attendees", "extendedProperties", "visibility", "recurrence"}
    assert not gone & changed.keys()
    assert (changed["summary"], changed["iCalUID"], changed["id"]) == ("Stays", event["iCalUID"], event["id"])


def test_an_update_needs_start_and_end(google, anna):
    event = insert(anna, timed())
    with refused(400, "required"):
        put(anna, event["id"], {"summary": "No time"})


@pytest.mark.checklist(20)
def test_timed_becomes_all_day_only_when_the_time_is_removed(google, anna):
    event = insert(anna, timed())
    with refused(400, "invalid"):
        patch(anna, event["id"], {"start": {"date": "2026-05-04"}, "end": {"date": "2026-05-05"}})

    nothing = {"dateTime": None, "timeZone": None}
    day = {"start": {"date": "2026-05-04"} | nothing, "end": {"date": "2026-05-05"} | nothing}

    assert patch(anna, event["id"], day)["start"] == {"date": "2026-05-04"}


def test_bare_addresses_reset_the_answers(google, anna):
    event = insert(anna, timed(attendees=[{"email": PETER, "responseStatus": "accepted", "displayName": "Peter"}]))
    assert event["attendees"] == [{"email": PETER, "displayName": "Peter", "responseStatus": "accepted"}]
    changed = patch(anna, event["id"], {"attendees": guests(PETER)})
    assert changed["attendees"] == [{"email": PETER, "responseStatus": "needsAction"}]


def test_a_guest_named_twice_is_one_guest(google, anna):
    assert len(insert(anna, timed(attendees=guests(PETER, PETER.upper())))["attendees"]) == 1


@pytest.mark.checklist(14)
def test_a_change_of_time_raises_the_sequence_a_change_of_title_does_not(google, anna):
    event = insert(anna, timed())
    assert patch(anna, event["id"], {"summary": "New"})["sequence"] == 0
    moved = patch(anna, event["id"], timed(start="2026-05-04T12:00:00", end="2026-05-04T13:00:00"))
    assert moved["sequence"] == 1
    assert patch(anna, event["id"], {"sequence": 7})["sequence"] == 7
    with refused(400, "invalid") as refusal:
        patch(anna, event["id"], {"sequence": 6})
    assert refusal.message.startswith("Invalid sequence value.")


def test_what_the_server_writes_cannot_be_changed(google, anna):
    event = insert(anna, timed())
    foreign = {
        "iCalUID": "other@x.example",
        "organizer": {"email": PETER},
        "creator": {"email": PETER},
        "etag": "1",
        "htmlLink": "http://x.example",
        "eventType": "focusTime",
    }
    changed = patch(anna, event["id"], foreign | {"summary": "New"})
    assert all(changed[name] == event[name] for name in foreign if name != "etag")


def test_a_change_without_effect_leaves_the_version(google, anna):
    event = insert(anna, timed())
    delta = Delta(anna)
    assert patch(anna, event["id"], {"summary": event["summary"]})["etag"] == event["etag"]
    assert delta.rows() == []


@pytest.mark.checklist(13)
def test_reminders_change_the_etag_but_not_updated(google, anna):
    event = insert(anna, timed())
    delta = Delta(anna)
    changed = patch(anna, event["id"], {"reminders": {"useDefault": False}})
    assert changed["updated"] == event["updated"]
    assert changed["etag"] != event["etag"]
    assert len(delta.rows()) == 1


@pytest.mark.checklist(19)
def test_extended_properties_are_cut_to_size(google, anna):
    event = insert(anna, timed(extendedProperties={"private": {"k" * 44: "v" * 1025, "k" * 45: "dropped"}}))
    assert event["extendedProperties"]["private"] == {"k" * 44: "v" * 1024}


@pytest.mark.checklist(29)
def test_conference_data_counts_only_with_its_version(google, anna):
    wish = {"createRequest": {"requestId": "r1", "conferenceSolutionKey": {"type": "hangoutsMeet"}}}
    event = insert(anna, timed(conferenceData=wish))
    assert "conferenceData" not in event

    changed = patch(anna, event["id"], {"conferenceData": wish}, conferenceDataVersion=1)
    assert changed["conferenceData"]["createRequest"]["status"] == {"statusCode": "success"}
    assert changed["hangoutLink"].startswith("https://meet.google.com/")

    kept = put(anna, event["id"], timed("Without conference"))
    assert kept["hangoutLink"] == changed["hangoutLink"]
    removed = put(anna, event["id"], timed("Without conference"), conferenceDataVersion=1)
    assert not {"conferenceData", "hangoutLink"} & removed.keys()


def test_attachments_count_only_with_their_parameter(google, anna):
    files = [{"fileUrl": "https://drive.example/1", "title": "Plan"}]
    assert "attachments" not in insert(anna, timed(attachments=files))
    event = insert(anna, timed(attachments=files), supportsAttachments=True)
    assert event["attachments"] == files
    assert put(anna, event["id"], timed())["attachments"] == files


# Versions


@pytest.mark.checklist(12)
def test_if_match(google, anna):
    event = insert(anna, timed("First"))
    patch(anna, event["id"], {"summary": "Second"})

    with refused(412, "conditionNotMet") as refusal:
        patch(anna, event["id"], {"summary": "Third"}, if_match=event["etag"])

    assert refusal.error["locationType"] == "header"
    assert refusal.error["location"] == "If-Match"
    assert patch(anna, event["id"], {"summary": "Third"}, if_match="*")["summary"] == "Third"
    fresh = get(anna, event["id"])["etag"]
    assert patch(anna, event["id"], {"summary": "Fourth"}, if_match=fresh)["summary"] == "Fourth"


@pytest.mark.checklist(12)
@pytest.mark.parametrize("method", ["update", "delete", "move"])
def test_if_match_on_other_writes(google, anna, method):
    event = insert(anna, timed())
    patch(anna, event["id"], {"summary": "Second"})
    more = {"update": {"body": timed()}, "move": {"destination": ANNA}, "delete": {}}
    body = more[method]
    request = getattr(anna, method)(calendarId="primary", eventId=event["id"], **body)
    request.headers["If-Match"] = event["etag"]
    with refused(412, "conditionNotMet"):
        request.execute()


@pytest.mark.checklist(12)
def test_if_none_match_saves_the_answer(google, anna):
    event = insert(anna, timed())
    request = anna.get(calendarId="primary", eventId=event["id"])
    request.headers["If-None-Match"] = event["etag"]
    with pytest.raises(HttpError) as caught:
        request.execute()
    assert caught.value.status_code == 304


# Deleting


@pytest.mark.checklist(6)
def test_deleting(google, anna):
    event = insert(anna, timed("Gone"))
    delta = Delta(anna)

    request = anna.delete(calendarId="primary", eventId=event["id"])
    request.postproc = lambda response, content: (response.status, content)
    assert request.execute() == (204, b"")

    with refused(410, "deleted") as refusal:
        delete(anna, event["id"])
    assert refusal.message == "Resource has been deleted"
    assert get(anna, event["id"])["status"] == "cancelled"
    assert [(row["id"], row["status"]) for row in delta.rows()] == [(event["id"], "cancelled")]
    assert everything(anna)[0] == []
    assert [row["status"] for row in page(anna, showDeleted=True)["items"]] == ["cancelled"]


def test_what_never_was_here_is_not_found(google, anna):
    for call in (
        lambda: get(anna, "nothere"),
        lambda: patch(anna, "nothere", {"summary": "x"}),
        lambda: delete(anna, "nothere"),
        lambda: delete(anna, "nothere_20260504"),
    ):
        with refused(404, "notFound"):
            call()


def test_a_patch_to_cancelled_deletes_and_one_to_confirmed_brings_back(google, anna):
    event = insert(anna, timed())
    assert patch(anna, event["id"], {"status": "cancelled"})["status"] == "cancelled"
    delta = Delta(anna)
    assert patch(anna, event["id"], {"status": "confirmed"})["status"] == "confirmed"
    assert [row["status"] for row in delta.rows()] == ["confirmed"]


def test_bringing_back_can_be_forbidden(google, anna):
    google.behavior.revival = "forbidden"
    event = insert(anna, timed())
    delete(anna, event["id"])
    with refused(403, "forbidden"):
        patch(anna, event["id"], {"status": "confirmed"})


# import, move


def test_import_needs_a_uid_and_keeps_the_foreign_organizer(google, anna):
    with refused(400, "required") as refusal:
        anna.import_(calendarId="primary", body=timed()).execute()
    assert refusal.message == "Missing iCalUID."

    body = timed(iCalUID="42@elsewhere.example", organizer={"email": PETER, "displayName": "Peter"})
    event = anna.import_(calendarId="primary", body=body).execute()

    assert event["organizer"] == {"email": PETER, "displayName": "Peter"}
    assert event["iCalUID"] == "42@elsewhere.example"
    assert event["id"].startswith("_")


def test_a_repeated_import_updates_or_is_refused(google, anna):
    first = anna.import_(calendarId="primary", body=timed("Old", iCalUID="42@elsewhere.example")).execute()
    second = anna.import_(calendarId="primary", body=timed("New", iCalUID="42@elsewhere.example")).execute()
    assert (second["id"], second["summary"]) == (first["id"], "New")

    google.behavior.repeated_import = "duplicate"
    with refused(409, "duplicate"):
        anna.import_(calendarId="primary", body=timed("Newer", iCalUID="42@elsewhere.example")).execute()


@pytest.mark.checklist(30)
def test_move_leaves_a_cancelled_row_behind(google, anna):
    other = google.add_calendar(ANNA, summary="Projects")
    event = insert(anna, timed())
    delta = Delta(anna)

    moved = anna.move(calendarId="primary", eventId=event["id"], destination=other.id).execute()

    assert (moved["id"], moved["iCalUID"], moved["status"]) == (event["id"], event["iCalUID"], "confirmed")
    assert moved["organizer"] == {"email": other.id, "displayName": "Projects", "self": True}
    assert [(row["id"], row["status"]) for row in delta.rows()] == [(event["id"], "cancelled")]
    assert anna.get(calendarId=other.id, eventId=event["id"]).execute()["status"] == "confirmed"


@pytest.mark.checklist(30)
def test_a_series_moves_with_its_exceptions_and_its_guests_keep_it(google, anna, boris):
    other = google.add_calendar(ANNA, summary="Projects")
    series = insert(anna, timed(recurrence=["RRULE:FREQ=DAILY;COUNT=3"], attendees=guests(BORIS)))
    special = patch(anna, f"{series['id']}_20260505T080000Z", {"summary": "Special"})
    delete(anna, f"{series['id']}_20260506T080000Z")
    delta = Delta(anna)

    anna.move(calendarId="primary", eventId=series["id"], destination=other.id).execute()

    assert {row["id"]: row["status"] for row in delta.rows()}[series["id"]] == "cancelled"
    assert everything(anna)[0] == []
    there = anna.instances(calendarId=other.id, eventId=series["id"]).execute()["items"]
    assert [row["summary"] for row in there] == ["Review", "Special"]
    at_boris = boris.instances(calendarId="primary", eventId=series["id"]).execute()["items"]
    assert [(row["summary"], row["organizer"]["email"]) for row in at_boris] == [
        ("Review", other.id),
        ("Special", other.id),
    ]
    anna.move(calendarId=other.id, eventId=series["id"], destination=ANNA).execute()
    assert [row["id"] for row in everything(anna)[0] if row["status"] == "confirmed"] == [series["id"], special["id"]]


def test_what_cannot_be_moved(google, anna, boris):
    other = google.add_calendar(ANNA, summary="Projects").id
    series = insert(anna, timed(recurrence=["RRULE:FREQ=DAILY;COUNT=3"]))
    away = insert(anna, timed(eventType="outOfOffice"))
    foreign = insert(boris, timed(attendees=guests(ANNA)))
    gone = insert(anna, timed())
    delete(anna, gone["id"])
    for event_id, status, reason in (
        (f"{series['id']}_20260505T080000Z", 400, "badRequest"),
        (away["id"], 400, "badRequest"),
        (foreign["id"], 403, "forbiddenForNonOrganizer"),
        (gone["id"], 410, "deleted"),
        ("nothere", 404, "notFound"),
    ):
        with refused(status, reason):
            anna.move(calendarId="primary", eventId=event_id, destination=other).execute()
    with refused(404, "notFound"):
        anna.move(calendarId="primary", eventId=series["id"], destination=BORIS).execute()


def test_texts_can_be_trimmed_as_they_are_stored(google, anna):
    google.behavior.texts = "trimmed"
    event = insert(anna, timed("  Review ", description="One\r\nTwo\n"))
    assert (event["summary"], event["description"]) == ("Review", "One\nTwo")
