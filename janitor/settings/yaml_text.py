"""Plain data as YAML that the loader reads back: few styles, every doubtful text in quotes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from janitor.settings.scalars import resolve

_WORD = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./:+%-]*")
# JSON writes these as they are, and YAML reads them as line breaks or not at all.
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Noted:
    """A value with a comment behind it."""

    value: Any
    note: str


def write_yaml(data: Mapping[str, Any]) -> str:
    """Write a mapping of mappings, lists and plain values; variables are escaped."""
    return "\n".join(_mapping(data, "")) + "\n"


def _mapping(mapping: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, value in mapping.items():
        yield from _entry(f"{indent}{_scalar(name)}:", value, indent)


def _entry(head: str, value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, dict) and value:
        yield head
        yield from _mapping(value, f"{indent}  ")
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        yield head
        for item in value:
            first, *rest = _mapping(item, f"{indent}    ")
            yield f"{indent}  - {first.strip()}"
            yield from rest
    elif isinstance(value, Noted):
        yield f"{head} {_scalar(value.value)}  # {value.note}"
    else:
        yield f"{head} {_scalar(value)}"


def _scalar(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_scalar(item) for item in value)}]"
    if isinstance(value, str):
        return value if _is_plain(value) else _quoted(value)
    return json.dumps(value)


def _is_plain(text: str) -> bool:
    """Whether YAML reads the bare word as this very text."""
    is_word = _WORD.fullmatch(text) is not None and not text.endswith(":")
    return is_word and isinstance(resolve(text), str)


def _quoted(text: str) -> str:
    # Loading fills in variables again.
    written = json.dumps(text.replace("${", "$${"), ensure_ascii=False)
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", written)
