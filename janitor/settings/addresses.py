"""Addresses of endpoints, proxies and listeners. Never resolves a name: checks what is written.

Requests go out with credentials, so an address that answers for the machine
itself (link-local, metadata services) is refused however it is spelled.
"""

from __future__ import annotations

import ipaddress
import re
import socket

from janitor.settings.quantities import Unusable

_SERVER = (
    r"(?P<scheme>https?)://"
    r"(?P<host>\[[0-9A-Fa-f.]*:[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)"
    r"(?::(?P<port>[0-9]{1,5}))?"
)
_URL = re.compile(rf"{_SERVER}/?")
_URL_WITH_PATH = re.compile(rf"{_SERVER}(?:/[A-Za-z0-9._~/-]*)?")
_LISTEN = re.compile(
    r"(?P<host>\[[0-9A-Fa-f.]*:[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})"
)
_HOST = re.compile(r"\[[0-9A-Fa-f.]*:[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+")
_DASK = re.compile(
    r"(?:tls|tcp)://(?P<host>\[[0-9A-Fa-f.]*:[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})"
)
_NUMERIC = re.compile(r"(?:.*\.)?(?:0[xX][0-9A-Fa-f]*|[0-9]+)")

_FORBIDDEN = tuple(
    ipaddress.ip_network(network)
    for network in (
        "169.254.0.0/16",  # link-local, and most clouds' metadata
        "fe80::/10",  # link-local
        "fd00:ec2::/32",  # AWS
        "fd20:ce::254/128",  # Google
        "100.100.100.200/32",  # Alibaba
        "168.63.129.16/32",  # Azure
        "192.0.0.192/32",  # Oracle
    )
)
_FORBIDDEN_NAMES = frozenset(
    {"metadata", "metadata.google.internal", "metadata.goog", "instance-data.ec2.internal"}
)
# IPv6 blocks that carry an IPv4 address in their last 32 bits.
_CARRIERS = tuple(ipaddress.ip_network(n) for n in ("::ffff:0:0/96", "64:ff9b::/96", "::/96"))
_LAST_PORT = 65535
# What clients of a Pushgateway add by themselves.
_PUSH_PATH = re.compile(r"//.*/metrics(?:/|$)")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def endpoint(url: str) -> str:
    """Check the URL of an endpoint: scheme, host and port, nothing more; gives it without `/`."""
    match = _URL.fullmatch(url)
    if match is None:
        raise Unusable(_url_remedy(url))
    check_port(match["port"], lowest=1)
    host(match["host"])
    return url.removesuffix("/")


def proxy(url: str) -> str:
    """Check the URL of a proxy: an endpoint that may carry a user and a password."""
    bare = re.sub(r"(?<=://)[^/@?#\\]*@", "", url, count=1)
    endpoint(bare)
    return url


def pushgateway(url: str) -> str:
    """Check the URL of a Pushgateway, which may be behind a path; gives it without `/`."""
    match = _URL_WITH_PATH.fullmatch(url)
    if match is None or _PUSH_PATH.search(url):
        raise Unusable(_pushgateway_remedy(url))
    check_port(match["port"], lowest=1)
    host(match["host"], owner="Pushgateway")
    return url.rstrip("/")


def dask(url: str) -> str:
    """Check the address of a Dask scheduler: tls:// or tcp://, a host and a port."""
    match = _DASK.fullmatch(url)
    if match is None:
        msg = "must be the address of a scheduler: say for example tls://dask-scheduler:8786"
        raise Unusable(msg)
    check_port(match["port"], lowest=1)
    host(match["host"], owner="scheduler")
    return url


def is_loopback_dask(url: str) -> bool:
    """Whether a scheduler is on this machine, so that nothing is on the way."""
    match = _DASK.fullmatch(url)
    return match is not None and is_loopback(match["host"])


