"""Shows on a terminal how far a sweep is; elsewhere it does nothing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from threading import Lock
from types import TracebackType
from typing import Self, TextIO

from janitor.model import ContainerRef, Outcome, UploadResult
from janitor.observe.events import ContainerListed, Event, PageListed, UploadFinished

_FRAMES_PER_SECOND = 8


class Progress:
    """One line that moves, and is gone at the end; an observer, to be called from any thread.

    `monotonic` gives seconds. Nothing is shown, and nothing counted, unless
    the stream is a terminal.
    """

    def __init__(self, stream: TextIO, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._monotonic = monotonic
        self._shows = stream.isatty()
        self._stack = ExitStack()
        self._lock = Lock()
        self._started = self._listed_at = monotonic()
        self._seen: set[ContainerRef] = set()
        self._done = 0
        self._pages = 0
        self._uploads = 0
        self._outcomes: Counter[Outcome] = Counter()

    def hears(self, kind: type[Event]) -> bool:
        """Whether events of a kind change anything that is shown."""
        return self._shows and kind in {ContainerListed, PageListed, UploadFinished}

    def __call__(self, event: Event) -> None:
        """Count what happened; the terminal is written to by another thread."""
        if not self._shows:
            return
        match event:
            case PageListed():
                self._count_page(event)
            case UploadFinished(result):
                self._count_upload(result)
            case ContainerListed(where):
                with self._lock:
                    self._seen.add(where)
                    self._done += 1
            case _:
                pass

    def __enter__(self) -> Self:
        if self._shows:
            # rich takes a while to import, and a CronJob has no terminal.
            from rich.console import Console  # noqa: PLC0415  # for terminals only
            from rich.live import Live  # noqa: PLC0415  # the same
            from rich.text import Text  # noqa: PLC0415  # the same

            self._stack.enter_context(
                Live(
                    console=Console(file=self._stream),
                    refresh_per_second=_FRAMES_PER_SECOND,
                    transient=True,
                    redirect_stdout=False,  # data may go there, into a file
                    get_renderable=lambda: Text(self.line(), no_wrap=True, overflow="ellipsis"),
                )
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def line(self) -> str:
        """Say how far the sweep is: containers done/seen, pages, uploads, and what was done."""
        with self._lock:
            seconds = self._listed_at - self._started
            rate = f" ({self._uploads / seconds:,.0f}/s)" if seconds > 0 else ""
            parts = [
                f"containers listed {self._done:,}/{len(self._seen):,}",
                f"pages {self._pages:,}",
                f"uploads {self._uploads:,}{rate}",
                *(f"{outcome} {self._outcomes[outcome]:,}" for outcome in sorted(self._outcomes)),
            ]
        return " · ".join(parts)

    def _count_page(self, page: PageListed) -> None:
        now = self._monotonic()
        with self._lock:
            self._seen.add(page.where)
            self._pages += 1
            self._uploads += page.uploads
            self._listed_at = max(now, self._listed_at)

    def _count_upload(self, result: UploadResult) -> None:
        if result.outcome is None:
            return
        with self._lock:
            self._outcomes[result.outcome] += 1
