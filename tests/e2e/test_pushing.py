"""`janitor sweep` as a job: what it leaves with a Pushgateway, or in a textfile, outlives it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.debian import program
from support.gateway import (
    Answer,
    Gateway,
    closed_port,
    dripping,
    hanging,
    pushgateway,
    status,
    stub,
)
from support.job import Job, job_in
from support.lines import wait_for_line

from janitor import settings
from janitor.commands.pushing import Pusher
from janitor.ledger import Locked, open_ledger
from janitor.sandbox import Fault, FaultKind
from janitor.wiring import utc_now

JANITOR = Path(sys.executable).with_name("janitor")
CONTAINER = "container"
# What only a process that goes on can tell; process_* is the other.
DAEMON_ONLY = {"janitor_next_sweep_timestamp_seconds"}


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Job]:
    """Serve two stale uploads and a young one on each provider, and accept no accusation."""
    with job_in(tmp_path) as made:
        yield made


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """Run a real Pushgateway."""
    with pushgateway() as running:
        yield running


def pushing_to(url: str, more: str = "") -> str:
    """Write the part of a config that pushes."""
    return f'push: {{pushgateway_url: "{url}", {more}}}\n'


def families_in(text: str) -> set[str]:
    """Give the names of all families that say something."""
    return {family.name for family in text_string_to_metric_families(text) if family.samples}


def promtool_says(text: str) -> str:
    """Let promtool check an exposition; give what it has to say."""
    done = subprocess.run(  # noqa: S603  # a program of Debian's
        [program("prometheus", "promtool"), "check", "metrics"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return done.stdout + done.stderr


def test_the_metrics_of_a_sweep_outlive_it(job: Job, gateway: Gateway) -> None:
    """What the report says is what can be scraped when the job is long gone."""
    job.add(pushing_to(gateway.url))
    done = job.run("sweep", "-o", "json")
    report = json.loads(done.stdout)
    place = {"target": "lake", "provider": "s3", "container": CONTAINER}

    assert (0, 3) == (done.code, job.left())
    assert [{"job": "upload_janitor"}] == gateway.groups()
    assert 6 == gateway.value("janitor_aborts_total", outcome="aborted")
    assert 2 == gateway.value("janitor_target_last_sweep_uploads", outcome="aborted", **place)
    assert 3 == gateway.value("janitor_target_uploads", **place)
    assert sum(t["bytes_freed"] for t in report["targets"]) == gateway.value(
        "janitor_freed_bytes_total"
    )
    assert (1, 0, 1) == (
        gateway.value("janitor_mode", mode="enforce"),
        gateway.value("janitor_last_sweep_exit_code"),
        gateway.value("janitor_ledger_ok"),
    )
    assert (6 * 3600, 0) == (
        gateway.value("janitor_schedule_interval_seconds"),
        gateway.value("janitor_sweep_in_progress"),
    )
    (line,) = done.told("metrics.pushed")
    assert (report["run_id"], gateway.url) == (line["run_id"], line["url"])


def test_a_report_is_pushed_like_a_sweep_in_earnest(job: Job, gateway: Gateway) -> None:
    """`mode: report` is a real run whose figures somebody wants to see."""
    job.edit("mode: enforce", "mode: report")
    job.add(pushing_to(gateway.url))
    done = job.run()

    assert (0, 9) == (done.code, job.left())
    assert 1 == gateway.value("janitor_mode", mode="report")
    assert 2 == gateway.value("janitor_target_stale_uploads", target="media")


@pytest.mark.parametrize(
    ("verb", "arguments"), [("sweep", ["--dry-run"]), ("scan", []), ("sweep", ["--dry-run", "-v"])]
)
def test_whoever_only_looks_does_not_replace_what_the_job_said(
    job: Job, tmp_path: Path, verb: str, arguments: list[str]
) -> None:
    """No request is sent and no file is written, and the log says why."""
    textfile = tmp_path / "j.prom"
    with stub(status(202)) as (url, asked):
        job.add(pushing_to(url, f"textfile: {textfile}"))
        done = job.run(verb, *arguments)

    assert (0, [], False) == (done.code, asked, textfile.exists())
    assert ["this run only looks, and must not replace what a real one said"] == [
        line["reason"] for line in done.told("metrics.withheld")
    ]


def test_a_plan_pushes_nothing(job: Job) -> None:
    """Nor does it say anything of pushing: it is not what a job runs."""
    job.with_ledger()
    with stub(status(202)) as (url, asked):
        job.add(pushing_to(url))
        done = job.run("plan")

    assert (0, []) == (done.code, asked)


def test_two_shards_are_two_groups(job: Job, gateway: Gateway) -> None:
    """Each replaces its own figures only, and any name of a shard will do."""
    job.add(pushing_to(gateway.url, 'job: "upload janitor", grouping: {shard: "${SHARD}"}'))
    codes = [
        job.run("sweep", "--target", target, SHARD=shard).code
        for target, shard in (("lake", "eu/1"), ("media", "cn 2"), ("lake", "eu/1"))
    ]
    places = gateway.samples("janitor_target_uploads")

    assert [0, 0, 0] == codes
    assert {("upload janitor", "eu/1", "lake"), ("upload janitor", "cn 2", "media")} == {
        (labels["job"], labels["shard"], labels["target"]) for labels, _ in places
    }


@pytest.mark.parametrize("way", ["flag", "config"])
def test_a_group_for_once_is_deleted_after_a_success(job: Job, gateway: Gateway, way: str) -> None:
    """A complete sweep takes away what a failed one had left; others' groups stay."""
    job.add(pushing_to(gateway.url, f"delete_on_success: {'true' if way == 'config' else 'false'}"))
    flags = ["--delete-on-success"] if way == "flag" else []
    fault = Fault(operation="s3.list_uploads", kind=FaultKind.STATUS, status=403, times=None)
    job.sandbox.faults.add(fault)
    failed = job.run("sweep", *flags)
    groups = gateway.groups()
    job.sandbox.faults.clear()
    done = job.run("sweep", *flags)

    assert (3, 1, 0, []) == (failed.code, len(groups), done.code, gateway.groups())
    assert (1, 0) == (len(done.told("metrics.deleted")), len(done.told("metrics.pushed")))


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (status(400, "no"), "it answered 400 no"),
        (status(500), "it answered 500"),
        (status(302, Location="/"), "it answered 302"),
    ],
)
def test_a_gateway_that_refuses_is_a_failure_that_undoes_nothing(
    job: Job, answer: Answer, why: str
) -> None:
    """The sweep is done and reported; exit code 1 and an error say that nobody will see it."""
    with stub(answer) as (url, asked):
        job.add(pushing_to(url))
        done = job.run("sweep", "-o", "json")

    assert (1, 1, 3) == (done.code, len(asked), job.left())
    assert 0 == json.loads(done.stdout)["exit_code"]
    assert [("error", f"the Pushgateway {url} did not take the metrics: {why}")] == [
        (line["level"], line["error"]) for line in done.told("metrics.lost")
    ]


