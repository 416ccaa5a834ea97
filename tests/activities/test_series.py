"""Repeating activities: laid out, followed and moved; what people do with one occurrence, or with all (R15)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.dispatch import Signal
from django.test import Client
from django.utils import timezone

from accounts.models import Profile
from activities import feed, recurrence, series, services
from activities.models import Activity, FieldChange, Participant, Series
from activities.signals import (
    activity_changed,
    asks_why_read_only,
    occurrences_left,
    series_ended,
    series_made,
    series_split,
)
from sync import retention
from sync.models import EventLink
from tests.activities.conftest import CLOSED
from tests.factories import MONDAY_NINE, make_activity, make_tag, make_user
from tests.sync.pages import make_calendar

pytestmark = [pytest.mark.django_db, pytest.mark.rule("R15")]

NOW = MONDAY_NINE - timedelta(hours=1)
WEEKLY, DAILY = ("RRULE:FREQ=WEEKLY",), ("RRULE:FREQ=DAILY",)
FEW = 15  # Statements, however many occurrences there are.


def make_series(by: Profile, *lines: str, now: datetime = NOW, **values: Any) -> Activity:
    """Make a series of an hour from MONDAY_NINE, weekly unless lines are given. Returns its head."""
    if not values.get("days"):
        values.setdefault("start", MONDAY_NINE)
        values.setdefault("due", values["start"] + timedelta(hours=1))
    values.setdefault("subject", "Stand-up")
    return series.create(by=by, lines=lines or WEEKLY, now=now, **values)


def occurrences(head: Activity) -> list[Activity]:
    return list(Activity.objects.filter(series=head.series).order_by("original_start"))


def originals(head: Activity) -> list[datetime]:
    return [row.original_start for row in occurrences(head)]


def limit(django_assert_max_num_queries: Any) -> Any:
    """SQLite takes a row or few at a time; the number of statements is about PostgreSQL."""
    return django_assert_max_num_queries(FEW if connection.vendor == "postgresql" else 10_000)


def week(number: int, *, hour: int = 9) -> datetime:
    return MONDAY_NINE.replace(hour=hour) + timedelta(weeks=number)


# --- Laying out ----------------------------------------------------------------------------------------------------


def test_a_series_has_a_head_that_shows_nowhere_and_an_activity_for_each_occurrence(anna, boris):
    tag = make_tag(owner=anna)
    head = make_series(anna, "RRULE:FREQ=WEEKLY;COUNT=3", participants=[boris], location="Room 4")
    services.add_tag(activity=head, tag=tag, by=anna)

    assert head.is_series
    assert not Activity.objects.filter(pk=head.pk).exists()
    assert originals(head) == [week(0), week(1), week(2)]
    for row in occurrences(head):
        assert (row.subject, row.location, row.start, row.due - row.start) == (
            "Stand-up", "Room 4", row.original_start, timedelta(hours=1),
        )  # fmt: skip
        assert {person.profile: person.response for person in row.participants.all()} == {
            anna: Participant.Response.ACCEPTED,
            boris: Participant.Response.NEEDS_ACTION,
        }


def test_an_endless_series_is_laid_out_13_months_ahead(anna):
    head = make_series(anna, *DAILY)
    assert originals(head)[0] == MONDAY_NINE
    assert NOW + timedelta(days=394) < originals(head)[-1] < NOW + timedelta(days=397)
    assert head.series.laid_out_until == series.horizon(now=NOW)


def test_a_series_with_an_end_needs_no_further_look(anna):
    assert make_series(anna, "RRULE:FREQ=DAILY;COUNT=4").series.laid_out_until is None


def test_laying_out_takes_few_statements_and_doing_it_again_makes_nothing(anna, boris, django_assert_max_num_queries):
    head = make_series(anna, "RRULE:FREQ=DAILY;COUNT=1", participants=[boris])
    head.tags.add(make_tag(owner=anna))
    Series.objects.filter(pk=head.series.pk).update(recurrence=[*DAILY])
    with limit(django_assert_max_num_queries):
        made = series.lay_out(head.series, now=NOW)
    assert len(made) > 390
    assert made[-1].participants.count() == 2
    assert made[-1].tags.count() == 1
    assert series.lay_out(head.series, now=NOW) == []


def test_at_most_500_at_once_and_the_upcoming_ones_first(anna):
    long_ago = MONDAY_NINE - timedelta(days=1000)
    head = make_series(anna, *DAILY, start=long_ago)
    found = originals(head)
    assert len(found) == series.MOST
    assert found[-1] > NOW + timedelta(days=390)
    assert found[0] == found[-1] - timedelta(days=series.MOST - 1)


def test_only_what_ends_after_the_day_asked_for(anna):
    head = make_series(anna, "RRULE:FREQ=WEEKLY;COUNT=6", laid_out_from=week(2) + timedelta(minutes=30))
    assert originals(head) == [week(2), week(3), week(4), week(5)]

    series.lay_out(head.series, after=week(1), now=NOW)
    assert originals(head)[0] == week(1)

    series.lay_out(head.series, after=week(4), now=NOW)  # Somebody else needs less.
    assert len(originals(head)) == 5


def test_the_next_occurrence_is_there_however_far_away(anna):
    head = make_series(anna, "RRULE:FREQ=YEARLY;INTERVAL=4", start=MONDAY_NINE + timedelta(days=900))
    assert len(originals(head)) == 1


def test_beyond_the_horizon_lies_what_a_later_day_brings(anna, django_assert_max_num_queries):
    head = make_series(anna, *WEEKLY)
    count = len(originals(head))
    assert series.extend_horizon(now=NOW + timedelta(hours=23)) == 0
    with limit(django_assert_max_num_queries):
        assert series.extend_horizon(now=NOW + timedelta(weeks=2)) == 2
    assert len(originals(head)) == count + 2
    assert series.extend_horizon(now=NOW + timedelta(weeks=2)) == 0


def test_a_series_that_is_canceled_or_deleted_goes_no_further(anna):
    canceled, deleted = make_series(anna), make_series(anna)
    Activity.every.filter(pk=canceled.pk).update(status=Activity.Status.CANCELED)
    Activity.every.filter(pk=deleted.pk).update(deleted_at=NOW)
    assert series.extend_horizon(now=NOW + timedelta(weeks=9)) == 0


def test_a_rule_that_cannot_be_read_keeps_no_other_series_from_going_on(anna):
    broken, other = make_series(anna), make_series(anna)
    Series.objects.filter(pk=broken.series.pk).update(recurrence=["RRULE:FREQ=SOMETIMES"])
    assert series.extend_horizon(now=NOW + timedelta(weeks=3)) == 3
    assert len(originals(other)) > len(originals(broken))


def test_what_is_skipped_never_becomes_an_activity(anna):
    head = make_series(anna, "RRULE:FREQ=WEEKLY;COUNT=4", laid_out_from=week(3))
    series.skip(head.series, originals=[week(1)])
    series.lay_out(head.series, after=week(0), now=NOW)
    assert originals(head) == [week(0), week(2), week(3)]

    assert [row.original_start for row in series.lay_out_these(head.series, originals=[week(1)], now=NOW)] == [week(1)]
    series.lay_out(head.series, now=NOW)
    assert originals(head) == [week(0), week(1), week(2), week(3)]


def test_a_rule_that_cannot_be_read_is_refused_with_words(anna):
    with pytest.raises(services.UnableToChange, match="cannot be read"):
        make_series(anna, "RRULE:FREQ=SOMETIMES")
    assert not Series.objects.exists()


@pytest.mark.rule("R16")
def test_the_clock_on_the_wall_holds_when_the_clocks_change(anna):
    start = datetime(2026, 3, 27, 8, 0, tzinfo=UTC)  # Friday 9:00 in Zurich, two days before summer time.
    head = make_series(anna, "RRULE:FREQ=DAILY;COUNT=4", start=start, time_zone="Europe/Zurich")
    assert [row.start.hour for row in occurrences(head)] == [8, 8, 7, 7]
    assert {row.due - row.start for row in occurrences(head)} == {timedelta(hours=1)}


@pytest.mark.rule("R16")
def test_days_of_an_all_day_series_begin_when_they_do_in_its_zone(anna):
    days = (date(2026, 3, 28), date(2026, 3, 29))
    head = make_series(anna, "RRULE:FREQ=DAILY;COUNT=2;INTERVAL=2", days=days, time_zone="Europe/Zurich")
    first, second = occurrences(head)
    assert first.original_start == datetime(2026, 3, 28, tzinfo=UTC)
    assert (first.start_date, first.due_date) == days
    assert (second.start_date, second.due_date) == (date(2026, 3, 30), date(2026, 3, 31))
    assert second.start == datetime(2026, 3, 29, 22, tzinfo=UTC)


# --- Following the head --------------------------------------------------------------------------------------------


def change_head(head: Activity, **values: Any) -> dict[str, Any]:
    """Change the head as the synchronization does. Returns what it was."""
    before = {name: getattr(head, name) for name in values}
    for name, value in values.items():
        setattr(head, name, value)
    head.save()
    return before


def test_occurrences_follow_unless_they_have_something_of_their_own(anna, django_assert_max_num_queries):
    head = make_series(anna, *DAILY, location="Room 4")
    own = occurrences(head)[3]
    services.edit(activity=own, by=anna, now=NOW, subject="Stand-up with cake")
    before = change_head(head, subject="Daily", location="Room 5")
    with limit(django_assert_max_num_queries):
        series.follow(head, before=before, names=before)
    others = [row for row in occurrences(head) if row.pk != own.pk]
    assert {(row.subject, row.location) for row in others} == {("Daily", "Room 5")}
    own.refresh_from_db()
    assert (own.subject, own.location) == ("Stand-up with cake", "Room 5")


def test_people_come_and_go_with_the_series_but_who_was_added_to_one_stays(anna, boris, django_assert_max_num_queries):
    clara, dora = make_user("clara").profile, make_user("dora").profile
    head = make_series(anna, *DAILY, participants=[boris])
    special = occurrences(head)[2]
    services.add_participant(activity=special, profile=clara, by=anna, now=NOW)
    added = Participant.objects.create(activity=head, profile=dora, response="tentative", reminder_minutes=5)
    head.participants.filter(profile=boris).delete()
    with limit(django_assert_max_num_queries):
        series.follow_people(head, added=[added], removed=[boris.pk])
    plain = occurrences(head)[5]
    assert set(plain.participants.values_list("profile", flat=True)) == {anna.pk, dora.pk}
    assert set(special.participants.values_list("profile", flat=True)) == {anna.pk, dora.pk, clara.pk}
    hers = plain.participants.get(profile=dora)
    assert (hers.response, hers.reminder_minutes) == ("tentative", 5)


def test_an_answer_to_the_series_spares_occurrences_answered_otherwise(anna, boris):
    head = make_series(anna, "RRULE:FREQ=WEEKLY;COUNT=3", participants=[boris])
    services.respond(activity=occurrences(head)[1], profile=boris, response="declined", now=NOW)
    head.participants.filter(profile=boris).update(response="accepted")
    series.follow_response(head, profile_id=boris.pk, before="needs_action")
    answers = [row.participants.get(profile=boris).response for row in occurrences(head)]
    assert answers == ["accepted", "declined", "accepted"]


# --- At other times ------------------------------------------------------------------------------------------------


def re_place(head: Activity, *, now: datetime = NOW, lines: tuple[str, ...] | None = None, **when: Any):
    """Let the series take place otherwise, as the synchronization does. Returns the dropped ones that stay."""
    old, columns = series.pattern_of(head), series.when_columns(head)
    if "days" in when:
        head.set_days(first=when["days"][0], last=when["days"][1])
    elif when:
        head.set_times(start=when["start"], due=when["due"])
    head.save()
    if lines is not None:
        head.series.recurrence = list(lines)
        head.series.save()
    return series.re_place(head.series, old=old, old_columns=columns, now=now)


def test_occurrences_keep_their_identity_when_the_series_moves(anna, django_assert_max_num_queries):
    head = make_series(anna, *DAILY)
    before = [row.pk for row in occurrences(head)]
    with limit(django_assert_max_num_queries):
        dropped = re_place(head, start=week(0, hour=11), due=week(0, hour=13))
    assert dropped == []
    assert [row.pk for row in occurrences(head)][: len(before) - 1] == before[:-1]
    assert {(row.start.hour, row.due.hour) for row in occurrences(head)} == {(11, 13)}
    assert all(row.start == row.original_start for row in occurrences(head))
    assert Series.objects.get(pk=head.series.pk).first_start == week(0, hour=11)


def test_moved_by_a_day_onto_each_others_places_nothing_collides(anna):
    head = make_series(anna, "RRULE:FREQ=DAILY;COUNT=5")
    re_place(head, start=MONDAY_NINE + timedelta(days=1), due=MONDAY_NINE + timedelta(days=1, hours=1))
    assert originals(head) == [MONDAY_NINE + timedelta(days=number) for number in range(1, 6)]


def test_an_occurrence_that_somebody_moved_keeps_its_own_time(anna):
    head = make_series(anna, "RRULE:FREQ=WEEKLY;COUNT=3")
    own = services.edit(activity=occurrences(head)[1], by=anna, now=NOW, start=week(1, hour=15))
    re_place(head, start=week(0, hour=10), due=week(0, hour=11))
    own.refresh_from_db()
    assert (own.start, own.original_start) == (week(1, hour=15), week(1, hour=10))


def test_what_the_rule_drops_goes_but_not_with_local_work(anna):
    head = make_series(anna, "RRULE:FREQ=WEEKLY;COUNT=6")
    rows = occurrences(head)
    services.set_status(activity=rows[4], by=anna, now=NOW, status="completed", result="Done")
    services.edit(activity=rows[5], by=anna, now=NOW, notes="Bring the figures")
    dropped = re_place(head, lines=("RRULE:FREQ=WEEKLY;COUNT=3",))
    assert {row.pk for row in dropped} == {rows[4].pk, rows[5].pk}
    assert [row.pk for row in occurrences(head)] == [row.pk for row in rows[:3]]
    assert not Activity.every.filter(pk=rows[3].pk).exists()
    stays = Activity.objects.get(pk=rows[4].pk)
    assert (stays.series, stays.original_start, stays.result) == (None, None, "Done")


def test_a_series_of_times_becomes_one_of_days(anna):
    head = make_series(anna, "RRULE:FREQ=WEEKLY;COUNT=3")
    pks = [row.pk for row in occurrences(head)]
    re_place(head, days=(date(2026, 3, 9), date(2026, 3, 9)))
    assert [row.pk for row in occurrences(head)] == pks
    assert {row.all_day for row in occurrences(head)} == {True}
    assert originals(head)[1] == datetime(2026, 3, 16, tzinfo=UTC)


def test_what_is_skipped_moves_along(anna):
    head = make_series(anna, "RRULE:FREQ=WEEKLY;COUNT=3", laid_out_from=week(2))
    series.skip(head.series, originals=[week(1)])
    re_place(head, start=week(0, hour=10), due=week(0, hour=11))
    series.lay_out(head.series, after=week(0), now=NOW)
    assert originals(head) == [week(0, hour=10), week(2, hour=10)]


def test_occurrences_move_to_the_part_that_google_split_off(anna, boris, django_assert_max_num_queries):
    head = make_series(anna, *DAILY, participants=[boris])
    rows = occurrences(head)
    services.set_status(activity=rows[30], by=anna, now=NOW, status="completed", result="Done")
    own = services.edit(activity=rows[31], by=anna, now=NOW, subject="With cake")
    cut = rows[20].original_start
    part = make_series(anna, "RRULE:FREQ=DAILY;COUNT=1", start=cut.replace(hour=12), subject="Late stand-up")
    Series.objects.filter(pk=part.series.pk).update(recurrence=[*DAILY])
    Activity.objects.filter(series=part.series).delete()
    with django_assert_max_num_queries(45 if connection.vendor == "postgresql" else 10_000):
        moved = series.move_occurrences(head, to=part, since=cut.replace(hour=12), now=NOW)
    assert moved == [row.pk for row in rows[20:]]
    series.lay_out(Series.objects.get(pk=part.series.pk), now=NOW)
    assert len(occurrences(head)) == 20
    late = {row.pk: row for row in occurrences(part)}
    assert late[rows[30].pk].result == "Done"
    assert late[rows[30].pk].start == rows[30].start.replace(hour=12)
    assert late[own.pk].subject == "With cake"
    assert late[rows[29].pk].subject == "Late stand-up"
    assert not late[rows[29].pk].participants.filter(profile=boris).exists()


def test_fresh_occurrences_of_the_new_part_give_way_to_those_with_a_past(anna):
    head, part = make_series(anna), make_series(anna, start=week(2))
    rows = occurrences(head)
    services.set_status(activity=rows[3], by=anna, now=NOW, status="completed")
    series.move_occurrences(head, to=part, since=week(2), now=NOW)
    assert len(occurrences(head)) == 2
    assert occurrences(part)[1].pk == rows[3].pk


def test_put_back_an_occurrence_is_what_its_series_says(anna, boris):
    head = make_series(anna, participants=[boris])
    own = occurrences(head)[1]
    services.edit(activity=own, by=anna, now=NOW, subject="With cake", start=week(1, hour=15), notes="Bring forks")
    services.remove_participant(activity=own, profile=boris, by=anna, now=NOW)
    series.put_back(Activity.every.get(pk=own.pk), head=head, names=["subject", "when", "people"])
    own.refresh_from_db()
    assert (own.subject, own.start, own.notes) == ("Stand-up", week(1), "Bring forks")
    assert own.participants.filter(profile=boris).exists()


# --- What people do: this one --------------------------------------------------------------------------------------


@contextmanager
def heard(signal: Signal) -> Iterator[list[dict[str, Any]]]:
    """Return what is said by a signal while the block runs."""
    said: list[dict[str, Any]] = []

    def hear(**values: Any) -> None:
        said.append(values)

    signal.connect(hear)
    yield said
    signal.disconnect(hear)


def ids_of(said: list[dict[str, Any]]) -> list[int]:
    return [values["activity"].pk for values in said]


def changed_fields(activity: Activity) -> set[str]:
    return set(FieldChange.objects.filter(activity=activity).values_list("field", flat=True)) - {"created"}


def test_a_change_of_this_one_is_its_own(anna):
    head = make_series(anna)
    rows = occurrences(head)
    with heard(activity_changed) as changes:
        series.edit(activity=rows[1], scope="this", by=anna, now=NOW, subject="With cake")
    assert ids_of(changes) == [rows[1].pk]
    assert {row.subject for row in occurrences(head) if row.pk != rows[1].pk} == {"Stand-up"}
    assert (changed_fields(rows[1]), changed_fields(head)) == ({"subject"}, set())


def test_how_it_repeats_is_nothing_of_this_one(anna):
    row = occurrences(make_series(anna))[1]
    with pytest.raises(services.UnableToChange, match="this and following, or all"):
        series.edit(activity=row, scope="this", by=anna, now=NOW, lines=DAILY)


def test_deleting_the_first_occurrence_leaves_the_others(anna):
    head = make_series(anna, "RRULE:FREQ=WEEKLY;COUNT=3")
    series.delete(activity=occurrences(head)[0], scope="this", by=anna, now=NOW)
    series.lay_out(head.series, now=NOW)
    assert [row.deleted_at is None for row in occurrences(head)] == [False, True, True]


def test_tags_and_show_in_calendar_are_those_of_the_whole_series(anna):
    head = make_series(anna, "RRULE:FREQ=WEEKLY;COUNT=3")
    first, second, _third = occurrences(head)
    tag = make_tag(kind="public")
    with heard(activity_changed) as changes:
        services.add_tag(activity=second, tag=tag, by=anna, now=NOW)
        series.edit(activity=first, scope="this", by=anna, now=NOW, show_in_calendar=True, notes="Only here")
    assert set(ids_of(changes)) == {head.pk, first.pk}
    assert Activity.every.filter(series=head.series, tags=tag, show_in_calendar=True).count() == 4
    assert Activity.every.exclude(notes="").get() == first
    assert (changed_fields(first), changed_fields(head)) == ({"notes"}, {"show_in_calendar", "tags"})

    services.remove_tag(activity=first, tag=tag, by=anna, now=NOW)
    assert not Activity.every.filter(tags=tag).exists()


def test_one_occurrence_that_becomes_a_meeting_does_not_show_all_others(anna):
    head = make_series(anna)
    series.edit(activity=occurrences(head)[1], scope="this", by=anna, now=NOW, category="meeting")
    assert not Activity.every.filter(show_in_calendar=True).exists()


def test_a_copy_of_an_occurrence_is_a_single_activity(anna):
    row = occurrences(make_series(anna, location="Room 4"))[2]
    made = services.copy(activity=row, by=anna, now=NOW)
    assert (made.series, made.original_start, made.location, made.start) == (None, None, "Room 4", row.start)


@pytest.mark.rule("R6")
def test_what_closes_the_series_closes_its_occurrences(anna, boris, closed_head):
    head = make_series(boris, participants=[anna])
    row = occurrences(head)[1]
    assert services.why_read_only(activity=row, profile=anna) == closed_head
    for scope in series.SCOPES:
        with pytest.raises(services.UnableToChange, match="Boris"):
            series.edit(activity=row, scope=scope, by=anna, now=NOW, subject="Mine now")
        with pytest.raises(services.UnableToChange):
            series.add_participant(activity=row, scope=scope, profile=make_user().profile, by=anna, now=NOW)
        with pytest.raises(services.UnableToChange):
            series.delete(activity=row, scope=scope, by=anna, now=NOW)
    with pytest.raises(services.UnableToChange):
        series.stop_repeating(activity=row, by=anna, now=NOW)
    with pytest.raises(services.UnableToChange, match="only the Organizer"):
        series.respond(activity=row, scope="following", profile=anna, response="declined", now=NOW)
    assert Series.objects.count() == 1
    assert not FieldChange.objects.filter(by=anna).exists()


@pytest.fixture
def closed_head(anna: Profile) -> Iterator[str]:
    """While this lasts, Anna may change nothing synchronized of a series, as told of its head. Returns the reason."""

    def say_why(*, activity: Activity, profile: Profile, **_: object) -> str | None:
        return CLOSED if activity.is_series and profile.pk == anna.pk else None

    asks_why_read_only.connect(say_why)
    yield CLOSED
    asks_why_read_only.disconnect(say_why)


# --- What people do: all -------------------------------------------------------------------------------------------


def test_a_change_of_all_goes_to_the_head_and_spares_what_is_particular(anna, django_assert_max_num_queries):
    head = make_series(anna, *DAILY)
    rows = occurrences(head)
    series.edit(activity=rows[1], scope="this", by=anna, now=NOW, subject="With cake")
    with heard(activity_changed) as changes, django_assert_max_num_queries(40):
        series.edit(activity=rows[5], scope="all", by=anna, now=NOW, subject="Daily", location="Room 5")
    assert ids_of(changes) == [head.pk]
    assert changed_fields(head) == {"subject", "location"}
    assert changed_fields(rows[5]) == set()
    found = occurrences(head)
    assert found[1].subject == "With cake"
    assert {row.subject for row in found} == {"With cake", "Daily"}
    assert {row.location for row in found} == {"Room 5"}


def test_what_was_particular_about_the_edited_one_gives_way_to_what_was_said_for_all(anna):
    head = make_series(anna)
    row = occurrences(head)[1]
    series.edit(activity=row, scope="this", by=anna, now=NOW, subject="With cake", location="Kitchen")
    series.edit(activity=row, scope="all", by=anna, now=NOW, subject="Stand-up")
    row.refresh_from_db()
    assert (row.subject, row.location) == ("Stand-up", "Kitchen")


def test_a_new_owner_of_all_takes_part_in_all(anna, boris):
    head = make_series(anna, "RRULE:FREQ=WEEKLY;COUNT=3")
    series.edit(activity=occurrences(head)[1], scope="all", by=anna, now=NOW, owner=boris)
    assert {row.owner for row in occurrences(head)} == {boris}
    assert Participant.objects.filter(profile=boris).count() == 4


def test_becoming_a_meeting_shows_all_in_the_calendar(anna):
    head = make_series(anna)
    series.edit(activity=occurrences(head)[1], scope="all", by=anna, now=NOW, category="meeting")
    assert not Activity.every.exclude(category="meeting", show_in_calendar=True).exists()


@pytest.mark.rule("R16")
def test_another_time_of_day_for_all_holds_across_the_change_of_the_clocks(anna):
    start = datetime(2026, 3, 23, 8, 0, tzinfo=UTC)  # Monday 9:00 in Zurich; summer time begins on the 29th.
    head = make_series(anna, "RRULE:FREQ=WEEKLY;COUNT=3", start=start, time_zone="Europe/Zurich")
    rows = occurrences(head)
    half_past_ten = datetime(2026, 4, 6, 8, 30, tzinfo=UTC)
    shown = series.edit(activity=rows[2], scope="all", by=anna, now=NOW, start=half_past_ten)
    assert shown.pk == rows[2].pk
    assert [row.pk for row in occurrences(head)] == [row.pk for row in rows]
    assert [row.start.strftime("%d %H:%M") for row in occurrences(head)] == ["23 09:30", "30 08:30", "06 08:30"]
    assert {row.due - row.start for row in occurrences(head)} == {timedelta(hours=1)}
    assert changed_fields(head) == {"when"}


def test_another_zone_for_all_keeps_the_clock_on_the_wall(anna):
    head = make_series(anna, "RRULE:FREQ=WEEKLY;COUNT=2", time_zone="UTC")
    nine_in_zurich = datetime(2026, 3, 16, 8, 0, tzinfo=UTC)
    series.edit(
        activity=occurrences(head)[1], scope="all", by=anna, now=NOW, start=nine_in_zurich, time_zone="Europe/Zurich"
    )
    assert [(row.start.hour, row.time_zone) for row in occurrences(head)] == [(8, "Europe/Zurich")] * 2


def test_another_day_for_all_takes_the_rule_along(anna):
    head = make_series(anna, "RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=3")
    rows = occurrences(head)
    series.edit(activity=rows[1], scope="all", by=anna, now=NOW, start=week(1) + timedelta(days=1))
    assert originals(head) == [week(number) + timedelta(days=1) for number in range(3)]
    assert [row.pk for row in occurrences(head)] == [row.pk for row in rows]
    assert Series.objects.get().recurrence == ["RRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=3"]


def test_a_rule_too_particular_to_move_is_refused_with_a_next_step(anna):
    head = make_series(
        anna, "RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE;BYSETPOS=2,-1", start=datetime(2026, 3, 3, 9, tzinfo=UTC)
    )
    row = occurrences(head)[1]
    with pytest.raises(services.UnableToChange, match="Move this occurrence alone"):
        series.edit(activity=row, scope="all", by=anna, now=NOW, start=row.start + timedelta(days=1))
    assert Series.objects.get().recurrence == head.series.recurrence


def test_all_become_all_day_and_longer(anna):
    head = make_series(anna, "RRULE:FREQ=WEEKLY;COUNT=2")
    days = (date(2026, 3, 17), date(2026, 3, 18))
    series.edit(activity=occurrences(head)[1], scope="all", by=anna, now=NOW, days=days)
    assert [(row.start_date, row.due_date) for row in occurrences(head)] == [
        (date(2026, 3, 10), date(2026, 3, 11)),
        days,
    ]
    series.edit(activity=occurrences(head)[0], scope="all", by=anna, now=NOW, start=week(0), due=week(0, hour=10))
    assert [(row.start, row.due) for row in occurrences(head)] == [(week(n), week(n, hour=10)) for n in range(2)]


def test_one_that_was_moved_stays_moved_and_the_others_move_by_as_much(anna):
    head = make_series(anna, "RRULE:FREQ=WEEKLY;COUNT=3")
    rows = occurrences(head)
    series.edit(activity=rows[1], scope="this", by=anna, now=NOW, start=week(1, hour=14))
    series.edit(activity=rows[1], scope="all", by=anna, now=NOW, start=week(1, hour=15))
    assert [row.start.hour for row in occurrences(head)] == [10, 15, 10]
    assert originals(head)[1] == week(1, hour=10)


def test_another_weekday_by_rule_moves_the_occurrences_along(anna):
    head = make_series(anna, "RRULE:FREQ=WEEKLY;COUNT=3;BYDAY=MO", "EXDATE:20260323T090000Z")
    rows = occurrences(head)
    series.edit(activity=rows[1], scope="all", by=anna, now=NOW, lines=["RRULE:FREQ=WEEKLY;BYDAY=TU,WE;COUNT=6"])
    found = occurrences(head)
    assert found[0].start == week(0) + timedelta(days=1)
    assert {row.pk for row in rows} <= {row.pk for row in found}
    assert len(found) == 6
    assert changed_fields(head) == {"when"}


def test_a_shorter_rule_drops_what_comes_after_but_for_local_work(anna):
    head = make_series(anna, "RRULE:FREQ=WEEKLY;COUNT=5")
    rows = occurrences(head)
    series.set_status(activity=rows[4], scope="this", by=anna, now=NOW, status="completed", result="Done")
    with heard(activity_changed) as changes, heard(occurrences_left) as left:
        shown = series.edit(activity=rows[3], scope="all", by=anna, now=NOW, lines=["RRULE:FREQ=WEEKLY;COUNT=2"])
    assert shown.pk == rows[1].pk
    assert Activity.objects.get(pk=rows[4].pk).series is None
    assert set(ids_of(changes)) == {head.pk, rows[4].pk}
    assert [values["activities"] for values in left] == [[rows[4]]]


def test_canceling_all_spares_the_completed_and_reopening_spares_what_was_canceled_by_itself(anna):
    head = make_series(anna, "RRULE:FREQ=WEEKLY;COUNT=4")
    rows = occurrences(head)
    series.set_status(activity=rows[0], scope="this", by=anna, now=NOW, status="completed", result="Done")
    series.set_status(activity=rows[1], scope="all", by=anna, now=NOW, status="in_progress")
    series.set_status(activity=rows[2], scope="this", by=anna, now=NOW, status="canceled")
    assert Activity.every.get(pk=head.pk).status == "not_started"
    assert [row.status for row in occurrences(head)] == ["completed", "in_progress", "canceled", "not_started"]

    series.set_status(activity=rows[3], scope="all", by=anna, now=NOW, status="canceled")
    assert [row.status for row in occurrences(head)] == ["completed", "canceled", "canceled", "canceled"]
    assert Activity.every.get(pk=head.pk).status == "canceled"

    series.set_status(activity=rows[3], scope="all", by=anna, now=NOW, status="not_started")
    assert [row.status for row in occurrences(head)] == ["completed", "not_started", "canceled", "not_started"]


def test_an_answer_to_all_is_one_to_the_series_and_to_the_one_at_hand(anna, boris):
    head = make_series(anna, "RRULE:FREQ=WEEKLY;COUNT=3", participants=[boris])
    rows = occurrences(head)
    for row, response in zip(rows, ["declined", "tentative"], strict=False):
        series.respond(activity=row, scope="this", profile=boris, response=response, now=NOW)
    series.respond(activity=rows[1], scope="all", profile=boris, response="accepted", now=NOW)
    answers = [row.participants.get(profile=boris).response for row in occurrences(head)]
    assert answers == ["declined", "accepted", "accepted"]
    with pytest.raises(services.UnableToChange, match="take no part"):
        series.respond(activity=rows[1], scope="all", profile=make_user().profile, response="accepted", now=NOW)


def test_people_of_all_occurrences(anna, boris):
    head = make_series(anna, "RRULE:FREQ=WEEKLY;COUNT=3")
    rows = occurrences(head)
    with heard(activity_changed) as changes:
        series.add_participant(activity=rows[1], scope="all", profile=boris, by=anna, now=NOW)
    assert ids_of(changes) == [head.pk]
    assert Participant.objects.filter(profile=boris).count() == 4
    series.edit(activity=rows[2], scope="this", by=anna, now=NOW, owner=boris)
    series.remove_participant(activity=rows[1], scope="all", profile=boris, by=anna, now=NOW)
    assert Participant.objects.get(profile=boris).activity == rows[2]
    with pytest.raises(services.UnableToChange, match="Organizer takes part"):
        series.remove_participant(activity=rows[1], scope="all", profile=anna, by=anna, now=NOW)


# --- What people do: this and following ----------------------------------------------------------------------------


def part_after(head: Activity) -> Activity:
    """Return the head of the series that was split off."""
    return Activity.every.exclude(pk=head.pk).get(is_series=True)


def test_a_change_of_this_and_following_splits_the_series(anna, boris):
    head = make_series(anna, "RRULE:FREQ=WEEKLY;COUNT=6", participants=[boris])
    head.tags.add(make_tag(owner=anna))
    rows = occurrences(head)
    series.set_status(activity=rows[5], scope="this", by=anna, now=NOW, status="completed", result="Done")
    series.edit(activity=rows[4], scope="this", by=anna, now=NOW, subject="With cake", start=week(4, hour=14))
    with heard(series_split) as splits, heard(activity_changed) as changes:
        series.edit(activity=rows[3], scope="following", by=anna, now=NOW, subject="Late stand-up", location="Room 5")
    part = part_after(head)
    assert [row.pk for row in occurrences(head)] == [row.pk for row in rows[:3]]
    assert [row.pk for row in occurrences(part)] == [row.pk for row in rows[3:]]
    assert [row.subject for row in occurrences(part)] == ["Late stand-up", "With cake", "Late stand-up"]
    assert {row.subject for row in occurrences(head)} == {"Stand-up"}
    assert occurrences(part)[1].start == week(4, hour=14)
    assert occurrences(part)[2].result == "Done"
    assert (part.start, part.due) == (week(3), week(3, hour=10))
    assert part.participants.count() == 2
    assert part.tags.count() == 1
    assert Activity.every.get(pk=head.pk).series.recurrence[0].startswith("RRULE:FREQ=WEEKLY;UNTIL=202603")
    assert part.series.recurrence == ["RRULE:FREQ=WEEKLY;COUNT=3"]
    assert [(told["head"], told["new_head"], told["moved"]) for told in splits] == [
        (head, part, [row.pk for row in rows[3:]])
    ]
    assert set(ids_of(changes)) == {head.pk, part.pk}
    assert (changed_fields(head), changed_fields(part)) == ({"when"}, {"subject", "location"})


def test_from_the_first_occurrence_on_is_all(anna):
    head = make_series(anna)
    series.edit(activity=occurrences(head)[0], scope="following", by=anna, now=NOW, subject="Daily")
    assert Series.objects.count() == 1
    assert {row.subject for row in occurrences(head)} == {"Daily"}


def test_later_from_now_on(anna):
    head = make_series(anna, *DAILY)
    rows = occurrences(head)
    series.edit(activity=rows[10], scope="following", by=anna, now=NOW, start=rows[10].start + timedelta(hours=2))
    part = part_after(head)
    assert {row.start.hour for row in occurrences(head)} == {9}
    assert {row.start.hour for row in occurrences(part)} == {11}
    assert [row.pk for row in occurrences(part)][:300] == [row.pk for row in rows[10:310]]


def test_another_rule_from_now_on(anna):
    head = make_series(anna, *DAILY)
    rows = occurrences(head)
    series.edit(activity=rows[7], scope="following", by=anna, now=NOW, lines=["RRULE:FREQ=WEEKLY;BYDAY=WE;COUNT=3"])
    part = part_after(head)
    assert originals(part) == [week(1) + timedelta(days=2, weeks=number) for number in range(3)]
    assert [row.pk for row in occurrences(head)] == [row.pk for row in rows[:7]]


@pytest.mark.rule("R16")
def test_an_all_day_series_is_split_by_its_days(anna):
    day = date(2026, 3, 9)
    head = make_series(anna, "RRULE:FREQ=DAILY;COUNT=4", days=(day, day), time_zone="Pacific/Auckland")
    series.edit(activity=occurrences(head)[2], scope="following", by=anna, now=NOW, subject="Holidays")
    part = part_after(head)
    assert [(row.start_date.day, row.subject) for row in [*occurrences(head), *occurrences(part)]] == [
        (9, "Stand-up"), (10, "Stand-up"), (11, "Holidays"), (12, "Holidays"),
    ]  # fmt: skip


def test_what_google_does_not_know_splits_nothing(anna):
    head = make_series(anna)
    rows = occurrences(head)
    series.edit(activity=rows[2], scope="following", by=anna, now=NOW, priority="high")
    assert Series.objects.count() == 1
    assert [row.priority for row in occurrences(head)[:4]] == ["medium", "medium", "high", "high"]
    series.extend_horizon(now=NOW + timedelta(weeks=3))
    assert occurrences(head)[-1].priority == "high"


@pytest.mark.rule("R6")
def test_a_participant_changes_what_google_does_not_know_from_now_on(anna, boris, closed_head):
    head = make_series(boris, participants=[anna])
    series.edit(activity=occurrences(head)[2], scope="following", by=anna, now=NOW, owner=anna, category="paperwork")
    assert [row.owner for row in occurrences(head)[:4]] == [boris, boris, anna, anna]


def test_people_from_now_on(anna, boris):
    head = make_series(anna, "RRULE:FREQ=WEEKLY;COUNT=4")
    series.add_participant(activity=occurrences(head)[2], scope="following", profile=boris, by=anna, now=NOW)
    part = part_after(head)
    assert Participant.objects.filter(profile=boris, activity__series=part.series).count() == 3
    assert Participant.objects.filter(profile=boris).count() == 3
    series.remove_participant(activity=occurrences(part)[1], scope="following", profile=boris, by=anna, now=NOW)
    assert Participant.objects.filter(profile=boris).count() == 2


def test_canceling_from_now_on(anna):
    head = make_series(anna, "RRULE:FREQ=WEEKLY;COUNT=4")
    series.set_status(activity=occurrences(head)[2], scope="following", by=anna, now=NOW, status="canceled")
    assert {row.status for row in occurrences(head)} == {"not_started"}
    assert {row.status for row in occurrences(part_after(head))} == {"canceled"}


def test_what_is_skipped_goes_with_its_part(anna):
    head = make_series(anna, "RRULE:FREQ=WEEKLY;COUNT=6", laid_out_from=week(0))
    Activity.objects.filter(original_start__in=[week(1), week(4)]).delete()
    series.skip(head.series, originals=[week(1), week(4)])
    series.edit(activity=occurrences(head)[2], scope="following", by=anna, now=NOW, subject="Late")
    assert originals(head) == [week(0), week(2)]
    assert originals(part_after(head)) == [week(3), week(5)]


def test_who_comes_too_late_is_told(anna):
    head = make_series(anna)
    row = occurrences(head)[3]
    series.stop_repeating(activity=row, by=anna, now=NOW)
    with pytest.raises(services.UnableToChange, match="does not repeat any more"):
        series.edit(activity=row, scope="all", by=anna, now=NOW, subject="Daily")


# --- Deleting and restoring ----------------------------------------------------------------------------------------


@pytest.mark.rule("R14")
def test_a_deleted_series_is_listed_once_and_comes_back_as_it_was(anna, client_of_anna):
    head = make_series(anna, "RRULE:FREQ=WEEKLY;COUNT=4")
    rows = occurrences(head)
    now = timezone.now()
    series.delete(activity=rows[1], scope="this", by=anna, now=now - timedelta(hours=1))
    with heard(activity_changed) as changes:
        series.delete(activity=rows[2], scope="all", by=anna, now=now)
    assert ids_of(changes) == [head.pk]
    assert not Activity.objects.present().exists()
    page = client_of_anna.get("/activities/deleted/").content.decode()
    assert page.count("/restore/") == 1
    assert f"/activities/{head.pk}/restore/" in page

    answer = client_of_anna.post(f"/activities/{head.pk}/restore/")
    assert client_of_anna.get(answer.url).status_code == 200
    assert [row.pk for row in Activity.objects.present().order_by("original_start")] == [
        rows[0].pk, rows[2].pk, rows[3].pk,
    ]  # fmt: skip
    series.restore(head=head, by=anna, now=now)  # Once more does nothing.
    assert FieldChange.objects.filter(activity=head, field="restored").count() == 1


@pytest.mark.rule("R14")
def test_deleting_this_and_following_ends_the_series_before_and_can_be_taken_back(anna):
    head = make_series(anna, "RRULE:FREQ=WEEKLY;COUNT=4")
    rows = occurrences(head)
    series.delete(activity=rows[2], scope="following", by=anna, now=NOW)
    assert [row.pk for row in Activity.objects.present()] == [rows[0].pk, rows[1].pk]
    part = part_after(head)
    assert part.deleted_at == NOW
    assert list(Activity.every.restorable_by(anna, now=NOW)) == [part]
    series.restore(head=part, by=anna, now=NOW)
    assert Activity.objects.present().count() == 4


@pytest.mark.rule("R14")
def test_nobody_else_deletes_or_restores_a_series(anna, boris):
    head = make_series(anna, participants=[boris])
    for scope in series.SCOPES:
        with pytest.raises(services.UnableToChange, match="Only the Organizer"):
            series.delete(activity=occurrences(head)[1], scope=scope, by=boris, now=NOW)
    series.delete(activity=occurrences(head)[1], scope="all", by=anna, now=NOW)
    with pytest.raises(services.UnableToChange, match="Only the Organizer"):
        series.restore(head=head, by=boris, now=NOW)
    assert not Activity.every.restorable_by(boris, now=NOW).exists()


@pytest.mark.rule("R14")
def test_after_30_days_a_deleted_series_is_gone_altogether(anna):
    head, other = make_series(anna), make_series(anna, "RRULE:FREQ=DAILY;COUNT=250")
    series.delete(activity=occurrences(head)[1], scope="all", by=anna, now=NOW)
    series.delete(activity=occurrences(other)[1], scope="all", by=anna, now=NOW)
    later = NOW + timedelta(days=31)
    while retention.erase_deleted(now=later):
        pass
    assert not Activity.every.exists()
    assert not Series.objects.exists()


def test_a_series_is_erased_whole_beside_activities_that_do_not_repeat(anna):
    services.create(by=anna, subject="Once", start=MONDAY_NINE, due=MONDAY_NINE + timedelta(minutes=30), now=NOW)
    head = make_series(anna, "RRULE:FREQ=DAILY;COUNT=3")
    rows = Activity.every.filter(series=head.series)

    assert series.erase(list(rows.values_list("pk", flat=True))) == 4

    assert not rows.exists()
    assert not Series.objects.exists()


@pytest.mark.rule("R14")
def test_an_occurrence_erased_after_30_days_is_not_laid_out_again(anna):
    head = make_series(anna, "RRULE:FREQ=WEEKLY;COUNT=3")
    series.delete(activity=occurrences(head)[1], scope="this", by=anna, now=NOW)
    assert retention.erase_deleted(now=NOW + timedelta(days=31)) == 1
    series.lay_out(Series.objects.get(), now=NOW)
    assert originals(head) == [week(0), week(2)]


@pytest.mark.rule("R14")
def test_a_series_that_google_may_still_hold_is_not_erased(anna):
    head = make_series(anna)
    calendar = make_calendar(anna)
    EventLink.objects.create(calendar=calendar, event_id="e1", activity=head, series=head.series, state="linked")
    series.delete(activity=occurrences(head)[0], scope="all", by=anna, now=NOW)
    while retention.erase_deleted(now=NOW + timedelta(days=31)):
        pass
    assert Activity.every.get().pk == head.pk
    assert Series.objects.exists()


# --- Beginning and ending to repeat --------------------------------------------------------------------------------


def test_a_single_activity_becomes_the_first_occurrence(anna, boris):
    activity = make_activity(by=anna, participants=[boris], location="Room 4", now=NOW)
    activity.tags.add(make_tag(owner=anna))
    services.set_status(activity=activity, by=anna, status="completed", result="Done", now=NOW)
    uid = Activity.objects.get().uid
    with heard(series_made) as said:
        head = series.repeat(activity=activity, lines=["RRULE:FREQ=WEEKLY;COUNT=3"], by=anna, now=NOW)

    assert [(values["head"], values["occurrence"]) for values in said] == [(head, activity)]
    rows = occurrences(head)
    assert rows[0].pk == activity.pk
    assert [row.status for row in rows] == ["completed", "not_started", "not_started"]
    assert {row.location for row in rows} == {"Room 4"}
    assert Participant.objects.filter(profile=boris).count() == 4
    assert head.tags.count() == 1
    assert Activity.every.get(pk=head.pk).uid == uid  # What Google's event knows it by.
    assert Activity.every.get(pk=activity.pk).uid != uid
    assert (changed_fields(head), changed_fields(activity)) == ({"when"}, {"status", "result"})
    with pytest.raises(services.UnableToChange, match="repeats already"):
        series.repeat(activity=activity, lines=DAILY, by=anna, now=NOW)


def test_a_series_needs_start_and_due_as_any_activity(anna):
    with pytest.raises(TypeError, match="start and due, or days"):
        series.create(by=anna, subject="Stand-up", lines=["RRULE:FREQ=DAILY"], now=NOW, start=MONDAY_NINE)


def test_it_begins_on_the_first_day_that_fits(anna):
    head = series.repeat(
        activity=make_activity(by=anna, now=NOW), lines=["RRULE:FREQ=WEEKLY;BYDAY=WE;COUNT=2"], by=anna, now=NOW
    )
    assert [row.start for row in occurrences(head)] == [week(0) + timedelta(days=2), week(1) + timedelta(days=2)]
    made = make_series(anna, "RRULE:FREQ=WEEKLY;BYDAY=TU,TH;COUNT=2")
    assert [row.start for row in occurrences(made)] == [week(0) + timedelta(days=1), week(0) + timedelta(days=3)]


@pytest.mark.rule("R14")
def test_one_stays_when_it_repeats_no_more(anna):
    head = make_series(anna, "RRULE:FREQ=WEEKLY;COUNT=4", location="Room 4")
    rows = occurrences(head)
    series.set_status(activity=rows[0], scope="this", by=anna, now=NOW, status="completed", result="Done")
    uid = head.uid
    with heard(series_ended) as said, heard(occurrences_left) as left:
        stays = series.stop_repeating(activity=rows[2], by=anna, now=NOW)

    assert [(values["head"], values["activity"]) for values in said] == [(head, rows[2])]
    assert [(values["head"], values["activities"]) for values in left] == [(head, [rows[0]])]
    assert (stays.series, stays.original_start, stays.start, stays.uid) == (None, None, week(2), uid)
    assert {row.pk for row in Activity.objects.present()} == {rows[0].pk, rows[2].pk}
    assert "when" in changed_fields(stays)
    assert FieldChange.objects.filter(activity=stays, field="created").exists()
    assert not FieldChange.objects.filter(activity=stays, field="deleted").exists()
    assert [row.pk for row in Activity.every.restorable_by(anna, now=NOW)] == [head.pk]
    series.restore(head=head, by=anna, now=NOW)
    assert originals(head) == [week(1), week(3)]


# --- The Feed and the administration -------------------------------------------------------------------------------


def test_the_feed_of_an_occurrence_tells_of_the_series_as_well(anna):
    head = make_series(anna)
    row = occurrences(head)[1]
    series.edit(activity=row, scope="this", by=anna, now=NOW, location="Kitchen")
    series.edit(activity=row, scope="all", by=anna, now=NOW + timedelta(minutes=1), lines=["RRULE:FREQ=WEEKLY;COUNT=9"])
    rule, kitchen, made = [line.words for line in feed.lines_of(row, zone=anna.zone)]
    assert rule.startswith("changed how it repeats")
    assert kitchen == "set Location to “Kitchen”"
    assert made.startswith("made this activity")


def test_heads_are_no_activities_of_the_administration(anna):
    anna.user.is_staff = anna.user.is_superuser = True
    anna.user.save()
    client = Client()
    client.force_login(anna.user)
    head = make_series(anna, "RRULE:FREQ=WEEKLY;COUNT=3")
    page = client.get("/admin/activities/activity/").content.decode()
    assert page.count("Stand-up") == 3
    assert f"/activity/{head.pk}/" not in page
    assert client.get("/admin/activities/series/").status_code == 200
    assert "created" in client.get("/admin/activities/fieldchange/").content.decode()


def test_a_tag_changed_in_the_administration_announces_a_series_once(anna):
    anna.user.is_staff = anna.user.is_superuser = True
    anna.user.save()
    client = Client()
    client.force_login(anna.user)
    head, tag = make_series(anna), make_tag(kind="public")
    services.add_tag(activity=head, tag=tag, by=anna)
    with heard(activity_changed) as changes:
        client.post(f"/admin/activities/tag/{tag.pk}/delete/", {"post": "yes"})
    assert ids_of(changes) == [head.pk]


@pytest.mark.rule("R1")
def test_show_in_calendar_saved_in_the_administration_is_that_of_all(anna):
    anna.user.is_staff = anna.user.is_superuser = True
    anna.user.save()
    client = Client()
    client.force_login(anna.user)
    head = make_series(anna, "RRULE:FREQ=WEEKLY;COUNT=3")
    row = occurrences(head)[1]
    page = client.get(f"/admin/activities/activity/{row.pk}/change/")
    form, people = page.context["adminform"].form, page.context["inline_admin_formsets"][0].formset
    data = {name: form[name].value() for name in form.fields if form[name].value() not in (None, False)}
    start, due = data.pop("start"), data.pop("due")
    data |= {"start_0": start.date(), "start_1": start.time(), "due_0": due.date(), "due_1": due.time()}
    data |= {f"participants-{name}": people.management_form[name].value() for name in people.management_form.fields}
    for number, one in enumerate(people.forms):
        values = {name: one[name].value() for name in one.fields}
        data |= {f"participants-{number}-{name}": value for name, value in values.items() if value not in (None, False)}
    answer = client.post(f"/admin/activities/activity/{row.pk}/change/", data | {"show_in_calendar": "on"})
    assert answer.status_code == 302
    assert Activity.every.filter(show_in_calendar=True).count() == 4
    assert (changed_fields(row), changed_fields(head)) == (set(), {"show_in_calendar"})


# --- Whatever people do --------------------------------------------------------------------------------------------

RULES = (
    "RRULE:FREQ=DAILY;COUNT=20", "RRULE:FREQ=WEEKLY;BYDAY=MO,WE;COUNT=15", "RRULE:FREQ=MONTHLY;BYDAY=2MO",
    "RRULE:FREQ=WEEKLY;INTERVAL=2", "RRULE:FREQ=YEARLY", "RRULE:FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=5",
    "RRULE:FREQ=WEEKLY;UNTIL=20260601T000000Z", "RRULE:FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-1;COUNT=6",
)  # fmt: skip
ZONES = ("UTC", "Europe/Zurich", "America/New_York", "Pacific/Auckland")


def change_somehow(chance: Random, row: Activity, *, by: Profile, other: Profile, now: datetime) -> None:
    """Do with an occurrence, or with some or all of them, what comes to somebody's mind."""
    whole: dict[str, Any] = {"activity": row, "scope": chance.choice(series.SCOPES), "now": now}
    hours, days = chance.choice([-3, 1, 5]), chance.choice([-1, 1, 2])
    ends = row.start + timedelta(hours=chance.choice([1, 2, 30]))
    changes: list[Callable[[], object]] = [
        lambda: series.edit(**whole, by=by, subject=chance.choice(["Retro", "Review"])),
        lambda: series.edit(**whole, by=by, owner=chance.choice([by, other]), priority="high"),
        lambda: series.edit(**whole, by=by, show_in_calendar=chance.choice([True, False])),
        lambda: series.edit(**whole, by=by, start=row.start + timedelta(hours=hours)),
        lambda: series.edit(**whole, by=by, start=row.start + timedelta(days=days)),
        lambda: series.edit(**whole, by=by, start=row.start, due=ends, time_zone=chance.choice(ZONES)),
        lambda: series.edit(**whole, by=by, days=(row.start.date(), row.start.date() + timedelta(days=abs(days)))),
        lambda: series.edit(**whole, by=by, lines=[chance.choice(RULES)]),
        lambda: series.set_status(**whole, by=by, status=chance.choice(Activity.Status.values), result="So it went"),
        lambda: series.delete(**whole, by=by),
        lambda: series.respond(**whole, profile=other, response="tentative"),
        lambda: series.add_participant(**whole, by=by, profile=other),
        lambda: series.remove_participant(**whole, by=by, profile=other),
        lambda: series.repeat(activity=row, lines=[chance.choice(RULES)], by=by, now=now),
        lambda: series.stop_repeating(activity=row, by=by, now=now),
        lambda: restore_one(by, now=now),
    ]
    with suppress(services.UnableToChange):
        chance.choice(changes)()


