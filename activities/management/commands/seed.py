"""Example people, tags and activities, so that a new installation has something to look at."""

from __future__ import annotations

import uuid
import zoneinfo
from argparse import ArgumentParser
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import Permission
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from accounts.models import CommunicationOption, Profile, User
from activities import services
from activities.models import Activity, Tag

PASSWORD = "demo"  # noqa: S105 - an example's, known to everybody; see `_refuse_where_others_can_sign_in`.
DOMAIN = "northfold.example"
LOOPBACK = {"localhost", "127.0.0.1", "::1"}

# An example's own id is made of its key: found again when the command is repeated, however it was changed meanwhile.
NAMESPACE = uuid.UUID("5b1c2d0e-6a3f-4c6e-9f0b-7d4f2a9c1e58")


@dataclass(frozen=True, slots=True)
class Person:
    username: str
    full_name: str
    job_title: str
    time_zone: str = "Europe/Berlin"
    phone: str = ""
    makes_shared_tags: bool = False
    is_admin: bool = False


PEOPLE = (
    Person("anna", "Anna Berg", "Account executive", phone="+49 30 5550 0101"),
    Person("boris", "Boris Novak", "Head of sales", time_zone="Europe/Prague", makes_shared_tags=True),
    Person("clara", "Clara Weiss", "Solution consultant", time_zone="Europe/London", phone="+44 20 5550 0103"),
    Person("admin", "Ada Lund", "Administrator", makes_shared_tags=True, is_admin=True),
)

SYNCHRONIZATION = "anna/Google synchronization"
KEY_ACCOUNT = "anna/Key account"
TAGS = (
    SYNCHRONIZATION,
    KEY_ACCOUNT,
    "boris/Team",
    "clara/Follow up",
    "corporate/Q4 renewals",
    "public/Website",
)


@dataclass(frozen=True, slots=True)
class Example:
    """
    One activity. `day` counts from the Monday of this week, so -3 is last Friday; `at` is the owner's wall clock.

    Without `at` it lasts all day, `days` of them.
    """

    key: str
    subject: str
    owner: str
    day: int
    at: str = ""
    minutes: int = 30
    days: int = 1
    category: str = Activity.Category.TO_DO
    status: str = Activity.Status.NOT_STARTED
    with_: tuple[str, ...] = ()  # "name" takes part, "name:response" has answered.
    tags: tuple[str, ...] = ()
    left_open: bool = False  # Overdue once its time is over; everything else has been completed by then.
    more: dict[str, Any] = field(default_factory=dict)


SHOWN = {"show_in_calendar": True}
HIGH = {"priority": Activity.Priority.HIGH}
MEETING = Activity.Category.MEETING
CALL = Activity.Category.CALL
PAPERWORK = Activity.Category.PAPERWORK
COMPLETED = Activity.Status.COMPLETED
IN_PROGRESS = Activity.Status.IN_PROGRESS

