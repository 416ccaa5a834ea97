"""What activities announce. The synchronization listens; activities know nothing of it."""

from __future__ import annotations

from dataclasses import dataclass

from django.dispatch import Signal


@dataclass(frozen=True, slots=True)
class Standing:
    """How an activity stands elsewhere: whether it is in Google, and why this person may not change it there (R6)."""

    is_in_google: bool = False
    why_read_only: str | None = None


# Sent by `activities.services` inside the transaction of the change.
# Arguments: activity (Activity), people (set of Profile ids who took or take part), by (Profile or None).
activity_changed = Signal()

# A question asked of everybody who listens: why may this person not change what is synchronized (R6)?
# Arguments: activity, profile. Receivers return a sentence for the user, or None.
asks_why_read_only = Signal()

# The same asked about many at once, before a page shows them: a handful of statements, however many there are.
# Arguments: activities (list of Activity with their participants loaded), profile. Receivers return {id: Standing}.
asks_how_many_stand = Signal()

# A question asked before something is canceled or deleted: why may it not be, whoever asks (R6, R14)?
# Arguments: activity, of whose series it is asked along. Receivers return a sentence for the user, or None.
asks_why_not_cancelable = Signal()

# A question asked before somebody answers an invitation: why can the answer not reach the others (R10)?
# Arguments: activity, profile. Receivers return a sentence for the user, or None.
asks_why_not_answerable = Signal()

# A question asked before "this and following" divides a series: why may it not be (R15)?
# Arguments: head (Activity), profile. Receivers return a sentence for the user, or None.
asks_why_not_divisible = Signal()

# A single activity became the first occurrence of a series: what links it to somewhere else is the head's from now on.
# Arguments: head, occurrence (Activity).
series_made = Signal()

# A series ended, and one of its occurrences stays as a single activity: what links the head is this activity's now.
# Arguments: head, activity (Activity).
series_ended = Signal()

# Occurrences with local work left their series, because it has no such days any more: they stay by themselves, and in
# nobody's calendar elsewhere (R15). Arguments: head (Activity), activities (list of Activity).
occurrences_left = Signal()

# A series was split: these occurrences belong to the new head from now on.
# Arguments: head, new_head (Activity), moved (list of Activity ids).
series_split = Signal()
