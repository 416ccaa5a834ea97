"""What all forms share: the look of their controls, and fields that say why they are read-only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms

_PLAIN = (forms.CheckboxInput, forms.RadioSelect, forms.CheckboxSelectMultiple, forms.HiddenInput)


class StyledForm(forms.BaseForm):
    """
    A mixin, first among the bases of a form: gives controls the classes of the design system.

    Labels, hints and errors are written by templates/includes/field.html. Django adds the aria attributes.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if not isinstance(field.widget, _PLAIN):
                _add_class(field.widget, "input")

    def make_read_only(self, names: Iterable[str], *, reason: str) -> None:
        """Show these fields without letting anybody change them; the reason stands below each (R6)."""
        for name in names:
            field = self.fields[name]
            field.disabled = True  # What a browser sends for it all the same is ignored.
            field.read_only_reason = reason  # type: ignore[attr-defined]
            described_by = [f"{self[name].auto_id}_reason"]
            if field.help_text:
                described_by.append(f"{self[name].auto_id}_helptext")
            field.widget.attrs["aria-describedby"] = " ".join(described_by)


class Switch(forms.CheckboxInput):
    """A check box that looks like a switch: what it turns on, it turns on for good and by itself."""

    def __init__(self, attrs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__({"class": "switch", "role": "switch", **(attrs or {})}, **kwargs)


def _add_class(widget: forms.Widget, name: str) -> None:
    classes = widget.attrs.get("class", "").split()
    if name not in classes:
        widget.attrs["class"] = " ".join([*classes, name])
