"""Whatever people do: who follows the deltas knows what a full list says, and all copies agree."""

from __future__ import annotations

import random

import pytest

from google_emulator import ApiError

from .conftest import ANNA, BORIS, CLARA, PETER
from .helpers import all_day, everything, guests, page, timed

PEOPLE = (ANNA, BORIS, CLARA)
TEAM = "team@northfold.example"
COMMON = ("summary", "description", "location", "start", "end", "recurrence", "attendees", "sequence", "status")
RULES = (
    ["RRULE:FREQ=DAILY;COUNT=5"],
    ["RRULE:FREQ=DAILY;COUNT=3"],
    ["RRULE:FREQ=WEEKLY;COUNT=4"],
    ["RRULE:FREQ=WEEKLY;UNTIL=20260601T000000Z"],
    ["RRULE:FREQ=DAILY;COUNT=4", "EXDATE;VALUE=DATE:20260505", "RDATE;TZID=Europe/Berlin:20260620T100000"],
)


class Life:
    """
    People at random work in their calendars, each in two of their own; the seed makes it repeatable.

    :param all_agree: leave out what is meant to make copies differ.
    """

    def __init__(self, google, seed, *, all_agree=False):
        self.google = google
        self.random = random.Random(seed)
        self.done = []
        self.failures = 0
        self.acts = [
            *[self.create] * 5,
            *[self.rename, self.invite, self.respond, self.delete] * 2,
            *(self.move, self.restore, self.rename_one, self.split, self.rename_all, self.respond_to_all),
            *(self.delete_following, self.restore_occurrence, self.remind, self.tag, self.let_modify),
        ]
        self.others = {email: google.add_calendar(email, summary=f"Of {email}").id for email in PEOPLE}
        google.add_group(TEAM, [BORIS, CLARA])
        self.room = google.add_room(name="Library", domain="northfold.example").email
        google.share_calendar(self.others[ANNA], with_email=BORIS, role="writer")
        if not all_agree:
            self.acts += [self.change_own_copy, self.carry_over, self.carry_over, self.write_in_shared_calendar]

    @property
    def calendar_ids(self):
        return [*PEOPLE, *self.others.values()]

    def step(self):
        act = self.random.choice(self.acts)
        email = self.random.choice(PEOPLE)
        calendar_id = self.others[email] if self.random.random() < 0.2 else email
        try:
            act(self.google.person(email, calendar_id=calendar_id))
            self.done.append((act.__name__, calendar_id))
        except ApiError as error:
            self.failures += 1
            self.done.append((act.__name__, calendar_id, error.reason))

    def times(self):
        day = self.random.randint(1, 20)
        if self.random.random() < 0.3:
            nothing = {"dateTime": None, "timeZone": None}
            body = all_day(first=f"2026-05-{day:02d}", after=f"2026-05-{day + 1:02d}")
            return {"start": body["start"] | nothing, "end": body["end"] | nothing}
        body = timed(start=f"2026-05-{day:02d}T10:00:00", end=f"2026-05-{day:02d}T11:00:00")
        return {side: body[side] | {"date": None} for side in ("start", "end")}

    def some_guests(self, least=0):
        return guests(*self.random.sample([*PEOPLE, PETER, TEAM, self.room], self.random.randint(least, 3)))

    def one_of(self, person, *, own=False, occurrence=False):
        rows = person.events(expand=occurrence or self.random.random() < 0.5)
        if own:
            rows = [row for row in rows if row["organizer"].get("self")]
        if occurrence:
            rows = [row for row in rows if "recurringEventId" in row]
        if not rows:
            raise ApiError("notFound")
        # Ids are not of the seed's making: the order has to come from elsewhere.
        rows.sort(key=lambda row: (str(row["start"]), str(row.get("originalStartTime")), row["summary"]))
        return self.random.choice(rows)

    def new_words(self):
        return {"summary": f"New {self.random.random()}", "location": self.random.choice([None, "Room"])}

    # Single events, series as a whole

    def create(self, person):
        body = {"summary": f"Event {self.random.random()}", **self.times()}
        if self.random.random() < 0.6:
            body["attendees"] = self.some_guests(1)
        if self.random.random() < 0.5:
            body["recurrence"] = self.random.choice(RULES)
        if self.random.random() < 0.2:
            body["guestsCanModify"] = True
        person.create_event(body)

    def rename(self, person):
        person.edit(self.one_of(person, own=True)["id"], self.new_words())

    def move(self, person):
        row = self.one_of(person, own=True)
        rule = {"recurrence": self.random.choice(RULES)} if "recurrence" in row else {}
        person.edit(row["id"], {**self.times(), **rule})

    def invite(self, person):
        person.edit(self.one_of(person, own=True)["id"], {"attendees": self.some_guests()})

    def let_modify(self, person):
        row = self.one_of(person, own=True)
        person.edit(row["id"], {"guestsCanModify": not row.get("guestsCanModify", False)})

    def respond(self, person):
        person.respond(self.one_of(person)["id"], self.random.choice(["accepted", "tentative", "declined"]))

    def delete(self, person):
        person.delete(self.one_of(person)["id"], notify=self.random.random() < 0.5)

    def restore(self, person):
        self.back_from_the_bin(person, occurrences=False)

    def restore_occurrence(self, person):
        self.back_from_the_bin(person, occurrences=True)

    def back_from_the_bin(self, person, *, occurrences):
        table = self.google.store.table(person.calendar.id)
        gone = [copy for copy in table.ordered if copy.cancelled and bool(copy.master_id) is occurrences]
        if gone:
            person.restore(self.random.choice(gone).id)

    def remind(self, person):
        minutes = {"method": "popup", "minutes": self.random.randint(0, 60)}
        person.edit(self.one_of(person)["id"], {"reminders": {"useDefault": False, "overrides": [minutes]}})

    def tag(self, person):
        value = {"key": str(self.random.random())}
        part = self.random.choice(["private", "shared"])
        person.edit(self.one_of(person)["id"], {"extendedProperties": {part: value}})

    # Parts of series

    def rename_one(self, person):
        person.edit(self.one_of(person, own=True, occurrence=True)["id"], self.new_words())

    def split(self, person):
        change = self.times() if self.random.random() < 0.3 else self.new_words()
        person.edit(self.one_of(person, own=True, occurrence=True)["id"], change, scope="following")

    def rename_all(self, person):
        person.edit(self.one_of(person, own=True, occurrence=True)["id"], self.new_words(), scope="all")

    def respond_to_all(self, person):
        answer = self.random.choice(["accepted", "declined"])
        person.respond(self.one_of(person, occurrence=True)["id"], answer, scope="all")

    def delete_following(self, person):
        person.delete(self.one_of(person, own=True, occurrence=True)["id"], scope="following")

    # What makes copies differ

    def change_own_copy(self, person):
        person.edit(self.one_of(person)["id"], self.new_words())

    def carry_over(self, person):
        row = self.one_of(person, own=True)
        elsewhere = self.others[person.email] if person.calendar.primary else person.email
        person.move(row.get("recurringEventId", row["id"]), to=elsewhere)

    def write_in_shared_calendar(self, person):
        boris = self.google.person(BORIS, calendar_id=self.others[ANNA])
        self.random.choice([self.create, self.rename, self.delete, self.split])(boris)


