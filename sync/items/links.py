"""One link: its event comes in, or both sides of it are brought together (R2, R3, R11)."""

from __future__ import annotations

from activities.models import Activity, Participant
from sync import marks, repeating, splitting, store, writing
from sync.core import decide as core
from sync.core import mapping
from sync.core.eligibility import why_not_imported
from sync.core.identity import Candidate, Placed, place
from sync.core.people import Organized
from sync.core.reasons import Reason
from sync.google import errors
from sync.google.gateway import Call
from sync.items.applying import apply, look_at_its_series
from sync.items.inserts import insert
from sync.lanes import Conversation, Step
from sync.models import EventLink
from sync.run import ChangedHere, LookLater, Run, facts_in
from sync.store import Pair

LOOKS = 4  # How often one item is looked at in a session before it waits for the next one (R12).

TO_US = (core.UpdateHere, core.AnswerHere, core.GaveWay)
TO_GOOGLE = (core.UpdateInGoogle, core.AnswerInGoogle, core.RemoveInGoogle)


def bring_together(run: Run, link_id: int) -> Conversation:
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
            if link.activity and link.activity.is_series and repeating.is_time_on_its_way(link):
                _read_on(run)  # It may be that somebody changed one occurrence, which our write would make it forget.
            if repeating.is_no_exception_yet(link):
                yield from _look_again_whether_it_is_one(run, link)
                continue
            yield from _look_afresh(run, link)


def _look_again_whether_it_is_one(run: Run, link: EventLink) -> Conversation:
    """
    Tell whether somebody has made this occurrence an exception in Google, or changed all of its series (R15).

    What Google shows of it says the same in both cases; it lists exceptions alone.
    """
    seen = link.etag
    _read_on(run)
    link.refresh_from_db()
    is_listed = link.etag != seen
    yield from _look_afresh(run, link)
    if not is_listed:
        repeating.is_still_no_exception(link)


def _read_on(run: Run) -> None:
    """
    Read what Google lists since this session has read it.

    :raises LookLater: if that takes a complete read, with which the next session begins.
    """
    calendar = run.calendar
    try:
        while True:
            page = run.gateway.list_events(sync_token=calendar.sync_token, page_token=calendar.page_token)
            store.observe_page(run, page)
            if not calendar.page_token:
                return
    except errors.SyncTokenRefused as error:
        raise LookLater from error


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
        yield from look_at_its_series(run, link)


def _bring_once(run: Run, link: EventLink) -> Step:
    """Do the next thing about a link. Returns whether that was all."""
    if link.state == EventLink.State.SEEN and (former := store.link_in_another_calendar(run, link)):
        writing.move_link(run, former, to=link)
        yield from bring_together(run, former.pk)
        return True
    if link.state == EventLink.State.SEEN:
        return place_event(run, link)
    if link.state == EventLink.State.INSERTING and is_elsewhere(run, link):
        writing.unmark(link, link.mark)
        return True
    if link.state == EventLink.State.INSERTING:
        return (yield from insert(run, link))
    if repeating.waits_for_its_series(run, link.activity):
        return True
    if repeating.is_of_another_series(run, link):
        yield from _give_to_its_series(run, link)
        return False
    if repeating.has_left_its_series(run, link):
        writing.unmark(link, link.mark)
        return True
    if repeating.is_stale(run, link):
        yield from _take_in_before_it_goes(run, link)
        repeating.let_go(run, link)
        return True
    pair = store.load_pair(run, link)
    if _hands_over_to_somebody_else(pair, run):
        hand_over(run, pair.activity, pair.organized)
        return False
    if _is_superseded(link):
        writing.release(run, link)
        return False
    splitting.look_at_parts(run, pair)
    actions = core.decide(pair.here, pair.google, pair.standing)
    if is_elsewhere(run, link):  # Nothing is asked of, or said to, a calendar that is not synchronized any more.
        actions = [action for action in actions if isinstance(action, core.Freeze)]
    if link.pk in run.overtaken and any(isinstance(action, TO_GOOGLE) for action in actions):
        run.overtaken.discard(link.pk)  # What it has from its series follows in Google by itself (R15).
        yield from _look_afresh(run, link)
        return False
    return (yield from apply(run, pair, actions))


def _give_to_its_series(run: Run, link: EventLink) -> Conversation:
    """What is known of an occurrence that another activity was is out of date: it is asked for."""
    try:
        event = yield Call("get", event_id=link.event_id)
    except errors.EventGone:
        event = None
    repeating.give_to_its_series(run, link, event)


def _take_in_before_it_goes(run: Run, link: EventLink) -> Conversation:
    """
    Take in what Google has changed about an occurrence that it will know by another name.

    Our write that moves the series makes Google forget it, and nobody would tell of it any more (R11, R15).
    """
    if facts_in(link).is_cancelled or link.state != EventLink.State.LINKED:
        return
    try:
        pair = store.load_pair(run, link)
    except mapping.UnreadableEvent:
        return
    decided = core.decide(pair.here, pair.google, pair.standing)
    if comes_in := [action for action in decided if isinstance(action, TO_US)]:
        yield from apply(run, pair, comes_in)


def is_elsewhere(run: Run, link: EventLink) -> bool:
    return link.google_calendar_id != run.calendar.calendar_id


def _hands_over_to_somebody_else(pair: Pair, run: Run) -> bool:
    return pair.takes_over and pair.organized.organizer != run.me.pk


def place_event(run: Run, link: EventLink) -> bool:
    """Find the activity of an event that this account has not linked yet, or make one (R2, R3, R9, R15)."""
    facts = facts_in(link)
    if facts.series_event_id and (whole := repeating.link_of_series(run, link, facts)):
        if whole.pk in run.deferred or repeating.goes_with_its_series(run, link, whole):
            return True
        if splitting.waits_for_its_part(run, link, whole):  # It stays marked, which asks Google nothing.
            return True
        return repeating.place_exception(run, link, whole)
    if facts.is_cancelled:
        repeating.forget(run, link)
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
    is_shown = facts.own_answer == "declined" and _is_shown_here(run, link)
    return why_not_imported(facts, store.last_time(when) if when else None, window=run.window, is_shown=is_shown)


def _is_shown_here(run: Run, link: EventLink) -> bool:
    """Whether this user takes part in the activity of an event, and sees it before any session of theirs (R8)."""
    placed = placed_for(run, link).activity_id
    return Participant.objects.filter(activity=placed, profile=run.me, displayed=True).exists()


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
        if not _is_superseded(other)  # A colleague who will let go of it as well.
    ] + repeating.candidates(run, facts)
    own = {run.login} | {guest.address for guest in facts.guests if guest.is_self}
    return place(facts, own_addresses=own, candidates=candidates, carried=store.carried_activity(run, link))


def _is_superseded(link: EventLink) -> bool:
    is_series = bool(link.activity and link.activity.is_series)
    return not is_series and store.is_superseded(link)


def hand_over(run: Run, activity: Activity, organized: Organized) -> None:
    """Give an activity that nobody organized to its Owner, whose next session sends it (R5)."""
    writing.hand_over(run, activity_id=activity.pk, organized=organized)
    marks.mark_activity(activity=activity, people=filter(None, [organized.organizer]))
