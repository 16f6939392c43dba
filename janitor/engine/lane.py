"""What all lanes have in common: works of items, and errands for whoever wants a future."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, Protocol, TypeVar

from janitor.engine.flow import Flow
from janitor.engine.slots import Endpoint
from janitor.fibers import fulfil

P = ParamSpec("P")
T = TypeVar("T")


class Job(Protocol):
    """What is done with an item; must not raise."""

    def __call__(self, item: Any, /) -> None:
        """Do it with one of the items that are in the queue."""


class Work:
    """Items in the order in which they are to be begun, and what is to be done with each."""

    __slots__ = ("do", "items")

    def __init__(self, do: Job) -> None:
        self.do = do
        self.items: deque[Any] = deque()


class Works:
    """The works of a lane that have items; not for use by several threads at once."""

    __slots__ = ("_turns",)

    def __init__(self) -> None:
        self._turns: deque[Work] = deque()

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return bool(self._turns)

    def add(self, work: Work, items: Sequence[Any]) -> None:
        """Add items to a work."""
        if not work.items:
            self._turns.append(work)
        work.items.extend(items)

    def drop(self, work: Work) -> int:
        """Forget the items of a work; tell how many."""
        dropped = len(work.items)
        if dropped:
            work.items.clear()
            self._turns.remove(work)
        return dropped

    def take(self) -> tuple[Work, Any]:
        """Take the next item of the work whose turn it is; there must be one."""
        work = self._turns[0]
        item = work.items.popleft()
        if not work.items:
            self._turns.popleft()
        elif len(self._turns) > 1:
            self._turns.rotate(-1)
        return work, item


class Lane(Executor):
    """Where the jobs of one target are done, one kind of work at a time or several in turn."""

    def __init__(self, flow: Flow, endpoint: Endpoint) -> None:
        self._flow = flow
        self._endpoint = endpoint
        self._errands = Work(_run_errand)
        self._works = Works()
        self._dismissed = False

    @property
    def endpoint(self) -> Endpoint:
        """Whose lane it is."""
        return self._endpoint

    @abstractmethod
    def feed(self, work: Work, items: Sequence[Any]) -> None:
        """Add items to a work; RuntimeError where nothing can be begun."""

    @abstractmethod
    def drop(self, work: Work) -> int:
        """Forget the items of a work that were not begun; tell how many."""

    def submit(
        self, function: Callable[P, T], /, *arguments: P.args, **named: P.kwargs
    ) -> Future[T]:
        """Run a function among the jobs."""
        future: Future[T] = Future()
        self.feed(self._errands, [(future, function, arguments, named)])
        return future

    def arrive(self) -> None:
        """Say that there is work for the target, so that something is kept for it."""
        self._flow.arrive(self._endpoint)

    def depart(self) -> None:
        """Say that it is done."""
        self._flow.depart(self._endpoint)

    def _add(self, work: Work, items: Sequence[Any]) -> None:
        if self._dismissed:
            message = "the crew was dismissed"
            raise RuntimeError(message)
        self._works.add(work, items)

    def cancel_errands(self) -> None:
        """Let nobody wait for errands that were not begun."""
        for future, *_ in self._errands.items:
            future.cancel()


def _run_errand(errand: tuple[Future[Any], Callable[..., Any], Any, Any]) -> None:
    future, function, arguments, named = errand
    if not future.set_running_or_notify_cancel():
        return
    fulfil(future, lambda: function(*arguments, **named))
