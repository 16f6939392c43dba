from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from support.observe_script import BUCKET, EVENTS, LAKE, NOW, VAULT, ended, finished, result

from janitor.model import Activity, Decision, Outcome, Reason, Upload, UploadResult, Verdict
from janitor.observe.audit import AuditFile, AuditUnusable, audit_of
from janitor.observe.events import (
    ContainerFinished,
    Event,
    IntentReconciled,
    SweepStarted,
    UploadFinished,
)
from janitor.observe.redaction import redact
from janitor.settings.types import Settings

EVIL = 'a\n{"event": "forged"}\r\x1b[31m\x85\u2028\u2029\u202e\udc80"\\'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Say where the audit file is to be."""
    return tmp_path / "audit.jsonl"


@pytest.fixture
def audit(path: Path) -> Iterator[AuditFile]:
    """Open an audit file whose clock stands still."""
    with AuditFile(str(path), lambda: NOW) as opened:
        yield opened


def lines_in(path: Path) -> list[dict[str, Any]]:
    """Read an audit file; every line must be a JSON object."""
    return [json.loads(line) for line in path.read_bytes().decode("ascii").splitlines()]


def tell(audit: AuditFile, *events: Event) -> None:
    """Tell events in order."""
    for event in events:
        audit(event)


def test_an_eventful_sweep_leaves_one_line_for_each_deed(audit: AuditFile, path: Path) -> None:
    """What was only looked at or withheld leaves none; what was tried does, failed or not."""
    tell(audit, *EVENTS)

    assert [
        "sweep.started",
        "limit.reached",
        "upload.aborted",
        "upload.already_gone",
        "upload.failed",
        "upload.survived",
        "container.finished",
        "container.finished",
        "container.finished",
        "sweep.finished",
    ] == [line["event"] for line in lines_in(path)]
    assert {("run-1", "2026-03-01T12:00:00.000Z")} == {
        (line["run_id"], line["time"]) for line in lines_in(path)
    }


def test_an_abort_is_told_with_its_evidence(audit: AuditFile, path: Path) -> None:
    """Who, how old, how many parts and bytes, by which rule and for which reason."""
    found = Upload(BUCKET, "Movies/Cube.avi", "u-2", NOW - timedelta(days=9), initiator="ops")
    activity = Activity(
        known=True, complete=True, parts=3, size=4096, last_part=NOW - timedelta(days=8)
    )
    decision = Decision(found, Verdict.ABORT, Reason.STALE, "nightly", activity=activity)
    done = UploadFinished(UploadResult(decision, Outcome.ABORTED, None, 4096))
    tell(audit, SweepStarted("run-1", "enforce", NOW, 1), done)

    assert {
        "time": "2026-03-01T12:00:00.000Z",
        "event": "upload.aborted",
        "run_id": "run-1",
        "target": "media",
        "provider": "qingstor",
        "container": "your-bucket-name",
        "key": "Movies/Cube.avi",
        "upload_id": "u-2",
        "outcome": "aborted",
        "reason": "stale",
        "rule": "nightly",
        "initiated": "2026-02-20T12:00:00.000Z",
        "age_seconds": 777600,
        "last_activity": "2026-02-21T12:00:00.000Z",
        "parts": 3,
        "bytes": 4096,
        "bytes_freed": 4096,
        "description": None,
        "initiator": "ops",
        "error": None,
    } == lines_in(path)[1]


def test_what_is_not_known_of_parts_is_null(audit: AuditFile, path: Path) -> None:
    """A lower bound must not pass for a figure, and no age is made up for a missing date."""
    found = Upload(VAULT, None, "v-1", None)
    activity = Activity(known=False, complete=False, parts=1, size=10)
    decision = Decision(found, Verdict.ABORT, Reason.STALE, "default", activity=activity)
    tell(audit, EVENTS[0], UploadFinished(UploadResult(decision, Outcome.FAILED, "SlowDown: no")))
    line = lines_in(path)[1]

    assert (None, None, None, None, "SlowDown: no") == tuple(
        line[name] for name in ("key", "age_seconds", "parts", "bytes", "error")
    )


def test_a_reconciled_abort_and_an_applied_plan_are_told(audit: AuditFile, path: Path) -> None:
    """Both are deeds that belong to two runs."""
    audit(EVENTS[0])
    audit.plan_applied("run-1", "sha256:abc", "run-0", 7)
    audit(IntentReconciled(LAKE, "k", "u", "aborted"))
    stamp = {"time": "2026-03-01T12:00:00.000Z", "run_id": "run-1"}

    assert [
        {
            **stamp,
            "event": "plan.applied",
            "plan": "sha256:abc",
            "planned_by": "run-0",
            "uploads": 7,
        },
        {
            **stamp,
            "event": "intent.reconciled",
            "target": "lake",
            "provider": "s3",
            "container": "raw",
            "key": "k",
            "upload_id": "u",
            "outcome": "aborted",
            "error": None,
        },
    ] == lines_in(path)[1:]


def test_the_end_of_a_sweep_adds_up(audit: AuditFile, path: Path) -> None:
    """The last line says how it ended, and the sums of all containers."""
    tell(audit, *EVENTS)
    last = lines_in(path)[-1]

    assert (3, {"complete": 1, "forbidden": 1, "capped": 1}, 8, 1, 4_194_304) == tuple(
        last[name] for name in ("exit_code", "outcomes", "listed", "aborted", "bytes_freed")
    )


def test_a_key_cannot_forge_a_line_and_comes_back_as_it_was(audit: AuditFile, path: Path) -> None:
    """Line ends of every kind, controls and lone surrogates are escaped, not lost."""
    found = Upload(LAKE, EVIL, "u", NOW - timedelta(days=9))
    audit(ended(found, Reason.STALE, Outcome.ABORTED))
    text = path.read_bytes()

    assert (1, EVIL) == (text.count(b"\n"), json.loads(text)["key"])
    assert text.rstrip(b"\n").decode("ascii").isprintable()


def test_what_a_provider_said_is_redacted_and_names_are_not(audit: AuditFile, path: Path) -> None:
    """An error can hold a secret; a key that looks like one is evidence."""
    redact("nightjar-nightjar")
    key = "logs/AWS4-HMAC-SHA256 Credential=x"
    found = Upload(LAKE, key, "u", NOW - timedelta(days=9))
    audit(ended(found, Reason.STALE, Outcome.FAILED, "said nightjar-nightjar"))
    (line,) = lines_in(path)

    assert (key, "said ***") == (line["key"], line["error"])


def test_only_its_owner_may_read_it(audit: AuditFile, path: Path) -> None:
    """Keys are nobody else's business; a mode that somebody chose stays."""
    audit(EVENTS[0])
    new = stat.S_IMODE(path.stat().st_mode)
    path.chmod(0o640)
    audit(EVENTS[0])

    assert (0o600, 0o640) == (new, stat.S_IMODE(path.stat().st_mode))


