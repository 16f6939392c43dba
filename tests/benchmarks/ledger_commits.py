"""What intents and conclusions cost: `python tests/benchmarks/ledger_commits.py [URL]`.

Threads, fibers, or one thread with batches at hand intend and conclude, as a
sweep does around each abort. Beside them, in the same run, every entry has a
commit of its own. All ways take turns, and the medians are told: the time of
our own processor for each upload, intent and conclusion together, and
uploads for each second by the wall clock.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

from janitor.fibers import AVAILABLE, Hub
from janitor.ledger import Ledger, chain, open_ledger
from janitor.ledger.appending import LARGEST, Ticket, asked_of
from janitor.ledger.types import RunHeader
from janitor.model import Activity, ContainerRef, Decision, Reason, Upload, Verdict

ROUNDS = 5
UPLOADS = 2048
NOW = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
SOON = NOW + timedelta(seconds=1)
WHERE = ContainerRef("lake", "s3", "raw")
PARTS = Activity(known=True, complete=True, parts=1, size=5, last_part=NOW)

Way = Callable[[Ledger, str, int], None]


def main() -> None:
    """Measure a new SQLite file, or the ledger of the command line."""
    with tempfile.TemporaryDirectory() as directory:
        url = sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{directory}/janitor.db"
        with open_ledger(url) as ledger, ledger.lock():
            run = uuid.uuid4().hex
            ledger.begin(RunHeader(run, "enforce", NOW, "0", "c", ()))
            hub = Hub()
            _compare(ledger, run, hub)
            hub.close()
            _say(f"{'; '.join(ledger.audit()) or 'the chain is whole'}, {ledger.head().count} rows")


def _ways(hub: Hub) -> dict[str, tuple[int, Way]]:
    """Give each way by its name, with the most entries that share a commit."""
    ways: dict[str, tuple[int, Way]] = {"64 threads, one commit each": (1, partial(_threads, 64))}
    for count in (1, 8, 64, 256):
        ways[f"{count} threads"] = (LARGEST, partial(_threads, count))
    if AVAILABLE:
        for count in (64, 512):
            ways[f"{count} fibers"] = (LARGEST, partial(_fibers, hub, count))
    for count in (64, 512):
        ways[f"batches of {count}"] = (LARGEST, partial(_fed, count))
    return ways


def _compare(ledger: Ledger, run: str, hub: Hub) -> None:
    ways = _ways(hub)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, (largest, way) in ways.items():
            ledger._journal._end._together._largest = largest  # noqa: SLF001  # no user may choose
            count = UPLOADS if largest > 1 and name != "1 threads" else UPLOADS // 16
            wall, own = time.perf_counter(), time.process_time()
            way(ledger, run, count)
            wall, own = time.perf_counter() - wall, time.process_time() - own
            found[name].append((own / count, count / wall))
    for name, costs in found.items():
        own, rate = (statistics.median(values) for values in zip(*costs, strict=True))
        _say(f"{name:28} {1_000_000 * own:6.0f} us of processor, {rate:7.0f} uploads/s")


def _threads(threads: int, ledger: Ledger, run: str, count: int) -> None:
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(partial(_around_an_abort, ledger, run), range(count)))


def _fibers(hub: Hub, fibers: int, ledger: Ledger, run: str, count: int) -> None:
    numbers, ended = iter(range(count)), threading.Semaphore(0)

    def work() -> None:
        for number in numbers:
            _around_an_abort(ledger, run, number)
        ended.release()

    for _ in range(fibers):
        hub.begin(work)
    for _ in range(fibers):
        ended.acquire()


def _around_an_abort(ledger: Ledger, run: str, number: int) -> None:
    intent = ledger.intend(run, NOW, _decision(number))
    ledger.conclude(intent, SOON, "aborted", size_freed=5)


def _fed(size: int, ledger: Ledger, run: str, count: int) -> None:
    """Write entries that wait already: what the threads do without their waiting."""
    journal, asked = ledger._journal, list[chain.Entry]()  # noqa: SLF001  # nobody else can
    end = journal._end  # noqa: SLF001
    append, step = end.append, end._append_all  # noqa: SLF001

    def write() -> Iterator[int]:
        tickets = [Ticket(asked_of(entry)) for entry in asked]
        asked.clear()
        step(lambda: tickets)
        return (ticket.given or 0 for ticket in tickets)

    def note(entry: chain.Entry) -> int:
        asked.append(entry)
        return 0

    end.append = note  # type: ignore[method-assign]
    try:
        for begin in range(0, count, size):
            for number in range(begin, begin + size):
                journal.intend(run, NOW, _decision(number))
            for intent in write():
                journal.conclude(intent, SOON, "aborted", size_freed=5, error=None)
            write()
    finally:
        end.append = append  # type: ignore[method-assign]


def _decision(number: int) -> Decision:
    name = f"{f'backup/2026/host-{number:08}/':-<51}/disk.img"
    upload = Upload(WHERE, name, f"{number:0100}", NOW)
    return Decision(upload, Verdict.ABORT, Reason.STALE, "default", NOW, PARTS)


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201  # this is what it is run for


if __name__ == "__main__":
    main()
