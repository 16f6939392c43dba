"""Collects what observers want to hear of one piece, and tells it to them elsewhere."""

from __future__ import annotations

import threading

from janitor.backends.pieces import MOST_LISTED, Requests
from janitor.engine.packing import Candidate, Packed, pack_candidate
from janitor.errors import JanitorError
from janitor.model import ContainerRef, UploadResult
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


class TooMany(JanitorError):  # noqa: N818  # says what happened
    """More uploads of one container need a look, or a word, than one piece may bring back."""


class Notes:
    """An observer that remembers in short, from any thread: so many decisions to keep at most."""

    def __init__(self, most: int = MOST_LISTED) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._containers: dict[str, int] = {}
        self._pages: list[tuple[int, int]] = []
        self._finished: list[tuple[int, str, float, str | None]] = []
        self._retried: list[tuple[int, str, str, float]] = []
        self._crashes: list[tuple[int, str]] = []
        self.told: list[Packed] = []
        self.too_many = False

    def __call__(self, event: Event) -> None:
        """Remember one event; raise TooMany where there are too many decisions to keep."""
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
                case UploadFinished(result):
                    self._keep(result)
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

    def _keep(self, result: UploadResult) -> None:
        if len(self.told) >= self._most:
            self.too_many = True
            message = f"more than {self._most} uploads are to be told of"
            raise TooMany(message)
        self.told.append(pack_candidate(Candidate(result.decision)))


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
