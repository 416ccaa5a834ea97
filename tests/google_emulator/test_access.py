"""Who may reach which calendar with what."""

from __future__ import annotations

import pytest
import requests

from .conftest import ANNA, BORIS, CLARA, SCOPE
from .helpers import all_day, guests, insert, page, refused, timed

LIST = (f"{SCOPE}calendar.calendarlist.readonly",)


def ask(google, token: str | None) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    return requests.get(f"{google.url}/calendar/v3/calendars/primary/events", headers=headers, timeout=5)


@pytest.mark.checklist(24)
def test_without_a_good_token_there_is_no_way_in(google):
    expired = google.grant(ANNA, [f"{SCOPE}calendar.events"])["access_token"]
    google.expire_access_tokens()
    revoked = google.grant(BORIS, [f"{SCOPE}calendar.events"])["access_token"]
    google.revoke_grants(BORIS)
    for token in (None, "unknown", expired, revoked):
        answer = ask(google, token)
        assert answer.status_code == 401
        [error] = answer.json()["error"]["errors"]
        assert (error["reason"], error["location"], error["message"]) == (
            "authError",
            "Authorization",
            "Invalid Credentials",
        )


@pytest.mark.checklist(24)
def test_a_missing_scope_is_told_in_the_newer_form(google):
    answer = ask(google, google.grant(ANNA, LIST)["access_token"])
    error = answer.json()["error"]
    assert answer.status_code == 403
    assert error["status"] == "PERMISSION_DENIED"
    assert error["details"][0]["reason"] == "ACCESS_TOKEN_SCOPE_INSUFFICIENT"
    assert error["errors"][0]["reason"] == "insufficientPermissions"


def test_reading_scopes_do_not_write(google, client):
    events = client(scopes=(f"{SCOPE}calendar.events.readonly",)).events()
    assert page(events)["items"] == []
    with refused(403, "insufficientPermissions"):
        insert(events, timed())


def test_events_do_not_open_the_calendar_list_nor_calendars(google, client):
    service = client()
    for request in (
        service.calendarList().list(),
        service.calendars().get(calendarId="primary"),
        service.settings().list(),
        service.freebusy().query(body={}),
    ):
        with refused(403, "insufficientPermissions"):
            request.execute()


@pytest.mark.checklist(24)
def test_other_peoples_calendars_and_unknown_ones_are_not_found(google, anna):
    for calendar_id in (BORIS, "nobody@x.example"):
        with refused(404, "notFound"):
            anna.list(calendarId=calendar_id).execute()


@pytest.mark.checklist(28)
def test_the_primary_calendar_goes_by_two_names(google, anna):
    event = insert(anna, timed())
    assert anna.get(calendarId=ANNA, eventId=event["id"]).execute() == event


@pytest.mark.checklist(24)
def test_a_reader_reads_and_does_not_write(google, anna, boris):
    google.share_calendar(ANNA, with_email=BORIS, role="reader")
    insert(anna, timed("Open"))
    insert(anna, timed("Secret", visibility="private"))

    answer = boris.list(calendarId=ANNA).execute()

    assert answer["accessRole"] == "reader"
    assert [row.get("summary") for row in answer["items"]] == ["Open", None]
    with refused(403, "requiredAccessLevel") as refusal:
        boris.insert(calendarId=ANNA, body=timed()).execute()
    assert refusal.message == "You need to have writer access to this calendar."


def test_a_writer_writes_in_the_owners_name(google, anna, boris):
    google.share_calendar(ANNA, with_email=BORIS, role="writer")
    event = boris.insert(calendarId=ANNA, body=timed()).execute()
    assert event["organizer"] == {"email": ANNA, "self": True}
    assert event["creator"] == {"email": BORIS}


def test_who_sees_free_and_busy_sees_no_details(google, anna, boris):
    google.share_calendar(ANNA, with_email=BORIS, role="freeBusyReader")
    insert(anna, timed("Hidden", location="Hidden"))
    [row] = boris.list(calendarId=ANNA).execute()["items"]
    assert not {"summary", "location", "organizer"} & row.keys()


def test_owned_scopes_are_for_owned_calendars(google, client):
    google.share_calendar(ANNA, with_email=BORIS, role="writer")
    events = client(BORIS, scopes=(f"{SCOPE}calendar.events.owned",)).events()
    assert page(events)["items"] == []
    with refused(403, "insufficientPermissions"):
        events.list(calendarId=ANNA).execute()


