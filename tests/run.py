"""What `manage.py test` does: the whole suite on PostgreSQL and Redis, then the embedded tests on SQLite."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# Exit codes of pytest.
INTERRUPTED = 2
NO_TESTS = 5
MOST_PROCESSES = 4  # Each brings a PostgreSQL and a Redis along.


def main(arguments: list[str]) -> int:
    """Run pytest with these arguments, and return the exit code of the worse run."""
    if "--storm" in arguments:
        return _storm(arguments)
    arguments = [*side_by_side(arguments), *arguments]
    code = _pytest(arguments)
    repeats = any(argument.startswith("--storm-seed") for argument in arguments)
    if code == INTERRUPTED or repeats or names_files(arguments) or os.environ.get("TEST_SERVICES") == "none":
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


def _storm(arguments: list[str]) -> int:
    """
    Divide the journeys among as many processes as there are processors, each with servers of its own.

    It takes hours: each seed is told as soon as it is done.
    """
    parts = os.cpu_count() or 1
    print(f"Random journeys in {parts} processes; each says at its end what it saw.", flush=True)
    with ThreadPoolExecutor(max_workers=parts) as pool:
        return max(pool.map(lambda part: _pass_on(arguments, part=part, parts=parts), range(1, parts + 1)))


def _pass_on(arguments: list[str], *, part: int, parts: int) -> int:
    command = [sys.executable, "-m", "pytest", *arguments, "--verbose", f"--storm-part={part}/{parts}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
    return abs(process.returncode)


def side_by_side(arguments: list[str]) -> list[str]:
    """Return what divides a run of everything among processes, each with servers of its own; nothing for any other."""
    cpus = os.cpu_count() or 1
    own = ("-n", "-p", "--storm-seed")
    is_chosen = names_files(arguments) or any(argument.startswith(own) for argument in arguments)
    return [] if cpus == 1 or is_chosen else [f"--numprocesses={min(cpus, MOST_PROCESSES)}", "--dist=worksteal"]


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
