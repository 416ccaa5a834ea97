"""The methods of `calendarList`, `calendars`, `freebusy`, `settings` and `colors`."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from werkzeug.datastructures import MultiDict

from google_emulator import errors, listing, times, tokens
from google_emulator.access import Context
from google_emulator.accounts import ROLES, Calendar
from google_emulator.calendar import CalendarStore
from google_emulator.copies import Copy
from google_emulator.events import Body
from google_emulator.messages import Answer, json_answer
from google_emulator.rendering import to_json
from google_emulator.writes import Write

MOST_CALENDARS, MOST_MEMBERS = 50, 100
TOO_MANY = "tooManyCalendarsRequested"
# Google's palettes, by their ids from 1 on.
CALENDAR_COLORS = (
    "ac725e d06b64 f83a22 fa573c ff7537 ffad46 42d692 16a765 7bd148 b3dc6c fbe983 fad165 "
    "92e1c0 9fe1e7 9fc6e7 4986e7 9a9cff b99aff c2c2c2 cabdbf cca6ac f691b2 cd74e6 a47ae2"
)
EVENT_COLORS = "a4bdfc 7ae7bf dbadff ff887c fbd75b ffb878 46d6db e1e1e1 5484ed 51b749 dc2127"


class CalendarsApi:
    """Reads of all that is not an event, and a few writes of calendars."""

    def __init__(self, *, store: CalendarStore) -> None:
        self._store = store

    def list_calendars(self, context: Context) -> Answer:
        args = context.call.query
        size = listing.page_size(args, default=100, largest=250)
        known = self._known_before(args)
        role_at_least = args.get("minAccessRole", ROLES[0])
        entries = [
            self._listed(calendar, role, context)
            for calendar, role in context.directory.calendars_of(context.email)
            if ROLES.index(role) >= ROLES.index(role_at_least)
        ]
        rows = entries
        if known is not None:  # What is new on the list, and what has left it; no other change is served here.
            ids = {entry["id"] for entry in entries}
            rows = [entry for entry in entries if entry["id"] not in known]
            rows += [_left_list(calendar_id) for calendar_id in known if calendar_id not in ids]
        offset = int(_token_field(args["pageToken"], "offset", "pageToken")) if "pageToken" in args else 0
        content: Body = {"kind": "calendar#calendarList", "etag": _etag(rows)}
        if offset + size < len(rows):
            content["nextPageToken"] = tokens.encode({"offset": offset + size})
        elif "minAccessRole" not in args:
            ids_now = [entry["id"] for entry in entries]
            content["nextSyncToken"] = tokens.encode({"listed": ids_now, "epoch": self._store.epoch})
        return json_answer(content | {"items": rows[offset : offset + size]})

    def _known_before(self, args: MultiDict[str, str]) -> list[str] | None:
        """Return the calendars that a sync token knows, or None without one. :raises ApiError: 400, 410."""
        token = args.get("syncToken")
        if not token:
            return None
        if "minAccessRole" in args or args.get("showHidden", "").lower() == "false":
            raise errors.ApiError("badRequest", location="syncToken")
        if _token_field(token, "epoch", "syncToken") != self._store.epoch:
            raise errors.ApiError("fullSyncRequired", location="syncToken")
        return list(_token_field(token, "listed", "syncToken"))

    def get_listed_calendar(self, context: Context, calendar_id: str) -> Answer:
        calendar, role = context.reach(calendar_id)
        return json_answer(self._listed(calendar, role, context))

    def _listed(self, calendar: Calendar, role: str, context: Context) -> Body:
        own = calendar.id == context.email
        entry: Body = {
            "kind": "calendar#calendarListEntry",
            "etag": _etag([calendar.id, calendar.summary, calendar.time_zone, role]),
            "id": calendar.id,
            "summary": calendar.summary,
            "timeZone": calendar.time_zone,
            "colorId": "14",
            "backgroundColor": "#9fe1e7",
            "foregroundColor": "#000000",
            "selected": True,
            "accessRole": role,
            "defaultReminders": [{"method": "popup", "minutes": 10}] if own else [],
            "conferenceProperties": {"allowedConferenceSolutionTypes": ["hangoutsMeet"]},
        }
        if calendar.description:
            entry["description"] = calendar.description
        return entry | ({"primary": True} if own else {})

    def get_calendar(self, context: Context, calendar_id: str) -> Answer:
        calendar, _ = context.reach(calendar_id)
        return json_answer(_calendar_resource(calendar))

    def insert_calendar(self, context: Context) -> Answer:
        raw = context.content
        if not raw.get("summary"):
            raise errors.required("Missing title.")
        with self._store.lock:
            calendar = context.directory.add_calendar(
                owner=context.email, summary=str(raw["summary"]), time_zone=raw.get("timeZone")
            )
            calendar.description = str(raw.get("description") or "")
        return json_answer(_calendar_resource(calendar))

    def delete_calendar(self, context: Context, calendar_id: str) -> Answer:
        calendar, role = context.reach(calendar_id)
        if calendar.primary:
            raise errors.invalid("Cannot delete a primary calendar.")
        if role != "owner":
            raise errors.ApiError("requiredAccessLevel", "You need to have owner access to this calendar.")
        calendar.deleted = True
        return Answer(status=204)

    def clear_calendar(self, context: Context, calendar_id: str) -> Answer:
        calendar = context.reach_to_write(calendar_id)
        if not calendar.primary:
            raise errors.invalid("Only a primary calendar can be cleared.")
        self._store.clear_calendar(calendar=calendar, write=Write(by=context.email))
        return Answer(status=204)

    # The rest

    def query_free_busy(self, context: Context) -> Answer:
        raw = context.content
        start = times.query_moment(raw.get("timeMin"), name="timeMin")
        end = times.query_moment(raw.get("timeMax"), name="timeMax")
        if end <= start:
            raise errors.ApiError("timeRangeEmpty", location="timeMax")
        zone = _zone_of_answer(raw.get("timeZone"))
        groups, calendar_ids = self._asked(context, [str(item.get("id", "")) for item in raw.get("items") or []])
        largest = min(raw.get("calendarExpansionMax") or MOST_CALENDARS, MOST_CALENDARS)
        calendars = {
            each: self._busy(context, each, start, end, zone) if number < largest else _failed(TOO_MANY)
            for number, each in enumerate(calendar_ids)
        }
        content: Body = {
            "kind": "calendar#freeBusy",
            "timeMin": _in_zone(start, zone),
            "timeMax": _in_zone(end, zone),
        }
        return json_answer(content | ({"groups": groups} if groups else {}) | {"calendars": calendars})

    def _asked(self, context: Context, items: list[str]) -> tuple[Body, list[str]]:
        """Return the groups among what is asked for, and all calendars, once each."""
        most = min(context.content.get("groupExpansionMax") or MOST_MEMBERS, MOST_MEMBERS)
        groups: Body = {}
        found: dict[str, None] = {}
        for item in items:
            members = context.directory.groups.get(item.lower())
            if members is None:
                found[item] = None
            elif len(members) > most:
                groups[item] = {"errors": [{"domain": "global", "reason": "groupTooBig"}]}
            else:
                groups[item] = {"calendars": members}
                found |= dict.fromkeys(members)
        return groups, list(found)

    def _busy(self, context: Context, calendar_id: str, start: int, end: int, zone: ZoneInfo) -> Body:
        try:
            calendar, _ = context.directory.calendar_for(calendar_id=calendar_id, email=context.email)
        except errors.ApiError:
            return _failed("notFound")
        with self._store.lock:
            table = self._store.table(calendar.id)
            query = listing.Query(max_results=10**9, single_events=True, time_min=start, time_max=end)
            rows = listing.page_of(query, store=self._store, table=table).rows
        taken = sorted(row.span for row in rows if _takes_time(row))
        merged: list[list[int]] = []
        for first, last in ((first, last or first) for first, last in taken):
            if merged and first <= merged[-1][1]:
                merged[-1][1] = max(merged[-1][1], last)
            else:
                merged.append([first, last])
        spans = [(max(first, start), min(last, end)) for first, last in merged]
        return {"busy": [{"start": _in_zone(first, zone), "end": _in_zone(last, zone)} for first, last in spans]}

    def list_settings(self, context: Context) -> Answer:
        args = context.call.query
        items = [_setting(name, value) for name, value in self._settings(context).items()]
        etag = _etag(items)
        if token := args.get("syncToken"):
            items = [] if _token_field(token, "etag", "syncToken") == etag else items
        offset = int(_token_field(args["pageToken"], "offset", "pageToken")) if "pageToken" in args else 0
        size = listing.page_size(args, default=100, largest=250)
        content: Body = {"kind": "calendar#settings", "etag": etag}
        if offset + size < len(items):
            content["nextPageToken"] = tokens.encode({"offset": offset + size})
        else:
            content["nextSyncToken"] = tokens.encode({"etag": etag})
        return json_answer(content | {"items": items[offset : offset + size]})

    def get_setting(self, context: Context, setting: str) -> Answer:
        settings = self._settings(context)
        if setting not in settings:
            raise errors.ApiError("notFound")
        return json_answer(_setting(setting, settings[setting]))

    def _settings(self, context: Context) -> dict[str, str]:
        account = context.directory.accounts[context.email]
        return {
            "autoAddHangouts": "true",
            "dateFieldOrder": "DMY",
            "defaultEventLength": "60",
            "format24HourTime": "true",
            "hideInvitations": "false",
            "hideWeekends": "false",
            "locale": "en",
            "remindOnRespondedEventsOnly": "false",
            "showDeclinedEvents": "true",
            "timezone": account.time_zone,
            "useKeyboardShortcuts": "true",
            "weekStart": "1",
        }

    def get_colors(self, context: Context) -> Answer:
        content: Body = {"kind": "calendar#colors", "updated": "2012-02-14T00:00:00.000Z"}
        for part, palette in (("calendar", CALENDAR_COLORS), ("event", EVENT_COLORS)):
            content[part] = {
                str(number): {"background": f"#{color}", "foreground": "#1d1d1d"}
                for number, color in enumerate(palette.split(), start=1)
            }
        return json_answer(content)


def _takes_time(copy: Copy) -> bool:
    mine = next((a for a in copy.body.get("attendees", []) if a["email"].lower() == copy.calendar_id), None)
    declined = mine is not None and mine["responseStatus"] == "declined"
    return copy.body.get("transparency") != "transparent" and not declined


def _etag(content: Any) -> str:
    return f'"{zlib.crc32(to_json(content))}"'


def _token_field(token: str, name: str, location: str) -> Any:
    try:
        return tokens.decode(token)[name]
    except (tokens.Malformed, KeyError) as error:
        raise errors.invalid(location=location) from error


def _left_list(calendar_id: str) -> Body:
    etag = _etag(["left", calendar_id])
    return {"kind": "calendar#calendarListEntry", "etag": etag, "id": calendar_id, "deleted": True}


def _failed(reason: str) -> Body:
    return {"errors": [{"domain": "global", "reason": reason}], "busy": []}


def _zone_of_answer(name: str | None) -> ZoneInfo:
    try:
        return times.zone(name or "UTC")
    except ValueError as error:
        raise errors.invalid(location="timeZone") from error


def _in_zone(seconds: int, zone: ZoneInfo) -> str:
    text = datetime.fromtimestamp(seconds, zone).isoformat()
    return text[:-6] + "Z" if text.endswith("+00:00") else text


def _setting(name: str, value: str) -> Mapping[str, str]:
    return {"kind": "calendar#setting", "etag": '"0"', "id": name, "value": value}


def _calendar_resource(calendar: Calendar) -> Body:
    resource: Body = {
        "kind": "calendar#calendar",
        "etag": _etag([calendar.id, calendar.summary, calendar.time_zone]),
        "id": calendar.id,
        "summary": calendar.summary,
        "timeZone": calendar.time_zone,
        "conferenceProperties": {"allowedConferenceSolutionTypes": ["hangoutsMeet"]},
    }
    return resource | ({"description": calendar.description} if calendar.description else {})
