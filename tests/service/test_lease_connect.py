"""Which API server an elector talks to, and that it is surely that one."""

from __future__ import annotations

import io
import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
import trustme
import yaml
from kubernetes.config import incluster_config
from service.lease_server import Fault, LeaseServer, serving, tls
from service.test_lease import NAME, let_go, wait_until

from janitor.errors import JanitorError
from janitor.observe import logs
from janitor.service.lease import LeaseElector
from janitor.service.lease_api import Leases, connect
from janitor.service.lease_rules import Failed, Lease, Read
from janitor.settings.types import Election

TOKEN = "canary-token-of-a-service-account"
SHORT = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Pod:
    """What the kubelet mounts into a pod."""

    folder: Path
    server: LeaseServer


@pytest.fixture
def authority() -> trustme.CA:
    """Make a certificate authority, as each cluster has its own."""
    return trustme.CA()


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, authority: trustme.CA) -> Iterator[Pod]:
    """Look like a pod of a cluster whose API server is ours."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    (tmp_path / "token").write_text(TOKEN, encoding="utf-8")
    (tmp_path / "namespace").write_text("janitors\n", encoding="utf-8")
    authority.cert_pem.write_to_path(tmp_path / "ca.crt")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    with serving(tls(context)) as server:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(server.port))
        let_go(server)
        yield Pod(tmp_path, server)


def kubeconfig(folder: Path, cluster: dict[str, Any], namespace: str | None = "janitors") -> Path:
    """Write a file as kubectl reads it."""
    context = {"cluster": "c", "user": "u"} | ({"namespace": namespace} if namespace else {})
    file = folder / "kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "contexts": [{"name": "x", "context": context}],
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": TOKEN}}],
    }
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return file


def test_a_pod_needs_no_settings(pod: Pod) -> None:
    """Address, certificate, token and namespace are those that the kubelet mounted."""
    with LeaseElector(Election(NAME, duration=SHORT)) as one:
        wait_until(lambda: one.leads)

    assert {f"bearer {TOKEN}"} == {(token or "").lower() for token in pod.server.tokens}
    assert one.identity == pod.server.written[1]["holderIdentity"]


def test_a_rotated_token_is_read_again(pod: Pod) -> None:
    """The kubelet replaces a token before it expires, and the next requests bring the new one."""
    with time_machine.travel(datetime(2026, 1, 1, tzinfo=UTC), tick=True) as clock:
        leases = Leases(connect().api, "janitors", NAME)
        first = leases.ask(Read(5.0))
        (pod.folder / "token").write_text("another-token", encoding="utf-8")
        clock.shift(timedelta(minutes=2))
        second = leases.ask(Read(5.0))

    assert [Lease, Lease] == [type(first), type(second)]
    assert [f"bearer {TOKEN}", "bearer another-token"] == [
        (token or "").lower() for token in pod.server.tokens
    ]


def test_a_token_that_vanished_is_no_crash(pod: Pod) -> None:
    """A volume that is gone is a failed request like any other."""
    with time_machine.travel(datetime(2026, 1, 1, tzinfo=UTC), tick=True) as clock:
        leases = Leases(connect().api, "janitors", NAME)
        (pod.folder / "token").unlink()
        clock.shift(timedelta(minutes=2))

        assert isinstance(leases.ask(Read(5.0)), Failed)


@pytest.mark.parametrize("status", [307, 429, 503])
def test_the_client_does_not_try_again_by_itself(pod: Pod, status: int) -> None:
    """It would wait for as long as a server asks, or go where a server sends it."""
    headers = {"Retry-After": "1", "Location": "https://127.0.0.1:1/"}
    pod.server.faults.append(Fault(status=status, headers=headers))
    answer = Leases(connect().api, "janitors", NAME).ask(Read(5.0))

    assert (Failed, 1) == (type(answer), len(pod.server.requests))


def test_another_server_is_not_believed(pod: Pod) -> None:
    """A certificate of another authority ends the conversation before the token is sent."""
    trustme.CA().cert_pem.write_to_path(pod.folder / "ca.crt")
    answer = Leases(connect().api, "janitors", NAME).ask(Read(5.0))

    assert isinstance(answer, Failed)
    assert "certificate verify failed" in answer.reason.lower()
    assert [] == pod.server.tokens


def test_no_log_line_holds_the_token(pod: Pod) -> None:
    """Not even at level debug, and not when the server refuses it."""
    stream = io.StringIO()
    logs.configure("json", "debug", stream)
    with LeaseElector(Election(NAME, duration=SHORT)) as one:
        wait_until(lambda: one.leads)
        pod.server.namespaces.clear()
        wait_until(one.lost)

    assert "lease.lost" in stream.getvalue()
    assert TOKEN not in stream.getvalue()


def test_outside_of_a_cluster_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody guesses which cluster was meant: not even from ~/.kube/config."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(JanitorError) as caught:
        LeaseElector(Election(NAME))

    assert (
        "leader_election finds no API server of Kubernetes: Service host/port is not set. "
        "Run in a pod whose service account token is mounted "
        "(automountServiceAccountToken: true), or set KUBECONFIG."
    ) == str(caught.value)


def test_a_pod_without_a_token_is_told_so(pod: Pod) -> None:
    """The usual mistake of a hardened pod has its remedy in the message."""
    (pod.folder / "token").unlink()

    with pytest.raises(JanitorError, match="automountServiceAccountToken: true"):
        LeaseElector(Election(NAME))


def test_an_unknown_namespace_is_told(pod: Pod) -> None:
    """A Lease is somewhere; where is not guessed."""
    (pod.folder / "namespace").unlink()

    with pytest.raises(JanitorError, match=r"set leader_election\.namespace"):
        LeaseElector(Election(NAME))


def test_a_kubeconfig_is_used_if_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sets KUBECONFIG means it; the namespace is that of its context."""
    with serving() as server:
        let_go(server)
        file = kubeconfig(tmp_path, {"server": f"http://127.0.0.1:{server.port}"})
        monkeypatch.setenv("KUBECONFIG", str(file))
        with LeaseElector(Election(NAME, duration=SHORT)) as one:
            wait_until(lambda: one.leads)

    assert f"Bearer {TOKEN}" == server.tokens[0]


