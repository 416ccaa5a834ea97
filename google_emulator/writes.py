"""Who writes, and how; and what one act does to the versions of the rows it touches."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

from google_emulator import events
from google_emulator.copies import Copy, Table
from google_emulator.events import Body


@dataclass(frozen=True, slots=True)
class Write:
    """Who writes, and how."""

    # Address of the person.
    by: str
    # "all", "externalOnly" or "none".
    send_updates: str = "none"
    if_match: str | None = None
    # Whether conference data and attachments of the body count.
    conference: bool = False
    attachments: bool = False
    # Made on Google's own page, which keeps what people know about each other's answers.
    from_page: bool = False


class Change:
    """One act: all its rows in one calendar carry the same version."""

    def __init__(
        self, *, next_version: Callable[[], int], tables: dict[str, Table], opaque_etags: bool = False
    ) -> None:
        self._next_version = next_version
        self._tables = tables
        self._opaque_etags = opaque_etags
        self._versions: dict[str, int] = {}

    @property
    def calendar_ids(self) -> list[str]:
        return list(self._versions)

    def touch(self, copy: Copy, *, content: bool = True) -> None:
        """Give a row a new version. `content` is false for what concerns only its reader, such as reminders."""
        if copy.calendar_id not in self._versions:
            self._versions[copy.calendar_id] = self._next_version()
        copy.version = self._versions[copy.calendar_id]
        copy.tag = zlib.crc32(str(copy.version).encode()) if self._opaque_etags else 2 * copy.version
        if content:
            copy.updated = copy.version
        copy.rendered = None
        self._tables[copy.calendar_id].mark_changed(copy)

    def set_body(self, copy: Copy, body: Body) -> None:
        """Replace a row's content, if it differs."""
        different = events.changed_fields(copy.body, body)
        if not different:
            return
        old_span = copy.span if different & {"start", "end", "recurrence"} else None
        copy.body, copy.cached_span = body, None
        self.touch(copy, content=bool(different - {"reminders"}))
        if old_span is not None:
            copy.past_spans = [*copy.past_spans[-19:], (copy.change, *old_span)]
