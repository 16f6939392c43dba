from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.harness import HARNESSES, Ear, Harness

from janitor.sandbox import Sandbox


@pytest.fixture(params=sorted(HARNESSES))
def harness(request: pytest.FixtureRequest) -> Harness:
    """Take each provider in turn."""
    return HARNESSES[request.param]


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
