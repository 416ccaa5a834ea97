"""The small rules over all their combinations: who organizes, what takes part, where an event belongs, the guard."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import chain, combinations, permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.core import eligibility, guards, identity, mapping, people
from sync.core.eligibility import Selected, Window
from sync.core.identity import Candidate
from sync.core.people import Roles, organizer_of
from sync.core.reasons import Reason
from sync.core.snapshot import Days, Timed

ANNA, BORIS, CLARA = 1, 2, 3
NOBODY = None
WINDOW = Window(date(2026, 3, 1), "Europe/Zurich")
BEFORE = Timed(datetime(2026, 2, 28, 21, tzinfo=UTC), datetime(2026, 2, 28, 23, tzinfo=UTC), "UTC")  # To midnight.
AFTER = replace(BEFORE, due=datetime(2026, 2, 28, 23, 0, 1, tzinfo=UTC))


def subsets(of):
    return chain.from_iterable(combinations(of, size) for size in range(len(of) + 1))


def check_sentence(reason: str) -> None:
    assert reason[0].isupper()
    assert reason.endswith(".")


# --- R5: who organizes -----------------------------------------------------------------------------------------------


def every_role():
    """Anna's session meets an activity: everything that R5 asks."""
    for organizer, owner, takes_part, others, is_own_copy, qualifies, has_left, is_shared in product(
        (NOBODY, ANNA, BORIS, CLARA), (NOBODY, ANNA, BORIS, CLARA), (False, True), subsets((BORIS, CLARA)),
        (False, True), (False, True), (False, True), (False, True)
    ):  # fmt: skip
        yield Roles(ANNA, organizer, owner, takes_part, {ANNA, *others}, is_own_copy, qualifies, has_left, is_shared)


@pytest.mark.rule("R5")
def test_every_case_of_who_organizes():
    for roles in every_role():
        found = organizer_of(roles)
        may_take_over = roles.takes_part and roles.qualifies
        assert found.organizer in {roles.organizer, roles.me, roles.owner}, roles
        assert bool(found.reason) is (found.organizer != roles.organizer), roles
        if found.reason:
            check_sentence(found.reason)
            assert found.organizer in roles.set_up, f"It runs by a calendar that nobody reads: {roles}"
        is_shared = roles.is_organizers_as_well and roles.organizer in roles.set_up and not roles.has_organizer_left
        if roles.is_own_copy and not is_shared:
            assert found.organizer == roles.me, roles
        elif roles.organizer in roles.set_up and not roles.has_organizer_left:
            assert found.organizer == roles.organizer, f"Taken from who synchronizes: {roles}"
        elif roles.organizer is None and roles.owner in roles.set_up:
            assert found.organizer == roles.owner, roles
        elif may_take_over:
            assert found.organizer == roles.me, f"Nobody's session runs it: {roles}"
        else:
            assert found.organizer == roles.organizer, f"Taken by who takes no part: {roles}"
        # A session later nothing changes: whoever took over has the event.
        after = replace(roles, organizer=found.organizer, has_organizer_left=False)
        if found.reason:
            assert organizer_of(after) == people.Organized(found.organizer), roles


@pytest.mark.rule("R5")
def test_sessions_of_several_people_come_to_one_organizer_and_stay():
    """Whatever the order of their sessions, nobody takes it from each other for ever."""
    persons = (ANNA, BORIS, CLARA)
    everybody = (NOBODY, *persons)
    for set_up, taking_part in product(subsets(persons), subsets(persons)):
        for organizer, owner, qualifying, own, running in product(
            everybody, everybody, subsets(taking_part), everybody, permutations(set_up)
        ):
            check_one_organizer_stays(organizer, owner, set_up, taking_part, qualifying, own, running)


def check_one_organizer_stays(organizer, owner, set_up, taking_part, qualifying, own, running):
    current, history = organizer, []
    for me in running * 3:
        roles = Roles(me, current, owner, me in taking_part, set(set_up), own == me, me in qualifying)
        current = organizer_of(roles).organizer
        history.append(current)
    case = (organizer, owner, set_up, taking_part, qualifying, own, running)
    assert len(set(history[len(running) :])) <= 1, f"They take it from each other: {case}"
    if own in running:
        assert current == own, case


