"""The Activities section: Activity, Participant, Tag, Series, FieldChange."""

from __future__ import annotations

import uuid
import zoneinfo
from datetime import UTC, date, datetime, time, timedelta

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from accounts.models import Profile, validate_time_zone

KEEP_DELETED = timedelta(days=30)  # A deleted activity can be restored that long (R14).


def bounds_of_days(*, first: date, last: date, time_zone: str) -> tuple[datetime, datetime]:
    """Return when these days begin and end in a zone: the start of the first, the end of the last, both UTC."""
    zone = zoneinfo.ZoneInfo(time_zone)
    start = datetime.combine(first, time.min, tzinfo=zone)
    end = datetime.combine(last + timedelta(days=1), time.min, tzinfo=zone)
    return start.astimezone(UTC), end.astimezone(UTC)


class TagQuerySet(models.QuerySet["Tag"]):
    def visible_to(self, profile: Profile) -> TagQuerySet:
        """Return what this person may see: their own private tags, all corporate and public ones (R1)."""
        return self.exclude(~Q(owner=profile), kind=Tag.Kind.PRIVATE)


class Tag(models.Model):
    """A word put on activities. Private tags decide what goes to Google and are seen by their owner alone."""

    class Kind(models.TextChoices):
        PRIVATE = "private", _("Private")
        CORPORATE = "corporate", _("Corporate")
        PUBLIC = "public", _("Public")

    name = models.CharField(_("name"), max_length=100)
    kind = models.CharField(_("kind"), max_length=20, choices=Kind, default=Kind.PRIVATE)
    owner = models.ForeignKey(Profile, models.CASCADE, null=True, blank=True, related_name="private_tags")

    objects = TagQuerySet.as_manager()

    class Meta:
        ordering = ["kind", Lower("name"), "id"]
        permissions = [
            ("add_corporate_tag", "Can create corporate tags"),
            ("add_public_tag", "Can create public tags"),
        ]
        constraints = [
            models.CheckConstraint(
                name="activities_private_tags_and_only_they_have_an_owner",
                condition=Q(kind="private", owner__isnull=False) | (~Q(kind="private") & Q(owner=None)),
            ),
            models.UniqueConstraint(
                "owner",
                Lower("name"),
                condition=Q(kind="private"),
                name="activities_private_tag_names_are_unique_per_user",
                violation_error_message=_("You already have a private tag of this name."),
            ),
            models.UniqueConstraint(
                "kind",
                Lower("name"),
                condition=~Q(kind="private"),
                name="activities_tag_names_are_unique_within_their_type",
                violation_error_message=_("There is already a tag of this type and name."),
            ),
            models.CheckConstraint(name="activities_tag_has_a_name", condition=~Q(name="")),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def tone(self) -> str:
        """The design's color: private is green, corporate blue, public red."""
        return {"private": "good", "corporate": "open", "public": "bad"}[self.kind]


class Series(models.Model):
    """
    A repeating activity: its rule as RFC 5545 lines, the zone it is kept in and its first start (R15).

    What all occurrences have in common is kept in a row of `Activity` of its own, the head; `activities.series` keeps
    head and occurrences together. An original start is a moment in UTC; of all-day series, midnight UTC of the day.
    """

    recurrence = models.JSONField(default=list)
    time_zone = models.CharField(max_length=64, default="UTC")
    first_start = models.DateTimeField()  # The original start of the first occurrence.
    laid_out_from = models.DateTimeField(null=True, blank=True)  # Occurrences that end after this are activities …
    laid_out_until = models.DateTimeField(null=True, blank=True, db_index=True)  # … up to here; None: to the last one.
    # The series of which this is the later part, because a person has divided it here.
    split_from = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="+")
    split_after = models.PositiveIntegerField(default=0)  # How many of its occurrences come before, wherever both move.
    skipped = models.JSONField(default=list, blank=True)  # Original starts (ISO, UTC) that never become activities.

    class Meta:
        verbose_name_plural = "series"

    def __str__(self) -> str:
        return " ".join(self.recurrence)

    @property
    def head(self) -> Activity:
        """The row that stands for the whole series."""
        return Activity.every.get(series=self, is_series=True)


