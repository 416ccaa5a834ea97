"""
Series and their occurrences in a session (R15).

The head of a series is linked to Google's event of the whole series and takes part as any activity does. What the head
takes on, its occurrences follow. An occurrence is linked by itself only where it is an exception.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import F, Q, QuerySet

from activities import recurrence, series
from activities.models import Activity, Participant, Series
from sync import marks, store
from sync.core import mapping
from sync.core import snapshot as snapshots
from sync.core.decide import Presence
from sync.core.identity import Candidate
from sync.core.mapping import EventFacts
from sync.core.snapshot import Days, Repeating, Snapshot, When, at_occurrence
from sync.models import ActivityMark, EventLink, SyncOutcome
from sync.run import Run, facts_in

State = EventLink.State
AS_OF_SERIES = "as_of_series"  # In the base: the etag under which an occurrence was read that is no exception yet.
OF_SERIES = ("subject", "when", "location", "notes", "is_private", "show_as_free")  # What an occurrence has from it.
_PART = re.compile(r"^(?P<root>.+?)(_R\d{8}(T\d{6})?)+$")  # How Google names the later part of a series that was split.


# --- What belongs together ---------------------------------------------------------------------------------------


def link_of_series(run: Run, link: EventLink, facts: EventFacts) -> EventLink | None:
    """Return this account's link to the series of which a link's event is one occurrence, None if it has none."""
    return EventLink.objects.filter(
        calendar=run.calendar,
        google_calendar_id=link.google_calendar_id,
        event_id=facts.series_event_id,
        activity__is_series=True,
    ).first()


def link_of_head(run: Run, occurrence: Activity) -> EventLink | None:
    """Return this account's link to the series of an occurrence, None if it has none."""
    return EventLink.objects.filter(
        calendar=run.calendar, activity__series=occurrence.series_id, activity__is_series=True
    ).first()


def candidates(run: Run, facts: EventFacts) -> list[Candidate]:
    """Return which occurrence of a colleague's series an event that came by itself may be (R9)."""
    if not facts.series_event_id or facts.original_start is None:
        return []
    same = Q(event_id=facts.series_event_id) | Q(ical_uid=facts.ical_uid)
    wholes = EventLink.objects.filter(same, activity__is_series=True).exclude(calendar=run.calendar)
    found = []
    for whole in wholes.select_related("calendar__account").order_by("id"):
        theirs = facts_in(whole)
        occurrence = Activity.objects.filter(series=whole.series_id, original_start=facts.original_start).first()
        if occurrence is None or theirs.organizer != facts.organizer:
            continue
        if occurrence.links.filter(calendar=run.calendar).exists():
            continue
        own = occurrence.links.filter(calendar=whole.calendar).first()
        found.append(
            Candidate(
                activity_id=occurrence.pk,
                event_id=facts.event_id if whole.event_id == facts.series_event_id else "",
                is_own_copy=theirs.is_own,
                invited=(facts_in(own) if own else theirs).addresses,
                was_made_here=not occurrence.made_in_google,
            )
        )
    return found


def waits_for_its_series(run: Run, activity: Activity | None) -> bool:
    """Whether the series of an occurrence waits for a person's word before it is removed (R14)."""
    if activity is None or activity.original_start is None or not run.deferred:
        return False
    return EventLink.objects.filter(pk__in=run.deferred, series=activity.series_id, activity__is_series=True).exists()


def is_stale(run: Run, link: EventLink) -> bool:
    """Whether Google knows an occurrence by another name now: its series was moved, split or made anew."""
    facts = facts_in(link)
    occurrence = link.activity
    if not facts.series_event_id or occurrence is None or occurrence.original_start is None:
        return False
    whole = link_of_head(run, occurrence)
    if whole is None:
        return False  # Invited to this occurrence alone.
    if (whole.event_id, occurrence.original_start) != (facts.series_event_id, facts.original_start):
        return True
    return facts.is_cancelled and not _takes_place(run, whole, occurrence.original_start)


def _takes_place(run: Run, whole: EventLink, original: datetime) -> bool:
    """Whether Google's rule still has an occurrence there; one that went with its day was cancelled by nobody (R15)."""
    if facts_in(whole).is_cancelled:
        return True
    try:
        when = mapping.when_of(whole.event, default_zone=run.default_zone)
        return not isinstance(when, Repeating) or recurrence.happens_at(store.pattern_of(when), original)
    except (mapping.UnreadableEvent, recurrence.UnreadableRule):
        return True


def let_go(run: Run, link: EventLink) -> None:
    """Forget a stale link; what is particular about the occurrence is found anew and becomes an exception again."""
    with run.transaction():
        occurrence = link.activity
        assert occurrence is not None
        link.delete()
        _mark(run, [occurrence.pk])


# --- Exceptions --------------------------------------------------------------------------------------------------


