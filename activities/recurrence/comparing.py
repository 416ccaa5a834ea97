"""What became of a series: its occurrences in another version of it, and whether that is cut or moved (R15, R11)."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import islice, zip_longest

from activities.recurrence.clock import as_much_later
from activities.recurrence.cutting import from_cut
from activities.recurrence.expansion import happens_at, last_start, starts
from activities.recurrence.lines import Series, read
from activities.recurrence.moving import moved
from activities.recurrence.pattern import Pattern, UnableToMove

_NEAR = timedelta(days=40)  # Farther no occurrence is from where its series was moved.
_MOST_COMPARED = 5_000  # Occurrences; two series alike up to there are taken to be alike.


def counterpart(original: datetime, *, old: Pattern, new: Pattern, candidates: Set[datetime]) -> datetime | None:
    """
    Return which occurrence of the new pattern an occurrence of the old one becomes, or None.

    Where the series was moved as a whole (`moved`), the one that is as much later as the series now begins, by the
    clock on the wall, or the one of the same month or year of the series. Else itself, if it is still there; else the
    one as much later; else the one on the same day. What stays itself is nobody else's counterpart.

    :param candidates: the original starts of the new pattern, in UTC, that it may become.
    :raises UnreadableRule:
    """
    was, now = read(old), read(new)
    local = was.clock.local(original)
    shifted = as_much_later(original, was.clock, now.clock)
    if _is_moved(old, new):
        return shifted if shifted in candidates else _of_the_same_period(local, was, now, candidates)
    if original in candidates:
        return original
    if shifted in candidates and not happens_at(old, shifted):
        return shifted
    begin = now.clock.at_midnight(local.date())
    end = now.clock.at_midnight(local.date() + timedelta(days=1))
    on_that_day = sorted(moment for moment in candidates if begin <= moment < end)
    return next((moment for moment in on_that_day if not happens_at(old, moment)), None)


def start_once_moved(original: datetime, *, old: Pattern, new: Pattern) -> datetime | None:
    """
    Return which original start an occurrence of the old pattern, which the new one has no more, has there; or None.

    Occurrences take their places one after another, each place once.

    :raises UnreadableRule:
    """
    moved_to = as_much_later(original, read(old).clock, read(new).clock)
    after, before = min(original, moved_to) - _NEAR, max(original, moved_to) + _NEAR
    stays = set(starts(old, after=after, before=before)) & set(starts(new, after=after, before=before))
    free = set(starts(new, after=after, before=before)) - stays
    for start in starts(old, after=original - _NEAR, before=original + timedelta(seconds=1)):
        place = None if start in stays else counterpart(start, old=old, new=new, candidates=free)
        if start == original:
            return place
        free -= {place}
    return None


@lru_cache(maxsize=64)
def _is_moved(old: Pattern, new: Pattern) -> bool:
    """Return whether the new lines are what a move to another day makes of the old ones, and not the same as before."""
    try:
        return read(old).meaning != read(new).meaning and _was_moved(old, new)
    except UnableToMove:
        return False


def _of_the_same_period(local: datetime, was: Series, now: Series, candidates: Set[datetime]) -> datetime | None:
    """Return the only occurrence in the month or year that is as far from the first as that of an old occurrence."""
    if len(was.rules) != 1 or was.rules[0].frequency not in ("MONTHLY", "YEARLY"):
        return None
    index = was.rules[0].index
    past = index(local.date()) - index(was.clock.first.date())
    wanted = index(now.clock.first.date()) + past
    found = [moment for moment in candidates if index(now.clock.local(moment).date()) == wanted]
    return found[0] if len(found) == 1 else None


def cut_and_moved(whole: Pattern, *, cut: Pattern, moved_whole: Pattern) -> tuple[str, ...] | None:
    """
    Return the lines of a series of which somebody cut off the later part while somebody else moved all of it.

    It begins where the moved one does. None: that is not what the two have done to the whole.

    :raises UnreadableRule:
    """
    if not is_cut(whole, part=cut):
        return None
    try:
        if _was_moved(whole, moved_whole):
            return moved(cut, first=moved_whole.first, time_zone=moved_whole.time_zone)
    except UnableToMove:
        pass
    return tuple(cut.lines) if tuple(whole.lines) == tuple(moved_whole.lines) else None


def part_moved_along(whole: Pattern, *, moved_whole: Pattern, part: Pattern) -> Pattern | None:
    """
    Return a later part of a series as it is once it is moved as all of the series was.

    None: the part does not begin with an occurrence of the series, or something else was done to the whole.

    :raises UnreadableRule:
    """
    original, near = read(part).clock.first_moment, timedelta(days=40)
    try:
        if not happens_at(whole, original) or not _was_moved(whole, moved_whole):
            return None
        candidates = set(starts(moved_whole, after=original - near, before=original + near))
        shifted = as_much_later(original, read(whole).clock, read(moved_whole).clock)
        # Of a daily series its day may be another one's now: it goes on all the same.
        begins: datetime | None = shifted
        if shifted not in candidates:
            begins = counterpart(original, old=whole, new=moved_whole, candidates=candidates)
        if begins is None:
            return None
        first = begins if isinstance(moved_whole.first, datetime) else begins.date()
        lines = moved(part, first=first, time_zone=moved_whole.time_zone)
    except UnableToMove:
        return None
    return Pattern(first, moved_whole.time_zone, lines)


def goes_on(whole: Pattern, *, at: datetime, part: Pattern, is_cut_too: bool) -> bool:
    """
    Return whether a series repeats as another one would from one of its occurrences on, wherever it was moved.

    :param is_cut_too: it ends earlier itself.
    :raises UnreadableRule:
    """
    try:
        rest = _as_divided(whole, at=at)
        if not is_cut_too:
            return tuple(rest.lines) == tuple(part.lines) or _was_moved(rest, part)
        lines = moved(rest, first=part.first, time_zone=part.time_zone)
        return is_cut(replace(part, lines=lines), part=part)
    except UnableToMove:
        return False


def part_from(whole: Pattern, *, at: datetime, like: Pattern) -> Pattern | None:
    """
    Return a later part of a series as if nobody had divided it again: it begins when `like`, that part by now, does.

    None if that repeats otherwise by now.

    :raises UnreadableRule:
    """
    try:
        lines = moved(_as_divided(whole, at=at), first=like.first, time_zone=like.time_zone)
    except UnableToMove:
        return None
    unmoved = replace(like, lines=lines)
    is_same = read(unmoved).meaning == read(like).meaning or is_cut(unmoved, part=like)
    return unmoved if is_same else None


def _as_divided(whole: Pattern, *, at: datetime) -> Pattern:
    """:raises UnableToMove:"""
    first = at if isinstance(whole.first, datetime) else at.date()
    return replace(whole, first=first, lines=from_cut(whole, at=at))


def start_in_part(part: Pattern, *, whole: Pattern, begins: int, number: int) -> datetime | None:
    """
    Return which start of a later part is, or follows, an occurrence of the series from which it was divided.

    Occurrences are counted from 0: `begins` is the one of the whole with which the part began, wherever it was moved
    since, and `number` the one asked for. None: the part ends before.

    :raises UnreadableRule:
    """
    originals = list(islice(starts(whole), number + 1))
    past = number - begins
    found = list(islice(starts(part), past + 1))
    if number >= len(originals) or _is_part_as_divided(part, whole=whole, at=originals[begins], most=past + 1):
        return found[past] if past < len(found) else None
    day = read(part).clock  # It repeats otherwise by now: what happens on that day or later comes after the cut.
    return next(starts(part, after=day.at_midnight(day.local(originals[number]).date())), None)


def _is_part_as_divided(part: Pattern, *, whole: Pattern, at: datetime, most: int) -> bool:
    """Whether a part still repeats as when it was divided there, at whatever time; it may end earlier."""
    try:
        lines = moved(_as_divided(whole, at=at), first=part.first, time_zone=part.time_zone)
        expected = islice(starts(replace(part, lines=lines)), most)
    except UnableToMove:
        return False
    return all(one == other for one, other in zip(starts(part), expected, strict=False))


def _was_moved(whole: Pattern, moved_whole: Pattern) -> bool:
    """Return whether the lines are those a move to where it begins now makes of the whole. :raises UnableToMove:"""
    lines = moved(whole, first=moved_whole.first, time_zone=moved_whole.time_zone)
    return read(replace(moved_whole, lines=lines)).meaning == read(moved_whole).meaning


def is_cut(whole: Pattern, *, part: Pattern) -> bool:
    """Return whether a series is the begin of another one, without its end. :raises UnreadableRule:"""
    if read(whole).clock != read(part).clock:
        return False
    last = last_start(part)
    goes_on = last and next(starts(whole, after=last + timedelta(seconds=1)), None)
    if not goes_on:
        return False
    both = zip_longest(starts(part), starts(whole, before=goes_on))
    return all(one == other for one, other in islice(both, _MOST_COMPARED))
