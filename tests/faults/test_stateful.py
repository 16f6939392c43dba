"""The whole janitor against an oracle, through everything that can go wrong at once."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis.stateful import run_state_machine_as_test
from support.machine import SOAK, Reach, profile, tour, world
from support.workforce import by_workers

from janitor.sandbox import FaultKind


@pytest.mark.timeout(0 if SOAK else 300)
def test_no_promise_is_ever_broken() -> None:
    """Whatever uploaders, stores, clocks, operators and crashes do, the oracle agrees.

    A run that did not reach enough of it proves nothing, and fails.
    """
    reach: Reach = Counter()
    made = world(reach)
    tour(made)
    if not by_workers() or SOAK:  # the tour has seen all that can happen to requests
        run_state_machine_as_test(made, settings=profile(10, 20))
    wanted = {"aborts": 100, "races": 20, "crashes": 5, "clock steps": 5, "denials": 5}
    wanted |= {f"fault {kind.value}": 5 for kind in FaultKind}
    missing = {name: reach[name] for name, least in wanted.items() if reach[name] < least}

    assert {} == missing
