"""Decides how requests of the hot path reach S3: over a wire of our own, or over boto3."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from janitor.providers import aws
from janitor.providers.aws_sdk import NOBODY, As, Channel
from janitor.providers.aws_wire import wire_beside
from janitor.targets import S3Options
from janitor.wire.s3_address import Addresses
from janitor.wire.s3_client import FastClient

SDK: Final = "sdk"
WIRE: Final = "wire"
DIRECTORY_BUCKET_SUFFIX: Final = "--x-s3"
# Access points, their aliases, directory buckets and their like: rules, sessions
# and signatures of their own.
_SPECIAL: Final = re.compile(r"arn:.*|.*-s3alias|.*--[a-z0-9-]*s3")


def is_directory_bucket(name: str) -> bool:
    """Whether a bucket has sessions of its own, which a client of boto3 keeps by its name."""
    return name.endswith(DIRECTORY_BUCKET_SUFFIX)


def chosen(options: S3Options, containers: Iterable[str]) -> str:
    """Choose for a whole target: boto3 where the config wants it or the wire cannot do it."""
    wanted = options.transport == "sdk" or options.signature_version != "s3v4"
    return SDK if wanted or any(map(_SPECIAL.fullmatch, containers)) else WIRE


class WireChannel(Channel):
    """The wire before a client of boto3; both go the same way and trust the same."""

    def __init__(
        self, client: Any, ca_bundle: str | None, access: aws.Access, allow: aws.Allow
    ) -> None:
        super().__init__()
        self._client = client
        self._wire = wire_beside(client, ca_bundle, access, allow)
        # Whose keys they are does not matter to where a request goes.
        self._addresses = Addresses(As(client, NOBODY))

    def _for(self, keys: Any) -> FastClient:
        return FastClient(As(self._client, keys), keys, self._wire, self._addresses)

    def close(self) -> None:
        """Close all connections."""
        self._wire.close()
        self._client.close()
