"""A series that one side divided and the other side changed, or divided as well (R11, R15)."""

from __future__ import annotations

from dataclasses import replace

from django.db.models import Min

from activities import recurrence
from activities.models import Activity, Series
from sync import repeating, store
from sync.core.snapshot import Repeating
from sync.models import EventLink
from sync.run import Run
from sync.splitting.parts import IN_GOOGLE, is_missing, links_beside_an_insert
from sync.splitting.times import cut_as_the_other_side, when_of_both
from sync.store import Pair


def look_at_parts(run: Run, pair: Pair) -> None:
    """Let what is decided about a series know of the parts into which either side divided it."""
    if pair.activity.is_series and pair.here.has_edited("when"):
        both = when_of_both(pair.here, pair.google)
        goes_on_here, goes_on_there = _goes_on_here(run, pair), _goes_on_there(run, pair)
        until_cut = cut_as_the_other_side(pair.here, pair.google) if both is None else None
        if until_cut and not (goes_on_here or goes_on_there):
            until_cut = None  # It just ends earlier: nothing of it goes on elsewhere.
        if both or until_cut:
            both, until_cut = _up_to_part_there(run, pair, both), _up_to_part_there(run, pair, until_cut)
        is_unsent = pair.standing.unmet or "when" in pair.standing.foreign
        is_end_lost = (both == pair.here.now.when and not goes_on_there) or (
            both == pair.google.now.when and not goes_on_here
        )
        pair.standing = replace(
            pair.standing,
            when_of_both=both or until_cut,
            is_when_cut=until_cut is not None or is_end_lost,
            is_when_held=_is_part_missing(run, pair.activity.series_id),
            owed_when=_until_first_part(run, pair) if is_unsent else None,
        )


def _up_to_part_there(run: Run, pair: Pair, when: Repeating | None) -> Repeating | None:
    """Return when a series takes place before the first part of it that Google has divided off."""
    base, own = pair.here.base, repeating.cut_of(pair.link)
    cuts = [cut for part in repeating.parts_in_google(run, pair.link) if (cut := repeating.cut_of(part))]
    at = min((cut for cut in cuts if own is None or cut > own), default=None)
    if when is None or at is None or base is None or not isinstance(base.when, Repeating):
        return when
    pattern = store.pattern_of(when)
    if when.first != base.when.first or next(recurrence.starts(pattern, before=at), None) is None:
        return when
    last = recurrence.last_start(pattern)
    return when if last and last < at else Repeating(when.first, recurrence.before_cut(pattern, at=at))


def _until_first_part(run: Run, pair: Pair) -> Repeating | None:
    """Return when a series takes place in Google up to the first part of it that went out from here; None without."""
    base, now = pair.google.base, pair.google.now.when
    if base is None or not isinstance(base.when, Repeating) or not isinstance(now, Repeating):
        return None
    out = EventLink.objects.filter(calendar=run.calendar, state__in=IN_GOOGLE, activity__is_series=True)
    parts = Series.objects.filter(split_from=pair.activity.series_id, split_after__gt=0, pk__in=out.values("series"))
    place = parts.aggregate(first=Min("split_after"))["first"]
    if place is None:
        return None
    pattern = store.pattern_of(now)
    try:
        at = recurrence.start_in_part(pattern, whole=store.pattern_of(base.when), begins=0, number=place)
        return Repeating(now.first, recurrence.before_cut(pattern, at=at)) if at else None
    except (recurrence.UnreadableRule, recurrence.UnableToMove):
        return None


def _is_part_missing(run: Run, series_id: int | None) -> bool:
    """
    Whether a part that was split off here is to be in Google and is not there yet, or its own later part.

    The old part is cut only once the new one is there: else no calendar there would have these occurrences.
    """
    for part in Activity.every.filter(series__split_from=series_id, is_series=True).select_related("series"):
        is_there = links_beside_an_insert(run, part).exists()
        if not is_there and (is_missing(run, part) or _is_part_missing(run, part.series_id)):
            return True
    return False


def _goes_on_there(run: Run, pair: Pair) -> bool:
    """Whether a series was divided in Google, where what was cut off is a series of its own."""
    parts = EventLink.objects.filter(
        calendar=run.calendar,
        google_calendar_id=pair.link.google_calendar_id,
        event_id__startswith=f"{repeating.root_of(pair.link)}_R",
        event__recurringEventId__isnull=True,
    )
    return parts.exclude(pk=pair.link.pk).exclude(event__status="cancelled").exists()


def _goes_on_here(run: Run, pair: Pair) -> bool:
    """
    Whether a series was divided here, where what was cut off is a series of its own.

    That may be the end of a part by now that Google has divided as well.
    """
    parts = repeating.parts_in_google(run, pair.link)
    former = [pair.activity.series_id, *(part.activity.series_id for part in parts if part.activity)]
    return Activity.every.present().filter(series__split_from__in=former, is_series=True).exists()
