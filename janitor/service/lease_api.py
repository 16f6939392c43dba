"""Leases of a Kubernetes API server, through its official client; the only file that knows it."""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from janitor.errors import JanitorError
from janitor.service.lease_rules import (
    Absent,
    Answer,
    Ask,
    Conflict,
    Failed,
    Lease,
    Read,
    Record,
    Write,
)

# Set by whoever works outside of a cluster; in a pod there is no need for it.
KUBECONFIG = "KUBECONFIG"
_NOT_FOUND = 404
_OUTDATED = frozenset({409, 410})
_LARGEST = 1024 * 1024
_LONGEST_REASON = 300
_KEPT_METADATA = ("labels", "annotations", "ownerReferences", "finalizers", "uid")
_KEPT_SPEC = ("strategy", "preferredHolder")


@dataclass(frozen=True, slots=True)
class Server:
    """An API server that we may talk to; `namespace` is our own, None if nobody told."""

    api: Any
    namespace: str | None


def connect() -> Server:
    """Find the API server: that of KUBECONFIG if it is set, else that of the cluster we run in.

    Raises JanitorError, with the remedy, where there is none or where it could
    be somebody else. Inside a cluster the client reads the token again every
    minute, because the kubelet replaces it before it expires.
    """
    try:
        # Only a janitor with an election pays for this import.
        from kubernetes import client  # noqa: PLC0415  # see above
        from kubernetes import config as typed_config  # noqa: PLC0415  # see above
    except ImportError as error:
        msg = (
            "leader_election needs the official client of Kubernetes: "
            "install upload-janitor with its extra k8s"
        )
        raise JanitorError(msg) from error
    config: Any = typed_config  # which has no types, but says that it has
    settings = client.Configuration()
    # One owner of retries: it would wait for as long as a server asks.
    settings.retries = False
    file = os.environ.get(KUBECONFIG)
    try:
        if file:
            config.load_kube_config(config_file=file, client_configuration=settings)
            namespace = _namespace_of_context(config, file)
        else:
            config.load_incluster_config(client_configuration=settings)
            namespace = _namespace_of_pod(config)
    except (config.ConfigException, OSError, ValueError) as error:
        raise JanitorError(_told(file, error)) from error
    _vet(settings)
    return Server(client.CoordinationV1Api(client.ApiClient(settings)), namespace)


def _namespace_of_context(config: Any, file: str) -> str | None:
    _, active = config.list_kube_config_contexts(config_file=file)
    found = active["context"].get("namespace")
    return str(found) if found else None


def _namespace_of_pod(config: Any) -> str | None:
    token = Path(config.incluster_config.SERVICE_TOKEN_FILENAME)
    with suppress(FileNotFoundError):
        return token.with_name("namespace").read_text(encoding="utf-8").strip() or None
    return None


def _told(file: str | None, error: Exception) -> str:
    if file:
        return f"leader_election cannot use {KUBECONFIG}={file}: {error}"
    return (
        f"leader_election finds no API server of Kubernetes: {error} "
        "Run in a pod whose service account token is mounted "
        f"(automountServiceAccountToken: true), or set {KUBECONFIG}."
    )


def _vet(settings: Any) -> None:
    """Refuse an API server that anybody could pretend to be."""
    address = urlsplit(settings.host)
    if address.scheme != "https" and not _is_loopback(address.hostname or ""):
        msg = f"leader_election needs https to reach an API server, not {settings.host}"
        raise JanitorError(msg)
    if not settings.verify_ssl:
        msg = (
            "leader_election does not trust an API server whose certificate is not checked: "
            f"remove insecure-skip-tls-verify from {KUBECONFIG}"
        )
        raise JanitorError(msg)


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


