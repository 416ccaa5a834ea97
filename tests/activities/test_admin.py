"""Activities in the administration: every page opens, saving is logged and announced, secrets stay out of sight."""

from __future__ import annotations

from datetime import date

import pytest
from django.test import Client

from accounts.models import Profile
from activities.models import Activity, FieldChange, Participant, Series, Tag
from activities.signals import activity_changed
from tests.factories import MONDAY_NINE, make_activity, make_tag, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> Profile:
    return make_user("ada", is_staff=True, is_superuser=True).profile


@pytest.fixture
def client(ada: Profile) -> Client:
    client = Client()
    client.force_login(ada.user)
    return client


@pytest.fixture
def announced():
    heard = []

    def hear(*, activity, people, by, **_):
        heard.append((activity.pk, people, by))

    activity_changed.connect(hear)
    yield heard
    activity_changed.disconnect(hear)


def sent(activity: Activity, **changes: object) -> dict[str, object]:
    """Return what the browser sends of the change form, with changes."""
    people = list(activity.participants.all())
    values: dict[str, object] = {
        "subject": activity.subject, "kind": activity.kind, "category": activity.category, "status": activity.status,
        "priority": activity.priority, "start_0": "2026-03-09", "start_1": "09:00", "due_0": "2026-03-09",
        "due_1": "10:00", "time_zone": activity.time_zone, "owner": activity.owner_id, "reporter": activity.reporter_id,
        "organizer": activity.organizer_id, "participants-TOTAL_FORMS": len(people),
        "participants-INITIAL_FORMS": len(people),
    }  # fmt: skip
    for number, person in enumerate(people):
        values |= {
            f"participants-{number}-id": person.pk,
            f"participants-{number}-activity": activity.pk,
            f"participants-{number}-profile": person.profile_id,
            f"participants-{number}-response": person.response,
            f"participants-{number}-displayed": "on",
        }
    return values | changes


def test_every_page_opens(anna, client):
    activity = make_activity(by=anna, tags=[make_tag("Q4", kind=Tag.Kind.CORPORATE)])
    series = Series.objects.create(recurrence=["RRULE:FREQ=DAILY"], first_start=MONDAY_NINE)
    rows = [activity, Tag.objects.get(), series, FieldChange.objects.get()]
    for row in rows:
        address = f"/admin/activities/{row._meta.model_name}/"
        for path in (address, f"{address}{row.pk}/change/", f"{address}?q=x"):
            assert client.get(path, follow=True).status_code == 200, path


def test_saving_is_logged_and_announced(ada, anna, client, announced):
    activity = make_activity(by=anna)
    announced.clear()

    response = client.post(f"/admin/activities/activity/{activity.pk}/change/", sent(activity, subject="Redlines"))

    assert response.status_code == 302, response.context["adminform"].form.errors
    change = activity.changes.get(field="subject")
    assert (change.before, change.after, change.by) == ("Quarterly review", "Redlines", ada)
    assert set(activity.changes.values_list("field", flat=True)) == {"created", "subject"}
    assert announced == [(activity.pk, {anna.pk}, ada)]


def test_people_and_the_organizer_are_logged_too(ada, anna, boris, client, announced):
    activity = make_activity(by=anna, participants=[boris])
    announced.clear()
    values = sent(activity, organizer=ada.pk)
    boris_number = [one.profile_id for one in activity.participants.all()].index(boris.pk)
    values[f"participants-{boris_number}-DELETE"] = "on"

    assert client.post(f"/admin/activities/activity/{activity.pk}/change/", values).status_code == 302

    organizer = activity.changes.get(field="organizer")
    assert (organizer.before, organizer.after) == (anna.pk, ada.pk)
    people = {(change.before, change.after) for change in activity.changes.filter(field="people")}
    assert people == {("Boris", None)}
    assert announced[0][1] == {anna.pk, boris.pk, ada.pk}


def test_making_one_is_announced(ada, anna, client, announced):
    values = sent(Activity(subject="New", owner=anna, reporter=anna, organizer=anna, pk=0))
    response = client.post("/admin/activities/activity/add/", values)

    assert response.status_code == 302, response.context["adminform"].form.errors
    activity = Activity.objects.get()
    assert activity.start == MONDAY_NINE
    assert [change.field for change in activity.changes.all()] == ["created"]
    assert announced == [(activity.pk, {anna.pk}, ada)]


