"""Writes a report for programs: one JSON document, or one JSON object per line.

Both are pure ASCII, so that any key survives, also one that is not Unicode.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TextIO

from janitor.report.rows import Report


def write_json(report: Report, stream: TextIO) -> None:
    """Write the one document that `schema.json` describes, a row per line, streaming."""
    stream.write(json.dumps(report.sweep)[:-1])
    _write_rows("targets", map(json.dumps, report.targets), stream)
    _write_rows("uploads", report.uploads_as_json(), stream)
    stream.write("}\n")


def write_jsonl(report: Report, stream: TextIO) -> None:
    """Write one object per line, each with its `type`: target, upload or sweep.

    The sweep comes last: who has read it knows that nothing was cut off.
    """
    for target in report.targets:
        _write_line("target", target, stream)
    stream.writelines('{"type": "upload", ' + line[1:] + "\n" for line in report.uploads_as_json())
    _write_line("sweep", report.sweep, stream)


def _write_rows(name: str, rows: Iterable[str], stream: TextIO) -> None:
    stream.write(f',\n "{name}": [')
    before, after = "\n  ", "]"
    for row in rows:
        stream.write(before + row)
        before, after = ",\n  ", "\n ]"
    stream.write(after)


def _write_line(kind: str, row: Mapping[str, object], stream: TextIO) -> None:
    stream.write(json.dumps({"type": kind, **row}) + "\n")
