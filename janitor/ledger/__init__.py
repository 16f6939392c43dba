"""Durable memory: runs, sightings, intents and what became of them, in SQLite or PostgreSQL."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from janitor.ledger.errors import LedgerError, Locked

if TYPE_CHECKING:
    from janitor.ledger.ledger import Ledger
    from janitor.ledger.opening import RETENTION, check, is_shared, open_ledger, upgrade

__all__ = [
    "RETENTION",
    "Ledger",
    "LedgerError",
    "Locked",
    "check",
    "is_shared",
    "open_ledger",
    "upgrade",
]


def __getattr__(name: str) -> Any:
    """Import SQLAlchemy when a ledger is opened: it costs half of a start that needs none."""
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    home = "ledger" if name == "Ledger" else "opening"
    return getattr(import_module(f"janitor.ledger.{home}"), name)
