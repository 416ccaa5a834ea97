"""A later part that Google divided off a series comes in (R15)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Any

from django.db.models import QuerySet

from activities import recurrence, series
from activities.models import Activity, Participant, Series
from sync import repeating, store
from sync.core import mapping
from sync.core import snapshot as snapshots
from sync.core.mapping import EventFacts
from sync.core.reasons import _
from sync.core.snapshot import Repeating, Snapshot, When, at_occurrence
from sync.models import EventLink, SyncOutcome
from sync.run import LookLater, Run
from sync.splitting.here import link_before_the_split
from sync.splitting.parts import Part, parts_of
from sync.splitting.times import moved_along

# What Google's event does not hold, and each occurrence has all the same.
OF_THE_HEAD = ("kind", "category", "priority", "owner_id", "reporter_id", "made_in_google", "show_in_calendar")


@dataclass(frozen=True)
class Former:
    """The series from which Google split one off, locked, and what it holds by now."""

    head: Activity
    link: EventLink  # To the whole, of which the head may be a later part made here.
    place: int  # How many occurrences of the whole come before the part that Google made.
    since: datetime  # The occurrence of the whole with which that begins.
    part: Part | None  # What was split off here, not sent yet, of which it is the end.
    here: Snapshot
    base_here: Snapshot
    base_google: Snapshot

    @property
    def whole_google(self) -> recurrence.Pattern | None:
        """When the whole took place by what both sides last agreed on, None if that is not known."""
        base = store.base_of(self.link.base_google)
        return store.pattern_of(base.when) if base and isinstance(base.when, Repeating) else None

    @property
    def answers(self) -> Mapping[str, str]:
        """The answers, by profile id, that both sides last agreed on."""
        return (self.link.base_google or {}).get("answers", {})


@dataclass
class Begin:
    """What the head of the new part has at first, and what its two bases have instead of what the sides hold now."""

    content: dict[str, Any] = field(default_factory=dict)
    base_here: dict[str, Any] = field(default_factory=dict)
    base_google: dict[str, Any] = field(default_factory=dict)
    is_moved_along: bool = False


def former_of(run: Run, link: EventLink) -> Former | None:
    """
    Return the series of which an event that comes in is a later part, None if it is none. Locks its head.

    :raises LookLater: if another part of it has to come in first.
    """
    found = _divided_in_google(run, link)
    if found is None:
        if repeating.cut_of(link):
            _let_go_first(run, link, None)
        return None
    whole, since = found
    to_come = _parts_to_come(run, whole)
    if to_come:
        _let_go_first(run, link, whole, since=since)
    head = store.load_activity(whole.activity_id, lock=True)
    place = _place_in_google(run, link, whole, since=since)
    part = next((part for part in reversed(to_come) if part.place <= place), None)
    if part:  # What was changed here about it from there on is on its way as well.
        head = store.load_activity(part.head.pk, lock=True)
    addresses = store.addresses_of(person.profile_id for person in head.participants.all())
    here = store.snapshot_here(head, addresses=addresses, organizer=head.organizer_id)
    # What a guest's copy last agreed on is older than what the Organizer's session has brought here since.
    agreed = EventLink.objects.filter(activity=head, calendar__account__profile=head.organizer_id).first() or whole
    base_here, base_google = store.base_of(agreed.base_here), store.base_of(agreed.base_google)
    base_here, base_google = base_here or here, base_google or here
    if part:  # It began as the whole went on from there.
        when = _when_divided(base_here, part.place) or _when_begun(run, link, part, place=place, since=since)
        base_here = replace(base_here, when=when or base_here.when)
    if to_come:  # Where it was divided itself is none of its time.
        undivided = _when_undivided(here, link=agreed, place=part.place if part else 0)
        here = replace(here, when=undivided or here.when)
    return Former(head, whole, place, since, part, here, base_here, base_google)


def _when_divided(whole: Snapshot, place: int) -> Repeating | None:
    """Return when the later part of a series takes place as long as nobody moves it; None if that is not known."""
    if not isinstance(whole.when, Repeating):
        return None
    pattern = store.pattern_of(whole.when)
    try:
        at = next(islice(recurrence.starts(pattern), place, None), None)
        if at is None:
            return None
        first = at_occurrence(whole, at).when
        assert not isinstance(first, Repeating)
        return Repeating(first, recurrence.from_cut(pattern, at=at))
    except (recurrence.UnreadableRule, recurrence.UnableToMove):
        return None


def begin(former: Former, google: Snapshot, *, is_organizer: bool) -> Begin:
    """
    Return how the new part begins: as Google has it, but what was changed here and not sent yet is still to be sent.

    When it takes place Google says, but where all were moved here meanwhile it moves along, unless Google has given it
    a time of its own. What each copy has of its own is none of a guest's (R10).
    """
    start = Begin()
    for name in snapshots.FIELDS:
        here, theirs = getattr(former.here, name), getattr(google, name)
        was_here, was_theirs = getattr(former.base_here, name), getattr(former.base_google, name)
        start.content[name] = theirs
        if name == "when":
            moved = moved_along(was_here, moved=here, part=theirs) if is_organizer else None
            if moved:
                start.content[name], start.base_here[name], start.is_moved_along = moved, theirs, True
            continue
        if name == "people":
            start.content[name] = (theirs | (here - was_here)) - (was_here - here)
            if here != was_here:
                start.base_here[name] = theirs
        elif here != was_here or (name in snapshots.PER_COPY_FIELDS and not is_organizer):
            start.content[name], start.base_here[name], start.base_google[name] = here, was_here, was_theirs
        elif theirs == was_theirs:  # Google may only have written a text in its own way.
            start.content[name] = here
    return start


def _when_begun(run: Run, link: EventLink, part: Part, *, place: int, since: datetime) -> Repeating | None:
    """Return when a part made here took place at first, where Google's begins with the same occurrence, not moved."""
    theirs = _when_in_google(run, link)
    if theirs is None or part.place != place or series.original_of(store.pattern_of(theirs).first) != since:
        return None
    return theirs


