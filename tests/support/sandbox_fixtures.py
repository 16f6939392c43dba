"""One fresh sandbox and its clients for each test; a plugin, so that no two conftests collide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from janitor.sandbox import Sandbox
from support.clients import Clients

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Serve an empty sandbox."""
    with Sandbox.start() as started:
        yield started


@pytest.fixture
def clients(sandbox: Sandbox) -> Iterator[Clients]:
    """Make clients of it."""
    made = Clients(sandbox)
    yield made
    made.close()
