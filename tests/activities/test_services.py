"""What changes an activity: the rules, the log and the announcement of each service."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Permission

from activities import services
from activities.models import Activity, FieldChange, Tag
from activities.services import UnableToChange, UnableToTag
from activities.signals import activity_changed
from tests.factories import MONDAY_NINE, make_activity, make_tag, make_user

pytestmark = pytest.mark.django_db

LATER = MONDAY_NINE + timedelta(hours=5)


@pytest.fixture
def announced():
    heard = []

    def hear(*, activity, people, by, **_):
        heard.append((activity.pk, people, by))

    activity_changed.connect(hear)
    yield heard
    activity_changed.disconnect(hear)


def logged(activity: Activity) -> list[str]:
    return [change.field for change in activity.changes.order_by("id")]


# --- Making ---------------------------------------------------------------------------------------------------------


def test_whoever_makes_an_activity_owns_reports_and_organizes_it(anna, announced):
    activity = make_activity(by=anna)

    assert (activity.owner, activity.reporter, activity.organizer) == (anna, anna, anna)
    assert [(one.profile, one.response, one.displayed) for one in activity.participants.all()] == [
        (anna, "accepted", True)
    ]
    assert logged(activity) == ["created"]
    assert announced == [(activity.pk, {anna.pk}, anna)]


def test_owner_and_reporter_become_participants(anna, boris):
    clara = make_user("clara").profile
    activity = make_activity(by=anna, owner=boris, reporter=clara)

    answers = {one.profile: one.response for one in activity.participants.all()}
    assert answers == {anna: "accepted", boris: "needs_action", clara: "needs_action"}


@pytest.mark.parametrize(("given", "expected"), [({}, True), ({"show_in_calendar": False}, False)])
def test_a_meeting_is_shown_in_the_calendar_unless_somebody_says_otherwise(anna, given, expected):
    assert make_activity(by=anna, category="meeting", **given).show_in_calendar is expected
    assert make_activity(by=anna).show_in_calendar is False


def test_due_before_start_is_refused(anna):
    with pytest.raises(UnableToChange, match="earlier than the start"):
        make_activity(by=anna, due=MONDAY_NINE - timedelta(minutes=1))
    with pytest.raises(UnableToChange, match="earlier than the first"):
        make_activity(by=anna, days=(date(2026, 3, 10), date(2026, 3, 9)))
    assert not Activity.objects.exists()


@pytest.mark.rule("R16")
def test_an_all_day_activity_lasts_from_midnight_to_midnight_of_its_zone(anna):
    activity = make_activity(by=anna, days=(date(2026, 3, 9), date(2026, 3, 10)), time_zone="Europe/Stockholm")

    assert activity.start == datetime(2026, 3, 8, 23, tzinfo=UTC)
    assert activity.due == datetime(2026, 3, 10, 23, tzinfo=UTC)


# --- Changing -------------------------------------------------------------------------------------------------------


def test_what_is_not_given_stays_and_the_log_names_what_changed(anna, announced):
    activity = make_activity(by=anna, location="Room 4")
    announced.clear()

    changed = services.edit(activity=activity, by=anna, now=LATER, subject="Redlines")

    assert (changed.subject, changed.location) == ("Redlines", "Room 4")
    change = activity.changes.get(field="subject")
    assert (change.before, change.after, change.by, change.at) == ("Quarterly review", "Redlines", anna, LATER)
    assert announced == [(activity.pk, {anna.pk}, anna)]


def test_changing_nothing_announces_nothing(anna, announced):
    activity = make_activity(by=anna)
    announced.clear()

    same_time_elsewhere = MONDAY_NINE.astimezone(ZoneInfo("Asia/Tokyo"))
    services.edit(
        activity=activity, by=anna, now=LATER, subject=activity.subject,
        start=same_time_elsewhere, due=same_time_elsewhere + timedelta(hours=1),
    )  # fmt: skip

    assert announced == []
    assert logged(activity) == ["created"]


def test_moving_start_keeps_the_duration(anna):
    activity = make_activity(by=anna)

    moved = services.edit(activity=activity, by=anna, now=LATER, start=LATER)

    assert (moved.start, moved.due) == (LATER, LATER + timedelta(hours=1))
    assert logged(activity) == ["created", "when"]


def test_moving_due_before_start_is_refused_and_changes_nothing(anna):
    activity = make_activity(by=anna)

    with pytest.raises(UnableToChange):
        services.edit(activity=activity, by=anna, now=LATER, subject="New", due=MONDAY_NINE - timedelta(hours=1))

    activity.refresh_from_db()
    assert activity.subject == "Quarterly review"


def test_another_zone_moves_the_days_of_an_all_day_activity(anna):
    activity = make_activity(by=anna, days=(date(2026, 3, 9), date(2026, 3, 9)))

    moved = services.edit(activity=activity, by=anna, now=LATER, time_zone="Asia/Tokyo")

    assert (moved.start_date, moved.start) == (date(2026, 3, 9), datetime(2026, 3, 8, 15, tzinfo=UTC))


def test_becoming_a_meeting_ticks_show_in_calendar(anna):
    activity = make_activity(by=anna)
    assert services.edit(activity=activity, by=anna, now=LATER, category="meeting").show_in_calendar

    unticked = services.edit(activity=activity, by=anna, now=LATER, show_in_calendar=False)
    assert not unticked.show_in_calendar
    assert not services.edit(activity=activity, by=anna, now=LATER, subject="New").show_in_calendar


def test_a_new_owner_takes_part_and_a_removed_reporter_stays_away(anna, boris):
    clara = make_user("clara").profile
    activity = make_activity(by=anna, reporter=clara)
    services.remove_participant(activity=activity, profile=clara, by=anna, now=LATER)

    services.edit(activity=activity, by=anna, now=LATER, owner=boris)

    assert set(activity.participants.values_list("profile", flat=True)) == {anna.pk, boris.pk}
    assert activity.changes.filter(field="people", after=boris.full_name, by=anna).exists()


def test_reopening_empties_the_result(anna):
    activity = make_activity(by=anna)
    done = services.set_status(
        activity=activity, by=anna, status="completed", now=LATER, result="Agreed", result_details="In writing."
    )
    assert (done.result, done.result_details) == ("Agreed", "In writing.")

    reopened = services.set_status(activity=activity, by=anna, status="in_progress", now=LATER)
    assert (reopened.result, reopened.result_details) == ("", "")


def test_what_is_no_field_is_a_mistake_of_the_caller(anna):
    with pytest.raises(TypeError, match="made_in_google"):
        services.edit(activity=make_activity(by=anna), by=anna, now=LATER, made_in_google=True)


@pytest.mark.rule("R6")
@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"subject": "Mine now"}, id="subject"),
        pytest.param({"start": LATER}, id="when"),
        pytest.param({"location": "Elsewhere"}, id="location"),
        pytest.param({"notes": "Mine"}, id="notes"),
        pytest.param({"is_private": True}, id="private"),
        pytest.param({"show_as_free": True}, id="free"),
        pytest.param({"status": "canceled"}, id="canceling"),
    ],
)
def test_synchronized_fields_of_somebody_elses_meeting_are_refused(anna, boris, closed_to_anna, change):
    activity = make_activity(by=boris, participants=[anna])

    with pytest.raises(UnableToChange, match=closed_to_anna):
        services.edit(activity=activity, by=anna, now=LATER, **change)

    assert logged(activity) == ["created"]


@pytest.mark.rule("R6", "R14")
def test_taking_a_cancellation_back_is_refused_as_well(anna, boris, closed_to_anna):
    activity = make_activity(by=boris, participants=[anna], status="canceled")

    with pytest.raises(UnableToChange):
        services.set_status(activity=activity, by=anna, status="not_started", now=LATER)


@pytest.mark.rule("R6")
@pytest.mark.parametrize(
    "change",
    [
        {"priority": "high"},
        {"category": "meeting"},
        {"status": "completed"},
        {"result": ""},
        {"show_in_calendar": True},
    ],
)
def test_what_never_leaves_is_everybodys(anna, boris, closed_to_anna, change):
    activity = make_activity(by=boris, participants=[anna])
    changed = services.edit(activity=activity, by=anna, now=LATER, **change)
    assert all(getattr(changed, name) == value for name, value in change.items())


# --- People ---------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R8")
def test_a_participant_added_here_sees_it_at_once(anna, boris):
    activity = make_activity(by=anna, is_private=True)
    services.add_participant(activity=activity, profile=boris, by=anna, now=LATER)
    services.add_participant(activity=activity, profile=boris, by=anna, now=LATER)

    assert Activity.objects.visible_to(boris).get() == activity
    assert logged(activity) == ["created", "people"]


def test_somebody_removed_is_among_those_told(anna, boris, announced):
    activity = make_activity(by=anna, participants=[boris])
    announced.clear()

    services.remove_participant(activity=activity, profile=boris, by=anna, now=LATER)

    assert announced == [(activity.pk, {anna.pk, boris.pk}, anna)]
    assert activity.changes.get(field="people").before == boris.full_name


def test_organizer_and_owner_cannot_be_removed(anna, boris):
    activity = make_activity(by=anna, owner=boris)

    with pytest.raises(UnableToChange, match="Organizer"):
        services.remove_participant(activity=activity, profile=anna, by=anna, now=LATER)
    with pytest.raises(UnableToChange, match="Owner"):
        services.remove_participant(activity=activity, profile=boris, by=anna, now=LATER)


@pytest.mark.rule("R6")
def test_a_new_owner_of_somebody_elses_meeting_is_not_invited_to_it(anna, boris, closed_to_anna):
    clara = make_user("clara").profile
    activity = make_activity(by=boris, participants=[anna])

    assert services.edit(activity=activity, by=anna, now=LATER, owner=clara).owner == clara
    assert not activity.participants.filter(profile=clara).exists()


@pytest.mark.rule("R6")
def test_participants_of_somebody_elses_meeting_are_refused(anna, boris, closed_to_anna):
    clara = make_user("clara").profile
    activity = make_activity(by=boris, participants=[anna, clara])

    with pytest.raises(UnableToChange):
        services.add_participant(activity=activity, profile=make_user("dora").profile, by=anna, now=LATER)
    with pytest.raises(UnableToChange):
        services.remove_participant(activity=activity, profile=clara, by=anna, now=LATER)


def test_ones_own_answer_is_ones_own_even_on_a_closed_meeting(anna, boris, closed_to_anna, announced):
    activity = make_activity(by=boris, participants=[anna])
    announced.clear()

    services.respond(activity=activity, profile=anna, response="tentative", now=LATER)
    services.respond(activity=activity, profile=anna, response="tentative", now=LATER)

    assert activity.participants.get(profile=anna).response == "tentative"
    change = activity.changes.get(field="response")
    assert (change.before, change.after, change.by) == ("needs_action", "tentative", anna)
    assert len(announced) == 1


def test_who_takes_no_part_has_no_answer(anna, boris):
    with pytest.raises(UnableToChange, match="no part"):
        services.respond(activity=make_activity(by=boris), profile=anna, response="accepted", now=LATER)


# --- Copying and deleting -------------------------------------------------------------------------------------------


def test_a_copy_takes_the_participants_but_neither_tags_nor_the_google_identity(anna, boris):
    activity = make_activity(
        by=boris, participants=[anna], tags=[make_tag(owner=anna)], google_organizer="boris@gmail.example",
        join_link="https://meet.example/x", other_guests=[{"email": "ida@x.example"}], status="completed",
        result="Done", location="Room 4", show_in_calendar=True,
    )  # fmt: skip

    made = services.copy(activity=activity, by=anna, now=LATER)

    assert made.pk != activity.pk
    assert made.uid != activity.uid
    assert (made.organizer, made.owner, made.reporter) == (anna, boris, anna)
    assert set(made.participants.values_list("profile", flat=True)) == {anna.pk, boris.pk}
    assert (made.subject, made.location, made.start, made.due, made.show_in_calendar) == (
        activity.subject, "Room 4", activity.start, activity.due, True,
    )  # fmt: skip
    assert (made.status, made.result) == ("not_started", "")
    assert (made.google_organizer, made.join_link, made.other_guests, made.made_in_google) == ("", "", [], False)
    assert not made.tags.exists()


def test_a_copy_of_an_all_day_activity_lasts_all_day(anna):
    days = (date(2026, 3, 9), date(2026, 3, 11))
    made = services.copy(activity=make_activity(by=anna, days=days), by=anna, now=LATER)
    assert (made.all_day, made.start_date, made.due_date) == (True, *days)


@pytest.mark.rule("R8")
def test_a_copy_of_what_colleagues_may_not_read_is_private(anna):
    made = services.copy(activity=make_activity(by=anna, made_in_google=True), by=anna, now=LATER)
    assert (made.made_in_google, made.is_private) == (False, True)


@pytest.mark.rule("R14")
def test_the_organizer_deletes_and_restores(anna, announced):
    activity = make_activity(by=anna)
    services.delete(activity=activity, by=anna, now=LATER)
    assert not Activity.objects.visible_to(anna).exists()

    activity.refresh_from_db()
    services.restore(activity=activity, by=anna, now=LATER)
    assert Activity.objects.visible_to(anna).get() == activity
    assert logged(activity) == ["created", "deleted", "restored"]
    assert len(announced) == 3


@pytest.mark.rule("R14")
def test_others_cannot_delete_it(anna, boris):
    activity = make_activity(by=boris, participants=[anna])

    with pytest.raises(UnableToChange, match="Only the Organizer"):
        services.delete(activity=activity, by=anna, now=LATER)
    activity.deleted_at = LATER
    activity.save()
    with pytest.raises(UnableToChange, match="Only the Organizer"):
        services.restore(activity=activity, by=anna, now=LATER)


def test_without_an_organizer_the_owner_deletes(anna, boris):
    activity = make_activity(by=boris, organizer=None, owner=anna)
    assert services.why_not_deletable(activity=activity, profile=anna) is None
    assert services.why_not_deletable(activity=activity, profile=make_user().profile)


def test_an_event_google_lets_nobody_change_cannot_be_deleted(anna, closed_to_anna):
    with pytest.raises(UnableToChange, match=closed_to_anna):
        services.delete(activity=make_activity(by=anna), by=anna, now=LATER)


# --- Tags -----------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R1")
def test_somebody_elses_private_tag_cannot_be_touched(anna, boris):
    activity, tag = make_activity(by=boris, participants=[anna]), make_tag(owner=boris)

    with pytest.raises(UnableToTag, match="no such tag"):
        services.add_tag(activity=activity, tag=tag, by=anna)
    activity.tags.add(tag)
    with pytest.raises(UnableToTag, match="no such tag"):
        services.remove_tag(activity=activity, tag=tag, by=anna)
    assert activity.tags.get() == tag


def test_tags_are_announced_and_only_those_everybody_sees_are_logged(anna, announced):
    activity = make_activity(by=anna)
    announced.clear()
    private, corporate = make_tag(owner=anna), make_tag("Q4", kind=Tag.Kind.CORPORATE)

    for tag in (private, corporate, corporate):
        services.add_tag(activity=activity, tag=tag, by=anna, now=LATER)
    for tag in (private, corporate, corporate):
        services.remove_tag(activity=activity, tag=tag, by=anna, now=LATER)

    assert len(announced) == 4
    changes = FieldChange.objects.filter(activity=activity, field="tags").order_by("id")
    assert [(change.before, change.after) for change in changes] == [(None, "Q4"), ("Q4", None)]


def test_a_tag_is_made_once_per_name(anna, boris):
    first = services.make_tag(name="  Key   account ", kind="private", by=anna)
    again = services.make_tag(name="key account", kind="private", by=anna)
    of_boris = services.make_tag(name="Key account", kind="private", by=boris)

    assert first == again
    assert first.name == "Key account"
    assert of_boris != first


def test_a_name_too_long_is_cut_and_found_again(anna):
    name = "x" * 150
    assert services.make_tag(name=name, kind="private", by=anna) == services.make_tag(
        name=name, kind="private", by=anna
    )


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        pytest.param(" ", "private", "Give the tag a name", id="no-name"),
        pytest.param("\x00", "private", "Give the tag a name", id="nothing-but-a-null"),
        pytest.param("Q4", "corporate", "Ask an administrator", id="corporate-without-permission"),
        pytest.param("Q4", "public", "Ask an administrator", id="public-without-permission"),
        pytest.param("Q4", "secret", "no such type", id="unknown-type"),
    ],
)
def test_what_tag_cannot_be_made(anna, name, kind, message):
    with pytest.raises(UnableToTag, match=message):
        services.make_tag(name=name, kind=kind, by=anna)
    assert not Tag.objects.exists()


@pytest.mark.parametrize("kind", ["corporate", "public"])
def test_with_the_permission_anybody_makes_shared_tags(kind):
    user = make_user("clara")
    user.user_permissions.add(Permission.objects.get(codename=f"add_{kind}_tag"))

    tag = services.make_tag(name="Q4", kind=kind, by=user.profile)

    assert (tag.kind, tag.owner) == (kind, None)


@pytest.mark.rule("R16")
def test_a_start_that_the_clock_leaves_out_and_a_due_just_after_it_are_refused(anna):
    night = {"start": datetime(2027, 3, 28, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))}
    night["due"] = night["start"].replace(hour=3, minute=15)

    with pytest.raises(services.UnableToChange, match="The clocks are put forward that night"):
        make_activity(by=anna, **night)
    assert make_activity(by=anna, start=night["start"], due=night["due"].replace(minute=45)).due.hour == 1
