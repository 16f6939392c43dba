"""What a large ledger answers how fast: `python tests/benchmarks/ledger_large.py [COUNT] [URL]`.

It fills a ledger with so many journal rows (two for each abort) and sightings,
and asks it what a sweep asks. The answers should take as long in a ledger of
10,000, but for pruning, which reads all sightings once, and the audit.
"""

from __future__ import annotations

import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from janitor.ledger import Ledger, chain, open_ledger
from janitor.ledger.appending import LARGEST, Ticket, asked_of
from janitor.ledger.types import RunHeader, Seen
from janitor.model import ContainerRef, ContainerResult, TargetOutcome, Upload

COUNT = 1_000_000
RUNS = 100
BATCH = 10_000
DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
END = START + RUNS * DAY
WHERE = ContainerRef("lake", "s3", "raw")


def main() -> None:
    """Measure a new SQLite file, or the ledger of the command line."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "janitor.db")
        url = sys.argv[2] if len(sys.argv) > 2 else f"sqlite:///{path}"
        with open_ledger(url) as ledger:
            _time(f"filling, {count} rows each", lambda: _fill(ledger, count))
            _ask(ledger)
        if path.exists():
            _say(f"{path.stat().st_size / count:.0f} bytes for a sighting and a journal row")
        _time("opening", lambda: open_ledger(url).close())


def _fill(ledger: Ledger, count: int) -> None:
    for number in range(RUNS):
        run, at = uuid.uuid4().hex, START + number * DAY
        ledger.begin(RunHeader(run, "enforce", at, "0", "c", ()))
        for start in range(0, count // RUNS, BATCH):
            first = number * count // RUNS + start
            last = min(first + BATCH, (number + 1) * count // RUNS)
            ledger.sight(WHERE, run, at, [_seen(n, at) for n in range(first, last)])
        _abort(ledger, run, at, count // RUNS // 2)
        result = ContainerResult(WHERE, TargetOutcome.COMPLETE, at, at, listed=count)
        ledger.record_scans(run, at, [result])
        if number < RUNS - 1:
            ledger.finish(run, at, 0)


def _seen(number: int, at: datetime) -> Seen:
    name = f"{f'backup/2026/host-{number:08}/':-<71}/disk.img"
    return Seen(Upload(WHERE, name, f"{number:064}", at - 9 * DAY), "f", 5)


def _abort(ledger: Ledger, run: str, at: datetime, count: int) -> None:
    """Intend and conclude, in batches as threads would."""
    append = ledger._journal._end._append_all  # noqa: SLF001  # faster than so many threads
    for start in range(0, count, LARGEST):
        numbers = range(start, min(start + LARGEST, count))
        intents: list[Ticket] = [Ticket(asked_of(_intent(run, at, number))) for number in numbers]
        append(lambda intents=intents: intents)  # type: ignore[misc]
        conclusions = [Ticket(asked_of(_conclusion(at, t.given))) for t in intents]
        append(lambda conclusions=conclusions: conclusions)  # type: ignore[misc]


def _intent(run: str, at: datetime, number: int) -> chain.Entry:
    return chain.Entry(
        seq=0,
        kind=chain.INTENT,
        at=at,
        run_id=run,
        target=WHERE.target,
        provider=WHERE.provider,
        container=WHERE.container,
        key=f"{f'backup/2026/host-{number:08}/':-<71}/disk.img",
        upload_id=f"{number:064}",
        initiated=at - 9 * DAY,
        parts=1,
        size=5,
        reason="stale",
        rule="default",
    )


def _conclusion(at: datetime, intent: int | None) -> chain.Entry:
    return chain.Entry(
        seq=0, kind=chain.CONCLUSION, at=at, intent=intent, outcome="aborted", size_freed=5
    )


def _ask(ledger: Ledger) -> None:
    names = [_seen(number, END).upload.identity for number in range(1000)]
    questions: dict[str, Callable[[], object]] = {
        "spent_since, 24 h": lambda: ledger.spent_since(END - DAY, END),
        "spent_by_unfinished_runs": ledger.spent_by_unfinished_runs,
        "open_intents": ledger.open_intents,
        "last_scan": lambda: ledger.last_scan(WHERE),
        "last_completes": ledger.last_completes,
        "1000 sightings": lambda: ledger.sightings(WHERE, names, END),
        "prune, nothing": lambda: ledger.prune(START + DAY),
        "prune, 70 of 100 runs": lambda: ledger.prune(END),
        "prune, after 400 days": lambda: ledger.prune(END + 500 * DAY),
        "audit": ledger.audit,
    }
    for name, ask in questions.items():
        _time(name, ask)


def _time(name: str, deed: Callable[[], object]) -> None:
    begun = time.perf_counter()
    deed()
    _say(f"{name:30} {1000 * (time.perf_counter() - begun):10.1f} ms")


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201  # this is what it is run for


if __name__ == "__main__":
    main()
