"""Rows ↔ snapshots: what Google lists becomes observations, what is marked becomes pairs to decide about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce

from accounts.models import CommunicationOption, ExternalAccount, profiles_by_email
from activities import recurrence
from activities.models import Activity, FieldChange, Participant, Tag, bounds_of_days
from activities.recurrence import Pattern
from sync.core import mapping
from sync.core import snapshot as snapshots
from sync.core.decide import Answer, Half, Presence, Standing
from sync.core.eligibility import Selected, first_unmet, reasons_to_send
from sync.core.mapping import EventFacts
from sync.core.people import Organized, Roles, organizer_of
from sync.core.reasons import Reason
from sync.core.snapshot import PER_COPY_FIELDS, Days, OneTime, Repeating, Snapshot, Timed, When, at_occurrence
from sync.models import ActivityMark, EventLink, SyncedCalendar
from sync.run import Run

CLOCKS_DIFFER = timedelta(hours=1)  # A change may carry a time a little before the session that did not see it yet.
LONGEST_ID = 1024  # Characters of an event's id, Google's own limit.
FOR_EVER = datetime(9000, 1, 1, tzinfo=UTC)  # When an endless series ends.


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

    @property
    def takes_over(self) -> bool:
        return self.organized.organizer != self.activity.organizer_id


# --- Observing ---------------------------------------------------------------------------------------------------


def observe_page(run: Run, page: Mapping[str, Any]) -> int:
    """
    Store one page of `events.list`, and how far the reading has come, in one transaction (R18).

    Returns how many events differ from what was known.
    """
    calendar = run.calendar
    with run.transaction():
        changed = _observe_events(run, page.get("items", []))
        calendar.time_zone = str(page.get("timeZone") or calendar.time_zone)[:64]
        calendar.page_token = page.get("nextPageToken", "")
        if not calendar.page_token:
            calendar.sync_token = page.get("nextSyncToken", "")
        calendar.save(update_fields=["time_zone", "page_token", "sync_token"])
    return changed


def observe_event(run: Run, link: EventLink, event: Mapping[str, Any]) -> None:
    """Store what Google just showed of one event, outside a listing."""
    with run.transaction():
        current = EventLink.objects.select_for_update().get(pk=link.pk)
        _see(run, current, mapping.cleaned(dict(event)))
        current.save()


def see_elsewhere(run: Run, link: EventLink, *, seen: EventLink) -> None:
    """Let a link hold what was `seen` of its event in another calendar, and be that calendar's. It is not saved."""
    link.google_calendar_id, link.seen_in_read = seen.google_calendar_id, seen.seen_in_read
    _see(run, link, seen.event)


def observe_gone(run: Run, link: EventLink) -> None:
    """Store that Google does not know an event any more: as much as a cancellation (R14)."""
    observe_event(run, link, {**link.event, "status": "cancelled", "etag": ""})


def _observe_events(run: Run, items: Iterable[dict[str, Any]]) -> int:
    events = {item["id"]: mapping.cleaned(item) for item in items if 0 < len(item.get("id", "")) <= LONGEST_ID}
    calendar = run.calendar
    known = {
        link.event_id: link
        for link in EventLink.objects.filter(
            calendar=calendar, google_calendar_id=calendar.calendar_id, event_id__in=events
        )
        .order_by("id")
        .select_for_update(no_key=True)
    }
    made, changed = [], []
    for event_id, event in events.items():
        link = known.get(event_id)
        if link is None:
            if event.get("status") == "cancelled" and not event.get("recurringEventId"):
                continue  # It came and went without us. A cancelled occurrence tells what its series leaves out (R15).
            link = EventLink(calendar=calendar, google_calendar_id=calendar.calendar_id, event_id=event_id)
            made.append(link)
        elif link.etag != event.get("etag"):  # Else it is the echo of what we know (R18).
            changed.append(link)
        link.seen_in_read = calendar.complete_read
        if link.etag != event.get("etag"):
            _see(run, link, event)
    EventLink.objects.bulk_create(made)
    EventLink.objects.bulk_update(
        changed,
        ["event", "etag", "ical_uid", "guest_addresses", "changed_in_google", "is_marked", "mark", "seen_in_read"],
    )
    if calendar.is_reading_completely:
        seen = [link.pk for link in known.values() if link not in changed]
        EventLink.objects.filter(pk__in=seen).update(seen_in_read=calendar.complete_read)
    return len(made) + len(changed)


