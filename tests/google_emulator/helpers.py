"""Short words for what the tests say often."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from googleapiclient.errors import HttpError


def timed(
    summary: str = "Review", start: str = "2026-05-04T10:00:00", end: str = "2026-05-04T11:00:00", **more: Any
) -> Any:
    zone = {"timeZone": "Europe/Berlin"}
    return {"summary": summary, "start": {"dateTime": start} | zone, "end": {"dateTime": end} | zone, **more}


def all_day(summary: str = "Fair", first: str = "2026-05-04", after: str = "2026-05-05", **more: Any) -> Any:
    return {"summary": summary, "start": {"date": first}, "end": {"date": after}, **more}


def guests(*emails: str) -> list[dict[str, str]]:
    return [{"email": email} for email in emails]


def insert(events: Any, body: Any, **arguments: Any) -> Any:
    return events.insert(calendarId="primary", body=body, **arguments).execute()


def get(events: Any, event_id: str, **arguments: Any) -> Any:
    return events.get(calendarId="primary", eventId=event_id, **arguments).execute()


def patch(events: Any, event_id: str, body: Any, *, if_match: str = "", **arguments: Any) -> Any:
    request = events.patch(calendarId="primary", eventId=event_id, body=body, **arguments)
    if if_match:
        request.headers["If-Match"] = if_match
    return request.execute()


def put(events: Any, event_id: str, body: Any, **arguments: Any) -> Any:
    return events.update(calendarId="primary", eventId=event_id, body=body, **arguments).execute()


def delete(events: Any, event_id: str, **arguments: Any) -> Any:
    return events.delete(calendarId="primary", eventId=event_id, **arguments).execute()


def page(events: Any, *, calendarId: str = "primary", **arguments: Any) -> Any:  # noqa: N803  As Google has it.
    return events.list(calendarId=calendarId, **arguments).execute()


def everything(events: Any, **arguments: Any) -> tuple[list[Any], str | None]:
    """Return all rows of all pages, and the sync token of the last."""
    rows: list[Any] = []
    token = None
    while True:
        answer = page(events, **arguments, **({"pageToken": token} if token else {}))
        rows += answer["items"]
        token = answer.get("nextPageToken")
        if token is None:
            return rows, answer.get("nextSyncToken")


class Delta:
    """What changed since the last look."""

    def __init__(self, events: Any, **arguments: Any) -> None:
        self._events = events
        _, self.token = everything(events, **arguments)

    def rows(self) -> list[Any]:
        found, self.token = everything(self._events, syncToken=self.token)
        return found


@dataclass
class Refusal:
    status: int = 0
    reason: str = ""
    message: str = ""
    error: dict[str, Any] = field(default_factory=dict)


@contextmanager
def refused(status: int, reason: str) -> Iterator[Refusal]:
    """Expect an answer of this status and reason."""
    refusal = Refusal()
    with pytest.raises(HttpError) as caught:
        yield refusal
    body = json.loads(caught.value.content)["error"]
    refusal.error = body["errors"][0]
    refusal.status, refusal.reason, refusal.message = caught.value.status_code, refusal.error["reason"], body["message"]
    assert (refusal.status, refusal.reason) == (status, reason), body
