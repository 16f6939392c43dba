"""What the ledger raises on purpose.

* JanitorError
  + LedgerError          the memory cannot be used; the message names it and the remedy
    - Locked             another janitor is at work; carries who, where known
"""

from __future__ import annotations

from janitor.errors import JanitorError


class LedgerError(JanitorError):
    """The ledger cannot be used as it is; no abort may follow."""


class Locked(LedgerError):  # noqa: N818  # reads better where it is caught
    """Another janitor holds the ledger; `holder` says who, as far as it is known."""

    def __init__(self, message: str, holder: str = "unknown") -> None:
        super().__init__(message)
        self.holder = holder
