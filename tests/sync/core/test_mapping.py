"""Google's JSON ↔ Snapshot, from Google's reference: what is read, and what exactly is sent."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.core import mapping, snapshot
from sync.core.snapshot import Days, Snapshot, Timed

PROFILES = {"anna@northfold.example": 1, "boris@northfold.example": 2}
MEETING: dict[str, Any] = {
    "id": "abc123",
    "iCalUID": "abc123@google.com",
    "status": "confirmed",
    "organizer": {"email": "Anna@northfold.example", "self": True},
    "start": {"dateTime": "2026-03-09T10:00:00+01:00", "timeZone": "Europe/Berlin"},
    "end": {"dateTime": "2026-03-09T11:00:00+01:00", "timeZone": "Europe/Berlin"},
    "attendees": [
        {"email": "anna@northfold.example", "self": True, "organizer": True, "responseStatus": "accepted"},
        {"email": "BORIS@northfold.example", "responseStatus": "tentative", "comment": "Late", "optional": True},
        {"email": "maria@partner.example", "displayName": "Maria", "additionalGuests": 2},
    ],
}


def read(event: dict[str, Any]) -> Snapshot:
    return mapping.snapshot_of(event, profiles=PROFILES, default_zone="Europe/Berlin")


@pytest.mark.rule("R7", "R10")
def test_reading_an_event():
    content = read({**MEETING, "summary": "Review", "visibility": "confidential", "transparency": "transparent"})
    assert content == Snapshot(
        subject="Review",
        when=Timed(datetime(2026, 3, 9, 9, tzinfo=UTC), datetime(2026, 3, 9, 10, tzinfo=UTC), "Europe/Berlin"),
        is_private=True,
        show_as_free=True,
        people=frozenset({1, 2}),
    )
    facts = mapping.facts_of(MEETING)
    assert (facts.organizer, facts.own_answer, facts.has_other_guests) == ("anna@northfold.example", "accepted", True)
    assert mapping.other_guests(MEETING, profiles=PROFILES) == [
        {"name": "Maria", "email": "maria@partner.example", "response": "needs_action"}
    ]


@pytest.mark.rule("R16")
@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ({"date": "2026-03-09"}, {"date": "2026-03-10"}, Days(date(2026, 3, 9), date(2026, 3, 9))),
        ({"date": "2026-03-09"}, {"date": "2026-03-12"}, Days(date(2026, 3, 9), date(2026, 3, 11))),
        ({"date": "2026-03-09"}, {"date": "2026-03-09"}, Days(date(2026, 3, 9), date(2026, 3, 9))),
    ],
)
def test_googles_end_date_is_exclusive(start, end, expected):
    assert mapping.when_of({"start": start, "end": end}, default_zone="UTC") == expected
    if end["date"] > start["date"]:
        assert mapping.when_body(expected, replacing={}) == {"start": start, "end": end}


@pytest.mark.rule("R16")
def test_an_unknown_zone_falls_back_to_the_offset_and_is_named():
    event = {
        "start": {"dateTime": "2026-03-09T10:00:00+03:00", "timeZone": "Nordic"},
        "end": {"dateTime": "2026-03-09T11:00:00+03:00", "timeZone": "Nordic"},
    }
    when = mapping.when_of(event, default_zone="Europe/Berlin")
    assert (when.start, when.time_zone) == (datetime(2026, 3, 9, 7, tzinfo=UTC), "Europe/Berlin")
    assert mapping.unknown_zone(event) == "Nordic"


@pytest.mark.rule("R16", "R12")
def test_between_timed_and_all_day_the_other_kind_of_time_is_taken_back():
    days = mapping.patch_body({"when": Days(date(2026, 3, 9), date(2026, 3, 9))}, event=MEETING)
    assert days["start"] == {"date": "2026-03-09", "dateTime": None, "timeZone": None}
    timed = mapping.patch_body({"when": read(MEETING).when}, event={"start": {"date": "2026-03-09"}})
    assert timed["start"] == {"dateTime": "2026-03-09T10:00:00+01:00", "timeZone": "Europe/Berlin", "date": None}
    gone = mapping.patch_body({"when": read(MEETING).when}, event={"id": "a_20260309", "status": "cancelled"})
    assert gone["start"] == timed["start"]  # It may have been all-day before it was deleted.


@pytest.mark.rule("R12")
def test_only_what_changed_is_sent():
    assert mapping.patch_body({"subject": "New"}, event=MEETING) == {"summary": "New"}
    assert mapping.patch_body({"is_private": False}, event=MEETING) == {"visibility": "default"}


@pytest.mark.rule("R7", "R12")
def test_the_guests_that_are_sent_are_googles_own_list_plus_the_change():
    sent = mapping.attendees_after(
        MEETING,
        wanted=frozenset({1, 3}),
        profiles=PROFILES,
        addresses={3: "clara@northfold.example"},
        organizer="anna@northfold.example",
    )
    anna, _boris, maria = MEETING["attendees"]
    assert sent == [anna, maria, {"email": "clara@northfold.example", "responseStatus": "needsAction"}]


@pytest.mark.rule("R12")
def test_ones_own_answer_goes_alone():
    body = mapping.answer_body(MEETING, response="declined")
    assert body == {
        "attendeesOmitted": True,
        "attendees": [{"email": "anna@northfold.example", "responseStatus": "declined"}],
    }


@pytest.mark.rule("R10")
@pytest.mark.parametrize(
    ("overrides", "minutes", "expected"),
    [
        ([], 10, [("popup", 10)]),
        ([("popup", 30)], 10, [("popup", 10)]),
        ([("email", 60), ("popup", 30), ("popup", 120)], 10, [("email", 60), ("popup", 120), ("popup", 10)]),
        ([("email", 60), ("popup", 30)], None, [("email", 60)]),
        ([("popup", 30)], None, []),
    ],
)
def test_only_the_nearest_pop_up_is_ours(overrides, minutes, expected):
    def entries(pairs):
        return [{"method": method, "minutes": at} for method, at in pairs]

    event = {"reminders": {"useDefault": False, "overrides": entries(overrides)}}
    body = mapping.patch_body({"reminder": minutes}, event=event)["reminders"]
    assert body.get("overrides", []) == entries(expected)
    assert body["useDefault"] is not bool(expected)


@pytest.mark.parametrize(
    "broken",
    [{}, {"start": None, "end": []}, {"start": {"date": "soon"}, "end": {"date": "2026-03-09"}},
     {"start": {"date": "9999-12-30"}, "end": {"date": "9999-12-31"}},
     {"start": {"date": "0001-01-01"}, "end": {"date": "0001-01-02"}},
     {"start": {"dateTime": "2026-03-09T10:00:00Z"}, "end": {}}, {"start": {"dateTime": 7}, "end": {"dateTime": 8}}],
)  # fmt: skip
@pytest.mark.rule("R16")
def test_an_event_without_usable_times_is_said_to_be_unreadable(broken):
    with pytest.raises(mapping.UnreadableEvent):
        mapping.when_of(broken, default_zone="UTC")


TEXT = st.text(alphabet="aZ0 -:@\x00é", max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
EVENT_KEYS = ("id", "status", "summary", "location", "description", "start", "end", "attendees", "organizer",
              "reminders", "extendedProperties", "conferenceData", "hangoutLink", "originalStartTime", "updated",
              "visibility", "iCalUID", "recurrence")  # fmt: skip


@given(event=st.dictionaries(st.sampled_from(EVENT_KEYS), JSON))
def test_whatever_google_sends_is_read_or_refused_with_words(event):
    facts = mapping.facts_of(event)
    assert isinstance(facts.addresses, frozenset)
    try:
        content = read(event)
    except mapping.UnreadableEvent:
        return
    assert snapshot.load(snapshot.dump(content)) == content
