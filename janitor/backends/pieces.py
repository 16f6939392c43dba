"""What travels between a sweep and its workers, as frozen types without any secret. Pure.

An order names what it needs (a config file, a target) and never brings it
along: a worker reads its own config and uses its own identity.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from janitor import __version__
from janitor.engine.calls import Patience
from janitor.engine.packing import Packed
from janitor.engine.stretches import ALL, ALL_DONE, Account, Share
from janitor.model import ContainerRef
from janitor.providers.base import Identity
from janitor.targets import Credentials, Execution, QingStorOptions, Secret, Target

# Within so many seconds after it was sent a piece must begin, or it never does.
BEGIN_WITHIN = 10.0
# How much one piece is at most: uploads of which parts are read, and to be aborted.
LOOKS, ACTS = 256, 128
# The sweep itself makes few requests: it may have this part of the budget and the rates.
OWN_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Terms:
    """What all pieces of one run have in common.

    `config` is the absolute path of the config file, `workers` how many share
    the budget and the rates of `execution`, which is the sweep's and not theirs.
    `enforce`: it is by the mode of the sweep's config that something may be aborted.
    """

    run_id: str
    config: str
    started: datetime
    every_upload: bool
    patience: Patience
    workers: int
    execution: Execution
    enforce: bool = False


@dataclass(frozen=True, slots=True)
class ListPiece:
    """List one container, or a share of its keys; `unsorted`: page by page.

    What is found stays with the worker, and is fetched a little at a time.
    """

    container: str
    unsorted: bool = False
    share: Share = ALL


@dataclass(frozen=True, slots=True)
class FetchPiece:
    """Give what the listing of this number found, from a position on: 0, and then as told.

    Only the worker that listed has it, and it forgets what it gave to its end.
    None: nobody wants it any more.
    """

    number: str
    position: int | None = 0


@dataclass(frozen=True, slots=True)
class LookPiece:
    """Read the parts of uploads of one container."""

    container: str
    uploads: tuple[Packed, ...]


@dataclass(frozen=True, slots=True)
class ActPiece:
    """Abort what is still stale: candidates, each with the position of its container."""

    containers: tuple[str, ...]
    candidates: tuple[tuple[int, Packed], ...]
    lease: float


Piece: TypeAlias = ListPiece | FetchPiece | LookPiece | ActPiece


@dataclass(frozen=True, slots=True)
class Order:
    """A piece of work for one worker.

    `number` never comes twice. `worker` is the very process that it is for. `digest` stands for the
    target as the sweep knows it, `identity` for who the sweep is there. `now`
    is the time of the run when the order was sent, `sent` the same by the
    machine's clock, in seconds; `seconds` are left for it.
    """

    terms: Terms
    number: str
    worker: str
    target: str
    digest: str
    identity: Identity
    now: datetime
    sent: float
    seconds: float
    piece: Piece


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error, as it travels: its class in `janitor.errors`, and what it says."""

    kind: str
    message: str
    code: str = "unknown"
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Requests:
    """Everything that observers want to hear of a piece's requests, in short.

    Positions in `containers` stand for these: `pages` are (container, uploads),
    `finished` (container, operation, seconds, code) and `retried` (container,
    operation, code, delay). `crashes` are (container, trace).
    """

    containers: tuple[str, ...] = ()
    pages: tuple[tuple[int, int], ...] = ()
    finished: tuple[tuple[int, str, float, str | None], ...] = ()
    retried: tuple[tuple[int, str, str, float], ...] = ()
    crashes: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """What came of listing one container; `young` and others that need no look are only counted.

    `size` is that of what is to be fetched, in bytes. `unsorted`: it has to be
    listed page by page from now on. The `account` is of no use where it was not
    complete.
    """

    outcome: str
    error: str | None
    listed: int
    oldest: datetime | None
    kept: tuple[tuple[str, int], ...]
    size: int = 0
    unsorted: bool = False
    account: Account = ALL_DONE


@dataclass(frozen=True, slots=True)
class Fetched:
    """Chunks of a spool: decisions to keep that somebody wants to hear of, uploads to look at.

    `next` is the position of what follows, None at the end.
    """

    chunks: tuple[bytes, ...]
    next: int | None


@dataclass(frozen=True, slots=True)
class Looked:
    """What the parts of the first of the uploads told: (decision, trouble, instant).

    `trouble` is what ended it before the last one.
    """

    checked: tuple[tuple[Packed, Trouble | None, datetime | None], ...]
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Acted:
    """What became of one candidate.

    `word` is how its intent ends, None where nobody knows yet. `late`: nothing
    was done, because the lease was over before the first try or the next one.
    """

    decision: Packed
    outcome: str | None
    error: str | None
    bytes_freed: int
    word: str | None
    late: bool = False


Result: TypeAlias = Listing | Fetched | Looked | tuple[Acted, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a worker answers: a result, or the trouble that kept it from doing anything.

    `late` says that it may be asked again, `taken` that somebody may have begun
    the piece before: what became of it is not known here.
    """

    result: Result | None
    requests: Requests = Requests()
    trouble: Trouble | None = None
    late: bool = False
    taken: bool = False


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a worker says of itself: a name that no other process ever has, and its process id.

    `trouble` is what is wrong with it.
    """

    worker: str
    pid: int
    trouble: Trouble | None = None


def digest_of(target: Target) -> str:
    """Give a hash of all that a worker must know of a target just as we do; secrets do not count.

    Whose keys they are does not count either: workers have their own identity.
    """
    options = target.options
    if isinstance(options, QingStorOptions):
        bare: object = replace(options, credentials=Credentials("", Secret("")))
    else:
        bare = replace(options, identity=replace(options.identity, credentials=None))
    told = repr((__version__, replace(target, options=bare)))  # type: ignore[arg-type]  # of its own class
    return hashlib.sha256(told.encode(errors="backslashreplace")).hexdigest()


def veiled(identity: Identity) -> Identity:
    """Hide the account, which may be an access key's id, so that it can only be compared."""
    account = identity.account
    if account is None:
        return identity
    return replace(identity, account=hashlib.sha256(account.encode()).hexdigest())


def place_of(target: Target, container: str) -> ContainerRef:
    """Name a container of a target."""
    return ContainerRef(target.name, target.provider, container)


def share_of(whole: float, workers: int) -> float:
    """Give one worker's part of something that all of them share with the sweep."""
    return whole * (1 - OWN_SHARE) / workers


def slots_of(concurrency: int, workers: int) -> tuple[int, int]:
    """Divide requests in flight: how many the sweep itself may have, and how many each worker."""
    own = max(1, int(concurrency * OWN_SHARE))
    return own, (concurrency - own) // workers


def most_workers(wanted: int, concurrency: int) -> int:
    """Give how many workers can be used: each needs a request in flight, and so does the sweep."""
    _, others = slots_of(concurrency, 1)
    return max(1, min(wanted, others))
