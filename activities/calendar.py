"""
What the calendar shows of a range of days, and what dragging does.

The page's clock is the wall clock of whoever looks, and knows no zones: moments go out as wall-clock times of that
person's zone and come back so. Whatever the zone has to say, such as an hour that a night does not have, is said here.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Prefetch
from django.urls import reverse
from django.utils import formats
from django.utils.translation import gettext as _

from accounts.models import Profile
from activities import selectors, series, services, week, words
from activities.models import Activity, Participant
from activities.services import UnableToChange
from activities.signals import Standing

MOST_DAYS = 62  # Of one question; a month as it is drawn has 42.


class UnreadableTime(ValueError):
    """What should be a day, a time or a range is none. The message is written for the user."""


class ChangedMeanwhile(Exception):
    """Somebody else has moved the activity since it was shown."""


# --- When an activity takes place ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class When:
    """The moments of a timed activity, in UTC, or the days of an all-day one, the last one included."""

    start: datetime | None = None
    due: datetime | None = None
    days: tuple[date, date] | None = None

    @classmethod
    def of(cls, activity: Activity) -> When:
        if activity.all_day and activity.start_date and activity.due_date:
            return cls(days=(activity.start_date, activity.due_date))
        return cls(start=activity.start.astimezone(UTC), due=activity.due.astimezone(UTC))

    @classmethod
    def read(cls, token: str) -> When:
        """:raises UnreadableTime: if the text is no token."""
        first, _slash, last = token.partition("/")
        try:
            if len(first) == len("2026-03-09"):
                return cls(days=(date.fromisoformat(first), date.fromisoformat(last)))
            start, due = (datetime.fromisoformat(part) for part in (first, last))
        except ValueError as error:
            raise UnreadableTime(_("This is no time.")) from error
        if start.tzinfo is None or due.tzinfo is None:
            raise UnreadableTime(_("This is no time."))
        return cls(start=start.astimezone(UTC), due=due.astimezone(UTC))

    @property
    def token(self) -> str:
        """The exact moments or days as a text, by which a page says what it has seen, and where to go back to."""
        parts = self.days or (self.start, self.due)
        return "/".join(part.isoformat() for part in parts if part)

    def arguments(self) -> dict[str, Any]:
        """Return it as `services.edit` takes it."""
        return {"days": self.days} if self.days else {"start": self.start, "due": self.due}

    def in_words(self, zone: zoneinfo.ZoneInfo) -> str:
        if self.start and self.due:
            return words.span_of_time(self.start.astimezone(zone), self.due.astimezone(zone))
        return words.span_of_days(*self.days) if self.days else ""


def at_wall_clock(*, start: datetime, due: datetime, zone: zoneinfo.ZoneInfo, was: When | None = None) -> When:
    """
    Return the moments at which clocks in the zone show these times.

    Of the two hours that a night has when clocks are set back, a time that stays as it `was` stays in its own.

    :raises UnableToChange: if clocks never show one of them, or due is before start.
    """
    if due < start:
        raise UnableToChange(_("The due time cannot be earlier than the start."))
    begins = _moment(start, zone=zone, was=was.start if was else None)
    ends = _moment(due, zone=zone, was=was.due if was else None)
    if ends < begins:  # Only the second of the two hours comes after the start.
        ends = due.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return When(start=begins, due=ends)


def _moment(at: datetime, *, zone: zoneinfo.ZoneInfo, was: datetime | None) -> datetime:
    if was and _wall_clock(was, zone) == at:
        return was
    moment = at.replace(tzinfo=zone).astimezone(UTC)
    if _wall_clock(moment, zone) != at:
        said = {"time": formats.time_format(at, "H:i"), "day": formats.date_format(at, _("l, j F Y"))}
        raise UnableToChange(_("Clocks are put forward on %(day)s: there is no %(time)s. Choose another time.") % said)
    return moment


def _wall_clock(moment: datetime, zone: zoneinfo.ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, microsecond=0)


def read_wall_clock(text: str) -> datetime:
    """:raises UnreadableTime: if the text is no date with a time, or has a zone."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise UnreadableTime(_("“%s” is no time.") % text[:40]) from error
    if at.tzinfo is not None or len(text) <= len("2026-03-09"):
        raise UnreadableTime(_("“%s” is no time of the clock on the wall.") % text[:40])
    return at.replace(microsecond=0)


def read_day(text: str) -> date:
    """:raises UnreadableTime: if the text is no date, or one no calendar shows."""
    day = selectors.read_date(text)
    if day is None:
        raise UnreadableTime(_("“%s” is no day that the calendar can show.") % text[:40])
    return day


# --- The feed --------------------------------------------------------------------------------------------------------


