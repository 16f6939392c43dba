"""Janitors that share the buckets: real processes, one server, and some are killed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.postgres import Server
from support.shard_scene import BUCKETS, ShardScene, shard_scene

from janitor.sharding import shard_of

COMPLETE, LOCKED = 0, 75
TWO = ("0/2", "1/2")
THREE = ("0/3", "1/3", "2/3")


@pytest.fixture
def scene(tmp_path: Path, postgres: Server) -> Iterator[ShardScene]:
    """Give a scene; in the end nothing is lost, whatever happened in it."""
    with shard_scene(tmp_path, postgres.new_url()) as made:
        yield made

        made.assert_nothing_is_lost()


def test_shards_at_once_sweep_everything_once(scene: ShardScene) -> None:
    """Each bucket is in exactly one report, and each upload is aborted once."""
    scene.mark()
    codes = scene.sweep(*THREE)

    assert [COMPLETE] * 3 == codes
    assert dict.fromkeys(BUCKETS, 1) == dict(scene.listed(*THREE))
    assert dict.fromkeys(scene.uploads, 1) == dict(scene.aborted())


def test_what_shards_have_seen_counts_for_any_other_number(scene: ShardScene) -> None:
    """A shard more or less begins no grace anew, and neither does who has all."""
    assert [COMPLETE] * 2 == scene.sweep(*TWO)
    scene.pass_a_day()
    before = scene.aborted().total()
    scene.sweep_here()

    assert 0 == before
    assert dict.fromkeys(scene.uploads, 1) == dict(scene.aborted())


@pytest.mark.parametrize(
    ("limits", "allowed"),
    [("{aborts_per_run: 7}", 7), ("{aborts_per_day: 3}", 3), ("{bytes_per_run: 40MiB}", 5)],
)
def test_a_cap_is_for_all_shards_at_once(scene: ShardScene, limits: str, allowed: int) -> None:
    """Each has more to abort than both of them may."""
    scene.configure(limits=limits)
    scene.mark()
    codes = scene.sweep(*TWO)

    assert [COMPLETE] * 2 == codes
    assert allowed == scene.aborted().total() == scene.spent().aborts


@pytest.mark.parametrize("hold_at", ["lock", "intent"])
def test_a_cap_holds_in_every_order(scene: ShardScene, hold_at: str) -> None:
    """One is held while the other runs to its end: before it sets aside, and after."""
    scene.configure(limits="{aborts_per_run: 9}")
    scene.mark()
    with scene.child("--shard", "0/2", hold_at=hold_at) as slow:
        slow.wait_until_held()
        codes = scene.sweep("1/2")
        slow.let_go()
        codes.append(slow.end())

    assert [COMPLETE] * 2 == codes
    assert 9 == scene.aborted().total()


@pytest.mark.parametrize("hold_at", ["send", "reply"])
def test_a_killed_shard_is_started_again(scene: ShardScene, hold_at: str) -> None:
    """Killed in the middle while another is at work: nothing is doubled, nothing forgotten."""
    scene.mark()
    with scene.child("--shard", "0/2", hold_at=hold_at, nth=2) as killed:
        killed.wait_until_held()
        with scene.child("--shard", "1/2", hold_at="result") as other:
            other.wait_until_held()
            killed.kill()
            assert -signal.SIGKILL == killed.end()
            again = scene.sweep("0/2")
            other.let_go()
            last = other.end()

    assert ([COMPLETE], COMPLETE) == (again, last)
    assert dict.fromkeys(scene.uploads, 1) == dict(scene.aborted())
    assert [] == scene.open_intents()


def test_a_crash_loop_of_one_shard_does_not_multiply_a_cap(scene: ShardScene) -> None:
    """Killed after its first abort, and started again: all of that counts for the other."""
    scene.configure(limits="{aborts_per_run: 5}", execution="{concurrency: 1}")
    scene.mark()
    for _ in range(2):
        with scene.child("--shard", "0/2", hold_at="result") as killed:
            killed.wait_until_held()
            killed.kill()
            killed.end()
    cut_off = scene.aborted().total()
    scene.sweep("1/2")

    assert (2, 5) == (cut_off, scene.aborted().total())


def test_janitors_that_would_cut_differently_are_locked_out(scene: ShardScene) -> None:
    """So is whoever wants all, and another one of the same number; one that only looks is not."""
    scene.mark()
    with scene.child("--shard", "0/3", hold_at="page") as first:
        first.wait_until_held()
        codes = scene.sweep("0/2", "0/3")
        whole = scene.sweep_here().exit_code
        with scene.child("--shard", "1/3", "--dry-run") as looking:
            dry = looking.end()
        first.let_go()
        last = first.end()
    rows = scene.report("--shard", "1/3", "--dry-run")["targets"]

    assert ([LOCKED, LOCKED], LOCKED, COMPLETE, COMPLETE) == (codes, whole, dry, last)
    assert {1} == {shard_of("lake", row["container"], 3) for row in rows}
