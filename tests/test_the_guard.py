from __future__ import annotations

import socket

import certifi
import pytest
from botocore.exceptions import EndpointConnectionError

from janitor.wire.http import Wire
from janitor.wire.line import Way


def test_a_test_cannot_leave_this_machine() -> None:
    """The guard of all tests is there, and bites."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as outward,
        pytest.raises(RuntimeError, match="leave this machine"),
    ):
        outward.connect(("192.0.2.1", 80))


def test_libcurl_cannot_either(capfd: pytest.CaptureFixture[str]) -> None:
    """It opens its sockets by itself, but asks first, and prints what it is told."""
    wire = Wire(Way(certifi.where(), {}, 5, 5), lambda *_: None)
    with pytest.raises(EndpointConnectionError):
        wire.send("GET", "http://192.0.2.1/", [])
    wire.close()

    assert "a test tried to leave this machine: ('192.0.2.1', 80)" in capfd.readouterr().err
