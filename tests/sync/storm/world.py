"""The people of a journey, their calendars, their messages to the worker, and their sessions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from accounts.models import ExternalAccount, Profile
from activities import services
from activities.models import Activity
from google_emulator import Emulator
from sync import marks, sessions, tasks
from sync.models import EventLink, SyncedCalendar, SyncOutcome, SyncSession
from tests.factories import make_user
from tests.google import connect, sync_tag
from tests.sync.storm.checkpoints import ANY, Checkpoints
from tests.sync.storm.ledger import Ledger
from tests.sync.storm.reproducible import Clock, Ids

ZONES = {"anna": "Europe/Zurich", "boris": "America/Winnipeg", "clara": "Asia/Kolkata"}
CONNECTED = tuple(ZONES)
MARIA = "maria@partner.example"  # No user; she has a calendar at Google and invites as well as she is invited.
GUEST = "guest@elsewhere.example"  # No user, and no calendar that anybody here could see.
DEAD_AFTER = timedelta(minutes=4)  # A lease has run out by then.
ROUNDS = 3  # Of everybody's sessions, until both sides agree.
ENOUGH = 8  # Activities of one journey.
COUNTS = ("added", "updated", "removed")
MONTHS = 3  # Up to the horizon, so that an endless series stays short.
LAST_DAY = datetime(2027, 12, 1, tzinfo=UTC)  # After all that is planned.
FIRST_DAY, FIRST_MINUTE = date(2027, 4, 1), datetime(2027, 3, 2, 6, tzinfo=UTC)


class World:
    """One journey's database, its local Google, and everything that happens between them."""

    def __init__(self, *, google: Emulator, clock: Clock, ids: Ids, checkpoints: Checkpoints) -> None:
        google.reset()
        ids.count = 0
        clock.reset()
        self.google, self.clock, self.ids, self.checkpoints = google, clock, ids, checkpoints
        self.log: list[str] = []
        self.messages: list[tuple[datetime, int]] = []  # To the worker: not before when, and of which session.
        self._numbers = self._rounds = 0
        # What was touched last is likely to be touched next, on whichever side: nothing happens to what nobody shares.
        self.last_activity, self.last_event = 0, ""
        self._transaction = transaction.atomic()
        self._transaction._from_testcase = True  # It stands for a test's own; the product's lie within.
        self._transaction.__enter__()
        google.add_account(MARIA, name="Maria")
        self.profiles = {name: make_user(name, time_zone=zone).profile for name, zone in ZONES.items()}
        self.profiles["dora"] = make_user("dora").profile  # She has never connected an account.
        for name in CONNECTED:
            connect(google, self.profiles[name].user)
        users = frozenset(profile.user.email for profile in self.profiles.values())
        self.ledger = Ledger(google=google, users=users)

    def close(self) -> None:
        """Undo everything: the next journey begins with an empty database."""
        transaction.set_rollback(True)
        self._transaction.__exit__(None, None, None)

    # Values that nobody has used before

    def is_full(self) -> bool:
        """Whether there is enough to quarrel about."""
        return Activity.every.present().filter(original_start=None).count() >= ENOUGH

    def number(self) -> int:
        self._numbers += 1
        return self._numbers

    def word(self) -> str:
        return f"w{self.number():04}."

    def minute(self) -> datetime:
        """Return a start in the days to come; UTC."""
        return FIRST_MINUTE + timedelta(minutes=61 * self.number())

    def day(self) -> date:
        return FIRST_DAY + timedelta(days=self.number())

    # What was touched last

    def touch_activity(self, activity: Activity) -> None:
        link = EventLink.objects.filter(activity=activity).exclude(event_id="").order_by("pk").first()
        self.last_activity, self.last_event = activity.pk, link.event_id if link else ""

    def touch_event(self, event_id: str) -> None:
        link = EventLink.objects.filter(event_id=event_id).exclude(activity=None).order_by("pk").first()
        self.last_activity, self.last_event = link.activity_id if link and link.activity_id else 0, event_id

    # People

    def email(self, name: str) -> str:
        return MARIA if name == "maria" else f"{name}@northfold.example"

    def shown(self, name: str) -> list[dict[str, Any]]:
        """Return what somebody's page at Google shows, each occurrence of its own; of endless series a few."""
        return self.google.person(self.email(name)).events(expand=True, before=int(LAST_DAY.timestamp()))

    def profile(self, name: str) -> Profile:
        return Profile.objects.select_related("user").get(pk=self.profiles[name].pk)

    def account(self, name: str) -> ExternalAccount:
        return ExternalAccount.objects.get(profile=self.profiles[name])

    def calendar(self, name: str) -> SyncedCalendar:
        return SyncedCalendar.objects.select_related("account__profile").get(account__profile=self.profiles[name])

    def is_set_up(self, name: str) -> bool:
        account = self.account(name)
        is_active = self.profile(name).user.is_active
        return account.status == ExternalAccount.Status.CONNECTED and is_active and not account.paused

    def say(self, text: str) -> None:
        self.log.append(f"{timezone.now():%d %H:%M:%S} {text}")

    def attempt(self, words: str, service: Callable[..., Any], **values: Any) -> None:
        """Do something here as a person would, who may be refused."""
        try:
            service(now=timezone.now(), **values)
        except services.UnableToChange as error:
            words += f" - refused: {error}"
        self.say(words)

    # Sessions

    def ask(self, name: str) -> SyncSession:
        """Ask for a session, as the button does: its message goes to the worker."""
        return sessions.request(calendar=self.calendar(name), trigger=SyncSession.Trigger.MANUAL, now=timezone.now())

    def send(self, session_id: int, *, countdown: float = 0.0) -> None:
        """Take a message to the worker. `countdown` is in seconds."""
        self.messages.append((self.clock.now() + timedelta(seconds=countdown), session_id))

    def work(self) -> None:
        """Let the worker do what its messages ask for, as far as their time has come."""
        while due := [message for message in self.messages if message[0] <= self.clock.now()]:
            self.messages.remove(due[0])
            tasks.run_session(session_id=due[0][1])

    def synchronize(
        self, name: str, *, at: int = 0, act: Callable[[], None] | None = None, of: str = ANY
    ) -> SyncSession:
        """
        Run a session of somebody's. At its checkpoint number `at`, `act`; without that, kill the worker there.

        `of` says which checkpoints count.

        What the session changed is entered in the ledger.
        """
        self.ledger.begin()
        session = self.ask(name)
        self.clock.sleep(session.seconds_to_wait(self.clock.now()))  # It may be postponed.
        self.send(session.pk)  # One more, since an earlier message may be lost.
        meanwhile = (lambda: self._meanwhile(act)) if act else None
        has_ended = self.checkpoints.run(self.work, at=at, act=meanwhile, of=of)
        session.refresh_from_db()
        self.ledger.judge(has_heard_all=has_ended and session.status == SyncSession.Status.SUCCEEDED)
        self.say(f"session of {name}: {session.status if has_ended else 'killed'} {session.error}")
        outcomes = session.outcomes.values_list("item", "action", "field", "rule", "reason", "error")
        self.log += [f"    {' | '.join(outcome)}" for outcome in outcomes]
        return session

    def rehearse(self, name: str) -> Counter[str]:
        """Return how many checkpoints of each kind a session of somebody's would pass now. It leaves no trace."""
        messages, count, now = list(self.messages), self.ids.count, self.clock.remember()
        with self.google.undone(), transaction.atomic():
            connection.atomic_blocks[-1]._from_testcase = True
            session = self.ask(name)
            self.clock.sleep(session.seconds_to_wait(self.clock.now()))
            self.send(session.pk)
            self.checkpoints.run(self.work)
            transaction.set_rollback(True)
        self.messages, self.ids.count = messages, count
        self.clock.recall(now)
        return Counter(self.checkpoints.passed)

    def _meanwhile(self, act: Callable[[], None]) -> None:
        """Something happens in the middle of a session, on whose account it must not go."""
        self.ledger.judge()
        self.say("  meanwhile:")
        act()
        self.ledger.accept(is_meanwhile=True)

    def confirm(self, name: str) -> None:
        """Let the removals happen that a session of theirs stopped before (R14)."""
        for session in self.calendar(name).sessions.filter(status=SyncSession.Status.NEEDS_CONFIRMATION):
            if sessions.removals_waiting(session):
                sessions.confirm_removals(session=session, now=timezone.now())

    # After the storm

    def calm(self, *, thaws: bool) -> None:
        """
        Nothing disturbs any more, who is still at work has died, what is parked is tried again; and everybody
        synchronizes, until there is nothing left to do.

        :raises AssertionError: if there still is after ROUNDS of sessions.
        """
        self.google.faults.clear()
        self.messages.clear()
        self.clock.let_google_be_ahead(timedelta())
        self.clock.advance(DEAD_AFTER)
        for name in CONNECTED:
            if not self.is_set_up(name):  # Who connects anew has all compared, which would hide a lost mark.
                self.let_return(name)
            if thaws:
                self._thaw(name)
        self.say("calm")
        while not self._is_quiet_round():
            self._rounds += 1
            assert self._rounds <= ROUNDS, f"not quiet after {ROUNDS} rounds"

    def _is_quiet_round(self) -> bool:
        """Let everybody synchronize; whether each session made one request, and wrote nothing on either side (R18)."""
        for name in CONNECTED:
            self._retry(name)
        done = [self._is_quiet(self._synchronize_in_peace(name)) for name in CONNECTED]
        return all(done)

    def _synchronize_in_peace(self, name: str) -> SyncSession:
        session = self.synchronize(name)
        if self.is_set_up(name):
            return session
        self.let_return(name)  # Only now it has shown that the consent was taken back.
        return self.synchronize(name)

    def _is_quiet(self, session: SyncSession) -> bool:
        if session.status == SyncSession.Status.NEEDS_CONFIRMATION:
            sessions.confirm_removals(session=session, now=timezone.now())
        counts = [getattr(session, f"{verb}_{side}") for verb in COUNTS for side in ("here", "in_google")]
        return (session.status, sum(counts), session.requests_made) == (SyncSession.Status.SUCCEEDED, 0, 1)

    def _retry(self, name: str) -> None:
        """Try again what is parked, as the button of each item does (R19)."""
        calendar = self.calendar(name)
        EventLink.objects.filter(calendar=calendar).exclude(retry_at=None).update(retry_at=timezone.now())
        parked = SyncOutcome.objects.filter(session__calendar=calendar, action="parked", link=None, is_resolved=False)
        for outcome in parked.order_by("pk").select_related("activity"):
            if outcome.activity:
                marks.mark_activity(activity=outcome.activity, people=[self.profiles[name].pk])
        parked.update(is_resolved=True)

    def _thaw(self, name: str) -> None:
        """Let everything that somebody took out of the selection qualify again (R4)."""
        person = self.profile(name)
        mine = Activity.every.present().filter(organizer=person, links__calendar=self.calendar(name))
        for found in mine.distinct().order_by("pk"):
            activity = found.series.occurrences.order_by("pk").first() if found.is_series and found.series else found
            if activity:
                services.add_tag(activity=activity, tag=sync_tag(person), by=person)
                services.edit(activity=activity, by=person, now=timezone.now(), show_in_calendar=True)
        self.ledger.accept()

    def let_return(self, name: str) -> None:
        """Let somebody have synchronization set up again, whatever happened to their account."""
        user = self.profile(name).user
        if not user.is_active:
            user.is_active = True
            user.save()
        ExternalAccount.objects.filter(profile=self.profiles[name]).update(paused=False)
        connect(self.google, user)

    def check_database(self) -> None:
        """What is otherwise checked at the commit, which never comes."""
        connection.check_constraints()
