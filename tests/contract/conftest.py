from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.harness import EVERY_WAY, Ear, Harness

from janitor.sandbox import Sandbox


@pytest.fixture(params=sorted(EVERY_WAY))
def harness(request: pytest.FixtureRequest) -> Harness:
    """Take each provider in turn, by both ways to send requests."""
    return EVERY_WAY[request.param]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Start a fresh sandbox that must have nothing to accuse us of in the end."""
    with Sandbox.start() as running:
        yield running

        assert [] == running.accusations


@pytest.fixture
def ear() -> Ear:
    """Give an observer that remembers."""
    return Ear()