def place_exception(run: Run, link: EventLink, whole: EventLink) -> bool:
    """
    Link an occurrence that Google shows by itself to its activity. Returns whether nothing more is to be done about it.

    One that was cancelled before it came here never becomes an activity. One beyond the horizon waits for it.
    """
    facts = facts_in(link)
    assert facts.original_start is not None
    head, original = store.load_activity(whole.activity_id), facts.original_start
    occurrence = Activity.every.filter(series=head.series, original_start=original).first()
    if occurrence is None and not facts.is_cancelled:
        occurrence = _lay_out_one(run, head, link, original)
    if occurrence is None and whole.state == State.FROZEN:
        _unmark(link)  # What Google did to its series is not here yet: it has its turn when that flows again (R4).
        return True
    if occurrence is None:
        with run.transaction():
            _journal_what_is_dropped(run, link, whole, head)
            if facts.is_cancelled and head.organizer_id == run.me.pk and head.series:
                series.skip(head.series, originals=[original])
            EventLink.objects.filter(pk=link.pk).update(series=head.series)
            _unmark(link)
        return True
    with run.transaction():
        EventLink.objects.filter(calendar=run.calendar, activity=occurrence).exclude(pk=link.pk).delete()
        _link(link, occurrence, whole)
    return False


def _journal_what_is_dropped(run: Run, link: EventLink, whole: EventLink, head: Activity) -> None:
    """Keep what Google has changed about an occurrence which, by the rule that was chosen here, there is no more."""
    facts, base = facts_in(link), store.base_of(whole.base_google)
    original = facts.original_start
    taken_along = store.base_of(link.base_google)  # By the part that was split off here: that has it.
    is_mine = head.organizer_id == run.me.pk
    if facts.is_cancelled or original is None or base is None or not isinstance(base.when, Repeating) or not is_mine:
        return
    if recurrence.happens_at(series.pattern_of(head), original):
        return  # It lies beyond the horizon, or before the window.
    profiles = run.profiles_for(link.event, store.profiles_by_email(facts.addresses))
    google = mapping.snapshot_of(link.event, profiles=profiles, default_zone=run.default_zone)
    of_series = taken_along or at_occurrence(base, original)
    for name in (*OF_SERIES, "people"):
        if getattr(google, name) != getattr(of_series, name):
            run.note(
                SyncOutcome.Action.REPLACED,
                rule="R15",
                reason="How it repeats was changed here, and this occurrence, changed in Google, is none any more.",
                item=google.subject,
                link=link,
                field=name,
                google=snapshots.dump_value(getattr(google, name)),
                kept=SyncOutcome.Direction.HERE,
                is_resolved=True,
            )


def _lay_out_one(run: Run, head: Activity, link: EventLink, original: datetime) -> Activity | None:
    """An occurrence that was moved into the window becomes an activity, wherever its series had put it."""
    assert head.series is not None
    when = store.last_time(mapping.when_of(link.event, default_zone=run.default_zone))
    begins = when.first if isinstance(when, Days) else when.start.date()
    is_due = begins <= series.horizon(now=run.now).date() and run.window.holds(when)
    if not is_due or not recurrence.happens_at(series.pattern_of(head), original):
        return None
    with run.transaction():
        made = series.lay_out_these(head.series, originals=[original], now=run.now)
    return made[0] if made else None


def deviates(run: Run, occurrence: Activity, whole: EventLink) -> bool:
    """Whether there is something about an occurrence that its series does not say, and this session may send."""
    base = store.base_of(whole.base_here)
    is_there = whole.state == State.LINKED and whole.event.get("status") != "cancelled"
    if not is_there or base is None or not isinstance(base.when, Repeating):
        return False
    if _answer_of(occurrence, run.me.pk) not in (None, _answer_agreed(whole, run.me.pk)):
        return True
    if occurrence.organizer_id != run.me.pk:
        return False
    assert occurrence.original_start is not None
    addresses = store.addresses_of(person.profile_id for person in occurrence.participants.all())
    here = store.snapshot_here(occurrence, addresses=addresses, organizer=occurrence.organizer_id)
    is_gone = store.presence_here(occurrence) is not Presence.PRESENT
    return is_gone or here != at_occurrence(base, occurrence.original_start)


def _answer_of(occurrence: Activity, profile: int) -> str | None:
    return next((one.response for one in occurrence.participants.all() if one.profile_id == profile), None)


def _answer_agreed(whole: EventLink, profile: int) -> str | None:
    """Return the answer agreed on for the whole series; somebody Google does not list has none to differ from."""
    answers: Mapping[str, str] = (whole.base_google or {}).get("answers", {})
    head = whole.activity
    assert head is not None
    return answers.get(str(profile)) or _answer_of(head, profile)


