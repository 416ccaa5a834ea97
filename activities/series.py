"""
Repeating activities: their occurrences, and what people do with one of them, with it and all that follow, or with all.

The head of a series is what all occurrences have in common (R15). An occurrence whose field still equals what the head
held follows the head's change; what is its own stays. Whatever touches a whole series is a handful of statements, one
or five hundred occurrences alike, and locks the head before it locks occurrences.
"""

from __future__ import annotations

import copy
import logging
import re
import uuid
import zoneinfo
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from dateutil.relativedelta import relativedelta
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Profile
from activities import recurrence, services
from activities.models import Activity, FieldChange, Participant, Series, bounds_of_days
from activities.recurrence import Pattern
from activities.services import UnableToChange
from activities.signals import occurrences_left, series_ended, series_made, series_split

logger = logging.getLogger(__name__)

HORIZON_MONTHS = 13
THIS, FOLLOWING, ALL = SCOPES = ("this", "following", "all")
MOST = 500  # Occurrences of one series that are laid out at once.
FROM_THE_FIRST = datetime(services.FIRST_YEAR, 1, 1, tzinfo=UTC)  # As `laid_out_from`: nothing is left out.
_SLACK = timedelta(days=40)  # Farther no occurrence is moved by a change of zone or of the day of the month.

# What an occurrence takes over from the head when it is laid out; when it takes place comes from the rule.
_TEMPLATE = (
    "subject", "kind", "category", "status", "priority", "owner_id", "reporter_id", "organizer_id", "google_organizer",
    "show_in_calendar", "made_in_google", "location", "notes", "is_private", "show_as_free", "join_link",
    "other_guests", "google_read_only_reason", "time_zone",
)  # fmt: skip
# What follows the head when it changes there.
FOLLOWED = (
    "subject", "kind", "category", "priority", "owner", "reporter", "organizer", "google_organizer", "show_in_calendar",
    "made_in_google", "location", "notes", "is_private", "show_as_free", "join_link", "other_guests",
    "google_read_only_reason",
)  # fmt: skip
_OF_PARTICIPANTS = ("response", "displayed", "address", "reminder_minutes")
_WHEN = ("start", "due", "all_day", "start_date", "due_date", "time_zone")


# --- The rule ----------------------------------------------------------------------------------------------------


def pattern_of(head: Activity) -> Pattern:
    """Return when a series takes place: first occurrence and zone are the head's."""
    first = head.start_date if head.all_day and head.start_date else head.start
    return Pattern(first=first, time_zone=head.time_zone, lines=tuple(_series_of(head).recurrence))


def horizon(*, now: datetime) -> datetime:
    """Return up to when occurrences are laid out."""
    return now + relativedelta(months=HORIZON_MONTHS)


def original_of(first: date | datetime) -> datetime:
    """Return the original start of the occurrence that begins then: UTC, of a day its midnight in UTC."""
    if isinstance(first, datetime):
        return first.astimezone(UTC)
    return datetime.combine(first, time.min, tzinfo=UTC)


def length_of(columns: Mapping[str, Any]) -> timedelta:
    """Return how long it takes; of an all-day one, how many days after its first the last one is."""
    if columns["all_day"]:
        return columns["due_date"] - columns["start_date"]
    return columns["due"] - columns["start"]


def when_columns(activity: Activity) -> dict[str, Any]:
    """Return the columns that say when an activity takes place."""
    return {name: getattr(activity, name) for name in _WHEN}


def occurrences_of(series: Series) -> QuerySet[Activity]:
    """Return all occurrences, deleted ones included."""
    return Activity.every.filter(series=series, is_series=False)


def occurrence_to_show(series: Series, *, now: datetime) -> Activity | None:
    """Return the occurrence that stands for the series on a page: the next one, or else the latest."""
    present = Activity.objects.present().filter(series=series)
    return present.filter(due__gte=now).order_by("start").first() or present.order_by("-start").first()


