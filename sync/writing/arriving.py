"""
New single events of one page become activities together, in a handful of statements (R3).

What may have to do with anything else, a series, a colleague's meeting, an activity whose id it carries, is for
`importing`: one by one, when its turn comes. Whatever comes in here, comes in as it would there.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter

from django.db import IntegrityError, transaction
from django.db.models import Q, prefetch_related_objects
from django.utils import timezone

from accounts.models import profiles_by_email
from activities.models import Activity, FieldChange, Participant
from sync import marks, store
from sync.core import mapping
from sync.core.decide import Presence
from sync.core.eligibility import why_not_imported
from sync.core.identity import meeting_key
from sync.core.mapping import EventFacts, Guest
from sync.core.snapshot import Repeating, Snapshot
from sync.models import EventLink, Meeting, SyncOutcome
from sync.run import Run
from sync.writing.content import new_participant, unknown_zone
from sync.writing.importing import import_words, new_activity
from sync.writing.settling import agree


@dataclass(frozen=True, slots=True)
class _Arrival:
    """An event that comes in by itself: nobody else has anything to do with it but its guests."""

    link: EventLink
    facts: EventFacts
    key: str  # Of its meeting.
    profiles: dict[str, int]
    guests: dict[int, Guest]
    content: Snapshot
    activity: Activity


def take_in(run: Run, links: list[EventLink]) -> list[EventLink]:
    """
    Make activities of these new events, and link them, as far as each is plain; return the links that are not saved.

    Call it inside the transaction that stores what was listed. Links of events that do not come in are among those
    returned, with the reason, and need no further look (R2).
    """
    read = [(link, mapping.facts_of(link.event)) for link in links]
    plain = [(link, facts) for link, facts in read if _is_plain(facts)]
    arrivals = list(_arrivals(run, plain))
    if not arrivals:
        return links
    run.tag()  # Made before what may be undone.
    try:
        with transaction.atomic():
            outcomes = _save(run, arrivals)
    except IntegrityError:  # Somebody else's session has made one of these meetings in this very moment (R9).
        return links
    run.count("added", SyncOutcome.Direction.HERE, len(arrivals))
    SyncOutcome.objects.bulk_create(outcomes)
    came_in = {arrival.link.event_id for arrival in arrivals}
    return [link for link in links if link.event_id not in came_in]


def look_back(run: Run) -> None:
    """
    Look whether the guests of what came in are still the same users; call it once that is committed (R7).

    Who was given an address, or lost it, meanwhile could not mark events that nobody else had seen yet.
    """
    found, run.looked_up = run.looked_up, {}
    now = profiles_by_email(found) if found else {}
    if other := {address for address, profile in found.items() if now.get(address) != profile}:
        marks.mark_guests(addresses=other)


def _is_plain(facts: EventFacts) -> bool:
    """Whether an event is one time by itself, and says of nothing here that it belongs to it (R9, R15)."""
    is_single = not (facts.is_series or facts.series_event_id or facts.original_start)
    # An id with an underscore may be that of a part, or an occurrence, of a series (R15).
    return is_single and not facts.is_cancelled and not facts.hidden_id and "_" not in facts.event_id


def _arrivals(run: Run, plain: list[tuple[EventLink, EventFacts]]) -> Iterable[_Arrival]:
    keys = {facts.event_id: meeting_key(facts) for _link, facts in plain}
    taken = _ids_known_elsewhere(facts for _link, facts in plain) | _keys_in_use(keys.values())
    addresses = {address for _link, facts in plain for address in facts.addresses}
    directory = profiles_by_email(addresses)
    run.looked_up |= {address: directory.get(address) for address in addresses}
    for link, facts in plain:
        key = keys[facts.event_id]
        if taken & {facts.event_id, facts.ical_uid, key}:
            continue
        try:
            when = mapping.when_of(link.event, default_zone=run.default_zone)
        except mapping.UnreadableEvent:
            continue
        assert not isinstance(when, Repeating)
        if reason := why_not_imported(facts, when, window=run.window):
            link.rule, link.reason = reason.rule, reason.text[:500]
            link.is_marked, link.settled_at = False, timezone.now()
            continue
        profiles = run.profiles_for(link.event, directory)
        people = [profiles[guest.address] for guest in facts.guests if guest.address in profiles]
        is_somebody_elses = profiles.get(facts.organizer) not in (None, run.me.pk)
        if is_somebody_elses or len(people) > len(set(people)):  # Who organizes it (R5), who is which guest (R7).
            continue
        guests = mapping.guests_by_person(facts, profiles=profiles, known={})
        content = mapping.snapshot_of(link.event, profiles=profiles, default_zone=run.default_zone)
        activity = new_activity(run, link, facts, content, organizer=run.me.pk, profiles=profiles)
        yield _Arrival(copy.copy(link), facts, key, profiles, guests, content, activity)


def _ids_known_elsewhere(found: Iterable[EventFacts]) -> set[str]:
    """Return which of these ids and iCalUIDs an activity's event has already, in whatever calendar (R9)."""
    ids, uids = set[str](), set[str]()
    for facts in found:
        ids.add(facts.event_id)
        uids.add(facts.ical_uid)
    same = EventLink.objects.filter(Q(event_id__in=ids) | Q(ical_uid__in=uids - {""}), activity__isnull=False)
    return {name for pair in same.values_list("event_id", "ical_uid") for name in pair} - {""}


