"""One activity and its event side by side: load_pair(), and what has changed since they last agreed (R11)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from accounts.models import ExternalAccount, profiles_by_email
from activities.models import Activity, FieldChange, Participant
from sync.core import mapping
from sync.core import snapshot as snapshots
from sync.core.decide import Answer, Half, Presence, Standing
from sync.core.mapping import EventFacts
from sync.core.people import Organized, Roles, organizer_of
from sync.core.reasons import Reason
from sync.core.snapshot import PER_COPY_FIELDS, Snapshot, at_occurrence
from sync.models import EventLink
from sync.run import Run
from sync.store.rows import (
    addresses_of,
    base_of,
    load_activity,
    presence_here,
    presence_in_google,
    set_up_among,
    snapshot_here,
    unmet_condition,
)
from sync.store.sent import take_in_what_arrived

CLOCKS_DIFFER = timedelta(hours=1)  # A change may carry a time a little before the session that did not see it yet.


@dataclass
class Pair:
    """An activity and its event as one account links them, ready for `decide`."""

    link: EventLink
    activity: Activity
    facts: EventFacts
    here: Half
    google: Half
    standing: Standing
    organized: Organized
    profiles: Mapping[str, int]
    link_mark: int
    changes: list[FieldChange] = field(default_factory=list)
    is_base_renewed: bool = False  # What a session sent that was cut off, is in Google: the link is not saved yet.

    @property
    def takes_over(self) -> bool:
        return self.organized.organizer != self.activity.organizer_id


def organized(run: Run, activity: Activity, *, link: EventLink | None = None, unmet: Reason | None = None) -> Organized:
    """
    Return who the Organizer is once this session has met the activity, and its event by this link (R5).

    `unmet` is the condition of R1 that does not hold for this user. An occurrence has the Organizer of its series.
    """
    if activity.original_start:
        return Organized(activity.organizer_id)
    is_met = link is not None and activity.organizer_id != run.me.pk
    theirs = links_of_organizer(activity) if is_met else []
    roles = Roles(
        me=run.me.pk,
        organizer=activity.organizer_id,
        owner=activity.owner_id,
        takes_part=any(person.profile_id == run.me.pk for person in activity.participants.all()),
        set_up=set_up_among([activity.organizer_id, activity.owner_id]),
        is_own_copy=link is not None and mapping.facts_of(link.event).is_own,
        qualifies=unmet is None,
        is_organizers_as_well=link is not None and is_in_a_shared_calendar(link, activity, theirs),
        has_organizer_left=link is not None and _has_organizer_left(activity, link, theirs),
    )
    return organizer_of(roles)


def links_of_organizer(activity: Activity) -> list[EventLink]:
    """Return the Organizer's links to an activity, by whatever account."""
    links = EventLink.objects.filter(activity=activity, calendar__account__profile=activity.organizer_id)
    return list(links.select_related("calendar__account"))


def is_in_a_shared_calendar(link: EventLink, activity: Activity, theirs: list[EventLink] | None = None) -> bool:
    """Whether the Organizer has this very event, of a calendar that both synchronize, as their own copy, too."""
    theirs = links_of_organizer(activity) if theirs is None else theirs
    facts = mapping.facts_of(link.event)
    copies = [mapping.facts_of(other.event) for other in theirs if other.state in EventLink.HOLDING]
    return any(copy.is_own and copy.organizer == facts.organizer for copy in copies)


def _has_organizer_left(activity: Activity, link: EventLink, theirs: list[EventLink]) -> bool:
    """
    Whether the event, which is in this calendar, is in none that the Organizer synchronizes now.

    It is gone from theirs alone, or was in that of an account which they have replaced by another one (R22).
    """
    is_there = presence_here(activity) is Presence.PRESENT and link.event.get("status") not in (None, "cancelled")
    replaced = ExternalAccount.Status.DISCONNECTED
    current = [other.state for other in theirs if other.calendar.account.status != replaced]
    return is_there and (EventLink.State.DETACHED in current if current else bool(theirs))


