"""
What each of six people may see and do at every address of the project.

The meeting is a private one that Anna made in Google. Boris takes part and sees it; Clara was invited, but no
synchronization of hers has met it yet (R8); Dora is a colleague who is not invited; the administrator is not either.
"""

from __future__ import annotations

import copy
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from django.apps import apps
from django.core import serializers
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from accounts.models import CommunicationOption, Profile, User
from activities import attachments, services
from activities.calendar import When
from activities.list_views import XLSX
from activities.models import Activity, Attachment, Tag
from google_emulator import Emulator
from notices.models import Notice
from sync.models import EventLink, SyncedCalendar, SyncOutcome, SyncSession
from tests.activities.test_form import opened
from tests.factories import PASSWORD, make_user
from tests.google import connect, synchronize, timed
from tests.sync.helpers import tagged
from tests.sync.pages import make_outcome, make_session

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.rule("R8"), pytest.mark.timeout(300)]

PEOPLE = ("stranger", "employee", "waiting", "participant", "organizer", "administrator")
SUBJECT, TAG, COLLEAGUES_TAG = "Merger talks with Aldine", "Annas own word", "Boris own word"
WHO_KNOWS_THE_MEETING = {"participant", "organizer"}
QUERIES = {  # What is asked for, where the address alone asks for little.
    "activities:section": [
        {},
        {"view": "list", "period": "any", "employee": "all"},
        {"view": "calendar", "date": "2027-03-08", "employee": "all"},
        {"view": "dashboards", "period": "any", "employee": "all"},
        {"search": "talks"},
    ],
    "activities:calendar-entries": [{"start": "2027-03-08", "end": "2027-03-15", "employee": "all"}],
}
NOTHING_DONE = ("log-in", "missing", "no-way")  # Decided before anything could be.
LOGINS = ("/login/", "/admin/login/")
ADMINISTERED = ("accounts", "activities", "sync")
OURS = (*ADMINISTERED, "notices")
WHEN = timed("2027-03-08T10:00:00", "2027-03-08T11:00:00")