EXAMPLES = (
    # Last week: done, canceled, and what was left lying.
    Example("kick-off", "Kick-off: Lumen Clinics rollout", "anna", -5, "10:00", 60, category=MEETING, status=COMPLETED,
            with_=("boris:accepted", "clara:accepted"),
            more={"location": "Room Spree", "result": "Agreement reached",
                  "result_details": "Pilot in two clinics, rollout from January."}),
    Example("intro-call", "Introduction: Orsini Packaging", "boris", -4, "14:00", 30, category=CALL, status=COMPLETED,
            more=SHOWN | {"result": "Follow-up needed", "result_details": "They want prices for 200 seats."}),
    Example("offer-orsini", "Send offer to Orsini Packaging", "anna", -3, "09:30", 60, category=PAPERWORK,
            tags=(KEY_ACCOUNT,), left_open=True, more=SHOWN | HIGH),
    Example("call-back", "Call back Lumen Clinics", "anna", -3, "16:00", 15, category=CALL, left_open=True, more=SHOWN),
    Example("trade-press", "Answer the trade press", "clara", -4, "11:00", 45, tags=("public/Website",),
            left_open=True, more=SHOWN),
    Example("canceled-lunch", "Lunch with the Kestrel team", "boris", -3, "12:00", 60, category=MEETING,
            status=Activity.Status.CANCELED, with_=("anna:declined",),
            more={"location": "Canteen", "result": "Not needed any more"}),
    # This week.
    Example("week-plan", "Plan the week", "anna", 0, "09:00", 30, status=COMPLETED, tags=(SYNCHRONIZATION,),
            more=SHOWN | {"result": "Done"}),
    Example("pipeline", "Pipeline review", "boris", 0, "10:00", 60, category=MEETING,
            with_=("anna:accepted", "clara:tentative"),
            more={"location": "Room Havel", "notes": "Numbers first, then the three deals at risk."}),
    Example("contract-alder", "Redlines with Alder & Finch", "anna", 1, "09:30", 60, category=PAPERWORK,
            tags=(SYNCHRONIZATION, KEY_ACCOUNT), left_open=True,
            more=SHOWN | HIGH | {"notes": "Clause 7 and the notice period."}),
    Example("kestrel-call", "Check in with Kestrel Energy", "anna", 1, "11:30", 30, category=CALL, more=SHOWN),
    Example("site-visit", "Site visit: Kestrel Energy", "anna", 2, "13:00", 120, category=MEETING,
            tags=(SYNCHRONIZATION,), more={"location": "Hafenstraße 12, Hamburg"}),
    Example("workshop", "Contract workshop: Alder & Finch", "boris", 1, "14:00", 90, category=MEETING,
            with_=("anna:accepted", "clara"), more=HIGH | {"location": "Room Spree"}),
    Example("demo-system", "Prepare the demo system", "clara", 1, "10:00", 120, status=IN_PROGRESS, more=SHOWN),
    Example("renewal-list", "Go through the renewal list", "anna", 2, "09:00", 45,
            tags=(SYNCHRONIZATION, "corporate/Q4 renewals"),
            more=SHOWN | {"notes": "The corporate tag keeps this one out of Google."}),
    Example("numbers", "Numbers for the board", "boris", 2, "15:00", 90, category=PAPERWORK, status=IN_PROGRESS,
            more=HIGH),
    Example("fair", "Trade fair in Leipzig", "anna", 2, days=2, tags=(SYNCHRONIZATION,),
            more=SHOWN | {"location": "Messe Leipzig, hall 4"}),
    Example("product-demo", "Product demonstration: Havelland Foods", "clara", 3, "09:00", 60, category=MEETING,
            with_=("anna:accepted",), more={"notes": "Show the offline mode."}),
    Example("dentist", "Dentist", "anna", 3, "16:30", 45, more=SHOWN | {"is_private": True}),
    Example("one-on-one", "One-on-one", "boris", 3, "11:00", 30, category=MEETING, with_=("clara:accepted",),
            tags=("boris/Team",), more={"is_private": True}),
    Example("reference", "Ask Lumen Clinics for a reference", "clara", 3, "14:00", 20, category=CALL,
            tags=("clara/Follow up",), more=SHOWN),
    Example("quarterly", "Quarterly review: Havelland Foods", "anna", 4, "10:00", 60, category=MEETING,
            with_=("boris", "clara:tentative"), tags=(KEY_ACCOUNT,), more=HIGH | {"location": "Room Havel"}),
    Example("expenses", "Hand in travel expenses", "anna", 4, "15:00", 30, category=PAPERWORK, left_open=True,
            more={"priority": Activity.Priority.LOW}),
    Example("team-day", "Team day", "boris", 4, with_=("anna:accepted", "clara:accepted"),
            more=SHOWN | {"show_as_free": True}),
    # Next week.
    Example("handover", "Handover to the project team", "clara", 7, "10:00", 60, category=MEETING,
            with_=("anna",), more={"location": "Room Spree"}),
    Example("prices", "New price list", "boris", 8, "09:00", 60, category=PAPERWORK,
            tags=("corporate/Q4 renewals",), more=SHOWN),
    Example("holiday", "On leave", "clara", 9, days=3, more=SHOWN | {"is_private": True}),
)  # fmt: skip


class Command(BaseCommand):
    help = (
        "Makes example people (anna, boris, clara, and admin, an administrator; password “demo”), tags and two dozen "
        "activities around this week. Safe to repeat: what is there already stays as it is."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--demo",
            action="store_true",
            help="make them although others can reach this server: everybody knows their password",
        )

    def handle(self, *, demo: bool, **_: Any) -> None:
        """:raises CommandError: on a server that others can reach, unless told to."""
        if not demo:
            _refuse_where_others_can_sign_in()
        now = timezone.now()
        with transaction.atomic():
            people = {person.username: _make_person(person) for person in PEOPLE}
            tags = {key: _make_tag(key, people) for key in TAGS}
            made = [_make_activity(example, people=people, tags=tags, now=now) for example in EXAMPLES]
        names = ", ".join(people)
        self.stdout.write(f"Example people: {names}. {sum(made)} activities made, {len(made)} in all.")


