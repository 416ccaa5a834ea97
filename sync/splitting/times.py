"""When a divided series takes place, if the other side moved or cut it as well: no rows, times alone (R11, R15)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from activities import recurrence, series
from sync import store
from sync.core.decide import Half
from sync.core.snapshot import Repeating, Snapshot, When, at_occurrence


def with_base(now: Snapshot, base: Mapping[str, Any]) -> Snapshot:
    return replace(now, **base)


def moved_along(whole: When, *, moved: When, part: When) -> Repeating | None:
    """Return when a later part of a series takes place once it is moved as the whole was, None if it is not."""
    if not (isinstance(whole, Repeating) and isinstance(moved, Repeating) and isinstance(part, Repeating)):
        return None
    pattern = store.pattern_of(part)
    has_own_time = part.first != at_occurrence(Snapshot("", whole), series.original_of(pattern.first)).when
    if moved.first == whole.first or has_own_time:
        return None
    try:
        along = recurrence.part_moved_along(store.pattern_of(whole), moved_whole=store.pattern_of(moved), part=pattern)
    except recurrence.UnreadableRule:
        return None
    if along is None:
        return None
    first = at_occurrence(Snapshot("", moved), series.original_of(along.first)).when
    assert not isinstance(first, Repeating)
    return Repeating(first, along.lines)


def _each_way(ours: When, theirs: When) -> list[tuple[Repeating, Repeating]]:
    """Return the times of a series as each side has them, either one first; nothing unless both repeat."""
    if not (isinstance(ours, Repeating) and isinstance(theirs, Repeating)):
        return []
    return [(ours, theirs), (theirs, ours)]


def when_of_both(here: Half, google: Half) -> Repeating | None:
    """
    Return when a series takes place of which one side cut off the later part while the other side moved it, or cut it
    somewhere else. None if that is not what they did: then the later change wins (R11).
    """
    base = here.base.when if here.base else None
    if not isinstance(base, Repeating):
        return None
    whole = store.pattern_of(base)
    try:
        for one, other in _each_way(here.now.when, google.now.when):
            cut, pattern = store.pattern_of(one), store.pattern_of(other)
            if one.first != base.first:
                continue
            lines = recurrence.cut_and_moved(whole, cut=cut, moved_whole=pattern)
            if lines is not None:
                return Repeating(other.first, lines)
            if recurrence.is_cut(whole, part=pattern) and recurrence.is_cut(pattern, part=cut):
                return one
    except recurrence.UnreadableRule:
        pass
    return None


def cut_as_the_other_side(here: Half, google: Half) -> Repeating | None:
    """
    Return when a series takes place that one side divided while the other side changed how all of it repeats.

    The change holds up to the cut: behind it the later part has these occurrences. None if neither side cut it.
    """
    base = here.base.when if here.base else None
    if not isinstance(base, Repeating):
        return None
    whole = store.pattern_of(base)
    try:
        for one, other in _each_way(here.now.when, google.now.when):
            cut, pattern = store.pattern_of(one), store.pattern_of(other)
            last = recurrence.last_start(cut)
            if last is None or not recurrence.is_cut(whole, part=cut):
                continue
            at = next(recurrence.starts(whole, after=last + timedelta(seconds=1)))
            if next(recurrence.starts(pattern, before=at), None) is None:
                return one  # Nothing of it would be left.
            return Repeating(other.first, recurrence.before_cut(pattern, at=at))
    except recurrence.UnreadableRule:
        pass
    return None
