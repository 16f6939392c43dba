"""Walks listings to their proven end: the one paging loop for all providers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from janitor.errors import Incomplete
from janitor.model import Upload
from janitor.providers.base import Marker, Page

PAGE_CAP = 1_000_000


class _HasNext(Protocol):
    @property
    def next(self) -> Marker | None: ...


P = TypeVar("P", bound=_HasNext)


def pages(fetch: Callable[[Marker | None], P], cap: int = PAGE_CAP) -> Iterator[P]:
    """Yield every page once.

    Returning normally promises that the last page said that it is the last.
    Raises Incomplete for markers that run in circles and for more than `cap`
    pages, and whatever `fetch` raises.
    """
    seen: set[Marker] = set()
    marker: Marker | None = None
    for _ in range(cap):
        page = fetch(marker)
        yield page
        if page.next is None:
            return
        if page.next in seen:
            message = f"the listing runs in a circle: a marker came back after {len(seen)} pages"
            raise Incomplete(message, code="repeated_marker")
        seen.add(page.next)
        marker = page.next
    message = f"the listing did not end within {cap} pages"
    raise Incomplete(message, code="page_cap")


class Unseen:
    """Lets every upload pass once, with bounded memory.

    Servers repeat entries at the borders of pages, so what was seen lately is
    enough to know: the last `generation` to 2 x `generation` identities.
    """

    def __init__(self, generation: int = 50_000) -> None:
        self.generation = generation
        self._new: set[tuple[str, str]] = set()
        self._old: set[tuple[str, str]] = set()

    def of(self, uploads: Iterable[Upload]) -> list[Upload]:
        """Give those that were not seen before, in their order."""
        fresh = []
        for upload in uploads:
            identity = upload.identity
            if identity in self._new or identity in self._old:
                continue
            if len(self._new) >= self.generation:
                self._old, self._new = self._new, set()
            self._new.add(identity)
            fresh.append(upload)
        return fresh


ListPage = Callable[[Marker | None, str | None], Page]


def uploads(
    list_page: ListPage, *, can_list_one_key: bool, cap: int = PAGE_CAP
) -> Iterator[list[Upload]]:
    """Yield every in-progress upload of a container exactly once, page by page.

    Stores disagree about the order of uploads of one key, and drop or repeat
    some where a page ends inside a key. So wherever a page was cut, the
    uploads of its last key are asked for by themselves, once, if the store can.
    """
    unseen = Unseen()
    asked: str | None = None
    crowded = False
    for page in pages(lambda marker: list_page(marker, None), cap):
        # A crowded key has more uploads than `unseen` remembers; all have come.
        yield unseen.of(u for u in page.uploads if not (crowded and u.key == asked))
        if page.next is None or not page.uploads or not can_list_one_key:
            continue
        last = page.uploads[-1].key
        if last != asked:
            asked, missing = last, {u.identity for u in page.uploads if u.key == last}
            count = 0
            for found in _of_one_key(list_page, last, cap):
                missing.difference_update(u.identity for u in found)
                count += len(found)
                yield unseen.of(found)
            # A store that does not repeat even these cannot list one key.
            crowded = not missing and count >= unseen.generation


def _of_one_key(list_page: ListPage, key: str | None, cap: int) -> Iterator[list[Upload]]:
    for page in pages(lambda marker: list_page(marker, key), cap):
        found = [upload for upload in page.uploads if upload.key == key]
        yield found
        # The key itself sorts before everything that it is a prefix of.
        if len(found) < len(page.uploads) or not page.uploads:
            return
