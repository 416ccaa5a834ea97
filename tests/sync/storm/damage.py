"""The product broken on purpose: each of these has to be seen by the storm, or the storm sees nothing."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sync.core import mapping
from sync.google.gateway import CalendarGateway
from sync.models import SyncOutcome
from sync.run import Run
from sync.store import pairs


def forget_what_both_sides_agreed_on(patch: pytest.MonkeyPatch) -> None:
    """Without a base every difference is a conflict, and what a person took back returns (R11)."""
    patch.setattr(pairs, "base_of", lambda _data: None)


def choose_another_id_for_each_insert(patch: pytest.MonkeyPatch) -> None:
    """A repeated insert then makes a second event (R13)."""
    really = mapping.insert_body

    def body(*args: Any, **values: Any) -> dict[str, Any]:
        return really(*args, **values | {"event_id": uuid.uuid4().hex})

    patch.setattr(mapping, "insert_body", body)


def send_users_alone_as_guests(patch: pytest.MonkeyPatch) -> None:
    """Guests who are no users are dropped by a write of ours (R7)."""
    really = mapping.attendees_after

    def attendees(*args: Any, **values: Any) -> list[dict[str, Any]]:
        users = {*values["profiles"], *values["addresses"].values()}
        return [entry for entry in really(*args, **values) if entry["email"] in users]

    patch.setattr(mapping, "attendees_after", attendees)


def keep_no_journal(patch: pytest.MonkeyPatch) -> None:
    """A value that gives way is gone for good (R11)."""
    really = Run.note

    def note(run: Run, action: str, **values: Any) -> SyncOutcome | None:
        return None if action == SyncOutcome.Action.REPLACED else really(run, action, **values)

    patch.setattr(Run, "note", note)


def tell_everybody_everything(patch: pytest.MonkeyPatch) -> None:
    """Mail about each write, whoever made the change and however long ago (R17)."""
    really = CalendarGateway._request
    patch.setattr(CalendarGateway, "_request", lambda gateway, call: really(gateway, replace(call, send_updates="all")))


def forget_which_version_was_seen(patch: pytest.MonkeyPatch) -> None:
    """A write without If-Match, as if nobody had edited the event meanwhile (R12)."""
    really = CalendarGateway._request

    def request(gateway: CalendarGateway, call: Any) -> Any:
        made = really(gateway, call)
        made.headers.pop("If-Match", None)
        return made

    patch.setattr(CalendarGateway, "_request", request)


ALL: tuple[Callable[[pytest.MonkeyPatch], None], ...] = (
    forget_what_both_sides_agreed_on,
    choose_another_id_for_each_insert,
    send_users_alone_as_guests,
    keep_no_journal,
    tell_everybody_everything,
    forget_which_version_was_seen,
)
