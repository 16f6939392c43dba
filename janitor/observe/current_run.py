"""The run that is going on: one in each process, known to every thread."""

from __future__ import annotations

from collections.abc import Mapping

# A context variable would not reach the threads of a pool.
_run: dict[str, str] = {}


def begin(run_id: str) -> None:
    """Let every log line from now on name this run."""
    _run["run_id"] = run_id


def end() -> None:
    """Let no line name it any more."""
    _run.clear()


def facts() -> Mapping[str, str]:
    """Give what a log line says of the run; nothing where there is none."""
    return _run.copy()
