"""One item, a conversation: what was decided about a link or an activity is done in Google and here (R12, R13, R19)."""

from __future__ import annotations

import functools
import logging
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from activities.models import Activity, FieldChange
from activities.recurrence import UnreadableRule
from sync import lanes, mailing, marks, repeating, splitting, store, writing
from sync.core import decide as core
from sync.core import guards, mapping
from sync.core.decide import Presence
from sync.core.eligibility import why_not_imported
from sync.core.identity import Candidate, Placed, place
from sync.core.mail import Write
from sync.core.people import Organized
from sync.core.reasons import Reason
from sync.core.snapshot import dump_value
from sync.google import errors
from sync.google.gateway import Call
from sync.lanes import Conversation, Item
from sync.models import ActivityMark, EventLink, SyncOutcome, SyncSession
from sync.run import ChangedHere, LeaseLost, LookLater, Run, facts_in
from sync.store import Pair

logger = logging.getLogger(__name__)

ROUNDS = 4  # How often a session looks for what its own work has left to do.
IDS = 2  # That are tried for one event in a session.
LOOKS = 4  # How often one item is looked at in a session before it waits for the next one (R12).
JUST_ORDERED = timedelta(hours=24)  # So young is a person's order to remove something, which needs no other (R14).
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=5), timedelta(days=1)  # Between two tries of a parked item (R19).
SHOW_PROGRESS_EVERY = 10  # Items.
# What concerns the whole session, not one item.
FOR_THE_SESSION = (
    errors.GoogleUnavailable, errors.AccessRevoked, errors.AccessInsufficient, errors.CalendarGone, LeaseLost,
)  # fmt: skip

TO_GOOGLE = (core.UpdateInGoogle, core.AnswerInGoogle, core.RemoveInGoogle)

# Conversations that come to something: whether that was all, Google's new version of an event, a link to look at.
Step = Generator[Call, dict[str, Any], bool]
Writing = Generator[Call, dict[str, Any], Mapping[str, Any]]
Linking = Generator[Call, dict[str, Any], EventLink | None]

Action, Direction, State = SyncOutcome.Action, SyncOutcome.Direction, EventLink.State


def bring_all_together(run: Run) -> str:
    """Look at everything that is marked. Returns the status the session ends with."""
    _take_confirmed(run)
    looked_at = _LookedAt()
    for _round in range(ROUNDS):
        if not _bring_marked_together(run, looked_at) or run.unavailable:  # What is left, the next pass looks at (R20).
            break
    if run.unavailable:  # Not everything was looked at, so nobody knows how much would be removed (R14).
        return _status(run)
    if run.deferred and _is_stopped_by_guard(run):
        run.session.stopped_before = run.deferred
        run.session.error = f"This session would remove {len(run.deferred)} items. It stopped before them."
        run.session.rule = "R14"
        return SyncSession.Status.NEEDS_CONFIRMATION
    run.removals_allowed = True
    lanes.carry_out(run, [_item_of_link(run, link) for link in store.links_to_look_at(run, run.deferred)])
    return _status(run)


def _status(run: Run) -> str:
    has_problems = any(outcome.is_problem for outcome in run.outcomes)
    return SyncSession.Status.WITH_PROBLEMS if has_problems else SyncSession.Status.SUCCEEDED


@dataclass
class _LookedAt:
    """What a session has looked at: each mark is looked at once in it."""

    links: set[int] = field(default_factory=set)
    marks: set[int] = field(default_factory=set)


def _bring_marked_together(run: Run, looked_at: _LookedAt) -> bool:
    """
    Look at what is marked and was not looked at in this session yet. Returns whether there was anything.

    What one item leaves to do about others, the exceptions of a series that came in, say, is done in the next round.
    """
    links = [link for link in store.marked_links(run) if link.pk not in looked_at.links]
    activities = [mark for mark in store.marked_activities(run) if mark.row.pk not in looked_at.marks]
    looked_at.links.update(link.pk for link in links)
    looked_at.marks.update(mark.row.pk for mark in activities)
    run.session.items_total += len(links) + len(activities)
    _carry_out(run, links, activities)
    return bool(links or activities)


