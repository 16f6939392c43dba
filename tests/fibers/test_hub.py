"""Fibers share one thread: they park and are resumed, and none of them stops the others."""

from __future__ import annotations

import errno
import gc
import os
import select
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import pytest
from greenlet._greenlet import get_total_main_greenlets
from support.in_fibers import in_fiber

from janitor import fibers
from janitor.fibers import Hub, Latch

PATIENCE = 30


@pytest.fixture
def hub() -> Iterator[Hub]:
    """Give a hub, and end its thread."""
    made = Hub("test")
    yield made
    made.close()


def test_all_fibers_run_in_one_thread(hub: Hub) -> None:
    """However many there are; and the thread knows that it is theirs."""
    told = [in_fiber(hub, lambda: (threading.get_ident(), fibers.in_fiber())) for _ in range(100)]
    seen = {each.result(PATIENCE) for each in told}

    assert 1 == len(seen)
    assert all(inside for _, inside in seen)
    assert not fibers.in_fiber()


def test_who_waits_lets_the_others_go_on(hub: Hub) -> None:
    """A thousand wait at the same time, in one thread, until the last one opens the way."""
    latches = [Latch() for _ in range(1000)]
    waiting = [in_fiber(hub, lambda latch=latch: latch.wait(PATIENCE)) for latch in latches]  # type: ignore[misc]
    threads = threading.active_count()

    def open_all() -> None:
        for latch in latches:
            latch.open()

    in_fiber(hub, open_all).result(PATIENCE)

    assert all(each.result(PATIENCE) for each in waiting)
    assert threads <= 5


def test_a_latch_that_nobody_opens_is_left_in_time(hub: Hub) -> None:
    """In a fiber and in a thread alike; and it can be waited for again."""
    latch = Latch()

    assert not in_fiber(hub, lambda: latch.wait(0.01)).result(PATIENCE)
    assert not latch.wait(0.01)

    latch.open()

    assert in_fiber(hub, lambda: latch.wait(PATIENCE)).result(PATIENCE)
    assert latch.wait(0)


def test_a_latch_is_opened_from_any_thread(hub: Hub) -> None:
    """Even while the hub sleeps; opening it twice does no harm."""
    for _ in range(200):
        latch = Latch()
        waiting = in_fiber(hub, lambda latch=latch: latch.wait(PATIENCE))  # type: ignore[misc]
        latch.open()
        latch.open()

        assert waiting.result(PATIENCE)


def test_a_thread_that_waits_is_woken_by_a_fiber(hub: Hub) -> None:
    """Latches work between all kinds."""
    latch = Latch()
    in_fiber(hub, latch.open)

    assert latch.wait(PATIENCE)


def test_what_blocks_is_done_elsewhere(hub: Hub) -> None:
    """While one function blocks a thread of its own, fibers go on; its result comes back."""
    gate = threading.Event()

    def block() -> int:
        gate.wait(PATIENCE)
        return threading.get_ident()

    blocked = in_fiber(hub, lambda: fibers.offload(block))
    own = in_fiber(hub, threading.get_ident).result(PATIENCE)
    gate.set()

    assert blocked.result(PATIENCE) not in {own, threading.get_ident()}
    assert threading.get_ident() == fibers.offload(threading.get_ident)


def test_what_an_offloaded_function_raises_is_raised(hub: Hub) -> None:
    """As if it had been called right here."""

    def fail() -> None:
        message = "no"
        raise OSError(message)

    with pytest.raises(OSError, match="no"):
        in_fiber(hub, lambda: fibers.offload(fail)).result(PATIENCE)


def test_a_pause_ends_with_a_stop(hub: Hub) -> None:
    """A fiber that pauses for long notices soon that it should not."""
    stop = threading.Event()
    pausing = in_fiber(hub, lambda: fibers.pause(1000, stop))
    stop.set()

    pausing.result(PATIENCE)
    fibers.pause(1000, stop)


def test_pauses_end_in_the_order_of_their_times(hub: Hub) -> None:
    """Not in that in which they were begun; and they are not cut short."""
    ended: list[float] = []

    def rest(seconds: float) -> float:
        begun = time.monotonic()
        fibers.sleep(seconds)
        ended.append(seconds)
        return time.monotonic() - begun

    told: list[Future[float]] = [
        in_fiber(hub, lambda seconds=seconds: rest(seconds))  # type: ignore[misc]
        for seconds in (0.6, 0.0, 0.3)
    ]
    rested = [each.result(PATIENCE) for each in told]

    assert [0.0, 0.3, 0.6] == ended
    assert all(real >= asked for real, asked in zip(rested, (0.6, 0.0, 0.3), strict=True))


