"""Proves that two neighbouring ranges of a listing leave nothing out between them. Pure.

Whoever lists a range to its end sees the first key behind it; whoever lists on
from there must begin with that key, or the store does not sort as we think and
something lies between the two. But uploads begin and end meanwhile. So where
the two differ, the keys behind the border are looked through again, up to the
key in question; and if it is not there, its upload is asked for by itself: one
that has been there all the time, but not behind the border, proves disorder.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from janitor.batch import identities_of, keys_of
from janitor.errors import Incomplete
from janitor.model import Upload
from janitor.providers.base import Marker, Page

# How many of the first keys behind a border are remembered.
REMEMBERED = 8


class Unsorted(Incomplete):
    """The keys of a container cannot be listed in several places at once."""

    def __init__(self) -> None:
        super().__init__(
            "the keys are not in order, or a marker was not obeyed, so several requests cannot"
            " list them at once: say listing: sequential",
            code="unsorted",
        )


def is_in_order(keys: Sequence[str], marker: Marker | None, following: Marker | None) -> bool:
    """Whether the keys of a page are sorted, and lie between its marker and the next one."""
    after = Marker() if marker is None else marker
    sequence = [after.key, *keys, *([] if following is None else [following.key])]
    begins_behind = bool(after.upload_id) or not keys or keys[0] > after.key
    return begins_behind and sequence == sorted(sequence)


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """A request that looks for an upload: behind a `marker`, or with None by its key alone."""

    upload: Upload
    marker: Marker | None

    @property
    def key(self) -> str:
        """The key that is looked for."""
        return self.upload.key or ""


class Seams:
    """What was seen behind each border, from both sides."""

    def __init__(self) -> None:
        self._firsts: dict[str, tuple[str, ...]] = {}
        self._claims: dict[str, list[Upload]] = {}
        self._checks: deque[Check] = deque()
        self._under_way = 0

    @property
    def closed(self) -> bool:
        """Whether nothing is in doubt."""
        return self.settled and not self._claims

    @property
    def settled(self) -> bool:
        """Whether nothing is in doubt but what others have to tell."""
        return not (self._checks or self._under_way)

    @property
    def claims(self) -> tuple[tuple[str, Upload], ...]:
        """Give what was seen behind borders from which nobody has listed here."""
        return tuple((border, each) for border, found in self._claims.items() for each in found)

    def firsts(self, borders: Iterable[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Give what listings from these borders on began with, as far as there were any."""
        found = self._firsts
        return tuple((border, found[border]) for border in borders if border in found)

    def claim(self, border: str, upload: Upload) -> None:
        """Note that who came from below saw this as the first one behind a border."""
        firsts = self._firsts.get(border)
        if firsts is None:
            self._claims.setdefault(border, []).append(upload)
        elif upload.key not in firsts:
            self._checks.append(Check(upload, Marker(border)))

    def begin(self, border: str, keys: Sequence[str]) -> None:
        """Note the keys that a listing from a border on began with; only the first time counts."""
        if border not in self._firsts:
            self._firsts[border] = tuple(dict.fromkeys(keys))[:REMEMBERED]
            for upload in self._claims.pop(border, ()):
                self.claim(border, upload)

    def next(self) -> Check | None:
        """Give a request that can end a doubt."""
        if not self._checks:
            return None
        self._under_way += 1
        return self._checks.popleft()

    def take(self, check: Check, page: Page) -> None:
        """Learn from the answer; raises Incomplete where it proves disorder."""
        self._under_way -= 1
        keys = keys_of(page.uploads)
        if check.marker is None:
            if check.upload.identity in identities_of(page.uploads):
                raise Unsorted
        elif check.key not in keys:
            passed = page.next is None or (keys and keys[-1] > check.key)
            self._checks.append(Check(check.upload, None if passed else page.next))
