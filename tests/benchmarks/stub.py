"""Builds the stub server at first use, starts it, and talks to it over its standard streams."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

SOURCES = sorted(Path(__file__).parent.glob("stub*.[ch]"))
CACHE = Path(__file__).parents[2] / ".tools"
SPREADS = ("sequential", "uniform", "skewed", "one-key")


class NoCompiler(Exception):  # noqa: N818  # it is the reason of a skip
    """The stub server cannot be built here."""


@dataclass(frozen=True, slots=True)
class World:
    """What the stub serves.

    `uploads` in each of `containers`; every `stale_every`-th is ten days old or
    more, the rest a few hours (0: all are young). `latency` in milliseconds,
    `rate` in requests a second (0: no limit), `clock` in seconds by which its
    Date is ahead. `keys` is an index into SPREADS.
    """

    uploads: int
    containers: int = 1
    latency: int = 0
    stale_every: int = 1
    parts: int = 2
    keys: int = 0
    rate: int = 0
    clock: int = 0

    @property
    def total(self) -> int:
        """Count the uploads of all containers."""
        return self.uploads * self.containers

    @property
    def stale(self) -> int:
        """Count the uploads that any policy of a few days finds stale."""
        if not self.stale_every:
            return 0
        return -(-self.uploads // self.stale_every) * self.containers


class Stub:
    """One running stub server."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.port = int(self._line().split()[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def serve(self, world: World) -> None:
        """Serve another world, where nothing was listed or aborted yet."""
        self._say("set " + " ".join(f"{name}={value}" for name, value in asdict(world).items()))
        self._line()

    def count(self) -> Mapping[str, int]:
        """Give the counters since the world began; their names are in the source."""
        self._say("count")
        counters: Mapping[str, int] = json.loads(self._line())
        return counters

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None  # for mypy: it is a pipe
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _line(self) -> str:
        assert self._process.stdout is not None  # for mypy: it is a pipe
        line = self._process.stdout.readline()
        if not line:
            msg = "the stub server ended"
            raise RuntimeError(msg)
        return line


def build() -> Path:
    """Give the program's path, compiling it first if its source is new."""
    version = hashlib.sha256(b"".join(one.read_bytes() for one in SOURCES)).hexdigest()[:12]
    program = CACHE / f"stub-{version}"
    if program.exists():
        return program
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        msg = "there is no C compiler here (cc), which the stub server needs"
        raise NoCompiler(msg)
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        made = Path(folder, "stub")
        done = subprocess.run(  # noqa: S603  # our own command
            [compiler, "-O2", "-o", made, *(one for one in SOURCES if one.suffix == ".c"), "-lm"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            msg = f"{compiler} cannot build the stub server: {done.stderr[-300:]}"
            raise NoCompiler(msg)
        made.rename(program)  # another process may have been faster; they are equal
    return program


@contextmanager
def running() -> Iterator[Stub]:
    """Run a stub server; raise NoCompiler where there is none to be had."""
    process = subprocess.Popen(  # noqa: S603  # our own program
        [build()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        try:
            yield Stub(process)
        finally:
            assert process.stdin is not None  # for mypy: it is a pipe
            process.stdin.close()  # that is how it ends