def _refuse_where_others_can_sign_in() -> None:
    host = urlsplit(settings.PUBLIC_BASE_URL).hostname
    if settings.DEBUG or host in LOOPBACK:
        return
    raise CommandError(
        f"This server is reached as {settings.PUBLIC_BASE_URL}, and the example people, an administrator among them, "
        f"have the password “{PASSWORD}”. If that is what you want, repeat the command with --demo."
    )


def _make_person(person: Person) -> Profile:
    """Return the profile, making what is missing. Somebody who exists keeps their password and their details."""
    user, is_new = User.objects.get_or_create(
        username=person.username,
        defaults={
            "email": f"{person.username}@{DOMAIN}",
            "first_name": person.full_name.split()[0],
            "last_name": person.full_name.split()[-1],
            "is_staff": person.is_admin,
            "is_superuser": person.is_admin,
        },
    )
    details = {"full_name": person.full_name, "job_title": person.job_title, "time_zone": person.time_zone}
    if not is_new:
        return Profile.objects.get_or_create(user=user, defaults=details)[0]

    user.set_password(PASSWORD)
    user.save(update_fields=["password"])
    profile, _made = Profile.objects.update_or_create(user=user, defaults=details)
    address = f"{person.username}@{DOMAIN}"
    email = CommunicationOption.Kind.EMAIL
    if not CommunicationOption.objects.filter(kind=email, value__iexact=address).exists():
        CommunicationOption.objects.create(profile=profile, kind=email, value=address)
    if person.phone:
        kind = CommunicationOption.Kind.BUSINESS_PHONE
        CommunicationOption.objects.create(profile=profile, kind=kind, value=person.phone)
    if person.makes_shared_tags:
        names = ["add_corporate_tag", "add_public_tag"]
        user.user_permissions.add(*Permission.objects.filter(content_type__app_label="activities", codename__in=names))
    return profile


def _make_tag(key: str, people: dict[str, Profile]) -> Tag:
    """Return the tag; the key is "kind/name", or "username/name" for a private one."""
    of, name = key.split("/")
    owner = people.get(of)
    kind = Tag.Kind.PRIVATE if owner else of
    existing = Tag.objects.filter(kind=kind, owner=owner, name__iexact=name).first()
    return existing or Tag.objects.create(kind=kind, owner=owner, name=name)


def _make_activity(example: Example, *, people: dict[str, Profile], tags: dict[str, Tag], now: datetime) -> bool:
    """Make the activity unless it was made before, deleted ones included. Returns whether it was made."""
    uid = uuid.uuid5(NAMESPACE, example.key)
    if Activity.objects.filter(uid=uid).exists():
        return False
    owner = people[example.owner]
    answers = dict(entry.partition(":")[::2] for entry in example.with_)
    when = _when(example, zone=owner.zone, now=now)
    written = min(now, _start(when, owner.zone) - timedelta(days=2))  # Nobody writes down what is already over.
    activity = services.create(
        by=owner,
        now=written,
        uid=uid,
        subject=example.subject,
        kind=Activity.Kind.CALL if example.category == CALL else Activity.Kind.TASK,
        category=example.category,
        status=_status(example, when=when, zone=owner.zone, now=now),
        participants=[people[name] for name in answers],
        **when,
        **example.more,
    )
    for name, response in answers.items():
        if response:
            services.respond(activity=activity, profile=people[name], response=response, now=written)
    for key in example.tags:
        services.add_tag(activity=activity, tag=tags[key], by=owner)
    return True


def _when(example: Example, *, zone: zoneinfo.ZoneInfo, now: datetime) -> dict[str, Any]:
    """Return the arguments of `services.create` that say when: `days`, or `start` and `due`."""
    today = now.astimezone(zone).date()
    first = today - timedelta(days=today.weekday()) + timedelta(days=example.day)
    if not example.at:
        return {"days": (first, first + timedelta(days=example.days - 1))}
    start = datetime.combine(first, time.fromisoformat(example.at), tzinfo=zone)
    return {"start": start, "due": start + timedelta(minutes=example.minutes)}


def _status(example: Example, *, when: dict[str, Any], zone: zoneinfo.ZoneInfo, now: datetime) -> str:
    """Return the status: what began before today has been completed, so that the week looks right on any day of it."""
    began_before_today = _start(when, zone).date() < now.astimezone(zone).date()
    if example.status != Activity.Status.NOT_STARTED or example.left_open or not began_before_today:
        return example.status
    return COMPLETED


def _start(when: dict[str, Any], zone: zoneinfo.ZoneInfo) -> datetime:
    days: tuple[date, date] | None = when.get("days")
    return datetime.combine(days[0], time.min, tzinfo=zone) if days else when["start"]
