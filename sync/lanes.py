"""Many items at once: each is a conversation with Google, and what they ask goes out together (R18, R19)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sync.google import errors
from sync.google.gateway import Call
from sync.models import EventLink
from sync.run import Run
from sync.sessions import is_last_pass

# What looks at one item: it yields calls and is given Google's answers; failures are thrown into it.
Conversation = Generator[Call, dict[str, Any], None]
# Conversations that come to something: whether that was all, Google's new version of an event, a link to look at.
Step = Generator[Call, dict[str, Any], bool]
Writing = Generator[Call, dict[str, Any], Mapping[str, Any]]
Linking = Generator[Call, dict[str, Any], EventLink | None]

AT_ONCE = 50  # Calls that go to Google in one batch: what older guides of Google allow, and enough.
A_FEW = 5  # Calls that get no answer while Google answers others: their own trouble.
DOWN_AFTER = 3  # Times in a row that nothing came back: Google is down, and the rest waits (R20).


@dataclass
class Item:
    """
    One thing to look at.

    Items of one lane go one after another, so that writes to one activity or series never meet (R12). `failed` is told
    about whatever goes wrong with this item alone, and puts it aside (R19); `ended` is called in any case.
    """

    lane: str
    begin: Callable[[], Conversation]
    failed: Callable[[Exception], None]
    ended: Callable[[], None]
    conversation: Conversation | None = None
    call: Call | None = None


def carry_out(run: Run, items: Iterable[Item]) -> None:
    """
    Look at every item, up to AT_ONCE side by side.

    What cannot be answered now is left for later in `run.unavailable`; what concerns the whole session is raised.
    """
    lanes = _Lanes(items)
    in_a_row = 0
    while asking := lanes.fill():
        answers = _send(run, [item.call for item in asking if item.call])
        silent = all(isinstance(answer, errors.GoogleUnavailable) for answer in answers)
        in_a_row = in_a_row + 1 if silent else 0
        is_their_own = run.session.has_written or not silent or len(asking) <= A_FEW
        for item, answer in zip(asking, answers, strict=True):
            if isinstance(answer, errors.GoogleUnavailable):
                lanes.close(item)
                _wait(run, item, answer, is_its_own=is_their_own)
            else:
                lanes.answer(item, answer)
        if in_a_row >= DOWN_AFTER:
            return  # The rest keeps its marks.


def _wait(run: Run, item: Item, answer: errors.GoogleUnavailable, *, is_its_own: bool) -> None:
    """
    The next pass tries again. What fails in every one although Google answers otherwise is put aside (R19, R20).

    Google has listed the calendar before any item is looked at, so a few alone are not Google's trouble: were they to
    wait for ever, so would whatever has to be removed, of which nobody knows how much it is before all are looked at.
    """
    if is_last_pass(run.session) and is_its_own:
        item.failed(errors.EventRefused(str(answer)))
    else:
        run.unavailable = answer


def _send(run: Run, calls: list[Call]) -> list[dict[str, Any] | errors.GoogleError]:
    """What fails with one call alone is that item's trouble: an event that always fails must not stop the others."""
    try:
        return run.gateway.send(calls)
    except errors.GoogleUnavailable as error:
        if len(calls) > 1:
            raise
        return [error]


class _Lanes:
    """Which items talk, and which wait for the one before them in their lane."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._waiting = deque(items)
        self._talking: list[Item] = []
        self._busy: set[str] = set()
        self._blocked: set[str] = set()  # Something in it got no answer: what follows relies on it.

    def fill(self) -> list[Item]:
        """Begin items until AT_ONCE of them wait for Google, and return these."""
        behind: deque[Item] = deque()
        while self._waiting and len(self._talking) < AT_ONCE:
            item = self._waiting.popleft()
            if item.lane in self._blocked:
                item.ended()
                continue
            if item.lane in self._busy:
                behind.append(item)
                continue
            self._begin(item)
        behind.extend(self._waiting)
        self._waiting = behind
        return list(self._talking)

    def answer(self, item: Item, answer: dict[str, Any] | errors.GoogleError) -> None:
        conversation = item.conversation
        assert conversation is not None
        if isinstance(answer, errors.GoogleError):
            self._advance(item, lambda: conversation.throw(answer))
        else:
            self._advance(item, lambda: conversation.send(answer))

    def close(self, item: Item) -> None:
        if item.conversation:
            item.conversation.close()
        self._blocked.add(item.lane)
        self._end(item)

    def _begin(self, item: Item) -> None:
        self._talking.append(item)
        self._busy.add(item.lane)
        conversation = item.conversation = item.begin()
        self._advance(item, lambda: next(conversation))

    def _advance(self, item: Item, step: Callable[[], Call]) -> None:
        try:
            item.call = step()
        except StopIteration:
            self._end(item)
        except Exception as error:
            self._end(item)
            item.failed(error)

    def _end(self, item: Item) -> None:
        self._talking.remove(item)
        self._busy.discard(item.lane)
        item.ended()
