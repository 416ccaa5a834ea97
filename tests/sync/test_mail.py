"""When Google's guests get mail, end to end (R17)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from activities.models import FieldChange
from tests.google import synchronize
from tests.sync.helpers import (
    change,
    invite_both,
    tagged,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.embedded]


@pytest.mark.rule("R17")
def test_guests_are_told_about_fresh_changes_only(google, anna, annas, boris):
    google.add_account("boris@northfold.example")
    synchronize(annas)  # The first session of an account tells nobody.
    activity = tagged(anna, participants=[boris])
    synchronize(annas)
    assert google.mail.all(to="boris@northfold.example")
    google.mail.clear()

    change(activity, anna, location="Room 9")
    FieldChange.objects.update(at=timezone.now() - timedelta(days=2))
    synchronize(annas)
    assert not google.mail.all()


@pytest.mark.rule("R17")
def test_a_first_synchronization_tells_nobody(google, anna, annas, boris):
    google.add_account("boris@northfold.example")
    tagged(anna, participants=[boris])

    synchronize(annas)

    assert google.person("boris@northfold.example").events()
    assert not google.mail.all()


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
