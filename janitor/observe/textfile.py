"""Leaves metrics in a file for node_exporter's textfile collector: the old ones, or all new."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import Metric, generate_latest
from prometheus_client.registry import Collector

from janitor.errors import JanitorError

# node_exporter runs as somebody else.
_MODE = 0o644


class TextfileFailed(JanitorError):  # noqa: N818  # says what happened
    """The metrics could not be left in the file; what it said before is still there."""


def write_textfile(path: str, registry: Collector, labels: Mapping[str, str]) -> None:
    """Write all metrics, each with these labels, too; raise TextfileFailed if that fails.

    The labels tell the files of several janitors on one machine apart:
    node_exporter refuses a series that two files have. At every moment the
    file is the old one or the whole new one.
    """
    text = generate_latest(_Labelled(registry, labels))
    try:
        _replace(Path(path), text)
    except OSError as error:
        msg = f"the metrics cannot be written to {path}: {error.strerror}"
        raise TextfileFailed(msg) from error


@dataclass(frozen=True, slots=True)
class _Labelled(Collector):
    inner: Collector
    labels: Mapping[str, str]

    def collect(self) -> Iterator[Metric]:
        for metric in self.inner.collect():
            labelled = Metric(metric.name, metric.documentation, metric.type, metric.unit)
            # Ours last: no label of a grouping may hide what a series is about.
            labelled.samples = [
                sample._replace(labels={**self.labels, **sample.labels})
                for sample in metric.samples
            ]
            yield labelled


def _replace(path: Path, data: bytes) -> None:
    # node_exporter reads *.prom, so that it never sees the name of the unfinished file.
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with open(handle, "wb") as file:  # noqa: PTH123  # a handle, not a path
            file.write(data)
            os.fchmod(file.fileno(), _MODE)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
