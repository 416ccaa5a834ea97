"""Calendar v3: which call does what, with which rights. Answers calls; knows nothing of sockets."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from google_emulator import errors, listing, partial, rendering, times, tokens
from google_emulator.accounts import Calendar, Directory
from google_emulator.calendar import CalendarStore
from google_emulator.channels import Channels
from google_emulator.clock import Clock
from google_emulator.copies import Copy
from google_emulator.events import Body
from google_emulator.messages import Answer, Call, error_answer, json_answer
from google_emulator.oauth import AccessToken, AuthorizationServer
from google_emulator.rendering import to_json
from google_emulator.writes import Write

ROOT = "/calendar/v3"
_CAN_WRITE = ("writer", "owner")

# Scopes, each without its common beginning, as the discovery document lists them.
_READ_EVENTS = (
    "calendar",
    "calendar.app.created",
    "calendar.events",
    "calendar.events.freebusy",
    "calendar.events.owned",
    "calendar.events.owned.readonly",
    "calendar.events.public.readonly",
    "calendar.events.readonly",
    "calendar.readonly",
)
_WRITE_EVENTS = ("calendar", "calendar.app.created", "calendar.events", "calendar.events.owned")
_MOVE_EVENTS = ("calendar", "calendar.events", "calendar.events.owned")
_READ_LIST = ("calendar", "calendar.calendarlist", "calendar.calendarlist.readonly", "calendar.readonly")
_READ_ONE_OF_LIST = (*_READ_LIST, "calendar.app.created")
_READ_CALENDAR = (
    "calendar",
    "calendar.app.created",
    "calendar.calendars",
    "calendar.calendars.readonly",
    "calendar.readonly",
)
_MAKE_CALENDAR = ("calendar", "calendar.app.created", "calendar.calendars")
_CLEAR_CALENDAR = ("calendar", "calendar.calendars")
_FREE_BUSY = ("calendar", "calendar.events.freebusy", "calendar.freebusy", "calendar.readonly")
_SETTINGS = ("calendar", "calendar.readonly", "calendar.settings", "calendar.settings.readonly")
_COLORS = (
    "calendar",
    "calendar.app.created",
    "calendar.calendarlist",
    "calendar.calendarlist.readonly",
    "calendar.events.freebusy",
    "calendar.events.owned",
    "calendar.events.owned.readonly",
    "calendar.events.public.readonly",
    "calendar.readonly",
)


@dataclass(slots=True)
class Context:
    """A call that has passed the door: whose it is, and what its token allows."""

    call: Call
    email: str
    token: AccessToken
    scopes: tuple[str, ...]

    @property
    def json(self) -> dict[str, Any]:
        """:raises ApiError: 400 for a body that is no JSON object."""
        try:
            content = json.loads(self.call.body or b"{}")
        except ValueError as error:
            raise errors.ApiError("parseError") from error
        if not isinstance(content, dict):
            raise errors.ApiError("parseError")
        return content


class CalendarApi:
    """Every method of Calendar v3 that is served here."""

    def __init__(
        self,
        *,
        directory: Directory,
        store: CalendarStore,
        oauth: AuthorizationServer,
        clock: Clock,
        channels: Channels,
    ) -> None:
        self._directory = directory
        self._store = store
        self._oauth = oauth
        self._clock = clock
        self._channels = channels
        # Where an event's htmlLink leads; the server puts its own address here.
        self.link_root = rendering.LINK_ROOT
        self._methods: dict[str, tuple[Callable[..., Answer], tuple[str, ...]]] = {}
        self._map = Map(strict_slashes=False, merge_slashes=False)
        self._add_routes()
        self._routes = self._map.bind("google")

    def answer(self, call: Call) -> Answer:
        """Answer a call below `/calendar/v3`."""
        try:
            return self._answer(_without_override(call))
        except errors.ApiError as error:
            return error_answer(error)

    def email_of(self, call: Call) -> str:
        """Return whose token a call carries, or nothing."""
        token = self._oauth.live_token(call.bearer or "")
        return token.email if token else ""

    def _answer(self, call: Call) -> Answer:
        token = self._oauth.live_token(call.bearer or "")
        if token is None or self._directory.find(token.email) is None:
            raise errors.not_authorized()
        try:
            name, arguments = self._routes.match(call.path.removeprefix(ROOT), method=call.method)
        except HTTPException as error:
            raise errors.ApiError("notFound") from error
        method, scopes = self._methods[name]
        if not token.allows(scopes):
            raise errors.ScopeMissing()
        answer = method(Context(call, token.email, token, scopes), **arguments)
        return _cut(answer, call.query.get("fields"))

    def _add_routes(self) -> None:
        events = "/calendars/<calendar_id>/events"
        listed = "/users/me/calendarList"
        table: list[tuple[str, str, Callable[..., Answer], tuple[str, ...]]] = [
            ("GET", events, self._list_events, _READ_EVENTS),
            ("POST", events, self._insert_event, _WRITE_EVENTS),
            ("POST", f"{events}/import", self._import_event, _WRITE_EVENTS),
            ("POST", f"{events}/watch", self._watch_events, _READ_EVENTS),
            ("POST", "/channels/stop", self._stop_channel, (*_READ_EVENTS, *_READ_LIST, *_SETTINGS)),
            ("GET", f"{events}/<event_id>", self._get_event, _READ_EVENTS),
            ("PATCH", f"{events}/<event_id>", self._patch_event, _WRITE_EVENTS),
            ("PUT", f"{events}/<event_id>", self._update_event, _WRITE_EVENTS),
            ("DELETE", f"{events}/<event_id>", self._delete_event, _WRITE_EVENTS),
            ("GET", f"{events}/<event_id>/instances", self._list_instances, _READ_EVENTS),
            ("POST", f"{events}/<event_id>/move", self._move_event, _MOVE_EVENTS),
            ("GET", listed, self._list_calendars, _READ_LIST),
            ("GET", f"{listed}/<calendar_id>", self._get_listed_calendar, _READ_ONE_OF_LIST),
            ("GET", "/calendars/<calendar_id>", self._get_calendar, _READ_CALENDAR),
            ("POST", "/calendars", self._insert_calendar, _MAKE_CALENDAR),
            ("DELETE", "/calendars/<calendar_id>", self._delete_calendar, _MAKE_CALENDAR),
            ("POST", "/calendars/<calendar_id>/clear", self._clear_calendar, _CLEAR_CALENDAR),
            ("POST", "/freeBusy", self._query_free_busy, _FREE_BUSY),
            ("GET", "/users/me/settings", self._list_settings, _SETTINGS),
            ("GET", "/users/me/settings/<setting>", self._get_setting, _SETTINGS),
            ("GET", "/colors", self._get_colors, _COLORS),
        ]
        for verb, path, method, scopes in table:
            name = method.__name__
            self._methods[name] = (method, scopes)
            self._map.add(Rule(path, endpoint=name, methods=[verb]))

    # Events

    def _list_events(self, context: Context, calendar_id: str) -> Answer:
        calendar, role = self._reach(context, calendar_id)
        args = context.call.query
        zone, limit = _zone(context), _max_attendees(context)
        with self._store.lock:
            table = self._store.table(calendar.id)
            query = listing.read_query(args, store=self._store, table=table)
            etag = f'"p{table.serial:08x}{self._store.epoch}"'
            if context.call.headers.get("If-None-Match") == etag:
                return Answer(status=304, headers={"ETag": etag})
            page = listing.page_of(query, store=self._store, table=table)
            rows = [self._row(copy, role=role, zone=zone, limit=limit, query=query) for copy in page.rows]
            newest = max((copy.updated for copy in table.ordered[-1:]), default=0)
        envelope: Body = {
            "kind": "calendar#events",
            "etag": etag,
            "summary": calendar.summary,
            "description": calendar.description,
            "updated": times.stamp(newest or self._clock.micros()),
            "timeZone": args.get("timeZone") or calendar.time_zone,
            "accessRole": role,
            "defaultReminders": [{"method": "popup", "minutes": 10}] if calendar.primary else [],
        }
        if page.next_page_token:
            envelope["nextPageToken"] = page.next_page_token
        elif page.next_sync_token:
            envelope["nextSyncToken"] = page.next_sync_token
        # The rows are kept as text: a page of thousands is put together, not rendered.
        body = to_json(envelope)[:-1] + b',"items":[' + b",".join(rows) + b"]}"
        return json_answer(body, headers={"ETag": etag})

    def _row(self, copy: Copy, *, role: str, zone: str | None, limit: int | None, query: listing.Query) -> bytes:
        if copy.cancelled and not (query.show_deleted and copy.organized_here and not copy.master_id):
            living = self._store.table(copy.calendar_id).is_living_series(copy.master_id)
            return to_json(rendering.stub(copy, living_series=living))
        if _hides_details(copy, role):
            return to_json(rendering.busy_block(copy, zone=zone))
        return self._text(copy, zone=zone, limit=limit)

    def _text(self, copy: Copy, *, zone: str | None = None, limit: int | None = None) -> bytes:
        """Return an event as an answer has it, kept for the next time where nothing special is asked for."""
        if zone is not None or limit is not None or copy.order < 0:
            return to_json(rendering.full(copy, link_root=self.link_root, zone=zone, max_attendees=limit))
        if copy.rendered is None:
            copy.rendered = to_json(rendering.full(copy, link_root=self.link_root))
        return copy.rendered

    def render(self, calendar_id: str) -> None:
        """Put the answers about a calendar together now, so that its first list is as quick as the next."""
        with self._store.lock:
            for copy in self._store.table(calendar_id).ordered:
                if not copy.cancelled:
                    self._text(copy)

    def shown(self, copy: Copy, *, role: str = "owner", zone: str | None = None, limit: int | None = None) -> Body:
        """Return an event as `get` shows it."""
        table = self._store.table(copy.calendar_id)
        if copy.cancelled and (copy.bare or copy.master_id):
            return rendering.stub(copy, living_series=table.is_living_series(copy.master_id))
        if _hides_details(copy, role):
            return rendering.busy_block(copy, zone=zone)
        return rendering.full(copy, link_root=self.link_root, zone=zone, max_attendees=limit)

    def _get_event(self, context: Context, calendar_id: str, event_id: str) -> Answer:
        calendar, role = self._reach(context, calendar_id)
        with self._store.lock:
            copy = self._store.get(calendar_id=calendar.id, event_id=event_id)
            if context.call.headers.get("If-None-Match") == copy.etag:
                return Answer(status=304, headers={"ETag": copy.etag})
            return self._event_answer(copy, context, role=role)

    def _insert_event(self, context: Context, calendar_id: str) -> Answer:
        calendar = self._reach_to_write(context, calendar_id)
        copy = self._store.insert(calendar=calendar, raw=context.json, write=_write(context))
        return self._event_answer(copy, context)

    def _import_event(self, context: Context, calendar_id: str) -> Answer:
        calendar = self._reach_to_write(context, calendar_id)
        copy = self._store.import_event(calendar=calendar, raw=context.json, write=_write(context))
        return self._event_answer(copy, context)

    def _patch_event(self, context: Context, calendar_id: str, event_id: str) -> Answer:
        return self._change_event(context, calendar_id, event_id, replace=False)

    def _update_event(self, context: Context, calendar_id: str, event_id: str) -> Answer:
        return self._change_event(context, calendar_id, event_id, replace=True)

    def _change_event(self, context: Context, calendar_id: str, event_id: str, *, replace: bool) -> Answer:
        calendar = self._reach_to_write(context, calendar_id)
        copy = self._store.change_event(
            calendar=calendar, event_id=event_id, sent=context.json, write=_write(context), replace=replace
        )
        return self._event_answer(copy, context)

    def _delete_event(self, context: Context, calendar_id: str, event_id: str) -> Answer:
        calendar = self._reach_to_write(context, calendar_id)
        self._store.delete(calendar=calendar, event_id=event_id, write=_write(context))
        return Answer(status=204)

    def _list_instances(self, context: Context, calendar_id: str, event_id: str) -> Answer:
        calendar, role = self._reach(context, calendar_id)
        zone, limit = _zone(context), _max_attendees(context)
        with self._store.lock:
            master = self._store.get(calendar_id=calendar.id, event_id=event_id)
            table = self._store.table(calendar.id)
            rows, token = listing.instances_of(master, table=table, args=context.call.query)
            items = [self.shown(row, role=role, zone=zone, limit=limit) for row in rows]
        content: Body = {
            "kind": "calendar#events",
            "etag": master.etag,
            "summary": calendar.summary,
            "description": calendar.description,
            "updated": times.stamp(master.updated),
            "timeZone": zone or calendar.time_zone,
            "accessRole": role,
            "defaultReminders": [{"method": "popup", "minutes": 10}] if calendar.primary else [],
        }
        if token:
            content["nextPageToken"] = token
        return json_answer(content | {"items": items})

    def _move_event(self, context: Context, calendar_id: str, event_id: str) -> Answer:
        calendar = self._reach_to_write(context, calendar_id)
        wanted = context.call.query.get("destination")
        if not wanted:
            raise errors.ApiError("required", "Required", location="destination")
        destination = self._reach_to_write(context, wanted)
        copy = self._store.move(calendar=calendar, event_id=event_id, destination=destination, write=_write(context))
        return self._event_answer(copy, context)

    def _watch_events(self, context: Context, calendar_id: str) -> Answer:
        calendar, _ = self._reach(context, calendar_id)
        answer = self._channels.watch(
            calendar_id=calendar.id,
            raw=context.json,
            email=context.email,
            client_id=context.token.client_id,
            root=self.link_root,
        )
        return json_answer(answer)

    def _stop_channel(self, context: Context) -> Answer:
        raw = context.json
        self._channels.stop(
            channel_id=str(raw.get("id", "")),
            resource_id=str(raw.get("resourceId", "")),
            email=context.email,
            client_id=context.token.client_id,
        )
        return Answer(status=204)

    def _event_answer(self, copy: Copy, context: Context, *, role: str = "owner") -> Answer:
        zone, limit = _zone(context), _max_attendees(context)
        with self._store.lock:
            etag = copy.etag
            if copy.cancelled or _hides_details(copy, role):
                return json_answer(self.shown(copy, role=role, zone=zone, limit=limit), headers={"ETag": etag})
            return json_answer(self._text(copy, zone=zone, limit=limit), headers={"ETag": etag})

    # Calendars

    def _list_calendars(self, context: Context) -> Answer:
        args = context.call.query
        size = listing.page_size(args, default=100, largest=250)
        rows = [self._listed(calendar, role, context) for calendar, role in self._directory.calendars_of(context.email)]
        etag = _etag(rows)
        if token := args.get("syncToken"):
            if "minAccessRole" in args or args.get("showHidden") == "false":
                raise errors.ApiError("badRequest", location="syncToken")
            rows = [] if _token_field(token, "etag", "syncToken") == etag else rows
        offset = int(_token_field(args["pageToken"], "offset", "pageToken")) if "pageToken" in args else 0
        page = rows[offset : offset + size]
        content: Body = {"kind": "calendar#calendarList", "etag": etag}
        if offset + size < len(rows):
            content["nextPageToken"] = tokens.encode({"offset": offset + size})
        else:
            content["nextSyncToken"] = tokens.encode({"etag": etag})
        return json_answer(content | {"items": page})

    def _get_listed_calendar(self, context: Context, calendar_id: str) -> Answer:
        calendar, role = self._reach(context, calendar_id)
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

    def _get_calendar(self, context: Context, calendar_id: str) -> Answer:
        calendar, _ = self._reach(context, calendar_id)
        return json_answer(_calendar_resource(calendar))

    def _insert_calendar(self, context: Context) -> Answer:
        raw = context.json
        if not raw.get("summary"):
            raise errors.required("Missing title.")
        with self._store.lock:
            calendar = self._directory.add_calendar(
                owner=context.email, summary=str(raw["summary"]), time_zone=raw.get("timeZone")
            )
            calendar.description = str(raw.get("description") or "")
        return json_answer(_calendar_resource(calendar))

    def _delete_calendar(self, context: Context, calendar_id: str) -> Answer:
        calendar, role = self._reach(context, calendar_id)
        if calendar.primary:
            raise errors.invalid("Cannot delete a primary calendar.")
        if role != "owner":
            raise errors.ApiError("requiredAccessLevel", "You need to have owner access to this calendar.")
        calendar.deleted = True
        return Answer(status=204)

    def _clear_calendar(self, context: Context, calendar_id: str) -> Answer:
        calendar = self._reach_to_write(context, calendar_id)
        if not calendar.primary:
            raise errors.invalid("Only a primary calendar can be cleared.")
        self._store.clear_calendar(calendar=calendar, write=Write(by=context.email))
        return Answer(status=204)

    # The rest

    def _query_free_busy(self, context: Context) -> Answer:
        raw = context.json
        start = times.query_moment(raw.get("timeMin"), name="timeMin")
        end = times.query_moment(raw.get("timeMax"), name="timeMax")
        if end <= start:
            raise errors.ApiError("timeRangeEmpty", location="timeMax")
        items = [str(item.get("id", "")) for item in raw.get("items") or []]
        if len(items) > 50:
            raise errors.invalid(location="items")
        return json_answer(
            {
                "kind": "calendar#freeBusy",
                "timeMin": _utc_text(start),
                "timeMax": _utc_text(end),
                "calendars": {each: self._busy(context, each, start, end) for each in items},
            }
        )

    def _busy(self, context: Context, calendar_id: str, start: int, end: int) -> Body:
        try:
            calendar, _ = self._directory.calendar_for(calendar_id=calendar_id, email=context.email)
        except errors.ApiError:
            return {"errors": [{"domain": "global", "reason": "notFound"}], "busy": []}
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
        return {"busy": [{"start": _utc_text(max(a, start)), "end": _utc_text(min(b, end))} for a, b in merged]}

    def _list_settings(self, context: Context) -> Answer:
        items = [_setting(name, value) for name, value in self._settings(context).items()]
        return json_answer({"kind": "calendar#settings", "etag": '"p1"', "items": items})

    def _get_setting(self, context: Context, setting: str) -> Answer:
        settings = self._settings(context)
        if setting not in settings:
            raise errors.ApiError("notFound")
        return json_answer(_setting(setting, settings[setting]))

    def _settings(self, context: Context) -> dict[str, str]:
        account = self._directory.accounts[context.email]
        return {
            "timezone": account.time_zone,
            "locale": "en",
            "weekStart": "1",
            "format24HourTime": "true",
            "defaultEventLength": "60",
        }

    def _get_colors(self, context: Context) -> Answer:
        palette = {str(number): {"background": "#a4bdfc", "foreground": "#1d1d1d"} for number in range(1, 25)}
        events = {number: color for number, color in palette.items() if int(number) <= 11}
        return json_answer({"kind": "calendar#colors", "calendar": palette, "event": events})

    # Rights

    def _reach(self, context: Context, calendar_id: str) -> tuple[Calendar, str]:
        """:raises ApiError: 404 for a calendar the person does not have, 403 if the scope is for other calendars."""
        calendar, role = self._directory.calendar_for(calendar_id=calendar_id, email=context.email)
        fitting = [
            scope
            for scope in context.scopes
            if not (scope == "calendar.app.created" and calendar.primary)
            and not (".owned" in scope and role != "owner")
        ]
        if not context.token.allows(fitting):
            raise errors.ScopeMissing()
        return calendar, role

    def _reach_to_write(self, context: Context, calendar_id: str) -> Calendar:
        """:raises ApiError: 403 for somebody who may only read, too."""
        calendar, role = self._reach(context, calendar_id)
        if role not in _CAN_WRITE:
            raise errors.ApiError("requiredAccessLevel")
        return calendar


def _without_override(call: Call) -> Call:
    """Long GETs arrive as POST with the query in the body."""
    wanted = call.headers.get("X-HTTP-Method-Override", "").upper()
    if not wanted or call.method != "POST":
        return call
    form = call.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded")
    if wanted == "GET" and form:
        query = MultiDict(parse_qsl(call.body.decode(), keep_blank_values=True))
        query.update(call.query)
        return Call(method="GET", path=call.path, query=query, headers=call.headers)
    return Call(method=wanted, path=call.path, query=call.query, headers=call.headers, body=call.body)


def _cut(answer: Answer, selection: str | None) -> Answer:
    if not selection or not answer.body or answer.status != 200:
        return answer
    answer.body = to_json(partial.cut(json.loads(answer.body), selection))
    return answer


def _write(context: Context) -> Write:
    args = context.call.query
    updates = args.get("sendUpdates")
    if updates not in (None, "all", "externalOnly", "none"):
        raise errors.invalid(location="sendUpdates")
    if updates is None:
        updates = "all" if args.get("sendNotifications") == "true" else "none"
    return Write(
        by=context.email,
        send_updates=updates,
        if_match=context.call.headers.get("If-Match"),
        conference=args.get("conferenceDataVersion") == "1",
        attachments=args.get("supportsAttachments") == "true",
    )


def _zone(context: Context) -> str | None:
    name = context.call.query.get("timeZone")
    if name is None:
        return None
    try:
        times.zone(name)
    except ValueError as error:
        raise errors.invalid(location="timeZone") from error
    return name


def _max_attendees(context: Context) -> int | None:
    value = context.call.query.get("maxAttendees")
    if value is None:
        return None
    if not value.isdecimal() or int(value) < 1:
        raise errors.invalid(location="maxAttendees")
    return int(value)


def _hides_details(copy: Copy, role: str) -> bool:
    if role == "freeBusyReader":
        return True
    return role == "reader" and copy.body.get("visibility") in ("private", "confidential")


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


def _utc_text(seconds: int) -> str:
    return times.in_utc(datetime.fromtimestamp(seconds, UTC))


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
