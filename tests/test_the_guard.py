from __future__ import annotations

import socket

import pytest


def test_a_test_cannot_leave_this_machine() -> None:
    """The guard of all tests is there, and bites."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as outward,
        pytest.raises(RuntimeError, match="leave this machine"),
    ):
        outward.connect(("192.0.2.1", 80))
