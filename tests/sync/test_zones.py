"""Days, zones and each field of R10, with people in Auckland, Winnipeg, Kolkata and Zurich (R10, R16)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Profile
from activities import forms, services
from activities.models import Activity, Participant
from google_emulator import Emulator, events
from sync import set_up
from sync.core import mapping
from sync.core.snapshot import Days, Timed
from sync.models import SyncedCalendar
from tests.factories import make_user
from tests.google import connect, synchronize, timed
from tests.sync.helpers import assert_quiet, change, counts, fresh, only_activity, tagged
from tests.sync.wire import google_sets, sent

pytestmark = [pytest.mark.django_db(transaction=True)]

AUCKLAND, WINNIPEG, KOLKATA, ZURICH = "Pacific/Auckland", "America/Winnipeg", "Asia/Kolkata", "Europe/Zurich"
ZONES = (AUCKLAND, WINNIPEG, KOLKATA, ZURICH)
NAMES = {AUCKLAND: "aroha", WINNIPEG: "wendy", KOLKATA: "kiran", ZURICH: "zora"}
# The days of 2027 on which clocks are changed: 23 hours, and 25 hours.
SHORT = {AUCKLAND: date(2027, 9, 26), WINNIPEG: date(2027, 3, 14), ZURICH: date(2027, 3, 28)}
LONG = {AUCKLAND: date(2027, 4, 4), WINNIPEG: date(2027, 11, 7), ZURICH: date(2027, 10, 31)}
CHANGES = [pytest.param(zone, day, 23, id=f"{zone}, 23 hours") for zone, day in SHORT.items()] + [
    pytest.param(zone, day, 25, id=f"{zone}, 25 hours") for zone, day in LONG.items()
]
every_zone = pytest.mark.parametrize("zone", ZONES)
TOGETHER = [(zone, zone) for zone in ZONES]
APART = [(ZURICH, AUCKLAND), (AUCKLAND, WINNIPEG), (WINNIPEG, KOLKATA), (KOLKATA, ZURICH)]


def somebody(google: Emulator, zone: str, *, calendar_zone: str = "", **settings: Any) -> SyncedCalendar:
    """Connect a person who lives in a zone; their Google calendar is kept in it too, unless another is given."""
    user = make_user(NAMES[zone], time_zone=zone)
    if calendar_zone:
        google.add_account(user.email, name=NAMES[zone].title(), time_zone=calendar_zone)
    return connect(google, user, **settings)


def who(calendar: SyncedCalendar) -> Profile:
    return calendar.account.profile


def person(google: Emulator, calendar: SyncedCalendar) -> Any:
    return google.person(calendar.account.login)


def only_event(google: Emulator, calendar: SyncedCalendar) -> dict[str, Any]:
    [event] = person(google, calendar).events()
    return event


def at(zone: str, *moment: int, fold: int = 0) -> datetime:
    """Return a moment by the wall clock of a zone, in UTC."""
    return datetime(*moment, tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)  # type: ignore[arg-type,misc]


def clock(when: dict[str, str], zone: str) -> str:
    """Return what the clock of a zone shows at a start or an end of Google's."""
    return datetime.fromisoformat(when["dateTime"]).astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")


# --- Timed and all-day, both ways --------------------------------------------------------------------------------


@pytest.mark.rule("R16")
@every_zone
def test_timed_ones_keep_the_clock_and_the_zone_both_ways(google, zone):
    calendar = somebody(google, zone)
    made_here = tagged(who(calendar), "Here", start=at(zone, 2027, 3, 8, 0, 30), due=at(zone, 2027, 3, 8, 23, 45))
    event = person(google, calendar).create_event(
        {"summary": "There", **timed("2027-07-01T00:30:00", "2027-07-01T23:45:00", zone)}
    )

    synchronize(calendar)

    made_there = Activity.objects.get(subject="There")
    assert (made_there.start, made_there.due) == (at(zone, 2027, 7, 1, 0, 30), at(zone, 2027, 7, 1, 23, 45))
    assert (made_there.time_zone, made_there.all_day) == (zone, False)
    [shown] = [each for each in person(google, calendar).events() if each["summary"] == "Here"]
    assert (clock(shown["start"], zone), clock(shown["end"], zone)) == ("2027-03-08 00:30", "2027-03-08 23:45")
    assert shown["start"]["timeZone"] == shown["end"]["timeZone"] == zone
    assert_quiet(google, calendar)

    change(made_there, who(calendar), start=at(zone, 2027, 7, 2, 9), due=at(zone, 2027, 7, 2, 10))
    person(google, calendar).edit(shown["id"], timed("2027-03-09T23:30:00", "2027-03-10T00:30:00", zone))
    synchronize(calendar)
    shown = person(google, calendar).event(event["id"])
    assert (clock(shown["start"], zone), shown["start"]["timeZone"]) == ("2027-07-02 09:00", zone)
    made_here = fresh(made_here)
    assert (made_here.start, made_here.due) == (at(zone, 2027, 3, 9, 23, 30), at(zone, 2027, 3, 10, 0, 30))
    assert made_here.time_zone == zone
    assert_quiet(google, calendar)


