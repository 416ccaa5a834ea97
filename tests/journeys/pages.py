"""The pages as people use them: by what they read on buttons, links and fields."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, Request, expect

from tests.factories import PASSWORD

ZONE = "Europe/Stockholm"
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
THIS_MACHINE = {"localhost", "127.0.0.1"}
MOST_OF_A_SESSION = 40_000  # Milliseconds.

Counts = dict[str, tuple[int, int, int]]  # "Here" and "In Google": added, updated, removed.


def today() -> date:
    """Return the day it is where everybody in these tests works."""
    return datetime.now(UTC).astimezone(ZoneInfo(ZONE)).date()


class Colleague:
    """Somebody at work: a browser with a window for the product and one for Google's calendar."""

    def __init__(
        self, username: str, *, context: BrowserContext, google: str, folder: Path | None, pictures_as: str
    ) -> None:
        self.username = username
        self.address = f"{username}@northfold.example"
        self.complaints: list[str] = []
        self._expected: set[str] = set()
        self._context = context
        self._folder, self._pictures_as = folder, pictures_as
        self.listen_to(context)
        self.page: Page = context.new_page()
        self.google = GoogleCalendar(self, root=google)

    def listen_to(self, context: BrowserContext) -> None:
        """Take down what the tabs of a window complain about, until the end."""
        context.set_default_timeout(10_000)
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.complaints.append(f"A script failed: {error.error}"))
        context.on("request", self._see_request)

    def leave(self) -> None:
        self.google.leave()
        self._context.close()

    def look(self, name: str, page: Page | None = None) -> None:
        """Look at a page: nothing may stick out sideways. Keeps a picture of it if pictures are wanted."""
        page = page or self.page
        window = page.viewport_size or DESKTOP
        page.wait_for_load_state()  # A link just clicked: for a moment there is no document at all.
        wide = page.wait_for_function("document.documentElement?.scrollWidth").json_value()
        assert wide <= window["width"], f"{name} scrolls sideways"
        if self._folder:
            page.wait_for_load_state("networkidle")
            self._folder.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=self._folder / f"{self._pictures_as}-{name}.png", full_page=True)

    # --- Where one is

    def sign_in(self) -> None:
        self.page.goto("/")
        self.look("login")
        self.page.get_by_label("User name").fill(self.username)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Log in").click()
        expect(self.heading("Activities")).to_be_visible()

    def heading(self, name: str | re.Pattern[str]) -> Locator:
        return self.page.get_by_role("heading", level=1, name=name)

    def open_menu(self, name: str) -> None:
        self.page.locator("summary").filter(has_text=name).first.click()

    def open_activities(self, view: str = "list") -> None:
        """Open the section; its calendar takes a browser longest, and is for those who look at it."""
        self.page.goto(f"/activities/?view={view}")
        expect(self.heading("Activities")).to_be_visible()

    # --- Google account

    def open_accounts(self) -> None:
        self.open_menu("profile menu")
        self.page.get_by_role("link", name="Your profile").click()
        self.look("profile")
        self.page.get_by_role("link", name="Additional settings").click()
        self.look("additional-settings")
        self.page.get_by_role("link", name="Accounts in external resources").click()
        expect(self.heading("Accounts in external resources")).to_be_visible()

    def connect_google(self) -> None:
        """New → Google, in the tab that opens: choose the account and allow."""
        self.open_accounts()
        self.look("accounts-none")
        self.page.locator("summary").filter(has_text="New").click()
        with self._context.expect_page() as opened:
            self.page.get_by_role("link", name=re.compile("^Google")).click()
        tab = opened.value
        self._choose_account(tab)
        self.look("google-consent", tab)
        tab.get_by_role("button", name=re.compile("^(Allow|Continue)$")).click()
        expect(tab.get_by_role("heading", level=1, name="Connected")).to_be_visible()
        expect(tab.get_by_role("main")).to_contain_text(self.address)
        self.look("connected", tab)
        tab.close()
        self.page.bring_to_front()
        self.page.reload()
        expect(self.account_row()).to_contain_text("Connected")
        self.look("accounts")

    def _choose_account(self, tab: Page) -> None:
        another = tab.get_by_role("link", name="Use another account")
        if another.is_visible():  # Google suggests the corporate address.
            another.click()
        expect(tab.get_by_role("heading", level=1, name="Choose an account")).to_be_visible()
        self.look("google-choice", tab)
        tab.get_by_role("link", name=self.address).click()

    def account_row(self) -> Locator:
        return self.page.get_by_role("row").filter(has_text=self.address)

    def delete_account(self) -> None:
        """Delete, and say yes when asked."""
        self.account_row().get_by_role("link", name="Delete").click()
        question = self.page.get_by_role("alertdialog")
        expect(question).to_contain_text(f"Delete {self.address}?")
        self.look("delete-account")
        question.get_by_role("button", name="Keep account").click()
        expect(self.account_row()).to_be_visible()
        self.account_row().get_by_role("link", name="Delete").click()
        question.get_by_role("button", name="Delete").click()
        expect(self.page.get_by_text("No account yet").first).to_be_visible()
        self.look("accounts-deleted")

    # --- Synchronization

    def open_synchronize_menu(self) -> None:
        self.open_activities()
        self.open_menu("Actions")
        self.page.locator("summary").filter(has_text="Synchronize activities").last.click()

    def set_up_synchronization(self) -> None:
        """Actions → Synchronize activities → Set up…, look, and save."""
        self.open_synchronize_menu()
        self.look("menu")
        self.page.get_by_role("link", name="Set up…").click()
        expect(self.heading("Synchronization with Google Calendar")).to_be_visible()
        expect(self.page.get_by_label("Synchronize from")).to_have_value((today() - timedelta(days=7)).isoformat())
        self.look("set-up-first")
        self.page.get_by_role("button", name="Save").click()
        expect(self.page.get_by_role("button", name="Synchronize now")).to_be_visible()
        self.look("set-up")

    def preview(self, *items: str) -> None:
        """Set up… → Preview: it names these items, and nothing travels."""
        self.open_synchronize_menu()
        self.page.get_by_role("link", name="Set up…").click()
        self.page.get_by_role("link", name="Preview").click()
        planned = self.page.get_by_role("table", name="Preview of the next session")
        for item in items:
            expect(planned).to_contain_text(item)
        self.look("preview")

    def start_synchronization(self) -> None:
        """Actions → Synchronize activities → Synchronize now."""
        self.open_synchronize_menu()
        self.page.get_by_role("button", name="Synchronize now").click()

    def synchronize(self) -> Counts:
        """Synchronize now, and wait for what the page says in the end."""
        self.start_synchronization()
        return self.counts()

    def synchronize_on_set_up_page(self) -> Counts:
        """The same from the set-up page, which stays where it is."""
        self.open_synchronize_menu()
        self.page.get_by_role("link", name="Set up…").click()
        self.page.get_by_role("button", name="Synchronize now").click()
        expect(self.page.get_by_role("main")).to_contain_text("Synchronized. Here", timeout=MOST_OF_A_SESSION)
        expect(self.heading("Synchronization with Google Calendar")).to_be_visible()
        return self.counts("Counts of the latest session")

    def counts(self, table_name: str = "Counts of this session") -> Counts:
        """Return the six counts once the session that the page shows has ended well."""
        table = self.page.get_by_role("table", name=table_name)
        expect(table).to_be_visible(timeout=MOST_OF_A_SESSION)
        expect(self.page.get_by_role("main")).to_contain_text("Succeeded")
        rows = {}
        for side in ("Here", "In Google"):
            row = table.get_by_role("row").filter(has=self.page.get_by_role("rowheader", name=side, exact=True))
            added, updated, removed = (int(text) for text in row.get_by_role("cell").all_inner_texts())
            rows[side] = (added, updated, removed)
        return rows

    # --- Activities

    def make_task(self, subject: str, *, start: str, due: str, location: str = "") -> None:
        """New → Task, today from `start` to `due`, shown in the calendar. The times are the wall clock's."""
        self.open_activities()
        self.page.locator("summary").filter(has_text="New").click()
        self.page.get_by_role("link", name="Task", exact=True).click()
        self.page.get_by_label("Subject").fill(subject)
        self.page.get_by_label("Start", exact=True).fill(f"{today()}T{start}")
        self.page.get_by_label("Due", exact=True).fill(f"{today()}T{due}")
        self.page.get_by_label("Location").fill(location)
        self.page.get_by_label("Show in calendar").check()
        self.look("new-task")
        self.save()
        expect(self.heading(subject)).to_be_visible()

    def save(self) -> None:
        self.page.get_by_role("button", name="Save", exact=True).click()

    def title_in_google(self) -> str:
        """Follow the link of the activity that is open, and return the title that the tab at Google shows."""
        with self._context.expect_page() as opened:
            self.page.get_by_role("link", name=re.compile("^Open in Google")).click()
        title = opened.value.get_by_label("Title").input_value()
        opened.value.close()
        self.page.bring_to_front()
        return title

    def put_on_private_tag(self, name: str) -> None:
        """Tags → type a name → New private tag."""
        self.page.get_by_role("link", name=re.compile("^Tags")).click()
        tags = self.page.get_by_role("dialog", name="Tags")
        tags.get_by_label("Find or make a tag").fill(name)
        self.look("tags")
        tags.get_by_role("button", name=re.compile("New private tag")).click()
        expect(tags.get_by_role("button", name=f"Remove tag {name}")).to_be_visible()
        tags.get_by_role("link", name="Close").click()
        expect(self.page.get_by_role("main")).to_contain_text(name)

    def in_calendar(self, subject: str) -> Locator:
        """Open the calendar of this week and return the links to activities of this subject."""
        self.open_activities("calendar")
        region = self.page.get_by_role("region", name="Days and hours")
        expect(region).to_have_attribute("aria-busy", "false")
        return region.get_by_role("link", name=re.compile(re.escape(subject)))

    def in_list(self, subject: str) -> Locator:
        self.open_activities()
        expect(self.page.get_by_role("navigation", name="View").get_by_role("link", name="List")).to_have_attribute(
            "aria-current", "page"
        )
        return self.page.get_by_role("row").get_by_role("link", name=subject)

    def in_search(self, subject: str) -> Locator:
        search = self.page.get_by_role("searchbox", name="Search activities")
        search.fill(subject)
        search.press("Enter")
        expect(search).to_have_value(subject)
        return self.page.get_by_role("row").get_by_role("link", name=subject)

    def open_activity(self, subject: str) -> str:
        """Open it from the list; returns its path."""
        self.in_list(subject).click()
        expect(self.heading(subject)).to_be_visible()
        return urlsplit(self.page.url).path

    def change(self, label: str, value: str) -> None:
        """Change a field of the activity that is open, and save."""
        self.page.get_by_label(label, exact=True).fill(value)
        self.save()
        expect(self.page.get_by_role("status").filter(has_text="Saved.")).to_be_visible()

    def participants(self) -> list[str]:
        """Return the names on the tab Participants of the activity that is open."""
        self.page.get_by_role("navigation", name="Tabs").get_by_role("link", name=re.compile("^Participants")).click()
        table = self.page.get_by_role("table", name="Participants and their responses")
        expect(table).to_be_visible()
        names = table.get_by_role("rowheader").locator(".person > span:not(.avatar)").all_inner_texts()
        return sorted(name.splitlines()[0].removesuffix(" you").strip() for name in names)

    def other_guests(self) -> Locator:
        return self.page.get_by_role("heading", name="Other guests").locator("xpath=../following-sibling::ul[1]")

    def is_refused(self, path: str) -> bool:
        """Say whether an address leads to nothing that this person may see."""
        self._expected.add(path)
        answer = self.page.goto(path)
        expect(self.heading("There is nothing here")).to_be_visible()
        return answer is not None and answer.status == 404

    # --- What a browser complains about

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            path = urlsplit(message.location["url"]).path
            if not (path in self._expected and "404" in message.text):
                self.complaints.append(f"{message.location['url']}: {message.text}")

    def _see_request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob", "about") and address.hostname not in THIS_MACHINE:
            self.complaints.append(f"A request left this machine: {request.url}")

    def another_window(self) -> BrowserContext:
        browser = self._context.browser
        assert browser is not None
        return browser.new_context(viewport=self.page.viewport_size, timezone_id=ZONE, locale="en-US")


