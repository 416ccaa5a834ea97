"""What may stand in an event: reading and checking a body, merging a patch, telling what changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from google_emulator import errors, recurrence, times

Body = dict[str, Any]

# What everybody's copy has in common and only the organizer changes.
MAIN_FIELDS = (
    "summary",
    "description",
    "location",
    "start",
    "end",
    "endTimeUnspecified",
    "recurrence",
    "conferenceData",
    "hangoutLink",
    "attachments",
    "source",
)
GUEST_RIGHTS = ("guestsCanInviteOthers", "guestsCanModify", "guestsCanSeeOtherGuests", "anyoneCanAddSelf")
# What each copy has for itself.
OWN_FIELDS = ("visibility", "transparency", "reminders", "colorId")
TIME_FIELDS = ("start", "end", "recurrence")
# What a client cannot change once the event is there.
IDENTITY = (
    "iCalUID",
    "organizer",
    "creator",
    "eventType",
    "recurringEventId",
    "originalStartTime",
    "sequence",
    "privateCopy",
    "locked",
)

_ID = re.compile(r"[a-v0-9]{5,1024}$")
_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+$")
_RESPONSES = ("needsAction", "declined", "tentative", "accepted")
_CLOSED_TYPES = ("fromGmail", "birthday", "focusTime", "outOfOffice", "workingLocation")


def check_client_id(event_id: object) -> None:
    """:raises ApiError: 400 unless it is 5 to 1024 of a–v and 0–9."""
    if not isinstance(event_id, str) or not _ID.match(event_id):
        raise errors.invalid("Invalid resource id value.")


def merged(old: Mapping[str, Any], patch: Mapping[str, Any]) -> Body:
    """Return a body with a patch over it: objects by key, arrays whole, null removes."""
    result = dict(old)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping):
            below = result.get(name)
            result[name] = merged(below if isinstance(below, Mapping) else {}, value)
        else:
            result[name] = value
    return result


def changed_fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> set[str]:
    return {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}


def checked(raw: Mapping[str, Any], *, calendar_zone: str, trim: bool = False) -> Body:
    """
    Return what of a client's body is stored, in one form: defaults and empty values left out.

    :raises ApiError: 400 in Google's words, for the first thing that is wrong.
    """
    body: Body = {}
    for name in ("summary", "description", "location"):
        if text := _text(raw, name, trim=trim):
            body[name] = text
    lines = _recurrence(raw.get("recurrence"))
    body["start"] = times.checked(raw.get("start"), side="start", calendar_zone=calendar_zone, repeats=bool(lines))
    body["end"] = times.checked(raw.get("end"), side="end", calendar_zone=calendar_zone, repeats=bool(lines))
    times.check_order(body["start"], body["end"])
    if lines:
        _check_rule(body["start"], lines)
        body["recurrence"] = lines
    for name, check in _CHECKS.items():
        if raw.get(name) is not None and (value := check(raw[name])) is not None:
            body[name] = value
    body.setdefault("reminders", {"useDefault": True})
    body.setdefault("status", "confirmed")
    return body


def check_type(raw: Mapping[str, Any], *, primary: bool) -> str:
    """
    Return the type of a new event.

    :raises ApiError: 400 for a type that cannot be made, or made like this.
    """
    kind = raw.get("eventType") or "default"
    if kind == "default":
        return "default"
    if kind not in _CLOSED_TYPES or kind == "fromGmail":
        raise errors.invalid("Invalid event type.", location="eventType")
    if not primary:
        raise errors.invalid("Events of this type can only be created on a primary calendar.")
    all_day = "date" in (raw.get("start") or {})
    if kind == "birthday" and not all_day:
        raise errors.invalid("A birthday event must be an all-day event.")
    if kind in ("focusTime", "outOfOffice") and all_day:
        raise errors.invalid("This event type must be a timed event.")
    if kind == "outOfOffice" and raw.get("description"):
        raise errors.invalid("An out of office event must not have a description.")
    return str(kind)


def conference(request: Mapping[str, Any], *, seed: str) -> Body:
    """Return the conference that a createRequest leads to, ready at once."""
    letters = re.sub(r"[^a-z]", "", seed.lower()) + "abcdefghij"
    code = f"{letters[:3]}-{letters[3:7]}-{letters[7:10]}"
    return {
        "createRequest": {
            "requestId": str(request.get("requestId", "")),
            "conferenceSolutionKey": {"type": "hangoutsMeet"},
            "status": {"statusCode": "success"},
        },
        "entryPoints": [
            {
                "entryPointType": "video",
                "uri": f"https://meet.google.com/{code}",
                "label": f"meet.google.com/{code}",
            }
        ],
        "conferenceSolution": {"key": {"type": "hangoutsMeet"}, "name": "Google Meet"},
        "conferenceId": code,
    }


def attendee(attendees: Iterable[Body], email: str) -> Body | None:
    """Return a person's entry in a list of attendees."""
    return next((entry for entry in attendees if entry["email"].lower() == email.lower()), None)


