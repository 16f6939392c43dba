"""Asks QingStor over a wire of our own, and knows what that wire does not do."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from importlib import import_module
from typing import Final

import certifi
from botocore import exceptions as network

from janitor import __version__
from janitor.errors import Refused, Transient, Unexpected
from janitor.providers.qingstor_question import Check, Question, address_of
from janitor.targets import Execution, QingStorOptions
from janitor.wire.http import Wire
from janitor.wire.line import LARGEST, Reply, Way
from janitor.wire.qingstor_client import Keys, Place, QingStorClient

# What requests would change, or an address in which names of users could hide.
_PLAIN: Final = re.compile(r"[a-z0-9.:\[\]-]+")
# What lists uploads, and what names an upload; never what is about an object.
_ALLOWED: Final[Mapping[str, re.Pattern[str]]] = {
    "DELETE": re.compile(r"[^?#]*\?upload_id=[^&#]+"),
    "GET": re.compile(r"[^?#]*\?(?:[^&#]*&)*(?:uploads|upload_id=[^&#]+)(?:&[^#]*)?"),
}
_GZIP: Final = 31
_GZIPPED: Final = frozenset({"gzip", "x-gzip"})


def covers(options: QingStorOptions) -> bool:
    """Whether the wire does all that the config of a target asks for."""
    if not _PLAIN.fullmatch(_place(options).authority):
        return False
    if not options.reach.proxy_from_environment:
        return True
    # Whether a bucket's own host is asked through a proxy depends on its name.
    return options.addressing == "path" and _is_http(_proxy(options))


class WireTransport:
    """Requests as the SDK would build and sign them, over connections of our own."""

    def __init__(self, options: QingStorOptions, execution: Execution) -> None:
        self._check = Check(options)
        place, proxy = _place(options), _proxy(options)
        way = Way(
            # What requests trusts; it would not look into the environment either.
            ca_file=options.reach.ca_file or certifi.where(),
            proxies={place.scheme: proxy} if proxy else {},
            connect_timeout=execution.connect_timeout.total_seconds(),
            read_timeout=execution.read_timeout.total_seconds(),
            connections=execution.connections,
        )
        credentials = options.credentials
        keys = Keys(credentials.access_key_id, credentials.secret_access_key.reveal())
        agent = f"upload-janitor/{__version__}"
        self._client = QingStorClient(place, keys, Wire(way, _guard), agent)

    def ask(self, question: Question) -> Reply:
        """Build, inspect, sign and send one request."""
        verb = question.verb
        try:
            return self._reply_to(question)
        except (network.HTTPClientError, network.ConnectionError) as error:
            message = f"{verb}: {type(error).__name__}: {error}"
            raise Transient(message, code="connection") from error
        except UnicodeEncodeError as error:
            message = f"{verb}: the key cannot be sent: {error.reason}"
            raise Refused(message, code="guard") from error
        except (ValueError, zlib.error) as error:
            message = f"{verb}: {type(error).__name__}: {error}"
            raise Unexpected(message, code="sdk_error") from error

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _reply_to(self, question: Question) -> Reply:
        method, bucket, key = question.method, question.bucket, question.key
        assert bucket is not None  # noqa: S101  # for mypy: the account is asked by the SDK
        request = self._client.request(method, bucket, key, question.parameters)
        self._check.require(question, request.method, request.url)
        reply = self._client.send(request)
        if not reply.whole:
            error = f"the reply has {len(reply.body)} bytes, more were announced"
            raise network.ConnectionClosedError(endpoint_url=request.url, error=error)
        if reply.body and reply.headers.get("content-encoding", "").lower() in _GZIPPED:
            return reply._replace(body=_unzipped(reply.body))
        return reply


def _guard(method: str, url: str) -> None:
    """Allow to list uploads, and what names an upload; never what is about an object."""
    wanted = _ALLOWED.get(method)
    allowed = wanted is not None and wanted.fullmatch(url) is not None
    if not allowed:
        message = f"refused to send {method} {url.partition('?')[0]}: it is not what was meant"
        raise Refused(message, code="guard")


def _place(options: QingStorOptions) -> Place:
    where = address_of(options)
    zone = f"{options.zone.lower()}." if options.zone else ""
    return Place(where.scheme, f"{zone}{where.authority}", options.addressing == "virtual")


def _proxy(options: QingStorOptions) -> str:
    """Give the proxy that requests would take, "" for none."""
    if not options.reach.proxy_from_environment:
        return options.reach.proxy_url or ""
    place = _place(options)
    url = f"{place.scheme}://{place.authority}/"
    # It takes a while to import, and hardly anybody needs it here.
    found = import_module("requests.utils").get_environ_proxies(url)
    proxy = str(found.get(place.scheme) or found.get("all") or "")
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy


def _is_http(proxy: str) -> bool:
    return not proxy or proxy.startswith(("http://", "https://"))


def _unzipped(body: bytes) -> bytes:
    """Undo what nobody asked for, as requests does, but not without bounds."""
    unzip = zlib.decompressobj(_GZIP)
    found = unzip.decompress(body, LARGEST)
    if unzip.unconsumed_tail:
        message = f"the reply has more than {LARGEST} bytes"
        raise ValueError(message)
    return found
