"""What all sections of a config file have in common."""

from __future__ import annotations

import os
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

# Nobody else shall have a say in how a config is read; and to look for plugins in all
# that is installed takes as long as to make these models.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


class Section(BaseModel):
    """A mapping with known keys only; None stands for a key that is not there."""

    # An error of pydantic repeats what it was given, and that may be a secret.
    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        hide_input_in_errors=True,
        # Whole files are read, so only the outermost model is ever asked for what it was made of.
        defer_build=True,
    )

    def said(self) -> dict[str, Any]:
        """Give the keys that the file has, with their values."""
        return {name: getattr(self, name) for name in self.model_fields_set}


def optional(description: str, default: object = None, **schema: Any) -> Any:
    """Declare a key that may be left out; `default` is what the schema tells of it."""
    extra = schema if default is None else {"default": default, **schema}
    return Field(default=None, description=description, json_schema_extra=extra or None)


def required(description: str, **schema: Any) -> Any:
    """Declare a key that must be there."""
    return Field(description=description, json_schema_extra=schema or None)
