"""What a series that is divided keeps in its later part, whichever side divides it (R15)."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Profile
from activities import series, services
from activities.models import Activity, Series
from google_emulator import Emulator
from sync.models import EventLink, SyncedCalendar, SyncOutcome
from tests.factories import make_user
from tests.google import sync_tag, synchronize, timed
from tests.sync.helpers import assert_quiet
from tests.sync.test_repeating import (  # noqa: F401 # Fixtures among them.
    ANNA,
    BORIS,
    MONDAY,
    WEEKLY,
    ZONE,
    anna,
    assert_same,
    at,
    boris,
    instance,
    make_here,
    make_there,
    occurrence,
    there,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.embedded]

MARIA, NORA = "maria@partner.example", "nora@partner.example"
THIRD = "2027-03-22"


def split_there(google: Emulator, **change: Any) -> None:
    """Change the third occurrence and all that follow on Google's own page."""
    google.person(ANNA).edit(instance(google, THIRD)["id"], change or {"summary": "Retro"}, scope="following")


def split_here(by: Profile, **change: Any) -> None:
    values: dict[str, Any] = change or {"subject": "Retro"}
    series.edit(activity=occurrence(THIRD), scope="following", by=by, now=timezone.now(), **values)


def of_all(by: Profile, **change: Any) -> None:
    series.edit(activity=occurrence("2027-03-08"), scope="all", by=by, now=timezone.now(), **change)


def settle(*calendars: SyncedCalendar, rounds: int = 3) -> None:
    for _round in range(rounds):
        for calendar in calendars:
            session = synchronize(calendar)
            assert session.status == "succeeded", list(session.outcomes.values("item", "reason", "error"))


def guests(event: dict[str, Any]) -> dict[str, str]:
    return {guest["email"]: guest["responseStatus"] for guest in event.get("attendees", [])}


# --- Split in Google ---------------------------------------------------------------------------------------------


@pytest.mark.rule("R15", "R7", "R10")
def test_what_all_had_here_alone_stays_when_google_splits(google, anna, annas):  # noqa: F811
    make_there(google)
    synchronize(annas)
    clara, local = make_user("clara").profile, make_user("local", email="").profile
    of_all(anna, priority="high", category="paperwork", owner=clara)
    series.add_participant(activity=occurrence("2027-03-08"), scope="all", profile=local, by=anna, now=timezone.now())
    synchronize(annas)

    split_there(google)
    settle(annas)

    assert Series.objects.count() == 2
    for row in Activity.objects.all():
        assert (row.priority, row.category, row.owner) == ("high", "paperwork", clara)
        assert row.participants.filter(profile=local).exists()
    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R8")
def test_what_was_made_here_stays_made_here_when_google_splits(google, anna, annas):  # noqa: F811
    make_here(anna)
    synchronize(annas)

    split_there(google)
    settle(annas)

    assert {row.subject for row in Activity.objects.all()} == {"Stand-up", "Retro"}
    assert not Activity.every.filter(made_in_google=True).exists()


@pytest.mark.rule("R15", "R8", "R10")
def test_a_colleague_keeps_sight_and_reminder_when_google_splits(google, anna, annas, boris, boriss):  # noqa: F811
    make_there(google, attendees=[{"email": BORIS}])
    settle(annas, boriss, rounds=1)
    series.set_reminder(activity=occurrence("2027-03-08"), scope="all", profile=boris, minutes=15, now=timezone.now())
    services.edit(activity=occurrence(THIRD), by=boris, now=timezone.now(), priority="high")

    split_there(google)
    synchronize(annas)

    assert Activity.objects.visible_to(boris).count() == 5
    settle(boriss, annas)
    reminders = [row.participants.get(profile=boris).reminder_minutes for row in Activity.objects.all()]
    assert reminders == [15] * 5
    assert occurrence(THIRD).priority == "high"
    assert_quiet(google, annas)
    assert_quiet(google, boriss)


@pytest.mark.rule("R15", "R7")
def test_whom_google_takes_off_the_later_part_takes_no_part_in_it_here(google, anna, annas, boris):  # noqa: F811
    make_there(google, attendees=[{"email": BORIS}, {"email": MARIA}])
    synchronize(annas)

    split_there(google, attendees=[{"email": MARIA}])
    settle(annas)

    takes_part = [row.participants.filter(profile=boris).exists() for row in Activity.objects.order_by("start")]
    assert takes_part == [True, True, False, False, False]


