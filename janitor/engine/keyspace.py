"""Arithmetic on keys: how far it is from one to another, and which text lies between. Pure.

A key is read as a number whose digits are characters. Which characters a place
in the keys may have is learned from keys that were seen, and guessed for the
rest: where one digit was, all of 0-9 are expected. A wrong guess costs
requests, never uploads, because every text between two keys is a good border.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import cache
from math import inf, isqrt

# Borders are made of these only: XML can carry them, and whoever sorts by UTF-8,
# by code points or by UTF-16 agrees about where they belong.
LOWEST, HIGHEST = " ", "\ud7ff"
_UNPRINTABLE = range(0x7F, 0xA0)
# What S3 takes for a key, and so for a marker, in bytes.
LONGEST = 1024
# How many digits are looked at behind the one in which the keys of a page differ.
FINE = 4
# A distance of more pages than this is no estimate any more.
BELIEVABLE = 10_000

_CLASSES = (
    "0123456789",
    "abcdef",
    "abcdefghijklmnopqrstuvwxyz",
    "ABCDEF",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
)


@cache
def _all() -> str:
    """Give every code point up to the last plain one; those that are not, `is_plain` tells."""
    return "".join(map(chr, range(1, ord(HIGHEST) + 1)))


def is_plain(character: str) -> bool:
    """Whether a character may be part of a border."""
    return LOWEST <= character <= HIGHEST and ord(character) not in _UNPRINTABLE


def common(one: str, other: str) -> int:
    """Count the characters with which both begin."""
    for place, (ours, theirs) in enumerate(zip(one, other, strict=False)):
        if ours != theirs:
            return place
    return min(len(one), len(other))


class Alphabets:
    """The characters that are expected at each place of a key, sorted.

    Beyond ASCII there is no telling: then it is all, by their code points.
    """

    def __init__(self) -> None:
        self._seen: list[set[str]] = []
        self._expected: list[str] = []

    def learn(self, key: str) -> None:
        """Take notice of a key that exists."""
        for place, character in enumerate(key):
            if place == len(self._seen):
                self._seen.append(set())
                self._expected.append("")
            if character not in self._seen[place]:
                self._seen[place].add(character)
                self._expected[place] = _joined(self._expected[place], character)

    def value(self, key: str | None, begin: int, end: int) -> int:
        """Read some places of a key as a number; None is beyond every key."""
        value = 0
        for place in range(begin, end):
            letters = self._at(place)
            # 0 is the end of the key, which sorts before every character.
            if key is None:
                digit = len(letters)
            elif place >= len(key):
                digit = 0
            elif _has_all(letters):
                digit = min(ord(key[place]), len(letters))
            else:
                digit = bisect_right(letters, key[place])
            value = value * (len(letters) + 1) + digit
        return value + 1 if key is None else value

    def text(self, value: int, begin: int, end: int) -> str:
        """Write a number as the shortest key that has this value."""
        characters: list[str] = []
        for place in reversed(range(begin, end)):
            letters = self._at(place)
            value, digit = divmod(value, len(letters) + 1)
            if digit:
                characters.append(letters[digit - 1])
            else:
                characters.clear()
        return "".join(reversed(characters))

    def _at(self, place: int) -> str:
        return self._expected[place] if place < len(self._expected) else ""


def _has_all(letters: str) -> bool:
    # All others are of ASCII.
    return len(letters) > ord("\x7f")


def _joined(letters: str, character: str) -> str:
    """Give what is expected where this character was seen as well."""
    if _has_all(letters) or not is_plain(character):
        return letters
    if character > "\x7f":
        return _all()
    kin = next((kin for kin in _CLASSES if character in kin), character)
    return "".join(sorted({*letters, *kin}))


class Span:
    """The keys behind `last`, up to `end` (None: all), measured by how dense a page is.

    `first` and `last` are the page's; without a page, `first` is None. `pages`
    is how many more there are if all are as dense; infinite where nothing can
    be said.
    """

    __slots__ = ("_alphabets", "_base", "_distance", "_end", "_last", "_places", "_width", "pages")

    def __init__(self, alphabets: Alphabets, first: str | None, last: str, end: str | None) -> None:
        begin = 0 if end is None else common(last, end)
        shared = begin if first is None else common(first, last)
        begin = min(begin, shared)
        places = (begin, shared + FINE)
        self._alphabets, self._last, self._end, self._places = alphabets, last, end, places
        self._base = alphabets.value(last, *places)
        self._distance = alphabets.value(end, *places) - self._base
        self._width = None if first is None else self._base - alphabets.value(first, *places)
        self.pages = self._count()

    def _count(self) -> float:
        if self._distance <= 0:
            return 0.0
        # Characters that are not expected can turn the order of two numbers around.
        if self._width is None or self._width <= 0 or self._distance > BELIEVABLE * self._width:
            return inf
        return self._distance / self._width

    def border(self) -> str | None:
        """Give a text between the two that should have much on both sides; None if none fits.

        Behind a page with an unknown distance to go it is nearer to the page.
        """
        if self._width is None or self.pages < inf:
            step = self._distance // 2
        elif self._width > 0:
            step = self._width * isqrt(self._distance // self._width)
        else:
            # One key has more uploads than a page can hold, or that is how it looks.
            return self._usable(self._last + LOWEST)
        tail = self._alphabets.text(self._base + step, *self._places)
        text = self._last[: self._places[0]] + tail
        # Where it matters, and one more character to be precise.
        return self._usable(text[: common(text, self._last) + 2])

    def _usable(self, text: str) -> str | None:
        fits = text > self._last and (self._end is None or text < self._end)
        usable = fits and all(map(is_plain, text)) and len(text.encode()) <= LONGEST
        return text if usable else None
