"""How the pages say what a session does or did: moments, fields, values, actions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.utils import dateformat, timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Profile
from activities import text
from activities.models import Participant
from activities.recurrence import Pattern, in_words
from activities.words import day as day
from activities.words import moment as moment
from sync.core.snapshot import Days, Repeating, load_when
from sync.models import SyncOutcome, SyncSession
from sync.pending import Pending
from sync.preview import STAYS_OUT, PlannedAction

LONGEST_VALUE = 300  # Characters of a value that a table shows: notes can be a book.

FIELDS = {
    "subject": gettext_lazy("Subject"),
    "when": gettext_lazy("Time"),
    "location": gettext_lazy("Location"),
    "notes": gettext_lazy("Notes"),
    "is_private": gettext_lazy("Private"),
    "show_as_free": gettext_lazy("Show as free"),
    "reminder": gettext_lazy("Reminder"),
    "people": gettext_lazy("Participants"),
    "response": gettext_lazy("Response"),
    "status": gettext_lazy("Status"),
    "organizer": gettext_lazy("Organizer"),
}

STATUSES = {  # As conflicts name them, by our words and Google's.
    "confirmed": gettext_lazy("Not canceled"),
    "canceled": gettext_lazy("Canceled"),
    "cancelled": gettext_lazy("Canceled"),
    "deleted": gettext_lazy("Deleted"),
}


@dataclass(frozen=True, slots=True)
class Look:
    """How an action is shown: icon and tone of the design, and its words before and after it was done."""

    icon: str
    tone: str
    planned: Any
    done: Any


Action, Direction = SyncOutcome.Action, SyncOutcome.Direction
LOOKS: dict[tuple[str, str], Look] = {
    (Action.ADDED, Direction.HERE): Look("download", "good", gettext_lazy("Add here"), gettext_lazy("Added here")),
    (Action.ADDED, Direction.GOOGLE): Look(
        "cloud", "open", gettext_lazy("Add in Google"), gettext_lazy("Added in Google")
    ),
    (Action.UPDATED, Direction.HERE): Look(
        "download", "good", gettext_lazy("Update here"), gettext_lazy("Updated here")
    ),
    (Action.UPDATED, Direction.GOOGLE): Look(
        "cloud", "open", gettext_lazy("Update in Google"), gettext_lazy("Updated in Google")
    ),
    (Action.REMOVED, Direction.HERE): Look(
        "canceled", "bad", gettext_lazy("Cancel here"), gettext_lazy("Canceled here")
    ),
    (Action.REMOVED, Direction.GOOGLE): Look(
        "canceled", "bad", gettext_lazy("Remove in Google"), gettext_lazy("Removed in Google")
    ),
}
LOOKS_OF_ACTIONS: dict[str, Look] = {
    Action.JOINED: Look("people", "good", gettext_lazy("Join"), gettext_lazy("Joined")),
    Action.ANSWERED: Look("person", "final", gettext_lazy("Your answer only"), gettext_lazy("Your answer only")),
    Action.TAKEN_OVER: Look("person", "open", gettext_lazy("Change Organizer"), gettext_lazy("Organizer changed")),
    Action.FROZEN: Look("frozen", "late", gettext_lazy("Leave frozen"), gettext_lazy("Left frozen")),
    Action.RESUMED: Look("sync", "good", gettext_lazy("Resume"), gettext_lazy("Resumed")),
    Action.REPLACED: Look(
        "swap", "late", gettext_lazy("Settle: changed on both sides"), gettext_lazy("Changed on both sides")
    ),
    Action.PARKED: Look(
        "alert", "bad", gettext_lazy("Cannot be synchronized"), gettext_lazy("Could not be synchronized")
    ),
    STAYS_OUT: Look("cloud-off", "final", gettext_lazy("Stays out"), gettext_lazy("Stayed out")),
}
UNKNOWN = Look("info", "final", gettext_lazy("Look at it"), gettext_lazy("Looked at"))

SESSION_ICONS: dict[str, str] = {
    SyncSession.Status.QUEUED: "clock",
    SyncSession.Status.RUNNING: "half",
    SyncSession.Status.SUCCEEDED: "done",
    SyncSession.Status.WITH_PROBLEMS: "alert",
    SyncSession.Status.FAILED: "canceled",
    SyncSession.Status.NEEDS_CONFIRMATION: "question",
}


GAVE_WAY = Look("swap", "late", gettext_lazy("Settle: one value gives way"), gettext_lazy("A value gave way"))


def look(action: str, direction: str, *, rule: str = "R11") -> Look:
    """Return how an action is shown; one that is not known yet gets neutral words."""
    if action == Action.REPLACED and rule != "R11":
        return GAVE_WAY
    return LOOKS.get((action, direction)) or LOOKS_OF_ACTIONS.get(action) or UNKNOWN


def changes(outcome: SyncOutcome | PlannedAction) -> list[tuple[str, str, str]]:
    """
    Return what an outcome changed as (field, before, after), in words.

    What is updated on one side takes the other side's values, so that side's own are those before.
    """
    if not outcome.field:
        return []
    here, google = _by_field(outcome, outcome.here), _by_field(outcome, outcome.google)
    before, after = (google, here) if outcome.direction == Direction.GOOGLE else (here, google)
    names = list(before) + [name for name in after if name not in before]
    return [(field_name(name), value(name, before.get(name)), value(name, after.get(name))) for name in names]


def field_name(name: str) -> str:
    """Return a field's label."""
    return str(FIELDS.get(name, name.replace("_", " ").capitalize()))


