"""
What people do with a repeating activity: with one occurrence, with it and all that follow, or with all (R15).

Each service asks for its scope. "This" is what `activities.services` does with any activity. "All" changes the head of
the series, and the occurrences follow. "This and following" makes a series of its own of that part first.
"""

from __future__ import annotations

import copy
import re
import uuid
import zoneinfo
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Profile
from activities import recurrence, services
from activities.models import Activity, FieldChange, Participant, Series
from activities.recurrence import Pattern
from activities.series.occurrences import (
    FOLLOWED,
    FROM_THE_FIRST,
    TEMPLATE,
    column,
    follow,
    follow_participant,
    follow_people,
    follow_response,
    has_local_work,
    lay_out,
    lay_out_locked,
    length_of,
    locked,
    locked_head,
    occurrences_of,
    original_of,
    original_start_of,
    pattern_of,
    put,
    put_tags_on,
    re_place,
    same_person,
    series_of,
    skip,
    skipped_in,
    when_columns,
)
from activities.services import UnableToChange
from activities.signals import asks_why_not_divisible, occurrences_left, series_ended, series_made, series_split

THIS, FOLLOWING, ALL = SCOPES = ("this", "following", "all")


@transaction.atomic
def create(
    *,
    by: Profile,
    subject: str,
    lines: Iterable[str],
    now: datetime,
    laid_out_from: datetime | None = None,
    time_zone: str | None = None,
    **values: Any,
) -> Activity:
    """
    Make a series as `services.create` makes an activity, and lay it out. Returns its head.

    `lines` are those of RFC 5545. The first occurrence is the one of `start`, or the first of `days`, or where that
    does not fit the rule (Tuesdays, from a Monday on) the next one that does.

    :raises UnableToChange: if the rule cannot be read, or due is before start.
    """
    time_zone = time_zone or by.time_zone
    scratch = Activity(time_zone=time_zone)
    when = {name: values.pop(name, None) for name in ("start", "due", "days")}
    services.change_when(scratch, time_zone=None, **when)
    pattern = _fitting(scratch, lines=lines)
    values |= _when_arguments(scratch)
    first = pattern.first
    series = Series.objects.create(
        recurrence=list(pattern.lines), time_zone=time_zone, first_start=original_of(first), laid_out_from=laid_out_from
    )
    head = services.create(by=by, subject=subject, now=now, series=series, is_series=True, **values)
    lay_out(series, now=now)
    return head


@transaction.atomic
def edit(
    *,
    activity: Activity,
    scope: str,
    by: Profile,
    now: datetime,
    lines: Iterable[str] | None = None,
    start: datetime | None = None,
    due: datetime | None = None,
    days: tuple[date, date] | None = None,
    time_zone: str | None = None,
    **values: Any,
) -> Activity | None:
    """
    Change an occurrence, it and all that follow, or all, as `services.edit` changes an activity.

    The times are those of this occurrence: the others move by as much, by the clock on the wall. `lines` say how it
    repeats from now on; without them the rule moves along with the days. What somebody gave another occurrence by
    itself stays there. Results, and that it is completed or in progress, are of this occurrence alone. Returns the
    occurrence, or what stands in for it if the new rule has no such day any more.

    :raises UnableToChange: if due is before start, the rule cannot be read or moved like this, or what is synchronized
        is somebody else's to change (R6).
    """
    when: dict[str, Any] = {"start": start, "due": due, "days": days, "time_zone": time_zone}
    if not _is_of_more(activity, scope):
        if lines is not None:
            raise UnableToChange(_("How it repeats is nothing of one occurrence. Choose this and following, or all."))
        return services.edit(activity=activity, by=by, now=now, **when, **values)
    head, occurrence = _locked_pair(activity)
    own = {name: values.pop(name) for name in _own_names(values)}
    wanted = _wanted_when(occurrence, **when)
    rows = occurrences_of(series_of(head))
    if scope == FOLLOWING:
        at = original_start_of(occurrence)
        if wanted or lines is not None or _concerns_google(head, values, by=by):
            _refuse_foreign(head, by=by)
            head = _split(head, at=at, by=by, now=now)
            rows = occurrences_of(series_of(head))
        else:
            rows = rows.filter(original_start__gte=at)
    _edit_series(head, occurrence, wanted, rows=rows, lines=lines, values=values, by=by, now=now)
    return _edit_occurrence(occurrence, wanted, values=values, own=own, series=series_of(head), by=by, now=now)