def test_a_hub_without_fibers_has_no_thread() -> None:
    """Closing it is fine, also twice."""
    before = threading.active_count()
    hub = Hub()
    hub.close()
    hub.close()

    assert before == threading.active_count()


def test_a_closed_hub_leaves_nothing_behind() -> None:
    """Neither its thread, nor those of its helpers."""
    before = threading.active_count()
    hub = Hub()
    in_fiber(hub, lambda: fibers.offload(time.monotonic)).result(PATIENCE)
    hub.close()

    assert before == threading.active_count()


def test_a_closed_hub_does_not_hold_on_to_the_fibers_of_its_thread() -> None:
    """Greenlet would search all objects for the reason, in whatever the main thread is doing."""
    gc.collect()
    before = get_total_main_greenlets()
    hub = Hub()
    latch = Latch()
    ended = in_fiber(hub, lambda: latch.wait(PATIENCE))
    latch.open()
    ended.result(PATIENCE)
    hub.close()
    # It is the main thread that clears up behind threads that have ended, at its next call.
    for _ in range(1000):
        if before >= get_total_main_greenlets():
            break
        time.sleep(0.01)

    assert before >= get_total_main_greenlets()


def test_no_function_that_blocks_waits_for_another_one(hub: Hub) -> None:
    """However many do: an abort that waited would be sent long after the look before it."""
    most = 300
    together = threading.Barrier(most)
    told = [in_fiber(hub, lambda: fibers.offload(together.wait)) for _ in range(most)]

    assert set(range(most)) == {each.result(PATIENCE) for each in told}


def test_what_blocks_is_done_even_where_no_thread_can_be_had(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is done right here then, and once: else everybody would wait for it for ever."""
    in_fiber(hub, fibers.in_fiber).result(PATIENCE)
    done: list[int] = []

    def refuse(_thread: threading.Thread) -> None:
        message = "can't start new thread"
        raise RuntimeError(message)

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        in_fiber(hub, lambda: fibers.offload(lambda: done.append(1))).result(PATIENCE)
    in_fiber(hub, lambda: fibers.offload(lambda: done.append(2))).result(PATIENCE)

    assert [1, 2] == done


@pytest.mark.parametrize("free", [0, 2])
def test_a_hub_that_can_open_nothing_says_so(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    """Whoever begins a fiber is told; nobody waits for one that never runs."""

    def refuse(*_: object) -> NoReturn:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(*((os, "pipe2") if free == 0 else (select, "epoll")), refuse)
    hub = Hub()
    before = len(list(Path("/proc/self/fd").iterdir()))

    with pytest.raises(RuntimeError, match="Too many open files"):
        hub.begin(lambda: None)
    hub.close()
    assert before == len(list(Path("/proc/self/fd").iterdir()))


def test_one_that_fails_does_not_end_the_others(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told of as a thread that dies would be, and all fibers go on."""
    told: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lambda told_of: told.append(told_of.exc_type))

    in_fiber(hub, lambda: hub.call(lambda: dict[int, int]()[0])).result(PATIENCE)

    assert in_fiber(hub, fibers.in_fiber).result(PATIENCE)
    assert [KeyError] == told


def test_a_closed_socket_may_be_calmed(hub: Hub) -> None:
    """Of two that were ready at the same moment, the first may have led to the other's end."""
    mine, other = socket.socketpair()

    def close_first() -> None:
        hub.watch(mine.fileno(), lambda _: None)
        descriptor = mine.fileno()
        mine.close()
        hub.calm(descriptor)

    in_fiber(hub, close_first).result(PATIENCE)
    other.close()


def test_only_who_watches_a_socket_can_forget_it(hub: Hub) -> None:
    """Whoever had its number before it does not stop us from hearing of it."""
    heard = Latch()
    mine, other = socket.socketpair()

    def before(_events: int) -> None:
        """Hear of a socket that is closed by now."""

    def happened(_events: int) -> None:
        hub.calm(mine.fileno())
        mine.setblocking(False)  # noqa: FBT003  # as the standard library has it
        with suppress(BlockingIOError):
            mine.recv(1)
            heard.open()

    def watch() -> None:
        hub.watch(mine.fileno(), before)
        hub.watch(mine.fileno(), happened)
        hub.forget(mine.fileno(), before)

    in_fiber(hub, watch).result(PATIENCE)
    other.send(b"!")

    assert heard.wait(PATIENCE)
    in_fiber(hub, lambda: hub.forget(mine.fileno(), happened)).result(PATIENCE)
    mine.close()
    other.close()
