"""Lets every upload of a listing pass once, in bounded memory and without looking at most. Pure.

Pages whose keys lie apart have no upload in common. Listings are sorted, most
of them, so of most pages no more has to be compared than where they begin and
end. What was seen is kept in stretches, as few long texts; only those that overlap
with a later page are looked through, and from then on kept as sets.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import lt
from typing import TypeAlias

from janitor.batch import Identity, identities_of, ids_of, keys_of, those
from janitor.model import Upload

# Pages with fewer uploads than this are put together, up to so many: otherwise there
# would be as many stretches to compare as there are uploads.
SMALL, TOGETHER = 250, 1000


# A thousand short texts need three times as much memory as one that is as long as all of them.
_BETWEEN = "\0"
Joined: TypeAlias = str | list[str]


def _join(texts: Sequence[str]) -> Joined:
    joined = _BETWEEN.join(texts)
    return joined if joined.count(_BETWEEN) == len(texts) - 1 else list(texts)


def _split(texts: Joined) -> list[str]:
    return texts.split(_BETWEEN) if isinstance(texts, str) else texts


@dataclass(slots=True)
class Stretch:
    """Pages, as their keys and upload ids, with the least and the greatest of the keys."""

    low: str
    high: str
    size: int = 0
    pages: list[tuple[Joined, Joined]] = field(default_factory=list)

    def overlaps(self, low: str, high: str) -> bool:
        """Whether a key of it may lie between two keys, both included."""
        return self.low <= high and low <= self.high

    def reach(self, low: str, high: str) -> None:
        """Extend it."""
        self.low, self.high = min(self.low, low), max(self.high, high)

    def names(self) -> set[Identity]:
        """Give the identities of all of its uploads."""
        found: set[Identity] = set()
        for keys, upload_ids in self.pages:
            found.update(zip(_split(keys), _split(upload_ids), strict=True))
        return found


class Unseen:
    """Lets every upload pass once; not for several threads at once.

    Servers repeat entries at the borders of pages, so what was seen lately is
    enough to know: the last `generation` identities at least, and twice as many
    at most.
    """

    def __init__(self, generation: int = 50_000) -> None:
        self.generation = generation
        self._size = 0
        self._stretches: deque[Stretch] = deque()
        # What came before all stretches, and between which keys it lies.
        self._known: deque[set[Identity]] = deque()
        self._between = Stretch("", "")

    def of(self, uploads: Sequence[Upload]) -> Sequence[Upload]:
        """Give those that were not seen before, in their order."""
        if not uploads:
            return uploads
        keys = keys_of(uploads)
        is_sorted = all(map(lt, keys, islice(keys, 1, None)))
        low, high = (keys[0], keys[-1]) if is_sorted else (min(keys), max(keys))
        self._look_through(low, high)
        if not is_sorted or (self._known and self._between.overlaps(low, high)):
            names = identities_of(uploads)
            page = set(names)
            if len(page) < len(names) or not all(map(page.isdisjoint, self._known)):
                return self._one_by_one(uploads, names)
        self._keep(keys, ids_of(uploads), low, high)
        return uploads

    def _one_by_one(self, uploads: Sequence[Upload], names: Sequence[Identity]) -> Sequence[Upload]:
        while self._stretches:
            self._learn(self._stretches.popleft())
        is_new = []
        for name in names:
            is_new.append(not any(name in known for known in self._known))
            if is_new[-1]:
                self._size += 1
                self._add({name}, name[0], name[0])
        return those(uploads, is_new)

    def _look_through(self, low: str, high: str) -> None:
        """Learn all stretches that overlap, and those that came before them."""
        found = [at for at, each in enumerate(self._stretches) if each.overlaps(low, high)]
        for _ in range(found[-1] + 1 if found else 0):
            self._learn(self._stretches.popleft())

    def _learn(self, stretch: Stretch) -> None:
        self._add(stretch.names(), stretch.low, stretch.high)

    def _add(self, names: set[Identity], low: str, high: str) -> None:
        if not self._known:
            self._between = Stretch(low, high)
        self._between.reach(low, high)
        if not self._known or len(self._known[-1]) + len(names) > self.generation:
            self._known.append(names)
        else:
            self._known[-1] |= names
        self._forget()

    def _keep(self, keys: Sequence[str], upload_ids: Sequence[str], low: str, high: str) -> None:
        last = self._stretches[-1] if self._stretches else None
        if last is None or len(keys) >= SMALL or last.size + len(keys) > TOGETHER:
            last = Stretch(low, high)
            self._stretches.append(last)
        last.reach(low, high)
        last.pages.append((_join(keys), _join(upload_ids)))
        last.size += len(keys)
        self._size += len(keys)
        self._forget()

    def _forget(self) -> None:
        """Forget the oldest, but never so much that less than a generation is left."""
        while self._size > 2 * self.generation:
            oldest = len(self._known[0]) if self._known else self._stretches[0].size
            if self._size - oldest < self.generation:
                return
            self._size -= oldest
            if self._known:
                self._known.popleft()
            else:
                self._stretches.popleft()
