"""The accounts that one entry stands for, from the config or a file beside it; their checks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from janitor.settings.fields import ACCOUNT as ACCOUNT_ID
from janitor.settings.problems import Finding, KeyPath, Problem
from janitor.settings.sections import Sections
from janitor.settings.side_files import Beside
from janitor.settings.source import Unreadable, read_beside
from janitor.settings.target_models import GlacierModel, QingStorModel, S3Model
from janitor.targets import ACCOUNT, is_glob

# A name and "-" and twelve digits must still be a name.
LONGEST_NAME = 50
_SET_BY_ACCOUNTS = ("expected_owner", "account_id", "caller_account")
_ROLE = f'assume_role: {{role_arn: "arn:aws:iam::{ACCOUNT}:role/janitor"}}'


@dataclass(slots=True)
class Accounts:
    """What was found: the accounts by position of target, and what is wrong."""

    by_index: dict[int, tuple[str, ...] | None] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def collect_accounts(sections: Sections, beside: Beside) -> Accounts:
    """Read the accounts of all targets that have any."""
    found = Accounts()
    for index, target in sections.targets.items():
        if isinstance(target, QingStorModel):
            continue
        path = ("targets", index)
        found.findings += _check(path, target)
        if target.accounts_file is not None:
            found.by_index[index] = _read(found, (*path, "accounts_file"), target, beside)
        elif target.accounts is not None:
            found.by_index[index] = tuple(dict.fromkeys(target.accounts)) or None
            found.findings += _check_list((*path, "accounts"), target.accounts)
    return found


def _read(
    found: Accounts, path: KeyPath, target: GlacierModel | S3Model, beside: Beside
) -> tuple[str, ...] | None:
    assert target.accounts_file is not None  # noqa: S101  # for mypy: the caller has looked
    try:
        text = read_beside(beside.path(target.accounts_file)).decode("utf-8-sig")
    except Unreadable as error:
        found.findings.append(Finding(path, str(error)))
        return None
    except UnicodeDecodeError:
        found.findings.append(Finding(path, "is not UTF-8: write one account in each line"))
        return None
    lines = dict(_lines(text))
    if not lines:
        found.findings.append(Finding(path, "has no account: write one in each line"))
        return None
    name = beside.shown(target.accounts_file)
    problems = [Problem(name, *said) for said in _wrong(lines)]
    found.problems += problems
    return None if problems else tuple(lines.values())


def _lines(text: str) -> Iterator[tuple[tuple[int, int], str]]:
    """Give what is in each line, and where, without comments."""
    for number, line in enumerate(text.splitlines(), 1):
        said = line.partition("#")[0]
        if said.strip():
            yield (number, len(said) - len(said.lstrip()) + 1), said.strip()


def _wrong(lines: dict[tuple[int, int], str]) -> Iterator[tuple[int, int, str, str]]:
    seen: set[str] = set()
    for (line, column), account in lines.items():
        if re.fullmatch(ACCOUNT_ID, account) is None:
            yield line, column, "", "must be the 12 digits of an account, alone in its line"
        elif account in seen:
            yield line, column, "", "is in the file twice: remove one"
        seen.add(account)


def _check_list(path: KeyPath, accounts: list[str]) -> Iterator[Finding]:
    if not accounts:
        yield Finding(path, 'is empty: say ["012345678901"], or remove the key')
    for position, account in enumerate(accounts):
        if account in accounts[:position]:
            yield Finding((*path, position), "is in the list twice: remove one")


def _check(path: KeyPath, target: GlacierModel | S3Model) -> Iterator[Finding]:
    said = target.model_fields_set
    role = target.assume_role
    keys = [key for key in ("accounts", "accounts_file") if getattr(target, key) is not None]
    if not keys:
        if role is not None and ACCOUNT in role.role_arn:
            sentence = f"has {ACCOUNT}, but there are no accounts: say accounts, or write the id"
            yield Finding((*path, "assume_role", "role_arn"), sentence)
        return
    key = (*path, keys[0])
    if len(keys) > 1:
        yield Finding((*path, keys[1]), "contradicts accounts: keep one of the two")
    if role is None:
        sentence = f"needs a role to be in each account: say {_ROLE} too"
        yield Finding(key, sentence, on_key=True)
    elif ACCOUNT not in role.role_arn:
        sentence = f"is the role of one account: write {ACCOUNT} where the account's id belongs"
        yield Finding((*path, "assume_role", "role_arn"), sentence)
    if len(target.name) > LONGEST_NAME:
        sentence = f"must be at most {LONGEST_NAME} characters, because accounts are added to it"
        yield Finding((*path, "name"), sentence)
    for name in _SET_BY_ACCOUNTS:
        if name in said:
            sentence = f"contradicts {keys[0]}, which say it for each target: remove it"
            yield Finding((*path, name), sentence)
    if target.endpoint_url is not None and target.sts_endpoint_url is None:
        sentence = (
            "cannot be checked: with endpoint_url nobody knows where STS is, "
            "say sts_endpoint_url too"
        )
        yield Finding(key, sentence, on_key=True)


def check_fleets(sections: Sections) -> Iterator[Finding]:
    """Check what only the number of accounts shows: a bucket's name is in one account alone."""
    for index, accounts in sections.accounts.items():
        target = sections.targets[index]
        if isinstance(target, S3Model) and target.endpoint_url is None and len(accounts or ()) > 1:
            yield from _check_buckets(("targets", index, "buckets"), target.buckets)


def _check_buckets(path: KeyPath, buckets: Iterable[str]) -> Iterator[Finding]:
    for position, name in enumerate(buckets):
        if not is_glob(name):
            sentence = (
                f"is in one account only: say a glob, as {name[:40]}*, or a target of its own"
            )
            yield Finding((*path, position), sentence)
