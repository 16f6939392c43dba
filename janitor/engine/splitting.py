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
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from janitor.batch import keys_of
from janitor.engine.keyspace import Alphabets, Span
from janitor.engine.paging import only
from janitor.engine.seams import Check, Seams, Unsorted
from janitor.errors import Incomplete
from janitor.model import Upload
from janitor.providers.base import Marker, Page

# A range is not cut unless it seems to have so many pages: one is under way, and
# both sides shall have more than the request that cuts costs.
WORTH_A_CUT = 3.0
# Probes that are free, and how many pages allow for one more.
FREE_PROBES, PAGES_FOR_A_PROBE = 24, 2
# How many probes of a range may be under way, and how many of one of which no page
# was read yet may find nothing.
PROBES_OF_A_RANGE, MISSES = 3, 1
# From how many keys of a page the alphabets are learned.
SAMPLE = 16


@dataclass(slots=True, eq=False)
class Range:
    """Keys behind `start`, up to `end` (None: all); the next page is behind `marker`.

    `first` and `last` are the keys of its latest page, or `last` is empty and
    `first` is a key that it is known to begin with. `probes` are those under way.
    """

    start: str = ""
    end: str | None = None
    marker: Marker | None = None
    first: str = ""
    last: str = ""
    under_way: bool = False
    asked: str = ""
    misses: int = 0
    span: Span | None = None
    probes: list[str] = field(default_factory=list)

    @property
    def pages(self) -> float:
        """How many pages it seems to have after its latest one."""
        return 0.0 if self.span is None else self.span.pages

    def has(self, text: str) -> bool:
        """Whether a text lies in it, before its end."""
        return self.start < text and (self.end is None or text < self.end)


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

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._ranges = [Range()]
        self._keys: deque[str] = deque()
        self._keys_under_way = 0
        self._seams = Seams()
        self._alphabets = Alphabets()
        self._done: dict[str, str | None] = {}
        self._markers: set[Marker] = set()
        self._in_order = True
        self._is_cut = False
        self.pages = 0
        self.probes = 0

    @property
    def finished(self) -> bool:
        """Whether all was listed; raises Incomplete if the ranges do not add up to it."""
        if self._ranges or self._keys or self._keys_under_way or not self._seams.closed:
            return False
        start: str | None = ""
        while start is not None and start in self._done:
            start = self._done.pop(start)
        if start is not None or self._done:
            message = f"nobody listed what is behind {start!r}"
            raise Incomplete(message, code="gap")
        return True

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
            if not each.under_way:
                each.under_way = True
                return Turn(each.marker, of=each)
        return None

    def probe(self) -> Turn | None:
        """Give a request that may cut a range; None where that would not pay."""
        if not self._in_order or self.probes >= FREE_PROBES + self.pages // PAGES_FOR_A_PROBE:
            return None
        for each in sorted(self._ranges, key=lambda each: (-each.pages, len(each.probes))):
            if each.span is None or each.pages < WORTH_A_CUT:
                break
            if len(each.probes) >= PROBES_OF_A_RANGE:
                continue
            border = each.span.border()
            if border is None:
                each.span = None
                continue
            self.probes += 1
            each.probes.append(border)
            self._measure(each)
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
        if keys:
            first, last = keys[0], keys[-1]
            if not self._in_order or (first != last and keys[-2] == last):
                self._ask_for(of, last)
            # A page of one key says nothing about how dense keys are, but two such pages may.
            of.first, of.last = first if first != last else of.last or first, last
            for key in (last, *keys[:: len(keys) // SAMPLE + 1]):
                self._alphabets.learn(key)
        of.marker = following
        self._measure(of)

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
        self._measure(of)

    def _cut(self, of: Range, border: str, found: Upload | None) -> None:
        """End a range at a border, behind which the first upload is the one that was found."""
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
            self._measure(behind)
        of.end = border
        of.probes = [text for text in of.probes if text < border]

    def _measure(self, of: Range) -> None:
        """See how much a range has left, up to the lowest probe under way."""
        ends = [*of.probes, *([] if of.end is None else [of.end])]
        end = min(ends, default=None)
        if of.last:
            of.span = Span(self._alphabets, of.first, of.last, end)
        elif of.first and of.misses < MISSES:
            of.span = Span(self._alphabets, None, of.first, end)
        else:
            of.span = None

    def _require_order(
        self, keys: Sequence[str], marker: Marker | None, following: Marker | None
    ) -> None:
        """Believe nothing that stands on the order any more if a page is not in order."""
        after = Marker() if marker is None else marker
        sequence = [after.key, *keys, *([] if following is None else [following.key])]
        begins_behind = bool(after.upload_id) or not keys or keys[0] > after.key
        if begins_behind and sequence == sorted(sequence):
            return
        self._in_order = False
        if self._is_cut:
            raise Unsorted
