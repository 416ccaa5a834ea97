"""The form of the set-up page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import Profile, profiles_by_email
from activities.models import Tag
from creatio_sync.forms import StyledForm, Switch
from sync.models import SyncSettings


class SetUpForm(StyledForm, forms.ModelForm):
    """
    What a person decides about the synchronization of their calendar.

    `calendars` are the (id, name) pairs that Google lists for the account; the one chosen before is always among the
    choices, so that Google not answering never changes it.
    """

    calendar_id = forms.ChoiceField(label=_("Calendar"))

    class Meta:
        model = SyncSettings
        fields = ["automatic", "period_minutes", "sync_from", "calendar_id", "tag", "tell_guests"]
        labels = {"tell_guests": _("Tell guests about changes")}
        widgets = {
            "automatic": Switch,
            "tell_guests": Switch,
            "sync_from": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        }
        help_texts = {
            "automatic": _("Without it, only Synchronize now runs a session."),
            "sync_from": _("What ended before this day stays untouched."),
            "tag": _("Only activities that carry it are sent."),
            "tell_guests": _(
                "Google sends mail when you change an event with guests. Never during a first synchronization."
            ),
        }

    def __init__(self, *args: Any, profile: Profile, calendars: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tag = self.fields["tag"]
        tag.queryset = Tag.objects.filter(owner=profile, kind=Tag.Kind.PRIVATE)  # type: ignore[attr-defined]
        tag.empty_label = _("Any private tag of mine")  # type: ignore[attr-defined]
        tag.label_from_instance = _name_of_tag  # type: ignore[attr-defined]
        # Its default is computed, so Django would trust what the browser says about the value before.
        self.fields["sync_from"].show_hidden_initial = False
        current = self.instance.calendar_id
        if current not in dict(calendars):
            calendars = [*calendars, (current, current)]
        self.fields["calendar_id"].choices = calendars  # type: ignore[attr-defined]
        self._profile = profile

    def clean_calendar_id(self) -> str:
        """A colleague's main calendar is theirs: else one's own copies could not be told from their copies (R7)."""
        chosen = str(self.cleaned_data["calendar_id"])
        owner = profiles_by_email([chosen.lower()]).get(chosen.lower())
        if owner not in (None, self._profile.pk):
            raise forms.ValidationError(
                _("This is the main calendar of %(name)s. Choose one of your own, or one that you share."),
                params={"name": Profile.objects.get(pk=owner).full_name},
            )
        return chosen


def _name_of_tag(tag: Tag) -> str:
    return f"{tag.name} ({tag.get_kind_display().lower()})"
