"""Several calls in one request, each with an answer of its own, also when the answers of others are missing."""

from __future__ import annotations

import http.client
import logging
from collections.abc import Callable
from typing import Any

import httplib2
from google.auth.exceptions import TransportError
from googleapiclient.errors import BatchError, HttpError
from googleapiclient.http import BatchHttpRequest

logger = logging.getLogger(__name__)

NO_ANSWER = (TimeoutError, TransportError, httplib2.HttpLib2Error, http.client.HTTPException, OSError)
# What the library raises over an answer that it cannot take apart.
_UNREADABLE = (BatchError, http.client.IncompleteRead, LookupError, ValueError, TypeError, AttributeError)


class Batch(BatchHttpRequest):
    """
    The client library's batch, which keeps the answers that did arrive.

    The library forgets them all when one is missing or damaged, though their calls were carried out; here that one
    alone counts as 504. And it renews an access, for parts that got 401, without any limit of time.
    """

    def __init__(self, *, uri: str, renew: Callable[[], None]) -> None:
        """`renew` gets a new access token; what it raises ends the batch."""
        super().__init__(batch_uri=uri)
        self._renew = renew
        self._is_renewed = False

    def _execute(self, http: Any, order: list[str], requests: dict[str, Any]) -> None:
        is_repeat = bool(self._responses)  # Of the parts that got 401; the answers of the others are here already.
        for name in order:
            self._responses.pop(name, None)
        try:
            super()._execute(http, order, requests)
        except _UNREADABLE:
            logger.warning("The answer to a batch could not be read to its end", exc_info=True)
        except (HttpError, *NO_ANSWER):
            if not is_repeat:
                raise
        for name in order:
            if name not in self._responses or _is_cut(*self._responses[name]):
                self._responses[name] = httplib2.Response({"status": "504"}), b""

    def _refresh_and_apply_credentials(self, request: Any, http: Any) -> None:  # noqa: ARG002 - as the library calls it
        if not self._is_renewed:  # Each part takes the token as it is sent.
            self._renew()
            self._is_renewed = True


def _is_cut(head: httplib2.Response, body: bytes) -> bool:
    promised = head.get("content-length", "")
    return promised.isdecimal() and len(body) < int(promised)
