"""
Series that are divided, "this and all following", on either side or on both at once (R15).

`in_google` lets a later part come in that Google divided off, `here` sends one that was divided off here, `at_once` is
about series that both sides changed. They rest on `parts` (what was divided off here) and `times` (when parts are).
"""

from sync.splitting.at_once import look_at_parts
from sync.splitting.here import (
    belongs_to_somebody_else,
    beside_the_whole,
    event_before_the_split,
    link_before_the_split,
    look_at_the_whole,
    moved_with_the_whole,
    pairs_along,
    pairs_that_move,
    parts_along,
    waits_for_its_part,
)
from sync.splitting.in_google import (
    OF_THE_HEAD,
    Begin,
    Former,
    begin,
    changed_for_later,
    cut_parts_here,
    end_what_is_gone,
    former_of,
    is_divided_in_google_too,
    journal_time,
    take_over_people,
    until_next_part,
)
from sync.splitting.parts import Part
from sync.splitting.times import with_base

__all__ = [
    "OF_THE_HEAD",
    "Begin",
    "Former",
    "Part",
    "begin",
    "belongs_to_somebody_else",
    "beside_the_whole",
    "changed_for_later",
    "cut_parts_here",
    "end_what_is_gone",
    "event_before_the_split",
    "former_of",
    "is_divided_in_google_too",
    "journal_time",
    "link_before_the_split",
    "look_at_parts",
    "look_at_the_whole",
    "moved_with_the_whole",
    "pairs_along",
    "pairs_that_move",
    "parts_along",
    "take_over_people",
    "until_next_part",
    "waits_for_its_part",
    "with_base",
]