# --- Laying out --------------------------------------------------------------------------------------------------


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
def lay_out(series: Series, *, now: datetime, after: datetime | None = None) -> list[Activity]:
    """
    Make the occurrences that are missing, and return them. Doing it again makes none.

    They end after `after`, or after what was asked for before if that is earlier, and start within the horizon; there
    are at most MOST, the upcoming ones first, and the next one in any case. `series` has to be saved.

    :raises UnreadableRule: if the rule cannot be read.
    """
    head = _locked_head(series)
    if after is not None or series.laid_out_from is None:
        series.laid_out_from = min(after or FROM_THE_FIRST, series.laid_out_from or after or FROM_THE_FIRST)
    return _lay_out(head, now=now)


def _lay_out(head: Activity, *, now: datetime) -> list[Activity]:
    """Lay out a series from where it says on; it is saved, the head is locked."""
    series, made = _series_of(head), []
    if series.laid_out_from and not head.deleted_at and head.status != Activity.Status.CANCELED:
        pattern, until = pattern_of(head), horizon(now=now)
        wanted, is_complete = _wanted(head, pattern, since=series.laid_out_from, until=until, now=now)
        made = _make(head, wanted)
        series.laid_out_until = None if is_complete else until
    series.save()
    return made


@transaction.atomic
def lay_out_these(series: Series, *, originals: Iterable[datetime], now: datetime) -> list[Activity]:
    """Make just these occurrences, wherever they lie, if they are missing; they are no longer skipped."""
    head = _locked_head(series)
    wanted = set(originals)
    series.skipped = [text for text in series.skipped if datetime.fromisoformat(text) not in wanted]
    series.save(update_fields=["skipped"])
    return _make(head, sorted(wanted))


@transaction.atomic
def skip(series: Series, *, originals: Iterable[datetime]) -> None:
    """Let these occurrences never become activities. Those that already are stay."""
    _locked_head(series)
    series.skipped = sorted({*series.skipped, *(original.isoformat() for original in originals)})
    series.save(update_fields=["skipped"])


def extend_horizon(*, now: datetime, at_once: int = 50) -> int:
    """
    Lay out what has come within the horizon, of so many series; each is looked at once a day.

    It asks Google nothing: the rule is known. Returns how many occurrences were made.
    """
    alive = Activity.every.present().filter(series=OuterRef("pk"), is_series=True)
    due = Series.objects.filter(laid_out_until__lt=horizon(now=now) - timedelta(days=1)).filter(
        Exists(alive.exclude(status=Activity.Status.CANCELED))
    )
    made = 0
    for series in due.order_by("laid_out_until", "pk")[:at_once]:
        try:
            made += len(lay_out(series, now=now))
        except recurrence.UnreadableRule as error:
            logger.warning("Series %s is not laid out any further: %s", series.pk, error)
            Series.objects.filter(pk=series.pk).update(laid_out_until=horizon(now=now))  # Its turn comes tomorrow.
    return made


def _wanted(
    head: Activity, pattern: Pattern, *, since: datetime, until: datetime, now: datetime
) -> tuple[list[datetime], bool]:
    """Return the original starts to lay out, and whether these are all there will ever be."""
    length = length_of(when_columns(head))
    from_here = None if since <= FROM_THE_FIRST else since - length - timedelta(days=2)  # A day begins before UTC's.
    past: deque[datetime] = deque(maxlen=MOST)
    upcoming: list[datetime] = []
    is_complete = True
    for original in recurrence.starts(pattern, after=from_here):
        ends = _end_of(head, original, length)
        if ends <= now:
            if ends > since:
                past.append(original)
        elif upcoming and (original >= until or len(upcoming) >= MOST):
            is_complete = False
            break
        elif ends > since:
            upcoming.append(original)
    room = MOST - len(upcoming)
    return [*(list(past)[-room:] if room else []), *upcoming], is_complete


def _end_of(head: Activity, original: datetime, length: timedelta) -> datetime:
    if head.all_day:
        first = original.date()
        return bounds_of_days(first=first, last=first + length, time_zone=head.time_zone)[1]
    return original + max(length, timedelta(seconds=1))  # What takes no time has not ended when it starts.


def _make(head: Activity, originals: Iterable[datetime]) -> list[Activity]:
    """Make the occurrences of these that are not there yet, with everything they have from the head."""
    series = _series_of(head)
    there = {*_originals_of(series), *_skipped(series)}
    length = length_of(when_columns(head))
    made = [_occurrence(head, original, length) for original in originals if original not in there]
    if not made:
        return []
    Activity.every.bulk_create(made)
    people = list(Participant.objects.filter(activity=head))
    Participant.objects.bulk_create(_same_person(person, row.pk) for row in made for person in people)
    _put_tags_on([row.pk for row in made], tags=head.tags.values_list("pk", flat=True))
    return made


