"""Where requests to Google's addresses come in: planted failures, the log, and the way to who answers."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from werkzeug.datastructures import Headers, MultiDict
from werkzeug.wrappers import Request as HttpRequest
from werkzeug.wrappers import Response

from google_emulator import api, batch, errors, times, token_endpoints
from google_emulator.faults import Fault
from google_emulator.messages import Answer, Call, error_answer
from google_emulator.requestlog import Request

if TYPE_CHECKING:
    from google_emulator.emulator import Emulator

BATCH_PATH = "/batch/calendar/v3"
_EDGE_PAGE = (
    b"<!DOCTYPE html><html lang=en><title>Error %d (Server Error)!!1</title>"
    b"<p><b>%d.</b> <ins>That's an error.</ins><p>The server encountered a temporary error and could not complete "
    b"your request. <ins>That's all we know.</ins></html>"
)
WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class ConnectionDropped(ConnectionError):
    """No answer, on purpose: the server closes the connection."""


class Door:
    """The WSGI application: Google's addresses are answered here, all others by the pages."""

    def __init__(self, emulator: Emulator, *, pages: WsgiApp) -> None:
        self._emulator = emulator
        self._pages = pages

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        serve = self._server_of(path)
        if serve is None and path != BATCH_PATH:
            return self._pages(environ, start_response)
        call = _call(HttpRequest(environ))
        answer, fault = self._answer(call, serve)
        if fault is not None and fault.kind == "truncate":
            answer.body = answer.body[: len(answer.body) // 2]
        packed = _packed(call, answer)
        response = Response(packed.body, status=packed.status, headers=Headers(list(packed.headers.items())))
        if fault is not None and fault.kind == "cut":
            return _cut_in_the_middle(response, environ, start_response)
        return response(environ, start_response)

    def _server_of(self, path: str) -> Callable[[Call], Answer] | None:
        """Return who answers a single call at an address, if it is one of Google's."""
        if path.startswith(api.ROOT + "/"):
            return self._emulator.api.answer
        return token_endpoints.server_of(path, emulator=self._emulator)

    def _answer(self, call: Call, serve: Callable[[Call], Answer] | None) -> tuple[Answer, Fault | None]:
        entry = self._entry(call)
        self._emulator.requests.add(entry)
        fault = self._emulator.faults.take(method=call.method, path=call.path)
        answer = self._strike(fault, "before") or (serve(call) if serve else self._serve_batch(call, entry))
        answer = self._strike(fault, "after") or answer
        entry.status = answer.status
        return answer, fault

    def _serve_batch(self, call: Call, entry: Request) -> Answer:
        limit = self._emulator.behavior.batch_limit
        return batch.answer(call, each=lambda inner: self._serve_part(inner, entry), largest=limit)

    def _serve_part(self, call: Call, outer: Request) -> Answer:
        entry = self._entry(call)
        outer.parts.append(entry)
        fault = self._emulator.faults.take(method=call.method, path=call.path, in_batch=True)
        if not call.path.startswith(api.ROOT + "/"):
            answer = error_answer(errors.ApiError("notFound"))
        else:
            answer = self._strike(fault, "before") or self._emulator.api.answer(call)
            answer = self._strike(fault, "after") or answer
        entry.status = answer.status
        return answer

    def _strike(self, fault: Fault | None, when: str) -> Answer | None:
        """Let a failure happen; the answer it leads to, or None where things go on."""
        if fault is None or fault.when != when or fault.kind in ("truncate", "cut"):
            return None
        if fault.kind == "call":
            if fault.action is not None:
                fault.action()
            return None
        if fault.kind in ("slow", "timeout"):
            self._emulator.faults.released.wait(fault.seconds)
        if fault.kind == "slow":
            return None
        if fault.kind in ("timeout", "reset"):
            raise ConnectionDropped
        return _failure(fault)

    def _entry(self, call: Call) -> Request:
        return Request(
            method=call.method,
            path=call.path,
            query="&".join(f"{name}={value}" for name, value in call.query.items(multi=True)),
            body="" if call.path in (BATCH_PATH, *token_endpoints.PATHS) else call.body.decode("utf-8", "replace"),
            email=self._emulator.api.email_of(call),
            if_match=call.headers.get("If-Match", ""),
            at=times.in_utc(self._emulator.clock.now()),
        )


def _failure(fault: Fault) -> Answer:
    headers = {"Retry-After": str(fault.retry_after)} if fault.retry_after is not None else {}
    if fault.kind == "html":
        page = _EDGE_PAGE % (fault.status, fault.status)
        return Answer(status=fault.status, body=page, headers={"Content-Type": "text/html; charset=UTF-8", **headers})
    answer = error_answer(errors.planted(status=fault.status, reason=fault.reason, message=fault.message))
    answer.headers |= headers
    return answer


def _call(request: HttpRequest) -> Call:
    body = request.get_data()
    query: MultiDict[str, str] = MultiDict(parse_qsl(request.query_string.decode(), keep_blank_values=True))
    return Call(method=request.method, path=request.path, query=query, headers=Headers(request.headers), body=body)


def _packed(call: Call, answer: Answer) -> Answer:
    """Google packs an answer only for a client that asks for it in both headers."""
    asked = all("gzip" in call.headers.get(name, "").lower() for name in ("Accept-Encoding", "User-Agent"))
    if not asked or len(answer.body) < 512:
        return answer
    headers = answer.headers | {"Content-Encoding": "gzip"}
    return Answer(status=answer.status, body=gzip.compress(answer.body, compresslevel=1), headers=headers)


def _cut_in_the_middle(
    response: Response, environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    body = response.get_data()
    response(environ, start_response)  # The head promises all of it.
    yield body[: len(body) // 2]
    raise ConnectionDropped
