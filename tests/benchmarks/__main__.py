"""The command line: `PYTHONPATH=tests python -m benchmarks sides`, and the like."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import docs, growth, short, stub, table
from benchmarks.ours import Version
from benchmarks.rows import ROWS
from benchmarks.sides import Row, measure, tell


def sides(options: argparse.Namespace) -> int:
    """Compare the janitor with others; end with 1 where a client did not do its work."""
    rows = []
    with stub.running() as server:
        for row in _chosen(options):
            (result,) = measure([row], server, options.rounds, _version(options))
            rows.append(table.as_json(result))
            tell(table.rendered(rows[-1:]))
            if options.keep:
                docs.keep_rows(rows)
    _show(table.machine(), table.rendered(rows))
    _write(options.json, rows)
    done = [not c["trouble"] or "wall" not in c for row in rows for c in row["clients"]]
    return 0 if all(done) else 1


def grow(options: argparse.Namespace) -> int:
    """Measure how time, memory and requests grow with the work."""
    grown = {}
    with stub.running() as server:
        for job in options.job or growth.WORDS:
            grown[job] = growth.grow(job, server, options.to, _version(options))
            if options.keep:
                docs.keep_growth(grown)
    _show(table.machine(), growth.rendered(grown))
    _write(options.json, grown)
    return 0


def check(options: argparse.Namespace) -> int:
    """Compare quickly with what was accepted; end with 1 where something became far worse."""
    with stub.running() as server:
        results, measured = short.run(server, _version(options))
    accepted = measured if options.accept else short.accepted()
    _show(table.rendered([table.as_json(result) for result in results]), "")
    _show(short.rendered(measured, accepted))
    if options.accept:
        short.accept(measured)
    worse = short.judged(measured, accepted)
    _show(*(f"WORSE: {words}" for words in worse))
    return 1 if worse else 0


def write(_options: argparse.Namespace) -> int:
    """Write what was measured last into docs/performance.md and docs/growth.svg."""
    docs.write()
    return 0


def everything(options: argparse.Namespace) -> int:
    """Measure all anew, accept it, and write it into the docs."""
    codes = [sides(options), grow(options), check(options), write(options)]
    return max(codes)


def _version(options: argparse.Namespace) -> Version:
    return Version(options.source, json.loads(options.settings))


def _chosen(options: argparse.Namespace) -> Sequence[Row]:
    """Give the wanted rows, of the wanted size and with the wanted clients."""
    rows = [row for row in ROWS if not options.row or row.name in options.row]
    if options.uploads is not None:
        rows = [_resized(row, options.uploads) for row in rows]
    if options.client:
        rows = [replace(row, clients=tuple(options.client)) for row in rows]
    return rows


def _resized(row: Row, uploads: int) -> Row:
    """Give the same work of another size, for which there are no targets."""
    world = replace(row.world, uploads=max(1, uploads // row.world.containers))
    return replace(row, world=world, targets={})


def _show(*words: str) -> None:
    for text in words:
        print(text)  # noqa: T201  # what it is for


def _write(path: Path | None, what: object) -> None:
    if path is not None:
        path.write_text(json.dumps(what, indent=1) + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    verbs = parser.add_subparsers(required=True)

    def add(name: str, does: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        words = (does.__doc__ or "").partition("\n")[0]
        made = verbs.add_parser(name, help=words, description=words)
        made.set_defaults(does=does, keep=False, accept=False)
        made.add_argument("--source", type=Path, help="a folder with another version of janitor/")
        made.add_argument("--settings", default="{}", help="more of the config, as JSON")
        return made

    one = add("sides", sides)
    one.add_argument("--row", action="append", choices=[row.name for row in ROWS])
    one.add_argument("--client", action="append", help="only these, of all that there are")
    one.add_argument("--rounds", type=int, default=3)
    one.add_argument("--uploads", type=int, help="another number of uploads, in all containers")
    one.add_argument("--json", type=Path, help="write every single run there")
    one.add_argument("--keep", action="store_true", help="for the docs")
    one = add("growth", grow)
    one.add_argument("--job", action="append", choices=list(growth.WORDS))
    one.add_argument("--to", type=int, help="the largest size, for example 10000000")
    one.add_argument("--json", type=Path, help="write all points there")
    one.add_argument("--keep", action="store_true", help="for the docs")
    one = add("short", check)
    one.add_argument("--accept", action="store_true", help="let it count from now on")
    add("docs", write)
    whole = {"row": None, "client": None, "uploads": None, "json": None, "job": None, "to": None}
    one = add("all", everything)
    one.set_defaults(keep=True, accept=True, **whole)
    one.add_argument("--rounds", type=int, default=3)
    return parser


def main() -> int:
    """Do what the command line says."""
    options = _parser().parse_args()
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        code: int = options.does(options)
    except stub.NoCompiler as reason:
        tell(f"nothing is measured: {reason}")
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