def _occurrence(head: Activity, original: datetime, length: timedelta) -> Activity:
    row = Activity(series=head.series, original_start=original, **{name: getattr(head, name) for name in _TEMPLATE})
    _put(row, original, all_day=head.all_day, length=length)
    return row


def _put(row: Activity, original: datetime, *, all_day: bool, length: timedelta) -> None:
    """Let an occurrence take place when its rule says."""
    if all_day:
        row.set_days(first=original.date(), last=original.date() + length)
    else:
        row.set_times(start=original, due=original + length)


def _same_person(person: Participant, activity_id: int) -> Participant:
    same = {name: getattr(person, name) for name in _OF_PARTICIPANTS}
    return Participant(activity_id=activity_id, profile_id=person.profile_id, **same)


def _put_tags_on(activity_ids: Collection[int], *, tags: Iterable[int]) -> None:
    through = Activity.tags.through
    rows = [through(activity_id=pk, tag_id=tag) for tag in tags for pk in activity_ids]
    through.objects.bulk_create(rows, ignore_conflicts=True)


# --- Following the head ------------------------------------------------------------------------------------------


def follow(
    head: Activity, *, before: Mapping[str, Any], names: Iterable[str], rows: QuerySet[Activity] | None = None
) -> int:
    """
    Let the occurrences whose value still is what the head's was take its new one. Returns how many values that were.

    `names` are those of FOLLOWED; people are given by id. When it takes place is `re_place`'s to change.
    """
    rows = occurrences_of(_series_of(head)) if rows is None else rows
    followed = 0
    for name in sorted(names):
        if name not in FOLLOWED:
            raise TypeError(f"“{name}” is nothing that an occurrence has from its series.")
        value = getattr(head, _column(name))
        if value != before[name]:
            same = rows.filter(**{name: before[name]})
            followed += same.update(**{name: value, "modified_at": timezone.now()})
    return followed


def follow_people(
    head: Activity,
    *,
    added: Iterable[Participant] = (),
    removed: Iterable[int] = (),
    rows: QuerySet[Activity] | None = None,
) -> None:
    """
    Let people take part in the occurrences as they do in the series, or no more. `removed` are profile ids.

    An occurrence's own Owner goes on taking part in it.
    """
    rows = occurrences_of(_series_of(head)) if rows is None else rows
    added, removed = list(added), list(removed)
    if removed:
        gone = Participant.objects.filter(activity__in=rows.values("pk"), profile__in=removed)
        owned = Activity.every.filter(pk=OuterRef("activity"), owner=OuterRef("profile"))
        gone.exclude(Exists(owned)).delete()
    if added:
        ids = list(rows.values_list("pk", flat=True))
        people = (_same_person(person, pk) for pk in ids for person in added)
        Participant.objects.bulk_create(people, ignore_conflicts=True)


def follow_participant(
    head: Activity, *, profile_id: int, before: Mapping[str, Any], rows: QuerySet[Activity] | None = None
) -> None:
    """
    Let what somebody has in the series (response, displayed, address, reminder) reach the occurrences.

    Where they have something else than `before`, it stays.
    """
    rows = occurrences_of(_series_of(head)) if rows is None else rows
    person = Participant.objects.filter(activity=head, profile=profile_id).first()
    if person is None:
        return
    theirs = Participant.objects.filter(activity__in=rows.values("pk"), profile=profile_id)
    for name in before:
        if getattr(person, name) != before[name]:
            theirs.filter(**{name: before[name]}).update(**{name: getattr(person, name)})


def follow_response(head: Activity, *, profile_id: int, before: str, rows: QuerySet[Activity] | None = None) -> None:
    """Let somebody's answer to the series be their answer to the occurrences they had not answered otherwise."""
    follow_participant(head, profile_id=profile_id, before={"response": before}, rows=rows)


def put_tags(head: Activity, *, tags: Iterable[int]) -> None:
    """Put tags, by id, on a series and all its occurrences: it is selected as a whole (R1)."""
    _put_tags_on(list(Activity.every.filter(series=head.series_id).values_list("pk", flat=True)), tags=list(tags))


