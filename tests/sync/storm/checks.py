"""What has to hold once the storm is over and everybody's sessions have run."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time
from typing import Any

from accounts.models import Profile
from activities.models import Activity, Participant
from sync import store
from sync.core import mapping
from sync.core.decide import Presence
from sync.core.snapshot import Snapshot
from sync.models import EventLink, SyncOutcome
from tests.sync.storm.world import CONNECTED, World

CONTENT = ("subject", "when", "location", "notes", "people")  # What all copies have in common,
OWN = ("is_private", "show_as_free", "reminder")  # and what each has for itself: the Organizer's is the activity's.


def assert_all(world: World) -> None:
    world.check_database()
    assert_agreement(world)
    assert_nothing_doubled(world)
    assert_every_event_is_here(world)
    world.ledger.assert_nothing_lost()


def assert_agreement(world: World) -> None:
    """Both sides hold the same, field by field, for everybody who is connected."""
    links = EventLink.objects.filter(calendar__account__profile__in=[world.profiles[name] for name in CONNECTED])
    for link in links.exclude(activity=None).select_related("calendar__account__profile").order_by("id"):
        person = link.calendar.account.profile
        activity = store.load_activity(link.activity_id)
        event = _live(world, person, link.event_id)
        words = f"{activity} and {link} of {person}: {link.rule} {link.reason}"
        _assert_same_answer(activity, event, person, words)
        is_out = _is_out_of_the_selection(activity, person)
        assert is_out or link.state != EventLink.State.FROZEN, f"frozen without a reason: {words}"
        if activity.organizer_id == person.pk and not is_out:
            _assert_same(world, activity, link, event, person, words)


def _assert_same(
    world: World, activity: Activity, link: EventLink, event: dict[str, Any] | None, person: Profile, words: str
) -> None:
    is_here = store.presence_here(activity) is Presence.PRESENT
    if event is None:
        is_settled = link.state == EventLink.State.DETACHED and (
            not is_here
            or activity.status == Activity.Status.COMPLETED
            or _has_declined(activity, person)
            or _has_left_its_series(activity, link)
        )
        assert is_settled, f"gone in Google: {words}"
        return
    assert is_here, f"gone here: {words}"
    profiles = {profile.user.email: profile.pk for profile in world.profiles.values()}
    google = mapping.snapshot_of(event, profiles=profiles, default_zone=person.time_zone)
    addresses = {pk: email for email, pk in profiles.items()}
    here = store.snapshot_here(activity, addresses=addresses, organizer=person.pk)
    if activity.is_series:
        _assert_same_occurrences(activity, event, world.shown(person.user.username))
    names = [name for name in (*CONTENT, *OWN) if name != "is_private" or not _stayed_private(here, link)]
    for name in names:
        assert getattr(here, name) == getattr(google, name), f"{name}: {getattr(here, name)} here, " \
            f"{getattr(google, name)} in Google: {words}"  # fmt: skip


def _has_left_its_series(activity: Activity, link: EventLink) -> bool:
    """Whether it was an occurrence that its rule dropped, and has stayed because of local work, without event (R15)."""
    was_exception = "recurringEventId" in link.event and activity.original_start is None
    return was_exception or link.event_id.startswith(EventLink.LEFT)


def _stayed_private(here: Snapshot, link: EventLink) -> bool:
    """Whether it was private before this person's calendar took it over, whose copy is not (R5)."""
    return here.is_private and link.outcomes.filter(action=SyncOutcome.Action.TAKEN_OVER).exists()


def _assert_same_answer(activity: Activity, event: dict[str, Any] | None, person: Profile, words: str) -> None:
    if event is None:
        return
    answer = mapping.facts_of(event).own_answer
    participant = Participant.objects.filter(activity=activity, profile=person).first()
    if answer and participant and not (participant.response == "needs_action" and activity.organizer_id == person.pk):
        assert participant.response == answer, f"answer: {participant.response} here, {answer} in Google: {words}"


