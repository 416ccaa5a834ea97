"""Google's JSON of an event ↔ facts and Snapshot; a patch of a Snapshot → request body (R10, R16)."""

from __future__ import annotations

import functools
import zoneinfo
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from dateutil.parser import isoparse

from sync.core.reasons import _
from sync.core.snapshot import Days, OneTime, Repeating, Snapshot, Timed, When

HIDDEN_ID = "creatioActivity"  # Our name among an event's private extended properties (R9).
_KEPT_AS_IT_IS = (
    "colorId",
    "guestsCanInviteOthers",
    "guestsCanModify",
    "guestsCanSeeOtherGuests",
)  # If made anew.
# Our mark on a kept event: Google showed it deleted without saying of which series, as it does with what a change of
# that series has dropped; nobody has deleted this occurrence (R15).
WENT_WITH_ITS_DAY = "wentWithItsDay"
MOST_REMINDERS = 5  # That an event can have (Google's reference, `reminders.overrides`).
LONGEST_TEXT = 1024  # Characters of a subject or a location that an activity can hold.
READABLE_TYPES = ("default", "fromGmail")  # What is read at all (R2).
_ANSWERS = {
    "needsAction": "needs_action",
    "accepted": "accepted",
    "tentative": "tentative",
    "declined": "declined",
}
_GOOGLE_ANSWERS = {ours: googles for googles, ours in _ANSWERS.items()}
_PRIVATE = ("private", "confidential")


class UnreadableEvent(Exception):
    """The event is not what Google documents, so nothing can be made of it. The message is for the user."""


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody on an event's list of guests, with their answer in our words (R7)."""

    address: str  # Lower case.
    name: str
    response: str
    is_self: bool
    is_organizer: bool


@dataclass(frozen=True, slots=True)
class EventFacts:
    """What an event says beside its content: who it is, whose it is, and what this account may do with it."""

    event_id: str
    ical_uid: str
    is_cancelled: bool
    is_series: bool  # It repeats: Google's master of all its occurrences (R15).
    series_event_id: str  # Of an occurrence: the event that stands for the whole series.
    event_type: str
    organizer: str  # Address, lower case; empty when Google does not say.
    is_own: bool  # The copy of its organizer (`organizer.self`).
    guests: tuple[Guest, ...]
    are_guests_cut: bool  # The list is not the whole one, so it must never be written back (R12).
    guests_may_modify: bool
    is_locked: bool
    hidden_id: str
    join_link: str
    html_link: str
    updated: datetime | None
    original_start: datetime | None  # Of an occurrence; of an all-day one midnight UTC of its day.

    @property
    def own_answer(self) -> str | None:
        """This account's own answer, None when it is not on the list of guests."""
        return next((guest.response for guest in self.guests if guest.is_self), None)

    @property
    def has_other_guests(self) -> bool:
        return any(not guest.is_self for guest in self.guests)

    @property
    def addresses(self) -> frozenset[str]:
        """The addresses of all guests and of the organizer."""
        found = {guest.address for guest in self.guests} | {self.organizer}
        return frozenset(found - {""})

    @property
    def why_read_only(self) -> str:
        """Why this account may not change the content, as a sentence; empty when it may (R2, R6)."""
        if self.event_type != "default":
            return _("Google made this event from an e-mail; it can be changed only there.")
        if self.is_locked:
            return _("Google has locked this event; it can be changed only in Google Calendar.")
        if not (self.is_own or self.guests_may_modify):
            return _("The organizer of this event in Google has not allowed guests to change it.")
        return ""


def facts_of(event: Mapping[str, Any]) -> EventFacts:
    """Return the facts of an event; of a deleted one little more than its id is sure (Google's reference, `status`)."""
    organizer = _dict(event.get("organizer"))
    guests = tuple(_guest(entry) for entry in _list(event.get("attendees")) if _dict(entry).get("email"))
    is_own = bool(organizer.get("self"))
    hidden = not is_own and event.get("guestsCanSeeOtherGuests") is False
    private = _dict(_dict(event.get("extendedProperties")).get("private"))
    return EventFacts(
        event_id=str(event.get("id", "")),
        ical_uid=str(event.get("iCalUID", "")),
        is_cancelled=event.get("status") == "cancelled",
        is_series=bool(_lines(event)),
        series_event_id=str(event.get("recurringEventId") or ""),
        event_type=str(event.get("eventType", "default")),
        organizer=str(organizer.get("email", "")).lower(),
        is_own=is_own,
        guests=guests,
        are_guests_cut=bool(event.get("attendeesOmitted")) or hidden,
        guests_may_modify=bool(event.get("guestsCanModify")),
        is_locked=bool(event.get("locked")),
        hidden_id=str(private.get(HIDDEN_ID, "")),
        join_link=_join_link(event),
        html_link=str(event.get("htmlLink", "")),
        updated=_moment_or_none(event.get("updated")),
        original_start=_original_start(event),
    )