def set_status(
    *,
    activity: Activity,
    scope: str,
    by: Profile,
    status: str,
    now: datetime,
    result: str = "",
    result_details: str = "",
) -> Activity | None:
    """
    Complete, cancel or reopen; only what is canceled or reopened can be more than this one occurrence.

    :raises UnableToChange: if canceling, or taking it back, is the Organizer's alone (R6).
    """
    return edit(
        activity=activity, scope=scope, by=by, now=now, status=status, result=result, result_details=result_details
    )


@transaction.atomic
def delete(*, activity: Activity, scope: str, by: Profile, now: datetime) -> None:
    """
    Put an occurrence, it and all that follow, or all out of sight; restored within 30 days they are back (R14).

    What is more than one occurrence is restored as one, by its head.

    :raises UnableToChange: if it is somebody else's to delete.
    """
    if not _is_of_more(activity, scope):
        services.delete(activity=activity, by=by, now=now)
        return
    head, occurrence = _locked_pair(activity)
    if reason := services.why_not_deletable(activity=head, profile=by):
        raise UnableToChange(reason)
    if scope == FOLLOWING:
        head = _split(head, at=original_start_of(occurrence), by=by, now=now)
    _put_out_of_sight(head, by=by, now=now)
    services.announce(head, by=by)


@transaction.atomic
def restore(*, head: Activity, by: Profile, now: datetime) -> None:
    """
    Bring a deleted series back, with the occurrences that went with it.

    :raises UnableToChange: if it is somebody else's to delete, and so to restore.
    """
    head = locked_head(series_of(head))
    if reason := services.why_not_deletable(activity=head, profile=by):
        raise UnableToChange(reason)
    if head.deleted_at is None:
        return
    rows = occurrences_of(series_of(head)).filter(deleted_at=head.deleted_at)
    rows.update(deleted_at=None, modified_at=timezone.now())
    head.deleted_at = None
    head.save(update_fields=["deleted_at", "modified_at"])
    lay_out_locked(head, now=now)
    FieldChange.objects.create(activity=head, field="restored", by=by, at=now)
    services.announce(head, by=by)


@transaction.atomic
def respond(*, activity: Activity, scope: str, profile: Profile, response: str, now: datetime) -> None:
    """
    Give a participant's own answer to an occurrence, to it and all that follow, or to all not answered otherwise.

    :raises UnableToChange: if they take no part, or the series is not theirs to split.
    """
    if not _is_of_more(activity, scope):
        services.respond(activity=activity, profile=profile, response=response, now=now)
        return
    head, occurrence = _locked_pair(activity)
    if scope == FOLLOWING:
        if services.why_read_only(activity=head, profile=profile):
            raise UnableToChange(_("Answer for this occurrence or for all: only the Organizer can split the series."))
        head = _split(head, at=original_start_of(occurrence), by=profile, now=now)
    person = Participant.objects.filter(activity=head, profile=profile).first()
    if person is not None:
        services.respond(activity=head, profile=profile, response=response, now=now)
        follow_response(head, profile_id=profile.pk, before=person.response)
    here = Participant.objects.filter(activity=occurrence, profile=profile).first()
    if here is None or here.response != response:  # It was answered otherwise, or they take part in this one alone.
        services.respond(activity=occurrence, profile=profile, response=response, now=now)


@transaction.atomic
def set_reminder(*, activity: Activity, scope: str, profile: Profile, minutes: int | None, now: datetime) -> None:
    """
    Set a participant's own reminder for an occurrence, for it and all that follow, or for all.

    The Organizer's goes to Google (R10): from here on alone, it takes a series of its own.

    :raises UnableToChange: if they take no part.
    """
    if not _is_of_more(activity, scope):
        services.set_reminder(activity=activity, profile=profile, minutes=minutes, now=now)
        return
    head, occurrence = _locked_pair(activity)
    if scope == FOLLOWING and head.organizer_id != profile.pk:
        following = occurrences_of(series_of(head)).filter(original_start__gte=original_start_of(occurrence))
        theirs = Participant.objects.filter(activity__in=following.values("pk"), profile=profile)
        theirs.update(reminder_minutes=minutes)
        return
    if scope == FOLLOWING:
        head = _split(head, at=original_start_of(occurrence), by=profile, now=now)
    person = Participant.objects.filter(activity=head, profile=profile).first()
    if person is not None:
        services.set_reminder(activity=head, profile=profile, minutes=minutes, now=now)
        follow_participant(head, profile_id=profile.pk, before={"reminder_minutes": person.reminder_minutes})
    services.set_reminder(activity=occurrence, profile=profile, minutes=minutes, now=now)


