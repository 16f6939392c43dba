"""The main program of a worker process: runs what comes through its pipe, until that is closed."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from janitor.backends.shop import FLOOR


def main(handle: int) -> None:
    """Work until the pipe is closed; then end at once, whatever is under way.

    Signals to the whole group of processes are for the sweep, which says what
    is to be done about them.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    FLOOR.has_own_log = True
    pipe = Connection(handle)
    speaking = threading.Lock()
    while True:
        try:
            message = pipe.recv_bytes()
        except (EOFError, OSError):
            # Whoever wrote our intents down is gone: nobody could conclude them.
            os._exit(0)
        threading.Thread(target=_run, args=(pipe, speaking, message), daemon=True).start()


def _run(pipe: Connection, speaking: threading.Lock, message: bytes) -> None:
    number, function, arguments, named = pickle.loads(message)  # noqa: S301  # from who started us
    answer = _answer(number, function, arguments, named)
    with speaking:
        pipe.send_bytes(answer)


def _answer(number: int, function: Callable[..., Any], arguments: Any, named: Any) -> bytes:
    try:
        return pickle.dumps((number, function(*arguments, **named), None))
    except Exception as error:  # noqa: BLE001  # whoever waits for it is told
        told = f"{type(error).__name__}: {error}"
        return pickle.dumps((number, None, RuntimeError(told)))


if __name__ == "__main__":
    main(int(sys.argv[1]))
