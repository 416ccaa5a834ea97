"""The form of the activity page, and the small ones beside it."""

from __future__ import annotations

import zoneinfo
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any

from django import forms
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Profile
from activities import text
from activities.meanwhile import ComparedFields, when_in_words
from activities.models import Activity, Participant
from activities.repeat_form import REPEAT, DateField, RepeatFields, initial_repetition
from creatio_sync.forms import StyledForm

USUAL_LENGTH = timedelta(minutes=30)  # Due is that long after Start unless somebody says otherwise.
USUAL_START = time(9, 0)  # Offered when an all-day activity gets times.

WHEN = ("start", "due", "all_day", "start_date", "due_date", "time_zone")
# What also lives in Google (R10), by the names of the form.
SYNCHRONIZED = ("subject", *WHEN, *REPEAT, "location", "notes", "is_private", "show_as_free")
DUE_BEFORE_START = _("The due time cannot be earlier than the start.")
LAST_BEFORE_FIRST = _("The last day cannot be earlier than the first.")

# How many minutes before the start, as the form sends them.
REMINDERS = {
    "": _("None"),
    "0": _("At the start"),
    "5": _("5 minutes before"),
    "10": _("10 minutes before"),
    "15": _("15 minutes before"),
    "30": _("30 minutes before"),
    "60": _("1 hour before"),
    "1440": _("1 day before"),
}