@transaction.atomic
def add_participant(*, activity: Activity, scope: str, profile: Profile, by: Profile, now: datetime) -> None:
    """
    Let somebody take part in an occurrence, in it and all that follow, or in all. They see them at once (R8).

    :raises UnableToChange: if the participants are somebody else's to change (R6).
    """
    if not _is_of_more(activity, scope):
        services.add_participant(activity=activity, profile=profile, by=by, now=now)
        return
    head = _to_change(activity, scope=scope, by=by, now=now)
    services.add_participant(activity=head, profile=profile, by=by, now=now)
    follow_people(head, added=Participant.objects.filter(activity=head, profile=profile))


@transaction.atomic
def remove_participant(*, activity: Activity, scope: str, profile: Profile, by: Profile, now: datetime) -> None:
    """
    Take somebody off an occurrence, it and all that follow, or all; who owns one of them stays in that one.

    :raises UnableToChange: if it is the Organizer or the Owner, or the participants are somebody else's to change (R6).
    """
    if not _is_of_more(activity, scope):
        services.remove_participant(activity=activity, profile=profile, by=by, now=now)
        return
    head = _to_change(activity, scope=scope, by=by, now=now)
    services.remove_participant(activity=head, profile=profile, by=by, now=now)
    follow_people(head, removed=[profile.pk])
    left = Participant.objects.filter(activity=activity, profile=profile)
    if left and not services.why_not_removable(activity=Activity.every.get(pk=activity.pk), profile=profile):
        services.remove_participant(activity=activity, profile=profile, by=by, now=now)


@transaction.atomic
def repeat(*, activity: Activity, lines: Iterable[str], by: Profile, now: datetime) -> Activity:
    """
    Let a single activity repeat: it becomes the first occurrence. Returns the head of the series.

    Status and result stay the occurrence's. Where it does not fit the rule, it moves to the first day that does.

    :raises UnableToChange: if it repeats already, the rule cannot be read, or it is somebody else's to change (R6).
    """
    activity = Activity.every.locked().get(pk=activity.pk)
    if activity.series_id:
        raise UnableToChange(_("This activity repeats already."))
    _refuse_foreign(activity, by=by)
    before = services.field_values(activity)
    head = turn_into_series(activity, pattern=_fitting(activity, lines=lines), now=now)
    _log_when(head, before=before, by=by, now=now)
    services.announce(head, by=by)
    return head


@transaction.atomic
def turn_into_series(activity: Activity, *, pattern: Pattern, now: datetime) -> Activity:
    """
    Let a single activity, locked, be the first occurrence of a series. Returns the head; nothing of it is announced.

    :raises UnreadableRule: if the rule cannot be read.
    """
    recurrence.check(pattern)
    series = Series.objects.create(
        recurrence=list(pattern.lines),
        time_zone=activity.time_zone,
        first_start=original_of(pattern.first),
        laid_out_from=FROM_THE_FIRST,
    )
    head = _head_like(activity, series=series)
    head.status = Activity.Status.NOT_STARTED
    head.uid, activity.uid = activity.uid, head.uid  # What is known elsewhere is the whole from now on (R9).
    activity.series, activity.original_start = series, original_of(pattern.first)
    activity.save()
    _save_head(head, like=activity)
    own = ("status", "result", "result_details", "response")
    FieldChange.objects.filter(activity=activity).exclude(field__in=own).update(activity=head)
    lay_out_locked(head, now=now)
    series_made.send(sender=Activity, head=head, occurrence=activity)
    return head


@transaction.atomic
def stop_repeating(*, activity: Activity, by: Profile, now: datetime) -> Activity:
    """
    Let one occurrence stay as a single activity; all others leave. Returns it.

    The others can be restored for 30 days, as a series (R14). Those with local work stay by themselves.

    :raises UnableToChange: if it is somebody else's to change (R6).
    """
    head, occurrence = _locked_pair(activity)
    _refuse_foreign(head, by=by)
    before = services.field_values(head)
    occurrence, left = turn_into_single(head, keeping=occurrence, by=by, now=now)
    after = services.field_values(occurrence)
    services.log(occurrence, before={"when": before["when"]}, after={"when": after["when"]}, by=by, now=now)
    for row in (head, occurrence, *left):
        services.announce(row, by=by)
    return occurrence


