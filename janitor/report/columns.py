"""Fits cells into columns of a terminal: texts shrink in their middle, numbers never do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from janitor.report.text import shown, visible

GAP = 2
_LEAST = 8  # cells of a text that can still be told from another


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table; one that `shrinks` holds texts, whose ends tell most."""

    title: str
    number: bool = False
    shrinks: bool = False


def fit(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], room: int, ellipsis: str
) -> list[list[str]]:
    """Make every cell as wide as its column, and all of them together at most `room`, if possible.

    The header comes first. Cells are made harmless here. Texts get what the
    numbers leave, but each at least a few cells.
    """
    header = [column.title for column in columns]
    shown_rows = [header, *([visible(cell) for cell in row] for row in rows)]
    natural = [max(map(cell_len, cells)) for cells in zip(*shown_rows, strict=True)]
    widths = _shrink(columns, natural, room)
    return [
        [_cell(column, text, width, ellipsis) for column, text, width in zip(*parts, strict=True)]
        for parts in ((columns, row, widths) for row in (header, *rows))
    ]


def width_for_texts(columns: Sequence[Column], rows: Iterable[Sequence[str]], room: int) -> int:
    """How many cells all the columns that do not shrink leave to those that do."""
    titles = [column.title for column in columns]
    cells = [titles, *rows]
    fixed = [
        max(cell_len(row[place]) for row in cells)
        for place, column in enumerate(columns)
        if not column.shrinks
    ]
    return room - sum(fixed) - GAP * (len(columns) - 1)


def shorten(text: str, room: int, ellipsis: str) -> str:
    """Make a text harmless and at most `room` cells wide, by leaving out its middle.

    Neither an escape nor a letter with its accents is cut through.
    """
    whole = visible(text)
    if cell_len(whole) <= room:
        return whole
    units = _units(text)
    left = max(0, room - cell_len(ellipsis))
    head = _take(units, left // 2)
    tail = _take(reversed(units), left - sum(map(cell_len, head)))
    return "".join((*head, ellipsis, *reversed(tail)))


def _cell(column: Column, text: str, width: int, ellipsis: str) -> str:
    content = shorten(text, width, ellipsis) if column.shrinks else visible(text)
    padding = " " * (width - cell_len(content))
    return padding + content if column.number else content + padding


def _shrink(columns: Sequence[Column], natural: Sequence[int], room: int) -> list[int]:
    """Give the later texts what the earlier ones do not need, but those at least a third."""
    left = room - GAP * (len(columns) - 1)
    left -= sum(width for column, width in zip(columns, natural, strict=True) if not column.shrinks)
    widths = list(natural)
    places = [place for place, column in enumerate(columns) if column.shrinks]
    for position, place in enumerate(places):
        wanted_later = sum(natural[later] for later in places[position + 1 :])
        is_last = position == len(places) - 1
        share = left if is_last else max(left // 3, left - wanted_later)
        widths[place] = min(natural[place], max(_LEAST, share))
        left -= widths[place]
    return widths


def _units(text: str) -> list[str]:
    """Split into what must not be cut: an escape, or a character with its accents."""
    units: list[str] = []
    for character in text:
        unit = shown(character)
        if units and cell_len(unit) == 0:
            units[-1] += unit
        else:
            units.append(unit)
    return units


def _take(units: Iterable[str], room: int) -> list[str]:
    taken: list[str] = []
    for unit in units:
        room -= cell_len(unit)
        if room < 0:
            break
        taken.append(unit)
    return taken
