"""The Feed of an activity: the log of changes in words."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import Q
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Profile
from activities import recurrence, text, words
from activities.models import Activity, FieldChange, Participant
from activities.recurrence import Pattern

LINES_SHOWN = 100
_CHOICES: dict[str, Any] = {
    "kind": Activity.Kind,
    "category": Activity.Category,
    "status": Activity.Status,
    "priority": Activity.Priority,
    "response": Participant.Response,
}
_PEOPLE = {"owner", "reporter", "organizer"}
_SWITCHES = {"show_in_calendar", "is_private", "show_as_free"}
_TEXTS = {"subject", "location", "result", "result_details", "notes"}
_LONG = {"notes", "result_details"}
_WHOLE = {
    "created": gettext_lazy("made this activity"),
    "deleted": gettext_lazy("deleted it"),
    "restored": gettext_lazy("restored it"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line: who, what in words, when, and whether it came from Google."""

    who: str
    profile: Profile | None
    words: str
    at: datetime
    from_google: bool


def lines_of(activity: Activity, *, zone: zoneinfo.ZoneInfo) -> list[Line]:
    """
    Return the latest lines, newest first. Times are in the reader's zone. What changed a whole series is among them.

    Fields that are somebody's own, such as reminders, are not among those told.
    """
    told = [*_WHOLE, "when", "people", "tags", "attachments", *_CHOICES, *_PEOPLE, *_SWITCHES, *_TEXTS]
    whole = Q(activity__series=activity.series_id, activity__is_series=True) if activity.series_id else Q()
    found = FieldChange.objects.filter(Q(activity=activity) | whole, field__in=told)
    changes = list(found.select_related("by", "activity")[:LINES_SHOWN])
    names = _names_of(changes)
    return [
        Line(
            who=_("Google Calendar") if _is_googles(change) else (change.by.full_name if change.by else _("Somebody")),
            profile=None if _is_googles(change) else change.by,
            words=_words(change, names=names, zone=zone) + (_(", for all") if _is_of_all(change) else ""),
            at=change.at,
            from_google=_is_googles(change),
        )
        for change in changes
    ]


def _is_googles(change: FieldChange) -> bool:
    return change.origin == FieldChange.Origin.GOOGLE


def _names_of(changes: Iterable[FieldChange]) -> dict[int, str]:
    """Return the names of the people the log knows by id."""
    ids = {
        value
        for change in changes
        if change.field in _PEOPLE
        for value in (change.before, change.after)
        if isinstance(value, int)
    }
    return dict(Profile.objects.filter(pk__in=ids).values_list("pk", "full_name")) if ids else {}


def _words(change: FieldChange, *, names: dict[int, str], zone: zoneinfo.ZoneInfo) -> str:
    if change.field in _WHOLE:
        return str(_WHOLE[change.field])
    if change.field == "people":
        return (
            _("added %(name)s") % {"name": change.after}
            if change.after
            else _("removed %(name)s") % {"name": change.before}
        )
    if change.field == "tags":
        sentence = _("put the tag “%(name)s” on") if change.after else _("took the tag “%(name)s” off")
        return sentence % {"name": change.after or change.before}
    if change.field == "attachments":
        sentence = _("added the file “%(name)s”") if change.after else _("removed the file “%(name)s”")
        return sentence % {"name": change.after or change.before}
    if change.field == "response":
        return _("answered: %(answer)s") % {"answer": _label("response", change.after)}
    if change.field in _LONG:
        return _("changed %(field)s") % {"field": _name_of(change.field)}
    if change.field == "when" and _rule_in(change.before) != _rule_in(change.after):
        return _words_about_the_rule(change)
    before, after = (_value(change.field, value, names=names, zone=zone) for value in (change.before, change.after))
    if change.field in _SWITCHES:
        return _("switched %(field)s %(value)s") % {"field": _name_of(change.field), "value": after}
    sentence = _("changed %(field)s from %(before)s to %(after)s") if before else _("set %(field)s to %(after)s")
    if not after:
        sentence = _("emptied %(field)s, which was %(before)s")
    return sentence % {"field": _name_of(change.field), "before": before, "after": after}


def _rule_in(when: Any) -> Any:
    """Return how something repeats, as a logged "when" has it; None if it does not."""
    return when.get("recurrence") if isinstance(when, dict) else None


def _words_about_the_rule(change: FieldChange) -> str:
    before, after = _repetition(change.before), _repetition(change.after)
    if not after:
        return _("let it repeat no more")
    sentence = _("changed how it repeats from “%(before)s” to “%(after)s”") if before else _("let it repeat: %(after)s")
    return sentence % {"before": before, "after": after}


def _repetition(when: Any) -> str:
    """Return how something repeats in words; nothing for what does not."""
    if not _rule_in(when):
        return ""
    try:
        first = date.fromisoformat(when["start_date"]) if when["all_day"] else datetime.fromisoformat(when["start"])
        return recurrence.in_words(Pattern(first=first, time_zone=when["time_zone"], lines=tuple(when["recurrence"])))
    except (KeyError, TypeError, ValueError):
        return _("another rule")


def _is_of_all(change: FieldChange) -> bool:
    """Whether it has to be said that it changed the whole series; that it was made or deleted speaks for itself."""
    changes_rule = change.field == "when" and _rule_in(change.before) != _rule_in(change.after)
    return change.activity.is_series and change.field not in _WHOLE and not changes_rule


def _name_of(field: str) -> str:
    if field == "when":
        return _("the time")
    names = {one.name: one.verbose_name for one in Activity._meta.fields}
    return str(names[field]).capitalize()


def _label(field: str, value: Any) -> str:
    return str(dict(_CHOICES[field].choices).get(value, value))


def _value(field: str, value: Any, *, names: dict[int, str], zone: zoneinfo.ZoneInfo) -> str:
    """Return a value as a person reads it; nothing for an empty one."""
    if value in (None, ""):
        return ""
    if field in _CHOICES:
        return _label(field, value)
    if field in _PEOPLE:
        return names.get(value, "") if isinstance(value, int) else str(value)
    if field in _SWITCHES:
        return _("on") if value else _("off")
    if field == "when":
        return _when(value, zone=zone)
    return f"“{Truncator(text.to_edit(str(value))).chars(80)}”"


def _when(value: dict[str, Any], *, zone: zoneinfo.ZoneInfo) -> str:
    try:
        if value.get("all_day"):
            return words.span_of_days(date.fromisoformat(value["start_date"]), date.fromisoformat(value["due_date"]))
        start, due = (datetime.fromisoformat(value[name]).astimezone(zone) for name in ("start", "due"))
    except (KeyError, TypeError, ValueError, AttributeError):
        return _("another time")
    return words.span_of_time(start, due)
