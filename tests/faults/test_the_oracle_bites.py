"""Whoever breaks the janitor is caught: the same worlds, with one safety taken away each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis.stateful import run_state_machine_as_test
from support.harness import days
from support.machine import SEARCH_ONLY, SOAK, World, profile, world
from support.oracle import Caps, Terms, Wrong
from support.troubles import Amnesia, Race, Strike, Trouble, WrongClock

from janitor import policy as judging
from janitor.engine import act, looks, survey
from janitor.engine.act import Executor
from janitor.engine.conclusions import freed
from janitor.grace import Mark, settle
from janitor.ledger.ledger import Ledger
from janitor.model import Activity, Decision, Reason, Upload, UploadResult, Verdict
from janitor.plan import Limits
from janitor.policy import Policy
from janitor.sandbox import FaultKind
from janitor.sweep import planning

Patch = pytest.MonkeyPatch
Mutant = Callable[[Patch], None]
Script = Callable[[World], None]


def _no_grace(patch: Patch) -> None:
    """Abort what is stale at first sight."""

    def hasty(decision: Decision, _policy: Policy, _now: object, _mark: Mark | None) -> Decision:
        return decision

    patch.setattr(survey, "settle", hasty)
    patch.setattr(act, "settle", hasty)


def _shorter_grace(patch: Patch) -> None:
    """Take any earlier run for long enough ago."""

    def hasty(decision: Decision, terms: Policy, now: Any, mark: Mark | None) -> Decision:
        return settle(decision, replace(terms, grace=timedelta(0)), now, mark)

    patch.setattr(survey, "settle", hasty)
    patch.setattr(act, "settle", hasty)


def _no_second_look(patch: Patch) -> None:
    """Abort what was planned, whatever came meanwhile."""

    def planned(self: Executor, decision: Decision, _mark: Mark | None) -> Any:
        return act._Look(decision, self.wall())  # noqa: SLF001  # a mutant lives inside

    patch.setattr(Executor, "_look_before", planned)


def _any_part_set(patch: Patch) -> None:
    """Take parts that came while we looked for nothing."""
    patch.setattr(act, "changed_since", lambda _planned, _fresh: False)


def _by_age_alone(patch: Patch) -> None:
    """Never ask when the last part came."""

    def stale(_upload: Upload, _idle: object, _now: object, _activity: Activity | None) -> Reason:
        return Reason.STALE

    patch.setattr(judging, "_by_activity", stale)


def _no_intents(patch: Patch) -> None:
    """Never write an abort down."""
    patch.setattr(Ledger, "intend", lambda *_: 0)
    patch.setattr(Ledger, "conclude", lambda *_, **__: None)


def _intents_too_late(patch: Patch) -> None:
    """Write aborts down when they are done."""
    abort = Executor._abort  # noqa: SLF001  # a mutant lives inside

    def hasty(self: Executor, look: Any, memory: Any) -> UploadResult:
        result = abort(self, look)
        intent = memory.intend(self.run_id, self.checker.now(), look.decision)
        memory.conclude(intent, self.checker.now(), str(result.outcome))
        return result

    patch.setattr(Executor, "_abort_on_record", hasty)


def _no_limits(patch: Patch) -> None:
    """Know no limits."""
    patch.setattr(planning, "limits_left", lambda _run: Limits())


def _no_breaker(patch: Patch) -> None:
    """Touch a target however much of it would go."""
    patch.setattr(planning, "tripped_targets", lambda *_: {})


def _forgetful_limits(patch: Patch) -> None:
    """Give every run the whole budget, whatever was spent before."""
    patch.setattr(planning, "limits_left", lambda run: run.limits)


def _gullible(patch: Patch) -> None:
    """Believe an empty listing."""
    patch.setattr(looks, "is_suspicious", lambda *_: False)


def _no_clock(patch: Patch) -> None:
    """Never look at the provider's clock."""
    patch.setattr(looks, "require_true_clock", lambda *_: None)
    patch.setattr("janitor.engine.activity.require_true_clock", lambda *_: None)


def _unprotected(patch: Patch) -> None:
    """Let no rule protect."""
    terms = judging._terms_of  # noqa: SLF001  # a mutant lives inside
    patch.setattr(judging, "_terms_of", lambda rule, whole: replace(terms(rule, whole), keep=False))


def _unforgiving(patch: Patch) -> None:
    """Let marks outlive the policy."""
    patch.setattr("janitor.ledger.runs.forget_target", lambda *_: None)


def _half_a_listing(patch: Patch) -> None:
    """Take a listing that breaks off for whole."""
    patch.setattr(survey.Survey, "fail", lambda *_: None)
    fair = survey.Surveyor._candidates  # noqa: SLF001  # a mutant lives inside

    def half(self: survey.Surveyor, found: Any, deadline: Any) -> Any:
        with suppress(Exception):
            yield from fair(self, found, deadline)

    patch.setattr(survey.Surveyor, "_candidates", half)


