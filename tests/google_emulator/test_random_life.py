"""Whatever people do: who follows the deltas knows what a full list says, and all copies agree."""

from __future__ import annotations

import random

import pytest

from google_emulator import ApiError

from .conftest import ANNA, BORIS, CLARA, PETER
from .helpers import Delta, all_day, everything, guests, timed

PEOPLE = (ANNA, BORIS, CLARA)
COMMON = ("summary", "description", "location", "start", "end", "recurrence", "attendees", "sequence", "status")
RULES = (["RRULE:FREQ=DAILY;COUNT=5"], ["RRULE:FREQ=DAILY;COUNT=3"], ["RRULE:FREQ=WEEKLY;COUNT=4"])


class Life:
    """People at random work in their calendars; the seed makes it repeatable."""

    def __init__(self, google, seed):
        self.google = google
        self.random = random.Random(seed)
        self.done = []

    def step(self):
        act = self.random.choice(
            [self.create, self.rename, self.rename, self.move, self.invite, self.respond, self.delete, self.restore]
        )
        person = self.google.person(self.random.choice(PEOPLE))
        try:
            act(person)
            self.done.append((act.__name__, person.email))
        except ApiError as error:
            self.done.append((act.__name__, person.email, error.reason))

    def times(self):
        day = self.random.randint(1, 20)
        if self.random.random() < 0.3:
            nothing = {"dateTime": None, "timeZone": None}
            body = all_day(first=f"2026-05-{day:02d}", after=f"2026-05-{day + 1:02d}")
            return {"start": body["start"] | nothing, "end": body["end"] | nothing}
        body = timed(start=f"2026-05-{day:02d}T10:00:00", end=f"2026-05-{day:02d}T11:00:00")
        return {side: body[side] | {"date": None} for side in ("start", "end")}

    def create(self, person):
        body = {"summary": f"Event {self.random.random()}", **self.times()}
        if self.random.random() < 0.5:
            body["attendees"] = guests(*self.random.sample([*PEOPLE, PETER], 2))
        if self.random.random() < 0.4:
            body["recurrence"] = self.random.choice(RULES)
        if self.random.random() < 0.2:
            body["guestsCanModify"] = True
        person.create_event(body)

    def one_of(self, person, *, own=False):
        rows = person.events(expand=self.random.random() < 0.5)
        if own:
            rows = [row for row in rows if row["organizer"].get("self")]
        if not rows:
            raise ApiError("notFound")
        return self.random.choice(rows)

    def rename(self, person):
        row = self.one_of(person, own=True)
        person.edit(
            row["id"], {"summary": f"New {self.random.random()}", "location": self.random.choice([None, "Room"])}
        )

    def move(self, person):
        row = self.one_of(person, own=True)
        rule = {"recurrence": self.random.choice(RULES)} if "recurrence" in row else {}
        person.edit(row["id"], {**self.times(), **rule})

    def invite(self, person):
        row = self.one_of(person, own=True)
        person.edit(row["id"], {"attendees": guests(*self.random.sample([*PEOPLE, PETER], self.random.randint(0, 3)))})

    def respond(self, person):
        person.respond(self.one_of(person)["id"], self.random.choice(["accepted", "tentative", "declined"]))

    def delete(self, person):
        person.delete(self.one_of(person)["id"])

    def restore(self, person):
        gone = [copy for copy in self.google.store.table(person.email).ordered if copy.cancelled and not copy.master_id]
        if gone:
            person.restore(self.random.choice(gone).id)


class Follower:
    """A client that knows a calendar by its deltas alone."""

    def __init__(self, events):
        self.events = events
        self.rows = {}
        self.delta = Delta(events)

    def catch_up(self):
        for row in self.delta.rows():
            if row["status"] == "cancelled" and "recurringEventId" not in row:
                self.rows.pop(row["id"], None)
                if "recurringEventId" not in row:
                    children = [each for each in self.rows.values() if each.get("recurringEventId") == row["id"]]
                    for child in children:
                        del self.rows[child["id"]]
            else:
                self.rows[row["id"]] = row


@pytest.mark.parametrize("seed", range(8))
def test_following_deltas_is_as_good_as_a_full_list(google, client, seed):
    life = Life(google, seed)
    followers = {email: Follower(client(email).events()) for email in PEOPLE}
    for number in range(120):
        life.step()
        if number % 7 == 0:
            followers[life.random.choice(PEOPLE)].catch_up()

    for email, follower in followers.items():
        follower.catch_up()
        listed = {row["id"]: row for row in everything(follower.events)[0]}
        assert follower.rows == listed, (email, life.done)


@pytest.mark.parametrize("seed", range(100, 108))
def test_all_copies_of_a_meeting_agree(google, seed):
    life = Life(google, seed)
    for _ in range(120):
        life.step()

    tables = {email: google.store.table(email) for email in PEOPLE}
    for email, table in tables.items():
        for copy in table.ordered:
            organizer = copy.body["organizer"]["email"]
            if copy.cancelled or organizer == email or not table.is_living_series(copy.master_id):
                continue
            theirs = tables[organizer].find(copy.id)
            assert theirs.meeting == copy.meeting
            assert {name: copy.body.get(name) for name in COMMON} == {name: theirs.body.get(name) for name in COMMON}, (
                life.done
            )
    for email, table in tables.items():
        for copy in table.ordered:
            if copy.cancelled or not copy.organized_here or not table.is_living_series(copy.master_id):
                continue
            for guest in copy.body.get("attendees", []):
                if guest["email"] in tables and guest["email"] != email and guest["responseStatus"] != "declined":
                    assert not tables[guest["email"]].rows[copy.id].cancelled, life.done
