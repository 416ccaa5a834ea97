"""The worker the tests start: a process of its own on the database and the broker of the run."""

from __future__ import annotations

import pytest

from creatio_sync.celery import app
from tests.worker import Worker, wait_until


@pytest.mark.embedded
def test_a_real_worker_takes_messages_of_the_run(celery_worker: Worker):
    answers = []

    def ask() -> list[dict[str, object]]:
        answers.extend(app.control.ping(timeout=1))
        return answers

    wait_until(ask, what="an answer of the worker")

    assert next(iter(answers[0].values())) == {"ok": "pong"}


@pytest.mark.embedded
def test_a_killed_worker_can_be_started_again(celery_worker: Worker):
    celery_worker.kill()
    assert not celery_worker.is_running

    celery_worker.start()

    assert celery_worker.is_running


def test_a_worker_that_ended_by_itself_is_noticed(celery_worker: Worker):
    celery_worker.kill()

    with pytest.raises(AssertionError, match="ended by itself"):
        celery_worker.stop()

    celery_worker.start()
