"""A wire that goes the way that a client of boto3 would go, and trusts what it trusts."""

from __future__ import annotations

import functools
import os
from typing import Any, ClassVar

from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies

from janitor.providers import aws
from janitor.providers.aws_sdk import NOBODY, As, Channel
from janitor.wire.http import Wire
from janitor.wire.line import Way


class WireChannel(Channel):
    """The wire before a client of boto3; both go the same way and trust the same.

    `finder` finds out where requests go, `stand_in` stands before the client.
    """

    finder: ClassVar[type[Any]]
    stand_in: ClassVar[type[Any]]

    def __init__(
        self, client: Any, ca_bundle: str | None, access: aws.Access, allow: aws.Allow
    ) -> None:
        super().__init__()
        self._client = client
        self._wire = _wire_beside(client, ca_bundle, access, allow)
        # Whose keys they are does not matter to where a request goes.
        self._found = self.finder(As(client, NOBODY))

    def _for(self, keys: Any) -> Any:
        return self.stand_in(As(self._client, keys), keys, self._wire, self._found)

    def close(self) -> None:
        """Close all connections."""
        self._wire.close()
        self._client.close()


def _wire_beside(client: Any, ca_bundle: str | None, access: aws.Access, allow: aws.Allow) -> Wire:
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
