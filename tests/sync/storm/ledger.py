"""
What both sides hold, looked at before and after each session, so that no value goes unnoticed.

Every text and every time that anybody gives is another one, so a value tells by itself where it has been. What people
change is theirs to change; what a session takes away has to be on the other side by then, or in the journal (R11).
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db.models import Q

from accounts.models import ExternalAccount
from activities.models import Activity, FieldChange
from google_emulator import Emulator
from sync.models import EventLink, SyncOutcome, SyncSession, SyncSettings
from tests.sync.storm.edits import Both, Edits, look

HERE, GOOGLE = "here", "google"
FRESH = timedelta(hours=24)  # R17
# Changes that Google tells nobody about (R17): what is one's own, and an answer.
NEVER_TOLD = ("response", "is_private", "show_as_free", "reminder", "show_in_calendar", "tags")
TEXTS = {"subject": "summary", "location": "location", "notes": "description"}
Place = tuple[Any, ...]


@dataclass
class Sight:
    """What both sides hold in one moment: place → value."""

    here: dict[Place, str]
    google: dict[Place, str]
    cancelled: set[tuple[str, str]]  # Calendar and id of each event that is.
    outsiders: dict[tuple[str, str], dict[str, dict[str, Any]]]  # Entries of guests who are no users, by event.
    # When occurrences take place that are where their series says.
    of_series_here: dict[Place, str]
    of_series_there: dict[Place, str]
    edits: Both  # What has no value of its own: yes or no, one of a few.


@dataclass
class Ledger:
    """Watches the two sides of a journey."""

    google: Emulator
    users: frozenset[str]  # The addresses of everybody who has a profile.
    gone: list[tuple[str, str, str]] = field(default_factory=list)  # Side, value, and what became of it.
    seen: dict[str, set[str]] = field(default_factory=lambda: {HERE: set(), GOOGLE: set()})
    seen_of: set[tuple[int, str]] = field(default_factory=set)  # Of each activity.
    mails_seen: int = 0
    mails_of_sessions: Counter[tuple[str, str]] = field(default_factory=Counter)  # By event and whom it was sent to.
    conflicts_seen: int = 0
    edits: Edits = field(default_factory=Edits)
    _meanwhile: set[Place] = field(default_factory=set)  # What was changed in Google during the session that runs.
    _promised: set[tuple[int, str]] = field(default_factory=set)  # Account and event: mail decided, and not settled.
    _perhaps_sent: set[str] = field(default_factory=set)  # By sessions that got no answer.

    def __post_init__(self) -> None:
        self._before = self._look()
        self.edits.accept(self._before.edits)
        self._seen_before, self._seen_of_before = self.seen, self.seen_of

    def begin(self) -> None:
        """A session begins: what either side has held so far, none of its conflicts may call new."""
        self._promise()
        self._meanwhile.clear()
        self._seen_before = {side: set(values) for side, values in self.seen.items()}
        self._seen_before[GOOGLE] -= self._perhaps_sent
        self._seen_of_before = set(self.seen_of)

    def accept(self, *, is_meanwhile: bool = False) -> None:
        """A person did something: from now on this is what both sides hold, and mail so far is theirs."""
        before, self._before = self._before, self._look()
        self.mails_seen = len(self.google.mail)
        self._promise()
        self.edits.accept(self._before.edits)
        if is_meanwhile:
            changed = {place for place, value in self._before.google.items() if before.google.get(place) != value}
            self._meanwhile |= changed

    def _promise(self) -> None:
        promised = EventLink.objects.filter(send_updates="all")
        self._promised = set(promised.values_list("calendar__account", "event_id"))

    def judge(self, *, has_heard_all: bool = True) -> None:
        """
        A session did something. What it took away is asked for at the end, when the journal is complete.

        It may not have heard what became of its writes: then it cannot know that a value of ours is Google's as well.

        :raises AssertionError: if it touched a guest who is no user (R7), or told guests what it must not (R17).
        """
        self._assert_conflicts_are_real()
        before, self._before = self._before, self._look()
        now = self._before
        self.edits.judge(now.edits)
        if not has_heard_all:
            self._perhaps_sent |= set(now.google.values()) - set(before.google.values())
        lost_here = _lost(before.here, now.here | now.of_series_here)
        lost_there = _lost(before.google, now.google | now.of_series_there)
        self.gone += [(HERE, value, f"in {place}") for place, value in lost_here]
        self.gone += [(GOOGLE, value, f"in {place}") for place, value in lost_there if not self._is_unseen(place, now)]
        ended = now.cancelled - before.cancelled
        self.gone += [
            (GOOGLE, value, f"canceled with {place}") for place, value in before.google.items() if place[:2] in ended
        ]
        self._assert_outsiders_untouched(before, now)
        self._assert_mail_is_due()

    def _is_unseen(self, place: Place, now: Sight) -> bool:
        """
        Whether a value was given to an occurrence in the middle of the session that moved its series.

        Google's `If-Match` is about the series alone then: nobody could know of the value, and nobody ever saw it.
        """
        return place in self._meanwhile and place[:2] in now.cancelled and "_" in place[1]

    def assert_nothing_lost(self) -> None:
        journal = json.dumps(
            list(SyncOutcome.objects.filter(action=SyncOutcome.Action.REPLACED).values_list("here", "google"))
        )
        for side, value, where in self.gone:
            other = GOOGLE if side == HERE else HERE
            assert value in self.seen[other] or value in journal, f"{value} of {side}, {where}, was lost"
        self.edits.assert_nothing_lost()

    def _assert_conflicts_are_real(self) -> None:
        """Both sides were edited since they last agreed: neither value has been on the other side before (R11)."""
        new = SyncOutcome.objects.filter(action=SyncOutcome.Action.REPLACED, pk__gt=self.conflicts_seen)
        for outcome in new.order_by("pk").select_related("activity"):
            self.conflicts_seen = outcome.pk
            is_a_strangers = "not the Organizer" in outcome.reason  # Else Google lets nobody of this account change it.
            if outcome.rule == "R6" and outcome.field in TEXTS and is_a_strangers:
                own = FieldChange.objects.filter(field=outcome.field, after=outcome.here, by__isnull=False)
                assert not own.filter(by=outcome.activity.organizer).exists(), f"{outcome.here} is the Organizer's own"
            if outcome.rule == "R11" and outcome.field in TEXTS:
                words = f"{outcome.here} here, {outcome.google} in Google is no conflict"
                # Each occurrence learns by itself what was changed about all of its series.
                assert (outcome.activity_id, outcome.google) not in self._seen_of_before or not outcome.google, words
                assert outcome.here not in self._seen_before[GOOGLE] or not outcome.here, words

    def _assert_outsiders_untouched(self, before: Sight, now: Sight) -> None:
        for event, entries in before.outsiders.items():
            if event in now.cancelled:
                continue
            assert now.outsiders.get(event) == entries, (
                f"guests of {event} altered: {entries}, {now.outsiders.get(event)}"
            )

    def _assert_mail_is_due(self) -> None:
        mails = list(self.google.mail)
        new, self.mails_seen = mails[self.mails_seen :], len(mails)
        for mail in new:
            link = EventLink.objects.filter(event_id=mail.event_id).exclude(activity=None).first()
            assert link, f"{mail} about an event without an activity"
            of_series = Q(activity__is_series=True, activity__series=link.series_id) if link.series_id else Q()
            concerned = Q(activity=link.activity_id) | of_series
            changes = FieldChange.objects.filter(concerned, origin=FieldChange.Origin.PERSON)
            changes = changes.exclude(field__in=NEVER_TOLD)
            # Google's clock stamps the mail, ours the change; they may differ by as much as a journey lets them.
            moment = datetime.fromisoformat(mail.at.replace("Z", "+00:00"))
            assert changes.filter(at__gt=moment - FRESH - timedelta(hours=1)).exists(), f"{mail} without a fresh change"
            self.mails_of_sessions[mail.event_id, mail.to] += 1
            sent = self.mails_of_sessions[mail.event_id, mail.to]
            assert sent <= changes.count(), f"{mail}: more mail than changes"
            account = ExternalAccount.objects.get(login=mail.by)
            tells = SyncSettings.objects.get(profile=account.profile_id).tell_guests
            # What was decided while it was on stays decided until it is settled, retries included.
            assert tells or (account.pk, mail.event_id) in self._promised, f"{mail} though switched off"
            done = SyncSession.objects.filter(calendar__account=account).exclude(status="failed")
            assert done.count() > 1, f"{mail} in the first session of {account}"

    def _look(self) -> Sight:
        here, of_series = _values_here()
        sight = Sight(here=here, google={}, cancelled=set(), outsiders={}, of_series_here=of_series, of_series_there={},
                      edits=look(self.google, users=self.users))  # fmt: skip
        for account in self.google.accounts:
            for row in list(self.google.store.table(account.email).ordered):
                if not row.organized_here:  # What a guest calls their own copy alone, is there for whoever looks (R9).
                    self.seen[GOOGLE].update(row.body[key] for key in TEXTS.values() if row.body.get(key))
                    continue
                event = (row.calendar_id, row.id)
                if row.cancelled:  # What it held went when it was.
                    sight.cancelled.add(event)
                    continue
                body = row.body
                sight.google |= {(*event, name): body[key] for name, key in TEXTS.items() if body.get(key)}
                is_of_series = body["start"] == body.get("originalStartTime")
                times = sight.of_series_there if is_of_series else sight.google
                times[(*event, "when")] = _start_text(body["start"])
                times[(*event, "due")] = _end_text(body["end"])
                entries = {entry["email"]: dict(entry) for entry in body.get("attendees", [])}
                outsiders = {email: entry for email, entry in entries.items() if email not in self.users}
                if outsiders:
                    sight.outsiders[event] = outsiders
        self.seen[HERE].update(sight.here.values(), sight.of_series_here.values())
        self.seen_of |= {(place[0], value) for place, value in sight.here.items()}
        self.seen[GOOGLE].update(sight.google.values(), sight.of_series_there.values())
        return sight


def _lost(before: dict[Place, str], now: dict[Place, str]) -> list[tuple[Place, str]]:
    return [(place, value) for place, value in before.items() if now.get(place) != value]


def _values_here() -> tuple[dict[Place, str], dict[Place, str]]:
    """
    Return what our rows hold; of an occurrence only what differs from its series, which has the rest.

    Beside it, the times that are no occurrence's own.
    """
    values: dict[Place, str] = {}
    of_series: dict[Place, str] = {}
    columns = ("pk", "is_series", "series_id", "series__split_from", "original_start", "start", "start_date", "due",
               "due_date", *TEXTS)  # fmt: skip
    given_up = Q(original_start__isnull=False, deleted_at__isnull=False)  # A person deleted this occurrence.
    rows = list(Activity.every.exclude(given_up).order_by("-is_series").values_list(*columns))
    heads = {series: texts for _pk, is_series, series, _, _, _, _, _, _, *texts in rows if is_series}
    for pk, is_series, series, former, original, start, day, due, last_day, *texts in rows:
        is_occurrence = series and not is_series
        common = heads.get(series, []) if is_occurrence else [""] * len(texts)
        own = [text if text != shared else "" for text, shared in zip(texts, common, strict=True)]
        values |= {(pk, name): text for name, text in zip(TEXTS, own, strict=True) if text}
        is_moved = is_occurrence and (original != start if day is None else original.date() != day)
        is_own = is_moved or not (is_occurrence or former)  # A later part begins when the whole series says.
        times = values if is_own else of_series
        times[pk, "when"] = day.isoformat() if day else _minute(start)
        times[pk, "due"] = last_day.isoformat() if last_day else _minute(due)
    return values, of_series


def _start_text(start: dict[str, str]) -> str:
    return start.get("date") or _minute(datetime.fromisoformat(start["dateTime"].replace("Z", "+00:00")))


def _end_text(end: dict[str, str]) -> str:
    """Google's last day is the one after ours (R16)."""
    if "date" in end:
        return (date.fromisoformat(end["date"]) - timedelta(days=1)).isoformat()
    return _start_text(end)


def _minute(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M")
