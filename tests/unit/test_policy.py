# expected == actual, in this order everywhere
from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, find, given
from hypothesis import strategies as st
from support.strategies import (
    ARCHIVE,
    BLINDFOLDS,
    DAY,
    HOUR,
    LAKE,
    MEDIA,
    MINUTE,
    NOW,
    TICK,
    ZONES,
    Situation,
    activities,
    durations,
    instants,
    law,
    matches,
    parts_of,
    policies,
    protect_rules,
    search,
    situations,
    upload_of,
    uploads,
)

from janitor.matching import Match, Pattern
from janitor.model import (
    EARLIEST_PLAUSIBLE,
    Activity,
    ContainerRef,
    Decision,
    Reason,
    Upload,
    Verdict,
)
from janitor.policy import (
    Policy,
    Rule,
    always_young,
    first_look,
    idle_threshold,
    judge,
    may_be_stale,
)

END = datetime.max.replace(tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
EVERYTHING = Match()
PLAIN = Policy()
BY_AGE = Policy(idle_for=None)
STALE = Situation(upload_of(), PLAIN, NOW, parts_of())

Answer = tuple[Verdict, Reason, str, datetime | None]


def _answer(decision: Decision) -> Answer:
    return decision.verdict, decision.reason, decision.rule, decision.eligible_at


def _aborts(situation: Situation) -> bool:
    return judge(*situation).verdict is Verdict.ABORT


def _kept(reason: Reason, eligible_at: datetime | None = None, rule: str = "default") -> Answer:
    return Verdict.KEEP, reason, rule, eligible_at


# Verdicts, one by one


def test_an_old_and_silent_upload_is_stale() -> None:
    """It is aborted, and the whole evidence goes along."""
    upload, activity = upload_of(age=30 * DAY), parts_of(idle=2 * DAY)

    expected = Decision(upload, Verdict.ABORT, Reason.STALE, "default", NOW - DAY, activity)

    assert expected == judge(upload, PLAIN, NOW, activity)


@pytest.mark.parametrize(
    ("age", "activity", "expected"),
    [
        (6 * DAY, None, _kept(Reason.YOUNG, NOW + DAY)),
        (6 * DAY, parts_of(HOUR), _kept(Reason.YOUNG, NOW + DAY)),
        (7 * DAY - HOUR, parts_of(HOUR), _kept(Reason.YOUNG, NOW + 23 * HOUR)),
        (timedelta(0), None, _kept(Reason.YOUNG, NOW + 7 * DAY)),
        (30 * DAY, parts_of(HOUR), _kept(Reason.ACTIVE, NOW + 23 * HOUR)),
        (30 * DAY, parts_of(-DAY), _kept(Reason.ACTIVE, NOW + 2 * DAY)),
        (30 * DAY, None, _kept(Reason.ACTIVITY_UNKNOWN)),
        (None, None, _kept(Reason.NO_DATE)),
        (None, parts_of(), _kept(Reason.NO_DATE)),
        (-HOUR, None, _kept(Reason.FUTURE_DATE, NOW + 7 * DAY + HOUR)),
        (30_000 * DAY, parts_of(), _kept(Reason.IMPLAUSIBLE_DATE)),
    ],
)
def test_an_upload_is_kept_for_a_reason(
    age: timedelta | None, activity: Activity | None, expected: Answer
) -> None:
    """The reason says what keeps it, and until when waiting alone would keep it."""
    assert expected == _answer(judge(upload_of(age=age), PLAIN, NOW, activity))


@pytest.mark.parametrize(
    "activity",
    [
        Activity(known=False, complete=True, parts=1, size=1, last_part=NOW - 2 * DAY),
        Activity(known=True, complete=False, parts=1, size=1, last_part=NOW - 2 * DAY),
        Activity(known=False, complete=False),
        Activity(known=True, complete=True, parts=1, size=1, last_part=None),
    ],
    ids=["a part without time", "half a listing", "nothing", "parts, but no time of any"],
)
def test_half_a_reading_of_the_parts_is_no_evidence(activity: Activity) -> None:
    """Unless every part told its time, the upload may be alive."""
    assert _kept(Reason.ACTIVITY_UNKNOWN) == _answer(judge(upload_of(), PLAIN, NOW, activity))


@pytest.mark.parametrize(
    "activity",
    [
        Activity(known=False, complete=True, parts=2, last_part=NOW - HOUR),
        Activity(known=True, complete=False, parts=1, last_part=NOW - HOUR),
        Activity(known=False, complete=False, parts=1, last_part=NOW - HOUR),
    ],
)
def test_one_recent_part_is_enough_to_be_active(activity: Activity) -> None:
    """A sign of life speaks even where the rest could not be read."""
    expected = _kept(Reason.ACTIVE, NOW + 23 * HOUR)

    assert expected == _answer(judge(upload_of(), PLAIN, NOW, activity))


def test_an_upload_without_parts_is_silent_since_it_began() -> None:
    """No part ever came: its beginning is its only sign of life."""
    policy = Policy(stale_after=DAY, idle_for=3 * DAY)
    nothing = Activity(known=True, complete=True)

    answers = [_answer(judge(upload_of(age=days * DAY), policy, NOW, nothing)) for days in (2, 4)]

    assert answers == [
        _kept(Reason.ACTIVE, NOW + DAY),
        (Verdict.ABORT, Reason.STALE, "default", NOW - DAY),
    ]


@pytest.mark.parametrize("activity", [None, parts_of(timedelta(0)), parts_of(None)])
def test_without_idle_for_age_alone_decides(activity: Activity | None) -> None:
    """`idle_for: off` means that nobody looks at the parts."""
    expected = (Verdict.ABORT, Reason.STALE, "default", NOW - 23 * DAY)

    assert expected == _answer(judge(upload_of(), BY_AGE, NOW, activity))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2012-03-19T23:20:59", Reason.NAIVE_DATE),
        ("2012-03-19T23:20:59Z", Reason.NO_DATE),
        ("2012-03-19", Reason.NO_DATE),
        ("yesterday", Reason.NO_DATE),
        ("", Reason.NO_DATE),
        (None, Reason.NO_DATE),
    ],
)
def test_an_upload_without_a_usable_date_is_kept(text: str | None, reason: Reason) -> None:
    """A date that lacks only its zone has a reason of its own, because it has a remedy."""
    upload = Upload(LAKE, "k", "i", initiated=None, initiated_text=text)

    assert _kept(reason) == _answer(judge(upload, BY_AGE, NOW))


