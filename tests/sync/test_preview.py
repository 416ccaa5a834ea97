"""A preview says what the next session does, and changes nothing (R21)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from accounts.models import Profile
from activities import series, services
from activities.models import Activity, FieldChange, Participant, Tag
from google_emulator import Emulator
from sync import connections
from sync.google.gateway import CalendarGateway
from sync.models import ActivityMark, EventLink, Meeting, SyncedCalendar, SyncOutcome, SyncSession, SyncSettings
from sync.preview import Preview, preview
from tests.factories import make_activity, make_tag, make_user
from tests.google import sync_tag, synchronize, timed
from tests.sync.helpers import DUE, ELEVEN, START, TEN, change, counts, fresh, invite_both, only_activity, tagged

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.rule("R21")]

TABLES = (
    Activity, Participant, FieldChange, Tag, Activity.tags.through, ActivityMark, EventLink, Meeting, SyncedCalendar,
    SyncOutcome, SyncSession,
)  # fmt: skip


@dataclass
class World:
    """Anna and Boris, both connected, and Google."""

    google: Emulator
    anna: Profile
    annas: SyncedCalendar
    boris: Profile
    boriss: SyncedCalendar

    @property
    def annas_google(self) -> Any:
        return self.google.person("anna@northfold.example")

    def event(self) -> dict[str, Any]:
        """Return the one event of Anna's calendar."""
        [event] = self.annas_google.events()
        return event

    def linked(self, subject: str = "Renewal call", **values: Any) -> Activity:
        activity = tagged(self.anna, subject, **values)
        synchronize(self.annas)
        return activity

    def meeting(self) -> tuple[dict[str, Any], Activity]:
        """A meeting of Anna's with Boris and a guest, which both have synchronized."""
        event = invite_both(self.google)
        synchronize(self.annas)
        synchronize(self.boriss)
        return event, only_activity()


@pytest.fixture
def world(google, anna, annas, boris, boriss) -> World:
    return World(google, anna, annas, boris, boriss)


# Each prepares something and returns whose session comes next.
SITUATIONS: dict[str, Callable[[World], SyncedCalendar]] = {}


def situation(prepare: Callable[[World], SyncedCalendar | None]) -> Callable[[World], SyncedCalendar | None]:
    SITUATIONS[prepare.__name__] = lambda world: prepare(world) or world.annas
    return prepare


def set_status(world: World, activity: Activity, status: str) -> None:
    services.set_status(activity=activity, by=world.anna, status=status, now=timezone.now())


def untag(world: World, activity: Activity) -> None:
    services.remove_tag(activity=activity, tag=sync_tag(world.anna), by=world.anna)


def tag(world: World, activity: Activity) -> None:
    services.add_tag(activity=activity, tag=sync_tag(world.anna), by=world.anna)


@situation
def nothing(world):
    world.linked()


@situation
def new_on_both_sides(world):
    tagged(world.anna, participants=[world.boris])
    world.annas_google.create_event({"summary": "Dentist", **TEN})


@situation
def edited_on_both_sides(world):
    world.linked()
    first = only_activity()
    second = world.linked("Site visit")
    event = next(event for event in world.annas_google.events() if event["summary"] == "Renewal call")
    world.annas_google.edit(event["id"], {"location": "Room 4", "summary": "Theirs"})
    change(first, world.anna, subject="Ours", notes="Bring the offer")
    change(second, world.anna, days=(date(2027, 3, 9), date(2027, 3, 10)))


@situation
def a_conflict_that_google_wins(world):
    activity = world.linked()
    change(activity, world.anna, subject="Ours")
    FieldChange.objects.filter(field="subject").update(at=timezone.now() - timedelta(hours=2))
    world.annas_google.edit(world.event()["id"], {"summary": "Theirs"})


@situation
def a_meeting_comes_in(world):
    invite_both(world.google)


@situation
def a_colleague_joins(world):
    invite_both(world.google)
    synchronize(world.annas)
    world.google.person("boris@northfold.example").respond(
        world.google.person("boris@northfold.example").events()[0]["id"], "accepted"
    )
    return world.boriss


