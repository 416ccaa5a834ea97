"""The calendar as a person uses it, in Chromium: dragging, selecting, the mini page, keys, a phone; and with axe."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from accounts.models import Profile
from activities import series
from activities.models import Activity, Participant
from tests.factories import MONDAY_NINE, make_activity

from .test_in_browser import browser, open_page  # noqa: F401 - fixtures

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
WEEK = "/activities/?view=calendar&date=2026-03-11&show=week"
SHOWN = {"show_in_calendar": True}
HOUR = 52  # Pixels, at a scale of 30 minutes.


def entry(page: Any, subject: str) -> Any:
    return page.locator(".grid a.entry").filter(has_text=subject)


def ready(page: Any) -> Any:
    expect(page.get_by_role("region", name="Days and hours")).to_have_attribute("aria-busy", "false")
    return page


def drag(page: Any, what: Any, *, days: int = 0, minutes: int = 0, edge: bool = False) -> None:
    """Drag an entry of a week, or its lower edge, by whole days and minutes."""
    box, column = what.bounding_box(), page.locator(".fc-timegrid-col[data-date]").first.bounding_box()["width"]
    x, y = box["x"] + box["width"] / 2, box["y"] + (box["height"] - 3 if edge else box["height"] / 2)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 4, y + 6, steps=2)
    page.mouse.move(x + days * column, y + minutes * HOUR / 60 + (0 if edge else 1), steps=6)
    page.mouse.up()


def times(activity: Activity) -> tuple[str, str]:
    activity.refresh_from_db()
    return f"{activity.start:%a %H:%M}", f"{activity.due:%a %H:%M}"


def said(page: Any, words: str) -> Any:
    return page.locator("#toasts .toast").filter(has_text=words)


def test_dragging_moves_an_edge_resizes_and_both_are_taken_back(open_page, anna):  # noqa: F811
    activity = make_activity(by=anna, subject="Lunch", start=MONDAY_NINE + timedelta(hours=3), **SHOWN)
    page = ready(open_page(WEEK))

    drag(page, entry(page, "Lunch"), days=2, minutes=60)
    expect(said(page, "Wed 11 Mar 2026, 13:00 – 14:00")).to_be_visible()
    assert times(activity) == ("Wed 13:00", "Wed 14:00")
    ready(page)
    drag(page, entry(page, "Lunch"), minutes=30, edge=True)
    expect(said(page, "13:00 – 14:30")).to_be_visible()
    assert times(activity) == ("Wed 13:00", "Wed 14:30")

    said(page, "13:00 – 14:30").get_by_role("button", name="Undo").click()
    expect(said(page, "Taken back.")).to_be_visible()
    assert times(activity) == ("Wed 13:00", "Wed 14:00")
    said(page, "13:00 – 14:00").get_by_role("button", name="Undo").click()
    expect(entry(page, "Lunch")).to_contain_text("12:00 – 13:00")
    assert times(activity) == ("Mon 12:00", "Mon 13:00")


def test_what_takes_days_keeps_its_times_and_what_has_times_keeps_them_in_a_month(open_page, anna):  # noqa: F811
    evening = MONDAY_NINE + timedelta(hours=13, minutes=30)
    train = make_activity(by=anna, subject="Train", start=evening, due=evening + timedelta(hours=32), **SHOWN)
    lunch = make_activity(by=anna, subject="Lunch", start=MONDAY_NINE + timedelta(hours=3), **SHOWN)
    page = ready(open_page(WEEK))
    drag(page, entry(page, "Train"), days=1)
    expect(said(page, "Tue 10 Mar 2026, 22:30 – Thu 12 Mar 2026, 06:30")).to_be_visible()
    assert times(train) == ("Tue 22:30", "Thu 06:30")

    page.keyboard.press("m")
    ready(page)
    entry(page, "Lunch").drag_to(page.locator(".fc-daygrid-day[data-date='2026-03-19']"))
    expect(said(page, "Thu 19 Mar 2026, 12:00 – 13:00")).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/calendar/new/" in request.url else None)
    page.locator(".fc-daygrid-day[data-date='2026-03-26']").click()
    mini = page.get_by_role("dialog", name="New activity")
    expect(mini.get_by_label("First day")).to_have_value("2026-03-26")
    day, covered = page.locator(".fc-daygrid-day[data-date='2026-03-03']").bounding_box(), mini.bounding_box()
    assert day["x"] + day["width"] < covered["x"]
    page.mouse.click(day["x"] + day["width"] / 2, day["y"] + day["height"] / 2)
    expect(mini).to_be_hidden()  # A press beside it closes it, and no more.
    page.wait_for_timeout(300)  # Milliseconds, in which a second one would have been asked for.
    assert len(asked) == 1
    assert times(lunch) == ("Thu 12:00", "Thu 13:00")


@pytest.mark.rule("R6")
def test_a_refused_move_jumps_back_and_says_why(open_page, anna, boris, closed_to_anna):  # noqa: F811
    activity = make_activity(by=boris, subject="Lunch", participants=[anna], **SHOWN)
    page = ready(open_page(WEEK))
    before = entry(page, "Lunch").bounding_box()

    drag(page, entry(page, "Lunch"), days=1)
    expect(said(page, closed_to_anna)).to_be_visible()
    ready(page)
    assert entry(page, "Lunch").bounding_box() == before
    assert times(activity) == ("Mon 09:00", "Mon 10:00")


@pytest.mark.rule("R15")
def test_dragging_a_repeating_one_asks_for_which(open_page, anna):  # noqa: F811
    series.create(
        by=anna, subject="Stand-up", lines=["RRULE:FREQ=DAILY;COUNT=3"], now=MONDAY_NINE, start=MONDAY_NINE,
        due=MONDAY_NINE + timedelta(hours=1), **SHOWN,
    )  # fmt: skip
    page = ready(open_page(WEEK))
    asked = page.get_by_role("dialog", name="Move a repeating activity")

    drag(page, entry(page, "Stand-up").nth(1), minutes=120)
    asked.get_by_role("button", name="Cancel").click()
    expect(entry(page, "Stand-up").nth(1)).to_contain_text("09:00")

    drag(page, entry(page, "Stand-up").nth(1), minutes=120)
    asked.get_by_role("radio", name="This and following").check()
    asked.get_by_role("button", name="Move").click()
    expect(said(page, "all that follow")).to_be_visible()
    hours = [start.hour for start in Activity.objects.order_by("start").values_list("start", flat=True)]
    assert hours == [9, 11, 11]


def test_a_free_range_opens_the_mini_page_and_what_it_makes_shows(open_page, anna):  # noqa: F811
    page = ready(open_page(WEEK))
    column = page.locator(".fc-timegrid-col[data-date='2026-03-12']").bounding_box()
    eleven = page.locator("[data-time='11:00:00'].fc-timegrid-slot-lane").bounding_box()
    x, y = column["x"] + column["width"] / 2, eleven["y"] + 5
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + HOUR, steps=6)
    page.mouse.up()

    mini = page.get_by_role("dialog", name="New activity")
    expect(mini.get_by_label("Start", exact=True)).to_have_value("2026-03-12T11:00")
    expect(mini.get_by_label("Due", exact=True)).to_have_value("2026-03-12T12:30")
    mini.get_by_role("button", name="Save").click()
    expect(mini.get_by_text("Enter a subject.")).to_be_visible()
    mini.get_by_label("Subject").fill("Lunch with Ida")
    mini.get_by_role("button", name="Save").click()
    expect(said(page, "Created “Lunch with Ida”.")).to_be_visible()
    expect(entry(page, "Lunch with Ida")).to_have_count(1)
    assert Activity.objects.get().show_in_calendar

    entry(page, "Lunch with Ida").click()
    shown = page.get_by_role("dialog", name="Lunch with Ida")
    shown.get_by_role("button", name="Complete activity").click()
    shown.get_by_role("textbox", name="Result", exact=True).fill("Sold")
    shown.locator("#mini-complete").get_by_role("button", name="Complete activity").click()
    expect(said(page, "Completed “Lunch with Ida”.")).to_be_visible()
    expect(entry(page, "Lunch with Ida")).to_have_attribute("data-tone", "final")
    assert (Activity.objects.get().status, Activity.objects.get().result) == ("completed", "Sold")

    entry(page, "Lunch with Ida").dblclick()
    expect(page.get_by_role("heading", level=1)).to_have_text("Lunch with Ida")


def test_everything_works_by_keyboard(open_page, anna):  # noqa: F811
    make_activity(by=anna, subject="Lunch", **SHOWN)
    page = ready(open_page(WEEK))
    heading = page.locator("#range")
    for key, words in (
        ("j", "16 – 22 March 2026"), ("ArrowLeft", "9 – 15 March 2026"), ("m", "March 2026"), ("w", "2026"),
        ("f", "2026"), ("d", "2026"), ("a", "2026"),
    ):  # fmt: skip
        page.keyboard.press(key)
        expect(heading).to_contain_text(words)
    expect(page.get_by_role("link", name="Agenda")).to_have_attribute("aria-current", "true")
    assert "show=agenda" in page.url
    expect(page.get_by_role("link", name=re.compile("^Lunch, Mon 9 Mar"))).to_be_visible()

    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("link", name=re.compile("^Lunch")).focus()
    page.keyboard.press("Space")
    mini = page.get_by_role("dialog", name="Lunch")
    expect(mini.get_by_role("heading", name="Lunch")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name=re.compile("^Lunch"))).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Lunch")


def test_what_acts_as_a_button_is_one_and_more_leads_to_its_list_and_back(open_page, anna):  # noqa: F811
    for number in range(9):
        make_activity(by=anna, subject=f"Task {number}", start=MONDAY_NINE + timedelta(hours=number), **SHOWN)
    page = ready(open_page("/activities/?view=calendar&date=2026-03-11&show=month"))
    scripted = page.locator("#calendar .grid a[tabindex]:not([href])")
    assert scripted.count() == page.locator("#calendar .grid a[role=button]").count() > 30
    more = page.get_by_role("button", name=re.compile(r"^\+ \d+ more, Monday,? 9 March$"))
    opened = page.get_by_role("dialog", name="9 March 2026")
    for key in ("Enter", "Space"):
        more.focus()
        page.keyboard.press(key)
        expect(opened.get_by_role("link", name=re.compile("^Task 0"))).to_be_focused()
        page.keyboard.press("Escape")
        expect(opened).to_have_count(0)
        expect(more).to_be_focused()
    more.click()
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page, options={"runOnly": [*AXE["runOnly"], "best-practice"]})
    assert found.violations_count == 0, found.generate_report()
    opened.get_by_role("button", name="Close").focus()
    page.keyboard.press("Enter")
    expect(more).to_be_focused()

    for key, day in (("Enter", "10"), ("Space", "12")):
        page.keyboard.press("m")
        ready(page)
        page.get_by_role("button", name=re.compile(f"day,? {day} March$")).focus()
        page.keyboard.press(key)
        expect(page.locator("#range")).to_have_text(f"{day} March 2026")


def test_the_address_and_the_toolbar_follow(open_page, anna, boris):  # noqa: F811
    page = ready(open_page(f"{WEEK}&employee={anna.pk}&employee={boris.pk}"))
    page.get_by_role("link", name="Next week").click()
    expect(page).to_have_url(re.compile("date=2026-03-16"))
    assert f"employee={boris.pk}" in page.url
    expect(page.get_by_role("navigation", name="View").get_by_role("link", name="List")).to_have_attribute(
        "href", re.compile("date=2026-03-16")
    )
    page.locator("summary").filter(has_text="View").click()
    page.get_by_role("button", name="15 minutes").click()
    expect(page.locator("#calendar")).to_have_attribute("data-scale", "15")
    assert "date=2026-03-16" in page.url
    expect(page.locator("#range")).to_have_text("16 – 22 March 2026")


def test_the_clock_is_that_of_the_profile_whatever_the_browsers_is(open_page, anna):  # noqa: F811
    anna.time_zone = "Asia/Tokyo"
    anna.save()
    activity = make_activity(by=anna, subject="Lunch", start=datetime.fromisoformat("2026-03-11T03:00Z"), **SHOWN)
    page = ready(open_page(WEEK, timezone_id="America/New_York"))
    expect(entry(page, "Lunch")).to_contain_text("12:00 – 13:00")
    drag(page, entry(page, "Lunch"), days=-1)
    expect(said(page, "Tue 10 Mar 2026, 12:00 – 13:00")).to_be_visible()
    assert times(activity) == ("Tue 03:00", "Tue 04:00")


@pytest.fixture
def full(anna: Profile, boris: Profile) -> None:
    """A week with one of everything."""
    guests = [{"name": "Ida", "email": "ida@x.example", "response": "accepted"}]
    make_activity(by=anna, subject="Overlapping", start=MONDAY_NINE + timedelta(minutes=30), **SHOWN)
    make_activity(by=anna, subject="Done", status="completed", start=MONDAY_NINE + timedelta(days=2), **SHOWN)
    make_activity(by=boris, subject="Hidden", is_private=True, start=MONDAY_NINE + timedelta(days=2, hours=2), **SHOWN)
    make_activity(by=anna, subject="Fair", days=(date(2026, 3, 10), date(2026, 3, 12)), **SHOWN)
    meeting = make_activity(
        by=boris, subject="Review", participants=[anna], start=MONDAY_NINE + timedelta(days=2, hours=4),
        category="meeting", other_guests=guests, **SHOWN,
    )  # fmt: skip
    Participant.objects.filter(activity=meeting, profile=anna).update(response="tentative")


@pytest.mark.timeout(180)  # Six pages, each looked through by axe.
@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_everybody_can_use_it_and_nothing_comes_from_elsewhere(
    open_page,  # noqa: F811
    full,
    live_server,
    anna,
    boris,
    width,
    scheme,
):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = open_page("/activities/", viewport={"width": width, "height": 844}, color_scheme=scheme)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).netloc))
    people = f"&employee={anna.pk}&employee={boris.pk}"
    for show in ("day", "week", "month", "agenda"):
        page.goto(f"/activities/?view=calendar&date=2026-03-11&show={show}{people}")
        expect(ready(page).get_by_role("link", name=re.compile("^Fair")).first).to_be_visible()
        found = axe.run(page, options=AXE)
        assert found.violations_count == 0, f"{show}\n{found.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("link", name=re.compile("^Review")).click()
    page.get_by_role("dialog").get_by_role("link", name="Edit").click()
    expect(page.get_by_role("dialog").get_by_label("Subject")).to_be_focused()
    found = axe.run(page, options=AXE)
    assert found.violations_count == 0, found.generate_report()
    assert set(asked) == {urlsplit(live_server.url).netloc}


def test_a_phone_shows_a_day_below_the_week_it_lies_in(open_page, full):  # noqa: F811
    page = ready(open_page("/activities/?date=2026-03-11", viewport={"width": 390, "height": 844}, has_touch=True))
    days = page.get_by_role("navigation", name="Days of the week")
    expect(entry(page, "Done")).to_be_visible()
    expect(entry(page, "Overlapping")).to_have_count(0)

    days.get_by_role("link", name="Monday 9 March").click()
    expect(entry(page, "Overlapping")).to_be_visible()
    entry(page, "Overlapping").tap()
    mini = page.get_by_role("dialog", name="Overlapping")
    expect(mini.get_by_role("button", name="Complete activity")).to_be_in_viewport()
    assert mini.bounding_box()["width"] == 390
