"""One provider by both ways to send requests, on two sandboxes that are alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from janitor import providers
from janitor.model import ContainerRef, Upload
from janitor.providers.base import Aborter, Marker, Reader
from janitor.sandbox import Fault, Sandbox
from janitor.targets import Execution
from support.harness import EVERY_WAY, Harness, days
from support.outcomes import outcome_of

CONTAINER = "container"
IDS = [f"id-{number}" for number in range(5)]
OPERATIONS = [
    f"{provider}.{verb}"
    for provider in ("glacier", "qingstor", "s3")
    for verb in ("list_uploads", "list_parts", "head_object", "abort")
    if verb != "head_object" or provider == "s3"
]
LISTS = [name for name in OPERATIONS if "list" in name]
# Where the next page begins, in the words of each sandbox.
_AFTER_SECOND = {
    "glacier": Marker(upload_id=IDS[2]),
    "qingstor": Marker("key-1", IDS[1]),
    "s3": Marker("key-1", IDS[1]),
}
_PARTS_AFTER = {"glacier": None, "qingstor": Marker(upload_id="1"), "s3": Marker(upload_id="1")}


@dataclass
class Side:
    """One transport, with a sandbox of its own that is like the other's."""

    harness: Harness
    sandbox: Sandbox
    reader: Reader
    aborter: Aborter

    def ask(self, verb: str) -> Any:
        """Make the provider's call about the second upload, or for a page."""
        provider = self.harness.provider
        where = ContainerRef(provider, provider, CONTAINER)
        upload = Upload(where, "key-1" if self.harness.has_keys else None, IDS[1], initiated=None)
        calls: dict[str, Callable[[], Any]] = {
            "list_uploads": lambda: self.reader.list_page(_AFTER_SECOND[provider]),
            "list_parts": lambda: self.reader.list_parts(upload, _PARTS_AFTER[provider]),
            "head_object": lambda: self.reader.object_written(upload),
            "abort": lambda: self.aborter.abort(upload),
        }
        return calls[verb]()

    def told(self, verb: str) -> Any:
        """Give what came of the call, as far as both transports must agree."""
        found = outcome_of(lambda: self.ask(verb))
        error: Any = found.error
        if error is not None:
            # Of a reply that is no error document of S3's boto3 forgets the request id.
            return found.kind, error.code, error.status, getattr(error, "retry_after", None)
        # The sandbox's clock goes on.
        timed = hasattr(found.result, "server_time")
        result = replace(found.result, server_time=None) if timed else found.result
        if hasattr(result, "uploads"):
            result = replace(result, uploads=tuple(result.uploads))
        return result, timed and found.result.server_time is not None

    def journal(self) -> list[tuple[str, str, int | None]]:
        """Give the requests as the store saw them."""
        return [(e.method, e.operation, e.status) for e in self.sandbox.journal]

    def refresh(self, now: datetime) -> None:
        """Have the same uploads as ever, and no faults."""
        self.sandbox.faults.clear()
        self.sandbox.journal.clear()
        store, began = self.harness.store(self.sandbox), now - days(9)
        if CONTAINER not in store.containers:
            self.harness.add_container(self.sandbox, CONTAINER)
        for left in store.upload_ids(CONTAINER):
            store.abort(CONTAINER, left)
        for number, name in enumerate(IDS):
            parts = [(size, began + days(1)) for size in (5, 6, 7, 8)]
            key = f"key-{number}" if self.harness.has_keys else ""
            store.add_upload(CONTAINER, key, upload_id=name, initiated=began, parts=parts)


Sides = Mapping[str, Sequence[Side]]


@contextmanager
def both_sides() -> Iterator[Sides]:
    """Start a sandbox for each provider and each transport of it, our own first."""
    with ExitStack() as stack:
        made = {}
        for provider in sorted(providers.names()):
            ways = (EVERY_WAY[provider], EVERY_WAY[f"{provider}-sdk"])
            made[provider] = [_side(stack, way) for way in ways]
        yield made
        for side in (side for sides in made.values() for side in sides):
            assert [] == side.sandbox.accusations


def both_told(sides: Sides, operation: str, fault: Fault | None = None) -> list[Any]:
    """Make the same call on both sides, and give what came of it and what the store saw."""
    provider, _, verb = operation.partition(".")
    for side in sides[provider]:
        if fault is not None:
            side.sandbox.faults.add(fault)
    return [(side.told(verb), side.journal()) for side in sides[provider]]


def refresh(sides: Sides) -> None:
    """Give both sides the same uploads and no faults."""
    for pair in sides.values():
        now = pair[0].sandbox.clock.now()
        for side in pair:
            side.refresh(now)


def _side(stack: ExitStack, harness: Harness) -> Side:
    sandbox = stack.enter_context(Sandbox.start())
    target, module = harness.target(sandbox), providers.load(harness.provider)
    connection = stack.enter_context(closing(module.connect(target, Execution())))
    aborter = stack.enter_context(closing(module.aborter(target, Execution())))
    return Side(harness, sandbox, connection.reader(CONTAINER), aborter)
