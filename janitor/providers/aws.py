"""What Glacier and S3 share: how clients are set up, and the error mapping.

Clients are set up so that nothing is hidden from us: no retries, no redirects,
timestamps left as text, the status as it was on the wire, short bodies refused,
and no endpoint or proxy that only the environment asked for.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import botocore.exceptions
from botocore.config import Config
from botocore.parsers import ResponseParserError

from janitor import __version__
from janitor.errors import (
    ClockSkewed,
    ContainerMissing,
    Denied,
    Incomplete,
    JanitorError,
    ProviderError,
    Refused,
    Throttled,
    Transient,
    Unexpected,
    UploadGone,
)
from janitor.providers.base import KIND_OF_STATUS, require, retry_after
from janitor.targets import AwsIdentity, Execution, Reach

Allow = Callable[[str, str], bool]

SKEW_SAYINGS = ("Signature expired", "Signature not yet current")
KIND_OF_CODE: Mapping[str, type[ProviderError]] = {
    "RequestExpired": ClockSkewed,
    "RequestTimeTooSkewed": ClockSkewed,
    "BandwidthLimitExceeded": Throttled,
    "RequestLimitExceeded": Throttled,
    "RequestThrottled": Throttled,
    "RequestThrottledException": Throttled,
    "SlowDown": Throttled,
    "Throttling": Throttled,
    "ThrottledException": Throttled,
    "ThrottlingException": Throttled,
    "TooManyRequestsException": Throttled,
    "InternalError": Transient,
    "InternalFailure": Transient,
    "OperationAborted": Transient,
    "RequestTimeout": Transient,
    "RequestTimeoutException": Transient,
    "ServiceUnavailable": Transient,
    "ServiceUnavailableException": Transient,
    "AccessDenied": Denied,
    "AccessDeniedException": Denied,
    "AccountProblem": Denied,
    "AllAccessDisabled": Denied,
    "ExpiredToken": Denied,
    "ExpiredTokenException": Denied,
    "InvalidAccessKeyId": Denied,
    "InvalidClientTokenId": Denied,
    "InvalidSignatureException": Denied,
    "InvalidToken": Denied,
    "MissingAuthenticationTokenException": Denied,
    "NotSignedUp": Denied,
    "SignatureDoesNotMatch": Denied,
    "TokenRefreshRequired": Denied,
    "UnrecognizedClientException": Denied,
}
UNUSABLE_CREDENTIALS = (
    botocore.exceptions.NoCredentialsError,
    botocore.exceptions.PartialCredentialsError,
    botocore.exceptions.CredentialRetrievalError,
    botocore.exceptions.TokenRetrievalError,
    botocore.exceptions.SSOError,
    botocore.exceptions.ProfileNotFound,
    botocore.exceptions.ConfigNotFound,
)


@dataclass(frozen=True, slots=True)
class Codes:
    """The error codes by which one service says that something is not there."""

    upload_gone: frozenset[str]
    container_missing: frozenset[str]


NO_CODES = Codes(frozenset(), frozenset())


@dataclass(frozen=True, slots=True)
class Access:
    """Whom to be, where, and how patiently; `region` None is the SDK's own chain."""

    identity: AwsIdentity
    reach: Reach
    region: str | None
    execution: Execution


def watch(events: Any, service: str, allow: Allow) -> None:
    """Let a client of boto3 send only what `allow(method, url)` allows, and hide nothing."""
    events.register(f"before-parse.{service}", _require_whole)
    events.register_first(f"before-send.{service}", functools.partial(_guard, allow))
    events.register(f"before-call.{service}", _forbid_redirect)


def config_of(access: Access, **options: Any) -> Config:
    """Give what botocore is told: our timeouts, one attempt, and nothing of the environment."""
    execution = access.execution
    return Config(
        retries={"mode": "standard", "total_max_attempts": 1},
        connect_timeout=execution.connect_timeout.total_seconds(),
        read_timeout=execution.read_timeout.total_seconds(),
        max_pool_connections=execution.connections,
        ignore_configured_endpoint_urls=True,
        proxies=proxies_of(access.reach),
        user_agent_extra=f"upload-janitor/{__version__}",
        **options,
    )


def proxies_of(reach: Reach) -> dict[str, str] | None:
    """Give the proxies by scheme; None means those of the environment."""
    if reach.proxy_url is not None:
        return {"http": reach.proxy_url, "https": reach.proxy_url}
    # None makes botocore look into the environment, {} does not.
    return None if reach.proxy_from_environment else {}


def _require_whole(response_dict: Mapping[str, Any], operation_model: Any, **_: Any) -> None:
    """Refuse a success whose body is shorter than declared, which the SDK would accept."""
    if operation_model.http.get("method") == "HEAD":
        return
    declared = response_dict["headers"].get("content-length")
    body = response_dict["body"]
    if response_dict["status_code"] == 200 and declared is not None:  # noqa: PLR2004  # HTTP
        whole = len(body) == int(declared)
        require(whole, "short_body", f"the reply has {len(body)} bytes of {declared}")


