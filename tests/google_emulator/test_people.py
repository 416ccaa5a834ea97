"""Invitations: copies on other people's calendars, answers, rights, and the mail about them."""

from __future__ import annotations

import pytest
import requests

from .conftest import ANNA, BORIS, CLARA, PETER
from .helpers import Delta, delete, get, guests, insert, page, patch, put, refused, timed


def answers(event):
    return {guest["email"]: guest["responseStatus"] for guest in event.get("attendees", [])}


@pytest.fixture
def meeting(google, anna):
    """A meeting that Anna organizes, with Boris, Clara and somebody without a Google account."""
    return insert(anna, timed("Review", attendees=guests(ANNA, BORIS, CLARA, PETER)))


@pytest.mark.checklist(15)
def test_a_guests_calendar_gets_a_copy(google, anna, boris):
    delta = Delta(boris)
    event = insert(anna, timed("Review", attendees=guests(BORIS, PETER), location="Room", visibility="private"))

    [copy] = delta.rows()

    assert (copy["id"], copy["iCalUID"]) == (event["id"], event["iCalUID"])
    assert (copy["summary"], copy["location"]) == ("Review", "Room")
    assert copy["etag"] != event["etag"]
    assert copy["organizer"] == copy["creator"] == {"email": ANNA}
    assert event["organizer"] == {"email": ANNA, "self": True}
    assert copy["attendees"][0] == {"email": BORIS, "responseStatus": "needsAction", "self": True}
    assert "self" not in event["attendees"][0]
    assert "visibility" not in copy, "each copy has its own"


def test_the_organizer_is_a_guest_only_if_named(google, anna):
    assert answers(insert(anna, timed(attendees=guests(BORIS)))) == {BORIS: "needsAction"}
    named = insert(anna, timed(attendees=[{"email": ANNA, "responseStatus": "accepted"}, *guests(BORIS)]))
    assert named["attendees"][0] == {
        "email": ANNA,
        "responseStatus": "accepted",
        "organizer": True,
        "self": True,
    }


def test_nobody_answers_for_somebody_else(google, anna, boris):
    event = insert(anna, timed(attendees=[{"email": BORIS, "responseStatus": "accepted"}]))
    assert answers(event) == {BORIS: "needsAction"}
    patch(anna, event["id"], {"attendees": [{"email": BORIS, "responseStatus": "declined"}]})
    assert answers(get(boris, event["id"])) == {BORIS: "needsAction"}


@pytest.mark.checklist(16)
@pytest.mark.parametrize("omitted", [True, False])
def test_a_guests_answer_reaches_everybody(google, anna, boris, clara, meeting, omitted):
    at_annas, at_claras = Delta(anna), Delta(clara)
    mine = {"email": BORIS, "responseStatus": "tentative", "comment": "Late by a bit"}
    body = {"attendees": [mine], "attendeesOmitted": True} if omitted else {"attendees": [mine, *guests(CLARA)]}

    answer = patch(boris, meeting["id"], body)

    expected = {ANNA: "needsAction", BORIS: "tentative", CLARA: "needsAction", PETER: "needsAction"}
    assert answers(answer) == expected
    [row] = at_annas.rows()
    assert answers(row) == expected
    assert row["attendees"][1]["comment"] == "Late by a bit"
    assert [answers(each) for each in at_claras.rows()] == [expected]
    assert row["etag"] != meeting["etag"]
    assert row["sequence"] == 0


def test_the_organizers_change_reaches_the_guests(google, anna, boris, meeting):
    delta = Delta(boris)
    patch(anna, meeting["id"], {"summary": "New", "description": "Notes", "location": None})

    [row] = delta.rows()

    assert (row["summary"], row["description"]) == ("New", "Notes")


@pytest.mark.checklist(19)
def test_what_is_the_organizers_own_does_not_reach_the_guests(google, anna, boris, meeting):
    delta = Delta(boris)
    own = {
        "visibility": "private",
        "transparency": "transparent",
        "colorId": "5",
        "reminders": {"useDefault": False},
        "extendedProperties": {"private": {"a": "1"}},
    }
    patch(anna, meeting["id"], own)
    assert delta.rows() == []
    assert not own.keys() - {"reminders"} & get(boris, meeting["id"]).keys()


