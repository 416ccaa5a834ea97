"""Whether Google mails the guests, over all combinations (R17)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain, combinations, product

import pytest

from sync.core.mail import FRESH, Decided, Occasion, Write, send_updates, why_silent
from sync.core.reasons import Reason
from sync.core.snapshot import FIELDS, PER_COPY_FIELDS

pytestmark = pytest.mark.rule("R17")

NOW = datetime(2026, 3, 9, 12, tzinfo=UTC)
JUST_NOW, LONG_SINCE = NOW - timedelta(minutes=5), NOW - FRESH
FRESH_CHANGE = Occasion(
    write=Write.UPDATE,
    now=NOW,
    ends_at=NOW + timedelta(hours=1),
    changed_at=JUST_NOW,
    has_other_guests=True,
    tells_guests=True,
    fields=frozenset({"subject"}),
)


def every_occasion():
    few_fields = [frozenset(names) for names in chain(combinations(FIELDS, 1), combinations(FIELDS, 2))]
    for write, ends_in, changed_at, others, tells, first, back_fill in product(
        Write, (-1, 0, 1), (None, LONG_SINCE, LONG_SINCE + timedelta(seconds=1), JUST_NOW), *[(False, True)] * 4
    ):
        for fields in few_fields if write is Write.UPDATE else [frozenset()]:
            ends_at = NOW + timedelta(seconds=ends_in)
            yield Occasion(write, NOW, ends_at, changed_at, others, tells, fields, first, back_fill)


def test_every_case_of_a_fresh_decision():
    for occasion in every_occasion():
        is_told = (
            occasion.write is not Write.ANSWER
            and (occasion.write is not Write.UPDATE or bool(occasion.fields - PER_COPY_FIELDS))
            and occasion.has_other_guests
            and occasion.tells_guests
            and occasion.ends_at > NOW
            and occasion.changed_at is not None
            and NOW - occasion.changed_at < timedelta(hours=24)
            and not occasion.is_first_session
            and not occasion.is_back_fill
        )
        decided = send_updates(occasion)
        assert decided.send_updates == ("all" if is_told else "none"), occasion
        assert decided.reason.met is is_told
        assert decided.reason.rule == "R17"
        assert decided.reason.text.endswith(".")
        assert (why_silent(occasion) is None) is is_told
        assert decided.changed_at == occasion.changed_at


def test_every_case_of_a_decision_that_was_made_before():
    """It belongs to the change: repeated, nothing else decides but a person who changes something again."""
    reason = Reason(True, "Decided before.", "R17")
    earlier = [Decided(value, reason, at) for value, at in product(("all", "none"), (None, LONG_SINCE, JUST_NOW, NOW))]
    for occasion, before in product(every_occasion(), earlier):
        decided = send_updates(occasion, decided=before)
        fresh = send_updates(occasion)
        is_for_guests = occasion.write is not Write.ANSWER and not (
            occasion.write is Write.UPDATE and occasion.fields <= PER_COPY_FIELDS
        )
        is_new = occasion.changed_at is not None and (
            before.changed_at is None or occasion.changed_at > before.changed_at
        )
        if not is_for_guests:
            assert decided.send_updates == "none", (occasion, before)
        elif before.send_updates == "all" or not is_new:
            assert decided == before, (occasion, before)
        else:
            assert decided == fresh, (occasion, before)


def test_a_decision_outlives_the_retries_of_its_write():
    told = send_updates(FRESH_CHANGE)
    later = replace(FRESH_CHANGE, now=NOW + timedelta(days=3), tells_guests=False)
    assert send_updates(later, decided=told) == told
    assert send_updates(later).send_updates == "none"


def test_what_the_first_session_could_not_send_is_sent_without_mail_by_the_second():
    silent = send_updates(replace(FRESH_CHANGE, write=Write.INSERT, is_first_session=True))
    again = replace(FRESH_CHANGE, write=Write.INSERT)
    assert send_updates(again, decided=silent).send_updates == "none"
    changed_again = replace(again, changed_at=NOW)
    assert send_updates(changed_again, decided=silent).send_updates == "all"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"write": Write.ANSWER}, "answer"),
        ({"fields": frozenset({"reminder", "is_private"})}, "own copy"),
        ({"has_other_guests": False}, "Nobody else"),
        ({"is_first_session": True}, "first synchronization"),
        ({"is_back_fill": True}, "set-up page"),
        ({"ends_at": NOW}, "has ended"),
        ({"tells_guests": False}, "is off"),
        ({"changed_at": None}, "No person"),
        ({"changed_at": LONG_SINCE}, "24 hours"),
    ],
)
def test_each_reason_for_silence_has_its_words(change, words):
    reason = why_silent(replace(FRESH_CHANGE, **change))
    assert reason is not None
    assert words in reason.text
