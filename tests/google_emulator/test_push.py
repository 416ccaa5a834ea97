"""Push channels and their messages."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from google_emulator import Emulator

from .conftest import ANNA, BORIS, SCOPES
from .helpers import guests, insert, refused, timed


class Listener(BaseHTTPRequestHandler):
    """Notes each message and answers what the server says, first answers first."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.server.answers.pop(0) if self.server.answers else 204)
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def listener():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    server.heard, server.answers = [], []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def wish(google, listener):
    google.behavior.push_needs_https = False
    return {
        "id": "channel-1",
        "type": "web_hook",
        "address": f"http://127.0.0.1:{listener.server_port}/google/notifications/",
        "token": "a secret",
    }


def watch(events, body):
    return events.watch(calendarId="primary", body=body).execute()


def heard(google, listener):
    google.postman.wait()
    return [(head["x-goog-resource-state"], int(head["x-goog-message-number"])) for head, _ in listener.heard]


@pytest.mark.checklist(23)
def test_a_channel_is_opened_and_says_so(google, anna, listener, wish):
    google.clock.set(google.clock.now())
    answer = watch(anna, wish)

    assert answer["kind"] == "api#channel"
    assert (answer["id"], answer["token"]) == ("channel-1", "a secret")
    assert answer["resourceUri"].endswith("/calendar/v3/calendars/anna%40northfold.example/events?alt=json")
    week = 7 * 24 * 3600
    assert int(answer["expiration"]) == (int(google.clock.now().timestamp()) + week) * 1000
    assert not {"address", "type"} & answer.keys()
    assert heard(google, listener) == [("sync", 1)]
    [(head, body)] = listener.heard
    assert body == b""
    assert head["x-goog-channel-id"] == "channel-1"
    assert head["x-goog-channel-token"] == "a secret"
    assert head["x-goog-resource-id"] == answer["resourceId"]
    assert head["x-goog-resource-uri"] == answer["resourceUri"]
    assert head["x-goog-channel-expiration"].endswith("GMT")


@pytest.mark.checklist(23)
def test_every_change_is_announced_ones_own_too(google, anna, boris, listener, wish):
    watch(anna, wish)
    insert(anna, timed())
    insert(boris, timed("Not Anna's"))
    insert(boris, timed("Anna's too", attendees=guests(ANNA)))
    assert heard(google, listener) == [("sync", 1), ("exists", 2), ("exists", 3)]


@pytest.mark.checklist(23)
def test_a_stopped_channel_is_silent(google, anna, boris, client, listener, wish):
    answer = watch(anna, wish)
    stop = {"id": "channel-1", "resourceId": answer["resourceId"]}
    with refused(404, "notFound"):
        client(BORIS).channels().stop(body=stop).execute()
    with refused(404, "notFound") as refusal:
        client(ANNA).channels().stop(body=stop | {"id": "channel-2"}).execute()
    assert refusal.message == "Channel 'channel-2' not found for project 'local-client'"

    assert client(ANNA).channels().stop(body=stop).execute() == ""

    insert(anna, timed())
    assert heard(google, listener) == [("sync", 1)]
    with refused(404, "notFound"):
        client(ANNA).channels().stop(body=stop).execute()


@pytest.mark.checklist(23)
def test_a_channel_ends_by_itself(google, anna, listener, wish):
    watch(anna, wish | {"params": {"ttl": "60"}})
    google.clock.advance(seconds=61)
    google.person(ANNA).create_event(timed())
    assert heard(google, listener) == [("sync", 1)]
    assert google.channels.all() == []


def test_a_long_wish_is_cut(google, anna, listener, wish):
    google.clock.set(google.clock.now())
    answer = watch(anna, wish | {"params": {"ttl": str(10**8)}})
    assert int(answer["expiration"]) <= (google.clock.now().timestamp() + 30 * 24 * 3600) * 1000


@pytest.mark.checklist(23)
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"address": "http://127.0.0.1:9/"}, "push.webhookUrlNotHttps"),
        ({"address": "nowhere"}, "push.webhookUrlNotHttps"),
        ({"id": ""}, "required"),
        ({"id": "x" * 65}, "invalid"),
        ({"type": "pigeon"}, "invalid"),
        ({"expiration": "1000"}, "invalid"),
    ],
    ids=str,
)
def test_a_bad_wish_is_refused(google, anna, change, reason):
    wish = {"id": "channel-1", "type": "webhook", "address": "https://crm.example/hook"}
    with refused(400, reason):
        watch(anna, wish | change)


@pytest.mark.checklist(23)
def test_a_channel_id_is_used_once(google, anna, listener, wish):
    watch(anna, wish)
    with refused(400, "channelIdNotUnique"):
        watch(anna, wish)


@pytest.mark.checklist(23)
def test_messages_can_get_lost_or_come_twice(google, anna, listener, wish):
    watch(anna, wish)
    google.behavior.push = "dropped"
    insert(anna, timed())
    google.behavior.push = "twice"
    insert(anna, timed())
    assert heard(google, listener) == [("sync", 1), ("exists", 3), ("exists", 3)]


@pytest.mark.checklist(23)
def test_messages_can_be_late(google, anna, listener, wish):
    watch(anna, wish)
    assert heard(google, listener) == [("sync", 1)]
    google.behavior.push_delay_seconds = 0.3
    insert(anna, timed())
    before = time.monotonic()
    assert len(listener.heard) == 1
    assert heard(google, listener) == [("sync", 1), ("exists", 2)]
    assert time.monotonic() - before > 0.1


def test_a_reset_throws_away_what_waits(google, anna, listener, wish):
    watch(anna, wish)
    heard(google, listener)
    google.behavior.push_delay_seconds = 30
    insert(anna, timed())
    google.reset()
    google.postman.wait()
    assert google.postman.deliveries == []
    assert len(listener.heard) == 1


def test_a_watch_takes_the_parameters_of_a_list(google, anna, wish):
    assert anna.watch(calendarId="primary", body=wish, eventTypes="default", singleEvents=True).execute()["id"]


def test_a_failed_message_is_tried_again_a_refused_one_is_not(google, anna, listener, wish):
    listener.answers = [503, 204, 404]
    watch(anna, wish)
    assert heard(google, listener) == [("sync", 1), ("sync", 1)]
    insert(anna, timed())
    assert len(heard(google, listener)) == 3
    assert [delivery.status for delivery in google.postman.deliveries] == [503, 204, 404]


def test_nobody_at_home(google, anna, wish):
    watch(anna, wish | {"address": "http://127.0.0.1:9/"})
    google.postman.wait()
    assert [delivery.status for delivery in google.postman.deliveries] == [0]


def test_channels_outlive_a_restart(tmp_path):
    path = tmp_path / "google.json"
    with Emulator(state=path) as google:
        account = google.add_account(ANNA)
        google.grant(ANNA, SCOPES)
        wish = {"id": "channel-1", "type": "web_hook", "address": "https://127.0.0.1:9/"}
        google.channels.watch(
            calendar_id=ANNA, raw=wish, email=account.email, client_id="local-client", root=google.url
        )
    assert [channel.id for channel in Emulator(state=path).channels.all()] == ["channel-1"]
