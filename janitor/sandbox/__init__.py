"""In-process Glacier, QingStor and S3 servers, for trying, demonstrating and testing.

`Sandbox.start()` serves all three over real HTTP on loopback, with its own clock, seeds,
permissions and faults. Nothing in it talks to a cloud.
"""

from janitor.sandbox.clock import SandboxClock
from janitor.sandbox.dates import OMIT
from janitor.sandbox.faults import Fault, FaultKind
from janitor.sandbox.journal import Accusation, Entry
from janitor.sandbox.seed import POPULATION
from janitor.sandbox.seed_reader import SeedError
from janitor.sandbox.server import Sandbox, run
from janitor.sandbox.world import Options

__all__ = [
    "OMIT",
    "POPULATION",
    "Accusation",
    "Entry",
    "Fault",
    "FaultKind",
    "Options",
    "Sandbox",
    "SandboxClock",
    "SeedError",
    "run",
]
