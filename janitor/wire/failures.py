"""Turns what libcurl says of a request that had no reply into what botocore would have raised."""

from __future__ import annotations

import pycurl
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)

_NOBODY_THERE = frozenset({pycurl.E_COULDNT_RESOLVE_HOST, pycurl.E_COULDNT_CONNECT})
# The last one is CURLE_PROXY, which has no name in pycurl.
_PROXY = frozenset({pycurl.E_COULDNT_RESOLVE_PROXY, 97})
_TLS = frozenset(
    {
        pycurl.E_SSL_CONNECT_ERROR,
        pycurl.E_SSL_CERTPROBLEM,
        pycurl.E_SSL_CIPHER,
        pycurl.E_PEER_FAILED_VERIFICATION,
        pycurl.E_SSL_CACERT_BADFILE,
        pycurl.E_SSL_CRL_BADFILE,
        pycurl.E_SSL_ISSUER_ERROR,
        pycurl.E_SSL_INVALIDCERTSTATUS,
    }
)
_BROKEN_OFF = frozenset(
    {
        pycurl.E_GOT_NOTHING,
        pycurl.E_SEND_ERROR,
        pycurl.E_RECV_ERROR,
        pycurl.E_PARTIAL_FILE,
        # The connection died under the request, and we forbade to send it again.
        pycurl.E_ABORTED_BY_CALLBACK,
        # What does not begin as a reply of HTTP/1 does.
        pycurl.E_UNSUPPORTED_PROTOCOL,
        pycurl.E_FTP_WEIRD_SERVER_REPLY,
    }
)


def failure_of(error: pycurl.error, url: str, proxy: str, *, connected: bool) -> Exception:
    """Give the exception for an error of libcurl; `proxy` is "" where none was asked."""
    code, said = error.args
    made: Exception
    if code in _PROXY or (proxy and code in _NOBODY_THERE):
        made = ProxyConnectionError(proxy_url=_without_password(proxy), error=said)
    elif code in _NOBODY_THERE:
        made = EndpointConnectionError(endpoint_url=url, error=said)
    elif code == pycurl.E_OPERATION_TIMEDOUT:
        kind = ReadTimeoutError if connected else ConnectTimeoutError
        made = kind(endpoint_url=url, error=said)
    elif code in _TLS:
        made = SSLError(endpoint_url=url, error=said)
    elif code in _BROKEN_OFF:
        made = ConnectionClosedError(endpoint_url=url, error=said)
    else:
        made = HTTPClientError(error=f"{said} (libcurl's error {code})")
    return made


def _without_password(proxy: str) -> str:
    scheme, _, rest = proxy.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
