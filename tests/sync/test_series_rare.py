"""What happens rarely: forgotten links, frozen series removed by hand, deletions waiting to be sent (R4, R14, R22)."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from django.utils import timezone

from accounts.models import Profile
from activities import series, services
from activities.models import Activity, Series
from google_emulator import Emulator
from sync import connections, removal, retention, tasks
from sync.google import oauth
from sync.models import EventLink, SyncedCalendar, SyncSession
from tests.factories import make_user
from tests.google import connect, sync_tag, synchronize, timed
from tests.sync.helpers import assert_quiet, change, tagged
from tests.sync.test_repeating import (
    ANNA,
    BORIS,
    ZONE,
    assert_same,
    at,
    begins,
    instance,
    make_here,
    make_there,
    occurrence,
    there,
)
from tests.sync.wire import sent

pytestmark = pytest.mark.django_db(transaction=True)

MARIA, ANNA_AT_HOME = "maria@partner.example", "anna@private.example"


@pytest.fixture
def anna() -> Profile:
    return make_user("anna", time_zone=ZONE).profile


@pytest.fixture
def boris() -> Profile:
    return make_user("boris", time_zone=ZONE).profile


def forget(google: Emulator, calendar: SyncedCalendar) -> None:
    """Disconnect, use another Google account with the old links forgotten, and disconnect that one too."""
    profile = calendar.account.profile
    connections.disconnect(account=calendar.account)
    google.add_account(ANNA_AT_HOME)
    tokens = google.grant(ANNA_AT_HOME, scopes=["openid"])
    grant = oauth.Grant(tokens["sub"], ANNA_AT_HOME, True, {"refresh_token": "x"}, oauth.SCOPES)
    other = connections.connect(profile=profile, grant=grant, now=timezone.now(), old_links=connections.OldLinks.FORGET)
    connections.disconnect(account=other)
    assert set(EventLink.objects.values_list("state", flat=True)) == {"forgotten"}


def freeze(by: Profile, calendar: SyncedCalendar) -> None:
    services.remove_tag(activity=occurrence("2027-03-22"), tag=sync_tag(by), by=by)
    synchronize(calendar)


def thaw(by: Profile, calendar: SyncedCalendar) -> None:
    services.add_tag(activity=occurrence("2027-03-22"), tag=sync_tag(by), by=by)
    synchronize(calendar)
    synchronize(calendar)


# --- Deletions that were not sent yet ------------------------------------------------------------------------------


@pytest.mark.rule("R14", "R15")
def test_a_deleted_occurrence_is_erased_only_once_google_has_heard_of_it(google, anna, annas):
    make_there(google)
    synchronize(annas)
    gone = occurrence("2027-03-22")
    services.delete(activity=gone, by=anna, now=timezone.now())
    later = timezone.now() + timedelta(days=31)

    assert retention.erase_deleted(now=later) == 0

    synchronize(annas)
    assert len(there(google)) == 4
    assert retention.erase_deleted(now=later) == 1
    assert not Activity.every.filter(pk=gone.pk).exists()
    SyncedCalendar.objects.update(compare_all=True)
    synchronize(annas)
    assert_same(google, anna)


@pytest.mark.rule("R14", "R15")
def test_what_was_never_in_google_is_erased(anna):
    head = make_here(anna)
    services.delete(activity=occurrence("2027-03-22"), by=anna, now=timezone.now())

    assert retention.erase_deleted(now=timezone.now() + timedelta(days=31)) == 1
    assert Activity.every.filter(series=head.series, is_series=False).count() == 4


# --- Forgotten links -----------------------------------------------------------------------------------------------


@pytest.mark.rule("R22", "R13")
def test_what_was_being_added_when_it_was_forgotten_is_added_once_it_resumes(google, anna, annas):
    tagged(anna)
    google.fail(status=503, method="POST", path=r"/events$", times=50)
    synchronize(annas)
    assert EventLink.objects.get().state == "inserting"
    google.faults.clear()
    forget(google, annas)

    calendar = connect(google, anna.user)
    synchronize(calendar)

    assert len(there(google)) == 1
    assert EventLink.objects.get().state == "linked"
    assert_quiet(google, calendar)


@pytest.mark.rule("R22", "R14")
def test_what_was_gone_from_google_when_it_was_forgotten_stays_as_it_is_here(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    google.person(ANNA).delete(there(google)[0]["id"])
    synchronize(annas)
    assert EventLink.objects.get().state == "detached"
    forget(google, annas)

    calendar = connect(google, anna.user)
    assert EventLink.objects.get().state == "detached"
    synchronize(calendar)
    services.set_status(activity=activity, by=anna, status="not_started", now=timezone.now())
    synchronize(calendar)

    assert len(there(google)) == 1
    assert_quiet(google, calendar)


@pytest.mark.rule("R22", "R14", "R15")
def test_an_occurrence_that_its_series_left_behind_outlives_forgotten_links(google, anna, annas):
    master = make_there(google)
    synchronize(annas)
    kept = occurrence("2027-04-05")
    change(kept, anna, status="in_progress")
    google.person(ANNA).edit(master["id"], {"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"]})
    synchronize(annas)
    forget(google, annas)

    calendar = connect(google, anna.user)
    synchronize(calendar)

    kept.refresh_from_db()
    assert (kept.series, kept.status) == (None, "in_progress")
    assert len(there(google)) == 3
    assert_quiet(google, calendar)


# --- Remove from Google Calendar -----------------------------------------------------------------------------------


@pytest.mark.rule("R4", "R15")
@pytest.mark.parametrize("day", ["2027-03-08", "2027-03-22"])
def test_a_frozen_series_is_removed_as_a_whole_and_returns_as_a_whole(google, anna, annas, day):
    make_here(anna)
    synchronize(annas)
    change(occurrence("2027-03-22"), anna, location="Garden")
    synchronize(annas)
    freeze(anna, annas)

    removal.remove_from_google(activity=occurrence(day), profile=anna, now=timezone.now())

    assert there(google) == []
    assert not EventLink.objects.exists()
    synchronize(annas)
    thaw(anna, annas)
    assert {row.status for row in Activity.objects.all()} == {"not_started"}
    assert len(there(google)) == 5
    assert instance(google, "2027-03-22")["location"] == "Garden"
    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R4", "R15", "R13")
@pytest.mark.parametrize(
    ("fault", "left"),
    [
        ({"status": 403, "reason": "forbidden"}, 5),
        ({"status": 503, "times": 20}, 5),
        ({"kind": "timeout", "when": "after", "seconds": 0, "times": 20}, 0),
    ],
)
def test_a_frozen_series_whose_removal_fails_is_in_google_once(google, anna, annas, fault, left):
    make_here(anna)
    synchronize(annas)
    change(occurrence("2027-03-22"), anna, location="Garden")
    synchronize(annas)
    freeze(anna, annas)
    google.fail(**fault, method="DELETE")

    with pytest.raises(removal.UnableToRemove):
        removal.remove_from_google(activity=occurrence("2027-03-22"), profile=anna, now=timezone.now())

    assert len(there(google)) == left
    google.faults.clear()
    thaw(anna, annas)
    assert {row.status for row in Activity.objects.all()} == {"not_started"}
    assert len(there(google)) == 5
    assert Activity.objects.count() == 5
    assert_same(google, anna)
    assert_quiet(google, annas)


@pytest.mark.rule("R4", "R14")
def test_a_series_is_not_removed_while_a_colleague_has_one_occurrence_of_it(google, anna, annas, boris, boriss):
    make_there(google)
    google.person(ANNA).edit(instance(google, "2027-03-15")["id"], {"attendees": [{"email": BORIS}]})
    synchronize(annas)
    synchronize(boriss)
    freeze(anna, annas)

    with pytest.raises(removal.UnableToRemove, match="Colleagues"):
        removal.remove_from_google(activity=occurrence("2027-03-15"), profile=anna, now=timezone.now())
    assert len(there(google)) == 5


@pytest.mark.rule("R17", "R4")
def test_guests_are_told_that_a_series_goes_while_part_of_it_is_still_to_come(google, anna, annas):
    google.add_account(MARIA, name="Maria")
    begins = timed("2026-03-09T10:00:00", "2026-03-09T11:00:00", ZONE)
    make_there(google, ["RRULE:FREQ=WEEKLY;COUNT=500"], attendees=[{"email": MARIA}], **begins)
    synchronize(annas)
    past = Activity.objects.earliest("start")
    Activity.every.filter(is_series=True).update(due=timezone.now() - timedelta(days=1))
    services.remove_tag(activity=past, tag=past.tags.get(), by=anna)
    synchronize(annas)

    removal.remove_from_google(activity=past, profile=anna, now=timezone.now())

    assert [write.send_updates for write in sent(google, method="DELETE")] == ["all"]


# --- The dispatcher ------------------------------------------------------------------------------------------------


@pytest.mark.rule("R15", "R19")
def test_one_series_that_cannot_be_laid_out_stops_nothing_else(google, anna, annas, caplog):
    bad, good = make_here(anna), make_here(anna, ["RRULE:FREQ=WEEKLY"])
    days = {"all_day": True, "start_date": date(2027, 3, 8), "due_date": date(9999, 12, 30)}
    Activity.every.filter(pk=bad.pk).update(**days)
    behind = timezone.now() + timedelta(days=300)
    Series.objects.filter(pk=bad.series_id).update(laid_out_until=behind - timedelta(days=1))
    Series.objects.filter(pk=good.series_id).update(laid_out_until=behind)
    latest = Activity.objects.filter(series=good.series).latest("start")
    Activity.objects.filter(pk=latest.pk).delete()
    SyncedCalendar.objects.update(due_at=timezone.now())

    tasks.dispatch()

    assert f"Series {bad.series_id} could not be laid out" in caplog.text
    assert Activity.objects.filter(series=good.series, original_start=latest.original_start).exists()
    assert SyncSession.objects.filter(trigger="automatic").exists()
    assert series.extend_horizon(now=timezone.now()) == 0  # Its turn comes tomorrow.


# --- Repeats no more, and again ----------------------------------------------------------------------------------


def shown_here() -> list[tuple[datetime, str, str]]:
    rows = Activity.objects.present().exclude(series=None).exclude(status="canceled")
    return sorted((row.start, row.location, row.notes) for row in rows)


def shown_there(google: Emulator) -> list[tuple[datetime, str, str]]:
    return sorted((begins(one), one.get("location", ""), one.get("description", "")) for one in there(google))


@pytest.mark.rule("R15", "R14")
@pytest.mark.parametrize("is_heard", [True, False], ids=["with a session between", "at once"])
@pytest.mark.parametrize("what", ["nothing", "changed", "deleted"])
def test_what_repeats_no_more_and_again_has_occurrences_of_its_own(google, anna, annas, what, is_heard):
    """What was an exception belongs to the series that repeats now, not to the one that was put out of sight."""
    make_there(google)
    synchronize(annas)
    google.person(ANNA).edit(instance(google, "2027-03-22")["id"], {"location": "Garden"})
    synchronize(annas)
    left = series.stop_repeating(activity=occurrence("2027-03-15"), by=anna, now=timezone.now())
    if is_heard:
        synchronize(annas)
        synchronize(annas)
    series.repeat(activity=left, lines=["RRULE:FREQ=WEEKLY;COUNT=3"], by=anna, now=timezone.now())
    synchronize(annas)
    synchronize(annas)
    assert shown_here() == shown_there(google)
    assert len(there(google)) == 3

    if what == "changed":
        google.person(ANNA).edit(instance(google, "2027-03-22")["id"], {"location": "Hall"})
    if what == "deleted":
        google.person(ANNA).delete(instance(google, "2027-03-22")["id"])
    synchronize(annas)
    assert shown_here() == shown_there(google)
    assert len(there(google)) == (2 if what == "deleted" else 3)
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R13")
@pytest.mark.parametrize("where", ["there", "here"])
def test_what_a_shorter_rule_left_behind_stays_by_itself_when_it_is_longer_again(google, anna, annas, where):
    """The occurrence that is there again is another one: what is done about it is done on both sides."""
    make_there(google)
    synchronize(annas)
    change(occurrence("2027-03-29"), anna, notes="What we agreed on")
    synchronize(annas)
    for count in (3, 5):
        first, rule = occurrence("2027-03-08"), f"RRULE:FREQ=WEEKLY;COUNT={count}"
        series.edit(activity=first, scope="all", by=anna, now=timezone.now(), lines=[rule])
        synchronize(annas)
    if where == "there":
        google.person(ANNA).edit(instance(google, "2027-03-29")["id"], {"location": "Hall"})
    else:
        change(occurrence("2027-03-29"), anna, location="Hall")
    for _round in range(2):
        SyncedCalendar.objects.update(compare_all=True)
        synchronize(annas)
    assert shown_here() == shown_there(google)
    assert (at("2027-03-29"), "Hall", "") in shown_there(google)
    assert len(there(google)) == 5
    assert Activity.objects.get(series=None).notes == "What we agreed on"
    assert_quiet(google, annas)


@pytest.mark.rule("R15")
@pytest.mark.parametrize("first", ["google", "here"])
def test_what_begins_to_repeat_anew_while_google_divides_it_is_whole_on_both_sides(google, anna, annas, first):
    """The part that Google made takes along what the new series has on the same days."""
    event = make_there(google, ["RRULE:FREQ=WEEKLY;COUNT=5"])
    synchronize(annas)

    def divide() -> None:
        later = {"start": timed_at("2027-03-22T11:30:00"), "end": timed_at("2027-03-22T12:30:00")}
        google.person(ANNA).edit(instance(google, "2027-03-22")["id"], later, scope="following")

    def repeat_anew() -> None:
        one = series.stop_repeating(activity=occurrence("2027-03-15"), by=anna, now=timezone.now())
        series.repeat(activity=one, lines=["RRULE:FREQ=WEEKLY;COUNT=3"], by=anna, now=timezone.now())

    for act in (divide, repeat_anew) if first == "google" else (repeat_anew, divide):
        act()
    for _ in range(2):
        synchronize(annas)

    assert google.person(ANNA).event(event["id"])["status"] == "confirmed"
    assert_same(google, anna)
    assert_quiet(google, annas)


def timed_at(text: str) -> dict[str, str]:
    return {"dateTime": text, "timeZone": ZONE}


@pytest.mark.rule("R14", "R15")
@pytest.mark.parametrize("who", ["the same person", "somebody in Google"])
def test_what_google_cancelled_stays_so_though_the_rule_was_another_one_meanwhile(google, anna, annas, who):
    """The day was none of the series for a while, and its activity is no more; Google does not tell of it again."""
    event = make_there(google, ["RRULE:FREQ=WEEKLY;COUNT=5"])
    synchronize(annas)
    google.person(ANNA).delete(instance(google, "2027-03-29")["id"])
    synchronize(annas)

    change_rule(anna, "RRULE:FREQ=DAILY;COUNT=5")
    if who == "the same person":
        change_rule(anna, "RRULE:FREQ=WEEKLY;COUNT=5")
    else:
        google.person(ANNA).edit(event["id"], {"end": timed_at("2027-03-08T11:20:00")})
    for _ in range(2):
        synchronize(annas)

    assert_same(google, anna)
    assert_quiet(google, annas)


def change_rule(by: Profile, line: str) -> None:
    series.edit(activity=occurrence("2027-03-08"), scope="all", by=by, now=timezone.now(), lines=[line])


@pytest.mark.rule("R15", "R19")
def test_a_series_that_google_changes_while_it_stops_here_lets_go_of_an_occurrence_once(google, anna, annas):
    """What stays by itself was asked for in Google while its series let go of it."""
    event = make_there(google, ["RRULE:FREQ=WEEKLY;COUNT=5"])
    synchronize(annas)
    one = occurrence("2027-03-29")
    series.edit(activity=one, scope="this", by=anna, now=timezone.now(), notes="Bring the plan")
    synchronize(annas)

    series.stop_repeating(activity=occurrence("2027-03-15"), by=anna, now=timezone.now())
    google.person(ANNA).edit(event["id"], {"end": timed_at("2027-03-08T11:20:00")})
    session = synchronize(annas)

    assert session.status == "succeeded", list(session.outcomes.values_list("reason", "error"))
    assert Activity.objects.get(pk=one.pk).notes == "Bring the plan"
    assert occurrence("2027-03-29").notes == "Bring the plan"
    assert_quiet(google, annas)