class GoogleCalendar:
    """
    Google's own page, in a window beside that of the product.

    Not in a tab of the same one: a browser lets the tab behind draw once a second, and a click waits for two pictures.
    """

    def __init__(self, owner: Colleague, *, root: str) -> None:
        self._owner, self._root = owner, root
        self._page: Page | None = None

    @property
    def page(self) -> Page:
        if self._page is None:
            context = self._owner.another_window()
            self._owner.listen_to(context)
            self._page = context.new_page()
        return self._page

    def leave(self) -> None:
        if self._page is not None:
            self._page.context.close()

    def open(self) -> Locator:
        """Open the page and return the part with the own calendar."""
        self._owner.page.wait_for_load_state()
        self.page.goto(f"{self._root}/")
        return self.page.locator(f"section[data-account='{self._owner.address}']")

    def event(self, title: str) -> Locator:
        """Return the events of this title in the own calendar."""
        return self.open().get_by_role("article").filter(has=self.page.get_by_role("link", name=title, exact=True))

    def make_event(self, title: str, *, start: str, end: str, guests: tuple[str, ...] = (), location: str = "") -> None:
        """Make an event today; the times are the wall clock's."""
        self.open().get_by_role("link", name="New event").click()
        self.page.get_by_label("Title").fill(title)
        for label, value in (("Start", start), ("End", end)):
            self.page.get_by_label(f"{label} date").fill(today().isoformat())
            self.page.get_by_label(f"{label} time").fill(value)
        self.page.get_by_label("Location").fill(location)
        self.page.get_by_label("Guests").fill(", ".join(guests))
        self._owner.look("google-new-event", self.page)
        self._save()

    def change(self, title: str, label: str, value: str) -> None:
        """Change a field of an event."""
        self.event(title).get_by_role("link", name=title, exact=True).click()
        self.page.get_by_label(label).fill(value)
        self._save()

    def _save(self) -> None:
        self.page.get_by_role("button", name="Save").click()
        expect(self.page.get_by_role("link", name="New event").first).to_be_visible()
