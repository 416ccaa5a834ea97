"""Who organizes an activity (R5)."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from sync.core.reasons import _

TAKE_OVER_OWN = _("Google names you as the organizer of this event.")
TAKE_OVER_LOST = _("The Organizer has no synchronization set up, so it runs by your calendar now.")
TAKE_OVER_LEFT = _("The event is gone from the Organizer's calendar, so it runs by your calendar now.")
TAKE_OVER_EMPTY = _("It had no Organizer; you take part and synchronize, so it runs by your calendar.")
OWNER_ORGANIZES = _("It had no Organizer, and its Owner synchronizes.")


@dataclass(frozen=True, slots=True)
class Roles:
    """The people of an activity, by profile id, from the point of view of the user whose session runs (`me`)."""

    me: int
    organizer: int | None
    owner: int | None
    takes_part: bool  # Whether `me` is a participant.
    set_up: Set[int]  # Who, of all concerned, has synchronization set up.
    is_own_copy: bool = False  # Google says `organizer.self` about the event in my calendar.
    qualifies: bool = True  # It carries `me`'s tag and meets the rest of R1.
    has_organizer_left: bool = False  # The event is in my calendar, and not in the one that the Organizer has now.
    is_organizers_as_well: bool = False  # Of a calendar that both share: Google says so in the Organizer's, too.


@dataclass(frozen=True, slots=True)
class Organized:
    """Who the Organizer is from now on, and why it changed; an empty reason means that it stays."""

    organizer: int | None
    reason: str = ""


def organizer_of(roles: Roles) -> Organized:
    """Return who the Organizer of an existing activity is when this user's session meets it (R5)."""
    if roles.organizer == roles.me:
        return Organized(roles.me)
    is_shared = roles.is_organizers_as_well and roles.organizer in roles.set_up and not roles.has_organizer_left
    if roles.is_own_copy and not is_shared:
        return Organized(roles.me, TAKE_OVER_OWN)
    if roles.organizer is None and roles.owner in roles.set_up:
        return Organized(roles.owner, OWNER_ORGANIZES)
    if not (roles.takes_part and roles.qualifies):
        return Organized(roles.organizer)
    if roles.organizer is None:
        return Organized(roles.me, TAKE_OVER_EMPTY)
    if roles.organizer not in roles.set_up:
        return Organized(roles.me, TAKE_OVER_LOST)
    return Organized(roles.me, TAKE_OVER_LEFT) if roles.has_organizer_left else Organized(roles.organizer)


def organizer_of_import(*, me: int, google_organizer: int | None, set_up: Set[int]) -> int:
    """Return the Organizer of an event that comes in: Google's, if they synchronize, else whoever runs this session."""
    return google_organizer if google_organizer in set_up and google_organizer is not None else me