def read_range(*, start: str, end: str) -> tuple[date, date]:
    """
    Return the first and the last day of the range that is shown; its end is the day after.

    :raises UnreadableTime: if these are no days, or too many of them.
    """
    first, after = read_day(start), read_day(end)
    if not first < after:
        raise UnreadableTime(_("The end of the range has to be after its start."))
    if (after - first).days > MOST_DAYS:
        raise UnreadableTime(_("At most %d days can be shown at once.") % MOST_DAYS)
    return first, after - timedelta(days=1)


def entries(
    *, filters: selectors.Filters, profile: Profile, days: tuple[date, date], now: datetime
) -> list[dict[str, Any]]:
    """
    Return what the calendar shows on these days, as its script takes it. Statements: a handful, however many there are.

    Colleagues' activities that the person may not read are there as "Busy" (R8).
    """
    filters = replace(filters, days=days)
    found = selectors.find(filters=filters, profile=profile, in_calendar=True)
    taking_part = Prefetch("participants", queryset=Participant.objects.select_related("profile"))
    found = found.prefetch_related(None).prefetch_related(taking_part).select_related("organizer")
    activities = list(found.defer("notes", "result_details"))
    standings = services.standings(activities=activities, profile=profile)
    shown = [
        _entry(activity, standing=standings.get(activity.pk, Standing()), profile=profile, now=now)
        for activity in activities
    ]
    busy = selectors.busy_entries(filters, profile=profile)
    return shown + [_busy(entry, number=number, zone=profile.zone) for number, entry in enumerate(busy)]


def _entry(activity: Activity, *, standing: Standing, profile: Profile, now: datetime) -> dict[str, Any]:
    when, tone = When.of(activity), activity.tone(now=now)
    own = next((one for one in activity.participants.all() if one.profile_id == profile.pk), None)
    elsewhere = "" if when.days else _elsewhere(activity, zone=profile.zone)
    times = _times(when, zone=profile.zone)
    marks = {
        "google": standing.is_in_google,
        "repeats": bool(activity.series_id),
        "guests": bool(activity.other_guests),
    }
    answer = own.response if own else ""
    place = activity.location or _others(activity, profile=profile)
    state = _state_in_words(activity, tone=tone)
    signs = [
        *([f"{state}."] if state else []),
        *_answer_in_words(answer),
        *([str(_("Shown as free."))] if activity.show_as_free else []),
        *(said for name, said in _marks_in_words().items() if marks[name]),
        *([elsewhere] if elsewhere else []),
    ]
    return _placed(when, zone=profile.zone) | {
        "id": str(activity.pk),
        "url": reverse("activities:detail", args=[activity.pk]),
        "title": str(activity),
        "editable": standing.why_read_only is None,
        "when": when.token,
        "tone": tone,
        "state": state,
        "answer": answer if answer != Participant.Response.ACCEPTED else "",
        "marks": marks,
        "is_free": activity.show_as_free,
        "is_canceled": activity.status == Activity.Status.CANCELED,
        "times": times,
        "place": place,
        "elsewhere": elsewhere,
        "why_read_only": standing.why_read_only or "",
        "label": f"{', '.join(filter(None, (str(activity), when.in_words(profile.zone), place)))}. {' '.join(signs)}",
    }


def _busy(entry: week.Entry, *, number: int, zone: zoneinfo.ZoneInfo) -> dict[str, Any]:
    """Of what the person may not read, nothing but whose it is and when: not even an id."""
    when = When(days=entry.days) if entry.days else When(start=entry.start, due=entry.due)
    return _placed(when, zone=zone) | {
        "id": f"busy-{number}",
        "title": str(_("Busy")),
        "editable": False,
        "is_busy": True,
        "tone": "final",
        "times": _times(when, zone=zone),
        "place": ", ".join(entry.payload.people),
    }


