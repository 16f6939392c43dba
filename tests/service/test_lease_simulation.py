"""Never two leaders, whatever networks, clocks and processes do."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from service.lease_world import DURATION, TwoLeaders, World

from janitor.service.lease_term import Timing

# What a run of all examples must have met, or it proves nothing.
REACHED = {
    "Absent",
    "Conflict",
    "Failed",
    "Lease",
    "all cut",
    "answer lost",
    "cut",
    "delete",
    "failover",
    "first",
    "kill",
    "leave",
    "lost",
    "pause",
    "refused",
    "resigned",
    "served too late",
    "step",
    "stopped while it wrote",
    "touch",
}


def test_never_two_lead_at_the_same_time() -> None:
    """Electors are paused, cut off, killed and given wrong clocks; at most one leads, ever."""
    reached: Counter[str] = Counter()

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, 2**32), st.integers(2, 5))
    def run(seed: int, electors: int) -> None:
        world = World(seed, electors)
        world.run(40 * DURATION)
        reached.update(world.reached)

    run()

    assert REACHED == {kind for kind, times in reached.items() if times}
    assert reached["failover"] > 300


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 5))
def test_when_trouble_ends_somebody_leads(seed: int, electors: int) -> None:
    """After all that happened, a calm world has one leader within a few durations."""
    world = World(seed, electors)
    world.run(10 * DURATION)
    world.calm = True
    # The longest pause or cut, then a lease that runs out, then some tries.
    world.run(world.time + 6 * DURATION)

    assert 1 == len(world.leading())


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_a_calm_world_keeps_its_leader(seed: int) -> None:
    """Without trouble the first leader leads for ever."""
    world = World(seed, 3)
    world.calm = True
    world.run(60 * DURATION)

    assert (1, 1) == (len(world.leaders), len(world.leading()))


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(Timing(15.0, 25.0, 3.0, 3.0), id="leads for longer than others wait"),
        pytest.param(Timing(15.0, 16.5, 3.0, 3.0), id="leads for a little longer"),
    ],
)
def test_the_simulation_notices_wrong_rules(wrong: Timing) -> None:
    """With a promise that outlasts the Lease there are two leaders soon."""

    def run_many() -> None:
        for seed in range(300):
            World(seed, 4, wrong).run(40 * DURATION)

    with pytest.raises(TwoLeaders):
        run_many()
