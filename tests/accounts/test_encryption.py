"""Tokens are unreadable in the database, and keys can be changed."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.db import connection

from accounts.encryption import UnableToDecrypt, decrypt, encrypt, rotate
from accounts.models import ExternalAccount
from tests.factories import make_user

TOKENS = {"refresh_token": "1//secret-refresh", "access_token": "ya29.secret-access", "expires_at": None}
OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))


@pytest.fixture
def account(db) -> ExternalAccount:
    account = ExternalAccount(profile=make_user("anna").profile, login="anna@gmail.example", subject="1")
    account.credentials = TOKENS
    account.save()
    return account


def stored_text(account: ExternalAccount) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT encrypted_credentials FROM accounts_externalaccount WHERE id = %s", [account.pk])
        return cursor.fetchone()[0]


def test_the_database_holds_no_token_in_the_clear(account):
    assert "secret" not in stored_text(account)
    assert ExternalAccount.objects.get(pk=account.pk).credentials == TOKENS


def test_without_tokens_there_is_nothing_to_encrypt(account):
    account.credentials = {}
    account.save()

    assert stored_text(account) == ""
    assert ExternalAccount.objects.get(pk=account.pk).credentials == {}


def test_the_same_text_is_never_the_same_twice():
    assert encrypt("token") != encrypt("token")


def test_an_older_key_still_opens_what_it_closed_and_rotating_makes_it_superfluous(settings):
    settings.TOKEN_ENCRYPTION_KEYS = [OLD]
    token = encrypt("1//secret")

    settings.TOKEN_ENCRYPTION_KEYS = [NEW, OLD]
    assert decrypt(token) == "1//secret"
    rotated = rotate(token)

    settings.TOKEN_ENCRYPTION_KEYS = [NEW]
    assert decrypt(rotated) == "1//secret"
    with pytest.raises(UnableToDecrypt):
        decrypt(token)


def test_a_wrong_key_is_named_as_the_cause(account, settings):
    settings.TOKEN_ENCRYPTION_KEYS = [NEW]

    with pytest.raises(UnableToDecrypt, match="TOKEN_ENCRYPTION_KEYS"):
        _ = ExternalAccount.objects.get(pk=account.pk).credentials
    with pytest.raises(UnableToDecrypt, match="TOKEN_ENCRYPTION_KEYS"):
        rotate(encrypt_with(OLD, settings))


def test_the_pages_open_without_the_key(account, settings, client):
    settings.TOKEN_ENCRYPTION_KEYS = [NEW]
    client.force_login(account.profile.user)

    assert "anna@gmail.example" in client.get("/profile/external-accounts/").content.decode()
    assert client.get("/profile/").status_code == 200


def encrypt_with(key: str, settings) -> str:
    kept = settings.TOKEN_ENCRYPTION_KEYS
    settings.TOKEN_ENCRYPTION_KEYS = [key]
    token = encrypt("1//secret")
    settings.TOKEN_ENCRYPTION_KEYS = kept
    return token


def test_the_command_moves_all_tokens_to_the_newest_key(account, settings, capsys):
    settings.TOKEN_ENCRYPTION_KEYS = [NEW, *settings.TOKEN_ENCRYPTION_KEYS]
    before = ExternalAccount.objects.get().credentials

    call_command("rotate_token_keys")

    settings.TOKEN_ENCRYPTION_KEYS = [NEW]
    assert ExternalAccount.objects.get().credentials == before
    assert "newest key: 1" in capsys.readouterr().out


def test_the_command_names_what_no_key_opens(account, settings, capsys):
    settings.TOKEN_ENCRYPTION_KEYS = [NEW]

    call_command("rotate_token_keys")

    assert account.login in capsys.readouterr().err