def _guard(allow: Allow, request: Any, **_: Any) -> None:
    require_allowed(allow, request.method, request.url)


def require_allowed(allow: Allow, method: str, url: str) -> None:
    """Raise Refused unless a request is one that may be sent."""
    if not allow(method, url):
        path = url.partition("?")[0]
        message = f"refused to send {method} {path}: it is not what was meant"
        raise Refused(message, code="guard")


def _forbid_redirect(context: dict[str, Any], **_: Any) -> None:
    """Switch off the S3 client's own redirects: they hide replies, and a 302 makes them recurse."""
    if "s3_redirect" in context:
        context["s3_redirect"]["redirected"] = True


def read_only(method: str, _url: str) -> bool:
    """Allow nothing that could change anything."""
    return method in {"GET", "HEAD"}


def proven(reply: Mapping[str, Any]) -> Mapping[str, str]:
    """Demand exactly 200; give the headers, names in lower case."""
    status = _status(reply)
    require(status == 200, "status", f"the reply is HTTP {status}, not 200")  # noqa: PLR2004  # HTTP
    headers: Mapping[str, str] = reply["ResponseMetadata"]["HTTPHeaders"]
    return headers


class ErrorsOf:
    """Translates everything that the SDK raises; the one place where that happens for AWS.

    A generator would be shorter, and cost as much as half of a signature.
    """

    __slots__ = ("_codes", "_verb")

    def __init__(self, verb: str, codes: Codes) -> None:
        self._verb, self._codes = verb, codes

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Raise an error of ours instead of one of the SDK's; leave all others alone."""
        if error is None or isinstance(error, JanitorError):
            return
        meant = _meant(error, self._verb, self._codes)
        if meant is not None:
            raise meant from error


def _meant(error: BaseException, verb: str, codes: Codes) -> ProviderError | None:
    """Say in our words what the SDK raised; None where it is not from there."""
    if isinstance(error, botocore.exceptions.ClientError):
        return _translated(verb, error, codes)
    text = f"{verb}: {type(error).__name__}: {error}"
    if isinstance(error, UNUSABLE_CREDENTIALS):
        return Denied(f"{verb}: no usable credentials: {error}", code="no_credentials")
    if isinstance(error, botocore.exceptions.HTTPClientError | botocore.exceptions.ConnectionError):
        return Transient(text, code="connection")
    if isinstance(error, ResponseParserError):
        # The rest of its text is the whole body.
        return Incomplete(f"{verb}: {str(error).partition(chr(10))[0]}", code="unreadable")
    if isinstance(error, botocore.exceptions.BotoCoreError | UnicodeError | ValueError):
        return Unexpected(text, code="sdk_error")
    return None


@contextmanager
def errors_of_sts(verb: str) -> Iterator[None]:
    """Do the same for STS, of whose replies botocore reads one element, whatever else they are."""
    with ErrorsOf(verb, NO_CODES):
        try:
            yield
        except KeyError as error:
            message = f"{verb}: the reply has no {error}"
            raise Incomplete(message, code="unreadable") from error


def _status(reply: Mapping[str, Any]) -> int:
    return int(reply["ResponseMetadata"]["HTTPStatusCode"])


def _code(error: botocore.exceptions.ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "unknown"))


def _translated(verb: str, error: botocore.exceptions.ClientError, codes: Codes) -> ProviderError:
    code = _code(error)
    metadata = error.response.get("ResponseMetadata", {})
    status = metadata.get("HTTPStatusCode")
    # An element that is there and empty is None.
    said = error.response.get("Error", {}).get("Message") or ""
    message = f"{verb}: {code}: {said}"
    facts: dict[str, Any] = {"code": code, "status": status}
    facts["request_id"] = metadata.get("RequestId") or None
    kind = _kind(code, status, said, codes)
    if issubclass(kind, Transient):
        facts["retry_after"] = retry_after(metadata.get("HTTPHeaders", {}), datetime.now(UTC))
    return kind(message, **facts)


def _kind(code: str, status: int, said: str, codes: Codes) -> type[ProviderError]:
    if code in codes.upload_gone:
        return UploadGone
    if code in codes.container_missing:
        return ContainerMissing
    if said.startswith(SKEW_SAYINGS):
        return ClockSkewed
    return KIND_OF_CODE.get(code) or KIND_OF_STATUS.get(status, Unexpected)


def require_no_content(reply: Mapping[str, Any]) -> None:
    """Accept 204 as the success of an abort, and nothing else."""
    status = _status(reply)
    if status != 204:  # noqa: PLR2004  # HTTP
        message = f"the abort was answered with HTTP {status}, not 204"
        raise Unexpected(message, code="status", status=status)
