"""Decides how requests of the hot path reach S3: over a wire of our own, or over boto3."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from janitor.providers import aws
from janitor.providers.aws_wire import wire_beside
from janitor.targets import S3Options
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


def faster(client: Any, session: Any, access: aws.Access, allow: aws.Allow) -> FastClient:
    """Put the wire before a client of boto3; both go the same way and trust the same."""
    wire = wire_beside(client, session, access, allow)
    return FastClient(client, session.get_credentials(), wire)
