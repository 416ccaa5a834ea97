"""The browser of the browser tests: the system's Chromium."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess

HOW_TO_GET_IT = "no Chromium found: apt-get install -y chromium libatomic1 (or set CHROMIUM=/path/to/chrome)"

FLAGS = [
    "--headless",
    "--no-sandbox",  # The tests may run as root in a container.
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


def path() -> str | None:
    """Return the browser to start, or None when there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


@functools.cache
def why_not() -> str | None:
    """Return what keeps the browser tests from running, with the way to get it, or None when nothing does."""
    if not path():
        return HOW_TO_GET_IT
    from playwright._impl._driver import compute_driver_executable

    node = compute_driver_executable()[0]
    tried = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"Playwright's driver cannot start: apt-get install -y libatomic1 ({tried.stderr.strip()})"
    return None
