"""events.list and events.instances: windows, filters, pages and sync tokens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from werkzeug.datastructures import MultiDict

from google_emulator import errors, times, tokens
from google_emulator.calendar import CalendarStore
from google_emulator.copies import Copy, Table

DEFAULT_PAGE, LARGEST_PAGE = 250, 2500
NOT_WITH_A_TOKEN = (
    "iCalUID",
    "orderBy",
    "privateExtendedProperty",
    "q",
    "sharedExtendedProperty",
    "timeMin",
    "timeMax",
    "updatedMin",
)
# A list with one of these is a search: its last page gives no sync token.
_SEARCHES = ("iCalUID", "orderBy", "privateExtendedProperty", "q", "sharedExtendedProperty", "updatedMin")
Position = list[Any]


@dataclass(slots=True)
class Query:
    """The parameters of a list, read and checked. Moments are seconds since 1970."""

    max_results: int = DEFAULT_PAGE
    single_events: bool = False
    show_deleted: bool = False
    order_by: str | None = None
    time_min: int | None = None
    time_max: int | None = None
    updated_min: int | None = None
    event_types: list[str] = field(default_factory=list)
    ical_uid: str | None = None
    text: str | None = None
    private: list[str] = field(default_factory=list)
    shared: list[str] = field(default_factory=list)
    searches: bool = False
    # Of an incremental list: the serial number of the last change already seen.
    since: int | None = None
    page_token: str | None = None

    @property
    def remembered(self) -> dict[str, Any]:
        """What a sync token keeps of the list that led to it."""
        return {
            "single": self.single_events,
            "min": self.time_min,
            "max": self.time_max,
            "types": self.event_types,
        }


@dataclass(slots=True)
class Page:
    """One page of rows, and how to go on."""

    rows: list[Copy]
    query: Query
    next_page_token: str | None = None
    next_sync_token: str | None = None


def read_query(args: MultiDict[str, str], *, store: CalendarStore, table: Table) -> Query:
    """:raises ApiError: 400 for bad parameters and malformed tokens, 410 for a sync token that has expired."""
    query = Query(
        max_results=page_size(args),
        single_events=flag(args, "singleEvents"),
        show_deleted=flag(args, "showDeleted"),
        order_by=args.get("orderBy"),
        time_min=_moment(args, "timeMin"),
        time_max=_moment(args, "timeMax"),
        updated_min=_moment(args, "updatedMin"),
        event_types=args.getlist("eventTypes"),
        ical_uid=args.get("iCalUID"),
        text=args.get("q"),
        private=args.getlist("privateExtendedProperty"),
        shared=args.getlist("sharedExtendedProperty"),
        searches=any(name in args for name in _SEARCHES),
        page_token=args.get("pageToken"),
    )
    _check(query)
    longest = store.behavior.updated_min_days
    if longest and query.updated_min is not None and store.days_since(query.updated_min) > longest:
        raise errors.ApiError("updatedMinTooLongAgo", location="updatedMin")
    if token := args.get("syncToken"):
        _check_beside_token(args)
        _apply_token(query, token, args=args, store=store, table=table)
    return query


def page_of(query: Query, *, store: CalendarStore, table: Table) -> Page:
    """
    Return the page that a query asks for.

    :raises ApiError: 400 for a page token of another list.
    """
    position, started_at = _position(query, table, epoch=store.epoch)
    rows = iter(_rows(query, table, behavior=store.behavior, after=position))
    found: list[Copy] = []
    counted, last = 0, position
    for key, copy in rows:
        if counted == query.max_results:
            token = _page_token(query, table, epoch=store.epoch, position=last, started_at=started_at)
            return Page(rows=found, query=query, next_page_token=token)
        visible = _is_visible(copy, query, table) and not store.is_forgotten(copy)
        counted += visible or store.behavior.hidden_rows_count
        last = key
        if visible:
            found.append(copy)
    page = Page(rows=found, query=query)
    if not query.searches:
        page.next_sync_token = tokens.encode(
            {
                "calendar": table.calendar_id,
                "epoch": store.epoch,
                "generation": table.generation,
                "serial": started_at,
                "at": store.now,
                "list": query.remembered,
            }
        )
    return page


def instances_of(master: Copy, *, table: Table, args: MultiDict[str, str]) -> tuple[list[Copy], str | None]:
    """
    Return a page of a series' occurrences, changed ones included, and the token of the next page.

    :raises ApiError: 400 for bad parameters.
    """
    query = Query(
        max_results=page_size(args),
        show_deleted=flag(args, "showDeleted"),
        time_min=_moment(args, "timeMin"),
        time_max=_moment(args, "timeMax"),
    )
    _check(query)
    if master.cancelled:
        rows = []
    elif master.repeats:
        rows = [*_instances_in_window(master, table, query), *table.exceptions_of(master.id)]
    else:
        rows = [master]
    wanted = [row for row in rows if _overlaps(row.span, query) and (query.show_deleted or not row.cancelled)]
    if original := args.get("originalStart"):
        wanted = [row for row in wanted if _shown_original(row) == original]
    wanted.sort(key=lambda row: _original_seconds(row))
    offset = _offset(args.get("pageToken"))
    page = wanted[offset : offset + query.max_results]
    more = offset + query.max_results < len(wanted)
    return page, tokens.encode({"offset": offset + query.max_results}) if more else None


def page_size(args: MultiDict[str, str], *, default: int = DEFAULT_PAGE, largest: int = LARGEST_PAGE) -> int:
    return min(int(args.get("maxResults", default)), largest)


def flag(args: MultiDict[str, str], name: str) -> bool:
    return args.get(name, "").lower() == "true"


def _moment(args: MultiDict[str, str], name: str) -> int | None:
    return times.query_moment(args[name], name=name) if name in args else None


def _check(query: Query) -> None:
    if query.order_by == "startTime" and not query.single_events:
        raise errors.ApiError(
            "badRequest", "The requested ordering is not available for the particular query.", location="orderBy"
        )
    if query.time_min is not None and query.time_max is not None and query.time_max <= query.time_min:
        raise errors.ApiError("timeRangeEmpty", location="timeMax")
    if any("=" not in pair for pair in [*query.private, *query.shared]):
        raise errors.invalid()


def _check_beside_token(args: MultiDict[str, str]) -> None:
    for name in NOT_WITH_A_TOKEN:
        if name in args:
            raise errors.ApiError("badRequest", f"Sync token cannot be combined with {name}.", location="syncToken")
    if args.get("showDeleted", "").lower() == "false":
        raise errors.ApiError("badRequest", "Sync token cannot be used without deleted events.", location="syncToken")


def _apply_token(query: Query, token: str, *, args: MultiDict[str, str], store: CalendarStore, table: Table) -> None:
    try:
        content = tokens.decode(token)
        calendar_id, listed = content["calendar"], content["list"]
    except (tokens.Malformed, KeyError) as error:
        raise _malformed_sync_token(store) from error
    if calendar_id != table.calendar_id:
        raise _malformed_sync_token(store)
    stale = content["epoch"] != store.epoch or content["generation"] != table.generation
    if stale or _is_too_old(content.get("at", store.now), store=store):
        raise errors.ApiError("fullSyncRequired", location="syncToken")
    query.since = content["serial"]
    query.time_min, query.time_max = listed["min"], listed["max"]
    query.event_types = query.event_types or listed["types"]
    if "singleEvents" not in args:
        query.single_events = listed["single"]


def _malformed_sync_token(store: CalendarStore) -> errors.ApiError:
    if store.behavior.malformed_sync_token == "full_sync":
        return errors.ApiError("fullSyncRequired", location="syncToken")
    return errors.invalid(location="syncToken")


def _is_too_old(given_out: int, *, store: CalendarStore) -> bool:
    """Return whether a token is past its time, or some deletions since then may be forgotten already."""
    lasting = [days for days in (store.behavior.sync_token_days, store.behavior.tombstone_days) if days]
    return bool(lasting) and store.days_since(given_out) > min(lasting)


def _position(query: Query, table: Table, *, epoch: str) -> tuple[Position | None, int]:
    """Return after which row the page begins, and which change was the last when the list began."""
    if query.page_token is None:
        return None, table.serial
    try:
        content = tokens.decode(query.page_token)
        same = content["of"] == [table.calendar_id, epoch, query.since, query.order_by, query.single_events]
        if not same:
            raise errors.invalid(location="pageToken")
        return content["after"], content["serial"]
    except (tokens.Malformed, KeyError) as error:
        raise errors.invalid(location="pageToken") from error


def _page_token(query: Query, table: Table, *, epoch: str, position: Position | None, started_at: int) -> str:
    of = [table.calendar_id, epoch, query.since, query.order_by, query.single_events]
    return tokens.encode({"of": of, "after": position, "serial": started_at})


def _rows(query: Query, table: Table, *, behavior: Any, after: Position | None) -> Iterable[tuple[Position, Copy]]:
    """Yield what the list is about, with its place in it, from a place on."""
    backward = query.since is not None and behavior.delta_order == "reversed"
    simple = not query.single_events and query.order_by is None and not backward
    if simple and query.since is None:
        copies: Iterable[Copy] = table.ordered[(after[0] + 1 if after else 0) :]
    else:
        copies = table.ordered if query.since is None else table.changed_since(query.since)
    candidates = (copy for copy in copies if _is_candidate(copy, query, table, behavior=behavior))
    if simple:
        return (([copy.order], copy) for copy in candidates if after is None or copy.order > after[0])
    expanded = _expanded(candidates, query, table) if query.single_events else candidates
    key = _key_backward if backward else _key
    keyed = sorted(((key(copy, query), copy) for copy in expanded), key=lambda pair: pair[0])
    return ((key, copy) for key, copy in keyed if after is None or key > after)


def _key(copy: Copy, query: Query) -> Position:
    if query.order_by == "updated":
        return [copy.updated, copy.id]
    return [copy.span[0], copy.id]


def _key_backward(copy: Copy, query: Query) -> Position:
    return [-copy.order, copy.id]


def _is_candidate(copy: Copy, query: Query, table: Table, *, behavior: Any) -> bool:
    """Return whether a row is found at all: the searches and the window, which Google has an index for."""
    if query.since is not None and behavior.window_leavers == "shown":
        if not (_overlaps(copy.span, query) or _overlaps(copy.span_at(query.since), query)):
            return False
    elif not _overlaps(copy.span, query) or (copy.repeats and not _occurs_in_window(copy, table, query)):
        return False
    if query.updated_min is not None and copy.updated // 1_000_000 < query.updated_min:
        return False
    if query.ical_uid is not None and copy.body["iCalUID"] != query.ical_uid:
        return False
    if query.text is not None and not _mentions(copy, query.text):
        return False
    fits = any if behavior.repeated_properties == "any" else all
    return all(
        not pairs or fits(_has_property(copy, part, pair) for pair in pairs)
        for part, pairs in (("private", query.private), ("shared", query.shared))
    )


def _is_visible(copy: Copy, query: Query, table: Table) -> bool:
    """Return whether a row that was found is shown."""
    if query.event_types and copy.body["eventType"] not in query.event_types:
        return False
    if copy.master_id and not copy.bare and not table.is_living_series(copy.master_id):
        return False  # It went with its series, which has a row of its own.
    if not copy.cancelled:
        return True
    if query.since is not None or query.show_deleted or query.updated_min is not None:
        return True
    return bool(copy.master_id) and not copy.bare and not query.single_events


def _expanded(copies: Iterable[Copy], query: Query, table: Table) -> Iterator[Copy]:
    """Yield occurrences in place of series; a deleted series is shown only where something asks what changed."""
    for copy in copies:
        if not copy.repeats:
            yield copy
        elif not copy.cancelled:
            yield from _instances_in_window(copy, table, query)
        elif query.since is not None:
            yield copy


def _instances_in_window(master: Copy, table: Table, query: Query) -> list[Copy]:
    before = datetime.fromtimestamp(query.time_max, UTC) if query.time_max is not None else None
    return [copy for copy in table.instances(master, before=before) if _overlaps(copy.span, query)]


def _occurs_in_window(master: Copy, table: Table, query: Query) -> bool:
    """Return whether a series that lasts over a window has an occurrence in it; with one bound alone it has."""
    if query.single_events or query.time_min is None or query.time_max is None or master.cancelled:
        return True
    changed = (row for row in table.exceptions_of(master.id) if not row.cancelled)
    return any(_overlaps(row.span, query) for row in changed) or bool(_instances_in_window(master, table, query))


def _overlaps(span: tuple[int, int | None], query: Query) -> bool:
    """Both bounds are exclusive: of timeMin on the end, of timeMax on the start."""
    start, end = span
    if query.time_min is not None and end is not None and end <= query.time_min:
        return False
    return query.time_max is None or start < query.time_max


def _mentions(copy: Copy, text: str) -> bool:
    people = [copy.body["organizer"], *copy.body.get("attendees", [])]
    words = [copy.body.get(name, "") for name in ("summary", "description", "location")]
    words += [person.get(name, "") for person in people for name in ("email", "displayName")]
    return text.lower() in "\n".join(words).lower()


def _has_property(copy: Copy, part: str, pair: str) -> bool:
    name, _, value = pair.partition("=")
    return bool(copy.body.get("extendedProperties", {}).get(part, {}).get(name) == value)


def _original_seconds(copy: Copy) -> int:
    original = copy.body.get("originalStartTime") or copy.body["start"]
    return times.seconds(original, calendar_zone=copy.calendar_zone)


def _shown_original(copy: Copy) -> str:
    original = times.shown(copy.body.get("originalStartTime") or copy.body["start"], zone_name=copy.calendar_zone)
    return original.get("date") or original["dateTime"]


def _offset(token: str | None) -> int:
    if token is None:
        return 0
    try:
        return int(tokens.decode(token)["offset"])
    except (tokens.Malformed, KeyError) as error:
        raise errors.invalid(location="pageToken") from error
