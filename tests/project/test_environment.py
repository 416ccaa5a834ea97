"""Settings from the environment: what is accepted, and that an error names the variable."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from creatio_sync.environment import Environment, database_from_url, is_loopback, read_environment_file


def test_a_value_of_the_real_environment_wins_over_the_file():
    env = Environment({"ALLOWED_HOSTS": "example.org"}, fallback={"ALLOWED_HOSTS": "localhost", "LOG_LEVEL": "DEBUG"})

    assert env.names("ALLOWED_HOSTS") == ["example.org"]
    assert env.text("LOG_LEVEL") == "DEBUG"


def test_a_secret_may_stand_in_a_file(tmp_path: Path):
    (tmp_path / "key").write_text("from the file\n")

    assert Environment({"DJANGO_SECRET_KEY_FILE": str(tmp_path / "key")}).text("DJANGO_SECRET_KEY") == "from the file"


def test_a_real_secret_file_wins_over_the_environment_file(tmp_path: Path):
    (tmp_path / "key").write_text("real")
    env = Environment({"SECRET_FILE": str(tmp_path / "key")}, fallback={"SECRET": "of the demo"})

    assert env.text("SECRET") == "real"


def test_an_empty_line_of_a_copied_example_does_not_hide_the_secret_file(tmp_path: Path):
    (tmp_path / "key").write_text("from the file")
    env = Environment({"SECRET": "", "SECRET_FILE": str(tmp_path / "key")})

    assert env.text("SECRET") == "from the file"


def test_an_emptied_variable_has_its_default_and_not_the_value_of_the_file():
    env = Environment({"GOOGLE_CLIENT_ID": ""}, fallback={"GOOGLE_CLIENT_ID": "of the demo"})

    assert env.text("GOOGLE_CLIENT_ID", default="none") == "none"


def test_a_missing_secret_says_what_to_do():
    with pytest.raises(ImproperlyConfigured, match=r"DJANGO_SECRET_KEY is not set\. Make one\."):
        Environment({"DJANGO_SECRET_KEY": ""}).required("DJANGO_SECRET_KEY", hint="Make one.")


def test_an_unreadable_secret_file_is_named(tmp_path: Path):
    with pytest.raises(ImproperlyConfigured, match=r"KEY_FILE is .*missing.*No such file"):
        Environment({"KEY_FILE": str(tmp_path / "missing")}).text("KEY")


@pytest.mark.parametrize(
    ("written", "meant"), [("yes", True), ("1", True), ("True", True), ("off", False), ("0", False), ("", False)]
)
def test_a_flag(written: str, meant: bool):
    assert Environment({"DJANGO_DEBUG": written}).flag("DJANGO_DEBUG") is meant


def test_a_bad_flag_is_named():
    with pytest.raises(ImproperlyConfigured, match="DJANGO_DEBUG is 'maybe'; expected yes or no"):
        Environment({"DJANGO_DEBUG": "maybe"}).flag("DJANGO_DEBUG")


def test_a_list_may_have_blanks_and_a_comma_at_its_end():
    assert Environment({"HOSTS": " a.example , b.example,"}).names("HOSTS") == ["a.example", "b.example"]


@pytest.mark.parametrize("address", ["example.org", "ftp://example.org", "https://"])
def test_an_address_without_scheme_or_host_is_named(address: str):
    with pytest.raises(ImproperlyConfigured, match="GOOGLE_TOKEN_URI is "):
        Environment({"GOOGLE_TOKEN_URI": address}).http_url("GOOGLE_TOKEN_URI")


def test_an_environment_file(tmp_path: Path):
    (tmp_path / "env").write_text("# made by demo\n\nALLOWED_HOSTS=localhost\nURL=postgres://u:p=w@h/d\n")

    assert read_environment_file(tmp_path / "env") == {"ALLOWED_HOSTS": "localhost", "URL": "postgres://u:p=w@h/d"}


def test_a_bad_line_of_an_environment_file_is_named(tmp_path: Path):
    (tmp_path / "env").write_text("A=1\nnonsense\n")

    with pytest.raises(ImproperlyConfigured, match="line 2: expected NAME=value"):
        read_environment_file(tmp_path / "env")


def test_a_missing_environment_file_is_named(tmp_path: Path):
    with pytest.raises(ImproperlyConfigured, match="cannot be read: No such file"):
        read_environment_file(tmp_path / "env")


def test_a_postgres_url():
    database = database_from_url("postgres://anna:p%40ss@db.example:5433/crm?sslmode=require")

    assert database["ENGINE"] == "django.db.backends.postgresql"
    assert (database["USER"], database["PASSWORD"], database["NAME"]) == ("anna", "p@ss", "crm")
    assert (database["HOST"], database["PORT"], database["OPTIONS"]) == ("db.example", "5433", {"sslmode": "require"})


def test_a_postgres_url_with_a_unix_socket_keeps_its_capitals():
    assert database_from_url("postgres://postgres@%2Ftmp%2FcS-x%2Fs/crm")["HOST"] == "/tmp/cS-x/s"


@pytest.mark.parametrize(
    ("url", "host"), [("postgres://u@[::1]:5432/d", "::1"), ("postgres://h/d", "h"), ("postgres:///d", "")]
)
def test_the_host_of_a_postgres_url(url: str, host: str):
    assert database_from_url(url)["HOST"] == host


def test_a_sqlite_url_waits_for_the_lock_and_takes_it_at_the_start():
    database = database_from_url("sqlite:////data/crm.sqlite3")

    assert database["NAME"] == "/data/crm.sqlite3"
    assert database["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in database["OPTIONS"]["init_command"]


@pytest.mark.parametrize(
    "url", ["mysql://root:secret@h/d", "postgres://h/", "sqlite:///", "crm.sqlite3", "postgres://h:x/d"]
)
def test_an_unknown_database_url_is_told_without_its_password(url: str):
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL") as error:
        database_from_url(url)

    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://127.0.0.1:8001/token", True),
        ("http://localhost:8001", True),
        ("http://[::1]/", True),
        ("http://127.0.0.1.example.org/", False),
        ("http://localhost.example.org/", False),
        ("https://oauth2.googleapis.com/token", False),
    ],
)
def test_loopback(address: str, expected: bool):
    assert is_loopback(address) is expected
