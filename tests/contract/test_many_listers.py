"""One bucket listed by several requests at once, against the sandbox over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from support.harness import HARNESSES, Ear, hours, sweeper

from janitor import providers
from janitor.engine import listers, looks
from janitor.engine.listers import Worth
from janitor.model import ContainerResult, TargetOutcome
from janitor.observe.events import RequestFinished
from janitor.policy import Policy
from janitor.sandbox import Fault, FaultKind, Sandbox
from janitor.targets import AwsIdentity, Credentials, Execution, Reach, S3Options, Secret, Target

S3 = HARNESSES["s3"]
LIST = "s3.list_uploads"
KEYS = [
    *(f"backup/part-{number:04}" for number in range(60)),
    *["hot"] * 11,
    *(f"{number * 0x9E3779B1 % (1 << 32):08x}" for number in range(60)),
    "hot/deeper",
    "z",
]


@pytest.fixture(autouse=True)
def _split_at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let it pay always, however quick the sandbox is, and forget whom other tests distrust."""
    monkeypatch.setattr(listers, "WORTH", Worth(idle=0.0, share=0.0, fewest=8))
    looks.DISTRUSTED.clear()
    yield
    looks.DISTRUSTED.clear()


def target(sandbox: Sandbox, listing: str = "parallel", **more: Any) -> Target:
    """Point a target at the sandbox, whose order we vouch for."""
    options = replace(S3.options(sandbox), listing=listing)  # type: ignore[arg-type]  # it is S3's
    return S3.target(sandbox, options=options, **more)


def fill(sandbox: Sandbox, keys: Sequence[str] = KEYS, **more: Any) -> list[str]:
    """Begin uploads in one bucket; give their ids, sorted."""
    S3.add_container(sandbox, "container")
    return sorted(S3.add(sandbox, "container", key, **more) for key in keys)


def only(results: Sequence[ContainerResult]) -> ContainerResult:
    """Take the one result that there must be."""
    (result,) = results
    return result


def probes(ear: Ear) -> int:
    """Count the requests that looked for a place to cut at."""
    return sum(isinstance(e, RequestFinished) and e.operation == "list_probe" for e in ear.events)


@pytest.mark.parametrize("size", [2, 3, 5, 10])
def test_many_listers_find_what_one_finds(sandbox: Sandbox, ear: Ear, size: int) -> None:
    """Each upload once, whatever the pages, and with many requests under way."""
    expected = fill(sandbox, age=hours(1))
    result = only(sweeper(sandbox, target(sandbox, page_size=size), ear=ear).sweep().results)

    assert expected == sorted(ear.uploads())
    assert (TargetOutcome.COMPLETE, len(KEYS), None) == (
        result.outcome,
        result.listed,
        result.error,
    )
    assert probes(ear) > 3


@pytest.mark.parametrize(
    "keys",
    [
        [],
        ["just-one"],
        ["same"] * 40,
        [f"odd/\x01{number:03}" for number in range(40)],
        [f"é+ %/{number:03}&" for number in range(40)],
        [chr(0x4E00 + 9 * number) for number in range(40)],
        [f"\U0001f600{number:03}" for number in range(40)],
    ],
)
def test_all_kinds_of_keys_are_listed_once(sandbox: Sandbox, ear: Ear, keys: list[str]) -> None:
    """Keys that cannot be cut, that XML cannot carry, or that have to be encoded."""
    expected = fill(sandbox, keys, age=hours(1))
    result = only(sweeper(sandbox, target(sandbox, page_size=3), ear=ear).sweep().results)

    assert expected == sorted(ear.uploads())
    assert TargetOutcome.COMPLETE is result.outcome


def test_a_prefix_narrows_every_request(sandbox: Sandbox, ear: Ear) -> None:
    """Probes and pages of all ranges look only at what begins with it."""
    fill(sandbox, age=hours(1))
    narrowed = target(sandbox, page_size=4, prefix="backup/")
    result = only(sweeper(sandbox, narrowed, ear=ear).sweep().results)

    assert (TargetOutcome.COMPLETE, 60) == (result.outcome, result.listed)
    assert {"backup"} == {
        str(event.result.decision.upload.key).partition("/")[0] for event in ear.uploads().values()
    }


@pytest.mark.parametrize("nth", [1, 2, 4, 9, 25])
@pytest.mark.parametrize(
    "kind",
    [
        FaultKind.CUT_BODY,
        FaultKind.CUT_DOCUMENT,
        FaultKind.WRONG_TYPE,
        FaultKind.EMPTY_BODY,
        FaultKind.HTML_BODY,
        FaultKind.WRONG_CONTAINER,
        FaultKind.DROP_BEFORE,
        FaultKind.NO_MARKER,
        FaultKind.REPEAT_MARKER,
        FaultKind.CYCLE_MARKERS,
        FaultKind.STATUS,
    ],
)
def test_whatever_reply_is_bad_nothing_is_aborted(
    sandbox: Sandbox, kind: FaultKind, nth: int
) -> None:
    """Pages and probes alike: one that proves nothing makes the listing incomplete."""
    expected = fill(sandbox)
    sandbox.faults.add(Fault(operation=LIST, kind=kind, nth=nth, times=None))
    done = sweeper(sandbox, target(sandbox, page_size=4)).sweep()
    result = only(done.results)

    assert [] == sandbox.faults.unused()
    assert expected == sorted(S3.store(sandbox).upload_ids("container"))
    assert result.outcome in {TargetOutcome.INCOMPLETE, TargetOutcome.WRONG_IDENTITY}
    assert (3, 0) == (done.exit_code, result.aborted)


