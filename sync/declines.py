"""The answer No that a guest was taken to give because the event left their calendar, and taking it back (R14)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from activities.models import Participant
from sync.core import mapping
from sync.models import EventLink, SyncOutcome


def take_back(link: EventLink) -> None:
    """
    Forget that a guest's answer became No because the event left their calendar.

    It left because the whole meeting was cancelled, or it is there again: their own answer stands.
    """
    base = link.base_here or {}
    if not base.get("declined_from"):
        return
    declined = Participant.objects.filter(activity=link.activity_id, profile=_guest(link), response="declined")
    declined.update(response=base["declined_from"])
    of_answers = SyncOutcome.objects.filter(link=link, action=SyncOutcome.Action.REPLACED, field="response")
    of_answers.filter(google="declined").update(is_resolved=True)  # Their answer gave way to nothing after all.
    EventLink.objects.filter(pk=link.pk).update(
        base_here={name: value for name, value in base.items() if name != "declined_from"}
    )


def take_back_all(link: EventLink, *, event: Mapping[str, Any]) -> None:
    """
    The whole meeting is cancelled, as this link's `event` shows: no guest was asked whether they come.

    Whose No Google has told had declined before, and has.
    """
    others = EventLink.objects.filter(activity=link.activity_id, state=EventLink.State.DETACHED).exclude(pk=link.pk)
    told = (link.base_google or {}).get("answers", {})
    guests = {guest.address: guest.response for guest in mapping.facts_of(event).guests}
    for other in others.select_related("calendar__account"):
        answer = guests.get(_address(other), told.get(str(_guest(other))))
        if answer != "declined":
            take_back(other)


def _guest(link: EventLink) -> int:
    return link.calendar.account.profile_id


def _address(link: EventLink) -> str:
    """Return the address under which the guest's own copy knows them; empty where it tells none."""
    return next((guest.address for guest in mapping.facts_of(link.event).guests if guest.is_self), "")