def restore_one(by: Profile, *, now: datetime) -> None:
    gone = Activity.every.restorable_by(by, now=now).first()
    if gone and gone.is_series:
        series.restore(head=gone, by=by, now=now)
    elif gone:
        services.restore(activity=gone, by=by, now=now)


def check_whole(head: Activity, *, now: datetime) -> None:
    """A series has each occurrence of its rule once and no other, up to the horizon, and is selected as a whole."""
    pattern, kept = series.pattern_of(head), Series.objects.get(pk=head.series_id)
    assert (kept.time_zone, kept.first_start) == (head.time_zone, series.original_of(pattern.first))
    rows, until = occurrences(head), series.horizon(now=now)
    wanted = set(recurrence.starts(pattern, before=until))
    assert {row.original_start for row in rows if row.original_start < until} <= wanted
    if head.deleted_at is None and head.status != Activity.Status.CANCELED:
        skipped = {datetime.fromisoformat(text) for text in kept.skipped}
        assert wanted <= {row.original_start for row in rows} | skipped
    assert {row.show_in_calendar for row in rows} <= {head.show_in_calendar}


@pytest.mark.parametrize("seed", range(8))
def test_whatever_people_do_each_series_stays_whole(anna, boris, seed):
    chance, now = Random(seed), NOW
    make_series(anna, chance.choice(RULES), time_zone=chance.choice(ZONES))
    for _step in range(12):
        present = list(Activity.objects.present())
        if not present:
            break
        change_somehow(chance, chance.choice(present), by=anna, other=boris, now=now)
        now += timedelta(days=chance.choice([0, 0, 20]))
        retention.erase_deleted(now=now)
        series.extend_horizon(now=now)
        for head in Activity.every.filter(is_series=True).select_related("series"):
            check_whole(head, now=now)


