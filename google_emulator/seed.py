"""Example people and events around today."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from google_emulator.emulator import Emulator

ZONE = "Europe/Berlin"
ANNA, BORIS, CLARA = "anna@northfold.example", "boris@northfold.example", "clara@northfold.example"
MARIA = "maria@partner.example"
PEOPLE = {ANNA: "Anna Berg", BORIS: "Boris Novak", CLARA: "Clara Weiss", MARIA: "Maria Costa"}


def demo(emulator: Emulator) -> None:
    """Add the people and their events. What is there already stays; events come only into empty calendars."""
    for email, name in PEOPLE.items():
        emulator.add_account(email, name=name, time_zone=ZONE)
    if not emulator.store.is_empty:
        return
    monday = _monday(emulator.clock.now().astimezone(ZoneInfo(ZONE)).date())
    anna, boris, maria = (emulator.person(email) for email in (ANNA, BORIS, MARIA))
    anna.create_event(_timed("Prepare the offer for Partner Ltd", monday, "09:30", 60))
    anna.create_event(_all_day("Partner summit, Vienna", monday + timedelta(days=3), days=2) | {"location": "Vienna"})
    review = anna.create_event(
        _timed("Quarterly review", monday + timedelta(days=1), "10:00", 90)
        | {
            "location": "Room 2.14",
            "description": "Results of the quarter and the plan for the next one.",
            "attendees": [_guest(BORIS), _guest(MARIA)],
        }
    )
    boris.respond(review["id"], "accepted")
    kickoff = maria.create_event(
        _timed("Project kick-off", monday + timedelta(days=2), "14:00", 60)
        | {"location": "Partner Ltd, Lisbon or by video", "attendees": [_guest(ANNA), _guest(CLARA)]}
    )
    emulator.person(CLARA).respond(kickoff["id"], "tentative")
    boris.create_event(_timed("Dentist", monday + timedelta(days=4), "08:00", 45) | {"visibility": "private"})
    emulator.mail.clear()
    emulator.save()


def _monday(today: date) -> date:
    """Return the Monday of this week; at a weekend, that of the next."""
    monday = today - timedelta(days=today.weekday())
    return monday + timedelta(days=7) if today.weekday() > 4 else monday


def _guest(email: str) -> dict[str, str]:
    return {"email": email, "displayName": PEOPLE[email]}


def _timed(summary: str, day: date, at: str, minutes: int) -> dict[str, Any]:
    start = datetime.combine(day, time.fromisoformat(at))
    end = start + timedelta(minutes=minutes)
    return {
        "summary": summary,
        "start": {"dateTime": start.isoformat(), "timeZone": ZONE},
        "end": {"dateTime": end.isoformat(), "timeZone": ZONE},
    }


def _all_day(summary: str, first: date, *, days: int) -> dict[str, Any]:
    return {
        "summary": summary,
        "start": {"date": first.isoformat()},
        "end": {"date": (first + timedelta(days=days)).isoformat()},
    }