@situation
def only_a_guests_answer_flows(world):
    event, activity = world.meeting()
    world.annas_google.edit(event["id"], {"summary": "Renamed by Anna"})
    services.respond(activity=activity, profile=world.boris, response="accepted", now=timezone.now())
    return world.boriss


@situation
def a_guests_answer_comes_from_google(world):
    event, _activity = world.meeting()
    world.google.person("boris@northfold.example").respond(event["id"], "declined")
    return world.boriss


@situation
def the_organizer_sees_a_colleagues_answer(world):
    world.google.person("boris@northfold.example").respond(world.meeting()[0]["id"], "tentative")


@situation
def guests_change_on_both_sides(world):
    event, activity = world.meeting()
    clara = make_user("clara").profile
    services.add_participant(activity=activity, profile=clara, by=world.anna, now=timezone.now())
    services.remove_participant(activity=activity, profile=world.boris, by=world.anna, now=timezone.now())
    guests = [*event["attendees"], {"email": "dora@partner.example"}]
    world.annas_google.edit(event["id"], {"attendees": guests})


@situation
def a_foreign_change(world):
    _event, activity = world.meeting()
    Activity.objects.filter(pk=activity.pk).update(subject="By an import")
    services.announce(activity, by=None)


@situation
def it_freezes(world):
    untag(world, world.linked())


@situation
def it_thaws_with_edits_on_both_sides(world):
    activity = world.linked()
    untag(world, activity)
    synchronize(world.annas)
    change(activity, world.anna, subject="Changed here")
    world.annas_google.edit(world.event()["id"], {"location": "Changed there"})
    tag(world, activity)


@situation
def several_thaw(world):
    activities = [world.linked(f"Visit {number}") for number in range(3)]
    for activity in activities:
        untag(world, activity)
    synchronize(world.annas)
    for activity in activities:
        change(activity, world.anna, location="Changed here")
        tag(world, activity)


@situation
def it_thaws_and_its_event_is_gone(world):
    activity = world.linked()
    untag(world, activity)
    synchronize(world.annas)
    world.annas_google.delete(world.event()["id"])
    synchronize(world.annas)
    tag(world, activity)


@situation
def deleted_in_google(world):
    world.linked()
    world.annas_google.delete(world.event()["id"])


@situation
def deleted_in_google_and_changed_here(world):
    activity = world.linked()
    world.annas_google.delete(world.event()["id"])
    change(activity, world.anna, subject="Changed")


@situation
def canceled_here(world):
    set_status(world, world.linked(), "canceled")


@situation
def deleted_here_and_changed_in_google(world):
    activity = world.linked()
    services.delete(activity=activity, by=world.anna, now=timezone.now())
    world.annas_google.edit(world.event()["id"], {"summary": "Changed"})


@situation
def set_back_here(world):
    activity = world.linked()
    set_status(world, activity, "canceled")
    synchronize(world.annas)
    set_status(world, activity, "not_started")


@situation
def returned_in_google(world):
    world.linked()
    event = world.event()
    world.annas_google.delete(event["id"])
    synchronize(world.annas)
    world.annas_google.restore(event["id"])
    world.annas_google.edit(event["id"], {"summary": "Again"})


@situation
def a_guest_has_removed_their_copy(world):
    event, _activity = world.meeting()
    world.google.person("boris@northfold.example").delete(event["id"])
    return world.boriss


@situation
def missing_from_a_complete_read(world):
    world.linked()
    event_id = world.event()["id"]
    world.linked("Listed")
    world.annas_google.edit(event_id, timed("2019-03-08T10:00:00", "2019-03-08T11:00:00"))
    world.google.expire_sync_tokens()


@situation
def a_later_synchronize_from(world):
    world.linked()
    world.annas_google.create_event({"summary": "Dentist", **ELEVEN})
    synchronize(world.annas)
    SyncSettings.objects.filter(profile=world.anna).update(sync_from=date(2027, 3, 9))
    SyncedCalendar.objects.filter(pk=world.annas.pk).update(compare_all=True)


