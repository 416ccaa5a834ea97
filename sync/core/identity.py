"""Which activity an event belongs to that this account has not linked yet (R9)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from sync.core.mapping import EventFacts
from sync.core.reasons import _

_MADE_HERE = _("This meeting was made here. The invitation in your Google Calendar belongs to it.")
_BROUGHT_HERE = _("A colleague's synchronization has brought this meeting here already.")


@dataclass(frozen=True, slots=True)
class Candidate:
    """Another account's link to the same meeting by iCalUID and organizer, with what its owner's copy says."""

    activity_id: int
    event_id: str
    is_own_copy: bool  # The organizer's own copy, the only one that proves who is invited.
    invited: frozenset[str]  # Lower-case addresses on that copy.
    was_made_here: bool = False  # Not found in Google by anybody's session.


@dataclass(frozen=True, slots=True)
class Placed:
    """Where an event belongs: to an activity that exists, or to one of its own (None)."""

    activity_id: int | None
    reason: str
    shares_meeting: bool = True  # False: somebody else's meeting claims to be this one, and is not believed.


def meeting_key(facts: EventFacts) -> str:
    """Return what two people's copies of one meeting have in common: organizer, iCalUID, original start (R9)."""
    original = facts.original_start.isoformat() if facts.original_start else ""
    text = "\n".join((facts.organizer, facts.ical_uid or facts.event_id, original))
    return hashlib.sha256(text.encode()).hexdigest()


def place(
    facts: EventFacts, *, own_addresses: Iterable[str], candidates: Iterable[Candidate], carried: int | None
) -> Placed:
    """
    Return where an event belongs that no link of this account knows.

    `carried` is the activity whose hidden id the event carries, if that activity is this user's and not linked to
    another event; copies made in Google carry the id too, so it is a hint for such activities alone.
    """
    mine = {address.lower() for address in own_addresses}
    found = list(candidates)
    for candidate in found:
        if candidate.event_id == facts.event_id:
            return Placed(candidate.activity_id, _MADE_HERE if candidate.was_made_here else _BROUGHT_HERE)
    for candidate in found:
        if candidate.is_own_copy and candidate.invited & mine:
            return Placed(candidate.activity_id, _("The organizer's own copy of this meeting names you."))
    if carried is not None:
        return Placed(carried, _("The event carries the hidden id of this activity."), shares_meeting=not found)
    return Placed(None, _("New in Google."), shares_meeting=not found)
