"""Everything the database knows about one activity or event, for `manage.py explain_sync` (R21)."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db.models import Q

from accounts.models import Profile
from activities.models import Activity
from activities.recurrence import UnreadableRule
from sync import engine, explain, store
from sync.core import mapping
from sync.core.eligibility import why_not_imported
from sync.core.reasons import Reason
from sync.core.snapshot import FIELDS, Snapshot, dump_value
from sync.models import ActivityMark, EventLink, SyncedCalendar, SyncOutcome, SyncSession, SyncSettings
from sync.pretending import PretendGoogle
from sync.preview import foresee
from sync.run import NotSetUp, Run, facts_in

RECENT = 10  # Outcomes.
NO_EMAIL = Reason(True, "It is no e-mail.", "R1b")


class Unknown(Exception):
    """There is no such activity or event. The message is written for the user."""


def report(*, profile: Profile, wanted: str, now: datetime) -> dict[str, Any]:
    """
    Return why an activity or an event is, or is not, on the other side, as JSON can hold it; Google is not asked.

    `wanted` is the number of an activity, or the id of an event that this person's synchronization has met.

    :raises Unknown: if it is neither.
    """
    calendar = SyncedCalendar.objects.filter(account=profile.google_account).first()
    activity, link = _find(profile, calendar, wanted)
    run = _run(calendar, now=now)
    found: dict[str, Any] = {
        "user": profile.user.username,
        "account": _account(profile, calendar),
        "activity": _activity(activity) if activity else None,
        "event": _event(link) if link and link.event else None,
    }
    if activity:
        found |= _why(activity, profile, link, now=now)
    elif link:
        found |= _why_event(run, link)
    return found | {
        "link": _link(link) if link else None,
        "fields": _fields(run, activity, link),
        "next_session": _next(calendar, activity, link, now=now),
        "recent_outcomes": _recent(calendar, activity, link),
    }


def _find(profile: Profile, calendar: SyncedCalendar | None, wanted: str) -> tuple[Activity | None, EventLink | None]:
    activity = Activity.every.filter(pk=int(wanted)).first() if wanted.isdecimal() and len(wanted) < 19 else None
    if activity:
        return activity, explain.link_of(activity, calendar=calendar)
    links = EventLink.objects.filter(calendar=calendar, event_id=wanted).order_by("-id")
    link = links.select_related("activity", "calendar__account").first()
    if link is None:
        raise Unknown(
            f"There is no activity “{wanted}”, and the synchronization of {profile.user.username} has not met an event "
            "of this id."
        )
    return link.activity, link


def _run(calendar: SyncedCalendar | None, *, now: datetime) -> Run | None:
    """Return a run that asks nobody; None while no session could run."""
    if calendar is None:
        return None
    session, silent = SyncSession(calendar=calendar, queued_at=now), PretendGoogle(calendar, read={}, now=now)
    try:
        return engine.begin(
            calendar=calendar, session=session, settings=engine.settings_of(calendar), key="", now=now, gateway=silent
        )
    except NotSetUp:
        return None


def _account(profile: Profile, calendar: SyncedCalendar | None) -> dict[str, Any] | None:
    account = profile.google_account
    if account is None:
        return None
    settings = SyncSettings.objects.filter(profile=profile).first()
    return {
        "login": account.login,
        "status": account.status,
        "paused": account.paused,
        "is_set_up": settings is not None,
        "automatic": bool(settings and settings.automatic),
        "synchronize_from": settings.sync_from if settings else None,
        "calendar": settings.calendar_id if settings else "",
        "synchronized_at": calendar.synchronized_at if calendar else None,
        "next_session_at": calendar.due_at if calendar else None,
    }


def _activity(activity: Activity) -> dict[str, Any]:
    return {
        "id": activity.pk,
        "subject": activity.subject,
        "status": "deleted" if activity.deleted_at else activity.status,
        "organizer": activity.organizer.user.username if activity.organizer else None,
        "owner": activity.owner.user.username if activity.owner else None,
        "google_organizer": activity.google_organizer,
        "series": activity.series_id,
        "original_start": activity.original_start,
        "is_whole_series": activity.is_series,
    }


def _event(link: EventLink) -> dict[str, Any]:
    facts = facts_in(link)
    return {
        "id": link.event_id,
        "calendar": link.google_calendar_id,
        "summary": link.event.get("summary", ""),
        "status": link.event.get("status", "confirmed"),
        "organizer": facts.organizer,
        "is_own_copy": facts.is_own,
        "read_only_because": facts.why_read_only,
        "updated": link.event.get("updated"),
        "etag": link.etag,
    }


def _why(activity: Activity, profile: Profile, link: EventLink | None, *, now: datetime) -> dict[str, Any]:
    """Return the verdict, every condition of R1, and who organizes (R5)."""
    found = explain.explain(activity=activity, profile=profile, now=now)
    reasons = list(found.reasons)
    saved = SyncSettings.objects.select_related("tag").filter(profile=profile).first()
    settings = saved or SyncSettings(profile=profile)
    if not any(reason.rule.startswith("R1") for reason in reasons):  # Only what is missing stood there.
        reasons = [*explain.conditions(activity=activity, profile=profile, settings=settings, link=link), *reasons]
    if not any(reason.rule == "R1b" for reason in reasons):
        reasons.insert(1, NO_EMAIL)
    return {
        "state": found.state,
        "title": found.title,
        "conditions": [asdict(reason) for reason in reasons],
        "runs_by": found.runs_by,
        "next_step": found.next_step,
    }


def _why_event(run: Run | None, link: EventLink) -> dict[str, Any]:
    """Return why an event that belongs to no activity stays in Google (R2)."""
    reasons = []
    if run:
        facts = facts_in(link)
        try:
            when = store.last_time(mapping.when_of(link.event, default_zone=run.default_zone))
            reason = why_not_imported(facts, when, window=run.window)
        except (mapping.UnreadableEvent, UnreadableRule) as error:
            reason = Reason(False, str(error), "R19", "Set its times anew in Google Calendar.")
        reasons = [reason or Reason(True, "It may come here.", "R2")]
    if link.reason and all(reason.text != link.reason for reason in reasons):
        reasons.append(Reason(False, link.reason, link.rule))
    is_parked = bool(link.retry_at or (link.reason and link.rule != "R2"))
    return {
        "state": "parked" if is_parked else "not_here",
        "title": "Could not be synchronized" if is_parked else "Not here",
        "conditions": [asdict(reason) for reason in reasons],
        "runs_by": "",
        "next_step": next((reason.next_step for reason in reasons if not reason.met and reason.next_step), ""),
    }


def _link(link: EventLink) -> dict[str, Any]:
    names = (
        "state", "event_id", "incarnation", "ical_uid", "is_marked", "rule", "reason", "attempts", "retry_at",
        "settled_at", "send_updates",
    )  # fmt: skip
    values = {name: getattr(link, name) for name in names}
    return values | {"synchronized_at": explain.last_synchronized(link)}


def _fields(run: Run | None, activity: Activity | None, link: EventLink | None) -> list[dict[str, Any]]:
    """Return what both sides hold and what they agreed on, field by field (R10, R11)."""
    if link and link.activity_id and link.event and run:
        try:
            pair = store.load_pair(run, link)
        except mapping.UnreadableEvent:
            return []
        sides = {
            "here": pair.here.now,
            "google": pair.google.now,
            "base_here": pair.here.base,
            "base_google": pair.google.base,
        }
    elif activity:
        addresses = store.addresses_of(person.profile_id for person in activity.participants.all())
        here = store.snapshot_here(activity, addresses=addresses, organizer=activity.organizer_id)
        sides = {"here": here, "google": None, "base_here": None, "base_google": None}
    else:
        return []
    return [{"field": name} | {side: _value(snapshot, name) for side, snapshot in sides.items()} for name in FIELDS]


def _value(snapshot: Snapshot | None, name: str) -> Any:
    return dump_value(getattr(snapshot, name)) if snapshot else None


def _next(
    calendar: SyncedCalendar | None, activity: Activity | None, link: EventLink | None, *, now: datetime
) -> dict[str, Any]:
    """Return what the next session would do with it, and whether it would look at it at all (R18, R19)."""
    if calendar is None:
        return {"looks_at_it": False, "because": "No Google account is connected.", "asks_google": False, "actions": []}
    try:
        actions, asks = foresee(
            calendar=calendar,
            now=now,
            link=link,
            activity_id=explain.whole_of(activity).pk if activity and not link else None,
        )
    except NotSetUp as error:
        return {"looks_at_it": False, "because": str(error), "asks_google": False, "actions": []}
    looks, because = _is_due(calendar, activity, link, now=now)
    return {
        "looks_at_it": looks,
        "because": because,
        "asks_google": asks,
        "actions": [asdict(action) for action in actions],
    }


def _is_due(
    calendar: SyncedCalendar, activity: Activity | None, link: EventLink | None, *, now: datetime
) -> tuple[bool, str]:
    if link and link.retry_at and link.retry_at > now and not link.is_marked:
        return False, f"It waits until {link.retry_at:%Y-%m-%d %H:%M} UTC, or for Retry."
    if link and link.is_marked:
        return True, "Its event or its activity changed."
    marks = ActivityMark.objects.filter(calendar=calendar)
    marked = marks.filter(activity__in=[activity, explain.whole_of(activity)]) if activity else marks.none()
    if marked.filter(Q(retry_at=None) | Q(retry_at__lte=now)).exists():
        return True, "The activity changed."
    if waiting := marked.first():
        return False, f"It waits until {waiting.retry_at:%Y-%m-%d %H:%M} UTC, or for Retry."
    if calendar.compare_all:
        return True, "The next session looks at everything."
    return False, "Nothing changed since it was looked at; once a day everything is compared."


def _recent(calendar: SyncedCalendar | None, activity: Activity | None, link: EventLink | None) -> list[dict[str, Any]]:
    concerned = Q(pk=None)
    if activity:
        concerned |= Q(activity=activity)
    if link:
        concerned |= Q(link=link)
    names = ("at", "session", "action", "direction", "rule", "reason", "field", "here", "google", "kept", "error")
    rows = SyncOutcome.objects.filter(concerned, session__calendar=calendar).order_by("-id")
    return list(rows.values(*names)[:RECENT])
