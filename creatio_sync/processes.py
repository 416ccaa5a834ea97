"""Child processes that end with their parent, whatever ends it."""

from __future__ import annotations

import ctypes
import signal
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1

# Loaded now, not in the child: after setuid that may be unable to read the library.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent(by: signal.Signals = signal.SIGTERM) -> Callable[[], None] | None:
    """
    Return a `preexec_fn` that has the kernel send this signal when the parent ends, even by kill -9.

    None where there is no such thing (it is Linux's own): there the parent stops its children when it ends itself.
    """
    if _libc is None:
        return None
    prctl = _libc.prctl
    return lambda: prctl(PR_SET_PDEATHSIG, by)