@pytest.mark.rule("R15", "R11")
def test_a_change_of_all_on_its_way_reaches_both_parts_when_google_splits(google, anna, annas):  # noqa: F811
    make_there(google)
    synchronize(annas)
    of_all(anna, location="Hall")

    split_there(google)
    settle(annas)

    assert {row.location for row in Activity.objects.all()} == {"Hall"}
    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R11")
def test_what_both_sides_changed_is_in_the_journal_when_google_splits(google, anna, annas):  # noqa: F811
    make_there(google)
    synchronize(annas)
    of_all(anna, subject="Board")

    split_there(google)
    settle(annas)

    journal = SyncOutcome.objects.filter(action="replaced", field="subject")
    assert [{row.here, row.google} for row in journal] == [{"Board", "Retro"}]
    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R11")
def test_a_time_on_its_way_is_in_the_journal_when_google_splits(google, anna, annas):  # noqa: F811
    make_there(google)
    synchronize(annas)
    of_all(anna, start=at("2027-03-08", "12:00"), due=at("2027-03-08", "13:00"))

    split_there(google, end={"dateTime": "2027-03-22T11:30:00", "timeZone": "Europe/Berlin"})
    settle(annas)

    assert SyncOutcome.objects.filter(action="replaced", field="when", rule="R15").exists()
    assert_same(google, anna)
    assert_quiet(google, annas)


# --- Split here --------------------------------------------------------------------------------------------------


@pytest.mark.rule("R15", "R7")
def test_other_guests_come_along_when_we_split(google, anna, annas):  # noqa: F811
    google.add_account(MARIA, name="Maria")
    make_there(google, attendees=[{"email": MARIA}, {"email": NORA, "optional": True}])
    synchronize(annas)

    split_here(anna)
    settle(annas)

    assert all(MARIA in guests(event) for event in there(google))
    nora = [next(guest for guest in event["attendees"] if guest["email"] == NORA) for event in there(google)]
    assert all(guest["optional"] for guest in nora)
    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R7")
def test_other_guests_come_along_when_we_split_twice_before_anything_is_sent(google, anna, annas):  # noqa: F811
    google.add_account(MARIA, name="Maria")
    make_there(google, attendees=[{"email": MARIA}])
    synchronize(annas)

    split_here(anna)
    series.edit(activity=occurrence("2027-04-05"), scope="following", by=anna, now=timezone.now(), subject="Review")
    settle(annas)

    assert {event["summary"] for event in there(google)} == {"Stand-up", "Retro", "Review"}
    assert all(MARIA in guests(event) for event in there(google))
    assert_same(google, anna)


@pytest.mark.rule("R15", "R12")
def test_color_rights_and_other_reminders_come_along_when_we_split(google, anna, annas):  # noqa: F811
    reminders = [{"method": "email", "minutes": 60}, {"method": "popup", "minutes": 10}]
    make_there(
        google,
        colorId="5",
        guestsCanModify=True,
        visibility="confidential",
        reminders={"useDefault": False, "overrides": reminders},
    )
    synchronize(annas)

    split_here(anna)
    settle(annas)

    assert {event["summary"] for event in there(google)} == {"Stand-up", "Retro"}
    for event in there(google):
        assert (event["colorId"], event["guestsCanModify"], event["visibility"]) == ("5", True, "confidential")
        assert sorted(one["method"] for one in event["reminders"]["overrides"]) == ["email", "popup"]
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R6")
@pytest.mark.parametrize("more", ["", "moved in Google", "moved here"])
def test_what_a_colleague_divided_stays_divided_though_somebody_else_is_invited_meanwhile(
    google, anna, annas, boris, more  # noqa: F811
):  # fmt: skip
    google.add_account(MARIA, name="Maria")
    head = make_here(anna)
    synchronize(annas)
    [master] = google.person(ANNA).events()

    series.edit(activity=occurrence(THIRD), scope="following", by=boris, now=timezone.now(), location="Hall")
    if more == "moved here":
        start = at("2027-03-08", "12:00")
        series.edit(activity=occurrence("2027-03-08"), scope="all", by=boris, now=timezone.now(), start=start)
    google.person(ANNA).edit(master["id"], {"attendees": [{"email": ANNA}, {"email": MARIA}]})
    if more == "moved in Google":
        google.person(ANNA).edit(master["id"], timed("2027-03-08T14:00:00", "2027-03-08T15:00:00", ZONE))
    settle(annas)

    rows = Activity.objects.order_by("start")
    assert [row.location for row in rows] == ["", "", "Hall", "Hall", "Hall"]
    assert [row.series_id == head.series_id for row in rows] == [True, True, False, False, False]
    assert rows[0].start == at("2027-03-08", "14:00" if more == "moved in Google" else "10:00")
    assert SyncOutcome.objects.filter(action="replaced", rule="R6", field="when").exists() == bool(more)
    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R6")
