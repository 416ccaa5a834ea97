"""
Loaded by pytest before Django reads its settings: chooses, and starts, what the run works with.

PostgreSQL and Redis of its own; with TEST_SERVICES=none, or where they cannot be started, SQLite and the file broker.
"""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import tempfile
import time
from pathlib import Path

import pytest

from . import localservers

SQLITE = "SQLite and the file broker"


def _choose() -> str:
    """Set the environment of the run and return what to say about it."""
    work = Path(tempfile.mkdtemp(prefix="cs-test-"))
    atexit.register(shutil.rmtree, work, ignore_errors=True)
    os.environ["CREATIO_SYNC_DATA"] = str(work)
    os.environ["CREATIO_SYNC_ALLOW_ROOT"] = "1"
    _point_at_emulator(port=_free_port())
    if os.environ.get("TEST_SERVICES", "auto") == "none":
        note = SQLITE
    else:
        started = time.monotonic()
        try:
            os.environ["DATABASE_URL"] = localservers.start_postgres()
            os.environ["CELERY_BROKER_URL"] = localservers.start_redis()
        except localservers.UnableToStart as error:
            note = f"PostgreSQL and Redis could not be started ({error}); {SQLITE} instead, without the postgres tests"
        else:
            return f"PostgreSQL and Redis, started in {time.monotonic() - started:.1f} s"
    os.environ["DATABASE_URL"] = f"sqlite:///{work / 'database.sqlite3'}"
    os.environ["CELERY_BROKER_URL"] = f"file://{work / 'broker'}"
    return note


def _point_at_emulator(*, port: int) -> None:
    """
    Have this run, and every process it starts, take the emulator for Google.

    The port is chosen here so that the settings know it; the fixture serves on it.
    """
    from creatio_sync.demo import emulator_environment

    os.environ |= emulator_environment(f"http://127.0.0.1:{port}") | {"TEST_GOOGLE_PORT": str(port)}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


NOTE = _choose()


def pytest_report_header(config: pytest.Config) -> str:
    return f"services: {NOTE}"