def _see(run: Run, link: EventLink, event: dict[str, Any]) -> None:
    """Let a link hold this version of its event, and mark it."""
    if event.get("status") == "cancelled":
        event = {**link.event, **event}  # A deleted event says little more than its id; whose copy it was is known.
    if link.event:
        at = event.get("updated") or run.now.isoformat()
        stamps = dict.fromkeys(mapping.changed_fields(link.event, event), at)
        link.changed_in_google = {**link.changed_in_google, **stamps}
    facts = mapping.facts_of(event)
    link.event = event
    link.etag = str(event.get("etag", ""))
    link.ical_uid = facts.ical_uid[:LONGEST_ID] or link.ical_uid
    link.set_guest_addresses(facts.addresses)
    link.is_marked = True
    link.mark = link.mark + 1


def begin_reading(run: Run) -> None:
    """Begin a complete read where there is no token yet, or the selection is not what the token was got for (R2)."""
    calendar, settings = run.calendar, run.settings
    is_other_selection = (calendar.calendar_id, calendar.read_from) != (settings.calendar_id, settings.sync_from)
    if (calendar.sync_token or calendar.page_token) and not is_other_selection:
        return
    begin_complete_read(run)


def begin_complete_read(run: Run) -> None:
    """Forget the tokens: the next page is the first of everything. What is held stays (R20)."""
    calendar, settings = run.calendar, run.settings
    calendar.sync_token = calendar.page_token = ""
    calendar.calendar_id, calendar.read_from = settings.calendar_id, settings.sync_from
    calendar.complete_read += 1
    calendar.is_reading_completely = True
    calendar.compare_all = True
    calendar.save(
        update_fields=[
            "sync_token", "page_token", "calendar_id", "read_from", "complete_read", "is_reading_completely",
            "compare_all",
        ]
    )  # fmt: skip


def absent_links(run: Run) -> list[EventLink]:
    """Return the linked events of the window that a complete read did not list: perhaps deleted (R14)."""
    links = EventLink.objects.filter(
        calendar=run.calendar,
        google_calendar_id=run.calendar.calendar_id,
        state=EventLink.State.LINKED,
        seen_in_read__lt=run.calendar.complete_read,
    ).order_by("id")
    return [link for link in links if link.event.get("status") != "cancelled" and _is_in_window(run, link)]


def end_reading(run: Run) -> None:
    """The calendar was read completely, and what was absent has been looked at."""
    calendar = run.calendar
    EventLink.objects.filter(
        calendar=calendar, state=EventLink.State.SEEN, seen_in_read__lt=calendar.complete_read
    ).delete()
    calendar.is_reading_completely = False
    calendar.save(update_fields=["is_reading_completely"])


def _is_in_window(run: Run, link: EventLink) -> bool:
    try:
        return run.window.holds(last_time(mapping.when_of(link.event, default_zone=run.default_zone)))
    except (mapping.UnreadableEvent, recurrence.UnreadableRule):
        return True


# --- What needs a look -------------------------------------------------------------------------------------------


def mark_what_is_due(run: Run) -> bool:
    """
    Mark parked links whose time has come, and everything when a full comparison is due (R18, R19).

    Returns whether it was.
    """
    calendar = run.calendar
    links = EventLink.objects.filter(calendar=calendar)
    links.filter(retry_at__lte=run.now).update(is_marked=True, mark=F("mark") + 1, retry_at=None)
    is_due = calendar.compared_at is None or calendar.compared_at <= run.now - timedelta(days=1)
    if not (is_due or calendar.compare_all):  # What is wanted since this run took the calendar, the next one does.
        return False
    with transaction.atomic():
        # Taken off first: a change of the settings in this very moment puts it on again, for the next session.
        is_wanted = SyncedCalendar.objects.filter(pk=calendar.pk, compare_all=True).update(compare_all=False)
        if not (is_wanted or is_due):
            return False
        ignored = Q(state=EventLink.State.SEEN) & (Q(rule="R2") | Q(series__isnull=False))  # They may come in now.
        links.filter(ignored | Q(activity__isnull=False)).update(is_marked=True, mark=F("mark") + 1)
        ids = selectable_activities(run).values_list("pk", flat=True)
        rows = [ActivityMark(calendar=calendar, activity_id=pk) for pk in ids]
        ActivityMark.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1000)
        calendar.compare_all, calendar.compared_at = False, run.now
        calendar.save(update_fields=["compared_at"])
        return True


