"""Reads what a process logs, line by line."""

from __future__ import annotations

import subprocess


def wait_for_line(process: subprocess.Popen[str], word: str) -> str:
    """Give the next line on standard error that holds a word; fail when the process ends first."""
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        if f'"{word}"' in line:
            return line
    msg = f"the process ended without saying {word}:\n{''.join(seen)}"
    raise AssertionError(msg)