# Each address: what it answers to GET, and to POST with what makes sense there, to PEOPLE in their order:
#   log-in     sent to the page where one logs in
#   page       a page, a part of one, or a file; nothing changed
#   elsewhere  sent to another page; nothing changed
#   changed    something did; of a page, that it was seen
#   refused    no, with words; nothing changed
#   missing    404: there is no such thing, as far as they may know
#   not-theirs 403
#   no-way     405: the address takes the other kind of request
TABLE = """
home                                  GET  elsewhere  elsewhere  elsewhere  elsewhere  elsewhere  elsewhere
home                                  POST elsewhere  elsewhere  elsewhere  elsewhere  elsewhere  elsewhere
healthz                               GET  page       page       page       page       page       page
healthz                               POST no-way     no-way     no-way     no-way     no-way     no-way
accounts:login                        GET  page       elsewhere  elsewhere  elsewhere  elsewhere  elsewhere
accounts:login                        POST changed    elsewhere  elsewhere  elsewhere  elsewhere  elsewhere
accounts:exit                         GET  no-way     no-way     no-way     no-way     no-way     no-way
accounts:exit                         POST log-in     log-in     log-in     log-in     log-in     log-in
accounts:profile                      GET  log-in     page       page       page       page       page
accounts:profile                      POST log-in     changed    changed    changed    changed    changed
accounts:password                     GET  log-in     elsewhere  elsewhere  elsewhere  elsewhere  elsewhere
accounts:password                     POST log-in     changed    changed    changed    changed    changed
accounts:remove-photo                 GET  log-in     no-way     no-way     no-way     no-way     no-way
accounts:remove-photo                 POST log-in     elsewhere  elsewhere  changed    elsewhere  elsewhere
accounts:photo                        GET  log-in     page       page       page       page       page
accounts:photo                        POST log-in     no-way     no-way     no-way     no-way     no-way
accounts:add-option                   GET  log-in     page       page       page       page       page
accounts:add-option                   POST log-in     changed    changed    changed    changed    changed
accounts:change-option                GET  log-in     missing    missing    missing    page       missing
accounts:change-option                POST log-in     missing    missing    missing    refused    missing
accounts:delete-option                GET  log-in     no-way     no-way     no-way     no-way     no-way
accounts:delete-option                POST log-in     missing    missing    missing    elsewhere  missing
accounts:settings                     GET  log-in     page       page       page       page       page
accounts:settings                     POST log-in     elsewhere  elsewhere  elsewhere  elsewhere  elsewhere
external-accounts:list                GET  log-in     page       page       page       page       page
external-accounts:list                POST log-in     no-way     no-way     no-way     no-way     no-way
external-accounts:delete              GET  log-in     missing    missing    missing    page       missing
external-accounts:delete              POST log-in     missing    missing    missing    changed    missing
external-accounts:google-new          GET  log-in     elsewhere  elsewhere  elsewhere  elsewhere  elsewhere
external-accounts:google-new          POST log-in     elsewhere  elsewhere  elsewhere  elsewhere  elsewhere
external-accounts:google-callback     GET  log-in     refused    refused    refused    refused    refused
external-accounts:google-callback     POST log-in     no-way     no-way     no-way     no-way     no-way
external-accounts:google-old-links    GET  log-in     refused    refused    refused    refused    refused
external-accounts:google-old-links    POST log-in     refused    refused    refused    refused    refused
external-accounts:google-registration GET  log-in     not-theirs not-theirs not-theirs not-theirs page
external-accounts:google-registration POST log-in     no-way     no-way     no-way     no-way     no-way
external-accounts:google-connected    GET  log-in     elsewhere  elsewhere  page       page       elsewhere
external-accounts:google-connected    POST log-in     no-way     no-way     no-way     no-way     no-way
notices:page                          GET  log-in     page       page       changed    changed    page
notices:page                          POST log-in     no-way     no-way     no-way     no-way     no-way
notices:panel                         GET  log-in     no-way     no-way     no-way     no-way     no-way
notices:panel                         POST log-in     page       page       changed    changed    page
notices:count                         GET  log-in     page       page       page       page       page
notices:count                         POST log-in     no-way     no-way     no-way     no-way     no-way
notices:dismiss-all                   GET  log-in     no-way     no-way     no-way     no-way     no-way
notices:dismiss-all                   POST log-in     elsewhere  elsewhere  elsewhere  changed    elsewhere
notices:postpone                      GET  log-in     no-way     no-way     no-way     no-way     no-way
notices:postpone                      POST log-in     missing    missing    missing    changed    missing
notices:dismiss                       GET  log-in     no-way     no-way     no-way     no-way     no-way
notices:dismiss                       POST log-in     missing    missing    missing    changed    missing
sync:set-up                           GET  log-in     page       page       page       page       page
sync:set-up                           POST log-in     page       page       refused    changed    page
sync:calendars                        GET  log-in     missing    missing    page       page       missing
sync:calendars                        POST log-in     no-way     no-way     no-way     no-way     no-way
sync:preview                          GET  log-in     elsewhere  elsewhere  page       page       elsewhere
sync:preview                          POST log-in     no-way     no-way     no-way     no-way     no-way
sync:synchronize-now                  GET  log-in     no-way     no-way     no-way     no-way     no-way
sync:synchronize-now                  POST log-in     elsewhere  elsewhere  changed    changed    elsewhere
sync:sessions                         GET  log-in     page       page       page       page       page
sync:sessions                         POST log-in     no-way     no-way     no-way     no-way     no-way
sync:session                          GET  log-in     missing    missing    missing    page       missing
sync:session                          POST log-in     no-way     no-way     no-way     no-way     no-way
sync:progress                         GET  log-in     missing    missing    missing    page       missing
sync:progress                         POST log-in     no-way     no-way     no-way     no-way     no-way
sync:remove                           GET  log-in     no-way     no-way     no-way     no-way     no-way
sync:remove                           POST log-in     missing    missing    missing    changed    missing
sync:keep                             GET  log-in     no-way     no-way     no-way     no-way     no-way
sync:keep                             POST log-in     missing    missing    missing    changed    missing
sync:use-other-value                  GET  log-in     no-way     no-way     no-way     no-way     no-way
sync:use-other-value                  POST log-in     missing    missing    missing    changed    missing
sync:dismiss                          GET  log-in     no-way     no-way     no-way     no-way     no-way
sync:dismiss                          POST log-in     missing    missing    missing    changed    missing
sync:remove-from-google               GET  log-in     missing    missing    missing    page       missing
sync:remove-from-google               POST log-in     missing    missing    missing    changed    missing
sync:retry-activity                   GET  log-in     no-way     no-way     no-way     no-way     no-way
sync:retry-activity                   POST log-in     missing    missing    changed    changed    missing
sync:retry                            GET  log-in     no-way     no-way     no-way     no-way     no-way
sync:retry                            POST log-in     missing    missing    missing    changed    missing
activities:section                    GET  log-in     page       page       page       page       page
activities:section                    POST log-in     no-way     no-way     no-way     no-way     no-way
activities:new                        GET  log-in     page       page       page       page       page
activities:new                        POST log-in     changed    changed    changed    changed    changed
activities:add-tag-to-selected        GET  log-in     elsewhere  elsewhere  elsewhere  elsewhere  elsewhere
activities:add-tag-to-selected        POST log-in     elsewhere  elsewhere  changed    changed    elsewhere
activities:change-status-of-selected  GET  log-in     elsewhere  elsewhere  elsewhere  elsewhere  elsewhere
activities:change-status-of-selected  POST log-in     elsewhere  elsewhere  changed    changed    elsewhere
activities:delete-selected            GET  log-in     elsewhere  elsewhere  elsewhere  elsewhere  elsewhere
activities:delete-selected            POST log-in     elsewhere  elsewhere  page       changed    elsewhere
activities:export-selected            GET  log-in     elsewhere  elsewhere  elsewhere  elsewhere  elsewhere
activities:export-selected            POST log-in     elsewhere  elsewhere  page       page       elsewhere
activities:choose-columns             GET  log-in     no-way     no-way     no-way     no-way     no-way
activities:choose-columns             POST log-in     changed    changed    changed    changed    changed
activities:sort                       GET  log-in     no-way     no-way     no-way     no-way     no-way
activities:sort                       POST log-in     changed    changed    changed    changed    changed
activities:deleted                    GET  log-in     page       page       page       page       page
activities:deleted                    POST log-in     no-way     no-way     no-way     no-way     no-way
activities:calendar-entries           GET  log-in     page       page       page       page       page
activities:calendar-entries           POST log-in     no-way     no-way     no-way     no-way     no-way
activities:time-scale                 GET  log-in     no-way     no-way     no-way     no-way     no-way
activities:time-scale                 POST log-in     changed    changed    changed    changed    changed
activities:new-mini                   GET  log-in     page       page       page       page       page
activities:new-mini                   POST log-in     changed    changed    changed    changed    changed
activities:detail                     GET  log-in     missing    missing    page       page       missing
activities:detail                     POST log-in     missing    missing    refused    changed    missing
activities:move                       GET  log-in     no-way     no-way     no-way     no-way     no-way
activities:move                       POST log-in     missing    missing    refused    changed    missing
activities:mini                       GET  log-in     missing    missing    page       page       missing
activities:mini                       POST log-in     no-way     no-way     no-way     no-way     no-way
activities:edit-mini                  GET  log-in     missing    missing    page       page       missing
activities:edit-mini                  POST log-in     missing    missing    page       changed    missing
activities:set-status                 GET  log-in     no-way     no-way     no-way     no-way     no-way
activities:set-status                 POST log-in     missing    missing    changed    changed    missing
activities:add-attachments            GET  log-in     no-way     no-way     no-way     no-way     no-way
activities:add-attachments            POST log-in     missing    missing    elsewhere  elsewhere  missing
activities:download-attachment        GET  log-in     missing    missing    page       page       missing
activities:download-attachment        POST log-in     no-way     no-way     no-way     no-way     no-way
activities:remove-attachment          GET  log-in     no-way     no-way     no-way     no-way     no-way
activities:remove-attachment          POST log-in     missing    missing    elsewhere  changed    missing
activities:copy                       GET  log-in     no-way     no-way     no-way     no-way     no-way
activities:copy                       POST log-in     missing    missing    changed    changed    missing
activities:delete                     GET  log-in     missing    missing    page       page       missing
activities:delete                     POST log-in     missing    missing    elsewhere  changed    missing
activities:restore                    GET  log-in     no-way     no-way     no-way     no-way     no-way
activities:restore                    POST log-in     missing    missing    missing    changed    missing
activities:answer                     GET  log-in     no-way     no-way     no-way     no-way     no-way
activities:answer                     POST log-in     missing    missing    changed    elsewhere  missing
activities:add-participant            GET  log-in     no-way     no-way     no-way     no-way     no-way
activities:add-participant            POST log-in     missing    missing    elsewhere  changed    missing
activities:remove-participant         GET  log-in     no-way     no-way     no-way     no-way     no-way
activities:remove-participant         POST log-in     missing    missing    elsewhere  changed    missing
activities:add-tag                    GET  log-in     no-way     no-way     no-way     no-way     no-way
activities:add-tag                    POST log-in     missing    missing    changed    changed    missing
activities:remove-tag                 GET  log-in     no-way     no-way     no-way     no-way     no-way
activities:remove-tag                 POST log-in     missing    missing    missing    changed    missing
"""