def _text(raw: Mapping[str, Any], name: str, *, trim: bool) -> str:
    value = raw.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise errors.invalid(location=name)
    return value.replace("\r\n", "\n").strip() if trim else value


def _recurrence(value: object) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(line, str) for line in value):
        raise errors.invalid("Invalid recurrence rule.")
    return list(value)


def _check_rule(start: times.When, lines: list[str]) -> None:
    try:
        recurrence.check(start, lines)
    except recurrence.InvalidRule as error:
        raise errors.invalid("Invalid recurrence rule.") from error


def checked_attendees(value: object) -> list[Body]:
    """Return a list of guests as it is stored, each address once. :raises ApiError: 400 for a bad one."""
    if not isinstance(value, list):
        raise errors.invalid(location="attendees")
    found: dict[str, Body] = {}
    for raw in value:
        entry = _attendee(raw)
        found.setdefault(entry["email"].lower(), entry)
    return list(found.values())


def _attendees(value: object) -> list[Body] | None:
    return checked_attendees(value) or None


def _attendee(raw: object) -> Body:
    if not isinstance(raw, Mapping) or not raw.get("email"):
        raise errors.required("Missing attendee email.")
    email = raw["email"]
    if not isinstance(email, str) or not _EMAIL.match(email):
        raise errors.invalid("Invalid attendee email.")
    response = raw.get("responseStatus") or "needsAction"
    if response not in _RESPONSES:
        raise errors.invalid("Invalid attendee response status.")
    entry: Body = {"email": email}
    if raw.get("displayName"):
        entry["displayName"] = str(raw["displayName"])
    for name in ("optional", "resource"):
        if raw.get(name):
            entry[name] = True
    entry["responseStatus"] = response
    if raw.get("comment"):
        entry["comment"] = str(raw["comment"])
    if raw.get("additionalGuests"):
        entry["additionalGuests"] = int(raw["additionalGuests"])
    return entry


def _reminders(value: object) -> Body:
    if not isinstance(value, Mapping):
        raise errors.invalid(location="reminders")
    overrides = value.get("overrides") or []
    if value.get("useDefault") and overrides:
        raise errors.ApiError(
            "cannotUseDefaultRemindersAndSpecifyOverride",
            "Cannot specify both default reminders and overrides at the same time.",
        )
    if value.get("useDefault"):
        return {"useDefault": True}
    if not isinstance(overrides, list) or len(overrides) > 5:
        raise errors.invalid(location="reminders.overrides")
    checked_overrides = [_override(override) for override in overrides]
    return {"useDefault": False} | ({"overrides": checked_overrides} if checked_overrides else {})


def _override(value: object) -> Body:
    if not isinstance(value, Mapping) or value.get("method") not in ("email", "popup"):
        raise errors.invalid(location="reminders.overrides")
    minutes = value.get("minutes")
    if not isinstance(minutes, int) or not 0 <= minutes <= 40320:
        raise errors.invalid(location="reminders.overrides")
    return {"method": value["method"], "minutes": minutes}


def _extended_properties(value: object) -> Body | None:
    if not isinstance(value, Mapping):
        raise errors.invalid(location="extendedProperties")
    result: Body = {}
    for part in ("private", "shared"):
        pairs = value.get(part) or {}
        # Google silently drops long keys and cuts long values.
        kept = {str(key): str(text)[:1024] for key, text in pairs.items() if len(str(key)) <= 44 and text is not None}
        if kept:
            result[part] = kept
    return result or None


def _one_of(*allowed: str, default: str | None = None) -> Callable[[object], str | None]:
    def check(value: object) -> str | None:
        if value not in allowed:
            raise errors.invalid()
        return None if value == default else str(value)

    return check


def _flag(*, default: bool) -> Callable[[object], bool | None]:
    def check(value: object) -> bool | None:
        if not isinstance(value, bool):
            raise errors.invalid()
        return None if value is default else value

    return check


def _object(value: object) -> Body:
    if not isinstance(value, Mapping):
        raise errors.invalid()
    return dict(value)


def _list(value: object) -> list[Any] | None:
    if not isinstance(value, list):
        raise errors.invalid()
    return list(value) or None


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "status": _one_of("confirmed", "tentative", "cancelled"),
    "visibility": _one_of("default", "public", "private", "confidential", default="default"),
    "transparency": _one_of("opaque", "transparent", default="opaque"),
    "colorId": str,
    "endTimeUnspecified": _flag(default=False),
    "guestsCanInviteOthers": _flag(default=True),
    "guestsCanModify": _flag(default=False),
    "guestsCanSeeOtherGuests": _flag(default=True),
    "anyoneCanAddSelf": _flag(default=False),
    "attendees": _attendees,
    "reminders": _reminders,
    "extendedProperties": _extended_properties,
    "conferenceData": _object,
    "hangoutLink": str,
    "attachments": _list,
    "source": _object,
    "birthdayProperties": _object,
    "focusTimeProperties": _object,
    "outOfOfficeProperties": _object,
    "workingLocationProperties": _object,
}
