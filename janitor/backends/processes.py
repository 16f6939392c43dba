"""Workers that are processes of this machine: each with a pipe of its own, none forked.

A worker that dies takes nothing with it but its own pieces. When we die, every
worker ends at once: its pipe is closed, and nobody could hear what it did.
"""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, ParamSpec, TypeVar

from janitor.backends import tasks
from janitor.backends.cpus import usable
from janitor.backends.pieces import Greeting, Order, Reply, Terms
from janitor.backends.staff import Hand, WorkerLost

STANDARD_ERROR = 2
# How long a worker may take to end, in seconds, before it is killed.
END = 5.0

P = ParamSpec("P")
T = TypeVar("T")


class Worker(Executor):
    """A process that runs functions, each in a thread of its own; `MAIN` is its main program."""

    MAIN = "janitor.backends.child"

    def __init__(self, number: int) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  # ourselves
                [sys.executable, "-m", self.MAIN, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                # What goes to standard output is the report, and nothing else.
                stdout=STANDARD_ERROR,
                pass_fds=(theirs.fileno(),),
            )
        self.name = f"process-{number}"
        self._pipe = Connection(ours.detach())
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[Any]] = {}
        self._count = 0
        self._gone = False
        self._how = "is gone"
        self._reader = threading.Thread(target=self._read, name=self.name, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it may still answer."""
        return not self._gone

    def submit(
        self, function: Callable[P, T], /, *arguments: P.args, **named: P.kwargs
    ) -> Future[T]:
        """Run a function there; the future fails with WorkerLost where the worker is lost."""
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        with self._lock:
            self._count += 1
            number = self._count
            message = pickle.dumps((number, function, arguments, named))
            if self._gone:
                future.set_exception(self._lost())
                return future
            self._waiting[number] = future
            try:
                self._pipe.send_bytes(message)
            except OSError:
                del self._waiting[number]
                future.set_exception(self._lost())
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002  # as its base has it
        """Let it end; kill it if it does not, and if somebody waits for that."""
        self._hang_up()
        if wait:
            try:
                self._process.wait(END)
            except subprocess.TimeoutExpired:
                self.kill()

    def _hang_up(self) -> None:
        with self._lock:
            self._gone = True
            if self._pipe.closed:
                return
            # What the reader waits for is an end of the pipe, and closing is none.
            pipe = socket.socket(fileno=os.dup(self._pipe.fileno()))
        with pipe, suppress(OSError):  # it went first
            pipe.shutdown(socket.SHUT_RDWR)
        self._reader.join()
        self._pipe.close()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def _read(self) -> None:
        try:
            while self._has_answered():
                pass
        except Exception as error:  # noqa: BLE001  # whatever bytes may do; whoever waits is told
            self._how = f"answers what cannot be read ({type(error).__name__}: {error})"
            # Nobody will hear what it does from now on, so it must do nothing.
            self.kill()
        with self._lock:
            self._gone = True
            waiting, self._waiting = list(self._waiting.values()), {}
        for future in waiting:
            future.set_exception(self._lost())

    def _has_answered(self) -> bool:
        """Take one answer; tell whether there was one. Raises anything where it is none."""
        try:
            message = self._pipe.recv_bytes()
        except (EOFError, OSError):
            return False
        number, result, error = pickle.loads(message)  # noqa: S301  # our own child
        with self._lock:
            future = self._waiting.pop(number)
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
        return True

    def _lost(self) -> WorkerLost:
        return WorkerLost(self._how)

    def greet(self, terms: Terms) -> Future[Greeting]:
        """Let it get ready."""
        return self.submit(tasks.greet, terms)

    def do(self, order: Order) -> Future[Reply]:
        """Let it do a piece."""
        return self.submit(tasks.do, order)

    def stop(self, run_id: str) -> None:
        """Let it begin no more requests."""
        self.submit(tasks.stop, run_id)

    def dismiss(self) -> None:
        """Do without it: it is ended, whatever it does."""
        if self._process.poll() is None:
            self.kill()


class Processes:
    """The workers of one machine."""

    # What is killed here is dead.
    lost_may_go_on = False
    losses: tuple[type[Exception], ...] = ()

    def __init__(self, make: Callable[[int], Worker] = Worker) -> None:
        self.workers: list[Worker] = []
        self._make = make

    def count(self) -> int:
        """Count the CPUs that we may use."""
        return usable()

    def hire(self, count: int) -> Sequence[Hand]:
        """Start so many."""
        hired = [self._make(len(self.workers) + number) for number in range(count)]
        self.workers += hired
        return hired

    def close(self, run_id: str) -> None:
        """End all of them."""
        del run_id
        for worker in self.workers:
            worker.shutdown(wait=False)
        for worker in self.workers:
            worker.shutdown()
        self.workers.clear()
