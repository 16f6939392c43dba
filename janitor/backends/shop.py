"""What a worker has for one run: its own reading of the config, ways to targets, and threads."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from janitor import providers, settings
from janitor.backends.notes import Notes
from janitor.backends.pieces import (
    BEGIN_WITHIN,
    Order,
    Terms,
    digest_of,
    share_of,
    slots_of,
    veiled,
)
from janitor.backends.spool import Shelf
from janitor.engine.calls import Caller, Deadline, RetryBudget
from janitor.engine.crew import Crew
from janitor.engine.descriptors import in_flight, open_files
from janitor.engine.discover import ALL
from janitor.engine.flow import Flow
from janitor.errors import JanitorError
from janitor.model import ContainerRef
from janitor.observe import logs
from janitor.observe.hiding import hide_secrets
from janitor.providers.base import Aborter, Connection
from janitor.providers.common import Common
from janitor.targets import Target

# What the machines' clocks may differ by before a piece that seems to come from
# the future is refused, in seconds.
CLOCKS = 1.0
# The retries that all workers together may make at a target that is down.
RETRIES = 200
# A run of which nothing was heard for so long, in seconds, is over.
FORGOTTEN = 3600.0


class NotOurs(JanitorError):  # noqa: N818  # says what happened
    """This worker must not do this piece; asking again does not help."""


class Taken(JanitorError):  # noqa: N818  # says what happened
    """Somebody may have begun the piece before: Dask gives it again where a worker is lost."""


class TooLate(JanitorError):  # noqa: N818  # says what happened
    """The piece came too late to be begun; nothing was done."""


class Shop:
    """A worker's part in one run, for the pieces that it does side by side."""

    def __init__(self, terms: Terms, *, has_own_log: bool) -> None:
        loaded = settings.load(terms.config, os.environ)
        hide_secrets(loaded)
        if terms.enforce and loaded.mode != "enforce":
            message = f"its {terms.config} says mode: {loaded.mode}, and that of the sweep enforce"
            raise NotOurs(message)
        if has_own_log:
            logs.configure(loaded.log.format, loaded.log.level)
        _, slots = slots_of(terms.execution.concurrency, terms.workers)
        slots = in_flight(max(1, slots), open_files(slots))
        self.execution = replace(terms.execution, concurrency=slots)
        self.stop = threading.Event()
        self.used = time.monotonic()
        self._terms = terms
        self._targets = {target.name: target for target in loaded.targets}
        paces = {
            name: terms.execution.pace(target).part(share_of(1.0, terms.workers))
            for name, target in self._targets.items()
        }
        self.flow = Flow(self.execution.concurrency, paces)
        self._budget = RetryBudget(max(1, RETRIES // terms.workers))
        self._stack = ExitStack()
        # One for each target: one that hangs must not hold up the others.
        self._locks = {name: threading.Lock() for name in self._targets}
        self._connections: dict[str, Connection] = {}
        self._aborters: dict[str, Aborter] = {}
        self.shelf = self._stack.enter_context(Shelf())
        # Closed last, when nothing is under way any more.
        self._common = self._stack.enter_context(Common())
        self.crew = self._stack.enter_context(Crew(self.flow, self.execution))

    def close(self) -> None:
        """End everything."""
        self.stop.set()
        self._stack.close()

    def caller(self, notes: Notes) -> Caller:
        """Make what makes the requests of one piece."""
        return Caller(notes, self.stop, self._terms.patience, self.flow, self._budget)

    def target(self, order: Order) -> Target:
        """Give the target of a piece, if it is the one that the sweep means; else raise NotOurs."""
        target = self._targets.get(order.target)
        if target is None or digest_of(target) != order.digest:
            message = (
                f"the worker has another config or another version for target {order.target}:"
                f" let {order.terms.config} and the janitor be the same on all machines"
            )
            raise NotOurs(message)
        return target

    def connection(self, order: Order, caller: Caller) -> Connection:
        """Open the way to the target of a piece, once, and make sure of who we are there."""
        target = self.target(order)
        with self._locks[target.name]:
            found = self._connections.get(target.name)
            if found is None:
                opened = _load(target).connect(target, self.execution, self._common)
                made = self._stack.enter_context(closing(opened))
                self._demand_same(order, made, caller)
                found = self._connections[target.name] = made
        return found

    def aborter(self, order: Order, caller: Caller) -> Aborter:
        """Make what aborts, once; only after the connection has told who we are."""
        self.connection(order, caller)
        target = self.target(order)
        with self._locks[target.name]:
            if target.name not in self._aborters:
                made = _load(target).aborter(target, self.execution, self._common)
                self._aborters[target.name] = self._stack.enter_context(closing(made))
            return self._aborters[target.name]

    def _demand_same(self, order: Order, made: Connection, caller: Caller) -> None:
        where = ContainerRef(order.target, self.target(order).provider, ALL)
        identity = caller.call(where, "identify", made.identify, Deadline(order.seconds))
        ours, theirs = veiled(identity), order.identity
        for what, here, there in (
            ("account", ours.account, theirs.account),
            ("endpoint", ours.endpoint, theirs.endpoint),
            ("region", ours.region, theirs.region),
        ):
            if here != there:
                message = (
                    f"the worker has another {what} on target {order.target} than the sweep:"
                    " give all workers the same identity"
                )
                raise NotOurs(message)
        if identity.parks:
            self.crew.let_park(order.target)


def _load(target: Target) -> providers.ProviderModule:
    return providers.load(target.provider)


class Floor:
    """All that this process does as a worker, for any number of runs.

    `has_own_log` says that what is logged here is ours to arrange.
    """

    def __init__(self) -> None:
        self.has_own_log = False
        self.name = secrets.token_hex(16)
        self._lock = threading.Lock()
        self._shops: dict[str, Shop] = {}
        self._stopped: set[str] = set()
        self._begun: OrderedDict[str, float] = OrderedDict()

    def shop(self, terms: Terms) -> Shop:
        """Give what there is for a run, and forget those that are long over."""
        with self._lock:
            self._forget()
            shop = self._shops.get(terms.run_id)
            if shop is None:
                shop = self._shops[terms.run_id] = Shop(terms, has_own_log=self.has_own_log)
                if terms.run_id in self._stopped:
                    shop.stop.set()
            shop.used = time.monotonic()
            return shop

    def admit(self, order: Order) -> Shop:
        """Let a piece begin, once and in time; raise Taken, NotOurs or TooLate."""
        late = time.time() - order.sent
        if order.worker != self.name:
            message = "the piece is for a worker that is gone"
            raise Taken(message)
        # Before all else: of a piece that has begun nobody may be told that it has not.
        with self._lock:
            if order.number in self._begun:
                message = "the piece has begun before"
                raise Taken(message)
        if late < -CLOCKS:
            message = f"the clock of worker {os.uname().nodename} is {-late:.0f} s behind: set it"
            raise NotOurs(message)
        if late > BEGIN_WITHIN:
            message = f"the piece came {late:.0f} s late"
            raise TooLate(message)
        with self._lock:
            if order.number in self._begun:
                message = "the piece has begun before"
                raise Taken(message)
            self._begun[order.number] = time.monotonic()
        return self.shop(order.terms)

    def stop(self, run_id: str) -> None:
        """Begin no more requests for a run."""
        with self._lock:
            self._stopped.add(run_id)
            shop = self._shops.get(run_id)
        if shop is not None:
            shop.stop.set()

    def close(self, run_id: str) -> None:
        """Forget a run that has ended."""
        with self._lock:
            shop = self._shops.pop(run_id, None)
            self._stopped.discard(run_id)
        if shop is not None:
            # Beside: a request that hangs must not hold up whoever told us.
            threading.Thread(target=shop.close, daemon=True).start()

    def _forget(self) -> None:
        now = time.monotonic()
        for run_id, shop in list(self._shops.items()):
            if now - shop.used > FORGOTTEN + shop.execution.run_timeout.total_seconds():
                del self._shops[run_id]
                threading.Thread(target=shop.close, daemon=True).start()
        # Nothing so old could be admitted again. The oldest are the first: there may be many.
        while self._begun and now - next(iter(self._begun.values())) >= FORGOTTEN:
            self._begun.popitem(last=False)


FLOOR = Floor()


def clocks_of(order: Order) -> tuple[Callable[[], datetime], Callable[[], datetime]]:
    """Give the time of the run, which never jumps, and a clock that shows jumps.

    Both begin with the time at which the order was sent: what it took to come
    only makes everything look younger.
    """
    begun, wall = time.monotonic(), datetime.now(UTC)

    def now() -> datetime:
        return order.now + timedelta(seconds=time.monotonic() - begun)

    def jumping() -> datetime:
        return order.now + (datetime.now(UTC) - wall)

    return now, jumping
