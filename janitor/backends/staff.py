"""What workers are to a sweep, wherever they come from; and what is wrong when they are gone."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol

from janitor.backends.pieces import Greeting, Order, Reply, Terms
from janitor.errors import JanitorError


class WorkerLost(JanitorError):  # noqa: N818  # says what happened
    """A worker is gone, or does not answer; what became of its piece is not known."""


class NoWorkers(JanitorError):  # noqa: N818  # says what is wrong
    """There is no worker that can do anything."""


class Hand(Protocol):
    """One worker, as the sweep knows it."""

    name: str

    @property
    def alive(self) -> bool:
        """Whether it may still answer."""

    def greet(self, terms: Terms) -> Future[Greeting]:
        """Let it get ready."""

    def do(self, order: Order) -> Future[Reply]:
        """Let it do a piece; the future fails where the worker is lost."""

    def stop(self, run_id: str) -> None:
        """Let it begin no more requests, at once; never waits."""

    def dismiss(self) -> None:
        """Do without it from now on: it does not answer."""


class Staff(Protocol):
    """Where workers come from."""

    # Whether a piece that is lost may go on by itself, until its lease is over.
    lost_may_go_on: bool
    # What futures fail with where a worker is lost, besides WorkerLost.
    losses: tuple[type[Exception], ...]

    def count(self) -> int:
        """Tell how many workers there can be."""

    def hire(self, count: int) -> Sequence[Hand]:
        """Give that many workers, or as many as there are beyond those given before."""

    def close(self, run_id: str) -> None:
        """Let all of them forget a run, and let go of them."""
