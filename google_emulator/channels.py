"""Channels of push messages: who wants to hear about which calendar, and what each message says."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote, urlsplit

from google_emulator import errors
from google_emulator.behavior import Behavior
from google_emulator.clock import Clock

DEFAULT_SECONDS = 7 * 24 * 3600
LONGEST_SECONDS = 30 * 24 * 3600


@dataclass(slots=True)
class Channel:
    """One application's wish to hear about one calendar. Its end is in milliseconds since 1970."""

    id: str
    resource_id: str
    resource_uri: str
    calendar_id: str
    address: str
    token: str
    expiration: int
    email: str
    client_id: str
    messages: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """One push message: a POST with an empty body, all it says is in its headers."""

    address: str
    headers: Mapping[str, str]

    @property
    def state(self) -> str:
        return self.headers["X-Goog-Resource-State"]


class Channels:
    """All channels, and the messages they cause."""

    def __init__(
        self,
        *,
        clock: Clock,
        behavior: Behavior,
        deliver: Callable[[Message], None],
        on_change: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._behavior = behavior
        self._deliver = deliver
        self._on_change = on_change
        self._lock = threading.Lock()
        self._channels: dict[str, Channel] = {}

    def watch(
        self, *, calendar_id: str, raw: Mapping[str, Any], email: str, client_id: str, root: str
    ) -> dict[str, Any]:
        """
        Open a channel and send its first message.

        :raises ApiError: 400 for a bad wish.
        """
        channel_id = str(raw.get("id") or "")
        if not channel_id or len(channel_id) > 64:
            raise errors.required("Channel id must be specified.") if not channel_id else errors.invalid(location="id")
        if raw.get("type") not in ("web_hook", "webhook"):
            raise errors.invalid("Unknown channel type.", location="type")
        address = str(raw.get("address") or "")
        self._check_address(address)
        with self._lock:
            if channel_id in self._channels:
                raise errors.ApiError("channelIdNotUnique", f"Channel id {channel_id} not unique")
            channel = Channel(
                id=channel_id,
                resource_id=hashlib.sha256(f"{calendar_id}/events".encode()).hexdigest()[:27],
                resource_uri=f"{root}/calendar/v3/calendars/{quote(calendar_id, safe='')}/events?alt=json",
                calendar_id=calendar_id,
                address=address,
                token=str(raw.get("token") or "")[:256],
                expiration=self._expiration(raw),
                email=email,
                client_id=client_id,
            )
            self._channels[channel_id] = channel
            self._send(channel, "sync")
        self._on_change()
        answer = {
            "kind": "api#channel",
            "id": channel.id,
            "resourceId": channel.resource_id,
            "resourceUri": channel.resource_uri,
        }
        return answer | ({"token": channel.token} if channel.token else {}) | {"expiration": str(channel.expiration)}

    def stop(self, *, channel_id: str, resource_id: str, email: str, client_id: str) -> None:
        """:raises ApiError: 404 unless this person and application opened such a channel."""
        with self._lock:
            channel = self._channels.get(channel_id)
            mine = channel is not None and (channel.email, channel.client_id) == (email, client_id)
            if channel is None or not mine or channel.resource_id != resource_id or self._is_over(channel):
                raise errors.ApiError("notFound", f"Channel '{channel_id}' not found for project '{client_id}'")
            del self._channels[channel_id]
        self._on_change()

    def announce(self, calendar_ids: list[str]) -> None:
        """Send a message to every living channel of these calendars."""
        with self._lock:
            for channel in self._channels.values():
                if channel.calendar_id in calendar_ids and not self._is_over(channel):
                    self._send(channel, "exists")

    def all(self) -> list[Channel]:
        with self._lock:
            return [channel for channel in self._channels.values() if not self._is_over(channel)]

    def clear(self) -> None:
        with self._lock:
            self._channels.clear()

    def dump(self) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(channel) for channel in self._channels.values()]

    def load(self, state: list[dict[str, Any]]) -> None:
        self._channels = {row["id"]: Channel(**row) for row in state}

    def _check_address(self, address: str) -> None:
        scheme = urlsplit(address).scheme
        allowed = ("https",) if self._behavior.push_needs_https else ("https", "http")
        if scheme not in allowed or not urlsplit(address).hostname:
            raise errors.ApiError("push.webhookUrlNotHttps", f"WebHook callback must be HTTPS: {address}")

    def _expiration(self, raw: Mapping[str, Any]) -> int:
        now = int(self._clock.now().timestamp() * 1000)
        ttl = (raw.get("params") or {}).get("ttl")
        try:
            wished = int(raw["expiration"]) if raw.get("expiration") else now + int(ttl or DEFAULT_SECONDS) * 1000
        except ValueError as error:
            raise errors.invalid(location="expiration") from error
        if wished <= now:
            raise errors.invalid(location="expiration")
        # Google answers in whole seconds and cuts long wishes.
        return min(wished, now + LONGEST_SECONDS * 1000) // 1000 * 1000

    def _is_over(self, channel: Channel) -> bool:
        return channel.expiration <= self._clock.now().timestamp() * 1000

    def _send(self, channel: Channel, state: str) -> None:
        channel.messages += 1
        ends = datetime.fromtimestamp(channel.expiration / 1000, UTC)
        headers = {
            "X-Goog-Channel-ID": channel.id,
            "X-Goog-Channel-Expiration": format_datetime(ends, usegmt=True),
            "X-Goog-Resource-ID": channel.resource_id,
            "X-Goog-Resource-URI": channel.resource_uri,
            "X-Goog-Resource-State": state,
            "X-Goog-Message-Number": str(channel.messages),
        }
        if channel.token:
            headers["X-Goog-Channel-Token"] = channel.token
        if state == "exists" and self._behavior.push == "dropped":
            return
        copies = 2 if state == "exists" and self._behavior.push == "twice" else 1
        for _ in range(copies):
            self._deliver(Message(channel.address, headers))
