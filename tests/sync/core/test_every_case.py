"""
Every case there is, generated: what was decided is done in a pure world, and decided again until nothing is left.

Each test runs through a whole product of circumstances and checks the same promises on every one of them; the
circumstances stand in the failure. They are tens of thousands, so a test is a product, not a case.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.core import decide as core
from sync.core.decide import Answer, Presence, Side
from sync.core.people import Roles, organizer_of
from sync.core.snapshot import FIELDS, PER_COPY_FIELDS, Days, Repeating, Snapshot, Timed
from tests.sync.core.world import LATER, NOON, READ_ONLY, Session, State, World, synchronize

PRESENT, CANCELED, DELETED = Presence
ANNA, BORIS, CLARA, DAVID = 1, 2, 3, 4
HOUR = timedelta(hours=1)
BASE = Snapshot(
    "Review", Timed(NOON, NOON + HOUR, "Europe/Zurich"), "Room 0", "As agreed", people=frozenset({ANNA, BORIS})
)
# For each field of R10: what it is changed to here, and in Google.
SERIES = Repeating(BASE.when, ("RRULE:FREQ=WEEKLY;COUNT=5",))
VALUES: dict[str, tuple[Any, Any]] = {
    "subject": ("Ours", "Theirs"),
    "when": (Timed(NOON + HOUR, NOON + 2 * HOUR, "Europe/Zurich"), SERIES),
    "location": ("Room 1", ""),
    "notes": ("", "<b>Theirs</b>"),
    "is_private": (True, True),
    "show_as_free": (True, True),
    "reminder": (10, 30),
    "people": (BASE.people | {CLARA}, BASE.people | {DAVID}),
}
MERGED = core.MERGED
WRITES_IN_GOOGLE = (core.UpdateInGoogle, core.RemoveInGoogle, core.BringBackInGoogle)
WRITES_HERE = (core.UpdateHere, core.CancelHere, core.BringBackHere)
# Decided together, these would undo each other, or one could not be done any more.
NEVER_TOGETHER = (
    (core.UpdateInGoogle, core.RemoveInGoogle),
    (core.UpdateInGoogle, core.BringBackInGoogle),
    (core.UpdateHere, core.CancelHere),
    (core.UpdateHere, core.RemoveInGoogle),
    (core.AnswerInGoogle, core.AnswerHere),
    (core.AnswerInGoogle, core.RemoveInGoogle),
    (core.AnswerInGoogle, core.BringBackInGoogle),
    (core.CancelHere, core.BringBackHere),
    (core.CancelHere, core.RemoveInGoogle),
    (core.CancelHere, core.BringBackInGoogle),
    (core.RemoveInGoogle, core.BringBackInGoogle),
    (core.RemoveInGoogle, core.BringBackHere),
    (core.BringBackHere, core.BringBackInGoogle),
    (core.BringBackHere, core.Detach),
    (core.Freeze, core.Detach),
)
SENTENCE = re.compile(r"[A-Z“].*[^\s]\.")
RULE = re.compile(r"R(1[a-f]?|[2-9]|1\d|2[0-2])")


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a field since both last agreed, and which side changed it later."""

    here: bool
    google: bool
    is_same: bool = False
    later: Side | None = None  # None: at the same moment.


UNCHANGED = Change(False, False)
CHANGES = (
    UNCHANGED,
    Change(True, False),
    Change(False, True),
    Change(True, True, is_same=True),
    Change(True, True, later=Side.HERE),
    Change(True, True, later=Side.GOOGLE),
    Change(True, True),
)
# Whose copy it is: is_organizer, is_own_copy, other_copies_live. Who owns the event organizes it (R5).
ROLES = {
    "organizer": (True, True, False),
    "organizer-others-live": (True, True, True),
    "took-over": (True, False, False),
    "took-over-others-live": (True, False, True),
    "guest": (False, False, False),
    "guest-others-live": (False, False, True),
}
BASES = ("both", "here", "none")  # Which bases are known.


@cache
def changed(base: Snapshot, changes: frozenset[tuple[str, Change]]) -> tuple[Snapshot, Snapshot]:
    """Return what both sides hold after these changes."""
    here = {name: VALUES[name][0] for name, change in changes if change.here}
    google = {name: VALUES[name][0 if change.is_same else 1] for name, change in changes if change.google}
    return replace(base, **here), replace(base, **google)


def world_of(
    changes: dict[str, Change], *, base: Snapshot = BASE, bases: str = "both", role: str = "organizer", **values: Any
) -> World:
    here, google = changed(base, frozenset(changes.items()))
    later = {change.later for change in changes.values()}
    is_organizer, is_own_copy, other_copies_live = ROLES[role]
    return World(
        here=here,
        google=google,
        base_here=None if bases == "none" else base,
        base_google=base if bases == "both" else None,
        here_at=LATER if Side.HERE in later else NOON,
        google_at=LATER if Side.GOOGLE in later else NOON,
        is_organizer=is_organizer,
        is_own_copy=is_own_copy,
        other_copies_live=other_copies_live,
        **values,
    )


