"""What was decided about a pair is done: Google first, then here (R11, R12, R14)."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from activities.models import Activity, FieldChange
from sync import mailing, repeating, store, writing
from sync.core import decide as core
from sync.core import mapping
from sync.core.decide import Presence
from sync.core.mail import Write
from sync.core.reasons import _
from sync.core.snapshot import Repeating, When
from sync.google import errors
from sync.google.gateway import Call
from sync.items.inserts import own_answer
from sync.items.outcomes import (
    journal,
    journal_ahead,
    name_after,
    note_here,
    note_in_google,
    note_resumed,
    replaced_in_google,
    take_out_of_journal,
    values_of,
)
from sync.lanes import Conversation, Step, Writing
from sync.models import EventLink
from sync.run import ChangedHere, Run
from sync.store import Pair

JUST_ORDERED = timedelta(hours=24)  # So young is a person's order to remove something, which needs no other (R14).


def look_at_its_series(run: Run, link: EventLink) -> Conversation:
    """An occurrence that is gone may have gone with its day: its series was moved in this very moment (R15)."""
    whole = repeating.link_of_head(run, link.activity) if link.activity and link.activity.original_start else None
    if whole is None:
        return
    try:
        series = yield Call("get", event_id=whole.event_id)
    except errors.EventGone:
        return  # It went with its series, which the next session finds.
    if series.get("etag") != whole.etag:
        store.observe_event(run, whole, series)


def apply(run: Run, pair: Pair, actions: Iterable[core.Action]) -> Step:
    """
    Do what was decided: first in Google, then here and in the link, in one transaction. True if that was all.

    A value of Google's that gives way to ours is in the journal before: whoever dies over the answer, it is not lost.
    """
    actions = list(actions)
    if any(isinstance(action, core.REMOVALS) for action in actions) and not _may_remove(run, pair):
        run.deferred.append(pair.link.pk)
        return True
    if pair.is_base_renewed:  # Before anything else is sent, about which this would be forgotten.
        pair.link.save(update_fields=["state", "base_here", "base_google"])
    ahead = replaced_in_google(actions)
    with _journaled_ahead(run, pair, ahead, item=name_after(pair, actions)):
        return (yield from _do(run, pair, actions, [action for action in actions if action not in ahead]))


@contextmanager
def _journaled_ahead(run: Run, pair: Pair, given_way: list[core.Action], *, item: str) -> Iterator[None]:
    """Keep in the journal what the write inside lets give way, unless Google refuses it."""
    outcomes = journal_ahead(run, pair, given_way, item=item)
    try:
        yield
    except (errors.EventChangedMeanwhile, errors.EventGone, errors.EventRefused):
        take_out_of_journal(run, outcomes)  # Google holds what it held.
        store.forget_what_was_sent(pair.link)
        raise


def _do(run: Run, pair: Pair, actions: list[core.Action], to_journal: list[core.Action]) -> Step:
    when = next((action.patch.get("when") for action in actions if isinstance(action, core.UpdateHere)), None)
    if when is not None and repeating.is_of_another_kind(pair.activity, when):
        given_way = [action for action in to_journal if isinstance(action, core.GaveWay) and action.name == "when"]
        with run.transaction():
            repeating.change_kind(run, pair.activity.pk, when)
            journal(run, pair, given_way, item=name_after(pair, actions))
        return False
    event: Mapping[str, Any] = pair.link.event
    to_here: Mapping[str, Any] = {}
    settle: dict[str, Any] = {}
    noted: list[tuple[str, core.Action, dict[str, Any]]] = []
    if pair.standing.is_when_held and not pair.standing.unmet:
        settle["reason"] = ("R15", _("Its later part has to be in Google before this one can end there."))
    for action in actions:
        match action:
            case core.Reread():
                event_now = yield from _event_now(pair)
                with run.transaction():
                    writing.relink(run, pair, event_now)
                    repeating.mark_what_deviates(run, pair.activity)
                    if pair.standing.is_frozen and event_now and event_now.get("status") != "cancelled":
                        note_resumed(run, pair, action)
                return False
            case core.BringBackInGoogle():
                yield from _bring_back_in_google(run, pair, actions)
                return False
            case core.Freeze():
                settle |= {"state": EventLink.State.FROZEN, "reason": (action.rule, action.reason)}
            case core.UpdateInGoogle():
                if "when" in action.patch and pair.activity.is_series:
                    _prepare_for_other_times(run, pair, action.patch["when"])
                event = yield from _update_in_google(run, pair, event, action.patch, to_here=_patch_here(actions))
                run.overtaken.update(repeating.exceptions_of(run, pair.activity))
                noted.append(("updated", action, values_of(pair, action.patch)))
            case core.AnswerInGoogle():
                body = mapping.answer_body(event, response=action.response)
                values = {"field": "response", "here": action.response, "google": mapping.facts_of(event).own_answer}
                writing.intend_answer(pair.link, action.response)
                event = yield _patch(pair, event, body, send_updates="none")
                noted.append(("answered", action, values))
            case core.RemoveInGoogle():
                event = yield from _remove_in_google(run, pair, event)
                noted.append(("removed", action, {}))
            case core.UpdateHere():
                to_here = action.patch
            case core.AnswerHere():
                settle["response"] = action.response
            case core.CancelHere():
                settle["status"] = Activity.Status.CANCELED
            case core.BringBackHere():
                settle["revive"] = True
            case core.Detach():
                settle["state"] = EventLink.State.DETACHED
            case core.Hold():
                settle |= {"reason": (action.rule, action.reason)}
    try:
        with run.transaction():
            writing.settle_pair(run, pair, event=event, to_here=to_here, **settle)
            if pair.here.base and not isinstance(pair.here.base.when, Repeating):
                repeating.mark_what_deviates(run, pair.activity)  # Google may have known of no series until now.
            journal(run, pair, to_journal, item=name_after(pair, actions))
            note_in_google(run, pair, noted, item=name_after(pair, actions))
            note_here(run, pair, actions)
            if not settle.keys() & {"state", "reason", "revive"} and repeating.is_none_in_google(pair.link, event):
                repeating.return_to_series(pair.link, agreed=pair.google.now if pair.standing.is_organizer else None)
    except ChangedHere:
        if event is not pair.link.event:  # Google has our write; its answer must not be lost.
            store.observe_event(run, pair.link, event)
        raise
    return not settle.get("revive")


def _prepare_for_other_times(run: Run, pair: Pair, sent: When) -> None:
    """Keep what Google forgets about occurrences when their series takes place at other times, whoever dies over it."""
    google = pair.google.now.when
    repeating.cancel_left_out(run, pair.activity, google=google)
    if isinstance(google, Repeating) and isinstance(sent, Repeating):
        writing.take_along_what_moves(run, pair.link, pair.activity, google=google, sent=sent)
    repeating.journal_before_they_go(run, pair.link, pair.activity)


def _patch(pair: Pair, event: Mapping[str, Any], body: dict[str, Any], *, send_updates: str) -> Call:
    """Only on the version that was seen (R12)."""
    etag = str(event.get("etag", ""))
    return Call("patch", event_id=pair.link.event_id, body=body, etag=etag, send_updates=send_updates)


def _event_now(pair: Pair) -> Generator[Call, dict[str, Any], dict[str, Any] | None]:
    """Return the event as Google shows it now, None if it knows it no more."""
    try:
        return (yield Call("get", event_id=pair.link.event_id))
    except errors.EventGone:
        return None


def _bring_back_in_google(run: Run, pair: Pair, actions: Iterable[core.Action]) -> Conversation:
    """
    Open the next incarnation, unless somebody has just brought the event back themselves (R13).

    An occurrence keeps its id for ever: there the event is confirmed again, as the activity is now. One that Google
    knows by no name any more went with its day, and is found anew in its series; it is never an event of its own (R15).
    """
    event = yield from _event_now(pair)
    if event is not None and not mapping.facts_of(event).is_cancelled:
        writing.relink(run, pair, event)
        return
    is_named = event is not None and pair.facts.series_event_id  # A bare stub says not even of which series it was.
    if not is_named and pair.activity.original_start and repeating.link_of_head(run, pair.activity):
        yield from look_at_its_series(run, pair.link)
        repeating.let_go(run, pair.link)
        return
    if event is not None and pair.facts.series_event_id:
        patch = {name: getattr(pair.here.now, name) for name in core.MERGED}
        known = {**pair.link.event, **event}
        if not pair.standing.are_guests_cut and "people" not in pair.standing.foreign:
            patch["people"] = pair.here.now.people  # Who is invited no more, must not hear of it first (R17).
        body = _body(run, pair, known, patch) | {"status": "confirmed"}
        others = mapping.facts_of(known).has_other_guests
        # To its guests it is as if it were added.
        send_updates = mailing.send_updates(run, pair.link, pair.activity, Write.INSERT, has_other_guests=others)
        given_way: list[core.Action] = [action for action in actions if isinstance(action, core.GaveWay)]
        with _journaled_ahead(run, pair, given_way, item=pair.activity.subject):
            event = yield _patch(pair, event, body, send_updates=send_updates)
        with run.transaction():
            writing.relink(run, pair, event)
            reasons = [action for action in actions if isinstance(action, core.BringBackInGoogle)]
            note_in_google(run, pair, [("added", reasons[0], {})], item=pair.activity.subject)
        return
    with run.transaction():
        if pair.activity.is_series and isinstance(pair.google.now.when, Repeating):
            writing.take_along_what_is_made_anew(run, pair.link, pair.activity, google=pair.google.now.when)
        journal(run, pair, actions, item=pair.activity.subject)
        writing.next_incarnation(run, pair.link)


def _may_remove(run: Run, pair: Pair) -> bool:
    if run.removals_allowed or pair.link.pk in run.confirmed:
        return True
    return pair.here.presence is not Presence.PRESENT and removals_ordered_by_a_person(pair, now=run.now)


def _patch_here(actions: Iterable[core.Action]) -> Mapping[str, Any]:
    return next((action.patch for action in actions if isinstance(action, core.UpdateHere)), {})


def _update_in_google(
    run: Run, pair: Pair, event: Mapping[str, Any], patch: Mapping[str, Any], *, to_here: Mapping[str, Any]
) -> Writing:
    """
    Send only the fields that changed, on the version that was seen (R12).

    What is about to be written here as well (`to_here`) is agreed on only once it is.
    """
    body = _body(run, pair, event, patch)
    others = pair.facts.has_other_guests or "people" in patch
    send_updates = mailing.send_updates(
        run,
        pair.link,
        pair.activity,
        Write.UPDATE,
        has_other_guests=others,
        fields=patch,
        sent={name: value for name, value in patch.items() if name not in to_here},
    )
    return (yield _patch(pair, event, body, send_updates=send_updates))


def _body(run: Run, pair: Pair, event: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is sent of these fields. A list of guests that is Google's already is not sent (R7)."""
    body = mapping.patch_body(patch, event=event)
    if "people" in patch and patch["people"] != pair.google.now.people:
        addresses = store.addresses_of(patch["people"])
        body["attendees"] = mapping.attendees_after(
            event,
            wanted=patch["people"],
            profiles=run.profiles_for(dict(event), dict(pair.profiles)),
            addresses=addresses,
            organizer=run.login,
            answer=own_answer(run, pair.activity),
        )
    return body


def _remove_in_google(run: Run, pair: Pair, event: Mapping[str, Any]) -> Writing:
    others = pair.facts.has_other_guests
    send_updates = mailing.send_updates(run, pair.link, pair.activity, Write.REMOVE, has_other_guests=others)
    etag = str(event.get("etag", ""))
    yield Call("delete", event_id=pair.link.event_id, etag=etag, send_updates=send_updates)
    return {**event, "status": "cancelled", "etag": ""}


def removals_ordered_by_a_person(pair: Pair, *, now: datetime) -> bool:
    """Whether somebody has just canceled or deleted the activity here, so that the guard need not ask (R14)."""
    change = store.last_change(pair.changes, "deleted", "status")
    return bool(change and change.origin == FieldChange.Origin.PERSON and change.at > now - JUST_ORDERED)
