"""What holds for every test: nothing leaves this machine."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from typing import Any

import pycurl
import pytest
from hypothesis import HealthCheck, settings

# How quickly examples are made says something of the machine, and nothing of what is tested.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture(autouse=True, scope="session")
def _loopback_only() -> Iterator[None]:
    """Refuse every connection that is not to loopback, whoever opens it."""
    patch = pytest.MonkeyPatch()
    for name in ("connect", "connect_ex"):
        patch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))
    patch.setattr(pycurl, "Curl", _guarded_curl)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        patch.delenv(name, raising=False)
        patch.delenv(name.upper(), raising=False)
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        patch.delenv(name, raising=False)
    patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    yield
    patch.undo()


_new_curl = pycurl.Curl


def _guarded(original: Any) -> Any:
    def connect(self: socket.socket, address: Any) -> Any:
        _require_loopback(self.family, address)
        return original(self, address)

    return connect


def _guarded_curl() -> Any:
    """Make a handle of libcurl, which does not open its sockets by Python."""
    made = _new_curl()

    def open_socket(_purpose: int, where: Any) -> _Descriptor:
        family, kind, protocol, address = where
        _require_loopback(family, address)
        return _Descriptor(socket.socket(family, kind, protocol).detach())

    made.setopt(pycurl.OPENSOCKETFUNCTION, open_socket)
    return made


class _Descriptor:
    """A socket that pycurl makes a copy of, and that is closed without a word."""

    def __init__(self, number: int) -> None:
        self._number = number

    def fileno(self) -> int:
        """Give its number."""
        return self._number

    def __del__(self) -> None:
        """Close it."""
        os.close(self._number)


def _require_loopback(family: int, address: Any) -> None:
    if family in {socket.AF_INET, socket.AF_INET6}:
        host = address[0]
        if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
            msg = f"a test tried to leave this machine: {address!r}"
            raise RuntimeError(msg)
