"""How the bell says what a notice is about."""

from __future__ import annotations

from datetime import date, datetime

from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from activities.models import Activity
from activities.words import day, moment


def how_many(unseen: int) -> str:
    """Return what the bell is called: “Notifications: 3 new”."""
    if not unseen:
        return _("Notifications")
    return ngettext("Notifications: %d new", "Notifications: %d new", unseen) % unseen


def takes_place(activity: Activity, *, now: datetime) -> str:
    """Return when an activity begins, began or was due, in the reader's zone: “Due yesterday, 16:30”."""
    if activity.all_day and activity.start_date and activity.due_date:
        return _days(activity, first=activity.start_date, last=activity.due_date, now=now)
    if activity.is_overdue(now=now):
        return _("Due %(moment)s") % {"moment": moment(activity.due, now=now, in_sentence=True)}
    if activity.start <= now:
        return _("Began %(moment)s") % {"moment": moment(activity.start, now=now, in_sentence=True)}
    start, due = timezone.localtime(activity.start), timezone.localtime(activity.due)
    ends = formats.date_format(due, "H:i") if start.date() == due.date() else moment(due, now=now, in_sentence=True)
    return f"{moment(start, now=now)} – {ends}"


def _days(activity: Activity, *, first: date, last: date, now: datetime) -> str:
    today = timezone.localdate(now)
    if activity.is_overdue(now=now):
        return _("Due %(moment)s") % {"moment": day(last, today=today, in_sentence=True)}
    if first == last:
        return _("%(day)s, all day") % {"day": day(first, today=today)}
    return f"{day(first, today=today)} – {day(last, today=today, in_sentence=True)}"
