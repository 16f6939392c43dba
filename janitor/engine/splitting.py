"""Cuts the keys of one container into ranges that can be listed side by side. Pure.

It begins as one range that is listed page by page. Where there are free hands,
the range that seems to be the longest is probed somewhere in its middle: is
there anything behind this text? If so, what is behind becomes a range of its
own, and if not, the range ends there. That goes on as long as a range seems to
have two pages more than the one under way, so hands that are free take from
those that have much left.

A range has all keys behind its `start` up to and with its `end`, whether or not
these are keys themselves. It is done when a page of it shows a key behind its
end, or is the last page of all. The listing is done when the ranges that are
done, and the stretches in which a probe found nothing, are the whole, and
neighbours agree about what lies between them. All of it stands on the order of
keys, so a page that is out of order ends it: before the first cut nothing is
ever cut, and after it the listing is Incomplete.

Where several processes list one container, each has a share: some ranges, and
a number of pages. When these were read, each range is cut before the last key
of its next page, and what lies behind is left for others, as are ranges that
were not begun.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from janitor.batch import keys_of
from janitor.engine.keyspace import Alphabets
from janitor.engine.paging import only
from janitor.engine.ranges import Range
from janitor.engine.seams import Check, Seams, Unsorted, is_in_order
from janitor.engine.stretches import ALL, WHOLE, Account, Share
from janitor.errors import Incomplete
from janitor.model import Upload
from janitor.providers.base import Marker, Page

# A range is not cut unless it seems to have so many pages: one is under way, and
# both sides shall have more than the request that cuts costs.
WORTH_A_CUT = 3.0
# Probes that are free, and how many pages allow for one more.
FREE_PROBES, PAGES_FOR_A_PROBE = 24, 2
# Who has a share of what others have cut needs fewer.
FREE_IN_A_SHARE = 8
# For others a range is not cut that has less than such a part of a share.
PARTS_OF_A_SHARE = 4
# How many probes of a range may be under way.
PROBES_OF_A_RANGE = 3
# From how many keys of a page the alphabets are learned.
SAMPLE = 16


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """One request: a page `of` a range, of the uploads of a `key` alone, or for a `check`.

    One that `probes` wants just one upload.
    """

    marker: Marker | None = None
    of: Range | None = None
    key: str | None = None
    check: Check | None = None
    probes: bool = False


class Ranges:
    """What is to be asked next, and what the answers mean. Not for several threads at once."""

    def __init__(self, cap: int, share: Share | None = None) -> None:
        self._cap = cap
        self._share = share or ALL
        self._ranges = [Range.of(each) for each in self._share.stretches]
        self._keys: deque[str] = deque()
        self._keys_under_way = 0
        self._seams = Seams()
        self._alphabets = Alphabets()
        self._done: dict[str, str | None] = {}
        self._markers: set[Marker] = set()
        self._in_order = True
        self._is_part = self._share.stretches != (WHOLE,)
        self._is_cut = self._is_part
        self._free = FREE_IN_A_SHARE if self._is_part else FREE_PROBES
        self.pages = 0
        self.probes = 0
        for each in self._ranges:
            for key in (each.first, each.last):
                self._alphabets.learn(key)
        for each in self._ranges:
            each.measure(self._alphabets)

    @property
    def finished(self) -> bool:
        """Whether the share was listed; raises Incomplete if the ranges do not add up to it."""
        if self._keys or self._keys_under_way or not self._seams.settled:
            return False
        if any(each.begun or each.under_way or each.probes for each in self._ranges):
            return False
        if not self._is_spent and (self._ranges or not (self._is_part or self._seams.closed)):
            return False
        self._prove()
        return True

    @property
    def _is_spent(self) -> bool:
        return self._share.pages is not None and self.pages >= self._share.pages

    def _prove(self) -> None:
        """Raise Incomplete unless all of the share was listed or is left for others."""
        parts = self._done | {each.start: each.end for each in self._ranges}
        for given in self._share.stretches:
            start: str | None = given.start
            while start != given.end:
                if start is None or start not in parts:
                    message = f"nobody listed what is behind {start!r}"
                    raise Incomplete(message, code="gap")
                start = parts.pop(start)
        if parts:
            message = f"what is behind {min(parts)!r} was nobody's to list"
            raise Incomplete(message, code="gap")

    def account(self) -> Account:
        """Say what became of the share; raises Incomplete if it is not finished."""
        if not self.finished:
            message = "a share was not listed to its end"
            raise Incomplete(message, code="gap")
        rest = tuple(each.rest for each in self._ranges)
        borders = dict.fromkeys(each.start for each in (*self._share.stretches, *rest))
        borders |= dict.fromkeys(each.end for each in rest if each.end is not None)
        return Account(
            tuple(self._done.items()),
            rest,
            self._seams.firsts(borders),
            self._seams.claims,
            self.pages,
        )

    def page(self) -> Turn | None:
        """Give the next request that gets us further; None while those under way do."""
        if self._keys:
            self._keys_under_way += 1
            return Turn(key=self._keys.popleft())
        check = self._seams.next()
        if check is not None:
            alone = check.key if check.marker is None else None
            return Turn(check.marker, key=alone, check=check)
        for each in self._ranges:
            if not each.under_way and (each.begun or not self._is_spent):
                each.under_way = True
                return Turn(each.marker, of=each)
        return None

    def probe(self) -> Turn | None:
        """Give a request that may cut a range; None where that would not pay."""
        if not self._in_order or self.probes >= self._free + self.pages // PAGES_FOR_A_PROBE:
            return None
        worth = WORTH_A_CUT
        if self._is_spent:
            cuts = len(self._ranges) + sum(len(each.probes) for each in self._ranges)
            if cuts >= self._share.cuts:
                return None
            worth = max(worth, (self._share.pages or 0) / PARTS_OF_A_SHARE)
        for each in sorted(self._ranges, key=lambda each: (-each.pages, len(each.probes))):
            if each.span is None or each.pages < worth:
                break
            if len(each.probes) >= PROBES_OF_A_RANGE:
                continue
            border = each.span.border()
            if border is None:
                each.span = None
                continue
            self.probes += 1
            each.probes.append(border)
            each.measure(self._alphabets)
            return Turn(Marker(border), probes=True)
        return None

    def take(self, turn: Turn, page: Page) -> Sequence[Upload]:
        """Give what an answer adds to the listing, which may repeat something.

        Raises Incomplete for markers that run in circles, for too many pages,
        and for a listing that was cut but is not in order.
        """
        if turn.of is not None:
            return self._take_page(turn.of, turn.marker, page)
        if turn.check is not None:
            self._count()
            if turn.marker is not None:
                keys = keys_of(page.uploads)
                self._require_order(keys, turn.marker, page.next)
            self._seams.take(turn.check, page)
            return ()
        if turn.probes:
            assert turn.marker is not None  # noqa: S101  # for mypy: probe() has set it
            self._take_probe(turn.marker.key, page)
            return ()
        self._keys_under_way -= 1
        return only(page.uploads, turn.key)

    def _take_page(self, of: Range, marker: Marker | None, page: Page) -> Sequence[Upload]:
        of.under_way = False
        self._count()
        keys = keys_of(page.uploads)
        self._require_order(keys, marker, page.next)
        self._seams.begin(of.start, keys)
        if self._is_spent and page.next is not None:
            self._leave_the_rest(of, keys, page)
        end = of.end
        if keys and keys[0] == of.last:
            self._ask_for(of, keys[0])
        if page.next is None or (end is not None and keys and keys[-1] > end):
            self._ranges.remove(of)
            self._done[of.start] = end
        else:
            self._go_on(of, keys, page.next)
        if end is None:
            return page.uploads
        ours = bisect_right(keys, end)
        if ours < len(keys):
            self._seams.claim(end, page.uploads[ours])
        return page.uploads[:ours]

    def _leave_the_rest(self, of: Range, keys: Sequence[str], page: Page) -> None:
        """Cut a range before the last key of a page, of which there may be more on the next one."""
        if not self._in_order or not keys or (of.end is not None and keys[-1] > of.end):
            return
        place = bisect_left(keys, keys[-1])
        if not place:
            return  # one key has more uploads than a page: it is listed to its end
        border = keys[place - 1]
        self._learn(keys)
        behind = self._cut(of, border, page.uploads[place])
        if behind is not None:
            behind.first, behind.last = keys[0], border
            behind.measure(self._alphabets)

    def _count(self) -> None:
        self.pages += 1
        if self.pages > self._cap:
            message = f"the listing did not end within {self._cap} pages"
            raise Incomplete(message, code="page_cap")

    def _go_on(self, of: Range, keys: Sequence[str], following: Marker) -> None:
        if following in self._markers:
            message = f"the listing runs in a circle: a marker came back after {self.pages} pages"
            raise Incomplete(message, code="repeated_marker")
        self._markers.add(following)
        of.begun = True
        if keys:
            first, last = keys[0], keys[-1]
            if not self._in_order or (first != last and keys[-2] == last):
                self._ask_for(of, last)
            # A page of one key says nothing about how dense keys are, but two such pages may.
            of.first, of.last = first if first != last else of.last or first, last
            self._learn(keys)
        of.marker = following
        of.measure(self._alphabets)

    def _learn(self, keys: Sequence[str]) -> None:
        for key in (keys[-1], *keys[:: len(keys) // SAMPLE + 1]):
            self._alphabets.learn(key)

    def _ask_for(self, of: Range, key: str) -> None:
        """Ask for the uploads of one key, once, because they are, or may be, on two pages.

        Stores sort the uploads of one key by time, but their markers go by
        upload id. Asked for alone they come on one page, if they fit.
        """
        if of.asked != key:
            of.asked = key
            self._keys.append(key)

    def _take_probe(self, border: str, page: Page) -> None:
        found = page.uploads[0] if page.uploads else None
        self._require_order([] if found is None else [found.key or ""], Marker(border), None)
        of = next((each for each in self._ranges if each.has(border)), None)
        if of is None:
            return  # it was listed in the meantime
        of.probes = [text for text in of.probes if text != border]
        says_something = found is not None or page.next is None
        # Otherwise the range has come so far by itself, or begins only behind it.
        if self._in_order and says_something and border > max(of.first, of.last):
            self._cut(of, border, found)
        of.measure(self._alphabets)

    def _cut(self, of: Range, border: str, found: Upload | None) -> Range | None:
        """End a range at a border, behind which the first upload is the one that was found.

        Give what lies behind, if there is anything.
        """
        behind = None
        self._is_cut = True
        key = "" if found is None else found.key or ""
        if found is None or (of.end is not None and key > of.end):
            self._done[border] = of.end
            self._seams.begin(border, [key] if found else [])
            of.misses += 1
            if found is not None and of.end is not None:
                self._seams.claim(of.end, found)
        else:
            self._alphabets.learn(key)
            right = [text for text in of.probes if text > border]
            behind = Range(border, of.end, Marker(border), first=key, probes=right)
            self._ranges.insert(self._ranges.index(of) + 1, behind)
            behind.measure(self._alphabets)
        of.end = border
        of.probes = [text for text in of.probes if text < border]
        return behind

    def _require_order(
        self, keys: Sequence[str], marker: Marker | None, following: Marker | None
    ) -> None:
        """Believe nothing that stands on the order any more if a page is not in order."""
        if is_in_order(keys, marker, following):
            return
        self._in_order = False
        if self._is_cut:
            raise Unsorted
