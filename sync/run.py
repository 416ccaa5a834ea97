"""Run: what one session knows about whose calendar it brings together, and what it has done so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.models import Profile
from activities.models import Tag
from sync.core.eligibility import Window
from sync.core.mapping import EventFacts, facts_of
from sync.google.errors import GoogleUnavailable
from sync.google.gateway import CalendarGateway
from sync.models import EventLink, SyncedCalendar, SyncOutcome, SyncSession, SyncSettings

OWN_TAG = "Google synchronization"  # The private tag that is made when the set-up page names none (R3).


class LeaseLost(Exception):
    """Another run has taken the calendar over; this one must not write any more (R18)."""


class ChangedHere(Exception):
    """The activity is not what was decided about any more: look again."""


class LookLater(Exception):
    """Something else has to be looked at first: the mark stays for the next session."""


class NotSetUp(Exception):
    """The account cannot be synchronized as things are. The message is for the user."""


@dataclass
class Run:
    """One session at work. `now` is when it began; UTC."""

    calendar: SyncedCalendar
    settings: SyncSettings
    session: SyncSession
    gateway: CalendarGateway
    key: str  # Of the lease.
    now: datetime
    outcomes: list[SyncOutcome] = field(default_factory=list)
    removals_allowed: bool = False
    confirmed: set[int] = field(default_factory=set)  # Links whose removal a person has allowed (R14).
    deferred: list[int] = field(default_factory=list)  # Links whose removal waits for the guard (R14).
    overtaken: set[int] = field(default_factory=set)  # Links to exceptions whose series was written since (R15).
    ids_tried: Counter[int] = field(default_factory=Counter)  # By link: ids that Google called taken (R13).
    looked_up: dict[str, int | None] = field(default_factory=dict)  # Who is behind the guests of what came in (R7).
    unavailable: GoogleUnavailable | None = None  # Why some items have to wait (R20).
    _tag: Tag | None = None

    @property
    def me(self) -> Profile:
        """Whose session this is."""
        return self.calendar.account.profile

    @property
    def login(self) -> str:
        """The account's address, lower case."""
        return self.calendar.account.login.lower()

    @property
    def window(self) -> Window:
        return Window(self.settings.sync_from, self.me.time_zone)

    @property
    def default_zone(self) -> str:
        """The zone of events that name none: the calendar's, else the person's (R16)."""
        return self.calendar.time_zone or self.me.time_zone

    def tag(self) -> Tag:
        """Return the tag that makes imported activities travel back, made when missing (R3)."""
        if tag := self.settings.own_tag:
            return tag
        if self._tag is None:
            mine = Tag.objects.filter(kind=Tag.Kind.PRIVATE, owner=self.me, name__iexact=OWN_TAG)
            self._tag = mine.first() or Tag.objects.create(kind=Tag.Kind.PRIVATE, owner=self.me, name=OWN_TAG)
        return self._tag

    def profiles_for(self, event: Mapping[str, Any], directory: dict[str, int]) -> dict[str, int]:
        """Return who is behind the addresses of an event, this user's own copies of it included (R7)."""
        facts = facts_of(event)
        own = {self.login} | {guest.address for guest in facts.guests if guest.is_self}
        if facts.is_own and facts.organizer:
            own.add(facts.organizer)  # On a secondary calendar Google names the calendar as organizer.
        return directory | dict.fromkeys(own, self.me.pk)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """
        One small transaction of this run: the lease is held in it, and what it undoes is not counted either (R18, R19).

        :raises LeaseLost: if somebody else has the calendar now.
        """
        counts, noted = self.session.counts(), len(self.outcomes)
        try:
            with transaction.atomic():
                self.hold()
                yield
        except BaseException:
            self.session.set_counts(counts)
            del self.outcomes[noted:]
            self._tag = None  # It may have been made in what is undone.
            raise

    def hold(self, **values: Any) -> None:
        """
        Show a sign of life, and write these columns of the calendar in the same statement.

        :raises LeaseLost: if somebody else has the calendar now.
        """
        if not self.key:  # A preview.
            if values:
                SyncedCalendar.objects.filter(pk=self.calendar.pk).update(**values)
        elif not SyncedCalendar.objects.hold(calendar_id=self.calendar.pk, key=self.key, now=timezone.now(), **values):
            raise LeaseLost

    def show_progress(self) -> None:
        """Let the page see how far the session is."""
        self.session.requests_made = self.gateway.requests_made
        self.session.save(update_fields=["events_listed", "items_done", "items_total", "requests_made"])

    def note(self, action: str, *, rule: str, reason: str, item: str, **values: Any) -> SyncOutcome:
        """Write down an `outcome`, and count it. Call it inside the transaction of what it tells about."""
        return self.keep(self.outcome(action, rule=rule, reason=reason, item=item, **values))

    def keep(self, outcome: SyncOutcome) -> SyncOutcome:
        """Save an outcome, and count it. Call it inside the transaction of what it tells about."""
        outcome.save()
        self.outcomes.append(outcome)
        return outcome

    def outcome(
        self,
        action: str,
        *,
        rule: str,
        reason: str,
        item: str,
        direction: str = SyncOutcome.Direction.HERE,
        link: EventLink | None = None,
        activity_id: int | None = None,
        **values: Any,
    ) -> SyncOutcome:
        """Return an outcome of this session, not saved. `activity_id` is for an activity that has no link yet."""
        return SyncOutcome(
            session=self.session,
            link=link,
            activity_id=link.activity_id if link else activity_id,
            item=(item or "(no subject)")[:300],
            action=action,
            rule=rule,
            reason=reason[:500],
            direction=direction,
            at=timezone.now(),
            **values,
        )

    def count(self, verb: str, direction: str, number: int = 1) -> None:
        """Add to one of the six counts: added, updated, removed; here, in Google."""
        name = f"{verb}_{'here' if direction == SyncOutcome.Direction.HERE else 'in_google'}"
        setattr(self.session, name, getattr(self.session, name) + number)


def facts_in(link: EventLink) -> EventFacts:
    """Return the facts of the event that a link last saw."""
    return facts_of(link.event)
