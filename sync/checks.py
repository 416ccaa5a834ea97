"""`manage.py check`: settings that are missing or contradict each other, and what to do about each."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from django.conf import settings
from django.core import checks
from django.http.request import validate_host

from creatio_sync.environment import is_loopback

GOOGLE_ADDRESSES = (
    "GOOGLE_AUTH_URI", "GOOGLE_TOKEN_URI", "GOOGLE_REVOKE_URI", "GOOGLE_USERINFO_URI", "GOOGLE_CALENDAR_API_ROOT",
)  # fmt: skip
GOOGLE_DOMAINS = ("google.com", "googleapis.com")


@checks.register()
def check_registration_at_google(**_: Any) -> list[checks.CheckMessage]:
    """Whether the application is registered at Google, wholly or not at all."""
    values = {name: getattr(settings, name) for name in ("GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET")}
    missing = [name for name, value in values.items() if not value]
    if not missing:
        return []
    if len(missing) == 1:
        present = next(name for name in values if name not in missing)
        hint = f"Both come from the same client in the Google Cloud console. Set {missing[0]} too, or neither."
        return [checks.Error(f"{present} is set, {missing[0]} is not.", hint=hint, id="sync.E001")]
    hint = (
        "Nobody can connect a Google account yet. Register the application at Google, with the redirect address "
        f"{settings.PUBLIC_BASE_URL}/profile/external-accounts/google/callback/, and set both. "
        "To try the product without Google, run: python3 manage.py demo"
    )
    return [checks.Warning("GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET are not set.", hint=hint, id="sync.W001")]


@checks.register()
def check_addresses_of_google(**_: Any) -> list[checks.CheckMessage]:
    """Whether all addresses are Google's, or all a stand-in's: tokens of one are worth nothing to the other."""
    servers = {name: urlsplit(getattr(settings, name)).hostname or "" for name in GOOGLE_ADDRESSES}
    at_google = {name for name, host in servers.items() if _is_google(host)}
    elsewhere = {name for name in servers if name not in at_google}
    found: list[checks.CheckMessage] = []
    if at_google and elsewhere:
        listed = ", ".join(sorted(elsewhere))
        hint = f"Unset {listed} to work with Google, or point all of {', '.join(GOOGLE_ADDRESSES)} at the stand-in."
        found.append(
            checks.Error(
                f"Some of Google's addresses lead to Google, these do not: {listed}.", hint=hint, id="sync.E002"
            )
        )
    plain = sorted(name for name in elsewhere if _sends_in_clear(getattr(settings, name)))
    if plain:
        hint = "Use https, or a server on this machine: passwords and tokens would travel for everybody to read."
        found.append(checks.Warning(f"{', '.join(plain)}: http to another machine.", hint=hint, id="sync.W002"))
    return found


@checks.register()
def check_public_address(**_: Any) -> list[checks.CheckMessage]:
    """Whether people, and Google, can come back to where PUBLIC_BASE_URL says this server is."""
    address = urlsplit(settings.PUBLIC_BASE_URL)
    found: list[checks.CheckMessage] = []
    if _sends_in_clear(settings.PUBLIC_BASE_URL):
        hint = "Google sends people back to https addresses only, except on localhost. Set it to the https address."
        found.append(checks.Warning(f"PUBLIC_BASE_URL is {settings.PUBLIC_BASE_URL}.", hint=hint, id="sync.W003"))
    host = address.hostname or ""
    host = f"[{host}]" if ":" in host else host
    if not settings.DEBUG and not validate_host(host, settings.ALLOWED_HOSTS):
        hint = f"Add {host} to ALLOWED_HOSTS; otherwise every request to the public address is refused."
        found.append(
            checks.Error(f"ALLOWED_HOSTS does not contain {host} of PUBLIC_BASE_URL.", hint=hint, id="sync.E003")
        )
    if settings.DEBUG and not is_loopback(settings.PUBLIC_BASE_URL):
        hint = "Unset DJANGO_DEBUG: its error pages show settings and data to everybody."
        found.append(checks.Warning("DJANGO_DEBUG is on at a public address.", hint=hint, id="sync.W004"))
    return found


@checks.register()
def check_encryption_keys(**_: Any) -> list[checks.CheckMessage]:
    """Whether Google's tokens can be encrypted and read again."""
    unusable = [number for number, key in enumerate(settings.TOKEN_ENCRYPTION_KEYS, start=1) if not _is_key(key)]
    if not unusable:
        return []
    numbers = ", ".join(map(str, unusable))
    hint = (
        'Each key comes from: python3 -c "from cryptography.fernet import Fernet; '
        'print(Fernet.generate_key().decode())". The newest stands first; older ones still decrypt.'
    )
    return [checks.Error(f"TOKEN_ENCRYPTION_KEYS: key {numbers} is no usable key.", hint=hint, id="sync.E004")]


def _is_google(host: str) -> bool:
    return any(host == domain or host.endswith(f".{domain}") for domain in GOOGLE_DOMAINS)


def _sends_in_clear(address: str) -> bool:
    return urlsplit(address).scheme == "http" and not is_loopback(address)


def _is_key(key: str) -> bool:
    try:
        Fernet(key)
    except ValueError:
        return False
    return True
