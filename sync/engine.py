"""A session: observe, decide, apply (R18). It holds no rules; those are in `sync.core`."""

from __future__ import annotations

import logging
import random
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Case, DateTimeField, F, Q, Value, When
from django.utils import timezone

from accounts.encryption import UnableToDecrypt
from accounts.models import ExternalAccount
from sync import items, repeating, sessions, store, telling, writing
from sync.core.eligibility import window_start_for_google
from sync.core.reasons import _
from sync.google import errors
from sync.google.gateway import CalendarGateway, Reading
from sync.items.outcomes import park
from sync.models import SyncedCalendar, SyncSession, SyncSettings
from sync.run import LeaseLost, NotSetUp, Run

JITTER = 0.1  # Of a period.

logger = logging.getLogger(__name__)


def run(*, session: SyncSession, key: str, now: datetime, gateway: CalendarGateway | None = None) -> bool:
    """
    Bring a calendar and its owner's activities together once. The caller holds the calendar's lease by `key`, and gives
    the session as `sessions.load` has read it since.

    What was done stays done when Google stops answering (R20). The session then is postponed: it waits in its row, and
    the next pass goes on. Otherwise it is finished, whatever happens. In the same moment the lease ends.

    Returns whether the session was there to be run: if not, the caller still holds the lease.
    """
    calendar = session.calendar
    listed = session.passes > 0 and session.outcomes.exists()  # A pass before came further than to listing.
    if not _begin_pass(session, now=now):
        return False
    status: str = SyncSession.Status.FAILED
    current: Run | None = None
    unavailable: errors.GoogleUnavailable | None = None
    try:
        settings = getattr(calendar.account.profile, "sync_settings", None)
        current = begin(calendar=calendar, session=session, settings=settings, key=key, now=now, gateway=gateway)
        _go_on(current)
        is_anything = _observe(current)
        listed = True
        status = items.bring_all_together(current) if is_anything else items.status_of(current)
        unavailable = current.unavailable
    except errors.AccessRevoked as error:
        calendar.account.needs_reconnecting(reason=str(error))
        _explain(session, error, rule="R20")
    except (errors.AccessInsufficient, errors.CalendarGone, errors.RequestInvalid, NotSetUp) as error:
        _explain(session, error, rule="R20")
    except errors.GoogleUnavailable as error:
        unavailable = error
    except LeaseLost:
        session.error = _("This session took too long without a sign of life; another one has taken over.")
        session.rule = "R18"
    except Exception:
        logger.exception("Session %s of calendar %s failed", session.pk, calendar.pk)
        session.error = _("Something went wrong here, not at Google. Nothing was lost; the next session tries again.")
    finally:
        if current:
            session.requests_made = current.gateway.requests_made
        if unavailable and status != SyncSession.Status.NEEDS_CONFIRMATION:
            status = SyncSession.Status.WITH_PROBLEMS if listed else SyncSession.Status.FAILED
            _explain(session, unavailable, rule="R20")
        confirmed = current.confirmed if current else set()
        if not (unavailable and _postpone(session, unavailable, confirmed=confirmed, key=key)):
            _finish(session, status, key=key)
    return True


def _begin_pass(session: SyncSession, *, now: datetime) -> bool:
    """Take a session that waits; False if it waits no more: who came to it too late must not run a finished one."""
    values = {
        "status": SyncSession.Status.RUNNING,
        "started_at": session.started_at or now,
        "passes": session.passes + 1,
        "resume_at": None,
        "items_done": 0,
        "items_total": 0,
    }
    if not SyncSession.objects.filter(pk=session.pk, status=SyncSession.Status.QUEUED).update(**values):
        return False
    for name, value in values.items():
        setattr(session, name, value)
    return True


def _go_on(run: Run) -> None:
    """Let a run begin with what the passes of its session before it have done and counted."""
    if run.session.passes > 1:
        run.outcomes = list(run.session.outcomes.all())
        run.gateway.requests_made += run.session.requests_made


def begin(
    *,
    calendar: SyncedCalendar,
    session: SyncSession,
    settings: SyncSettings | None,
    key: str,
    now: datetime,
    gateway: CalendarGateway | None,
    patience: float = 0.0,
) -> Run:
    """
    Return a run that can start. `patience` is that of its gateway, in seconds; `settings` are its person's.

    :raises NotSetUp: if the account cannot be synchronized as things are.
    :raises AccessRevoked: if its tokens are gone or cannot be read.
    """
    account = calendar.account
    if settings is None:
        raise NotSetUp(_("Synchronization is not set up yet. Open the set-up page and save it."))
    if account.status != ExternalAccount.Status.CONNECTED:
        raise NotSetUp(
            _("Your Google account is not connected. Connect it on the page Accounts in external resources.")
        )
    if account.paused:
        raise NotSetUp(_("An administrator has paused this account. It goes on once they resume it."))
    if gateway is None:
        gateway = _gateway_of(account, calendar_id=settings.calendar_id, patience=patience)
    return Run(calendar=calendar, settings=settings, session=session, gateway=gateway, key=key, now=now)


def settings_of(calendar: SyncedCalendar) -> SyncSettings | None:
    """Return what a calendar's person has saved on the set-up page, None if they have not yet."""
    return SyncSettings.objects.select_related("tag").filter(profile=calendar.account.profile_id).first()


