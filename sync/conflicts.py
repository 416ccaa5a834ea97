"""Conflicts of the journal: taking the value that gave way after all, or leaving it (R5, R6, R11, R14)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from accounts.models import Profile
from activities import series, services
from activities.models import Activity, Participant
from sync.core.snapshot import Days, Repeating, dump_when, load_when
from sync.models import SyncOutcome
from sync.preview import PlannedAction

PLAIN_FIELDS = {"subject", "location", "notes", "is_private", "show_as_free"}
PERSONAL_FIELDS = {"reminder", "response"}  # Of whose session it was, and of nobody else.
FIELDS_TO_TAKE_BACK = PLAIN_FIELDS | PERSONAL_FIELDS | {"when", "people", "status"}
CANCELED = ("canceled", "cancelled")  # Ours and Google's word.


class UnableToUseOtherValue(Exception):
    """The other value cannot be taken. The message is written for the user."""


def unresolved(profile: Profile) -> QuerySet[SyncOutcome]:
    """
    Return the conflicts that are this person's to settle: those of their sessions, and of what they organize.

    So what a replaced Organizer had changed is offered to whoever organizes it now (R5).
    """
    own = Q(session__calendar__account__profile=profile)
    organized = Q(activity__organizer=profile) & ~Q(field__in=PERSONAL_FIELDS)
    return SyncOutcome.objects.filter(own | organized, action=SyncOutcome.Action.REPLACED, is_resolved=False)


def other_value(outcome: SyncOutcome | PlannedAction) -> Any:
    """Return the value that was not kept."""
    return outcome.google if outcome.kept == SyncOutcome.Direction.HERE else outcome.here


def kept_value(outcome: SyncOutcome | PlannedAction) -> Any:
    return outcome.here if outcome.kept == SyncOutcome.Direction.HERE else outcome.google


def why_not(outcome: SyncOutcome, *, profile: Profile) -> str | None:
    """Return why this person cannot take the other value, None if they can (R6, R8)."""
    activity = _activity_of(outcome, profile=profile)
    if activity is None:
        return _("The activity was deleted meanwhile, or is not yours to see any more.")
    if outcome.field not in FIELDS_TO_TAKE_BACK or not outcome.kept:
        return _("Change this one on the page of the activity.")
    if outcome.field in PERSONAL_FIELDS:
        return None
    if outcome.field == "status" and activity.deleted_at:
        return services.why_not_restorable(activity=activity, profile=profile)
    if outcome.field == "status" and other_value(outcome) == "deleted":
        return services.why_not_deletable(activity=activity, profile=profile)
    if outcome.field == "status" and other_value(outcome) in CANCELED:
        return services.why_not_cancelable(activity=activity, profile=profile)
    return services.why_read_only(activity=activity, profile=profile)


def people_at_stake(outcome: SyncOutcome) -> list[tuple[Profile, bool]]:
    """Return the people who take part in one value only and not as the other has it, and whether that one has them."""
    if outcome.field != "people" or outcome.activity is None:
        return []
    other, kept = set(other_value(outcome) or []), set(kept_value(outcome) or [])
    taking_part = set(outcome.activity.participants.values_list("profile_id", flat=True))
    found = Profile.objects.filter(pk__in=other ^ kept).order_by("full_name", "pk")
    return [(person, person.pk in other) for person in found if (person.pk in other) != (person.pk in taking_part)]


@transaction.atomic
def use_other_value(*, outcome: SyncOutcome, by: Profile, now: datetime, person: int | None = None) -> None:
    """
    Give the activity the value that was not kept; as a change made here, it travels to Google with the next session.

    Of a conflict about participants, `person` settles one of them alone (R7).

    :raises UnableToUseOtherValue: if the activity is gone or not theirs to see any more (R8), or the field is somebody
        else's to change (R6).
    """
    activity = _activity_of(outcome, profile=by)
    if (reason := why_not(outcome, profile=by)) or activity is None:
        raise UnableToUseOtherValue(reason)
    try:
        _put(outcome, activity, by=by, now=now, person=person)
    except services.UnableToChange as error:
        raise UnableToUseOtherValue(str(error)) from error
    if person is None or not people_at_stake(outcome):
        is_ours = outcome.kept == SyncOutcome.Direction.GOOGLE
        used = SyncOutcome.Direction.HERE if is_ours else SyncOutcome.Direction.GOOGLE
        _settle(outcome, used=used, by=by, now=now)


def dismiss(*, outcome: SyncOutcome, by: Profile, now: datetime) -> None:
    """Leave the value that was kept, and ask no more."""
    _settle(outcome, used=outcome.kept, by=by, now=now)


def _settle(outcome: SyncOutcome, *, used: str, by: Profile, now: datetime) -> None:
    outcome.is_resolved = True
    outcome.settled_for, outcome.settled_by, outcome.settled_at = used, by, now
    outcome.save(update_fields=["is_resolved", "settled_for", "settled_by", "settled_at"])


def _activity_of(outcome: SyncOutcome, *, profile: Profile) -> Activity | None:
    """Return the activity if this person may open it; what they organize and was deleted can be brought back."""
    if outcome.activity_id is None:
        return None
    visible = Activity.every.visible_to(profile).filter(pk=outcome.activity_id).first()
    if visible is None and outcome.field == "status":
        return Activity.every.filter(pk=outcome.activity_id, organizer=profile).first()
    return visible


def _put(outcome: SyncOutcome, activity: Activity, *, by: Profile, now: datetime, person: int | None) -> None:
    value, change = other_value(outcome), _Change(activity, by=by, now=now)
    match outcome.field:
        case "reminder":
            change.set_reminder(value)
        case "response":
            change.respond(value or Participant.Response.NEEDS_ACTION)
        case "people":
            for profile, takes_part in people_at_stake(outcome):
                if person in (None, profile.pk):
                    change.let_take_part(profile, takes_part=takes_part)
        case "status":
            change.set_presence(value)
        case "when":
            change.edit(**_when(value))
        case name:
            change.edit(**{name: value})


class _Change:
    """What a person changes about an activity, or about all of a series, whose head then stands for it (R15)."""

    def __init__(self, activity: Activity, *, by: Profile, now: datetime) -> None:
        self._activity, self._by, self._now = activity, by, now
        self._all: dict[str, Any] = {}
        if activity.is_series:
            first = Activity.objects.filter(series=activity.series_id).order_by("original_start").first()
            self._all = {"activity": first, "scope": series.ALL, "now": now}

    def edit(self, **values: Any) -> None:
        if self._all:
            series.edit(by=self._by, **self._all, **values)
        else:
            services.edit(activity=self._activity, by=self._by, now=self._now, **values)

    def set_reminder(self, minutes: int | None) -> None:
        if self._all:
            series.set_reminder(profile=self._by, minutes=minutes, **self._all)
        else:
            services.set_reminder(activity=self._activity, profile=self._by, minutes=minutes, now=self._now)

    def respond(self, response: str) -> None:
        if self._all:
            series.respond(profile=self._by, response=response, **self._all)
        else:
            services.respond(activity=self._activity, profile=self._by, response=response, now=self._now)

    def let_take_part(self, profile: Profile, *, takes_part: bool) -> None:
        if self._all:
            of_all = series.add_participant if takes_part else series.remove_participant
            of_all(profile=profile, by=self._by, **self._all)
        else:
            of_one = services.add_participant if takes_part else services.remove_participant
            of_one(activity=self._activity, profile=profile, by=self._by, now=self._now)

    def set_presence(self, value: Any) -> None:
        """Cancel or delete it again, or bring it back (R14)."""
        if value == "deleted":
            if self._all:
                series.delete(by=self._by, **self._all)
            else:
                services.delete(activity=self._activity, by=self._by, now=self._now)
        elif value in CANCELED:
            self.edit(status=Activity.Status.CANCELED)
        else:
            self._bring_back()

    def _bring_back(self) -> None:
        if self._activity.deleted_at:
            if self._all:
                series.restore(head=self._activity, by=self._by, now=self._now)
            else:
                services.restore(activity=self._activity, by=self._by, now=self._now)
        if self._activity.status == Activity.Status.CANCELED:
            self.edit(status=Activity.Status.NOT_STARTED)


def _when(value: dict[str, str]) -> dict[str, Any]:
    """Return the arguments of `services.edit` for a "when" of the journal."""
    when = load_when(value)
    if isinstance(when, Repeating):  # Of a whole series.
        return {"lines": list(when.lines), **_when(dump_when(when.first))}
    if isinstance(when, Days):
        return {"days": (when.first, when.last)}
    return {"start": when.start, "due": when.due, "time_zone": when.time_zone}
