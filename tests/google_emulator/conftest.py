"""An emulator for these tests, and Google's own client to speak to it. Nothing of the product takes part."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build_from_document
from googleapiclient.discovery_cache import get_static_doc

from google_emulator import Emulator

SCOPE = "https://www.googleapis.com/auth/"
SCOPES = ("openid", f"{SCOPE}userinfo.email", f"{SCOPE}calendar.events")
ANNA, BORIS, CLARA = "anna@northfold.example", "boris@northfold.example", "clara@northfold.example"
# Somebody who has no Google account.
PETER = "peter@elsewhere.example"

MakeClient = Callable[..., Any]


@pytest.fixture(scope="session")
def running_google() -> Iterator[Emulator]:
    with Emulator() as google:
        yield google


@pytest.fixture
def google(running_google: Emulator) -> Emulator:
    running_google.reset()
    for email, name in ((ANNA, "Anna Berg"), (BORIS, "Boris Novak"), (CLARA, "Clara Weiss")):
        running_google.add_account(email, name=name, time_zone="Europe/Berlin")
    return running_google


@pytest.fixture(scope="session")
def document() -> str:
    return get_static_doc("calendar", "v3")


@pytest.fixture
def client(google: Emulator, document: str) -> MakeClient:
    """Return a maker of clients: Google's library, signed in as somebody."""

    def make(email: str = ANNA, *, scopes: tuple[str, ...] = SCOPES, tokens: dict[str, Any] | None = None) -> Any:
        tokens = tokens or google.grant(email, scopes)
        credentials = Credentials(
            tokens["access_token"],
            refresh_token=tokens.get("refresh_token"),
            token_uri=f"{google.url}/token",
            client_id="local-client",
            client_secret="local-secret",
        )
        there = json.loads(document) | {"rootUrl": f"{google.url}/", "baseUrl": f"{google.url}/calendar/v3/"}
        there.pop("mtlsRootUrl", None)
        return build_from_document(there, credentials=credentials)

    return make


@pytest.fixture
def anna(client: MakeClient) -> Any:
    return client(ANNA).events()


@pytest.fixture
def boris(client: MakeClient) -> Any:
    return client(BORIS).events()


@pytest.fixture
def clara(client: MakeClient) -> Any:
    return client(CLARA).events()
