from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks import stub
from benchmarks.short import MEASURES, REQUESTS, accepted, judged

TESTS = Path(__file__).parents[1]


def test_nothing_became_far_worse() -> None:
    """The short benchmark ends well: `PYTHONPATH=tests python -m benchmarks short`.

    A process of its own, because the memory of a child begins at its parent's.
    """
    try:
        stub.build()
    except stub.NoCompiler as reason:
        pytest.skip(str(reason))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "short"],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 == done.returncode, f"{done.stdout}\n{done.stderr[-2000:]}"


def test_every_measure_was_accepted() -> None:
    """None can be forgotten."""
    assert set(MEASURES) == set(accepted())


def test_half_as_good_is_too_bad() -> None:
    """The margin is a factor of two, and better is never worse."""
    measured = {"a": 1.0, "b": 0.99, "c": 9.0}

    assert ["b: 0.99, accepted was 2.00"] == judged(measured, {"a": 2.0, "b": 2.0, "c": 2.0})


def test_one_request_more_for_each_upload_is_too_bad() -> None:
    """Requests do not depend on the machine, so the margin is smaller."""
    assert [] == judged({REQUESTS: 1 / 4}, {REQUESTS: 1 / 4})
    assert [f"{REQUESTS}: 0.20, accepted was 0.25"] == judged({REQUESTS: 0.2}, {REQUESTS: 0.25})