def _when_undivided(part: Snapshot, *, link: EventLink, place: int) -> Repeating | None:
    """Return when a later part takes place as if it had not been divided again, None if that is not known."""
    base = store.base_of(link.base_here)
    if base is None or not isinstance(base.when, Repeating) or not isinstance(part.when, Repeating):
        return None
    whole = store.pattern_of(base.when)
    try:
        at = next(islice(recurrence.starts(whole), place, None), None)
        found = recurrence.part_from(whole, at=at, like=store.pattern_of(part.when)) if at else None
    except recurrence.UnreadableRule:
        return None
    return Repeating(part.when.first, found.lines) if found else None


def _parts_to_come(run: Run, whole: EventLink) -> list[Part]:
    """Return what was split off a series here, also off such a part, and is not in Google yet, the earliest first."""
    sent = EventLink.objects.filter(calendar=run.calendar, state__in=EventLink.HOLDING, activity__isnull=False)
    return parts_of(whole.series_id, but=sent)


def _divided_in_google(run: Run, link: EventLink) -> tuple[EventLink, datetime] | None:
    """
    Return of which series an event is a later part, and with which of its occurrences it begins; None if of none.

    The part has an id made from that. Google gives it an unrelated one where it was given another start right away;
    so it is told by its rule, where the same series was divided here as well.
    """
    whole = next(iter(repeating.split_from(run, link)), None)
    if whole is not None:
        return whole, repeating.begin_in(run, link, whole)
    when = _when_in_google(run, link)
    if link.activity_id is not None or when is None or not mapping.facts_of(link.event).is_own:
        return None
    divided_here = Series.objects.filter(split_from__isnull=False).values("split_from")
    wholes = EventLink.objects.filter(
        calendar=run.calendar,
        google_calendar_id=link.google_calendar_id,
        state=EventLink.State.LINKED,
        activity__is_series=True,
        activity__series__in=divided_here,
    ).exclude(event__status="cancelled")
    for whole in wholes.select_related("activity__series").order_by("id"):
        since = _cut_in_google_for(run, whole, link) if repeating.has_same_organizer(whole, link) else None
        if since and _parts_to_come(run, whole):
            return whole, since
    return None


