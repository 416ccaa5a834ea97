"""SyncSettings, SyncedCalendar, EventLink, Meeting, ActivityMark, SyncSession, SyncOutcome."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts.models import ExternalAccount, Profile
from activities import services
from activities.models import Activity, Series, Tag

LEASE = timedelta(minutes=3)  # A run that shows no sign of life for so long has died; its calendar is free again (R18).


def default_sync_from() -> date:
    """Seven days ago."""
    return timezone.localdate() - timedelta(days=7)


class SyncSettings(models.Model):
    """What a person chose on the set-up page. The row exists once the page was saved."""

    PERIODS = [
        (minutes, _("Every minute") if minutes == 1 else format_lazy(_("Every {minutes} minutes"), minutes=minutes))
        for minutes in (1, 5, 10, 15, 30, 60)
    ]

    profile = models.OneToOneField(Profile, models.CASCADE, related_name="sync_settings")
    automatic = models.BooleanField(_("synchronize calendar automatically"), default=False)
    period_minutes = models.PositiveSmallIntegerField(_("period"), choices=PERIODS, default=60)
    sync_from = models.DateField(_("synchronize from"), default=default_sync_from)
    tag = models.ForeignKey(
        Tag, models.RESTRICT, null=True, blank=True, related_name="+", verbose_name=_("synchronization tag")
    )
    calendar_id = models.CharField(_("calendar"), max_length=254, default="primary")
    tell_guests = models.BooleanField(_("tell guests about changes"), default=True)

    class Meta:
        verbose_name_plural = "sync settings"
        constraints = [
            models.CheckConstraint(
                name="sync_period_is_one_of_those_offered", condition=Q(period_minutes__in=[1, 5, 10, 15, 30, 60])
            ),
        ]

    def __str__(self) -> str:
        return f"Synchronization of {self.profile}"

    @property
    def own_tag(self) -> Tag | None:
        """The tag named here, as long as it is a private one of theirs: any other stops what carries it (R1d)."""
        is_own = self.tag is not None and (self.tag.kind, self.tag.owner_id) == (Tag.Kind.PRIVATE, self.profile_id)
        return self.tag if is_own else None

    def clean(self) -> None:
        """:raises ValidationError: if nobody could have anything planned on that day."""
        if self.sync_from and (reason := services.why_not_plannable(self.sync_from)):
            raise ValidationError({"sync_from": reason})


class SyncedCalendarQuerySet(models.QuerySet["SyncedCalendar"]):
    def claim(self, *, calendar_id: int, now: datetime) -> str | None:
        """
        Take a calendar for one run, and return the claim's key; None if somebody else runs it (R18).

        One conditional UPDATE: the row count tells who won. A run that died loses its claim after LEASE.
        """
        return self.filter(pk=calendar_id)._claim(now)

    def claim_for(self, *, session_id: int, now: datetime) -> str | None:
        """Do the same for a session that waits to be run; None also if it does not."""
        waiting = SyncSession.objects.filter(pk=session_id, status=SyncSession.Status.QUEUED)
        return self.filter(pk__in=waiting.values("calendar"))._claim(now)

    def _claim(self, now: datetime) -> str | None:
        key = uuid.uuid4().hex
        # Of the row itself, in no subquery: who waits for another claim to be written must look at it again.
        free = self.filter(Q(lease_until=None) | Q(lease_until__lte=now))
        return key if free.update(lease_by=key, lease_until=now + LEASE) else None

    def hold(self, *, calendar_id: int, key: str, now: datetime, **values: Any) -> bool:
        """Prolong a claim, and write what else is known; False if it was lost to somebody else meanwhile."""
        return bool(self.filter(pk=calendar_id, lease_by=key).update(lease_until=now + LEASE, **values))

    def release(self, *, calendar_id: int, key: str, **values: Any) -> None:
        """End a claim, and write what else is known at its end, unless it was lost meanwhile."""
        self.filter(pk=calendar_id, lease_by=key).update(lease_by="", lease_until=None, **values)

    def due(self, *, now: datetime) -> SyncedCalendarQuerySet:
        """Return the calendars whose automatic session is due, the longest waiting first."""
        return self.filter(
            due_at__lte=now,
            account__status=ExternalAccount.Status.CONNECTED,
            account__paused=False,
            account__profile__user__is_active=True,
        ).order_by("due_at", "id")


class SyncedCalendar(models.Model):
    """How far the reading of an account's calendar has come, who runs it now, and when it is due."""

    account = models.OneToOneField(ExternalAccount, models.CASCADE, related_name="synced_calendar")
    calendar_id = models.CharField(max_length=254, default="primary")
    time_zone = models.CharField(max_length=64, blank=True)  # The calendar's own zone, from Google.
    read_from = models.DateField(null=True, blank=True)  # The Synchronize from with which the sync token was got.
    sync_token = models.TextField(blank=True)
    page_token = models.TextField(blank=True)  # Where a reading that was cut off goes on.
    complete_read = models.PositiveIntegerField(default=0)  # Number of the complete read that runs, or ran last.
    is_reading_completely = models.BooleanField(default=False)
    compare_all = models.BooleanField(default=True)  # Look at every activity and link in the next session.
    compared_at = models.DateTimeField(null=True, blank=True)
    confirmed_removals = models.JSONField(default=list, blank=True)  # Links whose removal a person allowed (R14).
    due_at = models.DateTimeField(null=True, blank=True, db_index=True)
    lease_by = models.CharField(max_length=32, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    synchronized_at = models.DateTimeField(null=True, blank=True)

    objects = SyncedCalendarQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.calendar_id} of {self.account}"


