"""Signing in and out."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna() -> User:
    return make_user("anna")


def log_in(client: Client, *, password: str = PASSWORD, next_page: str = ""):
    return client.post("/login/", {"username": "anna", "password": password, "next": next_page})


def test_whoever_is_not_signed_in_is_asked_to_and_then_gets_where_they_wanted(client, anna):
    asked = client.get("/profile/")
    assert asked.url == "/login/?next=/profile/"

    assert log_in(client, next_page="/profile/").url == "/profile/"


def test_without_a_wish_one_starts_at_the_activities(client, anna):
    assert log_in(client).url == "/activities/"


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_signing_in_never_leads_to_another_server(client, anna, elsewhere):
    assert log_in(client, next_page=elsewhere).url == "/activities/"


def test_a_wrong_password_is_refused_with_words_and_without_saying_which_of_both_was_wrong(client, anna):
    page = log_in(client, password="guess")

    assert "User name and password do not match." in page.content.decode()
    assert "_auth_user_id" not in client.session


def test_whoever_is_signed_in_is_not_asked_again(client, anna):
    client.force_login(anna)
    assert client.get("/login/").url == "/activities/"


def test_exit_ends_the_session_and_only_by_a_form(client, anna):
    client.force_login(anna)
    assert client.get(reverse("accounts:exit")).status_code == 405

    assert client.post(reverse("accounts:exit")).url == "/login/"
    assert client.get("/profile/").status_code == 302


def test_a_form_from_elsewhere_is_refused_in_our_own_words(anna):
    client = Client(enforce_csrf_checks=True)
    client.force_login(anna)

    page = client.post("/profile/", {"full_name": "Mallory"})

    assert page.status_code == 403
    assert "Nothing was saved" in page.content.decode()


def test_a_form_sent_after_the_session_ended_leads_back_to_its_page(client):
    page = client.post("/activities/synchronize-now/", headers={"Referer": "http://testserver/activities/?view=list"})
    assert page.url == "/login/?next=%2Factivities%2F%3Fview%3Dlist"


def test_from_elsewhere_it_leads_to_the_first_page(client):
    page = client.post("/activities/synchronize-now/", headers={"Referer": "https://evil.example/activities/"})
    assert page.url == "/login/?next=%2Factivities%2F"


def test_the_log_in_page_does_not_appear_inside_another_one(client):
    answer = client.get(
        "/activities/synchronization/preview/",
        headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/activities/synchronization/"},
    )
    assert answer.status_code == 200
    assert answer["HX-Redirect"] == "/login/?next=%2Factivities%2Fsynchronization%2F"
    assert answer.content == b""