@situation
def the_organizer_has_lost_access(world):
    event, activity = world.meeting()
    change(activity, world.anna, subject="Not sent yet")
    connections.disconnect(account=world.annas.account)
    world.annas_google.edit(event["id"], {"location": "Room 7"})
    return world.boriss


@situation
def an_activity_of_nobody_goes_to_its_owner(world):
    activity = tagged(world.boris, participants=[world.anna])
    Activity.objects.filter(pk=activity.pk).update(organizer=None)
    tag(world, activity)


@situation
def an_organizer_without_synchronization(world):
    clara = make_user("clara").profile
    activity = make_activity(by=clara, start=START, due=DUE, show_in_calendar=True, participants=[world.anna])
    tag(world, activity)


@situation
def an_event_that_cannot_be_read(world):
    world.annas_google.create_event({"summary": "Fine", **TEN})
    far = timed("9998-12-31T10:00:00", "9998-12-31T11:00:00")
    world.google.fill("anna@northfold.example", [{"id": "broken12345", "summary": "Broken", **far}])


def cut_off(world: World) -> EventLink:
    """A link whose insert did not come to an end, and is due again."""
    tagged(world.anna)
    world.google.fail(status=403, reason="forbidden", method="POST", path="/events")
    synchronize(world.annas)
    EventLink.objects.update(retry_at=timezone.now() - timedelta(seconds=1))
    return EventLink.objects.get()


@situation
def an_insert_that_did_not_reach_google(world):
    cut_off(world)


@situation
def an_insert_whose_answer_was_lost(world):
    link = cut_off(world)
    hidden = {"private": {"creatioActivity": str(link.activity.uid)}}
    world.google.fill(
        "anna@northfold.example",
        [{"id": link.event_id, "summary": "Renewal call", "extendedProperties": hidden, **TEN}],
    )


@situation
def a_forged_invitation(world):
    real = world.annas_google.create_event({"summary": "Board", **TEN})
    synchronize(world.annas)
    forged = {"id": "forged12345", "iCalUID": real["iCalUID"], "summary": "Forged", **TEN}
    world.google.fill("boris@northfold.example", [forged | {"organizer": {"email": "anna@northfold.example"}}])
    return world.boriss


@situation
def more_than_one_transaction_holds(world):
    world.annas_google.create_event({"summary": "Dentist", **TEN})
    for number in range(30):
        tagged(world.anna, f"Visit {number}")
        world.annas_google.create_event({"summary": f"Event {number}", **ELEVEN})


@situation
def the_guard_stops_it(world):
    for number in range(6):
        tagged(world.anna, f"Visit {number}")
    synchronize(world.annas)
    for event in world.annas_google.events():
        world.annas_google.delete(event["id"])


@situation
def removals_that_the_guard_lets_pass(world):
    for number in range(6):
        tagged(world.anna, f"Visit {number}")
    synchronize(world.annas)
    for event in world.annas_google.events()[:3]:
        world.annas_google.delete(event["id"])


WEEKLY = ["RRULE:FREQ=WEEKLY;COUNT=5"]


def series_there(world: World) -> dict[str, Any]:
    return world.annas_google.create_event({"summary": "Stand-up", "recurrence": WEEKLY, **TEN})


def series_here(world: World) -> Activity:
    """Return the head of a series that takes part."""
    values = {"start": START, "due": DUE, "show_in_calendar": True, "now": timezone.now()}
    head = series.create(by=world.anna, subject="Stand-up", lines=WEEKLY, **values)
    tag(world, head)
    return head


def second(head: Activity) -> Activity:
    return Activity.objects.get(series=head.series_id, original_start=START + timedelta(weeks=1))


@situation
def a_series_comes_in_with_an_exception(world):
    series_there(world)
    [_first, moved, *_rest] = world.annas_google.events(expand=True)
    world.annas_google.edit(moved["id"], timed("2027-03-16T14:00:00", "2027-03-16T15:00:00"))


