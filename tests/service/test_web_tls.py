from __future__ import annotations

import http.client
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Literal

import pytest
from structlog.testing import capture_logs
from support.website import TIMEOUT, Authority, Site, secured, site

from janitor.settings.types import Http, Tls

# curl's own numbers.
DONE = 0
CANNOT_CONNECT_BY_TLS = 35
UNTRUSTED = 60


@pytest.fixture(name="authority")
def _authority(tmp_path: Path) -> Authority:
    """Give somebody whom everybody here trusts."""
    return Authority(tmp_path)


@pytest.fixture(name="authorities")
def _authorities(tmp_path: Path) -> tuple[Authority, Authority]:
    """Give ours and a foreign one."""
    return Authority(tmp_path), Authority(tmp_path)


@pytest.fixture(name="daemon")
def _daemon(tmp_path: Path) -> Iterator[Site]:
    """Serve by TLS."""
    with secured(tmp_path) as made:
        made.serve()
        yield made


def curl(made: Site, *options: str) -> tuple[int, str]:
    """Ask for /healthz as others do; give the exit code and what came."""
    curl_itself = shutil.which("curl") or pytest.skip("there is no curl")
    command = [curl_itself, "-sS", "--max-time", str(TIMEOUT), *options, f"{made.web.url}/healthz"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own words
    return ran.returncode, ran.stdout


def test_curl_trusts_it_by_its_authority(authority: Authority) -> None:
    """And does not without."""
    with site(Http(tls=Tls(*authority.issue("server")))) as made:
        made.serve()
        seen = [curl(made, "--cacert", authority.path), curl(made)]

    assert [(DONE, "ok\n"), (UNTRUSTED, "")] == seen


def test_the_address_says_https(daemon: Site) -> None:
    """So that what is logged can be clicked on."""
    assert daemon.web.url == f"https://127.0.0.1:{daemon.port}"


@pytest.mark.parametrize(
    ("lowest", "newest", "expected"),
    [
        ("TLS12", "1.1", CANNOT_CONNECT_BY_TLS),
        ("TLS12", "1.2", DONE),
        ("TLS13", "1.2", CANNOT_CONNECT_BY_TLS),
        ("TLS13", "1.3", DONE),
    ],
)
def test_older_versions_are_refused(
    authority: Authority, lowest: Literal["TLS12", "TLS13"], newest: str, expected: int
) -> None:
    """1.2 is the least that is ever spoken."""
    tls = Tls(*authority.issue("server"), min_version=lowest)
    # Else curl's own OpenSSL refuses what is old.
    options = ("--ciphers", "DEFAULT@SECLEVEL=0", "--tlsv1.0", "--tls-max", newest)
    with site(Http(tls=tls)) as made:
        made.serve()
        code, _ = curl(made, "--cacert", authority.path, *options)

    assert expected == code


def test_plain_http_gets_no_answer_where_tls_is_spoken(daemon: Site) -> None:
    """Nothing is told without it."""
    plain = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=TIMEOUT)
    with closing(plain):
        plain.request("GET", "/healthz")
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            plain.getresponse()


def test_nonsense_in_a_handshake_ends_it_and_is_told_once(daemon: Site) -> None:
    """Strangers cannot fill the log."""
    trust, daemon.trust = daemon.trust, None
    with capture_logs() as lines:
        for _ in range(5):
            daemon.talk(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        daemon.trust = trust
        seen = daemon.ask("/healthz")[1]
    told = [line for line in lines if line["event"] == "tls.handshake_failed"]

    assert ("ok\n", [("127.0.0.1", "HTTP_REQUEST")]) == (
        seen,
        [(line["client"], line["reason"]) for line in told],
    )


@pytest.mark.parametrize(
    ("asked", "brought", "expected"),
    [
        ("required", "none", "refused"),
        ("required", "right", "ok\n"),
        ("required", "foreign", "refused"),
        ("optional", "none", "ok\n"),
        ("optional", "right", "ok\n"),
        ("optional", "foreign", "refused"),
        ("none", "none", "ok\n"),
        ("none", "foreign", "ok\n"),
    ],
)
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_clients_show_the_certificate_that_is_asked_for(
    authorities: tuple[Authority, Authority],
    asked: Literal["none", "optional", "required"],
    brought: str,
    expected: str,
    version: str,
) -> None:
    """Required or, if brought, right; a foreign one never opens."""
    ours, theirs = authorities
    certificates = {
        "right": ours.issue("client", "prometheus"),
        "foreign": theirs.issue("foreign", "prometheus"),
    }
    mine = certificates.get(brought)
    options = () if mine is None else ("--cert", mine[0], "--key", mine[1])
    tls = Tls(*ours.issue("server"), client_ca=ours.path, client_auth=asked)
    with site(Http(tls=tls)) as made:
        made.serve()
        code, told = curl(made, "--cacert", ours.path, "--tlsv1.2", "--tls-max", version, *options)

    assert expected == (told if code == DONE else "refused")


def test_a_client_cannot_make_the_server_negotiate_again(daemon: Site) -> None:
    """In TLS 1.2 that was a cheap way to keep a server busy."""
    openssl = shutil.which("openssl") or pytest.skip("there is no openssl")
    command = [openssl, "s_client", "-tls1_2", "-connect", f"127.0.0.1:{daemon.port}"]
    ran = subprocess.run(  # noqa: S603  # our own words
        command, input="R\n", capture_output=True, text=True, check=False, timeout=TIMEOUT
    )

    assert ("RENEGOTIATING" in ran.stderr + ran.stdout, "no renegotiation" in ran.stderr) == (
        True,
        True,
    )
