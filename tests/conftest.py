"""What every test has: no way out of this machine, and, for those that ask, a real Celery worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from django.test import TransactionTestCase

from . import database, sockets
from .google import emulator, google  # noqa: F401 - fixtures of every test
from .worker import Worker, empty_broker

# A busy machine is no failure: how long one example took says nothing here.
hypothesis.settings.register_profile(
    "here", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("here")


@pytest.fixture(autouse=True, scope="session")
def _this_machine_only() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        sockets.guard(monkeypatch)
        yield


@pytest.fixture(autouse=True, scope="session")
def _emptied_quickly() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(TransactionTestCase, "_fixture_teardown", database.empty)
        yield


@pytest.fixture
def celery_worker(transactional_db: None, tmp_path: Path) -> Iterator[Worker]:
    """A worker on the test's database and broker. A test that kills it starts it again."""
    empty_broker()
    worker = Worker(log=tmp_path / "worker.log")
    worker.start()
    yield worker
    worker.stop()
