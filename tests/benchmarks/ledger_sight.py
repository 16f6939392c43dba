"""How fast candidates are sighted; run it: `python tests/benchmarks/ledger_sight.py [COUNT] [URL]`.

Without a URL it measures a SQLite file in the directory for temporary files.
Candidates are made in batches, as a listing gives them; making them is not
measured. Each figure is given by the wall clock and by the time of our own
processor. What the disk does is in the first only, and so is whatever else
the machine is doing.
"""

from __future__ import annotations

import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from janitor.ledger import Ledger, open_ledger
from janitor.ledger.types import RunHeader, Seen
from janitor.model import ContainerRef, Upload

COUNT = 100_000
BATCHES = (1_000, 10_000)
NOW = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def main() -> None:
    """Measure a new ledger, or that of the command line."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "janitor.db")
        url = sys.argv[2] if len(sys.argv) > 2 else f"sqlite:///{path}"
        for batch in BATCHES:
            with open_ledger(url) as ledger:
                _measure(ledger, count, batch)
            if path.exists():
                _say(f"  {path.stat().st_size / count:.0f} bytes for each candidate")
                path.unlink()


def _measure(ledger: Ledger, count: int, batch: int) -> None:
    """Sight all for the first time, then again, as the next run does, and look them up."""
    run = uuid.uuid4().hex
    where = ContainerRef("lake", "s3", run)
    ledger.begin(RunHeader(run, "enforce", NOW, "0", "c", ()))
    _say(f"{count} candidates in batches of {batch}")
    for name, at in (("first sight", NOW), ("second sight", NOW + HOUR)):

        def sight(seen: list[Seen], at: datetime = at) -> object:
            return ledger.sight(where, run, at, seen)

        _time(name, count, sight, _listing(where, count, batch))

    def look_up(seen: list[Seen]) -> object:
        return ledger.sightings(where, [each.upload.identity for each in seen], NOW + HOUR)

    _time("looking up", count, look_up, _listing(where, count, batch))
    begun = time.perf_counter()
    ledger.prune(NOW + 2 * HOUR)
    _say(f"  {'pruning nothing':16} {1000 * (time.perf_counter() - begun):9.0f} ms")


def _listing(where: ContainerRef, count: int, batch: int) -> Iterator[list[Seen]]:
    """List candidates with keys of 60 characters and upload ids of 100."""
    for start in range(0, count, batch):
        yield [
            Seen(
                Upload(
                    where,
                    f"{f'backup/2026/host-{n:08}/':-<51}/disk.img",
                    f"{n:0100}",
                    NOW - 9 * HOUR,
                ),
                f"{n:064}",
                5 * 1024**2,
            )
            for n in range(start, min(count, start + batch))
        ]


def _time(
    name: str, count: int, deed: Callable[[list[Seen]], object], listing: Iterator[list[Seen]]
) -> None:
    wall = own = 0.0
    for seen in listing:
        wall_before, own_before = time.perf_counter(), time.process_time()
        deed(seen)
        wall += time.perf_counter() - wall_before
        own += time.process_time() - own_before
    _say(f"  {name:16} {count / wall:9.0f}/s, processor alone {count / own:9.0f}/s")


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201  # this is what it is run for


if __name__ == "__main__":
    main()
