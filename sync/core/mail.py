"""Whether Google mails the guests about a write of ours: send_updates() (R17)."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sync.core.reasons import Reason, _
from sync.core.snapshot import PER_COPY_FIELDS

FRESH = timedelta(hours=24)  # Guests are told about changes that young.


class Write(StrEnum):
    """What is about to be written to Google."""

    INSERT = "insert"
    UPDATE = "update"
    REMOVE = "remove"
    ANSWER = "answer"  # One's own response, which goes alone.


@dataclass(frozen=True, slots=True)
class Decided:
    """
    What `sendUpdates` is to be, and why; kept with the link until the write is settled.

    `changed_at` is the change it was decided about, None if no person made one, or if nobody remembers.
    """

    send_updates: str  # "all" or "none", as Google calls it.
    reason: Reason
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Occasion:
    """A write to Google, and what R17 asks about it. Times are aware."""

    write: Write
    now: datetime
    ends_at: datetime  # When the event ends; that of the last occurrence for a series.
    changed_at: datetime | None  # When a person last changed here what is to be written; None: nobody did.
    has_other_guests: bool
    tells_guests: bool  # “Tell guests about changes” is on at the set-up page.
    fields: Set[str] = frozenset()  # What an update changes.
    is_first_session: bool = False  # Nothing of this account was ever synchronized.
    is_back_fill: bool = False  # It goes out because the set-up page was changed, not the activity.


def send_updates(occasion: Occasion, *, decided: Decided | None = None) -> Decided:
    """
    Return whether Google mails the guests about a write (R17).

    `decided` is what was decided about a write that is not settled yet: it stays, whatever time has passed or was set
    up since, unless a person has changed something again; mail once promised goes out in any case.
    """
    if not _is_for_guests(occasion):
        return Decided("none", why_silent(occasion) or _TOLD, occasion.changed_at)
    if decided and (decided.send_updates == "all" or not _is_newer(occasion, decided)):
        return decided
    reason = why_silent(occasion)
    return Decided("none" if reason else "all", reason or _TOLD, occasion.changed_at)


def why_silent(occasion: Occasion) -> Reason | None:
    """Return the first reason for which guests are not told about a write, None if they are."""
    conditions = (
        (occasion.write is not Write.ANSWER, _("Your own answer goes without mail.")),
        (_is_for_guests(occasion), _("It changes only how your own copy is shown.")),
        (occasion.has_other_guests, _("Nobody else is invited.")),
        (not occasion.is_first_session, _("The first synchronization of an account tells nobody.")),
        (not occasion.is_back_fill, _("It goes out because of the set-up page; nobody changed it now.")),
        (occasion.ends_at > occasion.now, _("The event has ended.")),
        (occasion.tells_guests, _("Tell guests about changes is off.")),
        (occasion.changed_at is not None, _("No person changed it here.")),
        (_is_fresh(occasion), _("It was changed more than 24 hours ago.")),
    )
    return next((Reason(False, text, "R17") for holds, text in conditions if not holds), None)


_TOLD = Reason(True, _("A person has just changed it here, so Google tells its guests."), "R17")


def _is_for_guests(occasion: Occasion) -> bool:
    """Whether the write is about what guests have in common at all."""
    if occasion.write is Write.UPDATE:
        return not occasion.fields <= PER_COPY_FIELDS
    return occasion.write is not Write.ANSWER


def _is_newer(occasion: Occasion, decided: Decided) -> bool:
    if occasion.changed_at is None:
        return False
    return decided.changed_at is None or occasion.changed_at > decided.changed_at


def _is_fresh(occasion: Occasion) -> bool:
    return occasion.changed_at is not None and occasion.changed_at > occasion.now - FRESH