def load_pair(run: Run, link: EventLink) -> Pair:
    """
    Return a link as a pair to decide about.

    :raises UnreadableEvent: if nothing can be made of the event.
    """
    activity = load_activity(link.activity_id)
    facts = mapping.facts_of(link.event)
    profiles = run.profiles_for(link.event, profiles_by_email(facts.addresses))
    unmet = unmet_condition(run, activity, is_in_other_calendar=link.google_calendar_id != run.calendar.calendar_id)
    who = organized(run, activity, link=link, unmet=unmet)
    addresses = addresses_of(person.profile_id for person in activity.participants.all())
    here_now = snapshot_here(activity, addresses=addresses, organizer=who.organizer)
    google_now = snapshot_in_google(run, link.event, profiles, otherwise=base_of(link.base_google) or here_now)
    presence = presence_here(activity)
    is_base_renewed = take_in_what_arrived(
        link, google=google_now, facts=facts, presence=presence, profile_id=run.me.pk
    )
    base_here, base_google = base_of(link.base_here), base_of(link.base_google)
    if who.organizer != activity.organizer_id:
        here_now = with_own_copy(here_now, google_now) if who.organizer == run.me.pk else here_now
        base_here, base_google = _rebase(base_here, here_now), _rebase(base_google, google_now)
    here = Half(here_now, base_here, presence)
    google = Half(google_now, base_google, presence_in_google(facts), _google_times(link, facts))
    changes = recent_changes(activity, since=link.settled_at)
    template = _template(activity, addresses, who.organizer)
    return Pair(
        link=link,
        activity=activity,
        facts=facts,
        here=Half(here.now, here.base, here.presence, _times_here(changes, activity)),
        google=google,
        standing=_standing(run, link, activity, facts, who, unmet, here, changes, template),
        organized=who,
        profiles=profiles,
        link_mark=link.mark,
        changes=changes,
        is_base_renewed=is_base_renewed,
    )


def snapshot_in_google(
    run: Run, event: Mapping[str, Any], profiles: Mapping[str, int], *, otherwise: Snapshot
) -> Snapshot:
    """
    Return the content of an event. A deleted one may tell nothing but its id: then what it was `otherwise`.

    :raises UnreadableEvent: if it is there and nothing can be made of it.
    """
    try:
        return mapping.snapshot_of(event, profiles=profiles, default_zone=run.default_zone)
    except mapping.UnreadableEvent:
        if event.get("status") != "cancelled":
            raise
        return otherwise


def recent_changes(activity: Activity, *, since: datetime | None) -> list[FieldChange]:
    """Return the log of changes that the last session may not have seen, the newest first; of its series as well."""
    of = Q(activity=activity)
    if activity.original_start:
        of |= Q(activity__series=activity.series_id, activity__is_series=True)
    rows = FieldChange.objects.filter(of)
    return list(rows.filter(at__gt=since - CLOCKS_DIFFER) if since else rows)


def last_change(changes: Iterable[FieldChange], *names: str) -> FieldChange | None:
    return next((change for change in changes if change.field in names), None)


def _standing(
    run: Run,
    link: EventLink,
    activity: Activity,
    facts: EventFacts,
    who: Organized,
    unmet: Reason | None,
    here: Half,
    changes: list[FieldChange],
    template: Snapshot | None,
) -> Standing:
    is_collective = facts.has_other_guests or activity.is_collective
    agreed = (link.base_here or {}).get("presence", Presence.PRESENT)
    foreign = _foreign(who.organizer, here, changes, template, activity_id=activity.pk, agreed=Presence(agreed))
    return Standing(
        is_organizer=who.organizer == run.me.pk,
        unmet=None if unmet and _is_the_organizers_to_select(run, activity, facts, who) else unmet,
        is_frozen=link.state == EventLink.State.FROZEN,
        is_detached=link.state == EventLink.State.DETACHED,
        agreed_presence=Presence(agreed),
        why_read_only=facts.why_read_only,
        foreign=foreign if is_collective else frozenset(),
        are_guests_cut=facts.are_guests_cut,
        is_own_copy=facts.is_own,
        other_copies_live=other_copies_live(link),
        is_kept=_has_organizer_kept(activity, facts),
        is_completed=activity.status == Activity.Status.COMPLETED,
        answer=_answer(run, link, activity, facts, changes),
    )


def _is_the_organizers_to_select(run: Run, activity: Activity, facts: EventFacts, who: Organized) -> bool:
    """
    Whether a guest who does not select an activity is told by Google that it is canceled, and its Organizer selects it.

    The Organizer's own session may have heard of it first, when nobody knew yet that all copies are gone (R14).
    """
    if not facts.is_cancelled or who.organizer in (None, run.me.pk):
        return False
    theirs = EventLink.objects.filter(activity=activity, calendar__account__profile=who.organizer)
    return not theirs.filter(state=EventLink.State.FROZEN).exists()


