"""A running stub server for the tests of this folder; they are skipped without a C compiler."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from benchmarks import stub


@pytest.fixture(scope="session")
def server() -> Iterator[stub.Stub]:
    """Run a stub server."""
    try:
        stub.build()
    except stub.NoCompiler as reason:
        pytest.skip(str(reason))
    with stub.running() as running:
        yield running
