"""Scenes in which uploads are ripe, to be aborted by workers."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.child_scene import PROVIDERS, Scene, scene

MakeScene = Callable[..., Scene]


@pytest.fixture
def make_scene(tmp_path: Path) -> Iterator[MakeScene]:
    """Make scenes with so many ripe uploads of each provider, and two that must live."""
    with ExitStack() as stack:

        def make(count: int = 5, *providers: str) -> Scene:
            made = stack.enter_context(scene(tmp_path, *(providers or PROVIDERS)))
            for provider in providers or PROVIDERS:
                made.add_stale(provider, count)
                made.add_slow(provider)
                made.add_young(provider)
            made.mark()
            return made

        yield make


@pytest.fixture
def unused_port() -> int:
    """Give a port of loopback at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