@pytest.mark.checklist(19)
def test_what_is_a_guests_own_stays_there_also_after_the_organizers_change(google, anna, boris, meeting):
    at_annas = Delta(anna)
    own = {
        "visibility": "private",
        "transparency": "transparent",
        "colorId": "5",
        "reminders": {"useDefault": False, "overrides": [{"method": "popup", "minutes": 5}]},
        "extendedProperties": {"private": {"a": "1"}},
    }
    patch(boris, meeting["id"], own)
    assert at_annas.rows() == []
    patch(anna, meeting["id"], {"summary": "New"})

    copy = get(boris, meeting["id"])

    assert copy["summary"] == "New"
    assert {name: copy[name] for name in own} == own


@pytest.mark.checklist(19)
def test_shared_properties_reach_everybody_from_anybody(google, anna, boris, clara, meeting):
    patch(anna, meeting["id"], {"extendedProperties": {"shared": {"a": "1"}}})
    assert get(boris, meeting["id"])["extendedProperties"] == {"shared": {"a": "1"}}
    patch(boris, meeting["id"], {"extendedProperties": {"shared": {"a": "2"}}})
    assert get(anna, meeting["id"])["extendedProperties"] == {"shared": {"a": "2"}}
    assert get(clara, meeting["id"])["extendedProperties"] == {"shared": {"a": "2"}}


@pytest.mark.checklist(17)
def test_a_guest_without_rights_changes_only_the_own_copy(google, anna, boris, meeting):
    changed = patch(boris, meeting["id"], {"summary": "Mine", "location": "Elsewhere"})
    assert (changed["summary"], changed["location"]) == ("Mine", "Elsewhere")
    assert get(anna, meeting["id"])["etag"] == meeting["etag"]

    patch(anna, meeting["id"], {"description": "The next change overwrites"})

    copy = get(boris, meeting["id"])
    assert copy["summary"] == "Review"
    assert "location" not in copy


def test_an_answer_of_somebody_else_leaves_local_edits(google, boris, clara, meeting):
    patch(boris, meeting["id"], {"summary": "Mine"})
    google.person(CLARA).respond(meeting["id"], "accepted")
    assert get(boris, meeting["id"])["summary"] == "Mine"
    assert answers(get(boris, meeting["id"]))[CLARA] == "accepted"


@pytest.mark.checklist(17)
def test_guest_edits_can_be_forbidden(google, boris, meeting):
    google.behavior.guest_edits = "forbidden"
    with refused(403, "forbiddenForNonOrganizer"):
        patch(boris, meeting["id"], {"summary": "Mine"})
    mine = [{"email": BORIS, "responseStatus": "accepted"}]
    assert answers(patch(boris, meeting["id"], {"attendees": mine}))[BORIS] == "accepted"


def test_a_locked_copy_refuses_main_fields(google, boris, meeting):
    google.store.lock_copy(calendar_id=BORIS, event_id=meeting["id"])
    assert get(boris, meeting["id"])["locked"] is True
    with refused(403, "forbidden"):
        patch(boris, meeting["id"], {"summary": "Mine"})
    assert patch(boris, meeting["id"], {"colorId": "3"})["colorId"] == "3"


def test_a_guest_with_rights_changes_it_for_everybody(google, anna, boris, clara):
    event = insert(anna, timed(attendees=guests(BORIS, CLARA), guestsCanModify=True))
    assert get(boris, event["id"])["guestsCanModify"] is True

    moved = timed("New", start="2026-05-05T10:00:00", end="2026-05-05T11:00:00")
    patch(boris, event["id"], moved | {"attendees": guests(BORIS, PETER)})

    for copy in (get(anna, event["id"]), get(boris, event["id"])):
        assert (copy["summary"], copy["sequence"]) == ("New", 1)
        assert copy["start"]["dateTime"] == "2026-05-05T10:00:00+02:00"
        assert set(answers(copy)) == {BORIS, PETER}
    assert get(clara, event["id"])["status"] == "cancelled"


@pytest.mark.checklist(17)
@pytest.mark.parametrize("right", ["guestsCanInviteOthers", "guestsCanModify", "guestsCanSeeOtherGuests"])
def test_a_guest_cannot_change_the_guests_rights(google, boris, meeting, right):
    with refused(403, "forbiddenForNonOrganizer") as refusal:
        patch(boris, meeting["id"], {right: right == "guestsCanModify"})
    assert refusal.error["domain"] == "calendar"
    assert refusal.message == "Shared properties can only be changed by the organizer of the event."


