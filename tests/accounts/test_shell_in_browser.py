"""What the shell's script does, in Chromium; and whether everybody can use the pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client

from accounts.models import ExternalAccount
from tests import chromium
from tests.factories import make_user

playwright = pytest.importorskip("playwright.sync_api")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as monkeypatch, playwright.sync_playwright() as driver:
        monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright's loop runs in the thread of the tests.
        browser = driver.chromium.launch(executable_path=chromium.path(), args=chromium.FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any, live_server: Any) -> Iterator[Any]:
    """A page of somebody who is signed in and has a Google account; whatever the console complains about fails."""
    anna = make_user("anna")
    ExternalAccount.objects.create(profile=anna.profile, login="anna@northfold.example", subject="1")
    client = Client()
    client.force_login(anna)
    context = browser.new_context(base_url=live_server.url, viewport={"width": 1280, "height": 800})
    key = client.cookies[django_settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": django_settings.SESSION_COOKIE_NAME, "value": key, "url": live_server.url}])
    page = context.new_page()
    complaints: list[str] = []
    page.on(
        "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    page.goto("/profile/external-accounts/")
    yield page
    context.close()
    assert [line for line in complaints if line.startswith(("error", "warning"))] == []


def test_escape_closes_a_menu_and_gives_the_focus_back(page):
    page.get_by_text("Anna, profile menu").locator("..").press("Enter")
    playwright.expect(page.get_by_role("link", name="Your profile").last).to_be_visible()

    page.keyboard.press("Escape")

    playwright.expect(page.get_by_role("button", name="Exit")).to_be_hidden()
    playwright.expect(page.locator(".topbar summary", has_text="profile menu")).to_be_focused()


def test_a_click_elsewhere_closes_a_menu(page):
    page.locator(".topbar summary", has_text="profile menu").click()
    page.get_by_role("heading", level=1).click()

    playwright.expect(page.get_by_role("button", name="Exit")).to_be_hidden()


def test_delete_asks_and_the_first_answer_is_to_keep(page):
    page.get_by_role("link", name="Delete anna@northfold.example").click()

    dialog = page.get_by_role("alertdialog", name="Delete anna@northfold.example?")
    playwright.expect(dialog).to_be_visible()
    playwright.expect(dialog.get_by_role("button", name="Keep account")).to_be_focused()
    page.keyboard.press("Enter")
    playwright.expect(dialog).to_be_hidden()


def test_the_folded_panel_stays_folded_on_the_next_page(page):
    panel = page.locator("#panel")
    width = panel.bounding_box()["width"]

    page.get_by_role("button", name="Hide section panel").click()
    page.goto("/profile/")

    assert panel.bounding_box()["width"] < width / 2
    playwright.expect(page.get_by_role("button", name="Hide section panel")).to_have_attribute("aria-pressed", "true")


def test_on_a_phone_the_panel_opens_over_the_page_and_escape_closes_it(page):
    page.set_viewport_size({"width": 390, "height": 800})
    panel, opener = page.locator("#panel"), page.get_by_role("button", name="Section panel", exact=True)
    playwright.expect(panel).to_be_hidden()

    opener.click()
    playwright.expect(panel.get_by_role("link", name="Activities")).to_be_focused()
    playwright.expect(opener).to_have_attribute("aria-expanded", "true")

    page.keyboard.press("Escape")
    playwright.expect(panel).to_be_hidden()
    playwright.expect(opener).to_be_focused()


@pytest.mark.parametrize("path", ["/profile/", "/profile/settings/", "/profile/external-accounts/"])
def test_nothing_scrolls_sideways_on_a_narrow_phone(page, path):
    page.set_viewport_size({"width": 320, "height": 700})
    page.goto(path)

    assert page.evaluate("document.documentElement.scrollWidth") <= 320
