"""
What a session would do now, item by item, changing nothing (R21).

A preview is a session that pretends: Google is read outside any transaction, then the session's own code looks at a few
items at a time, writes to a `PretendGoogle`, and everything is rolled back. So it says what the session says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from activities.models import Activity, Series, Tag
from sync import engine, items, repeating, store
from sync.core import guards
from sync.core.eligibility import window_start_for_google
from sync.google import errors
from sync.google.gateway import SHORT_PATIENCE, CalendarGateway, Call
from sync.models import ActivityMark, EventLink, SyncedCalendar, SyncOutcome, SyncSession, SyncSettings
from sync.pretending import NotReadYet, PretendGoogle
from sync.run import Run

State, Direction = EventLink.State, SyncOutcome.Direction
AT_ONCE = 25  # Items planned in one transaction: short enough that nobody waits for it.


@dataclass(frozen=True, slots=True)
class PlannedAction:
    """
    One line of a preview (R21): what the outcome of a session would say.

    `action` and `direction` are those of `SyncOutcome`, beside “stays_out” for what does not take part. Of a conflict,
    `here` and `google` are both values and `kept` names the winner.
    """

    action: str
    direction: str
    item: str
    rule: str
    reason: str
    activity_id: int | None = None
    field: str = ""
    here: Any = None
    google: Any = None
    kept: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """
    What a session would do, and how many requests to Google the answer took.

    `waiting` are the removals before which the session would stop and ask (R14); they are not among `actions`.
    `staying_out` are items that it would look at and leave alone, with the reason (R1, R2).
    """

    actions: list[PlannedAction]
    requests_made: int
    waiting: list[PlannedAction] = field(default_factory=list)
    staying_out: list[PlannedAction] = field(default_factory=list)

    def as_dict(self) -> dict[str, list[dict[str, Any]]]:
        """Return the three lists as `synchronize --preview --json` prints them."""
        return {
            "actions": [asdict(action) for action in self.actions],
            "needs_confirmation": [asdict(action) for action in self.waiting],
            "staying_out": [asdict(action) for action in self.staying_out],
        }


STAYS_OUT = "stays_out"


def preview(*, calendar: SyncedCalendar, now: datetime, gateway: CalendarGateway | None = None) -> Preview:
    """
    Return what a session would do now, item by item, and change nothing (R21).

    Google is only read, never within a transaction. The failures of `sync.google.errors` pass through.

    :raises NotSetUp: if no session could run.
    """
    session = SyncSession(calendar=calendar, queued_at=now, started_at=now)
    run = engine.begin(
        calendar=calendar,
        session=session,
        settings=engine.settings_of(calendar),
        key="",
        now=now,
        gateway=gateway,
        patience=SHORT_PATIENCE,
    )
    return _Planner(run.gateway, settings=run.settings, calendar_id=calendar.pk, now=now).preview()


def foresee(
    *, calendar: SyncedCalendar, now: datetime, link: EventLink | None, activity_id: int | None
) -> tuple[list[PlannedAction], bool]:
    """
    Return what the next session would do with one item as the database knows it, and whether it would ask Google first.

    Google is not asked, and nothing is changed (R21).

    :raises NotSetUp: if no session could run.
    """
    session = SyncSession(calendar=calendar, queued_at=now, started_at=now)
    silent = PretendGoogle(calendar, read={}, now=now)
    run = engine.begin(
        calendar=calendar, session=session, settings=engine.settings_of(calendar), key="", now=now, gateway=silent
    )
    planner = _Planner(silent, settings=run.settings, calendar_id=calendar.pk, now=now)
    item = _item_of(link) if link else _Item(activity_id=activity_id)
    try:
        planner.look_at([item], removes=True)
    except NotReadYet:
        return [], True
    return _with_real_activities([*planner.actions, *planner.staying_out]), False


@dataclass(frozen=True, slots=True)
class _Item:
    """An event of the calendar, or an activity, that a session would look at."""

    event: tuple[str, str] | None = None  # Google's id of its calendar, and its own.
    activity_id: int | None = None
    lane: str = ""  # What shares one is looked at together: a series and its exceptions.


@dataclass
class _Planner:
    gateway: CalendarGateway
    settings: SyncSettings
    calendar_id: int
    now: datetime
    pages: list[dict[str, Any]] = field(default_factory=list)
    begins_again: bool = False  # Google refused the token.
    read: dict[str, Any] = field(default_factory=dict)  # What Google answered about single events.
    absent: list[str] = field(default_factory=list)  # Those of them that a complete read did not list.
    actions: list[PlannedAction] = field(default_factory=list)
    waiting: list[PlannedAction] = field(default_factory=list)
    staying_out: list[PlannedAction] = field(default_factory=list)
    deferred: list[_Item] = field(default_factory=list)
    lanes: dict[str, list[_Item]] = field(default_factory=dict)  # The events of each lane.
    links: int = 0  # How many links there would be before the removals.
    met: set[int] = field(default_factory=set)  # Activities that an event was brought together with.

    def preview(self) -> Preview:
        self._read_pages()
        links, activities = self._what_is_due()
        for item in links:
            self.lanes.setdefault(item.lane, []).append(item)
        for some in _in_parts(links):
            self._plan(some)
        for some in _in_parts([item for item in activities if item.activity_id not in self.met]):
            self._plan(some)
        removals, self.deferred = self.deferred, []
        stops = guards.needs_confirmation(removals=len({item.lane for item in removals}), links=self.links)
        done = len(self.actions)
        for some in _in_parts(removals):
            self._plan(some, removes=True)
        if stops:
            self.actions, self.waiting = self.actions[:done], self.actions[done:]
        actions, waiting = _with_real_activities(self.actions), _with_real_activities(self.waiting)
        return Preview(actions, self.gateway.requests_made, waiting, self.staying_out)

    # --- Reading, outside any transaction ---

    def _read_pages(self) -> None:
        """Read every page that a session would read, without storing any."""
        with self._pretended() as run:
            arguments = engine.reading(run)
        try:
            self.pages = [self.gateway.list_events(**arguments)]
        except errors.SyncTokenRefused:
            self.begins_again = True
            start = window_start_for_google(run.window).isoformat()
            arguments = {"sync_token": "", "page_token": "", "time_min": start}
            self.pages = [self.gateway.list_events(**arguments)]
        while token := self.pages[-1].get("nextPageToken"):
            self.pages.append(self.gateway.list_events(**{**arguments, "page_token": token}))

    def _read_events(self, event_ids: Sequence[str]) -> None:
        """Ask Google for single events. :raises GoogleUnavailable: if it cannot tell about one of them."""
        answers = self.gateway.send([Call("get", event_id) for event_id in event_ids])
        for answer in answers:
            if isinstance(answer, errors.GoogleUnavailable):
                raise answer
        self.read |= zip(event_ids, answers, strict=True)

    # --- Planning, in short transactions that are rolled back ---

    @contextmanager
    def _pretended(self) -> Iterator[Run]:
        """A run whose calendar stands at the beginning of its reading; nothing of it stays."""
        with transaction.atomic():
            # A session at work takes the calendar first, then links; so does this, or each would wait for the other.
            calendar = SyncedCalendar.objects.select_for_update(no_key=True).get(pk=self.calendar_id)
            # Finished as it is, for only one session of a calendar can be at work.
            session = SyncSession.objects.create(
                calendar=calendar, status=SyncSession.Status.SUCCEEDED, queued_at=self.now, finished_at=self.now
            )
            google = PretendGoogle(calendar, read=self.read, now=self.now)
            run = Run(calendar=calendar, settings=self.settings, session=session, gateway=google, key="", now=self.now)
            run.confirmed = set(calendar.confirmed_removals)
            store.begin_reading(run)
            if self.begins_again:
                store.begin_complete_read(run)
            yield run
            transaction.set_rollback(True)

    def _what_is_due(self) -> tuple[list[_Item], list[_Item]]:
        """Return the links and the activities that a session would look at, in its order."""
        self.absent = self._not_listed()
        if self.absent:
            self._read_events(self.absent)
        with self._pretended() as run:
            self._observe(run)
            store.mark_what_is_due(run)
            self.links = store.count_of(EventLink.objects.filter(calendar=run.calendar, state=State.LINKED))
            marked = EventLink.objects.filter(calendar=run.calendar, is_marked=True)
            rows = marked.in_bulk()
            own = dict(marked.filter(activity__isnull=False).values_list("activity", "pk"))
            marks = [mark for mark in store.marked_activities(run) if mark.row.activity_id not in own]
            families = _Families(run, marks=marks, links=rows.values())
            activities = [_Item(activity_id=mark.row.activity_id, lane=families.lane_of(mark)) for mark in marks]
            links = []
            for link in (rows[one.pk] for one in store.marked_links(run)):
                item = _item_of(link)
                for whole in repeating.cut_in_the_same_moment(run, link) if link.state == State.SEEN else []:
                    item = replace(item, lane=_item_of(whole).lane)  # It is a part of that one.
                if lane := families.lane_of_link(link):
                    activities.append(replace(item, lane=lane))
                else:
                    links.append(item)
        return links, activities

    def _not_listed(self) -> list[str]:
        """Return the events that a complete read did not list, about which a session would ask (R14)."""
        with self._pretended() as run:
            self._observe(run)
            if not run.calendar.is_reading_completely:
                return []
            return [link.event_id for link in store.absent_links(run)]

    def _observe(self, run: Run, only: set[str] | None = None) -> None:
        """Store what Google told: all of it, or about these events alone."""
        for page in self.pages:
            told = [event for event in page.get("items", []) if only is None or event.get("id") in only]
            store.observe_page(run, {**page, "items": told})
        gone = [event_id for event_id in self.absent if only is None or event_id in only]
        for link in _links_in(run).filter(event_id__in=gone):
            self._observe_absent(run, link)

    def _observe_absent(self, run: Run, link: EventLink) -> None:
        answer = self.read[link.event_id]
        if isinstance(answer, errors.EventGone):
            store.observe_gone(run, link)
        elif isinstance(answer, dict):
            store.observe_event(run, link, answer)

    def _plan(self, some: list[_Item], *, removes: bool = False) -> None:
        """Let the session's own code look at some items; what it has to ask Google first is read outside, and again."""
        while True:
            try:
                self.look_at(some, removes=removes)
                return
            except NotReadYet as missing:
                self._read_events(missing.event_ids)

    def look_at(self, some: list[_Item], *, removes: bool) -> None:
        """:raises NotReadYet: if Google has to be asked first."""
        before_that = [item for lane in {item.lane: 1 for item in some} for item in self.lanes.get(lane, ())]
        with self._pretended() as run:
            self._observe(run, only={item.event[1] for item in [*some, *before_that] if item.event})
            if removes:  # What else happens to a series comes first, as in the session.
                items.look_at(run, links=_links_of(run, before_that), activities=[])
                SyncOutcome.objects.filter(session=run.session).delete()
                run.removals_allowed = True
                run.deferred.clear()
            linked = EventLink.objects.filter(calendar=run.calendar, state=State.LINKED)
            before = store.count_of(linked)
            links = _links_of(run, some)
            wanted = [item.activity_id for item in some if item.activity_id]
            marks = [ActivityMark(calendar=run.calendar, activity_id=pk) for pk in wanted]
            items.look_at(run, links=links, activities=marks)
            outcomes = list(SyncOutcome.objects.filter(session=run.session).order_by("id"))
            kept_out = [] if removes else self._kept_out(run, links=links, activities=wanted)
            links_made = 0 if removes else store.count_of(linked) - before
            deferred = [_item_of(link) for link in EventLink.objects.filter(pk__in=run.deferred).order_by("id")]
        self.actions += [_planned(outcome) for outcome in outcomes]
        self.met |= {outcome.activity_id for outcome in outcomes if outcome.activity_id}
        self.staying_out += kept_out
        self.links += links_made
        self.deferred += deferred

    def _kept_out(self, run: Run, *, links: list[int], activities: list[int]) -> list[PlannedAction]:
        """Return why events stay in Google, and why activities that carry a tag of this user's stay here."""
        ignored = EventLink.objects.filter(pk__in=links, state=State.SEEN, rule="R2").order_by("id")
        found = [
            PlannedAction(STAYS_OUT, Direction.HERE, str(link.event.get("summary", "")), link.rule, link.reason)
            for link in ignored
        ]
        mine = Activity.objects.visible_to(run.me).filter(tags__kind=Tag.Kind.PRIVATE, tags__owner=run.me)
        for activity in mine.filter(pk__in=activities, links=None).order_by("id").distinct():
            if unmet := store.unmet_condition(run, activity):
                found.append(
                    PlannedAction(
                        STAYS_OUT, Direction.GOOGLE, activity.subject, unmet.rule, unmet.text, activity_id=activity.pk
                    )
                )
        return found


