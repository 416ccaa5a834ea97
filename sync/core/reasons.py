"""A rule's verdict in words: what the pages show as the answer to "why"."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reason:
    """One condition of a rule: whether it holds, in a sentence, the rule's number, and what to do about it."""

    met: bool
    text: str
    rule: str
    next_step: str = ""
