"""
The rules of repeating activities, RFC 5545 lines as Google keeps them: when they happen, how they divide (R15, R16).

Pure: no database, no clock. Moments go in and come out aware, in UTC; an all-day series happens at midnight UTC of its
days. The clock on the wall of the series' zone holds across DST: a time that a day lacks is later by what was left
out, one that a day has twice is the first of the two. Nothing repeats beyond `pattern.LAST_YEAR`.

python-dateutil expands rules as well, but begins at the first start each time and cannot be stopped while it looks for
a day that never comes; whoever may send us an invitation could keep a worker busy with it. Tests compare with it.
"""

from activities.recurrence.comparing import (
    counterpart,
    cut_and_moved,
    goes_on,
    is_cut,
    part_from,
    part_moved_along,
    start_in_part,
    start_once_moved,
)
from activities.recurrence.cutting import before_cut, from_cut
from activities.recurrence.expansion import check, happens_at, instance_suffix, is_endless, last_start, starts
from activities.recurrence.form import Repetition, lines_of, repetition_of
from activities.recurrence.moving import moved
from activities.recurrence.pattern import Pattern, UnableToMove, UnreadableRule
from activities.recurrence.words import in_words, own_rule

__all__ = [
    "Pattern",
    "Repetition",
    "UnableToMove",
    "UnreadableRule",
    "before_cut",
    "check",
    "counterpart",
    "cut_and_moved",
    "from_cut",
    "goes_on",
    "happens_at",
    "in_words",
    "instance_suffix",
    "is_cut",
    "is_endless",
    "last_start",
    "lines_of",
    "moved",
    "own_rule",
    "part_from",
    "part_moved_along",
    "repetition_of",
    "start_in_part",
    "start_once_moved",
    "starts",
]
