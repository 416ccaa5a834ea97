"""Time and ids that follow from the steps of a journey alone, and steps that follow from the seed alone."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from hypothesis.internal.conjecture.providers import HypothesisProvider

from google_emulator import Emulator

START = datetime(2027, 3, 1, 8, tzinfo=UTC)
MOMENT = timedelta(milliseconds=1)  # What passes between two looks at the clock.


class Clock:
    """Our clock, and Google's, which may be ahead of it or behind. They move when somebody looks or a step says so."""

    def __init__(self, google: Emulator) -> None:
        self._google = google
        self.reset()

    def reset(self) -> None:
        self._now, self._google_is_ahead = START, timedelta()
        self._google.clock.set(START)

    def now(self) -> datetime:
        self.advance(MOMENT)
        return self._now

    def advance(self, by: timedelta) -> None:
        self._now += by
        self._google.clock.set(self._now + self._google_is_ahead)

    def sleep(self, seconds: float) -> None:
        """Wait without waiting."""
        self.advance(timedelta(seconds=seconds))

    def remember(self) -> tuple[datetime, timedelta]:
        return self._now, self._google_is_ahead

    def recall(self, what: tuple[datetime, timedelta]) -> None:
        """Go back to what was remembered."""
        self._now, self._google_is_ahead = what

    def let_google_be_ahead(self, by: timedelta) -> None:
        self._google_is_ahead = by
        self._google.clock.set(self._now + by)


class Ids:
    """Unlike each other, and the same in each replay."""

    def __init__(self) -> None:
        self.count = 0

    def token_bytes(self, nbytes: int | None = None) -> bytes:
        self.count += 1
        return hashlib.shake_256(str(self.count).encode()).digest(nbytes or 32)

    def token_hex(self, nbytes: int | None = None) -> str:
        return self.token_bytes(nbytes).hex()

    def token_urlsafe(self, nbytes: int | None = None) -> str:
        return base64.urlsafe_b64encode(self.token_bytes(nbytes)).decode().rstrip("=")

    def randbelow(self, upper: int) -> int:
        return int.from_bytes(self.token_bytes(16)) % upper

    def uuid4(self) -> uuid.UUID:
        return uuid.UUID(bytes=self.token_bytes(16), version=4)


def install(monkeypatch: pytest.MonkeyPatch, *, clock: Clock, ids: Ids) -> None:
    """Let everything in this process take its time and its ids from here, and lose no time over documentation."""
    from googleapiclient.schema import Schemas

    from sync.google.gateway import CalendarGateway

    monkeypatch.setattr(timezone, "now", clock.now)
    monkeypatch.setattr(time, "sleep", clock.sleep)
    monkeypatch.setitem(CalendarGateway.__init__.__kwdefaults__, "sleep", clock.sleep)
    monkeypatch.setattr(uuid, "uuid4", ids.uuid4)
    # Hypothesis draws some numbers from the constants of all modules that happen to be imported.
    monkeypatch.setattr(HypothesisProvider, "_maybe_draw_constant", lambda *_args, **_options: None)
    # Google's client writes the documentation of all its methods each time that it is made.
    monkeypatch.setattr(Schemas, "prettyPrintSchema", lambda *_args: "")
    for name in ("token_bytes", "token_hex", "token_urlsafe", "randbelow"):
        monkeypatch.setattr(secrets, name, getattr(ids, name))
