"""Every word of the pages goes through translation, and German has them all."""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import polib
import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone, translation
from django.utils.translation import template as templates

from accounts.models import Profile
from activities.models import Activity
from creatio_sync.templatetags import words
from tests.activities.test_form import opened
from tests.factories import PASSWORD, make_activity, make_user
from tests.google import sync_tag
from tests.sync.pages import make_calendar, make_outcome, make_session

CATALOG = Path(settings.BASE_DIR) / "locale/de/LC_MESSAGES/django.po"
APPS = ("accounts", "activities", "creatio_sync", "notices", "sync")
MARKERS = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy", "pgettext"}
PLACEHOLDERS = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w+\}|</?\w+>")


def words_of_sources() -> set[str]:
    found = set()
    root = Path(settings.BASE_DIR)
    for path in [path for app in APPS for path in (root / app).rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MARKERS:
                said = node.args[1 if node.func.id == "pgettext" else 0]
                if isinstance(said, ast.Constant):
                    found.add(said.value)
    call = re.compile(r"""\b(?:_|n?gettext)\(u?("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")
    for path in (root / "templates").rglob("*.html"):
        found |= {ast.literal_eval(text) for text in call.findall(templates.templatize(path.read_text()))}
    return found - {""}


def test_german_has_every_word():
    catalog = {entry.msgid: entry for entry in polib.pofile(str(CATALOG)) if not entry.obsolete}

    assert sorted(words_of_sources() - catalog.keys()) == []
    assert [msgid for msgid, entry in catalog.items() if entry.fuzzy or not entry.translated()] == []


def test_german_has_no_word_that_nobody_says():
    catalog = {entry.msgid for entry in polib.pofile(str(CATALOG))}

    assert sorted(catalog - words_of_sources()) == []


def test_what_stands_for_a_value_stands_in_the_translation():
    for entry in polib.pofile(str(CATALOG)):
        said, german = entry.msgid_plural or entry.msgid, entry.msgstr_plural.get(1, entry.msgstr)
        assert sorted(PLACEHOLDERS.findall(german)) == sorted(PLACEHOLDERS.findall(said)), said
        of_one = entry.msgstr_plural.get(0, "")
        assert set(PLACEHOLDERS.findall(of_one)) <= set(PLACEHOLDERS.findall(said)), said


def test_the_compiled_catalog_is_that_of_the_words():
    """The pages read the compiled one, and a fresh machine has no tool to make it."""
    compiled = {
        entry.msgid: (entry.msgstr, entry.msgstr_plural) for entry in polib.mofile(str(CATALOG.with_suffix(".mo")))
    }
    written = {entry.msgid: (entry.msgstr, entry.msgstr_plural) for entry in polib.pofile(str(CATALOG))}

    assert compiled == written


@pytest.mark.parametrize(
    ("stored", "german"),
    [
        ("Show in calendar is off.", "Im Kalender anzeigen ist ausgeschaltet."),
        ("It carries your private tag “Key account. VIP”.", "Sie trägt Ihr privates Schlagwort „Key account. VIP“."),
        ("Subject, Time changed in Google.", "Betreff, Zeit in Google geändert."),
        (
            "Google refuses the change: Forbidden. Change the activity, or its event in Google.",
            "Google verweigert die Änderung: Forbidden. Ändern Sie die Aktivität oder ihren Termin in Google.",
        ),
        ("Backend error of 3 %(kinds)s.", "Backend error of 3 %(kinds)s."),
        ("", ""),
    ],
)  # fmt: skip
def test_what_the_engine_stored_is_read_in_ones_own_language(stored, german):
    assert words.said(stored) == stored
    with translation.override("de"):
        assert words.said(stored) == german


def test_every_sentence_of_the_core_is_marked_for_translation():
    for path in (Path(settings.BASE_DIR) / "sync/core").glob("*.py"):
        tree = ast.parse(path.read_text())
        marked = {node.args[0] for node in ast.walk(tree) if isinstance(node, ast.Call) and is_marker(node)}
        told = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # Docstrings.
        texts = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        said = [text.value for text in texts if text not in marked | told and SENTENCE.fullmatch(text.value)]
        assert said == [], path.name


def is_marker(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "_"


SENTENCE = re.compile(r"[A-Z].* .*\.", re.DOTALL)


# --- On the pages ---------------------------------------------------------------------------------------------------


class Texts(HTMLParser):
    """What a page says: its texts, and the attributes that are read out or shown."""

    SAID = ("aria-label", "title", "placeholder", "alt")
    SILENT = ("script", "style", "code", "kbd")

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in self.SAID and value]
        if tag in self.SILENT:
            self.inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.inside and self.inside[-1] == tag:
            self.inside.pop()

    def handle_data(self, data: str) -> None:
        if not self.inside:
            self.found.append(data)


class Marked:
    """Stands for the translations: whatever goes through them is wrapped, in whatever language."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        translation.gettext("")  # So that the real functions are there to be replaced.
        for name in ("gettext", "pgettext", "ngettext"):
            monkeypatch.setattr(translation._trans, name, self.wrapping(getattr(translation._trans, name)))

    def wrapping(self, said):
        return lambda *arguments: f"⟦{said(*arguments)}⟧"


def unmarked(page: str) -> list[str]:
    """Return what a page says beside what is wrapped, and beside what people typed here."""
    while (shorter := re.sub(r"⟦[^⟦⟧]*⟧", "", page)) != page:
        page = shorter
    texts = Texts()
    texts.feed(page)
    said = [without_what_was_typed(text) for text in texts.found if "/" not in text]
    return [text for text in said if WORDS.search(text)]


def without_what_was_typed(text: str) -> str:
    return re.sub("|".join(map(re.escape, TYPED)), "", text).strip()


WORDS = re.compile(r"[^\W\d_]{2,}")
TYPED = (
    "UTC", "English", "Deutsch", "Anna Weber", "AW", "Boris Klein", "BK", "anna@northfold.example",
    "boris@northfold.example", "anna@gmail.example", "Contract workshop", "Workshop", "Room 5",
    "Google synchronization", "Google",
)  # fmt: skip
PAGES = (
    "/activities/?view=list&period=any", "/activities/?view=list&search=nothing", "/activities/?view=calendar",
    "/activities/?view=dashboards&period=any", "/activities/deleted/", "/activities/new/", "/profile/",
    "/profile/settings/", "/profile/communication-options/new/", "/profile/external-accounts/",
    "/activities/synchronization/", "/activities/synchronization/sessions/", "/notices/", "/missing/",
)  # fmt: skip


def named(username: str, full_name: str) -> Profile:
    profile = make_user(username).profile
    profile.full_name = full_name
    profile.save(update_fields=["full_name"])
    return profile


@pytest.fixture
def anna(db) -> Profile:
    return named("anna", "Anna Weber")


@pytest.fixture
def client_of_anna(anna) -> Client:
    client = Client()
    assert client.login(username="anna", password=PASSWORD)
    return client


@pytest.fixture
def activity(anna) -> Activity:
    boris = named("boris", "Boris Klein")
    return make_activity(
        by=anna, subject="Workshop", location="Room 5", tags=[sync_tag(anna)], participants=[boris], now=timezone.now()
    )


@pytest.mark.django_db
def test_every_word_of_a_page_goes_through_translation(client_of_anna, anna, activity, monkeypatch):
    calendar = make_calendar(anna)
    make_outcome(make_session(calendar))
    Marked(monkeypatch)

    found = {}
    for address in [*PAGES, f"/activities/{activity.pk}/"]:
        page = client_of_anna.get(address)
        assert page.status_code in (200, 404), address
        found[address] = unmarked(page.content.decode())
    assert {address: said for address, said in found.items() if said} == {}


@pytest.mark.django_db
def test_somebody_reads_their_own_language_whatever_the_browser_asks_for(client_of_anna, anna, activity):
    make_outcome(make_session(make_calendar(anna)))
    for address in [*PAGES, f"/activities/{activity.pk}/"]:
        assert '<html lang="en"' in client_of_anna.get(address).content.decode(), address

    page = client_of_anna.get("/profile/")
    form = {"full_name": "Anna Weber", "job_title": "", "email": anna.user.email, "time_zone": "UTC", "language": "de"}
    assert client_of_anna.post("/profile/", form).status_code == 302
    for address in [*PAGES, f"/activities/{activity.pk}/"]:
        page = client_of_anna.get(address, headers={"Accept-Language": "en"})
        assert (page["Content-Language"], '<html lang="de"' in page.content.decode()) == ("de", True), address

    assert "Teilnehmer" in client_of_anna.get(f"/activities/{activity.pk}/").content.decode()


@pytest.mark.django_db
def test_who_has_not_chosen_reads_what_the_browser_asks_for(client_of_anna):
    page = client_of_anna.get("/profile/", headers={"Accept-Language": "de-CH,de;q=0.9"})
    assert (page["Content-Language"], "Ihr Profil" in page.content.decode()) == ("de", True)
    assert "Anmelden" in Client().get("/login/", headers={"Accept-Language": "de"}).content.decode()


@pytest.mark.django_db
def test_dates_and_times_are_typed_and_kept_alike_in_every_language(client_of_anna, anna):
    start = datetime(2026, 3, 9, 9, tzinfo=UTC)
    activity = make_activity(by=anna, subject="Vertrag", start=start, due=start + timedelta(minutes=30), now=start)
    Profile.objects.filter(pk=anna.pk).update(language="de")
    with translation.override("de"):
        form = opened(activity) | {"start": "2027-03-08T14:30", "due": "2027-03-08T15:00"}

    answer = client_of_anna.post(f"/activities/{activity.pk}/", form)

    assert answer.status_code == 302, answer.content.decode()
    activity.refresh_from_db()
    assert activity.start.isoformat() == "2027-03-08T14:30:00+00:00"
    shown = client_of_anna.get("/activities/?view=list&period=any").content.decode()
    assert "Mo, 8. Mär 2027" in shown
