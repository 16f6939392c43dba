"""Shards work side by side on one server; nobody else does beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from support.ledger_child import child, lines
from support.ledger_samples import NOW, decision_of, header_of
from support.postgres import Server

from janitor.ledger import Ledger, LedgerError, Locked, open_ledger, upgrade
from janitor.sharding import Shard

Lock = Callable[[Shard | None], Ledger]


@pytest.fixture
def server_url(postgres: Server) -> str:
    """Give the URL of a ledger on a server, which is there."""
    made = postgres.new_url()
    open_ledger(made).close()
    return made


@pytest.fixture
def lock(server_url: str) -> Iterator[Lock]:
    """Lock the ledger as one of several, until the test ends."""
    with ExitStack() as stack:

        def lock_it(shard: Shard | None) -> Ledger:
            ledger = stack.enter_context(open_ledger(server_url, shard=shard))
            stack.enter_context(ledger.lock())
            return ledger

        yield lock_it


def test_shards_work_side_by_side(lock: Lock) -> None:
    """All of them write, each its own run, to one journal."""
    shards = [lock(Shard(index, 3)) for index in range(3)]
    for index, ledger in enumerate(shards):
        ledger.begin(header_of(f"run-{index}"))
    intents = [
        ledger.intend(f"run-{index}", NOW, decision_of(f"id-{index}"))
        for index, ledger in enumerate(shards)
    ]

    assert [1, 2, 3] == intents
    assert [] == shards[0].audit()


def test_the_same_shard_is_refused_and_told_who_is_first(lock: Lock) -> None:
    """Two of one number would both have the same containers."""
    lock(Shard(1, 3))
    with pytest.raises(Locked, match=r"shard 1/3 of the ledger .* is in use by another") as caught:
        lock(Shard(1, 3))

    assert caught.value.holder.startswith("janitor ")


def test_shards_of_another_number_are_refused(lock: Lock) -> None:
    """Cut differently, a container would be two shards'."""
    lock(Shard(0, 3))
    lock(Shard(1, 3))

    with pytest.raises(Locked, match=r"as one of 2 shards, the ledger .* as one of 3"):
        lock(Shard(1, 2))
    lock(Shard(2, 3))


def test_a_shard_excludes_whoever_wants_all_and_the_other_way_round(server_url: str) -> None:
    """An unsharded run has every container."""
    with open_ledger(server_url, shard=Shard(0, 2)) as part, open_ledger(server_url) as whole:
        with part.lock():
            with pytest.raises(Locked, match="in use by another janitor"), whole.lock():
                pass
            with pytest.raises(Locked):
                upgrade(server_url)
        with (
            whole.lock(),
            pytest.raises(Locked, match="in use by another janitor"),
            part.lock(),
        ):
            pass
        with part.lock():
            part.begin(header_of())


def test_ledgers_in_other_schemas_do_not_disturb(postgres: Server) -> None:
    """Each has shards of its own number."""
    with ExitStack() as stack:
        for count in (2, 3):
            url = postgres.new_url()
            ledger = stack.enter_context(open_ledger(url, shard=Shard(0, count)))
            stack.enter_context(ledger.lock())
            ledger.begin(header_of())


def test_a_killed_shard_lets_go(server_url: str) -> None:
    """Its number and its count are free when its process is gone."""
    at_work = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE %s"
    with child("hold-shard", server_url) as holder:
        lines(holder, 1)
        holder.kill()
        holder.wait()
        with psycopg.connect(server_url.replace("+psycopg", ""), autocommit=True) as raw:
            # The server notices a moment later.
            while raw.execute(at_work, [f"janitor {holder.pid} on %"]).fetchone():
                pass
        for shard in (Shard(0, 2), Shard(0, 3)):
            with open_ledger(server_url, shard=shard) as ledger, ledger.lock():
                ledger.begin(header_of(f"run of {shard}"))


def test_a_server_that_drops_a_shards_lock_stops_its_intents(
    lock: Lock, postgres: Server, server_url: str
) -> None:
    """And only its own."""
    drop = """
        SELECT pg_terminate_backend(pid, 10000) FROM pg_locks
        WHERE locktype = 'advisory' AND mode = 'ExclusiveLock'
    """
    first = lock(Shard(0, 2))
    first.begin(header_of("run-0"))
    with postgres.connect(server_url) as raw:
        raw.execute(drop)
    second = lock(Shard(1, 2))
    second.begin(header_of("run-1"))
    with pytest.raises(LedgerError, match="ended our connection"):
        first.intend("run-0", NOW, decision_of())

    assert 1 == second.intend("run-1", NOW, decision_of())


def test_a_file_is_for_one_at_a_time(tmp_path: Path) -> None:
    """Shards on one machine come one after the other."""
    url = f"sqlite:///{tmp_path}/janitor.db"
    with (
        open_ledger(url, shard=Shard(0, 2)) as first,
        open_ledger(url, shard=Shard(1, 2)) as second,
        first.lock(),
        pytest.raises(Locked),
        second.lock(),
    ):
        pass