class Follower:
    """A client that knows a calendar by its deltas alone."""

    def __init__(self, events, calendar_id, **window):
        self.events, self.calendar_id = events, calendar_id
        self.rows = {}
        rows, self.token = everything(events, calendarId=calendar_id, **window)
        self.tokens = [self.token]
        self.take(rows)

    def catch_up(self, *, token=None, size=250, meanwhile=lambda: None):
        """Follow a token to its end, in pages of a size, while others go on."""
        token = token or self.token
        more = {}
        while True:
            answer = page(self.events, calendarId=self.calendar_id, syncToken=token, maxResults=size, **more)
            self.take(answer["items"])
            if "nextPageToken" not in answer:
                self.token = answer["nextSyncToken"]
                self.tokens.append(self.token)
                return
            more = {"pageToken": answer["nextPageToken"]}
            meanwhile()

    def take(self, rows):
        for row in rows:
            if row["status"] == "cancelled" and "recurringEventId" not in row:
                self.rows.pop(row["id"], None)
                children = [each for each in self.rows.values() if each.get("recurringEventId") == row["id"]]
                for child in children:
                    del self.rows[child["id"]]
            else:
                self.rows[row["id"]] = row


@pytest.mark.checklist(3)
@pytest.mark.parametrize("seed", range(12))
def test_following_deltas_is_as_good_as_a_full_list(google, client, seed):
    life = Life(google, seed)
    clients = {email: client(email).events() for email in PEOPLE}
    owners = {**{email: email for email in PEOPLE}, **{other: email for email, other in life.others.items()}}
    followers = [Follower(clients[owners[each]], each) for each in life.calendar_ids]
    for number in range(150):
        life.step()
        if number % 5 == 0:
            follower = life.random.choice(followers)
            size = life.random.choice([1, 2, 7, 250])
            old = life.random.choice(follower.tokens) if life.random.random() < 0.3 else None
            follower.catch_up(token=old, size=size, meanwhile=life.step)

    for follower in followers:
        follower.catch_up()
        listed = {row["id"]: row for row in everything(follower.events, calendarId=follower.calendar_id)[0]}
        assert follower.rows == listed, (follower.calendar_id, life.done)
    assert life.failures < len(life.done) / 2, "most of what people try is possible"


