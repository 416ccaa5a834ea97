"""Events as Google's answers show them."""

from __future__ import annotations

import base64
import json
from typing import Any

from google_emulator import times
from google_emulator.copies import Copy
from google_emulator.events import Body

_TEXTS = ("summary", "description", "location", "colorId")
_PLAIN = (
    "transparency",
    "visibility",
    "iCalUID",
    "sequence",
)
_AFTER_GUESTS = (
    "extendedProperties",
    "hangoutLink",
    "conferenceData",
    "anyoneCanAddSelf",
    "guestsCanInviteOthers",
    "guestsCanModify",
    "guestsCanSeeOtherGuests",
    "privateCopy",
    "locked",
    "reminders",
    "source",
    "attachments",
    "birthdayProperties",
    "focusTimeProperties",
    "outOfOfficeProperties",
    "workingLocationProperties",
    "eventType",
)
LINK_ROOT = "https://www.google.com/calendar"


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def to_json(value: Any) -> bytes:
    return _ENCODER.encode(value).encode()


def full(copy: Copy, *, link_root: str, zone: str | None = None, max_attendees: int | None = None) -> Body:
    """
    Return an event with all that its calendar shows of it.

    :param zone: whose offset the times have; the calendar's own when not given.
    """
    body, zone = copy.body, zone or copy.calendar_zone
    result: Body = {
        "kind": "calendar#event",
        "etag": copy.etag,
        "id": copy.id,
        "status": body["status"],
        "htmlLink": f"{link_root}/event?eid={_link_id(copy)}",
        "created": times.stamp(copy.created - copy.created % 1_000_000),
        "updated": times.stamp(copy.updated),
    }
    result |= {name: body[name] for name in _TEXTS if name in body}
    result["creator"] = _with_self(body["creator"], copy)
    result["organizer"] = _with_self(body["organizer"], copy)
    result["start"] = times.shown(body["start"], zone_name=zone)
    result["end"] = times.shown(body["end"], zone_name=zone)
    if "endTimeUnspecified" in body:
        result["endTimeUnspecified"] = True
    if "recurrence" in body:
        result["recurrence"] = body["recurrence"]
    result |= _place_in_series(copy, zone)
    result |= {name: body[name] for name in _PLAIN if name in body}
    result |= _attendees(copy, max_attendees)
    result |= {name: body[name] for name in _AFTER_GUESTS if name in body}
    return result


def stub(copy: Copy, *, living_series: bool) -> Body:
    """Return what is left of a cancelled row; of a living series, which occurrence it was."""
    result: Body = {"kind": "calendar#event", "etag": copy.etag, "id": copy.id, "status": "cancelled"}
    if copy.master_id and living_series and not copy.bare:
        result |= _place_in_series(copy, copy.calendar_zone)
    return result


def busy_block(copy: Copy, *, zone: str | None = None) -> Body:
    """Return what somebody sees who may know only that the time is taken."""
    zone = zone or copy.calendar_zone
    return {
        "kind": "calendar#event",
        "etag": copy.etag,
        "id": copy.id,
        "status": copy.body["status"],
        "updated": times.stamp(copy.updated),
        "start": times.shown(copy.body["start"], zone_name=zone),
        "end": times.shown(copy.body["end"], zone_name=zone),
        "visibility": "private",
        "eventType": copy.body["eventType"],
    }


def link_target(link_id: str) -> tuple[str, str]:
    """Return event id and calendar id of an `eid`. :raises ValueError: if it is none."""
    text = base64.urlsafe_b64decode(link_id + "=" * (-len(link_id) % 4)).decode()
    event_id, _, calendar_id = text.partition(" ")
    return event_id, calendar_id


def _link_id(copy: Copy) -> str:
    return base64.urlsafe_b64encode(f"{copy.id} {copy.calendar_id}".encode()).decode().rstrip("=")


def _with_self(person: Body, copy: Copy) -> Body:
    return person | {"self": True} if person["email"].lower() == copy.calendar_id else person


def _place_in_series(copy: Copy, zone: str) -> Body:
    if not copy.master_id:
        return {}
    original = times.shown(copy.body["originalStartTime"], zone_name=zone)
    return {"recurringEventId": copy.master_id, "originalStartTime": original}


def _attendees(copy: Copy, limit: int | None) -> Body:
    organizer = copy.body["organizer"]["email"].lower()
    entries = [_attendee(entry, copy, organizer) for entry in copy.body.get("attendees", [])]
    if copy.body.get("guestsCanSeeOtherGuests") is False and not copy.organized_here:
        entries = [entry for entry in entries if entry.get("self") or entry.get("organizer")]
    if not entries:
        return {}
    if limit is not None and len(entries) > limit:
        mine_first = sorted(entries, key=lambda entry: not entry.get("self"))
        return {"attendees": mine_first[: max(limit, 1)], "attendeesOmitted": True}
    return {"attendees": entries}


def _attendee(entry: Body, copy: Copy, organizer: str) -> Body:
    email = entry["email"].lower()
    flags = {"organizer": True} if email == organizer else {}
    if email == copy.calendar_id:
        flags["self"] = True
    return entry | flags if flags else entry
