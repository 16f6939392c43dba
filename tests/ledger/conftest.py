"""Both databases: what is tested on SQLite is tested on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.postgres import CannotInstall, Server, running, skip_loudly

from janitor.ledger import Ledger, open_ledger


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """Run a PostgreSQL server of our own."""
    try:
        with running() as server:
            yield server
    except CannotInstall as reason:
        skip_loudly(reason)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of a ledger that does not exist yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/janitor.db"
    server: Server = request.getfixturevalue("postgres")
    return server.new_url()


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    """Open a new ledger."""
    with open_ledger(url) as opened:
        yield opened