@transaction.atomic
def turn_into_single(
    head: Activity, *, keeping: Activity, by: Profile | None, now: datetime
) -> tuple[Activity, list[Activity]]:
    """
    Let an occurrence stay as a single activity, and put the rest of its series out of sight. Both are locked.

    Returns it, and those others that stay by themselves because of local work. Nothing of it is announced.
    """
    series, occurrence = series_of(head), keeping
    others = locked(occurrences_of(series).exclude(pk=occurrence.pk).filter(deleted_at=None))
    staying = has_local_work(others)
    alone = [row for row in others if row.pk in staying]
    skip(series, originals=[original_start_of(row) for row in (occurrence, *alone)])
    Activity.every.filter(pk__in=[row.pk for row in (occurrence, *alone)]).update(
        series=None, original_start=None, modified_at=timezone.now()
    )
    known = head.uid
    Activity.every.filter(pk=head.pk).update(uid=uuid.uuid4())
    Activity.every.filter(pk=occurrence.pk).update(uid=known)
    occurrence = Activity.every.get(pk=occurrence.pk)
    copy_changes(head, to=occurrence)
    _put_out_of_sight(head, by=by, now=now)
    head.refresh_from_db()
    left = list(Activity.every.filter(pk__in=staying))
    if left:
        occurrences_left.send(sender=Activity, head=head, activities=left)
    series_ended.send(sender=Activity, head=head, activity=occurrence)
    return occurrence, left


def _is_of_more(activity: Activity, scope: str) -> bool:
    """Whether the change is of more than this one activity."""
    if scope not in SCOPES:
        raise ValueError(f"“{scope}” is no part of a series.")
    return scope != THIS and activity.series_id is not None


def _locked_pair(activity: Activity) -> tuple[Activity, Activity]:
    """
    Lock the head of an occurrence's series, then the occurrence, and return both as they are now.

    :raises UnableToChange: if it has left its series meanwhile.
    """
    seen = Activity.every.filter(pk=activity.pk, is_series=False).select_related("series").first()
    if seen is None or seen.series is None:
        raise UnableToChange(_("This activity does not repeat any more. Load the page again."))
    head = locked_head(seen.series)
    locked(occurrences_of(seen.series))
    occurrence = Activity.every.locked().filter(pk=activity.pk, series=seen.series).first()
    if occurrence is None:
        raise UnableToChange(_("Somebody has changed this series in this very moment. Load the page again."))
    return head, occurrence


def _to_change(activity: Activity, *, scope: str, by: Profile, now: datetime) -> Activity:
    """
    Return the head of what to change: of the series, or of the part that begins with this occurrence.

    :raises UnableToChange: if it is somebody else's to change (R6).
    """
    head, occurrence = _locked_pair(activity)
    _refuse_foreign(head, by=by)
    return _split(head, at=original_start_of(occurrence), by=by, now=now) if scope == FOLLOWING else head


def _refuse_foreign(activity: Activity, *, by: Profile) -> None:
    """:raises UnableToChange: if it is somebody else's to change (R6)."""
    if reason := services.why_read_only(activity=activity, profile=by):
        raise UnableToChange(reason)


# Editing several


def _own_names(values: Mapping[str, Any]) -> list[str]:
    """Return which of these are of one occurrence alone: how it went."""
    in_hand = (Activity.Status.COMPLETED, Activity.Status.IN_PROGRESS)
    names = {"result", "result_details"} | ({"status"} if values.get("status") in in_hand else set())
    return [name for name in values if name in names]


def _concerns_google(head: Activity, values: Mapping[str, Any], *, by: Profile) -> bool:
    """Whether some occurrences of a series cannot have these values in Google unless they are a series of their own."""
    changed = {name for name, value in values.items() if getattr(head, name) != value}
    if changed & {*services.SYNCHRONIZED_FIELDS, "status"}:
        return True
    new = {values[role] for role in ("owner", "reporter") if role in changed} - {None}
    new -= {person.profile for person in head.participants.select_related("profile")}
    return bool(new) and services.why_read_only(activity=head, profile=by) is None  # They become participants.