def put_back(occurrence: Activity, *, head: Activity, names: Iterable[str]) -> None:
    """
    Let an occurrence be in these respects what its series says again: fields of FOLLOWED, "when" and "people".

    It is saved; nothing is logged or announced.
    """
    original = occurrence.original_start
    if original is None:
        raise TypeError("Only an occurrence has a series to go back to.")
    for name in names:
        if name == "when":
            occurrence.time_zone = head.time_zone
            _put(occurrence, original, all_day=head.all_day, length=length_of(when_columns(head)))
        elif name == "people":
            people = list(Participant.objects.filter(activity=head))
            row = Activity.every.filter(pk=occurrence.pk)
            others = Participant.objects.filter(activity=occurrence).exclude(
                profile__in=[person.profile_id for person in people]
            )
            follow_people(head, added=people, removed=list(others.values_list("profile_id", flat=True)), rows=row)
        elif name in FOLLOWED:
            column = _column(name)
            setattr(occurrence, column, getattr(head, column))
    occurrence.save()


# --- When the series takes place at other times --------------------------------------------------------------------


@transaction.atomic
def re_place(
    series: Series,
    *,
    old: Pattern,
    old_columns: Mapping[str, Any],
    now: datetime,
    rows: QuerySet[Activity] | None = None,
) -> list[Activity]:
    """
    Move the occurrences after the head's "when" or the rule changed, and make those that are missing.

    `old` and `old_columns` say when the head took place before. An occurrence becomes its counterpart under the new
    rule; one that somebody moved keeps its own time. Those the rule drops are erased. Returns the dropped ones that
    stay because of local work: ordinary activities from now on, without a series. Head and series have to be saved.
    """
    head = _locked_head(series)
    series.time_zone, new = head.time_zone, pattern_of(head)
    series.first_start = original_of(new.first)
    places = _Places(old=old, old_length=length_of(old_columns), head=head)
    found = _locked(occurrences_of(series) if rows is None else rows)
    others = set(occurrences_of(series).values_list("original_start", flat=True)) - {
        row.original_start for row in found
    }
    targets = places.targets([*(row.original_start for row in found), *_skipped(series)], now=now, taken=others)
    leaving = [row for row in found if row.original_start not in targets]
    places.put([row for row in found if row.original_start in targets], targets=targets)
    series.skipped = sorted(targets[original].isoformat() for original in _skipped(series) if original in targets)
    dropped = _drop(leaving)
    _lay_out(head, now=now)
    return dropped


@transaction.atomic
def move_occurrences(former: Activity, *, to: Activity, since: datetime, now: datetime) -> list[int]:
    """
    Let the occurrences of one series from a moment on become those of another, with their local work.

    Both are heads. `since` is the original start from which on, on that day, they leave. What an occurrence had from
    the old series it has from the new one, if both differ. Those without a counterpart there stay, as do those whose
    place is taken by one with local work. Do it before the rule of the old series is cut. Returns the moved ones' ids.
    """
    heads = Activity.every.locked().select_related("series").filter(pk__in=[former.pk, to.pk]).order_by("pk")
    by_pk = {head.pk: head for head in heads}
    former, to = by_pk[former.pk], by_pk[to.pk]
    for head in (former, to):
        _series_of(head).refresh_from_db()  # Somebody may have had the lock, and changed it.
    at_least = _begin_of_day(since, head=former)
    found = _locked(occurrences_of(_series_of(former)).filter(original_start__gte=at_least))
    skipped = [original for original in _skipped(_series_of(former)) if original >= at_least]
    if not found and not skipped:
        return []
    places = _Places(old=_pattern_from(former, found), old_length=length_of(when_columns(former)), head=to)
    there = {row.original_start: row for row in _locked(occurrences_of(_series_of(to)))}
    worked_on = has_local_work(list(there.values()))
    taken = {original for original, row in there.items() if original and row.pk in worked_on}
    targets = places.targets([*(row.original_start for row in found), *skipped], now=now, taken=taken)
    moving = [row for row in found if row.original_start in targets]
    replaced = {targets[row.original_start] for row in moving if row.original_start}
    _erase([there[original].pk for original in replaced & there.keys()])
    places.put(moving, targets=targets)
    _move_skipped(former, to, {original: targets[original] for original in skipped if original in targets})
    rows = Activity.every.filter(pk__in=[row.pk for row in moving])
    before = {name: getattr(former, _column(name)) for name in FOLLOWED}
    follow(to, before=before, names=FOLLOWED, rows=rows)
    _exchange_people(former, to, rows)
    _put_tags_on([row.pk for row in moving], tags=to.tags.values_list("pk", flat=True))
    return [row.pk for row in moving]


