"""What Google refuses or withdraws, and what then becomes of a session and an account (R20, R22)."""

from __future__ import annotations

import pytest

from accounts.models import ExternalAccount
from sync.models import EventLink, SyncedCalendar
from tests.google import connect, synchronize
from tests.sync.helpers import (
    change,
    fresh,
    tagged,
)

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
