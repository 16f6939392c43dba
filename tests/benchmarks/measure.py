"""Runs one program from start to exit and measures what it took."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MIB = 1024  # the kernel tells memory in KiB


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took: seconds of wall and processor, MiB of memory at most; how it ended.

    Children that the program waited for count, too. `begun` is the start on
    the monotonic clock, `words` the end of what it said on standard error.
    """

    begun: float
    wall: float
    processor: float
    memory: float
    code: int
    words: str = ""


def run(command: Sequence[str], environ: Mapping[str, str], folder: Path, patience: float) -> Cost:
    """Run a program to its end in `folder`; kill it after `patience` seconds.

    The memory of a child begins at that of its parent, so this process must
    stay small: it imports no SDK and reads no output whole.
    """
    out, err = folder / "stdout", folder / "stderr"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        begun = time.monotonic()
        process = subprocess.Popen(  # noqa: S603  # our own command
            command,
            env=dict(environ),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        guard = threading.Timer(patience, os.killpg, (process.pid, signal.SIGKILL))
        guard.start()
        try:
            _, status, used = os.wait4(process.pid, 0)
        except BaseException:  # we are told to end: so is the child
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            guard.cancel()  # its number may soon be another's
        wall = time.monotonic() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    return Cost(
        begun,
        wall,
        used.ru_utime + used.ru_stime,
        used.ru_maxrss / MIB,
        process.returncode,
        _tail(err),
    )


def _tail(path: Path, size: int = 300) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - size))
        return file.read().decode(errors="replace").strip()
