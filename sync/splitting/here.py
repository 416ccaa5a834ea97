"""A later part that was divided off a series here goes out (R15)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db.models import F

from accounts.models import profiles_by_email
from activities import recurrence, series
from activities.models import Activity
from sync import repeating, store
from sync.core import mapping
from sync.core import snapshot as snapshots
from sync.core.decide import Presence
from sync.core.snapshot import Repeating, Snapshot, at_occurrence
from sync.models import EventLink
from sync.run import Run
from sync.splitting.parts import Part, is_missing, parts_of
from sync.splitting.times import moved_along
from sync.store import Pair

OF_ALL = ("subject", "location", "notes")  # In these an exception in Google follows its series, as long as it has them.


def event_before_the_split(run: Run, activity: Activity) -> Mapping[str, Any]:
    """
    Return Google's event of the series from which this one was split here, {} if there is none of one's own.

    A part that was split again before it was sent has what the whole had.
    """
    former = activity.series.split_from if activity.is_series and activity.series else None
    while former is not None:
        link = EventLink.objects.filter(
            calendar=run.calendar, activity__series=former, activity__is_series=True, state__in=EventLink.HOLDING
        ).first()
        if link is not None and link.event:
            return link.event if mapping.facts_of(link.event).is_own else {}
        former = former.split_from
    return {}


def link_before_the_split(run: Run, activity: Activity) -> EventLink | None:
    """Return this account's link to the series from which this one was split here, None unless both sides have it."""
    former = activity.series.split_from if activity.is_series and activity.series else None
    while former is not None:
        links = EventLink.objects.filter(calendar=run.calendar, activity__series=former, activity__is_series=True)
        if links.filter(state__in=EventLink.HOLDING).exists():
            return links.filter(state=EventLink.State.LINKED).exclude(event__status="cancelled").first()
        former = former.split_from
    return None


def look_at_the_whole(run: Run, part: Activity) -> None:
    """Let the series have its turn from which a part was split off that is in Google now: there it ends before it."""
    assert part.series is not None
    whole = EventLink.objects.filter(
        calendar=run.calendar, activity__series=part.series.split_from_id, activity__is_series=True
    )
    whole.filter(is_marked=False).update(is_marked=True, mark=F("mark") + 1)


def parts_along(run: Run, activity: Activity, whole: EventLink) -> list[Part]:
    """Return a part that is to be sent, and what was split off that in turn, which has the whole from it alone."""
    sent = EventLink.objects.filter(calendar=run.calendar, state__in=EventLink.HOLDING, activity__isnull=False)
    place, former = 0, activity.series
    while former is not None and former.pk != whole.series_id:
        place, former = place + former.split_after, former.split_from
    behind = [Part(part.head, place + part.place) for part in parts_of(activity.series_id, but=sent)]
    return [Part(activity, place), *behind]


def pairs_along(run: Run, part: Part, whole: EventLink) -> Iterator[Pair]:
    """
    Yield what was changed in Google meanwhile about occurrences that were split off here, with what they are now.

    What was changed here about all of them is no change of one. What both sides had agreed on about one stays so.
    """
    here, of_all = _snapshot_of(part.head), _changed_about_all(run, whole)
    found = EventLink.objects.filter(
        calendar=run.calendar, event__recurringEventId=whole.event_id, state=EventLink.State.SEEN, is_marked=True
    )
    for link in found.order_by("id"):
        facts = mapping.facts_of(link.event)
        if facts.is_cancelled and not repeating.was_deleted_by_itself(run, link, whole):
            continue  # It went with its day when Google moved the whole: here it moves along.
        original = facts.original_start
        occurrence = _occurrence_of(part, whole, original)
        if original and occurrence and occurrence.original_start:
            of_part = at_occurrence(here, occurrence.original_start)
            _with_bases(link, occurrence, whole, original=original, of_part=of_part)
            try:
                yield _without_what_is_of_all(store.load_pair(run, link), of_all)
            except mapping.UnreadableEvent:
                continue


def _without_what_is_of_all(pair: Pair, of_all: Mapping[str, Any]) -> Pair:
    """What Google changed about the whole, and an occurrence has from it, is no change of the occurrence."""
    if pair.google.base is None or pair.facts.is_cancelled:
        return pair
    same = {name: value for name, value in of_all.items() if getattr(pair.google.now, name) == value}
    pair.google = replace(pair.google, base=replace(pair.google.base, **same))
    return pair


def _changed_about_all(run: Run, whole: EventLink) -> dict[str, Any]:
    """
    Return what Google says otherwise about all of a series than both sides last agreed on, as far as exceptions follow.

    :raises UnreadableEvent: if nothing can be made of it.
    """
    profiles = run.profiles_for(whole.event, profiles_by_email(mapping.facts_of(whole.event).addresses))
    now = mapping.snapshot_of(whole.event, profiles=profiles, default_zone=run.default_zone)
    base = store.base_of(whole.base_google)
    return {name: getattr(now, name) for name in OF_ALL if base and getattr(now, name) != getattr(base, name)}


