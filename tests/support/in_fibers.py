"""A wire whose requests all go out from fibers, for whoever calls it from a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import TypeVar

from janitor import fibers
from janitor.wire.http import Guard, Wire
from janitor.wire.line import Reply, Way

T = TypeVar("T")


def in_fiber(hub: fibers.Hub, function: Callable[[], T]) -> Future[T]:
    """Run a function in a fiber, and give what will tell what came of it."""
    told: Future[T] = Future()

    def run() -> None:
        try:
            told.set_result(function())
        except BaseException as error:  # noqa: BLE001  # whoever asks is told
            told.set_exception(error)

    hub.begin(run)
    return told


class WireInFibers(Wire):
    """Sends as its base does, but never in the thread that asks."""

    def __init__(self, way: Way, guard: Guard) -> None:
        super().__init__(way, guard)
        self.hub = fibers.Hub()

    def send(self, method: str, url: str, headers: Iterable[str]) -> Reply:
        """Send a request in a fiber, and wait for its reply."""
        send = super().send
        return in_fiber(self.hub, lambda: send(method, url, headers)).result()
