"""Plans as files: what was written is read back, and nothing else is."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, timedelta
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.strategies import (
    CONTAINERS,
    DAY,
    LAKE,
    NOW,
    decision_lists,
    keys,
    law,
    parts_of,
    stale_decision,
    words,
)

from janitor.model import Activity, Reason
from janitor.planfile import (
    BadPlan,
    PlanFile,
    PlannedTarget,
    PlannedUpload,
    decode,
    encode,
    planned,
)

instants = st.datetimes(timezones=st.just(UTC))
unknown_or = st.none() | instants
numbers = st.none() | st.integers(0, 2**63)
targets = st.builds(
    PlannedTarget, words, words, words, words, st.none() | words, st.text("0123456789abcdef")
)
uploads = st.builds(
    PlannedUpload,
    where=st.sampled_from(CONTAINERS),
    key=st.none() | keys,
    upload_id=st.sampled_from(["1", "ü", "x\ud800", '"\\\n']),
    initiated=unknown_or,
    last_activity=unknown_or,
    size=numbers,
    parts=numbers,
    fingerprint=words,
    rule=words,
    reason=st.sampled_from(Reason),
    eligible_at=unknown_or,
)
plans = st.builds(
    PlanFile,
    run_id=words,
    created_at=instants,
    expires_at=instants,
    version=words,
    config_fingerprint=words,
    targets=st.lists(targets, max_size=2).map(tuple),
    uploads=st.lists(uploads, max_size=3).map(tuple),
)
PLAN = PlanFile(
    "run-1",
    NOW,
    NOW + DAY,
    "1.0",
    "c0ffee",
    (PlannedTarget("lake", "s3", "http://127.0.0.1:1", "eu-west-1", None, "facade"),),
    (planned(stale_decision("1", activity=parts_of())),),
)


def sealed(body: bytes) -> bytes:
    """Seal any body, as somebody would who has read this test."""
    return body + b'{"type":"end","digest":"%s"}\n' % sha256(body).hexdigest().encode()


@law
@given(plans)
def test_what_was_written_is_read_back(plan: PlanFile) -> None:
    """Any plan survives the file, whatever its keys are, and in the same order."""
    assert plan == decode(encode(plan)).plan


@law
@given(plans)
def test_a_plan_is_written_in_ascii_lines(plan: PlanFile) -> None:
    """One header, one line for each upload, one end; each is JSON of its own."""
    lines = encode(plan).decode("ascii").splitlines()
    types = [json.loads(line)["type"] for line in lines]

    assert ["plan", *["upload"] * len(plan.uploads), "end"] == types


def test_every_single_byte_counts() -> None:
    """A file with any one byte changed is refused."""
    data = encode(PLAN)
    for position in range(len(data)):
        for other in (data[position] ^ 1, data[position] ^ 32):
            edited = data[:position] + bytes([other]) + data[position + 1 :]
            with pytest.raises(BadPlan):
                decode(edited)


def test_every_lost_or_added_byte_counts() -> None:
    """A file with any one byte less or more is refused."""
    data = encode(PLAN)
    for position in range(len(data)):
        with pytest.raises(BadPlan):
            decode(data[:position] + data[position + 1 :])
    for position in range(len(data) + 1):
        with pytest.raises(BadPlan):
            decode(data[:position] + b"\n" + data[position:])


def test_every_truncation_counts() -> None:
    """A file that was cut anywhere is refused, and an empty one, too."""
    data = encode(PLAN)
    for length in range(len(data)):
        with pytest.raises(BadPlan):
            decode(data[:length])


@law
@given(st.binary())
def test_any_bytes_are_a_plan_or_refused(data: bytes) -> None:
    """Garbage is refused in words, sealed or not."""
    for each in (data, sealed(data)):
        with pytest.raises(BadPlan, match="janitor plan --out FILE"):
            decode(each)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"schema_version":1', b'"schema_version":2'),
        (b'"uploads":1', b'"uploads":2'),
        (b'"run_id":"run-1"', b'"run_id":1'),
        (b'"version":"1.0",', b""),
        (b'"parts":1', b'"parts":true'),
        (b'"parts":1', b'"parts":"1"'),
        (b'"reason":"stale"', b'"reason":"whim"'),
        (b'"type":"upload"', b'"type":"object"'),
        (b'"target":"lake","provider":"s3","endpoint"', b'"goal":"lake","provider":"s3","at"'),
        (b"2026-11-20T05:00:00+00:00", b"2026-11-20T05:00:00"),
    ],
)
def test_a_sealed_plan_must_still_make_sense(old: bytes, new: bytes) -> None:
    """A new digest under other words does not make them a plan."""
    body = encode(PLAN).rpartition(b'{"type":"end"')[0]

    assert old in body
    with pytest.raises(BadPlan, match="what no janitor of this version writes"):
        decode(sealed(body.replace(old, new)))


def test_the_sentences_say_what_is_wrong() -> None:
    """A cut file and an edited one are told apart."""
    data = encode(PLAN)
    remedy = "make a new one with janitor plan --out FILE"
    with pytest.raises(BadPlan) as cut:
        decode(data[:-1])
    with pytest.raises(BadPlan) as edited:
        decode(data.replace(b"run-1", b"run-2"))

    assert f"the file is not a plan, or its end is missing: {remedy}" == str(cut.value)
    assert f"the file was changed after it was written: its digest does not fit: {remedy}" == str(
        edited.value
    )


def test_the_digest_is_of_everything_before_it() -> None:
    """The last line holds the SHA-256 of all bytes before it."""
    data = encode(PLAN)
    body = data[: data.rindex(b'{"type":"end"')]

    assert sha256(body).hexdigest() == decode(data).digest


def test_a_planned_upload_carries_its_evidence() -> None:
    """What the decision rests on is in the plan."""
    activity = Activity(known=True, complete=True, parts=2, size=7, last_part=NOW - DAY)
    decision = replace(
        stale_decision("1", activity=replace(activity, fingerprint="f00d")), eligible_at=NOW
    )
    expected = PlannedUpload(
        where=LAKE,
        key="a/b",
        upload_id="1",
        initiated=NOW - 30 * DAY,
        last_activity=NOW - DAY,
        size=7,
        parts=2,
        fingerprint="f00d",
        rule="default",
        reason=Reason.STALE,
        eligible_at=NOW,
    )

    assert expected == planned(decision)


def test_half_read_parts_are_no_evidence() -> None:
    """What was not read to its end has no size, number or fingerprint in a plan."""
    half = Activity(known=True, complete=False, parts=2, size=7, fingerprint="f00d")
    upload = planned(stale_decision("1", activity=half))

    assert (None, None, "") == (upload.size, upload.parts, upload.fingerprint)


@law
@given(decision_lists())
def test_every_upload_has_a_name_of_its_own(decisions: list[object]) -> None:
    """The name by which `apply` is restricted tells all uploads apart."""
    names = [planned(decision).name for decision in decisions]  # type: ignore[arg-type]

    assert len(names) == len(set(names))


def test_times_keep_their_microseconds() -> None:
    """A plan must not round: what is compared later must be equal."""
    plan = replace(PLAN, created_at=NOW + timedelta(microseconds=1))

    assert plan == decode(encode(plan)).plan
