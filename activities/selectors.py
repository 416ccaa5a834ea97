"""What the section shows: the quick filters, the filtered list, the week of one or several employees."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Case, Count, F, IntegerField, Prefetch, Q, QuerySet, Value, When, Window
from django.db.models.functions import Lower
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Profile
from activities import recurrence, week
from activities.models import Activity, Participant, Series, Tag
from activities.series import pattern_of

PERIODS = {
    "yesterday": _("Yesterday"),
    "today": _("Today"),
    "tomorrow": _("Tomorrow"),
    "previous_week": _("Previous week"),
    "current_week": _("Current week"),
    "next_week": _("Next week"),
    "previous_month": _("Previous month"),
    "current_month": _("Current month"),
    "next_month": _("Next month"),
    "previous_quarter": _("Previous quarter"),
    "current_quarter": _("Current quarter"),
    "next_quarter": _("Next quarter"),
    "any": _("Any time"),
}
WEEKS = {"previous_week": -1, "current_week": 0, "next_week": 1}  # Counted from the current one.
MONTHS = {  # How many months the period has, and how many such periods it is from the current one.
    "previous_month": (1, -1), "current_month": (1, 0), "next_month": (1, 1),
    "previous_quarter": (3, -1), "current_quarter": (3, 0), "next_quarter": (3, 1),
}  # fmt: skip
TWO_DATES = "dates"  # The period between two days the address gives as "from" and "to", both included.
DEFAULT_PERIOD = "current_week"
OVERDUE, OVERDUE_WORDS = "overdue", _("Overdue")  # What is open though its time is over, beside the statuses.
MOST_COUNTED = 2_000  # Occurrences of a series.
SORTABLE = ("subject", "status", "start", "due", "category", "priority", "owner", "location")


class WrongDates(Exception):
    """Two dates make no period. The message is written for the user."""


@dataclass(frozen=True, slots=True)
class Filters:
    """
    The quick filters of the section, as the address has them.

    `days` are the first and the last day of the period in the reader's zone, both included; None is any time.
    """

    period: str
    days: tuple[date, date] | None
    employees: tuple[Profile, ...]
    everybody: bool = False
    tag: Tag | None = None
    series: Series | None = None  # One repeating activity alone.
    search: str = ""
    show_canceled: bool = False
    status: str = ""  # One of Activity.Status, or OVERDUE.
    category: str = ""
    now: datetime | None = field(default=None, compare=False)  # When it was asked: what is overdue then.
    own: Profile | None = field(default=None, compare=False)  # Whose filters these are.
    typed_dates: tuple[str, str] = ("", "")  # The two dates as they came, to be corrected if need be.
    problem: str = ""  # What is wrong with them, in words for the user; the period is the default one then.

    @property
    def period_pairs(self) -> list[tuple[str, Any]]:
        """The period as name and value pairs of an address."""
        if self.period == TWO_DATES and self.days:
            return [("period", TWO_DATES), ("from", self.days[0]), ("to", self.days[1])]
        return [("period", self.period)]

    def pairs(self, **changes: Any) -> list[tuple[str, Any]]:
        """
        Return the filters as name and value pairs of an address, some of them changed; what is default is left out.

        The period is left to the caller: a list has one, a calendar shows the week of a date.
        """
        changed = replace(self, **changes)
        pairs: list[tuple[str, Any]] = []
        if changed.everybody:
            pairs.append(("employee", "all"))
        elif changed.employees and changed.employees != (self.own,):
            pairs += [("employee", employee.pk) for employee in changed.employees]
        if changed.tag:
            pairs.append(("tag", changed.tag.pk))
        if changed.series:
            pairs.append(("series", changed.series.pk))
        if changed.search:
            pairs.append(("search", changed.search))
        if changed.show_canceled:
            pairs.append(("show_canceled", 1))
        if changed.status:
            pairs.append(("status", changed.status))
        if changed.category:
            pairs.append(("category", changed.category))
        return pairs

    @property
    def status_words(self) -> str:
        return str(OVERDUE_WORDS if self.status == OVERDUE else Activity.Status(self.status).label)

    @property
    def category_words(self) -> str:
        return str(Activity.Category(self.category).label)


def read_filters(values: QueryDict, *, profile: Profile, now: datetime) -> Filters:
    """
    Read the filters of an address; what makes no sense counts as not given.

    A search from the top bar, which names no view, looks at any time and at everybody: who searches knows neither.
    """
    today = now.astimezone(profile.zone).date()
    search = str(values.get("search") or "").replace("\x00", "").strip()
    looks_everywhere = bool(search) and "view" not in values
    asked = _employees_asked_for(values)
    default, problem = "any" if looks_everywhere else DEFAULT_PERIOD, ""
    typed_dates = (str(values.get("from") or "")[:20], str(values.get("to") or "")[:20])
    try:
        period, days = _period(values, today=today, default=default)
    except WrongDates as error:
        period, days = _period(QueryDict(), today=today, default=default)
        problem = str(error)
    employees = tuple(Profile.objects.filter(pk__in=asked, user__is_active=True))
    everybody = "all" in values.getlist("employee") or (looks_everywhere and not employees)
    tag_id, series_id = read_number(values.get("tag")), read_number(values.get("series"))
    status, category = str(values.get("status") or ""), str(values.get("category") or "")
    return Filters(
        period=period,
        days=days,
        employees=() if everybody else _oneself_first(employees, profile) or (profile,),
        everybody=everybody,
        tag=Tag.objects.visible_to(profile).filter(pk=tag_id).first() if tag_id else None,
        series=Series.objects.filter(pk=series_id).first() if series_id else None,
        search=search,
        show_canceled=values.get("show_canceled") == "1",
        status=status if status in (*Activity.Status.values, OVERDUE) else "",
        category=category if category in Activity.Category.values else "",
        now=now,
        own=profile,
        typed_dates=typed_dates,
        problem=problem,
    )


def find(*, filters: Filters, profile: Profile, in_calendar: bool = False) -> QuerySet[Activity]:
    """Return the activities the filters let through, of those the person may see (R8). They carry what a page shows."""
    return with_what_a_page_shows(matching(filters=filters, profile=profile, in_calendar=in_calendar), profile=profile)


def matching(*, filters: Filters, profile: Profile, in_calendar: bool = False) -> QuerySet[Activity]:
    """Return the same as `find` as bare rows, to be counted."""
    found = _in_period(Activity.objects.visible_to(profile).of_the_section(), filters=filters, zone=profile.zone)
    if not filters.everybody:
        found = found.of_employees(list(filters.employees))
    if in_calendar:
        found = found.filter(show_in_calendar=True)
    if not filters.show_canceled and filters.status != Activity.Status.CANCELED:
        found = found.exclude(status=Activity.Status.CANCELED)
    if filters.status:
        is_late = ~Q(status__in=Activity.FINAL_STATUSES) & Q(due__lt=filters.now or timezone.now())
        found = found.filter(is_late if filters.status == OVERDUE else Q(status=filters.status) & ~is_late)
    if filters.category:
        found = found.filter(category=filters.category)
    if filters.tag:
        found = found.filter(tags=filters.tag)
    if filters.series:
        found = found.filter(series=filters.series)
    if filters.search:
        text = filters.search
        found = found.filter(Q(subject__icontains=text) | Q(location__icontains=text) | Q(notes__icontains=text))
    return found


def with_what_a_page_shows(activities: QuerySet[Activity], *, profile: Profile) -> QuerySet[Activity]:
    """Load people and tags along: of the tags only those this person may see, as `visible_tags` (R1)."""
    taking_part = Prefetch("participants", queryset=Participant.objects.select_related("profile"))
    return _with_tags(activities, profile=profile).select_related("series").prefetch_related(taking_part)


def rows_of_list(ids: list[int], *, profile: Profile) -> QuerySet[Activity]:
    """Return these activities with what the list shows of them, which is less than a page of one does."""
    return _with_tags(Activity.objects.filter(pk__in=ids), profile=profile).defer("notes", "result_details")


def _with_tags(activities: QuerySet[Activity], *, profile: Profile) -> QuerySet[Activity]:
    visible = Prefetch("tags", queryset=Tag.objects.visible_to(profile), to_attr="visible_tags")
    return activities.select_related("owner").prefetch_related(visible)


def is_section_empty(profile: Profile) -> bool:
    """Whether there is nothing at all this person could find, whatever the filters."""
    return not Activity.objects.visible_to(profile).of_the_section().exists()


def sort(activities: QuerySet[Activity], *, order: str) -> QuerySet[Activity]:
    """Order a list by a column, downwards with "-" before it. What is no column counts as "start"."""
    column = order.removeprefix("-")
    if column not in SORTABLE:
        order = column = "start"
    if column == "owner":
        expression: Any = F("owner__full_name")
    elif column in ("subject", "location"):
        expression = Lower(column)
    elif column == "priority":  # By weight, not by the alphabet.
        weights = [When(priority=value, then=Value(weight)) for weight, value in enumerate(Activity.Priority.values)]
        expression = Case(*weights, output_field=IntegerField())
    else:
        expression = F(column)
    ordered = expression.desc(nulls_last=True) if order.startswith("-") else expression.asc(nulls_last=True)
    return activities.order_by(ordered, "start", "id")


class OnePassPaginator(Paginator):
    """
    Pages of activities. One pass over all that match finds the ids of a page and counts the others.

    A search reads much text, which it should do once, and whole rows are wide to sort; so `load` gets the rows of a
    page by their ids.
    """

    def __init__(
        self, found: QuerySet[Activity], *, size: int, load: Callable[[list[int]], QuerySet[Activity]]
    ) -> None:
        super().__init__(found, size)
        self._found, self._load = found, load

    def get_page(self, number: Any) -> Page[Any]:
        """Return the page of a number as an address has it; the first or the last one where there is no such page."""
        wanted = read_number(number) or 1
        ids = self._ids(wanted)
        if not ids and wanted > 1:
            wanted = self.num_pages
            ids = self._ids(wanted)
        rows = {activity.pk: activity for activity in self._load(ids)} if ids else {}
        return Page([rows[pk] for pk in ids if pk in rows], wanted, self)

    def _ids(self, number: int) -> list[int]:
        found = self._found.annotate(all_there_are=Window(Count("*"))).values_list("pk", "all_there_are")
        begin = (number - 1) * self.per_page
        of_page = list(found[begin : begin + self.per_page])
        if of_page or number == 1:
            self.count = of_page[0][1] if of_page else 0
        return [pk for pk, _all in of_page]


@dataclass(frozen=True, slots=True)
class PlaceInSeries:
    """How an activity repeats, in words, and which of how many occurrences it is; None is unknown, or no end."""

    words: str
    number: int | None
    total: int | None

    @property
    def is_by_its_own_rule(self) -> bool:
        return self.words == recurrence.own_rule()


def place_in_series(activity: Activity) -> PlaceInSeries | None:
    """Return the place of an occurrence in its series; None of what does not repeat."""
    if activity.series is None or activity.original_start is None:
        return None
    pattern = pattern_of(activity.series.head)
    try:
        is_endless = recurrence.is_endless(pattern)
        # Whoever counts further than this does not count occurrences.
        earlier = sum(1 for _start in islice(recurrence.starts(pattern, before=activity.original_start), MOST_COUNTED))
        total = None if is_endless else sum(1 for _start in islice(recurrence.starts(pattern), MOST_COUNTED))
    except recurrence.UnreadableRule:
        return PlaceInSeries(recurrence.in_words(pattern), number=None, total=None)
    return PlaceInSeries(
        recurrence.in_words(pattern),
        number=earlier + 1 if earlier < MOST_COUNTED else None,
        total=total if total and earlier < total < MOST_COUNTED else None,
    )


@dataclass(frozen=True, slots=True)
class Busy:
    """Of an activity a colleague may not read, only whose it is; the layout knows when (R8)."""

    people: tuple[str, ...]


def week_of(*, filters: Filters, profile: Profile, first: date) -> tuple[week.Week, list[Activity]]:
    """
    Return the calendar week that begins on a day, in the reader's zone, and the activities in it.

    The payload of an entry is the Activity, or Busy where a colleague is not free and may keep the reason (R8).
    """
    days = week.days_from(first)
    of_the_week = replace(filters, days=(days[0], days[-1]))
    activities = list(find(filters=of_the_week, profile=profile, in_calendar=True))
    entries = [_entry(activity, payload=activity) for activity in activities]
    entries += busy_entries(of_the_week, profile=profile)
    return week.lay_out(entries, days=days, zone=profile.zone), activities


def busy_entries(filters: Filters, *, profile: Profile) -> list[week.Entry]:
    """Return when colleagues are not free, of what this person may not read; the payloads are Busy (R8)."""
    colleagues = [employee for employee in filters.employees if employee != profile]
    is_narrowed = filters.tag or filters.series or filters.search or filters.status or filters.category
    if not colleagues or is_narrowed:  # Whether it would match is nobody else's to know.
        return []
    busy = _in_period(Activity.objects.busy_for(profile).of_the_section(), filters=filters, zone=profile.zone)
    busy = busy.of_employees(colleagues).filter(show_in_calendar=True, show_as_free=False)
    busy = busy.exclude(status=Activity.Status.CANCELED)
    taking_part = Participant.objects.filter(profile__in=colleagues).exclude(response=Participant.Response.DECLINED)
    return [
        _entry(activity, payload=Busy(tuple(person.profile.full_name for person in activity.participants.all())))
        for activity in busy.only("start", "due", "all_day", "start_date", "due_date").prefetch_related(
            Prefetch("participants", queryset=taking_part.select_related("profile"))
        )
    ]


def _entry(activity: Activity, *, payload: Any) -> week.Entry:
    days = (activity.start_date, activity.due_date) if activity.start_date and activity.due_date else None
    return week.Entry(activity.start, activity.due, days, payload)


def _in_period(activities: Any, *, filters: Filters, zone: zoneinfo.ZoneInfo) -> Any:
    """Keep what happens in the period; the days of an all-day activity are the same in every zone (R16)."""
    if filters.days is None:
        return activities
    first, last = filters.days
    start = datetime.combine(first, time.min, tzinfo=zone).astimezone(UTC)
    end = datetime.combine(last + timedelta(days=1), time.min, tzinfo=zone).astimezone(UTC)
    timed = activities.filter(all_day=False).overlapping(start=start, end=end).values("pk")
    return activities.filter(Q(all_day=True, start_date__lte=last, due_date__gte=first) | Q(pk__in=timed))


def _period(values: QueryDict, *, today: date, default: str) -> tuple[str, tuple[date, date] | None]:
    """
    Return the period's name and days. A `date` asks for the week it lies in, which has no name of its own.

    :raises WrongDates: if two dates are asked for that are none.
    """
    day = read_date(values.get("date"))
    monday = week.first_day_of_week(today)
    period = str(values.get("period") or "")
    if period == TWO_DATES:
        return period, _two_dates(values)
    if period not in PERIODS:
        if day:
            first = week.first_day_of_week(day)
            return name_of_week(first, today=today), (first, first + timedelta(days=6))
        period = default
    shifts = {"yesterday": -1, "today": 0, "tomorrow": 1}
    if period in shifts:
        on = today + timedelta(days=shifts[period])
        return period, (on, on)
    if period in WEEKS:
        first = monday + timedelta(weeks=WEEKS[period])
        return period, (first, first + timedelta(days=6))
    if period in MONTHS:
        length, shift = MONTHS[period]
        first_month = (today.month - 1) // length * length + shift * length
        return period, (_first_of_month(today, first_month), _first_of_month(today, first_month + length, -1))
    return period, None


def _first_of_month(today: date, months: int, days: int = 0) -> date:
    """Return the first day of a month, counted from January of this year, moved by some days."""
    return date(today.year + months // 12, months % 12 + 1, 1) + timedelta(days=days)


def _two_dates(values: QueryDict) -> tuple[date, date]:
    """:raises WrongDates: with words for the user."""
    if not (values.get("from") and values.get("to")):
        raise WrongDates(_("Choose both dates, the first and the last day of the period."))
    first, last = read_date(values.get("from")), read_date(values.get("to"))
    if first is None or last is None:
        raise WrongDates(_("That is no date the calendar knows. Write dates like 2026-03-09."))
    if last < first:
        raise WrongDates(_("The last day cannot be earlier than the first."))
    return first, last


def name_of_week(first: date, *, today: date) -> str:
    """Return the period a week is, counted from today; "week" for one farther away."""
    weeks = (first - week.first_day_of_week(today)).days // 7
    return next((name for name, distance in WEEKS.items() if distance == weeks), "week")


def _employees_asked_for(values: QueryDict) -> list[int]:
    return [number for value in values.getlist("employee") if (number := read_number(value))]


def _oneself_first(employees: Iterable[Profile], oneself: Profile) -> tuple[Profile, ...]:
    return tuple(sorted(employees, key=lambda employee: (employee != oneself, employee.full_name, employee.pk)))


def read_number(value: Any) -> int | None:
    text = str(value or "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def read_date(value: Any) -> date | None:
    """Return the day of an ISO date, if it is one the calendar can show a week around."""
    try:
        day = date.fromisoformat(str(value or ""))
    except ValueError:
        return None
    return day if date(1970, 1, 8) < day < date(9000, 1, 1) else None
