"""Forms of the pages around Your profile."""

from __future__ import annotations

import zoneinfo
from datetime import datetime
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.core.validators import URLValidator, validate_email
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import services
from accounts.models import CommunicationOption, Profile
from creatio_sync.forms import StyledForm

PHOTO_BYTES = 2 * 1024 * 1024
PHOTO_SIDE = 6000  # Pixels. A small file can unpack to a picture that fills the memory.


class LogInForm(StyledForm, AuthenticationForm):
    error_messages = {
        "invalid_login": _("User name and password do not match."),
        "inactive": _("This user has been deactivated. Ask an administrator."),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = _("User name")


class ChangePasswordForm(StyledForm, PasswordChangeForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["old_password"].label = _("Current password")
        self.fields["old_password"].widget.attrs.pop("autofocus", None)
        self.fields["new_password1"].label = _("New password")
        self.fields["new_password1"].help_text = _("At least 8 characters, not only digits, and not a common word.")
        self.fields["new_password2"].label = _("Confirm new password")
        self.fields["new_password2"].help_text = ""


def time_zone_choices(*, now: datetime) -> list[tuple[str, str]]:
    """Return the zones of the world by name, each with its distance from UTC at this moment."""
    names = sorted(name for name in zoneinfo.available_timezones() if _is_a_place(name))
    return [(name, f"{name.replace('_', ' ')} ({_offset(name, now)})") for name in names]


def _is_a_place(name: str) -> bool:
    return name == "UTC" or ("/" in name and not name.startswith(("Etc/", "posix/", "right/", "SystemV/")))


def _offset(name: str, now: datetime) -> str:
    minutes = int(now.astimezone(zoneinfo.ZoneInfo(name)).utcoffset().total_seconds() // 60)  # type: ignore[union-attr]
    sign = "−" if minutes < 0 else "+"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{sign}{hours}" + (f":{rest:02}" if rest else "")


class ProfileForm(StyledForm, forms.ModelForm):
    """Basic settings. The e-mail is the user's, everything else the profile's."""

    email = forms.EmailField(
        label=_("E-mail"),
        required=False,
        max_length=254,
        help_text=_("Your corporate address. Google suggests it when you connect an account."),
        widget=forms.EmailInput({"autocomplete": "email"}),
    )
    photo = forms.ImageField(
        label=_("Photo"),
        required=False,
        help_text=_("PNG or JPEG, up to 2 MB."),
        widget=forms.FileInput({"accept": "image/png,image/jpeg"}),
    )

    class Meta:
        model = Profile
        fields = ["full_name", "job_title", "time_zone", "language"]
        widgets = {
            "full_name": forms.TextInput({"autocomplete": "name"}),
            "job_title": forms.TextInput({"autocomplete": "organization-title"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = time_zone_choices(now=timezone.now())
        if self.instance.time_zone not in dict(choices):  # An old alias, such as "Japan", stays choosable.
            choices.append((self.instance.time_zone, self.instance.time_zone))
        self.fields["time_zone"] = forms.ChoiceField(label=_("Time zone"), choices=choices)
        self.fields["time_zone"].widget.attrs["class"] = "input"
        languages = [("", _("As the browser asks")), *settings.LANGUAGES]
        self.fields["language"].choices = languages  # type: ignore[attr-defined]
        self.fields["email"].initial = self.instance.user.email

    def clean_photo(self) -> UploadedFile | None:
        photo = self.cleaned_data.get("photo")
        if not photo:
            return None
        if photo.size > PHOTO_BYTES:
            raise ValidationError(_("This photo is larger than 2 MB."))
        if photo.image.format not in {"PNG", "JPEG"}:
            raise ValidationError(_("This is neither a PNG nor a JPEG."))
        if max(photo.image.size) > PHOTO_SIDE:
            words = _("This photo is more than %(side)d pixels wide or high.")
            raise ValidationError(words, params={"side": PHOTO_SIDE})
        return photo

    def save(self, commit: bool = True) -> Profile:  # noqa: ARG002 - the base has it
        profile: Profile = super().save(commit=False)
        profile.save(update_fields=["full_name", "job_title", "time_zone", "language"])
        profile.user.email = self.cleaned_data["email"]
        profile.user.save(update_fields=["email"])
        if photo := self.cleaned_data["photo"]:
            photo.seek(0)
            services.set_photo(profile=profile, file=photo)
        return profile


class OptionForm(StyledForm, forms.Form):
    """One communication option: added, or, with `kind` given, changed."""

    kind = forms.ChoiceField(label=_("Kind"), choices=CommunicationOption.Kind.choices)
    value = forms.CharField(label=_("Address or number"), max_length=254)

    def __init__(self, *args: Any, kind: str | None = None, **kwargs: Any) -> None:
        self._kind = kind
        super().__init__(*args, **kwargs)
        if kind is not None:
            del self.fields["kind"]
            self.fields["value"].label = CommunicationOption.Kind(kind).label

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        kind, value = self._kind or cleaned.get("kind"), cleaned.get("value")
        if not value:
            return cleaned
        try:
            _validate(kind, value)
        except ValidationError as error:
            self.add_error("value", error)
        return cleaned


def _validate(kind: str | None, value: str) -> None:
    if kind == CommunicationOption.Kind.EMAIL:
        validate_email(value)
    elif kind == CommunicationOption.Kind.WEB:
        # Shown as a link, so nothing but http(s) may stand there.
        URLValidator(schemes=["http", "https"])(value if "://" in value else f"https://{value}")


class TimeScaleField(forms.TypedChoiceField):
    """How many minutes a line of the calendar stands for."""

    widget = forms.RadioSelect

    def __init__(self, **kwargs: Any) -> None:
        label = _("Time scale of the calendar")
        super().__init__(label=label, choices=Profile.TimeScale.choices, coerce=int, empty_value=None, **kwargs)


class TimeScaleForm(forms.Form):
    """The time scale alone, chosen from the calendar's menu."""

    time_scale = TimeScaleField()


class AppearanceForm(StyledForm, forms.Form):
    """
    How the pages look. Colors are kept in a cookie, so a phone can differ from a desk; the time scale on the profile.
    """

    theme = forms.ChoiceField(
        label=_("Colors"),
        choices=[("system", _("As the system")), ("light", _("Light")), ("dark", _("Dark"))],
        widget=forms.RadioSelect,
    )
    time_scale = TimeScaleField(required=False)  # Who sends a form without it leaves it alone.
