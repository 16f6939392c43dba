"""What a plain scalar means in YAML 1.2: the core schema, and nothing of YAML 1.1."""

from __future__ import annotations

import re

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL_OR_HEX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_MOST_DIGITS = 1000

Scalar = str | int | float | bool | None


def resolve(text: str) -> Scalar:
    """Read an unquoted scalar: `no` and `off` are text, `1_000` and `1:30` too."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    return _number(text)


def _number(text: str) -> str | int | float:
    if len(text) > _MOST_DIGITS:
        # Python refuses to convert thousands of digits; infinite is as wrong
        # for every field, and still a number.
        return float("inf") if _INT.fullmatch(text) or _FLOAT.fullmatch(text) else text
    if _INT.fullmatch(text):
        return int(text)
    if _OCTAL_OR_HEX.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    # Python writes inf and nan without the dot.
    return float(text.replace(".", "")) if _NOT_FINITE.fullmatch(text) else text