# Exactly at the threshold


@pytest.mark.parametrize(
    ("upload", "policy", "activity", "at", "past"),
    [
        (upload_of(age=7 * DAY), PLAIN, parts_of(), Reason.YOUNG, Reason.STALE),
        (upload_of(age=DAY), Policy(timedelta(0)), parts_of(), Reason.YOUNG, Reason.STALE),
        (
            upload_of(age=HOUR),
            Policy(timedelta(0), None, minimum_age=HOUR),
            None,
            Reason.YOUNG,
            Reason.STALE,
        ),
        (upload_of(), PLAIN, parts_of(DAY), Reason.ACTIVE, Reason.STALE),
        (upload_of(), PLAIN, parts_of(DAY - TICK), Reason.ACTIVE, Reason.ACTIVE),
        (
            upload_of(age=3 * DAY),
            Policy(DAY, 3 * DAY),
            None,
            Reason.ACTIVE,
            Reason.ACTIVITY_UNKNOWN,
        ),
        (upload_of(age=-5 * MINUTE - TICK), PLAIN, None, Reason.FUTURE_DATE, Reason.YOUNG),
    ],
    ids=[
        "stale_after",
        "floor",
        "minimum_age",
        "idle_for",
        "idle_for less a tick",
        "idle_for since the beginning",
        "future",
    ],
)
def test_an_upload_is_kept_exactly_at_its_threshold(
    upload: Upload, policy: Policy, activity: Activity | None, at: Reason, past: Reason
) -> None:
    """A microsecond later it is past it."""
    reasons = [judge(upload, policy, now, activity).reason for now in (NOW, NOW + TICK)]

    assert [at, past] == reasons