@pytest.mark.rule("R16")
def test_days_rule_an_all_day_activity(anna, client):
    activity = make_activity(by=anna)
    days = {"all_day": "on", "start_date": "2026-03-10", "due_date": "2026-03-11", "start_0": "", "start_1": ""}
    response = client.post(f"/admin/activities/activity/{activity.pk}/change/", sent(activity, **days))

    assert response.status_code == 302, response.context["adminform"].form.errors
    activity.refresh_from_db()
    assert (activity.start_date, activity.due_date) == (date(2026, 3, 10), date(2026, 3, 11))
    assert activity.start.isoformat() == "2026-03-10T00:00:00+00:00"
    assert activity.due.isoformat() == "2026-03-12T00:00:00+00:00"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"all_day": "on"}, id="no-days"),
        pytest.param({"all_day": "on", "start_date": "2026-03-10", "due_date": "2026-03-09"}, id="days-turned-round"),
        pytest.param({"due_1": "08:00"}, id="due-before-start"),
        pytest.param({"start_0": "", "start_1": ""}, id="no-start"),
        pytest.param({"time_zone": "Mars/Olympus"}, id="no-zone"),
        pytest.param({"start_0": "0001-01-01"}, id="year-1"),
        pytest.param({"due_0": "9999-12-31"}, id="year-9999"),
        pytest.param({"all_day": "on", "start_date": "0001-01-01"}, id="day-of-year-1"),
    ],
)
def test_what_makes_no_sense_is_refused(anna, client, changes):
    activity = make_activity(by=anna)
    response = client.post(f"/admin/activities/activity/{activity.pk}/change/", sent(activity, **changes))
    assert response.status_code == 200
    assert response.context["adminform"].form.errors


@pytest.mark.rule("R1")
def test_saving_leaves_private_tags_of_others_alone(anna, client):
    tag = make_tag("Secret plan", owner=anna)
    activity = make_activity(by=anna, tags=[tag])
    path = f"/admin/activities/activity/{activity.pk}/change/"

    assert "Secret plan" not in client.get(path).content.decode()
    client.post(path, sent(activity, subject="Redlines"))
    assert activity.tags.get() == tag


@pytest.mark.rule("R1", "R8")
def test_other_peoples_private_things_are_not_there(ada, anna, client):
    tag = make_tag("Secret plan", owner=anna)
    activity = make_activity(by=anna, subject="Merger", is_private=True)
    change = activity.changes.get()

    for path in (
        f"/admin/activities/tag/{tag.pk}/change/",
        f"/admin/activities/activity/{activity.pk}/change/",
        f"/admin/activities/fieldchange/{change.pk}/change/",
    ):
        assert client.get(path).status_code == 302, path
    for model, secret in (("tag", "Secret plan"), ("activity", "Merger"), ("fieldchange", "Merger")):
        assert secret not in client.get(f"/admin/activities/{model}/").content.decode()

    Participant.objects.create(activity=activity, profile=ada)
    assert "Merger" in client.get("/admin/activities/activity/").content.decode()


@pytest.mark.rule("R14")
def test_activities_are_not_deleted_here(anna, client):
    activity = make_activity(by=anna)
    assert client.post(f"/admin/activities/activity/{activity.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Activity.objects.filter(pk=activity.pk).exists()


@pytest.mark.rule("R1", "R4")
@pytest.mark.parametrize("way", ["change", "delete", "delete_selected"])
def test_changing_and_deleting_a_tag_is_announced_for_its_activities(anna, client, announced, way):
    tag = make_tag("Q4", kind=Tag.Kind.CORPORATE)
    activity = make_activity(by=anna, tags=[tag])
    announced.clear()

    if way == "change":
        client.post(f"/admin/activities/tag/{tag.pk}/change/", {"name": "Q4", "kind": "public"})
    elif way == "delete":
        client.post(f"/admin/activities/tag/{tag.pk}/delete/", {"post": "yes"})
    else:
        values = {"action": "delete_selected", "_selected_action": [tag.pk], "post": "yes"}
        client.post("/admin/activities/tag/", values)

    assert [pk for pk, _people, _by in announced] == [activity.pk]
