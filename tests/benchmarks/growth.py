"""How time, memory and requests grow with the work, one run for each size and client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from benchmarks import table
from benchmarks.ours import Version
from benchmarks.sides import Row, measure, tell
from benchmarks.stub import Stub, World
from benchmarks.table import Json

# Each step is ten times the one before, but the last.
SMALLEST: Mapping[str, int] = {"list": 10_000, "judge": 10_000, "clean": 1_000, "accounts": 10}
LARGEST: Mapping[str, int] = {
    "list": 1_000_000,
    "judge": 1_000_000,
    "clean": 100_000,
    "accounts": 2_000,
}
CLIENTS: Mapping[str, Sequence[str]] = {
    "list": ("rclone", "SDK loop", "janitor"),
    "judge": ("janitor, judging",),
    "clean": ("rclone", "SDK loop", "janitor"),
    "accounts": ("janitor, accounts",),
}
WORDS: Mapping[str, str] = {
    "list": "uploads listed, none of them stale; 1 bucket, 0 ms",
    "judge": "uploads listed and a tenth of them looked at and marked; 1 bucket, 0 ms",
    "clean": "uploads aborted by the full safety chain; 1 bucket, 0 ms",
    "accounts": "accounts with a role to assume, each with one bucket and one upload; 0 ms",
}
# Beyond this rclone needs gigabytes; only we go on.
OTHERS_UP_TO = 1_000_000


def grow(job: str, stub: Stub, largest: int | None, version: Version) -> Sequence[Json]:
    """Give a point for each size and client: what it took."""
    points = []
    for size in _sizes(SMALLEST[job], largest or LARGEST[job]):
        names = CLIENTS[job] if size <= OTHERS_UP_TO else CLIENTS[job][-1:]
        row = Row(
            f"{job}-{size}", "s3", "clean" if job == "clean" else "list", _world(job, size), names
        )
        (result,) = measure([row], stub, 1, version)
        points += [_point(size, client) for client in table.as_json(result)["clients"]]
        tell(rendered({job: points}))
    return points


def _sizes(smallest: int, largest: int) -> Iterator[int]:
    """Give tenfold sizes up to the largest, which is the last one."""
    size = smallest
    while size < largest:
        yield size
        size *= 10
    yield largest


def _world(job: str, size: int) -> World:
    if job == "accounts":
        return World(1, size, stale_every=0)
    return World(size, stale_every={"list": 0, "judge": 10, "clean": 1}[job])


def _point(size: int, client: Json) -> Json:
    if "wall" not in client or client["trouble"]:
        return {"size": size, "name": client["name"], "trouble": client["trouble"]}
    names = ("wall", "processor", "memory", "requests")
    return {"size": size, "name": client["name"]} | {n: table.middle(client, n) for n in names}


def rendered(grown: Mapping[str, Sequence[Json]]) -> str:
    """Show all points, for 80 columns."""
    lines = []
    for job, words in WORDS.items():
        if job not in grown:
            continue
        lines += ["", words]
        lines.append(f"{'':>11} {'':<18} {'seconds':>9} {'CPU s':>9} {'MiB':>7} {'requests':>11}")
        lines += [_line(point) for point in grown[job]]
    return "\n".join(lines[1:])


def _line(point: Json) -> str:
    start = f"{point['size']:>11,} {point['name']:<18}"
    if "wall" not in point:
        return f"{start} {point['trouble']}"
    return (
        f"{start} {point['wall']:>9.2f} {point['processor']:>9.2f} {point['memory']:>7.0f}"
        f" {point['requests']:>11,.0f}"
    )
