# expected == actual, in this order everywhere
from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, find, given
from hypothesis import strategies as st
from support.strategies import (
    ARCHIVE,
    BLINDFOLDS,
    DAY,
    LAKE,
    MEDIA,
    NOW,
    TICK,
    Situation,
    caps,
    decision_lists,
    law,
    limits,
    listings,
    parts_of,
    protect_rules,
    search,
    shares,
    situations,
    stale_decision,
    upload_of,
)

from janitor.matching import Match, Pattern
from janitor.model import ContainerRef, Decision, Reason, Upload, Verdict
from janitor.plan import Limits, Plan, make_plan
from janitor.policy import Policy, Rule, judge

FREE = Limits()
HALF = Fraction(1, 2)
NONE: set[str] = set()

Name = tuple[ContainerRef, str, str]


def _ids(decisions: Sequence[Decision]) -> str:
    return "".join(decision.upload.upload_id for decision in decisions)


def _shape(plan: Plan) -> tuple[str, str, str, dict[str, Fraction], set[str]]:
    tripped, binding = dict(plan.tripped), set(plan.binding)
    return _ids(plan.abort), _ids(plan.defer), _ids(plan.keep), tripped, binding


def _uploads(decisions: Sequence[Decision]) -> set[Upload]:
    return {decision.upload for decision in decisions}


def _sized(
    upload_id: str, size: int | None, *, known: bool = True, complete: bool = True
) -> Decision:
    activity = replace(parts_of(size=size), known=known, complete=complete)
    return stale_decision(upload_id, activity=activity)


# Examples

KEPT = Decision(upload_of(upload_id="k"), Verdict.KEEP, Reason.ACTIVE, "default")
FOUR = [stale_decision(upload_id, age=10 * DAY - i * TICK) for i, upload_id in enumerate("abcd")]


@pytest.mark.parametrize(
    ("allowed", "aborted_today", "expected"),
    [
        (Limits(), 0, ("abcd", "", "k", {}, set())),
        (Limits(), 99, ("abcd", "", "k", {}, set())),
        (Limits(aborts_per_run=0), 0, ("", "abcd", "k", {}, {"aborts_per_run"})),
        (Limits(aborts_per_run=3), 0, ("abc", "d", "k", {}, {"aborts_per_run"})),
        (Limits(aborts_per_run=4), 0, ("abcd", "", "k", {}, set())),
        (Limits(aborts_per_run=5), 0, ("abcd", "", "k", {}, set())),
        (Limits(aborts_per_day=0), 0, ("", "abcd", "k", {}, {"aborts_per_day"})),
        (Limits(aborts_per_day=3), 0, ("abc", "d", "k", {}, {"aborts_per_day"})),
        (Limits(aborts_per_day=4), 0, ("abcd", "", "k", {}, set())),
        (Limits(aborts_per_day=5), 1, ("abcd", "", "k", {}, set())),
        (Limits(aborts_per_day=5), 2, ("abc", "d", "k", {}, {"aborts_per_day"})),
        (Limits(aborts_per_day=5), 5, ("", "abcd", "k", {}, {"aborts_per_day"})),
        (Limits(aborts_per_day=5), 6, ("", "abcd", "k", {}, {"aborts_per_day"})),
        (Limits(2, 3), 0, ("ab", "cd", "k", {}, {"aborts_per_run"})),
        (Limits(3, 2), 0, ("ab", "cd", "k", {}, {"aborts_per_day"})),
        (Limits(2, 2), 0, ("ab", "cd", "k", {}, {"aborts_per_run", "aborts_per_day"})),
        (Limits(4, 4), 0, ("abcd", "", "k", {}, set())),
        (Limits(bytes_per_run=10**9), 0, ("", "abcd", "k", {}, {"bytes_per_run"})),
    ],
)
def test_a_cap_takes_the_oldest_and_defers_the_rest(
    allowed: Limits,
    aborted_today: int,
    expected: tuple[str, str, str, dict[str, Fraction], set[str]],
) -> None:
    """None is no limit, 0 is nothing, and the cap that binds is named."""
    plan = make_plan([KEPT, *reversed(FOUR)], {"lake": 5}, allowed, aborted_today)

    assert expected == _shape(plan)


