#!/usr/bin/env python3
"""Django's command line; `demo`, `test`, `screenshots`, and whatever finds no Django, build the environment first."""

import hashlib
import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = Path(os.environ.get("CREATIO_SYNC_VENV", ROOT / ".venv"))
RUNTIME = ["requirements.txt"]
WITH_TESTS = ["requirements.txt", "requirements-test.txt"]
NEEDS = {"demo": RUNTIME, "test": WITH_TESTS, "screenshots": WITH_TESTS}
PACKAGES = ("django", "celery", "googleapiclient")  # Some of RUNTIME: where one is missing, they are not installed.


def prepare(files: list[str]) -> None:
    """Run this command again inside .venv, which is built on first use and whenever a requirement list changes."""
    if os.environ.get("CREATIO_SYNC_NO_VENV"):
        return
    if sys.version_info < (3, 11):
        sys.exit("Python 3.11 or newer is needed; this is {}.{}.".format(*sys.version_info[:2]))
    lists = [ROOT / name for name in files]
    want = fingerprint(lists)
    stamp, python = VENV / f".ready-{len(lists)}", VENV / "bin/python"
    ready = stamp.exists() and stamp.read_text() == want
    if ready and Path(sys.prefix) == VENV:
        return
    if not ready:
        install(lists, python=python)
        stamp.write_text(want)
    os.execv(python, [str(python), str(ROOT / "manage.py"), *sys.argv[1:]])


def fingerprint(lists: list[Path]) -> str:
    """Return what changes with the lists and with the Python they are installed for."""
    return hashlib.sha256(sys.version.encode() + b"".join(path.read_bytes() for path in lists)).hexdigest()


def missing() -> list[str]:
    """Return which packages this Python does not have."""
    return [name for name in PACKAGES if importlib.util.find_spec(name) is None]


def install(lists: list[Path], *, python: Path) -> None:
    """Make the environment and install the lists into it, saying what is happening."""
    started = time.monotonic()
    print(f"Preparing {VENV} (only on the first run and after updates).", flush=True)
    if not works(python):
        print("  making a virtual environment ...", flush=True)
        # Cleared, so that a half-made one of an earlier try, or one of a Python that is gone, is no obstacle.
        if subprocess.call([sys.executable, "-m", "venv", "--clear", str(VENV)]):
            sys.exit("No virtual environment could be made. On Debian or Ubuntu: apt-get install -y python3-venv")
    names = ", ".join(path.name for path in lists)
    print(f"  installing the packages of {names}; this takes about a minute ...", flush=True)
    wanted = [argument for path in lists for argument in ("-r", str(path))]
    quiet = ["-q", "--disable-pip-version-check", "--no-input"]
    if subprocess.call([str(python), "-m", "pip", "install", *quiet, *wanted]):
        sys.exit("The packages could not be installed; the lines above say why. Is the package index reachable?")
    print(f"  ready after {time.monotonic() - started:.0f} s.", flush=True)


def works(python: Path) -> bool:
    """Tell whether this is an interpreter of our version that has pip."""
    version = "import pip, sys; sys.exit(sys.version_info[:2] != (%d, %d))" % sys.version_info[:2]
    return python.exists() and subprocess.call([str(python), "-c", version], stderr=subprocess.DEVNULL) == 0


def main() -> None:
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command in NEEDS or missing():
        prepare(NEEDS.get(command, RUNTIME))
    if lacking := missing():
        names = ", ".join(lacking)
        sys.exit(
            f"This Python ({sys.executable}) does not have the packages of requirements.txt ({names} missing), so this "
            f"command cannot run.\nInstall them: {sys.executable} -m pip install -r requirements.txt\n"
            "Or leave out CREATIO_SYNC_NO_VENV: then the command makes an environment of its own."
        )
    # None of these is a Django command: Django would read its settings before the servers of the tests are up, and
    # before the demo has made the environment they come from.
    if command == "test":
        os.chdir(ROOT)
        from tests import run

        sys.exit(run.main(sys.argv[2:]))
    if command == "screenshots":
        os.chdir(ROOT)
        from tests import screenshots

        sys.exit(screenshots.main(sys.argv[2:]))
    if command == "demo":
        from creatio_sync import demo

        sys.exit(demo.main(sys.argv[2:]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "creatio_sync.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
