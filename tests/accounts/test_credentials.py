"""Credentials that somebody is asked for: once at a time, and never in the way of others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import ConnectTimeoutError, NoCredentialsError
from support.in_fibers import in_fiber

from janitor.errors import Denied, Incomplete, Transient
from janitor.fibers import Hub
from janitor.providers.aws_keys import Asked, Chain, Role
from janitor.targets import AssumeRole

PATIENCE = 30
ROLE = AssumeRole("arn:aws:iam::012345678901:role/janitor", external_id="let-me-in")


def keys(name: str) -> ReadOnlyCredentials:
    """Give credentials that differ by name."""
    return ReadOnlyCredentials(name, "secret", "token")


class Scripted(Asked):
    """Credentials that end when a test says so, from somebody who answers when it says so."""

    def __init__(self, *answers: object) -> None:
        super().__init__("somebody")
        self.answers = list(answers)
        self.due = self.good = True
        self.asked = 0
        self.hears, self.answers_now = threading.Event(), threading.Event()
        self.answers_now.set()

    def ask(self) -> ReadOnlyCredentials:
        """Give the next answer."""
        self.asked += 1
        self.hears.set()
        assert self.answers_now.wait(PATIENCE)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def is_due(self) -> bool:
        """Say what the test says."""
        return self.due

    def good_for(self) -> float:
        """Say what the test says."""
        return PATIENCE if self.good else 0.0


@pytest.fixture
def hub() -> Iterator[Hub]:
    """Give a hub, and end its thread."""
    made = Hub("test")
    yield made
    made.close()


Begin = Callable[[Callable[[], Any]], Future[Any]]


@pytest.fixture(params=["threads", "fibers"])
def begin(request: pytest.FixtureRequest, hub: Hub) -> Iterator[Begin]:
    """Give what runs a function beside others: in a thread, or in a fiber of one thread."""
    if request.param == "fibers":
        yield lambda function: in_fiber(hub, function)
    else:
        with ThreadPoolExecutor(64) as pool:
            yield pool.submit


def test_nobody_is_asked_twice_at_once(begin: Begin) -> None:
    """Fifty who need them wait for one answer, and others of their thread go on meanwhile."""
    asked = Scripted(keys("a"))
    asked.answers_now.clear()
    waiting = [begin(asked.get_frozen_credentials) for _ in range(50)]
    assert asked.hears.wait(PATIENCE)
    asked.due = False
    other = begin(Scripted(keys("b")).get_frozen_credentials).result(PATIENCE)
    asked.answers_now.set()
    found = {each.result(PATIENCE).access_key for each in waiting}

    assert ({"a"}, "b", 1) == (found, other.access_key, asked.asked)


def test_a_failure_is_told_to_all_who_wait(begin: Begin) -> None:
    """One timeout for all of them, and not one after the other; whoever comes later asks again."""
    asked = Scripted(Transient("nobody answers", code="connection"), keys("a"))
    asked.answers_now.clear()
    first = begin(asked.get_frozen_credentials)
    assert asked.hears.wait(PATIENCE)
    waiting = [begin(asked.get_frozen_credentials) for _ in range(20)]
    # So that all of them are waiting: they are begun in turn.
    begin(lambda: None).result(PATIENCE)
    asked.answers_now.set()
    failures = [each.exception(PATIENCE) for each in (first, *waiting)]
    told = [failure for failure in failures if failure is not None]

    assert all(isinstance(failure, Transient) for failure in told)
    assert isinstance(failures[0], Transient)
    assert asked.asked <= 2
    assert "a" == begin(asked.get_frozen_credentials).result(PATIENCE).access_key


def test_the_old_ones_are_used_while_somebody_renews_them(begin: Begin) -> None:
    """Whoever is asked may hang; only the one who asks waits for it."""
    asked = Scripted(keys("old"), keys("new"))
    begin(asked.get_frozen_credentials).result(PATIENCE)
    asked._rests_until = 0.0  # noqa: SLF001  # no test waits so long
    asked.hears.clear()
    asked.answers_now.clear()
    renewing = begin(asked.get_frozen_credentials)
    assert asked.hears.wait(PATIENCE)
    meanwhile = begin(asked.get_frozen_credentials).result(PATIENCE)
    asked.answers_now.set()

    assert ("old", "new") == (meanwhile.access_key, renewing.result(PATIENCE).access_key)


def test_a_renewal_that_fails_is_not_repeated_by_each_request(begin: Begin) -> None:
    """The old ones are used on, as long as they are good; then the failure is everybody's."""
    asked = Scripted(keys("old"), Transient("no"), Denied("never"))
    begin(asked.get_frozen_credentials).result(PATIENCE)
    asked._rests_until = 0.0  # noqa: SLF001  # no test waits so long
    used = [begin(asked.get_frozen_credentials).result(PATIENCE).access_key for _ in range(5)]
    before = asked.asked
    asked.good = False

    assert (["old"] * 5, 2) == (used, before)
    assert isinstance(begin(asked.get_frozen_credentials).exception(PATIENCE), Denied)


