"""Leads by a Lease of Kubernetes: of several janitors, the one that holds it acts.

The official client brings `kubernetes.leaderelection`, which is not used, for
what it does in its version 37: it measures what it observes by the wall clock,
so that setting the clock makes two leaders; its requests have no timeout, so
that one that hangs goes unnoticed for ever; an answer that does not come ends
its loop with an exception; it can neither be stopped nor let go of the Lease,
does not count transitions, and calls `sys.exit` for a wrong setting. Its
clients are right, and these are used.

No Lease can fence off a request that is on its way already: what was sent when
we led may arrive when we do not. Between the end of our lead and the beginning
of the next is a third of the lease's duration.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

import structlog

from janitor.errors import JanitorError, NotLeader
from janitor.service import lease_api
from janitor.service.lease_rules import Candidate, Turn
from janitor.service.lease_term import Term, Timing
from janitor.settings.types import Election

# Letting go must not use up what Kubernetes gives a pod to end.
_LONGEST_FAREWELL = 10.0


class LeaseElector:
    """Seeks to hold a Lease, and tells whether it surely does.

    `api` is a `CoordinationV1Api` (None: as `lease_api.connect` finds it).
    `on_change` hears True when we begin to lead and False when we stop, from
    a thread of ours. Raises JanitorError, with the remedy, where there is no
    API server or no namespace to be found.
    """

    def __init__(  # noqa: PLR0913  # the two clocks are for tests
        self,
        election: Election,
        *,
        identity: str | None = None,
        api: Any = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        on_change: Callable[[bool], None] = lambda _: None,
    ) -> None:
        server = lease_api.connect() if api is None else lease_api.Server(api, None)
        namespace = election.namespace or server.namespace
        if namespace is None:
            msg = "the namespace of the Lease is not known: set leader_election.namespace"
            raise JanitorError(msg)
        self.identity = identity or _identity()
        self._leases = lease_api.Leases(server.api, namespace, election.lease)
        self._timing = Timing.of(election.duration)
        self._term = Term(self._timing, clock, wall)
        self._candidate = Candidate(self.identity, self._timing, self._term)
        self._on_change = on_change
        self._stop = threading.Event()
        # A daemon thread: a request that hangs must not keep the process.
        self._thread = threading.Thread(target=self._run, name="election", daemon=True)
        self._told_leads = False
        self._told_trouble: str | None = None
        self._told_holder = ""
        self._log = structlog.get_logger("janitor.election").bind(
            lease=f"{namespace}/{election.lease}", identity=self.identity
        )

    @property
    def leads(self) -> bool:
        """Whether we surely lead now, by our own clocks."""
        return self._term.leads

    def demand(self) -> None:
        """Raise NotLeader unless we surely lead now."""
        if not self._term.leads:
            msg = "this janitor does not hold the Lease, so it must not act"
            raise NotLeader(msg)

    def lost(self) -> bool:
        """Whether we led and then did not; true for ever."""
        return self._term.lost

    def __enter__(self) -> Self:
        """Begin to seek."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop leading at once, then let go of the Lease, if that can be done soon."""
        self._term.resign()
        self._stop.set()
        self._thread.join(min(self._timing.duration, _LONGEST_FAREWELL))
        if self._thread.is_alive():
            self._log.warning("lease.not_released", reason="the API server does not answer")

    def _run(self) -> None:
        while not self._stop.is_set() and not self._term.over:
            self._outlive(self._candidate.turn)
            self._stop.wait(self._candidate.pause())
        self._outlive(None)
        self._stop.wait()
        self._outlive(self._candidate.release)

    def _outlive(self, turn: Callable[[], Turn] | None) -> None:
        """Take a turn and tell what changed; a thread that died would leave a mute standby."""
        try:
            if turn is not None:
                self._take(turn())
            self._tell()
        except Exception:  # noqa: BLE001  # whatever it is, the next turn may do better
            self._log.exception("election.crashed")

    def _take(self, turn: Turn) -> None:
        """Carry the requests of a turn to the server, and the answers back."""
        asked = next(turn, None)
        with suppress(StopIteration):
            while asked is not None:
                asked = turn.send(self._leases.ask(asked))

    def _tell(self) -> None:
        """Say what changed since it was last said."""
        candidate = self._candidate
        trouble = candidate.trouble.reason if candidate.trouble else None
        if trouble != self._told_trouble:
            self._told_trouble = trouble
            if trouble is not None:
                self._log.warning("lease.unreachable", reason=trouble)
        if candidate.holder != self._told_holder:
            self._told_holder = candidate.holder
            self._log.info("lease.held", holder=candidate.holder)
        if (leads := self._term.leads) != self._told_leads:
            self._told_leads = leads
            if leads:
                self._log.info("lease.acquired")
            elif self._term.lost:
                self._log.error("lease.lost", reason=self._why_lost(trouble))
            else:
                self._log.info("lease.resigned")
            self._on_change(leads)

    def _why_lost(self, trouble: str | None) -> str:
        if self._candidate.holder not in {self.identity, ""}:
            return f"{self._candidate.holder} holds the Lease"
        return trouble or "the Lease was not renewed in time, or was taken away"


def _identity() -> str:
    """Name this process so that no other, not even in the same pod, has the same name."""
    name = os.environ.get("POD_NAME") or os.environ.get("HOSTNAME") or socket.gethostname()
    return f"{name}_{secrets.token_hex(8)}"
