"""What the bell tells of a person's Google account: that it needs reconnecting, or is paused."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import ExternalAccount
from notices import services, tasks
from notices.models import Notice
from tests.browser import text
from tests.factories import make_user

pytestmark = pytest.mark.django_db

PAGE = "/notices/"


@pytest.fixture
def account(anna):
    return ExternalAccount.objects.create(profile=anna, login="anna@gmail.example", subject="1")


def kinds(profile):
    return [notice.kind for notice in Notice.objects.shown_to(profile, now=timezone.now())]


def reconnect(account):
    account.status = ExternalAccount.Status.CONNECTED
    account.save()


def test_an_account_that_works_is_no_notice(anna, account):
    tasks.ring()

    assert kinds(anna) == []


def test_what_needs_reconnecting_is_told_at_once_and_once(anna, account, client_of_anna):
    account.needs_reconnecting(reason="Access was withdrawn at Google.")
    tasks.ring()

    assert kinds(anna) == ["reconnect"]
    page = client_of_anna.get(PAGE)
    assert "Google needs reconnecting" in text(page)
    assert "Access was withdrawn at Google." in text(page)
    assert f'href="{reverse("external-accounts:list")}"' in page.content.decode()


def test_it_disappears_when_it_is_reconnected_and_comes_again_when_access_is_lost_again(anna, account):
    account.needs_reconnecting(reason="Access was withdrawn at Google.")
    services.dismiss(notice=Notice.objects.get(), now=timezone.now())
    assert kinds(anna) == []

    reconnect(account)
    assert not Notice.objects.exists()

    account.needs_reconnecting(reason="Access was withdrawn at Google.")
    assert kinds(anna) == ["reconnect"]


def test_a_disconnected_account_says_nothing_more(anna, account):
    account.needs_reconnecting(reason="Access was withdrawn at Google.")
    services.tell_of_session(account=account, session_id=1, at=timezone.now(), shown_from=timezone.now())

    account.status = ExternalAccount.Status.DISCONNECTED
    account.save()

    assert not Notice.objects.exists()


def test_what_an_administrator_pauses_for_many_is_found_by_the_beat(anna, account, client_of_anna):
    ExternalAccount.objects.update(paused=True)  # As the action of the administration does.
    tasks.ring()
    tasks.ring()

    assert kinds(anna) == ["paused"]
    assert "An administrator has paused anna@gmail.example." in text(client_of_anna.get(PAGE))

    ExternalAccount.objects.update(paused=False)
    assert kinds(anna) == []
    tasks.ring()
    assert not Notice.objects.exists()


def test_saving_tokens_asks_the_database_nothing_more(account, django_assert_num_queries):
    account.credentials = {"access_token": "next"}

    with django_assert_num_queries(1):
        account.save(update_fields=["encrypted_credentials"])


def test_the_beat_takes_a_handful_of_statements_however_many_accounts_there_are(django_assert_num_queries):
    for number in range(5):
        profile = make_user().profile
        ExternalAccount.objects.create(profile=profile, login=f"{number}@gmail.example", subject=str(number))
    ExternalAccount.objects.update(status=ExternalAccount.Status.RECONNECT_NEEDED)

    with django_assert_num_queries(4):  # What is over; two questions; one write.
        services.follow_accounts(now=timezone.now())
    assert Notice.objects.count() == 5
    with django_assert_num_queries(3):
        services.follow_accounts(now=timezone.now())