def check(world: World, case: object) -> tuple[World, World, Session]:
    """Let a session run, then another; whatever the case, the promises hold. Returns start, end and the session."""
    start = copy(world)
    session = synchronize(world)
    try:
        check_it_ends(session)
        for actions in session.looks:
            check_actions(actions)
        check_rights(start, session)
        check_sides_agree(start, world, session)
        check_nothing_is_lost(start, world, session)
        check_removals(start, world, session)
        check_next_session_is_quiet(world)
    except AssertionError as error:
        raise AssertionError(f"{error}\nCase: {case}\n{told(start, world, session)}") from error
    return start, world, session


def told(start: World, end: World, session: Session) -> str:
    shown = "\n".join(str(actions) for actions in session.looks)
    return f"Start: {start}\nEnd: {end}\nDecided:\n{shown}"


# --- What holds in every case --------------------------------------------------------------------------------------


def check_it_ends(session: Session) -> None:
    assert session.is_finished, "It is still at it after four looks."


def check_actions(actions: list[core.Action]) -> None:
    kinds = Counter(type(action) for action in actions)
    for action in actions:
        assert RULE.fullmatch(action.rule), f"No rule: {action}"
        assert SENTENCE.fullmatch(action.reason), f"No sentence: {action}"
        if isinstance(action, (core.UpdateHere, core.UpdateInGoogle)):
            assert action.patch, "An empty update."
            assert set(action.patch) <= set(FIELDS), "Something outside R10 is touched."
    assert all(count == 1 for kind, count in kinds.items() if kind is not core.GaveWay), "Decided twice."
    for one, other in NEVER_TOGETHER:
        assert not (kinds[one] and kinds[other]), f"{one.__name__} together with {other.__name__}."
    if kinds[core.Reread]:
        assert len(actions) == 1, "What is to be read afresh is decided about only then."
    patches = [set(action.patch) for action in actions if isinstance(action, (core.UpdateHere, core.UpdateInGoogle))]
    if len(patches) == 2:
        assert patches[0] & patches[1] <= {"people", "when"}, "Both sides take the other's value."
        whens = {action.patch.get("when") for action in actions if hasattr(action, "patch")}
        assert len(whens) == 1 or not patches[0] & patches[1] & {"when"}, "Both sides take the other's time."


def check_rights(start: World, session: Session) -> None:
    """R4, R5, R6: who writes what."""
    kinds = {type(action) for action in session.actions}
    if not start.is_organizer:
        assert not kinds & {*WRITES_IN_GOOGLE, core.UpdateHere, core.BringBackHere, core.Freeze, core.Hold}
    if not start.is_selected:
        assert not kinds & {*WRITES_IN_GOOGLE, *WRITES_HERE}, "Content flows though it is out of the selection."
    if start.why_read_only:
        assert session.patched <= PER_COPY_FIELDS, "Written to Google without the right to."
        assert not session.removed
        assert not session.inserted
    if not start.is_own_copy:
        assert not session.removed, "Removed though the copy is a guest's: Google would only decline it."
    assert not session.patched & start.foreign_now(), "What somebody else changed was sent."
    if start.hidden:
        assert "people" not in session.patched, "A list of guests that Google cut was sent."
    if start.foreign_now() & {"status"}:
        assert not session.removed, "What somebody else canceled was removed."
        assert not session.inserted or start.state is not State.DETACHED, "What somebody else set back was made again."


def check_sides_agree(start: World, end: World, session: Session) -> None:
    """R11, R14: in the Organizer's session both sides hold the same, or it says why they do not."""
    if not start.is_organizer:
        assert end.google == start.google, "Content flowed in a guest's session."
        assert end.here == start.here, "Content flowed in a guest's session."
        return
    if end.state is State.FROZEN:
        assert not end.is_selected, "It is frozen though it qualifies."
        return
    if end.state is State.DETACHED:
        is_kept_out = end.google_presence is PRESENT and not end.is_selected
        assert is_kept_out or end.google_presence is not PRESENT, "Detached from an event that is there."
        return
    assert end.is_selected, "It flows though it does not qualify."
    assert end.google_presence is PRESENT
    if end.here_presence is not PRESENT:
        assert end.here_presence is start.agreed, "Gone here, there in Google, and nobody said so."
        return
    check_people_agree(start, end, session)
    for name in MERGED:
        if name == "when" and end.is_when_held:
            continue
        ours, theirs = getattr(end.here, name), getattr(end.google, name)
        is_rewritten = start.base_here and start.base_google and not _is_edited(start, name)
        assert ours == theirs or is_rewritten, f"Both sides differ in {name}."
        if is_rewritten:
            assert (ours, theirs) == (getattr(start.here, name), getattr(start.google, name))


