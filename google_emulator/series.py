"""What a person means who changes one occurrence and wants the change for all of the series."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from google_emulator.events import Body


def is_first(occurrence: Body, master: Body) -> bool:
    """Return whether an occurrence is the one that its series begins with."""
    return _clock(occurrence["originalStartTime"]) == _clock(master["start"])


def for_all(patch: Mapping[str, Any], *, occurrence: Body, master: Body) -> dict[str, Any]:
    """
    Return a change of one occurrence as a change of its series.

    The series begins so many days earlier or later as the occurrence was moved, at the occurrence's new time of day.
    """
    result = dict(patch)
    if "start" not in patch and "end" not in patch:
        return result
    named = {**master["start"], **patch.get("start", {})}
    zone = named.get("timeZone")
    before = _clock(occurrence["start"], zone)
    after = _clock({**occurrence["start"], **patch.get("start", {})}, zone)
    until = _clock({**occurrence["end"], **patch.get("end", {})}, zone)
    day = _clock(master["start"], zone).date() + (after.date() - before.date())
    first = datetime.combine(day, after.time())
    for side, moment in (("start", first), ("end", first + (until - after))):
        if named.get("date"):
            result[side] = {"date": moment.date().isoformat(), "dateTime": None, "timeZone": None}
        else:
            result[side] = {"dateTime": moment.isoformat(), "timeZone": zone, "date": None}
    return result


def _clock(when: Mapping[str, Any], zone: str | None = None) -> datetime:
    """Return what the clock on the wall shows in a zone, by default the one that the time itself names."""
    if not when.get("dateTime"):
        return datetime.combine(date.fromisoformat(when["date"]), time())
    moment = datetime.fromisoformat(when["dateTime"])
    named = ZoneInfo(when.get("timeZone") or zone or "UTC")
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=named)
    return moment.astimezone(ZoneInfo(zone) if zone else named).replace(tzinfo=None)
