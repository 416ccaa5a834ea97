"""Events become activities: what is new in Google, what a colleague has brought, what moved to another id (R3, R9)."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import F, QuerySet
from django.utils import timezone

from accounts.models import profiles_by_email
from activities import series
from activities.models import Activity, FieldChange, Participant
from sync import repeating, splitting, store
from sync.core import mapping
from sync.core import snapshot as snapshots
from sync.core.decide import (
    Presence,
)
from sync.core.identity import Placed
from sync.core.mapping import EventFacts
from sync.core.people import organizer_of_import
from sync.core.reasons import _
from sync.core.snapshot import Snapshot
from sync.models import EventLink, Meeting, SyncOutcome
from sync.run import ChangedHere, Run, facts_in
from sync.writing.content import (
    add_participant,
    claim_meeting,
    invitable,
    journal_unknown_zone,
    put_content,
    put_facts,
    take_own_copy,
)
from sync.writing.settling import locked, rejoin, settle

BOTH_DIVIDED = _("Both sides divided the series and changed this; the later part keeps what it was given here.")
PART_OF_GOOGLES = _("The series was divided in Google. This is its later part; what was done here about it stays.")


def import_event(run: Run, link: EventLink, *, placed: Placed) -> bool:
    """
    Make an activity of an event (R3), and link it. Returns whether that was all there is to do about it.

    The later part of a series that was split in Google begins as what it was split from (R15).

    :raises ChangedHere: if somebody else's session has made it in this very moment (R9).
    """
    facts = facts_in(link)
    profiles = run.profiles_for(link.event, profiles_by_email(facts.addresses))
    content = mapping.snapshot_of(link.event, profiles=profiles, default_zone=run.default_zone)
    google_organizer = profiles.get(facts.organizer)
    if google_organizer not in (None, run.me.pk) and not store.will_meet(
        google_organizer, organizer=facts.organizer, when=content.when
    ):
        google_organizer = None  # It would run by nobody's session.
    set_up = store.set_up_among([google_organizer, run.me.pk])
    organizer = organizer_of_import(me=run.me.pk, google_organizer=google_organizer, set_up=set_up)
    with run.transaction():
        current, start, later = locked(link), splitting.Begin(), list[splitting.Part]()
        former = splitting.former_of(run, link)
        activity = new_activity(run, link, facts, content, organizer=organizer, profiles=profiles)
        people = content.people
        if former:
            start = splitting.begin(former, content, is_organizer=organizer == run.me.pk)
            people = start.content["people"]
            if until := splitting.until_next_part(run, former, start.content["when"]):
                start.content["when"], start.base_here["when"] = until, content.when
            put_content(activity, start.content)
            for name in splitting.OF_THE_HEAD:
                setattr(activity, name, getattr(former.head, name))
        activity.save()
        if former:
            splitting.take_over_people(run, former, activity, start, facts, profiles)
            activity.tags.add(*former.head.tags.all())
        for person in sorted(people | {run.me.pk, organizer}):
            add_participant(run, activity, person, facts, profiles, content)
        if not (former and former.link.state == EventLink.State.FROZEN):  # Out of the selection it stays (R4).
            activity.tags.add(run.tag())
        if placed.shares_meeting:
            claim_meeting(facts, activity)
        if former:
            series.copy_changes(former.head, to=activity)  # Before it may be erased: all of it can be in this part now.
        else:
            FieldChange.objects.create(activity=activity, field="created", origin="google", at=run.now)
        if activity.is_series:
            later = splitting.cut_parts_here(run, former, activity, when=content.when) if former else []
            part_of, since = (former.link, former.since) if former else (None, None)
            repeating.lay_out_imported(run, link, activity, part_of=part_of, since=since)
            if former:
                splitting.end_what_is_gone(run, former)
        current.activity = activity
        here = store.snapshot_here(store.load_activity(activity.pk), addresses=invitable(activity), organizer=organizer)
        base_here, base_google = (
            splitting.with_base(here, start.base_here),
            splitting.with_base(content, start.base_google),
        )
        settle(
            current, here=base_here, google=base_google, now_here=here, presence=Presence.PRESENT, profiles=profiles,
            mark=link.mark,
        )  # fmt: skip
        run.count("added", SyncOutcome.Direction.HERE)
        rule, words = ("R15", PART_OF_GOOGLES) if former else ("R3", import_words(activity, facts, run))
        run.note(SyncOutcome.Action.ADDED, rule=rule, reason=words, item=activity.subject, link=current)
        journal_unknown_zone(run, current, activity.subject)
        if former:
            for part in later:
                _carry_on(run, former, part.head.pk, content, whole=activity)
            splitting.journal_time(run, former, current, content, start)
            EventLink.objects.filter(pk=current.pk).update(is_marked=True)  # Something may be on its way still.
    return former is None


def new_activity(
    run: Run, link: EventLink, facts: EventFacts, content: Snapshot, *, organizer: int, profiles: Mapping[str, int]
) -> Activity:
    """Return what an event becomes, not saved (R3)."""
    activity = Activity(
        kind=Activity.Kind.TASK,
        category=Activity.Category.MEETING if facts.guests else Activity.Category.TO_DO,
        show_in_calendar=True,
        made_in_google=True,
        reporter=run.me,
        owner_id=organizer,
        organizer_id=organizer,
        time_zone=run.default_zone,
    )
    put_content(activity, {name: getattr(content, name) for name in snapshots.FIELDS})
    put_facts(activity, link, facts, profiles)
    return activity


def _carry_on(run: Run, former: splitting.Former, activity_id: int, google: Snapshot, *, whole: Activity) -> None:
    """Let what Google changed from its part on reach a later part made here, which has not been sent yet (R15)."""
    with repeating.followed(run, activity_id):
        activity = store.load_activity(activity_id, lock=True)
        here = store.snapshot_here(activity, addresses=invitable(activity), organizer=activity.organizer_id)
        patch, both = splitting.changed_for_later(former, here, google)
        put_content(activity, patch)
        activity.save()
        people = Participant.objects.filter(activity=activity)
        if "reminder" in patch:
            people.filter(profile=activity.organizer_id).update(reminder_minutes=patch["reminder"])
        if "people" in patch:
            staying = {activity.organizer_id, activity.owner_id}
            people.filter(profile__in=here.people - patch["people"] - staying).delete()
            added = Participant.objects.filter(activity=whole, profile__in=patch["people"] - here.people)
            Participant.objects.bulk_create(
                [series.same_person(person, activity.pk) for person in added], ignore_conflicts=True
            )
        values = {name: [snapshots.dump_value(getattr(one, name)) for one in (here, google)] for name in patch}
        FieldChange.objects.bulk_create(
            FieldChange(activity=activity, field=name, before=old, after=new, origin="google", at=timezone.now())
            for name, (old, new) in values.items()
        )
        for name in both:
            run.note(
                SyncOutcome.Action.REPLACED,
                rule="R15",
                reason=_(
                    "Both sides divided the series and changed this; the later part keeps what it was given here."
                ),
                item=activity.subject,
                activity_id=activity.pk,
                field=name,
                here=snapshots.dump_value(getattr(here, name)),
                google=snapshots.dump_value(getattr(google, name)),
                kept=SyncOutcome.Direction.HERE,
                is_resolved=True,
            )


def join_activity(run: Run, link: EventLink, *, placed: Placed) -> None:
    """Let this user's copy of a meeting belong to the activity that exists. Content stays as it is (R9)."""
    facts = facts_in(link)
    profiles = run.profiles_for(link.event, profiles_by_email(facts.addresses))
    content = mapping.snapshot_of(link.event, profiles=profiles, default_zone=run.default_zone)
    with run.transaction(), repeating.followed(run, placed.activity_id):
        activity = store.load_activity(placed.activity_id, lock=True)
        own = EventLink.objects.filter(calendar=run.calendar, activity=activity)
        former = own.filter(state=EventLink.State.DETACHED)
        former.filter(event__status="cancelled").delete()  # Its event is gone; the meeting returned as this one.
        _release(former)  # Somebody brought the former one back as well.
        if own.exists():
            raise ChangedHere
        rejoin(run, activity, facts)
        activity.tags.add(run.tag())
        if activity.organizer_id == run.me.pk:
            take_own_copy(activity, content)
        here = store.snapshot_here(
            store.load_activity(activity.pk), addresses=invitable(activity), organizer=activity.organizer_id
        )
        base_here, base_google = _inherited_bases(activity, here, content)
        link.activity = activity
        settle(link, here=base_here, google=base_google, now_here=here, presence=Presence.PRESENT, profiles=profiles)
        if not Meeting.objects.filter(activity=activity).exists():
            claim_meeting(facts, activity, may_fail=True)
        agreed = link.base_google or {}
        agreed["answers"].pop(str(run.me.pk), None)  # Of one's own both sides meet for the first time (R10).
        EventLink.objects.filter(pk=link.pk).update(is_marked=True, base_google=agreed)  # A pair to decide about.
        if activity.is_series:
            repeating.lay_out_joined(run, link, activity)
            repeating.mark_what_deviates(run, activity)
        run.count("added", SyncOutcome.Direction.HERE)
        run.note(SyncOutcome.Action.JOINED, rule="R9", reason=placed.reason, item=activity.subject, link=link)


