"""Limits that a crash loop cannot multiply: what was sent counts, whoever was killed after it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator

import pytest
from support.child_handle import Child
from support.child_scene import Scene
from support.harness import MIB, hours

from janitor.observe.events import SweepFinished

MakeScene = Callable[..., Scene]
RIPE = 5
CAP = 3
RESTARTS = 10
COMPLETE, TRIPPED = 0, 4
# Each upload is of 8 MiB.
ALLOWING = {
    "aborts_per_day": lambda count: f"{{aborts_per_day: {count}}}",
    "aborts_per_run": lambda count: f"{{aborts_per_run: {count}}}",
    "bytes_per_run": lambda count: f"{{bytes_per_run: {count * 8}MiB}}",
}


@pytest.fixture
def ripe(make_scene: MakeScene) -> Iterator[Scene]:
    """Give a scene in which five uploads are ripe."""
    made = make_scene("qingstor")
    made.add_stale("qingstor", RIPE)
    made.mark()
    yield made

    made.assert_nothing_is_lost()


def limited(made: Scene, limits: str) -> None:
    """Set limits, and abort one upload after the other."""
    made.configure(execution="{concurrency: 1}", limits=limits)


def killed_after_its_first_abort(made: Scene) -> bool:
    """Start a janitor that is killed as soon as one abort is concluded, if there is one."""
    with Child(made.orders(hold_at="result")) as child:
        while (words := child.hear()) is not None:
            if words[0] == "at":
                child.kill()
        return child.end() == -signal.SIGKILL


def outcome_of(finished: SweepFinished) -> str:
    """Give the outcome of the only container."""
    (result,) = finished.results
    return str(result.outcome)


@pytest.mark.parametrize("limit", ALLOWING)
def test_a_crash_loop_does_not_multiply_a_limit(ripe: Scene, limit: str) -> None:
    """Killed after each first abort and restarted until a run ends by itself: the cap holds."""
    limited(ripe, ALLOWING[limit](CAP))
    killed = [killed_after_its_first_abort(ripe) for _ in range(CAP + 1)]

    assert [True] * CAP + [False] == killed
    assert CAP == ripe.aborted().total() == ripe.spent().aborts
    assert CAP * 8 * MIB == ripe.spent().bytes


def test_ten_restarts_stay_within_the_day(ripe: Scene) -> None:
    """In 24 h never more than the cap, however often it begins; then the day begins to move."""
    limited(ripe, f"{{aborts_per_day: {CAP}}}")
    first = ripe.sandbox.clock.now()
    killed = []
    for _ in range(RESTARTS):
        killed.append(killed_after_its_first_abort(ripe))
        ripe.sandbox.clock.move(hours(2))
    same_day = ripe.aborted().total()
    # A little less than a day after the last of the three.
    ripe.sandbox.clock.set(first + hours(27.9))
    later = ripe.sweep()

    assert [True] * CAP + [False] * (RESTARTS - CAP) == killed
    assert CAP == same_day
    assert (RIPE, "complete") == (ripe.aborted().total(), outcome_of(later))


def test_the_day_is_rolling(ripe: Scene) -> None:
    """An abort is forgotten 24 h after it, and not before."""
    limited(ripe, "{aborts_per_day: 1}")
    totals = []
    for wait in (0, 23.9, 0.2, 23.9, 0.2):
        ripe.sandbox.clock.move(hours(wait))
        ripe.sweep()
        totals.append(ripe.aborted().total())

    assert [1, 1, 2, 2, 3] == totals


@pytest.mark.parametrize("limit", ALLOWING)
@pytest.mark.parametrize(
    ("count", "outcome"),
    [(0, "capped"), (RIPE - 1, "capped"), (RIPE, "complete"), (RIPE + 1, "complete")],
)
def test_every_edge_holds_over_a_kill(ripe: Scene, limit: str, count: int, outcome: str) -> None:
    """Nothing, one less than there is, exactly that, one more: with a kill in between, too."""
    limited(ripe, ALLOWING[limit](count))
    killed = killed_after_its_first_abort(ripe)
    finished = ripe.sweep()

    assert (count > 0) == killed
    assert min(count, RIPE) == ripe.aborted().total()
    assert (COMPLETE, outcome) == (finished.exit_code, outcome_of(finished))


@pytest.mark.parametrize(
    ("share", "kept", "expected"),
    [
        ("100%", 0, (COMPLETE, "complete", RIPE)),
        ("50%", 4, (COMPLETE, "complete", RIPE)),
        ("50%", 3, (TRIPPED, "tripped", 1)),
        ("0%", 4, (TRIPPED, "tripped", 1)),
    ],
)
def test_the_breaker_sees_what_is_left_after_a_kill(
    ripe: Scene, share: str, kept: int, expected: tuple[int, str, int]
) -> None:
    """Four of four never trip 100 %; four of eight are half, and of seven more than half."""
    for _ in range(kept):
        ripe.add_young("qingstor")
    limited(ripe, "{share_of_listed: 100%}")
    killed = killed_after_its_first_abort(ripe)
    limited(ripe, f"{{share_of_listed: {share}}}")
    finished = ripe.sweep()

    assert killed
    assert expected == (finished.exit_code, outcome_of(finished), ripe.aborted().total())


def test_an_abort_of_which_nobody_knows_counts(ripe: Scene) -> None:
    """Killed on the wire, and the store cannot be asked: the budget counts it as spent."""
    limited(ripe, f"{{aborts_per_day: {CAP}}}")
    with Child(ripe.orders(hold_at="send")) as child:
        unknown = child.wait_until_held()
        child.kill()
        child.end()
    ripe.sandbox.deny("qingstor.list_parts")
    blind = ripe.sweep()
    spent = ripe.spent().aborts
    ripe.sandbox.allow("qingstor.list_parts")
    ripe.sweep()

    assert "complete" != outcome_of(blind)
    assert 1 == spent
    assert CAP == ripe.aborted().total() == ripe.spent().aborts
    assert unknown in ripe.gone()
