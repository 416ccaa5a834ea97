"""Keeping what Google shows: observe_page(), and when a reading begins and ends (R18)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from activities import recurrence
from sync.core import mapping
from sync.models import EventLink
from sync.run import Run
from sync.store.rows import last_time

LONGEST_ID = 1024  # Characters of an event's id, Google's own limit.

TakeIn = Callable[[Run, list[EventLink]], list[EventLink]]
UNTOLD = "R14"  # The rule by which an absent event is parked of which Google does not tell.


def observe_page(run: Run, page: Mapping[str, Any], *, take_in: TakeIn | None = None) -> int:
    """
    Store one page of `events.list`, and how far the reading has come, in one transaction (R18).

    `take_in` may make activities of new events at once: it is given their links, not saved, and returns those that have
    to wait for their turn. Returns how many events differ from what was known.
    """
    calendar = run.calendar
    calendar.time_zone = str(page.get("timeZone") or calendar.time_zone)[:64]
    reached = {"time_zone": calendar.time_zone, "page_token": page.get("nextPageToken", "")}
    if not reached["page_token"]:
        reached["sync_token"] = page.get("nextSyncToken", "")
    if items := page.get("items"):
        with run.transaction():
            changed = _observe_events(run, items, take_in=take_in)
            run.hold(**reached)
    else:  # Nothing but how far the reading has come.
        changed = 0
        run.hold(**reached)
    for name, value in reached.items():
        setattr(calendar, name, value)
    return changed


def observe_event(run: Run, link: EventLink, event: Mapping[str, Any]) -> None:
    """Store what Google just showed of one event, outside a listing."""
    with run.transaction():
        current = EventLink.objects.select_for_update().get(pk=link.pk)
        _see(run, current, mapping.cleaned(dict(event)))
        current.save()


def see_elsewhere(run: Run, link: EventLink, *, seen: EventLink) -> None:
    """Let a link hold what was `seen` of its event in another calendar, and be that calendar's. It is not saved."""
    link.google_calendar_id, link.seen_in_read = seen.google_calendar_id, seen.seen_in_read
    _see(run, link, seen.event)


def observe_gone(run: Run, link: EventLink) -> None:
    """Store that Google does not know an event any more: as much as a cancellation (R14)."""
    observe_event(run, link, {**link.event, "status": "cancelled", "etag": ""})


def _observe_events(run: Run, items: Iterable[dict[str, Any]], *, take_in: TakeIn | None) -> int:
    events = {item["id"]: mapping.cleaned(item) for item in items if 0 < len(item.get("id", "")) <= LONGEST_ID}
    calendar = run.calendar
    known = {
        link.event_id: link
        for link in EventLink.objects.filter(
            calendar=calendar, google_calendar_id=calendar.calendar_id, event_id__in=events
        )
        .order_by("id")
        .select_for_update(no_key=True)
    }
    made, changed = [], []
    for event_id, event in events.items():
        link = known.get(event_id)
        if link is None:
            if event.get("status") == "cancelled" and not event.get("recurringEventId"):
                continue  # It came and went without us. A cancelled occurrence tells what its series leaves out (R15).
            link = EventLink(calendar=calendar, google_calendar_id=calendar.calendar_id, event_id=event_id)
            made.append(link)
        elif link.etag != event.get("etag"):  # Else it is the echo of what we know (R18).
            changed.append(link)
        link.seen_in_read = calendar.complete_read
        if link.etag != event.get("etag"):
            _see(run, link, event)
    EventLink.objects.bulk_create(take_in(run, made) if take_in and made else made)
    EventLink.objects.bulk_update(
        changed,
        ["event", "etag", "ical_uid", "guest_addresses", "changed_in_google", "is_marked", "mark", "seen_in_read"],
    )
    if calendar.is_reading_completely:
        seen = [link.pk for link in known.values() if link not in changed]
        EventLink.objects.filter(pk__in=seen).update(seen_in_read=calendar.complete_read)
    return len(made) + len(changed)


def _see(run: Run, link: EventLink, event: dict[str, Any]) -> None:
    """Let a link hold this version of its event, and mark it."""
    if event.get("status") == "cancelled":
        known = {name: value for name, value in link.event.items() if name != mapping.WENT_WITH_ITS_DAY}
        if known.get("recurringEventId") and "recurringEventId" not in event:
            event = {**event, mapping.WENT_WITH_ITS_DAY: True}
        event = {**known, **event}  # A deleted event says little more than its id; whose copy it was is known.
    if link.event:
        at = event.get("updated") or run.now.isoformat()
        stamps = dict.fromkeys(mapping.changed_fields(link.event, event), at)
        link.changed_in_google = {**link.changed_in_google, **stamps}
    facts = mapping.facts_of(event)
    link.event = event
    link.etag = str(event.get("etag", ""))
    link.ical_uid = facts.ical_uid[:LONGEST_ID] or link.ical_uid
    link.set_guest_addresses(facts.addresses)
    link.is_marked = True
    link.mark = link.mark + 1


def begin_reading(run: Run) -> None:
    """Begin a complete read where there is no token yet, or the selection is not what the token was got for (R2)."""
    calendar, settings = run.calendar, run.settings
    is_other_selection = (calendar.calendar_id, calendar.read_from) != (settings.calendar_id, settings.sync_from)
    if (calendar.sync_token or calendar.page_token) and not is_other_selection:
        return
    begin_complete_read(run)


def begin_complete_read(run: Run) -> None:
    """Forget the tokens: the next page is the first of everything. What is held stays (R20)."""
    calendar, settings = run.calendar, run.settings
    calendar.sync_token = calendar.page_token = ""
    calendar.calendar_id, calendar.read_from = settings.calendar_id, settings.sync_from
    calendar.complete_read += 1
    calendar.is_reading_completely = True
    calendar.compare_all = True
    calendar.save(
        update_fields=[
            "sync_token", "page_token", "calendar_id", "read_from", "complete_read", "is_reading_completely",
            "compare_all",
        ]
    )  # fmt: skip


def absent_links(run: Run) -> list[EventLink]:
    """
    Return the linked events of the window that a complete read did not list: perhaps deleted (R14).

    After that read they are those alone of which Google did not tell when it was asked, and whose turn has come again.
    """
    links = EventLink.objects.filter(
        calendar=run.calendar,
        google_calendar_id=run.calendar.calendar_id,
        state=EventLink.State.LINKED,
        seen_in_read__lt=run.calendar.complete_read,
    ).order_by("id")
    if not run.calendar.is_reading_completely:
        links = links.filter(rule=UNTOLD, is_marked=True)
    return [link for link in links if link.event.get("status") != "cancelled" and _is_in_window(run, link)]


def end_reading(run: Run) -> None:
    """The calendar was read completely, and what was absent has been looked at."""
    calendar = run.calendar
    EventLink.objects.filter(
        calendar=calendar, state=EventLink.State.SEEN, seen_in_read__lt=calendar.complete_read
    ).delete()
    calendar.is_reading_completely = False
    calendar.save(update_fields=["is_reading_completely"])


def _is_in_window(run: Run, link: EventLink) -> bool:
    try:
        return run.window.holds(last_time(mapping.when_of(link.event, default_zone=run.default_zone)))
    except (mapping.UnreadableEvent, recurrence.UnreadableRule):
        return True
