"""One activity that is linked nowhere: it goes out, alone or as an occurrence of its series (R1, R5, R15)."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from activities.models import Activity
from sync import repeating, splitting, store, writing
from sync.core import mapping
from sync.core.decide import Presence
from sync.google import errors
from sync.google.gateway import Call
from sync.items.links import bring_together, hand_over, is_elsewhere
from sync.lanes import Conversation, Linking
from sync.models import ActivityMark, EventLink
from sync.run import LookLater, Run


def bring_activity(run: Run, mark: ActivityMark) -> Conversation:
    """Look at a marked activity: through its link if there is one, else whether it is to be added (R1, R5)."""
    if repeating.waits_for_its_series(run, mark.activity):
        return
    link = EventLink.objects.filter(calendar=run.calendar, activity=mark.activity_id).first()
    if link is None:
        begin = _begin_exception if mark.activity.original_start else _begin_insert
        link = yield from begin(run, mark)
    if link is not None and link.pk not in run.deferred:
        yield from bring_together(run, link.pk)
    if link is None or link.pk not in run.deferred:
        writing.unmark_activity(mark)


def _begin_exception(run: Run, mark: ActivityMark) -> Linking:
    """
    An occurrence that differs from its series becomes an exception in Google, read afresh first (R12, R15).

    :raises LookLater: if Google has none there and the series was changed meanwhile.
    """
    if not Activity.every.filter(pk=mark.activity_id, series__isnull=False).exists():
        return None  # It has left its series in this very session.
    activity = store.load_activity(mark.activity_id)
    whole = repeating.link_of_head(run, activity)
    if whole is None or is_elsewhere(run, whole) or not repeating.deviates(run, activity, whole):
        return None
    try:
        event = yield Call("get", event_id=repeating.event_id_of(whole, activity))
    except errors.EventGone:  # The id is a convention, not a promise: ask for the occurrence by its original start.
        event = yield from _find_occurrence(run, whole, activity)
    if mapping.facts_of(event).is_cancelled and _is_to_be_looked_at(whole):
        raise LookLater  # It may have gone with its day, which the series knows.
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
        if repeating.is_time_on_its_way(whole) or _is_to_be_looked_at(whole):
            raise LookLater from error
        series = yield Call("get", event_id=whole.event_id)
        if series.get("etag") == whole.etag:
            raise
        store.observe_event(run, whole, series)
        raise LookLater from error


def _is_to_be_looked_at(whole: EventLink) -> bool:
    """Whether something about a series waits for its turn: what becomes of its occurrences follows from that (R15)."""
    return EventLink.objects.filter(pk=whole.pk, is_marked=True).exists()


def _begin_insert(run: Run, mark: ActivityMark) -> Linking:
    if not is_to_be_added(run, mark.activity_id):
        return None
    activity = store.load_activity(mark.activity_id)
    if seen := store.unplaced_link(run, activity):  # Google may have its event still: first that is looked at (R13).
        yield from bring_together(run, seen.pk)
        if not is_to_be_added(run, mark.activity_id):
            return EventLink.objects.filter(calendar=run.calendar, activity=mark.activity_id).first()
    who = store.organized(run, activity)
    if who.organizer != run.me.pk:
        if who.organizer != activity.organizer_id:
            hand_over(run, activity, who)
        return None
    if splitting.is_divided_in_google_too(run, activity):
        raise LookLater
    is_back_fill = mark.mark == ActivityMark.COMPARED
    return writing.prepare_insert(run, activity_id=activity.pk, organized=who, is_back_fill=is_back_fill)


def is_to_be_added(run: Run, activity_id: int) -> bool:
    """Whether R1 lets an activity out that is linked nowhere; whose it is comes afterwards (R5)."""
    activity = store.load_activity(activity_id)
    return (
        store.presence_here(activity) is Presence.PRESENT
        and activity.original_start is None  # An occurrence goes with its series (R15).
        and not store.is_linked_anywhere(activity_id)
        and store.unmet_condition(run, activity) is None
    )
