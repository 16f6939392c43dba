"""What it means to hold a lock, and that no child of ours inherits one."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from janitor.ledger.errors import Locked
from janitor.ledger.place import Place


@dataclass(eq=False)
class Held:
    """A lock that is held: how to prove that, and what a forked child must do to let go of it."""

    verify: Callable[[], None]
    let_go: Callable[[], None]


# A child that lives longer than its parent must not keep the lock.
_HELD: weakref.WeakSet[Held] = weakref.WeakSet()


def _let_go_in_child() -> None:
    for held in list(_HELD):
        held.let_go()


os.register_at_fork(after_in_child=_let_go_in_child)


@contextmanager
def known(held: Held) -> Iterator[None]:
    """Let every child that is forked inside let go of a lock."""
    _HELD.add(held)
    try:
        yield
    finally:
        _HELD.discard(held)


def refusal(place: Place, holder: str, what: str = "") -> Locked:
    """Say who holds the lock of a ledger, or of `what` of it."""
    return Locked(f"{what}the ledger {place} is in use by another janitor: {holder}", holder)
