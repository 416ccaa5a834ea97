"""Quotas: how much one person, and one application for all its people, may ask within a minute."""

from __future__ import annotations

import threading
from collections import deque

from google_emulator import errors
from google_emulator.behavior import Behavior
from google_emulator.clock import Clock

WINDOW_SECONDS = 60
# A patch reads and writes, and costs more than other calls.
PATCH_UNITS = 3


class Quotas:
    """What was asked within the last minute, by the emulator's clock. Off unless `behavior` names limits."""

    def __init__(self, *, clock: Clock, behavior: Behavior) -> None:
        self._clock = clock
        self._behavior = behavior
        self._lock = threading.Lock()
        self._spent: dict[tuple[str, str], deque[tuple[float, int]]] = {}

    def spend(self, *, user: str, client_id: str, verb: str) -> None:
        """
        Count a call, a part of a batch like any other.

        :raises ApiError: 403 or 429 for a call beyond a limit, which is not counted.
        """
        units = PATCH_UNITS if verb == "PATCH" else 1
        limits = [
            (("user", f"{client_id} {user}"), self._behavior.user_quota, self._behavior.user_quota_status),
            (("project", client_id), self._behavior.project_quota, self._behavior.project_quota_status),
        ]
        with self._lock:
            for key, limit, status in limits:
                if limit and self._sum(key) + units > limit:
                    raise _refusal(key[0], status)
            for key, limit, _ in limits:
                if limit:
                    self._spent.setdefault(key, deque()).append((self._clock.now().timestamp(), units))

    def clear(self) -> None:
        with self._lock:
            self._spent.clear()

    def _sum(self, key: tuple[str, str]) -> int:
        spent = self._spent.get(key, deque())
        while spent and spent[0][0] <= self._clock.now().timestamp() - WINDOW_SECONDS:
            spent.popleft()
        return sum(units for _, units in spent)


def _refusal(whose: str, status: int) -> errors.ApiError:
    if status == 429:
        return errors.ApiError("rateLimitExceeded", "Too many requests", status=429)
    return errors.ApiError("userRateLimitExceeded" if whose == "user" else "rateLimitExceeded")