def mark_what_deviates(run: Run, head: Activity) -> None:
    """Let this session's successor look at each occurrence that is particular, once its series is linked anew (R15)."""
    if not head.is_series:
        return
    whole = EventLink.objects.filter(calendar=run.calendar, activity=head).first()
    if whole is None:
        return
    rows = Activity.every.filter(series=head.series, is_series=False).exclude(links__calendar=run.calendar)
    found = [row.pk for row in rows.prefetch_related("participants") if deviates(run, row, whole)]
    _mark(run, found)


def forget_exceptions(run: Run, head: Activity) -> None:
    """
    The series is gone from Google, and its changed occurrences with it, without a word about each.

    Should it return, what is particular about them is found anew. Those that had been cancelled by themselves stay so.
    """
    links = EventLink.objects.filter(calendar=run.calendar, series=head.series, activity__is_series=False)
    links = links.exclude(event__status="cancelled")
    if store.presence_here(head) is not Presence.PRESENT:
        for link in links.filter(is_marked=True):
            _journal_lost(run, link, head, base=store.base_of(link.base_google))
    links.delete()


def goes_with_its_series(run: Run, link: EventLink, whole: EventLink) -> bool:
    """
    Forget an occurrence that was changed in Google, where its series was canceled or deleted here since (R14).

    Who removes all of a series means this occurrence as well; a change of one is no change of the series.
    """
    theirs, head = facts_in(whole), store.load_activity(whole.activity_id)
    is_removed = theirs.is_cancelled and theirs.is_own and store.presence_here(head) is not Presence.PRESENT
    original = facts_in(link).original_start
    if not is_removed or original is None or facts_in(link).is_cancelled:
        return False
    base = store.base_of(whole.base_google)
    with run.transaction():
        _journal_lost(run, link, head, base=at_occurrence(base, original) if base else None)
        link.delete()
    return True


def _journal_lost(run: Run, link: EventLink, head: Activity, *, base: Snapshot | None) -> None:
    """Keep what was changed in Google about an occurrence that goes with its series all the same (R14)."""
    facts = facts_in(link)
    profiles = run.profiles_for(link.event, store.profiles_by_email(facts.addresses))
    try:
        google = mapping.snapshot_of(link.event, profiles=profiles, default_zone=run.default_zone)
    except mapping.UnreadableEvent:
        return
    names = [name for name in snapshots.FIELDS if base and getattr(google, name) != getattr(base, name)]
    if not names:
        return
    run.note(
        SyncOutcome.Action.REPLACED,
        rule="R14",
        reason="One occurrence was changed in Google, but the whole series was canceled or deleted here: it goes too.",
        item=google.subject,
        activity_id=head.pk,
        field=", ".join(names),
        here={name: snapshots.dump_value(getattr(base, name)) for name in names},
        google={name: snapshots.dump_value(getattr(google, name)) for name in names},
        kept=SyncOutcome.Direction.HERE,
        is_resolved=True,
    )


def mark_all_that_deviates(run: Run) -> None:
    """Find what is particular about the occurrences of every series, as the daily comparison does (R18)."""
    wholes = EventLink.objects.filter(calendar=run.calendar, state=State.LINKED, activity__is_series=True)
    for whole in wholes.select_related("activity__series"):
        assert whole.activity is not None
        assert whole.activity.series is not None
        with run.transaction():  # The window may begin earlier than it did.
            series.lay_out(whole.activity.series, after=run.window.start, now=run.now)
        look_at_exceptions(run, whole)
        mark_what_deviates(run, whole.activity)


def extend_horizon(*, now: datetime) -> int:
    """
    Lay out what has come within the horizon since, without a request to Google (R15). Returns how many it made.

    Occurrences that Google had changed before they were due here get their turn in the next session.
    """
    made = series.extend_horizon(now=now)
    if made:
        waiting = EventLink.objects.filter(state=State.SEEN, series__isnull=False, is_marked=False)
        horizon = series.horizon(now=now)
        due = [link.pk for link in waiting if (facts_in(link).original_start or horizon) < horizon]
        marks.mark_links(EventLink.objects.filter(pk__in=due))  # Should it die before, the daily comparison does it.
    return made


def exceptions_of(run: Run, activity: Activity) -> list[int]:
    """Return this account's links to changed occurrences of a series; none of any other activity."""
    if not activity.is_series:
        return []
    links = EventLink.objects.filter(calendar=run.calendar, series=activity.series_id, activity__is_series=False)
    return list(links.values_list("pk", flat=True))


def event_id_of(whole: EventLink, occurrence: Activity) -> str:
    """Return Google's id of an occurrence of a series, changed or not (Calendar API, recurring events)."""
    assert occurrence.original_start is not None
    is_all_day = "date" in (whole.event.get("start") or {})
    return f"{whole.event_id}_{recurrence.instance_suffix(occurrence.original_start, all_day=is_all_day)}"


def is_time_on_its_way(whole: EventLink) -> bool:
    """Whether a series takes place at other times here than both sides last agreed: Google does not know them yet."""
    current = EventLink.objects.get(pk=whole.pk)
    base = store.base_of(current.base_here)
    return base is not None and base.when != store.when_here(store.load_activity(current.activity_id))


