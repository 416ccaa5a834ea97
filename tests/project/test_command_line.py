"""`manage.py` outside of any environment: it finds one, makes one, or says what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import manage

# Without its packages, as the system's own Python is.
BARE = [sys.executable, "-S", str(manage.ROOT / "manage.py")]


def run_bare(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    known = {name: value for name, value in os.environ.items() if not name.startswith("CREATIO_SYNC_")}
    return subprocess.run(
        [*BARE, *arguments], env=known | environment, capture_output=True, text=True, check=False, timeout=60
    )


def test_a_command_runs_in_the_environment_that_the_demo_has_made(tmp_path: Path):
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\necho "in the environment: $@"\n')
    python.chmod(0o755)
    (tmp_path / ".ready-1").write_text(manage.fingerprint([manage.ROOT / name for name in manage.RUNTIME]))

    done = run_bare("synchronize", "anna", "--json", CREATIO_SYNC_VENV=str(tmp_path))

    assert done.returncode == 0, done.stderr
    assert done.stdout == f"in the environment: {manage.ROOT / 'manage.py'} synchronize anna --json\n"


def test_where_no_environment_is_wanted_a_command_says_what_is_missing_and_what_to_do():
    done = run_bare("synchronize", "anna", CREATIO_SYNC_NO_VENV="1")

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "does not have the packages of requirements.txt" in done.stderr
    assert "-m pip install -r requirements.txt" in done.stderr