def _gateway_of(account: ExternalAccount, *, calendar_id: str, patience: float) -> CalendarGateway:
    try:
        return CalendarGateway(account=account, calendar_id=calendar_id, patience=patience)
    except UnableToDecrypt as error:
        raise errors.AccessRevoked(
            _("The key that protects your access was lost. Connect your Google account again.")
        ) from error


def _observe(run: Run) -> bool:
    """
    Read what Google has to say, page by page, each stored with how far the reading has come (R18).

    Returns whether there is anything to look at.
    """
    store.begin_reading(run)
    begins_again = False
    while True:
        try:
            page = run.gateway.list_events(**reading(run))
        except errors.SyncTokenRefused:
            is_first_page = run.calendar.is_reading_completely and not (
                run.calendar.page_token or run.calendar.sync_token  # The latter comes with the last page.
            )
            if begins_again or is_first_page:  # Once is enough: Google may refuse every second page.
                raise errors.RequestInvalid(_("Google refuses to list the calendar. The next session tries again."))\
                    from None  # fmt: skip
            store.begin_complete_read(run)
            begins_again = True
            continue
        store.observe_page(run, page, take_in=writing.take_in)
        writing.look_back(run)
        if page.get("items"):
            run.session.events_listed += len(page["items"])
            run.show_progress()
        if not run.calendar.page_token:
            break
    if not (run.calendar.is_reading_completely or store.has_anything_to_look_at(run)):
        return False
    is_due = store.mark_what_is_due(run)
    _look_for_absent(run)
    if run.calendar.is_reading_completely:
        store.end_reading(run)
    if is_due:
        repeating.mark_all_that_deviates(run)
    return True


def reading(run: Run) -> Reading:
    """Return the arguments of the next page."""
    calendar = run.calendar
    start = "" if calendar.sync_token else window_start_for_google(run.window).isoformat()
    return {"sync_token": calendar.sync_token, "page_token": calendar.page_token, "time_min": start}


def _look_for_absent(run: Run) -> None:
    """
    Absence is not deletion: ask for each event that was not listed by a complete read (R14).

    Where Google refuses to tell about one, nothing is known of it: it is put aside, the others go on, and it is asked
    for again later (R19). Any other error ends the session first.
    """
    for link in store.absent_links(run):
        try:
            event = run.gateway.get_event(event_id=link.event_id)
        except errors.EventGone:
            store.observe_gone(run, link)
        except errors.EventRefused as error:
            reason = f"Google did not list this event and does not tell whether it is still there. {error}"
            park(run, link.pk, reason=reason, rule="R14")
        else:
            store.observe_event(run, link, event)


def _explain(session: SyncSession, error: Exception, *, rule: str) -> None:
    session.error, session.rule = str(error)[:500], rule


def _postpone(session: SyncSession, error: errors.GoogleUnavailable, *, confirmed: Collection[int], key: str) -> bool:
    """
    Let a session wait without anybody to hold it, if it may go on later (R20); False if it has to end.

    What a person has confirmed waits with it (R14).
    """
    pause = sessions.pause_before_next_pass(session, asked=error.retry_after)
    if pause is None:
        return False
    calendar, now = session.calendar, timezone.now()
    with transaction.atomic():
        held = SyncedCalendar.objects.hold(calendar_id=calendar.pk, key=key, now=now)
        if not (held and SyncSession.objects.filter(pk=session.pk, status=SyncSession.Status.RUNNING).exists()):
            return False  # It was taken for dead.
        session.status, session.resume_at = SyncSession.Status.QUEUED, now + pause
        session.stopped_before, session.error, session.rule = [], "", ""
        session.save()
        if confirmed:
            calendar.confirmed_removals = sorted(confirmed)
            calendar.save(update_fields=["confirmed_removals"])
        SyncedCalendar.objects.release(calendar_id=calendar.pk, key=key)
    return True


def _finish(session: SyncSession, status: str, *, key: str) -> None:
    """
    End a session: what it did, and when the next automatic one is due.

    Whoever sees that it has ended may ask for another one at once, so the lease ends in the same moment.
    """
    calendar, now = session.calendar, timezone.now()
    session.status, session.finished_at = status, now
    if status == SyncSession.Status.FAILED and not session.error:
        session.error, session.rule = sessions.STOPPED, "R18"
    with transaction.atomic():
        session.save()
        if status != SyncSession.Status.FAILED:
            calendar.synchronized_at = now
        # Not if somebody else has taken the calendar over: its times are theirs then.
        SyncedCalendar.objects.release(
            calendar_id=calendar.pk, key=key, due_at=_next_due(calendar, now), synchronized_at=calendar.synchronized_at
        )
        telling.of_finished(session, now=now)


def _next_due(calendar: SyncedCalendar, now: datetime) -> Any:
    """
    Return when the next automatic session is due: a period from now, or a little earlier.

    A little, so that what began in one minute does not stay together. What the set-up page has said since this session
    began holds.
    """
    settings = getattr(calendar.account.profile, "sync_settings", None)
    due = None
    if settings and settings.automatic:
        due = now + timedelta(minutes=settings.period_minutes * (1 - JITTER * random.random()))  # noqa: S311 - no secret
    as_begun = Q(due_at=calendar.due_at) if calendar.due_at else Q(due_at=None)
    return Case(When(as_begun, then=Value(due, DateTimeField())), default=F("due_at"))
