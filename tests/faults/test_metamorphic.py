"""Laws of whole sweeps: what must not change the plan, and what can only make it smaller."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.harness import HARNESSES, Ear, Harness, hours, sweeper
from support.strategies import DAY, HOUR, NOW, keys, policies, protect_rules

from janitor.commands.sandbox import config_for
from janitor.observe.events import Planned
from janitor.policy import Policy
from janitor.sandbox import OMIT, POPULATION, Sandbox, SandboxClock
from janitor.sandbox.state import Upload
from janitor.sandbox.world import Options
from janitor.targets import Execution

Plan = list[tuple[str, str, str]]
SIZES = (1 << 20, 9, 10)
FIELDS = ("initiated", "initiator", "storage_class", "description", "received", "all parts")


@dataclass(frozen=True)
class Seed:
    """One upload to be: how old it and its parts are, and what is told of it."""

    key: str = "a/b"
    age: timedelta = 30 * DAY
    parts: tuple[tuple[int, timedelta], ...] = ()
    description: str = ""
    storage_class: str = "STANDARD"


@dataclass
class Store:
    """One provider with one container, its clock, and a ledger that has seen everything once."""

    harness: Harness
    sandbox: Sandbox
    folder: Path
    ids: list[str] = field(default_factory=list)

    def add(self, seeds: Sequence[Seed], order: Sequence[int]) -> None:
        """Begin the uploads in some order; their names do not depend on it."""
        now = self.sandbox.clock.now()
        for number in order:
            seed = seeds[number]
            keyed = self.harness.has_keys
            self.harness.store(self.sandbox).add_upload(
                "container",
                seed.key if keyed else "",
                initiated=now - seed.age,
                parts=[(size, now - age) for size, age in seed.parts],
                description=None if keyed else seed.description,
                storage_class=seed.storage_class,
                upload_id=f"upload-{number:03d}",
            )

    def mark(self, policy: Policy) -> None:
        """Let an enforcing sweep see everything for the first time, and a day pass."""
        self._sweep(policy, read_only=False)
        self.sandbox.clock.move(hours(25))

    def plan(self, policy: Policy, *, page_size: int = 2, concurrency: int = 4) -> Plan:
        """Tell what would be aborted, in which order."""
        return self._sweep(policy, page_size=page_size, concurrency=concurrency)

    def _sweep(
        self,
        policy: Policy,
        *,
        read_only: bool = True,
        page_size: int = 2,
        concurrency: int = 4,
    ) -> Plan:
        ear = Ear()
        target = self.harness.target(self.sandbox, policy=policy, page_size=page_size)
        sweeper(
            self.sandbox,
            target,
            ear=ear,
            read_only=read_only,
            settings={
                "ledger": f"sqlite:///{self.folder}/ledger.db",
                "execution": Execution(concurrency=concurrency),
            },
        ).sweep()
        (planned,) = [event.abort for event in ear.events if isinstance(event, Planned)]
        assert not (planned and not read_only)
        return [
            (decision.upload.where.container, decision.upload.key or "", decision.upload.upload_id)
            for decision in planned
        ]


@contextmanager
def store_of(provider: str) -> Iterator[Store]:
    """Serve one empty container."""
    clock = SandboxClock(NOW, frozen=True)
    options = Options(check_skew=False)
    with (
        tempfile.TemporaryDirectory(prefix="janitor-laws-") as folder,
        Sandbox.start(clock=clock, options=options) as sandbox,
    ):
        harness = HARNESSES[provider]
        harness.add_container(sandbox, "container")
        yield Store(harness, sandbox, Path(folder))


seeds = st.builds(
    Seed,
    keys.filter(lambda key: key.isprintable()),
    st.sampled_from([HOUR, 6 * DAY, 8 * DAY, 8 * DAY, 30 * DAY, 30 * DAY, 31 * DAY]),
    st.lists(
        st.tuples(st.sampled_from(SIZES), st.sampled_from([HOUR, 2 * DAY, 2 * DAY, 5 * DAY])),
        max_size=3,
    ).map(tuple),
    st.sampled_from(["", "nightly 7", "NIGHTLY"]),
    st.sampled_from(["STANDARD", "GLACIER"]),
)
populations = st.lists(seeds, min_size=6, max_size=12)
law = settings(
    max_examples=10,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def patient(policy: Policy) -> Policy:
    """Wait no longer than these laws do: a day of grace, and thresholds within a month."""
    idle = None if policy.idle_for is None else min(policy.idle_for, DAY)
    return replace(policy, stale_after=min(policy.stale_after, 7 * DAY), idle_for=idle, grace=DAY)


def forget(upload: Upload, name: str) -> None:
    """Make one thing that the store tells of an upload unknown."""
    if name in {"received", "all parts"}:
        numbers = list(upload.parts)
        for number in numbers if name == "all parts" else numbers[:1]:
            upload.parts[number] = replace(upload.parts[number], received=OMIT)
    else:
        setattr(upload, name, OMIT)


@pytest.mark.parametrize("provider", sorted(HARNESSES))
def test_protection_and_ignorance_only_shrink_the_plan(provider: str) -> None:
    """A rule that protects, or a field that is not told any more, never adds an abort."""
    reach: Counter[str] = Counter()

    @law
    @given(
        populations,
        st.one_of(policies(), st.just(Policy())).map(patient),
        protect_rules(),
        st.data(),
    )
    def never_adds(found: list[Seed], policy: Policy, rule: object, data: st.DataObject) -> None:
        with store_of(provider) as store:
            store.add(found, range(len(found)))
            store.mark(policy)
            before = store.plan(policy)
            place = data.draw(st.integers(0, len(policy.rules)))
            rules = (*policy.rules[:place], rule, *policy.rules[place:])
            protected = store.plan(replace(policy, rules=rules))  # type: ignore[arg-type]  # they are rules
            home = store.harness.store(store.sandbox).containers["container"]
            forgotten = data.draw(
                st.lists(
                    st.tuples(st.integers(0, len(found) - 1), st.sampled_from(FIELDS)),
                    min_size=3,
                )
            )
            for number, name in forgotten:
                upload = home.get(f"upload-{number:03d}")
                assert upload is not None
                forget(upload, name)
            ignorant = store.plan(policy)
            reach["planned"] += len(before)
            reach["protected"] += len(before) - len(protected)
            reach["forgotten"] += len(before) - len(ignorant)

            assert [one for one in before if one in set(protected)] == protected
            assert [one for one in before if one in set(ignorant)] == ignorant

    never_adds()

    assert min(reach["planned"], reach["protected"], reach["forgotten"]) >= 5, reach


def population(source: random.Random, count: int) -> list[Seed]:
    """Draw many uploads, some of them of one age and key."""
    return [
        Seed(
            source.choice(["a", "a/b", "backup/x", "é/1", "e\u0301/1", "Z"]),
            source.choice([2 * DAY, 8 * DAY, 8 * DAY, 9 * DAY, 30 * DAY]),
            tuple((1 << 20, source.choice([HOUR, 2 * DAY, 5 * DAY])) for _ in range(number % 3)),
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("provider", sorted(HARNESSES))
def test_the_same_uploads_give_the_same_plan(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the order of listing nor pages, threads or time zones change it."""
    source = random.Random(provider)  # noqa: S311  # a test's population is no secret
    found = population(source, 25)
    policy = patient(Policy())
    plans: list[Plan] = []
    try:
        for zone, page_size, concurrency in (
            ("UTC", 50, 1),
            ("Pacific/Kiritimati", 1, 8),
            ("America/St_Johns", 7, 3),
        ):
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            order = source.sample(range(len(found)), len(found))
            with store_of(provider) as store:
                store.add(found, order)
                store.mark(policy)
                plans.append(store.plan(policy, page_size=page_size, concurrency=concurrency))
    finally:
        monkeypatch.undo()
        time.tzset()

    assert len(plans[0]) > 5
    assert [plans[0]] * 3 == plans


def told(config: str, **environment: str) -> dict[str, object]:
    """Scan in a process of its own, and give what it told but for what every run tells anew."""
    done = subprocess.run(
        [sys.executable, "-m", "janitor", "scan", "-c", "-", "-o", "json", "--all"],
        input=config,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "PYTHONUTF8": "1",
            **environment,
        },
    )
    found: dict[str, object] = json.loads(done.stdout)
    for name in ("run_id", "started_at", "finished_at"):
        del found[name]
    for rows, name in (("targets", "duration_seconds"), ("uploads", "age_seconds")):
        listed = found[rows]
        assert isinstance(listed, list)
        for row in listed:
            del row[name]
    return found


def test_every_process_tells_the_same() -> None:
    """Another time zone, locale or hash seed tells the same, word by word."""
    with Sandbox.start(seed=POPULATION) as sandbox:
        config = config_for(sandbox)
        plain = told(config, PYTHONHASHSEED="0", TZ="UTC")
        strange = told(config, PYTHONHASHSEED="4711", TZ="Asia/Kathmandu", LC_ALL="tr_TR.UTF-8")

    assert plain == strange
    assert len(str(plain)) > 1000