def assert_nothing_doubled(world: World) -> None:
    """Every subject is another one, so two alike are one thing twice (R9, R13)."""
    shared = set(Activity.every.exclude(series=None).values_list("subject", flat=True))
    for name in (*CONNECTED, "maria"):
        shown = world.shown(name)
        twice = _doubles((event.get("summary"), str(_place(event))) for event in shown)
        assert not twice, (name, twice)
        shared |= {event.get("summary", "") for event in shown if "recurringEventId" in event}
        single = [event.get("summary") for event in shown]
        assert not _doubles(subject for subject in single if subject not in shared), (name, shown)
    here = Activity.objects.present().filter(series=None)
    # A series leaves behind, under one name, what somebody did to several of its occurrences (R15).
    left = here.filter(links__event_id__startswith=EventLink.LEFT)
    assert not _doubles(left.values_list("subject", "start").distinct())
    alone = here.exclude(pk__in=left.values("pk")).values_list("subject", flat=True)
    assert not _doubles(subject for subject in alone if subject not in shared)
    holding = EventLink.objects.filter(state__in=EventLink.HOLDING)
    assert not _doubles(holding.values_list("calendar", "event_id"))
    meetings = holding.exclude(activity=None).values_list("event_id", "activity").distinct()
    assert not _doubles(event_id for event_id, _activity in meetings), "one meeting, two activities"


def _place(event: dict[str, Any]) -> dict[str, str] | tuple[str, dict[str, str]]:
    """Return when an event begins; somebody may have moved one occurrence to where another one is, on purpose."""
    original = event.get("originalStartTime")
    return ("moved", original) if original and original != event["start"] else event["start"]  # type: ignore[no-any-return]


def _assert_same_occurrences(activity: Activity, event: dict[str, Any], shown: list[dict[str, Any]]) -> None:
    """Both calendars show the same occurrences of a series (R15)."""
    until = activity.series.laid_out_until if activity.series else None
    there = {
        (one.get("summary", ""), one.get("location", ""), one.get("description", ""), _begins(one["start"]))
        for one in shown
        if one.get("recurringEventId") == event["id"] and _is_before(one["originalStartTime"], until)
    }
    rows = Activity.objects.present().filter(series=activity.series_id).exclude(status=Activity.Status.CANCELED)
    if until:  # Of a series that begins behind the horizon the next occurrence is here in any case.
        rows = rows.filter(original_start__lt=until)
    here = {
        (row.subject, row.location, row.notes, row.start_date or row.start)
        for row in rows
        if row.status != Activity.Status.COMPLETED
        or any(one[0] == row.subject and one[3] == (row.start_date or row.start) for one in there)
    }
    assert here == there, f"occurrences of {activity}: here only {here - there}, in Google only {there - here}"


def _is_before(original: dict[str, str], until: datetime | None) -> bool:
    """Whether an occurrence is an activity already; those behind the horizon are to come (R15)."""
    start = _begins(original)
    moment = start if isinstance(start, datetime) else datetime.combine(start, time.min, tzinfo=UTC)
    return until is None or moment < until


def _begins(start: dict[str, str]) -> date | datetime:
    if "date" in start:
        return date.fromisoformat(start["date"])
    return datetime.fromisoformat(start["dateTime"].replace("Z", "+00:00"))


def assert_every_event_is_here(world: World) -> None:
    """Every live event of somebody connected that they have not declined is an activity."""
    for name in CONNECTED:
        links = EventLink.objects.filter(calendar=world.calendar(name)).exclude(activity=None)
        linked = set(links.values_list("event_id", flat=True))
        for event in world.google.person(world.email(name)).events():
            is_of_a_series = "recurringEventId" in event  # Its series is looked at as a whole.
            if mapping.facts_of(event).own_answer != "declined" and not is_of_a_series:
                assert event["id"] in linked, f"{event['summary']} of {name} is not here"


def _live(world: World, person: Profile, event_id: str) -> dict[str, Any] | None:
    name = person.user.username
    everything = (*world.google.person(world.email(name)).events(), *world.shown(name))
    return next((event for event in everything if event["id"] == event_id), None)


def _is_out_of_the_selection(activity: Activity, person: Profile) -> bool:
    has_tag = activity.tags.filter(kind="private", owner=person).exists()
    return not (has_tag and activity.show_in_calendar)


def _has_declined(activity: Activity, person: Profile) -> bool:
    return Participant.objects.filter(activity=activity, profile=person, response="declined").exists()


def _doubles(values: Any) -> list[Any]:
    return [value for value, count in Counter(values).items() if value and count > 1]