def _carry_out(run: Run, links: list[store.Marked], marks: list[store.MarkedActivity]) -> None:
    """The new part of a series goes out before the old one is cut off: no occurrence is missing meanwhile (R15)."""
    lanes.carry_out(run, [_item_of_activity(run, mark) for mark in marks if mark.is_new_series])
    if not run.unavailable:
        lanes.carry_out(run, _in_order(run, links, [mark for mark in marks if not mark.is_new_series]))


def _in_order(run: Run, links: list[store.Marked], marks: list[store.MarkedActivity]) -> list[Item]:
    """A series before its occurrences, whether its link is marked or its head: what they are follows from it (R15)."""
    found = [(link.place, _item_of_link(run, link)) for link in links]
    found += [(mark.place, _item_of_activity(run, mark)) for mark in marks]
    return [item for _place, item in sorted(found, key=lambda pair: pair[0])]


def look_at(run: Run, *, links: Iterable[int], activities: Iterable[ActivityMark]) -> None:
    """
    Look at these links and activities, and at what they leave to do about others, as a preview does (R21).

    What goes wrong with one is its outcome. What waits for a look already is left alone.
    """
    waiting = _LookedAt(
        {*links, *(link.pk for link in store.marked_links(run))},
        {mark.row.pk for mark in store.marked_activities(run)},
    )
    _carry_out(run, store.links_to_look_at(run, links), store.in_lanes(run, activities))
    for _round in range(ROUNDS):
        if not _bring_marked_together(run, waiting):
            break


def _take_confirmed(run: Run) -> None:
    """Take what a person allowed: it counts for this session and these links alone (R14)."""
    run.confirmed = set(run.calendar.confirmed_removals)
    if run.confirmed:
        run.calendar.confirmed_removals = []
        run.calendar.save(update_fields=["confirmed_removals"])


def _is_stopped_by_guard(run: Run) -> bool:
    """Whether so much would go that a person has to say so first; a series counts as one (R14)."""
    links = EventLink.objects.filter(calendar=run.calendar, state=State.LINKED)
    removals = store.count_of(links.filter(pk__in=run.deferred))
    return guards.needs_confirmation(removals=removals, links=store.count_of(links))


def _item_of_link(run: Run, link: store.Marked) -> Item:
    return Item(
        lane=link.lane,
        begin=lambda: _bring_together(run, link.pk),
        failed=functools.partial(_put_aside, run, link_id=link.pk),
        ended=functools.partial(_ended, run),
    )


def _item_of_activity(run: Run, mark: store.MarkedActivity) -> Item:
    return Item(
        lane=mark.lane,
        begin=lambda: _bring_activity(run, mark.row),
        failed=functools.partial(_put_aside, run, mark=mark.row),
        ended=functools.partial(_ended, run),
    )


def _ended(run: Run) -> None:
    run.session.items_done += 1
    if run.session.items_done % SHOW_PROGRESS_EVERY == 0:
        run.show_progress()


def _put_aside(run: Run, error: Exception, *, link_id: int | None = None, mark: ActivityMark | None = None) -> None:
    """One item, one outcome: what goes wrong with it stops nothing else (R19)."""
    if isinstance(error, FOR_THE_SESSION):
        raise error
    if isinstance(error, (LookLater, EventLink.DoesNotExist)):
        return  # Of a link that somebody let go of meanwhile, the marks say what is left to do.
    if mark and link_id is None:
        link_id = (
            EventLink.objects.filter(calendar=run.calendar, activity=mark.activity_id)
            .values_list("pk", flat=True)
            .first()
        )
        if link_id:
            writing.unmark_activity(mark)
    if isinstance(error, UnreadableRule):
        _park(run, link_id, mark, reason=str(error), rule="R15")
        return
    if isinstance(error, (errors.GoogleError, mapping.UnreadableEvent)):
        _park(run, link_id, mark, reason=str(error), rule="R19")
        return
    logger.error("Session %s: link %s could not be synchronized", run.session.pk, link_id, exc_info=error)
    reason = "Something went wrong here with this item; it is tried again later."
    _park(run, link_id, mark, reason=reason, rule="R19", error=f"{type(error).__name__}: {error}")


def _bring_together(run: Run, link_id: int) -> Conversation:
    """Look at one link until nothing is left to do about it; who edits meanwhile is heard (R12)."""
    for _look in range(LOOKS):
        link = EventLink.objects.filter(pk=link_id).first()
        if link is None:
            return
        try:
            if (yield from _bring_once(run, link)):
                return
        except ChangedHere:
            continue
        except (errors.EventChangedMeanwhile, errors.EventGone):
            yield from _look_afresh(run, link)
    # It changes faster than it can be looked at: it stays marked for the next session.


