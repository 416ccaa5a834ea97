"""Conflicts of the journal: taking the value that gave way after all, or leaving it (R11)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts.models import Profile
from activities import services
from activities.models import Activity, Participant
from sync.core.snapshot import Days, load_when
from sync.models import SyncOutcome
from sync.preview import PlannedAction

PLAIN_FIELDS = {"subject", "location", "notes", "is_private", "show_as_free"}
FIELDS_TO_TAKE_BACK = PLAIN_FIELDS | {"when", "reminder"}


class UnableToUseOtherValue(Exception):
    """The other value cannot be taken. The message is written for the user."""


def unresolved(profile: Profile) -> QuerySet[SyncOutcome]:
    """Return the conflicts of this person's sessions that nobody has settled yet."""
    return SyncOutcome.objects.filter(
        session__calendar__account__profile=profile, action=SyncOutcome.Action.REPLACED, is_resolved=False
    )


def other_value(outcome: SyncOutcome | PlannedAction) -> Any:
    """Return the value that was not kept."""
    return outcome.google if outcome.kept == SyncOutcome.Direction.HERE else outcome.here


@transaction.atomic
def use_other_value(*, outcome: SyncOutcome, by: Profile, now: datetime) -> None:
    """
    Give the activity the value that was not kept; as a change made here, it travels to Google with the next session.

    :raises UnableToUseOtherValue: if the activity is gone or not theirs to see any more (R8), or the field is somebody
        else's to change (R6).
    """
    activity = Activity.objects.visible_to(by).filter(pk=outcome.activity_id).first()
    if activity is None:
        raise UnableToUseOtherValue(_("The activity was deleted meanwhile, or is not yours to see any more."))
    if outcome.field not in FIELDS_TO_TAKE_BACK:
        raise UnableToUseOtherValue(_("Change this one on the page of the activity."))
    try:
        _put(outcome, activity, by=by, now=now)
    except services.UnableToChange as error:
        raise UnableToUseOtherValue(str(error)) from error
    dismiss(outcome=outcome)


def dismiss(*, outcome: SyncOutcome) -> None:
    """Leave the value that was kept, and ask no more."""
    outcome.is_resolved = True
    outcome.save(update_fields=["is_resolved"])


def _put(outcome: SyncOutcome, activity: Activity, *, by: Profile, now: datetime) -> None:
    value = other_value(outcome)
    if outcome.field == "reminder":
        Participant.objects.filter(activity=activity, profile=by).update(reminder_minutes=value)
        services.announce(activity, by=by)
        return
    values = _when(value) if outcome.field == "when" else {outcome.field: value}
    services.edit(activity=activity, by=by, now=now, **values)


def _when(value: dict[str, str]) -> dict[str, Any]:
    """Return the arguments of `services.edit` for a "when" of the journal."""
    when = load_when(value)
    if isinstance(when, Days):
        return {"days": (when.first, when.last)}
    return {"start": when.start, "due": when.due, "time_zone": when.time_zone}
