"""What docs/sync.md says is tested: each row of a rule names tests that exist and that are marked with the rule."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
RULES = [f"R{number}" for number in range(1, 23)]
REFERENCE = re.compile(r"(?P<file>[\w/.]+)::(?P<name>test_\w+)")
LETTER = re.compile(r"\*\*(\w+)\*\* \| `(tests/[\w/.]+\.py)`")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table in a rule's section, with the tests it names; “the same” are those of the row above."""

    rule: str
    cells: tuple[str, ...]
    tests: tuple[tuple[str, str], ...]  # File and function.

    def __str__(self) -> str:
        return f"{self.rule} {' | '.join(self.cells)[:60]}"


@cache
def text() -> str:
    return (ROOT / "docs" / "sync.md").read_text()


@cache
def letters() -> dict[str, str]:
    """Return the files that letters stand for."""
    return dict(LETTER.findall(text()))


def path_of(file: str) -> str:
    """Return the path of a file as the page names it: a letter, a path, or the name of a file of tests/sync."""
    return letters().get(file) or (file if file.endswith(".py") else f"tests/sync/test_{file}.py")


@cache
def functions(path: str) -> dict[str, frozenset[str]]:
    """Return the tests of a file with the rules that each is marked with."""
    tree = ast.parse((ROOT / path).read_text())
    of_all = {
        rule
        for node in tree.body
        if isinstance(node, ast.Assign) and any(getattr(target, "id", "") == "pytestmark" for target in node.targets)
        for rule in marked(node.value)
    }
    return {
        node.name: frozenset(of_all | {rule for decorator in node.decorator_list for rule in marked(decorator)})
        for node in tree.body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_")
    }


def marked(node: ast.AST) -> Iterator[str]:
    """Yield the rules of each `pytest.mark.rule(…)` in an expression."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.rule":
            yield from (str(argument.value) for argument in call.args if isinstance(argument, ast.Constant))


def references(cell: str) -> tuple[tuple[str, str], ...]:
    return tuple((path_of(found["file"]), found["name"]) for found in REFERENCE.finditer(cell))


def sections() -> dict[str, str]:
    """Return the text of each rule's section."""
    parts = re.split(r"(?m)^### (R\d+)\b.*$", text())
    return {rule: re.split(r"(?m)^## ", body)[0] for rule, body in zip(parts[1::2], parts[2::2], strict=True)}


def rows() -> Iterator[Row]:
    for rule, body in sections().items():
        above: tuple[tuple[str, str], ...] = ()
        for line in body.splitlines():
            if not line.startswith("|"):
                above = ()
                continue
            cells = tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])
            if set("".join(cells)) <= set("-: ") or cells[-1] == "test":
                continue
            named = references(cells[-1])
            above = (*above, *named) if "the same" in cells[-1] else named
            yield Row(rule, cells, above)


def test_every_rule_has_a_section_and_a_test_marked_with_it():
    files = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "tests").rglob("test_*.py"))]
    marked_rules = {rule for path in files for rules in functions(path).values() for rule in rules}

    assert list(sections()) == RULES
    assert set(RULES) <= marked_rules


@pytest.mark.parametrize("rule", RULES)
def test_every_row_names_its_test(rule):
    found = [row for row in rows() if row.rule == rule]

    assert found
    assert [str(row) for row in found if not row.tests] == []


def test_every_test_that_is_named_exists():
    named = set(references(text()))

    assert len(named) > 100  # The page was read at all.
    missing = [(path, name) for path, name in sorted(named) if not is_there(path, name)]
    assert missing == []


def is_there(path: str, name: str) -> bool:
    return (ROOT / path).is_file() and name in functions(path)


def test_every_test_that_a_row_names_is_marked_with_its_rule():
    unmarked = {
        (row.rule, path, name)
        for row in rows()
        for path, name in row.tests
        if is_there(path, name) and row.rule not in functions(path)[name]
    }

    assert sorted(unmarked) == []
