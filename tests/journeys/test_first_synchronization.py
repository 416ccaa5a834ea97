"""
The main job as a new user does it, in a real browser against the running parts.

The product, its worker and the local Google run as they do for people; the browser is the only way in.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Error, expect

from google_emulator import Emulator
from tests.journeys.pages import DESKTOP, MOST_OF_A_SESSION, PHONE, Colleague, today

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("worker"),
    pytest.mark.timeout(180),
]

Arrive = Callable[..., Colleague]
MARIA = "maria@partner.example"  # Nobody here; known to Google only.
NOTHING = {"Here": (0, 0, 0), "In Google": (0, 0, 0)}


@pytest.mark.rule("R1")
@pytest.mark.parametrize(("window", "name"), [(DESKTOP, "desktop"), (PHONE, "phone")], ids=["desktop", "phone"])
def test_the_first_synchronization(arrive: Arrive, google: Emulator, window: dict[str, int], name: str):
    anna = arrive("anna", window=window, pictures_as=name)
    anna.connect_google()
    anna.set_up_synchronization()
    anna.make_task("Renewal call", start="10:00", due="10:45", location="Room 4")
    anna.put_on_private_tag("For Google")
    anna.look("activity")
    anna.google.make_event("Dentist", start="12:00", end="12:30", location="Lund")

    anna.preview("Dentist", "Renewal call")
    google.fail("slow", method="GET", path="/events", seconds=2)
    anna.start_synchronization()
    expect(anna.page.get_by_role("heading", name="Synchronizing now")).to_be_visible()
    anna.look("progress")
    assert anna.counts() == {"Here": (1, 0, 0), "In Google": (1, 0, 0)}
    anna.look("result")

    expect(anna.google.event("Renewal call")).to_contain_text("10:00 – 10:45")
    expect(anna.google.event("Renewal call")).to_contain_text("Room 4")
    anna.look("google", anna.google.page)
    expect(anna.in_calendar("Dentist")).to_be_attached()
    anna.look("calendar")
    expect(anna.in_list("Dentist")).to_be_visible()
    anna.look("list")
    anna.open_activity("Dentist")
    expect(anna.page.get_by_label("Start", exact=True)).to_have_value(f"{today()}T12:00")
    expect(anna.page.get_by_label("Location")).to_have_value("Lund")
    anna.look("from-google")
    assert anna.title_in_google() == "Dentist"
    assert anna.synchronize() == NOTHING


@pytest.mark.rule("R11", "R19")
def test_changes_travel_both_ways(arrive: Arrive, google: Emulator):
    """On a phone: what a session tells of a problem and of two changes, and what can be done about them."""
    anna = arrive("anna", connected=True, window=PHONE, pictures_as="changes")
    anna.make_task("Renewal call", start="10:00", due="10:45")
    anna.put_on_private_tag("For Google")
    anna.synchronize()

    anna.open_activity("Renewal call")
    anna.change("Location", "Room 9")
    assert anna.synchronize() == {"Here": (0, 0, 0), "In Google": (0, 1, 0)}
    expect(anna.google.event("Renewal call")).to_contain_text("Room 9")

    anna.google.change("Renewal call", "Title", "Renewal call with the board")
    assert anna.synchronize() == {"Here": (0, 1, 0), "In Google": (0, 0, 0)}
    anna.open_activity("Renewal call with the board")
    expect(anna.page.get_by_label("Location")).to_have_value("Room 9")
    assert anna.synchronize_on_set_up_page() == NOTHING

    google.fail(status=403, reason="forbidden", method="PATCH")
    anna.open_activity("Renewal call with the board")
    anna.change("Location", "Room 12")
    anna.start_synchronization()
    retry = anna.page.get_by_role("button", name="Retry Renewal call with the board")
    expect(retry).to_be_visible(timeout=MOST_OF_A_SESSION)
    anna.look("problem")
    retry.click()
    assert anna.counts() == {"Here": (0, 0, 0), "In Google": (0, 1, 0)}
    outcomes = anna.page.get_by_role("table", name="Items of this session")
    expect(outcomes).to_contain_text("Location: Room 9 → Room 12")

    anna.open_activity("Renewal call with the board")
    anna.change("Location", "Here")
    google.clock.advance(minutes=1)
    anna.google.change("Renewal call with the board", "Location", "There")
    anna.synchronize()
    anna.open_activity("Renewal call with the board")
    expect(anna.page.get_by_label("Location")).to_have_value("There")
    expect(anna.page.get_by_role("heading", name="Changed on both sides")).to_be_visible()
    anna.look("conflict")
    anna.page.get_by_role("button", name="Use the other value").click()
    expect(anna.page.get_by_label("Location")).to_have_value("Here")
    anna.synchronize()
    expect(anna.google.event("Renewal call with the board")).to_contain_text("Here")


def test_a_meeting_is_one_activity_for_everybody_who_synchronizes(arrive: Arrive, google: Emulator):
    anna = arrive("anna", connected=True, pictures_as="meeting-anna")
    anna.google.make_event("Kick-off", start="14:00", end="15:00", guests=("boris@northfold.example", MARIA))
    assert anna.synchronize() == {"Here": (1, 0, 0), "In Google": (0, 0, 0)}

    path = anna.open_activity("Kick-off")
    assert anna.participants() == ["Anna Berg", "Boris Novak"]
    expect(anna.other_guests().get_by_text(MARIA)).to_have_count(1)
    anna.look("participants")
    expect(anna.google.event("Kick-off").locator(f"[data-guest='{MARIA}']")).to_be_visible()
    anna.look("google", anna.google.page)

    boris = arrive("boris", pictures_as="meeting-boris")
    expect(boris.in_calendar("Kick-off")).to_have_count(0)
    boris.look("calendar-before")
    expect(boris.in_list("Kick-off")).to_have_count(0)
    expect(boris.in_search("Kick-off")).to_have_count(0)
    assert boris.is_refused(path)
    boris.look("refused")

    boris.connect_google()
    boris.set_up_synchronization()
    assert boris.synchronize() == {"Here": (1, 0, 0), "In Google": (0, 0, 0)}
    expect(boris.in_calendar("Kick-off")).to_have_count(1)
    boris.look("calendar-after")
    assert boris.open_activity("Kick-off") == path
    assert boris.participants() == ["Anna Berg", "Boris Novak"]
    boris.look("participants")

    anna.open_activity("Kick-off")
    anna.change("Location", "Room 2")
    assert anna.synchronize() == {"Here": (0, 0, 0), "In Google": (0, 1, 0)}
    expect(boris.google.event("Kick-off")).to_contain_text("Room 2")
    expect(boris.google.event("Kick-off").locator(f"[data-guest='{MARIA}']")).to_be_visible()
    boris.synchronize()
    assert boris.open_activity("Kick-off") == path
    expect(boris.page.get_by_label("Location")).to_have_value("Room 2")
    expect(boris.page.get_by_label("Location")).not_to_be_editable()


def test_deleting_the_account_asks_and_keeps_the_activities(arrive: Arrive, google: Emulator):
    anna = arrive("anna", connected=True, pictures_as="delete")
    anna.google.make_event("Dentist", start="12:00", end="12:30")
    anna.synchronize()

    anna.open_activities()
    anna.open_accounts()
    anna.delete_account()

    assert google.oauth.grants() == []
    expect(anna.in_calendar("Dentist")).to_have_count(1)
    expect(anna.google.event("Dentist")).to_be_visible()

    anna.connect_google()
    anna.set_up_synchronization()
    assert anna.synchronize() == NOTHING


def test_a_browsers_complaints_are_heard(arrive: Arrive):
    anna = arrive("anna", connected=True)
    anna.open_activities()
    with pytest.raises(Error):
        anna.google.page.goto("http://calendar.example/")
    anna.page.evaluate("console.warn('Something is deprecated.')")
    anna.page.evaluate("setTimeout(() => { throw new Error('Nobody catches this.') })")
    expect(anna.heading("Activities")).to_be_visible()

    heard = " ".join(anna.complaints)

    assert "http://calendar.example/" in heard
    assert "Something is deprecated." in heard
    assert "Nobody catches this." in heard
    anna.complaints.clear()