def _keys_in_use(keys: Iterable[str]) -> set[str]:
    """Return which of these meeting keys two of the events have, or a meeting here."""
    counted = Counter(keys)
    doubled = {key for key, number in counted.items() if number > 1}
    return doubled | set(Meeting.objects.filter(key__in=counted).values_list("key", flat=True))


def _save(run: Run, arrivals: list[_Arrival]) -> list[SyncOutcome]:
    """Save everything about these arrivals but the outcomes, which are returned."""
    activities = Activity.every.bulk_create(arrival.activity for arrival in arrivals)
    Participant.objects.bulk_create(
        new_participant(run, arrival.activity, person, arrival.facts, arrival.profiles, arrival.content)
        for arrival in arrivals
        for person in sorted(arrival.content.people | {run.me.pk})
    )
    tag = run.tag()
    Activity.tags.through.objects.bulk_create(
        Activity.tags.through(activity_id=activity.pk, tag_id=tag.pk) for activity in activities
    )
    meetings = [Meeting(key=arrival.key, activity=arrival.activity) for arrival in arrivals]
    # In one order for everybody: two colleagues' sessions at the same moment wait for each other, not both for ever.
    Meeting.objects.bulk_create(sorted(meetings, key=attrgetter("key")))
    FieldChange.objects.bulk_create(
        FieldChange(activity=activity, field="created", origin=FieldChange.Origin.GOOGLE, at=run.now)
        for activity in activities
    )
    prefetch_related_objects(activities, "participants")
    addresses = store.addresses_of({person for arrival in arrivals for person in arrival.content.people | {run.me.pk}})
    for arrival in arrivals:
        here = store.snapshot_here(arrival.activity, addresses=addresses, organizer=run.me.pk)
        arrival.link.activity = arrival.activity
        agree(arrival.link, arrival.guests, here=here, google=arrival.content, now_here=here, presence=Presence.PRESENT)
    EventLink.objects.bulk_create(arrival.link for arrival in arrivals)
    return [outcome for arrival in arrivals for outcome in _outcomes(run, arrival)]


def _outcomes(run: Run, arrival: _Arrival) -> Iterable[SyncOutcome]:
    link, subject = arrival.link, arrival.activity.subject
    words = import_words(arrival.activity, arrival.facts, run)
    yield run.outcome(SyncOutcome.Action.ADDED, rule="R3", reason=words, item=subject, link=link)
    if strange := unknown_zone(run, link, subject):
        yield strange
