"""
Google's own description of Calendar v3, as google-api-python-client brings it along: methods, scopes, parameters.

What does not fit it is refused here, before any call is carried out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from werkzeug.datastructures import MultiDict

from google_emulator import errors

Schema = Mapping[str, Any]
_SCOPE_ROOT = "https://www.googleapis.com/auth/"


@dataclass(frozen=True, slots=True)
class Method:
    """One method of the interface. Scopes are without their common beginning."""

    id: str
    verb: str
    # As a route: `/calendars/<calendar_id>/events`.
    path: str
    scopes: tuple[str, ...]
    parameters: Mapping[str, Schema]
    # Name of the body's schema, or nothing.
    body: str

    def check_query(self, query: MultiDict[str, str]) -> None:
        """
        Check the parameters that the method knows; Google takes no notice of others.

        :raises ApiError: 400 for a value that does not fit, or a missing one.
        """
        for name, schema in self.parameters.items():
            if schema["location"] != "query":
                continue
            if schema.get("required") and not query.get(name):
                raise errors.ApiError("required", f"Required parameter: {name}", location=name)
            for text in query.getlist(name):
                _check_parameter(name, text, schema)

    def check_body(self, content: Mapping[str, Any]) -> None:
        """:raises ApiError: 400 for a field of the wrong type; Google takes no notice of unknown ones."""
        if self.body:
            _check_value(content, {"$ref": self.body}, where="")


def methods() -> dict[str, Method]:
    """Return all methods by their ids, such as `events.list`."""
    document = _document()
    found = {}
    for resource in document["resources"].values():
        for raw in resource.get("methods", {}).values():
            method = _method(raw, common=document["parameters"])
            found[method.id] = method
    return found


@cache
def _document() -> dict[str, Any]:
    text = (files("googleapiclient") / "discovery_cache" / "documents" / "calendar.v3.json").read_text("utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


def _method(raw: Schema, *, common: Mapping[str, Schema]) -> Method:
    return Method(
        id=raw["id"].removeprefix("calendar."),
        verb=raw["httpMethod"],
        path="/" + re.sub(r"{(\w+)}", lambda match: f"<{_in_snake_case(match[1])}>", raw["path"]),
        scopes=tuple(scope.removeprefix(_SCOPE_ROOT) for scope in raw["scopes"]),
        parameters={**common, **raw.get("parameters", {})},
        body=raw.get("request", {}).get("$ref", ""),
    )


def _in_snake_case(name: str) -> str:
    return re.sub(r"[A-Z]", lambda match: "_" + match[0].lower(), name)


def _check_parameter(name: str, text: str, schema: Schema) -> None:
    wrong = ""
    if "enum" in schema and text not in schema["enum"]:
        wrong = f"Invalid value '{text}'. Allowed values: [{', '.join(schema['enum'])}]"
    elif schema["type"] == "boolean" and text.lower() not in ("true", "false"):
        wrong = f"Invalid boolean value: '{text}'."
    elif schema["type"] == "integer":
        wrong = _wrong_about_integer(text, schema)
    if wrong:
        raise errors.ApiError("invalidParameter", wrong, location=name)


def _wrong_about_integer(text: str, schema: Schema) -> str:
    if not re.fullmatch(r"-?\d{1,18}", text):
        return f"Invalid integer value: '{text}'."
    low, high = int(schema.get("minimum", -(2**31))), int(schema.get("maximum", 2**31 - 1))
    if low <= int(text) <= high:
        return ""
    return f"Invalid value '{text}'. Values must be within the range: [{low}, {high}]"


def _check_value(value: Any, schema: Schema, *, where: str) -> None:
    if value is None:
        return
    if "$ref" in schema:
        schema = _document()["schemas"][schema["$ref"]]
    if not _fits(value, schema):
        raise errors.invalid(location=where)
    if schema["type"] == "array":
        for each in value:
            _check_value(each, schema["items"], where=where)
    elif schema["type"] == "object":
        known, others = schema.get("properties", {}), schema.get("additionalProperties")
        for name, each in value.items():
            below = known.get(name, others)
            if below is not None:
                _check_value(each, below, where=f"{where}.{name}" if where else name)


def _fits(value: Any, schema: Schema) -> bool:
    match schema["type"]:
        case "string":
            # Long numbers travel as text; a bare number is taken, too.
            return isinstance(value, str) or (schema.get("format") == "int64" and type(value) is int)
        case "integer":
            return type(value) is int and -(2**31) <= value < 2**31
        case "boolean":
            return isinstance(value, bool)
        case "array":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
    return True