@pytest.mark.rule("R16")
@pytest.mark.parametrize(("zone", "calendar_zone"), TOGETHER + APART)
def test_all_day_ones_keep_their_days_both_ways(google, zone, calendar_zone):
    """All-day events one day early: the trap of everybody who makes a moment of a day."""
    calendar = somebody(google, zone, calendar_zone=calendar_zone)
    made_here = tagged(who(calendar), "Here", start=None, due=None, days=(date(2027, 3, 8), date(2027, 3, 8)))
    event = person(google, calendar).create_event(
        {"summary": "There", "start": {"date": "2027-12-31"}, "end": {"date": "2028-01-03"}}
    )

    synchronize(calendar)

    made_there = Activity.objects.get(subject="There")
    assert (made_there.start_date, made_there.due_date) == (date(2027, 12, 31), date(2028, 1, 2))
    [shown] = [each for each in person(google, calendar).events() if each["summary"] == "Here"]
    assert (shown["start"], shown["end"]) == ({"date": "2027-03-08"}, {"date": "2027-03-09"})
    assert_quiet(google, calendar)

    change(made_there, who(calendar), days=(date(2028, 2, 28), date(2028, 2, 29)))
    person(google, calendar).edit(shown["id"], {"start": {"date": "2027-03-28"}, "end": {"date": "2027-04-05"}})
    synchronize(calendar)
    shown = person(google, calendar).event(event["id"])
    assert (shown["start"], shown["end"]) == ({"date": "2028-02-28"}, {"date": "2028-03-01"})
    assert (fresh(made_here).start_date, fresh(made_here).due_date) == (date(2027, 3, 28), date(2027, 4, 4))
    assert_quiet(google, calendar)


@pytest.mark.rule("R16")
@every_zone
def test_between_timed_and_all_day_both_ways(google, zone):
    calendar = somebody(google, zone)
    activity = tagged(who(calendar), start=at(zone, 2027, 3, 8, 9), due=at(zone, 2027, 3, 8, 10))
    synchronize(calendar)
    event = only_event(google, calendar)

    change(activity, who(calendar), days=(date(2027, 3, 8), date(2027, 3, 9)))
    synchronize(calendar)
    shown = only_event(google, calendar)
    assert (shown["start"], shown["end"]) == ({"date": "2027-03-08"}, {"date": "2027-03-10"})

    hours = timed("2027-03-08T23:00:00", "2027-03-09T01:00:00", zone)
    as_hours = {side: {**value, "date": None} for side, value in hours.items()}
    person(google, calendar).edit(event["id"], as_hours)
    synchronize(calendar)
    activity = fresh(activity)
    assert (activity.all_day, activity.time_zone, activity.start_date) == (False, zone, None)
    assert (activity.start, activity.due) == (at(zone, 2027, 3, 8, 23), at(zone, 2027, 3, 9, 1))

    as_days = {
        "start": {"date": "2027-03-10", "dateTime": None, "timeZone": None},
        "end": {"date": "2027-03-11", "dateTime": None, "timeZone": None},
    }
    person(google, calendar).edit(event["id"], as_days)
    synchronize(calendar)
    activity = fresh(activity)
    assert (activity.all_day, activity.start_date, activity.due_date) == (True, date(2027, 3, 10), date(2027, 3, 10))
    assert_quiet(google, calendar)


# --- Days on which clocks are changed ----------------------------------------------------------------------------


