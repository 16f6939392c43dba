"""Explanations: every step with its evidence, and never another verdict than a sweep's."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import find, given
from hypothesis import strategies as st
from support.strategies import (
    ARCHIVE,
    DAY,
    HOUR,
    LAKE,
    NOW,
    Situation,
    durations,
    law,
    parts_of,
    search,
    situations,
    upload_of,
)

from janitor.evidence import Budget, Evidence, Known, Listing, Place
from janitor.explain import Answer, explain
from janitor.grace import Mark, settle
from janitor.matching import Match, Pattern
from janitor.model import Activity, ContainerRef, Decision, Reason, Upload, Verdict
from janitor.plan import Limits
from janitor.policy import Policy, Rule, judge, may_be_stale
from janitor.report.explained import explanation_lines, explanations_json

GOLDEN = Path(__file__).with_name("golden")
PLACE = Place("https://s3.eu-west-1.amazonaws.com", "eu-west-1", "012345678901")
VAULTS = Place("https://glacier.us-west-2.amazonaws.com", "us-west-2", None)
POLICY = Policy(
    rules=(
        Rule("committers", Match(key=Pattern("**/__magic/**")), keep=True),
        Rule("large", Match(larger_than=2**30), stale_after=3 * DAY),
    )
)
KNOWN = Known(NOW - 3 * DAY, "20261117T050000Z-0badcafe", NOW - 3 * DAY)


def found(decision: Decision, where: ContainerRef = LAKE, **more: Any) -> Evidence:
    """Put what was found out about an upload together."""
    place = VAULTS if where.provider == "glacier" else PLACE
    facts: dict[str, Any] = {
        "listing": Listing(where, 1_234, 2),
        "parts_asked": decision.activity is not None,
        "part_pages": 1,
        "parts_have_times": decision.activity is not None and decision.activity.known,
        "has_ledger": True,
    }
    return Evidence(decision, NOW, place, **{**facts, **more})


def judged(
    upload: Upload, activity: Activity | None = None, known: Known | None = None
) -> Decision:
    """Judge as a sweep does, with what the ledger knows."""
    decision = judge(upload, POLICY, NOW, activity)
    if activity is None or decision.reason not in {Reason.STALE, Reason.ACTIVITY_UNKNOWN}:
        return decision
    mark = Mark(NOW, seen_before=False, unchanged_since=NOW, fingerprint="")
    if known is not None:
        mark = Mark(known.first_seen, True, known.unchanged_since, "")  # noqa: FBT003  # short
    return settle(decision, POLICY, NOW, mark)


def shown(evidence: Evidence, policy: Policy = POLICY) -> str:
    """Write the explanation at 80 columns."""
    return "\n".join(explanation_lines(explain(evidence, policy), 80)) + "\n"


OLD = upload_of(key="backup/db.tar.gz", upload_id="VXBsb2FkIElE", age=9 * DAY)
VAULT = upload_of(ARCHIVE, upload_id="MW9jN0pKLUtf", age=9 * DAY)
IDLE = parts_of(2 * DAY, size=20 * 2**20, parts=3)
TIMELESS = Activity(known=False, complete=True, parts=3, size=20 * 2**20, fingerprint="f00d")
CASES = {
    "young": found(judged(upload_of(age=2 * DAY))),
    "new": found(judged(upload_of(age=HOUR))),
    "active": found(
        judged(OLD, Activity(known=True, complete=False, parts=7, size=9, last_part=NOW - HOUR))
    ),
    "protected": found(judged(upload_of(key="job/__magic/part-0", age=9 * DAY), None)),
    "first-sighting": found(judged(OLD, IDLE)),
    "in-grace": found(
        judged(OLD, IDLE, replace(KNOWN, first_seen=NOW - HOUR)),
        known=replace(KNOWN, first_seen=NOW - HOUR),
    ),
    "stale": found(
        judged(OLD, IDLE, KNOWN),
        known=KNOWN,
        kept_apart=False,
        budget=Budget(Limits(aborts_per_run=1000, aborts_per_day=5000), 12),
    ),
    "undated": found(judged(replace(OLD, initiated=None, initiated_text="2012-03-19T23:20:59"))),
    "parts-without-times": found(judged(VAULT, TIMELESS), ARCHIVE, parts_have_times=False),
    "proven-by-sightings": found(
        judged(VAULT, TIMELESS, KNOWN), ARCHIVE, known=KNOWN, parts_have_times=False
    ),
    "finished-object": found(
        judged(OLD, IDLE, KNOWN), known=KNOWN, kept_apart=False, finished=NOW - DAY
    ),
    "limit": found(
        judged(OLD, IDLE, KNOWN), known=KNOWN, budget=Budget(Limits(aborts_per_day=5), 5)
    ),
    "not-believed": found(
        Decision(OLD, Verdict.KEEP, Reason.ACTIVITY_UNKNOWN, "evidence"),
        listing=Listing(LAKE, 3, 1, "Denied: AccessDenied: not you"),
    ),
    "unreadable": found(
        Decision(OLD, Verdict.KEEP, Reason.ACTIVITY_UNKNOWN, "evidence"),
        parts_asked=True,
        trouble="Throttled: SlowDown: please reduce your request rate",
    ),
    "harmless": found(judged(upload_of(key="\x1b[2Jå" + "k" * 90, upload_id="i\nd", age=DAY))),
}


@pytest.mark.parametrize("name", CASES)
def test_every_step_is_told(name: str) -> None:
    """What people read, to the letter, in 80 columns."""
    expected = (GOLDEN / f"explained-{name}.txt").read_text(encoding="utf-8")
    text = shown(CASES[name])

    assert expected == text
    assert max(map(len, text.splitlines())) <= 80


def test_every_golden_file_is_used() -> None:
    """No text that nobody compares."""
    assert {f"explained-{name}.txt" for name in CASES} == {file.name for file in GOLDEN.iterdir()}


def test_programs_get_the_same() -> None:
    """JSON has the fields of a report's upload, the sentence and all steps, in pure ASCII."""
    document = json.loads(
        explanations_json([explain(CASES["stale"], POLICY)], ["raw (1,234 uploads)"], NOW)
    )
    (upload,) = document["uploads"]

    assert (1, ["raw (1,234 uploads)"]) == (document["schema_version"], document["searched"])
    assert ("abort", "stale", 20 * 2**20, 3) == tuple(
        upload[name] for name in ("verdict", "reason", "bytes", "parts")
    )
    assert "would be aborted by the next enforcing run" == upload["says"]
    assert [
        *("identity", "listing", "date", "rules", "age"),
        *("parts", "idle", "grace", "object", "limits"),
    ] == [step["step"] for step in upload["steps"]]
    assert {"pass"} == {step["answer"] for step in upload["steps"]}


