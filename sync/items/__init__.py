"""
One item, a conversation: what was decided about a link or an activity is done in Google and here (R12, R13, R19).

`rounds` looks at everything marked, `links` and `activities` at one of them; `inserts` adds an event, `applying` does
what was decided about a pair, `outcomes` tells about it.
"""

from sync.items.rounds import bring_all_together, look_at, status_of

__all__ = [
    "bring_all_together",
    "look_at",
    "status_of",
]