def check_people_agree(start: World, end: World, session: Session) -> None:
    """R7, R12: each person for themselves, but whom Google does not show, or what it does not let us send."""
    if session.has(core.Hold):
        return
    bases = (start.base_here, start.base_google)
    before = [base.people if base else frozenset() for base in bases]
    differ = (end.here.people ^ end.google.people) - end.hidden
    if end.hidden:
        differ -= before[1]  # Of a list that Google cut, nobody is known to be missing.
    for person in differ:
        sides = zip((start.here.people, start.google.people), before, strict=True)
        is_edited = any((person in now) != (person in base) for now, base in sides)
        assert not is_edited, f"Both sides differ about person {person}."


def _is_edited(start: World, name: str) -> bool:
    return getattr(start.here, name) != getattr(start.base_here, name) or getattr(start.google, name) != getattr(
        start.base_google, name
    )


def check_nothing_is_lost(start: World, end: World, session: Session) -> None:
    """R11: every edit is on a side or in the journal."""
    both = start.when_of_both()
    for name in MERGED:
        if name == "when" and both and end.here.when == both == end.google.when:
            continue  # What either side did to the series is done.
        given_up = [value for action in session.gave_way(name) for value in (action.here, action.google)]
        held = [getattr(end.here, name)]
        if end.google_presence is PRESENT:
            held.append(getattr(end.google, name))
        for now, base, was_there in (
            (start.here, start.base_here, True),
            (start.google, start.base_google, start.google_presence is PRESENT),
        ):
            value = getattr(now, name)
            if was_there and (base is None or value != getattr(base, name)):
                assert value in held or value in given_up, f"The edit of {name} to {value!r} is lost."
    check_nobody_is_lost(start, end, session)
    check_presence_is_not_lost(start, end, session)


def check_nobody_is_lost(start: World, end: World, session: Session) -> None:
    """R7, R11: who was added or taken off on one side is so on both, or it stands somewhere why not."""
    if end.google_presence is not PRESENT or start.google_presence is not PRESENT or not start.is_organizer:
        return
    is_told = bool(session.gave_way("people")) or session.has(core.Hold)
    for now, base in ((start.here, start.base_here), (start.google, start.base_google)):
        before = base.people if base else frozenset()
        for person in now.people ^ before:
            wanted = person in now.people
            is_so = (person in end.here.people) is wanted or (person in end.google.people) is wanted
            is_in_doubt = base is None and not wanted
            assert is_so or is_told or is_in_doubt, f"What was done about person {person} is lost."


def check_presence_is_not_lost(start: World, end: World, session: Session) -> None:
    """R14: who cancels, deletes or brings back is heard, or told why not."""
    if not (start.is_organizer and start.is_selected):
        return
    check_a_change_outlives_a_deletion(start, end)
    is_told = bool(session.gave_way("status"))
    was_gone, is_gone = start.here_presence is not PRESENT, end.here_presence is not PRESENT
    if was_gone and start.here_presence is not start.agreed and start.state is not State.DETACHED:
        assert end.google_presence is not PRESENT or is_told, "Canceling it here came to nothing."
    if start.google_presence is not PRESENT and start.state is not State.DETACHED:
        is_guests = start.other_copies_live and not start.is_own_copy
        assert is_gone or is_told or start.is_completed or is_guests, "Canceling it in Google came to nothing."
    if start.google_presence is PRESENT and start.state is State.DETACHED:
        assert not is_gone or end.google_presence is not PRESENT, "That the event returned came to nothing."


def check_a_change_outlives_a_deletion(start: World, end: World) -> None:
    """R14: deleted on one side, changed on the other since both agreed: the change wins."""
    if start.state is State.DETACHED or not (start.base_here and start.base_google):
        return
    if start.google_presence is not PRESENT and start.here_presence is PRESENT:
        edited = {name for name in core.CONTENT if getattr(start.here, name) != getattr(start.base_here, name)}
        may_send = start.is_own_copy and not start.why_read_only and not start.is_completed
        if may_send and edited - start.foreign_now():
            assert end.google_presence is PRESENT, "The change here was deleted with the event."
    if start.google_presence is PRESENT and start.here_presence not in (PRESENT, start.agreed):
        edited = {
            name
            for name in core.CONTENT
            if getattr(start.google, name) not in (getattr(start.base_google, name), getattr(start.here, name))
        }
        if edited and not start.hidden:
            assert end.here_presence is PRESENT, "The change in Google was deleted with the activity."