@pytest.mark.parametrize("where", [LAKE, MEDIA, ARCHIVE], ids=str)
def test_a_date_as_old_as_the_service_is_implausible(where: ContainerRef) -> None:
    """The round date itself is a default of somebody's; a microsecond later can be true."""
    edge = EARLIEST_PLAUSIBLE[where.provider]

    reasons = [
        judge(replace(upload_of(where), initiated=moment), PLAIN, NOW, parts_of()).reason
        for moment in (edge - TICK, edge, edge + TICK)
    ]

    assert reasons == [Reason.IMPLAUSIBLE_DATE, Reason.IMPLAUSIBLE_DATE, Reason.STALE]


@pytest.mark.parametrize("stale_after", [timedelta(0), -DAY, HOUR, DAY])
@pytest.mark.parametrize("by_rule", [True, False])
def test_the_floor_of_a_day_holds_whatever_the_rules_say(
    stale_after: timedelta,
    by_rule: bool,  # noqa: FBT001  # a column
) -> None:
    """Neither the policy nor a rule can go below it."""
    rule = Rule("eager", EVERYTHING, stale_after=stale_after, judge_by_age_alone=True)
    policy = Policy(rules=[rule]) if by_rule else Policy(stale_after, idle_for=None)

    verdicts = [judge(upload_of(age=age), policy, NOW).verdict for age in (DAY, DAY + TICK)]

    assert verdicts == [Verdict.KEEP, Verdict.ABORT]


def test_the_defaults_are_the_published_ones() -> None:
    """A week of age, a day of silence, a day of grace, and a floor of a day."""
    published = Policy(
        stale_after=timedelta(days=7),
        idle_for=timedelta(hours=24),
        grace=timedelta(hours=24),
        rules=(),
        minimum_age=timedelta(hours=24),
    )

    assert published == Policy()


# Rules


SILENT = parts_of(25 * DAY)


def _rule(
    name: str,
    key: str,
    stale_after: timedelta | None = None,
    idle_for: timedelta | None = None,
) -> Rule:
    return Rule(name, Match(key=Pattern(key)), stale_after=stale_after, idle_for=idle_for)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([_rule("r", "x"), _rule("s", "a/*", stale_after=60 * DAY)],
         _kept(Reason.YOUNG, NOW + 30 * DAY, "s")),
        ([_rule("r", "a/*"), _rule("s", "a/*", stale_after=60 * DAY)],
         (Verdict.ABORT, Reason.STALE, "r", NOW - 23 * DAY)),
        ([_rule("r", "a/*", idle_for=26 * DAY)], _kept(Reason.ACTIVE, NOW + DAY, "r")),
        ([_rule("r", "a/*", stale_after=DAY)],
         (Verdict.ABORT, Reason.STALE, "r", NOW - 24 * DAY)),
        ([_rule("r", "A/*", stale_after=60 * DAY)],
         (Verdict.ABORT, Reason.STALE, "default", NOW - 23 * DAY)),
        ([Rule("r", Match(key=Pattern("A/*")), keep=True)],
         _kept(Reason.PROTECTED, None, "r")),
        ([_rule("r", "a/*"), Rule("s", EVERYTHING, keep=True)],
         (Verdict.ABORT, Reason.STALE, "r", NOW - 23 * DAY)),
        ([Rule("r", EVERYTHING, keep=True, stale_after=DAY)], _kept(Reason.PROTECTED, None, "r")),
        ([Rule("r", EVERYTHING, stale_after=DAY, idle_for=3 * DAY, judge_by_age_alone=True)],
         (Verdict.ABORT, Reason.STALE, "r", NOW - 29 * DAY)),
    ],
)  # fmt: skip
def test_the_first_rule_that_matches_decides(rules: list[Rule], expected: Answer) -> None:
    """What it leaves out is the policy's own; what follows it is not read."""
    assert expected == _answer(judge(upload_of(), Policy(rules=rules), NOW, SILENT))


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([Rule("r", Match(description=Pattern("x")), keep=True)],
         _kept(Reason.PROTECTED, None, "r")),
        ([Rule("r", Match(description=Pattern("x")), stale_after=60 * DAY)],
         _kept(Reason.YOUNG, NOW + 30 * DAY, "r")),
        ([Rule("r", Match(description=Pattern("x")), stale_after=9 * DAY)],
         (Verdict.ABORT, Reason.STALE, "r", NOW - 21 * DAY)),
        ([Rule("r", Match(description=Pattern("x")), stale_after=2 * DAY)],
         (Verdict.ABORT, Reason.STALE, "r", NOW - 23 * DAY)),
        ([Rule("r", Match(description=Pattern("x"))), Rule("s", EVERYTHING, keep=True)],
         _kept(Reason.PROTECTED, None, "s")),
        ([Rule("r", Match(description=Pattern("x")), stale_after=40 * DAY),
          Rule("s", EVERYTHING, stale_after=50 * DAY)],
         _kept(Reason.YOUNG, NOW + 20 * DAY, "r")),
        ([Rule("r", Match(description=Pattern("x"), target=Pattern("other")), keep=True)],
         (Verdict.ABORT, Reason.STALE, "default", NOW - 23 * DAY)),
    ],
)  # fmt: skip
def test_where_a_rule_may_apply_all_answers_must_agree(rules: list[Rule], expected: Answer) -> None:
    """An unknown description may match: it aborts only if that makes no difference."""
    upload = upload_of(description=None)

    assert expected == _answer(judge(upload, Policy(rules=rules), NOW, SILENT))


