"""The list of what the local Google has to do like Google: every line has tests, and the documentation names them."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

from tests import google_emulator

LINES = range(1, 31)
DOCS = Path(__file__).parents[2] / "docs" / "google-emulator.md"


def marked() -> Iterator[tuple[int, str]]:
    """Yield each line of the list with the name of a test that is marked with it."""
    for module in pkgutil.iter_modules(google_emulator.__path__):
        if not module.name.startswith("test_"):
            continue
        for name, test in vars(importlib.import_module(f"tests.google_emulator.{module.name}")).items():
            for mark in getattr(test, "pytestmark", []) if name.startswith("test_") else []:
                yield from ((line, name) for line in mark.args if mark.name == "checklist")


def documented() -> Iterator[tuple[int, str]]:
    for line, tests in re.findall(r"^\| (\d+) \|.*\| ([^|]+) \|$", DOCS.read_text("utf-8"), re.MULTILINE):
        yield from ((int(line), f"test_{name}") for name in re.findall(r"`(\w+)`", tests))


def test_every_line_has_tests():
    assert {line for line, _ in marked()} == set(LINES)


def test_the_documentation_names_the_tests_of_every_line():
    assert set(documented()) == set(marked())