def check_removals(start: World, end: World, session: Session) -> None:
    """R14: absence is not deletion; what is removed was canceled or deleted by somebody, on the other side."""
    if session.removed:
        assert start.here_presence is not PRESENT, "Removed in Google what is there here."
        assert start.here_presence is not start.agreed, "Removed in Google what a person decided to keep there."
    if session.has(core.CancelHere):
        assert start.google_presence is not PRESENT, "Canceled here what is there in Google."
        assert start.here_presence is PRESENT
        if start.is_completed:
            assert start.state is State.DETACHED, "A completed activity stays completed."
    if start.here_presence is PRESENT and start.google_presence is PRESENT:
        assert end.here_presence is end.google_presence is PRESENT
    assert end.here_presence is not DELETED or start.here_presence is DELETED, "A session never deletes an activity."
    assert session.inserted <= 1
    if session.inserted:
        assert start.google_presence is not PRESENT, "Made again what is there."


def check_next_session_is_quiet(world: World) -> None:
    """R18: with no change in between, the second session does nothing. What is held is told again."""
    again = synchronize(world)
    assert again.is_finished
    assert not again.has_written_to_google, f"The next session writes: {again.actions}"
    assert all(isinstance(action, core.Hold) for action in again.actions), f"The next session decides {again.actions}"


# --- The products ----------------------------------------------------------------------------------------------------


def presences() -> Iterator[dict[str, Any]]:
    """Every way in which both sides are there, gone, apart, or were agreed to be."""
    for here, google, agreed, state in product(
        Presence, (PRESENT, CANCELED), Presence, (State.LINKED, State.FROZEN, State.DETACHED)
    ):
        yield {"here_presence": here, "google_presence": google, "agreed": agreed, "state": state}


@pytest.mark.rule("R4", "R5", "R6", "R11", "R14")
@pytest.mark.parametrize("role", ROLES)
def test_every_presence_with_every_change_in_every_role_and_selection(role):
    for at, bases, change, is_selected, why_read_only, foreign, is_completed in product(
        presences(), BASES, CHANGES, (True, False), ("", READ_ONLY), (None, "subject", "status"), (False, True)
    ):
        if (
            (is_completed and at["here_presence"] is CANCELED)  # One status excludes the other.
            or (bases == "none" and change not in (UNCHANGED, *CHANGES[4:]))  # Nobody knows who changed what.
            or (is_completed and at["google_presence"] is PRESENT and at["state"] is not State.DETACHED)
            or (foreign == "subject" and not (change.here and bases != "none"))
            or (foreign == "status" and at["here_presence"] is PRESENT is at["agreed"])
        ):
            continue
        case = {**at, "bases": bases, "change": change, "is_selected": is_selected, "why_read_only": why_read_only,
                "foreign": frozenset(filter(None, [foreign])), "is_completed": is_completed}  # fmt: skip
        check(made(case, role), case)


def made(case: dict[str, Any], role: str, name: str = "subject") -> World:
    values = {key: value for key, value in case.items() if key not in ("bases", "change")}
    return world_of({name: case["change"]}, bases=case["bases"], role=role, **values)


@pytest.mark.rule("R6", "R10", "R14")
@pytest.mark.parametrize("name", FIELDS)
def test_every_deletion_beside_a_change_of_every_field(name):
    apart = [at for at in presences() if at["state"] is State.LINKED and at["agreed"] is PRESENT]
    for at, role, bases, change, why_read_only in product(apart, ROLES, BASES, CHANGES, ("", READ_ONLY)):
        if bases == "none" and change not in (UNCHANGED, *CHANGES[4:]):
            continue
        case = {**at, "bases": bases, "change": change, "why_read_only": why_read_only}
        check(made(case, role, name), (name, role, case))


# Whose the activity is when Anna's session meets it, before R5 decides who organizes it; she is set up in any case.
ORGANIZERS = {
    "me": Roles(ANNA, ANNA, ANNA, True, {ANNA, BORIS}),
    "nobody, I own it": Roles(ANNA, None, ANNA, True, {ANNA}),
    "nobody, its owner synchronizes": Roles(ANNA, None, BORIS, True, {ANNA, BORIS}),
    "nobody, its owner does not synchronize": Roles(ANNA, None, BORIS, True, {ANNA}),
    "nobody, and I take no part": Roles(ANNA, None, BORIS, False, {ANNA}),
    "a colleague who synchronizes": Roles(ANNA, BORIS, BORIS, True, {ANNA, BORIS}),
    "a colleague without synchronization": Roles(ANNA, BORIS, BORIS, True, {ANNA}),
    "a colleague without synchronization, and I take no part": Roles(ANNA, BORIS, BORIS, False, {ANNA}),
    "a colleague whose copy is gone": Roles(ANNA, BORIS, BORIS, True, {ANNA, BORIS}, has_organizer_left=True),
    "a colleague, until its organizer in Google comes": Roles(ANNA, BORIS, BORIS, True, {ANNA, BORIS}, True),
    "nobody, until its organizer in Google comes": Roles(ANNA, None, None, True, {ANNA}, True),
}