@pytest.mark.rule("R5")
@pytest.mark.parametrize(
    ("roles", "expected", "reason"),
    [
        pytest.param(Roles(BORIS, ANNA, ANNA, True, {ANNA, BORIS}), ANNA, "", id="handed-to-anna-boris-stays-out"),
        pytest.param(Roles(ANNA, NOBODY, BORIS, True, {ANNA, BORIS}), BORIS, people.OWNER_ORGANIZES,
                     id="empty-handed-over-to-the-owner"),
        pytest.param(Roles(ANNA, BORIS, BORIS, True, {ANNA, BORIS}, True), ANNA, people.TAKE_OVER_OWN,
                     id="handed-to-boris-but-google-names-anna"),
        pytest.param(Roles(ANNA, BORIS, ANNA, True, {ANNA}), ANNA, people.TAKE_OVER_LOST, id="lost-access"),
        pytest.param(Roles(ANNA, BORIS, ANNA, True, {ANNA}, qualifies=False), BORIS, "", id="but-not-without-my-tag"),
        pytest.param(Roles(ANNA, BORIS, ANNA, True, {ANNA, BORIS}, has_organizer_left=True), ANNA,
                     people.TAKE_OVER_LEFT, id="gone-from-the-organizers-calendar"),
        pytest.param(Roles(ANNA, BORIS, ANNA, False, {ANNA, BORIS}, has_organizer_left=True), BORIS, "",
                     id="gone-from-it-but-i-take-no-part"),
        pytest.param(Roles(ANNA, CLARA, ANNA, True, {ANNA}, True, qualifies=False), ANNA, people.TAKE_OVER_OWN,
                     id="my-own-event-even-without-my-tag"),
    ],
)  # fmt: skip
def test_handing_over(roles, expected, reason):
    assert organizer_of(roles) == people.Organized(expected, reason)


@pytest.mark.rule("R5")
def test_every_case_of_who_organizes_what_comes_in():
    for google_organizer, others in product((NOBODY, ANNA, BORIS), subsets((BORIS, CLARA))):
        set_up = {ANNA, *others}
        found = people.organizer_of_import(me=ANNA, google_organizer=google_organizer, set_up=set_up)
        assert found == (google_organizer if google_organizer in set_up else ANNA)


# --- R1, R2: what takes part -----------------------------------------------------------------------------------------

WHENS = {
    BEFORE: False,
    AFTER: True,
    Days(date(2026, 2, 1), date(2026, 2, 28)): False,
    Days(date(2026, 2, 1), date(2026, 3, 1)): True,
}


@pytest.mark.rule("R1")
def test_every_case_of_what_goes_out():
    for when, is_shown, is_email, private, wanted, public, is_elsewhere in product(
        WHENS, (True, False), (False, True), ((), ("Mine",), ("Mine", "Other")), ("", "Mine"),
        subsets((("corporate", "Q1"), ("public", "Website"))), (False, True)
    ):  # fmt: skip
        selected = Selected(when, is_shown, is_email, private, wanted, tuple(public), is_elsewhere)
        reasons = eligibility.reasons_to_send(selected, window=WINDOW)
        expected = {
            "R1a": is_shown,
            "R1b": not is_email,
            "R1c": bool(private),
            "R1d": not public,
            "R1f": WHENS[when],
            "R2": not is_elsewhere,
        }
        unmet = {reason.rule for reason in reasons if not reason.met}
        assert unmet == {rule for rule, holds in expected.items() if not holds}, selected
        assert [reason.rule for reason in reasons] == sorted(reason.rule for reason in reasons), "Told out of order."
        first = eligibility.first_unmet(reasons)
        assert (first.rule if first else None) == min(unmet, default=None), selected
        for reason in reasons:
            check_reason(reason)
            named = [name for _kind, name in public if f"“{name}”" in reason.text]
            assert len(named) == (reason.rule == "R1d" and not reason.met), "Each tag is named by itself."


def check_reason(reason: Reason) -> None:
    check_sentence(reason.text)
    if reason.met:
        assert not reason.next_step
    elif reason.rule not in ("R1b", "R2"):
        check_sentence(reason.next_step)


@pytest.mark.rule("R2")
def test_every_case_of_what_comes_in():
    kinds = ("default", "fromGmail", "birthday", "workingLocation", "focusTime", "outOfOffice", "of-the-future")
    answers = ("needsAction", "accepted", "tentative", "declined", None)
    for when, kind, status, answer, others_answer in product(
        (*WHENS, None), kinds, ("confirmed", "tentative", "cancelled"), answers, answers
    ):
        guests = [{"email": "anna@northfold.example", "self": True, "responseStatus": answer}] if answer else []
        guests += [{"email": "boris@northfold.example", "responseStatus": others_answer}] if others_answer else []
        facts = mapping.facts_of({"id": "abc", "eventType": kind, "status": status, "attendees": guests})
        reason = eligibility.why_not_imported(facts, when, window=WINDOW)
        comes_in = (
            status != "cancelled"
            and kind in ("default", "fromGmail")
            and answer != "declined"
            and (when is None or WHENS[when])
        )
        assert (reason is None) is comes_in, (when, kind, status, answer)
        if reason:
            assert not reason.met
            assert reason.rule == "R2"
            check_sentence(reason.text)


