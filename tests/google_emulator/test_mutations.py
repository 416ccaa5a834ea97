"""
Tests of the tests: the emulator is broken on purpose, one line of the list at a time, and the line's test has to fail.

Each runs unbroken too, so that a failure is the break's doing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from googleapiclient.errors import HttpError

from google_emulator import (
    batch,
    bodies,
    calendar,
    channels,
    copies,
    errors,
    events,
    faults,
    guests,
    listing,
    meetings,
    oauth,
    partial,
    recurrence,
    rendering,
    times,
)
from google_emulator.accounts import Calendar

from . import (
    test_access,
    test_faults,
    test_listing,
    test_oauth,
    test_people,
    test_push,
    test_series,
    test_transport,
    test_writing,
)

# The tests ask for these by name.
series, common, meeting = test_series.series, test_series.common, test_people.meeting
listener, wish = test_push.listener, test_push.wish

# How a test fails that meets something wrong.
FAILURES = (AssertionError, pytest.fail.Exception, HttpError, LookupError, ValueError, AttributeError)


@dataclass
class Break:
    """One thing done wrong: something put in another's place, the line it breaks, and the test that has to see it."""

    line: int
    place: Any
    name: str
    wrong: Any
    test: Callable[..., None]
    arguments: dict[str, Any] = field(default_factory=dict)


def nothing(*_: Any, **__: Any) -> None:
    pass


def never_a_next_page(query: Any, *, store: Any, table: Any, page_of: Any = listing.page_of) -> Any:
    page = page_of(query, store=store, table=table)
    page.next_page_token = None
    return page


def everything_changed(table: Any, change: int) -> list[Any]:
    return table.ordered


def always_expired(store: Any) -> errors.ApiError:
    return errors.ApiError("fullSyncRequired")


def patch_over(old: Any, patch: Any) -> dict[str, Any]:
    return {**old, **patch}


def on_greenwich_time(start: Any, local_start: Any = recurrence._local_start) -> Any:
    return local_start(start if "date" in start else {**start, "timeZone": "UTC"})


def bounds_included(span: tuple[int, int | None], query: Any) -> bool:
    start, end = span
    early = query.time_min is not None and end is not None and end < query.time_min
    return not early and (query.time_max is None or start <= query.time_max)


def copied(rows: Any, copy: Any, *, destination: Any, write: Any, change: Any) -> Any:
    return rows._arrive(copy, copy.body, destination=destination, change=change)


def only_the_first(sender: Any, channel: Any, state: str, send: Any = channels.Channels._send) -> None:
    if state == "sync":
        send(sender, channel, state)


def always_fine(reply: Any, as_http: Any = batch._as_http) -> bytes:
    return as_http(reply).replace(b"HTTP/1.1 412 Precondition Failed", b"HTTP/1.1 200 OK")


