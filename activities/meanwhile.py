"""What somebody else changed while a form was open: it is told with both values, and whoever filled it in decides."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django import forms
from django.db.models import Q
from django.utils import formats
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _

from accounts.models import Profile
from activities import words
from activities.models import Activity, FieldChange

MINE, THEIRS = "mine", "theirs"
ASKED = "asked"  # The name under which the form says what it asks about.


class ChangedMeanwhile(Exception):
    """What the form would overwrite is not what it was opened with."""


@dataclass(frozen=True, slots=True)
class Clash:
    """A field that was changed in the form, and by somebody else since it was opened."""

    name: str
    label: str
    who: str
    mine: str
    theirs: str


class ComparedFields(forms.Form):
    """
    Compares, before it is saved, what each field was opened with and what it is now.

    Fields that mean something only together are one: whoever changes a start must have seen the time zone. `TOGETHER`
    has them by the name of the group, with a label.
    """

    TOGETHER: dict[str, tuple[Any, tuple[str, ...]]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.clashes: list[Clash] = []
        if self.data:
            self.data = self.data.copy()  # type: ignore[attr-defined] # What a request brings cannot be changed.
            self._put_theirs()

    def compare(self, current: dict[str, Any], *, who: Callable[[str], str]) -> None:
        """
        Compare with what is there now, as the form would show it; `who` names who changed a group last.

        Where the person has to decide, the form shows what is there now in all fields they left alone.

        :raises ChangedMeanwhile: if `clashes` are to be settled first.
        """
        moved = {name for name in self.fields if self._has_moved(name, current)}
        asked = {group for group in self._asked() if self._choice(group) is None}
        mine = {*self.changed_data}
        groups = {group for group in map(self._group_of, moved & self.fields.keys()) if mine & {*self._members(group)}}
        clashing = [group for group in self._groups() if group in groups | asked and self._differs(group, current)]
        if not clashing:
            return
        self.clashes = [self._clash(group, current, who=who(group)) for group in clashing]
        for name in moved:
            raw = _raw(self.fields[name], current.get(name))
            self._put(f"initial-{name}", raw)
            if name not in mine and self._group_of(name) not in clashing:
                self._put(name, raw)
        raise ChangedMeanwhile

    def _put_theirs(self) -> None:
        """Let the fields about which the person chose the other value hold what the form had shown of it."""
        for group in self._asked():
            if self._choice(group) == THEIRS:
                for name in self._members(group):
                    if (opened := self._opened(name)) is not None:
                        self._put(name, opened)

    def _asked(self) -> set[str]:
        known = self.data.getlist(ASKED) if hasattr(self.data, "getlist") else self.data.get(ASKED, [])
        return {group for group in known if group in {*self._groups()}}

    def _choice(self, group: str) -> str | None:
        chosen = self.data.get(f"settle-{group}")
        return chosen if chosen in (MINE, THEIRS) else None

    def _groups(self) -> list[str]:
        return list(dict.fromkeys(self._group_of(name) for name in self.fields))

    def _group_of(self, name: str) -> str:
        return next((group for group, (_label, names) in self.TOGETHER.items() if name in names), name)

    def _members(self, group: str) -> list[str]:
        names = self.TOGETHER[group][1] if group in self.TOGETHER else (group,)
        return [name for name in names if name in self.fields]

    def _opened(self, name: str) -> Any:
        """Return what a field held when the page was made, as the page sent it along."""
        return self.fields[name].hidden_widget().value_from_datadict(self.data, MultiValueDict(), f"initial-{name}")

    def _has_moved(self, name: str, current: dict[str, Any]) -> bool:
        """Whether a field is not what it was when the page was made. What sends no copy along is not compared."""
        field = self.fields[name]
        if field.disabled or not field.show_hidden_initial or f"initial-{name}" not in self.data:
            return False
        return bool(_read(field, self._opened(name)) != _read(field, _raw(field, current.get(name))))

    def _differs(self, group: str, current: dict[str, Any]) -> bool:
        return any(
            self.cleaned_data.get(name) != _read(self.fields[name], _raw(self.fields[name], current.get(name)))
            for name in self._members(group)
        )

    def _put(self, name: str, raw: Any) -> None:
        if isinstance(raw, list) and hasattr(self.data, "setlist"):
            self.data.setlist(name, raw)
        else:
            self.data[name] = raw  # type: ignore[index] # A copy, which can be changed.

    def _clash(self, group: str, current: dict[str, Any], *, who: str) -> Clash:
        label = self.TOGETHER[group][0] if group in self.TOGETHER else self.fields[group].label
        theirs = {name: _read(self.fields[name], _raw(self.fields[name], current.get(name))) for name in self.fields}
        mine = {name: self.cleaned_data.get(name) for name in self.fields}
        return Clash(group, str(label), who, self.in_words(group, mine), self.in_words(group, theirs))

    def in_words(self, group: str, values: dict[str, Any]) -> str:
        """Return what a field, or a group of them, would be with these values."""
        value = values[group]
        choices = getattr(self.fields[group], "choices", None)
        if isinstance(value, Profile):
            return value.full_name
        if isinstance(value, bool):
            return _("yes") if value else _("no")
        if choices is not None and not isinstance(self.fields[group], forms.ModelChoiceField):
            value = dict(choices).get(value, value)
        return str(value or "") or _("nothing")


def when_in_words(values: dict[str, Any], *, repetitions: Iterable[tuple[Any, Any]]) -> str:
    """Return days or times, with the zone, and how it repeats."""
    if values["all_day"]:
        said = words.span_of_days(values["start_date"], values["due_date"])
    else:
        said = f"{words.span_of_time(values['start'], values['due'])} ({values['time_zone']})"
    kind = values.get("repeat")
    if not kind:
        return said
    details = [str(dict(repetitions).get(kind, kind))]
    if values.get("every") and values["every"] > 1:
        details.append(_("every %d") % values["every"])
    if kind == "weekly" and values.get("weekdays"):
        monday = date(2024, 1, 1)
        details.append(", ".join(formats.date_format(monday.replace(day=1 + day), "D") for day in values["weekdays"]))
    if values.get("ends") == "on" and values.get("until"):
        details.append(_("until %s") % formats.date_format(values["until"], _("D j M Y")))
    if values.get("ends") == "after" and values.get("count"):
        details.append(_("%d times") % values["count"])
    return f"{said}. {', '.join(details)}"


def who_changed(activity: Activity, names: Iterable[str], *, reader: Profile) -> str:
    """Return who changed one of these fields last, of the activity or of its whole series, in words for a reader."""
    whole = Q(activity__series=activity.series_id, activity__is_series=True) if activity.series_id else Q(pk=None)
    changes = FieldChange.objects.filter(Q(activity=activity) | whole, field__in=[*names]).select_related("by")
    change = changes.first()
    if change and change.origin == FieldChange.Origin.GOOGLE:
        return _("in Google Calendar")
    if change and change.by == reader:
        return _("by you, in another window")
    return _("by %s") % change.by.full_name if change and change.by else _("by somebody")


def _raw(field: forms.Field, value: Any) -> Any:
    """Return a value as a page sends it along."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M")
    raw = field.hidden_widget().format_value(field.prepare_value(value))
    return [str(one) for one in raw] if isinstance(raw, list) else ("" if raw is None else str(raw))


def _read(field: forms.Field, raw: Any) -> Any:
    """Return what a field makes of what a page sent; what it cannot read stays as it is."""
    try:
        return field.clean(raw) if isinstance(field, forms.TypedMultipleChoiceField) else field.to_python(raw)
    except forms.ValidationError:
        return raw
