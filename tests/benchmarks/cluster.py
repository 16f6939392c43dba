"""A Dask cluster on loopback, whose processes are not part of what is measured.

Imports nothing of Dask: this process must stay small (`measure.run`).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

DASK = str(Path(sys.executable).with_name("dask"))
# Waits for a scheduler, whose file may not be there yet, and for so many workers.
UNTIL_THERE = """
import sys, time
from pathlib import Path
from distributed import Client
begun = time.monotonic()
while not Path(sys.argv[1]).exists() and time.monotonic() - begun < 60:
    time.sleep(0.05)
with Client(scheduler_file=sys.argv[1], timeout=60) as client:
    client.wait_for_workers(int(sys.argv[2]), timeout=120)
"""


@contextmanager
def running(workers: int, environ: Mapping[str, str], folder: Path) -> Iterator[str]:
    """Run a scheduler and so many workers, each a process; give the scheduler's address."""
    told = folder / "scheduler.json"
    told.unlink(missing_ok=True)
    where = ["--scheduler-file", str(told)]
    host = ["--host", "127.0.0.1"]
    scheduler = [DASK, "scheduler", *host, "--port", "0", "--no-dashboard", *where]
    worker = [DASK, "worker", *host, "--nthreads", "1", "--no-nanny", "--no-dashboard", *where]
    with ExitStack() as stack:
        stack.enter_context(_process(scheduler, environ, folder))
        for number in range(workers):
            own = folder / f"worker-{number}"
            own.mkdir(exist_ok=True)
            stack.enter_context(_process([*worker, "--local-directory", str(own)], environ, folder))
        wait = [sys.executable, "-c", UNTIL_THERE, str(told), str(workers)]
        subprocess.run(wait, env=dict(environ), check=True, stderr=subprocess.DEVNULL)  # noqa: S603  # our own
        yield json.loads(told.read_text(encoding="utf-8"))["address"]


@contextmanager
def _process(command: list[str], environ: Mapping[str, str], folder: Path) -> Iterator[None]:
    with subprocess.Popen(  # noqa: S603  # Dask's own commands
        command,
        env=dict(environ),
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield
        finally:
            process.kill()
