"""The clients are set up as the config says, and as nothing in the environment does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from support.harness import EVERY_WAY, GLACIER_WAYS, HARNESSES, S3_WAYS, at, sweeper

from janitor import providers
from janitor.commands.sandbox import config_for
from janitor.model import TargetOutcome
from janitor.sandbox import Sandbox
from janitor.targets import Execution, Reach

EXECUTION = Execution(
    concurrency=7, connect_timeout=timedelta(seconds=3), read_timeout=timedelta(seconds=11)
)
POOL = 14  # seven requests, and as many listings


@pytest.mark.parametrize("provider", [*GLACIER_WAYS, *S3_WAYS])
def test_boto3_has_our_timeouts_pool_and_no_retries(sandbox: Sandbox, provider: str) -> None:
    """Explicit timeouts, a connection for every thread, one attempt, no proxies."""
    target = EVERY_WAY[provider].target(sandbox)
    with closing(providers.load(target.provider).connect(target, EXECUTION)) as connection:
        found: Any = connection
        is_glacier = target.provider == "glacier"
        client = found._client if is_glacier else found._clients.of("container")  # noqa: SLF001  # nothing else tells
        config = client.meta.config

    assert (3, 11, POOL) == (
        config.connect_timeout,
        config.read_timeout,
        config.max_pool_connections,
    )
    assert {"mode": "standard", "total_max_attempts": 1} == config.retries
    assert {} == config.proxies


def test_qingstor_has_our_timeouts_pool_and_no_retries(sandbox: Sandbox) -> None:
    """The SDK's session sends with our timeouts, follows nothing and repeats nothing."""
    target = EVERY_WAY["qingstor-sdk"].target(sandbox)
    with closing(providers.load("qingstor").connect(target, EXECUTION)) as connection:
        sdk: Any = connection._transport  # type: ignore[attr-defined]  # noqa: SLF001  # nothing else tells
        sending, adapter = sdk._send.keywords, sdk._session.get_adapter("http://x")  # noqa: SLF001  # the same
        trusts_environment = sdk._session.trust_env  # noqa: SLF001  # the same

    assert {"timeout": (3, 11), "allow_redirects": False, "verify": True} == sending
    assert (POOL, 0, False) == (
        adapter._pool_maxsize,  # noqa: SLF001  # requests tells it nowhere else
        adapter.max_retries.total,
        adapter.max_retries.redirect,
    )
    assert not trusts_environment


@contextmanager
def eavesdropping() -> Iterator[tuple[str, list[str]]]:
    """Serve an empty bucket, and note how the requests are signed."""
    heard: list[str] = []
    body = (
        b'<?xml version="1.0"?><ListMultipartUploadsResult><Bucket>container</Bucket>'
        b"<IsTruncated>false</IsTruncated></ListMultipartUploadsResult>"
    )

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.headers["Authorization"])
            self.send_response(200)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", heard
        server.shutdown()
        thread.join(10)


@pytest.mark.parametrize(("version", "begins"), [("s3v4", "AWS4-HMAC-SHA256 "), ("s3", "AWS ")])
def test_the_signature_version_is_the_configured_one(
    sandbox: Sandbox, version: str, begins: str
) -> None:
    """Old stores want version 2; the others get version 4."""
    harness = HARNESSES["s3"]
    options: Any = harness.options(sandbox)
    with eavesdropping() as (url, heard):
        signed = replace(options, signature_version=version, reach=Reach(endpoint_url=url))
        done = sweeper(sandbox, harness.target(sandbox, options=signed)).sweep()

    assert [TargetOutcome.COMPLETE] == [result.outcome for result in done.results]
    assert [True] == [words.startswith(begins) for words in heard]


@pytest.mark.parametrize("zone", ["UTC-8", "UTC+5", "Asia/Shanghai", "America/New_York"])
def test_dates_do_not_depend_on_the_zone_of_the_process(
    sandbox: Sandbox, tmp_path: Path, zone: str
) -> None:
    """A zone that calls itself UTC and is not once moved S3's dates by hours."""
    began = at("2026-11-01T12:00:00+00:00")
    sandbox.s3.add_container("container")
    sandbox.s3.add_upload("container", "key", initiated=began, parts=[(1, began)])
    config = tmp_path / "janitor.yaml"
    config.write_text(config_for(sandbox), encoding="utf-8")
    done = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-m", "janitor", "scan", "-o", "json", "--all", "-c", config],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(sys.path),
            "TZ": zone,
            "LC_ALL": "C.UTF-8",
        },
    )
    (upload,) = json.loads(done.stdout)["uploads"]

    assert "2026-11-01T12:00:00.000Z" == upload["initiated"]
    assert "2026-11-01T12:00:00.000Z" == upload["last_activity"]


def test_a_rate_is_kept_by_the_whole_run(sandbox: Sandbox) -> None:
    """Every request of a run takes its place in one and the same queue."""
    harness = HARNESSES["s3"]
    harness.add_container(sandbox, "container")
    for number in range(5):
        harness.add(sandbox, "container", f"key-{number}")
    execution = Execution(concurrency=8, requests_per_second=200)
    before = sandbox.clock.now()
    sweeper(sandbox, harness.target(sandbox), settings={"execution": execution}).sweep()
    passed = sandbox.clock.now() - before

    # Not how fast it was, but that it cannot have been faster than the rate.
    assert passed >= timedelta(seconds=(len(sandbox.journal) - 1) / 200)
