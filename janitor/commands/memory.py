"""What the verbs that cannot do without a ledger share."""

from __future__ import annotations

from janitor.errors import ConfigError
from janitor.settings.types import Settings


def demand_ledger(loaded: Settings, what: str) -> str:
    """Give the URL of the ledger; raise ConfigError where the config has none."""
    if loaded.ledger is None:
        msg = (
            f"ledger: none remembers nothing, and {what} needs a ledger:"
            " say for example ledger: sqlite:///janitor.db"
        )
        raise ConfigError(msg)
    return loaded.ledger
