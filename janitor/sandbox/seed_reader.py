"""Reads YAML so that every problem names its file, line and remedy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_UNITS: Final = {"s": 1, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SIZES: Final = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_QUANTITY: Final = re.compile(r"([0-9]{1,15})\s*([A-Za-z]+)")


class SeedError(ValueError):
    """A seed file that cannot be used; its text is `file:line: problem; remedy`."""


@dataclass(frozen=True)
class Node:
    """A mapping of the file, and where it stands."""

    path: Path
    line: int
    value: CommentedMap

    def fail(self, problem: str, remedy: str, name: str | None = None) -> NoReturn:
        """Refuse the file because of this mapping, or of one of its fields."""
        line = self.line
        if name is not None and name in self.value:
            line = self.value.lc.key(name)[0] + 1
        text = f"{self.path}:{line}: {problem}; {remedy}"
        raise SeedError(text)

    def allow(self, *names: str) -> None:
        """Refuse any field that is not among `names`."""
        for name in self.value:
            if name not in names:
                self.fail(f"unknown field {name!r}", f"known are {', '.join(names)}", name)

    def has(self, name: str) -> bool:
        """Tell whether a field was written, even as null."""
        return name in self.value

    def is_null(self, name: str) -> bool:
        """Tell whether a field was written as null."""
        return name in self.value and self.value[name] is None

    def text(self, name: str) -> str | None:
        """Read a text; None if it is absent or null."""
        value = self.value.get(name)
        if value is not None and not isinstance(value, str):
            self.fail(f"{name} is not a text: {value!r}", "put it in quotes", name)
        return None if value is None else str(value)

    def required(self, name: str) -> str:
        """Read a text that must be there."""
        value = self.text(name)
        if not value:
            self.fail(f"{name} is missing", f"write {name}: ...", name)
        return value

    def number(self, name: str, default: int) -> int:
        """Read a whole number from 1."""
        value = self.value.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            self.fail(f"{name} is not a number: {value!r}", f"write {name}: 3, say", name)
        return int(value)

    def duration(self, name: str) -> timedelta | None:
        """Read a duration such as 90s, 30min, 5h, 9d or 2w; None if it is absent."""
        quantity = self._quantity(name, _UNITS, "say the unit, for example 90s, 30min, 5h, 9d, 2w")
        return None if quantity is None else timedelta(seconds=quantity)

    def size(self, name: str) -> int | None:
        """Read a size such as 300KiB, 8MiB or 2GiB in bytes; None if it is absent."""
        return self._quantity(name, _SIZES, "say the unit, for example 12B, 300KiB, 8MiB, 2GiB")

    def nodes(self, name: str) -> Iterator[Node]:
        """Read a list of mappings, one mapping alone, or nothing."""
        value: Any = self.value.get(name)
        if isinstance(value, CommentedMap):
            yield Node(self.path, value.lc.line + 1, value)
        elif isinstance(value, CommentedSeq):
            yield from self._items(name, value)
        elif value is not None:
            self.fail(
                f"{name} is not a list", 'write each entry in a line that begins with "- "', name
            )

    def _items(self, name: str, values: CommentedSeq) -> Iterator[Node]:
        for index, value in enumerate(values):
            if not isinstance(value, CommentedMap):
                line = values.lc.item(index)[0] + 1
                text = (
                    f"{self.path}:{line}: {name} holds {value!r}; write fields, such as name: ..."
                )
                raise SeedError(text)
            yield Node(self.path, value.lc.line + 1, value)

    def _quantity(self, name: str, units: dict[str, int], remedy: str) -> int | None:
        value = self.value.get(name)
        if value is None:
            return None
        found = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
        if found is None or found[2] not in units:
            self.fail(f"{name}: {value!r} is not understood", remedy, name)
        return int(found[1]) * units[found[2]]


def read(path: Path) -> Node:
    """Read a file; SeedError if it is unreadable, no YAML or no mapping."""
    try:
        value = YAML(typ="rt").load(path.read_text(encoding="utf-8"))
    except OSError as error:
        text = f"{path}:1: it cannot be read ({error.strerror}); check the path"
        raise SeedError(text) from error
    except (YAMLError, UnicodeDecodeError) as error:
        mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
        problem = error.problem if isinstance(error, MarkedYAMLError) else error
        line = mark.line + 1 if mark is not None else 1
        text = f"{path}:{line}: not valid YAML ({problem}); correct this line or the one before"
        raise SeedError(text) from error
    if not isinstance(value, CommentedMap):
        text = f"{path}:1: the file holds no fields; begin it with version: 1"
        raise SeedError(text)
    return Node(path, 1, value)
