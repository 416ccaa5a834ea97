"""The form of the mini page: what one wants to say of an activity at once, in the reader's own zone."""

from __future__ import annotations

import zoneinfo
from datetime import date, datetime
from typing import Any

from django import forms
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Profile
from activities import calendar, series, words
from activities.forms import DUE_BEFORE_START, LAST_BEFORE_FIRST, USUAL_LENGTH, USUAL_START, NotesField, WallClockField
from activities.meanwhile import ComparedFields
from activities.models import Activity
from activities.repeat_form import SCOPES, DateField
from creatio_sync.forms import StyledForm

WHEN = ("all_day", "start", "due", "start_date", "due_date")
SYNCHRONIZED = ("subject", *WHEN)  # What also lives in Google (R10), of the fields here.

RESULT_LENGTH = 200


class MiniForm(StyledForm, ComparedFields):
    """
    Subject, Category, Status, Owner, Start and Due; with a final status Result and Result details.

    Times are the wall clock's of the reader, as on the calendar: the zone an activity is kept in stays. Before it
    overwrites what somebody else has changed meanwhile, the person is asked.
    """

    TOGETHER = {"when": (_("The time"), WHEN)}

    subject = forms.CharField(label=_("Subject"), max_length=1024, error_messages={"required": _("Enter a subject.")})
    all_day = forms.BooleanField(label=_("All day"), required=False)
    start = WallClockField(label=_("Start"), required=False)
    due = WallClockField(label=_("Due"), required=False)
    start_date = DateField(label=_("First day"), required=False)
    due_date = DateField(label=_("Last day"), required=False)
    category = forms.ChoiceField(label=_("Category"), choices=Activity.Category)
    status = forms.ChoiceField(label=_("Status"), choices=Activity.Status)
    owner = forms.ModelChoiceField(label=_("Owner"), queryset=Profile.objects.none(), required=False, empty_label="–")
    result = forms.CharField(label=_("Result"), max_length=RESULT_LENGTH, required=False)
    result_details = NotesField(label=_("Result details"), required=False, widget=forms.Textarea({"rows": 3}))
    scope = forms.ChoiceField(
        label=_("Save for"), required=False, choices=SCOPES, initial=series.THIS, widget=forms.RadioSelect
    )

    def __init__(
        self,
        data: Any = None,
        *,
        initial: dict[str, Any],
        zone: zoneinfo.ZoneInfo,
        activity: Activity | None = None,
        read_only_reason: str | None = None,
    ) -> None:
        super().__init__(data, initial=initial, auto_id="mini_%s")
        self.zone, self.activity = zone, activity
        now = {activity.owner_id} - {None} if activity else set()
        people = Profile.objects.filter(Q(user__is_active=True) | Q(pk__in=now)).order_by("full_name", "pk")
        self.fields["owner"].queryset = people  # type: ignore[attr-defined]
        if activity is None or activity.series_id is None:
            del self.fields["scope"]
        if activity and not activity.subject:
            self.fields["subject"].required = False  # Google lets an event have none.
        for name, field in self.fields.items():
            field.show_hidden_initial = (
                activity is not None and name != "scope" and (data is None or f"initial-{name}" in data)
            )
        if read_only_reason:
            self._close(activity)

    def _close(self, activity: Activity | None) -> None:
        """Close the synchronized fields (R6). One that the page showed open stays open: the service says why not."""
        is_canceled = activity is not None and activity.status == Activity.Status.CANCELED
        for name in [*SYNCHRONIZED, "status"] if is_canceled else SYNCHRONIZED:
            if f"initial-{name}" not in self.data:
                self.fields[name].disabled = True
                self.fields[name].widget.attrs["aria-describedby"] = "mini-read-only"
        if not is_canceled and "initial-status" not in self.data:
            left = [choice for choice in Activity.Status.choices if choice[0] != Activity.Status.CANCELED]
            self.fields["status"].choices = left  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if values.get("all_day"):
            self._clean_days(values)
        else:
            self._clean_times(values)
        return values

    def _clean_days(self, values: dict[str, Any]) -> None:
        first = values.get("start_date")
        if first is None:
            if "start_date" not in self.errors:
                self.add_error("start_date", _("Enter the first day."))
            return
        values["due_date"] = last = values.get("due_date") or first
        if last < first:
            self.add_error("due_date", LAST_BEFORE_FIRST)

    def _clean_times(self, values: dict[str, Any]) -> None:
        start = values.get("start")
        if start is None:
            if "start" not in self.errors:
                self.add_error("start", _("Enter when it starts."))
            return
        if values.get("due") is None and "due" not in self.errors:
            values["due"] = start + USUAL_LENGTH
        if values.get("due") and values["due"] < start:
            self.add_error("due", DUE_BEFORE_START)

    def in_words(self, group: str, values: dict[str, Any]) -> str:
        if group != "when":
            return super().in_words(group, values)
        if values["all_day"]:
            return words.span_of_days(values["start_date"], values["due_date"])
        return words.span_of_time(values["start"], values["due"])

    @property
    def scope_chosen(self) -> str:
        return self.cleaned_data.get("scope") or series.THIS

    def values(self) -> dict[str, Any]:
        """
        Return everything the form says, as `services.create` takes it.

        :raises UnableToChange: if clocks never show such a time.
        """
        return self._plain({*self.fields}) | self._when()

    def changes(self) -> dict[str, Any]:
        """
        Return what the person changed, as `services.edit` takes it.

        :raises UnableToChange: if clocks never show such a time.
        """
        changed = {*self.changed_data}
        return self._plain(changed) | (self._when() if changed & {*WHEN} else {})

    def _plain(self, names: set[str]) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in names - {*WHEN, "scope"}}

    def _when(self) -> dict[str, Any]:
        values = self.cleaned_data
        if values["all_day"]:
            return {"days": (values["start_date"], values["due_date"])}
        was = calendar.When.of(self.activity) if self.activity else None
        return calendar.at_wall_clock(start=values["start"], due=values["due"], zone=self.zone, was=was).arguments()


