"""What a child sweeps: a sandbox a day after a first run has marked everything, and a ledger.

Everything is watched: an abort that the ledger does not announce is noted
before it is carried out.
"""

from __future__ import annotations

import dataclasses
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from janitor import settings
from janitor.ledger import Ledger, check, open_ledger
from janitor.ledger.types import IntentRecord, OpenIntent, Spent
from janitor.model import Outcome
from janitor.observe.events import SweepFinished
from janitor.sandbox import Sandbox
from janitor.sandbox.clock import SandboxClock
from janitor.sandbox.journal import Entry, Journal
from janitor.sandbox.wire import Call
from janitor.wiring import Sweeper
from support.child_sweep import HASTE, Orders
from support.harness import HARNESSES, MIB, Harness, days, hours

PROVIDERS = ("glacier", "qingstor", "s3")
CONTAINER = "container"
A_DAY_LATER = hours(25)
# Held right before or right after the sandbox carries an abort out.
SENT, HANDLED = "sent", "handled"
_PATIENCE = 60.0
_TARGETS = {
    "glacier": """
  - name: glacier
    provider: glacier
    endpoint_url: {sandbox.glacier_url}
    region: us-west-2
    account_id: "{sandbox.account_id}"
    vaults: [container]""",
    "qingstor": """
  - name: qingstor
    provider: qingstor
    endpoint_url: {sandbox.qingstor_url}
    buckets: [container]""",
    "s3": """
  - name: s3
    provider: s3
    endpoint_url: {sandbox.s3_url}
    region: us-east-1
    addressing: path
    buckets: [container]""",
}
_EVERY = """
    page_size: 2
    access_key_id: {sandbox.access_key_id}
    secret_access_key: {sandbox.secret_access_key}
    transport: {transport}"""


class WatchedJournal(Journal):
    """The sandbox's journal, which somebody can be called by and wait for."""

    def __init__(self) -> None:
        super().__init__(None)
        self._news = threading.Condition()
        self.listeners: list[Callable[[Entry], object]] = []

    def add(self, entry: Entry) -> None:
        """Remember one request, before its reply is sent."""
        super().add(entry)
        with self._news:
            self._news.notify_all()
        for listener in self.listeners:
            listener(entry)

    def wait_for(self, operation: str, count: int) -> None:
        """Wait until so many requests of a kind were handled."""
        with self._news:
            done = self._news.wait_for(lambda: len(self.entries(operation)) >= count, _PATIENCE)
        assert done, f"there are no {count} {operation}"


class Hold:
    """Holds the nth request that comes by, until it is let go."""

    def __init__(self, nth: int) -> None:
        self._nth = nth
        self._seen = 0
        self._lock = threading.Lock()
        self._reached, self._free = threading.Event(), threading.Event()
        self.upload_id = ""

    def hold(self, passer: Call | Entry) -> None:
        """Be called with each request."""
        with self._lock:
            self._seen += 1
            held = self._seen == self._nth
        if held:
            self.upload_id = passer.upload_id or ""
            self._reached.set()
            self._free.wait(_PATIENCE)

    def wait_until_held(self) -> str:
        """Wait until there is one; give its upload's id."""
        assert self._reached.wait(_PATIENCE), "no request ever came by"
        return self.upload_id

    def let_go(self) -> None:
        """Let it go on."""
        self._free.set()


@dataclass
class Population:
    """Which uploads of one provider are stale, and which must live."""

    harness: Harness
    stale: dict[str, int] = field(default_factory=dict)
    living: set[str] = field(default_factory=set)


