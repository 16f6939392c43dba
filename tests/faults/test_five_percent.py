"""Stores that fail every twentieth time delay the work, and change nothing else."""

from __future__ import annotations

import random
from collections import Counter
from threading import Lock
from typing import TYPE_CHECKING

import pytest
from support.harness import HARNESSES
from support.machine import NATURES, Reach, World, world
from support.oracle import Caps

from janitor.sandbox import Fault, FaultKind
from janitor.sandbox.faults import FaultPlan

if TYPE_CHECKING:
    from janitor.sandbox.wire import Call

KINDS = (
    *[FaultKind.STATUS] * 3,
    FaultKind.STATUS_AFTER,
    FaultKind.DROP_BEFORE,
    FaultKind.DROP_AFTER,
    FaultKind.CUT_BODY,
    FaultKind.CUT_DOCUMENT,
    FaultKind.EMPTY_BODY,
    FaultKind.WRONG_TYPE,
    FaultKind.HTML_BODY,
    FaultKind.REDIRECT,
)
OF_ABORTS = (
    *KINDS[:6],
    FaultKind.HTML_BODY,
    FaultKind.REDIRECT,
    FaultKind.PRETEND,
)


class FivePercent(FaultPlan):
    """Strikes every twentieth call, on the average; always the same ones for one seed."""

    def __init__(self, seed: str) -> None:
        super().__init__()
        self._source = random.Random(seed)  # noqa: S311  # dice, not secrets
        self._dice = Lock()

    def take(self, call: Call) -> Fault | None:
        """Throw the dice."""
        with self._dice:
            if self._source.random() >= 0.05:
                return None
            kinds = OF_ABORTS if call.operation.endswith(".abort") else KINDS
            status = self._source.choice([429, 500, 503])
            kind = self._source.choice(kinds)
        told = status if kind in {FaultKind.STATUS, FaultKind.STATUS_AFTER} else None
        return Fault(operation=call.operation, kind=kind, status=told)


def crowd(reach: Reach, provider: str) -> World:
    """Begin sixty uploads of every nature, and let the janitor see them once."""
    made = world(reach, (provider,))()
    made.restocked = False
    made.populate(0, 11, 1, Caps())
    source = random.Random(provider)  # noqa: S311  # dice, not secrets
    for number in range(32):
        nature = NATURES[number % len(NATURES)]
        made.begin_old(HARNESSES[provider], "big", nature, source)
    made.calm_sweep(1)
    return made


@pytest.mark.parametrize("provider", sorted(HARNESSES))
def test_a_store_that_fails_now_and_then_loses_nothing(provider: str) -> None:
    """Within three sweeps exactly those are aborted that had to be, by the oracle's word."""
    reach: Reach = Counter()
    made = crowd(reach, provider)
    try:
        oracle = made.oracle
        due = {truth.upload_id for truth in oracle.due(made.terms)}
        patient = made.sandbox.world.faults
        made.sandbox.world.faults = FivePercent(provider)
        for wait in (25, 25, 25):
            made.calm_sweep(wait)
        made.sandbox.world.faults = patient
        killed = {truth.upload_id for truth in oracle.truths if truth.ended == "killed"}

        assert (60, due) == (len(oracle.truths), killed)
        assert 30 < len(due) < 50
        assert sum(count for name, count in reach.items() if name.startswith("fault ")) >= 5
    except BaseException:
        made.wrong = True
        raise
    finally:
        made.teardown()
