"""The emulator's memory in one file, so that a restart goes on where it stopped."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

VERSION = 1


class StateFile:
    """Saves whole states, each complete or not at all. Without a path it does nothing."""

    def __init__(self, path: Path | None, *, dump: Callable[[], dict[str, Any]]) -> None:
        self._path = path
        self._dump = dump
        self._lock = threading.Lock()

    def save(self) -> None:
        if self._path is None:
            return
        with self._lock:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            beside = self._path.with_name(self._path.name + ".new")
            text = json.dumps({"version": VERSION} | self._dump(), separators=(",", ":"))
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)  # Tokens are in it.
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
            beside.replace(self._path)

    def load(self) -> dict[str, Any] | None:
        """Return the saved state, or None if there is none. :raises ValueError: if the file is something else."""
        if self._path is None or not self._path.exists():
            return None
        state = json.loads(self._path.read_text())
        if not isinstance(state, dict) or state.get("version") != VERSION:
            raise ValueError(f"{self._path} is not a state of this emulator. Delete it to begin anew.")
        return state
