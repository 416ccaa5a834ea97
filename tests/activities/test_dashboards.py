"""The dashboards: what they count, whose, and that each figure leads to the list of exactly what it counts."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
import time_machine
from django.test import Client

from activities.dashboards import Dashboards
from activities.models import Activity, Participant
from tests.factories import MONDAY_NINE, make_activity, make_tag, make_user

pytestmark = pytest.mark.django_db

WEDNESDAY = datetime.fromisoformat("2026-03-11T10:40:00+00:00")


@pytest.fixture(autouse=True)
def _it_is_wednesday():
    with time_machine.travel(WEDNESDAY, tick=False):
        yield


def charts(client: Client, query: str = "") -> Dashboards:
    response = client.get(f"/activities/?view=dashboards{query}")
    assert response.status_code == 200
    found = response.context["charts"]
    assert isinstance(found, Dashboards)
    return found


def figures(bars) -> dict[str, float]:
    return {bar.label: bar.value for bar in bars if bar.value}


def assert_each_leads_to_what_it_counts(client: Client, bars) -> None:
    for bar in bars:
        listed = client.get(f"/activities/{bar.address}").context["page"].paginator.count
        assert listed == bar.value, bar.address


@pytest.fixture
def some(anna, boris):
    later = WEDNESDAY + timedelta(hours=2)
    make_activity(by=anna, subject="Late", category="meeting")
    make_activity(by=anna, subject="To come", start=later, category="call")
    make_activity(by=anna, subject="Under way", start=later, status="in_progress")
    make_activity(by=anna, subject="Done", status="completed", result="Held")
    make_activity(by=anna, subject="Off", status="canceled", category="paperwork")
    make_activity(by=boris, subject="Of Boris", participants=[anna])
    make_activity(by=boris, subject="Private", is_private=True)
    make_activity(by=anna, subject="Next week", start=MONDAY_NINE + timedelta(weeks=1))


@pytest.mark.usefixtures("some")
def test_statuses_and_categories_of_the_period(client_of_anna):
    shown = charts(client_of_anna)
    assert figures(shown.statuses) == {"Not started": 1, "In progress": 1, "Overdue": 2, "Completed": 1}
    assert figures(shown.categories) == {"Meeting": 1, "Call": 1, "To do": 3}
    assert (shown.total, shown.late_total) == (5, 2)
    for bars in (shown.statuses, shown.categories, shown.late):
        assert_each_leads_to_what_it_counts(client_of_anna, bars)


@pytest.mark.usefixtures("some")
@pytest.mark.parametrize("period", ["date=2026-03-18", "period=dates&from=2026-03-10&to=2026-03-17", "period=any"])
def test_every_kind_of_period_leads_to_what_is_counted(client_of_anna, period):
    shown = charts(client_of_anna, f"&{period}")
    assert shown.total
    for bars in (shown.statuses, shown.categories, shown.late):
        assert_each_leads_to_what_it_counts(client_of_anna, bars)


@pytest.mark.usefixtures("some")
def test_they_follow_the_filters(client_of_anna, anna, boris):
    assert figures(charts(client_of_anna, "&show_canceled=1").statuses)["Canceled"] == 1
    assert charts(client_of_anna, "&period=next_week").total == 1
    assert charts(client_of_anna, "&search=under").total == 1
    assert charts(client_of_anna, "&status=overdue").total == 2
    assert charts(client_of_anna, "&category=call").total == 1
    assert charts(client_of_anna, "&status=nonsense&category=nonsense").total == 5
    tag = make_tag("Mine", owner=anna)
    Activity.objects.get(subject="Late").tags.add(tag)
    assert charts(client_of_anna, f"&tag={tag.pk}").total == 1
    of_boris = charts(client_of_anna, f"&employee={boris.pk}&show_canceled=1&status=overdue")
    assert (of_boris.total, figures(of_boris.late)) == (1, {"Boris": 1})  # Not what is private.
    for bars in (of_boris.statuses, of_boris.categories, of_boris.late):
        assert_each_leads_to_what_it_counts(client_of_anna, [bar for bar in bars if bar.value])


@pytest.mark.usefixtures("some")
def test_who_is_late_counts_who_takes_part(client_of_anna, boris):
    shown = charts(client_of_anna, "&employee=all")
    assert figures(shown.late) == {"Anna": 2, "Boris": 1}
    assert_each_leads_to_what_it_counts(client_of_anna, shown.late)
    Participant.objects.filter(profile=boris).update(response="declined")
    assert figures(charts(client_of_anna, "&employee=all").late) == {"Anna": 2}


def test_hours_of_each_week_in_the_persons_zone():
    clara = make_user("clara", time_zone="Europe/Zurich").profile
    client = Client()
    client.force_login(clara.user)
    sunday_night = datetime.fromisoformat("2026-03-08T22:00:00+00:00")  # 23:00 there, so half of it is on Monday.
    make_activity(by=clara, start=sunday_night, due=sunday_night + timedelta(hours=2))
    make_activity(by=clara, start=MONDAY_NINE, due=MONDAY_NINE + timedelta(minutes=90))
    make_activity(by=clara, days=(date(2026, 3, 10), date(2026, 3, 11)))
    make_activity(by=clara, start=MONDAY_NINE, status="canceled")
    for more in ("", "&show_canceled=1"):
        weeks = charts(client, more).weeks
        assert [week.label for week in weeks] == ["4", "5", "6", "7", "8", "9", "10", "11"]
        assert [week.value for week in weeks][-2:] == [1.0, 2.5]
        assert [week.is_past for week in weeks] == [True] * 7 + [False]
    assert figures(charts(client, "&date=2026-03-30").weeks) == {"10": 1.0, "11": 2.5}


def test_the_night_of_the_clock_change_has_the_hours_that_pass():
    clara = make_user("clara", time_zone="Europe/Zurich").profile
    client = Client()
    client.force_login(clara.user)
    start = datetime.fromisoformat("2026-03-29T00:00:00+01:00")
    make_activity(by=clara, start=start, due=datetime.fromisoformat("2026-03-29T06:00:00+02:00"))
    assert figures(charts(client, "&date=2026-03-29").weeks) == {"13": 5.0}


def test_an_empty_section_says_what_to_do(client_of_anna):
    page = client_of_anna.get("/activities/?view=dashboards").content.decode()
    assert "This section has no records." in page
    assert "/activities/new/" in page


@pytest.mark.parametrize("count", [1, 12])
def test_a_few_statements_however_many_there_are(client_of_anna, anna, count, django_assert_max_num_queries):
    for number in range(count):
        make_activity(by=anna, subject=f"Visit {number}")
    client_of_anna.get("/activities/?view=dashboards")
    with django_assert_max_num_queries(14):
        client_of_anna.get("/activities/?view=dashboards")


def test_the_views_keep_the_filters(client_of_anna, boris):
    page = client_of_anna.get(f"/activities/?view=dashboards&period=next_week&employee={boris.pk}").content.decode()
    assert f"?view=list&amp;period=next_week&amp;employee={boris.pk}" in page
    assert f"?view=calendar&amp;date=2026-03-16&amp;employee={boris.pk}" in page
