"""
What people changed that has no value like no other: yes or no, one of a few, there or gone.

A text tells by itself where it has been; that something is private does not. So each change that a person makes is
followed: once a session takes it back, the other side has had that very value since it was made, or the journal says
what became of it (R11). Whose it is to change counts for nothing here: what is refused is in the journal as well (R6).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import Any

from activities import recurrence, series
from activities.models import Activity, Participant
from google_emulator import Emulator
from sync import store
from sync.core import mapping
from sync.core.snapshot import Repeating
from sync.models import EventLink, SyncOutcome

HERE, GOOGLE = "here", "google"
GONE, THERE = "gone", "there"
# What each copy of an event has for itself: the one that counts is that of the activity's Organizer.
OF_A_COPY = {"is_private", "show_as_free", "reminder"}
SWITCHES = ("is_private", "show_as_free")
ANSWERS = {"needsAction": "needs_action"}
MOST_COUNTED = 400  # Occurrences of a series.
Place = tuple[Any, ...]  # Event and calendar, or activity and ""; then the field, and of whom.
Values = dict[Place, Any]


@dataclass
class Both:
    """What both sides hold in one moment, and which belongs to which."""

    here: Values
    google: Values
    events: dict[int, set[str]]  # Of each activity, all that it ever was.
    organizers: dict[int, str | None]  # Their address, of each activity.
    agreed: dict[tuple[str, Place], Any]  # What both last agreed on, of what is yes or no.


@dataclass
class Edit:
    """A change that a person made. Moments are numbers of looks."""

    side: str
    place: Place
    value: Any
    made: int
    journal: int  # The last entry of the journal by then.
    taken_back: int = 0


@dataclass
class Edits:
    """Follows the changes that people make on both sides."""

    _moment: int = 0
    _now: Both = field(default_factory=lambda: Both({}, {}, {}, {}, {}))
    _open: dict[tuple[str, Place], Edit] = field(default_factory=dict)
    _taken_back: list[Edit] = field(default_factory=list)
    # Since when each place has held what: looks and values, in order.
    _history: dict[tuple[str, Place], list[tuple[int, Any]]] = field(default_factory=lambda: defaultdict(list))
    _events: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    _calendars: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _organizers: dict[int, list[tuple[int, str | None]]] = field(default_factory=lambda: defaultdict(list))

    def accept(self, now: Both) -> None:
        """A person did something."""
        journal = SyncOutcome.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        known = {HERE: self._now.here, GOOGLE: self._now.google}
        for side, place, value in self._changes(now):
            before = known[side].get((*place[:2], "status"))
            # What a series, a later part of it, or what is back from the bin begins with, nobody has changed now.
            is_new = before is None if _field(place) == "status" else before != THERE
            is_back = now.agreed.get((side, place)) == value is not None  # What was and is again is no change (R11).
            if is_new or is_back or _goes_with_the_rest(place, value, now.here if side == HERE else now.google):
                self._open.pop((side, place), None)
            else:
                self._open[side, place] = Edit(side, place, value, self._moment, journal)

    def judge(self, now: Both) -> None:
        """A session did something: what it took back of what people did is asked for in the end."""
        for side, place, value in self._changes(now):
            edit = self._open.pop((side, place), None)
            if edit and not (value is None and _field(place) == "response"):  # Who is off the list has no answer.
                edit.taken_back = self._moment
                self._taken_back.append(edit)

    def assert_nothing_lost(self) -> None:
        for edit in self._taken_back:
            assert self._is_known(edit), f"{edit} was lost"

    def _changes(self, now: Both) -> list[tuple[str, Place, Any]]:
        before, self._now = self._now, now
        self._moment += 1
        changes = []
        for side, old, new in ((HERE, before.here, now.here), (GOOGLE, before.google, now.google)):
            for place in sorted({place for place, _value in old.items() ^ new.items()}, key=str):
                self._history[side, place].append((self._moment, new.get(place)))
                changes.append((side, place, new.get(place)))
                if side == GOOGLE:
                    self._calendars[place[0]].add(place[1])
        for activity, events in now.events.items():
            self._events[activity] |= events
        for activity, organizer in now.organizers.items():
            who = self._organizers[activity]
            if not who or who[-1][1] != organizer:
                who.append((self._moment, organizer))
        return changes

    def _is_known(self, edit: Edit) -> bool:
        item, what, name = edit.place[0], edit.place[2:], _field(edit.place)
        activities = [item] if edit.side == HERE else [pk for pk, events in self._events.items() if item in events]
        if name in OF_A_COPY and self._has_another_organizer(edit, activities):
            return True
        if edit.side == GOOGLE:
            others = [(HERE, (pk, "", *what)) for pk in activities]
        else:
            others = [
                (GOOGLE, (event, calendar, *what))
                for event in sorted(self._events[item])
                for calendar in sorted(self._calendars[event])
                if name not in OF_A_COPY or any(calendar == who for _moment, who in self._organizers[item])
            ]
        return any(self._held(*other, edit) for other in others) or _is_told(edit, activities)

    def _held(self, side: str, place: Place, edit: Edit) -> bool:
        """
        Whether the other side had this value at any moment since it was given until it was taken back.

        A series that both sides cut ends where the shorter one does.
        """
        is_cut = _field(edit.place) == "when" and _is_cut_shorter(edit.value, self._before(edit))
        spans = self._history.get((side, place), [(0, None)])
        ends = [moment for moment, _value in spans[1:]] + [edit.taken_back + 1]
        return any(
            (value == edit.value or (is_cut and _is_cut_shorter(value, edit.value)))
            and begin <= edit.taken_back
            and end > edit.made
            for (begin, value), end in zip(spans, ends, strict=True)
        )

    def _before(self, edit: Edit) -> Any:
        """Return what the place held until then."""
        earlier = [value for moment, value in self._history[edit.side, edit.place] if moment < edit.made]
        return earlier[-1] if earlier else None

    def _has_another_organizer(self, edit: Edit, activities: list[int]) -> bool:
        """Whether what each copy has for itself was rebased to the copy of who organizes it by now (R5)."""
        return any(edit.made < moment <= edit.taken_back for pk in activities for moment, _ in self._organizers[pk])


def _is_cut_shorter(value: Any, than: Any) -> bool:
    return bool(value and than and value[0] == than[0] and 0 < value[1] < than[1])


def _field(place: Place) -> str:
    return str(place[2])


def _goes_with_the_rest(place: Place, value: Any, values: Values) -> bool:
    """Whether it is nothing that a person said: all of it is gone, somebody is off the list, or was only asked."""
    if value is not None:
        return bool(value == "needs_action")
    return values.get((*place[:2], "status"), GONE) == GONE or _field(place) != "people"


def _is_told(edit: Edit, activities: list[int]) -> bool:
    told = SyncOutcome.objects.filter(action=SyncOutcome.Action.REPLACED, activity__in=activities)
    names = told.filter(pk__gt=edit.journal).values_list("field", flat=True)
    return _field(edit.place) in {name for text in names for name in text.split(",")}


def look(google: Emulator, *, users: frozenset[str]) -> Both:
    events: dict[int, set[str]] = defaultdict(set)
    links = EventLink.objects.exclude(activity=None).exclude(event_id="")
    for activity, event in links.values_list("activity", "event_id"):
        events[activity].add(event)
    here, organizers = _here()
    return Both(here, _there(google, users), events, organizers, _agreed(organizers))


def _agreed(organizers: dict[int, str | None]) -> dict[tuple[str, Place], Any]:
    values: dict[tuple[str, Place], Any] = {}
    links = EventLink.objects.filter(activity__in=organizers).exclude(base_here=None).exclude(base_google=None)
    columns = ("activity", "event_id", "calendar__account__login", "base_here", "base_google")
    for pk, event, login, base_here, base_google in links.values_list(*columns):
        if organizers[pk] != login:
            continue
        presence = THERE if base_here.get("presence", "present") == "present" else GONE
        for place, base in (((HERE, (pk, "")), base_here), ((GOOGLE, (event, login)), base_google)):
            side, where = place
            values[side, (*where, "status")] = presence
            content = base.get("snapshot") or {}
            values |= {(side, (*where, name)): content[name] for name in SWITCHES if name in content}
    return values


def _here() -> tuple[Values, dict[int, str | None]]:
    """Return what our rows hold. Of an occurrence nothing: what it has of its series comes by many ways (R15)."""
    values: Values = {}
    organizers: dict[int, str | None] = {}
    for row in Activity.every.filter(original_start=None).select_related("organizer__user", "series"):
        pk = row.pk
        organizers[pk] = row.organizer.user.email if row.organizer else None
        values[pk, "", "status"] = GONE if row.deleted_at or row.status == Activity.Status.CANCELED else THERE
        values[pk, "", "is_private"], values[pk, "", "show_as_free"] = row.is_private, row.show_as_free
        if row.is_series:
            values[pk, "", "when"] = _repeats(series.pattern_of(row))
    people = Participant.objects.filter(activity__original_start=None)
    for pk, email, response, minutes in people.values_list(
        "activity", "profile__user__email", "response", "reminder_minutes"
    ):
        values[pk, "", "people", email] = True
        if email == organizers[pk]:
            values[pk, "", "reminder"] = minutes
        else:
            values[pk, "", "response", email] = response
    return values, organizers


def _there(google: Emulator, users: frozenset[str]) -> Values:
    values: Values = {}
    for account in google.accounts:
        for row in list(google.store.table(account.email).ordered):
            body, event = row.body, (row.id, row.calendar_id)
            if "recurringEventId" in body:
                continue
            if row.organized_here:
                values[(*event, "status")] = GONE if row.cancelled else THERE
            if not row.cancelled:
                values |= {(*event, *what): value for what, value in _shown(body, row.calendar_id, users).items()}
    return values


def _shown(body: dict[str, Any], calendar: str, users: frozenset[str]) -> dict[tuple[str, ...], Any]:
    """Return what one copy of an event holds; content only of its organizer's."""
    shown: dict[tuple[str, ...], Any] = {
        ("is_private",): body.get("visibility") in ("private", "confidential"),
        ("show_as_free",): body.get("transparency") == "transparent",
        ("reminder",): _popup(body),
    }
    is_own = (body.get("organizer") or {}).get("email", calendar) == calendar
    if is_own and calendar in users:
        shown["people", calendar] = True  # On the list of guests or not.
    if is_own and "recurrence" in body:
        when = mapping.when_of(body, default_zone="UTC")
        assert isinstance(when, Repeating)
        shown[("when",)] = _repeats(store.pattern_of(when))
    for guest in body.get("attendees", []):
        if guest["email"] == calendar and not is_own:
            shown["response", calendar] = ANSWERS.get(guest["responseStatus"], guest["responseStatus"])
        if is_own and guest["email"] in users:
            shown["people", guest["email"]] = True
    return shown


@lru_cache(maxsize=1000)  # The same few series are looked at over and over.
def _repeats(pattern: recurrence.Pattern) -> tuple[str, int]:
    """
    Return how often it repeats, and how many times: a series both moved and cut has other letters.

    Where a day is left out nobody can count: once the series is moved, that day is none of its occurrences any more.
    """
    rules = ";".join(line.partition(":")[2] for line in pattern.lines if line.startswith("RRULE"))
    how_often = ";".join(sorted(part for part in rules.split(";") if part.startswith(("FREQ=", "INTERVAL="))))
    if any(line.startswith("EXDATE") for line in pattern.lines):
        return how_often, 0
    return how_often, sum(1 for _ in islice(recurrence.starts(pattern), MOST_COUNTED))


def _popup(body: dict[str, Any]) -> int | None:
    """Return the nearest pop-up of a copy (R10)."""
    popups = [each["minutes"] for each in body.get("reminders", {}).get("overrides", []) if each["method"] == "popup"]
    return min(popups, default=None)
