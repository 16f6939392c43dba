from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families
from support.debian import program
from support.observe_script import EVENTS

from janitor.observe.metrics import Metrics
from janitor.observe.textfile import TextfileFailed, write_textfile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Say where the file is to be."""
    return tmp_path / "upload_janitor.prom"


@pytest.fixture
def registry() -> CollectorRegistry:
    """Fill a registry with what an eventful sweep leaves."""
    metrics = Metrics(CollectorRegistry(), "enforce")
    for event in EVENTS:
        metrics(event)
    return metrics.registry


def one(value: float) -> CollectorRegistry:
    """Make a registry with one gauge."""
    registry = CollectorRegistry()
    Gauge("thing", "A thing.", ("shard",), registry=registry).labels("own").set(value)
    return registry


def test_the_file_says_what_a_scrape_would(path: Path, registry: CollectorRegistry) -> None:
    """Every family is there once, with its help and type, and no sample has a timestamp."""
    write_textfile(str(path), registry, {})
    text = path.read_text(encoding="utf-8")
    families = list(text_string_to_metric_families(text))
    samples = {(s.name, frozenset(s.labels.items())) for f in families for s in f.samples}
    expected = {
        (s.name, frozenset(s.labels.items())) for m in registry.collect() for s in m.samples
    }

    assert expected == samples
    assert len(families) == text.count("# HELP ") == text.count("# TYPE ")
    assert [None] == list({s.timestamp for f in families for s in f.samples})


def test_promtool_has_nothing_to_say(path: Path, registry: CollectorRegistry) -> None:
    """The names, units and helps are as Prometheus wants them."""
    write_textfile(str(path), registry, {"shard": "a"})
    done = subprocess.run(  # noqa: S603  # a program of Debian's
        [program("prometheus", "promtool"), "check", "metrics"],
        input=path.read_text(encoding="utf-8"),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


def test_the_labels_of_the_grouping_tell_two_files_apart(
    path: Path, registry: CollectorRegistry
) -> None:
    """Two shards of one machine must not say the same series, which node_exporter refuses."""
    write_textfile(str(path), registry, {"shard": "a"})
    families = text_string_to_metric_families(path.read_text(encoding="utf-8"))

    assert {"a"} == {sample.labels.get("shard") for f in families for sample in f.samples}


def test_no_label_of_the_grouping_hides_one_of_ours(path: Path) -> None:
    """What a series is about stays."""
    write_textfile(str(path), one(1), {"shard": "grouping", "zone": "z"})

    assert 'thing{shard="own",zone="z"} 1.0' in path.read_text(encoding="utf-8")


def test_histograms_keep_their_kind(path: Path) -> None:
    """Buckets, sum and count stay one family."""
    registry = CollectorRegistry()
    Histogram("thing", "A thing.", buckets=(1,), registry=registry).observe(0.5)
    write_textfile(str(path), registry, {"shard": "a"})
    text = path.read_text(encoding="utf-8")

    assert "# TYPE thing histogram" in text
    assert 'thing_bucket{le="1.0",shard="a"} 1.0' in text


def test_anybody_may_read_it_and_nothing_else_is_left(path: Path) -> None:
    """node_exporter is another user; what it may not read it would report for ever."""
    before = os.umask(0o077)
    write_textfile(str(path), one(1), {})
    os.umask(before)

    assert 0o644 == stat.S_IMODE(path.stat().st_mode)
    assert [path] == list(path.parent.iterdir())


@pytest.mark.parametrize("step", ["fsync", "fchmod"])
def test_a_write_that_fails_in_the_middle_leaves_the_old_file(
    path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Neither half a file nor a left-over beside it, and the error says where and why."""
    write_textfile(str(path), one(1), {})
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(TextfileFailed) as failed:
        write_textfile(str(path), one(2), {})

    assert f"the metrics cannot be written to {path}: No space left on device" == str(failed.value)
    assert (before, [path]) == (path.read_bytes(), list(path.parent.iterdir()))


def test_being_killed_before_the_rename_leaves_the_old_file(path: Path) -> None:
    """What is left beside it has no name that node_exporter reads."""
    write_textfile(str(path), one(1), {})
    before = path.read_bytes()
    program_text = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from prometheus_client import CollectorRegistry\n"
        "from janitor.observe.textfile import write_textfile\n"
        "Path.replace = lambda *_: os._exit(9)\n"
        "write_textfile(sys.argv[1], CollectorRegistry(), {})\n"
    )
    done = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-c", program_text, path],
        check=False,
        timeout=30,
    )

    assert (9, before) == (done.returncode, path.read_bytes())
    assert [path.name] == [each.name for each in path.parent.glob("*.prom")]
    assert 2 == len(list(path.parent.iterdir()))


def test_a_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    """It is not made: node_exporter would not look there."""
    path = tmp_path / "nowhere" / "j.prom"
    with pytest.raises(TextfileFailed, match=r"nowhere/j\.prom: No such file or directory"):
        write_textfile(str(path), one(1), {})