class Sts:
    """Answers what a test wants for credentials of a role."""

    def __init__(self, **changes: Any) -> None:
        self.changes = changes
        self.asked: list[dict[str, Any]] = []

    def __call__(self, **arguments: Any) -> dict[str, Any]:
        """Assume a role."""
        self.asked.append(arguments)
        left = self.changes.get("left", timedelta(hours=1))
        told = {
            "AccessKeyId": f"key-{len(self.asked)}",
            "SecretAccessKey": "secret",
            "SessionToken": "token",
            "Expiration": (datetime.now(UTC) + left).isoformat(),
        }
        user = {"Arn": self.changes.get("arn", "arn:aws:sts::012345678901:assumed-role/janitor/a")}
        return {"Credentials": told | self.changes.get("told", {}), "AssumedRoleUser": user}


def test_a_role_is_assumed_with_what_the_config_says() -> None:
    """Once, for as long as its credentials last."""
    sts = Sts()
    role = Role(ROLE, sts)
    found = [role.get_frozen_credentials() for _ in range(3)]
    arguments = {
        "RoleArn": ROLE.role_arn,
        "RoleSessionName": "upload-janitor",
        "ExternalId": "let-me-in",
    }

    assert [("key-1", "secret", "token")] * 3 == [each[:3] for each in found]
    assert [arguments] == sts.asked


def test_credentials_of_a_role_are_renewed_before_they_end() -> None:
    """Nine minutes before their end they are good, and others are asked for all the same."""
    sts = Sts()
    role = Role(ROLE, sts)
    role.get_frozen_credentials()
    role._due_at = datetime.now(UTC)  # noqa: SLF001  # no test waits so long
    role._rests_until = 0.0  # noqa: SLF001  # the same

    assert role.good_for() > 0
    assert "key-2" == role.get_frozen_credentials().access_key
    assert not role.is_due()


class Seen(Role):
    """A role that lets a test in between what STS said and what is made of it."""

    between: Callable[[], None] = staticmethod(lambda: None)

    def ask(self) -> ReadOnlyCredentials:
        """Assume the role."""
        found = super().ask()
        self.between()
        return found


def test_credentials_that_have_ended_are_not_used_while_new_ones_arrive(begin: Begin) -> None:
    """Whoever comes when STS has answered, and nobody was told yet, waits for that moment."""
    role = Seen(ROLE, Sts())
    role.get_frozen_credentials()
    role._due_at = role._ends_at = datetime.now(UTC)  # noqa: SLF001  # no test waits so long
    others: list[Future[Any]] = []

    def come() -> None:
        others.append(begin(role.get_frozen_credentials))
        inquiry = role._inquiry  # noqa: SLF001  # nothing else tells who waits
        assert inquiry is not None
        until = time.monotonic() + PATIENCE
        while not (others[0].done() or inquiry._waiting):  # noqa: SLF001  # the same
            assert time.monotonic() < until
            time.sleep(0.001)

    role.between = come
    first = begin(role.get_frozen_credentials).result(PATIENCE)

    assert ("key-2", "key-2") == (first.access_key, others[0].result(PATIENCE).access_key)


def test_short_lived_credentials_are_not_asked_for_again_and_again() -> None:
    """A store may give them for less time than we would like to have left."""
    sts = Sts(left=timedelta(minutes=8))
    role = Role(ROLE, sts)
    for _ in range(3):
        role.get_frozen_credentials()

    assert 1 == len(sts.asked)


@pytest.mark.parametrize(
    ("sts", "kind"),
    [
        (Sts(left=-timedelta(seconds=1)), Denied),
        (Sts(told={"Expiration": None}), Incomplete),
        (Sts(told={"Expiration": "2026-11-20"}), Incomplete),
        (Sts(told={"SecretAccessKey": ""}), Incomplete),
        (Sts(told={"SessionToken": None}), Incomplete),
    ],
)
def test_no_half_credentials_are_used(sts: Sts, kind: type[Exception]) -> None:
    """Those that have ended, or lack something, are none."""
    role = Role(ROLE, sts)
    with pytest.raises(kind):
        role.get_frozen_credentials()


def test_what_sts_says_is_told_in_our_words() -> None:
    """A failure of the SDK is one of the target's."""

    def hangs(**_: object) -> dict[str, Any]:
        raise ConnectTimeoutError(endpoint_url="http://sts.test")

    with pytest.raises(Transient, match="assume_role"):
        Role(ROLE, hangs).get_frozen_credentials()


def test_the_chain_of_the_sdk_is_searched_once() -> None:
    """And those that never end are never asked for again."""
    searched: list[int] = []

    def find() -> Credentials:
        searched.append(1)
        return Credentials("a", "b")

    chain = Chain(find)
    found = [chain.get_frozen_credentials().access_key for _ in range(3)]

    assert (["a"] * 3, [1]) == (found, searched)


def test_where_nobody_has_credentials_it_is_said() -> None:
    """As the SDK says it."""
    with pytest.raises(NoCredentialsError):
        Chain(lambda: None).get_frozen_credentials()


@pytest.mark.parametrize(
    ("arn", "account"),
    [
        ("arn:aws:sts::012345678901:assumed-role/janitor/upload-janitor", "012345678901"),
        ("arn:aws-cn:sts::012345678901:assumed-role/janitor/x", "012345678901"),
        ("arn:aws:sts::12345:assumed-role/janitor/x", None),
        ("arn:aws:iam::012345678901:user/somebody", None),
        ("", None),
    ],
)
def test_a_role_tells_whose_it_is(arn: str, account: str | None) -> None:
    """As STS said it; compatible ones say other things, and have to be asked."""
    role = Role(ROLE, Sts(arn=arn))
    role.get_frozen_credentials()

    assert account == role.account
