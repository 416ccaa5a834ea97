"""Known traps of calendar synchronization, each with a test named after it. Series have a file of their own."""

from __future__ import annotations

import html
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from activities import services
from activities.models import Activity, Participant
from google_emulator import Emulator, events, rendering
from sync.google.gateway import CalendarGateway
from sync.models import EventLink, SyncedCalendar, SyncSession
from tests.factories import make_user
from tests.google import synchronize
from tests.sync.helpers import ELEVEN, TEN, assert_quiet, change, counts, fresh, invite_both, only_activity, tagged
from tests.sync.wire import etag, google_sets, sent

pytestmark = pytest.mark.django_db(transaction=True)

ANNA, BORIS, MARIA = "anna@northfold.example", "boris@northfold.example", "maria@partner.example"


@pytest.fixture
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CalendarGateway.list_events.__kwdefaults__, "page_size", 2)


def summaries(google: Emulator, address: str = ANNA) -> list[str]:
    return sorted(event["summary"] for event in google.person(address).events())


def retry_now(calendar: SyncedCalendar) -> SyncSession:
    """Run the session in which every parked item's pause has passed."""
    EventLink.objects.filter(retry_at__isnull=False).update(retry_at=timezone.now() - timedelta(seconds=1))
    return synchronize(calendar)


# --- Ids ---------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R13", "R14")
@pytest.mark.parametrize("told_by", ["the listing", "a 409"])
def test_a_reused_id_of_a_deleted_event(google, anna, annas, told_by):
    synchronize(annas)
    activity = tagged(anna)
    person = google.person(ANNA)

    def delete_it() -> None:
        person.delete(person.events()[0]["id"])

    if told_by == "the listing":  # The answer is lost for good, and somebody deletes the event before we look again.
        google.fail("reset", when="after", method="POST", times=20)
        synchronize(annas)
        google.faults.clear()
        delete_it()
    else:  # The answer is lost, and the event is deleted before the request is repeated.
        google.fail("reset", when="after", method="POST")
        google.interject(delete_it, method="POST")
    synchronize(annas)

    assert fresh(activity).status == "canceled"  # R14: a person deleted it.
    assert person.events() == []
    assert_quiet(google, annas)

    google.requests.clear()
    first = EventLink.objects.get().event_id
    services.set_status(activity=activity, by=anna, status="not_started", now=timezone.now())
    synchronize(annas)

    [insert] = sent(google, method="POST")
    assert (insert.status, insert.event_id != first) == (200, True)
    assert summaries(google) == ["Renewal call"]
    assert_quiet(google, annas)


@pytest.mark.rule("R13", "R19")
def test_a_409_answered_for_ever(google, anna, annas):
    synchronize(annas)
    activity, other = tagged(anna, "Renewal call"), tagged(anna, "Site visit")
    google.fail(status=409, reason="duplicate", method="POST", path="/events", times=1000)

    for _session in range(3):
        google.requests.clear()
        synchronize(annas)
        assert len(sent(google)) <= 8  # A few ids for each of the two, then their turn is over.
        assert {fresh(activity).status, fresh(other).status} == {"not_started"}  # An error cancels nothing.
    google.faults.clear()
    retry_now(annas)
    retry_now(annas)

    assert summaries(google) == ["Renewal call", "Site visit"]
    assert_quiet(google, annas)


@pytest.mark.rule("R9", "R13")
@pytest.mark.parametrize("stranger", ["an event of one's own", "a copy of another activity's", "an invitation"])
def test_a_409_from_a_strangers_event(google, anna, annas, stranger):
    synchronize(annas)
    activity = tagged(anna)
    google.add_account(MARIA, name="Maria")
    hidden = {"extendedProperties": {"private": {"creatioActivity": "0b8f0a1e-3c2d-4f5a-9b6c-7d8e9f0a1b2c"}}}

    def take_the_id() -> None:
        event = {"id": sent(google, method="POST")[-1].event_id, "summary": "A stranger's", **ELEVEN}
        if stranger == "an invitation":
            google.person(MARIA).create_event({**event, "attendees": [{"email": ANNA}]})
        else:
            google.fill(ANNA, [event if stranger.startswith("an event") else {**event, **hidden}])

    google.interject(take_the_id, method="POST", path="/events")
    synchronize(annas)
    retry_now(annas)

    assert summaries(google) == ["A stranger's", "Renewal call"]
    assert (fresh(activity).subject, fresh(activity).status) == ("Renewal call", "not_started")
    assert not [write for write in sent(google) if write.method != "POST"]  # The stranger's event is left alone.
    assert_quiet(google, annas)