def snapshot_of(event: Mapping[str, Any], *, profiles: Mapping[str, int], default_zone: str) -> Snapshot:
    """
    Return the content of an event.

    `profiles` maps lower-case addresses to profile ids (R7); `default_zone` is the calendar's, for events without one.

    :raises UnreadableEvent: if start or end is missing or makes no sense.
    """
    facts = facts_of(event)
    return Snapshot(
        subject=_text(event.get("summary"))[:LONGEST_TEXT],
        when=when_of(event, default_zone=default_zone),
        location=_text(event.get("location"))[:LONGEST_TEXT],
        notes=_text(event.get("description")),
        is_private=event.get("visibility") in _PRIVATE,
        show_as_free=event.get("transparency") == "transparent",
        reminder=_reminder(event),
        people=frozenset(profiles[address] for address in facts.addresses if address in profiles),
    )


def when_of(event: Mapping[str, Any], *, default_zone: str) -> When:
    """
    Return when an event takes place, and how it repeats (R15). Google's end date is exclusive, ours inclusive (R16).

    :raises UnreadableEvent: if start or end is missing or makes no sense.
    """
    first = _one_time(event, default_zone=default_zone)
    lines = _lines(event)
    return Repeating(first, lines) if lines else first


def _one_time(event: Mapping[str, Any], *, default_zone: str) -> OneTime:
    start, end = _dict(event.get("start")), _dict(event.get("end"))
    try:
        if start.get("date"):
            first = date.fromisoformat(start["date"])
            last = date.fromisoformat(end["date"]) - timedelta(days=1)
            _refuse_far_away(first, last)
            return Days(first, max(first, last))
        zone = known_zone(start.get("timeZone"), default_zone)
        begins, ends = _moment(start["dateTime"], zone), _moment(end["dateTime"], zone)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UnreadableEvent(_("Google shows no usable start and end for this event.")) from error
    _refuse_far_away(begins, ends)
    return Timed(begins, max(begins, ends), zone)


def _refuse_far_away(*moments: date) -> None:
    """A date so near to the ends of the calendar that not every zone can show it is of no use."""
    if any(not 1 < moment.year < 9998 for moment in moments):
        raise UnreadableEvent(_("Google shows a date for this event that no calendar here can hold."))


def _lines(event: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(line) for line in _list(event.get("recurrence")))


def unknown_zone(event: Mapping[str, Any]) -> str:
    """Return the name of a time zone that nobody knows, which the journal has to mention (R16); else an empty text."""
    name = _dict(event.get("start")).get("timeZone") or ""
    return "" if not name or name in _zones() else str(name)


def is_of_a_calendar(address: str) -> bool:
    """Whether an address is that of a secondary calendar or a room, so nobody is invited by it (Calendars resource)."""
    return address.endswith("calendar.google.com")


def guests_by_person(facts: EventFacts, *, profiles: Mapping[str, int], known: Mapping[int, str]) -> dict[int, Guest]:
    """
    Return the guest that each user among the guests is (R7, R10).

    Whoever is invited by several addresses is the guest whose copy this is, else the one under the address `known`.
    """
    by_person: dict[int, Guest] = {}
    for guest in facts.guests:
        person = profiles.get(guest.address)
        if person is None:
            continue
        is_theirs = guest.is_self or (known.get(person) == guest.address and not by_person.get(person, guest).is_self)
        if is_theirs or person not in by_person:
            by_person[person] = guest
    return by_person


def known_zone(name: str | None, default: str) -> str:
    """Return the zone if it is known, else the default, else UTC."""
    return next((zone for zone in (name, default) if zone in _zones()), None) or "UTC"


@functools.cache
def _zones() -> frozenset[str]:
    """The names of all zones; asking for them reads the file system each time."""
    return frozenset(zoneinfo.available_timezones())


def changed_fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    """Return the snapshot's fields in which two versions of an event differ, told from Google's own values (R11)."""
    sources = {
        "subject": ("summary",),
        "when": ("start", "end", "recurrence"),
        "location": ("location",),
        "notes": ("description",),
        "is_private": ("visibility",),
        "show_as_free": ("transparency",),
        "reminder": ("reminders",),
    }
    changed = {name for name, keys in sources.items() if any(before.get(key) != after.get(key) for key in keys)}
    if facts_of(before).addresses != facts_of(after).addresses:
        changed.add("people")
    if facts_of(before).own_answer != facts_of(after).own_answer:
        changed.add("response")
    return changed


