"""Small targets that tests put their mistakes into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # its stubs are another package

from janitor.settings import Settings, schema

# Of the password "sesame"; the cost is the lowest that there is.
HASH = "$2b$04$HSpLp6Zewgs175oXklQHd.SEY6j4IqYrbFAxlKRhnTqn7ObE..2kC"

Load = Callable[..., Settings]
Refuse = Callable[..., str]

LAKE = """\
targets:
  - name: lake
    provider: s3
    region: eu-west-1
    buckets: [uploads]
"""
ARCHIVE = """\
targets:
  - name: archive
    provider: glacier
    region: us-west-2
    vaults: [examplevault]
"""
MEDIA = """\
targets:
  - name: media
    provider: qingstor
    zone: pek3b
    buckets: [your-bucket-name]
    access_key_id: AKID
    secret_access_key: SECRET
"""


def errors_by_schema(document: Any) -> list[str]:
    """Say what an editor would mark in a document."""
    validator = jsonschema.Draft202012Validator(schema())
    return [str(error.message) for error in validator.iter_errors(document)]


def with_http(keys: str) -> str:
    """Write a config with keys of http."""
    return f"version: 1\nhttp: {{{keys}}}\n{LAKE}"
