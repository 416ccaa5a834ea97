"""A call that has passed the door: whose it is, and which calendars it reaches with which rights."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from google_emulator import errors, times
from google_emulator.accounts import Calendar, Directory
from google_emulator.discovery import Method
from google_emulator.messages import Call
from google_emulator.oauth import AccessToken
from google_emulator.writes import Write

_CAN_WRITE = ("writerWithoutPrivateAccess", "writer", "owner")


@dataclass(slots=True)
class Context:
    """A call with its token; parameters and body fit the method."""

    call: Call
    email: str
    token: AccessToken
    method: Method
    directory: Directory
    content: dict[str, Any]

    def reach(self, calendar_id: str) -> tuple[Calendar, str]:
        """:raises ApiError: 404 for a calendar the person does not have, 403 if the scope is for other calendars."""
        calendar, role = self.directory.calendar_for(calendar_id=calendar_id, email=self.email)
        fitting = [
            scope
            for scope in self.method.scopes
            if not (scope == "calendar.app.created" and calendar.primary)
            and not (".owned" in scope and role != "owner")
        ]
        if not self.token.allows(fitting):
            raise errors.ScopeMissing()
        return calendar, role

    def reach_to_write(self, calendar_id: str) -> Calendar:
        """:raises ApiError: 403 for somebody who may only read, too."""
        calendar, role = self.reach(calendar_id)
        if role not in _CAN_WRITE:
            raise errors.ApiError("requiredAccessLevel")
        return calendar

    @property
    def write(self) -> Write:
        """Who writes, and how, as the parameters say."""
        args = self.call.query
        updates = args.get("sendUpdates")
        if updates is None:
            updates = "all" if args.get("sendNotifications") == "true" else "none"
        return Write(
            by=self.email,
            send_updates=updates,
            if_match=self.call.headers.get("If-Match"),
            conference=args.get("conferenceDataVersion") == "1",
            attachments=args.get("supportsAttachments") == "true",
        )

    @property
    def zone(self) -> str | None:
        """The zone that times shall be shown in. :raises ApiError: 400 if there is no such zone."""
        name = self.call.query.get("timeZone")
        if name is not None:
            try:
                times.zone(name)
            except ValueError as error:
                raise errors.invalid(location="timeZone") from error
        return name

    @property
    def max_attendees(self) -> int | None:
        value = self.call.query.get("maxAttendees")
        return int(value) if value else None


def read_body(call: Call) -> dict[str, Any]:
    """:raises ApiError: 400 for a body that is no JSON object."""
    try:
        content = json.loads(call.body or b"{}")
    except ValueError as error:
        raise errors.ApiError("parseError") from error
    if not isinstance(content, dict):
        raise errors.ApiError("parseError")
    return content
