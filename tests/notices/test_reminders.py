"""When somebody is reminded, of what, and how often."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Profile
from activities import series, services
from activities.models import Activity, Participant
from creatio_sync import celery
from notices import reminders, tasks
from notices.models import Notice
from tests.factories import MONDAY_NINE, make_activity
from tests.notices.conftest import LONG_BEFORE, bell_of, remind

pytestmark = pytest.mark.django_db

QUARTER_TO = MONDAY_NINE - timedelta(minutes=15)
MINUTE = timedelta(minutes=1)


def test_a_reminder_comes_on_the_minute_and_once(anna, review):
    assert bell_of(anna, QUARTER_TO - MINUTE) == []
    assert bell_of(anna, QUARTER_TO) == ["Quarterly review"]
    assert bell_of(anna, QUARTER_TO + MINUTE) == ["Quarterly review"]
    assert Notice.objects.count() == 1


def test_two_workers_at_once_make_it_once(anna, review, monkeypatch):
    both_have_read = reminders._due(now=QUARTER_TO)
    reminders.make(now=QUARTER_TO)
    monkeypatch.setattr(reminders, "_due", lambda **_: both_have_read)

    reminders.make(now=QUARTER_TO)

    assert Notice.objects.count() == 1


def test_what_was_dismissed_does_not_come_again(anna, review):
    bell_of(anna, QUARTER_TO)
    Notice.objects.update(dismissed_at=QUARTER_TO)

    assert bell_of(anna, QUARTER_TO + MINUTE) == []


def test_each_participant_is_reminded_as_they_chose(anna, boris):
    meeting = make_activity(by=anna, subject="Planning", participants=[boris])
    remind(remind(meeting, anna, minutes=60), boris, minutes=0)

    assert bell_of(anna, MONDAY_NINE - timedelta(hours=1)) == ["Planning"]
    assert bell_of(boris, MONDAY_NINE - MINUTE) == []
    assert bell_of(boris, MONDAY_NINE) == ["Planning"]


def test_it_follows_the_activity_when_that_is_moved(anna, review):
    bell_of(anna, QUARTER_TO)
    Notice.objects.update(dismissed_at=QUARTER_TO)
    day = timedelta(days=1)

    services.edit(
        activity=review, by=anna, now=QUARTER_TO, start=MONDAY_NINE + day, due=MONDAY_NINE + day + timedelta(hours=1)
    )

    assert bell_of(anna, QUARTER_TO + MINUTE) == []
    assert bell_of(anna, QUARTER_TO + day) == ["Quarterly review"]


def test_one_that_is_postponed_does_not_outlive_a_move(anna, review):
    bell_of(anna, QUARTER_TO)
    Notice.objects.update(shown_from=MONDAY_NINE)
    Activity.objects.filter(pk=review.pk).update(start=MONDAY_NINE + timedelta(minutes=30))  # As a session writes it.

    assert bell_of(anna, MONDAY_NINE) == []
    assert bell_of(anna, QUARTER_TO + timedelta(minutes=30)) == ["Quarterly review"]


def test_another_choice_takes_the_place_of_the_first(anna, review):
    remind(review, anna, minutes=1440)
    assert bell_of(anna, MONDAY_NINE - timedelta(days=1)) == ["Quarterly review"]

    remind(review, anna, minutes=10)

    assert bell_of(anna, QUARTER_TO) == []
    assert bell_of(anna, MONDAY_NINE - timedelta(minutes=10)) == ["Quarterly review"]


def complete(activity, anna):
    services.set_status(activity=activity, by=anna, status="completed", now=QUARTER_TO)


def cancel(activity, anna):
    services.set_status(activity=activity, by=anna, status="canceled", now=QUARTER_TO)


def delete(activity, anna):
    services.delete(activity=activity, by=anna, now=QUARTER_TO)


def decline(activity, anna):
    services.respond(activity=activity, profile=anna, response="declined", now=QUARTER_TO)


def leave(activity, anna):
    Participant.objects.filter(activity=activity, profile=anna).delete()


def want_none(activity, anna):
    services.set_reminder(activity=activity, profile=anna, minutes=None, now=QUARTER_TO)


def hide(activity, anna):
    """As a session does that has not met the event yet (R8)."""
    Participant.objects.filter(activity=activity, profile=anna).update(displayed=False)


@pytest.mark.parametrize("end", [complete, cancel, delete, decline, leave, want_none, hide])
def test_what_is_over_is_neither_shown_nor_made(anna, review, end):
    assert bell_of(anna, QUARTER_TO) == ["Quarterly review"]
    end(review, anna)
    assert bell_of(anna, QUARTER_TO + MINUTE) == []

    Notice.objects.all().delete()
    assert bell_of(anna, QUARTER_TO + MINUTE) == []
    assert not Notice.objects.exists()


def test_what_is_opened_again_is_shown_again(anna, review):
    bell_of(anna, QUARTER_TO)
    complete(review, anna)
    services.set_status(activity=review, by=anna, status="in_progress", now=QUARTER_TO)

    assert bell_of(anna, QUARTER_TO) == ["Quarterly review"]


@pytest.mark.parametrize(("hours", "comes"), [(23, True), (25, False)])
def test_after_a_day_of_standstill_a_reminder_is_passed_over(anna, review, hours, comes):
    found = bell_of(anna, QUARTER_TO + timedelta(hours=hours))

    assert found == (["Quarterly review"] if comes else [])


def test_nobody_is_reminded_of_what_was_over_when_it_came_to_them(anna, review):
    Participant.objects.update(added_at=MONDAY_NINE + timedelta(hours=2))  # A first session brings what has been.

    assert bell_of(anna, MONDAY_NINE + timedelta(hours=2)) == []


@pytest.fixture
def stand_ups(anna: Profile) -> list[Activity]:
    """A stand-up on three mornings, of each of which Anna is reminded a quarter of an hour before."""
    first = make_activity(by=anna, subject="Stand-up")
    series.repeat(activity=first, by=anna, lines=["RRULE:FREQ=DAILY;COUNT=3"], now=LONG_BEFORE)
    found = list(Activity.objects.all())
    series.set_reminder(activity=found[0], scope=series.ALL, profile=anna, minutes=15, now=LONG_BEFORE)
    Participant.objects.update(added_at=LONG_BEFORE)
    return found


def test_an_occurrence_reminds_by_itself_and_the_series_not_at_all(anna, stand_ups):
    assert [len(bell_of(anna, QUARTER_TO + timedelta(days=day))) for day in range(4)] == [1, 2, 3, 3]
    assert set(Notice.objects.values_list("activity__is_series", flat=True)) == {False}


def test_an_occurrence_of_its_own_time_reminds_at_that(anna, stand_ups):
    noon = MONDAY_NINE + timedelta(days=1, hours=3)
    services.edit(activity=stand_ups[1], by=anna, now=LONG_BEFORE, start=noon, due=noon + timedelta(hours=1))

    assert bell_of(anna, QUARTER_TO) == ["Stand-up"]
    assert bell_of(anna, QUARTER_TO + timedelta(days=1)) == ["Stand-up"]
    assert bell_of(anna, noon - timedelta(minutes=15)) == ["Stand-up", "Stand-up"]


def test_an_all_day_activity_reminds_before_its_first_day_begins(anna):
    fair = make_activity(
        by=anna, subject="Fair", days=(date(2026, 3, 10), date(2026, 3, 11)), time_zone="Europe/Berlin"
    )
    remind(fair, anna, minutes=1440)
    midnight = datetime(2026, 3, 8, 23, 0, tzinfo=UTC)  # The Monday before begins in Berlin.

    assert bell_of(anna, midnight - MINUTE) == []
    assert bell_of(anna, midnight) == ["Fair"]


def test_a_reminder_across_the_change_of_the_clocks_counts_minutes(anna):
    # The clocks go forward on 29 March at two: a day before nine o'clock is ten of the other time.
    start = datetime(2026, 3, 29, 7, 0, tzinfo=UTC)
    remind(make_activity(by=anna, subject="Flight", start=start, time_zone="Europe/Berlin"), anna, minutes=1440)

    assert bell_of(anna, datetime(2026, 3, 28, 6, 59, tzinfo=UTC)) == []
    assert bell_of(anna, datetime(2026, 3, 28, 7, 0, tzinfo=UTC)) == ["Flight"]


def test_an_absurd_choice_of_somebody_else_keeps_nobody_from_being_reminded(anna, boris, review):
    remind(make_activity(by=boris), boris, minutes=2**31 - 1)

    assert bell_of(anna, QUARTER_TO) == ["Quarterly review"]
    assert bell_of(boris, QUARTER_TO) == []


def test_who_cannot_sign_in_any_more_gets_no_reminders(anna, review):
    anna.user.is_active = False
    anna.user.save()

    assert reminders.make(now=QUARTER_TO) == 0


def test_many_reminders_take_a_handful_of_statements(anna, monkeypatch):
    for number in range(12):
        remind(make_activity(by=anna, subject=f"Call {number}"), anna)
    monkeypatch.setattr(reminders, "AT_ONCE", 5)

    with CaptureQueriesContext(connection) as statements:
        assert reminders.make(now=QUARTER_TO) == 12

    # Three rounds: read, and write within a transaction.
    assert len([one for one in statements if "SAVEPOINT" not in one["sql"]]) == 6
    assert Notice.objects.count() == 12


def test_the_beat_sends_what_workers_know():
    celery.app.loader.import_default_modules()

    assert {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()} <= celery.app.tasks.keys()
    assert settings.CELERY_BEAT_SCHEDULE["ring"]["task"] == tasks.ring.name


def test_a_round_of_the_beat_makes_what_is_due_now(anna):
    start = timezone.now() + timedelta(minutes=15)
    remind(make_activity(by=anna, subject="Call", start=start), anna)

    tasks.ring.apply(kwargs={"unknown_to_this_version": 1}).get()

    assert [str(notice.activity) for notice in Notice.objects.shown_to(anna, now=timezone.now())] == ["Call"]
