"""What tests of whole sessions start from: times, short ways to make and look at things."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from accounts.models import Profile
from activities import services
from activities.models import Activity
from google_emulator import Emulator
from sync.models import SyncedCalendar, SyncSession
from tests.factories import make_activity
from tests.google import sync_tag, synchronize, timed

TEN = timed("2027-03-08T10:00:00", "2027-03-08T11:00:00")
ELEVEN = timed("2027-03-08T11:00:00", "2027-03-08T12:00:00")
START, DUE = datetime(2027, 3, 8, 10, tzinfo=UTC), datetime(2027, 3, 8, 11, tzinfo=UTC)


def tagged(by: Profile, subject: str = "Renewal call", **values: Any) -> Activity:
    """Make an activity that takes part: in the calendar, with a private tag."""
    values = {"start": START, "due": DUE, "now": timezone.now()} | values
    return make_activity(by=by, subject=subject, show_in_calendar=True, tags=[sync_tag(by)], **values)


def change(activity: Activity, by: Profile, **values: Any) -> None:
    services.edit(activity=activity, by=by, now=timezone.now(), **values)


def fresh(activity: Activity) -> Activity:
    return Activity.objects.get(pk=activity.pk)


def only_activity() -> Activity:
    return Activity.objects.get()


def counts(session: SyncSession) -> dict[str, int]:
    """Return the counts that are not zero."""
    names = [f"{verb}_{side}" for verb in ("added", "updated", "removed") for side in ("here", "in_google")]
    return {name: getattr(session, name) for name in names if getattr(session, name)}


def assert_quiet(google: Emulator, calendar: SyncedCalendar) -> None:
    """R18: the next session makes exactly one request and writes nothing on either side."""
    google.requests.clear()
    session = synchronize(calendar)
    assert (session.status, counts(session), session.requests_made) == (SyncSession.Status.SUCCEEDED, {}, 1)
    assert [request.method for request in google.requests.calls(path="/calendar/")] == ["GET"]


def invite_both(google: Emulator, summary: str = "Quarterly review") -> dict[str, Any]:
    """Anna invites Boris and somebody nobody knows."""
    google.add_account("maria@partner.example", name="Maria")
    return google.person("anna@northfold.example").create_event(
        {
            "summary": summary,
            "attendees": [{"email": "boris@northfold.example"}, {"email": "maria@partner.example"}],
            **TEN,
        }
    )
