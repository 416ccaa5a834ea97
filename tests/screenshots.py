"""
Pictures of every page, light and dark, at a desk and on a phone: `python3 manage.py screenshots`.

They are taken of the running demo, with its example people, after one synchronization of Anna's.
"""

from __future__ import annotations

import argparse
import io
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from creatio_sync import demo, smoke

from . import chromium

FOLDER = Path("docs/images")
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
COLORS = 256  # Of a picture: enough for flat surfaces, and a third of the bytes.
OFFER = "Offer to Alder & Finch.pdf"
WORKSHOP = "Contract workshop"  # A meeting with colleagues, tags and a place.
Step = Callable[[Any], None]  # Takes Playwright's page, which is loaded when it is needed.


def nothing(_page: Any) -> None:
    """The page is the picture as it comes."""


def scroll_to_morning(page: Any) -> None:
    """Whatever the time is now: the day begins at eight."""
    page.locator(".fc-timegrid-slot-lane[data-time='08:00:00']").first.evaluate("slot => slot.scrollIntoView()")
    page.evaluate("window.scrollTo(0, 0)")


def open_activity(page: Any) -> None:
    page.get_by_role("link", name=WORKSHOP).first.click()
    page.wait_for_load_state()


def open_attachments(page: Any) -> None:
    """The offer is added once; the next picture finds it."""
    open_activity(page)
    page.get_by_role("link", name="Attachments and notes").click()
    if not page.get_by_role("link", name=OFFER).count():
        offer = {"name": OFFER, "mimeType": "application/pdf", "buffer": b"%PDF-1.7\n" + b" " * 182_000}
        page.get_by_label("Files to add").set_input_files(offer)
        page.get_by_role("button", name="Add files").click()
        page.get_by_role("link", name=OFFER).wait_for()


def open_tags(page: Any) -> None:
    open_activity(page)
    page.get_by_role("link", name="Tags").first.click()


def open_mini(page: Any) -> None:
    page.locator(".fc-event", has_text=WORKSHOP).first.click()
    page.get_by_role("dialog").wait_for()


def open_latest_session(page: Any) -> None:
    page.locator("main a[href*='/sessions/']").first.click()
    page.wait_for_load_state()


@dataclass(frozen=True)
class Picture:
    """One page: whose, where, and what is done there before the picture is taken."""

    name: str
    path: str
    then: Step = nothing
    who: str = "anna"
    whole: bool = False  # All of the page, not what a screen shows of it.


LIST = "/activities/?view=list&period=any"
PICTURES = (
    Picture("login", "/login/", who=""),
    Picture("calendar-week", "/activities/?show=week", scroll_to_morning),
    Picture("calendar-day", "/activities/?show=day", scroll_to_morning),
    Picture("calendar-month", "/activities/?show=month"),
    Picture("calendar-agenda", "/activities/?show=agenda"),
    Picture("calendar-mini-page", "/activities/?show=week&period=current_week", open_mini),
    Picture("list", LIST),
    Picture("dashboards", "/activities/?view=dashboards&period=any&employee=all"),
    Picture("activity", LIST, open_activity, whole=True),
    Picture("activity-attachments", LIST, open_attachments, whole=True),
    Picture("activity-tags", LIST, open_tags),
    Picture("activity-new", "/activities/new/"),
    Picture("activities-deleted", "/activities/deleted/"),
    Picture("synchronization-set-up", "/activities/synchronization/"),
    Picture("synchronization-preview", "/activities/synchronization/preview/"),
    Picture("synchronization-sessions", "/activities/synchronization/sessions/"),
    Picture("synchronization-session", "/activities/synchronization/sessions/", open_latest_session, whole=True),
    Picture("profile", "/profile/", whole=True),
    Picture("profile-settings", "/profile/settings/"),
    Picture("profile-accounts", "/profile/external-accounts/"),
    Picture("notices", "/notices/"),
    Picture("registration-at-google", "/profile/external-accounts/google/registration/", who="admin"),
)


def main(arguments: list[str]) -> int:
    """Take the pictures. Returns 0, or 1 with the reason on stderr."""
    parser = argparse.ArgumentParser(prog="python3 manage.py screenshots", description="Take a picture of every page.")
    parser.add_argument("--to", type=Path, default=FOLDER, metavar="DIR", help=f"where to put them (default {FOLDER})")
    parser.add_argument("--only", default="", metavar="NAME", help="those whose name begins so")
    options = parser.parse_args(arguments)
    if reason := chromium.why_not():
        print(reason, file=sys.stderr)
        return 1
    ports = [*("--port", str(_free_port())), *("--google-port", str(_free_port()))]
    return demo.main(ports, task=lambda running: _take(running, to=options.to, only=options.only))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((demo.HOST, 0))
        return int(probe.getsockname()[1])


def _take(running: demo.Running, *, to: Path, only: str) -> int:
    to.mkdir(parents=True, exist_ok=True)
    try:
        smoke.synchronize(product=running.product)
    except smoke.NotAsExpected as error:
        demo.say(f"No pictures: {error}")
        return 1
    taken = 0
    with _browser() as browser:
        for theme in ("light", "dark"):
            for size, viewport in (("", DESK), ("-phone", PHONE)):
                context = {"color_scheme": theme, "viewport": viewport, "reduced_motion": "reduce", "locale": "en-US"}
                for picture in (one for one in PICTURES if one.name.startswith(only)):
                    file = to / f"{picture.name}{size}-{theme}.png"
                    _take_one(browser.new_context(**context), running, picture, file)
                    taken += 1
    demo.say(f"{taken} pictures are in {to}.")
    return 0


@contextmanager
def _browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.path(), args=chromium.FLAGS)
        yield browser
        browser.close()


def _take_one(context: Any, running: demo.Running, picture: Picture, file: Path) -> None:
    page = context.new_page()
    if picture.who:
        page.goto(f"{running.product}/login/")
        page.get_by_label("User name").fill(picture.who)
        page.get_by_label("Password").fill(smoke.PASSWORD)
        page.get_by_role("button", name="Log in").click()
    page.goto(f"{running.product}{picture.path}")
    picture.then(page)
    page.wait_for_load_state("networkidle")
    if picture.whole:
        page.evaluate("window.scrollTo(0, 0)")
    with Image.open(io.BytesIO(page.screenshot(full_page=picture.whole))) as taken:
        taken.convert("RGB").quantize(COLORS).save(file, optimize=True)
    file.chmod(0o644)  # The demo keeps what it makes to itself; a picture is for everybody.
    context.close()
