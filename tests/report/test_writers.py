from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any, TextIO

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from support.report_samples import (
    DAY,
    HOSTILE,
    LAKE,
    MEDIA,
    container_of,
    done,
    events_of,
    kept,
    troubled_sweep,
    upload_of,
    vendor_sweep,
)

from janitor.model import Outcome, Reason, TargetOutcome, Upload, Verdict
from janitor.observe.events import Event
from janitor.report.as_csv import write_csv
from janitor.report.as_json import write_json, write_jsonl
from janitor.report.as_markdown import code, write_markdown
from janitor.report.columns import Column, fit, shorten
from janitor.report.excerpt import excerpts
from janitor.report.record import Recorder
from janitor.report.rows import ContainerRow, Report, SweepRow, UploadRow
from janitor.report.table import print_table
from janitor.report.words import DONE, ENDED, KEPT_BECAUSE

GOLDEN = Path(__file__).parent / "golden"
SCHEMA = json.loads(files("janitor.report").joinpath("schema.json").read_text("utf-8"))
SWEEPS: dict[str, Callable[[], list[Event]]] = {"vendor": vendor_sweep, "troubled": troubled_sweep}

any_text = st.text(st.characters(exclude_categories=()), min_size=1)


@contextmanager
def report_of(events: Iterable[Event]) -> Iterator[Report]:
    """Record a sweep and give its report."""
    with Recorder() as recorder:
        for event in events:
            recorder(event)
        yield recorder.report()


def written(write: Callable[[Report, TextIO], None], events: Iterable[Event]) -> str:
    """Give what a writer makes of a sweep."""
    stream = io.StringIO(newline="")
    with report_of(events) as report:
        write(report, stream)
    return stream.getvalue()


def printed(events: Iterable[Event], width: int, limit: int = 6, **options: Any) -> str:
    """Give what a person sees of a sweep."""
    stream = io.StringIO()
    with report_of(events) as report:
        print_table(report, Console(file=stream, width=width, **options), limit)
    return stream.getvalue()


WRITERS: dict[str, Callable[[list[Event]], str]] = {
    "json": lambda events: written(write_json, events),
    "jsonl": lambda events: written(write_jsonl, events),
    "csv": lambda events: written(write_csv, events),
    "md": lambda events: written(lambda report, out: write_markdown(report, out, 6), events),
    "80.txt": lambda events: printed(events, 80),
    "120.txt": lambda events: printed(events, 120),
}


@pytest.mark.parametrize("ending", WRITERS)
@pytest.mark.parametrize("sweep", SWEEPS)
def test_a_report_is_written_to_the_letter(sweep: str, ending: str) -> None:
    """What the golden file shows is what programs and people get."""
    golden = GOLDEN / f"{sweep}.{ending}"
    with golden.open(encoding="utf-8", newline="") as file:
        expected = file.read()

    assert expected == WRITERS[ending](SWEEPS[sweep]())


@pytest.mark.parametrize("sweep", SWEEPS)
def test_the_document_keeps_to_its_schema(sweep: str) -> None:
    """Whoever reads the schema can read the document."""
    document = json.loads(written(write_json, SWEEPS[sweep]()))
    validator = jsonschema.Draft202012Validator(SCHEMA)

    assert [] == list(validator.iter_errors(document))


def test_the_schema_forgets_nothing() -> None:
    """A new field, outcome or reason without a line in the schema fails here, by name."""
    upload, container = SCHEMA["$defs"]["upload"], SCHEMA["$defs"]["container"]
    optional = {"initiated_text", "uploads_lost"}
    sweep = set(SCHEMA["properties"]) - {"targets", "uploads"}

    assert list(UploadRow.__annotations__) == list(upload["properties"])
    assert list(ContainerRow.__annotations__) == list(container["properties"])
    assert set(SweepRow.__annotations__) == sweep
    assert set(upload["properties"]) - optional == set(upload["required"])
    assert set(container["properties"]) == set(container["required"])
    assert set(SCHEMA["properties"]) - optional == set(SCHEMA["required"])
    assert [*Outcome, None] == upload["properties"]["outcome"]["enum"]
    assert list(Verdict) == upload["properties"]["verdict"]["enum"]
    assert list(TargetOutcome) == container["properties"]["outcome"]["enum"]
    assert list(Reason) == SCHEMA["$defs"]["reason"]["enum"]


