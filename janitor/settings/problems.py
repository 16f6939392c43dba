"""What is wrong with a config file, where, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from janitor.errors import ConfigError

KeyPath = tuple[str | int, ...]

# A file of nothing but mistakes must not fill the screen, or the log.
MOST_PROBLEMS = 100
_LONGEST_PATH = 120


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line and a column, both counted from one; 0 stands for the file as a whole."""

    line: int
    column: int


WHOLE_FILE = Place(0, 0)


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem that knows which value it is about, but not yet where that stands.

    `at` is the value to point at where that is another one; `on_key` points at
    the key instead of its value; `place` overrides both.
    """

    path: KeyPath
    sentence: str
    at: KeyPath | None = None
    on_key: bool = False
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to fix: where it is, and a sentence that ends with the remedy."""

    file: str
    line: int
    column: int
    path: str
    sentence: str

    def __str__(self) -> str:
        """Print it as compilers do, so that editors can jump to it."""
        place = f":{self.line}:{self.column}" if self.line else ""
        path = f" {self.path}:" if self.path else ""
        return f"{self.file}{place}:{path} {self.sentence}"


class BadConfig(ConfigError):  # noqa: N818  # reads better where it is caught
    """A config cannot be used; `problems` are all that were found, in the order of each file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        found = list(problems)
        files = {name: rank for rank, name in enumerate(dict.fromkeys(p.file for p in found))}
        ordered = sorted(found, key=lambda p: (files[p.file], p.line, p.column, p.path, p.sentence))
        self.problems = tuple(_bounded(list(dict.fromkeys(ordered))))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def dotted(path: KeyPath) -> str:
    """Write a path as people say it: `targets.1.policy.stale_after`."""
    text = ".".join(str(step) for step in path)
    return text if len(text) <= _LONGEST_PATH else text[: _LONGEST_PATH - 3] + "..."


def _bounded(problems: list[Problem]) -> list[Problem]:
    beyond = len(problems) - MOST_PROBLEMS
    if beyond <= 0:
        return problems
    first = problems[MOST_PROBLEMS]
    rest = Problem(
        first.file, first.line, first.column, "", f"{beyond} more problems: fix these first"
    )
    return [*problems[:MOST_PROBLEMS], rest]