def beside_the_whole(run: Run, part: Part, whole: EventLink) -> Pair:
    """
    Return a part that is to be sent beside what Google made of the whole since both sides last agreed on that.

    :raises UnreadableEvent: if nothing can be made of it.
    """
    link = EventLink.objects.get(pk=whole.pk)
    link.activity = part.head
    return store.load_pair(run, link)


def pairs_that_move(
    run: Run, head: Activity, whole: EventLink, *, google: Repeating, sent: Repeating | None
) -> Iterator[Pair]:
    """
    Yield what somebody did in Google to occurrences that our write makes it forget, with what they are here now.

    `google` is when the series takes place there until then, `sent` when it does from then on; None if it is another
    event from then on, which knows nothing of any of them, be it laid out here or not.
    """
    before, now = store.pattern_of(google), series.pattern_of(head)
    after = store.pattern_of(sent) if sent else None
    found = EventLink.objects.filter(
        calendar=run.calendar,
        event__recurringEventId=whole.event_id,
        state__in=[EventLink.State.SEEN, EventLink.State.LINKED],
    )
    if after:
        found = found.filter(is_marked=True)
    for link in found.select_related("activity__series").order_by("id"):
        facts = mapping.facts_of(link.event)
        original = facts.original_start
        if original is None or (after and recurrence.happens_at(after, original)):
            continue
        if facts.is_cancelled and not repeating.was_deleted_by_itself(run, link, whole):
            continue
        occurrence = link.activity
        stays = recurrence.happens_at(now, original)  # Only where it is another event that takes its place.
        at = original if stays else recurrence.start_once_moved(original, old=before, new=now)
        if occurrence is None and at:
            occurrence = repeating.occurrence_at(run, head, at, is_made=facts.is_cancelled or after is None)
        if occurrence is None or occurrence.series is None or occurrence.original_start is None:
            continue
        of_series = at_occurrence(_snapshot_of(occurrence.series.head), occurrence.original_start)
        _with_bases(link, occurrence, whole, original=original, of_part=of_series)
        try:
            yield store.load_pair(run, link)
        except mapping.UnreadableEvent:
            continue


def _snapshot_of(head: Activity) -> Snapshot:
    """Return what a series says here, read anew."""
    head = store.load_activity(head.pk)
    addresses = store.addresses_of(person.profile_id for person in head.participants.all())
    return store.snapshot_here(head, addresses=addresses, organizer=head.organizer_id)


def _with_bases(
    link: EventLink, occurrence: Activity, whole: EventLink, *, original: datetime, of_part: Snapshot
) -> None:
    """Let a link, not saved, have the bases of an occurrence: its own where it had any, else what its series says."""
    own_here, own_google = link.base_here, link.base_google
    repeating.as_exception(link, occurrence, whole, original=original)
    of_whole, own = store.base_of(link.base_here), store.base_of(own_here)
    link.state, presence = EventLink.State.LINKED, Presence.PRESENT
    if own and own_here and own_google:
        names = [name for name in snapshots.FIELDS if not of_whole or getattr(own, name) != getattr(of_whole, name)]
        of_part = replace(of_part, **{name: getattr(own, name) for name in names})
        link.base_google, presence = own_google, Presence(own_here.get("presence", presence))
    if presence is not Presence.PRESENT:
        link.state = EventLink.State.DETACHED
    link.base_here = {"snapshot": snapshots.dump(of_part), "presence": presence.value}


def waits_for_its_part(run: Run, link: EventLink, whole: EventLink) -> bool:
    """Whether an occurrence changed in Google was split off here, and its part is on its way: that takes it along."""
    original = mapping.facts_of(link.event).original_start
    parts = parts_of(whole.series_id, but=EventLink.objects.none())
    return any(_occurrence_of(part, whole, original) and is_missing(run, part.head) for part in parts)


def _occurrence_of(part: Part, whole: EventLink, original: datetime | None) -> Activity | None:
    """Return what an occurrence of the whole is in a later part, wherever that was moved; None if it is not in it."""
    base = store.base_of(whole.base_google)
    if original is None or base is None or not isinstance(base.when, Repeating):
        return None
    pattern = store.pattern_of(base.when)
    try:
        number = sum(1 for _ in recurrence.starts(pattern, before=original))
        if number < part.place or not recurrence.happens_at(pattern, original):
            return None
        now = series.pattern_of(part.head)
        at = recurrence.start_in_part(now, whole=pattern, begins=part.place, number=number)
    except recurrence.UnreadableRule:
        return None
    return Activity.every.filter(series=part.series, original_start=at, is_series=False).first() if at else None


def moved_with_the_whole(run: Run, activity: Activity, whole: EventLink) -> Repeating | None:
    """
    Return when a part takes place that was split off here while all of the series was moved in Google: as much later.

    None if it was not, or if the part was given a time of its own.
    """
    base = store.base_of(whole.base_google)
    if base is None:
        return None
    now = mapping.when_of(whole.event, default_zone=run.default_zone)
    return moved_along(base.when, moved=now, part=store.when_here(activity))


def belongs_to_somebody_else(links: Iterable[EventLink]) -> bool:
    """Whether a series is in Google, and in the calendar of its organizer there it is none of ours."""
    links = list(links)
    return bool(links) and not any(not link.event or mapping.facts_of(link.event).is_own for link in links)
