"""Starts children of `child_sweep`, waits for their markers, sends them signals, and buries them.

The children are forked by a server that has imported everything: real processes
with pids and exit codes of their own, in a twentieth of the time.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing import forkserver
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from support.child_sweep import ERRORS, NO_JUMP, REPORT, Orders, main

_PATIENCE = 60.0


@contextmanager
def nursery() -> Iterator[None]:
    """Start the server that forks the children, with the same modules to import as we have."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        multiprocessing.get_context("forkserver").set_forkserver_preload(["support.child_warm"])
        forkserver.ensure_running()
    yield


class Child:
    """One janitor in a process of its own; leaving the block ends it, whatever happened."""

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        for name in (ERRORS, REPORT):
            (orders.folder / name).unlink(missing_ok=True)
        context = multiprocessing.get_context("forkserver")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=main, args=(orders, theirs))
        self._process.start()
        theirs.close()
        self.heard: list[tuple[str, ...]] = []

    def __enter__(self) -> Self:
        """Use it in a `with`."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill it if it is still there, and wait for its end."""
        self.kill()
        self._process.join(_PATIENCE)
        self._process.close()
        self._pipe.close()

    @property
    def pid(self) -> int:
        """Its process id."""
        pid = self._process.pid
        assert pid is not None
        return pid

    def errors(self) -> str:
        """Give what it wrote on standard error."""
        return (self.orders.folder / ERRORS).read_text("utf-8")

    def output(self) -> str:
        """Give what it wrote on standard output."""
        return (self.orders.folder / REPORT).read_text("utf-8")

    def hear(self) -> tuple[str, ...] | None:
        """Give the next thing that it says; None when it has ended."""
        if not self._pipe.poll(_PATIENCE):
            msg = f"the child says nothing; so far {self.heard}"
            raise AssertionError(msg)
        try:
            words: tuple[str, ...] = self._pipe.recv()
        except (EOFError, ConnectionResetError):
            return None
        self.heard.append(words)
        return words

    def wait_until_held(self) -> str:
        """Wait until it is held at its marker; give the id of the upload that it is about."""
        words = self._wait_for("at", self.orders.hold_at)
        return words[2]

    def wait_until_stopping(self) -> None:
        """Wait until it has taken a signal for a wish to stop."""
        self._wait_for("stopping")

    def wait_until_workers_know(self) -> None:
        """Wait until its only worker has heard that nothing more is to be begun."""
        if ("told",) not in self.heard:
            self._wait_for("told")

    def passed(self, marker: str) -> list[str]:
        """Give the uploads that came by a marker so far."""
        while self._pipe.poll(0) and self.hear() is not None:
            pass
        return [words[2] for words in self.heard if words[:2] == ("passed", marker)]

    def let_go(self, jump: timedelta = NO_JUMP) -> None:
        """Let it go on, with its wall clock moved by so much."""
        self._pipe.send(jump)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def suspend(self) -> None:
        """Stop it, and wait until every thread of it stands still."""
        self.send(signal.SIGSTOP)
        begun = time.monotonic()
        while set(self._states()) != {"T"}:
            assert time.monotonic() - begun < _PATIENCE, "the child does not stop"
            threading.Event().wait(0.01)

    def _states(self) -> list[str]:
        tasks = Path(f"/proc/{self.pid}/task").iterdir()
        return [(task / "stat").read_text("utf-8").rpartition(")")[2].split()[0] for task in tasks]

    def kill(self) -> None:
        """Kill it, if it has not ended meanwhile."""
        self._process.kill()

    def end(self) -> int:
        """Wait for its end; give its exit code, -9 after SIGKILL."""
        self._process.join(_PATIENCE)
        code = self._process.exitcode
        assert code is not None, f"the child does not end; it said {self.heard}"
        return code

    def _wait_for(self, *wanted: str) -> tuple[str, ...]:
        while (words := self.hear()) is not None:
            if words[: len(wanted)] == wanted:
                return words
        msg = f"the child never said {' '.join(wanted)!r}: {self.heard}\n{self.errors()}"
        raise AssertionError(msg)