@pytest.mark.rule("R9")
def test_a_copy_made_in_google_that_carries_our_hidden_id(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    [original] = google.person(ANNA).events()
    copied = {"extendedProperties": original["extendedProperties"], "summary": "Renewal call", **ELEVEN}
    copy = google.person(ANNA).create_event(copied)

    assert counts(synchronize(annas)) == {"added_here": 1}

    other = Activity.objects.exclude(pk=activity.pk).get()
    assert EventLink.objects.get(activity=activity).event_id == original["id"]
    assert EventLink.objects.get(activity=other).event_id == copy["id"]
    google.person(ANNA).delete(original["id"])
    change(other, anna, subject="The other call")
    synchronize(annas)
    assert (fresh(activity).status, fresh(other).status) == ("canceled", "not_started")
    assert summaries(google) == ["The other call"]
    assert_quiet(google, annas)


@pytest.mark.rule("R9")
def test_a_forged_invitation_with_a_known_icaluid_and_the_same_id(google, anna, annas, boris, boriss):
    real = google.person(ANNA).create_event({"summary": "Board", **TEN})
    synchronize(annas)
    google.add_account("mallory@elsewhere.example", name="Mallory")
    forged = {"id": real["id"], "iCalUID": real["iCalUID"], "summary": "Forged", "attendees": [{"email": BORIS}], **TEN}
    google.person("mallory@elsewhere.example").create_event(forged)

    synchronize(boriss)
    synchronize(annas)

    board = Activity.objects.get(subject="Board")
    assert [person.profile for person in board.participants.all()] == [anna]
    assert not Activity.objects.visible_to(boris).filter(subject="Board").exists()
    assert Activity.objects.get(subject="Forged").organizer == boris
    assert google.person(ANNA).event(real["id"])["summary"] == "Board"


# --- Reading -----------------------------------------------------------------------------------------------------


@pytest.mark.rule("R20")
@pytest.mark.usefixtures("_small_pages")
def test_a_token_that_expires_on_page_3(google, anna, annas):
    activities = [tagged(anna, f"Visit {number}") for number in range(7)]
    synchronize(annas)
    person = google.person(ANNA)
    for event in person.events()[:6]:
        person.edit(event["id"], {"location": "Moved"})
    gone = person.events()[6]
    person.delete(gone["id"])
    google.fail(status=410, reason="fullSyncRequired", path=r"/events$", skip=2)
    google.requests.clear()

    session = synchronize(annas)

    assert (session.status, counts(session)) == ("succeeded", {"updated_here": 6, "removed_here": 1})
    assert [fresh(each).location for each in activities].count("Moved") == 6
    assert Activity.objects.count() == len(activities)
    assert sent(google) == []
    assert_quiet(google, annas)


@pytest.mark.rule("R20")
@pytest.mark.usefixtures("_small_pages")
def test_a_token_that_expires_on_page_3_of_the_first_reading(google, anna, annas):
    google.fill(ANNA, [{"summary": f"Visit {number}", **TEN} for number in range(7)])
    google.fail(status=410, reason="fullSyncRequired", path=r"/events$", skip=2)

    session = synchronize(annas)

    assert (session.status, counts(session)) == ("succeeded", {"added_here": 7})
    assert_quiet(google, annas)


@pytest.mark.rule("R12", "R18")
@pytest.mark.parametrize("etags", ["microseconds", "opaque"])
def test_an_own_echo(google, anna, annas, etags):
    google.behavior.etags = etags
    activity = tagged(anna)
    synchronize(annas)
    change(activity, anna, subject="Renewal call, again")
    synchronize(annas)
    [event] = google.person(ANNA).events()
    modified = fresh(activity).modified_at
    google.requests.clear()

    echo = synchronize(annas)
    google.store.touch(calendar_id=ANNA, event_id=event["id"])  # Another version, the same content.
    touched = synchronize(annas)

    assert (echo.events_listed, touched.events_listed) == (1, 1)
    assert (counts(echo), counts(touched), sent(google)) == ({}, {}, [])
    assert fresh(activity).modified_at == modified
    assert not activity.changes.filter(origin="google").exists()
    assert_quiet(google, annas)


@pytest.mark.rule("R19")
def test_300_events_of_which_one_cannot_be_read(google, anna, annas):
    bodies = [{"summary": f"Visit {number}", **TEN} for number in range(299)]
    broken = {"summary": "The end of time", "start": {"date": "9998-12-30"}, "end": {"date": "9998-12-31"}}
    google.fill(ANNA, [*bodies[:150], broken, *bodies[150:]])

    session = synchronize(annas)

    assert (session.status, counts(session)) == ("with_problems", {"added_here": 299})
    [parked] = session.outcomes.filter(action="parked")
    assert (parked.rule, parked.item) == ("R19", "The end of time")
    assert "no calendar here can hold" in parked.reason
    assert_quiet(google, annas)
    [event] = [event for event in google.person(ANNA).events() if event["summary"] == "The end of time"]
    google.person(ANNA).edit(event["id"], {"start": {"date": "2027-03-08"}, "end": {"date": "2027-03-09"}})
    assert counts(synchronize(annas)) == {"added_here": 1}
    assert_quiet(google, annas)


FAULTS = [
    pytest.param({"status": 403, "reason": "insufficientPermissions"}, id="no scope"),
    pytest.param({"status": 403, "reason": "forbidden"}, id="no right"),
    pytest.param({"status": 500, "reason": "backendError"}, id="500"),
    pytest.param({"kind": "html", "status": 502}, id="a page of the edge"),
    pytest.param({"kind": "truncate"}, id="half an answer"),
]


@pytest.mark.rule("R14", "R20")
@pytest.mark.parametrize("fault", [*FAULTS, pytest.param({"status": 404, "reason": "notFound"}, id="404")])
@pytest.mark.parametrize("page", [1, 3])
@pytest.mark.usefixtures("_small_pages")
def test_deletions_inferred_from_an_error(google, anna, annas, fault, page):
    activities = [tagged(anna, f"Visit {number}") for number in range(7)]
    synchronize(annas)
    google.person(ANNA).delete(google.person(ANNA).events()[0]["id"])
    google.expire_sync_tokens()
    google.fail(method="GET", path=r"/events$", skip=page, times=50, **fault)  # The first request has the old token.
    google.requests.clear()

    session = synchronize(annas)

    assert session.status == "failed"
    assert {fresh(each).status for each in activities} == {"not_started"}
    assert sent(google) == []
    google.faults.clear()
    synchronize(annas)
    assert [fresh(each).status for each in activities].count("canceled") == 1
    assert len(google.person(ANNA).events()) == 6


@pytest.mark.rule("R14", "R20")
@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.id != "half an answer"])  # Half a 404 is a 404.
def test_deletions_inferred_from_an_error_about_one_event(google, anna, annas, fault):
    activities = [tagged(anna, f"Visit {number}") for number in range(3)]
    synchronize(annas)
    google.person(ANNA).delete(google.person(ANNA).events()[0]["id"])
    google.expire_sync_tokens()
    google.behavior.tombstone_days = 1
    google.clock.advance(days=2)  # No list has it any more, not even as deleted.
    google.fail(method="GET", path=r"/events/\w", times=50, **fault)
    google.requests.clear()

    session = synchronize(annas)

    assert session.status in ("failed", "with_problems")
    assert {fresh(each).status for each in activities} == {"not_started"}
    assert sent(google) == []
    google.faults.clear()
    EventLink.objects.filter(retry_at__isnull=False).update(retry_at=timezone.now())
    synchronize(annas)
    assert [fresh(each).status for each in activities].count("canceled") == 1


