"""Reads small documents that look like an earlier one but for their texts. Pure.

To parse a reply about one part costs more than all else that is done with it,
and the next reply looks just the same. So a parser reads the first one, and a
mold is taken from it: a regular expression that is the very document, with a
group for each text. What fits a mold is what the parser would make of it, as
the texts hold nothing that XML changes, forbids or escapes but by the five
names that every document knows. What fits none goes to the parser.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

Parse = Callable[[bytes], dict[str, Any]]
Convert = Callable[[str], Any]
Fill = Callable[[Sequence[str]], dict[str, Any]]

# Longer documents are as quick to parse, for each part of theirs.
LONGEST: Final = 4096
# Servers do not write more than a few kinds of them; the number of parts makes others.
MOST: Final = 6
_LEAF: Final = re.compile(r"<([A-Za-z][A-Za-z0-9]*)>([^<]*)</\1>")
_TEXT: Final = r"([^<\]\x00-\x1f\ufffe\uffff]*)"
# Whoever says another encoding means other bytes by other characters.
_ENCODING: Final = re.compile(r"""<\?xml[^>]*\sencoding\s*=\s*["']([^"'>]*)""")
_OURS: Final = frozenset({"utf-8", "us-ascii"})
_REFERENCE: Final = re.compile(r"&(?:(quot|amp|lt|gt|apos);)?")
_MEANING: Final = {"quot": '"', "amp": "&", "lt": "<", "gt": ">", "apos": "'"}
# Stands for the text of the leaf with that number more; no document has so many.
_FIRST: Final = 777_000_000
_PREFIX: Final = "777000"


class _NoFitError(ValueError):
    """The document needs the parser."""


class Molds:
    """Parses documents of one kind; safe to use from many threads.

    `parse` reads what fits no mold. `convert` says how the text of an element
    of a name is read, in the same way.
    """

    def __init__(self, parse: Parse, convert: Callable[[str], Convert]) -> None:
        self._parse = parse
        self._convert = convert
        # Replaced as a whole, so that no thread sees half of it.
        self._known: tuple[tuple[re.Pattern[str], Fill], ...] = ()

    def read(self, body: bytes) -> dict[str, Any]:
        """Read a document; raises as `parse`."""
        if len(body) > LONGEST:
            return self._parse(body)
        try:
            text = body.decode()
            for pattern, fill in self._known:
                match = pattern.fullmatch(text)
                if match is not None:
                    return fill(_plain(match.groups(), text))
        except (_NoFitError, UnicodeDecodeError):
            return self._parse(body)
        found = self._parse(body)
        if len(self._known) < MOST:
            self._learn(text, found)
        return found

    def _learn(self, text: str, found: dict[str, Any]) -> None:
        """Take a mold, and keep it if the document that it is taken from fits."""
        leaves = list(_LEAF.finditer(text))
        # Comments and the like hide texts; and nothing may be mistaken for one of our numbers.
        if not leaves or "<!" in text or _PREFIX in text or not _is_ours(text):
            return
        pattern, numbered, end = "", "", 0
        for number, leaf in enumerate(leaves, _FIRST):
            between = text[end : leaf.start(2)]
            pattern += re.escape(between) + _TEXT
            numbered += f"{between}{number}"
            end = leaf.end(2)
        mold = re.compile(pattern + re.escape(text[end:]))
        match = mold.fullmatch(text)
        if match is None:
            return
        try:
            # The parser itself says where each text goes.
            fill = self._filling(self._parse((numbered + text[end:]).encode()))
            fits = fill(_plain(match.groups(), text)) == found
        except _NoFitError:
            return
        if fits:
            self._known = (*self._known, (mold, fill))

    def _filling(self, numbered: Mapping[str, Any]) -> Fill:
        leaves: list[tuple[str, Convert, int]] = []
        inner: list[tuple[str, Fill]] = []
        lists: list[tuple[str, list[Fill]]] = []
        for name, value in numbered.items():
            if isinstance(value, dict):
                inner.append((name, self._filling(value)))
            elif isinstance(value, list):
                lists.append((name, [self._filling(each) for each in value]))
            elif value is not None:
                leaves.append((name, self._convert(name), _number(value)))

        def fill(texts: Sequence[str]) -> dict[str, Any]:
            found = {name: convert(texts[at]) for name, convert, at in leaves}
            for name, make in inner:
                found[name] = make(texts)
            for name, makers in lists:
                found[name] = [make(texts) for make in makers]
            return found

        return fill


def _is_ours(text: str) -> bool:
    """Whether a document is written as it was decoded, as far as it says."""
    declared = _ENCODING.search(text)
    return declared is None or declared[1].lower() in _OURS


def _number(value: object) -> int:
    """Tell which leaf a value came from; some come from none, but from text between elements."""
    if not str(value).startswith(_PREFIX):
        raise _NoFitError
    return int(str(value)) - _FIRST


def _plain(texts: Sequence[str], whole: str) -> Sequence[str]:
    """Give the texts as they are meant; most documents refer to nothing."""
    if "&" not in whole:
        return texts
    return [_REFERENCE.sub(_meant, text) if "&" in text else text for text in texts]


def _meant(reference: re.Match[str]) -> str:
    if reference[1] is None:
        raise _NoFitError
    return _MEANING[reference[1]]