@pytest.mark.parametrize(
    ("budget", "decisions", "expected"),
    [
        (20, [_sized("a", 10), _sized("b", 10)], "ab"),
        (19, [_sized("a", 10), _sized("b", 10)], "a"),
        (10, [_sized("a", 10), _sized("b", 10)], "a"),
        (9, [_sized("a", 10), _sized("b", 1)], ""),
        (0, [_sized("a", 0), _sized("b", 0)], ""),
        (1, [_sized("a", 0), _sized("b", 0)], "ab"),
        (10, [_sized("a", 10), _sized("b", 0)], "ab"),
        (99, [_sized("a", None), _sized("b", 1)], ""),
        (99, [_sized("a", 1), _sized("b", 1, complete=False), _sized("c", 1)], "a"),
        (99, [_sized("a", 1), stale_decision("b"), _sized("c", 1)], "a"),
        (99, [_sized("a", 1, known=False)], "a"),
        (None, [_sized("a", None), stale_decision("b")], "ab"),
    ],
)
def test_a_budget_of_bytes_ends_at_the_first_that_does_not_fit(
    budget: int | None, decisions: list[Decision], expected: str
) -> None:
    """What has no known size fits no budget, and a budget of nothing takes nothing."""
    plan = make_plan(decisions, {}, Limits(bytes_per_run=budget))

    binding = {"bytes_per_run"} if len(expected) < len(decisions) else NONE

    assert (expected, binding) == (_ids(plan.abort), set(plan.binding))


@pytest.mark.parametrize(
    ("share", "listed", "expected"),
    [
        (None, {"lake": 4}, {}),
        (Fraction(0), {"lake": 1_000_000}, {"lake": Fraction(4, 1_000_000)}),
        (HALF, {"lake": 7}, {"lake": Fraction(4, 7)}),
        (HALF, {"lake": 8}, {}),
        (HALF, {"lake": 9}, {}),
        (Fraction(99, 100), {"lake": 4}, {"lake": Fraction(1)}),
        (Fraction(1), {"lake": 4}, {}),
        (HALF, {}, {"lake": Fraction(1)}),
        (HALF, {"lake": 0}, {"lake": Fraction(1)}),
        (HALF, {"lake": 1}, {"lake": Fraction(1)}),
        (Fraction(1), {}, {}),
        (HALF, {"media": 4}, {"lake": Fraction(1)}),
    ],
)
def test_the_breaker_opens_above_its_share(
    share: Fraction | None, listed: Mapping[str, int], expected: dict[str, Fraction]
) -> None:
    """Exactly the share is allowed, 100 % never opens, and what was not counted counts as all."""
    plan = make_plan(FOUR, listed, Limits(share_of_listed=share))

    assert (expected, "" if expected else "abcd", NONE) == (
        dict(plan.tripped),
        _ids(plan.abort),
        set(plan.binding),
    )


def test_a_tripped_target_is_left_alone_as_a_whole() -> None:
    """The other targets go on, with all the room under the caps."""
    decisions = [
        stale_decision("1", LAKE, age=40 * DAY),
        stale_decision("2", MEDIA, age=30 * DAY),
        stale_decision("3", LAKE, age=20 * DAY),
        stale_decision("4", MEDIA, age=10 * DAY),
    ]

    plan = make_plan(decisions, {"lake": 2, "media": 20}, Limits(1, share_of_listed=HALF))

    assert ("2", "413", "", {"lake": Fraction(1)}, {"aborts_per_run"}) == _shape(plan)


def test_tripped_targets_are_named_in_order() -> None:
    """Two runs over the same input print the same text."""
    decisions = [stale_decision("1", where) for where in (MEDIA, LAKE, ARCHIVE)]

    plan = make_plan(decisions, {}, Limits(share_of_listed=HALF))

    assert list(plan.tripped) == ["archive", "lake", "media"]


