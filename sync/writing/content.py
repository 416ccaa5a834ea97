"""Content, people and answers of an activity, as Google shows them (R7, R8, R10)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from activities.models import Activity, FieldChange, Participant
from sync import repeating, store
from sync.core import mapping
from sync.core import snapshot as snapshots
from sync.core.decide import said_of_update
from sync.core.identity import meeting_key
from sync.core.mapping import EventFacts, Guest
from sync.core.people import Organized
from sync.core.reasons import _
from sync.core.snapshot import Days, Repeating, Snapshot
from sync.models import EventLink, Meeting, SyncOutcome
from sync.run import ChangedHere, Run
from sync.store import Pair


def take_own_copy(activity: Activity, google: Snapshot) -> None:
    """What Google keeps for each copy follows the new Organizer's; private stays private (R5). It is no change."""
    activity.show_as_free = google.show_as_free
    activity.is_private = activity.is_private or google.is_private
    activity.save(update_fields=["show_as_free", "is_private", "modified_at"])
    Participant.objects.filter(activity=activity, profile=activity.organizer_id).update(
        reminder_minutes=google.reminder
    )


def put_content(activity: Activity, patch: Mapping[str, Any]) -> None:
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


def put_facts(activity: Activity, link: EventLink, facts: EventFacts, profiles: Mapping[str, int]) -> None:
    activity.google_organizer = facts.organizer if len(facts.organizer) <= 254 else ""
    activity.google_read_only_reason = facts.why_read_only
    activity.join_link = facts.join_link
    activity.other_guests = mapping.other_guests(link.event, profiles=profiles)


def write_content(run: Run, activity: Activity, patch: Mapping[str, Any], pair: Pair) -> None:
    before = store.snapshot_here(activity, addresses=invitable(activity), organizer=pair.organized.organizer)
    put_content(activity, patch)
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
        journal_unknown_zone(run, pair.link, activity.subject)
    run.count("updated", SyncOutcome.Direction.HERE)
    rule, reason = said_of_update(patch, pair.google)
    run.note(
        SyncOutcome.Action.UPDATED,
        rule=rule,
        reason=reason,
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
        add_participant(run, activity, person, pair.facts, pair.profiles, pair.google.now)


def add_participant(
    run: Run, activity: Activity, person: int, facts: EventFacts, profiles: Mapping[str, int], content: Snapshot
) -> None:
    """R7, R8: named from the start, shown to them only after their own synchronization."""
    added = new_participant(run, activity, person, facts, profiles, content)
    names = ("response", "displayed", "address", "reminder_minutes")
    Participant.objects.get_or_create(
        activity=activity, profile_id=person, defaults={name: getattr(added, name) for name in names}
    )


def new_participant(
    run: Run, activity: Activity, person: int, facts: EventFacts, profiles: Mapping[str, int], content: Snapshot
) -> Participant:
    """Return somebody as a participant of what comes in, not saved (R7, R8)."""
    guest = next((guest for guest in facts.guests if profiles.get(guest.address) == person), None)
    is_google_organizer = profiles.get(facts.organizer) == person
    address = guest.address if guest else (facts.organizer if is_google_organizer else "")
    default = Participant.Response.ACCEPTED if is_google_organizer else Participant.Response.NEEDS_ACTION
    return Participant(
        activity=activity,
        profile_id=person,
        response=guest.response if guest else default,
        displayed=person == run.me.pk,
        address=address,
        reminder_minutes=content.reminder if person == run.me.pk else None,
    )


def guests_of(activity_id: int | None, facts: EventFacts, profiles: Mapping[str, int]) -> dict[int, Guest]:
    """Return which guest each user is; only of who is invited by several addresses the participants are asked (R7)."""
    people = [profiles[guest.address] for guest in facts.guests if guest.address in profiles]
    known: dict[int, str] = {}
    if len(people) > len(set(people)):
        known = dict(Participant.objects.filter(activity=activity_id).values_list("profile", "address"))
    return mapping.guests_by_person(facts, profiles=profiles, known=known)


def write_others_answers(
    run: Run, activity: Activity, facts: EventFacts, profiles: Mapping[str, int], pair: Pair
) -> None:
    """
    Show the answers that the Organizer's copy shows, of people who have not answered here since (R10).

    Their own sessions remain the ones that send an answer given here.
    """
    before = (pair.link.base_google or {}).get("answers", {})
    guests = guests_of(activity.pk, facts, profiles)
    for participant in activity.participants.all():
        guest = guests.get(participant.profile_id)
        answer = guest.response if guest else None
        if guest and not participant.address:  # Google knows them by this address from now on (R7).
            Participant.objects.filter(pk=participant.pk).update(address=guest.address)
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
    run.count("updated", SyncOutcome.Direction.HERE)
    run.note(
        SyncOutcome.Action.ANSWERED,
        rule="R10",
        reason=_("%(name)s answered in Google.") % {"name": participant.profile.full_name},
        item=activity.subject,
        link=pair.link,
        field="response",
        here=participant.response,
        google=answer,
    )


def write_response(run: Run, activity: Activity, response: str | None) -> None:
    if response is None:
        return
    changed = Participant.objects.filter(activity=activity, profile=run.me).exclude(response=response)
    if changed.update(response=response):
        FieldChange.objects.create(
            activity=activity, field="response", after=response, origin="google", by=run.me, at=timezone.now()
        )


def write_status(run: Run, activity: Activity, status: str, *, revive: bool) -> None:
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


def set_organizer(run: Run, activity: Activity, organized: Organized, *, link: EventLink | None) -> None:
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


def claim_meeting(facts: EventFacts, activity: Activity, *, may_fail: bool = False) -> None:
    """
    Make the activity the one of its meeting (R9).

    :raises ChangedHere: if the meeting has one already.
    """
    stale = Meeting.objects.filter(key=meeting_key(facts)).exclude(activity=activity)
    for meeting in stale:
        if not store.is_linked_anywhere(meeting.activity_id):  # Removed from Google, or forgotten with its account.
            meeting.delete()
    try:
        with transaction.atomic():
            Meeting.objects.update_or_create(activity=activity, defaults={"key": meeting_key(facts)})
    except IntegrityError as error:
        if not may_fail:
            raise ChangedHere from error


def journal_unknown_zone(run: Run, link: EventLink, subject: str) -> None:
    if outcome := unknown_zone(run, link, subject):
        run.keep(outcome)


def unknown_zone(run: Run, link: EventLink, subject: str) -> SyncOutcome | None:
    """Return the entry for the journal, not saved, that an event's time zone is unknown; None if it is known (R16)."""
    name = mapping.unknown_zone(link.event)
    if not name:
        return None
    return run.outcome(
        SyncOutcome.Action.REPLACED,
        rule="R16",
        reason=_("The time zone “%(zone)s” is unknown; the offset was used.") % {"zone": name},
        item=subject,
        link=link,
        field="when",
        google=name,
        is_resolved=True,
    )


def patched(snapshot: Snapshot, patch: Mapping[str, Any]) -> Snapshot:
    return Snapshot(**{name: patch.get(name, getattr(snapshot, name)) for name in snapshots.FIELDS})


def invitable(activity: Activity) -> dict[int, str]:
    return store.addresses_of(activity.participants.values_list("profile_id", flat=True))