def selectable_activities(run: Run) -> Any:
    """Return the activities without a link that may qualify for this user; `reasons_to_send` has the last word (R1)."""
    me = run.me
    mine = Q(organizer=me) | Q(owner=me) | Q(participants__profile=me)
    return (
        Activity.every.present()
        .filter(mine, show_in_calendar=True, tags__kind=Tag.Kind.PRIVATE, tags__owner=me, original_start=None)
        .filter(Q(due__gt=run.window.start - timedelta(days=1)) | Q(is_series=True))
        .exclude(links__calendar=run.calendar)
        .distinct()
    )


@dataclass(frozen=True, slots=True)
class Marked:
    """A link to look at, and the lane in which it waits its turn."""

    pk: int
    lane: str
    place: int  # New series come first, then what is linked, then single occurrences (R15).


@dataclass(frozen=True, slots=True)
class MarkedActivity:
    """An activity to look at, and the lane in which it waits its turn."""

    row: ActivityMark
    lane: str
    place: int  # As of a link.
    is_new_series: bool


def marked_links(run: Run) -> list[Marked]:
    """Return the links to look at, in the order in which they have to be."""
    return _in_lanes(run, EventLink.objects.filter(calendar=run.calendar, is_marked=True))


def links_to_look_at(run: Run, ids: Iterable[int]) -> list[Marked]:
    """Return these links, in the order in which they have to be looked at."""
    return _in_lanes(run, EventLink.objects.filter(pk__in=list(ids)))


def _in_lanes(run: Run, links: QuerySet[EventLink]) -> list[Marked]:
    rows = links.values("pk", "event_id", "series_id", "activity_id", "state", "event__recurringEventId",
                        "event__recurrence").order_by("id")  # fmt: skip
    found = list(rows)
    wholes = {row["event__recurringEventId"] for row in found if not row["series_id"]} - {None}
    known = EventLink.objects.filter(calendar=run.calendar, event_id__in=wholes, series__isnull=False)
    series = dict(known.values_list("event_id", "series_id"))
    return sorted((_in_lane(row, series) for row in found), key=lambda marked: marked.place)


def _in_lane(row: Mapping[str, Any], series: Mapping[str, int]) -> Marked:
    whole = row["event__recurringEventId"]
    series_id = row["series_id"] or series.get(whole or "")
    if series_id:
        lane = f"series {series_id}"
    elif whole or row["event__recurrence"]:
        lane = f"event {whole or row['event_id']}"
    else:
        lane = f"activity {row['activity_id']}" if row["activity_id"] else f"link {row['pk']}"
    is_new_series = row["event__recurrence"] and row["state"] == EventLink.State.SEEN
    return Marked(row["pk"], lane, 0 if is_new_series else 2 if whole else 1)


def marked_activities(run: Run) -> list[MarkedActivity]:
    """Return the activities to look at, in the order in which they have to be."""
    return in_lanes(run, run.calendar.activity_marks.select_related("activity").order_by("id"))


def in_lanes(run: Run, marks: Iterable[ActivityMark]) -> list[MarkedActivity]:
    """Return marked activities in the order for looking at them: a series before its occurrences (R15)."""
    found = list(marks)
    wholes = [mark.activity_id for mark in found if mark.activity.is_series]
    linked = set(EventLink.objects.filter(calendar=run.calendar, activity__in=wholes)
                 .values_list("activity_id", flat=True))  # fmt: skip
    rows = [_marked_activity(mark, is_linked=mark.activity_id in linked) for mark in found]
    return sorted(rows, key=lambda row: row.row.activity.original_start is not None)


def _marked_activity(row: ActivityMark, *, is_linked: bool) -> MarkedActivity:
    activity = row.activity
    lane = f"series {activity.series_id}" if activity.series_id else f"activity {activity.pk}"
    place = 2 if activity.original_start else 1
    return MarkedActivity(row, lane, place, is_new_series=activity.is_series and not is_linked)


def count_of(links: QuerySet[EventLink]) -> int:
    """Return how many items links are; a series with its exceptions counts as one (R14)."""
    return links.annotate(item=Coalesce("series_id", -F("id"))).values("item").distinct().count()


# --- Loading -----------------------------------------------------------------------------------------------------


def load_activity(activity_id: int | None, *, lock: bool = False) -> Activity:
    """
    Return an activity with everything a snapshot needs; with `lock`, nobody else changes it until the commit.

    :raises Activity.DoesNotExist: if there is none, or the link it was asked for has none.
    """
    rows = Activity.every.locked() if lock else Activity.every.select_related("organizer", "owner", "series")
    return rows.prefetch_related("participants", "tags").get(pk=activity_id)  # type: ignore[misc] # None finds nothing.