class Scene:
    """A sandbox, a config, a ledger, and whoever watches them."""

    def __init__(self, sandbox: Sandbox, folder: Path, *providers: str) -> None:
        self.sandbox = sandbox
        self.folder = folder
        self.config = folder / "janitor.yaml"
        self.file = folder / "ledger" / "janitor.db"
        self.file.parent.mkdir()
        self.url = f"sqlite:///{self.file}"
        self.populations = {name: Population(HARNESSES[name]) for name in providers}
        self.journal = WatchedJournal()
        self.unannounced: list[str] = []
        sandbox.journal = sandbox.world.journal = self.journal
        # The sandbox's time runs beside the time that requests are signed at.
        sandbox.options.check_skew = False
        self.configure()
        for name, population in self.populations.items():
            population.harness.add_container(sandbox, CONTAINER)
            population.harness.store(sandbox).add_object(CONTAINER, "precious", b"finished")
            sandbox.on(f"{name}.abort", self._witness)

    def configure(self, transport: str = "auto", **sections: str) -> None:
        """Write the config, with another transport or other sections if wanted."""
        text = {
            "version": "1",
            "mode": "enforce",
            "ledger": self.url,
            "policy": "{stale_after: 7d, idle_for: 24h, grace: 24h}",
            "execution": "{concurrency: 2}",
        } | sections
        head = "\n".join(f"{name}: {value}" for name, value in text.items())
        targets = "".join(_TARGETS[name] + _EVERY for name in self.populations)
        told = targets.format(sandbox=self.sandbox, transport=transport)
        self.config.write_text(f"{head}\ntargets:{told}\n", "utf-8")

    def orders(self, **more: Any) -> Orders:
        """Tell a child what to sweep, on the sandbox's clock."""
        ahead = self.sandbox.clock.now() - datetime.now(UTC)
        return Orders(self.config, more.pop("folder", self.folder), ahead=ahead, **more)

    def add_stale(self, provider: str, count: int, *, parts: int = 1) -> list[str]:
        """Begin uploads that nobody has touched for long, the oldest first."""
        population = self.populations[provider]
        added = []
        for number in range(count):
            age = days(9) - timedelta(minutes=len(population.stale))
            name = population.harness.add(
                self.sandbox, CONTAINER, f"stale-{number}", age=age, parts=[days(8)] * parts
            )
            population.stale[name] = 8 * MIB * parts
            added.append(name)
        return added

    def add_slow(self, provider: str) -> None:
        """Begin an old upload that receives a part now and then."""
        population = self.populations[provider]
        slow = population.harness.add(self.sandbox, CONTAINER, "slow", parts=[days(8)])
        population.living.add(slow)

    def add_young(self, provider: str) -> None:
        """Begin an upload that is not old enough when the next run comes."""
        population = self.populations[provider]
        young = population.harness.add(self.sandbox, CONTAINER, "young", age=hours(-20))
        population.living.add(young)

    def sweep(self, **more: Any) -> SweepFinished:
        """Sweep here, to the end, on the sandbox's clock."""
        loaded = dataclasses.replace(settings.load(str(self.config), {}), **more)
        return Sweeper(loaded, now=self.sandbox.clock.now, patience=HASTE).sweep()

    def mark(self) -> None:
        """Let a first run see everything, and a day go by."""
        assert 0 == self.sweep().exit_code
        self.pass_time(A_DAY_LATER)

    def pass_time(self, distance: timedelta) -> None:
        """Move the sandbox's clock; then the living receive parts."""
        self.sandbox.clock.move(distance)
        for name, population in self.populations.items():
            for upload_id in population.living & self.present(name):
                self.add_part(name, upload_id)

    def add_part(self, provider: str, upload_id: str) -> None:
        """Let an uploader add a part now."""
        self.populations[provider].harness.store(self.sandbox).add_part(CONTAINER, upload_id, MIB)

    def present(self, provider: str) -> set[str]:
        """Give the uploads that are there."""
        return set(self.populations[provider].harness.store(self.sandbox).upload_ids(CONTAINER))

    def gone(self) -> set[str]:
        """Give the stale uploads that are not there any more."""
        found: set[str] = set()
        for name, population in self.populations.items():
            found |= set(population.stale) - self.present(name)
        return found

    def stale(self) -> set[str]:
        """Give all uploads that should go."""
        return {name for each in self.populations.values() for name in each.stale}

    def size(self, names: set[str]) -> int:
        """Sum up how large some stale uploads are."""
        sizes = {n: s for each in self.populations.values() for n, s in each.stale.items()}
        return sum(sizes[name] for name in names)

    def aborted(self) -> Counter[str]:
        """Count, by upload, the aborts that the sandbox carried out."""
        return Counter(
            entry.upload_id or ""
            for entry in self.journal
            if entry.operation.endswith(".abort") and entry.status == 204
        )

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        """Look into the ledger."""
        with open_ledger(self.url, read_only=True) as opened:
            yield opened

    def intents(self) -> list[IntentRecord]:
        """Give all intents that were ever written."""
        with self.ledger() as ledger:
            runs = [run.run_id for run in reversed(ledger.history(10_000))]
            return [intent for run in runs for intent in ledger.uploads_of_run(run)]

    def open_intents(self) -> list[OpenIntent]:
        """Give the intents of which nobody knows what became."""
        with self.ledger() as ledger:
            return ledger.open_intents()

    def spent(self) -> Spent:
        """Give what the ledger counts for the last day."""
        now = self.sandbox.clock.now()
        with self.ledger() as ledger:
            return ledger.spent_since(now - hours(24), now)

    def assert_nothing_is_lost(self) -> None:
        """Whatever happened: all aborts are on record, the record is sound, the living live."""
        aborted = set(self.aborted())
        intended = {record.intent.upload_id for record in self.intents()}
        objects = {
            name: set(each.harness.store(self.sandbox).objects(CONTAINER))
            for name, each in self.populations.items()
        }

        assert [] == self.unannounced
        assert set() == aborted - intended
        assert [] == check(self.url)
        assert [] == self.sandbox.accusations
        assert {name: {"precious"} for name in self.populations} == objects
        for name, population in self.populations.items():
            assert set() == population.living - self.present(name)

    def assert_convergence(self) -> None:
        """After an undisturbed run all is done, once, and on record."""
        told = Counter(
            record.intent.upload_id
            for record in self.intents()
            if record.outcome == Outcome.ABORTED
        )

        self.assert_nothing_is_lost()
        assert set() == self.stale() - self.gone()
        assert dict.fromkeys(self.stale(), 1) == dict(told)
        assert dict.fromkeys(self.stale(), 1) == dict(self.aborted())
        assert [] == self.open_intents()

    def _witness(self, call: Call) -> None:
        """Note an abort that arrives before its intent is on the disk."""
        announced = {intent.upload_id for intent in self.open_intents()}
        if call.upload_id not in announced:
            self.unannounced.append(f"{call.operation} {call.upload_id}")


@contextmanager
def scene(folder: Path, *providers: str) -> Iterator[Scene]:
    """Serve an empty sandbox, a day behind, with a container for each provider."""
    clock = SandboxClock(datetime.now(UTC) - A_DAY_LATER)
    with Sandbox.start(clock=clock) as sandbox:
        yield Scene(sandbox, folder, *providers)


@contextmanager
def holding(made: Scene, provider: str, where: str, nth: int) -> Iterator[Hold]:
    """Hold the nth abort in the sandbox, before or after it is carried out."""
    hold = Hold(nth)
    operation = f"{provider}.abort"
    if where == SENT:
        made.sandbox.on(operation, hold.hold)
    else:
        made.journal.listeners.append(
            lambda entry: hold.hold(entry) if entry.operation == operation else None
        )
    try:
        yield hold
    finally:
        hold.let_go()
