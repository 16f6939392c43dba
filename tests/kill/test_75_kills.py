"""Seventy-five kills in a row, at points that nobody chose: not one abort is unrecorded."""

from __future__ import annotations

import random
import signal
from collections import Counter
from collections.abc import Callable

import pytest
from support.child_handle import Child
from support.child_scene import A_DAY_LATER, PROVIDERS, Scene
from support.child_sweep import MARKERS
from support.harness import hours

from janitor.ledger import check

MakeScene = Callable[..., Scene]
KILLS = 75
# So many markers a run comes by, before it ends by itself.
USUAL = 40


@pytest.mark.timeout(300)
def test_seventy_five_kills_in_a_row(make_scene: MakeScene) -> None:
    """One growing population and one ledger; the last runs, undisturbed, finish everything."""
    scene = make_scene(*PROVIDERS)
    for provider in PROVIDERS:
        scene.add_stale(provider, 4)
        scene.add_slow(provider)
    scene.mark()
    chance = random.Random(KILLS)  # noqa: S311  # the same kills every time, and no secret
    last_words: Counter[str] = Counter()
    left_open = 0
    for _ in range(2 * KILLS):
        provider = chance.choice(PROVIDERS)
        scene.add_stale(provider, 2)
        scene.pass_time(hours(1))
        words = killed_after(chance.randint(1, USUAL), scene, provider)
        last_words[words] += 1
        left_open += bool(scene.open_intents())

        assert [] == check(scene.url)
        if last_words.total() - last_words[""] == KILLS:
            break
    del last_words[""]
    aborted_by_the_killed = len(scene.gone())
    scene.sweep()
    scene.pass_time(A_DAY_LATER)
    scene.sweep()

    assert KILLS == last_words.total()
    assert set() == {"lock", "page", "intent", "send", "reply", "result"} - set(last_words)
    assert left_open > KILLS // 10
    assert aborted_by_the_killed > KILLS // 2
    scene.assert_convergence()


def killed_after(count: int, scene: Scene, provider: str) -> str:
    """Kill a child, wherever it is, when it came by so many markers.

    Give the last one that it told; "" says that it had ended before.
    """
    with Child(scene.orders(target=provider)) as child:
        for _ in range(count):
            if child.hear() is None:
                break
        child.kill()
        ended = child.end()
        told = child.heard[-1][1]
    assert told in MARKERS
    return told if ended == -signal.SIGKILL else ""
