from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.harness import EVERY_WAY, Ear, Harness
from support.workforce import BACKENDS
from support.workforce_fixtures import (
    _at_work,
    _present_workers,
    pytest_collection_modifyitems,
    workers,
)

from janitor.sandbox import Sandbox

__all__ = ["_at_work", "_present_workers", "pytest_collection_modifyitems", "workers"]

# What sweeps, and so has to hold on every backend.
SWEEPING = {"test_aborting", "test_listing", "test_permit", "test_safety_chain"}
# What makes no difference there, or means something else; with the reason.
# Other modules: how a target is reached, which keys are sent and what a refusal means is for the
# provider alone; how one listing is split is for whoever lists, and is tried where tests can say
# that it pays. Both are the same code in a worker.
NO_SWEEP = "there is no sweep in it"
OTHER_CLOCK = "a worker goes by its own machine's clock, which no test can move"
LEFT_OUT = {
    "test_a_date_beyond_the_calendar_is_no_date": NO_SWEEP,
    "test_a_lost_reply_and_a_long_wait_are_one_abort": OTHER_CLOCK,
    "test_a_part_that_arrives_before_a_repeated_abort_saves_the_upload": OTHER_CLOCK,
    "test_a_part_that_arrives_between_two_tries_saves_the_upload": OTHER_CLOCK,
    "test_a_qingstor_page_must_say_whether_there_is_more": NO_SWEEP,
    "test_aborting_twice_is_already_gone": NO_SWEEP,
    "test_an_incomplete_identity_cannot_be_built": NO_SWEEP,
    "test_an_unknown_provider_is_not_found": NO_SWEEP,
    "test_an_upload_that_never_was_is_gone": NO_SWEEP,
    "test_credentials_of_the_expected_account_work": "every worker asks whose its own are, too",
    "test_every_provider_declares_its_rights": NO_SWEEP,
    "test_every_provider_is_under_contract": NO_SWEEP,
    "test_qingstor_refuses_keys_that_could_be_rewritten": NO_SWEEP,
    "test_the_aborting_clients_send_aborts_only": NO_SWEEP,
    "test_the_lease_is_asked_for_again_before_an_abort_is_repeated": "workers have leases instead",
    "test_the_reading_clients_cannot_delete": NO_SWEEP,
    "test_without_the_lease_no_abort_is_sent": "here nothing is even intended without it",
    "test_the_stores_own_wrong_answers_are_unexpected": NO_SWEEP,
}
# By threads each way to send requests, by workers one of them: the other suites have the rest.
WAYS = [
    *((way, "threads") for way in sorted(EVERY_WAY)),
    *((way, "processes" if way.endswith("-sdk") else "dask") for way in sorted(EVERY_WAY)),
]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Take each provider in turn, by both ways to send requests; let each backend sweep."""
    sweeps = metafunc.module.__name__ in SWEEPING and metafunc.function.__name__ not in LEFT_OUT
    if "harness" in metafunc.fixturenames:
        ways = WAYS if sweeps else [pair for pair in WAYS if pair[1] == "threads"]
        metafunc.parametrize(("harness", "workers"), ways, indirect=True)
    else:
        backends = BACKENDS if sweeps else BACKENDS[:1]
        metafunc.parametrize("workers", backends, indirect=True)


@pytest.fixture
def harness(request: pytest.FixtureRequest) -> Harness:
    """Take a provider, by one way to send requests."""
    return EVERY_WAY[request.param]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Start a fresh sandbox that must have nothing to accuse us of in the end."""
    with Sandbox.start() as running:
        yield running

        assert [] == running.accusations


@pytest.fixture
def ear() -> Ear:
    """Give an observer that remembers."""
    return Ear()
