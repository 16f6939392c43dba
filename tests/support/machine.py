"""Drives real sweeps through the sandbox's life, with the oracle watching."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from janitor.matching import Match, Pattern
from janitor.observe.events import SweepFinished
from janitor.plan import Limits
from janitor.policy import Policy, Rule
from janitor.sandbox import OMIT, Fault, FaultKind, Sandbox, SandboxClock
from janitor.sandbox.dates import Stamp
from janitor.sandbox.world import Options
from janitor.settings.types import Settings
from janitor.targets import Execution
from support.harness import BY_AGE, HARNESSES, HASTE, Ear, Harness, days, hours
from support.mortal import Dead, Death, Fate, MortalSweeper
from support.oracle import Caps, Oracle, Sweep, Terms, Truth, Wrong, hide
from support.troubles import (
    SIGHTS,
    Amnesia,
    Denial,
    Race,
    Strike,
    Trouble,
    WrongClock,
    deaths,
    races,
    strikes,
    troubles,
)
from support.workforce import by_workers, employed

if TYPE_CHECKING:
    from janitor.sandbox.wire import Call

START = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
# No sum of these is ever a whole number of hours, as all thresholds are: what
# is just before a threshold and what is just after it must not depend on how
# fast this machine is.
ODD = timedelta(minutes=1)
PAGE = 7
KEYS = ("a/1", "a/2", "b", "ü/3")
TERMS = (
    Terms(),
    Terms(days(3), hours(12), hours(6)),
    Terms(protect_keep=True),
    Terms(idle_for=None),
    Terms(days(2), hours(48), hours(0)),
)
CAPS = (
    Caps(),
    Caps(per_run=3),
    Caps(per_day=4),
    Caps(bytes_per_run=8 << 20),
    Caps(share=Fraction(1, 4)),
    Caps(per_run=0),
)
NATURES = ("fast", "slow", "paused", "crashed", "committer", "kept", "undated", "dim", "empty")
STATED: tuple[Stamp, ...] = (
    OMIT,
    "2012-03-19T23:20:59",
    "yesterday",
    datetime(1970, 1, 1, tzinfo=UTC),
    START + days(400),
)

Reach = Counter[str]
waits = st.sampled_from([1, 7, 13, 25, 25, 25, 49])
SOAK = os.environ.get("JANITOR_SOAK")


def profile(examples: int, steps: int, **more: Any) -> settings:
    """Make the settings of a run: always the same, unless JANITOR_SOAK says how many examples."""
    return settings(
        max_examples=int(SOAK) if SOAK else examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize=SOAK is None,
        suppress_health_check=list(HealthCheck),
        **more,
    )


class World(RuleBasedStateMachine):
    """Uploaders, a store, a clock, a janitor with a ledger, and all their troubles."""

    reach: ClassVar[Reach] = Counter()
    providers: ClassVar[Sequence[tuple[str, ...]]] = (
        ("glacier",),
        ("qingstor",),
        ("s3",),
        ("glacier", "s3"),
    )

    def __init__(self) -> None:
        super().__init__()
        # In memory, where there is such a place: that data survives a power cut is
        # not what is tried here, and a thousand fsyncs take their time.
        memory = Path("/dev/shm")  # noqa: S108  # mkdtemp makes the name a safe one
        home = memory if memory.is_dir() else None
        self.folder = Path(tempfile.mkdtemp(prefix="janitor-model-", dir=home))
        self.clock = SandboxClock(START, frozen=True)
        self.sandbox = Sandbox.start(clock=self.clock, options=Options(check_skew=False))
        self.oracle = Oracle(self.sandbox, self.folder / "ledger.db")
        self.terms, self.caps = TERMS[0], CAPS[0]
        self.wrong = False
        self.restocked = True
        self.hooked: list[Race] = []
        self.counts: Counter[str] = Counter()
        self.looked: set[str] = set()
        self.hidden: list[tuple[Harness, Any]] = []
        self.harnesses: list[Harness] = []
        self.concurrency = 1
        for operation in ("list_uploads", "list_parts", "abort"):
            self.sandbox.on(f"*.{operation}", self._arrived)

    @initialize(
        providers=st.integers(0, 3),
        seed=st.integers(0, 999),
        concurrency=st.sampled_from([1, 3]),
        caps=st.sampled_from(CAPS),
    )
    def populate(self, providers: int, seed: int, concurrency: int, caps: Caps) -> None:
        """Begin with stores that have been in use for a month, and were swept before."""
        names = self.providers[providers % len(self.providers)]
        self.harnesses = [HARNESSES[name] for name in names]
        self.concurrency = concurrency
        self.caps = caps
        source = random.Random(seed)  # noqa: S311  # a test's population is no secret
        for harness in self.harnesses:
            for container, count in (("big", 24), ("small", 4)):
                harness.add_container(self.sandbox, container)
                for number in range(count):
                    nature = NATURES[number % len(NATURES)] if number < 18 else "crashed"
                    self.begin_old(harness, container, nature, source)
        self._sweep(1, [])

    def begin_old(
        self, harness: Harness, container: str, nature: str, source: random.Random
    ) -> None:
        """Let an upload turn up that has lived for a while."""
        age = hours(source.randint(9 * 24, 30 * 24)) + ODD / 2
        key, parts, stated = source.choice(KEYS), [age - hours(3), age - hours(4)], None
        if nature == "fast":
            age = hours(source.randint(1, 60)) + ODD / 2
            parts = [age / 2]
        elif nature == "slow":
            parts.append(hours(source.randint(1, 20)) + ODD / 2)
        elif nature == "paused":
            parts.append(hours(source.randint(30, 70)) + ODD / 2)
        elif nature == "committer":
            key = "t/__magic/job-1/" + key
        elif nature == "kept":
            key = "keep/" + key
        elif nature == "undated":
            stated = source.choice(STATED)
        elif nature == "empty":
            parts = []
        self.oracle.begin(
            harness,
            container,
            key,
            nature,
            age=age,
            parts=parts,
            stated=stated,
            dated_parts=nature != "dim",
        )

    @rule(
        which=st.integers(0, 9),
        nature=st.sampled_from(["fast", "committer", "kept", "dim"]),
        key=st.sampled_from(KEYS),
    )
    def begin(self, which: int, nature: str, key: str) -> None:
        """Begin an upload."""
        prefix = {"committer": "t/__magic/", "kept": "keep/"}.get(nature, "")
        harness = self.harnesses[which % len(self.harnesses)]
        truth = self.oracle.begin(harness, "small" if which > 7 else "big", prefix + key, nature)
        self.oracle.receive(truth, dated=nature != "dim")

    @rule(which=st.integers(0, 99))
    def receive(self, which: int) -> None:
        """Let a part arrive, also after a long pause."""
        living = self.oracle.living()
        if living:
            truth = living[which % len(living)]
            self.oracle.receive(truth, dated=truth.nature != "dim")

    @rule(which=st.integers(0, 99), others=st.booleans())
    def end(self, which: int, others: bool) -> None:  # noqa: FBT001  # hypothesis draws it
        """Let an uploader complete its upload, or somebody else abort it."""
        living = self.oracle.living()
        if living:
            truth = living[which % len(living)]
            (self.oracle.abort if others else self.oracle.complete)(truth)

    @rule(terms=st.sampled_from(TERMS))
    def change_policy(self, terms: Terms) -> None:
        """Edit the policy, or add a rule that protects."""
        self.terms = terms

    @rule(caps=st.sampled_from(CAPS))
    def change_limits(self, caps: Caps) -> None:
        """Edit the limits."""
        self.caps = caps

    @rule(wait=waits)
    def look_only(self, wait: int) -> None:
        """Sweep in report mode."""
        self._sweep(wait, [], enforce=False)

    @rule(found=st.lists(troubles, min_size=1, max_size=4), wait=waits)
    def sweep_in_trouble(self, found: list[Trouble], wait: int) -> None:
        """Sweep when anything goes wrong."""
        self._sweep(wait, found)

    @rule(found=st.lists(strikes(), min_size=2, max_size=4))
    def sweep_a_sick_store(self, found: list[Trouble]) -> None:
        """Sweep when the store answers wrongly, and grace has just passed."""
        self._sweep(25, found)

    @rule(found=st.lists(races, min_size=2, max_size=4))
    def sweep_a_busy_store(self, found: list[Trouble]) -> None:
        """Sweep while uploaders do not wait for us, and grace has just passed."""
        self._sweep(25, found)

    @rule(death=deaths, found=st.lists(troubles, max_size=1))
    def sweep_and_die(self, death: Death, found: list[Trouble]) -> None:
        """Sweep and be killed, when grace has just passed."""
        self._sweep(25, [death, *found])

    @rule(wait=waits)
    def calm_sweep(self, wait: int) -> None:
        """Sweep when nothing goes wrong."""
        self._sweep(wait, [])

    def teardown(self) -> None:
        """See that what had to go is gone, and what was done is on record."""
        try:
            if not self.wrong and self.harnesses:
                self._see_it_through()
        finally:
            self.oracle.close()
            self.sandbox.stop()
            shutil.rmtree(self.folder)

    def _see_it_through(self) -> None:
        """Three calm sweeps, far enough apart, are enough for everything that was due."""
        self.caps = CAPS[0]
        pause = 1 + round(max(self.terms.grace, self.terms.idle_for or hours(0)) / hours(1))
        due: list[Truth] = []
        for number in range(3):
            sweep = self._sweep(pause, [])
            if number == 0:
                due = self.oracle.due(self.terms) + sweep.killed
        left = [truth for truth in due if truth.ended is None]
        if left:
            msg = f"nobody aborts {left}"
            raise Wrong(msg)
        self.oracle.judge_records()

    def _sweep(self, wait: int, found: Sequence[Trouble], *, enforce: bool = True) -> Sweep:
        """Let time pass, sweep with these troubles, and let the oracle judge."""
        self._top_up()
        self.clock.move(hours(wait) + ODD)
        offset = sum((one.by for one in found if isinstance(one, WrongClock)), timedelta(0))
        death = next((one for one in found if isinstance(one, Death)), None)
        hidden = frozenset(one.container for one in found if isinstance(one, Amnesia))
        sweep = Sweep(
            0,
            self.clock.now(),
            enforce,
            self.terms,
            self.caps,
            offset=offset,
            page_size=PAGE,
            troubles=tuple(found),
            hidden=hidden,
        )
        self.oracle.start(sweep)
        self._prepare(found)
        ear = Ear()
        try:
            done = self._run(ear, offset, Fate(death), enforce=enforce)
        finally:
            self._clean_up(found)
        try:
            self.oracle.judge(ear, done)
        except BaseException:
            self.wrong = True
            raise
        self._count(sweep, done)
        return sweep

    def _top_up(self) -> None:
        """Let crashed uploads turn up that nobody listed before: there must be something to do."""
        for harness in self.harnesses if self.restocked else ():
            living = [one for one in self.oracle.living() if one.harness is harness]
            source = random.Random(len(self.oracle.truths))  # noqa: S311  # see populate
            for _ in range(min(3, max(0, 24 - len(living)))):
                self.begin_old(harness, "big", "crashed", source)

    def _run(
        self, ear: Ear, offset: timedelta, fate: Fate, *, enforce: bool
    ) -> SweepFinished | None:
        policy = policy_of(self.terms)
        targets = tuple(
            one.target(self.sandbox, "big", "small", policy=policy, page_size=PAGE)
            for one in self.harnesses
        )
        sweeper = MortalSweeper(
            employed(
                Settings(
                    targets=targets,
                    mode="enforce",
                    ledger=f"sqlite:///{self.folder}/ledger.db",
                    limits=limits_of(self.caps),
                    execution=Execution(concurrency=self.concurrency),
                )
            ),
            observers=[ear],
            now=lambda: self.clock.now() + offset,
            patience=HASTE,
            read_only=not enforce,
            every_upload=True,
            fate=fate,
        )
        try:
            return sweeper.sweep()
        except Dead:
            return None

    def _prepare(self, found: Sequence[Trouble]) -> None:
        self.hooked = [one for one in found if isinstance(one, Race)]
        self.counts.clear()
        self.looked.clear()
        for one in sorted(found, key=lambda one: not isinstance(one, Amnesia)):
            if isinstance(one, Denial):
                self.sandbox.deny(f"*.{one.operation}")
            elif isinstance(one, Strike):
                self._strike(one)
            elif isinstance(one, Amnesia) and not self.hidden:
                self.hidden = [
                    (harness, hide(harness, self.sandbox, one.container))
                    for harness in self.harnesses
                ]

    def _strike(self, one: Strike) -> None:
        """Plan a fault; what has no meaning for a provider, or for an empty list, is left out."""
        paged = {FaultKind.CYCLE_MARKERS, FaultKind.REPEAT_MARKER, FaultKind.DUPLICATES}
        for harness in self.harnesses:
            home = harness.store(self.sandbox).containers["big"]
            if one.kind in paged and len(home) < PAGE:
                continue
            if one.kind is FaultKind.NO_MARKER and not harness.has_keys:
                continue  # there, a page without a marker is how a list ends
            self.sandbox.faults.add(
                Fault(
                    operation=f"{harness.provider}.{one.operation}",
                    kind=one.kind,
                    nth=one.nth,
                    times=one.times,
                    status=one.status,
                    container="big" if one.operation == "list_uploads" else None,
                )
            )

    def _clean_up(self, found: Sequence[Trouble]) -> None:
        self.hooked = []
        self.sandbox.faults.clear()
        for one in found:
            if isinstance(one, Denial):
                self.sandbox.allow(f"*.{one.operation}")
        for harness, home in self.hidden:
            harness.store(self.sandbox).containers[home.name] = home
        self.hidden = []

    def _count(self, sweep: Sweep, done: SweepFinished | None) -> None:
        reach = self.reach
        reach["sweeps"] += 1
        reach["aborts"] += len(sweep.killed)
        reach["crashes"] += done is None
        reach["clock steps"] += any(isinstance(one, WrongClock) for one in sweep.troubles)
        for entry in self.sandbox.journal.entries():
            if entry.fault is not None:
                reach[f"fault {entry.fault}"] += 1
            reach["denials"] += entry.status == 403
        if done is not None:
            for result in done.results:
                reach[f"outcome {result.outcome}"] += 1

    # What happens while a sweep is under way.

    def _arrived(self, call: Call) -> None:
        """Run the races that wait for this request, and let the oracle see it."""
        operation = call.operation.partition(".")[2]
        if operation == "abort":
            self.oracle.saw_send(call)
        when = {"list_uploads": "list", "abort": "abort"}.get(operation, "look")
        if when == "look" and call.upload_id in self.looked:
            when = "recheck"
        elif when == "look":
            self.looked.add(call.upload_id or "")
        self.counts[when] += 1
        for race in [
            one for one in self.hooked if (one.when, one.nth) == (when, self.counts[when])
        ]:
            self._race(race, call)
        if operation == "list_uploads":
            self.oracle.saw_listing(call)
        elif operation == "list_parts":
            self.oracle.saw_look(call)

    def _race(self, race: Race, call: Call) -> None:
        truth = self._racer(race, call)
        if race.what in {"nap", "sleep"}:
            if self.concurrency > 1 or by_workers():
                # An abort of another thread may be on its way, not for hours though; and a
                # worker goes by its own machine's clock, which nobody moves.
                return
            self.clock.move(timedelta(seconds=41 if race.what == "nap" else 6 * 3600))
        elif race.what == "blind":
            self.sandbox.faults.add(Fault(operation="*.list_parts", status=503, times=4))
        elif truth is None:
            return
        elif race.what == "part":
            self.oracle.receive(truth, dated=truth.nature != "dim")
        elif race.what == "complete":
            self.oracle.complete(truth)
        elif race.what == "abort":
            self.oracle.abort(truth)
        elif race.what == "new":
            self.oracle.begin(truth.harness, truth.container, truth.key)
        else:
            self._replace(truth, race)
        self.reach["races"] += 1
        self.reach[f"race {race.when} {race.what}"] += 1

    def _replace(self, truth: Truth, race: Race) -> None:
        """Begin anew at the same key, before the abort even under the same id."""
        same_id = race.when in {"look", "recheck"} and not truth.harness.has_keys
        self.oracle.abort(truth)
        self.oracle.begin(
            truth.harness,
            truth.container,
            truth.key,
            truth.nature,
            upload_id=truth.upload_id if same_id else None,
        )

    def _racer(self, race: Race, call: Call) -> Truth | None:
        if call.upload_id is not None:
            return self.oracle.of(call.upload_id)
        provider = call.operation.partition(".")[0]
        living = [
            one
            for one in self.oracle.living()
            if (one.harness.provider, one.container) == (provider, call.container)
            and not self.hidden
        ]
        return living[race.nth % len(living)] if living else None


def policy_of(terms: Terms) -> Policy:
    """Say in the janitor's words what the terms say in the oracle's."""
    rules = [Rule("committers", Match(key=Pattern("**/__magic/**")), keep=True)]
    rules.append(
        Rule("committers of vaults", Match(description=Pattern("**/__magic/**")), keep=True)
    )
    if terms.protect_keep:
        rules.append(Rule("kept", Match(key=Pattern("keep/**")), keep=True))
        rules.append(Rule("kept in vaults", Match(description=Pattern("keep/**")), keep=True))
    return replace(
        BY_AGE,
        stale_after=terms.stale_after,
        idle_for=terms.idle_for,
        grace=terms.grace,
        rules=tuple(rules),
    )


def limits_of(caps: Caps) -> Limits:
    """Say in the janitor's words what the caps say in the oracle's."""
    return Limits(caps.per_run, caps.per_day, caps.bytes_per_run, caps.share)


def world(reach: Reach, *providers: tuple[str, ...]) -> type[World]:
    """Make a world that counts what it reached there."""
    return type("TheWorld", (World,), {"reach": reach, "providers": providers or World.providers})


def tour(made: type[World]) -> None:
    """See everything that can go wrong at least once, on one store after the other."""
    worlds = [made() for _ in HARNESSES]
    try:
        for number, one in enumerate(worlds):
            one.populate(number, 7, 1, CAPS[0])
        for number, found in enumerate(SIGHTS):
            worlds[number % len(worlds)].sweep_in_trouble(found, 25)
    except BaseException:
        for one in worlds:
            one.wrong = True
        raise
    finally:
        for one in worlds:
            one.teardown()


SEARCH_ONLY = (Phase.explicit, Phase.generate)