def link_exception(run: Run, occurrence: Activity, whole: EventLink, event: Mapping[str, Any]) -> EventLink:
    """Link an occurrence to Google's version of it. What series and occurrence agreed on so far is the base."""
    event = mapping.cleaned(dict(event))
    with run.transaction():
        link, _is_new = EventLink.objects.get_or_create(
            calendar=run.calendar, google_calendar_id=whole.google_calendar_id, event_id=event["id"]
        )
        EventLink.objects.filter(calendar=run.calendar, activity=occurrence).exclude(pk=link.pk).delete()
        link.event, link.etag = event, str(event.get("etag", ""))
        link.ical_uid = mapping.facts_of(event).ical_uid[: store.LONGEST_ID]
        link.set_guest_addresses(mapping.facts_of(event).addresses)
        link.seen_in_read = run.calendar.complete_read
        _link(link, occurrence, whole)
        if link.base_here is not None:
            link.base_here[AS_OF_SERIES] = link.etag
            link.save(update_fields=["base_here"])
        return link


def is_none_in_google(link: EventLink, event: Mapping[str, Any]) -> bool:
    """Whether an occurrence was linked to send something about it, and Google shows nothing but its series yet."""
    etag = (link.base_here or {}).get(AS_OF_SERIES)
    return bool(etag) and etag == event.get("etag")


def return_to_series(link: EventLink, *, agreed: Snapshot | None) -> None:
    """
    Let an occurrence be as its series again, with whatever that takes on: there was nothing to send about it.

    Linked by itself it would follow no more, since Google tells nothing about what is no exception there. What somebody
    has changed in this very moment stays, and so does everything in the session of who does not organize it (`agreed`).
    """
    if agreed is None:
        link.delete()
        return
    occurrence = store.load_activity(link.activity_id, lock=True)
    here = store.snapshot_here(occurrence, addresses={}, organizer=occurrence.organizer_id)
    names = [name for name in OF_SERIES if getattr(here, name) == getattr(agreed, name)]
    assert occurrence.series is not None
    series.put_back(occurrence, head=occurrence.series.head, names=names)
    link.delete()


def _link(link: EventLink, occurrence: Activity, whole: EventLink) -> None:
    as_exception(link, occurrence, whole)
    link.series, link.state = occurrence.series, State.LINKED
    link.reason, link.rule, link.retry_at = "", "", None
    link.is_marked, link.mark = True, link.mark + 1
    link.save()


def as_exception(link: EventLink, occurrence: Activity, whole: EventLink, *, original: datetime | None = None) -> None:
    """
    Let a link, not saved, belong to an occurrence; what its series agreed on about it is the base.

    `original` says which one of the series it is, if by now it is one of another series.
    """
    original = original or occurrence.original_start
    assert original is not None
    if link.event.get("status") == "cancelled":  # Google says little more than its id; whose it was, the series tells.
        kept = ("organizer", "creator", "attendees", "iCalUID", "eventType")
        link.event = {name: whole.event[name] for name in kept if name in whole.event} | link.event
    here, google = store.base_of(whole.base_here), store.base_of(whole.base_google)
    link.activity = occurrence
    link.base_here = _base(here, original, presence=Presence.PRESENT.value)
    link.base_google = _base(google, original, answers=(whole.base_google or {}).get("answers", {}))


def _base(whole: Snapshot | None, original: datetime, **more: Any) -> dict[str, Any] | None:
    return {"snapshot": snapshots.dump(at_occurrence(whole, original)), **more} if whole else None


def _unmark(link: EventLink) -> None:
    EventLink.objects.filter(pk=link.pk, mark=link.mark).update(is_marked=False)


def _mark(run: Run, activities: Iterable[int]) -> None:
    """Let occurrences be looked at, also those that are being looked at: their mark must not be taken off for it."""
    mark = 1 + secrets.randbelow(2**31 - 1)
    ActivityMark.objects.bulk_create(
        [ActivityMark(calendar=run.calendar, activity_id=pk, mark=mark) for pk in activities],
        update_conflicts=True,
        unique_fields=["calendar", "activity"],
        update_fields=["mark"],
        batch_size=1000,
    )


# --- Series that come in -----------------------------------------------------------------------------------------


def put_rule(activity: Activity, when: Repeating) -> None:
    """Let the head of a series repeat like this; the series is made with its first rule. The head is not saved."""
    row = activity.series or Series()
    row.recurrence = list(when.lines)
    pattern = store.pattern_of(when)
    row.first_start = series.original_of(pattern.first)
    row.time_zone = activity.time_zone if isinstance(when.first, Days) else pattern.time_zone
    row.save()
    activity.series, activity.is_series = row, True


