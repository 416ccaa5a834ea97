"""The running parts as people meet them: the web server, a Celery worker, the local Google, and Chromium."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client
from playwright.sync_api import Browser, expect, sync_playwright

from accounts.models import User
from google_emulator import Emulator
from tests import chromium
from tests.factories import make_user
from tests.google import connect
from tests.journeys.pages import DESKTOP, ZONE, Colleague, today
from tests.worker import Worker, empty_broker

ONLY_THIS_MACHINE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"
PEOPLE = {"anna": "Anna Berg", "boris": "Boris Novak"}


@pytest.fixture
def people(google: Emulator, transactional_db: None) -> None:
    """Anna and Boris: they may sign in, and each has an account at Google. What else is there, they make themselves."""
    for username, name in PEOPLE.items():
        user = make_user(username, time_zone=ZONE)
        user.profile.full_name = name
        user.profile.save()
        google.add_account(user.email, name=name, time_zone=ZONE)


@pytest.fixture(scope="module")
def worker(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """One worker for all journeys of a file: a start takes seconds. What a page shows as ended has ended there."""
    empty_broker()
    worker = Worker(log=tmp_path_factory.mktemp("worker") / "worker.log")
    worker.start()
    yield worker
    worker.stop()


@pytest.fixture
def product(live_server: Any, people: None, settings: Any) -> str:
    """The address of the running product."""
    settings.PUBLIC_BASE_URL = live_server.url
    return str(live_server.url)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright's loop runs in the thread of the tests.
        expect.set_options(timeout=15_000)  # Milliseconds; the machine of a test may be busy.
        arguments = [*chromium.FLAGS, ONLY_THIS_MACHINE]
        browser = playwright.chromium.launch(executable_path=chromium.path(), args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def arrive(browser: Browser, product: str, google: Emulator) -> Iterator[Callable[..., Colleague]]:
    """
    Return a function that signs a colleague in, in a browser of their own.

    Who is `connected` has signed in, connected Google and saved the set-up page before: the first journey shows how.
    Any complaint of a browser fails the test. JOURNEY_PICTURES in the environment names a folder for pictures of the
    pages on the way.
    """
    arrived: list[Colleague] = []
    pictures = os.environ.get("JOURNEY_PICTURES")

    def arrive(
        username: str, *, connected: bool = False, window: dict[str, int] = DESKTOP, pictures_as: str = ""
    ) -> Colleague:
        context = browser.new_context(
            base_url=product, viewport=window, timezone_id=ZONE, locale="en-US", reduced_motion="reduce"
        )
        colleague = Colleague(
            username,
            context=context,
            google=google.url,
            folder=Path(pictures) if pictures and pictures_as else None,
            pictures_as=pictures_as,
        )
        arrived.append(colleague)
        if connected:
            user = User.objects.get(username=username)
            connect(google, user, sync_from=today() - timedelta(days=7))
            context.add_cookies([signed_in(user, product)])
        else:
            colleague.sign_in()
        return colleague

    yield arrive
    for colleague in arrived:
        colleague.leave()
    assert [complaint for colleague in arrived for complaint in colleague.complaints] == []


def signed_in(user: User, address: str) -> Any:
    """Return the cookie of somebody who has signed in at this address."""
    client = Client()
    client.force_login(user)
    name = django_settings.SESSION_COOKIE_NAME
    return {"name": name, "value": client.cookies[name].value, "url": address}