@pytest.mark.rule("R16")
@pytest.mark.parametrize(("zone", "day", "hours"), CHANGES)
def test_days_of_23_and_25_hours(google, zone, day, hours):
    calendar = somebody(google, zone)
    whole_day = tagged(who(calendar), "All day", start=None, due=None, days=(day, day))
    evening = datetime.combine(day - timedelta(days=1), datetime.min.time()).replace(hour=22)
    over_night = tagged(
        who(calendar),
        "Over night",
        start=evening.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC),
        due=(evening + timedelta(hours=8)).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC),
    )
    synchronize(calendar)

    assert whole_day.due - whole_day.start == timedelta(hours=hours)
    assert over_night.due - over_night.start == timedelta(hours=8 + hours - 24)
    events_of = {event["summary"]: event for event in person(google, calendar).events()}
    assert events_of["All day"]["start"] == {"date": day.isoformat()}
    assert events_of["All day"]["end"] == {"date": (day + timedelta(days=1)).isoformat()}
    assert clock(events_of["Over night"]["start"], zone) == f"{evening:%Y-%m-%d} 22:00"
    assert clock(events_of["Over night"]["end"], zone) == f"{day:%Y-%m-%d} 06:00"

    person(google, calendar).edit(events_of["Over night"]["id"], {"summary": "Over night, with Google's own times"})
    person(google, calendar).edit(
        events_of["All day"]["id"], timed(f"{day}T00:00:00", f"{day + timedelta(days=1)}T00:00:00", zone) | {
            "start": {"date": None, "dateTime": f"{day}T00:00:00", "timeZone": zone},
            "end": {"date": None, "dateTime": f"{day + timedelta(days=1)}T00:00:00", "timeZone": zone},
        },
    )  # fmt: skip
    synchronize(calendar)
    assert fresh(whole_day).due - fresh(whole_day).start == timedelta(hours=hours)
    assert (fresh(over_night).start, fresh(over_night).due) == (over_night.start, over_night.due)
    assert_quiet(google, calendar)


@pytest.mark.rule("R16")
@pytest.mark.parametrize("zone", LONG)
@pytest.mark.parametrize("fold", [0, 1])
def test_an_hour_that_comes_twice(google, zone, fold):
    calendar = somebody(google, zone)
    day = LONG[zone]
    hour = 1 if zone == WINNIPEG else 2
    start = at(zone, day.year, day.month, day.day, hour, 30, fold=fold)
    due = start + timedelta(minutes=20)
    activity = tagged(who(calendar), start=start, due=due)
    synchronize(calendar)

    shown = only_event(google, calendar)
    assert datetime.fromisoformat(shown["start"]["dateTime"]) == start
    assert datetime.fromisoformat(shown["end"]["dateTime"]) == due
    assert_quiet(google, calendar)

    person(google, calendar).edit(shown["id"], {"location": "Room 5"})
    change(activity, who(calendar), subject="Night shift")
    synchronize(calendar)
    assert (fresh(activity).start, fresh(activity).due) == (start, due)
    assert datetime.fromisoformat(only_event(google, calendar)["start"]["dateTime"]) == start
    assert_quiet(google, calendar)


@pytest.mark.rule("R16")
@pytest.mark.parametrize("zone", LONG)
@pytest.mark.parametrize("fold", [0, 1])
def test_a_due_changed_on_the_page_leaves_a_start_in_the_hour_that_comes_twice(client, google, zone, fold):
    calendar = somebody(google, zone)
    day = LONG[zone]
    hour = 1 if zone == WINNIPEG else 2
    start = at(zone, day.year, day.month, day.day, hour, 30, fold=fold)
    activity = tagged(who(calendar), start=start, due=start + timedelta(minutes=20))
    client.force_login(who(calendar).user)

    save(client, activity, due=f"{day}T12:00")

    assert fresh(activity).start == start
    assert fresh(activity).due == at(zone, day.year, day.month, day.day, 12)


def save(client: Client, activity: Activity, **values: str) -> None:
    """Send the form of the activity's page, changed like this."""
    form = forms.ActivityForm(initial=forms.initial_of(activity), activity=activity)
    data: dict[str, Any] = {}
    for bound in form:
        value = bound.value()
        shown = bound.field.widget.format_value(value) if hasattr(bound.field.widget, "format_value") else value
        if shown == []:  # Of boxes, none of which is ticked, a browser sends nothing.
            continue
        data[bound.html_initial_name] = data[bound.html_name] = shown[0] if isinstance(shown, list) else shown or ""
        if isinstance(value, bool):
            data[bound.html_initial_name] = str(value)
            data[bound.html_name] = "on"
            if not value:
                del data[bound.html_name]
    answer = client.post(f"/activities/{activity.pk}/", {**data, **values})
    assert answer.status_code == 302, answer.content.decode()


@pytest.mark.rule("R16")
@pytest.mark.parametrize("zone", SHORT)
def test_a_time_that_does_not_exist(google, zone):
    calendar = somebody(google, zone)
    day = SHORT[zone]
    typed = datetime(day.year, day.month, day.day, 2, 30, tzinfo=ZoneInfo(zone))  # At 2 the clock shows 3.
    activity = tagged(who(calendar), start=typed, due=typed + timedelta(hours=3))
    event = {
        "start": {"dateTime": f"{day}T02:30:00", "timeZone": zone},
        "end": {"dateTime": f"{day}T05:30:00", "timeZone": zone},
    }
    there = person(google, calendar).create_event({"summary": "There", **event})

    synchronize(calendar)

    assert fresh(activity).start == at(zone, day.year, day.month, day.day, 3, 30)
    [shown] = [each for each in person(google, calendar).events() if each["summary"] == "Renewal call"]
    assert clock(shown["start"], zone) == f"{day} 03:30"
    made_there = Activity.objects.get(subject="There")
    assert made_there.start == datetime.fromisoformat(there["start"]["dateTime"])
    when = mapping.when_of(event, default_zone="UTC")  # Google gives offsets; should it ever not, nothing fails.
    assert isinstance(when, Timed)
    assert (when.start, when.time_zone) == (at(zone, day.year, day.month, day.day, 3, 30), zone)
    assert_quiet(google, calendar)


