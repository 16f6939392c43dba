from __future__ import annotations

import tempfile
import tracemalloc
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.report_samples import (
    ARCHIVE,
    DAY,
    LAKE,
    MEDIA,
    NOW,
    done,
    troubled_sweep,
    upload_of,
)

from janitor.model import ContainerRef, Outcome
from janitor.observe.events import Event, SweepStarted, UploadFinished
from janitor.report.record import MEMORY, Recorder
from janitor.report.rows import UploadRow, container_row, sweep_row, upload_row
from janitor.report.spool import Spool

STARTED = SweepStarted("r", "enforce", NOW, 1)


def event_of(where: ContainerRef, number: int) -> UploadFinished:
    """Say that one upload was aborted."""
    key = None if where == ARCHIVE else f"key {number}"
    upload = upload_of(where, key, f"id {number}", 9 * DAY)
    return UploadFinished(done(upload, Outcome.ABORTED, number))


def identities(rows: Iterable[UploadRow]) -> list[tuple[str, str]]:
    """Name uploads by target and upload id."""
    return [(row["target"], row["upload_id"]) for row in rows]


@pytest.mark.parametrize("memory", [0, 1000, 1_000_000])
def test_uploads_come_back_by_container_in_the_order_they_were_recorded(memory: int) -> None:
    """Whether they stayed in memory or went to disk makes no difference."""
    places = [MEDIA, LAKE, ARCHIVE]
    events = [event_of(places[number % 3], number) for number in range(30)]
    with Recorder(memory) as recorder:
        _tell(recorder, [STARTED, *events])
        rows = list(recorder.uploads())
        again = list(recorder.uploads())

    in_order = sorted(events, key=lambda event: event.result.decision.upload.where)
    assert [upload_row(event.result, NOW) for event in in_order] == rows
    assert rows == again


def test_a_report_has_the_run_and_its_containers_sorted() -> None:
    """Whatever the order in which the sweep told them."""
    events = troubled_sweep()
    finished = events[-1]
    with Recorder() as recorder:
        _tell(recorder, events)
        report = recorder.report()

    results = sorted(finished.results, key=lambda result: result.where)  # type: ignore[union-attr]
    assert sweep_row(finished) == report.sweep  # type: ignore[arg-type]
    transports = {"archive": "sdk", "lake": "wire", "media": None}
    expected = [container_row(result, transports[result.where.target]) for result in results]
    assert expected == report.targets


def test_there_is_no_report_of_a_sweep_that_has_not_finished() -> None:
    """Half a report would look like a whole one."""
    with Recorder() as recorder, pytest.raises(RuntimeError, match="has not finished"):
        recorder.report()


def test_an_upload_before_the_sweep_has_no_age() -> None:
    """It is recorded all the same."""
    with Recorder() as recorder:
        recorder(event_of(LAKE, 1))
        ages = [row["age_seconds"] for row in recorder.uploads()]

    assert [None] == ages


def test_a_great_many_uploads_take_little_memory() -> None:
    """Writing and reading ten times the memory allowed needs little more than that."""
    event, memory = event_of(LAKE, 1), 256 * 1024
    with Recorder(memory) as recorder:
        tracemalloc.start()
        for _ in range(6_000):
            recorder(event)
        found = sum(1 for _ in recorder.uploads())
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert found == 6_000
    assert peak < 5 * memory


def test_a_recorder_takes_a_few_megabytes_at_most() -> None:
    """Unless it is told otherwise."""
    assert MEMORY <= 4 * 1024 * 1024


def test_a_great_many_containers_need_one_file() -> None:
    """A process may have a thousand files open, and an account as many buckets."""
    places = [ContainerRef("lake", "s3", f"bucket-{number:04}") for number in range(1500)]
    with Recorder(memory=100_000) as recorder:
        for number in (1, 2):
            _tell(recorder, [event_of(where, number) for where in places])
        rows = [(row["container"], row["upload_id"]) for row in recorder.uploads()]

    assert [(where.container, f"id {n}") for where in places for n in (1, 2)] == rows


def test_many_threads_may_record_at_once() -> None:
    """Nothing is lost, torn or told twice."""
    with Recorder(memory=10_000) as recorder, ThreadPoolExecutor(8) as pool:
        list(pool.map(recorder, [event_of(LAKE, number) for number in range(2000)]))
        found = identities(recorder.uploads())

    assert sorted(("lake", f"id {number}") for number in range(2000)) == sorted(found)


def test_reading_does_not_disturb_recording() -> None:
    """A reader sees what was there when it came to a container, and the rest is kept."""
    with Recorder(memory=2000) as recorder:
        _tell(recorder, [event_of(LAKE, number) for number in range(10)])
        reader = recorder.uploads()
        first = next(reader)
        _tell(recorder, [event_of(LAKE, number) for number in range(10, 20)])
        seen = identities([first, *reader])
        everything = identities(recorder.uploads())

    assert [("lake", f"id {number}") for number in range(10)] == seen
    assert [("lake", f"id {number}") for number in range(20)] == everything


def test_a_disk_that_cannot_be_written_is_told_and_stops_nobody(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What fits into memory is kept; the sweep goes on, and the report says what it lacks."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with Recorder(memory=2000) as recorder:
        _tell(recorder, [STARTED, *(event_of(LAKE, number) for number in range(20))])
        _tell(recorder, troubled_sweep()[-1:])
        kept = identities(recorder.uploads())
        report = recorder.report()

    assert [("lake", f"id {number}") for number in range(len(kept))] == kept
    assert 0 < len(kept) < 20
    assert (20 - len(kept)) == recorder.lost == report.sweep["uploads_lost"]


def test_a_full_disk_loses_nothing_that_was_kept_before(tmp_path: Path) -> None:
    """What was written stays readable, and so does what is in memory."""
    spool = Spool(memory=8)
    spool.add(LAKE, b"one\n")
    spool.add(LAKE, b"two\n")
    spool.add(LAKE, b"three\n")
    (tmp_path / "full").touch()
    with (tmp_path / "full").open("rb", buffering=0) as unwritable:
        written, spool._file = spool._file, unwritable  # noqa: SLF001  # a disk that fails on request
        spool.add(LAKE, b"fourth\n")
        spool.add(LAKE, b"fifth\n")
        spool._file = written  # noqa: SLF001  # the disk is well again
    lines = list(spool.lines())
    spool.close()

    assert ([b"one\n", b"two\n", b"three\n"], 2) == (lines, spool.lost)


def test_a_spool_that_was_cut_says_so() -> None:
    """Half of a chunk must not pass for the whole."""
    spool = Spool(memory=0)
    spool.add(LAKE, b"one\n")
    spool.add(LAKE, b"two\n")
    assert spool._file is not None  # noqa: SLF001  # the disk itself is what is broken here
    spool._file.truncate(2)  # noqa: SLF001  # the same

    with pytest.raises(OSError, match="shorter"):
        list(spool.lines())
    spool.close()


def test_after_closing_there_is_nothing_to_read_and_nothing_is_taken() -> None:
    """Whoever comes too late is counted, and whoever reads on is told."""
    with Recorder(memory=0) as recorder:
        _tell(recorder, [event_of(LAKE, number) for number in range(3)])
        reader = recorder.uploads()
        next(reader)
    recorder.close()
    recorder(event_of(LAKE, 4))

    with pytest.raises(ValueError, match="closed"):
        list(reader)
    with pytest.raises(ValueError, match="closed"):
        list(recorder.uploads())
    assert 1 == recorder.lost


def _tell(recorder: Recorder, events: Iterable[Event]) -> None:
    for event in events:
        recorder(event)
