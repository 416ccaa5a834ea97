"""The methods of `events` and `channels`: what a call asks, what is answered."""

from __future__ import annotations

from google_emulator import listing, rendering, times
from google_emulator.access import Context
from google_emulator.calendar import CalendarStore
from google_emulator.channels import Channels
from google_emulator.clock import Clock
from google_emulator.copies import Copy
from google_emulator.events import Body
from google_emulator.messages import Answer, json_answer
from google_emulator.rendering import to_json


class EventsApi:
    """Reads and writes of events, and channels about them."""

    def __init__(self, *, store: CalendarStore, clock: Clock, channels: Channels) -> None:
        self._store = store
        self._clock = clock
        self._channels = channels
        # Where an event's htmlLink leads; the server puts its own address here.
        self.link_root = rendering.LINK_ROOT

    def list_events(self, context: Context, calendar_id: str) -> Answer:
        calendar, role = context.reach(calendar_id)
        args = context.call.query
        zone, limit = context.zone, context.max_attendees
        with self._store.lock:
            table = self._store.table(calendar.id)
            query = listing.read_query(args, store=self._store, table=table)
            # Who sees no more than whether time is taken sees no series either.
            query.single_events = query.single_events or role == "freeBusyReader"
            etag = f'"p{table.serial:08x}{self._store.epoch}"'
            if context.call.headers.get("If-None-Match") == etag:
                return Answer(status=304, headers={"ETag": etag})
            page = listing.page_of(query, store=self._store, table=table)
            rows = [self._row(copy, role=role, zone=zone, limit=limit, query=query) for copy in page.rows]
            newest = max((copy.updated for copy in table.ordered[-1:]), default=0)
        envelope: Body = {
            "kind": "calendar#events",
            "etag": etag,
            "summary": calendar.summary,
            "description": calendar.description,
            "updated": times.stamp(newest or self._clock.micros()),
            "timeZone": args.get("timeZone") or calendar.time_zone,
            "accessRole": role,
            "defaultReminders": [{"method": "popup", "minutes": 10}] if calendar.primary else [],
        }
        if page.next_page_token:
            envelope["nextPageToken"] = page.next_page_token
        elif page.next_sync_token:
            envelope["nextSyncToken"] = page.next_sync_token
        # The rows are kept as text: a page of thousands is put together, not rendered.
        body = to_json(envelope)[:-1] + b',"items":[' + b",".join(rows) + b"]}"
        return json_answer(body, headers={"ETag": etag})

    def _row(self, copy: Copy, *, role: str, zone: str | None, limit: int | None, query: listing.Query) -> bytes:
        if copy.cancelled and not (query.show_deleted and copy.organized_here and not copy.master_id):
            living = self._store.table(copy.calendar_id).is_living_series(copy.master_id)
            return to_json(rendering.stub(copy, living_series=living))
        if _hides_details(copy, role):
            return to_json(rendering.busy_block(copy, zone=zone))
        return self._text(copy, zone=zone, limit=limit)

    def _text(self, copy: Copy, *, zone: str | None = None, limit: int | None = None) -> bytes:
        """Return an event as an answer has it, kept for the next time where nothing special is asked for."""
        if zone is not None or limit is not None or copy.order < 0:
            return to_json(rendering.full(copy, link_root=self.link_root, zone=zone, max_attendees=limit))
        if copy.rendered is None:
            copy.rendered = to_json(rendering.full(copy, link_root=self.link_root))
        return copy.rendered

    def render(self, calendar_id: str) -> None:
        """Put the answers about a calendar together now, so that its first list is as quick as the next."""
        with self._store.lock:
            for copy in self._store.table(calendar_id).ordered:
                if not copy.cancelled:
                    self._text(copy)

    def shown(self, copy: Copy, *, role: str = "owner", zone: str | None = None, limit: int | None = None) -> Body:
        """Return an event as `get` shows it."""
        table = self._store.table(copy.calendar_id)
        if copy.cancelled and (copy.bare or copy.master_id):
            return rendering.stub(copy, living_series=table.is_living_series(copy.master_id))
        if _hides_details(copy, role):
            return rendering.busy_block(copy, zone=zone)
        return rendering.full(copy, link_root=self.link_root, zone=zone, max_attendees=limit)

    def get_event(self, context: Context, calendar_id: str, event_id: str) -> Answer:
        calendar, role = context.reach(calendar_id)
        with self._store.lock:
            copy = self._store.get(calendar_id=calendar.id, event_id=event_id)
            if context.call.headers.get("If-None-Match") == copy.etag:
                return Answer(status=304, headers={"ETag": copy.etag})
            return self._event_answer(copy, context, role=role)

    def insert_event(self, context: Context, calendar_id: str) -> Answer:
        calendar = context.reach_to_write(calendar_id)
        copy = self._store.insert(calendar=calendar, raw=context.content, write=context.write)
        return self._event_answer(copy, context)

    def import_event(self, context: Context, calendar_id: str) -> Answer:
        calendar = context.reach_to_write(calendar_id)
        copy = self._store.import_event(calendar=calendar, raw=context.content, write=context.write)
        return self._event_answer(copy, context)

    def patch_event(self, context: Context, calendar_id: str, event_id: str) -> Answer:
        return self._change_event(context, calendar_id, event_id, replace=False)

    def update_event(self, context: Context, calendar_id: str, event_id: str) -> Answer:
        return self._change_event(context, calendar_id, event_id, replace=True)

    def _change_event(self, context: Context, calendar_id: str, event_id: str, *, replace: bool) -> Answer:
        calendar = context.reach_to_write(calendar_id)
        copy = self._store.change_event(
            calendar=calendar, event_id=event_id, sent=context.content, write=context.write, replace=replace
        )
        return self._event_answer(copy, context)

    def delete_event(self, context: Context, calendar_id: str, event_id: str) -> Answer:
        calendar = context.reach_to_write(calendar_id)
        self._store.delete(calendar=calendar, event_id=event_id, write=context.write)
        return Answer(status=204)

    def list_instances(self, context: Context, calendar_id: str, event_id: str) -> Answer:
        calendar, role = context.reach(calendar_id)
        zone, limit = context.zone, context.max_attendees
        with self._store.lock:
            master = self._store.get(calendar_id=calendar.id, event_id=event_id)
            table = self._store.table(calendar.id)
            rows, token = listing.instances_of(master, table=table, args=context.call.query)
            items = [self.shown(row, role=role, zone=zone, limit=limit) for row in rows]
        content: Body = {
            "kind": "calendar#events",
            "etag": master.etag,
            "summary": calendar.summary,
            "description": calendar.description,
            "updated": times.stamp(master.updated),
            "timeZone": zone or calendar.time_zone,
            "accessRole": role,
            "defaultReminders": [{"method": "popup", "minutes": 10}] if calendar.primary else [],
        }
        if token:
            content["nextPageToken"] = token
        return json_answer(content | {"items": items})

    def move_event(self, context: Context, calendar_id: str, event_id: str) -> Answer:
        calendar = context.reach_to_write(calendar_id)
        destination = context.reach_to_write(context.call.query["destination"])
        copy = self._store.move(calendar=calendar, event_id=event_id, destination=destination, write=context.write)
        if self._store.behavior.move_answer == "cancelled":
            return json_answer(self.shown(copy) | {"status": "cancelled"}, headers={"ETag": copy.etag})
        return self._event_answer(copy, context)

    def watch_events(self, context: Context, calendar_id: str) -> Answer:
        calendar, _ = context.reach(calendar_id)
        answer = self._channels.watch(
            calendar_id=calendar.id,
            raw=context.content,
            email=context.email,
            client_id=context.token.client_id,
            root=self.link_root,
        )
        return json_answer(answer)

    def stop_channel(self, context: Context) -> Answer:
        raw = context.content
        self._channels.stop(
            channel_id=str(raw.get("id", "")),
            resource_id=str(raw.get("resourceId", "")),
            email=context.email,
            client_id=context.token.client_id,
        )
        return Answer(status=204)

    def _event_answer(self, copy: Copy, context: Context, *, role: str = "owner") -> Answer:
        zone, limit = context.zone, context.max_attendees
        with self._store.lock:
            etag = copy.etag
            if copy.cancelled or _hides_details(copy, role):
                return json_answer(self.shown(copy, role=role, zone=zone, limit=limit), headers={"ETag": etag})
            return json_answer(self._text(copy, zone=zone, limit=limit), headers={"ETag": etag})


def _hides_details(copy: Copy, role: str) -> bool:
    if role == "freeBusyReader":
        return True
    private = copy.body.get("visibility") in ("private", "confidential")
    return private and role in ("reader", "writerWithoutPrivateAccess")