def test_a_series_of_somebody_elsewhere_is_not_split_here(google, boris, boriss):  # noqa: F811
    """Maria, who is nobody here, organizes; her guests may change the event."""
    google.add_account(MARIA, name="Maria")
    google.person(MARIA).create_event(
        {
            "summary": "Stand-up",
            "recurrence": WEEKLY,
            "guestsCanModify": True,
            "attendees": [{"email": BORIS}, {"email": NORA}],
            **MONDAY,
        }
    )
    synchronize(boriss)

    with pytest.raises(services.UnableToChange, match="Choose this occurrence or all"):
        split_here(boris)
    with pytest.raises(services.UnableToChange, match="Only its organizer in Google cancels or deletes it"):
        series.delete(activity=occurrence(THIRD), scope="following", by=boris, now=timezone.now())
    split_here(boris, priority="high")  # What Google does not know divides nothing.
    of_all(boris, location="Hall")
    settle(boriss)

    assert Series.objects.count() == 1
    assert {event["summary"] for event in there(google, MARIA)} == {"Stand-up"}
    assert [event["location"] for event in there(google, MARIA)] == ["Hall"] * 5


@pytest.mark.rule("R15", "R4")
@pytest.mark.parametrize("is_frozen_before", [False, True], ids=["after", "before"])
def test_a_series_that_leaves_the_selection_ends_all_the_same_where_its_part_begins(
    google,
    anna,  # noqa: F811
    annas,
    is_frozen_before,
):
    head = make_here(anna)
    synchronize(annas)
    tag = sync_tag(anna)
    if is_frozen_before:
        services.remove_tag(activity=occurrence("2027-03-08"), tag=tag, by=anna)
        synchronize(annas)
    split_here(anna)
    if is_frozen_before:
        services.add_tag(activity=occurrence(THIRD), tag=tag, by=anna)
    else:
        services.remove_tag(activity=occurrence("2027-03-08"), tag=tag, by=anna)

    settle(annas)

    assert EventLink.objects.get(activity=head).state == "frozen"
    starts = [event["start"]["dateTime"] for event in there(google)]
    assert len(starts) == len(set(starts)) == 5
    assert_quiet(google, annas)
    services.add_tag(activity=occurrence("2027-03-08"), tag=tag, by=anna)
    settle(annas)
    assert EventLink.objects.get(activity=head).state == "linked"
    assert not SyncOutcome.objects.filter(action="replaced").exists()
    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R14", "R13")
@pytest.mark.parametrize("how", ["changed here", "set back here"])
def test_what_google_deletes_before_the_part_it_divided_off_returns_without_that(google, anna, annas, how):  # noqa: F811
    """A deleted event does not tell that it ended before its later part."""
    master = make_there(google)
    synchronize(annas)
    split_there(google, location="Garden")
    google.person(ANNA).delete(master["id"])
    if how == "changed here":
        of_all(anna, notes="Bring your own")
        settle(annas)
    else:
        settle(annas)
        assert len(there(google)) == 3
        of_all(anna, status="not_started")
        settle(annas)
    assert [one.get("location", "") for one in there(google)] == ["", "", "Garden", "Garden", "Garden"]
    assert_same(google, anna)
    assert_quiet(google, annas)
