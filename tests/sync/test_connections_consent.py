"""Connecting a Google account, from New → Google over Google's own pages and back (R7, R22)."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import time_machine
from django.urls import reverse
from django.utils import timezone

from accounts.models import CommunicationOption, ExternalAccount
from google_emulator import Emulator
from sync.google import oauth
from sync.models import SyncedCalendar
from tests.browser import CALLBACK, CONNECTED, NEW, OLD_LINKS, Browser, accounts, is_granted, text
from tests.factories import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.rule("R22")]

CONNECTED_STATUS = ExternalAccount.Status.CONNECTED


@pytest.fixture
def anna(google: Emulator) -> Browser:
    google.add_account("anna@northfold.example", name="Anna Berg")
    google.add_account("anna.private@gmail.example", name="Anna B.")
    return Browser(make_user("anna"))


@pytest.fixture
def boris(google: Emulator) -> Browser:
    google.add_account("boris@northfold.example", name="Boris Falk")
    return Browser(make_user("boris"))


# --- What goes well ------------------------------------------------------------------------------------------------


def test_google_is_asked_for_lasting_access_with_the_corporate_address_suggested(anna):
    asked = parse_qs(urlsplit(anna.leave()).query)

    assert asked["access_type"] == ["offline"]
    assert asked["prompt"] == ["consent"]
    assert asked["login_hint"] == ["anna@northfold.example"]
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["scope"][0].split() == oauth.SCOPES
    assert asked["redirect_uri"][0].endswith(CALLBACK)


def test_an_account_is_connected_and_said_so(anna):
    answer = anna.connect("anna@northfold.example")

    assert answer.url == CONNECTED
    assert "anna@northfold.example is connected. You can close this tab." in text(anna.client.get(CONNECTED))
    assert "corporate" not in text(anna.client.get(CONNECTED))
    assert accounts() == [("anna", "anna@northfold.example", "connected")]
    account = ExternalAccount.objects.get()
    assert set(account.granted_scopes) == set(oauth.SCOPES)
    assert account.credentials["refresh_token"]
    assert timezone.now() - account.connected_at < timedelta(minutes=1)
    calendar = SyncedCalendar.objects.get(account=account)
    assert (calendar.calendar_id, calendar.compare_all) == ("primary", True)


def test_the_tokens_that_were_stored_work(anna, google):
    anna.connect("anna@northfold.example")

    token = ExternalAccount.objects.get().credentials["access_token"]
    events = requests.get(
        f"{google.url}/calendar/v3/calendars/primary/events",
        headers={"Authorization": f"Bearer {token}"},
        timeout=5,
    )
    assert events.status_code == 200


@pytest.mark.rule("R7")
def test_the_login_joins_the_communication_options_and_leaves_whoever_typed_it(anna, boris):
    CommunicationOption.objects.create(profile=boris.user.profile, value="Anna.Private@gmail.example")

    anna.connect("anna.private@gmail.example")

    holders = CommunicationOption.objects.filter(value__iexact="anna.private@gmail.example")
    assert [option.profile.user.username for option in holders] == ["anna"]


def test_another_address_than_the_corporate_one_is_accepted_with_a_warning(anna):
    anna.connect("anna.private@gmail.example")

    page = text(anna.client.get(CONNECTED))
    assert "This is not your corporate address. Your profile says anna@northfold.example" in page
    assert accounts() == [("anna", "anna.private@gmail.example", "connected")]


def test_without_the_list_of_calendars_the_account_is_connected_to_its_primary_one(anna):
    anna.connect("anna@northfold.example", untick=(oauth.CALENDAR_LIST,))

    account = ExternalAccount.objects.get()
    assert account.status == CONNECTED_STATUS
    assert not oauth.may_list_calendars(account)
    assert "your primary calendar is synchronized" in text(anna.client.get(CONNECTED))


def test_connecting_the_same_account_again_renews_its_tokens_in_place(anna):
    anna.connect("anna@northfold.example")
    before = ExternalAccount.objects.get()

    assert anna.connect("anna@northfold.example").url == CONNECTED

    after = ExternalAccount.objects.get()
    assert (after.pk, after.connected_at) == (before.pk, before.connected_at)
    assert after.credentials["refresh_token"] != before.credentials["refresh_token"]


def test_an_account_that_lost_its_access_is_reconnected_in_place(anna):
    anna.connect("anna@northfold.example")
    account = ExternalAccount.objects.get()
    account.needs_reconnecting(reason="Access was withdrawn today at 09:35.")
    listed = text(anna.client.get(reverse("external-accounts:list")))
    assert "Needs reconnecting" in listed
    assert "Access was withdrawn today at 09:35." in listed
    assert "Reconnect" in listed

    anna.connect("anna@northfold.example")

    again = ExternalAccount.objects.get()
    assert (again.pk, again.status, again.status_reason) == (account.pk, "connected", "")
    assert again.credentials["refresh_token"]


# --- What is refused: nothing is stored ----------------------------------------------------------------------------


def test_a_refusal_at_google_is_explained(anna):
    answer = anna.connect("anna@northfold.example", decision="cancel")

    assert answer.status_code == 400
    assert "You did not allow the access." in text(answer)
    assert accounts() == []


def test_a_refusal_by_the_organization_is_told_apart(anna):
    answer = anna.consent(anna.leave(), account="anna@northfold.example", decision="cancel")

    page = text(anna.come_back(answer | {"error": "admin_policy_enforced"}))

    assert "Google refused the access (admin_policy_enforced)." in page
    assert accounts() == []


def test_without_the_events_nothing_is_connected_and_nothing_is_revoked(anna, google):
    answer = anna.connect("anna@northfold.example", untick=(oauth.CALENDAR_EVENTS,))

    assert answer.status_code == 400
    assert "Access to your calendar events was not granted." in text(answer)
    assert accounts() == []
    assert CommunicationOption.objects.count() == 1
    assert is_granted(google, "anna@northfold.example")


def test_a_wrong_state_is_refused(anna):
    answer = anna.consent(anna.leave(), account="anna@northfold.example")

    page = anna.come_back(answer | {"state": "forged"})

    assert page.status_code == 400
    assert "This sign-in has expired." in text(page)
    assert accounts() == []


def test_a_missing_state_is_refused(anna):
    answer = anna.consent(anna.leave(), account="anna@northfold.example")
    del answer["state"]

    assert anna.come_back(answer).status_code == 400
    assert accounts() == []


def test_a_state_works_once(anna):
    answer = anna.consent(anna.leave(), account="anna@northfold.example")
    anna.come_back(answer)

    assert anna.come_back(answer).status_code == 400
    assert len(accounts()) == 1


def test_a_state_works_for_ten_minutes(anna):
    start = timezone.now()
    with time_machine.travel(start, tick=False):
        early, late = anna.leave(), anna.leave()
    with time_machine.travel(start + timedelta(minutes=9, seconds=59), tick=False):
        assert anna.come_back(anna.consent(early, account="anna@northfold.example")).url == CONNECTED
    with time_machine.travel(start + timedelta(minutes=10), tick=False):
        assert anna.come_back(anna.consent(late, account="anna@northfold.example")).status_code == 400


def test_a_state_works_for_whoever_asked(anna, boris):
    """Otherwise somebody could have their own calendar connected to another user's activities."""
    answer = boris.consent(boris.leave(), account="boris@northfold.example")

    assert anna.come_back(answer).status_code == 400

    session = anna.client.session
    session["google_consents"] = boris.client.session["google_consents"]
    session.save()
    assert anna.come_back(answer).status_code == 400
    assert accounts() == []


