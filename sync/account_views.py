"""Accounts in external resources: the list, consent at Google and back, deleting (R7, R20, R22)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.http import UserRequest
from accounts.models import CommunicationOption, Profile
from creatio_sync.environment import is_loopback
from sync import connections, consents
from sync.google import oauth
from sync.google.errors import GoogleUnavailable

BAD_REQUEST, CONFLICT, BAD_GATEWAY = 400, 409, 502


@never_cache
@login_required
@require_safe
def accounts(request: UserRequest) -> HttpResponse:
    context = {
        "listed": connections.accounts_of(request.user.profile),
        "is_configured": oauth.is_configured(),
    }
    return render(request, "sync/accounts/list.html", context)


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: UserRequest, account_id: int) -> HttpResponse:
    """Ask, and say what stays; then let go of the account."""
    accounts = request.user.profile.external_accounts.in_use()
    account = get_object_or_404(accounts, pk=account_id)
    if request.method != "POST":
        context = {"account": account, "links": connections.links_of(account)}
        return render(request, "sync/accounts/delete.html", context)
    if connections.disconnect(account=account):
        messages.success(request, _("%(login)s is disconnected.") % {"login": account.login})
    else:
        messages.warning(
            request,
            _(
                "%(login)s is disconnected and our keys to it are erased, but Google did not confirm that access was "
                "withdrawn. Open “Third-party apps and services” in your Google account to withdraw it there."
            )
            % {"login": account.login},
        )
    return redirect("external-accounts:list")


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: UserRequest) -> HttpResponse:
    """Send the user to Google, to choose an account and to consent."""
    if not oauth.is_configured():
        return _registration_page(request)
    if (address := _same_page_at_public_address(request)) is not None:
        return redirect(address)
    consent = oauth.ask_consent(redirect_uri=redirect_uri(), login_hint=_login_hint(request.user.profile))
    consents.remember(session=request.session, user=request.user, consent=consent, now=timezone.now())
    return redirect(consent.address)


@never_cache
@login_required
@require_safe
def callback(request: UserRequest) -> HttpResponse:
    """Take up what Google sent back. Whatever is wrong with it, nothing is stored."""
    verifier = consents.take_verifier(
        session=request.session, user=request.user, state=request.GET.get("state", ""), now=timezone.now()
    )
    if verifier is None:
        return _not_connected(request, "expired", status=BAD_REQUEST)
    if error := request.GET.get("error"):
        return _not_connected(request, "refused", status=BAD_REQUEST, error="" if error == "access_denied" else error)
    try:
        grant = oauth.finish_consent(code=request.GET.get("code", ""), verifier=verifier, redirect_uri=redirect_uri())
    except oauth.EventsNotGranted:
        return _not_connected(request, "unticked", status=BAD_REQUEST)
    except oauth.NoRefreshToken:
        return _not_connected(request, "no_refresh_token", status=BAD_GATEWAY)
    except oauth.NotExchanged as error:
        return _not_connected(request, "not_exchanged", status=BAD_GATEWAY, error=str(error))
    except GoogleUnavailable:
        return _not_connected(request, "unreachable", status=BAD_GATEWAY)
    return _connect(request, grant)


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def old_links(request: UserRequest) -> HttpResponse:
    """Ask what becomes of the links of a former account; then connect the new one, or drop what Google granted."""
    now = timezone.now()
    grant = consents.kept_grant(session=request.session, user=request.user, now=now)
    if grant is None:
        return _not_connected(request, "expired", status=BAD_REQUEST)
    if "drop" in request.POST:
        consents.drop_grant(session=request.session)
        return redirect("external-accounts:list")
    choice = request.POST.get("old_links", "")
    if choice in set(connections.OldLinks):
        consents.drop_grant(session=request.session)
        return _connect(request, grant, old_links=connections.OldLinks(choice))
    former = connections.former_accounts(request.user.profile)
    return render(request, "sync/accounts/old_links.html", {"grant_login": grant.login, "former": former})


@never_cache
@login_required
@require_safe
def connected(request: UserRequest) -> HttpResponse:
    """Say in the tab that was at Google what was connected, and what is left to do."""
    account = request.user.profile.external_accounts.in_use().first()
    if account is None:
        return redirect("external-accounts:list")
    corporate = _login_hint(request.user.profile)
    context = {
        "account": account,
        "corporate": corporate if corporate.lower() != account.login.lower() else "",
        "may_list_calendars": oauth.may_list_calendars(account),
    }
    return render(request, "sync/accounts/connected.html", context)


@never_cache
@login_required
@require_safe
def registration(request: UserRequest) -> HttpResponse:
    """Tell administrators how the application is registered at Google, and what is set here."""
    if not request.user.is_staff:
        raise PermissionDenied
    return _registration_page(request)


def redirect_uri() -> str:
    """Return the address at which Google sends people back; it has to be registered there letter by letter."""
    return settings.PUBLIC_BASE_URL + reverse("external-accounts:google-callback")


def _registration_page(request: UserRequest) -> HttpResponse:
    context = {
        "redirect_uri": redirect_uri(),
        "scopes": oauth.SCOPES,
        "is_configured": oauth.is_configured(),
        "client_id": settings.GOOGLE_CLIENT_ID if request.user.is_staff else "",
        "has_secret": bool(settings.GOOGLE_CLIENT_SECRET),
    }
    return render(request, "sync/accounts/registration.html", context)


def _connect(
    request: UserRequest, grant: oauth.Grant, *, old_links: connections.OldLinks | None = None
) -> HttpResponse:
    now = timezone.now()
    try:
        connections.connect(profile=request.user.profile, grant=grant, now=now, old_links=old_links)
    except connections.OldLinksUndecided:
        consents.keep_grant(session=request.session, user=request.user, grant=grant, now=now)
        return redirect("external-accounts:google-old-links")
    except connections.ConnectedBySomebodyElse as error:
        return _not_connected(request, "taken", status=CONFLICT, error=str(error))
    except connections.AnotherAccountConnected as error:
        return _not_connected(request, "another", status=CONFLICT, error=str(error))
    return redirect("external-accounts:google-connected")


def _not_connected(request: UserRequest, why: str, *, status: int, **context: Any) -> HttpResponse:
    return render(request, "sync/accounts/not_connected.html", {"why": why, **context}, status=status)


def _same_page_at_public_address(request: UserRequest) -> str | None:
    """
    Return where to begin instead, when this machine is called by another of its names than the public one.

    Google sends people back to the public address, and to a browser 127.0.0.1 and localhost are two servers: it would
    come back without the session that knows the consent.
    """
    here, public = request.build_absolute_uri(), settings.PUBLIC_BASE_URL
    if urlsplit(here).hostname == urlsplit(public).hostname or not (is_loopback(here) and is_loopback(public)):
        return None
    return public + request.path


def _login_hint(profile: Profile) -> str:
    """Return the person's corporate address: Google suggests it, and it is what the account is compared with."""
    if profile.user.email:
        return profile.user.email
    first = profile.communication_options.filter(kind=CommunicationOption.Kind.EMAIL).first()
    return first.value if first else ""
