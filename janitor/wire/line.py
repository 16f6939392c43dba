"""One handle of libcurl: carries one request at a time, and keeps its connection open.

What is set here once holds for every request; what differs is set right
before it is sent.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

import pycurl
from botocore.exceptions import HTTPClientError

from janitor import fibers
from janitor.wire.failures import failure_of
from janitor.wire.transfer import Transfer, events_of

# A whole request may take this many times as long as silence in it may last.
PATIENCE: Final = 3
LARGEST: Final = 64 * 1024 * 1024
MOST_HEADERS: Final = 100
# Longer lines of headers differ from reply to reply.
_SHORT: Final = 100
_BUFFER: Final = 512 * 1024
_MILLISECONDS: Final = 1000


@dataclass(frozen=True, slots=True)
class Way:
    """How to get to servers, and how patiently (seconds).

    `proxies` are by scheme; where a scheme has none, its servers are asked
    themselves. `read_timeout` is how long a connection may be silent.
    `connections` are kept when they are idle; a reply of more than `largest`
    bytes is broken off.
    """

    ca_file: str
    proxies: Mapping[str, str]
    connect_timeout: float
    read_timeout: float
    connections: int = 10
    largest: int = LARGEST


class Reply(NamedTuple):
    """What came back, names of headers in lower case; `whole`: no shorter than was announced."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool = True


class Line:
    """One handle; to be used by one thread at a time, or by the fibers of one hub."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._head: list[bytes] = []
        self._body: list[bytes] = []
        self._begun = 0
        self._turn = ("", "", False)
        # Whether the last request failed when a name may still have been looked up.
        self.may_look_up = False
        self._transfer: Transfer | None = None
        self._curl = pycurl.Curl()
        self._prepare()
        hub = fibers.here()
        self._transfer = None if hub is None else Transfer(self._curl, hub)

    def exchange(self, method: str, url: str, headers: Iterable[str]) -> Reply:
        """Send a request and wait for its reply; raises botocore's exceptions."""
        proxy = self._proxy_for(url)
        # Only the main thread runs handlers of signals, and only between steps in Python.
        main = threading.current_thread() is threading.main_thread()
        self._turn_to((method, proxy, main))
        self._curl.setopt(pycurl.FRESH_CONNECT, self._is_stale())
        self._curl.setopt(pycurl.URL, url)
        self._curl.setopt(pycurl.HTTPHEADER, list(headers))
        try:
            return self._perform(url, proxy)
        except BaseException:
            self.may_look_up = self._curl.getinfo(pycurl.NAMELOOKUP_TIME) == 0
            raise
        finally:
            self._head.clear()
            self._body.clear()
            self._begun = 0

    @property
    def hub(self) -> fibers.Hub | None:
        """Whose fibers may use it; None where threads may."""
        return None if self._transfer is None else self._transfer.hub

    def turn_away(self) -> None:
        """Prepare for requests to another server."""
        if self._transfer is not None:
            self._transfer.leave()

    def abandon(self) -> None:
        """Close it elsewhere, and wait for nothing; it must not be used any more.

        The library waits for the look-up of a name, which may take as long as others like.
        """
        if self._transfer is not None:
            self._transfer.forget_all()
        try:
            # Not waited for at the end of the process either.
            threading.Thread(target=self.close, name="closing", daemon=True).start()
        except RuntimeError:  # the system has no thread for it
            self.close()

    def close(self) -> None:
        """Close the connection; calling twice is fine."""
        if self._transfer is not None:
            self._transfer.close()
        self._curl.close()

    def __del__(self) -> None:
        """Close what nobody closed.

        Handle and callbacks refer to each other. Left to the collector they would be
        taken apart in any order, and the library does not survive some of them.
        """
        if hasattr(self, "_curl"):
            self.close()

    def _is_stale(self) -> bool:
        """Whether the server has closed the idle connection, or sent what nobody asked for.

        The library looks only once a second, and would send into the void.
        """
        if self._transfer is not None:
            return self._transfer.is_stale()
        socket = self._curl.getinfo(pycurl.ACTIVESOCKET)
        return socket >= 0 and bool(events_of(socket))

    def _turn_to(self, turn: tuple[str, str, bool]) -> None:
        if turn == self._turn:
            return
        method, proxy, main = self._turn = turn
        self._curl.setopt(pycurl.CUSTOMREQUEST, method)
        self._curl.setopt(pycurl.NOBODY, method == "HEAD")
        self._curl.setopt(pycurl.PROXY, proxy)
        self._curl.setopt(pycurl.NOPROGRESS, not main)

    def _perform(self, url: str, proxy: str) -> Reply:
        try:
            self._go()
        except pycurl.error as error:
            short = self._shortened(error.args[0])
            if short is not None:
                return short
            raise failure_of(error, url, proxy, connected=self._begun > 0) from error
        return self._reply()

    def _go(self) -> None:
        if self._transfer is None:
            self._curl.perform()
        else:
            self._transfer.perform()

    def _reply(self) -> Reply:
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        return Reply(self._curl.getinfo(pycurl.RESPONSE_CODE), headers_of(self._head), body)

    def _shortened(self, code: int) -> Reply | None:
        """Give a reply that is shorter than announced; to refuse it needs its status."""
        if code != pycurl.E_PARTIAL_FILE:
            return None
        reply = self._reply()
        announced = "content-length" in reply.headers and "transfer-encoding" not in reply.headers
        return reply._replace(whole=False) if announced else None

    def _before_request(self, *_: object) -> int:
        """Forbid the second sending of a request whose connection died before a reply."""
        self._begun += 1
        return int(pycurl.PREREQFUNC_OK if self._begun == 1 else pycurl.PREREQFUNC_ABORT)

    def _proxy_for(self, url: str) -> str:
        if not self._way.proxies:
            return ""
        return self._way.proxies.get(url.partition(":")[0], "")

    def _prepare(self) -> None:
        way, whole = self._way, self._way.connect_timeout + PATIENCE * self._way.read_timeout
        options: dict[int, Any] = {
            pycurl.HEADERFUNCTION: self._head.append,
            pycurl.WRITEFUNCTION: self._body.append,
            pycurl.PREREQFUNCTION: self._before_request,
            pycurl.XFERINFOFUNCTION: _let_signals_in,
            pycurl.NOSIGNAL: 1,
            pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
            pycurl.FOLLOWLOCATION: 0,
            pycurl.NETRC: pycurl.NETRC_IGNORED,
            pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
            pycurl.HTTP09_ALLOWED: 0,
            pycurl.PATH_AS_IS: 1,
            # An empty proxy, and no exceptions from it: nothing comes from the environment.
            pycurl.NOPROXY: "",
            pycurl.SSL_VERIFYPEER: 1,
            pycurl.SSL_VERIFYHOST: 2,
            pycurl.PROXY_SSL_VERIFYPEER: 1,
            pycurl.PROXY_SSL_VERIFYHOST: 2,
            pycurl.SSLVERSION: pycurl.SSLVERSION_TLSv1_2,
            pycurl.CAINFO: way.ca_file,
            pycurl.PROXY_CAINFO: way.ca_file,
            pycurl.TCP_KEEPALIVE: 1,
            pycurl.MAXCONNECTS: 1,
            pycurl.BUFFERSIZE: _BUFFER,
            pycurl.MAXFILESIZE_LARGE: way.largest,
            pycurl.CONNECTTIMEOUT_MS: math.ceil(way.connect_timeout * _MILLISECONDS),
            # Less than one byte a second for that long is silence.
            pycurl.LOW_SPEED_LIMIT: 1,
            pycurl.LOW_SPEED_TIME: max(1, math.ceil(way.read_timeout)),
            pycurl.TIMEOUT_MS: math.ceil(whole * _MILLISECONDS),
        }
        for option, value in options.items():
            self._curl.setopt(option, value)
        # The library would trust a directory of the system besides.
        for option in (pycurl.CAPATH, pycurl.PROXY_CAPATH):
            self._curl.unsetopt(option)


