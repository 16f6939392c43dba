from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from benchmarks import docs, plot, stub, table
from benchmarks.rows import ROWS

KNOWN = docs.measured()


@pytest.mark.parametrize("path", [docs.PAGE, docs.README], ids=lambda path: path.name)
def test_a_page_tells_what_was_measured(path: Path) -> None:
    """`PYTHONPATH=tests python -m benchmarks docs` writes both anew."""
    page = path.read_text(encoding="utf-8")

    assert docs.written(page, KNOWN) == page
    assert "<!-- benchmarks: targets -->" in page


@pytest.mark.parametrize("name", docs.SECTIONS)
def test_the_page_has_every_section(name: str) -> None:
    """One that is missing would never be missed."""
    assert f"<!-- benchmarks: {name} -->" in docs.PAGE.read_text(encoding="utf-8")


def test_the_graph_shows_what_was_measured() -> None:
    """It is drawn from the same figures."""
    assert plot.drawn(KNOWN["growth"]) == docs.GRAPH.read_text(encoding="utf-8")


def test_the_graph_is_well_formed() -> None:
    """A browser would show nothing else."""
    svg = ET.fromstring(docs.GRAPH.read_text(encoding="utf-8"))  # noqa: S314  # our own
    circles = svg.findall(".//{http://www.w3.org/2000/svg}circle")

    assert len(circles) > 20


def test_tables_fit_a_terminal() -> None:
    """80 columns, as everything that we print."""
    text = table.rendered(KNOWN["rows"])

    assert max(len(line) for line in text.splitlines()) <= table.WIDTH


def test_every_client_did_its_work() -> None:
    """A row may wait for its measurement, but a figure stands for the whole work."""
    names = [row["name"] for row in KNOWN["rows"]]

    assert [row.name for row in ROWS if row.name in names] == names
    assert [] == re.findall("NOT DONE.*", table.rendered(KNOWN["rows"]))


def test_the_stub_is_asked_for_what_it_knows() -> None:
    """Each field of a world is a setting of its sources."""
    source = "".join(one.read_text(encoding="utf-8") for one in stub.SOURCES)
    settings = set(re.findall(r'\{"(\w+)", &world\.', source))

    assert settings == set(stub.World.__dataclass_fields__)