def _look_afresh(run: Run, link: EventLink) -> Conversation:
    """
    Ask what became of an event that is not what was seen.

    That Google knows it no more counts only while the calendar itself is there to be read (R14).

    :raises CalendarGone: if it is not.
    """
    try:
        event = yield Call("get", event_id=link.event_id)
        store.observe_event(run, link, event)
        is_gone = mapping.facts_of(event).is_cancelled
    except errors.EventGone:
        run.gateway.list_events(page_size=1, time_min=run.now.isoformat())
        store.observe_gone(run, link)
        is_gone = True
    if is_gone:
        yield from _look_at_its_series(run, link)


def _look_at_its_series(run: Run, link: EventLink) -> Conversation:
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


def _bring_once(run: Run, link: EventLink) -> Step:
    """Do the next thing about a link. Returns whether that was all."""
    if link.state == State.SEEN and (former := store.link_in_another_calendar(run, link)):
        writing.move_link(run, former, to=link)
        yield from _bring_together(run, former.pk)
        return True
    if link.state == State.SEEN:
        return _place(run, link)
    if link.state == State.INSERTING and _is_elsewhere(run, link):
        writing.unmark(link, link.mark)
        return True
    if link.state == State.INSERTING:
        return (yield from _insert(run, link))
    if repeating.waits_for_its_series(run, link.activity):
        return True
    if repeating.is_stale(run, link):
        repeating.let_go(run, link)
        return True
    pair = store.load_pair(run, link)
    if _hands_over_to_somebody_else(pair, run):
        _hand_over(run, pair.activity, pair.organized)
        return False
    if not pair.activity.is_series and store.is_superseded(link):
        writing.release(run, link)
        return False
    splitting.look_at_parts(run, pair)
    actions = core.decide(pair.here, pair.google, pair.standing)
    if _is_elsewhere(run, link):  # Nothing is asked of, or said to, a calendar that is not synchronized any more.
        actions = [action for action in actions if isinstance(action, core.Freeze)]
    if link.pk in run.overtaken and any(isinstance(action, TO_GOOGLE) for action in actions):
        run.overtaken.discard(link.pk)  # What it has from its series follows in Google by itself (R15).
        yield from _look_afresh(run, link)
        return False
    return (yield from _apply(run, pair, actions))


def _is_elsewhere(run: Run, link: EventLink) -> bool:
    return link.google_calendar_id != run.calendar.calendar_id


def _hands_over_to_somebody_else(pair: Pair, run: Run) -> bool:
    return pair.takes_over and pair.organized.organizer != run.me.pk


def _place(run: Run, link: EventLink) -> bool:
    """Find the activity of an event that this account has not linked yet, or make one (R2, R3, R9, R15)."""
    facts = facts_in(link)
    if facts.series_event_id and (whole := repeating.link_of_series(run, link, facts)):
        if whole.pk in run.deferred or repeating.goes_with_its_series(run, link, whole):
            return True
        if splitting.waits_for_its_part(run, link, whole):  # It stays marked, which asks Google nothing.
            return True
        return repeating.place_exception(run, link, whole)
    if facts.is_cancelled:
        link.delete()
        return True
    if reason := why_it_stays_out(run, link):
        writing.ignore_event(link, rule=reason.rule, reason=reason.text)
        return True
    placed = placed_for(run, link)
    if placed.activity_id is None:
        return writing.import_event(run, link, placed=placed)
    writing.join_activity(run, link, placed=placed)
    return False


def why_it_stays_out(run: Run, link: EventLink) -> Reason | None:
    """
    Return why an event that is linked nowhere does not come in, None if it does (R2).

    :raises UnreadableEvent: if it is there and nothing can be made of it.
    :raises UnreadableRule: if it repeats by a rule that cannot be read (R15).
    """
    facts = facts_in(link)
    when = None if facts.is_cancelled else mapping.when_of(link.event, default_zone=run.default_zone)
    return why_not_imported(facts, store.last_time(when) if when else None, window=run.window)


