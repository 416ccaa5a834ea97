"""The batch endpoint: many calls in one multipart request, each with an answer of its own."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from email.parser import BytesParser
from http import HTTPStatus

from werkzeug.datastructures import Headers

from google_emulator import errors
from google_emulator.messages import Answer, Call, call_from_target, error_answer


def answer(call: Call, *, each: Callable[[Call], Answer], largest: int) -> Answer:
    """Answer every part by `each`, at most so many; the whole is 200 whatever the parts are."""
    try:
        parts = _parts(call, largest=largest)
    except errors.ApiError as error:
        return error_answer(error)
    boundary = f"batch_{secrets.token_hex(16)}"
    chunks = []
    for content_id, inner in parts:
        head = f"--{boundary}\r\nContent-Type: application/http\r\n"
        if content_id:
            head += f"Content-ID: <response-{content_id}>\r\n"
        chunks.append(head.encode() + b"\r\n" + _as_http(each(inner)) + b"\r\n")
    chunks.append(f"--{boundary}--\r\n".encode())
    return Answer(status=200, body=b"".join(chunks), headers={"Content-Type": f"multipart/mixed; boundary={boundary}"})


def _parts(call: Call, *, largest: int) -> list[tuple[str, Call]]:
    kind = call.headers.get("Content-Type", "")
    message = BytesParser().parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + call.body)
    if not message.is_multipart():
        raise errors.ApiError("badRequest", "Failed to parse batch request, error: no parts.")
    payloads = message.get_payload()
    if len(payloads) > largest:
        raise errors.ApiError("badRequest", f"The batch request contains too many calls (at most {largest}).")
    found = []
    for part in payloads:
        raw = part.get_payload(decode=True) if not isinstance(part, str) else None
        if not isinstance(raw, bytes):
            raise errors.ApiError("badRequest", "Failed to parse batch request.")
        content_id = str(part.get("Content-ID", "")).strip()  # type: ignore[union-attr]
        found.append((content_id.removeprefix("<").removesuffix(">"), _inner_call(raw, outer=call)))
    return found


def _inner_call(raw: bytes, *, outer: Call) -> Call:
    text = raw.replace(b"\r\n", b"\n").lstrip(b"\n")
    head, _, body = text.partition(b"\n\n")
    request_line, *lines = head.decode("utf-8", "replace").split("\n")
    words = request_line.split(" ")
    if len(words) < 2:
        raise errors.ApiError("badRequest", "Failed to parse batch request, error: bad request line.")
    headers = Headers()
    for line in lines:
        name, _, value = line.partition(":")
        headers.add(name.strip(), value.strip())
    if "Authorization" not in headers and "Authorization" in outer.headers:
        headers["Authorization"] = outer.headers["Authorization"]
    return call_from_target(method=words[0].upper(), target=words[1], headers=headers, body=body)


def _as_http(reply: Answer) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    lines.append(f"Content-Length: {len(reply.body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + reply.body