def _cut_in_google_for(run: Run, whole: EventLink, link: EventLink) -> datetime | None:
    """Return where a series was cut in Google if, but for another start, it goes on there like this event."""
    base, part = store.base_of(whole.base_google), _when_in_google(run, link)
    if base is None or part is None or not isinstance(base.when, Repeating):
        return None
    pattern, is_cut_too = store.pattern_of(base.when), bool(repeating.parts_in_google(run, link))
    earlier = 0
    try:
        for former in [whole, *_coming(repeating.parts_in_google(run, whole))]:
            left = _when_in_google(run, former)
            if left is None or recurrence.is_endless(store.pattern_of(left)):
                return None
            earlier += sum(1 for _ in recurrence.starts(store.pattern_of(left)))
            at = next(islice(recurrence.starts(pattern), earlier, None), None)
            if at is None:
                return None
            if recurrence.goes_on(pattern, at=at, part=store.pattern_of(part), is_cut_too=is_cut_too):
                return at
    except recurrence.UnreadableRule:
        pass
    return None


def _coming(links: Iterable[EventLink]) -> list[EventLink]:
    """Return the links whose events are to come in still."""
    return [link for link in links if link.activity_id is None and link.state == EventLink.State.SEEN]


def _when_in_google(run: Run, link: EventLink) -> Repeating | None:
    """Return when a series takes place in Google, None if it is none there or cannot be read."""
    if link.event.get("status") == "cancelled":
        return None
    try:
        when = mapping.when_of(link.event, default_zone=run.default_zone)
    except mapping.UnreadableEvent:
        return None
    return when if isinstance(when, Repeating) else None


def _place_in_google(run: Run, link: EventLink, whole: EventLink, *, since: datetime) -> int:
    """
    Return how many occurrences of a series come before a part that Google made.

    What lies between them in Google, other parts that have not come in yet, are occurrences of the whole as well.
    """
    former, place = whole, 0
    for part in _coming(repeating.parts_in_google(run, whole)):
        at, begin = repeating.cut_of(part), repeating.cut_of(former)
        if at and (begin is None or at > begin) and at < since:
            place += _starts_before(run, former, at)
            former = part
    return place + _starts_before(run, former, since)


def _starts_before(run: Run, link: EventLink, at: datetime) -> int:
    """Return how many occurrences a series had in Google before it was cut there."""
    base, now = store.base_of(link.base_google), _when_in_google(run, link)
    was = store.pattern_of(base.when) if base and isinstance(base.when, Repeating) else None
    try:
        if now and (was is None or not recurrence.happens_at(was, at)):  # It was moved before it was cut.
            left = store.pattern_of(now)
            return sum(1 for _ in recurrence.starts(left, before=at if recurrence.is_endless(left) else None))
        return sum(1 for _ in recurrence.starts(was, before=at)) if was else 0
    except recurrence.UnreadableRule:
        return 0


def is_divided_in_google_too(run: Run, activity: Activity) -> bool:
    """Whether Google has divided the same series: its part comes in first, so that no occurrence is in two."""
    whole = link_before_the_split(run, activity)
    if whole is None:
        return False
    coming = _series_to_come(run)
    if coming.filter(event_id__startswith=f"{repeating.root_of(whole)}_R").exists():
        return True
    return any(found[0] == whole for link in coming if (found := _divided_in_google(run, link)))


def _series_to_come(run: Run) -> QuerySet[EventLink]:
    coming = EventLink.objects.filter(calendar=run.calendar, state=EventLink.State.SEEN, is_marked=True, activity=None)
    coming = coming.filter(event__recurrence__isnull=False)
    return coming.exclude(event__status="cancelled")


def _let_go_first(run: Run, link: EventLink, whole: EventLink | None, *, since: datetime | None = None) -> None:
    """
    Let other parts of the same series come in first, where only that tells whose parts they are.

    :raises LookLater: if there are any.
    """
    root = repeating.root_of(link)
    for other in _series_to_come(run).exclude(pk=link.pk):
        if whole is None and other.event_id == root and _divided_in_google(run, other):
            raise LookLater
        if whole and since and repeating.cut_of(other) is None:
            found = _divided_in_google(run, other)
            if found and found[0] == whole and found[1] > since:
                raise LookLater


