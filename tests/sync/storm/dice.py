"""One number from which a step takes all it has to choose, so that a step is short to print and quick to draw."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """
    Chooses as the number says, always the same for the same number.

    Hypothesis prefers small and round numbers, which would make everybody do the first of everything; so each number
    stands for a long one that looks like any other.
    """

    SIDES = 2**20

    def __init__(self, number: int) -> None:
        self._number = int.from_bytes(hashlib.shake_256(str(number).encode()).digest(64))

    def of(self, options: Sequence[T]) -> T:
        """Return one of the options. :raises ZeroDivisionError: without any."""
        self._number, index = divmod(self._number, len(options))
        return options[index]

    def one_in(self, times: int) -> bool:
        """Whether something happens that happens once in so many times."""
        return self.of(range(times)) == 0
