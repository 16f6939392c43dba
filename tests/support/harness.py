"""One provider on the sandbox, with everything a provider-blind test has to know about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from janitor.engine.calls import Patience
from janitor.observe.events import Event, Planned, UploadFinished
from janitor.policy import Policy
from janitor.sandbox import Sandbox
from janitor.sandbox.store import Store
from janitor.settings.types import Settings
from janitor.targets import (
    AwsIdentity,
    Credentials,
    Execution,
    GlacierOptions,
    Options,
    QingStorOptions,
    Reach,
    S3Options,
    Secret,
    Target,
)
from janitor.wiring import Sweeper
from support.workforce import WorkedSweeper, employed

ZONE = "pek3a"
REGION = "us-east-1"
# Retries must happen, but nobody wants to wait for them.
HASTE = Patience(attempts=3, first_delay=0.001, longest_delay=0.002)
BY_AGE = Policy(stale_after=timedelta(days=7), idle_for=None, grace=timedelta(0))
BY_ACTIVITY = replace(BY_AGE, idle_for=timedelta(hours=24))
MIB = 1024 * 1024


@dataclass(frozen=True)
class Harness:
    """One provider: its name, and where the sandbox keeps what it lists.

    `transport` is how it is asked: over our own wire, or over its SDK.
    """

    provider: str
    transport: Literal["auto", "sdk"] = "auto"

    @property
    def has_keys(self) -> bool:
        """Whether its uploads have keys."""
        return self.provider != "glacier"

    @property
    def tells_part_times(self) -> bool:
        """Whether its parts tell when they arrived."""
        return self.provider != "glacier"

    def store(self, sandbox: Sandbox) -> Store:
        """Give the sandbox's own state of this provider."""
        found = getattr(sandbox, self.provider)
        assert isinstance(found, Store)
        return found

    def add_container(self, sandbox: Sandbox, name: str) -> None:
        """Create a bucket or vault where the harness's target looks."""
        region = {"glacier": "us-west-2", "qingstor": ZONE, "s3": REGION}[self.provider]
        self.store(sandbox).add_container(name, region=region)

    def add(
        self,
        sandbox: Sandbox,
        container: str,
        key: str = "key",
        *,
        age: timedelta = timedelta(days=9),
        parts: Iterable[timedelta] = (),
        **more: Any,
    ) -> str:
        """Begin an upload `age` ago, with a part of 8 MiB for each age in `parts`."""
        now = sandbox.clock.now()
        return self.store(sandbox).add_upload(
            container,
            key if self.has_keys else "",
            initiated=now - age,
            parts=[(8 * MIB, now - part) for part in parts],
            **more,
        )

    def target(self, sandbox: Sandbox, *containers: str, **more: Any) -> Target:
        """Point a target at the sandbox, with pages of two unless told otherwise."""
        settings: dict[str, Any] = {"policy": BY_AGE, "page_size": 2} | more
        return Target(
            name=settings.pop("name", self.provider),
            provider=self.provider,  # type: ignore[arg-type]  # a test names only what exists
            containers=containers or ("container",),
            options=settings.pop("options", None) or self.options(sandbox),
            **settings,
        )

    def options(self, sandbox: Sandbox) -> Options:
        """Say how to reach the sandbox."""
        keys = Credentials(sandbox.access_key_id, Secret(sandbox.secret_access_key))
        identity = AwsIdentity(credentials=keys)
        if self.provider == "glacier":
            return GlacierOptions(
                "us-west-2",
                reach=Reach(endpoint_url=sandbox.glacier_url),
                identity=identity,
                transport=self.transport,
            )
        if self.provider == "qingstor":
            return QingStorOptions(
                zone="",
                credentials=keys,
                reach=Reach(endpoint_url=sandbox.qingstor_url),
                transport=self.transport,
            )
        return S3Options(
            region=REGION,
            reach=Reach(endpoint_url=sandbox.s3_url),
            identity=identity,
            addressing="path",
            transport=self.transport,
        )


HARNESSES = {name: Harness(name) for name in ("glacier", "qingstor", "s3")}
# The same, and each over its SDK: what a contract holds for.
EVERY_WAY = HARNESSES | {f"{name}-sdk": Harness(name, "sdk") for name in HARNESSES}
GLACIER_WAYS = ("glacier", "glacier-sdk")
QINGSTOR_WAYS = ("qingstor", "qingstor-sdk")
S3_WAYS = ("s3", "s3-sdk")


class Ear:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        """Remember one event; a plan can be read only now."""
        if isinstance(event, Planned):
            event = Planned(event.count, tuple(event.abort))
        self.events.append(event)

    def uploads(self) -> dict[str, UploadFinished]:
        """Give the last word on each upload, by upload id."""
        found = {}
        for event in self.events:
            if isinstance(event, UploadFinished):
                assert event.result.decision.upload.upload_id not in found
                found[event.result.decision.upload.upload_id] = event
        return found

    def reasons(self) -> dict[str, str]:
        """Give the last reason for each upload, by upload id."""
        return {name: str(event.result.decision.reason) for name, event in self.uploads().items()}

    def outcomes(self) -> dict[str, str | None]:
        """Give the outcome for each upload, by upload id."""
        return {
            name: None if event.result.outcome is None else str(event.result.outcome)
            for name, event in self.uploads().items()
        }


def sweeper(sandbox: Sandbox, *targets: Target, ear: Ear | None = None, **more: Any) -> Sweeper:
    """Make a sweeper that enforces, on the sandbox's clock, and remembers every upload.

    Whoever is at work (`support.workforce`) makes its requests.
    """
    settings = {"mode": "enforce", "execution": Execution(concurrency=8)}
    settings |= more.pop("settings", {})
    return WorkedSweeper(
        employed(Settings(targets=targets, **settings)),  # type: ignore[arg-type]  # tests pass what fits
        observers=[ear] if ear is not None else [],
        now=more.pop("now", sandbox.clock.now),
        patience=HASTE,
        every_upload=True,
        **more,
    )


def days(count: float) -> timedelta:
    """Say days."""
    return timedelta(days=count)


def hours(count: float) -> timedelta:
    """Say hours."""
    return timedelta(hours=count)


def at(text: str) -> datetime:
    """Say an instant."""
    return datetime.fromisoformat(text)