@pytest.mark.checklist(17)
def test_a_guests_update_has_to_repeat_the_rights(google, boris, meeting):
    body = timed("Mine", attendees=[{"email": BORIS, "responseStatus": "accepted"}])
    with refused(403, "forbiddenForNonOrganizer"):
        put(boris, meeting["id"], body)
    rights = {"guestsCanInviteOthers": True, "guestsCanModify": False, "guestsCanSeeOtherGuests": True}
    assert answers(put(boris, meeting["id"], body | rights))[BORIS] == "accepted"


def test_private_properties_of_a_guest_can_be_forbidden(google, boris, meeting):
    google.behavior.guest_private_properties = "forbidden"
    with refused(403, "forbiddenForNonOrganizer"):
        patch(boris, meeting["id"], {"extendedProperties": {"private": {"a": "1"}}})


def test_a_guest_may_invite_others_unless_forbidden(google, anna, boris, meeting):
    listed = get(boris, meeting["id"])["attendees"]
    patch(boris, meeting["id"], {"attendees": [*listed, {"email": "new@x.example"}]})
    assert "new@x.example" in answers(get(anna, meeting["id"]))

    patch(anna, meeting["id"], {"guestsCanInviteOthers": False})
    patch(boris, meeting["id"], {"attendees": [*listed, {"email": "newer@x.example"}]})
    assert "newer@x.example" not in answers(get(anna, meeting["id"]))


def test_a_guest_cannot_throw_others_out(google, anna, boris, meeting):
    patch(boris, meeting["id"], {"attendees": [{"email": BORIS, "responseStatus": "accepted"}]})
    assert set(answers(get(anna, meeting["id"]))) == {ANNA, BORIS, CLARA, PETER}


def test_hidden_guests_are_hidden_from_guests(google, anna, boris):
    event = insert(anna, timed(attendees=guests(ANNA, BORIS, CLARA), guestsCanSeeOtherGuests=False))
    assert set(answers(get(boris, event["id"]))) == {ANNA, BORIS}
    assert set(answers(event)) == {ANNA, BORIS, CLARA}


def test_the_organizer_answers_alone_with_attendees_omitted(google, anna, boris, meeting):
    google.person(BORIS).respond(meeting["id"], "accepted")
    mine = {"email": ANNA, "responseStatus": "declined", "displayName": "ignored"}
    changed = patch(anna, meeting["id"], {"attendees": [mine], "attendeesOmitted": True})
    assert answers(changed)[BORIS] == "accepted"
    assert answers(get(boris, meeting["id"]))[ANNA] == "declined"
    assert "displayName" not in changed["attendees"][0]


def test_adding_and_removing_guests(google, anna, boris, clara):
    event = insert(anna, timed(attendees=guests(BORIS)))
    google.person(BORIS).respond(event["id"], "accepted")
    at_boris, at_clara = Delta(boris), Delta(clara)

    kept = get(anna, event["id"])["attendees"]
    patch(anna, event["id"], {"attendees": [*kept, {"email": CLARA}]})
    assert [answers(row) for row in at_clara.rows()] == [{BORIS: "accepted", CLARA: "needsAction"}]
    at_boris.rows()

    patch(anna, event["id"], {"attendees": guests(CLARA)})
    assert [(row["id"], row["status"]) for row in at_boris.rows()] == [(event["id"], "cancelled")]

    patch(anna, event["id"], {"attendees": guests(BORIS, CLARA)})
    assert [row["status"] for row in at_boris.rows()] == ["confirmed"], "invited again"


@pytest.mark.checklist(18)
def test_a_guest_who_deletes_declines(google, anna, boris, clara, meeting):
    at_annas, at_boris = Delta(anna), Delta(boris)
    delete(boris, meeting["id"])

    assert [row["status"] for row in at_boris.rows()] == ["cancelled"]
    assert [answers(row)[BORIS] for row in at_annas.rows()] == ["declined"]
    assert get(clara, meeting["id"])["status"] == "confirmed"
    patch(anna, meeting["id"], {"summary": "New"})
    assert at_boris.rows() == [], "thrown away"


def test_a_guest_who_patches_to_cancelled_declines_too(google, anna, boris, meeting):
    patch(boris, meeting["id"], {"status": "cancelled"})
    assert answers(get(anna, meeting["id"]))[BORIS] == "declined"


@pytest.mark.checklist(18)
def test_the_organizers_deletion_reaches_the_guests(google, anna, boris, meeting):
    delta = Delta(boris)
    delete(anna, meeting["id"])
    [row] = delta.rows()
    assert row == {"kind": "calendar#event", "etag": row["etag"], "id": meeting["id"], "status": "cancelled"}


