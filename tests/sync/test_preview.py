"""A preview says what the next session does, and changes nothing (R21)."""

from __future__ import annotations

import pytest
from django.utils import timezone

from sync.models import EventLink, SyncedCalendar, SyncOutcome
from tests.sync.helpers import (
    TEN,
    tagged,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.embedded]


@pytest.mark.rule("R21")
def test_a_preview_says_what_would_happen_and_changes_nothing(google, anna, annas):
    from sync.preview import preview

    tagged(anna)
    google.person("anna@northfold.example").create_event({"summary": "Dentist", **TEN})
    before = list(EventLink.objects.values()), list(SyncedCalendar.objects.values())

    planned = preview(calendar=annas, now=timezone.now()).actions

    assert {(plan.action, plan.direction, plan.item) for plan in planned} == {
        ("added", "google", "Renewal call"),
        ("added", "here", "Dentist"),
    }
    assert (list(EventLink.objects.values()), list(SyncedCalendar.objects.values())) == before
    assert google.requests.writes() == []
    assert SyncOutcome.objects.count() == 0