BREAKS = [
    Break(
        1, listing, "page_of", never_a_next_page, test_listing.test_a_page_holds_a_page_token_or_a_sync_token_never_both
    ),
    Break(
        2,
        listing,
        "NOT_WITH_A_TOKEN",
        (),
        test_listing.test_a_sync_token_refuses_a_search_beside_it,
        {"parameter": {"q": "x"}},
    ),
    Break(
        3,
        copies.Table,
        "changed_since",
        everything_changed,
        test_listing.test_a_delta_has_each_changed_event_once_in_its_last_state,
    ),
    Break(
        4,
        listing,
        "_malformed_sync_token",
        always_expired,
        test_listing.test_a_malformed_sync_token_is_invalid,
        {"token": "nonsense"},
    ),
    Break(
        4,
        calendar.CalendarStore,
        "expire_sync_tokens",
        nothing,
        test_listing.test_an_expired_sync_token_asks_for_a_full_sync,
    ),
    Break(
        5,
        listing,
        "_SEARCHES",
        (),
        test_listing.test_a_search_gives_no_sync_token,
        {"search": {"orderBy": "updated"}},
    ),
    Break(
        6,
        errors,
        "KNOWN_REASONS",
        errors.KNOWN_REASONS | {"deleted": (404, "global", "Not Found")},
        test_writing.test_deleting,
    ),
    Break(
        7,
        meetings.Meetings,
        "_touch_master",
        nothing,
        test_series.test_a_deleted_occurrence_is_a_stub_that_says_which_one,
    ),
    Break(
        8,
        copies.Table,
        "computed",
        nothing,
        test_series.test_a_changed_title_makes_an_exception_and_shows_the_master_again,
    ),
    Break(
        9,
        copies.Table,
        "_went_with_its_series",
        lambda *_: False,
        test_series.test_deleting_a_series_gives_one_stub_and_nothing_for_its_occurrences,
    ),
    Break(
        10,
        recurrence,
        "_ended",
        lambda line, at: line if at else "",
        test_series.test_a_split_with_the_same_start_has_a_telling_id,
    ),
    Break(11, events, "check_client_id", nothing, test_writing.test_a_bad_client_id_is_refused, {"bad": "abcdw"}),
    Break(12, calendar, "_check_match", nothing, test_writing.test_if_match),
    Break(
        13,
        events,
        "merged",
        patch_over,
        test_writing.test_a_patch_merges_objects_replaces_arrays_and_removes_null,
    ),
    Break(
        14,
        events,
        "TIME_FIELDS",
        (),
        test_writing.test_a_change_of_time_raises_the_sequence_a_change_of_title_does_not,
    ),
    Break(
        15,
        rendering,
        "_with_self",
        lambda person, copy: person | {"self": copy is not None},
        test_people.test_a_guests_calendar_gets_a_copy,
    ),
    Break(
        16,
        guests.GuestWrites,
        "_carry_to_organizer",
        nothing,
        test_people.test_a_guests_answer_reaches_everybody,
        {"omitted": True},
    ),
    Break(
        17,
        guests.GuestWrites,
        "_check_guest_rights",
        nothing,
        test_people.test_a_guests_update_has_to_repeat_the_rights,
    ),
    Break(
        18,
        bodies,
        "declined_by",
        lambda attendees, email: list(attendees) if email else [],
        test_people.test_a_guest_who_deletes_declines,
    ),
    Break(
        19,
        bodies,
        "shared_properties",
        lambda body: {} if body else None,
        test_people.test_shared_properties_reach_everybody_from_anybody,
    ),
    Break(
        20,
        times,
        "check_order",
        nothing,
        test_writing.test_an_all_day_event_lasts_a_day_at_least,
    ),
    Break(
        21,
        recurrence,
        "_local_start",
        on_greenwich_time,
        test_series.test_the_clock_on_the_wall_stays_over_daylight_saving_time,
    ),
    Break(
        22,
        listing,
        "_overlaps",
        bounds_included,
        test_listing.test_the_bounds_of_the_window_are_exclusive,
        {"window": {"timeMin": "2026-05-04T09:00:00Z"}, "found": False},
    ),
    Break(23, channels.Channels, "_send", only_the_first, test_push.test_every_change_is_announced_ones_own_too),
    Break(
        24,
        Calendar,
        "role_of",
        lambda calendar, email: "owner" if calendar and email else None,
        test_access.test_other_peoples_calendars_and_unknown_ones_are_not_found,
    ),
    Break(25, faults.Faults, "take", nothing, test_faults.test_half_a_body_arrives_as_text),
    Break(26, oauth, "_proves", lambda *_: True, test_oauth.test_the_verifier_is_checked, {"verifier": "x" * 60}),
    Break(27, batch, "_as_http", always_fine, test_transport.test_each_part_has_its_own_outcome),
    Break(
        28,
        partial,
        "cut",
        lambda content, selection: content if selection else None,
        test_transport.test_fields_cut_the_answer,
    ),
    Break(
        29,
        events,
        "check_type",
        lambda raw, *, primary: raw.get("eventType", "default" if primary else ""),
        test_writing.test_a_type_that_cannot_be_made_is_refused,
        {"change": {"eventType": "fromGmail"}, "message": "Invalid event type."},
    ),
    Break(30, meetings.Meetings, "move", copied, test_writing.test_move_leaves_a_cancelled_row_behind),
]


@pytest.fixture(autouse=True)
def _plain_http(monkeypatch):
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("OAUTHLIB_RELAX_TOKEN_SCOPE", "1")


def run(request: pytest.FixtureRequest, each: Break) -> None:
    wanted = [name for name in inspect.signature(each.test).parameters if name not in each.arguments]
    each.test(**{name: request.getfixturevalue(name) for name in wanted}, **each.arguments)


def named(each: Break) -> str:
    return f"{each.line}-{each.name.strip('_')}"


@pytest.mark.parametrize("each", BREAKS, ids=named)
def test_a_break_is_seen(request, monkeypatch, each):
    monkeypatch.setattr(each.place, each.name, each.wrong)
    with pytest.raises(FAILURES):
        run(request, each)


@pytest.mark.parametrize("each", BREAKS, ids=named)
def test_without_the_break_all_is_well(request, each):
    assert hasattr(each.place, each.name), "there is something to break"
    run(request, each)


def test_every_line_is_broken_once():
    assert {each.line for each in BREAKS} == set(range(1, 31))