class _Families:
    """
    Series that are to go out with what belongs to them, which is looked at after them, and with them.

    These are their exceptions, and the series from which they were split here: that one is cut once they are there.
    """

    def __init__(self, run: Run, *, marks: Iterable[store.MarkedActivity], links: Iterable[EventLink]) -> None:
        links = list(links)
        found = [mark.row.activity.series_id for mark in marks if mark.row.activity.is_series]
        found += [link.series_id for link in links if link.state == State.INSERTING]
        going_out = {series_id for series_id in found if series_id}
        self._split_from = self._read({link.series_id for link in links if link.series_id} | going_out)
        self._wholes = {self._whole_of(series_id) for series_id in going_out}
        heads = EventLink.objects.filter(
            calendar=run.calendar, series__in=self._wholes | self._split_from.keys(), activity__is_series=True
        )
        self._whole_by_event = {_root_of(link): self._whole_of(link.series_id) for link in heads}

    def lane_of(self, mark: store.MarkedActivity) -> str:
        whole = self._whole_of(mark.row.activity.series_id)
        return f"family {whole}" if whole in self._wholes else mark.lane

    def lane_of_link(self, link: EventLink) -> str:
        """Return the lane of a link that belongs to such a series, "" if it belongs to none."""
        whole = self._whole_of(link.series_id) if link.series_id else self._whole_by_event.get(_root_of(link))
        return f"family {whole}" if whole in self._wholes else ""

    def _whole_of(self, series_id: int | None) -> int | None:
        while series_id and series_id in self._split_from:
            series_id = self._split_from[series_id]
        return series_id

    @staticmethod
    def _read(ids: set[int]) -> dict[int, int]:
        """Return from which series each of these was split, and each of those."""
        found: dict[int, int] = {}
        while ids:
            parts = Series.objects.filter(pk__in=ids)
            rows = {part: whole for part, whole in parts.values_list("pk", "split_from") if whole}
            found |= rows
            ids = set(rows.values()) - found.keys()
        return found


