"""A random storm over two people's calendars, then calm: both sides agree, nothing is doubled, nothing is lost."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Profile
from activities import services
from activities.models import Activity, Participant
from google_emulator import Emulator
from sync import sessions, store, tasks
from sync.core import mapping
from sync.core.decide import Presence
from sync.models import EventLink, SyncedCalendar, SyncSession
from tests.factories import make_activity, make_user
from tests.google import connect, sync_tag, timed

pytestmark = pytest.mark.django_db(transaction=True)

STEPS = 40
ROUNDS = 3  # Sessions of everybody after the storm.
CONTENT = ("subject", "when", "location", "notes", "is_private", "show_as_free", "people")


class Storm:
    """People who act at random on both sides; the seed repeats it exactly."""

    def __init__(self, google: Emulator, seed: int) -> None:
        self.google, self.random = google, random.Random(seed)
        self.people = {name: make_user(name).profile for name in ("anna", "boris")}
        google.add_account("maria@partner.example", name="Maria")
        self.calendars = {name: connect(google, person.user).pk for name, person in self.people.items()}
        self.log: list[str] = []
        self.number = 0

    def step(self) -> None:
        acts = [
            self.make_here, self.make_there, self.edit_here, self.edit_here, self.edit_there, self.edit_there,
            self.cancel_here, self.reopen_here, self.delete_there, self.restore_there, self.answer_here,
            self.answer_there, self.untag, self.tag, self.trouble, self.synchronize, self.synchronize,
            self.synchronize, self.change_people_here,
        ]  # fmt: skip
        act = self.random.choice(acts)
        name = self.random.choice(list(self.people))
        self.log.append(f"{act.__name__} {name}")
        act(name)

    def word(self) -> str:
        self.number += 1
        return f"value {self.number}"

    def event_times(self) -> dict[str, Any]:
        hour = self.random.randrange(8, 18)
        return timed(f"2027-03-08T{hour:02}:00:00", f"2027-03-08T{hour + 1:02}:00:00")

    def make_here(self, name: str) -> None:
        person = self.people[name]
        others = [self.people["boris"]] if name == "anna" and self.random.random() < 0.5 else []
        start = datetime(2027, 3, 8, self.random.randrange(8, 18), tzinfo=UTC)
        make_activity(by=person, subject=self.word(), start=start, show_in_calendar=True, participants=others,
                      tags=[sync_tag(person)], now=timezone.now())  # fmt: skip

    def make_there(self, name: str) -> None:
        guests = self.random.choice(
            [[], ["maria@partner.example"], ["anna@northfold.example", "boris@northfold.example"]]
        )
        body = {"summary": self.word(), "attendees": [{"email": email} for email in guests], **self.event_times()}
        self.google.person(f"{name}@northfold.example").create_event(body)

    def activity(self, name: str, **filters: Any) -> Activity | None:
        found = list(Activity.objects.visible_to(self.people[name]).filter(**filters).order_by("id"))
        return self.random.choice(found) if found else None

    def edit_here(self, name: str) -> None:
        activity = self.activity(name)
        if activity is None:
            return
        values: dict[str, Any] = self.random.choice(
            [{"subject": self.word()}, {"location": self.word()}, {"notes": self.word()}, {"is_private": True},
             {"start": datetime(2027, 3, 8, self.random.randrange(8, 18), tzinfo=UTC)}, {"show_as_free": True}]
        )  # fmt: skip
        self.try_here(services.edit, activity=activity, by=self.people[name], now=timezone.now(), **values)

    def cancel_here(self, name: str) -> None:
        if activity := self.activity(name):
            self.try_here(services.set_status, activity=activity, by=self.people[name], status="canceled",
                          now=timezone.now())  # fmt: skip

    def reopen_here(self, name: str) -> None:
        if activity := self.activity(name, status="canceled"):
            self.try_here(services.set_status, activity=activity, by=self.people[name], status="not_started",
                          now=timezone.now())  # fmt: skip

    def change_people_here(self, name: str) -> None:
        activity, boris = self.activity(name), self.people["boris"]
        if activity is None:
            return
        change = self.random.choice([services.add_participant, services.remove_participant])
        self.try_here(change, activity=activity, profile=boris, by=self.people[name], now=timezone.now())

    def answer_here(self, name: str) -> None:
        if activity := self.activity(name):
            answer = self.random.choice(["accepted", "tentative", "declined"])
            self.try_here(services.respond, activity=activity, profile=self.people[name], response=answer,
                          now=timezone.now())  # fmt: skip

    def untag(self, name: str) -> None:
        if activity := self.activity(name):
            services.remove_tag(activity=activity, tag=sync_tag(self.people[name]), by=self.people[name])

    def tag(self, name: str) -> None:
        if activity := self.activity(name):
            services.add_tag(activity=activity, tag=sync_tag(self.people[name]), by=self.people[name])

    def try_here(self, service: Any, **values: Any) -> None:
        try:
            service(**values)
        except services.UnableToChange as error:
            self.log.append(f"  refused: {error}")

    def event(self, name: str, *, own: bool = False) -> dict[str, Any] | None:
        events = self.google.person(f"{name}@northfold.example").events()
        found = [event for event in events if not own or event["organizer"].get("self")]
        return self.random.choice(found) if found else None

    def edit_there(self, name: str) -> None:
        if event := self.event(name, own=True):
            patch = self.random.choice(
                [{"summary": self.word()}, {"location": self.word()}, self.event_times(), {"visibility": "private"}]
            )
            self.google.person(f"{name}@northfold.example").edit(event["id"], patch)

    def delete_there(self, name: str) -> None:
        if event := self.event(name):
            self.google.person(f"{name}@northfold.example").delete(event["id"])

    def restore_there(self, name: str) -> None:
        gone = EventLink.objects.filter(calendar=self.calendars[name], state="detached", event__organizer__self=True)
        link = self.random.choice([*gone, None])
        if link is not None:
            self.google.person(f"{name}@northfold.example").restore(link.event_id)

    def answer_there(self, name: str) -> None:
        event = self.event(name)
        if event and any(guest.get("self") for guest in event.get("attendees", [])):
            answer = self.random.choice(["accepted", "tentative", "declined"])
            self.google.person(f"{name}@northfold.example").respond(event["id"], answer)

    def trouble(self, name: str) -> None:
        trouble = self.random.choice(["reset-before", "reset-after", "500", "expire", "tokens", "412"])
        if trouble.startswith("reset"):
            self.google.fail("reset", when=trouble.removeprefix("reset-"), path="/events")
        elif trouble == "500":
            self.google.fail(status=500, reason="backendError", path="/events", times=6)
        elif trouble == "412":
            self.google.fail(status=412, reason="conditionNotMet", method="PATCH")
        elif trouble == "expire":
            self.google.expire_access_tokens(f"{name}@northfold.example")
        else:
            self.google.expire_sync_tokens()

    def synchronize(self, name: str) -> SyncSession:
        calendar = SyncedCalendar.objects.get(pk=self.calendars[name])
        session, _new = sessions.open_session(calendar=calendar, trigger="manual", now=timezone.now())
        tasks.run_here(session)
        session.refresh_from_db()
        if session.status == "needs_confirmation":
            session = sessions.confirm_removals(session=session, now=timezone.now())
            tasks.run_session(session_id=session.pk)
            session.refresh_from_db()
        return session

    def calm(self) -> None:
        """Nothing disturbs any more; what is parked is tried again."""
        self.google.faults.clear()
        for name, person in self.people.items():
            for activity in Activity.objects.visible_to(person).filter(links__calendar=self.calendars[name]):
                services.add_tag(activity=activity, tag=sync_tag(person), by=person)
        for _round in range(ROUNDS):
            EventLink.objects.exclude(retry_at=None).update(retry_at=timezone.now() - timedelta(seconds=1))
            for name in self.people:
                session = self.synchronize(name)
                assert session.status == "succeeded", (
                    session.error,
                    list(session.outcomes.values("item", "reason", "error")),
                )

    # What has to hold

    def assert_quiet(self) -> None:
        for name in self.people:
            session = self.synchronize(name)
            changed = [getattr(session, f"{verb}_{side}") for verb in ("added", "updated", "removed")
                       for side in ("here", "in_google")]  # fmt: skip
            assert (session.status, sum(changed), session.requests_made) == ("succeeded", 0, 1)

    def assert_agreement(self) -> None:
        for link in EventLink.objects.exclude(activity=None).select_related("calendar__account__profile"):
            activity = store.load_activity(link.activity_id)
            person: Profile = link.calendar.account.profile
            shown = self.google.person(person.user.email)
            event = next((event for event in shown.events() if event["id"] == link.event_id), None)
            if activity.organizer_id != person.pk:
                continue
            is_here = store.presence_here(activity) is Presence.PRESENT
            if link.state == "detached" and not event:
                assert not is_here or activity.status == "completed" or self.has_declined(activity, person)
                continue
            assert is_here is (event is not None), (activity, link, link.reason)
            if event:
                self.assert_same(activity, event, person)

    def has_declined(self, activity: Activity, person: Profile) -> bool:
        return Participant.objects.filter(activity=activity, profile=person, response="declined").exists()

    def assert_same(self, activity: Activity, event: dict[str, Any], person: Profile) -> None:
        profiles = {profile.user.email: profile.pk for profile in self.people.values()}
        addresses = {pk: email for email, pk in profiles.items()}
        google = mapping.snapshot_of(event, profiles=profiles, default_zone="UTC")
        here = store.snapshot_here(activity, addresses=addresses, organizer=person.pk)
        for name in CONTENT:
            assert getattr(here, name) == getattr(google, name), (activity, name)

    def assert_nothing_doubled(self) -> None:
        for name in self.people:
            summaries = [event.get("summary") for event in self.google.person(f"{name}@northfold.example").events()]
            assert len(summaries) == len(set(summaries)), summaries
        subjects = list(Activity.objects.present().values_list("subject", flat=True))
        assert len(subjects) == len(set(subjects)), subjects

    def assert_nothing_lost(self) -> None:
        """Every live event of a connected person that they have not declined is an activity here."""
        for name in self.people:
            linked = set(EventLink.objects.filter(calendar=self.calendars[name]).exclude(activity=None)
                         .values_list("event_id", flat=True))  # fmt: skip
            for event in self.google.person(f"{name}@northfold.example").events():
                if mapping.facts_of(event).own_answer != "declined":
                    assert event["id"] in linked, (name, event["summary"])


@pytest.mark.rule("R11", "R13", "R14", "R18")
@pytest.mark.parametrize("seed", range(6))
def test_after_the_storm_both_sides_agree(google, seed, monkeypatch):
    from sync.google.gateway import CalendarGateway

    monkeypatch.setitem(CalendarGateway.__init__.__kwdefaults__, "sleep", lambda _seconds: None)
    storm = Storm(google, seed)
    try:
        for _step in range(STEPS):
            storm.step()
        storm.calm()
        storm.assert_quiet()
        storm.assert_agreement()
        storm.assert_nothing_doubled()
        storm.assert_nothing_lost()
    except AssertionError as error:
        raise AssertionError(f"seed {seed}: {error}\n" + "\n".join(storm.log)) from error