@pytest.mark.parametrize(
    ("activity", "reason"),
    [
        (parts_of(size=10), Reason.STALE),
        (parts_of(size=11), Reason.PROTECTED),
        (parts_of(size=None), Reason.PROTECTED),
        (replace(parts_of(size=10), complete=False), Reason.PROTECTED),
        (None, Reason.PROTECTED),
    ],
)
def test_a_size_counts_only_when_all_parts_were_read(
    activity: Activity | None, reason: Reason
) -> None:
    """Half a reading gives a lower bound, which may well be larger in truth."""
    policy = Policy(idle_for=None, rules=[Rule("big", Match(larger_than=10), keep=True)])

    assert reason is judge(upload_of(), policy, NOW, activity).reason


# Is it worth asking for the parts?


@pytest.mark.parametrize(
    ("upload", "policy", "expected"),
    [
        (upload_of(), PLAIN, True),
        (upload_of(), BY_AGE, True),
        (upload_of(age=7 * DAY), PLAIN, False),
        (upload_of(age=None), PLAIN, False),
        (upload_of(), Policy(rules=[Rule("r", EVERYTHING, keep=True)]), False),
        (upload_of(), Policy(rules=[Rule("r", Match(larger_than=1), keep=True)]), True),
        (upload_of(age=2 * DAY), Policy(DAY, 3 * DAY), False),
        (upload_of(age=2 * DAY), Policy(rules=[Rule("r", Match(larger_than=1), stale_after=DAY)]),
         True),
    ],
)  # fmt: skip
def test_parts_are_asked_for_only_where_they_can_matter(
    upload: Upload,
    policy: Policy,
    expected: bool,  # noqa: FBT001  # a column
) -> None:
    """Most uploads are young or protected, and cost no request."""
    assert expected is may_be_stale(upload, policy, NOW)


LARGE = Rule("large", Match(larger_than=10), idle_for=3 * DAY)