def _boastful(patch: Patch) -> None:
    """Tell every failure as a success."""
    patch.setattr(
        Executor,
        "_after_lost_reply",
        lambda _self, look, _error: freed(look.decision),
    )


def _undated(patch: Patch) -> None:
    """Take an upload without a date for old."""
    by_date = judging._by_date  # noqa: SLF001  # a mutant lives inside

    def old(upload: Upload, terms: Any, now: Any) -> Reason:
        return Reason.STALE if upload.initiated is None else by_date(upload, terms, now)

    patch.setattr(judging, "_by_date", old)


def _lazy(patch: Patch) -> None:
    """Abort nothing, and never complain."""
    patch.setattr(
        survey,
        "settle",
        lambda decision, *_: replace(decision, verdict=Verdict.KEEP, reason=Reason.IN_GRACE),
    )


def _wait(made: World) -> None:
    made.calm_sweep(25)


def _hurry(made: World) -> None:
    made.calm_sweep(1)


def _wait_again(made: World) -> None:
    made.calm_sweep(25)
    made.calm_sweep(1)


def _keep_uploading(made: World) -> None:
    made.calm_sweep(13)
    for which in range(len(made.oracle.living())):
        made.receive(which)
    made.calm_sweep(13)


def _in(*found: Trouble) -> Script:
    return lambda made: made.sweep_in_trouble(list(found), 25)


def _limited(caps: Caps) -> Script:
    def run(made: World) -> None:
        made.change_limits(caps)
        _wait_again(made)

    return run


def _race_by_age(made: World) -> None:
    made.change_policy(Terms(idle_for=None))
    made.calm_sweep(25)
    made.sweep_a_busy_store([Race("recheck", "part")])


def _edit(made: World) -> None:
    made.change_policy(Terms(idle_for=None))
    made.calm_sweep(25)


# Each with what shows it soonest; the oracle has to find the rest.
MUTANTS: dict[str, tuple[Mutant, Script]] = {
    "no grace": (_no_grace, _hurry),
    "any earlier run will do": (_shorter_grace, _hurry),
    "no second look": (_no_second_look, _in(Race("look", "nap", 3))),
    "parts between the looks do not count": (_any_part_set, _race_by_age),
    "age alone": (_by_age_alone, _keep_uploading),
    "no intents": (_no_intents, _wait),
    "intents too late": (_intents_too_late, _wait),
    "no limits": (_no_limits, _limited(Caps(per_run=3))),
    "no limit of bytes": (_no_limits, _limited(Caps(bytes_per_run=8 << 20))),
    "no breaker": (_no_breaker, _limited(Caps(share=Fraction(1, 4)))),
    "limits forget": (_forgetful_limits, _limited(Caps(per_day=4))),
    "empty listings are believed": (_gullible, _in(Amnesia())),
    "no look at the provider's clock": (_no_clock, _in(WrongClock(days(9)))),
    "no protection": (_unprotected, _wait),
    "marks outlive the policy": (_unforgiving, _edit),
    "half a listing is enough": (
        _half_a_listing,
        _in(Strike("list_uploads", FaultKind.CUT_BODY, nth=2, times=None)),
    ),
    "failures are told as aborts": (
        _boastful,
        _in(Strike("abort", FaultKind.DROP_BEFORE, times=None)),
    ),
    "no date is old": (_undated, _wait),
    "nothing is ever done": (_lazy, _wait),
}
# What hypothesis finds without being led, in a few seconds. With JANITOR_SOAK it hunts them all.
FOUND_SOON = ("no grace", "any earlier run will do", "no second look")


def run_script(script: Script, provider: str) -> None:
    """Live through one script in one world, to the end."""
    made = world(Counter(), (provider,))()
    try:
        made.populate(0, 7, 1, Caps())
        script(made)
    except BaseException:
        made.wrong = True
        raise
    finally:
        made.teardown()


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_oracle_bites(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A janitor without this safety is caught."""
    break_it, script = MUTANTS[mutant]
    break_it(monkeypatch)
    with pytest.raises(Wrong):
        run_script(script, "s3")


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_oracle_lets_the_janitor_pass(mutant: str) -> None:
    """The whole janitor gets through each of these scripts."""
    run_script(MUTANTS[mutant][1], "s3")


@pytest.mark.timeout(0 if SOAK else 120)
@pytest.mark.parametrize("mutant", MUTANTS if SOAK else FOUND_SOON)
def test_hypothesis_finds_it_too(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to lead it to where it hurts."""
    MUTANTS[mutant][0](monkeypatch)
    settings = profile(30, 15, phases=SEARCH_ONLY, report_multiple_bugs=False)
    with pytest.raises(Wrong):
        run_state_machine_as_test(world(Counter(), ("s3",), ("glacier",)), settings=settings)
