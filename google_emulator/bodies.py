"""What a write makes of an event's content: pure functions from old and sent to new."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google_emulator import errors, events
from google_emulator.accounts import Calendar
from google_emulator.events import Body
from google_emulator.writes import Write

# What all copies of a meeting have in common.
SHARED = (*events.MAIN_FIELDS, "attendees", *events.GUEST_RIGHTS, "sequence", "status")


def checked_sequence(sent: Any, stored: int) -> int:
    if sent is None:
        return stored
    if not isinstance(sent, int) or sent < stored:
        raise errors.invalid(
            "Invalid sequence value. The specified sequence number is below the current sequence number of the "
            "resource. Re-fetch the resource and use its sequence number on the following request."
        )
    return sent


def organizer(calendar: Calendar) -> Body:
    return {"email": calendar.id} | ({} if calendar.primary else {"displayName": calendar.summary})


def is_of(entry: Body, email: str) -> bool:
    return bool(entry["email"].lower() == email.lower())


def unanswered(entry: Body) -> Body:
    return entry | {"responseStatus": "needsAction"}


def declined_by(attendees: list[Body], email: str) -> list[Body]:
    """Return a list of guests after one of them threw the invitation away; a member of a group is named from now on."""
    declined = {"responseStatus": "declined"}
    if events.attendee(attendees, email) is None:
        return [*attendees, {"email": email} | declined]
    return [entry | declined if is_of(entry, email) else entry for entry in attendees]


def answered(entry: Body, answer: Body | None) -> Body:
    """Return an attendee's entry with the own answer, comment and number of companions taken over."""
    if answer is None:
        return entry
    kept = {name: value for name, value in entry.items() if name not in ("comment", "additionalGuests")}
    return kept | {name: answer[name] for name in ("responseStatus", "comment", "additionalGuests") if name in answer}


def shared_part(body: Body) -> Body:
    """Return what another person's copy gets of the organizer's."""
    names = (*SHARED, *events.IDENTITY)
    result = {name: body[name] for name in names if name in body and name not in ("locked", "source")}
    shared = shared_properties(body)
    return result | ({"extendedProperties": {"shared": shared}} if shared else {})


def shared_properties(body: Body) -> Body:
    return dict(body.get("extendedProperties", {}).get("shared", {}))


def with_shared(properties: Body | None, shared: Body | None) -> Body:
    result = {name: value for name, value in (properties or {}).items() if name != "shared"}
    return result | ({"shared": shared} if shared else {})


def inherited(body: Body, *, old: Body, new: Body, names: set[str]) -> Body:
    """Return an exception's content after its master changed: what it had not changed itself follows."""
    result = dict(body)
    for name in names - {*events.TIME_FIELDS, *events.IDENTITY, "status"}:
        if body.get(name) == old.get(name):
            result.pop(name, None)
            if name in new:
                result[name] = new[name]
    return result


def take_extras(
    body: Body, *, raw: Mapping[str, Any], old: Body, write: Write, event_id: str, replace: bool = False
) -> None:
    """Conference data and attachments count only with their version parameter; else what is there stays."""
    for name in ("conferenceData", "hangoutLink", "attachments"):
        body.pop(name, None)
        if name in old:
            body[name] = old[name]
    if write.attachments and ("attachments" in raw or replace):
        body.pop("attachments", None)
        if raw.get("attachments"):
            body["attachments"] = list(raw["attachments"])[:25]
    if not write.conference or not ("conferenceData" in raw or replace):
        return
    data = raw.get("conferenceData")
    body.pop("conferenceData", None)
    body.pop("hangoutLink", None)
    if not data:
        return
    known = old.get("conferenceData", {}).get("createRequest", {}).get("requestId")
    request = data.get("createRequest")
    if request and request.get("requestId") != known:
        data = events.conference(request, seed=event_id)
    elif request:
        data = old["conferenceData"]
    body["conferenceData"] = dict(data)
    links = [point["uri"] for point in data.get("entryPoints", []) if point.get("entryPointType") == "video"]
    if links:
        body["hangoutLink"] = links[0]
