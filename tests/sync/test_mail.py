"""When Google's guests get mail, end to end (R17)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from accounts.models import Profile
from activities import services
from activities.models import Activity, FieldChange
from sync import set_up
from sync.models import EventLink, SyncSettings
from tests.google import synchronize
from tests.sync.helpers import (
    change,
    invite_both,
    tagged,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.embedded]


def change_days_ago(activity: Activity, by: Profile, **values: Any) -> None:
    """Change an activity in such a way that nobody has synchronized it for two days."""
    EventLink.objects.update(settled_at=timezone.now() - timedelta(days=3))
    services.edit(activity=activity, by=by, now=timezone.now() - timedelta(days=2), **values)


@pytest.mark.rule("R17")
def test_guests_are_told_about_fresh_changes_only(google, anna, annas, boris):
    google.add_account("boris@northfold.example")
    synchronize(annas)  # The first session of an account tells nobody.
    activity = tagged(anna, participants=[boris])
    synchronize(annas)
    assert google.mail.all(to="boris@northfold.example")
    google.mail.clear()

    change_days_ago(activity, anna, location="Room 9")
    synchronize(annas)
    assert google.person("anna@northfold.example").events()[0]["location"] == "Room 9"
    assert not google.mail.all()


@pytest.mark.rule("R17")
def test_a_first_synchronization_tells_nobody(google, anna, annas, boris):
    google.add_account("boris@northfold.example")
    tagged(anna, participants=[boris])

    synchronize(annas)

    assert google.person("boris@northfold.example").events()
    assert not google.mail.all()


@pytest.mark.rule("R17", "R19")
@pytest.mark.parametrize(("tells", "mailed"), [(True, True), (False, False)])
def test_what_was_decided_about_a_change_holds_for_its_retries_a_day_later(google, anna, annas, boris, tells, mailed):
    google.add_account("boris@northfold.example")
    synchronize(annas)
    activity = tagged(anna, participants=[boris])
    synchronize(annas)
    google.mail.clear()
    SyncSettings.objects.filter(profile=anna).update(tell_guests=tells)
    change(activity, anna, location="Room 9")
    google.fail(status=400, reason="invalid", method="PATCH", times=1)
    assert synchronize(annas).outcomes.filter(action="parked").exists()

    SyncSettings.objects.filter(profile=anna).update(tell_guests=not tells)
    FieldChange.objects.update(at=F("at") - timedelta(hours=25))
    aged = {name: F(name) - timedelta(hours=25) for name in ("mail_about", "settled_at")}
    EventLink.objects.update(retry_at=timezone.now(), **aged)
    synchronize(annas)

    assert google.person("anna@northfold.example").events()[0]["location"] == "Room 9"
    assert bool(google.mail.all(to="boris@northfold.example")) is mailed


@pytest.mark.rule("R17")
def test_what_comes_out_because_synchronize_from_was_moved_tells_nobody(google, anna, annas, boris):
    google.add_account("boris@northfold.example")
    settings = SyncSettings.objects.get(profile=anna)
    settings.sync_from = date(2099, 1, 1)
    set_up.save(settings=settings, account=annas.account, changed={"sync_from"}, now=timezone.now())
    synchronize(annas)
    activity = tagged(anna, participants=[boris])
    synchronize(annas)
    assert not google.person("boris@northfold.example").events()

    settings.sync_from = timezone.localdate()
    set_up.save(settings=settings, account=annas.account, changed={"sync_from"}, now=timezone.now())
    synchronize(annas)
    assert google.person("boris@northfold.example").events()
    assert not google.mail.all()

    change(activity, anna, location="Room 9")  # From now on it is like any other.
    synchronize(annas)
    assert google.mail.all(to="boris@northfold.example")


@pytest.mark.rule("R17")
def test_what_came_from_google_tells_nobody(google, anna, annas, boris, boriss):
    event = invite_both(google)
    synchronize(annas)
    synchronize(boriss)
    google.person("anna@northfold.example").edit(event["id"], {"location": "Room 9"})
    google.mail.clear()
    google.requests.clear()

    synchronize(annas)
    synchronize(boriss)

    assert google.requests.writes() == []
    assert not google.mail.all()


@pytest.mark.rule("R17")
def test_what_is_ones_own_makes_no_news_of_what_waited_for_days(google, anna, annas, boris):
    google.add_account("boris@northfold.example")
    synchronize(annas)
    activity = tagged(anna, participants=[boris])
    synchronize(annas)
    google.mail.clear()
    change_days_ago(activity, anna, location="Room 9")
    change(activity, anna, show_as_free=True)

    synchronize(annas)

    event = google.person("anna@northfold.example").events()[0]
    assert (event["location"], event["transparency"]) == ("Room 9", "transparent")
    assert not google.mail.all()


@pytest.mark.rule("R17")
def test_what_an_import_puts_in_place_of_a_persons_change_tells_nobody(google, anna, annas, boris):
    google.add_account("boris@northfold.example")
    synchronize(annas)  # The first session of an account tells nobody.
    activity = tagged(anna, participants=[boris])
    synchronize(annas)
    google.mail.clear()
    change(activity, anna, location="Room 4")
    synchronize(annas)
    assert len(google.mail.all()) == 1

    Activity.objects.filter(pk=activity.pk).update(location="Room 5")
    services.announce(Activity.objects.get(), by=None)
    synchronize(annas)

    assert google.person("anna@northfold.example").events()[0]["location"] == "Room 5"
    assert len(google.mail.all()) == 1