def test_two_tabs_do_not_disturb_each_other(anna):
    first, second = anna.leave(), anna.leave()

    assert anna.come_back(anna.consent(second, account="anna@northfold.example")).url == CONNECTED
    assert anna.come_back(anna.consent(first, account="anna@northfold.example")).url == CONNECTED
    assert len(accounts()) == 1


def test_a_code_that_google_does_not_accept_is_explained(anna):
    answer = anna.consent(anna.leave(), account="anna@northfold.example")

    page = anna.come_back(answer | {"code": "4/forged"})

    assert page.status_code == 502
    assert "Google did not accept the sign-in." in text(page)
    assert accounts() == []


def test_a_code_of_somebody_elses_consent_is_of_no_use(anna, boris):
    """The code belongs to Boris's verifier, which never left the server."""
    stolen = boris.consent(boris.leave(), account="boris@northfold.example")
    own = anna.consent(anna.leave(), account="anna@northfold.example")

    assert anna.come_back(own | {"code": stolen["code"]}).status_code == 502
    assert accounts() == []


def test_a_wrong_secret_is_the_administrators_to_mend(anna, settings):
    settings.GOOGLE_CLIENT_SECRET = "mistyped"

    page = anna.connect("anna@northfold.example")

    assert page.status_code == 502
    assert "An administrator has to check the client id and the client secret." in text(page)
    assert accounts() == []


