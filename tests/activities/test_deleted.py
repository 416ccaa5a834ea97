"""What was deleted: out of sight, with a way back for 30 days (R14)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from activities import series, services
from activities.models import Activity
from tests.factories import MONDAY_NINE, make_activity, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.rule("R14")]

DELETED = "/activities/deleted/"


@pytest.fixture
def anna(client):
    anna = make_user("anna").profile
    client.force_login(anna.user)
    return anna


@pytest.fixture
def gone(anna) -> Activity:
    activity = make_activity(by=anna, subject="Offer for Kestrel", participants=[make_user("boris").profile])
    services.delete(activity=activity, by=anna, now=timezone.now())
    return activity


def restore(client, activity: Activity):
    return client.post(reverse("activities:restore", args=[activity.pk]))


def test_without_anything_deleted_the_page_says_what_it_is_for(client, anna):
    assert "What you delete is kept here for 30 days." in client.get(DELETED).content.decode()


def test_the_organizer_brings_it_back(client, gone):
    assert "Offer for Kestrel" in client.get(DELETED).content.decode()

    assert restore(client, gone).url == f"/activities/{gone.pk}/"

    assert client.get(f"/activities/{gone.pk}/").status_code == 200
    assert "Offer for Kestrel" not in client.get(DELETED).content.decode()
    assert gone.changes.filter(field="restored").exists()


def test_the_list_tells_a_series_from_an_occurrence_and_from_what_does_not_repeat(client, anna, gone):
    whole = make_series(anna, subject="Standup")
    series.delete(activity=whole.first(), scope=series.ALL, by=anna, now=timezone.now())
    part = make_series(anna, subject="Retro")
    series.delete(activity=part.first(), scope=series.THIS, by=anna, now=timezone.now())

    shown = client.get(DELETED).content.decode()

    of = {subject: shown.split(f"<span>{subject}</span>")[1].split("</th>")[0] for subject in ("Standup", "Retro")}
    assert "All occurrences" in of["Standup"]
    assert "One occurrence" in of["Retro"]
    assert "occurrence" not in shown.split("<span>Offer for Kestrel</span>")[1].split("</th>")[0]


def make_series(by, *, subject: str):
    """Make a weekly series and return its occurrences, the earliest first."""
    head = series.create(
        by=by, subject=subject, start=MONDAY_NINE, due=MONDAY_NINE + timedelta(hours=1), now=timezone.now(),
        lines=("RRULE:FREQ=WEEKLY;COUNT=3",),
    )  # fmt: skip
    return Activity.objects.filter(series=head.series).order_by("start")


def test_nobody_else_sees_it_or_brings_it_back(client, gone):
    client.force_login(gone.participants.get(profile__user__username="boris").profile.user)

    assert "Offer for Kestrel" not in client.get(DELETED).content.decode()
    assert restore(client, gone).status_code == 404
    assert Activity.objects.get(pk=gone.pk).deleted_at


def test_what_was_not_deleted_is_not_restored(client, anna):
    assert restore(client, make_activity(by=anna)).status_code == 404


def test_after_30_days_it_is_no_longer_offered(client, gone):
    Activity.objects.update(deleted_at=timezone.now() - timedelta(days=31))
    assert "Offer for Kestrel" not in client.get(DELETED).content.decode()
    assert restore(client, gone).status_code == 404


def test_deleting_says_where_it_went(client, anna):
    activity = make_activity(by=anna)
    page = client.post(reverse("activities:delete", args=[activity.pk]), follow=True)
    assert "Deleted activities brings it back" in page.content.decode()
