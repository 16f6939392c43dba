"""Fixtures of suites whose sweeps are to be made by each backend: imported by their conftest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from support.workforce import BACKENDS, Workforce, at_work, workforce

__all__ = ["_at_work", "_present_workers", "pytest_collection_modifyitems", "workers"]

Have = Callable[[str], Workforce | None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let tests of the same workers follow each other, and those of none come last."""
    places = [place for place, item in enumerate(items) if _backend_of(item) is not None]
    ours = sorted(
        (items[place] for place in places), key=lambda item: _backend_of(item) or 0, reverse=True
    )
    for place, item in zip(places, ours, strict=True):
        items[place] = item


def _threads_last(item: pytest.Item) -> int:
    return -(_backend_of(item) or 0)


def _backend_of(item: pytest.Item) -> int | None:
    name = item.callspec.params.get("workers") if hasattr(item, "callspec") else None
    return None if name is None else BACKENDS.index(name)


@pytest.fixture(scope="session")
def _present_workers() -> Iterator[Have]:
    """Have workers of one kind at a time, until somebody needs others or none."""
    with ExitStack() as stack:
        present: dict[str, Workforce | None] = {}

        def have(name: str) -> Workforce | None:
            if name not in present:
                present.clear()
                stack.close()
                present[name] = stack.enter_context(workforce(name))
            return present[name]

        yield have


@pytest.fixture
def workers(request: pytest.FixtureRequest, _present_workers: Have) -> Workforce | None:
    """Give who makes the sweeps of a test; None is threads of our own."""
    return _present_workers(request.param)


@pytest.fixture(autouse=True)
def _at_work(workers: Workforce | None) -> Iterator[None]:
    """Let them make all sweeps of a test; a test that makes none has to be left out."""
    before = 0 if workers is None else workers.sweeps
    with at_work(workers):
        yield

    assert workers is None or workers.sweeps > before
