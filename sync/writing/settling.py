"""What both sides have agreed on is kept, and what waits is marked or not (R4, R11, R14)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import profiles_by_email
from activities import series
from activities.models import Activity, Participant
from sync import declines, repeating, store
from sync.core import mapping
from sync.core import snapshot as snapshots
from sync.core.decide import (
    Presence,
    agreed_after,
    agreed_presence_after,
)
from sync.core.mapping import EventFacts, Guest
from sync.core.people import Organized
from sync.core.snapshot import PER_COPY_FIELDS, Snapshot
from sync.models import ActivityMark, EventLink
from sync.run import ChangedHere, Run, facts_in
from sync.store import Pair
from sync.writing.content import (
    guests_of,
    invitable,
    patched,
    put_facts,
    set_organizer,
    take_own_copy,
    write_content,
    write_others_answers,
    write_response,
    write_status,
)


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
        set_organizer(run, activity, pair.organized, link=pair.link)
        if pair.takes_over and pair.organized.organizer == run.me.pk:
            take_own_copy(activity, pair.google.now)
        if to_here:
            write_content(run, activity, to_here, pair)
        if status or revive:
            write_status(run, activity, status or "", revive=revive)
        write_response(run, activity, response)
        profiles = run.profiles_for(event, profiles_by_email(facts.addresses))
        if pair.standing.is_organizer:
            write_others_answers(run, activity, facts, profiles, pair)
            put_facts(activity, pair.link, facts, profiles)
        if not facts.is_cancelled:
            meet(run, activity, facts)
        if pair.google.presence is not Presence.PRESENT and pair.standing.is_gone_for_all:
            declines.take_back_all(pair.link, event=event)
        if _columns(activity) != before:
            activity.save()
        google = store.snapshot_in_google(run, event, profiles, otherwise=pair.google.now)
        here_after = patched(pair.here.now, to_here)
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
        store.take_in_what_arrived(
            link, google=pair.google.now, facts=pair.facts, presence=pair.here.presence, profile_id=run.me.pk
        )
        presence = _presence_after(pair, status, revive=revive)
        keeps_base = False
        if revive or state or pair.link.state != EventLink.State.LINKED:
            base_here, base_google, keeps_base = pair.here.base, pair.google.base, True
        stays_apart = state == EventLink.State.FROZEN or (not state and pair.link.state != EventLink.State.LINKED)
        if revive or stays_apart:
            presence = pair.standing.agreed_presence
        link.event, link.etag = event, str(event.get("etag", ""))
        link.set_guest_addresses(facts.addresses)
        settle(
            link,
            here=base_here,
            google=base_google,
            now_here=here_after if pair.standing.is_organizer else _as_of_copy(here_after, base_here),
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
        if activity.series and activity.is_series and google.when == here_after.when != pair.google.now.when:
            series.lay_out(
                activity.series, now=run.now
            )  # Google's part may have taken some along that it still has (R15).
        if activity.is_series and revive:
            repeating.mark_what_deviates(run, activity)
        if activity.is_series:
            repeating.look_at_what_is_there_again(run, link, activity)


def relink(run: Run, pair: Pair, event: Mapping[str, Any] | None) -> None:
    """Let content flow again from this fresh version of the event on; None if Google knows it no more (R4, R14)."""
    if event is None:
        store.observe_gone(run, pair.link)
    else:
        store.observe_event(run, pair.link, event)
        if event.get("status") != "cancelled":
            declines.take_back(pair.link)
    values: dict[str, Any] = {"state": EventLink.State.LINKED, "reason": "", "rule": ""}
    is_there = event is not None and event.get("status") != "cancelled"
    if is_there and pair.standing.is_detached and pair.here.presence is Presence.PRESENT:
        base = EventLink.objects.values_list("base_here", flat=True).get(pk=pair.link.pk) or {}
        values["base_here"] = {**base, "presence": Presence.PRESENT.value}  # Both sides hold it again.
    if not EventLink.objects.filter(pk=pair.link.pk, activity=pair.activity).update(**values):
        raise ChangedHere  # Another item of this session has let go of it.
    if is_there and event is not None and pair.standing.is_detached:
        with run.transaction(), repeating.followed(run, pair.activity.pk):
            rejoin(run, pair.activity, mapping.facts_of(event))
    if pair.activity.is_series:
        repeating.look_at_exceptions(run, pair.link)


def rejoin(run: Run, activity: Activity, facts: EventFacts) -> None:
    """
    Let somebody whose calendar has the event now take part, unless they were taken off here and Google waits for that.

    Whom the Organizer invited in Google nobody has added here: taken off there again, they are off (R7, R9). The
    Organizer's own session may come later than that of the guest, and see neither.
    """
    me = run.me.pk
    links = EventLink.objects.filter(activity=activity, calendar__account__profile=activity.organizer_id)
    found = [(link, _snapshots_of(link.base_here, link.base_google)) for link in _locked(links)]
    agreed = [(link, bases) for link, bases in found if bases]
    if not activity.participants.filter(profile=me).exists():
        if any(me in base["people"] for _link, bases in agreed for base in bases):
            return
        is_named = me in profiles_by_email(facts.addresses).values()
        for link, bases in [] if facts.is_own else agreed:
            # Whom a group brought is on no list of the Organizer's: missing there, nobody has taken them off (R7).
            for base in bases if is_named else _snapshots_of(link.base_here):
                base["people"] = sorted({*base["people"], me})
            link.save(update_fields=["base_here", "base_google"])
    meet(run, activity, facts, joins=True)


def _locked(links: QuerySet[EventLink]) -> QuerySet[EventLink]:
    return links.select_for_update(of=("self",), no_key=True)


def _snapshots_of(*bases: dict[str, Any] | None) -> list[dict[str, Any]]:
    return [base["snapshot"] for base in bases if base and base.get("snapshot")]


def meet(run: Run, activity: Activity, facts: EventFacts, *, joins: bool = False) -> None:
    """
    This user's own session has met the event: they see the activity from now on (R8).

    Only who `joins` is made a participant: somebody taken off here, whose copy of the event still lives, stays off.
    """
    address = next((guest.address for guest in facts.guests if guest.is_self), None)
    address = address or (facts.organizer if facts.is_own and facts.organizer else run.login)
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
    is_guest = any(guest.is_self for guest in facts.guests)  # Then Google knows them by this one, whoever invited them.
    (rows.exclude(address=address) if is_guest else rows.filter(address="")).update(address=address)


def unmark(link: EventLink, mark: int, **values: Any) -> None:
    """Take the mark off, unless it was set again since it was read; further columns are written in any case."""
    if values:
        EventLink.objects.filter(pk=link.pk).update(**values)
    EventLink.objects.filter(pk=link.pk, mark=mark).update(is_marked=False)


def unmark_activity(mark: ActivityMark) -> None:
    """Take an activity's mark off, unless it was set again since it was read."""
    ActivityMark.objects.filter(pk=mark.pk, mark=mark.mark).delete()


