"""The dashboards: how many activities, which, whose and how long. Each figure leads to the list of what it counts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any

from django.db.models import BooleanField, Case, Count, Q, Value, When
from django.utils.http import urlencode

from accounts.models import Profile
from activities import selectors, week
from activities.models import Activity, Participant
from activities.selectors import Filters

FEWEST_WEEKS, MOST_WEEKS = 8, 14  # In the chart of hours: one bar alone tells nothing, thirty cannot be read.
MOST_PEOPLE = 12  # In the chart of who is late.

ROUND = 2 * math.pi * 70  # Of the ring, in the units of its drawing.

TONES = {"not_started": "open", "in_progress": "open", "overdue": "late", "completed": "final", "canceled": "final"}
PALE = ("not_started", "canceled")  # Which of two of one tone is the paler.


@dataclass(frozen=True, slots=True)
class Bar:
    """One figure of a chart: its word, how many or how long, and the address of the list of what it counts."""

    label: str
    value: float
    address: str
    share: float = 0.0  # Of the largest of its chart, in percent.
    tone: str = "open"
    is_pale: bool = False
    start: float = 0.0  # Where it begins on the ring, and how long it is there.
    length: float = 0.0


@dataclass(frozen=True, slots=True)
class Week(Bar):
    """The booked hours of one week; the line of its foot is at 172 units, 160 are the highest bar."""

    middle: float = 0.0  # In percent of the width.
    left: float = 0.0
    width: float = 0.0
    top: float = 172.0
    height: float = 0.0
    is_past: bool = False

    @property
    def label_at(self) -> float:
        return round(self.top - 6, 1)


@dataclass(frozen=True, slots=True)
class Dashboards:
    """What the four charts show."""

    total: int
    statuses: list[Bar]
    categories: list[Bar]
    late: list[Bar]
    late_total: int
    weeks: list[Week]
    scale: list[tuple[int, int]] = field(default_factory=list)  # Lines behind the weeks: where, and how many hours.

    @property
    def last_week(self) -> str:
        return self.weeks[-1].label


def dashboards_of(*, filters: Filters, profile: Profile, now: datetime) -> Dashboards:
    """Return what the charts show of the activities that the filters let through, of those this person may see (R8)."""
    found = selectors.matching(filters=filters, profile=profile)
    is_late = Case(
        When(~Q(status__in=Activity.FINAL_STATUSES) & Q(due__lt=now), then=Value(True)),
        default=Value(False), output_field=BooleanField(),
    )  # fmt: skip
    rows = list(found.order_by().annotate(is_late=is_late).values_list("status", "is_late", "category")
                .annotate(Count("pk", distinct=True)))  # fmt: skip
    by_status: dict[str, int] = {}
    by_category: dict[str, int] = {}
    for status, late, category, count in rows:
        name = selectors.OVERDUE if late else status
        by_status[name] = by_status.get(name, 0) + count
        by_category[category] = by_category.get(category, 0) + count
    weeks = _weeks(filters, profile=profile, now=now)
    late_people = _late_people(filters, profile=profile)
    return Dashboards(
        total=sum(by_status.values()),
        statuses=_on_a_ring(_status_bars(by_status, filters)),
        categories=_with_shares(
            Bar(str(label), by_category.get(name, 0), address(filters, category=name))
            for name, label in Activity.Category.choices
            if by_category.get(name) or not filters.category
        ),
        late=_with_shares(late_people),
        late_total=by_status.get("overdue", 0),
        weeks=weeks,
        scale=_scale(weeks),
    )


def address(filters: Filters, *, monday: date | None = None, **changes: Any) -> str:
    """Return the address of the list of what these filters let through, some of them changed; of another week, too."""
    is_a_week = filters.period not in (*selectors.PERIODS, selectors.TWO_DATES)  # One without a name of its own.
    first = monday or (filters.days[0] if filters.days and is_a_week else None)
    when = [("date", first)] if first else filters.period_pairs
    return f"?{urlencode([('view', 'list'), *when, *filters.pairs(**changes)])}"


def _status_bars(counts: Mapping[str, int], filters: Filters) -> list[Bar]:
    words = {**dict(Activity.Status.choices), selectors.OVERDUE: selectors.OVERDUE_WORDS}
    names = [name for name in TONES if counts.get(name) or (name != "canceled" and not filters.status)]
    return [
        Bar(
            str(words[name]), counts.get(name, 0), address(filters, status=name), tone=TONES[name], is_pale=name in PALE
        )
        for name in names
    ]


def _on_a_ring(bars: list[Bar]) -> list[Bar]:
    """Lay figures side by side on a ring, with a small gap between them."""
    total, begin, laid = sum(bar.value for bar in bars), 0.0, []
    for bar in bars:
        length = ROUND * bar.value / total if total else 0.0
        gap = 2.5 if length > 5 and length < ROUND else 0.0
        laid.append(replace(bar, start=round(-begin, 1), length=round(length - gap, 1)))
        begin += length
    return laid


def _with_shares(bars: Iterable[Bar]) -> list[Bar]:
    bars = list(bars)
    most = max((bar.value for bar in bars), default=0)
    return [replace(bar, share=round(100 * bar.value / most, 1) if most else 0.0) for bar in bars]


def _late_people(filters: Filters, *, profile: Profile) -> list[Bar]:
    """Count what is overdue by who takes part in it and has not declined, as the filter *Employee* does."""
    late = selectors.matching(filters=replace(filters, status=selectors.OVERDUE), profile=profile)
    people = Participant.objects.filter(activity__in=late.order_by().values("pk"), profile__user__is_active=True)
    people = people.exclude(response=Participant.Response.DECLINED)
    if filters.employees:
        people = people.filter(profile__in=filters.employees)
    counted = people.values_list("profile").annotate(count=Count("activity", distinct=True))
    counts = dict(counted.order_by("-count", "profile__full_name")[:MOST_PEOPLE])
    shown = list(filters.employees) or list(Profile.objects.filter(pk__in=counts))
    bars = [
        Bar(
            one.full_name,
            counts.get(one.pk, 0),
            address(filters, status=selectors.OVERDUE, employees=(one,), everybody=False),
            tone="late",
        )
        for one in shown
    ]
    return sorted(bars, key=lambda bar: (-bar.value, bar.label))[:MOST_PEOPLE]


def _weeks(filters: Filters, *, profile: Profile, now: datetime) -> list[Week]:
    """
    Add up the hours of each week of the period, in the person's zone, at least the FEWEST_WEEKS that end with it.

    An hour counts once for whatever is booked in it, and twice if two things are. All-day activities have no hours, and
    what is canceled takes none.
    """
    zone, today = profile.zone, now.astimezone(profile.zone).date()
    mondays = _mondays(filters.days, today=today)
    ends = [*mondays, mondays[-1] + timedelta(weeks=1)]
    edges = [datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC) for day in ends]
    shown = replace(filters, days=(mondays[0], ends[-1] - timedelta(days=1)))
    booked = selectors.matching(filters=shown, profile=profile).filter(all_day=False)
    booked = booked.exclude(status=Activity.Status.CANCELED).order_by()
    hours = _hours_between(edges, booked.values_list("start", "due", "pk").distinct())
    most = _top(hours)
    bars = []
    for number, monday in enumerate(mondays):
        share = hours[number] / most if most else 0.0
        column = 88 / len(mondays)  # The scale stands in the rest.
        bars.append(
            Week(
                label=str(monday.isocalendar().week),
                value=round(hours[number], 1),
                address=address(filters, monday=monday),
                middle=round(10 + column * (number + 0.5), 2),
                left=round(10 + column * (number + 0.2), 2),
                width=round(column * 0.6, 2),
                top=round(172 - 160 * share, 1),
                height=round(160 * share, 1),
                is_past=ends[number + 1] <= week.first_day_of_week(today),
            )
        )
    return bars


def _mondays(days: tuple[date, date] | None, *, today: date) -> list[date]:
    first, last = days or (today, today)
    begin, end = week.first_day_of_week(first), week.first_day_of_week(last)
    count = min(max((end - begin).days // 7 + 1, FEWEST_WEEKS), MOST_WEEKS)
    return [end - timedelta(weeks=back) for back in reversed(range(count))]


def _hours_between(edges: list[datetime], booked: Iterable[tuple[datetime, datetime, int]]) -> list[float]:
    """Add up the hours between each two edges."""
    seconds = [0.0] * (len(edges) - 1)
    for start, due, _pk in booked:
        for number, (begin, end) in enumerate(pairwise(edges)):
            overlap = (min(due, end) - max(start, begin)).total_seconds()
            seconds[number] += max(overlap, 0.0)
    return [value / 3600 for value in seconds]


def _top(hours: list[float]) -> float:
    """Return the hours of the highest line: four equal steps of whole hours."""
    return 4.0 * math.ceil(max(hours) / 4) if max(hours) else 0.0


def _scale(weeks: list[Week]) -> list[tuple[int, int]]:
    most = int(_top([each.value for each in weeks]))
    return [(12 + 40 * step, most * (4 - step) // 4) for step in range(5)] if most else [(172, 0)]