def initial_of(activity: Activity, *, zone: zoneinfo.ZoneInfo) -> dict[str, Any]:
    """Return what the form shows of an activity, its times in this zone."""
    start, due = (at.astimezone(zone).replace(tzinfo=None) for at in (activity.start, activity.due))
    if activity.all_day and activity.start_date:
        start = datetime.combine(activity.start_date, USUAL_START)
        due = start + USUAL_LENGTH
    plain = ("subject", "all_day", "category", "status", "result", "result_details")
    return {name: getattr(activity, name) for name in plain} | {
        "owner": activity.owner_id,
        "start": start,
        "due": due,
        "start_date": activity.start_date or start.date(),
        "due_date": activity.due_date or due.date(),
    }


def initial_of_new(*, profile: Profile, asked: Any, now: datetime) -> dict[str, Any]:
    """
    Return what the form of a new activity starts with.

    `asked` is the address: `start` and `due` (wall clock), or `first` and `last` (days). What makes no sense counts as
    not given; without a start it is the next half hour.
    """
    here = now.astimezone(profile.zone).replace(tzinfo=None, second=0, microsecond=0)
    start = here.replace(minute=here.minute // 30 * 30) + USUAL_LENGTH
    first = _day(asked.get("first"))
    last = _day(asked.get("last")) or first
    if asked.get("start"):
        start = _time(asked.get("start")) or start
    elif first:
        start = datetime.combine(first, USUAL_START)
    due = _time(asked.get("due"))
    if due is None or due < start:
        due = start + USUAL_LENGTH
    return {
        "subject": "",
        "all_day": first is not None,
        "start": start,
        "due": due,
        "start_date": first or start.date(),
        "due_date": max(first, last) if first and last else due.date(),
        "category": Activity.Category.TO_DO,
        "status": Activity.Status.NOT_STARTED,
        "owner": profile.pk,
    }


def _time(text: Any) -> datetime | None:
    try:
        return calendar.read_wall_clock(str(text or "")).replace(second=0)
    except calendar.UnreadableTime:
        return None


def _day(text: Any) -> date | None:
    try:
        return calendar.read_day(str(text or ""))
    except calendar.UnreadableTime:
        return None
