"""Sync tokens and page tokens: all they mean is written inside, so nothing has to be remembered."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any


class Malformed(Exception):
    """The text is not a token of ours."""


def encode(content: dict[str, Any]) -> str:
    text = json.dumps(content, separators=(",", ":"), sort_keys=True).encode()
    check = zlib.crc32(text).to_bytes(4, "big")
    return base64.urlsafe_b64encode(check + zlib.compress(text)).decode()


def decode(token: str) -> dict[str, Any]:
    """:raises Malformed: for anything that `encode` did not make."""
    try:
        data = base64.urlsafe_b64decode(token.encode())
        text = zlib.decompress(data[4:])
        if zlib.crc32(text).to_bytes(4, "big") != data[:4]:
            raise Malformed(token)
        content = json.loads(text)
    except (ValueError, zlib.error) as error:
        raise Malformed(token) from error
    if not isinstance(content, dict):
        raise Malformed(token)
    return content
