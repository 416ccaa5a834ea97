"""What the calendar's templates need of the layout."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from activities.models import Activity
from activities.week import Bar, Block

register = template.Library()


@register.simple_tag
def place_attributes(place: Block | Bar) -> SafeString:
    """Where a block or a bar stands, as data attributes; the content policy allows no inline style."""
    if isinstance(place, Bar):
        values = {"from": place.first, "span": place.span, "row": place.row}
    else:
        values = {"start": place.start, "length": place.length, "lane": place.lane, "lanes": place.lanes}
        values |= {"wide": place.wide} if place.wide > 1 else {}
    return format_html_join("", ' data-{}="{}"', values.items())


@register.filter
def tone(activity: Activity, now: datetime) -> str:
    return activity.tone(now=now)