def test_a_group_that_cannot_be_deleted_is_a_failure(job: Job) -> None:
    """It would grow old, and raise an alert that nobody understands."""
    with stub(status(500)) as (url, asked):
        job.add(pushing_to(url))
        done = job.run("sweep", "--delete-on-success")

    assert (1, ["DELETE"]) == (done.code, [each.method for each in asked])
    assert "did not delete the group: it answered 500" in done.told("metrics.lost")[0]["error"]


def test_deleting_without_a_gateway_is_a_mistake(job: Job) -> None:
    """Whoever says so believes that metrics are pushed."""
    done = job.run("sweep", "--delete-on-success")

    assert (64, 9) == (done.code, job.left())
    assert "the config has no push.pushgateway_url" in done.stderr


def test_a_crash_is_pushed_and_a_lock_is_not(job: Job) -> None:
    """What ends without a word must not be read as the last success."""
    with stub(status(202)) as (url, asked):
        job.add(pushing_to(url))
        loaded = settings.load(job.config, {})
        for error in (Locked("another janitor is at work"), ValueError("oh")):
            Pusher(loaded, utc_now).crashed(error)
    (pushed,) = [each.body.decode() for each in asked]

    assert "\njanitor_last_sweep_exit_code 1.0\n" in pushed
    assert "\njanitor_sweep_failures_total 1.0\n" in pushed
    assert "\njanitor_ledger_ok" not in pushed


