"""Stop a session that would remove suspiciously much (R14)."""

from __future__ import annotations

MANY = 20
AT_LEAST = 5


def needs_confirmation(*, removals: int, links: int) -> bool:
    """Whether so many removals among so many links are to be confirmed by a person first."""
    more_than_a_quarter = removals > MANY and removals * 4 > links
    every_one = removals >= AT_LEAST and removals >= links
    return more_than_a_quarter or every_one
