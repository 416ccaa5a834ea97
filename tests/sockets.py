"""Tests speak to this machine only: whoever forgets to point something at the emulator hears of it at once."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import Any

import pytest

_connect, _connect_ex, _getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo


class OutsideCall(RuntimeError):
    """A test tried to reach another machine. No OSError, so that no handler takes it for a broken network."""


def guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse look-ups and connections that lead away from this machine, until the patch is undone."""

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        _refuse_unless_local(host)
        return _getaddrinfo(host, *args, **kwargs)

    def connect(self: socket.socket, address: Any) -> None:
        _refuse_other_machines(self, address)
        return _connect(self, address)

    def connect_ex(self: socket.socket, address: Any) -> int:
        _refuse_other_machines(self, address)
        return _connect_ex(self, address)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket.socket, "connect_ex", connect_ex)


def _refuse_other_machines(sock: socket.socket, address: Any) -> None:
    if sock.family in {socket.AF_INET, socket.AF_INET6}:
        _refuse_unless_local(address[0])


def _refuse_unless_local(host: Any) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name in {None, "", "localhost", "0.0.0.0", "::", socket.gethostname()}:
        return
    try:
        is_local = ip_address(name).is_loopback
    except ValueError:
        is_local = False
    if not is_local:
        raise OutsideCall(f"A test tried to reach {name}. Tests talk to the emulator on this machine only.")
