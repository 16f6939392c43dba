"""The providers, found by name and imported only when needed: an SDK costs a third of a second."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from janitor.model import PROVIDERS
from janitor.providers.base import Aborter, Connection, ProviderModule

__all__ = ["Aborter", "Connection", "ProviderModule", "load", "names"]


def names() -> frozenset[str]:
    """Name every provider that there is."""
    return PROVIDERS


def load(name: str) -> ProviderModule:
    """Import one provider; raise KeyError for a name that is none."""
    if name not in PROVIDERS:
        raise KeyError(name)
    return cast("ProviderModule", import_module(f"janitor.providers.{name}"))
