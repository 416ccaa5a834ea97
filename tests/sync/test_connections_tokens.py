"""Tokens of a connected account, as Google's library takes and refreshes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from google.auth.transport.requests import Request

from accounts.models import ExternalAccount
from google_emulator import Emulator
from sync import connections
from sync.google import oauth
from sync.google.errors import AccessRevoked, GoogleUnavailable
from tests.factories import make_user
from tests.google import connect

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(google: Emulator) -> ExternalAccount:
    return connect(google, make_user("anna")).account


def test_tokens_are_handed_over_with_what_refreshing_needs(account, google):
    credentials = oauth.credentials_for(account)

    assert credentials.token == account.credentials["access_token"]
    assert credentials.refresh_token == account.credentials["refresh_token"]
    assert credentials.token_uri == f"{google.url}/token"
    assert credentials.expiry == datetime(2099, 1, 1)  # noqa: DTZ001 - naive and UTC, as Google's library wants it
    assert credentials.valid


def test_a_refreshed_token_is_kept(account):
    credentials = oauth.credentials_for(account)
    credentials.refresh(Request())

    oauth.save_refreshed(account, credentials)

    stored = ExternalAccount.objects.get(pk=account.pk).credentials
    assert stored["access_token"] == credentials.token
    assert stored["refresh_token"] == credentials.refresh_token
    expires_in = datetime.fromisoformat(stored["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=55) < expires_in < timedelta(minutes=61)


def test_a_refresh_never_brings_a_disconnected_account_back(account):
    credentials = oauth.credentials_for(account)
    credentials.refresh(Request())
    connections.disconnect(account=ExternalAccount.objects.get(pk=account.pk))

    oauth.save_refreshed(account, credentials)

    assert ExternalAccount.objects.get(pk=account.pk).credentials == {}


def test_a_late_refresh_does_not_replace_the_tokens_of_a_new_consent(account, google):
    credentials = oauth.credentials_for(account)
    credentials.refresh(Request())
    connect(google, account.profile.user)
    newest = ExternalAccount.objects.get(pk=account.pk).credentials

    oauth.save_refreshed(account, credentials)

    assert ExternalAccount.objects.get(pk=account.pk).credentials == newest


def test_an_account_without_tokens_needs_reconnecting(account):
    account.needs_reconnecting(reason="Access was withdrawn.")

    with pytest.raises(AccessRevoked):
        oauth.credentials_for(account)


def test_revoking_what_google_no_longer_knows_is_done(google):
    oauth.revoke("1//long-gone")


def test_revoking_without_an_answer_is_not_done(account, google):
    google.fail("reset", path="/revoke", times=5)

    with pytest.raises(GoogleUnavailable):
        oauth.revoke(account.credentials["refresh_token"])


def test_connected_since_is_the_moment_of_connecting(google):
    before = timezone.now()
    account = connect(google, make_user("boris")).account

    assert before <= account.connected_at <= timezone.now()
