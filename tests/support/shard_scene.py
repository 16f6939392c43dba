"""Many buckets, a ledger on a server, and janitors that share them, each in its own process."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from janitor import settings
from janitor.ledger import check, open_ledger
from janitor.ledger.types import OpenIntent, Spent
from janitor.observe.events import SweepFinished
from janitor.sandbox import Sandbox
from janitor.sandbox.clock import SandboxClock
from janitor.sandbox.wire import Call
from janitor.wiring import Sweeper
from support.child_handle import Child
from support.child_sweep import HASTE, Orders
from support.harness import HARNESSES, days, hours

S3 = HARNESSES["s3"]
BUCKETS = tuple(f"bucket-{number:02}" for number in range(10))
EACH = 2
_CONFIG = """\
version: 1
mode: enforce
ledger: {url}
policy: {{stale_after: 7d, idle_for: 24h, grace: 24h}}
execution: {execution}
limits: {limits}
targets:
  - name: lake
    provider: s3
    endpoint_url: {sandbox.s3_url}
    region: us-east-1
    addressing: path
    buckets: ["bucket-*"]
    access_key_id: {sandbox.access_key_id}
    secret_access_key: {sandbox.secret_access_key}
"""


@dataclass
class ShardScene:
    """A sandbox with buckets, each of two stale uploads, a config and a ledger on a server."""

    sandbox: Sandbox
    folder: Path
    url: str
    uploads: dict[str, str] = field(default_factory=dict)
    unannounced: list[str] = field(default_factory=list)

    @property
    def config(self) -> Path:
        """The config of all janitors."""
        return self.folder / "janitor.yaml"

    def configure(self, *, limits: str = "{}", execution: str = "{concurrency: 4}") -> None:
        """Write the config."""
        told = {"sandbox": self.sandbox, "url": self.url, "limits": limits, "execution": execution}
        self.config.write_text(_CONFIG.format(**told), "utf-8")

    def populate(self) -> None:
        """Begin the uploads, long ago."""
        for bucket in BUCKETS:
            S3.add_container(self.sandbox, bucket)
            for number in range(EACH):
                name = S3.add(self.sandbox, bucket, f"stale-{number}", parts=[days(8)])
                self.uploads[name] = bucket
        self.sandbox.on("s3.abort", self._witness)

    def child(self, *arguments: str, name: str = "", **orders: Any) -> Child:
        """Start a janitor; it writes to a folder of its own."""
        folder = self.folder / (name or "-".join(arguments).replace("/", "-of-"))
        folder.mkdir(exist_ok=True)
        ahead = self.sandbox.clock.now() - datetime.now(UTC)
        return Child(Orders(self.config, folder, ahead=ahead, arguments=arguments, **orders))

    def sweep(self, *shards: str) -> list[int]:
        """Let shards sweep at once, to their ends; give their exit codes."""
        children = [self.child("--shard", shard) for shard in shards]
        codes = []
        for child in children:
            with child:
                codes.append(child.end())
        return codes

    def sweep_here(self) -> SweepFinished:
        """Sweep everything in this process."""
        loaded = settings.load(str(self.config), {})
        return Sweeper(loaded, now=self.sandbox.clock.now, patience=HASTE).sweep()

    def mark(self) -> None:
        """Let one janitor see everything, and a day go by."""
        assert 0 == self.sweep_here().exit_code
        self.pass_a_day()

    def pass_a_day(self) -> None:
        """Let a day go by."""
        self.sandbox.clock.move(hours(25))

    def report(self, *arguments: str) -> dict[str, Any]:
        """Give the report of the last janitor with these arguments."""
        folder = self.folder / "-".join(arguments).replace("/", "-of-")
        found: dict[str, Any] = json.loads((folder / "report.json").read_text("utf-8"))
        return found

    def listed(self, *shards: str) -> Counter[str]:
        """Count how often each bucket is in the shards' reports."""
        reports = [self.report("--shard", shard) for shard in shards]
        return Counter(row["container"] for report in reports for row in report["targets"])

    def aborted(self) -> Counter[str]:
        """Count, by upload, the aborts that the sandbox carried out."""
        return Counter(
            entry.upload_id or ""
            for entry in self.sandbox.journal.entries("s3.abort")
            if entry.status == 204  # HTTP
        )

    def open_intents(self) -> list[OpenIntent]:
        """Give the intents of which nobody knows what became."""
        with open_ledger(self.url, read_only=True) as ledger:
            return ledger.open_intents()

    def spent(self) -> Spent:
        """Give what the ledger counts for the last day."""
        now = self.sandbox.clock.now()
        with open_ledger(self.url, read_only=True) as ledger:
            return ledger.spent_since(now - hours(24), now)

    def assert_nothing_is_lost(self) -> None:
        """Nothing was aborted twice or off the record, and the record is sound."""
        assert set() == set(self.aborted()) - set(self.uploads)
        assert dict.fromkeys(self.aborted(), 1) == dict(self.aborted())
        assert [] == self.unannounced
        assert [] == check(self.url)
        assert [] == self.sandbox.accusations

    def _witness(self, call: Call) -> None:
        """Note an abort that arrives before its intent is on the disk."""
        announced = {intent.upload_id for intent in self.open_intents()}
        if call.upload_id not in announced:
            self.unannounced.append(str(call.upload_id))


@contextmanager
def shard_scene(folder: Path, url: str) -> Iterator[ShardScene]:
    """Serve a sandbox, a day behind, with buckets full of stale uploads."""
    clock = SandboxClock(datetime.now(UTC) - timedelta(hours=25))
    with Sandbox.start(clock=clock) as sandbox:
        # The sandbox's time runs beside the time that requests are signed at.
        sandbox.options.check_skew = False
        made = ShardScene(sandbox, folder, url)
        made.configure()
        made.populate()
        yield made