def cut_parts_here(run: Run, former: Former, head: Activity, *, when: When) -> list[Part]:
    """
    Let what was split off here, and not sent yet, end where Google's part begins; its occurrences go there.

    Nothing is left of one that begins there as well. What begins later is split off Google's part from now on; what is
    to be sent of that is returned. `when` is when Google's part takes place there.
    """
    assert head.series is not None
    later = [part for part in _parts_to_come(run, former.link) if part.place > former.place]
    behind = _parts_behind(run, former, when)
    within = {part.series.pk for part in behind}
    for part in behind:
        if part.series.split_from_id not in within:
            part.series.split_from, part.series.split_after = head.series, part.place - former.place
            part.series.save(update_fields=["split_from", "split_after"])
    if former.part is None:
        return later
    part = former.part
    pattern = series.pattern_of(part.head)
    at = _start_in(former, pattern, begins=part.place, number=former.place)
    if at is None:  # It ends before.
        return later
    moved = series.move_occurrences(part.head, to=head, since=at, now=run.now)
    repeating.renew(run, moved)
    if part.place == former.place or next(recurrence.starts(pattern, before=at), None) is None:
        series.erase([part.head.pk, *Activity.every.filter(series=part.series).values_list("pk", flat=True)])
        return later
    part.series.refresh_from_db()
    part.series.recurrence = list(recurrence.before_cut(pattern, at=at))
    part.series.save(update_fields=["recurrence"])
    # Those for which Google's part has no place are none of either.
    columns = series.when_columns(part.head)
    dropped = series.re_place(part.series, old=pattern, old_columns=columns, now=run.now)
    assert former.link.activity is not None
    repeating.leave(former.link.activity, dropped)
    return later


def changed_for_later(former: Former, here: Snapshot, google: Snapshot) -> tuple[dict[str, Any], list[str]]:
    """
    Return what Google changed from its part on that reaches a later part made here, and what was changed here as well.

    That stays as it is here, and so does a time of its own that the later part was given.
    """
    patch: dict[str, Any] = {}
    both = []
    for name in ("subject", "location", "notes", "is_private", "show_as_free", "reminder"):
        theirs, own = getattr(google, name), getattr(here, name)
        if theirs in (getattr(former.base_google, name), own):
            continue
        if own == getattr(former.base_here, name):
            patch[name] = theirs
        else:
            both.append(name)
    unmoved = _when_divided(former.base_google, former.place)
    if unmoved and isinstance(google.when, Repeating) and google.when.first != unmoved.first:
        along = moved_along(unmoved, moved=google.when, part=here.when)
        patch |= {"when": along} if along else {}
        both += [] if along else ["when"]
    people = (here.people | (google.people - former.base_google.people)) - (former.base_google.people - google.people)
    if people != here.people:
        patch["people"] = people
    return patch, both


def _start_in(former: Former, part: recurrence.Pattern, *, begins: int, number: int) -> datetime | None:
    """Return which start of a part, that began with one occurrence of the whole, another one of the whole is."""
    whole = former.whole_google
    if whole is None:
        return next(islice(recurrence.starts(part), number - begins, None), None)
    return recurrence.start_in_part(part, whole=whole, begins=begins, number=number)


def until_next_part(run: Run, former: Former, when: When) -> Repeating | None:
    """
    Return when Google's part takes place up to what was split off here behind its begin, and was not cut off there yet.

    None if there is none.
    """
    if not isinstance(when, Repeating):
        return None
    pattern = store.pattern_of(when)
    part = next(iter(_parts_behind(run, former, when)), None)
    at = _start_in(former, pattern, begins=former.place, number=part.place) if part else None
    if at is None or next(recurrence.starts(pattern, before=at), None) is None:
        return None
    return Repeating(when.first, recurrence.before_cut(pattern, at=at))


