"""People: User, Profile, CommunicationOption, ExternalAccount."""

from __future__ import annotations

import functools
import json
import zoneinfo
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import models, transaction
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from accounts.encryption import UnableToDecrypt, decrypt, encrypt


@functools.cache
def time_zones() -> frozenset[str]:
    """The names of all time zones; asking for them reads the file system each time."""
    return frozenset(zoneinfo.available_timezones())


def validate_time_zone(name: str) -> None:
    """:raises ValidationError: if the name is not an IANA time zone."""
    if name not in time_zones():
        raise ValidationError(_("“%(name)s” is not a time zone."), params={"name": name})


class User(AbstractUser):
    """Someone who can sign in. What colleagues see of them is the profile."""

    email = models.EmailField(_("e-mail"), blank=True)


class Profile(models.Model):
    """The employee behind a user: name, job title, photo, time zone, and how they like their calendar."""

    class TimeScale(models.IntegerChoices):
        """Minutes that a line of the calendar stands for."""

        FIVE = 5, _("5 minutes")
        TEN = 10, _("10 minutes")
        FIFTEEN = 15, _("15 minutes")
        THIRTY = 30, _("30 minutes")
        SIXTY = 60, _("60 minutes")

    user = models.OneToOneField(User, models.CASCADE, related_name="profile")
    full_name = models.CharField(_("full name"), max_length=200)
    job_title = models.CharField(_("job title"), max_length=200, blank=True)
    photo = models.ImageField(_("photo"), upload_to="photos/", blank=True)
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC", validators=[validate_time_zone])
    language = models.CharField(_("language"), max_length=10, blank=True, choices=settings.LANGUAGES)
    time_scale = models.PositiveSmallIntegerField(_("time scale"), choices=TimeScale, default=TimeScale.THIRTY)

    class Meta:
        ordering = ["full_name", "id"]

    def __str__(self) -> str:
        return self.full_name

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The zone in which this person reads and types times."""
        return zoneinfo.ZoneInfo(self.time_zone)

    @property
    def initials(self) -> str:
        words = self.full_name.split()
        return "".join(word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words)).upper()

    @property
    def hue(self) -> int:
        """The avatar's color, 1 to 4, always the same for the same person."""
        return self.pk % 4 + 1

    @property
    def google_account(self) -> ExternalAccount | None:
        """The person's Google account, working or waiting to be reconnected; None without one."""
        return self.external_accounts.filter(provider=ExternalAccount.Provider.GOOGLE).in_use().first()


class CommunicationOption(models.Model):
    """One way to reach a person. E-mail addresses decide who takes part in a meeting (R7)."""

    class Kind(models.TextChoices):
        EMAIL = "email", _("E-mail")
        BUSINESS_PHONE = "business_phone", _("Business phone")
        MOBILE_PHONE = "mobile_phone", _("Mobile phone")
        HOME_PHONE = "home_phone", _("Home phone")
        WEB = "web", _("Web")
        SKYPE = "skype", _("Skype")

    profile = models.ForeignKey(Profile, models.CASCADE, related_name="communication_options")
    kind = models.CharField(_("kind"), max_length=20, choices=Kind, default=Kind.EMAIL)
    value = models.CharField(_("value"), max_length=254)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                Lower("value"),
                name="accounts_email_belongs_to_one_profile",
                condition=Q(kind="email"),
                violation_error_message=_("This e-mail address belongs to somebody else already."),
            ),
            models.CheckConstraint(name="accounts_option_has_a_value", condition=~Q(value="")),
        ]

    def __str__(self) -> str:
        return self.value

    def clean(self) -> None:
        self.value = self.value.strip()
        if self.kind == self.Kind.EMAIL:
            validate_email(self.value)


class ExternalAccountQuerySet(models.QuerySet["ExternalAccount"]):
    def in_use(self) -> ExternalAccountQuerySet:
        """Return the accounts that belong to somebody now, whether their access works or not."""
        return self.exclude(status=ExternalAccount.Status.DISCONNECTED)