@pytest.mark.parametrize(
    ("cluster", "told"),
    [
        pytest.param({"server": "http://10.0.0.1"}, "needs https", id="in plain text"),
        pytest.param(
            {"server": "https://10.0.0.1", "insecure-skip-tls-verify": True},
            "remove insecure-skip-tls-verify",
            id="unverified",
        ),
    ],
)
def test_an_unsafe_server_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cluster: dict[str, Any], told: str
) -> None:
    """A token is not sent to whoever answers."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, cluster)))

    with pytest.raises(JanitorError, match=told):
        LeaseElector(Election(NAME))


def test_a_broken_kubeconfig_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is not there is named."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere"))

    with pytest.raises(JanitorError, match=r"cannot use KUBECONFIG=.*nowhere"):
        LeaseElector(Election(NAME))


def test_the_client_is_only_imported_for_an_election() -> None:
    """A janitor without an election does not even need the package."""
    code = (
        "import sys, json, janitor.service.lease, janitor.service.leadership;"
        "sys.modules['kubernetes'] = None\n"
        "from janitor.settings.types import Election\n"
        "loaded = [name for name in sys.modules if name.startswith('kubernetes.')]\n"
        "try: janitor.service.lease.LeaseElector(Election('x'))\n"
        "except janitor.errors.JanitorError as error: print(json.dumps([loaded, str(error)]))\n"
    )
    done = subprocess.run(  # noqa: S603  # our own code
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    remedy = "install upload-janitor with its extra k8s"
    told = f"leader_election needs the official client of Kubernetes: {remedy}"

    assert [[], told] == json.loads(done.stdout)


def test_two_janitors_of_one_pod_have_two_names(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pod's name says where it is, the rest which process it is."""
    monkeypatch.setenv("POD_NAME", "janitor-0")
    names = {LeaseElector(Election(NAME)).identity for _ in range(2)}

    assert 2 == len(names)
    assert {"janitor-0"} == {name.partition("_")[0] for name in names}
    assert pod.folder
