"""A daemon that a real Prometheus watches, with the shipped config and rules made quick."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from support.job import JANITOR
from support.rules import ALERTS, DEPLOY, RULES, read

_EXAMPLE = DEPLOY / "prometheus.yml"
_QUICK = "1s"
_PATIENCE = 30


@contextmanager
def daemon(config: Path) -> Iterator[None]:
    """Run `janitor serve` between `with` and its end; it must end well."""
    with (config.parent / "daemon.log").open("w") as log:
        process = subprocess.Popen(  # noqa: S603  # our own program
            [JANITOR, "serve", "-c", config],
            stdout=subprocess.DEVNULL,
            stderr=log,
            env={"PATH": os.environ["PATH"]},
        )
    try:
        yield
        process.send_signal(signal.SIGTERM)

        assert process.wait(_PATIENCE) in {0, 128 + signal.SIGTERM}
    finally:
        process.kill()
        process.wait()


def listening_on(port: int) -> str:
    """Write the part of a config that says where to listen."""
    return f'http: {{listen: "127.0.0.1:{port}"}}\n'


def prometheus_config(
    folder: Path,
    *,
    janitor: str | None = None,
    pushgateway: str | None = None,
    alertmanager: str | None = None,
) -> Path:
    """Write the shipped config with other addresses, and in a hurry; addresses are host:port."""
    config = read(_EXAMPLE)
    config["global"] = {"scrape_interval": _QUICK, "evaluation_interval": _QUICK}
    addresses = {"upload-janitor": janitor, "pushgateway": pushgateway}
    jobs = config["scrape_configs"]
    for job in jobs:
        (group,) = job["static_configs"]
        group["targets"] = [addresses[job["job_name"]]]
    config["scrape_configs"] = [job for job in jobs if addresses[job["job_name"]] is not None]
    if alertmanager is not None:
        there = [{"static_configs": [{"targets": [alertmanager]}]}]
        config["alerting"] = {"alertmanagers": there}
    config["rule_files"] = [_in_a_hurry(ALERTS, folder), _in_a_hurry(RULES, folder)]
    return _written(folder / "prometheus.yml", config)


def _in_a_hurry(rules: Path, folder: Path) -> str:
    """Copy a file of rules whose alerts wait for a second only."""
    content = read(rules)
    for group in content["groups"]:
        for rule in group["rules"]:
            if "for" in rule:
                rule["for"] = _QUICK
    return str(_written(folder / rules.name, content))


def _written(file: Path, content: Any) -> Path:
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return file
