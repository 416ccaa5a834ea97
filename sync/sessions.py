"""Asking for sessions, and what people say to one that stopped: request, confirm, keep (R14, R18)."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from sync import declines, store, telling
from sync.core import mapping
from sync.core.reasons import _
from sync.models import EventLink, SyncedCalendar, SyncOutcome, SyncSession

STOPPED = _("The program was stopped during this session. The next one completes what was left undone.")
KEPT = _("This session would have removed %(count)d items. It stopped before them, and you kept them.")
KEPT_ONE = _("This session would have removed 1 item. It stopped before it, and you kept it.")
QUEUED_TOO_LONG = timedelta(seconds=90)  # The message that should have started it is lost: send another one.
PAUSES = (1, 2, 4, 8, 16, 32)  # Seconds before each further pass of a session that Google kept waiting (R20).
LONGEST_PAUSE = 60  # Seconds. Who is asked to wait longer leaves the rest to the next session.


def request(*, calendar: SyncedCalendar, trigger: str, now: datetime) -> SyncSession:
    """Queue a session, or return the one that waits or runs already: a second request joins it (R18)."""
    session, is_new = open_session(calendar=calendar, trigger=trigger, now=now)
    if is_new:
        wake_worker(session)
    return session


def open_session(*, calendar: SyncedCalendar, trigger: str, now: datetime) -> tuple[SyncSession, bool]:
    """
    Return the calendar's unfinished session, made if there is none, and whether it was made.

    Nobody is made to join a session whose worker died: it is finished first.
    """
    for dead in _dead(now=now).filter(calendar=calendar):
        fail_dead(dead, now=now)
    try:
        with transaction.atomic():
            unfinished = calendar.sessions.filter(status__in=SyncSession.UNFINISHED).first()
            if unfinished:
                return unfinished, False
            return SyncSession.objects.create(calendar=calendar, trigger=trigger, queued_at=now), True
    except IntegrityError:  # Somebody else has asked in this very moment.
        return calendar.sessions.get(status__in=SyncSession.UNFINISHED), False


def load(session: SyncSession) -> None:
    """Read a session anew, with all that a run begins with: calendar, account, person, and their settings."""
    everything = SyncSession.objects.select_related("calendar__account__profile__sync_settings__tag")
    session.refresh_from_db(from_queryset=everything)


def wake_worker(session: SyncSession) -> None:
    """
    Tell a worker that a session waits, one that is postponed when it may go on.

    The row is the truth; a lost message is sent again by the dispatcher.
    """
    from sync import tasks

    door: Any = tasks.run_session  # With what Celery adds for Django.
    if pause := session.seconds_to_wait(timezone.now()):
        door.apply_async_on_commit(kwargs={"session_id": session.pk}, countdown=pause)
    else:
        door.delay_on_commit(session_id=session.pk)


def pause_before_next_pass(session: SyncSession, *, asked: float | None) -> timedelta | None:
    """
    Return how long a session waits before it asks Google again; None if it has asked often enough.

    `asked` is what Google's `Retry-After` says, in seconds.
    """
    if is_last_pass(session):
        return None
    pause = max(PAUSES[session.passes - 1] + random.random(), asked or 0.0)  # noqa: S311 - jitter, no secret
    return timedelta(seconds=pause) if pause <= LONGEST_PAUSE else None


def is_last_pass(session: SyncSession) -> bool:
    """Whether a session is not postponed any more, whatever Google says (R20)."""
    return session.passes > len(PAUSES)


def recover(*, now: datetime) -> list[SyncSession]:
    """
    Finish the sessions whose worker died, and return those that wait without anybody having taken them (R18).

    A session whose lease has run out shows no sign of life; the next one finds what it left undone.
    """
    for session in _dead(now=now):
        fail_dead(session, now=now)
    waiting = SyncSession.objects.filter(status=SyncSession.Status.QUEUED)
    late = waiting.alias(since=Coalesce("resume_at", "queued_at")).filter(since__lte=now - QUEUED_TOO_LONG)
    return list(late.order_by("queued_at"))


def _dead(*, now: datetime) -> QuerySet[SyncSession]:
    return SyncSession.objects.filter(status=SyncSession.Status.RUNNING).exclude(calendar__lease_until__gt=now)


@transaction.atomic
def fail_dead(session: SyncSession, *, now: datetime) -> None:
    """Finish a session whose worker died. Nothing is lost: what it left undone is found again."""
    failed = SyncSession.objects.filter(pk=session.pk, status=SyncSession.Status.RUNNING).update(
        status=SyncSession.Status.FAILED,
        finished_at=now,
        error=STOPPED,
        rule="R18",
    )
    if failed:
        session.refresh_from_db()
        telling.of_finished(session, now=now)


def removals_waiting(session: SyncSession) -> list[EventLink]:
    """Return the links whose removal a session stopped before, as far as they still wait for a person's word (R14)."""
    if session.status != SyncSession.Status.NEEDS_CONFIRMATION:
        return []
    links = EventLink.objects.filter(pk__in=session.stopped_before, state=EventLink.State.LINKED)
    answered = set(SyncedCalendar.objects.get(pk=session.calendar_id).confirmed_removals)
    rows = links.select_related("activity").order_by("id")
    return [link for link in rows if link.pk not in answered and _is_gone_on_one_side(link)]


