"""From one entry with many accounts to one target for each, and back. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby

from janitor.targets import ACCOUNT, Fleet, GlacierOptions, Options, QingStorOptions, Target

# So many accounts of an entry are named one by one where all are to be named.
FEW = 5


def expanded(target: Target, accounts: Iterable[str]) -> Iterator[Target]:
    """Give the targets of a fleet: each by a role of its account, whose containers must be its."""
    options = target.options
    if isinstance(options, QingStorOptions) or options.identity.assume_role is None:
        msg = f"target {target.name} has no role, which accounts need"  # checked before
        raise ValueError(msg)
    role = options.identity.assume_role
    fleet = Fleet(target.name, role.role_arn)
    for account in accounts:
        theirs = replace(role, role_arn=role.role_arn.replace(ACCOUNT, account))
        identity = replace(options.identity, assume_role=theirs, caller_account=account)
        own: Options = (
            replace(options, identity=identity, account_id=account)
            if isinstance(options, GlacierOptions)
            else replace(options, identity=identity, expected_owner=account)
        )
        yield replace(target, name=f"{target.name}-{account}", options=own, fleet=fleet)


def grouped(targets: Iterable[Target]) -> Iterator[tuple[Target, tuple[str, ...]]]:
    """Give the first target of each entry, and the accounts that the entry stands for."""
    for fleet, members in groupby(targets, key=lambda target: target.fleet):
        if fleet is None:
            yield from ((target, ()) for target in members)
            continue
        found = list(members)
        yield found[0], tuple(target.name[len(fleet.name) + 1 :] for target in found)


def named(targets: Iterable[Target]) -> Iterator[str]:
    """Name all targets; those of an entry with many accounts by the entry and their number."""
    for target, accounts in grouped(targets):
        if target.fleet is None:
            yield target.name
        elif len(accounts) <= FEW:
            yield from (f"{target.fleet.name}-{account}" for account in accounts)
        else:
            yield f"{target.fleet.name} in {len(accounts):,} accounts"