# --- Copies of other people --------------------------------------------------------------------------------------


@pytest.mark.rule("R5", "R12")
def test_a_guests_copy_older_than_the_organizers(google, anna, annas, boris, boriss):
    event = invite_both(google)
    synchronize(annas)
    synchronize(boriss)
    activity = only_activity()
    change(activity, anna, subject="Quarterly review, moved", location="Room 5")
    synchronize(annas)
    google_sets(google, BORIS, event["id"], summary="Quarterly review", location=None)  # It has not arrived yet.
    google.requests.clear()

    behind = synchronize(boriss)
    organizers = synchronize(annas)

    assert (behind.status, counts(behind), counts(organizers), sent(google)) == ("succeeded", {}, {}, [])
    assert (fresh(activity).subject, fresh(activity).location) == ("Quarterly review, moved", "Room 5")
    google_sets(google, BORIS, event["id"], summary="Quarterly review, moved", location="Room 5")
    assert counts(synchronize(boriss)) == {}
    assert google.person(ANNA).event(event["id"])["summary"] == "Quarterly review, moved"
    assert_quiet(google, boriss)
    assert_quiet(google, annas)


@pytest.mark.rule("R9")
def test_a_guest_who_joins_with_a_copy_older_than_the_organizers(google, anna, annas, boris, boriss):
    event = invite_both(google)
    synchronize(annas)
    google.person(ANNA).edit(event["id"], {"summary": "Quarterly review, moved"})
    synchronize(annas)
    google_sets(google, BORIS, event["id"], summary="Quarterly review")
    google.requests.clear()

    synchronize(boriss)
    synchronize(annas)

    assert only_activity().subject == "Quarterly review, moved"
    assert sent(google) == []
    assert_quiet(google, annas)


