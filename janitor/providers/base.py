"""What a provider promises: three verbs for uploads, one for containers, and how each may fail.

A reply is either proven whole or an error: no verb ever returns an empty or
short result because something was missing. Verbs make one request each, never
retry, and raise only from the tree of `janitor.errors`. All are safe to call
from many threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import NamedTuple, Protocol

from janitor.errors import Denied, Incomplete, ProviderError, Throttled, Transient
from janitor.model import ContainerRef, Part, Upload, parse_time
from janitor.providers.common import Common
from janitor.targets import Execution, Target

# What a status alone says where the provider's code says nothing. A bare 404
# is not here: only a code can say that something is gone.
KIND_OF_STATUS: Mapping[int, type[ProviderError]] = {
    401: Denied,
    402: Denied,
    403: Denied,
    408: Transient,
    429: Throttled,
    500: Transient,
    502: Transient,
    503: Transient,
    504: Transient,
    # What proxies and content networks before a store say when it is away.
    509: Throttled,
    520: Transient,
    521: Transient,
    522: Transient,
    523: Transient,
    524: Transient,
    529: Throttled,
}


class Marker(NamedTuple):
    """Where the next page begins, in the provider's own words; either may be empty, not both."""

    key: str = ""
    upload_id: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One proven page of in-progress uploads; `next` None means that the listing is complete."""

    uploads: Sequence[Upload]
    next: Marker | None
    server_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class PartsPage:
    """One proven page of parts; `initiated` where the provider repeats it here."""

    parts: Sequence[Part]
    next: Marker | None
    initiated: datetime | None = None
    server_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class ContainersPage:
    """One proven page of vault or bucket names."""

    names: Sequence[str]
    next: Marker | None


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are at a target: the account (None: unknown), the address and the region.

    `transport` is what sends the requests: the provider's SDK, or our own wire.
    """

    endpoint: str = ""
    region: str | None = None
    account: str | None = None
    transport: str = "sdk"

    @property
    def parks(self) -> bool:
        """Whether its requests park a fiber; those of an SDK block the thread."""
        return self.transport != "sdk"


class Reader(Protocol):
    """Reads one container. Nothing in it can change anything at the provider."""

    where: ContainerRef
    # Whether pages are sorted by key and can be asked for one key alone, so
    # that a page that was cut inside a key can be made sure of.
    can_list_one_key: bool
    # Whether the store is known to go on exactly where its markers say, so that
    # nothing has to be asked for twice where a page ends.
    markers_are_exact: bool
    # Whether, beyond that, it is known to sort by key and to take any text as a
    # marker, and may be asked for several stretches of the keys at once.
    can_split: bool
    # Whether the store is known to keep an upload and the finished object of
    # the same key apart, so that an abort cannot touch the object.
    keeps_uploads_apart: bool

    def list_page(
        self, marker: Marker | None, *, key: str | None = None, limit: int | None = None
    ) -> Page:
        """List one page, of `limit` uploads at most.

        With `key`, of the uploads whose key begins with exactly that.
        """

    def list_parts(self, upload: Upload, marker: Marker | None) -> PartsPage:
        """List one page of an upload's parts; raise UploadGone when there is no such upload."""

    def object_written(self, upload: Upload, /) -> datetime | None:
        """Tell when the finished object was written that an abort might take with it.

        None where there is none. Asked only where `keeps_uploads_apart` is False.
        """


class Connection(Protocol):
    """A way to one target; opening it makes no request."""

    def identify(self) -> Identity:
        """Tell who we are there; raise WrongIdentity where the config says otherwise."""

    def list_containers(self, marker: Marker | None) -> ContainersPage:
        """List one page of the account's containers."""

    def reader(self, container: str) -> Reader:
        """Give a reader of one container."""

    def close(self) -> None:
        """Close what is open; calling twice is fine."""


class Aborter(Protocol):
    """The only thing in the janitor that can change anything at a provider."""

    def abort(self, upload: Upload) -> None:
        """Abort exactly this upload.

        Returning promises that the provider said 204. Raise UploadGone when
        there is no such upload, Refused when a guard of ours said no, and Unsent
        when to get ready took so long that the upload should be looked at again.
        """

    def close(self) -> None:
        """Close what is open; calling twice is fine."""


class ProviderModule(Protocol):
    """What a provider's file exports."""

    PERMISSIONS: Mapping[str, Sequence[str]]

    def connect(
        self, target: Target, execution: Execution, common: Common | None = None
    ) -> Connection:
        """Prepare to read a target.

        `common` is what it shares with others, and is closed by whoever made
        it, after all that use it; None where there are no others.
        """

    def aborter(
        self, target: Target, execution: Execution, common: Common | None = None
    ) -> Aborter:
        """Prepare to abort uploads of a target; called in enforce mode only."""


def server_time(headers: Mapping[str, str]) -> datetime | None:
    """Read the Date header (lower-case names), None where it is missing or unreadable."""
    return http_date(headers.get("date", ""))


@lru_cache(maxsize=64)  # replies of the same second say the same
def http_date(text: str) -> datetime | None:
    """Read a date of HTTP, None where it is unreadable or has no zone."""
    try:
        moment = parsedate_to_datetime(text)
    except (OverflowError, TypeError, ValueError):
        return None
    return moment if moment.utcoffset() is not None else None


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Read Retry-After (seconds or a date; lower-case names) as seconds from `now`."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
    except (OverflowError, TypeError, ValueError):
        return None


def require(holds: object, code: str, message: str) -> None:
    """Raise Incomplete unless a proof of completeness holds."""
    if not holds:
        raise Incomplete(message, code=code)


def require_content(headers: Mapping[str, str], family: str) -> None:
    """Demand a content type such as application/json, text/xml or application/x+xml."""
    content_type = headers.get("content-type", "")
    media = content_type.split(";")[0].strip().lower()
    subtype = media.partition("/")[2]
    fits = subtype == family or subtype.endswith(f"+{family}")
    require(fits, "content_type", f"the reply is {content_type or 'of no type'}, not {family}")


def initiated_of(text: object) -> tuple[datetime | None, str | None]:
    """Read an upload's date; where it is unusable, keep the provider's own words instead."""
    moment = parse_time(text) if isinstance(text, str) else None
    return (moment, None) if moment is not None else (None, None if text is None else str(text))


def upload_of(
    where: ContainerRef,
    key: object,
    upload_id: object,
    date: object,
    fields: Iterable[tuple[str, str | None]] = (),
) -> Upload:
    """Build an upload from what a listing said; an entry without an identity proves nothing."""
    whole = isinstance(upload_id, str) and (key is None or isinstance(key, str))
    require(whole, "malformed_entry", "an entry of the listing has no usable key or upload id")
    initiated, text = initiated_of(date)
    try:
        return Upload(where, key, upload_id, initiated, text, **dict(fields))  # type: ignore[arg-type]
    except ValueError as error:
        message = f"an entry of the listing is malformed: {error}"
        raise Incomplete(message, code="malformed_entry") from error
