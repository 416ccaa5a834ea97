"""Where Google is unclear: each switch, in its default and turned."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from google_emulator.behavior import CHOICES, Behavior

from .conftest import ANNA, BORIS, CLARA
from .helpers import Delta, delete, everything, get, guests, insert, page, patch, refused, timed

DOCS = Path(__file__).parents[2] / "docs" / "google-emulator.md"


def test_every_switch_is_in_the_documentation():
    text = DOCS.read_text("utf-8")
    assert [field.name for field in fields(Behavior) if f"`{field.name}`" not in text] == []


def test_a_word_that_a_switch_does_not_know_is_refused(google):
    for name, words in CHOICES.items():
        assert getattr(google.behavior, name) == words[0], "the default comes first"
        with pytest.raises(ValueError, match=name):
            setattr(google.behavior, name, "nonsense")


@pytest.mark.parametrize(("switch", "seen"), [("declined", "declined"), ("unnoticed", "needsAction")])
def test_a_guests_deletion_may_stay_unnoticed(google, anna, boris, switch, seen):
    google.behavior.guest_deletion = switch
    event = insert(anna, timed(attendees=guests(BORIS)))
    delete(boris, event["id"])
    assert get(anna, event["id"])["attendees"][0]["responseStatus"] == seen


@pytest.mark.parametrize("switch", CHOICES["move_answer"])
def test_the_answer_to_a_move_may_look_like_a_deletion(google, anna, switch):
    google.behavior.move_answer = switch
    other = google.add_calendar(ANNA, summary="Projects")
    event = insert(anna, timed())
    answer = anna.move(calendarId="primary", eventId=event["id"], destination=other.id).execute()
    assert answer["status"] == switch
    assert anna.get(calendarId=other.id, eventId=event["id"]).execute()["status"] == "confirmed"


@pytest.mark.parametrize(("switch", "found"), [("all", 1), ("any", 3)])
def test_repeated_property_filters(google, anna, switch, found):
    google.behavior.repeated_properties = switch
    for properties in ({"a": "1"}, {"b": "2"}, {"a": "1", "b": "2"}, {"c": "3"}):
        insert(anna, timed(extendedProperties={"private": properties}))
    assert len(page(anna, privateExtendedProperty=["a=1", "b=2"])["items"]) == found


@pytest.mark.parametrize(
    ("switch", "status", "reason"), [("invalid", 400, "invalid"), ("full_sync", 410, "fullSyncRequired")]
)
def test_a_malformed_sync_token(google, anna, switch, status, reason):
    google.behavior.malformed_sync_token = switch
    with refused(status, reason):
        page(anna, syncToken="nonsense")


@pytest.mark.parametrize("name", ["sync_token_days", "tombstone_days"])
def test_a_sync_token_gets_old(google, anna, name):
    google.clock.set(google.clock.now().replace(microsecond=0))
    token = page(anna)["nextSyncToken"]
    google.clock.advance(days=400)
    assert page(anna, syncToken=token)["items"] == [], "unless told otherwise it lasts for ever"
    token = page(anna)["nextSyncToken"]
    google.behavior.change(**{name: 7})
    google.clock.advance(days=7)
    assert page(anna, syncToken=token)["items"] == []
    google.clock.advance(seconds=1)
    with refused(410, "fullSyncRequired"):
        page(anna, syncToken=token)


def test_a_deleted_event_is_forgotten(google, anna):
    google.clock.set(google.clock.now())
    event = insert(anna, timed())
    delete(anna, event["id"])
    google.clock.advance(days=31)
    assert get(anna, event["id"])["status"] == "cancelled"
    google.behavior.tombstone_days = 30
    for call in (
        lambda: get(anna, event["id"]),
        lambda: delete(anna, event["id"]),
        lambda: patch(anna, event["id"], {"status": "confirmed"}),
    ):
        with refused(404, "notFound"):
            call()
    assert page(anna, showDeleted=True)["items"] == []


def test_updated_min_may_lie_too_far_back(google, anna):
    google.behavior.updated_min_days = 20
    assert page(anna, updatedMin="2999-01-01T00:00:00Z")["items"] == []
    with refused(410, "updatedMinTooLongAgo") as refusal:
        page(anna, updatedMin="2020-01-01T00:00:00Z")
    assert (refusal.error["domain"], refusal.error["location"]) == ("calendar", "updatedMin")


@pytest.mark.parametrize("size", [1, 250])
def test_a_delta_may_bring_exceptions_before_their_series(google, anna, size):
    google.behavior.delta_order = "reversed"
    series = insert(anna, timed(recurrence=["RRULE:FREQ=DAILY;COUNT=3"]))
    token = page(anna)["nextSyncToken"]
    special = patch(anna, f"{series['id']}_20260505T080000Z", {"summary": "Special"})
    rows, token = everything(anna, syncToken=token, maxResults=size)
    assert [row["id"] for row in rows] == [special["id"], series["id"]]
    assert page(anna, syncToken=token)["items"] == []


def test_etags_may_say_nothing(google, anna):
    def micros(event):
        return int(event["etag"].strip('"')) // 2 // 1000

    telling = insert(anna, timed())
    assert str(micros(telling))[-3:] == telling["updated"][-4:-1]
    google.behavior.etags = "opaque"
    event = insert(anna, timed())
    assert len(event["etag"]) <= 12
    changed = patch(anna, event["id"], {"summary": "New"}, if_match=event["etag"])
    assert changed["etag"] != event["etag"]
    assert get(anna, event["id"])["etag"] == changed["etag"]
    with refused(412, "conditionNotMet"):
        patch(anna, event["id"], {"summary": "Newer"}, if_match=event["etag"])


def test_batches_may_be_smaller(google, client):
    google.behavior.batch_limit = 2
    service = client(ANNA)
    seen = {}
    batch = service.new_batch_http_request(callback=lambda name, answer, error: seen.update({name: error or answer}))
    for _ in range(3):
        batch.add(service.events().list(calendarId="primary"))
    with refused(400, "badRequest"):
        batch.execute()
    assert seen == {}


def test_following_reversed_deltas_in_small_pages_loses_nothing(google, anna):
    google.behavior.delta_order = "reversed"
    delta = Delta(anna)
    ids = [insert(anna, timed(attendees=guests(CLARA)))["id"] for _ in range(5)]
    rows, _ = everything(anna, syncToken=delta.token, maxResults=2)
    assert [row["id"] for row in rows] == ids[::-1]
