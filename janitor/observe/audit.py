"""The audit file: one JSON line for each thing that was done, besides the ledger.

Lines are appended, each by one write, and reach the disk when the sweep ends.
logrotate may move the file at any time: the next line begins a new one.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import structlog

from janitor.errors import ConfigError
from janitor.observe.audit_lines import line_of, text_of
from janitor.observe.events import OF_REQUESTS, Event, SweepFinished, SweepStarted
from janitor.settings.types import Settings

# What a pipe or a terminal answers, which has no disk to reach.
_NO_DISK = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EROFS})


class AuditUnusable(ConfigError):  # noqa: N818  # says what the file is
    """The audit file cannot be written, so nothing may be done that belongs into it."""


def audit_of(settings: Settings) -> AuditFile | None:
    """Open the audit file of a configuration; None if it names none. Close it, or use `with`.

    Raises AuditUnusable in enforce mode where the file cannot be written. In
    report mode, where there is little to prove, that is an error in the log.
    """
    if settings.audit_file is None:
        return None
    audit = AuditFile(settings.audit_file)
    error = audit.open()
    if error is not None and settings.mode == "enforce":
        msg = (
            f"the audit file {settings.audit_file} cannot be written: {error.strerror};"
            " nothing was done: make it writable, or leave audit.file out"
        )
        raise AuditUnusable(msg)
    return audit


def _now() -> datetime:
    return datetime.now(UTC)


class AuditFile:
    """Appends to one file; an observer, to be called from any thread, which never raises.

    A file that fails costs its lines and not the sweep: the first failure of a
    sweep is told in the log, and `lost` counts the lines that are missing.
    """

    def __init__(self, path: str, now: Callable[[], datetime] = _now) -> None:
        self.lost = 0
        self._untold = 0
        self._path = path
        self._now = now
        self._file: int | None = None
        self._torn = False
        self._run_id: str | None = None
        self._started_at: datetime | None = None
        self._lock = threading.Lock()
        self._log = structlog.get_logger("janitor.audit")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def hears(self, kind: type[Event]) -> bool:
        """Whether events of a kind can belong into the file."""
        return kind not in OF_REQUESTS

    def __call__(self, event: Event) -> None:
        """Write down what was done, and what came of a container or a sweep."""
        if isinstance(event, SweepStarted):
            self._run_id, self._started_at = event.run_id, event.at
        line = line_of(event, self._started_at)
        if line is not None:
            self._write(*line, run_id=self._run_id)
        if isinstance(event, SweepFinished):
            self._settle()

    def plan_applied(self, run_id: str, digest: str, planned_by: str, uploads: int) -> None:
        """Write down that run `run_id` carries out a plan, and which run had made it."""
        facts = {"plan": digest, "planned_by": planned_by, "uploads": uploads}
        self._write("plan.applied", facts, run_id)

    def open(self) -> OSError | None:
        """Open the file, a new one for its owner alone; give the error if that fails."""
        with self._lock:
            return self._open()

    def close(self) -> None:
        """Bring everything to the disk and let go of the file; calling twice is fine."""
        self._settle()
        with self._lock:
            self._let_go()

    def _write(self, event: str, facts: Mapping[str, Any], run_id: str | None) -> None:
        line = {"time": text_of(self._now()), "event": event, "run_id": run_id, **facts}
        # Pure ASCII, so that nothing in a key can end a line.
        encoded = json.dumps(line).encode("ascii") + b"\n"
        with self._lock:
            error = self._append(encoded)
            if error is None:
                return
            self.lost += 1
            self._untold += 1
            first = self._untold == 1
        if first:
            self._tell("audit.failed", error=error.strerror)

    def _append(self, line: bytes) -> OSError | None:
        if self._moved():
            self._let_go()
        if self._file is None and (error := self._open()) is not None:
            return error
        assert self._file is not None  # noqa: S101  # for mypy: it was opened
        # What a full disk cut short must not spoil the next line, too.
        rest = b"\n" + line if self._torn else line
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
                self._torn = bool(rest)
        except OSError as error:
            return error
        return None

    def _moved(self) -> bool:
        """Whether the path stands for another file by now, or for none."""
        if self._file is None:
            return False
        try:
            return not os.path.samestat(Path(self._path).stat(), os.fstat(self._file))
        except OSError:
            return True

    def _open(self) -> OSError | None:
        # Not blocking: a pipe that nobody reads would be waited for here for ever.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            self._file = os.open(self._path, flags, stat.S_IRUSR | stat.S_IWUSR)
            os.set_blocking(self._file, True)
        except OSError as error:
            return error
        self._torn = self._ends_in_a_line(self._file)
        return None

    def _ends_in_a_line(self, file: int) -> bool:
        """Whether what is there was cut short, for example because the power failed."""
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode) or not status.st_size:
            return False
        with suppress(OSError), Path(self._path).open("rb") as reader:
            reader.seek(-1, os.SEEK_END)
            return reader.read(1) != b"\n"
        return False

    def _let_go(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                os.close(self._file)
            self._file = None

    def _settle(self) -> None:
        """Bring everything to the disk, and say how much is missing."""
        with self._lock:
            error = None if self._file is None else _fsync(self._file)
            missing, self._untold = self._untold, 0
        if error is not None:
            self._tell("audit.unsynced", error=error.strerror)
        if missing:
            self._tell("audit.incomplete", lines=missing)

    def _tell(self, event: str, **facts: object) -> None:
        # Named here: for the log the sweep may be over already.
        self._log.error(event, run_id=self._run_id, path=self._path, **facts)


def _fsync(file: int) -> OSError | None:
    try:
        os.fsync(file)
    except OSError as error:
        return None if error.errno in _NO_DISK else error
    return None
