"""To which series an occurrence in Google belongs, and whether it can come in (R9, R15)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Q

from accounts.models import profiles_by_email
from activities import recurrence
from activities.models import Activity
from sync import marks, store
from sync.core import mapping
from sync.core.identity import Candidate
from sync.core.mapping import EventFacts
from sync.core.snapshot import Repeating, at_occurrence
from sync.models import EventLink
from sync.run import ChangedHere, Run, facts_in


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


def forget(run: Run, link: EventLink) -> None:
    """
    Forget an event that was canceled before it came in.

    With a series that its own organizer canceled went its changed occurrences, which Google need not list again (R15).
    """
    with run.transaction():
        if facts_in(link).is_own:
            changed = EventLink.objects.filter(calendar=run.calendar, google_calendar_id=link.google_calendar_id)
            changed.filter(event__recurringEventId=link.event_id, state=EventLink.State.SEEN).delete()
        link.delete()


def waits_for_its_series(run: Run, activity: Activity | None) -> bool:
    """Whether the series of an occurrence waits for a person's word before it is removed (R14)."""
    if activity is None or activity.original_start is None or not run.deferred:
        return False
    return EventLink.objects.filter(pk__in=run.deferred, series=activity.series_id, activity__is_series=True).exists()


def has_left_its_series(run: Run, link: EventLink) -> bool:
    """
    Whether an occurrence stays by itself since its series has dropped it here: it has no event any more (R15).

    Until Google has heard of the series, and of a write that was on its way, it may still show one.
    """
    if link.state != EventLink.State.DETACHED or link.activity is None or link.activity.series_id is not None:
        return False
    facts = facts_in(link)
    return bool(facts.series_event_id) and link_of_series(run, link, facts) is not None


def is_of_another_series(run: Run, link: EventLink) -> bool:
    """
    Whether Google's occurrence is one of a series here to which the activity that is linked with it does not belong.

    The series stopped repeating and repeats again; or its rule had dropped the activity, which stays by itself, and has
    an occurrence there again.
    """
    facts, former = facts_in(link), link.activity
    whole = link_of_series(run, link, facts) if facts.series_event_id and former else None
    if whole is None or former is None or former.series_id == whole.series_id:
        return False
    if former.series_id is not None:
        return link_of_head(run, former) is None
    is_there_again = Activity.every.filter(series=whole.series_id, original_start=facts.original_start, is_series=False)
    return link.state == EventLink.State.DETACHED and is_there_again.exists()


def give_to_its_series(run: Run, link: EventLink, event: Mapping[str, Any] | None) -> None:
    """
    Let go of the activity that was Google's occurrence before its series here repeated anew (R15).

    `event` is what Google shows of it now, None for nothing. Where that is something of its own, it is seen anew.

    :raises ChangedHere: if its series has let go of it while Google was asked.
    """
    with run.transaction():
        if EventLink.objects.select_for_update(no_key=True).get(pk=link.pk).activity_id != link.activity_id:
            raise ChangedHere
        let_stay_by_itself(link)
        whole = link_of_series(run, link, facts_in(link))
        if event is None or whole is None or not _has_something_of_its_own(run, event, whole):
            link.delete()
            return
        store.observe_event(run, link, event)


def let_stay_by_itself(link: EventLink) -> None:
    """Let a link be nobody's. An activity that left its series still has no event of its own in Google."""
    former = link.activity
    EventLink.objects.filter(pk=link.pk).update(
        activity=None, series=None, state=EventLink.State.SEEN, base_here=None, base_google=None, reason="", rule=""
    )
    if former is not None and former.series_id is None:
        EventLink.objects.create(
            calendar=link.calendar,
            google_calendar_id=link.google_calendar_id,
            event_id=f"{EventLink.LEFT}{former.uid.hex}",
            activity=former,
            state=EventLink.State.DETACHED,
            event={"status": "cancelled"},
            base_here={"presence": store.presence_here(former).value},
        )


def _has_something_of_its_own(run: Run, event: Mapping[str, Any], whole: EventLink) -> bool:
    """Whether an occurrence in Google is anything else than what its series says; not every one is an exception."""
    facts, base = mapping.facts_of(event), store.base_of(whole.base_google)
    if facts.is_cancelled or facts.original_start is None or base is None or not isinstance(base.when, Repeating):
        return True
    profiles = run.profiles_for(dict(event), profiles_by_email(facts.addresses))
    now = mapping.snapshot_of(event, profiles=profiles, default_zone=run.default_zone)
    is_answered = facts.own_answer != facts_in(whole).own_answer
    return is_answered or now != at_occurrence(base, facts.original_start)


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
    if not facts.is_cancelled:
        return False
    has_gone_with_its_day = facts.is_own and mapping.WENT_WITH_ITS_DAY in link.event  # Which the series has again.
    return has_gone_with_its_day or not _takes_place(run, whole, occurrence.original_start)


def was_deleted_by_itself(run: Run, link: EventLink, whole: EventLink) -> bool:
    """
    Whether somebody deleted this occurrence in Google (R14).

    One that Google says nothing about, or nothing but its id, went with its day; so did one that its rule has no more.
    """
    facts = facts_in(link)
    original = facts.original_start
    is_said = bool(link.etag) and mapping.WENT_WITH_ITS_DAY not in link.event
    return facts.is_cancelled and is_said and original is not None and _takes_place(run, whole, original)


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
        marks.mark_activities(calendar=run.calendar, activities=[occurrence.pk])