@pytest.mark.checklist(18)
@pytest.mark.parametrize(("updates", "status"), [("none", "confirmed"), ("all", "cancelled")])
def test_a_silent_deletion_can_leave_the_guests_copies(google, anna, boris, meeting, updates, status):
    google.behavior.silent_delete_keeps_copies = True
    delete(anna, meeting["id"], sendUpdates=updates)
    assert get(boris, meeting["id"])["status"] == status


def test_bringing_a_meeting_back_brings_the_copies_back(google, anna, boris, meeting):
    delete(anna, meeting["id"])
    with refused(403, "forbidden"):
        patch(boris, meeting["id"], {"status": "confirmed"})
    patch(anna, meeting["id"], {"status": "confirmed"})
    assert get(boris, meeting["id"])["status"] == "confirmed"


def test_a_guest_takes_an_invitation_back_from_the_bin(google, anna, boris, meeting):
    delete(boris, meeting["id"])
    patch(anna, meeting["id"], {"summary": "New"})

    copy = patch(boris, meeting["id"], {"status": "confirmed"})

    assert (copy["status"], copy["summary"]) == ("confirmed", "New")
    assert answers(get(anna, meeting["id"]))[BORIS] == "needsAction"
    patch(anna, meeting["id"], {"attendees": guests(CLARA)})
    with refused(403, "forbidden"):
        patch(boris, meeting["id"], {"status": "confirmed"})


def test_an_unrelated_event_with_the_same_id_is_left_alone(google, anna, boris):
    insert(boris, timed("Boris's own", id="aaaaa00001"))
    insert(anna, timed("Anna's", id="aaaaa00001", attendees=guests(BORIS)))
    assert get(boris, "aaaaa00001")["summary"] == "Boris's own"


def test_a_private_copy_is_for_nobody_else(google, anna, boris):
    insert(anna, timed(attendees=guests(BORIS), privateCopy=True))
    assert page(boris)["items"] == []


def test_source_is_the_creators(google, anna, boris, meeting):
    with refused(403, "forbiddenForNonCreator"):
        patch(boris, meeting["id"], {"source": {"title": "x", "url": "https://x.example"}})
    source = {"title": "Page", "url": "https://x.example"}
    assert patch(anna, meeting["id"], {"source": source})["source"] == source
    assert "source" not in get(boris, meeting["id"])


@pytest.mark.checklist(17)
def test_an_import_over_an_invitation_has_to_repeat_the_rights(google, boris, meeting):
    body = timed("Mine", iCalUID=meeting["iCalUID"])
    with refused(403, "forbiddenForNonOrganizer"):
        boris.import_(calendarId="primary", body=body).execute()
    assert get(boris, meeting["id"])["summary"] == "Review"


# Groups and rooms

TEAM = "team@northfold.example"


@pytest.fixture
def team_meeting(google, anna):
    google.add_group(TEAM, [BORIS, CLARA, PETER])
    return insert(anna, timed("Team", attendees=guests(ANNA, TEAM)))


def test_a_group_is_one_guest_and_its_members_get_copies(google, anna, boris, clara, team_meeting):
    assert answers(team_meeting) == {ANNA: "needsAction", TEAM: "needsAction"}
    for member in (boris, clara):
        assert answers(get(member, team_meeting["id"])) == {ANNA: "needsAction", TEAM: "needsAction"}
    patch(anna, team_meeting["id"], {"summary": "New"})
    assert get(clara, team_meeting["id"])["summary"] == "New"


@pytest.mark.parametrize("omitted", [True, False])
def test_a_member_of_a_group_who_answers_is_named(google, anna, boris, clara, team_meeting, omitted):
    body = {"attendees": [{"email": BORIS, "responseStatus": "accepted"}]}
    patch(boris, team_meeting["id"], body | ({"attendeesOmitted": True} if omitted else {}))
    expected = {ANNA: "needsAction", TEAM: "needsAction", BORIS: "accepted"}
    assert answers(get(anna, team_meeting["id"])) == answers(get(clara, team_meeting["id"])) == expected


def test_a_member_of_a_group_who_deletes_declines(google, anna, boris, clara, team_meeting):
    delete(boris, team_meeting["id"])
    assert answers(get(anna, team_meeting["id"]))[BORIS] == "declined"
    patch(anna, team_meeting["id"], {"summary": "New"})
    assert get(boris, team_meeting["id"])["status"] == "cancelled", "thrown away"
    assert get(clara, team_meeting["id"])["status"] == "confirmed"
    assert patch(boris, team_meeting["id"], {"status": "confirmed"})["summary"] == "New"