def test_a_gateway_that_is_down_is_a_failure_too(job: Job) -> None:
    """Silence must not look like peace."""
    job.add(pushing_to(f"http://127.0.0.1:{closed_port()}"))
    done = job.run()

    assert (1, 3) == (done.code, job.left())
    assert "Connection refused" in done.told("metrics.lost")[0]["error"]


def test_a_sweep_that_failed_keeps_its_own_exit_code(job: Job) -> None:
    """Which says more than that its metrics are lost as well."""
    fault = Fault(operation="s3.list_uploads", kind=FaultKind.STATUS, status=403, times=None)
    job.sandbox.faults.add(fault)
    job.add(pushing_to(f"http://127.0.0.1:{closed_port()}"))

    assert 3 == job.run().code


def test_a_failed_run_does_not_forget_when_a_target_was_last_complete(
    job: Job, gateway: Gateway
) -> None:
    """The whole group is replaced, and yet the alert on a target's age goes on counting."""
    job.with_ledger()
    job.add(pushing_to(gateway.url))
    first = job.run()
    name = "janitor_target_last_complete_timestamp_seconds"
    before = gateway.value(name, target="lake")
    fault = Fault(operation="s3.list_uploads", kind=FaultKind.STATUS, status=403, times=None)
    job.sandbox.faults.add(fault)
    second = job.run()

    assert (0, 3) == (first.code, second.code)
    assert before == pytest.approx(gateway.value(name, target="lake"), abs=1)
    assert before < gateway.value(name, target="media")
    assert (3, 1, 1) == (
        gateway.value("janitor_last_sweep_exit_code"),
        gateway.value("janitor_sweep_failures_total"),
        gateway.value("janitor_target_outcome", target="lake", outcome="forbidden"),
    )


def test_a_locked_sweep_leaves_the_group_to_who_holds_the_lock(job: Job, gateway: Gateway) -> None:
    """It has nothing to say: the other janitor's figures are the true ones."""
    url = job.with_ledger()
    job.add(pushing_to(gateway.url))
    first = job.run()
    before = gateway.exposition()
    with open_ledger(url) as ledger, ledger.lock():
        locked = job.run()

    assert (0, 75) == (first.code, locked.code)
    assert _pushed_at(before) == _pushed_at(gateway.exposition())
    assert 1 == len(locked.told("metrics.withheld"))


def _pushed_at(exposition: str) -> list[str]:
    return [line for line in exposition.splitlines() if line.startswith("push_time_seconds{")]


def test_a_ledger_that_cannot_be_used_raises_its_alert(
    job: Job, gateway: Gateway, tmp_path: Path
) -> None:
    """Nothing is swept, and what is pushed says why."""
    job.with_ledger()
    (tmp_path / "janitor.db").write_bytes(b"no database" * 1000)
    job.add(pushing_to(gateway.url))
    done = job.run()

    assert (1, 9) == (done.code, job.left())
    assert (0, 1, 1, 1) == (
        gateway.value("janitor_ledger_ok"),
        gateway.value("janitor_sweep_failures_total"),
        gateway.value("janitor_last_sweep_exit_code"),
        len(done.told("metrics.pushed")),
    )


