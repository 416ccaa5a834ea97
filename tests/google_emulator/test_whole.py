"""The emulator as a whole: start and stop, memory in a file, example people, the command."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from google_emulator import Emulator, seed

from .conftest import ANNA, BORIS, SCOPES
from .helpers import guests, timed

ROOT = Path(__file__).resolve().parents[2]


def test_it_starts_and_stops_quickly():
    google = Emulator()
    before = time.perf_counter()
    google.start()
    url = google.url
    assert requests.get(url, timeout=5).status_code == 200
    google.stop()
    assert time.perf_counter() - before < 5
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=5)
    with pytest.raises(RuntimeError):
        assert google.url


def test_two_do_not_disturb_each_other():
    with Emulator() as one, Emulator() as other:
        one.add_account(ANNA)
        assert one.url != other.url
        assert other.accounts == []


def test_a_taken_port_is_an_error():
    with Emulator() as google, pytest.raises(OSError, match="in use"):
        Emulator().start(int(google.url.rpartition(":")[2]))


def test_stopping_releases_who_waits_for_an_answer():
    google = Emulator().start()
    google.fail("timeout", seconds=60)
    with socket.create_connection(("127.0.0.1", int(google.url.rpartition(":")[2]))) as connection:
        connection.sendall(b"GET /v1/userinfo HTTP/1.1\r\nHost: x\r\n\r\n")
        while not google.requests:
            time.sleep(0.01)
        google.stop()
        connection.settimeout(5)
        try:
            assert connection.recv(1) == b""
        except ConnectionResetError:
            pass  # Cut off harder, and released just as well.


def test_reset_forgets_everything(google, anna):
    google.fill(ANNA, [timed()])
    google.grant(ANNA, SCOPES)
    google.fail()
    google.clock.set(datetime(2020, 1, 1, tzinfo=UTC))
    google.behavior.revival = "forbidden"
    google.person(ANNA).create_event(timed(attendees=guests(BORIS)))

    google.reset()

    assert (google.accounts, google.oauth.grants(), google.faults.waiting) == ([], [], [])
    assert (len(google.mail), len(google.requests), google.store.is_empty) == (0, 0, True)
    assert google.behavior.revival == "allowed"
    assert google.clock.now() > datetime(2025, 1, 1, tzinfo=UTC)


def test_the_clock_stands_and_advances(google):
    moment = datetime(2026, 5, 4, 10, tzinfo=UTC)
    google.clock.set(moment)
    assert google.clock.now() == moment
    google.clock.advance(minutes=5)
    google.clock.advance(timedelta(seconds=1))
    assert google.clock.now() == moment + timedelta(minutes=5, seconds=1)
    with pytest.raises(ValueError, match="aware"):
        google.clock.set(datetime(2026, 5, 4))  # noqa: DTZ001  It is the point.
    event = google.person(ANNA).create_event(timed())
    assert event["created"] == "2026-05-04T10:05:01.000Z"


def test_a_switch_that_is_not_there_is_refused(google):
    with pytest.raises(ValueError, match="no switch"):
        google.behavior.change(color="red")


def test_the_memory_outlives_a_restart(tmp_path, client, google):
    path = tmp_path / "google.json"
    with Emulator(state=path) as first:
        for email in (ANNA, BORIS):
            first.add_account(email, time_zone="Europe/Berlin")
        tokens = first.grant(ANNA, SCOPES)
        event = first.person(ANNA).create_event(timed("Kept", attendees=guests(BORIS)))
        series = first.person(ANNA).create_event(timed("Weekly", recurrence=["RRULE:FREQ=WEEKLY;COUNT=3"]))
        first.person(ANNA).edit(f"{series['id']}_20260511T080000Z", {"summary": "Special"})
        first.person(ANNA).edit(event["id"], timed("Kept", "2026-05-05T10:00:00", "2026-05-05T11:00:00"))
        listed = api(first, tokens, "maxResults=2")
        sync_token = api(first, tokens, "maxResults=2", f"pageToken={listed['nextPageToken']}")["nextSyncToken"]
        first.person(BORIS).respond(event["id"], "accepted")
        shown, mail = first.person(BORIS).events(), first.mail.all()
    assert path.stat().st_mode & 0o077 == 0, "there are tokens in it"

    with Emulator(state=path) as second:
        strip = lambda rows: [{k: v for k, v in row.items() if k != "htmlLink"} for row in rows]  # noqa: E731
        assert strip(second.person(BORIS).events()) == strip(shown)
        assert second.mail.all() == mail
        [row] = api(second, tokens, f"syncToken={sync_token}")["items"]
        assert row["attendees"][1]["responseStatus"] == "accepted"
        answer = requests.post(
            f"{second.url}/token",
            data={
                "grant_type": "refresh_token",
                "refresh_token": tokens["refresh_token"],
                "client_id": "local-client",
                "client_secret": "local-secret",
            },
            timeout=5,
        )
        assert answer.status_code == 200
        second.person(ANNA).delete(event["id"])
    with Emulator(state=path) as third:
        assert third.person(BORIS).event(event["id"])["status"] == "cancelled"
        third.reset()
    assert Emulator(state=path).accounts == []


def test_what_happens_in_between_is_taken_back(client, google):
    google.add_account(ANNA)
    tokens = google.grant(ANNA, SCOPES)
    kept = google.person(ANNA).create_event(timed("Kept"))
    shown = google.person(ANNA).events()
    google.fail(status=503, method="DELETE", skip=1)
    google.clock.set(now := datetime(2026, 5, 4, tzinfo=UTC))

    with google.undone():
        google.person(ANNA).delete(kept["id"])
        google.person(ANNA).create_event(timed("Undone", attendees=guests(BORIS)))
        google.revoke_grants(ANNA)
        google.expire_sync_tokens()
        google.clock.advance(days=1)
        google.faults.take(method="DELETE", path="/")
        google.fail(status=500)

    assert google.person(ANNA).events() == shown
    assert not google.mail.all()
    assert api(google, tokens)["items"][0]["id"] == kept["id"]
    assert google.clock.now() == now
    assert [(fault["status"], fault["skip"]) for fault in google.faults.waiting] == [(503, 1)]


def api(google, tokens, *query):
    answer = requests.get(
        f"{google.url}/calendar/v3/calendars/primary/events?{'&'.join(query)}",
        headers={"Authorization": f"Bearer {tokens['access_token']}"},
        timeout=5,
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "other.json"
    path.write_text("[]")
    with pytest.raises(ValueError, match="Delete it to begin anew"):
        Emulator(state=path)


def test_the_example_people_have_events_around_today():
    google = Emulator()
    seed.demo(google)

    assert [account.email for account in google.accounts] == [ANNA, BORIS, seed.CLARA, seed.MARIA]
    annas = {event.get("summary"): event for event in google.person(ANNA).events()}
    assert len(annas) == 4
    assert annas["Quarterly review"]["organizer"]["self"] is True
    assert annas["Project kick-off"]["organizer"] == {"email": seed.MARIA}
    assert "date" in annas["Partner summit, Vienna"]["start"]
    assert {event["summary"] for event in google.person(seed.CLARA).events()} == {"Project kick-off"}
    start = datetime.fromisoformat(annas["Quarterly review"]["start"]["dateTime"])
    assert abs(start - google.clock.now()) < timedelta(days=7)
    count = len(google.person(ANNA).events())
    seed.demo(google)
    assert len(google.person(ANNA).events()) == count, "once is enough"


def test_the_command_serves_and_stops(tmp_path):
    command = [sys.executable, "-m", "google_emulator", "--port", "0", "--seed", "demo", "--state", tmp_path / "g.json"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().split()[-1]
        page = requests.get(url, timeout=5).text
        taken = subprocess.run(
            [sys.executable, "-m", "google_emulator", "--port", url.rpartition(":")[2]],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        process.terminate()
        assert process.wait(timeout=10) == 0
    assert "Anna Berg" in page
    assert taken.returncode == 1
    assert "Choose another with --port" in taken.stderr
    assert (tmp_path / "g.json").exists()


def test_it_knows_nothing_of_the_product():
    script = (
        "import sys, google_emulator.__main__; print([m for m in sys.modules if m.split('.')[0] in "
        "('django', 'accounts', 'activities', 'sync', 'creatio_sync', 'googleapiclient')])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
