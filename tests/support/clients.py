"""Real clients of the sandbox, and a raw one that shows every byte."""

from __future__ import annotations

import functools
import http.client
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from qingstor.sdk.config import Config as QingStorConfig
from qingstor.sdk.service.qingstor import QingStor
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from janitor.sandbox import Sandbox


@dataclass(frozen=True)
class Keys:
    """A key pair to sign with."""

    access_key_id: str
    secret_access_key: str
    token: str | None = None


def janitor_keys(sandbox: Sandbox) -> Keys:
    """Give the key pair that the janitor is configured with."""
    return Keys(sandbox.access_key_id, sandbox.secret_access_key)


def owner_keys(sandbox: Sandbox) -> Keys:
    """Give the key pair of the uploaders."""
    return Keys(sandbox.owner_access_key_id, sandbox.owner_secret_access_key)


class Clients:
    """Makes clients and closes them all in the end."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._made: list[Any] = []

    def s3(self, keys: Keys | None = None, *, url: str | None = None, **config: Any) -> Any:
        """Make a boto3 client for S3, as the owner unless told otherwise."""
        return self._aws("s3", url or self.sandbox.s3_url, "us-east-1", keys, config)

    def sts(self, keys: Keys | None = None) -> Any:
        """Make a boto3 client for STS, as the janitor unless told otherwise."""
        keys = keys or janitor_keys(self.sandbox)
        return self._aws("sts", self.sandbox.sts_url, "us-east-1", keys, {})

    def glacier(self, keys: Keys | None = None) -> Any:
        """Make a boto3 client for Glacier, as the owner unless told otherwise."""
        return self._aws("glacier", self.sandbox.glacier_url, "us-west-2", keys, {})

    def qingstor(self, keys: Keys | None = None) -> Any:
        """Make a client with qingstor-sdk, without its retries and redirects."""
        keys = keys or owner_keys(self.sandbox)
        config = QingStorConfig(keys.access_key_id, keys.secret_access_key)
        where = urlsplit(self.sandbox.qingstor_url)
        config.host, config.port, config.protocol = where.hostname, where.port, "http"
        config.timeout = 0
        made = QingStor(config)
        once = Retry(total=0, redirect=False, raise_on_status=False)
        made.client.mount("http://", HTTPAdapter(max_retries=once))
        made.client.send = functools.partial(
            made.client.send, timeout=(5, 30), allow_redirects=False
        )
        made.client.trust_env = False
        self._made.append(made.client)
        return made

    def bucket(self, name: str, keys: Keys | None = None) -> Any:
        """Make a QingStor client for one bucket."""
        return self.qingstor(keys).Bucket(name, "")

    def close(self) -> None:
        """Close every client."""
        for made in self._made:
            made.close()

    def _aws(
        self, service: str, url: str, region: str, keys: Keys | None, config: Mapping[str, Any]
    ) -> Any:
        chosen = keys or owner_keys(self.sandbox)
        made = boto3.client(
            service,
            endpoint_url=url,
            region_name=region,
            aws_access_key_id=chosen.access_key_id,
            aws_secret_access_key=chosen.secret_access_key,
            aws_session_token=chosen.token,
            config=Config(retries={"total_max_attempts": 1}, **config),
        )
        self._made.append(made)
        return made


@dataclass(frozen=True)
class RawReply:
    """What came over the wire. `error` names what http.client stumbled over, if anything."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    error: str | None = None


def raw(
    url: str, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
) -> RawReply:
    """Send one request and take whatever comes back, also half of it."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)
    try:
        connection.request(method, target, body, dict(headers))
        reply = connection.getresponse()
        shown = {name.lower(): value for name, value in reply.getheaders()}
        try:
            return RawReply(reply.status, shown, reply.read())
        except http.client.IncompleteRead as error:
            return RawReply(reply.status, shown, error.partial, "IncompleteRead")
    except http.client.RemoteDisconnected:
        return RawReply(0, {}, b"", "RemoteDisconnected")
    finally:
        connection.close()


def signed_s3(sandbox: Sandbox, method: str, target: str, keys: Keys | None = None) -> RawReply:
    """Send one S3 request that botocore has signed."""
    chosen = keys or janitor_keys(sandbox)
    request = AWSRequest(method, sandbox.s3_url + target)
    request.context["payload_signing_enabled"] = True
    secret = Credentials(chosen.access_key_id, chosen.secret_access_key, chosen.token)
    S3SigV4Auth(secret, "s3", "us-east-1").add_auth(request)
    return raw(sandbox.s3_url, method, target, dict(request.headers.items()))