@dataclass
class World:
    """Who is who, and what the addresses are about."""

    people: dict[str, Profile]
    ids: dict[str, int]  # By the name that routes have for them.
    ids_of: dict[str, dict[str, int]]  # Where an address takes another one.
    data: dict[str, dict[str, Any]]
    google: Emulator
    before: str = ""  # Every row, as it stands before anybody asks for anything.

    def address(self, name: str, route: str) -> str:
        named = re.findall(r"<int:(\w+)>", route)
        known = self.ids | self.ids_of.get(name, {})
        return reverse(name, kwargs={one: known[one] for one in named})


def every_address() -> dict[str, str]:
    """Return the names of all addresses and their routes."""
    return dict(_walk(get_resolver().url_patterns, "", ()))


def _walk(patterns: list[URLPattern | URLResolver], route: str, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for pattern in patterns:
        whole = route + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, whole, (*names, pattern.namespace) if pattern.namespace else names)
        else:
            yield ":".join((*names, str(pattern.name))), whole


@pytest.fixture
def world(google: Emulator) -> World:
    users = {
        "organizer": make_user("anna"),
        "participant": make_user("boris"),
        "waiting": make_user("clara"),
        "employee": make_user("dora"),
        "administrator": make_user("eve", is_staff=True, is_superuser=True),
    }
    people = {who: user.profile for who, user in users.items()}
    anna, boris, clara = people["organizer"], people["participant"], people["waiting"]
    annas, boriss = connect(google, anna.user), connect(google, boris.user)
    guests = [{"email": person.user.email} for person in (boris, clara)]
    google.person(anna.user.email).create_event(
        {"summary": SUBJECT, "description": SUBJECT, "visibility": "private", "attendees": guests, **WHEN}
    )
    gone, frozen = (tagged(anna, SUBJECT, is_private=True) for _number in range(2))
    synchronize(annas)
    synchronize(boriss)
    meeting = Activity.objects.get(participants__profile=boris)
    for owner, name in ((anna, TAG), (boris, COLLEAGUES_TAG)):
        meeting.tags.add(Tag.objects.create(name=name, owner=owner))
    assert set(meeting.participants.values_list("profile__user__username", "displayed")) == {
        ("anna", True), ("boris", True), ("clara", False),
    }  # fmt: skip
    boris.photo.save("boris.png", ContentFile(b"a picture"))
    services.remove_tag(activity=frozen, tag=frozen.tags.get(), by=anna)
    synchronize(annas)
    services.delete(activity=gone, by=anna, now=timezone.now())
    link = EventLink.objects.get(calendar=annas, activity=meeting)
    stopped_before = [EventLink.objects.get(activity=gone).pk]
    session = make_session(annas, status=SyncSession.Status.NEEDS_CONFIRMATION, stopped_before=stopped_before)
    about = {"item": SUBJECT, "activity": meeting, "link": link}
    values = {"field": "location", "here": "Room 4", "google": "Room 5", "kept": "google"}
    conflict = make_outcome(session, action=SyncOutcome.Action.REPLACED, rule="R11", **values, **about)
    problem = make_outcome(session, **about)
    note = SimpleUploadedFile("note.txt", SUBJECT.encode())
    attachments.add(activity=meeting, files=[note], by=anna, now=timezone.now())
    services.set_reminder(activity=meeting, profile=anna, minutes=10, now=timezone.now())
    reminder = Notice.objects.create(
        profile=anna, kind=Notice.Kind.REMINDER, activity=meeting, start=meeting.start, minutes=10,
        at=timezone.now(), shown_from=timezone.now(),
    )  # fmt: skip
    ids = {
        "notice_id": reminder.pk,
        "activity_id": meeting.pk,
        "attachment_id": Attachment.objects.get().pk,
        "profile_id": boris.pk,
        "tag_id": Tag.objects.get(name=TAG).pk,
        "session_id": session.pk,
        "account_id": annas.account_id,
        "option_id": CommunicationOption.objects.get(profile=anna).pk,
    }
    of_address = {
        "activities:restore": {"activity_id": gone.pk},
        "sync:use-other-value": {"outcome_id": conflict.pk},
        "sync:dismiss": {"outcome_id": conflict.pk},
        "sync:retry": {"outcome_id": problem.pk},
        "sync:remove-from-google": {"activity_id": frozen.pk},
    }
    return World(people, ids, of_address, data=data_of(meeting, people), google=google)


