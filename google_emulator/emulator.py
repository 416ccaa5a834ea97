"""The whole of it: Google for one process, started and stopped at will."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from google_emulator import app
from google_emulator.accounts import Account, Calendar, Directory
from google_emulator.api import CalendarApi
from google_emulator.behavior import Behavior
from google_emulator.calendar import CalendarStore
from google_emulator.calendars_api import CalendarsApi
from google_emulator.channels import Channels
from google_emulator.clock import Clock
from google_emulator.events_api import EventsApi
from google_emulator.faults import Fault, Faults
from google_emulator.mail import Mailbox
from google_emulator.oauth import AuthorizationServer, Client
from google_emulator.people import Person
from google_emulator.postman import Postman
from google_emulator.quota import Quotas
from google_emulator.requestlog import RequestLog
from google_emulator.server import Server
from google_emulator.state import StateFile
from google_emulator.writes import Write

CLIENT_ID, CLIENT_SECRET = "local-client", "local-secret"


class Emulator:
    """
    A local Google: OAuth 2.0 and Calendar v3 over HTTP, and all that a test needs around them.

    Everything may be called from any thread.
    """

    def __init__(
        self,
        *,
        client_id: str = CLIENT_ID,
        client_secret: str = CLIENT_SECRET,
        redirect_uris: Iterable[str] = (),
        state: Path | None = None,
    ) -> None:
        """
        :param redirect_uris: allowed for the client besides any http address on this machine.
        :param state: a file that keeps everything over a restart.
        :raises ValueError: if the state file is something else.
        """
        self.clock = Clock()
        self.behavior = Behavior()
        self.mail = Mailbox()
        self.requests = RequestLog()
        self.faults = Faults()
        self.directory = Directory()
        self.oauth = AuthorizationServer(directory=self.directory, clock=self.clock)
        self.client = self.oauth.add_client(Client(client_id, client_secret, list(redirect_uris)))
        self.store = CalendarStore(
            directory=self.directory, clock=self.clock, behavior=self.behavior, mailbox=self.mail
        )
        self.postman = Postman(behavior=self.behavior)
        self.channels = Channels(
            clock=self.clock, behavior=self.behavior, deliver=self.postman.deliver, on_change=self.save
        )
        self.quotas = Quotas(clock=self.clock, behavior=self.behavior)
        self.events = EventsApi(store=self.store, clock=self.clock, channels=self.channels)
        self.api = CalendarApi(
            directory=self.directory,
            oauth=self.oauth,
            quotas=self.quotas,
            events=self.events,
            calendars=CalendarsApi(store=self.store),
        )
        self._state = StateFile(state, dump=self._dump)
        self._server: Server | None = None
        self._load()
        self.store.listeners += [self.channels.announce, lambda _: self.save()]

    # Serving

    @property
    def url(self) -> str:
        """The root of all addresses, without a slash at its end. :raises RuntimeError: before `start`."""
        if self._server is None:
            raise RuntimeError("The emulator is not running.")
        return f"http://127.0.0.1:{self._server.port}"

    def start(self, port: int = 0, *, host: str = "127.0.0.1") -> Self:
        """Serve on a port, by default a free one. :raises OSError: if the port is taken."""
        self._server = Server(app.make_app(self), host=host, port=port)
        self._server.start()
        self.events.link_root = self.url
        return self

    def stop(self) -> None:
        """Stop serving; what is in memory stays."""
        if self._server is not None:
            self.faults.clear()
            self.postman.stop()
            self._server.stop()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def reset(self) -> None:
        """Forget everything but the server's port and the clients."""
        with self.store.lock:
            self.store.clear()
            self.directory.clear()
            self.oauth.clear()
            self.mail.clear()
            self.clock.reset()
            self.behavior.reset()
        self.channels.clear()
        self.postman.clear()
        self.faults.clear()
        self.quotas.clear()
        self.requests.clear()
        self.save()

    def save(self) -> None:
        self._state.save()

    # People

    @property
    def accounts(self) -> list[Account]:
        return list(self.directory.accounts.values())

    def add_account(self, email: str, *, name: str = "", time_zone: str = "UTC", sub: str = "") -> Account:
        """Add an account with an empty primary calendar; the one that has this address stays as it is."""
        with self.store.lock:
            account = self.directory.add(email=email, name=name, time_zone=time_zone, sub=sub)
        self.save()
        return account

    def add_calendar(self, email: str, *, summary: str, time_zone: str | None = None) -> Calendar:
        """Add a secondary calendar of an account."""
        with self.store.lock:
            calendar = self.directory.add_calendar(owner=email, summary=summary, time_zone=time_zone)
        self.save()
        return calendar

    def add_room(self, *, name: str, domain: str, time_zone: str = "UTC") -> Account:
        """Add a room: it accepts what it is invited to unless it is taken, and its address says what it is."""
        with self.store.lock:
            room = self.directory.add_room(name=name, domain=domain, time_zone=time_zone)
        self.save()
        return room

    def add_group(self, email: str, members: Iterable[str]) -> None:
        """Let an address stand for several people; on a list of guests it is one entry."""
        with self.store.lock:
            self.directory.groups[email.lower()] = [member.lower() for member in members]
        self.save()

    def share_calendar(self, calendar_id: str, *, with_email: str, role: str) -> None:
        """
        Let another person reach a calendar.

        :param role: "freeBusyReader", "reader", "writerWithoutPrivateAccess", "writer" or "owner".
        """
        with self.store.lock:
            self.directory.calendars[calendar_id].shared_with[with_email.lower()] = role
        self.save()

    def person(self, email: str, *, calendar_id: str | None = None) -> Person:
        """Return somebody to act as in Google's own page, on the primary calendar unless another is named."""
        account = self.directory.find(email)
        if account is None:
            raise KeyError(f"There is no account {email}.")
        calendar = self.directory.calendars[calendar_id or account.email]
        return Person(account=account, calendar=calendar, store=self.store, api=self.events)

    def fill(self, email: str, bodies: Iterable[dict[str, Any]]) -> None:
        """Put many events on an account's primary calendar, quickly and without mail."""
        person = self.person(email)
        write = Write(by=person.email, from_page=True)
        listeners, self.store.listeners = self.store.listeners, []
        try:
            for body in bodies:
                self.store.insert(calendar=person.calendar, raw=body, write=write)
        finally:
            self.store.listeners = listeners
        self.events.render(person.calendar.id)
        self.save()

    # Access

    def grant(self, email: str, scopes: Iterable[str], *, client_id: str | None = None) -> dict[str, Any]:
        """
        Return tokens without a walk over the consent page.

        :param scopes: full addresses, `openid`, `email`, `profile`.
        :returns: access_token, refresh_token, expires_in, scope, token_type, sub.
        """
        account = self.directory.find(email)
        if account is None:
            raise KeyError(f"There is no account {email}.")
        answer = self.oauth.grant(client_id=client_id or self.client.id, account=account, scopes=scopes)
        self.save()
        return answer

    def expire_access_tokens(self, email: str | None = None) -> None:
        """Let the access tokens of an account, or all, run out now; refreshing still works."""
        self.oauth.expire_access_tokens(email=email)
        self.save()

    def revoke_grants(self, email: str | None = None) -> None:
        """Take back consents as the person would in the account's settings: every token is dead."""
        self.oauth.forget(email=email)
        self.save()

    def expire_sync_tokens(self, calendar_id: str | None = None) -> None:
        """Have the sync tokens of a calendar, or all, refused with 410."""
        self.store.expire_sync_tokens(calendar_id)
        self.save()

    # Failures

    def fail(self, kind: str = "status", **details: Any) -> Fault:
        """
        Plan a failure; see `Fault` for what there is to say about it.

        >>> google.fail(status=403, reason="userRateLimitExceeded", method="POST", times=2)
        >>> google.fail("timeout", when="after", method="POST", path=r"/events$", seconds=1)
        """
        return self.faults.add(Fault(kind=kind, **details))

    def interject(self, action: Callable[[], object], *, when: str = "before", **details: Any) -> Fault:
        """Run something when a fitting request comes, before or after it is served; the answer is as usual."""
        return self.faults.add(Fault(kind="call", when=when, action=action, **details))

    # Memory

    def _dump(self) -> dict[str, Any]:
        with self.store.lock:
            return {
                "clock": self.clock.dump(),
                "people": self.directory.dump(),
                "oauth": self.oauth.dump(),
                "events": self.store.dump(),
                "mail": self.mail.dump(),
                "channels": self.channels.dump(),
            }

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Take back in the end whatever happens to accounts, tokens, calendars, mail, clock and planned failures."""
        before, failures = json.dumps(self._dump()), self.faults.planned()
        try:
            yield
        finally:
            with self.store.lock:
                self._take(json.loads(before))
            self.faults.plan(failures)

    def _load(self) -> None:
        if state := self._state.load():
            self._take(state)

    def _take(self, state: dict[str, Any]) -> None:
        self.clock.load(state["clock"])
        self.directory.load(state["people"])
        self.oauth.load(state["oauth"])
        self.store.load(state["events"])
        self.mail.load(state["mail"])
        self.channels.load(state.get("channels", []))
