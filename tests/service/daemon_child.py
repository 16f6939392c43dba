"""A daemon with a fake sweep, to be sent signals; says on standard output what it does."""

from __future__ import annotations

import os
import sys
import threading
from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry

from janitor.model import ContainerRef, ContainerResult, TargetOutcome
from janitor.observe.events import SweepFinished
from janitor.observe.logs import configure
from janitor.observe.metrics import Metrics
from janitor.service.daemon import serve
from janitor.service.runner import Work
from janitor.settings.types import Http, Schedule, Settings
from janitor.targets import Execution

WHERE = ContainerRef("media", "qingstor", "your-bucket-name")


def sweep_like(kind: str, stop: threading.Event) -> SweepFinished:
    """Sweep: `quick` at once, `long` and `tidy` until told to stop, `deaf` and `hung` never."""
    print("sweeping", flush=True)  # noqa: T201  # the test waits for it
    begun = datetime.now(UTC)
    if kind == "crash":
        raise RuntimeError(kind)
    if kind in {"long", "tidy"}:
        stop.wait(60)
    if kind in {"deaf", "hung"}:
        threading.Event().wait(60)
    outcome = TargetOutcome.INTERRUPTED if kind == "long" else TargetOutcome.COMPLETE
    result = ContainerResult(WHERE, outcome, begun, datetime.now(UTC))
    return SweepFinished("r", "report", begun, datetime.now(UTC), (result,), 0)


def main(kind: str) -> int:
    """Serve on a free port."""
    configure("json", "debug", sys.stderr)
    stop = threading.Event()
    schedule = Schedule(every=timedelta(hours=1), at_start=kind != "idle")
    moment = timedelta(milliseconds=100)
    in_haste = Execution(connect_timeout=moment, read_timeout=moment, run_timeout=moment)
    execution = in_haste if kind == "hung" else Execution()
    settings = Settings(targets=(), schedule=schedule, http=Http(port=0), execution=execution)
    metrics = Metrics(CollectorRegistry(), "report")
    return serve(Work(settings, lambda: sweep_like(kind, stop)), metrics, stop)


if __name__ == "__main__":
    code = main(sys.argv[1])
    print(f"left with {code}", os.getpid(), flush=True)  # noqa: T201  # the test compares it
    sys.exit(code)