# --- Zones -------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R16")
@pytest.mark.parametrize(("home", "zone"), APART)
def test_a_title_never_changes_the_zone(google, home, zone):
    calendar = somebody(google, home)
    person(google, calendar).create_event(
        {"summary": "Kick-off", **timed("2027-03-08T10:00:00", "2027-03-08T11:00:00", zone)}
    )
    made_here = tagged(
        who(calendar), "Here", start=at(zone, 2027, 3, 9, 10), due=at(zone, 2027, 3, 9, 11), time_zone=zone
    )
    synchronize(calendar)
    before = {event["summary"]: (event["start"], event["end"]) for event in person(google, calendar).events()}
    kick_off = Activity.objects.get(subject="Kick-off")
    google.requests.clear()

    change(kick_off, who(calendar), subject="Kick-off!")
    change(made_here, who(calendar), subject="Here!")
    synchronize(calendar)

    assert sorted(write.body["summary"] for write in sent(google)) == ["Here!", "Kick-off!"]
    assert all(set(write.body) == {"summary"} for write in sent(google))
    after = {event["summary"]: (event["start"], event["end"]) for event in person(google, calendar).events()}
    assert after == {f"{name}!": when for name, when in before.items()}
    assert (fresh(kick_off).time_zone, fresh(made_here).time_zone) == (zone, zone)
    assert_quiet(google, calendar)

    for event in person(google, calendar).events():
        person(google, calendar).edit(event["id"], {"summary": "Renamed in Google"})
    synchronize(calendar)
    assert {(each.subject, each.time_zone) for each in Activity.objects.all()} == {("Renamed in Google", zone)}

    change(kick_off, who(calendar), start=at(zone, 2027, 3, 8, 15))  # Moved by its own clock, in its own zone.
    synchronize(calendar)
    shown = person(google, calendar).event(kick_off.links.get().event_id)
    assert (clock(shown["start"], zone), shown["start"]["timeZone"]) == ("2027-03-08 15:00", zone)
    assert_quiet(google, calendar)


@pytest.mark.rule("R16")
def test_another_zone_for_the_same_moment_travels(google):
    calendar = somebody(google, ZURICH)
    activity = tagged(who(calendar))
    synchronize(calendar)

    change(activity, who(calendar), time_zone=AUCKLAND)
    synchronize(calendar)
    shown = only_event(google, calendar)
    assert (shown["start"]["timeZone"], datetime.fromisoformat(shown["start"]["dateTime"])) == (
        AUCKLAND,
        activity.start,
    )

    person(google, calendar).edit(
        shown["id"],
        {side: {"dateTime": shown[side]["dateTime"], "timeZone": KOLKATA} for side in ("start", "end")},
    )
    synchronize(calendar)
    assert (fresh(activity).time_zone, fresh(activity).start) == (KOLKATA, activity.start)
    assert_quiet(google, calendar)


@pytest.mark.rule("R16")
@pytest.mark.parametrize(
    ("zone", "name"),
    [(zone, "Nordic Standard Time") for zone in ZONES] + [(ZURICH, "../etc/passwd"), (KOLKATA, "x" * 80)],
)
def test_an_unknown_zone_falls_back_to_the_offset_and_is_journalled(google, zone, name):
    calendar = somebody(google, zone)
    event = person(google, calendar).create_event(
        {"summary": "From elsewhere", **timed("2027-03-08T10:00:00", "2027-03-08T11:00:00", "Asia/Dubai")}
    )
    unknown = {side: {**_stored(google, calendar, event)[side], "timeZone": name} for side in ("start", "end")}
    google_sets(google, calendar.account.login, event["id"], **unknown)

    session = synchronize(calendar)

    activity = only_activity()
    assert (activity.start, activity.due) == (at("Asia/Dubai", 2027, 3, 8, 10), at("Asia/Dubai", 2027, 3, 8, 11))
    assert activity.time_zone == zone
    kept = session.outcomes.get(rule="R16")
    assert (kept.google, kept.field) == (name, "when")
    assert name in kept.reason
    assert session.status == "succeeded"
    assert_quiet(google, calendar)

    change(activity, who(calendar), subject="Renamed here")
    google.requests.clear()
    synchronize(calendar)
    assert [write.body for write in sent(google)] == [{"summary": "Renamed here"}]
    assert only_event(google, calendar)["start"]["timeZone"] == name  # It is Google's, and stays.
    assert_quiet(google, calendar)


