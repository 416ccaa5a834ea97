"""`manage.py check` explains settings that are missing or contradict each other."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import CheckMessage

from sync import checks

CHECKS = (
    checks.check_registration_at_google,
    checks.check_addresses_of_google,
    checks.check_public_address,
    checks.check_encryption_keys,
)


@pytest.fixture(autouse=True)
def production(settings: Any) -> Any:
    """Settings of which nothing can be said."""
    settings.DEBUG = False
    settings.GOOGLE_CLIENT_ID, settings.GOOGLE_CLIENT_SECRET = "id", "secret"
    settings.GOOGLE_AUTH_URI = "https://accounts.google.com/o/oauth2/v2/auth"
    settings.GOOGLE_TOKEN_URI = "https://oauth2.googleapis.com/token"
    settings.GOOGLE_REVOKE_URI = "https://oauth2.googleapis.com/revoke"
    settings.GOOGLE_USERINFO_URI = "https://openidconnect.googleapis.com/v1/userinfo"
    settings.GOOGLE_CALENDAR_API_ROOT = "https://www.googleapis.com/"
    settings.PUBLIC_BASE_URL = "https://crm.example.com"
    settings.ALLOWED_HOSTS = ["crm.example.com"]
    return settings


def found() -> list[CheckMessage]:
    return [message for check in CHECKS for message in check()]


def test_good_settings_are_not_commented():
    assert found() == []


@pytest.mark.parametrize(
    ("change", "expected", "names"),
    [
        pytest.param({"GOOGLE_CLIENT_ID": "", "GOOGLE_CLIENT_SECRET": ""}, "sync.W001", "redirect", id="unregistered"),
        pytest.param({"GOOGLE_CLIENT_SECRET": ""}, "sync.E001", "GOOGLE_CLIENT_SECRET", id="half-registered"),
        pytest.param(
            {"GOOGLE_TOKEN_URI": "https://localhost:8001/token"}, "sync.E002", "GOOGLE_TOKEN_URI", id="two-googles"
        ),
        pytest.param({"PUBLIC_BASE_URL": "http://crm.example.com"}, "sync.W003", "https", id="no-https"),
        pytest.param({"ALLOWED_HOSTS": ["localhost"]}, "sync.E003", "crm.example.com", id="host-refused"),
        pytest.param({"DEBUG": True}, "sync.W004", "DJANGO_DEBUG", id="debug-in-public"),
        pytest.param({"TOKEN_ENCRYPTION_KEYS": ["short"]}, "sync.E004", "Fernet", id="no-key"),
    ],
)
def test_each_mistake_is_named_with_what_to_do(production, change, expected, names):
    for name, value in change.items():
        setattr(production, name, value)

    [message] = found()

    assert message.id == expected
    assert names in f"{message.msg} {message.hint}"


def test_a_stand_in_on_another_machine_is_to_be_reached_by_https(production):
    for name in checks.GOOGLE_ADDRESSES:
        setattr(production, name, "http://google.example.net/x")

    assert [message.id for message in found()] == ["sync.W002"]


def test_the_demo_on_this_machine_is_in_order(production):
    for name in checks.GOOGLE_ADDRESSES:
        setattr(production, name, "http://localhost:8001/x")
    production.PUBLIC_BASE_URL, production.ALLOWED_HOSTS = "http://[::1]:8000", ["[::1]"]

    assert found() == []
