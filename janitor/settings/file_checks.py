"""What no single key of the other sections can know."""

from __future__ import annotations

from collections.abc import Iterator

from janitor.settings.addresses import is_loopback_dask
from janitor.settings.file_model import DaskModel, ExecutionModel, LimitsModel, ScheduleModel
from janitor.settings.problems import Finding
from janitor.settings.sections import Sections


def check_file(sections: Sections) -> Iterator[Finding]:
    """Check the schedule against itself, and the limits against mode and ledger."""
    schedule = sections.usable.get("schedule")
    if schedule is not None:
        yield from _check_schedule(schedule)
    limits = sections.usable.get("limits")
    enforced = sections.usable.get("mode") == "enforce"
    if limits is not None and enforced and sections.has_no_ledger:
        yield from _check_limits(limits)
    execution = sections.usable.get("execution")
    if execution is not None:
        yield from _check_execution(execution)


def _check_schedule(schedule: ScheduleModel) -> Iterator[Finding]:
    if schedule.cron is not None and schedule.every is not None:
        yield Finding(("schedule", "every"), "contradicts cron: keep one of the two")
    if schedule.cron is None and "every" in schedule.model_fields_set and schedule.every is None:
        sentence = "must not be null without cron: say for example 6h"
        yield Finding(("schedule", "every"), sentence)


def _check_limits(limits: LimitsModel) -> Iterator[Finding]:
    if limits.aborts_per_day is not None:
        yield Finding(
            ("limits", "aborts_per_day"),
            "needs a ledger with mode: enforce, because earlier runs are counted there: "
            "say ledger: sqlite:///janitor.db, or use aborts_per_run instead",
        )


def _check_execution(execution: ExecutionModel) -> Iterator[Finding]:
    backend = execution.backend or "threads"
    if backend != "threads" and execution.concurrency == 1:
        sentence = f"must be 2 or more with backend: {backend}: the sweep itself needs one, too"
        yield Finding(("execution", "concurrency"), sentence)
    if backend == "threads" and execution.workers is not None:
        sentence = "is of no use with backend: threads: say backend: processes, or remove it"
        yield Finding(("execution", "workers"), sentence)
    if backend == "dask" and execution.dask is None:
        sentence = "needs to know the cluster: say dask: {scheduler: tls://HOST:8786, ...}"
        yield Finding(("execution", "backend"), sentence)
    if backend != "dask" and execution.dask is not None:
        sentence = "is of no use without backend: dask: say that, or remove this"
        yield Finding(("execution", "dask"), sentence)
    if execution.dask is not None:
        yield from _check_dask(execution.dask)


def _check_dask(dask: DaskModel) -> Iterator[Finding]:
    files = {name: getattr(dask, name) for name in ("ca_file", "cert_file", "key_file")}
    where = ("execution", "dask")
    if dask.scheduler.startswith("tls:"):
        for name, path in files.items():
            if path is None:
                sentence = (
                    "is missing: say ca_file, cert_file and key_file, because TLS takes all three"
                )
                yield Finding((*where, name), sentence, at=(*where, "scheduler"))
        return
    if not is_loopback_dask(dask.scheduler):
        sentence = "must be tls://: without TLS, only a loopback address can be the scheduler's"
        yield Finding((*where, "scheduler"), sentence)
    for name, path in files.items():
        if path is not None:
            sentence = "is of no use with tcp://: say tls:// in scheduler, or remove it"
            yield Finding((*where, name), sentence)
