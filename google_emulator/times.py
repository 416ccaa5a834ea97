"""Start and end of an event: reading what a client sent, comparing, showing in a zone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from google_emulator import errors

# A stored time: {"date": "2026-04-01"} or {"dateTime": "2026-04-01T08:00:00Z", "timeZone": "Europe/Berlin"}.
When = dict[str, str]

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}$")
_DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?([Zz]|[+-]\d{2}:\d{2})?$")


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """:raises ValueError: if there is no such IANA zone."""
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:
        raise ValueError(name) from error


def parse_moment(text: str, *, default_zone: str | None = None) -> datetime:
    """
    Return an RFC 3339 moment in UTC, whole seconds.

    :raises ValueError: if it is not one, or has no offset and there is no zone to take it from.
    """
    if not isinstance(text, str) or not _DATE_TIME.match(text):
        raise ValueError(text)
    moment = datetime.fromisoformat(text.upper().replace(" ", "T")).replace(microsecond=0)
    if moment.tzinfo is None:
        if default_zone is None:
            raise ValueError(text)
        moment = moment.replace(tzinfo=zone(default_zone))
    return moment.astimezone(UTC)


def checked(raw: object, *, side: str, calendar_zone: str, repeats: bool) -> When:
    """
    Return a start or an end as it is stored.

    :param side: "start" or "end", for the message.
    :param repeats: whether the event has a recurrence; a timed one then needs a zone of its own.
    :raises ApiError: 400 as Google words it.
    """
    if raw is None or raw == {}:
        raise errors.required(f"Missing {side} time.")
    if not isinstance(raw, Mapping):
        raise errors.invalid(f"Invalid {side} time.")
    day, moment, zone_name = raw.get("date"), raw.get("dateTime"), raw.get("timeZone")
    if not day and not moment:
        raise errors.required(f"Missing {side} time.")
    if day and moment:
        raise errors.invalid(f"Invalid {side} time.")
    if day:
        return {"date": _checked_date(day, side=side)}
    return _checked_moment(str(moment), zone_name, side=side, calendar_zone=calendar_zone, repeats=repeats)


def _checked_date(day: object, *, side: str) -> str:
    if not isinstance(day, str) or not _DATE.match(day):
        raise errors.invalid(f"Invalid {side} time.")
    try:
        return date.fromisoformat(day).isoformat()
    except ValueError as error:
        raise errors.invalid(f"Invalid {side} time.") from error


def _checked_moment(text: str, zone_name: object, *, side: str, calendar_zone: str, repeats: bool) -> When:
    if zone_name is not None:
        try:
            zone(str(zone_name))
        except ValueError as error:
            raise errors.invalid(f"Invalid time zone definition for {side} time.") from error
    has_offset = bool(re.search(r"([Zz]|[+-]\d{2}:\d{2})$", text))
    if zone_name is None and (repeats or not has_offset):
        raise errors.required(f"Missing time zone definition for {side} time.")
    try:
        moment = parse_moment(text, default_zone=str(zone_name) if zone_name else None)
    except (ValueError, OverflowError) as error:
        raise errors.invalid(f"Invalid {side} time.") from error
    return {"dateTime": in_utc(moment), "timeZone": str(zone_name or calendar_zone)}


def check_order(start: When, end: When) -> None:
    """:raises ApiError: 400 if one is a day and the other a moment, or the end is not after the start."""
    if ("date" in start) != ("date" in end):
        raise errors.invalid("Start and end times must either both be date or both be dateTime.")
    # A timed event may have no length at all; an all-day one lasts a day at least.
    empty = end["date"] <= start["date"] if "date" in start else end["dateTime"] < start["dateTime"]
    if empty:
        raise errors.ApiError("timeRangeEmpty", location="timeMax")


def in_utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def instant(when: When, *, calendar_zone: str) -> datetime:
    """Return when a start or end is, in UTC. A day begins at midnight of the calendar's zone."""
    if "date" in when:
        return datetime.combine(date.fromisoformat(when["date"]), time(), zone(calendar_zone)).astimezone(UTC)
    return datetime.fromisoformat(when["dateTime"])


def seconds(when: When, *, calendar_zone: str) -> int:
    return int(instant(when, calendar_zone=calendar_zone).timestamp())


def shown(when: When, *, zone_name: str) -> When:
    """Return a stored time as an answer has it: with the offset of the zone asked for, the own zone's name kept."""
    if "date" in when:
        return dict(when)
    local = datetime.fromisoformat(when["dateTime"]).astimezone(zone(zone_name))
    text = local.isoformat()
    return {"dateTime": text[:-6] + "Z" if text.endswith("+00:00") else text, "timeZone": when["timeZone"]}


def shifted(when: When, *, by: timedelta) -> When:
    """Return a time moved by a span of absolute time (days for a day)."""
    if "date" in when:
        return {"date": (date.fromisoformat(when["date"]) + by).isoformat()}
    return {"dateTime": in_utc(datetime.fromisoformat(when["dateTime"]) + by), "timeZone": when["timeZone"]}


def stamp(micros: int) -> str:
    """Return microseconds since 1970 as Google writes `updated`: UTC with milliseconds."""
    return f"{_second(micros // 1_000_000)}.{micros % 1_000_000 // 1000:03d}Z"


@lru_cache(maxsize=256)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def query_moment(value: Any, *, name: str) -> int:
    """Return a query's timeMin, timeMax or updatedMin in seconds. :raises ApiError: 400 if it is not RFC 3339."""
    try:
        return int(parse_moment(str(value)).timestamp())
    except (ValueError, OverflowError) as error:
        raise errors.ApiError("badRequest", location=name) from error
