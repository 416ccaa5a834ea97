"""What the pages of the section say about activities: icons, times, notes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from django import template
from django.forms import BoundField
from django.utils import formats, timezone
from django.utils.safestring import SafeString
from django.utils.text import get_text_list
from django.utils.translation import gettext as _

from accounts.models import Profile
from activities import text
from activities.models import Activity, Participant, Tag

register = template.Library()

_STATUS_ICONS = {"not_started": "todo", "in_progress": "half", "completed": "done", "canceled": "canceled"}
_ANSWER_ICONS = {"accepted": "done", "tentative": "question", "declined": "x", "needs_action": "todo"}
_TAG_ICONS = {"private": "lock", "corporate": "building", "public": "globe"}


@register.filter
def kind_icon(activity: Activity) -> str:
    """The icon of what it is: a meeting, a call or a task."""
    if activity.category == Activity.Category.MEETING:
        return "people"
    return "phone" if Activity.Kind.CALL in (activity.kind, activity.category) else "task"


@register.inclusion_tag("activities/_status.html")
def activity_status(activity: Activity, now: datetime) -> dict[str, Any]:
    """The status; an open activity whose time is over says so."""
    tone = activity.tone(now=now)
    if tone == "late":
        return {"tone": tone, "icon": "alert", "words": _("Overdue"), "more": activity.get_status_display()}
    return {"tone": tone, "icon": _STATUS_ICONS[activity.status], "words": activity.get_status_display()}


@register.inclusion_tag("activities/_status.html")
def answer(response: str) -> dict[str, Any]:
    """A participant's or a guest's answer. What Google may say one day and we do not know counts as no answer."""
    known = _from_google(response)
    tone = Participant(response=known).tone
    return {"tone": tone, "icon": _ANSWER_ICONS[known], "words": Participant.Response(known).label}


def _from_google(response: str) -> str:
    """Return our word for an answer, which may be Google's."""
    word = {"needsAction": "needs_action"}.get(response, response)
    return word if word in Participant.Response.values else Participant.Response.NEEDS_ACTION


@register.filter
def tag_icon(tag: Tag) -> str:
    return _TAG_ICONS[tag.kind]


@register.filter
def starts(activity: Activity) -> str:
    """Start for a table: “Mon 9 Mar, 09:00”, or “Tue 10 Mar, all day”. In the reader's zone."""
    if activity.all_day and activity.start_date:
        return _("%(day)s, all day") % {"day": _day(activity.start_date)}
    return _day_and_time(timezone.localtime(activity.start))


@register.filter
def ends(activity: Activity) -> str:
    """Due for a table: the time alone when it is the same day. In the reader's zone."""
    if activity.all_day and activity.due_date:
        return _day(activity.due_date)
    start, due = timezone.localtime(activity.start), timezone.localtime(activity.due)
    return formats.date_format(due, "H:i") if start.date() == due.date() else _day_and_time(due)


def _day_and_time(moment: datetime) -> str:
    return f"{_day(moment.date())}, {formats.date_format(moment, 'H:i')}"


def _day(on: date) -> str:
    return formats.date_format(on, _("D j M") if on.year == timezone.localdate().year else _("D j M Y"))


@register.filter
def roles(participant: Participant, activity: Activity) -> str:
    """The roles somebody has besides taking part."""
    fields = {
        _("Organizer"): activity.organizer_id,
        _("Owner"): activity.owner_id,
        _("Reporter"): activity.reporter_id,
    }
    return ", ".join(role for role, profile_id in fields.items() if profile_id == participant.profile_id)


@register.filter
def own_answer(activity: Activity, profile: Profile) -> str:
    """The reader's own answer, empty when they take no part."""
    return next((one.response for one in activity.participants.all() if one.profile_id == profile.pk), "")


@register.filter
def hidden_copy(field: BoundField) -> SafeString:
    """What a field held when the page was made; field.html writes it along, except for a group of boxes."""
    return field.as_hidden(only_initial=True) if field.field.show_hidden_initial else SafeString("")


@register.filter
def shown_notes(notes: str) -> SafeString:
    return text.to_show(notes)


@register.filter
def is_html(notes: str) -> bool:
    return text.is_html(notes)


@register.filter
def safe_link(address: str) -> str:
    return text.safe_link(address)


@register.filter
def named(profiles: Iterable[Profile], own: Profile) -> str:
    """Return the names of people, as in “You, Boris and Clara”."""
    return get_text_list([_("You") if profile == own else profile.full_name for profile in profiles], _("and"))