@pytest.mark.rule("R4", "R5", "R6", "R11", "R14")
@pytest.mark.parametrize("whose", ORGANIZERS)
def test_every_presence_with_every_change_whoever_organizes_it(whose):
    """What somebody else had changed here before it was taken over is not sent (R5)."""
    for at, change, is_selected, other_copies_live, is_kept, why_read_only, is_foreign, is_completed in product(
        presences(), CHANGES, (True, False), (False, True), (False, True), ("", READ_ONLY), (False, True),
        (False, True)
    ):  # fmt: skip
        roles = replace(ORGANIZERS[whose], qualifies=is_selected)
        is_gone_there_alone = at["here_presence"] is PRESENT is not at["google_presence"]
        found = organizer_of(roles)
        is_mine = found.organizer == ANNA
        if (
            (is_foreign and not (change.here and found.reason))
            or (is_kept and (is_mine or not is_gone_there_alone))
            or (is_completed and (is_foreign or not is_gone_there_alone))
        ):
            continue
        case = {**at, "change": change, "is_selected": is_selected, "other_copies_live": other_copies_live,
                "is_kept": is_kept, "why_read_only": why_read_only, "is_foreign": is_foreign}  # fmt: skip
        role = next(name for name, flags in ROLES.items() if flags[:2] == (is_mine, roles.is_own_copy))
        world = world_of({"subject": change}, role=role, is_selected=is_selected, why_read_only=why_read_only,
                         foreign=frozenset({"subject"} if is_foreign else ()), is_kept=is_kept,
                         is_completed=is_completed, **at)  # fmt: skip
        world.other_copies_live = other_copies_live
        _start, end, session = check(world, (whose, case))
        after = replace(roles, organizer=found.organizer, has_organizer_left=False)
        assert organizer_of(after).organizer == found.organizer, case
        if is_kept and not is_mine:
            assert end.here_presence is PRESENT, f"Kept by its Organizer, and canceled by a guest's session: {case}"
            assert not session.has(core.AnswerHere), f"Declined, though nobody said so: {case}"


# To what a time may be changed: moved, made a series, cut short, both, all day, given another rule.
MOVED = Timed(NOON + HOUR, NOON + 2 * HOUR, "Europe/Zurich")
CUT = ("RRULE:FREQ=WEEKLY;UNTIL=20260315T225959Z",)
DAY = Days(date(2026, 3, 9), date(2026, 3, 9))
WHENS = (BASE.when, MOVED, DAY, SERIES, Repeating(BASE.when, CUT), Repeating(MOVED, SERIES.lines),
         Repeating(MOVED, CUT), Repeating(DAY, SERIES.lines), Repeating(BASE.when, ("RRULE:FREQ=DAILY",)))  # fmt: skip


@pytest.mark.rule("R6", "R11", "R14", "R15")
@pytest.mark.parametrize("agreed", [BASE.when, SERIES], ids=["single", "series"])
def test_every_time_on_every_side(agreed):
    """Series among them, which one side cuts short while the other moves them, or of which a part is not sent yet."""
    apart = [at for at in presences() if at["state"] is State.LINKED and at["agreed"] is PRESENT]
    for ours, theirs, later, at, role, why_read_only, is_held in product(
        WHENS, WHENS, (Side.HERE, Side.GOOGLE), apart, ("organizer", "took-over", "guest"), ("", READ_ONLY),
        (False, True)
    ):  # fmt: skip
        case = (ours, theirs, later, at, role, why_read_only, is_held)
        base = replace(BASE, when=agreed)
        world = world_of({}, base=base, role=role, why_read_only=why_read_only, is_when_held=is_held, **at)
        world.here, world.google = replace(base, when=ours), replace(base, when=theirs)
        world.here_at, world.google_at = (LATER, NOON) if later is Side.HERE else (NOON, LATER)
        world.observe()
        direct = copy(world)
        _start, end, session = check(world, case)
        if not is_held or session.inserted or end.state is not State.LINKED:
            continue
        if {end.here_presence, start_presence(at)} == {PRESENT}:
            assert (end.here.when, end.google.when) == (ours, theirs), case
        direct.is_when_held = end.is_when_held = False
        check(end, case)
        synchronize(direct)
        assert (end.here, end.google) == (direct.here, direct.google), case


def start_presence(at: dict[str, Any]) -> Presence:
    return PRESENT if at["here_presence"] is PRESENT is at["google_presence"] else CANCELED