def test_what_is_deferred_says_that_a_limit_keeps_it() -> None:
    """The evidence stays, verdict and reason change."""
    decision = stale_decision("1", activity=parts_of())

    plan = make_plan([decision], {}, Limits(aborts_per_run=0))

    assert (replace(decision, verdict=Verdict.KEEP, reason=Reason.LIMIT),) == plan.defer


def test_what_is_kept_is_untouched_by_limits() -> None:
    """Its reason is the policy's."""
    plan = make_plan([KEPT], {}, Limits(0, 0, 0, Fraction(0)))

    assert Plan((), (), (KEPT,), {}) == plan


@pytest.mark.parametrize(
    ("older", "younger"),
    [
        (stale_decision("z", age=11 * DAY), stale_decision("a", age=10 * DAY)),
        (stale_decision("z", age=10 * DAY + TICK), stale_decision("a", age=10 * DAY)),
        (stale_decision("z", ARCHIVE), stale_decision("a", LAKE)),
        (stale_decision("z", LAKE), stale_decision("a", replace(LAKE, container="raw2"))),
        (stale_decision("z", LAKE), stale_decision("a", replace(LAKE, target="lake2"))),
        (
            stale_decision("z", replace(LAKE, provider="qingstor", container="z")),
            stale_decision("a", LAKE),
        ),
        (
            Decision(upload_of(key="a", upload_id="z"), Verdict.ABORT, Reason.STALE, "r"),
            Decision(upload_of(key="b", upload_id="a"), Verdict.ABORT, Reason.STALE, "r"),
        ),
        (
            Decision(upload_of(key="B"), Verdict.ABORT, Reason.STALE, "r"),
            Decision(upload_of(key="a"), Verdict.ABORT, Reason.STALE, "r"),
        ),
        (stale_decision("1"), stale_decision("2")),
        (stale_decision("1", ARCHIVE), stale_decision("2", ARCHIVE)),
    ],
)
def test_the_oldest_goes_first_and_ties_are_settled(older: Decision, younger: Decision) -> None:
    """By age, then target, provider, container, key and id, each compared as plain text."""
    plan = make_plan([younger, older], {}, Limits(aborts_per_run=1))

    assert [older.upload] == [decision.upload for decision in plan.abort]


def test_kept_uploads_without_a_date_come_last() -> None:
    """They have no place in an order of age."""
    undated = Decision(upload_of(age=None, upload_id="0"), Verdict.KEEP, Reason.NO_DATE, "r")

    plan = make_plan([undated, KEPT], {}, FREE)

    assert (KEPT, undated) == plan.keep


@pytest.mark.parametrize(
    "negative",
    [
        {"aborts_per_run": -1},
        {"aborts_per_day": -1},
        {"bytes_per_run": -1},
        {"share_of_listed": Fraction(-1, 100)},
    ],
    ids=str,
)
def test_a_limit_below_nothing_cannot_exist(negative: dict[str, int]) -> None:
    """A cap of -1 would abort all but the youngest."""
    with pytest.raises(ValueError, match=f"^{next(iter(negative))} must not be negative$"):
        Limits(**negative)  # type: ignore[arg-type]  # of the type of its field


# Laws


@pytest.mark.parametrize("name", ["aborts_per_run", "aborts_per_day", "bytes_per_run", "trip"])
def test_the_laws_below_meet_every_limit(name: str) -> None:
    """A strategy that stops reaching one of them fails here, by name."""

    def reaches(given_: tuple[list[Decision], dict[str, int], Limits]) -> bool:
        plan = make_plan(*given_)
        met = {*plan.binding, *(["trip"] if plan.tripped else [])}
        return bool(plan.abort and plan.defer and plan.keep and name in met)

    found = find(st.tuples(decision_lists(), listings, limits), reaches, settings=search)

    assert reaches(found)