def _stored(google: Emulator, calendar: SyncedCalendar, event: dict[str, Any]) -> dict[str, Any]:
    return google.store.get(calendar_id=calendar.account.login, event_id=event["id"]).body


@pytest.mark.rule("R16")
@pytest.mark.parametrize("name", ["Asia/Calcutta", "US/Central", "NZ", "Etc/GMT-5"])
def test_an_old_name_of_a_zone_is_kept(google, name):
    calendar = somebody(google, ZURICH)
    person(google, calendar).create_event(
        {"summary": "Kick-off", **timed("2027-03-08T10:00:00", "2027-03-08T11:00:00", name)}
    )
    session = synchronize(calendar)

    activity = only_activity()
    assert (activity.time_zone, activity.start) == (name, at(name, 2027, 3, 8, 10))
    assert not session.outcomes.filter(rule="R16").exists()
    change(activity, who(calendar), start=at(name, 2027, 3, 8, 12))
    synchronize(calendar)
    assert only_event(google, calendar)["start"]["timeZone"] == name
    assert_quiet(google, calendar)


# --- Synchronize from --------------------------------------------------------------------------------------------

FROM = date(2027, 3, 8)
ENDS = {"a minute before midnight": -1, "at midnight": 0, "a minute after midnight": 1}


@pytest.mark.rule("R1", "R2", "R16")
@every_zone
def test_the_synchronize_from_day_begins_at_midnight_in_ones_own_zone(google, zone):
    calendar = somebody(google, zone, sync_from=FROM)
    midnight = at(zone, 2027, 3, 8)
    for words, minutes in ENDS.items():
        due = midnight + timedelta(minutes=minutes)
        tagged(who(calendar), f"Here, ends {words}", start=due - timedelta(hours=1), due=due, time_zone=KOLKATA)
        span = {
            "start": {"dateTime": (due - timedelta(hours=1)).isoformat(), "timeZone": KOLKATA},
            "end": {"dateTime": due.isoformat(), "timeZone": KOLKATA},
        }
        person(google, calendar).create_event({"summary": f"There, ends {words}", **span})

    session = synchronize(calendar)

    assert counts(session) == {"added_here": 1, "added_in_google": 1}
    linked = Activity.objects.filter(links__isnull=False).values_list("subject", flat=True)
    assert set(linked) == {"Here, ends a minute after midnight", "There, ends a minute after midnight"}
    assert_quiet(google, calendar)


@pytest.mark.rule("R1", "R2", "R16")
@pytest.mark.parametrize(("zone", "calendar_zone"), [*TOGETHER, (AUCKLAND, WINNIPEG), (WINNIPEG, AUCKLAND)])
def test_all_day_ones_take_part_from_the_synchronize_from_day_whatever_the_zones(google, zone, calendar_zone):
    calendar = somebody(google, zone, calendar_zone=calendar_zone, sync_from=FROM)
    before, after = FROM - timedelta(days=1), FROM
    for day in (before, after):
        tagged(who(calendar), f"Here, {day}", start=None, due=None, days=(before - timedelta(days=1), day))
        end = day + timedelta(days=1)
        person(google, calendar).create_event(
            {"summary": f"There, {day}", "start": {"date": f"{before}"}, "end": {"date": f"{end}"}}
        )

    session = synchronize(calendar)

    assert counts(session) == {"added_here": 1, "added_in_google": 1}
    linked = Activity.objects.filter(links__isnull=False).values_list("subject", flat=True)
    assert set(linked) == {f"Here, {after}", f"There, {after}"}
    assert_quiet(google, calendar)


@pytest.mark.rule("R4", "R16")
@every_zone
def test_moving_to_another_zone_moves_the_midnight(google, zone):
    """The window is that of the person's zone now; what drops out of it is frozen, never deleted."""
    calendar = somebody(google, zone, sync_from=FROM)
    midnight = at(zone, 2027, 3, 8)
    activity = tagged(who(calendar), start=midnight - timedelta(minutes=30), due=midnight + timedelta(minutes=30))
    synchronize(calendar)
    other = WINNIPEG if zone != WINNIPEG else "Pacific/Honolulu"  # West of it: midnight comes later.
    profile = who(calendar)
    profile.time_zone = other
    profile.save()
    set_up.save(settings=profile.sync_settings, account=calendar.account, changed=["sync_from"], now=timezone.now())

    session = synchronize(SyncedCalendar.objects.get())

    assert counts(session) == {}
    assert activity.links.get().state == "frozen"
    assert fresh(activity).status == "not_started"
    assert only_event(google, calendar)["summary"] == "Renewal call"


