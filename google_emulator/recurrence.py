"""Occurrences of a repeating event: wall-clock time of its zone, RFC 5545 lines as Google keeps them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice

from dateutil.rrule import rruleset, rrulestr

from google_emulator import times
from google_emulator.times import When

# Google stops expanding an endless rule after about this many occurrences.
ENDLESS_LIMIT = 730
_LINE = re.compile(r"(RRULE|RDATE|EXDATE|EXRULE)([;:].+)$", re.IGNORECASE)


class InvalidRule(Exception):
    """The recurrence lines make no sense."""


def occurrences(start: When, lines: Sequence[str]) -> Iterator[When]:
    """
    Yield the start of every occurrence in order; an endless rule never ends.

    :raises InvalidRule: if a line cannot be read.
    """
    first = _local_start(start)
    for moment in _rule_set(first, lines, start):
        yield _as_when(moment, start)


def first_occurrences(start: When, lines: Sequence[str], *, before: datetime | None, zone_name: str) -> list[When]:
    """Return the occurrences that begin before a moment, or Google's bounded number when there is no bound."""
    if before is None:
        bound = ENDLESS_LIMIT if is_endless(lines) else None
        return list(islice(occurrences(start, lines), bound))
    found = []
    for when in occurrences(start, lines):
        if times.instant(when, calendar_zone=zone_name) >= before:
            break
        found.append(when)
    return found


def check(start: When, lines: Sequence[str]) -> None:
    """:raises InvalidRule: if the lines cannot be used with this start."""
    next(occurrences(start, lines), None)


def is_endless(lines: Sequence[str]) -> bool:
    """Return whether some rule has neither COUNT nor UNTIL."""
    rules = [line.upper() for line in lines if line.upper().startswith("RRULE")]
    return any("COUNT=" not in rule and "UNTIL=" not in rule for rule in rules)


def occurs_at(start: When, lines: Sequence[str], wanted: When) -> bool:
    for when in occurrences(start, lines):
        if _key(when) >= _key(wanted):
            return _key(when) == _key(wanted)
    return False


def instance_suffix(when: When) -> str:
    """Return what Google puts behind `<master>_` to name an occurrence: its original start in UTC, or its day."""
    if "date" in when:
        return when["date"].replace("-", "")
    return datetime.fromisoformat(when["dateTime"]).strftime("%Y%m%dT%H%M%SZ")


