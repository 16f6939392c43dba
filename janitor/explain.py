"""Explains the judgement of one upload, step by step, with the evidence. Pure: no I/O, no clock.

The verdict comes from the same functions as in a sweep; the steps say why. A
step that keeps is enough, and only an upload that every step passes would be
aborted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from janitor.evidence import Budget, Evidence
from janitor.grace import WAITING
from janitor.matching import Ternary
from janitor.model import (
    EARLIEST_PLAUSIBLE,
    Activity,
    Decision,
    Reason,
    Upload,
    Verdict,
    is_naive_time,
    later,
)
from janitor.plan import Limits, make_plan
from janitor.policy import FUTURE_TOLERANCE, Policy, Rule, Terms, idle_threshold, possible_terms
from janitor.report.text import age, count, counted, size


class Answer(StrEnum):
    """What one step says."""

    PASS = "pass"  # noqa: S105  # not a password
    KEEP = "keep"
    OPEN = "-"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the chain: its name, its answer, and the evidence in whole sentences."""

    name: str
    answer: Answer
    says: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The final decision and the steps that led to it."""

    decision: Decision
    steps: tuple[Step, ...]


_NOT_ASKED: Final = "not asked: what is above keeps it already"
_RULE_ANSWERS: Final = {Ternary.YES: "yes", Ternary.MAYBE: "maybe", Ternary.NO: "no"}


def explain(evidence: Evidence, policy: Policy) -> Explanation:
    """Say what would become of an upload, and why."""
    terms = possible_terms(evidence.upload, policy, _whole_size(evidence.decision.activity))
    steps = [
        _identity(evidence),
        _listing(evidence),
        _date(evidence),
        _rules(evidence, policy, terms),
        _age(evidence, terms),
        _parts(evidence),
        _idle(evidence, policy, terms),
        _grace(evidence, policy),
    ]
    for name, step in (("object", _object), ("limits", _limits)):
        kept = any(before.answer is Answer.KEEP for before in steps)
        steps.append(Step(name, Answer.OPEN, (_NOT_ASKED,)) if kept else step(evidence))
    return Explanation(_final(evidence, steps), tuple(steps))


def _final(evidence: Evidence, steps: Sequence[Step]) -> Decision:
    keeping = {step.name for step in steps if step.answer is Answer.KEEP}
    later = {"object": Reason.FINISHED_OBJECT, "limits": Reason.LIMIT}
    for name, reason in later.items():
        if name in keeping:
            decision = replace(evidence.decision, verdict=Verdict.KEEP, reason=reason)
            return replace(decision, eligible_at=None)
    return evidence.decision


def _identity(evidence: Evidence) -> Step:
    place, provider = evidence.place, evidence.upload.where.provider
    region = f", region {place.region}" if place.region else ""
    account = place.account or "unknown"
    says = f"{provider} at {place.endpoint}{region}, account {account}"
    return Step("identity", Answer.PASS, (says,))


def _listing(evidence: Evidence) -> Step:
    listing = evidence.listing
    found = f"{counted(listing.uploads, 'upload')} on {counted(listing.pages, 'page')}"
    if listing.doubt is not None:
        return Step("listing", Answer.KEEP, (f"{found}, not believed: {listing.doubt}",))
    return Step("listing", Answer.PASS, (f"{found}, listed to the proven end",))


def _date(evidence: Evidence) -> Step:
    upload = evidence.upload
    if upload.initiated is None:
        said = "nothing" if upload.initiated_text is None else f"'{upload.initiated_text}'"
        naive = is_naive_time(upload.initiated_text)
        why = "which has no time zone" if naive else "which is no usable date"
        return Step("date", Answer.KEEP, (f"the provider says {said}, {why}",))
    says = f"began {_shown(upload.initiated)}, {_ago(evidence, upload.initiated)}"
    if upload.initiated <= EARLIEST_PLAUSIBLE[upload.where.provider]:
        return Step("date", Answer.KEEP, (f"{says}: before the service itself began",))
    if evidence.now - upload.initiated < -FUTURE_TOLERANCE:
        return Step("date", Answer.KEEP, (f"{says}: in the future, so a clock is wrong",))
    return Step("date", Answer.PASS, (says,))


def _rules(evidence: Evidence, policy: Policy, terms: Sequence[Terms]) -> Step:
    keeps = any(each.keep for each in terms)
    decided = f"{evidence.decision.rule} decides"
    if evidence.decision.rule not in {each.rule for each in terms}:
        decided = "none decides: there is no evidence to judge by"
    says = [decided, *_asked(evidence, policy)]
    if len(terms) > 1:
        says.append("an upload is aborted only if all that might apply agree")
    return Step("rules", Answer.KEEP if keeps else Answer.PASS, tuple(says))


def _asked(evidence: Evidence, policy: Policy) -> Iterable[str]:
    """Say what every rule answered, down to the first that surely matches."""
    known_size = _whole_size(evidence.decision.activity)
    for rule in policy.rules:
        answer = rule.match.test(evidence.upload, known_size, over_protect=rule.keep)
        yield f"{_RULE_ANSWERS[answer]}: {rule.name} ({_rule_words(rule)})"
        if answer is Ternary.YES:
            return
    yield "yes: default (the policy itself)"


def _rule_words(rule: Rule) -> str:
    if rule.keep:
        return "action: keep"
    words = [f"stale_after {_span(rule.stale_after)}"] if rule.stale_after is not None else []
    if rule.judge_by_age_alone:
        words.append("idle_for off")
    elif rule.idle_for is not None:
        words.append(f"idle_for {_span(rule.idle_for)}")
    return ", ".join(words) or "no thresholds"


def _age(evidence: Evidence, terms: Sequence[Terms]) -> Step:
    strictest = max((each for each in terms if not each.keep), key=_by_age, default=None)
    if strictest is None or _date(evidence).answer is Answer.KEEP:
        return Step("age", Answer.OPEN, (_NOT_ASKED,))
    initiated = evidence.upload.initiated
    assert initiated is not None  # noqa: S101  # for mypy: the date passed
    old = evidence.now - initiated
    limit = f"stale_after {_span(strictest.stale_after)} of {strictest.rule}"
    ended = _shown(later(initiated, strictest.stale_after))
    if old > strictest.stale_after:
        return Step("age", Answer.PASS, (f"{_aged(old)} old; {limit} ended {ended}",))
    return Step("age", Answer.KEEP, (f"{_aged(old)} old; {limit} ends {ended}",))


def _parts(evidence: Evidence) -> Step:
    if not evidence.parts_asked:
        return Step("parts", Answer.OPEN, (_NOT_ASKED,))
    activity = evidence.decision.activity
    if activity is None:
        trouble = evidence.trouble or "they could not be read"
        return Step("parts", Answer.KEEP, (trouble,))
    found = f"{counted(activity.parts, 'part')}, {size(activity.size)}"
    pages = counted(evidence.part_pages, "page")
    if activity.complete:
        return Step("parts", Answer.PASS, (f"{found}, read to the proven end on {pages}",))
    return Step("parts", Answer.PASS, (f"at least {found}; {pages} read, up to a recent part",))


def _idle(evidence: Evidence, policy: Policy, terms: Sequence[Terms]) -> Step:
    upload, activity = evidence.upload, evidence.decision.activity
    if any(each.keep for each in terms) or _date(evidence).answer is Answer.KEEP:
        return Step("idle", Answer.OPEN, (_NOT_ASKED,))
    idle_for = idle_threshold(upload, policy, _whole_size(activity))
    newest = _newest(upload, activity)
    if idle_for is not None and newest is not None and evidence.now - newest <= idle_for:
        says = f"{_life(evidence, newest)}; idle_for {_span(idle_for)}"
        return Step("idle", Answer.KEEP, (f"{says} ends {_shown(later(newest, idle_for))}",))
    if activity is None:
        return Step("idle", Answer.OPEN, (_NOT_ASKED,))
    if idle_for is None:
        return Step("idle", Answer.PASS, ("idle_for is off: age alone decides",))
    if not activity.known or not activity.complete or (activity.parts and not activity.last_part):
        return Step("idle", Answer.KEEP, _unproven(evidence, idle_for))
    return Step("idle", Answer.PASS, (_silence(evidence, newest, idle_for),))


def _unproven(evidence: Evidence, idle_for: timedelta) -> tuple[str, ...]:
    says = "nobody says when the parts arrived"
    if not evidence.has_ledger:
        return (f"{says}, and without a ledger nothing else can prove that they stand still",)
    needed = f"they must stand still between two sightings for more than idle_for {_span(idle_for)}"
    if evidence.known is None:
        return (f"{says}: {needed}; this is the first sighting",)
    since = evidence.known.unchanged_since
    return (f"{says}: {needed}; unchanged since {_shown(since)}, {_ago(evidence, since)}",)


def _silence(evidence: Evidence, newest: datetime | None, idle_for: timedelta) -> str:
    passed = f"more than idle_for {_span(idle_for)}"
    if newest is None:
        return f"there was no sign of life for {passed}"
    if not evidence.parts_have_times and evidence.known is not None:
        since = evidence.known.unchanged_since
        return f"the parts stand still since {_shown(since)}, {_ago(evidence, since)}: {passed}"
    return f"{_life(evidence, newest)}: {passed}"


def _life(evidence: Evidence, newest: datetime) -> str:
    what = "the upload began" if newest == evidence.upload.initiated else "the newest part came"
    return f"{what} {_shown(newest)}, {_ago(evidence, newest)}"


def _grace(evidence: Evidence, policy: Policy) -> Step:
    decision, known = evidence.decision, evidence.known
    waiting = decision.reason in WAITING
    if not waiting and decision.verdict is Verdict.KEEP:
        return Step("grace", Answer.OPEN, (_NOT_ASKED,))
    if not evidence.has_ledger:
        return Step("grace", Answer.PASS, ("ledger: none, so there is no grace",))
    grace = f"grace {_span(policy.grace)}" if policy.grace else "grace 0"
    if known is None:
        return Step("grace", Answer.KEEP, (f"no run has seen it yet: {grace} has not begun",))
    ends = "ends" if waiting else "ended"
    says = (
        f"first seen {_shown(known.first_seen)}, {_ago(evidence, known.first_seen)}",
        f"in run {known.first_run}",
        f"parts unchanged since {_shown(known.unchanged_since)}",
        f"{grace} {ends} {_shown(later(known.first_seen, policy.grace))}",
    )
    return Step("grace", Answer.KEEP if waiting else Answer.PASS, says)


def _object(evidence: Evidence) -> Step:
    if evidence.kept_apart:
        says = "not asked: the store keeps uploads and finished objects apart"
        return Step("object", Answer.PASS, (says,))
    if evidence.finished_doubt is not None:
        says = f"whether there is a finished object is not known: {evidence.finished_doubt}"
        return Step("object", Answer.KEEP, (says,))
    if evidence.finished is None:
        return Step("object", Answer.PASS, ("no finished object is newer than the upload",))
    says = f"a finished object was written {_shown(evidence.finished)}: an abort might take it"
    return Step("object", Answer.KEEP, (says,))


def _limits(evidence: Evidence) -> Step:
    budget, where = evidence.budget, evidence.upload.where
    listed = {where.target: evidence.listing.uploads}
    plan = make_plan([evidence.decision], listed, budget.limits, budget.aborted_today)
    says = [_limit_words(budget)]
    if plan.defer:
        names = ", ".join(sorted(plan.binding)) or "share_of_listed"
        return Step("limits", Answer.KEEP, (f"{names} leaves no room for it", *says))
    if budget.limits != Limits():
        says.append("older stale uploads go first, and the limits are for all of them together")
    return Step("limits", Answer.PASS, tuple(says))


def _limit_words(budget: Budget) -> str:
    limits = budget.limits
    words = []
    if limits.aborts_per_run is not None:
        words.append(f"aborts_per_run {count(limits.aborts_per_run)}")
    if limits.aborts_per_day is not None:
        used = f"{count(budget.aborted_today)} used in the last 24 h"
        words.append(f"aborts_per_day {count(limits.aborts_per_day)} ({used})")
    if limits.bytes_per_run is not None:
        words.append(f"bytes_per_run {size(limits.bytes_per_run)}")
    if limits.share_of_listed is not None:
        words.append(f"share_of_listed {float(limits.share_of_listed):.1%}")
    return ", ".join(words) or "there are none"


def _by_age(terms: Terms) -> timedelta:
    return terms.stale_after


def _whole_size(activity: Activity | None) -> int | None:
    return activity.size if activity is not None and activity.complete else None


def _newest(upload: Upload, activity: Activity | None) -> datetime | None:
    signs = (upload.initiated, None if activity is None else activity.last_part)
    return max((sign for sign in signs if sign is not None), default=None)


def _shown(moment: datetime) -> str:
    return f"{moment.astimezone(UTC).isoformat(sep=' ', timespec='seconds')[:19]} UTC"


def _ago(evidence: Evidence, moment: datetime) -> str:
    passed = evidence.now - moment
    return f"{_aged(passed)} ago" if passed >= timedelta(0) else f"{_aged(-passed)} ahead"


def _aged(length: timedelta) -> str:
    return age(length // timedelta(seconds=1))


def _span(length: timedelta) -> str:
    """Write a threshold exactly, as the config does."""
    day, hour = timedelta(days=1), timedelta(hours=1)
    if length >= 2 * day and not length % day:
        return f"{length // day}d"
    if not length % hour:
        return f"{length // hour}h"
    return f"{length / timedelta(seconds=1):g}s"
