"""One entry for many accounts: a target for each, by a role of its own."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from support.settings_samples import ARCHIVE, LAKE, Load, Refuse, errors_by_schema

from janitor.commands.sweep import chosen
from janitor.settings import show
from janitor.settings.expanding import named
from janitor.targets import AssumeRole, AwsIdentity, Fleet, GlacierOptions, S3Options

ROLE = """\
    assume_role:
      role_arn: arn:aws:iam::{account}:role/janitor
      external_id: of-us
"""
TWO = '    accounts: ["111111111111", "222222222222"]\n'
FLEET = LAKE.replace("[uploads]", '["*"]') + ROLE
TEMPLATE = "arn:aws:iam::{account}:role/janitor"


def role_in(account: str) -> AwsIdentity:
    """Give the identity in one account."""
    role = AssumeRole(f"arn:aws:iam::{account}:role/janitor", external_id="of-us")
    return AwsIdentity(assume_role=role, caller_account=account)


def test_each_account_is_a_target_of_its_own(load_text: Load) -> None:
    """With the role there, credentials that must be of it, and buckets that must be its."""
    first, second = load_text(f"version: 1\n{FLEET}{TWO}").targets

    assert ["lake-111111111111", "lake-222222222222"] == [first.name, second.name]
    assert (
        S3Options("eu-west-1", identity=role_in("111111111111"), expected_owner="111111111111")
        == first.options
    )
    assert Fleet("lake", TEMPLATE) == first.fleet
    assert (first.containers, first.policy) == (second.containers, second.policy)


def test_glacier_is_asked_for_the_account(load_text: Load) -> None:
    """There the account is part of every request."""
    text = f"version: 1\n{ARCHIVE}{ROLE}{TWO}"

    (_, second) = load_text(text).targets

    assert GlacierOptions("us-west-2", "222222222222", identity=role_in("222222222222")) == (
        second.options
    )


def test_accounts_come_from_a_file_too(load_text: Load, tmp_path: Path) -> None:
    """One in each line, with comments; the daemon watches the file as it does the config."""
    (tmp_path / "accounts.txt").write_text("\ufeff# ours\n111111111111\n\n 222222222222 # media\n")
    written = load_text(f"version: 1\n{FLEET}{TWO}")
    read = load_text(f"version: 1\n{FLEET}    accounts_file: accounts.txt\n")

    assert written == read
    assert (str(tmp_path / "accounts.txt"),) == read.side_files


def test_one_account_may_name_its_bucket(load_text: Load) -> None:
    """Only of several can it be in no more than one."""
    text = f'version: 1\n{LAKE}{ROLE}    accounts: ["111111111111"]\n'

    (target,) = load_text(text).targets

    assert ("uploads",) == target.containers


def test_a_rule_can_be_for_one_account_or_for_all(load_text: Load) -> None:
    """Rules know targets by their own names."""
    rules = """\
policy:
  rules:
    - {name: all, match: {target: "lake-*"}, action: keep}
    - {name: one, match: {target: lake-222222222222}, action: keep}
"""
    settings = load_text(f"version: 1\n{rules}{FLEET}{TWO}")

    assert 2 == len(settings.targets[0].policy.rules)


def test_a_rule_for_one_account_must_heed_the_floor(refuse: Refuse) -> None:
    """What is below it is found, whichever of the accounts it is about."""
    rules = """\
policy:
  rules:
    - {name: one, match: {target: lake-222222222222}, stale_after: 2h}
"""
    said = refuse(f"version: 1\n{rules}{FLEET}{TWO}")

    assert "policy.rules.0.stale_after: is below the floor of 24h" in said


def test_rules_are_not_blamed_for_accounts_that_cannot_be_read(refuse: Refuse) -> None:
    """Nobody knows what the targets would be called."""
    rules = "policy: {rules: [{name: one, match: {target: lake-1*}, action: keep}]}\n"
    said = refuse(f"version: 1\n{rules}{FLEET}    accounts_file: none.txt\n")

    assert 1 == len(said.splitlines())
    assert "targets.0.accounts_file: does not exist" in said


def test_an_entry_can_be_chosen_and_one_account_of_it(load_text: Load) -> None:
    """`--target` takes either."""
    settings = load_text(f"version: 1\n{FLEET}{TWO}{ARCHIVE.removeprefix('targets:')}")

    def names(*wanted: str) -> list[str]:
        return [target.name for target in chosen(settings, wanted).targets]

    assert ["lake-111111111111", "lake-222222222222"] == names("lake")
    assert ["lake-222222222222", "archive"] == names("archive", "lake-222222222222")
    with pytest.raises(click.BadParameter, match=r"no target 'x'; there are: archive, lake$"):
        names("x")


def test_an_entry_is_shown_as_one(load_text: Load) -> None:
    """Whoever has two thousand accounts can still read it."""
    shown = show(load_text(f"version: 1\n{FLEET}{TWO}"))

    assert 1 == shown.count("provider: s3")
    assert '    accounts: ["111111111111", "222222222222"]\n' in shown
    assert 'role_arn: "arn:aws:iam::{account}:role/janitor"\n' in shown
    assert "expected_owner" not in shown


def test_two_thousand_accounts_load_fast_and_are_small(load_text: Load, tmp_path: Path) -> None:
    """Seconds would be felt by every job; what they all have in common is held once."""
    ids = [f"{number:012}" for number in range(2000)]
    (tmp_path / "accounts.txt").write_text("\n".join(ids))
    settings = load_text(f"version: 1\n{FLEET}    accounts_file: accounts.txt\n")
    one = settings.targets[0]

    assert 2000 == len(settings.targets)
    assert all(target.policy is one.policy for target in settings.targets)
    assert all(target.containers is one.containers for target in settings.targets)
    assert settings == load_text(show(settings))


def test_an_editor_knows_accounts() -> None:
    """The schema takes what the loader takes."""
    target = {
        "name": "lake",
        "provider": "s3",
        "buckets": ["*"],
        "accounts": ["111111111111"],
        "assume_role": {"role_arn": TEMPLATE},
    }

    assert [] == errors_by_schema({"version": 1, "targets": [target]})


def test_a_file_of_thousands_is_read_and_named_in_short(load_text: Load, tmp_path: Path) -> None:
    """Whoever checks a config wants to see what it is about, and not two thousand names."""
    lines = [f"{number:012}" for number in range(2000)]
    (tmp_path / "accounts.txt").write_text("\n".join(lines))
    read = load_text(f"version: 1\n{FLEET}    accounts_file: accounts.txt\n")
    few = load_text(f"version: 1\n{FLEET}{TWO}")

    assert [f"lake-{line}" for line in lines] == [target.name for target in read.targets]
    assert ["lake in 2,000 accounts"] == list(named(read.targets))
    assert ["lake-111111111111", "lake-222222222222"] == list(named(few.targets))


def test_mistakes_in_a_file_of_thousands_have_their_lines(refuse: Refuse, tmp_path: Path) -> None:
    """All of them at once."""
    lines = [f"{number:012}" for number in range(2000)]
    lines[1500], lines[1999] = "1500", lines[7]
    (tmp_path / "accounts.txt").write_text("\n".join(lines))
    said = refuse(f"version: 1\n{FLEET}    accounts_file: accounts.txt\n")
    problems = [line.partition(": ")[0].rpartition("/")[2] for line in said.splitlines()]

    assert ["accounts.txt:1501:1", "accounts.txt:2000:1"] == problems
