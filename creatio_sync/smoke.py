"""
One synchronization both ways through the running parts, as a person would do it in a browser: `demo --smoke`.

Only pages and forms are used, over HTTP. What happens between the click and the result is the worker's and Google's.
"""

from __future__ import annotations

import http.cookiejar
import json
import secrets
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser

SECONDS = 60  # For the session, from the click to its end.
USER, PASSWORD = "anna", "demo"  # As `seed` makes them.
ACCOUNT = "anna@northfold.example"  # Hers at the local Google.
STOP_POLLING = 286  # The status with which the progress of a finished session answers.


class NotAsExpected(Exception):
    """A step did not lead where it has to lead. The message says which and what was seen."""


@dataclass
class Form:
    """A form as a page shows it: its address and what its fields hold."""

    action: str
    fields: list[tuple[str, str]] = field(default_factory=list)

    def filled(self, **values: str) -> list[tuple[str, str]]:
        kept = [(name, value) for name, value in self.fields if name not in values]
        return [*kept, *values.items()]


@dataclass
class Page:
    address: str
    status: int
    text: str

    def form(self, *, having: str) -> Form:
        """:raises NotAsExpected: if no form of the page has a field of this name."""
        reader = _FormReader(self.address)
        reader.feed(self.text)
        for form in reader.forms:
            if any(name == having for name, _ in form.fields):
                return form
        raise NotAsExpected(f"{self.address} (status {self.status}) shows no form with a field “{having}”.")


def run(*, product: str, google: str, say: Callable[[str], None]) -> None:
    """
    Connect a Google account, make an activity and an event, synchronize, and look for each on the other side.

    :raises NotAsExpected: at the first step that fails.
    """
    started = time.monotonic()
    mark = secrets.token_hex(4)
    ours, theirs = f"Smoke test {mark}, made here", f"Smoke test {mark}, made in Google"
    browser = _Browser()
    browser.sign_in(product)
    _connect(browser, product)
    _save_set_up(browser, product)
    _make_activity(browser, product, subject=ours)
    _make_event(browser, google, subject=theirs)
    say(f"Made “{ours}” and “{theirs}”.")

    _synchronize(browser, product)

    if not any(event.get("summary") == ours for event in _events(browser, google)):
        raise NotAsExpected(f"“{ours}” is not in Google Calendar.")
    if theirs not in browser.get(f"{product}/activities/?view=list&period=any&search={mark}").text:
        raise NotAsExpected(f"“{theirs}” is not among the activities.")
    say(f"Each is on the other side. It took {time.monotonic() - started:.1f} s.")


def synchronize(*, product: str) -> None:
    """
    Connect Anna's Google account, save the set-up page, and synchronize once.

    :raises NotAsExpected: at the first step that fails.
    """
    browser = _Browser()
    browser.sign_in(product)
    _connect(browser, product)
    _save_set_up(browser, product)
    _synchronize(browser, product)


class _Browser:
    """Keeps cookies, follows redirects, and reads forms."""

    def __init__(self) -> None:
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def get(self, address: str) -> Page:
        return self._open(urllib.request.Request(address))  # noqa: S310 - addresses made here

    def submit(self, form: Form, **values: str) -> Page:
        body = urllib.parse.urlencode(form.filled(**values)).encode()
        return self._open(urllib.request.Request(form.action, data=body))  # noqa: S310

    def sign_in(self, product: str) -> None:
        page = self.submit(self.get(f"{product}/login/").form(having="password"), username=USER, password=PASSWORD)
        if urllib.parse.urlsplit(page.address).path == "/login/":
            raise NotAsExpected(f"{USER} cannot sign in.")

    def _open(self, request: urllib.request.Request) -> Page:
        try:
            answer = self._opener.open(request, timeout=30)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return Page(answer.geturl(), answer.status, answer.read().decode())


class _FormReader(HTMLParser):
    """Collects the forms of a page with what a browser would send for each; buttons are left to the caller."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._address = address
        self._form: Form | None = None
        self._select: str | None = None
        self._textarea: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(urllib.parse.urljoin(self._address, values.get("action") or self._address))
            self.forms.append(self._form)
        elif self._form is None:
            return
        elif tag == "select":
            self._select = values.get("name")
        elif tag == "option" and self._select and "selected" in values:
            self._form.fields.append((self._select, values.get("value", "")))
        elif tag == "textarea":
            self._textarea = values.get("name")
            self._form.fields.append((self._textarea or "", ""))
        elif tag == "input" and values.get("name"):
            is_box = values.get("type") in {"checkbox", "radio"}
            if not is_box or "checked" in values:
                self._form.fields.append((values["name"], values.get("value", "on" if is_box else "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = None
        elif tag == "textarea":
            self._textarea = None

    def handle_data(self, data: str) -> None:
        if self._form and self._textarea:
            name, text = self._form.fields[-1]
            self._form.fields[-1] = (name, text + data.removeprefix("\n"))


def _connect(browser: _Browser, product: str) -> None:
    """Connect Google, unless an earlier run has."""
    if ACCOUNT in browser.get(f"{product}/profile/external-accounts/").text:
        return
    consent = browser.get(f"{product}/profile/external-accounts/google/new/").form(having="scope")
    page = browser.submit(consent, decision="allow")
    if not page.address.endswith("/connected/"):
        raise NotAsExpected(f"Google is not connected; the way ended at {page.address} (status {page.status}).")


def _save_set_up(browser: _Browser, product: str) -> None:
    page = browser.submit(browser.get(f"{product}/activities/synchronization/").form(having="sync_from"))
    if page.status != 200:
        raise NotAsExpected(f"The set-up page was not saved (status {page.status}).")


def _make_activity(browser: _Browser, product: str, *, subject: str) -> None:
    """Make an activity that takes part (R1): shown in the calendar, with a private tag."""
    form = browser.get(f"{product}/activities/new/").form(having="subject")
    page = browser.submit(form, subject=subject, show_in_calendar="on")
    path = urllib.parse.urlsplit(page.address).path
    if not path.strip("/").rpartition("/")[2].isdecimal():
        raise NotAsExpected(f"The activity was not made; the way ended at {page.address} (status {page.status}).")
    page = browser.get(f"{product}{path}?tags=1")
    page = browser.submit(page.form(having="name"), name="Google synchronization", kind="private")
    if page.status != 200:
        raise NotAsExpected(f"The activity was not tagged (status {page.status}).")


def _make_event(browser: _Browser, google: str, *, subject: str) -> None:
    """Make an event on the local Google's own page."""
    form = browser.get(f"{google}/events/new?account={ACCOUNT}").form(having="summary")
    page = browser.submit(form, summary=subject)
    if not any(event.get("summary") == subject for event in _events(browser, google)):
        raise NotAsExpected(f"The event was not made in Google (status {page.status}).")


def _events(browser: _Browser, google: str) -> list[dict[str, object]]:
    events: list[dict[str, object]] = json.loads(browser.get(f"{google}/_control/people/{ACCOUNT}/events").text)[
        "events"
    ]
    return events


def _synchronize(browser: _Browser, product: str) -> None:
    """Press *Synchronize now* and wait for the worker, as the page does."""
    token = browser.get(f"{product}/activities/synchronization/").form(having="csrfmiddlewaretoken")
    page = browser.submit(Form(f"{product}/activities/synchronize-now/", token.fields))
    end = time.monotonic() + SECONDS
    while browser.get(f"{page.address}progress/").status != STOP_POLLING:
        if time.monotonic() > end:
            raise NotAsExpected(f"The session {page.address} has not finished after {SECONDS} seconds.")
        time.sleep(0.2)
