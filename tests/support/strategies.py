"""What the laws are tried on: uploads, parts, policies and limits, drawn close to every edge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from hypothesis import Phase, settings
from hypothesis import strategies as st

from janitor.matching import Match, Pattern
from janitor.model import (
    EARLIEST_PLAUSIBLE,
    PROVIDERS,
    Activity,
    ContainerRef,
    Decision,
    Reason,
    Upload,
    Verdict,
)
from janitor.plan import Limits
from janitor.policy import Policy, Rule

law = settings(deadline=None, max_examples=75)
# To find out whether something is ever drawn at all, not what the least of it is.
search = settings(deadline=None, derandomize=True, max_examples=50_000, phases=[Phase.generate])

NOW = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
TICK = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

MEDIA = ContainerRef("media", "qingstor", "movies")
LAKE = ContainerRef("lake", "s3", "raw")
ARCHIVE = ContainerRef("archive", "glacier", "examplevault")
CONTAINERS = (MEDIA, LAKE, ARCHIVE)
ZONES = (
    UTC,
    timezone(timedelta(hours=14)),
    timezone(-timedelta(hours=12)),
    timezone(timedelta(hours=5, minutes=45)),
    ZoneInfo("Europe/Berlin"),
    ZoneInfo("America/New_York"),
)


def upload_of(  # noqa: PLR0913  # an upload has as many fields
    where: ContainerRef = LAKE,
    *,
    key: str | None = "a/b",
    upload_id: str = "id",
    age: timedelta | None = 30 * DAY,
    description: str | None = "",
    initiator: str | None = "",
    storage_class: str | None = "STANDARD",
) -> Upload:
    """One upload that began `age` before `NOW`; None is an unknown date."""
    return Upload(
        where,
        key=None if where.provider == "glacier" else key,
        upload_id=upload_id,
        initiated=None if age is None else NOW - age,
        description=description,
        initiator=initiator,
        storage_class=storage_class,
    )


def parts_of(
    idle: timedelta | None = 2 * DAY, *, size: int | None = 10, parts: int = 1
) -> Activity:
    """Parts that were read to the end, the newest of them `idle` before `NOW`."""
    return Activity(
        known=True,
        complete=True,
        parts=parts,
        size=size,
        last_part=None if idle is None else NOW - idle,
    )


def stale_decision(
    upload_id: str,
    where: ContainerRef = LAKE,
    *,
    age: timedelta = 30 * DAY,
    activity: Activity | None = None,
) -> Decision:
    """Decide that an upload is stale, without asking a policy."""
    upload = upload_of(where, upload_id=upload_id, age=age)
    return Decision(upload, Verdict.ABORT, Reason.STALE, "default", None, activity)


durations = st.sampled_from([timedelta(0), TICK, HOUR, DAY, 3 * DAY, 7 * DAY, 30 * DAY])
nudges = st.sampled_from([-TICK, timedelta(0), TICK])

# Before `NOW`, after it (a wrong clock), and at every threshold that a policy may have.
ages = st.one_of(
    st.builds(lambda about, nudge: about + nudge, durations, nudges),
    st.builds(lambda about, nudge: about + nudge, st.just(-5 * MINUTE), nudges),
    st.timedeltas(min_value=-2 * DAY, max_value=60 * DAY),
)
moments = st.one_of(
    ages.map(lambda age: NOW - age),
    st.sampled_from([*EARLIEST_PLAUSIBLE.values(), datetime(1, 1, 1, tzinfo=UTC)]),
    st.just(datetime.max.replace(tzinfo=UTC)),
)
instants = st.one_of(
    st.just(NOW),
    st.datetimes(timezones=st.sampled_from(ZONES)),
    st.sampled_from([datetime.min.replace(tzinfo=zone) for zone in ZONES]),
    st.sampled_from([datetime.max.replace(tzinfo=zone) for zone in ZONES]),
)

words = st.sampled_from(["", "nightly 7", "NIGHTLY", "a\ud800", "é", "e\u0301"])
keys = st.sampled_from(
    ["a", "a/b", "backup/x", "BACKUP/y", "t/__magic/p", "é/1", "e\u0301/1", "k\ud800", "n\nl\x00"]
)


@st.composite
def uploads(draw: st.DrawFn) -> Upload:
    """Any upload that can exist, with any of its fields unknown."""
    where = draw(st.sampled_from(CONTAINERS))
    return Upload(
        where,
        key=None if where.provider == "glacier" else draw(keys),
        upload_id=draw(st.sampled_from(["1", "2", "ü", "x\ud800"])),
        initiated=draw(st.one_of(st.none(), moments, moments)),
        initiated_text=draw(st.sampled_from(["2012-03-19T23:20:59", "yesterday", "", None])),
        description=draw(st.one_of(st.none(), words)),
        initiator=draw(st.one_of(st.none(), words)),
        storage_class=draw(st.sampled_from([None, "", "STANDARD", "GLACIER"])),
    )


@st.composite
def activities(draw: st.DrawFn) -> Activity:
    """Any reading of the parts, also half of one."""
    parts = draw(st.integers(0, 3))
    return Activity(
        known=draw(st.sampled_from([True, True, False])),
        complete=draw(st.sampled_from([True, True, False])),
        parts=parts,
        size=draw(st.sampled_from([None, 0, 9, 10, 11])),
        last_part=draw(st.one_of(st.none(), moments)) if parts else None,
    )


patterns = st.sampled_from(["*", "**", "a*", "backup/**", "**/__magic/**", "nightly*", "É*", "?"])
globs = st.one_of(st.none(), patterns.map(Pattern))
sizes = st.sampled_from([None, None, 9, 10])


@st.composite
def matches(draw: st.DrawFn) -> Match:
    """Any conditions, most of them left out."""
    chosen = draw(st.sets(st.sampled_from(["key", "text", "where", "size"]), max_size=2))
    return Match(
        target=draw(globs) if "where" in chosen else None,
        provider=draw(st.sampled_from([None, *sorted(PROVIDERS)])) if "where" in chosen else None,
        key=draw(globs) if "key" in chosen else None,
        description=draw(globs) if "text" in chosen else None,
        initiator=draw(globs) if "text" in chosen else None,
        storage_class=draw(globs) if "text" in chosen else None,
        larger_than=draw(sizes) if "size" in chosen else None,
        smaller_than=draw(sizes) if "size" in chosen else None,
    )


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """Any rule: one that protects, one that changes thresholds, one that changes nothing."""
    return Rule(
        name=draw(st.sampled_from(["r1", "r2"])),
        match=draw(matches()),
        keep=draw(st.sampled_from([False, False, False, True])),
        stale_after=draw(st.one_of(st.none(), durations)),
        idle_for=draw(st.one_of(st.none(), durations)),
        judge_by_age_alone=draw(st.sampled_from([False, False, True])),
    )


def protect_rules() -> st.SearchStrategy[Rule]:
    """Any rule that protects."""
    return matches().map(lambda match: Rule("protect", match, keep=True))


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Any policy, also one with a threshold beyond the end of the calendar."""
    far = timedelta(days=999_999_999)
    return Policy(
        stale_after=draw(st.one_of(durations, st.just(far))),
        idle_for=draw(st.one_of(st.none(), durations, st.just(far))),
        rules=tuple(draw(st.lists(rules(), max_size=3))),
        minimum_age=draw(st.sampled_from([DAY, DAY, timedelta(0), HOUR])),
    )