class _Places:
    """From when occurrences took place under an old rule to when they do under the one of a head."""

    def __init__(self, *, old: Pattern, old_length: timedelta, head: Activity) -> None:
        self.old, self.old_length, self.head = old, old_length, head
        self.new, self.length = pattern_of(head), length_of(when_columns(head))

    def targets(
        self, originals: Iterable[datetime | None], *, now: datetime, taken: Collection[datetime | None]
    ) -> dict[datetime, datetime]:
        """Return which original start each becomes, once only; those without any are left out."""
        originals = sorted({original for original in originals if original})
        if not originals:
            return {}
        after, before = originals[0] - _SLACK, max(originals[-1] + _SLACK, horizon(now=now))
        free = set(recurrence.starts(self.new, after=after, before=before)) - set(taken)
        targets = {original: original for original in originals if original in free}
        free -= targets.keys()
        for original in originals:
            if original in targets:
                continue
            target = recurrence.counterpart(original, old=self.old, new=self.new, candidates=free)
            if target is not None:
                targets[original] = target
                free.discard(target)
        return targets

    def put(self, rows: Sequence[Activity], *, targets: Mapping[datetime, datetime]) -> None:
        """Save the occurrences at their new places, and in the series of the head."""
        changed = [row for row in rows if self._put(row, targets)]
        if not changed:
            return
        # First out of the way: two occurrences cannot have the same original start, not even for a moment.
        Activity.every.filter(pk__in=[row.pk for row in changed]).update(
            original_start=None, series=self.head.series, modified_at=timezone.now()
        )
        # All of these rows are there: it updates them, several times as fast as `bulk_update` does.
        Activity.every.bulk_create(
            changed, update_conflicts=True, unique_fields=["id"], update_fields=["original_start", *_WHEN]
        )

    def _put(self, row: Activity, targets: Mapping[datetime, datetime]) -> bool:
        """Put one occurrence where it belongs; tell whether that is somewhere else than before."""
        before = (row.series_id, row.original_start, when_columns(row))
        original = row.original_start
        assert original is not None
        row.series, row.original_start = self.head.series, targets[original]
        if self._is_in_its_old_place(row, original):
            row.time_zone = self.head.time_zone
            _put(row, row.original_start, all_day=self.head.all_day, length=self.length)
        return before != (row.series_id, row.original_start, when_columns(row))

    def _is_in_its_old_place(self, row: Activity, original: datetime) -> bool:
        """Whether nobody moved this occurrence by itself."""
        if not isinstance(self.old.first, datetime):
            first = original.date()
            return row.all_day and (row.start_date, row.due_date) == (first, first + self.old_length)
        return not row.all_day and (row.start, row.due) == (original, original + self.old_length)


def has_local_work(rows: Collection[Activity]) -> set[int]:
    """
    Return the ids of the occurrences on which somebody here worked: what a person changed, and how it went (R15).

    Answers and reminders do not count, and neither does what was deleted.
    """
    rows = [row for row in rows if row.deleted_at is None]
    in_hand = (Activity.Status.COMPLETED, Activity.Status.IN_PROGRESS)
    found = {row.pk for row in rows if row.status in in_hand or row.result or row.result_details}
    edited = FieldChange.objects.filter(activity__in=[row.pk for row in rows], origin=FieldChange.Origin.PERSON)
    edited = edited.exclude(field__in=["created", "restored", "response", "reminder"])
    return found | set(edited.values_list("activity_id", flat=True))