def host(name: str, owner: str = "object store") -> str:
    """Check the host of an endpoint, and refuse the addresses of the machine itself."""
    if _HOST.fullmatch(name) is None:
        msg = "must be a host name or an address, without scheme, port and path"
        raise Unusable(msg)
    plain = _plain(name)
    addresses = _addresses(plain)
    if plain in _FORBIDDEN_NAMES or any(a in network for a in addresses for network in _FORBIDDEN):
        msg = f"is a link-local or metadata address, which no {owner} has: say its own name"
        raise Unusable(msg)
    if not addresses and (_NUMERIC.fullmatch(plain) or name.startswith("[")):
        msg = "is not an IP address: check its numbers"
        raise Unusable(msg)
    return name


def listen(text: str) -> tuple[str, int]:
    """Read `host:port`; an IPv6 address stands in brackets."""
    match = _LISTEN.fullmatch(text)
    if match is None or (match["host"].startswith("[") and not _addresses(_plain(match["host"]))):
        msg = "must be host:port: say for example 127.0.0.1:10079, 0.0.0.0:10079 or [::1]:10079"
        raise Unusable(msg)
    check_port(match["port"], lowest=0)
    return match["host"].strip("[]"), int(match["port"])


def check_port(port: str | None, lowest: int) -> None:
    """Check that a port exists; None is the default one."""
    if port is not None and not lowest <= int(port) <= _LAST_PORT:
        msg = f"has a port that does not exist: say one from {lowest} to {_LAST_PORT}"
        raise Unusable(msg)


def is_plain_http(url: str) -> bool:
    """Whether what is sent to this URL can be read on the way."""
    return url.lower().startswith("http:")


def is_loopback(url_or_host: str) -> bool:
    """Whether it names this machine, so that nothing is on the way."""
    match = _URL.fullmatch(url_or_host)
    plain = _plain(match["host"] if match else url_or_host)
    if plain == "localhost" or plain.endswith(".localhost"):
        return True
    return any(address.is_loopback for address in _addresses(plain))


def _plain(name: str) -> str:
    return name.strip("[]").lower().removesuffix(".")


def _addresses(plain: str) -> list[Address]:
    """Read an address in every spelling that a resolver takes, with what it carries inside."""
    if ":" not in plain:
        return _ipv4(plain)
    try:
        address = ipaddress.IPv6Address(plain)
    except ValueError:
        return []
    carried: list[Address] = [address]
    if any(address in network for network in _CARRIERS):
        carried.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    if address.sixtofour is not None:
        carried.append(address.sixtofour)
    return carried


def _ipv4(plain: str) -> list[Address]:
    if _NUMERIC.fullmatch(plain) is None:
        return []
    try:
        # Takes 2852039166, 0xA9FEA9FE, 0251.0376.43518 and the like, as resolvers do.
        return [ipaddress.IPv4Address(socket.inet_aton(plain))]
    except OSError:
        return []


def _url_remedy(url: str) -> str:
    if not re.match(r"https?://", url):
        return "must be a URL: say for example https://minio.example:9000"
    if "@" in url:
        return "must not hold a user or a password: use access_key_id and secret_access_key_file"
    if "?" in url or "#" in url:
        return "must not have ? or #: say only scheme, host and port"
    if re.fullmatch(_URL.pattern + r".+", url):
        return "must not have a path: say only scheme, host and port"
    return "must be a URL: say for example https://minio.example:9000"


def _pushgateway_remedy(url: str) -> str:
    say = "say for example http://pushgateway.example:9091"
    if not re.match(r"https?://", url):
        return f"must be a URL: {say}"
    if "@" in url:
        return (
            "must not hold a user or a password, because it is shown and logged: remove them, "
            "and let a proxy or a network policy decide who may push"
        )
    if _PUSH_PATH.search(url):
        return f"must end before /metrics, which is added: {say}"
    if "?" in url or "#" in url:
        return f"must not have ? or #: {say}"
    return f"must be a URL: {say}"
