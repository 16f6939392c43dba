"""Workers that are those of a Dask cluster. Imported only where one is wanted: Dask is an extra.

Each piece goes to one worker and to no other: what Dask would run again
elsewhere, when a worker is lost, is refused there, and sent again by the sweep
itself when the first lease is over.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from contextlib import suppress
from typing import Any

from distributed import Client, Security, secede
from distributed.client import Client as AnyClient
from distributed.scheduler import KilledWorker, NoValidWorkerError

from janitor.backends import tasks
from janitor.backends.pieces import Greeting, Order, Reply, Terms
from janitor.backends.staff import Hand
from janitor.errors import JanitorError
from janitor.targets import Dask

# How long the scheduler may take to answer, in seconds, and how old what we know may be.
PATIENCE = 10.0
FRESH = 1.0


class ClusterUnusable(JanitorError):  # noqa: N818  # says what is wrong
    """The scheduler cannot be reached, or is not to be trusted."""


def do(order: Order) -> Reply:
    """Do a piece beside all others: how many there are is for the sweep to say."""
    secede()
    return tasks.do(order)


class Cluster:
    """A connection to a scheduler, and what it says of its workers."""

    def __init__(self, dask: Dask) -> None:
        self._client = _connected(dask)
        self._lock = threading.Lock()
        self._seen: frozenset[str] = frozenset()
        self._seen_at = -FRESH

    @property
    def client(self) -> AnyClient:
        """The connection."""
        return self._client

    def addresses(self) -> frozenset[str]:
        """Name the workers that the scheduler has; none where it does not answer."""
        with self._lock:
            if time.monotonic() - self._seen_at >= FRESH:
                try:
                    scheduler: Any = self._client.scheduler
                    told = self._client.sync(
                        scheduler.identity, n_workers=-1, callback_timeout=PATIENCE
                    )
                    self._seen = frozenset(told["workers"])
                except Exception:  # noqa: BLE001  # whatever it is, nobody is there to answer
                    self._seen = frozenset()
                self._seen_at = time.monotonic()
            return self._seen

    def close(self) -> None:
        """Close the connection."""
        self._client.close(timeout=PATIENCE)


def _connected(dask: Dask) -> AnyClient:
    security = None
    if dask.scheduler.startswith("tls:"):
        security = Security(
            tls_ca_file=dask.ca_file,
            tls_client_cert=dask.cert_file,
            tls_client_key=dask.key_file,
            require_encryption=True,
        )
    try:
        return Client(
            dask.scheduler,
            security=security,
            timeout=PATIENCE,
            set_as_default=False,
            name="upload-janitor",
        )
    except (OSError, ValueError) as error:
        message = f"the Dask scheduler {dask.scheduler} cannot be reached: {error}"
        raise ClusterUnusable(message) from error


class DaskHand:
    """One worker of the cluster."""

    def __init__(self, cluster: Cluster, address: str) -> None:
        self.name = address
        self._cluster = cluster
        self._dismissed = False
        # Dask itself must not do anything twice.
        self._executor: Executor = cluster.client.get_executor(
            workers=[address], allow_other_workers=False, retries=0, pure=False
        )

    @property
    def alive(self) -> bool:
        """Whether the scheduler still has it."""
        return not self._dismissed and self.name in self._cluster.addresses()

    def greet(self, terms: Terms) -> Future[Greeting]:
        """Let it get ready."""
        return self._executor.submit(tasks.greet, terms)

    def do(self, order: Order) -> Future[Reply]:
        """Let it do a piece."""
        return self._executor.submit(do, order)

    def stop(self, run_id: str) -> None:
        """Let it begin no more requests, even if all of its threads are busy."""
        self._run(tasks.stop, run_id)

    def close(self, run_id: str) -> None:
        """Let it forget a run."""
        self._run(tasks.close, run_id)

    def dismiss(self) -> None:
        """Do without it; it is not ours to end."""
        self._dismissed = True

    def _run(self, function: Callable[[str], Any], run_id: str) -> None:
        with suppress(Exception):  # it is gone, or will find out by its leases
            self._cluster.client.run(function, run_id, workers=[self.name], on_error="ignore")


class DaskStaff:
    """The workers of a cluster, which live on when the sweep is over."""

    # The network may be gone, and not the worker.
    lost_may_go_on = True
    # What the scheduler says of a piece whose worker died, by how it was set up.
    losses: tuple[type[Exception], ...] = (KilledWorker, NoValidWorkerError)

    def __init__(self, dask: Dask) -> None:
        self._dask = dask
        self._cluster: Cluster | None = None
        self._hands: list[DaskHand] = []

    def count(self) -> int:
        """Count the workers of the cluster; raise ClusterUnusable."""
        return len(self._connected().addresses())

    def hire(self, count: int) -> Sequence[Hand]:
        """Give so many that were not given before, or as many as there are."""
        cluster = self._connected()
        there = cluster.addresses()
        # What was gone and is there again is another process at the same address.
        self._hands = [hand for hand in self._hands if hand.name in there]
        fresh = sorted(there - {hand.name for hand in self._hands})[:count]
        hired = [self._hand(cluster, address) for address in fresh]
        self._hands += hired
        return hired

    def _hand(self, cluster: Cluster, address: str) -> DaskHand:
        return DaskHand(cluster, address)

    def _connected(self) -> Cluster:
        if self._cluster is None:
            self._cluster = Cluster(self._dask)
        return self._cluster

    def close(self, run_id: str) -> None:
        """Let all of them forget the run, and close the connection."""
        if self._cluster is None:
            return
        told = [
            threading.Thread(target=hand.close, args=(run_id,), daemon=True)
            for hand in self._hands
            if hand.alive
        ]
        for each in told:
            each.start()
        for each in told:
            each.join(PATIENCE)
        self._cluster.close()
        self._cluster, self._hands = None, []
