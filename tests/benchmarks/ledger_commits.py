"""What it brings to commit intents together: `python tests/benchmarks/ledger_commits.py [URL]`.

Threads intend and conclude, as a sweep does around each abort. Before, each
was a commit of its own; now one commit serves all who wait. Both ways take
turns, and what counts is the ratio of their medians.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from janitor.ledger import Ledger, open_ledger
from janitor.ledger.appending import LARGEST
from janitor.ledger.types import RunHeader
from janitor.model import ContainerRef, Decision, Reason, Upload, Verdict

THREADS = (1, 8, 64, 256)
ROUNDS = 5
UPLOADS = 512
NOW = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
WHERE = ContainerRef("lake", "s3", "raw")


def main() -> None:
    """Measure a new SQLite file, or the ledger of the command line."""
    with tempfile.TemporaryDirectory() as directory:
        url = sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{directory}/janitor.db"
        with open_ledger(url) as ledger, ledger.lock():
            run = uuid.uuid4().hex
            ledger.begin(RunHeader(run, "enforce", NOW, "0", "c", ()))
            for threads in THREADS:
                _compare(ledger, run, threads)
            _say(f"{'; '.join(ledger.audit()) or 'the chain is whole'}, {ledger.head().count} rows")


def _compare(ledger: Ledger, run: str, threads: int) -> None:
    rates: dict[int, list[float]] = {1: [], LARGEST: []}
    for _ in range(ROUNDS):
        for largest, found in rates.items():
            ledger._journal._end._together._largest = largest  # noqa: SLF001  # no user may choose
            found.append(_rate(ledger, run, threads))
    alone, together = (statistics.median(found) for found in rates.values())
    _say(
        f"{threads:4} threads: one commit each {alone:7.0f} uploads/s,"
        f" together {together:7.0f} uploads/s, {together / alone:5.2f} times"
    )


def _rate(ledger: Ledger, run: str, threads: int) -> float:
    """Intend and conclude for many uploads; give how many a second."""

    def around_an_abort(number: int) -> None:
        upload = Upload(WHERE, f"backup/{number:012}/disk.img", f"{number:064}", NOW)
        decision = Decision(upload, Verdict.ABORT, Reason.STALE, "default")
        intent = ledger.intend(run, NOW, decision)
        ledger.conclude(intent, NOW + timedelta(seconds=1), "aborted", size_freed=5)

    with ThreadPoolExecutor(threads) as pool:
        begun = time.perf_counter()
        list(pool.map(around_an_abort, range(UPLOADS)))
        return UPLOADS / (time.perf_counter() - begun)


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201  # this is what it is run for


if __name__ == "__main__":
    main()