@pytest.mark.rule("R14")
@pytest.mark.parametrize("role", ["organizer", "took-over"])
def test_what_was_kept_in_google_meets_again_when_it_is_set_back(role):
    """Canceled here and kept in Google: what was changed meanwhile is found the day it is set back."""
    for gone, change, beside, why_read_only in product((CANCELED, DELETED), CHANGES, CHANGES, ("", READ_ONLY)):
        if change.later and beside.later and change.later is not beside.later:
            continue
        case = (gone, change, beside, why_read_only)
        changes = {"subject": change, "notes": beside}
        world = world_of(changes, role=role, why_read_only=why_read_only, here_presence=gone, agreed=gone)
        assert not synchronize(world).actions, case
        world.here_presence = PRESENT
        _start, end, _session = check(world, case)
        direct = world_of(changes, role=role, why_read_only=why_read_only)
        synchronize(direct)
        assert (end.here, end.google) == (direct.here, direct.google), case


@pytest.mark.rule("R6", "R10", "R11", "R12")
@pytest.mark.parametrize("name", FIELDS[:-1])
def test_every_field_beside_every_other_with_every_right(name):
    """Two fields at once, however they changed: neither disturbs the other."""
    others = FIELDS[FIELDS.index(name) + 1 :]
    for other, change, beside, role, why_read_only, foreign, hidden in product(
        others, CHANGES, CHANGES, ("organizer", "took-over", "guest"), ("", READ_ONLY), (False, True),
        (frozenset(), frozenset({BORIS}))
    ):  # fmt: skip
        if (
            (change.later and beside.later and change.later is not beside.later)
            or (foreign and not (change.here or beside.here))
            or (hidden and other != "people")
        ):
            continue
        case = (name, change, other, beside, role, why_read_only, foreign, hidden)
        values = {
            "role": role,
            "why_read_only": why_read_only,
            "foreign": frozenset({name if change.here else other}) if foreign else frozenset(),
            "hidden": hidden,
        }
        changes = {name: change, other: beside}
        _start, end, session = check(world_of(changes, **values), case)
        if role == "guest":
            assert not session.actions
        elif change is UNCHANGED:
            assert getattr(end.here, name) == getattr(end.google, name) == getattr(BASE, name), case
        elif name in PER_COPY_FIELDS and not foreign:
            assert not [lost for lost in session.gave_way(name) if lost.rule == "R6"], case
        if role != "guest" and not foreign and not why_read_only and {name, other} <= set(MERGED):
            later = change.later or beside.later
            check_the_later_change_wins(name, replace(change, later=later), end)
            check_the_later_change_wins(other, replace(beside, later=later), end)


def check_the_later_change_wins(name: str, change: Change, end: World) -> None:
    """R11: one side's change, or the later of two; at the same moment Google's."""
    ours, theirs = VALUES[name]
    if change.is_same or not change.google:
        expected = ours if change.here else getattr(BASE, name)
    else:
        expected = ours if change.here and change.later is Side.HERE else theirs
    assert getattr(end.here, name) == getattr(end.google, name) == expected, f"{name}, {change}"


@pytest.mark.rule("R11")
@pytest.mark.parametrize("name", MERGED)
def test_what_google_rewrote_is_no_edit_whatever_else_happens(name):
    """Each side has its own base: what they held when they agreed may differ for ever."""
    rewritten = {"notes": "<p>As Google writes it</p>", "subject": "As Google writes it"}
    base_google = replace(BASE, **rewritten)
    for change, role in product(CHANGES, ("organizer", "took-over", "guest")):
        case = (name, change, role)

        world = world_of({name: change}, role=role)
        kept = {other: value for other, value in rewritten.items() if other != name or not change.google}
        world.google, world.base_google = replace(world.google, **kept), base_google
        world.observe()
        _start, end, session = check(world, case)
        for other in rewritten.keys() - {name}:
            assert getattr(end.google, other) == rewritten[other], case
            assert other not in session.patched, case


@pytest.mark.rule("R7", "R11", "R12")
@pytest.mark.parametrize("role", ["organizer", "took-over", "guest"])
def test_every_person_on_every_side(role):
    """Two people, each on or off: here, in Google, at both bases; seen by this account, or hidden from it."""
    subsets = [frozenset(people) for people in ((), (BORIS,), (CLARA,), (BORIS, CLARA))]
    for ours, theirs, before, theirs_before, hidden, why_read_only, foreign, bases in product(
        subsets, subsets, subsets, subsets, subsets, ("", READ_ONLY), (frozenset(), frozenset({"people"})), BASES
    ):
        if (bases != "both" and theirs_before) or (bases == "none" and before):
            continue
        here, google, base_here, base_google = (
            replace(BASE, people=people | {ANNA}) for people in (ours, theirs, before, theirs_before)
        )
        is_organizer, is_own_copy, live = ROLES[role]
        world = World(
            here=here, google=google, hidden=hidden, is_organizer=is_organizer, is_own_copy=is_own_copy,
            base_here=None if bases == "none" else base_here, base_google=base_google if bases == "both" else None,
            why_read_only=why_read_only, foreign=foreign, other_copies_live=live,
        )  # fmt: skip
        case = {"ours": ours, "theirs": theirs, "before": before, "theirs_before": theirs_before, "hidden": hidden,
                "why_read_only": why_read_only, "foreign": foreign, "bases": bases}  # fmt: skip
        start, end, session = check(world, case)
        if bases == "both":
            check_the_list_is_shown_in_full(start, end, session, case)


