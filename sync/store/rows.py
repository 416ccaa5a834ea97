"""Activities, people and links as rows, in the words of the core."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from accounts.models import CommunicationOption, ExternalAccount
from activities import recurrence
from activities.models import Activity, Tag, bounds_of_days
from activities.recurrence import Pattern
from sync.core import mapping
from sync.core import snapshot as snapshots
from sync.core.decide import Presence
from sync.core.eligibility import Selected, Window, first_unmet, reasons_to_send
from sync.core.mapping import EventFacts
from sync.core.reasons import Reason
from sync.core.snapshot import Days, OneTime, Repeating, Snapshot, Timed, When, at_occurrence
from sync.run import Run

FOR_EVER = datetime(9000, 1, 1, tzinfo=UTC)  # When an endless series ends.


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

    `addresses` says under which address each participant can be invited; without one they stay local (R7), and so does
    whoever has it in a calendar that they share.
    """
    participants = {participant.profile_id: participant for participant in activity.participants.all()}
    reachable = {
        pk
        for pk, participant in participants.items()
        if (participant.address or pk in addresses) and not mapping.is_of_a_calendar(participant.address)
    }
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


def will_meet(profile: int | None, *, organizer: str, when: When) -> bool:
    """
    Whether a session of somebody's will meet an event that they organize in Google under this address (R5).

    Their sessions read one calendar, from the day on that they chose: the address has to be that of the account they
    have connected, its main calendar the one they synchronize, and the event no older.
    """
    accounts = ExternalAccount.objects.in_use().filter(profile=profile, login__iexact=organizer)
    account = accounts.select_related("profile__sync_settings").first()
    settings = getattr(account.profile, "sync_settings", None) if account else None
    if account is None or settings is None or settings.calendar_id.lower() not in ("primary", account.login.lower()):
        return False
    return Window(settings.sync_from, account.profile.time_zone).holds(last_time(when))


def selected(run: Run, activity: Activity, *, is_in_other_calendar: bool = False) -> Selected:
    """Return what R1 asks of an activity, from this user's point of view."""
    return selected_for(activity, me=run.me.pk, wanted=run.settings.own_tag, is_in_other_calendar=is_in_other_calendar)


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


def base_of(data: dict[str, Any] | None) -> Snapshot | None:
    return snapshots.load(data["snapshot"]) if data and data.get("snapshot") else None


def presence_in_google(facts: EventFacts) -> Presence:
    return Presence.CANCELED if facts.is_cancelled else Presence.PRESENT
