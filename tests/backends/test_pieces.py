"""What a worker refuses, how long it may act, and what orders are made of."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from janitor import errors, settings
from janitor.backends import tasks
from janitor.backends.acting import FIRST, Pace
from janitor.backends.lease import Lease, LeaseOver
from janitor.backends.notes import Notes
from janitor.backends.pieces import (
    ACTS,
    BEGIN_WITHIN,
    ListPiece,
    Order,
    Reply,
    Terms,
    digest_of,
    most_workers,
    slots_of,
    veiled,
)
from janitor.backends.shop import FLOOR, FORGOTTEN, Floor, Shop
from janitor.backends.troubles import error_of, trouble_of
from janitor.engine.calls import Patience
from janitor.engine.seams import Unsorted
from janitor.errors import Denied, Interrupted, ProviderError
from janitor.model import ContainerRef
from janitor.observe.events import ContainerCrashed
from janitor.observe.redaction import redact
from janitor.policy import Policy
from janitor.providers.base import Identity
from janitor.targets import Credentials, Execution, QingStorOptions, Secret, Target

CONFIG = """
version: 1
targets:
  - name: media
    provider: qingstor
    endpoint_url: http://127.0.0.1:9
    buckets: [container]
    access_key_id: key
    secret_access_key: secret
"""


@pytest.fixture
def terms(tmp_path: Path) -> Iterator[Terms]:
    """Let this process be a worker of a run."""
    file = tmp_path / "janitor.yaml"
    file.write_text(CONFIG, "utf-8")
    made = Terms(
        str(tmp_path),
        str(file),
        datetime.now(UTC),
        every_upload=False,
        patience=Patience(1),
        workers=2,
        execution=Execution(),
    )
    yield made
    tasks.close(made.run_id)


def target_of(terms: Terms) -> Target:
    """Give the target that the config has."""
    return settings.load(terms.config, {}).targets[0]


def order(terms: Terms, number: str, **more: object) -> Order:
    """Order something that this worker can do: nobody listens at the endpoint."""
    target = target_of(terms)
    identity = Identity("http://127.0.0.1:9", None, "key")
    made = Order(
        terms,
        number,
        FLOOR.name,
        target.name,
        digest_of(target),
        veiled(identity),
        datetime.now(UTC),
        time.time(),
        30.0,
        ListPiece("container"),
    )
    return replace(made, **more)  # type: ignore[arg-type]  # tests name only what exists


def sentence(reply: Reply) -> str:
    """Give what a worker says against a piece."""
    return "" if reply.trouble is None else reply.trouble.message


def test_a_piece_that_is_right_is_begun(terms: Terms) -> None:
    """The worker tries, and says what came of it."""
    reply = tasks.do(order(terms, "right"))

    assert reply.trouble is None
    assert reply.requests.finished


def test_a_piece_begins_once(terms: Terms) -> None:
    """What Dask would run again in the same process is refused."""
    tasks.do(order(terms, "once"))
    again = tasks.do(order(terms, "once"))
    late = tasks.do(order(terms, "once", sent=time.time() - BEGIN_WITHIN - 1))

    assert "has begun before" in sentence(again)
    # Nobody may believe that nothing was done.
    assert [(True, False)] * 2 == [(each.taken, each.late) for each in (again, late)]


def test_a_piece_of_a_process_that_is_gone(terms: Terms) -> None:
    """Dask gives it to who is at its address now: nobody knows how far that other came."""
    assert tasks.do(order(terms, "gone", worker="another")).taken


def test_the_budget_is_the_sweeps(terms: Terms) -> None:
    """Whatever a worker's own config says of it."""
    narrow = Execution(concurrency=20, requests_per_second=100.0)
    shop = Shop(replace(terms, execution=narrow), has_own_log=False)
    shop.close()

    assert (9, 100.0) == (shop.execution.concurrency, shop.execution.requests_per_second)


def test_who_may_only_report_aborts_for_nobody(terms: Terms) -> None:
    """A worker says so at once, and again if somebody does not listen."""
    greeting = tasks.greet(replace(terms, enforce=True))
    reply = tasks.do(order(replace(terms, enforce=True), "abort"))

    assert greeting.trouble == reply.trouble
    assert "says mode: report" in sentence(reply)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"worker": "another"}, "for a worker that is gone"),
        ({"digest": "another"}, "another config or another version"),
        ({"target": "another"}, "another config or another version"),
        ({"identity": Identity("http://127.0.0.1:9", None, "x")}, "another account"),
        ({"identity": Identity("http://127.0.0.1:8")}, "another account"),
    ],
)
def test_a_piece_for_somebody_else(terms: Terms, more: dict[str, object], expected: str) -> None:
    """Another process, config or identity: nothing is done, and the sweep is told why."""
    reply = tasks.do(order(terms, expected + str(more), **more))

    assert reply.result is None
    assert expected in sentence(reply)
    assert not reply.late


