"""Tests speak to this machine only: a connection or a name look-up beyond it is refused, and fails the test.

The refusal alone would not do: the app turns network errors into a retry, and the test would go on.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from typing import Any

import pytest

attempts: list[str] = []


class OutsideNetwork(OSError):
    """A test reached for an address that is not loopback."""


@pytest.fixture(autouse=True)
def _only_loopback() -> Iterator[None]:
    attempts.clear()
    yield
    if attempts:
        pytest.fail(f"this test reached for the network: {', '.join(attempts)}")


def pytest_configure(config: pytest.Config) -> None:
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    connect, connect_ex, getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        _refuse_outside(self.family, address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        _refuse_outside(self.family, address)
        return connect_ex(self, address)

    def guarded_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if not _is_here(host):
            _refuse(host)
        return getaddrinfo(host, *args, **kwargs)

    patch.setattr(socket.socket, "connect", guarded_connect)
    patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
    patch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)


def _refuse_outside(family: int, address: Any) -> None:
    if family in (socket.AF_INET, socket.AF_INET6) and not _is_here(address[0]):
        _refuse(address[0])


def _refuse(host: Any) -> None:
    attempts.append(str(host))
    raise OutsideNetwork(f"tests speak to loopback only, not to {host}")


def _is_here(host: Any) -> bool:
    """None and "" mean "any address of this machine" where they are allowed at all."""
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost", socket.gethostname()):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