def lay_out_imported(
    run: Run, link: EventLink, head: Activity, *, part_of: EventLink | None, since: datetime | None
) -> None:
    """
    Make the occurrences of a series that has just come in.

    What is here already moves into it with its local work: the occurrences, from `since` on, of the series from which
    Google split it off (`part_of`), and those to which somebody was invited one by one.
    """
    assert head.series is not None
    _take_over_single_invitations(run, link, head)
    for whole in split_from(run, link) or filter(None, [part_of]):
        assert whole.activity is not None
        moved = series.move_occurrences(whole.activity, to=head, since=since or head.series.first_start, now=run.now)
        if cut_of(link) is None and _cut_in_google(run, whole):
            _let_times_follow(head, moved)
        renew(run, moved)
    series.skip(head.series, originals=_left_out(run, link))
    series.lay_out(head.series, after=run.window.start, now=run.now)
    look_at_exceptions(run, link)


def lay_out_joined(run: Run, link: EventLink, head: Activity) -> None:
    """Make what is missing for somebody who joins a series: their window may begin earlier."""
    assert head.series is not None
    _take_over_single_invitations(run, link, head)
    if head.organizer_id == run.me.pk:  # What only a guest had thrown away takes place all the same.
        left_out = {original.isoformat() for original in _left_out(run, link)}
        head.series.skipped = [text for text in head.series.skipped if text in left_out]
        head.series.save(update_fields=["skipped"])
    series.lay_out(head.series, after=run.window.start, now=run.now)
    look_at_exceptions(run, link)


def _left_out(run: Run, link: EventLink) -> list[datetime]:
    """Return the original starts that Google's series leaves out: cancelled before they came here."""
    gone = EventLink.objects.filter(
        calendar=run.calendar, event__recurringEventId=link.event_id, event__status="cancelled", activity=None
    )
    originals = (facts_in(exception).original_start for exception in gone)
    return [original for original in originals if original]


def split_from(run: Run, link: EventLink) -> list[EventLink]:
    """
    Return the links to the series of which an event is a later part, told by its id (Google's `_R`), the latest first.

    Of a series that was split twice before anybody looked, the last part's occurrences are still with the first. A part
    that begins at another time has an id of its own: it is told by the series that Google cut in the same moment.
    """
    part = _PART.match(link.event_id)
    if part is None:
        return cut_in_the_same_moment(run, link)
    root = part["root"]
    same = Q(event_id=root) | Q(event_id__startswith=f"{root}_R")
    wholes = EventLink.objects.filter(same, calendar=run.calendar, activity__is_series=True).exclude(pk=link.pk)
    before = [whole for whole in wholes.select_related("activity__series") if _begins(whole) < begins_event(run, link)]
    return sorted(before, key=_begins, reverse=True)


def begin_in(run: Run, link: EventLink, whole: EventLink) -> datetime:
    """Return with which occurrence of a series its later part begins in Google, wherever that was moved to."""
    if at := cut_of(link):
        return at
    begins, cut = begins_event(run, link), _cut_in_google(run, whole)
    return cut.at if cut and cut.at < begins <= cut.next else begins


@dataclass(frozen=True)
class _Cut:
    """Where Google has cut off the later part of a series: the first occurrence that left, and the one after it."""

    last: datetime  # The start of the last occurrence that is left.
    at: datetime
    next: datetime


def cut_in_the_same_moment(run: Run, link: EventLink) -> list[EventLink]:
    """Return the link to the series that goes on as this event, which has an id of its own; at most one."""
    facts = facts_in(link)
    if not link.event.get("recurrence") or facts.is_cancelled:
        return []
    try:
        begins = begins_event(run, link)
    except mapping.UnreadableEvent:
        return []
    wholes = EventLink.objects.filter(
        calendar=run.calendar,
        google_calendar_id=link.google_calendar_id,
        activity__is_series=True,
        state=State.LINKED,
        is_marked=True,
        changed_in_google__has_key="when",
    )
    found = []
    for whole in wholes.exclude(pk=link.pk).select_related("activity__series"):
        cut = _cut_in_google(run, whole)
        if cut and cut.last < begins and has_same_organizer(whole, link) and _goes_on_as(whole, link):
            found.append((cut.at, whole))
    found.sort(key=lambda pair: pair[0])
    return [whole for _at, whole in found[-1:]]


def has_same_organizer(whole: EventLink, part: EventLink) -> bool:
    """Whether one person organizes both events in Google: what somebody else organizes is no part of a series."""
    former, later = facts_in(whole), facts_in(part)
    return (former.organizer, former.is_own) == (later.organizer, later.is_own)


def _goes_on_as(whole: EventLink, part: EventLink) -> bool:
    """Whether both have the same name, or are of one change: all rows of one have the same `updated` in Google."""
    former, later = facts_in(whole), facts_in(part)
    return whole.event.get("summary") == part.event.get("summary") or former.updated == later.updated


