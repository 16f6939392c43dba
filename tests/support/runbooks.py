"""What a runbook must have, and whether the commands in it exist."""

from __future__ import annotations

import re
from pathlib import Path

import click

from janitor.cli import janitor
from support.rules import alerts, fenced

SECTIONS = ("Meaning", "Impact", "Diagnosis", "Remedy")


def missing_pages(folder: Path) -> list[str]:
    """Give the alerts that have no page which is called after them."""
    return [
        name
        for name in alerts()
        if not (page := folder / f"{name}.md").is_file()
        or not page.read_text("utf-8").startswith(f"# {name}\n")
    ]


def missing_sections(page: Path) -> list[str]:
    """Tell what a page lacks: a section, a command to run, a query to ask."""
    text = page.read_text("utf-8")
    found = re.findall(r"^## (\w+)\n\n(?=\S)", text, flags=re.MULTILINE)
    lacks = [section for section in SECTIONS if section not in found]
    lacks += [] if any("janitor" in block for block in fenced(text, "sh")) else ["a command"]
    lacks += [] if fenced(text, "promql") else ["a query"]
    return [f"{page.name}: {lack}" for lack in lacks]


def unknown_commands(block: str) -> list[str]:
    """Give the command lines of ours in a block that no janitor understands."""
    lines = [line.strip() for line in block.splitlines()]
    return [line for line in lines if line.startswith("janitor ") and not _understood(line)]


def _understood(line: str) -> bool:
    words = line.split()[1:]
    command: click.Command = janitor
    while isinstance(command, click.Group):
        if not words or words[0] not in command.commands:
            return False
        command = command.commands[words.pop(0)]
    options = {word for parameter in command.params for word in parameter.opts}
    return all(word in options for word in words if word.startswith("-"))
