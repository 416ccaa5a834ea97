"""The decisions, case by case and as properties: no database, no clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.core import decide as core
from sync.core.decide import Answer, Half, Presence, Side, Standing, agreed_after, decide
from sync.core.reasons import Reason
from sync.core.snapshot import FIELDS, Days, Snapshot, Timed

NINE = datetime(2026, 3, 9, 9, tzinfo=UTC)
TEN = NINE + timedelta(hours=1)
ANNA, BORIS, CLARA = 1, 2, 3
AGREED = Snapshot("Review", Timed(NINE, TEN, "Europe/Berlin"), people=frozenset({ANNA, BORIS}))
MOVED = replace(AGREED, when=Timed(TEN, TEN + timedelta(hours=1), "Europe/Berlin"))
RENAMED = replace(AGREED, subject="Final review")
ORGANIZER = Standing(is_organizer=True, is_own_copy=True)
GUEST = Standing(is_organizer=False, other_copies_live=True)
PRESENT, CANCELED, DELETED = Presence


def half(now: Snapshot = AGREED, presence: Presence = PRESENT, *, at: datetime = NINE) -> Half:
    return Half(now, AGREED, presence, dict.fromkeys(FIELDS, at))


def kinds(actions: list[core.Action]) -> list[str]:
    return [type(action).__name__ for action in actions]


@pytest.mark.rule("R11", "R12")
@pytest.mark.parametrize(
    ("here", "google", "expected"),
    [
        pytest.param(half(), half(), [], id="nothing-changed"),
        pytest.param(half(MOVED), half(), [("UpdateInGoogle", {"when": MOVED.when})], id="moved-here"),
        pytest.param(half(), half(MOVED), [("UpdateHere", {"when": MOVED.when})], id="moved-in-google"),
        pytest.param(half(MOVED), half(MOVED), [], id="both-to-the-same"),
        pytest.param(
            half(RENAMED),
            half(MOVED),
            [("UpdateInGoogle", {"subject": "Final review"}), ("UpdateHere", {"when": MOVED.when})],
            id="two-different-fields",
        ),
        pytest.param(
            half(replace(AGREED, subject="Here"), at=TEN),
            half(replace(AGREED, subject="There"), at=NINE),
            [("GaveWay", Side.HERE), ("UpdateInGoogle", {"subject": "Here"})],
            id="later-here",
        ),
        pytest.param(
            half(replace(AGREED, subject="Here")),
            half(replace(AGREED, subject="There")),
            [("GaveWay", Side.GOOGLE), ("UpdateHere", {"subject": "There"})],
            id="at-the-same-time-google-wins",
        ),
    ],
)
def test_merging_field_by_field(here, google, expected):
    actions = decide(here, google, ORGANIZER)
    shown = [(type(action).__name__, getattr(action, "patch", getattr(action, "kept", None))) for action in actions]
    assert shown == expected


@pytest.mark.rule("R11")
def test_googles_rewriting_of_a_text_is_no_edit():
    here = Half(AGREED, AGREED)
    google = Half(replace(AGREED, notes="<p>x</p>"), replace(AGREED, notes="<p>x</p>"))
    assert decide(here, google, ORGANIZER) == []


@pytest.mark.rule("R7", "R11")
def test_guests_merge_person_by_person():
    here = half(replace(AGREED, people=frozenset({ANNA, BORIS, CLARA})))
    google = half(replace(AGREED, people=frozenset({ANNA})))
    actions = decide(here, google, ORGANIZER)
    patches = {type(action).__name__: action.patch["people"] for action in actions}
    assert patches == {"UpdateInGoogle": {ANNA, CLARA}, "UpdateHere": {ANNA, CLARA}}


@pytest.mark.rule("R12")
def test_a_list_of_guests_that_google_cut_removes_and_sends_nobody():
    cut = replace(ORGANIZER, are_guests_cut=True)
    assert decide(half(), half(replace(AGREED, people=frozenset({ANNA}))), cut) == []
    added = half(replace(AGREED, people=frozenset({ANNA, BORIS, CLARA})))
    assert kinds(decide(added, half(), cut)) == ["Hold"]


@pytest.mark.rule("R6")
@pytest.mark.parametrize(
    "standing",
    [
        pytest.param(replace(ORGANIZER, foreign=frozenset({"subject"})), id="somebody-else-changed-it"),
        pytest.param(replace(ORGANIZER, why_read_only="Not yours.", is_own_copy=False), id="google-does-not-let-us"),
    ],
)
def test_what_may_not_be_sent_comes_back_and_is_kept_in_the_journal(standing):
    actions = decide(half(RENAMED), half(), standing)
    assert kinds(actions) == ["GaveWay", "UpdateHere"]
    assert actions[0].here == "Final review"
    assert actions[1].patch == {"subject": "Review"}
    assert (actions[1].rule, actions[1].reason) == ("R6", "Subject taken back: Google's value holds.")


@pytest.mark.rule("R6", "R10")
def test_ones_own_copy_is_ones_own_even_without_the_right_to_change_the_meeting():
    actions = decide(half(replace(AGREED, is_private=True)), half(), replace(ORGANIZER, why_read_only="Not yours."))
    assert [(type(action).__name__, action.patch) for action in actions] == [("UpdateInGoogle", {"is_private": True})]


@pytest.mark.rule("R5")
def test_no_content_flows_in_a_guests_session():
    assert decide(half(RENAMED), half(MOVED), GUEST) == []


@pytest.mark.rule("R4")
def test_leaving_the_selection_freezes_once_and_qualifying_again_reads_afresh():
    unmet = Reason(False, "It carries no private tag of yours.", "R1c")
    assert kinds(decide(half(RENAMED), half(MOVED), replace(ORGANIZER, unmet=unmet))) == ["Freeze"]
    assert decide(half(RENAMED), half(MOVED), replace(ORGANIZER, unmet=unmet, is_frozen=True)) == []
    assert kinds(decide(half(RENAMED), half(MOVED), replace(ORGANIZER, is_frozen=True))) == ["Reread"]


@pytest.mark.rule("R10")
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(Answer("accepted", "accepted", "needs_action"), [], id="the-same"),
        pytest.param(Answer("accepted", "needs_action", "needs_action"), ["AnswerInGoogle"], id="given-here"),
        pytest.param(Answer("needs_action", "tentative", "needs_action"), ["AnswerHere"], id="given-in-google"),
        pytest.param(
            Answer("accepted", "declined", "needs_action", TEN, NINE), ["GaveWay", "AnswerInGoogle"], id="later-here"
        ),
        pytest.param(
            Answer("accepted", "declined", "needs_action", NINE, TEN), ["GaveWay", "AnswerHere"], id="later-in-google"
        ),
        pytest.param(
            Answer("accepted", "declined", "needs_action", google_at=TEN), ["AnswerHere"], id="nobody-answered-here"
        ),
        pytest.param(Answer("accepted", "needs_action", None), ["AnswerInGoogle"], id="first-met-answered-here"),
        pytest.param(Answer("needs_action", "accepted", None), ["AnswerHere"], id="first-met-answered-there"),
        pytest.param(Answer(None, "accepted", "accepted"), [], id="takes-no-part-here"),
        pytest.param(Answer("accepted", None, None), [], id="is-no-guest-there"),
    ],
)
@pytest.mark.parametrize("standing", [ORGANIZER, GUEST, replace(GUEST, is_frozen=True)])
def test_a_persons_own_answer_flows_in_their_own_session(answer, expected, standing):
    standing = replace(standing, answer=answer, unmet=Reason(False, "", "R1a") if standing.is_frozen else None)
    assert kinds(decide(half(), half(), standing)) == expected


@pytest.mark.rule("R14")
@pytest.mark.parametrize(
    ("here", "google", "standing", "expected"),
    [
        pytest.param(half(), half(presence=CANCELED), ORGANIZER, ["CancelHere", "Detach"], id="organizers-copy"),
        pytest.param(half(), half(presence=CANCELED), replace(GUEST, other_copies_live=False),
                     ["CancelHere", "Detach"], id="every-copy-we-know"),
        pytest.param(half(), half(presence=CANCELED), replace(GUEST, answer=Answer("accepted")),
                     ["AnswerHere", "Detach"], id="a-guests-copy-only"),
        pytest.param(half(), half(presence=CANCELED), replace(ORGANIZER, is_completed=True), ["Detach"],
                     id="completed-stays-completed"),
        pytest.param(half(RENAMED), half(presence=CANCELED), ORGANIZER, ["GaveWay", "BringBackInGoogle"],
                     id="changed-here-deleted-there"),
        pytest.param(half(presence=CANCELED), half(), ORGANIZER, ["RemoveInGoogle", "Detach"], id="canceled-here"),
        pytest.param(half(presence=DELETED), half(), ORGANIZER, ["RemoveInGoogle", "Detach"], id="deleted-here"),
        pytest.param(half(presence=DELETED), half(), GUEST, [], id="deleted-here-in-a-guests-session"),
        pytest.param(half(presence=DELETED), half(MOVED), ORGANIZER, ["GaveWay", "BringBackHere"],
                     id="deleted-here-changed-there"),
        pytest.param(half(presence=CANCELED), half(), replace(ORGANIZER, why_read_only="Not yours."),
                     ["GaveWay", "BringBackHere"], id="not-ours-to-cancel"),
        pytest.param(half(presence=CANCELED), half(), replace(ORGANIZER, foreign=frozenset({"status"})),
                     ["GaveWay", "BringBackHere"], id="canceled-by-somebody-else"),
        pytest.param(half(presence=CANCELED), half(presence=CANCELED), ORGANIZER, ["Detach"], id="gone-on-both"),
        pytest.param(half(), half(presence=CANCELED), replace(ORGANIZER, is_frozen=True,
                     unmet=Reason(False, "", "R1a")), [], id="frozen"),
        pytest.param(half(presence=CANCELED), half(), replace(ORGANIZER, is_detached=True,
                     agreed_presence=CANCELED), ["BringBackHere"], id="returned-in-google"),
        pytest.param(half(), half(presence=CANCELED), replace(ORGANIZER, is_detached=True,
                     agreed_presence=CANCELED), ["BringBackInGoogle"], id="set-back-here"),
        pytest.param(half(), half(presence=CANCELED), replace(ORGANIZER, is_detached=True, is_completed=True), [],
                     id="completed-then-cancelled-does-not-return"),
    ],
)  # fmt: skip
def test_deleting_and_canceling(here, google, standing, expected):
    assert kinds(decide(here, google, standing)) == expected


UNMET = Reason(False, "It carries no private tag of yours.", "R1c")


@pytest.mark.rule("R4", "R14")
def test_what_leaves_the_selection_says_why_even_if_its_event_is_gone():
    out = replace(ORGANIZER, unmet=UNMET)
    assert decide(half(), half(presence=CANCELED), out) == [core.Freeze("R1c", UNMET.text)]
    assert decide(half(), half(presence=CANCELED), replace(out, is_frozen=True)) == []
    assert decide(half(), half(presence=CANCELED), replace(out, is_organizer=False)) == []


@pytest.mark.rule("R12")
def test_who_was_added_in_google_comes_even_while_our_own_change_of_the_list_waits():
    here = half(replace(AGREED, people=frozenset({ANNA, BORIS, CLARA})))
    google = half(replace(AGREED, people=frozenset({ANNA, 4})))
    actions = decide(here, google, replace(ORGANIZER, are_guests_cut=True))
    assert kinds(actions) == ["Hold", "UpdateHere"]
    assert actions[1].patch == {"people": {ANNA, BORIS, CLARA, 4}}


@pytest.mark.rule("R12")
def test_a_list_that_google_cut_stays_the_base_of_who_is_not_on_it():
    shown = replace(AGREED, people=frozenset({ANNA}))
    base_here, base_google = agreed_after(half(), half(shown), is_organizer=True, are_guests_cut=True)
    assert base_here.people == base_google.people == {ANNA, BORIS}
    assert decide(Half(AGREED, base_here), Half(shown, base_google), ORGANIZER)[0].patch == {"people": {ANNA}}
    off = half(replace(AGREED, people=frozenset({ANNA})))
    base_here, _base_google = agreed_after(off, half(shown), is_organizer=True, are_guests_cut=True)
    assert BORIS in base_here.people  # Taken off here; that still waits to be sent.


@pytest.mark.rule("R12", "R14")
def test_a_list_that_google_cut_does_not_outlive_a_deletion_here():
    shown = half(replace(AGREED, people=frozenset({ANNA})))
    actions = decide(half(presence=DELETED), shown, replace(ORGANIZER, are_guests_cut=True))
    assert kinds(actions) == ["RemoveInGoogle", "Detach"]


@pytest.mark.rule("R14")
def test_how_a_copy_is_shown_does_not_outlive_a_deletion_and_is_in_the_journal():
    free = half(replace(AGREED, show_as_free=True))
    actions = decide(half(presence=DELETED), free, ORGANIZER)
    assert kinds(actions) == ["GaveWay", "RemoveInGoogle", "Detach"]
    assert (actions[0].name, actions[0].google, actions[0].kept) == ("show_as_free", True, Side.HERE)
    assert kinds(decide(free, half(presence=CANCELED), ORGANIZER)) == ["CancelHere", "Detach"]


@pytest.mark.rule("R14")
def test_what_was_kept_in_google_keeps_its_base_for_the_day_it_is_set_back():
    kept = replace(ORGANIZER, agreed_presence=CANCELED)
    gone, moved = half(presence=CANCELED), half(MOVED)
    assert decide(gone, moved, kept) == []
    base_here, base_google = agreed_after(gone, moved, is_organizer=True)
    back = decide(Half(AGREED, base_here), Half(MOVED, base_google), kept)
    assert [action.patch for action in back] == [{"when": MOVED.when}]


@pytest.mark.rule("R6", "R14")
def test_only_the_organizer_sets_back_and_only_what_google_lets_them():
    gone = replace(ORGANIZER, is_detached=True, agreed_presence=CANCELED)
    foreign = decide(half(), half(presence=CANCELED), replace(gone, foreign=frozenset({"status"})))
    assert kinds(foreign) == ["GaveWay", "CancelHere"]
    assert decide(half(), half(presence=CANCELED), replace(gone, why_read_only="Google has locked this event.")) == []


@pytest.mark.rule("R5", "R14")
def test_a_cancellation_on_its_way_does_not_become_agreed_in_a_guests_session():
    gone, there = half(presence=CANCELED), half()
    assert core.agreed_presence_after(gone, there, GUEST) is PRESENT
    assert core.agreed_presence_after(gone, there, ORGANIZER) is CANCELED
    assert core.agreed_presence_after(gone, half(presence=CANCELED), GUEST) is CANCELED
    assert core.agreed_presence_after(half(), there, replace(GUEST, agreed_presence=CANCELED)) is PRESENT


@pytest.mark.rule("R10")
def test_nobody_answers_an_event_that_is_being_removed():
    answered = replace(ORGANIZER, answer=Answer("accepted", "needs_action", "needs_action"))
    assert kinds(decide(half(presence=CANCELED), half(), answered)) == ["RemoveInGoogle", "Detach"]
    answered = replace(answered, is_detached=True)
    assert kinds(decide(half(), half(), answered)) == ["Reread"]


@pytest.mark.rule("R7", "R11")
def test_a_person_added_on_one_side_and_taken_off_on_the_other_is_in_the_journal():
    here = Half(AGREED, replace(AGREED, people=frozenset({ANNA})))
    google = Half(replace(AGREED, people=frozenset({ANNA})), AGREED)
    actions = decide(here, google, ORGANIZER)
    assert kinds(actions) == ["GaveWay", "UpdateHere"]
    assert actions[0].rule == "R11"


@pytest.mark.rule("R5", "R6")
def test_handed_over_what_the_former_organizer_had_not_sent_gives_way_and_is_kept():
    """Boris takes over; Anna had moved it here, Clara joined in Google. Nothing is silently reverted (R5)."""
    anna_moved, clara_came = half(MOVED), half(replace(AGREED, people=AGREED.people | {CLARA}))
    took_over = Standing(is_organizer=True, foreign=frozenset({"when"}))
    actions = decide(anna_moved, clara_came, took_over)
    assert kinds(actions) == ["GaveWay", "UpdateHere"]
    assert (actions[0].name, actions[0].here, actions[0].rule) == ("when", MOVED.when, "R6")
    assert actions[1].patch == {"when": AGREED.when, "people": {ANNA, BORIS, CLARA}}


@pytest.mark.rule("R5")
def test_handed_over_in_a_guests_session_before_nothing_of_it_is_lost():
    here, google = half(RENAMED), half(MOVED)
    base_here, base_google = agreed_after(here, google, is_organizer=False)
    took_over = Standing(is_organizer=True)
    assert decide(Half(RENAMED, base_here), Half(MOVED, base_google), took_over) == decide(here, google, took_over)


# --- Properties --------------------------------------------------------------------------------------------------

TEXTS = st.sampled_from(["", "a", "b"])
WHENS = st.sampled_from([AGREED.when, MOVED.when, Days(date(2026, 3, 9), date(2026, 3, 9))])
SNAPSHOTS = st.builds(
    Snapshot,
    subject=TEXTS,
    when=WHENS,
    location=TEXTS,
    notes=TEXTS,
    is_private=st.booleans(),
    show_as_free=st.booleans(),
    reminder=st.sampled_from([None, 5]),
    people=st.frozensets(st.sampled_from([BORIS, CLARA])).map(lambda people: people | {ANNA}),
)
TIMES = st.dictionaries(st.sampled_from(FIELDS), st.sampled_from([NINE, TEN]))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Half, Half]:
    """One base, edited twice, so that the halves are related."""
    base = draw(SNAPSHOTS)
    edited = st.one_of(st.just(base), SNAPSHOTS)
    return Half(draw(edited), base, PRESENT, draw(TIMES)), Half(draw(edited), base, PRESENT, draw(TIMES))


STANDINGS = st.builds(
    Standing,
    is_organizer=st.just(True),
    is_own_copy=st.just(True),
    why_read_only=st.sampled_from(["", "Not yours."]),
    foreign=st.frozensets(st.sampled_from(FIELDS)),
)


def pretend(here: Half, google: Half, actions: list[core.Action]) -> tuple[Half, Half]:
    """Do what was decided, and settle."""
    after_here, after_google = here.now, google.now
    for action in actions:
        if isinstance(action, core.UpdateHere):
            after_here = replace(after_here, **action.patch)
        if isinstance(action, core.UpdateInGoogle):
            after_google = replace(after_google, **action.patch)
    base_here, base_google = agreed_after(replace(here, now=after_here), replace(google, now=after_google),
                                          is_organizer=True)  # fmt: skip
    return Half(after_here, base_here), Half(after_google, base_google)


@pytest.mark.rule("R11")
@given(pair=pairs(), standing=STANDINGS)
def test_once_done_both_sides_are_equal_and_nothing_is_left_to_do(pair, standing):
    here, google = pretend(*pair, decide(*pair, standing))
    assert here.now == google.now
    assert decide(here, google, standing) == []


@pytest.mark.rule("R6", "R11")
@given(pair=pairs(), standing=STANDINGS)
def test_no_edit_is_silently_lost(pair, standing):
    before_here, before_google = pair
    actions = decide(*pair, standing)
    here, _google = pretend(*pair, actions)
    told = {action.name for action in actions if isinstance(action, core.GaveWay)}
    for name in set(FIELDS) - {"people"}:
        edited = {getattr(side.now, name) for side in pair if side.has_edited(name)}
        if len(edited) == 1:
            assert getattr(here.now, name) in edited or name in told
        if len(edited) == 2:
            assert getattr(here.now, name) in edited
            assert name in told
    assert before_here.base == before_google.base


@pytest.mark.rule("R6")
@given(pair=pairs())
def test_without_the_right_nothing_but_ones_own_copy_is_written(pair):
    actions = decide(*pair, replace(ORGANIZER, why_read_only="Not yours.", is_own_copy=False))
    for action in actions:
        if isinstance(action, core.UpdateInGoogle):
            assert set(action.patch) <= core.PER_COPY_FIELDS


@pytest.mark.rule("R5")
@given(pair=pairs())
def test_a_guests_session_keeps_the_base_of_what_differs(pair):
    here, google = pair
    base_here, base_google = agreed_after(here, google, is_organizer=False)
    for person in base_here.people | base_google.people | here.now.people | google.now.people:
        is_agreed = (person in here.now.people) is (person in google.now.people)
        for after, before, now in ((base_here, here.base, here.now), (base_google, google.base, google.now)):
            assert (person in after.people) is (person in (now if is_agreed else before).people)
    for name in core.MERGED:
        if getattr(here.now, name) == getattr(google.now, name):
            assert getattr(base_here, name) == getattr(here.now, name)
        else:
            assert getattr(base_here, name) == getattr(here.base, name)
            assert getattr(base_google, name) == getattr(google.base, name)
