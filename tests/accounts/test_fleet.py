"""Many accounts, each with a role: they share what costs, and a broken one breaks no other."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
import time_machine
from botocore.session import Session
from support.harness import EVERY_WAY, Harness, sweeper
from support.roles import WAYS, fleet, role

from janitor import providers
from janitor.errors import Denied
from janitor.model import ContainerResult, TargetOutcome
from janitor.observe.events import SweepFinished
from janitor.providers.aws_clients import AwsCommon
from janitor.providers.common import Common
from janitor.sandbox import Fault, FaultKind, Sandbox
from janitor.sandbox.identity import ACCOUNT_ID
from janitor.sandbox.journal import Entry
from janitor.sandbox.wire import Call
from janitor.targets import Execution, GlacierOptions, S3Options, Target

pytest_plugins = ("support.sandbox_fixtures",)

PATIENCE = 60
COUNT = 12
BROKEN = 5
# Long enough for a busy machine, and for three tries that hang.
EXECUTION = Execution(concurrency=16, read_timeout=timedelta(seconds=4))


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Harness:
    """Take all services that know roles, and both ways to send requests to them."""
    return EVERY_WAY[request.param]


def swept(sandbox: Sandbox, targets: Sequence[Target], **more: Any) -> SweepFinished:
    """Sweep them all."""
    return sweeper(sandbox, *targets, settings={"execution": EXECUTION}, **more).sweep()


def outcomes(done: SweepFinished) -> dict[int, tuple[TargetOutcome, int]]:
    """Give what became of each account's container, or of the account itself."""
    found: dict[int, ContainerResult] = {
        int(r.where.target.removeprefix("fleet-")): r for r in done.results
    }
    assert len(found) == len(done.results)
    return {number: (r.outcome, r.aborted) for number, r in found.items()}


def asked(sandbox: Sandbox, operation: str) -> Sequence[Entry]:
    """Give the requests of a kind that the sandbox saw."""
    return sandbox.journal.entries(operation)


def of_account(call: Call, number: int) -> bool:
    """Whether somebody asks to assume the role of an account."""
    return [role(number)] == parse_qs(call.request.body.decode()).get("RoleArn")


def expected(broken: TargetOutcome) -> dict[int, tuple[TargetOutcome, int]]:
    """Say what becomes of all where one of them is broken."""
    fine = dict.fromkeys(range(COUNT), (TargetOutcome.COMPLETE, 1))
    return fine | {BROKEN: (broken, 0)}


def test_each_account_is_asked_for_its_role_once(sandbox: Sandbox, way: Harness) -> None:
    """To read, to abort, and to tell whose credentials they are."""
    targets = fleet(sandbox, way, COUNT)
    done = swept(sandbox, targets)
    aborted_by = {e.container: e.access_key_id for e in asked(sandbox, f"{way.provider}.abort")}
    listed_by = {
        e.container: e.access_key_id for e in asked(sandbox, f"{way.provider}.list_uploads")
    }

    assert dict.fromkeys(range(COUNT), (TargetOutcome.COMPLETE, 1)) == outcomes(done)
    assert COUNT == len(asked(sandbox, "sts.assume_role"))
    assert [] == asked(sandbox, "sts.get_caller_identity")
    assert aborted_by == listed_by
    assert COUNT == len(set(listed_by.values()))
    assert sandbox.access_key_id not in listed_by.values()