class WallClockField(forms.Field):
    """A date and time as the clock on the wall shows it: naive, because the zone is a field of its own."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    default_error_messages = {"invalid": _("Enter a date and a time.")}

    def to_python(self, value: Any) -> datetime | None:
        if value in self.empty_values:
            return None
        if isinstance(value, datetime):
            return value.replace(tzinfo=None)
        try:
            return datetime.fromisoformat(str(value).strip()).replace(tzinfo=None, second=0, microsecond=0)
        except ValueError as error:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from error


class NotesField(forms.CharField):
    """Notes as plain text with one kind of line ends, whatever the browser sends."""

    widget = forms.Textarea(attrs={"rows": 6})

    def to_python(self, value: Any) -> str:
        return (super().to_python(value) or "").replace("\r\n", "\n").replace("\r", "\n")


@lru_cache(maxsize=1)
def _zones() -> tuple[str, ...]:
    """Return the zones that are offered: places, and UTC."""
    names = zoneinfo.available_timezones()
    areas = {
        "Africa",
        "America",
        "Antarctica",
        "Arctic",
        "Asia",
        "Atlantic",
        "Australia",
        "Europe",
        "Indian",
        "Pacific",
    }
    return tuple(sorted(name for name in names if name.partition("/")[0] in areas)) + ("UTC",)


class ActivityForm(StyledForm, RepeatFields, ComparedFields):
    """
    Makes or changes an activity. Times are the wall clock of the chosen zone.

    Every field carries what it held when the page was made, so that saving sends on only what the person changed: what
    came from Google meanwhile stays. About what both changed, the person is asked (`compare`).
    """

    TOGETHER = {"when": (_("The time"), (*WHEN, *REPEAT))}

    subject = forms.CharField(label=_("Subject"), max_length=1024, error_messages={"required": _("Enter a subject.")})
    start = WallClockField(label=_("Start"), required=False)
    due = WallClockField(label=_("Due"), required=False)
    start_date = DateField(label=_("First day"), required=False)
    due_date = DateField(label=_("Last day"), required=False)
    time_zone = forms.ChoiceField(label=_("Time zone"))
    all_day = forms.BooleanField(label=_("All day"), required=False)
    show_in_calendar = forms.BooleanField(label=_("Show in calendar"), required=False)
    is_private = forms.BooleanField(label=_("Private"), required=False)
    show_as_free = forms.BooleanField(label=_("Show as free"), required=False)
    location = forms.CharField(label=_("Location"), max_length=1024, required=False)
    category = forms.ChoiceField(label=_("Category"), choices=Activity.Category)
    status = forms.ChoiceField(label=_("Status"), choices=Activity.Status)
    priority = forms.ChoiceField(label=_("Priority"), choices=Activity.Priority)
    owner = forms.ModelChoiceField(label=_("Owner"), queryset=Profile.objects.none(), required=False, empty_label="–")
    reporter = forms.ModelChoiceField(
        label=_("Reporter"), queryset=Profile.objects.none(), required=False, empty_label="–"
    )
    result = forms.CharField(label=_("Result"), max_length=200, required=False)
    result_details = NotesField(label=_("Result details"), required=False)
    notes = NotesField(label=_("Notes"), required=False)
    reminder = forms.ChoiceField(
        label=_("Reminder"), required=False, choices=list(REMINDERS.items()), help_text=_("Yours alone.")
    )
    # Set by the page's script, which keeps the duration and ticks Show in calendar while the person watches.
    has_script = forms.BooleanField(required=False, widget=forms.HiddenInput)

    def __init__(
        self,
        data: Any = None,
        *,
        initial: dict[str, Any],
        activity: Activity | None = None,
        read_only_reason: str | None = None,
    ) -> None:
        super().__init__(data, initial=initial)
        self.read_only_reason = read_only_reason
        self._offer_people(activity)
        self._offer_reminders()
        self.offer_repetition(activity)
        zones = list(_zones())
        if initial["time_zone"] not in zones:
            zones.insert(0, initial["time_zone"])
        self.fields["time_zone"].choices = [(name, name) for name in zones]  # type: ignore[attr-defined]
        if activity and not activity.subject:
            self.fields["subject"].required = False  # Google lets an event have none.
        if activity and text.is_html(activity.notes):
            self.fields["notes"].help_text = _("Once you change these notes, they lose their formatting.")
        for name, field in self.fields.items():
            is_asked_anew = name in ("has_script", "scope")
            field.show_hidden_initial = not is_asked_anew and (data is None or f"initial-{name}" in data)
        if read_only_reason:
            self._close(activity)

    def _offer_people(self, activity: Activity | None) -> None:
        """Offer who works here, and whoever it is now."""
        now = {getattr(activity, f"{role}_id") for role in ("owner", "reporter")} if activity else set()
        people = Profile.objects.filter(Q(user__is_active=True) | Q(pk__in=now - {None})).order_by("full_name", "pk")
        for role in ("owner", "reporter"):
            self.fields[role].queryset = people  # type: ignore[attr-defined]

    def _offer_reminders(self) -> None:
        """Offer what the reminder is now as well, be it unusual; who takes no part is not asked."""
        if "reminder" not in self.initial:
            del self.fields["reminder"]
            return
        known = {self.initial["reminder"], str(self.data.get("initial-reminder", ""))} - REMINDERS.keys()
        unusual = [(value, reminder_in_words(int(value))) for value in sorted(known) if value.isdecimal()]
        self.fields["reminder"].choices = [*REMINDERS.items(), *unusual]  # type: ignore[attr-defined]

    def _close(self, activity: Activity | None) -> None:
        """
        Close the synchronized fields (R6): the reason stands above the form.

        A field that the page showed open, because the reason came up only afterwards, stays open: the service refuses
        it with words, and nothing typed is lost.
        """
        canceled = Activity.Status.CANCELED
        names = [*SYNCHRONIZED, "status"] if activity and activity.status == canceled else [*SYNCHRONIZED]
        for name in names:
            if f"initial-{name}" not in self.data:
                self.fields[name].disabled = True
                self.fields[name].widget.attrs["aria-describedby"] = "read-only-why"
        if "status" not in names and "initial-status" not in self.data:
            self.fields["status"].choices = [  # type: ignore[attr-defined]
                (value, label) for value, label in Activity.Status.choices if value != canceled
            ]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if values.get("all_day"):
            self._clean_days(values)
        else:
            self._clean_times(values)
        self.clean_repetition(first=self._first(values), time_zone=values.get("time_zone") or "UTC")
        return values

    @property
    def first_day(self) -> date | None:
        """The day, in the zone that was chosen, on which it is to begin."""
        first = self._first(self.cleaned_data)
        return first.date() if isinstance(first, datetime) else first

    def _first(self, values: dict[str, Any]) -> date | datetime | None:
        """Return when it begins; None if that is wrong."""
        if values.get("all_day"):
            return values.get("start_date")
        if values.get("start") is None or "time_zone" not in values:
            return None
        return self._wall_clock_of("start").replace(tzinfo=zoneinfo.ZoneInfo(values["time_zone"]))

    def _clean_days(self, values: dict[str, Any]) -> None:
        first = values.get("start_date")
        if first is None:
            if "start_date" not in self.errors:
                self.add_error("start_date", _("Enter the first day."))
            return
        last = values.get("due_date") or first
        if last < first:
            self.add_error("due_date", LAST_BEFORE_FIRST)
        values["due_date"] = last

    def _clean_times(self, values: dict[str, Any]) -> None:
        start, due = values.get("start"), values.get("due")
        if start is None:
            if "start" not in self.errors:
                self.add_error("start", _("Enter when it starts."))
            return
        keeps_duration = "start" in self.changed_data and "due" not in self.changed_data and not values["has_script"]
        if keeps_duration and self.initial.get("start") and self.initial.get("due"):
            due = start + (self.initial["due"] - self.initial["start"])
        elif due is None and "due" not in self.errors:
            due = start + USUAL_LENGTH
        if due and due < start:
            self.add_error("due", DUE_BEFORE_START)
        values["due"] = due

    def in_words(self, group: str, values: dict[str, Any]) -> str:
        if group == "when":
            repetitions = self.fields["repeat"].choices  # type: ignore[attr-defined]
            return when_in_words(values, repetitions=repetitions)
        return super().in_words(group, values)

    def when(self) -> dict[str, Any]:
        """Return when it is, as the services take it: `days`, or aware `start` and `due`, with the zone."""
        values = self.cleaned_data
        zone = values["time_zone"]
        if values["all_day"]:
            return {"days": (values["start_date"], values["due_date"]), "time_zone": zone}
        tz = zoneinfo.ZoneInfo(zone)
        start, due = (self._wall_clock_of(name).replace(tzinfo=tz) for name in ("start", "due"))
        return {"start": start, "due": max(start, due), "time_zone": zone}  # Over a change of the clocks due may slip.

    def _wall_clock_of(self, name: str) -> datetime:
        """When clocks are set back an hour comes twice: a time that was left alone stays in the one it was in."""
        said: datetime = self.cleaned_data[name]
        was = self.initial.get(name)
        return was if name not in self.changed_data and was == said else said

    @property
    def reminder_minutes(self) -> int | None:
        """How many minutes before the start this person wants to be reminded; None is not at all."""
        chosen = self.cleaned_data.get("reminder", "")
        return int(chosen) if chosen else None

    @property
    def changes_reminder(self) -> bool:
        return "reminder" in self.data and "reminder" in self.changed_data

    def values(self) -> dict[str, Any]:
        """Return everything the form says, as `services.create` takes it."""
        return self._plain(set(self.fields)) | self.when()

    def changes(self) -> dict[str, Any]:
        """Return what the person changed, as `services.edit` takes it."""
        changed = set(self.changed_data)
        return self._plain(changed) | (self.when() if changed & set(WHEN) else {})

    def _plain(self, names: set[str]) -> dict[str, Any]:
        """
        Return the values of these names that are no part of "when", and everybody's.

        Becoming a meeting ticks Show in calendar. With a script the person saw that happen, so the box is what they
        want; without one an untouched box says nothing, and the service ticks it.
        """
        apart = {*WHEN, *REPEAT, "scope", "reminder", "has_script"}
        values = {name: self.cleaned_data[name] for name in names - apart}
        if "category" in self.changed_data and self.cleaned_data["category"] == Activity.Category.MEETING:
            if self.cleaned_data["has_script"] or "show_in_calendar" in self.changed_data:
                values["show_in_calendar"] = self.cleaned_data["show_in_calendar"]
            else:
                values.pop("show_in_calendar", None)
        return values


def reminder_in_words(minutes: int) -> str:
    for unit, singular, plural in (
        (1440, _("%(count)d day before"), _("%(count)d days before")),
        (60, _("%(count)d hour before"), _("%(count)d hours before")),
    ):
        if minutes and minutes % unit == 0:
            return str(singular if minutes == unit else plural) % {"count": minutes // unit}
    return str(_("%(count)d minutes before")) % {"count": minutes}


def initial_of(activity: Activity, *, own: Participant | None = None) -> dict[str, Any]:
    """
    Return what the form shows of an activity: times in its own zone, notes as text.

    `own` is how the reader takes part; without it there is no reminder to set.
    """
    zone = zoneinfo.ZoneInfo(activity.time_zone)
    start, due = _wall_clock(activity.start, zone), _wall_clock(activity.due, zone)
    first, last = activity.start_date, activity.due_date
    if activity.all_day and first and last:
        start = datetime.combine(first, USUAL_START)
        due = start + USUAL_LENGTH
    plain = [
        "subject", "all_day", "time_zone", "show_in_calendar", "is_private", "show_as_free", "location", "category",
        "status", "priority", "result", "result_details",
    ]  # fmt: skip
    reminder = {} if own is None else {"reminder": _reminder_value(own.reminder_minutes)}
    return (
        {name: getattr(activity, name) for name in plain}
        | initial_repetition(activity)
        | reminder
        | {
            "start": start,
            "due": due,
            "start_date": first or start.date(),
            "due_date": last or due.date(),
            "notes": text.to_edit(activity.notes),
            "owner": activity.owner_id,
            "reporter": activity.reporter_id,
        }
    )


def initial_of_new(*, profile: Profile, asked: Any, now: datetime) -> dict[str, Any]:
    """
    Return what the form of a new activity starts with.

    `asked` is the address: `category`, `start` and `due` (wall clock of the person), `calendar` when it is made from
    the calendar. Without a start it is the next half hour.
    """
    here = now.astimezone(profile.zone).replace(tzinfo=None, second=0, microsecond=0)
    start = _moment(asked.get("start")) or here - timedelta(minutes=here.minute % 30) + USUAL_LENGTH
    due = _moment(asked.get("due"))
    if due is None or due < start:
        due = start + USUAL_LENGTH
    category = asked.get("category")
    if category not in Activity.Category.values:
        category = Activity.Category.CALL if asked.get("kind") == Activity.Kind.CALL else Activity.Category.TO_DO
    return initial_repetition(None) | {
        "subject": "",
        "reminder": "",
        "start": start,
        "due": due,
        "start_date": start.date(),
        "due_date": due.date(),
        "time_zone": profile.time_zone,
        "category": category,
        "status": Activity.Status.NOT_STARTED,
        "priority": Activity.Priority.MEDIUM,
        "owner": profile.pk,
        "reporter": profile.pk,
        "show_in_calendar": category == Activity.Category.MEETING or asked.get("calendar") == "1",
    }


class ParticipantForm(forms.Form):
    """
    Whom to add: anybody who works here and does not take part yet.

    The control shares the form "single-action" with buttons that need no person, so the browser must not insist on one.
    """

    use_required_attribute = False

    profile = forms.ModelChoiceField(
        label=_("Person to add"), queryset=Profile.objects.none(), empty_label=_("Choose a person")
    )

    def __init__(self, data: Any = None, *, activity: Activity) -> None:
        super().__init__(data)
        here = Profile.objects.filter(user__is_active=True).exclude(participations__activity=activity)
        self.fields["profile"].queryset = here.order_by("full_name", "pk")  # type: ignore[attr-defined]
        # The control stands inside the form of the activity and belongs to the form for single actions.
        self.fields["profile"].widget.attrs |= {"class": "input short", "form": "single-action"}


def _reminder_value(minutes: int | None) -> str:
    return "" if minutes is None else str(minutes)


def _wall_clock(moment: datetime, zone: zoneinfo.ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)


def _moment(value: Any) -> datetime | None:
    """Return the wall-clock time of an ISO text, or None. A day alone gets the usual hour."""
    try:
        moment = datetime.fromisoformat(str(value or ""))
    except ValueError:
        return None
    if len(str(value)) == len("2026-03-09"):
        moment = datetime.combine(date.fromisoformat(str(value)), USUAL_START)
    return moment.replace(tzinfo=None, second=0, microsecond=0)
