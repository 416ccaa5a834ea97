"""What people do to repeating things on both sides: this one, those that follow, all (R15)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone

from activities import series, services
from activities.models import Activity, Series
from google_emulator.errors import ApiError
from tests.google import sync_tag
from tests.sync.storm.dice import Dice
from tests.sync.storm.world import GUEST, World

# Short ones: a long series is tested elsewhere, and here each occurrence costs time.
RULES = ("RRULE:FREQ=WEEKLY;COUNT=3", "RRULE:FREQ=DAILY;COUNT=4", "RRULE:FREQ=DAILY;INTERVAL=2;COUNT=3")
ENDLESS = "RRULE:FREQ=MONTHLY"  # Up to the horizon, which is near in a journey.
DAY, HALF_AN_HOUR = timedelta(days=1), timedelta(minutes=30)
SCOPES = ("this", "following", "all")
ZURICH = "Europe/Zurich"
BEFORE_SUMMER_TIME = datetime(2027, 3, 27, 6, tzinfo=UTC)  # The clocks go forward on the 28th.
KINDS = ("counted", "counted", "until", "without one", "endless", "all day", "in Zurich")


@dataclass
class Plan:
    """When something repeats: days, or times in a zone, with the lines of its rule."""

    start: datetime | None
    day: date | None
    zone: str
    lines: list[str]

    def here(self) -> dict[str, Any]:
        if self.day:
            return {"days": (self.day, self.day), "time_zone": self.zone}
        assert self.start
        return {"start": self.start, "due": self.start + HALF_AN_HOUR, "time_zone": self.zone}

    def there(self) -> dict[str, Any]:
        if self.day:
            return {"start": {"date": self.day.isoformat()}, "end": {"date": (self.day + DAY).isoformat()}}
        assert self.start
        ends = (("start", self.start), ("end", self.start + HALF_AN_HOUR))
        zone = ZoneInfo(self.zone)
        return {side: {"dateTime": at.astimezone(zone).isoformat(), "timeZone": self.zone} for side, at in ends}


def plan(world: World, dice: Dice, *, zone: str) -> Plan:
    kind, start, day = dice.of(KINDS), world.minute(), None
    lines = [dice.of(RULES)]
    if kind == "until":
        lines = [f"RRULE:FREQ=DAILY;UNTIL={start + 3 * DAY:%Y%m%dT%H%M%SZ}"]
    elif kind == "without one":
        lines = ["RRULE:FREQ=DAILY;COUNT=4", f"EXDATE:{start + 2 * DAY:%Y%m%dT%H%M%SZ}"]
    elif kind == "endless":
        lines = [ENDLESS]
    elif kind == "all day":
        day = world.day()
        lines = [dice.of((*RULES, f"RRULE:FREQ=DAILY;UNTIL={day + 2 * DAY:%Y%m%d}"))]
    elif kind == "in Zurich":
        zone, start = ZURICH, BEFORE_SUMMER_TIME + timedelta(minutes=61 * world.number() % 700)
    return Plan(None if day else start, day, zone, lines)


def make_here(world: World, name: str, dice: Dice) -> None:
    if world.is_full():
        return
    person = world.profile(name)
    planned = plan(world, dice, zone=person.time_zone)
    head = series.create(
        by=person, subject=world.word(), lines=planned.lines, now=timezone.now(), show_in_calendar=True,
        participants=[world.profiles["boris"]] if dice.one_in(2) else [], **planned.here(),
    )  # fmt: skip
    services.add_tag(activity=head, tag=sync_tag(person), by=person)
    world.say(f"{name} makes the series {head} here: {planned}")


def make_there(world: World, name: str, dice: Dice) -> None:
    if world.is_full():
        return
    planned = plan(world, dice, zone="UTC")
    body: dict[str, Any] = {"summary": world.word(), "recurrence": planned.lines, **planned.there()}
    if dice.one_in(2):
        guests = [world.email(other) for other in ("anna", "boris", "maria") if other != name]
        body["attendees"] = [{"email": guest} for guest in (*guests, GUEST)]
    world.google.person(world.email(name)).create_event(body, notify=False)
    world.say(f"{name} makes the series {body['summary']} in Google: {planned}")


def edit_here(world: World, name: str, dice: Dice) -> None:
    if occurrence := _occurrence(world, name, dice):
        scope, field = dice.of(SCOPES), dice.of(["subject", "location", "start", "notes", "lines"])
        values: dict[str, Any] = {field: world.word()}
        if field == "start" and occurrence.start_date:
            day = occurrence.start_date + dice.of([DAY, 8 * DAY])
            values = {"days": (day, day)}
        elif field == "start":
            values = {"start": occurrence.start + timedelta(minutes=dice.of([15, 60, 25 * 60]))}
        elif field == "lines":
            if Activity.every.filter(is_series=True, subject=occurrence.subject).count() > 1:
                return  # The earlier part of a series would go on beside its later one, because somebody wants that.
            values = {"lines": [dice.of((*RULES, ENDLESS))]}
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


def tag_here(world: World, name: str, dice: Dice) -> None:
    """Somebody puts their own tag on one occurrence, or takes it off: of their own series, or of a colleague's."""
    occurrence = _occurrence(world, name, dice)
    own, person = sync_tag(world.profile(name)), world.profile(name)
    if occurrence and (dice.one_in(4) or occurrence.organizer != person):
        is_on = occurrence.tags.filter(pk=own.pk).exists()
        change = services.remove_tag if is_on else services.add_tag
        world.say(f"{name}: {change.__name__} of {occurrence} at {occurrence.start}, by {occurrence.organizer}")
        change(activity=occurrence, tag=own, by=person, now=timezone.now())


ACTS: tuple[Callable[[World, str, Dice], None], ...] = (
    make_here, make_there, edit_here, edit_there, edit_here, edit_there, cancel_here, delete_here, delete_there,
    repeat_here, tag_here,
)  # fmt: skip


def _occurrence(world: World, name: str, dice: Dice) -> Activity | None:
    visible = Activity.objects.visible_to(world.profile(name)).filter(series__in=Series.objects.all())
    found = list(visible.order_by("pk"))
    return dice.of(found) if found else None


def _instance(world: World, name: str, dice: Dice) -> dict[str, Any] | None:
    """Return an occurrence, as Google's page shows it, of a series that is this person's own."""
    events = world.shown(name)
    found = [event for event in events if "recurringEventId" in event and event["organizer"].get("self")]
    return dice.of(sorted(found, key=lambda event: event["id"])) if found else None


def _later(when: dict[str, str], *, minutes: int) -> dict[str, str]:
    if "date" in when:
        return {"date": (date.fromisoformat(when["date"]) + DAY).isoformat()}
    moment = datetime.fromisoformat(when["dateTime"]) + timedelta(minutes=minutes)
    return {"dateTime": moment.isoformat(), "timeZone": when["timeZone"]}


def _act(world: World, name: str, words: str, act: Callable[[Any], object]) -> None:
    try:
        act(world.google.person(world.email(name)))
    except ApiError as error:
        words += f" - refused: {error}"
    world.say(f"{name} {words}")
