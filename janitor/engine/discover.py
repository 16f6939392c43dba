"""Finds the containers of a target: its exact names, and what its globs match."""

from __future__ import annotations

from janitor.engine.calls import Caller, Deadline
from janitor.engine.paging import pages
from janitor.matching import Pattern, Ternary
from janitor.model import ContainerRef
from janitor.providers.base import Connection, ContainersPage, Marker
from janitor.targets import Target, is_glob

# No container can have this name, so that it can stand for all of them.
ALL = "*"


def discover(
    target: Target, connection: Connection, caller: Caller, deadline: Deadline
) -> list[str]:
    """List the account's containers and give those that the target's globs match, sorted.

    Raises what the listing raises: a list that is not proven complete is none.
    """
    where = ContainerRef(target.name, target.provider, ALL)
    wanted = [Pattern(name) for name in target.containers if is_glob(name)]
    unwanted = [Pattern(name) for name in target.exclude]

    def fetch(marker: Marker | None) -> ContainersPage:
        return caller.call(
            where, "list_containers", lambda: connection.list_containers(marker), deadline
        )

    found = {name for page in pages(fetch) for name in page.names}
    return sorted(name for name in found if _matches(wanted, name) and not _matches(unwanted, name))


def _matches(patterns: list[Pattern], name: str) -> bool:
    return any(pattern.test(name) is Ternary.YES for pattern in patterns)
