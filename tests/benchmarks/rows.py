"""The pieces of work that are compared, with the targets that we set ourselves."""

from __future__ import annotations

from benchmarks.peers import THREADS
from benchmarks.sides import Row
from benchmarks.stub import SPREADS, World

POOL = f"SDK, {THREADS} threads"
OURS = ("janitor scan", "janitor")
# The first is what the others are compared with; two processors are no more than two.
SCALE = (
    "janitor",
    *("1 process", "2 processes", "4 processes"),
    *("1 Dask worker", "2 Dask workers", "4 Dask workers"),
)
CLEAN = ("janitor, age only", "janitor", "janitor, processes")


def _young(
    uploads: int, containers: int = 1, latency: int = 0, spread: str = "sequential"
) -> World:
    """Nothing is stale: everybody only lists."""
    return World(
        uploads // containers, containers, latency, stale_every=0, keys=SPREADS.index(spread)
    )


def _stale(uploads: int, latency: int = 0) -> World:
    """All is stale."""
    return World(uploads, 1, latency)


ROWS = (
    Row(
        "list-100k-100-buckets-20ms",
        "s3",
        "list",
        _young(100_000, 100, 20),
        ("rclone", "SDK loop", POOL, "AWS CLI", "s3cmd", *OURS),
        {"janitor": 3},
    ),
    Row(
        "list-1m-100-buckets-20ms",
        "s3",
        "list",
        _young(1_000_000, 100, 20),
        ("rclone", "SDK loop", *OURS),
        {"janitor": 8},
    ),
    Row(
        "list-100k-0ms",
        "s3",
        "list",
        _young(100_000),
        ("rclone", "SDK loop", "AWS CLI", "s3cmd", *OURS),
    ),
    Row(
        "list-200k-20ms",
        "s3",
        "list",
        _young(200_000, 1, 20, "skewed"),
        ("rclone", "SDK loop", *OURS),
    ),
    Row(
        "list-1m-20ms",
        "s3",
        "list",
        _young(1_000_000, 1, 20, "skewed"),
        ("rclone", "SDK loop", "scan, unvouched", *OURS),
        {"janitor": 8},
    ),
    Row(
        "list-1m-0ms",
        "s3",
        "list",
        _young(1_000_000),
        ("rclone", "SDK loop", "scan, unvouched", *OURS),
        {"janitor": 2},
    ),
    Row(
        "clean-200-20ms",
        "s3",
        "clean",
        _stale(200, 20),
        ("rclone", "SDK loop", "AWS CLI", "s3cmd", "janitor, age only", "janitor"),
    ),
    Row(
        "clean-20k-0ms",
        "s3",
        "clean",
        _stale(20_000),
        ("rclone", "SDK loop", POOL, *CLEAN),
        {"janitor, age only": 2, "janitor": 1},
    ),
    Row(
        "clean-3k-20ms",
        "s3",
        "clean",
        _stale(3_000, 20),
        ("rclone", "SDK loop", POOL, *CLEAN),
        {"janitor": 40},
    ),
    Row(
        "clean-20k-20ms",
        "s3",
        "clean",
        _stale(20_000, 20),
        ("rclone", POOL, *CLEAN),
        {"janitor": 40},
    ),
    Row(
        "qingstor-clean-2k-20ms",
        "qingstor",
        "clean",
        _stale(2_000, 20),
        ("rclone", "SDK loop", POOL, "janitor, age only", "janitor"),
        {"janitor": 10},
    ),
    Row(
        "qingstor-list-100k-0ms",
        "qingstor",
        "list",
        _young(100_000),
        ("rclone", "SDK loop", *OURS),
    ),
    Row(
        "glacier-clean-3k-20ms",
        "glacier",
        "clean",
        _stale(3_000, 20),
        ("SDK loop", POOL, "janitor, age only", "janitor"),
        {"janitor": 15},
    ),
    Row(
        "glacier-list-20k-20ms",
        "glacier",
        "list",
        _young(20_000, 1, 20),
        ("SDK loop", *OURS),
    ),
    # Workers list whole containers, and abort in pieces of any.
    Row("scale-list-1m-100-buckets", "s3", "list", _young(1_000_000, 100), SCALE),
    Row("scale-clean-20k", "s3", "clean", _stale(20_000), SCALE),
)
