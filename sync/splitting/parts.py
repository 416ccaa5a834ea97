"""The parts into which a series was divided here, and which of them are in Google (R15)."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet

from activities.models import Activity, Series
from sync import store
from sync.core.decide import Presence
from sync.models import EventLink
from sync.run import Run

IN_GOOGLE = (EventLink.State.LINKED, EventLink.State.FROZEN)


@dataclass(frozen=True)
class Part:
    """
    A later part of a series, and how many occurrences of the whole come before it.

    That is how parts are told apart that both sides made: the number stays, wherever part or whole were moved since.
    """

    head: Activity
    place: int

    @property
    def series(self) -> Series:
        assert self.head.series is not None
        return self.head.series


def parts_of(whole: int | None, *, but: QuerySet[EventLink]) -> list[Part]:
    """Return what was split off a series here, and off that in turn, leaving out what these links have."""
    places, former, found = {whole: 0}, [whole], []
    while former:
        parts = Activity.every.filter(series__split_from__in=former, is_series=True).select_related("series")
        former = []
        for head in parts.exclude(pk__in=but.values("activity")):
            assert head.series is not None
            if head.series.pk in places:
                continue
            places[head.series.pk] = places[head.series.split_from_id] + head.series.split_after
            former.append(head.series.pk)
            found.append(Part(head, places[head.series.pk]))
    return sorted((part for part in found if part.head.deleted_at is None), key=lambda part: part.place)


def links_beside_an_insert(run: Run, part: Activity) -> QuerySet[EventLink]:
    """Return the links of a part, but the one by which this session is to add it."""
    links = EventLink.objects.filter(activity=part).exclude(state=EventLink.State.FORGOTTEN)
    return links.exclude(
        state=EventLink.State.INSERTING, calendar=run.calendar, google_calendar_id=run.calendar.calendar_id
    )


def is_missing(run: Run, part: Activity) -> bool:
    """Whether a part that was split off here is to be in Google, and is not there yet."""
    if links_beside_an_insert(run, part).exists():
        return False
    activity = store.load_activity(part.pk)
    return (
        store.presence_here(activity) is Presence.PRESENT
        and activity.organizer_id == run.me.pk
        and store.unmet_condition(run, activity) is None
    )
