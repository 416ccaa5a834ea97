"""Somebody new makes a meeting that repeats, changes and deletes parts of it, in Chromium, at a desk and on a phone."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from activities import series
from activities.models import Activity

from .test_in_browser import browser, open_page  # noqa: F401 - fixtures

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.rule("R15")]

AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
ADDRESS = re.compile(r"/activities/\d+/(#.*)?$")


def check(page: Any, *, width: int) -> None:
    """Nothing scrolls sideways, and axe finds nothing."""
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page, options=AXE)
    assert found.violations_count == 0, found.generate_report()


def save(page: Any) -> None:
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#toasts .toast")).to_be_visible()


def chosen(where: Any, name: str) -> Any:
    """Return the choice of how much of a series is meant; that of a closed dialog has no role."""
    return where.get_by_role("radio", name=name, exact=True)


def subjects() -> list[str]:
    return list(Activity.objects.present().order_by("start").values_list("subject", flat=True))


@pytest.mark.timeout(300)  # Five pages, each looked through by axe.
@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_a_weekly_meeting_from_the_first_to_the_last(open_page, anna, width, scheme):  # noqa: F811
    page = open_page(
        "/activities/new/?category=meeting&calendar=1&start=2026-03-11T13:30",
        viewport={"width": width, "height": 844},
        color_scheme=scheme,
    )
    page.get_by_label("Subject").fill("Stand-up")
    repeat = page.get_by_label("Repeat", exact=True)
    expect(page.get_by_text("Every how many")).to_be_hidden()

    repeat.select_option("weekly")
    expect(
        page.get_by_role("checkbox", name="Wed", exact=True)
    ).to_be_checked()  # The day of the start, which it follows.
    page.get_by_label("Start", exact=True).fill("2026-03-09T09:00")
    page.get_by_label("Start", exact=True).blur()
    expect(page.get_by_role("checkbox", name="Mon", exact=True)).to_be_checked()
    expect(page.get_by_role("checkbox", name="Wed", exact=True)).not_to_be_checked()
    expect(repeat.locator("option[value=monthly_weekday]")).to_have_text("Monthly on the second Monday")
    page.get_by_label("Ends").select_option("after")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Enter a whole number from 1 to 9999.")).to_be_visible()
    expect(page.get_by_label("How many times")).to_be_focused()
    check(page, width=width)

    page.get_by_label("How many times").fill("5")
    save(page)
    expect(page.get_by_text("Every week on Monday, 5 times", exact=True)).to_be_visible()
    expect(page.get_by_text("Occurrence 1 of 5")).to_be_visible()
    check(page, width=width)

    page.get_by_role("link", name="All occurrences").click()
    expect(page.get_by_role("link", name="Stand-up")).to_have_count(5)
    check(page, width=width)
    page.get_by_role("link", name="Stand-up").nth(1).click()
    expect(page.get_by_text("Occurrence 2 of 5")).to_be_visible()

    page.get_by_label("Subject").fill("Retro")
    save(page)
    assert subjects() == ["Stand-up", "Retro", "Stand-up", "Stand-up", "Stand-up"]

    page.get_by_label("Location").fill("Room 4")
    chosen(page, "All").check()
    save(page)
    assert set(Activity.objects.values_list("location", flat=True)) == {"Room 4"}

    page.get_by_label("Subject").fill("Planning")
    every = page.get_by_role("spinbutton", name="Every how many weeks", exact=True)
    every.fill("2")
    every.blur()
    expect(chosen(page, "This one")).to_be_disabled()  # How it repeats is nothing of one occurrence.
    expect(chosen(page, "This and following")).to_be_checked()
    save(page)
    expect(page.get_by_text("Every 2 weeks on Monday, 4 times", exact=True)).to_be_visible()
    assert subjects() == ["Stand-up", "Planning", "Planning", "Planning", "Planning"]

    page.get_by_role("link", name="All occurrences").click()
    page.get_by_role("link", name="Planning").nth(2).click()
    page.locator("summary[aria-label=Actions]").click()
    page.get_by_role("link", name="Delete…").click()
    dialog = page.get_by_role("dialog")
    check(page, width=width)
    chosen(dialog, "This and following").check()
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Activities")
    assert subjects() == ["Stand-up", "Planning", "Planning"]


def test_one_occurrence_moves_to_another_day_and_its_series_does_not(open_page, anna):  # noqa: F811
    page = open_page("/activities/new/?start=2026-03-09T09:00")
    page.get_by_label("Subject").fill("Stand-up")
    page.get_by_label("Repeat", exact=True).select_option("weekly")
    page.get_by_label("Ends").select_option("after")
    page.get_by_label("How many times").fill("3")
    save(page)
    page.get_by_role("link", name="All occurrences").click()
    page.get_by_role("link", name="Stand-up").nth(1).click()
    start = page.get_by_label("Start", exact=True)

    start.fill("2026-03-17T09:00")
    start.blur()

    monday, tuesday = (page.get_by_role("checkbox", name=day, exact=True) for day in ("Mon", "Tue"))
    expect(chosen(page, "This one")).to_be_checked()
    expect(chosen(page, "This one")).to_be_enabled()
    expect(monday).to_be_checked()
    chosen(page, "All").check()  # Of all of them the day of the week moves along.
    expect(tuesday).to_be_checked()
    expect(monday).not_to_be_checked()
    chosen(page, "This one").check()
    expect(monday).to_be_checked()
    expect(tuesday).not_to_be_checked()
    save(page)
    assert [start.day for start in Activity.objects.order_by("start").values_list("start", flat=True)] == [9, 17, 23]

    page.get_by_role("link", name="All occurrences").click()
    page.get_by_role("link", name="Stand-up").first.click()
    chosen(page, "All").check()
    page.get_by_label("Start", exact=True).fill("2026-03-11T09:00")
    save(page)
    expect(page.get_by_text("Every week on Wednesday, 3 times", exact=True)).to_be_visible()
    assert [start.day for start in Activity.objects.order_by("start").values_list("start", flat=True)] == [11, 17, 25]


def test_without_a_script_everything_stands_there_and_works(open_page, anna):  # noqa: F811
    page = open_page("/activities/new/?start=2026-03-09T09:00", java_script_enabled=False)
    page.get_by_label("Subject").fill("Stand-up")
    page.get_by_label("Repeat", exact=True).select_option("weekly")
    page.get_by_label("Ends").select_option("on")
    page.get_by_label("Repeats until").fill("2026-03-23")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Occurrence 1 of 3")).to_be_visible()
    first = Activity.objects.earliest("start")
    assert first.series is not None
    assert first.series.recurrence == ["RRULE:FREQ=WEEKLY;BYDAY=MO;UNTIL=20260323T235959Z"]

    every = page.get_by_role("spinbutton", name="Every how many weeks", exact=True)
    every.fill("2")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("How it repeats is nothing of one occurrence.")).to_be_visible()
    expect(every).to_have_value("2")
    chosen(page, "All").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Occurrence 1 of 2")).to_be_visible()


def test_who_puts_the_rule_back_saves_for_one_again(open_page, anna):  # noqa: F811
    head = series.create(
        by=anna,
        subject="Stand-up",
        lines=["RRULE:FREQ=DAILY;COUNT=3"],
        now=anna.user.date_joined,
        start=anna.user.date_joined,
        due=anna.user.date_joined + timedelta(hours=1),
    )
    page = open_page(f"/activities/{head.pk}/")
    expect(page).to_have_url(ADDRESS)
    page.get_by_label("Repeat", exact=True).select_option("yearly")
    expect(chosen(page, "This one")).to_be_disabled()
    page.get_by_label("Repeat", exact=True).select_option("daily")
    expect(chosen(page, "This one")).to_be_enabled()
    expect(chosen(page, "This one")).to_be_checked()
    page.get_by_label("Repeat", exact=True).select_option("")
    expect(page.get_by_text("This one stays, all others are deleted.")).to_be_visible()
    save(page)
    assert Activity.objects.present().get().series is None
