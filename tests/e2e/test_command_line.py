"""The command line as its users meet it: a process, its output, its exit code."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from janitor.commands.sandbox import config_for
from janitor.sandbox import POPULATION, Fault, FaultKind, Sandbox

JANITOR = Path(sys.executable).with_name("janitor")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Serve the population of the demo, and accept no accusation."""
    with Sandbox.start(seed=POPULATION) as running:
        yield running

        assert [] == running.accusations


@pytest.fixture
def config(sandbox: Sandbox, tmp_path: Path) -> Path:
    """Write the config that `janitor sandbox` gives."""
    file = tmp_path / "janitor.yaml"
    file.write_text(config_for(sandbox), encoding="utf-8")
    return file


def janitor(
    *arguments: str | Path, stdin: str | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the janitor to its end."""
    return subprocess.run(  # noqa: S603  # our own program
        [JANITOR, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PATH": os.environ["PATH"], "COLUMNS": "80", **(env or {})},
    )


def uploads_left(sandbox: Sandbox) -> dict[str, list[str]]:
    """Give the ids of all uploads, by container."""
    stores = (sandbox.glacier, sandbox.qingstor, sandbox.s3)
    return {name: store.upload_ids(name) for store in stores for name in store.containers}


def test_the_demo_ends_well() -> None:
    """`janitor demo` shows what was aborted and spared, and says what to do next."""
    done = janitor("demo")

    assert 0 == done.returncode, done.stderr
    for word in ("aborted", "active", "protected", "no_date", "naive_date", "GiB"):
        assert word in done.stdout
    assert "janitor config init > janitor.yaml" in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 80


def test_a_scan_changes_nothing(sandbox: Sandbox, config: Path) -> None:
    """Even with a config that enforces, `scan` only reads."""
    before = uploads_left(sandbox)
    done = janitor("scan", "-c", config)

    assert 0 == done.returncode, done.stderr
    assert before == uploads_left(sandbox)
    assert {"GET"} == {entry.method for entry in sandbox.journal}


def test_a_dry_run_changes_nothing(sandbox: Sandbox, config: Path) -> None:
    """`sweep --dry-run` is `scan`, and says that nothing was changed."""
    done = janitor("sweep", "--dry-run", "-c", config, "-o", "json")

    assert (0, "report") == (done.returncode, json.loads(done.stdout)["mode"])
    assert {"GET"} == {entry.method for entry in sandbox.journal}


def test_scan_sweep_and_the_sandbox_agree(sandbox: Sandbox, config: Path) -> None:
    """What the scan calls stale is what the sweep aborts, and what the sandbox then lacks."""
    before = uploads_left(sandbox)
    scanned = json.loads(janitor("scan", "-c", config, "-o", "json").stdout)
    swept = json.loads(janitor("sweep", "-c", config, "-o", "json").stdout)
    stale = {u["upload_id"] for u in scanned["uploads"] if u["verdict"] == "abort"}
    aborted = {u["upload_id"] for u in swept["uploads"] if u["outcome"] == "aborted"}
    after = uploads_left(sandbox)
    gone = {name for bucket, names in before.items() for name in set(names) - set(after[bucket])}

    assert stale == aborted == gone
    assert len(stale) == sum(target["stale"] for target in scanned["targets"])
    assert sum(target["bytes_stale"] for target in scanned["targets"]) == sum(
        target["bytes_freed"] for target in swept["targets"]
    )


def test_listed_is_the_sum_of_its_parts(config: Path) -> None:
    """Every listed upload is stale or kept for a reason, and with --all told one by one."""
    document = json.loads(janitor("scan", "--all", "-c", config, "-o", "json").stdout)

    for target in document["targets"]:
        assert target["listed"] == target["stale"] + sum(target["kept"].values())
    assert len(document["uploads"]) == sum(target["listed"] for target in document["targets"])


@pytest.mark.parametrize("output", ["jsonl", "csv"])
def test_every_format_tells_every_stale_upload(config: Path, output: str) -> None:
    """The other formats carry the same uploads as JSON does."""
    document = json.loads(janitor("scan", "-c", config, "-o", "json").stdout)
    other = janitor("scan", "-c", config, "-o", output)
    stale = {u["upload_id"] for u in document["uploads"] if u["verdict"] == "abort"}

    assert 0 == other.returncode
    assert stale == _stale_in(other.stdout, output)


def _stale_in(text: str, output: str) -> set[str]:
    if output == "csv":
        rows: list[Any] = list(csv.DictReader(io.StringIO(text)))
    else:
        rows = [json.loads(line) for line in text.splitlines()]
    return {row["upload_id"] for row in rows if row.get("verdict") == "abort"}


def test_markdown_tells_every_container(config: Path) -> None:
    """The Markdown report has a row for each container."""
    done = janitor("scan", "-c", config, "-o", "markdown")

    assert 0 == done.returncode
    for name in ("examplevault", "movies-archive", "quiet-bucket", "analytics-lake"):
        assert f"{name}" in done.stdout


def test_one_target_can_be_chosen(config: Path) -> None:
    """`--target` sweeps only what it names, and names what there is when it is wrong."""
    done = janitor("scan", "-c", config, "--target", "media", "-o", "json")
    wrong = janitor("scan", "-c", config, "--target", "medium")

    assert {"media"} == {target["target"] for target in json.loads(done.stdout)["targets"]}
    assert 64 == wrong.returncode
    assert "there are: archive, lake, media" in wrong.stderr


def test_logs_are_json_lines_on_standard_error(config: Path) -> None:
    """Off a terminal every line on standard error is JSON with the run's id."""
    done = janitor("sweep", "-c", config, "-o", "json")
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    document = json.loads(done.stdout)

    assert {document["run_id"]} == {line["run_id"] for line in lines}
    assert "sweep.finished" in {line["event"] for line in lines}
    assert "no ledger and no grace" in done.stderr


def test_a_failing_target_ends_with_three(sandbox: Sandbox, config: Path) -> None:
    """One target that cannot be listed: the others are swept, and the exit code says so."""
    sandbox.deny("qingstor.list_uploads")
    done = janitor("sweep", "-c", config, "-o", "json")
    outcomes = {(t["target"], t["outcome"]) for t in json.loads(done.stdout)["targets"]}

    assert 3 == done.returncode
    assert {("archive", "complete"), ("lake", "complete"), ("media", "forbidden")} == outcomes


def test_a_bad_config_ends_with_78(tmp_path: Path) -> None:
    """Problems are told with file, line and column, on standard error."""
    file = tmp_path / "bad.yaml"
    file.write_text("version: 1\nmode: maybe\n", encoding="utf-8")
    for verb in (["scan"], ["sweep"], ["serve"], ["config", "check"], ["config", "show"]):
        done = janitor(*verb, "-c", file)

        assert (78, "") == (done.returncode, done.stdout)
        assert f"{file}:2:7: mode:" in done.stderr


def test_wrong_usage_ends_with_64() -> None:
    """A word or an option that does not exist is usage, not failure."""
    for words in (
        ["sweeep"],
        ["scan", "--nope"],
        ["scan", "-o", "xml"],
        ["sandbox", "--ports", "1"],
    ):
        done = janitor(*words)

        assert (64, "") == (done.returncode, done.stdout)
        assert "Traceback" not in done.stderr


def test_help_and_version_end_with_zero() -> None:
    """They print to standard output and need no config."""
    assert "Usage: janitor" in janitor("--help").stdout
    assert janitor("--version").stdout.startswith("janitor, version ")
    assert "_JANITOR_COMPLETE" in janitor("completion", "bash").stdout


def test_the_example_config_passes_its_own_check() -> None:
    """What `config init` prints can be saved and checked, once its variables are set."""
    for words in (["config", "init"], ["config", "init", "--minimal"]):
        text = janitor(*words).stdout
        env = {"QINGSTOR_ACCESS_KEY_ID": "id", "QINGSTOR_SECRET_ACCESS_KEY": "secret"}
        done = janitor("config", "check", "-c", "-", stdin=text, env=env)

        assert (0, "") == (done.returncode, done.stderr)
    assert "$schema" in json.loads(janitor("config", "schema").stdout)


def test_show_hides_secrets(config: Path, sandbox: Sandbox) -> None:
    """`config show` writes the defaults out and shows no secret."""
    done = janitor("config", "show", "-c", config)

    assert 0 == done.returncode
    assert "aborts_per_run: null" in done.stdout
    assert sandbox.secret_access_key not in done.stdout


def test_a_reader_that_leaves_early_is_no_failure_of_ours(config: Path) -> None:
    """`janitor scan -o jsonl | head -1` ends without a traceback."""
    with subprocess.Popen(  # noqa: S603  # our own program
        [JANITOR, "scan", "--all", "-c", config, "-o", "jsonl"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
        process.wait(30)

    assert "Traceback" not in errors
    assert "BrokenPipe" not in errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_between_two_requests(
    sandbox: Sandbox, config: Path, number: signal.Signals
) -> None:
    """A stop in the middle: nothing half done, the report is still printed, 128 + signal."""
    process = subprocess.Popen(  # noqa: S603  # our own program
        [JANITOR, "sweep", "-c", config, "-o", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    sandbox.faults.add(Fault(operation="*.abort", kind=FaultKind.NONE, latency=0.05, times=None))
    sent: list[object] = []

    def interrupt(call: object) -> None:
        sent.append(call)
        if len(sent) == 20:
            process.send_signal(number)

    for provider in ("glacier", "qingstor", "s3"):
        sandbox.on(f"{provider}.abort", interrupt)
    before = uploads_left(sandbox)
    output, errors = process.communicate(timeout=60)
    document = json.loads(output)
    aborted = {u["upload_id"] for u in document["uploads"] if u["outcome"] == "aborted"}
    after = uploads_left(sandbox)
    gone = {name for bucket, names in before.items() for name in set(names) - set(after[bucket])}

    assert 128 + number == process.returncode, errors
    assert "interrupted" in {target["outcome"] for target in document["targets"]}
    assert aborted == gone
    assert 20 <= len(gone) < 369