class Meeting(models.Model):
    """
    The one activity of a meeting that several people have in their calendars (R9).

    The key is made of Google's organizer, the iCalUID and the original start; being unique, it lets only one of two
    sessions at the same instant make the activity.
    """

    key = models.CharField(max_length=64, unique=True)
    activity = models.OneToOneField(Activity, models.CASCADE, related_name="meeting")

    def __str__(self) -> str:
        return self.key


def cascade_but_keep_what_was_cancelled(collector: Any, field: Any, links: Any, using: str) -> None:
    """
    Let a link go with its activity, unless it tells that Google has no such occurrence of a series (R15).

    The rule that was changed here, so that the occurrence was erased, may come back; Google would not tell again.
    """
    rows = list(links)
    kept: Any = [row for row in rows if row.series_id and row.event.get("status") == "cancelled"]
    kept = [row for row in kept if row.event.get("recurringEventId")]
    others: Any = [row for row in rows if row not in kept]
    models.SET_NULL(collector, field, kept, using)
    for name, value in {"state": EventLink.State.SEEN, "is_marked": False}.items():
        collector.add_field_update(EventLink._meta.get_field(name), value, kept)
    models.CASCADE(collector, field, others, using)


class EventLink(models.Model):
    """
    One activity (or series) and one event, for one connected account.

    `event` is the observation, what Google last showed. `base_here` and `base_google` are what each side held when both
    last agreed; they can differ, because Google rewrites texts, and that is no edit.
    """

    class State(models.TextChoices):
        SEEN = "seen", _("Seen, not linked")  # Stored, without an activity: parked, or not decided yet.
        INSERTING = (
            "inserting",
            _("Being added in Google"),
        )  # The id is ours and saved; the answer is not here yet (R13).
        LINKED = "linked", _("Linked")
        FROZEN = "frozen", _("Frozen")  # Out of the selection (R4).
        FORGOTTEN = "forgotten", _("Forgotten")  # Of a former account; it hinders nothing, and resumes with it (R22).
        DETACHED = "detached", _("Detached")  # Cancelled in Google; a return finds its activity again (R14).

    # Google holds the event, or may: a frozen one is still linked; what is gone or forgotten binds nobody.
    HOLDING = (State.LINKED, State.INSERTING, State.FROZEN)
    SHOWN_AS_HELD = (State.LINKED, State.FROZEN)  # Pages say "in Google" of what is there for certain.

    RELEASED = "released"  # In `base_here`: the activity of a link that was let go, for it got no answer (R13).
    KEPT = "kept"  # In `base_here`: its event is gone, and somebody said that the activity stays (R14).
    LEFT = "left_"  # How the id begins that stands for no event: what left its series has none (R15).

    calendar = models.ForeignKey(SyncedCalendar, models.CASCADE, related_name="links")
    google_calendar_id = models.CharField(max_length=254, default="primary")
    event_id = models.CharField(max_length=1024)
    incarnation = models.PositiveIntegerField(default=0)
    ical_uid = models.CharField(max_length=1024, blank=True, db_index=True)
    activity = models.ForeignKey(
        Activity, cascade_but_keep_what_was_cancelled, null=True, blank=True, related_name="links"
    )
    series = models.ForeignKey(Series, models.CASCADE, null=True, blank=True, related_name="links")
    state = models.CharField(max_length=20, choices=State, default=State.SEEN)
    event = models.JSONField(default=dict, blank=True)
    etag = models.CharField(max_length=255, blank=True)
    guest_addresses = models.TextField(blank=True)  # Lower case, each between line breaks, for looking one up.
    changed_in_google = models.JSONField(default=dict, blank=True)  # Field -> when Google's value was first seen (R11).
    base_here = models.JSONField(null=True, blank=True)
    base_google = models.JSONField(null=True, blank=True)
    is_marked = models.BooleanField(default=False)
    mark = models.PositiveIntegerField(default=0)  # Counts marks, so that one set during a look is not taken off by it.
    seen_in_read = models.PositiveIntegerField(default=0)  # The complete read that listed it last (R14).
    send_updates = models.CharField(
        max_length=12, blank=True
    )  # Decided with the change, kept until it is settled (R17).
    mail_about = models.DateTimeField(null=True, blank=True)  # The change of a person that it was decided about.
    is_back_fill = models.BooleanField(default=False)  # Settings changed, not the activity (R17).
    reason = models.CharField(max_length=500, blank=True)  # Why it is parked or frozen, for the user.
    rule = models.CharField(max_length=8, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    retry_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)  # Up to then all that was changed here is agreed on.

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["calendar", "google_calendar_id", "event_id"], name="sync_one_link_per_account_and_event"
            ),
            models.UniqueConstraint(
                fields=["calendar", "activity"],
                condition=Q(activity__isnull=False),
                name="sync_one_link_per_account_and_activity",
            ),
            models.CheckConstraint(
                name="sync_a_link_has_an_activity_or_a_series_unless_only_seen",
                condition=Q(state="seen") | Q(activity__isnull=False) | Q(series__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["event_id"], name="sync_links_of_an_event"),  # In whoever's calendar (R9).
            models.Index(fields=["calendar", "id"], condition=Q(is_marked=True), name="sync_marked_links"),
            models.Index(
                fields=["calendar", "retry_at"], condition=Q(retry_at__isnull=False), name="sync_parked_links"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event_id} ({self.state})"

    def set_guest_addresses(self, addresses: Iterable[str]) -> None:
        """Keep the addresses on the event so that links can be found by one of them (R7)."""
        self.guest_addresses = "".join(f"\n{address}\n" for address in sorted(addresses))


class ActivityMark(models.Model):
    """An activity that a calendar's next session has to look at. Set in the transaction of the change itself."""

    COMPARED = 0  # As `mark`: found by comparing everything, nobody has changed it.

    calendar = models.ForeignKey(SyncedCalendar, models.CASCADE, related_name="activity_marks")
    activity = models.ForeignKey(Activity, models.CASCADE, related_name="+")
    mark = models.PositiveIntegerField(default=0)  # Another number with each change, so that none is taken off unseen.
    attempts = models.PositiveIntegerField(default=0)  # Since it was parked without a link (R19).
    retry_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["calendar", "activity"], name="sync_one_mark_per_calendar_and_activity"),
        ]

    def __str__(self) -> str:
        return f"{self.activity_id} for {self.calendar_id}"


