"""A small HTTP server for the emulator: a thread for each request, quiet, quick to stop."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class _QuietHandler(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  Werkzeug calls it so.
        """Stay silent: the emulator keeps a log of its own."""

    def connection_dropped(self, error: BaseException, environ: Any = None) -> None:
        """Let the peer see a reset, not an orderly end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True


class Server:
    """Serves a WSGI application on a loopback port from a thread of its own."""

    def __init__(self, app: WsgiApp, *, host: str, port: int) -> None:
        """:raises OSError: if the port is taken."""
        listening = socket.create_server((host, port), backlog=128)
        try:
            # Given an open socket, werkzeug raises where it would otherwise print and end the program.
            self._server = ThreadedWSGIServer(host, port, app, handler=_QuietHandler, fd=listening.fileno())
        finally:
            listening.close()
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._run, name="google-emulator", daemon=True)
        self.port: int = self._server.server_address[1]

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join(timeout=5)
        self._server.server_close()

    def _run(self) -> None:
        self._server.serve_forever(poll_interval=0.02)
