"""Connecting and disconnecting a person's Google account (R7, R22)."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db import IntegrityError, transaction
from django.db.models import Case, F, Q, Value, When
from django.utils.translation import gettext as _

from accounts import services
from accounts.encryption import UnableToDecrypt
from accounts.models import ExternalAccount, Profile
from sync.google import oauth
from sync.google.errors import GoogleUnavailable
from sync.models import EventLink, SyncedCalendar, SyncSettings

log = logging.getLogger(__name__)

GOOGLE = ExternalAccount.Provider.GOOGLE


class UnableToConnect(Exception):
    """The Google account stays unconnected. The message is written for the user."""


class ConnectedBySomebodyElse(UnableToConnect):
    """A Google account can be connected by one user only. Its grant is the other user's, so it is never revoked."""


class AnotherAccountConnected(UnableToConnect):
    """There is one Google account per user."""


class OldLinksUndecided(Exception):
    """The user had another Google account; what becomes of its links is theirs to say before this one is connected."""


class OldLinks(StrEnum):
    """What becomes of the links of a person's former Google account when they connect a different one."""

    KEEP = "keep"  # For the day that account comes back. What is linked there is not sent to the new account.
    FORGET = "forget"  # Those activities can be sent to the new account. The old account's events stay as they are.


@dataclass(frozen=True, slots=True)
class Listed:
    """An account and how many activities and series are linked to its events."""

    account: ExternalAccount
    links: int


def accounts_of(profile: Profile) -> list[Listed]:
    """Return the accounts to list for a person."""
    accounts = profile.external_accounts.in_use()
    return [Listed(account, links=links_of(account)) for account in accounts]


def former_accounts(profile: Profile) -> list[Listed]:
    """Return the disconnected accounts whose links are still there."""
    former = profile.external_accounts.filter(provider=GOOGLE, status=ExternalAccount.Status.DISCONNECTED)
    listed = [Listed(account, links=links_of(account)) for account in former]
    return [one for one in listed if one.links]


def links_of(account: ExternalAccount) -> int:
    """Return how many activities and series are linked to the account's events."""
    links = EventLink.objects.filter(calendar__account=account).exclude(state=EventLink.State.FORGOTTEN)
    return links.exclude(activity=None, series=None).count()


def connect(
    *, profile: Profile, grant: oauth.Grant, now: datetime, old_links: OldLinks | None = None
) -> ExternalAccount:
    """
    Store a grant as the person's Google account.

    The same Google account finds its row again, and with it its links, so nothing is doubled. Nothing at all is stored
    when it is refused, and nothing is revoked then (R22).

    :raises ConnectedBySomebodyElse: if another user has connected this Google account.
    :raises AnotherAccountConnected: if the person has connected another one.
    :raises OldLinksUndecided: if a former account has links and `old_links` does not say what becomes of them.
    """
    with transaction.atomic():
        # One at a time per person: two tabs that come back from Google together must not both find no account. Without
        # the key, so that a session which makes this person a participant need not wait.
        Profile.objects.select_for_update(no_key=True).get(pk=profile.pk)
        _refuse_second_connection(profile, grant)
        account, is_new = _row_for(profile, grant)
        if is_new:
            _settle_old_links(profile, old_links)
        _store(account, grant=grant, now=now)
        _resume(account, is_new=is_new, now=now)
        services.give_email(profile=profile, address=grant.login, is_proven=grant.is_login_verified)
    return account


def disconnect(*, account: ExternalAccount) -> bool:
    """
    Let go of a Google account; returns whether Google confirmed that our access is withdrawn (R22).

    Google is asked first, while we still hold the token to ask with. When it does not answer, the tokens are erased all
    the same: what we do not hold we cannot use. Activities, events and links stay.
    """
    is_withdrawn = _withdraw(account)
    note = "" if is_withdrawn else _("Google did not confirm that access was withdrawn.")
    with transaction.atomic():
        SyncedCalendar.objects.filter(account=account).update(due_at=None)
        account.status = ExternalAccount.Status.DISCONNECTED
        account.status_reason = note
        account.credentials = {}
        account.save(update_fields=["status", "status_reason", "encrypted_credentials"])
    return is_withdrawn