def _wanted_when(occurrence: Activity, **when: Any) -> Activity | None:
    """Return the occurrence as a person wants it to take place, not saved; None if that is when it does."""
    if not any(when.values()):
        return None
    wanted = copy.copy(occurrence)
    services.change_when(wanted, **when)
    return wanted if when_columns(wanted) != when_columns(occurrence) else None


def _edit_series(
    head: Activity,
    occurrence: Activity,
    wanted: Activity | None,
    *,
    rows: QuerySet[Activity],
    lines: Iterable[str] | None,
    values: Mapping[str, Any],
    by: Profile,
    now: datetime,
) -> None:
    """Change the head, and let these occurrences follow."""
    series = series_of(head)
    old, columns = pattern_of(head), when_columns(head)
    before = {name: getattr(head, column(name)) for name in FOLLOWED}
    status, people = head.status, set(head.participants.values_list("profile_id", flat=True))
    moved, new_lines = _moved(head, occurrence, wanted, lines=lines)
    head = services.edit(activity=head, by=by, now=now, lines=new_lines, **_when_arguments(moved, of=head), **values)
    head.series = series
    of_all = [name for name in FOLLOWED if name in services.OF_THE_SERIES]
    follow(head, before=before, names=of_all)
    follow(head, before=before, names=set(FOLLOWED) - set(of_all), rows=rows)
    added = Participant.objects.filter(activity=head).exclude(profile__in=people)
    follow_people(head, added=added, rows=rows)
    if head.status != status:
        _follow_status(head, before=status, now=now)
    if moved is not None:
        _tell_who_left(head, re_place(series, old=old, old_columns=columns, now=now), by=by)


def _edit_occurrence(
    occurrence: Activity,
    wanted: Activity | None,
    *,
    values: Mapping[str, Any],
    own: Mapping[str, Any],
    series: Series,
    by: Profile,
    now: datetime,
) -> Activity | None:
    """
    Give the occurrence on which somebody changed all what it does not have from its series.

    What it had of its own before counts no more in what was changed.
    """
    here = Activity.every.filter(pk=occurrence.pk).first()
    if here is None:
        return _nearest(series, occurrence)
    left = {name: value for name, value in values.items() if getattr(here, name) != value} | dict(own)
    if wanted is not None and here.original_start and not _is_where_its_rule_says(here, wanted):
        left |= _when_arguments(wanted)
    return services.edit(activity=here, by=by, now=now, **left) if left else here


def _is_where_its_rule_says(here: Activity, wanted: Activity) -> bool:
    """Whether an occurrence was moved along with its series, or is where it is wanted anyway."""
    original = original_start_of(here)
    follows = here.start_date == original.date() if here.all_day else here.start == original
    return follows or when_columns(here) == when_columns(wanted)


def _nearest(series: Series, gone: Activity) -> Activity | None:
    present = Activity.objects.present().filter(series=series)
    later = present.filter(start__gte=gone.start).order_by("start").first()
    return later or present.order_by("-start").first()


def _moved(
    head: Activity, occurrence: Activity, wanted: Activity | None, *, lines: Iterable[str] | None
) -> tuple[Activity | None, list[str] | None]:
    """
    Return the head at its new time, not saved, and the new rule; both None if the series takes place as before.

    :raises UnableToChange: if the rule cannot be read, or is too particular to be moved.
    """
    if wanted is None and lines is None:
        return None, None
    moved = copy.copy(head)
    if wanted is not None:
        _move_along(moved, occurrence, wanted)
    old = pattern_of(head)
    if lines is None:
        try:
            return moved, list(recurrence.moved(old, first=_first_of(moved), time_zone=moved.time_zone))
        except (recurrence.UnableToMove, recurrence.UnreadableRule) as error:
            advice = _("Move this occurrence alone, or say how it repeats from now on.")
            raise UnableToChange(f"{error} {advice}") from error
    lines = [*lines, *(line for line in old.lines if line.upper().startswith("EXDATE"))]
    return moved, list(_fitting(moved, lines=lines).lines)


