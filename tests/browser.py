"""Somebody's browser without a browser: our pages through Django's client, Google's consent page over HTTP."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from django.http import HttpResponse
from django.test import Client

from accounts.models import ExternalAccount, User
from google_emulator import Emulator

NEW = "/profile/external-accounts/google/new/"
CALLBACK = "/profile/external-accounts/google/callback/"
OLD_LINKS = "/profile/external-accounts/google/old-links/"
CONNECTED = "/profile/external-accounts/google/connected/"


class Browser:
    """Signed in as a user; walks from New → Google over Google's pages and back."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.client = Client()
        self.client.force_login(user)

    def leave(self) -> str:
        """Press New → Google; returns the address at Google one is sent to."""
        return self.client.get(NEW).url

    def consent(
        self, address: str, *, account: str, untick: tuple[str, ...] = (), decision: str = "allow"
    ) -> dict[str, str]:
        """Choose an account on Google's page and decide; returns what Google sends back."""
        page = requests.get(address, params={"account": account}, timeout=5)
        assert page.status_code == 200, page.text
        offered = re.findall(r'name="scope" value="([^"]+)"', page.text)
        assert set(untick) <= set(offered)
        form = {"request": urlsplit(address).query, "account": account, "decision": decision}
        scopes = [scope for scope in offered if scope not in untick]
        page_address = address.partition("?")[0]
        answer = requests.post(page_address, {**form, "scope": scopes}, allow_redirects=False, timeout=5)
        back = urlsplit(answer.headers["Location"])
        assert back.path == CALLBACK
        return {name: values[0] for name, values in parse_qs(back.query).items()}

    def come_back(self, answer: dict[str, str]) -> HttpResponse:
        return self.client.get(CALLBACK, answer)

    def connect(self, account: str, **how: Any) -> HttpResponse:
        return self.come_back(self.consent(self.leave(), account=account, **how))


def accounts() -> list[tuple[str, str, str]]:
    """Return who has which account in what state."""
    rows = ExternalAccount.objects.order_by("id")
    return list(rows.values_list("profile__user__username", "login", "status"))


def text(answer: HttpResponse) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def is_granted(google: Emulator, email: str) -> bool:
    return any(grant["email"] == email for grant in google.oauth.grants())