@pytest.mark.parametrize("seed", range(250, 254))
def test_following_a_window_misses_nothing_in_it(google, client, seed):
    life = Life(google, seed)
    window = {"timeMin": "2026-05-08T00:00:00Z", "timeMax": "2026-05-15T00:00:00Z"}
    followers = [Follower(client(email).events(), email, **window) for email in PEOPLE]
    for number in range(120):
        life.step()
        if number % 10 == 0:
            life.random.choice(followers).catch_up(size=life.random.choice([2, 250]))

    for follower in followers:
        follower.catch_up()
        listed = {row["id"]: row for row in everything(follower.events, calendarId=follower.calendar_id, **window)[0]}
        assert {name: follower.rows.get(name) for name in listed} == listed, (follower.calendar_id, life.done)


@pytest.mark.parametrize("seed", range(100, 112))
def test_all_copies_of_a_meeting_agree(google, seed):
    life = Life(google, seed, all_agree=True)
    for _ in range(150):
        life.step()

    tables = {each: google.store.table(each) for each in life.calendar_ids}
    for calendar_id, table in tables.items():
        for copy in table.ordered:
            organizer = copy.body["organizer"]["email"]
            if copy.cancelled or organizer == calendar_id or not table.is_living_series(copy.master_id):
                continue
            theirs = tables[organizer].find(copy.id)
            assert theirs.meeting == copy.meeting
            assert {name: copy.body.get(name) for name in COMMON} == {name: theirs.body.get(name) for name in COMMON}, (
                life.done
            )
    for calendar_id, table in tables.items():
        for copy in table.ordered:
            if copy.cancelled or not copy.organized_here or not table.is_living_series(copy.master_id):
                continue
            for guest in copy.body.get("attendees", []):
                if guest["email"] in PEOPLE and guest["email"] != calendar_id and guest["responseStatus"] != "declined":
                    table_there = tables[guest["email"]]
                    series = table_there.rows.get(copy.master_id)
                    if series is not None and series.cancelled:
                        continue  # Occurrences go with the series, a known departure.
                    theirs = table_there.find(copy.id)
                    assert theirs is not None, life.done
                    assert not theirs.cancelled, life.done
