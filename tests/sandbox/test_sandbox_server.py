"""Starting, serving many and stopping."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from support.clients import Clients, janitor_keys, raw, signed_s3

from janitor.sandbox import POPULATION, Fault, FaultKind, Sandbox, run

if TYPE_CHECKING:
    from pathlib import Path

pytest_plugins = ("support.sandbox_fixtures",)


def test_nothing_is_left_after_the_end() -> None:
    """No thread, no listening socket, and a second stop is harmless."""
    before = set(threading.enumerate())
    with Sandbox.start() as sandbox:
        raw(sandbox.s3_url, "GET", "/", {})
    sandbox.stop()

    assert before == set(threading.enumerate())
    with pytest.raises(ConnectionRefusedError):
        raw(sandbox.s3_url, "GET", "/", {})


def test_an_idle_connection_does_not_delay_the_end() -> None:
    """A client that keeps its connection is hung up on."""
    with Sandbox.start() as sandbox:
        where = urlsplit(sandbox.s3_url)
        client = socket.create_connection((where.hostname or "", where.port or 0), timeout=10)
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        begun = client.recv(12)
    with client:
        assert b"HTTP/1.1 403" == begun


def test_a_waiting_call_does_not_delay_the_end(caplog: pytest.LogCaptureFixture) -> None:
    """A call that is still being held back ends with the sandbox, and nobody complains."""
    waiting = threading.Event()
    with Sandbox.start() as sandbox, ThreadPoolExecutor(1) as pool:
        sandbox.on("s3.list_buckets", lambda _: waiting.set())
        sandbox.faults.add(Fault(operation="*", kind=FaultKind.NONE, latency=3600))
        call = pool.submit(raw, sandbox.s3_url, "GET", "/", {})
        waiting.wait()
        sandbox.stop()

        assert "RemoteDisconnected" == call.result().error
    assert [] == caplog.records


def test_ports_can_be_chosen() -> None:
    """A compose file wants to know them beforehand; a taken one is an OSError."""
    with Sandbox.start() as first:
        port = urlsplit(first.s3_url).port or 0
        with pytest.raises(OSError, match="in use"):
            Sandbox.start(ports=(0, 0, port))
    with Sandbox.start(ports=(0, port, 0)) as second:
        assert f"http://127.0.0.1:{port}" == second.glacier_url


def test_many_clients_at_once_lose_nothing(clients: Clients, sandbox: Sandbox) -> None:
    """Thirty-two threads abort four hundred uploads, each once."""
    sandbox.s3.add_container("lake")
    uploads = [(f"k{n % 50}", sandbox.s3.add_upload("lake", f"k{n % 50}")) for n in range(400)]
    s3 = clients.s3(janitor_keys(sandbox), max_pool_connections=32)

    def abort(upload: tuple[str, str]) -> int:
        key, upload_id = upload
        reply = s3.abort_multipart_upload(Bucket="lake", Key=key, UploadId=upload_id)
        return int(reply["ResponseMetadata"]["HTTPStatusCode"])

    with ThreadPoolExecutor(32) as pool:
        statuses = list(pool.map(abort, uploads))

    assert [204] * 400 == statuses
    assert [] == sandbox.s3.uploads("lake")
    assert 400 == len(sandbox.journal.entries("s3.abort"))


def test_the_journal_is_bounded() -> None:
    """A sandbox that serves for weeks does not grow."""
    with Sandbox.start(journal_limit=2) as sandbox:
        for path in ("/a", "/b", "/c"):
            raw(sandbox.s3_url, "GET", path, {})

        assert ["/b", "/c"] == [entry.target for entry in sandbox.journal]


def test_run_serves_until_it_is_told_to_stop() -> None:
    """The command line's `janitor sandbox` is this."""
    stop, seen = threading.Event(), []

    def announce(sandbox: Sandbox) -> None:
        seen.append(signed_s3(sandbox, "GET", "/").status)
        stop.set()

    run("127.0.0.1", (0, 0, 0), POPULATION, announce, stop)

    assert [200] == seen


def test_run_ends_cleanly_on_control_c(tmp_path: Path) -> None:
    """KeyboardInterrupt passes through, and the servers are gone."""
    seed, urls = tmp_path / "seed.yaml", []
    seed.write_text("version: 1\n", encoding="utf-8")

    def announce(sandbox: Sandbox) -> None:
        urls.append(sandbox.s3_url)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run("127.0.0.1", (0, 0, 0), seed, announce, threading.Event())
    with pytest.raises(ConnectionRefusedError):
        raw(urls[0], "GET", "/", {})


def test_one_sandbox_serves_each_page_of_a_long_list(clients: Clients, sandbox: Sandbox) -> None:
    """Twenty thousand uploads on few keys, a thousand on a page."""
    sandbox.s3.add_container("lake")
    for n in range(20_000):
        sandbox.s3.add_upload("lake", f"k{n % 7}", upload_id=f"{n}")
    pages = clients.s3().get_paginator("list_multipart_uploads").paginate(Bucket="lake")
    sizes = [{one["UploadId"] for one in page["Uploads"]} for page in pages]

    assert [1000] * 20 == [len(page) for page in sizes]
    assert 20_000 == len(set().union(*sizes))
