"""
What a session writes into our rows: one transaction each, and nothing that has changed meanwhile is overwritten (R11).

`importing` makes activities of events, `arriving` of many plain ones at once, `inserting` prepares and adopts events of
ours, `settling` keeps what both sides have agreed on, `along` lets what was divided off or moved here take part in what
Google did. They rest on `content`.
"""

from sync.writing.along import take_along, take_along_what_is_made_anew, take_along_what_moves
from sync.writing.arriving import look_back, take_in
from sync.writing.importing import import_event, join_activity, move_link, release
from sync.writing.inserting import adopt, intend, intend_answer, next_incarnation, prepare_insert, take_another_id
from sync.writing.settling import (
    hand_over,
    ignore_event,
    meet,
    postpone_activity,
    relink,
    settle_pair,
    unmark,
    unmark_activity,
)

__all__ = [
    "adopt",
    "hand_over",
    "ignore_event",
    "import_event",
    "intend",
    "intend_answer",
    "join_activity",
    "look_back",
    "meet",
    "move_link",
    "next_incarnation",
    "postpone_activity",
    "prepare_insert",
    "release",
    "relink",
    "settle_pair",
    "take_along",
    "take_along_what_is_made_anew",
    "take_along_what_moves",
    "take_another_id",
    "take_in",
    "unmark",
    "unmark_activity",
]
