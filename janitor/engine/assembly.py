"""Shares the keys of one container out to several processes, and proves that they listed all. Pure.

Nobody knows beforehand where the keys are. So the first share is the whole
container; who has it reads some pages, cuts what is left where its pages say
that much lies, and gives that back. The stretches that come back are the next
shares, and so on, each for a number of pages: who has done its share takes from
what others had left.

The listing is done when all stretches that were listed are the whole, each of
them once, and neighbours agree about what lies between them.
"""

from __future__ import annotations

from collections import deque

from janitor.batch import keys_of
from janitor.engine.paging import PAGE_CAP
from janitor.engine.seams import Check, Seams, Unsorted, is_in_order
from janitor.engine.stretches import WHOLE, Account, Share, Stretch
from janitor.errors import Incomplete
from janitor.providers.base import Page

# How many pages a share has at least, and at most; beside the end of a listing that
# is the time for which somebody may have nothing to do.
FEWEST, MOST = 32, 512
# How many shares there shall be for each worker: one is under way, and one is there already.
FOR_EACH = 2


class Assembly:
    """One container's listing by so many workers. Not for several threads at once."""

    def __init__(self, workers: int, cap: int = PAGE_CAP) -> None:
        self._shares = FOR_EACH * workers
        self._cap = cap
        self._open: deque[Stretch] = deque([WHOLE])
        self._done: dict[str, str | None] = {}
        self._seams = Seams()
        self._pages = 0

    def share(self, *, idle: bool = True) -> Share | None:
        """Give the next share; None where nothing is left that is not under way.

        Where no worker is `idle` it is a large one, and what is left needs no cuts.
        """
        if not self._open:
            return None
        count = -(-len(self._open) // self._shares)
        stretches = tuple(self._open.popleft() for _ in range(count))
        if not idle:
            return Share(stretches, MOST)
        pages = min(MOST, max(FEWEST, self._pages // self._shares))
        return Share(stretches, pages, max(1, 2 * self._shares - len(self._open)))

    def take(self, account: Account) -> None:
        """Learn what became of a share; raises Incomplete for too many pages and for overlaps."""
        self._count(account.pages)
        for start, end in account.done:
            if start in self._done:
                message = f"what is behind {start!r} was listed twice"
                raise Incomplete(message, code="gap")
            self._done[start] = end
        self._open.extend(account.rest)
        for border, keys in account.firsts:
            self._seams.begin(border, keys)
        for border, upload in account.claims:
            self._seams.claim(border, upload)

    def check(self) -> Check | None:
        """Give a request that can end a doubt about a seam."""
        return self._seams.next()

    def checked(self, check: Check, page: Page) -> None:
        """Learn from its answer; raises Incomplete for disorder and for too many pages."""
        self._count(1)
        if check.marker is not None and not is_in_order(
            keys_of(page.uploads), check.marker, page.next
        ):
            raise Unsorted
        self._seams.take(check, page)

    def _count(self, pages: int) -> None:
        self._pages += pages
        if self._pages > self._cap:
            message = f"the listing did not end within {self._cap} pages"
            raise Incomplete(message, code="page_cap")

    def prove(self) -> None:
        """Return if everything was listed, once; raise Incomplete if not."""
        left = dict(self._done)
        start: str | None = ""
        while start is not None and start in left:
            start = left.pop(start)
        if start is not None or left or not self._seams.closed:
            message = f"nobody listed what is behind {start!r}"
            raise Incomplete(message, code="gap")