class ActivityQuerySet(models.QuerySet["Activity"]):
    def present(self) -> ActivityQuerySet:
        """Return the activities nobody has deleted."""
        return self.filter(deleted_at=None)

    def locked(self) -> ActivityQuerySet:
        """
        Let nobody else change these rows until the transaction ends.

        Without the key, which never changes: whoever adds a row that points here, a log line or a mark, need not wait
        at their commit for this lock while we wait for theirs.
        """
        return self.select_for_update(of=("self",), no_key=True)

    def restorable_by(self, profile: Profile, *, now: datetime) -> ActivityQuerySet:
        """
        Return the deleted activities that this person may bring back: the Organizer's, for 30 days (R14).

        Of `Activity.every`, a series that went as a whole is its head; the occurrences come back with that.
        """
        without_organizer = Q(organizer=None) & (Q(owner=profile) | Q(reporter=profile))
        mine = Q(organizer=profile) | without_organizer
        gone = Activity.every.filter(is_series=True, deleted_at__isnull=False, series=OuterRef("series"))
        with_its_series = Q(is_series=False) & Exists(gone)
        return self.filter(mine, deleted_at__gt=now - KEEP_DELETED).exclude(with_its_series)

    def to_be_erased(self, *, now: datetime) -> ActivityQuerySet:
        """Return the activities that were deleted more than 30 days ago (R14)."""
        return self.filter(deleted_at__lte=now - KEEP_DELETED)

    def visible_to(self, profile: Profile) -> ActivityQuerySet:
        """
        Return what this person may open (R8).

        Whoever takes part sees an activity once it is displayed to them; colleagues see what was made in Creatio and is
        not private. What they may only see as "Busy" is `busy_for`.
        """
        return self.present().filter(_met_by(profile) | _open_to_colleagues())

    def busy_for(self, profile: Profile) -> ActivityQuerySet:
        """Return what this person may see only as "Busy": others' private activities and those from Google (R8)."""
        takes_part = Q(pk__in=Participant.objects.filter(profile=profile).values("activity"))
        return self.present().exclude(_met_by(profile) | _open_to_colleagues()).exclude(takes_part)

    def of_the_section(self) -> ActivityQuerySet:
        """Return what the section lists: e-mails never show there."""
        return self.exclude(kind=Activity.Kind.EMAIL)

    def overlapping(self, *, start: datetime, end: datetime) -> ActivityQuerySet:
        """Return the activities of which some moment lies between the two times."""
        return self.filter(start__lt=end).filter(Q(due__gt=start) | Q(start__gte=start))

    def of_employees(self, profiles: list[Profile]) -> ActivityQuerySet:
        """Return the activities in which one of these people takes part and has not declined."""
        taking_part = Participant.objects.filter(profile__in=profiles).exclude(response=Participant.Response.DECLINED)
        return self.filter(pk__in=taking_part.values("activity"))


class ActivityManager(models.Manager.from_queryset(ActivityQuerySet)):  # type: ignore[misc] # Made by Django.
    """Single activities and occurrences: what people see. The head of a series is in `Activity.every` alone."""

    def get_queryset(self) -> ActivityQuerySet:
        return super().get_queryset().filter(is_series=False)


def _met_by(profile: Profile) -> Q:
    return Q(pk__in=Participant.objects.filter(profile=profile, displayed=True).values("activity"))


def _open_to_colleagues() -> Q:
    return Q(made_in_google=False, is_private=False)


