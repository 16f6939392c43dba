"""What can be wrong with a signature, in words that every protocol translates. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote_to_bytes

if TYPE_CHECKING:
    from janitor.sandbox.identity import Principal

MAX_SKEW: Final = timedelta(minutes=15)
"""All four services allow so much (S3, Glacier, STS and QingStor user guides)."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Flaw(Enum):
    """Why a request is not believed."""

    MISSING = auto()
    MALFORMED = auto()
    UNKNOWN_KEY = auto()
    BAD_SIGNATURE = auto()
    SKEWED = auto()
    EXPIRED = auto()
    BAD_TOKEN = auto()
    BODY_MISMATCH = auto()


class NotBelieved(Exception):  # noqa: N818 -- an answer of the sandbox, not an error of ours
    """The signature of a request does not hold; `detail` is for the reply's message."""

    def __init__(self, flaw: Flaw, detail: str = "") -> None:
        super().__init__(flaw.name)
        self.flaw = flaw
        self.detail = detail


def encoded(raw: bytes, safe: str = "") -> str:
    """Percent-encode the way AWS does: everything but unreserved characters and `safe`."""
    return quote(raw, safe="-_.~" + safe)


def reencoded(raw: bytes, safe: str = "") -> str:
    """Decode and encode again, so that a client's own taste in escaping does not matter."""
    return encoded(unquote_to_bytes(raw), safe)


def check_skew(signed_at: datetime | None, now: datetime) -> None:
    """Refuse a request that was signed more than 15 minutes away from `now`."""
    if signed_at is None or abs(signed_at - now) > MAX_SKEW:
        raise NotBelieved(Flaw.SKEWED)


def check_token(principal: Principal, token: str, now: datetime) -> None:
    """Refuse a session token that is wrong, missing, superfluous or expired."""
    if token != (principal.token or ""):
        raise NotBelieved(Flaw.BAD_TOKEN)
    if principal.expires is not None and now >= principal.expires:
        raise NotBelieved(Flaw.EXPIRED)
