"""What the scripts of the section do, in Chromium; and whether everybody can use its pages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.utils import timezone

from accounts.models import Profile
from activities.models import Activity, Participant, Tag
from tests import chromium
from tests.factories import make_activity, make_tag, make_user

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as monkeypatch, playwright.sync_playwright() as driver:
        monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright's loop runs in the thread of the tests.
        browser = driver.chromium.launch(executable_path=chromium.path(), args=chromium.FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Any, live_server: Any, anna: Profile) -> Iterator[Any]:
    """
    Open pages as Anna; whatever the console complains about fails, so the content policy is kept.

    That a form was refused (422) Chromium writes there by itself.
    """
    client = Client()
    client.force_login(anna.user)
    name = django_settings.SESSION_COOKIE_NAME
    complaints: list[str] = []
    contexts = []

    def open_page(address: str, **options: Any) -> Any:
        context = browser.new_context(
            base_url=live_server.url, **{"viewport": {"width": 1440, "height": 900}, **options}
        )
        context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": live_server.url}])
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda line: complaints.append(line.text) if is_complaint(line) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def is_complaint(line: Any) -> bool:
    return line.type in ("error", "warning") and "status of 422" not in line.text


@pytest.fixture
def week(anna: Profile, boris: Profile) -> Activity:
    """A week with one of everything; returns a meeting of Boris in which Anna takes part."""
    noon = timezone.now().replace(hour=12, minute=0, second=0, microsecond=0)
    shown = {"show_in_calendar": True}
    make_activity(by=anna, subject="Overlapping", start=noon + timedelta(minutes=30), **shown)
    make_activity(by=anna, subject="Done", start=noon - timedelta(hours=3), status="completed", **shown)
    make_activity(by=boris, subject="Hidden", start=noon + timedelta(hours=3), is_private=True, **shown)
    today = noon.date()
    make_activity(by=anna, subject="Fair", days=(today, today), **shown)
    meeting = make_activity(
        by=boris, subject="Quarterly review", start=noon, participants=[anna], category="meeting",
        notes="<b>Agenda</b>", other_guests=[{"name": "Ida", "email": "ida@x.example", "response": "accepted"}],
        tags=[make_tag("Key account", owner=anna), make_tag("Q4", kind=Tag.Kind.CORPORATE)],
    )  # fmt: skip
    Participant.objects.create(activity=meeting, profile=make_user("clara").profile, displayed=False)
    return meeting


def top_and_height(locator: Any) -> tuple[float, float]:
    box = locator.bounding_box()
    return box["y"], box["height"]


def test_without_a_script_every_day_is_a_list(open_page, week):
    page = open_page("/activities/", java_script_enabled=False)
    first = page.locator(".event").filter(has_text="Quarterly review")
    second = page.locator(".event").filter(has_text="Overlapping")
    (top, height), (second_top, _height) = top_and_height(first), top_and_height(second)
    assert second_top >= top + height


def test_the_list_is_filtered_sorted_and_changed_and_everybody_can_use_what_it_asks(open_page, week):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()

    def look(page):
        """Everything in the light, and in the dark what can differ there."""
        for scheme, rules in (("light", RULES), ("dark", ["color-contrast"])):
            page.emulate_media(color_scheme=scheme)
            found = axe.run(page, options={"runOnly": rules})
            assert found.violations_count == 0, f"{page.url} {scheme}\n{found.generate_report()}"

    page = open_page("/activities/?view=list", reduced_motion="reduce")  # Colors change at once.
    page.get_by_label("Show canceled").check()
    page.wait_for_url("**show_canceled=1**")
    assert "view=list" in page.url
    page.get_by_role("button", name="Subject").click()
    expect(page.get_by_role("columnheader", name="Subject")).to_have_attribute("aria-sort", "ascending")
    assert "show_canceled=1" in page.url

    page.locator("summary", has_text="Columns").click()
    page.get_by_label("Select Fair").check()
    expect(page.get_by_text("1 selected")).to_be_visible()
    look(page)
    page.keyboard.press("Escape")
    listed = page.url
    for name in ("Add tag", "Change status", "Delete"):
        page.goto(listed)
        page.get_by_label("Select Fair").check()
        page.get_by_role("button", name=name, exact=True).click()
        expect(page.get_by_role("link", name="Cancel")).to_be_visible()
        look(page)

    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(listed)
    assert page.locator(".bulk").bounding_box()["height"] < 60  # Pixels: one line.
    page.get_by_label("Select Fair").check()
    page.locator(".bulk summary", has_text="Actions").click()
    look(page)
    page.get_by_role("button", name="Change status").click()
    page.get_by_label("Status").select_option("completed")
    page.get_by_role("button", name="Change status").click()
    expect(page.get_by_text("1 activity has the status “Completed” now.")).to_be_visible()

    page.get_by_label("Filter by text").fill("nothing like it")
    page.get_by_label("Filter by text").press("Enter")
    expect(page.get_by_text("There are no records matching the filter criteria.")).to_be_visible()
    look(page)
    page.get_by_role("link", name="Clear the filters").click()
    expect(page.get_by_role("link", name="Fair")).to_be_visible()


def test_moving_start_keeps_the_duration_on_the_page(open_page, anna):
    page = open_page("/activities/new/?start=2026-03-11T13:30")
    start, due = page.get_by_label("Start", exact=True), page.get_by_label("Due", exact=True)
    expect(due).to_have_value("2026-03-11T14:00")

    due.fill("2026-03-11T15:00")
    due.blur()
    start.fill("2026-03-12T23:00")
    start.blur()
    expect(due).to_have_value("2026-03-13T00:30")


def test_all_day_asks_for_days(open_page, anna):
    page = open_page("/activities/new/?start=2026-03-11T13:30")
    expect(page.get_by_label("First day")).to_be_hidden()

    page.get_by_label("All day").check()
    expect(page.get_by_label("Start", exact=True)).to_be_hidden()
    expect(page.get_by_label("First day")).to_have_value("2026-03-11")
    page.get_by_label("Last day").fill("2026-03-12")
    page.get_by_label("Subject").fill("Fair")
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Fair")
    activity = Activity.objects.get()
    assert (activity.all_day, str(activity.start_date), str(activity.due_date)) == (True, "2026-03-11", "2026-03-12")


def test_a_meeting_ticks_show_in_calendar_and_a_person_may_untick_it(open_page, anna):
    page = open_page("/activities/new/")
    page.get_by_label("Category").select_option("meeting")
    expect(page.get_by_label("Show in calendar")).to_be_checked()

    page.get_by_label("Show in calendar").uncheck()
    page.get_by_label("Subject").fill("Quiet meeting")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Quiet meeting")
    assert not Activity.objects.get().show_in_calendar


def test_one_tab_at_a_time_and_the_address_says_which(open_page, week):
    page = open_page(f"/activities/{week.pk}/#participants")
    tabs = page.get_by_role("navigation", name="Tabs")
    expect(tabs.get_by_role("link", name="Participants")).to_have_attribute("aria-current", "true")
    expect(page.get_by_text("Not synchronized yet")).to_be_visible()

    tabs.get_by_role("link", name="Feed").click()
    expect(page.get_by_text("made this activity")).to_be_visible()
    expect(page.get_by_text("Not synchronized yet")).to_be_hidden()
    assert page.url.endswith("#feed")


def test_ones_answer_is_given_by_a_button(open_page, week, anna):
    page = open_page(f"/activities/{week.pk}/#participants")
    page.get_by_role("button", name="Maybe").click()
    expect(page.get_by_role("button", name="Maybe")).to_have_attribute("aria-pressed", "true")
    assert week.participants.get(profile=anna).response == "tentative"


def test_typing_finds_tags_and_names_the_new_one(open_page, week):
    page = open_page(f"/activities/{week.pk}/")
    make_tag("Website", kind=Tag.Kind.PUBLIC)
    page.reload()
    page.get_by_role("link", name="Tags").click()
    dialog = page.get_by_role("dialog", name="Tags")
    name = dialog.get_by_label("Find or make a tag")
    expect(name).to_be_focused()
    expect(dialog.get_by_role("button", name="Public tag: Website")).to_be_visible()

    name.fill("Q2")
    expect(dialog.get_by_role("button", name="Public tag: Website")).to_be_hidden()
    dialog.get_by_role("button", name="New private tag “Q2”").click()
    expect(dialog.get_by_role("button", name="Remove tag Q2")).to_be_visible()  # It has opened again.

    name.fill("web")
    name.press("Enter")
    expect(dialog.get_by_role("button", name="Remove tag Website")).to_be_visible()
    assert set(week.tags.values_list("name", flat=True)) == {"Key account", "Q4", "Q2", "Website"}


def test_enter_with_nothing_typed_puts_no_tag_on(open_page, week):
    make_tag("A first offer", kind=Tag.Kind.CORPORATE)
    page = open_page(f"/activities/{week.pk}/?tags=1")
    name = page.get_by_label("Find or make a tag")
    name.press("Enter")
    expect(name).to_be_focused()
    assert set(week.tags.values_list("name", flat=True)) == {"Key account", "Q4"}


def test_without_a_script_the_tags_are_in_reach_and_enter_takes_what_is_typed(open_page, week):
    make_tag("A first offer", kind=Tag.Kind.CORPORATE)
    page = open_page(f"/activities/{week.pk}/", java_script_enabled=False)
    page.get_by_role("link", name="Tags").click()
    page.get_by_label("Find or make a tag").fill("Mine")
    page.get_by_role("button", name="New private tag").click(trial=True)  # Nothing lies over it.
    page.get_by_label("Find or make a tag").press("Enter")
    expect(page.get_by_role("button", name="Remove tag Mine")).to_be_visible()
    assert set(week.tags.values_list("name", flat=True)) == {"Key account", "Q4", "Mine"}


@pytest.mark.parametrize("width", [1440, 390])
def test_a_subject_without_a_space_breaks(open_page, anna, width):
    activity = make_activity(by=anna, subject="x" * 1000)
    page = open_page(f"/activities/{activity.pk}/", viewport={"width": width, "height": 844})
    for address in (f"/activities/{activity.pk}/", "/activities/?view=list&period=any"):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("h1, .scroll-x").evaluate_all("all => all.every(one => one.scrollWidth <= one.clientWidth)")
        assert page.get_by_text("xxx").first.bounding_box()["height"] < 100  # Pixels: three lines at most.


def test_delete_asks_in_a_dialog(open_page, anna):
    activity = make_activity(by=anna)
    page = open_page(f"/activities/{activity.pk}/")
    for button, is_there in (("Cancel", True), ("Delete", False)):
        page.locator("summary[aria-label=Actions]").click()
        page.get_by_role("link", name="Delete…").click()
        page.get_by_role("dialog").get_by_role("button", name=button).click()
        if is_there:
            expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_role("heading", level=1)).to_have_text("Activities")
    assert not Activity.objects.present().exists()


def test_leaving_with_something_typed_asks(open_page, week):
    page = open_page(f"/activities/{week.pk}/")
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.get_by_label("Subject").fill("Half a thought")
    page.get_by_role("link", name="Activities").first.click()

    expect(page.get_by_label("Subject")).to_have_value("Half a thought")
    assert asked == ["beforeunload"]


def addresses(week: Activity, people: list[Profile]) -> list[str]:
    return [
        "/activities/?" + "&".join(f"employee={one.pk}" for one in people),
        "/activities/?view=list&show_canceled=1",
        "/activities/?view=dashboards&employee=all",
        "/activities/new/",
        f"/activities/{week.pk}/",
        f"/activities/{week.pk}/#participants",
        f"/activities/{week.pk}/#attachments",
        f"/activities/{week.pk}/?tags=1",
        f"/activities/{week.pk}/delete/",
    ]


@pytest.mark.timeout(180)  # Five pages, each looked through by axe.
def test_everybody_can_use_the_pages_with_one_of_everything_on_them(open_page, week, boris, anna):
    """Those on which it shows; each page in both themes and sizes: tests/project/test_every_page_in_browser.py."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    rules = {"runOnly": RULES}
    page = open_page("/activities/", viewport={"width": 1440, "height": 844}, color_scheme="dark")
    as_with_little = ("dashboards", "/new/", "#attachments", "/delete/")
    for address in (one for one in addresses(week, [anna, boris]) if not any(part in one for part in as_with_little)):
        page.goto("about:blank")  # So that an address that differs in its part alone is loaded, too.
        page.goto(address)
        found = axe.run(page, options=rules)
        assert found.violations_count == 0, f"{address}\n{found.generate_report()}"


def test_nothing_scrolls_sideways_on_a_narrow_phone(open_page, week, boris, anna):
    page = open_page("/activities/", viewport={"width": 320, "height": 700})
    for address in addresses(week, [anna, boris]):
        page.goto("about:blank")
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, address
