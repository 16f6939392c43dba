"""The sandbox: three listeners on loopback over one state."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from janitor.sandbox.clock import SandboxClock
from janitor.sandbox.exchange import Exchange, Hooks
from janitor.sandbox.faults import check_operation
from janitor.sandbox.glacier import Glacier
from janitor.sandbox.identity import ACCOUNT_ID, JANITOR, OWNER
from janitor.sandbox.journal import Accusation, Journal
from janitor.sandbox.listener import Listener
from janitor.sandbox.qingstor import QingStor
from janitor.sandbox.s3 import S3
from janitor.sandbox.seed import load_seed
from janitor.sandbox.sts import Sts, is_sts
from janitor.sandbox.world import Options, World

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event
    from types import TracebackType

    from janitor.sandbox.wire import Call, Reply, Request

JOURNAL_LIMIT = 200_000


class Sandbox:
    """In-process Glacier, QingStor, S3 and STS, over real HTTP, with public credentials.

    `access_key_id` and `secret_access_key` are the janitor's own, for all three providers
    alike; the `owner_` pair is for the clients that upload. What the janitor's pair
    changes, other than aborting a named upload, ends up in `accusations`.
    """

    access_key_id = JANITOR.access_key_id
    secret_access_key = JANITOR.secret_access_key
    owner_access_key_id = OWNER.access_key_id
    owner_secret_access_key = OWNER.secret_access_key
    account_id = ACCOUNT_ID
    operations = S3.operations | Sts.operations | Glacier.operations | QingStor.operations

    def __init__(self, world: World, host: str, ports: tuple[int, int, int]) -> None:
        self.world = world
        self.clock = world.clock
        self.s3, self.glacier, self.qingstor = world.s3, world.glacier, world.qingstor
        self.faults, self.journal, self.options = world.faults, world.journal, world.options
        self._hooks = Hooks()
        self._exchange = Exchange(world, self._hooks)
        s3, sts, glacier, qingstor = S3(world), Sts(world), Glacier(world), QingStor(world)
        self.faults.operations = self.operations

        async def aws(request: Request) -> Reply | None:
            return await self._exchange.answer(sts if is_sts(request) else s3, request)

        async def vaults(request: Request) -> Reply | None:
            return await self._exchange.answer(glacier, request)

        async def qs(request: Request) -> Reply | None:
            return await self._exchange.answer(qingstor, request)

        answers = list(zip(ports, (aws, vaults, qs), strict=True))
        self._listener = Listener(host, answers)
        shown = f"[{host}]" if ":" in host else host
        urls = [f"http://{shown}:{port}" for port in self._listener.ports]
        self.s3_url, self.glacier_url, self.qingstor_url = urls
        self.sts_url = self.s3_url

    @classmethod
    def start(  # noqa: PLR0913 -- every one has a default
        cls,
        *,
        clock: SandboxClock | None = None,
        host: str = "127.0.0.1",
        ports: tuple[int, int, int] = (0, 0, 0),
        seed: Path | str | None = None,
        page_cap: int | None = None,
        journal_limit: int | None = JOURNAL_LIMIT,
        options: Options | None = None,
    ) -> Self:
        """Start the servers and return when they accept connections.

        `ports` are those of S3 with STS, Glacier and QingStor; 0 takes a free one. `seed`
        is a YAML file. `page_cap` overrides that of `options`. Raises OSError when a port
        is taken and `SeedError` when the seed is wrong.
        """
        chosen = options or Options()
        if page_cap is not None:
            chosen = replace(chosen, page_cap=page_cap)
        world = World(clock or SandboxClock(), chosen, Journal(journal_limit))
        if seed is not None:
            load_seed(Path(seed), world)
        sandbox = cls(world, host, ports)
        sandbox._listener.start()
        return sandbox

    def stop(self) -> None:
        """Close everything; harmless when called again."""
        self._listener.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def accusations(self) -> list[Accusation]:
        """Every request that changed, or would have changed, what nobody may change."""
        return list(self.world.accusations)

    def deny(self, operation: str, container: str | None = None) -> None:
        """Take a permission away, in one container or in all."""
        check_operation(operation, self.operations)
        self.world.denials.deny(operation, container)

    def allow(self, operation: str, container: str | None = None) -> None:
        """Take a denial back, given in the same words."""
        self.world.denials.allow(operation, container)

    def on(self, operation: str, callback: Callable[[Call], object]) -> None:
        """Call `callback` before each call of `operation` is handled, in a thread of its own.

        The client waits meanwhile. The callback may use the stores and talk to the sandbox.
        """
        check_operation(operation, self.operations)
        self._hooks.add(operation, callback)

    def add_role(self, arn: str, external_id: str | None = None) -> None:
        """Make a role that AssumeRole can assume."""
        self.world.keys.add_role(arn, external_id)


def run(
    host: str,
    ports: tuple[int, int, int],
    seed_path: Path | None,
    announce: Callable[[Sandbox], object],
    stop: Event,
) -> None:
    """Serve until `stop` is set; `announce` is called once, when connections are accepted.

    Raises what `Sandbox.start` raises. KeyboardInterrupt passes through after a clean stop.
    """
    with Sandbox.start(host=host, ports=ports, seed=seed_path) as sandbox:
        announce(sandbox)
        # In steps, so that Ctrl-C is noticed on every platform.
        while not stop.wait(0.5):
            pass
