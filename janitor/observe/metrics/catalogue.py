"""The catalogue of all metrics as Markdown, made from what makes the metrics.

`python -m janitor.observe.metrics.catalogue` prints it, and with the path of a
document puts it there, between the markers.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from janitor.observe.metrics.families import CLOSED, FAMILIES
from janitor.observe.metrics.view import PLACES

BEGIN = "<!-- catalogue: begin (python -m janitor.observe.metrics.catalogue docs/metrics.md) -->"
END = "<!-- catalogue: end -->"


def catalogue() -> str:
    """Give all metrics as one table, and the values of closed labels as another."""
    return "\n".join([*_metrics(), "", *_values()]) + "\n"


def with_catalogue(document: str) -> str:
    """Give a document with today's catalogue between its markers; ValueError if it has none."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        msg = f"there must be a line {BEGIN} and after it a line {END}"
        raise ValueError(msg)
    return f"{before}{BEGIN}\n\n{catalogue()}\n{END}{after}"


def _metrics() -> Iterator[str]:
    yield "| metric | type | labels | unit | meaning |"
    yield "| --- | --- | --- | --- | --- |"
    for family in FAMILIES:
        labels = _code((*(PLACES["container"] if family.placed else ()), *family.labels))
        yield f"| `{family.name}` | {family.kind} | {labels} | {family.unit} | {family.text} |"


def _values() -> Iterator[str]:
    yield "| label | of | values |"
    yield "| --- | --- | --- |"
    for (name, label), values in CLOSED.items():
        yield f"| `{label}` | `{name}` | {_code(values)} |"


def _code(words: Sequence[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def main(paths: Sequence[str]) -> None:
    """Print the catalogue, or put it into each of the documents."""
    if not paths:
        sys.stdout.write(catalogue())
    for path in map(Path, paths):
        path.write_text(with_catalogue(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
