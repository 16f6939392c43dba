"""A Dask cluster on loopback whose workers do the sweeps of many tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager

from distributed import LocalCluster

from janitor.backends.dask import Cluster, DaskHand, DaskStaff
from janitor.backends.pieces import Order, Reply
from janitor.targets import Dask

_PATIENCE = 60.0


class _KeptHand(DaskHand):
    """A worker whose pieces can be waited for."""

    def __init__(self, cluster: Cluster, address: str) -> None:
        super().__init__(cluster, address)
        self.pieces: list[Future[Reply]] = []
        self.stopping = threading.Event()

    def stop(self, run_id: str) -> None:
        """Let it begin no more requests, and hear that it knows."""
        super().stop(run_id)
        self.stopping.set()

    def do(self, order: Order) -> Future[Reply]:
        """Do a piece, and remember it."""
        piece = super().do(order)
        self.pieces.append(piece)
        return piece

    def finish(self, run_id: str) -> None:
        """End a run: whoever is in the middle of a piece comes to its end first."""
        if [piece for piece in self.pieces if not piece.done()]:
            self.stop(run_id)
            wait(self.pieces, _PATIENCE)
        self.close(run_id)


class _KeptStaff(DaskStaff):
    """Keeps its connection, too."""

    def _hand(self, cluster: Cluster, address: str) -> DaskHand:
        return _KeptHand(cluster, address)

    def wait_until_stopping(self) -> None:
        """Wait until all of them know that a stop was asked for."""
        for hand in self._hands:
            assert isinstance(hand, _KeptHand)
            assert hand.stopping.wait(_PATIENCE), "a worker does not hear of the stop"

    def close(self, run_id: str) -> None:
        """Let them come to the end of a run, and be free."""
        for hand in self._hands:
            assert isinstance(hand, _KeptHand)
            hand.finish(run_id)
        self._hands = []

    def end(self) -> None:
        """Close the connection."""
        super().close("")


@contextmanager
def kept_dask(count: int) -> Iterator[tuple[_KeptStaff, Dask]]:
    """Run a cluster with so many workers."""
    with LocalCluster(
        n_workers=count,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=":0",  # None is a port of its own choice, which may be taken
        silence_logs=False,
        preload=["support.child_worker"],
    ) as cluster:
        where = Dask(cluster.scheduler_address)
        staff = _KeptStaff(where)
        try:
            yield staff, where
        finally:
            staff.end()
