"""What is put aside comes back whole, in the order of a plan, and a full disk is told of."""

from __future__ import annotations

import errno
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from janitor.engine import chunks
from janitor.engine.backlog import Backlog, Queue
from janitor.engine.chunks import BacklogFailed
from janitor.engine.packing import (
    Candidate,
    pack_candidate,
    pack_upload,
    unpack_candidate,
    unpack_upload,
)
from janitor.grace import Mark
from janitor.model import Activity, ContainerRef, Decision, Reason, Upload, Verdict
from janitor.plan import oldest_first, whole_size

NOW = datetime(2026, 11, 20, 5, tzinfo=UTC)
# Any text at all, also what is no Unicode.
TEXTS = st.text(st.characters(codec=None, exclude_categories=()), min_size=1, max_size=20)
INSTANTS = st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(fold=0))
OPTIONAL_TEXTS = st.none() | st.text(max_size=5)
WHERES = st.builds(
    ContainerRef, st.sampled_from(["a", "b", "\ud800"]), st.just("s3"), st.sampled_from(["x", "y"])
)
UPLOADS = st.builds(
    Upload,
    WHERES,
    TEXTS,
    TEXTS,
    st.none() | INSTANTS,
    OPTIONAL_TEXTS,
    OPTIONAL_TEXTS,
    OPTIONAL_TEXTS,
    OPTIONAL_TEXTS,
)
ACTIVITIES = st.builds(
    Activity,
    st.booleans(),
    st.booleans(),
    st.integers(0, 10_000),
    st.none() | st.integers(0, 2**70),
    st.none() | INSTANTS,
    st.text("0123456789abcdef", max_size=64),
)
MARKS = st.builds(Mark, INSTANTS, st.booleans(), INSTANTS, st.text("0123456789abcdef", max_size=64))
CANDIDATES = st.builds(
    Candidate,
    st.builds(
        Decision,
        UPLOADS,
        st.sampled_from(Verdict),
        st.sampled_from(Reason),
        st.text(max_size=5),
        st.none() | INSTANTS,
        st.none() | ACTIVITIES,
    ),
    st.none() | MARKS,
)


@given(CANDIDATES)
def test_what_is_packed_comes_back(candidate: Candidate) -> None:
    """Every field of it, whatever is in it."""
    where = candidate.decision.upload.where

    assert candidate == unpack_candidate(where, pack_candidate(candidate))
    assert candidate.decision.upload == unpack_upload(where, pack_upload(candidate.decision.upload))


@settings(max_examples=50)
@given(st.lists(CANDIDATES, max_size=30), st.sets(st.sampled_from(["a", "b", "\ud800"])))
def test_the_oldest_come_first(candidates: list[Candidate], tripped: set[str]) -> None:
    """As the plan has it in memory, with the sizes in the same order, and by target."""
    with Backlog() as held:
        held.add(candidates[:10])
        held.add(candidates[10:])
        rest = list(held.candidates(but=tripped))
        named = list(held.candidates(only=tripped))
        sizes = list(held.sizes(but=tripped))
        counts = held.count_by_target()

    def order(found: list[Candidate]) -> list[Any]:
        return [oldest_first(candidate.decision) for candidate in found]

    assert Counter(map(repr, candidates)) == Counter(map(repr, [*rest, *named]))
    assert (sorted(order(rest)), sorted(order(named))) == (order(rest), order(named))
    assert tripped.isdisjoint(c.decision.upload.where.target for c in rest)
    assert tripped.issuperset(c.decision.upload.where.target for c in named)
    assert Counter(c.decision.upload.where.target for c in candidates) == counts
    assert Counter(s if s is None else min(s, 2**63 - 1) for s in sizes) == Counter(
        None if (size := whole_size(c.decision)) is None else min(size, 2**63 - 1) for c in rest
    )


def stale(number: int) -> Candidate:
    """Make something stale; the higher the number, the older."""
    upload = Upload(
        ContainerRef("lake", "s3", "bucket"),
        f"a/rather/long/key/as/they/often/are/{number:07}",
        f"upload-{number:050}",
        NOW - timedelta(minutes=number),
    )
    return Candidate(Decision(upload, Verdict.ABORT, Reason.STALE, "default"))


def test_a_backlog_that_is_read_while_it_is_large_keeps_its_order() -> None:
    """More than is read at once, and more than fits into its cache."""
    with Backlog() as held:
        for start in range(0, 30_000, 1000):
            held.add([stale(number) for number in range(start, start + 1000)])
        found = [c.decision.upload.initiated for c in held.candidates()]

    assert 30_000 == len(found)
    assert sorted(found, key=str) == found


def test_a_queue_gives_back_what_was_added_from_anywhere() -> None:
    """In its order, beyond what is held in memory, and twice if asked twice."""
    uploads = [stale(number).decision.upload for number in range(25_000)]
    with Queue(uploads[0].where) as queue:
        for upload in uploads:
            queue.add(upload)
        first = list(queue.read())
        rest = list(queue.read(start=24_321))

    assert (uploads, uploads[24_321:]) == (first, rest)


def test_an_empty_queue_has_nothing() -> None:
    """A container without candidates is the usual case."""
    with Queue(ContainerRef("lake", "s3", "bucket")) as queue:
        assert ([], 0) == (list(queue.read()), len(queue))


class FullDisk:
    """A file that takes nothing more."""

    def seek(self, *_: object) -> int:
        """Go anywhere."""
        return 0

    def write(self, _: bytes) -> int:
        """Refuse."""
        raise OSError(errno.ENOSPC, "No space left on device")

    def close(self) -> None:
        """Be done."""


def test_a_full_disk_is_told_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the janitor learns what to do."""
    monkeypatch.setattr(chunks, "SpooledTemporaryFile", lambda **_: FullDisk())
    upload = stale(1).decision.upload
    queue = Queue(upload.where)
    queue.add(upload)

    with pytest.raises(BacklogFailed, match="No space left on device: make room there"):
        list(queue.read())


def test_a_database_that_fails_is_told_too() -> None:
    """SQLite's own words, and the remedy."""
    held = Backlog()
    held._database.execute("PRAGMA max_page_count=20")  # noqa: SLF001  # the smallest of disks

    with pytest.raises(BacklogFailed, match="full: make room there, or set TMPDIR"), held:
        held.add([stale(number) for number in range(5000)])
