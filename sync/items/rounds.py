"""Everything that is marked gets its turn, until nothing is left that this session can do (R18, R19)."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

from activities.recurrence import UnreadableRule
from sync import lanes, store, writing
from sync.core import guards, mapping
from sync.core.reasons import _
from sync.google import errors
from sync.items.activities import bring_activity
from sync.items.links import bring_together
from sync.items.outcomes import park
from sync.lanes import Item
from sync.models import ActivityMark, EventLink, SyncSession
from sync.run import LeaseLost, LookLater, Run

logger = logging.getLogger(__name__)

ROUNDS = 4  # How often a session looks for what its own work has left to do.

SHOW_PROGRESS_EVERY = 10  # Items.

# What concerns the whole session, not one item.
FOR_THE_SESSION = (
    errors.GoogleUnavailable, errors.AccessRevoked, errors.AccessInsufficient, errors.CalendarGone, LeaseLost,
)  # fmt: skip


def bring_all_together(run: Run) -> str:
    """Look at everything that is marked. Returns the status the session ends with."""
    _take_confirmed(run)
    looked_at = _LookedAt()
    for _round in range(ROUNDS):
        if not _bring_marked_together(run, looked_at) or run.unavailable:  # What is left, the next pass looks at (R20).
            break
    if run.unavailable:  # Not everything was looked at, so nobody knows how much would be removed (R14).
        return status_of(run)
    if run.deferred and _is_stopped_by_guard(run):
        run.session.stopped_before = run.deferred
        words = _("This session would remove %(count)d items. It stopped before them.")
        run.session.error = words % {"count": len(run.deferred)}
        run.session.rule = "R14"
        return SyncSession.Status.NEEDS_CONFIRMATION
    run.removals_allowed = True
    lanes.carry_out(run, [_item_of_link(run, link) for link in store.links_to_look_at(run, run.deferred)])
    return status_of(run)


def status_of(run: Run) -> str:
    """Return the status of a session that nothing has stopped."""
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
    return [item for place_event, item in sorted(found, key=lambda pair: pair[0])]


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
    links = EventLink.objects.filter(calendar=run.calendar, state=EventLink.State.LINKED)
    removals = store.count_of(links.filter(pk__in=run.deferred))
    return guards.needs_confirmation(removals=removals, links=store.count_of(links))


def _item_of_link(run: Run, link: store.Marked) -> Item:
    return Item(
        lane=link.lane,
        begin=lambda: bring_together(run, link.pk),
        failed=functools.partial(_put_aside, run, link_id=link.pk),
        ended=functools.partial(_ended, run),
    )


def _item_of_activity(run: Run, mark: store.MarkedActivity) -> Item:
    return Item(
        lane=mark.lane,
        begin=lambda: bring_activity(run, mark.row),
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
        park(run, link_id, mark, reason=str(error), rule="R15")
        return
    if isinstance(error, (errors.GoogleError, mapping.UnreadableEvent)):
        park(run, link_id, mark, reason=str(error), rule="R19")
        return
    logger.error("Session %s: link %s could not be synchronized", run.session.pk, link_id, exc_info=error)
    reason = _("Something went wrong here with this item; it is tried again later.")
    park(run, link_id, mark, reason=reason, rule="R19", error=f"{type(error).__name__}: {error}")
