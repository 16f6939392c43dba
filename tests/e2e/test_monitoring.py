"""From a store that refuses to somebody who is told: every program on the way is the real one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from support.gateway import pushgateway
from support.job import CONTAINER, Job, job_in
from support.monitored import daemon, listening_on, prometheus_config
from support.prometheus import Prometheus, alertmanager, free_port, prometheus, wait_for
from support.receiver import Receiver, receiver

ALERT = "UploadJanitorAccessDenied"
REFUSED = "s3.list_uploads"
PLACE = {"target": "lake", "provider": "s3", "container": CONTAINER, "outcome": "forbidden"}


@dataclass(frozen=True, slots=True)
class Watch:
    """A Prometheus with the shipped rules, and whoever hears of its alerts."""

    prometheus: Prometheus
    receiver: Receiver

    def wait_until(self, status: str) -> dict[str, str]:
        """Wait until somebody was told of the alert; give its labels."""
        found = wait_for(f"{ALERT} {status}", lambda: self.receiver.heard(ALERT, status), 100)
        labels: dict[str, str] = found[-1]["labels"]
        return labels


@contextmanager
def watching(folder: Path, **addresses: str) -> Iterator[Watch]:
    """Run Prometheus, Alertmanager and a receiver, each knowing the next."""
    with receiver() as told:
        config = folder / "alertmanager.yml"
        config.write_text(_telling(told.url), encoding="utf-8")
        with alertmanager(config, folder / "alertmanager") as manager:
            address = manager.removeprefix("http://")
            config = prometheus_config(folder, alertmanager=address, **addresses)
            with prometheus(config, folder / "prometheus") as running:
                yield Watch(running, told)


def _telling(url: str) -> str:
    """Write an Alertmanager's config that tells at once."""
    at_once = {"group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h"}
    hook = {"url": url, "send_resolved": True}
    return yaml.safe_dump(
        {
            "route": {"receiver": "test", "group_by": ["..."], **at_once},
            "receivers": [{"name": "test", "webhook_configs": [hook]}],
        }
    )


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Job]:
    """Serve a few uploads on each provider; the bucket of S3 refuses to be listed."""
    with job_in(tmp_path) as made:
        made.sandbox.deny(REFUSED, CONTAINER)
        yield made


def test_a_daemon_that_is_refused_raises_its_alert_until_it_is_not(
    job: Job, tmp_path: Path
) -> None:
    """The alert names the bucket, nothing else fires, and the next good sweep ends it."""
    port = free_port()
    # A minute is the shortest that a schedule can be; the first sweep is at the start.
    job.edit("schedule: {every: 6h}", 'schedule: {cron: "* * * * *"}')
    job.add(listening_on(port))
    address = f"127.0.0.1:{port}"
    with daemon(job.config), watching(tmp_path, janitor=address) as watch:
        fired = watch.wait_until("firing")
        job.sandbox.allow(REFUSED, CONTAINER)
        resolved = watch.wait_until("resolved")
        pending = watch.prometheus.alerts()
        troubles = watch.prometheus.troubled_rules()

    process = {"job": "upload-janitor", "instance": address}
    assert {"alertname": ALERT, "severity": "warning", **process, **PLACE} == fired
    assert fired == resolved
    assert {ALERT} == watch.receiver.firing()
    assert ([], []) == (pending, troubles)


def test_a_job_that_is_refused_raises_the_same_alert(job: Job, tmp_path: Path) -> None:
    """What a sweep pushes has the labels of its group and no instance, and works as well."""
    with pushgateway() as gateway:
        pushing = "{job: upload_janitor, grouping: {shard: a}, "
        job.add(f'push: {pushing}pushgateway_url: "{gateway.url}"}}\n')
        address = gateway.url.removeprefix("http://")
        with watching(tmp_path, pushgateway=address) as watch:
            refused = job.run("sweep")
            fired = watch.wait_until("firing")
            job.sandbox.allow(REFUSED, CONTAINER)
            welcome = job.run("sweep")
            resolved = watch.wait_until("resolved")
            pending = watch.prometheus.alerts()
            troubles = watch.prometheus.troubled_rules()

    process = {"job": "upload_janitor", "shard": "a"}
    assert (3, 0) == (refused.code, welcome.code)
    assert {"alertname": ALERT, "severity": "warning", **process, **PLACE} == fired
    assert fired == resolved
    assert {ALERT} == watch.receiver.firing()
    assert ([], []) == (pending, troubles)