class SyncSession(models.Model):
    """One run of the synchronization, kept for the Sessions page."""

    class Trigger(models.TextChoices):
        MANUAL = "manual", _("Manual")
        AUTOMATIC = "automatic", _("Automatic")
        PUSH = "push", _("Push")

    class Status(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        SUCCEEDED = "succeeded", _("Succeeded")
        WITH_PROBLEMS = "with_problems", _("With problems")
        FAILED = "failed", _("Failed")
        NEEDS_CONFIRMATION = "needs_confirmation", _("Needs confirmation")

    UNFINISHED = (Status.QUEUED, Status.RUNNING)

    calendar = models.ForeignKey(SyncedCalendar, models.CASCADE, related_name="sessions")
    trigger = models.CharField(max_length=20, choices=Trigger, default=Trigger.MANUAL)
    status = models.CharField(max_length=20, choices=Status, default=Status.QUEUED)
    queued_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    passes = models.PositiveSmallIntegerField(default=0)  # How often it has begun; it pauses in between (R20).
    resume_at = models.DateTimeField(null=True, blank=True)  # Queued again until then, because Google asked to wait.
    finished_at = models.DateTimeField(null=True, blank=True)
    added_here = models.PositiveIntegerField(default=0)
    updated_here = models.PositiveIntegerField(default=0)
    removed_here = models.PositiveIntegerField(default=0)
    added_in_google = models.PositiveIntegerField(default=0)
    updated_in_google = models.PositiveIntegerField(default=0)
    removed_in_google = models.PositiveIntegerField(default=0)
    requests_made = models.PositiveIntegerField(default=0)
    events_listed = models.PositiveIntegerField(default=0)
    items_done = models.PositiveIntegerField(default=0)
    items_total = models.PositiveIntegerField(default=0)
    stopped_before = models.JSONField(default=list, blank=True)  # Links whose removal waits for a person's word (R14).
    error = models.CharField(max_length=500, blank=True)  # What happened, what it means, the next step.
    rule = models.CharField(max_length=8, blank=True)

    class Meta:
        ordering = ["-queued_at", "-id"]
        constraints = [
            models.CheckConstraint(
                name="sync_session_finished_once_it_ended",
                condition=Q(status__in=["queued", "running"], finished_at=None)
                | (~Q(status__in=["queued", "running"]) & Q(finished_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="sync_session_resumes_only_while_queued", condition=Q(resume_at=None) | Q(status="queued")
            ),
            models.UniqueConstraint(
                fields=["calendar"],
                condition=Q(status__in=["queued", "running"]),
                name="sync_one_session_per_account_at_a_time",
            ),
        ]
        indexes = [models.Index(fields=["calendar", "-queued_at"], name="sync_sessions_newest_first")]

    def __str__(self) -> str:
        return f"Session {self.pk} ({self.status})"

    @property
    def is_finished(self) -> bool:
        return self.status not in self.UNFINISHED

    @property
    def is_postponed(self) -> bool:
        """Whether it pauses until `resume_at`, without a worker."""
        return self.resume_at is not None

    def seconds_to_wait(self, now: datetime) -> float:
        return max(0.0, (self.resume_at - now).total_seconds()) if self.resume_at else 0.0

    @property
    def seconds(self) -> float | None:
        if not (self.started_at and self.finished_at):
            return None
        return (self.finished_at - self.started_at).total_seconds()

    @property
    def tone(self) -> str:
        return {"succeeded": "good", "failed": "bad", "with_problems": "late", "needs_confirmation": "late"}.get(
            self.status, "open"
        )

    @property
    def has_written(self) -> bool:
        """Whether Google has taken something from this session."""
        return bool(self.added_in_google or self.updated_in_google or self.removed_in_google)

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the six counts as `synchronize --json` prints them."""
        return {
            verb: {
                "creatio": getattr(self, f"{verb}_here"),
                "google": getattr(self, f"{verb}_in_google"),
            }
            for verb in ("added", "updated", "removed")
        }

    def set_counts(self, counts: dict[str, dict[str, int]]) -> None:
        """Set the six counts to what `counts` returned."""
        for verb, sides in counts.items():
            setattr(self, f"{verb}_here", sides["creatio"])
            setattr(self, f"{verb}_in_google", sides["google"])


class SyncOutcome(models.Model):
    """What a session did, or could not do, with one item; also the journal of values that gave way (R11)."""

    class Direction(models.TextChoices):
        HERE = "here", _("Here")
        GOOGLE = "google", _("In Google")

    class Action(models.TextChoices):
        ADDED = "added", _("Added")
        UPDATED = "updated", _("Updated")
        REMOVED = "removed", _("Removed")
        JOINED = "joined", _("Joined")
        ANSWERED = "answered", _("Your answer only")
        TAKEN_OVER = "taken_over", _("Organizer changed")
        FROZEN = "frozen", _("Left frozen")
        RESUMED = "resumed", _("Resumed")  # It was frozen, and content flows again (R4).
        REPLACED = (
            "replaced",
            _("Changed on both sides"),
        )  # `here` and `google` hold both values, `kept` names the winner.
        PARKED = "parked", _("Could not be synchronized")

    session = models.ForeignKey(SyncSession, models.CASCADE, related_name="outcomes")
    link = models.ForeignKey(EventLink, models.SET_NULL, null=True, blank=True, related_name="outcomes")
    activity = models.ForeignKey(Activity, models.SET_NULL, null=True, blank=True, related_name="outcomes")
    item = models.CharField(max_length=300)  # The subject at that time.
    direction = models.CharField(max_length=10, choices=Direction, default=Direction.HERE)
    action = models.CharField(max_length=20, choices=Action)
    rule = models.CharField(max_length=8)
    reason = models.CharField(max_length=500)
    field = models.CharField(max_length=200, blank=True)  # One name, or several with commas between them.
    here = models.JSONField(null=True, blank=True)  # The value on our side: before the change, or of the conflict.
    google = models.JSONField(null=True, blank=True)
    kept = models.CharField(max_length=10, blank=True, choices=Direction)
    error = models.TextField(blank=True)
    is_resolved = models.BooleanField(default=False)
    # How a person settled a conflict: whose value was used. Empty where the session had settled it already.
    settled_for = models.CharField(max_length=10, blank=True, choices=Direction)
    settled_by = models.ForeignKey(Profile, models.SET_NULL, null=True, blank=True, related_name="+")
    settled_at = models.DateTimeField(null=True, blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["activity", "action"], name="sync_journal_of_an_activity")]

    def __str__(self) -> str:
        return f"{self.item}: {self.action}"

    @property
    def is_problem(self) -> bool:
        return self.action == self.Action.PARKED
