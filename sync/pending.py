"""What of an activity is different on the two sides and waits for a session, as the database alone tells (R21)."""

from __future__ import annotations

from dataclasses import dataclass

from accounts.models import Profile, profiles_by_email
from activities.models import Activity
from sync import store
from sync.core import mapping
from sync.core import snapshot as snapshots
from sync.core.snapshot import Repeating, Snapshot, at_occurrence
from sync.models import EventLink


@dataclass(frozen=True, slots=True)
class Pending:
    """Fields that were changed on one side since both last agreed. `by` is whose session brings them over."""

    here: tuple[str, ...] = ()
    google: tuple[str, ...] = ()
    taken_back: tuple[str, ...] = ()  # Changed here, and not to be sent (R6).
    answer: bool = False  # Of whoever asks: it goes with their own session.
    by: Profile | None = None


def pending(*, activity: Activity, whole: Activity, link: EventLink, profile: Profile) -> Pending:
    """
    Return what the next session has to bring over; nothing of what is frozen, gone or put aside.

    `whole` is the row that goes to Google as one: of a repeating activity its head. `link` is this person's link to
    either.
    """
    if link.state != EventLink.State.LINKED or link.retry_at or link.reason or not activity.organizer_id:
        return Pending()
    answer = _has_unsent_answer(activity, link, profile)
    is_mine = activity.organizer_id == profile.pk
    of_organizer = link if is_mine else _link_of_organizer(activity, whole)
    if of_organizer is None:
        return Pending(answer=answer)
    here, back = _changed_here(activity, of_organizer)
    if whole.pk != activity.pk and of_organizer.activity_id == whole.pk:
        of_whole, back_of_whole = _changed_here(whole, of_organizer)
        here, back = here | of_whole, back | back_of_whole
    return Pending(
        here=_in_order(here - back),
        taken_back=_in_order(back),
        google=_in_order(_changed_in_google(of_organizer)) if is_mine else (),
        answer=answer,
        by=activity.organizer,
    )


def _link_of_organizer(activity: Activity, whole: Activity) -> EventLink | None:
    links = EventLink.objects.filter(calendar__account__profile=activity.organizer_id, state=EventLink.State.LINKED)
    return links.filter(activity=activity).first() or links.filter(activity=whole).first()


def _changed_here(activity: Activity, link: EventLink) -> tuple[set[str], set[str]]:
    """Return what was changed here since both sides last agreed, and what of it the Organizer's session takes back."""
    base = _base(link.base_here, activity, link)
    if base is None:
        return set(), set()
    row = store.load_activity(activity.pk)
    addresses = store.addresses_of(person.profile_id for person in row.participants.all())
    here = store.snapshot_here(row, addresses=addresses, organizer=row.organizer_id)
    changed = {name for name in snapshots.FIELDS if getattr(here, name) != getattr(base, name)}
    return changed, set(store.taken_back(row, link, here=here, base=base)) if changed else set()


def _base(data: dict[str, object] | None, activity: Activity, link: EventLink) -> Snapshot | None:
    """Return what both sides agreed on about an activity; of an occurrence without a link its series tells."""
    base = store.base_of(data)
    is_of_series = base is not None and isinstance(base.when, Repeating) and activity.pk != link.activity_id
    if base is not None and is_of_series and activity.original_start:
        return at_occurrence(base, activity.original_start)
    return base


def _changed_in_google(link: EventLink) -> set[str]:
    """Return what Google has shown and no session has looked at yet."""
    base = store.base_of(link.base_google)
    if not link.is_marked or base is None:
        return set()
    owner, facts = link.calendar.account.profile, mapping.facts_of(link.event)
    if facts.is_cancelled:
        return {"status"}
    own = {link.calendar.account.login.lower()} | {guest.address for guest in facts.guests if guest.is_self}
    if facts.is_own and facts.organizer:
        own.add(facts.organizer)
    profiles = profiles_by_email(facts.addresses) | dict.fromkeys(own, owner.pk)
    zone = link.calendar.time_zone or owner.time_zone
    try:
        google = mapping.snapshot_of(link.event, profiles=profiles, default_zone=zone)
    except mapping.UnreadableEvent:
        return set()
    return {name for name in snapshots.FIELDS if getattr(google, name) != getattr(base, name)}


def _has_unsent_answer(activity: Activity, link: EventLink, profile: Profile) -> bool:
    agreed = (link.base_google or {}).get("answers", {}).get(str(profile.pk))
    mine = activity.participants.filter(profile=profile).values_list("response", flat=True).first()
    return bool(agreed and mine and mine != agreed)


def _in_order(names: set[str]) -> tuple[str, ...]:
    return tuple(name for name in (*snapshots.FIELDS, "status") if name in names)