@law
@given(decision_lists(), listings, limits, st.integers(0, 7))
@example([KEPT, *FOUR], {}, FREE, 0)
@example([KEPT, *FOUR], {}, Limits(0, 0, 0, Fraction(0)), 0)
@example([], {}, Limits(0, 0, 0, Fraction(0)), 0)
def test_nothing_is_lost_or_invented(
    decisions: list[Decision], listed: dict[str, int], allowed: Limits, today: int
) -> None:
    """Abort, defer and keep together are what went in, each once, each with its own verdict."""
    plan = make_plan(decisions, listed, allowed, today)

    stale = [decision for decision in decisions if decision.verdict is Verdict.ABORT]
    kept = [decision for decision in decisions if decision.verdict is Verdict.KEEP]
    back = [replace(d, verdict=Verdict.ABORT, reason=Reason.STALE) for d in plan.defer]

    assert (Counter(stale), Counter(kept), {(Verdict.KEEP, Reason.LIMIT)}) == (
        Counter([*plan.abort, *back]),
        Counter(plan.keep),
        {(Verdict.KEEP, Reason.LIMIT), *((d.verdict, d.reason) for d in plan.defer)},
    )


@law
@given(decision_lists(), listings, limits, st.integers(0, 7), st.randoms())
def test_the_order_of_the_listing_does_not_matter(
    decisions: list[Decision],
    listed: dict[str, int],
    allowed: Limits,
    today: int,
    random: object,
) -> None:
    """Shuffle pages, targets or uploads: the plan is the same to the letter."""
    shuffled = list(decisions)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis' own Random
    backwards = dict(reversed(listed.items()))

    expected = repr(make_plan(decisions, listed, allowed, today))

    assert expected == repr(make_plan(shuffled, backwards, allowed, today))


PROGRAM = """
from fractions import Fraction
from support.strategies import LAKE, MEDIA, ARCHIVE, DAY, parts_of, stale_decision
from janitor.plan import Limits, make_plan
stale = [
    stale_decision(i, where, age=10 * DAY, activity=parts_of(size=1))
    for where in (LAKE, MEDIA, ARCHIVE) for i in "iIzäÄ\\u0131\\u0130"
]
limits = Limits(3, 3, 3, Fraction(1, 2))
plan = make_plan(stale, {"lake": 7, "media": 14, "archive": 6}, limits)
print(ascii((plan.abort, plan.defer, plan.keep, plan.tripped, sorted(plan.binding))))
"""


