"""What people do in the section Activities, through the services that its pages call."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.utils import timezone

from activities import services
from activities.models import Activity
from tests.factories import make_activity
from tests.google import sync_tag
from tests.sync.storm.dice import Dice
from tests.sync.storm.world import World


def make(world: World, name: str, dice: Dice) -> None:
    if world.is_full():
        return
    person = world.profile(name)
    kind = dice.of(["alone", "meeting", "all day", "with dora", "private", "of dora", "without organizer", "no tag"])
    values: dict[str, Any] = {"show_in_calendar": True, "participants": [], "tags": [sync_tag(person)]}
    values |= {"start": world.minute(), "time_zone": person.time_zone}
    if kind == "meeting":
        values["participants"] = [world.profiles[other] for other in ("anna", "boris", "clara") if not dice.one_in(2)]
    elif kind == "all day":
        day = world.day()
        values |= {"start": None, "days": (day, day + timedelta(days=dice.of([0, 1, 2])))}
    elif kind == "with dora":
        values["participants"] = [world.profiles["dora"]]
    elif kind == "private":
        values["is_private"] = True
    elif kind == "of dora":
        values |= {"organizer": world.profiles["dora"], "participants": [person]}
    elif kind == "without organizer":
        values |= {"organizer": None, "participants": [world.profiles["boris"]]}
    elif kind == "no tag":
        values["tags"] = []
    activity = make_activity(by=person, subject=world.word(), now=timezone.now(), **values)
    world.touch_activity(activity)
    world.say(f"{name} makes {activity} here ({kind})")


def edit(world: World, name: str, dice: Dice) -> None:
    if activity := _visible(world, name, dice):
        field = dice.of(["subject", "start", "location", "subject", "notes", "is_private", "show_as_free", "days",
                         "due"])  # fmt: skip
        values: dict[str, Any] = {field: world.word()}
        if field == "start":
            values = {"start": world.minute()} | ({"due": None} if not activity.all_day else {})
            values["due"] = values["start"] + timedelta(minutes=30)
        elif field == "due":
            if activity.all_day:
                return
            values = {"start": activity.start, "due": activity.start + timedelta(minutes=31 + world.number() % 29)}
        elif field == "days":
            day = world.day()
            values = {"days": (day, day + timedelta(days=dice.of([0, 1])))}
        elif field in ("is_private", "show_as_free"):
            values = {field: not getattr(activity, field)}
        world.attempt(f"{name} edits {activity} here: {values}", services.edit, activity=activity,
                      by=world.profile(name), **values)  # fmt: skip


def set_status(world: World, name: str, dice: Dice) -> None:
    if activity := _visible(world, name, dice):
        status = dice.of(["canceled", "not_started", "completed", "canceled"])
        if activity.status == "canceled":
            status = "not_started"
        world.attempt(f"{name} sets {activity} here to {status}", services.set_status, activity=activity,
                      by=world.profile(name), status=status)  # fmt: skip


def delete(world: World, name: str, dice: Dice) -> None:
    if activity := _visible(world, name, dice):
        world.attempt(f"{name} deletes {activity} here", services.delete, activity=activity, by=world.profile(name))


def restore(world: World, name: str, dice: Dice) -> None:
    person = world.profile(name)
    if activity := _one(world, dice, Activity.objects.restorable_by(person, now=timezone.now())):
        world.attempt(f"{name} restores {activity} here", services.restore, activity=activity, by=person)


def change_people(world: World, name: str, dice: Dice) -> None:
    """Half the time of a meeting that has guests from elsewhere too, who must not come to harm by it (R7)."""
    found = dice.one_in(2) and _visible(world, name, dice, organizer=world.profile(name), other_guests__contains=[{}])
    if activity := found or _visible(world, name, dice):
        who = dice.of(["boris", "clara", "anna", "dora"])
        takes_part = activity.participants.filter(profile=world.profiles[who]).exists()
        change = services.remove_participant if takes_part else services.add_participant
        world.attempt(f"{name}: {change.__name__} {who} of {activity}", change, activity=activity,
                      profile=world.profiles[who], by=world.profile(name))  # fmt: skip


def answer(world: World, name: str, dice: Dice) -> None:
    if activity := _visible(world, name, dice, participants__profile=world.profiles[name]):
        response = dice.of(["accepted", "tentative", "declined"])
        world.attempt(f"{name} answers {activity} here: {response}", services.respond, activity=activity,
                      profile=world.profile(name), response=response)  # fmt: skip


def set_reminder(world: World, name: str, dice: Dice) -> None:
    if activity := _visible(world, name, dice, participants__profile=world.profiles[name]):
        minutes = dice.of([None, 5, 15, 45])
        world.attempt(f"{name} sets the reminder of {activity} here to {minutes}", services.set_reminder,
                      activity=activity, profile=world.profile(name), minutes=minutes)  # fmt: skip


def tag(world: World, name: str, dice: Dice) -> None:
    """Take the own tag off, or put it on again."""
    if activity := _visible(world, name, dice):
        own, person = sync_tag(world.profile(name)), world.profile(name)
        is_on = activity.tags.filter(pk=own.pk).exists()
        change = services.remove_tag if is_on else services.add_tag
        world.say(f"{name}: {change.__name__} of {activity}")
        change(activity=activity, tag=own, by=person, now=timezone.now())


def show_in_calendar(world: World, name: str, dice: Dice) -> None:
    if activity := _visible(world, name, dice):
        wanted = not activity.show_in_calendar
        world.attempt(f"{name}: show in calendar {wanted} of {activity}", services.edit, activity=activity,
                      by=world.profile(name), show_in_calendar=wanted)  # fmt: skip


def change_behind_the_back(world: World, name: str, dice: Dice) -> None:
    """An import, or the administration: it asks nobody and leaves no trace in the log (R6)."""
    if activity := _one(world, dice, Activity.objects.present()):
        activity.location = world.word()
        activity.save()
        services.announce(activity, by=None)
        world.say(f"an import sets the location of {activity} to {activity.location}")


def hand_over(world: World, name: str, dice: Dice) -> None:
    """The administration enters another Organizer, or nobody (R5)."""
    if activity := _visible(world, name, dice, series=None):
        before, people_before = activity.organizer_id, services.people_of(activity)
        activity.organizer = dice.of([*world.profiles.values(), None])
        activity.save()
        services.log(activity, before={"organizer": before}, after={"organizer": activity.organizer_id},
                     by=world.profile(name), now=timezone.now())  # fmt: skip
        services.announce(activity, by=world.profile(name), people_before=people_before)
        world.say(f"the administration gives {activity} to {activity.organizer}")


ACTS: tuple[Callable[[World, str, Dice], None], ...] = (
    make, edit, edit, edit, set_status, delete, restore, change_people, change_people, answer, set_reminder, tag,
    show_in_calendar, change_behind_the_back, hand_over,
)  # fmt: skip


def _visible(world: World, name: str, dice: Dice, **filters: Any) -> Activity | None:
    """Choose an activity that somebody may open, mostly one that is theirs to change, and no occurrence of many."""
    person = world.profile(name)
    visible = Activity.objects.visible_to(person).filter(**filters).distinct()
    once = visible.filter(series=None)
    if not dice.one_in(4) and once:
        visible = once
    mine = visible.filter(organizer=person)
    return _one(world, dice, visible if dice.one_in(4) or not mine else mine)


def _one(world: World, dice: Dice, found: Any) -> Activity | None:
    activities = list(found.order_by("pk"))
    last = [activity for activity in activities if activity.pk == world.last_activity]
    if last and dice.one_in(2):
        return last[0]
    if not activities:
        return None
    activity = dice.of(activities)
    world.touch_activity(activity)
    return activity