@pytest.mark.parametrize(
    ("policy", "size", "expected"),
    [
        (PLAIN, None, DAY),
        (BY_AGE, None, None),
        (Policy(rules=[LARGE]), None, 3 * DAY),
        (Policy(rules=[LARGE]), 11, 3 * DAY),
        (Policy(rules=[LARGE]), 10, DAY),
        (Policy(idle_for=None, rules=[LARGE]), None, 3 * DAY),
        (Policy(rules=[Rule("r", EVERYTHING, idle_for=3 * DAY, judge_by_age_alone=True)]), None,
         None),
    ],
)  # fmt: skip
def test_the_idle_threshold_is_that_of_the_strictest_rule(
    policy: Policy, size: int | None, expected: timedelta | None
) -> None:
    """Whoever reads parts may stop at the first that is newer than this."""
    assert expected == idle_threshold(upload_of(), policy, size)


# Laws

JUDGED = [
    Reason.STALE,
    Reason.YOUNG,
    Reason.ACTIVE,
    Reason.ACTIVITY_UNKNOWN,
    Reason.PROTECTED,
    Reason.NO_DATE,
    Reason.NAIVE_DATE,
    Reason.FUTURE_DATE,
    Reason.IMPLAUSIBLE_DATE,
]


@pytest.mark.parametrize("reason", JUDGED)
def test_the_laws_below_are_tried_on_every_reason(reason: Reason) -> None:
    """A strategy that stops reaching one of them fails here, by name."""
    found = find(situations(), lambda s: judge(*s).reason is reason, settings=search)

    assert reason is judge(*found).reason


@law
@given(uploads(), policies(), instants, st.one_of(st.none(), activities()))
@example(upload_of(), PLAIN, datetime.max.replace(tzinfo=ZONES[2]), parts_of())
@example(upload_of(), PLAIN, datetime.min.replace(tzinfo=ZONES[1]), parts_of())
@example(replace(upload_of(), initiated=END), PLAIN, END, parts_of())
def test_every_upload_gets_an_answer(
    upload: Upload, policy: Policy, now: datetime, activity: Activity | None
) -> None:
    """Nothing raises, at either end of the calendar; and only what is stale is aborted."""
    decision = judge(upload, policy, now, activity)

    expected = Verdict.ABORT if decision.reason is Reason.STALE else Verdict.KEEP

    assert (upload, activity, expected) == (decision.upload, decision.activity, decision.verdict)


def test_a_naive_now_is_refused() -> None:
    """A clock without a zone is a mistake of ours, and no guess is made."""
    with pytest.raises(TypeError, match="offset-naive and offset-aware"):
        judge(upload_of(), PLAIN, NOW.replace(tzinfo=None), parts_of())


@law
@given(situations(), st.sampled_from(ZONES))
@example(STALE, BERLIN)
def test_the_zone_of_now_does_not_matter(situation: Situation, zone: tzinfo) -> None:
    """The same instant, written differently, gives the same decision."""
    there = situation._replace(now=NOW.astimezone(zone))

    assert judge(*situation) == judge(*there)


@pytest.mark.parametrize(("minutes", "reason"), [(5, Reason.YOUNG), (6, Reason.FUTURE_DATE)])
def test_the_end_of_summer_time_stretches_no_tolerance(minutes: int, reason: Reason) -> None:
    """Five minutes after 02:58 summer time is 02:03 winter time, not 03:03."""
    now = datetime(2026, 10, 25, 2, 58, fold=0, tzinfo=BERLIN)
    upload = Upload(LAKE, "k", "i", now.astimezone(UTC) + minutes * MINUTE)

    assert reason is judge(upload, PLAIN, now).reason


@pytest.mark.parametrize(("tick", "reason"), [(timedelta(0), Reason.YOUNG), (TICK, Reason.STALE)])
def test_a_day_without_two_o_clock_is_an_hour_shorter(tick: timedelta, reason: Reason) -> None:
    """Ages are elapsed time, also for a date that was given in local time."""
    upload = Upload(LAKE, "k", "i", datetime(2026, 3, 29, 1, 0, tzinfo=BERLIN))
    now = datetime(2026, 3, 30, 2, 0, tzinfo=BERLIN) + tick

    assert reason is judge(upload, Policy(DAY, None), now).reason


