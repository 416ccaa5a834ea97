"""The broker that needs no server, under the load at which kombu's own loses messages and its worker."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from queue import Empty

import pytest
from django.conf import settings
from kombu import Connection

from creatio_sync import filebroker
from creatio_sync.processes import die_with_parent
from tests.worker import wait_until

PRODUCERS = 4
MESSAGES_EACH = 200

# An application of its own: one task that leaves a line, on a broker in the folder given.
APP = """
import os
from pathlib import Path
from celery import Celery
from creatio_sync import filebroker

folder = Path(os.environ["FOLDER"])
app = Celery("stress", broker="filesystem://localhost//")
app.conf.update(
    broker_transport="creatio_sync.filebroker:Transport",
    broker_transport_options=filebroker.options(folder / "broker"),
    task_ignore_result=True,
    worker_prefetch_multiplier=4,
)


@app.task(name="note")
def note(number):
    with open(folder / "done", "a") as file:  # One short write to the end of a file is not torn.
        file.write(f"{number}\\n")
"""


def connection(folder: Path) -> Connection:
    return Connection("filesystem://localhost//", transport=filebroker.Transport, transport_options=options(folder))


def options(folder: Path) -> dict[str, object]:
    return filebroker.options(folder / "broker")


def in_threads(work, *, count: int) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_many_producers_and_consumers_pass_each_message_once(tmp_path: Path):
    """Consumers poll without a pause while messages are written: the moment at which half-written ones were taken."""
    taken: list[int] = []
    troubles: list[BaseException] = []
    all_sent = threading.Event()

    def consume() -> None:
        with connection(tmp_path) as conn, conn.channel() as channel:
            while True:
                was_last_look = all_sent.is_set()
                try:
                    taken.append(channel._get("jobs")["number"])
                except Empty:
                    if was_last_look:
                        return
                except BaseException as trouble:
                    troubles.append(trouble)
                    return

    def produce(producer: int) -> None:
        with connection(tmp_path) as conn, conn.channel() as channel:
            for number in range(MESSAGES_EACH):
                channel._put("jobs", {"number": producer * MESSAGES_EACH + number})

    consumers = [threading.Thread(target=consume) for _ in range(2)]
    for consumer in consumers:
        consumer.start()
    in_threads(produce, count=PRODUCERS)
    all_sent.set()
    for consumer in consumers:
        consumer.join()

    assert troubles == []
    assert Counter(taken) == Counter(range(PRODUCERS * MESSAGES_EACH))
    assert list((tmp_path / "broker" / "waiting").iterdir()) == []
    assert list((tmp_path / "broker" / "taken").iterdir()) == []


def test_messages_come_out_in_the_order_they_went_in(tmp_path: Path):
    with connection(tmp_path) as conn, conn.channel() as channel:
        for number in range(20):
            channel._put("jobs", {"number": number})

        assert [channel._get("jobs")["number"] for _ in range(20)] == list(range(20))


def test_a_consumer_takes_from_its_own_queue_only(tmp_path: Path):
    with connection(tmp_path) as conn, conn.channel() as channel:
        channel._put("jobs", {"number": 1})

        with pytest.raises(Empty):
            channel._get("other")


def test_the_folders_are_closed_to_others(tmp_path: Path):
    with connection(tmp_path) as conn, conn.channel():
        modes = {folder.stat().st_mode & 0o777 for folder in (tmp_path / "broker").iterdir()}

    assert modes == {0o700}


def test_a_worker_outlives_a_load_of_messages_and_does_each_task_once(tmp_path: Path):
    (tmp_path / "stress.py").write_text(APP)
    environment = {
        **os.environ,
        "FOLDER": str(tmp_path),
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{settings.BASE_DIR}",
        "CREATIO_SYNC_ALLOW_ROOT": "1",
    }
    with open(tmp_path / "log", "wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "stress", "worker", "-P", "threads", "-c", "4"]
            + ["--without-gossip", "--without-mingle", "--without-heartbeat"],
            env=environment,
            cwd=tmp_path,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent(),
        )
    sender = "import sys, stress\nfor n in range(100): stress.note.delay(int(sys.argv[1]) * 100 + n)"
    done = tmp_path / "done"
    done.touch()
    try:
        in_threads(
            lambda producer: subprocess.run(
                [sys.executable, "-c", sender, str(producer)], env=environment, cwd=tmp_path, check=True
            ),
            count=3,
        )
        wait_until(lambda: worker.poll() is not None or len(done.read_text().split()) >= 300, what="300 tasks")
        assert worker.poll() is None, (tmp_path / "log").read_text()
    finally:
        worker.kill()
        worker.wait()

    assert Counter(map(int, done.read_text().split())) == Counter(range(300))
