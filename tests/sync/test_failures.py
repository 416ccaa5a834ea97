"""What Google refuses or withdraws, and what then becomes of a session and an account (R20, R22)."""

from __future__ import annotations

import json

import httplib2
import pytest
from django.utils import timezone

from accounts.models import ExternalAccount
from activities.models import Activity
from sync import engine
from sync.models import EventLink, SyncedCalendar
from tests.google import connect, synchronize
from tests.sync.helpers import TEN, assert_quiet, change, counts, fresh, tagged

ANNA = "anna@northfold.example"

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.embedded]


@pytest.mark.rule("R20")
def test_a_revoked_grant_stops_the_account_and_loses_nothing(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    google.revoke_grants("anna@northfold.example")
    change(activity, anna, subject="Meanwhile")

    session = synchronize(annas)

    account = ExternalAccount.objects.get()
    assert (session.status, account.status) == ("failed", "reconnect_needed")
    assert "Connect your Google account again" in session.error
    calendar = connect(google, anna.user)
    synchronize(calendar)
    assert [event["summary"] for event in google.person("anna@northfold.example").events()] == ["Meanwhile"]


@pytest.mark.rule("R20")
def test_expired_access_tokens_are_refreshed_and_kept(google, anna, annas):
    google.expire_access_tokens()

    assert synchronize(annas).status == "succeeded"
    google.requests.clear()
    synchronize(SyncedCalendar.objects.get())
    assert google.requests.count(path="/token") == 0


@pytest.mark.rule("R20")
def test_a_calendar_that_is_gone_deletes_nothing(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    google.fail(status=404, reason="notFound", path=r"/events$", times=1)

    session = synchronize(annas)

    assert session.status == "failed"
    assert "Choose another calendar" in session.error
    assert fresh(activity).status == "not_started"


def test_a_calendar_that_google_never_lists_to_the_end_ends_the_session(google, anna, annas, monkeypatch):
    from sync.google import errors
    from sync.google.gateway import CalendarGateway

    really, asked = CalendarGateway.list_events, []

    def refuse_every_second_page(gateway, **arguments):
        asked.append(arguments["page_token"])
        if arguments["page_token"]:
            raise errors.SyncTokenRefused("Invalid page token.")
        return {**really(gateway, **arguments), "nextPageToken": "second"}

    monkeypatch.setattr(CalendarGateway, "list_events", refuse_every_second_page)

    session = synchronize(annas)

    assert (session.status, asked) == ("failed", ["", "second", "", "second"])
    assert "The next session tries again." in session.error


@pytest.mark.rule("R20")
def test_a_wrong_client_secret_costs_nobody_their_access(google, anna, annas, settings):
    settings.GOOGLE_CLIENT_SECRET = "mistyped"
    google.expire_access_tokens()

    session = synchronize(annas)

    account = ExternalAccount.objects.get()
    assert (session.status, account.status) == ("failed", "connected")
    assert "administrator" in session.error
    assert account.credentials["refresh_token"]


@pytest.mark.rule("R20")
def test_a_lost_key_asks_for_reconnecting(google, anna, annas, settings):
    from cryptography.fernet import Fernet

    settings.TOKEN_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]

    session = synchronize(SyncedCalendar.objects.get())

    assert session.status == "failed"
    assert ExternalAccount.objects.get().status == "reconnect_needed"


@pytest.mark.rule("R22")
def test_an_account_deleted_during_a_session_stays_deleted(google, anna, annas):
    from sync import connections

    synchronize(annas)
    google.revoke_grants("anna@northfold.example")
    stale = ExternalAccount.objects.get()
    connections.disconnect(account=ExternalAccount.objects.get())

    assert not stale.needs_reconnecting(reason="Too late.")
    assert ExternalAccount.objects.get().status == "disconnected"


@pytest.mark.rule("R20")
@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("insufficientPermissions", "Connect your Google account again"),
        ("accessNotConfigured", "administrator"),
        ("notACalendarUser", "Calendar"),
    ],
)
def test_a_refusal_of_every_call_fails_the_session_with_the_next_step(google, anna, annas, reason, words):
    activity = tagged(anna)
    google.fail(status=403, reason=reason, path=r"/events$")

    session = synchronize(annas)

    assert (session.status, session.rule) == ("failed", "R20")
    assert words in session.error
    assert ExternalAccount.objects.get().status == "connected"
    synchronize(annas)
    assert EventLink.objects.get().activity == activity  # Nothing was lost by it.


@pytest.fixture
def three(google, anna, annas):
    """Three visits on both sides, by their subjects."""
    activities = {name: tagged(anna, name) for name in ("First", "Second", "Third")}
    synchronize(annas)
    return activities, {event["summary"]: event["id"] for event in google.person(ANNA).events()}


def is_cut_off_before_absence(annas, monkeypatch):
    """The process dies after the last page of a complete read, before it asks for what was not listed."""

    def die(run):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(engine, "_look_for_absent", die)
        with pytest.raises(KeyboardInterrupt):
            synchronize(annas)
    SyncedCalendar.objects.update(lease_by="", lease_until=None)  # Its lease has run out.


