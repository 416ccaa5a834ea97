"""What activities announce. The synchronization listens; activities know nothing of it."""

from django.dispatch import Signal

# Sent by `activities.services` inside the transaction of the change.
# Arguments: activity (Activity), people (set of Profile ids who took or take part), by (Profile or None).
activity_changed = Signal()

# A question asked of everybody who listens: why may this person not change what is synchronized (R6)?
# Arguments: activity, profile. Receivers return a sentence for the user, or None.
asks_why_read_only = Signal()
