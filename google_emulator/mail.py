"""The mail Google would have sent: kept, never sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Mail:
    """One message about an event."""

    to: str
    # "invitation", "update", "cancellation" or "response".
    kind: str
    event_id: str
    summary: str
    by: str
    # RFC 3339, UTC.
    at: str


class Mailbox:
    """All mail so far, oldest first."""

    def __init__(self) -> None:
        self._mail: list[Mail] = []

    def add(self, mail: Mail) -> None:
        self._mail.append(mail)

    def all(self, *, to: str | None = None, kind: str | None = None, event_id: str | None = None) -> list[Mail]:
        wanted = {"to": to, "kind": kind, "event_id": event_id}
        return [
            mail
            for mail in self._mail
            if all(value is None or getattr(mail, name) == value for name, value in wanted.items())
        ]

    def clear(self) -> None:
        self._mail.clear()

    def __iter__(self) -> Iterator[Mail]:
        return iter(list(self._mail))

    def __len__(self) -> int:
        return len(self._mail)

    def dump(self) -> list[dict[str, Any]]:
        return [asdict(mail) for mail in self._mail]

    def load(self, state: list[dict[str, Any]]) -> None:
        self._mail = [Mail(**row) for row in state]
