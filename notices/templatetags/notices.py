"""The bell, and what its lines say."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.template import RequestContext
from django.utils import timezone

from activities.models import Activity
from notices import selectors, services, words

register = template.Library()


@register.inclusion_tag("notices/_bell.html", takes_context=True)
def bell(context: RequestContext) -> dict[str, Any]:
    """Show the bell with the number of new notices; what they say is fetched when it is opened."""
    unseen = selectors.count_unseen(context["request"].user.profile, now=timezone.now())
    return {"unseen": unseen, "words": words.how_many(unseen)}


@register.filter
def takes_place(activity: Activity, now: datetime) -> str:
    """Write when an activity is, or was due: “Today, 10:00 – 11:00”, “Due yesterday, 16:30”."""
    return words.takes_place(activity, now=now)


@register.filter
def tone_at(activity: Activity, now: datetime) -> str:
    return activity.tone(now=now)


@register.simple_tag
def postpone_choices() -> list[tuple[int, Any]]:
    """Return by how much a reminder can be postponed: minutes, and their words."""
    return list(services.POSTPONE.items())
