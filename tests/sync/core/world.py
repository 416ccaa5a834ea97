"""
A pure world of one activity and one event, to do in it what was decided.

It does what `sync.items` and `sync.writing` do with rows and requests: a look decides about what was *seen* of the
event, writes on nothing but that version, settles the bases, and looks again until nothing is left to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from sync.core import decide as core
from sync.core.decide import Answer, Half, Presence, Standing
from sync.core.reasons import Reason
from sync.core.snapshot import FIELDS, Repeating, Snapshot

LOOKS = 4
NOON = datetime(2026, 3, 9, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
UNMET = Reason(False, "It carries no private tag of yours.", "R1c", "Put one of your private tags on it.")
READ_ONLY = "The organizer of this event in Google has not allowed guests to change it."
PRESENT, CANCELED, DELETED = Presence


class State(Enum):
    LINKED = "linked"
    FROZEN = "frozen"
    DETACHED = "detached"
    INSERTING = "inserting"


@dataclass(slots=True)
class World:
    """One activity, one event, the link of one account, and how this account's user stands to both."""

    here: Snapshot
    google: Snapshot  # As Google holds it, all its guests included.
    base_here: Snapshot | None
    base_google: Snapshot | None
    here_presence: Presence = PRESENT
    google_presence: Presence = PRESENT
    agreed: Presence = PRESENT
    state: State = State.LINKED
    seen: Snapshot | None = None  # What Google last showed; None: just what it holds.
    seen_presence: Presence = PRESENT
    hidden: frozenset[int] = frozenset()  # Guests whom Google does not show this account.
    here_at: datetime = NOON
    google_at: datetime = NOON
    is_organizer: bool = True
    is_selected: bool = True
    is_own_copy: bool = True
    other_copies_live: bool = False
    is_kept: bool = False  # The Organizer's event is gone, and they chose to keep the activity.
    why_read_only: str = ""
    foreign: frozenset[str] = frozenset()
    is_completed: bool = False
    is_when_held: bool = False  # What was split off here is not in Google yet.
    answer: Answer = field(default_factory=Answer)
    incarnation: int = 0

    def __post_init__(self) -> None:
        if self.seen is None:
            self.observe()

    def observe(self) -> None:
        self.seen, self.seen_presence = self.shown(), self.google_presence

    def shown(self) -> Snapshot:
        return replace(self.google, people=self.google.people - self.hidden) if self.hidden else self.google

    @property
    def is_stale(self) -> bool:
        return self.seen_presence is not self.google_presence or self.seen != self.shown()

    def halves(self) -> tuple[Half, Half]:
        assert self.seen
        return (
            Half(self.here, self.base_here, self.here_presence, dict.fromkeys(FIELDS, self.here_at)),
            Half(self.seen, self.base_google, self.seen_presence, dict.fromkeys(FIELDS, self.google_at)),
        )

    def standing(self) -> Standing:
        return Standing(
            is_organizer=self.is_organizer,
            unmet=None if self.is_selected else UNMET,
            is_frozen=self.state is State.FROZEN,
            is_detached=self.state is State.DETACHED,
            agreed_presence=self.agreed,
            why_read_only=self.why_read_only,
            foreign=self.foreign_now(),
            are_guests_cut=bool(self.hidden),
            is_own_copy=self.is_own_copy,
            other_copies_live=self.other_copies_live,
            is_kept=self.is_kept_now(),
            is_completed=self.is_completed,
            when_of_both=self.when_of_both(),
            is_when_held=self.is_when_held,
            answer=self.answer,
        )

    def when_of_both(self) -> Repeating | None:
        """Cut short on one side, moved on the other; what a rule means is nothing of this world."""
        assert self.seen
        base = self.base_here.when if self.base_here else None
        for one, other in ((self.here.when, self.seen.when), (self.seen.when, self.here.when)):
            if not all(isinstance(when, Repeating) for when in (base, one, other)):
                return None
            if one.first == base.first != other.first and one.lines != base.lines == other.lines:
                return Repeating(other.first, one.lines)
        return None

    def is_kept_now(self) -> bool:
        """What was kept counts for who hears that the event is gone, as long as the activity is there."""
        is_gone_there_alone = self.here_presence is PRESENT and self.seen_presence is not PRESENT
        return self.is_kept and is_gone_there_alone and not self.is_own_copy

    def foreign_now(self) -> frozenset[str]:
        """What somebody else changed counts only as long as it differs from what was agreed."""
        if not self.foreign:
            return self.foreign
        base = self.base_here
        names = {name for name in self.foreign - {"status"} if base and getattr(self.here, name) != getattr(base, name)}
        if "status" in self.foreign and (self.here_presence is not PRESENT or self.here_presence is not self.agreed):
            names.add("status")
        return frozenset(names)


