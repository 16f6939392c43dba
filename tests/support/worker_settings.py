"""Lets a worker read settings that a test has made, and no config says.

To be imported by the worker itself. What is in the file is exactly what the
sweep has, patterns and secrets included; real configs are for `tests/backends`
and `tests/kill`.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from janitor import settings
from janitor.matching import Pattern
from janitor.settings.types import Settings
from janitor.targets import Secret


class _Pickler(pickle.Pickler):
    """Takes along what refuses to travel, and what was compiled."""

    def reducer_override(self, value: Any) -> Any:
        """Make them anew at the other end."""
        if isinstance(value, Secret):
            return Secret, (value.reveal(),)
        if isinstance(value, Pattern):
            return Pattern, (value.text, value.regex)
        return NotImplemented


def write(file: Path, made: Settings) -> None:
    """Write settings for workers."""
    told = io.BytesIO()
    _Pickler(told).dump(made)
    file.write_bytes(told.getvalue())


def read(path: Path | str, environ: Mapping[str, str]) -> Settings:
    """Read what was written, as if it were a config."""
    del environ
    found = pickle.loads(Path(path).read_bytes())  # noqa: S301  # a test wrote it
    assert isinstance(found, Settings)
    return found


def install() -> None:
    """Let this process take pickles for configs from now on."""
    vars(settings)["load"] = read
