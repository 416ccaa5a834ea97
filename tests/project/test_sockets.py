"""No test reaches another machine."""

from __future__ import annotations

import socket

import pytest

from tests.sockets import OutsideCall


@pytest.mark.parametrize("host", ["oauth2.googleapis.com", "192.0.2.1", "2001:db8::1"])
def test_a_look_up_of_another_machine_is_refused(host: str):
    with pytest.raises(OutsideCall, match=host):
        socket.getaddrinfo(host, 443)


def test_a_connection_to_another_machine_is_refused():
    with socket.socket() as sock, pytest.raises(OutsideCall):
        sock.connect(("192.0.2.1", 443))


def test_this_machine_can_be_reached():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()
