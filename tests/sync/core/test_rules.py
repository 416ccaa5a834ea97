"""Selection, Organizer, identity, the guard: the small rules, and that the core is pure."""

from __future__ import annotations

import ast
import sys
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

import sync.core
from sync.core import eligibility, guards, identity, mapping, people
from sync.core.eligibility import Selected, Window, reasons_to_send
from sync.core.identity import Candidate
from sync.core.people import Roles
from sync.core.snapshot import Days, Timed

ANNA, BORIS, CLARA = 1, 2, 3
WINDOW = Window(date(2026, 3, 1), "Europe/Berlin")
AT_NINE = Timed(datetime(2026, 3, 9, 9, tzinfo=UTC), datetime(2026, 3, 9, 10, tzinfo=UTC), "UTC")
SELECTED = Selected(AT_NINE, True, False, ("Google synchronization",), "", ())


@pytest.mark.rule("R1")
@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"show_in_calendar": False}, "R1a"),
        ({"is_email": True}, "R1b"),
        ({"private_tags": ()}, "R1c"),
        ({"private_tags": (), "wanted_tag": "Key account"}, "R1c"),
        ({"public_tags": (("corporate", "Q1"),)}, "R1d"),
        ({"public_tags": (("public", "Website"),)}, "R1d"),
        ({"when": Days(date(2026, 2, 27), date(2026, 2, 28))}, "R1f"),
    ],
)
def test_each_condition_of_the_selection_is_named_with_what_to_do(change, rule):
    assert eligibility.first_unmet(reasons_to_send(SELECTED, window=WINDOW)) is None
    unmet = eligibility.first_unmet(reasons_to_send(replace(SELECTED, **change), window=WINDOW))
    assert unmet.rule == rule
    assert unmet.next_step or rule == "R1b"


@pytest.mark.rule("R1")
def test_the_window_begins_with_the_day_in_the_users_own_zone():
    auckland = Window(date(2026, 3, 1), "Pacific/Auckland")  # Begins on 28 February, 11:00 UTC.
    just_after = datetime(2026, 2, 28, 11, 1, tzinfo=UTC)
    assert auckland.holds(Timed(AT_NINE.start, just_after, "UTC"))
    assert not WINDOW.holds(Timed(AT_NINE.start, just_after, "UTC"))
    assert WINDOW.holds(Days(date(2026, 2, 1), date(2026, 3, 1)))


@pytest.mark.rule("R2")
@pytest.mark.parametrize(
    "event",
    [{"status": "cancelled"}, {"eventType": "workingLocation"},
     {"attendees": [{"email": "a@b.example", "self": True, "responseStatus": "declined"}]}],
)  # fmt: skip
def test_what_google_shows_but_does_not_come_in(event):
    assert eligibility.why_not_imported(mapping.facts_of(event), AT_NINE, window=WINDOW)
    assert eligibility.why_not_imported(mapping.facts_of({}), AT_NINE, window=WINDOW) is None


@pytest.mark.rule("R5")
@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        pytest.param(Roles(ANNA, ANNA, ANNA, True, {ANNA}), ANNA, id="stays-mine"),
        pytest.param(Roles(ANNA, BORIS, BORIS, True, {ANNA, BORIS}), BORIS, id="stays-with-who-synchronizes"),
        pytest.param(Roles(ANNA, BORIS, BORIS, True, {ANNA}), ANNA, id="lost-access-goes-to-the-participant"),
        pytest.param(Roles(ANNA, BORIS, BORIS, False, {ANNA}), BORIS, id="but-not-to-who-takes-no-part"),
        pytest.param(Roles(ANNA, None, BORIS, True, {ANNA, BORIS}), BORIS, id="empty-goes-to-the-owner"),
        pytest.param(Roles(ANNA, None, BORIS, True, {ANNA}), ANNA, id="empty-goes-to-me-without-such-an-owner"),
        pytest.param(Roles(ANNA, None, BORIS, False, {ANNA}), None, id="empty-stays-empty-if-i-take-no-part"),
        pytest.param(Roles(ANNA, BORIS, BORIS, True, {ANNA, BORIS}, True), ANNA, id="the-true-organizer-arrives"),
    ],
)
@pytest.mark.rule("R1")
def test_who_organizes(roles, expected):
    assert people.organizer_of(roles).organizer == expected
    assert bool(people.organizer_of(roles).reason) is (expected != roles.organizer)


@pytest.mark.rule("R5")
def test_who_organizes_what_comes_in():
    assert people.organizer_of_import(me=ANNA, google_organizer=BORIS, set_up={ANNA, BORIS}) == BORIS
    assert people.organizer_of_import(me=ANNA, google_organizer=BORIS, set_up={ANNA}) == ANNA
    assert people.organizer_of_import(me=ANNA, google_organizer=None, set_up={ANNA}) == ANNA


FACTS = mapping.facts_of({"id": "abc", "iCalUID": "abc@google.com", "organizer": {"email": "o@x.example"}})


@pytest.mark.rule("R9")
@pytest.mark.parametrize(
    ("candidates", "carried", "expected", "shares"),
    [
        pytest.param([], None, None, True, id="new"),
        pytest.param([Candidate(7, "abc", False, frozenset())], None, 7, True, id="same-event-id"),
        pytest.param(
            [Candidate(7, "other", True, frozenset({"me@x.example"}))], None, 7, True, id="organizer-names-me"
        ),
        pytest.param(
            [Candidate(7, "other", False, frozenset({"me@x.example"}))], None, None, False, id="a-guest-says-so"
        ),
        pytest.param([Candidate(7, "other", True, frozenset())], None, None, False, id="forged"),
        pytest.param([], 9, 9, True, id="hidden-id"),
    ],
)
def test_where_an_event_belongs(candidates, carried, expected, shares):
    placed = identity.place(FACTS, own_addresses={"Me@x.example"}, candidates=candidates, carried=carried)
    assert (placed.activity_id, placed.shares_meeting) == (expected, shares)


@pytest.mark.rule("R9")
def test_a_meeting_is_told_by_organizer_uid_and_original_start():
    other = mapping.facts_of({"id": "abc", "iCalUID": "abc@google.com", "organizer": {"email": "p@x.example"}})
    assert identity.meeting_key(FACTS) != identity.meeting_key(other)
    assert identity.meeting_key(FACTS) == identity.meeting_key(FACTS)


@pytest.mark.rule("R14")
@pytest.mark.parametrize(
    ("removals", "links", "expected"),
    [(0, 0, False), (4, 4, False), (5, 5, True), (5, 6, False), (20, 30, False), (21, 84, False), (21, 83, True)],
)
def test_the_guard(removals, links, expected):
    assert guards.needs_confirmation(removals=removals, links=links) is expected


def test_the_core_imports_nothing_but_the_standard_library_and_dateutil():
    allowed = sys.stdlib_module_names | {"dateutil", "sync"}
    for file in Path(sync.core.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                assert name.split(".")[0] in allowed, f"{file.name} imports {name}"
                assert not name.startswith("sync") or name.startswith("sync.core"), f"{file.name} imports {name}"
            if isinstance(node, ast.Attribute):
                assert (
                    node.attr not in {"now", "utcnow", "today"}
                    or not isinstance(node.value, ast.Name)
                    or (node.value.id not in {"datetime", "date", "timezone"})
                ), f"{file.name} reads the clock"
