"""The emulator's own clock: real time unless a test sets it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """Tells the time in UTC. Once set it stands still until it is advanced or reset."""

    def __init__(self) -> None:
        self._frozen: datetime | None = None
        self._offset = timedelta()

    def now(self) -> datetime:
        return self._frozen if self._frozen is not None else datetime.now(UTC) + self._offset

    def set(self, moment: datetime) -> None:
        """Stop the clock at an aware moment."""
        if moment.tzinfo is None:
            raise ValueError("The clock needs an aware moment.")
        self._frozen = moment.astimezone(UTC)

    def advance(self, by: timedelta | None = None, **units: float) -> None:
        """Move on by a timedelta, or by `seconds=`, `minutes=`, `hours=`, `days=`."""
        step = by if by is not None else timedelta(**units)
        if self._frozen is not None:
            self._frozen += step
        else:
            self._offset += step

    def reset(self) -> None:
        """Return to real time."""
        self._frozen = None
        self._offset = timedelta()

    def micros(self) -> int:
        """Return the time in microseconds since 1970."""
        return int(self.now().timestamp() * 1_000_000)

    def dump(self) -> dict[str, object]:
        return {
            "frozen": self._frozen.isoformat() if self._frozen else None,
            "offset": self._offset.total_seconds(),
        }

    def load(self, state: dict[str, object]) -> None:
        frozen = state.get("frozen")
        self._frozen = datetime.fromisoformat(str(frozen)) if frozen else None
        self._offset = timedelta(seconds=float(str(state.get("offset", 0))))