@situation
def a_series_goes_out(world):
    series_here(world)


@situation
def a_series_is_edited_in_google(world):
    event = series_there(world)
    synchronize(world.annas)
    world.annas_google.edit(event["id"], {"summary": "Daily"})
    world.annas_google.delete(world.annas_google.events(expand=True)[2]["id"])


@situation
def a_series_is_edited_here(world):
    head = series_here(world)
    synchronize(world.annas)
    series.edit(activity=second(head), scope="all", by=world.anna, now=timezone.now(), location="Room 4")


@situation
def an_occurrence_is_edited_here(world):
    head = series_here(world)
    synchronize(world.annas)
    series.edit(activity=second(head), scope="this", by=world.anna, now=timezone.now(), location="Room 4")


@situation
def a_series_is_divided_here(world):
    head = series_here(world)
    synchronize(world.annas)
    series.edit(activity=second(head), scope="following", by=world.anna, now=timezone.now(), location="Room 4")


@situation
def a_series_with_an_exception_is_divided_here(world):
    head = series_here(world)
    synchronize(world.annas)
    series.edit(activity=second(head), scope="this", by=world.anna, now=timezone.now(), subject="With guests")
    synchronize(world.annas)
    fourth = Activity.objects.get(series=head.series_id, original_start=START + timedelta(weeks=3))
    series.edit(activity=fourth, scope="following", by=world.anna, now=timezone.now(), location="Room 4")


@situation
def a_series_is_divided_here_before_an_exception(world):
    head = series_here(world)
    synchronize(world.annas)
    fourth = Activity.objects.get(series=head.series_id, original_start=START + timedelta(weeks=3))
    series.edit(activity=fourth, scope="this", by=world.anna, now=timezone.now(), subject="With guests")
    synchronize(world.annas)
    series.edit(activity=second(head), scope="following", by=world.anna, now=timezone.now(), location="Room 4")


@situation
def a_series_is_deleted_in_google(world):
    event = series_there(world)
    synchronize(world.annas)
    world.annas_google.delete(event["id"])


@situation
def a_series_is_divided_in_google(world):
    synced_and_divided(world, {"summary": "Retro"})


@situation
def a_series_is_divided_in_google_at_another_time(world):
    synced_and_divided(world, timed("2027-03-22T14:00:00", "2027-03-22T15:00:00"))


def synced_and_divided(world: World, change: dict[str, Any]) -> None:
    """Divide a series from its third occurrence on, in Google; others come in with it."""
    series_there(world)
    synchronize(world.annas)
    world.google.fill(
        "anna@northfold.example",
        [{"id": f"other{number:03}", "summary": f"Other {number}", **TEN} for number in range(30)],
    )
    world.annas_google.edit(world.annas_google.events(expand=True)[-3]["id"], change, scope="following")


@situation
def a_series_freezes(world):
    head = series_here(world)
    synchronize(world.annas)
    untag(world, head)


def lines(found: Any) -> list[tuple[Any, ...]]:
    """Return planned actions or outcomes, as far as both have to say the same."""
    names = ("action", "direction", "item", "rule", "reason", "field", "here", "google", "kept")
    return sorted((tuple(getattr(one, name) for name in names) for one in found), key=repr)


def everything() -> dict[str, list[dict[str, Any]]]:
    return {model.__name__: list(model._default_manager.order_by("pk").values()) for model in TABLES}


class Watching(CalendarGateway):
    """Google as it is; nobody asks it within a transaction."""

    def _send(self, request: Any) -> Any:
        assert not connection.in_atomic_block
        return super()._send(request)

    def send(self, calls: Any) -> Any:
        assert not connection.in_atomic_block
        return super().send(calls)