# --- Several at once -----------------------------------------------------------------------------------------------


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_who_change_all_at_once_take_turns_and_nothing_is_made_twice(transactional_db):
    anna = make_user("anna").profile
    head = make_series(anna, "RRULE:FREQ=DAILY;COUNT=60")
    row = occurrences(head)[5]
    changes: list[Callable[[], object]] = [
        lambda: series.edit(activity=row, scope="all", by=anna, now=NOW, start=row.start + timedelta(hours=2)),
        lambda: series.edit(activity=row, scope="all", by=anna, now=NOW, subject="Daily"),
        lambda: series.edit(activity=row, scope="this", by=anna, now=NOW, show_in_calendar=True),
        lambda: services.add_tag(activity=row, tag=make_tag("Blue", kind="public"), by=anna),
        lambda: series.lay_out(Series.objects.get(), now=NOW),
    ]
    errors: list[BaseException] = []

    def run(change: Callable[[], object]) -> None:
        try:
            change()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(change,)) for change in changes * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [error for error in errors if not isinstance(error, IntegrityError)] == []  # The tag is there already.
    found = occurrences(head)
    assert len(found) == 60
    assert {(one.subject, one.show_in_calendar, one.tags.count()) for one in found} == {("Daily", True, 1)}
    assert {one.start.hour for one in found} == {11}  # Each wanted this one at eleven.
