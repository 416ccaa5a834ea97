"""Many new events at once come in exactly as each would alone, in a handful of statements (R3, R18)."""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.db.models import Model, QuerySet
from django.test.utils import CaptureQueriesContext

from accounts.models import CommunicationOption
from activities.models import Activity, FieldChange, Participant
from sync import marks, writing
from sync.core import mapping
from sync.models import EventLink, Meeting, SyncedCalendar, SyncOutcome, SyncSession
from tests.factories import make_tag
from tests.google import synchronize, timed
from tests.sync.helpers import TEN, assert_quiet, counts

pytestmark = pytest.mark.django_db(transaction=True)

ANNA, BORIS = "anna@northfold.example", "boris@northfold.example"
NOT_COMPARED = {
    "id", "uid", "activity", "link", "series", "session", "mark",
    "added_at", "at", "created_at", "modified_at", "settled_at",
}  # fmt: skip


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a switch that lets every event wait for its turn."""
    return lambda: monkeypatch.setattr(writing, "take_in", lambda _run, links: links)


def rows(model: type[Model], name: str, **selected: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what rows say, each with the name by which two runs are compared."""
    manager: Any = Activity.every if model is Activity else model._default_manager
    for row in manager.filter(**selected).order_by("pk"):
        values = {field.name: getattr(row, field.attname) for field in model._meta.concrete_fields}
        yield (
            str(attrgetter(name)(row) if row is not None else None),
            {key: value for key, value in values.items() if key not in NOT_COMPARED},
        )


def everything() -> dict[str, Any]:
    """Return all that a first read leaves, without what two runs never share: ids and the moment."""
    tags = {activity.subject: sorted(activity.tags.values_list("name", flat=True)) for activity in Activity.every.all()}
    return {
        "activities": sorted(rows(Activity, "subject"), key=str),
        "participants": sorted(rows(Participant, "activity.subject"), key=str),
        "meetings": sorted(rows(Meeting, "activity.subject"), key=str),
        "links": sorted(rows(EventLink, "event_id"), key=str),
        "changes": sorted(rows(FieldChange, "activity.subject"), key=str),
        "outcomes": sorted(rows(SyncOutcome, "item"), key=str),
        "tags": tags,
    }


def forget_everything(calendar: SyncedCalendar) -> None:
    for model in (SyncSession, EventLink, Meeting):
        model._default_manager.all().delete()
    Activity.every.all().delete()
    SyncedCalendar.objects.update(sync_token="", page_token="", complete_read=0, compared_at=None, compare_all=True)


DAYS = {"start": {"date": "2027-03-08"}, "end": {"date": "2027-03-10"}}
EVENTS: list[dict[str, Any]] = [
    {"summary": "Alone", **TEN},
    {"summary": "", **TEN},
    {"summary": "x" * 1500, "location": "Lund", "description": "First\r\nsecond", **TEN},
    {"summary": "All day", **DAYS},
    {"summary": "In Auckland", **timed("2027-03-08T10:00:00", "2027-03-08T11:00:00", "Pacific/Auckland")},
    {"summary": "Private and free", "visibility": "private", "transparency": "transparent", **TEN},
    {"summary": "Confidential", "visibility": "confidential", **TEN},
    {"summary": "Reminder", "reminders": {"useDefault": False, "overrides": [{"method": "popup", "minutes": 20}]},
     **TEN},
    {"summary": "Long ago", **timed("2019-03-08T10:00:00", "2019-03-08T11:00:00")},
    {"summary": "Guests", "attendees": [{"email": ANNA, "responseStatus": "accepted"},
     {"email": BORIS, "responseStatus": "tentative"}, {"email": "maria@partner.example", "displayName": "Maria"}],
     **TEN},
    {"summary": "Users alone", "attendees": [{"email": ANNA}, {"email": BORIS}], **TEN},
    {"summary": "By two addresses", "attendees": [{"email": BORIS}, {"email": "boris@home.example"}], **TEN},
    {"summary": "Strangers alone", "attendees": [{"email": "maria@partner.example"}], **TEN},
    {"summary": "Copy", "extendedProperties": {"private": {mapping.HIDDEN_ID: "no-id-of-ours"}}, **TEN},
    {"summary": "Weekly", "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"], **TEN},
]  # fmt: skip


