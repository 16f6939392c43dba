"""The keys of the files beside a config: users, and the web config file of Prometheus.

The latter is as the Exporter Toolkit of Prometheus has it. What cannot be done
here is refused, unless the value is what is done anyway.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from janitor.settings.fields import Read, Text, number, text
from janitor.settings.quantities import Unusable
from janitor.settings.section import Section, optional, required

HOW_TO_HASH = """make one with htpasswd -nBC 10 "" | tr -d ':\\n'"""

# 22 characters are two bits more than a salt: the last one has only four values.
_BCRYPT = re.compile(r"\$2[aby]\$([0-3][0-9])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")
_LOWEST_COST, _HIGHEST_COST = 4, 14

_CLIENT_AUTH: dict[str, Literal["none", "optional", "required"]] = {
    "NoClientCert": "none",
    "VerifyClientCertIfGiven": "optional",
    "RequireAndVerifyClientCert": "required",
}
# The last one is an older name of the second.
_UNVERIFIED = frozenset({"RequestClientCert", "RequireAnyClientCert", "RequireClientCert"})
_VERSIONS = frozenset({"TLS12", "TLS13"})
_BROKEN_VERSIONS = frozenset({"TLS10", "TLS11"})


def password_hash(value: object) -> str:
    """Read a hash of bcrypt; no sentence of it may tell anything about the value."""
    match = _BCRYPT.fullmatch(value) if isinstance(value, str) else None
    if match is None or int(match[1]) < _LOWEST_COST:
        msg = f"must be a hash of bcrypt, and never the password itself: {HOW_TO_HASH}"
        raise Unusable(msg)
    if int(match[1]) > _HIGHEST_COST:
        msg = f"has a cost above {_HIGHEST_COST}, which is too slow for a scrape: {HOW_TO_HASH}"
        raise Unusable(msg)
    return match[0]


def client_auth(value: object) -> str:
    """Read what is asked of clients, in the words of our own settings."""
    word = text(value)
    if word in _UNVERIFIED:
        msg = (
            "asks for certificates and does not verify them: say RequireAndVerifyClientCert "
            "with client_ca_file, or NoClientCert"
        )
        raise Unusable(msg)
    if word not in _CLIENT_AUTH:
        msg = f"must be one of {', '.join(_CLIENT_AUTH)}"
        raise Unusable(msg)
    return _CLIENT_AUTH[word]


def least_version(value: object) -> str:
    """Read the oldest version of TLS that is spoken."""
    word = text(value)
    if word in _BROKEN_VERSIONS:
        msg = "is a version of TLS that is broken: say TLS12 or TLS13"
        raise Unusable(msg)
    if word not in _VERSIONS:
        msg = "must be TLS12 or TLS13"
        raise Unusable(msg)
    return str(word)


def _nothing_but(sentence: str, known: tuple[object, ...] = ()) -> Read:
    """Make the metadata of a key that changes nothing here: only what holds anyway is taken."""

    def read(value: object) -> None:
        # 1 is not true, and 0 is not false.
        if not any(type(value) is type(one) and value == one for one in known):
            raise Unusable(sentence)

    return Read(read, {})


def _in_a_file(key: str) -> Read:
    return _nothing_but(f"must be in a file of its own: say {key}")


Hash = Annotated[str, Read(password_hash, {})]
Users = dict[str, Hash]


class TlsServerModel(Section):
    """How to speak TLS."""

    cert_file: Text = optional("PEM file with the certificate")
    key_file: Text = optional("PEM file with its key")
    client_ca_file: Text = optional("PEM file with the authorities of clients")
    client_auth_type: Annotated[
        Literal["none", "optional", "required"] | None, Read(client_auth, {})
    ] = optional("What is asked of clients", "NoClientCert")
    min_version: Annotated[Literal["TLS12", "TLS13"] | None, Read(least_version, {})] = optional(
        "Oldest version of TLS", "TLS12"
    )
    max_version: Annotated[
        None, _nothing_but("must be TLS13, the newest: remove it", ("TLS13",))
    ] = optional("Newest version of TLS")
    cert: Annotated[None, _in_a_file("cert_file")] = optional("Certificate")
    key: Annotated[None, _in_a_file("key_file")] = optional("Key")
    client_ca: Annotated[None, _in_a_file("client_ca_file")] = optional("Authorities of clients")
    client_allowed_sans: Annotated[
        None,
        _nothing_but(
            "is not checked here: remove it, and use an authority of this service's clients alone"
        ),
    ] = optional("Names of clients")
    cipher_suites: Annotated[
        None, _nothing_but("cannot be chosen here: remove it, OpenSSL's own choice holds", ([],))
    ] = optional("Ciphers")
    prefer_server_cipher_suites: Annotated[
        None, _nothing_but("must be true, which is what holds here", (True,))
    ] = optional("Who chooses the cipher")
    curve_preferences: Annotated[
        None, _nothing_but("cannot be chosen here: remove it, OpenSSL's own choice holds", ([],))
    ] = optional("Curves")


class HttpServerModel(Section):
    """How to speak HTTP."""

    http2: Annotated[
        None, _nothing_but("must be false: only HTTP/1.1 is spoken here", (False,))
    ] = optional("Whether to speak HTTP/2")
    headers: Annotated[None, _nothing_but("cannot be set here: remove them", ({},))] = optional(
        "Headers of every reply"
    )


class RateLimitModel(Section):
    """How often may be asked."""

    interval: Annotated[
        None,
        _nothing_but("must be 0, because requests are not limited here", (0, "0", "0s", "0ms")),
    ] = optional("Time between two requests")
    burst: Annotated[int | None, number(0)] = optional("Requests at once")


class WebModel(Section):
    """The web config file of Prometheus."""

    tls_server_config: TlsServerModel = optional("How to speak TLS")
    http_server_config: HttpServerModel = optional("How to speak HTTP")
    basic_auth_users: Users = optional("Who may ask")
    rate_limit: RateLimitModel = optional("How often")


class UsersModel(Section):
    """A file of users only."""

    basic_auth_users: Users = required("Who may ask: name and hash")
