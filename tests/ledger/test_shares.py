"""Limits hold over all shards of one run, whoever is cut off in the middle."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from support.ledger_samples import HOUR, NOW, header_of, result_of
from support.ledger_shards import TEN, Member
from support.postgres import Server

from janitor.ledger import LedgerError, open_ledger
from janitor.ledger.types import Spent
from janitor.model import ContainerRef
from janitor.plan import Limits
from janitor.sharding import Shard, shard_of

UNLIMITED = Limits()


Join = Callable[..., Member]


@pytest.fixture
def join(postgres: Server) -> Iterator[Join]:
    """Let shards join, on one server; `1/2` is a shard and `whole` no shard."""
    url = postgres.new_url()
    members: list[Member] = []

    def join_it(text: str, run: str = "", at: datetime = NOW) -> Member:
        index, _, count = text.partition("/")
        shard = Shard(int(index), int(count), run) if count else None
        members.append(Member(url, shard, f"run-{len(members)}", at))
        return members[-1]

    yield join_it

    for member in members:
        member.die()


def test_what_one_sets_aside_no_other_gets(join: Join) -> None:
    """First come, first served; the third gets what is left, the fourth nothing."""
    shards = [join(f"{index}/4") for index in range(4)]
    left = [shard.reserve(4).aborts_per_run for shard in shards]

    assert [10, 6, 2, 0] == left


def test_what_is_spent_was_set_aside(join: Join) -> None:
    """An abort takes nothing more than what its shard has set aside for it."""
    first, second = join("0/2"), join("1/2")
    first.reserve(4)
    first.abort("a", "b")
    before = second.left().aborts_per_run
    first.abort("c", "d")

    assert 6 == before
    assert 6 == second.left().aborts_per_run


def test_what_is_not_needed_comes_back(join: Join) -> None:
    """When the plan is smaller than what was set aside, and when the shard has finished."""
    first, second = join("0/2"), join("1/2")
    first.reserve(10)
    none = second.left().aborts_per_run
    first.ledger.keep(first.run_id, Spent(7, 0))
    first.abort("a", "b")
    some = second.left().aborts_per_run
    first.finish()

    assert (0, 3) == (none, some)
    assert 8 == second.left().aborts_per_run


def test_nobody_waits_for_itself(join: Join) -> None:
    """What a shard has set aside is its own to use, and asking again replaces it."""
    only = join("0/2")
    only.reserve(10)
    only.abort("a")

    assert 9 == only.left().aborts_per_run
    assert 9 == only.reserve(2).aborts_per_run
    assert 8 == join("1/2").left().aborts_per_run


@pytest.mark.parametrize(
    ("limits", "wanted", "left"),
    [
        (Limits(aborts_per_day=6), Spent(4, 0), Limits(aborts_per_day=2)),
        (Limits(aborts_per_run=9), Spent(4, 0), Limits(aborts_per_run=5)),
        (Limits(bytes_per_run=100), Spent(4, 70), Limits(bytes_per_run=30)),
        (Limits(bytes_per_run=100), Spent(4, 170), Limits(bytes_per_run=0)),
        (
            Limits(aborts_per_run=5, aborts_per_day=3),
            Spent(9, 0),
            Limits(aborts_per_run=2, aborts_per_day=0),
        ),
        (UNLIMITED, Spent(9, 9), UNLIMITED),
    ],
)
def test_every_cap_is_shared(join: Join, limits: Limits, wanted: Spent, left: Limits) -> None:
    """Aborts of the run and of the day, and bytes; what is not limited stays so."""
    first, second = join("0/2"), join("1/2")
    before = first.reserve(wanted.aborts, limits, wanted.bytes)

    assert limits == before
    assert left == second.left(limits)


def test_bytes_count_as_they_are_freed(join: Join) -> None:
    """What turns out to be larger than what was set aside counts as it is."""
    first, second = join("0/2"), join("1/2")
    first.reserve(1, Limits(bytes_per_run=100), 5)
    (intent,) = first.intend("a", size=5)
    first.ledger.conclude(intent, NOW, "aborted", size_freed=8)

    assert 92 == second.left(Limits(bytes_per_run=100)).bytes_per_run


def test_of_a_dead_shard_only_that_counts_which_it_wrote_down(join: Join) -> None:
    """Two of its five were sent, or may have been; nobody waits for the other three."""
    first, second = join("0/2"), join("1/2")
    first.reserve(5)
    first.abort("a")
    first.intend("b")
    alive = second.left().aborts_per_run
    first.die()

    assert 5 == alive
    assert 8 == second.reserve(8).aborts_per_run
    assert 0 == join("0/2").reserve(5).aborts_per_run


def test_a_dead_shard_that_is_not_dead_writes_nothing_more(join: Join) -> None:
    """Its lock was lost, and somebody else has counted on that: it must not go on."""
    first, second = join("0/2"), join("1/2")
    first.reserve(5)
    first.abort("a")
    first.lose_the_lock()
    left = second.reserve(9).aborts_per_run

    assert 9 == left
    with pytest.raises(LedgerError, match="has closed run 'run-0': another janitor took its place"):
        first.intend("b")
    with pytest.raises(LedgerError, match="has closed run 'run-0'"):
        first.reserve(1)


@pytest.mark.parametrize("successor", ["0/2", "whole"])
def test_who_takes_its_place_closes_a_run(join: Join, successor: str) -> None:
    """The next of the same number, or whoever has all."""
    first = join("0/2")
    first.reserve(5)
    first.lose_the_lock()
    join(successor)

    with pytest.raises(LedgerError, match="has closed run 'run-0'"):
        first.intend("b")


def test_a_new_run_begins_with_whole_limits(join: Join) -> None:
    """When all shards have finished; what the day allows goes on."""
    limits = Limits(aborts_per_run=10, aborts_per_day=15)
    for index in range(2):
        shard = join(f"{index}/2")
        shard.reserve(3, limits)
        shard.abort(f"{index}a", f"{index}b", f"{index}c")
        shard.finish()

    assert Limits(aborts_per_run=10, aborts_per_day=9) == join("0/2").left(limits)


def test_a_shard_that_comes_later_is_of_the_same_run(join: Join) -> None:
    """They need not be at work at the same time."""
    first = join("0/2")
    first.abort("a", "b", "c")
    first.finish()

    assert 7 == join("1/2").left().aborts_per_run


def test_a_shard_that_is_started_again_is_of_the_same_run(join: Join) -> None:
    """Killed in the middle: what it did counts, and what others did in this run."""
    first, second = join("0/2"), join("1/2")
    first.abort("a")
    second.abort("b", "c")
    second.finish()
    first.die()

    assert 7 == join("0/2").left().aborts_per_run


def test_a_shard_that_had_finished_begins_a_new_run(join: Join) -> None:
    """What another one, which never finished, did in the old run still counts."""
    first, second = join("0/2"), join("1/2")
    second.abort("a", "b")
    second.die()
    first.abort("c")
    first.finish()

    assert 8 == join("0/2").left().aborts_per_run


def test_a_crash_loop_of_one_shard_does_not_multiply_a_limit(join: Join) -> None:
    """However many runs the others finish meanwhile."""
    left = []
    for number in range(4):
        loop = join("1/2", f"job-{number}")
        left.append(loop.reserve(3).aborts_per_run)
        loop.abort(*(f"{number}-{n}" for n in range(3)))
        loop.die()
        other = join("0/2", f"job-{number}")
        left.append(other.left().aborts_per_run)
        other.finish()

    assert [10, 7, 7, 4, 4, 1, 1, 0] == left


@pytest.mark.parametrize("last", ["1/2", "whole"])
def test_a_run_over_everything_makes_up_for_what_was_cut_off(join: Join, last: str) -> None:
    """Then every intent was looked after, and limits begin anew."""
    for name in ("job-1", "job-2"):
        cut_off = join("1/2", name)
        cut_off.abort(name)
        cut_off.die()
        join("0/2", name).finish()
    before = join("0/2", "job-3")
    counted = before.left().aborts_per_run
    before.finish()
    join(last, "job-3").finish()
    after = join("0/2", "job-4")

    assert (8, 10) == (counted, after.left().aborts_per_run)
    assert Spent(0, 0) == after.ledger.spent_by_unfinished_runs()


def test_whoever_has_all_counts_shards_that_were_cut_off(join: Join) -> None:
    """And not those that finished; shards count whoever had all and was cut off."""
    first, second = join("0/2"), join("1/2")
    first.abort("a")
    first.finish()
    second.abort("b", "c")
    second.die()
    whole = join("whole")
    whole.abort("d")
    counted = whole.ledger.spent_by_unfinished_runs()
    whole.die()

    assert Spent(3, 15) == counted
    assert 7 == join("0/2").left().aborts_per_run


def test_a_name_keeps_runs_apart_and_together(join: Join) -> None:
    """Of two Jobs, the straggler of the first does not join the second."""
    join("0/2", "monday").finish()
    straggler = join("1/2", "monday")
    straggler.abort("a", "b")
    straggler.die()
    tuesday = join("0/2", "tuesday")
    tuesday.abort("c", "d", "e")
    tuesday.finish()
    again = join("1/2", "monday")
    counted = again.left().aborts_per_run
    again.finish()

    # Not with the three of tuesday, which has finished.
    assert 8 == counted
    # With its own three, and with nothing of monday, which is complete.
    assert 7 == join("1/2", "tuesday").left().aborts_per_run


def test_another_number_of_shards_is_another_run(join: Join) -> None:
    """What was cut off still counts."""
    first = join("0/2", "job")
    first.abort("a", "b")
    first.finish()
    second = join("1/2", "job")
    second.abort("c")
    second.die()

    assert 9 == join("0/3", "job").left().aborts_per_run


def test_whoever_only_looks_sets_nothing_aside(join: Join) -> None:
    """It sees what is left for one that was in no run yet."""
    first = join("0/2")
    first.reserve(4)
    first.abort("a")
    url = first.url
    with open_ledger(url, read_only=True, shard=Shard(1, 2)) as looking:
        left = looking.left("never begun", NOW, TEN)
        with pytest.raises(LedgerError, match="reading only"):
            looking.reserve("never begun", NOW, TEN, Spent(1, 0))

    assert 6 == left.aborts_per_run


def test_the_last_complete_scan_is_that_of_the_whole_run(url: str) -> None:
    """On a file, too, where shards come one after the other."""
    names = [f"bucket-{number}" for number in range(6)]
    for hour, gone in ((0, ""), (1, names[0])):
        for index in range(2):
            shard, at = Shard(index, 2, f"job-{hour}"), NOW + hour * HOUR
            ours = [n for n in names if n != gone and shard_of("lake", n, 2) == index]
            _scan(url, shard, f"run-{hour}-{index}", at, ours)
    with open_ledger(url, read_only=True) as ledger:
        whole = ledger.last_completes()
    with open_ledger(url, read_only=True, shard=Shard(1, 2)) as ledger:
        part = ledger.last_completes()

    assert dict.fromkeys(map(_lake, names[1:]), NOW + HOUR) == whole
    assert {
        where: at for where, at in whole.items() if shard_of("lake", where.container, 2)
    } == part


def _lake(name: str) -> ContainerRef:
    return ContainerRef("lake", "s3", name)


def _scan(url: str, shard: Shard, run_id: str, at: datetime, names: list[str]) -> None:
    """Let a shard scan its containers, and finish."""
    with open_ledger(url, shard=shard) as ledger, ledger.lock():
        ledger.begin(header_of(run_id, at=at))
        for name in names:
            ledger.record_scans(run_id, at, [result_of(where=_lake(name))])
        ledger.finish(run_id, at, 0)


def test_what_is_forgotten_after_a_year_takes_its_shards_along(url: str) -> None:
    """No row is left that would name a run that is not there."""
    for number in range(2):
        _scan(url, Shard(0, 1), f"run-{number}", NOW + number * HOUR, [])
    with open_ledger(url) as ledger, ledger.lock():
        ledger.prune(NOW + timedelta(days=401))
        kept = [run.run_id for run in ledger.history(9)]
    with open_ledger(url, shard=Shard(0, 1)) as ledger, ledger.lock():
        ledger.begin(header_of("run-9", at=NOW + timedelta(days=402)))
        left = ledger.reserve("run-9", NOW + timedelta(days=402), TEN, Spent(1, 0))

    assert ["run-1"] == kept
    assert TEN == left