def snapshot_here(activity: Activity, *, addresses: Mapping[int, str], organizer: int | None) -> Snapshot:
    """
    Return the content of an activity (R10).

    `addresses` says under which address each participant can be invited; without one they stay local (R7).
    """
    participants = {participant.profile_id: participant for participant in activity.participants.all()}
    reachable = {pk for pk, participant in participants.items() if participant.address or pk in addresses}
    leader = participants.get(organizer) if organizer else None
    return Snapshot(
        subject=activity.subject,
        when=when_here(activity),
        location=activity.location,
        notes=activity.notes.replace("\r\n", "\n"),
        is_private=activity.is_private,
        show_as_free=activity.show_as_free,
        reminder=leader.reminder_minutes if leader else None,
        people=frozenset(reachable | ({organizer} if organizer else set())),
    )


def when_here(activity: Activity) -> When:
    """Return when an activity takes place; of the head of a series, how it repeats as well (R15)."""
    first = _one_time_here(activity)
    return Repeating(first, tuple(activity.series.recurrence)) if activity.is_series and activity.series else first


def last_time(when: When) -> OneTime:
    """
    Return when something takes place for the last time; of an endless series a time that nothing outlasts.

    :raises UnreadableRule: if its rule cannot be read.
    """
    if not isinstance(when, Repeating):
        return when
    last = recurrence.last_start(pattern_of(when))
    if last is None:
        return Timed(FOR_EVER, FOR_EVER, "UTC")
    return at_occurrence(Snapshot(subject="", when=when), last).when  # type: ignore[return-value] # Of one occurrence.


def ends(activity: Activity) -> datetime:
    """Return when an activity, or the last occurrence of a series, has ended; UTC (R17)."""
    if not activity.is_series:
        return activity.due
    last = last_time(when_here(activity))
    if isinstance(last, Days):
        return bounds_of_days(first=last.first, last=last.last, time_zone=activity.time_zone)[1]
    return last.due


def pattern_of(when: Repeating) -> Pattern:
    """Return a series' "when" as the rules of repetition take it."""
    if isinstance(when.first, Days):
        return Pattern(when.first.first, "UTC", when.lines)
    return Pattern(when.first.start, when.first.time_zone, when.lines)


def _one_time_here(activity: Activity) -> OneTime:
    if activity.all_day and activity.start_date and activity.due_date:
        return Days(activity.start_date, activity.due_date)
    return Timed(activity.start, activity.due, activity.time_zone)


def presence_here(activity: Activity) -> Presence:
    if activity.deleted_at:
        return Presence.DELETED
    is_canceled = activity.status == Activity.Status.CANCELED
    return Presence.CANCELED if is_canceled else Presence.PRESENT


def addresses_of(profiles: Iterable[int]) -> dict[int, str]:
    """Return under which address each of these people is invited: the connected Google login, else the first e-mail."""
    wanted = list(profiles)
    emails = CommunicationOption.objects.filter(kind=CommunicationOption.Kind.EMAIL, profile__in=wanted)
    found = dict(emails.order_by("-id").values_list("profile_id", "value"))  # The first one wins.
    logins = ExternalAccount.objects.in_use().filter(profile__in=wanted).values_list("profile_id", "login")
    return {profile: address.lower() for profile, address in (found | dict(logins)).items()}


def set_up_among(profiles: Iterable[int | None]) -> set[int]:
    """
    Return who of these people has synchronization set up: an account, working access, a saved set-up page.

    Of who cannot sign in any more no session runs, so others may take over what they organized (R5).
    """
    accounts = ExternalAccount.objects.filter(
        profile__in=[pk for pk in profiles if pk],
        profile__user__is_active=True,
        status=ExternalAccount.Status.CONNECTED,
        profile__sync_settings__isnull=False,
    )
    return set(accounts.values_list("profile_id", flat=True))


def selected(run: Run, activity: Activity, *, is_in_other_calendar: bool = False) -> Selected:
    """Return what R1 asks of an activity, from this user's point of view."""
    return selected_for(activity, me=run.me.pk, wanted=run.settings.tag, is_in_other_calendar=is_in_other_calendar)


