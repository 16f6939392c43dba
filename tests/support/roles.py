"""Accounts that have a role each, on the sandbox."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from janitor.sandbox import Sandbox
from janitor.sandbox.identity import ACCOUNT_ID
from janitor.targets import (
    AssumeRole,
    AwsIdentity,
    Credentials,
    GlacierOptions,
    S3Options,
    Secret,
    Target,
)
from support.harness import BY_AGE, Harness

# All services that know roles, and both ways to send requests to them.
WAYS = ("glacier", "glacier-sdk", "s3", "s3-sdk")


def role(number: int) -> str:
    """Name a role: the sandbox has one account, so that it is the roles that are many."""
    return f"arn:aws:iam::{ACCOUNT_ID}:role/janitor-{number}"


def target(sandbox: Sandbox, way: Harness, number: int) -> Target:
    """Point a target at the container of one account, as a fleet's entry does."""
    options = way.options(sandbox)
    assert isinstance(options, GlacierOptions | S3Options)
    keys = Credentials(sandbox.access_key_id, Secret(sandbox.secret_access_key))
    identity = AwsIdentity(
        credentials=keys,
        assume_role=AssumeRole(role(number), sts_endpoint_url=sandbox.sts_url),
        caller_account=ACCOUNT_ID,
        sts_endpoint_url=sandbox.sts_url,
    )
    return Target(
        name=f"fleet-{number}",
        provider=way.provider,  # type: ignore[arg-type]  # a test names only what exists
        containers=(f"container-{number}",),
        options=replace(options, identity=identity),
        policy=BY_AGE,
    )


def fleet(sandbox: Sandbox, way: Harness, count: int) -> Sequence[Target]:
    """Give accounts with one container and one stale upload each."""
    for number in range(count):
        sandbox.add_role(role(number))
        way.add_container(sandbox, f"container-{number}")
        way.add(sandbox, f"container-{number}")
    return [target(sandbox, way, number) for number in range(count)]
