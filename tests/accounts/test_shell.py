"""What every page has in common."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from tests.factories import make_user

pytestmark = pytest.mark.django_db

PAGES = [
    "/profile/",
    "/profile/settings/",
    "/profile/communication-options/new/",
    "/profile/external-accounts/",
    "/profile/external-accounts/google/callback/",
    "/nothing-here/",
]


@pytest.fixture
def browser(client: Client) -> Client:
    client.force_login(make_user("anna"))
    return client


@pytest.mark.parametrize("path", PAGES)
def test_pages_hold_nothing_the_content_policy_forbids(browser, path):
    answer = browser.get(path)
    page = answer.content.decode()

    assert "script-src 'self'" in answer["Content-Security-Policy"]
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page)
    assert not re.search(r"<script(?![^>]*\ssrc=)", page)
    assert not re.search(r"(src|href)=\"(https?:)?//", page)


@pytest.mark.parametrize("path", PAGES)
def test_pages_have_one_heading_and_labels_for_their_fields(browser, path):
    page = browser.get(path).content.decode()

    assert page.count("<h1") == 1
    for control in re.findall(r"<(?:input|select|textarea)\b[^>]*>", page):
        if re.search(r'type="(hidden|submit)"|aria-hidden="true"|aria-label', control):
            continue
        identity = re.search(r'\bid="([^"]+)"', control)
        assert identity, control
        assert f'for="{identity[1]}"' in page, control


def test_administration_is_in_the_panel_of_staff_alone(browser):
    assert reverse("admin:index") not in browser.get("/profile/").content.decode()

    User.objects.filter(username="anna").update(is_staff=True)
    assert reverse("admin:index") in browser.get("/profile/").content.decode()


def test_exit_stands_in_the_profile_menu_as_a_form(browser):
    assert f'<form method="post" action="{reverse("accounts:exit")}">' in browser.get("/profile/").content.decode()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_chosen_theme_is_kept(browser, theme):
    browser.post("/profile/settings/", {"theme": theme})

    assert f'data-theme="{theme}"' in browser.get("/profile/").content.decode()


@pytest.mark.parametrize("theme", ["system", '"><script>'])
def test_without_a_choice_the_system_decides(browser, theme):
    browser.cookies["theme"] = theme

    assert "data-theme" not in browser.get("/profile/").content.decode()


def test_a_folded_panel_comes_folded(browser):
    assert "is-rail" not in browser.get("/profile/").content.decode()

    browser.cookies["panel"] = "rail"
    assert "is-rail" in browser.get("/profile/").content.decode()


def test_nothing_found_is_said_to_strangers_without_the_shell(client):
    answer = client.get("/nothing-here/")

    assert answer.status_code == 404
    assert "There is nothing here" in answer.content.decode()
    assert "Section panel" not in answer.content.decode()
