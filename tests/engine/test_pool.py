"""Many small jobs on few threads, never queued all at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from janitor.engine.pool import bounded_map


def test_results_come_in_the_order_of_the_items() -> None:
    """Whichever thread is faster, the order is the items'."""
    with ThreadPoolExecutor(4) as executor:
        found = list(bounded_map(executor, lambda n: n * n, range(100), window=7))

    assert [number * number for number in range(100)] == found


def test_no_more_are_begun_than_the_window_holds() -> None:
    """Items are taken only as results are."""
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(100):
            taken.append(item)
            yield item

    with ThreadPoolExecutor(2) as executor:
        results = bounded_map(executor, abs, items(), window=5)
        first = next(results)
        seen = len(taken)
        results.close()

    assert (0, 6) == (first, seen)


def test_an_error_is_raised_after_what_is_under_way() -> None:
    """The jobs that run when one fails are over before anybody hears of it."""
    begun, ended = threading.Semaphore(0), []

    def job(number: int) -> int:
        if number == 0:
            begun.acquire(timeout=10)
            msg = "job 0"
            raise RuntimeError(msg)
        begun.release()
        ended.append(number)
        return number

    with ThreadPoolExecutor(4) as executor, pytest.raises(RuntimeError, match="job 0"):
        list(bounded_map(executor, job, range(4), window=4))

    assert {1, 2, 3} >= set(ended) != set()