def test_a_piece_that_comes_late(terms: Terms) -> None:
    """It is not begun, but may be sent again."""
    reply = tasks.do(order(terms, "late", sent=time.time() - BEGIN_WITHIN - 1))

    assert (None, True) == (reply.result, reply.late)
    assert "s late" in sentence(reply)


def test_secrets_of_a_worker_stay_there() -> None:
    """The sweep has others, and would not know what to take out of its log."""
    redact("only-the-worker-has-this")
    where = ContainerRef("media", "qingstor", "container")
    notes = Notes()
    notes(ContainerCrashed(where, "Traceback: only-the-worker-has-this"))
    told = trouble_of(errors.JanitorError("no: only-the-worker-has-this"))

    assert ("no: ***", ((0, "Traceback: ***"),)) == (told.message, notes.requests().crashes)


def test_a_clock_that_is_behind(terms: Terms) -> None:
    """A worker to which a piece seems to come from the future cannot keep a lease."""
    reply = tasks.do(order(terms, "future", sent=time.time() + 60))

    assert "s behind: set it" in sentence(reply)


def test_a_lease_ends_by_either_clock() -> None:
    """Nothing begins when it is over, and no other upload shortly before."""
    whole = Lease(60, time.time() + 60)
    by_wall = Lease(60, time.time() - 1)
    by_ticks = Lease(0, time.time() + 60)
    nearly = Lease(60, time.time() + 15)
    whole.demand()
    nearly.demand()

    assert [False, True, True, True] == [
        each.closing for each in (whole, nearly, by_wall, by_ticks)
    ]
    for over in (by_wall, by_ticks):
        with pytest.raises(LeaseOver):
            over.demand()


def test_pieces_grow_while_they_are_done_in_time() -> None:
    """They double up to their limit, and shrink to what could be begun."""
    pace = Pace()
    sizes = [pace.size]
    for _ in range(5):
        pace.learn(pace.size, 0)
        sizes.append(pace.size)
    pace.learn(ACTS, ACTS - 5)
    shrunk = pace.size
    pace.learn(5, 5)

    assert [FIRST, 32, 64, ACTS, ACTS, ACTS] == sizes
    assert (5, 1) == (shrunk, pace.size)


@pytest.mark.parametrize(("concurrency", "wanted"), [(2, 8), (3, 2), (16, 4), (256, 2), (7, 64)])
def test_the_sum_of_all_budgets_is_the_budget(concurrency: int, wanted: int) -> None:
    """The sweep and its workers together never have more requests in flight than was said."""
    workers = most_workers(wanted, concurrency)
    own, each = slots_of(concurrency, workers)

    assert min(own, each) >= 1
    assert own + workers * each <= concurrency
    assert workers <= wanted


def test_a_digest_is_blind_to_keys_alone() -> None:
    """Workers may have keys of their own, and nothing else."""
    options = QingStorOptions("pek3a", Credentials("one", Secret("secret")))
    target = Target("media", "qingstor", ("a",), options, Policy())
    others = replace(options, credentials=Credentials("two", Secret("other")))
    older = replace(Policy(), stale_after=timedelta(days=8))

    assert digest_of(target) == digest_of(replace(target, options=others))
    assert digest_of(target) != digest_of(replace(target, policy=older))
    assert digest_of(target) != digest_of(replace(target, options=replace(options, zone="sh1a")))
    assert digest_of(target) != digest_of(replace(target, prefix="x"))


@pytest.mark.parametrize(
    "error",
    [
        Denied("no", code="AccessDenied", status=403),
        Interrupted("a stop"),
        Unsorted(),
        LeaseOver("over"),
        errors.JanitorError("something"),
    ],
)
def test_errors_come_back_as_what_they_were(error: errors.JanitorError) -> None:
    """As the nearest class of our own tree, with the same words and code."""
    back = error_of(trouble_of(error))

    assert str(error) == str(back)
    assert isinstance(error, type(back))
    assert type(back).__module__ == errors.__name__
    if isinstance(error, ProviderError):
        assert isinstance(back, ProviderError)
        assert (error.code, error.status) == (back.code, back.status)


def test_what_began_long_ago_is_forgotten(terms: Terms) -> None:
    """A worker lives for months; and who may have begun just now is remembered."""
    floor = Floor()
    long_ago = time.monotonic() - FORGOTTEN
    begun = floor._begun  # noqa: SLF001  # nobody else can tell
    begun.update(a=long_ago - 1, b=long_ago, c=time.monotonic())
    floor.shop(terms)
    floor.close(terms.run_id)

    assert ["c"] == list(begun)
