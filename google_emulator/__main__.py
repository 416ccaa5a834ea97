"""Serve the emulator alone: `python -m google_emulator --port N [--seed demo] [--state FILE]`."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from google_emulator import seed
from google_emulator.emulator import CLIENT_ID, CLIENT_SECRET, Emulator


def main() -> int:
    options = _parser().parse_args()
    try:
        emulator = Emulator(
            client_id=options.client_id,
            client_secret=options.client_secret,
            redirect_uris=options.redirect_uri,
            state=options.state,
        )
        emulator.start(options.port, host=options.host)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"Port {options.port} cannot be used ({error.strerror}). Choose another with --port.\n")
        return 1
    if options.seed == "demo":
        seed.demo(emulator)
    sys.stdout.write(f"Google stand-in: {emulator.url}\n")
    sys.stdout.flush()
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    stopped.wait()
    emulator.stop()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m google_emulator", description="A local stand-in for Google.")
    parser.add_argument("--port", type=int, required=True, help="port to serve on")
    parser.add_argument("--host", default="127.0.0.1", help="address to serve on (default: this machine only)")
    parser.add_argument("--seed", choices=["demo"], help="add example people, and events to empty calendars")
    parser.add_argument("--state", type=Path, help="file that keeps everything over a restart")
    parser.add_argument("--client-id", default=CLIENT_ID, help="of the application (default: %(default)s)")
    parser.add_argument("--client-secret", default=CLIENT_SECRET, help="of the application (default: %(default)s)")
    parser.add_argument(
        "--redirect-uri", action="append", default=[], help="allowed besides http addresses on this machine; repeatable"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