def test_the_calendar_list(google, client):
    projects = google.add_calendar(ANNA, summary="Projects", time_zone="Asia/Tokyo")
    google.share_calendar(BORIS, with_email=ANNA, role="reader")
    listed = client(scopes=LIST).calendarList()

    answer = listed.list().execute()

    assert [(each["id"], each["accessRole"]) for each in answer["items"]] == [
        (ANNA, "owner"),
        (projects.id, "owner"),
        (BORIS, "reader"),
    ]
    assert answer["items"][0]["primary"] is True
    assert listed.get(calendarId="primary").execute()["timeZone"] == "Europe/Berlin"
    assert listed.list(syncToken=answer["nextSyncToken"]).execute()["items"] == []
    first = listed.list(maxResults=2).execute()
    assert "nextSyncToken" not in first
    assert len(listed.list(maxResults=2, pageToken=first["nextPageToken"]).execute()["items"]) == 1


def test_calendars_are_made_read_and_deleted(google, client):
    service = client(scopes=(f"{SCOPE}calendar",))
    made = service.calendars().insert(body={"summary": "Projects", "timeZone": "Asia/Tokyo"}).execute()
    assert service.calendars().get(calendarId=made["id"]).execute()["timeZone"] == "Asia/Tokyo"
    event = service.events().insert(calendarId=made["id"], body=all_day()).execute()
    assert event["organizer"] == {"email": made["id"], "displayName": "Projects", "self": True}
    assert event["creator"] == {"email": ANNA}
    service.calendars().delete(calendarId=made["id"]).execute()
    with refused(404, "notFound"):
        service.events().list(calendarId=made["id"]).execute()
    with refused(400, "invalid"):
        service.calendars().delete(calendarId="primary").execute()


def test_clearing_is_for_the_primary_calendar(google, client):
    service = client(scopes=(f"{SCOPE}calendar",))
    insert(service.events(), timed())
    other = google.add_calendar(ANNA, summary="Projects")
    service.calendars().clear(calendarId="primary").execute()
    assert page(service.events())["items"] == []
    with refused(400, "invalid"):
        service.calendars().clear(calendarId=other.id).execute()


def test_free_and_busy(google, client):
    service = client(scopes=(f"{SCOPE}calendar",))
    insert(service.events(), timed())
    insert(service.events(), timed("Overlaps", "2026-05-04T10:30:00", "2026-05-04T11:30:00"))
    insert(service.events(), timed("Free", "2026-05-04T15:00:00", "2026-05-04T16:00:00", transparency="transparent"))
    query = {
        "timeMin": "2026-05-04T00:00:00Z",
        "timeMax": "2026-05-05T00:00:00Z",
        "items": [{"id": ANNA}, {"id": BORIS}],
    }
    answer = service.freebusy().query(body=query).execute()["calendars"]
    assert answer[ANNA]["busy"] == [{"start": "2026-05-04T08:00:00Z", "end": "2026-05-04T09:30:00Z"}]
    assert answer[BORIS]["errors"] == [{"domain": "global", "reason": "notFound"}]


def busy_query(*ids, **more):
    return {
        "timeMin": "2026-05-04T00:00:00Z",
        "timeMax": "2026-05-05T00:00:00Z",
        "items": [{"id": each} for each in ids],
        **more,
    }


def test_free_and_busy_of_series_answers_and_clipped_to_the_window(google, client):
    service = client(scopes=(f"{SCOPE}calendar",))
    long = timed("Night", "2026-05-03T20:00:00", "2026-05-04T04:00:00")
    insert(service.events(), long)
    insert(service.events(), timed("Daily", recurrence=["RRULE:FREQ=DAILY"]))
    declined = insert(
        client(BORIS).events(), timed("No", "2026-05-04T15:00:00", "2026-05-04T16:00:00", attendees=guests(ANNA))
    )
    google.person(ANNA).respond(declined["id"], "declined")

    answer = service.freebusy().query(body=busy_query(ANNA, timeZone="Europe/Berlin")).execute()

    assert answer["timeMin"] == "2026-05-04T02:00:00+02:00"
    assert answer["calendars"][ANNA]["busy"] == [
        {"start": "2026-05-04T02:00:00+02:00", "end": "2026-05-04T04:00:00+02:00"},
        {"start": "2026-05-04T10:00:00+02:00", "end": "2026-05-04T11:00:00+02:00"},
    ]