def data_of(meeting: Activity, people: dict[str, Profile]) -> dict[str, dict[str, Any]]:
    """Return what is posted to the addresses that take more than a press of a button."""
    when = {"start": "2027-03-09T10:00:00", "due": "2027-03-09T11:00:00"}
    days = {"start_date": "2027-03-09", "due_date": "2027-03-09"}
    new = {"subject": "New", "category": "meeting", "status": "not_started", "priority": "medium", "time_zone": "UTC"}
    mini = {**new, "start": when["start"][:16], "due": when["due"][:16], **days}
    new_password = "x7-Quite-new"
    employee, annas_tag = people["employee"], Tag.objects.get(name=TAG).pk
    selected = {"activity": meeting.pk, "confirmed": 1}
    return {
        "accounts:login": {"username": "dora", "password": PASSWORD},
        "accounts:profile": {"full_name": "Somebody else", "job_title": "", "time_zone": "UTC"},
        "accounts:password": {"old_password": PASSWORD, "new_password1": new_password, "new_password2": new_password},
        "accounts:add-option": {"kind": "email", "value": "other@northfold.example"},
        "accounts:change-option": {"kind": "email", "value": "other@northfold.example"},
        "accounts:settings": {"theme": "dark"},
        "notices:postpone": {"minutes": 30},
        "notices:dismiss-all": {"shown_at": timezone.now().isoformat()},
        "sync:set-up": {"period_minutes": 5, "sync_from": "2026-01-01", "calendar_id": "primary", "tag": annas_tag},
        "activities:new": {**mini, "owner": employee.pk, "reporter": employee.pk},
        "activities:new-mini": {**mini, "owner": employee.pk},
        "activities:detail": {**opened(meeting), "subject": "Changed"},
        "activities:edit-mini": {**mini, "subject": "Changed", "owner": meeting.owner_id},
        "activities:move": {**when, "seen": When.of(meeting).token},
        "activities:set-status": {"status": "completed", "result": "Done"},
        "activities:delete": {"confirmed": 1},
        "activities:answer": {"response": "accepted"},
        "activities:add-participant": {"profile": employee.pk},
        "activities:add-tag": {"kind": "private", "name": "Mine"},
        "activities:add-tag-to-selected": {**selected, "name": "Mine"},
        "activities:change-status-of-selected": {**selected, "status": "completed"},
        "activities:delete-selected": selected,
        "activities:export-selected": selected,
        "activities:choose-columns": {"column": "status"},
        "activities:sort": {"order": "-due"},
        "activities:time-scale": {"time_scale": 15},
    }


