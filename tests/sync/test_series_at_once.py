"""What both sides do to one series between two sessions, and what Google refuses of it (R15)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.utils import timezone

from activities import series, services
from activities.models import Activity, FieldChange
from sync import writing
from sync.items import applying
from sync.models import EventLink, SyncedCalendar, SyncOutcome
from tests.google import synchronize, timed
from tests.sync.helpers import assert_quiet, change, tagged
from tests.sync.test_repeating import (  # noqa: F401 # Fixtures among them.
    ANNA,
    BORIS,
    ZONE,
    anna,
    assert_same,
    at,
    begins,
    boris,
    instance,
    make_here,
    make_there,
    occurrence,
    there,
)
from tests.sync.test_split_series import THIRD, of_all, settle, split_here, split_there

pytestmark = pytest.mark.django_db(transaction=True)


WHOLE_DAYS = {side: {"date": day, "dateTime": None, "timeZone": None}
              for side, day in (("start", "2027-03-08"), ("end", "2027-03-09"))}  # fmt: skip


def in_turn(here, google, *, later):
    for step in (google, here) if later == "here" else (here, google):
        step()


# --- Divided on one side, moved on the other -----------------------------------------------------------------------


@pytest.mark.rule("R15", "R11")
@pytest.mark.parametrize("later", ["here", "google"])
@pytest.mark.parametrize("rule", ["RRULE:FREQ=WEEKLY;COUNT=5", "RRULE:FREQ=WEEKLY;UNTIL=20270405T215959Z;BYDAY=MO"])
def test_a_series_divided_here_and_moved_in_google_is_both(google, anna, annas, later, rule):  # noqa: F811
    master = make_there(google, [rule])
    synchronize(annas)

    afternoon = timed("2027-03-08T14:00:00", "2027-03-08T14:45:00", ZONE)
    in_turn(lambda: split_here(anna), lambda: google.person(ANNA).edit(master["id"], afternoon), later=later)
    settle(annas)

    assert [row.subject for row in Activity.objects.order_by("start")] == ["Stand-up"] * 2 + ["Retro"] * 3
    assert {row.start.astimezone(ZoneInfo(ZONE)).hour for row in Activity.objects.all()} == {14}
    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R11", "R7")
@pytest.mark.parametrize("later", ["here", "google"])
@pytest.mark.parametrize("has_exception", [False, True])
def test_what_google_changed_about_all_is_in_the_part_divided_off_here(
    google,
    anna,  # noqa: F811
    annas,
    boris,  # noqa: F811
    later,
    has_exception,
):
    """It was a change of the later occurrences, too; a part that went out without it would take it back unsaid."""
    master = make_there(google)
    synchronize(annas)
    if has_exception:
        google.person(ANNA).edit(instance(google, "2027-03-29")["id"], {"description": "With the board"})
        synchronize(annas)

    values = {"location": "Hall", "transparency": "transparent", "attendees": [{"email": ANNA}, {"email": BORIS}]}
    in_turn(lambda: split_here(anna), lambda: google.person(ANNA).edit(master["id"], values), later=later)
    settle(annas)

    shown = there(google)
    assert [one["summary"] for one in shown] == ["Stand-up"] * 2 + ["Retro"] * 3
    assert [one.get("location") for one in shown] == ["Hall"] * 5
    assert all(BORIS in [guest["email"] for guest in one["attendees"]] for one in shown)
    assert shown[2].get("transparency") == "transparent"
    assert all(boris in [one.profile for one in row.participants.all()] for row in Activity.objects.all())
    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R11")
@pytest.mark.parametrize("later", ["here", "google"])
@pytest.mark.parametrize("has_exception", [False, True])
def test_of_what_google_changed_about_all_and_the_part_has_from_here_the_later_wins(
    google,
    anna,  # noqa: F811
    annas,
    later,
    has_exception,
):
    master = make_there(google)
    synchronize(annas)
    if has_exception:
        google.person(ANNA).edit(instance(google, "2027-03-29")["id"], {"description": "With the board"})
        synchronize(annas)

    def rename() -> None:
        google.person(ANNA).edit(master["id"], {"summary": "Huddle"})

    in_turn(lambda: split_here(anna), rename, later=later)
    google.fail(method="POST", status=403, reason="forbidden", times=1)
    synchronize(annas)
    EventLink.objects.update(is_marked=True)
    settle(annas)

    kept = "Retro" if later == "here" else "Huddle"
    assert [one["summary"] for one in there(google)] == ["Huddle"] * 2 + [kept] * 3
    entries = SyncOutcome.objects.filter(action="replaced", field="subject")
    assert list(entries.values_list("here", "google", "kept")) == [("Retro", "Huddle", later)]
    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R14")
@pytest.mark.parametrize("days", [timed("2027-03-08T12:00:00", "2027-03-08T13:00:00", ZONE), WHOLE_DAYS])
def test_exceptions_that_go_with_their_day_are_not_canceled_in_the_part_divided_off_here(
    google,
    anna,  # noqa: F811
    annas,
    days,
):
    """Google drops them, since it moves all of the series; nobody has deleted them."""
    master = make_there(google)
    synchronize(annas)
    google.person(ANNA).edit(instance(google, "2027-03-29")["id"], {"location": "Garden"})
    synchronize(annas)
    google.person(ANNA).edit(master["id"], days)
    series.edit(activity=occurrence("2027-03-22"), scope="following", by=anna, now=timezone.now(), notes="From now on")
    for _round in range(3):
        assert synchronize(annas).status == "succeeded"
    assert len(there(google)) == Activity.objects.exclude(status="canceled").count() == 5
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R11")
@pytest.mark.parametrize("later", ["here", "google"])
def test_a_series_divided_in_google_and_moved_here_is_both(google, anna, annas, later):  # noqa: F811
    make_there(google)
    synchronize(annas)

    noon = {"start": at("2027-03-08", "12:00"), "due": at("2027-03-08", "13:00")}
    in_turn(lambda: of_all(anna, **noon), lambda: split_there(google), later=later)
    settle(annas)

    assert [row.subject for row in Activity.objects.order_by("start")] == ["Stand-up"] * 2 + ["Retro"] * 3
    assert {row.start.astimezone(ZoneInfo(ZONE)).hour for row in Activity.objects.all()} == {12}
    assert not SyncOutcome.objects.filter(action="replaced").exists()
    assert_same(google, anna)
    assert_quiet(google, annas)


# --- Refused by Google ---------------------------------------------------------------------------------------------

INSERTS = {"method": "POST", "path": r"/events$"}


@pytest.mark.rule("R15", "R19")
def test_the_old_part_is_not_cut_while_google_refuses_the_new_one(google, anna, annas):  # noqa: F811
    make_here(anna)
    synchronize(annas)
    split_here(anna)
    google.fail(status=400, reason="invalid", times=3, **INSERTS)

    for _session in range(3):
        EventLink.objects.filter(retry_at__isnull=False).update(retry_at=timezone.now())
        session = synchronize(annas)
        assert session.outcomes.filter(action="parked").count() == 1
        assert len(there(google)) == 5
    of_all(anna, location="Hall")  # All that is left of it: whatever else changes goes out all the same.
    synchronize(annas)
    assert [event.get("location") for event in there(google)] == ["Hall"] * 5

    EventLink.objects.filter(retry_at__isnull=False).update(retry_at=timezone.now())
    settle(annas)

    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R20")
@pytest.mark.parametrize("when", ["before", "after"])
def test_the_old_part_is_not_cut_while_google_does_not_answer(google, anna, annas, when):  # noqa: F811
    make_here(anna)
    synchronize(annas)
    split_here(anna)
    google.fail("timeout", when=when, times=1, seconds=0, **INSERTS)

    settle(annas)

    assert_same(google, anna)
    assert_quiet(google, annas)


class Killed(BaseException):
    """The process ends here."""


def die(*_args: Any, **_values: Any) -> None:
    raise Killed


@pytest.mark.rule("R15", "R18")
@pytest.mark.parametrize(("module", "at_step"), [(applying, "_update_in_google"), (writing, "settle_pair")])
def test_a_session_killed_between_both_parts_is_finished_by_the_next(google, anna, annas, monkeypatch, module, at_step):  # noqa: F811
    make_here(anna)
    synchronize(annas)
    split_here(anna)
    with monkeypatch.context() as patch:
        patch.setattr(module, at_step, die)
        with pytest.raises(Killed):
            synchronize(annas)
    assert {event["summary"] for event in there(google)} == {"Stand-up", "Retro"}

    synchronize(annas)

    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R4")
@pytest.mark.parametrize("how", ["deleted", "canceled", "parts"])
def test_the_old_part_is_cut_once_the_new_one_is_not_wanted_any_more(google, anna, annas, how):  # noqa: F811
    make_here(anna)
    synchronize(annas)
    split_here(anna)
    google.fail(status=400, reason="invalid", times=1, **INSERTS)
    synchronize(annas)
    scope = {"activity": occurrence(THIRD), "scope": "all", "now": timezone.now(), "by": anna}
    if how == "deleted":
        series.delete(**scope)
    elif how == "canceled":
        series.set_status(status="canceled", **scope)
    else:  # Divided again: its later part has to be there first.
        last = occurrence("2027-04-05")
        series.edit(activity=last, scope="following", by=anna, now=timezone.now(), subject="Review")
        series.delete(**scope)

    settle(annas)

    assert_same(google, anna)
    assert {event["summary"] for event in there(google)} == {"Stand-up"} | ({"Review"} if how == "parts" else set())
    assert_quiet(google, annas)


# --- Removed on one side, one occurrence changed on the other ---------------------------------------------------------


@pytest.mark.rule("R14", "R15")
@pytest.mark.parametrize("before", ["plain", "an exception"])
@pytest.mark.parametrize("what", ["canceled", "deleted"])
def test_all_removed_here_takes_along_what_was_changed_in_google(google, anna, annas, what, before):  # noqa: F811
    make_there(google)
    synchronize(annas)
    if before == "an exception":
        google.person(ANNA).edit(instance(google, THIRD)["id"], {"location": "Garden"})
        synchronize(annas)
    google.person(ANNA).edit(instance(google, THIRD)["id"], {"summary": "Board"})
    scope = {"activity": occurrence("2027-03-08"), "scope": "all", "now": timezone.now(), "by": anna}
    if what == "deleted":
        series.delete(**scope)
    else:
        series.set_status(status="canceled", **scope)

    settle(annas)

    assert there(google) == []
    assert not Activity.objects.present().exclude(status="canceled").exists()
    lost = SyncOutcome.objects.get(action="replaced")
    assert (lost.rule, lost.google) == ("R14", {"subject": "Board"})
    assert_quiet(google, annas)


@pytest.mark.rule("R14", "R15")
def test_what_was_changed_in_google_waits_with_its_series_for_a_persons_word(google, anna, annas):  # noqa: F811
    for number in range(6):
        make_there(google, summary=f"Stand-up {number}")
    synchronize(annas)
    for head in Activity.every.filter(is_series=True):
        series.delete(activity=head.series.occurrences.first(), scope="all", by=anna, now=timezone.now())
    FieldChange.objects.update(at=timezone.now() - timedelta(days=2))  # Nobody has just ordered it.
    for event in there(google):
        if begins(event) == at(THIRD):
            google.person(ANNA).edit(event["id"], {"summary": "Board"})

    session = synchronize(annas)

    assert session.status == "needs_confirmation"
    assert len(there(google)) == 30
    assert not Activity.objects.present().exists()
    SyncedCalendar.objects.update(confirmed_removals=session.stopped_before)
    settle(annas)
    assert there(google) == []
    assert not Activity.objects.present().exists()
    assert_quiet(google, annas)


# --- Divided on both sides -------------------------------------------------------------------------------------------


@pytest.mark.rule("R15", "R11")
@pytest.mark.parametrize("later", ["here", "google"])
@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        pytest.param(THIRD, "2027-03-29", ["", "", "Hall", "Retro, Hall", "Retro, Hall"], id="here-first"),
        pytest.param("2027-03-29", THIRD, ["", "", "Retro", "Retro, Hall", "Retro, Hall"], id="in-google-first"),
        pytest.param(THIRD, THIRD, ["", "", "Retro, Hall", "Retro, Hall", "Retro, Hall"], id="at-the-same-one"),
    ],
)
def test_a_series_divided_on_both_sides_has_each_occurrence_once(google, anna, annas, later, ours, theirs, expected):  # noqa: F811
    make_there(google)
    synchronize(annas)

    def here() -> None:
        row = occurrence(ours)
        series.edit(activity=row, scope="following", by=anna, now=timezone.now(), location="Hall")

    def in_google() -> None:
        google.person(ANNA).edit(instance(google, theirs)["id"], {"summary": "Retro"}, scope="following")

    in_turn(here, in_google, later=later)
    settle(annas)

    found = [(row.subject, row.location) for row in Activity.objects.order_by("start")]
    assert [", ".join(filter(None, [subject.replace("Stand-up", ""), place])) for subject, place in found] == expected
    assert_same(google, anna)
    assert_quiet(google, annas)


# Each cut: the day on which it begins, and what is changed from there on; no value is the time of day.
SECOND, FOURTH, FIFTH = "2027-03-15", "2027-03-29", "2027-04-05"


def divide_here(by, *cuts):
    for day, value in cuts:
        row = Activity.objects.filter(start__gte=at(day, "00:00")).order_by("start").first()
        times = {"start": at(day, "12:00"), "due": at(day, "13:00")}
        values = {"location": value} if value else times
        series.edit(activity=row, scope="following", by=by, now=timezone.now(), **values)


def divide_there(google, *cuts):
    for day, value in cuts:
        events = sorted(google.person(ANNA).events(expand=True), key=begins)
        event = next(event for event in events if begins(event) >= at(day, "00:00"))
        values = {"summary": value} if value else timed(f"{day}T14:00:00", f"{day}T15:00:00", ZONE)
        google.person(ANNA).edit(event["id"], values, scope="following")


@pytest.mark.rule("R15", "R11")
@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        pytest.param([(THIRD, "")], [(THIRD, "Retro")], "10, 10, 12 Retro, 12 Retro, 12 Retro", id="ours-at-noon"),
        pytest.param([(THIRD, "")], [(FOURTH, "Retro")], "10, 10, 12, 12 Retro, 12 Retro", id="ours-at-noon-first"),
        pytest.param(
            [(FOURTH, "")], [(THIRD, "Retro")], "10, 10, 10 Retro, 12 Retro, 12 Retro", id="ours-at-noon-within-theirs"
        ),
        pytest.param([(THIRD, "Hall")], [(THIRD, "")], "10, 10, 14 Hall, 14 Hall, 14 Hall", id="theirs-at-two"),
        pytest.param([(FOURTH, "Hall")], [(THIRD, "")], "10, 10, 14, 14 Hall, 14 Hall", id="theirs-at-two-first"),
        pytest.param([(THIRD, "Hall")], [(FOURTH, "")], "10, 10, 10 Hall, 14 Hall, 14 Hall", id="theirs-within-ours"),
        pytest.param(
            [(THIRD, "Hall"), (FOURTH, "Gym")], [(FIFTH, "Retro")],
            "10, 10, 10 Hall, 10 Gym, 10 Retro Gym", id="ours-twice",
        ),
        pytest.param(
            [(FOURTH, "Gym"), (THIRD, "Hall")], [(THIRD, "Retro")],
            "10, 10, 10 Retro Hall, 10 Retro Gym, 10 Retro Gym", id="ours-twice-from-behind",
        ),
        pytest.param(
            [(THIRD, ""), (FOURTH, "Gym")], [(THIRD, "Retro")],
            "10, 10, 12 Retro, 12 Retro Gym, 12 Retro Gym", id="ours-at-noon-and-divided-again",
        ),
        pytest.param(
            [(THIRD, "Hall"), (FOURTH, "")], [(SECOND, "Retro"), (FIFTH, "Board")],
            "10, 10 Retro, 10 Retro Hall, 12 Retro Hall, 10 Board Hall", id="both-twice",
        ),
        pytest.param(
            [(THIRD, "Hall")], [(SECOND, "Retro"), (FOURTH, "")],
            "10, 10 Retro, 10 Retro Hall, 14 Retro Hall, 14 Retro Hall", id="theirs-twice-then-at-two",
        ),
        pytest.param(
            [(THIRD, "Hall")], [(SECOND, ""), (FOURTH, "Retro")],
            "10, 14, 10 Hall, 14 Retro Hall, 14 Retro Hall", id="theirs-at-two-then-divided-again",
        ),
    ],
)  # fmt: skip
def test_parts_made_on_both_sides_are_told_by_the_occurrence_of_the_whole(google, anna, annas, ours, theirs, expected):  # noqa: F811
    make_there(google)
    synchronize(annas)

    divide_here(anna, *ours)
    divide_there(google, *theirs)
    settle(annas)

    found = ", ".join(
        " ".join([str(row.start.astimezone(ZoneInfo(ZONE)).hour), row.subject, row.location]).replace("Stand-up", "")
        for row in Activity.objects.order_by("start")
    )
    assert " ".join(found.split()).replace(" ,", ",") == expected
    assert_nothing_doubled(google)
    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R15")
def test_a_series_of_ones_own_is_no_part_of_a_colleagues_that_both_sides_divided(google, anna, annas, boris, boriss):  # noqa: F811
    make_there(google, attendees=[{"email": BORIS}])
    settle(annas, boriss)

    divide_here(anna, (THIRD, "Hall"))
    divide_there(google, (FOURTH, "Retro"))
    evening = timed("2027-03-29T18:00:00", "2027-03-29T19:00:00", ZONE)
    yoga = make_there(google, ["RRULE:FREQ=WEEKLY;COUNT=2"], person=BORIS, summary="Yoga", **evening)
    settle(boriss, annas)

    rows = Activity.objects.filter(subject="Yoga")
    assert {link.event_id for link in EventLink.objects.filter(series__in=rows.values("series"))} == {yoga["id"]}
    assert [row.participants.count() for row in rows] == [1, 1]
    assert SyncOutcome.objects.get(item="Yoga", action="added").rule == "R3"


@pytest.mark.rule("R15", "R11")
@pytest.mark.parametrize(("ours", "theirs"), [(THIRD, THIRD), (FOURTH, THIRD), (THIRD, FOURTH)])
def test_of_two_times_given_to_parts_on_both_sides_one_is_in_the_journal(google, anna, annas, ours, theirs):  # noqa: F811
    make_there(google)
    synchronize(annas)

    divide_here(anna, (ours, ""))
    divide_there(google, (theirs, ""))
    settle(annas)

    both = [(row.here["begins"]["start"][11:13], row.google["begins"]["start"][11:13]) for row in given_way("when")]
    # In UTC: noon and two o'clock, before and after the clocks go forward.
    assert ("11", "13") in both or ("10", "13") in both or ("11", "12") in both or ("10", "12") in both
    assert_nothing_doubled(google)
    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R11")
def test_a_time_that_ends_where_google_divides_its_own_part_again_is_in_the_journal(google, anna, annas):  # noqa: F811
    make_there(google)
    synchronize(annas)

    divide_here(anna, (FOURTH, ""))
    divide_there(google, (SECOND, "Retro"), (FIFTH, "Board"))
    settle(annas)

    assert [row.start.astimezone(ZoneInfo(ZONE)).hour for row in Activity.objects.order_by("start")] == [
        10,
        10,
        10,
        12,
        10,
    ]
    assert [row.here["begins"]["start"] for row in given_way("when")] == ["2027-03-29T10:00:00+00:00"]
    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R11")
def test_what_both_sides_gave_a_later_part_made_here_is_in_the_journal(google, anna, annas):  # noqa: F811
    make_there(google)
    synchronize(annas)

    divide_here(anna, (FOURTH, "Hall"))
    google.person(ANNA).edit(instance(google, THIRD)["id"], {"location": "Garden"}, scope="following")
    settle(annas)

    assert [row.location for row in Activity.objects.order_by("start")] == ["", "", "Garden", "Hall", "Hall"]
    assert [(row.here, row.google, row.kept) for row in given_way("location")] == [("Hall", "Garden", "here")]
    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R7")
def test_whom_google_invites_from_its_part_on_takes_part_in_a_later_one_made_here(google, anna, annas, boris):  # noqa: F811
    make_there(google)
    synchronize(annas)

    divide_here(anna, (FOURTH, "Hall"))
    google.person(ANNA).edit(instance(google, THIRD)["id"], {"attendees": [{"email": BORIS}]}, scope="following")
    settle(annas)

    rows = Activity.objects.order_by("start")
    assert [row.participants.filter(profile=boris).exists() for row in rows] == [False, False, True, True, True]
    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R15")
def test_work_on_an_occurrence_stays_with_it_when_both_sides_divide(google, anna, annas):  # noqa: F811
    make_there(google)
    synchronize(annas)
    for day in (THIRD, FIFTH):
        services.edit(activity=occurrence(day), by=anna, now=timezone.now(), priority="high")
    worked_on = [occurrence(day).pk for day in (THIRD, FIFTH)]

    divide_here(anna, (FOURTH, ""))
    divide_there(google, (THIRD, ""))
    settle(annas)

    rows = list(Activity.objects.order_by("start"))
    assert [rows[2].pk, rows[4].pk] == worked_on
    assert [row.priority for row in rows] == ["medium", "medium", "high", "medium", "high"]
    assert_same(google, anna)


# --- Divided here, one occurrence of the later part changed in Google -------------------------------------------------


@pytest.mark.rule("R15", "R11")
def test_what_google_changed_about_one_occurrence_comes_along_when_we_split(google, anna, annas):  # noqa: F811
    make_there(google)
    synchronize(annas)
    person = google.person(ANNA)
    person.edit(instance(google, "2027-03-29")["id"], timed("2027-03-30T15:00:00", "2027-03-30T16:00:00", ZONE))
    synchronize(annas)

    split_here(anna)
    person.edit(instance(google, "2027-03-30", "15:00")["id"], {"location": "Garden"})
    person.delete(instance(google, "2027-04-05")["id"])
    person.edit(instance(google, THIRD)["id"], {"summary": "Board"})
    change(occurrence(THIRD), anna, notes="Bring cake")
    settle(annas)

    rows = Activity.objects.exclude(status="canceled").order_by("start")
    assert [(row.subject, row.start, row.location, row.notes) for row in rows] == [
        ("Stand-up", at("2027-03-08"), "", ""),
        ("Stand-up", at("2027-03-15"), "", ""),
        ("Board", at(THIRD), "", "Bring cake"),
        ("Retro", at("2027-03-30", "15:00"), "Garden", ""),
    ]
    assert occurrence("2027-04-05").status == "canceled"
    assert_same(google, anna)
    assert_quiet(google, annas)


# --- A person, while a session runs ---------------------------------------------------------------------------------


@pytest.mark.rule("R15", "R12", "R19")
def test_an_exception_waits_for_its_series_that_was_moved_in_this_moment(google, anna, annas):  # noqa: F811
    make_here(anna)
    synchronize(annas)
    of_all(anna, subject="Retro")
    change(occurrence(THIRD), anna, location="Garden")
    half_past = {"start": at("2027-03-08", "10:30"), "due": at("2027-03-08", "11:30")}

    def move() -> None:
        try:
            of_all(anna, **half_past)
        finally:
            connection.close()  # It runs in a thread of the server.

    google.interject(move, method="PATCH", times=1)

    session = synchronize(annas)

    assert not session.outcomes.filter(action="parked").exists()
    settle(annas)
    assert instance(google, THIRD, "10:30")["location"] == "Garden"
    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R9", "R18")
def test_an_occurrence_that_leaves_its_series_while_a_session_writes_to_it_stays_by_itself(
    google, anna, annas, boris, boriss  # noqa: F811
):  # fmt: skip
    google.add_account(BORIS)
    make_here(anna, ["RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=3"], participants=[boris])
    synchronize(annas)
    last = occurrence("2027-04-05")
    change(last, anna, start=at("2027-04-06"), due=at("2027-04-06", "11:00"))

    def repeat_otherwise() -> None:
        try:
            of_all(anna, lines=["RRULE:FREQ=WEEKLY;COUNT=4"])
        finally:
            connection.close()  # It runs in a thread of the server.

    google.interject(repeat_otherwise, method="PATCH", times=1)
    synchronize(annas)
    settle(boriss, annas)

    last.refresh_from_db()
    assert (last.series, last.start) == (None, at("2027-04-06"))
    assert days_there(google) == ["2027-03-08", "2027-03-15", "2027-03-22", "2027-03-29"]
    for calendar in (annas, boriss):
        assert_quiet(google, calendar)


# --- Hours later -----------------------------------------------------------------------------------------------------


def hours_pass(*, settled: float) -> None:
    """What was changed here was changed two hours ago; `settled` says how many hours ago links were last settled."""
    then, moment = timezone.now() - timedelta(hours=2), timezone.now() - timedelta(hours=settled)
    FieldChange.objects.update(at=then)
    Activity.every.update(modified_at=then)
    EventLink.objects.filter(settled_at__gt=moment).update(settled_at=moment)


@pytest.mark.rule("R15", "R6", "R11")
def test_a_change_of_all_holds_in_both_parts_though_google_divides_hours_later(google, anna, annas, boriss):  # noqa: F811
    make_there(google, attendees=[{"email": BORIS}])
    settle(annas, boriss)
    of_all(anna, location="Hall")
    hours_pass(settled=2.1)
    split_there(google)

    settle(annas)

    assert [event.get("location") for event in there(google)] == ["Hall"] * 5
    assert not SyncOutcome.objects.filter(action="replaced").exists()


@pytest.mark.rule("R15", "R6", "R19")
def test_a_meeting_divided_here_is_cut_in_google_though_its_part_is_refused_for_hours(
    google, anna, annas, boris, boriss  # noqa: F811
):  # fmt: skip
    make_here(anna, participants=[boris])
    settle(annas, boriss)
    hours_pass(settled=2.1)  # So long ago both sides agreed.
    split_here(anna)
    google.fail(status=400, reason="invalid", times=2, **INSERTS)
    for settled in (1.9, 0.1):  # What each session in between settled, was settled then.
        synchronize(annas)
        hours_pass(settled=settled)
        EventLink.objects.filter(retry_at__isnull=False).update(retry_at=timezone.now())

    settle(annas)

    assert [event["summary"] for event in there(google)] == ["Stand-up"] * 2 + ["Retro"] * 3
    assert not SyncOutcome.objects.filter(action="replaced").exists()
    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R13")
@pytest.mark.parametrize("is_guest_first", [False, True])
def test_what_google_divides_while_our_part_is_sent_and_the_cut_is_not_ends_before_our_part(
    google, anna, annas, boris, boriss, is_guest_first  # noqa: F811
):  # fmt: skip
    make_here(anna, participants=[boris])
    settle(annas, boriss)
    split_here(anna)
    google.fail(status=403, reason="forbidden", method="PATCH", path="/events/", times=20)
    synchronize(annas)  # Our part is there; the series is not cut.
    google.faults.clear()
    assert days_there(google).count(THIRD) == 2

    google.person(ANNA).edit(instance(google, "2027-03-15")["id"], {"location": "Garden"}, scope="following")
    EventLink.objects.exclude(retry_at=None).update(retry_at=timezone.now())
    settle(*([boriss, annas] if is_guest_first else [annas, boriss]))

    assert_nothing_doubled(google)
    assert [event["summary"] for event in there(google)] == ["Stand-up"] * 2 + ["Retro"] * 3
    assert [event.get("location", "") for event in there(google)] == ["", "Garden", "", "", ""]
    assert_same(google, anna)
    assert_quiet(google, annas)
    assert_quiet(google, boriss)


@pytest.mark.rule("R15", "R6")
def test_what_the_organizer_changed_about_all_is_theirs_in_a_part_that_both_sides_divide_there(
    google, anna, annas, boriss  # noqa: F811
):  # fmt: skip
    make_there(google, attendees=[{"email": BORIS}])
    settle(annas, boriss)
    of_all(anna, location="Hall")
    hours_pass(settled=2.1)
    series.set_status(activity=occurrence(THIRD), scope="following", by=anna, status="canceled", now=timezone.now())
    google.person(ANNA).edit(instance(google, THIRD)["id"], {"description": "Agenda"}, scope="following")

    settle(boriss, annas)

    assert not SyncOutcome.objects.filter(action="replaced", field="location").exists()
    assert {event.get("location") for event in there(google)} == {"Hall"}


# --- Divided on one side, repeating otherwise on the other ---------------------------------------------------------

OTHERWISE = [["RRULE:FREQ=WEEKLY;COUNT=7"], ["RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=5"]]
INSERT = {"method": "POST", "path": r"/events$"}


def days_there(google):
    return sorted(event["start"]["dateTime"][:10] for event in there(google))


def days_here():
    return [f"{row.start:%Y-%m-%d}" for row in Activity.objects.exclude(status="canceled").order_by("start")]


def assert_nothing_doubled(google):
    assert len(set(days_there(google))) == len(days_there(google))
    assert days_here() == days_there(google)


def given_way(name):
    return SyncOutcome.objects.filter(action="replaced", field=name)


@pytest.mark.rule("R15", "R11")
@pytest.mark.parametrize("later", ["here", "google"])
@pytest.mark.parametrize("rule", OTHERWISE)
def test_what_google_divides_repeats_otherwise_up_to_there(google, anna, annas, rule, later):  # noqa: F811
    make_there(google)
    synchronize(annas)

    in_turn(lambda: of_all(anna, lines=rule), lambda: split_there(google), later=later)
    settle(annas)

    assert_nothing_doubled(google)
    assert given_way("when").exists()
    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R11")
@pytest.mark.parametrize("rule", OTHERWISE)
def test_what_was_divided_here_repeats_otherwise_up_to_there(google, anna, annas, rule):  # noqa: F811
    master = make_there(google)
    synchronize(annas)

    split_here(anna)
    google.clock.advance(timedelta(minutes=5))
    google.person(ANNA).edit(master["id"], {"recurrence": rule})
    settle(annas)

    assert_nothing_doubled(google)
    assert given_way("when").exists()
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R11")
def test_an_end_from_google_that_our_cut_makes_void_is_in_the_journal(google, anna, annas):  # noqa: F811
    master = make_there(google)
    synchronize(annas)

    split_here(anna)
    google.person(ANNA).edit(master["id"], {"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"]})
    settle(annas)

    assert_nothing_doubled(google)
    assert given_way("when").get().google["lines"] == ["RRULE:FREQ=WEEKLY;COUNT=4"]


# --- What Google changed about one occurrence that was divided off here --------------------------------------------


@pytest.mark.rule("R15", "R11")
@pytest.mark.parametrize(
    "cuts",
    [pytest.param([(THIRD, "")], id="moved"), pytest.param([(THIRD, "Hall"), (FOURTH, "")], id="twice-and-moved")],
)
def test_what_google_changed_about_one_comes_along_to_another_time(google, anna, annas, cuts):  # noqa: F811
    make_there(google)
    synchronize(annas)

    divide_here(anna, *cuts)
    google.person(ANNA).edit(instance(google, FIFTH)["id"], {"summary": "Board"})
    google.person(ANNA).delete(instance(google, FOURTH)["id"])
    settle(annas)

    last = Activity.objects.order_by("start").last()
    assert (last.subject, last.start.astimezone(ZoneInfo(ZONE)).hour) == ("Board", 12)
    assert FOURTH not in days_there(google)
    assert not SyncOutcome.objects.filter(action="replaced").exists()
    assert_nothing_doubled(google)
    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R11")
def test_a_series_divided_twice_here_moves_as_a_whole_with_google(google, anna, annas):  # noqa: F811
    master = make_there(google)
    synchronize(annas)

    divide_here(anna, (THIRD, "Hall"), (FOURTH, "Gym"))
    google.person(ANNA).edit(master["id"], timed("2027-03-08T14:00:00", "2027-03-08T14:45:00", ZONE))
    settle(annas)

    assert {row.start.astimezone(ZoneInfo(ZONE)).hour for row in Activity.objects.all()} == {14}
    assert_nothing_doubled(google)
    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R11")
def test_what_comes_along_gives_no_way(google, anna, annas):  # noqa: F811
    make_there(google)
    synchronize(annas)

    split_here(anna)
    google.person(ANNA).edit(instance(google, FOURTH)["id"], {"location": "Garden"})
    settle(annas)

    assert occurrence(FOURTH).location == "Garden"
    assert not SyncOutcome.objects.filter(action="replaced").exists()
    assert_same(google, anna)


@pytest.mark.rule("R15", "R18")
def test_a_kill_after_it_came_along_makes_one_entry_of_the_conflict(google, anna, annas, monkeypatch):  # noqa: F811
    make_there(google)
    synchronize(annas)
    split_here(anna)
    google.person(ANNA).edit(instance(google, FOURTH)["id"], {"location": "Garden"})
    change(occurrence(FOURTH), anna, location="Hall")
    FieldChange.objects.filter(field="location").update(at=timezone.now() + timedelta(hours=2))

    with monkeypatch.context() as patch:
        patch.setattr(writing, "prepare_insert", killed)
        with pytest.raises(KeyboardInterrupt):
            synchronize(annas)
    SyncedCalendar.objects.update(lease_by="", lease_until=None)
    settle(annas)

    assert given_way("location").count() == 1
    assert_same(google, anna)


def killed(*_args, **_values):
    raise KeyboardInterrupt


@pytest.mark.rule("R15", "R20")
@pytest.mark.parametrize(
    "answer", [{"status": 400, "reason": "invalid"}, {"kind": "reset", "when": "before", "times": 50}]
)
def test_what_google_does_while_the_new_part_waits_comes_along(google, anna, annas, answer):  # noqa: F811
    make_there(google)
    synchronize(annas)
    split_here(anna)
    google.fail(**answer, **INSERT)
    synchronize(annas)
    google.faults.clear()

    google.person(ANNA).delete(instance(google, FOURTH)["id"])
    google.person(ANNA).edit(instance(google, THIRD)["id"], {"location": "Garden"})
    EventLink.objects.exclude(retry_at=None).update(retry_at=timezone.now())
    settle(annas)

    assert FOURTH not in days_there(google)
    assert FOURTH not in days_here()
    assert occurrence(THIRD).location == "Garden"
    assert_nothing_doubled(google)


@pytest.mark.rule("R15", "R20")
def test_a_whole_that_moves_while_the_new_part_waits_takes_it_along(google, anna, annas):  # noqa: F811
    master = make_there(google)
    synchronize(annas)
    split_here(anna)
    google.fail(status=400, reason="invalid", **INSERT)
    synchronize(annas)

    google.person(ANNA).edit(master["id"], timed("2027-03-08T14:00:00", "2027-03-08T14:45:00", ZONE))
    EventLink.objects.exclude(retry_at=None).update(retry_at=timezone.now())
    settle(annas)

    assert {event["start"]["dateTime"][11:13] for event in there(google)} == {"14"}
    assert_nothing_doubled(google)


@pytest.mark.rule("R14", "R18")
def test_what_went_with_a_removal_is_in_the_journal_whoever_dies_over_the_answer(google, anna, annas, monkeypatch):  # noqa: F811
    activity = tagged(anna)
    synchronize(annas)
    [event] = google.person(ANNA).events()
    google.person(ANNA).edit(event["id"], {"visibility": "private"})
    services.delete(activity=activity, by=anna, now=timezone.now())

    with monkeypatch.context() as patch:
        patch.setattr(writing, "settle_pair", killed)
        with pytest.raises(KeyboardInterrupt):
            synchronize(annas)
    SyncedCalendar.objects.update(lease_by="", lease_until=None)
    settle(annas)

    assert given_way("is_private").count() == 1
    assert google.person(ANNA).events() == []


@pytest.mark.rule("R15")
def test_of_a_longer_rule_chosen_here_nothing_is_left_behind_googles_cut(google, anna, annas):  # noqa: F811
    make_here(anna)
    synchronize(annas)
    longer = ["RRULE:FREQ=WEEKLY;COUNT=9"]
    series.edit(activity=occurrence("2027-03-15"), scope="following", by=anna, now=timezone.now(), lines=longer)
    google.person(ANNA).edit(instance(google, "2027-03-22")["id"], {"description": "Agenda"}, scope="following")

    settle(annas)

    assert SyncOutcome.objects.filter(action="replaced", field="when", rule="R15").exists()
    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R15")
def test_what_google_divides_and_moves_beyond_its_end_is_not_put_back_over_its_later_part(google, anna, annas):  # noqa: F811
    master = make_there(google)
    synchronize(annas)
    google.person(ANNA).edit(instance(google, "2027-03-15")["id"], {"summary": "Retro"}, scope="following")
    google.person(ANNA).edit(master["id"], timed("2027-06-07T09:00:00", "2027-06-07T09:45:00", ZONE))
    series.set_status(activity=occurrence(FOURTH), scope="following", by=anna, status="canceled", now=timezone.now())

    settle(annas)

    assert_nothing_doubled(google)
    assert_same(google, anna)
    assert_quiet(google, annas)
