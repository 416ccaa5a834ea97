"""Disconnecting, coming back, and changing to another Google account (R22)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection as database
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import CommunicationOption, ExternalAccount, User
from accounts.signals import emails_changed
from google_emulator import Emulator
from sync import connections, store
from sync.connections import OldLinks
from sync.google import oauth
from sync.models import EventLink, SyncedCalendar, SyncSettings
from tests.browser import CONNECTED, OLD_LINKS, Browser, accounts, is_granted, text
from tests.factories import MONDAY_NINE, make_activity, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.rule("R22")]

WORK, PRIVATE = "anna@northfold.example", "anna.private@gmail.example"


@pytest.fixture
def anna(google: Emulator) -> Browser:
    google.add_account(WORK, name="Anna Berg")
    google.add_account(PRIVATE, name="Anna B.")
    return Browser(make_user("anna"))


@pytest.fixture
def account(anna: Browser) -> ExternalAccount:
    anna.connect(WORK)
    return ExternalAccount.objects.get()


def link_an_activity(account: ExternalAccount) -> EventLink:
    return EventLink.objects.create(
        calendar=account.synced_calendar,
        event_id="event1",
        activity=make_activity(by=account.profile),
        state=EventLink.State.LINKED,
    )


def delete(browser: Browser, account: ExternalAccount):
    return browser.client.post(reverse("external-accounts:delete", args=[account.pk]), follow=True)


# --- Disconnecting -------------------------------------------------------------------------------------------------


def test_deleting_asks_first_and_says_what_stays(anna, account):
    link_an_activity(account)
    address = reverse("external-accounts:delete", args=[account.pk])

    for page in (anna.client.get(address), anna.client.get(reverse("external-accounts:list"))):
        assert f"Delete {WORK}?" in text(page)
        assert "Your linked activity and the events in Google stay where they are." in text(page)
    assert accounts() == [("anna", WORK, "connected")]


def test_deleting_withdraws_access_erases_tokens_and_stops_the_jobs(anna, account, google):
    SyncedCalendar.objects.update(due_at=timezone.now())

    page = delete(anna, account)

    assert f"{WORK} is disconnected." in text(page)
    assert not is_granted(google, WORK)
    account.refresh_from_db()
    assert (account.status, account.credentials) == (ExternalAccount.Status.DISCONNECTED, {})
    assert SyncedCalendar.objects.get(account=account).due_at is None
    with database.cursor() as cursor:
        cursor.execute("SELECT encrypted_credentials FROM accounts_externalaccount")
        assert cursor.fetchall() == [("",)]


def test_activities_and_links_stay(anna, account):
    link = link_an_activity(account)

    delete(anna, account)

    link.refresh_from_db()
    assert link.state == EventLink.State.LINKED
    assert link.activity.deleted_at is None


@pytest.mark.parametrize("trouble", [{"kind": "reset"}, {"status": 503}, {"kind": "timeout"}])
def test_google_out_of_reach_does_not_keep_anybody_connected(anna, account, google, monkeypatch, trouble):
    monkeypatch.setattr(oauth, "TIMEOUT", 0.3)
    google.fail(**trouble, path="/revoke", times=5)

    page = delete(anna, account)

    assert "Google did not confirm that access was withdrawn" in text(page)
    account.refresh_from_db()
    assert (account.status, account.credentials) == (ExternalAccount.Status.DISCONNECTED, {})


def test_an_access_google_ended_itself_counts_as_withdrawn(account, google):
    google.revoke_grants(WORK)

    assert connections.disconnect(account=account)


def test_an_account_that_needed_reconnecting_can_be_deleted(account):
    account.needs_reconnecting(reason="Access was withdrawn.")

    assert connections.disconnect(account=account)


def test_lost_keys_do_not_keep_anybody_connected(anna, account, settings):
    settings.TOKEN_ENCRYPTION_KEYS = ["b3RoZXIta2V5LW90aGVyLWtleS1vdGhlci1rZXktMTI="]

    page = delete(anna, account)

    assert "is disconnected" in text(page)
    assert accounts() == [("anna", WORK, "disconnected")]


def test_nobody_deletes_the_account_of_somebody_else(account):
    mallory = Client()
    mallory.force_login(make_user("mallory"))

    assert mallory.post(reverse("external-accounts:delete", args=[account.pk])).status_code == 404
    assert accounts() == [("anna", WORK, "connected")]


def test_an_account_is_deleted_once(anna, account):
    delete(anna, account)

    assert delete(anna, account).status_code == 404


# --- Coming back ---------------------------------------------------------------------------------------------------


def test_the_same_account_finds_its_row_its_calendar_and_its_links_again(anna, account):
    link = link_an_activity(account)
    SyncedCalendar.objects.update(sync_token="token", compare_all=False)
    delete(anna, account)

    assert anna.connect(WORK).url == CONNECTED

    again = ExternalAccount.objects.get()
    assert (again.pk, again.status) == (account.pk, ExternalAccount.Status.CONNECTED)
    assert again.connected_at > account.connected_at
    calendar = SyncedCalendar.objects.get()
    assert (calendar.sync_token, calendar.compare_all) == ("token", True)
    assert list(calendar.links.all()) == [link]


@pytest.mark.parametrize("automatic", [True, False])
def test_automatic_sessions_go_on_where_they_were_switched_on(anna, account, automatic):
    SyncSettings.objects.create(profile=account.profile, automatic=automatic)
    delete(anna, account)

    anna.connect(WORK)

    now = timezone.now() + timedelta(seconds=1)
    assert SyncedCalendar.objects.due(now=now).exists() is automatic


def test_an_account_paused_by_an_administrator_stays_paused(anna, account):
    ExternalAccount.objects.update(paused=True)
    delete(anna, account)

    anna.connect(WORK)

    assert ExternalAccount.objects.get().paused


def test_the_account_is_known_by_its_subject_not_by_its_address(account, google):
    grant = oauth.Grant(
        subject=account.subject,
        login="anna.falk@northfold.example",  # She married.
        is_login_verified=True,
        credentials=account.credentials,
        scopes=oauth.SCOPES,
    )

    renamed = connections.connect(profile=account.profile, grant=grant, now=timezone.now())

    assert (renamed.pk, renamed.login) == (account.pk, "anna.falk@northfold.example")


# --- Another account -----------------------------------------------------------------------------------------------


def test_another_account_is_connected_without_a_question_when_nothing_was_linked(anna, account):
    delete(anna, account)

    assert anna.connect(PRIVATE).url == CONNECTED


def test_links_of_a_former_account_are_asked_about_before_anything_is_stored(anna, account):
    link_an_activity(account)
    delete(anna, account)

    assert anna.connect(PRIVATE).url == OLD_LINKS

    page = text(anna.client.get(OLD_LINKS))
    assert f"{PRIVATE} is another Google account" in page
    assert f"1 of your activities is linked to events of {WORK}" in page
    assert accounts() == [("anna", WORK, "disconnected")]
    assert not CommunicationOption.objects.filter(value=PRIVATE).exists()


def test_the_waiting_grant_is_kept_encrypted(anna, account):
    link_an_activity(account)
    delete(anna, account)
    anna.connect(PRIVATE)

    kept = str(dict(anna.client.session.items()))
    assert "google_grant" in kept
    assert "1//0" not in kept
    assert "ya29" not in kept


def test_kept_links_stay_with_the_former_account(anna, account):
    link = link_an_activity(account)
    delete(anna, account)
    anna.connect(PRIVATE)

    assert anna.client.post(OLD_LINKS, {"old_links": "keep"}).url == CONNECTED

    assert accounts() == [("anna", WORK, "disconnected"), ("anna", PRIVATE, "connected")]
    assert list(EventLink.objects.all()) == [link]
    assert link.calendar.account_id == account.pk


def test_forgotten_links_free_the_activities_for_the_new_account(anna, account):
    link = link_an_activity(account)
    delete(anna, account)
    anna.connect(PRIVATE)

    assert anna.client.post(OLD_LINKS, {"old_links": "forget"}).url == CONNECTED

    assert not store.is_linked_anywhere(link.activity_id)
    link.activity.refresh_from_db()
    assert link.activity.deleted_at is None


def test_not_deciding_connects_nothing(anna, account, google):
    link_an_activity(account)
    delete(anna, account)
    anna.connect(PRIVATE)

    anna.client.post(OLD_LINKS, {"old_links": "whatever"})
    assert anna.client.post(OLD_LINKS, {"drop": ""}).url == reverse("external-accounts:list")

    assert anna.client.post(OLD_LINKS, {"old_links": "keep"}).status_code == 400
    assert accounts() == [("anna", WORK, "disconnected")]
    assert is_granted(google, PRIVATE)


def test_a_grant_waits_ten_minutes_for_the_decision(anna, account, time_machine):
    start = timezone.now()
    link_an_activity(account)
    delete(anna, account)
    anna.connect(PRIVATE)

    time_machine.move_to(start + timedelta(minutes=11))

    assert anna.client.post(OLD_LINKS, {"old_links": "keep"}).status_code == 400
    assert accounts() == [("anna", WORK, "disconnected")]


def test_a_calendar_chosen_in_the_former_account_is_not_looked_for_in_the_new_one(anna, account):
    SyncSettings.objects.create(profile=account.profile, calendar_id="team@group.calendar.google.com")
    delete(anna, account)

    anna.connect(PRIVATE)

    assert SyncSettings.objects.get().calendar_id == "primary"


# --- Signals and races ---------------------------------------------------------------------------------------------


@pytest.mark.rule("R7")
def test_the_new_address_is_announced(anna):
    heard: list[set[str]] = []

    def listen(*, addresses: set[str], **_: object) -> None:
        heard.append(addresses)

    emails_changed.connect(listen)
    try:
        anna.connect(PRIVATE)
    finally:
        emails_changed.disconnect(listen)

    assert heard == [{PRIVATE}]


def test_two_users_at_the_same_instant_end_with_one_connection(account, monkeypatch):
    boris: User = make_user("boris")
    grant = oauth.Grant(
        subject=account.subject, login=WORK, is_login_verified=True, credentials={"refresh_token": "1//x"}, scopes=[]
    )
    monkeypatch.setattr(connections, "_refuse_second_connection", lambda *_: None)  # Anna comes right after the look.

    with pytest.raises(connections.ConnectedBySomebodyElse):
        connections.connect(profile=boris.profile, grant=grant, now=MONDAY_NINE)

    assert accounts() == [("anna", WORK, "connected")]
    assert CommunicationOption.objects.get(value__iexact=WORK).profile.user.username == "anna"


def test_every_choice_about_old_links_has_its_words(anna, account):
    link_an_activity(account)
    delete(anna, account)
    anna.connect(PRIVATE)

    page = anna.client.get(OLD_LINKS).content.decode()
    for choice in OldLinks:
        assert f'value="{choice}"' in page
