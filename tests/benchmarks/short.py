"""The short form: a minute at most, for every change; it fails on what became far worse.

Walls of a busy machine say little, so it compares processor time with that of
a naive loop in the same run, counts requests and those in flight, and bounds
memory by that of the same program with nothing to do. A measure fails where it
is less than half as good as what was accepted last (`accepted.json`); requests
are the same on any machine, so for them the margin is smaller.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks import table
from benchmarks.ours import Version
from benchmarks.sides import Result, Row, measure
from benchmarks.stub import Stub, World

ACCEPTED = Path(__file__).with_name("accepted.json")
ROUNDS = 3
MARGIN = 2.0
CLEANED = 120
REQUESTS = "cleaning: uploads for each request of the whole chain"
MARGINS = {REQUESTS: 1.2}

ROWS = (
    Row("list", "s3", "list", World(20_000, stale_every=0), ("SDK loop", "janitor scan")),
    Row("clean", "s3", "clean", World(CLEANED), ("SDK loop",)),
    Row("clean-20ms", "s3", "clean", World(CLEANED, latency=20), ("janitor",)),
    Row("start", "s3", "list", World(1, stale_every=0), ("SDK loop", "janitor scan")),
)

Medians = Callable[[str, str, str], float]

# Each so that more is better; of the medians of a row's client.
MEASURES: Mapping[str, Callable[[Medians], float]] = {
    "listing: processor time of a naive loop, over ours": lambda median: (
        median("list", "SDK loop", "processor") / median("list", "janitor scan", "processor")
    ),
    "cleaning: processor time of a naive loop, over that of the whole chain": lambda median: (
        median("clean", "SDK loop", "processor") / median("clean-20ms", "janitor", "processor")
    ),
    "starting: processor time of a naive program, over ours": lambda median: (
        median("start", "SDK loop", "processor") / median("start", "janitor scan", "processor")
    ),
    "cleaning: requests in flight": lambda median: median("clean-20ms", "janitor", "in_flight"),
    REQUESTS: lambda median: CLEANED / median("clean-20ms", "janitor", "requests"),
    "listing: memory with nothing to list, over that with 20,000 uploads": lambda median: (
        median("start", "janitor scan", "memory") / median("list", "janitor scan", "memory")
    ),
}


def run(stub: Stub, version: Version) -> tuple[Sequence[Result], Mapping[str, float]]:
    """Measure; raise RuntimeError where a client did not do its work."""
    results = measure(ROWS, stub, ROUNDS, version)
    for result in results:
        for client in result.clients:
            if not client.worked:
                msg = f"{result.row.name}: {client.name}: {client.trouble}"
                raise RuntimeError(msg)
    rows = {result.row.name: table.as_json(result) for result in results}

    def median(row: str, name: str, what: str) -> float:
        (client,) = (found for found in rows[row]["clients"] if found["name"] == name)
        return table.middle(client, what)

    return results, {name: round(of(median), 4) for name, of in MEASURES.items()}


def judged(measured: Mapping[str, float], accepted: Mapping[str, float]) -> Sequence[str]:
    """Name every measure that became worse than it may."""
    return [
        f"{name}: {value:.2f}, accepted was {accepted[name]:.2f}"
        for name, value in measured.items()
        if value * MARGINS.get(name, MARGIN) < accepted[name]
    ]


def rendered(measured: Mapping[str, float], accepted: Mapping[str, float]) -> str:
    """Show each measure beside what was accepted."""
    lines = [f"{'now':>6} {'accepted':>8}  more is better"]
    lines += [
        f"{value:>6.2f} {accepted.get(name, 0):>8.2f}  {name}" for name, value in measured.items()
    ]
    return "\n".join(lines)


def accepted() -> Mapping[str, float]:
    """Read what was accepted last."""
    found: Mapping[str, float] = json.loads(ACCEPTED.read_text(encoding="utf-8"))
    return found


def accept(measured: Mapping[str, float]) -> None:
    """Write what shall count from now on."""
    ACCEPTED.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