def test_the_schema_is_one() -> None:
    """It is not only JSON."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_an_empty_sweep_is_a_whole_document() -> None:
    """Nothing found is not nothing said."""
    document = json.loads(written(write_json, events_of("report", [], [], 0)))

    assert ([], [], True) == (document["targets"], document["uploads"], document["complete"])


def test_an_empty_sweep_is_said_in_words() -> None:
    """The table has no empty sections."""
    expected = (
        "Report of 2026-11-20 05:00:00 UTC: nothing was changed.\n"
        "0 uploads in 0 containers, 0 stale (0 B), 0 would be aborted.\n"
    )
    text = printed(events_of("report", [], [], 0), 80)

    assert expected == text


def test_jsonl_ends_with_the_sweep() -> None:
    """Who has read the last line knows that nothing was cut off."""
    lines = [json.loads(line) for line in written(write_jsonl, vendor_sweep()).splitlines()]

    assert ["target", "upload", "upload", "upload", "sweep"] == [line["type"] for line in lines]


@given(any_text)
@example(HOSTILE)
@example('",\r\n=1+1')
def test_every_format_survives_any_key(key: str) -> None:
    """Each row stays one row, JSON gives the key back, and all is fit for UTF-8."""
    events = _sweep_of(upload_of(LAKE, key, "id", 9 * DAY))
    document = json.loads(written(write_json, events))
    rows = list(csv.reader(io.StringIO(written(write_csv, events), newline="")))
    table = printed(events, 80)
    markdown = written(write_markdown, events)
    table.encode()
    markdown.encode()

    assert key == document["uploads"][0]["key"]
    assert [21, 21] == [len(row) for row in rows]
    assert max(map(cell_len, table.splitlines())) <= 80
    assert 14 == len(table.splitlines())
    assert 22 == len(markdown.splitlines())


@pytest.mark.parametrize("sign", "=+-@")
def test_a_spreadsheet_runs_no_key(sign: str) -> None:
    """What would be a formula is marked as a text."""
    text = written(write_csv, _sweep_of(upload_of(LAKE, f"{sign}cmd|'/C calc'!A0", "id", 9 * DAY)))
    row = next(csv.DictReader(io.StringIO(text, newline="")))

    assert f"'{sign}cmd|'/C calc'!A0" == row["key"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("a", "`a`"),
        ("a|b", r"`a\|b`"),
        ("a\\|b", r"`a\\\|b`"),
        ("a`b", "``a`b``"),
        ("a``b`c", "```a``b`c```"),
        ("`a", "`` `a ``"),
        (" a", "`  a `"),
        ("@you <b>#1</b>\n", r"`@you <b>#1</b>\n`"),
    ],
)
def test_nothing_in_a_key_is_markup(text: str, expected: str) -> None:
    """Not a pipe, a backtick, a tag, a mention or a new line."""
    assert expected == code(text)


def test_markup_of_the_table_library_is_not_read() -> None:
    """A key in brackets keeps its brackets, and names no emoji."""
    events = _sweep_of(upload_of(LAKE, "[red]x[/red]:smile:[link=a]", "id", 9 * DAY))

    assert "[red]x[/red]:smile:[link=a]" in printed(events, 120)


def test_colours_change_no_word() -> None:
    """On a terminal the same is said, with colours on top."""
    plain = printed(troubled_sweep(), 80)
    coloured = printed(
        troubled_sweep(), 80, force_terminal=True, color_system="standard", no_color=False
    )

    assert plain == re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert "\x1b[1;31mfailed" in coloured


def test_a_terminal_without_unicode_gets_ascii_lines() -> None:
    """Rules and ellipses fall back, and nothing fails on a stream that knows ASCII only."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", errors="strict", newline="\n")
    with report_of(_sweep_of(upload_of(LAKE, "k" * 100, "id", 9 * DAY))) as report:
        print_table(report, Console(file=stream, width=80))
    stream.flush()

    assert "lake/ana...oduction  kkk" in raw.getvalue().decode("ascii")


def test_a_narrow_terminal_keeps_every_number() -> None:
    """Below 72 columns the terminal wraps; we never cut."""
    text = printed(troubled_sweep(), 30)

    assert "12,352     36       31  12,317    77.7 GiB  74.7 GiB" in text


@pytest.mark.parametrize("width", [72, 80, 100, 120, 200])
@pytest.mark.parametrize("sweep", SWEEPS)
def test_no_line_is_wider_than_the_terminal(sweep: str, width: int) -> None:
    """Nothing wraps into nonsense."""
    assert max(map(cell_len, printed(SWEEPS[sweep](), width).splitlines())) <= width


