"""Changes on both sides, and writes that meet somebody else's, end to end (R11, R12)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from activities.models import FieldChange
from sync import writing
from sync.models import SyncedCalendar, SyncOutcome
from tests.google import synchronize
from tests.sync.helpers import (
    assert_quiet,
    change,
    fresh,
    tagged,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.embedded]


@pytest.mark.rule("R11")
def test_of_two_different_changes_the_later_wins_and_the_other_is_kept(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    [event] = google.person("anna@northfold.example").events()
    change(activity, anna, location="Here, earlier", subject="Same")
    FieldChange.objects.filter(field="location").update(at=timezone.now() - timedelta(hours=2))
    google.person("anna@northfold.example").edit(event["id"], {"location": "There, later", "summary": "Same"})

    session = synchronize(annas)

    assert fresh(activity).location == "There, later"
    [kept] = session.outcomes.filter(action="replaced")
    assert (kept.rule, kept.field, kept.here, kept.google, kept.kept) == (
        "R11", "location", "Here, earlier", "There, later", "google",
    )  # fmt: skip

    google.person("anna@northfold.example").edit(event["id"], {"location": "There, earlier"})
    change(activity, anna, location="Here, later")
    FieldChange.objects.filter(field="location", origin="person").update(at=timezone.now() + timedelta(hours=2))
    synchronize(annas)
    assert fresh(activity).location == "Here, later"
    assert google.person("anna@northfold.example").event(event["id"])["location"] == "Here, later"
    assert_quiet(google, annas)


@pytest.mark.rule("R12")
def test_an_edit_between_our_look_and_our_write_is_not_overwritten(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    [event] = google.person("anna@northfold.example").events()
    change(activity, anna, subject="From here")
    person = google.person("anna@northfold.example")
    google.interject(lambda: person.edit(event["id"], {"location": "Meanwhile"}), method="PATCH")

    session = synchronize(annas)

    assert session.status == "succeeded"
    assert (fresh(activity).subject, fresh(activity).location) == ("From here", "Meanwhile")
    shown = person.event(event["id"])
    assert (shown["summary"], shown["location"]) == ("From here", "Meanwhile")
    assert_quiet(google, annas)


@pytest.mark.rule("R12")
def test_an_edit_here_while_google_answers_is_not_lost(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    [event] = google.person("anna@northfold.example").events()
    google.person("anna@northfold.example").edit(event["id"], {"location": "From there"})
    change(activity, anna, subject="First")
    google.interject(lambda: _from_another_thread(lambda: change(activity, anna, subject="Second")), method="PATCH")

    synchronize(annas)
    synchronize(annas)

    assert (fresh(activity).subject, fresh(activity).location) == ("Second", "From there")
    assert google.person("anna@northfold.example").event(event["id"])["summary"] == "Second"


@pytest.mark.rule("R11", "R18")
@pytest.mark.parametrize("trouble", ["none", "edited here meanwhile", "answer lost", "killed", "refused once"])
def test_googles_value_that_gave_way_is_in_the_journal_whatever_becomes_of_the_answer(
    google, anna, annas, monkeypatch, trouble
):
    activity = tagged(anna)
    synchronize(annas)
    [event] = google.person("anna@northfold.example").events()
    google.person("anna@northfold.example").edit(event["id"], {"summary": "There", "visibility": "private"})
    change(activity, anna, subject="Here")
    FieldChange.objects.filter(field="subject", origin="person").update(at=timezone.now() + timedelta(hours=2))
    if trouble == "edited here meanwhile":
        both = _from_another_thread
        google.interject(lambda: both(lambda: change(activity, anna, is_private=True)), method="PATCH")
    elif trouble == "answer lost":
        google.fail("reset", when="after", method="PATCH", times=5)
    elif trouble == "refused once":
        google.fail(status=412, reason="conditionNotMet", method="PATCH")
    elif trouble == "killed":
        with monkeypatch.context() as patch:
            patch.setattr(writing, "settle_pair", _die)
            with pytest.raises(KeyboardInterrupt):
                synchronize(annas)
        SyncedCalendar.objects.update(lease_by="", lease_until=None)

    for _round in range(3):
        synchronize(annas)

    assert (fresh(activity).subject, google.person("anna@northfold.example").event(event["id"])["summary"]) == (
        "Here", "Here",
    )  # fmt: skip
    [kept] = SyncOutcome.objects.filter(action="replaced")
    assert (kept.field, kept.here, kept.google, kept.kept) == ("subject", "Here", "There", "here")


def _die(*_args: Any, **_values: Any) -> None:
    raise KeyboardInterrupt


def _from_another_thread(work: Any) -> None:
    """The emulator answers in a thread of its own, whose database connection has to be closed again."""
    from django.db import connection

    try:
        work()
    finally:
        connection.close()
