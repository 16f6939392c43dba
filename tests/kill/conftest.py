"""Children to kill, and what they sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.backends import Backend, backend
from support.child_handle import nursery
from support.child_scene import Scene, scene
from support.postgres import CannotInstall, Server, running, skip_loudly

MakeScene = Callable[..., Scene]


@pytest.fixture(scope="session", autouse=True)
def _nursery() -> Iterator[None]:
    """Have the server that forks the children."""
    with nursery():
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """Run a PostgreSQL server of our own."""
    try:
        with running() as server:
            yield server
    except CannotInstall as reason:
        skip_loudly(reason)


@pytest.fixture(scope="session")
def worked_by(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Have a backend, for all tests that it is for."""
    with backend(request.param) as made:
        yield made


@pytest.fixture
def make_scene(tmp_path: Path) -> Iterator[MakeScene]:
    """Make scenes, each in a folder of its own, and end them all."""
    with ExitStack() as stack:

        def make(*providers: str) -> Scene:
            folder = tmp_path / "-".join(providers)
            folder.mkdir()
            return stack.enter_context(scene(folder, *providers))

        yield make
