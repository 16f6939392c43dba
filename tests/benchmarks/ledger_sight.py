"""How fast the ledger is; run by hand: `python tests/benchmarks/ledger_sight.py [URL]`.

Without a URL it measures a SQLite file in the directory for temporary files.
Each figure is given by the wall clock and by the time of our own processor.
"""

from __future__ import annotations

import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from janitor.ledger import Ledger, open_ledger
from janitor.ledger.types import RunHeader, Seen
from janitor.model import ContainerRef, Decision, Reason, Upload, Verdict

CANDIDATES = 100_000
INTENTS = 500
NOW = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@contextmanager
def _measured(what: str, count: int) -> Iterator[None]:
    wall, own = time.perf_counter(), time.process_time()
    yield
    wall, own = time.perf_counter() - wall, time.process_time() - own
    milliseconds = 1000 * wall / count
    print(  # noqa: T201  # this is what it is run for
        f"{what:28} {count / wall:9.0f}/s {milliseconds:8.3f} ms each,"
        f" processor alone {count / own:9.0f}/s"
    )


def measure(ledger: Ledger) -> None:
    """Sight many candidates twice, look them up, and intend some aborts."""
    run = uuid.uuid4().hex
    where = ContainerRef("lake", "s3", run)
    ledger.begin(RunHeader(run, "enforce", NOW, "0", "c", ()))
    seen = [
        Seen(
            Upload(where, f"backup/2026/host-{n:06}/disk.img", f"{n:064}", NOW - 9 * HOUR),
            f"{n:064}",
            5,
        )
        for n in range(CANDIDATES)
    ]
    with _measured("first sight", CANDIDATES):
        ledger.sight(where, run, NOW, seen)
    with _measured("second sight", CANDIDATES):
        ledger.sight(where, run, NOW + HOUR, seen)
    identities = [candidate.upload.identity for candidate in seen]
    with _measured("looking up", CANDIDATES):
        ledger.sightings(where, identities, NOW + HOUR)
    decisions = [
        Decision(candidate.upload, Verdict.ABORT, Reason.STALE, "default")
        for candidate in seen[:INTENTS]
    ]
    with _measured("intending", INTENTS):
        intents = [ledger.intend(run, NOW + HOUR, decision) for decision in decisions]
    with _measured("concluding", INTENTS):
        for intent in intents:
            ledger.conclude(intent, NOW + HOUR, "aborted", size_freed=5)
    with _measured("auditing", 2 * INTENTS):
        ledger.audit()


def main() -> None:
    """Measure the ledger of the command line, or a new one."""
    if len(sys.argv) > 1:
        with open_ledger(sys.argv[1]) as ledger:
            measure(ledger)
        return
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "janitor.db")
        with open_ledger(f"sqlite:///{path}") as ledger:
            measure(ledger)
        size = path.stat().st_size
        print(f"{size / CANDIDATES:.0f} bytes for each candidate")  # noqa: T201  # the same


if __name__ == "__main__":
    main()