def _foreign(
    organizer: int | None,
    here: Half,
    changes: list[FieldChange],
    template: Snapshot | None,
    *,
    activity_id: int,
    agreed: Presence,
) -> frozenset[str]:
    """
    Return the edited fields whose last change was not the Organizer's (R6); an import leaves no trace in the log.

    What an occurrence has from its series, or from Google, is nobody's edit. What it has of its own was changed with
    the occurrence, whatever was changed about its series since.
    """
    edited = [name for name in snapshots.FIELDS if here.base and here.has_edited(name)]
    own = [name for name in edited if template is None or getattr(here.now, name) != getattr(template, name)]
    of_its_own = [change for change in changes if change.activity_id == activity_id]
    foreign = {
        name
        for name in own
        if (change := last_change([*of_its_own, *changes], name)) is None
        or not (_is_by(organizer, change) or _is_from_google(change, here))
    }
    foreign.discard("reminder")  # It is the Organizer's own; nobody else's page shows it.
    if last_change(changes, "people") is None:  # Somebody got an address, or lost it: nobody changed the participants.
        foreign.discard("people")
    is_of_note = here.presence is not Presence.PRESENT or here.presence is not agreed  # Gone, or set back.
    last = last_change(changes, "status", "deleted", "restored")
    if is_of_note and not (_is_by(organizer, last) or _is_cancellation_from_google(last, here)):
        foreign.add("status")
    return frozenset(foreign)


def _is_cancellation_from_google(change: FieldChange | None, here: Half) -> bool:
    """Whether an activity is Canceled because it was in Google: nobody else's word, by whatever link it came (R14)."""
    if change is None or change.origin != FieldChange.Origin.GOOGLE:
        return False
    return here.presence is Presence.CANCELED and change.after == Activity.Status.CANCELED


def _is_from_google(change: FieldChange, here: Half) -> bool:
    """Whether the value that an activity has came from Google, by whatever way it got there."""
    if change.origin != FieldChange.Origin.GOOGLE:
        return False
    return bool(change.after == snapshots.dump_value(getattr(here.now, change.field)))


def taken_back(activity: Activity, link: EventLink, *, here: Snapshot, base: Snapshot) -> frozenset[str]:
    """Return the fields edited here that the Organizer's session will not send, but take back (R6)."""
    facts, half = mapping.facts_of(link.event), Half(here, base)
    edited = frozenset(name for name in snapshots.FIELDS if half.has_edited(name))
    closed = edited - snapshots.PER_COPY_FIELDS if facts.why_read_only else frozenset[str]()
    if not edited or not (facts.has_other_guests or activity.is_collective):
        return closed
    changes = recent_changes(activity, since=link.settled_at)
    addresses = addresses_of(person.profile_id for person in activity.participants.all())
    template = _template(activity, addresses, activity.organizer_id)
    foreign = _foreign(activity.organizer_id, half, changes, template, activity_id=activity.pk, agreed=Presence.PRESENT)
    return closed | (foreign & edited)


def _template(activity: Activity, addresses: Mapping[int, str], organizer: int | None) -> Snapshot | None:
    """Return what the series of an occurrence says about it, None of any other activity (R15)."""
    if not (activity.original_start and activity.series):
        return None
    head = load_activity(activity.series.head.pk)
    whole = snapshot_here(head, addresses=addresses, organizer=organizer)
    return at_occurrence(whole, activity.original_start)


def _is_by(organizer: int | None, change: FieldChange | None) -> bool:
    return change is not None and change.origin == FieldChange.Origin.PERSON and change.by_id == organizer


def is_superseded(link: EventLink) -> bool:
    """
    Whether an activity has another event by now, made anew in somebody's calendar, and this one is there again (R14).

    Who took it out of Google's bin has two events, which are two activities. Who has not, has the new invitation, and
    nothing was canceled.
    """
    if link.event.get("recurringEventId"):
        return False
    newer = EventLink.objects.filter(
        activity=link.activity_id, incarnation__gt=link.incarnation, state__in=EventLink.HOLDING
    )
    # Of one that is being added nothing is known yet, and `exclude` would leave it out with those that are cancelled.
    return any(one.event.get("status") != "cancelled" for one in newer.exclude(event_id=link.event_id))