def stopped(job: Job, answer: str) -> tuple[int, dict[str, Any]]:
    """Send SIGTERM in the middle of a sweep; give the exit code and the line with this name."""
    reached = threading.Event()
    slow = Fault(operation="*.abort", kind=FaultKind.NONE, latency=0.5, times=None)
    job.sandbox.faults.add(slow)
    job.sandbox.on("s3.abort", lambda _: reached.set())
    job.add("execution: {concurrency: 1}\n")
    with subprocess.Popen(  # noqa: S603  # our own program
        job.command("sweep"), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:
        assert reached.wait(30)
        process.send_signal(signal.SIGTERM)
        line = wait_for_line(process, answer)
        process.communicate(timeout=30)
    return process.returncode, json.loads(line)


def test_a_sweep_that_was_stopped_is_pushed(job: Job, gateway: Gateway) -> None:
    """Its metrics say that it was."""
    job.add(pushing_to(gateway.url))
    code, _ = stopped(job, "metrics.pushed")

    assert (143, 130) == (code, gateway.value("janitor_last_sweep_exit_code"))
    assert 1 <= gateway.value("janitor_target_outcome", target="lake", outcome="interrupted")


@pytest.mark.parametrize("behaviour", [hanging, dripping])
def test_no_gateway_holds_up_a_stop(
    job: Job, behaviour: Callable[[threading.Event], Answer]
) -> None:
    """After ten seconds the metrics are given up, and the exit code is still that of the signal."""
    release = threading.Event()
    with stub(behaviour(release)) as (url, _):
        job.add(pushing_to(url))
        code, line = stopped(job, "metrics.lost")
    release.set()

    assert (143, "error") == (code, line["level"])


def test_pushed_and_scraped_names_are_the_same(job: Job, gateway: Gateway) -> None:
    """Alerts and dashboards work for jobs and daemons alike; the list of what differs is short."""
    job.edit("mode: enforce", "mode: report")
    job.add(pushing_to(gateway.url))
    job.add('http: {listen: "127.0.0.1:0"}\n')
    done = job.run()
    pushed = {name for name in families_in(gateway.exposition()) if name.startswith("janitor_")}
    with subprocess.Popen(  # noqa: S603  # our own program
        job.command("serve"), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:
        url = json.loads(wait_for_line(process, "daemon.started"))["url"]
        wait_for_line(process, "sweep.finished")
        with urllib.request.urlopen(f"{url.rstrip('/')}/metrics", timeout=10) as reply:  # noqa: S310  # loopback
            scraped = families_in(reply.read().decode())
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)

    assert 0 == done.code
    assert set() == pushed - scraped
    assert scraped - pushed == DAEMON_ONLY | {
        name for name in scraped if name.startswith("process_")
    }


def test_what_is_pushed_is_promtool_clean_and_ours_alone(job: Job) -> None:
    """No metric of the process or of Python, which would be those of a process that is gone."""
    with stub(status(202)) as (url, asked):
        job.add(pushing_to(url))
        job.run()
    text = asked[0].body.decode()

    assert "" == promtool_says(text)
    assert {"janitor"} == {name.partition("_")[0] for name in families_in(text)}


def test_a_textfile_says_the_same(job: Job, tmp_path: Path) -> None:
    """For node_exporter, with the labels of the grouping, beside or instead of a gateway."""
    textfile = tmp_path / "upload_janitor.prom"
    with stub(status(202)) as (url, asked):
        job.add(pushing_to(url, f"textfile: {textfile}, grouping: {{shard: a}}"))
        done = job.run()
    text = textfile.read_text(encoding="utf-8")

    assert 0 == done.code
    assert families_in(asked[0].body.decode()) == families_in(text)
    assert "" == promtool_says(text)
    assert 'janitor_aborts_total{outcome="aborted",shard="a"} 6.0' in text


def test_a_textfile_that_cannot_be_written_is_a_failure(job: Job, tmp_path: Path) -> None:
    """The gateway still gets its share."""
    with stub(status(202)) as (url, asked):
        job.add(pushing_to(url, f"textfile: {tmp_path}/nowhere/j.prom"))
        done = job.run()

    assert (1, 1, 3) == (done.code, len(asked), job.left())
    assert "nowhere/j.prom: No such file" in done.told("metrics.lost")[0]["error"]


def test_whoever_reads_the_report_may_go_away(job: Job) -> None:
    """`janitor sweep | head` ends with a broken pipe, and the metrics are there all the same."""
    with stub(status(202)) as (url, asked):
        job.add(pushing_to(url))
        reader, writer = os.pipe()
        os.close(reader)
        subprocess.run(  # noqa: S603  # our own program
            job.command("sweep"), stdout=writer, stderr=subprocess.DEVNULL, check=False, timeout=60
        )
        os.close(writer)

    assert 1 == len(asked)
