"""Janitors in processes of their own, to be killed: each says on standard output how far it came.

Run as `python -m support.ledger_child VERB URL`.
"""

from __future__ import annotations

import itertools
import os
import pwd
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

from janitor.fibers import Hub
from janitor.ledger import Ledger, LedgerError, open_ledger
from janitor.sharding import Shard
from support.ledger_samples import HOUR, LAKE, NOW, decision_of, header_of, seen_of

TESTS = Path(__file__).parents[1]
THREADS = 32


@contextmanager
def child(verb: str, url: str, *, user: str = "") -> Iterator[subprocess.Popen[str]]:
    """Start a child, perhaps as another user; it is killed in the end, if it still lives."""
    process = subprocess.Popen(  # noqa: S603  # our own interpreter and program
        [sys.executable, "-W", "error", "-m", "support.ledger_child", verb, url, user],
        env=os.environ | {"PYTHONPATH": str(TESTS), "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def lines(process: subprocess.Popen[str], count: int) -> list[str]:
    """Wait for some lines of a child; fail when it ends before."""
    assert process.stdout is not None
    found = [line.rstrip("\n") for line in itertools.islice(process.stdout, count)]
    assert count == len(found)
    return found


def rest(process: subprocess.Popen[str]) -> list[str]:
    """Give all lines to the end of a child."""
    assert process.stdout is not None
    return [line.rstrip("\n") for line in process.stdout]


def _say(word: object) -> None:
    # Whole lines at once: several threads may speak at the same time.
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def _intend(url: str) -> None:
    """Intend without end, and say each number when it is safe."""
    with open_ledger(url) as ledger:
        for number in itertools.count():
            _say(ledger.intend("run-1", NOW, decision_of(f"id-{number}")))


def _intend_in_threads(url: str) -> None:
    """Intend without end in many threads, and say each number when it is safe."""
    with open_ledger(url) as ledger, ThreadPoolExecutor(THREADS) as threads:

        def work(thread: int) -> None:
            for number in itertools.count():
                _say(ledger.intend("run-1", NOW, decision_of(f"id-{thread}-{number}")))

        list(threads.map(work, range(THREADS)))


def _abort_in_threads(url: str) -> None:
    """Intend and conclude without end in many threads, and say which of both is safe of what."""
    with open_ledger(url) as ledger, ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(_abort, [ledger] * THREADS, range(THREADS)))


def _abort_in_fibers(url: str) -> None:
    """Do the same in many fibers of one thread."""
    hub = Hub()
    with open_ledger(url) as ledger:
        for fiber in range(THREADS):
            hub.begin(partial(_abort, ledger, fiber))
        sys.stdin.read()


def _abort(ledger: Ledger, worker: int) -> None:
    for number in itertools.count():
        intent = ledger.intend("run-1", NOW, decision_of(f"id-{worker}-{number}"))
        _say(f"intended {intent}")
        ledger.conclude(intent, NOW, "aborted", size_freed=5)
        _say(f"concluded {intent}")


def _full_in_threads(url: str) -> None:
    """Do the same until the files may not grow any more, and say what each thread was told."""
    size = Path(url.removeprefix("sqlite:///")).stat().st_size
    with open_ledger(url) as ledger, ThreadPoolExecutor(THREADS) as threads:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 500_000, size + 500_000))
        list(threads.map(_until_error, [ledger] * THREADS))


def _sight(url: str) -> None:
    """Sight without end, and say each number when it is safe."""
    with open_ledger(url) as ledger:
        for number in itertools.count():
            ledger.sight(LAKE, "run-1", NOW, [seen_of(f"id-{number}-{n}") for n in range(50)])
            _say(number)


def _full(url: str) -> None:
    """Intend until the files may not grow any more, and say what was told then."""
    size = Path(url.removeprefix("sqlite:///")).stat().st_size
    with open_ledger(url) as ledger:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100_000, size + 100_000))
        _until_error(ledger)


def _until_error(ledger: Ledger) -> None:
    try:
        for number in itertools.count():
            _say(ledger.intend("run-1", NOW + HOUR, decision_of(f"id-{number}")))
    except LedgerError as error:
        _say(error)


def _no_room(url: str) -> None:
    """Open a ledger where no file may grow at all."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    _open(url)


def _open(url: str) -> None:
    """Open a ledger, begin, and say what was told."""
    try:
        with open_ledger(url, patience=timedelta(0)) as ledger:
            _say(ledger.begin(header_of("run-of-child")))
    except LedgerError as error:
        _say(error)


def _read(url: str) -> None:
    """Read a ledger and say its runs."""
    with open_ledger(url, read_only=True) as ledger:
        _say([run.run_id for run in ledger.history(9)])


def _hold(url: str) -> None:
    """Hold the lock until the parent ends us."""
    with open_ledger(url) as ledger, ledger.lock():
        _say("held")
        sys.stdin.read()


def _hold_shard(url: str) -> None:
    """Hold the lock of the first of two shards until the parent ends us."""
    with open_ledger(url, shard=Shard(0, 2)) as ledger, ledger.lock():
        _say("held")
        sys.stdin.read()


def _fork(url: str) -> None:
    """Hold the lock, and leave a forked child behind that lives longer."""
    with open_ledger(url) as ledger, ledger.lock():
        if os.fork() == 0:
            _say("forked")
            sys.stdin.read()
            os._exit(0)
        sys.stdin.read()


def _fork_and_go_on(url: str) -> None:
    """Hold the lock, let a forked child unwind its copy, and intend."""
    ledger = open_ledger(url)
    ledger.begin(header_of("run-of-child"))
    with ledger.lock():
        pid = os.fork()
        if pid:
            os.waitpid(pid, 0)
            _say(ledger.intend("run-of-child", NOW, decision_of()))
    if pid:
        ledger.close()
    else:
        os._exit(0)


VERBS: dict[str, Callable[[str], None]] = {
    "intend": _intend,
    "intend-in-threads": _intend_in_threads,
    "abort-in-threads": _abort_in_threads,
    "abort-in-fibers": _abort_in_fibers,
    "full-in-threads": _full_in_threads,
    "sight": _sight,
    "full": _full,
    "no-room": _no_room,
    "open": _open,
    "read": _read,
    "hold": _hold,
    "hold-shard": _hold_shard,
    "fork": _fork,
    "fork-and-go-on": _fork_and_go_on,
}

if __name__ == "__main__":
    if sys.argv[3]:
        # Only now: that user may not be able to read our interpreter.
        os.setgroups([])
        os.setuid(pwd.getpwnam(sys.argv[3]).pw_uid)
    VERBS[sys.argv[1]](sys.argv[2])
