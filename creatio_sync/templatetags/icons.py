"""The icons of every page; a tag, because a page of a list has some two hundred of them."""

from __future__ import annotations

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag
def icon(name: str, *, small: bool = False, label: str = "") -> SafeString:
    """Return one icon of the sprite. Without a label it is decoration, and says nothing to who cannot see it."""
    return format_html(
        '<svg class="icon{}" {}><use href="{}#i-{}"/></svg>',
        " small" if small else "",
        format_html('role="img" aria-label="{}"', label) if label else SafeString('aria-hidden="true"'),
        static("img/icons.svg"),
        name,
    )