def looked_at(calendar: SyncedCalendar) -> Preview:
    """Return a preview that has changed nothing, here or in Google."""
    calendar = SyncedCalendar.objects.get(pk=calendar.pk)
    before = everything()
    planned = preview(calendar=calendar, now=timezone.now(), gateway=Watching(account=calendar.account))
    assert everything() == before
    return planned


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_session_after_a_preview_does_what_it_said(world, name):
    calendar = SITUATIONS[name](world)
    world.google.requests.clear()

    planned = looked_at(calendar)

    assert world.google.requests.writes() == []
    session = synchronize(calendar)
    assert lines(planned.actions) == lines(session.outcomes.all())
    assert bool(planned.waiting) == (session.status == "needs_confirmation")
    assert (name == "nothing") == (not planned.actions and not planned.waiting)


def test_a_preview_says_what_would_happen_and_changes_nothing(world):
    tagged(world.anna)
    world.annas_google.create_event({"summary": "Dentist", **TEN})

    planned = looked_at(world.annas)

    assert {(plan.action, plan.direction, plan.item) for plan in planned.actions} == {
        ("added", "google", "Renewal call"),
        ("added", "here", "Dentist"),
    }
    assert planned.requests_made == 1


@pytest.mark.rule("R14")
def test_a_preview_asks_for_what_a_complete_read_did_not_list(world):
    world.linked()
    event_id = world.event()["id"]
    world.annas_google.edit(event_id, timed("2019-03-08T10:00:00", "2019-03-08T11:00:00"))
    world.google.expire_sync_tokens()

    planned = looked_at(world.annas)

    assert [(plan.action, plan.field) for plan in planned.actions] == [("updated", "when")]
    assert planned.requests_made == 3  # The refused token, the complete read, and the event itself.


@pytest.mark.rule("R14")
def test_a_preview_says_before_which_removals_a_session_would_stop(world):
    for number in range(6):
        tagged(world.anna, f"Visit {number}")
    synchronize(world.annas)
    for event in world.annas_google.events():
        world.annas_google.delete(event["id"])

    planned = looked_at(world.annas)

    assert planned.actions == []
    assert {(plan.action, plan.direction, plan.rule) for plan in planned.waiting} == {("removed", "here", "R14")}
    assert len(planned.waiting) == 6

    tagged(world.anna, "One more")  # So they are not every one any more.
    planned = looked_at(world.annas)
    assert (len(planned.actions), planned.waiting) == (7, [])
    assert synchronize(world.annas).status == "succeeded"


@pytest.mark.rule("R11")
def test_a_preview_names_the_value_that_would_win(world):
    activity = world.linked()
    change(activity, world.anna, subject="Ours")
    FieldChange.objects.filter(field="subject").update(at=timezone.now() - timedelta(hours=2))
    world.annas_google.edit(world.event()["id"], {"summary": "Theirs"})

    [conflict] = [plan for plan in looked_at(world.annas).actions if plan.action == "replaced"]

    assert (conflict.field, conflict.here, conflict.google, conflict.kept) == ("subject", "Ours", "Theirs", "google")
    assert conflict.activity_id == activity.pk


@pytest.mark.rule("R1", "R2")
def test_a_preview_says_why_something_stays_out(world):
    tagged(world.anna, "Public").tags.add(make_tag("Website", kind="public"))
    make_activity(by=world.anna, subject="Nothing to do with Google", start=START)
    world.google.add_account("maria@partner.example")
    invited = world.google.person("maria@partner.example").create_event(
        {"summary": "Declined", "attendees": [{"email": "anna@northfold.example"}], **TEN}
    )
    world.annas_google.respond(invited["id"], "declined")

    planned = looked_at(world.annas)

    assert planned.actions == []
    assert {(plan.item, plan.rule) for plan in planned.staying_out} == {("Public", "R1d"), ("Declined", "R2")}
    assert counts(synchronize(world.annas)) == {}


def test_the_command_prints_all_of_a_preview(world):
    tagged(world.anna)
    out = StringIO()

    call_command("synchronize", "anna", "--preview", "--json", stdout=out)

    report = json.loads(out.getvalue())
    assert [(action["action"], action["direction"]) for action in report["actions"]] == [("added", "google")]
    assert (report["needs_confirmation"], report["staying_out"]) == ([], [])
    assert fresh(only_activity()).organizer == world.anna
