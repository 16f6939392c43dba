"""What our clients of AWS share: they stand before one of boto3, sign, send, and read replies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from botocore.exceptions import NoCredentialsError

from janitor import fibers
from janitor.errors import Incomplete
from janitor.wire.http import Wire
from janitor.wire.line import Reply
from janitor.wire.sigv4 import Keys, Signer

_OK: Final = 200
_NO_SUCCESS: Final = 300
_ERROR: Final = 301
# As boto3 spells them, for servers that know only that.
_SPELLED: Final = {
    "host": "Host",
    "x-amz-content-sha256": "X-Amz-Content-SHA256",
    "x-amz-date": "X-Amz-Date",
    "x-amz-security-token": "X-Amz-Security-Token",
}

Read = Callable[[Reply], dict[str, Any]]


class Address(Protocol):
    """Whom to ask, and how; what there is besides is the client's own."""

    @property
    def host(self) -> str:
        """Give the Host header."""

    @property
    def user_agent(self) -> str:
        """Give boto3's own name for us."""

    @property
    def signer(self) -> Signer:
        """Give what signs."""


class AwsClient(ABC):
    """Stands before a client of boto3; safe to use from many threads.

    `credentials` are botocore's own object, which renews itself; None where
    nobody has any.
    """

    def __init__(self, sdk: Any, credentials: Any, wire: Wire) -> None:
        self._sdk, self._credentials, self._wire = sdk, credentials, wire
        # What was signed last, an address has its own, and how that is written.
        self._written: tuple[Mapping[str, str], Sequence[str]] = ({}, ())
        self._signers: dict[Signer, Signer] = {}

    def __getattr__(self, name: str) -> Any:
        """Leave everything else to boto3."""
        return getattr(self._sdk, name)

    def close(self) -> None:
        """Close all connections."""
        self._wire.close()
        self._sdk.close()

    @abstractmethod
    def _refusal(self, reply: Reply) -> dict[str, Any]:
        """Read an error reply as boto3 would: `Error` and `ResponseMetadata`."""

    def _left_to_sdk(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        call = getattr(self._sdk, name)
        found: dict[str, Any] = fibers.offload(lambda: call(**arguments))
        return found

    def _call(  # noqa: PLR0913, PLR0917  # all that one request needs
        self,
        operation: str,
        method: str,
        address: Address,
        url: str,
        headers: Mapping[str, str],
        read: Read,
    ) -> dict[str, Any]:
        """Ask; `headers` are signed beside those that every request has."""
        reply = self._wire.send(method, url, self._signed(method, address, url, headers))
        if reply.status >= _ERROR:
            raise self._error(self._refusal(reply), operation)
        if reply.status == _OK and not reply.whole:
            announced = reply.headers["content-length"]
            message = f"the reply has {len(reply.body)} bytes of {announced}"
            raise Incomplete(message, code="short_body")
        parsed = read(reply) | {"ResponseMetadata": metadata_of(reply)}
        if reply.status >= _NO_SUCCESS:
            raise self._error(parsed, operation)
        return parsed

    def _signed(
        self, method: str, address: Address, url: str, headers: Mapping[str, str]
    ) -> list[str]:
        path, _, query = url[url.index("/", len("https://")) :].partition("?")
        keys = self._keys()
        wanted = {"host": address.host, **headers}
        # One of our own: others ask at the same address with other keys.
        signer = self._signers.get(address.signer)
        if signer is None:
            signer = self._signers.setdefault(address.signer, address.signer.twin())
        signed, authorization = signer.sign(method, path, query, wanted, keys)
        # Read and replaced as one, so that no thread sees half of it.
        written, lines = self._written
        if written is not signed:
            lines = _lines(signed, address.user_agent)
            self._written = signed, lines
        rest = ("Content-Length: 0",) if method == "DELETE" else ()
        return [*lines, f"Authorization: {authorization}", *rest]

    def _keys(self) -> Keys:
        credentials = self._credentials
        if credentials is None:
            raise NoCredentialsError
        # Those that expire have to ask for new ones now and then, and somebody may hang there.
        asks = getattr(credentials, "refresh_needed", _never)()
        ask = credentials.get_frozen_credentials
        keys: Keys = fibers.offload(ask) if asks else ask()
        return keys

    def _error(self, parsed: dict[str, Any], operation: str) -> Exception:
        code = parsed.get("Error", {}).get("Code")
        kind = self._sdk.exceptions.from_code(code if isinstance(code, str) else None)
        made: Exception = kind(parsed, operation)
        return made


def _lines(signed: Mapping[str, str], user_agent: str) -> Sequence[str]:
    lines = [f"{_SPELLED.get(name, name)}: {value}" for name, value in signed.items()]
    return [*lines, f"User-Agent: {user_agent}", "Accept-Encoding: identity", "Accept:"]


def _never() -> bool:
    return False


def metadata_of(reply: Reply) -> dict[str, Any]:
    """Give the ResponseMetadata of a reply."""
    headers = reply.headers
    found: dict[str, Any] = {"HTTPStatusCode": reply.status, "HTTPHeaders": headers}
    if "x-amzn-requestid" in headers:
        found["RequestId"] = headers["x-amzn-requestid"]
    elif "x-amz-request-id" in headers:
        found["RequestId"] = headers["x-amz-request-id"]
        found["HostId"] = headers.get("x-amz-id-2", "")
    return found | {"RetryAttempts": 0}
