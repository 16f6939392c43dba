"""Prints a report for people, on a terminal or into a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from janitor.model import Outcome, TargetOutcome
from janitor.report.columns import GAP, Column, fit, shorten, width_for_texts
from janitor.report.excerpt import Excerpt, excerpts
from janitor.report.rows import ContainerRow, Report, UploadRow
from janitor.report.text import age, count, size, visible
from janitor.report.words import ENDED, headline, is_report_mode, kept_counts, stale_counts

_NARROWEST = 72  # below this, lines get longer than the terminal, and it wraps them
_LEAST_NAME = 20  # cells of a container's name; where fewer are left, it gets its own line
_INDENT = "    "
_STYLES: Final[Mapping[str, str]] = {
    TargetOutcome.COMPLETE: "green",
    TargetOutcome.CAPPED: "yellow",
    TargetOutcome.INTERRUPTED: "yellow",
    TargetOutcome.LOCKED: "yellow",
    TargetOutcome.TRIPPED: "bold red",
    TargetOutcome.INCOMPLETE: "bold red",
    TargetOutcome.FORBIDDEN: "bold red",
    TargetOutcome.CLOCK_SKEW: "bold red",
    TargetOutcome.SUSPICIOUS_EMPTY: "bold red",
    TargetOutcome.WRONG_IDENTITY: "bold red",
    TargetOutcome.CRASHED: "bold red",
    Outcome.FAILED: "bold red",
    Outcome.SURVIVED: "bold red",
}
_FINE = frozenset({TargetOutcome.COMPLETE, TargetOutcome.CAPPED})
_COUNTS = (Column("What"), Column("Uploads", number=True), Column("Meaning"))


def print_table(report: Report, console: Console, limit: int = 20) -> None:
    """Print the containers, then what became of uploads and why, at most `limit` of each kind.

    Uses colour where the console has it; whatever a colour says is also said
    in words. Reads the uploads once.
    """
    chosen = excerpts(report.uploads(), limit)
    page = _Page(console)
    page.summary(headline(report))
    page.containers(report)
    page.troubles(report.targets)
    page.counts("Stale, and what became of them", stale_counts(report))
    page.counts("Kept, and why", kept_counts(report.targets))
    page.uploads(_stale_title(report), chosen.stale, "Outcome")
    page.uploads("Kept for another reason than young, oldest first", chosen.kept, "Reason")


class _Page:
    """Prints whole lines, which the console neither wraps nor cuts."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._width = max(console.width, _NARROWEST)
        self._ellipsis, self._rule = ("...", "-") if console.options.ascii_only else ("…", "─")

    def summary(self, lines: Sequence[str]) -> None:
        self._line(Text(lines[0], "bold"))
        for line in lines[1:]:
            self._paragraph(line)

    def containers(self, report: Report) -> None:
        rows = _container_rows(report)
        if not rows:
            return
        columns = _container_columns(report)
        self._line(Text())
        longest = max(cell_len(visible(row[0])) for row in rows)
        if width_for_texts(columns, rows, self._width) >= min(longest, _LEAST_NAME):
            self._grid(columns, rows)
        else:
            self._stacked(columns, rows)

    def troubles(self, targets: Sequence[ContainerRow]) -> None:
        """Say in full what went wrong, container by container."""
        troubled = [row for row in targets if row["error"] or row["outcome"] not in _FINE]
        if troubled:
            self._title("Containers that need a look")
        for row in troubled:
            meaning = ENDED[TargetOutcome(row["outcome"])]
            self._paragraph(f"{_name(row)}: {row['outcome']}, {meaning}")
            if row["error"]:
                self._paragraph(row["error"], _INDENT)

    def counts(self, title: str, counts: Sequence[tuple[str, int, str]]) -> None:
        if counts:
            self._title(title)
            rows = [[name, count(number), meaning] for name, number, meaning in counts]
            self._lines(fit(_COUNTS, rows, self._width, self._ellipsis)[1:], _COUNTS)

    def uploads(self, title: str, excerpt: Excerpt, word: str) -> None:
        if not excerpt.rows and not excerpt.more:
            return
        self._title(title)
        columns = _upload_columns(excerpt.rows, word)
        cells = [_upload_cells(row) for row in excerpt.rows]
        header, *lines = fit(columns, cells, self._width, self._ellipsis)
        if lines:
            self._header(header)
        for row, line in zip(excerpt.rows, lines, strict=True):
            self._lines([line], columns)
            if row["error"]:
                room = self._width - len(_INDENT)
                self._line(Text(_INDENT + shorten(row["error"], room, self._ellipsis)))
        if excerpt.more:
            self._line(Text(f"{self._ellipsis} and {count(excerpt.more)} more (-o json shows all)"))

    def _grid(self, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
        header, *lines = fit(columns, rows, self._width, self._ellipsis)
        self._header(header)
        self._lines(lines, columns)

    def _stacked(self, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
        """Give each row two lines: words above, numbers below."""
        words, numbers = columns[:2], columns[2:]
        above = fit(words, [row[:2] for row in rows], self._width, self._ellipsis)
        below = fit(numbers, [row[2:] for row in rows], self._width, self._ellipsis)
        for line in below:
            line[0] = _INDENT + line[0]
        self._header(above[0], below[0])
        for upper, lower in zip(above[1:], below[1:], strict=True):
            self._lines([upper], words)
            self._lines([lower], numbers)

    def _header(self, *lines: Sequence[str]) -> None:
        for cells in lines:
            self._line(Text(_joined(cells), "bold"))
        widest = max(cell_len(_joined(cells)) for cells in lines)
        self._line(Text(self._rule * widest, "dim"))

    def _lines(self, lines: Iterable[Sequence[str]], columns: Sequence[Column]) -> None:
        for cells in lines:
            styles = [
                "" if column.number or column.shrinks else _STYLES.get(cell.strip(), "")
                for column, cell in zip(columns, cells, strict=True)
            ]
            parts = [Text(cell, style) for cell, style in zip(cells, styles, strict=True)]
            self._line(Text(" " * GAP).join(parts))

    def _title(self, title: str) -> None:
        self._line(Text())
        self._line(Text(title, "bold"))

    def _paragraph(self, text: str, indent: str = "") -> None:
        """Print a text of any origin in full."""
        whole = Text(visible(text))
        for line in whole.wrap(self._console, self._width - len(indent), overflow="fold"):
            self._line(Text(indent) + line)

    def _line(self, line: Text) -> None:
        line.rstrip()
        self._console.print(line, soft_wrap=True)


def _stale_title(report: Report) -> str:
    if is_report_mode(report):
        return "Would be aborted, oldest first (nothing was changed)"
    return "Stale uploads, failures first, then the oldest"


def _container_columns(report: Report) -> list[Column]:
    done = ["Withheld"] if is_report_mode(report) else ["Aborted"]
    freed = [] if is_report_mode(report) else ["Freed"]
    numbers = ["Listed", "Stale", *done, "Kept", "Stale size", *freed]
    return [
        Column("Container", shrinks=True),
        Column("Outcome"),
        *(Column(title, number=True) for title in numbers),
    ]


def _container_rows(report: Report) -> list[list[str]]:
    targets, report_mode = report.targets, is_report_mode(report)
    rows = [
        [_name(row), row["outcome"], *_figures([row], report_mode=report_mode)] for row in targets
    ]
    if len(rows) > 1:
        rows.append(["Total", "", *_figures(targets, report_mode=report_mode)])
    return rows


def _figures(rows: Sequence[ContainerRow], *, report_mode: bool) -> list[str]:
    figures = [
        count(sum(row["listed"] for row in rows)),
        count(sum(row["stale"] for row in rows)),
        count(sum(row["withheld" if report_mode else "aborted"] for row in rows)),
        count(sum(sum(row["kept"].values()) for row in rows)),
        size(sum(row["bytes_stale"] for row in rows)),
    ]
    freed = size(sum(row["bytes_freed"] for row in rows))
    return figures if report_mode else [*figures, freed]


def _upload_columns(rows: Iterable[UploadRow], word: str) -> list[Column]:
    all_have_keys = all(row["key"] for row in rows)
    return [
        Column("Container", shrinks=True),
        Column("Key" if all_have_keys else "Key or description", shrinks=True),
        Column("Age", number=True),
        Column("Size", number=True),
        Column(word),
    ]


def _upload_cells(row: UploadRow) -> list[str]:
    return [
        _name(row),
        row["key"] or row["description"] or row["upload_id"],
        age(row["age_seconds"]),
        size(row["bytes"]),
        row["outcome"] or row["reason"],
    ]


def _name(row: ContainerRow | UploadRow) -> str:
    return f"{row['target']}/{row['container']}"


def _joined(cells: Iterable[str]) -> str:
    return (" " * GAP).join(cells)