def _with_real_activities(planned: list[PlannedAction]) -> list[PlannedAction]:
    """Take off the ids of activities that were only pretended."""
    real = set(Activity.every.filter(pk__in=[action.activity_id for action in planned]).values_list("pk", flat=True))
    return [action if action.activity_id in real else replace(action, activity_id=None) for action in planned]


def _item_of(link: EventLink) -> _Item:
    return _Item(event=(link.google_calendar_id, link.event_id), lane=f"event {_root_of(link)}")


def _root_of(link: EventLink) -> str:
    """Return Google's id of the series to which an event belongs, of the first part of one that was divided there."""
    return str(link.event.get("recurringEventId") or link.event_id).partition("_R")[0]


def _links_in(run: Run) -> QuerySet[EventLink]:
    return EventLink.objects.filter(calendar=run.calendar, google_calendar_id=run.calendar.calendar_id).order_by("id")


def _links_of(run: Run, some: list[_Item]) -> list[int]:
    """Return the links of events, which have other ids in each transaction that is rolled back."""
    wanted = [item.event for item in some if item.event]
    rows = EventLink.objects.filter(calendar=run.calendar, event_id__in=[event_id for _calendar, event_id in wanted])
    found = {(link.google_calendar_id, link.event_id): link.pk for link in rows}
    return [found[event] for event in wanted if event in found]


def _in_parts(some: Iterable[_Item]) -> Iterator[list[_Item]]:
    """Divide items into parts of about AT_ONCE, without tearing a lane apart."""
    lanes: dict[str, list[_Item]] = {}
    for item in some:
        lanes.setdefault(item.lane, []).append(item)
    part: list[_Item] = []
    for lane in lanes.values():
        part += lane
        if len(part) >= AT_ONCE:
            yield part
            part = []
    if part:
        yield part


def _planned(outcome: SyncOutcome) -> PlannedAction:
    return PlannedAction(
        action=outcome.action,
        direction=outcome.direction,
        item=outcome.item,
        rule=outcome.rule,
        reason=outcome.reason,
        activity_id=outcome.activity_id,
        field=outcome.field,
        here=outcome.here,
        google=outcome.google,
        kept=outcome.kept,
    )