def _has_organizer_kept(activity: Activity, facts: EventFacts) -> bool:
    """Whether the Organizer's event is gone, and the activity stays all the same, because somebody said so (R14)."""
    if facts.is_own or not facts.is_cancelled or presence_here(activity) is not Presence.PRESENT:
        return False
    mine = Q(activity=activity)
    if activity.original_start:
        mine |= Q(activity__series=activity.series_id, activity__is_series=True)
    gone = EventLink.objects.filter(mine, state=EventLink.State.DETACHED).select_related("activity")
    return any(map(_is_kept, gone.filter(calendar__account__profile=activity.organizer_id)))


def _is_kept(link: EventLink) -> bool:
    """Whether somebody kept the activity whose event is gone, or has set it back since both sides agreed on that."""
    base = link.base_here or {}
    was_gone = base.get("presence", Presence.PRESENT) != Presence.PRESENT
    is_here = link.activity is not None and presence_here(link.activity) is Presence.PRESENT
    return bool(base.get(EventLink.KEPT)) or (was_gone and is_here)


def other_copies_live(link: EventLink) -> bool:
    """Whether somebody else's copy is known not to be cancelled, through an account that still tells us (R14)."""
    telling = EventLink.objects.filter(calendar__account__status=ExternalAccount.Status.CONNECTED)
    others = list(telling.filter(activity=link.activity).exclude(pk=link.pk))
    if link.activity and link.activity.original_start:  # Who has no copy of its own of it has it with the series (R15).
        whole = telling.filter(series=link.activity.series_id, activity__is_series=True)
        others += whole.exclude(calendar__in=[link.calendar_id, *(other.calendar_id for other in others)])
    return any(other.event and other.event.get("status") != "cancelled" for other in others)


def _answer(run: Run, link: EventLink, activity: Activity, facts: EventFacts, changes: list[FieldChange]) -> Answer:
    me = next((person for person in activity.participants.all() if person.profile_id == run.me.pk), None)
    mine = last_change([change for change in changes if _is_by(run.me.pk, change)], "response")
    times = _google_times(link, facts)
    answers = (link.base_google or {}).get("answers", {})
    # Who was taken off and added again has not answered anew, whatever both sides agreed on before.
    is_unasked = me is not None and me.response == Participant.Response.NEEDS_ACTION and mine is None
    answer = Answer(
        here=me.response if me else None,
        google=facts.own_answer,
        base=None if is_unasked else answers.get(str(run.me.pk)),
        google_at=times.get("response", run.now),
    )
    return answer if mine is None else Answer(answer.here, answer.google, answer.base, mine.at, answer.google_at)


def _google_times(link: EventLink, facts: EventFacts) -> dict[str, datetime]:
    """Return when Google's value of each field was first seen; what never changed has the event's own time (R11)."""
    default = facts.updated
    times = {name: default for name in (*snapshots.FIELDS, "response") if default}
    return times | {name: datetime.fromisoformat(_iso(at)) for name, at in link.changed_in_google.items()}


def _iso(text: str) -> str:
    return text.replace("Z", "+00:00")


def _times_here(changes: list[FieldChange], activity: Activity) -> dict[str, datetime]:
    """Return when each field got its value here; what the log does not know changed with the row itself (R11)."""
    times = dict.fromkeys(snapshots.FIELDS, activity.modified_at)
    for change in reversed(changes):  # The newest last.
        if change.field in times and change.origin == FieldChange.Origin.PERSON:
            times[change.field] = change.at
    return times


def with_own_copy(here: Snapshot, google: Snapshot) -> Snapshot:
    """Return our content with what Google keeps for each copy as on this one; private stays private (R5)."""
    return replace(
        here,
        is_private=here.is_private or google.is_private,
        show_as_free=google.show_as_free,
        reminder=google.reminder,
    )


def _rebase(base: Snapshot | None, now: Snapshot) -> Snapshot | None:
    """Let the fields that Google keeps for each copy count as agreed, whatever the copy before held (R5)."""
    if base is None:
        return None
    return Snapshot(**{name: getattr(now if name in PER_COPY_FIELDS else base, name) for name in snapshots.FIELDS})
