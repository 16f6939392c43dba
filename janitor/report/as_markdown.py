"""Writes a report for tickets and chats, as Markdown (GitHub's kind)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, TextIO

from janitor.report.excerpt import Excerpt, excerpts
from janitor.report.rows import ContainerRow, Report, UploadRow
from janitor.report.text import age, count, size, visible
from janitor.report.words import headline, is_report_mode, kept_counts, stale_counts

_LEFT, _RIGHT = "---", "---:"
_UPLOADS: Final[Mapping[str, str]] = {
    "Container": _LEFT,
    "Key": _LEFT,
    "Upload id": _LEFT,
    "Age": _RIGHT,
    "Size": _RIGHT,
    "Result": _LEFT,
    "Error": _LEFT,
}
_BACKTICKS = re.compile("`+")


def write_markdown(report: Report, stream: TextIO, limit: int = 100) -> None:
    """Write the summary, and at most `limit` uploads of each kind with how many more there are.

    What a provider sent is shown as code, so that nothing in it is markup, a
    link or a mention.
    """
    chosen = excerpts(report.uploads(), limit)
    stream.write("# Stale multipart uploads\n\n" + "  \n".join(headline(report)) + "\n")
    _write_containers(report, stream)
    _write_errors(report.targets, stream)
    _write_meanings("Stale, and what became of them", stale_counts(report), stream)
    _write_meanings("Kept, and why", kept_counts(report.targets), stream)
    title = "Would be aborted" if is_report_mode(report) else "Stale uploads"
    _write_uploads(title, chosen.stale, stream)
    _write_uploads("Kept uploads", chosen.kept, stream)


def code(text: str) -> str:
    """Write a text as a code span for a cell of a table."""
    shown = visible(text)
    if not shown:
        return ""
    runs = [len(run) for run in _BACKTICKS.findall(shown)]
    fence = "`" * next(length for length in range(1, len(runs) + 2) if length not in runs)
    # Markdown takes one space off each end of a span that has both.
    pad = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return fence + pad + shown.replace("|", r"\|") + pad + fence


def _write_containers(report: Report, stream: TextIO) -> None:
    report_mode = is_report_mode(report)
    rows = [_container_cells(row, report_mode=report_mode) for row in report.targets]
    _write_table("Containers", _containers_header(report_mode=report_mode), rows, stream)


def _containers_header(*, report_mode: bool) -> dict[str, str]:
    done = "Would abort" if report_mode else "Aborted"
    numbers = ("Listed", "Stale", done, "Kept", "Stale size", "Freed")
    return {"Container": _LEFT, "Outcome": _LEFT} | dict.fromkeys(numbers, _RIGHT)


def _container_cells(row: ContainerRow, *, report_mode: bool) -> list[str]:
    return [
        code(f"{row['target']}/{row['container']}"),
        row["outcome"],
        count(row["listed"]),
        count(row["stale"]),
        count(row["withheld"] if report_mode else row["aborted"]),
        count(sum(row["kept"].values())),
        size(row["bytes_stale"]),
        size(row["bytes_freed"]),
    ]


def _write_errors(targets: Sequence[ContainerRow], stream: TextIO) -> None:
    failed = [(row, row["error"]) for row in targets if row["error"] is not None]
    rows = [[code(f"{row['target']}/{row['container']}"), code(error)] for row, error in failed]
    _write_table("Errors", {"Container": _LEFT, "Error": _LEFT}, rows, stream)


def _write_meanings(title: str, counts: Sequence[tuple[str, int, str]], stream: TextIO) -> None:
    rows = [[name, count(number), meaning] for name, number, meaning in counts]
    _write_table(title, {"What": _LEFT, "Uploads": _RIGHT, "Meaning": _LEFT}, rows, stream)


def _write_uploads(title: str, excerpt: Excerpt, stream: TextIO) -> None:
    _write_table(title, _UPLOADS, [_upload_cells(row) for row in excerpt.rows], stream)
    if excerpt.more:
        stream.write(f"\n… and {count(excerpt.more)} more (-o json shows all)\n")


def _upload_cells(row: UploadRow) -> list[str]:
    return [
        code(f"{row['target']}/{row['container']}"),
        code(row["key"] or row["description"] or ""),
        code(row["upload_id"]),
        age(row["age_seconds"]),
        size(row["bytes"]),
        row["outcome"] or row["reason"],
        code(row["error"] or ""),
    ]


def _write_table(
    title: str, header: Mapping[str, str], rows: Sequence[Sequence[str]], stream: TextIO
) -> None:
    if not rows:
        return
    stream.write(f"\n## {title}\n\n")
    lines = [list(header), list(header.values()), *rows]
    stream.writelines(f"| {' | '.join(cells)} |\n" for cells in lines)