def test_every_address_gives_everybody_what_the_table_says(world):
    clients = clients_of(world)
    world.before = everything()
    seen = {}
    for name, route in every_address().items():
        if name.startswith("admin:"):
            continue
        address = world.address(name, route)
        for method in ("GET", "POST"):
            seen[name, method] = [ask(world, clients[who], who, method, address, name) for who in PEOPLE]
    differs = {key: (seen.get(key), line) for key, line in expected().items() if seen.get(key) != line}
    assert not differs
    assert not seen.keys() - expected().keys()  # A new address has to say here whose it is.


def clients_of(world: World) -> dict[str, Client]:
    clients = {who: Client(raise_request_exception=False) for who in PEOPLE}
    for who, profile in world.people.items():
        clients[who].force_login(profile.user)
    return clients


def test_the_administration_is_for_administrators_and_masks_what_is_private(world):
    """Django's own pages are staff's alone, and none says what a private meeting is about."""
    clients = clients_of(world)
    names = [(name, route) for name, route in every_address().items() if name.startswith("admin:")]
    assert len(names) > 50
    for name, route in names:
        for address in addresses_in_the_administration(name, route):
            answers = {who: clients[who].get(address) for who in ("stranger", "organizer", "administrator")}
            for who, response in answers.items():
                assert_nothing_told(who, response)
            kinds = [kind_of(response) for response in answers.values()]
            assert name == "admin:login" or kinds[:2] == ["log-in", "log-in"], address


