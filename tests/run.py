"""What `manage.py test` does: the whole suite on PostgreSQL and Redis, then the embedded tests on SQLite."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

# Exit codes of pytest.
INTERRUPTED = 2
NO_TESTS = 5


def main(arguments: list[str]) -> int:
    """Run pytest with these arguments, and return the exit code of the worse run."""
    code = _pytest(arguments)
    if code == INTERRUPTED or names_files(arguments) or os.environ.get("TEST_SERVICES") == "none":
        return code
    print("\nOnce more, on what the demo runs on: SQLite and the broker that needs no server.", flush=True)
    embedded = _pytest([*arguments, "--embedded"], TEST_SERVICES="none")
    if embedded == NO_TESTS:
        embedded = 0  # The arguments chose none of them.
    if code or embedded:
        print(f"\nNot passed. First run: {_told(code)}. On SQLite: {_told(embedded)}.", flush=True)
    else:
        print("\nBoth runs passed.", flush=True)
    return max(code, embedded)


def names_files(arguments: list[str]) -> bool:
    """Tell whether the run is for chosen files or folders: then it is one run, the way the person asked for it."""
    return any(Path(argument.partition("::")[0]).exists() for argument in arguments if not argument.startswith("-"))


def _pytest(arguments: list[str], **env: str) -> int:
    command = [sys.executable, "-m", "pytest", *arguments]
    process = subprocess.Popen(command, env={**os.environ, **env})
    while True:
        try:
            return abs(process.wait())
        except KeyboardInterrupt:
            continue  # pytest got it too, and says what it had done so far.


def _told(code: int) -> str:
    return "all well" if code == 0 else f"exit code {code}"