# --- R9: where an event belongs --------------------------------------------------------------------------------------

EVENT = {"id": "abc", "iCalUID": "abc@google.com", "organizer": {"email": "boris@northfold.example"}}
FACTS = mapping.facts_of(EVENT)
MINE = {"Anna@northfold.example"}
INVITED = frozenset({"anna@northfold.example", "clara@northfold.example"})
CANDIDATES = [
    Candidate(activity, event_id, is_own_copy, invited)
    for activity, (event_id, is_own_copy, invited) in enumerate(
        product(("abc", "other"), (False, True), (frozenset(), INVITED, frozenset({"clara@northfold.example"}))), 10
    )
]


@pytest.mark.rule("R9")
def test_every_case_of_where_an_event_belongs():
    for found, carried in product(permutations_up_to(3, CANDIDATES), (None, 99)):
        placed = identity.place(FACTS, own_addresses=MINE, candidates=found, carried=carried)
        same_event = [one.activity_id for one in found if one.event_id == "abc"]
        names_me = [one.activity_id for one in found if one.is_own_copy and "anna@northfold.example" in one.invited]
        check_sentence(placed.reason)
        if same_event:
            assert placed.activity_id == same_event[0], (found, carried)
        elif names_me:
            assert placed.activity_id == names_me[0], (found, carried)
        else:
            assert placed.activity_id == carried, f"Let into somebody else's meeting: {found}"
        is_believed = bool(same_event or names_me)
        assert placed.shares_meeting is (is_believed or not found), (found, carried)


def permutations_up_to(size, of):
    return chain.from_iterable(permutations(of, length) for length in range(size + 1))


@pytest.mark.rule("R9")
def test_every_case_of_what_makes_two_copies_one_meeting():
    keys = {}
    starts = (
        {},
        {"originalStartTime": {"dateTime": "2026-03-09T09:00:00Z"}},
        {"originalStartTime": {"date": "2026-03-09"}},
    )
    for event_id, uid, organizer, start in product(
        ("abc", "def"), ("", "abc@google.com", "def@google.com"), ("", "a@x.example", "b@x.example"), starts
    ):
        event = {"id": event_id, "iCalUID": uid, "organizer": {"email": organizer.upper()}, **start}
        meeting = (organizer, uid or event_id, str(start))
        keys.setdefault(meeting, set()).add(identity.meeting_key(mapping.facts_of(event)))
    assert all(len(found) == 1 for found in keys.values()), "Two copies of one meeting are told apart."
    assert len(set.union(*keys.values())) == len(keys), "Two meetings are taken for one."


# --- R14: the guard --------------------------------------------------------------------------------------------------


@pytest.mark.rule("R14")
def test_every_case_of_the_guard():
    for links in range(130):
        for removals in range(130):
            is_suspicious = guards.needs_confirmation(removals=removals, links=links)
            assert is_suspicious is (
                (removals > 20 and removals / max(links, 1) > 0.25) or (removals >= 5 and removals >= links)
            ), (removals, links)
            more = guards.needs_confirmation(removals=removals + 1, links=links)
            assert more or not is_suspicious, "More removals are less suspicious."


# --- More people than a product can hold -----------------------------------------------------------------------------

PEOPLE = st.integers(1, 30)


@pytest.mark.rule("R5")
@given(
    organizer=st.none() | PEOPLE,
    owner=st.none() | PEOPLE,
    set_up=st.sets(PEOPLE, min_size=1),
    taking_part=st.sets(PEOPLE),
    own=st.none() | PEOPLE,
    data=st.data(),
)
def test_many_peoples_sessions_come_to_one_organizer(organizer, owner, set_up, taking_part, own, data):
    running = data.draw(st.permutations(sorted(set_up)))
    current, history = organizer, []
    for me in running * 2:
        roles = Roles(me, current, owner, me in taking_part, set_up, own == me)
        current = organizer_of(roles).organizer
        history.append(current)
    assert len(set(history[len(running) :])) <= 1
    if set_up & taking_part or own in set_up or (organizer is None and owner in set_up):
        assert current in set_up, "Somebody could run it, and nobody does."
