"""A rule's verdict in words: what the pages show as the answer to "why"."""

from __future__ import annotations

from dataclasses import dataclass


def _(sentence: str) -> str:
    """
    Mark a sentence for translation, and return it as it is.

    What the engine says is stored in English, and put into the reader's language where it is shown (`words.said`).
    """
    return sentence


@dataclass(frozen=True, slots=True)
class Reason:
    """One condition of a rule: whether it holds, in a sentence, the rule's number, and what to do about it."""

    met: bool
    text: str
    rule: str
    next_step: str = ""
