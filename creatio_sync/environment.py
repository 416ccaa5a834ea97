"""
Typed access to the environment, with errors that name the variable and say what it should look like.

A value is looked up in the real environment first, then in the environment file that `manage.py demo` writes. Every
value may also stand in a file named by `NAME_FILE`, as container secrets do.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

YES = {"1", "true", "yes", "on"}
NO = {"", "0", "false", "no", "off"}

SQLITE_OPTIONS = {
    # Web and worker write at once. Only the three together keep "database is locked" away: readers do not block the
    # writer (WAL), a transaction takes the write lock at its start (IMMEDIATE: a read that turns into a write would
    # fail at once, whatever the timeout), and it waits for its turn (seconds).
    "timeout": 20,
    "transaction_mode": "IMMEDIATE",
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}


def read_environment_file(path: Path) -> dict[str, str]:
    """
    Return the NAME=value lines of a file; blank lines and # comments are skipped.

    :raises ImproperlyConfigured: if the file cannot be read or a line is neither.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ImproperlyConfigured(f"The environment file {path} cannot be read: {error.strerror}.") from error
    values = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals:
            raise ImproperlyConfigured(f"{path}, line {number}: expected NAME=value.")
        values[name.strip()] = value.strip()
    return values


class Environment:
    """The environment of this process, completed by the values of a file."""

    def __init__(self, real: Mapping[str, str] | None = None, *, fallback: Mapping[str, str] | None = None) -> None:
        self._real = os.environ if real is None else real
        self._fallback = fallback or {}

    def text(self, name: str, *, default: str = "") -> str:
        """
        Return a value, or the content of the file that NAME_FILE names.

        :raises ImproperlyConfigured: if that file cannot be read.
        """
        for source in (self._real, self._fallback):
            if value := source.get(name):
                return value
            if file := source.get(f"{name}_FILE"):
                try:
                    return Path(file).read_text(encoding="utf-8").strip()
                except OSError as error:
                    raise ImproperlyConfigured(f"{name}_FILE is {file!r}: {error.strerror}.") from error
            if name in source:
                break  # Emptied on purpose: the default, and not what the environment file says.
        return default

    def required(self, name: str, *, hint: str) -> str:
        """
        Return a value there is no default for.

        :raises ImproperlyConfigured: if it is missing or empty; the message ends with the hint.
        """
        if value := self.text(name):
            return value
        raise ImproperlyConfigured(f"{name} is not set. {hint}")

    def flag(self, name: str, *, default: bool = False) -> bool:
        """:raises ImproperlyConfigured: if the value is no yes or no."""
        value = self.text(name, default="yes" if default else "no").strip().lower()
        if value in YES | NO:
            return value in YES
        raise ImproperlyConfigured(f"{name} is {value!r}; expected yes or no (also 1/0, true/false, on/off).")

    def names(self, name: str, *, default: str = "") -> list[str]:
        """Return a list written with commas between its items."""
        return [item.strip() for item in self.text(name, default=default).split(",") if item.strip()]

    def http_url(self, name: str, *, default: str = "") -> str:
        """:raises ImproperlyConfigured: if the value is neither empty nor an http(s) address with a host."""
        value = self.text(name, default=default)
        parts = urlsplit(value)
        if value and (parts.scheme not in {"http", "https"} or not parts.hostname):
            raise ImproperlyConfigured(f"{name} is {value!r}; expected an address such as https://example.org/path.")
        return value


def database_from_url(url: str) -> dict[str, Any]:
    """
    Turn DATABASE_URL into an entry of Django's DATABASES.

    sqlite:///relative or sqlite:////absolute; postgres://user:password@host:port/name, where a percent-encoded
    path as host means a Unix socket and the query holds libpq options such as sslmode.

    :raises ImproperlyConfigured: if it is neither. The value may hold a password, so only its scheme is shown.
    """
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError as error:
        raise ImproperlyConfigured(f"DATABASE_URL has an impossible port: {error}.") from error
    name = unquote(parts.path.removeprefix("/"))
    if parts.scheme == "sqlite" and name:
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": name, "OPTIONS": dict(SQLITE_OPTIONS)}
    if parts.scheme in {"postgres", "postgresql"} and name:
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": name,
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": unquote(_host(parts.netloc)),
            "PORT": str(port or ""),
            "OPTIONS": dict(parse_qsl(parts.query)),
            # Threads come and go with requests and tasks; a minute saves most of the handshakes.
            "CONN_MAX_AGE": 60,
            "CONN_HEALTH_CHECKS": True,
        }
    raise ImproperlyConfigured(
        f"DATABASE_URL has the form {parts.scheme or '(none)'}://…; "
        "expected sqlite:////path/to/file or postgres://user:password@host:5432/name."
    )


def _host(netloc: str) -> str:
    """Return the host as it was written: urlsplit lowers its case, and a socket's path may have capitals."""
    host = netloc.rpartition("@")[2]
    return host.partition(":")[0] if not host.startswith("[") else host.partition("]")[0].removeprefix("[")


def is_loopback(address: str) -> bool:
    """Tell whether an http(s) address leads to this machine and cannot lead anywhere else."""
    host = urlsplit(address).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
