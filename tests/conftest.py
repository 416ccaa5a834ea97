"""What every test has: no way out of this machine, and, for those that ask, a real Celery worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from . import sockets
from .google import emulator, google  # noqa: F401 - fixtures of every test
from .worker import Worker, empty_broker


@pytest.fixture(autouse=True, scope="session")
def _this_machine_only() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        sockets.guard(monkeypatch)
        yield


@pytest.fixture
def celery_worker(transactional_db: None, tmp_path: Path) -> Iterator[Worker]:
    """A worker on the test's database and broker. A test that kills it starts it again."""
    empty_broker()
    worker = Worker(log=tmp_path / "worker.log")
    worker.start()
    yield worker
    worker.stop()
