"""The event of an activity is added, once (R13)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accounts.models import profiles_by_email
from activities.models import Activity
from sync import mailing, repeating, store, writing
from sync.core import mapping
from sync.core.decide import Presence
from sync.core.mail import Write
from sync.core.reasons import _
from sync.google import errors
from sync.google.gateway import Call
from sync.lanes import Step, Writing
from sync.models import EventLink
from sync.run import Run, facts_in

IDS = 2  # That are tried for one event in a session.


def insert(run: Run, link: EventLink) -> Step:
    """
    Add the event whose id was chosen before; whether it was added already, Google tells (R13).

    Before each try, what was split off a series takes along what Google did to that one since (R15).
    """
    activity = store.load_activity(link.activity_id)
    if activity.is_series and store.presence_here(activity) is Presence.PRESENT:
        writing.take_along(run, activity_id=activity.pk)
        activity = store.load_activity(link.activity_id)
    if link.event:  # It was listed meanwhile: the answer was lost, the event is there.
        if not _is_ours(link.event, activity):
            writing.take_another_id(run, link, leaving=link.event)
            return False
        if facts_in(link).is_cancelled:
            return _inserted_and_deleted(link)
        writing.adopt(run, link, link.event, is_answer=False)
        return False
    is_wanted = (
        store.presence_here(activity) is Presence.PRESENT
        and activity.organizer_id == run.me.pk
        and store.unmet_condition(run, activity) is None
    )
    if not is_wanted:
        return (yield from _give_up_insert(run, link))
    addresses = store.addresses_of(person.profile_id for person in activity.participants.all())
    here = store.snapshot_here(activity, addresses=addresses, organizer=run.me.pk)
    # Of the incarnation before, or of the series that was split (R7).
    former = {"attendees": (link.base_here or {}).get("former_guests", [])}
    guests = mapping.attendees_after(
        former,
        wanted=here.people,
        profiles=run.profiles_for(former, profiles_by_email(mapping.facts_of(former).addresses)),
        addresses=addresses,
        organizer=run.login,
        answer=own_answer(run, activity),
    )
    if activity.is_series:
        repeating.cancel_left_out(run, activity)
    writing.intend(link, here=here)
    send_updates = mailing.send_updates(run, link, activity, Write.INSERT, has_other_guests=bool(guests))
    body = mapping.insert_body(here, event_id=link.event_id, hidden_id=str(activity.uid), guests=guests)
    body = mapping.as_it_was(body, (link.base_here or {}).get("former_event", {}))
    try:
        event = yield from _send_insert(body, send_updates=send_updates)
    except errors.EventIdTaken:
        return (yield from _whose_id(run, link, activity))
    writing.adopt(run, link, event, is_answer=True)
    return True


def _send_insert(body: dict[str, Any], *, send_updates: str) -> Writing:
    """Add an event, without the video call of the one before it should Google not take that."""
    try:
        return (yield Call("insert", body=body, send_updates=send_updates))
    except errors.RequestInvalid:
        if "conferenceData" not in body:
            raise
    plain = {name: value for name, value in body.items() if name != "conferenceData"}
    return (yield Call("insert", body=plain, send_updates=send_updates))


def own_answer(run: Run, activity: Activity) -> str:
    return next((one.response for one in activity.participants.all() if one.profile_id == run.me.pk), "accepted")


def _whose_id(run: Run, link: EventLink, activity: Activity) -> Step:
    """
    Google says that our id is taken: by our own event, whose answer was lost; by a stranger's; or by nothing (R13).

    :raises EventRefused: if Google says so of every id.
    """
    try:
        event = yield Call("get", event_id=link.event_id)
    except errors.EventGone:
        event = {}
    if _is_ours(event, activity):
        store.observe_event(run, link, event)
        return False
    run.ids_tried[link.pk] += 1
    writing.take_another_id(run, link, leaving=event)
    if run.ids_tried[link.pk] >= IDS:
        raise errors.EventRefused(_("Google says of every id that we choose for this event that it is taken already."))
    return False


def _is_ours(event: Mapping[str, Any], activity: Activity) -> bool:
    """Whether an event under the id that we chose is the one that we inserted; a deleted one may tell nothing (R13)."""
    facts = mapping.facts_of(event)
    return facts.hidden_id == str(activity.uid) or (facts.is_cancelled and not facts.hidden_id)


def _inserted_and_deleted(link: EventLink) -> bool:
    """Added by a session that was cut off, and deleted by a person since: R14 decides about it as a pair."""
    EventLink.objects.filter(pk=link.pk).update(state=EventLink.State.LINKED)
    return False


def _give_up_insert(run: Run, link: EventLink) -> Step:
    """The activity is not to be added any more. An event that a lost answer hides must not be forgotten (R13)."""
    try:
        event = yield Call("get", event_id=link.event_id)
    except errors.EventGone:
        link.delete()
        return True
    store.observe_event(run, link, event)
    return False