def _drop(rows: Sequence[Activity]) -> list[Activity]:
    """Let occurrences leave their series: those with local work stay by themselves and are returned."""
    if not rows:
        return []
    staying = has_local_work(rows)
    _erase([row.pk for row in rows if row.pk not in staying])
    stay = [row for row in rows if row.pk in staying]
    if stay:
        Activity.every.filter(pk__in=staying).update(series=None, original_start=None, modified_at=timezone.now())
    for row in stay:
        row.series = row.original_start = None
    return stay


def _column(name: str) -> str:
    """Return the attribute of a field that holds what the database holds: of people, their id."""
    return f"{name}_id" if name in ("owner", "reporter", "organizer") else name


def _erase(ids: Collection[int]) -> None:
    if ids:
        Activity.every.filter(pk__in=ids).delete()


def _begin_of_day(moment: datetime, *, head: Activity) -> datetime:
    """Return when the day begins on which an occurrence of a series starts."""
    if head.all_day:
        return original_of(moment.astimezone(UTC).date())
    day = moment.astimezone(zoneinfo.ZoneInfo(head.time_zone)).date()
    return bounds_of_days(first=day, last=day, time_zone=head.time_zone)[0]


def _pattern_from(head: Activity, rows: Sequence[Activity]) -> Pattern:
    """Return a series' pattern as if it began with the earliest of these occurrences."""
    pattern = pattern_of(head)
    earliest = min((row.original_start for row in rows if row.original_start), default=None)
    if earliest is None:
        return pattern
    return Pattern(
        first=earliest.date() if head.all_day else earliest, time_zone=pattern.time_zone, lines=pattern.lines
    )


def _move_skipped(former: Activity, to: Activity, targets: Mapping[datetime, datetime]) -> None:
    if targets:
        skip(_series_of(to), originals=targets.values())


def _exchange_people(former: Activity, to: Activity, rows: QuerySet[Activity]) -> None:
    """Let those who take part in one series and not in the other come and go, and answers follow."""
    before = {person.profile_id: person for person in Participant.objects.filter(activity=former)}
    after = {person.profile_id: person for person in Participant.objects.filter(activity=to)}
    added = [person for pk, person in after.items() if pk not in before]
    follow_people(to, added=added, removed=before.keys() - after.keys(), rows=rows)
    for pk in before.keys() & after.keys():
        theirs = {name: getattr(before[pk], name) for name in _OF_PARTICIPANTS}
        if any(getattr(after[pk], name) != value for name, value in theirs.items()):
            follow_participant(to, profile_id=pk, before=theirs, rows=rows)


def _originals_of(series: Series) -> set[datetime | None]:
    return set(occurrences_of(series).values_list("original_start", flat=True))


def _skipped(series: Series) -> list[datetime]:
    return [datetime.fromisoformat(text) for text in series.skipped]


def _locked(rows: QuerySet[Activity]) -> list[Activity]:
    return list(Activity.every.locked().filter(pk__in=rows.values("pk")).order_by("pk"))


def _locked_head(series: Series) -> Activity:
    """Lock a series by its head, and read both as they are now: `series` itself as well."""
    head = Activity.every.locked().get(series=series.pk, is_series=True)
    series.refresh_from_db()
    head.series = series
    return head


def _series_of(head: Activity) -> Series:
    if head.series is None:
        raise TypeError("This activity does not repeat.")
    return head.series


# --- What people do ------------------------------------------------------------------------------------------------


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
    rows = occurrences_of(_series_of(head))
    if scope == FOLLOWING:
        at = _original_of(occurrence)
        if wanted or lines is not None or _concerns_google(head, values, by=by):
            _refuse_foreign(head, by=by)
            head = _split(head, at=at, by=by, now=now)
            rows = occurrences_of(_series_of(head))
        else:
            rows = rows.filter(original_start__gte=at)
    _edit_series(head, occurrence, wanted, rows=rows, lines=lines, values=values, by=by, now=now)
    return _edit_occurrence(occurrence, wanted, values=values, own=own, series=_series_of(head), by=by, now=now)


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
        head = _split(head, at=_original_of(occurrence), by=by, now=now)
    _put_out_of_sight(head, by=by, now=now)
    services.announce(head, by=by)


