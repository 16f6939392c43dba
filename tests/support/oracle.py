"""Knows what really happened to every upload, and what the janitor may never have done.

It shares no judgement with the janitor: it is told by the uploaders themselves
what they do, sees every request where it arrives, and reads the ledger's file
behind the janitor's back.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from janitor.model import ContainerResult, Outcome, TargetOutcome
from janitor.observe.events import Planned, SweepFinished
from janitor.sandbox import OMIT, Entry, Sandbox
from janitor.sandbox.dates import Stamp
from janitor.sandbox.state import Container
from support.harness import MIB, Ear, Harness

if TYPE_CHECKING:
    from janitor.sandbox.wire import Call

LONGEST_SINCE_LOOK = timedelta(seconds=30)
LARGEST_SKEW = timedelta(minutes=5)
# The janitor's clock runs on while the sandbox's is frozen.
SLACK = timedelta(seconds=60)
DAY = timedelta(hours=24)
MANY = 20
# With these a listing's page is as true as without a fault.
_TRUE = {None, "none", "duplicates"}
# Here the uploads are true, and the marker leads back at worst.
_TRUE_UPLOADS = _TRUE | {"repeat_marker", "cycle_markers"}
_LISTED_WHOLE = {TargetOutcome.COMPLETE, TargetOutcome.CAPPED, TargetOutcome.TRIPPED}
_OPEN_INTENT = """
    SELECT i.seq FROM janitor_journal AS i LEFT JOIN janitor_journal AS c ON c.intent = i.seq
    WHERE i.kind = 'intent' AND i.upload_id = ? AND c.seq IS NULL
"""
_ABORTED = """
    SELECT i.upload_id, c.error
    FROM janitor_journal AS i JOIN janitor_journal AS c ON c.intent = i.seq
    WHERE c.outcome = 'aborted'
"""


@dataclass(frozen=True)
class Terms:
    """A policy in the oracle's own words."""

    stale_after: timedelta = timedelta(days=7)
    idle_for: timedelta | None = timedelta(hours=24)
    grace: timedelta = timedelta(hours=24)
    protect_keep: bool = False


@dataclass(frozen=True)
class Caps:
    """The limits in the oracle's own words."""

    per_run: int | None = None
    per_day: int | None = None
    bytes_per_run: int | None = None
    share: Fraction | None = None


@dataclass
class Arrival:
    """One part: when it came by all that happened and by the clock, and whether that is told."""

    sequence: int
    at: datetime
    size: int
    dated: bool = True


@dataclass
class Truth:
    """All there is to know of one upload."""

    harness: Harness
    container: str
    key: str
    upload_id: str
    nature: str
    began: datetime
    stated: Stamp
    arrivals: list[Arrival] = field(default_factory=list)
    ended: str | None = None
    ended_at: datetime | None = None
    ended_in: int | None = None

    @property
    def is_dated(self) -> bool:
        """Whether its store tells when it began, truthfully."""
        return self.stated == self.began

    def size_at(self, sequence: int) -> int:
        """How many bytes had arrived by then."""
        return sum(part.size for part in self.arrivals if part.sequence < sequence)

    def is_protected(self, terms: Terms) -> bool:
        """Whether a rule protects it."""
        return "__magic/" in self.key or (terms.protect_keep and self.key.startswith("keep/"))


@dataclass(frozen=True)
class Look:
    """One reading of an upload's parts, when its first page was asked for."""

    sequence: int
    at: datetime
    sweep: int


@dataclass(frozen=True)
class Send:
    """One abort that arrived: was the upload alive, and what did the ledger and the last look say?"""  # noqa: E501  # one sentence

    sequence: int
    at: datetime
    sweep: int
    alive: bool
    intended: bool
    looked_truly: bool


