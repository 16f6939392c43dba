"""Many threads tell and ask at once: every scrape is whole, and no count is lost."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.metrics_samples import exposed, exposed_openly, metrics_after, value
from support.observe_script import LAKE, NOW, VAULT, ended, finished, result, upload

from janitor.model import ContainerRef, Outcome, Reason
from janitor.observe.events import BudgetCounted, PageListed, RequestFinished
from janitor.observe.metrics import Metrics
from janitor.plan import Limits
from janitor.settings.types import Exposition, Prices

BUCKETS = [ContainerRef("lake", "s3", f"bucket-{n}") for n in range(20)]
CONFIGS = {
    "report": (Exposition("target"), Prices("EUR", 1.0)),
    "enforce": (Exposition("container", 3), Prices("USD", 2.0)),
}
TURNS = 200
TELLERS = 4


@pytest.fixture(autouse=True)
def _restless() -> Iterator[None]:
    """Let threads take turns as often as can be."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@dataclass(frozen=True)
class Seen:
    """What one scrape showed, as far as it must fit together."""

    sweeps: float
    uploads: float
    exit_code: float
    mode: str
    currency: str
    places: int
    budgets: frozenset[tuple[str, float]]


def seen_by(metrics: Metrics) -> Seen:
    """Scrape once, and read."""
    by_name = {f.name: f.samples for f in text_string_to_metric_families(exposed(metrics))}
    costs = by_name["janitor_estimated_monthly_cost"]
    return Seen(
        by_name["janitor_sweeps"][0].value,
        sum(sample.value for sample in by_name["janitor_target_uploads"]),
        by_name["janitor_last_sweep_exit_code"][0].value,
        next(s.labels["mode"] for s in by_name["janitor_mode"] if s.value),
        costs[0].labels["currency"],
        len(costs),
        frozenset(
            (sample.labels["limit"], sample.value)
            for name in ("janitor_budget_limit", "janitor_budget_left")
            for sample in by_name[name]
        ),
    )


def sweep(metrics: Metrics, number: int) -> None:
    """Tell of a sweep that shows its number wherever it can."""
    metrics(finished(*(result(where, listed=number) for where in BUCKETS), exit_code=number % 100))
    limits = Limits(aborts_per_run=number)
    metrics(BudgetCounted(limits, limits))


def configure(metrics: Metrics, number: int) -> None:
    """Change to the other config."""
    mode = ("report", "enforce")[number % 2]
    metrics.configure(mode, *CONFIGS[mode], {})


def test_no_scrape_sees_half_a_sweep_or_half_a_config() -> None:
    """Counts, figures and exit code are of one sweep; mode, level and prices of one config."""
    metrics = metrics_after()
    for tell in (sweep, configure):
        tell(metrics, 1)
    stop = threading.Event()

    def repeat(tell: Callable[[Metrics, int], None]) -> None:
        for number in count(2):
            tell(metrics, number)
            if stop.is_set():
                return

    def look() -> list[Seen]:
        """Look until much was seen: the timeout of the test is the deadline."""
        looks: list[Seen] = []
        while len({seen.sweeps for seen in looks}) < 10 or len({s.mode for s in looks}) < 2:
            looks.append(seen_by(metrics))
        return looks

    with ThreadPoolExecutor() as pool:
        tellers = [pool.submit(repeat, tell) for tell in (sweep, configure)]
        lookers = [pool.submit(look) for _ in range(3)]
        scrapes = [looker.result() for looker in lookers]
        stop.set()
        for teller in tellers:
            teller.result()
    every = [seen for looks in scrapes for seen in looks]

    assert [] == [s for s in every if s.uploads != s.sweeps * len(BUCKETS)]
    assert [] == [s for s in every if s.exit_code != s.sweeps % 100]
    assert [] == [
        s
        for s in every
        if (s.mode, s.currency, s.places) not in {("report", "EUR", 1), ("enforce", "USD", 4)}
    ]
    assert [] == [s for s in every if len({number for _, number in s.budgets}) != 1]
    assert [] == [looks for looks in scrapes if looks != sorted(looks, key=lambda s: s.sweeps)]


def test_no_count_is_lost_however_many_tell_and_ask() -> None:
    """Every event counts once, while scrapes in both formats run."""
    metrics = metrics_after()
    barrier = threading.Barrier(TELLERS + 2)
    gone = ended(upload(LAKE, "u", 9), Reason.STALE, Outcome.ABORTED, freed=3)

    def tell() -> None:
        barrier.wait()
        for _ in range(TURNS):
            metrics(RequestFinished(LAKE, "list_page", 0.1, "SlowDown"))
            metrics(PageListed(LAKE, 2))
            metrics(gone)
            metrics.sweep_crashed()
            metrics.next_sweep(NOW)
            metrics.seed({VAULT: NOW})

    def ask() -> None:
        barrier.wait()
        for _ in range(TURNS // 10):
            exposed(metrics)
            exposed_openly(metrics)

    with ThreadPoolExecutor() as pool:
        jobs = [pool.submit(job) for job in [tell] * TELLERS + [ask] * 2]
        for job in jobs:
            job.result()
    every = TURNS * TELLERS

    assert [every, every, 2 * every, every, 3 * every, every, every, every] == [
        value(metrics, "janitor_api_requests_total", operation="list_page"),
        value(metrics, "janitor_api_failures_total", operation="list_page", code="SlowDown"),
        value(metrics, "janitor_uploads_listed_total"),
        value(metrics, "janitor_aborts_total", outcome="aborted"),
        value(metrics, "janitor_freed_bytes_total"),
        value(metrics, "janitor_aborted_upload_age_seconds_count"),
        value(metrics, "janitor_sweeps_total"),
        value(metrics, "janitor_sweep_failures_total"),
    ]