def _refuse_second_connection(profile: Profile, grant: oauth.Grant) -> None:
    in_use = ExternalAccount.objects.in_use().filter(provider=GOOGLE)
    if in_use.filter(subject=grant.subject).exclude(profile=profile).exists():
        raise _connected_by_somebody_else(grant)
    other = in_use.filter(profile=profile).exclude(subject=grant.subject).first()
    if other is not None:
        raise AnotherAccountConnected(
            _("You have connected %(login)s. There is one account per user: delete it before connecting %(new)s.")
            % {"login": other.login, "new": grant.login}
        )


def _connected_by_somebody_else(grant: oauth.Grant) -> ConnectedBySomebodyElse:
    # Who it is stays between them: the address alone is known to whoever just signed in with it.
    return ConnectedBySomebodyElse(
        _("%(login)s has been connected by another user. A Google account can be connected by one user only.")
        % {"login": grant.login}
    )


def _row_for(profile: Profile, grant: oauth.Grant) -> tuple[ExternalAccount, bool]:
    """Return the person's row of this Google account, or a new one that is not saved yet."""
    row = ExternalAccount.objects.filter(profile=profile, provider=GOOGLE, subject=grant.subject).first()
    if row is not None:
        return row, False
    new = ExternalAccount(profile=profile, provider=GOOGLE, subject=grant.subject)
    return new, True


def _settle_old_links(profile: Profile, old_links: OldLinks | None) -> None:
    """
    Ask about the links of former accounts, or do as the user said.

    Forgotten links stay as rows: should that account come back, they resume, and nothing is doubled (R9).
    """
    former = former_accounts(profile)
    if former and old_links is None:
        raise OldLinksUndecided
    if old_links is OldLinks.FORGET:
        links = EventLink.objects.filter(calendar__account__in=[listed.account for listed in former])
        links = links.exclude(state=EventLink.State.SEEN)
        links.update(state=EventLink.State.FORGOTTEN)


def _store(account: ExternalAccount, *, grant: oauth.Grant, now: datetime) -> None:
    if account._state.adding or account.status == ExternalAccount.Status.DISCONNECTED:
        account.connected_at = now
    account.login = grant.login
    account.status = ExternalAccount.Status.CONNECTED
    account.status_reason = ""
    account.granted_scopes = grant.scopes
    account.credentials = grant.credentials
    try:
        with transaction.atomic():
            account.save()
    except IntegrityError as error:  # Two users at the same instant; the constraint let one through.
        raise _connected_by_somebody_else(grant) from error


def _resume(account: ExternalAccount, *, is_new: bool, now: datetime) -> None:
    """Let the next session look at everything; automatic sessions go on at once where they were switched on."""
    if is_new:
        # A calendar chosen from another account's list is not this one's.
        SyncSettings.objects.filter(profile=account.profile).update(calendar_id="primary")
    _resume_links(account)
    automatic = SyncSettings.objects.filter(profile=account.profile, automatic=True).exists()
    SyncedCalendar.objects.update_or_create(
        account=account, defaults={"compare_all": True, "due_at": now if automatic else None}
    )


def _resume_links(account: ExternalAccount) -> None:
    """
    Let forgotten links be again what they were, told by what Google showed last (R14, R22).

    Without an event there was no answer to the insertion yet; a cancelled one was gone already. What was frozen is
    frozen again by the next session, which looks at them all.
    """
    cancelled = Q(event__status="cancelled") | Q(event_id__startswith=EventLink.LEFT)
    state = Case(
        When(cancelled, then=Value(EventLink.State.DETACHED)),
        When(event={}, then=Value(EventLink.State.INSERTING)),
        default=Value(EventLink.State.LINKED),
    )
    forgotten = EventLink.objects.filter(calendar__account=account, state=EventLink.State.FORGOTTEN)
    forgotten.update(state=state, is_marked=True, mark=F("mark") + 1)


def _withdraw(account: ExternalAccount) -> bool:
    try:
        tokens = account.credentials
    except UnableToDecrypt:
        log.warning("Account %s is disconnected without revoking: its tokens cannot be decrypted.", account.pk)
        return False
    token = tokens.get("refresh_token") or tokens.get("access_token")
    if not token:
        return True  # Google withdrew it before we did.
    try:
        oauth.revoke(token)
    except GoogleUnavailable:
        log.warning("Account %s is disconnected, but Google did not confirm the withdrawal.", account.pk)
        return False
    return True
