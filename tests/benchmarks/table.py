"""Shows results: a table for 80 columns, out of the JSON that keeps all that was measured."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.sides import Client, Result

# What JSON gives back.
Json = Mapping[str, Any]

# Name, wall, processor, memory, requests, in flight, times faster, target.
LINE = "{:<18} {:>8} {:>8} {:>6} {:>9} {:>6} {:>7} {:>7}"
HEAD = LINE.format("", "seconds", "CPU s", "MiB", "requests", "flight", "faster", "target")
WIDTH = 80
SERVICES = {"s3": "S3", "glacier": "Glacier", "qingstor": "QingStor"}
A_LOT, SOME = 10, 1


def as_json(result: Result) -> Json:
    """Give all that was measured for a row, run by run."""
    row = result.row
    return {
        "name": row.name,
        "service": row.service,
        "job": row.job,
        "uploads": row.world.total,
        "containers": row.world.containers,
        "latency_ms": row.world.latency,
        "machine": machine(),
        "load": round(os.getloadavg()[0]),
        "clients": [_client(result, client) for client in result.clients],
    }


def _client(result: Result, client: Client) -> Json:
    found: dict[str, object] = {"name": client.name, "trouble": client.trouble}
    if not client.samples:
        return found
    samples = client.samples
    counters = samples[-1].counters
    return found | {
        "times_faster": result.times_faster(client),
        "target": result.row.targets.get(client.name),
        "wall": [round(sample.cost.wall, 3) for sample in samples],
        "processor": [round(sample.cost.processor, 3) for sample in samples],
        "memory": [round(sample.cost.memory, 1) for sample in samples],
        "start": [round(sample.start, 3) for sample in samples],
        "requests": [sample.requests for sample in samples],
        "in_flight": [sample.counters["most_in_flight"] for sample in samples],
        "counters": {name: counters[name] for name in counters if name != "first_request"},
    }


def machine() -> str:
    """Say where this was measured."""
    return (
        f"{os.cpu_count()} processors, {platform.machine()}, {platform.system()},"
        f" Python {platform.python_version()}"
    )


def rendered(rows: Sequence[Json]) -> str:
    """Give the whole table."""
    lines = [HEAD]
    for row in rows:
        lines += ["", title(row) + _rounds(row), *(_line(client) for client in row["clients"])]
    return "\n".join(lines)


def title(row: Json) -> str:
    """Say what the work is."""
    kind = "vault" if row["service"] == "glacier" else "bucket"
    many = "" if row["containers"] == 1 else "s"
    return (
        f"{SERVICES[row['service']]}: {row['job']} {row['uploads']:,} uploads,"
        f" {row['containers']} {kind}{many}, {row['latency_ms']} ms"
    )


def _rounds(row: Json) -> str:
    rounds = max((len(client.get("wall", ())) for client in row["clients"]), default=0)
    return f" ({rounds} rounds)" if rounds > 1 else ""


def middle(client: Json, what: str) -> float:
    """Give the median of a client's runs."""
    return float(statistics.median(client[what]))


def _line(client: Json) -> str:
    if "wall" not in client:
        return f"{client['name']:<18} {client['trouble']}"[:WIDTH]
    line = LINE.format(
        client["name"],
        f"{middle(client, 'wall'):.2f}",
        f"{middle(client, 'processor'):.2f}",
        f"{middle(client, 'memory'):.0f}",
        f"{middle(client, 'requests'):,.0f}",
        f"{middle(client, 'in_flight'):.0f}",
        times(client["times_faster"]),
        "" if client["target"] is None else f"{client['target']:g}",
    ).rstrip()
    return f"{line}\n  NOT DONE: {client['trouble']}"[: 2 * WIDTH] if client["trouble"] else line


def times(ratio: float | None) -> str:
    """Write how many times faster, with two or three digits that mean something."""
    if ratio is None:
        return "-"
    return f"{ratio:.0f}" if ratio >= A_LOT else f"{ratio:.1f}" if ratio >= SOME else f"{ratio:.2f}"


def targets(rows: Sequence[Json]) -> Iterator[tuple[str, float, float | None]]:
    """Give every target of these rows: of what, at least how many times, and what it is."""
    for row in rows:
        for client in row["clients"]:
            if client.get("target") is not None:
                yield f"{title(row)}: {client['name']}", client["target"], client["times_faster"]
