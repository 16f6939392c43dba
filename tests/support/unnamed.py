"""Asks for a server whose name is looked up for ever: a process of its own, which has to end.

Prints what is told of it, and then `ended`.
"""

from __future__ import annotations

import sys

import certifi
from botocore.exceptions import BotoCoreError

from janitor import fibers
from janitor.wire.http import Wire
from janitor.wire.line import Way
from support.in_fibers import in_fiber

WAY = Way(certifi.where(), {}, connect_timeout=0.5, read_timeout=60)


def allow_all(_method: str, _url: str) -> None:
    """Allow everything."""


def ask(wire: Wire) -> str:
    """Give the name of the error that a request ends with."""
    try:
        wire.send("GET", "http://nobody-knows.invalid/", [])
    except BotoCoreError as error:
        return type(error).__name__
    return "no error"


if __name__ == "__main__":
    hub, wire = fibers.Hub(), Wire(WAY, allow_all)
    # Twice, because a line that is used again would wait for the first look-up.
    told = [ask(wire), ask(wire), *(in_fiber(hub, lambda: ask(wire)).result() for _ in range(2))]
    hub.close()
    wire.close()
    sys.stdout.write(f"{' '.join(told)}\nended\n")
