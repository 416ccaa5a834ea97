"""Doors for Celery: each loads and makes one call. When to try again stands in a row, never in the broker."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

from celery import shared_task
from django.utils import timezone

from sync import engine, repeating, retention, sessions
from sync.models import SyncedCalendar, SyncSession

AT_ONCE = 500  # Calendars that one round of the dispatcher queues.

sleep = time.sleep  # For tests, which do not wait.


@shared_task(acks_late=True)  # A lost message is harmless: the dispatcher finds what waits in the rows.
def run_session(*, session_id: int, **_: Any) -> None:
    """Run a session that waits, unless somebody else has taken it. While it is postponed, nobody waits for it (R20)."""
    session = SyncSession(pk=session_id)
    if _run_a_pass(session, now=timezone.now()) and session.is_postponed:
        sessions.wake_worker(session)


def run_here(session: SyncSession) -> bool:
    """
    Run a session to its end in this very process, waiting as long as Google asks for it.

    False if somebody else runs the calendar (R18).
    """
    now = timezone.now()
    while True:
        if pause := session.seconds_to_wait(now):
            sleep(pause)
            now = max(timezone.now(), now + timedelta(seconds=pause))
        if not _run_a_pass(session, now=now):
            session.refresh_from_db()
            return session.is_finished
        if not session.is_postponed:
            return True
        now = timezone.now()


def _run_a_pass(session: SyncSession, *, now: datetime) -> bool:
    """Go on with a session unless it is still to wait; False if it waits no more, or somebody else runs it (R18)."""
    key = SyncedCalendar.objects.claim_for(session_id=session.pk, now=now)
    if key is None:
        return False
    sessions.load(session)  # Once it is claimed: a pass elsewhere may just have ended.
    is_released = False
    try:
        if session.status == SyncSession.Status.QUEUED and not session.seconds_to_wait(now):
            is_released = engine.run(session=session, key=key, now=now)
    finally:
        if not is_released:
            SyncedCalendar.objects.release(calendar_id=session.calendar_id, key=key)
    return True


@shared_task
def dispatch(**_: Any) -> None:
    """Each minute: keep rows in shape, finish what died, wake up what waits, queue what is due."""
    now = timezone.now()
    retention.erase_deleted(now=now)
    repeating.extend_horizon(now=now)
    for session in sessions.recover(now=now):
        sessions.wake_worker(session)
    for calendar in SyncedCalendar.objects.due(now=now)[:AT_ONCE]:
        sessions.request(calendar=calendar, trigger=SyncSession.Trigger.AUTOMATIC, now=now)