def _cut_in_google(run: Run, whole: EventLink) -> _Cut | None:
    """Return where Google has cut a series since both sides last agreed, None if it has not."""
    base = store.base_of(whole.base_google)
    try:
        now = mapping.when_of(whole.event, default_zone=run.default_zone)
        if base is None or not isinstance(base.when, Repeating) or not isinstance(now, Repeating):
            return None
        before, after = store.pattern_of(base.when), store.pattern_of(now)
        last = recurrence.last_start(after)
        if last is None or now.first != base.when.first or not recurrence.is_cut(before, part=after):
            return None
        starts = recurrence.starts(before, after=last + timedelta(seconds=1))
        at = next(starts, None)
        return _Cut(last, at, next(starts, at)) if at else None
    except (mapping.UnreadableEvent, recurrence.UnreadableRule):
        return None


def _let_times_follow(head: Activity, moved: Iterable[int]) -> None:
    """
    Let occurrences take place when their new series says, which Google gave another time from here on.

    Google keeps no times of their own for them then. What somebody here worked on keeps its own.
    """
    rows = list(Activity.every.filter(pk__in=list(moved)))
    worked_on = series.has_local_work(rows)
    for row in rows:
        if row.pk not in worked_on:
            series.put_back(row, head=head, names=["when"])


def root_of(whole: EventLink) -> str:
    """Return the id from which the ids of a series' later parts in Google are made."""
    part = _PART.match(whole.event_id)
    return part["root"] if part else whole.event_id


def parts_in_google(run: Run, whole: EventLink) -> list[EventLink]:
    """Return the links to the later parts of a series, told by their ids, in their order; cancelled ones are none."""
    found = EventLink.objects.filter(
        calendar=run.calendar,
        google_calendar_id=whole.google_calendar_id,
        event_id__startswith=f"{root_of(whole)}_R",
        event__recurringEventId__isnull=True,
    ).exclude(event__status="cancelled")
    parts = [(cut, link) for link in found if (cut := cut_of(link))]
    return [link for _cut, link in sorted(parts, key=lambda part: part[0])]


def cut_of(link: EventLink) -> datetime | None:
    """Return the original start at which Google split off a later part, told by its id; None if it is none."""
    part = _PART.match(link.event_id)
    if part is None:
        return None
    text = part[2].removeprefix("_R")
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%S" if "T" in text else "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return None


def _begins(whole: EventLink) -> datetime:
    assert whole.activity is not None
    assert whole.activity.series is not None
    return whole.activity.series.first_start


def begins_event(run: Run, link: EventLink) -> datetime:
    when = mapping.when_of(link.event, default_zone=run.default_zone)
    first = when.first if isinstance(when, Repeating) else when
    return series.original_of(first.first if isinstance(first, Days) else first.start)


def _take_over_single_invitations(run: Run, link: EventLink, head: Activity) -> None:
    """Whoever was invited to single occurrences first, this user or a colleague, has these activities already (R9)."""
    singles = EventLink.objects.filter(
        event__recurringEventId=link.event_id,
        activity__isnull=False,
        activity__series=None,
        state__in=EventLink.HOLDING,
    )
    for single in singles.select_related("activity").order_by("id"):
        theirs = facts_in(single)
        original = theirs.original_start
        taken = Activity.every.filter(series=head.series, original_start=original).exists()
        if original is None or taken or theirs.organizer != facts_in(link).organizer:
            continue
        Activity.objects.filter(pk=single.activity_id).update(series=head.series, original_start=original)
        EventLink.objects.filter(activity=single.activity_id).update(series=head.series)


def look_at_exceptions(run: Run, link: EventLink) -> None:
    """Occurrences that Google has shown before their series came in get their turn."""
    EventLink.objects.filter(
        calendar=run.calendar, event__recurringEventId=link.event_id, state=State.SEEN, is_marked=False
    ).update(is_marked=True, mark=F("mark") + 1)


def renew(run: Run, moved: Iterable[int]) -> None:
    """Occurrences that came over into another series: links to what they were there are of no use any more."""
    links = EventLink.objects.filter(activity__in=list(moved), event__recurringEventId__isnull=False)
    ids = list(links.order_by("id").select_for_update(of=("self",), no_key=True).values_list("pk", flat=True))
    EventLink.objects.filter(pk__in=ids).delete()
    _mark(run, moved)


# --- What the head takes on, its occurrences follow ----------------------------------------------------------------

FOLLOWED = (
    "subject", "location", "notes", "is_private", "show_as_free", "google_organizer", "google_read_only_reason",
    "join_link", "other_guests",
)  # fmt: skip
FOLLOWED_BY_ALL = ("organizer", "show_in_calendar")
TEXTS = ("subject", "location", "notes")
OF_PEOPLE = ("response", "displayed", "address", "reminder_minutes")
SHOWN_BY_EXCEPTIONS = ("response", "reminder_minutes")  # Google's exceptions say by themselves what they have.


