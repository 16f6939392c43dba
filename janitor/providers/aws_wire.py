"""Makes the wire that goes the way that a client of boto3 would go, and trusts what it trusts."""

from __future__ import annotations

import functools
import os
from typing import Any

from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies

from janitor.providers import aws
from janitor.wire.http import Wire
from janitor.wire.line import Way


def wire_beside(client: Any, ca_bundle: str | None, access: aws.Access, allow: aws.Allow) -> Wire:
    """Make a wire that sends only requests that `allow(method, url)` allows.

    `ca_bundle` is whom the profile trusts, where the config names nobody.
    """
    execution = access.execution
    way = Way(
        ca_file=_ca_file(ca_bundle, access),
        proxies=_proxies(client, access),
        connect_timeout=execution.connect_timeout.total_seconds(),
        read_timeout=execution.read_timeout.total_seconds(),
        connections=execution.connections,
    )
    return Wire(way, functools.partial(aws.require_allowed, allow))


def _ca_file(ca_bundle: str | None, access: aws.Access) -> str:
    """Give the file that botocore would take, in its order."""
    configured = access.reach.ca_file or ca_bundle
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
