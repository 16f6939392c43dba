"""Independent programs of the virtual environment, run to their end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def run_tool(
    name: str, *arguments: str, env: Mapping[str, str], stdin: bytes = b"", check: bool = True
) -> str:
    """Run a program of the virtual environment and return what it printed."""
    program = Path(sys.executable).with_name(name)
    done = subprocess.run(  # noqa: S603  # our own arguments
        [program, *arguments],
        env={"PATH": os.environ["PATH"], **env},
        input=stdin,
        capture_output=True,
        check=check,
        timeout=60,
    )
    return done.stdout.decode()
