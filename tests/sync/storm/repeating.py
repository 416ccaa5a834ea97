"""What people do to repeating things on both sides: this one, those that follow, all (R15)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from activities import series, services
from activities.models import Activity, Series
from google_emulator.errors import ApiError
from tests.google import sync_tag
from tests.sync.storm.dice import Dice
from tests.sync.storm.world import GUEST, World

# Short ones: a long series is tested elsewhere, and here each occurrence costs time.
RULES = ("RRULE:FREQ=WEEKLY;COUNT=3", "RRULE:FREQ=DAILY;COUNT=4", "RRULE:FREQ=DAILY;INTERVAL=2;COUNT=3")
SCOPES = ("this", "following", "all")


def make_here(world: World, name: str, dice: Dice) -> None:
    if world.is_full():
        return
    person, start = world.profile(name), world.minute()
    head = series.create(
        by=person, subject=world.word(), lines=[dice.of(RULES)], now=timezone.now(), start=start,
        due=start + timedelta(minutes=30), show_in_calendar=True,
        participants=[world.profiles["boris"]] if dice.one_in(2) else [],
    )  # fmt: skip
    services.add_tag(activity=head, tag=sync_tag(person), by=person)
    world.say(f"{name} makes the series {head} here")


def make_there(world: World, name: str, dice: Dice) -> None:
    if world.is_full():
        return
    start = world.minute()
    body: dict[str, Any] = {"summary": world.word(), "recurrence": [dice.of(RULES)]}
    for side, moment in (("start", start), ("end", start + timedelta(minutes=30))):
        body[side] = {"dateTime": moment.isoformat(), "timeZone": "UTC"}
    if dice.one_in(2):
        guests = [world.email(other) for other in ("anna", "boris", "maria") if other != name]
        body["attendees"] = [{"email": guest} for guest in (*guests, GUEST)]
    world.google.person(world.email(name)).create_event(body, notify=False)
    world.say(f"{name} makes the series {body['summary']} in Google")


def edit_here(world: World, name: str, dice: Dice) -> None:
    if occurrence := _occurrence(world, name, dice):
        scope, field = dice.of(SCOPES), dice.of(["subject", "location", "start", "notes", "lines"])
        values: dict[str, Any] = {field: world.word()}
        if field == "start":
            values = {"start": occurrence.start + timedelta(minutes=dice.of([15, 60, 25 * 60]))}
        elif field == "lines":
            if Activity.every.filter(is_series=True, subject=occurrence.subject).count() > 1:
                return  # The earlier part of a series would go on beside its later one, because somebody wants that.
            values = {"lines": [dice.of(RULES)]}
            scope = "all" if scope == "this" else scope
        world.attempt(f"{name} edits {scope} of {occurrence} at {occurrence.start} here: {values}", series.edit,
                      activity=occurrence, scope=scope, by=world.profile(name), **values)  # fmt: skip


def cancel_here(world: World, name: str, dice: Dice) -> None:
    if occurrence := _occurrence(world, name, dice):
        scope, status = dice.of(SCOPES), "not_started" if occurrence.status == "canceled" else "canceled"
        world.attempt(f"{name} sets {scope} of {occurrence} here to {status}", series.set_status,
                      activity=occurrence, scope=scope, by=world.profile(name), status=status)  # fmt: skip


def delete_here(world: World, name: str, dice: Dice) -> None:
    if occurrence := _occurrence(world, name, dice):
        scope = dice.of(SCOPES)
        world.attempt(f"{name} deletes {scope} of {occurrence} here", series.delete,
                      activity=occurrence, scope=scope, by=world.profile(name))  # fmt: skip


def repeat_here(world: World, name: str, dice: Dice) -> None:
    """A single activity begins to repeat."""
    person = world.profile(name)
    found = list(Activity.objects.visible_to(person).filter(status="not_started", series=None).order_by("pk"))
    if found and not world.is_full():
        activity = dice.of(found)
        world.attempt(f"{name} lets {activity} repeat", series.repeat, activity=activity, lines=[dice.of(RULES)],
                      by=person)  # fmt: skip


def edit_there(world: World, name: str, dice: Dice) -> None:
    if event := _instance(world, name, dice):
        scope, field = dice.of(SCOPES), dice.of(["summary", "location", "start", "description"])
        patch: dict[str, Any] = {field: world.word()}
        if field == "start":
            patch = {side: _later(event[side], minutes=15) for side in ("start", "end")}
        _act(world, name, f"edits {scope} of {event['summary']} at {event['start']} in Google: {patch}",
             lambda person: person.edit(event["id"], patch, notify=False, scope=scope))  # fmt: skip


def delete_there(world: World, name: str, dice: Dice) -> None:
    if event := _instance(world, name, dice):
        scope = dice.of(SCOPES)
        _act(world, name, f"deletes {scope} of {event['summary']} at {event['start']} in Google",
             lambda person: person.delete(event["id"], notify=False, scope=scope))  # fmt: skip


ACTS: tuple[Callable[[World, str, Dice], None], ...] = (
    make_here, make_there, edit_here, edit_there, edit_here, edit_there, cancel_here, delete_here, delete_there,
    repeat_here,
)  # fmt: skip


def _occurrence(world: World, name: str, dice: Dice) -> Activity | None:
    visible = Activity.objects.visible_to(world.profile(name)).filter(series__in=Series.objects.all())
    found = list(visible.order_by("pk"))
    return dice.of(found) if found else None


def _instance(world: World, name: str, dice: Dice) -> dict[str, Any] | None:
    """Return an occurrence, as Google's page shows it, of a series that is this person's own."""
    events = world.google.person(world.email(name)).events(expand=True)
    found = [event for event in events if "recurringEventId" in event and event["organizer"].get("self")]
    return dice.of(sorted(found, key=lambda event: event["id"])) if found else None


def _later(when: dict[str, str], *, minutes: int) -> dict[str, str]:
    if "date" in when:
        return when
    moment = datetime.fromisoformat(when["dateTime"]) + timedelta(minutes=minutes)
    return {"dateTime": moment.isoformat(), "timeZone": when["timeZone"]}


def _act(world: World, name: str, words: str, act: Callable[[Any], object]) -> None:
    try:
        act(world.google.person(world.email(name)))
    except ApiError as error:
        words += f" - refused: {error}"
    world.say(f"{name} {words}")