class Activity(models.Model):
    """
    A task, a call or a meeting (a task of category Meeting).

    Change it through `activities.services`: they keep the log of changes and announce them to the synchronization.
    Times are stored in UTC; `time_zone` is the zone the activity is kept in. For an all-day activity the inclusive
    dates rule, and `start` and `due` are the bounds of these days in `time_zone` (R16).
    """

    class Kind(models.TextChoices):
        TASK = "task", _("Task")
        CALL = "call", _("Call")
        EMAIL = "email", _("Email")

    class Category(models.TextChoices):
        TO_DO = "to_do", _("To do")
        MEETING = "meeting", _("Meeting")
        CALL = "call", _("Call")
        PAPERWORK = "paperwork", _("Paperwork")

    class Status(models.TextChoices):
        NOT_STARTED = "not_started", _("Not started")
        IN_PROGRESS = "in_progress", _("In progress")
        COMPLETED = "completed", _("Completed")
        CANCELED = "canceled", _("Canceled")

    class Priority(models.TextChoices):
        LOW = "low", _("Low")
        MEDIUM = "medium", _("Medium")
        HIGH = "high", _("High")

    FINAL_STATUSES = (Status.COMPLETED, Status.CANCELED)

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)  # The hidden id in Google's events (R9).
    subject = models.CharField(_("subject"), max_length=1024, blank=True)
    kind = models.CharField(_("type"), max_length=20, choices=Kind, default=Kind.TASK)
    category = models.CharField(_("category"), max_length=20, choices=Category, default=Category.TO_DO)
    start = models.DateTimeField(_("start"), db_index=True)
    due = models.DateTimeField(_("due"), db_index=True)
    all_day = models.BooleanField(_("all day"), default=False)
    start_date = models.DateField(_("first day"), null=True, blank=True)
    due_date = models.DateField(_("last day"), null=True, blank=True)
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC", validators=[validate_time_zone])
    status = models.CharField(_("status"), max_length=20, choices=Status, default=Status.NOT_STARTED)
    priority = models.CharField(_("priority"), max_length=20, choices=Priority, default=Priority.MEDIUM)
    owner = models.ForeignKey(
        Profile, models.PROTECT, related_name="owned_activities", verbose_name=_("owner"), null=True, blank=True
    )
    reporter = models.ForeignKey(
        Profile, models.PROTECT, related_name="reported_activities", verbose_name=_("reporter"), null=True, blank=True
    )
    organizer = models.ForeignKey(
        Profile, models.PROTECT, related_name="organized_activities", verbose_name=_("organizer"), null=True, blank=True
    )
    google_organizer = models.EmailField(
        _("organizer in Google"), blank=True
    )  # A fact of its own, beside `organizer` (R5).
    show_in_calendar = models.BooleanField(_("show in calendar"), default=False)
    made_in_google = models.BooleanField(_("made in Google"), default=False)
    location = models.CharField(_("location"), max_length=1024, blank=True)
    notes = models.TextField(_("notes"), blank=True)
    is_private = models.BooleanField(_("private"), default=False)
    show_as_free = models.BooleanField(_("show as free"), default=False)
    join_link = models.URLField(_("join link"), max_length=1000, blank=True)
    other_guests = models.JSONField(default=list, blank=True)  # Google's guests who are no users (R7).
    google_read_only_reason = models.CharField(
        max_length=300, blank=True
    )  # Why Google lets nobody here change it (R6).
    result = models.CharField(_("result"), max_length=200, blank=True)
    result_details = models.TextField(_("result details"), blank=True)
    series = models.ForeignKey(Series, models.PROTECT, null=True, blank=True, related_name="occurrences")
    original_start = models.DateTimeField(null=True, blank=True)  # Which occurrence of its series it is (R15).
    is_series = models.BooleanField(default=False)  # The head: it stands for the whole series, and shows nowhere.
    tags = models.ManyToManyField(Tag, blank=True, related_name="activities", verbose_name=_("tags"))
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    modified_at = models.DateTimeField(_("modified"), auto_now=True)
    deleted_at = models.DateTimeField(null=True, blank=True)  # Kept out of sight for KEEP_DELETED, then erased (R14).

    objects = ActivityManager()
    every = ActivityQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "activities"
        ordering = ["start", "id"]
        indexes = [models.Index(fields=["organizer", "due"], name="activities_of_an_organizer")]
        constraints = [
            models.CheckConstraint(
                name="activities_due_is_not_before_start",
                condition=Q(due__gte=F("start")),
                violation_error_message=_("The due time cannot be earlier than the start."),
            ),
            models.CheckConstraint(
                name="activities_all_day_has_its_days",
                condition=Q(all_day=False, start_date=None, due_date=None)
                | Q(all_day=True, start_date__isnull=False, due_date__gte=F("start_date")),
            ),
            models.UniqueConstraint(fields=["series", "original_start"], name="activities_one_activity_per_occurrence"),
            models.UniqueConstraint(
                fields=["series"], condition=Q(is_series=True), name="activities_one_head_per_series"
            ),
            models.CheckConstraint(
                name="activities_a_head_has_a_series_and_is_no_occurrence",
                condition=Q(is_series=False) | Q(series__isnull=False, original_start=None),
            ),
        ]

    def __str__(self) -> str:
        return self.subject or str(_("(no subject)"))

    def clean(self) -> None:
        if self.start and self.due and self.due < self.start:
            raise ValidationError({"due": _("The due time cannot be earlier than the start.")})

    def set_days(self, *, first: date, last: date) -> None:
        """Make it an all-day activity of these days, the last one included."""
        self.all_day, self.start_date, self.due_date = True, first, last
        self.start, self.due = bounds_of_days(first=first, last=last, time_zone=self.time_zone)

    def set_times(self, *, start: datetime, due: datetime) -> None:
        """Make it a timed activity. Both times are aware."""
        self.all_day, self.start_date, self.due_date = False, None, None
        self.start, self.due = start, due

    @property
    def is_final(self) -> bool:
        return self.status in self.FINAL_STATUSES

    @property
    def is_collective(self) -> bool:
        """Whether anybody but the Organizer takes part (R7)."""
        others = [person for person in self.participants.all() if person.profile_id != self.organizer_id]
        return bool(others or self.other_guests)

    def is_overdue(self, *, now: datetime) -> bool:
        return not self.is_final and self.due < now

    def tone(self, *, now: datetime) -> str:
        """The design's color: blue open, orange overdue, grey final."""
        if self.is_final:
            return "final"
        return "late" if self.is_overdue(now=now) else "open"


