"""One range of a container's keys, as whoever lists it sees it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from janitor.engine.keyspace import Alphabets, Span
from janitor.engine.stretches import Stretch
from janitor.providers.base import Marker

# How many probes of a range of which no page was read yet may find nothing.
MISSES = 1


@dataclass(slots=True, eq=False)
class Range:
    """Keys behind `start`, up to `end` (None: all); the next page is behind `marker`.

    `first` and `last` are the keys of its latest page, or `last` is empty and
    `first` is a key that it is known to begin with. `probes` are those under way.
    It has `begun` when a page of it was read here.
    """

    start: str = ""
    end: str | None = None
    marker: Marker | None = None
    first: str = ""
    last: str = ""
    under_way: bool = False
    begun: bool = False
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

    @classmethod
    def of(cls, stretch: Stretch) -> Self:
        """Go on with what others have left."""
        marker = Marker(stretch.start) if stretch.start else None
        return cls(stretch.start, stretch.end, marker, stretch.first, stretch.last)

    @property
    def rest(self) -> Stretch:
        """Leave it to others; it must not have begun."""
        return Stretch(self.start, self.end, self.first, self.last)

    def measure(self, alphabets: Alphabets) -> None:
        """See how much it has left, up to the lowest probe under way."""
        ends = [*self.probes, *([] if self.end is None else [self.end])]
        end = min(ends, default=None)
        if self.last:
            self.span = Span(alphabets, self.first, self.last, end)
        elif self.first and self.misses < MISSES:
            self.span = Span(alphabets, None, self.first, end)
        else:
            self.span = None
