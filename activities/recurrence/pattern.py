"""What a series is, and what can be wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

LAST_YEAR = 2200  # Nothing repeats beyond it.
FIRST_YEAR = 1600  # Nothing begins before it. Birthdays without a year are kept in 1604 by some.


class UnreadableRule(Exception):
    """The lines make no sense, or ask for more than we follow; the message is for the user."""


class UnableToMove(Exception):
    """The rule is too particular to be moved or divided there; the message is for the user."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """When a series happens."""

    first: datetime | date  # Aware for a timed series, of whatever zone; a date for an all-day one.
    time_zone: str  # IANA; means nothing for an all-day series.
    lines: tuple[str, ...]  # RRULE, RDATE, EXDATE and EXRULE of RFC 5545, in any order.


def shortened(text: str) -> str:
    """Return a text of unknown origin as a message can show it."""
    shown = "".join(character if character.isprintable() else "�" for character in text[:80])
    return shown + ("…" if len(text) > 80 else "")
