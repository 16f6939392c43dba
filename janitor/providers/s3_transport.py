"""Decides how requests of the hot path reach S3: over a wire of our own, or over boto3."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies

from janitor.providers import aws
from janitor.targets import S3Options
from janitor.wire.http import Wire
from janitor.wire.line import Way
from janitor.wire.s3_client import FastClient

SDK: Final = "sdk"
WIRE: Final = "wire"
# Access points, their aliases, directory buckets and their like: rules, sessions
# and signatures of their own.
_SPECIAL: Final = re.compile(r"arn:.*|.*-s3alias|.*--[a-z0-9-]*s3")


def chosen(options: S3Options, containers: Iterable[str]) -> str:
    """Choose for a whole target: boto3 where the config wants it or the wire cannot do it."""
    wanted = options.transport == "sdk" or options.signature_version != "s3v4"
    return SDK if wanted or any(map(_SPECIAL.fullmatch, containers)) else WIRE


def faster(
    client: Any, session: Any, access: aws.Access, guard: Callable[[str, str], object]
) -> FastClient:
    """Put the wire before a client of boto3; both go the same way and trust the same."""
    execution = access.execution
    way = Way(
        ca_file=_ca_file(session, access),
        proxies=_proxies(client, access),
        connect_timeout=execution.connect_timeout.total_seconds(),
        read_timeout=execution.read_timeout.total_seconds(),
        connections=execution.connections,
    )
    return FastClient(client, session.get_credentials(), Wire(way, guard))


def _ca_file(session: Any, access: aws.Access) -> str:
    """Give the file that botocore would take, in its order."""
    configured = access.reach.ca_file or session._session.get_config_variable("ca_bundle")  # noqa: SLF001  # boto3 hides it
    return str(configured or os.environ.get("REQUESTS_CA_BUNDLE") or get_cert_path(verify=True))


def _proxies(client: Any, access: aws.Access) -> dict[str, str]:
    """Give the proxies by scheme, as botocore takes them: by the address of the service."""
    proxies = aws.proxies_of(access.reach)
    found = get_environ_proxies(client.meta.endpoint_url) if proxies is None else proxies
    with_scheme = {scheme: _with_scheme(url) for scheme, url in found.items() if url}
    return {scheme: url for scheme, url in with_scheme.items() if scheme in {"http", "https"}}


def _with_scheme(url: str) -> str:
    if url.startswith(("http:", "https:")):
        return url
    return f"http:{url}" if url.startswith("//") else f"http://{url}"