def test_accounts_share_their_clients(
    sandbox: Sandbox, way: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One to read, one to abort, and one for STS, whether there are ten accounts or a thousand."""
    made: Counter[str] = Counter()
    real = Session.create_client

    def client(self: Session, service: str, **more: Any) -> Any:
        made[service] += 1
        return real(self, service, **more)

    monkeypatch.setattr(Session, "create_client", client)
    swept(sandbox, fleet(sandbox, way, COUNT))

    assert {way.provider: 2, "sts": 1} == made


def test_few_clients_are_kept(
    sandbox: Sandbox, way: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where each account needs clients of its own they come and go, and nothing else changes."""
    kept: list[AwsCommon] = []
    real = AwsCommon.__init__

    def few(self: AwsCommon, most: int = 2) -> None:
        real(self, most)
        kept.append(self)

    monkeypatch.setattr(AwsCommon, "__init__", few)
    sandbox.options.check_region = False
    found = enumerate(fleet(sandbox, way, COUNT))
    targets = [_in_region(each, f"xx-made-{number}") for number, each in found]
    done = swept(sandbox, targets)

    assert dict.fromkeys(range(COUNT), (TargetOutcome.COMPLETE, 1)) == outcomes(done)
    assert [0] == [len(each.clients) for each in kept]


def _in_region(target: Target, region: str) -> Target:
    options = target.options
    assert isinstance(options, GlacierOptions | S3Options)
    return replace(target, options=replace(options, region=region))


def test_a_role_that_may_not_be_assumed(sandbox: Sandbox, way: Harness) -> None:
    """Its account is forbidden, and asked once; all others are as if it were not there."""
    targets = fleet(sandbox, way, COUNT)
    sandbox.world.keys._roles.pop(role(BROKEN))  # noqa: SLF001  # as somebody deletes it
    done = swept(sandbox, targets)

    assert expected(TargetOutcome.FORBIDDEN) == outcomes(done)
    assert COUNT == len(asked(sandbox, "sts.assume_role"))


def test_a_role_that_hangs(sandbox: Sandbox, way: Harness) -> None:
    """STS never answers for one account: its time passes, and the others do not mind."""
    targets = fleet(sandbox, way, COUNT)
    over = threading.Event()

    def hang(call: Call) -> None:
        if of_account(call, BROKEN):
            assert over.wait(PATIENCE)

    sandbox.on("sts.assume_role", hang)
    done = swept(sandbox, targets)
    over.set()

    assert expected(TargetOutcome.INCOMPLETE) == outcomes(done)


SICK = (
    Fault(operation="sts.assume_role", status=503, nth=4),
    Fault(operation="sts.assume_role", kind=FaultKind.HTML_BODY, nth=4),
    Fault(operation="sts.assume_role", kind=FaultKind.EMPTY_BODY, nth=4),
    Fault(operation="sts.assume_role", kind=FaultKind.CUT_BODY, nth=4),
    Fault(operation="sts.assume_role", kind=FaultKind.DROP_BEFORE, nth=4),
)


@pytest.mark.parametrize("fault", SICK, ids=lambda fault: f"{fault.operation}-{fault.kind}")
def test_an_sts_that_is_sick_now_and_then(sandbox: Sandbox, way: Harness, fault: Fault) -> None:
    """One bad answer is asked again, and costs nobody his sweep."""
    targets = fleet(sandbox, way, COUNT)
    sandbox.faults.add(fault)
    done = swept(sandbox, targets)

    assert [] == sandbox.faults.unused()
    assert dict.fromkeys(range(COUNT), (TargetOutcome.COMPLETE, 1)) == outcomes(done)


def test_credentials_are_renewed_while_they_are_used(sandbox: Sandbox, way: Harness) -> None:
    """Each account's by itself, before they end; the old ones are not used after that."""
    targets = fleet(sandbox, way, 2)
    module, later = providers.load(way.provider), datetime.now(UTC) + timedelta(minutes=55)
    with Common() as common:
        readers = []
        for each in targets:
            connection = module.connect(each, EXECUTION, common)
            connection.identify()
            readers.append(connection.reader(each.containers[0]))
            readers[-1].list_page(None)
        with time_machine.travel(later):
            readers[1].list_page(None)
            readers[1].list_page(None)
    listed_by = [e.access_key_id for e in asked(sandbox, f"{way.provider}.list_uploads")]

    assert 3 == len(asked(sandbox, "sts.assume_role"))
    assert listed_by[2] == listed_by[3]
    assert 3 == len(set(listed_by))


def test_a_connection_of_its_own_is_closed_with_it(sandbox: Sandbox, way: Harness) -> None:
    """Whoever shares nothing with anybody closes all; calling twice is fine."""
    (each,) = fleet(sandbox, way, 1)
    with closing(providers.load(way.provider).connect(each, EXECUTION)) as connection:
        found: Any = connection
        connection.identify()
        session = found._session if way.provider == "glacier" else found._clients  # noqa: SLF001  # nothing else tells
        before = len(session.common.clients)
    connection.close()

    assert (2, 0) == (before, len(session.common.clients))


def test_a_role_that_is_lost_on_the_way_is_told(sandbox: Sandbox, way: Harness) -> None:
    """STS refuses to renew, and the old credentials have ended: the account is forbidden."""
    (each,) = fleet(sandbox, way, 1)
    with Common() as common:
        connection = providers.load(way.provider).connect(each, EXECUTION, common)
        connection.identify()
        reader = connection.reader(each.containers[0])
        reader.list_page(None)
        sandbox.world.keys._roles.clear()  # noqa: SLF001  # as somebody deletes it
        later = datetime.now(UTC) + timedelta(minutes=61)
        with time_machine.travel(later), pytest.raises(Denied, match="assume_role"):
            reader.list_page(None)

    assert 2 == len(asked(sandbox, "sts.assume_role"))


@pytest.mark.parametrize("fine", [True, False])
def test_the_account_of_a_role_is_made_sure_of(
    sandbox: Sandbox, way: Harness, *, fine: bool
) -> None:
    """STS says it when the role is assumed; where it is another one nothing is listed."""
    (each,) = fleet(sandbox, way, 1)
    options = each.options
    assert isinstance(options, GlacierOptions | S3Options)
    account = ACCOUNT_ID if fine else "999999999999"
    identity = replace(options.identity, caller_account=account)
    done = swept(sandbox, [replace(each, options=replace(options, identity=identity))])
    outcome = TargetOutcome.COMPLETE if fine else TargetOutcome.WRONG_IDENTITY

    assert {0: (outcome, int(fine))} == outcomes(done)
    assert fine == bool(asked(sandbox, f"{way.provider}.list_uploads"))


def test_to_open_an_account_has_its_time(
    sandbox: Sandbox, way: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All others wait for it: when the time is over nobody is asked again who we are."""
    monkeypatch.setattr("janitor.sweep.opening.OPENING", 0.0)
    done = swept(sandbox, fleet(sandbox, way, 2))

    assert dict.fromkeys(range(2), (TargetOutcome.INCOMPLETE, 0)) == outcomes(done)
    assert [] == list(sandbox.journal)
