"""Which sessions the bell tells of: those with problems, removals or a question, and what somebody has asked for."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import OuterRef, Subquery

from accounts.models import ExternalAccount
from notices import services
from notices.models import Notice
from sync.models import SyncOutcome, SyncSession

# Whoever watches a session sees its end within that time; only those who have left are told of it.
WATCHED = timedelta(seconds=5)

Status = SyncSession.Status
STATUS = Subquery(SyncSession.objects.filter(pk=OuterRef("reference")).values("status")[:1])  # Of whom a notice tells.


def of_finished(session: SyncSession, *, now: datetime) -> None:
    """
    Tell the person of a session that has just ended, if they would want to hear of it, in place of the one before.

    What goes on as it was, one that fails each minute for the same reason, is no news: it is told once. A session that
    went well takes back that one before it failed or had to ask.
    """
    account = session.calendar.account
    is_manual = session.trigger == SyncSession.Trigger.MANUAL
    is_connected = account.status == ExternalAccount.Status.CONNECTED
    before = None if is_manual and is_connected else services.latest_of_sessions(account, status=STATUS)
    if not is_connected:
        if before:
            services.take_back_sessions(account)  # That it needs reconnecting says all there is to say.
        return
    if not _is_worth_telling(session):
        if before and getattr(before, "session_status", "") != Status.SUCCEEDED and _is_over(before):
            services.take_back_sessions(account)
        return
    services.tell_of_session(
        account=account,
        session_id=session.pk,
        at=now,
        shown_from=now + WATCHED if is_manual else now,
        like=before if before and not is_manual and _says_the_same(session, before) else None,
    )


def was_answered(session: SyncSession) -> None:
    """The session has got its word about the removals it stopped before (R14)."""
    services.take_back_sessions(session.calendar.account)


def was_read(session: SyncSession, *, now: datetime) -> None:
    """Its person has seen how the session ended; a question of it stays until it is answered."""
    services.session_was_read(
        account=session.calendar.account,
        session_id=session.pk,
        now=now,
        is_done=session.status != Status.NEEDS_CONFIRMATION,
    )


def _is_worth_telling(session: SyncSession) -> bool:
    """What was removed in Google was removed or canceled here before, by whoever is told; it is no news to them."""
    is_manual = session.trigger == SyncSession.Trigger.MANUAL
    return is_manual or session.status != Status.SUCCEEDED or session.removed_here > 0


def _is_over(told: Notice) -> bool:
    """Whether a session that went well is all there is to say after the one that was told of."""
    session = SyncSession.objects.filter(pk=told.reference).first()
    if session is None or session.status == Status.NEEDS_CONFIRMATION:
        return True
    return session.status != Status.SUCCEEDED and not session.removed_here and not _problems(session)


def _says_the_same(session: SyncSession, told: Notice) -> bool:
    before = SyncSession.objects.filter(pk=told.reference).first()
    if before is None or session.removed_here:
        return False
    is_same = (before.status, before.error, before.stopped_before) == (
        session.status,
        session.error,
        session.stopped_before,
    )
    return is_same and _problems(before) == _problems(session)


def _problems(session: SyncSession) -> set[tuple[str, str]]:
    parked = SyncOutcome.objects.filter(session=session, action=SyncOutcome.Action.PARKED)
    return set(parked.values_list("item", "reason"))