@pytest.mark.rule("R18", "R20")
def test_a_token_that_expires_after_a_read_that_was_cut_off_begins_another(google, anna, annas, three, monkeypatch):
    google.expire_sync_tokens()
    is_cut_off_before_absence(annas, monkeypatch)
    google.expire_sync_tokens()
    change(three[0]["First"], anna, location="Room 4")

    session = synchronize(annas)

    assert (session.status, session.updated_in_google) == ("succeeded", 1)
    assert_quiet(google, annas)


@pytest.mark.rule("R14", "R19")
@pytest.mark.parametrize("refusal", [{"status": 403, "reason": "forbidden"}, {"status": 400, "reason": "invalid"}])
def test_an_absent_event_that_google_does_not_tell_about_stays(google, anna, annas, three, refusal):
    activities, ids = three
    google.person(ANNA).delete(ids["First"])
    google.expire_sync_tokens()
    google.behavior.tombstone_days = 1
    google.clock.advance(days=2)
    google.fail(method="GET", path=rf"/events/{ids['First']}", times=500, **refusal)
    change(activities["Second"], anna, location="Room 4")

    session = synchronize(annas)

    assert (session.status, session.updated_in_google, session.removed_here) == ("with_problems", 1, 0)
    [parked] = session.outcomes.filter(action="parked")
    assert (parked.rule, parked.item) == ("R14", "First")
    assert "does not tell whether it is still there" in parked.reason
    assert fresh(activities["First"]).status == "not_started"
    assert counts(synchronize(annas)) == {}
    EventLink.objects.filter(retry_at__isnull=False).update(retry_at=timezone.now())
    again = synchronize(annas)
    assert [each.item for each in again.outcomes.filter(action="parked")] == ["First"]
    google.faults.clear()
    EventLink.objects.filter(retry_at__isnull=False).update(retry_at=timezone.now())
    assert synchronize(annas).removed_here == 1  # Now Google tells: it is gone.
    assert_quiet(google, annas)


@pytest.mark.rule("R19", "R20")
def test_one_event_that_never_gets_an_answer_holds_nothing_back(google, anna, annas, three):
    activities, ids = three
    google.fail(status=500, reason="backendError", method="PATCH", path=ids["First"], times=10_000)
    change(activities["First"], anna, location="Room 4")
    google.person(ANNA).delete(ids["Second"])

    session = synchronize(annas)

    assert (session.status, session.removed_here) == ("with_problems", 1)
    [parked] = session.outcomes.filter(action="parked")
    assert (parked.rule, parked.item) == ("R19", "First")
    google.faults.clear()
    google.clock.advance(days=1)
    EventLink.objects.update(retry_at=timezone.now())
    assert synchronize(annas).updated_in_google == 1


ODD = [
    {"description": "half a pair: \ud800"},
    {"summary": "nul \x00"},
    {"originalStartTime": {"date": "0000-00-00"}, "recurringEventId": "abc"},
    {"originalStartTime": {"date": 7}, "recurringEventId": "abc"},
    {"originalStartTime": {"dateTime": "garbage"}, "recurringEventId": "abc"},
    {"originalStartTime": {"dateTime": "2027-03-08T10:00:00", "timeZone": "Nowhere/None"}, "recurringEventId": "abc"},
    {"start": {"dateTime": "0000-01-01T00:00:00Z"}},
    {"start": {"date": "2027-02-30"}},
    {"start": {"date": "2027-03-10"}, "end": {"date": "2027-03-08"}},
    {"start": ["2027"], "end": "2027"},
    {"attendees": [{"email": 7}, "nobody", {"displayName": "No address"}]},
    {"attendees": "nobody", "organizer": "nobody", "creator": 7},
    {"summary": ["x"], "location": {"x": 1}, "visibility": "odd", "transparency": 7, "eventType": ["odd"]},
    {"recurrence": "RRULE:FREQ=DAILY"},
    {"recurrence": ["RRULE:FREQ=GARBAGE", 7]},
    {"extendedProperties": {"private": {"creatioActivity": ["x"]}, "shared": 7}},
    {"reminders": {"useDefault": False, "overrides": [{"method": "popup"}, 7]}},
    {"conferenceData": {"entryPoints": 7}, "hangoutLink": ["x"], "updated": 7, "iCalUID": 7},
]


@pytest.mark.rule("R19")
@pytest.mark.parametrize("odd", ODD, ids=lambda odd: ",".join(odd))
def test_an_event_that_makes_no_sense_stops_no_other(google, anna, annas, odd, monkeypatch):
    google.person(ANNA).create_event({"summary": "Odd", **TEN})
    google.person(ANNA).create_event({"summary": "Fine", **TEN})
    answers = httplib2.Http.request

    def odd_answers(*args, **kwargs):
        response, content = answers(*args, **kwargs)
        page = json.loads(content) if b"calendar#events" in content else {}
        for event in page.get("items", []):
            event.update(odd if event["summary"] == "Odd" else {})
        return response, json.dumps(page).encode() if page else content

    with monkeypatch.context() as patch:
        patch.setattr(httplib2.Http, "request", odd_answers)
        session = synchronize(annas)

    assert session.status in ("succeeded", "with_problems"), session.error
    assert Activity.objects.filter(subject="Fine").exists()
    assert not session.outcomes.exclude(error="").exists()  # Whatever it is, it was expected.
    assert synchronize(annas).status in ("succeeded", "with_problems")
