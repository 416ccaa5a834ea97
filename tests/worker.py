"""A real Celery worker for a test: an own process on the test's database and broker."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.db import connection

from creatio_sync.processes import die_with_parent


class Worker:
    """Started with `start()`, ended with `stop()` as an operator would, or with `kill()` as a power cut would."""

    def __init__(self, *, log: Path, threads: int = 2, env: dict[str, str] | None = None) -> None:
        self._log = log
        self._threads = threads
        self._env = env or {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Return at once: what is queued meanwhile waits in the broker."""
        database = str(connection.settings_dict["NAME"])
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "celery", "--quiet", "-A", "creatio_sync", "worker", "-P", "threads"]
                + ["-c", str(self._threads), "-l", "info"]
                + ["--without-gossip", "--without-mingle", "--without-heartbeat"],
                env={
                    **os.environ,
                    "DJANGO_SETTINGS_MODULE": "creatio_sync.settings_test",
                    "TEST_DATABASE_NAME": database,
                    "LOG_LEVEL": "INFO",
                    **self._env,
                },
                cwd=settings.BASE_DIR,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )

    def stop(self) -> None:
        """
        Have it finish what it does and end.

        :raises AssertionError: if it had ended by itself, with what it wrote.
        """
        assert self.is_running, f"The worker has ended by itself:\n{self.log()}"
        assert self._process
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def log(self) -> str:
        return self._log.read_text(errors="replace")


def empty_broker() -> None:
    """Throw away every waiting message, so that a worker starts with those of its own test."""
    address = os.environ["CELERY_BROKER_URL"]
    if urlsplit(address).scheme == "file":
        for message in Path(urlsplit(address).path).glob("*/*.msg"):
            message.unlink(missing_ok=True)
        return
    client = redis.Redis(unix_socket_path=urlsplit(address).path)
    client.flushdb()
    client.close()


def wait_until(condition: Callable[[], object], *, what: str, seconds: float = 20) -> None:
    """
    Look until the condition holds.

    :raises AssertionError: if it does not in time, naming what was waited for.
    """
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"Waited {seconds:g} s in vain for: {what}"
        time.sleep(0.05)
