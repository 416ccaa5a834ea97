"""Points on which Google's documentation and what people saw disagree: each one a switch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(slots=True)
class Behavior:
    """What the emulator does where Google's behavior is unclear. The defaults are what most reports say."""

    # A guest without rights changes title, time or place: "local" (own copy only, 200) or "forbidden" (403).
    guest_edits: str = "local"
    # A guest writes private extended properties on a foreign event: "allowed" or "forbidden" (403).
    guest_private_properties: str = "allowed"
    # The organizer deletes with sendUpdates=none: do the guests keep their copies?
    silent_delete_keeps_copies: bool = False
    # A deleted event is set to confirmed again: "allowed" or "forbidden" (403).
    revival: str = "allowed"
    # The same iCalUID is imported twice: "update" or "duplicate" (409).
    repeated_import: str = "update"
    # An event that leaves the window remembered by a sync token: "shown" as it is now, or "omitted".
    window_leavers: str = "shown"
    # Rows that the answer does not show (deleted ones, other types) use up room on a page, as with Google.
    hidden_rows_count: bool = True
    # Texts are stored as sent, or "trimmed" (outer blanks off, CRLF to LF).
    texts: str = "as_sent"
    # Push messages about changes are "delivered", "dropped" or sent "twice", so many seconds late.
    push: str = "delivered"
    push_delay_seconds: float = 0.0
    # Google pushes to https addresses only.
    push_needs_https: bool = True

    def change(self, **values: Any) -> None:
        """:raises ValueError: for an unknown switch."""
        known = {field.name for field in fields(self)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"There is no switch {name!r}; known: {', '.join(sorted(known))}.")
            setattr(self, name, value)

    def reset(self) -> None:
        self.change(**asdict(Behavior()))