def release(run: Run, link: EventLink) -> None:
    """Let go of the event that was an activity's before it was made anew: it is looked at as any other event (R14)."""
    with run.transaction():
        _release(EventLink.objects.filter(pk=link.pk))


def _release(links: QuerySet[EventLink]) -> None:
    links.update(activity=None, series=None, state=EventLink.State.SEEN, is_marked=True, mark=F("mark") + 1)


def move_link(run: Run, former: EventLink, *, to: EventLink) -> None:
    """Let the link to an event be one in the calendar to which it was moved; `to` is what was seen of it there (R9)."""
    with run.transaction():
        link = EventLink.objects.select_for_update().get(pk=former.pk)
        to.delete()
        store.see_elsewhere(run, link, seen=to)
        if link.state == EventLink.State.FROZEN:  # Its new version was read just now; whether it qualifies comes next.
            link.state, link.rule, link.reason = EventLink.State.LINKED, "", ""
        link.save()
        assert link.activity is not None
        run.note(
            SyncOutcome.Action.JOINED,
            rule="R9",
            reason=_("Its event is in this calendar now."),
            item=link.activity.subject,
            link=link,
        )


def _inherited_bases(activity: Activity, here: Snapshot, google: Snapshot) -> tuple[Snapshot, Snapshot]:
    """
    Return the bases of somebody who joins: what the activity's other link agreed on, but one's own copy's fields.

    So whatever is on its way between the Organizer and Google stays on its way, should this user organize one day.
    """
    others = EventLink.objects.filter(activity=activity).order_by("id")
    for other in sorted(others, key=lambda link: link.state != EventLink.State.LINKED):
        base_here, base_google = store.base_of(other.base_here), store.base_of(other.base_google)
        if base_here and base_google:
            return _own_copy(base_here, here), _own_copy(base_google, google)
    return here, _own_copy(here, google)  # What differs in Google came later.


def _own_copy(base: Snapshot, now: Snapshot) -> Snapshot:
    own = snapshots.PER_COPY_FIELDS
    return Snapshot(**{name: getattr(now if name in own else base, name) for name in snapshots.FIELDS})


def import_words(activity: Activity, facts: EventFacts, run: Run) -> str:
    """Return what a session says about an event that came in (R3)."""
    if activity.is_series and facts.guests:
        words = _("New in Google. It becomes a task of category Meeting that repeats, with the tag “%(tag)s”.")
    elif activity.is_series:
        words = _("New in Google. It becomes a task that repeats, with the tag “%(tag)s”.")
    elif facts.guests:
        words = _("New in Google. It becomes a task of category Meeting with the tag “%(tag)s”.")
    else:
        words = _("New in Google. It becomes a task with the tag “%(tag)s”.")
    return words % {"tag": run.tag()}
