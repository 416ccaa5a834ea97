"""Notice: one line of the bell."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from accounts.models import ExternalAccount, Profile
from activities.models import Activity, Participant

OPEN_STATUSES = [status for status in Activity.Status.values if status not in Activity.FINAL_STATUSES]


class NoticeQuerySet(models.QuerySet["Notice"]):
    def shown_to(self, profile: Profile, *, now: datetime) -> NoticeQuerySet:
        """Return what this person's bell shows: due, not dismissed, and still so."""
        return self.filter(profile=profile, dismissed_at=None, shown_from__lte=now).standing()

    def unseen(self) -> NoticeQuerySet:
        return self.filter(seen_at=None)

    def standing(self) -> NoticeQuerySet:
        """
        Return the notices of what is still so.

        It is read from the rows they are about, whoever changed them and how: nobody has to take a notice back.
        """
        return self.filter(_still_to_be_reminded_of() | _about_an_account_that_is_so())

    def of_accounts_no_more(self) -> NoticeQuerySet:
        """Return what was told of accounts that are not so any more."""
        return self.exclude(kind=Notice.Kind.REMINDER).exclude(_about_an_account_that_is_so())


def _still_to_be_reminded_of() -> Q:
    """The activity is open and where it was, and the person takes part and wants this very reminder."""
    wish = Participant.objects.filter(
        activity=OuterRef("activity"), profile=OuterRef("profile"), reminder_minutes=OuterRef("minutes")
    )
    return Q(
        Exists(wish.filter(displayed=True).exclude(response=Participant.Response.DECLINED)),
        kind=Notice.Kind.REMINDER,
        activity__start=F("start"),
        activity__status__in=OPEN_STATUSES,
        activity__deleted_at=None,
    )


def _about_an_account_that_is_so() -> Q:
    status = ExternalAccount.Status
    session = Q(kind=Notice.Kind.SESSION, account__status__in=[status.CONNECTED, status.RECONNECT_NEEDED])
    reconnect = Q(kind=Notice.Kind.RECONNECT, account__status=status.RECONNECT_NEEDED)
    return session | reconnect | Q(kind=Notice.Kind.PAUSED, account__status=status.CONNECTED, account__paused=True)


class Notice(models.Model):
    """
    One line of somebody's bell.

    A reminder is known by its activity, the start and the minutes it was made for: one that is moved, or reminded of at
    another time, gets another. What is about an account is known by `reference`: the session's id, 0 for the account's
    own state. Constraints on both let two workers make each of them once.
    """

    class Kind(models.TextChoices):
        REMINDER = "reminder", _("Reminder")
        SESSION = "session", _("Finished session")
        RECONNECT = "reconnect", _("Needs reconnecting")
        PAUSED = "paused", _("Synchronization paused")

    profile = models.ForeignKey(Profile, models.CASCADE, related_name="notices")
    kind = models.CharField(max_length=20, choices=Kind)
    activity = models.ForeignKey(Activity, models.CASCADE, null=True, blank=True, related_name="notices")
    start = models.DateTimeField(null=True, blank=True)  # The activity's, when the reminder was made.
    minutes = models.PositiveIntegerField(null=True, blank=True)  # Before the start.
    account = models.ForeignKey(ExternalAccount, models.CASCADE, null=True, blank=True, related_name="notices")
    reference = models.PositiveBigIntegerField(default=0)
    at = models.DateTimeField()  # When it came to be: the reminder's moment, the end of the session.
    shown_from = models.DateTimeField()  # Later than that once it is postponed.
    seen_at = models.DateTimeField(null=True, blank=True)
    dismissed_at = models.DateTimeField(null=True, blank=True)

    objects = NoticeQuerySet.as_manager()

    class Meta:
        ordering = ["-shown_from", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["activity", "profile", "start", "minutes"], name="notices_a_person_is_reminded_once"
            ),
            models.UniqueConstraint(
                fields=["account", "kind", "reference"], name="notices_each_is_told_of_an_account_once"
            ),
            models.CheckConstraint(
                name="notices_reminders_and_only_they_have_an_activity",
                condition=Q(
                    kind="reminder", activity__isnull=False, start__isnull=False, minutes__isnull=False, account=None
                )
                | (~Q(kind="reminder") & Q(activity=None, start=None, minutes=None, account__isnull=False)),
            ),
        ]
        indexes = [
            models.Index(
                fields=["profile", "-shown_from"], condition=Q(dismissed_at=None), name="notices_of_a_persons_bell"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} for {self.profile_id}"

    @property
    def is_new(self) -> bool:
        return self.seen_at is None
