"""A janitor that stood still looks again before it aborts anything."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta

import pytest
from support.child_handle import Child
from support.child_scene import PROVIDERS, Scene

MakeScene = Callable[..., Scene]
PAUSE = timedelta(seconds=40)
# The last points at which it can notice that it stood still, and those behind.
MARKERS = ("lock", "page", "plan", "intent", "check", "send", "reply", "result")
ALIVE = {"active", "activity_unknown"}


@pytest.fixture
def marked(make_scene: MakeScene) -> MakeScene:
    """Make scenes in which three uploads are ripe, to be aborted one after the other."""

    def make(provider: str) -> Scene:
        made = make_scene(provider)
        made.configure(execution="{concurrency: 1}")
        made.add_stale(provider, 3)
        made.mark()
        return made

    return make


def reasons_of(child: Child) -> dict[str, str]:
    """Give the reasons of all uploads that were kept, by the child's report."""
    uploads = json.loads(child.output())["uploads"]
    return {each["upload_id"]: each["reason"] for each in uploads if each["verdict"] == "keep"}


def test_stopped_for_forty_seconds(marked: MakeScene) -> None:
    """SIGSTOP right before the abort, SIGCONT 40 s later: what moved is kept, the rest goes."""
    with ExitStack() as stack:
        scenes = {name: marked(name) for name in PROVIDERS}
        children = {
            name: stack.enter_context(Child(scene.orders(hold_at="check")))
            for name, scene in scenes.items()
        }
        held = {name: child.wait_until_held() for name, child in children.items()}
        for child in children.values():
            child.suspend()
            child.let_go()
        threading.Event().wait(PAUSE.total_seconds())
        for name, upload_id in held.items():
            scenes[name].add_part(name, upload_id)
        for child in children.values():
            child.send(signal.SIGCONT)
        ended = {name: child.end() for name, child in children.items()}
        kept = {name: reasons_of(child) for name, child in children.items()}

    assert dict.fromkeys(PROVIDERS, 0) == ended
    assert {name: {upload_id} for name, upload_id in held.items()} == {
        name: set(reasons) for name, reasons in kept.items()
    }
    assert ALIVE >= {reason for reasons in kept.values() for reason in reasons.values()}
    for name, scene in scenes.items():
        scene.assert_nothing_is_lost()
        assert scene.stale() - {held[name]} == scene.gone()
        assert [] == scene.open_intents()


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("marker", MARKERS)
def test_a_pause_at_any_point(marked: MakeScene, marker: str, provider: str) -> None:
    """All that received parts in 40 s without us lives, unless its abort had left us before.

    That one, held between the last look at the clock and the wire, is what no
    janitor can take back.
    """
    scene = marked(provider)
    with Child(scene.orders(hold_at=marker)) as child:
        held = child.wait_until_held()
        sent = {*child.passed("send"), *([held] if marker == "send" else [])}
        scene.sandbox.clock.move(PAUSE)
        saved = scene.stale() - sent
        for upload_id in saved:
            scene.add_part(provider, upload_id)
        child.let_go(jump=PAUSE)
        ended = child.end()
        kept = reasons_of(child)
    scene.assert_nothing_is_lost()

    assert 0 == ended, child.errors()
    assert sent == scene.gone()
    assert saved == set(kept)
    assert ALIVE >= set(kept.values())
    assert [] == scene.open_intents()