def pending(of: Pending, *, profile: Profile) -> list[str]:
    """Return what waits for a session, a sentence for each side; to `profile`, who looks at it."""
    found = []
    if of.here and of.by == profile:
        found.append(_("Changed here: %s. The next synchronization sends it to Google.") % _fields(of.here))
    elif of.here and of.by:
        values = {"fields": _fields(of.here), "name": of.by.full_name}
        found.append(_("Changed here: %(fields)s. The next synchronization of %(name)s sends it to Google.") % values)
    if of.taken_back:
        found.append(
            _("Changed here by somebody who may not: %s. The next synchronization takes it back; the journal keeps it.")
            % _fields(of.taken_back)
        )
    if of.google:
        found.append(_("Changed in Google: %s. The next synchronization brings it here.") % _fields(of.google))
    if of.answer:
        found.append(_("Your answer is not in Google yet. Your next synchronization sends it."))
    return found


def _fields(names: tuple[str, ...]) -> str:
    return ", ".join(field_name(name) for name in names)


def _by_field(outcome: SyncOutcome | PlannedAction, of: Any) -> dict[str, Any]:
    """Return the values by field, whether an outcome is about several of them or about one."""
    is_several = isinstance(of, dict) and of and set(of) <= set(FIELDS)
    return of if is_several else {outcome.field: of}


def value(field: str, of: Any) -> str:
    """Return a journal's value of a field in words; what is no value is “none”."""
    if field == "people" and isinstance(of, list):
        return _people(of)
    if field == "organizer":
        return _people([of])
    if field == "response" and of in Participant.Response.values:
        return str(Participant.Response(of).label)
    if field == "status" and of in STATUSES:
        return str(STATUSES[of])
    if field == "notes" and isinstance(of, str):
        return _plain(text.to_edit(of))
    if field == "reminder" and isinstance(of, int):
        return _("%d minutes before") % of
    return _plain(of)


def _plain(of: Any) -> str:
    if isinstance(of, bool):
        return _("yes") if of else _("no")
    if isinstance(of, dict):
        return _when(of)
    if isinstance(of, list):
        return ", ".join(_plain(entry) for entry in of) or _("none")
    said = "" if of is None else str(of).strip()
    return (said if len(said) <= LONGEST_VALUE else said[: LONGEST_VALUE - 1] + "…") or _("none")


def _people(ids: list[Any]) -> str:
    names = Profile.objects.filter(pk__in=[pk for pk in ids if isinstance(pk, int)]).values_list("full_name", flat=True)
    return ", ".join(names) or _("nobody")


def _when(of: dict[str, Any]) -> str:
    """Return a "when" in words: either days, or start and due; of a series those of the first and how it repeats."""
    try:
        if "lines" in of:
            return f"{_when(of['begins'])}. {_rule(of)}"
        if of.get("first") or of.get("start_date"):
            first = date.fromisoformat(of.get("first") or of["start_date"])
            last = date.fromisoformat(of.get("last") or of["due_date"])
            return _day(first) if first == last else f"{_day(first)} – {_day(last)}"
        start = timezone.localtime(datetime.fromisoformat(of["start"]))
        due = timezone.localtime(datetime.fromisoformat(of["due"]))
    except (KeyError, TypeError, ValueError):
        return ", ".join(f"{name}: {_plain(entry)}" for name, entry in of.items())
    ends = dateformat.format(due, "H:i") if due - start < timedelta(days=1) else f"{_day(due.date())}, {due:%H:%M}"
    return f"{_day(start.date())}, {dateformat.format(start, 'H:i')} – {ends}"


def _rule(of: dict[str, Any]) -> str:
    when = load_when(of)
    assert isinstance(when, Repeating)
    first = when.first
    if isinstance(first, Days):
        return in_words(Pattern(first.first, "UTC", when.lines))
    return in_words(Pattern(first.start, first.time_zone, when.lines))


def _day(on: date) -> str:
    return dateformat.format(on, _("D j M Y"))
