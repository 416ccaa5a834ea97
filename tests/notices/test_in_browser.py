"""What the bell does in Chromium, by keyboard; and whether everybody can use it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.utils import timezone

from accounts.models import ExternalAccount, Profile
from notices import reminders
from tests import chromium
from tests.factories import make_activity
from tests.notices.conftest import remind

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Running before a test's database and after it: what the test has asked in its loop is closed there as well."""
    with pytest.MonkeyPatch.context() as monkeypatch, playwright.sync_playwright() as driver:
        monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright's loop runs in the thread of the tests.
        browser = driver.chromium.launch(executable_path=chromium.path(), args=chromium.FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any, live_server: Any, anna: Profile, client_of_anna: Client) -> Iterator[Any]:
    """A page of Anna, who has two reminders and an account to reconnect; what the console complains about fails."""
    now = timezone.now().replace(microsecond=0)
    for subject, minutes in (("Call back Lumen Clinics", -90), ("Proposal review: Kestrel Energy", 10)):
        start = now + timedelta(minutes=minutes)
        remind(make_activity(by=anna, subject=subject, start=start, location="Room 4"), anna)
    reminders.make(now=now)
    account = ExternalAccount.objects.create(profile=anna, login="anna@gmail.example", subject="1")
    account.needs_reconnecting(reason="Access was withdrawn at Google.")
    complaints: list[str] = []
    context = browser.new_context(base_url=live_server.url, viewport={"width": 1440, "height": 900})
    name = django_settings.SESSION_COOKIE_NAME
    context.add_cookies([{"name": name, "value": client_of_anna.cookies[name].value, "url": live_server.url}])
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.clock.install()
    page.on("console", lambda line: complaints.append(line.text) if line.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto("/profile/")
    yield page
    context.close()
    assert complaints == []


def test_the_bell_by_keyboard(page, anna):
    bell, panel = page.locator("[data-bell] > summary"), page.locator("#bell-panel")
    expect(bell).to_contain_text("Notifications: 3 new")

    # What comes while the page stands open is counted, as long as somebody looks at it.
    now = timezone.now().replace(microsecond=0)
    remind(make_activity(by=anna, subject="Stand-up", start=now + timedelta(minutes=5)), anna)
    reminders.make(now=now)
    page.clock.run_for(46_000)
    expect(bell).to_contain_text("Notifications: 4 new")
    expect(page.locator("[data-bell-status]")).to_have_text("Notifications: 4 new")

    picture(page, "new")

    bell.focus()
    page.keyboard.press("Enter")
    expect(panel.get_by_role("listitem")).to_have_count(4)
    expect(page.locator("[data-bell-badge]")).to_be_hidden()
    picture(page, "bell")

    expect(page.locator(".htmx-settling")).to_have_count(0)  # Until then a button leads to a page of its own.
    panel.get_by_label("Postpone Call back Lumen Clinics by").select_option("2 hours")
    panel.get_by_role("button", name="Postpone Call back Lumen Clinics").press("Enter")
    expect(panel.get_by_role("listitem")).to_have_count(3)
    expect(panel.get_by_text("Postponed until")).to_be_visible()
    expect(panel.get_by_role("heading", name="Notifications")).to_be_focused()

    expect(page.locator(".htmx-settling")).to_have_count(0)
    panel.get_by_role("button", name="Dismiss Stand-up").press("Enter")
    expect(panel.get_by_role("listitem")).to_have_count(2)
    expect(panel).not_to_contain_text("Stand-up")

    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(bell).to_be_focused()

    page.keyboard.press("Enter")
    panel.get_by_role("button", name="Dismiss all").wait_for()
    expect(page.locator(".htmx-settling")).to_have_count(0)  # Until then a button leads to a page of its own.
    panel.get_by_role("button", name="Dismiss all").press("Enter")
    expect(panel.get_by_text("Nothing new.")).to_be_visible()
    page.goto("/notices/")
    expect(page.get_by_role("main").get_by_text("Nothing new.")).to_be_visible()


def test_the_bell_can_be_used_by_everybody(page):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    panel = page.locator("#bell-panel")
    for width, theme in ((1440, "light"), (390, "dark")):  # Each width and each theme, as every page is looked at.
        page.set_viewport_size({"width": width, "height": 844})
        page.emulate_media(color_scheme=theme)
        page.goto("/profile/")
        page.locator("[data-bell] > summary").click()
        expect(panel.get_by_role("listitem")).to_have_count(3)
        assert [found["id"] for found in axe.run(page, options=WCAG).response["violations"]] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        picture(page, f"panel-{width}-{theme}")
        page.goto("/notices/")
        assert [found["id"] for found in axe.run(page, options=WCAG).response["violations"]] == []
        picture(page, f"page-{width}-{theme}")


def picture(page: Any, name: str) -> None:
    """Keep what the page shows, in the folder that JOURNEY_PICTURES names."""
    if folder := os.environ.get("JOURNEY_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png")