def _let_signals_in(*_: object) -> int:
    """Do nothing, in Python: a handler of a signal runs here, and may raise."""
    return 0


def headers_of(lines: Sequence[bytes]) -> dict[str, str]:
    """Read the header lines of the last of several replies (100 goes before 200).

    Names come in lower case, a repeated one has its values joined by commas;
    trailers are none. Raises HTTPClientError where there are too many, or where
    nothing says that there are no more.
    """
    if len(lines) > MOST_HEADERS:
        raise HTTPClientError(error=f"the reply has more than {MOST_HEADERS} lines of headers")
    found: dict[str, str] = {}
    ended = False
    for line in lines:
        if line.startswith(b"HTTP/"):
            found.clear()
            ended = False
            continue
        if ended:
            continue
        name, value = _field(line) if len(line) <= _SHORT else _read_field(line)
        if value is None:
            ended = True
            continue
        found[name] = f"{found[name]}, {value}" if name in found else value
    if ended:
        return found
    raise HTTPClientError(error="the headers of the reply were cut off")


def _read_field(line: bytes) -> tuple[str, str | None]:
    """Read one line of headers; no value is the empty line, after which there are none."""
    name, colon, value = line.decode("latin-1").partition(":")
    name = name.strip().lower()
    return name, value.strip() if colon or name else None


# Most lines of a reply were in the one before it, too.
_field = lru_cache(maxsize=128)(_read_field)
