"""
Everything that changes an activity on behalf of a person.

Each service keeps the log of changes and announces the change inside its transaction. What cannot be done raises
`UnableTo…` with words for the user.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.dispatch import Signal
from django.utils.translation import gettext as _

from accounts.models import Profile
from activities.models import Activity, FieldChange, Participant, Series, Tag
from activities.signals import (
    Standing,
    activity_changed,
    asks_how_many_stand,
    asks_why_not_answerable,
    asks_why_not_cancelable,
    asks_why_read_only,
)

# The fields of the form that a person may set; `when` stands for start, due, all_day, the two dates and the time zone.
PLAIN_FIELDS = (
    "subject", "kind", "category", "status", "priority", "owner", "reporter", "show_in_calendar", "location", "notes",
    "is_private", "show_as_free", "result", "result_details",
)  # fmt: skip
WHEN_FIELDS = ("start", "due", "all_day", "start_date", "due_date", "time_zone")
# What also lives in Google (R10): only the Organizer changes these on a collective activity that is linked (R6).
SYNCHRONIZED_FIELDS = frozenset({"subject", "when", "location", "notes", "is_private", "show_as_free", "people"})
OF_THE_SERIES = frozenset({"show_in_calendar"})  # Like its tags, an occurrence has this with all others (R1).

FIRST_YEAR, LAST_YEAR = 1900, 2100  # Of what a person can plan.


class UnableToChange(Exception):
    """The activity cannot be changed like this. The message is written for the user."""


class UnableToTag(Exception):
    """The tag cannot be made or put on. The message is written for the user."""


def why_read_only(*, activity: Activity, profile: Profile) -> str | None:
    """Return why this person may not change what also lives in Google, or None if they may (R6)."""
    asked = [activity]
    if activity.original_start:  # What is true of a whole series is true of its occurrences (R15).
        asked += Activity.every.filter(series=activity.series_id, is_series=True)
    return next(filter(None, (_answer(asks_why_read_only, activity=one, profile=profile) for one in asked)), None)


def standings(*, activities: list[Activity], profile: Profile) -> dict[int, Standing]:
    """
    Return by id how activities stand elsewhere; of those that are not there nobody who listens knows anything.

    What `why_read_only` says of one, asked about many: their participants have to be loaded.
    """
    known: dict[int, Standing] = {}
    answers: list[Any] = asks_how_many_stand.send(sender=Activity, activities=activities, profile=profile)
    for _receiver, answer in answers:
        known |= answer
    return known


def why_not_cancelable(*, activity: Activity, profile: Profile) -> str | None:
    """Return why this person may not cancel the activity for everybody, or None if they may (R6, R14)."""
    reason = why_read_only(activity=activity, profile=profile)
    return reason or _answer(asks_why_not_cancelable, activity=activity)


def _answer(question: Signal, **about: Any) -> str | None:
    """Return the first sentence that somebody who listens has to say, or None."""
    answers = question.send(sender=Activity, **about)
    return next((str(answer) for _receiver, answer in answers if answer), None)


@transaction.atomic
def create(
    *,
    by: Profile,
    subject: str,
    start: datetime | None = None,
    due: datetime | None = None,
    days: tuple[date, date] | None = None,
    time_zone: str | None = None,
    now: datetime,
    participants: Iterable[Profile] = (),
    **values: Any,
) -> Activity:
    """
    Make an activity. Owner, Reporter and Organizer are `by` unless given; all three take part.

    Give either `start` and `due` (aware) or `days` (first and last, both included). A meeting is shown in the calendar
    unless `show_in_calendar` says otherwise.

    :raises UnableToChange: if due is before start.
    """
    values.setdefault("owner", by)
    values.setdefault("reporter", by)
    values.setdefault("organizer", by)
    activity = Activity(subject=subject, time_zone=time_zone or by.time_zone, **values)
    _set_when(activity, start=start, due=due, days=days)
    if activity.category == Activity.Category.MEETING and "show_in_calendar" not in values:
        activity.show_in_calendar = True
    activity.save()
    people = {
        activity.owner_id: activity.owner,
        activity.reporter_id: activity.reporter,
        activity.organizer_id: activity.organizer,
    }
    people |= {profile.pk: profile for profile in participants}
    for profile in filter(None, people.values()):
        accepted = profile == activity.organizer
        Participant.objects.create(
            activity=activity,
            profile=profile,
            response=Participant.Response.ACCEPTED if accepted else Participant.Response.NEEDS_ACTION,
        )
    FieldChange.objects.create(activity=activity, field="created", by=by, at=now)
    announce(activity, by=by)
    return activity


@transaction.atomic
def edit(
    *,
    activity: Activity,
    by: Profile,
    now: datetime,
    start: datetime | None = None,
    due: datetime | None = None,
    days: tuple[date, date] | None = None,
    time_zone: str | None = None,
    lines: Iterable[str] | None = None,
    **values: Any,
) -> Activity:
    """
    Change fields of an activity; what is not given stays. Returns the activity as it is now.

    What becomes a meeting is shown in the calendar unless `show_in_calendar` is given; of an occurrence, its series is.
    What is not final has no result. A new Owner or Reporter becomes a participant, unless the participants are
    somebody else's to change (R6). `lines` say how the head of a series repeats; its occurrences are `series`' to move.

    :raises UnableToChange: if due is before start, or a synchronized field is somebody else's to change (R6).
    """
    if OF_THE_SERIES & values.keys():
        _lock_head(activity)
    activity = Activity.every.locked().get(pk=activity.pk)
    before = field_values(activity)
    people_before = people_of(activity)
    for name, value in values.items():
        if name not in PLAIN_FIELDS:
            raise TypeError(f"“{name}” is no field of an activity that a person sets.")
        setattr(activity, name, value)
    if start or due or days or time_zone:
        change_when(activity, start=start, due=due, days=days, time_zone=time_zone)
    if lines is not None:
        _series_of(activity).recurrence = list(lines)
    becomes_meeting = activity.category == Activity.Category.MEETING != before["category"]
    if becomes_meeting and not activity.original_start and "show_in_calendar" not in values:
        activity.show_in_calendar = True
    if not activity.is_final:
        activity.result = activity.result_details = ""
    changes = {name: value for name, value in field_values(activity).items() if value != before[name]}
    if not changes:
        return activity
    _refuse_foreign_changes(activity, by=by, changes=changes, before=before)
    activity.save()
    if lines is not None:
        _series_of(activity).save(update_fields=["recurrence"])
    if activity.original_start and (of_all := {name: changes.pop(name) for name in OF_THE_SERIES & changes.keys()}):
        change_series(activity, before=before, after=of_all, by=by, now=now)
    log(activity, before=before, after=changes, by=by, now=now)
    new_roles = [role for role in ("owner", "reporter") if role in changes]
    if new_roles and not why_read_only(activity=activity, profile=by):
        for role in new_roles:
            _let_take_part(activity, profile=getattr(activity, role), by=by, now=now)
    announce(activity, by=by, people_before=people_before)
    return activity


def change_series(
    occurrence: Activity, *, before: dict[str, Any], after: dict[str, Any], by: Profile, now: datetime
) -> None:
    """Give a series and all its occurrences these values of OF_THE_SERIES."""
    head = Activity.every.locked().get(series=occurrence.series_id, is_series=True)
    Activity.every.filter(series=occurrence.series_id).update(**after)
    log(head, before=before, after=after, by=by, now=now)
    announce(head, by=by)


def set_status(
    *, activity: Activity, by: Profile, status: str, now: datetime, result: str = "", result_details: str = ""
) -> Activity:
    """
    Complete, cancel or reopen an activity, with its result.

    :raises UnableToChange: if canceling, or taking it back, is the Organizer's alone (R6).
    """
    return edit(activity=activity, by=by, now=now, status=status, result=result, result_details=result_details)


@transaction.atomic
def copy(*, activity: Activity, by: Profile, now: datetime) -> Activity:
    """
    Make a new activity like this one, organized by `by`: participants come along, tags and the Google identity do not.

    Without the tags nothing goes to Google before somebody wants it to. A copy of what colleagues may not read, being
    private or from Google (R8), is private.
    """
    when: dict[str, Any] = {"start": activity.start, "due": activity.due}
    if activity.all_day and activity.start_date and activity.due_date:
        when = {"days": (activity.start_date, activity.due_date)}
    return create(
        by=by,
        now=now,
        subject=activity.subject,
        time_zone=activity.time_zone,
        participants=[participant.profile for participant in activity.participants.select_related("profile")],
        kind=activity.kind,
        category=activity.category,
        priority=activity.priority,
        owner=activity.owner or by,
        show_in_calendar=activity.show_in_calendar,
        location=activity.location,
        notes=activity.notes,
        is_private=activity.is_private or activity.made_in_google,
        show_as_free=activity.show_as_free,
        **when,
    )


@transaction.atomic
def delete(*, activity: Activity, by: Profile, now: datetime) -> None:
    """
    Put an activity out of sight; it can be restored for 30 days (R14).

    :raises UnableToChange: if it is somebody else's to delete.
    """
    activity = Activity.every.locked().get(pk=activity.pk)
    if reason := why_not_deletable(activity=activity, profile=by):
        raise UnableToChange(reason)
    activity.deleted_at = now
    activity.save(update_fields=["deleted_at", "modified_at"])
    FieldChange.objects.create(activity=activity, field="deleted", by=by, at=now)
    announce(activity, by=by)


def why_not_deletable(*, activity: Activity, profile: Profile) -> str | None:
    """Return why this person may not delete the activity, or None if they may (R14)."""
    reason = why_not_restorable(activity=activity, profile=profile)
    return reason or _answer(asks_why_not_cancelable, activity=activity)


def why_not_restorable(*, activity: Activity, profile: Profile) -> str | None:
    """Return why this person may not bring the activity back once it is deleted, or None if they may (R14)."""
    if activity.organizer_id == profile.pk:
        return why_read_only(activity=activity, profile=profile)
    if activity.organizer_id is None and profile.pk in (activity.owner_id, activity.reporter_id):
        return None
    return _("Only the Organizer can delete this activity.")


@transaction.atomic
def restore(*, activity: Activity, by: Profile, now: datetime) -> None:
    """
    Bring a deleted activity back.

    :raises UnableToChange: if it is somebody else's to delete, and so to restore.
    """
    if reason := why_not_restorable(activity=activity, profile=by):
        raise UnableToChange(reason)
    activity.deleted_at = None
    activity.save(update_fields=["deleted_at", "modified_at"])
    FieldChange.objects.create(activity=activity, field="restored", by=by, at=now)
    announce(activity, by=by)


@transaction.atomic
def add_participant(*, activity: Activity, profile: Profile, by: Profile, now: datetime) -> None:
    """
    Let somebody take part. They see the activity at once (R8).

    :raises UnableToChange: if the participants are somebody else's to change (R6).
    """
    _refuse_foreign_people(activity, by=by)
    if _let_take_part(activity, profile=profile, by=by, now=now):
        announce(activity, by=by)


@transaction.atomic
def remove_participant(*, activity: Activity, profile: Profile, by: Profile, now: datetime) -> None:
    """
    Take somebody off an activity.

    :raises UnableToChange: if it is the Organizer or the Owner, or the participants are somebody else's to change (R6).
    """
    if reason := why_not_removable(activity=activity, profile=profile):
        raise UnableToChange(reason)
    _refuse_foreign_people(activity, by=by)
    people_before = people_of(activity)
    removed, _details = Participant.objects.filter(activity=activity, profile=profile).delete()
    if removed:
        FieldChange.objects.create(activity=activity, field="people", before=profile.full_name, by=by, at=now)
        announce(activity, by=by, people_before=people_before)


def why_not_removable(*, activity: Activity, profile: Profile) -> str | None:
    """Return why a participant cannot be taken off the activity, whoever asks, or None if they can."""
    if profile.pk == activity.organizer_id:
        return _("The Organizer takes part in any case.")
    if profile.pk == activity.owner_id:
        return _("The Owner takes part in any case. Choose another Owner first.")
    return None


@transaction.atomic
def respond(*, activity: Activity, profile: Profile, response: str, now: datetime) -> None:
    """
    Give a participant's own answer.

    :raises UnableToChange: if they take no part, or their answer would reach nobody (R10).
    """
    participant = Participant.objects.select_for_update().filter(activity=activity, profile=profile).first()
    if participant is None:
        raise UnableToChange(_("You take no part in this activity."))
    if participant.response == response:
        return
    if reason := _answer(asks_why_not_answerable, activity=activity, profile=profile):
        raise UnableToChange(reason)
    before, participant.response = participant.response, response
    participant.save(update_fields=["response"])
    FieldChange.objects.create(activity=activity, field="response", before=before, after=response, by=profile, at=now)
    announce(activity, by=profile)


@transaction.atomic
def set_reminder(*, activity: Activity, profile: Profile, minutes: int | None, now: datetime) -> None:
    """
    Set how many minutes before the start a participant is reminded; None is not at all. The Feed keeps it to itself.

    :raises UnableToChange: if they take no part.
    """
    participant = Participant.objects.select_for_update().filter(activity=activity, profile=profile).first()
    if participant is None:
        raise UnableToChange(_("You take no part in this activity."))
    if participant.reminder_minutes == minutes:
        return
    before, participant.reminder_minutes = participant.reminder_minutes, minutes
    participant.save(update_fields=["reminder_minutes"])
    FieldChange.objects.create(activity=activity, field="reminder", before=before, after=minutes, by=profile, at=now)
    announce(activity, by=profile)


@transaction.atomic
def add_tag(*, activity: Activity, tag: Tag, by: Profile, now: datetime | None = None) -> None:
    """
    Put a tag on an activity; of an occurrence, on its whole series (R1).

    With `now`, the Feed tells of tags that everybody sees, never of private ones.

    :raises UnableToTag: if it is somebody else's private tag.
    """
    _refuse_foreign_tag(tag, by=by)
    activity = _lock_head(activity) or activity
    if activity.tags.filter(pk=tag.pk).exists():
        return
    tag.activities.through.objects.bulk_create(
        [tag.activities.through(activity_id=pk, tag=tag) for pk in _with_its_series(activity)], ignore_conflicts=True
    )
    if now and tag.kind != Tag.Kind.PRIVATE:
        FieldChange.objects.create(activity=activity, field="tags", after=tag.name, by=by, at=now)
    announce(activity, by=by)


@transaction.atomic
def remove_tag(*, activity: Activity, tag: Tag, by: Profile, now: datetime | None = None) -> None:
    """
    Take a tag off an activity; of an occurrence, off its whole series (R1).

    With `now`, the Feed tells of tags that everybody sees, never of private ones.

    :raises UnableToTag: if it is somebody else's private tag.
    """
    _refuse_foreign_tag(tag, by=by)
    head = _lock_head(activity)
    rows = tag.activities.through.objects.filter(tag=tag, activity__in=_with_its_series(head or activity))
    if not rows.exists():
        return
    # Who is invited to one occurrence alone has the tag on that one.
    activity = head if head and rows.filter(activity=head).exists() else activity
    rows.delete()
    if now and tag.kind != Tag.Kind.PRIVATE:
        FieldChange.objects.create(activity=activity, field="tags", before=tag.name, by=by, at=now)
    announce(activity, by=by)


def locked(activity: Activity) -> Activity:
    """Return an activity as it is now; until the transaction ends nobody else changes it, or all of its series."""
    _lock_head(activity)
    return Activity.every.locked().get(pk=activity.pk)


def _lock_head(activity: Activity) -> Activity | None:
    """
    Let nobody else change a series, or an occurrence's series, until the transaction ends. Returns its head.

    Who locks head and occurrences locks the head first.
    """
    if not activity.series_id:
        return None
    return Activity.every.locked().filter(series=activity.series_id, is_series=True).first()


def _with_its_series(activity: Activity) -> list[int]:
    """Return the ids of the activity and of all that belong to its series, deleted ones included."""
    whole = Activity.every.filter(series=activity.series_id) if activity.series_id else Activity.every.none()
    return [*{activity.pk, *whole.values_list("pk", flat=True)}]


def _series_of(activity: Activity) -> Series:
    if not activity.is_series or activity.series is None:
        raise TypeError("Only the head of a series says how it repeats.")
    return activity.series


def _refuse_foreign_tag(tag: Tag, *, by: Profile) -> None:
    if tag.kind == Tag.Kind.PRIVATE and tag.owner_id != by.pk:
        raise UnableToTag(_("There is no such tag."))  # That it exists is nobody else's business.


def make_tag(*, name: str, kind: str, by: Profile) -> Tag:
    """
    Make a tag, or return the one of that type and name.

    :raises UnableToTag: if the name is empty, or the person may not make tags of this type.
    """
    name = " ".join(name.replace("\x00", "").split())[:100].strip()
    if not name:
        raise UnableToTag(_("Give the tag a name."))
    if kind not in Tag.Kind.values:
        raise UnableToTag(_("There is no such type of tags."))
    if kind != Tag.Kind.PRIVATE and not by.user.has_perm(f"activities.add_{kind}_tag"):
        raise UnableToTag(_("You may not make tags of this type. Ask an administrator for the permission."))
    owner = by if kind == Tag.Kind.PRIVATE else None
    existing = Tag.objects.filter(kind=kind, owner=owner, name__iexact=name)
    try:
        with transaction.atomic():
            return existing.first() or Tag.objects.create(name=name, kind=kind, owner=owner)
    except IntegrityError:  # Somebody made it in this very moment.
        return existing.get()


def people_of(activity: Activity) -> set[int]:
    """Return the profile ids of everybody who has to do with an activity."""
    people = set(activity.participants.values_list("profile_id", flat=True))
    return people | {pk for pk in (activity.owner_id, activity.reporter_id, activity.organizer_id) if pk}


def announce(activity: Activity, *, by: Profile | None, people_before: Iterable[int] = ()) -> None:
    """Tell whoever listens that the activity is not what it was."""
    activity_changed.send(sender=Activity, activity=activity, people=people_of(activity) | set(people_before), by=by)


def log(
    activity: Activity,
    *,
    before: dict[str, Any],
    after: dict[str, Any],
    by: Profile | None,
    now: datetime,
    origin: str = FieldChange.Origin.PERSON,
) -> None:
    """Write down which fields got which values. The values are those of `field_values`."""
    FieldChange.objects.bulk_create(
        FieldChange(activity=activity, field=name, before=before.get(name), after=value, origin=origin, by=by, at=now)
        for name, value in after.items()
    )


def field_values(activity: Activity) -> dict[str, Any]:
    """Return the fields as the log keeps them: plain values, people by id, "when" as one; of a series with its rule."""
    values = {name: getattr(activity, name) for name in PLAIN_FIELDS if name not in ("owner", "reporter")}
    when = {name: getattr(activity, name) for name in WHEN_FIELDS}
    if activity.is_series and activity.series:
        when["recurrence"] = list(activity.series.recurrence)
    return values | {
        "owner": activity.owner_id,
        "reporter": activity.reporter_id,
        "when": {
            name: value.isoformat() if isinstance(value, (date, datetime)) else value for name, value in when.items()
        },
    }


def _set_when(
    activity: Activity, *, start: datetime | None, due: datetime | None, days: tuple[date, date] | None
) -> None:
    for moment in filter(None, (start, due, *(days or ()))):
        if reason := why_not_plannable(moment):
            raise UnableToChange(reason)
    if days:
        if days[1] < days[0]:
            raise UnableToChange(_("The last day cannot be earlier than the first."))
        activity.set_days(first=days[0], last=days[1])
        return
    if not (start and due):
        raise TypeError("An activity needs start and due, or days.")
    # In UTC, as the database gives them back: the log compares these times as texts, and Python compares two times of
    # one zone by their clock, though the clock may have been put forward between them.
    start_utc, due_utc = start.astimezone(UTC), due.astimezone(UTC)
    if due_utc < start_utc and start.replace(tzinfo=None) <= due.replace(tzinfo=None):
        raise UnableToChange(_("The clocks are put forward that night: the start does not exist. Choose another one."))
    if due_utc < start_utc:
        raise UnableToChange(_("The due time cannot be earlier than the start."))
    activity.set_times(start=start_utc, due=due_utc)


def why_not_plannable(day: date) -> str | None:
    """Return why nobody can plan anything on a day, a slip of the keyboard such as year 0026; None if they can."""
    if FIRST_YEAR <= day.year <= LAST_YEAR:
        return None
    return _("Choose dates between the years %(first)d and %(last)d.") % {"first": FIRST_YEAR, "last": LAST_YEAR}


def change_when(
    activity: Activity,
    *,
    start: datetime | None,
    due: datetime | None,
    days: tuple[date, date] | None,
    time_zone: str | None,
) -> None:
    """
    Change when an activity takes place; what is not given stays. It is not saved.

    :raises UnableToChange: if due is before start.
    """
    if time_zone:
        activity.time_zone = time_zone
    if days is None and start is None and due is None:
        if activity.all_day and activity.start_date and activity.due_date:
            activity.set_days(first=activity.start_date, last=activity.due_date)
        return
    if start and not due and activity.start:  # Moving Start keeps the duration.
        due = start + (activity.due - activity.start)
    _set_when(activity, start=start or activity.start, due=due, days=days)


def _let_take_part(activity: Activity, *, profile: Profile | None, by: Profile, now: datetime) -> bool:
    """Make somebody a participant; the log says who did. Returns whether they were none before."""
    if profile is None:
        return False
    _participant, is_new = Participant.objects.get_or_create(activity=activity, profile=profile)
    if is_new:
        FieldChange.objects.create(activity=activity, field="people", after=profile.full_name, by=by, at=now)
    return is_new


def _refuse_foreign_changes(
    activity: Activity, *, by: Profile, changes: dict[str, Any], before: dict[str, Any]
) -> None:
    """Canceling, and taking it back, reaches Google as well (R14); the other statuses stay here."""
    cancels = "status" in changes and Activity.Status.CANCELED in (changes["status"], before["status"])
    if not (cancels or SYNCHRONIZED_FIELDS & changes.keys()):
        return
    as_stored = Activity.every.get(pk=activity.pk)  # What would be changed may be what makes it somebody else's.
    is_canceled_now = cancels and changes["status"] == Activity.Status.CANCELED
    why_not = why_not_cancelable if is_canceled_now else why_read_only
    if reason := why_not(activity=as_stored, profile=by):
        raise UnableToChange(reason)


def _refuse_foreign_people(activity: Activity, *, by: Profile) -> None:
    if reason := why_read_only(activity=activity, profile=by):
        raise UnableToChange(reason)