@transaction.atomic
def restore(*, head: Activity, by: Profile, now: datetime) -> None:
    """
    Bring a deleted series back, with the occurrences that went with it.

    :raises UnableToChange: if it is somebody else's to delete, and so to restore.
    """
    head = _locked_head(_series_of(head))
    if reason := services.why_not_deletable(activity=head, profile=by):
        raise UnableToChange(reason)
    if head.deleted_at is None:
        return
    rows = occurrences_of(_series_of(head)).filter(deleted_at=head.deleted_at)
    rows.update(deleted_at=None, modified_at=timezone.now())
    head.deleted_at = None
    head.save(update_fields=["deleted_at", "modified_at"])
    _lay_out(head, now=now)
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
        head = _split(head, at=_original_of(occurrence), by=profile, now=now)
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
        following = occurrences_of(_series_of(head)).filter(original_start__gte=_original_of(occurrence))
        theirs = Participant.objects.filter(activity__in=following.values("pk"), profile=profile)
        theirs.update(reminder_minutes=minutes)
        return
    if scope == FOLLOWING:
        head = _split(head, at=_original_of(occurrence), by=profile, now=now)
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
    _lay_out(head, now=now)
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
    occurrence, alone = turn_into_single(head, keeping=occurrence, by=by, now=now)
    after = services.field_values(occurrence)
    services.log(occurrence, before={"when": before["when"]}, after={"when": after["when"]}, by=by, now=now)
    for row in (head, occurrence, *alone):
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
    series, occurrence = _series_of(head), keeping
    others = _locked(occurrences_of(series).exclude(pk=occurrence.pk).filter(deleted_at=None))
    staying = has_local_work(others)
    alone = [row for row in others if row.pk in staying]
    skip(series, originals=[_original_of(row) for row in (occurrence, *alone)])
    Activity.every.filter(pk__in=[row.pk for row in (occurrence, *alone)]).update(
        series=None, original_start=None, modified_at=timezone.now()
    )
    known = head.uid
    Activity.every.filter(pk=head.pk).update(uid=uuid.uuid4())
    Activity.every.filter(pk=occurrence.pk).update(uid=known)
    occurrence = Activity.every.get(pk=occurrence.pk)
    _copy_changes(head, to=occurrence)
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
    head = _locked_head(seen.series)
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
    return _split(head, at=_original_of(occurrence), by=by, now=now) if scope == FOLLOWING else head


def _refuse_foreign(activity: Activity, *, by: Profile) -> None:
    """:raises UnableToChange: if it is somebody else's to change (R6)."""
    if reason := services.why_read_only(activity=activity, profile=by):
        raise UnableToChange(reason)


@transaction.atomic
def erase(ids: Iterable[int]) -> int:
    """
    Erase activities for good. Returns how many.

    An occurrence of a series that goes on never becomes an activity again; a head goes with or after the last one.
    """
    rows = Activity.every.filter(pk__in=list(ids))
    series_ids = set(rows.exclude(series=None).values_list("series", flat=True))
    heads = Activity.every.locked().filter(series__in=series_ids, is_series=True).order_by("pk")
    going_on = [_series_of(head) for head in heads.select_related("series") if head.deleted_at is None]
    for series in going_on:
        gone = rows.filter(series=series, is_series=False).values_list("original_start", flat=True)
        skip(series, originals=[original for original in gone if original])
    gone_ids = list(rows.filter(is_series=False).values_list("pk", flat=True))
    _erase(gone_ids)
    alone = rows.filter(is_series=True).exclude(series__in=Activity.every.filter(is_series=False).values("series"))
    head_ids = list(alone.values_list("pk", flat=True))
    _erase(head_ids)
    Series.objects.filter(pk__in=series_ids).exclude(Exists(Activity.every.filter(series=OuterRef("pk")))).delete()
    return len(gone_ids) + len(head_ids)


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
    series = _series_of(head)
    old, columns = pattern_of(head), when_columns(head)
    before = {name: getattr(head, _column(name)) for name in FOLLOWED}
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
    original = _original_of(here)
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


