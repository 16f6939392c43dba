"""The janitor as a client: its config, and the ledger that an earlier run left."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks import cluster
from benchmarks.measure import run
from benchmarks.peers import Program, Task, environment
from benchmarks.stub import Stub

JANITOR = Path(sys.executable).with_name("janitor")
YESTERDAY = Path(__file__).with_name("yesterday.py")
A_DAY_AND_AN_HOUR = 25 * 3600
UNLIMITED = {"aborts_per_run": None, "aborts_per_day": None, "bytes_per_run": None}
OWN: dict[str, dict[str, str]] = {
    # The stub keeps uploads and finished objects apart, as AWS does.
    "s3": {"region": "us-east-1", "addressing": "path", "finished_object_check": "never"},
    "glacier": {"region": "us-east-1"},
    "qingstor": {},
}
ROLE = "arn:aws:iam::{account}:role/janitor"
# The stub also sorts by key and takes any marker: of AWS the janitor knows that by itself.
VOUCHED = {"s3": {"listing": "parallel"}}


@dataclass(frozen=True, slots=True)
class Variant:
    """A way to run the janitor: the verb, and whether with the ledger and all that it proves.

    `accounts` takes each container for one of an account of its own, whose role
    is assumed; without `enforce` it looks, judges and marks, but aborts nothing.
    `vouched` tells it that the store's listings are as AWS's are. `workers` is how many of the
    backend's there are; those of a Dask cluster are there before, and not measured with it.
    """

    verb: str = "sweep"
    ledger: bool = True
    accounts: bool = False
    enforce: bool = True
    backend: str = "threads"
    vouched: bool = True
    workers: int | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """Which janitor: the code in the folder `source` (None: what is installed), and more settings.

    `settings` go into every config, for example {"execution": {"concurrency": 256}}.
    """

    source: Path | None = None
    settings: Mapping[str, object] = field(default_factory=dict)


VARIANTS = {
    "janitor": Variant(),
    "janitor, age only": Variant(ledger=False),
    "janitor scan": Variant("scan", ledger=False),
    "scan, unvouched": Variant("scan", ledger=False, vouched=False),
    "janitor, processes": Variant(backend="processes"),
    "janitor, judging": Variant("sweep", enforce=False),
    "janitor, accounts": Variant(accounts=True),
    "1 process": Variant(backend="processes", workers=1),
    "2 processes": Variant(backend="processes", workers=2),
    "4 processes": Variant(backend="processes", workers=4),
    "1 Dask worker": Variant(backend="dask", workers=1),
    "2 Dask workers": Variant(backend="dask", workers=2),
    "4 Dask workers": Variant(backend="dask", workers=4),
}


class Janitor:
    """One variant of the janitor for one task: `warm` it once; each run is in `prepared`."""

    def __init__(self, variant: Variant, task: Task, version: Version) -> None:
        self._variant = variant
        self._task = task
        self._version = version
        self._environ = {} if version.source is None else {"PYTHONPATH": str(version.source)}
        self._ledger = task.folder / "ledger"
        self._kept = task.folder / "ledger-of-yesterday"
        self._config = task.folder / "janitor.yaml"
        self._configure({})
        # Other processes would live today.
        self._config_of_yesterday = task.folder / "yesterday.yaml"
        alone = self._settings() | {"execution": {}}
        self._config_of_yesterday.write_text(json.dumps(alone), encoding="utf-8")

    @property
    def program(self) -> Program:
        """Give the command, which prints the whole report."""
        started = [str(JANITOR)] if not self._environ else [sys.executable, "-m", "janitor"]
        return Program([*started, *self._arguments(self._variant.verb)], self._environ)

    def warm(self, stub: Stub) -> None:
        """Let a run of the day before fill the ledger: without it nothing may be aborted today."""
        if not self._variant.ledger:
            return
        self._ledger.mkdir()
        task = self._task
        world = task.world if task.job == "clean" else replace(task.world, uploads=1)
        stub.serve(replace(world, latency=0, rate=0, clock=-A_DAY_AND_AN_HOUR))
        arguments = ["sweep", "-c", str(self._config_of_yesterday), "-o", "json"]
        command = [sys.executable, str(YESTERDAY), *arguments]
        cost = run(command, environment(self._environ, task.folder), task.folder, patience=3600)
        if cost.code != 0:
            msg = f"the run of the day before ended with {cost.code}: {cost.words}"
            raise RuntimeError(msg)
        self._ledger.rename(self._kept)

    @contextmanager
    def prepared(self) -> Iterator[None]:
        """Put the ledger back to how the day before left it; have the cluster, if it needs one."""
        if self._variant.ledger:
            shutil.rmtree(self._ledger, ignore_errors=True)
            shutil.copytree(self._kept, self._ledger)
        if self._variant.backend != "dask":
            yield
            return
        folder = self._task.folder
        environ = environment(self._environ, folder)
        with cluster.running(self._variant.workers or 1, environ, folder) as scheduler:
            self._configure({"dask": {"scheduler": scheduler}})
            yield

    def _configure(self, more: Mapping[str, object]) -> None:
        settings = self._settings()
        execution = {"backend": self._variant.backend, "workers": self._variant.workers, **more}
        told = {"execution": execution} | settings
        self._config.write_text(json.dumps(told), encoding="utf-8")

    def _arguments(self, verb: str) -> list[str]:
        return [verb, "-c", str(self._config), "-o", "json"]

    def _settings(self) -> dict[str, object]:
        with_ledger = self._variant.ledger
        return {
            "version": 1,
            "mode": "enforce" if self._variant.enforce else "report",
            "ledger": f"sqlite:///{self._ledger}/janitor.db" if with_ledger else "none",
            "policy": {
                "stale_after": "24h",
                "idle_for": "24h" if with_ledger else "off",
                "grace": "24h" if with_ledger else 0,
            },
            "limits": UNLIMITED,
            "targets": self._targets(),
            **self._version.settings,
        }

    def _targets(self) -> list[dict[str, object]]:
        task = self._task
        kind = "vaults" if task.service == "glacier" else "buckets"
        same: dict[str, object] = {
            "provider": task.service,
            "endpoint_url": task.url,
            "secret_access_key": "b",
        }
        same |= OWN[task.service]
        same |= VOUCHED.get(task.service, {}) if self._variant.vouched else {}
        same |= {"name": "t", "access_key_id": "a", kind: [task.asked or "*"]}
        if self._variant.accounts:
            accounts = [f"{number:012}" for number in range(task.world.containers)]
            same |= {kind: ["*"], "accounts": accounts, "sts_endpoint_url": task.url}
            same |= {"assume_role": {"role_arn": ROLE}}
        return [same]
