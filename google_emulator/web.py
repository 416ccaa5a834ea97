"""A page to look at everybody's calendar and to act in it as one would in Google's own."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from google_emulator import rendering
from google_emulator.errors import ApiError
from google_emulator.people import Person

if TYPE_CHECKING:
    from google_emulator.emulator import Emulator

DAYS_BACK, DAYS_AHEAD = 7, 28
ANSWERS = {
    "accepted": "Yes",
    "tentative": "Maybe",
    "declined": "No",
    "needsAction": "No answer yet",
}
# How a new event may repeat, and the rules' beginning.
REPEATS = {
    "": "Never",
    "DAILY": "Daily",
    "WEEKLY": "Weekly",
    "MONTHLY": "Monthly",
    "YEARLY": "Yearly",
}
Reply = str | Response | tuple[str, int]


def blueprint(emulator: Emulator) -> Blueprint:
    pages = Blueprint("web", __name__)

    @pages.get("/")
    def calendars() -> Reply:
        columns = [_column(emulator, emulator.person(account.email)) for account in emulator.accounts]
        shown = request.args.get("account")
        chosen = [column for column in columns if shown in (None, "", column["account"].email)]
        return render_template("calendars.html", columns=chosen, accounts=emulator.accounts, shown=shown or "")

    @pages.get("/events/new")
    def new() -> Reply:
        person = emulator.person(request.args.get("account", ""))
        now = emulator.clock.now().astimezone(ZoneInfo(person.calendar.time_zone))
        start = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        return render_template(
            "event.html", form=_empty_form(start), person=person, event=None, repeats=REPEATS, error=""
        )

    @pages.post("/events/new")
    def create() -> Reply:
        person = emulator.person(request.form.get("account", ""))
        return _save(person, event=None)

    @pages.get("/calendars/<email>/events/<event_id>")
    def edit(email: str, event_id: str) -> Reply:
        person = emulator.person(email)
        event = person.event(event_id)
        return render_template(
            "event.html", form=_filled_form(event), person=person, event=event, repeats=REPEATS, error=""
        )

    @pages.post("/calendars/<email>/events/<event_id>")
    def change(email: str, event_id: str) -> Reply:
        person = emulator.person(email)
        return _save(person, event=person.event(event_id))

    @pages.post("/calendars/<email>/events/<event_id>/delete")
    def delete(email: str, event_id: str) -> Reply:
        emulator.person(email).delete(event_id, scope=request.form.get("scope", "this"))
        return redirect(url_for("web.calendars"))

    @pages.post("/calendars/<email>/events/<event_id>/respond")
    def respond(email: str, event_id: str) -> Reply:
        emulator.person(email).respond(
            event_id, request.form.get("response", ""), scope=request.form.get("scope", "this")
        )
        return redirect(url_for("web.calendars"))

    @pages.get("/event")
    def open_link() -> Reply:
        event_id, calendar_id = rendering.link_target(request.args.get("eid", ""))
        owner = emulator.directory.calendars[calendar_id].owner
        return redirect(url_for("web.edit", email=owner, event_id=event_id))

    @pages.errorhandler(ApiError)
    def refused(error: ApiError) -> Reply:
        return render_template("problem.html", message=error.message), error.status

    @pages.errorhandler(KeyError)
    @pages.errorhandler(ValueError)
    def unknown(error: Exception) -> Reply:
        return render_template("problem.html", message="There is no such account, calendar or event."), 404

    return pages


def _column(emulator: Emulator, person: Person) -> dict[str, Any]:
    """Return what the page shows of one person: the days around today that have events."""
    zone = ZoneInfo(person.calendar.time_zone)
    now = emulator.clock.now().astimezone(zone)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    events = person.events(
        expand=True,
        after=int((midnight - timedelta(days=DAYS_BACK)).timestamp()),
        before=int((midnight + timedelta(days=DAYS_AHEAD)).timestamp()),
    )
    days: dict[date, list[dict[str, Any]]] = {}
    for event in events:
        shown = _shown(event, zone, emulator)
        days.setdefault(shown["day"], []).append(shown)
    return {"account": person.account, "days": sorted(days.items()), "today": now.date()}


def _shown(event: dict[str, Any], zone: ZoneInfo, emulator: Emulator) -> dict[str, Any]:
    guests = event.get("attendees", [])
    mine = next((guest for guest in guests if guest.get("self")), None)
    organizer = event["organizer"]
    common = {
        "event": event,
        "guests": [_guest(guest, emulator) for guest in guests],
        "mine": mine,
        "may_answer": mine is not None and not organizer.get("self"),
        "organizer": organizer | {"name": _name(organizer, emulator)},
    }
    if "date" in event["start"]:
        first = date.fromisoformat(event["start"]["date"])
        last = date.fromisoformat(event["end"]["date"]) - timedelta(days=1)
        until = f" until {last:%a} {last.day} {last:%b}" if last > first else ""
        return common | {"day": first, "time": f"All day{until}"}
    start = datetime.fromisoformat(event["start"]["dateTime"]).astimezone(zone)
    end = datetime.fromisoformat(event["end"]["dateTime"]).astimezone(zone)
    ends = f"{end:%H:%M}" if end.date() == start.date() else f"{end:%a} {end.day} {end:%b}, {end:%H:%M}"
    return common | {"day": start.date(), "time": f"{start:%H:%M} – {ends}"}


def _guest(guest: dict[str, Any], emulator: Emulator) -> dict[str, Any]:
    return guest | {"name": _name(guest, emulator), "answer": ANSWERS[guest["responseStatus"]]}


def _name(person: dict[str, Any], emulator: Emulator) -> str:
    account = emulator.directory.find(person["email"])
    return str(person.get("displayName") or (account.name if account else person["email"]))


def _empty_form(start: datetime) -> dict[str, Any]:
    end = start + timedelta(hours=1)
    return {
        "summary": "",
        "all_day": False,
        "start_date": start.date().isoformat(),
        "start_time": f"{start:%H:%M}",
        "end_date": end.date().isoformat(),
        "end_time": f"{end:%H:%M}",
        "location": "",
        "description": "",
        "guests": "",
        "repeat": "",
        "times": "",
    }


def _filled_form(event: dict[str, Any]) -> dict[str, Any]:
    guests = [guest["email"] for guest in event.get("attendees", []) if not guest.get("self")]
    common = {name: event.get(name, "") for name in ("summary", "location", "description")}
    common["guests"] = ", ".join(guests)
    if "start" not in event:
        return _empty_form(datetime.now(UTC)) | common
    if "date" in event["start"]:
        last = date.fromisoformat(event["end"]["date"]) - timedelta(days=1)
        times = {"start_date": event["start"]["date"], "end_date": last.isoformat()}
        return common | times | {"all_day": True, "start_time": "09:00", "end_time": "10:00"}
    start, end = (datetime.fromisoformat(event[side]["dateTime"]) for side in ("start", "end"))
    return common | {
        "all_day": False,
        "start_date": start.date().isoformat(),
        "start_time": f"{start:%H:%M}",
        "end_date": end.date().isoformat(),
        "end_time": f"{end:%H:%M}",
    }


def _form_page(person: Person, *, event: dict[str, Any] | None, form: dict[str, Any], error: str = "") -> str:
    return render_template("event.html", form=form, person=person, event=event, repeats=REPEATS, error=error)


def _save(person: Person, *, event: dict[str, Any] | None) -> Reply:
    """Store what the form says; of an event that is there, only what differs."""
    try:
        body = _body(person, event)
        if event is None:
            person.create_event(body)
        elif body:
            person.edit(event["id"], body, scope=request.form.get("scope", "this"))
    except (ApiError, ValueError) as error:
        words = error.message if isinstance(error, ApiError) else "A date or a time is missing."
        form = {**request.form, "all_day": "all_day" in request.form}
        return _form_page(person, event=event, form=form, error=words), 422
    return redirect(url_for("web.calendars"))


def _body(person: Person, event: dict[str, Any] | None) -> dict[str, Any]:
    form = request.form
    texts = ("summary", "location", "description")
    body: dict[str, Any] = {name: form.get(name, "").replace("\r\n", "\n") for name in texts}
    before = _filled_form(event) if event else {}
    if event is not None:
        body = {name: text for name, text in body.items() if text != before[name]}
    names = ("start_date", "start_time", "end_date", "end_time")
    now = {name: form.get(name, "") for name in names} | {"all_day": "all_day" in form}
    relevant = ("start_date", "end_date", "all_day") if now["all_day"] else (*names, "all_day")
    if event is None or any(now[name] != before[name] for name in relevant):
        zone = (event or {}).get("start", {}).get("timeZone") or person.calendar.time_zone
        body |= _times(now, zone=person.calendar.time_zone, named=zone)
    if event is None and form.get("repeat"):
        count = f";COUNT={form['times']}" if form.get("times") else ""
        body["recurrence"] = [f"RRULE:FREQ={form['repeat']}{count}"]
    guests = [email.strip() for email in form.get("guests", "").replace("\n", ",").split(",") if email.strip()]
    if event is None or ", ".join(guests) != before["guests"]:
        body |= _attendees(person, event, guests)
    return body


def _attendees(person: Person, event: dict[str, Any] | None, guests: list[str]) -> dict[str, Any]:
    known = {guest["email"].lower(): guest for guest in (event or {}).get("attendees", [])}
    mine = [guest for guest in known.values() if guest.get("self")]
    listed: list[dict[str, Any]] = [*mine, *({"email": email} for email in guests)]
    if not guests:
        return {"attendees": []} if event and known else {}
    if event is not None and not mine and event["organizer"].get("self"):
        listed.insert(0, {"email": person.email, "responseStatus": "accepted"})
    return {"attendees": listed}


def _times(form: dict[str, Any], *, zone: str, named: str) -> dict[str, Any]:
    """Return start and end as the form says them in the calendar's zone; the event keeps the zone it is named in."""
    if form["all_day"]:
        last = date.fromisoformat(form["end_date"]) + timedelta(days=1)
        return {
            "start": {"date": date.fromisoformat(form["start_date"]).isoformat(), "dateTime": None, "timeZone": None},
            "end": {"date": last.isoformat(), "dateTime": None, "timeZone": None},
        }
    result = {}
    for side in ("start", "end"):
        moment = datetime.fromisoformat(f"{form[side + '_date']}T{form[side + '_time']}").replace(tzinfo=ZoneInfo(zone))
        result[side] = {"dateTime": moment.isoformat(), "timeZone": named, "date": None}
    return result
