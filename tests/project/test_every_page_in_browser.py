"""
Every page of the project in Chromium, light at a desk and dark on a phone.

axe finds nothing, nothing scrolls sideways, the console has no complaint, and nothing comes from another host.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from django.conf import settings as django_settings
from django.test import Client

from accounts.models import User
from tests import chromium

from .test_every_url import QUERIES, World, every_address, expected, world  # noqa: F401 - a fixture

sync_playwright = pytest.importorskip("playwright.sync_api").sync_playwright
Axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
# Parts of pages, data and files.
NO_PAGES = {
    "healthz", "accounts:photo", "sync:calendars", "sync:progress", "activities:calendar-entries", "activities:mini",
    "activities:edit-mini", "activities:new-mini", "activities:download-attachment", "notices:panel", "notices:count",
}  # fmt: skip
# What is shown of a page by its address alone.
PARTS = {"activities:detail": ["#participants", "#attachments", "#feed", "?tags=1"]}
SIZES = {"desk": {"width": 1440, "height": 900}, "phone": {"width": 390, "height": 844}}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright's loop runs in the thread of the tests.
        browser = playwright.chromium.launch(executable_path=chromium.path(), args=chromium.FLAGS)
        yield browser
        browser.close()


def pages(world: World, who: str) -> Iterator[str]:  # noqa: F811
    """Return the addresses of the pages that this person may open, each as it can be shown."""
    at = ["stranger", "employee", "waiting", "participant", "organizer", "administrator"].index(who)
    routes, table = every_address(), expected()
    for (name, method), answers in table.items():
        if method == "GET" and answers[at] in ("page", "changed") and name not in NO_PAGES:
            address = world.address(name, routes[name])
            yield address
            yield from (f"{address}?{urlencode(query)}" for query in QUERIES.get(name, []) if query)
            yield from (address + part for part in PARTS.get(name, []))


def own_pages(world: World) -> dict[str, list[str]]:  # noqa: F811
    """Return whose pages are looked at: the Organizer has most of them, and others what the Organizer has not."""
    organizers = list(pages(world, "organizer"))
    others = [address for address in pages(world, "administrator") if address not in organizers]
    return {"organizer": [*organizers, "/nowhere/"], "administrator": others, "stranger": ["/login/"]}


@pytest.mark.parametrize(("theme", "size"), [("light", "desk"), ("dark", "phone")])  # Each theme, each size.
def test_every_page_can_be_used_by_everybody(world, browser, live_server, theme, size):  # noqa: F811
    found: dict[str, list[str]] = {}
    for who, addresses in own_pages(world).items():
        user = None if who == "stranger" else world.people[who].user
        context = browser.new_context(
            base_url=live_server.url, viewport=SIZES[size], color_scheme=theme, reduced_motion="reduce"
        )
        if user:
            context.add_cookies([signed_in(user, live_server.url)])
        page = context.new_page()
        for address in addresses:
            if complaints := looked_at(
                page, address, width=SIZES[size]["width"], host=urlsplit(live_server.url).netloc
            ):
                found[f"{who} at {address}"] = complaints
        context.close()
    assert found == {}


def signed_in(user: User, url: str) -> dict[str, str]:
    client = Client()
    client.force_login(user)
    name = django_settings.SESSION_COOKIE_NAME
    return {"name": name, "value": client.cookies[name].value, "url": url}


def looked_at(page: Any, address: str, *, width: int, host: str) -> list[str]:
    """Return what is wrong with a page."""
    complaints: list[str] = []

    def listen(line: Any) -> None:
        if line.type in ("error", "warning") and "status of 404" not in line.text:
            complaints.append(line.text)

    def see(request: Any) -> None:
        if urlsplit(request.url).netloc not in (host, ""):
            complaints.append(f"asks {request.url}")

    def fail(error: Any) -> None:
        complaints.append(str(error))

    page.goto("about:blank")  # So that an address that differs in its part alone is loaded, too.
    listeners = {"console": listen, "request": see, "pageerror": fail}
    for event, listener in listeners.items():
        page.on(event, listener)
    page.goto(address)
    report = Axe().run(page, options=RULES)
    complaints += [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in report.response["violations"]]
    if (actual := page.evaluate("document.documentElement.scrollWidth")) > width:
        complaints.append(f"is {actual} wide")
    for event, listener in listeners.items():
        page.remove_listener(event, listener)
    return complaints
