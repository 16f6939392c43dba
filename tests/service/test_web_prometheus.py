"""A real Prometheus comes by TLS, with a client's certificate and a password."""

from __future__ import annotations

from pathlib import Path

import bcrypt
import pytest
import yaml
from support.prometheus import Prometheus, get_json, prometheus, wait_for
from support.website import Authority, Site, site

from janitor.service.web import Bounds
from janitor.settings.types import Http, Tls, User
from janitor.targets import Secret

PASSWORD = "open sesame"


def config_of(folder: Path, made: Site, authority: Authority, password: str) -> Path:
    """Write a Prometheus' config that scrapes every second."""
    cert, key = authority.issue("prometheus", "prometheus")
    job = {
        "job_name": "janitor",
        "scheme": "https",
        "tls_config": {"ca_file": authority.path, "cert_file": cert, "key_file": key},
        "basic_auth": {"username": "prometheus", "password": password},
        "static_configs": [{"targets": [f"127.0.0.1:{made.port}"]}],
    }
    path = folder / "prometheus.yml"
    path.write_text(
        yaml.safe_dump(
            {
                "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
                "scrape_configs": [job],
            }
        )
    )
    return path


def troubles(running: Prometheus) -> list[str]:
    """Give what Prometheus says of its last scrape; nothing before the first."""
    targets = get_json(f"{running.url}/api/v1/targets")["data"]["activeTargets"]
    return [str(one["lastError"]) for one in targets if one["health"] != "unknown"]


@pytest.mark.parametrize(
    ("password", "expected"),
    [(PASSWORD, ""), ("open barley", "server returned HTTP status 401 Unauthorized")],
)
def test_prometheus_scrapes_with_all_locks_and_their_keys(
    tmp_path: Path, password: str, expected: str
) -> None:
    """With the right password it has our metrics; with a wrong one it is told so."""
    authority = Authority(tmp_path)
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(10)).decode()
    tls = Tls(
        *authority.issue("server"),
        client_ca=authority.path,
        client_auth="required",
        min_version="TLS13",
    )
    users = (User("prometheus", Secret(hashed)),)
    with site(Http(tls=tls, users=users), Bounds()) as made:
        made.serve()
        config = config_of(tmp_path, made, authority, password)
        with prometheus(config, tmp_path / "data") as running:
            wait_for(f"«{expected}»", lambda: troubles(running) == [expected])
            seen = [one.value for one in running.query("janitor_sweeps_total")]

    assert ([] if expected else [0]) == seen