def _is_gone_on_one_side(link: EventLink) -> bool:
    """Whether one side still holds what the other has lost, and nobody has said that it may stay so."""
    here = _presence(link)
    is_gone_here = here != "present" and here != (link.base_here or {}).get("presence")
    return is_gone_here != (link.event.get("status") == "cancelled")


def _presence(link: EventLink) -> str:
    if link.activity is None or link.activity.deleted_at:
        return "deleted"
    return "canceled" if link.activity.status == "canceled" else "present"


def confirm_removals(*, session: SyncSession, now: datetime) -> SyncSession:
    """Let exactly the removals happen that a session stopped before, in a session of their own (R14)."""
    SyncedCalendar.objects.filter(pk=session.calendar_id).update(confirmed_removals=session.stopped_before)
    telling.was_answered(session)
    return request(calendar=session.calendar, trigger=SyncSession.Trigger.MANUAL, now=now)


@transaction.atomic
def keep(*, session: SyncSession) -> int:
    """
    Keep what a session would have removed: activities stay without their events, events without their activities (R14).

    Returns how many items they are.
    """
    waiting = removals_waiting(session)
    for link in waiting:
        if link.event.get("status") == "cancelled":
            link.state = EventLink.State.DETACHED
            link.base_here = {**(link.base_here or {}), EventLink.KEPT: True}
            if mapping.facts_of(link.event).is_own or not store.other_copies_live(link):
                declines.take_back_all(link, event=link.event)
            if link.activity and link.activity.is_series:
                # What was particular about an occurrence went with all of it.
                shown = EventLink.objects.filter(calendar=link.calendar, series=link.activity.series_id)
                shown.filter(activity__is_series=False).exclude(event__status="cancelled").delete()
        elif link.activity:  # Canceled or deleted here: from now on both sides agree on that, and on the event.
            link.base_here = {**(link.base_here or {}), "presence": _presence(link)}
        link.is_marked = False
        link.save(update_fields=["state", "base_here", "is_marked"])
    _say_what_was_kept(session, count=len(waiting))
    telling.was_answered(session)
    return len(waiting)


def _say_what_was_kept(session: SyncSession, *, count: int) -> None:
    """The session waits for nobody any more: it ends as it would have without what it stopped before."""
    has_problems = session.outcomes.filter(action=SyncOutcome.Action.PARKED).exists()
    session.status = SyncSession.Status.WITH_PROBLEMS if has_problems else SyncSession.Status.SUCCEEDED
    session.error, session.rule = KEPT_ONE if count == 1 else KEPT % {"count": count}, "R14"
    session.save(update_fields=["status", "error", "rule"])
