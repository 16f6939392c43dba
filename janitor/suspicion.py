"""Doubts a listing that shrank more than anything we know of explains. Pure.

Some stores forget their in-progress uploads without having finished them: the
list is empty after a restart, and the parts are still there.
"""

from __future__ import annotations

# Small containers turn empty in the ordinary course of things.
MANY = 20
# A larger one may lose nine tenths and still be believed.
LARGE = 100
BELIEVABLE_SHARE = 10
# What is seen this often in a row is how it is.
PATIENCE = 3


def is_suspicious(listed: int, before: int, ended: int, doubts: int) -> bool:
    """Decide whether `listed` uploads can be true.

    `before` is how many the last believed listing had, `ended` how many of
    them we have aborted since, `doubts` how many listings in a row were
    doubted since.
    """
    expected = before - ended
    if doubts >= PATIENCE or expected < MANY:
        return False
    return listed == 0 or (expected >= LARGE and listed * BELIEVABLE_SHARE < expected)