def placed_for(run: Run, link: EventLink) -> Placed:
    facts = facts_in(link)
    candidates = [
        Candidate(
            activity_id=other.activity_id or 0,
            event_id=other.event_id,
            is_own_copy=facts_in(other).is_own,
            invited=facts_in(other).addresses,
            was_made_here=bool(other.activity and not other.activity.made_in_google),
        )
        for other in store.links_of_meeting(run, facts)
    ] + repeating.candidates(run, facts)
    own = {run.login} | {guest.address for guest in facts.guests if guest.is_self}
    return place(facts, own_addresses=own, candidates=candidates, carried=store.carried_activity(run, link))


def _insert(run: Run, link: EventLink) -> Step:
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
        profiles=run.profiles_for(former, store.profiles_by_email(mapping.facts_of(former).addresses)),
        addresses=addresses,
        organizer=run.login,
        answer=_own_answer(run, activity),
    )
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


def _own_answer(run: Run, activity: Activity) -> str:
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
        raise errors.EventRefused("Google says of every id that we choose for this event that it is taken already.")
    return False


def _is_ours(event: Mapping[str, Any], activity: Activity) -> bool:
    """Whether an event under the id that we chose is the one that we inserted; a deleted one may tell nothing (R13)."""
    facts = mapping.facts_of(event)
    return facts.hidden_id == str(activity.uid) or (facts.is_cancelled and not facts.hidden_id)


def _inserted_and_deleted(link: EventLink) -> bool:
    """Added by a session that was cut off, and deleted by a person since: R14 decides about it as a pair."""
    EventLink.objects.filter(pk=link.pk).update(state=State.LINKED)
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


def _apply(run: Run, pair: Pair, actions: Iterable[core.Action]) -> Step:
    """
    Do what was decided: first in Google, then here and in the link, in one transaction. True if that was all.

    A value of Google's that gives way to ours is in the journal before: whoever dies over the answer, it is not lost.
    """
    actions = list(actions)
    if any(isinstance(action, core.REMOVALS) for action in actions) and not _may_remove(run, pair):
        run.deferred.append(pair.link.pk)
        return True
    ahead = _replaced_in_google(actions)
    outcomes = _journal_ahead(run, pair, ahead, item=_name_after(pair, actions))
    try:
        return (yield from _do(run, pair, actions, [action for action in actions if action not in ahead]))
    except (errors.EventChangedMeanwhile, errors.EventGone, errors.EventRefused):
        _take_out_of_journal(run, outcomes)  # Google has refused our value: it holds what it held.
        raise


def _do(run: Run, pair: Pair, actions: list[core.Action], to_journal: list[core.Action]) -> Step:
    when = next((action.patch.get("when") for action in actions if isinstance(action, core.UpdateHere)), None)
    if when is not None and repeating.is_of_another_kind(pair.activity, when):
        repeating.change_kind(run, pair.activity.pk, when)
        return False
    event: Mapping[str, Any] = pair.link.event
    to_here: Mapping[str, Any] = {}
    settle: dict[str, Any] = {}
    noted: list[tuple[str, core.Action, dict[str, Any]]] = []
    if pair.standing.is_when_held and not pair.standing.unmet:
        settle["reason"] = ("R15", "Its later part has to be in Google before this one can end there.")
    for action in actions:
        match action:
            case core.Reread():
                writing.relink(run, pair, (yield from _event_now(pair)))
                repeating.mark_what_deviates(run, pair.activity)
                return False
            case core.BringBackInGoogle():
                yield from _bring_back_in_google(run, pair, actions)
                return False
            case core.Freeze():
                settle |= {"state": State.FROZEN, "reason": (action.rule, action.reason)}
            case core.UpdateInGoogle():
                event = yield from _update_in_google(run, pair, event, action.patch)
                run.overtaken.update(repeating.exceptions_of(run, pair.activity))
                noted.append(("updated", action, _values(pair, action.patch)))
            case core.AnswerInGoogle():
                body = mapping.answer_body(event, response=action.response)
                values = {"field": "response", "here": action.response, "google": mapping.facts_of(event).own_answer}
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
                settle |= {"status": Activity.Status.CANCELED, "takes_back_declines": True}
            case core.BringBackHere():
                settle["revive"] = True
            case core.Detach():
                settle["state"] = State.DETACHED
            case core.Hold():
                settle |= {"reason": (action.rule, action.reason)}
    try:
        with run.transaction():
            writing.settle_pair(run, pair, event=event, to_here=to_here, **settle)
            _journal(run, pair, to_journal, item=_name_after(pair, actions))
            _note_in_google(run, pair, noted, item=_name_after(pair, actions))
            _note_here(run, pair, actions)
            if not settle.keys() & {"state", "reason", "revive"} and repeating.is_none_in_google(pair.link, event):
                repeating.return_to_series(pair.link, agreed=pair.google.now if pair.standing.is_organizer else None)
    except ChangedHere:
        if event is not pair.link.event:  # Google has our write; its answer must not be lost.
            store.observe_event(run, pair.link, event)
        raise
    return not settle.get("revive")


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
    if event is None and pair.activity.original_start and repeating.link_of_head(run, pair.activity):
        yield from _look_at_its_series(run, pair.link)
        repeating.let_go(run, pair.link)
        return
    if event is not None and pair.facts.series_event_id:
        patch = {name: getattr(pair.here.now, name) for name in core.MERGED}
        known = {**pair.link.event, **event}
        body = mapping.patch_body(patch, event=known) | {"status": "confirmed"}
        others = mapping.facts_of(known).has_other_guests
        # To its guests it is as if it were added.
        send_updates = mailing.send_updates(run, pair.link, pair.activity, Write.INSERT, has_other_guests=others)
        event = yield _patch(pair, event, body, send_updates=send_updates)
        with run.transaction():
            _journal(run, pair, actions, item=pair.activity.subject)
            writing.relink(run, pair, event)
            reasons = [action for action in actions if isinstance(action, core.BringBackInGoogle)]
            _note_in_google(run, pair, [("added", reasons[0], {})], item=pair.activity.subject)
        return
    with run.transaction():
        _journal(run, pair, actions, item=pair.activity.subject)
        writing.next_incarnation(run, pair.link)


