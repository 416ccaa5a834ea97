"""
Celery's filesystem transport with atomic hand-over: the broker of the embedded default, which needs no server.

kombu 5.7.0 creates a message under its final name and then writes it, so a consumer that polls often can take it while
it is still empty; the JSON error that follows ends the whole worker (celery/kombu#1551). Here a message appears by
rename, and is taken by rename within the same file system. Its table of bindings has the same weakness and is guarded
by a lock.

There are no acknowledgements: a message is gone once taken. That is harmless here, because messages only wake a worker
up; what has to be done stands in the database.
"""

from __future__ import annotations

import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import filesystem
from kombu.utils.json import dumps, loads


def options(folder: Path) -> dict[str, Any]:
    """Return Celery's transport options for a broker that lives in this folder."""
    waiting = str(folder / "waiting")
    return {
        "data_folder_in": waiting,
        "data_folder_out": waiting,
        "processed_folder": str(folder / "taken"),
        "control_folder": str(folder / "control"),
        "polling_interval": 0.05,  # Seconds. kombu's default of 1 s per free slot makes two tasks per second.
    }


class Channel(filesystem.Channel):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for folder in (self.data_folder_in, self.data_folder_out, self.processed_folder, self.control_folder):
            # Messages hold only ids, but who may write one may start tasks.
            Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)

    # kombu's own transport names the argument differently from its base class; so does this one.
    def _put(self, queue: str, payload: dict[str, Any], **_: Any) -> None:  # type: ignore[override]
        # Wall clock, not kombu's monotonic one: that starts again at boot, and so would the order.
        name = f"{time.time_ns()}_{uuid.uuid4()}.{queue}.msg"
        draft = os.path.join(self.data_folder_out, f".{name}")
        with open(draft, "w", encoding="utf-8") as file:
            file.write(dumps(payload))
        os.rename(draft, os.path.join(self.data_folder_out, name))

    def _get(self, queue: str, timeout: float | None = None) -> Any:  # noqa: ARG002 - given by kombu, never waits
        for name in sorted(os.listdir(self.data_folder_in)):
            if name.startswith(".") or name.partition(".")[2] != f"{queue}.msg":
                continue
            taken = os.path.join(self.processed_folder, name)
            try:
                os.rename(os.path.join(self.data_folder_in, name), taken)
            except FileNotFoundError:  # Another worker was quicker.
                continue
            with open(taken, encoding="utf-8") as file:
                payload = file.read()
            os.unlink(taken)
            return loads(payload)
        raise Empty

    def get_table(self, exchange: str) -> Any:
        with self._bindings_locked():
            return super().get_table(exchange)

    def _queue_bind(self, *args: Any) -> None:
        with self._bindings_locked():
            super()._queue_bind(*args)

    @contextmanager
    def _bindings_locked(self) -> Iterator[None]:
        with open(os.path.join(self.control_folder, ".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


class Transport(filesystem.Transport):
    Channel = Channel
