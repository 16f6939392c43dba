"""The figures of containers, and their sums, for whoever writes them down. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from janitor.model import ContainerResult

COUNTS = (
    "listed",
    "stale",
    "aborted",
    "already_gone",
    "withheld",
    "failed",
    "survived",
    "deferred",
    "waiting",
    "bytes_stale",
    "bytes_freed",
)


def counts_of(result: ContainerResult) -> dict[str, Any]:
    """Give the figures of one container by name."""
    return {name: getattr(result, name) for name in COUNTS}


def sums_of(results: Sequence[ContainerResult]) -> dict[str, Any]:
    """Count the outcomes of containers, and add their figures up."""
    outcomes = dict(Counter(result.outcome for result in results))
    sums = {name: sum(getattr(result, name) for result in results) for name in COUNTS}
    return {"outcomes": outcomes, **sums}


def by_target(results: Iterable[ContainerResult]) -> Mapping[str, Sequence[ContainerResult]]:
    """Sort results by the name of their target."""
    found: dict[str, list[ContainerResult]] = {}
    for result in results:
        found.setdefault(result.where.target, []).append(result)
    return dict(sorted(found.items()))
