"""What the sandbox remembers of one container: uploads, parts, finished objects. Pure: no wire."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from janitor.sandbox.dates import OMIT, Stamp, Text
from janitor.sandbox.paging import NO_MARKER, Marker, Page, cut

if TYPE_CHECKING:
    from datetime import datetime

Order = tuple[str, float, int, str]
"""Where an upload stands in a listing: key, then time of initiation, then arrival."""

REMEMBERED: Final = 100_000
"""So many ended uploads are remembered per container."""


@dataclass(frozen=True, slots=True)
class Part:
    """One received part; only its size and hash are kept, never its bytes.

    `number` counts from 1 on S3 and from 0 on QingStor; on Glacier it is the offset of
    the first byte. `etag` is an MD5, on Glacier the SHA-256 tree hash.
    """

    number: int
    size: int
    etag: str
    received: Stamp


@dataclass(slots=True)
class Upload:
    """One multipart upload in progress. `key` is '' on Glacier, `part_size` is Glacier's."""

    key: str
    upload_id: str
    initiated: Stamp
    order: Order
    initiator: Text = OMIT
    storage_class: Text = OMIT
    description: str | None = None
    part_size: int = 0
    parts: dict[int, Part] = field(default_factory=dict)

    def sorted_parts(self) -> list[Part]:
        """Return the parts in ascending order."""
        return [self.parts[number] for number in sorted(self.parts)]

    @property
    def size(self) -> int:
        """Bytes received so far."""
        return sum(part.size for part in self.parts.values())


@dataclass(frozen=True, slots=True)
class FinishedObject:
    """A complete object, or on Glacier an archive (its key is the archive id)."""

    key: str
    size: int
    etag: str
    modified: datetime
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """How and when an upload ended; its place in the order outlives it as a page marker."""

    completed: bool
    when: datetime
    order: Order


@dataclass(frozen=True, slots=True)
class Query:
    """What a listing is asked for; None means that the marker was not sent."""

    limit: int
    prefix: str = ""
    delimiter: str = ""
    key_marker: str | None = None
    id_marker: str | None = None

    @property
    def marker(self) -> Marker:
        """Both markers, '' for one that was not sent."""
        return self.key_marker or "", self.id_marker or ""


def beyond(prefix: str) -> str:
    """Return the smallest text greater than everything that begins with `prefix`."""
    last = ord(prefix[-1])
    return prefix + "\U0010ffff" if last == 0x10FFFF else prefix[:-1] + chr(last + 1)  # noqa: PLR2004 -- the last code point


class Container:
    """One bucket or vault."""

    def __init__(self, name: str, region: str, account_id: str, created: datetime) -> None:
        self.name = name
        self.region = region
        self.account_id = account_id
        self.created = created
        self.lifecycle_days: int | None = None
        self.objects: dict[str, FinishedObject] = {}
        self.ended: OrderedDict[str, Ending] = OrderedDict()
        self._live: dict[str, Upload] = {}
        self._index: list[Order] = []
        self._sorted = True

    def __len__(self) -> int:
        return len(self._live)

    def add(self, upload: Upload) -> None:
        """Begin an upload; ValueError if its id is in use."""
        if upload.upload_id in self._live:
            msg = f"upload id {upload.upload_id!r} is already in use in {self.name!r}"
            raise ValueError(msg)
        self._live[upload.upload_id] = upload
        # Sorting waits for the next reader, so that seeding n uploads is not n insertions.
        self._sorted = self._sorted and (not self._index or self._index[-1] <= upload.order)
        self._index.append(upload.order)

    def get(self, upload_id: str) -> Upload | None:
        """Look an upload up by its id."""
        return self._live.get(upload_id)

    def end(self, upload: Upload, *, completed: bool, when: datetime) -> None:
        """Take an upload away, and remember how it ended."""
        index = self._ordered()
        del self._live[upload.upload_id]
        del index[bisect_left(index, upload.order)]
        self.ended[upload.upload_id] = Ending(completed, when, upload.order)
        while len(self.ended) > REMEMBERED:
            self.ended.popitem(last=False)

    def snapshot(self) -> list[Upload]:
        """Copy every upload in progress, in listing order."""
        return [
            replace(self._live[order[3]], parts=dict(self._live[order[3]].parts))
            for order in self._ordered()
        ]

    def page(self, query: Query) -> Page[Upload]:
        """Cut one page out of the sorted uploads."""
        index, page = self._ordered(), Page[Upload]()
        position = max(self._after_marker(query), bisect_left(index, (query.prefix,)))
        while position < len(index) and index[position][0].startswith(query.prefix):
            if len(page.entries) + len(page.prefixes) >= query.limit:
                page.truncated = query.limit > 0
                break
            position = self._take(page, query, position)
        if not page.truncated:
            page.next = NO_MARKER
        return page

    def page_from(self, upload_id: str | None, limit: int) -> Page[Upload]:
        """Cut a page that begins with `upload_id` itself, Glacier's way; KeyError if unknown."""
        index = self._ordered()
        start = 0 if upload_id is None else bisect_left(index, self._live[upload_id].order)
        page = cut(index, start, limit, lambda order: ("", order[3]), inclusive=True)
        return Page([self._live[order[3]] for order in page.entries], [], page.truncated, page.next)

    def page_of_objects(self, query: Query) -> Page[str]:
        """Cut one page out of the sorted keys of objects; it has the prefixes of all pages."""
        keys = sorted(key for key in self.objects if key.startswith(query.prefix))
        plain = [key for key in keys if not _group(key, query)]
        start = bisect_right(plain, query.key_marker or "")
        page = cut(plain, start, query.limit, lambda key: (key, ""))
        page.prefixes = sorted({_group(key, query) for key in keys} - {""})
        return page

    def _take(self, page: Page[Upload], query: Query, position: int) -> int:
        key, *_, upload_id = self._index[position]
        group = _group(key, query)
        if group:
            page.prefixes.append(group)
            page.next = (group, "")
            return bisect_left(self._index, (beyond(group),))
        page.entries.append(self._live[upload_id])
        page.next = (key, upload_id)
        return position + 1

    def _after_marker(self, query: Query) -> int:
        if not query.key_marker:
            return 0
        if _group(query.key_marker, query) == query.key_marker:
            return bisect_left(self._index, (beyond(query.key_marker),))
        if query.id_marker:
            return self._after_upload(query.key_marker, query.id_marker)
        return bisect_left(self._index, (query.key_marker + "\0",))

    def _after_upload(self, key: str, upload_id: str) -> int:
        known = self._live.get(upload_id) or self.ended.get(upload_id)
        if known is not None and known.order[0] == key:
            return bisect_right(self._index, known.order)
        # Nobody knows that id: better to repeat this key's uploads than to hide some.
        return bisect_left(self._index, (key,))

    def _ordered(self) -> list[Order]:
        if not self._sorted:
            self._index.sort()
            self._sorted = True
        return self._index


def _group(key: str, query: Query) -> str:
    if not query.delimiter:
        return ""
    head, found, _ = key[len(query.prefix) :].partition(query.delimiter)
    return query.prefix + head + found if found and key.startswith(query.prefix) else ""
