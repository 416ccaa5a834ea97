"""
Consent at Google: the address to send the user to, the code that comes back, refreshed tokens, revoking.

The only place with google-auth-oauthlib. Nothing here touches the database but `save_refreshed`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import requests
from django.conf import settings
from django.db import transaction
from google.oauth2.credentials import Credentials
from google_auth_oauthlib.flow import Flow
from oauthlib.oauth2 import InvalidClientError, OAuth2Error

from accounts.models import ExternalAccount
from sync.core.reasons import _
from sync.google.errors import AccessRevoked, GoogleError, GoogleUnavailable

CALENDAR_EVENTS = "https://www.googleapis.com/auth/calendar.events"
CALENDAR_LIST = "https://www.googleapis.com/auth/calendar.calendarlist.readonly"  # To choose a calendar; not required.
SCOPES = ["openid", "https://www.googleapis.com/auth/userinfo.email", CALENDAR_EVENTS, CALENDAR_LIST]

TIMEOUT = 15  # Seconds for one request; somebody is waiting for the page.


class EventsNotGranted(GoogleError):
    """The user allowed something, but not the events, without which nothing can be synchronized."""


class NotExchanged(GoogleError):
    """Google did not turn the code into tokens, or did not say whose they are."""


class NoRefreshToken(NotExchanged):
    """Google gave an access for an hour only."""


@dataclass(frozen=True, slots=True)
class Consent:
    """A consent that was asked for. State and verifier are secrets of the user's session until it comes back."""

    address: str
    state: str
    verifier: str


@dataclass(frozen=True, slots=True)
class Grant:
    """What a consent brought: whose account it is, the tokens, and what they allow."""

    subject: str
    login: str
    is_login_verified: bool
    credentials: dict[str, Any]
    scopes: list[str]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def is_configured() -> bool:
    """Tell whether the administrator has registered the application at Google."""
    return bool(settings.GOOGLE_CLIENT_ID and settings.GOOGLE_CLIENT_SECRET)


def may_list_calendars(account: ExternalAccount) -> bool:
    """Tell whether the user let us see their list of calendars, so that one can be chosen."""
    return CALENDAR_LIST in account.granted_scopes


# --- Consent -------------------------------------------------------------------------------------------------------


def ask_consent(*, redirect_uri: str, login_hint: str = "") -> Consent:
    """
    Return where to send the user.

    Google gives a refresh token only at the first consent, or when consent is asked for again, so it always is. Earlier
    grants are not included: what comes back is what the user ticked now.
    """
    flow = _flow(redirect_uri=redirect_uri)
    hint = {"login_hint": login_hint} if login_hint else {}
    address, state = flow.authorization_url(
        access_type="offline", prompt="consent", include_granted_scopes="false", **hint
    )
    return Consent(address=address, state=state, verifier=flow.code_verifier)


def finish_consent(*, code: str, verifier: str, redirect_uri: str) -> Grant:
    """
    Exchange the code that Google sent back, once.

    :raises EventsNotGranted: if the user left out the events.
    :raises NoRefreshToken: if the access would end after an hour.
    :raises NotExchanged: if Google refuses the code or the application.
    :raises GoogleUnavailable: if Google does not answer, or has a problem of its own.
    """
    flow = _flow(redirect_uri=redirect_uri, verifier=verifier)
    flow.oauth2session.register_compliance_hook("access_token_response", _raise_for_trouble)
    try:
        token = flow.fetch_token(code=code, timeout=TIMEOUT)
    except requests.RequestException as error:
        raise GoogleUnavailable(_("Google could not be reached.")) from error
    except InvalidClientError as error:
        raise NotExchanged(
            _(
                "Google does not know this application, or its secret is wrong. "
                "An administrator has to check the client id and the client secret."
            )
        ) from error
    except (OAuth2Error, ValueError) as error:
        raise NotExchanged(_("Google did not accept the sign-in. It may have taken too long; start again.")) from error

    # Without "scope" in the answer, everything that was asked for is granted (RFC 6749, 5.1).
    scopes = sorted(_scopes_in(token.get("scope")) or SCOPES)
    if CALENDAR_EVENTS not in scopes:
        raise EventsNotGranted(_("Access to your calendar events was not granted."))
    if not token.get("refresh_token"):
        raise NoRefreshToken(_("Google did not grant lasting access. Start again and confirm Google's questions."))
    return Grant(credentials=_tokens(flow.credentials), scopes=scopes, **_identity(token["access_token"]))


