"""The state machine: which steps a journey is made of."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.sync.storm import accounts, checks, here, repeating, there
from tests.sync.storm.checkpoints import ANY, REQUEST, TRANSACTION
from tests.sync.storm.dice import Dice
from tests.sync.storm.world import CONNECTED, DEAD_AFTER, World

people = st.sampled_from(CONNECTED)
numbers = st.integers(0, Dice.SIDES - 1)
windows = st.sampled_from([REQUEST, TRANSACTION])

ACTS_OF_A_STEP = 6
ACTS = (here.ACTS, there.ACTS, repeating.ACTS)
Act = Callable[[World, str, Dice], None]


class Journey(RuleBasedStateMachine):
    """
    A storm of steps by three colleagues, a fourth without an account and a guest from elsewhere; then calm.

    Few rules, each with many choices of its own: Hypothesis leaves some rules out of each journey on purpose.
    """

    make_world: ClassVar[Callable[[], World]]

    def __init__(self) -> None:
        super().__init__()
        self.world = type(self).make_world()
        self.thaws = False

    @initialize(number=numbers, thaws=st.booleans())
    def begin(self, number: int, *, thaws: bool) -> None:
        """
        Everybody has something in both calendars, and has synchronized.

        In the end everything qualifies again, or what was taken out of the selection stays out (`thaws`).
        """
        self.thaws = thaws
        dice = Dice(number)
        once: tuple[Act, ...] = (here.make, there.make)
        makers = (*once, *once, repeating.make_here, repeating.make_there)
        for name in (*CONNECTED, "maria"):
            self._act((there.make,) if name == "maria" else makers, name, dice)
        for name in CONNECTED:
            self.world.synchronize(name)

    @rule(name=people, number=numbers)
    def act(self, name: str, number: int) -> None:
        dice = Dice(number)
        for _number in range(ACTS_OF_A_STEP):
            if dice.one_in(6):
                self._act(there.ACTS, "maria", dice)
            else:
                self._act(dice.of(ACTS), dice.of([name, name, *CONNECTED]), dice)

    @rule(name=people, number=numbers)
    def disturb(self, name: str, number: int) -> None:
        """Something goes wrong at Google or on the way there, or happens to somebody's account."""
        dice = Dice(number)
        if dice.one_in(2):
            accounts.trouble(self.world, name, dice)
        else:
            dice.of(accounts.ACTS)(self.world, name, dice)
            self.world.ledger.accept()

    # Sessions

    @rule(name=people)
    def synchronize(self, name: str) -> None:
        self.world.synchronize(name)
        self.world.confirm(name)

    @rule(name=people, number=numbers)
    def synchronize_and_be_killed(self, name: str, number: int) -> None:
        """At any point of a session that has something to do, mostly: what it passes is known from a rehearsal."""
        dice = Dice(number)
        for _number in range(dice.of([0, 1, 3])):
            self._act(dice.of(ACTS), name, dice)
        if at := self._point(name, ANY, dice):
            self.world.synchronize(name, at=at)

    @rule(name=people, of=windows, number=numbers)
    def quarrel(self, name: str, of: str, number: int) -> None:
        """The same thing is changed on both sides: on one before the session, on the other in the middle of it."""
        dice = Dice(number)
        first, second = dice.of([(here.edit, there.edit), (there.edit, here.edit), (here.change_people, there.edit)])
        for _number in range(2):
            self._act((first,), name, dice)
        if dice.one_in(3):
            self._act((second,), name, dice)
        at = self._point(name, of, dice)
        self.world.synchronize(name, at=at, of=of, act=lambda: second(self.world, name, dice))

    @rule(name=people, of=windows, number=numbers)
    def synchronize_while_something_happens(self, name: str, of: str, number: int) -> None:
        dice = Dice(number)
        other = dice.of([name, *CONNECTED])
        happens = dice.of([self._somebody_acts, self._somebody_acts, self._another_worker_works, self._it_hangs])
        at = self._point(name, of, dice)
        self.world.synchronize(name, at=at, of=of, act=lambda: happens(other, dice))

    def _point(self, name: str, of: str, dice: Dice) -> int:
        """Choose any checkpoint that a session would pass now; 0 if there is none, as when an account is paused."""
        passed = self.world.rehearse(name)[of]
        return dice.of(range(1, passed + 1)) if passed else 0

    def _somebody_acts(self, other: str, dice: Dice) -> None:
        dice.of(dice.of(ACTS))(self.world, other, dice)

    def _another_worker_works(self, other: str, dice: Dice) -> None:
        """Somebody else's session in the middle of this one; of the same person's, a second message for it."""
        self.world.send(self.world.ask(other).pk)
        self.world.work()
        self.world.ledger.judge(has_heard_all=False)  # What it changed is nobody's edit.

    def _it_hangs(self, other: str, dice: Dice) -> None:
        """It shows no sign of life for so long that another worker takes the calendar over, and then it goes on."""
        self.world.clock.advance(DEAD_AFTER)
        self._another_worker_works(other, dice)

    def _act(self, acts: tuple[Act, ...], name: str, dice: Dice) -> None:
        dice.of(acts)(self.world, name, dice)
        self.world.ledger.accept()

    # After the storm

    def teardown(self) -> None:
        failed = sys.exc_info()[1]
        try:
            if failed is None:
                self.world.calm(thaws=self.thaws)
                checks.assert_all(self.world)
            else:
                failed.add_note("\n".join(self.world.log))
        except BaseException as error:
            error.add_note("\n".join(self.world.log))
            raise
        finally:
            self.world.close()