@pytest.mark.rule("R6", "R19")
def test_foreign_events_edited_and_answered_with_403_for_ever(google, anna, annas):
    google.behavior.guest_edits = "forbidden"
    google.add_account(MARIA, name="Maria")
    event = google.person(MARIA).create_event({"summary": "Fair", "attendees": [{"email": ANNA}], **TEN})
    synchronize(annas)
    activity = only_activity()
    Activity.objects.filter(pk=activity.pk).update(subject="By an import", location="Nowhere")
    services.respond(activity=activity, profile=anna, response="accepted", now=timezone.now())
    google.requests.clear()

    session = synchronize(annas)

    assert session.status == "succeeded"
    [answer] = sent(google)  # One's own answer goes; the rest is not even tried.
    assert (answer.status, answer.send_updates) == (200, "none")
    assert answer.body == {
        "attendeesOmitted": True,
        "attendees": [{"email": ANNA, "responseStatus": "accepted"}],
    }
    assert (fresh(activity).subject, fresh(activity).location) == ("Fair", "")
    kept = {(outcome.field, outcome.here) for outcome in session.outcomes.filter(action="replaced", rule="R6")}
    assert kept == {("subject", "By an import"), ("location", "Nowhere")}
    assert google.person(MARIA).event(event["id"])["summary"] == "Fair"
    assert_quiet(google, annas)


@pytest.mark.rule("R6", "R10")
def test_a_right_that_is_lost_between_our_look_and_our_write(google, anna, annas):
    google.behavior.guest_edits = "forbidden"
    google.add_account(MARIA, name="Maria")
    event = google.person(MARIA).create_event(
        {"summary": "Fair", "guestsCanModify": True, "attendees": [{"email": ANNA}], **TEN}
    )
    synchronize(annas)
    activity = only_activity()
    change(activity, anna, subject="Fair, stand 12")
    takes_it_back = {"guestsCanModify": False, "location": "Hall 3"}
    google.interject(lambda: google.person(MARIA).edit(event["id"], takes_it_back), method="PATCH")

    session = synchronize(annas)

    assert session.status == "succeeded"
    assert (fresh(activity).subject, fresh(activity).location) == ("Fair", "Hall 3")
    kept = session.outcomes.get(action="replaced")
    assert (kept.rule, kept.here) == ("R6", "Fair, stand 12")
    assert activity.google_organizer == MARIA
    assert_quiet(google, annas)


@pytest.mark.rule("R8", "R10")
def test_private_events_shown_to_colleagues(google, anna, annas, boris, boriss):
    clara = make_user("clara").profile
    google.person(ANNA).create_event({"summary": "Notary", "visibility": "private", **TEN})
    event = google.person(ANNA).create_event({"summary": "Review", "attendees": [{"email": BORIS}], **ELEVEN})
    mine = tagged(
        anna, "Salary talk", start=datetime(2027, 3, 9, 9, tzinfo=UTC), due=datetime(2027, 3, 9, 10, tzinfo=UTC)
    )
    synchronize(annas)
    synchronize(boriss)
    assert {each.subject for each in Activity.objects.visible_to(clara)} == {"Salary talk"}

    [salary] = [each for each in google.person(ANNA).events() if each["summary"] == "Salary talk"]
    google.person(ANNA).edit(salary["id"], {"visibility": "confidential"})
    google.person(ANNA).edit(event["id"], {"visibility": "private"})
    google.person(BORIS).edit(event["id"], {"visibility": "public"})  # His own copy says nothing about hers.
    synchronize(annas)
    synchronize(boriss)

    assert not Activity.objects.visible_to(clara).exists()
    assert Activity.objects.busy_for(clara).count() == 3
    assert {each.subject for each in Activity.objects.visible_to(boris)} == {"Review"}
    assert (fresh(mine).is_private, Activity.objects.get(subject="Review").is_private) == (True, True)
    assert google.person(BORIS).event(event["id"]).get("visibility") == "public"
    assert_quiet(google, annas)
    assert_quiet(google, boriss)


