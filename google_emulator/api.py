"""Calendar v3: which call leads to which method, with which rights. Answers calls; knows nothing of sockets."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from google_emulator import discovery, errors, partial
from google_emulator.access import Context, read_body
from google_emulator.accounts import Directory
from google_emulator.calendars_api import CalendarsApi
from google_emulator.events_api import EventsApi
from google_emulator.messages import Answer, Call, error_answer
from google_emulator.oauth import AuthorizationServer
from google_emulator.quota import Quotas
from google_emulator.rendering import to_json

ROOT = "/calendar/v3"


class CalendarApi:
    """Every method of Calendar v3 that is served here."""

    def __init__(
        self,
        *,
        directory: Directory,
        oauth: AuthorizationServer,
        quotas: Quotas,
        events: EventsApi,
        calendars: CalendarsApi,
    ) -> None:
        self._directory = directory
        self._oauth = oauth
        self._quotas = quotas
        self._handlers: dict[str, Callable[..., Answer]] = {
            "events.list": events.list_events,
            "events.get": events.get_event,
            "events.insert": events.insert_event,
            "events.import": events.import_event,
            "events.patch": events.patch_event,
            "events.update": events.update_event,
            "events.delete": events.delete_event,
            "events.move": events.move_event,
            "events.instances": events.list_instances,
            "events.watch": events.watch_events,
            "channels.stop": events.stop_channel,
            "calendarList.list": calendars.list_calendars,
            "calendarList.get": calendars.get_listed_calendar,
            "calendars.get": calendars.get_calendar,
            "calendars.insert": calendars.insert_calendar,
            "calendars.delete": calendars.delete_calendar,
            "calendars.clear": calendars.clear_calendar,
            "freebusy.query": calendars.query_free_busy,
            "settings.list": calendars.list_settings,
            "settings.get": calendars.get_setting,
            "colors.get": calendars.get_colors,
        }
        documented = discovery.methods()
        self._methods = {name: documented[name] for name in self._handlers}
        rules = [Rule(each.path, endpoint=name, methods=[each.verb]) for name, each in self._methods.items()]
        self._routes = Map(rules, strict_slashes=False, merge_slashes=False).bind("google")

    @property
    def served(self) -> list[str]:
        """Return the ids of the methods that are served."""
        return list(self._handlers)

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
        name, arguments = self._route(call)
        method = self._methods[name]
        if not token.allows(method.scopes):
            raise errors.ScopeMissing()
        user = call.query.get("quotaUser") or token.email
        self._quotas.spend(user=user, client_id=token.client_id, verb=call.method)
        method.check_query(call.query)
        content = read_body(call) if method.body else {}
        method.check_body(content)
        context = Context(call, token.email, token, method, self._directory, content)
        return _cut(self._handlers[name](context, **arguments), call.query.get("fields"))

    def _route(self, call: Call) -> tuple[str, dict[str, Any]]:
        try:
            name, arguments = self._routes.match(call.path.removeprefix(ROOT), method=call.method)
        except HTTPException as error:
            raise errors.ApiError("notFound") from error
        return name, dict(arguments)


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