@dataclass(frozen=True)
class _Head:
    """How the head of a series stands at one moment."""

    columns: dict[str, Any]
    pattern: recurrence.Pattern
    people: dict[int, dict[str, Any]]  # By profile id, what each has as a participant.
    tags: frozenset[int]


def _state_of(head_id: int) -> _Head | None:
    head = Activity.every.filter(pk=head_id, is_series=True).select_related("series").first()
    if head is None:
        return None
    return _Head(
        columns={name: getattr(head, name) for name in (*FOLLOWED, "status", "deleted_at", "show_in_calendar")}
        | {"organizer": head.organizer_id}
        | series.when_columns(head),
        pattern=series.pattern_of(head),
        people={one["profile_id"]: one for one in head.participants.values("profile_id", *OF_PEOPLE)},
        tags=frozenset(head.tags.values_list("pk", flat=True)),
    )


@contextmanager
def followed(run: Run, activity_id: int | None) -> Iterator[None]:
    """
    Let the occurrences of a series follow whatever happens to its head inside; of other activities nothing.

    Exceptions of this account keep what Google says about them; who organizes, takes part and sees it concerns all.
    Call it inside the transaction of the change, around it.
    """
    before = _state_of(activity_id) if activity_id else None
    yield
    if before is None or activity_id is None:
        return
    after = _state_of(activity_id)
    if after is not None and after != before:
        head = Activity.every.select_related("series").get(pk=activity_id)
        _follow(run, head, before, after)


def _follow(run: Run, head: Activity, before: _Head, after: _Head) -> None:
    every = Activity.every.filter(series=head.series, is_series=False)
    plain = every.exclude(links__calendar=run.calendar)
    changed = {name for name, value in after.columns.items() if value != before.columns[name]}
    if names := changed & set(FOLLOWED):
        series.follow(head, before=before.columns, names=names, rows=plain)
    if names := changed & set(FOLLOWED_BY_ALL):
        series.follow(head, before=before.columns, names=names, rows=every)
    if changed & {"status", "deleted_at"}:
        _follow_presence(run, head, every, before, after)
    _follow_people(head, before, after, plain=plain, every=every)
    if added := after.tags - before.tags:
        series.put_tags(head, tags=added)
    if changed & series.when_columns(head).keys() or before.pattern != after.pattern:
        _re_place(run, head, before)


def _follow_presence(run: Run, head: Activity, every: QuerySet[Activity], before: _Head, after: _Head) -> None:
    """A canceled series takes along its occurrences that are not completed, and brings them back with it (R14)."""
    canceled = Activity.Status.CANCELED
    assert head.series is not None
    # What was cancelled by itself, in Google or here, stays so whatever becomes of the others.
    cancelled = EventLink.objects.filter(
        calendar=run.calendar, event__status="cancelled", activity__isnull=False
    ).values("activity")
    rows = every.exclude(pk__in=cancelled)
    status, former = after.columns["status"], before.columns["status"]
    if status == canceled != former:
        rows.exclude(status=Activity.Status.COMPLETED).update(status=canceled)
    elif former == canceled != status:
        rows.filter(status=canceled).update(status=status, result="", result_details="")
        series.lay_out(head.series, now=run.now)
    if before.columns["deleted_at"] and not after.columns["deleted_at"]:
        rows.filter(deleted_at=before.columns["deleted_at"]).update(deleted_at=None)
        series.lay_out(head.series, now=run.now)


def _follow_people(
    head: Activity, before: _Head, after: _Head, *, plain: QuerySet[Activity], every: QuerySet[Activity]
) -> None:
    added = Participant.objects.filter(activity=head, profile__in=after.people.keys() - before.people.keys())
    gone = before.people.keys() - after.people.keys()
    if added or gone:
        series.follow_people(head, added=added, removed=gone, rows=plain)
    for pk in before.people.keys() & after.people.keys():
        if before.people[pk] == after.people[pk]:
            continue
        old = {name: before.people[pk][name] for name in OF_PEOPLE}
        of_this_copy = {name: old.pop(name) for name in SHOWN_BY_EXCEPTIONS}
        series.follow_participant(head, profile_id=pk, before=old, rows=every)
        series.follow_participant(head, profile_id=pk, before=of_this_copy, rows=plain)


def _re_place(run: Run, head: Activity, before: _Head) -> None:
    """The series takes place at other times: occurrences move along, those that the new rule drops leave it (R15)."""
    assert head.series is not None
    unsaid = _texts_of_their_own(run, head, before)
    dropped = series.re_place(head.series, old=before.pattern, old_columns=before.columns, now=run.now)
    leave(head, dropped)
    _journal_erased(run, head, unsaid)
    moved_exceptions = EventLink.objects.filter(activity__series=head.series, activity__is_series=False)
    for link in moved_exceptions.select_related("activity").filter(calendar=run.calendar):
        if link.activity and facts_in(link).original_start not in (None, link.activity.original_start):
            _become_plain(run, head, link)