def _may_remove(run: Run, pair: Pair) -> bool:
    if run.removals_allowed or pair.link.pk in run.confirmed:
        return True
    return pair.here.presence is not Presence.PRESENT and removals_ordered_by_a_person(pair, now=run.now)


def _update_in_google(run: Run, pair: Pair, event: Mapping[str, Any], patch: Mapping[str, Any]) -> Writing:
    """Send only the fields that changed, on the version that was seen (R12)."""
    body = mapping.patch_body(patch, event=event)
    if "people" in patch:
        addresses = store.addresses_of(patch["people"])
        body["attendees"] = mapping.attendees_after(
            event,
            wanted=patch["people"],
            profiles=run.profiles_for(dict(event), dict(pair.profiles)),
            addresses=addresses,
            organizer=run.login,
            answer=_own_answer(run, pair.activity),
        )
    others = pair.facts.has_other_guests or "people" in patch
    send_updates = mailing.send_updates(
        run, pair.link, pair.activity, Write.UPDATE, has_other_guests=others, fields=patch
    )
    return (yield _patch(pair, event, body, send_updates=send_updates))


def _remove_in_google(run: Run, pair: Pair, event: Mapping[str, Any]) -> Writing:
    others = pair.facts.has_other_guests
    send_updates = mailing.send_updates(run, pair.link, pair.activity, Write.REMOVE, has_other_guests=others)
    etag = str(event.get("etag", ""))
    yield Call("delete", event_id=pair.link.event_id, etag=etag, send_updates=send_updates)
    return {**event, "status": "cancelled", "etag": ""}


def _bring_activity(run: Run, mark: ActivityMark) -> Conversation:
    """Look at a marked activity: through its link if there is one, else whether it is to be added (R1, R5)."""
    if repeating.waits_for_its_series(run, mark.activity):
        return
    link = EventLink.objects.filter(calendar=run.calendar, activity=mark.activity_id).first()
    if link is None:
        begin = _begin_exception if mark.activity.original_start else _begin_insert
        link = yield from begin(run, mark)
    if link is not None and link.pk not in run.deferred:
        yield from _bring_together(run, link.pk)
    if link is None or link.pk not in run.deferred:
        writing.unmark_activity(mark)


def _begin_exception(run: Run, mark: ActivityMark) -> Linking:
    """An occurrence that differs from its series becomes an exception in Google, read afresh first (R12, R15)."""
    if not Activity.every.filter(pk=mark.activity_id, series__isnull=False).exists():
        return None  # It has left its series in this very session.
    activity = store.load_activity(mark.activity_id)
    whole = repeating.link_of_head(run, activity)
    if whole is None or _is_elsewhere(run, whole) or not repeating.deviates(run, activity, whole):
        return None
    try:
        event = yield Call("get", event_id=repeating.event_id_of(whole, activity))
    except errors.EventGone:  # The id is a convention, not a promise: ask for the occurrence by its original start.
        event = yield from _find_occurrence(run, whole, activity)
    return repeating.link_exception(run, activity, whole, event)


