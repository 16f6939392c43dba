"""How many CPUs this process may use: those it may run on, and no more than its share of them."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path

# What a control group may use of all CPUs: a quota and a period in microseconds.
QUOTA = Path("/sys/fs/cgroup/cpu.max")


def usable(quota: Path = QUOTA) -> int:
    """Count them; a part of one is a whole one."""
    allowed = len(os.sched_getaffinity(0))
    with suppress(OSError, ValueError):  # no control groups, or no limit: "max"
        most, period = map(int, quota.read_text("ascii").split())
        return max(1, min(allowed, math.ceil(most / period)))
    return allowed