def check_the_list_is_shown_in_full(start: World, end: World, session: Session, case: object) -> None:
    """R12: what waited while Google cut the list is done once it shows all of it."""
    if not (start.hidden and start.is_organizer):
        return
    end.hidden = frozenset()
    end.observe()
    then = synchronize(end)
    journal = [*session.gave_way("people"), *then.gave_way("people")]
    for person in (BORIS, CLARA):
        was_here, was_there = person in start.base_here.people, person in start.base_google.people
        is_edited = (person in start.here.people) != was_here or (person in start.google.people) != was_there
        is_on_both = (person in end.here.people) is (person in end.google.people)
        assert is_on_both or not is_edited, f"Both sides differ about {person} once all are shown: {case}\n{end}"
        for now, was in ((start.here, was_here), (start.google, was_there)):
            is_so = (person in end.here.people) is (person in now.people)
            was_agreed = (person in start.here.people) is (person in start.seen.people | start.base_google.people)
            assert (person in now.people) is was or is_so or was_agreed or journal, (
                f"What was done about {person} is lost: {case}"
            )
    assert not synchronize(end).actions


@pytest.mark.rule("R4", "R10", "R14")
@pytest.mark.parametrize("role", ["organizer", "took-over-others-live", "guest", "guest-others-live"])
def test_every_answer_on_both_sides(role):
    """Content waits while it is frozen, and in a guest's session; one's own answer does not."""
    given = (None, "needs_action", "accepted", "declined")
    apart = [at for at in presences() if at["agreed"] is PRESENT]
    for at, here, google, base, here_at, is_selected in product(
        apart, given, given, given, (core.LONG_AGO, NOON, LATER), (True, False)
    ):
        answer = Answer(here, google, base, here_at, NOON)
        case = {**at, "answer": answer, "is_selected": is_selected}
        start, end, session = check(world_of({}, role=role, **case), case)
        sent = [action for action in session.actions if isinstance(action, core.AnswerInGoogle)]
        taken = [action for action in session.actions if isinstance(action, core.AnswerHere) and action.rule == "R10"]
        if here is None or google is None or start.google_presence is not PRESENT:
            assert not [*sent, *taken], case
        elif session.removed:
            assert not sent, case
        else:
            assert end.answer.here == end.answer.google == the_answer_that_counts(answer), case
            assert not ((sent or taken) and here == google), case
        lost = session.gave_way("response")
        if (sent or taken) and here_at is not core.LONG_AGO and None not in (here, google, base):
            assert bool(lost) is (here != base and google != base), case


def the_answer_that_counts(answer: Answer) -> str | None:
    """The one that was changed, of two the later; first met, Google's unless none was given there."""
    if answer.base is None or answer.here == answer.google:
        return answer.here if answer.google == "needs_action" else answer.google
    if answer.google == answer.base:
        return answer.here
    is_later_here = answer.here != answer.base and answer.here_at > answer.google_at
    return answer.here if is_later_here else answer.google


@pytest.mark.rule("R12", "R14", "R18")
@pytest.mark.parametrize("role", ROLES)
def test_every_event_that_is_not_what_was_seen(role):
    """
    What Google holds is not what it last showed. Nothing is written on an unseen version, or deleted because of one.

    Then Google shows what it holds, and all the promises hold for both sessions together.
    """
    unseen = {"subject": "Unseen"}, {"location": "Unseen"}, {}
    for at, change, edit, presence, is_selected, why_read_only in product(
        presences(), CHANGES, unseen, (PRESENT, CANCELED), (True, False), ("", READ_ONLY)
    ):
        if not edit and presence is at["google_presence"]:
            continue
        case = {**at, "change": change, "unseen": edit, "unseen_presence": presence, "is_selected": is_selected,
                "why_read_only": why_read_only}  # fmt: skip

        world = world_of({"subject": change}, role=role, is_selected=is_selected, why_read_only=why_read_only, **at)
        world.google, world.google_presence = replace(world.google, **edit), presence
        start = copy(world)
        first = synchronize(world)
        assert first.is_finished, case
        is_seen = world.seen_presence is not start.seen_presence
        if start.seen_presence is PRESENT and not is_seen:
            assert not first.has(core.CancelHere), case
        if start.here_presence is PRESENT:
            assert not first.removed, case
        world.observe()
        then = synchronize(world)
        both = Session([*first.looks, *then.looks], then.is_finished, first.patched | then.patched)
        both.removed, both.inserted = first.removed + then.removed, first.inserted + then.inserted
        check_it_ends(both)
        for actions in both.looks:
            check_actions(actions)
        try:
            check_rights(start, both)
            if start.is_organizer:
                check_sides_agree(start, world, both)
            check_nothing_is_lost_or_given_back(start, world, both)
            check_next_session_is_quiet(world)
        except AssertionError as error:
            raise AssertionError(f"{error}\nCase: {case}\n{told(start, world, both)}") from error