def test_a_group_taken_from_the_list_takes_its_members_along(google, anna, boris, team_meeting):
    patch(anna, team_meeting["id"], {"attendees": guests(ANNA)})
    assert get(boris, team_meeting["id"])["status"] == "cancelled"


def test_a_room_accepts_unless_it_is_taken(google, anna, boris):
    room = google.add_room(name="Library", domain="northfold.example", time_zone="Europe/Berlin").email
    assert room.endswith("@resource.calendar.google.com")
    first = insert(anna, timed("First", attendees=guests(room)))
    second = insert(boris, timed("Second", "2026-05-04T10:30:00", "2026-05-04T11:30:00", attendees=guests(room)))
    assert first["attendees"] == [{"email": room, "resource": True, "responseStatus": "accepted"}]
    assert answers(second) == {room: "declined"}

    later = patch(boris, second["id"], timed("Second", "2026-05-04T11:00:00", "2026-05-04T12:00:00"))
    assert answers(later) == {room: "accepted"}
    assert answers(patch(anna, first["id"], {"summary": "Still mine"})) == {room: "accepted"}


def test_a_room_signs_in_nowhere(google):
    room = google.add_room(name="Library", domain="northfold.example")
    url = f"{google.url}/o/oauth2/v2/auth"
    scope = "https://www.googleapis.com/auth/calendar.events"
    query = {"client_id": "local-client", "redirect_uri": "http://localhost:9/", "response_type": "code"}
    listed = requests.get(url, params=query | {"scope": scope}, timeout=5).text
    assert ANNA in listed
    assert room.email not in listed


# Mail


@pytest.mark.parametrize(
    ("updates", "told"),
    [
        ({"sendUpdates": "all"}, [BORIS, PETER]),
        ({"sendUpdates": "externalOnly"}, [PETER]),
        ({"sendUpdates": "none"}, []),
        ({}, []),
        ({"sendNotifications": True}, [BORIS, PETER]),
    ],
    ids=str,
)
def test_who_gets_mail(google, anna, updates, told):
    event = insert(anna, timed(attendees=guests(ANNA, BORIS, PETER)), **updates)
    patch(anna, event["id"], {"summary": "New"}, **updates)
    delete(anna, event["id"], **updates)

    for kind in ("invitation", "update", "cancellation"):
        assert sorted(mail.to for mail in google.mail.all(kind=kind, event_id=event["id"])) == sorted(told)
    assert len(google.mail) == 3 * len(told)


def test_an_answer_is_mailed_to_the_organizer(google, boris, meeting):
    patch(
        boris,
        meeting["id"],
        {"attendees": [{"email": BORIS, "responseStatus": "accepted"}], "attendeesOmitted": True},
        sendUpdates="all",
    )
    assert [(mail.to, mail.kind, mail.by) for mail in google.mail] == [(ANNA, "response", BORIS)]


def test_own_fields_cause_no_mail(google, anna, meeting):
    patch(anna, meeting["id"], {"colorId": "3", "extendedProperties": {"private": {"a": "1"}}}, sendUpdates="all")
    assert len(google.mail) == 0


# The page of a person


def test_a_person_acts_as_in_googles_page(google, anna, boris):
    event = google.person(ANNA).create_event(timed("Made in the page", attendees=guests(BORIS, PETER)))
    assert answers(event) == {ANNA: "accepted", BORIS: "needsAction", PETER: "needsAction"}
    google.person(BORIS).respond(event["id"], "accepted", comment="With pleasure")

    changed = google.person(ANNA).edit(event["id"], {"attendees": guests(ANNA, BORIS, CLARA)})

    assert answers(changed) == {ANNA: "accepted", BORIS: "accepted", CLARA: "needsAction"}
    assert [row["summary"] for row in google.person(CLARA).events()] == ["Made in the page"]
    google.person(ANNA).delete(event["id"])
    assert google.person(BORIS).events() == []
    assert get(boris, event["id"])["status"] == "cancelled"
    assert google.person(ANNA).restore(event["id"])["status"] == "confirmed"


def test_mail_events_are_made_by_google_only(google, anna):
    calendar = google.directory.calendars[ANNA]
    google.store.add_gmail_event(calendar=calendar, raw=timed("Flight to Lisbon"))
    [row] = page(anna, eventTypes="fromGmail")["items"]
    assert (row["eventType"], row["summary"]) == ("fromGmail", "Flight to Lisbon")
