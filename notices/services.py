"""
What people do with their notices, and what is told of their accounts.

What cannot be done raises `UnableTo…` with words for the user.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Subquery
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import ExternalAccount, Profile
from notices.models import Notice, NoticeQuerySet

POSTPONE = {  # Minutes.
    5: gettext_lazy("5 minutes"),
    10: gettext_lazy("10 minutes"),
    30: gettext_lazy("30 minutes"),
    60: gettext_lazy("1 hour"),
    120: gettext_lazy("2 hours"),
    1440: gettext_lazy("1 day"),
}
KEEP = timedelta(days=30)  # What is not shown any more.
AT_ONCE = 1000  # Notices that one round of the beat clears away.


class UnableToPostpone(Exception):
    """The notice comes back no later. The message is written for the user."""


# --- What a person does ----------------------------------------------------------------------------------------------


def see(*, notices: Iterable[Notice], now: datetime) -> None:
    """Count what was shown to its person as seen from now on."""
    new = [notice.pk for notice in notices if notice.is_new]
    if new:
        Notice.objects.unseen().filter(pk__in=new).update(seen_at=now)


def postpone(*, notice: Notice, minutes: int, now: datetime) -> None:
    """
    Let a reminder come back after so many minutes, as a new one.

    :raises UnableToPostpone: if it is no reminder, or nobody can postpone anything by so much.
    """
    if notice.kind != Notice.Kind.REMINDER:
        raise UnableToPostpone(_("Only a reminder can be postponed."))
    if minutes not in POSTPONE:
        raise UnableToPostpone(_("Choose one of the times offered to postpone a reminder."))
    notice.shown_from, notice.seen_at, notice.dismissed_at = now + timedelta(minutes=minutes), None, None
    notice.save(update_fields=["shown_from", "seen_at", "dismissed_at"])


def dismiss(*, notice: Notice, now: datetime) -> None:
    Notice.objects.filter(pk=notice.pk, dismissed_at=None).update(dismissed_at=now)


def dismiss_all(*, profile: Profile, shown_at: datetime, now: datetime) -> int:
    """Dismiss what the bell showed at a moment; what came later has not been read. Returns how many."""
    shown = Notice.objects.shown_to(profile, now=min(shown_at, now))
    return shown.update(dismissed_at=now)


# --- Accounts --------------------------------------------------------------------------------------------------------


def follow_accounts(*, now: datetime, account: ExternalAccount | None = None) -> None:
    """Tell of accounts that need reconnecting or are paused, once each time it comes to that; of one, or of all."""
    status = ExternalAccount.Status
    accounts = ExternalAccount.objects.filter(pk=account.pk) if account else ExternalAccount.objects.all()
    so = {
        Notice.Kind.RECONNECT: accounts.filter(status=status.RECONNECT_NEEDED),
        Notice.Kind.PAUSED: accounts.filter(status=status.CONNECTED, paused=True),
    }
    over = Notice.objects.filter(account=account) if account else Notice.objects.all()
    over.of_accounts_no_more().delete()  # Not dismissed: when it comes to that again, it is told again.
    for kind, which in so.items():
        untold = which.exclude(notices__kind=kind).values_list("pk", "profile_id")
        Notice.objects.bulk_create(
            [
                Notice(profile_id=profile_id, kind=kind, account_id=account_id, at=now, shown_from=now)
                for account_id, profile_id in untold
            ],
            ignore_conflicts=True,
        )


# --- Sessions --------------------------------------------------------------------------------------------------------


def latest_of_sessions(account: ExternalAccount, *, status: Subquery[Any] | None = None) -> Notice | None:
    """
    Return the notice of the last session that was told of, dismissed or not.

    `status` finds that of a session by the notice's reference; the notice has it as `session_status` then.
    """
    told = _of_sessions(account).order_by("-reference")
    return (told.annotate(session_status=status) if status else told).first()


def tell_of_session(
    *, account: ExternalAccount, session_id: int, at: datetime, shown_from: datetime, like: Notice | None = None
) -> None:
    """
    Tell of a finished session, in place of the one before.

    `like`: it says what this notice said already, and is as seen and dismissed as that one is.
    """
    values = {"reference": session_id, "at": at, "shown_from": shown_from, "seen_at": None, "dismissed_at": None}
    if like:
        values |= {"seen_at": like.seen_at, "dismissed_at": like.dismissed_at}
    last = _of_sessions(account).order_by("-reference").values("pk")[:1]
    if not _of_sessions(account).filter(pk__in=last).update(**values):
        values |= {"profile_id": account.profile_id, "kind": Notice.Kind.SESSION, "account": account}
        Notice.objects.create(**values)


def take_back_sessions(account: ExternalAccount) -> None:
    """Tell of no session any more: what the last one had to say is over."""
    _of_sessions(account).delete()


def session_was_read(*, account: ExternalAccount, session_id: int, now: datetime, is_done: bool) -> None:
    """Count a session as seen by its person, who has its page; what waits for no answer need not be told any more."""
    read = _of_sessions(account).filter(reference=session_id, dismissed_at=None)
    if is_done:
        read.update(seen_at=now, dismissed_at=now)
    else:
        read.unseen().update(seen_at=now)


def _of_sessions(account: ExternalAccount) -> NoticeQuerySet:
    return Notice.objects.filter(account=account, kind=Notice.Kind.SESSION)


# --- Clearing away ---------------------------------------------------------------------------------------------------


def clear_away(*, now: datetime) -> int:
    """
    Delete the reminders and sessions that have not been shown for 30 days: dismissed, or of what is so no more.

    Returns how many. A reminder of so long ago is not made again.
    """
    passing = Notice.objects.filter(kind__in=[Notice.Kind.REMINDER, Notice.Kind.SESSION])
    dismissed = passing.filter(dismissed_at__lt=now - KEEP)
    old = passing.filter(shown_from__lt=now - KEEP)
    over = old.exclude(pk__in=old.standing())
    ids = [*dismissed.order_by("pk").values_list("pk", flat=True)[:AT_ONCE]]
    ids += over.order_by("pk").values_list("pk", flat=True)[:AT_ONCE]
    count, _details = Notice.objects.filter(pk__in=ids).delete()
    return count
