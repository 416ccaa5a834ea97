"""What was asked of the emulator: every request, the parts of a batch, and the answers' status."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class Request:
    """One request as it arrived. `status` 0: no answer was given."""

    method: str
    path: str
    query: str
    body: str = ""
    # Address of the token's person, where the request had a good token.
    email: str = ""
    # The etag of If-Match.
    if_match: str = ""
    status: int = 0
    # RFC 3339, UTC.
    at: str = ""
    parts: list[Request] = field(default_factory=list)

    @property
    def is_write(self) -> bool:
        return self.method not in ("GET", "HEAD") and self.path.startswith("/calendar/")


class RequestLog:
    """All requests to Google's addresses, oldest first; the emulator's own pages are not in it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[Request] = []

    def add(self, request: Request) -> None:
        with self._lock:
            self._requests.append(request)

    def all(self, *, method: str | None = None, path: str | None = None, status: int | None = None) -> list[Request]:
        """
        Return the HTTP requests, a batch being one.

        :param path: a regular expression to be found in the path.
        """
        return [request for request in self if _fits(request, method, path, status)]

    def calls(self, *, method: str | None = None, path: str | None = None, status: int | None = None) -> list[Request]:
        """Return the calls: like `all`, with the parts of a batch in place of the batch."""
        flat = [call for request in self for call in (request.parts or [request])]
        return [call for call in flat if _fits(call, method, path, status)]

    def count(self, *, method: str | None = None, path: str | None = None, status: int | None = None) -> int:
        """Return how many calls there were, each part of a batch counting as one."""
        return len(self.calls(method=method, path=path, status=status))

    def writes(self) -> list[Request]:
        """Return the calls that may change a calendar."""
        return [call for call in self.calls() if call.is_write]

    def clear(self) -> None:
        with self._lock:
            self._requests.clear()

    def dump(self) -> list[dict[str, Any]]:
        return [asdict(request) for request in self]

    def __iter__(self) -> Iterator[Request]:
        with self._lock:
            return iter(list(self._requests))

    def __len__(self) -> int:
        return len(self._requests)


def _fits(request: Request, method: str | None, path: str | None, status: int | None) -> bool:
    if method is not None and request.method != method.upper():
        return False
    if status is not None and request.status != status:
        return False
    return path is None or re.search(path, request.path) is not None
