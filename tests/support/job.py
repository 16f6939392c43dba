"""A job as a CronJob runs it: a sandbox with a small mess, a config, and the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from janitor.commands.sandbox import config_for
from janitor.sandbox import Sandbox
from support.harness import HARNESSES, days

JANITOR = Path(sys.executable).with_name("janitor")
CONTAINER = "container"


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it logged."""

    code: int
    stdout: str
    stderr: str
    lines: list[dict[str, Any]]

    def told(self, event: str) -> list[dict[str, Any]]:
        """Give the log lines with this name."""
        return [line for line in self.lines if line["event"] == event]


@dataclass(frozen=True)
class Job:
    """A config, and the command line that is run with it."""

    sandbox: Sandbox
    config: Path

    def add(self, text: str) -> None:
        """Add to the config."""
        with self.config.open("a", encoding="utf-8") as file:
            file.write(text)

    def edit(self, old: str, new: str) -> None:
        """Change the config."""
        text = self.config.read_text(encoding="utf-8")

        assert old in text
        self.config.write_text(text.replace(old, new), encoding="utf-8")

    def command(self, verb: str, *arguments: str) -> list[str]:
        """Give the command line."""
        return [str(JANITOR), verb, "-c", str(self.config), *arguments]

    def run(self, verb: str = "sweep", *arguments: str, **env: str) -> Done:
        """Run a verb to its end."""
        done = subprocess.run(  # noqa: S603  # our own program
            self.command(verb, *arguments),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={"PATH": os.environ["PATH"], **env},
        )
        lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
        return Done(done.returncode, done.stdout, done.stderr, lines)

    def left(self) -> int:
        """Count the uploads that are still there."""
        stores = [harness.store(self.sandbox) for harness in HARNESSES.values()]
        return sum(len(store.uploads(CONTAINER)) for store in stores)

    def with_ledger(self) -> str:
        """Give it a memory, with which a first sweep aborts nothing; give its URL."""
        url = f"sqlite:///{self.config.parent}/janitor.db"
        self.config.write_text(config_for(self.sandbox, url), encoding="utf-8")
        return url


@contextmanager
def job_in(folder: Path) -> Iterator[Job]:
    """Serve two stale uploads and a young one on each provider, and accept no accusation."""
    with Sandbox.start() as sandbox:
        for harness in HARNESSES.values():
            harness.add_container(sandbox, CONTAINER)
            for key, age in (("old", 9), ("older", 10), ("young", 2)):
                harness.add(sandbox, CONTAINER, key, age=days(age), parts=[days(8)])
        config = folder / "janitor.yaml"
        config.write_text(config_for(sandbox), encoding="utf-8")
        yield Job(sandbox, config)

        assert [] == sandbox.accusations
