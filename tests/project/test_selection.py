"""Which tests a run takes, and how one left out is told. Each case is a small run of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from tests.run import names_files, side_by_side

TESTS = """
import pytest

@pytest.mark.rule("R7")
def test_about_seven():
    pass

@pytest.mark.rule("R8", "R9")
@pytest.mark.embedded
def test_about_eight_and_nine():
    pass

@pytest.mark.postgres
def test_on_postgres():
    pass

@pytest.mark.browser
def test_in_a_browser():
    pass

def test_plain():
    pass
"""


@pytest.fixture
def run(tmp_path: Path):
    file = tmp_path / "test_example.py"
    file.write_text(TESTS)

    def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        options = ["-p", "no:cacheprovider", "-p", "no:randomly", f"--rootdir={settings.BASE_DIR}"]
        command = [sys.executable, "-m", "pytest", "-c", str(settings.BASE_DIR / "pyproject.toml"), str(file)]
        return subprocess.run(
            [*command, *options, *arguments],
            cwd=settings.BASE_DIR,
            # An empty CHROMIUM and PATH: a machine without a browser.
            env={**os.environ, "TEST_SERVICES": "none", "CI": "", "CHROMIUM": "", "PATH": ""} | env,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_a_run_tells_plainly_what_it_left_out_and_how_to_get_it(run):
    done = run()

    assert done.returncode == 0, done.stdout
    assert "services: SQLite and the file broker" in done.stdout
    assert "3 passed, 2 skipped" in done.stdout
    assert "1 test: no Chromium found: apt-get install -y chromium libatomic1" in done.stdout
    assert "1 test: needs PostgreSQL" in done.stdout


def test_in_ci_a_test_left_out_is_a_failure(run):
    done = run(CI="true")

    assert done.returncode == 1
    assert "3 passed" in done.stdout
    assert "2 failed" in done.stdout or "2 errors" in done.stdout
    assert "Skipped, which CI does not accept: no Chromium found" in done.stdout


@pytest.mark.parametrize(("arguments", "count"), [(["--rule", "R7", "--rule", "r9"], 2), (["--embedded"], 1)])
def test_a_part_of_the_tests_can_be_chosen(run, arguments: list[str], count: int):
    done = run(*arguments)

    assert done.returncode == 0, done.stdout
    assert f"{count} passed, {5 - count} deselected" in done.stdout


def test_a_rule_without_tests_is_no_success(run):
    assert run("--rule", "R99").returncode == 5


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], False),
        (["-x", "--rule", "R7"], False),
        (["-k", "lost_answer"], False),
        (["tests/project"], True),
        (["-x", "tests/project/test_selection.py::test_a_rule_without_tests_is_no_success"], True),
    ],
)
def test_a_run_of_chosen_files_is_recognized(arguments: list[str], expected: bool):
    assert names_files(arguments) is expected


def test_only_a_run_of_everything_is_divided(monkeypatch):
    monkeypatch.setattr("tests.run.os.cpu_count", lambda: 2)

    assert side_by_side(["--rule", "R7"]) == ["--numprocesses=2", "--dist=worksteal"]
    assert side_by_side(["tests/sync"]) == []
    assert side_by_side(["-n4"]) == []
    assert side_by_side(["--storm-seed", "3"]) == []
    monkeypatch.setattr("tests.run.os.cpu_count", lambda: 64)
    assert side_by_side([])[0] == "--numprocesses=4"
