"""What a sweep is given: the targets with the ways to them, and everything around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from janitor.engine.calls import Caller
from janitor.engine.memory import RunLedger
from janitor.ledger.types import RunHeader
from janitor.model import ContainerRef
from janitor.observe.events import Observer
from janitor.plan import Limits
from janitor.providers.base import Aborter, Connection
from janitor.sharding import Shard
from janitor.targets import Execution, Target

if TYPE_CHECKING:
    from janitor.backends.away import Away

# How the name of a run ends whose workers may go on for a while when it is killed.
OUTLIVED = "-dask"

# A container, and a key ("" on Glacier) and upload id in it.
UploadName = tuple[ContainerRef, str, str]


@dataclass(frozen=True, slots=True)
class Job:
    """A target and the ways to it; in report mode there is no way to abort.

    `policy_fingerprint` is the same exactly as long as the target's policy is.
    """

    target: Target
    connect: Callable[[], Connection]
    aborter: Callable[[], Aborter] | None = None
    policy_fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """What one sweep is given.

    `now` gives the time, aware, and never jumps while the sweep runs; `wall`
    shows jumps, and the time that passed while the process was suspended.
    `ledger` None means that nothing is remembered; `only` names the uploads
    that may be aborted, with what their part sets must still be, None means
    any. `vet` hears who and where everybody is before anything is recorded or
    listed; what it raises ends the run. `permit` is asked before every abort
    and raises Interrupted where this process must not act any more. `shard` is
    which of several janitors this is, None the only one. `away` is who makes
    the requests about uploads, None threads of our own. `lease` is for how many
    seconds the workers of a run that was killed may go on.
    """

    run_id: str
    mode: str
    limits: Limits
    execution: Execution
    caller: Caller
    tell: Observer
    now: Callable[[], datetime]
    wall: Callable[[], datetime]
    ledger: RunLedger | None = None
    version: str = ""
    config_fingerprint: str = ""
    every_upload: bool = False
    only: Mapping[UploadName, str] | None = None
    vet: Callable[[RunHeader], None] | None = None
    permit: Callable[[], None] = lambda: None
    shard: Shard | None = None
    away: Away | None = None
    lease: float = 0.0

    def owns(self, target: str, container: str) -> bool:
        """Whether a container is to be looked after here, and not by another shard."""
        return self.shard is None or self.shard.owns(target, container)
