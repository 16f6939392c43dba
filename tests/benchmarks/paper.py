"""What a very large fleet would take: arithmetic on measured constants and public prices. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.table import Json

PAGE = 1000
HOUR = 3600.0
# AWS tells them for each prefix of a bucket: requests that write, and that read.
WRITES_PER_SECOND, READS_PER_SECOND = 3_500, 5_500


@dataclass(frozen=True, slots=True)
class Fleet:
    """What there is; the uploads are spread evenly."""

    accounts: int = 2_000
    buckets: int = 50_000
    uploads: int = 100_000_000


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars for one request, S3 Standard in us-east-1; aborts cost nothing."""

    listing: float = 0.005 / 1000
    reading: float = 0.0004 / 1000


@dataclass(frozen=True, slots=True)
class Constants:
    """What was measured, on one processor: seconds for each thing, MiB, requests.

    `border` are requests for each border between two pages of a listing,
    beside the pages; `looks` those that read the parts of an upload that is
    aborted; `account` the seconds and `account_memory` the MiB for each account
    that a process holds open.
    """

    listed: float
    cleaned: float
    account: float
    account_memory: float
    memory: float
    border: float
    looks: float = 3.0


@dataclass(frozen=True, slots=True)
class Conditions:
    """Latency in seconds, requests in flight of one worker, and the hours that it may take."""

    latency: float = 0.05
    in_flight: int = 128
    hours: float = 1.0


@dataclass(frozen=True, slots=True)
class Bill:
    """What one sweep takes.

    `dollars` counts ListParts as LIST, `least_dollars` as GET: AWS does not
    say which it is. `processor` and `waiting` are seconds of one worker.
    """

    listings: int
    looks: int
    aborts: int
    dollars: float
    least_dollars: float
    processor: float
    waiting: float
    workers: int
    memory: float

    @property
    def minutes(self) -> float:
        """Give the minutes that this many workers need."""
        return max(self.processor, self.waiting) / self.workers / 60


def bill(
    fleet: Fleet,
    stale: int,
    constants: Constants,
    prices: Prices | None = None,
    conditions: Conditions | None = None,
) -> Bill:
    """Calculate one sweep of the fleet in which `stale` uploads are aborted."""
    prices, conditions = prices or Prices(), conditions or Conditions()
    pages = fleet.buckets * math.ceil(fleet.uploads / fleet.buckets / PAGE)
    listings = fleet.accounts + pages + round((pages - fleet.buckets) * constants.border)
    looks = round(stale * constants.looks)
    processor = (
        fleet.uploads * constants.listed
        + stale * constants.cleaned
        + fleet.accounts * constants.account
    )
    waiting = (listings + looks + stale) * conditions.latency / conditions.in_flight
    workers = max(1, math.ceil(max(processor, waiting) / (conditions.hours * HOUR)))
    held = math.ceil(fleet.accounts / workers)
    return Bill(
        listings,
        looks,
        stale,
        (listings + looks) * prices.listing,
        listings * prices.listing + looks * prices.reading,
        processor,
        waiting,
        workers,
        constants.memory + held * constants.account_memory,
    )


def hot_prefix(stale: int, looks: float = 3.0) -> float:
    """Give the least seconds that one prefix with so many stale uploads takes, whoever asks."""
    return max(stale / WRITES_PER_SECOND, stale * looks / READS_PER_SECOND)


def constants(measured: Json) -> Constants:
    """Read off the constants: what each further upload or account took, beyond the start."""
    grown: Mapping[str, Sequence[Json]] = measured["growth"]
    listing, cleaning = _of(grown["list"], "janitor"), _of(grown["clean"], "janitor")
    accounts = _of(grown["accounts"], "janitor, accounts")
    largest = listing[-1]
    pages = math.ceil(largest["size"] / PAGE)
    return Constants(
        listed=_each(listing, "processor"),
        cleaned=max(0.0, _each(cleaning, "processor") - _each(listing, "processor")),
        account=_each(accounts, "processor"),
        account_memory=_each(accounts, "memory"),
        memory=largest["memory"],
        border=(largest["requests"] - pages) / (pages - 1),
    )


def _of(points: Sequence[Json], name: str) -> Sequence[Json]:
    return [point for point in points if point["name"] == name and "wall" in point]


def _each(points: Sequence[Json], what: str) -> float:
    """Give what each further one took, between the two largest sizes."""
    before, after = points[-2:]
    more: float = (after[what] - before[what]) / (after["size"] - before["size"])
    return max(0.0, more)


CASES = ((0.0, "nothing is stale"), (0.01, "1 % is stale"), (1.0, "all is stale"))


def rendered(measured: Json) -> str:
    """Give the table for the docs, in Markdown."""
    fleet, known = Fleet(), constants(measured)
    bills = [bill(fleet, round(fleet.uploads * share), known) for share, _ in CASES]
    rows = {
        "requests that list": [f"{one.listings:,}" for one in bills],
        "requests that look at parts": [f"{one.looks:,}" for one in bills],
        "aborts": [f"{one.aborts:,}" for one in bills],
        "US dollars, ListParts counted as LIST": [f"{one.dollars:,.2f}" for one in bills],
        "US dollars, ListParts counted as GET": [f"{one.least_dollars:,.2f}" for one in bills],
        "hours of one processor": [f"{one.processor / HOUR:,.1f}" for one in bills],
        "hours of waiting, one worker": [f"{one.waiting / HOUR:,.1f}" for one in bills],
        "workers to end within the hour": [f"{one.workers:,}" for one in bills],
        "minutes that they need": [f"{one.minutes:,.0f}" for one in bills],
        "MiB of each": [f"{one.memory:,.0f}" for one in bills],
    }
    return "\n".join(
        [
            f"| one sweep | {' | '.join(words for _, words in CASES)} |",
            "| --- |" + " ---: |" * len(CASES),
            *(f"| {name} | {' | '.join(values)} |" for name, values in rows.items()),
            "",
            _told(known),
        ]
    )


def _told(known: Constants) -> str:
    hot = hot_prefix(1_000_000) / 60
    return (
        f"A single prefix with 1,000,000 stale uploads takes {hot:.0f} minutes at least,"
        " whoever asks.\n\nThe constants, as measured on one processor: "
        f"{known.listed * 1e6:,.0f} microseconds for each upload listed,"
        f" {known.cleaned * 1e3:,.2f} milliseconds more for each one cleaned by the full chain,"
        f" {known.account * 1e3:,.0f} milliseconds and {known.account_memory:.1f} MiB for each"
        f" account, {known.border:.1f} requests at each border of two pages of {PAGE:,},"
        f" {known.looks:.0f} looks at the parts before and after each abort,"
        f" {known.memory:,.0f} MiB for the program."
    )
