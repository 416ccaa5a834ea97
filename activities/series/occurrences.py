"""
The occurrences of repeating activities: laid out, following the head of their series, moving with it (R15).

The head of a series is what all occurrences have in common. An occurrence whose field still equals what the head held
follows the head's change; what is its own stays. Whatever touches a whole series is a handful of statements, one or
five hundred occurrences alike, and locks the head before it locks occurrences.
"""

from __future__ import annotations

import logging
import zoneinfo
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from dateutil.relativedelta import relativedelta
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from activities import recurrence, services
from activities.models import Activity, FieldChange, Participant, Series, bounds_of_days
from activities.recurrence import Pattern

logger = logging.getLogger(__name__)

HORIZON_MONTHS = 13
MOST = 500  # Occurrences of one series that are laid out at once.
FROM_THE_FIRST = datetime(services.FIRST_YEAR, 1, 1, tzinfo=UTC)  # As `laid_out_from`: nothing is left out.
_SLACK = timedelta(days=40)  # Farther no occurrence is moved by a change of zone or of the day of the month.

# What an occurrence takes over from the head when it is laid out; when it takes place comes from the rule.
TEMPLATE = (
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
WHEN = ("start", "due", "all_day", "start_date", "due_date", "time_zone")


# --- The rule ----------------------------------------------------------------------------------------------------


def pattern_of(head: Activity) -> Pattern:
    """Return when a series takes place: first occurrence and zone are the head's."""
    first = head.start_date if head.all_day and head.start_date else head.start
    return Pattern(first=first, time_zone=head.time_zone, lines=tuple(series_of(head).recurrence))


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
    return {name: getattr(activity, name) for name in WHEN}


def occurrences_of(series: Series) -> QuerySet[Activity]:
    """Return all occurrences, deleted ones included."""
    return Activity.every.filter(series=series, is_series=False)


def occurrence_to_show(series: Series, *, now: datetime) -> Activity | None:
    """Return the occurrence that stands for the series on a page: the next one, or else the latest."""
    present = Activity.objects.present().filter(series=series)
    return present.filter(due__gte=now).order_by("start").first() or present.order_by("-start").first()


# --- Laying out --------------------------------------------------------------------------------------------------


@transaction.atomic
def lay_out(series: Series, *, now: datetime, after: datetime | None = None) -> list[Activity]:
    """
    Make the occurrences that are missing, and return them. Doing it again makes none.

    They end after `after`, or after what was asked for before if that is earlier, and start within the horizon; there
    are at most MOST, the upcoming ones first, and the next one in any case. `series` has to be saved.

    :raises UnreadableRule: if the rule cannot be read.
    """
    head = locked_head(series)
    if after is not None or series.laid_out_from is None:
        series.laid_out_from = min(after or FROM_THE_FIRST, series.laid_out_from or after or FROM_THE_FIRST)
    return lay_out_locked(head, now=now)


def lay_out_locked(head: Activity, *, now: datetime) -> list[Activity]:
    """Lay out a series from where it says on; it is saved, the head is locked."""
    series, made = series_of(head), []
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
    head = locked_head(series)
    wanted = set(originals)
    series.skipped = [text for text in series.skipped if datetime.fromisoformat(text) not in wanted]
    series.save(update_fields=["skipped"])
    return _make(head, sorted(wanted))


@transaction.atomic
def skip(series: Series, *, originals: Iterable[datetime]) -> None:
    """Let these occurrences never become activities. Those that already are stay."""
    locked_head(series)
    series.skipped = sorted({*series.skipped, *(original.isoformat() for original in originals)})
    series.save(update_fields=["skipped"])


def extend_horizon(*, now: datetime, at_once: int = 50) -> int:
    """
    Lay out what has come within the horizon, of so many series; each is looked at once a day.

    It asks Google nothing: the rule is known. Returns how many occurrences were made. A series that cannot be laid out
    is logged and waits for tomorrow; it keeps nothing else from being done.
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
            _look_again_tomorrow(series, now=now)
        except Exception:
            logger.exception("Series %s could not be laid out any further.", series.pk)
            _look_again_tomorrow(series, now=now)
    return made


def _look_again_tomorrow(series: Series, *, now: datetime) -> None:
    Series.objects.filter(pk=series.pk).update(laid_out_until=horizon(now=now))


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
    series = series_of(head)
    there = {*_originals_of(series), *skipped_in(series)}
    length = length_of(when_columns(head))
    made = [_occurrence(head, original, length) for original in originals if original not in there]
    if not made:
        return []
    Activity.every.bulk_create(made)
    people = list(Participant.objects.filter(activity=head))
    Participant.objects.bulk_create(same_person(person, row.pk) for row in made for person in people)
    put_tags_on([row.pk for row in made], tags=head.tags.values_list("pk", flat=True))
    return made


def _occurrence(head: Activity, original: datetime, length: timedelta) -> Activity:
    row = Activity(series=head.series, original_start=original, **{name: getattr(head, name) for name in TEMPLATE})
    put(row, original, all_day=head.all_day, length=length)
    return row


def put(row: Activity, original: datetime, *, all_day: bool, length: timedelta) -> None:
    """Let an occurrence take place when its rule says."""
    if all_day:
        row.set_days(first=original.date(), last=original.date() + length)
    else:
        row.set_times(start=original, due=original + length)


def same_person(person: Participant, activity_id: int) -> Participant:
    same = {name: getattr(person, name) for name in _OF_PARTICIPANTS}
    return Participant(activity_id=activity_id, profile_id=person.profile_id, **same)


def put_tags_on(activity_ids: Collection[int], *, tags: Iterable[int]) -> None:
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
    rows = occurrences_of(series_of(head)) if rows is None else rows
    followed = 0
    for name in sorted(names):
        if name not in FOLLOWED:
            raise TypeError(f"“{name}” is nothing that an occurrence has from its series.")
        value = getattr(head, column(name))
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
    rows = occurrences_of(series_of(head)) if rows is None else rows
    added, removed = list(added), list(removed)
    if removed:
        gone = Participant.objects.filter(activity__in=rows.values("pk"), profile__in=removed)
        owned = Activity.every.filter(pk=OuterRef("activity"), owner=OuterRef("profile"))
        gone.exclude(Exists(owned)).delete()
    if added:
        ids = list(rows.values_list("pk", flat=True))
        people = (same_person(person, pk) for pk in ids for person in added)
        Participant.objects.bulk_create(people, ignore_conflicts=True)


def follow_participant(
    head: Activity, *, profile_id: int, before: Mapping[str, Any], rows: QuerySet[Activity] | None = None
) -> None:
    """
    Let what somebody has in the series (response, displayed, address, reminder) reach the occurrences.

    Where they have something else than `before`, it stays.
    """
    rows = occurrences_of(series_of(head)) if rows is None else rows
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
    put_tags_on(list(Activity.every.filter(series=head.series_id).values_list("pk", flat=True)), tags=list(tags))


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
            put(occurrence, original, all_day=head.all_day, length=length_of(when_columns(head)))
        elif name == "people":
            people = list(Participant.objects.filter(activity=head))
            row = Activity.every.filter(pk=occurrence.pk)
            others = Participant.objects.filter(activity=occurrence).exclude(
                profile__in=[person.profile_id for person in people]
            )
            follow_people(head, added=people, removed=list(others.values_list("profile_id", flat=True)), rows=row)
        elif name in FOLLOWED:
            setattr(occurrence, column(name), getattr(head, column(name)))
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
    head = locked_head(series)
    series.time_zone, new = head.time_zone, pattern_of(head)
    series.first_start = original_of(new.first)
    places = _Places(old=old, old_length=length_of(old_columns), head=head)
    found = locked(occurrences_of(series) if rows is None else rows)
    others = set(occurrences_of(series).values_list("original_start", flat=True)) - {
        row.original_start for row in found
    }
    targets = places.targets([*(row.original_start for row in found), *skipped_in(series)], now=now, taken=others)
    leaving = [row for row in found if row.original_start not in targets]
    places.put([row for row in found if row.original_start in targets], targets=targets)
    series.skipped = sorted(targets[original].isoformat() for original in skipped_in(series) if original in targets)
    dropped = _drop(leaving)
    lay_out_locked(head, now=now)
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
        series_of(head).refresh_from_db()  # Somebody may have had the lock, and changed it.
    at_least = begin_of_day(since, head=former)
    found = locked(occurrences_of(series_of(former)).filter(original_start__gte=at_least))
    skipped = [original for original in skipped_in(series_of(former)) if original >= at_least]
    if not found and not skipped:
        return []
    places = _Places(old=_pattern_from(former, found), old_length=length_of(when_columns(former)), head=to)
    there = {row.original_start: row for row in locked(occurrences_of(series_of(to)))}
    worked_on = has_local_work(list(there.values()))
    taken = {original for original, row in there.items() if original and row.pk in worked_on}
    targets = places.targets([*(row.original_start for row in found), *skipped], now=now, taken=taken)
    moving = [row for row in found if row.original_start in targets]
    replaced = {targets[row.original_start] for row in moving if row.original_start}
    _erase([there[original].pk for original in replaced & there.keys()])
    places.put(moving, targets=targets)
    _move_skipped(former, to, {original: targets[original] for original in skipped if original in targets})
    rows = Activity.every.filter(pk__in=[row.pk for row in moving])
    before = {name: getattr(former, column(name)) for name in FOLLOWED}
    follow(to, before=before, names=FOLLOWED, rows=rows)
    _exchange_people(former, to, rows)
    put_tags_on([row.pk for row in moving], tags=to.tags.values_list("pk", flat=True))
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
        changed = [row for row in rows if self._move(row, targets)]
        if not changed:
            return
        # First out of the way: two occurrences cannot have the same original start, not even for a moment.
        Activity.every.filter(pk__in=[row.pk for row in changed]).update(
            original_start=None, series=self.head.series, modified_at=timezone.now()
        )
        # All of these rows are there: it updates them, several times as fast as `bulk_update` does.
        Activity.every.bulk_create(
            changed, update_conflicts=True, unique_fields=["id"], update_fields=["original_start", *WHEN]
        )

    def _move(self, row: Activity, targets: Mapping[datetime, datetime]) -> bool:
        """Put one occurrence where it belongs; tell whether that is somewhere else than before."""
        before = (row.series_id, row.original_start, when_columns(row))
        original = row.original_start
        assert original is not None
        row.series, row.original_start = self.head.series, targets[original]
        if self._is_in_its_old_place(row, original):
            row.time_zone = self.head.time_zone
            put(row, row.original_start, all_day=self.head.all_day, length=self.length)
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


def column(name: str) -> str:
    """Return the attribute of a field that holds what the database holds: of people, their id."""
    return f"{name}_id" if name in ("owner", "reporter", "organizer") else name


def _erase(ids: Collection[int]) -> None:
    if ids:
        Activity.every.filter(pk__in=ids).delete()


def begin_of_day(moment: datetime, *, head: Activity) -> datetime:
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
        skip(series_of(to), originals=targets.values())


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


def skipped_in(series: Series) -> list[datetime]:
    return [datetime.fromisoformat(text) for text in series.skipped]


def locked(rows: QuerySet[Activity]) -> list[Activity]:
    return list(Activity.every.locked().filter(pk__in=rows.values("pk")).order_by("pk"))


def locked_head(series: Series) -> Activity:
    """Lock a series by its head, and read both as they are now: `series` itself as well."""
    head = Activity.every.locked().get(series=series.pk, is_series=True)
    series.refresh_from_db()
    head.series = series
    return head


def series_of(head: Activity) -> Series:
    if head.series is None:
        raise TypeError("This activity does not repeat.")
    return head.series


def original_start_of(occurrence: Activity) -> datetime:
    if occurrence.original_start is None:
        raise TypeError("This is no occurrence of a series.")
    return occurrence.original_start


# --- Erasing -------------------------------------------------------------------------------------------------------


@transaction.atomic
def erase(ids: Iterable[int]) -> int:
    """
    Erase activities for good. Returns how many.

    An occurrence of a series that goes on never becomes an activity again; a head goes with or after the last one.
    """
    rows = Activity.every.filter(pk__in=list(ids))
    series_ids = set(rows.exclude(series=None).values_list("series", flat=True))
    heads = Activity.every.locked().filter(series__in=series_ids, is_series=True).order_by("pk")
    going_on = [series_of(head) for head in heads.select_related("series") if head.deleted_at is None]
    for series in going_on:
        gone = rows.filter(series=series, is_series=False).values_list("original_start", flat=True)
        skip(series, originals=[original for original in gone if original])
    gone_ids = list(rows.filter(is_series=False).values_list("pk", flat=True))
    _erase(gone_ids)
    alone = rows.filter(is_series=True).exclude(
        Exists(Activity.every.filter(series=OuterRef("series"), is_series=False))  # No `IN`: it knows no NULL.
    )
    head_ids = list(alone.values_list("pk", flat=True))
    _erase(head_ids)
    Series.objects.filter(pk__in=series_ids).exclude(Exists(Activity.every.filter(series=OuterRef("pk")))).delete()
    return len(gone_ids) + len(head_ids)