def _find_occurrence(run: Run, whole: EventLink, activity: Activity) -> Generator[Call, dict[str, Any], dict[str, Any]]:
    """
    Return an occurrence by its original start.

    :raises LookLater: if Google has none there because the series was changed in this very moment, there or here.
    :raises EventGone: if it has none there for any other reason.
    """
    assert activity.original_start is not None
    try:
        return run.gateway.find_occurrence(series_event_id=whole.event_id, original_start=activity.original_start)
    except errors.EventGone as error:
        if repeating.is_time_on_its_way(whole):
            raise LookLater from error
        series = yield Call("get", event_id=whole.event_id)
        if series.get("etag") == whole.etag:
            raise
        store.observe_event(run, whole, series)
        raise LookLater from error


def _begin_insert(run: Run, mark: ActivityMark) -> Linking:
    if not is_to_be_added(run, mark.activity_id):
        return None
    activity = store.load_activity(mark.activity_id)
    if seen := store.unplaced_link(run, activity):  # Google may have its event still: first that is looked at (R13).
        yield from _bring_together(run, seen.pk)
        if not is_to_be_added(run, mark.activity_id):
            return EventLink.objects.filter(calendar=run.calendar, activity=mark.activity_id).first()
    who = store.organized(run, activity)
    if who.organizer != run.me.pk:
        if who.organizer != activity.organizer_id:
            _hand_over(run, activity, who)
        return None
    if splitting.is_divided_in_google_too(run, activity):
        raise LookLater
    is_back_fill = mark.mark == ActivityMark.COMPARED
    return writing.prepare_insert(run, activity_id=activity.pk, organized=who, is_back_fill=is_back_fill)


def _hand_over(run: Run, activity: Activity, organized: Organized) -> None:
    """Give an activity that nobody organized to its Owner, whose next session sends it (R5)."""
    writing.hand_over(run, activity_id=activity.pk, organized=organized)
    marks.mark_activity(activity=activity, people=filter(None, [organized.organizer]))


def is_to_be_added(run: Run, activity_id: int) -> bool:
    """Whether R1 lets an activity out that is linked nowhere; whose it is comes afterwards (R5)."""
    activity = store.load_activity(activity_id)
    return (
        store.presence_here(activity) is Presence.PRESENT
        and activity.original_start is None  # An occurrence goes with its series (R15).
        and not store.is_linked_anywhere(activity_id)
        and store.unmet_condition(run, activity) is None
    )


def removals_ordered_by_a_person(pair: Pair, *, now: datetime) -> bool:
    """Whether somebody has just canceled or deleted the activity here, so that the guard need not ask (R14)."""
    change = store.last_change(pair.changes, "deleted", "status")
    return bool(change and change.origin == FieldChange.Origin.PERSON and change.at > now - JUST_ORDERED)


# --- Outcomes ----------------------------------------------------------------------------------------------------


def _name_after(pair: Pair, actions: Iterable[core.Action]) -> str:
    """Return the subject that an activity has once this is done: a session tells about it under one name."""
    patches = [action.patch for action in actions if isinstance(action, core.UpdateHere)]
    return next((str(patch["subject"]) for patch in patches if "subject" in patch), pair.activity.subject)


def _journal(run: Run, pair: Pair, actions: Iterable[core.Action], *, item: str) -> None:
    """Keep the values that gave way; their owner may want them back (R11)."""
    for action in actions:
        if isinstance(action, core.GaveWay):
            run.note(
                Action.REPLACED,
                rule=action.rule,
                reason=action.reason,
                item=item,
                link=pair.link,
                field=action.name,
                here=dump_value(action.here),
                google=dump_value(action.google),
                kept=action.kept.value,
            )
        if isinstance(action, core.Hold):
            run.note(Action.PARKED, rule=action.rule, reason=action.reason, item=item, link=pair.link)


