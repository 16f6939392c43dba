"""What real runs leave in the audit file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.job import Job, job_in


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Say where the audit file is to be."""
    return tmp_path / "audit.jsonl"


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Job]:
    """Serve two stale uploads and a young one on each provider, and accept no accusation."""
    with job_in(tmp_path) as made:
        yield made


def lines_in(file: Path) -> list[dict[str, Any]]:
    """Read an audit file."""
    return [json.loads(line) for line in file.read_text(encoding="ascii").splitlines()]


def test_the_audit_file_tells_what_was_done(job: Job, tmp_path: Path) -> None:
    """One line for each abort and container; whoever only looks leaves none."""
    file = tmp_path / "audit.jsonl"
    job.add(f"audit: {{file: {file}}}\n")
    job.run("scan")
    looked = file.exists()
    done = job.run("sweep", "-o", "json")
    lines = [json.loads(line) for line in file.read_text(encoding="ascii").splitlines()]
    aborted = {u["upload_id"] for u in json.loads(done.stdout)["uploads"] if u["outcome"]}

    assert (False, 0) == (looked, done.code)
    assert aborted == {line["upload_id"] for line in lines if line["event"] == "upload.aborted"}
    assert ["sweep.started", "sweep.finished"] == [lines[0]["event"], lines[-1]["event"]]
    assert 3 == sum(line["event"] == "container.finished" for line in lines)


def test_without_its_audit_file_an_enforcing_sweep_does_nothing(job: Job, tmp_path: Path) -> None:
    """A mistake in the config, told before the first request; a report goes on without."""
    job.add(f"audit: {{file: {tmp_path}/nowhere/audit.jsonl}}\n")
    enforcing = job.run()
    requests = len(job.sandbox.journal)
    job.edit("mode: enforce", "mode: report")
    reporting = job.run()

    assert (78, 0, 0) == (enforcing.code, requests, reporting.code)
    assert "nothing was done: make it writable" in enforcing.stderr
    assert ["audit.failed", "audit.incomplete"] == [
        line["event"] for line in reporting.lines if line["event"].startswith("audit.")
    ]


def test_an_applied_plan_is_told_before_what_it_did(job: Job, file: Path) -> None:
    """Which plan, made by which run, and then every abort, all under the run that applied it."""
    job.edit("ledger: none", f"ledger: sqlite:///{file.parent}/janitor.db")
    job.add(f"audit: {{file: {file}}}\n")
    plan = file.with_name("plan.jsonl")
    job.run("plan")
    job.run("plan", "--out", str(plan))
    file.unlink()
    header = json.loads(plan.read_text(encoding="ascii").splitlines()[0])
    done = job.run("apply", str(plan), "--yes")
    lines = lines_in(file)

    assert 0 == done.code, done.stderr
    assert [("sweep.started", None), ("plan.applied", header["run_id"])] == [
        (line["event"], line.get("planned_by")) for line in lines[:2]
    ]
    assert 6 == lines[1]["uploads"] == sum(line["event"] == "upload.aborted" for line in lines)
    assert 1 == len({line["run_id"] for line in lines})


def test_a_plan_is_not_applied_without_its_audit_file(job: Job, tmp_path: Path) -> None:
    """Applying aborts, whatever the mode says, so that it must be able to write it down."""
    job.edit("ledger: none", f"ledger: sqlite:///{tmp_path}/janitor.db")
    job.edit("mode: enforce", "mode: report")
    folder = tmp_path / "audit"
    folder.mkdir()
    job.add(f"audit: {{file: {folder}/audit.jsonl}}\n")
    plan = tmp_path / "plan.jsonl"
    job.run("plan")
    job.run("plan", "--out", str(plan))
    folder.rename(tmp_path / "elsewhere")
    done = job.run("apply", str(plan), "--yes")

    assert (78, 9) == (done.code, job.left())