def selected_for(activity: Activity, *, me: int, wanted: Tag | None, is_in_other_calendar: bool = False) -> Selected:
    """Return what R1 asks of an activity, from the point of view of the profile `me`."""
    activity = selected_as(activity, me=me)
    tags = list(activity.tags.all())
    private = [tag for tag in tags if tag.kind == Tag.Kind.PRIVATE and tag.owner_id == me]
    return Selected(
        when=last_time(when_here(activity)),
        show_in_calendar=activity.show_in_calendar,
        is_email=activity.kind == Activity.Kind.EMAIL,
        private_tags=tuple(tag.name for tag in private if wanted is None or tag.pk == wanted.pk),
        wanted_tag=wanted.name if wanted else "",
        public_tags=tuple((tag.kind, tag.name) for tag in tags if tag.kind != Tag.Kind.PRIVATE),
        is_in_other_calendar=is_in_other_calendar,
    )


def selected_as(activity: Activity, *, me: int) -> Activity:
    """Return what an activity is selected as: its series as a whole (R1), unless `me` is invited to this one only."""
    if not (activity.original_start and activity.series):
        return activity
    head = activity.series.head
    is_of_all = me in (head.organizer_id, head.owner_id) or head.participants.filter(profile=me).exists()
    return head if is_of_all else activity


def unmet_condition(run: Run, activity: Activity, *, is_in_other_calendar: bool = False) -> Reason | None:
    """Return the first condition of R1 that an activity does not meet."""
    facts = selected(run, activity, is_in_other_calendar=is_in_other_calendar)
    return first_unmet(reasons_to_send(facts, window=run.window))


def organized(run: Run, activity: Activity, *, link: EventLink | None = None, unmet: Reason | None = None) -> Organized:
    """
    Return who the Organizer is once this session has met the activity, and its event by this link (R5).

    `unmet` is the condition of R1 that does not hold for this user. An occurrence has the Organizer of its series.
    """
    if activity.original_start:
        return Organized(activity.organizer_id)
    roles = Roles(
        me=run.me.pk,
        organizer=activity.organizer_id,
        owner=activity.owner_id,
        takes_part=any(person.profile_id == run.me.pk for person in activity.participants.all()),
        set_up=set_up_among([activity.organizer_id, activity.owner_id]),
        is_own_copy=link is not None and mapping.facts_of(link.event).is_own,
        qualifies=unmet is None,
        has_organizer_left=link is not None and _has_organizer_left(activity, link),
    )
    return organizer_of(roles)


def _has_organizer_left(activity: Activity, link: EventLink) -> bool:
    """Whether the event is gone from the Organizer's calendar alone: this one still has it."""
    is_there = presence_here(activity) is Presence.PRESENT and link.event.get("status") not in (None, "cancelled")
    return is_there and _links_of(activity.organizer_id, activity).filter(state=EventLink.State.DETACHED).exists()


def _links_of(profile: int | None, activity: Activity) -> QuerySet[EventLink]:
    return EventLink.objects.filter(activity=activity, calendar__account__profile=profile)


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
    base_here, base_google = base_of(link.base_here), base_of(link.base_google)
    google_now = snapshot_in_google(run, link.event, profiles, otherwise=base_google or here_now)
    if who.organizer != activity.organizer_id:
        here_now = with_own_copy(here_now, google_now) if who.organizer == run.me.pk else here_now
        base_here, base_google = _rebase(base_here, here_now), _rebase(base_google, google_now)
    here = Half(here_now, base_here, presence_here(activity))
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


def base_of(data: dict[str, Any] | None) -> Snapshot | None:
    return snapshots.load(data["snapshot"]) if data and data.get("snapshot") else None


def presence_in_google(facts: EventFacts) -> Presence:
    return Presence.CANCELED if facts.is_cancelled else Presence.PRESENT


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
        unmet=unmet,
        is_frozen=link.state == EventLink.State.FROZEN,
        is_detached=link.state == EventLink.State.DETACHED,
        agreed_presence=Presence(agreed),
        why_read_only=facts.why_read_only,
        foreign=foreign if is_collective else frozenset(),
        are_guests_cut=facts.are_guests_cut,
        is_own_copy=facts.is_own,
        other_copies_live=_other_copies_live(link),
        is_completed=activity.status == Activity.Status.COMPLETED,
        answer=_answer(run, link, activity, facts, changes),
    )


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
    if is_of_note and not _is_by(organizer, last_change(changes, "status", "deleted", "restored")):
        foreign.add("status")
    return frozenset(foreign)