@dataclass(slots=True)
class Session:
    """What one session decided and wrote, look by look."""

    looks: list[list[core.Action]] = field(default_factory=list)
    is_finished: bool = False
    patched: set[str] = field(default_factory=set)  # Fields written to Google.
    removed: int = 0  # Events deleted in Google,
    inserted: int = 0  # and made.
    answered: int = 0

    @property
    def actions(self) -> list[core.Action]:
        return [action for look in self.looks for action in look]

    def gave_way(self, name: str) -> list[core.GaveWay]:
        return [action for action in self.actions if isinstance(action, core.GaveWay) and action.name == name]

    def has(self, kind: type[core.Action]) -> bool:
        return any(isinstance(action, kind) for action in self.actions)

    @property
    def has_written_to_google(self) -> bool:
        return bool(self.patched or self.removed or self.inserted or self.answered)


def synchronize(world: World) -> Session:
    """Look at the pair until nothing is left to do, at most four times, as a session does."""
    session = Session()
    for _look in range(LOOKS):
        if look(world, session):
            session.is_finished = True
            break
    return session


def look(world: World, session: Session) -> bool:
    """Do the next thing. Returns whether that was all."""
    if world.state is State.INSERTING:
        return _insert(world, session)
    here, google = world.halves()
    standing = world.standing()
    actions = core.decide(here, google, standing)
    session.looks.append(actions)
    for action in actions:
        if isinstance(action, core.Reread):
            _relink(world)
            return False
        if isinstance(action, core.BringBackInGoogle):
            if world.google_presence is PRESENT:
                _relink(world)
            else:
                world.incarnation += 1
                world.state, world.base_here, world.base_google = State.INSERTING, None, None
            return False
    writes = (core.UpdateInGoogle, core.AnswerInGoogle, core.RemoveInGoogle)
    if world.is_stale and any(isinstance(action, writes) for action in actions):
        world.observe()  # 412: it is not the version that was seen.
        return False
    for action in actions:
        _do(world, session, action)
    _settle(world, actions, here=here, google=google, standing=standing)
    return not any(isinstance(action, core.BringBackHere) for action in actions)


def _do(world: World, session: Session, action: core.Action) -> None:
    match action:
        case core.UpdateInGoogle():
            assert world.google_presence is PRESENT
            world.google = _patched(world.google, action.patch)
            session.patched |= set(action.patch)
            world.observe()
        case core.AnswerInGoogle():
            world.answer = replace(world.answer, google=action.response)
            session.answered += 1
        case core.RemoveInGoogle():
            assert world.google_presence is PRESENT
            world.google_presence = world.seen_presence = CANCELED
            session.removed += 1
        case core.UpdateHere():
            world.here = _patched(world.here, action.patch)
        case core.AnswerHere():
            world.answer = replace(world.answer, here=action.response)
        case core.CancelHere():
            world.here_presence = CANCELED
            world.foreign |= {"status"}  # The log of changes says that Google did it.
        case core.BringBackHere():
            world.here_presence = PRESENT
            world.foreign |= {"status"}


def _settle(world: World, actions: list[core.Action], *, here: Half, google: Half, standing: Standing) -> None:
    def has(kind: type[core.Action]) -> bool:
        return any(isinstance(action, kind) for action in actions)

    assert world.seen
    revived, frozen, detached = has(core.BringBackHere), has(core.Freeze), has(core.Detach)
    keeps_base = revived or frozen or detached or world.state is not State.LINKED
    if not keeps_base:
        world.base_here, world.base_google = core.agreed_after(
            replace(here, now=world.here),
            replace(google, now=world.seen),
            is_organizer=standing.is_organizer,
            are_guests_cut=standing.are_guests_cut,
            is_when_held=standing.is_when_held,
        )
    is_apart = frozen or (not detached and world.state is not State.LINKED)
    if not (revived or is_apart):
        canceled = has(core.CancelHere)
        world.agreed = CANCELED if canceled else core.agreed_presence_after(here, google, standing)
    if revived:
        world.state = State.LINKED
    elif frozen:
        world.state = State.FROZEN
    elif detached:
        world.state = State.DETACHED
    world.answer = replace(world.answer, base=world.answer.google)


def _relink(world: World) -> None:
    world.observe()
    if world.google_presence is PRESENT and world.state is State.DETACHED and world.here_presence is PRESENT:
        world.agreed = PRESENT
    world.state = State.LINKED


def _insert(world: World, session: Session) -> bool:
    """The event returns under a new id, as the user's own."""
    assert world.is_organizer
    assert world.is_selected
    assert world.here_presence is PRESENT
    session.inserted += 1
    world.google, world.google_presence, world.hidden = world.here, PRESENT, frozenset()
    world.observe()
    world.is_own_copy, world.why_read_only = True, ""
    world.base_here = world.base_google = world.here
    world.agreed, world.state = PRESENT, State.LINKED
    world.answer = replace(world.answer, google=None, base=None)
    return True


def _patched(snapshot: Snapshot, patch: Mapping[str, Any]) -> Snapshot:
    return replace(snapshot, **patch)