class Situation(NamedTuple):
    """All that `judge` is asked about."""

    upload: Upload
    policy: Policy
    now: datetime
    activity: Activity | None


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """Anything that `judge` may be asked at `NOW`."""
    return Situation(
        draw(uploads()), draw(policies()), NOW, draw(st.one_of(activities(), st.none()))
    )


def _forget(name: str) -> Callable[[Situation], Situation]:
    unknown: dict[str, Any] = {name: None}
    return lambda s: s._replace(upload=replace(s.upload, **unknown))


def _forget_about_parts(**unknown: Any) -> Callable[[Situation], Situation]:
    def forget(s: Situation) -> Situation:
        if s.activity is None:
            return s
        return s._replace(activity=replace(s.activity, **unknown))

    return forget


# Each replaces one observed field by "unknown".
BLINDFOLDS: dict[str, Callable[[Situation], Situation]] = {
    "initiated": _forget("initiated"),
    "initiated_text": _forget("initiated_text"),
    "description": _forget("description"),
    "initiator": _forget("initiator"),
    "storage_class": _forget("storage_class"),
    "activity": lambda s: s._replace(activity=None),
    "activity.known": _forget_about_parts(known=False),
    "activity.complete": _forget_about_parts(complete=False),
    "activity.size": _forget_about_parts(size=None),
    "activity.last_part": _forget_about_parts(last_part=None),
}


@st.composite
def decision_lists(draw: st.DrawFn) -> list[Decision]:
    """Decide on distinct uploads, many of equal age and more than half of them stale."""
    found = draw(
        st.lists(
            st.tuples(
                st.sampled_from(CONTAINERS),
                st.sampled_from(["a", "b"]),
                st.sampled_from(["1", "2", "3", "4"]),
            ),
            max_size=10,
            unique=True,
        ).map(lambda identities: [(w, k, i) for w, k, i in identities if w != ARCHIVE or k == "a"])
    )
    return [draw(_decisions_on(where, key, upload_id)) for where, key, upload_id in found]


@st.composite
def _decisions_on(draw: st.DrawFn, where: ContainerRef, key: str, upload_id: str) -> Decision:
    age = draw(st.sampled_from([None, 10 * DAY, 20 * DAY, 20 * DAY + TICK]))
    upload = upload_of(where, key=key, upload_id=upload_id, age=age)
    activity = draw(st.one_of(st.none(), activities()))
    if age is None:
        return Decision(upload, Verdict.KEEP, Reason.NO_DATE, "default", None, activity)
    if draw(st.sampled_from([False, False, True])):
        return Decision(upload, Verdict.KEEP, Reason.ACTIVE, "default", NOW, activity)
    return Decision(upload, Verdict.ABORT, Reason.STALE, "default", None, activity)


caps = st.one_of(st.none(), st.integers(0, 6))
budgets = st.one_of(st.none(), st.integers(0, 60))
shares = st.one_of(
    st.none(), st.sampled_from([Fraction(n, 10) for n in range(11)]), st.fractions(0, 1)
)
limits = st.builds(Limits, caps, caps, budgets, shares)
listings = st.dictionaries(st.sampled_from([where.target for where in CONTAINERS]), caps).map(
    lambda counts: {target: count for target, count in counts.items() if count is not None}
)
