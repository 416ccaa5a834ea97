"""
Points of a session at which a journey kills it, or lets something else happen in between.

The points lie outside the product: each HTTP request, before it leaves and after its answer came, and each statement
that writes or begins a transaction. So "at any point" means any point, however the engine is built.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import httplib2
import pytest
from django.db import connection, connections

WRITES = ("INSERT", "UPDATE", "DELETE", "SAVEPOINT")
ANY, REQUEST, TRANSACTION = "any", "request", "transaction"
UNDOES = ("ROLLBACK", "RELEASE")  # What the database does by itself when a process is gone.


class Killed(BaseException):
    """The process is gone. Nothing it would still do on its way out reaches the database or Google."""


class Checkpoints:
    """Counts the points that a piece of work passes, and acts at one of them."""

    def __init__(self) -> None:
        self.passed: Counter[str] = Counter()  # Of each kind, by the work that was done last.
        self._left = 0
        self._act: Callable[[], None] | None = None
        self._depth = 0
        self._is_dead = False
        self._of = ANY

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        really = httplib2.Http.request

        def request(http: httplib2.Http, *args: Any, **kwargs: Any) -> Any:
            self._pass(REQUEST)
            answer = really(http, *args, **kwargs)
            self._pass(REQUEST)
            return answer

        monkeypatch.setattr(httplib2.Http, "request", request)
        monkeypatch.setattr(connections["default"], "execute_wrappers", [self._execute])

    def run(
        self,
        work: Callable[[], object],
        *,
        at: int = 0,
        act: Callable[[], None] | None = None,
        of: str = ANY,
    ) -> bool:
        """
        Do the work. At its point number `at`, do something else in between; without `act`, kill it there.

        `act` waits until no transaction is open, since another process would not see what is not committed. Points
        `of` requests are those before and after each, `of` transactions those before each: there most can happen
        meanwhile. Returns whether the work was done to its end.
        """
        self._left, self._act, self._of = at, act, of
        self.passed.clear()
        self._depth = len(connection.savepoint_ids)
        try:
            work()
        except Killed:
            # A write outside of any transaction is one of its own: here it would take the whole journey's with it.
            connection.needs_rollback = False
            return False
        finally:
            self._left, self._act, self._is_dead = 0, None, False
        return True

    def _execute(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        word = sql.lstrip("( ")[:9].upper()
        if self._is_dead and not word.startswith(UNDOES):
            raise Killed
        if word.startswith(WRITES):
            is_outermost = word == "SAVEPOINT" and len(connection.savepoint_ids) == self._depth
            self._pass(TRANSACTION if is_outermost else ANY)
        return execute(sql, params, many, context)

    def _pass(self, kind: str) -> None:
        if self._is_dead:
            raise Killed
        self.passed.update({ANY, kind})
        if not self._left or self._of not in (ANY, kind):
            return
        self._left -= 1
        if self._left:
            return
        if self._act is None:
            self._is_dead = True
            raise Killed
        if len(connection.savepoint_ids) > self._depth:
            self._left = 1
            return
        act, self._act = self._act, None
        act()