def start_of_suffix(suffix: str, master_start: When) -> When | None:
    """Return the original start that a suffix names, or None if it names none for this series."""
    try:
        if "date" in master_start:
            return {"date": _read(suffix, "%Y%m%d").date().isoformat()}
        moment = _read(suffix, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    return {"dateTime": times.in_utc(moment), "timeZone": master_start["timeZone"]}


def until_before(when: When) -> str:
    """Return the UNTIL that ends a series before the local day of an occurrence, as Google's page writes it."""
    if "date" in when:
        return (date.fromisoformat(when["date"]) - timedelta(days=1)).strftime("%Y%m%d")
    local = datetime.fromisoformat(when["dateTime"]).astimezone(times.zone(when["timeZone"]))
    midnight = local.replace(hour=0, minute=0, second=0)
    return (midnight.astimezone(UTC) - timedelta(seconds=1)).strftime("%Y%m%dT%H%M%SZ")


def divided(start: When, lines: Sequence[str], at: When) -> tuple[list[str], list[str]]:
    """Return the lines of a series before an occurrence, and those from it on; a count is shared between them."""
    first, cut = _local_start(start), _local_start(at)
    before, after = [], []
    for line in lines:
        name = line.upper().partition(":")[0].partition(";")[0]
        if name == "RRULE":
            past, goes_on = _around(line, start=start, first=first, cut=cut)
            before.append(_ended(line, at) if goes_on else line)
            after += [_counted_on(line, past)] if goes_on else []
        elif name == "RDATE":
            head, _, values = line.partition(":")
            dates = [(value, next(_moments(f"{head[5:]}:{value}", start, first))) for value in values.split(",")]
            for part, kept in (
                (before, [value for value, moment in dates if moment < cut]),
                (after, [value for value, moment in dates if moment > cut]),
            ):
                part += [f"{head}:{','.join(kept)}"] if kept else []
        else:
            before.append(line)
            after.append(line)
    return before, after


def _around(line: str, *, start: When, first: datetime, cut: datetime) -> tuple[int, bool]:
    """Return how often a rule hits before a moment, and whether it does so from then on."""
    past = 0
    for moment in rrulestr(_naive_rule(line[6:], start), dtstart=first):
        if moment >= cut:
            return past, True
        past += 1
    return past, False


def _ended(line: str, at: When) -> str:
    """Return a rule that ends before an occurrence."""
    parts = [part for part in line[6:].split(";") if not part.upper().startswith(("UNTIL=", "COUNT="))]
    return "RRULE:" + ";".join([*parts, f"UNTIL={until_before(at)}"])


def _counted_on(line: str, past: int) -> str:
    parts = line.split(";")
    return ";".join(f"COUNT={int(part[6:]) - past}" if part.upper().startswith("COUNT=") else part for part in parts)


def _key(when: When) -> str:
    return when.get("date") or when["dateTime"]


def _local_start(start: When) -> datetime:
    if "date" in start:
        return datetime.combine(date.fromisoformat(start["date"]), time())
    moment = datetime.fromisoformat(start["dateTime"])
    return moment.astimezone(times.zone(start["timeZone"])).replace(tzinfo=None)


def _as_when(moment: datetime, start: When) -> When:
    if "date" in start:
        return {"date": moment.date().isoformat()}
    aware = moment.replace(tzinfo=times.zone(start["timeZone"]))
    return {"dateTime": times.in_utc(aware), "timeZone": start["timeZone"]}


def _rule_set(first: datetime, lines: Sequence[str], start: When) -> rruleset:
    result = rruleset()
    result.rdate(first)  # The start is an occurrence even where the rule does not hit it.
    for line in lines:
        match = _LINE.match(line)
        if match is None:
            raise InvalidRule(line)
        name, rest = match[1].upper(), match[2]
        try:
            if name in ("RRULE", "EXRULE"):
                rule = rrulestr(_naive_rule(rest[1:], start), dtstart=first)
                (result.rrule if name == "RRULE" else result.exrule)(rule)
            else:
                for moment in _moments(rest, start, first):
                    (result.rdate if name == "RDATE" else result.exdate)(moment)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InvalidRule(line) from error
    return result


def _naive_rule(rule: str, start: When) -> str:
    """Return a rule whose UNTIL is local like the start it is used with."""
    parts = dict(part.split("=", 1) for part in rule.upper().rstrip(";").split(";"))
    if "FREQ" not in parts or ("UNTIL" in parts and "COUNT" in parts):
        raise ValueError(rule)
    if int(parts.get("INTERVAL", "1")) < 1 or int(parts.get("COUNT", "1")) < 1:
        raise ValueError(rule)
    if until := parts.get("UNTIL"):
        last = _moment(until, start)
        if len(until) == 8:  # A bare day means all of it.
            last = last.replace(hour=23, minute=59, second=59)
        parts["UNTIL"] = last.strftime("%Y%m%dT%H%M%S")
    return ";".join(f"{name}={value}" for name, value in parts.items())


def _moments(rest: str, start: When, first: datetime) -> Iterator[datetime]:
    parameters, _, values = rest.rpartition(":")
    zone_match = re.search(r"TZID=([^;:]+)", parameters, re.IGNORECASE)
    for value in values.split(","):
        moment = _moment(value.split("/")[0], start, zone_name=zone_match[1] if zone_match else None)
        if len(value) == 8 and "date" not in start:  # A bare day names the occurrence of that day.
            moment = datetime.combine(moment.date(), first.time())
        yield moment


def _moment(text: str, start: When, *, zone_name: str | None = None) -> datetime:
    """Return a date or moment of a line as local naive time of the series."""
    if len(text) == 8:
        return _read(text, "%Y%m%d")
    if "date" in start:
        return _read(text[:8], "%Y%m%d")
    home = times.zone(start["timeZone"])
    moment = _read(text.rstrip("Z"), "%Y%m%dT%H%M%S")
    if text.endswith("Z"):
        return moment.replace(tzinfo=UTC).astimezone(home).replace(tzinfo=None)
    if zone_name:
        return moment.replace(tzinfo=times.zone(zone_name)).astimezone(home).replace(tzinfo=None)
    return moment


def _read(text: str, pattern: str) -> datetime:
    return datetime.strptime(text, pattern)  # noqa: DTZ007  Rules are about the clock on the wall.