def _placed(when: When, *, zone: zoneinfo.ZoneInfo) -> dict[str, Any]:
    """
    Return where an activity stands: at times, or on days, the last of which the calendar does not count.

    What takes a day or longer stands on the strip above the hours; `length` (minutes) is how long it is by the clock.
    When clocks are set back, an activity may seem to end before it starts; it is drawn as long as it is.
    """
    if when.days:
        return _on_strip(*when.days)
    if when.start is None or when.due is None:
        raise TypeError("An activity has times or days.")
    start, due = _wall_clock(when.start, zone), _wall_clock(when.due, zone)
    if due < start:
        due = start + (when.due - when.start)
    length = int((due - start).total_seconds() // 60)
    if length >= week.MIDNIGHT:
        last = (due - timedelta(microseconds=1)).date()
        times = {"is_timed": True, "starts": start.isoformat(), "length": length}
        return _on_strip(start.date(), last) | times
    return {"start": start.isoformat(), "end": due.isoformat(), "allDay": False, "length": length}


def _on_strip(first: date, last: date) -> dict[str, Any]:
    return {"start": first.isoformat(), "end": (last + timedelta(days=1)).isoformat(), "allDay": True}


def _times(when: When, *, zone: zoneinfo.ZoneInfo) -> str:
    if when.start is None or when.due is None:
        return str(_("All day"))
    start, due = when.start.astimezone(zone), when.due.astimezone(zone)
    is_short = due.date() == start.date() or due - start < timedelta(hours=12)
    return words.hours(start, due) if is_short else words.span_of_time(start, due)


def elsewhere(activity: Activity, *, zone: zoneinfo.ZoneInfo) -> str:
    """Return the times by the clock of the zone the activity is kept in, if that shows others; else nothing."""
    return "" if activity.all_day else _elsewhere(activity, zone=zone)


def _elsewhere(activity: Activity, *, zone: zoneinfo.ZoneInfo) -> str:
    other = zoneinfo.ZoneInfo(activity.time_zone)
    if not words.reads_differently(activity.start, activity.due, zone=zone, other=other):
        return ""
    here, there = ([at.astimezone(zone_) for at in (activity.start, activity.due)] for zone_ in (zone, other))
    is_same_day = [at.date() for at in here] == [at.date() for at in there]
    times = words.hours(*there) if is_same_day and there[0].date() == there[1].date() else words.span_of_time(*there)
    place = activity.time_zone.rpartition("/")[2].replace("_", " ")
    return str(_("%(times)s in %(place)s.") % {"times": times, "place": place})


def _others(activity: Activity, *, profile: Profile) -> str:
    """Say whose it is, if it is a colleague's."""
    return activity.owner.full_name if activity.owner and activity.owner_id != profile.pk else ""


def _state_in_words(activity: Activity, *, tone: str) -> str:
    """Say what the color says, of all but the open ones."""
    return {"late": str(_("Overdue")), "final": str(activity.get_status_display())}.get(tone, "")


def _answer_in_words(answer: str) -> Iterator[str]:
    said = {
        Participant.Response.TENTATIVE.value: _("You answered maybe."),
        Participant.Response.NEEDS_ACTION.value: _("You have not answered."),
        Participant.Response.DECLINED.value: _("You declined."),
    }.get(answer)
    if said:
        yield str(said)


def _marks_in_words() -> dict[str, str]:
    return {"google": _("In Google."), "repeats": _("Repeats."), "guests": _("Has other guests.")}


# --- Dragging --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Moved:
    """What a move came to: words for the user, and what takes it back, or None if nothing can."""

    said: str
    undo: dict[str, str] | None


def wanted(values: Any, *, activity: Activity, zone: zoneinfo.ZoneInfo) -> When:
    """
    Read where somebody wants an activity: `back_to` (a token), `first` and `last` (days), or `start` and `due`.

    :raises UnreadableTime: if it says none of these.
    :raises UnableToChange: if clocks never show such a time.
    """
    if values.get("back_to"):
        return When.read(values["back_to"])
    if values.get("first"):
        first = read_day(values["first"])
        return When(days=(first, read_day(values.get("last") or values["first"])))
    start, due = read_wall_clock(values.get("start", "")), read_wall_clock(values.get("due", ""))
    return at_wall_clock(start=start, due=due, zone=zone, was=When.of(activity))


@transaction.atomic
def move(*, activity: Activity, to: When, seen: str, scope: str, by: Profile, now: datetime) -> Moved:
    """
    Let an activity take place at another time, it and all that follow, or all; `seen` is the token of what was shown.

    :raises ChangedMeanwhile: if it is not there any more.
    :raises UnableToChange: if it is somebody else's to move (R6), or cannot be moved like this.
    """
    current = services.locked(activity)
    was = When.of(current)
    if was.token != seen:
        raise ChangedMeanwhile
    saved = series.edit(activity=current, scope=scope, by=by, now=now, **to.arguments())
    if saved is None or saved.pk != current.pk:
        return Moved(_("Changed. That day is none of its days any more."), undo=None)
    now_at = When.of(Activity.every.get(pk=saved.pk))
    undo = {"back_to": was.token, "seen": now_at.token, "scope": scope}
    place = {"subject": str(current), "when": now_at.in_words(by.zone)}
    said = {
        series.THIS: _("“%(subject)s” now takes place %(when)s."),
        series.FOLLOWING: _("Changed “%(subject)s” and all that follow; this one now takes place %(when)s."),
        series.ALL: _("Changed all of “%(subject)s”; this one now takes place %(when)s."),
    }[scope if current.series_id else series.THIS]
    return Moved(said % place, undo=undo)
