"""A day in the section, as somebody new goes through it, at a desk and on a phone; without Google."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from openpyxl import load_workbook
from PIL import Image
from playwright.sync_api import expect

from accounts.models import User
from activities import services
from activities.models import Activity
from notices import reminders
from tests.factories import make_activity
from tests.journeys.pages import DESKTOP, PHONE, Colleague, today

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]

BOTH = pytest.mark.parametrize("window", [DESKTOP, PHONE], ids=["desktop", "phone"])
Arrive = Callable[..., Colleague]


@BOTH
def test_from_new_to_result_and_into_a_workbook(arrive: Arrive, window: dict[str, int]):
    anna = arrive("anna", connected=True, window=window)
    page = anna.page
    for kind, subject in (("Task", "Write the offer"), ("Call", "Call Lumen"), ("Meeting", "Kick-off")):
        anna.open_activities()
        page.locator("summary").filter(has_text="New").click()
        page.get_by_role("link", name=kind, exact=True).click()
        shown = page.get_by_label("Show in calendar")
        expect(shown).to_be_checked(checked=kind == "Meeting")
        page.get_by_label("Subject").fill(subject)
        page.get_by_label("Start", exact=True).fill(f"{today()}T13:00")
        page.get_by_label("Start", exact=True).blur()
        expect(page.get_by_label("Due", exact=True)).to_have_value(f"{today()}T13:30")
        anna.save()
        expect(anna.heading(subject)).to_be_visible()

    page.locator("summary[aria-label=Actions]").click()
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("status").filter(has_text="This is the copy.")).to_be_visible()
    anna.change("Subject", "Kick-off, second try")
    page.get_by_label("Status").select_option("completed")
    page.get_by_label("Result", exact=True).fill("Signed")
    anna.save()
    expect(page.get_by_label("Result", exact=True)).to_have_value("Signed")
    page.get_by_label("Status").select_option("not_started")
    anna.save()
    expect(page.get_by_label("Result", exact=True)).to_be_hidden()
    assert Activity.objects.get(subject="Kick-off, second try").result == ""

    # Filters live in the address: a bookmark brings them back, and the dashboards follow.
    anna.open_activities()
    page.get_by_label("Filter by text").fill("Kick-off")
    page.get_by_label("Filter by text").press("Enter")
    rows = page.get_by_role("row").filter(has=page.get_by_role("checkbox", name=re.compile("^Select Kick-off")))
    expect(rows).to_have_count(2)
    bookmark = page.url
    page.get_by_role("navigation", name="View").get_by_role("link", name="Dashboards").click()
    expect(page.get_by_role("region", name="By status")).to_contain_text("2 activities")
    anna.look("dashboards")
    page.goto(bookmark)
    expect(rows).to_have_count(2)

    for subject in ("Kick-off", "Kick-off, second try"):
        page.get_by_role("checkbox", name=f"Select {subject}", exact=True).check()
    expect(page.get_by_text("2 selected")).to_be_visible()
    small = page.get_by_label("Actions for the selected ones")
    if small.is_visible():
        small.click()
    with page.expect_download() as downloading:
        page.get_by_role("button", name=re.compile("Export")).locator("visible=true").click()
    table = load_workbook(io.BytesIO(downloading.value.path().read_bytes())).active
    assert table is not None
    subjects = {row[0] for row in table.iter_rows(min_row=2, values_only=True)}
    assert subjects == {"Kick-off", "Kick-off, second try"}


@BOTH
def test_the_shell_from_the_bell_to_the_profile_and_out(arrive: Arrive, window: dict[str, int]):
    profile = User.objects.get(username="anna").profile
    soon = timezone.now().replace(microsecond=0) + timedelta(minutes=10)
    review = make_activity(by=profile, subject="Proposal review", start=soon)
    services.set_reminder(activity=review, profile=profile, minutes=15, now=soon - timedelta(days=1))
    reminders.make(now=timezone.now())
    anna = arrive("anna", connected=True, window=window)
    page = anna.page

    page.goto("/profile/")
    page.locator("[data-bell] > summary").click()
    panel = page.locator("#bell-panel")
    panel.get_by_label("Postpone Proposal review by").select_option("1 hour")
    anna.look("bell")
    panel.get_by_role("button", name="Postpone Proposal review").click()
    expect(panel.get_by_text("Postponed until")).to_be_visible()
    page.keyboard.press("Escape")

    picture = io.BytesIO()
    Image.new("RGB", (80, 80), "navy").save(picture, "PNG")
    page.locator("input[type=file]").set_input_files(
        {"name": "anna.png", "mimeType": "image/png", "buffer": picture.getvalue()}
    )
    expect(page.get_by_text("anna.png – press Save")).to_be_visible()
    anna.save()
    expect(page.get_by_role("button", name="Remove", exact=True)).to_be_visible()
    photo = page.locator("#photo-shown img")
    assert photo.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0

    page.locator("summary").filter(has_text="Add").first.click()
    page.get_by_role("link", name="E-mail", exact=True).click()
    page.get_by_label("Address or number").fill("anna@home.example")
    anna.save()
    expect(page.get_by_role("link", name="Change anna@home.example")).to_be_visible()
    anna.look("profile")

    expect(anna.in_search("Proposal review")).to_be_visible()
    anna.open_menu("profile menu")
    page.get_by_role("button", name="Exit").click()
    expect(page.get_by_label("User name")).to_be_visible()
    page.goto("/activities/")
    expect(page.get_by_label("User name")).to_be_visible()
