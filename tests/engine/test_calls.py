"""The one owner of retries, rates, deadlines and stopping."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from janitor.engine.calls import Caller, Deadline, Patience, RetryBudget
from janitor.engine.flow import LONGEST_RETRY_AFTER
from janitor.errors import DeadlineExceeded, Denied, Incomplete, Interrupted, Throttled, Transient
from janitor.model import ContainerRef
from janitor.observe.events import Event, RequestFinished, RequestRetried

WHERE = ContainerRef("lake", "s3", "bucket")
HASTE = Patience(attempts=4, first_delay=0.001, longest_delay=0.002)


def failing(*errors: Exception) -> Callable[[], str]:
    """Fail with each error in turn, then succeed."""
    left = list(errors)

    def call() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return call


def caller(events: list[Event] | None = None, **more: object) -> Caller:
    """Make a caller in a hurry."""
    heard = [] if events is None else events
    return Caller(heard.append, **({"patience": HASTE} | more))  # type: ignore[arg-type]  # tests pass what fits


def soon() -> Deadline:
    """Leave plenty of time."""
    return Deadline(60)


@pytest.mark.parametrize("kind", [Transient, Throttled, Incomplete])
def test_what_may_pass_is_tried_again(kind: type[Transient]) -> None:
    """Transient failures and unproven replies are retried, and each is told."""
    events: list[Event] = []
    result = caller(events).call(WHERE, "list_page", failing(kind("x"), kind("x")), soon())

    assert "done" == result
    assert [RequestFinished, RequestRetried] * 2 + [RequestFinished] == [type(e) for e in events]


def test_what_will_not_pass_is_not_tried_again() -> None:
    """A refusal is final at the first time."""
    events: list[Event] = []
    with pytest.raises(Denied):
        caller(events).call(WHERE, "list_page", failing(Denied("no", code="AccessDenied")), soon())

    assert ["AccessDenied"] == [e.code for e in events if isinstance(e, RequestFinished)]


def test_the_last_try_tells_what_went_wrong() -> None:
    """After all attempts the last error is raised, not a word of our own."""
    errors = [Transient(f"try {number}", code="SlowDown") for number in range(1, 9)]
    with pytest.raises(Transient, match="try 4"):
        caller().call(WHERE, "list_page", failing(*errors), soon())


def test_a_bug_is_told_as_a_crash() -> None:
    """An error that is not a provider's goes through untouched."""
    events: list[Event] = []
    with pytest.raises(ZeroDivisionError):
        caller(events).call(WHERE, "list_page", failing(ZeroDivisionError()), soon())

    assert ["crashed"] == [e.code for e in events if isinstance(e, RequestFinished)]


def test_the_budget_of_retries_is_for_the_whole_run() -> None:
    """When it is spent, the first failure is final; successes earn some back."""
    one = caller(budget=RetryBudget(free=2, share=0.5))
    assert "done" == one.call(WHERE, "abort", failing(Transient("a"), Transient("b")), soon())
    with pytest.raises(Transient, match="c"):
        one.call(WHERE, "abort", failing(Transient("c")), soon())
    assert "done" == one.call(WHERE, "abort", failing(), soon())

    assert "done" == one.call(WHERE, "abort", failing(Transient("d")), soon())


def test_a_target_that_is_down_spends_its_own_retries_only() -> None:
    """One store that fails for ever does not make the first failure of another final."""
    one = caller(budget=RetryBudget(free=1))
    other = ContainerRef("media", "qingstor", "bucket")
    with pytest.raises(Transient, match="b"):
        one.call(WHERE, "list_page", failing(Transient("a"), Transient("b")), soon())

    assert "done" == one.call(other, "list_page", failing(Transient("c")), soon())


def test_retry_after_is_obeyed_up_to_a_minute() -> None:
    """The provider's wish is the delay, but never more than 60 s."""
    one = caller()
    short = one._delay(1, Throttled("slow", retry_after=7))  # noqa: SLF001  # waiting would be slow
    long = one._delay(1, Throttled("slow", retry_after=3600))  # noqa: SLF001  # the same

    assert (7, LONGEST_RETRY_AFTER) == (short, long)


def test_delays_grow_and_are_bounded() -> None:
    """Each delay is random between half and all of a doubling bound."""
    one = caller(patience=Patience(attempts=9, first_delay=0.5, longest_delay=20))
    bounds = [0.5, 1, 2, 4, 8, 16, 20, 20]
    delays = [one._delay(number, None) for number in range(1, 9)]  # noqa: SLF001  # waiting would be slow

    assert all(bound / 2 <= delay <= bound for bound, delay in zip(bounds, delays, strict=True))


def test_no_wait_passes_the_deadline() -> None:
    """Where the wait is longer than the time that is left, the error is raised at once."""
    with pytest.raises(Throttled):
        caller().call(WHERE, "list_page", failing(Throttled("slow", retry_after=30)), Deadline(5))


def test_after_the_deadline_nothing_is_sent() -> None:
    """A deadline that has passed is told as such."""
    events: list[Event] = []
    with pytest.raises(DeadlineExceeded):
        caller(events).call(WHERE, "list_page", failing(), Deadline(0))

    assert [] == events


def test_after_a_stop_nothing_is_sent() -> None:
    """A stop is honoured before the first request."""
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted):
        caller(stop=stop).call(WHERE, "list_page", failing(), soon())


def test_a_stop_ends_a_wait() -> None:
    """Whoever waits for the next try does not wait on after a stop."""
    stop = threading.Event()

    def fail() -> str:
        stop.set()
        msg = "slow"
        raise Throttled(msg, retry_after=50)

    with pytest.raises(Interrupted):
        caller(stop=stop).call(WHERE, "list_page", fail, soon())


def test_what_was_begun_is_finished_in_spite_of_a_stop() -> None:
    """Looking whether an abort worked goes on after a stop."""
    stop = threading.Event()
    stop.set()
    one = caller(stop=stop)

    assert "done" == one.call(WHERE, "list_parts", failing(Transient("x")), soon(), finish=True)


def test_retries_are_told_to_who_asks() -> None:
    """The caller can learn that an earlier try may have got through."""
    heard: list[Exception] = []
    error = Transient("lost")
    caller().call(WHERE, "abort", failing(error), soon(), on_retry=heard.append)

    assert [error] == heard


def test_what_runs_before_runs_before_every_try() -> None:
    """The last look before an abort comes after all waiting, and can end the call."""
    heard: list[str] = []

    def before() -> None:
        heard.append("before")
        if len(heard) == 3:
            raise ZeroDivisionError

    errors = [Transient(str(number)) for number in range(3)]
    with pytest.raises(ZeroDivisionError):
        caller().call(WHERE, "abort", failing(*errors), soon(), before=before)

    assert ["before"] * 3 == heard
