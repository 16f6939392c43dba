"""Tells systemd how the daemon is; where there is no systemd, it tells nobody.

The protocol is sd_notify(3): datagrams to the socket that NOTIFY_SOCKET names.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping

import structlog

_MICROSECOND = 1_000_000


class Notifier:
    """Speaks to the service manager that the environment names, if it names one.

    The watchdog of systemd wants to hear from us at least every WATCHDOG_USEC;
    `alive` sends at twice that rate, however often it is called.
    """

    def __init__(
        self,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self._clock = clock
        self._every = _watchdog_seconds(environ) / 2
        self._last: float | None = None
        self._status = ""

    def ready(self) -> None:
        """Say that the daemon serves, or serves again after a reload."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Say that the config is being read again; `ready` must follow."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send(f"RELOADING=1\nMONOTONIC_USEC={now}")

    def stopping(self) -> None:
        """Say that a stop was asked for."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """Show one line in `systemctl status`, if it is news."""
        if text != self._status:
            self._status = text
            self._send(f"STATUS={' '.join(text.split())}")

    def alive(self) -> None:
        """Keep the watchdog quiet, if there is one and it is time."""
        now = self._clock()
        if self._every > 0 and (self._last is None or now - self._last >= self._every):
            self._last = now
            self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        # A leading @ stands for the null byte of the abstract namespace.
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
                client.settimeout(1)
                client.sendto(message.encode(errors="backslashreplace"), address)
        except OSError as error:
            # Said once: whoever manages us notices the silence.
            structlog.get_logger("janitor.daemon").error("systemd.unreachable", error=str(error))
            self._address = ""


def _watchdog_seconds(environ: Mapping[str, str]) -> float:
    """Give the watchdog's patience with this process; 0 where there is none."""
    meant_for = environ.get("WATCHDOG_PID", "")
    if meant_for and meant_for != str(os.getpid()):
        return 0
    text = environ.get("WATCHDOG_USEC", "")
    return int(text) / _MICROSECOND if text.isdecimal() else 0
