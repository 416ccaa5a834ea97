"""The people who have a Google account here, their calendars, and who may do what with which calendar."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from typing import Any

from google_emulator import errors

ROLES = ("freeBusyReader", "reader", "writerWithoutPrivateAccess", "writer", "owner")


@dataclass(slots=True)
class Account:
    """A Google account. Its e-mail address is the id of its primary calendar."""

    email: str
    name: str
    time_zone: str
    sub: str
    # A room answers invitations by itself and signs in nowhere.
    is_room: bool = False

    @property
    def domain(self) -> str:
        return self.email.partition("@")[2]


@dataclass(slots=True)
class Calendar:
    """A calendar: the primary one of an account, or a secondary one."""

    id: str
    summary: str
    time_zone: str
    owner: str
    primary: bool
    description: str = ""
    deleted: bool = False
    # Address -> role, for everybody but the owner.
    shared_with: dict[str, str] = field(default_factory=dict)

    def role_of(self, email: str) -> str | None:
        return "owner" if email == self.owner else self.shared_with.get(email)


class Directory:
    """All accounts and calendars."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.calendars: dict[str, Calendar] = {}
        # Address of a group -> addresses of its members.
        self.groups: dict[str, list[str]] = {}

    def add(self, *, email: str, name: str = "", time_zone: str = "UTC", sub: str = "") -> Account:
        """Add an account with its primary calendar, or return the one that has this address."""
        email = email.strip().lower()
        if email in self.accounts:
            return self.accounts[email]
        sub = sub or str(int(hashlib.sha256(email.encode()).hexdigest()[:17], 16) + 10**20)
        account = Account(email=email, name=name or email.partition("@")[0].title(), time_zone=time_zone, sub=sub)
        self.accounts[email] = account
        self.calendars[email] = Calendar(id=email, summary=email, time_zone=time_zone, owner=email, primary=True)
        return account

    def add_calendar(self, *, owner: str, summary: str, time_zone: str | None = None) -> Calendar:
        """Add a secondary calendar of an account."""
        account = self.accounts[owner.lower()]
        digest = hashlib.sha256(f"{owner}/{len(self.calendars)}/{summary}".encode()).hexdigest()[:26]
        calendar = Calendar(
            id=f"c_{digest}@group.calendar.google.com",
            summary=summary,
            time_zone=time_zone or account.time_zone,
            owner=account.email,
            primary=False,
        )
        self.calendars[calendar.id] = calendar
        return calendar

    def add_room(self, *, name: str, domain: str, time_zone: str = "UTC") -> Account:
        """Add a room that can be invited."""
        digest = hashlib.sha256(f"{domain}/{name}".encode()).hexdigest()[:12]
        room = self.add(email=f"c_{digest}@resource.calendar.google.com", name=name, time_zone=time_zone)
        room.is_room = True
        self.calendars[room.email].summary = name
        return room

    def is_room(self, email: str) -> bool:
        account = self.find(email)
        return account is not None and account.is_room

    def with_calendars(self, emails: set[str]) -> set[str]:
        """Return who of these has a calendar here, the members in place of a group."""
        members = {each for email in emails for each in self.groups.get(email, [email])}
        return members & self.accounts.keys()

    def find(self, email: str) -> Account | None:
        return self.accounts.get(email.strip().lower())

    def calendar_for(self, *, calendar_id: str, email: str) -> tuple[Calendar, str]:
        """
        Return a calendar as a person reaches it, and that person's role.

        :raises ApiError: 404 if there is none, or it is not shared with the person.
        """
        calendar = self.calendars.get(email if calendar_id == "primary" else calendar_id.lower())
        role = calendar.role_of(email) if calendar and not calendar.deleted else None
        if calendar is None or role is None:
            raise errors.ApiError("notFound")
        return calendar, role

    def calendars_of(self, email: str) -> list[tuple[Calendar, str]]:
        """Return what is on a person's calendar list, the primary calendar first."""
        found = [(calendar, calendar.role_of(email)) for calendar in self.calendars.values() if not calendar.deleted]
        mine = [(calendar, role) for calendar, role in found if role]
        return sorted(mine, key=lambda pair: (pair[0].id != email, pair[0].summary))

    def clear(self) -> None:
        self.accounts.clear()
        self.calendars.clear()
        self.groups.clear()

    def dump(self) -> dict[str, Any]:
        return {
            "accounts": [asdict(account) for account in self.accounts.values()],
            "calendars": [asdict(calendar) for calendar in self.calendars.values()],
            "groups": self.groups,
        }

    def load(self, state: dict[str, Any]) -> None:
        self.accounts = {row["email"]: Account(**row) for row in state["accounts"]}
        self.calendars = {row["id"]: Calendar(**row) for row in state["calendars"]}
        self.groups = dict(state.get("groups", {}))
