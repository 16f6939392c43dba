"""Listens to one sweep and keeps what its report needs, in bounded memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import TracebackType
from typing import Self, cast

from janitor.model import UploadResult
from janitor.observe.events import (
    OF_REQUESTS,
    Event,
    SweepFinished,
    SweepStarted,
    TargetOpened,
    UploadFinished,
)
from janitor.report.lines import Lines
from janitor.report.rows import Report, UploadRow, container_row, sweep_row
from janitor.report.spool import Spool

MEMORY = 4 * 1024 * 1024


class Recorder:
    """Records one sweep; an observer, to be called from any thread.

    Uploads go through `memory` bytes to a temporary file, which is closed with
    the recorder. If that file cannot be written, the sweep goes on and the
    report tells how many uploads it lacks.
    """

    def __init__(self, memory: int = MEMORY) -> None:
        self._spool = Spool(memory)
        self._lines = Lines()
        self._finished: SweepFinished | None = None
        self._transports: dict[str, str] = {}

    def hears(self, kind: type[Event]) -> bool:
        """Whether a report needs anything of events of a kind."""
        return kind not in OF_REQUESTS

    def __call__(self, event: Event) -> None:
        """Keep what a report needs of the event; never raises."""
        match event:
            case UploadFinished(result):
                self._record(result)
            case SweepStarted():
                self._lines = Lines(event.at)
            case TargetOpened():
                self._transports[event.target] = event.transport
            case SweepFinished():
                self._finished = event
            case _:
                pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Drop everything that was recorded; calling twice is fine."""
        self._spool.close()

    @property
    def lost(self) -> int:
        """How many uploads could not be recorded, because the disk failed or it was too late."""
        return self._spool.lost

    def uploads(self) -> Iterator[UploadRow]:
        """Give the uploads sorted by container, and in each as they were recorded.

        Streams from disk; can be called again. Raises OSError if the disk fails.
        """
        for line in self._spool.lines():
            yield cast("UploadRow", json.loads(line))

    def report(self) -> Report:
        """Give what the writers need, while the recorder is open.

        Raises RuntimeError before the sweep has finished.
        """
        if self._finished is None:
            msg = "the sweep has not finished"
            raise RuntimeError(msg)
        targets = sorted(self._finished.results, key=lambda result: result.where)
        return Report(
            sweep_row(self._finished, self.lost),
            [container_row(r, self._transports.get(r.where.target)) for r in targets],
            self.uploads,
            self._as_json,
        )

    def _as_json(self) -> Iterator[str]:
        for line in self._spool.lines():
            yield line[:-1].decode("ascii")

    def _record(self, result: UploadResult) -> None:
        line = self._lines.line(result) + "\n"
        self._spool.add(result.decision.upload.where, line.encode("ascii"))
