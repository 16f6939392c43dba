"""A bucket in memory that lists its uploads as S3 does: order, markers and pages; no wire."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import count

from janitor.engine.splitting import Turn
from janitor.model import ContainerRef, Upload
from janitor.providers.base import Marker, Page
from support.batches import batch_of

WHERE = ContainerRef("lake", "s3", "bucket")
NOW = datetime(2026, 11, 20, tzinfo=UTC)
Place = tuple[bytes, int]


def by_utf8(key: str) -> bytes:
    """Sort as S3 does."""
    return key.encode()


def by_utf16(key: str) -> bytes:
    """Sort as Java and JavaScript do, which is not the same beyond U+FFFF."""
    return key.encode("utf-16-be")


def by_letter(key: str) -> bytes:
    """Sort as a dictionary does, which S3 does not."""
    return key.casefold().encode()


class Bucket:
    """Uploads sorted by key, and those of one key by the time when they were begun.

    A marker goes on behind its upload, also after that has vanished. With
    `by_id` only those of its key go on that have a greater upload id, as S3's
    documentation says at another place.
    """

    def __init__(
        self,
        keys: Iterable[str] = (),
        size: int = 1000,
        order: Callable[[str], bytes] = by_utf8,
        *,
        by_id: bool = False,
    ) -> None:
        self.size = size
        self.by_id = by_id
        self.requests = 0
        self._order = order
        self._numbers = count()
        self._places: list[Place] = []
        self._uploads: dict[int, Upload] = {}
        for key in keys:
            self.begin(key)

    def begin(self, key: str) -> Upload:
        """Begin an upload; ids do not tell when."""
        number = next(self._numbers)
        # Odd, so that each number has another id.
        upload = Upload(WHERE, key, f"{number * 0x9E3779B1 % (1 << 32):08x}-{number}", NOW)
        insort(self._places, (self._order(key), number))
        self._uploads[number] = upload
        return upload

    def end(self, upload: Upload) -> None:
        """Take an upload away; its place is not forgotten."""
        del self._places[bisect_left(self._places, self._place(upload.key or "", upload.upload_id))]

    def uploads(self) -> list[Upload]:
        """Give all, in their order."""
        return [self._uploads[number] for _, number in self._places]

    def answer(self, turn: Turn) -> Page:
        """Answer a request."""
        return self.page(turn.marker, turn.key, 1 if turn.probes else self.size)

    def page(self, marker: Marker | None, key: str | None, size: int) -> Page:
        """Give a page behind a marker, of all keys or of those that begin with one."""
        self.requests += 1
        begin = 0 if marker is None else self._behind(marker)
        found = [self._uploads[number] for _, number in self._places[begin:]]
        if key is not None:
            found = [upload for upload in found if (upload.key or "").startswith(key)]
        if self.by_id and marker is not None and marker.upload_id:
            found = [u for u in found if u.key != marker.key or u.upload_id > marker.upload_id]
        # Columns or not: it must not make a difference.
        page = batch_of(found[:size]) if self.requests % 2 else found[:size]
        if len(found) <= size:
            return Page(page, None)
        return Page(page, Marker(page[-1].key or "", page[-1].upload_id))

    def _behind(self, marker: Marker) -> int:
        if not marker.upload_id:
            return bisect_right(self._places, (self._order(marker.key), 1 << 62))
        if self.by_id:
            return bisect_left(self._places, (self._order(marker.key), -1))
        return bisect_right(self._places, self._place(marker.key, marker.upload_id))

    def _place(self, key: str, upload_id: str) -> Place:
        return self._order(key), int(upload_id.partition("-")[2])
