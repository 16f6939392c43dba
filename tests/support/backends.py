"""The backends in a config, for scenes whose workers read it: what each of them takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from support.child_scene import Scene

if TYPE_CHECKING:
    from distributed.worker import Worker

_PATIENCE = 60.0
# One worker with one request in flight, and one that the sweep itself has.
_ONE_BY_ONE = "concurrency: 2"
# Leases of workers are a quarter of this one's duration: nobody wants to wait for 15 s.
_SHORT_LEASES = "{lease: test, namespace: test, duration: 5s}"


@dataclass(frozen=True)
class Backend:
    """Who makes the requests of a scene's sweeps: our own threads, or what a config names."""

    name: str = "threads"
    sections: dict[str, str] = field(default_factory=dict)
    client: Any = None

    @property
    def by_workers(self) -> bool:
        """Whether others make the requests."""
        return bool(self.sections)

    def configure(self, made: Scene, **more: Any) -> None:
        """Let it make the requests of a scene from now on."""
        made.configure(**(self.sections | more))

    def wait_until_idle(self) -> None:
        """Wait until workers that outlive their sweep have come to the end of their pieces."""
        begun = time.monotonic()
        while self.client is not None and any(self.client.run(_busy).values()):
            assert time.monotonic() - begun < _PATIENCE, "the workers do not end"


def _busy(dask_worker: Worker) -> int:
    state = dask_worker.state
    return len(state.executing) + len(state.long_running)


@contextmanager
def backend(name: str) -> Iterator[Backend]:
    """Have what a backend takes."""
    if name == "dask":
        with _cluster() as made:
            yield made
    elif name == "processes":
        yield Backend(name, {"execution": f"{{{_ONE_BY_ONE}, backend: processes}}"})
    else:
        yield Backend()


@contextmanager
def _cluster() -> Iterator[Backend]:
    from distributed import Client, LocalCluster  # noqa: PLC0415  # slow, and only for Dask

    with (
        LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=":0",  # None is a port of its own choice, which may be taken
            silence_logs=False,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        dask = f'{{scheduler: "{cluster.scheduler_address}"}}'
        sections = {
            "execution": f"{{{_ONE_BY_ONE}, backend: dask, dask: {dask}}}",
            "leader_election": _SHORT_LEASES,
        }
        yield Backend("dask", sections, client)
