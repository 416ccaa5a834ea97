"""
What a browser session remembers between leaving for Google and coming back.

The sessions are kept on the server. Every consent has a state of its own, works once, within ten minutes, and for the
user who asked. A grant that waits for a decision of the user's is kept encrypted, as in the database.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from django.contrib.sessions.backends.base import SessionBase
from django.utils.crypto import constant_time_compare

from accounts.encryption import UnableToDecrypt, decrypt, encrypt
from accounts.models import User
from sync.google.oauth import Consent, Grant

LIFETIME = timedelta(minutes=10)
AT_ONCE = 5  # Tabs in which one user can be at Google at the same time.

_CONSENTS, _GRANT = "google_consents", "google_grant"


def remember(*, session: SessionBase, user: User, consent: Consent, now: datetime) -> None:
    """Keep the secrets of a consent until it comes back."""
    kept = _alive(session.get(_CONSENTS, []), now=now)[-(AT_ONCE - 1) :]
    kept.append({"state": consent.state, "verifier": consent.verifier, "user": user.pk, "until": _until(now)})
    session[_CONSENTS] = kept


def take_verifier(*, session: SessionBase, user: User, state: str, now: datetime) -> str | None:
    """Return the verifier that belongs to a state, once; None if there is none (any more) of this user's."""
    kept = _alive(session.get(_CONSENTS, []), now=now)
    found = next((one for one in kept if constant_time_compare(one["state"], state)), None)
    session[_CONSENTS] = [one for one in kept if one is not found]
    return found["verifier"] if found and found["user"] == user.pk else None


def keep_grant(*, session: SessionBase, user: User, grant: Grant, now: datetime) -> None:
    """Keep a grant until the user has decided about the links of their former account."""
    session[_GRANT] = {"grant": encrypt(json.dumps(grant.as_dict())), "user": user.pk, "until": _until(now)}


def kept_grant(*, session: SessionBase, user: User, now: datetime) -> Grant | None:
    """Return the grant that waits for this user's decision, or None."""
    for one in _alive([session.get(_GRANT) or {}], now=now):
        if one["user"] == user.pk:
            try:
                return Grant(**json.loads(decrypt(one["grant"])))
            except UnableToDecrypt:
                return None
    return None


def drop_grant(*, session: SessionBase) -> None:
    session.pop(_GRANT, None)


def _until(now: datetime) -> str:
    return (now + LIFETIME).isoformat()


def _alive(kept: list[dict[str, Any]], *, now: datetime) -> list[dict[str, Any]]:
    return [one for one in kept if one and now < datetime.fromisoformat(one["until"])]