def _replaced_in_google(actions: Iterable[core.Action]) -> list[core.Action]:
    """Return which values of Google's a write is about to replace with ours, or to remove (R11, R14)."""
    removes = any(isinstance(action, core.RemoveInGoogle) for action in actions)
    sent: set[str] = set()
    for action in actions:
        if isinstance(action, core.UpdateInGoogle):
            sent |= action.patch.keys()
        elif isinstance(action, core.AnswerInGoogle):
            sent.add("response")
    return [
        action
        for action in actions
        if isinstance(action, core.GaveWay) and action.kept is core.Side.HERE and (removes or action.name in sent)
    ]


def _journal_ahead(run: Run, pair: Pair, given_way: list[core.Action], *, item: str) -> list[SyncOutcome]:
    """Keep them, but what a session kept already whose write may have come to nothing. Returns the new entries."""
    if not given_way:
        return []
    with run.transaction():
        kept = SyncOutcome.objects.filter(link=pair.link, action=Action.REPLACED, is_resolved=False)
        known = list(kept.values_list("field", "here", "google"))
        noted = len(run.outcomes)
        _journal(run, pair, [action for action in given_way if _as_kept(action) not in known], item=item)
        return run.outcomes[noted:]


def _as_kept(action: core.Action) -> tuple[str, Any, Any]:
    assert isinstance(action, core.GaveWay)
    return action.name, dump_value(action.here), dump_value(action.google)


def _take_out_of_journal(run: Run, outcomes: list[SyncOutcome]) -> None:
    with run.transaction():
        for outcome in outcomes:
            run.outcomes.remove(outcome)
            outcome.delete()


def _note_in_google(
    run: Run, pair: Pair, noted: Iterable[tuple[str, core.Action, dict[str, Any]]], *, item: str
) -> None:
    for verb, action, values in noted:
        run.count("updated" if verb == "answered" else verb, Direction.GOOGLE)
        run.note(
            Action(verb),
            rule=action.rule,
            reason=action.reason,
            item=item,
            link=pair.link,
            direction=Direction.GOOGLE,
            **values,
        )


def _note_here(run: Run, pair: Pair, actions: list[core.Action]) -> None:
    """Count and note what changed here beside the content, which `writing` notes itself."""
    item = _name_after(pair, actions)
    for action in actions:
        values: dict[str, Any] = {}
        if isinstance(action, core.CancelHere):
            run.count("removed", Direction.HERE)
            verb = Action.REMOVED
        elif isinstance(action, core.BringBackHere):
            run.count("updated", Direction.HERE)
            verb = Action.UPDATED
        elif isinstance(action, core.AnswerHere):
            run.count("updated", Direction.HERE)
            verb = Action.ANSWERED
            values = {"field": "response", "here": pair.standing.answer.here, "google": action.response}
        elif isinstance(action, core.Freeze):
            verb = Action.FROZEN
        else:
            continue
        run.note(verb, rule=action.rule, reason=action.reason, item=item, link=pair.link, **values)


def _values(pair: Pair, patch: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "field": ", ".join(patch),
        "here": {name: dump_value(value) for name, value in patch.items()},
        "google": {name: dump_value(getattr(pair.google.now, name)) for name in patch},
    }


def _park(
    run: Run,
    link_id: int | None,
    mark: ActivityMark | None = None,
    *,
    reason: str,
    rule: str,
    error: str = "",
    tries_again: bool = True,
) -> None:
    """
    Put an item aside with its reason; it is tried again, each time later (R19).

    An activity without a link yet is tried again by the daily comparison, or when it changes.
    """
    link = EventLink.objects.select_related("activity").filter(pk=link_id).first()  # type: ignore[misc] # None finds nothing.
    with run.transaction():
        if link:
            item = link.activity.subject if link.activity else str(link.event.get("summary", ""))
            pause = min(FIRST_PAUSE * 2 ** min(link.attempts, 12), LONGEST_PAUSE)
            link.attempts = min(link.attempts + 1, 100)
            link.reason, link.rule = reason[:500], rule
            link.retry_at = run.now + pause if tries_again else None
            link.is_marked = False
            link.save(update_fields=["attempts", "reason", "rule", "retry_at", "is_marked"])
        else:
            activity = Activity.every.filter(pk=mark.activity_id).first() if mark else None
            item = activity.subject if activity else ""
            if mark:
                writing.unmark_activity(mark)
        activity_id = activity.pk if not link and activity else None
        run.note(Action.PARKED, rule=rule, reason=reason, item=item, link=link, activity_id=activity_id, error=error)
