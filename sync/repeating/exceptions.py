"""Occurrences that are linked by themselves, because they deviate from their series on one side (R15)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import F, Q

from accounts.models import profiles_by_email
from activities import recurrence, series
from activities.models import Activity, FieldChange
from sync import marks, store
from sync.core import mapping
from sync.core import snapshot as snapshots
from sync.core.decide import Presence
from sync.core.reasons import _
from sync.core.snapshot import Days, Repeating, Snapshot, When, at_occurrence
from sync.models import EventLink, SyncOutcome
from sync.repeating.belonging import let_stay_by_itself, was_deleted_by_itself
from sync.run import Run, facts_in

GOES_TOO = _("One occurrence was changed in Google, but the whole series was canceled or deleted here: it goes too.")
AS_OF_SERIES = "as_of_series"  # In the base: the etag under which an occurrence was read that is no exception yet.

OF_SERIES = ("subject", "when", "location", "notes", "is_private", "show_as_free")  # What an occurrence has from it.


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
    if occurrence is None and whole.state == EventLink.State.FROZEN:
        _unmark(link)  # What Google did to its series is not here yet: it has its turn when that flows again (R4).
        return True
    if occurrence is None and _waits_for_the_new_time(run, head, whole, original):
        return True  # Before its series is moved in Google, what was done to it there comes along.
    if occurrence is None:
        with run.transaction():
            _journal_what_is_dropped(run, link, whole, head)
            is_left_out = was_deleted_by_itself(run, link, whole) and head.organizer_id == run.me.pk
            if is_left_out and head.series:
                series.skip(head.series, originals=[original])
            EventLink.objects.filter(pk=link.pk).update(series=head.series)
            _unmark(link)
        return True
    with run.transaction():
        EventLink.objects.filter(calendar=run.calendar, activity=occurrence).exclude(pk=link.pk).delete()
        _link(link, occurrence, whole)
    return False


def _waits_for_the_new_time(run: Run, head: Activity, whole: EventLink, original: datetime) -> bool:
    """Whether an occurrence is to be told by another original start, once the time given to its series is sent."""
    is_ours = head.organizer_id == run.me.pk and is_time_on_its_way(whole)
    return is_ours and not recurrence.happens_at(series.pattern_of(head), original)


def journal_before_they_go(run: Run, whole: EventLink, head: Activity) -> None:
    """Keep what Google has changed about occurrences that our write makes it forget, whoever dies over that (R15)."""
    shown = EventLink.objects.filter(
        calendar=run.calendar, event__recurringEventId=whole.event_id, state=EventLink.State.SEEN, is_marked=True
    )
    pattern = series.pattern_of(head)
    for link in shown.exclude(event__status="cancelled"):
        original = facts_in(link).original_start
        if original is not None and not recurrence.happens_at(pattern, original):
            with run.transaction():
                _journal_what_is_dropped(run, link, whole, head)
                _unmark(link)


def _journal_what_is_dropped(run: Run, link: EventLink, whole: EventLink, head: Activity) -> None:
    """Keep what Google has changed about an occurrence which, by the rule that was chosen here, there is no more."""
    facts, base = facts_in(link), store.base_of(whole.base_google)
    original = facts.original_start
    taken_along = store.base_of(link.base_google)  # By the part that was split off here: that has it.
    is_mine = head.organizer_id == run.me.pk
    if facts.is_cancelled or original is None or base is None or not isinstance(base.when, Repeating) or not is_mine:
        return
    if not link.is_marked:
        return  # It was kept before our write.
    if recurrence.happens_at(series.pattern_of(head), original):
        return  # It lies beyond the horizon, or before the window.
    profiles = run.profiles_for(link.event, profiles_by_email(facts.addresses))
    google = mapping.snapshot_of(link.event, profiles=profiles, default_zone=run.default_zone)
    of_series = taken_along or at_occurrence(base, original)
    for name in (*OF_SERIES, "people"):
        if getattr(google, name) != getattr(of_series, name):
            run.note(
                SyncOutcome.Action.REPLACED,
                rule="R15",
                reason=_("How it repeats was changed here, and this occurrence, changed in Google, is none any more."),
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


def occurrence_at(run: Run, head: Activity, original: datetime, *, is_made: bool) -> Activity | None:
    """Return an occurrence by its original start; with `is_made` one that is not laid out is made, wherever it lies."""
    assert head.series is not None
    found = Activity.every.filter(series=head.series, original_start=original, is_series=False).first()
    if found is None and is_made:
        series.lay_out_these(head.series, originals=[original], now=run.now)
        found = Activity.every.filter(series=head.series, original_start=original, is_series=False).first()
    return found


def deviates(run: Run, occurrence: Activity, whole: EventLink) -> bool:
    """Whether there is something about an occurrence that its series does not say, and this session may send."""
    base = store.base_of(whole.base_here)
    is_there = whole.state == EventLink.State.LINKED and whole.event.get("status") != "cancelled"
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
    marks.mark_activities(calendar=run.calendar, activities=found)


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


def forget_what_was_shown(run: Run, whole: EventLink, head: Activity) -> None:
    """
    Forget what Google showed of occurrences of a series that it gets anew, under another id (R13).

    What is none any more by the rule that was chosen here, is in the journal.
    """
    shown = EventLink.objects.filter(
        calendar=run.calendar, event__recurringEventId=whole.event_id, state=EventLink.State.SEEN
    )
    for link in shown.filter(is_marked=True):
        _journal_what_is_dropped(run, link, whole, head)
    shown.delete()


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
    profiles = run.profiles_for(link.event, profiles_by_email(facts.addresses))
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
        reason=_(
            "One occurrence was changed in Google, but the whole series was canceled or deleted here: it goes too."
        ),
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
    wholes = EventLink.objects.filter(calendar=run.calendar, state=EventLink.State.LINKED, activity__is_series=True)
    for whole in wholes.select_related("activity__series"):
        assert whole.activity is not None
        assert whole.activity.series is not None
        with run.transaction():  # The window may begin earlier than it did.
            series.lay_out(whole.activity.series, after=run.window.start, now=run.now)
        look_at_exceptions(run, whole)
        mark_what_deviates(run, whole.activity)


def cancel_left_out(run: Run, head: Activity, *, google: When | None = None) -> None:
    """
    Let occurrences that the calendar leaves out be canceled activities, since our write would bring them back (R15).

    Google leaves them out by their starts alone: a series that is moved or made anew has them again, and so they are
    canceled there anew. `google` is when the series takes place there until then, None if it is not there.
    """
    if head.series is None:
        return
    now = series.pattern_of(head)
    left_out = [original for original in series.skipped_in(head.series) if recurrence.happens_at(now, original)]
    if isinstance(google, Repeating):
        former = store.pattern_of(google)
        left_out = [original for original in left_out if not recurrence.happens_at(former, original)]
    if not left_out:
        return
    with run.transaction():
        made = series.lay_out_these(head.series, originals=left_out, now=run.now)
        ids = [row.pk for row in made]
        Activity.every.filter(pk__in=ids).update(status=Activity.Status.CANCELED)
        FieldChange.objects.bulk_create(
            FieldChange(
                activity=row,
                field="status",
                before=row.status,
                after=Activity.Status.CANCELED,
                origin="google",
                at=run.now,
            )
            for row in made
        )
        marks.mark_activities(calendar=run.calendar, activities=ids)


def extend_horizon(*, now: datetime) -> int:
    """
    Lay out what has come within the horizon since, without a request to Google (R15). Returns how many it made.

    Occurrences that Google had changed before they were due here get their turn in the next session.
    """
    made = series.extend_horizon(now=now)
    if made:
        waiting = EventLink.objects.filter(state=EventLink.State.SEEN, series__isnull=False, is_marked=False)
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
        if link.activity_id not in (None, occurrence.pk):  # Which was dropped by its series, before that had it again.
            let_stay_by_itself(link)
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


def is_no_exception_yet(link: EventLink) -> bool:
    """Whether Google showed nothing but its series of an occurrence that was linked to send something about it."""
    return AS_OF_SERIES in (link.base_here or {})


def is_still_no_exception(link: EventLink) -> None:
    """Keep that what Google shows of an occurrence now is still its series alone."""
    link.refresh_from_db()
    if link.base_here is not None:
        link.base_here[AS_OF_SERIES] = link.etag
        link.save(update_fields=["base_here"])


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
    link.series, link.state = occurrence.series, EventLink.State.LINKED
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


def look_at_what_is_there_again(run: Run, whole: EventLink, head: Activity) -> None:
    """
    Let occurrences get their turn that the rule had dropped here and has again.

    Google may know each by itself, or have none there: it told so once, when it was an activity that is no more (R15).
    """
    dropped = Q(state=EventLink.State.SEEN, event__status="cancelled")
    dropped |= Q(state=EventLink.State.DETACHED, activity__isnull=False, activity__series=None)
    known = EventLink.objects.filter(
        dropped, calendar=run.calendar, event__recurringEventId=whole.event_id, is_marked=False
    )
    if not known:
        return
    rows = Activity.every.present().filter(series=head.series, is_series=False).exclude(links__calendar=run.calendar)
    originals = set(rows.values_list("original_start", flat=True))
    again = [link.pk for link in known if facts_in(link).original_start in originals]
    EventLink.objects.filter(pk__in=again).update(is_marked=True, mark=F("mark") + 1)


def look_at_exceptions(run: Run, link: EventLink) -> None:
    """Occurrences that Google has shown before their series came in get their turn."""
    EventLink.objects.filter(
        calendar=run.calendar, event__recurringEventId=link.event_id, state=EventLink.State.SEEN, is_marked=False
    ).update(is_marked=True, mark=F("mark") + 1)