@pytest.mark.parametrize("path", ["/token", "/userinfo"])
@pytest.mark.parametrize(
    "trouble",
    [{"kind": "reset"}, {"kind": "status", "status": 503}, {"kind": "html", "status": 502}, {"kind": "timeout"}],
    ids=lambda trouble: trouble["kind"],
)
def test_google_out_of_reach_is_explained(anna, google, monkeypatch, path, trouble):
    monkeypatch.setattr(oauth, "TIMEOUT", 0.3)
    answer = anna.consent(anna.leave(), account="anna@northfold.example")
    google.fail(**trouble, path=path, times=5)

    page = anna.come_back(answer)

    assert page.status_code == 502
    assert "Google could not be reached, or has a problem of its own." in text(page)
    assert accounts() == []


def test_an_answer_that_says_not_whose_account_it_is_connects_nothing(anna, google):
    answer = anna.consent(anna.leave(), account="anna@northfold.example")
    google.fail(status=403, reason="insufficientPermissions", path="/userinfo")

    page = anna.come_back(answer)

    assert "Google did not say which account it is." in text(page)
    assert accounts() == []


def test_an_access_for_an_hour_is_not_enough(anna):
    address = anna.leave().replace("access_type=offline", "access_type=online")

    page = anna.come_back(anna.consent(address, account="anna@northfold.example"))

    assert page.status_code == 502
    assert "Google did not grant lasting access." in text(page)
    assert accounts() == []


# --- One account, one user -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["connected", "reconnect_needed"])
def test_an_account_of_somebody_else_is_refused_and_their_access_goes_on(anna, boris, google, status):
    boris.connect("boris@northfold.example")
    if status == "reconnect_needed":
        ExternalAccount.objects.get().needs_reconnecting(reason="Google refused.")

    page = anna.connect("boris@northfold.example")

    assert page.status_code == 409
    assert "boris@northfold.example has been connected by another user." in text(page)
    assert accounts() == [("boris", "boris@northfold.example", status)]
    assert [option.value for option in anna.user.profile.communication_options.all()] == ["anna@northfold.example"]
    assert is_granted(google, "boris@northfold.example")
    assert not [line for line in google.requests if "/revoke" in line.path]


def test_a_second_account_is_refused(anna):
    anna.connect("anna@northfold.example")

    page = anna.connect("anna.private@gmail.example")

    assert page.status_code == 409
    assert "You have connected anna@northfold.example. There is one account per user" in text(page)
    assert accounts() == [("anna", "anna@northfold.example", "connected")]


def test_an_account_its_owner_deleted_is_free_for_somebody_else(anna, boris):
    boris.connect("boris@northfold.example")
    boris.client.post(reverse("external-accounts:delete", args=[ExternalAccount.objects.get().pk]))

    assert anna.connect("boris@northfold.example").url == CONNECTED

    assert accounts() == [
        ("boris", "boris@northfold.example", "disconnected"),
        ("anna", "boris@northfold.example", "connected"),
    ]


# --- Pages ---------------------------------------------------------------------------------------------------------


def test_without_a_registered_application_the_page_says_what_to_do(anna, settings):
    settings.GOOGLE_CLIENT_ID = ""

    page = text(anna.client.get(NEW))
    assert "The application is not registered at Google yet." in page
    assert f"{settings.PUBLIC_BASE_URL}{CALLBACK}" in page
    assert "GOOGLE_CLIENT_SECRET" in page
    assert "Ask an administrator." in text(anna.client.get(reverse("external-accounts:list")))


def test_administrators_see_how_the_application_is_registered_and_nobody_the_secret(anna, settings):
    registration = reverse("external-accounts:google-registration")
    assert anna.client.get(registration).status_code == 403

    anna.user.is_staff = True
    anna.user.save()
    settings.GOOGLE_CLIENT_SECRET = "GOCSPX-secret"
    page = text(anna.client.get(registration))
    assert settings.GOOGLE_CLIENT_ID in page
    assert f"{settings.PUBLIC_BASE_URL}{CALLBACK}" in page
    assert "GOCSPX" not in page


def test_google_sends_people_to_the_public_address_so_consent_begins_there(anna, settings):
    settings.PUBLIC_BASE_URL = "http://localhost:8000"

    assert anna.client.get(NEW, headers={"host": "127.0.0.1:8000"}).url == f"http://localhost:8000{NEW}"
    assert "google_consents" not in anna.client.session


@pytest.mark.parametrize("path", [NEW, CALLBACK, OLD_LINKS, CONNECTED, "/profile/external-accounts/"])
def test_strangers_are_asked_to_sign_in(client, path):
    assert client.get(path).url.startswith("/login/?next=/profile/external-accounts/")


def test_secrets_of_the_consent_stand_in_no_page(anna):
    anna.connect("anna@northfold.example")
    tokens = ExternalAccount.objects.get().credentials

    for path in (CONNECTED, "/profile/external-accounts/"):
        page = anna.client.get(path).content.decode()
        assert tokens["access_token"] not in page
        assert tokens["refresh_token"] not in page
