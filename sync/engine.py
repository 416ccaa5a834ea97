"""A session: observe, decide, apply (R18). It holds no rules; those are in `sync.core`."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import transaction
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

logger = logging.getLogger(__name__)


def run(*, session: SyncSession, key: str, now: datetime, gateway: CalendarGateway | None = None) -> bool:
    """
    Bring a calendar and its owner's activities together once. The caller holds the calendar's lease by `key`.

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
        current = begin(calendar=calendar, session=session, key=key, now=now, gateway=gateway)
        _go_on(current)
        _observe(current)
        listed = True
        status = items.bring_all_together(current)
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
    key: str,
    now: datetime,
    gateway: CalendarGateway | None,
    patience: float = 0.0,
) -> Run:
    """
    Return a run that can start. `patience` is that of its gateway, in seconds.

    :raises NotSetUp: if the account cannot be synchronized as things are.
    :raises AccessRevoked: if its tokens are gone or cannot be read.
    """
    account = calendar.account
    settings = SyncSettings.objects.select_related("tag").filter(profile=account.profile).first()
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


def _gateway_of(account: ExternalAccount, *, calendar_id: str, patience: float) -> CalendarGateway:
    try:
        return CalendarGateway(account=account, calendar_id=calendar_id, patience=patience)
    except UnableToDecrypt as error:
        raise errors.AccessRevoked(
            _("The key that protects your access was lost. Connect your Google account again.")
        ) from error


def _observe(run: Run) -> None:
    """Read what Google has to say, page by page, each stored with how far the reading has come (R18)."""
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
        if page.get("items"):
            run.session.events_listed += len(page["items"])
            run.show_progress()
        if not run.calendar.page_token:
            break
    is_due = store.mark_what_is_due(run)
    _look_for_absent(run)
    if run.calendar.is_reading_completely:
        store.end_reading(run)
    if is_due:
        repeating.mark_all_that_deviates(run)


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
        settings = SyncSettings.objects.filter(profile=calendar.account.profile_id).first()
        is_automatic = settings is not None and settings.automatic
        calendar.due_at = now + timedelta(minutes=settings.period_minutes) if is_automatic and settings else None
        if status != SyncSession.Status.FAILED:
            calendar.synchronized_at = now
        # Not if somebody else has taken the calendar over: its times are theirs then.
        SyncedCalendar.objects.release(
            calendar_id=calendar.pk, key=key, due_at=calendar.due_at, synchronized_at=calendar.synchronized_at
        )
        telling.of_finished(session, now=now)