# --- One meeting, four people ------------------------------------------------------------------------------------


@pytest.fixture
def four(google: Emulator) -> dict[str, SyncedCalendar]:
    return {zone: somebody(google, zone) for zone in ZONES}


def invite_all(google: Emulator, four: dict[str, SyncedCalendar], by: str, when: dict[str, Any]) -> dict[str, Any]:
    guests = [{"email": calendar.account.login} for zone, calendar in four.items() if zone != by]
    event: dict[str, Any] = person(google, four[by]).create_event(
        {"summary": "World call", "attendees": guests, **when}, notify=False
    )
    return event


def synchronize_all(four: dict[str, SyncedCalendar]) -> None:
    for calendar in four.values():
        synchronize(calendar)


@pytest.mark.rule("R9", "R16")
@pytest.mark.parametrize("by", ZONES)
def test_one_meeting_seen_by_four(google, four, by):
    event = invite_all(google, four, by, timed("2027-03-08T15:00:00", "2027-03-08T16:00:00", by))
    start = at(by, 2027, 3, 8, 15)

    synchronize_all(four)
    synchronize_all(four)

    activity = only_activity()
    assert (activity.start, activity.time_zone, activity.organizer) == (start, by, who(four[by]))
    assert activity.participants.filter(displayed=True).count() == 4
    for zone, calendar in four.items():
        browser = Client()
        browser.force_login(who(calendar).user)
        page = browser.get(f"/activities/{activity.pk}/").content.decode()
        local = start.astimezone(ZoneInfo(zone))
        assert 'value="2027-03-08T15:00"' in page or zone != by
        if zone != by:
            assert f"{local:%a} {local.day} {local:%b} {local:%Y}, {local:%H:%M}" in page

    change(activity, who(four[by]), start=at(by, 2027, 3, 29, 15), subject="World call, after the clocks")
    synchronize_all(four)
    moved = at(by, 2027, 3, 29, 15)
    for calendar in four.values():
        shown = person(google, calendar).event(event["id"])
        assert (datetime.fromisoformat(shown["start"]["dateTime"]), shown["start"]["timeZone"]) == (moved, by)
    for calendar in four.values():
        assert_quiet(google, calendar)


@pytest.mark.rule("R9", "R16")
@pytest.mark.parametrize(("by", "first"), APART)
def test_one_all_day_meeting_is_the_same_day_for_all_four(google, four, by, first):
    invite_all(google, four, by, {"start": {"date": "2027-03-28"}, "end": {"date": "2027-03-30"}})

    synchronize(four[first])  # Whoever comes first makes the activity, in whatever zone.
    synchronize_all(four)

    activity = only_activity()
    assert (activity.start_date, activity.due_date) == (date(2027, 3, 28), date(2027, 3, 29))
    organizer = who(four[by])
    change(activity, organizer, days=(date(2027, 3, 29), date(2027, 3, 30)))
    synchronize_all(four)
    for calendar in four.values():
        shown = only_event(google, calendar)
        assert (shown["start"], shown["end"]) == ({"date": "2027-03-29"}, {"date": "2027-03-31"})
        assert_quiet(google, calendar)


# --- What flows --------------------------------------------------------------------------------------------------


@pytest.mark.rule("R10")
@pytest.mark.parametrize("answer", ["accepted", "tentative", "declined"])
def test_answers_of_four_people_both_ways(google, four, answer):
    event = invite_all(google, four, ZURICH, timed("2027-03-08T15:00:00", "2027-03-08T16:00:00", ZURICH))
    synchronize_all(four)
    activity = only_activity()
    google.mail.clear()

    services.respond(activity=activity, profile=who(four[AUCKLAND]), response=answer, now=timezone.now())
    person(google, four[KOLKATA]).respond(event["id"], answer, notify=False)
    google.requests.clear()
    synchronize_all(four)
    synchronize_all(four)

    [write] = sent(google)
    assert (write.method, write.send_updates) == ("PATCH", "none")
    assert write.body == {
        "attendeesOmitted": True,
        "attendees": [{"email": four[AUCKLAND].account.login, "responseStatus": answer}],
    }
    here = {person.profile.time_zone: person.response for person in activity.participants.select_related("profile")}
    assert here == {ZURICH: "accepted", AUCKLAND: answer, KOLKATA: answer, WINNIPEG: "needs_action"}
    there = {guest["email"]: guest["responseStatus"] for guest in only_event(google, four[WINNIPEG])["attendees"]}
    assert (there[four[AUCKLAND].account.login], there[four[KOLKATA].account.login]) == (answer, answer)
    assert there[four[WINNIPEG].account.login] == "needsAction"
    assert google.mail.all() == []
    for calendar in four.values():
        assert_quiet(google, calendar)


