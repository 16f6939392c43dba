"""Collects what observers want to hear of one piece, and tells it to them elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Callable

from janitor.backends.pieces import Requests
from janitor.engine.packing import Candidate, Packed, pack_candidate
from janitor.model import ContainerRef
from janitor.observe.events import (
    ContainerCrashed,
    Event,
    Observer,
    PageListed,
    RequestFinished,
    RequestRetried,
    UploadFinished,
)
from janitor.observe.redaction import redacted


class Notes:
    """An observer that remembers in short, from any thread; `keep` takes decisions to keep.

    It is called by whoever lists, and by nobody else.
    """

    def __init__(self, keep: Callable[[Packed], None] | None = None) -> None:
        self._keep = keep
        self._lock = threading.Lock()
        self._containers: dict[str, int] = {}
        self._pages: list[tuple[int, int]] = []
        self._finished: list[tuple[int, str, float, str | None]] = []
        self._retried: list[tuple[int, str, str, float]] = []
        self._crashes: list[tuple[int, str]] = []

    def __call__(self, event: Event) -> None:
        """Remember one event."""
        if isinstance(event, UploadFinished):
            if self._keep is not None:
                self._keep(pack_candidate(Candidate(event.result.decision)))
            return
        with self._lock:
            match event:
                case RequestFinished(where, operation, seconds, code):
                    self._finished.append((self._position(where), operation, seconds, code))
                case RequestRetried(where, operation, code, delay):
                    self._retried.append((self._position(where), operation, code, delay))
                case PageListed(where, uploads):
                    self._pages.append((self._position(where), uploads))
                case ContainerCrashed(where, trace):
                    # Nobody else knows our secrets, and could take them out.
                    self._crashes.append((self._position(where), redacted(trace)))
                case _:
                    pass

    def requests(self) -> Requests:
        """Give what was heard of requests so far, once."""
        with self._lock:
            found = Requests(
                tuple(self._containers),
                tuple(self._pages),
                tuple(self._finished),
                tuple(self._retried),
                tuple(self._crashes),
            )
            self._containers = {}
            for each in (self._pages, self._finished, self._retried, self._crashes):
                each.clear()
        return found

    def _position(self, where: ContainerRef) -> int:
        return self._containers.setdefault(where.container, len(self._containers))


def replay(requests: Requests, target: str, provider: str, tell: Observer) -> None:
    """Tell of a piece's requests as if they had been made here."""
    places = [ContainerRef(target, provider, name) for name in requests.containers]
    for at, operation, code, delay in requests.retried:
        tell(RequestRetried(places[at], operation, code, delay))
    for at, name, seconds, failure in requests.finished:
        tell(RequestFinished(places[at], name, seconds, failure))
    for at, uploads in requests.pages:
        tell(PageListed(places[at], uploads))
    for at, trace in requests.crashes:
        tell(ContainerCrashed(places[at], trace))