def _is_from_google(change: FieldChange, here: Half) -> bool:
    """Whether the value that an activity has came from Google, by whatever way it got there."""
    if change.origin != FieldChange.Origin.GOOGLE:
        return False
    return bool(change.after == snapshots.dump_value(getattr(here.now, change.field)))


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

    Who took it out of Google's bin has two events, which are two activities.
    """
    if link.event.get("recurringEventId") or link.event.get("status") == "cancelled":
        return False
    newer = EventLink.objects.filter(
        activity=link.activity_id, incarnation__gt=link.incarnation, state__in=EventLink.HOLDING
    )
    return newer.exclude(event_id=link.event_id).exclude(event__status="cancelled").exists()


def _other_copies_live(link: EventLink) -> bool:
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
    answer = Answer(
        here=me.response if me else None,
        google=facts.own_answer,
        base=answers.get(str(run.me.pk)),
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


def is_linked_anywhere(activity_id: int) -> bool:
    """Whether any account's link to an activity exists, so that nothing is inserted for it (R5)."""
    return EventLink.objects.filter(activity=activity_id).exclude(state=EventLink.State.FORGOTTEN).exists()


def links_of_meeting(run: Run, facts: EventFacts) -> list[EventLink]:
    """Return other accounts' links that may be the same meeting: same iCalUID or id, same Google organizer (R9)."""
    same = Q(event_id=facts.event_id)
    if facts.ical_uid:
        same |= Q(ical_uid=facts.ical_uid)
    links = (
        EventLink.objects.filter(same, activity__isnull=False)
        .exclude(calendar=run.calendar)
        .exclude(activity__in=_linked_activities(run))
        .select_related("calendar__account", "activity")
        .order_by("id")
    )
    return [
        link
        for link in links
        if _organizer_of(link) == facts.organizer
        and mapping.facts_of(link.event).original_start == facts.original_start
    ]


def link_in_another_calendar(run: Run, link: EventLink) -> EventLink | None:
    """
    Return this account's link to the same event in a calendar that is not synchronized any more, None if it has none.

    An event keeps its id when it is moved, and its organizer becomes the calendar that has it now. An invitation that
    somebody else sends under the id of an event of ours is another event (R9).
    """
    facts = mapping.facts_of(link.event)
    if facts.is_cancelled:
        return None
    others = EventLink.objects.filter(calendar=run.calendar, event_id=link.event_id, activity__isnull=False)
    former = others.exclude(google_calendar_id=link.google_calendar_id).exclude(state=EventLink.State.FORGOTTEN).first()
    if former and (facts.is_own or mapping.facts_of(former.event).organizer == facts.organizer):
        return former
    return None


def _linked_activities(run: Run) -> Any:
    """Return the activities of this account's links. One whose event is gone may return as another event (R14)."""
    links = EventLink.objects.filter(calendar=run.calendar, activity__isnull=False)
    return links.exclude(state=EventLink.State.DETACHED).values("activity")


def _organizer_of(link: EventLink) -> str:
    """Return the Google organizer of a link's event; of one that is being added it is the account itself."""
    return mapping.facts_of(link.event).organizer or link.calendar.account.login.lower()


def unplaced_link(run: Run, activity: Activity) -> EventLink | None:
    """
    Return the link to an event that is an activity's own though nobody has brought them together yet (R9, R13).

    It carries the hidden id, or was let go by a removal to which Google gave no answer.
    """
    mine = Q(**{f"event__extendedProperties__private__{mapping.HIDDEN_ID}": str(activity.uid)})
    mine |= Q(**{f"base_here__{EventLink.RELEASED}": str(activity.uid)})
    seen = EventLink.objects.filter(mine, calendar=run.calendar, google_calendar_id=run.calendar.calendar_id)
    return seen.filter(state=EventLink.State.SEEN, event__recurringEventId__isnull=True).order_by("id").first()


def carried_activity(run: Run, link: EventLink) -> int | None:
    """
    Return the activity whose hidden id an event carries, or that its link was let go from.

    None if it is not this user's, or linked anywhere (R9).
    """
    hidden_id = (link.base_here or {}).get(EventLink.RELEASED) or mapping.facts_of(link.event).hidden_id
    try:
        mine = Activity.every.present().filter(uid=UUID(hidden_id), original_start=None)
    except ValueError:  # None, or text that somebody else put there.
        return None
    takes_part = Q(pk__in=Participant.objects.filter(profile=run.me).values("activity"))
    return mine.filter(takes_part | Q(organizer=run.me), links=None).values_list("pk", flat=True).first()