@pytest.mark.rule("R10")
def test_the_organizers_reminder_flows_and_everybody_elses_stays_theirs(google, four):
    event = invite_all(google, four, ZURICH, timed("2027-03-08T15:00:00", "2027-03-08T16:00:00", ZURICH))
    mine = {"useDefault": False, "overrides": [{"method": "popup", "minutes": 7}, {"method": "email", "minutes": 90}]}
    person(google, four[AUCKLAND]).edit(event["id"], {"reminders": mine}, notify=False)
    synchronize_all(four)
    activity = only_activity()
    assert activity.participants.get(profile=who(four[ZURICH])).reminder_minutes is None

    popup, mail = {"method": "popup", "minutes": 20}, {"method": "email", "minutes": 60}
    theirs = {"useDefault": False, "overrides": [popup, mail]}
    person(google, four[ZURICH]).edit(event["id"], {"reminders": theirs}, notify=False)
    synchronize_all(four)
    assert activity.participants.get(profile=who(four[ZURICH])).reminder_minutes == 20

    Participant.objects.filter(activity=activity, profile=who(four[ZURICH])).update(reminder_minutes=30)
    services.announce(activity, by=who(four[ZURICH]))
    google.requests.clear()
    synchronize_all(four)
    [write] = sent(google)
    assert write.body["reminders"] == {
        "useDefault": False,
        "overrides": [mail, {"method": "popup", "minutes": 30}],
    }
    assert person(google, four[AUCKLAND]).event(event["id"])["reminders"] == mine
    assert person(google, four[KOLKATA]).event(event["id"])["reminders"] == {"useDefault": True}
    for calendar in four.values():
        assert_quiet(google, calendar)


@pytest.mark.rule("R10")
@pytest.mark.parametrize("word", ["private", "confidential"])
def test_privacy_both_ways(google, four, word):
    event = invite_all(google, four, ZURICH, timed("2027-03-08T15:00:00", "2027-03-08T16:00:00", ZURICH))
    person(google, four[ZURICH]).edit(event["id"], {"visibility": word}, notify=False)
    person(google, four[KOLKATA]).edit(event["id"], {"visibility": "public"}, notify=False)
    synchronize_all(four)
    activity = only_activity()
    assert fresh(activity).is_private
    assert_quiet(google, four[ZURICH])
    assert person(google, four[ZURICH]).event(event["id"])["visibility"] == word  # Not rewritten by our own word.

    change(activity, who(four[ZURICH]), is_private=False)
    synchronize_all(four)
    assert "visibility" not in person(google, four[ZURICH]).event(event["id"])
    change(activity, who(four[ZURICH]), is_private=True)
    synchronize_all(four)
    assert person(google, four[ZURICH]).event(event["id"])["visibility"] == "private"
    person(google, four[ZURICH]).edit(event["id"], {"visibility": "public"}, notify=False)
    synchronize_all(four)
    assert not fresh(activity).is_private
    change(activity, who(four[ZURICH]), subject="World call, public")
    synchronize_all(four)
    assert person(google, four[ZURICH]).event(event["id"])["visibility"] == "public"
    assert person(google, four[KOLKATA]).event(event["id"])["visibility"] == "public"
    assert "visibility" not in person(google, four[AUCKLAND]).event(event["id"])
    for calendar in four.values():
        assert_quiet(google, calendar)


@pytest.mark.rule("R10")
def test_free_and_busy_both_ways(google, four):
    event = invite_all(google, four, ZURICH, timed("2027-03-08T15:00:00", "2027-03-08T16:00:00", ZURICH))
    person(google, four[KOLKATA]).edit(event["id"], {"transparency": "transparent"}, notify=False)
    synchronize_all(four)
    activity = only_activity()
    assert not fresh(activity).show_as_free

    person(google, four[ZURICH]).edit(event["id"], {"transparency": "transparent"}, notify=False)
    synchronize_all(four)
    assert fresh(activity).show_as_free

    change(activity, who(four[ZURICH]), show_as_free=False)
    google.requests.clear()
    synchronize_all(four)
    assert [(write.body, write.send_updates) for write in sent(google)] == [({"transparency": "opaque"}, "none")]
    assert person(google, four[KOLKATA]).event(event["id"])["transparency"] == "transparent"
    change(activity, who(four[ZURICH]), show_as_free=True)
    synchronize_all(four)
    assert person(google, four[ZURICH]).event(event["id"])["transparency"] == "transparent"
    assert "transparency" not in person(google, four[AUCKLAND]).event(event["id"])
    for calendar in four.values():
        assert_quiet(google, calendar)