class ExternalAccount(models.Model):
    """
    A person's account at Google.

    A disconnected account keeps its row, without tokens, so that connecting the same Google account again finds its
    links (R22).
    """

    class Provider(models.TextChoices):
        GOOGLE = "google", "Google"

    class Status(models.TextChoices):
        CONNECTED = "connected", _("Connected")
        RECONNECT_NEEDED = "reconnect_needed", _("Needs reconnecting")
        DISCONNECTED = "disconnected", _("Disconnected")

    profile = models.ForeignKey(Profile, models.CASCADE, related_name="external_accounts")
    provider = models.CharField(_("service"), max_length=20, choices=Provider, default=Provider.GOOGLE)
    login = models.EmailField(_("login"))
    subject = models.CharField(max_length=255)  # Google's stable id: an address can change or go to someone else.
    status = models.CharField(_("status"), max_length=20, choices=Status, default=Status.CONNECTED)
    status_reason = models.CharField(max_length=300, blank=True)  # Words for the user about why it stopped working.
    paused = models.BooleanField(_("paused"), default=False)
    granted_scopes = models.JSONField(default=list, blank=True)
    encrypted_credentials = models.TextField(blank=True, default="", editable=False)
    connected_at = models.DateTimeField(_("connected since"), null=True, blank=True)

    objects = ExternalAccountQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "subject"],
                condition=~Q(status="disconnected"),
                name="accounts_external_account_belongs_to_one_user",
            ),
            models.UniqueConstraint(
                fields=["profile", "provider"],
                condition=~Q(status="disconnected"),
                name="accounts_one_account_per_service_and_user",
            ),
            models.UniqueConstraint(
                fields=["profile", "provider", "subject"], name="accounts_reconnecting_finds_the_same_row"
            ),
            models.CheckConstraint(
                name="accounts_disconnected_account_holds_no_tokens",
                condition=~Q(status="disconnected") | Q(encrypted_credentials=""),
            ),
        ]

    def __str__(self) -> str:
        return self.login

    @property
    def credentials(self) -> dict[str, Any]:
        """
        Google's tokens: refresh_token, access_token, expires_at (ISO 8601, UTC). Empty when there are none.

        :raises UnableToDecrypt: if none of the keys opens them; everything else about the account stays readable.
        """
        return json.loads(decrypt(self.encrypted_credentials)) if self.encrypted_credentials else {}

    @credentials.setter
    def credentials(self, tokens: dict[str, Any]) -> None:
        self.encrypted_credentials = encrypt(json.dumps(tokens)) if tokens else ""

    def needs_reconnecting(self, *, reason: str) -> bool:
        """
        Stop using the account until its owner connects it again. The tokens are dead and are erased (R20).

        Does nothing, and returns False, if it was disconnected or connected anew since this object was read.
        """
        with transaction.atomic():
            rows = ExternalAccount.objects.select_for_update().filter(pk=self.pk, status=self.Status.CONNECTED)
            stored = rows.first()
            if stored is None or not self._has_the_grant_of(stored):
                return False
            self.status = stored.status = self.Status.RECONNECT_NEEDED
            self.status_reason = stored.status_reason = reason[:300]
            self.credentials = stored.credentials = {}
            stored.save(update_fields=["status", "status_reason", "encrypted_credentials"])
        return True

    def _has_the_grant_of(self, other: ExternalAccount) -> bool:
        try:
            return self.credentials.get("refresh_token") == other.credentials.get("refresh_token")
        except UnableToDecrypt:
            return self.encrypted_credentials == other.encrypted_credentials


def profiles_by_email(addresses: Iterable[str]) -> dict[str, int]:
    """Return the profile id of each of the addresses that is on somebody's Communication options (R7)."""
    wanted = {address.strip().lower() for address in addresses if address}
    rows = (
        CommunicationOption.objects.filter(kind=CommunicationOption.Kind.EMAIL)
        .annotate(address=Lower("value"))
        .filter(address__in=wanted)
        .values_list("address", "profile_id")
    )
    return dict(rows)
