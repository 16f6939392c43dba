"""An abort relies on a look that was just taken: whoever has to wait for his keys looks again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from support.harness import BY_ACTIVITY, EVERY_WAY, Ear, Harness, sweeper
from support.roles import WAYS, fleet

from janitor import providers
from janitor.errors import Unsent
from janitor.model import ContainerRef, Upload
from janitor.providers import aws_keys
from janitor.providers.aws_clients import AwsCommon
from janitor.providers.aws_keys import Role
from janitor.providers.common import Common
from janitor.sandbox import Sandbox
from janitor.sandbox.wire import Call
from janitor.targets import Execution

pytest_plugins = ("support.sandbox_fixtures",)

# What STS takes is more than may be waited for; no quiet machine is needed for that.
PROMPT, SLOW = 0.2, 0.4


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Harness:
    """Take all services that know roles, and both ways to send requests to them."""
    return EVERY_WAY[request.param]


@pytest.fixture
def slow_sts(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let STS think for a while."""
    monkeypatch.setattr(aws_keys, "PROMPT", PROMPT)
    never = threading.Event()
    sandbox.on("sts.assume_role", lambda _: never.wait(SLOW))
    yield
    never.set()


@pytest.mark.usefixtures("slow_sts")
def test_an_abort_that_would_be_late_is_not_sent(
    sandbox: Sandbox, way: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is, once the keys are at hand."""
    (target,) = fleet(sandbox, way, 1)
    (upload_id,) = way.store(sandbox).upload_ids("container-0")
    where = ContainerRef(target.name, way.provider, "container-0")
    key = "key" if way.has_keys else None
    upload = Upload(where, key, upload_id, datetime.now(UTC))
    operation = f"{way.provider}.abort"
    with Common() as common:
        aborter = providers.load(way.provider).aborter(target, Execution(), common)
        with pytest.raises(Unsent):
            aborter.abort(upload)
        early = len(sandbox.journal.entries(operation))
        monkeypatch.setattr(aws_keys, "PROMPT", 600.0)
        aborter.abort(upload)

    assert (0, 1) == (early, len(sandbox.journal.entries(operation)))


# A vault says that it aborted what was gone before.
@pytest.mark.parametrize("way", ["s3", "s3-sdk"], indirect=True)
@pytest.mark.usefixtures("slow_sts")
def test_who_aborts_meanwhile_is_not_us(
    sandbox: Sandbox, way: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys end after the look, and somebody else aborts until new ones are there: so it is said."""
    (target,) = fleet(sandbox, way, 1)
    (upload_id,) = way.store(sandbox).upload_ids("container-0")
    commons: list[AwsCommon] = []
    real = AwsCommon.__init__

    def kept(self: AwsCommon, most: int = 2) -> None:
        real(self, most)
        commons.append(self)

    looks: list[Call] = []

    def end_keys(call: Call) -> None:
        looks.append(call)
        for keys in commons[0]._keys.values():  # noqa: SLF001  # no test waits so long
            if isinstance(keys, Role):
                keys._due_at = keys._ends_at = datetime.now(UTC)  # noqa: SLF001  # the same

    def abort(_: Call) -> None:
        if looks and way.store(sandbox).upload_ids("container-0"):
            way.store(sandbox).abort("container-0", upload_id)

    monkeypatch.setattr(AwsCommon, "__init__", kept)
    # That is the last of the looks before an abort.
    sandbox.on("s3.head_object", end_keys)
    sandbox.on("sts.assume_role", abort)
    ear = Ear()
    sweeper(sandbox, replace(target, policy=BY_ACTIVITY), ear=ear).sweep()

    assert {upload_id: "already_gone"} == ear.outcomes()
