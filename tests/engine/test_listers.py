"""Several requests at once, where that pays: what is decided, and what happens to errors."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import pytest
from support.s3_model import Bucket

from janitor.engine.listers import Hands, Timed, Worth, spread, timed
from janitor.engine.seams import Unsorted
from janitor.engine.splitting import Ranges, Turn
from janitor.engine.stretches import Share, Stretch
from janitor.errors import Incomplete, Transient
from janitor.providers.base import Page

KEYS = [f"{number * 0x9E3779B1 % (1 << 32):08x}" for number in range(400)]
ALWAYS = Worth(idle=0.0, share=0.0, fewest=8)
GUARD = 30.0


@pytest.fixture
def hands() -> Iterator[Hands]:
    """Give threads, and room for all."""
    with ThreadPoolExecutor(16) as threads:
        yield Hands(threads, lambda: 16)


@dataclass
class Store:
    """Answers from a bucket, from many threads, and pretends how long that took."""

    bucket: Bucket
    seconds: float = 0.05
    busy: float = 0.0
    before: Callable[[Turn], None] = lambda _turn: None
    turns: list[Turn] = field(default_factory=list)
    threads: set[str] = field(default_factory=set)
    under_way: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, turn: Turn) -> Timed:
        """Answer one request."""
        with self.lock:
            self.turns.append(turn)
            self.threads.add(threading.current_thread().name)
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        self.before(turn)
        with self.lock:
            self.under_way -= 1
            return Timed(self.bucket.answer(turn), self.seconds, self.busy)


def ids(store: Store, hands: Hands | None, worth: Worth | None) -> list[str]:
    """List a store, and give the ids that were found."""
    return sorted(u.upload_id for batch in spread(store, hands, worth) for u in batch)


def expected_ids(store: Store) -> list[str]:
    """Give the ids that there are."""
    return sorted(upload.upload_id for upload in store.bucket.uploads())


def test_several_threads_find_every_upload_once(hands: Hands) -> None:
    """Where it pays, other threads read the rest."""
    store = Store(Bucket(KEYS, 7))

    assert expected_ids(store) == ids(store, hands, ALWAYS)
    assert len(store.threads) > 1
    assert any(turn.probes for turn in store.turns)


def test_requests_are_really_at_once(hands: Hands) -> None:
    """Three requests wait for each other: one after the other they would wait for ever."""
    store = Store(Bucket(KEYS, 7))
    together = threading.Event()
    waiting: list[Turn] = []

    def meet(turn: Turn) -> None:
        if threading.current_thread() is not threading.main_thread():
            waiting.append(turn)
            if len(waiting) == 3:
                together.set()
            assert together.wait(GUARD)

    store.before = meet

    assert expected_ids(store) == ids(store, hands, ALWAYS)


@pytest.mark.parametrize(
    ("seconds", "busy"), [(0.001, 0.0005), (0.003, 0.0), (0.050, 0.049), (0.050, 0.060)]
)
def test_where_the_process_is_what_is_slow_it_stays_alone(
    hands: Hands, seconds: float, busy: float
) -> None:
    """A quick store, or one whose pages keep us busy: one request a page, in one thread."""
    store = Store(Bucket(KEYS, 7), seconds, busy)

    assert expected_ids(store) == ids(store, hands, None)
    assert {threading.current_thread().name} == store.threads
    assert -(-len(KEYS) // 7) == len(store.turns)


@pytest.mark.parametrize(("room", "most"), [(3, 3), (1, 1), (0, 1)])
def test_no_more_is_asked_than_there_is_room_for(hands: Hands, room: int, most: int) -> None:
    """A target that bears two requests at once gets two, and one if it bears none."""
    store = Store(Bucket(KEYS, 7))

    assert expected_ids(store) == ids(store, replace(hands, room=lambda: room), ALWAYS)
    assert store.most <= most


def test_a_slow_store_is_asked_by_many(hands: Hands) -> None:
    """Fifty milliseconds of waiting for each page are worth several requests."""
    store = Store(Bucket(KEYS, 7), 0.050, 0.0)

    assert expected_ids(store) == ids(store, hands, None)
    assert len(store.threads) > 1


def test_one_slow_page_is_no_slow_store(hands: Hands) -> None:
    """The first request had to connect: only two slow ones in a row count."""
    store = Store(Bucket(KEYS, 7), 0.001)

    def connect(_turn: Turn) -> None:
        store.seconds = 0.5 if len(store.turns) % 2 else 0.001

    store.before = connect
    ids(store, hands, None)

    assert {threading.current_thread().name} == store.threads


def test_who_is_made_to_wait_by_a_rate_stays_alone(hands: Hands) -> None:
    """More requests at once would only wait for the same rate."""
    gate = threading.Event()
    store = Store(Bucket(KEYS[:40], 7), 0.005)

    def pace(_turn: Turn) -> None:
        gate.wait(0.05)

    store.before = pace
    ids(store, hands, None)

    assert {threading.current_thread().name} == store.threads


def test_without_threads_it_is_one_request_a_page() -> None:
    """However slow the store is."""
    store = Store(Bucket(KEYS, 7))

    assert expected_ids(store) == ids(store, None, ALWAYS)
    assert -(-len(KEYS) // 7) == len(store.turns)


@pytest.mark.parametrize("at", [1, 2, 3, 10, 40])
def test_a_request_that_fails_fails_the_listing(hands: Hands, at: int) -> None:
    """Be it a page or a probe: the error is raised, and nobody goes on."""
    store = Store(Bucket(KEYS, 7))

    def fail(_turn: Turn) -> None:
        if len(store.turns) >= at:
            message = "gone away"
            raise Transient(message)

    store.before = fail
    with pytest.raises(Transient, match="gone away"):
        ids(store, hands, ALWAYS)

    # Those that were under way have ended.
    assert len(store.turns) <= at + 2 * 8


def test_who_stops_listening_leaves_nothing_behind(hands: Hands) -> None:
    """A listing that is closed asks for nothing more."""
    store = Store(Bucket(KEYS, 7))
    listing = spread(store, hands, ALWAYS)
    for _ in range(5):
        next(listing)
    listing.close()  # type: ignore[attr-defined]  # it is a generator
    asked = len(store.turns)

    assert [0] * 16 == [hands.threads.submit(lambda: 0).result(GUARD) for _ in range(16)]
    assert asked == len(store.turns)


def test_a_listing_without_end_is_incomplete(hands: Hands) -> None:
    """The cap holds for all threads together."""
    store = Store(Bucket(KEYS, 7))

    with pytest.raises(Incomplete, match="within 20 pages"):
        list(spread(store, hands, ALWAYS, Ranges(20)))


def test_doubts_that_arise_while_the_rest_is_cut_are_ended(hands: Hands) -> None:
    """What hides right before a border is seen by a probe alone, and nobody else would tell."""

    def order(key: str) -> bytes:
        return b"lzzz" if key == "q" else key.encode()

    store = Store(Bucket(["n", "q"], 7, order))
    rest = Stretch("a", "m", first="a1", last="b")
    ranges = Ranges(20, Share((Stretch("m", None, first="n"), rest), pages=1, cuts=4))

    with pytest.raises(Unsorted):
        list(spread(store, hands, ALWAYS, ranges))


def test_a_share_of_which_nothing_was_listed_has_no_account() -> None:
    """Otherwise it would be given to others again and again."""
    with pytest.raises(Incomplete, match="not listed to its end"):
        Ranges(20, Share()).account()


def test_a_request_is_measured() -> None:
    """Its duration, and what the process did meanwhile."""
    answer = timed(lambda: Page([], None))

    assert Page([], None) == answer.page
    assert 0 <= answer.seconds < GUARD
    assert 0 <= answer.busy < GUARD