def test_lines_are_added_to_those_of_earlier_runs(path: Path) -> None:
    """A second process appends."""
    for run in ("run-1", "run-2"):
        with AuditFile(str(path)) as audit:
            audit(SweepStarted(run, "report", NOW, 1))

    assert ["run-1", "run-2"] == [line["run_id"] for line in lines_in(path)]


def test_a_line_is_one_write(audit: AuditFile, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two janitors can share a file, because appending one write is atomic."""
    written: list[bytes] = []
    real = os.write

    def noted(file: int, data: bytes) -> int:
        written.append(data)
        return real(file, data)

    monkeypatch.setattr(os, "write", noted)
    tell(audit, *EVENTS)

    assert len(lines_in(path)) == len(written)
    assert all(data.endswith(b"\n") and data.count(b"\n") == 1 for data in written)


def test_many_threads_do_not_mix_their_lines(audit: AuditFile, path: Path) -> None:
    """Aborts end in pool threads."""
    event = ContainerFinished(result(LAKE, error="x" * 5000))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(audit, [event] * 400))

    assert ["container.finished"] * 400 == [line["event"] for line in lines_in(path)]


def test_logrotate_may_move_the_file(audit: AuditFile, path: Path, tmp_path: Path) -> None:
    """After a rename the next line begins a new file; the old one is left alone."""
    audit(SweepStarted("run-1", "report", NOW, 1))
    old = path.rename(tmp_path / "audit.jsonl.1")
    audit(SweepStarted("run-2", "report", NOW, 1))

    assert [["run-1"], ["run-2"]] == [[line["run_id"] for line in lines_in(p)] for p in (old, path)]


def test_logrotate_may_make_the_new_file_itself(
    audit: AuditFile, path: Path, tmp_path: Path
) -> None:
    """`create` puts another file there before we come back; `copytruncate` empties ours."""
    audit(SweepStarted("run-1", "report", NOW, 1))
    path.rename(tmp_path / "audit.jsonl.1")
    path.touch(0o640)
    audit(SweepStarted("run-2", "report", NOW, 1))
    created = [line["run_id"] for line in lines_in(path)]
    os.truncate(path, 0)
    audit(SweepStarted("run-3", "report", NOW, 1))

    assert (["run-2"], ["run-3"]) == (created, [line["run_id"] for line in lines_in(path)])


def test_a_file_that_was_removed_is_made_again(audit: AuditFile, path: Path) -> None:
    """Lines must not vanish into a file without a name."""
    audit(EVENTS[0])
    path.unlink()
    audit(EVENTS[0])

    assert ["sweep.started"] == [line["event"] for line in lines_in(path)]


def test_a_line_that_was_cut_short_does_not_spoil_the_next(path: Path) -> None:
    """What a crash left of a line stays there, and the next begins on its own."""
    path.write_text('{"event": "upl', encoding="ascii")
    with AuditFile(str(path)) as audit:
        audit(EVENTS[0])
    torn, line = path.read_text(encoding="ascii").splitlines()

    assert ('{"event": "upl', "sweep.started") == (torn, json.loads(line)["event"])


def test_a_full_disk_costs_lines_and_is_told_once(
    audit: AuditFile, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep goes on, the log says so, and what fits again is whole."""
    audit(EVENTS[0])
    real = os.write

    def full(file: int, data: bytes) -> int:
        if len(data) > 5:
            return real(file, data[:5])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch, capture_logs() as told:
        patch.setattr(os, "write", lambda file, data: full(file, data[:10]))
        audit(EVENTS[0])
        audit(EVENTS[0])
    with capture_logs() as told_at_the_end:
        audit(finished())
    lines = path.read_text(encoding="ascii").splitlines()

    assert 2 == audit.lost
    stamp = {"log_level": "error", "run_id": "run-1", "path": str(path)}
    assert [
        {**stamp, "event": "audit.failed", "error": "No space left on device"},
        {**stamp, "event": "audit.incomplete", "lines": 2},
    ] == [*told, *told_at_the_end]
    assert ("sweep.started", "sweep.finished") == (
        json.loads(lines[0])["event"],
        json.loads(lines[-1])["event"],
    )


def test_lines_reach_the_disk_when_the_sweep_ends(
    audit: AuditFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for all of them: an fsync for each would slow the aborts down."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    tell(audit, *EVENTS[:-1])
    before = len(synced)
    audit(EVENTS[-1])

    assert (0, 1) == (before, len(synced))


def test_a_disk_that_does_not_keep_it_is_told(
    audit: AuditFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed fsync may have lost what was written; it does not stop anything."""

    def broken(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch, capture_logs() as told:
        patch.setattr(os, "fsync", broken)
        tell(audit, *EVENTS)

    assert [("audit.unsynced", "Input/output error")] == [
        (line["event"], line["error"]) for line in told
    ]


def test_a_pipe_has_no_disk_to_reach() -> None:
    """`audit.file: /dev/stdout` is of use in a container."""
    reader, writer = os.pipe()
    with capture_logs() as told, AuditFile(f"/dev/fd/{writer}") as audit:
        tell(audit, *EVENTS)
    os.close(writer)
    with open(reader, "rb") as pipe:  # noqa: PTH123  # a handle, not a path
        lines = pipe.read()

    assert ([], 10) == (told, lines.count(b"\n"))


def test_a_pipe_that_nobody_reads_does_not_hang(tmp_path: Path) -> None:
    """Opening it would wait for a reader for ever."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    error = AuditFile(str(fifo)).open()

    assert error is not None
    assert errno.ENXIO == error.errno


def settings(file: Path | None, mode: Any = "enforce") -> Settings:
    """Make settings with an audit file."""
    return Settings((), mode=mode, audit_file=None if file is None else str(file))


def test_nobody_is_audited_who_did_not_ask_for_it() -> None:
    """Without `audit.file` there is no file."""
    assert audit_of(settings(None)) is None


def test_an_unwritable_file_stops_an_enforcing_run_before_it_begins(tmp_path: Path) -> None:
    """What could not be written down must not be done; the sentence names the remedy."""
    file = tmp_path / "nowhere" / "audit.jsonl"
    with pytest.raises(AuditUnusable) as refused:
        audit_of(settings(file))

    assert (
        f"the audit file {file} cannot be written: No such file or directory;"
        " nothing was done: make it writable, or leave audit.file out"
    ) == str(refused.value)


def test_in_report_mode_an_unwritable_file_is_told(tmp_path: Path) -> None:
    """Nothing is done that would have to be proven, so the sweep goes on."""
    audit = audit_of(settings(tmp_path / "nowhere" / "audit.jsonl", "report"))
    assert audit is not None
    with capture_logs() as told, audit:
        tell(audit, EVENTS[0], finished(mode="report"))

    assert (["audit.failed", "audit.incomplete"], 2) == (
        [line["event"] for line in told],
        audit.lost,
    )


def test_a_good_file_is_ready(path: Path) -> None:
    """It exists from the start, so that a right that is missing is noticed then."""
    audit = audit_of(settings(path))
    assert audit is not None
    with audit:
        audit(EVENTS[0])

    assert ["sweep.started"] == [line["event"] for line in lines_in(path)]


def test_times_are_told_in_utc(path: Path) -> None:
    """The clock of the machine is asked, unless another is handed in."""
    before = datetime.now(UTC) - timedelta(seconds=1)
    with AuditFile(str(path)) as audit:
        audit(EVENTS[0])
    (line,) = lines_in(path)
    told = datetime.fromisoformat(line["time"])

    assert line["time"].endswith("Z")
    assert before <= told <= datetime.now(UTC)