def test_the_lost_are_counted_where_people_look() -> None:
    """A report that lacks something says so in its first lines."""
    stream = io.StringIO()
    with report_of(vendor_sweep()) as report:
        sweep: SweepRow = {**report.sweep, "uploads_lost": 1}
        print_table(replace(report, sweep=sweep), Console(file=stream, width=80))

    assert "1 upload could not be recorded: missing below." in stream.getvalue()


def test_a_limit_of_nothing_shows_nothing_but_the_count() -> None:
    """0 is nothing, not unlimited."""
    text = printed(vendor_sweep(), 80, limit=0)

    assert text.endswith("(nothing was changed)\n… and 2 more (-o json shows all)\n")
    assert "archive 1" not in text


def test_failures_come_first_then_the_oldest_then_the_undated() -> None:
    """The excerpt of a great many is that of all of them."""
    ages = [(number * 7919) % 5000 + 1 for number in range(5000)]
    uploads = [upload_of(LAKE, "k", str(age), age * DAY / 1000) for age in ages]
    results = [done(upload, Outcome.ABORTED, 1) for upload in uploads]
    results.append(done(upload_of(MEDIA, "k", "failed", DAY), Outcome.FAILED, 1))
    results.append(kept(upload_of(MEDIA, "k", "undated", None), Reason.NO_DATE))
    results.append(kept(upload_of(MEDIA, "k", "dated", DAY), Reason.ACTIVE))
    results.append(kept(upload_of(MEDIA, "k", "young", DAY), Reason.YOUNG))
    with report_of(events_of("enforce", results, [], 3)) as report:
        chosen = excerpts(report.uploads(), 3)

    assert ["failed", "5000", "4999"] == [row["upload_id"] for row in chosen.stale.rows]
    assert ["dated", "undated"] == [row["upload_id"] for row in chosen.kept.rows]
    assert (4998, 0) == (chosen.stale.more, chosen.kept.more)


@given(any_text, st.integers(8, 40))
@example("e\u0301" * 40, 9)
@example("电" * 40, 10)
@example("\u202e" * 9, 10)
def test_a_shortened_text_fits_and_cuts_no_character(text: str, room: int) -> None:
    """Whatever its characters, it is no wider than it may be."""
    assert cell_len(shorten(text, room, "…")) <= room


def test_a_text_is_shortened_in_its_middle() -> None:
    """Its beginning and its end tell most."""
    assert ("exp…uet", "exports", "e\u0301e\u0301…e\u0301e\u0301", r"a…\x00") == (
        shorten("exports/2026/part.parquet", 7, "…"),
        shorten("exports", 7, "…"),
        shorten("e\u0301" * 9, 5, "…"),
        shorten("a\x1b\x1b\x00", 7, "…"),
    )


@given(
    st.lists(st.tuples(any_text, any_text, st.integers(0, 10**15)), min_size=1, max_size=5),
    st.integers(60, 130),
)
def test_numbers_are_never_cut_and_lines_are_of_one_length(
    rows: list[tuple[str, str, int]], room: int
) -> None:
    """The texts pay for the numbers."""
    columns = [Column("A", shrinks=True), Column("B", shrinks=True), Column("N", number=True)]
    cells = [[first, second, f"{number:,}"] for first, second, number in rows]
    _, *lines = fit(columns, cells, room, "…")
    lengths = {sum(map(cell_len, line)) + 4 for line in lines}

    assert [f"{number:,}" for _, _, number in rows] == [line[2].strip() for line in lines]
    assert 1 == len(lengths)
    assert max(lengths) <= room


def test_every_word_has_a_sentence_that_fits_on_its_line() -> None:
    """A new reason or outcome without an explanation fails here, by name."""
    sentences = [*KEPT_BECAUSE.values(), *DONE.values()]

    assert set(Reason) == set(KEPT_BECAUSE)
    assert set(Outcome) == set(DONE)
    assert set(TargetOutcome) == set(ENDED)
    assert [] == [sentence for sentence in sentences if len(sentence) > 50]


def _sweep_of(upload: Upload) -> list[Event]:
    container = container_of(LAKE, TargetOutcome.COMPLETE, 1, listed=1, stale=1, aborted=1)
    return events_of("enforce", [done(upload, Outcome.ABORTED, 1)], [container], 0)
