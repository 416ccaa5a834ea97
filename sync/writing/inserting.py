"""Activities become events: the id is chosen before, and Google's answer adopted (R5, R13)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from accounts.models import profiles_by_email
from activities.models import Participant
from sync import repeating, splitting, store
from sync.core import mapping
from sync.core import snapshot as snapshots
from sync.core.decide import (
    Presence,
)
from sync.core.people import Organized
from sync.core.reasons import _
from sync.core.snapshot import Snapshot
from sync.models import EventLink, Meeting, SyncOutcome
from sync.run import Run
from sync.writing.content import claim_meeting, invitable, put_facts, set_organizer
from sync.writing.settling import meet, settle

PART_OF_OURS = _("The series was divided here. This is its later part; the one before ends where it begins.")


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
        set_organizer(run, activity, organized, link=None)
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


def intend_answer(link: EventLink, response: str) -> None:
    """Keep the answer that is about to be sent (R13)."""
    link.base_here = store.with_sent(link, answer=response)
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
        profiles = run.profiles_for(event, profiles_by_email(facts.addresses))
        content = mapping.snapshot_of(event, profiles=profiles, default_zone=run.default_zone)
        current = EventLink.objects.select_for_update().get(pk=link.pk)
        activity = store.load_activity(current.activity_id, lock=True)
        sent = store.base_of(current.base_here)
        now_here = store.snapshot_here(activity, addresses=invitable(activity), organizer=activity.organizer_id)
        here = sent or now_here
        current.event, current.etag = event, str(event.get("etag", ""))
        current.ical_uid = facts.ical_uid[: store.LONGEST_ID]
        current.set_guest_addresses(facts.addresses)
        meet(run, activity, facts, joins=True)
        put_facts(activity, current, facts, profiles)
        activity.save(update_fields=["google_organizer", "google_read_only_reason", "join_link", "other_guests"])
        claim_meeting(facts, activity, may_fail=True)
        mark = current.mark
        google = content if is_answer else here
        settle(current, here=here, google=google, now_here=now_here, presence=Presence.PRESENT, profiles=profiles)
        if not is_answer:
            EventLink.objects.filter(pk=current.pk).update(is_marked=True, mark=mark + 1)
        run.count("added", SyncOutcome.Direction.GOOGLE)
        rule, words = ("R1", _("It qualifies and you are its Organizer."))
        if not is_answer:
            rule, words = ("R13", _("Added by a session that was cut off."))
        elif activity.is_series and activity.series and activity.series.split_from_id:
            rule, words = ("R15", PART_OF_OURS)
            splitting.look_at_the_whole(run, activity)
        run.note(
            SyncOutcome.Action.ADDED,
            rule=rule,
            reason=words,
            item=activity.subject,
            direction=SyncOutcome.Direction.GOOGLE,
            link=current,
        )
        repeating.mark_what_deviates(run, activity)
