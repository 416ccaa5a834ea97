"""Requests held against Google's discovery document: what does not fit is refused, what is read-only ignored."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from googleapiclient.discovery_cache import get_static_doc

from .conftest import ANNA, PETER, SCOPE
from .helpers import get, guests, insert, patch, put, refused, timed

DOCUMENT = json.loads(get_static_doc("calendar", "v3"))
METHODS = {
    method["id"].removeprefix("calendar."): method
    for resource in DOCUMENT["resources"].values()
    for method in resource.get("methods", {}).values()
}
NOT_SERVED = {
    *(name for name in METHODS if name.startswith("acl.")),
    "calendarList.delete",
    "calendarList.insert",
    "calendarList.patch",
    "calendarList.update",
    "calendarList.watch",
    "calendars.patch",
    "calendars.transferOwnership",
    "calendars.update",
    "events.quickAdd",
    "settings.watch",
}
SERVED = sorted(METHODS.keys() - NOT_SERVED)
EVENT = DOCUMENT["schemas"]["Event"]["properties"]
# A value of the wrong type for each type.
WRONG: dict[str, Any] = {"string": 5, "boolean": "yes", "integer": "many", "array": {"a": 1}, "object": [1]}


@pytest.fixture
def send(google):
    """Return a way to send any request, the address's placeholders filled in."""
    token = google.grant(ANNA, [f"{SCOPE}calendar"])["access_token"]

    def send_it(name: str, *, query: dict[str, Any] | None = None, body: Any = None) -> requests.Response:
        method = METHODS[name]
        path = method["path"].format(calendarId="primary", eventId="aaaaa", setting="locale", ruleId="x")
        return requests.request(
            method["httpMethod"],
            f"{google.url}/calendar/v3/{path}",
            params=query,
            json=body if "request" in method else None,
            headers={"Authorization": f"Bearer {token}"},
            timeout=5,
        )

    return send_it


def test_every_method_is_served_or_known_not_to_be(google, send):
    assert set(google.api.served) == set(SERVED)
    for name in NOT_SERVED:
        assert send(name, body={}).status_code == 404, name


def wrong_values(schema: dict[str, Any]) -> list[str]:
    if "enum" in schema:
        return ["nonsense", schema["enum"][0].upper() + "x"]
    if schema["type"] == "boolean":
        return ["yes", "1"]
    if schema["type"] == "integer":
        too_much = [str(int(schema["maximum"]) + 1)] if "maximum" in schema else []
        too_little = [str(int(schema["minimum"]) - 1)] if "minimum" in schema else []
        return ["many", "1.5", *too_much, *too_little]
    return []


@pytest.mark.parametrize("name", SERVED)
def test_parameters_that_do_not_fit_are_refused(google, send, name):
    parameters = {**DOCUMENT["parameters"], **METHODS[name].get("parameters", {})}
    needed = {"destination": ANNA} if name == "events.move" else {}
    for parameter, schema in parameters.items():
        if schema["location"] != "query":
            continue
        for value in wrong_values(schema):
            answer = send(name, query={**needed, parameter: value}, body={})
            [error] = answer.json()["error"]["errors"]
            assert answer.status_code == 400, (parameter, value)
            assert (error["reason"], error["location"]) == ("invalidParameter", parameter), (parameter, value)
            assert value in error["message"]


def test_a_missing_parameter_is_named(google, send):
    [error] = send("events.move").json()["error"]["errors"]
    assert (error["reason"], error["location"]) == ("required", "destination")


def test_unknown_parameters_are_ignored(google, send):
    assert send("events.list", query={"color": "blue", "maxResults": "9999", "alwaysIncludeEmail": "true"}).ok


@pytest.mark.parametrize("name", sorted(EVENT))
def test_a_field_of_the_wrong_type_is_refused(google, anna, name):
    schema = EVENT[name] if "$ref" not in EVENT[name] else DOCUMENT["schemas"][EVENT[name]["$ref"]]
    event = insert(anna, timed())
    for write in (
        lambda: insert(anna, timed() | {name: WRONG[schema["type"]]}),
        lambda: patch(anna, event["id"], {name: WRONG[schema["type"]]}),
        lambda: put(anna, event["id"], timed() | {name: WRONG[schema["type"]]}),
    ):
        with refused(400, "invalid") as refusal:
            write()
        assert refusal.error["location"] == name
    assert get(anna, event["id"])["etag"] == event["etag"]


@pytest.mark.parametrize(
    ("body", "location"),
    [
        ({"attendees": [{"email": 5}]}, "attendees.email"),
        ({"attendees": [{"email": PETER, "optional": "no"}]}, "attendees.optional"),
        ({"attendees": ["peter@elsewhere.example"]}, "attendees"),
        ({"start": {"dateTime": 1777888800, "timeZone": "UTC"}}, "start.dateTime"),
        ({"reminders": {"overrides": [{"method": "popup", "minutes": "5"}]}}, "reminders.overrides.minutes"),
        ({"extendedProperties": {"private": {"a": 1}}}, "extendedProperties.private.a"),
        ({"recurrence": [None, 5]}, "recurrence"),
    ],
    ids=str,
)
def test_types_are_checked_all_the_way_down(google, anna, body, location):
    with refused(400, "invalid") as refusal:
        insert(anna, timed() | body)
    assert refusal.error["location"] == location


def test_unknown_fields_are_ignored(google, anna):
    assert "mood" not in insert(anna, timed(mood="good", organizer={"mood": "good"}))


def test_read_only_fields_are_ignored(google, anna):
    """All that the document calls read-only, and what belongs to the server by its nature."""
    read_only = {name for name, schema in EVENT.items() if "Read-only" in schema.get("description", "")}
    assert read_only >= {"creator", "hangoutLink", "htmlLink"}
    read_only |= {"kind", "etag", "created", "updated", "locked", "recurringEventId", "originalStartTime"}
    read_only -= {"organizer"}  # Read-only except for an import.
    foreign: dict[str, Any] = {
        "creator": {"email": PETER, "self": False},
        "locked": True,
        "originalStartTime": {"date": "2020-01-01"},
    }
    sent = {name: foreign.get(name, "2020-01-01T00:00:00Z") for name in read_only}
    event = insert(anna, timed(attendees=guests(PETER)))

    for changed in (
        insert(anna, timed(attendees=guests(PETER)) | sent),
        patch(anna, event["id"], sent | {"location": "Here"}),
        put(anna, event["id"], timed(attendees=guests(PETER)) | sent),
    ):
        assert changed["creator"] == {"email": ANNA, "self": True}
        assert all(changed.get(name) != sent[name] for name in read_only)
        assert not {"locked", "hangoutLink", "recurringEventId", "originalStartTime"} & changed.keys()


@pytest.mark.parametrize("name", SERVED)
def test_each_method_wants_one_of_the_scopes_in_the_document(google, send, name):
    """Signed in with a scope that is not among the method's, one is refused before anything else is looked at."""
    every = set(DOCUMENT["auth"]["oauth2"]["scopes"])
    token = google.grant(ANNA, sorted(every - set(METHODS[name]["scopes"])) or ["openid"])["access_token"]
    method = METHODS[name]
    path = method["path"].format(calendarId="primary", eventId="aaaaa", setting="locale")
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{google.url}/calendar/v3/{path}"
    answer = requests.request(method["httpMethod"], url, headers=headers, timeout=5)
    assert answer.status_code == 403
    assert answer.json()["error"]["errors"][0]["reason"] == "insufficientPermissions"
