"""Series that come in: their occurrences are made, or move in from where they were (R15)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from activities import series
from activities.models import Activity, Series
from sync import marks, store
from sync.core import mapping
from sync.core.snapshot import Days, Repeating
from sync.models import EventLink
from sync.repeating.exceptions import look_at_exceptions
from sync.repeating.in_google import cut_in_google, cut_of, let_times_follow, split_from
from sync.run import Run, facts_in


def put_rule(activity: Activity, when: Repeating) -> None:
    """Let the head of a series repeat like this; the series is made with its first rule. The head is not saved."""
    row = activity.series or Series()
    row.recurrence = list(when.lines)
    pattern = store.pattern_of(when)
    row.first_start = series.original_of(pattern.first)
    row.time_zone = activity.time_zone if isinstance(when.first, Days) else pattern.time_zone
    row.save()
    activity.series, activity.is_series = row, True


def lay_out_imported(
    run: Run, link: EventLink, head: Activity, *, part_of: EventLink | None, since: datetime | None
) -> None:
    """
    Make the occurrences of a series that has just come in.

    What is here already moves into it with its local work: the occurrences, from `since` on, of the series from which
    Google split it off (`part_of`), and those to which somebody was invited one by one.
    """
    assert head.series is not None
    _take_over_single_invitations(run, link, head)
    for whole in split_from(run, link) or filter(None, [part_of]):
        assert whole.activity is not None
        moved = series.move_occurrences(whole.activity, to=head, since=since or head.series.first_start, now=run.now)
        if cut_of(link) is None and cut_in_google(run, whole):
            let_times_follow(head, moved)
        renew(run, moved)
    series.skip(head.series, originals=_left_out(run, link))
    series.lay_out(head.series, after=run.window.start, now=run.now)
    look_at_exceptions(run, link)


def lay_out_joined(run: Run, link: EventLink, head: Activity) -> None:
    """Make what is missing for somebody who joins a series: their window may begin earlier."""
    assert head.series is not None
    _take_over_single_invitations(run, link, head)
    if head.organizer_id == run.me.pk:  # What only a guest had thrown away takes place all the same.
        leave_out_as_google(run, link, head)
    series.lay_out(head.series, after=run.window.start, now=run.now)
    look_at_exceptions(run, link)


def leave_out_as_google(run: Run, link: EventLink, head: Activity) -> None:
    """Let nothing be left out that Google does not leave out itself. What has its turn again is not laid out yet."""
    assert head.series is not None
    left_out = {original.isoformat() for original in _left_out(run, link)}
    head.series.skipped = [text for text in head.series.skipped if text in left_out]
    head.series.save(update_fields=["skipped"])


def _left_out(run: Run, link: EventLink) -> list[datetime]:
    """Return the original starts that Google's series leaves out: cancelled before they came here."""
    gone = EventLink.objects.filter(
        calendar=run.calendar, event__recurringEventId=link.event_id, event__status="cancelled", activity=None
    ).exclude(event__has_key=mapping.WENT_WITH_ITS_DAY)
    originals = (facts_in(exception).original_start for exception in gone)
    return [original for original in originals if original]


def _take_over_single_invitations(run: Run, link: EventLink, head: Activity) -> None:
    """Whoever was invited to single occurrences first, this user or a colleague, has these activities already (R9)."""
    singles = EventLink.objects.filter(
        event__recurringEventId=link.event_id,
        activity__isnull=False,
        activity__series=None,
        state__in=EventLink.HOLDING,
    )
    for single in singles.select_related("activity").order_by("id"):
        theirs = facts_in(single)
        original = theirs.original_start
        taken = Activity.every.filter(series=head.series, original_start=original).exists()
        if original is None or taken or theirs.organizer != facts_in(link).organizer:
            continue
        Activity.objects.filter(pk=single.activity_id).update(series=head.series, original_start=original)
        EventLink.objects.filter(activity=single.activity_id).update(series=head.series)


def renew(run: Run, moved: Iterable[int]) -> None:
    """Occurrences that came over into another series: links to what they were there are of no use any more."""
    links = EventLink.objects.filter(activity__in=list(moved), event__recurringEventId__isnull=False)
    ids = list(links.order_by("id").select_for_update(of=("self",), no_key=True).values_list("pk", flat=True))
    EventLink.objects.filter(pk__in=ids).delete()
    marks.mark_activities(calendar=run.calendar, activities=moved)