def patch_body(patch: Mapping[str, Any], *, event: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the body of `events.patch` for these fields, people excepted: only what changed is sent (R12).

    `event` is Google's current version; moving between timed and all-day has to take back the other kind of time.
    """
    body: dict[str, Any] = {}
    texts = {"subject": "summary", "location": "location", "notes": "description"}
    body |= {texts[name]: value for name, value in patch.items() if name in texts}
    if "when" in patch:
        body |= when_body(patch["when"], replacing=event)
    if "is_private" in patch:
        body["visibility"] = "private" if patch["is_private"] else "default"
    if "show_as_free" in patch:
        body["transparency"] = "transparent" if patch["show_as_free"] else "opaque"
    if "reminder" in patch:
        body["reminders"] = _reminders_body(patch["reminder"], event)
    return body


def insert_body(snapshot: Snapshot, *, event_id: str, hidden_id: str, guests: Iterable[Mapping[str, Any]]) -> dict:
    """Return the body of `events.insert`: the id is ours, so that the event can never be made twice (R13)."""
    body = patch_body({name: getattr(snapshot, name) for name in ("subject", "location", "notes", "when")}, event={})
    body["id"] = event_id
    body["extendedProperties"] = {"private": {HIDDEN_ID: hidden_id}}
    if snapshot.is_private:
        body["visibility"] = "private"
    if snapshot.show_as_free:
        body["transparency"] = "transparent"
    if snapshot.reminder is not None:
        body["reminders"] = {"useDefault": False, "overrides": [{"method": "popup", "minutes": snapshot.reminder}]}
    if attendees := list(guests):
        body["attendees"] = attendees
    return body


def kept_when_made_anew(event: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return what an event is to have from the one before it, guests excepted.

    That is the later part of a split series (R15), or the next incarnation of an event that was deleted (R13).
    """
    kept = {name: event[name] for name in (*_KEPT_AS_IT_IS, "visibility", "reminders") if name in event}
    conference = _dict(event.get("conferenceData"))
    if conference.get("conferenceId") and conference.get("entryPoints"):  # One that is there, not one to be made.
        kept["conferenceData"] = {name: value for name, value in conference.items() if name != "createRequest"}
    return kept


def as_it_was(body: Mapping[str, Any], former: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of an insert with what `kept_when_made_anew` returned, as far as nothing else is said here."""
    kept = {name: former[name] for name in (*_KEPT_AS_IT_IS, "conferenceData") if name in former}
    if body.get("visibility") == "private" and former.get("visibility") == "confidential":  # To us it is the same.
        kept["visibility"] = "confidential"
    if _dict(former.get("reminders")).get("overrides"):
        kept["reminders"] = _reminders_body(_reminder(body), former)
    return {**body, **kept}


def when_body(when: When, *, replacing: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return `start`, `end` and `recurrence` for a request.

    Of a series only what differs from Google's is sent: a rule is never written anew because the time changed (R15).
    """
    lines = _lines(replacing)
    if not isinstance(when, Repeating):
        return _times_body(when, replacing=replacing) | ({"recurrence": None} if lines else {})
    is_moved = not lines or _one_time(replacing, default_zone="UTC") != when.first
    body = _times_body(when.first, replacing=replacing) if is_moved else {}
    return body | ({"recurrence": list(when.lines)} if lines != when.lines else {})


def _times_body(when: OneTime, *, replacing: Mapping[str, Any]) -> dict[str, Any]:
    body: dict[str, dict[str, Any]]
    if isinstance(when, Days):
        body = {"start": {"date": when.first.isoformat()}, "end": {"date": _exclusive(when.last)}}
        other: dict[str, Any] = {"dateTime": None, "timeZone": None}
    else:
        zone = zoneinfo.ZoneInfo(when.time_zone)
        body = {
            key: {"dateTime": moment.astimezone(zone).isoformat(), "timeZone": when.time_zone}
            for key, moment in (("start", when.start), ("end", when.due))
        }
        other = {"date": None}
    before = _dict(replacing.get("start"))  # Of what is gone Google shows none: it may have been of either kind.
    if replacing and (not before or ("date" in before) != isinstance(when, Days)):
        body = {key: value | other for key, value in body.items()}
    return body


def attendees_after(
    event: Mapping[str, Any],
    *,
    wanted: frozenset[int],
    profiles: Mapping[str, int],
    addresses: Mapping[int, str],
    organizer: str,
    answer: str = "accepted",
) -> list[dict[str, Any]]:
    """
    Return Google's own list of guests plus the change, every other entry exactly as Google gave it (R7, R12).

    `addresses` holds the address under which each newcomer is invited. The first guest brings the organizer along as a
    guest who has accepted, as Google's own page does, or who has given another `answer` here.
    """
    current = [dict(_dict(entry)) for entry in _list(event.get("attendees"))]
    persons = [profiles.get(str(entry.get("email", "")).lower()) for entry in current]
    kept = [entry for entry, person in zip(current, persons, strict=True) if person is None or person in wanted]
    present = {person for person in persons if person is not None} | {profiles.get(organizer)}
    newcomers = sorted(person for person in wanted - present if person in addresses)
    added = [{"email": addresses[person], "responseStatus": "needsAction"} for person in newcomers]
    if added and not current and organizer:
        own = answer if answer != "needs_action" else "accepted"
        added.insert(0, {"email": organizer, "responseStatus": _GOOGLE_ANSWERS[own]})
    return kept + added


def answer_body(event: Mapping[str, Any], *, response: str) -> dict[str, Any]:
    """Return the body that sends nothing but one's own answer, whatever the list of guests is (R12)."""
    own = next((dict(entry) for entry in _list(event.get("attendees")) if _dict(entry).get("self")), None)
    if own is None:
        raise UnreadableEvent(_("Google does not list you as a guest of this event, so there is no answer to send."))
    entry = {"email": own["email"], "responseStatus": _GOOGLE_ANSWERS[response]}
    return {"attendeesOmitted": True, "attendees": [entry]}


def other_guests(event: Mapping[str, Any], *, profiles: Mapping[str, int]) -> list[dict[str, str]]:
    """Return the guests who are no users, as the activity's page shows them (R7)."""
    return [
        {"name": guest.name, "email": guest.address, "response": guest.response}
        for guest in facts_of(event).guests
        if guest.address not in profiles
    ]


def cleaned(value: Any) -> Any:
    """Return JSON without what no database keeps in a text: U+0000, and halves of surrogate pairs, which become "?"."""
    if isinstance(value, str):
        return value.replace("\x00", "").encode(errors="replace").decode()
    if isinstance(value, list):
        return [cleaned(item) for item in value]
    if isinstance(value, dict):
        return {cleaned(key): cleaned(item) for key, item in value.items()}
    return value


def _guest(entry: Mapping[str, Any]) -> Guest:
    address = str(entry["email"]).lower()
    return Guest(
        address=address,
        name=str(entry.get("displayName") or address),
        response=_ANSWERS.get(str(entry.get("responseStatus")), "needs_action"),
        is_self=bool(entry.get("self")),
        is_organizer=bool(entry.get("organizer")),
    )


def _reminder(event: Mapping[str, Any]) -> int | None:
    popups = [
        override["minutes"]
        for override in _list(_dict(event.get("reminders")).get("overrides"))
        if _dict(override).get("method") == "popup" and isinstance(override.get("minutes"), int)
    ]
    return min(popups, default=None)


def _reminders_body(minutes: int | None, event: Mapping[str, Any]) -> dict[str, Any]:
    """Replace the nearest pop-up; e-mails, further pop-ups and, without any, the default are kept (R10)."""
    overrides = [dict(_dict(entry)) for entry in _list(_dict(event.get("reminders")).get("overrides"))]
    nearest = _reminder(event)
    rest = list(overrides)
    if nearest is not None:
        rest.remove(next(o for o in overrides if o.get("method") == "popup" and o.get("minutes") == nearest))
    if minutes is not None:
        rest.append({"method": "popup", "minutes": minutes})
    if len(rest) > MOST_REMINDERS:  # Five e-mails, say: there is no place for ours, and theirs are kept.
        rest = overrides
    # An empty list has to be said: a patch would keep the old one beside the default, which Google refuses.
    return {"useDefault": not rest, "overrides": rest}


def _join_link(event: Mapping[str, Any]) -> str:
    points = _list(_dict(event.get("conferenceData")).get("entryPoints"))
    video = [_dict(point).get("uri") for point in points if _dict(point).get("entryPointType") == "video"]
    link = str(next(filter(None, [event.get("hangoutLink"), *video]), ""))
    return link if link.startswith("https://") and len(link) <= 1000 else ""


def _original_start(event: Mapping[str, Any]) -> datetime | None:
    original = _dict(event.get("originalStartTime"))
    if not original.get("date"):
        return _moment_or_none(original.get("dateTime"))
    try:
        return datetime.combine(date.fromisoformat(original["date"]), datetime.min.time(), tzinfo=UTC)
    except (TypeError, ValueError):
        return None  # Of a day that no calendar has nothing can be said.


def _moment(text: str, zone: str) -> datetime:
    moment = isoparse(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zoneinfo.ZoneInfo(zone))
    return moment.astimezone(UTC)


def _moment_or_none(text: Any) -> datetime | None:
    try:
        return _moment(text, "UTC")
    except (TypeError, ValueError, OverflowError, AttributeError):
        return None


def _exclusive(last: date) -> str:
    return (last + timedelta(days=1)).isoformat()


def _text(value: Any) -> str:
    return value.replace("\r\n", "\n") if isinstance(value, str) else ""


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