def _original_of(occurrence: Activity) -> datetime:
    if occurrence.original_start is None:
        raise TypeError("This is no occurrence of a series.")
    return occurrence.original_start


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
    _put(activity, original_of(first), all_day=activity.all_day, length=length)
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
    rows, canceled = occurrences_of(_series_of(head)), Activity.Status.CANCELED
    if head.status == canceled:
        rows.exclude(status=Activity.Status.COMPLETED).update(status=canceled, modified_at=timezone.now())
    elif before == canceled:
        by_itself = FieldChange.objects.filter(activity=OuterRef("pk"), field="status", after=canceled)
        rows = rows.filter(status=canceled).exclude(Exists(by_itself))
        rows.update(status=head.status, result="", result_details="", modified_at=timezone.now())
        _lay_out(_locked_head(_series_of(head)), now=now)


# Splitting, ending


def _split(head: Activity, *, at: datetime, by: Profile, now: datetime) -> Activity:
    """
    Let the occurrences from an original start on be a series of their own, with their local work. Returns its head.

    Where nothing happens before, that is the series itself. It is locked, and its rights were asked for.

    :raises UnableToChange: if its rule cannot be divided there.
    """
    series, pattern, before = _series_of(head), pattern_of(head), services.field_values(head)
    try:
        if next(recurrence.starts(pattern, before=at), None) is None:
            return head
        old_lines, new_lines = recurrence.before_cut(pattern, at=at), recurrence.from_cut(pattern, at=at)
    except (recurrence.UnreadableRule, recurrence.UnableToMove) as error:
        raise UnableToChange(f"{error} {_('Choose this occurrence or all.')}") from error
    part = Series.objects.create(
        recurrence=list(new_lines),
        time_zone=series.time_zone,
        first_start=at,
        laid_out_from=series.laid_out_from,
        laid_out_until=series.laid_out_until,
        skipped=[original.isoformat() for original in _skipped(series) if original >= at],
    )
    new_head = _head_like(head, series=part)
    _put(new_head, at, all_day=head.all_day, length=length_of(when_columns(head)))
    _save_head(new_head, like=head)
    _copy_changes(head, to=new_head)
    rows = occurrences_of(series).filter(original_start__gte=at)
    moved = list(rows.order_by("pk").values_list("pk", flat=True))
    rows.update(series=part, modified_at=timezone.now())
    series.recurrence = list(old_lines)
    series.skipped = [original.isoformat() for original in _skipped(series) if original < at]
    _lay_out(head, now=now)
    _log_when(head, before=before, by=by, now=now)
    series_split.send(sender=Activity, head=head, new_head=new_head, moved=moved)
    services.announce(head, by=by)
    services.announce(new_head, by=by)
    return new_head


def _tell_who_left(head: Activity, left: list[Activity], *, by: Profile) -> None:
    if left:
        occurrences_left.send(sender=Activity, head=head, activities=left)
    for row in left:
        services.announce(row, by=by)


def _put_out_of_sight(head: Activity, *, by: Profile | None, now: datetime) -> None:
    """Delete a series: what goes with it comes back with it."""
    rows = occurrences_of(_series_of(head)).filter(deleted_at=None)
    rows.update(deleted_at=now, modified_at=timezone.now())
    head.deleted_at = now
    head.save(update_fields=["deleted_at", "modified_at"])
    FieldChange.objects.create(activity=head, field="deleted", by=by, at=now)


def _head_like(activity: Activity, *, series: Series) -> Activity:
    """Return a head, not saved, that has what this activity has."""
    head = Activity(series=series, is_series=True, **{name: getattr(activity, name) for name in _TEMPLATE})
    for name, value in when_columns(activity).items():
        setattr(head, name, value)
    return head


def _save_head(head: Activity, *, like: Activity) -> None:
    """Save a new head, with the people and tags of another activity."""
    head.save()
    people = Participant.objects.filter(activity=like)
    Participant.objects.bulk_create(_same_person(person, head.pk) for person in people)
    _put_tags_on([head.pk], tags=like.tags.values_list("pk", flat=True))


def _copy_changes(activity: Activity, *, to: Activity) -> None:
    """Let the log of one activity be that of another as well."""
    changes = list(FieldChange.objects.filter(activity=activity).order_by("at", "pk"))
    for change in changes:
        change.pk, change.activity = None, to
    FieldChange.objects.bulk_create(changes)


def _log_when(head: Activity, *, before: Mapping[str, Any], by: Profile, now: datetime) -> None:
    after = services.field_values(head)["when"]
    services.log(head, before={"when": before["when"]}, after={"when": after}, by=by, now=now)