def _move_along(head: Activity, occurrence: Activity, wanted: Activity) -> None:
    """Move the head by what an occurrence moves, by the clock on the wall; it is not saved."""
    was, will = _local(occurrence), _local(wanted)
    begins = _local(head)
    head.time_zone = wanted.time_zone if wanted.time_zone != occurrence.time_zone else head.time_zone
    are_alike = occurrence.all_day == wanted.all_day
    lengths = length_of(when_columns(occurrence)), length_of(when_columns(wanted))
    keeps_length = are_alike and head.all_day == wanted.all_day and lengths[0] == lengths[1]
    length = length_of(when_columns(head)) if keeps_length else lengths[1]
    if wanted.all_day:
        first = begins.date() + (will.date() - was.date())
        head.set_days(first=first, last=first + length)
        return
    if are_alike and not head.all_day:
        begins += will - was
    else:
        begins = datetime.combine(begins.date() + (will.date() - was.date()), will.time())
    start = begins.replace(tzinfo=zoneinfo.ZoneInfo(head.time_zone)).astimezone(UTC)
    head.set_times(start=start, due=start + length)


def _local(activity: Activity) -> datetime:
    """Return when it begins by the clock on the wall of its zone, without the zone."""
    if activity.all_day and activity.start_date:
        return datetime.combine(activity.start_date, time.min)
    return activity.start.astimezone(zoneinfo.ZoneInfo(activity.time_zone)).replace(tzinfo=None)


def _first_of(activity: Activity) -> date | datetime:
    return activity.start_date if activity.all_day and activity.start_date else activity.start


def _when_arguments(activity: Activity | None, *, of: Activity | None = None) -> dict[str, Any]:
    """Return what `services.edit` takes for this "when"; nothing if it is the one of `of`."""
    if activity is None or (of is not None and when_columns(activity) == when_columns(of)):
        return {}
    if activity.all_day:
        return {"days": (activity.start_date, activity.due_date), "time_zone": activity.time_zone}
    return {"start": activity.start, "due": activity.due, "time_zone": activity.time_zone}


def _fitting(activity: Activity, *, lines: Iterable[str]) -> Pattern:
    """
    Return when a series with this rule takes place, and move the activity, not saved, to its first occurrence.

    Where it stands that may not fit: for Tuesdays from a Monday on, the first occurrence is the Tuesday.

    :raises UnableToChange: if the rule cannot be read.
    """
    pattern = Pattern(first=_first_of(activity), time_zone=activity.time_zone, lines=tuple(lines))
    try:
        recurrence.check(pattern)
        first = _first_that_fits(pattern)
    except recurrence.UnreadableRule as error:
        raise UnableToChange(str(error)) from error
    if original_of(first) == original_of(pattern.first):
        return pattern
    length = length_of(when_columns(activity))
    put(activity, original_of(first), all_day=activity.all_day, length=length)
    return Pattern(first=first, time_zone=pattern.time_zone, lines=pattern.lines)


def _first_that_fits(pattern: Pattern) -> date | datetime:
    """Return the first start that a rule itself asks for; a series of several rules or of dates begins as it says."""
    rules = [line for line in pattern.lines if not line.upper().startswith("EXDATE")]
    if len(rules) != 1 or not rules[0].upper().startswith("RRULE"):
        return pattern.first
    once = re.sub(r";?(COUNT|UNTIL)=[^;]*", "", rules[0], flags=re.IGNORECASE) + ";COUNT=1"
    # The first start is an occurrence in any case; where it does not fit, the one that does is a second.
    hits = list(recurrence.starts(Pattern(pattern.first, pattern.time_zone, (once,))))
    if not recurrence.happens_at(pattern, hits[-1]):  # It ends before.
        return pattern.first
    return hits[-1] if isinstance(pattern.first, datetime) else hits[-1].date()


def _follow_status(head: Activity, *, before: str, now: datetime) -> None:
    """
    Let occurrences be canceled with their series, but those completed; and come back with it.

    One that somebody canceled by itself stays canceled.
    """
    rows, canceled = occurrences_of(series_of(head)), Activity.Status.CANCELED
    if head.status == canceled:
        rows.exclude(status=Activity.Status.COMPLETED).update(status=canceled, modified_at=timezone.now())
    elif before == canceled:
        by_itself = FieldChange.objects.filter(activity=OuterRef("pk"), field="status", after=canceled)
        rows = rows.filter(status=canceled).exclude(Exists(by_itself))
        rows.update(status=head.status, result="", result_details="", modified_at=timezone.now())
        lay_out_locked(locked_head(series_of(head)), now=now)


