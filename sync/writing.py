"""What a session writes into our rows: imports, joins, merged values, settled links; one transaction each."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from activities import series
from activities.models import Activity, FieldChange, Participant
from sync import repeating, splitting, store
from sync.core import mapping
from sync.core import snapshot as snapshots
from sync.core.decide import (
    Action,
    AnswerHere,
    BringBackHere,
    CancelHere,
    GaveWay,
    Presence,
    Reread,
    UpdateHere,
    agreed_after,
    agreed_presence_after,
    decide,
    label_of,
)
from sync.core.identity import Placed, meeting_key
from sync.core.mapping import EventFacts
from sync.core.people import Organized, organizer_of_import
from sync.core.snapshot import Days, Repeating, Snapshot
from sync.models import ActivityMark, EventLink, Meeting, SyncOutcome
from sync.run import ChangedHere, Run, facts_in
from sync.store import Pair

PART_OF_GOOGLES = "The series was divided in Google. This is its later part; what was done here about it stays."
PART_OF_OURS = "The series was divided here. This is its later part; the one before ends where it begins."
Here, InGoogle = SyncOutcome.Direction.HERE, SyncOutcome.Direction.GOOGLE


def import_event(run: Run, link: EventLink, *, placed: Placed) -> bool:
    """
    Make an activity of an event (R3), and link it. Returns whether that was all there is to do about it.

    The later part of a series that was split in Google begins as what it was split from (R15).

    :raises ChangedHere: if somebody else's session has made it in this very moment (R9).
    """
    facts = facts_in(link)
    profiles = run.profiles_for(link.event, store.profiles_by_email(facts.addresses))
    content = mapping.snapshot_of(link.event, profiles=profiles, default_zone=run.default_zone)
    google_organizer = profiles.get(facts.organizer)
    set_up = store.set_up_among([google_organizer, run.me.pk])
    organizer = organizer_of_import(me=run.me.pk, google_organizer=google_organizer, set_up=set_up)
    with run.transaction():
        current, start, later = _locked(link), splitting.Begin(), list[splitting.Part]()
        former = splitting.former_of(run, link)
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
        _put_content(activity, {name: getattr(content, name) for name in snapshots.FIELDS})
        _put_facts(activity, link, facts, profiles)
        people = content.people
        if former:
            start = splitting.begin(former, content, is_organizer=organizer == run.me.pk)
            people = start.content["people"]
            if until := splitting.until_next_part(run, former, start.content["when"]):
                start.content["when"], start.base_here["when"] = until, content.when
            _put_content(activity, start.content)
            for name in splitting.OF_THE_HEAD:
                setattr(activity, name, getattr(former.head, name))
        activity.save()
        if former:
            splitting.take_over_people(run, former, activity, start, facts, profiles)
            activity.tags.add(*former.head.tags.all())
        for person in sorted(people | {run.me.pk, organizer}):
            _add_participant(run, activity, person, facts, profiles, content)
        if not (former and former.link.state == EventLink.State.FROZEN):  # Out of the selection it stays (R4).
            activity.tags.add(run.tag())
        if placed.shares_meeting:
            _claim_meeting(facts, activity)
        if activity.is_series:
            later = splitting.cut_parts_here(run, former, activity) if former else []
            part_of, since = (former.link, former.since) if former else (None, None)
            repeating.lay_out_imported(run, link, activity, part_of=part_of, since=since)
        if former:
            series.copy_changes(former.head, to=activity)
        else:
            FieldChange.objects.create(activity=activity, field="created", origin="google", at=run.now)
        current.activity = activity
        here = store.snapshot_here(
            store.load_activity(activity.pk), addresses=_invitable(activity), organizer=organizer
        )
        base_here, base_google = (
            splitting.with_base(here, start.base_here),
            splitting.with_base(content, start.base_google),
        )
        _settle(
            current, here=base_here, google=base_google, presence=Presence.PRESENT, profiles=profiles, mark=link.mark
        )
        run.count("added", Here)
        rule, words = ("R15", PART_OF_GOOGLES) if former else ("R3", _import_words(activity, facts, run))
        run.note(SyncOutcome.Action.ADDED, rule=rule, reason=words, item=activity.subject, link=current)
        _journal_unknown_zone(run, current, activity.subject)
        if former:
            for part in later:
                _carry_on(run, former, part.head.pk, content, whole=activity)
            splitting.journal_time(run, former, current, content, start)
            EventLink.objects.filter(pk=current.pk).update(is_marked=True)  # Something may be on its way still.
    return former is None


def _carry_on(run: Run, former: splitting.Former, activity_id: int, google: Snapshot, *, whole: Activity) -> None:
    """Let what Google changed from its part on reach a later part made here, which has not been sent yet (R15)."""
    with repeating.followed(run, activity_id):
        activity = store.load_activity(activity_id, lock=True)
        here = store.snapshot_here(activity, addresses=_invitable(activity), organizer=activity.organizer_id)
        patch, both = splitting.changed_for_later(former, here, google)
        _put_content(activity, patch)
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
                reason="Both sides divided the series and changed this; the later part keeps what it was given here.",
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
    profiles = run.profiles_for(link.event, store.profiles_by_email(facts.addresses))
    content = mapping.snapshot_of(link.event, profiles=profiles, default_zone=run.default_zone)
    with run.transaction(), repeating.followed(run, placed.activity_id):
        activity = store.load_activity(placed.activity_id, lock=True)
        own = EventLink.objects.filter(calendar=run.calendar, activity=activity)
        former = own.filter(state=EventLink.State.DETACHED)
        former.filter(event__status="cancelled").delete()  # Its event is gone; the meeting returned as this one.
        _release(former)  # Somebody brought the former one back as well.
        if own.exists():
            raise ChangedHere
        meet(run, activity, facts, joins=True)
        activity.tags.add(run.tag())
        if activity.organizer_id == run.me.pk:
            _take_own_copy(activity, content)
        here = store.snapshot_here(
            store.load_activity(activity.pk), addresses=_invitable(activity), organizer=activity.organizer_id
        )
        base_here, base_google = _inherited_bases(activity, here, content)
        link.activity = activity
        _settle(link, here=base_here, google=base_google, presence=Presence.PRESENT, profiles=profiles)
        if not Meeting.objects.filter(activity=activity).exists():
            _claim_meeting(facts, activity, may_fail=True)
        EventLink.objects.filter(pk=link.pk).update(is_marked=True)  # Now it is a pair to decide about.
        if activity.is_series:
            repeating.lay_out_joined(run, link, activity)
            repeating.mark_what_deviates(run, activity)
        run.count("added", Here)
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
            reason="Its event is in this calendar now.",
            item=link.activity.subject,
            link=link,
        )


def _take_own_copy(activity: Activity, google: Snapshot) -> None:
    """What Google keeps for each copy follows the new Organizer's; private stays private (R5). It is no change."""
    activity.show_as_free = google.show_as_free
    activity.is_private = activity.is_private or google.is_private
    activity.save(update_fields=["show_as_free", "is_private", "modified_at"])
    Participant.objects.filter(activity=activity, profile=activity.organizer_id).update(
        reminder_minutes=google.reminder
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


def prepare_insert(run: Run, *, activity_id: int, organized: Organized, is_back_fill: bool) -> EventLink | None:
    """
    Choose the id of the event that this activity becomes, and save it before anything is sent (R13).

    `is_back_fill` says that no change of the activity brings it out, but one of the settings (R17).

    Returns None if somebody else has linked the activity meanwhile: nothing is inserted while any link exists (R5).
    """
    with run.transaction(), repeating.followed(run, activity_id):
        activity = store.load_activity(activity_id, lock=True)
        if store.is_linked_anywhere(activity_id):
            return None
        _set_organizer(run, activity, organized, link=None)
        # Whoever organizes what goes out takes part in it, as Google's own page has it.
        Participant.objects.filter(activity=activity, profile=run.me, response="needs_action").update(
            response=Participant.Response.ACCEPTED
        )
        link = EventLink(
            calendar=run.calendar,
            google_calendar_id=run.calendar.calendar_id,
            event_id=uuid.uuid4().hex,
            activity=activity,
            series=activity.series,
            state=EventLink.State.INSERTING,
            is_back_fill=is_back_fill,
            seen_in_read=run.calendar.complete_read,
            is_marked=True,
            mark=1,
        )
        link.ical_uid = f"{link.event_id}@google.com"
        if whole := splitting.event_before_the_split(run, activity):
            link.base_here = {
                "former_guests": whole.get("attendees", []),
                "former_event": mapping.kept_when_made_anew(whole),
            }
        link.save()
        Meeting.objects.get_or_create(activity=activity, defaults={"key": uuid.uuid4().hex})
        return link


def take_along(run: Run, *, activity_id: int) -> None:
    """
    Let what was split off here take part in what Google did meanwhile to the whole: it moves along (R15).

    What was changed in Google about one of its occurrences is changed here, so that it goes out with the new part.
    """
    with run.transaction():
        activity = store.load_activity(activity_id, lock=True)
        whole = splitting.link_before_the_split(run, activity)
        parts = splitting.parts_along(run, activity, whole) if whole else []
        for part in parts:
            assert whole is not None
            for pair in splitting.pairs_along(run, part, whole):
                _take_exception_along(run, pair)
    for part in parts:
        assert whole is not None
        _move_along(run, part.head.pk, whole)


def _move_along(run: Run, activity_id: int, whole: EventLink) -> None:
    with run.transaction(), repeating.followed(run, activity_id):
        activity = store.load_activity(activity_id, lock=True)
        when = splitting.moved_with_the_whole(run, activity, whole)
        if when is None:
            return
        before = store.when_here(activity)
        _put_content(activity, {"when": when})
        activity.save()
        values = {"before": snapshots.dump_when(before), "after": snapshots.dump_when(when)}
        FieldChange.objects.create(activity=activity, field="when", origin="google", at=timezone.now(), **values)
        run.count("updated", Here)
        run.note(
            SyncOutcome.Action.UPDATED,
            rule="R15",
            reason="Time changed in Google, for the whole series from which this part was divided here.",
            item=activity.subject,
            activity_id=activity.pk,
            field="when",
            here={"when": values["before"]},
            google={"when": values["after"]},
        )


def _take_exception_along(run: Run, pair: Pair) -> None:
    """Apply what Google's version of an occurrence says; what gives way is in the journal (R11)."""
    actions = decide(pair.here, pair.google, pair.standing)
    _apply_along(run, pair, actions)
    if any(isinstance(action, (BringBackHere, Reread)) for action in actions):  # It is on both sides again.
        pair.link.state = EventLink.State.LINKED
        pair.link.base_here = {**(pair.link.base_here or {}), "presence": Presence.PRESENT.value}
        pair = store.load_pair(run, pair.link)
        _apply_along(run, pair, decide(pair.here, pair.google, pair.standing))
    if not pair.facts.is_cancelled:  # Who answered there to this one alone has answered to it here (R10).
        _write_others_answers(run, store.load_activity(pair.activity.pk), pair.facts, pair.profiles, pair)
    _keep_taken_along(run, pair)


def _apply_along(run: Run, pair: Pair, actions: Iterable[Action]) -> None:
    occurrence = store.load_activity(pair.activity.pk, lock=True)
    for action in actions:
        match action:
            case UpdateHere():
                _write_content(run, occurrence, action.patch, pair)
            case AnswerHere():
                _write_response(run, occurrence, action.response)
                run.count("updated", Here)
                run.note(
                    SyncOutcome.Action.ANSWERED,
                    rule=action.rule,
                    reason=action.reason,
                    item=occurrence.subject,
                    activity_id=occurrence.pk,
                    field="response",
                    here=pair.standing.answer.here,
                    google=action.response,
                )
            case CancelHere():
                _write_status(run, occurrence, Activity.Status.CANCELED, revive=False)
            case BringBackHere():
                _write_status(run, occurrence, "", revive=True)
            case GaveWay():
                run.note(
                    SyncOutcome.Action.REPLACED,
                    rule=action.rule,
                    reason=action.reason,
                    item=pair.activity.subject,
                    activity_id=occurrence.pk,
                    field=action.name,
                    here=snapshots.dump_value(action.here),
                    google=snapshots.dump_value(action.google),
                    kept=action.kept.value,
                    is_resolved=True,
                )
    occurrence.save()


def _keep_taken_along(run: Run, pair: Pair) -> None:
    """
    Keep up to which version of Google's an occurrence was taken along: none is taken twice, or counts as dropped.

    What was changed here about it still has to be sent, with the new part.
    """
    occurrence = store.load_activity(pair.activity.pk)
    here = store.snapshot_here(occurrence, addresses=_invitable(occurrence), organizer=pair.organized.organizer)
    base, google = pair.here.base or here, pair.google.now
    same = [name for name in snapshots.FIELDS if getattr(here, name) == getattr(google, name)]
    answers = {
        str(pair.profiles[guest.address]): guest.response
        for guest in pair.facts.guests
        if guest.address in pair.profiles and not pair.facts.is_cancelled
    }
    is_gone = pair.facts.is_cancelled and store.presence_here(occurrence) is not Presence.PRESENT
    presence = store.presence_here(occurrence) if is_gone else pair.standing.agreed_presence
    unmark(
        pair.link,
        pair.link_mark,
        base_here={
            "snapshot": snapshots.dump(_patched(base, {name: getattr(here, name) for name in same})),
            "presence": presence.value,
        },
        base_google={
            "snapshot": snapshots.dump(google),
            "answers": answers or (pair.link.base_google or {}).get("answers", {}),
        },
        settled_at=timezone.now(),
    )


def take_another_id(run: Run, link: EventLink, *, leaving: Mapping[str, Any]) -> None:
    """
    Choose another id for an event that is to be added: somebody else's has it (R13).

    `leaving` is that event, if Google shows one; it is looked at as any other that nobody has linked yet.
    """
    with run.transaction():
        former = link.event_id
        next_incarnation(run, link)
        if leaving:
            seen = EventLink(
                calendar=link.calendar, google_calendar_id=link.google_calendar_id, event_id=former,
                seen_in_read=run.calendar.complete_read,
            )  # fmt: skip
            seen.save()
            store.observe_event(run, seen, leaving)


def next_incarnation(run: Run, former: EventLink) -> None:
    """Give the link the id under which its event returns: a deleted id stays taken at Google (R13)."""
    with run.transaction():
        link = EventLink.objects.select_for_update().get(pk=former.pk)
        link.incarnation += 1
        link.event_id = uuid.uuid4().hex
        link.ical_uid = f"{link.event_id}@google.com"
        kept: dict[str, Any] = {}
        if mapping.facts_of(link.event).is_own:
            kept = {
                "former_guests": link.event.get("attendees", []),
                "former_event": mapping.kept_when_made_anew(link.event),
            }
        link.event, link.etag, link.state = {}, "", EventLink.State.INSERTING
        link.base_here, link.base_google = kept or None, None
        link.is_marked, link.mark = True, link.mark + 1
        link.save()


def intend(link: EventLink, *, here: Snapshot) -> None:
    """Keep what is about to be sent: should the answer be lost, this is what Google was given (R13)."""
    intended = {"snapshot": snapshots.dump(here), "presence": Presence.PRESENT.value}
    link.base_here = (link.base_here or {}) | intended
    link.save(update_fields=["base_here"])


def adopt(run: Run, link: EventLink, event: Mapping[str, Any], *, is_answer: bool) -> None:
    """
    Link the event that an insert made, be this its answer or found later (R13).

    An event found later may have been edited since, so what was sent is the base of both sides, and what differs is
    looked at next.
    """
    event = mapping.cleaned(dict(event))
    facts = mapping.facts_of(event)
    with run.transaction(), repeating.followed(run, link.activity_id):
        profiles = run.profiles_for(event, store.profiles_by_email(facts.addresses))
        content = mapping.snapshot_of(event, profiles=profiles, default_zone=run.default_zone)
        current = EventLink.objects.select_for_update().get(pk=link.pk)
        activity = store.load_activity(current.activity_id, lock=True)
        sent = store.base_of(current.base_here)
        here = sent or store.snapshot_here(activity, addresses=_invitable(activity), organizer=activity.organizer_id)
        current.event, current.etag = event, str(event.get("etag", ""))
        current.ical_uid = facts.ical_uid[: store.LONGEST_ID]
        current.set_guest_addresses(facts.addresses)
        meet(run, activity, facts, joins=True)
        _put_facts(activity, current, facts, profiles)
        activity.save(update_fields=["google_organizer", "google_read_only_reason", "join_link", "other_guests"])
        _claim_meeting(facts, activity, may_fail=True)
        mark = current.mark
        _settle(current, here=here, google=content if is_answer else here, presence=Presence.PRESENT, profiles=profiles)
        if not is_answer:
            EventLink.objects.filter(pk=current.pk).update(is_marked=True, mark=mark + 1)
        run.count("added", InGoogle)
        rule, words = ("R1", "It qualifies and you are its Organizer.")
        if not is_answer:
            rule, words = ("R13", "Added by a session that was cut off.")
        elif activity.is_series and activity.series and activity.series.split_from_id:
            rule, words = ("R15", PART_OF_OURS)
            splitting.look_at_the_whole(run, activity)
        run.note(
            SyncOutcome.Action.ADDED,
            rule=rule,
            reason=words,
            item=activity.subject,
            direction=InGoogle,
            link=current,
        )
        repeating.mark_what_deviates(run, activity)


def settle_pair(
    run: Run,
    pair: Pair,
    *,
    event: Mapping[str, Any],
    to_here: Mapping[str, Any],
    response: str | None = None,
    status: str | None = None,
    state: str = "",
    reason: tuple[str, str] = ("", ""),
    revive: bool = False,
    takes_back_declines: bool = False,
) -> None:
    """
    Apply to our rows what was decided about a pair, and let what both sides now hold be the base.

    `event` is Google's newest version, the answer to our write if there was one. Without a new `state` the link keeps
    its own. Where content did not flow, because the link is frozen or detached or its activity just came back, the base
    stays what it was (R4, R14). `reason` is rule and words of a frozen link.

    :raises ChangedHere: if a field that is to be written is not what was seen any more.
    """
    event = mapping.cleaned(dict(event))
    facts = mapping.facts_of(event)
    with run.transaction(), repeating.followed(run, pair.activity.pk):
        activity = store.load_activity(pair.activity.pk, lock=True)
        before = _columns(activity)
        _check_unchanged(pair, activity, to_here, touches_status=bool(status or revive))
        _set_organizer(run, activity, pair.organized, link=pair.link)
        if pair.takes_over and pair.organized.organizer == run.me.pk:
            _take_own_copy(activity, pair.google.now)
        if to_here:
            _write_content(run, activity, to_here, pair)
        if status or revive:
            _write_status(run, activity, status or "", revive=revive)
        _write_response(run, activity, response)
        profiles = run.profiles_for(event, store.profiles_by_email(facts.addresses))
        if pair.standing.is_organizer:
            _write_others_answers(run, activity, facts, profiles, pair)
            _put_facts(activity, pair.link, facts, profiles)
        if not facts.is_cancelled:
            meet(run, activity, facts)
        if takes_back_declines:
            _take_back_declines(activity)
        if _columns(activity) != before:
            activity.save()
        google = store.snapshot_in_google(run, event, profiles, otherwise=pair.google.now)
        here_after = _patched(pair.here.now, to_here)
        base_here: Snapshot | None
        base_google: Snapshot | None
        base_here, base_google = agreed_after(
            _half(pair.here, here_after),
            _half(pair.google, google),
            is_organizer=pair.standing.is_organizer,
            are_guests_cut=pair.standing.are_guests_cut,
            is_when_held=pair.standing.is_when_held,
        )
        link = EventLink.objects.select_for_update().get(pk=pair.link.pk)
        if link.activity_id != activity.pk:  # Another item of this session has let go of it.
            raise ChangedHere
        presence = _presence_after(pair, status, revive=revive)
        keeps_base = False
        if revive or state or pair.link.state != EventLink.State.LINKED:
            base_here, base_google, keeps_base = pair.here.base, pair.google.base, True
        stays_apart = state == EventLink.State.FROZEN or (not state and pair.link.state != EventLink.State.LINKED)
        if revive or stays_apart:
            presence = pair.standing.agreed_presence
        link.event, link.etag = event, str(event.get("etag", ""))
        link.set_guest_addresses(facts.addresses)
        _settle(
            link,
            here=base_here,
            google=base_google,
            presence=presence,
            profiles=profiles,
            state=EventLink.State.LINKED if revive else state or pair.link.state,
            reason=reason if state or reason[0] else _kept_reason(pair),
            mark=pair.link_mark,
            keeps_base=keeps_base,
            declined_from=_declined_from(pair, response, state),
        )
        if pair.standing.is_when_held:  # Until then each session looks at it again, which asks Google nothing.
            EventLink.objects.filter(pk=link.pk).update(is_marked=True)
        if activity.is_series and facts.is_cancelled:
            repeating.forget_exceptions(run, activity)
        if activity.is_series and revive:
            repeating.mark_what_deviates(run, activity)


def relink(run: Run, pair: Pair, event: Mapping[str, Any] | None) -> None:
    """Let content flow again from this fresh version of the event on; None if Google knows it no more (R4, R14)."""
    if event is None:
        store.observe_gone(run, pair.link)
    else:
        store.observe_event(run, pair.link, event)
        if event.get("status") != "cancelled":
            take_back_decline(pair.link)
    values: dict[str, Any] = {"state": EventLink.State.LINKED, "reason": "", "rule": ""}
    is_there = event is not None and event.get("status") != "cancelled"
    if is_there and pair.standing.is_detached and pair.here.presence is Presence.PRESENT:
        base = EventLink.objects.values_list("base_here", flat=True).get(pk=pair.link.pk) or {}
        values["base_here"] = {**base, "presence": Presence.PRESENT.value}  # Both sides hold it again.
    if not EventLink.objects.filter(pk=pair.link.pk, activity=pair.activity).update(**values):
        raise ChangedHere  # Another item of this session has let go of it.
    if pair.activity.is_series:
        repeating.look_at_exceptions(run, pair.link)


def take_back_decline(link: EventLink) -> None:
    """
    Forget that a guest's answer became No because the event left their calendar (R14).

    It left because the whole meeting was cancelled, or it is there again: their own answer stands.
    """
    base = link.base_here or {}
    if not base.get("declined_from"):
        return
    profile = link.calendar.account.profile_id
    declined = Participant.objects.filter(activity=link.activity_id, profile=profile, response="declined")
    declined.update(response=base["declined_from"])
    EventLink.objects.filter(pk=link.pk).update(
        base_here={name: value for name, value in base.items() if name != "declined_from"}
    )


def _take_back_declines(activity: Activity) -> None:
    gone = EventLink.objects.filter(activity=activity, state=EventLink.State.DETACHED)
    for link in gone.select_related("calendar__account"):
        take_back_decline(link)


def meet(run: Run, activity: Activity, facts: EventFacts, *, joins: bool = False) -> None:
    """
    This user's own session has met the event: they see the activity from now on (R8).

    Only who `joins` is made a participant: somebody taken off here, whose copy of the event still lives, stays off.
    """
    address = next((guest.address for guest in facts.guests if guest.is_self), run.login)
    rows = Participant.objects.filter(activity=activity, profile=run.me)
    if joins and not rows.exists():
        Participant.objects.create(
            activity=activity,
            profile=run.me,
            response=facts.own_answer or _own_default(facts),
            address=address,
        )
        return
    rows.filter(displayed=False).update(displayed=True)
    rows.filter(address="").update(address=address)


def unmark(link: EventLink, mark: int, **values: Any) -> None:
    """Take the mark off, unless it was set again since it was read; further columns are written in any case."""
    if values:
        EventLink.objects.filter(pk=link.pk).update(**values)
    EventLink.objects.filter(pk=link.pk, mark=mark).update(is_marked=False)


def unmark_activity(mark: ActivityMark) -> None:
    """Take an activity's mark off, unless it was set again since it was read."""
    ActivityMark.objects.filter(pk=mark.pk, mark=mark.mark).delete()


def ignore_event(link: EventLink, *, rule: str, reason: str) -> None:
    """The event does not come in (R2): kept in sight, without an activity."""
    unmark(link, link.mark, rule=rule, reason=reason[:500], retry_at=None)


def hand_over(run: Run, *, activity_id: int, organized: Organized) -> None:
    """Give an activity that nobody organized to its Owner (R5)."""
    with run.transaction(), repeating.followed(run, activity_id):
        activity = store.load_activity(activity_id, lock=True)
        _set_organizer(run, activity, organized, link=None)


# --- Parts -------------------------------------------------------------------------------------------------------


def _locked(link: EventLink) -> EventLink:
    """Return the link as it is now; whoever marks it meanwhile waits, or is seen by its mark."""
    return EventLink.objects.select_for_update(no_key=True).get(pk=link.pk)


def _settle(
    link: EventLink,
    *,
    here: Snapshot | None,
    google: Snapshot | None,
    presence: Presence,
    profiles: Mapping[str, int],
    state: str = EventLink.State.LINKED,
    reason: tuple[str, str] = ("", ""),
    mark: int | None = None,
    keeps_base: bool = False,
    declined_from: str = "",
) -> None:
    facts = facts_in(link)
    answers = {str(profiles[guest.address]): guest.response for guest in facts.guests if guest.address in profiles}
    if facts.is_cancelled:  # Nobody's answer counts for anything now; what was agreed on does, should it return.
        answers = (link.base_google or {}).get("answers", answers)
    seen = mark if mark is not None else link.mark
    link.is_marked = link.is_marked and link.mark != seen
    link.state, link.rule, link.reason = state, reason[0], reason[1][:500]
    link.series_id = link.activity.series_id if link.activity else None
    if keeps_base:  # Answers go on; whatever else changed since the base still waits (R4).
        link.base_here = {**(link.base_here or {}), "presence": presence.value}
        link.base_google = {**(link.base_google or {}), "answers": answers}
    else:
        link.base_here = {"snapshot": snapshots.dump(here), "presence": presence.value} if here else None
        link.base_google = {"snapshot": snapshots.dump(google), "answers": answers} if google else None
        link.settled_at = timezone.now()
    if declined_from:
        link.base_here = {**(link.base_here or {}), "declined_from": declined_from}
    link.send_updates, link.mail_about, link.is_back_fill = "", None, False
    link.attempts, link.retry_at = 0, None
    link.save()


def _put_content(activity: Activity, patch: Mapping[str, Any]) -> None:
    """Set the fields that a column of the activity holds."""
    for name in ("subject", "location", "notes", "is_private", "show_as_free"):
        if name in patch:
            setattr(activity, name, patch[name])
    when = patch.get("when")
    if isinstance(when, Repeating):
        repeating.put_rule(activity, when)
        when = when.first
    if isinstance(when, Days):
        activity.set_days(first=when.first, last=when.last)
    elif when is not None:
        activity.time_zone = when.time_zone
        activity.set_times(start=when.start, due=when.due)


def _put_facts(activity: Activity, link: EventLink, facts: EventFacts, profiles: Mapping[str, int]) -> None:
    activity.google_organizer = facts.organizer if len(facts.organizer) <= 254 else ""
    activity.google_read_only_reason = facts.why_read_only
    activity.join_link = facts.join_link
    activity.other_guests = mapping.other_guests(link.event, profiles=profiles)


def _write_content(run: Run, activity: Activity, patch: Mapping[str, Any], pair: Pair) -> None:
    before = store.snapshot_here(activity, addresses=_invitable(activity), organizer=pair.organized.organizer)
    _put_content(activity, patch)
    if "reminder" in patch:
        Participant.objects.filter(activity=activity, profile=pair.organized.organizer).update(
            reminder_minutes=patch["reminder"]
        )
    if "people" in patch:
        _write_people(run, activity, patch["people"], pair)
    FieldChange.objects.bulk_create(
        FieldChange(
            activity=activity,
            field=name,
            before=snapshots.dump_value(getattr(before, name)),
            after=snapshots.dump_value(value),
            origin=FieldChange.Origin.GOOGLE,
            at=timezone.now(),
        )
        for name, value in patch.items()
    )
    if "when" in patch:
        _journal_unknown_zone(run, pair.link, activity.subject)
    run.count("updated", Here)
    run.note(
        SyncOutcome.Action.UPDATED,
        rule="R11",
        reason=f"{label_of(tuple(patch))} changed in Google.",
        item=activity.subject,
        link=pair.link,
        field=", ".join(patch),
        here={name: snapshots.dump_value(getattr(before, name)) for name in patch},
        google={name: snapshots.dump_value(value) for name, value in patch.items()},
    )


def _write_people(run: Run, activity: Activity, people: Iterable[int], pair: Pair) -> None:
    wanted = set(people)
    local = {person.profile_id: person for person in activity.participants.all()}
    reachable = pair.here.now.people
    gone = [person.pk for pk, person in local.items() if pk in reachable and pk not in wanted]
    Participant.objects.filter(pk__in=gone).delete()
    for person in sorted(wanted - local.keys()):
        _add_participant(run, activity, person, pair.facts, pair.profiles, pair.google.now)


def _add_participant(
    run: Run, activity: Activity, person: int, facts: EventFacts, profiles: Mapping[str, int], content: Snapshot
) -> None:
    """R7, R8: named from the start, shown to them only after their own synchronization."""
    guest = next((guest for guest in facts.guests if profiles.get(guest.address) == person), None)
    is_google_organizer = profiles.get(facts.organizer) == person
    address = guest.address if guest else (facts.organizer if is_google_organizer else "")
    default = Participant.Response.ACCEPTED if is_google_organizer else Participant.Response.NEEDS_ACTION
    Participant.objects.get_or_create(
        activity=activity,
        profile_id=person,
        defaults={
            "response": guest.response if guest else default,
            "displayed": person == run.me.pk,
            "address": address,
            "reminder_minutes": content.reminder if person == run.me.pk else None,
        },
    )


def _write_others_answers(
    run: Run, activity: Activity, facts: EventFacts, profiles: Mapping[str, int], pair: Pair
) -> None:
    """
    Show the answers that the Organizer's copy shows, of people who have not answered here since (R10).

    Their own sessions remain the ones that send an answer given here.
    """
    before = (pair.link.base_google or {}).get("answers", {})
    answers = {profiles[guest.address]: guest.response for guest in facts.guests if guest.address in profiles}
    addresses = {profiles[guest.address]: guest.address for guest in facts.guests if guest.address in profiles}
    for participant in activity.participants.all():
        answer = answers.get(participant.profile_id)
        if answer is not None and not participant.address:  # Google knows them by this address from now on (R7).
            Participant.objects.filter(pk=participant.pk).update(address=addresses[participant.profile_id])
        known = before.get(str(participant.profile_id), Participant.Response.NEEDS_ACTION)
        is_own = participant.profile_id == pair.organized.organizer
        if is_own or answer is None or answer == participant.response or participant.response != known:
            continue
        same = Participant.objects.filter(pk=participant.pk, response=participant.response)
        if same.update(response=answer):
            _note_answer_of_another(run, activity, participant, answer, pair)


def _note_answer_of_another(run: Run, activity: Activity, participant: Participant, answer: str, pair: Pair) -> None:
    FieldChange.objects.create(
        activity=activity,
        field="response",
        before=participant.response,
        after=answer,
        origin=FieldChange.Origin.GOOGLE,
        by=participant.profile,
        at=timezone.now(),
    )
    run.count("updated", Here)
    run.note(
        SyncOutcome.Action.ANSWERED,
        rule="R10",
        reason=f"{participant.profile.full_name} answered in Google.",
        item=activity.subject,
        link=pair.link,
        field="response",
        here=participant.response,
        google=answer,
    )


def _write_response(run: Run, activity: Activity, response: str | None) -> None:
    if response is None:
        return
    changed = Participant.objects.filter(activity=activity, profile=run.me).exclude(response=response)
    if changed.update(response=response):
        FieldChange.objects.create(
            activity=activity, field="response", after=response, origin="google", by=run.me, at=timezone.now()
        )


def _write_status(run: Run, activity: Activity, status: str, *, revive: bool) -> None:
    before = "deleted" if activity.deleted_at else activity.status
    if revive:
        activity.deleted_at = None
        if activity.status == Activity.Status.CANCELED:
            activity.status = Activity.Status.NOT_STARTED
    else:
        activity.status = status
    FieldChange.objects.create(
        activity=activity, field="status", before=before, after=activity.status, origin="google", at=timezone.now()
    )


def _set_organizer(run: Run, activity: Activity, organized: Organized, *, link: EventLink | None) -> None:
    """R5: let the activity run by somebody else's calendar; who was replaced is in the journal."""
    if organized.organizer == activity.organizer_id or not organized.reason:
        return
    before = activity.organizer_id
    activity.organizer_id = organized.organizer
    activity.save(update_fields=["organizer", "modified_at"])
    FieldChange.objects.create(
        activity=activity,
        field="organizer",
        before=before,
        after=organized.organizer,
        origin="google",
        by=run.me,
        at=timezone.now(),
    )
    if organized.organizer:
        Participant.objects.get_or_create(
            activity=activity, profile_id=organized.organizer, defaults={"response": Participant.Response.ACCEPTED}
        )
    outcome = run.note(
        SyncOutcome.Action.TAKEN_OVER,
        rule="R5",
        reason=organized.reason,
        item=activity.subject,
        link=link,
        field="organizer",
        here=before,
        google=organized.organizer,
    )
    SyncOutcome.objects.filter(pk=outcome.pk).update(activity=activity)


def _check_unchanged(pair: Pair, activity: Activity, to_here: Mapping[str, Any], *, touches_status: bool) -> None:
    """:raises ChangedHere: if somebody has changed meanwhile what is about to be written (R11)."""
    now = store.snapshot_here(activity, addresses=_invitable(activity), organizer=pair.organized.organizer)
    if any(getattr(now, name) != getattr(pair.here.now, name) for name in to_here):
        raise ChangedHere
    if touches_status and store.presence_here(activity) != pair.here.presence:
        raise ChangedHere
    if activity.organizer_id != pair.activity.organizer_id:
        raise ChangedHere


def _claim_meeting(facts: EventFacts, activity: Activity, *, may_fail: bool = False) -> None:
    """
    Make the activity the one of its meeting (R9).

    :raises ChangedHere: if the meeting has one already.
    """
    try:
        with transaction.atomic():
            Meeting.objects.update_or_create(activity=activity, defaults={"key": meeting_key(facts)})
    except IntegrityError as error:
        if not may_fail:
            raise ChangedHere from error


def _journal_unknown_zone(run: Run, link: EventLink, subject: str) -> None:
    if name := mapping.unknown_zone(link.event):
        run.note(
            SyncOutcome.Action.REPLACED,
            rule="R16",
            reason=f"The time zone “{name}” is unknown; the offset was used.",
            item=subject,
            link=link,
            field="when",
            google=name,
            is_resolved=True,
        )


def _import_words(activity: Activity, facts: EventFacts, run: Run) -> str:
    kind = "a task of category Meeting" if facts.guests else "a task"
    if activity.is_series:
        return f"New in Google. It becomes {kind} that repeats, with the tag “{run.tag()}”."
    return f"New in Google. It becomes {kind} with the tag “{run.tag()}”."


def _presence_after(pair: Pair, status: str | None, *, revive: bool) -> Presence:
    if revive:
        return Presence.PRESENT
    if status == Activity.Status.CANCELED:
        return Presence.CANCELED
    return agreed_presence_after(pair.here, pair.google, pair.standing)


def _declined_from(pair: Pair, response: str | None, state: str) -> str:
    """Return the answer that stood before the event left this guest's calendar, to be taken back should it return."""
    gone = state == EventLink.State.DETACHED and response == Participant.Response.DECLINED
    return pair.standing.answer.here or "" if gone else ""


def _columns(activity: Activity) -> dict[str, Any]:
    return {field.attname: getattr(activity, field.attname) for field in Activity._meta.concrete_fields}


def _kept_reason(pair: Pair) -> tuple[str, str]:
    """A link that stays frozen keeps telling why."""
    return (pair.link.rule, pair.link.reason) if pair.standing.is_frozen else ("", "")


def _half(half: Any, now: Snapshot) -> Any:
    return type(half)(now, half.base, half.presence, half.changed_at)


def _patched(snapshot: Snapshot, patch: Mapping[str, Any]) -> Snapshot:
    return Snapshot(**{name: patch.get(name, getattr(snapshot, name)) for name in snapshots.FIELDS})


def _invitable(activity: Activity) -> dict[int, str]:
    return store.addresses_of(activity.participants.values_list("profile_id", flat=True))


def _own_default(facts: EventFacts) -> str:
    return Participant.Response.ACCEPTED if facts.is_own else Participant.Response.NEEDS_ACTION
