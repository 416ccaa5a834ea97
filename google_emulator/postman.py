"""Delivers push messages from a thread of its own, as Google does from afar."""

from __future__ import annotations

import queue
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass

from google_emulator.behavior import Behavior
from google_emulator.channels import Message

TIMEOUT_SECONDS = 5.0
# Google tries again after these answers, ever more slowly; here soon, and not for ever.
TRIED_AGAIN = (500, 502, 503, 504)
PAUSES_SECONDS = (0.1, 0.3, 1.0)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt. `status` 0: nobody answered."""

    message: Message
    status: int


class Postman:
    """A queue of messages and the thread that works it off. It starts with the first message."""

    def __init__(self, *, behavior: Behavior) -> None:
        self._behavior = behavior
        self._waiting: queue.Queue[Message | None] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        # Set to give up what is under way.
        self._cleared = threading.Event()
        self.deliveries: list[Delivery] = []

    def deliver(self, message: Message) -> None:
        with self._lock:
            if self._thread is None:
                self._cleared.clear()
                self._thread = threading.Thread(target=self._work, name="google-emulator-push", daemon=True)
                self._thread.start()
        self._waiting.put(message)

    def wait(self) -> None:
        """Return when everything that waited has been delivered or given up."""
        self._waiting.join()

    def clear(self) -> None:
        """Throw away what waits, and forget what was delivered."""
        while True:
            try:
                self._waiting.get_nowait()
            except queue.Empty:
                break
            self._waiting.task_done()
        self._cleared.set()  # Whoever pauses between two attempts gives up.
        self._waiting.join()
        self._cleared.clear()
        self.deliveries.clear()

    def stop(self) -> None:
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._cleared.set()
            self._waiting.put(None)
            thread.join(timeout=TIMEOUT_SECONDS)

    def _work(self) -> None:
        while True:
            message = self._waiting.get()
            try:
                if message is None:
                    return
                if not self._cleared.wait(self._behavior.push_delay_seconds):
                    self._bring(message)
            finally:
                self._waiting.task_done()

    def _bring(self, message: Message) -> None:
        for pause in (*PAUSES_SECONDS, None):
            status = _post(message)
            self.deliveries.append(Delivery(message, status))
            if status not in TRIED_AGAIN or pause is None or self._cleared.wait(pause):
                return


def _post(message: Message) -> int:
    headers = {**message.headers, "User-Agent": "APIs-Google", "Accept": "*/*", "Content-Length": "0"}
    request = urllib.request.Request(message.address, data=b"", headers=headers, method="POST")  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310  Addresses were checked.
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return 0