def end_what_is_gone(run: Run, former: Former) -> None:
    """
    Let a series end before the part that Google divided off it, where Google has deleted the rest of it since.

    A deleted event does not tell where it ended. Set back, or brought back by a change made here, it would have the
    occurrences of its later part as well. Both sides count as agreed on that: nobody has moved it.
    """
    head = store.load_activity(former.link.activity_id, lock=True)
    whole, is_gone = former.whole_google, former.link.event.get("status") == "cancelled"
    if not is_gone or head.organizer_id != run.me.pk or head.series is None or whole is None or not former.place:
        return
    pattern, columns = series.pattern_of(head), series.when_columns(head)
    head.series.recurrence = list(_lines_before(pattern, whole=whole, place=former.place))
    head.series.save(update_fields=["recurrence"])
    dropped = series.re_place(head.series, old=pattern, old_columns=columns, now=run.now)
    repeating.leave(head, dropped)
    link = EventLink.objects.get(pk=former.link.pk)
    for base in (link.base_here, link.base_google):
        agreed = store.base_of(base)
        if base and agreed and isinstance(agreed.when, Repeating):
            lines = _lines_before(store.pattern_of(agreed.when), whole=whole, place=former.place)
            base["snapshot"]["when"] = snapshots.dump_when(Repeating(agreed.when.first, lines))
    link.save(update_fields=["base_here", "base_google"])


def _lines_before(pattern: recurrence.Pattern, *, whole: recurrence.Pattern, place: int) -> tuple[str, ...]:
    """Return the lines of a series up to the occurrence of the whole with which its later part begins."""
    at = recurrence.start_in_part(pattern, whole=whole, begins=0, number=place)
    ends_before = at is None or next(recurrence.starts(pattern, before=at), None) is None
    return tuple(pattern.lines) if at is None or ends_before else recurrence.before_cut(pattern, at=at)


def _parts_behind(run: Run, former: Former, when: When) -> list[Part]:
    """
    Return what was split off here behind the begin of Google's part, and is in that as well, the next first.

    It is not in Google yet, or it is, and the series has not been cut there yet.
    """
    to_come = {part.head.pk for part in _parts_to_come(run, former.link)}
    parts = [
        part for part in parts_of(former.link.series_id, but=EventLink.objects.none()) if part.place > former.place
    ]
    return [part for part in parts if part.head.pk in to_come or _is_in_both(former, when, part)]


def _is_in_both(former: Former, when: When, part: Part) -> bool:
    """Whether Google's part has what a part has that is in Google as well, because nobody has cut the whole there."""
    whole = former.whole_google
    if whole is None or not isinstance(when, Repeating):
        return False
    if next(islice(recurrence.starts(whole), part.place, None), None) is None:
        return False
    return _start_in(former, store.pattern_of(when), begins=former.place, number=part.place) is not None


def take_over_people(
    run: Run, former: Former, activity: Activity, start: Begin, facts: EventFacts, profiles: Mapping[str, int]
) -> None:
    """
    Let everybody take part in the new part as in the former one, but whom Google has taken off.

    Who is known here alone stays (R7). An answer given here and not sent yet stands (R10).
    """
    guests = {profiles[guest.address]: guest for guest in facts.guests if guest.address in profiles}
    staying = start.content["people"] | {run.me.pk, activity.organizer_id, activity.owner_id}
    people = []
    for one in former.head.participants.all():
        if one.profile_id in former.here.people and one.profile_id not in staying:
            continue
        person = series.same_person(one, activity.pk)
        if guest := guests.get(one.profile_id):
            known = former.answers.get(str(one.profile_id), Participant.Response.NEEDS_ACTION)
            person.response = guest.response if one.response == known else one.response
            person.address = one.address or guest.address
        if one.profile_id == activity.organizer_id:
            person.reminder_minutes = start.content["reminder"]
        person.displayed = one.displayed or one.profile_id == run.me.pk
        people.append(person)
    Participant.objects.bulk_create(people)


def journal_time(run: Run, former: Former, link: EventLink, google: Snapshot, start: Begin) -> None:
    """Keep the time to which the series was moved here before Google split it, where it gave way (R11)."""
    if former.here.when == former.base_here.when or start.is_moved_along:
        return
    run.note(
        SyncOutcome.Action.REPLACED,
        rule="R15",
        reason=_("Google divided the series meanwhile. The new part takes place when Google says."),
        item=former.head.subject,
        link=link,
        field="when",
        here=snapshots.dump_when(former.here.when),
        google=snapshots.dump_when(google.when),
        kept=SyncOutcome.Direction.GOOGLE,
    )