def check_nothing_is_lost_or_given_back(start: World, end: World, session: Session) -> None:
    held = {end.here.subject, end.google.subject if end.google_presence is PRESENT else end.here.subject}
    journal = {value for lost in session.gave_way("subject") for value in (lost.here, lost.google)}
    if start.here.subject not in (BASE.subject, start.seen.subject):  # What both held was agreed before it changed.
        assert start.here.subject in held | journal, "The edit here is lost."
    if start.google.subject != BASE.subject and start.google_presence is PRESENT:
        assert start.google.subject in held | journal, "The edit in Google is lost."


@pytest.mark.rule("R5")
@pytest.mark.parametrize("live", [False, True])
def test_a_guests_session_in_between_changes_nothing_for_whoever_organizes_next(live):
    """Handed over: what was on its way between the Organizer and Google is still on its way (R5)."""
    role = "took-over-others-live" if live else "took-over"
    for here_presence, change, beside, why_read_only, is_foreign, hidden in product(
        Presence, CHANGES, CHANGES, ("", READ_ONLY), (False, True), (frozenset(), frozenset({BORIS}))
    ):
        if change.later and beside.later and change.later is not beside.later:
            continue
        foreign = frozenset({"subject", "people", "status"} if is_foreign else ())
        case = (here_presence, change, beside, why_read_only, foreign, hidden)

        changes = {"subject": change, "people": beside}
        direct = world_of(changes, role=role, here_presence=here_presence, why_read_only=why_read_only,
                          foreign=foreign, hidden=hidden)  # fmt: skip
        by_way = copy(direct)
        by_way.is_organizer = False
        assert not synchronize(by_way).actions, case
        by_way.is_organizer = True
        expected, found = synchronize(direct), synchronize(by_way)
        assert found.looks == expected.looks, case
        if direct.state is State.DETACHED:  # Bases of what is gone stay as they were.
            by_way.base_here, by_way.base_google = direct.base_here, direct.base_google
        assert by_way == direct, case


@pytest.mark.rule("R4")
@pytest.mark.parametrize("role", ["organizer", "took-over"])
def test_freezing_in_between_changes_nothing_for_the_day_it_qualifies_again(role):
    for at, change, beside, why_read_only in product(presences(), CHANGES, CHANGES, ("", READ_ONLY)):
        is_detached = at["state"] is State.DETACHED
        if is_detached or (change.later and beside.later and change.later is not beside.later):
            continue
        case = (at, change, beside, why_read_only)

        direct = world_of({"subject": change, "people": beside}, role=role, why_read_only=why_read_only, **at)
        frozen = copy(direct)
        frozen.is_selected = False
        synchronize(frozen)
        frozen.is_selected = True
        synchronize(direct)
        synchronize(frozen)
        assert frozen == direct, case


# --- Beyond the products: everything at once, by chance --------------------------------------------------------------

CROWD = st.frozensets(st.integers(1, 12), max_size=12)


@st.composite
def crowded(draw: st.DrawFn) -> World:
    """A pair with many people and several changes, in circumstances of all kinds."""
    base = replace(BASE, people=draw(CROWD) | {ANNA})
    role = draw(st.sampled_from(sorted(ROLES)))
    changes = draw(st.dictionaries(st.sampled_from(MERGED), st.sampled_from(CHANGES), max_size=4))
    at = draw(st.sampled_from(list(presences())))
    world = world_of(
        changes,
        base=base,
        role=role,
        bases=draw(st.sampled_from(BASES)),
        is_selected=draw(st.sampled_from((True, True, False))),
        why_read_only=draw(st.sampled_from(("", "", READ_ONLY))),
        foreign=draw(st.frozensets(st.sampled_from((*FIELDS, "status")), max_size=3)),
        is_kept=draw(st.booleans()),
        is_completed=at["here_presence"] is not CANCELED and draw(st.booleans()),
        answer=draw(st.builds(Answer, *[st.sampled_from((None, "needs_action", "accepted"))] * 3)),
        **at,
    )
    world.here = replace(world.here, people=draw(st.one_of(st.just(base.people), CROWD)) | {ANNA})
    world.google = replace(world.google, people=draw(st.one_of(st.just(base.people), CROWD)) | {ANNA})
    world.hidden = draw(st.one_of(st.just(frozenset()), CROWD)) - {ANNA}
    world.observe()
    return world


@pytest.mark.rule("R4", "R5", "R6", "R7", "R10", "R11", "R12", "R14")
@settings(max_examples=400)
@given(world=crowded())
def test_everything_at_once(world):
    check(world, "by chance")