@law
@given(situations(), st.timedeltas(min_value=timedelta(0), max_value=100_000 * DAY))
@example(STALE, timedelta(0))
@example(STALE, TICK)
def test_what_is_stale_stays_stale(situation: Situation, wait: timedelta) -> None:
    """With the same evidence, time never brings an upload back to life."""
    later = situation._replace(now=NOW + wait)

    assert _aborts(situation) <= _aborts(later)


@law
@given(situations(), st.timedeltas(min_value=timedelta(0), max_value=100_000 * DAY))
def test_nothing_is_aborted_before_it_is_eligible(situation: Situation, wait: timedelta) -> None:
    """`eligible_at` is the last instant at which an upload is kept; without one it always is."""
    eligible_at = judge(*situation).eligible_at
    undecided = judge(*situation).reason is Reason.ACTIVITY_UNKNOWN
    before = situation._replace(now=eligible_at if eligible_at is not None else NOW + wait)

    assert undecided or not _aborts(before)


@law
@given(situations())
def test_an_upload_with_readable_parts_is_stale_right_after_it_is_eligible(
    situation: Situation,
) -> None:
    """`eligible_at` promises no later date than the true one."""
    activity = situation.activity or Activity(known=True, complete=True)
    whole = situation._replace(
        activity=replace(activity, known=True, complete=True, parts=bool(activity.last_part))
    )
    eligible_at = judge(*whole).eligible_at
    beyond_the_calendar = eligible_at == END

    after = (eligible_at or NOW) + (timedelta(0) if beyond_the_calendar else TICK)

    assert beyond_the_calendar or _aborts(whole._replace(now=after)) is (eligible_at is not None)


@law
@given(situations())
@example(STALE)
@example(STALE._replace(activity=parts_of(HOUR)))
@example(STALE._replace(policy=Policy(idle_for=None, rules=[LARGE])))
@example(
    STALE._replace(policy=Policy(rules=[Rule("r", Match(smaller_than=10), stale_after=60 * DAY)]))
)
def test_knowing_less_never_adds_an_abort(situation: Situation) -> None:
    """Doubt keeps: any observed field may be replaced by "unknown"."""
    blind = {field: blindfold(situation) for field, blindfold in BLINDFOLDS.items()}
    aborted = {field for field, less in blind.items() if _aborts(less)}

    assert _aborts(situation) or aborted == set()


@law
@given(situations(), protect_rules(), st.integers(0, 3))
@example(STALE, Rule("protect", Match(key=Pattern("A/**")), keep=True), 0)
@example(
    STALE._replace(policy=Policy(rules=[Rule("eager", EVERYTHING)])),
    Rule("protect", EVERYTHING, keep=True),
    1,
)
def test_another_protect_rule_never_adds_an_abort(
    situation: Situation, rule: Rule, position: int
) -> None:
    """Wherever in the list of rules it is put."""
    rules = list(situation.policy.rules)
    rules.insert(position, rule)
    safer = situation._replace(policy=replace(situation.policy, rules=rules))

    assert _aborts(safer) <= _aborts(situation)


@law
@given(situations(), matches())
@example(STALE, EVERYTHING)
@example(STALE, Match(key=Pattern("A/*")))
def test_what_the_first_rule_protects_is_never_aborted(situation: Situation, match: Match) -> None:
    """A match, and even a perhaps, is enough."""
    rules = (Rule("protect", match, keep=True), *situation.policy.rules)
    answers = {
        match.test(situation.upload, size, over_protect=over).value
        for size in (None, situation.activity.size if situation.activity else None)
        for over in (True, False)
    }

    aborted = _aborts(situation._replace(policy=replace(situation.policy, rules=rules)))

    assert not aborted or 0 in answers