def addresses_in_the_administration(name: str, route: str) -> Iterator[str]:
    """Return the address, or of what it is about every one."""
    values = re.findall(r"<(?:\w+:)?(\w+)>", route)
    if "content_type_id" in values:
        yield reverse(name, args=[1, 1])
    elif name == "admin:auth_user_password_change":
        yield from (reverse(name, args=[pk]) for pk in User.objects.values_list("pk", flat=True))
    elif name == "admin:sync_syncedcalendar_explain":
        calendar, activities = SyncedCalendar.objects.first(), Activity.every.values_list("pk", flat=True)
        yield from (f"{reverse(name, args=[calendar.pk])}?activity={pk}" for pk in activities)
    elif "object_id" in values:
        app, model = name.removeprefix("admin:").rsplit("_", 1)[0].split("_", 1)
        for pk in apps.get_model(app, model)._base_manager.values_list("pk", flat=True):
            yield reverse(name, args=[pk])
    elif "app_label" in route:
        yield from (reverse(name, kwargs={"app_label": app}) for app in ADMINISTERED)
    elif not name.endswith((":None", ":logout")):
        yield reverse(name)


def ask(world: World, client: Client, who: str, method: str, address: str, name: str) -> str:
    """Return what the answer is. Whatever it changed is taken back."""
    if method == "POST":
        return answer(world, who, lambda: client.post(address, world.data.get(name, {})), client)
    answers = {answer(world, who, partial(client.get, address, query), client) for query in QUERIES.get(name, [{}])}
    assert len(answers) == 1, f"{who} at {address}: {answers}"
    return answers.pop()


def answer(world: World, who: str, request: Callable[[], Any], client: Client) -> str:
    cookies = copy.copy(client.cookies)
    with undone(world.google):
        response = request()
        has_changed = kind_of(response) not in NOTHING_DONE and everything() != world.before
    client.cookies = cookies  # Whoever logged out is logged in again.
    assert_nothing_told(who, response)
    return "changed" if has_changed else kind_of(response)


def assert_nothing_told(who: str, response: Any) -> None:
    """What a private meeting is about reads who takes part and sees it, and a private tag its owner; nobody else."""
    text = content_of(response)
    about = f"{who} at {response.request['REQUEST_METHOD']} {response.request['PATH_INFO']}"
    assert who in WHO_KNOWS_THE_MEETING or SUBJECT not in text, about
    assert who == "organizer" or TAG not in text, about
    assert who == "participant" or COLLEAGUES_TAG not in text, about


def kind_of(response: Any) -> str:
    if response.status_code == 302:
        return "log-in" if response["Location"].startswith(LOGINS) else "elsewhere"
    known = {404: "missing", 403: "not-theirs", 405: "no-way", 400: "refused", 409: "refused", 422: "refused"}
    return "page" if 200 <= response.status_code < 300 else known[response.status_code]


def content_of(response: Any) -> str:
    content = b"".join(response.streaming_content) if response.streaming else response.content
    if response.get("Content-Type") == XLSX:
        with zipfile.ZipFile(io.BytesIO(content)) as workbook:
            content = b"".join(workbook.read(name) for name in workbook.namelist())
    return content.decode(errors="replace")


@contextmanager
def undone(google: Emulator) -> Iterator[None]:
    """Take back what happens here and at Google, which may be asked as if there were no transaction."""
    with google.undone(), transaction.atomic():
        connection.atomic_blocks[-1]._from_testcase = True
        yield
        transaction.set_rollback(True)


def everything() -> str:
    """Return all rows of the product."""
    tables = [model._base_manager.order_by("pk") for app in OURS for model in apps.get_app_config(app).get_models()]
    return serializers.serialize("json", (row for table in tables for row in table))


def expected() -> dict[tuple[str, str], list[str]]:
    table = {}
    for line in TABLE.strip().splitlines():
        name, method, *answers = line.split()
        table[name, method] = answers
    return table
