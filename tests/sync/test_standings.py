"""What the calendar asks about many activities at once is what an activity's page is told about each (R6, R15)."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from activities import series, services
from activities.models import Activity
from sync.models import EventLink
from sync.templatetags.google import activities_in_google
from tests.factories import MONDAY_NINE, make_activity, make_user
from tests.sync.pages import make_calendar

pytestmark = [pytest.mark.django_db, pytest.mark.rule("R6")]

STATES = ["linked", "inserting", "frozen", "detached", "seen"]


def test_many_are_told_what_each_is_told():
    anna, boris = make_user("anna").profile, make_user("boris").profile
    calendar = make_calendar(boris)
    numbers = itertools.count()

    def link(activity: Activity, state: str) -> None:
        event_id = f"event{next(numbers)}"
        EventLink.objects.create(
            calendar=calendar, activity=activity, series=activity.series, event_id=event_id, state=state
        )

    for state, status, people in itertools.product(STATES, ["not_started", "canceled"], [[], [anna]]):
        link(make_activity(by=boris, status=status, participants=people), state)
    link(make_activity(by=boris, google_read_only_reason="Birthdays are Google's."), "linked")
    make_activity(by=boris, participants=[anna])
    for state, people in itertools.product(STATES, [[], [anna]]):
        head = series.create(
            by=boris, subject="Stand-up", lines=["RRULE:FREQ=DAILY;COUNT=3"], participants=people, start=MONDAY_NINE,
            due=MONDAY_NINE + timedelta(hours=1), now=MONDAY_NINE,
        )  # fmt: skip
        link(head, state)
    first = Activity.objects.filter(series=head.series).earliest("start")
    link(first, "linked")

    shown = list(Activity.objects.prefetch_related("participants").select_related("organizer"))
    for reader in (anna, boris):
        with CaptureQueriesContext(connection) as queries:
            standings = services.standings(activities=shown, profile=reader)
        assert len(queries) == 2
        each = {one.pk: services.why_read_only(activity=one, profile=reader) for one in shown}
        assert {pk: standing.why_read_only for pk, standing in standings.items()} == {pk: each[pk] for pk in standings}
        assert {pk for pk, why in each.items() if why} <= standings.keys()
        assert {pk for pk, standing in standings.items() if standing.is_in_google} == activities_in_google(shown)
    assert sum(why is not None for why in each.values()) == 1  # Boris may not change the birthday.