@law
@given(situations(), durations, durations)
@example(STALE, timedelta(0), TICK)
def test_a_more_patient_policy_never_aborts_more(
    situation: Situation, older: timedelta, quieter: timedelta
) -> None:
    """Longer thresholds only keep more."""
    policy = situation.policy
    patient = replace(
        policy,
        stale_after=max(policy.stale_after, older),
        minimum_age=policy.minimum_age + older,
        idle_for=None if policy.idle_for is None else max(policy.idle_for, quieter),
    )

    assert _aborts(situation._replace(policy=patient)) <= _aborts(situation)


@law
@given(situations(), st.one_of(st.none(), activities()))
@example(STALE._replace(upload=upload_of(age=7 * DAY + TICK)), parts_of())
@example(STALE._replace(policy=BY_AGE), None)
@example(STALE._replace(policy=Policy(rules=[LARGE])), parts_of(2 * DAY, size=10))
@example(
    STALE._replace(policy=Policy(rules=[Rule("big", Match(larger_than=10), keep=True)])), parts_of()
)
def test_whatever_can_be_aborted_is_asked_about(
    situation: Situation, activity: Activity | None
) -> None:
    """No knowledge of the parts makes an upload stale that was not worth a request."""
    upload, policy, now, _ = situation

    assert _aborts(situation._replace(activity=activity)) <= may_be_stale(upload, policy, now)


@law
@given(situations())
@example(STALE._replace(activity=parts_of(DAY)))
@example(STALE._replace(activity=parts_of(DAY + TICK)))
def test_nothing_with_a_part_newer_than_the_threshold_is_aborted(situation: Situation) -> None:
    """Promise 2: and the reader of parts and the judge mean the same threshold."""
    upload, policy, now, activity = situation
    last_part = activity.last_part if activity is not None else None
    size = activity.size if activity is not None and activity.complete else None
    threshold = idle_threshold(upload, policy, size)
    recent = last_part is not None and threshold is not None and now - last_part <= threshold

    assert not (_aborts(situation) and recent)


@law
@given(situations())
@example(STALE._replace(upload=upload_of(age=DAY), policy=Policy(timedelta(0), None)))
@example(STALE._replace(upload=upload_of(age=DAY + TICK), policy=Policy(timedelta(0), None)))
def test_nothing_younger_than_the_minimum_is_aborted(situation: Situation) -> None:
    """Promise 1: and nothing without a date is."""
    upload, policy, now, _ = situation
    old = upload.initiated is not None and now - upload.initiated > policy.minimum_age

    assert _aborts(situation) <= old


@law
@given(situations(), st.floats(0, 1))
@example(STALE, 0)
@example(STALE, 1)
@example(STALE._replace(policy=Policy(rules=[LARGE])), 0)
def test_in_the_span_of_the_young_everything_is_young(situation: Situation, share: float) -> None:
    """Whatever the rules say, from its first instant to its last."""
    upload, policy, now, _ = situation
    span = always_young(upload.where.provider, policy, now)
    if span is None:
        assert any(rule.keep for rule in policy.rules)
        return
    first, last = span
    if first > last:  # a threshold of nothing, before the service began
        return
    initiated = min(last, first + share * (last - first))
    young = replace(upload, initiated=initiated)

    assert Reason.YOUNG is judge(young, policy, now).reason
    assert not may_be_stale(young, policy, now)


@law
@given(situations())
@example(STALE)
def test_the_span_of_the_young_has_no_larger_one(situation: Situation) -> None:
    """Without rules, what is an instant outside is not young."""
    upload, policy, now, _ = situation
    plain = replace(policy, rules=())
    span = always_young(upload.where.provider, plain, now)

    assert span is not None
    for moment in (span[0] - TICK, span[1] + TICK):
        found = judge(replace(upload, initiated=moment), plain, now).reason

        assert Reason.YOUNG is not found


@law
@given(situations())
@example(STALE)
def test_the_first_look_says_the_same_as_the_whole_judgement(situation: Situation) -> None:
    """Where it says anything, before the parts are known."""
    upload, policy, now, _ = situation
    decision = first_look(upload, policy, now)

    assert decision in (None, judge(upload, policy, now))
    assert (decision is None) is may_be_stale(upload, policy, now)