@pytest.mark.rule("R3")
def test_many_new_events_come_in_as_each_would_alone(google, anna, boris, annas, boriss, one_by_one):
    CommunicationOption.objects.create(profile=boris, value="boris@home.example")
    calendars = google.person(ANNA)
    for body in EVENTS:
        calendars.create_event(body)
    theirs = google.person(BORIS)
    for summary, answer in (("Invited", None), ("Declined", "declined"), ("Maybe", "tentative")):
        event = theirs.create_event({"summary": summary, "attendees": [{"email": ANNA}], **TEN})
        if answer:
            calendars.respond(event["id"], answer)
    google.add_account("maria@partner.example", name="Maria")
    google.person("maria@partner.example").create_event({"summary": "By Maria", "attendees": [{"email": ANNA}], **TEN})

    together = synchronize(annas)
    found, was = everything(), counts(together)
    forget_everything(annas)
    one_by_one()
    alone = synchronize(annas)

    for name, rows_found in everything().items():
        assert found[name] == rows_found, name
    assert (was, together.status) == (counts(alone), alone.status)
    assert was == {"added_here": len(EVENTS) - 1 + 3}  # Neither what was declined nor what is over.


@pytest.mark.rule("R3", "R9")
def test_what_a_colleague_has_brought_is_joined_though_many_come_in(google, anna, boris, annas, boriss):
    google.person(ANNA).create_event({"summary": "Review", "attendees": [{"email": BORIS}], **TEN})
    synchronize(annas)
    for number in range(3):
        google.person(BORIS).create_event({"summary": f"Visit {number}", **TEN})

    session = synchronize(boriss)

    assert counts(session) == {"added_here": 4}
    review = Activity.objects.get(subject="Review")
    assert {link.calendar_id for link in review.links.all()} == {annas.pk, boriss.pk}
    assert Activity.objects.count() == 4
    assert_quiet(google, boriss)


@pytest.mark.rule("R18")
def test_a_first_read_takes_a_handful_of_statements_however_much_there_is(google, anna, annas):
    def statements(number: int) -> int:
        google.fill(ANNA, ({"summary": f"Visit {number}", **TEN} for number in range(number)))
        before = Activity.objects.count()
        with CaptureQueriesContext(connection) as captured:
            session = synchronize(annas)
        assert (session.status, session.requests_made) == ("succeeded", 1)
        assert Activity.objects.count() == before + number
        return len(captured)

    synchronize(annas)
    few, many = statements(20), statements(400)

    assert many <= (few if connection.vendor == "postgresql" else few + 40)  # SQLite takes a thousand values at most.
    assert_quiet(google, annas)


@pytest.mark.rule("R9")
def test_a_meeting_made_here_in_this_very_moment_is_found_one_by_one(google, anna, annas, monkeypatch):
    google.fill(ANNA, ({"summary": f"Visit {number}", **TEN} for number in range(3)))
    really = QuerySet.bulk_create

    def bulk_create(rows: Any, *args: Any, **kwargs: Any) -> Any:
        if rows.model is Meeting:
            raise IntegrityError("Somebody else has made it.")
        return really(rows, *args, **kwargs)

    monkeypatch.setattr(QuerySet, "bulk_create", bulk_create)

    session = synchronize(annas)

    assert (session.status, counts(session)) == ("succeeded", {"added_here": 3})
    assert Activity.objects.count() == SyncOutcome.objects.count() == 3
    assert_quiet(google, annas)


@pytest.mark.rule("R1", "R4", "R18")
def test_a_tag_chosen_while_many_come_in_is_followed_by_the_next_session(google, anna, annas, monkeypatch):
    google.fill(ANNA, ({"summary": f"Visit {number}", **TEN} for number in range(3)))
    other = make_tag("Other", owner=anna)

    def choose_another_tag() -> None:
        settings = anna.sync_settings
        settings.tag = other
        settings.save()
        marks.mark_everything(calendar=SyncedCalendar.objects.get(pk=annas.pk))

    google.interject(choose_another_tag, method="GET", path="/events")
    synchronize(annas)
    synchronize(annas)

    assert set(EventLink.objects.values_list("state", flat=True)) == {EventLink.State.FROZEN}
