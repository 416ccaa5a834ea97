"""The settings as a process of its own reads them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

SECRETS = {"DJANGO_SECRET_KEY": "x" * 50, "TOKEN_ENCRYPTION_KEYS": "dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk="}
SHOW = """
import json, os
from creatio_sync import settings as s
names = {names}
shown = {{name: getattr(s, name, None) for name in names}}
print(json.dumps(shown | {{"insecure": os.environ.get("OAUTHLIB_INSECURE_TRANSPORT")}}, default=str))
"""


def read(*names: str, **env: str) -> dict[str, object]:
    done = _run(*names, **env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def error(**env: str) -> str:
    done = _run(**env)
    assert done.returncode
    return done.stderr.splitlines()[-1]


def _run(*names: str, **env: str) -> subprocess.CompletedProcess[str]:
    bare = {"PATH": os.environ["PATH"], "CREATIO_SYNC_ENV": "", "CREATIO_SYNC_DATA": os.environ["CREATIO_SYNC_DATA"]}
    return subprocess.run(
        [sys.executable, "-c", SHOW.format(names=list(names))],
        cwd=settings.BASE_DIR,
        env=bare | env,
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_a_secret_key_nothing_starts_and_the_way_out_is_told():
    assert "DJANGO_SECRET_KEY is not set" in error()
    assert "secrets.token_urlsafe" in error()


def test_without_encryption_keys_nothing_starts_and_the_way_out_is_told():
    assert "TOKEN_ENCRYPTION_KEYS is not set" in error(DJANGO_SECRET_KEY="x" * 50)


def test_by_default_google_is_google_over_https():
    values = read("GOOGLE_CALENDAR_API_ROOT", "GOOGLE_TOKEN_URI", "CONTENT_SECURITY_POLICY", **SECRETS)

    assert values["GOOGLE_CALENDAR_API_ROOT"] == "https://www.googleapis.com/"
    assert values["GOOGLE_TOKEN_URI"] == "https://oauth2.googleapis.com/token"
    assert values["insecure"] is None
    policy = values["CONTENT_SECURITY_POLICY"]["DIRECTIVES"]
    assert policy["form-action"] == ["'self'", "https://accounts.google.com"]
    assert policy["script-src"] == ["'self'"]
    assert policy["style-src"] == ["'self'", "csp.constants.NONCE"]  # Where a page has asked for one.


def test_plain_http_to_google_is_for_this_machine_only():
    from creatio_sync.demo import emulator_environment

    assert read(**SECRETS, **emulator_environment("http://127.0.0.1:8001"))["insecure"] == "1"
    assert read(**SECRETS, **emulator_environment("http://google.example:8001"))["insecure"] is None


def test_an_https_address_makes_cookies_secure():
    values = read("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", **SECRETS, PUBLIC_BASE_URL="https://crm.example.org")

    assert values["SESSION_COOKIE_SECURE"] is values["CSRF_COOKIE_SECURE"] is True


def test_the_health_check_of_a_container_is_answered_whatever_the_public_name():
    assert "127.0.0.1" in read("ALLOWED_HOSTS", **SECRETS, ALLOWED_HOSTS="crm.example.org")["ALLOWED_HOSTS"]


def test_redis_gets_its_messages_back_from_a_killed_worker():
    values = read(
        "CELERY_BROKER_TRANSPORT", "CELERY_BROKER_TRANSPORT_OPTIONS", **SECRETS, CELERY_BROKER_URL="redis://h:6379/0"
    )

    assert values["CELERY_BROKER_TRANSPORT"] is None
    assert values["CELERY_BROKER_TRANSPORT_OPTIONS"]["unacked_restore_throttle"] == 1


def test_an_unknown_broker_is_named():
    assert "CELERY_BROKER_URL has the form amqp://" in error(**SECRETS, CELERY_BROKER_URL="amqp://guest@h//")


def test_the_environment_file_is_read_and_the_real_environment_wins(tmp_path: Path):
    file = tmp_path / "env"
    file.write_text("".join(f"{name}={value}\n" for name, value in SECRETS.items()) + "PUBLIC_BASE_URL=http://a:1\n")

    assert read("PUBLIC_BASE_URL", CREATIO_SYNC_ENV=str(file))["PUBLIC_BASE_URL"] == "http://a:1"
    values = read("PUBLIC_BASE_URL", CREATIO_SYNC_ENV=str(file), PUBLIC_BASE_URL="http://b:2")
    assert values["PUBLIC_BASE_URL"] == "http://b:2"


@pytest.mark.django_db
def test_health(client):
    assert client.get("/healthz").content == b"ok\n"


def test_the_database_of_the_run_is_the_one_it_says(pytestconfig):
    from tests import servers

    expected = "postgresql" if servers.NOTE.startswith("PostgreSQL and Redis, started") else "sqlite3"
    assert settings.DATABASES["default"]["ENGINE"].endswith(expected)


def test_the_start_page_leads_to_the_activities_under_the_strict_policy(client):
    answer = client.get("/")

    assert answer.headers["Location"] == "/activities/"
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
