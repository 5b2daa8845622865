from __future__ import annotations

import socket

import pytest

from tests import loopback


@pytest.fixture
def _forgiven() -> object:
    """These tests reach outside on purpose; what they tried must not fail them when they end."""
    yield
    loopback.attempts.clear()


@pytest.mark.usefixtures("_forgiven")
def test_a_connection_beyond_this_machine_is_refused_and_noted() -> None:
    with socket.socket() as outside, pytest.raises(loopback.OutsideNetwork):
        outside.connect(("192.0.2.1", 443))

    assert loopback.attempts == ["192.0.2.1"]


@pytest.mark.usefixtures("_forgiven")
def test_a_name_beyond_this_machine_is_not_looked_up() -> None:
    with pytest.raises(loopback.OutsideNetwork):
        socket.create_connection(("outside.example", 443))

    assert loopback.attempts == ["outside.example"]


def test_loopback_is_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()

    assert loopback.attempts == []
