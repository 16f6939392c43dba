"""Which of several janitors looks after which container. Pure: no I/O, no clock, no SDK.

Every shard draws a lot for a container from a hash of both, and the highest
draws it (rendezvous hashing). All find the same winner without talking to each
other, in every process and every version of Python. One shard more takes over
what it wins and leaves all else where it was.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass

MOST = 1024
# What Kubernetes calls the number of a pod in an Indexed Job.
INDEX = "JOB_COMPLETION_INDEX"

_LOTS = struct.Struct(">8Q")
_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count` janitors that share the work, numbered from 0.

    `run` names what the shards of one run have in common, for example the uid
    of their Job; "" lets the ledger find out.
    """

    index: int
    count: int
    run: str = ""

    def __post_init__(self) -> None:
        """Make a shard that nobody runs impossible: its containers would never be looked at."""
        if not 0 < self.count <= MOST:
            msg = f"{self.count} is no number of shards: say 1 to {MOST}"
            raise ValueError(msg)
        if not 0 <= self.index < self.count:
            last = self.count - 1
            msg = f"there is no shard {self.index} of {self.count}: they are numbered 0 to {last}"
            raise ValueError(msg)

    def __str__(self) -> str:
        """Write it as it is given on the command line."""
        return f"{self.index}/{self.count}"

    def owns(self, target: str, container: str) -> bool:
        """Whether a container is this shard's; it is exactly one's."""
        return shard_of(target, container, self.count) == self.index


def shard_of(target: str, container: str, count: int) -> int:
    """Give the number of the shard that looks after a container, of `count`."""
    lots = _lots(target, container, count)
    return lots.index(max(lots))


def parsed(text: str, run: str = "") -> Shard:
    """Read `I/N`; raise ValueError with what to say instead."""
    found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    if found is None:
        msg = f"{text!r} is no shard: say I/N, for example 0/4, 1/4, 2/4 and 3/4"
        raise ValueError(msg)
    return Shard(int(found[1]), int(found[2]), run)


def of_job(count: int, environ: Mapping[str, str], run: str = "") -> Shard:
    """Read which pod of an Indexed Job this is; raise ValueError with what to say instead."""
    text = environ.get(INDEX, "")
    if not text:
        msg = f"{INDEX} is not set, as it is in an Indexed Job: elsewhere, say --shard I/{count}"
        raise ValueError(msg)
    if re.fullmatch(r"[0-9]{1,9}", text) is None:
        msg = f"{INDEX} is {text!r}: it must be the number of a shard, from 0"
        raise ValueError(msg)
    if int(text) >= count:
        msg = f"{INDEX} is {text}, but there are {count} shards: set completions of the Job to that"
        raise ValueError(msg)
    return Shard(int(text), count, run)


def _lots(target: str, container: str, count: int) -> list[int]:
    """Draw for every shard; eight lots come out of one hash."""
    name = target.encode("utf-8", "surrogatepass")
    whole = _LENGTH.pack(len(name)) + name + container.encode("utf-8", "surrogatepass")
    common = hashlib.blake2b(whole, person=b"upload janitor 1")
    lots: list[int] = []
    while len(lots) < count:
        drawn = common.copy()
        drawn.update(_LENGTH.pack(len(lots)))
        lots += _LOTS.unpack(drawn.digest())
    return lots[:count]
