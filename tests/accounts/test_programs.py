"""Programs that give credentials, as the files of the SDK name them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.harness import BY_AGE, EVERY_WAY, Harness, sweeper
from support.roles import WAYS

from janitor.errors import Transient
from janitor.model import TargetOutcome
from janitor.providers import aws_keys
from janitor.providers.aws import Access
from janitor.providers.aws_clients import AwsCommon
from janitor.sandbox import Sandbox
from janitor.targets import AwsIdentity, Execution, GlacierOptions, Reach, S3Options, Target

pytest_plugins = ("support.sandbox_fixtures",)

LONGEST = 60
PROFILE = "made-by-a-program"


class Program:
    """Gives the sandbox's credentials, but not before it may."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self.go, self._calls = folder / "go", folder / "calls"
        said = {
            "Version": 1,
            "AccessKeyId": sandbox.access_key_id,
            "SecretAccessKey": sandbox.secret_access_key,
        }
        (folder / "said").write_text(json.dumps(said))
        program = folder / "program"
        program.write_text(
            f"#!/bin/sh\necho >> {self._calls}\n"
            f"while ! [ -e {self.go} ]; do sleep 0.05; done\ncat {folder / 'said'}\n"
        )
        program.chmod(0o755)
        self.config = folder / "config"
        self.config.write_text(f"[profile {PROFILE}]\ncredential_process = {program}\n")

    @property
    def calls(self) -> int:
        """Count how often it was started, once it was."""
        until = time.monotonic() + LONGEST
        while not self._calls.exists():
            assert time.monotonic() < until
            time.sleep(0.01)
        return len(self._calls.read_text().splitlines())


@pytest.fixture
def program(tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Program]:
    """Name a program in the files of the SDK, and let it end in the end."""
    made = Program(tmp_path, sandbox)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(made.config))
    yield made
    made.go.touch()


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Harness:
    """Take all services that take credentials from there, and both ways to send requests."""
    return EVERY_WAY[request.param]


def target(sandbox: Sandbox, way: Harness, name: str, identity: AwsIdentity | None) -> Target:
    """Point a target at a container of its name."""
    way.add_container(sandbox, name)
    way.add(sandbox, name)
    options = way.options(sandbox)
    assert isinstance(options, GlacierOptions | S3Options)
    options = options if identity is None else replace(options, identity=identity)
    return way.target(sandbox, name, name=name, options=options, policy=BY_AGE)


def test_a_program_that_gives_credentials(sandbox: Sandbox, way: Harness, program: Program) -> None:
    """Once for all that is done with them."""
    program.go.touch()
    done = sweeper(sandbox, target(sandbox, way, "program", AwsIdentity(profile=PROFILE))).sweep()

    assert [(TargetOutcome.COMPLETE, 1)] == [(r.outcome, r.aborted) for r in done.results]
    assert 1 == program.calls


def test_a_program_that_hangs_ends_no_sweep_but_its_own(
    sandbox: Sandbox, way: Harness, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is waited for as long as it may take, it is not started again, and the others go on."""
    monkeypatch.setattr(aws_keys, "PATIENCE", 0.3)
    targets = (
        target(sandbox, way, "program", AwsIdentity(profile=PROFILE)),
        target(sandbox, way, "other", None),
    )
    done = sweeper(sandbox, *targets).sweep()
    found = {r.where.target: (r.outcome, r.aborted) for r in done.results}

    assert {
        "program": (TargetOutcome.INCOMPLETE, 0),
        "other": (TargetOutcome.COMPLETE, 1),
    } == found
    assert 1 == program.calls


def test_what_came_too_late_is_used_by_whoever_asks_again(
    sandbox: Sandbox, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program is not started for each of them."""
    access = Access(AwsIdentity(profile=PROFILE), Reach(), "us-east-1", Execution())
    keys = AwsCommon().keys(access)
    monkeypatch.setattr(aws_keys, "PATIENCE", 0.05)
    with pytest.raises(Transient, match="were not there"):
        keys.get_frozen_credentials()
    monkeypatch.setattr(aws_keys, "PATIENCE", LONGEST)
    program.go.touch()

    assert sandbox.access_key_id == keys.get_frozen_credentials().access_key
    assert 1 == program.calls
