"""Keeps what was measured in one file, and writes it into the docs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

from benchmarks import growth, paper, plot, table
from benchmarks.rows import ROWS
from benchmarks.table import Json

ROOT = Path(__file__).parents[2]
MEASURED = Path(__file__).with_name("measured.json")
PAGE = ROOT / "docs" / "performance.md"
README = ROOT / "README.md"
GRAPH = ROOT / "docs" / "growth.svg"
# Who does all that a sweep does by default.
OURS = "janitor"
SECTIONS = ("machine", "sides", "targets", "growth", "paper")


def measured() -> Json:
    """Read what was measured last; nothing at first."""
    if not MEASURED.exists():
        return {"rows": [], "growth": {}}
    found: Json = json.loads(MEASURED.read_text(encoding="utf-8"))
    return found


def keep_rows(rows: Sequence[Json]) -> None:
    """Put these rows in the place of older ones of the same names."""
    known = measured()
    by_name = {row["name"]: row for row in [*known["rows"], *rows]}
    order = [row.name for row in ROWS if row.name in by_name]
    _keep({**known, "rows": [by_name[name] for name in order]})


def keep_growth(grown: Mapping[str, Sequence[Json]]) -> None:
    """Put these curves in the place of older ones."""
    known = measured()
    _keep({**known, "growth": {**known["growth"], **grown}})


def _keep(what: Json) -> None:
    MEASURED.write_text(json.dumps(what, indent=1) + "\n", encoding="utf-8")


def written(page: str, known: Json) -> str:
    """Give a page with every generated section that it has as it must be."""
    for name in SECTIONS:
        begin, end = f"<!-- benchmarks: {name} -->\n", "<!-- end -->"
        pattern = re.compile(f"({re.escape(begin)}).*?({end})", re.DOTALL)
        text = section(name, known)
        page = pattern.sub(lambda found, text=text: f"{found[1]}{text}\n{found[2]}", page)  # type: ignore[misc]
    return page


def section(name: str, known: Json) -> str:
    """Give the text of one generated section."""
    match name:
        case "machine":
            return _machines(known["rows"])
        case "sides":
            return _fenced(table.rendered(known["rows"]))
        case "targets":
            return _targets(known)
        case "growth":
            return _fenced(growth.rendered(known["growth"]))
        case _:
            return paper.rendered(known)


def _machines(rows: Sequence[Json]) -> str:
    loads = [row["load"] for row in rows]
    names = "; ".join(sorted({row["machine"] for row in rows}))
    return f"Measured on: {names}; load {min(loads)} to {max(loads)}." if loads else "Not yet."


def _fenced(text: str) -> str:
    return f"```text\n{text}\n```"


def _targets(known: Json) -> str:
    lines = ["| work and client | at least | measured |", "| --- | ---: | ---: |"]
    for what, wanted, ratio in table.targets(known["rows"]):
        lines.append(f"| {what} | {wanted:g} times | {table.times(ratio)} |")
    return "\n".join([*lines, *_other_targets(known["rows"])])


def _other_targets(rows: Sequence[Json]) -> Iterator[str]:
    """Compare memory with rclone's at 200,000 uploads, and say how long the start takes."""
    found = {(row["name"], client["name"]): client for row in rows for client in row["clients"]}
    theirs = found.get(("list-200k-20ms", "rclone"))
    ours = found.get(("list-1m-0ms", OURS))
    if theirs and ours:
        memory = f"{table.middle(ours, 'memory'):.0f} MiB"
        most = f"under rclone's at 200,000: {table.middle(theirs, 'memory'):.0f} MiB"
        yield f"| memory at 1,000,000 uploads | {most} | {memory} |"
    starts = [table.middle(client, "start") for (_, name), client in found.items() if name == OURS]
    if starts:
        yield f"| process start to first request | under 0.6 s | {median(starts):.2f} s |"


def write() -> None:
    """Write the page and the graph anew."""
    known = measured()
    for page in (PAGE, README):
        page.write_text(written(page.read_text(encoding="utf-8"), known), encoding="utf-8")
    GRAPH.write_text(plot.drawn(known["growth"]), encoding="utf-8")