class Leases:
    """One Lease of one namespace, which need not exist."""

    def __init__(self, api: Any, namespace: str, name: str) -> None:
        self._api = api
        self._namespace = namespace
        self._name = name

    def ask(self, asked: Ask) -> Answer:
        """Send one request, once. Whatever comes back is an answer; nothing is raised."""
        # Loaded already, by whoever made the client.
        from kubernetes.client import ApiException  # noqa: PLC0415  # see above
        from kubernetes.config import ConfigException  # noqa: PLC0415  # see above
        from urllib3.exceptions import HTTPError  # noqa: PLC0415  # see above

        try:
            reply = self._send(asked)
            with reply:
                return parse(reply.read(_LARGEST + 1), self._name)
        except ApiException as error:
            return self._refused(error)
        except (HTTPError, OSError, ConfigException) as error:
            return Failed(_short(f"{type(error).__name__}: {error}"))

    def _send(self, asked: Ask) -> Any:
        # Raw replies: the client's types refuse what a newer server adds.
        options = {"_preload_content": False, "_request_timeout": float(asked.timeout)}
        match asked:
            case Read():
                return self._api.read_namespaced_lease(self._name, self._namespace, **options)
            case Write(base=None):
                body = self._body(asked)
                return self._api.create_namespaced_lease(self._namespace, body, **options)
            case Write():
                body = self._body(asked)
                return self._api.replace_namespaced_lease(
                    self._name, self._namespace, body, **options
                )

    def _body(self, asked: Write) -> dict[str, Any]:
        record = asked.record
        spec: dict[str, Any] = {
            "holderIdentity": record.holder,
            "leaseTransitions": record.transitions,
            "leaseDurationSeconds": record.duration,
            "acquireTime": _written(record.acquired),
            "renewTime": _written(record.renewed),
        }
        metadata: dict[str, Any] = {"name": self._name, "namespace": self._namespace}
        if asked.base is not None:
            metadata |= asked.base.kept["metadata"] | {"resourceVersion": asked.base.version}
            spec |= asked.base.kept["spec"]
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": metadata,
            "spec": {key: value for key, value in spec.items() if value is not None},
        }

    def _refused(self, error: Any) -> Answer:
        """Tell what a status means; missing is only what the server itself says is missing."""
        status = _status(error.body)
        details = status.get("details")
        missing = details if isinstance(details, dict) else {}
        if error.status == _NOT_FOUND and status.get("reason") == "NotFound":
            if missing.get("name") == self._name and missing.get("kind") == "leases":
                return Absent()
        elif error.status in _OUTDATED:
            return Conflict()
        said = str(status.get("message") or error.reason or "no reason")
        return Failed(_short(f"{error.status} {said}"), _retry_after(error.headers))


def parse(data: bytes, name: str) -> Answer:
    """Read a Lease from a reply; what is not surely this Lease is no answer."""
    if len(data) > _LARGEST:
        return Failed("malformed: the answer is too large")
    try:
        found = json.loads(data)
        metadata, spec = found["metadata"], found["spec"]
        if found["kind"] != "Lease" or metadata["name"] != name:
            return Failed("malformed: the answer is not about this Lease")
        record = Record(
            holder=_typed(spec.get("holderIdentity"), str) or "",
            duration=_typed(spec.get("leaseDurationSeconds"), int),
            acquired=_read(spec.get("acquireTime")),
            renewed=_read(spec.get("renewTime")),
            transitions=_typed(spec.get("leaseTransitions"), int) or 0,
        )
        version = _typed(metadata["resourceVersion"], str)
        kept = {
            "metadata": {key: metadata[key] for key in _KEPT_METADATA if key in metadata},
            "spec": {key: spec[key] for key in _KEPT_SPEC if key in spec},
        }
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        return Failed(_short(f"malformed: {type(error).__name__}: {error}"))
    return Lease(record, version, kept) if version else Failed("malformed: no resourceVersion")


def _typed(value: Any, kind: type) -> Any:
    if value is None or type(value) is kind:
        return value
    msg = f"{value!r} is no {kind.__name__}"
    raise TypeError(msg)


def _read(value: Any) -> datetime | None:
    if value is None:
        return None
    found = datetime.fromisoformat(value)
    if found.tzinfo is None:
        msg = f"{value!r} has no time zone"
        raise ValueError(msg)
    return found


def _written(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}"


def _status(body: object) -> dict[str, Any]:
    with suppress(ValueError, TypeError, RecursionError):
        found = json.loads(body)  # type: ignore[arg-type]  # a TypeError tells
        if isinstance(found, dict) and found.get("kind") == "Status":
            return found
    return {}


def _retry_after(headers: Mapping[str, str] | None) -> float | None:
    with suppress(ValueError, TypeError, AttributeError):
        seconds = float(dict(headers or {}).get("Retry-After", ""))
        return seconds if 0 < seconds < float("inf") else None
    return None


def _short(text: str) -> str:
    return " ".join(text.split())[:_LONGEST_REASON]
