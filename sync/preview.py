"""What a session would do now, item by item, changing nothing (R21)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from sync import engine, store
from sync.core import decide as core
from sync.core import mapping
from sync.core.eligibility import why_not_imported, window_start_for_google
from sync.google import errors
from sync.google.gateway import CalendarGateway, Reading
from sync.items import REPEATS, is_to_be_added, placed_for
from sync.models import ActivityMark, EventLink, SyncedCalendar, SyncSession
from sync.run import Run, facts_in
from sync.store import Pair

State = EventLink.State


@dataclass(frozen=True, slots=True)
class PlannedAction:
    """One line of a preview (R21)."""

    action: str
    direction: str
    item: str
    rule: str
    reason: str
    activity_id: int | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What a session would do, and how many requests to Google the answer took."""

    actions: list[PlannedAction]
    requests_made: int


def preview(*, calendar: SyncedCalendar, now: datetime, gateway: CalendarGateway | None = None) -> Preview:
    """
    Return what a session would do now, item by item, and change nothing (R21).

    Google is only read; what is read and decided is rolled back. The failures of `sync.google.errors` pass through.
    """
    session = SyncSession(calendar=calendar, queued_at=now, started_at=now)
    current = engine.begin(calendar=calendar, session=session, key="", now=now, gateway=gateway)
    planned: list[PlannedAction] = []
    with transaction.atomic():
        store.begin_reading(current)
        arguments = engine.reading(current)
        transaction.set_rollback(True)
    pages = _all_pages(current, arguments)
    with transaction.atomic():
        # A session at work takes the calendar first, then links; so does this, or each would wait for the other.
        SyncedCalendar.objects.select_for_update(no_key=True).get(pk=calendar.pk)
        store.begin_reading(current)
        for page in pages:
            store.observe_page(current, page)
        store.mark_what_is_due(current)
        for link_id in store.marked_links(current):
            planned += _plan_link(current, EventLink.objects.get(pk=link_id))
        for mark in store.marked_activities(current):
            planned += _plan_activity(current, mark)
        transaction.set_rollback(True)
    return Preview(planned, current.gateway.requests_made)


def _all_pages(run: Run, arguments: Reading) -> list[dict[str, Any]]:
    """Return every page that a session would read, without storing any (R21)."""
    try:
        pages = [run.gateway.list_events(**arguments)]
    except errors.SyncTokenRefused:
        start = window_start_for_google(run.window).isoformat()
        arguments = {"sync_token": "", "page_token": "", "time_min": start}
        pages = [run.gateway.list_events(**arguments)]
    while token := pages[-1].get("nextPageToken"):
        pages.append(run.gateway.list_events(**{**arguments, "page_token": token}))
    return pages


def _plan_link(run: Run, link: EventLink) -> list[PlannedAction]:
    try:
        if link.state == State.SEEN:
            return _plan_place(run, link)
        if link.state == State.INSERTING:
            subject = link.activity.subject if link.activity else ""
            return [PlannedAction("added", "google", subject, "R13", "Its adding was cut off.", link.activity_id)]
        pair = store.load_pair(run, link)
        planned = [_plan(pair, action) for action in core.decide(pair.here, pair.google, pair.standing)]
        return [*_plan_takeover(pair), *filter(None, planned)]
    except mapping.UnreadableEvent as error:
        return [PlannedAction("parked", "here", str(link.event.get("summary", "")), "R19", str(error))]


def _plan_takeover(pair: Pair) -> list[PlannedAction]:
    if not pair.takes_over:
        return []
    subject, reason = pair.activity.subject, pair.organized.reason
    return [PlannedAction("taken_over", "here", subject, "R5", reason, pair.activity.pk)]


def _plan_place(run: Run, link: EventLink) -> list[PlannedAction]:
    facts, subject = facts_in(link), str(link.event.get("summary", ""))
    when = None if facts.is_recurring else mapping.when_of(link.event, default_zone=run.default_zone)
    if why_not_imported(facts, when, window=run.window):
        return []
    if facts.is_recurring:
        return [PlannedAction("parked", "here", subject, "R15", REPEATS)]
    placed = placed_for(run, link)
    if placed.activity_id is None:
        return [PlannedAction("added", "here", subject, "R3", placed.reason)]
    return [PlannedAction("joined", "here", subject, "R9", placed.reason, placed.activity_id)]


def _plan_activity(run: Run, mark: ActivityMark) -> list[PlannedAction]:
    link = EventLink.objects.filter(calendar=run.calendar, activity=mark.activity_id).first()
    if link is not None:
        return [] if link.is_marked else _plan_link(run, link)
    if not is_to_be_added(run, mark.activity_id):
        return []
    activity = store.load_activity(mark.activity_id)
    if store.organized(run, activity).organizer != run.me.pk:
        return []
    reason = "It qualifies and you are its Organizer."
    return [PlannedAction("added", "google", activity.subject, "R1", reason, activity.pk)]


_PLANS: dict[type[core.Action], tuple[str, str]] = {
    core.UpdateHere: ("updated", "here"),
    core.UpdateInGoogle: ("updated", "google"),
    core.AnswerHere: ("answered", "here"),
    core.AnswerInGoogle: ("answered", "google"),
    core.CancelHere: ("removed", "here"),
    core.RemoveInGoogle: ("removed", "google"),
    core.BringBackHere: ("updated", "here"),
    core.BringBackInGoogle: ("added", "google"),
    core.Freeze: ("frozen", "here"),
    core.Reread: ("updated", "here"),
    core.GaveWay: ("replaced", "here"),
    core.Hold: ("parked", "google"),
}


def _plan(pair: Pair, action: core.Action) -> PlannedAction | None:
    if type(action) not in _PLANS:
        return None
    verb, direction = _PLANS[type(action)]
    return PlannedAction(verb, direction, pair.activity.subject, action.rule, action.reason, pair.activity.pk)
