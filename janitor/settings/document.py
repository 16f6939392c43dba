"""YAML text to plain data, with the place of every key and value.

Takes the part of YAML 1.2 that people write configs in. Tags, anchors,
aliases, merge keys and further documents are refused: each can make a small
file mean something that a reader does not see.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from janitor.settings.problems import Finding, KeyPath, Place
from janitor.settings.scalars import resolve

_DEEPEST = 20
_MOST_VALUES = 20_000
_UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]"
)
# Escapes can bring in what the text itself must not have.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
START = "start with the line version: 1"

# From ruamel.yaml's words to ours: the first part of its message that matches.
_SYNTAX = (
    ("'\\t'", "has a tab where YAML wants spaces: indent with spaces"),
    ("mapping values are not allowed", "has a colon too many: put the value in quotes"),
    ("while scanning an alias", 'has a * without quotes: put globs in quotes, as "*"'),
    ("while scanning an anchor", "has an & without quotes: put the value in quotes"),
    ("while scanning a quoted scalar", "opens a quote that is never closed: close it"),
    (
        "while scanning a double-quoted",
        "has a backslash that YAML does not know: use single quotes",
    ),
    ("while parsing a flow", "has a bracket or a comma too few: close every [ and {"),
    ("while parsing a block", "does not line up: indent keys of one level by the same spaces"),
    ("while scanning a simple key", "lacks a colon after the key: say key: value"),
    ("cannot start any token", "begins with a character that YAML keeps: put it in quotes"),
    ("while parsing a node", "is not a value: put it in quotes"),
)


_OPENED = ("while scanning a quoted scalar", "while parsing a flow")


class Broken(Exception):  # noqa: N818  # private to this package; becomes a problem
    """The text cannot be read on from here."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.sentence)
        self.finding = finding


@dataclass(slots=True)
class Document:
    """The plain data of a file, where each of its keys and values is, and what was refused."""

    data: Any = None
    values: dict[KeyPath, Place] = field(default_factory=dict)
    keys: dict[KeyPath, Place] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def place(self, finding: Finding) -> Place:
        """Find what a finding points at; for a key that is missing, what it is missing from."""
        if finding.place is not None:
            return finding.place
        path = finding.path if finding.at is None else finding.at
        if finding.on_key and path in self.keys:
            return self.keys[path]
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, Place(1, 1))


def decode(raw: bytes) -> str:
    """Read bytes as UTF-8 text that can be YAML, or raise `Broken`."""
    if raw.startswith(b"\xef\xbb\xbf"):
        raise _broken(Place(1, 1), "starts with a byte order mark: save it as UTF-8 without BOM")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        place = _place_in(raw[: error.start].decode("utf-8"))
        raise _broken(place, "is not UTF-8 from here: save the file as UTF-8") from None
    unprintable = _UNPRINTABLE.search(text)
    if unprintable:
        place = _place_in(text[: unprintable.start()])
        what = "NUL byte" if unprintable[0] == "\0" else "control character"
        raise _broken(place, f"has a {what}, which YAML does not allow: remove it")
    return text


def parse(text: str, start: str = START) -> Document:
    """Read YAML text; raises `Broken` where nothing behind a mistake can be understood.

    `start` is the remedy for a file without any key.
    """
    return _Reader(text, start).document()


def has_control_character(text: str) -> bool:
    """Whether a value holds what no setting needs: line breaks, NUL, half characters."""
    return _CONTROL.search(text) is not None


def _place_in(before: str) -> Place:
    return Place(before.count("\n") + 1, len(before) - before.rfind("\n"))


def _broken(place: Place, sentence: str) -> Broken:
    return Broken(Finding((), sentence, place=place))


def _start(event: Any) -> Place:
    return Place(event.start_mark.line + 1, event.start_mark.column + 1)


def _end(event: Any) -> Place:
    return Place(event.end_mark.line + 1, event.end_mark.column + 1)


def _events(text: str) -> Iterator[Any]:
    """Pass on the parser's events, and its errors in our words."""
    # The parser is quadratic in depth, so nothing may ask it for everything at once.
    events = iter(YAML(typ="safe", pure=True).parse(text))
    while True:
        try:
            event = next(events, None)
        except MarkedYAMLError as error:
            raise _syntax_error(error, text) from None
        except ValueError:  # an escape beyond the last character
            sentence = "has an escape that is no character: write the character itself"
            raise _broken(Place(1, 1), sentence) from None
        if event is None:
            return
        yield event


def _syntax_error(error: MarkedYAMLError, text: str) -> Broken:
    before = error.problem_mark
    if before is not None and text[before.index - 1 : before.index + 1] == "${":
        sentence = "has ${...} between brackets or braces: put it in quotes"
        return _broken(Place(before.line + 1, before.column), sentence)
    words = f"{error.problem} {error.context}"
    # What is never closed is missed at the end of the file, but stands where it opens.
    opened = any(words_of_open in words for words_of_open in _OPENED)
    mark = (error.context_mark if opened else None) or error.problem_mark or error.context_mark
    place = Place(1, 1) if mark is None else Place(mark.line + 1, mark.column + 1)
    default = "is not YAML from here: check quotes, brackets and indentation"
    return _broken(place, next((ours for theirs, ours in _SYNTAX if theirs in words), default))


