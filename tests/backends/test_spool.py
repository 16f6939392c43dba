"""What listings found travels a little at a time, and lies on disk meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.child_scene import Scene
from support.inside import Exchange, SweeperInside
from support.workers import PROCESSES, Heard, sweeper

from janitor.backends import spool as spools
from janitor.backends.pieces import Fetched, FetchPiece, ListPiece, Order, Reply, Requests
from janitor.backends.spool import Forgotten, Shelf, Spool
from janitor.backends.staff import WorkerLost
from janitor.observe.events import PageListed, SweepFinished

MakeScene = Callable[..., Scene]


def packed(number: int, key: str = "", more: str = "") -> tuple[Any, ...]:
    """Make what could be a packed upload."""
    name = f"{number}{more}"
    return (key or f"{number:05}é\ud800", name, 10**15, more, more, more, more or None)


def fetched(shelf: Shelf, number: str) -> tuple[list[Fetched], list[Requests]]:
    """Fetch all that is kept of one listing."""
    answers: list[Fetched] = []
    heard: list[Requests] = []
    position: int | None = 0
    while position is not None:
        found, requests = shelf.fetch(FetchPiece(number, position))
        answers.append(found)
        heard.append(requests)
        position = found.next
    return answers, heard


def test_what_is_put_in_comes_out() -> None:
    """In the order of the listing, whatever the keys are, through two spools."""
    with Spool() as theirs, Spool() as ours, Shelf() as shelf:
        for number in range(3000):
            theirs.look(packed(number))
            if not number % 3:
                theirs.tell((packed(number), "keep"))
        size = theirs.finish()
        shelf.put("listing", theirs, Requests(("a",), ((0, 7),)))
        answers, heard = fetched(shelf, "listing")
        for answer in answers:
            ours.take(answer.chunks)
        found = list(ours.read())

        assert size == ours.finish()
        assert [packed(number) for number in range(3000)] == [
            each for _, looks in found for each in looks
        ]
        assert [(packed(number), "keep") for number in range(0, 3000, 3)] == [
            each for told, _ in found for each in told
        ]
        # What is to be heard is heard once, when nothing can be lost any more.
        assert [Requests()] * (len(answers) - 1) == heard[:-1]
        assert Requests(("a",), ((0, 7),)) == heard[-1]
        with pytest.raises(Forgotten):
            shelf.fetch(FetchPiece("listing"))


def test_what_nobody_wants_any_more_is_forgotten() -> None:
    """And nothing of it is to be heard: whoever wanted it lists again, or nobody does."""
    with Spool() as spool, Shelf() as shelf:
        spool.look(packed(1))
        spool.finish()
        shelf.put("listing", spool, Requests(("a",), ((0, 1),)))

        assert (Fetched((), None), Requests()) == shelf.fetch(FetchPiece("listing", None))
        with pytest.raises(Forgotten):
            shelf.fetch(FetchPiece("listing", None))


@pytest.mark.parametrize(("length", "more"), [(1, 0), (50, 0), (1024, 0), (50, 300)])
def test_no_answer_is_larger_than_was_said(length: int, more: int) -> None:
    """However long keys and ids are: that times the listings under way is what a sweep holds."""
    with Spool() as spool, Shelf() as shelf:
        for number in range(5000):
            # As `told` and as `looks`, of which a chunk has both.
            keep = (spool.look, lambda upload: spool.tell((upload, "keep")))[number % 2]
            keep(packed(number, "\U0001f600" * length, "\U0001f600" * more))
        spool.finish()
        shelf.put("listing", spool, Requests())
        answers, _ = fetched(shelf, "listing")
    largest = max(sum(map(len, answer.chunks)) for answer in answers)
    # A character has 4 bytes at most, and the rest of an upload about 100 here.
    one_chunk = 4 * (spools.CHARACTERS + 2600) + 100 * spools.CHUNK

    assert largest <= spools.AT_ONCE + one_chunk
    assert 2500 == sum(len(looks) for answer in answers for looks in looks_of(answer))


def looks_of(answer: Fetched) -> list[list[Any]]:
    """Give the uploads of an answer, by chunks."""
    with Spool() as spool:
        spool.take(answer.chunks)
        return [looks for _, looks in spool.read()]


def test_what_was_cut_is_forgotten() -> None:
    """A listing that is made anew begins anew."""
    with Spool() as spool:
        for text in (b"first", b"second"):
            spool.take([text])
        kept = spool.finish()
        spool.take([b"third", b"fourth"])
        spool.cut(kept)
        spool.take([b"5"])
        chunks, following = spool.some(0)

    assert ((b"first", b"second", b"5"), None) == (chunks, following)


@pytest.fixture
def _small_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let two uploads be much."""
    monkeypatch.setattr(spools, "CHUNK", 2)
    monkeypatch.setattr(spools, "AT_ONCE", 1)


def swept(scene: Scene, exchange: Exchange) -> tuple[SweepFinished, list[int]]:
    """Sweep with workers inside; give how many uploads each page had."""
    scene.configure(execution=PROCESSES)
    heard = Heard()
    finished = sweeper(scene, kind=SweeperInside, exchange=exchange, observers=[heard]).sweep()
    return finished, [event.uploads for event in heard.of(PageListed)]


@pytest.mark.usefixtures("_small_answers")
def test_no_listing_is_made_twice_however_much_it_finds(make_scene: MakeScene) -> None:
    """No answer has more than two uploads in it, and each page is asked for once."""
    scene = make_scene(9)
    exchange = Exchange()
    finished, pages = swept(scene, exchange)
    held = [
        sum(map(len, looks_of(reply.result)))
        for _, reply, _ in exchange.of(FetchPiece)
        if isinstance(reply.result, Fetched)
    ]

    assert 0 == finished.exit_code
    assert (2, 3 * 10) == (max(held), sum(held))
    assert 3 == len(exchange.of(ListPiece))
    assert 3 * 11 == sum(pages)
    scene.assert_convergence()


@pytest.mark.usefixtures("_small_answers")
@pytest.mark.parametrize("nth", [1, 3, 6])
def test_a_worker_is_lost_with_what_it_found(make_scene: MakeScene, nth: int) -> None:
    """Another one lists again, and what had come before is forgotten: everything counts once."""
    scene = make_scene(11, "s3")
    asked: list[Order] = []

    def fate(order: Order, _: Reply) -> None:
        if isinstance(order.piece, FetchPiece):
            asked.append(order)
            if len(asked) == nth:
                message = "is gone"
                raise WorkerLost(message)

    exchange = Exchange(fate)
    finished, pages = swept(scene, exchange)

    assert (0, 11) == (finished.exit_code, finished.results[0].aborted)
    assert 13 == finished.results[0].listed
    assert 2 == len(exchange.of(ListPiece))
    # The reply with the last of it, and what is to be heard, may be what was lost.
    assert 13 == sum(pages)
    scene.assert_convergence()