@pytest.mark.rule("R10", "R12")
def test_a_meet_link_comes_from_google_and_outlives_every_write(google, four):
    request = {"createRequest": {"requestId": "r1", "conferenceSolutionKey": {"type": "hangoutsMeet"}}}
    when = timed("2027-03-08T15:00:00", "2027-03-08T16:00:00", ZURICH)
    event = invite_all(google, four, ZURICH, {"conferenceData": request, **when})
    link = event["hangoutLink"]
    synchronize_all(four)
    activity = only_activity()
    organizer = who(four[ZURICH])
    assert fresh(activity).join_link == link == events.conference({}, seed=event["id"])["entryPoints"][0]["uri"]

    for values in (
        {"subject": "World call!", "start": at(ZURICH, 2027, 3, 9, 15)}, {"location": "Online", "notes": "Agenda"},
        {"is_private": True, "show_as_free": True}, {"days": (date(2027, 3, 9), date(2027, 3, 9))},
    ):  # fmt: skip
        change(activity, organizer, **values)
        synchronize(four[ZURICH])
    services.respond(activity=activity, profile=who(four[KOLKATA]), response="accepted", now=timezone.now())
    clara = make_user("clara").profile
    services.add_participant(activity=activity, profile=clara, by=organizer, now=timezone.now())
    synchronize_all(four)

    assert not [write for write in sent(google) if "conferenceData" in write.body or "hangoutLink" in write.body]
    for calendar in four.values():
        shown = person(google, calendar).event(event["id"])
        assert (shown["hangoutLink"], shown["conferenceData"]) == (link, event["conferenceData"])
    assert fresh(activity).join_link == link

    Activity.objects.filter(pk=activity.pk).update(join_link="https://elsewhere.example/room")  # From Google only.
    services.announce(activity, by=organizer)
    google.requests.clear()
    synchronize(four[ZURICH])
    assert sent(google) == []
    assert fresh(activity).join_link == link


@pytest.mark.rule("R16")
def test_an_event_that_ends_in_another_zone_has_that_of_its_start(google):
    calendar = somebody(google, ZURICH)
    flight = {
        "start": {"dateTime": "2027-03-08T10:00:00", "timeZone": ZURICH},
        "end": {"dateTime": "2027-03-08T23:30:00", "timeZone": KOLKATA},
    }
    person(google, calendar).create_event({"summary": "Flight", **flight})
    synchronize(calendar)

    activity = only_activity()
    assert (activity.start, activity.due) == (at(ZURICH, 2027, 3, 8, 10), at(KOLKATA, 2027, 3, 8, 23, 30))
    assert activity.time_zone == ZURICH
    change(activity, who(calendar), subject="Flight LX146")
    synchronize(calendar)
    assert only_event(google, calendar)["end"]["timeZone"] == KOLKATA
    assert_quiet(google, calendar)


@pytest.mark.rule("R16")
def test_days_are_days():
    """Whatever zone anybody is in, a day is read and written as it stands."""
    event = {"start": {"date": "2027-03-28"}, "end": {"date": "2027-03-29"}}
    for zone in ZONES:
        when = mapping.when_of(event, default_zone=zone)
        assert when == Days(date(2027, 3, 28), date(2027, 3, 28))
        assert mapping.when_body(when, replacing={}) == event


@pytest.mark.rule("R16")
def test_an_unknown_zone_that_comes_later_is_journalled_too(google):
    calendar = somebody(google, ZURICH)
    activity = tagged(who(calendar))
    synchronize(calendar)
    event = only_event(google, calendar)
    moved = {
        "start": {"dateTime": "2027-03-08T12:00:00Z", "timeZone": "Nordic Standard Time"},
        "end": {"dateTime": "2027-03-08T13:00:00Z", "timeZone": "Nordic Standard Time"},
    }
    google_sets(google, calendar.account.login, event["id"], **moved)

    session = synchronize(calendar)

    assert fresh(activity).start == datetime(2027, 3, 8, 12, tzinfo=UTC)
    assert fresh(activity).time_zone == ZURICH
    kept = session.outcomes.get(rule="R16")
    assert (kept.google, kept.field, kept.activity_id) == ("Nordic Standard Time", "when", activity.pk)
    assert_quiet(google, calendar)

    google_sets(google, calendar.account.login, event["id"], location="Room 5")
    assert not synchronize(calendar).outcomes.filter(rule="R16").exists()  # Said once.