# --- Writing -----------------------------------------------------------------------------------------------------


@pytest.mark.rule("R7", "R12", "R17")
def test_guests_wiped_and_mailed_cancellations_by_a_full_write(google, anna, annas, boris, boriss):
    event = invite_both(google)
    google.person(MARIA).respond(event["id"], "accepted", comment="With pleasure")
    google.person(BORIS).respond(event["id"], "tentative")
    google_sets(google, ANNA, event["id"], colorId="11", attachments=[{"fileUrl": "https://drive.example/1"}])
    synchronize(annas)
    before = google.person(ANNA).event(event["id"])
    activity = only_activity()
    google.requests.clear()
    google.mail.clear()

    for values in ({"subject": "Review"}, {"location": "Room 5"}, {"is_private": True}, {"notes": "Agenda: all of it"}):
        seen = etag(google, ANNA, event["id"])
        change(activity, anna, **values)
        synchronize(annas)
        write = sent(google)[-1]
        assert (write.method, write.if_match, len(write.body), write.status) == ("PATCH", seen, 1, 200)

    assert [set(write.body) for write in sent(google)] == [
        {"summary"}, {"location"}, {"visibility"}, {"description"},
    ]  # fmt: skip
    assert [write.send_updates for write in sent(google)] == ["all", "all", "none", "all"]
    after = google.person(ANNA).event(event["id"])
    kept = ("attendees", "organizer", "creator", "colorId", "attachments", "iCalUID", "start", "end")
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert {mail.kind for mail in google.mail.all()} == {"update"}


@pytest.mark.rule("R17")
def test_an_invitation_storm_at_the_first_synchronization(google, anna, annas, boris, boriss):
    for number in range(5):
        tagged(anna, f"Made here {number}", participants=[boris])
        google.person(ANNA).create_event(
            {"summary": f"Made there {number}", "attendees": [{"email": BORIS}], **TEN}, notify=False
        )
    google.mail.clear()

    for calendar in (annas, boriss, annas, boriss):
        synchronize(calendar)

    assert Activity.objects.count() == 10
    assert len(google.person(BORIS).events()) == 10
    assert {write.send_updates for write in sent(google)} == {"none"}
    assert google.mail.all() == []


@pytest.mark.rule("R12", "R19")
@pytest.mark.parametrize("refusal", [{"status": 403, "reason": "forbidden"}, {"status": 400, "reason": "invalid"}])
@pytest.mark.parametrize("tried_again", ["in time", "when it changes"])
def test_a_patch_refused_once_and_lost_for_ever(google, anna, annas, refusal, tried_again):
    activity = tagged(anna)
    synchronize(annas)
    change(activity, anna, subject="Renewal call, moved", location="Room 5")
    google.fail(method="PATCH", **refusal)

    session = synchronize(annas)

    assert session.status == "with_problems"
    assert session.outcomes.get(action="parked").item == "Renewal call, moved"
    assert_quiet(google, annas)
    assert fresh(activity).subject == "Renewal call, moved"  # Nothing was taken back.
    if tried_again == "in time":
        due = EventLink.objects.filter(retry_at__gt=timezone.now())
        assert due.update(retry_at=timezone.now() - timedelta(seconds=1)) == 1
    else:
        google.person(ANNA).edit(google.person(ANNA).events()[0]["id"], {"description": "Meanwhile"})
    synchronize(annas)
    [event] = google.person(ANNA).events()
    assert (event["summary"], event["location"]) == ("Renewal call, moved", "Room 5")
    assert fresh(activity).notes == event.get("description", "")
    assert_quiet(google, annas)