def _texts_of_their_own(run: Run, head: Activity, before: _Head) -> dict[int, dict[str, str]]:
    """Return what plain occurrences say otherwise than their series, by id: an import leaves no trace of it (R6)."""
    plain = Activity.every.present().filter(series=head.series, is_series=False).exclude(links__calendar=run.calendar)
    found = {}
    for row in plain.values("pk", *TEXTS):
        of_series = {name: (before.columns[name], getattr(head, name)) for name in TEXTS}
        own = {name: row[name] for name in TEXTS if row[name] and row[name] not in of_series[name]}
        if own:
            found[row["pk"]] = own
    return found


def _journal_erased(run: Run, head: Activity, unsaid: Mapping[int, Mapping[str, str]]) -> None:
    """Keep what occurrences said that the new rule has dropped, and that nobody was seen to work on (R15)."""
    kept = set(Activity.every.filter(pk__in=unsaid).values_list("pk", flat=True)) if unsaid else set()
    for pk, texts in unsaid.items():
        for name, text in texts.items() if pk not in kept else ():
            run.note(
                SyncOutcome.Action.REPLACED,
                rule="R15",
                reason="Changed here by an import, but this occurrence of the series is none any more.",
                item=head.subject,
                activity_id=head.pk,
                field=name,
                here=text,
                kept=SyncOutcome.Direction.GOOGLE,
                is_resolved=True,
            )


def leave(head: Activity, dropped: Iterable[Activity]) -> None:
    """
    Let activities stay by themselves that were occurrences with local work, without anything in Google.

    A link says that their event is gone: so no session takes them for new ones and adds them.
    """
    calendars = EventLink.objects.filter(activity=head).values_list("calendar", "google_calendar_id").distinct()
    for activity in dropped:
        agreed = {"presence": store.presence_here(activity).value}
        links = EventLink.objects.filter(activity=activity)
        links.update(state=State.DETACHED, series=None, is_marked=False, retry_at=None, reason="", rule="")
        for link in links:
            link.event = {**link.event, "status": "cancelled"}
            link.base_here = {**(link.base_here or {}), **agreed}
            link.save(update_fields=["event", "base_here"])
        there = {link.calendar_id for link in links}
        EventLink.objects.bulk_create(
            EventLink(
                calendar_id=calendar,
                google_calendar_id=google_calendar_id,
                event_id=f"{EventLink.LEFT}{activity.uid.hex}",
                activity=activity,
                state=State.DETACHED,
                event={"status": "cancelled"},
                base_here=agreed,
            )
            for calendar, google_calendar_id in calendars
            if calendar not in there
        )


def _become_plain(run: Run, head: Activity, link: EventLink) -> None:
    """
    An exception whose series moved under it: Google knows it no more, so it is what its series says.

    What was changed here and not sent yet stays, and becomes an exception again.
    """
    occurrence = store.load_activity(link.activity_id)
    base = store.base_of(link.base_here)
    here = store.snapshot_here(occurrence, addresses={}, organizer=occurrence.organizer_id)
    names = [name for name in snapshots.FIELDS if base and getattr(here, name) == getattr(base, name)]
    series.put_back(occurrence, head=head, names=names)
    link.delete()
    _mark(run, [occurrence.pk])


def is_of_another_kind(activity: Activity, when: When) -> bool:
    """Whether a "when" turns a single activity into a series, or a series into a single activity."""
    return activity.original_start is None and isinstance(when, Repeating) != activity.is_series


def change_kind(run: Run, activity_id: int, when: When) -> None:
    """
    Let an event that begins to repeat in Google, or stops, do so here, at the time it has here.

    That both sides agree on; what else is different is looked at next.
    """
    with run.transaction():
        activity = store.load_activity(activity_id, lock=True)
        if not isinstance(when, Repeating):
            left = _stop_repeating(run, activity)
        else:
            lines = when.lines
            now_here = store.when_here(activity)
            assert not isinstance(now_here, Repeating)
            pattern = store.pattern_of(Repeating(now_here, lines))
            left = series.turn_into_series(activity, pattern=pattern, now=run.now)
        agreed = snapshots.dump_when(store.when_here(left))
        for link in EventLink.objects.filter(activity=left, base_here__isnull=False):
            assert link.base_here is not None
            link.base_here["snapshot"]["when"] = agreed
            link.is_marked, link.mark = True, link.mark + 1
            link.save(update_fields=["base_here", "is_marked", "mark"])


def _stop_repeating(run: Run, head: Activity) -> Activity:
    """The first occurrence that is left goes on as a single activity."""
    assert head.series is not None
    rows = Activity.every.locked().filter(series=head.series, is_series=False)
    first = rows.filter(original_start=head.series.first_start).first() or rows.order_by("original_start").first()
    if first is None:
        [first] = series.lay_out_these(head.series, originals=[head.series.first_start], now=run.now)
    return series.turn_into_single(head, keeping=first, by=None, now=run.now)[0]