def test_free_and_busy_shows_no_more_than_fifty_calendars(google, client):
    query = client(scopes=(f"{SCOPE}calendar.freebusy",)).freebusy().query
    ids = [google.add_calendar(ANNA, summary=f"Number {number}").id for number in range(51)]
    calendars = query(body=busy_query(*ids)).execute()["calendars"]
    failed = {name: each["errors"][0]["reason"] for name, each in calendars.items() if "errors" in each}
    assert failed == {ids[50]: "tooManyCalendarsRequested"}
    fewer = query(body=busy_query(*ids[:3], calendarExpansionMax=2)).execute()["calendars"]
    assert ["errors" in each for each in fewer.values()] == [False, False, True]


def test_free_and_busy_of_a_group(google, client):
    google.add_group("team@northfold.example", [ANNA, CLARA])
    query = client(scopes=(f"{SCOPE}calendar.freebusy",)).freebusy().query
    answer = query(body=busy_query("team@northfold.example", ANNA)).execute()
    assert answer["groups"] == {"team@northfold.example": {"calendars": [ANNA, CLARA]}}
    assert [answer["calendars"][each].get("errors", []) != [] for each in (ANNA, CLARA)] == [False, True]
    answer = query(body=busy_query("team@northfold.example", groupExpansionMax=1)).execute()
    assert answer["groups"]["team@northfold.example"]["errors"][0]["reason"] == "groupTooBig"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"timeMax": "2026-05-04T00:00:00Z"}, "timeRangeEmpty"),
        ({"timeMin": "yesterday"}, "badRequest"),
        ({"timeZone": "Mars/Olympus"}, "invalid"),
        ({"items": "all"}, "invalid"),
    ],
    ids=str,
)
def test_a_bad_question_about_free_and_busy_is_refused(google, client, change, reason):
    query = client(scopes=(f"{SCOPE}calendar.freebusy",)).freebusy().query
    with refused(400, reason):
        query(body=busy_query(ANNA) | change).execute()


def test_who_sees_free_and_busy_sees_no_series(google, anna, boris):
    google.share_calendar(ANNA, with_email=BORIS, role="freeBusyReader")
    insert(anna, timed(recurrence=["RRULE:FREQ=DAILY;COUNT=3"]))
    answer = boris.list(calendarId=ANNA).execute()
    assert len(answer["items"]) == 3
    assert not any("recurrence" in row for row in answer["items"])


def test_a_writer_without_private_access(google, anna, boris):
    google.share_calendar(ANNA, with_email=BORIS, role="writerWithoutPrivateAccess")
    insert(anna, timed("Secret", visibility="private"))
    assert "summary" not in boris.list(calendarId=ANNA).execute()["items"][0]
    assert boris.insert(calendarId=ANNA, body=timed()).execute()["creator"] == {"email": BORIS}


def test_the_calendar_list_tells_what_came_and_what_left(google, client):
    service = client(scopes=(f"{SCOPE}calendar",))
    listed = service.calendarList()
    old = google.add_calendar(ANNA, summary="Old")
    token = listed.list().execute()["nextSyncToken"]
    service.calendars().delete(calendarId=old.id).execute()
    google.share_calendar(BORIS, with_email=ANNA, role="reader")

    answer = listed.list(syncToken=token).execute()

    assert [(row["id"], row.get("deleted", False)) for row in answer["items"]] == [(BORIS, False), (old.id, True)]
    assert listed.list(syncToken=answer["nextSyncToken"]).execute()["items"] == []
    for beside in ({"minAccessRole": "reader"}, {"showHidden": False}):
        with refused(400, "badRequest"):
            listed.list(syncToken=token, **beside).execute()
    with refused(400, "invalid"):
        listed.list(syncToken="nonsense").execute()
    owned = listed.list(minAccessRole="owner").execute()
    assert [row["id"] for row in owned["items"]] == [ANNA]


def test_settings_and_colors(google, client):
    service = client(scopes=(f"{SCOPE}calendar.readonly",))
    assert service.settings().get(setting="timezone").execute()["value"] == "Europe/Berlin"
    listed = service.settings().list().execute()
    assert {"locale", "timezone", "weekStart", "format24HourTime"} <= {each["id"] for each in listed["items"]}
    assert service.settings().list(syncToken=listed["nextSyncToken"]).execute()["items"] == []
    first = service.settings().list(maxResults=5).execute()
    assert len(first["items"]) == 5
    assert "nextSyncToken" not in first
    assert service.settings().list(maxResults=50, pageToken=first["nextPageToken"]).execute()["nextSyncToken"]
    colors = service.colors().get().execute()
    assert list(colors["event"]) == [str(number) for number in range(1, 12)]
    assert list(colors["calendar"]) == [str(number) for number in range(1, 25)]
    assert len({color["background"] for color in colors["event"].values()}) == 11
    with refused(404, "notFound"):
        service.settings().get(setting="nothing").execute()
