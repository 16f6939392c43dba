"""Walks listings to their proven end: the one paging loop for all providers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

from janitor.batch import identities_of, keys_of, those
from janitor.engine.unseen import Unseen
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


ListPage = Callable[[Marker | None, str | None], Page]


def uploads(
    list_page: ListPage, *, can_list_one_key: bool, cap: int = PAGE_CAP
) -> Iterator[Sequence[Upload]]:
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
        keys = keys_of(page.uploads)
        yield unseen.of(_but(page.uploads, asked) if crowded and asked in keys else page.uploads)
        if page.next is None or not page.uploads or not can_list_one_key:
            continue
        last = keys[-1]
        if last != asked:
            asked, missing = last, {name for name in identities_of(page.uploads) if name[0] == last}
            count = 0
            for found in _of_one_key(list_page, last, cap):
                missing.difference_update(identities_of(found))
                count += len(found)
                yield unseen.of(found)
            # A store that does not repeat even these cannot list one key.
            crowded = not missing and count >= unseen.generation


def only(uploads: Sequence[Upload], key: str | None) -> Sequence[Upload]:
    """Give the uploads of one key."""
    return those(uploads, [each == key for each in keys_of(uploads)])


def _but(uploads: Sequence[Upload], key: str | None) -> Sequence[Upload]:
    return those(uploads, [each != key for each in keys_of(uploads)])


def _of_one_key(list_page: ListPage, key: str | None, cap: int) -> Iterator[Sequence[Upload]]:
    for page in pages(lambda marker: list_page(marker, key), cap):
        found = only(page.uploads, key)
        yield found
        # The key itself sorts before everything that it is a prefix of.
        if len(found) < len(page.uploads) or not page.uploads:
            return