def _flow(*, redirect_uri: str, verifier: str | None = None) -> Flow:
    web = {
        "client_id": settings.GOOGLE_CLIENT_ID,
        "client_secret": settings.GOOGLE_CLIENT_SECRET,
        "auth_uri": settings.GOOGLE_AUTH_URI,
        "token_uri": settings.GOOGLE_TOKEN_URI,
    }
    return Flow.from_client_config(
        {"web": web},
        scopes=SCOPES,
        redirect_uri=redirect_uri,
        code_verifier=verifier,
        autogenerate_code_verifier=verifier is None,
    )


def _raise_for_trouble(response: requests.Response) -> requests.Response:
    if response.status_code == 429 or response.status_code >= 500:
        raise GoogleUnavailable(_("Google has a temporary problem."))
    return response


def _scopes_in(granted: str | Iterable[str] | None) -> list[str]:
    return granted.split() if isinstance(granted, str) else list(granted or [])


def _identity(access_token: str) -> dict[str, Any]:
    """Ask whose account it is: addresses change and go to other people, the subject stays."""
    try:
        response = requests.get(
            settings.GOOGLE_USERINFO_URI, headers={"Authorization": f"Bearer {access_token}"}, timeout=TIMEOUT
        )
        _raise_for_trouble(response)
        response.raise_for_status()
        about = response.json()
        subject, login = str(about["sub"]), str(about["email"])
    except requests.HTTPError as error:
        raise NotExchanged(_("Google did not say which account it is.")) from error
    except (requests.ConnectionError, requests.Timeout) as error:
        raise GoogleUnavailable(_("Google could not be reached.")) from error
    except (requests.RequestException, ValueError, KeyError, TypeError) as error:
        raise NotExchanged(_("Google did not say which account it is.")) from error
    if not subject or not login:
        raise NotExchanged(_("Google did not say which account it is."))
    # OpenID says true; some of Google's own answers say "true".
    return {"subject": subject, "login": login, "is_login_verified": about.get("email_verified") in (True, "true")}


# --- Tokens --------------------------------------------------------------------------------------------------------


def credentials_for(account: ExternalAccount) -> Credentials:
    """
    Return the account's tokens as Google's library takes them.

    :raises AccessRevoked: if the account has none.
    """
    tokens = account.credentials
    if not tokens.get("refresh_token"):
        raise AccessRevoked(_("The Google account is not connected. Connect it again."))
    return Credentials(
        tokens.get("access_token"),
        refresh_token=tokens["refresh_token"],
        token_uri=settings.GOOGLE_TOKEN_URI,
        client_id=settings.GOOGLE_CLIENT_ID,
        client_secret=settings.GOOGLE_CLIENT_SECRET,
        scopes=list(account.granted_scopes) or None,
        expiry=_naive_utc(tokens.get("expires_at")),
    )


def save_refreshed(account: ExternalAccount, credentials: Credentials) -> None:
    """
    Keep the access token that was got with a refresh, so that the next session does not ask again.

    Does nothing when the account was disconnected or connected anew meanwhile: those tokens are newer.
    """
    used = account.credentials.get("refresh_token")
    with transaction.atomic():
        stored = ExternalAccount.objects.select_for_update().get(pk=account.pk)
        if not used or stored.credentials.get("refresh_token") != used:
            return
        tokens = _tokens(credentials)
        tokens["refresh_token"] = tokens["refresh_token"] or used
        if tokens == stored.credentials:
            return
        stored.credentials = tokens
        stored.save(update_fields=["encrypted_credentials"])
    account.credentials = tokens


def revoke(token: str) -> None:
    """
    End the grant at Google. It ends every grant of this Google account to this application (R22).

    A token that Google no longer knows counts as done.

    :raises GoogleUnavailable: if Google could not be reached or refused; the grant may still be there.
    """
    try:
        response = requests.post(settings.GOOGLE_REVOKE_URI, data={"token": token}, timeout=TIMEOUT)
    except requests.RequestException as error:
        raise GoogleUnavailable(_("Google could not be reached.")) from error
    if response.status_code != 200 and "invalid_token" not in response.text:
        raise GoogleUnavailable(_("Google did not confirm it."))


def _tokens(credentials: Credentials) -> dict[str, Any]:
    expiry = credentials.expiry  # Naive, in UTC: so does Google's library.
    return {
        "refresh_token": credentials.refresh_token,
        "access_token": credentials.token,
        "expires_at": expiry.replace(tzinfo=UTC).isoformat() if expiry else None,
    }


def _naive_utc(moment: str | None) -> datetime | None:
    return datetime.fromisoformat(moment).astimezone(UTC).replace(tzinfo=None) if moment else None