_sightings = durations.map(lambda ago: NOW - ago)


@st.composite
def evidence(draw: st.DrawFn) -> tuple[Evidence, Policy]:
    """Find anything out, and judge by it as a sweep does."""
    situation = draw(situations())
    upload, policy, now, activity = situation
    policy = replace(policy, grace=draw(durations))
    known = draw(st.none() | st.builds(Known, _sightings, st.just("run-0"), _sightings))
    has_ledger = draw(st.booleans())
    asked = may_be_stale(upload, policy, now)
    decision = _decided(situation._replace(policy=policy), known, asked=asked, ledger=has_ledger)
    return (
        Evidence(
            decision,
            now,
            PLACE,
            Listing(upload.where, draw(st.integers(1, 9)), 1),
            parts_asked=asked,
            parts_have_times=activity is not None and activity.known,
            has_ledger=has_ledger,
            known=known if has_ledger else None,
            kept_apart=draw(st.booleans()),
            finished=draw(st.none() | st.just(NOW)),
            budget=Budget(Limits(draw(st.none() | st.integers(0, 1)))),
        ),
        policy,
    )


def _decided(situation: Situation, known: Known | None, *, asked: bool, ledger: bool) -> Decision:
    upload, policy, now, activity = situation
    if not asked:
        return judge(upload, policy, now)
    if activity is None:
        return Decision(upload, Verdict.KEEP, Reason.ACTIVITY_UNKNOWN, "evidence")
    decision = judge(upload, policy, now, activity)
    if not ledger or decision.reason not in {Reason.STALE, Reason.ACTIVITY_UNKNOWN}:
        return decision
    mark = Mark(now, seen_before=False, unchanged_since=now, fingerprint="")
    if known is not None:
        mark = Mark(known.first_seen, True, known.unchanged_since, "")  # noqa: FBT003  # short
    return settle(decision, policy, now, mark)


@law
@given(evidence())
def test_a_kept_upload_has_a_step_that_keeps(case: tuple[Evidence, Policy]) -> None:
    """An upload would be aborted exactly if every step lets it pass."""
    explained = explain(*case)
    keeps = any(step.answer is Answer.KEEP for step in explained.steps)

    assert keeps == (explained.decision.verdict is Verdict.KEEP)
    if not keeps:
        assert {Answer.PASS} == {step.answer for step in explained.steps}


@law
@given(evidence())
def test_an_explanation_aborts_nothing_that_a_sweep_keeps(case: tuple[Evidence, Policy]) -> None:
    """The verdict is the sweep's, or a stricter one."""
    explained = explain(*case)

    if explained.decision.verdict is Verdict.ABORT:
        assert case[0].decision == explained.decision


@law
@given(evidence())
def test_any_explanation_can_be_written(case: tuple[Evidence, Policy]) -> None:
    """Whatever was found out, it fits the page and is JSON."""
    explained = explain(*case)
    lines = explanation_lines(explained, 80)

    assert max(map(len, lines)) <= 80
    assert all(line.isprintable() for line in lines)
    assert json.loads(explanations_json([explained], [], NOW))["uploads"]


@pytest.mark.parametrize(
    "reason",
    [
        "stale",
        "young",
        "active",
        "protected",
        "first_sighting",
        "in_grace",
        "finished_object",
        "limit",
    ],
)
def test_the_laws_see_every_kind_of_ending(reason: str) -> None:
    """Laws that never met an abort, or a reason to keep, would prove nothing."""
    find(evidence(), lambda case: explain(*case).decision.reason == reason, settings=search)


@pytest.mark.parametrize(
    ("grace", "words"),
    [(timedelta(0), "grace 0"), (36 * HOUR, "grace 36h"), (2 * DAY, "grace 2d")],
)
def test_thresholds_are_written_as_in_the_config(grace: timedelta, words: str) -> None:
    """Hours below two days, days from there on."""
    assert f"{words} ended" in shown(CASES["stale"], replace(POLICY, grace=grace))
