"""What the head of a series takes on, its occurrences follow (R15)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from activities import recurrence, series
from activities.models import Activity, Participant
from sync import marks, store
from sync.core import snapshot as snapshots
from sync.core.reasons import _
from sync.core.snapshot import Repeating, Snapshot, When, at_occurrence
from sync.models import EventLink, SyncOutcome
from sync.repeating.coming_in import leave_out_as_google
from sync.run import Run, facts_in

FOLLOWED = (
    "subject", "location", "notes", "is_private", "show_as_free", "google_organizer", "google_read_only_reason",
    "join_link", "other_guests",
)  # fmt: skip

FOLLOWED_BY_ALL = ("organizer", "show_in_calendar")

TEXTS = ("subject", "location", "notes")

OF_PEOPLE = ("response", "displayed", "address", "reminder_minutes")

SHOWN_BY_EXCEPTIONS = ("response", "reminder_minutes")  # Google's exceptions say by themselves what they have.


@dataclass(frozen=True)
class _Head:
    """How the head of a series stands at one moment."""

    columns: dict[str, Any]
    pattern: recurrence.Pattern
    people: dict[int, dict[str, Any]]  # By profile id, what each has as a participant.
    tags: frozenset[int]


def _state_of(head_id: int) -> _Head | None:
    head = Activity.every.filter(pk=head_id, is_series=True).select_related("series").first()
    if head is None:
        return None
    return _Head(
        columns={name: getattr(head, name) for name in (*FOLLOWED, "status", "deleted_at", "show_in_calendar")}
        | {"organizer": head.organizer_id}
        | series.when_columns(head),
        pattern=series.pattern_of(head),
        people={one["profile_id"]: one for one in head.participants.values("profile_id", *OF_PEOPLE)},
        tags=frozenset(head.tags.values_list("pk", flat=True)),
    )


@contextmanager
def followed(run: Run, activity_id: int | None) -> Iterator[None]:
    """
    Let the occurrences of a series follow whatever happens to its head inside; of other activities nothing.

    Exceptions of this account keep what Google says about them; who organizes, takes part and sees it concerns all.
    Call it inside the transaction of the change, around it.
    """
    before = _state_of(activity_id) if activity_id else None
    yield
    if before is None or activity_id is None:
        return
    after = _state_of(activity_id)
    if after is not None and after != before:
        head = Activity.every.select_related("series").get(pk=activity_id)
        _follow(run, head, before, after)


def _follow(run: Run, head: Activity, before: _Head, after: _Head) -> None:
    every = Activity.every.filter(series=head.series, is_series=False)
    plain = every.exclude(links__calendar=run.calendar)
    changed = {name for name, value in after.columns.items() if value != before.columns[name]}
    if names := changed & set(FOLLOWED):
        series.follow(head, before=before.columns, names=names, rows=plain)
    if names := changed & set(FOLLOWED_BY_ALL):
        series.follow(head, before=before.columns, names=names, rows=every)
    if changed & {"status", "deleted_at"}:
        _follow_presence(run, head, every, before, after)
    _follow_people(head, before, after, plain=plain, every=every)
    if added := after.tags - before.tags:
        series.put_tags(head, tags=added)
    if changed & series.when_columns(head).keys() or before.pattern != after.pattern:
        _re_place(run, head, before)


def _follow_presence(run: Run, head: Activity, every: QuerySet[Activity], before: _Head, after: _Head) -> None:
    """A canceled series takes along its occurrences that are not completed, and brings them back with it (R14)."""
    canceled = Activity.Status.CANCELED
    assert head.series is not None
    # What was cancelled by itself, in Google or here, stays so whatever becomes of the others.
    cancelled = EventLink.objects.filter(
        calendar=run.calendar, event__status="cancelled", activity__isnull=False
    ).values("activity")
    rows = every.exclude(pk__in=cancelled)
    status, former = after.columns["status"], before.columns["status"]
    if status == canceled != former:
        rows.exclude(status=Activity.Status.COMPLETED).update(status=canceled)
    elif former == canceled != status:
        rows.filter(status=canceled).update(status=status, result="", result_details="")
        series.lay_out(head.series, now=run.now)
    if before.columns["deleted_at"] and not after.columns["deleted_at"]:
        rows.filter(deleted_at=before.columns["deleted_at"]).update(deleted_at=None)
        series.lay_out(head.series, now=run.now)


def _follow_people(
    head: Activity, before: _Head, after: _Head, *, plain: QuerySet[Activity], every: QuerySet[Activity]
) -> None:
    added = Participant.objects.filter(activity=head, profile__in=after.people.keys() - before.people.keys())
    gone = before.people.keys() - after.people.keys()
    if added or gone:
        series.follow_people(head, added=added, removed=gone, rows=plain)
    for pk in before.people.keys() & after.people.keys():
        if before.people[pk] == after.people[pk]:
            continue
        old = {name: before.people[pk][name] for name in OF_PEOPLE}
        of_this_copy = {name: old.pop(name) for name in SHOWN_BY_EXCEPTIONS}
        series.follow_participant(head, profile_id=pk, before=old, rows=every)
        series.follow_participant(head, profile_id=pk, before=of_this_copy, rows=plain)


def _re_place(run: Run, head: Activity, before: _Head) -> None:
    """The series takes place at other times: occurrences move along, those that the new rule drops leave it (R15)."""
    assert head.series is not None
    unsaid = _texts_of_their_own(run, head, before)
    dropped = series.re_place(head.series, old=before.pattern, old_columns=before.columns, now=run.now)
    leave(head, dropped)
    _journal_erased(run, head, unsaid)
    link = EventLink.objects.filter(calendar=run.calendar, activity=head).first()
    if link and head.series.skipped:  # Google moves no occurrence along that it leaves out.
        head.series.refresh_from_db()
        leave_out_as_google(run, link, head)
        series.lay_out(head.series, now=run.now)
    moved_exceptions = EventLink.objects.filter(activity__series=head.series, activity__is_series=False)
    for link in moved_exceptions.select_related("activity").filter(calendar=run.calendar):
        if link.activity and facts_in(link).original_start not in (None, link.activity.original_start):
            _become_plain(run, head, link)


def _texts_of_their_own(run: Run, head: Activity, before: _Head) -> dict[int, dict[str, str]]:
    """Return what plain occurrences say otherwise than their series, by id: an import leaves no trace of it (R6)."""
    plain = Activity.every.present().filter(series=head.series, is_series=False).exclude(links__calendar=run.calendar)
    found = {}
    for row in plain.values("pk", *TEXTS):
        of_series = {name: (before.columns[name], getattr(head, name)) for name in TEXTS}
        own = {name: row[name] for name in TEXTS if row[name] and row[name] not in of_series[name]}
        if own:
            found[row["pk"]] = own
    return found


def _journal_erased(run: Run, head: Activity, unsaid: Mapping[int, Mapping[str, str]]) -> None:
    """Keep what occurrences said that the new rule has dropped, and that nobody was seen to work on (R15)."""
    kept = set(Activity.every.present().filter(pk__in=unsaid).values_list("pk", flat=True)) if unsaid else set()
    for pk, texts in unsaid.items():
        for name, text in texts.items() if pk not in kept else ():
            run.note(
                SyncOutcome.Action.REPLACED,
                rule="R15",
                reason=_("Changed here by an import, but this occurrence of the series is none any more."),
                item=head.subject,
                activity_id=head.pk,
                field=name,
                here=text,
                kept=SyncOutcome.Direction.GOOGLE,
                is_resolved=True,
            )


def leave(head: Activity, dropped: Iterable[Activity]) -> None:
    """
    Let activities stay by themselves that were occurrences with local work, without anything in Google.

    A link says that their event is gone: so no session takes them for new ones and adds them.
    """
    calendars = EventLink.objects.filter(activity=head).values_list("calendar", "google_calendar_id").distinct()
    for activity in dropped:
        agreed = {"presence": store.presence_here(activity).value}
        links = EventLink.objects.filter(activity=activity)
        links.update(state=EventLink.State.DETACHED, series=None, is_marked=False, retry_at=None, reason="", rule="")
        for link in links:
            link.event = {**link.event, "status": "cancelled"}
            link.base_here = {**(link.base_here or {}), **agreed}
            link.save(update_fields=["event", "base_here"])
        there = {link.calendar_id for link in links}
        EventLink.objects.bulk_create(
            EventLink(
                calendar_id=calendar,
                google_calendar_id=google_calendar_id,
                event_id=f"{EventLink.LEFT}{activity.uid.hex}",
                activity=activity,
                state=EventLink.State.DETACHED,
                event={"status": "cancelled"},
                base_here=agreed,
            )
            for calendar, google_calendar_id in calendars
            if calendar not in there
        )


def _become_plain(run: Run, head: Activity, link: EventLink) -> None:
    """
    An exception whose series moved under it: Google knows it no more, so it is what its series says.

    What was changed here and not sent yet stays, and becomes an exception again.
    """
    occurrence = store.load_activity(link.activity_id)
    base = store.base_of(link.base_here)
    here = store.snapshot_here(occurrence, addresses={}, organizer=occurrence.organizer_id)
    names = [name for name in snapshots.FIELDS if base and getattr(here, name) == getattr(base, name)]
    series.put_back(occurrence, head=head, names=names)
    link.delete()
    marks.mark_activities(calendar=run.calendar, activities=[occurrence.pk])


def is_of_another_kind(activity: Activity, when: When) -> bool:
    """Whether a "when" turns a single activity into a series, or a series into a single activity."""
    return activity.original_start is None and isinstance(when, Repeating) != activity.is_series


def change_kind(run: Run, activity_id: int, when: When) -> None:
    """
    Let an activity repeat, or stop, as its event in Google does, at the time it has here. Call it inside a transaction.

    Both sides count as agreed on that: so what Google says instead is a change of Google's alone, and comes next.
    """
    activity = store.load_activity(activity_id, lock=True)
    if not isinstance(when, Repeating):
        left = _stop_repeating(run, activity)
    else:
        now_here = store.when_here(activity)
        assert not isinstance(now_here, Repeating)
        pattern = store.pattern_of(Repeating(now_here, when.lines))
        left = series.turn_into_series(activity, pattern=pattern, now=run.now)
    agreed = snapshots.dump_when(store.when_here(left))
    for link in EventLink.objects.filter(activity=left, base_here__isnull=False):
        for base in filter(None, [link.base_here, link.base_google]):
            base["snapshot"]["when"] = agreed
        link.is_marked, link.mark = True, link.mark + 1
        link.save(update_fields=["base_here", "base_google", "is_marked", "mark"])


def _journal_own_time(run: Run, head: Activity, occurrence: Activity) -> None:
    """Keep the time that somebody gave the occurrence which goes on: it takes place when Google says (R11)."""
    when, own = store.when_here(head), store.when_here(occurrence)
    assert occurrence.original_start is not None
    if own == at_occurrence(Snapshot(subject="", when=when), occurrence.original_start).when:
        return
    run.note(
        SyncOutcome.Action.REPLACED,
        rule="R11",
        reason=_("The event does not repeat in Google any more, and takes place at Google's time."),
        item=head.subject,
        activity_id=occurrence.pk,
        field="when",
        here=snapshots.dump_value(own),
        kept=SyncOutcome.Direction.GOOGLE,
        is_resolved=True,
    )


def _stop_repeating(run: Run, head: Activity) -> Activity:
    """The first occurrence that is left goes on as a single activity."""
    assert head.series is not None
    rows = Activity.every.locked().filter(series=head.series, is_series=False)
    first = rows.filter(original_start=head.series.first_start).first() or rows.order_by("original_start").first()
    if first is None:
        [first] = series.lay_out_these(head.series, originals=[head.series.first_start], now=run.now)
    _journal_own_time(run, head, first)
    before = _state_of(head.pk)
    assert before is not None
    unsaid = _texts_of_their_own(run, head, before)
    unsaid.pop(first.pk, None)
    left = series.turn_into_single(head, keeping=first, by=None, now=run.now)[0]
    _journal_erased(run, head, unsaid)
    return left
