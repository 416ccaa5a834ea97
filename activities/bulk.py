"""One change to several activities, each by its service; what one may not change is left out, with its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.translation import gettext as _

from accounts.models import Profile
from activities import columns, selectors, services
from activities.models import Activity, Tag

MOST = 500  # Activities that are changed with one request.


class UnableToSelect(Exception):
    """Nothing can be done with this selection. The message is written for the user."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    activity: Activity
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    changed: list[Activity] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def selected(values: QueryDict, *, profile: Profile, now: datetime, most: int) -> QuerySet[Activity]:
    """
    Return what a list's form has selected, of that what the person may see (R8), as the list sorts it.

    `all` with the `query` of the list is everything its filters let through; otherwise each `activity` is an id, or
    several with commas between them.

    :raises UnableToSelect: if it is nothing, or more than `most`.
    """
    query = QueryDict(values.get("query", ""))
    if values.get("all") == "1":
        found = selectors.find(filters=selectors.read_filters(query, profile=profile, now=now), profile=profile)
    else:
        texts = [text for value in values.getlist("activity") for text in value.split(",")]
        ids = {number for text in texts if (number := selectors.read_number(text))}
        if len(ids) > most:
            raise UnableToSelect(_too_many(len(ids), most=most))
        visible = Activity.objects.visible_to(profile).of_the_section().filter(pk__in=ids)
        found = selectors.with_what_a_page_shows(visible, profile=profile)
    count = found.count()
    if not count:
        raise UnableToSelect(_("Select at least one activity first."))
    if count > most:
        raise UnableToSelect(_too_many(count, most=most))
    return selectors.sort(found, order=query.get("sort") or columns.of(profile).order)


def add_tag(activities: Iterable[Activity], *, tag: Tag, by: Profile, now: datetime) -> Outcome:
    """Put a tag on each; of an occurrence, on its whole series (R1)."""
    return _each(activities, lambda activity: services.add_tag(activity=activity, tag=tag, by=by, now=now))


def set_status(
    activities: Iterable[Activity],
    *,
    status: str,
    by: Profile,
    now: datetime,
    result: str = "",
    result_details: str = "",
) -> Outcome:
    """Give each a status, and a final one the result; where none is given, the result there is stays."""
    values: dict[str, Any] = {"status": status}
    values |= {name: text for name, text in (("result", result), ("result_details", result_details)) if text}
    return _each(activities, lambda activity: services.edit(activity=activity, by=by, now=now, **values))


def delete(activities: Iterable[Activity], *, by: Profile, now: datetime) -> Outcome:
    """Put each out of sight; of a series, the selected occurrences alone."""
    return _each(activities, lambda activity: services.delete(activity=activity, by=by, now=now))


def what_can_be_deleted(activities: Iterable[Activity], *, by: Profile) -> Outcome:
    """Return what `delete` would delete and what it would leave out."""
    outcome = Outcome()
    for activity in activities:
        if reason := services.why_not_deletable(activity=activity, profile=by):
            outcome.left_out.append(LeftOut(activity, reason))
        else:
            outcome.changed.append(activity)
    return outcome


def _each(activities: Iterable[Activity], change: Callable[[Activity], object]) -> Outcome:
    """Change one after the other, each in the transaction of its service: one that is refused stops no other."""
    outcome = Outcome()
    for activity in activities:
        try:
            change(activity)
        except (services.UnableToChange, services.UnableToTag) as error:
            outcome.left_out.append(LeftOut(activity, str(error)))
        else:
            outcome.changed.append(activity)
    return outcome


def _too_many(count: int, *, most: int) -> str:
    return _("These are %(count)d activities; at most %(most)d can be taken at once. Narrow the filters.") % {
        "count": count,
        "most": most,
    }
