"""What listings found, on its way from a worker to the sweep: a little of it at a time.

The rest is on disk, on both sides.
"""

from __future__ import annotations

import marshal
import threading
from collections.abc import Iterator, Sequence
from typing import Self

from janitor.backends.pieces import Fetched, FetchPiece, Requests
from janitor.engine.chunks import Chunks
from janitor.engine.packing import Packed
from janitor.errors import JanitorError

# What a spool holds in memory, and about what travels at once, in bytes.
IN_MEMORY = 1 << 18
AT_ONCE = 1 << 17
# A chunk is closed when it has so many uploads, or so many characters of keys, ids and the
# like: few, because what is kept here may come from very many containers at the same time.
CHUNK, CHARACTERS = 500, 1 << 15
# What all of Python's versions that may meet here can read.
_MARSHAL = 4


class Forgotten(JanitorError):  # noqa: N818  # says what happened
    """What is asked for was here, and is not any more."""


class Spool:
    """Decisions to tell of and uploads that need a closer look, packed; for one thread at a time.

    Every method raises BacklogFailed where the disk fails.
    """

    def __init__(self) -> None:
        self._chunks = Chunks(IN_MEMORY)
        self._told: list[Packed] = []
        self._looks: list[Packed] = []
        self._characters = 0

    def __enter__(self) -> Self:
        """Nothing has to be opened."""
        return self

    def __exit__(self, *_: object) -> None:
        """Forget everything."""
        self.close()

    def close(self) -> None:
        """Forget everything."""
        self._chunks.close()

    def tell(self, candidate: Packed) -> None:
        """Add a decision that somebody wants to hear of."""
        self._told.append(candidate)
        self._count(candidate[0])

    def look(self, upload: Packed) -> None:
        """Add an upload that needs a closer look."""
        self._looks.append(upload)
        self._count(upload)

    def _count(self, upload: Packed) -> None:
        key, upload_id, _, *more = upload
        self._characters += len(key or "") + len(upload_id) + sum(map(len, filter(None, more)))
        if len(self._told) + len(self._looks) >= CHUNK or self._characters >= CHARACTERS:
            self.finish()

    def finish(self) -> int:
        """Close the last chunk; give the size of all, in bytes."""
        if self._told or self._looks:
            self._chunks.add(marshal.dumps((self._told, self._looks), _MARSHAL))
            self._told.clear()
            self._looks.clear()
            self._characters = 0
        return self._chunks.size

    def some(self, position: int) -> tuple[tuple[bytes, ...], int | None]:
        """Give chunks from a position on, and where the next ones are."""
        found: list[bytes] = []
        begun = position
        while position - begun < AT_ONCE and (chunk := self._chunks.at(position)) is not None:
            found.append(chunk[0])
            position = chunk[1]
        return tuple(found), position if position < self._chunks.size else None

    def take(self, chunks: Sequence[bytes]) -> None:
        """Add chunks of another spool."""
        for chunk in chunks:
            self._chunks.add(chunk)

    def cut(self, size: int) -> None:
        """Forget what was taken since it had so many bytes."""
        self._chunks.cut(size)

    def read(self) -> Iterator[tuple[list[Packed], list[Packed]]]:
        """Give all: what is to be told, and what needs a look, chunk by chunk."""
        for chunk in self._chunks.read():
            told, looks = marshal.loads(chunk)  # noqa: S302  # our own, or our own worker's
            yield told, looks


class Shelf:
    """What a worker's listings found, until it was fetched. For many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spools: dict[str, tuple[Spool, Requests]] = {}

    def __enter__(self) -> Self:
        """Nothing has to be opened."""
        return self

    def __exit__(self, *_: object) -> None:
        """Forget everything that nobody fetched."""
        with self._lock:
            for kept in self._spools.values():
                kept[0].close()
            self._spools.clear()

    def put(self, number: str, spool: Spool, requests: Requests) -> None:
        """Keep what the piece of this number found, and what is to be heard when it was fetched."""
        with self._lock:
            self._spools[number] = spool, requests

    def fetch(self, piece: FetchPiece) -> tuple[Fetched, Requests]:
        """Give some of it; what was given to its end is forgotten. Raises Forgotten."""
        with self._lock:
            kept = self._spools.get(piece.number)
        if kept is None:
            message = "what was listed is not kept any more"
            raise Forgotten(message)
        spool, requests = kept
        chunks: tuple[bytes, ...] = ()
        if piece.position is not None:
            chunks, following = spool.some(piece.position)
            if following is not None:
                return Fetched(chunks, following), Requests()
        with self._lock:
            self._spools.pop(piece.number, None)
        spool.close()
        return Fetched(chunks, None), Requests() if piece.position is None else requests