def postpone_activity(mark: ActivityMark, *, until: datetime) -> None:
    """Look at an activity again later, unless it changed while it was looked at (R19). `until` is aware."""
    waiting = ActivityMark.objects.filter(pk=mark.pk, mark=mark.mark)
    waiting.update(retry_at=until, attempts=min(mark.attempts + 1, 100))


def ignore_event(link: EventLink, *, rule: str, reason: str) -> None:
    """The event does not come in (R2): kept in sight, without an activity."""
    unmark(link, link.mark, rule=rule, reason=reason[:500], retry_at=None)


def hand_over(run: Run, *, activity_id: int, organized: Organized) -> None:
    """Give an activity that nobody organized to its Owner (R5)."""
    with run.transaction(), repeating.followed(run, activity_id):
        activity = store.load_activity(activity_id, lock=True)
        set_organizer(run, activity, organized, link=None)


def locked(link: EventLink) -> EventLink:
    """Return the link as it is now; whoever marks it meanwhile waits, or is seen by its mark."""
    return EventLink.objects.select_for_update(no_key=True).get(pk=link.pk)


def settle(
    link: EventLink,
    *,
    here: Snapshot | None,
    google: Snapshot | None,
    now_here: Snapshot | None,
    presence: Presence,
    profiles: Mapping[str, int],
    state: str = EventLink.State.LINKED,
    reason: tuple[str, str] = ("", ""),
    mark: int | None = None,
    keeps_base: bool = False,
    declined_from: str = "",
) -> None:
    """Let a link, locked, have these bases. `now_here` is what the activity holds: where it differs, it was edited."""
    guests = guests_of(link.activity_id, facts_in(link), profiles)
    agree(
        link, guests, here=here, google=google, now_here=now_here, presence=presence, state=state, reason=reason,
        mark=mark, keeps_base=keeps_base, declined_from=declined_from,
    )  # fmt: skip
    link.save()


