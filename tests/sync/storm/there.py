"""What people do on Google's own page, the guests from elsewhere too. None of it sends mail, so all mail is ours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from google_emulator.errors import ApiError
from sync.models import EventLink
from tests.sync.storm.dice import Dice
from tests.sync.storm.world import GUEST, MARIA, World

Body = dict[str, Any]


def make(world: World, name: str, dice: Dice) -> None:
    if world.is_full():
        return
    kind = dice.of(["alone", "meeting", "meeting", "all day", "guests may modify", "with maria", "with outsiders"])
    body: Body = {"summary": world.word(), **_times(world)}
    colleagues = [{"email": world.email(other)} for other in ("anna", "boris", "clara") if other != name]
    maria = [{"email": MARIA, "displayName": "Maria P."}] if name != "maria" else []
    if kind == "meeting":
        body["attendees"] = [guest for guest in (*colleagues, *maria) if not dice.one_in(3)]
    elif kind == "all day":
        body |= _days(world, dice)
    elif kind == "guests may modify":
        body |= {"attendees": [*colleagues, *maria], "guestsCanModify": True}
    elif kind == "with maria":
        body["attendees"] = [colleagues[0], {"email": MARIA}]
    elif kind == "with outsiders":
        outsider = {"email": GUEST, "displayName": "A. Guest", "optional": True, "comment": "I may be late",
                    "responseStatus": "tentative", "additionalGuests": 2}  # fmt: skip
        body["attendees"] = [{"email": MARIA, "displayName": "Maria P."}, outsider]
    person = world.google.person(world.email(name))
    world.touch_event(person.create_event(body, notify=False)["id"])
    world.say(f"{name} makes {body['summary']} in Google ({kind})")


def edit(world: World, name: str, dice: Dice) -> None:
    if event := _event(world, name, dice, own=True):
        field = dice.of(
            [
                "summary",
                "when",
                "location",
                "summary",
                "description",
                "visibility",
                "transparency",
                "reminders",
                "days",
                "end",
            ]
        )
        patch: Body = {field: world.word()}
        if field == "when":
            patch = _times(world, was=event)
        elif field == "days":
            patch = _days(world, dice, was=event)
        elif field == "end":
            if "date" in event["end"] or "recurrence" in event:
                return
            start = datetime.fromisoformat(event["start"]["dateTime"])
            end = start + timedelta(minutes=31 + world.number() % 29)
            patch = {field: {"dateTime": end.isoformat(), "timeZone": event["start"].get("timeZone", "UTC")}}
        elif field == "visibility":
            patch = {field: "default" if event.get(field) == "private" else "private"}
        elif field == "transparency":
            patch = {field: "opaque" if event.get(field) == "transparent" else "transparent"}
        elif field == "reminders":
            popup = {"method": "popup", "minutes": dice.of([5, 10, 30])}
            patch = {field: {"useDefault": False, "overrides": [{"method": "email", "minutes": 60}, popup]}}
        _try(world, f"{name} edits {event.get('summary')} in Google: {patch}",
             lambda person: person.edit(event["id"], patch, notify=False), name)  # fmt: skip


def change_people(world: World, name: str, dice: Dice) -> None:
    """The organizer invites somebody, or takes an invitation back."""
    if event := _event(world, name, dice, own=True):
        guests = [dict(guest) for guest in event.get("attendees", [])]
        email = dice.of([*(world.email(other) for other in ("boris", "clara", "anna")), MARIA])
        if email == world.email(name):
            return
        rest = [guest for guest in guests if guest["email"] != email]
        changed = rest if len(rest) < len(guests) else [*guests, {"email": email}]
        if changed and not any(guest["email"] == world.email(name) for guest in changed):
            changed.insert(0, {"email": world.email(name), "responseStatus": "accepted"})
        _try(world, f"{name} in Google: {email} of {event.get('summary')}",
             lambda person: person.edit(event["id"], {"attendees": changed}, notify=False), name)  # fmt: skip


def delete(world: World, name: str, dice: Dice) -> None:
    if event := _event(world, name, dice):
        _try(world, f"{name} deletes {event.get('summary')} in Google",
             lambda person: person.delete(event["id"], notify=False), name)  # fmt: skip


def restore(world: World, name: str, dice: Dice) -> None:
    table = world.google.store.table(world.email(name))
    known = set(EventLink.objects.filter(calendar__account__login=world.email(name)).values_list("event_id", flat=True))
    gone = [row for row in table.ordered if row.cancelled and (row.id in known or not row.repeats)]
    if gone:
        row = dice.of(gone)
        _try(world, f"{name} takes {row.body.get('summary')} out of Google's bin",
             lambda person: person.restore(row.id), name)  # fmt: skip
        if row.id not in known:  # It has returned from our side as another event: now these are two.
            _try(world, f"{name} calls it anew", lambda person: person.edit(row.id, {"summary": world.word()}), name)


def answer(world: World, name: str, dice: Dice) -> None:
    asked = [
        event
        for event in _events(world, name)
        if any(guest.get("self") and not guest.get("organizer") for guest in event.get("attendees", []))
    ]
    if asked:
        event = _one(world, dice, asked)
        response = dice.of(["accepted", "tentative", "declined"])
        comment = world.word() if dice.one_in(2) else None
        _try(world, f"{name} answers {event.get('summary')} in Google: {response}",
             lambda person: person.respond(event["id"], response, comment=comment, notify=False), name)  # fmt: skip


ACTS: tuple[Callable[[World, str, Dice], None], ...] = (
    make, edit, edit, edit, change_people, delete, restore, answer,
)  # fmt: skip


def _events(world: World, name: str) -> list[Body]:
    return sorted(world.google.person(world.email(name)).events(), key=lambda event: event["id"])


def _event(world: World, name: str, dice: Dice, *, own: bool = False) -> Body | None:
    events = [event for event in _events(world, name) if not own or event["organizer"].get("self")]
    return _one(world, dice, events) if events else None


def _one(world: World, dice: Dice, events: list[Body]) -> Body:
    last = [event for event in events if event["id"] == world.last_event]
    if last and dice.one_in(2):
        return last[0]
    event = dice.of(events)
    world.touch_event(event["id"])
    return event


def _times(world: World, *, was: Body | None = None) -> Body:
    start = world.minute()
    end = start + timedelta(minutes=30)
    body: Body = {
        side: {"dateTime": moment.isoformat(), "timeZone": "UTC"} for side, moment in (("start", start), ("end", end))
    }
    if was and "date" in was["start"]:
        body = {side: value | {"date": None} for side, value in body.items()}
    return body


def _days(world: World, dice: Dice, *, was: Body | None = None) -> Body:
    first = world.day()
    end = first + timedelta(days=dice.of([1, 2]))
    body: Body = {"start": {"date": first.isoformat()}, "end": {"date": end.isoformat()}}
    if was and "dateTime" in was["start"]:
        body = {side: value | {"dateTime": None, "timeZone": None} for side, value in body.items()}
    return body


def _try(world: World, words: str, act: Callable[[Any], object], name: str) -> None:
    try:
        act(world.google.person(world.email(name)))
    except ApiError as error:
        words += f" - refused: {error}"
    world.say(words)
