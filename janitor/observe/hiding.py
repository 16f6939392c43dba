"""Keeps the secrets of a config out of whatever is logged."""

from __future__ import annotations

from dataclasses import fields, is_dataclass

from janitor.observe.redaction import redact, redact_url
from janitor.targets import Secret


def hide_secrets(value: object) -> None:
    """Make every secret in the settings unprintable for the logs, wherever it turns up."""
    if isinstance(value, Secret):
        redact(value.reveal())
    elif isinstance(value, str):
        redact_url(value)
    elif isinstance(value, tuple):
        for item in value:
            hide_secrets(item)
    elif is_dataclass(value):
        for field_ in fields(value):
            hide_secrets(getattr(value, field_.name))
