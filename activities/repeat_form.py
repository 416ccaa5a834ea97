"""How an activity repeats, as its form asks: plain controls that make sense without a script (R15)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from activities import recurrence, series, services
from activities.models import Activity
from activities.recurrence import Pattern, Repetition

NOT, OWN = "", "own"  # Does not repeat; repeats by a rule that the form cannot show, and keeps.
MOST = 9_999  # Of every how many, and how often.
# The names of the form that say how it repeats. Like "when", they also live in Google (R10).
REPEAT = ("repeat", "every", "weekdays", "ends", "until", "count")

_KINDS: dict[str, tuple[str, str]] = {  # As `recurrence` has them: frequency and monthly_by.
    "daily": ("daily", "day"),
    "weekly": ("weekly", "day"),
    "monthly_day": ("monthly", "day"),
    "monthly_last_day": ("monthly", "last_day"),
    "monthly_weekday": ("monthly", "weekday"),
    "yearly": ("yearly", "day"),
}
_KIND_CHOICES = [
    (NOT, _("Does not repeat")),
    ("daily", _("Daily")),
    ("weekly", _("Weekly")),
    ("monthly_day", _("Monthly, on the same day of the month")),
    ("monthly_last_day", _("Monthly, on the last day of the month")),
    ("monthly_weekday", _("Monthly, on the same weekday, such as the second Tuesday")),
    ("yearly", _("Yearly")),
]
_WEEKDAYS = [
    (0, _("Mon")), (1, _("Tue")), (2, _("Wed")), (3, _("Thu")), (4, _("Fri")), (5, _("Sat")), (6, _("Sun")),
]  # fmt: skip
_ENDS = [("never", _("Never")), ("on", _("On a date")), ("after", _("After a number of times"))]
SCOPES = [(series.THIS, _("This one")), (series.FOLLOWING, _("This and following")), (series.ALL, _("All"))]
_A_NUMBER = _("Enter a whole number from 1 to 9999.")


class DateField(forms.DateField):
    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


def _number(label: Any) -> forms.IntegerField:
    wrong = dict.fromkeys(("invalid", "min_value", "max_value"), _A_NUMBER)
    return forms.IntegerField(label=label, required=False, min_value=1, max_value=MOST, error_messages=wrong)


class RepeatFields(forms.Form):
    """
    The controls for the rule of a series, and for how much of it a change is meant.

    What does not belong to the chosen repetition is ignored, whatever stands there.
    """

    repeat = forms.ChoiceField(label=_("Repeat"), required=False, choices=_KIND_CHOICES)
    every = _number(_("Every"))
    weekdays = forms.TypedMultipleChoiceField(
        label=_("On"),
        required=False,
        coerce=int,
        choices=_WEEKDAYS,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Without a choice it is the weekday of the start."),
    )
    ends = forms.ChoiceField(label=_("Ends"), required=False, choices=_ENDS)
    until = DateField(label=_("Repeats until"), required=False)
    count = _number(_("How many times"))
    scope = forms.ChoiceField(
        label=_("Save for"), required=False, choices=SCOPES, initial=series.THIS, widget=forms.RadioSelect
    )

    activity: Activity | None = None
    _lines: tuple[str, ...] | None = None

    def offer_repetition(self, activity: Activity | None) -> None:
        """Make the controls fit an activity; None for one that is being made."""
        self.activity = activity
        if activity is None or activity.series is None:
            del self.fields["scope"]
        if OWN in (self.initial.get("repeat"), self.data.get("initial-repeat")):
            self.fields["repeat"].choices = [(OWN, _("By its own rule")), *_KIND_CHOICES]  # type: ignore[attr-defined]

    @property
    def scope_chosen(self) -> str:
        """How much of the series the change is meant for; of what does not repeat, this one."""
        return self.cleaned_data.get("scope") or series.THIS

    @property
    def stops_repeating(self) -> bool:
        return self._repeats_already and self._is_repeat_changed and self.cleaned_data["repeat"] == NOT

    @property
    def lines(self) -> tuple[str, ...] | None:
        """The rule that was chosen, as RFC 5545 lines; None if it was left as it is, or there is none."""
        return self._lines

    @property
    def _is_repeat_changed(self) -> bool:
        """Whether another kind was chosen. Who sends none, as a script might, wants none of them changed."""
        return "repeat" in self.data and "repeat" in self.changed_data

    @property
    def _repeats_already(self) -> bool:
        return self.activity is not None and self.activity.series is not None

    def clean_repetition(self, *, first: date | datetime | None, time_zone: str) -> None:
        """Check the rule. `first` is when this activity begins, None if that is wrong itself."""
        names = self._names_that_count()
        for name in {*REPEAT} - names:
            self.errors.pop(name, None)
        if not {*REPEAT}.isdisjoint(self.errors) or self.stops_repeating:
            return
        if not (self._is_repeat_changed or (names - {"repeat"}) & {*self.changed_data}):
            return
        self._ask_for_what_is_missing(names)
        until = self.cleaned_data.get("until")
        first_day = first.date() if isinstance(first, datetime) else first
        if "until" in names and until and first_day and until < first_day:
            self.add_error("until", _("It cannot end before it starts."))
        elif "until" in names and until and (reason := services.why_not_plannable(until)):
            self.add_error("until", reason)
        if self._repeats_already and self.scope_chosen == series.THIS:
            self.add_error(
                "scope", _("How it repeats is nothing of one occurrence. Choose This and following, or All.")
            )
        if first is None or {*REPEAT, "scope"} & self.errors.keys():
            return
        try:
            self._lines = recurrence.lines_of(self._repetition(names, first=first), first=first, time_zone=time_zone)
        except recurrence.UnreadableRule as error:
            self.add_error("repeat", str(error))

    def _names_that_count(self) -> set[str]:
        """Return the names of the controls that the chosen repetition has."""
        kind = self.cleaned_data.get("repeat", NOT)
        if kind in (NOT, OWN):
            return {"repeat"}
        last = {"on": {"until"}, "after": {"count"}}.get(self.cleaned_data.get("ends") or "never", set())
        return {"repeat", "every", "ends", *({"weekdays"} if kind == "weekly" else ()), *last}

    def _ask_for_what_is_missing(self, names: set[str]) -> None:
        words = {"every": _A_NUMBER, "count": _A_NUMBER, "until": _("Enter the last day.")}
        for name in names & words.keys():
            if self.cleaned_data.get(name) is None:
                self.add_error(name, words[name])

    def _repetition(self, names: set[str], *, first: date) -> Repetition:
        values = self.cleaned_data
        frequency, monthly_by = _KINDS[values["repeat"]]
        count = values["count"] if "count" in names else None
        if count is not None and self.scope_chosen == series.FOLLOWING and not {"ends", "count"} & {*self.changed_data}:
            count = self._count_from_here() or count
        return Repetition(
            frequency=frequency,  # type: ignore[arg-type]
            interval=values["every"],
            weekdays=self._weekdays(first) if "weekdays" in names else (),
            monthly_by=monthly_by,  # type: ignore[arg-type]
            until=values["until"] if "until" in names else None,
            count=count,
        )

    def _weekdays(self, first: date) -> tuple[int, ...]:
        """Return the days of a weekly rule. The only one moves along with the start unless somebody chose otherwise."""
        chosen = tuple(self.cleaned_data.get("weekdays") or ())
        was = self.initial["start_date" if self.initial.get("all_day") else "start"]
        follows = "weekdays" not in self.changed_data and chosen == (was.weekday(),)
        return (first.weekday(),) if follows else chosen

    def _count_from_here(self) -> int | None:
        """Return how many of the series' occurrences are left from this one on: the new part has no more."""
        activity = self.activity
        if activity is None or activity.series is None or activity.original_start is None:
            return None
        pattern = series.pattern_of(activity.series.head)
        try:
            lines = recurrence.from_cut(pattern, at=activity.original_start)
            rest = recurrence.repetition_of(_without_exceptions(replace(pattern, lines=lines)))
        except (recurrence.UnreadableRule, recurrence.UnableToMove):
            return None
        return rest.count if rest else None


def initial_repetition(activity: Activity | None) -> dict[str, Any]:
    """Return what the controls show: the rule of its series, or that it does not repeat."""
    nothing: dict[str, Any] = {
        "repeat": NOT, "every": 1, "weekdays": [], "ends": "never", "until": None, "count": None, "scope": series.THIS,
    }  # fmt: skip
    if activity is None or activity.series is None:
        return nothing
    pattern = series.pattern_of(activity.series.head)
    try:
        repetition = recurrence.repetition_of(_without_exceptions(pattern))
    except recurrence.UnreadableRule:
        repetition = None
    if repetition is None:
        return nothing | {"repeat": OWN}
    kind = (repetition.frequency, repetition.monthly_by)
    return nothing | {
        "repeat": next(name for name, known in _KINDS.items() if known == kind),
        "every": repetition.interval,
        "weekdays": list(repetition.weekdays),
        "ends": "on" if repetition.until else ("after" if repetition.count else "never"),
        "until": repetition.until,
        "count": repetition.count,
    }


def _without_exceptions(pattern: Pattern) -> Pattern:
    """Return the rule alone: days that were taken out stay so whatever is chosen here."""
    return replace(pattern, lines=tuple(line for line in pattern.lines if not line.upper().startswith("EXDATE")))
