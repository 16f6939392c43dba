"""Whether a plan may be applied here and now: each objection is a sentence."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from support.strategies import DAY, MINUTE, NOW, TICK

from janitor.consent import objection_to_config, objection_to_targets, objection_to_time
from janitor.planfile import PlanFile, PlannedTarget

LAKE = PlannedTarget("lake", "s3", "https://s3.example", "eu-west-1", "012345678901", "facade")
MEDIA = PlannedTarget("media", "qingstor", "https://q.example:443", "pek3b", "AKID", "beef")
PLAN = PlanFile("run-1", NOW, NOW + DAY, "1.0", "c0ffee", (LAKE, MEDIA), ())
POLICIES = {"lake": "facade", "media": "beef"}
REMEDY = ": make a new one with janitor plan --out FILE"


@pytest.mark.parametrize("age", [timedelta(0), DAY - TICK, -5 * MINUTE])
def test_a_plan_is_good_until_it_expires(age: timedelta) -> None:
    """From when it was made, give or take a few minutes of a clock, to its last instant."""
    assert objection_to_time(PLAN, NOW + age) is None


def test_an_expired_plan_is_refused() -> None:
    """At the very instant of its end it is too late."""
    expected = f"the plan expired at 2026-11-21 05:00:00 UTC{REMEDY}"

    assert expected == objection_to_time(PLAN, NOW + DAY)


def test_a_plan_of_the_future_is_refused() -> None:
    """A clock that was put back must not make a plan last longer."""
    expected = (
        "the plan was made at 2026-11-20 05:00:00 UTC, which is in the future: set the clock right"
    )

    assert expected == objection_to_time(PLAN, NOW - 5 * MINUTE - TICK)


def test_the_same_config_is_fine() -> None:
    """Nothing changed, nothing to object to."""
    assert objection_to_config(PLAN, POLICIES, "c0ffee") is None


@pytest.mark.parametrize(
    ("policies", "config", "expected"),
    [
        (
            {"lake": "facade"},
            "c0ffee",
            f"the plan was made for the targets lake, media, the config has lake{REMEDY}",
        ),
        (
            {"lake": "facade", "more": "1"},
            "c0ffee",
            f"the plan was made for the targets lake, media, the config has lake, more{REMEDY}",
        ),
        (
            {"lake": "facade", "media": "1"},
            "other",
            f"the policy of media is not what the plan was made with{REMEDY}",
        ),
        (POLICIES, "other", f"the config is not the one that the plan was made with{REMEDY}"),
    ],
)
def test_another_config_is_refused(policies: dict[str, str], config: str, expected: str) -> None:
    """Other targets, another policy, or another config in any other way: the first is named."""
    assert expected == objection_to_config(PLAN, policies, config)


def test_the_same_targets_are_fine() -> None:
    """All of them, or only those that the plan is about."""
    assert objection_to_targets(PLAN, [LAKE, MEDIA]) is None
    assert objection_to_targets(PLAN, [MEDIA]) is None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"endpoint": "https://x"},
            "the endpoint of lake is https://x, and was https://s3.example",
        ),
        ({"region": "us-east-1"}, "the region of lake is us-east-1, and was eu-west-1"),
        ({"region": ""}, "the region of lake is unknown, and was eu-west-1"),
        ({"account": "999999999999"}, "the account of lake is 999999999999, and was 012345678901"),
        ({"account": None}, "the account of lake is unknown, and was 012345678901"),
        ({"provider": "glacier"}, "the provider of lake is glacier, and was s3"),
        ({"policy_fingerprint": "1"}, "the policy of lake is 1, and was facade"),
    ],
)
def test_another_place_or_account_is_refused(change: dict[str, Any], expected: str) -> None:
    """A plan holds for exactly the store and the account that it was made on."""
    objection = objection_to_targets(PLAN, [MEDIA, replace(LAKE, **change)])

    assert f"{expected} when the plan was made{REMEDY}" == objection


def test_an_account_that_was_unknown_must_stay_unknown() -> None:
    """Nobody can say that it is the same."""
    plan = replace(PLAN, targets=(replace(LAKE, account=None),))
    expected = (
        f"the account of lake is 012345678901, and was unknown when the plan was made{REMEDY}"
    )

    assert expected == objection_to_targets(plan, [LAKE])


def test_a_target_that_was_not_planned_is_refused() -> None:
    """What the plan does not know must not be swept under its name."""
    expected = f"the plan was not made for the target more{REMEDY}"

    assert expected == objection_to_targets(PLAN, [replace(LAKE, target="more")])


def test_a_target_out_of_reach_stops_no_other() -> None:
    """Nothing was planned, and nothing can be aborted, where nobody answers."""
    silent = replace(LAKE, endpoint="", region="", account=None)

    assert objection_to_targets(PLAN, [silent, MEDIA]) is None
    assert objection_to_targets(replace(PLAN, targets=(silent, MEDIA)), [LAKE, MEDIA]) is None
