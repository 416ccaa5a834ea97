"""Administration of people and accounts."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import ExternalAccount, User
from tests.factories import make_activity, make_tag, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root", "root@northfold.example", "x"))
    return client


@pytest.fixture
def account() -> ExternalAccount:
    account = ExternalAccount(profile=make_user("anna").profile, login="anna@gmail.example", subject="1")
    account.credentials = {"refresh_token": "1//secret-refresh"}
    account.save()
    return account


def test_tokens_are_shown_to_nobody(browser, account):
    page = browser.get(f"/admin/accounts/externalaccount/{account.pk}/change/").content.decode()

    assert "anna@gmail.example" in page
    assert "secret" not in page
    assert account.encrypted_credentials not in page


def test_an_account_can_be_paused_and_resumed(browser, account):
    for action, is_paused in [("pause", True), ("resume", False)]:
        browser.post("/admin/accounts/externalaccount/", {"action": action, "_selected_action": [account.pk]})
        assert ExternalAccount.objects.get(pk=account.pk).paused is is_paused

    assert ExternalAccount.objects.get(pk=account.pk).credentials == {"refresh_token": "1//secret-refresh"}


def test_pausing_in_the_form_leaves_the_tokens_alone(browser, account):
    browser.post(f"/admin/accounts/externalaccount/{account.pk}/change/", {"paused": "on"})

    stored = ExternalAccount.objects.get(pk=account.pk)
    assert stored.paused
    assert stored.credentials == {"refresh_token": "1//secret-refresh"}


@pytest.mark.rule("R22")
def test_accounts_are_deleted_by_their_owners_alone(browser, account):
    assert browser.get(f"/admin/accounts/externalaccount/{account.pk}/delete/").status_code == 403
    assert browser.get("/admin/accounts/externalaccount/add/").status_code == 403


@pytest.mark.parametrize("path", ["user", "profile", "externalaccount"])
def test_the_lists_open(browser, account, path):
    assert "anna" in browser.get(f"/admin/accounts/{path}/").content.decode().lower()


def test_a_profile_shows_its_communication_options(browser, account):
    page = browser.get(f"/admin/accounts/profile/{account.profile.pk}/change/").content.decode()

    assert "anna@northfold.example" in page


@pytest.mark.rule("R1", "R8")
@pytest.mark.parametrize("kind", ["user", "profile"])
def test_deleting_somebody_names_none_of_their_private_things(browser, kind):
    anna = make_user("anna")
    make_tag("Therapy", owner=anna.profile)
    row = anna if kind == "user" else anna.profile

    asked = browser.get(f"/admin/accounts/{kind}/{row.pk}/delete/").content.decode()
    chosen = browser.post(
        f"/admin/accounts/{kind}/", {"action": "delete_selected", "_selected_action": [row.pk]}
    ).content.decode()

    assert "anna" in asked.lower()
    assert "anna" in chosen.lower()
    assert "Therapy" not in asked + chosen

    browser.post(f"/admin/accounts/{kind}/{row.pk}/delete/", {"post": "yes"})
    assert not type(row).objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize("kind", ["user", "profile"])
def test_whoever_has_activities_is_not_deleted(browser, kind):
    anna = make_user("anna")
    make_activity(by=anna.profile, subject="Appointment", is_private=True)
    row = anna if kind == "user" else anna.profile

    page = browser.post(f"/admin/accounts/{kind}/{row.pk}/delete/", {"post": "yes"})

    assert User.objects.filter(pk=anna.pk).exists()
    assert "Appointment" not in page.content.decode()
