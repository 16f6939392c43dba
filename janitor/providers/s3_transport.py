"""Decides how requests of the hot path reach S3: over a wire of our own, or over boto3."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from janitor.providers.aws_wire import WireChannel
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


class S3Channel(WireChannel):
    """The wire before a client for S3."""

    finder = Addresses
    stand_in = FastClient