@pytest.mark.parametrize("nth", [1, 2, 4, 9])
@pytest.mark.parametrize(
    "kind", [FaultKind.CUT_BODY, FaultKind.CUT_DOCUMENT, FaultKind.DROP_BEFORE, FaultKind.STATUS]
)
def test_a_reply_that_is_bad_once_is_asked_for_again(
    sandbox: Sandbox, kind: FaultKind, nth: int
) -> None:
    """One bad reply costs a retry and nothing else, be it to a page or to a probe."""
    fill(sandbox)
    status = 503 if kind is FaultKind.STATUS else None
    sandbox.faults.add(Fault(operation=LIST, kind=kind, nth=nth, status=status))
    result = only(sweeper(sandbox, target(sandbox, page_size=4)).sweep().results)

    assert (TargetOutcome.COMPLETE, len(KEYS)) == (result.outcome, result.aborted)


def test_what_may_not_be_listed_is_forbidden(sandbox: Sandbox) -> None:
    """The right that is missing is told, and not asked for by many."""
    fill(sandbox)
    sandbox.deny(LIST)
    result = only(sweeper(sandbox, target(sandbox)).sweep().results)

    assert TargetOutcome.FORBIDDEN is result.outcome
    assert 1 == len(sandbox.journal.entries(LIST))


def test_disorder_is_told_and_avoided_the_next_time(sandbox: Sandbox, ear: Ear) -> None:
    """After the first cut nothing can be done about it but to say so, and to do without."""
    expected = fill(sandbox)
    sandbox.faults.add(Fault(operation=LIST, kind=FaultKind.DUPLICATES, nth=8, times=8))
    first = only(sweeper(sandbox, target(sandbox, page_size=4)).sweep().results)
    left = sorted(S3.store(sandbox).upload_ids("container"))
    sandbox.faults.clear()
    second = only(sweeper(sandbox, target(sandbox, page_size=4), ear=ear).sweep().results)

    assert expected == left
    assert TargetOutcome.INCOMPLETE is first.outcome
    assert str(first.error).startswith("Unsorted: ")
    assert str(first.error).endswith("say listing: sequential")
    assert (TargetOutcome.COMPLETE, len(KEYS), 0) == (second.outcome, second.aborted, probes(ear))


def test_repeated_entries_before_the_first_cut_are_only_repeated(
    sandbox: Sandbox, ear: Ear
) -> None:
    """A store that is out of order from the beginning is listed page by page."""
    expected = fill(sandbox, age=hours(1))
    sandbox.faults.add(Fault(operation=LIST, kind=FaultKind.DUPLICATES, times=None, nth=1))
    result = only(sweeper(sandbox, target(sandbox, page_size=4), ear=ear).sweep().results)

    assert expected == sorted(ear.uploads())
    assert (TargetOutcome.COMPLETE, 0) == (result.outcome, probes(ear))


@pytest.mark.parametrize(
    ("listing", "requests"), [("auto", 30 + 29), ("sequential", 30 + 29), ("parallel", 30)]
)
def test_a_store_whose_markers_are_exact_is_asked_once_for_each_page(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, listing: str, requests: int
) -> None:
    """Elsewhere the last key of each page is asked for once more by itself."""
    monkeypatch.setattr(listers, "WORTH", Worth(idle=60.0))
    fill(sandbox, [f"{number:03}" for number in range(60)], age=hours(1))
    result = only(sweeper(sandbox, target(sandbox, listing)).sweep().results)

    assert (TargetOutcome.COMPLETE, 60) == (result.outcome, result.listed)
    assert requests == len(sandbox.journal.entries(LIST))


AWS = S3Options(
    region="eu-west-1", identity=AwsIdentity(credentials=Credentials("a", Secret("b" * 40)))
)
ELSEWHERE = replace(AWS, reach=Reach("http://127.0.0.1:1"))


@pytest.mark.parametrize(
    ("options", "bucket", "exact", "splits"),
    [
        (AWS, "bucket", True, True),
        (replace(AWS, listing="parallel"), "bucket", True, True),
        (replace(AWS, listing="sequential"), "bucket", True, False),
        (AWS, "express--euw1-az1--x-s3", False, False),
        (replace(AWS, listing="parallel"), "express--euw1-az1--x-s3", False, False),
        (AWS, "arn:aws:s3:eu-west-1:012345678901:accesspoint/point", False, False),
        (replace(AWS, listing="parallel"), "point-0123456789-s3alias", False, False),
        (ELSEWHERE, "bucket", False, False),
        (replace(ELSEWHERE, listing="sequential"), "bucket", False, False),
        (replace(ELSEWHERE, listing="parallel"), "bucket", True, True),
    ],
)
def test_only_known_stores_are_split(
    options: S3Options, bucket: str, *, exact: bool, splits: bool
) -> None:
    """AWS by itself, others where the config vouches for them, and ordinary buckets only."""
    pointed = Target("lake", "s3", (bucket,), options, Policy())
    connection = providers.load("s3").connect(pointed, Execution())
    reader = connection.reader(bucket)
    connection.close()

    assert (exact, splits) == (reader.markers_are_exact, reader.can_split)


@pytest.mark.parametrize("provider", ["glacier", "qingstor"])
def test_other_providers_are_never_split(sandbox: Sandbox, provider: str) -> None:
    """Glacier has no order, and QingStor's is not defined well enough."""
    harness = HARNESSES[provider]
    connection = providers.load(provider).connect(harness.target(sandbox), Execution())
    reader = connection.reader("container")
    connection.close()

    assert (False, False) == (reader.markers_are_exact, reader.can_split)
