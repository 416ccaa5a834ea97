"""Points on which Google's documentation and what people saw disagree or say nothing: each one a switch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

# What a switch that is a word can be set to, the default first.
CHOICES: dict[str, tuple[str, ...]] = {
    "guest_edits": ("local", "forbidden"),
    "guest_private_properties": ("allowed", "forbidden"),
    "guest_deletion": ("declined", "unnoticed"),
    "revival": ("allowed", "forbidden"),
    "repeated_import": ("update", "duplicate"),
    "move_answer": ("confirmed", "cancelled"),
    "window_leavers": ("shown", "omitted"),
    "repeated_properties": ("all", "any"),
    "malformed_sync_token": ("invalid", "full_sync"),
    "delta_order": ("calendar", "reversed"),
    "etags": ("microseconds", "opaque"),
    "texts": ("as_sent", "trimmed"),
    "push": ("delivered", "dropped", "twice"),
}


@dataclass(slots=True)
class Behavior:
    """What the emulator does where Google's behavior is unclear. The defaults are the documented reading."""

    # A guest without rights changes title, time or place: "local" (own copy only, 200) or "forbidden" (403).
    guest_edits: str = "local"
    # A guest writes private extended properties on a foreign event: "allowed" or "forbidden" (403).
    guest_private_properties: str = "allowed"
    # A guest deletes the own copy: the others see "declined", or it stays "unnoticed".
    guest_deletion: str = "declined"
    # The organizer deletes with sendUpdates=none: do the guests keep their copies?
    silent_delete_keeps_copies: bool = False
    # A deleted event is set to confirmed again: "allowed" or "forbidden" (403).
    revival: str = "allowed"
    # The same iCalUID is imported twice: "update" or "duplicate" (409).
    repeated_import: str = "update"
    # The status that the answer to a move shows; the event itself is confirmed.
    move_answer: str = "confirmed"
    # An event that leaves the window remembered by a sync token: "shown" as it is now, or "omitted".
    window_leavers: str = "shown"
    # Rows that the answer does not show (deleted ones, other types) use up room on a page, as with Google.
    hidden_rows_count: bool = True
    # Several privateExtendedProperty or sharedExtendedProperty: "all" have to fit, or "any".
    repeated_properties: str = "all"
    # A text that never was a sync token: "invalid" (400) or "full_sync" (410).
    malformed_sync_token: str = "invalid"
    # How long a sync token lasts; 0: for ever, unless expired by hand.
    sync_token_days: float = 0.0
    # How long a deleted event is known; 0: for ever.
    tombstone_days: float = 0.0
    # How far updatedMin may lie back; 0: as far as one likes.
    updated_min_days: float = 0.0
    # The rows of a delta come in the "calendar"'s order, or "reversed": exceptions before their series.
    delta_order: str = "calendar"
    # An etag is twice the time of the change in "microseconds", or "opaque".
    etags: str = "microseconds"
    # How many calls a batch may have; older guides say 50.
    batch_limit: int = 1000
    # Texts are stored as sent, or "trimmed" (outer blanks off, CRLF to LF).
    texts: str = "as_sent"
    # Push messages about changes are "delivered", "dropped" or sent "twice", so many seconds late.
    push: str = "delivered"
    push_delay_seconds: float = 0.0
    # Google pushes to https addresses only.
    push_needs_https: bool = True
    # Quota units a minute, for one person and for the whole project; 0: not counted. Google has 600 and 10,000.
    user_quota: int = 0
    project_quota: int = 0
    # What is answered beyond a quota: 403 or 429.
    user_quota_status: int = 403
    project_quota_status: int = 429

    def __setattr__(self, name: str, value: Any) -> None:
        """:raises ValueError: for a word that the switch does not know."""
        if name in CHOICES and value not in CHOICES[name]:
            raise ValueError(f"{name} cannot be {value!r}; known: {', '.join(CHOICES[name])}.")
        object.__setattr__(self, name, value)

    def change(self, **values: Any) -> None:
        """:raises ValueError: for an unknown switch, or an unknown word for one."""
        known = {field.name for field in fields(self)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"There is no switch {name!r}; known: {', '.join(sorted(known))}.")
            setattr(self, name, value)

    def reset(self) -> None:
        self.change(**asdict(Behavior()))