# Splitting, ending


def _split(head: Activity, *, at: datetime, by: Profile, now: datetime) -> Activity:
    """
    Let the occurrences from an original start on be a series of their own, with their local work. Returns its head.

    Where nothing happens before, that is the series itself. It is locked, and its rights were asked for.

    :raises UnableToChange: if its rule cannot be divided there, or it is kept elsewhere by somebody else (R6).
    """
    series, pattern, before = series_of(head), pattern_of(head), services.field_values(head)
    try:
        earlier = sum(1 for _ in recurrence.starts(pattern, before=at))
        if not earlier:
            return head
        if reason := _why_not_divisible(head, by=by):
            raise UnableToChange(reason)
        old_lines, new_lines = recurrence.before_cut(pattern, at=at), recurrence.from_cut(pattern, at=at)
    except (recurrence.UnreadableRule, recurrence.UnableToMove) as error:
        raise UnableToChange(f"{error} {_('Choose this occurrence or all.')}") from error
    part = Series.objects.create(
        recurrence=list(new_lines),
        time_zone=series.time_zone,
        first_start=at,
        laid_out_from=series.laid_out_from,
        laid_out_until=series.laid_out_until,
        split_from=series,
        split_after=earlier,
        skipped=[original.isoformat() for original in skipped_in(series) if original >= at],
    )
    new_head = _head_like(head, series=part)
    put(new_head, at, all_day=head.all_day, length=length_of(when_columns(head)))
    _save_head(new_head, like=head)
    copy_changes(head, to=new_head)
    rows = occurrences_of(series).filter(original_start__gte=at)
    moved = list(rows.order_by("pk").values_list("pk", flat=True))
    rows.update(series=part, modified_at=timezone.now())
    series.recurrence = list(old_lines)
    series.skipped = [original.isoformat() for original in skipped_in(series) if original < at]
    lay_out_locked(head, now=now)
    _log_when(head, before=before, by=by, now=now)
    series_split.send(sender=Activity, head=head, new_head=new_head, moved=moved)
    services.announce(head, by=by)
    services.announce(new_head, by=by)
    return new_head


def _why_not_divisible(head: Activity, *, by: Profile) -> str | None:
    answers = asks_why_not_divisible.send(sender=Activity, head=head, profile=by)
    return next((str(answer) for _receiver, answer in answers if answer), None)


def _tell_who_left(head: Activity, left: list[Activity], *, by: Profile) -> None:
    if left:
        occurrences_left.send(sender=Activity, head=head, activities=left)
    for row in left:
        services.announce(row, by=by)


def _put_out_of_sight(head: Activity, *, by: Profile | None, now: datetime) -> None:
    """Delete a series: what goes with it comes back with it."""
    rows = occurrences_of(series_of(head)).filter(deleted_at=None)
    rows.update(deleted_at=now, modified_at=timezone.now())
    head.deleted_at = now
    head.save(update_fields=["deleted_at", "modified_at"])
    FieldChange.objects.create(activity=head, field="deleted", by=by, at=now)


def _head_like(activity: Activity, *, series: Series) -> Activity:
    """Return a head, not saved, that has what this activity has."""
    head = Activity(series=series, is_series=True, **{name: getattr(activity, name) for name in TEMPLATE})
    for name, value in when_columns(activity).items():
        setattr(head, name, value)
    return head


def _save_head(head: Activity, *, like: Activity) -> None:
    """Save a new head, with the people and tags of another activity."""
    head.save()
    people = Participant.objects.filter(activity=like)
    Participant.objects.bulk_create(same_person(person, head.pk) for person in people)
    put_tags_on([head.pk], tags=like.tags.values_list("pk", flat=True))


def copy_changes(activity: Activity, *, to: Activity) -> None:
    """Let the log of one activity be that of another as well."""
    changes = list(FieldChange.objects.filter(activity=activity).order_by("at", "pk"))
    for change in changes:
        change.pk, change.activity = None, to
    FieldChange.objects.bulk_create(changes)


def _log_when(head: Activity, *, before: Mapping[str, Any], by: Profile, now: datetime) -> None:
    after = services.field_values(head)["when"]
    services.log(head, before={"when": before["when"]}, after={"when": after}, by=by, now=now)
