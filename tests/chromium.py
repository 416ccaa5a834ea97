"""The browser of the browser tests: the system's Chromium."""

from __future__ import annotations

import os
import shutil

HOW_TO_GET_IT = "no Chromium found: apt-get install -y chromium (or set CHROMIUM=/path/to/chrome)"

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