class _Reader:
    """Builds a `Document` from events, in one pass and to a bounded depth."""

    def __init__(self, text: str, start: str) -> None:
        self._events = _events(text)
        self._start = start
        self._document = Document()
        self._count = 0

    def document(self) -> Document:
        next(self._events)  # the stream's start
        start = next(self._events)
        if not isinstance(start, DocumentStartEvent):
            raise _broken(Place(1, 1), f"is empty: {self._start}")
        self._refuse_directives(start)
        root = next(self._events)
        self._document.data = self._node(root, ())
        self._refuse_other_roots(root)
        for event in self._events:
            if isinstance(event, DocumentEndEvent | DocumentStartEvent):
                self._refuse_second(event)
        return self._document

    def _refuse_directives(self, start: DocumentStartEvent) -> None:
        if start.version not in (None, (1, 2)) or start.tags:
            raise _broken(Place(1, 1), "has a % directive: remove it, the file is read as YAML 1.2")

    def _refuse_second(self, event: Any) -> None:
        if isinstance(event, DocumentStartEvent):
            sentence = "starts a second document: keep one, without --- between"
            raise _broken(_start(event), sentence)

    def _refuse_other_roots(self, root: Any) -> None:
        if isinstance(root, MappingStartEvent):
            return
        if isinstance(root, ScalarEvent) and not root.value:
            raise _broken(Place(1, 1), f"is empty: {self._start}")
        raise _broken(_start(root), f"must have keys with values at the top: {self._start}")

    def _node(self, event: Any, path: KeyPath) -> Any:
        self._refuse_too_much(event, path)
        self._refuse_tricks(event, path)
        if isinstance(event, ScalarEvent):
            return self._scalar(event, path)
        self._document.values.setdefault(path, _start(event))
        if isinstance(event, MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(path)
        return None  # an alias, which is refused already

    def _refuse_too_much(self, event: Any, path: KeyPath) -> None:
        self._count += 1
        if self._count > _MOST_VALUES:
            sentence = f"has more than {_MOST_VALUES} values: split the file in several"
            raise _broken(_start(event), sentence)
        if len(path) > _DEEPEST:
            raise _broken(_start(event), "is nested too deep: no setting needs so many levels")

    def _refuse_tricks(self, event: Any, path: KeyPath) -> None:
        if isinstance(event, AliasEvent):
            self._find(
                path,
                _start(event),
                "is an alias (*), not known here: put globs in quotes, write values out",
            )
            return
        if event.anchor is not None:
            self._find(path, _start(event), "has an anchor (&): remove it, aliases are not known")
        if event.tag is not None:
            self._find(path, _start(event), "has a tag (!): remove it, plain values are enough")

    def _scalar(self, event: ScalarEvent, path: KeyPath) -> Any:
        empty = not event.value and event.style is None
        place = self._place_of_nothing(event, path) if empty else _start(event)
        self._document.values.setdefault(path, place)
        if empty:
            self._find(path, place, "has no value: write one, or remove the key")
        if has_control_character(event.value):
            sentence = "has a line break or a control character in it: write it on one line"
            self._find(path, place, sentence)
        return resolve(event.value) if event.style is None else event.value

    def _place_of_nothing(self, event: ScalarEvent, path: KeyPath) -> Place:
        """Point at the key or at the hyphen: the parser only knows what comes next."""
        after = _start(event)
        return self._document.keys.get(path, Place(after.line, max(1, after.column - 1)))

    def _sequence(self, path: KeyPath) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            items.append(self._node(event, (*path, len(items))))
        return items

    def _mapping(self, path: KeyPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            key, place = self._key(event, path)
            inner = (*path, "" if key is None else key)
            if key is None or key in found:
                self._skip_value(inner, place, again=key is not None)
            else:
                self._document.keys[inner] = place
                found[key] = self._node(next(self._events), inner)
        return found

    def _key(self, event: Any, path: KeyPath) -> tuple[str | None, Place]:
        """Read a key; None if it is none that could be known."""
        place = _start(event)
        if not isinstance(event, ScalarEvent):
            self._find(path, place, "has a key that is not a word: keys are plain words")
            self._discard(event, (*path, ""))
            return None, place
        self._refuse_tricks(event, path)
        key = event.value if event.style is not None else resolve(event.value)
        if key == "<<":
            self._find(path, place, "merges with <<: write the keys out")
        elif not isinstance(key, str) or not key or has_control_character(key):
            self._find(path, place, "has a key that is not a word: keys are plain words")
        else:
            return key, place
        return None, place

    def _skip_value(self, path: KeyPath, place: Place, *, again: bool) -> None:
        if again:
            first = self._document.keys[path]
            sentence = f"is already set at line {first.line}, column {first.column}: keep one"
            self._find(path, place, sentence)
        self._discard(next(self._events), path)

    def _discard(self, event: Any, path: KeyPath) -> None:
        """Read a value to its end and forget it, places and problems included."""
        kept = self._document
        self._document = Document()
        self._node(event, path)
        self._document = kept

    def _find(self, path: KeyPath, place: Place, sentence: str) -> None:
        self._document.findings.append(Finding(path, sentence, place=place))
