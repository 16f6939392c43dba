from __future__ import annotations

import pytest
from support.workforce import BACKENDS
from support.workforce_fixtures import (
    _at_work,
    _present_workers,
    pytest_collection_modifyitems,
    workers,
)

__all__ = ["_at_work", "_present_workers", "pytest_collection_modifyitems", "workers"]

# All of the others break or compare the janitor's own judgement, in this process: in a worker it
# is the same code. Limits are the sweep's own, whoever works for it.
EVERYWHERE = {
    "test_a_store_that_fails_now_and_then_loses_nothing",
    "test_an_abort_that_nobody_could_look_up_is_reconciled",
    "test_no_promise_is_ever_broken",
    "test_the_same_uploads_give_the_same_plan",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let each backend sweep."""
    backends = BACKENDS if metafunc.function.__name__ in EVERYWHERE else BACKENDS[:1]
    metafunc.parametrize("workers", backends, indirect=True)
