"""Many waits in one thread: code that reads as if it blocked, run in greenlets.

A fiber is a function that runs in the thread of a `Hub`. Where it has to wait
it parks, and the hub goes on with another one; a switch costs a microsecond,
where threads cost tens and fight for the interpreter. What would block in
other ways goes through `offload`. Everything here works in ordinary threads
too, and blocks there as usual.
"""

from janitor.fibers.hub import AVAILABLE, Hub, Parking, here, in_fiber
from janitor.fibers.waiting import Latch, fulfil, offload, pause, sleep

__all__ = [
    "AVAILABLE",
    "Hub",
    "Latch",
    "Parking",
    "fulfil",
    "here",
    "in_fiber",
    "offload",
    "pause",
    "sleep",
]
