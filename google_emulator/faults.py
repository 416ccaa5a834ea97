"""Failures to order: what Google, or the way to it, does wrong now and then."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

KINDS = ("status", "html", "timeout", "reset", "truncate", "cut", "slow", "call")


@dataclass(slots=True)
class Fault:
    """
    One planned failure.

    :param kind: "status" (an error answer), "html" (an error page of the edge), "timeout" (no answer), "reset"
        (connection reset), "truncate" (half a body that claims to be whole), "cut" (connection closed in the
        middle of the body), "slow" (a late answer), "call" (run `action`, answer as usual).
    :param when: "before" or "after" what was asked is done.
    :param times: how many requests it hits; `skip` lets so many pass first.
    :param method: of the requests it hits; any if empty.
    :param path: a regular expression to be found in their path, for a part of a batch in the part's path.
    :param seconds: how long "timeout" holds the connection and "slow" waits.
    """

    kind: str = "status"
    when: str = "before"
    times: int = 1
    skip: int = 0
    method: str = ""
    path: str = ""
    status: int = 503
    reason: str | None = None
    message: str | None = None
    retry_after: int | None = None
    seconds: float = 30.0
    action: Callable[[], object] | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"There is no fault {self.kind!r}; known: {', '.join(KINDS)}.")
        if self.when not in ("before", "after"):
            raise ValueError("A fault comes before or after what was asked is done.")
        re.compile(self.path)

    def fits(self, *, method: str, path: str) -> bool:
        return self.method.upper() in ("", method) and re.search(self.path, path) is not None


class Faults:
    """The failures still to come, first ordered first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []
        # Wakes whoever is held by a "timeout" or "slow" when the server stops.
        self.released = threading.Event()

    def add(self, fault: Fault) -> Fault:
        with self._lock:
            self._waiting.append(fault)
        return fault

    def take(self, *, method: str, path: str, in_batch: bool = False) -> Fault | None:
        """Return the failure that this request meets, and count it as used."""
        with self._lock:
            for fault in self._waiting:
                if not fault.fits(method=method, path=path) or (in_batch and fault.kind not in ("status", "call")):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                if fault.times <= 0:
                    self._waiting.remove(fault)
                return fault
        return None

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()
        self.released.set()
        self.released = threading.Event()

    def planned(self) -> list[Fault]:
        """Return the failures still to come, as they are now."""
        with self._lock:
            return [replace(fault) for fault in self._waiting]

    def plan(self, failures: list[Fault]) -> None:
        """Let these come, and no others."""
        with self._lock:
            self._waiting = list(failures)

    @property
    def waiting(self) -> list[dict[str, Any]]:
        with self._lock:
            names = [each.name for each in fields(Fault) if each.name != "action"]
            return [{name: getattr(fault, name) for name in names} for fault in self._waiting]