@dataclass
class Sweep:
    """What the oracle knows of one sweep."""

    number: int
    at: datetime
    enforce: bool
    terms: Terms
    caps: Caps
    offset: timedelta = timedelta(0)
    page_size: int = 7
    troubles: Sequence[object] = ()
    hidden: frozenset[str] = frozenset()
    alive: dict[tuple[str, str], int] = field(default_factory=dict)
    begun: bool = False
    finished: bool = False
    killed: list[Truth] = field(default_factory=list)
    listed_whole: frozenset[tuple[str, str]] = frozenset()
    disturbed: bool = False
    listing_began: int = 0
    known: int = 0

    @property
    def skewed(self) -> bool:
        """Whether its clock is too wrong to act by."""
        return abs(self.offset) > LARGEST_SKEW


class Wrong(AssertionError):  # noqa: N818  # it says what the janitor did
    """The janitor broke a promise."""


class Oracle:
    """Ground truth, and the verdict on each sweep."""

    def __init__(self, sandbox: Sandbox, ledger: Path) -> None:
        self.sandbox = sandbox
        self.truths: list[Truth] = []
        self.sweeps: list[Sweep] = []
        self.objects: set[tuple[str, str, str]] = set()
        self.written: dict[tuple[str, str, str], tuple[datetime, int]] = {}
        self.looks: dict[str, list[Look]] = {}
        self.sends: dict[str, list[Send]] = {}
        self._ledger = ledger
        self._file: sqlite3.Connection | None = None
        self._lock = threading.RLock()
        self._sequence = 0
        self._doubts: dict[tuple[str, str], int] = {}
        self._believed: dict[tuple[str, str], tuple[int, int]] = {}

    def close(self) -> None:
        """Let go of the ledger's file."""
        if self._file is not None:
            self._file.close()

    # What uploaders do.

    def begin(  # noqa: PLR0913  # an upload has as many fields
        self,
        harness: Harness,
        container: str,
        key: str,
        nature: str = "fast",
        *,
        age: timedelta = timedelta(0),
        parts: Iterable[timedelta] = (),
        stated: Stamp | None = None,
        upload_id: str | None = None,
        dated_parts: bool = True,
    ) -> Truth:
        """Begin an upload, `age` ago, with parts of these ages."""
        with self._lock:
            now = self.sandbox.clock.now()
            began = now - age
            told = began if stated is None else stated
            name = upload_id or f"{harness.provider}-{len(self.truths):04d}"
            truth = Truth(harness, container, key, name, nature, began, told)
            store = harness.store(self.sandbox)
            ages = sorted(parts, reverse=True)
            truth.arrivals = [Arrival(self._next(), now - one, MIB, dated_parts) for one in ages]
            store.add_upload(
                container,
                key if harness.has_keys else "",
                initiated=told,
                parts=[(MIB, part.at if dated_parts else OMIT) for part in truth.arrivals],
                description=None if harness.has_keys else key,
                upload_id=name,
            )
            self.truths.append(truth)
            self._disturb()
            return truth

    def receive(self, truth: Truth, *, dated: bool = True) -> None:
        """Let one more part arrive."""
        with self._lock:
            store = truth.harness.store(self.sandbox)
            store.add_part(truth.container, truth.upload_id, MIB, None if dated else OMIT)
            truth.arrivals.append(Arrival(self._next(), self.sandbox.clock.now(), MIB, dated))

    def complete(self, truth: Truth) -> None:
        """Let its uploader complete it."""
        with self._lock:
            made = truth.harness.store(self.sandbox).complete(truth.container, truth.upload_id)
            name = (truth.harness.provider, truth.container, made.key)
            self.objects.add(name)
            self.written[name] = (made.modified, self._next())
            self._end(truth, "completed")

    def abort(self, truth: Truth) -> None:
        """Let somebody else abort it."""
        with self._lock:
            truth.harness.store(self.sandbox).abort(truth.container, truth.upload_id)
            self._end(truth, "aborted by others")

    def _end(self, truth: Truth, how: str) -> None:
        truth.ended, truth.ended_at = how, self.sandbox.clock.now()
        truth.ended_in = self.sweeps[-1].number if self.sweeps else None
        self._disturb()

    def _disturb(self) -> None:
        if self.sweeps:
            self.sweeps[-1].disturbed = True

    def living(self) -> list[Truth]:
        """Give the uploads that are in progress, as far as we know."""
        return [truth for truth in self.truths if truth.ended is None]

    def of(self, upload_id: str | None) -> Truth | None:
        """Give the upload in progress with this id."""
        return next((one for one in self.living() if one.upload_id == upload_id), None)

    # What arrives at the store.

    def saw_listing(self, _call: Call) -> None:
        """Note when the listing begins: what is looked at before belongs to an earlier sweep."""
        with self._lock:
            self.sweeps[-1].listing_began = self.sweeps[-1].listing_began or self._next()

    def saw_look(self, call: Call) -> None:
        """Note that the parts of an upload are asked for."""
        if call.marker or call.upload_id is None:
            return
        with self._lock:
            look = Look(self._next(), self.sandbox.clock.now(), self.sweeps[-1].number)
            self.looks.setdefault(call.upload_id, []).append(look)

    def saw_send(self, call: Call) -> None:
        """Note that an abort arrived, and what there was at that moment."""
        name = call.upload_id or ""
        with self._lock:
            truth = self.of(name)
            send = Send(
                self._next(),
                self.sandbox.clock.now(),
                self.sweeps[-1].number,
                alive=truth is not None and self._is_listed(truth),
                intended=len(self._ask(_OPEN_INTENT, name)) == 1,
                looked_truly=self._looked_truly(name),
            )
            self.sends.setdefault(name, []).append(send)

    def _is_listed(self, truth: Truth) -> bool:
        store = truth.harness.store(self.sandbox)
        with store.lock:
            return store.containers[truth.container].get(truth.upload_id) is not None

    def _looked_truly(self, upload_id: str) -> bool:
        """Whether the last reading of the parts that was answered was answered truly."""
        for entry in reversed(self.sandbox.journal.entries()):
            if entry.upload_id == upload_id and entry.operation.endswith(".list_parts"):
                # QingStor's parts never name their bucket.
                nameless = entry.provider == "qingstor" and entry.fault == "wrong_container"
                return entry.status == 200 and (entry.fault in _TRUE or nameless)
        return False

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence

    def _ask(self, query: str, *values: str) -> list[tuple[object, ...]]:
        if self._file is None:
            if not self._ledger.exists():
                return []
            self._file = sqlite3.connect(
                f"file:{self._ledger}?mode=ro",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
            )
        return self._file.execute(query, values).fetchall()

    # The verdict.

    def start(self, sweep: Sweep) -> None:
        """Note how things are before a sweep."""
        sweep.number, sweep.known = len(self.sweeps), len(self.truths)
        sweep.alive = dict.fromkeys(self._containers(), 0)
        for truth in self.living():
            if truth.container not in sweep.hidden:
                sweep.alive[truth.harness.provider, truth.container] += 1
        self._runs = self._count_runs()
        self.sandbox.journal.clear()
        self.sweeps.append(sweep)

    def _containers(self) -> Iterator[tuple[str, str]]:
        for provider in ("glacier", "qingstor", "s3"):
            for name in getattr(self.sandbox, provider).containers:
                yield provider, name

    def _count_runs(self) -> int:
        return len(self._ask("SELECT seq FROM janitor_runs"))

    def judge(self, ear: Ear, done: SweepFinished | None) -> Sweep:
        """Say whether the last sweep kept every promise; `done` None means that it died."""
        sweep = self.sweeps[-1]
        sweep.begun = self._count_runs() > self._runs
        sweep.finished = done is not None
        entries = self.sandbox.journal.entries()
        sweep.listed_whole = frozenset(self._listed_whole(sweep, entries))
        for truth in self.living():
            if not self._is_listed(truth):
                truth.ended, truth.ended_in = "killed", sweep.number
                home = truth.harness.store(self.sandbox).containers[truth.container]
                truth.ended_at = home.ended[truth.upload_id].when
                sweep.killed.append(truth)
        for truth in sweep.killed:
            self._judge_kill(sweep, truth)
        self._judge_limits(sweep)
        self._judge_store()
        if done is not None:
            self._judge_report(sweep, ear, done)
        return sweep

    def _listed_whole(self, sweep: Sweep, entries: Sequence[Entry]) -> Iterator[tuple[str, str]]:
        """Name the containers of which enough pages were answered truly."""
        for provider, container in sweep.alive:
            true = {
                entry.target
                for entry in entries
                if entry.operation == f"{provider}.list_uploads"
                and entry.container == container
                and entry.status == 200
                and entry.fault in _TRUE_UPLOADS
                and "prefix=" not in entry.target
            }
            whole = sum(
                1
                for truth in self.truths[: sweep.known]
                if (truth.harness.provider, truth.container) == (provider, container)
                and truth.ended is None
            )
            if true and len(true) * sweep.page_size >= whole and container not in sweep.hidden:
                yield provider, container

    def _judge_kill(self, sweep: Sweep, truth: Truth) -> None:
        def demand(holds: object, what: str) -> None:
            if not holds:
                msg = f"{what}: {truth} in {replace(sweep, killed=[])}"
                raise Wrong(msg)

        at = truth.ended_at
        assert at is not None
        terms, ahead = sweep.terms, max(sweep.offset, timedelta(0)) + SLACK
        demand(sweep.enforce, "aborted in report mode")
        demand(not sweep.skewed, "aborted by a wrong clock")
        demand((truth.harness.provider, truth.container) in sweep.listed_whole, "not all listed")
        demand(not truth.is_protected(terms), "aborted a protected upload")
        demand(truth.is_dated, "aborted an upload without a true date")
        demand(at - truth.began > terms.stale_after - ahead, "aborted a young upload")
        sends = [send for send in self.sends.get(truth.upload_id, ()) if send.alive]
        demand(sends, "it vanished without any abort")
        send = sends[-1]
        written = self.written.get((truth.harness.provider, truth.container, truth.key))
        apart = truth.harness.provider != "s3" or written is None or written[0] < truth.began
        late = written is not None and written[1] > self._proof(truth).sequence
        demand(apart or late, "aborted beside a newer finished object")
        demand(send.intended, "no open intent was in the ledger")
        demand(send.looked_truly, "the last look was no proof")
        before = [one for one in self.looks[truth.upload_id] if one.sequence < send.sequence]
        demand(before and before[-1].sweep == sweep.number, "nobody looked at its parts")
        last = before[-1]
        demand(send.at - last.at <= LONGEST_SINCE_LOOK, "the evidence is too old")
        seen = [part for part in truth.arrivals if part.sequence < last.sequence]
        mine = [one for one in before if one.sequence > sweep.listing_began]
        demand(mine, "nobody looked at its parts after the listing")
        since = mine[0]
        demand(
            not any(part.sequence > since.sequence for part in seen),
            "a part came between the two looks",
        )
        proofs = self._proofs(sweep, truth, terms.grace)
        demand(proofs, "grace has not passed since an earlier sighting")
        if terms.idle_for is None:
            return
        tells = truth.harness.tells_part_times
        new = [p for p in seen if last.at - p.at <= terms.idle_for - ahead]
        demand(not [p for p in new if tells and p.dated], "aborted an active upload")
        if not all(tells and part.dated for part in seen):
            # What sightings can prove: nothing came between the first of them
            # that shows this part set and the last look. Parts that are sent
            # again with the same content are invisible.
            still = [
                look
                for look in self._proofs(sweep, truth, terms.idle_for)
                if not any(look.sequence < part.sequence for part in seen)
            ]
            demand(still, "its stillness was not proven by sightings")

    def _proofs(self, sweep: Sweep, truth: Truth, wait: timedelta) -> list[Look]:
        """Give the looks of earlier sweeps whose marks still count, longer ago than `wait`."""
        where = (truth.harness.provider, truth.container)
        counting = {
            earlier.number: earlier
            for earlier in self._since_change(sweep)
            if where in earlier.listed_whole and not earlier.skewed
        }
        return [
            look
            for look in self.looks.get(truth.upload_id, ())
            if look.sweep in counting
            and (sweep.at + sweep.offset) - (look.at + counting[look.sweep].offset) > wait - SLACK
        ]

    def _since_change(self, sweep: Sweep) -> Iterator[Sweep]:
        """Give the sweeps before that the ledger knows, back to the last change of the policy."""
        for earlier in reversed(self.sweeps[: sweep.number]):
            if not earlier.enforce or not earlier.begun:
                continue
            if earlier.terms != sweep.terms:
                return
            yield earlier

    def _judge_limits(self, sweep: Sweep) -> None:
        caps, killed = sweep.caps, sweep.killed
        unfinished = list(self._unfinished_before(sweep))
        before = [truth for one in unfinished for truth in one.killed]
        _at_most(caps.per_run, len(killed), len(before), "aborts per run", sweep)
        today = [
            truth
            for truth in self.truths
            if truth.ended == "killed"
            and truth.ended_in != sweep.number
            and truth.ended_at is not None
            and truth.ended_at > sweep.at - DAY
        ]
        _at_most(caps.per_day, len(killed), len(today), "aborts per day", sweep)
        sizes = [self._size_when_killed(truth) for truth in killed]
        spent = sum(self._size_when_killed(truth) for truth in before)
        _at_most(caps.bytes_per_run, sum(sizes), spent, "bytes per run", sweep)
        for provider in ("glacier", "qingstor", "s3"):
            listed = sum(count for where, count in sweep.alive.items() if where[0] == provider)
            mine = sum(truth.harness.provider == provider for truth in killed)
            if (
                caps.share is not None
                and not sweep.disturbed
                and mine > caps.share * max(listed, mine)
            ):
                msg = f"the breaker did not open: {mine} of {listed} in {sweep}"
                raise Wrong(msg)

    def _unfinished_before(self, sweep: Sweep) -> Iterator[Sweep]:
        for earlier in reversed(self.sweeps[: sweep.number]):
            if earlier.enforce and earlier.begun:
                if earlier.finished:
                    return
                yield earlier

    def _size_when_killed(self, truth: Truth) -> int:
        return truth.size_at(self._proof(truth).sequence)

    def _proof(self, truth: Truth) -> Look:
        """Give the last look before the abort that took effect."""
        send = [one for one in self.sends[truth.upload_id] if one.alive][-1]
        return [one for one in self.looks[truth.upload_id] if one.sequence < send.sequence][-1]

    def _judge_store(self) -> None:
        if self.sandbox.accusations:
            msg = f"the sandbox accuses: {self.sandbox.accusations}"
            raise Wrong(msg)
        for provider, container, key in self.objects:
            if key not in getattr(self.sandbox, provider).objects(container):
                msg = f"the finished object {provider}/{container}/{key} is gone"
                raise Wrong(msg)

    def _judge_report(self, sweep: Sweep, ear: Ear, done: SweepFinished) -> None:
        words = ear.uploads()
        told = {name for name, word in words.items() if word.result.outcome is Outcome.ABORTED}
        killed = {truth.upload_id for truth in sweep.killed}
        for name in told - killed:
            if not self._may_be_mistaken(sweep, name, words[name].result.error):
                msg = f"{name} was told as aborted, and is not: {words[name]} in {sweep}"
                raise Wrong(msg)
        for name in killed - told:
            word = words[name].result
            # Whoever does not know what became of an abort has to look again.
            owed = len(self._ask(_OPEN_INTENT, name)) == 1
            if word.outcome is not Outcome.FAILED or word.error is None or not owed:
                msg = f"{name} was aborted, and told as {word} in {sweep}"
                raise Wrong(msg)
        plan = [d.upload.initiated for e in ear.events if isinstance(e, Planned) for d in e.abort]
        if plan != sorted(plan, key=str):
            msg = f"the oldest do not go first: {plan}"
            raise Wrong(msg)
        for result in done.results:
            self._judge_result(sweep, result)
        clean = all(
            r.outcome in {TargetOutcome.COMPLETE, TargetOutcome.CAPPED} for r in done.results
        )
        if done.exit_code == 0 and not clean:
            msg = f"exit code 0 is a lie: {done}"
            raise Wrong(msg)

    def _may_be_mistaken(self, sweep: Sweep, name: str, error: str | None) -> bool:
        """Nobody can tell who ended an upload that ended while we tried to, or that a store lies."""  # noqa: E501  # one sentence
        ended = any(t.upload_id == name and t.ended_in == sweep.number for t in self.truths)
        return ended or _is_unverified(error)

    def _judge_result(self, sweep: Sweep, result: ContainerResult) -> None:
        where = (result.where.provider, result.where.container)
        counted = (
            sum(result.kept.values())
            + result.aborted
            + result.already_gone
            + result.withheld
            + result.failed
            + result.survived
        )
        if result.listed != counted:
            msg = f"{result.listed} were listed and {counted} accounted for: {result}"
            raise Wrong(msg)
        whole = result.outcome in _LISTED_WHOLE
        if whole and (sweep.skewed or where not in sweep.listed_whole | self._hidden(sweep)):
            msg = f"a listing that was not complete counts as such: {result} in {sweep}"
            raise Wrong(msg)
        if whole and not sweep.disturbed and result.listed != sweep.alive[where]:
            msg = f"{sweep.alive[where]} uploads there were: {result} in {sweep}"
            raise Wrong(msg)
        self._judge_doubt(sweep, where, result)

    def _hidden(self, sweep: Sweep) -> set[tuple[str, str]]:
        return {where for where in sweep.alive if where[1] in sweep.hidden}

    def _judge_doubt(self, sweep: Sweep, where: tuple[str, str], result: ContainerResult) -> None:
        """Demand that a store which had many uploads and has none is not believed at once."""
        if where[1] in sweep.hidden and result.outcome in _LISTED_WHOLE:
            listed, since = self._believed.get(where, (0, 0))
            tried = {
                name
                for name, sends in self.sends.items()
                if any(send.sweep >= since for send in sends)
            }
            if listed - len(tried) >= MANY and self._doubts.get(where, 0) < 3:
                msg = f"an empty listing was believed at once: {result} in {sweep}"
                raise Wrong(msg)
        if not sweep.enforce:
            return
        if result.outcome in _LISTED_WHOLE:
            self._believed[where], self._doubts[where] = (result.listed, sweep.number), 0
        elif result.outcome is TargetOutcome.SUSPICIOUS_EMPTY:
            self._doubts[where] = self._doubts.get(where, 0) + 1

    # In the end.

    def due(self, terms: Terms) -> list[Truth]:
        """Give what has to go if nothing happens any more: stale, dated, silent, unprotected."""
        now = self.sandbox.clock.now()
        return [
            truth
            for truth in self.living()
            if truth.is_dated
            and now - truth.began > terms.stale_after
            and not truth.is_protected(terms)
            and not self._is_held_by_object(truth)
        ]

    def _is_held_by_object(self, truth: Truth) -> bool:
        written = self.written.get((truth.harness.provider, truth.container, truth.key))
        return truth.harness.provider == "s3" and written is not None and written[0] >= truth.began

    def judge_records(self) -> None:
        """Demand that the ledger says what was done."""
        rows = self._ask(_ABORTED)
        recorded = {name for name, _ in rows}
        missing = [t for t in self.truths if t.ended == "killed" and t.upload_id not in recorded]
        if missing:
            msg = f"aborted, and never recorded as such: {missing}"
            raise Wrong(msg)
        living = {truth.upload_id for truth in self.living()}
        lies = [row for row in rows if row[0] in living and not _is_unverified(row[1])]
        if lies:
            msg = f"recorded as aborted, and alive: {lies}"
            raise Wrong(msg)


def _is_unverified(error: object) -> bool:
    return str(error or "").startswith("not verified")


def _at_most(cap: int | None, now: int, before: int, what: str, sweep: Sweep) -> None:
    if cap is not None and now > max(0, cap - before):
        msg = f"{what}: {now} and {before} before are more than {cap} in {sweep}"
        raise Wrong(msg)


def hide(harness: Harness, sandbox: Sandbox, name: str) -> Container:
    """Let a store forget its uploads, as some do when they restart; give what to put back."""
    store = harness.store(sandbox)
    with store.lock:
        home = store.containers[name]
        empty = Container(home.name, home.region, home.account_id, home.created)
        empty.objects = home.objects
        store.containers[name] = empty
    return home
