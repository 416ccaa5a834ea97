"""One call to Google and its answer, wherever they came from: a request of their own or a part of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from werkzeug.datastructures import Headers, MultiDict

from google_emulator.errors import ApiError
from google_emulator.rendering import to_json

_API_HEADERS = {
    "Content-Type": "application/json; charset=UTF-8",
    "Cache-Control": "no-cache, no-store, max-age=0, must-revalidate",
    "Vary": "Origin, X-Origin, Referer",
}


@dataclass(slots=True)
class Call:
    """What is asked. The path is decoded, the query read."""

    method: str
    path: str
    query: MultiDict[str, str]
    headers: Headers
    body: bytes = b""

    @property
    def bearer(self) -> str | None:
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "bearer" and token:
            return token.strip()
        return self.query.get("access_token") or self.query.get("oauth_token")


@dataclass(slots=True)
class Answer:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def call_from_target(*, method: str, target: str, headers: Headers, body: bytes) -> Call:
    """Return a call from a request line's target, e.g. `/calendar/v3/calendars/a%40b.example/events?alt=json`."""
    parts = urlsplit(target)
    query = MultiDict(parse_qsl(parts.query, keep_blank_values=True))
    return Call(method=method, path=unquote(parts.path), query=query, headers=headers, body=body)


def json_answer(
    content: Mapping[str, Any] | bytes, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Answer:
    body = content if isinstance(content, bytes) else to_json(content)
    return Answer(status=status, body=body, headers={**_API_HEADERS, **(headers or {})})


def error_answer(error: ApiError) -> Answer:
    return json_answer(error.body, status=error.status, headers=error.headers)
