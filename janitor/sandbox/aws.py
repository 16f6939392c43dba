"""Signature Version 4 as S3, Glacier and STS ask for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from janitor.sandbox import sigv4
from janitor.sandbox.signing import Flaw, NotBelieved
from janitor.sandbox.wire import Refusal
from janitor.sandbox.world import Caller

if TYPE_CHECKING:
    from collections.abc import Mapping

    from janitor.sandbox.store import Store
    from janitor.sandbox.wire import Call, Request
    from janitor.sandbox.world import World


class AwsService:
    """A service of AWS; `flaws` are its status, code and message for each flaw."""

    name: str
    flaws: Mapping[Flaw, tuple[int, str, str]]

    def __init__(self, world: World, store: Store) -> None:
        self.world = world
        self.store = store

    def claimed_key(self, request: Request) -> str:
        """Tell whose key the request claims."""
        return sigv4.claimed_key(request)

    def authenticate(self, call: Call) -> Caller:
        """Check Signature Version 4 and the session token."""
        keys, now, options = self.world.keys, self.world.clock.now(), self.world.options
        try:
            principal, region = sigv4.verify(
                call.request, keys, self.name, now, skew=options.check_skew
            )
        except NotBelieved as flaw:
            raise self.disbelief(flaw) from None
        return Caller(principal, region)

    def disbelief(self, flaw: NotBelieved) -> Refusal:
        """Say what is wrong with a signature, in the service's own words."""
        status, code, message = self.flaws[flaw.flaw]
        return Refusal(status, code, f"{message} ({flaw.detail})" if flaw.detail else message)
