"""What was sent to Google, and what Google does to its events by itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from google_emulator import Emulator


@dataclass(frozen=True, slots=True)
class Sent:
    """One write as it went out, alone or as part of a batch."""

    method: str
    event_id: str  # Of an insert: the id in its body.
    body: dict[str, Any]
    if_match: str
    send_updates: str
    status: int  # Of Google's answer; 0: none was given.


def sent(google: Emulator, *, method: str = "") -> list[Sent]:
    """Return the writes since the log was cleared, the oldest first."""
    found = []
    for call in google.requests.writes():
        body = json.loads(call.body) if call.body else {}
        named = call.path.partition("/events/")[2] or body.get("id", "")
        updates = parse_qs(call.query).get("sendUpdates", [""])[0]
        found.append(Sent(call.method, named, body, call.if_match, updates, call.status))
    return [write for write in found if method in ("", write.method)]


def google_sets(
    google: Emulator, address: str, event_id: str, *, calendar_id: str = "", **fields: Any
) -> dict[str, Any]:
    """
    Let Google itself change fields of one copy, whatever a client could send; None takes a field away.

    It is the copy of somebody's primary calendar, unless `calendar_id` names another one of theirs.

    Returns the event as this calendar shows it then.
    """
    with google.store.lock:
        copy = google.store.get(calendar_id=calendar_id or address, event_id=event_id)
        body = {**copy.body, **fields}
        copy.body = {name: value for name, value in body.items() if value is not None}
        copy.cached_span = None
    google.store.touch(calendar_id=calendar_id or address, event_id=event_id)
    return google.person(address, calendar_id=calendar_id or None).event(event_id)


def etag(google: Emulator, address: str, event_id: str) -> str:
    return str(google.person(address).event(event_id)["etag"])