def _plan_elsewhere(**environment: str) -> str:
    path = os.pathsep.join(sys.path)
    done = subprocess.run(  # noqa: S603  # our own interpreter and program
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_hash_seed_locale_and_zone_of_the_process_do_not_matter() -> None:
    """Two machines that are set up differently make the same plan."""
    here = _plan_elsewhere(PYTHONHASHSEED="0", LC_ALL="C", TZ="UTC")
    there = _plan_elsewhere(PYTHONHASHSEED="1", LC_ALL="tr_TR.UTF-8", TZ="Asia/Kathmandu")

    assert (here, True) == (there, "Reason.LIMIT" in here)


@law
@given(decision_lists(), listings, limits, st.integers(0, 7))
def test_the_plan_aborts_the_oldest_of_the_willing(
    decisions: list[Decision], listed: dict[str, int], allowed: Limits, today: int
) -> None:
    """What is aborted is a prefix of all that is stale on targets that did not trip."""
    plan = make_plan(decisions, listed, allowed, today)

    free = make_plan(
        [d for d in decisions if d.upload.where.target not in plan.tripped], listed, FREE
    )

    assert tuple(free.abort[: len(plan.abort)]) == plan.abort


@law
@given(decision_lists(), listings, limits, st.integers(0, 7))
def test_no_cap_is_ever_exceeded(
    decisions: list[Decision], listed: dict[str, int], allowed: Limits, today: int
) -> None:
    """However the limits are combined."""
    plan = make_plan(decisions, listed, allowed, today)
    sizes = [d.activity.size if d.activity else None for d in plan.abort]

    within = (
        allowed.aborts_per_run is None or len(plan.abort) <= allowed.aborts_per_run,
        allowed.aborts_per_day is None
        or len(plan.abort) + today <= max(allowed.aborts_per_day, today),
        allowed.bytes_per_run is None
        or (None not in sizes and sum(size or 0 for size in sizes) <= allowed.bytes_per_run),
    )

    assert within == (True, True, True)


@law
@given(decision_lists(), listings, limits)
@example([*FOUR, stale_decision("m", MEDIA)], {"media": 4}, Limits(share_of_listed=HALF))
def test_the_breaker_opens_for_whole_targets(
    decisions: list[Decision], listed: dict[str, int], allowed: Limits
) -> None:
    """A target that tripped loses nothing; one that did not is below its share."""
    plan = make_plan(decisions, listed, allowed)

    touched = {decision.upload.where.target for decision in plan.abort}

    assert touched.isdisjoint(plan.tripped)
    assert all(share > (allowed.share_of_listed or 0) for share in plan.tripped.values())


def _stricter(limit: int | None, by: int) -> int:
    return 6 if limit is None else max(0, limit - by)


@pytest.mark.parametrize("name", ["aborts_per_run", "aborts_per_day", "bytes_per_run"])
@law
@given(
    decisions=decision_lists(),
    listed=listings,
    loose=limits,
    today=st.integers(0, 7),
    by=st.integers(0, 7),
)
@example(decisions=FOUR, listed={}, loose=FREE, today=0, by=0)
@example(decisions=FOUR, listed={}, loose=Limits(5, 5, 5), today=0, by=1)
@example(decisions=FOUR, listed={}, loose=Limits(4, 4, 4), today=0, by=1)
@example(decisions=FOUR, listed={}, loose=Limits(1, 1, 1), today=0, by=1)
@example(decisions=FOUR, listed={}, loose=Limits(0, 0, 0), today=0, by=1)
def test_a_stricter_cap_never_aborts_more(  # noqa: PLR0913, PLR0917  # the law is about all of them
    name: str,
    decisions: list[Decision],
    listed: dict[str, int],
    loose: Limits,
    today: int,
    by: int,
) -> None:
    """What it aborts is a prefix of what the looser cap aborts, and nothing else trips."""
    change: dict[str, Any] = {name: _stricter(getattr(loose, name), by)}
    strict = replace(loose, **change)

    more = make_plan(decisions, listed, loose, today)
    fewer = make_plan(decisions, listed, strict, today)

    assert (more.abort[: len(fewer.abort)], more.tripped) == (fewer.abort, fewer.tripped)


@law
@given(decision_lists(), st.integers(0, 6), st.integers(0, 3))
def test_aborts_of_the_day_count_like_a_stricter_cap(
    decisions: list[Decision], cap: int, today: int
) -> None:
    """It is the same to have done it already and not to be allowed it."""
    spent = make_plan(decisions, {}, Limits(aborts_per_day=cap), today)

    assert make_plan(decisions, {}, Limits(aborts_per_day=max(0, cap - today))) == spent


@law
@given(decision_lists(), listings, shares, shares, caps, caps)
@example(FOUR, {"lake": 8}, HALF, Fraction(49, 100), None, None)
@example(FOUR, {"lake": 4}, None, Fraction(1), None, None)
@example(FOUR, {"lake": 4}, Fraction(1), Fraction(0), 2, 2)
def test_a_stricter_breaker_never_aborts_more(  # noqa: PLR0913, PLR0917  # the law is about all of them
    decisions: list[Decision],
    listed: dict[str, int],
    one: Fraction | None,
    other: Fraction | None,
    per_run: int | None,
    per_day: int | None,
) -> None:
    """Fewer targets are willing; without caps fewer uploads go, with caps not a single one more."""
    strict, loose = sorted([one, other], key=lambda share: 2 if share is None else share)

    def aborts(allowed: Limits, share: Fraction | None) -> set[Upload]:
        plan = make_plan(decisions, listed, replace(allowed, share_of_listed=share))
        return _uploads(plan.abort)

    capped = Limits(per_run, per_day)

    assert aborts(FREE, strict) <= aborts(FREE, loose)
    assert len(aborts(capped, strict)) <= len(aborts(capped, loose))


# What a doubt does to a whole plan: promise 8


def _name(upload: Upload) -> Name:
    return upload.where, *upload.identity


def _names(decisions: Sequence[Decision]) -> set[Name]:
    return {_name(decision.upload) for decision in decisions}


def _stale(found: Sequence[Situation]) -> set[Name]:
    return _names([d for d in (judge(*s) for s in found) if d.verdict is Verdict.ABORT])


def _planned(found: Sequence[Situation], listed: Mapping[str, int], allowed: Limits) -> set[Name]:
    return _names(make_plan([judge(*situation) for situation in found], listed, allowed).abort)


several = st.lists(situations(), max_size=4, unique_by=lambda s: _name(s.upload))
three_stale = [
    Situation(upload_of(upload_id=i, age=(30 - n) * DAY), Policy(), NOW, parts_of(size=5))
    for n, i in enumerate("abc")
]


@law
@given(st.sampled_from(sorted(BLINDFOLDS)), several, st.integers(0, 3), listings, limits)
@example("initiated", three_stale, 0, {"lake": 6}, Limits(aborts_per_run=1))
@example("activity.size", three_stale, 0, {"lake": 6}, Limits(bytes_per_run=5))
@example("activity", three_stale, 0, {"lake": 5}, Limits(share_of_listed=HALF))
def test_knowing_less_only_shrinks_the_plan(
    field: str, found: list[Situation], which: int, listed: dict[str, int], allowed: Limits
) -> None:
    """Without limits no abort is added; with limits only what was stale before may move up."""
    blind = [BLINDFOLDS[field](s) if i == which else s for i, s in enumerate(found)]

    assert _planned(blind, listed, FREE) <= _planned(found, listed, FREE)
    assert _planned(blind, listed, allowed) <= _stale(blind) <= _stale(found)


@law
@given(several, protect_rules(), st.integers(0, 3), listings, limits)
@example(three_stale, Rule("r", Match(), keep=True), 0, {}, FREE)
def test_protecting_more_only_shrinks_the_plan(
    found: list[Situation],
    rule: Rule,
    position: int,
    listed: dict[str, int],
    allowed: Limits,
) -> None:
    """Without limits no abort is added; with limits only what was stale before may move up."""
    safer = []
    for situation in found:
        rules = list(situation.policy.rules)
        rules.insert(position, rule)
        safer.append(situation._replace(policy=replace(situation.policy, rules=rules)))

    assert _planned(safer, listed, FREE) <= _planned(found, listed, FREE)
    assert _planned(safer, listed, allowed) <= _stale(safer) <= _stale(found)


@law
@given(several, st.integers(0, 3), listings, limits)
@example(three_stale, 0, {}, Limits(bytes_per_run=10))
def test_an_unknown_size_that_leaves_the_verdict_alone_only_shortens_the_plan(
    found: list[Situation], which: int, listed: dict[str, int], allowed: Limits
) -> None:
    """It gives its place under a budget of bytes to nobody."""
    blind = [BLINDFOLDS["activity.size"](s) if i == which else s for i, s in enumerate(found)]
    changed = _stale(blind) != _stale(found)

    assert changed or _planned(blind, listed, allowed) <= _planned(found, listed, allowed)


PROTECT_A = Rule("protect", Match(description=Pattern("a")), keep=True)


@pytest.mark.parametrize(
    ("allowed", "before", "after"),
    [
        (FREE, "abc", "bc"),
        (Limits(aborts_per_run=1), "a", "b"),
        (Limits(aborts_per_day=2), "ab", "bc"),
        (Limits(bytes_per_run=10), "ab", "bc"),
        (Limits(aborts_per_run=3), "abc", "bc"),
        (Limits(share_of_listed=HALF), "", "bc"),
    ],
)
def test_a_protected_upload_leaves_its_place_to_the_next_oldest(
    allowed: Limits, before: str, after: str
) -> None:
    """A cap is filled from what is stale, and a breaker counts what is stale, and no more."""
    open_to_all = [
        s._replace(upload=replace(s.upload, description=s.upload.upload_id)) for s in three_stale
    ]
    protected = [s._replace(policy=Policy(rules=[PROTECT_A])) for s in open_to_all]

    plans = [
        _ids(make_plan([judge(*s) for s in found], {"lake": 4}, allowed).abort)
        for found in (open_to_all, protected)
    ]

    assert [before, after] == plans
