"""The section: calendar and list, their filters, and that nobody finds there what is not theirs to see."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

import pytest
import time_machine
from django.test import Client

from activities.models import Activity, Participant, Series, Tag
from tests.factories import MONDAY_NINE, make_activity, make_tag, make_user

pytestmark = pytest.mark.django_db

WEDNESDAY = datetime.fromisoformat("2026-03-11T10:40:00+00:00")


@pytest.fixture(autouse=True)
def _it_is_wednesday():
    with time_machine.travel(WEDNESDAY, tick=False):
        yield


def page(client: Client, query: str = "") -> str:
    response = client.get(f"/activities/{query}")
    assert response.status_code == 200
    return response.content.decode()


def found(client: Client, query: str = "") -> list[str]:
    """Return the subjects a view shows, in its order."""
    return [str(activity) for activity in client.get(f"/activities/{query}").context["activities"]]


def test_people_who_are_not_signed_in_are_sent_to_log_in(client):
    response = client.get("/activities/")
    assert response.status_code == 302
    assert response["Location"].startswith("/login/")


# --- The list -------------------------------------------------------------------------------------------------------


def test_the_list_shows_the_current_week_of_oneself(anna, boris, client_of_anna):
    make_activity(by=anna, subject="Mine")
    make_activity(by=boris, subject="Of Boris")
    make_activity(by=anna, subject="Last week", start=MONDAY_NINE - timedelta(days=4))
    make_activity(by=anna, subject="Declined", owner=boris, organizer=boris, reporter=boris, participants=[anna])
    Participant.objects.filter(activity__subject="Declined", profile=anna).update(response="declined")

    assert found(client_of_anna, "?view=list") == ["Mine"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("period=yesterday", ["tue"]),
        ("period=today", ["wed"]),
        ("period=tomorrow", ["thu"]),
        ("period=current_week", ["mon", "tue", "wed", "thu", "sun"]),
        ("period=previous_week", ["before"]),
        ("period=next_week", ["next"]),
        ("period=any", ["before", "mon", "tue", "wed", "thu", "sun", "next"]),
        ("date=2026-03-18", ["next"]),
        ("date=2026-03-01", []),
        ("period=nonsense&date=nonsense", ["mon", "tue", "wed", "thu", "sun"]),
        ("date=0001-01-01", ["mon", "tue", "wed", "thu", "sun"]),
        ("date=9999-12-31", ["mon", "tue", "wed", "thu", "sun"]),
    ],
)
def test_periods(anna, client_of_anna, query, expected):
    days = {"before": -5, "mon": 0, "tue": 1, "wed": 2, "thu": 3, "sun": 6, "next": 9}
    for subject, shift in days.items():
        make_activity(by=anna, subject=subject, start=MONDAY_NINE + timedelta(days=shift))

    assert found(client_of_anna, f"?view=list&{query}") == expected


@pytest.mark.parametrize(
    ("today", "period", "first", "last"),
    [
        ("2026-03-11", "previous_month", "2026-02-01", "2026-02-28"),
        ("2026-03-31", "current_month", "2026-03-01", "2026-03-31"),
        ("2026-12-31", "next_month", "2027-01-01", "2027-01-31"),
        ("2026-01-31", "previous_month", "2025-12-01", "2025-12-31"),
        ("2026-03-31", "previous_quarter", "2025-10-01", "2025-12-31"),
        ("2028-02-29", "current_quarter", "2028-01-01", "2028-03-31"),
        ("2026-11-30", "current_quarter", "2026-10-01", "2026-12-31"),
        ("2026-10-01", "next_quarter", "2027-01-01", "2027-03-31"),
    ],
)
def test_months_and_quarters_have_their_own_days(anna, client_of_anna, today, period, first, last):
    for day in (date.fromisoformat(first), date.fromisoformat(last)):
        make_activity(by=anna, subject=f"{day}", days=(day, day))
        outside = day + timedelta(days=-1 if f"{day}" == first else 1)
        make_activity(by=anna, subject="outside", days=(outside, outside))

    with time_machine.travel(datetime.fromisoformat(f"{today}T12:00:00+00:00"), tick=False):
        client_of_anna.force_login(anna.user)  # The session of March has ended by then.
        assert found(client_of_anna, f"?view=list&period={period}") == [first, last]
        calendar = client_of_anna.get(f"/activities/?view=calendar&period={period}")
        monday = date.fromisoformat(first) - timedelta(days=date.fromisoformat(first).weekday())
        assert calendar.context["first"] == monday


def test_two_dates_are_a_period_that_every_link_keeps(anna, client_of_anna):
    for subject, shift in {"before": -1, "first": 0, "last": 4, "after": 5}.items():
        make_activity(by=anna, subject=subject, start=MONDAY_NINE + timedelta(days=shift))

    kept = "period=dates&from=2026-03-09&to=2026-03-13"
    shown = client_of_anna.get(f"/activities/?view=list&{kept}")
    assert [str(one) for one in shown.context["activities"]] == ["first", "last"]
    assert kept in shown.context["add_everybody"]
    assert "9 Mar – 13 Mar 2026" in shown.content.decode()
    calendar, _list, dashboards = (each["address"] for each in shown.context["views"])
    assert "date=2026-03-09" in calendar
    assert kept in dashboards


@pytest.mark.parametrize(
    ("dates", "words"),
    [
        ("from=2026-03-13&to=2026-03-09", "The last day cannot be earlier than the first."),
        ("from=2026-02-30&to=2026-03-09", "That is no date the calendar knows."),
        ("from=0001-01-01&to=9999-12-31", "That is no date the calendar knows."),
        ("from=2026-03-09&to=", "Choose both dates"),
        ("", "Choose both dates"),
    ],
)
def test_wrong_dates_are_explained_and_lose_no_other_filter(anna, boris, client_of_anna, dates, words):
    make_activity(by=boris, subject="Of Boris", status="canceled")
    make_activity(by=boris, subject="Another")
    query = f"/activities/?view=list&period=dates&{dates}&employee={boris.pk}&search=Of&show_canceled=1&sort=-due"
    response = client_of_anna.get(query)

    assert [str(one) for one in response.context["activities"]] == ["Of Boris"]
    shown = response.content.decode()
    assert words in shown
    assert response.context["filters"].period == "current_week"
    for name, value in [("employee", boris.pk), ("search", "Of"), ("show_canceled", 1), ("sort", "-due")]:
        assert (name, value) in response.context["two_dates_pairs"]
    if "=2026-02-30" in dates:
        assert 'value="2026-02-30"' in shown  # What was typed is there to be corrected.


def test_the_day_begins_and_ends_in_ones_own_zone():
    user = make_user("yuki", time_zone="Asia/Tokyo")  # It is Wednesday 19:40 there.
    client = Client()
    client.force_login(user)
    late_on_tuesday_in_utc = datetime.fromisoformat("2026-03-10T16:00:00+00:00")
    make_activity(by=user.profile, subject="01:00 on Wednesday", start=late_on_tuesday_in_utc)

    assert found(client, "?view=list&period=today") == ["01:00 on Wednesday"]
    assert found(client, "?view=list&period=yesterday") == []


@pytest.mark.rule("R16")
def test_an_all_day_activity_is_found_on_its_days_wherever_it_was_made(anna, client_of_anna):
    for zone in ("Pacific/Kiritimati", "America/Los_Angeles"):
        days = (date(2026, 3, 11), date(2026, 3, 11))
        make_activity(by=anna, subject=zone, days=days, time_zone=zone)

    assert len(found(client_of_anna, "?view=list&period=today")) == 2
    assert found(client_of_anna, "?view=list&period=yesterday") == []
    assert found(client_of_anna, "?view=list&period=tomorrow") == []


def test_several_employees_and_everybody(anna, boris, client_of_anna):
    clara = make_user("clara").profile
    for profile in (anna, boris, clara):
        make_activity(by=profile, subject=profile.full_name)

    assert found(client_of_anna, f"?view=list&employee={boris.pk}") == ["Boris"]
    assert set(found(client_of_anna, f"?view=list&employee={boris.pk}&employee={anna.pk}")) == {"Anna", "Boris"}
    assert set(found(client_of_anna, "?view=list&employee=all")) == {"Anna", "Boris", "Clara"}
    assert found(client_of_anna, "?view=list&employee=nobody&employee=99999999999999999999") == ["Anna"]


def test_employees_are_found_as_participants_too(anna, boris, client_of_anna):
    make_activity(by=boris, subject="Together", participants=[anna])
    assert found(client_of_anna, "?view=list") == ["Together"]


def test_canceled_ones_are_hidden_unless_asked_for(anna, client_of_anna):
    make_activity(by=anna, status="canceled", subject="Off")
    assert found(client_of_anna, "?view=list") == []
    assert found(client_of_anna, "?view=list&show_canceled=1") == ["Off"]


def test_emails_never_show(anna, client_of_anna):
    activity = make_activity(by=anna, kind=Activity.Kind.EMAIL, show_in_calendar=True)
    assert found(client_of_anna, "?view=list&period=any") == []
    assert found(client_of_anna) == []
    assert client_of_anna.get(f"/activities/{activity.pk}/").status_code == 404


@pytest.mark.rule("R1")
def test_tags_filter_and_other_peoples_private_ones_do_not(anna, boris, client_of_anna):
    mine, foreign = make_tag("Mine", owner=anna), make_tag("Secret plan", owner=boris)
    make_activity(by=anna, subject="Tagged", tags=[mine, foreign])
    make_activity(by=anna, subject="Not tagged")

    assert found(client_of_anna, f"?view=list&tag={mine.pk}") == ["Tagged"]
    assert len(found(client_of_anna, f"?view=list&tag={foreign.pk}")) == 2  # As if there were no such tag.
    assert "Secret plan" not in page(client_of_anna, "?view=list")
    assert "Secret plan" not in page(client_of_anna)


def test_a_search_looks_everywhere_and_shows_a_list(anna, boris, client_of_anna):
    make_activity(by=boris, subject="Kestrel demo", start=MONDAY_NINE - timedelta(days=400))
    make_activity(by=anna, subject="Lunch", location="At KESTREL")
    make_activity(by=anna, subject="Offer", notes="For Kestrel")
    make_activity(by=anna, subject="Something else")

    assert found(client_of_anna, "?search=kestrel") == ["Kestrel demo", "Lunch", "Offer"]
    assert "<table" in page(client_of_anna, "?search=kestrel")


def test_filtering_a_view_by_text_leaves_its_other_filters_alone(anna, boris, client_of_anna):
    make_activity(by=boris, subject="Kestrel of Boris")
    make_activity(by=anna, subject="Kestrel long ago", start=MONDAY_NINE - timedelta(days=400))
    make_activity(by=anna, subject="Kestrel")
    assert found(client_of_anna, "?view=list&search=kestrel") == ["Kestrel"]


@pytest.mark.parametrize("query", ["?search=%00", "?tag=%00&employee=%00", "?page=nonsense&sort=nonsense&view=list"])
def test_nonsense_in_the_address_does_no_harm(client_of_anna, query):
    page(client_of_anna, query)


def test_an_address_too_large_leads_nowhere(client_of_anna):
    assert client_of_anna.get(f"/activities/{10**30}/").status_code == 404


@pytest.mark.rule("R8")
@pytest.mark.parametrize("query", ["?view=list&period=any&employee=all", "?search=merger", "", "?employee=all"])
def test_nobody_finds_what_is_not_theirs_to_see(anna, boris, client_of_anna, query):
    make_activity(by=boris, subject="Merger, private", is_private=True, show_in_calendar=True)
    make_activity(by=boris, subject="Merger, from Google", made_in_google=True, show_in_calendar=True)
    waiting = make_activity(by=boris, subject="Merger, later", made_in_google=True, show_in_calendar=True)
    Participant.objects.create(activity=waiting, profile=anna, displayed=False)

    assert found(client_of_anna, query) == []
    assert "Merger" not in page(client_of_anna, query)


@pytest.mark.parametrize("column", ["subject", "status", "start", "due", "category", "owner"])
def test_every_column_sorts_both_ways(anna, boris, client_of_anna, column):
    early = make_activity(by=anna, subject="apple", category="call", status="completed")
    late = make_activity(by=boris, subject="Banana", start=MONDAY_NINE + timedelta(days=1), participants=[anna])

    up = found(client_of_anna, f"?view=list&sort={column}")
    down = found(client_of_anna, f"?view=list&sort=-{column}")
    assert (up, down) == ([str(early), str(late)], [str(late), str(early)])


def test_a_day_of_another_year_says_its_year(anna, client_of_anna):
    make_activity(by=anna, days=(date(2026, 11, 26), date(2026, 11, 27)))
    make_activity(by=anna, days=(date(2027, 11, 26), date(2027, 11, 27)))

    shown = client_of_anna.get("/activities/?view=list&period=any").content.decode()

    assert "Thu 26 Nov, all day" in shown
    assert "Fri 26 Nov 2027, all day" in shown
    assert "Sat 27 Nov 2027" in shown


def test_fifty_rows_a_page(anna, client_of_anna):
    for number in range(53):
        make_activity(by=anna, subject=f"{number:02}", start=MONDAY_NINE + timedelta(minutes=number))

    assert len(found(client_of_anna, "?view=list")) == 50
    assert found(client_of_anna, "?view=list&page=2") == ["50", "51", "52"]
    assert "page=2" in page(client_of_anna, "?view=list")


def test_an_empty_list_says_why(anna, client_of_anna):
    assert "This section has no records." in page(client_of_anna, "?view=list")
    make_activity(by=anna, start=MONDAY_NINE + timedelta(days=40))
    assert "There are no records matching the filter criteria." in page(client_of_anna, "?view=list")


def test_a_subject_is_text(anna, client_of_anna):
    make_activity(by=anna, subject="<script>alert(1)</script>", show_in_calendar=True)
    for query in ("", "?view=list"):
        assert "<script>alert" not in page(client_of_anna, query)


# --- The calendar ---------------------------------------------------------------------------------------------------


def test_the_calendar_shows_only_what_is_meant_for_it(anna, client_of_anna):
    make_activity(by=anna, subject="Shown", show_in_calendar=True)
    make_activity(by=anna, subject="Not shown")
    assert found(client_of_anna) == ["Shown"]


def test_an_event_says_where_it_stands_and_what_it_is(anna, client_of_anna):
    activity = make_activity(
        by=anna, subject="Fair", show_in_calendar=True, other_guests=[{"email": "ida@x.example"}], show_as_free=True
    )
    activity.series = Series.objects.create(recurrence=["RRULE:FREQ=DAILY"], first_start=activity.start)
    activity.save()

    html = page(client_of_anna)
    assert 'data-start="540" data-length="60" data-lane="0" data-lanes="1"' in html
    assert 'data-tone="late"' in html
    for words in ("Repeats.", "Has other guests.", "Overdue.", "Shown as free.", f'href="/activities/{activity.pk}/"'):
        assert words in html
    assert "In Google. " not in html
    assert "style=" not in html  # The content policy would drop it.


@pytest.mark.parametrize(
    ("response", "words"),
    [("tentative", "You answered maybe."), ("needs_action", "You have not answered."), ("accepted", None)],
)
def test_ones_own_answer_shows(anna, boris, client_of_anna, response, words):
    activity = make_activity(by=boris, participants=[anna], show_in_calendar=True)
    Participant.objects.filter(activity=activity, profile=anna).update(response=response)

    html = page(client_of_anna)
    assert (f'data-answer="{response}"' in html) is (words is not None)
    if words:
        assert words in html


def test_the_line_at_now_stands_in_ones_own_zone():
    user = make_user("maja", time_zone="Europe/Stockholm")
    client = Client()
    client.force_login(user)

    html = page(client)
    assert html.count(f'data-at="{11 * 60 + 40}"') == 2
    assert "CET" in html
    assert "data-at" not in page(client, "?date=2026-03-18")


def test_only_the_calendar_has_a_style_of_its_own_and_names_it_by_a_nonce(client_of_anna):
    response = client_of_anna.get("/activities/")
    policy = response["Content-Security-Policy"]
    nonce = re.search(r"style-src 'self' 'nonce-([^']+)'", policy)
    assert nonce
    assert f'<style data-fullcalendar nonce="{nonce[1]}"></style>' in response.content.decode()
    assert "unsafe" not in policy
    assert "nonce" not in client_of_anna.get("/activities/?view=list")["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("query", "show"),
    [("", ""), ("show=month", "month"), ("show=nonsense", ""), ("period=today", "day"), ("period=next_week", "")],
)
def test_the_address_says_which_days_are_shown(client_of_anna, query, show):
    response = client_of_anna.get(f"/activities/?view=calendar&{query}")
    assert response.context["show"] == show
    assert f'data-show="{show}"' in response.content.decode()


def test_the_toolbar_and_the_filters_are_made_anew_for_other_days(client_of_anna):
    headers = {"HX-Request": "true", "HX-Target": "calendar-bar"}
    html = client_of_anna.get("/activities/?view=calendar&date=2026-03-18&show=day", headers=headers).content.decode()
    assert "?view=list&amp;date=2026-03-16" in html
    assert 'class="filters"' in html
    assert 'class="calendar' not in html


def test_previous_next_and_today(client_of_anna):
    context = client_of_anna.get("/activities/?date=2026-03-31").context
    assert context["range"] == "30 March – 5 April 2026"
    assert (context["previous"], context["next"]) == (
        "?view=calendar&date=2026-03-24",
        "?view=calendar&date=2026-04-07",
    )
    assert context["to_today"] == "?view=calendar"


def test_filters_stay_when_the_week_or_the_view_changes(anna, boris, client_of_anna):
    tag = make_tag(kind=Tag.Kind.PUBLIC)
    query = f"?view=calendar&employee={anna.pk}&employee={boris.pk}&tag={tag.pk}&search=x&show_canceled=1"
    context = client_of_anna.get(f"/activities/{query}").context
    rest = f"employee={anna.pk}&employee={boris.pk}&tag={tag.pk}&search=x&show_canceled=1"

    assert context["next"] == f"?view=calendar&date=2026-03-18&{rest}"
    assert [each["address"] for each in context["views"]][1:] == [f"?view=list&{rest}", f"?view=dashboards&{rest}"]


@pytest.mark.rule("R8")
def test_a_colleagues_secrets_are_busy_and_nothing_else(anna, boris, client_of_anna):
    secret = {"show_in_calendar": True, "location": "Notary", "notes": "Hush"}
    make_activity(by=boris, subject="Merger", is_private=True, **secret)
    make_activity(by=boris, subject="Merger", made_in_google=True, start=MONDAY_NINE + timedelta(hours=5), **secret)
    make_activity(by=boris, subject="Merger", is_private=True, days=(date(2026, 3, 12), date(2026, 3, 13)), **secret)

    assert "Busy" not in page(client_of_anna)
    html = page(client_of_anna, f"?employee={anna.pk}&employee={boris.pk}")
    assert html.count("<b>Busy</b>") == 3
    assert "14:00 – 15:00" in html
    for word in ("Merger", "Notary", "Hush"):
        assert word not in html


@pytest.mark.rule("R8")
@pytest.mark.parametrize(
    ("values", "query"),
    [
        pytest.param({"status": "canceled"}, "", id="canceled"),
        pytest.param({"show_as_free": True}, "", id="free"),
        pytest.param({"show_in_calendar": False}, "", id="not-in-the-calendar"),
        pytest.param({}, "&search=merger", id="no-answer-to-what-it-is-about"),
    ],
)
def test_what_is_not_busy(boris, client_of_anna, values, query):
    make_activity(by=boris, subject="Merger", is_private=True, **{"show_in_calendar": True, **values})
    assert "<b>Busy</b>" not in page(client_of_anna, f"?view=calendar&employee={boris.pk}{query}")


@pytest.mark.rule("R8")
def test_who_waits_for_a_synchronization_sees_not_even_busy(anna, boris, client_of_anna):
    activity = make_activity(by=boris, made_in_google=True, show_in_calendar=True)
    Participant.objects.create(activity=activity, profile=anna, displayed=False)
    assert "<b>Busy</b>" not in page(client_of_anna, f"?employee={boris.pk}")


# --- Queries --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["?view=list&employee=all", "?view=calendar&employee={boris}&employee={anna}"])
def test_many_rows_need_no_more_queries(anna, boris, client_of_anna, django_assert_max_num_queries, query):
    tag = make_tag(owner=anna)
    for number in range(40):
        by, other = (anna, boris) if number % 2 else (boris, anna)
        make_activity(
            by=by, participants=[other], tags=[tag], start=MONDAY_NINE + timedelta(hours=number), show_in_calendar=True
        )
        make_activity(by=boris, is_private=True, start=MONDAY_NINE + timedelta(hours=number), show_in_calendar=True)

    with django_assert_max_num_queries(14):
        html = page(client_of_anna, query.format(anna=anna.pk, boris=boris.pk))
    assert html.count("Quarterly review") >= 40
