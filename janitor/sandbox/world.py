"""Everything that the three protocols share: time, keys, stores, permissions, options."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING, Final, Literal, Protocol

from janitor.sandbox.clock import SandboxClock
from janitor.sandbox.faults import FaultPlan
from janitor.sandbox.identity import KeyRing, Principal
from janitor.sandbox.journal import Accusation, Journal
from janitor.sandbox.store import GLACIER_HABITS, QINGSTOR_HABITS, S3_HABITS, Store

if TYPE_CHECKING:
    from janitor.sandbox.wire import Call, Refusal, Reply, Request

MAX_BODY: Final = 64 * 1024 * 1024


@dataclass
class Options:
    """In what the sandbox may differ, as real services do. May be changed while it runs.

    `page_cap`: no page holds more, whatever the client asks for (None: no cap). QingStor's
    lists of parts and buckets are exempt, because there a short page means the end.
    `check_skew`: refuse what was signed more than 15 minutes from the sandbox's time.
    `check_region`: a bucket or vault exists only for requests signed for its own region.
    `glacier_last_marker`: how Glacier ends a list, JSON null or the text "null".
    `qingstor_max_limit`: the largest limit of a QingStor list; beyond it is an error.
    """

    page_cap: int | None = None
    check_skew: bool = True
    check_region: bool = True
    glacier_last_marker: Literal["null"] | None = None
    qingstor_max_limit: int = 1000

    def capped(self, limit: int) -> int:
        """Apply the page cap."""
        return limit if self.page_cap is None else min(limit, self.page_cap)


class Denials:
    """Permissions taken away. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._denied: set[tuple[str, str | None]] = set()

    def deny(self, operation: str, container: str | None = None) -> None:
        """Take a permission away, by name or pattern; None means in every container."""
        with self._lock:
            self._denied.add((operation, container))

    def allow(self, operation: str, container: str | None = None) -> None:
        """Take exactly that denial back."""
        with self._lock:
            self._denied.discard((operation, container))

    def holds(self, call: Call) -> bool:
        """Tell whether the call is denied."""
        with self._lock:
            return any(
                fnmatchcase(call.operation, pattern) and container in {None, call.container}
                for pattern, container in self._denied
            )


@dataclass
class World:
    """The state of one sandbox."""

    clock: SandboxClock = field(default_factory=SandboxClock)
    options: Options = field(default_factory=Options)
    journal: Journal = field(default_factory=lambda: Journal(None))
    keys: KeyRing = field(default_factory=KeyRing)
    faults: FaultPlan = field(default_factory=FaultPlan)
    denials: Denials = field(default_factory=Denials)
    accusations: list[Accusation] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.s3 = Store(S3_HABITS, self.clock)
        self.glacier = Store(GLACIER_HABITS, self.clock)
        self.qingstor = Store(QINGSTOR_HABITS, self.clock)


@dataclass(frozen=True)
class Caller:
    """Who calls, and for which region the request was signed ('' on QingStor)."""

    principal: Principal
    region: str = ""


class WireProtocol(Protocol):
    """One service on the wire.

    `route` understands any request, even nonsense. `authenticate` and `perform` raise
    `Refusal`; `refused` renders one. `perform` is called while the provider's store is
    locked.
    """

    name: str
    store: Store

    def route(self, request: Request) -> Call:
        """Understand a request."""

    def claimed_key(self, request: Request) -> str:
        """Tell whose key the request claims."""

    def authenticate(self, call: Call) -> Caller:
        """Check the signature."""

    def denied(self, call: Call) -> Refusal:
        """Make the refusal that means "no permission"."""

    def perform(self, call: Call, caller: Caller) -> Reply:
        """Do what was asked."""

    def refused(self, call: Call, refusal: Refusal) -> Reply:
        """Write an error document."""


FAULT_CODES: Final = {
    "s3": {
        400: "InvalidRequest",
        401: "AccessDenied",
        403: "AccessDenied",
        404: "NoSuchUpload",
        408: "RequestTimeout",
        409: "OperationAborted",
        429: "TooManyRequests",
        500: "InternalError",
        501: "NotImplemented",
        503: "SlowDown",
    },
    "glacier": {
        400: "ThrottlingException",
        401: "UnrecognizedClientException",
        403: "AccessDeniedException",
        404: "ResourceNotFoundException",
        408: "RequestTimeoutException",
        429: "ThrottlingException",
        500: "ServiceUnavailableException",
        503: "ServiceUnavailableException",
    },
    "qingstor": {
        400: "invalid_argument",
        401: "signature_not_matched",
        403: "permission_denied",
        404: "upload_not_exists",
        405: "method_not_allowed",
        429: "max_requests_exceeded",
        500: "internal_error",
        503: "service_unavailable",
    },
}


def fault_code(provider: str, status: int) -> str:
    """Name the error that a provider most likely means by a status."""
    named = FAULT_CODES.get(provider, FAULT_CODES["s3"]).get(status)
    return named or HTTPStatus(status).phrase.replace(" ", "")
