"""The garbage collector leaves a start alone, and looks after what comes then."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import gc
from janitor import startup
looks = []
gc.collect()
startup.collect_seldom()
gc.callbacks.insert(0, lambda phase, told: looks.append(gc.get_threshold()))
kept = [[] for _ in range(150_000)]
print(len(looks))
kept += [[] for _ in range(500_000)]
print(looks[0][0] > 150_000, gc.get_threshold()[0])
"""


def test_no_garbage_is_looked_for_among_what_a_start_makes() -> None:
    """It is none; afterwards it is looked for as seldom as a sweep needs it."""
    done = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-c", SCRIPT], capture_output=True, check=True, text=True, timeout=120
    )

    assert ["0", "True 50000"] == done.stdout.splitlines()
