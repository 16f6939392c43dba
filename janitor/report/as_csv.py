"""Writes the uploads of a report for spreadsheets, as CSV (RFC 4180)."""

from __future__ import annotations

import csv
import re
from typing import Final, TextIO

from janitor.report.rows import Report
from janitor.report.text import visible

# Only ever add at the end: people address columns by number.
COLUMNS: Final = (
    "target",
    "provider",
    "container",
    "key",
    "upload_id",
    "initiated",
    "initiated_text",
    "age_seconds",
    "last_activity",
    "bytes",
    "parts",
    "description",
    "initiator",
    "storage_class",
    "verdict",
    "reason",
    "rule",
    "outcome",
    "bytes_freed",
    "eligible_at",
    "error",
)

# What makes a spreadsheet take a text for a formula, and run it.
_FORMULA = ("=", "+", "-", "@")
# A name, not a formula; upload ids of Glacier look like this, and must stay what they are.
_NAME = re.compile(r"-[A-Za-z0-9_-]+")


def write_csv(report: Report, stream: TextIO) -> None:
    r"""Write a header and one line per upload; unknown is empty. Streams.

    Texts are written as `visible` shows them, and those that a spreadsheet
    would run as a formula get an apostrophe in front; `write_json` has them
    unchanged. Lines end with \r\n: open the stream with newline="".
    """
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in report.uploads():
        writer.writerow([_cell(row.get(column)) for column in COLUMNS])


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    would_run = value.startswith(_FORMULA) and not _NAME.fullmatch(value)
    return visible(f"'{value}" if would_run else value)
