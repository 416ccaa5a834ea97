"""Repeating activities: laid out, followed and moved; what people do with one occurrence, or with all (R15)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from accounts.models import Profile
from activities import series, services
from activities.models import Activity, Participant, Series
from tests.factories import MONDAY_NINE, make_tag, make_user

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
