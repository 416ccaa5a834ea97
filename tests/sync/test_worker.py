"""Sessions and the broker: what waits in it while no worker runs."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.utils import timezone

from google_emulator import Emulator
from sync import sessions
from sync.models import SyncedCalendar, SyncSession
from tests.factories import make_activity, make_user
from tests.google import connect, sync_tag
from tests.worker import Worker, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.embedded]

START = datetime(2027, 3, 8, 10, tzinfo=UTC)


@pytest.fixture
def annas(google: Emulator) -> SyncedCalendar:
    return connect(google, make_user("anna"))


@pytest.fixture
def activity(annas: SyncedCalendar):
    anna = annas.account.profile
    values = {"start": START, "now": timezone.now(), "show_in_calendar": True}
    return make_activity(by=anna, subject="Renewal call", tags=[sync_tag(anna)], **values)


def request(calendar: SyncedCalendar) -> SyncSession:
    return sessions.request(calendar=calendar, trigger=SyncSession.Trigger.MANUAL, now=timezone.now())


def wait_for(session: SyncSession) -> SyncSession:
    def is_finished() -> bool:
        session.refresh_from_db()
        return session.is_finished

    wait_until(is_finished, what="the end of the session", seconds=30)
    return session


@pytest.mark.rule("R18")
def test_what_was_asked_while_no_worker_ran_is_done_when_one_starts(google, annas, activity, celery_worker: Worker):
    celery_worker.kill()
    session = request(annas)

    celery_worker.start()

    assert wait_for(session).added_in_google == 1