def agree(
    link: EventLink,
    guests: Mapping[int, Guest],
    *,
    here: Snapshot | None,
    google: Snapshot | None,
    now_here: Snapshot | None,
    presence: Presence,
    state: str = EventLink.State.LINKED,
    reason: tuple[str, str] = ("", ""),
    mark: int | None = None,
    keeps_base: bool = False,
    declined_from: str = "",
) -> None:
    """Do what `settle` does, but for saving. `guests` says which guest of the event each user is."""
    answers = {str(person): guest.response for person, guest in guests.items()}
    if link.event.get("status") == "cancelled":  # Nobody's answer counts for anything now; what was agreed on does,
        answers = (link.base_google or {}).get("answers", answers)  # should it return.
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
        if here == now_here:  # Else the log of what still waits to be sent is asked for again (R6, R11).
            link.settled_at = timezone.now()
    if declined_from:
        link.base_here = {**(link.base_here or {}), "declined_from": declined_from}
    link.send_updates, link.mail_about, link.is_back_fill = "", None, False
    link.attempts, link.retry_at = 0, None


def _check_unchanged(pair: Pair, activity: Activity, to_here: Mapping[str, Any], *, touches_status: bool) -> None:
    """:raises ChangedHere: if somebody has changed meanwhile what is about to be written (R11)."""
    now = store.snapshot_here(activity, addresses=invitable(activity), organizer=pair.organized.organizer)
    if any(getattr(now, name) != getattr(pair.here.now, name) for name in to_here):
        raise ChangedHere
    if touches_status and store.presence_here(activity) != pair.here.presence:
        raise ChangedHere
    if activity.organizer_id != pair.activity.organizer_id:
        raise ChangedHere
    if activity.series_id != pair.activity.series_id:  # Dropped by its series, or moved into another part of it (R15).
        raise ChangedHere


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


def _as_of_copy(here: Snapshot, base: Snapshot | None) -> Snapshot:
    """How a guest's copy is shown differs from the Organizer's for good: that waits for nothing (R10)."""
    return replace(here, **{name: getattr(base, name) for name in PER_COPY_FIELDS}) if base else here


def _columns(activity: Activity) -> dict[str, Any]:
    return {field.attname: getattr(activity, field.attname) for field in Activity._meta.concrete_fields}


def _kept_reason(pair: Pair) -> tuple[str, str]:
    """A link that stays frozen keeps telling why."""
    return (pair.link.rule, pair.link.reason) if pair.standing.is_frozen else ("", "")


def _half(half: Any, now: Snapshot) -> Any:
    return type(half)(now, half.base, half.presence, half.changed_at)


def _own_default(facts: EventFacts) -> str:
    return Participant.Response.ACCEPTED if facts.is_own else Participant.Response.NEEDS_ACTION
