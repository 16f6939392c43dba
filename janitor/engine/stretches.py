"""What is said between those who list the keys of one container in several processes. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from janitor.model import Upload


@dataclass(frozen=True, slots=True)
class Stretch:
    """All keys behind `start`, up to `end` (None: all).

    `first` and `last` are the keys of the page before it, and tell how dense
    keys are there. Without a `last` it is known to begin with `first`, and
    without both nothing is known.
    """

    start: str = ""
    end: str | None = None
    first: str = ""
    last: str = ""


WHOLE = Stretch()


@dataclass(frozen=True, slots=True)
class Share:
    """What one process shall list; its part of the work is over when it has read so many `pages`.

    None: it lists to the end. What is left then comes back, in `cuts` stretches
    if it is long enough for that.
    """

    stretches: tuple[Stretch, ...] = (WHOLE,)
    pages: int | None = None
    cuts: int = 1


ALL = Share()


@dataclass(frozen=True, slots=True)
class Account:
    """What became of a share: which stretches were listed, and what is left for others.

    `firsts` are the keys that a listing behind a border began with, and `claims`
    are what was seen first behind it by who came from below: the two sides of a
    seam may come from two processes. `pages` counts what was read.
    """

    done: tuple[tuple[str, str | None], ...]
    rest: tuple[Stretch, ...] = ()
    firsts: tuple[tuple[str, tuple[str, ...]], ...] = ()
    claims: tuple[tuple[str, Upload], ...] = ()
    pages: int = 0


# Of a container that one process has listed, and nobody else.
ALL_DONE = Account((("", None),))
