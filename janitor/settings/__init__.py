"""YAML to frozen settings: every problem at once, each with its place and remedy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from janitor.settings.problems import BadConfig, Problem
from janitor.settings.types import Settings

__all__ = ["BadConfig", "Problem", "Settings", "example", "load", "minimal", "schema", "show"]

# What is imported inside costs as much as all the rest of the janitor's start,
# and who wants only the types shall not pay for it.


def load(path: Path | str, environ: Mapping[str, str]) -> Settings:
    """Read settings from a file (`-`: standard input), with variables from `environ`.

    Raises `BadConfig`, a `ConfigError`, with all the problems that were found.
    """
    from janitor.settings.loading import load_file  # noqa: PLC0415  # see above

    return load_file(path, environ)


def schema() -> dict[str, Any]:
    """Give the JSON Schema (draft 2020-12) of config files, as in `config/schema.json`."""
    from janitor.settings.json_schema import make_schema  # noqa: PLC0415  # see above

    return make_schema()


def show(settings: Settings) -> str:
    """Write effective settings as YAML: with every default, and without any secret."""
    from janitor.settings.showing import write_settings  # noqa: PLC0415  # see above

    return write_settings(settings)


def example() -> str:
    """Give the commented example, as in `config/janitor.example.yaml`."""
    return _shipped("janitor.example.yaml")


def minimal() -> str:
    """Give the smallest config that is of use, as in `config/minimal.yaml`."""
    return _shipped("minimal.yaml")


def _shipped(name: str) -> str:
    return (Path(__file__).parent / "data" / name).read_text(encoding="utf-8")
