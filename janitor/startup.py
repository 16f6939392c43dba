"""Makes the command start quickly: what only costs time is left out. Not for who imports us."""

from __future__ import annotations

import gc
import importlib
import sys

# Modules make objects by the hundred thousand, and none of them is garbage: to look
# through them is an eighth of a start. So the first look is after them. What a sweep makes
# is gone without the collector, too; in a run with many stale uploads it would look a
# thousand times instead of three, for a twentieth of the time.
_OF_A_START = 400_000
_GENERATIONS = (50_000, 20, 100)
_UNWANTED = "rich"


def collect_seldom() -> None:
    """Let the garbage collector look after what is left to it from time to time only."""
    gc.set_threshold(_OF_A_START, *_GENERATIONS[1:])
    gc.callbacks.append(_after_the_first_look)


def _after_the_first_look(phase: str, _told: object) -> None:
    if phase == "stop":
        gc.callbacks.remove(_after_the_first_look)
        gc.set_threshold(*_GENERATIONS)


def import_structlog() -> None:
    """Import it without rich, which takes longer than itself, and for which we have no use in it.

    It takes it if it can, for traces with values of variables, which never go
    into our logs. Tables and progress import it when they are wanted.
    """
    if _UNWANTED in sys.modules:
        return
    # This is how Python itself is told that there is no such module.
    sys.modules[_UNWANTED] = None  # type: ignore[assignment]  # see above
    try:
        importlib.import_module("structlog")
    finally:
        del sys.modules[_UNWANTED]