@pytest.mark.rule("R12", "R14")
def test_a_deletion_of_what_changed_meanwhile(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    [event] = google.person(ANNA).events()
    services.delete(activity=activity, by=anna, now=timezone.now())
    google.interject(lambda: google.person(ANNA).edit(event["id"], {"location": "Room 5"}), method="DELETE")
    google.requests.clear()

    session = synchronize(annas)

    [deletion] = sent(google)
    assert (deletion.method, deletion.if_match, deletion.status) == ("DELETE", event["etag"], 412)
    assert (fresh(activity).deleted_at, fresh(activity).location) == (None, "Room 5")
    assert session.outcomes.get(action="replaced").rule == "R14"
    assert summaries(google) == ["Renewal call"]
    assert_quiet(google, annas)


@pytest.mark.rule("R11", "R12")
def test_whole_record_overwrites_where_two_people_changed_different_fields(google, anna, annas, boris, boriss):
    event = invite_both(google)
    google.person(ANNA).edit(event["id"], {"guestsCanModify": True})
    synchronize(annas)
    synchronize(boriss)
    activity = only_activity()
    google.person(BORIS).edit(event["id"], {"location": "Room 5", "description": "By Boris"})
    change(activity, anna, subject="By Anna", is_private=True)
    google.requests.clear()

    session = synchronize(annas)
    synchronize(boriss)

    [write] = sent(google)
    assert write.body == {"summary": "By Anna", "visibility": "private"}
    here, there = fresh(activity), google.person(BORIS).event(event["id"])
    assert (here.subject, here.location, here.notes, here.is_private) == ("By Anna", "Room 5", "By Boris", True)
    assert (there["summary"], there["location"], there["description"]) == ("By Anna", "Room 5", "By Boris")
    assert "visibility" not in there
    assert not session.outcomes.filter(action="replaced").exists()
    assert_quiet(google, annas)
    assert_quiet(google, boriss)


@pytest.mark.rule("R10")
def test_conference_still_pending(google, anna, annas):
    event = google.person(ANNA).create_event({"summary": "Stand-up", **TEN})
    request = {"requestId": "r1", "conferenceSolutionKey": {"type": "hangoutsMeet"}}
    pending = {"createRequest": {**request, "status": {"statusCode": "pending"}}}
    google_sets(google, ANNA, event["id"], conferenceData=pending)
    synchronize(annas)
    activity = only_activity()
    assert activity.join_link == ""
    assert_quiet(google, annas)

    change(activity, anna, subject="Stand-up, daily")
    google.requests.clear()
    synchronize(annas)
    [write] = sent(google)
    assert write.body == {"summary": "Stand-up, daily"}
    assert google.person(ANNA).event(event["id"])["conferenceData"] == pending

    ready = events.conference(request, seed=event["id"])
    link = ready["entryPoints"][0]["uri"]
    google_sets(google, ANNA, event["id"], conferenceData=ready, hangoutLink=link)
    synchronize(annas)
    assert fresh(activity).join_link == link
    assert_quiet(google, annas)

    change(activity, anna, location="Room 5", start=datetime(2027, 3, 8, 14, tzinfo=UTC))
    synchronize(annas)
    shown = google.person(ANNA).event(event["id"])
    assert (shown["conferenceData"], shown["hangoutLink"], shown["location"]) == (ready, link, "Room 5")
    assert fresh(activity).join_link == link
    assert_quiet(google, annas)

    google_sets(google, ANNA, event["id"], conferenceData=None, hangoutLink=None)
    synchronize(annas)
    assert fresh(activity).join_link == ""


def _as_html(text: str) -> str:
    return html.escape(text, quote=False).replace("\n", "<br>")


@pytest.mark.rule("R10", "R11")
@pytest.mark.parametrize("rewriting", ["trimmed", "as HTML"])
def test_description_rewritten_by_google(google, anna, annas, rewriting, monkeypatch):
    if rewriting == "trimmed":
        google.behavior.texts = "trimmed"
    else:
        as_sent = events._text

        def rewritten(raw: Any, name: str, *, trim: bool) -> str:
            text = as_sent(raw, name, trim=trim)
            is_new = name == "description" and "<br>" not in text and "&amp;" not in text
            return _as_html(text) if is_new else text

        monkeypatch.setattr(events, "_text", rewritten)
    activity = tagged(anna, "Offer ", notes="First\r\nR&D  \n")
    synchronize(annas)
    [event] = google.person(ANNA).events()
    stored = event["description"]
    assert stored != activity.notes
    assert_quiet(google, annas)
    assert fresh(activity).notes == "First\r\nR&D  \n"  # It stays here as it was written.

    change(activity, anna, location="Room 5")
    google.requests.clear()
    synchronize(annas)
    assert [write.body for write in sent(google)] == [{"location": "Room 5"}]
    assert google.person(ANNA).event(event["id"])["description"] == stored
    assert_quiet(google, annas)

    change(activity, anna, notes="Second & last \n")
    synchronize(annas)
    assert google.person(ANNA).event(event["id"])["description"].startswith("Second &")
    assert_quiet(google, annas)
    assert fresh(activity).notes == "Second & last \n"

    google.person(ANNA).edit(event["id"], {"description": "Third<br>by Anna in Google"})
    synchronize(annas)
    assert fresh(activity).notes == "Third<br>by Anna in Google"
    assert_quiet(google, annas)


@pytest.mark.rule("R10", "R11")
def test_description_rewritten_by_google_later(google, anna, annas):
    activity = tagged(anna, notes="First\nR&D")
    synchronize(annas)
    [event] = google.person(ANNA).events()
    google.requests.clear()

    google_sets(google, ANNA, event["id"], description=_as_html("First\nR&D"))
    synchronize(annas)

    assert fresh(activity).notes == "First<br>R&amp;D"  # As an edit in Google, once; nothing is sent back.
    assert sent(google) == []
    assert_quiet(google, annas)


@pytest.mark.rule("R7", "R12")
def test_201_guests(google, anna, annas, boris, monkeypatch):
    guests = [{"email": f"guest{number}@partner.example", "responseStatus": "accepted"} for number in range(199)]
    full_list = rendering._attendees
    monkeypatch.setattr(rendering, "_attendees", lambda copy, limit: full_list(copy, limit or 100))
    event = google.person(ANNA).create_event(
        {"summary": "All hands", "attendees": [*guests, {"email": BORIS}], **TEN}, notify=False
    )
    assert (len(event["attendees"]), event["attendeesOmitted"]) == (100, True)
    stored = google.store.get(calendar_id=ANNA, event_id=event["id"])
    everybody = [guest["email"] for guest in stored.body["attendees"]]
    assert len(everybody) == 201

    synchronize(annas)
    activity = only_activity()
    clara = make_user("clara").profile
    services.add_participant(activity=activity, profile=clara, by=anna, now=timezone.now())
    change(activity, anna, subject="All hands, hall 2")
    google.requests.clear()
    session = synchronize(annas)
    services.respond(activity=activity, profile=anna, response="tentative", now=timezone.now())
    synchronize(annas)

    assert [write.body for write in sent(google)] == [
        {"summary": "All hands, hall 2"},
        {"attendeesOmitted": True, "attendees": [{"email": ANNA, "responseStatus": "tentative"}]},
    ]
    assert "only part of the list" in session.outcomes.get(action="parked").reason
    stored = google.store.get(calendar_id=ANNA, event_id=event["id"])
    assert [guest["email"] for guest in stored.body["attendees"]] == everybody
    assert {guest["responseStatus"] for guest in stored.body["attendees"][1:200]} == {"accepted"}
    assert Participant.objects.filter(activity=activity, profile=clara).exists()
    assert_quiet(google, annas)


@pytest.mark.rule("R7", "R12")
def test_hidden_guests(google, anna, annas, boris):
    google.add_account(MARIA, name="Maria")
    event = google.person(MARIA).create_event(
        {
            "summary": "Panel",
            "guestsCanSeeOtherGuests": False,
            "guestsCanModify": True,
            "attendees": [{"email": ANNA}, {"email": BORIS}, {"email": "peter@partner.example"}],
            **TEN,
        }
    )
    synchronize(annas)
    activity = only_activity()
    assert {person.profile for person in activity.participants.all()} == {anna}
    change(activity, anna, subject="Panel, room 5")
    services.add_participant(activity=activity, profile=boris, by=anna, now=timezone.now())
    google.requests.clear()

    synchronize(annas)

    assert [write.body for write in sent(google)] == [{"summary": "Panel, room 5"}]
    shown = google.person(MARIA).event(event["id"])
    assert [guest["email"] for guest in shown["attendees"]] == [MARIA, ANNA, BORIS, "peter@partner.example"]