class Participant(models.Model):
    """Somebody who takes part in an activity, with their own answer (R7, R8)."""

    class Response(models.TextChoices):
        NEEDS_ACTION = "needs_action", _("No answer")
        ACCEPTED = "accepted", _("Accepted")
        TENTATIVE = "tentative", _("Maybe")
        DECLINED = "declined", _("Declined")

    activity = models.ForeignKey(Activity, models.CASCADE, related_name="participants")
    profile = models.ForeignKey(Profile, models.CASCADE, related_name="participations")
    response = models.CharField(_("response"), max_length=20, choices=Response, default=Response.NEEDS_ACTION)
    displayed = models.BooleanField(default=True)  # Their own synchronization has met it, or it was made here (R8).
    address = models.EmailField(blank=True)  # The address under which Google knows this guest (R7).
    reminder_minutes = models.PositiveIntegerField(
        null=True, blank=True
    )  # Before the start; None is no reminder of one's own.
    added_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["activity", "profile"], name="activities_a_person_takes_part_once"),
        ]
        indexes = [models.Index(fields=["profile", "displayed"], name="activities_seen_by_a_person")]

    def __str__(self) -> str:
        return str(self.profile)

    @property
    def tone(self) -> str:
        return {"accepted": "good", "tentative": "open", "declined": "bad"}.get(self.response, "final")


class FieldChange(models.Model):
    """
    One field of an activity that got another value: who changed it, when, from what to what.

    It feeds the Feed, and tells the synchronization which of two changes came later (R11), whether the Organizer made
    it (R6), and whether it is fresh enough to tell guests (R17).
    """

    class Origin(models.TextChoices):
        PERSON = "person", _("A person")
        GOOGLE = "google", _("Google Calendar")

    activity = models.ForeignKey(Activity, models.CASCADE, related_name="changes")
    field = models.CharField(max_length=40)
    before = models.JSONField(null=True, blank=True)
    after = models.JSONField(null=True, blank=True)
    origin = models.CharField(max_length=20, choices=Origin, default=Origin.PERSON)
    by = models.ForeignKey(Profile, models.SET_NULL, null=True, blank=True, related_name="+")
    at = models.DateTimeField()

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["activity", "field", "-at"], name="activities_last_change")]

    def __str__(self) -> str:
        return f"{self.field} of {self.activity_id}"


def _where_to_store(_attachment: models.Model, _name: str) -> str:
    """A name of our own making: what somebody called the file is none for a disk."""
    return f"attachments/{uuid.uuid4().hex}"


class Attachment(models.Model):
    """A file on an activity. It stays here: Google never gets it. Made through `activities.attachments`."""

    activity = models.ForeignKey(Activity, models.CASCADE, related_name="attachments")
    file = models.FileField(_("file"), upload_to=_where_to_store)
    name = models.CharField(_("name"), max_length=200)
    size = models.PositiveIntegerField()  # In bytes.
    added_by = models.ForeignKey(Profile, models.SET_NULL, null=True, related_name="+")
    added_at = models.DateTimeField()

    class Meta:
        ordering = ["added_at", "id"]

    def __str__(self) -> str:
        return self.name


class ListLayout(models.Model):
    """Which columns a person has chosen for their list, and its order; who has no row has the usual ones."""

    profile = models.OneToOneField(Profile, models.CASCADE, related_name="list_layout")
    # Names, in the order of the list; the subject is always there. None: the usual ones.
    columns = models.JSONField(null=True, blank=True)
    order = models.CharField(max_length=40, blank=True)  # A column, downwards with "-" before it. Empty: by start.

    def __str__(self) -> str:
        return f"List of {self.profile}"
