"""Several activities of the list at once: what is selected, what is changed, what is left out and why."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from openpyxl import load_workbook

from activities import bulk
from activities.columns import COLUMNS
from activities.models import Activity, FieldChange, Tag
from sync.models import EventLink
from tests.factories import MONDAY_NINE, make_activity, make_tag
from tests.sync.pages import make_calendar

pytestmark = pytest.mark.django_db

WEDNESDAY = datetime.fromisoformat("2026-03-11T10:40:00+00:00")


@pytest.fixture(autouse=True)
def _it_is_wednesday():
    with time_machine.travel(WEDNESDAY, tick=False):
        yield


def post(client, what, *activities, **values):
    ids = [activity.pk for activity in activities]
    return client.post(f"/activities/selected/{what}/", {"activity": ids, "query": "view=list&search=a", **values})


# --- The selection --------------------------------------------------------------------------------------------------


def test_a_page_or_all_that_match_are_selected_by_links(anna, client_of_anna):
    for number in range(51):
        make_activity(by=anna, subject=f"Row {number}", start=MONDAY_NINE + timedelta(minutes=number))

    def boxes(query):
        html = client_of_anna.get(f"/activities/?view=list{query}").content.decode()
        rows = [line for line in html.splitlines() if 'name="activity"' in line]
        return len(rows), sum(" checked disabled>" in row for row in rows), sum(" checked>" in row for row in rows)

    assert boxes("") == (50, 0, 0)
    assert boxes("&select=1") == (50, 0, 50)
    assert boxes("&select=1&page=2") == (1, 0, 0)  # Another page than the one that was selected.
    assert boxes("&select=all&page=2") == (1, 1, 0)

    everything = {"all": "1", "query": "view=list&search=Row 1"}
    asked = client_of_anna.post("/activities/selected/tag/", everything)
    assert len(asked.context["activities"]) == 11  # Row 1, and 10 to 19.


def test_what_is_not_to_be_seen_is_not_selected(anna, boris, client_of_anna):
    secret = make_activity(by=boris, subject="Secret", is_private=True)
    mine = make_activity(by=anna, subject="Mine")
    asked = post(client_of_anna, "delete", secret, mine)
    assert [str(one) for one in asked.context["activities"]] == ["Mine"]
    assert "Secret" not in asked.content.decode()

    refused = client_of_anna.post(
        "/activities/selected/delete/", {"activity": [secret.pk], "confirmed": "1"}, follow=True
    )
    assert "Select at least one activity first." in refused.content.decode()
    secret.refresh_from_db()
    assert secret.deleted_at is None


@pytest.mark.parametrize("what", ["tag", "status", "delete"])
@pytest.mark.parametrize(
    "values", [{}, {"activity": "nonsense,-1,99999999999999999999"}, {"all": "1", "query": "view=list"}]
)
def test_nothing_selected_is_said_on_the_list_with_its_filters(client_of_anna, what, values):
    response = client_of_anna.post(
        f"/activities/selected/{what}/", {"query": "view=list&search=a", **values}, follow=True
    )
    assert "Select at least one activity first." in response.content.decode()
    assert response.redirect_chain[0][0].startswith("/activities/?view=list")
    assert client_of_anna.get(f"/activities/selected/{what}/").status_code == 302


def test_too_many_are_refused(anna, client_of_anna, monkeypatch):
    monkeypatch.setattr(bulk, "MOST", 2)
    made = [make_activity(by=anna) for _number in range(3)]
    response = client_of_anna.post("/activities/selected/delete/", {"all": "1", "confirmed": "1"}, follow=True)
    assert "These are 3 activities; at most 2 can be taken at once." in response.content.decode()
    assert post(client_of_anna, "delete", *made, confirmed="1").status_code == 302
    assert Activity.objects.present().count() == 3


# --- Add tag --------------------------------------------------------------------------------------------------------


def test_a_tag_is_put_on_all_of_them(anna, boris, client_of_anna):
    tag, foreign = make_tag("Key account", kind=Tag.Kind.CORPORATE), make_tag("Hidden", owner=boris)
    first, second = make_activity(by=anna), make_activity(by=boris)

    asked = post(client_of_anna, "tag", first, second)
    assert "2 activities are selected." in asked.content.decode()
    assert "Hidden" not in asked.content.decode()
    assert not first.tags.exists()

    done = post(client_of_anna, "tag", first, second, confirmed="1", tag=tag.pk)
    assert done["Location"] == "/activities/?view=list&search=a"
    assert {tag} == set(first.tags.all()) == set(second.tags.all())
    assert FieldChange.objects.filter(field="tags", by=anna, after="Key account").count() == 2

    refused = post(client_of_anna, "tag", first, confirmed="1", tag=foreign.pk)
    assert refused.status_code == 422
    assert not first.tags.filter(pk=foreign.pk).exists()


def test_a_private_tag_is_made_on_the_way(anna, client_of_anna):
    activity = make_activity(by=anna)
    for wrong in ({}, {"name": "New", "tag": make_tag("Old", owner=anna).pk}, {"name": "  "}):
        assert post(client_of_anna, "tag", activity, confirmed="1", **wrong).status_code == 422
    post(client_of_anna, "tag", activity, confirmed="1", name="New")
    assert [(tag.name, tag.owner) for tag in activity.tags.all()] == [("New", anna)]


# --- Change status --------------------------------------------------------------------------------------------------


def test_a_final_status_takes_its_result_along_and_keeps_results_there_are(anna, client_of_anna):
    fresh = make_activity(by=anna)
    done_before = make_activity(by=anna, status="completed", result="Signed")

    post(client_of_anna, "status", fresh, done_before, confirmed="1", status="completed")
    done_before.refresh_from_db()
    assert done_before.result == "Signed"

    post(client_of_anna, "status", fresh, confirmed="1", status="completed", result="Won", result_details="At last")
    fresh.refresh_from_db()
    assert (fresh.status, fresh.result, fresh.result_details) == ("completed", "Won", "At last")


@pytest.mark.parametrize("values", [{}, {"status": "gone"}, {"status": "in_progress", "result": "Won"}])
def test_a_status_that_makes_no_sense_is_explained_and_nothing_is_lost(anna, client_of_anna, values):
    activity = make_activity(by=anna)
    response = post(client_of_anna, "status", activity, confirmed="1", **values)
    assert response.status_code == 422
    assert f'value="{activity.pk}"' in response.content.decode()
    assert values.get("result", "") in response.content.decode()
    activity.refresh_from_db()
    assert activity.status == "not_started"


@pytest.mark.rule("R6")
def test_what_is_somebody_elses_to_cancel_is_left_out_and_named(anna, boris, client_of_anna, closed_to_anna):
    activity = make_activity(by=boris, subject="Of Boris", participants=[anna])
    response = post(client_of_anna, "status", activity, confirmed="1", status="canceled")
    html = response.content.decode()
    assert "Nothing was changed." in html
    assert "Of Boris" in html
    assert closed_to_anna in html
    activity.refresh_from_db()
    assert activity.status == "not_started"


# --- Delete ---------------------------------------------------------------------------------------------------------


def test_deleting_asks_first_and_leaves_out_what_is_not_ones_own(anna, boris, client_of_anna):
    mine, other = make_activity(by=anna, subject="Mine"), make_activity(by=boris, subject="Of Boris")
    asked = post(client_of_anna, "delete", mine, other).content.decode()
    assert "1 activity disappears for everybody." in asked
    assert "None of them is in Google Calendar." in asked
    assert "1 activity is left out" in asked
    assert Activity.objects.present().count() == 2

    done = post(client_of_anna, "delete", mine, other, confirmed="1").content.decode()
    assert "Deleted 1 activity." in done
    assert "Only the Organizer can delete this activity." in done
    assert [str(one) for one in Activity.objects.present()] == ["Of Boris"]
    assert [str(one) for one in Activity.every.restorable_by(anna, now=WEDNESDAY)] == ["Mine"]


def test_of_what_is_in_google_the_question_says_how_many(anna, client_of_anna):
    linked, plain = make_activity(by=anna), make_activity(by=anna)
    EventLink.objects.create(calendar=make_calendar(anna), activity=linked, event_id="e1", state=EventLink.State.LINKED)
    assert "1 of them is in Google Calendar: its event is deleted there as well" in (
        post(client_of_anna, "delete", linked, plain).content.decode()
    )
    assert "1 of them is in Google Calendar. A corporate or public tag stops" in (
        post(client_of_anna, "tag", linked, plain).content.decode()
    )


# --- Export to Excel ------------------------------------------------------------------------------------------------


def exported(response):
    """Return the rows of the workbook, each by the words of its head."""
    assert response.status_code == 200
    assert response["Content-Disposition"] == 'attachment; filename="activities-2026-03-11.xlsx"'
    sheet = load_workbook(io.BytesIO(response.content)).active
    head, *rows = sheet.iter_rows()
    return [{name.value: cell for name, cell in zip(head, row, strict=True)} for row in rows]


def test_the_workbook_has_real_dates_in_the_persons_zone(anna, client_of_anna):
    anna.time_zone = "Europe/Berlin"
    anna.save()
    timed = make_activity(by=anna, subject="Timed")
    days = (datetime(2026, 3, 12, tzinfo=UTC).date(), datetime(2026, 3, 13, tzinfo=UTC).date())
    whole = make_activity(by=anna, subject="Days", days=days, time_zone="America/Los_Angeles")

    first, second = exported(post(client_of_anna, "export", timed, whole))
    assert first["Start (Europe/Berlin)"].is_date
    assert first["Start (Europe/Berlin)"].value == datetime(2026, 3, 9, 10, 0)  # noqa: DTZ001 # Excel knows no zones.
    assert first["Due (Europe/Berlin)"].value == datetime(2026, 3, 9, 11, 0)  # noqa: DTZ001
    assert (first["All day"].value, second["All day"].value) == ("No", "Yes")
    assert [second[f"{name} (Europe/Berlin)"].value.date() for name in ("Start", "Due")] == list(days)


@pytest.mark.parametrize(
    "words", ["=1+1", "+1", "-1", "@SUM(A1)", '=HYPERLINK("http://x")', "#N/A", "a\x07b", "2026-03-09"]
)
def test_a_text_stays_a_text_whatever_it_begins_with(anna, client_of_anna, words):
    activity = make_activity(by=anna, subject=words, location=words, notes=words)
    (row,) = exported(post(client_of_anna, "export", activity))
    for name in ("Subject", "Location", "Notes"):
        assert (row[name].value, row[name].data_type) == (words.replace("\x07", ""), "s")
        assert row[name].quotePrefix


@pytest.mark.rule("R1")
def test_everything_that_matches_is_exported_with_the_tags_one_may_see(
    anna, boris, client_of_anna, django_assert_max_num_queries
):
    tags = [make_tag("Mine", owner=anna), make_tag("Hidden", owner=boris)]
    for number in range(60):
        make_activity(by=anna, subject=f"Row {number:02}", participants=[boris], tags=tags)
    make_activity(by=boris, subject="Row of Boris", is_private=True)

    with django_assert_max_num_queries(10):
        everything = {"all": "1", "query": "view=list&search=Row&sort=-subject"}
        rows = exported(client_of_anna.post("/activities/selected/export/", everything))
    assert [row["Subject"].value for row in rows] == [f"Row {number:02}" for number in reversed(range(60))]
    assert {row["Tags"].value for row in rows} == {"Mine"}
    assert {row["Participants"].value for row in rows} == {"Anna, Boris"}


# --- Columns --------------------------------------------------------------------------------------------------------


def heads(client):
    return [str(column["label"]) for column in client.get("/activities/?view=list").context["columns"]]


def test_columns_are_chosen_and_kept_for_oneself(anna, boris, client_of_anna):
    make_activity(by=anna, location="Room 7", priority="high")
    usual = ["Subject", "Status", "Start", "Due", "Category", "Owner", "Tags", "Google"]
    assert heads(client_of_anna) == usual

    chosen = {"column": ["location", "priority", "nonsense"], "query": "view=list&search=a"}
    response = client_of_anna.post("/activities/columns/", chosen)
    assert response["Location"] == "/activities/?view=list&search=a"
    assert heads(client_of_anna) == ["Subject", "Priority", "Location"]
    html = client_of_anna.get("/activities/?view=list").content.decode()
    assert "Room 7</td>" in html
    assert "High</td>" in html
    assert "Not started" not in html
    client_of_boris = Client()
    client_of_boris.force_login(boris.user)
    assert heads(client_of_boris) == usual

    client_of_anna.post("/activities/columns/", {})
    assert heads(client_of_anna) == ["Subject"]
    client_of_anna.post("/activities/columns/", {"usual": "1"})
    assert heads(client_of_anna) == usual


# --- Order ----------------------------------------------------------------------------------------------------------


def shown(client, query=""):
    return [str(one) for one in client.get(f"/activities/?view=list{query}").context["activities"]]


def test_the_order_is_kept_for_oneself_and_an_address_may_have_another(anna, boris, client_of_anna):
    for number, subject in enumerate("BCA"):
        make_activity(by=anna, subject=subject, participants=[boris], start=MONDAY_NINE + timedelta(hours=number))
    html = client_of_anna.get("/activities/?view=list").content.decode()
    assert '<button type="submit" form="sorting" name="order" value="subject">' in html

    query = {"query": "view=list&period=current_week&page=2"}
    response = client_of_anna.post("/activities/sort/", {"order": "-subject", **query})
    assert response["Location"] == "/activities/?view=list&period=current_week&sort=-subject"
    assert shown(client_of_anna) == ["C", "B", "A"]
    assert 'name="order" value="subject"' in client_of_anna.get("/activities/?view=list").content.decode()
    assert shown(client_of_anna, "&sort=subject") == ["A", "B", "C"]
    assert shown(client_of_anna) == ["C", "B", "A"]  # To look at an address changes nothing.
    everything = {"all": "1", "query": "view=list"}
    rows = exported(client_of_anna.post("/activities/selected/export/", everything))
    assert [row["Subject"].value for row in rows] == ["C", "B", "A"]

    client_of_anna.post("/activities/sort/", {"order": "nonsense; --", **query})
    client_of_anna.post("/activities/columns/", {"column": ["priority"]})
    client_of_anna.post("/activities/columns/", {"usual": "1"})
    assert shown(client_of_anna) == ["C", "B", "A"]
    assert heads(client_of_anna)[1] == "Status"
    client_of_boris = Client()
    client_of_boris.force_login(boris.user)
    assert shown(client_of_boris) == ["B", "C", "A"]


def test_an_empty_list_says_the_next_step(anna, boris, client_of_anna):
    empty = client_of_anna.get("/activities/?view=list").content.decode()
    assert "This section has no records." in empty
    assert '<a class="button" href="/activities/new/?kind=task">' in empty

    far = MONDAY_NINE + timedelta(days=400)
    make_activity(by=boris, subject="Of Boris", start=far, status="canceled")
    html = client_of_anna.get("/activities/?view=list&search=x&sort=-due").content.decode()
    assert "There are no records matching the filter criteria." in html
    cleared = "?view=list&period=any&employee=all&show_canceled=1&sort=-due"
    assert f'href="{cleared.replace("&", "&amp;")}"' in html
    assert shown(client_of_anna, cleared.removeprefix("?view=list")) == ["Of Boris"]


def test_priorities_are_sorted_by_weight(anna, client_of_anna):
    for priority in ("medium", "high", "low"):
        make_activity(by=anna, subject=priority, priority=priority)
    shown = client_of_anna.get("/activities/?view=list&sort=-priority").context["activities"]
    assert [str(one) for one in shown] == ["high", "medium", "low"]


def test_the_list_needs_the_same_few_statements_however_many_rows_and_columns(anna, boris, client_of_anna):
    client_of_anna.post("/activities/columns/", {"column": list(COLUMNS)})
    tag = make_tag(owner=anna)

    def statements():
        with CaptureQueriesContext(connection) as captured:
            assert client_of_anna.get("/activities/?view=list").status_code == 200
        return len(captured)

    make_activity(by=anna, participants=[boris], tags=[tag])
    statements()  # The message that the columns are saved is shown, and gone.
    few = statements()
    assert few <= 15
    for number in range(40):
        make_activity(by=anna, participants=[boris], tags=[tag], start=MONDAY_NINE + timedelta(minutes=number))
    assert statements() == few
